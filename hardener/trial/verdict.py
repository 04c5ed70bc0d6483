"""What came out of the trials of a project, once: what was tried, what held, what broke. Knows no engine, and no words."""

from __future__ import annotations

from collections.abc import Mapping

from hardener.needs.recorded import Recorded
from hardener.pipeline import Request
from hardener.record import NamedTuple
from hardener.report import Report
from hardener.trial.candidate import Control
from hardener.trial.remedy import Complaint
from hardener.trial.steps import Step


class Tried(NamedTuple):
    """One life of the stack, original or hardened."""

    what: str
    #: The phase in which it failed; empty when it did not.
    failed: str
    complaints: tuple[Complaint, ...]
    starts: int
    seconds: float


class NotExercised(NamedTuple):
    """What the trial did without, so that it proves nothing about it; an empty service is the project."""

    service: str
    text: str


class Verdict(NamedTuple):
    """All that is to be said of one project."""

    #: Why nothing was proved; empty when something was.
    stopped: str = ""
    tried: tuple[Tried, ...] = ()
    #: What broke, and what mended it, in the order in which it was found out.
    steps: tuple[Step, ...] = ()
    #: What holds, by service and rule, in words.
    held: Mapping[Control, str] = {}
    #: What was not tried or not decided, and why.
    left: Mapping[Control, str] = {}
    flaky: tuple[str, ...] = ()
    noises: tuple[Complaint, ...] = ()
    #: What is written and this engine does not carry out: the service, and what was seen instead.
    unenforced: tuple[tuple[str, str], ...] = ()
    not_exercised: tuple[NotExercised, ...] = ()
    #: What existing data needs before the next start.
    migrations: tuple[str, ...] = ()
    #: What would be written to the user's files, and what was seen of each service.
    report: Report = Report()
    records: Mapping[str, Recorded] = {}
    #: The file for these, and its text.
    record: tuple[str, str] = ("", "")
    #: What the report is the run of: whoever wants a part of it, as of some rules alone, runs that again.
    request: Request | None = None

    @property
    def starts(self) -> int:
        """The number of containers that were started."""
        return sum(tried.starts for tried in self.tried)

    @property
    def seconds(self) -> float:
        """How long all lives took together."""
        return sum(tried.seconds for tried in self.tried)
