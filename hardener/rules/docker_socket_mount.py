"""The engine's socket is mounted into the container.

Attack: Whoever breaks into the container asks the engine through the socket for another one, privileged and with the host's
disk mounted. They are then root on the host, without a password and without any hole in the kernel.

Background: Mounting it `:ro` protects the socket's file, not the engine behind it.

What may break: Without the mount, all that the container does with the engine: Traefik learns no routes from labels, a
runner starts no jobs, a monitor sees no containers. Behind a proxy, the calls that it does not pass, and streams of logs
that it cuts off when they are long silent. A program that cannot be told another address of the engine cannot be moved to a
proxy.

What we do: No edit is offered. Which way out fits depends on what the container does with it, and is said where the
consumer is known: one that only reads gets a socket proxy that passes just the calls it makes; one that builds images a
builder that needs no engine (Kaniko, Buildah, BuildKit rootless), or builds at the CI provider; one that manages the engine
a rootless engine, since no proxy protects from what it is there to do.

Left alone: A proxy itself, while it passes only reads and publishes no port.

Example: normal
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache

from hardener.facts.container import Container
from hardener.finding import Finding, Rule, Severity
from hardener.needs.needs import Needs

ID = "docker-socket-mount"
#: Folders of the host that hold the sockets.
_FOLDERS = ("/var/run", "/run")
_SOCKETS = ("docker.sock", "podman.sock", "containerd.sock", "crio.sock", "cri-dockerd.sock")
_GENERAL = (
    "if it only reads, put a socket proxy between them (tecnativa/docker-socket-proxy) with only the calls it makes; "
    "if it builds images, use Buildah, Kaniko or BuildKit rootless, or build at the CI provider; else use a rootless engine"
)


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """Each mount of an engine's socket."""
    if _is_proxy(container):
        return
    for mount in container.mounts:
        folder = mount.kind == "bind" and mount.source.rstrip("/") in _FOLDERS
        if not folder and not mount.source.endswith(_SOCKETS) and not mount.target.endswith(_SOCKETS):
            continue
        read_only = "; :ro does not protect it" if mount.read_only else ""
        what = f"the host's {mount.source} with the engine's socket in it" if folder else "the engine's socket"
        message = f"holds {what}, which is root on the host{read_only}"
        yield Finding(
            ID, container.subject, mount.place, message, advice=_advice(container), key=f"{container.key} {mount.target}"
        )


def _is_proxy(container: Container) -> bool:
    """Whether it is what we advise: a proxy that passes reads only, to containers only."""
    closed = container.environment.get("POST", "0") in ("", "0", "false") and not container.published_ports
    return container.image is not None and "socket-proxy" in container.image.familiar and closed


def _advice(container: Container) -> str:
    if container.image is None:
        return _GENERAL
    name = f"/{container.image.familiar}"
    return next((text for word, text in _consumers() if f"/{word}" in name), _GENERAL)


@lru_cache(maxsize=1)
def _consumers() -> tuple[tuple[str, str], ...]:
    import tomllib

    path = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "needs", "socket_consumers.toml")
    with open(path, "rb") as file:
        return tuple((item["image"], item["advice"]) for item in tomllib.load(file)["consumers"])


RULE = Rule(
    id=ID,
    title="The engine's socket inside a container",
    severity=Severity.CRITICAL,
    cites=(
        "CIS Docker 5.32",
        "CIS Kubernetes 5.2.12",
        "Pod Security Standards: baseline, HostPath Volumes",
        "OWASP Docker 1",
        "OWASP Docker 11",
    ),
    container=check,
    why="whoever talks to the engine can start a container that owns the host",
)
