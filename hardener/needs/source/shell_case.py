"""Which branches of a `case` cannot be taken, by what its word may be. Knows no command and no file.

Start scripts choose by their first argument what they do: a container that asks for the one does not do the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from hardener.syntax.shell import Branch, Case, Word

_LOOP = re.compile(r"(?:^|[\s;])do(?:[\s;]|$)")
_LOOP_END = re.compile(r"(?:^|[\s;])done(?:[\s;&|<>)]|$)")
#: Patterns of Bash that are more than those of `fnmatch`, and a switch that makes case not matter.
_EXTENDED = re.compile(r"[@?+*!]\(|\[\[:|\[\^|nocasematch|\\")
_POSITIONAL = re.compile(r"\$\{?[#!]?[0-9@*]")


def passed_over(script: str, case: Case, values: Sequence[str | None]) -> Iterator[tuple[int, int]]:
    """The ranges of the branches that are not taken, whichever of these values its word has; none where one is not known."""
    if any(branch.falls_through for branch in case.branches) or _EXTENDED.search(script):
        return
    if not values or None in values:
        return
    taken: set[Branch] = set()
    for value in values:
        for branch in case.branches:
            found = [_matches(script, pattern, value or "") for pattern in branch.patterns]
            if True in found or None in found:
                taken.add(branch)
            if True in found:
                break
    yield from ((branch.start, branch.end) for branch in case.branches if branch not in taken)


def is_in_loop(script: str, case: Case) -> bool:
    """Whether a `case` may be come to more than once: a loop begins before it and one ends behind it."""
    return bool(_LOOP.search(script, 0, case.subject.start) and _LOOP_END.search(script, case.subject.end))


def asks_arguments(word: str) -> bool:
    """Whether a word has an argument of the script in it, which `shift` changes."""
    return _POSITIONAL.search(word) is not None


def _matches(script: str, pattern: Word, value: str) -> bool | None:
    """Whether a text is a pattern's; None where that cannot be told."""
    raw = script[pattern.start : pattern.end]
    if pattern.expands or (any(quote in raw for quote in "'\"") and any(sign in raw for sign in "*?[")):
        return None
    return fnmatchcase(value, pattern.text)
