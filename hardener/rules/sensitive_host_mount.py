"""A folder of the host that decides who owns it is mounted into the container.

Attack: Whoever breaks into the container as root writes a line into `/etc/crontab` or a program into `/usr/bin` through the
mount, and the host runs it with root's rights. They then own the host; where the mount may only be read, they have what is
in it, such as keys, logins and the data of other containers.

Background: Writable, such a folder is the host: a line in `/etc/crontab`, a program in `/usr/bin`, a value in `/proc/sys`
run with root's rights outside the container. Read-only it still gives away what is in it: password hashes and keys in
`/etc`, every container's data and environment in `/var/lib/docker`, somebody's logins in `~/.ssh` and `~/.aws`.

What may break: What the container read there is missing, and often nothing says so: a backup is empty, an agent shows the
container where it showed the host. What it wrote there fails once the mount is `:ro`, perhaps only much later.

What we do: No edit is offered: what the container wants from there is not in the file. The advice names what is usually
enough.

Left alone: The harmless parts (`/etc/localtime`, `/etc/ssl/certs`, `/dev/shm` and the like), `/sys`, `/usr`, `/boot`,
`/lib/modules` and `/var/log` mounted `:ro`, what programs that measure the host are documented to read from it, and engine
sockets and the folders that hold them, which are `docker-socket-mount`.

Example: normal
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from hardener.facts.container import Container
from hardener.finding import Finding, Rule, Severity
from hardener.needs.needs import Needs

ID = "sensitive-host-mount"
#: Ways to write a user's home folder.
_HOMES = ("${HOME}", "$HOME", "~")
_FIRST_LETTERS = frozenset("/~$")


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """Each mount of a folder that is the host, or that holds its secrets."""
    for mount in container.mounts:
        if mount.kind != "bind" or mount.source[:1] not in _FIRST_LETTERS:
            continue
        found = _places().get(_normal(mount.source))
        if found is None:
            continue
        message = found.get("reads" if mount.read_only else "writes")
        # What an image built here is, its service's name may say.
        image = f"{container.image.familiar if container.image else ''} {container.subject}"
        if not message or (mount.read_only and _measures(container, image, found)):
            continue
        advice = next((own["advice"] for own in found.get("known", ()) if own["image"] in image), found["advice"])
        how = "reads" if mount.read_only else "may write"
        yield Finding(
            ID,
            container.subject,
            mount.place,
            f"{how} the host's {mount.source}: {message}",
            advice=advice,
            key=f"{container.key} {mount.target}",
        )


def _measures(container: Container, image: str, place: dict[str, Any]) -> bool:
    """Whether an image reads a folder for its own purpose, and nobody gave it more rights than it comes with."""
    raised = container.privileged.effective or container.user.effective.partition(":")[0] in ("root", "0")
    return not raised and any(word in image for word in place.get("silent-for", ()))


def _normal(path: str) -> str:
    for home in _HOMES:
        if path == home or path.startswith(f"{home}/"):
            return "~" + path[len(home) :].rstrip("/")
    path = os.path.normpath(path).replace("//", "/")
    if path.startswith("/root"):
        return f"~{path[5:]}" if path[5:6] in ("", "/") else path
    user = path.split("/", 3)
    # /home/NAME/.ssh is somebody's, as ~/.ssh is; /home/NAME itself may be a folder for anything.
    return f"~/{user[3]}" if len(user) == 4 and user[1] in ("home", "Users") else path


@lru_cache(maxsize=1)
def _places() -> dict[str, dict[str, Any]]:
    import tomllib

    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "sensitive_host_mount.toml"), "rb") as file:
        places = tomllib.load(file)["places"]
    return {path: place for place in places for path in place["paths"]}


RULE = Rule(
    id=ID,
    title="A sensitive folder of the host in a container",
    severity=Severity.HIGH,
    cites=(
        "CIS Docker 5.6",
        "CIS Kubernetes 5.2.12",
        "Pod Security Standards: baseline, HostPath Volumes",
        "OWASP Docker 8",
        "Docker docs: engine/storage/bind-mounts",
    ),
    container=check,
    why="whoever writes it owns the host, and whoever reads it has its secrets",
)
