"""Where a container writes outside of what is mounted, and whether a tmpfs could take it. Knows an engine, no service."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any

from hardener.record import NamedTuple
from hardener.trial.engine import Engine, lost
from hardener.trial.observe import archive

_CHANGED, _ADDED = 0, 1  # as the engine numbers them (moby, pkg/archive/changes.go)
#: The engine's own: it makes these at every start.
_ENGINES = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab", "/.dockerenv", "/proc", "/sys", "/dev")
#: Where it mounts the program of `init: true`, for which it makes the folder (moby, daemon/oci_linux.go).
_INIT = "/sbin/docker-init"
#: What lies here need not outlive the container (FHS 3.0, chapters 3.15, 3.18, 5.5, 5.10, 5.15).
_FLEETING = ("/tmp", "/run", "/var/tmp", "/var/cache", "/var/log", "/var/lock")
#: Folders and files by whose names one can tell as much.
_FLEETING_NAMES = frozenset("tmp temp cache caches .cache run log logs lock sessions session spool pids sockets".split())
_FLEETING_ENDS = (".pid", ".sock", ".socket", ".lock", ".lck", ".log", ".tmp", ".pyc")
#: Folders of which a tmpfs would hide what the image needs.
_NEVER = frozenset(
    "/ /bin /boot /etc /home /lib /lib32 /lib64 /media /mnt /opt /root /sbin /srv /usr /usr/bin /usr/lib /usr/libexec /usr/local "
    "/usr/local/bin /usr/local/lib /usr/sbin /usr/share /var /var/lib".split()
)
#: What an image usually has there is of no use to a program.
_NOTHING_NEEDED = ("/tmp", "/run", "/var/tmp")


class Writes(NamedTuple):
    """The folders that become a tmpfs, with their owner `uid:gid`; and why the root cannot be read-only, if so."""

    folders: Mapping[str, str]
    #: A file that is written beside what the image has there, which a tmpfs would hide.
    beside: str = ""
    #: A file that may be data: a tmpfs is empty after a restart.
    data: str = ""


def writes(engine: Engine, container: Mapping[str, Any]) -> Writes:
    """What a container has written so far. Raises `TrialError`."""
    with lost():
        changes = engine.client.api.diff(container["Id"]) or []
    mounts = [str(mount["Destination"]) for mount in container.get("Mounts") or ()]
    mounts += list((container["HostConfig"].get("Tmpfs") or {}).keys())
    mounts += [_INIT] if container["HostConfig"].get("Init") else []
    added = {item["Path"] for item in changes if item["Kind"] == _ADDED and not _is_mounts(item["Path"], mounts)}
    changed = {item["Path"] for item in changes if item["Kind"] == _CHANGED and not _is_mounts(item["Path"], mounts)}
    files = {path for path in changed if not any(other.startswith(f"{path}/") for other in added | changed)}
    # The topmost that was added, and what was changed in place.
    tops = {path for path in added if posixpath.dirname(path) not in added}
    touched = sorted(tops | {path for path in files if path not in added})
    folders: dict[str, str] = {}
    beside = data = ""
    for path in touched:
        folder = _folder(path, path in added, added)
        if not folder or (path in files and path not in added and not _is_fleeting(path)):
            beside = beside or path
            continue
        if not _is_fleeting(path) and not _is_fleeting(folder):
            data = data or path
        if any(_is_within(folder, other) for other in folders):
            continue
        if _has_more(engine, container["Id"], folder, added):
            beside = beside or path
            continue
        folders = {other: owner for other, owner in folders.items() if not _is_within(other, folder)}
        folders[folder] = owner_of(engine, container["Id"], folder)
    return Writes(folders, beside, data)


def owner_of(engine: Engine, id: str, path: str) -> str:
    """Whose a path of a container is, `uid:gid` in numbers; root's where it is not there."""
    first = next(archive(engine, id, path), None)
    return f"{first.uid}:{first.gid}" if first is not None else "0:0"


def _folder(path: str, is_new: bool, added: Iterable[str]) -> str:
    """The folder that would become a tmpfs for a path; empty where none may."""
    is_folder = is_new and any(other.startswith(f"{path}/") for other in added)
    for place in ("/tmp", "/var/tmp"):
        if _is_within(path, place):
            return place
    parent = posixpath.dirname(path)
    folder = parent if parent not in _NEVER else path if is_folder else ""
    # A folder that the program makes itself lies in one that it must be able to write.
    return "" if folder in _NEVER else folder


def _has_more(engine: Engine, id: str, folder: str, added: set[str]) -> bool:
    """Whether the image has files in a folder that the container did not put there."""
    if any(folder == place or (place == "/run" and _is_within(folder, place)) for place in _NOTHING_NEEDED):
        return False
    for member in archive(engine, id, folder):
        path = posixpath.join(posixpath.dirname(folder), member.name.rstrip("/"))
        if not member.isdir() and path not in added:
            return True
    return False


def _is_fleeting(path: str) -> bool:
    if any(_is_within(path, place) for place in _FLEETING) or path.endswith(_FLEETING_ENDS):
        return True
    parts = path.lower().split("/")
    return "__pycache__" in parts or any(part in _FLEETING_NAMES for part in parts)


def _is_mounts(path: str, mounts: Iterable[str]) -> bool:
    """Whether a path is part of what is mounted, or was made to mount it there, or is the engine's."""
    if any(path == own or path.startswith(f"{own}/") for own in _ENGINES):
        return True
    return any(_is_within(path, mount) or mount.startswith(f"{path}/") for mount in mounts)


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")
