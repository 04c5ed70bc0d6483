"""The model of effective privilege against what a real engine does: the bounding set that a container really gets."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest
from small_image import small_image

from hardener.facts.container import ALL, DEFAULT_CAPABILITIES, bounding_set, capability

IMAGE = f"harden-test-busybox:{os.getpid()}"
#: The kernel's numbers of Docker's default capabilities (linux/capability.h) and of one that is not among them.
NUMBERS = {
    "CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "FSETID": 4, "KILL": 5, "SETGID": 6, "SETUID": 7, "SETPCAP": 8,
    "NET_BIND_SERVICE": 10, "NET_RAW": 13, "SYS_CHROOT": 18, "MKNOD": 27, "AUDIT_WRITE": 29, "SETFCAP": 31,
    "SYS_NICE": 23,
}  # fmt: skip
CASES = [
    ([], []),
    (["ALL"], []),
    (["NET_RAW", "MKNOD"], []),
    (["ALL"], ["CHOWN", "SETUID"]),
    (["all"], ["CAP_CHOWN", "cap_setgid"]),
    (["CHOWN"], ["CHOWN"]),
    ([], ["SYS_NICE"]),
    (["ALL"], ["ALL"]),
    (["KILL"], ["ALL"]),
]


def docker(*arguments: str, data: bytes | None = None) -> str:
    return subprocess.run(["docker", *arguments], input=data, capture_output=True, check=True).stdout.decode()


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    with small_image(IMAGE, changes=['CMD ["/bin/busybox", "cat", "/proc/self/status"]']) as name:
        yield name


@pytest.mark.engine
@pytest.mark.parametrize(("dropped", "added"), CASES)
def test_the_bounding_set_is_what_the_engine_grants(image: str, dropped: list[str], added: list[str]) -> None:
    if "ALL" in added and subprocess.run(["docker", "run", "--rm", "--cap-add=ALL", image], capture_output=True).returncode:
        pytest.skip("the root of this engine's host lacks a capability, so that no container can be given ALL")
    flags = [f"--cap-drop={name}" for name in dropped] + [f"--cap-add={name}" for name in added]
    status = docker("run", "--rm", "--network=none", *flags, image)
    bits = int(next(line for line in status.splitlines() if line.startswith("CapBnd")).split()[1], 16)
    granted = {name for name, number in NUMBERS.items() if bits >> number & 1}
    expected = bounding_set(frozenset(map(capability, dropped)), frozenset(map(capability, added)))
    if ALL in expected:  # stands for all that there are beside the default ones
        assert granted - DEFAULT_CAPABILITIES == {"SYS_NICE"}
        expected = (expected - {ALL}) | {"SYS_NICE"}
    assert granted == expected


@pytest.mark.engine
def test_no_new_privileges_and_a_read_only_root_are_what_they_say(image: str) -> None:
    status = docker("run", "--rm", "--security-opt=no-new-privileges:true", "--read-only", image)
    assert "NoNewPrivs:\t1" in status
    mounts = docker("run", "--rm", "--read-only", image, "/bin/busybox", "cat", "/proc/mounts")
    assert next(line for line in mounts.splitlines() if line.split()[1] == "/").split()[3].startswith("ro")
