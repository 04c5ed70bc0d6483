"""The table of manners: what is decided about one branch, from what is there and what would be proposed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from fake_forge import NOW, FakeForge

from hardener.bot.dashboard import ticked
from hardener.bot.forge import EXECUTABLE, FILE, Commit, Entry, ForgeError, Listing, Pull, State, Written
from hardener.bot.manners import Base, Case, Do, Room, decide, settled
from hardener.bot.marks import (
    WITHDRAWN,
    Trailers,
    branch_of,
    files_digest,
    fixes_said,
    has_new,
    mark_of,
    marked,
    trailers_of,
    with_trailers,
    withdrawn,
)
from hardener.bot.notes import closed, has_stopped, stopped
from hardener.bot.proposal import Asked, Proposal
from hardener.bot.standing import Branch, Series, Trunk, branch_at, sign_of
from hardener.config.model import PullRequests
from hardener.errors import UsageError

BRANCH = "harden/shop"
FIXES, OTHER = "f" * 16, "e" * 16


def message(data: bytes, step: int = 1, steps: int = 1) -> str:
    return with_trailers("Repair it", Trailers(BRANCH, step, steps, files_digest([("x", data)])))


def proposed(data: bytes = b"new", words: str = "words", fixes: str = FIXES) -> Proposal:
    body = marked(words, BRANCH, fixes, "title")
    return Proposal("shop", BRANCH, "title", body, (Commit(message(data), (Written("x", data),)),), fixes)


OURS = Branch("h1", Series("b1", (sign_of(message(b"new")),)))
THEIRS = Branch("h2", None, "its commits are not those that harden made")
PROPOSAL = proposed()


def pull(number: int = 1, state: State = State.OPEN, **fields: Any) -> Pull:
    plain = Pull(number, BRANCH, "main", "title", PROPOSAL.body, state, f"https://forge.example/{number}", NOW)
    return plain._replace(**fields)


CLOSED, MERGED = pull(state=State.CLOSED), pull(state=State.MERGED)
TAKEN_BACK = pull(state=State.CLOSED, body=withdrawn(PROPOSAL.body, BRANCH))
ONE, BOTH = fixes_said(("one",)), fixes_said(("one", "two"))
CLOSED_BOTH = pull(state=State.CLOSED, body=marked("words", BRANCH, BOTH))
PLAIN: Mapping[str, Any] = {"proposal": PROPOSAL, "there": OURS}
LATER = {"base": Base("main", "b2")}


def wish(**fields: Any) -> Mapping[str, Any]:
    return {"wishes": PullRequests(**fields)}


def room(opened: int, *minutes: int) -> Mapping[str, Any]:
    return {"room": Room(opened, tuple(NOW - timedelta(minutes=minute) for minute in minutes))}


@pytest.mark.parametrize(
    ("case", "do"),
    [
        # None was ever made.
        ({"there": Branch()}, Do.OPEN),
        ({"there": OURS}, Do.FINISH),
        ({"there": OURS, **LATER}, Do.OPEN),
        ({"there": OURS, "proposal": proposed(b"other")}, Do.OPEN),
        ({"there": THEIRS}, Do.STOP),
        ({"proposal": None, "there": None}, Do.NOTHING),
        # One is open.
        ({"pulls": (pull(),)}, Do.KEEP),
        ({"pulls": (pull(labels=frozenset(("harden:stop",))),), "there": None}, Do.LEAVE),
        ({"pulls": (pull(labels=frozenset(("harden:stop",))),), "proposal": None, "there": None}, Do.LEAVE),
        ({"pulls": (pull(labels=frozenset(("harden:stop",))),), **wish(stop_label="hands-off")}, Do.KEEP),
        ({"pulls": (pull(),), "there": THEIRS}, Do.STOP),
        ({"pulls": (pull(),), "there": THEIRS, "proposal": None}, Do.STOP),
        ({"pulls": (pull(),), "there": Branch()}, Do.UPDATE),
        ({"pulls": (pull(),), "proposal": proposed(b"other")}, Do.UPDATE),
        ({"pulls": (pull(),), "proposal": proposed(b"other"), **LATER, **wish(rebase="never")}, Do.UPDATE),
        ({"pulls": (pull(),), **LATER}, Do.REBASE),
        ({"pulls": (pull(conflicts=True),), **LATER, **wish(rebase="never")}, Do.KEEP),
        ({"pulls": (pull(conflicts=True),), **LATER, **wish(rebase="conflicts")}, Do.REBASE),
        ({"pulls": (pull(conflicts=False),), **LATER, **wish(rebase="conflicts")}, Do.KEEP),
        ({"pulls": (pull(),), **LATER, **wish(rebase="conflicts")}, Do.KEEP),
        ({"pulls": (pull(),), "proposal": proposed(words="other")}, Do.REWORD),
        ({"pulls": (pull(),), "proposal": proposed(fixes=OTHER)}, Do.REWORD),
        ({"pulls": (pull(base="old"),)}, Do.REWORD),
        ({"pulls": (pull(base="old"),), **LATER, **wish(rebase="never")}, Do.REBASE),
        ({"pulls": (pull(title="theirs", body=f"theirs {PROPOSAL.body}"),)}, Do.KEEP),
        ({"pulls": (pull(body="theirs"),), "proposal": proposed(words="other")}, Do.KEEP),
        ({"pulls": (pull(body=marked("x", "harden/other", FIXES)),), "proposal": proposed(words="other")}, Do.KEEP),
        ({"pulls": (pull(),), "proposal": None}, Do.CLOSE),
        ({"pulls": (pull(),), "proposal": None, "there": Branch()}, Do.CLOSE),
        ({"pulls": (pull(),), "proposal": None, "is_sure": False, "there": None}, Do.KEEP),
        ({"pulls": (pull(),), "proposal": proposed(b"other"), "is_sure": False}, Do.UPDATE),
        ({"pulls": (pull(2), CLOSED)}, Do.KEEP),
        ({"pulls": (pull(),), **room(5, 1, 2, 3)}, Do.KEEP),
        # None is open, and there were some.
        ({"pulls": (CLOSED,), "there": None}, Do.DECLINE),
        ({"pulls": (CLOSED,), "there": None, "proposal": proposed(b"other")}, Do.DECLINE),
        ({"pulls": (CLOSED,), "proposal": proposed(fixes=OTHER), "there": Branch()}, Do.OPEN),
        ({"pulls": (CLOSED,), "proposal": proposed(fixes=OTHER), "there": THEIRS}, Do.STOP),
        ({"pulls": (pull(2, State.MERGED), CLOSED), "there": None}, Do.DECLINE),
        ({"pulls": (CLOSED._replace(body="theirs"),), "proposal": proposed(fixes=OTHER), "there": None}, Do.DECLINE),
        ({"pulls": (CLOSED,), "is_asked_again": True}, Do.FINISH),
        ({"pulls": (CLOSED,), "is_asked_again": True, **room(5), "there": None}, Do.POSTPONE),
        ({"pulls": (CLOSED,), "proposal": None, "there": None}, Do.NOTHING),
        ({"pulls": (TAKEN_BACK,), "there": Branch()}, Do.OPEN),
        ({"pulls": (TAKEN_BACK,), "proposal": None}, Do.DROP),
        ({"pulls": (TAKEN_BACK,), "proposal": None, "there": Branch()}, Do.NOTHING),
        ({"pulls": (TAKEN_BACK,), "proposal": None, "there": THEIRS}, Do.STOP),
        ({"pulls": (MERGED,), "there": None}, Do.DECLINE),
        ({"pulls": (MERGED,), "there": Branch(), "is_asked_again": True}, Do.OPEN),
        ({"pulls": (MERGED._replace(base="old"),), "there": Branch()}, Do.OPEN),
        ({"pulls": (MERGED._replace(body="theirs"),), "there": Branch()}, Do.OPEN),
        ({"pulls": (MERGED,), "proposal": proposed(fixes=OTHER), "there": Branch()}, Do.OPEN),
        ({"pulls": (CLOSED_BOTH,), "there": None, "proposal": proposed(fixes=ONE)}, Do.DECLINE),
        ({"pulls": (CLOSED_BOTH,), "there": Branch(), "proposal": proposed(fixes=fixes_said(("one", "three")))}, Do.OPEN),
        ({"pulls": (MERGED,), "proposal": None, "there": None}, Do.NOTHING),
        ({"pulls": (TAKEN_BACK._replace(state=State.MERGED),), "proposal": None, "there": None}, Do.NOTHING),
        # Limits.
        ({"there": Branch(), **room(4, 70, 80, 90)}, Do.OPEN),
        ({"there": None, **room(5)}, Do.POSTPONE),
        ({"there": None, **room(0, 10, 59)}, Do.POSTPONE),
        ({"there": Branch(), **room(0, 10, 60)}, Do.OPEN),
        ({"there": None, **room(0), **wish(at_once=0)}, Do.POSTPONE),
        ({"there": None, **room(0), **wish(per_hour=0)}, Do.POSTPONE),
        ({"there": None, "room": Room(barred="first another")}, Do.POSTPONE),
    ],
)
def test_what_is_decided(case: Mapping[str, Any], do: Do) -> None:
    fields = {"base": Base("main", "b1"), "wishes": PullRequests(), **PLAIN, **case}
    whole = Case(BRANCH, now=NOW, **fields)
    decision = decide(whole)
    assert decision.do is do
    assert decision.why
    if fields["there"] is None:
        assert settled(whole) == decision


def test_what_is_written_with_it() -> None:
    case = Case(BRANCH, Base("main", "b2"), PullRequests(), NOW, PROPOSAL, (pull(),), there=OURS)
    assert (decide(case).do, decide(case).words) == (Do.REBASE, False)
    assert decide(case._replace(proposal=proposed(words="other"))).words
    taken_over = decide(case._replace(pulls=(pull(body="mine", base="old"),)))
    assert (taken_over.words, taken_over.body) == (True, False)


def test_when_it_may_be_opened() -> None:
    case = Case(BRANCH, Base("main", "b1"), PullRequests(per_hour=2), NOW, PROPOSAL)
    opened = (NOW - timedelta(minutes=5), NOW - timedelta(minutes=30), NOW - timedelta(minutes=50))
    assert decide(case._replace(room=Room(0, opened))).until == NOW + timedelta(minutes=30)


def test_one_that_was_taken_back_says_so_and_nothing_else_of_it_changes() -> None:
    body = "Somebody's words.\r\n\r\n" + PROPOSAL.body.replace("\n", "\r\n") + "more"
    mark = mark_of(withdrawn(body, BRANCH))
    assert mark is not None
    assert mark.fixes == WITHDRAWN
    assert withdrawn(body, BRANCH).replace(WITHDRAWN, FIXES) == body
    again = withdrawn("no mark", BRANCH)
    assert again.startswith("no mark\n")
    assert withdrawn(again, BRANCH) == again


def test_no_scope_has_the_branch_that_proposes_a_configuration() -> None:
    assert branch_of("harden/", "configure") != "harden/configure"


@pytest.mark.parametrize("scope", ["www.example.org", "sites/www.example.org", "awww.b"])
def test_no_branch_has_what_pages_make_a_link_of(scope: str) -> None:
    """It stands in a trailer of each commit."""
    branch = branch_of("harden/", scope)
    assert "www." not in branch
    assert branch == branch_of("harden/", scope)
    assert branch != branch_of("harden/", scope.replace(".", "-"))


def test_names_of_strangers_stay_names_in_what_is_said() -> None:
    said = stopped("harden/@everyone-<b>", "<i>why</i>", "merge request", dashboard=True)
    assert "@everyone-<b>" not in said.replace("`harden/@everyone-<b>`", "")
    assert has_stopped([said])
    assert "merge request" in said
    assert "<script>" not in closed("pull requests go to <script> now", "pull request").replace("`<script>`", "")


def test_only_boxes_that_are_ticked_count() -> None:
    key = "0123456789abcdef"
    line = f"`shop` (#1) <!-- harden: again={key} -->"
    assert ticked(f"words\r\n- [x] {line}\r\n- [ ] `b` <!-- harden: again={'0' * 16} -->\r\n") == {key}
    assert ticked(f"- [ ] {line}\n[x] {line}\n`- [x] {line}`\n") == frozenset()


@pytest.mark.parametrize("mode", [FILE, EXECUTABLE])
def test_who_only_changes_whether_a_file_may_be_started_has_worked_on_it(mode: str) -> None:
    """An amended commit keeps our trailers, and the content is ours."""
    forge = FakeForge({"x": "0"})
    base, other = forge.branches["main"], FILE if mode == EXECUTABLE else EXECUTABLE
    said = with_trailers("Repair it", Trailers(BRANCH, 1, 1, files_digest([("x", b"1")], ["x"] if mode == EXECUTABLE else [])))
    ours = forge.add({"x": (b"1", mode)}, (base,), said)
    theirs = forge.add({"x": (b"1", other)}, (base,), said)
    assert branch_at(forge, BRANCH, ours, Trunk(forge), [base], {}).series is not None
    assert branch_at(forge, BRANCH, theirs, Trunk(forge), [base], {}).foreign == "its files are not as harden left them"


def test_a_long_series_is_known_in_two_answers() -> None:
    forge = FakeForge({"x": "0"})
    commits = [Commit(message(str(step).encode(), step, 60), (Written("x", str(step).encode()),)) for step in range(1, 61)]
    head = forge.put_branch(BRANCH, "", forge.branches["main"], commits, None)
    tips = [forge.branches["main"]]
    forge.calls.clear()
    found = branch_at(forge, BRANCH, head, Trunk(forge), tips, {})
    assert found.series == Series(tips[0], tuple(sign_of(commit.message) for commit in commits))
    assert forge.calls == ["history", "history", "changed", "listing", "read"]
    # Of another branch, or without its first commits, it is nobody's.
    assert branch_at(forge, "harden/other", head, Trunk(forge), tips, {}).series is None
    below = forge.history(head, 2)[1].id
    assert branch_at(forge, BRANCH, below, Trunk(forge), tips, {}).series is None
    last = trailers_of(commits[-1].message)
    assert last is not None
    lone = forge.add(forge.commits[head].tree, (tips[0],), with_trailers("x", last))
    assert branch_at(forge, BRANCH, lone, Trunk(forge), tips, {}).series is None


def test_a_trailer_has_nobody_read_thousands_of_commits() -> None:
    forge = FakeForge({"x": "0"})
    commits = [Commit(message(b"1", step, 9999), (Written("x", b"1"),)) for step in range(9900, 10_000)]
    head = forge.put_branch(BRANCH, "", forge.branches["main"], commits, None)
    forge.calls.clear()
    assert branch_at(forge, BRANCH, head, Trunk(forge), [forge.branches["main"]], {}).series is None
    assert forge.calls == ["history"]


def test_where_not_all_files_are_listed_only_those_that_changed_have_to_be() -> None:
    forge = FakeForge({"x": "0", "y": "0"})
    head = forge.put_branch(BRANCH, "", forge.branches["main"], [Commit(message(b"1"), (Written("x", b"1"),))], None)
    x, y = forge.listing(head).entries
    assert (x.path, y.path) == ("x", "y")

    def found(*entries: Entry) -> Branch:
        forge.listed = Listing(entries, complete=False)
        return branch_at(forge, BRANCH, head, Trunk(forge), [forge.branches["main"]], {})

    assert found(x).series is not None
    with pytest.raises(ForgeError, match="does not list all files"):
        found(y)


def test_what_is_asked_for_comes_before_what_is_configured() -> None:
    told = PullRequests(author="A <a@example.com>", draft=True, per="file")
    assert Asked().wishes(told, is_trusted=True) == told
    wishes = Asked(per="rule", sign_off=True, remarks=True).wishes(told, is_trusted=True)
    assert wishes == told._replace(per="rule", sign_off=True, remarks=True)
    assert Asked(author="B <b@example.com>").wishes(told, is_trusted=True).author == "B <b@example.com>"
    with pytest.raises(UsageError, match="nobody is named"):
        Asked(sign_off=True).wishes(PullRequests(), is_trusted=True)
    with pytest.raises(UsageError, match="nobody is named"):
        Asked().wishes(PullRequests(sign_off=True), is_trusted=True)


def test_somebody_elses_repository_neither_signs_for_whoever_runs_the_bot_nor_has_it_flood() -> None:
    told = PullRequests(
        author="L <l@example.com>",
        sign_off=True,
        rule_pages="https://x",
        per_hour=100,
        at_once=1,
        labels=("x",),
        draft=True,
        remarks=True,
    )
    wishes = Asked().wishes(told, is_trusted=False)
    assert wishes == told._replace(author="", sign_off=False, rule_pages="", per_hour=PullRequests().per_hour)
    assert Asked().unmet(told, wishes) == "`author`, `sign-off`, `rule-pages`, `per-hour`"
    # With a name of one's own, it is still oneself who signs off, or not.
    mine = Asked(author="B <b@example.com>")
    assert mine.wishes(told, is_trusted=False)[:6] == (*told[:4], "B <b@example.com>", False)
    assert Asked(author="B <b@example.com>", sign_off=True).wishes(told, is_trusted=False).sign_off
    assert not Asked().unmet(told, told)


def test_fixes_are_told_apart_as_far_as_there_is_room() -> None:
    many = [f"fix {number}" for number in range(2000)]
    for fixes in ([], ["one"], many[:500], many):
        said = fixes_said(fixes)
        assert fixes_said(reversed(fixes)) == said
        assert mark_of(marked("x", BRANCH, said)) == (BRANCH, said, mark_of(marked("x", BRANCH, FIXES)).body)  # type: ignore[union-attr]
        assert len(said) < 5000
    assert not has_new(fixes_said(many[:100]), fixes_said(many[:200]))
    assert has_new(fixes_said(many[:200]), fixes_said(many[:100]))
