"""A Compose service in the vocabulary of containers. Knows no rule."""

from __future__ import annotations

import os
from collections.abc import Callable

from hardener.facts.compose.amounts import parse_bytes, parse_number
from hardener.facts.compose.environment import (
    EnvironmentVariable,
    missing_env_files,
    offered_variables,
    read_environment,
    written_variables,
)
from hardener.facts.compose.host import read_mounts, read_published_ports, read_served_ports, shares_host
from hardener.facts.compose.interpolation import interpolate, variable_names
from hardener.facts.compose.limits import Dialect, Limit
from hardener.facts.compose.security_options import NoNewPrivileges, Unconfined, UnmaskedProc
from hardener.facts.compose.service import Service, entries
from hardener.facts.compose.settings import CapabilityList, DeviceList, Flag, Text, TmpfsList
from hardener.facts.compose.short_syntax import split_command
from hardener.facts.compose.writer import Readers, place_of
from hardener.facts.container import ALL, Amount, Build, Container, Restart, Setting
from hardener.facts.image import parse_image
from hardener.facts.instructions import podman_in
from hardener.facts.merged import is_null, target, text_of, truth
from hardener.facts.platform import DOCKER
from hardener.facts.tree import Tree
from hardener.finding import Place
from hardener.syntax.yaml import Mapping, Sequence

#: They run in the container, as its user and with what it may do, unless they name another user.
_HOOKS = ("post_start", "pre_stop")


def read_container(
    key: str,
    service: Service,
    readers: Readers,
    kin: str,
    namesakes: tuple[Service, ...],
    dialect: Dialect,
    folder: str,
    context: Tree,
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
    container.homes = tuple(layer.file.place(layer.service.key) for layer in service.layers if not layer.inherited)
    container.platform = DOCKER
    container.folder = folder
    container.image_text = "" if service.scalar("build") else service.text("image") or ""
    container.image = parse_image(container.image_text) if container.image_text else None
    container.image_variables, container.image_given = _image_variables(service)
    container.build = _build(service, folder)
    container.init = Flag(service, readers, "init", home)
    container.user = Text(service, readers, "user", home)
    container.refuses_root = container.volume_group = None
    container.entrypoint = _words(service, "entrypoint")
    container.command = _words(service, "command")
    container.workdir = service.text("working_dir") or ""
    container.environment = read_environment(service, folder, context)
    container.missing_env_files = missing_env_files(service, folder, context)
    container.offered_variables = offered_variables(service, folder, context)
    container.hooks = tuple(key for key in _HOOKS if service.scalar(key) is not None)
    container.variables = written_variables(service)
    container.variable = _variables(service, readers, home, container)
    container.mounts = read_mounts(service, folder)
    container.said_elsewhere = ""
    container.volumes_from = service.mentions("volumes_from")
    container.watched = service.mentions("develop", "watch")
    container.served_ports = read_served_ports(service)
    container.published_ports = read_published_ports(service)
    container.reserved_memory = _reserved(service, "memory", "mem_reservation", parse_bytes)
    container.reserved_cpus = _reserved(service, "cpus", "", parse_number)
    container.restart = _restart(service, home)
    container.healthcheck = _healthcheck(service, home)
    container.host_network = shares_host(service, "network_mode", home)
    container.host_pid = shares_host(service, "pid", home)
    container.host_ipc = shares_host(service, "ipc", home)
    container.host_uts = shares_host(service, "uts", home)
    container.host_user_namespace = shares_host(service, "userns_mode", home)
    # Docker gives all ports of its own networks to everybody. Podman does not: of the kernel's parameters it sets
    # ping_group_range alone (containers/podman vendor/go.podman.io/common/pkg/config/containers.conf@c6580b4).
    is_roots = container.host_network.effective or podman_in(folder, context)
    container.first_free_port = Setting(1024 if is_roots else 0, written=False, place=container.host_network.place)
    container.privileged = Flag(service, readers, "privileged", home)
    container.devices = DeviceList(service, readers, home)
    container.cap_drop = CapabilityList(service, readers, "cap_drop", home)
    drops_all = any((text_of(node) or "").upper() == ALL for other in namesakes for _, node in other.items("cap_drop"))
    container.cap_add = CapabilityList(service, readers, "cap_add", home, kin if drops_all else "")
    container.no_new_privileges = NoNewPrivileges(service, readers, home, kin)
    container.seccomp_unconfined = Unconfined(service, readers, "seccomp", home)
    container.apparmor_unconfined = Unconfined(service, readers, "apparmor", home)
    container.unmasked_proc = UnmaskedProc(service, readers, home)
    # The engine takes none that are not the container's own, and knows no API that a container would ask.
    container.unsafe_sysctls = Setting((), written=False, place=home)
    container.api_token = Setting(False, written=False, place=home)
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
        context = service.read(node) or "."
        return Build(_dockerfile(folder, context, ""), "", context=_context(folder, context))

    def read(name: str) -> str | None:
        found = service.leaf("build", name)
        return service.read(found.found.node) if found else None

    context, inline = read("context") or ".", read("dockerfile_inline") or ""
    return Build(
        "" if inline else _dockerfile(folder, context, read("dockerfile") or ""),
        read("target") or "",
        tuple(sorted(_arguments(service).items())),
        _context(folder, context),
        inline,
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
    inside = _context(folder, context)
    return os.path.normpath(os.path.join(inside, dockerfile or "Dockerfile")) if inside and "$" not in dockerfile else ""


def _context(folder: str, context: str) -> str:
    """Where the build context lies; empty for a remote one or an unknown variable."""
    remote = "://" in context or context.startswith("git@") or "$" in context
    return "" if remote else os.path.normpath(os.path.join(folder, context))


def _image_variables(service: Service) -> tuple[tuple[str, ...], Callable[[str, str], str | None]]:
    held = service.scalar("image") if not service.scalar("build") else None
    written = (text_of(held.found.node) if held else None) or ""

    def given(name: str, value: str) -> str | None:
        known = interpolate(value, service.variables)
        return None if known is None else interpolate(written, {**service.variables, name: known})

    return variable_names(written), given


def _words(service: Service, key: str) -> tuple[str, ...] | None:
    held = service.scalar(key)
    if held is None or is_null(held.found.node):
        return None
    node = held.found.node
    if isinstance(node, Sequence):
        return tuple(service.read(target(item)) or "" for item in node.items)
    words = split_command(service.read(node) or "")
    return (service.read(node) or "",) if words is None else words


def _reserved(service: Service, deploy_key: str, top_key: str, parse: Callable[[str], float | None]) -> float:
    held = service.leaf("deploy", "resources", "reservations", deploy_key) or (service.scalar(top_key) if top_key else None)
    return (parse(service.read(held.found.node) or "") or 0.0) if held else 0.0


def _variables(service: Service, readers: Readers, home: Place, container: Container) -> Callable[[str], Setting[str | None]]:
    def variable(name: str) -> Setting[str | None]:
        place = next((written.place for written in container.variables if written.name == name), home)
        known = name in container.environment
        return EnvironmentVariable(service, readers, name, container.environment.get(name), place, written=known)

    return variable


def _restart(service: Service, home: Place) -> Setting[Restart]:
    """`deploy.restart_policy` wins over `restart` (measured)."""
    held = service.leaf("deploy", "restart_policy")
    if held is not None and isinstance(held.found.node, Mapping):
        condition = service.read(held.found.node.get("condition")) or "any"
        policy = {"any": "always", "none": "no"}.get(condition, condition)
        attempts = service.read(held.found.node.get("max_attempts")) or ""
    else:
        held = service.scalar("restart")
        policy, _, attempts = (service.text("restart") or "no").partition(":")
        policy = "no" if policy == "false" else policy
    count = int(attempts) if attempts.isdecimal() and attempts.isascii() and 0 < len(attempts) < 10 else None
    return Setting(Restart(policy, count or None), written=held is not None, place=place_of(held) if held else home)


def _healthcheck(service: Service, home: Place) -> Setting[tuple[str, ...]]:
    held = service.scalar("healthcheck")
    if held is None or not isinstance(held.found.node, Mapping):
        return Setting((), written=False, place=home)
    disabled = service.leaf("healthcheck", "disable")
    test = service.leaf("healthcheck", "test")
    node = test.found.node if test else None
    if isinstance(node, Sequence):
        words = tuple(service.read(item) or "" for item in node.items)
    else:
        words = ("CMD-SHELL", service.read(node) or "") if node is not None else ()
    if disabled is not None and truth(service.read(disabled.found.node)) is True:
        words = ("NONE",)
    return Setting(words, written=True, place=place_of(held))


def _copied_in(service: Service) -> str:
    """Why Compose would refuse a read-only root: it copies some configs and secrets into the container (measured, 2.40.3)."""
    for key in ("configs", "secrets"):
        for _, node in service.items(key):
            name = text_of(node.get("source")) if isinstance(node, Mapping) else text_of(node)
            defined = service.defined(key, name or "")
            if isinstance(defined, Mapping) and (defined.get("content") is not None or defined.get("environment") is not None):
                return f"Compose copies `{name}` into the container at start, which it refuses to do into a read-only root"
    return ""
