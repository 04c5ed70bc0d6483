"""What is known about an image family, item by item, each with its evidence. Knows no way of running it and no rule.

The format of the files is read in `hardener.needs.profile_file`; what follows for a container in `hardener.needs.situation`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from hardener.errors import Unreadable
from hardener.facts.image import ImageReference, tag_version
from hardener.finding import Evidence
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from hardener.needs.conditions import Situation
    from hardener.needs.needs import Needs

#: Where the profiles of this package are; users' profiles have the same format.
BUILT_IN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "profiles")

#: Registries that hand out the official images of Docker Hub unchanged.
_MIRRORS_OF_OFFICIAL_IMAGES = ("public.ecr.aws/docker/library/", "mirror.gcr.io/library/")
#: Stands where a version is open: `16` is the newest 16.x, `latest` the newest of all.
_NEWEST = 1_000_000


class Origin(NamedTuple):
    """Where items come from: a file of a repository at a commit."""

    id: str
    #: "code" was read, "measurement" was observed; "documentation" and "issue" are words about it.
    kind: str
    repository: str
    file: str
    commit: str
    url: str


class Condition(NamedTuple):
    """What must be so: one of the kinds of `hardener.needs.profile_file.CONDITIONS`, and what it is asked about."""

    kind: str
    argument: str


class Filter(NamedTuple):
    """When an item applies: all parts must hold; of `any_of` one, of `unless` none."""

    #: Bounds of the tag's version, such as (">=", (18,)).
    versions: tuple[tuple[str, tuple[int, ...]], ...] = ()
    #: Words of the tag, all of them; `!` before one means tags without it.
    variant: str = ""
    any_of: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()

    def admits(self, version: tuple[int, ...]) -> bool:
        """Whether a version is within the bounds. A short one, as of the tag `16`, means the newest that begins so."""
        for sign, bound in self.versions:
            full = version + (_NEWEST,) * (len(bound) - len(version))
            if full < bound if sign == ">=" else full >= bound:
                return False
        return True


#: The filter of most items: they always apply.
EVERYWHERE = Filter()


class Account(NamedTuple):
    """A user of the image, with its numbers."""

    name: str
    uid: int
    gid: int


class Start(NamedTuple):
    """How the image starts: as root, which then may step down to `account`, or as `account` from the beginning."""

    filter: Filter
    root: bool
    #: Who serves in the end; None when root does.
    account: Account | None
    #: What steps down: gosu, setpriv, or the server itself. Empty when nothing does.
    how: str
    why: str
    evidence: Evidence


class Capability(NamedTuple):
    """A capability that the image needs, by its name without `CAP_`."""

    filter: Filter
    name: str
    #: "start": always as root. "foreign-data": when what is mounted may belong to another user. "low-port": to bind a port
    #: below 1024 where that is a privilege. "exec": a file capability of the program, needed whoever starts it.
    when: str
    why: str
    evidence: Evidence


class WrittenPath(NamedTuple):
    """A place that the image writes."""

    filter: Filter
    path: str
    #: "run", "scratch", "cache" and "log" may be a tmpfs; "data" and "config" never.
    kind: str
    #: Its owner where the image starts as root and it is not the account's.
    uid: int | None
    gid: int | None
    exec: bool
    #: A declared VOLUME: writable on a read-only root too.
    volume: bool
    #: Whether root itself handles it, so that another owner calls for the capabilities of "foreign-data".
    by_root: bool
    #: Who makes all that is needed in an empty folder that is root's and that everybody may write: "root", to hand it over,
    #: or "anybody"; empty where that is not known.
    fresh: str
    #: Whether who serves must own it, so that a folder that it may only write is refused.
    owned: bool
    #: The variable, or option of the command, that moves it elsewhere.
    moved_by: Condition | None
    why: str
    evidence: Evidence


class Verdict(NamedTuple):
    """Whether a restriction works."""

    filter: Filter
    works: bool
    why: str
    evidence: Evidence
    #: What may still go wrong; it holds the fix back.
    doubt: str = ""


class Amount(NamedTuple):
    """A limit that is enough: MiB of memory, cores, or threads.

    With an `option` it applies only to a command that has it, and `times` its value is added.
    """

    filter: Filter
    amount: float
    option: str
    times: float
    #: MiB for one, in a value without a unit.
    unit: float
    why: str
    evidence: Evidence


class Port(NamedTuple):
    """A port that the image listens on."""

    filter: Filter
    number: int
    protocol: str
    why: str
    evidence: Evidence


class Unprivileged(NamedTuple):
    """Whether it does its job without `privileged`, given capabilities and devices; `why` says so, or what to do instead."""

    filter: Filter
    works: bool
    capabilities: tuple[str, ...]
    devices: tuple[str, ...]
    why: str
    evidence: Evidence


class Heap(NamedTuple):
    """How the runtime inside sizes its heap."""

    filter: Filter
    #: "jvm" or "node".
    runtime: str
    #: "default": as the runtime does; "own": from the limit, by itself; "fixed": `mib`, unless the variable is set.
    sizing: str
    #: The variable that the image's start or the runtime really reads.
    variable: str
    mib: float
    #: Other variables in which people set a size.
    conflicts: tuple[str, ...]
    why: str
    evidence: Evidence


class Healthcheck(NamedTuple):
    """How the image's health can be asked: by a HEALTHCHECK of its own, or by a command that it contains."""

    filter: Filter
    own: bool
    test: str
    why: str
    evidence: Evidence


class Inherited(NamedTuple):
    """What holds for images that are built from this one."""

    filter: Filter
    #: Whether this profile holds for a child that leaves entrypoint, command and user alone.
    start: bool
    #: A user which the image has for the child's program, and does not use itself.
    account: Account | None
    why: str
    evidence: Evidence


class Profile(NamedTuple):
    """One image family. Where several items answer one question, the first that applies does."""

    file: str
    #: Familiar names, as `ImageReference.familiar` gives them.
    names: tuple[str, ...]
    #: The versions that were read.
    versions: Filter
    #: Words of tags without a version that follow the newest release, such as `latest` and `alpine`.
    rolling: frozenset[str]
    #: First words of a command under which the profile holds; `-*` and `*.conf` are patterns.
    programs: tuple[str, ...]
    origins: Mapping[str, Origin]
    starts: tuple[Start, ...]
    capabilities: tuple[Capability, ...]
    paths: tuple[WrittenPath, ...]
    read_only: tuple[Verdict, ...]
    no_new_privileges: tuple[Verdict, ...]
    memory: tuple[Amount, ...]
    cpu: tuple[Amount, ...]
    pids: tuple[Amount, ...]
    ports: tuple[Port, ...]
    #: Whether it may start as the account that it steps down to.
    user: tuple[Verdict, ...]
    #: Whether the engine's default profiles are enough.
    seccomp: tuple[Verdict, ...]
    apparmor: tuple[Verdict, ...]
    #: Whether it works without credentials for the API of what runs it; no items for an image that never asks it.
    api: tuple[Verdict, ...]
    unprivileged: tuple[Unprivileged, ...]
    heaps: tuple[Heap, ...]
    healthchecks: tuple[Healthcheck, ...]
    inherits: tuple[Inherited, ...]
    #: Why a question has no answer: memory -> "grows with the data".
    unknown: Mapping[str, str]

    def version(self, image: ImageReference) -> tuple[int, ...] | None:
        """The version that a reference stands for; None when its tag does not say, or was not read."""
        tag = image.effective_tag
        if "windowsservercore" in tag or "nanoserver" in tag:
            return None
        version = tag_version(tag)
        if version is None:
            words = {word.rstrip("0123456789.") for word in tag.split("-")}
            return (_NEWEST,) if words <= self.rolling else None
        return version if self.versions.admits(version) else None

    def evaluate(self, image: ImageReference, situation: Situation) -> Needs:
        """What the image needs in one situation: see `hardener.needs.situation.evaluate`."""
        from hardener.needs.situation import evaluate

        return evaluate(self, image, situation)


class Namesake(NamedTuple):
    """Other names of an image that has its profile under another one."""

    file: str
    names: tuple[str, ...]
    same_as: str


def find_profile(image: ImageReference, folders: tuple[str, ...] = (BUILT_IN,)) -> Profile | None:
    """The profile of an image, from the first folder that has one; None when there is none.

    Raises `Unreadable` for a profile that is not well formed.
    """
    return _find(image.familiar, folders)


@lru_cache(maxsize=1024)
def _find(name: str, folders: tuple[str, ...]) -> Profile | None:
    for mirror in _MIRRORS_OF_OFFICIAL_IMAGES:
        name = name.removeprefix(mirror)
    for folder in folders:
        profile = _load(os.path.join(folder, name.replace("/", "__") + ".toml"))
        # One file name may stand for two repositories (`a/b` and `a__b`): the profile says which it means.
        if profile is None or name not in profile.names:
            continue
        if isinstance(profile, Profile):
            return profile
        same = _load(os.path.join(folder, profile.same_as.replace("/", "__") + ".toml"))
        if isinstance(same, Profile):
            return same
        raise Unreadable(profile.file, f"same-as: there is no profile of {profile.same_as!r}", "name one that is in this folder")
    return None


def _load(path: str) -> Profile | Namesake | None:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    from hardener.needs.profile_file import read_profile

    return read_profile(os.path.basename(path), data)
