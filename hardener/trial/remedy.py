"""The words of the search: what is wrong with a service in a trial, and what may mend it. Knows no engine and no search."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from hardener.record import NamedTuple


class Kind(StrEnum):
    """What a complaint rests on."""

    #: A line in its log that the original's does not have.
    LOG = "log"
    #: It ended, or is started again and again.
    EXIT = "exit"
    #: The kernel killed it at its memory limit.
    MEMORY = "memory"
    #: It cannot be created or started at all: the engine's own words.
    START = "start"
    #: Processes that were unprivileged in the original are root's.
    STAYS_ROOT = "stays-root"
    #: It is killed at the end of its grace period, which the original is not.
    STOP = "stop"
    #: Its health check fails.
    HEALTH = "health"
    #: A port, an answer or a file that the original has is not there.
    MISSING = "missing"
    #: A probe failed; the service is empty where it asks the whole stack.
    PROBE = "probe"


class Complaint(NamedTuple):
    """What is wrong with a service, in the words of who said it: one line of text."""

    service: str
    kind: Kind
    text: str


class Standing(NamedTuple):
    """How a service stands in a trial: what was hardened there, and what was seen of its original."""

    #: The ids of the rules whose fixes were made for it (for a service that is built, those of its Dockerfile too).
    fixes: frozenset[str] = frozenset()
    #: Whom it is started as, `uid:gid` in numbers; empty for root.
    user: str = ""
    #: What it keeps beside a dropped ALL; None where ALL is not dropped.
    capabilities: frozenset[str] | None = None
    read_only: bool = False
    #: Paths that are a tmpfs, with their owner as in `Proven.tmpfs`.
    tmpfs: Mapping[str, str] = {}
    #: Where volumes and files are mounted.
    mounts: frozenset[str] = frozenset()
    #: What the original wrote outside of mounts: folders by path, each with its owner `uid:gid`.
    written: Mapping[str, str] = {}
    #: MiB; None for no limit.
    memory: int | None = None


class Remedy(NamedTuple):
    """One step back from the strictest set, for one service.

    `kind` and `value`: "capability" (names with blanks between), "tmpfs" (a path), "exec" (a tmpfs that programs are started
    from), "memory" (a factor), "without" (the id of a rule whose fixes are taken back).
    """

    service: str
    kind: str
    value: str
    #: What was seen, as a person reads it beside the setting; at most 60 characters.
    why: str
