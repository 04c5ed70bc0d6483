"""The steps of a search: how far each goes, what it does to a candidate, and how it is said. Knows no order and no trial."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from hardener.record import NamedTuple
from hardener.trial.candidate import (
    CAPABILITIES,
    CPU,
    ESCALATION,
    MEMORY,
    PIDS,
    ROOT_USER,
    WRITABLE_ROOT,
    Candidate,
    Control,
    relaxed,
    standing_after,
)
from hardener.trial.expect import without_numbers
from hardener.trial.remedy import Complaint, Kind, Remedy, Standing

#: What an entrypoint uses that starts as root, hands its data to another user and steps down to it.
USUAL = (
    "SETGID SETUID",
    "CHOWN DAC_OVERRIDE FOWNER SETGID SETUID",
    "CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETGID SETUID",
)
#: Where a doubled limit is not enough, which only the kernel's own word tells.
_TIMES_THE_MEMORY = ("2", "4", "8")
#: What breaks most of what breaks at all.
_RISKY = frozenset((CAPABILITIES, ESCALATION, ROOT_USER, WRITABLE_ROOT))
#: The phases in their order: a step back after which it fails sooner made it worse.
_ORDER = ("build", "cold", "restart", "recreate")
#: How far a step goes: a value, several values that are usual together, a whole control.
SMALL, SEVERAL, WHOLE = 0, 1, 2
#: Kinds of steps after which something else may be broken.
MAY_BREAK = ("tmpfs", "exec", "without")


class Attempt(NamedTuple):
    """How one trial of a candidate ended."""

    complaints: tuple[Complaint, ...]
    #: What is worse in the logs although all else is well.
    noises: tuple[Complaint, ...] = ()
    standings: Mapping[str, Standing] = {}
    #: The controls that were really made.
    controls: frozenset[Control] = frozenset()
    #: The phase in which it failed.
    phase: str = ""

    @property
    def works(self) -> bool:
        """Whether the stack did its job as well as the original."""
        return not self.complaints


class Step(NamedTuple):
    """One step back: what broke, and what mended it."""

    complaint: Complaint
    remedy: Remedy
    #: Where it broke; empty where it only said so in its log.
    phase: str


#: Steps that are chosen at the same time, each with what it is for.
Chosen = Sequence[tuple[Complaint, Remedy]]


def split(complaint: Complaint, remedy: Remedy, standing: Standing) -> Iterator[tuple[int, Remedy]]:
    """A remedy in steps that can be tried one after the other, with how far each goes."""
    if remedy.kind == "memory" and complaint.kind is Kind.MEMORY:
        yield from ((SMALL, remedy._replace(value=times)) for times in _TIMES_THE_MEMORY)
    elif remedy.kind != "without":
        yield SMALL, remedy
    else:
        if remedy.value == CAPABILITIES and not standing.user:
            for names in USUAL:
                more = set(names.split()) - (standing.capabilities or frozenset())
                if more:
                    yield SEVERAL, remedy._replace(kind="capability", value=" ".join(sorted(more)))
        yield WHOLE, remedy


def with_steps(candidate: Candidate, attempt: Attempt, chosen: Chosen) -> Candidate:
    """A candidate that was tried, with some steps back."""
    for _, remedy in chosen:
        candidate = relaxed(candidate, remedy, attempt.standings.get(remedy.service, Standing()))
    return candidate


def leaving_out(candidate: Candidate, attempt: Attempt, controls: Iterable[Control], why: str) -> Candidate:
    """A candidate that was tried, without some controls."""
    for service, rule in sorted(controls):
        remedy = Remedy(service, "without", rule, why)
        candidate = relaxed(candidate, remedy, attempt.standings.get(service, Standing()))
    return candidate


def as_if(was: Attempt, attempt: Attempt, chosen: Chosen, helped: Chosen) -> Attempt:
    """An attempt as it would have ended, by all that is known, if only those steps had been made that helped."""
    back = [pair[1] for pair in chosen if pair not in helped]
    standings = dict(attempt.standings)
    for service in {remedy.service for remedy in back} & set(was.standings):
        standings[service] = was.standings[service]
        for _, remedy in helped:
            if remedy.service == service:
                standings[service] = standing_after(standings[service], remedy)
    again = {(remedy.service, remedy.value) for remedy in back if remedy.kind == "without"} & was.controls
    return attempt._replace(standings=standings, controls=attempt.controls | again)


def blamed(attempt: Attempt) -> Iterator[frozenset[Control]]:
    """Sets of controls that may be to blame, the smaller first; never all of them, which would leave nothing."""
    services = {complaint.service for complaint in attempt.complaints}
    own = frozenset(control for control in attempt.controls if control[0] in services)
    risky = own | {control for control in attempt.controls if control[1] in _RISKY}
    for out in dict.fromkeys((own, risky)):
        if out and out != attempt.controls:
            yield out


def without_name(steps: Iterable[Step], service: str, name: str) -> Iterator[Step]:
    """The steps without a capability that was more than it takes."""
    for step in steps:
        if step.remedy.service == service and step.remedy.kind == "capability":
            names = " ".join(one for one in step.remedy.value.split() if one != name)
            if names:
                yield step._replace(remedy=step.remedy._replace(value=names))
        else:
            yield step


def same(complaint: Complaint) -> tuple[str, str, str]:
    """What makes two complaints of different runs the same."""
    return complaint.service, complaint.kind, without_numbers(complaint.text)


def line_of(complaint: Complaint) -> tuple[str, str]:
    """What makes two lines of a log the same."""
    return complaint.service, without_numbers(complaint.text)


def place(attempt: Attempt) -> int:
    """How far an attempt came before it failed."""
    return _ORDER.index(attempt.phase) if attempt.phase in _ORDER else 0


def told(attempt: Attempt) -> str:
    """The first of what is wrong, with who says so; empty where nothing is."""
    first = attempt.complaints[0] if attempt.complaints else None
    return f"{first.service or 'the stack'}: {first.text}" if first else ""


def taking_back(chosen: Chosen, helped: Chosen) -> str:
    """Which of the steps are taken back, as a person says it."""
    return f"no longer {'; '.join(described(pair[1]) for pair in chosen if pair not in helped)}"


#: What breaks a stack alone, most often first (the matrix of twelve stacks, one naive control at a time).
_OFTEN = (CAPABILITIES, ROOT_USER, WRITABLE_ROOT, ESCALATION)
#: A service without a control, in words.
_AS_IT_WAS = {
    CAPABILITIES: "with all its capabilities",
    ROOT_USER: "as root",
    WRITABLE_ROOT: "with a writable root",
    ESCALATION: "with new privileges",
    MEMORY: "without a limit of memory",
    CPU: "without a limit of CPU time",
    PIDS: "without a limit of processes",
}


def described(remedy: Remedy) -> str:
    """A step back, as a person says it."""
    words = {
        "capability": f"with {remedy.value.replace(' ', ', ')}",
        "tmpfs": f"with a tmpfs at {remedy.value}",
        "exec": f"with programs in {remedy.value}",
        "memory": f"with {remedy.value} times the memory",
    }
    return f"{remedy.service} {words.get(remedy.kind) or _AS_IT_WAS.get(remedy.value, f'without the fix of {remedy.value}')}"


def named(controls: Iterable[Control]) -> str:
    """Services without controls, as a person says them."""
    by_service: dict[str, list[str]] = {}
    for service, rule in sorted(controls):
        by_service.setdefault(service, []).append(_AS_IT_WAS.get(rule, f"without the fix of {rule}"))
    return "; ".join(f"{service} {', '.join(words)}" for service, words in by_service.items())


def likelihood(control: Control) -> tuple[str, int, str]:
    """What breaks most often first, service by service: halves are tried from the front."""
    service, rule = control
    return service, _OFTEN.index(rule) if rule in _OFTEN else len(_OFTEN), rule


def short(text: str, most: int = 60) -> str:
    """The beginning of a text."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
