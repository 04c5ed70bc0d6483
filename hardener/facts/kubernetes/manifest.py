"""One manifest file: its text, its tree, and where values in it may be written. Knows no kind of object and no setting."""

from __future__ import annotations

from collections.abc import Iterator

from hardener.errors import CannotWrite, Unreadable
from hardener.facts.merged import Found, is_null, lookup, target, text_of, truth, values
from hardener.finding import Change, Place, Reach
from hardener.source import Source
from hardener.syntax.yaml import (
    Alias,
    Append,
    Mapping,
    Node,
    Operation,
    Put,
    Remove,
    Route,
    Scalar,
    Sequence,
    Stream,
    Value,
    YamlError,
    parse,
)

#: What templates of Helm, Jinja, ERB and ytt have, and no manifest that is YAML needs.
_SIGNS = ("{{", "{%", "<%", "#@")


class Template(Unreadable):
    """A text that makes manifests, and is none itself."""


class ManifestFile:
    """A file of Kubernetes objects, in YAML or JSON."""

    __slots__ = ("aliased", "concluded", "source", "tree")

    def __init__(self, source: Source, tree: Stream | None = None) -> None:
        """Read a manifest. Raises `Template` for a template, `Unreadable` for what is no YAML."""
        self.source = source
        try:
            self.tree = tree or parse(source.text)
        except YamlError as error:
            signs = [at for sign in _SIGNS if (at := source.text.find(sign)) >= 0]
            if signs:
                raise _template(source, source.position(min(signs)).line) from None
            raise Unreadable(source.path, error.reason, "mend the YAML, then run again", error.line) from None
        if self.tree.templates:
            raise _template(source, self._line(self.tree.templates[0]))
        for key in self.tree.duplicate_keys:
            name = key.value if isinstance(key, Scalar) else "?"
            reason = f"the key `{name}` stands twice in one mapping"
            raise Unreadable(source.path, reason, "kubectl takes the last, kustomize refuses the file: drop one", self._line(key))
        #: The nodes, by id, that an alias stands for somewhere in the file.
        self.aliased = {id(alias.target) for alias in self.tree.aliases}
        #: What holds for all of the file, by the function that found it out: each of its pods may ask.
        self.concluded: dict[object, bool] = {}

    def _line(self, node: Node) -> int:
        return self.source.position(node.start).line

    def place(self, node: Node) -> Place:
        """Where a node starts, for people."""
        line, column = self.source.position(node.start)
        return Place(self.source.path, line, column)

    def change(self, operation: Operation, reaches: frozenset[Reach] = frozenset()) -> tuple[Change, ...]:
        """A change to this file. Raises `CannotWrite` where an alias elsewhere would change with it."""
        if self.aliased:
            anchor = self._anchor_on_the_way(operation.route)
            if anchor:
                raise CannotWrite(f"it would be written below the anchor `&{anchor}`, which is used elsewhere too")
        return (Change(self.source.path, operation, reaches),)

    def _anchor_on_the_way(self, route: Route) -> str:
        node: Node | None = self.tree.documents[int(route[0])].root
        for step in (*route[1:], None):
            if node is not None and id(node) in self.aliased:
                return node.anchor or ""
            if isinstance(node, Mapping) and isinstance(step, str):
                node = node.get(step)
            elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
                node = node.items[step]
            else:
                break
        return ""


def _size(node: Node) -> int:
    return len(node.pairs) if isinstance(node, Mapping) else 0


def _template(source: Source, line: int) -> Template:
    return Template(source.path, "a template, not a manifest as it stands", "run harden on what the template makes", line)


class Scope:
    """A mapping of a manifest, such as the spec of a pod or one of its containers, with what is written below it.

    `route` is None where the mapping itself comes through an alias or a merge; `via` then names the anchor.
    """

    __slots__ = ("_values", "file", "mapping", "route", "via")

    def __init__(self, file: ManifestFile, mapping: Mapping, route: Route | None, via: str = "") -> None:
        self.file = file
        self.mapping = mapping
        self.route = route
        self.via = via
        self._values: dict[str, Found] | None = None

    def find(self, *keys: str) -> Found | None:
        """The value at a path of nested mappings, own or merged; None where there is none, or null."""
        if self._values is None:  # of the many keys that are asked for, few are written
            self._values = values(self.mapping, self.route, self.via)
        found = self._values.get(keys[0])
        for key in keys[1:]:
            if found is None or not isinstance(found.node, Mapping):
                return None
            found = lookup(found.node, found.route, key, found.via)
        return None if found is None or is_null(found.node) else found

    def text(self, *keys: str) -> str | None:
        """The text of the scalar at a path."""
        found = self.find(*keys)
        return text_of(found.node) if found else None

    def flag(self, *keys: str) -> bool | None:
        """The boolean at a path; None where there is none."""
        return truth(self.text(*keys))

    def items(self, *keys: str) -> Iterator[tuple[Node, Route | None]]:
        """The items of the list at a path, each with where it stands."""
        found = self.find(*keys)
        if found is not None and isinstance(found.node, Sequence):
            for at, item in enumerate(found.node.items):
                own = found.route is not None and not isinstance(item, Alias)
                yield target(item), (*found.route, at) if own and found.route is not None else None

    def words(self, *keys: str) -> tuple[str, ...] | None:
        """The texts of the list at a path; None where there is no list."""
        found = self.find(*keys)
        if found is None or not isinstance(found.node, Sequence):
            return None
        return tuple(text_of(item) or "" for item in found.node.items)

    def put(self, keys: tuple[str, ...], value: Value, reaches: frozenset[Reach] = frozenset()) -> tuple[Change, ...]:
        """Write a key, nested or not. Raises `CannotWrite` where it would not be this scope's own."""
        return self.file.change(Put(self._own(keys), value), reaches)

    def add(self, keys: tuple[str, ...], new: list[Value], reaches: frozenset[Reach] = frozenset()) -> tuple[Change, ...]:
        """Add items to the list at a path, which is made where there is none."""
        if not new:
            return ()
        found = self.find(*keys)
        if found is None or not isinstance(found.node, Sequence):
            return self.put(keys, new, reaches)
        if not found.node.items:
            return self.put(keys, new, reaches)
        return self.file.change(Append(self._own(keys), tuple(new)), reaches)

    def remove(self, keys: tuple[str, ...], reaches: frozenset[Reach] = frozenset()) -> tuple[Change, ...]:
        """Take a key away, and with it the mappings that would be left empty."""
        while len(keys) > 1 and (above := self.find(*keys[:-1])) is not None and _size(above.node) == 1:
            keys = keys[:-1]
        return self.file.change(Remove(self._own(keys)), reaches)

    def _own(self, keys: tuple[str, ...]) -> Route:
        if self.route is None:
            raise CannotWrite(f"it comes through the anchor `&{self.via}`, which is used elsewhere too")
        at: Node = self.mapping
        for depth, key in enumerate(keys):
            found = lookup(at, self.route, key) if isinstance(at, Mapping) else None
            if found is None:
                break
            if found.route is None:
                raise CannotWrite(f"`{'.'.join(keys[: depth + 1])}` comes through the anchor `&{found.via}`")
            at = found.node
        return (*self.route, *keys)
