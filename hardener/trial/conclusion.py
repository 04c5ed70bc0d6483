"""What follows from a search for the user's own files: what is written to them, what is recorded, what is to be done by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hardener.needs.proven import Proven
from hardener.pipeline import Request, run
from hardener.report import Report, Status
from hardener.trial.candidate import LOCKDOWN, Candidate, Control
from hardener.trial.draft import Draft, asked, controls_behind
from hardener.trial.project import Project
from hardener.trial.record import file_with, records
from hardener.trial.remedy import Complaint
from hardener.trial.search import Result
from hardener.trial.stack import Order
from hardener.trial.verdict import Verdict


def conclude(
    verdict: Verdict,
    result: Result,
    project: Project,
    request: Request,
    draft: Draft,
    existing: Sequence[Order] = (),
    unmet: Sequence[Complaint] = (),
) -> Verdict:
    """The verdict with what a search found.

    `existing` is what of the original's data had to change hands, `unmet` what was wrong over that data when time was over.
    """
    taken_back = [step.remedy for step in result.steps if step.remedy.kind == "without"]
    broke = {(remedy.service, remedy.value): remedy.why for remedy in taken_back}
    left = {control: why for control, why in result.candidate.without.items() if control not in broke}
    verdict = verdict._replace(steps=result.steps, left=left, flaky=result.flaky, noises=result.noises)
    if not result.works:
        last = result.last.complaints if result.last else ()
        told = f" (last: {last[0].service or 'the stack'}: {last[0].text})" if last else ""
        return verdict._replace(stopped=f"no set that works twice was found in the budget: give more with --budget{told}")
    # What is written is what was tried: the same request for the same files.
    final = asked(request, result.candidate, draft.identities)._replace(files=project.found)
    report = run(final)
    if _texts(report) != _texts(draft.judge(result.candidate)):
        return verdict._replace(stopped="the project's files were changed meanwhile: run it again")
    seen = records(project, _proven(project, result.candidate, broke), report, request.engine, draft.digests)
    held = _held(report, project)
    refused = {control: why for control, why in _refused(report, project).items() if control not in held}
    return verdict._replace(
        held=held,
        left={**refused, **left},
        migrations=(*_migrations(report, existing), *map(_over_data, unmet)),
        report=report,
        records=seen,
        record=file_with(project, seen) if seen else ("", ""),
        request=final,
    )


def _texts(report: Report) -> dict[str, str]:
    return {change.before.path: change.after.text for change in report.changes}


def _held(report: Report, project: Project) -> dict[Control, str]:
    return {
        control: outcome.finding.fix.summary
        for outcome in report.outcomes
        if outcome.status is Status.APPLIED and outcome.finding.fix is not None
        for control in controls_behind(outcome.finding, project.builders)
    }


def _refused(report: Report, project: Project) -> dict[Control, str]:
    """What could not be tried, because no fix can be written, or none is known."""
    return {
        control: outcome.why or outcome.finding.advice
        for outcome in report.outcomes
        if outcome.status in (Status.REFUSED, Status.REPORTED) and outcome.finding.rule in LOCKDOWN
        for control in controls_behind(outcome.finding, project.builders)
    }


def _migrations(report: Report, existing: Sequence[Order]) -> tuple[str, ...]:
    """What is to be done by hand: what the trial did where it met data, else what follows from reading."""
    if existing:
        return tuple(
            f"docker compose {' '.join(order.words)} (tried: it works over the data of the original)" for order in existing
        )
    fixes = [outcome.finding.fix for outcome in report.outcomes if outcome.status is Status.APPLIED]
    return tuple(dict.fromkeys(fix.migration for fix in fixes if fix is not None and fix.migration))


def _over_data(complaint: Complaint) -> str:
    who = complaint.service or "the stack"
    return f"{who} did not work over the data that the original had left, and time was over: {complaint.text}"


def _proven(project: Project, candidate: Candidate, broke: Mapping[Control, str]) -> dict[str, Proven]:
    """What is known of each service now that was not before."""
    found = {}
    for service in project.services:
        failed = {rule: why for (name, rule), why in broke.items() if name == service}
        proven = candidate.of(service)._replace(failed=failed)
        if proven != Proven():
            found[service] = proven
    return found
