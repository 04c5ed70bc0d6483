"""The vocabulary of containers: what is asked for, in whichever format it is written. Knows no format and no rule."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hardener.errors import CannotWrite
from hardener.finding import Change, Place
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from hardener.facts.image import ImageReference
    from hardener.facts.platform import Platform

T = TypeVar("T")

#: What Docker grants when nothing is written (moby, oci/caps/defaults.go; fixed since 2013).
DEFAULT_CAPABILITIES = frozenset(
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW "
    "SETFCAP SETGID SETPCAP SETUID SYS_CHROOT".split()
)
ALL = "ALL"


class Item(NamedTuple):
    """An item of a list, with the reason that is written beside it; an empty reason writes none."""

    text: str
    why: str = ""


Items = tuple[Item, ...]


class Amount(NamedTuple):
    """A limit: the number (bytes, CPUs or processes), how a person writes it, and the reason that is written beside it."""

    number: float
    text: str
    why: str = ""


class Mount(NamedTuple):
    """Something mounted into the container.

    `kind`: "bind", "volume" (of this project, named or anonymous), "external" (a volume with a life of its own), "config",
    "secret", "tmpfs", or another of the format's.
    """

    kind: str
    source: str
    target: str
    read_only: bool
    place: Place
    #: Where the source of a bind lies in the project; empty when it is elsewhere, or no path.
    location: str = ""
    #: Whether mounts made later show on the other side: "rshared", "shared", "rslave"; empty for not.
    propagation: str = ""
    #: The files in it, by their paths below `target` ("" where it is a file itself), where they stand in the project's own
    #: objects and not at a `location`; None where that is not so, or not known.
    files: tuple[tuple[str, str], ...] | None = None
    #: Whether everybody may read what is in it, whoever that belongs to.
    open_to_all: bool = False


class PublishedPort(NamedTuple):
    """A port of the container that the host opens, each part as text; an empty `address` means every interface."""

    address: str
    host: str
    container: str
    protocol: str
    place: Place


class Device(NamedTuple):
    """A device of the host that the container is given; `rights` are some of `rwm`."""

    source: str
    target: str
    rights: str
    place: Place


class Variable(NamedTuple):
    """A variable of the environment with the value that a file of the project gives it, as it is written there."""

    name: str
    text: str
    place: Place


class Restart(NamedTuple):
    """What happens when it stops: "no", "always", "unless-stopped" or "on-failure", and how often; None for without end."""

    policy: str = "no"
    attempts: int | None = None


class Tmpfs(NamedTuple):
    """A temporary file system; uid, gid and exec are what is written, None where nothing is."""

    path: str
    options: str = ""
    why: str = ""


class Setting(Generic[T]):
    """One setting of one container.

    `effective` is its value after merges, inheritance and platform defaults; `written` says whether somebody wrote it;
    `place` is where it stands, or where the container does. `wording` is how a person writes it, such as `pid: host`; `whose`
    the subject and key of what it belongs to, where that is more than the container: all containers of a pod have one network.
    """

    __slots__ = ("effective", "place", "whose", "wording", "written")

    def __init__(
        self, effective: T, *, written: bool, place: Place, wording: str = "", whose: tuple[str, str] | None = None
    ) -> None:
        self.effective = effective
        self.written = written
        self.place = place
        self.wording = wording
        self.whose = whose

    def to(self, new: T) -> tuple[Change, ...]:
        """The changes after which `effective` is `new`. Raises `CannotWrite` where that cannot be done safely, as here."""
        raise CannotWrite(f"there is no way to write {f'`{self.wording}`' if self.wording else 'it'} here")

    def alone(self, new: T) -> tuple[Change, ...] | None:
        """Like `to`, but in text that serves this container only; None where `to` already does that, or nothing else can."""
        return None


class Build(NamedTuple):
    """The Dockerfile that a container's image is built from: where it lies, and the stage asked for ("" is the last)."""

    dockerfile: str
    target: str
    arguments: tuple[tuple[str, str | None], ...] = ()
    #: The folder that COPY takes files from; empty where it is not in the project.
    context: str = ""
    #: The text of a Dockerfile that stands in the project's file itself.
    inline: str = ""
    #: The place that says that this makes the image, where the container itself only names the image.
    said_at: str = ""

    @property
    def name(self) -> str:
        """The Dockerfile as people write it."""
        name = f"built from {os.path.relpath(self.dockerfile)}" if self.dockerfile else "built from a Dockerfile"
        return f"{name}, says {self.said_at}" if self.said_at else name


class Container:
    """What is asked for: a Compose service, a container of a pod, later a call that starts one.

    `key` is unique within a run, `subject` is what people call it. A setting enters here with the first rule that reads it.
    """

    __slots__ = (
        "api_token",
        "apparmor_unconfined",
        "build",
        "cap_add",
        "cap_drop",
        "command",
        "cpus",
        "devices",
        "entrypoint",
        "environment",
        "first_free_port",
        "folder",
        "healthcheck",
        "homes",
        "hooks",
        "host_ipc",
        "host_network",
        "host_pid",
        "host_user_namespace",
        "host_uts",
        "image",
        "image_given",
        "image_text",
        "image_variables",
        "init",
        "key",
        "memory",
        "missing_env_files",
        "mounts",
        "no_new_privileges",
        "offered_variables",
        "pids",
        "place",
        "platform",
        "privileged",
        "published_ports",
        "read_only_root",
        "refuses_root",
        "reserved_cpus",
        "reserved_memory",
        "restart",
        "said_elsewhere",
        "seccomp_unconfined",
        "served_ports",
        "subject",
        "tmpfs",
        "unmasked_proc",
        "unsafe_sysctls",
        "user",
        "variable",
        "variables",
        "volume_group",
        "volumes_from",
        "watched",
        "workdir",
    )

    key: str
    subject: str
    place: Place
    #: Where it is defined: each of its own definitions, in files that are laid over each other, but not what it inherits.
    homes: tuple[Place, ...]
    platform: Platform
    #: The folder that its relative paths start from.
    folder: str
    image: ImageReference | None
    image_text: str
    #: The variables that name it, or a part of it, for which whoever runs it may give other values.
    image_variables: tuple[str, ...]
    #: What its image is called where one of them has a value, as that is written; None where that is not known.
    image_given: Callable[[str, str], str | None]
    build: Build | None
    #: Whether the engine puts an init of its own before the program.
    init: Setting[bool]
    #: Empty: the image's own.
    user: Setting[str]
    #: Whether it is not started where its image would make it root; None where nothing of the kind can be asked for.
    refuses_root: Setting[bool] | None
    #: The group that the platform gives what is kept on volumes to, as a number; empty for none. None where it gives to none.
    volume_group: Setting[str] | None
    #: None: the image's own. An empty tuple: explicitly none.
    entrypoint: tuple[str, ...] | None
    command: tuple[str, ...] | None
    #: Empty: the image's own.
    workdir: str
    #: What the program gets, None for a value that is not known; what the project's files write; and a way to set one.
    environment: dict[str, str | None]
    variables: tuple[Variable, ...]
    #: Files with more variables that are not here.
    missing_env_files: tuple[str, ...]
    #: Variables that files name in a comment, for whoever runs it to set.
    offered_variables: frozenset[str]
    variable: Callable[[str], Setting[str | None]]
    mounts: tuple[Mount, ...]
    #: Whether it mounts what other containers mount, too.
    volumes_from: bool
    #: Why its files do not say all of it, in words that go on after "not known:"; empty where they do.
    said_elsewhere: str
    #: Whether files are copied into it while it runs (`docker compose watch`).
    watched: bool
    served_ports: tuple[int, ...]
    #: Binding a port below this one is a privilege: 0 where none is, 1024 on the host's network.
    first_free_port: Setting[int]
    published_ports: tuple[PublishedPort, ...]
    #: Bytes and CPUs that are kept for it; 0 for none.
    reserved_memory: float
    reserved_cpus: float
    restart: Setting[Restart]
    #: The names of what else is run in it, at its start and end.
    hooks: tuple[str, ...]
    #: The command that asks for its health, behind "CMD" or "CMD-SHELL"; "NONE" switches the image's own off.
    healthcheck: Setting[tuple[str, ...]]
    host_network: Setting[bool]
    host_pid: Setting[bool]
    host_ipc: Setting[bool]
    host_uts: Setting[bool]
    host_user_namespace: Setting[bool]
    privileged: Setting[bool]
    devices: Setting[tuple[Device, ...]]
    cap_drop: Setting[Items]
    cap_add: Setting[Items]
    no_new_privileges: Setting[bool]
    seccomp_unconfined: Setting[bool]
    #: Whether it sees all of /proc, and may write there what the engine otherwise masks.
    unmasked_proc: Setting[bool]
    #: Kernel parameters that it sets and that are not its own alone.
    unsafe_sysctls: Setting[tuple[str, ...]]
    #: Whether it is given credentials for the API of what runs it.
    api_token: Setting[bool]
    apparmor_unconfined: Setting[bool]
    read_only_root: Setting[bool]
    tmpfs: Setting[tuple[Tmpfs, ...]]
    memory: Setting[Amount | None]
    cpus: Setting[Amount | None]
    pids: Setting[Amount | None]

    @property
    def name(self) -> str:
        """The image as people write it, or the Dockerfile that makes it."""
        known = [text for text in (self.image_text, self.build.name if self.build else "") if text]
        return ", ".join(known) or "unknown image"

    def whose(self, setting: Setting[Any]) -> tuple[str, str]:
        """The subject and key of what a setting belongs to: this container, or more than it."""
        return setting.whose or (self.subject, self.key)


class Privilege(NamedTuple):
    """What a container could do at most, whoever runs in it: the bounding set and the ways to gain more.

    Measured: a dropped and added capability stays on, `privileged` overrides drops, and dropping ALL beside adding ALL
    drops nothing (Engine 20.10.24). `<=` holds when nothing was gained.
    """

    capabilities: frozenset[str]
    may_escalate: bool
    writable_root: bool
    privileged: bool

    def exceeds(self, other: Privilege) -> str:
        """What this one may do and `other` may not, as words; empty when it is nothing."""
        if self.privileged and not other.privileged:
            return "is privileged"
        if other.privileged:
            return ""  # nothing can be more
        gained = sorted(self.capabilities - other.capabilities)
        if ALL in other.capabilities:  # it has each but those of the default that were dropped by name
            gained = [name for name in gained if name in DEFAULT_CAPABILITIES]
        if gained:
            return "gains " + ", ".join(gained)
        if self.may_escalate and not other.may_escalate:
            return "loses no-new-privileges"
        if self.writable_root and not other.writable_root:
            return "has a writable root file system again"
        return ""


def privilege(container: Container) -> Privilege:
    """The effective privilege of a container."""
    return Privilege(
        bounding_set(names(container.cap_drop.effective), names(container.cap_add.effective)),
        not container.no_new_privileges.effective,
        not container.read_only_root.effective,
        container.privileged.effective,
    )


def gained(before: Iterable[Container], after: Iterable[Container]) -> str:
    """What a container may do after a change that it may not before, or that it is gone; empty when neither."""
    now = {container.key: container for container in after}
    for container in before:
        if container.key not in now:
            return f"{container.subject} is gone"
        more = privilege(now[container.key]).exceeds(privilege(container))
        if more:
            return f"{container.subject} {more}"
    return ""


def bounding_set(dropped: frozenset[str], added: frozenset[str]) -> frozenset[str]:
    """The capabilities that are left; ALL stands for itself beside the default set when everything was added."""
    if ALL in added:  # wins over a dropped ALL, but not over one dropped by name
        return (DEFAULT_CAPABILITIES | {ALL}) - (dropped - {ALL})
    return (frozenset() if ALL in dropped else DEFAULT_CAPABILITIES - dropped) | added


def names(items: Items) -> frozenset[str]:
    """The capabilities in a list, as the engine reads them: case and the CAP_ prefix do not matter."""
    return frozenset(capability(item.text) for item in items)


def capability(text: str) -> str:
    """A capability's name as the engine reads it."""
    return text.upper().removeprefix("CAP_")
