"""What a program that ran as root needs to run as another user: what must become its own, and what stands in the way.

Knows no format and no rule. A place that is a volume or the host's may hold data that belongs to root: that is for its
owner to change, so it stands in the way.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from hardener.facts.built import BuiltImage
from hardener.facts.dockerfile import DockerStage
from hardener.finding import Evidence
from hardener.needs.bases import find_base
from hardener.needs.ground import closing, folder_of, ground_of, is_everybodys, is_within
from hardener.needs.source.uses import CAPABILITIES, ESCALATION, PORTS, USERS, WRITES, Uses, Write
from hardener.record import NamedTuple

if TYPE_CHECKING:  # a Dockerfile alone has no container
    from hardener.facts.container import Container


#: What a RUN as root puts into root's home, by the words that say so; another user looks in a home of its own.
_HOME = (
    ("pip", ("--user",), ()),
    ("pip3", ("--user",), ()),
    ("poetry", ("install",), ("virtualenvs.create false", "virtualenvs.in-project", "POETRY_VIRTUALENVS_")),
    ("pipenv", ("install", "sync"), ("--system", "PIPENV_VENV_IN_PROJECT")),
    ("playwright", ("install",), ("PLAYWRIGHT_BROWSERS_PATH",)),
    ("python", ("-c", "nltk.downloader", "playwright"), ("PLAYWRIGHT_BROWSERS_PATH",)),
    ("python3", ("-c", "nltk.downloader", "playwright"), ("PLAYWRIGHT_BROWSERS_PATH",)),
    ("npx", ("playwright", "puppeteer", "cypress"), ("PLAYWRIGHT_BROWSERS_PATH", "PUPPETEER_CACHE_DIR", "CYPRESS_CACHE_FOLDER")),
)


class Workload(NamedTuple):
    """A program of an image as one container runs it; without a container, as anybody may."""

    image: BuiltImage
    uses: Uses
    container: Container | None


class Place(NamedTuple):
    """A folder of the image that must become the user's own."""

    path: str
    evidence: Evidence


class Held(NamedTuple):
    """Data that is there before the change: where it lies in the container of a service (empty for none that is known)."""

    service: str
    target: str
    name: str
    is_volume: bool


class Handover(NamedTuple):
    """What it takes to run as another user than root."""

    #: Why it is not known what it takes; empty where all is known.
    unknown: str
    #: What stands in the way although all is known.
    obstacles: tuple[str, ...]
    places: tuple[Place, ...]
    #: Volumes and folders of the host whose existing data would have to change hands.
    data: tuple[Held, ...]
    #: What was read.
    evidence: tuple[Evidence, ...]


def handover(workloads: Iterable[Workload]) -> Handover:
    """What it takes for all containers that run a stage."""
    unknown = ""
    obstacles: list[str] = []
    data: list[Held] = []
    places: dict[str, Place] = {}
    evidence: list[Evidence] = []
    workloads = tuple(workloads)
    for work in workloads:
        unknown = unknown or work.uses.open(WRITES, USERS, CAPABILITIES, ESCALATION, PORTS)
    if unknown:
        return Handover(unknown, (), (), (), ())
    for work in workloads:
        ground = ground_of(work.image, find_base(work.image.stage.image) if work.image.stage.image else None)
        obstacles += _obstacles(work)
        evidence.append(work.uses.read)
        for write in work.uses.writes:
            if is_everybodys(write.path) or _is_open(write.path, work.container):
                continue
            mounted = _mounted(write, work)
            if mounted is not None:
                obstacles.append(f"whether what {mounted.name} holds already belongs to it")
                data.append(mounted)
                if mounted.is_volume:
                    # A new volume takes its owner from the image.
                    places.setdefault(mounted.target, Place(mounted.target, write.evidence))
                continue
            folder = folder_of(write.path, ground, (other.path for other in work.uses.writes))
            beside = folder if folder.count("/") < 2 else next(work.image.files.walk(folder), "")
            if beside:
                obstacles.append(f"it writes {write.path}, beside the program's own {beside}")
            else:
                places.setdefault(folder, Place(folder, write.evidence))
    outer = [p for p in places.values() if not any(p.path != o and is_within(p.path, o) for o in places)]
    return Handover(unknown, tuple(dict.fromkeys(obstacles)), tuple(outer), tuple(dict.fromkeys(data)), tuple(evidence))


def _obstacles(work: Workload) -> Iterator[str]:
    uses, container = work.uses, work.container
    yield from (f"as root it uses {item.name}: {item.why}" for item in uses.capabilities)
    yield from (f"it becomes root through {program.name}" for program in uses.escalates)
    yield from (f"it works as {user.name} too" for user in uses.users)
    free = container.first_free_port.effective if container is not None else 1024
    low = next((listen.number for listen in uses.listens if listen.number < free), 0)
    yield from dict.fromkeys(reason for reason, _ in closing(work.image.stage))
    yield from _in_roots_home(work.image.stage)
    if low and (container is None or container.host_network.effective):
        yield f"it binds port {low}, which is root's where no Docker network of its own is used"
    elif low:
        yield f"it binds port {low}, and ports below {free} are root's here"
    closed = next(work.image.files.closed(), "")
    if closed:
        yield f"{'the build context' if closed == '.' else closed} can be read or started by its owner only"
    if container is None:
        return
    from hardener.facts.container import DEFAULT_CAPABILITIES, capability

    for mount in container.mounts:
        foreign = mount.kind not in ("volume", "tmpfs", "bind") or not mount.location
        if mount.kind == "bind" and mount.location and not mount.read_only:
            yield f"whether it may write {mount.source}, which is the host's"
        elif mount.kind not in ("volume", "tmpfs") and foreign:
            yield f"whether it may read {mount.source or mount.target}"
    for tmpfs in container.tmpfs.effective if container.platform.owned_tmpfs else ():
        if "uid=" not in tmpfs.options and not is_everybodys(tmpfs.path):
            yield f"whether it may write the tmpfs {tmpfs.path}, which is root's"
    if container.devices.effective:
        yield f"whether it may use {container.devices.effective[0].source}"
    for item in container.cap_add.effective:
        if capability(item.text) not in DEFAULT_CAPABILITIES:
            yield f"it was given {capability(item.text)}, which only root can use"
    if container.volumes_from:
        yield "whether it may read what it mounts of other containers"
    if container.watched:
        yield "whether it may write what `docker compose watch` copies into it"
    if container.privileged.effective:
        yield "it is privileged, which only root can use"
    if container.host_pid.effective or container.host_ipc.effective:
        yield f"whether it may use the host's {'processes' if container.host_pid.effective else 'shared memory'}"


def _in_roots_home(stage: DockerStage) -> Iterator[str]:
    for run in stage.commands:
        words = " ".join(run.known)
        for name, asks, but in _HOME:
            there = run.name == name and any(ask in words for ask in asks)
            if there and not any(word in stage.dockerfile.text for word in but):
                yield f"line {run.item.line} (`{name}`) may put into root's home what it starts or reads"


def _is_open(path: str, container: Container | None) -> bool:
    """Whether a path lies on a tmpfs that everybody may write, because it can have no owner."""
    if container is None or container.platform.owned_tmpfs:
        return False
    return any(is_within(path, tmpfs.path) for tmpfs in container.tmpfs.effective)


def _mounted(write: Write, work: Workload) -> Held | None:
    """The volume or folder of the host that a path lies on."""
    service = work.container.subject if work.container is not None else ""
    there: dict[str, Held] = {}
    # Where nothing of them outlives the container, nobody else's data is in them.
    if work.container is None or work.container.platform.declared_volumes:
        paths = (posixpath.normpath(path) for path, _ in work.image.stage.volumes)
        there = {path: Held(service, path, path, True) for path in paths}
    for mount in work.container.mounts if work.container is not None else ():
        target = posixpath.normpath(mount.target or "/")
        there[target] = Held(service, target, mount.source or target, mount.kind in ("volume", "external"))
    over = [target for target in there if is_within(write.path, target)]
    return there[max(over, key=len)] if over else None
