"""What a Compose service shares with its host: mounts, ports, namespaces. Knows no rule."""

from __future__ import annotations

import os

from hardener.facts.compose.service import Service
from hardener.facts.compose.short_syntax import container_ports, parse_port, parse_volume
from hardener.facts.compose.writer import place_of
from hardener.facts.container import Mount, PublishedPort, Setting
from hardener.facts.merged import text_of, truth
from hardener.finding import Place
from hardener.syntax.yaml import Mapping, Node


def read_mounts(service: Service, folder: str) -> tuple[Mount, ...]:
    """Everything that is mounted into the container, but `tmpfs`."""
    mounts: dict[str, Mount] = {}
    for held, node in service.items("volumes"):
        place = held.layer.file.place(node)
        if isinstance(node, Mapping):
            kind, source, path, read_only = (service.read(node.get(name)) for name in ("type", "source", "target", "read_only"))
            bind = node.get("bind")
            propagation = service.read(bind.get("propagation")) if isinstance(bind, Mapping) else None
            mount = Mount(kind or "volume", source or "", path or "", truth(read_only) is True, place, "", propagation or "")
        else:
            kind, source, path, is_read_only, propagation = parse_volume(service.read(node) or "")
            mount = Mount(kind, source, path, is_read_only, place, "", propagation)
        if mount.kind == "bind" and mount.source.startswith("."):
            mount = mount._replace(location=os.path.normpath(os.path.join(folder, mount.source)))
        elif mount.kind == "volume" and mount.source and _has_its_own_life(service.defined("volumes", mount.source)):
            mount = mount._replace(kind="external")
        mounts[mount.target] = mount
    for key, kind, place_of_old in (("configs", "config", "/"), ("secrets", "secret", "/run/secrets/")):
        for held, node in service.items(key):
            name = service.read(node.get("source")) if isinstance(node, Mapping) else service.read(node)
            path = service.read(node.get("target")) if isinstance(node, Mapping) else None
            path = path or name or ""
            path = path if path.startswith("/") else place_of_old + path
            defined = service.defined(key, name or "")
            file = service.read(defined.get("file")) if isinstance(defined, Mapping) else None
            location = os.path.normpath(os.path.join(folder, file)) if file and "$" not in file else ""
            mounts.setdefault(path, Mount(kind, name or "", path, True, held.layer.file.place(node), location))
    return tuple(mounts.values())


def _has_its_own_life(volume: Node | None) -> bool:
    """Whether a volume is made elsewhere, or laid over a folder of the host: its data may belong to anybody."""
    return isinstance(volume, Mapping) and (
        truth(text_of(volume.get("external"))) is not None or volume.get("driver_opts") is not None
    )


def read_served_ports(service: Service) -> tuple[int, ...]:
    """The container's own ports that are published or exposed."""
    ports: list[int] = []
    for key in ("ports", "expose"):
        for _, node in service.items(key):
            text = service.read(node.get("target")) if isinstance(node, Mapping) else service.read(node)
            ports += container_ports(text or "")
    return tuple(dict.fromkeys(ports))


def read_published_ports(service: Service) -> tuple[PublishedPort, ...]:
    """What `ports` opens on the host."""
    found = []
    for held, node in service.items("ports"):
        place = held.layer.file.place(node)
        if isinstance(node, Mapping):
            names = ("host_ip", "published", "target", "protocol")
            address, published, target, protocol = (service.read(node.get(name)) or "" for name in names)
        else:
            address, published, target, protocol = parse_port(service.read(node) or "")
        found.append(PublishedPort(address, published, target, protocol or "tcp", place))
    return tuple(found)


def shares_host(service: Service, key: str, home: Place) -> Setting[bool]:
    """Whether one of the host's namespaces is used: `network_mode`, `pid`, `ipc`, `uts` or `userns_mode` is `host`."""
    held = service.scalar(key)
    if held is None:
        return Setting(False, written=False, place=home, wording=f"{key}: host")
    return Setting(service.read(held.found.node) == "host", written=True, place=place_of(held), wording=f"{key}: host")
