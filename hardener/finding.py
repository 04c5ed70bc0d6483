"""The words of the house: rule, finding, evidence, fix, change. Knows no format and no rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Any, Protocol

from hardener.record import NamedTuple


class Severity(IntEnum):
    """How bad a hazard is when it is exploited."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


class Applicability(IntEnum):
    """How far a fix may be trusted; the lowest is the default, so that forgetting to choose writes nothing."""

    DISPLAY = 0
    UNSAFE = 1
    SAFE = 2


class Strength(IntEnum):
    """How strong a piece of evidence is. Only what was read or seen about this workload makes a fix SAFE."""

    ASSUMED = 0
    DOCUMENTED = 1
    READ = 2
    OBSERVED = 3


class Evidence(NamedTuple):
    """A claim about a workload, where it comes from, and how strong it is."""

    claim: str
    source: str
    strength: Strength = Strength.ASSUMED


class Place(NamedTuple):
    """Where something stands: path as the user knows it, line and column from 1."""

    path: str
    line: int
    column: int


class Reach(NamedTuple):
    """Another container that text written for one container would also serve.

    `joins`: its own list is added to the inherited one (`extends`, an override file); otherwise its own key replaces it
    (a YAML merge). `exact`: it must want every inherited item itself, because an item too many breaks it.
    """

    key: str
    joins: bool
    exact: bool = False


class Change(NamedTuple):
    """One operation on one file.

    `operation` belongs to the file's format (see `hardener.syntax`) and is symbolic: it names keys or instructions,
    not offsets, so that it can be made after other changes to the same file.
    """

    path: str
    operation: Any
    reaches: frozenset[Reach] = frozenset()


class Writable(Protocol):
    """What can be set to a new value; see `hardener.facts.container.Setting`."""

    def to(self, new: Any) -> tuple[Change, ...]:
        """The changes that give this setting a new value. Raises `CannotWrite` with the reason."""

    def alone(self, new: Any) -> tuple[Change, ...] | None:
        """The same in text that serves one container only; None where there is no such text, or `to` writes there already."""


class Want(NamedTuple):
    """A setting and the value that it should have; turned into changes when a fix is planned, not before."""

    setting: Writable
    value: Any


class Fix(NamedTuple):
    """An atomic group of changes: all of them are made, or none.

    How far it may be trusted is not for a rule to say: it follows from the evidence.
    """

    summary: str
    wants: tuple[Want, ...] = ()
    changes: tuple[Change, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    #: What is not known; it holds the fix back.
    missing: str = ""
    #: A step for the user that belongs to the fix, such as a `chown` of existing data.
    migration: str = ""
    #: It changes what the container needs, so that other fixes wait until that is judged anew.
    unsettles: bool = False

    @property
    def applicability(self) -> Applicability:
        """SAFE only with evidence about this workload that was read in code or seen in a run, and nothing missing."""
        if not (self.wants or self.changes):
            return Applicability.DISPLAY
        if self.missing or not self.evidence or min(item.strength for item in self.evidence) < Strength.READ:
            return Applicability.UNSAFE
        return Applicability.SAFE


class Finding(NamedTuple):
    """One place where a hazard is. Without a fix, `refusal` or `advice` says why and what to do instead."""

    rule: str
    #: What is affected, for people: the service, container or stage.
    subject: str
    place: Place
    message: str
    fix: Fix | None = None
    #: Why a fix that exists for this hazard cannot be written here.
    refusal: str = ""
    #: The way out, where no fix is offered.
    advice: str = ""
    #: The subject within its project, stable from pass to pass; `subject` where it is unique.
    key: str = ""

    @property
    def identity(self) -> tuple[str, str, str]:
        """What makes it the same finding in a later pass, wherever it has moved to."""
        return self.rule, self.place.path, self.key or self.subject


#: What a rule is asked: one subject with what it needs, which is None for a silence. See `Rule`.
Check = Callable[[Any, Any], Iterable["Finding"]]


#: The kinds of subjects.
KINDS = ("container", "stage", "silence")


class Rule(NamedTuple):
    """One hazard, with a check for each kind of subject that can have it. A check never sees text nor another rule."""

    id: str
    title: str
    severity: Severity
    #: Items of `hardener/standards.toml` that ask for the repair.
    cites: tuple[str, ...]
    why: str
    #: For a container and what its image needs.
    container: Check | None = None
    #: For a stage of a Dockerfile and what it needs.
    stage: Check | None = None
    #: For a comment that silences findings (`hardener.facts.silence`), which no comment can silence.
    silence: Check | None = None

    @property
    def sees(self) -> tuple[str, ...]:
        """The kinds of subjects that it has a check for: "container", "stage", "silence"."""
        return tuple(kind for kind in KINDS if self.check(kind) is not None)

    def check(self, kind: str) -> Check | None:
        """The check for one kind of subject."""
        return {"container": self.container, "stage": self.stage, "silence": self.silence}[kind]
