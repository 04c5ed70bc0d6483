"""The structure of a YAML text: nodes with exact spans, and routes to them. Knows no dialect, no parser and no edits."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from hardener.errors import HardenError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A physical path: the document's index, then keys and item indices. It never passes through an alias or a merge key.
Route: TypeAlias = "tuple[int | str, ...]"


class YamlError(HardenError):
    """The text is not YAML, or not YAML that this tool takes; `line` and `column` count from 1."""

    exit_code = 2

    def __init__(self, line: int, column: int, reason: str) -> None:
        super().__init__(f"line {line}, column {column}: {reason}")
        self.line = line
        self.column = column
        self.reason = reason


class Node:
    """A value in the text: `start` and `end` span its content, `outer_start` is where its anchor or tag begins.

    The end of a block collection is the end of its last leaf, not of the blank lines and comments behind it.
    """

    __slots__ = ("anchor", "end", "outer_start", "start", "tag")

    def __init__(self, start: int, end: int, outer_start: int, anchor: str | None, tag: str | None) -> None:
        self.start = start
        self.end = end
        self.outer_start = outer_start
        self.anchor = anchor
        self.tag = tag


class Scalar(Node):
    """A single value; `value` is its text after YAML's own processing, never resolved to a type.

    `style` is empty for a plain scalar, else the character that opens it. A null written as nothing has an empty span,
    right after the colon or dash that it belongs to; the span of a block scalar includes its trailing line breaks.
    """

    __slots__ = ("style", "value")

    def __init__(
        self, start: int, end: int, outer_start: int, anchor: str | None, tag: str | None, value: str, style: str
    ) -> None:
        self.start = start
        self.end = end
        self.outer_start = outer_start
        self.anchor = anchor
        self.tag = tag
        self.value = value
        self.style = style

    @property
    def is_null(self) -> bool:
        """Whether every dialect reads it as null."""
        return not self.style and self.tag is None and self.value in ("", "~", "null", "Null", "NULL")


class Pair:
    """A key and its value."""

    __slots__ = ("key", "value")

    def __init__(self, key: Node, value: Node) -> None:
        self.key = key
        self.value = value


class Mapping(Node):
    """Pairs in the order of the text, repeated keys included."""

    __slots__ = ("flow", "pairs")

    def __init__(self, start: int, outer_start: int, anchor: str | None, tag: str | None, flow: bool) -> None:
        self.start = start
        self.end = -1
        self.outer_start = outer_start
        self.anchor = anchor
        self.tag = tag
        self.flow = flow
        self.pairs: list[Pair] = []

    def pair(self, key: str) -> Pair | None:
        """The last pair with that scalar key, merge keys not followed; None when there is none."""
        for pair in reversed(self.pairs):
            if type(pair.key) is Scalar and pair.key.value == key:
                return pair
        return None

    def get(self, key: str) -> Node | None:
        """The value of `pair(key)`; None when there is none."""
        pair = self.pair(key)
        return None if pair is None else pair.value


class Sequence(Node):
    """Items in the order of the text."""

    __slots__ = ("flow", "items")

    def __init__(self, start: int, outer_start: int, anchor: str | None, tag: str | None, flow: bool) -> None:
        self.start = start
        self.end = -1
        self.outer_start = outer_start
        self.anchor = anchor
        self.tag = tag
        self.flow = flow
        self.items: list[Node] = []


class Alias(Node):
    """A reference; `target` is what the anchor meant at this point, since an anchor may be defined again."""

    __slots__ = ("name", "target")

    def __init__(self, start: int, end: int, name: str, target: Node) -> None:
        super().__init__(start, end, start, None, None)
        self.name = name
        self.target = target


class Document:
    """One document of a stream; `root` is None only before it is read."""

    __slots__ = ("root",)

    def __init__(self) -> None:
        self.root: Node | None = None


class Stream:
    """A YAML text and its documents.

    `duplicate_keys` are the later ones of equal keys in one mapping. `templates` are places such as `{{ name }}` where a
    template language shows through: the text is then not what will be deployed. `layout` is room for what a writer found
    out about the text.
    """

    __slots__ = ("aliases", "documents", "duplicate_keys", "layout", "templates", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.documents: tuple[Document, ...] = ()
        self.aliases: list[Alias] = []
        self.duplicate_keys: list[Node] = []
        self.templates: list[Node] = []
        self.layout: object = None


def node_at(stream: Stream, route: Route) -> Node | None:
    """The node that a route leads to; None when it leads nowhere."""
    if not route or not isinstance(route[0], int) or not 0 <= route[0] < len(stream.documents):
        return None
    node = stream.documents[route[0]].root
    for step in route[1:]:
        if isinstance(node, Mapping) and isinstance(step, str):
            node = node.get(step)
        elif isinstance(node, Sequence) and isinstance(step, int) and 0 <= step < len(node.items):
            node = node.items[step]
        else:
            return None
    return node


def open_ended(stream: Stream, node: Node) -> bool:
    """Whether a node ends with the text, in a block scalar without final newline: a line behind it would change it."""
    text = stream.text
    if text.endswith("\n") or node.end < len(text):
        return False
    while isinstance(node, (Mapping, Sequence)) and not node.flow:
        node = node.pairs[-1].value if isinstance(node, Mapping) else node.items[-1]
    if not isinstance(node, Scalar) or node.style not in ("|", ">"):
        return False
    return "-" not in text[node.start :].partition("\n")[0].partition("#")[0]


def children(node: Node) -> Iterator[Node]:
    """The keys and values, or the items, directly in a node."""
    if isinstance(node, Mapping):
        for pair in node.pairs:
            yield pair.key
            yield pair.value
    elif isinstance(node, Sequence):
        yield from node.items
