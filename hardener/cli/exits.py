"""What the exit code says. Pure: a report in, a number out."""

from __future__ import annotations

from hardener.finding import Severity
from hardener.report import Outcome, Report, Status

OK, FINDINGS, TROUBLE, BUG, INTERRUPTED = 0, 1, 2, 3, 130
#: Outcomes that leave the hazard where it was, with nothing in the way but a person. A fix that is held back is
#: not among them: what it lacks is evidence, and no one should need evidence to pass CI.
_REMAINS = (Status.REFUSED, Status.REPORTED)


def exit_code(report: Report, mode: str, fail_on: str) -> int:
    """The exit code of a run in a mode: "report", "check", "diff" or "write".

    2 when something could not be read, or a fix had to be taken back; else 0 after writing; else 1 when a fix would be
    applied and, except for a diff, when a finding at or above `fail_on` (a severity's name, or "never") remains.
    """
    if report.troubles or any(outcome.status is Status.FAILED for outcome in report.outcomes):
        return TROUBLE
    if mode == "write":
        return OK
    return FINDINGS if report.changes or any(fails(outcome, mode, fail_on) for outcome in report.outcomes) else OK


def fails(outcome: Outcome, mode: str, fail_on: str) -> bool:
    """Whether one outcome is a reason not to end with 0, in a mode and with `fail_on` as in `exit_code`."""
    if outcome.status is Status.FAILED:
        return True
    if mode == "write":
        return False
    if outcome.status is Status.APPLIED:
        return True
    if mode == "diff" or fail_on == "never":
        return False
    return outcome.status in _REMAINS and outcome.severity >= Severity[fail_on.upper()]
