"""YAML text to a tree. Knows the parser, its marks and its gaps; knows no dialect.

Built from the events of ruamel.yaml's C parser: nothing else tells where aliases, nulls and the ends of collections stand.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NoReturn

from hardener.errors import UsageError
from hardener.syntax.yaml.tree import Alias, Document, Mapping, Node, Pair, Scalar, Sequence, Stream, YamlError, children

#: Deeper nesting is refused: nobody writes it, and everything that walks the tree may then recurse without fear.
MAX_DEPTH = 200

_BLANKS = " \t\r\n\x85\u2028\u2029"
#: Stands in for a colon; of the private use area, so that the parser takes it for a letter.
_MASK = "\ue03a"


def parse(text: str) -> Stream:
    """Read a text (without byte order mark) into a tree.

    Raises `YamlError` for what is not YAML, nests deeper than `MAX_DEPTH` or holds an alias without an anchor, and
    `UsageError` when ruamel.yaml's C parser is not installed: the pure one places nulls elsewhere.
    """
    ruamel = _ruamel()
    try:
        return _build(text, ruamel.parser(text).get_event, ruamel)
    except ruamel.marked_error as error:
        if error.problem == "found unexpected ':'":
            stream = _with_colons_masked(text, ruamel)
            if stream is not None:
                return stream
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


def _with_colons_masked(text: str, ruamel: _Ruamel) -> Stream | None:
    """Read `[no-new-privileges:true]`, which the parser's libyaml 0.1.7 rejects and every newer one takes for a string.

    A twin of the text with another character for such colons has the same offsets; None when it cannot be read either.
    """
    import re

    if _MASK in text:
        return None
    twin = re.sub(r"""(?<=[^\s,\[\]{}"']):(?=[^\s,\[\]{}])""", _MASK, text)
    try:
        stream = _build(twin, ruamel.parser(twin).get_event, ruamel)
    except (ruamel.marked_error, YamlError):
        return None
    stream.text = text
    todo = [document.root for document in stream.documents if document.root is not None]
    while todo:
        node = todo.pop()
        if node.tag is not None:
            node.tag = node.tag.replace(_MASK, ":")
        if isinstance(node, Scalar):
            node.value = node.value.replace(_MASK, ":")
        todo.extend(children(node))
    return stream


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
