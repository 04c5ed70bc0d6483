"""What a container needs to keep working, as the rules read it. Knows neither where it comes from nor any rule."""

from __future__ import annotations

from collections.abc import Mapping

from hardener.finding import Evidence
from hardener.needs.profile import Account, Healthcheck, Heap, Port, Start, Unprivileged, Verdict
from hardener.record import NamedTuple


class NeededCapability(NamedTuple):
    """A capability to keep when all others are dropped."""

    name: str
    why: str
    evidence: Evidence


class Tmpfs(NamedTuple):
    """A tmpfs that a read-only root needs beside it."""

    path: str
    uid: int
    gid: int
    exec: bool
    why: str
    evidence: Evidence


class Limit(NamedTuple):
    """A limit that is enough: MiB of memory, cores, or threads."""

    amount: float
    why: str
    evidence: Evidence


class Decided(NamedTuple):
    """What people decided for the container: see `hardener.policy`. It says nothing of what the container takes."""

    memory: Limit | None = None
    cpu: Limit | None = None
    pids: Limit | None = None
    #: Whether its user is written by the name that the image has for it, where a name serves.
    named_users: bool = False
    #: The image that is put between the engine's socket and what asks it; empty for the usual one.
    socket_proxy: str = ""


class WorkedAs(NamedTuple):
    """The numbers of an account that it was started as in a run, in which it worked."""

    uid: int
    gid: int
    evidence: Evidence


class Written(NamedTuple):
    """A place that it writes; "data" and "config" must outlive it, the other kinds need not. An empty path is not known."""

    path: str
    kind: str
    exec: bool
    why: str
    evidence: Evidence


class Needs(NamedTuple):
    """What a container needs, in the situation that it is in. None means: not known."""

    #: Whether something is known for this situation; if not, `why_not`, and the rest is only what is usual.
    holds: bool
    why_not: str = ""
    #: Whether the first process is root.
    root: bool | None = None
    #: Who serves in the end; None with `root` when root does.
    account: Account | None = None
    #: How it starts, and how that is known, where that is an image's own way.
    start: Start | None = None
    #: How it is known who runs it.
    runs_as: Evidence | None = None
    capabilities: tuple[NeededCapability, ...] | None = None
    #: What says that no others are needed.
    no_more_capabilities: Evidence | None = None
    tmpfs: tuple[Tmpfs, ...] = ()
    #: All that it writes, those of `tmpfs` among them.
    writes: tuple[Written, ...] = ()
    read_only: Verdict | None = None
    no_new_privileges: Verdict | None = None
    memory: Limit | None = None
    cpu: Limit | None = None
    pids: Limit | None = None
    ports: tuple[Port, ...] = ()
    #: Whether it may be started as `account`.
    user: Verdict | None = None
    #: Whether the engine's default profiles are enough.
    seccomp: Verdict | None = None
    apparmor: Verdict | None = None
    #: Whether it works without credentials for the API of what runs it.
    api: Verdict | None = None
    unprivileged: Unprivileged | None = None
    heap: Heap | None = None
    healthcheck: Healthcheck | None = None
    #: Other programs that it runs, by name, and how that is known.
    runs: tuple[tuple[str, Evidence], ...] = ()
    #: What was read of its program; the claim is a noun, and ends those of what was not found in it.
    read: Evidence | None = None
    #: Whom else than root it may be started as, because it was.
    worked_as: WorkedAs | None = None
    #: Rules whose fixes it did not work with in a run, and what was seen then.
    failed: Mapping[str, str] = {}
    #: Why a question has no answer, or only a usual one: "memory" -> "it grows with its data".
    unknown: Mapping[str, str] = {}
    decided: Decided = Decided()

    @property
    def data(self) -> tuple[str, ...]:
        """Where it writes what must not be lost."""
        return tuple(dict.fromkeys(written.path for written in self.writes if written.kind == "data"))

    def missing(self, question: str) -> str:
        """What is not known about a question, which holds a fix back that rests on its answer; empty when nothing is."""
        return self.why_not or self.unknown.get(question, "")

    def limit(self, question: str) -> tuple[Limit | None, str]:
        """The limit for "memory", "cpu" or "pids", and what is not known about it: nothing where people decided it."""
        decided: Limit | None = getattr(self.decided, question)
        known: Limit | None = getattr(self, question)
        return (decided, "") if decided is not None else (known, self.missing(question))
