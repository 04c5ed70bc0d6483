"""The audit of files: every answer with what there is to do about it, and the scores. Knows no words of a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hardener.audit.postures import Standing, against, standings
from hardener.pipeline import Request
from hardener.posture import AUDITED, QUESTIONS, Answer, Posture, Question, Score, points_lost, score
from hardener.record import NamedTuple
from hardener.report import Outcome, Report, Status, joined

#: Ways out: the fixes of this run, those that are held back, and what a person has to do.
FIX, HELD_BACK, BY_HAND = "fix", "held-back", "by-hand"


class WayOut(NamedTuple):
    """What makes an answer better, and the advice where no fix does; both empty for an answer that is good."""

    way: str = ""
    advice: str = ""


class Verdict(NamedTuple):
    """One container with the way out of each answer that is not good, by the `id` of its question."""

    posture: Posture
    ways_out: Mapping[str, WayOut]


class Audit(NamedTuple):
    """An audit of files, the worst container first."""

    report: Report
    verdicts: tuple[Verdict, ...]
    score: Score
    #: The score with the fixes that are held back made too; None where they are part of this run.
    with_unsafe: int | None


def audit(requests: Sequence[Request]) -> Audit:
    """Ask the questions of all containers of the files. Fixes that are held back are looked at too, and not made.

    Requests with `unsafe` have nothing that is held back; each request is about other files.
    """
    reports, verdicts, braver = [], [], []
    for request in requests:
        report, found = standings(request)
        bravest = found if request.unsafe else standings(request._replace(unsafe=True))[1]
        by_place = {(one.posture.key, one.posture.place.path): one.posture for one in bravest}
        for standing in found:
            posture = standing.posture
            with_all = by_place.get((posture.key, posture.place.path), posture)
            verdicts.append(Verdict(posture, {q.id: _way_out(standing, with_all, q) for q in QUESTIONS}))
        reports.append(report)
        braver += [one.posture for one in bravest]
    verdicts.sort(key=lambda verdict: -points_lost(verdict.posture.before))
    report = joined(reports)
    holds_back = not all(request.unsafe for request in requests)
    return Audit(report, tuple(verdicts), score(report.postures), score(braver).after if holds_back else None)


def fails(postures: Iterable[Posture]) -> bool:
    """Whether one of them answers badly, as it is now, what whoever broke in can use."""
    exploitable = [question for question in AUDITED if question.exploitable]
    return any(posture.before[question.id] is Answer.BAD for posture in postures for question in exploitable)


def _way_out(standing: Standing, braver: Posture, question: Question) -> WayOut:
    posture = standing.posture
    before, after = posture.before[question.id], posture.after[question.id]
    if before in (Answer.GOOD, Answer.NONE):
        return WayOut()
    if after.rank > before.rank:
        return WayOut(FIX)
    outcomes = list(against(standing.outcomes, question))
    if braver.after[question.id].rank > after.rank:
        return WayOut(HELD_BACK, _missing(outcomes))
    left = (outcome for outcome in outcomes if outcome.status not in (Status.APPLIED, Status.HELD_BACK))
    return WayOut(BY_HAND, next(filter(None, map(_advice, left)), ""))


def _missing(outcomes: Sequence[Outcome]) -> str:
    """What is not known, for which a fix is held back."""
    fixes = (outcome.finding.fix for outcome in outcomes if outcome.status is Status.HELD_BACK)
    return next((fix.missing for fix in fixes if fix is not None and fix.missing), "")


def _advice(outcome: Outcome) -> str:
    finding = outcome.finding
    reason = outcome.why or finding.refusal
    if outcome.status is Status.REFUSED and reason:
        return f"{reason}: {finding.advice}" if finding.advice else reason
    return finding.advice or reason
