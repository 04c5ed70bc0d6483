"""What a program that ran as root needs to run as another user: what must become its own, and what stands in the way.

Knows no format and no rule. A place that is a volume or the host's may hold data that belongs to root: that is for its
owner to change, so it stands in the way.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from hardener.facts.built import BuiltImage
from hardener.finding import Evidence
from hardener.needs.source.uses import CAPABILITIES, ESCALATION, PORTS, USERS, WRITES, Uses, Write
from hardener.record import NamedTuple

if TYPE_CHECKING:  # a Dockerfile alone has no container
    from hardener.facts.container import Container


#: Everybody may write there, in every image.
_EVERYBODYS = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue")


class Workload(NamedTuple):
    """A program of an image as one container runs it; without a container, as anybody may."""

    image: BuiltImage
    uses: Uses
    container: Container | None


class Place(NamedTuple):
    """A folder of the image that must become the user's own."""

    path: str
    evidence: Evidence


class Handover(NamedTuple):
    """What it takes to run as another user than root."""

    #: Why it is not known what it takes; empty where all is known.
    unknown: str
    #: What stands in the way although all is known.
    obstacles: tuple[str, ...]
    places: tuple[Place, ...]
    #: Volumes and folders of the host whose existing data would have to change hands.
    data: tuple[str, ...]
    #: What was read.
    evidence: tuple[Evidence, ...]


def handover(workloads: Iterable[Workload]) -> Handover:
    """What it takes for all containers that run a stage."""
    unknown = ""
    obstacles: list[str] = []
    data: list[str] = []
    places: dict[str, Place] = {}
    evidence: list[Evidence] = []
    for work in workloads:
        unknown = unknown or work.uses.open(WRITES, USERS, CAPABILITIES, ESCALATION, PORTS)
        obstacles += _obstacles(work)
        evidence.append(work.uses.read)
        for write in work.uses.writes:
            if any(_within(write.path, place) for place in _EVERYBODYS):
                continue
            mounted = _mounted(write, work)
            if mounted:
                obstacles.append(f"whether what {mounted} holds already belongs to it")
                data.append(mounted)
                continue
            folder, beside = _folder(write, work.image)
            if beside:
                obstacles.append(f"it writes {write.path}, beside the program's own {beside}")
            else:
                places.setdefault(folder, Place(folder, write.evidence))
    outer = [p for p in places.values() if not any(p.path != o and _within(p.path, o) for o in places)]
    return Handover(unknown, tuple(dict.fromkeys(obstacles)), tuple(outer), tuple(dict.fromkeys(data)), tuple(evidence))


def _obstacles(work: Workload) -> Iterator[str]:
    uses, container = work.uses, work.container
    yield from (f"as root it uses {item.name}: {item.why}" for item in uses.capabilities)
    yield from (f"it becomes root through {program.name}" for program in uses.escalates)
    yield from (f"it works as {user.name} too" for user in uses.users)
    low = next((listen.number for listen in uses.listens if listen.number < 1024), 0)
    if low and (container is None or container.host_network.effective):
        yield f"it binds port {low}, which is root's where no Docker network of its own is used"
    closed = work.image.files.closed()
    if closed:
        yield f"{closed} can be read or started by its owner only"
    if container is None:
        return
    for mount in container.mounts:
        foreign = mount.kind not in ("volume", "tmpfs", "bind") or not mount.location
        if mount.kind == "bind" and mount.location and not mount.read_only:
            yield f"whether it may write {mount.source}, which is the host's"
        elif mount.kind not in ("volume", "tmpfs") and foreign:
            yield f"whether it may read {mount.source or mount.target}"
    for tmpfs in container.tmpfs.effective:
        if "uid=" not in tmpfs.options and not any(_within(tmpfs.path, place) for place in _EVERYBODYS):
            yield f"whether it may write the tmpfs {tmpfs.path}, which is root's"
    if container.devices.effective:
        yield f"whether it may use {container.devices.effective[0].source}"


def _mounted(write: Write, work: Workload) -> str:
    """The volume or folder of the host that a path lies on."""
    targets = {posixpath.normpath(path): path for path, _ in work.image.stage.volumes}
    if work.container is not None:
        targets |= {mount.target.rstrip("/"): mount.source or mount.target for mount in work.container.mounts}
    over = [target for target in targets if _within(write.path, target)]
    return targets[max(over, key=len)] if over else ""


def _folder(write: Write, image: BuiltImage) -> tuple[str, str]:
    """The folder to hand over for a path, and a file of the program's own that lies in it."""
    is_file = bool(posixpath.splitext(write.path)[1]) or image.files.kind(write.path) == "file"
    folder = posixpath.normpath(posixpath.dirname(write.path) if is_file else write.path)
    beside = folder if folder.count("/") < 2 else next(image.files.walk(folder), "")
    return folder, beside


def _within(path: str, folder: str) -> bool:
    return (posixpath.normpath(path) + "/").startswith(posixpath.normpath(folder).rstrip("/") + "/")
