"""Configurations at work: which holds for which path, what the command line says in its place, and the commands about it."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from hardener.cli import main
from hardener.config.find import find_config
from hardener.config.schema import schema
from hardener.needs.profile_file import read_profile

ROOT = Path(__file__).parent.parent
COMPOSE = "services:\n  web:\n    image: registry.example.com/own:1\n    privileged: true\n    pid: host\n    ports: ['80:80']\n"
Told = tuple[int, str, str]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def harden(capfd: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    def call(*words: str) -> Told:
        code = main(words)
        out, error = capfd.readouterr()
        return code, out, error

    return call


def lay(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def rules_of(told: Told) -> dict[str, set[str]]:
    """The rules of the findings of each file."""
    found: dict[str, set[str]] = {}
    for finding in json.loads(told[1])["findings"]:
        found.setdefault(finding["path"], set()).add(finding["rule"])
    return found


def test_each_path_has_the_configuration_that_is_nearest_to_it(repository: Path, harden: Callable[..., Told]) -> None:
    lay(
        repository,
        {
            "a/hardener.toml": "select = ['privileged-container']\n",
            "a/compose.yaml": COMPOSE,
            "b/pyproject.toml": "[tool.hardener]\nselect = ['host-pid']\n",
            "b/deep/compose.yaml": COMPOSE,
            "c/compose.yaml": COMPOSE,
        },
    )
    assert rules_of(harden("--format", "json", "a", "b/deep/compose.yaml")) == {
        "a/compose.yaml": {"privileged-container"},
        "b/deep/compose.yaml": {"host-pid"},
    }
    # Below one path there is one configuration; a file that is reached from two paths has the nearer one.
    whole = rules_of(harden("--format", "json", "."))
    assert len(whole["a/compose.yaml"]) > 2
    both = rules_of(harden("--format", "json", ".", "a"))
    assert both == {**whole, "a/compose.yaml": {"privileged-container"}}
    given = rules_of(harden("--format", "json", "--config", "a/hardener.toml", "b", "c"))
    assert given == {"b/deep/compose.yaml": {"privileged-container"}, "c/compose.yaml": {"privileged-container"}}
    assert rules_of(harden("--format", "json", "--isolated", "a"))["a/compose.yaml"] == whole["a/compose.yaml"]
    assert harden("--isolated", "--config", "a/hardener.toml")[0] == 2


def test_the_command_line_comes_before_the_file(repository: Path, harden: Callable[..., Told]) -> None:
    lay(
        repository,
        {
            "compose.yaml": COMPOSE,
            "hardener.toml": "ignore = ['privileged-container']\nmin-severity = 'medium'\n"
            "fail-on = 'never'\nunsafe-fixes = true\n",
        },
    )
    assert "privileged-container" not in rules_of(harden("--format", "json"))["compose.yaml"]
    selected = rules_of(harden("--format", "json", "--select", "privileged-container,unlimited-memory"))
    assert selected == {"compose.yaml": {"privileged-container", "unlimited-memory"}}
    ignored = rules_of(harden("--format", "json", "--ignore", "root-user"))["compose.yaml"]
    assert "privileged-container" in ignored
    assert "unlimited-memory" not in ignored
    assert harden("--check", "--no-unsafe-fixes")[0] == 0
    assert harden("--check", "--no-unsafe-fixes", "--fail-on", "medium")[0] == 1
    assert "read_only" in harden("--diff")[1]
    assert "read_only" not in harden("--diff", "--no-unsafe-fixes")[1]
    assert harden("--unsafe-fixes", "--no-unsafe-fixes")[0] == 2


def test_of_several_configurations_the_strictest_decides_when_it_fails(repository: Path, harden: Callable[..., Told]) -> None:
    lay(repository, {"a/compose.yaml": COMPOSE, "a/hardener.toml": "select = ['host-pid']\nfail-on = 'never'\n"})
    lay(repository, {"b/compose.yaml": "services: {}\n", "b/hardener.toml": "fail-on = 'low'\n"})
    assert harden("--check", "a")[0] == 0
    assert harden("--check", "a", "b")[0] == 1


def test_what_is_excluded_is_not_looked_at_but_by_its_name(repository: Path, harden: Callable[..., Told]) -> None:
    lay(repository, {f"{folder}/compose.yaml": COMPOSE for folder in ("legacy", "app/old", "app/new")})
    lay(repository, {"hardener.toml": "exclude = ['legacy/', 'old']\n"})
    assert set(rules_of(harden("--format", "json"))) == {"app/new/compose.yaml"}
    assert set(rules_of(harden("--format", "json", "app"))) == {"app/new/compose.yaml"}
    assert set(rules_of(harden("--format", "json", "legacy/compose.yaml"))) == {"legacy/compose.yaml"}
    assert set(rules_of(harden("--format", "json", "--isolated"))) == {
        "app/new/compose.yaml",
        "app/old/compose.yaml",
        "legacy/compose.yaml",
    }


def test_every_command_names_a_mistake_with_its_line(repository: Path, harden: Callable[..., Told]) -> None:
    lay(repository, {"compose.yaml": COMPOSE, "hardener.toml": "\nfail_on = 'low'\n"})
    commands = ([], ["--check"], ["--diff", "compose.yaml"], ["needs"], ["why", "compose.yaml:4"], ["config"], ["profiles"])
    for words in (*commands, ["--target-level", "baseline"], ["verify"], ["--write", "--overlay"]):
        code, _, error = harden(*words)
        assert code == 2
        assert "hardener.toml:2: `fail_on` is not known: did you mean `fail-on`?" in error, words
    assert harden("--isolated", "--fail-on", "never")[0] == 0


def test_own_profiles_are_read_from_the_configuration(repository: Path, harden: Callable[..., Told]) -> None:
    profile = (ROOT / "hardener/needs/profiles/redis.toml").read_text().replace('names = ["redis"]', 'names = ["example.com/r"]')
    lay(repository, {"compose.yaml": "services: {r: {image: 'example.com/r:7'}}\n", "own/example.com__r.toml": profile})
    without = harden("--diff")[1]
    lay(repository, {"hardener.toml": "profiles = ['own']\n"})
    assert without == ""
    assert "999:999" in harden("--diff")[1]
    assert "999:999" in harden("needs")[1]
    assert "example.com/r" in harden("profiles", "example.com/r:7")[1]
    lay(repository, {"own/example.com__r.toml": "names = []\n"})
    code, _, error = harden("--diff")
    assert code == 2
    assert "example.com__r.toml" in error


def test_standard_input_has_the_configuration_of_where_it_is_said_to_lie(
    repository: Path, harden: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(repository, {"a/hardener.toml": "select = ['privileged-container']\n", "a/compose.yaml": COMPOSE})
    with (repository / "a/compose.yaml").open() as text:
        monkeypatch.setattr("sys.stdin", text)
        told = harden("--format", "json", "--stdin-filename", "a/compose.yaml", "-")
    assert rules_of(told) == {"a/compose.yaml": {"privileged-container"}}


def test_it_shows_what_holds_and_where_that_is_said(repository: Path, harden: Callable[..., Told]) -> None:
    lay(repository, {"app/x": "", "pyproject.toml": "[tool.hardener]\nfail-on = 'low'\n[tool.hardener.limits]\nmemory = '1G'\n"})
    code, out, _ = harden("config", "app")
    assert code == 0
    assert out.startswith("pyproject.toml holds for app\n")
    assert 'fail-on = "low"  # pyproject.toml:2\n' in out
    assert '[limits]\nmemory = "1G"  # pyproject.toml:4\n' in out
    assert "unsafe-fixes = false  # default\n" in out
    told = tomllib.loads(out.partition("\n")[2])
    jsonschema.validate(told, schema())
    assert "no configuration holds" in harden("config", "--isolated")[1]
    assert harden("config", "nowhere")[0] == 2
    assert json.loads(harden("config", "--schema")[1]) == schema()


def test_init_writes_what_changes_nothing(repository: Path, harden: Callable[..., Told]) -> None:
    shutil.copytree(ROOT / "fixtures/stacks/shop", repository / "shop")
    lay(repository, {"compose.yaml": COMPOSE})
    before = harden("--format", "json", "--unsafe-fixes")
    assert harden("init", "--stdout")[1].startswith("# The configuration of harden")
    assert not (repository / "hardener.toml").exists()
    code, _, error = harden("init")
    assert (code, "wrote hardener.toml" in error) == (0, True)
    text = (repository / "hardener.toml").read_text()
    assert tomllib.loads(text) == {}
    assert find_config(".").path == "hardener.toml"
    assert harden("--format", "json", "--unsafe-fixes") == before
    assert "registry.example.com/own (web): profiles/registry.example.com__own.toml" in text
    assert "curl -fsS http://$HARDEN_ADDRESS_WEB_80/" in text
    stub = text.partition("a whole one says:\n")[2].partition("# profiles =")[0].replace("#   ", "")
    assert read_profile("registry.example.com__own.toml", stub.encode()).starts[0].account.uid == 1000


def test_init_never_writes_over_what_is_there(repository: Path, harden: Callable[..., Told], tmp_path: Path) -> None:
    lay(repository, {"hardener.toml": "fail-on = 'low'\n", "sub/x": "", "shared/pyproject.toml": "[tool.hardener]\n"})
    for words, said in (
        (["init"], "hardener.toml is there already"),
        (["init", "sub"], "hardener.toml holds here, and would no longer"),
        (["init", "shared", "--force"], "has a table [tool.hardener] already"),
        (["init", "nowhere"], "no such folder"),
    ):
        code, _, error = harden(*words)
        assert code == 2
        assert said in error
    assert (repository / "hardener.toml").read_text() == "fail-on = 'low'\n"
    assert harden("init", "--force")[0] == 0
    assert tomllib.loads((repository / "hardener.toml").read_text()) == {}
    (repository / "sub/hardener.toml").symlink_to(tmp_path / "elsewhere")
    assert harden("init", "sub", "--force")[0] == 2
    assert not (tmp_path / "elsewhere").exists()


def test_nothing_of_the_repository_leaves_the_comments_of_what_init_writes(repository: Path, harden: Callable[..., Told]) -> None:
    name = "a\\nfail-on = 'low'\\u2028x\\u001b[31m"
    lay(repository, {"compose.yaml": f'services: {{"{name}": {{image: "own/x:1", healthcheck: {{test: ["CMD", "{name}"]}}}}}}\n'})
    text = harden("init", "--stdout")[1]
    assert tomllib.loads(text) == {}
    assert all(line.isprintable() for line in text.split("\n"))


def test_a_baseline_is_never_written_over_another_file(repository: Path, harden: Callable[..., Told]) -> None:
    compose = "services: {web: {image: 'redis:7'}}\n"
    lay(repository, {"compose.yaml": compose, "notes.md": "mine\n", "old.json": '{"version": 0, "findings": []}\n', "sub/x": ""})
    for name in ("compose.yaml", "notes.md", "sub", "hardener.toml", "nowhere/known.json", os.fsdecode(b"\xff.json")):
        code, _, error = harden("init", "--baseline", name)
        assert (code, "--baseline" in error, "mistake of ours" in error) == (2, True, False), name
        assert not (repository / "hardener.toml").exists()
    assert (repository / "compose.yaml").read_text() == compose
    assert (repository / "notes.md").read_text() == "mine\n"
    assert harden("init", "--baseline", "old.json")[0] == 0
    assert json.loads((repository / "old.json").read_text())["findings"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without FIFOs")
def test_no_pipe_of_the_repository_is_waited_for(repository: Path, harden: Callable[..., Told]) -> None:
    lay(repository, {"compose.yaml": "services: {}\n", "hardener.toml": "baseline = 'known.json'\n"})
    os.mkfifo(repository / "known.json")
    code, _, error = harden("--check")
    assert (code, "not a regular file" in error) == (2, True)


def test_no_message_steers_a_terminal_or_a_workflow(repository: Path, harden: Callable[..., Told]) -> None:
    lay(repository, {"hardener.toml": '"\\u001b[31m\\u202e\\n::error::x" = 1\n'})
    code, _, error = harden("--check")
    assert code == 2
    assert error.count("\n") == 1
    assert error.rstrip("\n").isprintable()


def test_own_profiles_are_read_within_bounds(repository: Path, harden: Callable[..., Told]) -> None:
    lay(
        repository,
        {"compose.yaml": "services: {}\n", "hardener.toml": "profiles = ['p']\n", "p/big.toml": "#" * (2 << 20) + "\n"},
    )
    code, _, error = harden("--check")
    assert (code, "larger than 2 MiB" in error) == (2, True)
