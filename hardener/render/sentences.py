"""A finding in sentences, for forms with one text for each: what is there, what becomes of it, what to do. Knows no form."""

from __future__ import annotations

from hardener.render.summary import clean
from hardener.report import Outcome, Status, Trouble


def headline(outcome: Outcome) -> str:
    """Whose finding it is, and what was found."""
    return clean(f"{outcome.finding.subject}: {outcome.finding.message}")


def rest(outcome: Outcome, *, written: bool = False) -> list[str]:
    """How it ended and what a person can do, a sentence each."""
    fix, said = outcome.finding.fix, []
    if outcome.status is Status.SILENCED:
        said.append(f"Silenced by {outcome.why}.")
    elif fix is not None and outcome.status is Status.APPLIED:
        said.append(f"{'Fixed' if written else '`harden --write` fixes it'}: {fix.summary}.")
    elif fix is not None and outcome.status is Status.HELD_BACK:
        said += [f"Its fix is held back: {fix.summary}.", f"Evidence is missing: {missing(outcome)}."]
    elif outcome.status is Status.REFUSED:
        said.append(f"A fix cannot be written here: {outcome.why}.")
    elif outcome.status is Status.FAILED:
        said.append(f"Its fix was taken back: {outcome.why}.")
    if fix is not None and fix.migration and outcome.status in (Status.APPLIED, Status.HELD_BACK):
        said.append(f"Before it starts again: {fix.migration.removeprefix('before the next start: ')}.")
    if outcome.finding.advice and outcome.status is not Status.APPLIED:
        said.append(f"What to do: {outcome.finding.advice}.")
    return [clean(sentence) for sentence in said]


def missing(outcome: Outcome) -> str:
    """What keeps a fix from being made by default."""
    return clean(outcome.why or "what was read or seen of this workload")


def trouble(problem: Trouble) -> str:
    """What was in the way, and what to do about it; without the place."""
    return clean(f"{problem.reason}{f' ({problem.remedy})' if problem.remedy else ''}")
