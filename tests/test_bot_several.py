"""Many repositories in one run: the file that lists them, what is noted, and what a limit of one forge is to the others."""

from __future__ import annotations

import json
import os
import shutil
import signal
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep
from typing import Any, cast

import pytest
from bot_scenes import MAKING, WIDE, Do
from fake_forge import FailAt, FakeForge

from hardener.bot.done import Done
from hardener.bot.forge import Forge, Limited, Missing, Unavailable
from hardener.bot.proposal import Asked
from hardener.bot.run import work
from hardener.bot.several import Opened, Worked, read_names, work_through
from hardener.checkout import checkout, put
from hardener.errors import HardenError, UsageError
from hardener.trial.leftovers import trial

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class World:
    """Repositories by name, at the host that stands before their names, and a clock."""

    def __init__(self, folder: Path, *repositories: str) -> None:
        self.forges = {name: FakeForge({"hardener.toml": WIDE, "a/compose.yaml": "root"}, name=name) for name in repositories}
        self.state = folder / "REPOS.txt.done"
        self.asked: list[str] = []
        self.clock = NOW

    def place(self, name: str) -> Opened:
        if name not in self.forges:
            raise Missing(f"there is no {name}")
        return Opened(self.forges[name], name.split("/")[0])

    def now(self) -> datetime:
        self.clock += timedelta(seconds=1)
        return self.clock

    def run(self, *more: str, most: int = 50, dry_run: bool = False) -> list[Worked]:
        def one(forge: Forge) -> Done:
            return work(forge, Asked(dry_run=dry_run), NOW, MAKING)

        order = [*self.forges, *more]
        return list(work_through(order, str(self.state), self.place, one, self.now, most=most, dry_run=dry_run))

    def noted(self) -> list[str]:
        return [json.loads(line)["repository"] for line in self.state.read_text().splitlines()]


def test_a_bounded_run_is_gone_on_with_and_begins_anew_after_the_last(tmp_path: Path) -> None:
    world = World(tmp_path, "x/1", "x/2", "x/3", "x/4", "x/5")
    ran = [[worked.name for worked in world.run(most=2)] for _ in range(3)]
    assert ran == [["x/1", "x/2"], ["x/3", "x/4"], ["x/5", "x/1"]]
    assert all(len(forge.made) == 1 for forge in world.forges.values())
    row = json.loads(world.state.read_text().splitlines()[1])
    assert row["commit"] == world.forges["x/2"].branches["main"]
    # It decides nothing: without it, every repository is as it is.
    world.state.unlink()
    assert {told.do for worked in world.run() if worked.done for told in worked.done.told} == {Do.KEEP}
    assert [path.name for path in tmp_path.iterdir()] == ["REPOS.txt.done"]


def test_a_limit_ends_it_for_one_forge_and_not_for_the_others(tmp_path: Path) -> None:
    world = World(tmp_path, "x/1", "x/2", "x/3", "y/1")
    world.forges["x/2"].fail = FailAt(1, Limited("too fast", NOW + timedelta(hours=1)), method="put_branch")
    ran = world.run()
    assert [worked.name for worked in ran] == ["x/1", "x/2", "x/3", "y/1"]
    assert [worked.why for worked in ran] == ["", "", "too fast: run again after 13:00 UTC", ""]
    assert world.forges["x/3"].calls == []
    assert len(world.forges["y/1"].made) == 1
    assert world.noted() == ["x/1", "y/1"]
    assert [worked.name for worked in world.run(most=2)] == ["x/2", "x/3"]


def test_one_that_fails_keeps_no_other_from_it(tmp_path: Path) -> None:
    world = World(tmp_path, "x/1", "x/2")
    world.forges["x/1"].fail = FailAt(1, Unavailable("502"), method="repository")
    ran = world.run("x/none")
    assert [(worked.name, worked.why) for worked in ran] == [("x/1", ""), ("x/2", ""), ("x/none", "there is no x/none")]
    assert isinstance(ran[0].done and ran[0].done.ended, Unavailable)
    assert world.noted() == ["x/2", "x/none"]


def test_what_was_done_is_noted_before_the_next_begins(tmp_path: Path) -> None:
    world = World(tmp_path, "x/1", "x/2")

    def cut(method: str, is_over: bool) -> None:
        raise KeyboardInterrupt

    world.forges["x/2"].fail = cut
    with pytest.raises(KeyboardInterrupt):
        world.run()
    assert world.noted() == ["x/1"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process that can be killed without a word")
def test_one_that_has_us_killed_is_not_the_first_again(tmp_path: Path) -> None:
    """As a lack of memory does, which a file of some bytes can bring about; whoever works at others would never come to them."""
    world = World(tmp_path, "x/1", "x/2", "x/3")
    world.run(most=1)
    before = world.state.read_text()
    world.forges["x/2"].fail = lambda method, is_over: os.kill(os.getpid(), signal.SIGKILL)
    child = os.fork()
    if not child:
        world.run()
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    assert world.state.read_text().startswith(before)
    world.forges["x/2"].fail = lambda method, is_over: None
    world.clock += timedelta(minutes=1)
    assert [worked.name for worked in world.run()] == ["x/3", "x/1", "x/2"]


def test_a_dry_run_notes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, "x/1")
    (worked,) = world.run(dry_run=True)
    assert worked.done
    assert worked.done.told[0].do is Do.OPEN
    assert world.forges["x/1"].writes() == []
    assert not world.state.exists()


@pytest.mark.parametrize("text", ["no json", "[]", '{"repository": 1}', '{"repository": "x/1", "at": "now"}', "\0"])
def test_a_state_that_is_something_else_is_not_written_over(text: str, tmp_path: Path) -> None:
    world = World(tmp_path, "x/1")
    world.state.write_text(text)
    with pytest.raises(UsageError):
        world.run()
    assert world.state.read_text() == text


def test_the_file_of_names(tmp_path: Path) -> None:
    path = tmp_path / "REPOS.txt"
    path.write_text(
        "# ours\nacme/shop\n\nacme/shop  # again\r\ngroup/sub/name\nhttps://git.example.com/a/b.git\n"
        "git@example.com:a/b.git\nssh://git@example.com:2222/a/b\n"
    )
    addresses = ["https://git.example.com/a/b.git", "git@example.com:a/b.git", "ssh://git@example.com:2222/a/b"]
    assert read_names(str(path)) == ["acme/shop", "group/sub/name", *addresses]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("https://x:s3cret@example.com/a/b", "credentials"),
        ("https://s3cret@example.com/a/b", "credentials"),
        ("https://example.com/a/b?private_token=s3cret", "neither"),
        ("shop", "neither"),
        ("a/b c/d", "neither"),
        ("a/b\x1b[2J", "neither"),
        ("../../etc", "neither"),
        ("-x/y", "neither"),
    ],
)
def test_what_no_name_is(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "REPOS.txt"
    path.write_text(f"a/b\n{line}\n")
    with pytest.raises(UsageError, match=rf":2: .*{said}") as caught:
        read_names(str(path))
    assert "\x1b" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_there_has_to_be_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        read_names(str(tmp_path / "none"))


def test_what_is_laid_for_the_bot_in_one_repository_keeps_it_from_no_other(tmp_path: Path) -> None:
    """A mistake of ours, and work without an end."""
    world = World(tmp_path, "x/1", "x/2", "x/3")

    def one(forge: Forge) -> Done:
        if forge is world.forges["x/1"]:
            raise RecursionError("secret")
        while forge is world.forges["x/2"]:
            with suppress(HardenError):  # as somebody on the way may
                sleep(5)
            sleep(5)
        return work(forge, Asked(), NOW, MAKING)

    found = list(work_through(list(world.forges), str(world.state), world.place, one, world.now, patience=5))
    ended = [str(worked.done.ended) for worked in found if worked.done]
    assert "RecursionError" in ended[0]
    assert "secret" not in ended[0]
    assert "not done within" in ended[1]
    assert ended[2] == "None"
    # Nor are they first the next time.
    assert world.noted() == ["x/1", "x/2", "x/3"]


def test_what_is_not_done_in_time_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To take away many files, or what runs on an engine, takes longer than the time after which the end comes again."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("hardener.bot.several._AGAIN", 0.05)
    world = World(tmp_path, "x/1")
    remove, engine = shutil.rmtree, Slow()

    def slow(folder: str, ignore_errors: bool = False) -> None:
        sleep(0.2)
        remove(folder)

    monkeypatch.setattr(shutil, "rmtree", slow)

    def one(forge: Forge) -> Done:
        with suppress(HardenError), checkout("harden-pr-") as top, trial(cast(Any, engine), is_snap=False):
            put(top, "a/b", b"c")
            sleep(5)
        sleep(5)
        return Done()

    (worked,) = work_through(["x/1"], str(world.state), world.place, one, world.now, patience=0.3)
    assert "not done within" in str(worked.done)
    assert engine.is_clear
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["REPOS.txt.done", "gate"]


class Slow:
    """An engine that takes its time."""

    is_clear = False

    def trials(self) -> dict[str, str]:
        return {}

    def remove(self, id: str, *, images: bool) -> None:
        sleep(0.2)
        self.is_clear = True


def test_a_repository_that_takes_all_that_a_forge_gives_is_not_the_first_again(tmp_path: Path) -> None:
    world = World(tmp_path, "x/1", "x/2", "x/3")
    for name in ("x/1", "x/3"):
        world.forges[name].fail = FailAt(1, Limited("wait"), method="listing")
    assert [(worked.name, worked.done is None) for worked in world.run()] == [("x/1", False), ("x/2", True), ("x/3", True)]
    # After some were worked at, the one that met the limit comes first, as it had not its turn.
    assert [worked.name for worked in world.run()] == ["x/2", "x/3", "x/1"]
    assert [worked.name for worked in world.run()] == ["x/3", "x/1", "x/2"]
