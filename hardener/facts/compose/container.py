"""A Compose service in the vocabulary of containers. Knows no rule."""

from __future__ import annotations

import os
from collections.abc import Callable

from hardener.facts.compose.amounts import parse_bytes, parse_number
from hardener.facts.compose.document import is_null, target, text_of, truth
from hardener.facts.compose.interpolation import parse_env_file
from hardener.facts.compose.service import Service, entries
from hardener.facts.compose.settings import (
    CapabilityList,
    Dialect,
    Flag,
    Limit,
    NoNewPrivileges,
    Readers,
    TmpfsList,
    place_of,
)
from hardener.facts.compose.short_syntax import container_ports, parse_volume, split_command
from hardener.facts.container import ALL, Amount, Build, Container, Mount, Setting
from hardener.facts.image import parse_image
from hardener.finding import Place
from hardener.source import Source
from hardener.syntax.yaml import Mapping, Node, Sequence

Context = Callable[[str], "Source | None"]


def read_container(
    key: str,
    service: Service,
    readers: Readers,
    kin: str,
    namesakes: tuple[Service, ...],
    dialect: Dialect,
    folder: str,
    context: Context,
) -> Container:
    """The container that a service asks for. `kin` names another file that defines a service of this name,
    `dialect` is that of the services that share text with it.
    """
    top = service.home or service.layers[-1]
    home = top.file.place(top.service.key)
    container = Container()
    container.key = key
    container.subject = service.name
    container.place = home
    container.image_text = "" if service.scalar("build") else service.text("image") or ""
    container.image = parse_image(container.image_text) if container.image_text else None
    container.build = _build(service, folder)
    container.user = service.text("user")
    container.entrypoint = _words(service, "entrypoint")
    container.command = _words(service, "command")
    container.environment = _environment(service, folder, context)
    container.mounts = _mounts(service, folder)
    container.published_ports = _ports(service)
    container.reserved_memory = _reserved(service, "memory", "mem_reservation", parse_bytes)
    container.reserved_cpus = _reserved(service, "cpus", "", parse_number)
    container.host_network = _host_network(service, home)
    container.privileged = Flag(service, readers, "privileged", home)
    container.cap_drop = CapabilityList(service, readers, "cap_drop", home)
    drops_all = any((text_of(node) or "").upper() == ALL for other in namesakes for _, node in other.items("cap_drop"))
    container.cap_add = CapabilityList(service, readers, "cap_add", home, kin if drops_all else "")
    container.no_new_privileges = NoNewPrivileges(service, readers, home, kin)
    container.read_only_root = Flag(service, readers, "read_only", home, _copied_in(service))
    container.tmpfs = TmpfsList(service, readers, home, kin)

    def limit(deploy_key: str, top_key: str, parse: Callable[[str], float | None]) -> Limit:
        limited_by = (
            kin
            if any(other.leaf("deploy", "resources", "limits", deploy_key) or other.scalar(top_key) for other in namesakes)
            else ""
        )
        return Limit(
            service,
            readers,
            home,
            deploy_key=deploy_key,
            top_key=top_key,
            dialect=dialect,
            parse=parse,
            limited_by=limited_by,
        )

    container.memory = limit("memory", "mem_limit", parse_bytes)
    container.cpus = limit("cpus", "cpus", parse_number)
    if service.scalar("cpu_quota") is not None and container.cpus.effective is None:
        container.cpus = Setting(Amount(-1.0, "cpu_quota"), written=True, place=home)
    container.pids = limit("pids", "pids_limit", parse_number)
    return container


def _build(service: Service, folder: str) -> Build | None:
    held = service.scalar("build")
    if held is None or is_null(held.found.node):
        return None
    node = held.found.node
    if not isinstance(node, Mapping):
        return Build(_dockerfile(folder, service.read(node) or ".", ""), "")
    if node.get("dockerfile_inline") is not None:
        return Build("", service.read(node.get("target")) or "")

    def read(name: str) -> str | None:
        found = service.leaf("build", name)
        return service.read(found.found.node) if found else None

    return Build(
        _dockerfile(folder, read("context") or ".", read("dockerfile") or ""),
        read("target") or "",
        tuple(sorted(_arguments(service).items())),
    )


def _arguments(service: Service) -> dict[str, str | None]:
    held = service.leaf("build", "args")
    if held is None:
        return {}
    node = held.found.node
    if isinstance(node, Mapping):
        return {name: service.read(value) for name, value in entries(node)}
    pairs = (service.read(item) or "" for item in node.items) if isinstance(node, Sequence) else ()
    return {name: value if equals else None for name, equals, value in (pair.partition("=") for pair in pairs)}


def _dockerfile(folder: str, context: str, dockerfile: str) -> str:
    """Where the Dockerfile lies; empty for a remote context or an unknown variable."""
    if "://" in context or context.startswith("git@") or "$" in context + dockerfile:
        return ""
    return os.path.normpath(os.path.join(folder, context, dockerfile or "Dockerfile"))


def _words(service: Service, key: str) -> tuple[str, ...] | None:
    held = service.scalar(key)
    if held is None or is_null(held.found.node):
        return None
    node = held.found.node
    if isinstance(node, Sequence):
        return tuple(service.read(target(item)) or "" for item in node.items)
    words = split_command(service.read(node) or "")
    return (service.read(node) or "",) if words is None else words


def _environment(service: Service, folder: str, context: Context) -> dict[str, str | None]:
    variables: dict[str, str | None] = {}
    for _, node in service.items("env_file"):
        path = service.read(node.get("path")) if isinstance(node, Mapping) else service.read(node)
        source = context(os.path.normpath(os.path.join(folder, path))) if path and "$" not in path else None
        if source:
            variables |= parse_env_file(source.text)
    return variables | service.pairs("environment")


def _mounts(service: Service, folder: str) -> tuple[Mount, ...]:
    mounts: dict[str, Mount] = {}
    for held, node in service.items("volumes"):
        place = held.layer.file.place(node)
        if isinstance(node, Mapping):
            kind, source, path, read_only = (service.read(node.get(name)) for name in ("type", "source", "target", "read_only"))
            mount = Mount(kind or "volume", source or "", path or "", truth(read_only) is True, place)
        else:
            mount = Mount(*parse_volume(service.read(node) or ""), place)
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


def _ports(service: Service) -> tuple[int, ...]:
    ports: list[int] = []
    for key in ("ports", "expose"):
        for _, node in service.items(key):
            text = service.read(node.get("target")) if isinstance(node, Mapping) else service.read(node)
            ports += container_ports(text or "")
    return tuple(dict.fromkeys(ports))


def _reserved(service: Service, deploy_key: str, top_key: str, parse: Callable[[str], float | None]) -> float:
    held = service.leaf("deploy", "resources", "reservations", deploy_key) or (service.scalar(top_key) if top_key else None)
    return (parse(service.read(held.found.node) or "") or 0.0) if held else 0.0


def _host_network(service: Service, home: Place) -> Setting[bool]:
    held = service.scalar("network_mode")
    return Setting(service.text("network_mode") == "host", written=held is not None, place=place_of(held) if held else home)


def _copied_in(service: Service) -> str:
    """Why Compose would refuse a read-only root: it copies some configs and secrets into the container (measured, 2.40.3)."""
    for key in ("configs", "secrets"):
        for _, node in service.items(key):
            name = text_of(node.get("source")) if isinstance(node, Mapping) else text_of(node)
            defined = service.defined(key, name or "")
            if isinstance(defined, Mapping) and (defined.get("content") is not None or defined.get("environment") is not None):
                return f"Compose copies `{name}` into the container at start, which it refuses to do into a read-only root"
    return ""
