"""All that happened in one run, once: every renderer reads it. Knows no output format but its own JSON form."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING

from hardener.finding import Finding, Severity
from hardener.record import NamedTuple
from hardener.source import Source

if TYPE_CHECKING:
    from hardener.posture import Posture

#: How the reason of what a baseline silences begins; its path follows.
IN_BASELINE = "in the baseline "


class Status(Enum):
    """How a finding ended. Every finding ends in exactly one of these."""

    #: Its fix is part of the result (written, or shown in the diff).
    APPLIED = "applied"
    #: A fix exists, but its evidence is not strong enough for what was asked.
    HELD_BACK = "held-back"
    #: A fix cannot be written here; the reason is given.
    REFUSED = "refused"
    #: There is no mechanical fix; the finding says what to do.
    REPORTED = "reported"
    #: A fix was tried and taken back because the proof failed.
    FAILED = "failed"
    #: Somebody said that it is to be let be; by whom and why is given.
    SILENCED = "silenced"


class Trouble(NamedTuple):
    """A file or project that could not be read or edited. `line` is 0 when the whole file is meant."""

    path: str
    line: int
    reason: str
    remedy: str = ""

    @property
    def at(self) -> str:
        """The path, with the line where one is meant."""
        return f"{self.path}:{self.line}" if self.line else self.path


class FileChange(NamedTuple):
    """A file before and after; `location` is where it lies on disk, empty for standard input."""

    before: Source
    after: Source
    location: str = ""
    #: Whether there is no such file yet; `before` is then without text.
    is_new: bool = False
    #: Of an overlay, the files whose findings it answers, by path; empty for a file that answers its own.
    stands_for: tuple[str, ...] = ()


class Outcome(NamedTuple):
    """A finding and how it ended; `why` says why it was not applied."""

    finding: Finding
    status: Status
    severity: Severity
    why: str = ""
    #: What its fix alone would change in the files as they are, where `Request.singly` asks for that; empty where there is none,
    #: or where it can only be made after another.
    alone: tuple[FileChange, ...] = ()


class Report(NamedTuple):
    """All that happened in one run."""

    outcomes: tuple[Outcome, ...] = ()
    changes: tuple[FileChange, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    #: What was not judged although it could be read, such as a fragment without its base file. No error.
    notes: tuple[Trouble, ...] = ()
    files: int = 0
    containers: int = 0
    stages: int = 0
    #: How each container stands towards the questions of the audit, where that was asked for.
    postures: tuple[Posture, ...] = ()
    #: The fingerprints that a baseline lists and that this run, which looked there, did not find.
    gone: frozenset[str] = frozenset()

    @property
    def applied(self) -> tuple[Outcome, ...]:
        """The outcomes whose fixes are part of the result."""
        return tuple(outcome for outcome in self.outcomes if outcome.status is Status.APPLIED)


def joined(reports: Sequence[Report]) -> Report:
    """Several reports as one, each about other files."""
    if len(reports) == 1:
        return reports[0]
    return Report(
        tuple(outcome for report in reports for outcome in report.outcomes),
        tuple(change for report in reports for change in report.changes),
        tuple(trouble for report in reports for trouble in report.troubles),
        tuple(note for report in reports for note in report.notes),
        sum(report.files for report in reports),
        sum(report.containers for report in reports),
        sum(report.stages for report in reports),
        tuple(posture for report in reports for posture in report.postures),
        frozenset(gone for report in reports for gone in report.gone),
    )
