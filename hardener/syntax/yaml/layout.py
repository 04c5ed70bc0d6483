"""How a YAML text is laid out: lines and columns, indentation, list and quoting style. Writes nothing."""

from __future__ import annotations

from hardener.syntax.yaml.operations import CannotEdit
from hardener.syntax.yaml.tree import Mapping, Node, Scalar, Sequence, Stream, children


class Layout:
    """The habits of a file, by majority of what is written in it.

    `step` is the indentation of a mapping in a mapping, `offset` that of a list's dashes below their key, `gap` the width
    from a dash to its item, `quote` the preferred quote, `flow_lists` whether short lists are written in brackets,
    `flow_quotes` whether the items between brackets stand in quotes, `json` whether the text is JSON at heart.
    """

    __slots__ = ("flow_lists", "flow_quotes", "gap", "json", "offset", "quote", "step")

    def __init__(self, stream: Stream) -> None:
        text = stream.text
        steps: dict[int, int] = {}
        offsets: dict[int, int] = {}
        gaps: dict[int, int] = {}
        quotes = {'"': 0, "'": 0}
        balance = in_quotes = 0
        todo = [document.root for document in stream.documents if document.root is not None]
        while todo:
            node = todo.pop()
            if type(node) is Scalar:
                if node.style in quotes:
                    quotes[node.style] += 1
                continue
            if type(node) is Sequence:
                if all(type(item) is Scalar for item in node.items):
                    balance += (1 if node.flow else -1) if node.items else 0
                if node.flow:
                    in_quotes += sum(1 if item.style else -1 for item in node.items if type(item) is Scalar)
                else:
                    gap = gap_of(text, node)
                    if gap:
                        gaps[gap] = gaps.get(gap, 0) + 1
            elif type(node) is Mapping and not node.flow:
                step, offset = steps_in(text, node)
                if step:
                    steps[step] = steps.get(step, 0) + 1
                if offset is not None:
                    offsets[offset] = offsets.get(offset, 0) + 1
            todo.extend(children(node))
        self.step = _most(steps) or next((offset for offset in sorted(offsets, key=lambda one: -offsets[one]) if offset), 2)
        self.offset = _most(offsets) if offsets else self.step
        self.gap = _most(gaps) or 2
        self.quote = "'" if quotes["'"] > quotes['"'] else '"'
        self.flow_lists = balance > 0
        self.flow_quotes = in_quotes > 0
        roots = [document.root for document in stream.documents]
        self.json = any(type(root) is Mapping and root.flow and keys_quoted(root) for root in roots)


def _most(counts: dict[int, int]) -> int:
    """The most frequent value, the smaller one of two equally frequent; 0 when there is none."""
    return min(counts, key=lambda value: (-counts[value], value), default=0)


def steps_in(text: str, mapping: Mapping) -> tuple[int, int | None]:
    """The indentation of the first block mapping and that of the first block sequence directly in a block mapping.

    0 and None where there is none.
    """
    step, offset = 0, None
    for pair in mapping.pairs:
        value = pair.value
        if type(value) is Mapping and not value.flow and not step:
            step = max(column_of(text, value.start) - column_of(text, pair.key.outer_start), 0)
        elif type(value) is Sequence and not value.flow and offset is None:
            offset = max(column_of(text, value.start) - column_of(text, pair.key.outer_start), 0)
    return step, offset


def gap_of(text: str, sequence: Sequence) -> int:
    """The width from the dash of a block sequence's last item to the item; 0 when nothing stands behind the dash."""
    for item in reversed(sequence.items):
        dash = line_start(text, item.outer_start) + column_of(text, sequence.start)
        if text[dash : dash + 1] == "-" and item.outer_start > dash + 1:
            return item.outer_start - dash
    return 0


def keys_quoted(mapping: Mapping) -> bool:
    """Whether the mapping has keys and all of them stand in double quotes."""
    return bool(mapping.pairs) and all(type(pair.key) is Scalar and pair.key.style == '"' for pair in mapping.pairs)


def line_start(text: str, at: int) -> int:
    """The offset at which the line of an offset starts."""
    return text.rfind("\n", 0, at) + 1


def line_end(text: str, at: int) -> int:
    """The offset of the line ending (or the end of the text) behind an offset."""
    end = text.find("\n", at)
    if end == -1:
        return len(text)
    return end - 1 if end > at and text[end - 1] == "\r" else end


def next_line(text: str, end: int) -> int:
    """The offset at which the line behind a `line_end` starts; the end of the text when there is none."""
    if end == len(text):
        return end
    return end + (2 if text[end] == "\r" else 1)


def column_of(text: str, at: int) -> int:
    """The column of an offset, counted from 0."""
    return at - line_start(text, at)


def content_end(text: str, leaf: Node) -> int:
    """The end of a scalar, alias or flow collection; of a block scalar, the end of its last line.

    Blank lines at the end of a block scalar belong to it only when it keeps them. Raises `CannotEdit` for a block scalar
    that ends with the text but not with a line ending, where whatever follows would change it.
    """
    if not isinstance(leaf, Scalar) or leaf.style not in ("|", ">"):
        return leaf.end
    header_end = line_end(text, leaf.start)
    header = text[leaf.start : header_end].split("#")[0]
    end = leaf.end
    if text[end - 1] != "\n":
        if "-" not in header:
            raise CannotEdit("a block scalar stands at the end of the file, which has no final newline")
        return end
    end = _before_newline(text, end)
    if "+" in header:
        return end
    indent = _content_indent(text, next_line(text, header_end), end)
    while end > header_end:
        start = line_start(text, end)
        if text[start:end].strip(" ") or end - start > indent:
            break
        end = _before_newline(text, start)
    return end


def _before_newline(text: str, at: int) -> int:
    return at - 2 if text[at - 2 : at] == "\r\n" else at - 1


def _content_indent(text: str, at: int, end: int) -> int:
    """The indentation of the first line with content; 0 when there is none, so that no spaces are taken for blanks."""
    while at < end:
        line = text[at : line_end(text, at)]
        content = line.lstrip(" ")
        if content:
            return len(line) - len(content)
        at = next_line(text, at + len(line))
    return 0


def comment_behind(text: str, at: int) -> str:
    """The comment on the rest of the line, empty when the rest is blank. Raises `CannotEdit` for anything else."""
    rest = text[at : line_end(text, at)]
    bare = rest.strip(" \t")
    if bare and not (bare[0] == "#" and rest[0] in " \t"):
        raise CannotEdit(f"something else stands on the same line: {bare[:20]}")
    return bare


def past_comments(text: str, at: int, column: int) -> int:
    """The end of the line of `at`, or of the last of the comment lines right below it that reach at least to `column`."""
    end = line_end(text, at)
    while True:
        start = next_line(text, end)
        behind = start
        while text[behind : behind + 1] == " ":
            behind += 1
        if text[behind : behind + 1] != "#" or behind - start < column or start == end:
            return end
        end = line_end(text, behind)
