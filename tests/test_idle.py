"""Which programs only keep their container alive: what people run in it is not known then."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import harden
from test_needs_in_a_pod import needs

from hardener.needs.idle import only_waits
from hardener.report import Status


@pytest.mark.parametrize(
    "words",
    [
        ("sleep", "infinity"),
        ("/bin/sleep", "1d"),
        ("sleep", "3600"),
        ("tail", "-f", "/dev/null"),
        ("tini", "--", "sleep", "inf"),
        ("sh", "-c", "sleep infinity"),
        ("/bin/sh", "-c", "trap : TERM INT; sleep infinity & wait"),
        ("/bin/sh", "-ec", "while :; do sleep 5; done"),
        ("bash", "-c", "echo ready > /dev/stdout; while true; do echo alive; sleep 30; done"),
        ("sh", "-c", "exec tail -F /dev/null"),
        ("sh", "-c", "chown -R 1000 /data; sleep infinity"),
        # A container to develop in, which VS Code enters.
        ("/bin/sh", "-c", "chown -R app:app /src/static && chown -R app:app /src/.cache && while sleep 1000; do :; done"),
        ("bash", "-c", "cd /src && npm ci && sleep infinity"),
    ],
    ids=" ".join,
)
def test_what_only_waits(words: tuple[str, ...]) -> None:
    assert only_waits(words)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("sleep", "5"),  # a hook that holds its place
        ("sleep", "$TIME"),
        ("tail", "-f", "/var/log/app.log"),
        ("sh", "-c", "echo once"),
        ("sh", "-c", "while true; do date >> /mnt/out; sleep 1; done"),
        ("sh", "-c", "chown -R 1000 /data; nginx; sleep infinity"),
        ("sh", "-c", "chown -R 1000 /data"),
        ("sh", "-c", "npm start; sleep infinity"),
        ("sh", "-c", "mkdir -p /data/x && chown -R 1000 /data/x || true && sleep 1"),
        ("sh", "-c", "until pg_isready -h db; do sleep 1; done"),
        ("sh", "run.sh"),
    ],
    ids=" ".join,
)
def test_what_does_something_or_ends(words: tuple[str, ...]) -> None:
    assert not only_waits(words)


def test_a_pod_that_people_enter_is_not_known(tmp_path: Path) -> None:
    entered = needs(tmp_path, "image: alpine:3.22\ncommand: [sleep, infinity]")
    assert not entered.holds
    assert "run in it from outside" in entered.why_not
    assert needs(tmp_path, "image: alpine:3.22\ncommand: [sleep, '5']").holds


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ('["sleep", "365d"]', "what is run in it from outside"),
        ("tail -f /dev/null", "what is run in it from outside"),
        ('["sleep", "5"]', ""),
    ],
)
def test_an_image_that_people_enter_may_need_root_for_what_they_do(tmp_path: Path, command: str, expected: str) -> None:
    # As a test does that runs `kubectl exec POD -- ./fuzz -r report.txt`, which is to be written beside the program.
    image = f"FROM python:3.12-slim\nWORKDIR /fuzz\nCOPY fuzz /fuzz/\nCMD {command}\n"
    report = harden(
        tmp_path, {"Dockerfile": image.encode(), "fuzz": b"#!/bin/sh\necho found > report.txt\n"}, unsafe=False
    ).report
    (found,) = [one for one in report.outcomes if one.finding.rule == "root-user"]
    assert found.finding.fix is not None
    assert (expected in found.finding.fix.missing) if expected else not found.finding.fix.missing
    assert (found.status is Status.HELD_BACK) == bool(expected)
