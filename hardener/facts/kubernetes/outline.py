"""The keys of a text that is nearly YAML: one with holes, and with the branches of conditions one after the other. Knows no key.

YAML's own readers refuse such a text. Only block style with a key a line is understood, which is how templates are written;
what else stands there (flow style over lines, quoted texts over lines) is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hardener.facts.kubernetes.expansion import HOLE, MARK
from hardener.record import NamedTuple

#: A key, with what stands behind it; and the dashes of list items before it.
_KEY = re.compile("(\"[^\"\x03]*+\"|'[^'\x03]*+'|[\\w.$/-][\\w.$/+-]*+|\x03\\d++\x02)[ \t]*+:(?:[ \t]++|$)(.*)", re.DOTALL)
#: What stands deeper than this is passed over: no pod is as deep.
_DEEPEST = 60
_DASH = re.compile(r"-(?:[ ]++|$)")
_SCALAR = re.compile(r"[|>][-+0-9]*+[ \t]*+(?:#.*)?$")
_COMMENT = re.compile(r"[ \t]#.*$", re.DOTALL)


class Entry(NamedTuple):
    """A key with what is written behind it, or (`inside`) a hole that brings keys or items into what stands at `path`."""

    #: Keys, and numbers for items of lists.
    path: tuple[str | int, ...]
    #: As written, marks and holes included, comments not.
    value: str
    file: int
    line: int
    #: Whether the chart's own values lead here: `+`, `-`, or `?` where that is not known.
    live: str
    inside: bool = False


class _Level:
    __slots__ = ("column", "empty", "path")

    def __init__(self, column: int, path: tuple[str | int, ...], empty: bool) -> None:
        self.column = column
        self.path = path
        #: A key with nothing behind it so far.
        self.empty = empty


def documents(text: str) -> Iterator[list[Entry]]:
    """The entries of each document of a text, in order."""
    entries: list[Entry] = []
    levels: list[_Level] = [_Level(-1, (), True)]
    scalar = -1
    counts: dict[tuple[str | int, ...], int] = {}
    file, line, live = 0, 0, "?"
    for raw in text.split("\n"):
        marks = MARK.findall(raw)
        if marks:
            file, line, live = int(marks[0][0]), int(marks[0][1]), marks[0][2]
        bare = MARK.sub("", raw)
        content = bare.strip()
        if not content or content.startswith("#"):
            continue
        column = len(bare) - len(bare.lstrip(" "))
        if scalar >= 0 and column > scalar:
            continue
        scalar = -1
        if content.startswith("---") and column == 0:
            yield entries
            entries, levels, counts = [], [_Level(-1, (), True)], {}
            continue
        if marks:  # the one that is nearest to the first character
            file, line, live = _origin(raw, file, line, live)
        while len(levels) > _DEEPEST and levels[-1].column >= column:
            levels.pop()
        if len(levels) > _DEEPEST:
            continue
        while len(levels) <= _DEEPEST and (dash := _DASH.match(content)) is not None:
            above = _above(levels, column, item=True)
            # Counted by path: the list may go on in another branch.
            number = counts[above.path] = counts.get(above.path, -1) + 1
            levels.append(_Level(column, (*above.path, number), True))
            above.empty = False
            content = content[dash.end() :].lstrip()
            column += dash.end()
            if _SCALAR.match(content):
                scalar = above.column if above.column >= 0 else column - 1
        if not content:
            continue
        key = _KEY.match(content)
        if key is None:
            if HOLE.match(content):
                above = _above(levels, column, hole=True)
                entries.append(Entry(above.path, raw.strip(), file, line, live, inside=True))
            elif bare.lstrip().startswith("- "):
                entries.append(Entry(levels[-1].path, content, file, line, live))
            continue
        above = _above(levels, column)
        above.empty = False
        value = _COMMENT.sub("", " " + key.group(2)).strip()
        path = (*above.path, key.group(1).strip("\"'"))
        entries.append(Entry(path, _behind(raw) if value else "", file, line, live))
        levels.append(_Level(column, path, not value))
        if _SCALAR.match(value):
            scalar = column
    yield entries


def _above(levels: list[_Level], column: int, *, item: bool = False, hole: bool = False) -> _Level:
    """What a line at a column belongs to; `levels` ends with it afterwards."""
    while len(levels) > 1 and levels[-1].column >= column:
        top = levels[-1]
        # Items may stand right below the key that they belong to, and so may what a hole brings.
        if top.column == column and isinstance(top.path[-1], str) and (item or (hole and top.empty)):
            return top
        levels.pop()
    return levels[-1]


def _origin(raw: str, file: int, line: int, live: str) -> tuple[int, int, str]:
    """What the marks before the first character say."""
    at = 0
    while True:
        while at < len(raw) and raw[at].isspace():
            at += 1
        match = MARK.match(raw, at)
        if match is None:
            return file, line, live
        file, line, live, at = int(match.group(1)), int(match.group(2)), match.group(3), match.end()


def _behind(raw: str) -> str:
    """What stands behind the first colon that ends a key, with its marks."""
    match = re.search(":(?=[ \t]|\x01|$)", raw)
    return _COMMENT.sub("", raw[match.end() :]).strip() if match else ""
