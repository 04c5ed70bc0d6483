"""`harden verify` on a real engine: small stacks made to work, to break, to be killed, and what is said and left of each.

Most of a trial is waiting: the scenes that tests of this run ask for are begun beforehand, some at a time.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from compose_oracle import binary
from ruamel.yaml import YAML
from small_image import GROUPS, Entry, busybox, small_image
from trial_scenes import (
    CLOCK,
    IMAGE,
    USERS,
    Works,
    alone,
    asks,
    broken,
    docker,
    ended,
    flaky,
    hurried,
    late,
    lost,
    made,
    nameless,
    needy,
    never_up,
    unasked,
    with_socket,
    works,
)  # fmt: skip

from hardener.trial.remedy import Kind
from hardener.trial.verdict import Verdict

#: Scenes that are played at a time.
AT_A_TIME = 6
SCENES: dict[str, Callable[[Path], Any]] = {
    scene.__name__: scene
    for scene in (works, needy, unasked, alone, nameless, asks, ended, lost, late, flaky, never_up, hurried, broken, with_socket)
}

Play = Callable[[Callable[[Path], Any]], Any]


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    entries = (
        *(Entry(folder) for folder in ("etc", "usr", "usr/suid", "var", "var/cache", "srv", "data")),
        Entry("root", mode=0o700),
        Entry("tmp", mode=0o1777),
        Entry("var/cache/app", owner=1000),
        Entry("usr/suid/su", Path(busybox()).read_bytes(), 0o4755),
        Entry("root/secret", b"secret\n", 0o600),
        Entry("etc/passwd", b"root::0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n", 0o644),
        Entry("etc/group", GROUPS.encode(), 0o644),
    )
    with small_image(IMAGE, entries, applets=True) as name:
        yield name


@pytest.fixture(scope="module")
def play(image: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """Plays a scene once, and gives what came out of it; those that tests of this run ask for are begun before."""
    binary()
    # What a shell runs in the background ignores ^C, and so would all that the scenes begin.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    pool = ThreadPoolExecutor(AT_A_TIME)
    played: dict[str, Future[Any]] = {}
    asked = {name for item in request.session.items if isinstance(item, pytest.Function) and item.module is request.module
             for name in item.function.__code__.co_names}  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_BUILDKIT", "0")
        patch.setattr("hardener.trial.verify.time", CLOCK)
        for name, scene in SCENES.items():
            if name in asked:
                played[name] = pool.submit(scene, tmp_path_factory.mktemp(name))
        try:
            yield lambda scene: played[scene.__name__].result()
        finally:
            pool.shutdown(cancel_futures=True)
            signal.signal(signal.SIGINT, before)
            for kind, remove in (("container", ["rm", "-fv"]), ("volume", ["volume", "rm"]), ("network", ["network", "rm"])):
                ids = made(kind, f"label={USERS}")
                if ids:
                    docker(*remove, *ids)


def services_of(data: bytes) -> Any:
    return YAML(typ="safe").load(data)["services"]


pytestmark = pytest.mark.engine


def test_a_stack_that_works_is_hardened_once(play: Play) -> None:
    """With what was seen written beside it, neither a run nor a trial finds anything more."""
    scene: Works = play(works)
    written = scene.written
    assert written.code == 0, written.said
    assert "Held: the stack does its job with this" in written.said
    assert set(written.after) - set(written.before) == {"harden.evidence.yaml"}
    assert {name for name, data in written.before.items() if written.after[name] != data} == {"compose.yaml"}
    assert b"build: web  # a remark" in written.after["compose.yaml"]
    web = services_of(written.after["compose.yaml"])["web"]
    assert (web["cap_drop"], web["security_opt"], web["read_only"]) == (["ALL"], ["no-new-privileges:true"], True)
    assert "cap_add" not in web
    assert [(done.returncode, done.stdout) for done in scene.again] == [(0, ""), (0, "")]
    for ran in scene.both:
        assert ran.code == 0, ran.said
        assert ran.is_untouched
        assert "Nothing is left to change." in ran.said


def test_two_at_a_time_do_not_disturb_each_other(play: Play) -> None:
    scene: Works = play(works)
    assert all(" failed " not in ran.said for ran in scene.both)
    trials = re.findall("COMPOSE_PROJECT_NAME=(.*)", scene.told_both)
    assert len(set(trials)) == 2
    # Both want the port, and only one has it.
    with_it = re.findall(rf"COMPOSE_PROJECT_NAME=(.*)\n(?:HARDEN_.*\n)*HARDEN_ADDRESS=127.0.0.1:{scene.port}\n", scene.told_both)
    assert len(set(with_it)) == 1


def test_a_port_that_is_taken_is_replaced_and_told(play: Play) -> None:
    scene: Works = play(works)
    told = dict(line.split("=", 1) for line in scene.told.splitlines())
    assert told["HARDEN_ADDRESS"] == told["HARDEN_ADDRESS_WEB_8080"]
    assert f":{scene.port}\n" not in scene.told
    assert os.path.isabs(told["COMPOSE_FILE"])
    assert set(re.findall("HARDEN_PHASE=(.*)", scene.told)) == {"cold", "restart", "recreate"}


def test_what_the_user_has_is_left_alone(play: Play) -> None:
    """A container of the same name, an external network, and an external volume that the trial would have changed."""
    verdict, before, after = play(late)
    assert len(before.ids.splitlines()) == 3
    assert before == after
    assert [tried.failed for tried in verdict.tried[:2]] == ["", ""]
    listed = " ".join(one.text for one in verdict.not_exercised)
    assert f"the data in the volume {USERS}-data of other projects" in listed
    assert f"the network {USERS}-net of other projects" in listed


def test_without_write_nothing_is_written(play: Play) -> None:
    ran = play(alone)
    assert ran.code == 1
    assert ran.is_untouched
    assert "+USER 10001:10001" in ran.output.splitlines()
    assert "app: run as 10001:10001" in ran.said


def test_a_volume_that_only_an_image_asks_for_goes_too(play: Play) -> None:
    seen, left = play(nameless)
    assert seen
    assert not left


def test_a_project_that_does_not_work_is_left_alone(play: Play) -> None:
    ran, logs = play(broken)
    assert ran.code == 2
    assert ran.is_untouched
    assert "the project as it is does not work: cook ended with exit code 1: the cupboard is bare" in ran.said
    assert [(name.endswith("-cook.log"), data) for name, data in logs.items()] == [(True, b"the cupboard is bare\n")]


def test_a_project_that_is_never_up_is_not_taken_for_one(play: Play) -> None:
    ran = play(never_up)
    assert ran.returncode == 2
    said = " ".join(f"{ran.stdout}\n{ran.stderr}".split())
    assert "the project as it is does not work" in said
    assert re.search(r"loops: is started again and again( \(exit code 3\))?: no database", said)
    assert "ill: is not healthy: no pulse" in said


def test_a_flaky_project_is_told_from_a_broken_one(play: Play) -> None:
    ran = play(flaky)
    assert ran.code == 2
    assert ran.is_untouched
    assert "the project is flaky as it is: it did well 2 of 3 times" in ran.said
    assert "tails (exit code 1) (phase cold)" in ran.said


def test_a_budget_that_is_too_short(play: Play) -> None:
    ran = play(hurried)
    assert ran.code == 2
    assert ran.is_untouched
    assert re.search(r"budget is too short .*\(one took \d+ s\): give more with --budget", ran.said)


def test_a_budget_that_ends_in_the_middle(play: Play) -> None:
    verdict, *_ = play(late)
    assert verdict.stopped.startswith("no set that works twice was found in the budget: give more with --budget")
    assert "owned: ended with exit code 1: chown: /data: Operation not permitted" in verdict.stopped
    assert not verdict.report.changes
    assert not verdict.records
    assert [tried.what for tried in verdict.tried][2:] == ["the strictest set"]


def test_the_engines_socket_is_asked_for_first(play: Play) -> None:
    ran = play(with_socket)
    assert ran.code == 2
    assert ran.is_untouched
    assert "watcher mounts the engine's socket (/var/run/docker.sock)" in ran.said
    assert "--allow-socket" in ran.said
    assert "builds and runs" not in ran.said


def steps_of(verdict: Verdict, service: str) -> set[tuple[str, str, str]]:
    """What was taken back for a service: kind, value, and the phase in which it was found out."""
    return {(step.remedy.kind, step.remedy.value, step.phase) for step in verdict.steps if step.remedy.service == service}


def hardened(verdict: Verdict) -> Any:
    assert not verdict.stopped
    (change,) = verdict.report.changes
    return services_of(change.after.to_bytes())


def test_a_server_that_silently_stays_root_is_found_out(play: Play) -> None:
    verdict = play(needy)
    stays, steps = (hardened(verdict)[name] for name in ("stays", "steps"))
    told = [step.complaint.text for step in verdict.steps if step.complaint.kind is Kind.STAYS_ROOT]
    assert told == ["serve.sh keeps running as root, which the original gives up"]
    assert sorted(stays["cap_add"]) == ["SETGID", "SETUID"]
    assert "user" not in stays
    assert stays["cap_drop"] == ["ALL"]
    assert steps["user"] == "1000:1000"
    assert "cap_add" not in steps


def test_what_only_a_second_start_needs_is_kept(play: Play) -> None:
    verdict = play(needy)
    assert steps_of(verdict, "owned") == {("capability", "CHOWN", "cold"), ("capability", "DAC_OVERRIDE", "restart")}
    assert sorted(hardened(verdict)["owned"]["cap_add"]) == ["CHOWN", "DAC_OVERRIDE"]


def test_what_is_written_outside_of_volumes_becomes_a_tmpfs_of_its_owner(play: Play) -> None:
    caches = hardened(play(needy))["caches"]
    assert caches["read_only"] is True
    assert "/var/cache/app:uid=1000,gid=1000" in caches["tmpfs"]


def test_a_memory_limit_that_is_too_low_is_raised(play: Play) -> None:
    verdict = play(needy)
    assert ("memory", "2", "cold") in steps_of(verdict, "swells")
    limit = hardened(verdict)["swells"]["deploy"]["resources"]["limits"]["memory"]
    assert limit == "256M"


def test_a_set_uid_program_keeps_working(play: Play) -> None:
    verdict = play(asks)
    one = hardened(verdict)["asks"]
    assert ("without", "privilege-escalation", "cold") in steps_of(verdict, "asks")
    assert "security_opt" not in one
    assert one["cap_drop"] == ["ALL"]
    assert sorted(one["cap_add"]) == ["SETGID", "SETUID"]
    assert one["read_only"] is True


def test_data_that_nothing_keeps_is_for_a_probe_to_judge(play: Play) -> None:
    verdict = play(unasked)
    one = hardened(verdict)["notes"]
    assert "read_only" not in one
    assert one["cap_drop"] == ["ALL"]
    assert "/srv/notes" in verdict.left["notes", "writable-root-filesystem"]
    assert "--probe" in verdict.left["notes", "writable-root-filesystem"]


def test_what_a_killed_run_leaves_goes_with_the_next(play: Play) -> None:
    killed, interrupted, terminated = play(ended)
    assert killed.ran.code == -signal.SIGKILL
    assert killed.ran.is_untouched
    assert killed.left
    assert not killed.left_after_next
    for end in (interrupted, terminated):
        assert end.ran.code == 130, end.ran.said
        assert end.ran.is_untouched
        assert "interrupted: what the trial had made is taken away again" in end.ran.said
        assert not end.left
        assert end.seconds < 60


def test_an_engine_that_is_lost(play: Play) -> None:
    ran, left, left_after_next = play(lost)
    assert ran.code == 2
    assert ran.is_untouched
    assert "the Docker engine does not answer: start it, or set DOCKER_HOST" in ran.said
    assert "goes with the next run of harden verify" in ran.said
    assert "Traceback" not in ran.said
    assert left
    assert not left_after_next
