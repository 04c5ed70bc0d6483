"""What the container mounts appears on the host.

Attack: Whoever breaks into the container, and has SYS_ADMIN there, mounts a file system of their own below the shared
place. It is then mounted on the host too, and in every other container that shares the place, over whatever lies there.

Background: A mount with `shared` or `rshared` propagation works in both directions.

What may break: A container that mounts for others mounts for itself alone: the host and its neighbours see an empty folder,
and may write into it. With the default it does not see what the host mounts later, either; with `rslave` it does.

What we do: No edit is offered: which direction is needed is not in the file. A container that should only see mounts that
the host makes later needs `rslave`, one that needs neither the default.

Left alone: Containers that are there to mount something for the host: they hold `/dev/fuse`.

Example: normal
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.finding import Finding, Rule, Severity
from hardener.needs.needs import Needs

ID = "shared-mount-propagation"


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container whose mounts show on the host."""
    shared = [mount for mount in container.mounts if mount.propagation in ("shared", "rshared")]
    if not shared or any(device.source == "/dev/fuse" for device in container.devices.effective):
        return
    paths = ", ".join(mount.target for mount in shared)
    slave = "rslave" if any(mount.propagation == "rshared" for mount in shared) else "slave"
    written = container.platform.one_way_mount.format(slave=slave)
    advice = f"{written} if it only has to see what the host mounts there, or leave the propagation out"
    message = f"shows on the host what it mounts below {paths}"
    yield Finding(ID, container.subject, shared[0].place, message, advice=advice, key=container.key)


RULE = Rule(
    id=ID,
    title="Mounts made in a container appear on the host",
    severity=Severity.MEDIUM,
    cites=("CIS Docker 5.20", "Docker docs: engine/storage/bind-mounts"),
    container=check,
    why="it can mount something over the host's files",
)
