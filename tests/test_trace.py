"""`--debug` and the bar on a terminal: what is told of a run, and that nobody else pays for it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hardener import pipeline
from hardener.cli import main, progress
from hardener.discover import discover
from hardener.pipeline import Request
from hardener.render.formats import Run
from hardener.render.json import render
from hardener.trace import Trace

STACK = Path(__file__).parent.parent / "fixtures" / "stacks" / "shop"


def test_a_trace_changes_nothing() -> None:
    files = tuple(discover([str(STACK)])[0])
    trace = Trace()
    with_it, without = pipeline.run(Request(files, trace=trace)), pipeline.run(Request(files))
    assert render(with_it, Run()) == render(without, Run())
    found = {outcome.finding.identity for outcome in without.outcomes}
    assert set(trace.steps) == found, "each finding has its way"
    assert trace.times["rule root-user"] == trace.times["rule add-instead-of-copy"] + trace.times["rule host-network"]


def test_debug_tells_the_way_of_a_finding(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(STACK)
    assert main(["--check"]) == 1
    quiet = capsys.readouterr()
    assert main(["--check", "--debug"]) == 1
    out, err = capsys.readouterr()
    assert (out, quiet.err) == (quiet.out, "")
    way = err[err.index("unlimited-cpu of db in compose.yaml") :].split("\n")[:3]
    assert way[1].startswith("  pass 1: compose.yaml:23: CPU time is not limited: held-back: ")
    assert "unlimited-memory of api in compose.yaml" in err
    assert "limit memory to 512M: compose.yaml: Put(route=" in err
    assert "Time of each rule (ms)" in err


def test_debug_shows_where_a_mistake_of_ours_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(request: Request) -> None:
        raise ZeroDivisionError("x")

    monkeypatch.setattr("hardener.cli.run.judge", broken)
    monkeypatch.chdir(STACK)
    assert main(["--debug"]) == 3
    assert "Traceback" in capsys.readouterr().err
    assert main([]) == 3
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert "--debug shows where it happened" in err


def test_the_pipeline_says_how_far_it_is() -> None:
    told: list[tuple[int, int]] = []
    pipeline.run(Request(tuple(discover([str(STACK)])[0]), advance=lambda done, of: told.append((done, of))))
    assert told == [(1, 2), (2, 2)]


def on_a_terminal(command: list[str], folder: Path) -> str:
    """What a command writes on standard error when that is a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=theirs, env=os.environ | {"TERM": "xterm"}
    ) as run:
        os.close(theirs)
        seen = b""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.2)[0]:
                try:
                    seen += os.read(ours, 4096)
                except OSError:
                    break
            elif run.poll() is not None:
                break
    os.close(ours)
    return seen.decode()


def test_a_long_run_has_a_bar_on_a_terminal_and_takes_it_away(tmp_path: Path) -> None:
    for number in range(6):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "compose.yaml").write_text("services:\n  a:\n    image: redis:7\n")
    script = "import sys; from hardener.cli import main, progress; progress._SECONDS_BEFORE = {}; sys.exit(main(['--check']))"
    seen = on_a_terminal([sys.executable, "-c", script.format(0)], tmp_path)
    assert "judging" in seen
    assert seen.rstrip().endswith("\x1b[2K") or "\x1b[?25h" in seen, "the cursor is back"
    assert on_a_terminal([sys.executable, "-c", script.format(60)], tmp_path) == "", "a short run has none"


def test_there_is_no_bar_elsewhere(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "_SECONDS_BEFORE", 0)
    monkeypatch.chdir(STACK)
    main(["--check"])
    assert capsys.readouterr().err == ""
