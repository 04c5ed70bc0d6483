"""How programs word what is refused to them: the table `symptoms.toml`, and lines as they are compared. Knows no remedy."""

from __future__ import annotations

import os
import re
from functools import cache
from typing import Any

from hardener.record import NamedTuple

#: Of a longer line only the surroundings of the first word that tells are read.
LONGEST_LINE = 1600


class Wording(NamedTuple):
    """An entry of the table; what its fields mean stands at the head of it."""

    name: str
    errno: tuple[str, ...] = ()
    says: re.Pattern[str] | None = None
    files: str = ""
    capabilities: tuple[str, ...] = ()
    files_of_programs: bool = False
    bounding: bool = False
    memory: bool = False
    without: tuple[str, ...] = ()
    noise: bool = False

    def says_so(self, line: str, errors: frozenset[str]) -> bool:
        """Whether this is how a line in small letters words it, which names these errors."""
        if self.errno and errors.isdisjoint(self.errno):
            return False
        return self.says is None or self.says.search(line) is not None


class _Table(NamedTuple):
    errors: tuple[tuple[str, re.Pattern[str]], ...]
    wordings: tuple[Wording, ...]


#: What names an error, in small letters: looking for these is quicker than any expression.
NAMES = tuple(
    "denied|not permitted|read-only|readonly|errno |errcode|os error|eacces|eperm|erofs|enoent|eagain|no such file|"
    "out of memory|outofmemory|cannot allocate|temporarily unavailable|no space left|privileges".split("|")
)
#: Every other line of the table has one of these.
HINTS = tuple(
    "permi|read only|could not|couldn't|cannot|can't|can not|unable|fail|memory|alloc|thread|fork|writ|priv|root|suid|audit|"
    "cap_|user|uid|sandbox|heap|kill|temp|tmp|error|not found|no such|range of cpus|distinct values|minimum|pam_|access|"
    "i have no name|metaspace|raw|ah0|limit|must be".split("|")
)


@cache
def _table() -> _Table:
    import tomllib

    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "symptoms.toml"), "rb") as file:
        table = tomllib.load(file)
    errors = tuple((name, _expression(one)) for name, one in table["errno"].items())
    return _Table(errors, tuple(map(_wording, table["wording"])))


def _wording(entry: dict[str, Any]) -> Wording:
    says = [f"(?:{one})" for one in entry.pop("says", ())]
    given: Any = {key.replace("-", "_"): tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    return Wording(says=_expression("|".join(says)) if says else None, **given)


def _expression(text: str) -> re.Pattern[str]:
    """An expression for lines in small letters: to ignore the case is what takes most of the time."""
    return re.compile(re.sub(r"\\.|[A-Z]", lambda match: match[0] if match[0][0] == "\\" else match[0].lower(), text))


def errors_in(line: str) -> dict[str, tuple[int, int]]:
    """The errors that a line names, each with where its words begin and end the last time."""
    return {name: match.span() for name, pattern in _table().errors for match in pattern.finditer(line.lower())}


def wordings_of(line: str) -> list[Wording]:
    """The entries of the table that say what the line says, in their order; none for noise and for what tells nothing."""
    low = within(line).lower()
    if not any(map(low.__contains__, (*NAMES, *HINTS))):
        return []
    errors = frozenset(errors_in(low))
    found = []
    for wording in _table().wordings:
        if wording.says_so(low, errors):
            if wording.noise:
                return []
            found.append(wording)
    return found


def tells(line: str) -> bool:
    """Whether a line tells of privileges, files or memory that something lacked."""
    return bool(wordings_of(line))


def within(line: str) -> str:
    """A line of bounded length: the surroundings of the first word that tells most, where it is longer."""
    line = line if line.isascii() else line.translate(_QUOTES)
    if len(line) <= LONGEST_LINE:
        return line
    low = line.lower()
    places = [at for at in map(low.find, NAMES) if at >= 0]
    start = max(0, min(places, default=0) - LONGEST_LINE // 2)
    return line[start : start + LONGEST_LINE]


#: As GNU's programs write them where the locale has them.
_QUOTES = {0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"'}


# Lines without what differs from run to run.

_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]{0,40}[@-~]?|[()][0-9A-B]|\][^\x07]{0,200}\x07|.)?")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ufeff]+")
#: A composer's name, a time, a process, a level: what stands before what is said.
_HEAD = re.compile(
    r"""\s*(?:
      [\w.-]{1,60}\s{1,40}\|\s                                            # web-1  |
    | \[?\d{4}[-/]\d\d?[-/]\d\d?[T ]\d\d:\d\d:\d\d(?:[.,:]\d{1,9})?\s?(?:Z|UTC|GMT|CEST|CET|[A-Z]{3}\b|[+-]\d\d:?\d\d)?\]?:?
    | \[[A-Z][a-z]{2}\ [A-Z][a-z]{2}\ [\d ]\d\ \d\d:\d\d:\d\d(?:\.\d{1,9})?\ \d{4}\]
    | \[?\d{1,2}[-/ ][A-Z][a-z]{2}[-/ ]\d{4}[: ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:\ [+-]\d{4})?\]?
    | [A-Z][a-z]{2}\ [\d ]\d\ \d\d:\d\d:\d\d(?:\ [\w.-]{1,60}(?=\ [\w/.-]{1,60}\[\d))?
    | \[?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\]?
    | \d{10,13}(?:\.\d{1,9})?:?(?=\s)                                    # seconds since 1970
    | \d{1,7}:[A-Z]\s                                                    # redis: 1:M
    | \d{1,7}\#\d{1,7}:                                                  # nginx: 7#7:
    | \[(?:pid\ )?\d{1,7}(?::tid\ \d{1,20})?\]:?
    | \[(?:[\w.-]{0,30}:)?(?:emerg|alert|crit(?:ical)?|error|err|warn(?:ing)?|notice|info|debug|fatal|system|server)\]:?
    | (?:EMERG|ALERT|CRIT(?:ICAL)?|ERROR|ERR|WARN(?:ING)?|NOTICE|INFO|DEBUG|FATAL|PANIC|LOG)\b\]?:?(?!\s*=)
    | \*\d{1,9}(?=\s)                                                    # nginx: *12
    | [-#*>|]\s
    )""",
    re.VERBOSE,
)
_DIGITS = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-fA-F]{12,}\b|\d+(?:[.,:]\d+)*")
_RANDOM = re.compile(r"(?<=[/.])(?:tmp|temp)[._-]?\w{4,}|(?<=\.)[A-Za-z0-9]{6,10}(?=['\":\s]|$)")
_MONTH = re.compile(r"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b")
_BLANKS = re.compile(r"\s{2,}|[\t\v\f]")


def plain(line: str) -> str:
    """A line without colours and control characters."""
    if "\x1b" in line:
        line = _ESCAPE.sub("", line)
    return line if line.isprintable() else _BLANKS.sub(" ", _CONTROL.sub(" ", line)).strip()


def message(line: str) -> str:
    """What a line says, without the time, the process and the level that stand before it."""
    line, at = plain(line), 0
    for _ in range(8):
        match = _HEAD.match(line, at)
        if match is None or not match.end() > at:
            break
        at = match.end()
    return line[at:].strip() or line.strip()


def normal(line: str) -> str:
    """A line as it is compared with another run's: numbers of every kind, times and random names are all the same."""
    line = message(within(line))
    if "tmp" in line or "." in line:
        line = _RANDOM.sub("*", line)
    return _DIGITS.sub("0", _MONTH.sub("", line)).lower()
