"""New values as text, in block style and in flow style. Knows no place in a file, only its habits."""

from __future__ import annotations

from typing import NamedTuple

from hardener.syntax.yaml.habits import Layout
from hardener.syntax.yaml.operations import New
from hardener.syntax.yaml.scalars import written

#: Lines with a comment do not grow beyond this many columns: the comment goes above instead.
WIDTH = 80


class Style(NamedTuple):
    """The habits to follow at one place.

    `force` quotes every string, `force_items` the items of lists between brackets; `key_quote` is the quote of every key.
    """

    step: int
    offset: int
    gap: int
    quote: str
    flow_lists: bool
    force: bool = False
    key_quote: str = ""
    force_items: bool = False
    colon: str = ": "
    comma: str = ", "
    padding: str = ""


def style_of(layout: Layout, step: int = 0, offset: int | None = None, key_quote: str = "") -> Style:
    """The habits of a file, those aside that are known better for the place."""
    if offset is None:
        # Where lists are indented like mappings in general, they are so here.
        offset = step if step and layout.offset == layout.step else layout.offset
    return Style(
        step or layout.step,
        offset,
        layout.gap,
        layout.quote,
        layout.flow_lists,
        force=layout.quotes_strings,
        key_quote=key_quote or ('"' if layout.json else ""),
        force_items=layout.flow_quotes,
    )


def inline(new: New, style: Style) -> bool:
    """Whether a value in block style fits behind its key."""
    value = new.value
    if isinstance(value, dict):
        return not value
    if isinstance(value, list):
        short = style.flow_lists and all(isinstance(item.value, (str, int)) and not item.comment for item in value)
        return not value or (short and len(flow(new, style)) <= 60)
    return True


def all_inline(new: New, style: Style) -> bool:
    """Whether every list of single values, in a value or being it, fits behind its key."""
    value = new.value
    if isinstance(value, dict):
        return all(all_inline(item, style) for item in value.values())
    if not isinstance(value, list) or not all(isinstance(item.value, (str, int)) for item in value):
        return True
    return inline(new, style)


class Lines(NamedTuple):
    """How a value in flow style goes over lines: its own indentation, how much deeper its elements are, and the line break."""

    indent: str
    step: str
    newline: str


def flow(new: New, style: Style, lines: Lines | None = None) -> str:
    """A value in flow style, comments dropped; with `lines`, mappings and what holds them get a line for each element."""
    value = new.value
    if lines is not None and value and _holds_mappings(new):
        inner = lines._replace(indent=lines.indent + lines.step)
        if isinstance(value, dict):
            elements, brackets = [flow_pair(key, item, style, inner) for key, item in value.items()], "{}"
        else:
            assert isinstance(value, list)
            elements, brackets = [flow(item, style, inner) for item in value], "[]"
        rows = ",".join(f"{lines.newline}{inner.indent}{element}" for element in elements)
        return f"{brackets[0]}{rows}{lines.newline}{lines.indent}{brackets[1]}"
    if isinstance(value, list):
        items = style._replace(force=style.force or style.force_items)
        return f"[{style.comma.join(flow(item, items) for item in value)}]"
    if isinstance(value, dict):
        inside = style.comma.join(flow_pair(key, item, style) for key, item in value.items())
        return f"{{{style.padding}{inside}{style.padding}}}" if inside else "{}"
    return written(value, quote=style.quote, flow=True, force=style.force)


def _holds_mappings(new: New) -> bool:
    value = new.value
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item.value, dict) for item in value))


def flow_pair(key: str, new: New, style: Style, lines: Lines | None = None) -> str:
    """A pair in flow style; `lines` as in `flow`."""
    name = key_text(key, style, flow=True)
    return f"{name}{style.colon if name[0] in QUOTES else ': '}{flow(new, style, lines)}"


QUOTES = "\"'"


def key_text(key: str, style: Style, *, flow: bool = False) -> str:
    """A key without its colon."""
    return written(key, quote=style.key_quote or style.quote, flow=flow, force=bool(style.key_quote))


def behind_key(new: New, style: Style) -> str:
    """A value that `inline` says fits behind its key, without its comment."""
    if isinstance(new.value, (list, dict)):
        return flow(new, style)
    return written(new.value, quote=style.quote, force=style.force)


def comment(new: New) -> str:
    """The comment of a value, as it ends the value's line; names in it may have signs that YAML does not take."""
    if not new.comment:
        return ""
    line = " ".join(new.comment.split())
    return f"  # {line if line.isprintable() else ''.join(sign if sign.isprintable() else '?' for sign in line)}"


def commented(line: str, new: New, column: int) -> list[str]:
    """A line with the comment of its value: behind it, or in a column above it where the line would become too long."""
    note = comment(new)
    if note and len(line) + len(note) > WIDTH:
        return [" " * column + note.lstrip(), line]
    return [line + note]


def pair_lines(key: str, new: New, column: int, style: Style) -> list[str]:
    """The lines of a pair in block style whose key stands in a column."""
    name = " " * column + key_text(key, style)
    if inline(new, style):
        return commented(f"{name}: {behind_key(new, style)}", new, column)
    return [*commented(f"{name}:", new, column), *lines_below(new, column, style)]


def lines_below(new: New, column: int, style: Style) -> list[str]:
    """The lines of a collection in block style whose key, or dash, stands in a column on a line above."""
    if isinstance(new.value, list):
        return [line for item in new.value for line in item_lines(item, column + style.offset, style)]
    assert isinstance(new.value, dict)
    return [line for key, item in new.value.items() for line in pair_lines(key, item, column + style.step, style)]


def item_lines(new: New, column: int, style: Style) -> list[str]:
    """The lines of an item in block style whose dash stands in a column."""
    dash = " " * column + "-".ljust(style.gap)
    if inline(new, style):
        return commented(dash + behind_key(new, style), new, column)
    lines = content_lines(new, column + style.gap, style)
    above = 0
    while lines[above].lstrip(" ")[0] == "#":
        above += 1
    head = [" " * column + line.lstrip(" ") for line in lines[:above]]
    return [*head, *commented(dash + lines[above].lstrip(" "), new, column), *lines[above + 1 :]]


def content_lines(new: New, column: int, style: Style) -> list[str]:
    """The lines of a collection in block style that itself begins in a column."""
    if isinstance(new.value, list):
        return [line for item in new.value for line in item_lines(item, column, style)]
    assert isinstance(new.value, dict)
    return [line for key, item in new.value.items() for line in pair_lines(key, item, column, style)]
