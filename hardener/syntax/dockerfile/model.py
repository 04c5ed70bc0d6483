"""What a Dockerfile consists of: instructions, stages, comments, each with its place. Knows no meaning and makes no change."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import NamedTuple

from hardener.errors import HardenError
from hardener.syntax.dockerfile.words import SPACE, Flag, split_words

#: What `plain` makes of a file: nested tuples, equal exactly where a builder sees the same.
Plain = tuple[object, ...]


class DockerfileError(HardenError):
    """A Dockerfile that BuildKit would not build either. `line` counts from 1."""

    exit_code = 2

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


class Comment(NamedTuple):
    """A comment line, from its `#` to its end. `inside` tells that it stands within a continued instruction."""

    start: int
    end: int
    line: int
    inside: bool


class Word(NamedTuple):
    """One argument as it is written, and its place in the text (of the whole file)."""

    text: str
    start: int
    end: int


class Heredoc(NamedTuple):
    """A here-document: its marker's parts, and its content between two offsets of the text."""

    name: str
    descriptor: int
    expand: bool
    chomp: bool
    content: str
    start: int
    end: int


class Instruction:
    """One instruction.

    `start` is its first character and `end` lies after its last one, here-documents included and the final newline not;
    `head_end` is where its own lines end. `logical` is its lines joined as BuildKit joins them. `arguments` is what follows
    the keyword and the flags, `values` what BuildKit's parser hands on: the JSON list, the words, or the one shell line.
    """

    __slots__ = (
        "_arguments_at",
        "_pieces",
        "arguments",
        "dangling",
        "end",
        "escape",
        "flags",
        "head_end",
        "head_last_line",
        "heredocs",
        "index",
        "inner",
        "is_json",
        "keyword",
        "last_line",
        "line",
        "logical",
        "start",
        "values",
    )

    def __init__(self, keyword: str, logical: str, line: int, escape: str, pieces: list[tuple[int, int]]) -> None:
        self.keyword = keyword
        self.logical = logical
        self.line = line
        self.escape = escape
        self._pieces = pieces
        self._arguments_at = 0
        self.index = -1
        self.start = self.end = self.head_end = 0
        self.last_line = self.head_last_line = line
        #: The file ends in the middle of it: nothing can be put after it.
        self.dangling = False
        self.flags: tuple[Flag, ...] = ()
        self.arguments = ""
        self.is_json = False
        self.values: tuple[str, ...] = ()
        self.heredocs: tuple[Heredoc, ...] = ()
        #: For ONBUILD: the instruction that it keeps for later.
        self.inner: Instruction | None = None

    def __repr__(self) -> str:
        return f"<{self.line}: {self.keyword} {self.arguments}>"

    def flag(self, name: str) -> str | None:
        """The value of a flag (the last one of that name), empty when it has none, or None when it is not there."""
        found = None
        for flag in self.flags:
            if flag.name == name:
                found = flag.value or ""
        return found

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where the part of `arguments` between two offsets stands in the text; it may span continuation lines."""
        return self._physical(start + self._arguments_at, end + self._arguments_at)

    def words(self) -> tuple[Word, ...]:
        """The arguments split at white space outside quotes, or the strings of the JSON list, as they are written."""
        if self.is_json:
            # Before the list HEALTHCHECK has a word of its own.
            listed = self.values[1:] if self.keyword == "HEALTHCHECK" else self.values
            return tuple(Word(value, *self.span(*place)) for value, place in zip(listed, _strings(self.arguments), strict=True))
        return tuple(Word(text, *self.span(start, end)) for text, start, end in split_words(self.arguments, self.escape))

    def _physical(self, start: int, end: int) -> tuple[int, int]:
        pieces = self._pieces
        if len(pieces) == 1:
            shift = pieces[0][1] - pieces[0][0]
            return start + shift, end + shift
        first = self._place(start)
        # The end belongs to the character before it: at a seam it must not jump to the next line.
        return first, (self._place(end - 1) + 1 if end > start else first)

    def _place(self, offset: int) -> int:
        logical, physical = self._pieces[bisect_right(self._pieces, offset, key=_logical_offset) - 1]
        return physical + offset - logical


def _logical_offset(piece: tuple[int, int]) -> int:
    return piece[0]


def _strings(text: str) -> list[tuple[int, int]]:
    places = []
    at = text.find('"')
    while at != -1:
        end = at + 1
        while text[end] != '"':
            end += 2 if text[end] == "\\" else 1
        places.append((at, end + 1))
        at = text.find('"', end + 1)
    return places


class Stage:
    """What one FROM begins. `base` and `platform` are as written; `name` is lower-case, empty when the stage has none."""

    __slots__ = ("base", "dockerfile", "first", "index", "last", "name", "platform")

    def __init__(self, dockerfile: Dockerfile, index: int, first: int, base: str, name: str, platform: str | None) -> None:
        self.dockerfile = dockerfile
        self.index = index
        #: Index of the FROM among the file's instructions; `last` lies after the stage's last one.
        self.first = first
        self.last = first + 1
        self.base = base
        self.name = name
        self.platform = platform

    def __repr__(self) -> str:
        return f"<stage {self.index} {self.name} from {self.base}>"

    @property
    def instructions(self) -> list[Instruction]:
        """The stage's instructions, FROM first."""
        return self.dockerfile.instructions[self.first : self.last]


class Dockerfile:
    """A Dockerfile's text and what it consists of. `directives` are the parser directives at its head."""

    __slots__ = ("arguments", "comments", "directives", "directives_end", "escape", "instructions", "stages", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.escape = "\\"
        #: What a builder is given for ARG, by name; None for a value that is not known.
        self.arguments: Mapping[str, str | None] = {}
        self.directives: dict[str, str] = {}
        #: Offset after the line of the last directive: nothing may be put before it.
        self.directives_end = 0
        self.comments: list[Comment] = []
        self.instructions: list[Instruction] = []
        self.stages: list[Stage] = []


def stripped(text: str) -> str:
    """`text` without what Go takes as white space at its ends."""
    return text.strip(SPACE)


def plain(dockerfile: Dockerfile) -> Plain:
    """What a builder sees of a file."""
    return (tuple(dockerfile.directives.items()), tuple(plain_instruction(item) for item in dockerfile.instructions))


def plain_instruction(item: Instruction) -> Plain:
    """What a builder sees of one instruction."""
    return (
        item.keyword,
        tuple((flag.name, flag.value) for flag in item.flags),
        item.is_json,
        item.values,
        tuple(heredoc[:5] for heredoc in item.heredocs),
        plain_instruction(item.inner) if item.inner else None,
    )
