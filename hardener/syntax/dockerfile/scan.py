"""Text to Dockerfile by BuildKit's grammar, with exact places. Knows no substitution and makes no change.

The grammar is that of moby/buildkit, frontend/dockerfile/parser; of frontend/dockerfile/instructions only what is cheap to know
without building: names, the number of arguments, stages.
"""

from __future__ import annotations

import re

from hardener.syntax.dockerfile.model import Comment, Dockerfile, DockerfileError, Heredoc, Instruction, Stage, stripped
from hardener.syntax.dockerfile.words import SPACE, BadWord, Flag, marker_of, markers, split_flags, split_words

#: BuildKit's scanner gives up on a longer line (bytes, with its newline).
MAX_LINE = 64 * 1024

_BLANKS = re.compile(r"[\t\v\f\r ]+")
_DIRECTIVE = re.compile(r"([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*(.+?)[\t\n\f\r ]*", re.DOTALL)
_DIRECTIVES = frozenset(("syntax", "escape", "check"))
_SIMPLE_LIST = re.compile(r'\[[ \t\r\n]*(?:"[^"\\\x00-\x1f]*"[ \t\r\n]*(?:,[ \t\r\n]*"[^"\\\x00-\x1f]*"[ \t\r\n]*)*)?\]')
_SIMPLE_STRING = re.compile(r'"([^"]*)"')
_STAGE_NAME = re.compile(r"[a-z][a-z0-9\-_.]*")

_JSON_OR_LINE = frozenset(("RUN", "CMD", "ENTRYPOINT", "SHELL"))
_JSON_OR_WORDS = frozenset(("ADD", "COPY", "VOLUME"))
_WORDS = frozenset(("EXPOSE", "FROM"))
_PAIRS = frozenset(("ENV", "LABEL"))
_LINE = frozenset(("MAINTAINER", "STOPSIGNAL", "USER", "WORKDIR"))
KEYWORDS = _JSON_OR_LINE | _JSON_OR_WORDS | _WORDS | _PAIRS | _LINE | {"ARG", "HEALTHCHECK", "ONBUILD"}
_MAY_BE_EMPTY = frozenset(("CMD", "ENTRYPOINT", "RUN"))
_HOLDS_HEREDOC = frozenset(("ADD", "COPY", "RUN"))


def parse(text: str) -> Dockerfile:
    """Read a Dockerfile's text (without byte order mark). Raises `DockerfileError` for what BuildKit rejects."""
    dockerfile = scan(text)
    _find_stages(dockerfile)
    return dockerfile


def scan(text: str) -> Dockerfile:
    """The instructions alone, whatever their names and order. Raises `DockerfileError` for what BuildKit's parser rejects."""
    dockerfile = Dockerfile(text)
    _scan(dockerfile)
    if not dockerfile.instructions:
        raise DockerfileError(1, "a file with no instructions")
    return dockerfile


def parse_fragment(text: str, escape: str) -> list[Instruction]:
    """The instructions of a piece of a Dockerfile; nothing is asked of their order. Raises `DockerfileError`."""
    fragment = Dockerfile(text)
    fragment.escape = escape
    _scan(fragment, directives=False)
    return fragment.instructions


def _scan(dockerfile: Dockerfile, *, directives: bool = True) -> None:
    text = dockerfile.text
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    _check_length(text, lines)
    escape = dockerfile.escape
    comments, instructions = dockerfile.comments, dockerfile.instructions
    number = at = 0
    count = len(lines)
    while number < count:
        raw = lines[number]
        begin = at
        at += len(raw) + 1
        number += 1
        line = raw.rstrip("\r")
        body = line.lstrip(SPACE)
        if directives:
            directives = body[:1] == "#" and _directive(dockerfile, body, number)
            if directives:
                dockerfile.directives_end = at
                escape = dockerfile.escape
                continue
        if not body:
            continue
        start = begin + len(line) - len(body)
        if body[0] == "#":
            comments.append(Comment(start, start + len(body), number, False))
            continue
        first = number
        pieces = [(0, start)]
        end = start + len(body)
        continues = False
        if body[-1] in " \t" or body[-1] == escape:
            body, continues = _cut_escape(body, escape)
        if continues:
            parts = [body]
            length = len(body)
            while continues and number < count:
                raw = lines[number]
                begin = at
                at += len(raw) + 1
                number += 1
                line = raw.rstrip("\r")
                body = line.lstrip(SPACE)
                end = begin + len(line)
                if not body:
                    continue
                if body[0] == "#":
                    comments.append(Comment(end - len(body), end, number, True))
                    continue
                pieces.append((length, begin))
                line, continues = _cut_escape(line, escape)
                parts.append(line)
                length += len(line)
            body = "".join(parts)
        instruction = _instruction(body, 0, len(body), first, escape, pieces)
        instruction.index = len(instructions)
        instruction.start = start
        instruction.dangling = continues
        instruction.head_end = end
        instruction.head_last_line = number
        if "<<" in body and _may_hold_heredoc(instruction):
            number, at, end = _heredocs(instruction, text, lines, number, at)
        instruction.end = end
        instruction.last_line = number
        instructions.append(instruction)


def _check_length(text: str, lines: list[str]) -> None:
    # A character has at most four bytes.
    if len(text) * 4 < MAX_LINE:
        return
    for number, line in enumerate(lines, 1):
        if len(line) * 4 + 1 >= MAX_LINE:
            size = len(line.encode("utf-8", "replace")) + 1
            if size > MAX_LINE:
                raise DockerfileError(number, f"a line longer than {MAX_LINE} bytes")


def _directive(dockerfile: Dockerfile, body: str, line: int) -> bool:
    match = _DIRECTIVE.fullmatch(body[1:].lstrip(SPACE))
    name = match[1].lower() if match else ""
    if match is None or name not in _DIRECTIVES:
        return False
    if name in dockerfile.directives:
        raise DockerfileError(line, f"only one {name} parser directive can be used")
    value = match[2]
    dockerfile.directives[name] = value
    if name == "escape":
        if value not in ("\\", "`"):
            raise DockerfileError(line, f"an escape directive with {value!r}: it must be \\ or `")
        dockerfile.escape = value
    return True


def _cut_escape(line: str, escape: str) -> tuple[str, bool]:
    """The line without the escape that continues it, and whether there is one; an escaped escape does not count."""
    cut = line.rstrip(" \t")
    if not cut.endswith(escape) or cut[-2:-1] == escape:
        return line, False
    return cut[:-1], True


def _may_hold_heredoc(instruction: Instruction) -> bool:
    inner = instruction.inner or instruction
    return inner.keyword in _HOLDS_HEREDOC and not inner.is_json


def _heredocs(instruction: Instruction, text: str, lines: list[str], number: int, at: int) -> tuple[int, int, int]:
    """Read what the markers announce; returns the next line's number, its offset, and where the instruction ends."""
    end = instruction.head_end
    try:
        wanted = markers(instruction.logical)
    except BadWord as error:
        raise DockerfileError(instruction.line, f"a here-document that cannot be read: {error}") from None
    found = []
    for name, descriptor, expand, chomp in wanted:
        begin = at
        while True:
            if number == len(lines):
                raise DockerfileError(instruction.line, f"the here-document {name} has no end")
            line = lines[number].rstrip("\r")
            ends_at = at
            end = at + len(line)
            at += len(lines[number]) + 1
            number += 1
            if (line.lstrip("\t") if chomp else line) == name:
                break
        found.append(Heredoc(name, descriptor, expand, chomp, text[begin:ends_at], begin, ends_at))
    instruction.heredocs = tuple(found)
    if instruction.inner:
        instruction.inner.heredocs = instruction.heredocs
    return number, at, end


def _instruction(logical: str, begin: int, end: int, line: int, escape: str, pieces: list[tuple[int, int]]) -> Instruction:
    """The instruction that stands between two offsets of a logical line."""
    while begin < end and logical[begin] in SPACE:
        begin += 1
    while begin < end and logical[end - 1] in SPACE:
        end -= 1
    blank = _BLANKS.search(logical, begin, end)
    keyword = logical[begin : blank.start() if blank else end].upper()
    found = Instruction(keyword, logical, line, escape, pieces)
    at = blank.end() if blank else end
    if logical.startswith("--", at):
        flags, at = split_flags(logical, at, end, escape)
        found.flags = tuple(_flag(word, *found._physical(*place)) for word, *place in flags)
    while at < end and logical[at] in SPACE:
        at += 1
    found._arguments_at = at
    found.arguments = logical[at:end]
    _read_arguments(found, at, end, pieces)
    return found


def _flag(word: str, start: int, end: int) -> Flag:
    name, equals, value = word.partition("=")
    return Flag(name[2:], value if equals else None, start, end)


def _read_arguments(found: Instruction, at: int, end: int, pieces: list[tuple[int, int]]) -> None:
    keyword, rest = found.keyword, found.arguments
    if keyword not in KEYWORDS:
        found.values = ("",)
    elif not rest:
        if keyword not in _MAY_BE_EMPTY:
            raise DockerfileError(found.line, f"{keyword} without arguments")
    elif keyword in _JSON_OR_LINE:
        values = _json_list(rest, found.line) if rest[0] == "[" else None
        found.is_json = values is not None
        found.values = (rest,) if values is None else values
        if keyword == "SHELL" and not values:
            raise DockerfileError(found.line, "SHELL needs a JSON list")
    elif keyword in _JSON_OR_WORDS:
        values = _json_list(rest, found.line) if rest[0] == "[" else None
        found.is_json = values is not None
        found.values = tuple(_BLANKS.split(rest)) if values is None else values
        _check_paths(found)
    elif keyword in _WORDS:
        found.values = tuple(_BLANKS.split(rest))
    elif keyword in _PAIRS:
        found.values = _pairs(found)
    elif keyword == "ARG":
        found.values = tuple(word for word, _, _ in split_words(rest, found.escape))
        if any(word.startswith("=") for word in found.values):
            raise DockerfileError(found.line, "ARG with a blank name")
    elif keyword == "HEALTHCHECK":
        _read_healthcheck(found, rest)
    elif keyword == "ONBUILD":
        first = _BLANKS.split(rest, maxsplit=1)[0].upper()
        if first in ("ONBUILD", "FROM", "MAINTAINER"):
            raise DockerfileError(found.line, f"{first} is not allowed in ONBUILD")
        found.inner = _instruction(found.logical, at, end, found.line, found.escape, pieces)
        found.values = (rest,)
    else:
        found.values = (rest,)


def _check_paths(found: Instruction) -> None:
    keyword, values = found.keyword, found.values
    if keyword == "VOLUME":
        if not values or any(not stripped(value) for value in values):
            raise DockerfileError(found.line, "VOLUME with an empty path")
    elif len(values) < 2:
        raise DockerfileError(found.line, f"{keyword} needs a source and a destination")
    elif "<<" in values[-1]:
        try:
            marker = marker_of(values[-1])
        except BadWord:
            return
        if marker is not None:
            raise DockerfileError(found.line, f"{keyword} cannot take a here-document as destination")


def _pairs(found: Instruction) -> tuple[str, ...]:
    """Names and values by turns, quotes kept."""
    rest, keyword = found.arguments, found.keyword
    words = [word for word, _, _ in split_words(rest, found.escape)]
    if not words or "=" not in words[0]:
        parts = _BLANKS.split(rest, maxsplit=1)
        if len(parts) < 2:
            raise DockerfileError(found.line, f"{keyword} must have two arguments")
        return tuple(parts)
    values: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise DockerfileError(found.line, f"{keyword} with {word!r}: it must be of the form name=value")
        if not name:
            raise DockerfileError(found.line, f"{keyword} with a blank name")
        values += (name, value)
    return tuple(values)


def _read_healthcheck(found: Instruction, rest: str) -> None:
    at = 0
    while at < len(rest) and rest[at] not in SPACE:
        at += 1
    kind, command = rest[:at], rest[at:].lstrip(SPACE)
    if kind.upper() not in ("CMD", "NONE"):
        raise DockerfileError(found.line, f"HEALTHCHECK with {kind!r}: it must be CMD or NONE")
    values = _json_list(command, found.line) if command.startswith("[") else None
    found.is_json = values is not None
    found.values = (kind, *(values if values is not None else (command,) if command else ()))
    if (len(found.values) > 1) == (kind.upper() == "NONE"):
        raise DockerfileError(found.line, f"HEALTHCHECK {kind} with {'a' if command else 'no'} command")


def _json_list(text: str, line: int) -> tuple[str, ...] | None:
    """The strings of a JSON list, or None when the text is no JSON list. Raises when it holds anything but strings."""
    if _SIMPLE_LIST.fullmatch(text):
        return tuple(_SIMPLE_STRING.findall(text))
    if not text.endswith("]"):
        return None
    import json

    try:
        # Numbers stay unread: Python's limits on them are not Go's.
        items = json.loads(text, parse_constant=_refuse, parse_int=_number, parse_float=_number)
    except RecursionError:
        items = [None]
    except ValueError:
        return None
    if any(not isinstance(item, str) for item in items):
        raise DockerfileError(line, "a JSON list that holds more than strings")
    # Go has no lone surrogates.
    return tuple(item if item.isascii() else item.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for item in items)


def _refuse(_: str) -> None:
    raise ValueError


def _number(_: str) -> int:
    return 0


def _find_stages(dockerfile: Dockerfile) -> None:
    stage: Stage | None = None
    for item in dockerfile.instructions:
        keyword = item.keyword
        if keyword == "FROM":
            words = item.values
            name = ""
            if len(words) == 3 and words[1].lower() == "as":
                name = words[2].lower()
                if not _STAGE_NAME.fullmatch(name):
                    raise DockerfileError(item.line, f"{words[2]!r} cannot be a stage's name")
            elif len(words) != 1:
                raise DockerfileError(item.line, "FROM needs either one or three arguments")
            stage = Stage(dockerfile, len(dockerfile.stages), item.index, words[0], name, item.flag("platform"))
            dockerfile.stages.append(stage)
        elif keyword not in KEYWORDS:
            raise DockerfileError(item.line, f"unknown instruction {item.keyword}")
        elif stage is None:
            if keyword != "ARG":
                raise DockerfileError(item.line, f"{keyword} before the first FROM")
        else:
            stage.last = item.index + 1
    if stage is None:
        raise DockerfileError(1, "no FROM")
