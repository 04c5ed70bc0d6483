"""The stacks of `fixtures/stacks` on a real engine: as they are, as `harden --write` leaves them, and with all its fixes.

Each has to do its job when it is new, after a restart, and when it is made anew over its volumes. What the running containers
show is held against a table, so that a fix that gets lost fails just as one that breaks something. The images that the stacks
begin from are emulations of the published ones, where this engine has no image of that name.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from compose_oracle import binary
from composed import DEVELOPER, Project, Shown, remove_built
from emulation import Broken, Engine

STACKS = Path(__file__).parent.parent / "fixtures" / "stacks"
#: The names that the stacks use, with the emulations that stand for them.
NAMES = {
    "python:3.12-slim": "python",
    "node:22-alpine": "node",
    "nginx:1.27": "nginx",
    "redis:7": "redis",
    "debian:bookworm-slim": "debian",
}
#: Lives that are led at a time: most of a life is waiting.
AT_A_TIME = 3
#: The kernel's numbers (linux/capability.h).
NUMBERS = {"CHOWN": 0, "DAC_OVERRIDE": 1, "SETGID": 6, "SETUID": 7}
AS_IT_IS, BY_DEFAULT, WITH_ALL = "original", "hardened", "unsafe"


class Hardened(NamedTuple):
    """What a service shows after it was hardened."""

    #: All that is left to its processes.
    capabilities: str
    #: Where its read-only root can be written; None for a root that can be written anywhere.
    tmpfs: str | None
    limits: str
    accounts: frozenset[int]


#: Its image is built from nginx, or it is nginx itself.
NGINX = Hardened("CHOWN SETGID SETUID", "/tmp /var/cache/nginx /var/run", "pids", frozenset((0, 101)))
STEPS_DOWN = Hardened("CHOWN DAC_OVERRIDE SETGID SETUID", "/tmp", "cpus memory pids", frozenset((1500,)))
QUEUE = Hardened("", "", "cpus pids", frozenset((999,)))
DEFAULT = {
    "notes": {"server": STEPS_DOWN, "worker": STEPS_DOWN},
    "gallery": {"web": NGINX, "app": Hardened("", "/app/cache", "cpus memory pids", frozenset((0,)))},
    "reports": {
        "queue": QUEUE,
        "worker": Hardened("DAC_OVERRIDE", "/run/reports", "cpus memory pids", frozenset((0,))),
        "web": NGINX._replace(limits="memory pids"),
    },
}
#: With the fixes whose evidence is incomplete; or what its log says of why it does its job no longer.
UNSAFE: dict[str, dict[str, Hardened] | str] = {
    "notes": DEFAULT["notes"],
    # The image gives the folder under a volume to the new user, and a volume that is new takes that over.
    "gallery": {
        "web": NGINX._replace(limits="cpus pids"),
        "app": Hardened("", "/app/cache", "cpus memory pids", frozenset((1000,))),
    },
    # Not so where another service mounts the same volume over a folder of root's that is not empty.
    "reports": "/var/lib/reports/.new: Permission denied",
}


# What each stack is there for. `again` says that it has lived before, and must still have what it was given then.


def use_notes(project: Project, again: bool) -> None:
    def notes() -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(project.fetch("/notes"))
        return found

    project.wait("the server answers", lambda: notes() is not None)
    before = notes()
    if bool(before) is not again:
        raise Broken(f"it should have {'kept its' if again else 'no'} notes, and has {len(before)}")
    if not again:  # more than SQLite sorts in memory
        for letter in b"dcba":
            project.fetch("/notes", post=bytes((letter,)) * 1_000_000)
        before = notes()
    number = json.loads(project.fetch("/notes", post=b"three more words"))["id"]
    project.wait("the worker counts", lambda: notes()[-1] == {"id": number, "text": "three more words", "words": 3})
    if [note["text"] for note in notes()[:-1]] != [note["text"] for note in before]:
        raise Broken("notes were lost")
    project.wait("the notes are sorted", lambda: json.loads(project.fetch("/index"))[:4] == [4, 3, 2, 1])


def use_gallery(project: Project, again: bool) -> None:
    """A picture that does not fit into what nginx keeps in memory, and what a quarter of it is."""
    size = 200
    pixels = bytes(range(size)) * size
    picture, small = b"P5 200 200 255\n" + pixels, b"P5 100 100 255\n" + bytes(range(0, size, 2)) * (size // 2)
    project.wait("the first page is shown", lambda: b"Gallery" in project.fetch("/"))
    if again:
        project.wait("the picture is still there", lambda: project.fetch("/pictures/kept.pgm") == picture)
    name = "new" if again else "kept"
    project.wait("a picture is taken", lambda: project.fetch(f"/pictures/{name}.pgm", put=picture) == b"")
    for shown in ("kept", name):
        if project.fetch(f"/small/{shown}.pgm") != small or project.fetch(f"/small/{shown}.pgm") != small:
            raise Broken(f"{shown} is not shown small")


def use_reports(project: Project, again: bool) -> None:
    def order(*words: str) -> str:
        return project.compose("exec", "--no-TTY", "queue", "redis-cli", "--raw", *words).strip()

    def shown(name: str, text: str) -> bool:
        page = project.fetch(f"/{name}.html").decode()
        return f"<h1>Orders: {name}</h1>" in page and f"<p>{text}</p>" in page

    project.wait("the queue answers", lambda: order("PING") == "PONG")
    if again:
        if order("GET", "kept") != "in the queue":
            raise Broken("the queue has forgotten")
        project.wait("the first page is still there", lambda: shown("kept", "two apples"))
    else:
        order("SET", "kept", "in the queue")
    name = f"n{order('INCR', 'number')}" if again else "kept"
    order("RPUSH", "orders", f"{name} two apples")
    project.wait("a page is written", lambda: shown(name, "two apples"), patience=40)


USES: dict[str, Callable[[Project, bool], None]] = {"notes": use_notes, "gallery": use_gallery, "reports": use_reports}


class Life(NamedTuple):
    """What was seen of one: by service, when it was new, after a restart, and when it was made anew."""

    shown: tuple[dict[str, Shown], ...]
    #: The owner of its Compose file.
    owner: int


def lead(stack: str, way: str, folder: Path) -> Life:
    """Bring a stack up, use it, and take it away. Raises `Broken` where it does not do its job."""
    name = f"harden-{stack}-{way}-{os.getpid()}"
    project = Project(STACKS / stack, folder, name, f"{stack.upper()}_PORT")
    if way != AS_IT_IS:
        harden(folder, *(["--unsafe-fixes"] if way == WITH_ALL else []))
    seen = []

    def use(again: bool) -> None:
        USES[stack](project, again)
        project.wait("all are healthy", project.are_healthy)
        seen.append(project.look())

    try:
        project.up()
        use(again=False)
        if way != AS_IT_IS:
            project.restart()
            use(again=True)
            project.up("--force-recreate")
            use(again=True)
    finally:
        project.down()
    return Life(tuple(seen), (folder / "compose.yaml").stat().st_uid)


def harden(folder: Path, *options: str) -> None:
    """Write the fixes, in a process of its own. What remains is no matter here."""
    done = subprocess.run([sys.executable, "-m", "hardener", "--write", *options, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


Lives = Callable[[str, str], Life]


@pytest.fixture(scope="module")
def live(engine: Engine, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lives]:
    """Leads the life of a stack once, and raises `Broken` as that does; those that tests of this run ask for are begun before."""
    binary()
    # Another run must not take a name away that this one uses.
    with open(Path(tempfile.gettempdir()) / "harden-lent-names.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name, folder in NAMES.items():
            engine.lend(name, folder)
        lives: dict[tuple[str, str], Future[Life]] = {}
        pool = ThreadPoolExecutor(AT_A_TIME)

        def life(stack: str, way: str) -> Future[Life]:
            if (stack, way) not in lives:
                folder = tmp_path_factory.mktemp("stack") / stack
                lives[stack, way] = pool.submit(lead, stack, way, folder)
            return lives[stack, way]

        for item in request.session.items:
            if isinstance(item, pytest.Function) and item.module is request.module:
                life(str(item.callspec.params["stack"]), str(item.callspec.params["way"]))
        try:
            yield lambda stack, way: life(stack, way).result()
        finally:
            pool.shutdown(cancel_futures=True)
            remove_built(f"harden-*-{os.getpid()}")
            engine.take_back()


def check(shown: dict[str, Shown], expected: dict[str, Hardened]) -> None:
    """What the containers show is what the table says, to the last capability."""
    assert shown.keys() == expected.keys()
    for service, now in shown.items():
        wanted = expected[service]
        allowed = sum(1 << NUMBERS[name] for name in wanted.capabilities.split())
        assert {process.bounding for process in now.processes} == {allowed}, service
        assert all(process.no_new_privileges for process in now.processes), service
        assert all(not process.capabilities for process in now.processes if process.uid), service
        assert (" ".join(sorted(now.tmpfs)) if now.read_only else None) == wanted.tmpfs, service
        assert now.limits == set(wanted.limits.split()), service
        assert {process.uid for process in now.processes} == wanted.accounts, service


def check_not_worse(before: dict[str, Shown], after: dict[str, Shown]) -> None:
    """What is no root's by itself is not root's afterwards, and nobody has a capability that it had not."""
    for service, was in before.items():
        now = after[service]
        accounts = {process.uid for process in was.processes} - {0}
        assert accounts <= {process.uid for process in now.processes}, service
        if accounts:
            roots = [sum(process.uid == 0 for process in shown.processes) for shown in (was, now)]
            assert roots[1] <= roots[0], service
        for field in ("capabilities", "bounding"):
            had, has = ({getattr(process, field) for process in shown.processes} for shown in (was, now))
            assert all(any(mask & ~held == 0 for held in had) for mask in has), (service, field)


@pytest.mark.engine
@pytest.mark.parametrize("stack", USES)
@pytest.mark.parametrize("way", [AS_IT_IS])
def test_a_stack_works(live: Lives, stack: str, way: str) -> None:
    (shown,) = live(stack, way).shown
    assert shown.keys() == DEFAULT[stack].keys()
    for service, was in shown.items():
        assert not was.read_only
        assert not any(process.no_new_privileges for process in was.processes), service


@pytest.mark.engine
@pytest.mark.parametrize("stack", USES)
@pytest.mark.parametrize("way", [BY_DEFAULT])
def test_a_stack_keeps_working_when_it_is_hardened(live: Lives, stack: str, way: str) -> None:
    check_life(live, stack, way, DEFAULT[stack])


@pytest.mark.engine
@pytest.mark.parametrize("stack", USES)
@pytest.mark.parametrize("way", [WITH_ALL])
def test_what_becomes_of_a_stack_with_fixes_that_are_held_back(live: Lives, stack: str, way: str) -> None:
    expected = UNSAFE[stack]
    if isinstance(expected, str):
        with pytest.raises(Broken, match=re.escape(expected)):
            live(stack, way)
    else:
        check_life(live, stack, way, expected)


def check_life(live: Lives, stack: str, way: str, expected: dict[str, Hardened]) -> None:
    """At each time a stack shows what it should, and nobody is more privileged than in the original."""
    life = live(stack, way)
    (before,) = live(stack, AS_IT_IS).shown
    for shown in life.shown:
        check(shown, expected)
        check_not_worse(before, shown)
    assert life.owner == (DEVELOPER if os.geteuid() == 0 else os.geteuid())
