"""One repository, from its files to its pull requests: what is asked of the forge, in which order. Knows neither rules nor words.

First what is open is kept in order, then what is new is opened, the worst first, as far as the limits go. Nothing here waits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, chdir
from datetime import datetime

from hardener.bot import dashboard, onboarding
from hardener.bot.acting import Acted, act, make_remarks
from hardener.bot.done import Done, Seen, Told
from hardener.bot.forge import (
    Forbidden,
    Forge,
    ForgeError,
    Issue,
    Limited,
    Missing,
    Pull,
    Remark,
    Repository,
    State,
    Unavailable,
)
from hardener.bot.manners import Base, Case, Decision, Do, Room, decide, own_mark, settled
from hardener.bot.marks import CONFIGURE, WITHDRAWN, branch_of, digest
from hardener.bot.proposal import Asked, Bundle, Bundles, Proposal, Snapshot
from hardener.bot.shown_lines import on_shown_lines
from hardener.bot.standing import Trunk, branch_at
from hardener.config import Config, find_config
from hardener.config.find import FILE, SHARED_FILE
from hardener.config.model import PullRequests
from hardener.errors import HardenError
from hardener.record import NamedTuple
from hardener.report import Report, Status, Trouble

#: After so many refusals, one after the other and nothing done between, the token may do nothing here, and no more is tried.
_REFUSALS = 2
#: Folders that hold no product, by how their names begin.
_ASIDE = re.compile(r"\.|(?:e2e|tests?|testing|examples?|samples?|demos?|docs?|ci|hack|fixtures|benchmarks?)\b", re.IGNORECASE)
#: So many branches are looked at that a run may have been cut before it took them away.
_SWEPT = 20


class Making(NamedTuple):
    """Where files, bundles and words come from."""

    #: The files of a commit in a folder, for a while; if so told, large ones in full.
    snapshot: Callable[[Forge, str, bool], AbstractContextManager[Snapshot]]
    #: `believes` is whether evidence that lies in the repository counts.
    bundles: Callable[[Snapshot, Config, Asked, bool], Bundles]
    propose: Callable[[Bundle, Forge, Repository, Config], Proposal]
    #: What is said on lines, of the files as a bundle leaves them.
    remarks: Callable[[Bundle, Snapshot, Callable[[str, int], str]], Sequence[Remark]]
    #: A bundle as it is once it was tried on an engine.
    tried: Callable[[Bundle, Snapshot, Config, Asked, bool], Bundle] = lambda bundle, *_: bundle


def work(forge: Forge, asked: Asked, now: datetime, making: Making) -> Done:
    """Do for one repository what there is to do, or say what that would be; `now` is in UTC.

    Raises nothing of what can go wrong there: what ended the run is in `Done.ended`, with what was done until then.
    """
    run = _Run(forge, asked, now, making)
    ended: HardenError | None = None
    try:
        run.go()
    except HardenError as error:
        ended = error
    return Done(
        repository=run.repository.name,
        base=run.base.branch,
        commit=run.base.commit,
        dry_run=asked.dry_run,
        told=tuple(run.told),
        troubles=tuple(dict.fromkeys(run.troubles)),
        seen=run.seen,
        unbelieved=tuple(dict.fromkeys(run.unbelieved)),
        off=run.off,
        notes=tuple(run.notes),
        dashboard=run.dashboard,
        ended=ended,
    )


def configuration(snapshot: Snapshot) -> Config:
    """What a repository tells at its root. Raises `Unreadable`, with file and line, for what cannot be understood."""
    snapshot.bring(FILE, SHARED_FILE)
    with chdir(snapshot.folder):
        return find_config(".")


class _Run:
    """The state of one run: what was learned and told so far."""

    def __init__(self, forge: Forge, asked: Asked, now: datetime, making: Making) -> None:
        self.forge, self.asked, self.now, self.making = forge, asked, now, making
        self.repository = Repository("", "")
        self.off = self.dashboard = ""
        self.base = Base("", "")
        self.told: list[Told] = []
        self.troubles: list[Trouble] = []
        self.seen: Seen | None = None
        self.unbelieved: list[str] = []
        self.notes: list[str] = []
        self.wishes = PullRequests()
        self.room = Room()
        self.pulls: dict[str, tuple[Pull, ...]] = {}
        self.trunk = Trunk(forge)
        self.refusals = 0
        self.again: frozenset[str] = frozenset()

    def go(self) -> None:
        """All of it; may be left by a `HardenError` at any point."""
        repository = self.repository = self.forge.repository()
        if repository.is_archived:
            self.off = "the repository is archived"
            return
        if not repository.may_push:
            reason = "whoever the token belongs to may not push to this repository"
            if not self.asked.dry_run:
                self.off = reason
                return
            self.notes.append(f"{reason}: nothing of this could be done")
        branch = self.asked.base or repository.branch
        self.base = Base(branch, self.forge.head(branch) if branch else "")
        if not self.base.commit:
            if self.asked.base:
                raise Missing(f"there is no branch {branch}", "name another with --base")
            self.off = "the repository is empty"
            return
        with self.making.snapshot(self.forge, self.base.commit, self.asked.verify) as snapshot:
            config = configuration(snapshot)
            told = config.pull_requests
            if not told.enabled:
                self.off = f"{config.path} says that no pull requests are wanted here"
                return
            self.wishes = self.asked.wishes(told, is_trusted=self._is_trusted)
            if unmet := self.asked.unmet(told, self.wishes):
                self.notes.append(f"the repository is not yours, so {config.path} does not decide {unmet}; see --trust-evidence")
            self._work_on(snapshot, config._replace(pull_requests=self.wishes))

    @property
    def _is_trusted(self) -> bool:
        """Whether the repository's evidence counts, and its configuration is followed in full."""
        return self.repository.is_own or self.asked.trust_evidence

    def _work_on(self, snapshot: Snapshot, config: Config) -> None:
        with chdir(snapshot.folder):
            bundled = self.making.bundles(snapshot, config, self.asked, self._is_trusted)
        self.seen = _seen(bundled.report)
        bundles = sorted(bundled.bundles, key=rank)
        self.troubles += [*snapshot.troubles, *bundled.troubles]
        self.troubles += [trouble for bundle in bundles for trouble in bundle.report.troubles]
        self.unbelieved += [path for bundle in bundles for path in bundle.unbelieved]
        self._see_pulls()
        keeps, issue = self._see_dashboard()
        if not self._onboard(snapshot, config):
            return
        names = {branch_of(self.wishes.branch_prefix, bundle.scope): bundle for bundle in bundles}
        is_open = {name for name in names if any(pull.state is State.OPEN for pull in self.pulls.get(name, ()))}
        self._take_back(names, is_sure=not (self.troubles or self.asked.only), is_configured=bool(config.path))
        for name in sorted(names, key=lambda name: name not in is_open):
            self._see_to_bundle(name, names[name], snapshot, config)
        if keeps:
            self._keep_dashboard(issue)

    def _see_pulls(self) -> None:
        """What is there of all pull requests with our prefix. One from a fork has nothing to do with a branch of ours."""
        prefix = self.wishes.branch_prefix
        found = [pull for pull in self.forge.pulls(prefix) if not pull.is_from_fork and pull.branch.startswith(prefix)]
        for pull in found:
            self.pulls[pull.branch] = (*self.pulls.get(pull.branch, ()), pull)
        self.room = Room(sum(pull.state is State.OPEN for pull in found), tuple(pull.created for pull in found))

    def _see_dashboard(self) -> tuple[bool, Issue | None]:
        """Whether the dashboard is kept, and its issue if there is one. What is ticked there is asked for again."""
        if self.asked.only or not self.wishes.dashboard:
            return False, None  # it lists all, and a run of some rules does not know all
        try:
            issue = self.forge.issue(dashboard.TITLE)
        except ForgeError as error:
            self._do_without_dashboard(error)
            return False, None
        self.again = dashboard.ticked(issue.body) if issue is not None and issue.is_open else frozenset()
        return True, issue

    def _keep_dashboard(self, issue: Issue | None) -> None:
        try:
            unjudged = self.seen.unjudged if self.seen is not None else ()
            self.dashboard = dashboard.keep(
                self.forge, issue, self.told, self.troubles, unjudged, self.again, dry_run=self.asked.dry_run
            )
        except ForgeError as error:
            self._do_without_dashboard(error)

    def _do_without_dashboard(self, error: ForgeError) -> None:
        """A repository need not have issues: that keeps nothing from being proposed."""
        if isinstance(error, (Limited, Unavailable)):
            raise error
        self.notes.append(f"the issue that lists all cannot be kept: {error}")

    def _onboard(self, snapshot: Snapshot, config: Config) -> bool:
        """Propose a configuration where that is asked for and there is none; whether to go on."""
        if not self.asked.onboard or config.path:
            return True
        proposal = onboarding.proposal(self.forge, snapshot, self.wishes.branch_prefix, believes=self._is_trusted)
        case = self._case(proposal.branch, proposal)
        told = self._see_to(case, proposal.scope)
        if told.do is Do.DECLINE:
            self.off = f"it was proposed to configure harden here, and declined ({told.url})"
            return False
        where = f" ({told.url})" if told.url else ""
        self.room = self.room._replace(barred=f"a configuration is proposed first{where}")
        return True

    def _take_back(self, names: Iterable[str], *, is_sure: bool, is_configured: bool) -> None:
        """Close pull requests of ours whose scope is gone, and drop the branches that are left of such."""
        configure = self.wishes.branch_prefix + CONFIGURE
        left = 0
        for name in sorted(self.pulls.keys() - set(names)):
            if name == configure and not is_configured:
                continue
            gone = "there is a configuration now" if name == configure else "what it was about is no longer there"
            case = self._case(name, None)._replace(gone=gone, is_sure=is_sure)
            pull = case.pull or case.last_ended
            mark = own_mark(pull) if pull is not None else None
            if mark is None:
                continue  # somebody's own branch, that begins as ours do
            left += case.pull is None and mark.fixes == WITHDRAWN
            if case.pull is not None or (mark.fixes == WITHDRAWN and left <= _SWEPT):
                self._see_to(case, name)

    def _see_to_bundle(self, name: str, bundle: Bundle, snapshot: Snapshot, config: Config) -> None:
        def proposed() -> Proposal | None:
            return self.making.propose(bundle, self.forge, self.repository, config) if bundle.steps else None

        proposal = proposed()
        # A trial takes minutes: none is made where nothing would come of it.
        first = settled(self._case(name, proposal)) if self.asked.verify else None
        if self.asked.verify and (first is None or first.do not in (Do.LEAVE, Do.POSTPONE)):
            bundle = self.making.tried(bundle, snapshot, config, self.asked, self._is_trusted)
            self.troubles += bundle.report.troubles
            proposal = proposed()
        case = self._case(name, proposal)
        case = case._replace(is_sure=not (bundle.report.troubles or self.asked.only))

        def remarks() -> Sequence[Remark]:
            if proposal is None or not self.wishes.remarks:
                return ()
            return on_shown_lines(self.making.remarks(bundle, snapshot, self.forge.suggestion), proposal.after, snapshot)

        self._see_to(case, bundle.scope, remarks)

    def _case(self, name: str, proposal: Proposal | None) -> Case:
        is_asked_again = digest(name) in self.again
        pulls = self.pulls.get(name, ())
        return Case(name, self.base, self.wishes, self.now, proposal, pulls, self.room, is_asked_again=is_asked_again)

    def _see_to(self, case: Case, scope: str, remarks: Callable[[], Sequence[Remark]] = lambda: ()) -> Told:
        """Decide about one branch, do it, and tell it. What the forge refuses of it is told; what ends the run is raised, too."""
        decision, acted, made, error = Decision(Do.NOTHING, "it did not come to that"), Acted(case.pull, ""), 0, None
        try:
            decision, case = self._decided(case)
            if not self.asked.dry_run:
                acted = act(self.forge, case, decision)
                self.refusals = 0 if decision.do.writes else self.refusals
            self._count(decision.do, acted)
            if decision.do.is_proposed:
                made = make_remarks(self.forge, acted, remarks(), dry_run=self.asked.dry_run)
        except ForgeError as caught:
            error = caught
        told = _told(case, scope, decision, acted, made, error)._replace(sign=self.forge.pull_sign)
        if told.do is not Do.NOTHING or error is not None:
            self.told.append(told)
        self.refusals += isinstance(error, Forbidden)
        if error is not None and (isinstance(error, (Limited, Unavailable)) or self.refusals >= _REFUSALS):
            raise error
        return told

    def _decided(self, case: Case) -> tuple[Decision, Case]:
        """The decision, with a look at the branch only where it takes one."""
        if case.branch == self.base.branch:
            return Decision(Do.STOP, "pull requests go to this branch"), case._replace(pulls=())
        found = settled(case)
        if found is not None:
            return found, case
        # The head as it is now, not as a list of pull requests has it: that may be behind.
        head = self.forge.head(case.branch)
        tips = [self.base.commit]
        if case.pull is not None and case.pull.base != self.base.branch:
            tips.append(self.forge.head(case.pull.base))
        expected = case.proposal.after if case.proposal is not None else {}
        case = case._replace(there=branch_at(self.forge, case.branch, head, self.trunk, tips, expected))
        return decide(case), case

    def _count(self, do: Do, acted: Acted) -> None:
        """Keep the account of what is open, in a dry run of what would be."""
        if do in (Do.OPEN, Do.FINISH):
            created = acted.pull.created if acted.pull is not None else self.now
            self.room = self.room._replace(open=self.room.open + 1, opened=(*self.room.opened, created))
        elif do is Do.CLOSE:
            self.room = self.room._replace(open=self.room.open - 1)


def rank(bundle: Bundle) -> tuple[bool, int, int, int, str]:
    """The order in which they are opened where not all may be: products before tests and examples, then by the worst hazard that
    is repaired, by how many are, and by how far up they lie.
    """
    repaired = [outcome.severity for outcome in bundle.report.applied]
    folders = [] if bundle.scope in (".", "") else bundle.scope.split("/")
    is_aside = any(_ASIDE.match(folder) for folder in folders)
    return is_aside, -max(repaired, default=0), -len(repaired), len(folders), bundle.scope


def _seen(report: Report) -> Seen:
    ended = [outcome.status for outcome in report.outcomes]
    return Seen(report.files, ended.count(Status.HELD_BACK), ended.count(Status.REPORTED), tuple(dict.fromkeys(report.notes)))


def _told(case: Case, scope: str, decision: Decision, acted: Acted, made: int, error: ForgeError | None) -> Told:
    pull = acted.pull
    if pull is None and decision.do is Do.DECLINE:
        pull = case.last_ended
    proposal = case.proposal
    return Told(
        scope=scope,
        branch=case.branch,
        do=decision.do,
        why=decision.why,
        number=pull.number if pull else 0,
        url=pull.url if pull else "",
        title=proposal.title if proposal else pull.title if pull else "",
        until=decision.until,
        remarks=made,
        error=error,
        proposal=proposal,
    )
