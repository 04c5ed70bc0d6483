"""The structure of a YAML text, with the exact span of every node. Knows no dialect and does not edit.

Built from the events of ruamel.yaml's C parser, because nothing else tells where aliases, nulls and the ends of collections stand.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from hardener.errors import HardenError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Deeper nesting is refused: nobody writes it, and everything that walks the tree may then recurse without fear.
MAX_DEPTH = 200

_BLANKS = " \t\r\n\x85\u2028\u2029"

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

    def __init__(self, start: int, end: int, outer_start: int, anchor: str | None, tag: str | None, value: str, style: str) -> None:
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
        super().__init__(start, -1, outer_start, anchor, tag)
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
        super().__init__(start, -1, outer_start, anchor, tag)
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
    template language shows through: the text is then not what will be deployed.
    """

    __slots__ = ("aliases", "documents", "duplicate_keys", "templates", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.documents: tuple[Document, ...] = ()
        self.aliases: list[Alias] = []
        self.duplicate_keys: list[Node] = []
        self.templates: list[Node] = []


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


def children(node: Node) -> Iterator[Node]:
    """The keys and values, or the items, directly in a node."""
    if isinstance(node, Mapping):
        for pair in node.pairs:
            yield pair.key
            yield pair.value
    elif isinstance(node, Sequence):
        yield from node.items


def parse(text: str) -> Stream:
    """Read a text (without byte order mark) into a tree.

    Raises `YamlError` for what is not YAML, nests deeper than `MAX_DEPTH` or holds an alias without an anchor, and
    `UsageError` when ruamel.yaml's C parser is not installed: the pure one places nulls elsewhere.
    """
    ruamel = _ruamel()
    try:
        return _build(text, ruamel.parser(text).get_event, ruamel)
    except ruamel.marked_error as error:
        mark = error.problem_mark or error.context_mark
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        _fail(text, mark.index if mark else 0, reason.replace("<", "").replace(">", ""))
    except ruamel.reader_error as error:
        # The error counts bytes; the character itself is the surer way to the place.
        _fail(text, max(text.find(chr(error.character)) if isinstance(error.character, int) else 0, 0), error.reason)
    except UnicodeEncodeError as error:
        _fail(text, error.start, "half of a surrogate pair")


class _Ruamel:
    """What is needed of ruamel.yaml, looked up once."""

    __slots__ = ("alias", "document", "kinds", "mapping", "marked_error", "parser", "reader_error", "scalar", "sequence")

    def __init__(self) -> None:
        try:
            from ruamel.yaml.cyaml import CParser  # type: ignore[attr-defined]
        except ImportError:
            raise UsageError("the C parser of ruamel.yaml is missing: pip install 'ruamel.yaml[oldlibyaml]'") from None
        from ruamel.yaml import error, events, reader

        self.parser: Any = CParser
        self.marked_error: Any = error.MarkedYAMLError
        self.reader_error: Any = reader.ReaderError
        self.scalar = events.ScalarEvent
        self.alias = events.AliasEvent
        self.mapping = events.MappingStartEvent
        self.sequence = events.SequenceStartEvent
        self.document = events.DocumentStartEvent
        self.kinds = (events.MappingEndEvent, events.SequenceEndEvent, events.StreamEndEvent)


@cache
def _ruamel() -> _Ruamel:
    return _Ruamel()


def _fail(text: str, offset: int, reason: str) -> NoReturn:
    raise YamlError(text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1, reason)


def _build(text: str, next_event: Any, ruamel: _Ruamel) -> Stream:
    """Turn events into nodes. One loop without calls where it is hot: it runs for every scalar of every file."""
    stream = Stream(text)
    documents: list[Document] = []
    anchors: dict[str, Node] = {}
    stack: list[tuple[Mapping | Sequence | None, Node | None]] = []
    parent: Mapping | Sequence | None = None
    key: Node | None = None
    node: Node
    scalar_kind, alias_kind, mapping_kind, sequence_kind = ruamel.scalar, ruamel.alias, ruamel.mapping, ruamel.sequence
    mapping_end, sequence_end, stream_end = ruamel.kinds
    while True:
        event = next_event()
        kind = type(event)
        if kind is scalar_kind:
            outer = start = event.start_mark.index
            end = event.end_mark.index
            anchor, tag = event.anchor, event.tag
            if anchor is not None or tag is not None:
                start = min(_past_properties(text, outer, anchor is not None, tag is not None), end)
            elif start == end and type(parent) is Mapping and key is not None and text[start - 1] != ":":
                start = end = outer = _null_without_its_colon(text, key.end, start)
            node = Scalar(start, end, outer, anchor, tag, event.value, event.style)
            if anchor is not None:
                anchors[anchor] = node
        elif kind is mapping_kind or kind is sequence_kind:
            outer = start = event.start_mark.index
            anchor, tag = event.anchor, event.tag
            if anchor is not None or tag is not None:
                start = _past_properties(text, outer, anchor is not None, tag is not None)
            stack.append((parent, key))
            if len(stack) > MAX_DEPTH:
                _fail(text, start, f"nested deeper than {MAX_DEPTH} levels")
            parent = (Mapping if kind is mapping_kind else Sequence)(start, outer, anchor, tag, event.flow_style)
            key = None
            if anchor is not None:
                anchors[anchor] = parent
            continue
        elif kind is mapping_end or kind is sequence_end:
            assert parent is not None
            node = parent
            _close(stream, parent, event.end_mark.index)
            parent, key = stack.pop()
        elif kind is alias_kind:
            start = event.start_mark.index
            target = anchors.get(event.anchor)
            if target is None:
                _fail(text, start, f"the alias *{event.anchor} has no anchor")
            if target.end == -1:
                _fail(text, start, f"the alias *{event.anchor} stands inside its own anchor")
            node = Alias(start, event.end_mark.index, event.anchor, target)
            stream.aliases.append(node)
        elif kind is ruamel.document:
            documents.append(Document())
            anchors = {}
            continue
        elif kind is stream_end:
            stream.documents = tuple(documents)
            return stream
        else:
            continue
        if parent is None:
            documents[-1].root = node
        elif type(parent) is Sequence:
            parent.items.append(node)
        elif key is None:
            key = node
        else:
            parent.pairs.append(Pair(key, node))  # type: ignore[union-attr]
            key = None


def _close(stream: Stream, node: Mapping | Sequence, mark: int) -> None:
    """Give a collection its end, and note what is wrong with its keys."""
    bracket = node.flow and stream.text[node.start] in "{["
    if type(node) is Mapping:
        pairs = node.pairs
        node.end = mark if bracket or not pairs else pairs[-1].value.end
        names = {pair.key.value for pair in pairs if type(pair.key) is Scalar}
        if len(names) < len(pairs):
            _note_keys(stream, pairs)
    elif type(node) is Sequence:
        node.end = mark if bracket or not node.items else node.items[-1].end


def _note_keys(stream: Stream, pairs: list[Pair]) -> None:
    seen: set[str] = set()
    for pair in pairs:
        key = pair.key
        if type(key) is not Scalar:
            if isinstance(key, Mapping) and key.flow:
                stream.templates.append(key)
        elif key.value in seen:
            stream.duplicate_keys.append(key)
        else:
            seen.add(key.value)


def _past_properties(text: str, at: int, anchor: bool, tag: bool) -> int:
    """The offset behind the anchor and the tag that begin at `at`, and behind the space and comments that follow them."""
    left = anchor + tag
    while at < len(text):
        if left and text[at] in "&!":
            left -= 1
            if text.startswith("!<", at):
                at = text.index(">", at) + 1
            else:
                while at < len(text) and text[at] not in _BLANKS + ",[]{}":
                    at += 1
        elif text[at] == "#":
            end = text.find("\n", at)
            at = len(text) if end == -1 else end
        elif text[at] in _BLANKS:
            at += 1
        else:
            break
    return at


def _null_without_its_colon(text: str, key_end: int, mark: int) -> int:
    """Where an unwritten value belongs whose mark is the next token: behind the colon, or behind the key when there is none."""
    at = key_end
    while at < mark and text[at] in " \t\r\n":
        at += 1
    return at + 1 if text[at : at + 1] == ":" else key_end
