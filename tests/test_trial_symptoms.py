"""From what programs say to what mends them, by real wordings."""

from __future__ import annotations

import time
import timeit
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardener.trial.remedy import Complaint, Kind, Standing
from hardener.trial.symptoms import DEFAULT_CAPABILITIES, remedies

FIXES = frozenset(
    "excess-capabilities privilege-escalation root-user unlimited-cpu unlimited-memory unlimited-pids writable-root-filesystem "
    "jvm-heap-ignores-limit node-heap-ignores-limit missing-healthcheck".split()
)
ROOT = Standing(fixes=FIXES - {"root-user"}, capabilities=frozenset(), read_only=True, memory=128)
USER = Standing(fixes=FIXES, user="1000:1000", capabilities=frozenset(), read_only=True, memory=128)
#: Who is unprivileged in the original too.
GUEST = Standing(fixes=FIXES - {"root-user"}, user="1000:1000", capabilities=frozenset(), read_only=True)
CAPS, NNP, USERFIX, RO = (
    "without excess-capabilities",
    "without privilege-escalation",
    "without root-user",
    "without writable-root-filesystem",
)


def offered(text: str, standing: Standing = ROOT, kind: Kind = Kind.LOG) -> list[str]:
    return [f"{one.kind} {one.value}" for one in remedies(Complaint("web", kind, text), standing)]


def wordings() -> Iterator[tuple[str, str]]:
    """Real wordings, each with what a root service gets first."""
    first = ""
    for line in (Path(__file__).parent / "trial_wordings.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            first = line[3:]
        elif line and not line.startswith("# What"):
            yield first, line


CASES = list(wordings())


@pytest.mark.parametrize(("first", "text"), CASES, ids=[text for _, text in CASES])
def test_root_gets_first_what_its_words_name(first: str, text: str) -> None:
    assert (offered(text) or ["nothing"])[0] == first


@pytest.mark.parametrize(("first", "text"), [case for case in CASES if case[0].startswith("capability")])
def test_an_entry_ends_with_the_fix_that_causes_it(first: str, text: str) -> None:
    found = offered(text)
    assert CAPS in found
    assert [one for one in found if one.startswith("without")] == found[-sum(one.startswith("without") for one in found) :]


@pytest.mark.parametrize("text", [text for _, text in CASES])
@pytest.mark.parametrize(
    "standing",
    [ROOT, USER, GUEST, Standing(), ROOT._replace(capabilities=DEFAULT_CAPABILITIES), ROOT._replace(fixes=frozenset())],
)
def test_nothing_is_offered_that_makes_no_sense(text: str, standing: Standing) -> None:
    for kind in Kind:
        for one in remedies(Complaint("web", kind, text), standing):
            assert one.service == "web"
            assert len(one.why) <= 60, one.why
            assert one.why.isprintable()
            if one.kind == "without":
                assert one.value in standing.fixes
                assert one.value != "root-user" or standing.user
            elif one.kind == "capability":
                names = set(one.value.split())
                assert standing.capabilities is not None
                assert names <= DEFAULT_CAPABILITIES - standing.capabilities
                assert one.value == " ".join(sorted(names))
                assert not standing.user or standing is GUEST or "exec" in text or "caddy" in text
            elif one.kind == "tmpfs":
                assert standing.read_only
                assert one.value not in ("/", "/bin", "/usr", "/lib", "/etc", "/app", "/var/lib")
            else:
                assert one.kind == "memory"
                assert "unlimited-memory" in standing.fixes


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("chown: /data: Operation not permitted", [USERFIX]),
        ("su-exec: setgroups(1000): Operation not permitted", [USERFIX, NNP]),
        ("Error: Can't drop privilege as nonroot user", [USERFIX]),
        ("listen tcp :80: bind: permission denied", [USERFIX, NNP]),
        ("open /data/x: permission denied", [USERFIX]),
        ("KeyError: 'getpwuid(): uid not found: 1000'", [USERFIX]),
        ("whoami: cannot find name for user ID 1000", [USERFIX]),
        ("This script must be run as root", [USERFIX]),
        ("PermissionError: [Errno 13] Permission denied: '/run/x/y.pid'", ["tmpfs /run/x", USERFIX, RO]),
        ('sudo: The "no new privileges" flag is set, which prevents sudo from running as root.', [USERFIX, NNP]),
        ("OSError: [Errno 30] Read-only file system: '/var/tmp/x'", ["tmpfs /var/tmp", RO]),
    ],
)
def test_who_was_made_unprivileged_gets_no_capability(text: str, found: list[str]) -> None:
    assert offered(text, USER) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("chown: /data: Operation not permitted", []),
        ("sudo: effective uid is not 0, is /usr/bin/sudo on a file system with the 'nosuid' option set", [NNP, CAPS]),
        ("exec /usr/bin/caddy: operation not permitted", [NNP, CAPS]),
        ("ping: socket: Operation not permitted", [NNP, CAPS]),
    ],
)
def test_programs_of_who_was_unprivileged_all_along_keep_theirs(text: str, found: list[str]) -> None:
    assert [one for one in offered(text, GUEST) if not one.startswith("capability")] == found
    assert bool(found) == any(one.startswith("capability") for one in offered(text, GUEST))


def test_a_tmpfs_goes_where_the_original_was_seen_to_write() -> None:
    seen = ROOT._replace(
        written={"/app/.next/cache": "0:0", "/usr/local/apache2/logs": "0:0", "/run/x": "1:1", "/usr/bin": "0:0"}
    )
    assert offered("EROFS: read-only file system, mkdir '/app/.next/cache/images'", seen) == ["tmpfs /app/.next/cache", RO]
    assert offered("could not create /usr/local/apache2/logs/httpd.pid", seen)[0] == "tmpfs /usr/local/apache2/logs"
    assert offered("touch: /run/x/a/b: Read-only file system", seen) == ["tmpfs /run/x", "tmpfs /run/x/a", RO]
    assert offered("touch: /usr/bin/x: Read-only file system", seen) == [RO]
    assert offered("mkdir: cannot create directory 'cache': Read-only file system", seen) == ["tmpfs /app/.next/cache", RO]
    assert offered("read-only file system", seen)[-1] == RO


def test_what_is_mounted_gets_no_tmpfs() -> None:
    text = "touch: /run/x/y: Read-only file system"
    assert offered(text, ROOT._replace(mounts=frozenset({"/run/x"}))) == [RO]
    assert offered(text, ROOT._replace(mounts=frozenset({"/run"}))) == [RO]
    assert offered(text, ROOT._replace(mounts=frozenset({"/run/x/y/z"}))) == ["tmpfs /run/x", RO]
    assert offered(text, ROOT._replace(tmpfs={"/var/run/x/": "0:0"})) == [RO]


def test_programs_on_a_tmpfs_may_be_started() -> None:
    standing = ROOT._replace(tmpfs={"/run": "0:0", "/tmp": "0:0,exec"})
    assert offered("exec /run/s6/basedir/bin/init: permission denied", standing)[0] == "exec /run"
    assert offered("sh: /run/x: Permission denied", standing)[0] == "exec /run"
    assert offered("/run/libnetty.so: failed to map segment from shared object", standing) == ["exec /run", RO]
    assert not [one for one in offered("exec /tmp/x: permission denied", standing) if one.startswith("exec")]


def test_what_a_tmpfs_hides_is_made_again() -> None:
    standing = ROOT._replace(tmpfs={"/run": "0:0"})
    assert offered("bind /run/app/x.sock: No such file or directory", standing)[0] == "tmpfs /run/app"
    assert offered("cat: /etc/x: No such file or directory", standing) == []
    assert offered("bind /run/app/x.sock: No such file or directory", standing._replace(read_only=False)) == []


def test_what_is_kept_already_is_not_offered_again() -> None:
    kept = ROOT._replace(capabilities=frozenset({"SETGID", "CHOWN"}))
    assert offered("setuid(33) failed (1: Operation not permitted)", kept)[:2] == [
        "capability SETUID",
        "capability DAC_OVERRIDE SETUID",
    ]
    assert offered("chown: /d: Operation not permitted", kept) == ["capability DAC_OVERRIDE FOWNER", CAPS]


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (Kind.MEMORY, ["memory 2", "without unlimited-memory"]),
        (Kind.STAYS_ROOT, ["capability SETGID SETUID", "capability CHOWN DAC_OVERRIDE SETGID SETUID", CAPS, NNP]),
        (Kind.STOP, ["capability KILL", CAPS]),
        (Kind.HEALTH, ["without missing-healthcheck"]),
        (Kind.EXIT, []),
        (Kind.MISSING, []),
        (Kind.PROBE, []),
        (Kind.START, []),
        (Kind.LOG, []),
    ],
)
def test_what_the_kind_alone_tells(kind: Kind, found: list[str]) -> None:
    assert offered("it does not work", kind=kind) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("chown: /data: Operation not permitted", "chown: /data: Operation not permitted"),
        (
            '2024/05/01 10:00:00 [emerg] 7#7: chown("/var/cache/nginx/client_temp", 101) failed (1: Operation not permitted)',
            "chown: /var/cache/nginx/client_temp: Operation not permitted",
        ),
        ("\x1b[31mchmod: /x: Operation not permitted\x1b[0m\r", "chmod: /x: Operation not permitted"),
        ("web-1  | chown: /x: Operation not permitted", "chown: /x: Operation not permitted"),
        ("kill: can't kill pid 4711: Operation not permitted", "kill: can't kill pid: Operation not permitted"),
        ('time="2024-05-01T10:00:00Z" level=error msg="open /data/x: permission denied"', "open /data/x: permission denied"),
        ('{"level":"error","ts":1714557600.1,"error":"open /data/x: permission denied"}', "open /data/x: permission denied"),
        ("open /x: permission denied: postgres://me:geheim@db/x", "open /x: permission denied: postgres://*db/x"),
        (
            "PermissionError: [Errno 13] Permission denied: '/tmp/tmpa1b2c3d4'",
            "PermissionError: [Errno 13] Permission denied: '/tmp/*'",
        ),
    ],
)
def test_the_reason_is_the_same_in_every_run(text: str, why: str) -> None:
    assert {one.why for one in remedies(Complaint("web", Kind.LOG, text), ROOT)} == {why}


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "/",
        "/a",
        " ",
        "'",
        "chown ",
        "bind ",
        "permission denied ",
        "[",
        "0",
        "1:",
        "create ",
        "\x1b[",
        "=",
        "sudo: ",
        '{"msg":"',
        ".",
        "::ffff:",
        "access to the path ",
    ],
)
def test_hostile_lines_take_no_time(piece: str) -> None:
    text = f"{piece * (100_000 // len(piece))} Operation not permitted"

    def read() -> None:
        for line in (text, f"Read-only file system {text}", text[:1500]):
            for one in remedies(Complaint("web", Kind.LOG, line), ROOT):
                assert len(one.why) <= 60

    assert min(timeit.repeat(read, timer=time.process_time, number=1, repeat=3)) < 0.5
