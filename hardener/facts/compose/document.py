"""One Compose file: its services, with YAML merges resolved. Knows no other file and what no key means."""

from __future__ import annotations

from collections.abc import Iterator

from hardener.errors import Unreadable
from hardener.facts.merged import is_null, lookup, sources, target
from hardener.finding import Place
from hardener.record import NamedTuple
from hardener.source import Source
from hardener.syntax.yaml import Alias, Mapping, Node, Route, Scalar, Sequence, Stream, YamlError, children, parse


class ServiceNode(NamedTuple):
    """One service as one document of one file defines it. `mapping` is None for `web:` with nothing below."""

    name: str
    key: Node
    mapping: Mapping | None
    route: Route | None
    via: str


class ComposeFile:
    """One Compose file. `services` lists every definition, in order, over all its documents."""

    __slots__ = ("aliased", "services", "source", "tree")

    def __init__(self, source: Source, tree: Stream | None = None) -> None:
        """Read a Compose file. Raises `Unreadable` when Compose could not, or when it is a template."""
        self.source = source
        try:
            self.tree = tree or parse(source.text)
        except YamlError as error:
            templated = "{%" in source.text or "{{" in source.text or "<%" in source.text
            reason = "a template, not YAML as it stands" if templated else error.reason
            remedy = "run harden on what the template makes" if templated else "mend the YAML, then run again"
            raise Unreadable(source.path, reason, remedy, error.line) from None
        for key in self.tree.duplicate_keys:
            name = key.value if isinstance(key, Scalar) else "?"
            raise Unreadable(
                source.path,
                f"the key `{name}` stands twice in one mapping",
                "Compose refuses this file: drop one",
                self._line(key),
            )
        self.services: list[ServiceNode] = list(self._services())
        #: The nodes, by id, that an alias stands for somewhere in the file.
        self.aliased = {id(node) for node in _targets(self.tree)} if "*" in source.text and "&" in source.text else set()

    def _line(self, node: Node) -> int:
        return self.source.position(node.start).line

    def place(self, node: Node) -> Place:
        """Where a node starts, for people."""
        line, column = self.source.position(node.start)
        return Place(self.source.path, line, column)

    def _services(self) -> Iterator[ServiceNode]:
        found_any = False
        for index, document in enumerate(self.tree.documents):
            root = document.root
            if root is None or is_null(root):
                continue
            if not isinstance(root, Mapping):
                raise Unreadable(self.source.path, "not a mapping at the top level", "this is no Compose file", self._line(root))
            if "{{" in self.source.text and _has_template(root):
                raise Unreadable(self.source.path, "a template: `{{ }}` outside quotes", "run harden on what the template makes")
            services = root.get("services")
            if services is None:
                if root.get("version") is None and _looks_like_version_1(root):
                    raise Unreadable(
                        self.source.path,
                        "a version 1 file: services stand at the top level",
                        "Compose v2 refuses it: put them under `services:`",
                        1,
                    )
                found_any = found_any or bool(root.pairs)
                continue
            found_any = True
            services = target(services)
            if is_null(services):
                continue
            if not isinstance(services, Mapping):
                raise Unreadable(
                    self.source.path, "`services` is not a mapping", "mend the file, then run again", self._line(services)
                )
            yield from self._definitions(services, (index, "services"))
        if not found_any:
            raise Unreadable(self.source.path, "empty: no services", "fill the file or leave it out")

    def _definitions(self, services: Mapping, route: Route) -> Iterator[ServiceNode]:
        for mapping, via in sources(services):
            for pair in mapping.pairs:
                if not isinstance(pair.key, Scalar) or pair.key.value == "<<":
                    continue
                value = target(pair.value)
                name = pair.key.value
                anchor = pair.value.name if isinstance(pair.value, Alias) else via
                if isinstance(value, Mapping):
                    yield ServiceNode(name, pair.key, value, None if anchor else (*route, name), anchor)
                elif is_null(value):
                    yield ServiceNode(name, pair.key, None, None, anchor)
                else:
                    line = self._line(pair.key)
                    raise Unreadable(
                        self.source.path, f"the service `{name}` is not a mapping", "mend the file, then run again", line
                    )

    def top(self, key: str) -> Iterator[Node]:
        """The values of a top-level key, one for each document that has it."""
        for document in self.tree.documents:
            if isinstance(document.root, Mapping):
                found = lookup(document.root, None, key)
                if found:
                    yield found.node


def _looks_like_version_1(root: Mapping) -> bool:
    values = [target(pair.value) for pair in root.pairs if isinstance(pair.key, Scalar) and not pair.key.value.startswith("x-")]
    return bool(values) and all(
        isinstance(v, Mapping) and (v.get("image") is not None or v.get("build") is not None) for v in values
    )


def _targets(tree: Stream) -> Iterator[Node]:
    stack = [document.root for document in tree.documents if document.root is not None]
    while stack:
        node = stack.pop()
        if isinstance(node, Alias):
            yield node.target
        else:
            stack += children(node)


def _has_template(root: Node) -> bool:
    """Whether a mapping serves as a key anywhere: what `{{ value }}` outside quotes reads as."""
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, Sequence):
            stack += node.items
        elif isinstance(node, Mapping):
            for pair in node.pairs:
                if isinstance(pair.key, Mapping):
                    return True
                stack.append(pair.value)
    return False
