"""What a change made worse, as text and as JSON. Knows no git.

The JSON has `version` 1; fields may be added to it, and one that goes away or changes its meaning makes a new version:

    version      1
    since        {"commit", "name"}: what was compared with, and how that follows from what was asked for
    findings     those that are new, as in the report of `harden --format json`, but without fingerprints
    answers      those that are worse: {"path", "line", "subject", "question", "before", "after", "why"}; `before` is null for a
                 container that is new
    renamed      old name to new name of files that were taken for the same
    troubles     what could not be read: {"path", "line", "reason", "remedy"}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hardener.audit.since import Change, WorseAnswer
from hardener.finding import Place, Severity
from hardener.posture import Answer
from hardener.render.summary import clean, count, filled, problem
from hardener.report import Outcome, Trouble

VERSION = 1
_COLOURS = {Severity.LOW: "36", Severity.MEDIUM: "33", Severity.HIGH: "31", Severity.CRITICAL: "1;31"}
_WORDS = {Answer.GOOD: "good", Answer.BAD: "bad", Answer.JUSTIFIED: "bad for a reason", Answer.UNKNOWN: "not known"}


def text(change: Change, name: str, troubles: Sequence[Trouble] = (), width: int = 80, colour: bool = False) -> str:
    """A block for each container with what is worse about it, and how much that is. `name` is what was compared with."""

    def paint(code: str, words: str) -> str:
        return f"\x1b[{code}m{words}\x1b[0m" if colour and words else words

    blocks: dict[tuple[str, str], list[str]] = {}
    places: dict[tuple[str, str], Place] = {}
    for outcome in sorted(change.findings, key=lambda outcome: -outcome.severity):
        at = outcome.finding.place.path, outcome.finding.subject
        places.setdefault(at, outcome.finding.place)
        blocks.setdefault(at, []).extend(_finding(outcome, width, paint))
    for worse in change.answers:
        at = worse.posture.place.path, worse.posture.subject
        places.setdefault(at, worse.posture.place)
        blocks.setdefault(at, []).extend(_answer(worse, width))
    lines: list[str] = []
    for at, block in blocks.items():
        lines += [f"{clean(f'{at[0]}:{places[at].line}')}  {paint('1', clean(at[1]))}", *block, ""]
    seen = [problem(item) for item in troubles]
    lines += [*seen, ""] if seen else []
    return "\n".join([*lines, *(paint("1", line) for line in filled(clean(_summary(change, name)), width))])


def _finding(outcome: Outcome, width: int, paint: Any) -> Iterator[str]:
    finding = outcome.finding
    severity = outcome.severity.name.lower()
    first, *others = filled(clean(f"{finding.rule}: {finding.message} (line {finding.place.line})"), max(20, width - 12))
    yield f"  {paint(_COLOURS[outcome.severity], severity)}{' ' * (10 - len(severity))}{first}"
    yield from (f"{'':12}{line}" for line in others)
    todo = f"harden can {finding.fix.summary}" if finding.fix is not None else finding.advice
    if todo:
        yield from (f"{'':{12 if number else 10}}{line}" for number, line in enumerate(filled(clean(todo), max(20, width - 12))))


def _answer(worse: WorseAnswer, width: int) -> Iterator[str]:
    question, posture = worse.question, worse.posture
    was = f"was {_WORDS[worse.before]}, now " if worse.before is not None else ""
    why = posture.why.get(question.id, "")
    said = f"{question.text} It {was}{'is ' if not was else ''}{_WORDS[posture.before[question.id]]}{f': {why}' if why else ''}"
    yield from (f"{'':{4 if number else 2}}{line}" for number, line in enumerate(filled(clean(said), max(20, width - 4))))


def _summary(change: Change, name: str) -> str:
    if not change.is_worse:
        return f"Nothing is worse than at {name}."
    parts = [count(len(change.findings), "new finding")] if change.findings else []
    parts += [count(len(change.answers), "worse answer")] if change.answers else []
    return f"Worse than at {name}: {' and '.join(parts)}."


def json(change: Change, commit: str, name: str, troubles: Sequence[Trouble] = ()) -> str:
    """The same for programs, with a line end."""
    from json import dumps

    from hardener.render.json import finding_as_data

    data = {
        "version": VERSION,
        "since": {"commit": commit, "name": name},
        "findings": [finding_as_data(outcome) for outcome in change.findings],
        "answers": [
            {
                "path": worse.posture.place.path,
                "line": worse.posture.place.line,
                "subject": worse.posture.subject,
                "question": worse.question.id,
                "before": worse.before.value if worse.before is not None else None,
                "after": worse.posture.before[worse.question.id].value,
                "why": worse.posture.why.get(worse.question.id, ""),
            }
            for worse in change.answers
        ],
        "renamed": dict(change.renamed),
        "troubles": [trouble._asdict() for trouble in troubles],
    }
    return dumps(data, indent=2) + "\n"
