"""Which paths of a Compose model lead to the user's machine, and which of those a trial may have. Reads no disk; knows no model.

What is allowed is named, all else counts as the user's. What is named holds nothing that a person made, is the same for
every program, and is only ever mounted read-only; a device is named if using it leaves nothing behind in it. A radio stick,
a disk or a printer is not: a service that starts on empty volumes sets it up anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from hardener.record import NamedTuple

#: What is there at a path of this machine: "file" (anything that is no folder), "folder", or "" for nothing.
Look = Callable[[str], str]

#: Files and folders of the machine that a trial mounts as they are, read-only.
_SHOWN = frozenset(
    "/etc/localtime /etc/timezone /etc/passwd /etc/group /etc/hosts /etc/hostname /etc/resolv.conf /etc/nsswitch.conf "
    "/etc/os-release /etc/machine-id /proc".split()
)
#: The same, with all that is below them.
_SHOWN_BELOW = (
    "/usr/share/zoneinfo",
    "/etc/ssl/certs",
    "/etc/ca-certificates",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/lib/modules",
    "/usr/lib/modules",
    "/sys",
)
_DEVICES = frozenset("net/tun fuse kvm null zero full random urandom tty kmsg kfd vhost-net ppp".split())
_DEVICES_BELOW = ("dri", "nvidia")


class Names(NamedTuple):
    """What a trial is called and where it lies: absolute paths of folders, without links in them.

    `project` is a Compose project name (lower case). `tag` is that of images that are built; `labels` go on everything.
    """

    #: The copy that is run.
    root: str
    #: What it is a copy of.
    original: str
    #: Holds empty files and folders in place of the machine's; outside of the copy.
    stand_ins: str
    project: str
    labels: Mapping[str, str]
    tag: str


class StandIn(NamedTuple):
    """An empty file or folder that the caller makes before the start, and empties before each cold one."""

    path: str
    is_file: bool


def below(path: str, folder: str) -> bool:
    """Whether a path is a folder or lies in it, by name alone."""
    return path == folder or path.startswith(os.path.join(folder, ""))


def in_copy(path: str, names: Names) -> str | None:
    """A path as it is in the copy, where it lies in the copy or in the original; else None."""
    path = os.path.normpath(path)
    if below(path, names.root):
        return path
    if below(path, names.original):
        return os.path.normpath(os.path.join(names.root, os.path.relpath(path, names.original)))
    return None


def in_original(path: str, names: Names) -> str:
    """Where a path that leads out of the copy (`../data`) leads to from the original."""
    return os.path.normpath(os.path.join(names.original, os.path.relpath(path, names.root)))


def is_shown(path: str) -> bool:
    """Whether a trial may read this file or folder of the machine."""
    path = os.path.normpath(path)
    return path in _SHOWN or any(below(path, folder) for folder in _SHOWN_BELOW) or is_harmless_device(path)


def is_harmless_device(path: str) -> bool:
    """Whether a trial may use this device of the machine."""
    name = os.path.normpath(path).removeprefix("/dev/")
    return name != path and (name in _DEVICES or name.startswith(_DEVICES_BELOW))


def stand_in(path: str, names: Names, look: Look) -> StandIn:
    """What stands in for a path of the machine.

    Paths keep their order below the stand-ins' folder, so that services that share a folder still share one. What cannot be
    found becomes a folder, as the engine does.
    """
    path = os.path.normpath(path)
    found = look(path) or look(in_original(path, names))
    inner = path.replace("\\", "/").replace(":", "").lstrip("/")
    return StandIn(os.path.normpath(os.path.join(names.stand_ins, "host", inner)), found == "file")
