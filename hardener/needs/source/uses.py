"""What a program does that its container must allow, in the words of those who read it. Knows no language and no container.

Each reader of a language, a script or a configuration file answers with `Uses`. What it could not tell is a `Doubt` that
names the questions left open: nothing here is a guess, and silence never means no.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from hardener.finding import Evidence
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from hardener.facts.image_files import ImageFiles

#: The questions that a doubt may leave open.
CAPABILITIES = "capabilities"
WRITES = "writes"
ESCALATION = "escalation"
USERS = "users"
MEMORY = "memory"
THREADS = "threads"
PORTS = "ports"
#: What a program may do of which nothing is known at all.
EVERYTHING = frozenset((CAPABILITIES, WRITES, ESCALATION, USERS, MEMORY, THREADS, PORTS))
#: How what was read of a command begins, and how many commands, and other programs, are named in one phrase.
_COMMAND = "the command "
_MOST_TOLD = 3


class Program(NamedTuple):
    """A program as a container starts it."""

    #: Without `exec`, `tini --` and their kin. A word that is not known before it runs is a `$`-expression.
    words: tuple[str, ...]
    #: Absolute.
    workdir: str
    #: The image's and the container's variables; None for a value that is not known.
    environment: Mapping[str, str | None]
    #: Whether there may be more variables than these.
    more_environment: bool
    #: The files of the image that come from the project.
    files: ImageFiles
    #: Where it is started, as the source of evidence: "Dockerfile:7".
    at: str = ""
    #: What follows the container's entrypoint: the `"$@"` of a script that is the entrypoint.
    arguments: tuple[str, ...] = ()
    #: Which numbers accounts of the image have, by name, as far as its Dockerfile says: "10001:10001".
    accounts: Mapping[str, str] = {}

    @property
    def name(self) -> str:
        """The program without its folder."""
        return self.words[0].rpartition("/")[2] if self.words else ""

    def variable(self, name: str, default: str = "") -> str | None:
        """The value of a variable, `default` where it is not set; None when it is not known."""
        if name in self.environment:
            return self.environment[name]
        return None if self.more_environment else default


class Write(NamedTuple):
    """A place that is written. "scratch", "cache", "run" and "log" may be a tmpfs; "data" and "config" never."""

    #: Absolute. A folder where files of any name are written in it, else the file.
    path: str
    kind: str
    #: Whether something is run or mapped as code from there.
    exec: bool
    evidence: Evidence
    #: Who refuses the place where everybody may write there and no sticky bit keeps them apart; empty for nobody.
    refused_by: str = ""


class Listen(NamedTuple):
    """A port that is bound; `protocol` is "tcp" or "udp"."""

    number: int
    protocol: str
    evidence: Evidence


class Capability(NamedTuple):
    """A capability that it needs as root, by name without `CAP_`, with the reason in a few words."""

    name: str
    why: str
    evidence: Evidence


class Named(NamedTuple):
    """A program that is run, or an account that it becomes or gives files to, by name or number."""

    name: str
    evidence: Evidence


class Memory(NamedTuple):
    """How much memory is enough, generously, in MiB, and how many cores it can keep busy meanwhile."""

    mib: int
    why: str
    evidence: Evidence
    #: 0 for as many as there are.
    cores: int = 1


class Doubt(NamedTuple):
    """What could not be told: `text` in words that go on after "not known:", with the place where there is one."""

    about: frozenset[str]
    text: str


class Uses(NamedTuple):
    """What a program does, as far as what was read of it says."""

    #: What was read, as the evidence for all that is not in here; its claim is a noun: "12 Python files with `flask`".
    read: Evidence
    writes: tuple[Write, ...] = ()
    listens: tuple[Listen, ...] = ()
    capabilities: tuple[Capability, ...] = ()
    #: Set-uid programs, and those with file capabilities, that it needs to gain privileges through.
    escalates: tuple[Named, ...] = ()
    #: Other programs that it runs, without their folder.
    runs: tuple[Named, ...] = ()
    #: Accounts that it becomes or gives files to.
    users: tuple[Named, ...] = ()
    #: None where it is not known.
    memory: Memory | None = None
    doubts: tuple[Doubt, ...] = ()

    def open(self, *questions: str) -> str:
        """Why one of these questions is open; empty when none is."""
        return next((doubt.text for doubt in self.doubts if doubt.about.intersection(questions)), "")


#: Reads any program: what a reader calls for a program that the one it reads runs. Ends by itself in a circle.
Read = Callable[[Program], Uses]
#: Reads programs of one kind; None for a program of another.
Reader = Callable[[Program, Read], "Uses | None"]


def unknown(text: str, read: Evidence | None = None) -> Uses:
    """The uses of a program of which nothing is known; `text` says why."""
    return Uses(read or Evidence("nothing of it was read", ""), doubts=(Doubt(EVERYTHING, text),))


def merged(read: Evidence, many: Iterable[Uses], *, at_once: bool = False) -> Uses:
    """All that several do, one after the other, or `at_once`. Memory is known only where that of each is."""
    many = tuple(many)

    def every(field: str) -> tuple[object, ...]:
        return tuple(dict.fromkeys(item for uses in many for item in getattr(uses, field)))

    amounts = [uses.memory for uses in many if uses.memory is not None]
    memory = together(amounts, at_once=at_once) if len(amounts) == len(many) else None
    fields = ("writes", "listens", "capabilities", "escalates", "runs", "users", "doubts")
    return Uses(read, memory=memory, **{field: every(field) for field in fields})  # type: ignore[arg-type]


def together(amounts: Iterable[Memory], *, at_once: bool = False) -> Memory | None:
    """What is enough for all, one after the other or `at_once`; None for none at all."""
    amounts = tuple(amounts)
    largest = max(amounts, key=lambda amount: amount.mib, default=None)
    if largest is None:
        return None
    cores = [amount.cores for amount in amounts]
    busy = 0 if 0 in cores else sum(cores) if at_once else max(cores)
    return largest._replace(mib=sum(amount.mib for amount in amounts) if at_once else largest.mib, cores=busy)


def read_in(claims: Sequence[str]) -> str:
    """What was read, in one phrase: the first commands and how many more there are, other programs, and the last of all."""
    *inner, last = claims
    names = [claim.removeprefix(_COMMAND) for claim in inner if claim.startswith(_COMMAND)]
    told = [claim for claim in inner if not claim.startswith(_COMMAND)][:_MOST_TOLD]
    more = f" and {len(names) - _MOST_TOLD} more" if len(names) > _MOST_TOLD else ""
    if len(names) > 1:
        first = names[:_MOST_TOLD] if more else names[:-1]
        told.insert(0, f"the commands {', '.join(first)}{more or f' and {names[-1]}'}")
    elif names:
        told.insert(0, _COMMAND + names[0])
    return f"{', '.join(told)}{',' if len(names) > 1 else ''} and {last}" if told else last
