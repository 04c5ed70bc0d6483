"""What an engine tells of a container (`docker inspect`) in the vocabulary of containers, and its answers. Asks no engine.

Everything in it is pure: what an engine told goes in as it came. Names and labels are whatever somebody gave the container.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hardener.audit.answers import Replies, Reply, of_container
from hardener.facts.container import Amount, Container, Device, Item, Mount, PublishedPort, Restart, Setting, Tmpfs
from hardener.facts.image import parse_image
from hardener.facts.platform import DOCKER
from hardener.facts.tree import Tree
from hardener.finding import Place
from hardener.needs.needs import Needs
from hardener.posture import Answer
from hardener.record import NamedTuple

_BILLION = 1_000_000_000
#: Docker, in the words of its command line.
_PLATFORM = DOCKER._replace(publish="publish {ports} with --publish")
#: The period of the kernel's CPU quota in microseconds, where none is said (linux, Documentation/scheduler/sched-bwc.rst).
_PERIOD = 100_000


class EngineState(NamedTuple):
    """What an engine says of itself (`docker info`), as far as it decides what its containers may do."""

    version: str
    rootless: bool = False
    remaps_users: bool = False
    #: The number that root of a container has on the host, where users are remapped and the engine tells; else 0.
    first_uid: int = 0
    #: The profile that containers get that ask for none: "default", "builtin", a path; empty where there is no filter.
    seccomp: str = ""
    #: The security modules that confine containers: "apparmor", "selinux".
    modules: tuple[str, ...] = ()
    #: Whether all containers are started with no-new-privileges.
    no_new_privileges: bool = False
    cgroup: str = ""


def engine_state(info: Mapping[str, Any], version: str = "") -> EngineState:
    """The state, by the answer of `/info`."""
    options = [dict(_pair(part) for part in line.split(",")) for line in info.get("SecurityOptions") or ()]
    named = {option.get("name", ""): option for option in options}
    folder = str(info.get("DockerRootDir") or "").rstrip("/").rpartition("/")[2]
    uid = folder.partition(".")[0]
    return EngineState(
        version=version or str(info.get("ServerVersion") or ""),
        rootless="rootless" in named,
        remaps_users="userns" in named,
        first_uid=int(uid) if "userns" in named and uid.isdecimal() else 0,
        seccomp=named["seccomp"].get("profile", "default") if "seccomp" in named else "",
        modules=tuple(name for name in ("apparmor", "selinux") if name in named),
        no_new_privileges="no-new-privileges" in named,
        cgroup=str(info.get("CgroupVersion") or "1"),
    )


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name, value


class Running(NamedTuple):
    """A process of a container, as the engine shows it; the first of a container's has its `parent` elsewhere."""

    pid: int
    parent: int
    uid: int
    name: str


def container_of(told: Mapping[str, Any], image: Mapping[str, Any], engine: EngineState) -> Container:
    """A container by what its engine tells, in the words that rules and needs understand. `image` is its image's inspection.

    What it has from its image counts as not said, as in a file. Nothing of it can be written.
    """
    config, host = told.get("Config") or {}, told.get("HostConfig") or {}
    own = image.get("Config") or {}
    options = [str(option) for option in host.get("SecurityOpt") or ()]
    place = Place(name_of(told), 1, 1)

    def setting(value: Any, wording: str = "") -> Setting[Any]:
        return Setting(value, written=bool(value), place=place, wording=wording)

    def items(key: str) -> Setting[tuple[Item, ...]]:
        return setting(tuple(Item(str(name).upper().removeprefix("CAP_")) for name in host.get(key) or ()))

    def shares(key: str, option: str) -> Setting[bool]:
        return setting(host.get(key) == "host", f"--{option} host")

    container = Container()
    container.key = str(told.get("Id") or "")
    container.subject = place.path
    container.place, container.platform, container.folder = place, _PLATFORM, ""
    container.image_text = str(config.get("Image") or "")
    container.image = None if container.image_text.startswith("sha256:") else parse_image(container.image_text)
    container.image_variables, container.image_given = (), lambda name, value: None
    container.build = None
    container.init = setting(bool(host.get("Init")))
    container.user = setting(str(config.get("User") or ""), "--user")
    container.refuses_root = container.volume_group = None
    container.entrypoint = _differs(config, own, "Entrypoint")
    container.command = _differs(config, own, "Cmd")
    container.workdir = "" if config.get("WorkingDir") == own.get("WorkingDir") else str(config.get("WorkingDir") or "")
    given = set(config.get("Env") or ()) - set(own.get("Env") or ())
    container.environment = dict(_pair(str(line)) for line in sorted(given))
    container.variables, container.missing_env_files, container.offered_variables = (), (), frozenset()
    container.variable = lambda _: setting(None)
    container.mounts = tuple(_mount(mount, place) for mount in told.get("Mounts") or ())
    container.volumes_from, container.said_elsewhere, container.watched = False, "", False
    container.published_ports = tuple(_ports(host.get("PortBindings") or {}, place))
    container.served_ports = tuple(int(port.container) for port in container.published_ports)
    container.host_network = shares("NetworkMode", "network")
    container.first_free_port = setting(1024 if container.host_network.effective else 0)
    container.reserved_memory = container.reserved_cpus = 0.0
    policy = host.get("RestartPolicy") or {}
    container.restart = setting(Restart(str(policy.get("Name") or "no"), policy.get("MaximumRetryCount") or None))
    container.hooks = ()
    container.healthcheck = setting(_differs(config.get("Healthcheck") or {}, own.get("Healthcheck") or {}, "Test") or ())
    container.host_pid, container.host_ipc = shares("PidMode", "pid"), shares("IpcMode", "ipc")
    container.host_uts, container.host_user_namespace = shares("UTSMode", "uts"), shares("UsernsMode", "userns")
    container.privileged = setting(bool(host.get("Privileged")), "--privileged")
    container.devices = setting(tuple(_devices(host.get("Devices") or (), place)))
    container.cap_drop, container.cap_add = items("CapDrop"), items("CapAdd")
    container.no_new_privileges = setting(_no_new_privileges(options, engine))
    container.seccomp_unconfined = setting(_option(options, "seccomp") == "unconfined")
    container.apparmor_unconfined = setting(_option(options, "apparmor") == "unconfined")
    container.unmasked_proc = setting(host.get("MaskedPaths") == [] and not host.get("Privileged"))
    container.unsafe_sysctls, container.api_token = setting(()), setting(False)
    container.read_only_root = setting(bool(host.get("ReadonlyRootfs")))
    tmpfs = host.get("Tmpfs") or {}
    container.tmpfs = setting(tuple(Tmpfs(str(path), str(how)) for path, how in tmpfs.items()))
    container.memory = setting(_amount(host.get("Memory")))
    container.cpus = setting(_amount(_cpus(host)))
    container.pids = setting(_amount(host.get("PidsLimit")))
    return container


def name_of(told: Mapping[str, Any]) -> str:
    """What people call a container."""
    return str(told.get("Name") or "").removeprefix("/") or str(told.get("Id") or "")[:12]


def answers(
    told: Mapping[str, Any], container: Container, needs: Needs, engine: EngineState, processes: Iterable[Running] = ()
) -> Replies:
    """What a container of an engine answers. `processes` are its own while it runs, by which it is known who runs in it."""
    first = int((told.get("State") or {}).get("Pid") or 0)
    seen = [_inside(process, told, engine) for process in processes]
    user = _user(container.user.effective, first, seen) if any(one.pid == first for one in seen) else _said(container)
    if user.answer is Answer.BAD and not root_is_hosts(told, engine):
        user = user._replace(why=f"{user.why}, but root in it is not root on the host")
    replies = of_container(container, needs, Tree(()), user)
    socket = replies["socket"]
    if socket.answer is Answer.BAD and engine.rootless:
        why = socket.why.replace(", which is root on the host", ", of a rootless engine: it may do what the engine's user may")
        return {**replies, "socket": socket._replace(why=why)}
    return replies


def root_is_hosts(told: Mapping[str, Any], engine: EngineState) -> bool:
    """Whether root in this container is root on the host: not where the engine maps it to somebody else."""
    own_choice = (told.get("HostConfig") or {}).get("UsernsMode") == "host"
    return not engine.rootless and (not engine.remaps_users or own_choice)


def _inside(process: Running, told: Mapping[str, Any], engine: EngineState) -> Running:
    """A process with its number inside of the container: where users are remapped, the engine shows the host's."""
    remapped = not engine.rootless and engine.remaps_users and not root_is_hosts(told, engine)
    return process._replace(uid=process.uid - engine.first_uid) if remapped and engine.first_uid else process


def _said(container: Container) -> Reply:
    """Who runs in it by what it is told, which is all there is to see of one that does not run."""
    user = container.user.effective
    if user.partition(":")[0] in ("", "0", "root"):
        return Reply(Answer.BAD, "starts as root; whom it steps down to shows only while it runs")
    return Reply(Answer.GOOD, f"is started as {user}")


def _user(said: str, first: int, seen: Sequence[Running]) -> Reply:
    """Who runs in it, by its first process and those that come from it."""
    family = _family(first, seen)
    head = next(process for process in family if process.pid == first)
    others = [process for process in family if process.pid != first]
    root = next((process for process in others if process.uid == 0), None)
    if head.uid == 0:
        if others and root is None:
            uids = ", ".join(str(uid) for uid in sorted({process.uid for process in others}))
            return Reply(Answer.JUSTIFIED, f"has a first process that is root, and hands its work to number {uids}")
        return Reply(Answer.BAD, "runs as root")
    if root is not None:
        return Reply(Answer.BAD, f"runs {root.name} as root")
    if said.partition(":")[0] in ("", "0", "root"):
        return Reply(Answer.JUSTIFIED, f"was started as root, and stepped down to number {head.uid}")
    return Reply(Answer.GOOD, f"runs as number {head.uid}")


def _family(first: int, seen: Sequence[Running]) -> list[Running]:
    """The first process and all that come from it: health checks and what is run in it from outside come and go."""
    members, more = {first}, True
    while more:
        found = {process.pid for process in seen if process.parent in members} - members
        members, more = members | found, bool(found)
    return [process for process in seen if process.pid in members]


def _differs(config: Mapping[str, Any], own: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    """Words of the container's own; None where they are its image's."""
    said, usual = config.get(key) or (), own.get(key) or ()
    return None if said == usual or list(said) == list(usual) else tuple(str(word) for word in said)


def _mount(mount: Mapping[str, Any], place: Place) -> Mount:
    # A volume that is there has a life of its own: whose its files are is not known.
    kind = {"volume": "external"}.get(str(mount.get("Type")), str(mount.get("Type")))
    source = str(mount.get("Source") or "")
    return Mount(kind, source, str(mount.get("Destination") or ""), not mount.get("RW", True), place)


def _ports(bindings: Mapping[str, Any], place: Place) -> Iterable[PublishedPort]:
    for port, hosts in bindings.items():
        number, _, protocol = str(port).partition("/")
        for host in hosts or ():
            if number.isdecimal():
                address = str(host.get("HostIp") or "")
                yield PublishedPort(address, str(host.get("HostPort") or ""), number, protocol or "tcp", place)


def _devices(devices: Iterable[Mapping[str, Any]], place: Place) -> Iterable[Device]:
    for device in devices:
        source, target = str(device.get("PathOnHost") or ""), str(device.get("PathInContainer") or "")
        yield Device(source, target, str(device.get("CgroupPermissions") or "rwm"), place)


def _option(options: Sequence[str], name: str) -> str:
    """The value of a security option; the last of several, with either sign."""
    values = [option[len(name) + 1 :] for option in options if option.startswith((f"{name}=", f"{name}:"))]
    return values[-1] if values else ""


def _no_new_privileges(options: Sequence[str], engine: EngineState) -> bool:
    said = [option.replace("=", ":") for option in options if option.startswith("no-new-privileges")]
    return said[-1] in ("no-new-privileges", "no-new-privileges:true") if said else engine.no_new_privileges


def _amount(number: Any) -> Amount | None:
    """A limit; 0, -1 and nothing mean that there is none."""
    return Amount(float(number), f"{number:g}") if number and number > 0 else None


def _cpus(host: Mapping[str, Any]) -> float:
    if host.get("NanoCpus"):
        return float(host["NanoCpus"]) / _BILLION
    quota = host.get("CpuQuota") or 0
    return float(quota) / float(host.get("CpuPeriod") or _PERIOD) if quota > 0 else 0.0


def confinement(told: Mapping[str, Any], engine: EngineState) -> tuple[str, ...]:
    """What the profiles that hold it are, in words: those that it asked for, or else the engine's."""
    host = told.get("HostConfig") or {}
    options = [str(option) for option in host.get("SecurityOpt") or ()]
    if host.get("Privileged"):
        return ("seccomp: none, it is privileged", *(f"{name}: none, it is privileged" for name in engine.modules))
    own = _option(options, "seccomp")
    if "unconfined" in (own, own or engine.seccomp) or not engine.seccomp:
        found = ["seccomp: none"]
    else:
        found = ["seccomp: its own" if own else f"seccomp: the engine's ({engine.seccomp})"]
    if "apparmor" in engine.modules:
        # What is really in force stands there since it was started.
        found.append(f"apparmor: {told.get('AppArmorProfile') or _option(options, 'apparmor') or 'docker-default'}")
    if "selinux" in engine.modules:
        found.append(f"selinux: {'none' if _option(options, 'label') == 'disable' else 'on'}")
    return tuple(found)
