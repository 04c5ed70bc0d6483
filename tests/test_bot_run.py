"""The bot above a forge in memory: what a first run opens, a second leaves alone, and what any cut leaves to the next."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bot_scenes import NOW, WIDE, Do, Words, run, told, well
from fake_forge import FailAt, FakeForge, refuse_writes

from hardener.bot.dashboard import TITLE
from hardener.bot.forge import EXECUTABLE, Forbidden, ForgeError, Limited, Moved, Remark, State, Unavailable
from hardener.bot.marks import WITHDRAWN, mark_of
from hardener.bot.proposal import Bundle, Per
from hardener.bot.run import rank
from hardener.errors import Unreadable
from hardener.finding import Finding, Place, Severity
from hardener.report import Outcome, Report, Status

BAD = "a: privileged\r\nb: root\r\n"


@pytest.fixture(autouse=True)
def plain_words() -> Iterator[None]:
    yield
    Words.tone = "plainly"


def shop(**files: str) -> FakeForge:
    """A repository with a bad project in `shop`."""
    return FakeForge({"hardener.toml": WIDE, "shop/compose.yaml": BAD, **files})


def opened() -> FakeForge:
    forge = shop()
    assert well(forge) == {"shop": Do.OPEN}
    return forge


def test_the_first_run_opens_and_the_second_writes_nothing() -> None:
    forge = opened()
    assert forge.writes() == ["put_branch", "make_pull"]
    reads = forge.calls.count("read")
    tree, main = forge.tree("harden/shop"), forge.tree("main")
    assert tree == {**main, "shop/compose.yaml": (b"a: confined\r\nb: nobody\r\n", "100644")}
    commits = forge.history(forge.branches["harden/shop"], 9)
    assert [commit.message.split("\n")[0] for commit in commits] == ["Repair root-user", "Repair privileged-container", "begin"]
    (pull,) = forge.open()
    assert (pull.branch, pull.base, pull.title) == ("harden/shop", "main", "Harden shop")
    done = run(forge)
    assert [(one.do, one.number, one.url) for one in done.told] == [(Do.KEEP, 1, pull.url)]
    assert forge.writes() == []
    # What the forge is asked for a branch that is as it should be: its files are known by their ids.
    assert len(forge.calls) < 15
    assert forge.calls.count("read") == reads


def test_modes_are_kept() -> None:
    forge = shop()
    tree = {**forge.tree("main"), "shop/compose.yaml": (BAD.encode(), EXECUTABLE)}
    forge.branches["main"] = forge.add(tree, (), "begin")
    well(forge)
    assert forge.tree("harden/shop")["shop/compose.yaml"][1] == EXECUTABLE


def test_a_changed_file_updates_it() -> None:
    forge = opened()
    forge.push("main", {"shop/compose.yaml": BAD + "c: new\r\n"})
    assert well(forge) == {"shop": Do.UPDATE}
    # The fixes are the same, and so are the words.
    assert forge.writes() == ["put_branch"]
    assert forge.tree("harden/shop")["shop/compose.yaml"][0] == b"a: confined\r\nb: nobody\r\nc: new\r\n"
    forge.push("main", {"shop/compose.yaml": "a: privileged\n"})
    assert well(forge) == {"shop": Do.UPDATE}
    assert forge.writes() == ["put_branch", "put_pull"]
    assert "root" not in forge.made[1].body
    assert len(forge.made) == 1
    assert well(forge) == {"shop": Do.KEEP}
    assert forge.writes() == []


@pytest.mark.parametrize(
    "interfere",
    [
        lambda forge: forge.push("harden/shop", {"shop/compose.yaml": "mine"}),
        lambda forge: forge.push("harden/shop", {"other": "mine"}),
        lambda forge: forge.amend("harden/shop", {"shop/compose.yaml": "mine"}),
        lambda forge: forge.amend("harden/shop", {"other": "mine"}),
        lambda forge: forge.amend("harden/shop", {"hardener.toml": None}),
        lambda forge: _below(forge),
        lambda forge: _squashed(forge),
        lambda forge: _merged(forge),
    ],
    ids=["on-top", "another-file", "amended", "amended-by-a-file", "amended-by-less", "below", "squashed", "merged"],
)
def test_foreign_work_stops_it_and_is_said_once(interfere: Callable[[FakeForge], None]) -> None:
    forge = opened()
    mine = forge.branches["harden/shop"]
    interfere(forge)
    theirs = forge.branches["harden/shop"]
    forge.push("main", {"shop/compose.yaml": BAD + "c: new\r\n"})
    assert well(forge) == {"shop": Do.STOP}
    assert forge.writes() == ["make_comment"]
    (comment,) = forge.said[1]
    assert "`harden/shop`" in comment
    assert "hand it back" in comment
    assert well(forge) == {"shop": Do.STOP}
    assert forge.writes() == []
    assert forge.branches["harden/shop"] == theirs
    # Handed back.
    forge.branches["harden/shop"] = mine
    assert well(forge) == {"shop": Do.UPDATE}


@pytest.mark.parametrize("pushed", [0, 2])
def test_a_base_that_somebody_merged_into_their_work_is_still_the_base(pushed: int) -> None:
    forge = shop()
    begin = forge.branches["main"]
    forge.push("main", {"other": "1"})
    assert well(forge) == {"shop": Do.OPEN}
    for number in range(pushed):
        forge.push("main", {"other": f"later {number}"})
    tree = {**forge.tree("main"), "theirs": (b"mine", "100644")}
    theirs = forge.add({**forge.commits[begin].tree, "theirs": (b"mine", "100644")}, (begin,), "mine")
    # As `git pull` merges: what was on the branch is the second parent.
    forge.branches["main"] = forge.add(tree, (theirs, forge.branches["main"]), "Merge branch 'main'")
    assert well(forge) == {"shop": Do.REBASE}
    assert forge.history(forge.branches["harden/shop"], 9)[2].id == forge.branches["main"]
    assert well(forge) == {"shop": Do.KEEP}


def _below(forge: FakeForge) -> None:
    """Somebody's commit under ours, which are as they were."""
    at = forge.add({**forge.tree("main"), "other": (b"mine", "100644")}, (forge.branches["main"],), "theirs")
    for past in reversed(forge.history(forge.branches["harden/shop"], 2)):
        tree = {**forge.commits[past.id].tree, "other": (b"mine", "100644")}
        at = forge.add(tree, (at,), forge.commits[past.id].message)
    forge.branches["harden/shop"] = at


def _squashed(forge: FakeForge) -> None:
    last = forge.commits[forge.branches["harden/shop"]]
    forge.branches["harden/shop"] = forge.add(last.tree, (forge.branches["main"],), last.message)


def _merged(forge: FakeForge) -> None:
    """A merge that keeps our files and our words, such as `git merge --strategy ours` amended."""
    last = forge.commits[forge.branches["harden/shop"]]
    other = forge.add({}, (), "theirs")
    forge.branches["harden/shop"] = forge.add(last.tree, (*last.parents, other), last.message)


def test_a_closed_one_stays_closed_until_the_fixes_are_others() -> None:
    forge = opened()
    forge.close_pull(1)
    assert well(forge) == {"shop": Do.DECLINE}
    assert forge.writes() == []
    forge.lose("harden/shop")
    forge.push("main", {"shop/compose.yaml": "# moved\r\n" + BAD})
    done = run(forge)
    assert (told(done, "shop").do, told(done, "shop").number) == (Do.DECLINE, 1)
    assert forge.writes() == []
    forge.push("main", {"shop/compose.yaml": "b: root\n"})
    assert well(forge) == {"shop": Do.OPEN}
    assert forge.made[1].state is State.CLOSED
    assert forge.made[2].state is State.OPEN


def test_one_whose_mark_was_taken_out_is_declined_whatever_the_fixes() -> None:
    forge = opened()
    forge.change(1, body="we looked at this", state=State.CLOSED)
    forge.push("main", {"shop/compose.yaml": "b: root\n"})
    assert well(forge) == {"shop": Do.DECLINE}
    assert forge.writes() == []


def test_a_merged_one_leaves_room_for_the_next() -> None:
    forge = opened()
    forge.merge(1)
    assert well(forge) == {}
    assert forge.writes() == []
    forge.push("main", {"shop/compose.yaml": "a: privileged\n"})
    assert well(forge) == {"shop": Do.OPEN}
    assert forge.made[2].state is State.OPEN


@pytest.mark.parametrize(
    ("rebase", "conflicts", "do"),
    [
        ("always", None, Do.REBASE),
        ("never", True, Do.KEEP),
        ("conflicts", False, Do.KEEP),
        ("conflicts", None, Do.KEEP),
        ("conflicts", True, Do.REBASE),
    ],
)
def test_the_base_moved(rebase: str, conflicts: bool | None, do: Do) -> None:
    forge = shop(**{"hardener.toml": f'{WIDE}rebase = "{rebase}"\n'})
    well(forge)
    forge.change(1, conflicts=conflicts)
    forge.push("main", {"README": "more"})
    assert well(forge) == {"shop": do}
    assert forge.writes() == (["put_branch"] if do is Do.REBASE else [])
    assert ("README" in forge.tree("harden/shop")) is (do is Do.REBASE)
    assert well(forge) == {"shop": Do.KEEP}


def test_another_base_is_gone_to() -> None:
    forge = opened()
    forge.branches["next"] = forge.add(forge.tree("main"), (), "another root")
    assert well(forge, base="next") == {"shop": Do.REBASE}
    assert forge.writes() == ["put_branch", "put_pull"]
    assert forge.made[1].base == "next"
    assert well(forge, base="next") == {"shop": Do.KEEP}
    assert forge.writes() == []
    assert str(run(forge, base="nowhere").ended).startswith("there is no branch nowhere")


def test_only_what_we_would_say_otherwise_is_said_anew() -> None:
    forge = opened()
    forge.change(1, title="ours now", body=f"We added this.\n\n{forge.made[1].body}")
    assert well(forge) == {"shop": Do.KEEP}
    assert forge.writes() == []
    Words.tone = "politely"
    assert well(forge) == {"shop": Do.REWORD}
    assert forge.writes() == ["put_pull"]
    assert forge.made[1].title == "Harden shop"
    assert forge.made[1].body.startswith("Said politely")
    # A body without our line is no longer ours, and the branch still is.
    forge.change(1, body="All mine.")
    Words.tone = "plainly"
    assert well(forge) == {"shop": Do.KEEP}
    assert forge.writes() == []
    forge.push("main", {"shop/compose.yaml": "b: root\n"})
    assert well(forge) == {"shop": Do.UPDATE}
    assert forge.writes() == ["put_branch"]
    assert forge.made[1].body == "All mine."


def test_a_sign_off_that_is_asked_for_later_makes_new_commits() -> None:
    forge = opened()
    wish = '[pr]\nsign-off = true\nauthor = "Ann Example <ann@example.com>"\n'
    forge.push("main", {"hardener.toml": wish})
    assert well(forge) == {"shop": Do.UPDATE}
    commit = forge.commits[forge.branches["harden/shop"]]
    assert commit.message.endswith("Signed-off-by: Ann Example <ann@example.com>\n")
    assert commit.author is not None
    assert tuple(commit.author) == ("Ann Example", "ann@example.com")


def test_limits_the_worst_first() -> None:
    files = {f"{name}/compose.yaml": "b: root\n" for name in "abcd"} | {"z/compose.yaml": "a: privileged\n"}
    forge = FakeForge({**files, "hardener.toml": "[pr]\nper-hour = 2\nat-once = 3\n"})
    done = run(forge)
    assert {one.scope: one.do for one in done.told} == dict.fromkeys("za", Do.OPEN) | dict.fromkeys("bcd", Do.POSTPONE)
    assert told(done, "b").until == NOW + timedelta(hours=1)
    forge.now += timedelta(minutes=59)
    assert Do.OPEN not in well(forge).values()
    assert forge.writes() == []
    forge.now += timedelta(minutes=2)
    done = run(forge)
    assert [one.scope for one in done.told if one.do is Do.OPEN] == ["b"]
    assert told(done, "c").until is None
    assert "3 are open" in told(done, "c").why
    forge.merge(1)
    forge.now += timedelta(days=1)
    assert well(forge)["c"] is Do.OPEN
    # A dry run counts what it would open.
    forge = FakeForge({**files, "hardener.toml": "[pr]\nper-hour = 2\n"})
    assert list(well(forge, dry_run=True).values()).count(Do.OPEN) == 2


def test_a_label_has_it_left_alone() -> None:
    forge = opened()
    forge.change(1, labels=frozenset(("harden:stop",)))
    forge.push("main", {"shop/compose.yaml": "b: root\n"})
    assert well(forge) == {"shop": Do.LEAVE}
    assert forge.writes() == []


def test_a_dry_run_writes_nothing_and_says_the_same() -> None:
    forge = busy()
    forge.fail = refuse_writes
    would = well(forge, dry_run=True, dashboard=True, remarks=True)
    forge.fail = lambda method, is_over: None
    assert would == well(forge, dashboard=True, remarks=True)
    assert set(would.values()) > {Do.OPEN, Do.UPDATE, Do.CLOSE, Do.STOP, Do.KEEP}
    forge = shop()
    forge.about = forge.about._replace(may_push=False)
    done = run(forge, dry_run=True)
    assert told(done, "shop").do is Do.OPEN
    assert told(done, "shop").proposal
    assert "may not push" in done.notes[0]


def test_nothing_left_to_repair_takes_it_back() -> None:
    forge = opened()
    forge.push("main", {"shop/compose.yaml": "broken"})
    assert well(forge) == {"shop": Do.KEEP}
    assert forge.writes() == []
    forge.push("main", {"shop/compose.yaml": "fine"})
    assert well(forge, only=frozenset(("root-user",))) == {"shop": Do.KEEP}
    assert well(forge) == {"shop": Do.CLOSE}
    assert forge.open() == []
    assert "harden/shop" not in forge.branches
    assert "nothing left to propose" in forge.said[1][-1]
    assert well(forge) == {}
    assert forge.writes() == []
    # We took it back: nobody declined it.
    forge.push("main", {"shop/compose.yaml": BAD})
    assert well(forge) == {"shop": Do.OPEN}


def test_one_whose_branch_or_mark_is_gone_is_taken_back_all_the_same() -> None:
    for body in (None, "we looked at this"):
        forge = opened()
        forge.closes_without_branch = False
        forge.lose("harden/shop")
        if body:
            forge.change(1, body=body)
        forge.push("main", {"shop/compose.yaml": "fine"})
        assert well(forge) == {"shop": Do.CLOSE}
        assert forge.writes() == ["put_pull", "make_comment", "close_pull"]
        mark = mark_of(forge.made[1].body)
        assert mark is not None
        assert mark.fixes == WITHDRAWN
        assert forge.made[1].body.startswith(body or "Said plainly")
        assert well(forge) == {}


def test_a_project_that_is_gone_takes_its_pull_request_with_it() -> None:
    forge = opened()
    forge.branches["harden/mine"] = forge.branches["main"]
    forge.push("harden/mine", {"x": "y"})
    forge.make_pull("harden/mine", "main", "mine", "by a person", draft=False, labels=())
    forge.push("main", {"shop/compose.yaml": None})
    assert well(forge, only=frozenset(("root-user",))) == {"harden/shop": Do.KEEP}
    assert well(forge) == {"harden/shop": Do.CLOSE}
    assert [pull.branch for pull in forge.open()] == ["harden/mine"]
    assert "harden/mine" in forge.branches
    assert well(forge) == {}
    assert forge.writes() == []


def test_what_comes_from_a_fork_has_nothing_to_do_with_us() -> None:
    forge = shop()
    forge.make_pull("main", "main", "", "", draft=False, labels=())
    forge.change(1, branch="harden/shop", state=State.CLOSED, is_from_fork=True)
    assert well(forge) == {"shop": Do.OPEN}


def test_a_branch_that_was_taken_away_below_an_open_one() -> None:
    forge = opened()
    forge.closes_without_branch = False
    forge.lose("harden/shop")
    assert well(forge) == {"shop": Do.UPDATE}
    assert len(forge.made) == 1


@pytest.mark.parametrize(
    ("about", "toml", "off"),
    [
        ({"is_archived": True}, "", "archived"),
        ({"may_push": False}, "", "may not push"),
        ({}, "[pr]\nenabled = false\n", "hardener.toml says"),
        ({"branch": ""}, "", "empty"),
    ],
)
def test_where_nothing_is_done_that_is_said(about: dict[str, Any], toml: str, off: str) -> None:
    forge = shop(**{"hardener.toml": toml})
    forge.about = forge.about._replace(**about)
    done = run(forge)
    assert off in done.off
    assert done.told == ()
    assert forge.writes() == []


def test_a_broken_configuration_is_an_error_with_its_line() -> None:
    forge = shop(**{"hardener.toml": "\n\nno-such-key = 1\n"})
    done = run(forge)
    assert isinstance(done.ended, Unreadable)
    assert str(done.ended).startswith("hardener.toml:3:")
    assert done.told == ()
    assert forge.writes() == []
    assert "pulls" not in forge.calls


def test_remarks_are_made_once_and_only_on_lines_that_are_shown() -> None:
    far = "\n".join(str(number) for number in range(20))
    forge = shop(**{"shop/compose.yaml": f"a: privileged\nb: maybe\n{far}\nc: maybe\n"})
    assert told(run(forge, remarks=True, dry_run=True), "shop").remarks == 1
    assert well(forge, remarks=True) == {"shop": Do.OPEN}
    assert forge.on_lines[1] == [Remark("shop/compose.yaml", 2, "held back: ```suggestion\nsurely```\n")]
    assert well(forge, remarks=True) == {"shop": Do.KEEP}
    assert forge.writes() == []


def test_what_one_is_refused_the_others_are_not() -> None:
    forge = shop(**{"a/compose.yaml": "b: root\n"})
    forge.fail = FailAt(1, ForgeError("a rule of the repository", "ask its owner"), method="put_branch")
    done = run(forge)
    assert done.ended is None
    assert str(told(done, "shop").error) == "a rule of the repository: ask its owner"
    assert told(done, "a").do is Do.OPEN
    assert [pull.branch for pull in forge.open()] == ["harden/a"]
    forge.fail = FailAt(1, Moved("somebody pushed"), method="put_branch")
    assert isinstance(told(run(forge), "shop").error, Moved)
    assert well(forge) == {"shop": Do.OPEN, "a": Do.KEEP}


def test_a_token_that_may_nothing_is_not_tried_on() -> None:
    forge = FakeForge({f"{name}/compose.yaml": BAD for name in "abcdefgh"})

    def forbid(method: str, is_over: bool) -> None:
        if method == "put_branch":
            raise Forbidden("the token may not write")

    forge.fail = forbid
    done = run(forge)
    assert isinstance(done.ended, Forbidden)
    assert forge.writes() == ["put_branch"] * 2
    assert len(done.told) == 2
    assert forge.open() == []


@pytest.mark.parametrize("error", [Limited("too fast", datetime(2026, 3, 1, 13, tzinfo=UTC)), Unavailable("502")])
def test_a_limit_ends_the_run_with_what_was_done(error: ForgeError) -> None:
    forge = FakeForge({"hardener.toml": WIDE, **{f"{name}/compose.yaml": BAD for name in "abc"}})
    forge.fail = FailAt(2, error, method="make_pull")
    done = run(forge, dashboard=True)
    assert done.ended is error
    assert [(one.scope, one.error) for one in done.told] == [("a", None), ("b", error)]
    assert forge.writes() == ["put_branch", "make_pull", "put_branch", "make_pull"]
    assert well(forge, dashboard=True) == {"a": Do.KEEP, "b": Do.FINISH, "c": Do.OPEN}


def busy() -> FakeForge:
    """A repository in which the next run has something of every kind to do."""
    names = ("changed", "fine", "foreign", "gone", "kept", "named")
    forge = FakeForge({"hardener.toml": WIDE, **{f"{name}/compose.yaml": f"{BAD}maybe\n" for name in names}})
    assert set(well(forge).values()) == {Do.OPEN}
    forge.push("harden/foreign", {"x": "theirs"})
    changes = {"changed/compose.yaml": "a: privileged\n", "fine/compose.yaml": "fine", "gone/compose.yaml": None}
    forge.push("main", {**changes, "new/compose.yaml": BAD, "hardener.toml": f'{WIDE}rebase = "never"\n'})
    forge.change(6, body=forge.made[6].body.replace(mark_of(forge.made[6].body).body, "0" * 16))  # type: ignore[union-attr]
    return forge


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_run_that_is_cut_anywhere_is_gone_on_with(after: bool) -> None:
    start = busy()
    whole = copy.deepcopy(start)
    done = well(whole, dashboard=True, remarks=True)
    assert set(done.values()) == {Do.OPEN, Do.UPDATE, Do.REWORD, Do.CLOSE, Do.STOP, Do.KEEP}
    number = len(whole.writes())
    kinds = {"put_branch", "drop_branch", "make_pull", "put_pull", "close_pull", "make_comment", "make_remarks", "put_issue"}
    assert set(whole.writes()) == kinds
    well(whole, dashboard=True, remarks=True)
    assert whole.writes() == []
    for nth in range(1, number + 1):
        forge = copy.deepcopy(start)
        forge.fail = FailAt(nth, Unavailable("the line was cut"), after=after)
        assert isinstance(run(forge, dashboard=True, remarks=True).ended, Unavailable)
        well(forge, dashboard=True, remarks=True)
        assert forge.state() == whole.state(), nth
        well(forge, dashboard=True, remarks=True)
        assert forge.writes() == [], nth


def seen(forge: FakeForge) -> object:
    """What anybody sees, by branch, whichever number it has."""
    pulls = sorted(
        (
            pull.branch,
            pull.state.value,
            pull.title,
            pull.body,
            len(forge.said.get(number, [])),
            len(forge.on_lines.get(number, [])),
        )
        for number, pull in forge.made.items()
    )
    return dict(forge.branches), pulls, len(forge.issues)


def test_a_refusal_anywhere_keeps_nothing_else_from_it_and_is_gone_on_with() -> None:
    start = busy()
    whole = copy.deepcopy(start)
    decided = well(whole, dashboard=True, remarks=True)
    for nth in range(1, len(whole.writes()) + 1):
        forge = copy.deepcopy(start)
        forge.fail = FailAt(nth, ForgeError("not now"))
        done = run(forge, dashboard=True, remarks=True)
        assert done.ended is None
        assert sum(one.error is not None for one in done.told) + len(done.notes) == 1
        assert {one.scope: one.do for one in done.told} == decided
        well(forge, dashboard=True, remarks=True)
        assert seen(forge) == seen(whole), nth


def test_the_dashboard_lists_all_and_a_tick_brings_one_back() -> None:
    files = {"`x` @me/compose.yaml": "broken", "b/compose.yaml": "b: root\n", "c/compose.yaml": "elsewhere"}
    forge = shop(**files)
    well(forge, dashboard=True)
    (issue,) = forge.issues.values()
    assert issue.body.splitlines()[-3:] == ["## What was not judged", "", "- `c/compose.yaml:1`: it lies elsewhere"]
    assert issue.title == TITLE
    assert "`shop` (#1)" in issue.body
    assert "&#64;" in issue.body
    assert "@me" not in issue.body
    well(forge, dashboard=True)
    assert forge.writes() == []
    forge.close_pull(1)
    well(forge, dashboard=True)
    assert forge.writes() == ["put_issue"]
    body = forge.issues[issue.number].body
    assert body.count("- [ ] ") == 1
    tick = issue._replace(body=body.replace("- [ ] `shop`", "- [x] `shop`"))
    # While there is no room for it, the tick stays.
    forge.push("main", {"hardener.toml": "[pr]\nat-once = 1\nper-hour = 100\n"})
    forge.issues[issue.number] = tick
    assert well(forge, dashboard=True)["shop"] is Do.POSTPONE
    assert "- [x] `shop`" in forge.issues[issue.number].body
    forge.push("main", {"hardener.toml": WIDE})
    assert well(forge, dashboard=True)["shop"] is Do.OPEN
    assert "- [" not in forge.issues[issue.number].body
    # A dashboard that was closed is not kept, and what is ticked there no longer counts.
    forge.close_pull(forge.open()[-1].number)
    forge.issues[issue.number] = tick._replace(is_open=False)
    assert well(forge, dashboard=True)["shop"] is Do.DECLINE
    assert forge.writes() == []


def test_a_configuration_is_proposed_before_all_else() -> None:
    forge = FakeForge({"shop/compose.yaml": "services:\n  web:\n    image: nginx\n    privileged: true\n"})
    assert well(forge, onboard=True) == {"hardener.toml": Do.OPEN, "shop": Do.POSTPONE}
    (pull,) = forge.open()
    assert pull.branch == "harden/configure"
    assert "`hardener.toml`" in pull.body
    (text, _) = forge.tree("harden/configure")["hardener.toml"]
    assert b"Found here: 1 file, 1 container" in text
    assert well(forge, onboard=True) == {"hardener.toml": Do.KEEP, "shop": Do.POSTPONE}
    assert forge.writes() == []
    # Whoever does not ask for it is not held up by it, and leaves it.
    declined = copy.deepcopy(forge)
    assert well(forge) == {"shop": Do.OPEN}
    forge.merge(1)
    assert well(forge, onboard=True) == {"shop": Do.REBASE}, "there is a configuration now"
    declined.close_pull(1)
    done = run(declined, onboard=True)
    assert "declined" in done.off
    assert declined.writes() == []


def test_a_repository_without_issues_is_worked_at_all_the_same() -> None:
    for method in ("issue", "put_issue"):
        forge = shop()
        forge.fail = FailAt(1, Forbidden("issues are turned off"), method=method)
        done = run(forge, dashboard=True)
        assert told(done, "shop").do is Do.OPEN
        assert done.ended is None
        assert "turned off" in done.notes[0]


def test_a_base_that_moved_far_is_still_known() -> None:
    forge = opened()
    for number in range(150):
        forge.push("main", {"README": str(number)})
    assert well(forge) == {"shop": Do.REBASE}


def test_a_branch_name_that_is_taken_by_the_base_is_left_alone() -> None:
    forge = shop()
    forge.branches["harden/shop"] = forge.branches["main"]
    assert well(forge, base="harden/shop") == {"shop": Do.STOP}
    assert forge.writes() == []


def test_a_repository_of_somebody_else_does_not_choose_whose_name_is_on_commits() -> None:
    told = '[pr]\nauthor = "Linus <l@example.com>"\nsign-off = true\nper-hour = 100\nat-once = 100\n'
    tree = {"hardener.toml": told, **{f"{name}/compose.yaml": BAD for name in "abcdef"}}
    for forge, asked, is_theirs in (
        (FakeForge(tree, is_own=False), False, True),
        (FakeForge(tree, is_own=False), True, False),
        (FakeForge(tree), False, False),
    ):
        done = run(forge, trust_evidence=asked)
        made = [forge.commits[forge.branches[pull.branch]] for pull in forge.open()]
        assert len(made) == (2 if is_theirs else 6)
        assert {commit.author is None for commit in made} == {is_theirs}
        assert {"Signed-off-by" not in commit.message for commit in made} == {is_theirs}
        assert ["`author`, `sign-off`, `per-hour`, `at-once`" in note for note in done.notes] == [True] * is_theirs


def test_products_come_before_tests_and_what_lies_above_before_what_lies_below() -> None:
    def bundle(scope: str, *severities: Severity) -> Bundle:
        finding = Finding("root-user", "web", Place("x", 1, 1), "m")
        outcomes = tuple(Outcome(finding, Status.APPLIED, severity) for severity in severities)
        return Bundle(scope, Per.PROJECT, Report(outcomes), (), "")

    low, high = Severity.LOW, Severity.HIGH
    wanted = [
        bundle("a/b", high, low),
        bundle(".", high),
        bundle("deploy", high),
        bundle("a/c", high),
        bundle("contest", low),
        bundle("test/radius", high, high),
        bundle("deploy/examples", high),
        bundle(".github", low),
    ]
    assert sorted([*wanted[4:], *wanted[:4]], key=rank) == wanted
