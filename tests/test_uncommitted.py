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
    assert "git is not installed" in " ".join(capsys.readouterr().out.split())
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


def _ran(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in tmp_path.glob("ran-*"))


def _tells(tmp_path: Path, name: str) -> str:
    return f"touch '{tmp_path / ('ran-' + name)}'; cat"


def test_no_filter_of_the_repository_is_run(git: Git, tmp_path: Path) -> None:
    Path(".git/info/attributes").write_text("*.yaml filter=own\n")
    for kind in ("clean", "smudge", "process"):
        git("config", f"filter.own.{kind}", _tells(tmp_path, kind))
    os.utime("compose.yaml", (1, 1))  # git has to look at its text again
    subprocess.run(("git", "status"), capture_output=True, check=False)
    ran = _ran(tmp_path)
    assert ran, "git by itself runs one"
    for name in ran:
        (tmp_path / name).unlink()
    os.utime("compose.yaml", (2, 2))
    assert main(["--write"]) == 0
    assert _ran(tmp_path) == []


def test_a_filter_that_git_cannot_be_told_to_leave_out_keeps_files_as_they_are(git: Git, tmp_path: Path) -> None:
    Path(".git/info/attributes").write_text("*.yaml filter=a=b\n")
    git("config", "filter.a=b.clean", _tells(tmp_path, "clean"))
    os.utime("compose.yaml", (1, 1))
    assert main(["--write"]) == 2
    assert Path("compose.yaml").read_text() == COMPOSE
    assert _ran(tmp_path) == []


def test_nothing_is_fetched_that_is_missing(git: Git, tmp_path: Path) -> None:
    for key, value in {
        "core.repositoryformatversion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": str(tmp_path),
        "remote.origin.uploadpack": f"touch '{tmp_path}/ran-uploadpack'; git-upload-pack",
    }.items():
        git("config", key, value)
    tree = git("rev-parse", "HEAD^{tree}").strip()
    Path(".git", "objects", tree[:2], tree[2:]).unlink()
    main(["--write"])
    assert _ran(tmp_path) == []


def test_submodules_are_not_entered(git: Git, tmp_path: Path) -> None:
    git("init", "-q", "inner")
    Path("inner/compose.yaml").write_text(COMPOSE)
    git("-C", "inner", "add", ".")
    git("-C", "inner", "commit", "-qm", "a")
    git("-C", "inner", "config", "filter.own.clean", _tells(tmp_path, "inner"))
    Path("inner/.git/info/attributes").write_text("*.yaml filter=own\n")
    git("add", "inner")
    git("commit", "-qm", "b")
    os.utime("inner/compose.yaml", (1, 1))
    assert main(["--write", "compose.yaml"]) == 0
    assert _ran(tmp_path) == []


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"])
def test_what_git_tells_a_hook_of_another_repository_does_not_count(
    git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    Path("compose.yaml").write_text(COMPOSE + "    # mine\n")
    other = tmp_path / "other"
    git("init", "-q", str(other))
    monkeypatch.setenv(name, str(other / ".git" if name == "GIT_DIR" else other / "index" if "INDEX" in name else other))
    assert main(["--write", "compose.yaml"]) == 2
    assert Path("compose.yaml").read_text() == COMPOSE + "    # mine\n"
