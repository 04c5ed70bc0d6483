"""What a log says that the original's never did: new lines about privileges, files and memory. Knows no engine and no remedy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hardener.trial.wordings import hints, normal, plain, tells, within

#: How many lines are given back, how long each may be, and how many different ones are read in full.
MOST = 20
_LONGEST = 500
_MOST_READ = 1000


def new_errors(now: Sequence[str], before: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """The lines of an error that are in none of the original's logs, in their order, each once; at most 20.

    Two lines are the same when they differ in times, numbers, ids, addresses and random names only.
    """
    candidates: dict[str, str] = {}
    for line in dict.fromkeys(now):
        if hints(line):
            candidates.setdefault(normal(line), line)
    if not candidates:
        return ()
    for log in before:
        for line in dict.fromkeys(log):
            if hints(line):
                candidates.pop(normal(line), None)
    found: list[str] = []
    for _, line in zip(range(_MOST_READ), candidates.values(), strict=False):
        if tells(line):
            found.append(_short(line))
            if len(found) == MOST:
                break
    return tuple(found)


def _short(line: str) -> str:
    return plain(line if len(line) <= _LONGEST else within(line))[:_LONGEST]
