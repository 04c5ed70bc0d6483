"""A resolved Compose model made into one that touches nothing of the user's. Knows no rule, no engine, no disk.

What goes in is what `docker compose config --format json` says of the copy; what comes out is a model for the same Compose,
with the same services, and lists of what it leaves out. Whatever is not known here stays as it is, unless it names something
outside: of that, `hardener.trial.host` says what may stay.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from hardener.record import NamedTuple
from hardener.trial.building import build, image_names
from hardener.trial.host import Look, Names, StandIn, in_copy, is_harmless_device
from hardener.trial.mounts import service_mounts, top_volumes
from hardener.trial.notes import Notes

#: Whether a port (TCP and UDP) can be published at an address of this machine.
IsFree = Callable[[str, int], bool]

#: Logs that the engine gives back; a driver that is not among them sends them away.
_READABLE_LOGS = frozenset(("json-file", "local", "journald"))
#: Network modes that are words, not names of networks.
_MODES = frozenset(("host", "none", "bridge", "default"))
#: Bridges' options that name something of the machine.
_BRIDGE_OF_HOST = frozenset(
    ("com.docker.network.bridge.name", "com.docker.network.host_ipv4", "com.docker.network.bridge.host_binding_ipv4")
)


class Note(NamedTuple):
    """What a person reads about one service; an empty name: about the whole project."""

    service: str
    text: str


class Published(NamedTuple):
    """A port as it is published in the trial: `address` is the machine's, `port` 0 where the engine chooses one."""

    service: str
    target: int
    protocol: str
    address: str
    port: int


class Socket(NamedTuple):
    """A service that asks for the socket of a container engine, and where from (a path of the machine)."""

    service: str
    source: str


class Model(NamedTuple):
    """A project as it is run in a trial.

    `document` is to be written as JSON into the folder of the Compose file (relative paths and `.env` are read from there).
    """

    document: dict[str, Any]
    #: What the trial does without: what breaks only there is not seen.
    not_exercised: tuple[Note, ...]
    #: What the trial shares with the machine all the same.
    shared: tuple[Note, ...]
    published: tuple[Published, ...]
    #: Engine sockets that are asked for, given (`allow_socket`) or not.
    sockets: tuple[Socket, ...]
    #: Has to be there before the start.
    stand_ins: tuple[StandIn, ...]
    #: Image names of the services that are built.
    images: Mapping[str, str]


def trial_model(
    config: Mapping[str, Any],
    names: Names,
    look: Look,
    is_free: IsFree,
    *,
    allow_socket: bool = False,
    grace: Mapping[str, float] = {},
) -> Model:
    """The model of a trial. `grace` gives seconds that a service has for its end, where its own are not wanted.

    `config` is the parsed output of `docker compose config --format json`, run in the copy. It is not changed.
    """
    notes = Notes(names, look, allow_socket)
    document: dict[str, Any] = _each(config, lambda text: text.replace("$$", "$"), keys=True)
    services: dict[str, dict[str, Any]] = document.get("services") or {}
    document["name"] = names.project
    document.pop("models", None)
    for kind in ("networks", "volumes", "configs", "secrets"):
        document[kind] = {key: dict(item or {}) for key, item in (document.get(kind) or {}).items()}
    images, renamed = image_names(services, names)
    containers = {str(one["container_name"]): key for key, one in services.items() if one.get("container_name")}

    top_volumes(document["volumes"], notes)
    for key, network in document["networks"].items():
        _network(key, network, notes)
    for kind in ("configs", "secrets"):
        for key, item in document[kind].items():
            _file(kind, key, item, notes)
    taken: set[tuple[str, int, str]] = set()
    published: list[Published] = []
    for service in services:
        one = services[service]
        _identity(service, one, services, notes)
        _neighbours(service, one, containers, notes)
        service_mounts(service, one, renamed, containers, notes)
        build(service, one, images, renamed, notes)
        _devices(service, one, notes)
        published += _ports(service, one, taken, is_free)
        if service in grace:
            one["stop_grace_period"] = f"{grace[service]:g}s"
    if any(not one.get("network_mode") and not one.get("networks") for one in services.values()):
        document["networks"].setdefault("default", {})
    for kind in ("networks", "volumes"):
        for item in document[kind].values():
            item["labels"] = {**(item.get("labels") or {}), **names.labels}
    _labels(services, notes)
    return Model(
        _each(document, lambda text: text.replace("$", "$$")),
        tuple(dict.fromkeys(Note(*item) for item in notes.left_out)),
        tuple(dict.fromkeys(Note(*item) for item in notes.shared)),
        tuple(published),
        tuple(Socket(*item) for item in dict.fromkeys(notes.sockets)),
        tuple(sorted(set(notes.stand_ins))),
        images,
    )


def _each(value: Any, change: Callable[[str], str], *, keys: bool = False) -> Any:
    """The same with every text changed. Compose doubles each `$` of what it prints, in keys too, but reads only values so."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(key) if keys else key: _each(item, change, keys=keys) for key, item in value.items()}
    if isinstance(value, list):
        return [_each(item, change, keys=keys) for item in value]
    return value


def _network(key: str, network: dict[str, Any], notes: Notes) -> None:
    """A network of the project's own: a bridge with a subnet that the engine chooses."""
    driver = network.get("driver")
    if network.get("external"):
        notes.leave("", f"the network {network.get('name') or key} of other projects: an own one stands in")
        network.clear()
        return
    if driver not in (None, "", "default", "bridge", "none"):
        notes.leave("", f"the driver {driver} of the network {key}: a bridge stands in")
        for name in ("driver", "driver_opts"):
            network.pop(name, None)
    if (network.get("ipam") or {}).get("config") or (network.get("ipam") or {}).get("driver"):
        notes.leave("", f"the fixed addresses of the network {key}")
    if network.get("enable_ipv6") or network.get("enable_ipv4") is False:
        notes.leave("", f"IPv6 in the network {key}")
    for name in ("name", "ipam", "enable_ipv6", "enable_ipv4"):
        network.pop(name, None)
    options = {name: value for name, value in (network.get("driver_opts") or {}).items() if name not in _BRIDGE_OF_HOST}
    if "driver_opts" in network:
        network["driver_opts"] = options


def _file(kind: str, key: str, item: dict[str, Any], notes: Notes) -> None:
    """A config or secret: its file in the copy, or an empty one."""
    inside = in_copy(item["file"], notes.names) if "file" in item else None
    for name in ("name", "driver", "driver_opts", "template_driver"):
        item.pop(name, None)
    if inside is not None:
        item["file"] = inside
    elif "file" in item or not ("content" in item or "environment" in item):
        source = item.get("file")
        notes.leave("", f"the {kind[:-1]} {key} {f'from {source}' if source else 'that the engine holds'}: it is empty")
        path = os.path.join(notes.names.stand_ins, kind, re.sub(r"[^\w.-]", "_", key))
        notes.stand_ins.append(StandIn(path, True))
        item.pop("external", None)
        item["file"] = path


def _identity(service: str, one: dict[str, Any], services: Mapping[str, Any], notes: Notes) -> None:
    """One container, with a name that the engine chooses; other containers still find it by the name that it had."""
    container = one.pop("container_name", None)
    if container and not one.get("network_mode"):
        for key, network in (one.get("networks") or {"default": None}).items():
            found = dict(network or {})
            found["aliases"] = list(dict.fromkeys([*(found.get("aliases") or ()), container]))
            one["networks"] = {**(one.get("networks") or {}), key: found}
    one.pop("profiles", None)  # what is not active is not in the model, and what is has to stay so
    one.pop("env_file", None)
    deploy = one.get("deploy") or {}
    wanted = max(_number(one.get("scale")), _number(deploy.get("replicas")))
    if wanted > 1:
        notes.leave(service, f"{wanted} containers: one is run")
        if "scale" in one:
            one["scale"] = 1
        if "replicas" in deploy:
            deploy["replicas"] = 1
    # Compose lists what may be missing even where it is, and refuses to read that again (2.40.3).
    if isinstance(one.get("depends_on"), dict):
        one["depends_on"] = {key: how for key, how in one["depends_on"].items() if key in services}
    logging = one.get("logging") or {}
    if logging.get("driver") and logging["driver"] not in _READABLE_LOGS:
        notes.leave(service, f"its log driver {logging['driver']}: logs stay on this machine")
        one["logging"] = {"driver": "json-file"}
    # Compose prints these names in upper case, and refuses to read that again (2.40.3).
    for devices in (one.get("blkio_config") or {}).values():
        if isinstance(devices, list):
            devices[:] = [{key.lower(): value for key, value in item.items()} for item in devices]
    if one.get("provider"):
        notes.share(service, f"what the provider {one['provider'].get('type', '')} makes")


def _neighbours(service: str, one: dict[str, Any], containers: Mapping[str, str], notes: Notes) -> None:
    """Networks and namespaces: those of containers of this project stay, those of others do not."""
    mode = str(one.get("network_mode") or "")
    kind, _, name = mode.partition(":")
    if mode == "host":
        notes.share(service, "the machine's network, with all its ports")
        notes.leave(service, "its ports beside those of another one: it has the machine's network")
    elif kind == "container" and name in containers:
        one["network_mode"] = f"service:{containers[name]}"
    elif mode and mode not in _MODES and kind != "service":
        notes.leave(service, f"its network mode {mode}: the project's own network stands in")
        del one["network_mode"]
    for namespace in ("pid", "ipc", "uts", "cgroup"):
        value = str(one.get(namespace) or "")
        kind, _, name = value.partition(":")
        if value == "host":
            notes.share(service, f"the machine's {namespace} namespace")
        elif kind == "container" and name in containers:
            one[namespace] = f"service:{containers[name]}"
        elif kind == "container":
            notes.leave(service, f"the {namespace} namespace of the container {name}")
            del one[namespace]
    for link in one.pop("external_links", None) or ():
        name, _, alias = str(link).partition(":")
        if name in containers:
            one.setdefault("links", []).append(f"{containers[name]}:{alias or name}")
        else:
            notes.leave(service, f"the link to the container {name}")
    if one.pop("mac_address", None):
        notes.leave(service, "its fixed MAC address")
    for key, network in (one.get("networks") or {}).items():
        fixed = [name for name in ("ipv4_address", "ipv6_address", "mac_address", "link_local_ips") if (network or {}).get(name)]
        if fixed:
            notes.leave(service, f"its fixed address in the network {key}: {', '.join(str(network[name]) for name in fixed)}")
            one["networks"][key] = {name: value for name, value in network.items() if name not in fixed}


def _devices(service: str, one: dict[str, Any], notes: Notes) -> None:
    """Devices that nothing is left behind in stay; so do GPUs. A privileged service has them all."""
    if one.get("privileged") in (True, "true"):
        notes.share(service, "all devices of the machine: it is privileged")
    if one.get("gpus") or (((one.get("deploy") or {}).get("resources") or {}).get("reservations") or {}).get("devices"):
        notes.share(service, "the machine's GPUs")
    kept = []
    for device in one.get("devices") or ():
        source = device["source"] if isinstance(device, dict) else str(device).partition(":")[0]
        # A device that is named by a vendor (CDI) has no path.
        if is_harmless_device(source) or not source.startswith("/"):
            notes.share(service, f"the device {source}")
            kept.append(device)
        else:
            notes.leave(service, f"the device {source}: what the trial does with it could stay there")
    if "devices" in one:
        one["devices"] = kept
    if one.pop("models", None):
        notes.leave(service, "its language models")


def _ports(service: str, one: dict[str, Any], taken: set[tuple[str, int, str]], is_free: IsFree) -> list[Published]:
    """Publish at the loopback address only, and at the same port while that is free."""
    found = []
    for port in one.get("ports") or ():
        address = "::1" if ":" in str(port.get("host_ip") or "") else "127.0.0.1"
        protocol = str(port.get("protocol") or "tcp")
        # One text for a port and for a range, of which any port will do.
        first, _, last = str(port.pop("published", None) or "0").partition("-")
        wanted = range(max(_number(first), 1), _number(last or first) + 1)
        free = (number for number in wanted if (address, number, protocol) not in taken and is_free(address, number))
        chosen = next(free, 0)
        port["host_ip"] = address
        if chosen:
            port["published"] = str(chosen)
            taken.add((address, chosen, protocol))
        found.append(Published(service, _number(port["target"]), protocol, address, chosen))
    # The engine publishes nothing of a service that has the machine's network.
    return [] if one.get("network_mode") == "host" else found


def _labels(services: Mapping[str, dict[str, Any]], notes: Notes) -> None:
    """Our labels on all, the service's own only where a socket is given: other programs on the engine act on labels."""
    keep = notes.allow_socket and notes.sockets
    for service, one in services.items():
        own = one.get("labels") or {}
        if own and keep:
            notes.share(service, "its labels, which other programs on this engine can act on")
        elif own:
            notes.leave(service, "its labels: other programs on this engine could act on them")
        one["labels"] = {**(own if keep else {}), **notes.names.labels}


def _number(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        return 0
