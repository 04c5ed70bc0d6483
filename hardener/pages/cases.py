"""Cases of the rules' fixtures, as examples: from the repository, or from the file that a wheel has of them. Judges nothing.

The wheel holds no fixtures but `examples.json` beside this module: the cases that docstrings name, and how findings end in
all of them. It is made while the wheel is built (`hardener.site.wheel`), by what reads them here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
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
    """A small real project, and what its file becomes in which the first finding is."""

    rule: str
    name: str
    #: That file's path.
    path: str
    #: Its text afterwards; the same where no fix is made.
    after: str
    #: All files, by path.
    files: Mapping[str, str]

    @property
    def before(self) -> str:
        """The text of the file that is shown."""
        return self.files[self.path]


def case(rule: str, name: str) -> Case:
    """The case of this name in the folder of a rule. Raises `LookupError` where there is none."""
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
    findings = os.path.join(folder, "findings.txt")
    lines = _text(findings).splitlines() if os.path.exists(findings) else []
    if not lines:
        raise LookupError(f"{rule}: there is no case {name!r} with a finding")
    before = os.path.join(folder, "before")
    paths = (os.path.join(top, file) for top, _, files in sorted(os.walk(before)) for file in sorted(files))
    texts = {os.path.relpath(path, before).replace(os.sep, "/"): _text(path) for path in paths}
    shown = lines[0].partition(":")[0]
    after = os.path.join(folder, "after", shown)
    return Case(rule, name, shown, _text(after) if os.path.exists(after) else texts[shown], texts)


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
