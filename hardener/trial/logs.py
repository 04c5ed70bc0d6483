"""What a log says that the original's never did: new lines about privileges, files and memory. Knows no engine and no remedy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from hardener.trial.wordings import HINTS, NAMES, normal, plain, tells, within

#: How many lines are given back, and how long each may be.
MOST = 20
_LONGEST = 500
#: How many different ones of a log are compared: of those that name an error, and of those that may word one otherwise.
_MOST_NAMING, _MOST_OTHERS = 10_000, 1_000
_NO_DIGITS = dict.fromkeys(map(ord, "0123456789"))


def new_errors(now: Sequence[str], before: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """The lines of an error that are in none of the original's logs, in their order, each once; at most 20.

    Two lines are the same when they differ in times, numbers, ids, addresses and random names only.
    """
    naming: dict[str, tuple[int, str]] = {}
    others: dict[str, tuple[int, str]] = {}
    for at, line, names in _candidates(now, True):
        if names:
            naming.setdefault(normal(line), (at, line))
        elif tells(line):
            others.setdefault(normal(line), (at, line))
    for log in before if naming or others else ():
        for _, line, _ in _candidates(log, bool(others)):
            key = normal(line)
            naming.pop(key, None)
            others.pop(key, None)
    found: list[tuple[int, str]] = []
    for at, line in (*naming.values(), *others.values()):
        if len(found) == MOST:
            break
        if tells(line):
            found.append((at, _short(line)))
    return tuple(line for _, line in sorted(found))


def _candidates(log: Sequence[str], with_others: bool) -> Iterator[tuple[int, str, bool]]:
    """The different lines that may tell of an error, each with its place and whether it names one; a bounded number.

    The two kinds are counted apart: a flood of one must not hide the other.
    """
    text = "\n".join(log).lower()
    # What is nowhere in the log need not be looked for in its lines.
    names = [name for name in NAMES if name in text]
    hints = [hint for hint in HINTS if hint in text] if with_others else []
    seen = set()
    naming, others = _MOST_NAMING if names else 0, _MOST_OTHERS if hints else 0
    for at, line in enumerate(log):
        if not naming and not others:
            break
        line = within(line)
        has = line.lower().__contains__
        names_one = bool(names) and any(map(has, names))
        if not (naming if names_one else others and any(map(has, hints))):
            continue
        # Most lines differ from another in numbers only.
        key = line.translate(_NO_DIGITS)
        if key in seen:
            continue
        seen.add(key)
        if names_one:
            naming -= 1
        else:
            others -= 1
        yield at, line, names_one


def _short(line: str) -> str:
    return plain(line)[:_LONGEST]
