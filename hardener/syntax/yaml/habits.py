"""What a file's author does out of habit: indentation, quotes, brackets. Writes nothing; knows no place but a mapping's."""

from __future__ import annotations

from functools import cached_property

from hardener.syntax.yaml.layout import column_of, line_start
from hardener.syntax.yaml.scalars import bare, reads_as_string
from hardener.syntax.yaml.tree import Mapping, Node, Pair, Scalar, Sequence, Stream

#: Keys whose lists are command lines. Those stand in brackets and quotes, as JSON does, whatever other lists look like.
_COMMAND_LINES = frozenset(["args", "command", "entrypoint", "test"])
#: So many quoted strings make a habit, when they are also more than twice as many as the bare ones.
_FEW = 4
#: So many collections show how a file is indented.
_MANY = 100


class Layout:
    """The habits of a file, by majority of what is written in it, each found out when it is asked for."""

    def __init__(self, stream: Stream) -> None:
        self._text = stream.text
        self._roots = [document.root for document in stream.documents]
        self._mappings: list[Mapping] = []
        self._sequences: list[Sequence] = []
        self._quoted: list[Scalar] = []
        self._plain: list[Scalar] = []
        self._lists = self._items = 0
        todo: list[Node] = [root for root in self._roots if root is not None]
        while todo:
            node = todo.pop()
            if type(node) is Mapping:
                if not node.flow:
                    self._mappings.append(node)
                for pair in node.pairs:
                    value = pair.value
                    if type(value) is Scalar:
                        (self._quoted if value.style else self._plain).append(value)
                    elif type(value) is Sequence and value.flow and type(pair.key) is Scalar and pair.key.value in _COMMAND_LINES:
                        self._items += _balance(value)
                    else:
                        todo.append(value)
            elif type(node) is Sequence:
                self._see_list(node, todo)

    def _see_list(self, node: Sequence, todo: list[Node]) -> None:
        simple = bool(node.items)
        for item in node.items:
            if type(item) is Scalar:
                (self._quoted if item.style else self._plain).append(item)
            else:
                simple = False
                todo.append(item)
        if node.flow:
            self._items += _balance(node)
        else:
            self._sequences.append(node)
        if simple:
            self._lists += 1 if node.flow else -1

    @cached_property
    def step(self) -> int:
        """The indentation of a mapping in a mapping."""
        steps, offsets = self._indentations
        return _most(steps) or _most([offset for offset in offsets if offset]) or 2

    @cached_property
    def offset(self) -> int:
        """The indentation of a list's dashes below their key."""
        _, offsets = self._indentations
        return _most(offsets) if offsets else self.step

    @cached_property
    def _indentations(self) -> tuple[list[int], list[int]]:
        steps: list[int] = []
        offsets: list[int] = []
        for mapping in self._mappings[:_MANY]:
            own_steps, own_offsets = _indentations(self._text, mapping)
            steps += own_steps
            offsets += own_offsets
        return steps, offsets

    @cached_property
    def gap(self) -> int:
        """The width from a dash to its item."""
        return _most([gap for sequence in self._sequences[:_MANY] if (gap := gap_of(self._text, sequence))]) or 2

    @cached_property
    def quote(self) -> str:
        """The preferred quote."""
        single = sum(scalar.style == "'" for scalar in self._quoted)
        double = sum(scalar.style == '"' for scalar in self._quoted)
        return "'" if single > double and not self.json else '"'

    @cached_property
    def quotes_strings(self) -> bool:
        """Whether strings stand in quotes that need none; numbers, booleans and block scalars do not count."""
        if self.json:
            return True
        needless = sum(scalar.style in ("'", '"') and bare(scalar.value, False) for scalar in self._quoted)
        if needless < _FEW:
            return False
        return needless > 2 * sum(reads_as_string(scalar.value) for scalar in self._plain)

    @property
    def flow_lists(self) -> bool:
        """Whether short lists are written in brackets."""
        return self._lists > 0

    @property
    def flow_quotes(self) -> bool:
        """Whether the items between brackets stand in quotes."""
        return self._items > 0

    @cached_property
    def json(self) -> bool:
        """Whether the text is JSON at heart."""
        return any(type(root) is Mapping and root.flow and keys_quoted(root) == '"' for root in self._roots)


def layout_of(stream: Stream) -> Layout:
    """The habits of a text, found out once."""
    if not isinstance(stream.layout, Layout):
        stream.layout = Layout(stream)
    return stream.layout


def _balance(sequence: Sequence) -> int:
    """How many more items stand in quotes than without."""
    return sum(1 if item.style else -1 for item in sequence.items if type(item) is Scalar)


def _most(values: list[int]) -> int:
    """The most frequent value, the smaller one of two equally frequent; 0 when there is none."""
    counts = _counts(values)
    return min(counts, key=lambda value: (-counts[value], value), default=0)


def _counts(values: list[int]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return counts


def _indentations(text: str, mapping: Mapping) -> tuple[list[int], list[int]]:
    """The indentations of the block mappings and those of the block sequences directly in a block mapping."""
    steps: list[int] = []
    offsets: list[int] = []
    column = -1
    for pair in mapping.pairs:
        value = pair.value
        if (type(value) is Mapping or type(value) is Sequence) and not value.flow:
            if column == -1:
                column = column_of(text, mapping.pairs[0].key.outer_start)
            width = max(column_of(text, value.start) - column, 0)
            if type(value) is Sequence:
                offsets.append(width)
            elif width:
                steps.append(width)
    return steps, offsets


def indentation_in(text: str, mapping: Mapping, holder: Pair | None) -> tuple[int, int | None]:
    """The indentation of mappings and that of lists in a block mapping, itself the value of the pair `holder`.

    The step is that of a neighbour, or of the mapping itself below `holder`, whichever more of them (and of the lists)
    share; the last neighbour's when it is a draw. 0 and None where nothing tells.
    """
    steps, offsets = _indentations(text, mapping)
    offset = offsets[-1] if offsets else None
    own = column_of(text, mapping.pairs[0].key.outer_start) - column_of(text, holder.key.outer_start) if holder else 0
    if own > 0:
        steps.insert(0, own)
    if not steps:
        return 0, offset
    counts = _counts(steps + offsets)
    return max(reversed(steps), key=lambda step: counts[step]), offset


def gap_of(text: str, sequence: Sequence) -> int:
    """The width from the dash of a block sequence's last item to the item; 0 when nothing stands behind the dash."""
    for item in reversed(sequence.items):
        dash = line_start(text, item.outer_start) + column_of(text, sequence.start)
        if text[dash : dash + 1] == "-" and item.outer_start > dash + 1:
            return item.outer_start - dash
    return 0


def keys_quoted(mapping: Mapping) -> str:
    """The quote that all keys of a mapping stand in, merge keys aside; empty when there is no such quote."""
    quote = ""
    for pair in mapping.pairs:
        key = pair.key
        if type(key) is not Scalar or key.style not in ("'", '"') or (quote and key.style != quote):
            if type(key) is Scalar and key.value == "<<":
                continue
            return ""
        quote = key.style
    return quote


def items_quoted(sequence: Sequence) -> str | None:
    """The quote that all strings in a sequence stand in; empty when they do not, None when there are none."""
    quotes = {item.style for item in sequence.items if type(item) is Scalar and (item.style or reads_as_string(item.value))}
    if not quotes:
        return None
    quote = quotes.pop()
    return quote if not quotes and quote in ("'", '"') else ""
