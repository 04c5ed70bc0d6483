"""`action.yml`: its scripts, run by bash with what GitHub would give them; and what it may never do."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from hardener.cli.options import OPTIONS

ROOT = Path(__file__).parent.parent
ACTION: dict[str, Any] = YAML(typ="safe").load((ROOT / "action.yml").read_text())
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
RISKY = "services:\n  web:\n    image: nginx:1.27\n"

needs_outputs = pytest.mark.skipif(
    not any(option.flag == "--output" for option in OPTIONS), reason="this harden writes no reports into files"
)


class Ran:
    """What the steps did, as a workflow sees it."""

    def __init__(self, done: subprocess.CompletedProcess[str], outputs: dict[str, str], ended: int) -> None:
        self.text, self.outputs, self.ended = done.stdout + done.stderr, outputs, ended


def run(folder: Path, **inputs: str) -> Ran:
    """The steps `Run harden` and `Pass on the exit code`, in a workspace; harden is installed already."""
    temporary = folder.parent / "runner"
    (temporary / "harden").mkdir(parents=True, exist_ok=True)
    if not (temporary / "harden" / "bin").exists():
        (temporary / "harden" / "bin").symlink_to(Path(sys.executable).parent)
    given = {name: str(value.get("default", "")) for name, value in ACTION["inputs"].items()} | {
        name.replace("_", "-"): value for name, value in inputs.items()
    }
    files = {name: temporary / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for file in files.values():
        file.write_text("")
    environment = {"PATH": os.environ["PATH"], "RUNNER_TEMP": str(temporary), "GITHUB_ACTIONS": "true"}
    environment |= {name: str(path) for name, path in files.items()}
    step = next(step for step in STEPS if is_run(step, given["mode"]) and "id" in step)
    done = script(step["name"], folder / given["working-directory"], environment, given, {})
    outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
    known = {f"steps.{step['id']}.outputs.{name}": value for name, value in outputs.items()}
    ended = script("Pass on the exit code", folder, environment, given, known) if done.returncode == 0 else done
    return Ran(done, outputs, ended.returncode)


def is_run(step: dict[str, Any], mode: str) -> bool:
    """Whether a step is run in a mode; of conditions, only those about the mode are known here."""
    asked = re.fullmatch(r"inputs\.mode (==|!=) '(\w+)'", step.get("if", ""))
    return asked is None or (asked[1] == "==") == (asked[2] == mode)


def script(
    name: str, folder: Path, environment: dict[str, str], inputs: dict[str, str], outputs: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    step = next(step for step in STEPS if step["name"] == name)
    known = {f"inputs.{name}": value for name, value in inputs.items()} | outputs
    values = {
        name: re.sub(r"\$\{\{ (\S+) \}\}", lambda found: known.get(found[1], ""), text) for name, text in step["env"].items()
    }
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]  # as the runner calls it
    return subprocess.run(
        shell,
        cwd=folder,
        env=environment | values,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "compose.yaml").write_text(RISKY)
    return folder


@needs_outputs
def test_a_check_annotates_reports_and_fails_only_at_the_end(workspace: Path) -> None:
    ran = run(workspace)
    assert ran.outputs["exit-code"] == "1"
    assert ran.ended == 1
    assert int(ran.outputs["fixes"]) >= 4
    assert re.search(r"^::\w+ .*file=compose.yaml,line=2", ran.text, re.MULTILINE)
    assert json.loads(Path(ran.outputs["sarif"]).read_text())["version"] == "2.1.0"
    assert (workspace / "compose.yaml").read_text() == RISKY
    assert sorted(path.name for path in workspace.iterdir()) == ["compose.yaml"]


@needs_outputs
def test_writing_is_followed_by_a_check_that_passes(workspace: Path) -> None:
    written = run(workspace, mode="write")
    assert (written.ended, written.outputs["exit-code"]) == (0, "0")
    assert "cap_drop" in (workspace / "compose.yaml").read_text()
    again = run(workspace)
    assert (again.ended, again.outputs["fixes"]) == (0, "0")


@needs_outputs
def test_a_diff_is_shown_beside_the_check(workspace: Path) -> None:
    ran = run(workspace, mode="diff")
    assert "\n+    cap_drop:\n" in ran.text
    assert ran.ended == 1


@needs_outputs
def test_what_cannot_be_read_is_told_from_findings(workspace: Path) -> None:
    (workspace / "compose.yaml").write_text("services: [\n")
    assert run(workspace).ended == 2


@needs_outputs
def test_paths_and_arguments_stand_on_lines_and_are_only_that(workspace: Path) -> None:
    folder = workspace / "a folder; touch owned"
    folder.mkdir()
    (folder / "compose.yaml").write_text(RISKY)
    (folder / "Dockerfile").write_text("FROM python:3.12-slim\nUSER 1000\n")
    ran = run(workspace, paths="a folder; touch owned\n$(touch owned)\n", args="--select\nunlimited-pids")
    assert ran.outputs["fixes"] == "1"
    assert ran.ended == 2  # there is no folder `$(touch owned)`
    assert not list(workspace.rglob("owned"))
    inside = run(workspace, working_directory="a folder; touch owned", args="--select=unlimited-pids")
    assert inside.outputs["fixes"] == "1"


@needs_outputs
def test_fail_on_decides_about_findings_without_fixes(workspace: Path) -> None:
    (workspace / "compose.yaml").write_text("services:\n  web:\n    image: nginx:1.27\n    network_mode: host\n")
    only = "--select\nhost-network"
    assert run(workspace, args=only, fail_on="high").ended == 1
    assert run(workspace, args=only, fail_on="never").ended == 0


def test_an_unknown_mode_is_an_error(workspace: Path) -> None:
    ran = run(workspace, mode="wirte")
    assert ran.ended == 2
    assert "mode is check, diff, write or pr" in ran.text


#: What stands in for `harden`, and writes down how it was called.
STAND_IN = """#!/bin/sh
for word in "$@"; do printf '<%s>' "$word"; done
printf ' token=%s\\n' "${HARDEN_TOKEN:-}"
exit "${ENDS:-0}"
"""


def stand_in(workspace: Path, ends: int = 0) -> None:
    programs = workspace.parent / "runner/harden/bin"
    programs.mkdir(parents=True)
    (programs / "harden").write_text(STAND_IN.replace("${ENDS:-0}", str(ends)))
    (programs / "harden").chmod(0o755)


def test_pull_requests_are_opened_with_the_token_and_arguments_that_are_given(workspace: Path) -> None:
    stand_in(workspace)
    ran = run(workspace, mode="pr", token="secret", args="--only\n$(touch owned)\n--draft", paths="else", fail_on="low")
    assert ran.text == "<pr><--only><$(touch owned)><--draft> token=secret\n"
    assert (ran.ended, ran.outputs) == (0, {"exit-code": "0"})
    assert not list(workspace.rglob("owned"))


def test_a_run_for_pull_requests_that_did_not_go_well_fails_the_step(workspace: Path) -> None:
    stand_in(workspace, ends=2)
    ran = run(workspace, mode="pr", token="secret")
    assert (ran.ended, ran.outputs["exit-code"]) == (2, "2")


def test_nothing_but_the_step_that_opens_pull_requests_sees_the_token(workspace: Path) -> None:
    assert [step["name"] for step in STEPS if "inputs.token" in str(step)] == ["Open pull requests"]
    assert [step["name"] for step in STEPS if is_run(step, "pr") and "id" in step] == ["Open pull requests"]
    assert [step["name"] for step in STEPS if is_run(step, "check") and "id" in step] == ["Run harden"]


@pytest.mark.parametrize(("mode", "extra"), [("check", ""), ("write", ""), ("pr", "[github]")])
def test_the_client_of_the_forge_is_installed_only_where_it_is_used(workspace: Path, mode: str, extra: str) -> None:
    programs = workspace.parent / "runner/harden/bin"
    programs.mkdir(parents=True)
    (programs / "python").write_text(STAND_IN)
    (programs / "python").chmod(0o755)
    (workspace.parent / "python3").write_text("#!/bin/sh\n")
    (workspace.parent / "python3").chmod(0o755)
    path = f"{workspace.parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "RUNNER_TEMP": str(workspace.parent / "runner"), "GITHUB_ACTION_PATH": "/action"}
    done = script("Install harden", workspace, environment, {"mode": mode}, {})
    assert done.stdout.endswith(f"</action{extra}> token=\n")


def test_what_lies_in_the_workspace_is_not_run_by_the_installation(workspace: Path) -> None:
    """A pull request may bring a module of any name."""
    for name in ("venv", "pip", "ensurepip", "types"):
        (workspace / f"{name}.py").write_text("print('a stranger was run')")
    (workspace.parent / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@" --without-pip\n')
    (workspace.parent / "python3").chmod(0o755)
    path = f"{workspace.parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "RUNNER_TEMP": str(workspace.parent / "runner"), "GITHUB_ACTION_PATH": "/action"}
    done = script("Install harden", workspace, environment, {"mode": "check"}, {})
    assert "No module named pip" in done.stderr
    assert "stranger" not in done.stdout


def test_no_value_becomes_text_of_a_script() -> None:
    assert [step["name"] for step in STEPS if "${{" in step.get("run", "")] == []


def test_other_actions_are_named_by_their_commit() -> None:
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert len(used) == 2
    assert all(re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40}", name) for name in used)
