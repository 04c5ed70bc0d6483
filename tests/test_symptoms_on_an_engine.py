"""The first remedy for what programs say does mend them, on a real engine: programs of busybox, and of Debian."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest
from emulation import Engine
from small_image import ACCOUNTS, GROUPS, Entry, small_image

from hardener.trial.remedy import Complaint, Kind, Remedy, Standing
from hardener.trial.symptoms import remedies

IMAGE = f"harden-test-symptoms:{os.getpid()}"


@pytest.fixture(scope="module")
def busybox() -> Iterator[str]:
    entries = (
        Entry("d", owner=1000),
        Entry("private", mode=0o700, owner=1000),
        Entry("tmp", mode=0o1777),
        Entry("run"),
        Entry("etc/passwd", ACCOUNTS.encode(), 0o644),
        Entry("etc/group", GROUPS.encode(), 0o644),
    )
    with small_image(IMAGE, entries, applets=True) as name:
        yield name


def run(image: str, script: str, standing: Standing) -> tuple[bool, str]:
    flags = ["--rm", "--network=none", f"--user={standing.user or '0:0'}"]
    if standing.capabilities is not None:
        flags += ["--cap-drop=ALL", *(f"--cap-add={name}" for name in sorted(standing.capabilities))]
    if "privilege-escalation" in standing.fixes:
        flags.append("--security-opt=no-new-privileges")
    flags += ["--read-only"] if standing.read_only else []
    flags += [f"--memory={standing.memory}m", f"--memory-swap={standing.memory}m"] if standing.memory else []
    flags += ["--pids-limit=3"] if "unlimited-pids" in standing.fixes else []
    for path, owner in standing.tmpfs.items():
        uid, gid, *more = owner.replace(",", ":").split(":")
        flags.append(f"--tmpfs={path}:{','.join([f'uid={uid}', f'gid={gid}', *more])}")
    done = subprocess.run(["docker", "run", *flags, image, "sh", "-c", script], capture_output=True, text=True, check=False)
    return done.returncode == 0, (done.stderr or done.stdout).strip().rpartition("\n")[2]


def mended(standing: Standing, remedy: Remedy) -> Standing:
    """How a service stands with a remedy, as the search sets it up."""
    owner = standing.user or "0:0"
    match remedy.kind:
        case "capability":
            return standing._replace(capabilities=(standing.capabilities or frozenset()) | set(remedy.value.split()))
        case "tmpfs":
            return standing._replace(tmpfs={**standing.tmpfs, remedy.value: owner})
        case "exec":
            return standing._replace(tmpfs={**standing.tmpfs, remedy.value: f"{standing.tmpfs[remedy.value]},exec"})
        case "memory":
            return standing._replace(memory=(standing.memory or 0) * int(remedy.value))
    standing = standing._replace(fixes=standing.fixes - {remedy.value})
    match remedy.value:
        case "root-user":
            return standing._replace(user="")
        case "excess-capabilities":
            return standing._replace(capabilities=None)
        case "writable-root-filesystem":
            return standing._replace(read_only=False, tmpfs={})
    return standing


STRICT = Standing(fixes=frozenset({"excess-capabilities", "privilege-escalation"}), capabilities=frozenset())
LOCKED = STRICT._replace(read_only=True, fixes=STRICT.fixes | {"writable-root-filesystem"})
UNPRIVILEGED = STRICT._replace(user="2000:2000", fixes=STRICT.fixes | {"root-user"})

BUSYBOX = [
    ("chown app /tmp", STRICT),
    ("chmod 750 /d", STRICT),
    ("ls /private", STRICT),
    ("touch /d/x", STRICT),
    ("echo a >/d/x", STRICT),
    ("su app -c true", STRICT),
    ("chroot / true", STRICT),
    ("mknod /tmp/n c 1 3", STRICT),
    ("arping -c 1 -I lo 127.0.0.1 2>&1 | grep . >&2; arping -c 1 -I lo 127.0.0.1 2>&1 | grep -qv permitted", STRICT),
    ("echo a >/tmp/x", LOCKED),
    ("mkdir /run/app", LOCKED),
    ("touch /run/x.pid", LOCKED),
    ("mktemp", LOCKED),
    ("cat <<X\n$(echo a >/tmp/y)\nX\ntest -e /tmp/y", LOCKED),
    ("touch /opt", LOCKED),
    ("cp /bin/busybox /run/true; /run/true", LOCKED._replace(tmpfs={"/run": "0:0"})),
    ("touch /run/app/x", LOCKED._replace(tmpfs={"/run": "0:0"})),
    ("touch /var/cache/app/x 2>&1 >/dev/null || { mkdir -p /var/cache/app && touch /var/cache/app/x; }", LOCKED),
    ("touch /d/x", UNPRIVILEGED),
    ("chown 0 /tmp", UNPRIVILEGED),
    ("su app -c true", UNPRIVILEGED),
    ("ls | cat | cat | cat", Standing(fixes=frozenset({"unlimited-pids"}))),
]
DEBIANS = [
    ("chown www-data /srv", STRICT),
    ("touch /srv/x; cp -p /etc/passwd /tmp/p; chown www-data /tmp/p", STRICT),
    ("setpriv --reuid=33 --regid=33 --clear-groups true", STRICT),
    ("su -s /bin/sh www-data -c true", STRICT),
    ("chroot --userspec=33:33 / true", STRICT._replace(capabilities=frozenset({"SYS_CHROOT"}))),
    ("chroot / true", STRICT),
    ("bash -c 'cat <<<$(seq 20000)'", LOCKED),
    ('perl -e \'open(my $f, ">", "/var/tmp/x") or die "Cannot open /var/tmp/x: $!"\'', LOCKED),
    ('perl -e \'chroot("/srv") or die "chroot: $!"\'', STRICT),
    (
        "bash -c 'setpriv --reuid=33 --clear-groups sleep 9 & sleep 0.5; kill $!'",
        STRICT._replace(capabilities=frozenset({"SETUID", "SETGID"})),
    ),
]


@pytest.mark.engine
@pytest.mark.parametrize(("script", "standing"), BUSYBOX, ids=[f"{script} {standing.user}" for script, standing in BUSYBOX])
def test_the_first_remedy_mends_programs_of_busybox(script: str, standing: Standing, busybox: str) -> None:
    proves(busybox, script, standing)


@pytest.mark.engine
@pytest.mark.parametrize(("script", "standing"), DEBIANS, ids=[script for script, _ in DEBIANS])
def test_the_first_remedy_mends_programs_of_debian(script: str, standing: Standing, engine: Engine) -> None:
    proves(engine.build("debian"), script, standing)


def proves(image: str, script: str, standing: Standing) -> None:
    works, said = run(image, script, standing)
    assert not works, "nothing to mend"
    # Whoever is root again lacks the capabilities of root: the next complaint names them.
    for _ in range(2 if standing.user else 1):
        found = remedies(Complaint("web", Kind.EXIT, said), standing)
        assert found, said
        standing = mended(standing, found[0])
        works, then = run(image, script, standing)
        if works:
            return
        said, before = then, said
    raise AssertionError(f"{before!r}: {found[0]} does not help: {then!r}")
