"""What scripts are read to need against a real engine: with those capabilities and no others they run, and run again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from programs import uses
from small_image import ACCOUNTS, GROUPS, Entry, small_image

IMAGE = f"harden-test-scripts:{os.getpid()}"
DOCKERFILE = 'FROM debian:12\nCOPY start.sh /start.sh\nENTRYPOINT ["/start.sh"]\n'


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    entries = (Entry("etc/passwd", ACCOUNTS.encode(), 0o644), Entry("etc/group", GROUPS.encode(), 0o644))
    with small_image(IMAGE, entries) as name:
        yield name


@pytest.mark.engine
@pytest.mark.parametrize(
    ("script", "too_much"),
    [
        ("mkdir -p /d; chown app /d", "CHOWN"),
        ("mkdir -p /d; touch /d/x; chown -R app:app /d; chmod 700 /d; ls /d", "DAC_OVERRIDE"),
        ("mkdir -p /d; chown app /d; touch /d/x", "DAC_OVERRIDE"),
        ("mkdir -p /d; chown app /d; chmod 2775 /d", "FOWNER"),
        ("mkdir -p /d; chown app /d; find /d ! -user app -exec chown app {} +", ""),
        ("mkdir -p /d; touch /d/x; chown app /d; rm -f /d/x; echo a > /d/x", ""),
        ("mkdir -p /d; cd /d; echo a > a; tar cf b.tar a; sed -i s/a/b/ a; cp a c; mv c e; ln -sf a l", ""),
        ("su app -s /bin/sh -c true", "SETUID"),
        ("su app -s /bin/sh -c true", "SETGID"),
        ("su app -s /bin/sh -c 'exec sleep 9' & pid=$!; sleep 1; kill $pid", "KILL"),
        ("rm -f /n; mknod /n c 1 3", "MKNOD"),
        ("ip addr show >/dev/null; ps >/dev/null; id; env; df / | tail -n 1", ""),
    ],
)
def test_a_script_runs_twice_with_what_it_is_read_to_need(script: str, too_much: str, image: str, tmp_path: Path) -> None:
    found = uses(tmp_path, DOCKERFILE, {"start.sh": f"#!/bin/sh\nset -e\n{script}\n"})
    assert not found.doubts
    names = {capability.name for capability in found.capabilities}
    assert _runs(image, script, names)
    if too_much:
        assert not _runs(image, script, names - {too_much})


def _runs(image: str, script: str, names: set[str]) -> bool:
    added = [f"--cap-add={name}" for name in sorted(names)]
    twice = f"/bin/busybox --install -s /bin; (set -e; {script}) && (set -e; {script}) && echo DONE"
    flags = ["--rm", "--network=none", "--cap-drop=ALL", *added, "--security-opt=no-new-privileges"]
    done = subprocess.run(
        ["docker", "run", *flags, image, "/bin/busybox", "sh", "-c", twice], capture_output=True, text=True, check=False
    )
    return done.stdout.endswith("DONE\n")
