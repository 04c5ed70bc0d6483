"""What the words of a shell script become once it runs, as far as that can be told. Knows no command and no file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Protocol

from hardener.record import NamedTuple

#: A word that may become more than this many is left as it is written.
_MOST = 16
#: A value, the words of `"$@"`, or None for what is not known.
Value = str | tuple[str, ...] | None

#: The offset of text that stands nowhere in the script as it is.
NOWHERE = -1_000_000

_VARIABLE = re.compile(r"\$(?:[A-Za-z_]\w*|[0-9@*#?$!-])")
_EXPRESSION = re.compile(r"\$(?:\{([#!]?)([A-Za-z_]\w*|[0-9]+|[@*#?$!-])(.*)\}|([A-Za-z_]\w*|[0-9@*#?$!-]))", re.DOTALL)
_SLICE = re.compile(r":\s*([0-9]+)")
_TRIM = re.compile(r"(##?|%%?)(.*)", re.DOTALL)


class Scope(Protocol):
    """What a shell knows where a word stands."""

    def values(self, name: str) -> Sequence[str | None]:
        """All values that a variable may have there."""

    def positional(self) -> Sequence[tuple[str, ...] | None]:
        """All that `"$@"` may be there."""

    def substitution(self, start: int, end: int) -> Sequence[str | None]:
        """All that the substitution which is written between two offsets of the script may print."""


class _Part(NamedTuple):
    #: "text", "variable" or "substitution".
    kind: str
    text: str
    quoted: bool
    start: int
    end: int


class _Piece(NamedTuple):
    """A part of a word with one of its values, or as it is written where that is not known."""

    value: str | tuple[str, ...]
    quoted: bool
    known: bool


def expand(raw: str, offset: int, scope: Scope) -> tuple[tuple[str, ...], ...]:
    """All lists of words that a word, as it is written at an offset of the script, may become.

    What is not known stays as it is written, `$NAME` or `$()`.
    """
    return tuple(dict.fromkeys(tuple(_fields(pieces)) for pieces in _combinations(raw, offset, scope)))


def texts(raw: str, offset: int, scope: Scope) -> tuple[str | None, ...]:
    """All texts that a word may become where no blanks split it, as in an assignment; None for one that is not known."""
    found: dict[str | None, None] = {}
    for pieces in _combinations(raw, offset, scope):
        known = all(piece.known for piece in pieces)
        parts = (" ".join(piece.value) if isinstance(piece.value, tuple) else piece.value for piece in pieces)
        found["".join(parts) if known else None] = None
    return tuple(found)


def _combinations(raw: str, offset: int, scope: Scope) -> list[tuple[_Piece, ...]]:
    many: list[tuple[_Piece, ...]] = [()]
    for part in _parts(raw):
        choices = _choices(part, offset, scope)
        if len(choices) * len(many) > _MOST:
            choices = [None]
        as_written = "$()" if part.kind == "substitution" else part.text
        pieces = [
            _Piece(as_written, True, False) if choice is None else _Piece(choice, part.quoted, True)
            for choice in dict.fromkeys(choices)
        ]
        many = [(*before, piece) for before in many for piece in pieces]
    return many


def _parts(raw: str) -> Iterator[_Part]:
    at, quoted = 0, False
    while at < len(raw):
        char = raw[at]
        start = at
        if char == '"':
            quoted = not quoted
            at += 1
            yield _Part("text", "", True, start, at)
        elif char == "'" and not quoted:
            end = raw.find("'", at + 1)
            end = len(raw) if end < 0 else end
            at = end + 1
            yield _Part("text", raw[start + 1 : end], True, start, at)
        elif char == "\\":
            after = raw[at + 1 : at + 2]
            at += 2
            if after != "\n":
                keep = quoted and after not in ('"', "\\", "`", "$")
                yield _Part("text", "\\" + after if keep else after, True, start, at)
        elif char == "`":
            end = raw.find("`", at + 1)
            at = len(raw) if end < 0 else end + 1
            yield _Part("substitution", raw[start:at], quoted, start, at)
        elif raw.startswith(("$(", "${"), at):
            at = _closed(raw, at + 1)
            kind = "substitution" if raw[start + 1] == "(" else "variable"
            yield _Part(kind, raw[start:at], quoted, start, at)
        else:
            variable = _VARIABLE.match(raw, at)
            if variable:
                at = variable.end()
                yield _Part("variable", variable.group(), quoted, start, at)
            else:
                at += 1
                while at < len(raw) and raw[at] not in "\"'\\`$":
                    at += 1
                yield _Part("text", raw[start:at], True, start, at)


def _closed(raw: str, at: int) -> int:
    """The offset after the bracket that closes the one at `at`."""
    opening = raw[at]
    closing = ")" if opening == "(" else "}"
    depth = 0
    while at < len(raw):
        char = raw[at]
        at += 1
        if char == "\\":
            at += 1
        elif char == "'" and opening == "(":
            end = raw.find("'", at)
            at = len(raw) if end < 0 else end + 1
        elif char == opening:
            depth += 1
        elif char == closing:
            depth -= 1
            if not depth:
                return at
    return len(raw)


def _choices(part: _Part, offset: int, scope: Scope) -> Sequence[Value]:
    if part.kind == "text":
        return [part.text]
    if part.kind == "substitution":
        return scope.substitution(offset + part.start, offset + part.end)
    match = _EXPRESSION.fullmatch(part.text)
    if match is None or match[1]:
        return [None]
    name, operation = match[2] or match[4], match[3] or ""
    if name in "@*":
        return [_arguments(words, name, operation) for words in scope.positional()]
    found: list[Value] = []
    for value in scope.values(name):
        found += _operated(value, operation, scope)
    return list(dict.fromkeys(found)) or [None]


def _arguments(words: tuple[str, ...] | None, name: str, operation: str) -> Value:
    if words is None:
        return None
    if operation:
        start = _SLICE.fullmatch(operation)
        if start is None:
            return None
        words = words[max(int(start[1]) - 1, 0) :]
    return words if name == "@" else " ".join(words)


def _operated(value: str | None, operation: str, scope: Scope) -> Sequence[str | None]:
    """What `${NAME...}` makes of one value of the variable."""
    if not operation or operation == "[0]":
        return [value]
    colon = operation.startswith(":")
    sign, word = operation[colon : colon + 1], operation[colon + 1 :]
    if sign and sign in "-=+?":
        # Where a substitution within it stands is not known.
        other: Sequence[str | None] = texts(word, NOWHERE, scope) if sign != "?" else []
        if sign == "+":
            return ["", *other] if value is None else other if value else [""]
        if value is None:
            return [None]
        if value:
            return [value]
        # A variable that is empty is not unset.
        return other if colon else [value, *other]
    trim = _TRIM.fullmatch(operation)
    if trim and value is not None and "$" not in trim[2]:
        return [_trimmed(value, trim[1], trim[2].strip("\"'"))]
    return [None]


def _trimmed(value: str, sign: str, pattern: str) -> str:
    ends = range(len(value) + 1)
    if sign[0] == "#":
        for at in ends if sign == "#" else reversed(ends):
            if fnmatchcase(value[:at], pattern):
                return value[at:]
    else:
        for at in reversed(ends) if sign == "%" else ends:
            if fnmatchcase(value[at:], pattern):
                return value[:at]
    return value


def _fields(pieces: Sequence[_Piece]) -> Iterator[str]:
    """Joins pieces to words: what is not quoted is split at blanks, `"$@"` at its words."""
    current: str | None = None
    vanishes = False
    for value, quoted, _ in pieces:
        if isinstance(value, tuple):
            words, before, after = list(value), False, False
            vanishes = vanishes or not value
        elif quoted:
            current = (current or "") + value
            continue
        else:
            words, before, after = value.split(), value[:1].isspace(), value[-1:].isspace()
        for number, word in enumerate(words):
            if (number or before) and current is not None:
                yield current
                current = None
            current = (current or "") + word
        if after and current is not None:
            yield current
            current = None
    # `"$@"` without arguments is no word at all.
    if current is not None and (current or not vanishes):
        yield current
