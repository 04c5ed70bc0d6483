"""Adding and removing between brackets: commas, lines and spacing as they are there. Knows no block style."""

from __future__ import annotations

from hardener.source import newline_at
from hardener.syntax.yaml import render
from hardener.syntax.yaml.habits import items_quoted, keys_quoted
from hardener.syntax.yaml.layout import line_end, line_start, next_line
from hardener.syntax.yaml.operations import CannotEdit, New
from hardener.syntax.yaml.pieces import Pieces
from hardener.syntax.yaml.tree import Mapping, Scalar, Sequence


def style_in(text: str, node: Mapping | Sequence, style: render.Style) -> render.Style:
    """The habits inside one flow collection."""
    spans = _spans(node)
    inside = text[node.start + 1 : node.end - 1]
    padding = " " if inside[:1] == " " and inside.strip() and "\n" not in inside and isinstance(node, Mapping) else style.padding
    comma = style.comma
    if len(spans) > 1 and text[spans[0][1] : spans[1][0]] == ",":
        comma = ","
    if isinstance(node, Mapping):
        colon = style.colon
        if node.pairs and isinstance(node.pairs[0].key, Scalar):
            gap = text[node.pairs[0].key.end : node.pairs[0].value.outer_start]
            colon = gap if gap in (":", ": ", " : ", " :") else colon
        quote = keys_quoted(node)
        if quote and len(spans) == 1 and colon == ":":
            comma = ","  # JSON without any space
        style = style._replace(padding=padding, comma=comma, colon=colon)
        return style._replace(force=True, key_quote=quote, quote=quote) if quote else style
    return quoted_as_in(node, style)._replace(comma=comma)


def quoted_as_in(sequence: Sequence, style: render.Style) -> render.Style:
    """The habits for more items of a sequence, whose quotes decide where it has strings."""
    quote = items_quoted(sequence)
    if quote is None:
        return style
    return style._replace(force=bool(quote), force_items=bool(quote), quote=quote or style.quote)


def change(
    text: str,
    pieces: Pieces,
    node: Mapping | Sequence,
    removed: list[int],
    added: dict[str, New],
    appended: list[New],
    style: render.Style,
) -> None:
    """Take elements out of a flow collection and put new ones at its end. Raises `CannotEdit` where comments are in the way."""
    if text[node.start] not in "{[":
        raise CannotEdit("a pair in a list without braces")
    style = style_in(text, node, style)
    spans = _spans(node)
    lines = bool(spans) and _one_per_line(text, node, spans)
    within = _lines_of(text, node, spans) if lines and _expands(text, node) else None
    new = [render.flow_pair(key, value, style, within) for key, value in added.items()]
    new += [render.flow(value, style, within) for value in appended]
    if not spans:
        _fill(text, pieces, node, new, style)
        return
    if removed and new and lines:
        raise CannotEdit("elements would be removed from and added to the same brackets")
    if removed:
        (_remove_lines if lines else _remove_inline)(text, pieces, node, spans, removed)
    if new:
        (_add_lines if lines else _add_inline)(text, pieces, node, spans, removed, new, style)


def _spans(node: Mapping | Sequence) -> list[tuple[int, int]]:
    if isinstance(node, Mapping):
        return [(pair.key.outer_start, max(pair.key.end, pair.value.end)) for pair in node.pairs]
    return [(item.outer_start, item.end) for item in node.items]


def _expands(text: str, node: Mapping | Sequence) -> bool:
    """Whether what stands in a collection with an element a line is itself laid out over lines, as JSON mostly is."""
    values = [pair.value for pair in node.pairs] if isinstance(node, Mapping) else node.items
    inside = [value for value in values if isinstance(value, (Mapping, Sequence)) and value.end - value.start > 2]
    if not inside:
        return isinstance(node, Mapping) and keys_quoted(node) is not None
    return any("\n" in text[value.start : value.end] for value in inside)


def _lines_of(text: str, node: Mapping | Sequence, spans: list[tuple[int, int]]) -> render.Lines:
    """How elements are indented in a collection with an element a line."""
    start, end = spans[-1]
    indent = text[line_start(text, start) : start]
    closing = text[line_start(text, node.end - 1) : node.end - 1]
    return render.Lines(indent, indent[len(closing) :] or "  ", newline_at(text, end))


def _fill(text: str, pieces: Pieces, node: Mapping | Sequence, new: list[str], style: render.Style) -> None:
    inside = text[node.start + 1 : node.end - 1]
    if inside.strip():
        raise CannotEdit("a comment stands between the brackets")
    padding = style.padding or (" " if inside == " " and isinstance(node, Mapping) else "")
    pieces.replace(node.start, node.end, f"{text[node.start]}{padding}{style.comma.join(new)}{padding}{text[node.end - 1]}")


def _one_per_line(text: str, node: Mapping | Sequence, spans: list[tuple[int, int]]) -> bool:
    """Whether every element begins a line and the closing bracket too."""
    starts = [start for start, _ in spans] + [node.end - 1]
    return all(not text[line_start(text, start) : start].strip(" \t") for start in starts)


def _comma_behind(text: str, at: int, stop: int) -> int:
    """The offset of the comma behind an element, past comments; -1 when there is none."""
    while at < stop:
        if text[at] == ",":
            return at
        if text[at] == "#":
            at = line_end(text, at)
        at += 1
    return -1


def _add_lines(
    text: str,
    pieces: Pieces,
    node: Mapping | Sequence,
    spans: list[tuple[int, int]],
    removed: list[int],
    new: list[str],
    style: render.Style,
) -> None:
    start, end = spans[-1]
    comma = _comma_behind(text, end, node.end - 1)
    indent = text[line_start(text, start) : start]
    newline = newline_at(text, end)
    lines = ",".join(newline + indent + element for element in new)
    if comma == -1:
        pieces.insert(end, ",")
        pieces.insert(line_end(text, end), lines)
    else:
        pieces.insert(line_end(text, comma), lines + ",")


def _add_inline(
    text: str,
    pieces: Pieces,
    node: Mapping | Sequence,
    spans: list[tuple[int, int]],
    removed: list[int],
    new: list[str],
    style: render.Style,
) -> None:
    last = max(index for index in range(len(spans)) if index not in removed)
    comma = _comma_behind(text, spans[-1][1], node.end - 1)
    separator = style.comma
    if len(spans) > 1:
        between = text[spans[-2][1] : spans[-1][0]]
        if between.strip() == "," and between[0] == "," and "\n" in between:
            separator = between
    if comma == -1:
        pieces.insert(spans[last][1], "".join(separator + element for element in new))
    else:
        pieces.insert(comma + 1, separator[1:] + separator.join(new) + ",")


def _remove_inline(text: str, pieces: Pieces, node: Mapping | Sequence, spans: list[tuple[int, int]], removed: list[int]) -> None:
    first = min(index for index in range(len(spans)) if index not in removed)
    regions = [(spans[0][0], spans[first][0])] if first else []
    regions += [(spans[index - 1][1], spans[index][1]) for index in removed if index > first]
    for start, end in regions:
        pieces.replace(start, end, "")
    for index in removed:
        before = spans[index - 1][1] if index else node.start + 1
        behind = spans[index + 1][0] if index + 1 < len(spans) else node.end - 1
        if "#" in text[before : spans[index][0]] or "#" in text[spans[index][1] : behind]:
            raise CannotEdit("a comment stands beside what would be removed")


def _remove_lines(text: str, pieces: Pieces, node: Mapping | Sequence, spans: list[tuple[int, int]], removed: list[int]) -> None:
    for index in removed:
        start, end = spans[index]
        comma = _comma_behind(text, end, spans[index + 1][0] if index + 1 < len(spans) else node.end - 1)
        if comma >= line_end(text, end):
            raise CannotEdit("a comma stands on a line of its own")
        pieces.remove_lines(line_start(text, start), next_line(text, line_end(text, end)))
    last = max(index for index in range(len(spans)) if index not in removed)
    if last + 1 < len(spans) and _comma_behind(text, spans[-1][1], node.end - 1) == -1:
        comma = _comma_behind(text, spans[last][1], spans[last + 1][0])
        pieces.replace(comma, comma + 1, "")
