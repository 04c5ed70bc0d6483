"""`docker harden`: what the real client of Docker makes of the plugin."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hardener import __version__
from hardener.cli.docker_plugin import METADATA, main, own_words

SCRIPT = Path(sys.executable).parent / "docker-harden"
RISKY = "services:\n  web:\n    image: nginx:1.27\n"


@pytest.fixture
def docker(tmp_path: Path):
    """Runs the client, with a configuration of its own that has the plugin; no engine is asked."""
    if shutil.which("docker") is None or not SCRIPT.exists():
        pytest.skip("no client of Docker, or `docker-harden` is not installed")
    plugins = tmp_path / "config" / "cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-harden").symlink_to(SCRIPT)  # as the README says
    project = tmp_path / "project"
    project.mkdir()

    def run(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        command = ["docker", "--config", str(tmp_path / "config"), *words]
        return subprocess.run(command, input=text, cwd=project, capture_output=True, text=True, timeout=60, check=False)

    run.project = project
    return run


def test_docker_lists_the_plugin_and_finds_nothing_wrong_with_it(docker) -> None:
    told = docker("help").stdout
    assert "  harden*" in told
    assert "Invalid Plugins" not in told


def test_the_words_and_the_exit_codes_come_through(docker) -> None:
    (docker.project / "compose.yaml").write_text(RISKY)
    assert docker("harden", "--version").stdout == f"harden {__version__}\n"
    assert docker("--log-level", "error", "harden", "--version").returncode == 0
    checked = docker("harden", "--check", "compose.yaml")
    assert checked.returncode == 1
    assert "compose.yaml:2:3" in checked.stdout
    assert docker("harden", "nothing-here.yaml").returncode == 2
    assert docker("harden", "--write").returncode == 0
    assert "cap_drop" in (docker.project / "compose.yaml").read_text()
    assert docker("harden", "explain", "root-user").returncode == 0


def test_standard_input_and_output_are_those_of_the_user(docker) -> None:
    shown = docker("harden", "--diff", "--stdin-filename", "compose.yaml", "-", text=RISKY)
    assert shown.returncode == 1
    assert "\n--- a/compose.yaml\n" in shown.stdout


def test_help_and_mistakes_call_it_as_the_user_does(docker) -> None:
    for words in (("harden", "--help"), ("help", "harden")):
        told = docker(*words)
        assert told.returncode == 0
        assert "Usage: docker harden [OPTIONS]" in told.stdout
        assert "docker harden --check" in told.stdout
    mistaken = docker("harden", "--no-such-option")
    assert mistaken.returncode == 2
    assert "docker harden -h" in mistaken.stderr


def test_the_metadata_are_what_docker_asks_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([METADATA]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["SchemaVersion"] == "0.1.0"
    assert told["Version"] == __version__
    assert told["Vendor"]
    assert told["ShortDescription"]


@pytest.mark.parametrize(
    ("words", "own"),
    [
        ("harden --check .", "--check ."),
        ("--context harden -D harden harden", "harden"),
        ("--config=x harden needs", "needs"),
        ("help harden", "--help"),
        ("--check .", "--check ."),  # started by a person, not by Docker
        ("compose.yaml harden", "compose.yaml harden"),
        ("", ""),
    ],
)
def test_only_the_words_behind_its_name_are_its_own(words: str, own: str) -> None:
    assert own_words(words.split()) == own.split()
