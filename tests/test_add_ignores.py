"""`--add-ignores`: afterwards nothing is left to report, no text says anything else, and a second run writes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from compose_oracle import Files, write
from test_fixtures import CASES, Case, byte_order_mark, crlf, is_compose, kubernetes, load, no_final_newline, rewritten

from hardener.discover import discover
from hardener.errors import UsageError
from hardener.ignores import add_ignores
from hardener.pipeline import Request, run
from hardener.report import Report, Status

ROOT = str(Path(__file__).parent.parent)
REASON = "legacy, looked at in May"
#: One of each hazard is enough here: each judges its project five times.
SOME = [case for case in CASES if case.rule != "_together"][::8] + [case for case in CASES if case.rule == "_together"][::9]
LEFT = (Status.REPORTED, Status.REFUSED, Status.HELD_BACK, Status.FAILED)


def asked(folder: Path, files: Files) -> Request:
    write(folder, files)
    return Request(tuple(discover(["."])[0]))


def after(files: Files, report: Report) -> Files:
    return files | {change.before.path: change.after.to_bytes() for change in report.changes}


def left(report: Report) -> list[tuple[str, str, int]]:
    about = ("stale-silence", "invalid-silence")
    found = (outcome.finding for outcome in report.outcomes if outcome.status in LEFT)
    return [(finding.rule, finding.place.path, finding.place.line) for finding in found if finding.rule not in about]


@pytest.mark.parametrize("written", [None, crlf, byte_order_mark, no_final_newline])
@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.rule}/{case.folder.name}") for case in SOME])
def test_nothing_is_left_and_nothing_else_is_said(
    case: Case, written: Callable[[str], str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = rewritten(case.before, written) if written else case.before
    if written and files == case.before:
        pytest.skip("this way of writing it is the case's own")
    for folder in ("one", "two", "three"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "one")
    report = add_ignores(asked(tmp_path / "one", files), REASON, fixes=False)
    now = after(files, report)
    for change in report.changes:
        was, is_now = change.before.text, change.after.text
        assert without_comments(is_now) == without_comments(was), "only comments were added"
        assert change.before.bom == change.after.bom
        if is_compose(change.before.path) or kubernetes.is_manifest(change.before.path, files[change.before.path]):
            assert load(change.after.to_bytes()) == load(change.before.to_bytes())
        else:
            assert instructions(is_now) == instructions(was)
    monkeypatch.chdir(tmp_path / "two")
    again = asked(tmp_path / "two", now)
    refused = {(trouble.path, trouble.line) for trouble in report.troubles}
    assert {(path, line) for _, path, line in left(run(again))} == set() or refused
    second = add_ignores(again, REASON, fixes=False)
    assert after(now, second) == now


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.rule}/{case.folder.name}") for case in SOME])
def test_beside_the_fixes(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    monkeypatch.chdir(tmp_path / "one")
    report = add_ignores(asked(tmp_path / "one", case.before), REASON, fixes=True)
    now = after(case.before, report)
    monkeypatch.chdir(tmp_path / "two")
    again = run(asked(tmp_path / "two", now))
    if not report.troubles:
        assert left(again) == []
        assert not again.changes
    assert {o.finding.rule for o in again.outcomes if o.status in (Status.APPLIED, Status.FAILED)} == set()


def without_comments(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.lstrip().startswith("# harden: ignore[")]


def instructions(text: str) -> object:
    dockerfile = pytest.importorskip("dockerfile", reason="BuildKit's parser is not installed")
    return [(item.cmd, item.sub_cmd, item.json, item.flags, item.value) for item in dockerfile.parse_string(text)]


COMPOSE = b"""\
# Ours. All rights reserved.

services:
  web:
    image: example/web
    # The agent.
    network_mode: host
  # harden: ignore[host-pid] legacy, looked at in May
  worker: &worker
    image: example/worker:1.0.0
    pid: host
    ipc: host
    volumes: ['/var/run/docker.sock:/var/run/docker.sock',
      '/etc:/etc']
"""


def one(folder: Path, files: Files, reason: str = REASON, **how: object) -> tuple[str, Report]:
    """The only file after comments were added, and the report."""
    write(folder, files)
    before = Path.cwd()
    os.chdir(folder)
    try:
        report = add_ignores(Request(tuple(discover(["."])[0]), **how), reason, fixes=False)  # type: ignore[arg-type]
    finally:
        os.chdir(before)
    (name,) = files
    return after(files, report)[name].decode(), report


HOST = frozenset(("host-network", "host-pid", "host-ipc", "docker-socket-mount", "sensitive-host-mount"))


def test_they_stand_above_what_they_let_be(tmp_path: Path) -> None:
    text, report = one(tmp_path, {"compose.yaml": COMPOSE}, select=HOST)
    assert not report.troubles
    assert text.splitlines()[5:] == [
        "    # The agent.",
        f"    # harden: ignore[host-network] {REASON}",
        "    network_mode: host",
        "  # harden: ignore[host-pid] legacy, looked at in May",
        "  worker: &worker",
        "    image: example/worker:1.0.0",
        "    pid: host",
        f"    # harden: ignore[host-ipc] {REASON}",
        "    ipc: host",
        f"    # harden: ignore[docker-socket-mount] {REASON}",
        "    volumes: ['/var/run/docker.sock:/var/run/docker.sock',",
        f"      # harden: ignore[sensitive-host-mount] {REASON}",
        "      '/etc:/etc']",
    ]


def test_a_comment_with_the_same_reason_takes_more_rules(tmp_path: Path) -> None:
    named = b"services:\n  # harden: ignore[root-user] legacy, looked at in May\n  web:\n    image: example/web:1.0.0\n"
    text, _ = one(tmp_path, {"compose.yaml": named}, select=frozenset(("excess-capabilities", "root-user", "unlimited-cpu")))
    assert text.splitlines()[1] == f"  # harden: ignore[root-user, excess-capabilities, unlimited-cpu] {REASON}"
    assert text.count("harden:") == 1


def test_long_lists_go_on_in_a_second_comment(tmp_path: Path) -> None:
    text, _ = one(tmp_path, {"compose.yaml": b"services:\n  web:\n    image: example/web:1.0.0\n"})
    comments = [line for line in text.splitlines() if "harden:" in line]
    assert len(comments) > 1
    assert all(len(line) <= 120 for line in comments)


def test_a_reason_may_end_on_a_day(tmp_path: Path) -> None:
    files = {"compose.yaml": b"services:\n  web:\n    image: e/web:1.0.0\n    pid: host\n"}
    text, report = one(tmp_path, files, "until=2999-01-31 as before", select=frozenset(("host-pid",)))
    assert "    # harden: ignore[host-pid] until=2999-01-31 as before\n    pid: host\n" in text
    assert [outcome.status for outcome in report.outcomes] == [Status.SILENCED]


@pytest.mark.parametrize("reason", ["", " ", "...", "\x1b[31m red", "until=tomorrow x", "a" * 400])
def test_a_reason_that_is_none_is_said(reason: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        one(tmp_path, {"compose.yaml": COMPOSE}, reason)


def test_where_no_comment_fits_that_is_said(tmp_path: Path) -> None:
    pod = b'{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"hostNetwork": true, "containers": [{'
    text, report = one(tmp_path, {"pod.json": pod + b'"name": "a", "image": "b:1"}]}}'})
    assert "harden:" not in text
    assert report.troubles
    assert {trouble.reason.rpartition(": ")[2] for trouble in report.troubles} == {"JSON has no comments"}


def test_below_parser_directives(tmp_path: Path) -> None:
    text, _ = one(tmp_path, {"Dockerfile": b"# syntax=docker/dockerfile:1\n\n# Ours.\nFROM debian\nADD x.py /x.py\n"})
    assert text.startswith("# syntax=docker/dockerfile:1\n\n# Ours.\n# harden: ignore[")
    assert "\n# harden: ignore[add-instead-of-copy]" not in text, "it has a fix"


def test_on_the_command_line(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": b"services:\n  db:\n    image: postgres:16\n    pid: host\n"})

    def harden(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hardener", *arguments]
        env = os.environ | {"PYTHONPATH": ROOT}
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    shown = harden("--diff", "--add-ignores", REASON)
    assert f"+    # harden: ignore[host-pid] {REASON}" in shown.stdout
    assert "+    cap_drop:" in shown.stdout
    made = harden("--add-ignores", REASON)
    assert made.returncode == 0
    assert "Comments written (" in made.stdout
    assert ") in 1 of 1 file." in made.stdout
    text = (tmp_path / "compose.yaml").read_text()
    assert "cap_drop" not in text, "comments alone"
    assert "harden: ignore[" in text
    assert harden("--check").returncode == 1, "there are fixes to make"
    assert harden("--write", "--add-ignores", REASON).returncode == 0
    assert "cap_drop" in (tmp_path / "compose.yaml").read_text()
    assert harden("--check", "--fail-on", "low").returncode == 0
    assert harden("--check", "--add-ignores", REASON).returncode == 2
