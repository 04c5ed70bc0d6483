"""New values as text, in block style and in flow style. Knows no place in a file, only its habits."""

from __future__ import annotations

from typing import NamedTuple

from hardener.syntax.yaml.layout import Layout
from hardener.syntax.yaml.operations import New
from hardener.syntax.yaml.scalars import written


class Style(NamedTuple):
    """The habits to follow at one place.

    `force` quotes every string, `force_keys` every key, `force_items` the items of lists between brackets.
    """

    step: int
    offset: int
    gap: int
    quote: str
    flow_lists: bool
    force: bool = False
    force_keys: bool = False
    force_items: bool = False
    colon: str = ": "
    comma: str = ", "
    padding: str = ""


def style_of(layout: Layout) -> Style:
    """The habits of the file as a whole."""
    return Style(
        layout.step,
        layout.offset,
        layout.gap,
        '"' if layout.json else layout.quote,
        layout.flow_lists,
        force=layout.json,
        force_keys=layout.json,
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


def flow(new: New, style: Style) -> str:
    """A value in flow style, comments dropped."""
    value = new.value
    if isinstance(value, list):
        items = style._replace(force=style.force or style.force_items)
        return f"[{style.comma.join(flow(item, items) for item in value)}]"
    if isinstance(value, dict):
        inside = style.comma.join(flow_pair(key, item, style) for key, item in value.items())
        return f"{{{style.padding}{inside}{style.padding}}}" if value else "{}"
    return written(value, quote=style.quote, flow=True, force=style.force)


def flow_pair(key: str, new: New, style: Style) -> str:
    """A pair in flow style."""
    name = written(key, quote=style.quote, flow=True, force=style.force_keys)
    return f"{name}{style.colon if name[0] in QUOTES else ': '}{flow(new, style)}"


QUOTES = "\"'"


def behind_key(new: New, style: Style) -> str:
    """A value that `inline` says fits behind its key, without its comment."""
    if isinstance(new.value, (list, dict)):
        return flow(new, style)
    return written(new.value, quote=style.quote, force=style.force)


def comment(new: New) -> str:
    """The comment of a value, as it ends the value's line."""
    return f"  # {' '.join(new.comment.split())}" if new.comment else ""


def pair_lines(key: str, new: New, column: int, style: Style) -> list[str]:
    """The lines of a pair in block style whose key stands in a column."""
    name = " " * column + written(key, quote=style.quote, force=style.force_keys)
    if inline(new, style):
        return [f"{name}: {behind_key(new, style)}{comment(new)}"]
    return [f"{name}:{comment(new)}", *lines_below(new, column, style)]


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
        return [f"{dash}{behind_key(new, style)}{comment(new)}"]
    lines = content_lines(new, column + style.gap, style)
    return [dash + lines[0].lstrip(" ") + comment(new), *lines[1:]]


def content_lines(new: New, column: int, style: Style) -> list[str]:
    """The lines of a collection in block style that itself begins in a column."""
    if isinstance(new.value, list):
        return [line for item in new.value for line in item_lines(item, column, style)]
    assert isinstance(new.value, dict)
    return [line for key, item in new.value.items() for line in pair_lines(key, item, column, style)]
