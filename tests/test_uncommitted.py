"""`--write` in a git checkout: what git has no copy of stays as it is, unless that is asked for. The judge is git itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hardener import uncommitted
from hardener.cli import main

COMPOSE = "services:\n  cache:\n    image: redis:7.4\n"
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """git, run in a new repository with one committed Compose file, in which the test runs."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        return subprocess.run((*GIT, *arguments), check=True, capture_output=True, text=True).stdout

    run("init", "-q")
    Path("compose.yaml").write_text(COMPOSE)
    run("add", ".")
    run("commit", "-qm", "a")
    return run


def test_a_committed_file_is_written(git: Git) -> None:
    assert main(["--write"]) == 0
    assert git("diff", "--name-only") == "compose.yaml\n"


@pytest.mark.parametrize("staged", [False, True])
def test_a_file_with_changes_is_left_as_it_is(git: Git, capsys: pytest.CaptureFixture[str], staged: bool) -> None:
    changed = COMPOSE + "    # mine\n"
    Path("compose.yaml").write_text(changed)
    if staged:
        git("add", ".")
    assert main(["--write"]) == 2
    assert Path("compose.yaml").read_text() == changed
    told = " ".join(capsys.readouterr().out.split())
    assert "compose.yaml: it has uncommitted changes; left as it is what to do: commit or stash it first" in told


def test_force_writes_all_the_same(git: Git) -> None:
    Path("compose.yaml").write_text(COMPOSE + "    # mine\n")
    assert main(["--write", "--force"]) == 0
    text = Path("compose.yaml").read_text()
    assert "cap_drop" in text
    assert "# mine" in text


def test_the_others_are_written(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkdir("new")
    Path("new/compose.yaml").write_text(COMPOSE)
    assert main(["--write"]) == 2
    assert "new/compose.yaml: it is not committed yet; left as it is" in " ".join(capsys.readouterr().out.split())
    assert Path("new/compose.yaml").read_text() == COMPOSE
    assert "cap_drop" in Path("compose.yaml").read_text()


def test_nothing_to_write_asks_nothing(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["--write"]) == 0
    monkeypatch.setattr(uncommitted, "uncommitted", pytest.fail)
    assert main(["--write"]) == 0, "a second run finds its own changes uncommitted, and has nothing to write"


def test_what_git_ignores_and_what_lies_elsewhere_is_no_concern(git: Git, tmp_path_factory: pytest.TempPathFactory) -> None:
    Path(".gitignore").write_text("own.yaml\n")
    Path("own.yaml").write_text(COMPOSE)
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "compose.yaml"
    elsewhere.write_text(COMPOSE)
    assert main(["--write", "own.yaml", str(elsewhere)]) == 0
    assert "cap_drop" in Path("own.yaml").read_text()
    assert "cap_drop" in elsewhere.read_text()


def test_names_are_taken_as_they_are(git: Git) -> None:
    names = ["größe.yaml", "a b.yaml", "*.yaml", "line\nend.yaml", '"q".yaml']
    for name in names:
        Path(name).write_text(COMPOSE)
    git("add", "a b.yaml")
    git("commit", "-qm", "b")
    told = uncommitted.uncommitted([os.path.abspath(name) for name in names])
    assert {os.path.basename(name) for name in told} == set(names) - {"a b.yaml"}


def test_many_files_are_asked_about_in_parts(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uncommitted, "_AT_ONCE", 3)
    names = [os.path.abspath(f"{number}.yaml") for number in range(10)]
    for name in names:
        Path(name).write_text(COMPOSE)
    assert list(uncommitted.uncommitted(names)) == names


def test_where_git_cannot_be_asked_nothing_is_written(
    git: Git, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["--write"]) == 2
    assert "there is no git here to ask" in " ".join(capsys.readouterr().out.split())
    assert Path("compose.yaml").read_text() == COMPOSE


def test_nothing_of_the_repository_is_run(git: Git) -> None:
    """A watcher of files is a program that a repository's own settings name."""
    Path("watch").write_text("#!/bin/sh\ntouch ran\n")
    os.chmod("watch", 0o755)
    git("config", "core.fsmonitor", os.path.abspath("watch"))
    Path("compose.yaml").write_text(COMPOSE + "\n")
    assert main(["--write"]) == 2
    assert not Path("ran").exists()


def test_a_submodule_is_its_own_checkout(git: Git) -> None:
    os.mkdir("inner")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-qm", "a")):
        Path("inner/compose.yaml").write_text(COMPOSE)
        subprocess.run((*GIT, *arguments), check=True, cwd="inner")
    Path("inner/compose.yaml").write_text(COMPOSE + "\n")
    assert list(uncommitted.uncommitted([os.path.abspath("inner/compose.yaml")]))


def test_force_is_about_writing(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--force"]) == 2
    assert "--force says what --write may write into" in capsys.readouterr().err


def test_verify_refuses_before_the_trial(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    Path("compose.yaml").write_text(COMPOSE + "\n")
    assert main(["verify", "--write"]) == 2
    assert "compose.yaml has uncommitted changes: commit or stash it first" in capsys.readouterr().err
