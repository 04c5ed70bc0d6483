"""What a decision comes to at a forge: calls, in an order in which any of them may be the last. Decides nothing.

After each call, what is there is something that the next run understands and goes on with: commits without a pull request yet, a
pull request whose words are old, one that says of itself that it was taken back.
"""

from __future__ import annotations

from collections.abc import Sequence

from hardener.bot.forge import Author, Forge, Pull, Remark
from hardener.bot.manners import Case, Decision, Do
from hardener.bot.marks import WITHDRAWN, mark_of, withdrawn
from hardener.bot.notes import closed, has_stopped, stopped
from hardener.record import NamedTuple

_REMARKS = "What harden found on these lines and does not change by itself."


class Acted(NamedTuple):
    """What is there afterwards: the pull request, if any, and its head."""

    pull: Pull | None
    head: str


def act(forge: Forge, case: Case, decision: Decision) -> Acted:
    """Do what was decided. Raises a `ForgeError` where the forge does not, with nothing left that a later run cannot finish."""
    pull, proposal, wishes = case.pull, case.proposal, case.wishes
    head = case.there.head if case.there else ""
    if decision.do in (Do.OPEN, Do.UPDATE, Do.REBASE):
        assert proposal is not None
        head = forge.put_branch(case.branch, head, case.base.commit, proposal.commits, author_of(wishes.author))
    if decision.do in (Do.OPEN, Do.FINISH):
        assert proposal is not None
        title, body = proposal.title, proposal.body
        pull = forge.make_pull(case.branch, case.base.branch, title, body, draft=wishes.draft, labels=wishes.labels)
    elif decision.words and pull is not None and proposal is not None:
        title, body = (proposal.title, proposal.body) if decision.body else (pull.title, pull.body)
        forge.put_pull(pull.number, title=title, body=body, base=case.base.branch)
        pull = pull._replace(title=title, body=body, base=case.base.branch)
    elif decision.do is Do.CLOSE:
        assert pull is not None
        _close(forge, pull, decision.why)
    elif decision.do is Do.STOP and pull is not None and not has_stopped(forge.comments(pull.number)):
        forge.make_comment(pull.number, stopped(case.branch, decision.why, forge.pull_word, dashboard=wishes.dashboard))
    if decision.do in (Do.CLOSE, Do.DROP) and head:
        forge.drop_branch(case.branch, head)
    return Acted(pull, head)


def _close(forge: Forge, pull: Pull, why: str) -> None:
    """Take a pull request back; first of all it says so itself, or a later run would take it for declined."""
    mark = mark_of(pull.body)
    if mark is None or mark.fixes != WITHDRAWN:
        forge.put_pull(pull.number, title=pull.title, body=withdrawn(pull.body, pull.branch), base=pull.base)
    words = closed(why, forge.pull_word)
    if _words(words) not in map(_words, forge.comments(pull.number)):  # a run that was cut here has said it
        forge.make_comment(pull.number, words)
    forge.close_pull(pull.number)


def author_of(text: str) -> Author | None:
    """Whose name is on the commits, from `NAME <EMAIL>`; None where nobody is named."""
    name, _, address = text.rpartition(" <")
    return Author(name, address.removesuffix(">")) if name else None


def make_remarks(forge: Forge, acted: Acted, remarks: Sequence[Remark], *, dry_run: bool) -> int:
    """Make those remarks that are not there yet, as one review; how many they were."""
    if acted.pull is None or not remarks:
        return len(remarks)
    # Lines move when a base does: the same words about the same file were said.
    said = {_said(remark) for remark in forge.remarks(acted.pull.number)}
    new = [remark for remark in remarks if _said(remark) not in said]
    if new and not dry_run:
        forge.make_remarks(acted.pull.number, acted.head, _REMARKS, new)
    return len(new)


def _said(remark: Remark) -> tuple[str, tuple[str, ...]]:
    return remark.path, _words(remark.body)


def _words(text: str) -> tuple[str, ...]:
    """A text without its spaces and line ends, which forges may change."""
    return tuple(text.split())
