"""What becomes of a bundle that is tried: only what held is proposed. The trial itself has its own tests; here it is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from test_bot_bundles import laid_out, split

from hardener.bot.forge import Entry
from hardener.bot.proposal import Asked, Bundle, Snapshot
from hardener.bot.tried import tried
from hardener.config import find_config
from hardener.discover import discover
from hardener.needs.proven import Proven
from hardener.pipeline import Request, run
from hardener.report import Status
from hardener.trial.compose import TrialError
from hardener.trial.project import Project
from hardener.trial.verdict import Verdict
from hardener.trial.watch import Settings

APP = "services:\n  app:\n    image: example.com/app:1\n"
PROBED = "[verify]\nprobes = ['true']\n"
Trial = Callable[[Settings], Verdict]


def held(settings: Settings) -> Verdict:
    """It did with two capabilities and 300 MiB; not with a read-only root."""
    files = tuple(discover([f"{settings.path}/compose.yaml"])[0])
    proven = {"app": Proven(capabilities={"CHOWN": "", "SETUID": ""}, memory=300, failed={"writable-root-filesystem": "EROFS"})}
    request = Request(files, unsafe=True, proven=proven, engine="Docker 28.2")
    return Verdict(request=request, report=run(request), left={("app", "writable-root-filesystem"): "EROFS"})


def lost(settings: Settings) -> Verdict:
    raise TrialError("no engine answers")


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    files = {"app/compose.yaml": APP, "app/compose.test.yaml": "services:\n  t:\n    image: redis:7\n", "hardener.toml": PROBED}
    return laid_out(tmp_path, files)


@pytest.fixture
def asked_for(monkeypatch: pytest.MonkeyPatch) -> Callable[[Trial], list[Settings]]:
    def set_up(trial: Trial) -> list[Settings]:
        asked: list[Settings] = []

        def verify(settings: Settings, watcher: object) -> Verdict:
            asked.append(settings)
            return trial(settings)

        def project(path: str, *_: object) -> Project:
            return Project(path, (), (), os.path.realpath(path), {}, {}, ())

        monkeypatch.setattr("hardener.trial.verify.verify", verify)
        monkeypatch.setattr("hardener.trial.project.find_project", project)
        monkeypatch.setattr("hardener.trial.compose.find_compose", lambda asked: None)
        return asked

    return set_up


def made(snapshot: Snapshot, *, believes: bool = False) -> tuple[Bundle, Bundle]:
    [bundle] = split(snapshot).bundles
    return bundle, tried(bundle, snapshot, find_config(snapshot.folder), Asked(verify=True), believes=believes)


def test_only_what_held_is_proposed(snapshot: Snapshot, asked_for: Callable[[Trial], list[Settings]]) -> None:
    asked = asked_for(held)
    before, after = made(snapshot)
    assert [settings.path for settings in asked] == ["app"]
    assert {file.path for step in before.steps for file in step.files} == {"app/compose.test.yaml"}
    assert {file.path for step in after.steps for file in step.files} == {"app/compose.yaml"}, "the other file was not tried"
    assert {"excess-capabilities", "unlimited-memory"} <= {step.rule for step in after.steps}
    assert after.verdict is not None
    last = after.steps[-1].files[-1].data
    assert last == after.verdict.report.changes[0].after.to_bytes()
    assert b"SETUID" in last
    assert b"300M" in last
    ended = {outcome.finding.rule: outcome for outcome in after.report.outcomes if outcome.finding.subject == "app"}
    assert ended["writable-root-filesystem"].status is Status.REFUSED
    assert "EROFS" in ended["writable-root-filesystem"].why
    assert {outcome.status for outcome in after.report.outcomes if outcome.finding.subject == "t"} <= {
        Status.HELD_BACK,
        Status.REPORTED,
    }
    assert after.fixes != before.fixes


def test_nothing_is_proposed_where_nothing_was_proved(snapshot: Snapshot, asked_for: Callable[[Trial], list[Settings]]) -> None:
    asked_for(lost)
    before, after = made(snapshot)
    assert before.steps
    assert after.steps == ()
    assert after.report.changes == ()
    assert "no engine answers" in after.report.troubles[-1].reason
    assert not [outcome for outcome in after.report.outcomes if outcome.status is Status.APPLIED]
    asked_for(lambda settings: Verdict(stopped="the project as it is does not work"))
    stopped = made(snapshot)[1]
    assert stopped.steps == ()
    assert stopped.verdict is not None


def test_a_strangers_probes_are_not_run(snapshot: Snapshot, asked_for: Callable[[Trial], list[Settings]]) -> None:
    asked = asked_for(held)
    assert made(snapshot)[1].unbelieved == ("hardener.toml",)
    assert not asked[-1].probes
    assert made(snapshot, believes=True)[1].unbelieved == ()
    assert [probe.command for probe in asked[-1].probes] == ["true"]


def test_what_is_run_gets_nothing_of_the_environment_that_it_may_not_know(
    snapshot: Snapshot, asked_for: Callable[[Trial], list[Settings]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compose gives `${HARDEN_TOKEN}` of the shell to whatever asks for it."""
    from hardener.trial.compose import environment

    for name, value in {"HARDEN_TOKEN": "t", "AWS_KEY": "k", "HTTPS_PROXY": "http://u:p@h", "DOCKER_HOST": "unix:///x"}.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    seen: list[dict[str, str]] = []

    def look(settings: Settings) -> Verdict:
        seen.append(environment("."))
        return lost(settings)

    asked_for(look)
    made(snapshot)
    assert seen[0].keys() & {"HARDEN_TOKEN", "AWS_KEY", "HTTPS_PROXY"} == set()
    assert (seen[0]["DOCKER_HOST"], seen[0]["PATH"]) == ("unix:///x", before["PATH"])
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("more", "env"),
    [
        ("    env_file: /etc/passwd\n", ""),
        ("    env_file: [{path: ../../.env}]\n", ""),
        ("    env_file: ${HOME}/.env\n", ""),
        ("    label_file: ~/.env\n", ""),
        ("    extends: {file: ../../x.yaml, service: x}\n", ""),
        ("include: [{path: x.yaml, project_directory: .}]\n", ""),
        ("include: ['https://example.com/x.git']\n", ""),
        ("include: [inner/x.yaml]\n", ""),
        ("x-a: &there {label_file: &path [/etc/passwd]}\nx-b: {<<: *there}\n", ""),
        ("x-a: *nothing\n", ""),
        ("x-e: &e {path: /etc/passwd}\nx-b: {env_file: [{<<: *e}]}\n", ""),
        ("x-k: &k env_file\nx-b: {*k : /etc/passwd}\n", ""),
        ("", "export COMPOSE_FILE=/x.yaml\n"),
    ],
)
def test_compose_reads_nothing_else_of_this_machine(more: str, env: str, tmp_path: Path) -> None:
    from hardener.bot.outside_reads import reads_outside

    top = os.path.realpath(tmp_path)
    inner = tmp_path / "app" / "inner"
    inner.mkdir(parents=True)
    (inner / "x.yaml").write_text("services:\n  x:\n    image: x\n    env_file: ../../../.env\n")
    (tmp_path / "app" / ".env").write_text(env)
    location = tmp_path / "app" / "compose.yaml"
    location.write_text(f"services:\n  app:\n    image: x\n    env_file: [.env, {{path: ../b.env}}]\n{more}")
    assert reads_outside([str(location)], top)
    (tmp_path / "app" / ".env").write_text("A=1\n")
    location.write_text("services:\n  app:\n    image: x\n    env_file: [.env, {path: ../b.env}]\n    extends: {service: y}\n")
    assert not reads_outside([str(location)], top)


def test_a_project_that_reads_elsewhere_is_not_tried(tmp_path: Path, asked_for: Callable[[Trial], list[Settings]]) -> None:
    asked = asked_for(held)
    files = {"app/compose.yaml": APP + "    env_file: /etc/passwd\n", "hardener.toml": ""}
    after = made(laid_out(tmp_path, files))[1]
    assert (asked, after.steps) == ([], ())
    assert "/etc/passwd" in after.report.troubles[-1].reason


def test_what_is_too_large_is_not_brought(snapshot: Snapshot, asked_for: Callable[[Trial], list[Settings]]) -> None:
    asked = asked_for(held)

    def never(location: str) -> None:
        raise AssertionError(location)

    entries = {**snapshot.entries, "app/data": Entry("app/data", "100644", "", 65 * 1024 * 1024)}
    [bundle] = split(snapshot).bundles
    large = snapshot._replace(entries=entries, fetch=never)
    after = tried(bundle, large, find_config(snapshot.folder), Asked(verify=True))
    assert "--git" in after.report.troubles[-1].reason
    assert asked == []
