"""Which programs only keep their container alive: what people run in it is not known then."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_needs_in_a_pod import needs

from hardener.needs.idle import only_waits


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
