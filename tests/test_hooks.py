"""`.pre-commit-hooks.yaml`: which files the hooks are given, and what pre-commit itself makes of them in a repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from hardener.cli import main

ROOT = Path(__file__).parent.parent
HOOKS: dict[str, dict[str, Any]] = {
    hook["id"]: hook for hook in YAML(typ="safe").load((ROOT / ".pre-commit-hooks.yaml").read_text())
}
RISKY = "services:\n  web:\n    image: nginx:1.27\n"


@pytest.mark.parametrize("hook", HOOKS)
def test_the_files_that_may_be_ours_are_given_to_a_hook(hook: str) -> None:
    pattern = re.compile(HOOKS[hook]["files"])
    ours = "compose.yaml deploy/docker-compose.prod.yml k8s/pod.json Dockerfile a/Dockerfile.dev app.dockerfile Containerfile"
    assert all(map(pattern.search, ours.split()))
    assert not any(map(pattern.search, "server.py README.md dockerfiles/notes.txt".split()))


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_content_with_files_that_are_not_ours(hook: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "settings.yaml").write_text("a: 1\n")
    (tmp_path / "package.json").write_text("{}\n")
    assert main([*HOOKS[hook]["entry"].split()[1:], "settings.yaml", "package.json"]) == 0


@pytest.mark.network
def test_pre_commit_checks_fixes_and_is_content(tmp_path: Path) -> None:
    """Installs the package from a copy of this checkout, as pre-commit does for its users: half a minute."""
    pre_commit = shutil.which("pre-commit", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if pre_commit is None:
        pytest.skip("pre-commit is not installed")
    environment = os.environ | {
        "PRE_COMMIT_HOME": str(tmp_path / "home"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        **{f"GIT_{who}_{what}": "t@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }

    def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False)

    offered, used = tmp_path / "offered", tmp_path / "used"
    for name in ("hardener", "fixtures", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        offered.mkdir(exist_ok=True)
        copy(ROOT / name, offered / name)
    used.mkdir()
    (used / "compose.yaml").write_text(RISKY)
    (used / "settings.yaml").write_text("a: 1\n")
    for folder in (offered, used):
        run(folder, "git", "init", "-q")
        run(folder, "git", "add", "-A")
    assert run(offered, "git", "commit", "-qm", "offered").returncode == 0
    revision = run(offered, "git", "rev-parse", "HEAD").stdout.strip()

    def hook(name: str) -> subprocess.CompletedProcess[str]:
        (used / ".pre-commit-config.yaml").write_text(
            f"repos:\n- repo: {offered.as_uri()}\n  rev: {revision}\n  hooks:\n  - id: {name}\n"
        )
        run(used, "git", "add", "-A")
        return run(used, pre_commit, "run", "--color=never")

    first = hook("harden")
    if "No matching distribution found" in first.stdout or "Temporary failure in name resolution" in first.stdout:
        pytest.skip("PyPI does not answer")
    assert first.returncode == 1, first.stdout + first.stderr
    assert "exit code: 1" in first.stdout
    assert "compose.yaml:2:3" in first.stdout
    assert (used / "compose.yaml").read_text() == RISKY
    fixed = hook("harden-fix")
    assert fixed.returncode == 1
    assert "files were modified by this hook" in fixed.stdout
    assert "cap_drop" in (used / "compose.yaml").read_text()
    for name in ("harden-fix", "harden"):
        assert hook(name).returncode == 0
