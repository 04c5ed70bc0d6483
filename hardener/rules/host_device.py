"""The container is given a device that holds the host.

Attack: Whoever breaks into the container as root writes a new root password into the file system on the raw disk, or reads
the hash of the old one where the disk may only be read. They then log in to the host as root; with `/dev/mem` they have the
kernel's memory, with `/dev/input` all that is typed.

Background: A raw disk is every file on it, whatever its permissions. `/dev/mem` and its kin are the kernel's memory, the
whole of `/dev/input` is what is typed on any keyboard, and the whole of `/dev` is all of them.

What may break: Without the device, the job that it is there for: a monitor of disks reads no health values any more, a
program that drives pins moves none.

What we do: No edit is offered: which device does the job is not in the file. The advice names narrower ones where there are
any.

Left alone: Devices that do one job and are no way to the host's files: graphics, sound, cameras, serial adapters,
`/dev/fuse`, `/dev/kvm`, `/dev/net/tun`, optical drives.

Example: normal
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container, Device
from hardener.finding import Finding, Rule, Severity
from hardener.needs.needs import Needs

ID = "host-device"
#: Disks by the beginning of their names below `/dev`; the first are followed by a letter and perhaps a number.
_LETTERED_DISKS = ("xvd", "sd", "hd", "vd")
_DISKS = ("nvme", "mmcblk", "mapper/", "dm-", "disk/", "zvol/", "md/")
_DISK = "a raw disk"
#: Other devices by their whole path.
_DEVICES = {
    "/dev": "every device",
    "/dev/mem": "the machine's memory",
    "/dev/kmem": "the kernel's memory",
    "/dev/port": "the machine's I/O ports",
    "/dev/input": "everything that is typed",
    "/dev/uinput": "a keyboard to type with",
}


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container with disks, memory or input devices of the host."""
    devices = container.devices.effective
    if not devices:
        return
    found = [(device, what) for device in devices if (what := _what(device.source))]
    if not found:
        return
    parts = ", ".join(f"{device.source} ({what})" for device, what in found)
    only_read = all("w" not in device.rights for device, _ in found)
    message = f"{'reads' if only_read else 'holds'} devices of the host: {parts}"
    yield Finding(ID, container.subject, found[0][0].place, message, advice=_advice(container, found), key=container.key)


def _what(path: str) -> str:
    """What a device gives away; empty for those that do one job."""
    path = path.rstrip("/")
    if path in _DEVICES or not path.startswith("/dev/"):
        return _DEVICES.get(path, "")
    name = path[5:]
    if name.startswith(_DISKS) or (name.startswith("md") and name[2:].isdecimal()):
        return _DISK
    for beginning in _LETTERED_DISKS:
        if name.startswith(beginning):
            letter, number = name[len(beginning) : len(beginning) + 1], name[len(beginning) + 1 :]
            return _DISK if letter.isalpha() and (not number or number.isdecimal()) else ""
    return ""


def _advice(container: Container, found: list[tuple[Device, str]]) -> str:
    image = container.image.familiar if container.image else ""
    whats = {what for _, what in found}
    if "scrutiny" in image or "smartctl" in image:
        return (
            "reading a disk's health needs the raw disk: keep this collector apart (the scrutiny collector runs on the host or "
            "in a container of its own without ports), and give the web part no device"
        )
    if _DISK in whats:
        return "mount the file system that it needs under `volumes` instead; if the raw disk is needed, only to read: `:r`"
    if "the machine's memory" in whats:
        return "for GPIO give it `/dev/gpiomem` instead of `/dev/mem`"
    if "everything that is typed" in whats:
        return "give it the one device that it listens to, by `/dev/input/by-id/...`"
    return "name the devices that it uses, one by one"


RULE = Rule(
    id=ID,
    title="A disk, memory or input device of the host in a container",
    severity=Severity.HIGH,
    cites=("CIS Docker 5.18",),
    container=check,
    why="a raw device goes around every permission of the host's files",
)
