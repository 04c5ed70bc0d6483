"""`harden audit --since`: only what a change makes worse, from real repositories, without running anything of theirs."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hardener import cli
from hardener.audit import revision
from hardener.audit.revision import MAX_FILE, past
from hardener.audit.since import renamed

Run = Callable[..., tuple[int, str]]

BASE = """\
services:
  web:
    image: nginx:1.27.1
    environment:
      A: "1"
  db:
    image: postgres:16
    user: "999:999"
    cap_drop: [ALL]
"""


def git(folder: Path, *words: str, text: str = "") -> str:
    """Run git as somebody with no settings of their own."""
    known = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = {f"GIT_{role}_{what}": "a@b.c" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        input=text,
        capture_output=True,
        text=True,
        env={**os.environ, **known, **who},
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit on `main`, in which the process works."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "compose.yaml").write_text(BASE)
    commit(folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "80")
    return folder


def commit(folder: Path) -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "a commit")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Run the command in this process: exit code and standard output, or error where that is empty."""

    def command(*arguments: str) -> tuple[int, str]:
        code = cli.main(("audit", *arguments))
        out, err = capfdbinary.readouterr()
        return code, (out or err).decode()

    return command


def worse(run: Run, *arguments: str) -> tuple[set[str], set[str]]:
    """The rules of new findings with their subjects, and the answers that are worse, as JSON tells them."""
    code, out = run("--since", *(arguments or ("HEAD",)), "--format", "json")
    data = json.loads(out)
    found = {f"{item['rule']} {item['subject']}" for item in data["findings"]}
    answers = {f"{item['question']} {item['subject']} {item['before']}>{item['after']}" for item in data["answers"]}
    assert code == (1 if found or answers else 0)
    return found, answers


def test_nothing_is_worse_where_nothing_changed_or_lines_moved(repository: Path, run: Run) -> None:
    assert run("--since", "HEAD")[0] == 0
    (repository / "compose.yaml").write_text("# a comment\n\n" + BASE.replace("image: nginx", "# another\n    image: nginx"))
    assert worse(run) == (set(), set())
    (repository / "compose.yaml").write_text(BASE.replace('A: "1"', 'A: "2"'))
    assert worse(run) == (set(), set())


def test_only_what_is_worse_is_told(repository: Path, run: Run) -> None:
    changed = BASE.replace("cap_drop: [ALL]", "network_mode: host").replace(
        "image: nginx:1.27.1", "image: nginx:1.27.1\n    cap_drop: [ALL]"
    )
    (repository / "compose.yaml").write_text(changed)
    found, answers = worse(run)
    assert found == {"excess-capabilities db", "host-network db"}
    assert answers == {"capabilities db good>bad", "host-network db good>bad"}
    code, out = run("--since", "HEAD")
    assert code == 1
    assert "web" not in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_new_service_brings_its_findings(repository: Path, run: Run) -> None:
    (repository / "compose.yaml").write_text(f"{BASE}  ui:\n    image: example.com/u:1\n    privileged: true\n")
    found, answers = worse(run)
    assert {line.split()[1] for line in found} == {"ui"}
    assert "privileged-container ui" in found
    assert answers == {"capabilities ui None>bad", "escalation ui None>bad"}, "what its privilege hides from the rules"


@pytest.mark.parametrize("staged", [False, True])
def test_a_file_that_was_renamed_keeps_its_findings(repository: Path, run: Run, staged: bool) -> None:
    (repository / "deploy").mkdir()
    (repository / "compose.yaml").rename(repository / "deploy" / "docker-compose.yml")
    (repository / "deploy" / "docker-compose.yml").write_text(BASE.replace("    cap_drop: [ALL]\n", ""))
    if staged:
        commit(repository)
    assert worse(run, "HEAD~" if staged else "HEAD") == ({"excess-capabilities db"}, {"capabilities db good>bad"})


def test_it_compares_with_where_the_branch_left(repository: Path, run: Run) -> None:
    git(repository, "checkout", "-q", "-b", "topic")
    (repository / "compose.yaml").write_text(BASE.replace("    cap_drop: [ALL]\n", ""))
    commit(repository)
    git(repository, "checkout", "-q", "main")
    (repository / "compose.yaml").write_text(BASE.replace('    user: "999:999"\n', ""))
    commit(repository)
    git(repository, "checkout", "-q", "topic")
    # What main has made worse meanwhile is not of this branch, nor better for it.
    assert worse(run, "main")[0] == {"excess-capabilities db"}
    assert "where this branch left main" in run("--since", "main")[1]


def test_a_dockerfile_that_makes_a_service_worse(repository: Path, run: Run) -> None:
    (repository / "compose.yaml").write_text("services: {a: {build: .}}\n")
    (repository / "Dockerfile").write_text('FROM debian:12\nUSER 1000\nCMD ["/a"]\n')
    commit(repository)
    (repository / "Dockerfile").write_text('FROM debian:12\nCMD ["/a"]\n')
    found, answers = worse(run)
    assert "root-user image" in found
    assert "non-root a good>bad" in answers


def test_variables_that_git_ignores_hold_before_and_after(repository: Path, run: Run) -> None:
    (repository / ".gitignore").write_text(".env\n")
    (repository / "compose.yaml").write_text("services:\n  a:\n    image: redis:7\n    user: ${WHO}\n")
    commit(repository)
    (repository / ".env").write_text("WHO=0\n")
    assert worse(run) == (set(), set())


def test_paths_and_folders(repository: Path, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (repository / "a").mkdir()
    (repository / "a" / "compose.yaml").write_text("services: {x: {image: 'redis:7', network_mode: host}}\n")
    (repository / "compose.yaml").write_text(BASE.replace("    cap_drop: [ALL]\n", ""))
    assert {line.split()[1] for line in worse(run, "HEAD", "a")[0]} == {"x"}
    assert worse(run, "HEAD", str(repository / "compose.yaml"))[0] == {"excess-capabilities db"}
    monkeypatch.chdir(repository / "a")
    assert {line.split()[1] for line in worse(run, "HEAD")[0]} == {"x"}
    assert run("--since", "HEAD", str(tmp_path))[0] == 2


def test_what_is_let_be_is_decided_now_for_both(repository: Path, run: Run) -> None:
    (repository / "hardener.toml").write_text('ignore = ["excess-capabilities"]\n')
    commit(repository)
    (repository / "hardener.toml").unlink()
    assert worse(run) == (set(), set()), "only the files may differ"


def test_mistakes_say_what_to_do(repository: Path, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("nowhere", "--output=x", "HEAD:compose.yaml"):
        code, said = run(f"--since={name}")
        assert (code, "there is no revision" in said) == (2, True)
    assert run("--since=")[0] == 2
    first = git(repository, "rev-parse", "HEAD")
    commit(repository)
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", "shallow")
    monkeypatch.chdir(tmp_path / "shallow")
    code, said = run("--since", first)
    assert (code, "git fetch --unshallow" in said) == (2, True)
    monkeypatch.chdir(tmp_path)
    code, said = run("--since", "HEAD")
    assert (code, "needs a git repository" in said) == (2, True)


def test_nothing_of_the_repository_is_run(repository: Path, run: Run, tmp_path: Path) -> None:
    """Hooks, the file system monitor, filters, external diffs and a promised remote: each would leave a mark."""
    mark = tmp_path / "mark"
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\necho "$0 $@" >> {mark}\ncat\n')
    program.chmod(0o755)
    (repository / ".gitattributes").write_text("*.yaml filter=evil diff=evil\n")
    commit(repository)
    for name in ("post-checkout", "post-index-change", "fsmonitor-watchman", "reference-transaction"):
        hook = repository / ".git" / "hooks" / name
        hook.write_text(program.read_text())
        hook.chmod(0o755)
    for key in ("core.fsmonitor", "filter.evil.clean", "filter.evil.smudge", "diff.external", "diff.evil.textconv",
                "diff.evil.command", "core.pager", "core.sshCommand", "core.alternateRefsCommand", "core.askPass"):  # fmt: skip
        git(repository, "config", key, str(program))
    (repository / "compose.yaml").write_text(BASE.replace("    cap_drop: [ALL]\n", ""))
    os.utime(repository / "compose.yaml", (1, 1))
    assert worse(run)[0] == {"excess-capabilities db"}
    assert not mark.exists()
    subprocess.run(["git", "status"], cwd=repository, capture_output=True, check=False)
    assert mark.exists(), "the trap works"


def test_what_is_laid_out_is_inert(repository: Path) -> None:
    """Links, large files, submodules and names that lead elsewhere are left out; modes are all the same."""
    blob = git(repository, "hash-object", "-w", "--stdin", text="../../outside")
    large = git(repository, "hash-object", "-w", "--stdin", text="x" * (MAX_FILE + 1))
    head = git(repository, "rev-parse", "HEAD")
    inner = git(repository, "mktree", text=f"100755 blob {blob}\tprogram\n")
    tree = git(
        repository,
        "mktree",
        text=f"120000 blob {blob}\tlink\n100644 blob {large}\tlarge\n160000 commit {head}\tmodule\n040000 tree {inner}\td\n"
        f"100644 blob {blob}\tä b\n",
    )
    made = git(repository, "commit-tree", "-m", "x", tree)
    with past(made, str(repository)) as old:
        files = {str(path.relative_to(old.folder)): path for path in Path(old.folder).rglob("*") if path.is_file()}
        assert set(files) == {"d/program", "ä b"}
        assert {path.stat().st_mode & 0o111 for path in files.values()} == {0}
        assert files["ä b"].read_text() == "../../outside"
        assert Path(old.folder).parent.stat().st_mode & 0o077 == 0
    assert not Path(old.folder).exists()


def test_a_tree_that_leads_out_of_its_folder_writes_nothing_there(repository: Path, tmp_path: Path) -> None:
    """Git's own commands do not make such trees, but a repository may hold them."""
    import hashlib
    import zlib

    blob = git(repository, "hash-object", "-w", "--stdin", text="evil")

    def put(kind: str, data: bytes) -> str:
        whole = f"{kind} {len(data)}\0".encode() + data
        name = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
        path = repository / ".git" / "objects" / name[:2] / name[2:]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(zlib.compress(whole))
        return name

    inner = put("tree", b"100644 evil\0" + bytes.fromhex(blob))
    tree = put("tree", b"".join(f"40000 {name}\0".encode() + bytes.fromhex(inner) for name in ("..", ".GIT")))
    made = git(repository, "commit-tree", "-m", "x", tree)
    with past(made, str(repository)) as old:
        assert [path.name for path in Path(old.folder).rglob("*")] == [".git"]
        assert not (Path(old.folder).parent / "evil").exists()


def test_renames_are_one_to_one_and_the_most_alike_first() -> None:
    old = {"a": "1\n2\n3\n4", "b": "1\n2\n9\n9", "kept": "x"}
    new = {"c": "1\n2\n3\n5", "d": "7\n7", "kept": "x"}
    assert renamed(old, new) == {"a": "c"}
    assert renamed({}, new) == {}


def test_trees_that_hold_one_another_many_times_end_soon(repository: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revision, "_MAX_LISTED", 1024 * 1024)
    blob = git(repository, "hash-object", "-w", "--stdin", text="services: {}\n")
    tree = git(repository, "mktree", text="".join(f"100644 blob {blob}\tf{number}\n" for number in range(10)))
    for _ in range(8):
        tree = git(repository, "mktree", text="".join(f"040000 tree {tree}\td{number}\n" for number in range(10)))
    bomb = git(repository, "commit-tree", tree, "-m", "a billion files")
    code, said = run("--since", bomb)
    assert code == 2
    assert "too many files" in said


def test_names_that_no_disk_takes_are_left_out(repository: Path, run: Run) -> None:
    blob = git(repository, "rev-parse", "HEAD:compose.yaml")
    tree = git(repository, "mktree", text=f"100644 blob {blob}\t{'n' * 5000}\n")
    for _ in range(30):
        tree = git(repository, "mktree", text=f"040000 tree {tree}\t{'d' * 200}\n100644 blob {blob}\tcompose.yaml\n")
    assert run("--since", git(repository, "commit-tree", tree, "-m", "long names"))[0] == 0


def test_a_folder_that_was_a_file(repository: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "shop").write_text("")
    before = commit(repository)
    (repository / "shop").unlink()
    (repository / "shop").mkdir()
    (repository / "shop" / "compose.yaml").write_text(BASE)
    monkeypatch.chdir(repository / "shop")
    code, said = run("--since", before)
    assert code == 2
    assert "was a file then" in said


def test_another_repository_that_git_tells_its_hooks_of_is_not_asked(
    repository: Path, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    git(repository, "init", "-q", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert run("--since", "main")[0] == 0


def test_a_folder_of_many_files_that_moved_is_followed_soon() -> None:
    old = {f"a/{number}/compose.yaml": f"services: {{s{number}: {{}}}}\n" for number in range(3000)}
    new = {f"b{name[1:]}": text for name, text in old.items()}
    assert renamed(old, new) == {name: f"b{name[1:]}" for name in old}
    # Where all of them were changed too, nobody is kept waiting.
    assert renamed(old, {name: f"{text}x: 1\n" for name, text in new.items()}) == {}
