"""What trials keep on this machine: gone at their end, found by the next one where they were killed, never taken from others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hardener.trial.compose import TrialError
from hardener.trial.engine import LABEL, OWNER
from hardener.trial.leftovers import trial


class Fake:
    """An engine with things on it, each named by its trial and with who made it."""

    def __init__(self) -> None:
        self.things: dict[str, str] = {}
        self.is_lost = False

    def trials(self) -> dict[str, str]:
        return dict(self.things)

    def remove(self, id: str, *, images: bool) -> None:
        if self.is_lost:
            raise TrialError("it does not answer")
        self.things.pop(id, None)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return Fake()


def begun(engine: Any) -> Any:
    return trial(engine, is_snap=False)


def put(engine: Fake, labels: Any) -> None:
    engine.things[labels[LABEL]] = labels[OWNER]


def test_nothing_is_left_at_the_end(engine: Any, tmp_path: Path) -> None:
    with begun(engine) as one:
        put(engine, one.labels)
        assert one.claims("127.0.0.1", 80)
        (Path(one.folder) / "copy").mkdir()
        assert os.listdir(os.path.dirname(one.folder)) != ["gate"]
    assert not engine.things
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["gate"]


def test_one_that_goes_on_is_left_alone_and_keeps_its_ports(engine: Any) -> None:
    with begun(engine) as one:
        put(engine, one.labels)
        assert one.claims("127.0.0.1", 80)
        assert one.claims("127.0.0.1", 80)
        with begun(engine) as other:
            assert list(engine.things) == [one.id]
            assert os.path.isdir(one.folder)
            assert not other.claims("127.0.0.1", 80)
            assert other.claims("127.0.0.1", 81)
            assert other.claims("::1", 80)
        assert not os.path.exists(other.folder)
        assert os.path.isdir(one.folder)
        with begun(engine) as third:
            assert not third.claims("127.0.0.1", 80)
            assert third.claims("127.0.0.1", 81)


KILLED = """
import os, sys, tempfile
tempfile.tempdir = sys.argv[1]
sys.path.insert(0, sys.argv[2])
from test_trial_leftovers import Fake
from hardener.trial.leftovers import trial
with trial(Fake(), is_snap=False) as one:
    one.claims("127.0.0.1", 80)
    print(one.labels, flush=True)
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_one_left_is_taken_away(engine: Any, tmp_path: Path) -> None:
    here = os.path.dirname(__file__)
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), here], capture_output=True, text=True)
    labels: dict[str, str] = eval(done.stdout)
    put(engine, labels)
    # Of those, one lost its folder, and one was made with another folder for temporary files.
    put(engine, {**labels, LABEL: "without"})
    put(engine, {LABEL: "elsewhere", OWNER: labels[OWNER] + "-2"})
    assert list(tmp_path.glob(f"*/{labels[LABEL]}"))
    with begun(engine) as one:
        assert list(engine.things) == ["elsewhere"]
        assert not list(tmp_path.glob(f"*/{labels[LABEL]}"))
        assert one.claims("127.0.0.1", 80)


def test_where_the_engine_is_lost_the_next_one_still_finds_it(engine: Any) -> None:
    lost = begun(engine)
    one = lost.__enter__()
    put(engine, one.labels)
    (Path(one.folder) / "copy").mkdir()
    engine.is_lost = True
    with pytest.raises(TrialError, match="does not answer; what the trial has made there goes with the next run"):
        lost.__exit__(None, None, None)
    assert os.listdir(one.folder) == ["lock"]
    engine.is_lost = False
    with begun(engine):
        assert not engine.things
        assert not os.path.exists(one.folder)


def test_a_folder_of_somebody_else_is_not_used(engine: Any, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / f"harden-trials-{os.getuid()}").symlink_to(elsewhere)
    with pytest.raises(TrialError, match="is not ours"), begun(engine):
        pass
    assert not list(elsewhere.iterdir())
