"""BuildKit's rules for words in one instruction: flags, quoting, substitution, here-document markers. Knows no line."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

#: What Go's unicode.IsSpace takes as white space (Python's own set has more).
SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
#: Substitutions nested deeper than this are refused: nobody writes them, and each level costs a Python frame.
MAX_DEPTH = 50

_HEREDOC = re.compile(r"([0-9]*)<<(-?)[\t\n\f\r ]*([^<]+)")
_PLAIN_FLAG = re.compile(r"--[A-Za-z0-9_.,=:/@+$%~*-]+")
_ASCII_WORD = re.compile(r"\S+", re.ASCII)
#: What neither ends a word nor means anything to any escape or stop character.
_PLAIN = re.compile(r"[A-Za-z0-9_.,=:@%+&*#!?;()\[\]^~-]+")
_SPECIAL = frozenset("@*#?-$!0")
_WHITE = frozenset(SPACE)


class Flag(NamedTuple):
    """`--name=value` before an instruction's arguments; `value` is None without `=`. Offsets are of the text."""

    name: str
    value: str | None
    start: int
    end: int


class Marker(NamedTuple):
    """What `<<-'NAME'` says about the here-document that follows."""

    name: str
    descriptor: int
    expand: bool
    chomp: bool


class BadWord(ValueError):
    """Quotes or a substitution that BuildKit does not understand."""


class TooDeep(BadWord):
    """Substitutions nested beyond `MAX_DEPTH`."""


class Unknown(Exception):
    """A variable whose value the file does not tell."""


@cache
def _word_pattern(escape: str) -> re.Pattern[str]:
    e = re.escape(escape)
    space = SPACE
    return re.compile(
        rf"(?:[^{space}'\"{e}]+|{e}(?:.|$)|'[^']*(?:'|$)|\"(?:[^\"{e}]|{e}.)*(?:\"|{e}?$))+".replace("$", r"\Z"),
        re.DOTALL,
    )


def split_words(text: str, escape: str) -> list[tuple[str, int, int]]:
    """Words between white space as (raw text with its quotes, start, end); an escape at the very end is dropped."""
    if text.isascii() and "'" not in text and '"' not in text and escape not in text:
        return [(match.group(), match.start(), match.end()) for match in _ASCII_WORD.finditer(text)]
    found = []
    for match in _word_pattern(escape).finditer(text):
        word = match.group()
        if match.end() == len(text) and word.endswith(escape) and _ends_escaping(word, escape):
            word = word[:-1]
            if not word:
                continue
        found.append((word, match.start(), match.end()))
    return found


def _ends_escaping(word: str, escape: str) -> bool:
    quote = ""
    at = 0
    while at < len(word):
        char = word[at]
        if char == escape and quote != "'":
            if at + 1 == len(word):
                return True
            at += 1
        elif char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        at += 1
    return False


def split_flags(text: str, at: int, end: int, escape: str) -> tuple[list[tuple[str, int, int]], int]:
    """The `--flags` from `at` on as (unquoted text, start, end), and where the arguments begin."""
    flags: list[tuple[str, int, int]] = []
    while True:
        while at < end and text[at] in _WHITE:
            at += 1
        if not text.startswith("--", at, end):
            return flags, at
        plain = _PLAIN_FLAG.match(text, at, end)
        if plain and (plain.end() == end or text[plain.end()] in _WHITE):
            flags.append((plain.group(), at, plain.end()))
            at = plain.end()
            continue
        start = at
        word, at = _unquoted(text, at, end, escape)
        if word == "--":
            return flags, at
        flags.append((word, start, at))


def _unquoted(text: str, at: int, end: int, escape: str) -> tuple[str, int]:
    parts: list[str] = []
    quote = ""
    while at < end:
        char = text[at]
        if not quote and char in _WHITE:
            break
        at += 1
        if char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        elif char == escape:
            # An escape at the very end is dropped.
            if at < end:
                parts.append(text[at])
                at += 1
        else:
            parts.append(char)
    return "".join(parts), at


def markers(line: str) -> list[Marker]:
    """The here-documents that a logical line opens, in order. Raises `BadWord` where BuildKit rejects one.

    Quotes or substitutions that BuildKit cannot read in the line as a whole mean: no here-document at all.
    """
    try:
        words = _Lexer(line, "\\", None, raw_quotes=True, raw_escapes=True).run()[1]
    except TooDeep:
        raise
    except BadWord:
        return []
    found = []
    for word in words:
        marker = marker_of(word)
        if marker is not None:
            found.append(marker)
    return found


def marker_of(word: str) -> Marker | None:
    """The here-document marker that a word is, or None. Raises `BadWord`."""
    match = _HEREDOC.fullmatch(word)
    if match is None:
        return None
    descriptor, chomp, rest = match.groups()
    bare = _Lexer(rest, "\\", None).run()[1]
    if len(bare) != 1:
        return None
    raw = _Lexer(rest, "\\", None, raw_quotes=True).run()[1]
    if len(raw) != 1:
        raise BadWord("a here-document's name that cannot be read")
    quotes = [word.count("'") + word.count('"') for word in (bare[0], raw[0])]
    return Marker(bare[0], int(descriptor[:9] or 0), quotes[0] == quotes[1], chomp == "-")


def expand(text: str, escape: str, lookup: Callable[[str], str | None]) -> str:
    """`text` with quotes removed and variables put in, as BuildKit does.

    `lookup` gives a variable's value, or None for one that is declared without a value; it raises `Unknown` for one that
    the file does not tell. Raises `Unknown`, and `BadWord` where BuildKit reports an error.
    """
    return _Lexer(text, escape, lookup).run()[0]


class _Lexer:
    """BuildKit's word processing. Without `lookup` every variable stays as written."""

    __slots__ = ("_at", "_buffer", "_depth", "_escape", "_lookup", "_raw_escapes", "_raw_quotes", "_text")

    def __init__(
        self,
        text: str,
        escape: str,
        lookup: Callable[[str], str | None] | None,
        *,
        raw_quotes: bool = False,
        raw_escapes: bool = False,
    ) -> None:
        self._text = text
        self._at = 0
        self._escape = escape
        self._lookup = lookup
        self._raw_quotes = raw_quotes
        self._raw_escapes = raw_escapes
        self._depth = 0
        # One buffer for all levels, as in BuildKit: a substitution with a default swallows what its word began with.
        self._buffer: list[str] = []

    def run(self) -> tuple[str, list[str]]:
        """The processed text, and the words that it splits into."""
        return self._until("", self._raw_escapes)

    def _until(self, stop: str, raw_escapes: bool) -> tuple[str, list[str]]:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TooDeep("substitutions nested too deeply")
        outer_escapes, self._raw_escapes = self._raw_escapes, raw_escapes
        text, escape, buffer = self._text, self._escape, self._buffer
        result: list[str] = []
        words: list[str] = []
        buffer.clear()
        while self._at < len(text):
            run = _PLAIN.match(text, self._at)
            if run is not None:
                buffer.append(run.group())
                result.append(run.group())
                self._at = run.end()
                continue
            char = text[self._at]
            if char == stop:
                self._at += 1
                break
            if char == "$":
                piece = self._dollar()
                for part in piece:
                    self._add(part, words)
            elif char == "'":
                piece = self._single()
                buffer.append(piece)
            elif char == '"':
                piece = self._double()
                buffer.append(piece)
            elif char == "<" and text.startswith("<<", self._at):
                begin = self._at
                self._at += 2
                while self._at < len(text) and text[self._at] in _WHITE:
                    self._at += 1
                piece = text[begin : self._at]
                buffer.append(piece)
            elif char == escape:
                self._at += 1
                piece = char if raw_escapes else ""
                if self._at < len(text):
                    piece += text[self._at]
                    self._at += 1
                buffer.append(piece)
            else:
                self._at += 1
                piece = char
                self._add(char, words)
            result.append(piece)
        else:
            if stop:
                raise BadWord(f"no matching {stop}")
        if any(buffer):
            words.append("".join(buffer))
            buffer.clear()
        self._raw_escapes = outer_escapes
        self._depth -= 1
        return "".join(result), words

    def _add(self, char: str, words: list[str]) -> None:
        if char not in _WHITE:
            self._buffer.append(char)
        elif any(self._buffer):
            words.append("".join(self._buffer))
            self._buffer.clear()

    def _single(self) -> str:
        close = self._text.find("'", self._at + 1)
        if close == -1:
            raise BadWord("no matching single quote")
        begin, self._at = self._at, close + 1
        return self._text[begin : close + 1] if self._raw_quotes else self._text[begin + 1 : close]

    def _double(self) -> str:
        text, escape = self._text, self._escape
        self._at += 1
        parts = ['"'] if self._raw_quotes else []
        while self._at < len(text):
            char = text[self._at]
            if char == "$":
                parts.append(self._dollar())
                continue
            self._at += 1
            if char == '"':
                if self._raw_quotes:
                    parts.append(char)
                return "".join(parts)
            if char == escape:
                if self._raw_escapes:
                    parts.append(char)
                if self._at == len(text):
                    break
                if text[self._at] in ('"', "$", escape):
                    char = text[self._at]
                    self._at += 1
            parts.append(char)
        raise BadWord("no matching double quote")

    def _name(self) -> str:
        text, begin = self._text, self._at
        if begin < len(text) and text[begin].isdecimal():
            while self._at < len(text) and text[self._at].isdecimal():
                self._at += 1
        elif begin < len(text) and text[begin] in _SPECIAL:
            self._at += 1
        else:
            while self._at < len(text) and (text[self._at] == "_" or text[self._at].isalpha() or text[self._at].isdecimal()):
                self._at += 1
        return text[begin : self._at]

    def _dollar(self) -> str:
        text = self._text
        self._at += 1
        if not text.startswith("{", self._at):
            name = self._name()
            if not name:
                return "$"
            return "$" + name if self._lookup is None else self._value(name)
        self._at += 1
        if self._at == len(text) or text[self._at] in "{}:":
            raise BadWord("bad substitution")
        name = self._name()
        operator = text[self._at : self._at + 1]
        self._at += 1
        if operator == "}":
            return f"${{{name}}}" if self._lookup is None else self._value(name)
        written = operator
        if operator == ":":
            operator = text[self._at : self._at + 1]
            written += operator
            self._at += 1
            if operator in "#%" or not operator:
                raise BadWord(f"unsupported modifier {written}")
        if written == "/":
            if text.startswith("/", self._at):
                self._at += 1
            self._until("/", True)
            self._until("}", True)
            if self._lookup is None:
                return f"${{{name}}}"
            raise Unknown(name)
        if operator == "" or operator not in "+-?#%":
            raise BadWord(f"unsupported modifier {written}")
        word = self._until("}", operator in "#%")[0]
        if self._lookup is None:
            return f"${{{name}{written}{word}}}"
        value = self._lookup(name)
        if operator in "#%":
            raise Unknown(name)
        missing = value is None or (not value and written[0] == ":")
        if operator == "-":
            return word if missing else value or ""
        if operator == "+":
            if value is None:
                raise Unknown(name)
            return "" if missing else word
        if missing:
            raise BadWord(f"{name} is not set")
        return value or ""

    def _value(self, name: str) -> str:
        assert self._lookup is not None
        value = self._lookup(name)
        if value is None:
            raise Unknown(name)
        return value
