"""Cases of the rules' fixtures, as examples: from the repository, or from the file that a wheel has of them. Judges nothing.

The wheel holds no fixtures but `examples.json` beside this module: the cases that docstrings name, and how findings end in
all of them. It is made while the wheel is built (`hardener.site.wheel`), by what reads them here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from enum import Enum
from functools import cache
from typing import Any

from hardener.record import NamedTuple

STORED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "examples.json")
FIXTURES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(STORED))), "fixtures")


class Ending(Enum):
    """How findings of a rule end, as its fixtures show; the most that is done comes first."""

    #: Its fix is made without being asked for, where the evidence is enough.
    REPAIRED = "repaired"
    #: Its fix is made with `--unsafe-fixes`.
    HELD_BACK = "held back"
    REFUSED = "refused"
    REPORTED = "reported"


class Case(NamedTuple):
    """A small real file, and what it becomes; the same text where no fix is made."""

    rule: str
    name: str
    #: The file's name.
    path: str
    before: str
    after: str


def case(rule: str, name: str) -> Case:
    """The case of this name in the folder of a rule. Raises `LookupError` where there is none, or one of several files."""
    stored = _stored()
    return _read(FIXTURES, rule, name) if stored is None else Case(rule, name, *stored["cases"][f"{rule}/{name}"])


def endings(rule: str) -> tuple[Ending, ...]:
    """How findings of a rule end in its fixtures, the most that is done first."""
    stored = _stored()
    found = _endings(FIXTURES).get(rule, ()) if stored is None else stored["endings"].get(rule, ())
    return tuple(ending for ending in Ending if ending.value in found)


def gather(fixtures: str, wanted: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """What a wheel holds instead of fixtures, as JSON has it: the wanted cases, by rule and name, and all endings."""
    cases = {f"{rule}/{name}": _read(fixtures, rule, name)[2:] for rule, name in wanted}
    return {"cases": cases, "endings": {rule: sorted(found) for rule, found in sorted(_endings(fixtures).items())}}


@cache
def _stored() -> Any:
    if not os.path.exists(STORED):
        return None
    import json

    with open(STORED, encoding="utf-8") as file:
        return json.load(file)


def _read(fixtures: str, rule: str, name: str) -> Case:
    folder = os.path.join(fixtures, rule, name)
    files = os.listdir(os.path.join(folder, "before")) if os.path.isdir(folder) else []
    if len(files) != 1 or os.path.isdir(os.path.join(folder, "before", files[0])):
        raise LookupError(f"{rule}: {name!r} is no case of one file")
    before = _text(os.path.join(folder, "before", files[0]))
    after = os.path.join(folder, "after", files[0])
    return Case(rule, name, files[0], before, _text(after) if os.path.exists(after) else before)


def _text(path: str) -> str:
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


@cache
def _endings(fixtures: str) -> dict[str, set[str]]:
    """A case is run with `--unsafe-fixes` unless its options say `safe`: only in the latter is a fix made unasked."""
    found: dict[str, set[tuple[bool, str]]] = {}
    for folder in _folders(fixtures):
        options = os.path.join(folder, "options")
        safe = os.path.exists(options) and "safe" in _text(options).split()
        for line in _text(os.path.join(folder, "findings.txt")).splitlines():
            words = line.split()
            if len(words) > 3:  # place, rule, subject, status; or place and why it was not judged
                found.setdefault(words[1], set()).add((safe, words[-1]))
    return {rule: _words(ended) for rule, ended in found.items()}


def _words(ended: set[tuple[bool, str]]) -> set[str]:
    statuses = {status for _, status in ended}
    words = statuses & {Ending.REFUSED.value, Ending.REPORTED.value}
    if (True, "applied") in ended:
        words.add(Ending.REPAIRED.value)
    if "held-back" in statuses or ("applied" in statuses and Ending.REPAIRED.value not in words):
        words.add(Ending.HELD_BACK.value)
    return words


def _folders(fixtures: str) -> Iterator[str]:
    for rule in sorted(os.listdir(fixtures)):
        for name in sorted(os.listdir(os.path.join(fixtures, rule))):
            if os.path.exists(os.path.join(fixtures, rule, name, "findings.txt")):
                yield os.path.join(fixtures, rule, name)
