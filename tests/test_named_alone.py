"""What is said of one file that is named, as hooks and editors do: the same as when its folder is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from hardener.discover import discover
from hardener.pipeline import Request, run
from hardener.report import Status


def plant(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def ended(*paths: str) -> dict[tuple[str, str], Status]:
    found, troubles = discover(paths)
    report = run(Request(tuple(found)))
    assert (troubles, report.troubles) == ([], ())
    return {(o.finding.place.path, o.finding.rule): o.status for o in report.outcomes}


def test_a_dockerfile_is_judged_with_how_compose_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plant(
        tmp_path,
        {
            ".git/HEAD": "",
            "app/Dockerfile": 'FROM python:3.12-slim\nCOPY server.py /\nCMD ["python", "/server.py"]\n',
            "app/server.py": 'open("/data/x", "w").write("1")\n',
            "compose.yaml": "services:\n  web:\n    build: app\n    volumes: [./data:/data]\n",
        },
    )
    alone, within = ended("app/Dockerfile"), ended(".")
    # The data on the host may be root's: this only the Compose file tells.
    assert alone["app/Dockerfile", "root-user"] is within["app/Dockerfile", "root-user"] is Status.HELD_BACK
    assert {path for path, _ in alone} == {"app/Dockerfile"}


@pytest.mark.parametrize("named", ["compose.yaml", "compose.override.yaml"])
def test_a_base_and_its_override_are_read_for_each_other(named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plant(
        tmp_path,
        {
            "compose.yaml": "services:\n  cache:\n    image: redis:7\n",
            "compose.override.yaml": "services:\n  cache:\n    privileged: true\n",
        },
    )
    assert (named, "unlimited-memory") in ended(named)
