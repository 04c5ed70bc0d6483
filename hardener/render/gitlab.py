"""A report as GitLab's code quality report, the part of Code Climate's form that GitLab reads. Knows no hazard.

Silenced findings, and those that were fixed by `--write`, are left out: what is in the report is what is there. A file that could
not be read is an issue too, `unreadable`; what was not judged is one of severity `info`, `not-judged`.
"""

from __future__ import annotations

from typing import Any

from hardener.finding import Finding, Place, Severity
from hardener.fingerprint import fingerprints, relative
from hardener.render.formats import Run
from hardener.render.sentences import headline, rest, trouble
from hardener.render.summary import clean
from hardener.report import Report, Status

_SEVERITIES = {Severity.LOW: "minor", Severity.MEDIUM: "major", Severity.HIGH: "critical", Severity.CRITICAL: "blocker"}


def render(report: Report, run: Run) -> str:
    """The report as an array of issues."""
    from json import dumps

    return dumps(_issues(report, run), indent=2) + "\n"


def _issues(report: Report, run: Run) -> list[dict[str, Any]]:
    found: list[tuple[Finding, str, str]] = [
        (
            outcome.finding,
            _SEVERITIES[outcome.severity],
            ". ".join([headline(outcome), *(sentence.removesuffix(".") for sentence in rest(outcome, written=run.written))]),
        )
        for outcome in report.outcomes
    ]
    for rule, severity, troubles in (("unreadable", "major", report.troubles), ("not-judged", "info", report.notes)):
        found += [(Finding(rule, item.reason, Place(item.path, item.line, 1), ""), severity, trouble(item)) for item in troubles]
    gone = {
        at
        for at, outcome in enumerate(report.outcomes)
        if outcome.status is Status.SILENCED or (run.written and outcome.status is Status.APPLIED)
    }
    known = fingerprints((finding for finding, _, _ in found), run.folder, run.root)
    return [
        {
            "description": description,
            "check_name": finding.rule,
            "fingerprint": known[at],
            "severity": severity,
            "location": {
                "path": clean(relative(finding.place.path, run.folder, run.root)),
                "lines": {"begin": max(1, finding.place.line)},
            },
        }
        for at, (finding, severity, description) in enumerate(found)
        if at not in gone
    ]
