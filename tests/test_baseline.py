"""Baselines: what is listed does not count, what is new does, what is gone is told. Knows no form of the report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from compose_oracle import write

from hardener.discover import discover
from hardener.errors import HardenError, Unreadable, UsageError
from hardener.pipeline import Request, run
from hardener.report import Report, Status
from hardener.silence import baseline

ROOT = str(Path(__file__).parent.parent)
FILES = {
    "shop/compose.yaml": b"services:\n  web:\n    image: example/web:1.0.0\n    network_mode: host\n    pid: host\n",
    "shop/Dockerfile": b"FROM debian\nADD src /src\n",
    "pod.yaml": b"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  hostNetwork: true\n"
    b"  containers: [{name: a, image: b:1}]\n",
}


def judge(name: str = "", *paths: str, **how: object) -> Report:
    known = baseline.read(name, str(Path.cwd())) if name else None
    return run(Request(tuple(discover(paths or (".",))[0]), baseline=known, **how))  # type: ignore[arg-type]


def quiet(report: Report) -> bool:
    return all(outcome.status is Status.SILENCED for outcome in report.outcomes) and not report.changes


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path, FILES)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "known.json").write_bytes(baseline.made(judge(), "known.json", str(tmp_path)))
    return tmp_path


def test_what_is_listed_does_not_count(project: Path) -> None:
    report = judge("known.json")
    assert report.outcomes
    assert quiet(report)
    assert not report.gone
    assert {outcome.why for outcome in report.outcomes} == {"in the baseline known.json"}


def test_wherever_it_runs_from(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project / "shop")
    assert quiet(judge("../known.json"))
    assert quiet(judge("../known.json", str(project)))


def test_lines_that_move_are_the_same_findings(project: Path) -> None:
    path = project / "shop/compose.yaml"
    path.write_text("# Ours.\n\n" + path.read_text().replace("    network_mode", "    # here\n    network_mode"))
    assert quiet(judge("known.json"))


def test_what_is_new_counts(project: Path) -> None:
    path = project / "shop/compose.yaml"
    path.write_text(path.read_text() + "    ipc: host\n")
    new = {(o.finding.rule, o.status) for o in judge("known.json").outcomes if o.status is not Status.SILENCED}
    assert new == {("host-ipc", Status.REPORTED)}


def test_what_is_gone_is_told_and_left_out_of_the_next_one(project: Path) -> None:
    path = project / "shop/compose.yaml"
    path.write_text(path.read_text().replace("    pid: host\n", ""))
    (project / "pod.yaml").unlink()
    report = judge("known.json")
    known = baseline.read("known.json", str(project))
    gone = {entry for entry in known.entries if entry.fingerprint in report.gone}
    assert {(entry.rule, entry.path) for entry in gone} >= {("host-pid", "shop/compose.yaml"), ("host-network", "pod.yaml")}
    assert {entry.path for entry in gone if entry.rule != "host-pid"} == {"pod.yaml"}
    made = json.loads(baseline.made(report, "known.json", str(project), known))
    assert {item["fingerprint"] for item in made["findings"]} == {e.fingerprint for e in known.entries} - report.gone


def test_what_was_not_looked_at_is_not_gone(project: Path) -> None:
    report = judge("known.json", "shop/Dockerfile")
    assert not report.gone
    known = baseline.read("known.json", str(project))
    assert baseline.made(report, "known.json", str(project), known) == (project / "known.json").read_bytes()
    assert not judge("known.json", select=frozenset(("host-ipc",))).gone


def test_it_is_sorted_and_has_a_line_for_each(project: Path) -> None:
    text = (project / "known.json").read_text()
    told = json.loads(text)
    assert (told["version"], told["fingerprints"]) == (1, 1)
    keys = [(item["path"], item["rule"], item["subject"]) for item in told["findings"]]
    assert keys == sorted(keys)
    assert len([line for line in text.splitlines() if '"fingerprint":' in line]) == len(keys)
    assert {path for path, _, _ in keys} == set(FILES)


def test_a_finding_that_a_comment_lets_be_is_not_listed(project: Path) -> None:
    path = project / "shop/compose.yaml"
    path.write_text(path.read_text().replace("    pid: host", "    # harden: ignore[host-pid] why\n    pid: host"))
    made = json.loads(baseline.made(judge(), "known.json", str(project)))
    assert not [item for item in made["findings"] if item["rule"] == "host-pid"]


def test_an_empty_one_is_one(project: Path) -> None:
    (project / "none.json").write_bytes(baseline.made(Report(), "none.json", str(project)))
    assert baseline.read("none.json", str(project)).entries == ()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"findings": {}}',
        b'{"version": 2, "fingerprints": 1, "findings": []}',
        b'{"version": 1, "fingerprints": 1, "findings": [1]}',
        b'{"version": 1, "fingerprints": 1, "findings": [{"rule": 3}]}',
    ],
)
def test_what_is_no_baseline_is_said(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "known.json").write_bytes(data)
    with pytest.raises(Unreadable):
        baseline.read("known.json", str(tmp_path))


def test_a_missing_one_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"harden init --baseline none\.json"):
        baseline.read("none.json", str(tmp_path))
    assert issubclass(UsageError, HardenError)


def harden(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hardener", *arguments]
    return subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": ROOT}, capture_output=True, text=True, check=False)


def test_on_the_command_line(project: Path) -> None:
    done = harden(project, "--check", "--fail-on", "low", "--baseline", "known.json")
    assert (done.returncode, done.stdout.count("\n")) == (0, 1), done
    assert "silenced" in done.stdout
    missing = harden(project, "--check", "--baseline", "none.json")
    assert missing.returncode == 2
    assert "harden init --baseline none.json" in missing.stderr
    (project / "hardener.toml").write_text('baseline = "known.json"\n')
    assert harden(project, "--check", "--fail-on", "low").returncode == 0
    assert harden(project, "--check", "--fail-on", "low", "--isolated").returncode == 1


def test_what_init_writes_is_one(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    made = harden(tmp_path, "init", "--baseline", "known.json")
    assert made.returncode == 0
    number = len(json.loads((tmp_path / "known.json").read_text())["findings"])
    assert f"known.json: {number} findings will not count" in made.stderr
    assert harden(tmp_path, "--check", "--fail-on", "low").returncode == 0


def test_the_report_counts_what_is_listed_and_shows_what_is_new(project: Path) -> None:
    number = len(json.loads((project / "known.json").read_text())["findings"])
    shown = harden(project, "--baseline", "known.json").stdout
    assert f"  in the baseline known.json: {number} findings of " in shown
    assert "compose.yaml:" not in shown
    write(project, {"new/compose.yaml": b"services:\n  new:\n    image: example/new:1\n    pid: host\n"})
    assert "host-pid" in harden(project, "--baseline", "known.json").stdout
