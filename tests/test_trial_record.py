"""What a trial leaves in `harden.evidence.yaml`: it holds for the files with the fixes in them, and adds to what was there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from hardener.discover import COMPOSE, Found
from hardener.needs.proven import Proven
from hardener.needs.recorded import FILE
from hardener.pipeline import Request, needs, run
from hardener.report import Report, Status
from hardener.trial.project import Project
from hardener.trial.record import file_with, records

COMPOSE_FILE = "services:\n  web:\n    image: example/web:1\n  other:\n    image: example/other:1\n"
WEB = Proven(user="5:6", capabilities={"CHOWN": "chown: /data"}, read_only=True, tmpfs={"/run": "5:6"}, memory=128)


def project_in(folder: Path) -> Project:
    location = str(folder / "compose.yaml")
    found = (Found(location, "compose.yaml", COMPOSE, True, within=str(folder)),)
    judged, troubles = needs(Request(found, unsafe=True))
    services = {one.subject.subject: (one.subject, one.needs) for one in judged}
    return Project(str(folder), (), found, str(folder), services, {}, tuple(troubles))


def prove(folder: Path, proven: Mapping[str, Proven]) -> Report:
    """What a trial of a folder with these results writes."""
    project = project_in(folder)
    report = run(Request(project.found, unsafe=True, proven=proven, engine="Docker 1"))
    seen = records(project, proven, report, "Docker 1", {"web": "sha256:aa"})
    location, text = file_with(project, seen)
    for change in report.changes:
        Path(change.location).write_bytes(change.after.to_bytes())
    Path(location).write_text(text)
    return report


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "compose.yaml").write_text(COMPOSE_FILE)
    return tmp_path


def left(folder: Path, *, unsafe: bool) -> tuple[int, set[str]]:
    """How many files a later run would change, and what it says of web that is not done."""
    report = run(Request(project_in(folder).found, unsafe=unsafe))
    assert not report.troubles
    return len(report.changes), {
        o.finding.rule for o in report.outcomes if o.finding.subject == "web" and o.status is not Status.REPORTED
    }


def test_a_later_run_knows_it_without_an_engine(folder: Path) -> None:
    prove(folder, {"web": WEB})
    text = (folder / FILE).read_text()
    assert "sha256:aa" in text
    assert "Docker 1" in text
    assert 'user: "5:6"' in (folder / "compose.yaml").read_text()
    # The file of somebody who has the record, and not the fixes, gets the same ones by default.
    written = (folder / "compose.yaml").read_text()
    (folder / "compose.yaml").write_text(
        written.replace("    read_only: true\n", "").replace("    tmpfs:\n      - /run:uid=5,gid=6\n", "")
    )
    report = run(Request(project_in(folder).found))
    again = next(change.after.text for change in report.changes)
    assert "read_only: true" in again
    assert "/run:uid=5,gid=6" in again


def test_what_failed_is_not_offered_again(folder: Path) -> None:
    prove(folder, {"web": WEB._replace(failed={"privilege-escalation": "sudo: it was there"})})
    _, open_ones = left(folder, unsafe=True)
    assert "privilege-escalation" in open_ones
    assert "no-new-privileges" not in (folder / "compose.yaml").read_text().partition("other:")[0]


def test_a_second_trial_adds_to_what_the_first_one_proved(folder: Path) -> None:
    prove(folder, {"web": WEB._replace(failed={"privilege-escalation": "sudo"}), "other": Proven(memory=64)})
    prove(folder, {"web": Proven(pids=64)})
    text = (folder / FILE).read_text()
    assert "pids: 64" in text
    assert "CHOWN" in text
    assert "privilege-escalation" in text
    assert "other:" in text
    assert left(folder, unsafe=False)[0] == 0


def test_what_was_proved_of_another_command_is_forgotten(folder: Path) -> None:
    prove(folder, {"web": WEB})
    path = folder / "compose.yaml"
    path.write_text(path.read_text().replace("image: example/web:1", "image: example/web:1\n    command: [other]"))
    prove(folder, {"web": Proven(pids=64)})
    assert "CHOWN" not in (folder / FILE).read_text()


def test_without_a_file_there_is_nothing_to_keep(folder: Path) -> None:
    assert file_with(project_in(folder), {})[0] == os.path.join(str(folder), FILE)
