"""Overlays of Compose files: what Compose makes of the files and the overlay is what it makes of the fixed files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from compose_oracle import write
from overlay_oracle import beside_files, checked, in_files
from test_fixtures import CASES, Case, is_compose

from hardener.cli.options import parse
from hardener.cli.run import run
from hardener.errors import UsageError
from hardener.report import Status

WITH_COMPOSE = [case for case in CASES if any(is_compose(name) for name in case.before)]
FILE = """\
services:
  cache:
    image: redis:7
    # ours
    cap_add: [CHOWN, SYS_ADMIN]
    security_opt:
      - seccomp:unconfined
      - label:disable
"""


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.rule}/{case.folder.name}") for case in WITH_COMPOSE])
def test_compose_sees_no_difference(case: Case) -> None:
    for path, how, what in checked(case.folder / "before", unsafe=case.how["unsafe"]):
        assert how in ("equal", "rejected"), (path, what)


def harden(folder: Path, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.chdir(folder)
    invocation = parse(arguments)
    assert invocation is not None
    return run(invocation)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    write(tmp_path, {"compose.yaml": FILE.encode()})
    return tmp_path


def test_it_is_written_beside_and_once(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert harden(shop, "--write", "--overlay", "--unsafe-fixes", monkeypatch=monkeypatch) == 0
    assert (shop / "compose.yaml").read_text() == FILE
    first = (shop / "compose.harden.yaml").read_text()
    assert "docker compose -f compose.yaml -f compose.harden.yaml up" in first
    assert "2.24.4" in first, "it says which Compose knows !override"
    assert "- label:disable" in first
    assert "seccomp" not in first
    assert "one thread answers all commands" in first, "the reason stands beside it"
    harden(shop, "--write", "--overlay", "--unsafe-fixes", monkeypatch=monkeypatch)
    assert (shop / "compose.harden.yaml").read_text() == first
    assert harden(shop, "--diff", "--overlay", "--unsafe-fixes", monkeypatch=monkeypatch) == 0


def test_a_diff_of_it_is_that_of_a_new_file(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert harden(shop, "--diff", "--overlay", monkeypatch=monkeypatch) == 1
    diff = capfdbinary.readouterr().out
    assert b"new file mode 100644\n--- /dev/null\n+++ b/compose.harden.yaml\n@@ -0,0 +1," in diff
    assert not (shop / "compose.harden.yaml").exists()
    assert os.listdir(shop) == ["compose.yaml"]
    (shop.parent / "the.diff").write_bytes(diff)
    monkeypatch.chdir(shop)
    assert os.system("git apply ../the.diff") == 0
    assert harden(shop, "--diff", "--overlay", monkeypatch=monkeypatch) == 0


def test_without_the_option_what_it_says_counts(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    harden(shop, "--write", "--overlay", "--unsafe-fixes", monkeypatch=monkeypatch)
    plain = in_files(shop, unsafe=True)
    assert not plain.changes
    assert not plain.troubles
    assert not [o for o in plain.outcomes if o.status in (Status.APPLIED, Status.HELD_BACK, Status.FAILED)]


def test_what_became_unneeded_goes_from_it(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    harden(shop, "--write", "--overlay", monkeypatch=monkeypatch)
    (shop / "compose.yaml").write_text("services:\n  other:\n    image: example.org/unknown\n")
    harden(shop, "--write", "--overlay", monkeypatch=monkeypatch)
    text = (shop / "compose.harden.yaml").read_text()
    assert text.endswith("services: {}\n")


def test_a_file_of_somebody_else_is_not_overwritten(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shop / "compose.harden.yaml").write_text("# mine\nservices: {cache: {image: redis:7}}\n")
    assert harden(shop, "--write", "--overlay", monkeypatch=monkeypatch) == 2
    assert (shop / "compose.harden.yaml").read_text().startswith("# mine")


def test_an_override_and_other_files_are_passed_before_it(tmp_path: Path) -> None:
    files = {
        "docker-compose.yml": "services: {db: {image: 'postgres:16', environment: [A=x]}, cache: {image: 'redis:7'}}\n",
        "docker-compose.override.yml": "services: {cache: {cap_add: [SYS_ADMIN], mem_limit: 1g}}\n",
        "docker-compose.prod.yml": "services: {db: {restart: always, cap_add: [NET_ADMIN]}}\n",
        "alone.compose.yml": "services: {db: {image: 'mysql:8'}}\n",
    }
    write(tmp_path, {name: text.encode() for name, text in files.items()})
    found = {path: how for path, how, _ in checked(tmp_path, unsafe=True)}
    assert found["compose.harden.yaml"] == "equal"
    assert found["docker-compose.prod.harden.yaml"] == "equal"
    laid = beside_files(tmp_path, unsafe=True)
    texts = {change.after.path: change.after.text for change in laid.changes}
    assert "-f docker-compose.yml -f docker-compose.override.yml -f compose.harden.yaml" in texts["compose.harden.yaml"]


def test_what_is_included_and_extended_is_in_the_overlay_of_the_whole(tmp_path: Path) -> None:
    files = {
        "compose.yaml": "include: [parts/cache.yaml]\nservices:\n  db:\n    extends: {file: common-compose.yml, service: db}\n",
        "common-compose.yml": "services: {db: {image: 'postgres:16', security_opt: ['seccomp:unconfined']}}\n",
        "parts/cache.yaml": "services: {cache: {image: 'redis:7', privileged: true}}\n",
    }
    write(tmp_path, {name: text.encode() for name, text in files.items()})
    os.rename(tmp_path / "parts/cache.yaml", tmp_path / "parts/compose.yaml")
    (tmp_path / "compose.yaml").write_text(files["compose.yaml"].replace("cache.yaml", "compose.yaml"))
    found = {path: (how, what) for path, how, what in checked(tmp_path, unsafe=True)}
    assert found == {"compose.harden.yaml": ("equal", None)}


def test_dockerfiles_are_left_out_and_named(tmp_path: Path) -> None:
    files = {
        "compose.yaml": "services: {web: {build: .}}\n",
        "Dockerfile": 'FROM python:3.12-slim\nCOPY a.py /\nCMD ["python", "/a.py"]\n',
        "a.py": "print(1)\n",
    }
    write(tmp_path, {name: text.encode() for name, text in files.items()})
    laid = beside_files(tmp_path, unsafe=True)
    assert [change.after.path for change in laid.changes] == ["compose.harden.yaml"]
    assert any(note.path == "Dockerfile" for note in laid.notes)
    assert "uid=10001" not in laid.changes[0].after.text, "the user that its Dockerfile would get is not there"


def test_standard_input_has_no_beside(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="beside"):
        harden(shop, "--write", "--overlay", "--stdin-filename", "compose.yaml", "-", monkeypatch=monkeypatch)
