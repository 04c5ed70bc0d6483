"""What is to be done about one pull request, and why: all of the bot's manners, as a function of values. Knows no forge.

Nobody's work is written over, nothing closed is opened again, and nothing is written that changes nothing. What a run decides,
the next decides again from what anybody can see; so a run that was cut somewhere is simply gone on with.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from hardener.bot.forge import Pull, State
from hardener.bot.marks import WITHDRAWN, Mark, has_new, mark_of
from hardener.bot.proposal import Proposal
from hardener.bot.standing import Branch, Series, sign_of
from hardener.config.model import PullRequests
from hardener.record import NamedTuple

_HOUR = timedelta(hours=1)


class Do(Enum):
    """What is done about a pull request."""

    #: Commits are made, and a pull request of them; or only the latter, where a run was cut between.
    OPEN = "open"
    FINISH = "finish"
    #: Its commits are made anew: because the files are to be others, or because the base has moved.
    UPDATE = "update"
    REBASE = "rebase"
    #: Only its words, or where it goes to, are written anew.
    REWORD = "reword"
    #: It is as it should be: nothing is written.
    KEEP = "keep"
    #: It is taken back, with its branch; or only its branch is left of it, and goes.
    CLOSE = "close"
    DROP = "drop"
    #: Somebody else's work is on its branch, which is left alone from then on.
    STOP = "stop"
    #: Somebody has it left alone, by a label.
    LEAVE = "leave"
    #: It was closed once, and is not proposed again.
    DECLINE = "decline"
    #: It comes in a later run.
    POSTPONE = "postpone"
    #: There is nothing to propose, and nothing there.
    NOTHING = "nothing"

    @property
    def writes(self) -> bool:
        """Whether a branch or a pull request changes by it. `STOP` only leaves a comment."""
        return self in _WRITES

    @property
    def is_proposed(self) -> bool:
        """Whether a pull request of ours is open afterwards, with what we propose in it."""
        return self in _PROPOSED


_PROPOSED = (Do.OPEN, Do.FINISH, Do.UPDATE, Do.REBASE, Do.REWORD, Do.KEEP)
_WRITES = (Do.OPEN, Do.FINISH, Do.UPDATE, Do.REBASE, Do.REWORD, Do.CLOSE, Do.DROP)


class Base(NamedTuple):
    """The branch that pull requests go to, and the commit that it is at."""

    branch: str
    commit: str


class Room(NamedTuple):
    """What limits have to be told of all pull requests with our prefix."""

    open: int = 0
    #: When each was opened, whatever became of it.
    opened: tuple[datetime, ...] = ()
    #: Why none may be opened now, whatever the limits say.
    barred: str = ""


class Case(NamedTuple):
    """All that counts for the decision about one branch."""

    branch: str
    base: Base
    wishes: PullRequests
    now: datetime
    #: What would be proposed; None for nothing.
    proposal: Proposal | None = None
    #: Every pull request from this branch, none of them from a fork.
    pulls: tuple[Pull, ...] = ()
    room: Room = Room()
    #: What is on the branch; None where nobody has looked.
    there: Branch | None = None
    #: Why there is nothing to propose, for people; and whether that is sure, which it is not where files could not be read.
    gone: str = "there is nothing left to propose here"
    is_sure: bool = True
    #: Whether somebody asks to have it again, although it was declined.
    is_asked_again: bool = False

    @property
    def pull(self) -> Pull | None:
        """The open pull request: the one to the base, where there are several, and else the newest."""
        found = sorted((pull for pull in self.pulls if pull.state is State.OPEN), key=lambda pull: -pull.number)
        return next((pull for pull in found if pull.base == self.base.branch), found[0] if found else None)

    @property
    def last_ended(self) -> Pull | None:
        """The newest pull request that was closed or merged."""
        return max((pull for pull in self.pulls if pull.state is not State.OPEN), key=lambda pull: pull.number, default=None)


class Decision(NamedTuple):
    """What to do, and why, in words that need no sentence before them."""

    do: Do
    why: str
    #: Whether title, body and base of the open pull request are written, too.
    words: bool = False
    #: Whether its title and body are still ours to write: not once somebody has taken our mark out.
    body: bool = True
    #: When it may be done, where it is postponed until a time.
    until: datetime | None = None


def settled(case: Case) -> Decision | None:
    """The decision that needs no look at the branch; None where it takes one."""
    pull = case.pull
    if pull is not None:
        if case.wishes.stop_label and case.wishes.stop_label in pull.labels:
            return Decision(Do.LEAVE, f"it has the label {case.wishes.stop_label}")
        if case.proposal is None and not case.is_sure:
            return Decision(Do.KEEP, "not all of it could be looked at this time")
        return None
    if case.proposal is None:
        last = case.last_ended
        if last is not None and last.state is State.CLOSED and (mark := own_mark(last)) and mark.fixes == WITHDRAWN:
            return None
        return Decision(Do.NOTHING, case.gone)
    if not case.is_asked_again and (declined := _declined(case, case.proposal)):
        return declined
    return _postponed(case)


def decide(case: Case) -> Decision:
    """What is to be done about a branch that was looked at, unless it is settled before."""
    found = settled(case)
    if found is not None:
        return found
    there = case.there
    assert there is not None, "the branch has to be looked at"
    if there.head and there.series is None:
        return Decision(Do.STOP, there.foreign)
    if case.proposal is None:
        if case.pull is not None:
            return Decision(Do.CLOSE, case.gone)
        return Decision(Do.DROP, "its pull request was taken back") if there.head else Decision(Do.NOTHING, case.gone)
    pull = case.pull
    if pull is None:
        if there.series and _is_same(there.series, case.proposal) and there.series.base == case.base.commit:
            return Decision(Do.FINISH, "its commits are there already")
        return Decision(Do.OPEN, "it is new" if not case.pulls else "what there is to propose is new")
    return _open_one(case, pull, case.proposal, there.series)


def _open_one(case: Case, pull: Pull, proposal: Proposal, series: Series | None) -> Decision:
    """What is to be done about an open pull request of ours."""
    old, new = own_mark(pull), mark_of(proposal.body)
    is_body_ours = old is not None
    is_reworded = old is not None and new is not None and (old.body, old.fixes) != (new.body, new.fixes)
    is_elsewhere = pull.base != case.base.branch
    words = is_reworded or is_elsewhere

    def decision(do: Do, why: str) -> Decision:
        return Decision(do, why, words=words, body=is_body_ours)

    if series is None:
        return decision(Do.UPDATE, "its branch is gone")
    if not _is_same(series, proposal):
        return decision(Do.UPDATE, "what there is to change is different now")
    if series.base != case.base.commit:
        if is_elsewhere:
            return decision(Do.REBASE, f"pull requests go to {case.base.branch} now")
        if case.wishes.rebase == "always":
            return decision(Do.REBASE, f"{case.base.branch} has moved on")
        if case.wishes.rebase == "conflicts" and pull.conflicts:
            return decision(Do.REBASE, f"it no longer fits {case.base.branch}")
    if words:
        return decision(Do.REWORD, "what there is to say is different now" if is_reworded else "it goes elsewhere now")
    return decision(Do.KEEP, "it is as it should be")


def own_mark(pull: Pull) -> Mark | None:
    """The mark of a pull request; None without one, or where the text was taken from that of another branch."""
    mark = mark_of(pull.body)
    return mark if mark is not None and mark.branch == pull.branch else None


def _is_same(series: Series, proposal: Proposal) -> bool:
    return series.signs == tuple(sign_of(commit.message) for commit in proposal.commits)


def _declined(case: Case, proposal: Proposal) -> Decision | None:
    """Whether somebody has said no to all of these fixes: by closing a pull request, or by taking back what one had brought."""
    for pull in sorted(case.pulls, key=lambda one: -one.number):
        mark = own_mark(pull)
        is_old = mark is not None and not has_new(proposal.fixes, mark.fixes)
        if pull.state is State.CLOSED and (mark is None or is_old):
            why = "there is no other fix now" if mark else "its text no longer says which fixes it was about"
            return Decision(Do.DECLINE, f"number {pull.number} was closed, and {why}")
        if pull.state is State.MERGED and pull.base == case.base.branch and is_old:
            return Decision(Do.DECLINE, f"number {pull.number} was merged, and what it did was taken back")
    return None


def _postponed(case: Case) -> Decision | None:
    """Why a pull request may not be opened now, if so."""
    room, wishes = case.room, case.wishes
    if room.barred:
        return Decision(Do.POSTPONE, room.barred)
    if room.open >= wishes.at_once:
        return Decision(Do.POSTPONE, f"no more than {wishes.at_once} are open at once: merge or close one")
    recent = sorted((at for at in room.opened if at > case.now - _HOUR), reverse=True)
    if len(recent) >= wishes.per_hour:
        until = recent[wishes.per_hour - 1] + _HOUR if wishes.per_hour > 0 else None
        return Decision(Do.POSTPONE, f"no more than {wishes.per_hour} are opened in an hour", until=until)
    return None
