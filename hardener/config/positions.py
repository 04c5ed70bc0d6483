"""The lines of what a TOML text says, by path, for messages. Knows the lexis of TOML, for texts that `tomllib` has accepted."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hardener.source import Source

#: Where something stands: the names of the tables and keys around it, and numbers in lists.
Path = tuple[str | int, ...]

#: Nothing that is known lies deeper, and what lies there is about the part that it is in.
DEEPEST = 8
_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]*")


def positions(source: Source) -> Mapping[Path, int]:
    """The line of each table, key and item of a list; of what is said in parts, that of the first."""
    scan = _Scan(source)
    scan.document()
    return scan.lines


class _Scan:
    """One way through a text, from its beginning to its end."""

    def __init__(self, source: Source) -> None:
        self.lines: dict[Path, int] = {}
        self._source = source
        self._text = source.text
        self._at = 0
        #: How many tables each list of tables has so far.
        self._counts: dict[Path, int] = {}

    def document(self) -> None:
        """Read all of it."""
        table: Path = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            start = self._at
            if self._text.startswith("[[", start):
                self._at += 2
                above, last = self._header()
                self._at += 2
                whole = (*above, last)
                number = self._counts[whole] = self._counts.get(whole, 0) + 1
                table = (*whole, number - 1)
                self._note(start, *_all_of(table))
            elif self._text[start] == "[":
                self._at += 1
                above, last = self._header()
                self._at += 1
                table = (*above, last)
                self._note(start, *_all_of(table))
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> tuple[Path, str]:
        *parts, last = self._key()
        above: Path = ()
        for part in parts:
            above = (*above, part)
            if above in self._counts:
                above = (*above, self._counts[above] - 1)
        return above, last

    def _pair(self, table: Path) -> None:
        start = self._at
        path = (*table, *self._key())
        self._note(start, *_all_of(path))
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _key(self) -> list[str]:
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            start = self._at
            if self._text[start] in "\"'":
                self._string()
                parts.append(_unquoted(self._text[start : self._at]))
            else:
                self._skip(_BARE)
                parts.append(self._text[start : self._at])
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return parts
            self._at += 1

    def _value(self, path: Path) -> None:
        first = self._text[self._at]
        if first in "\"'":
            self._string()
        elif first == "[":
            self._list(path)
        elif first == "{":
            self._inline_table(path)
        else:
            self._skip(_SCALAR)

    def _list(self, path: Path) -> None:
        self._at += 1
        number = 0
        self._skip(_BLANK)
        while self._text[self._at] != "]":
            self._note(self._at, (*path, number))
            self._value((*path, number))
            number += 1
            self._separator()
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        self._skip(_BLANK)
        while self._text[self._at] != "}":
            self._pair(path)
            self._separator()
        self._at += 1

    def _separator(self) -> None:
        self._skip(_BLANK)
        if self._text[self._at] == ",":
            self._at += 1
            self._skip(_BLANK)

    def _string(self) -> None:
        quote = self._text[self._at]
        end = quote * 3 if self._text.startswith(quote * 3, self._at) else quote
        self._at += len(end)
        while not self._text.startswith(end, self._at):
            self._at += 2 if quote == '"' and self._text[self._at] == "\\" else 1
        self._at += len(end)
        if len(end) == 3:  # two more may belong to the text
            more = 0
            while more < 2 and self._text.startswith(quote, self._at):
                self._at += 1
                more += 1

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _note(self, start: int, *paths: Path) -> None:
        line = self._source.position(start).line
        for path in (path for path in paths if len(path) <= DEEPEST):
            self.lines.setdefault(path, line)


def _all_of(path: Path) -> list[Path]:
    return [path[:end] for end in range(1, min(len(path), DEEPEST) + 1)]


def _unquoted(text: str) -> str:
    import tomllib

    return str(tomllib.loads(f"name = {text}")["name"])
