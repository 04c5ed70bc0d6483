"""What is proposed: the values between a report and a pull request. Knows no forge, and no words for people."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING

from hardener.config.model import PullRequests
from hardener.errors import UsageError
from hardener.record import NamedTuple
from hardener.report import Outcome, Report, Trouble

if TYPE_CHECKING:
    from hardener.bot.forge import Commit, Entry, Written
    from hardener.pipeline import Request
    from hardener.trial.verdict import Verdict


class Asked(NamedTuple):
    """What whoever runs the bot asks for, beside what the repository's own configuration says."""

    #: The branch that pull requests go to; empty for the repository's own.
    base: str = ""
    #: Only these rules; empty for those of the configuration.
    only: frozenset[str] = frozenset()
    #: Say what would be done, and do nothing.
    dry_run: bool = False
    draft: bool = False
    #: Try each bundle on the engine here, and propose what held: it runs what the repository contains.
    verify: bool = False
    #: Also fixes whose evidence is incomplete.
    unsafe: bool = False
    #: Believe files of evidence and profiles in a repository that is somebody else's, and whom its configuration has commit.
    trust_evidence: bool = False
    #: Say on the lines what is held back; keep the issue that lists all; propose a configuration before all else.
    remarks: bool = False
    dashboard: bool = False
    onboard: bool = False
    #: What one pull request is about, where that is not what the configuration says.
    per: str = ""
    #: Whose name is on the commits, as `NAME <EMAIL>`, and whether they are signed off, in place of what the configuration says.
    author: str = ""
    sign_off: bool = False

    def wishes(self, told: PullRequests, *, is_trusted: bool) -> PullRequests:
        """How the bot behaves: as the repository configures it, changed by what is asked for. Raises `UsageError`.

        The configuration of a repository that is not trusted, as it is somebody else's, cannot put a name or a sign-off on
        commits, choose where links lead, or have more opened than by default.
        """
        wishes = told if is_trusted else _bounded(told)
        wishes = wishes._replace(
            per=self.per or wishes.per,
            draft=self.draft or wishes.draft,
            author=self.author or wishes.author,
            sign_off=self.sign_off or wishes.sign_off,
            remarks=self.remarks or wishes.remarks,
            dashboard=self.dashboard or wishes.dashboard,
        )
        if wishes.sign_off and not wishes.author:
            raise UsageError("commits are to be signed off, and nobody is named: say who with --author, or `author` below [pr]")
        return wishes

    def unmet(self, told: PullRequests, wishes: PullRequests) -> str:
        """The keys of the configuration that are not followed, for people; empty where all are."""
        differ = {name for name in _TRUSTED if getattr(told, name) != getattr(wishes, name)}
        given = {name for name in ("author", "sign_off") if getattr(self, name)}
        return ", ".join(f"`{name.replace('_', '-')}`" for name in _TRUSTED if name in differ - given)


#: Keys that are only followed in full where the repository is trusted: in whose name something is said, where links lead, and how
#: much is opened.
_TRUSTED = ("author", "sign_off", "rule_pages", "per_hour", "at_once")


def _bounded(told: PullRequests) -> PullRequests:
    """A configuration, as far as it is followed in a repository that is not trusted."""
    usual = PullRequests()
    return told._replace(
        author=usual.author,
        sign_off=usual.sign_off,
        rule_pages=usual.rule_pages,
        per_hour=min(told.per_hour, usual.per_hour),
        at_once=min(told.at_once, usual.at_once),
    )


class Snapshot(NamedTuple):
    """The files of a commit, laid out in a folder that looks like the root of a repository.

    Each file is there with its name and mode, but may be NUL from end to end until it is fetched; `Request.fetch` does so for all
    that a run reads. Links and submodules are not there.
    """

    folder: str
    commit: str
    entries: Mapping[str, Entry]
    #: Brings the content of the file at an absolute location, if it is not there yet; raises a `ForgeError`.
    fetch: Callable[[str], None]
    #: What could not be laid out, and why.
    troubles: tuple[Trouble, ...] = ()

    def bring(self, *paths: str) -> None:
        """Bring the contents of files, by their paths from the root; a path without a file is passed over."""
        for path in paths:
            if path in self.entries:
                self.fetch(os.path.join(self.folder, path))


class Per(Enum):
    """What one pull request is about."""

    #: A Compose project with the Dockerfiles that it builds, a folder of manifests, a chart, a folder of Dockerfiles.
    PROJECT = "project"
    FILE = "file"
    RULE = "rule"
    REPOSITORY = "repository"


class Step(NamedTuple):
    """What one rule changes, on top of the steps before it: one commit."""

    #: The id of the rule; empty for what only follows from all of them together.
    rule: str
    #: Every file that it changes, as this step leaves it.
    files: tuple[Written, ...]
    #: What it says and where: the report's outcomes of this rule.
    report: Report
    #: What it makes of fixes of steps before it: a container that no longer starts as root needs fewer capabilities.
    also: tuple[Outcome, ...] = ()


class Bundle(NamedTuple):
    """What belongs into one pull request."""

    #: What it is about, stable from run to run and unique in the repository: a folder such as `deploy/shop`, `.` for the root, a
    #: file, a rule, or empty for all of the repository.
    scope: str
    per: Per
    #: All that is known of its files: applied, held back, without a fix; with postures, before and after.
    report: Report
    #: Together, they come to exactly the changes of the report.
    steps: tuple[Step, ...]
    #: The fixes that are made, as marks have them: the same as long as they are the same fixes, wherever lines move.
    fixes: str
    #: Files of evidence in the repository that were found and not believed, because it is somebody else's.
    unbelieved: tuple[str, ...] = ()
    #: What a trial on an engine came to, where one was made.
    verdict: Verdict | None = None
    #: The runs that it comes from: one for each set of files that have to be judged at once.
    requests: tuple[Request, ...] = ()

    @property
    def before(self) -> Mapping[str, bytes]:
        """What the files that it changes say as they are, by path; a new one is not there."""
        return {change.before.path: change.before.to_bytes() for change in self.report.changes if not change.is_new}


class Bundles(NamedTuple):
    """What may become pull requests: each file that was looked at is in one, with what was found there, fixed or not."""

    bundles: tuple[Bundle, ...]
    #: What was in the way and belongs to none of them, beside what the snapshot has of its own.
    troubles: tuple[Trouble, ...] = ()
    #: All that came of the files, whichever bundle it is in.
    report: Report = Report()


class Proposal(NamedTuple):
    """A pull request to be."""

    scope: str
    branch: str
    title: str
    #: Markdown, with the line that we know it by again.
    body: str
    commits: tuple[Commit, ...]
    #: As in the bundle.
    fixes: str
    #: What the files that it changes say on the base, by path, for whoever shows the difference; a new one is not there.
    before: Mapping[str, bytes] = {}

    @property
    def after(self) -> Mapping[str, bytes]:
        """What each file that it changes says once all commits are made, by path."""
        return {file.path: file.data for commit in self.commits for file in commit.files}
