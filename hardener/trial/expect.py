"""What the original shows when it does its job, and what a trial lacks of it. Pure: sights in, complaints out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from hardener.record import NamedTuple
from hardener.trial.answers import Answer, common, differs
from hardener.trial.candidate import ESCALATION
from hardener.trial.observe import Kept, Sight
from hardener.trial.remedy import Complaint, Kind, Standing

#: Starts that a service may need more than its original did: another one may be slower.
_MORE_RESTARTS = 2
_SHOWN = 3


class Address(NamedTuple):
    """A port that the host publishes for a service in a trial."""

    service: str
    port: int
    protocol: str
    host: str
    host_port: int


class Moment(NamedTuple):
    """A stack at the end of a phase: each service, what its ports answer, what lies on its mounts."""

    phase: str
    sights: Mapping[str, Sight]
    answers: Mapping[tuple[str, int], Answer] = {}
    kept: Mapping[tuple[str, str], Kept] = {}
    #: Services that were killed at the end of their grace period when they were to stop after it.
    killed: frozenset[str] = frozenset()


class Expected(NamedTuple):
    """What of a service was the same whenever its original was looked at in a phase."""

    running: bool
    exit_code: int
    restarts: int
    healthy: bool
    listens: frozenset[str]
    #: Programs that were not root, with the numbers that they ran as.
    unprivileged: frozenset[tuple[str, int, int]]
    answers: Mapping[int, Answer]
    #: By mount, the names of files without their numbers.
    names: Mapping[str, frozenset[str]]
    stops: bool
    #: Whether it does its work and ends.
    ended: bool = False


def expected(moments: Sequence[Moment]) -> dict[str, Expected]:
    """What may be expected of each service, from the same phase of several runs of the original."""
    found = {}
    for service in moments[0].sights:
        sights = [moment.sights[service] for moment in moments if service in moment.sights]
        found[service] = Expected(
            running=all(sight.running for sight in sights),
            exit_code=sights[0].exit_code,
            restarts=max(sight.restarts for sight in sights),
            healthy=all(sight.health == "healthy" for sight in sights),
            listens=frozenset.intersection(*(sight.listens for sight in sights)),
            unprivileged=frozenset.intersection(*(sight.unprivileged for sight in sights)),
            answers={
                port: common([moment.answers[service, port] for moment in moments])
                for name, port in moments[0].answers
                if name == service and all((service, port) in moment.answers for moment in moments)
            },
            names={
                target: frozenset.intersection(*(_names(moment.kept[service, target]) for moment in moments))
                for name, target in moments[0].kept
                if name == service and all((service, target) in moment.kept for moment in moments)
            },
            stops=not any(service in moment.killed for moment in moments),
            ended=not any(sight.running or sight.restarts for sight in sights),
        )
    return found


def _names(kept: Kept) -> frozenset[str]:
    return frozenset(map(without_numbers, kept.names))


def without_numbers(text: str) -> str:
    """A name without what differs from run to run: numbers, and what is named by chance."""
    return re.sub(r"[0-9a-f]{8,}|\d+", "#", text)


def fatal(sight: Sight, before: Expected) -> Complaint | None:
    """What makes waiting pointless."""
    if sight.error:
        return Complaint(sight.service, Kind.START, sight.error)
    if sight.killed_at_memory_limit:
        return Complaint(sight.service, Kind.MEMORY, "killed at its memory limit")
    if before.running and sight.restarts > before.restarts + _MORE_RESTARTS:
        return Complaint(sight.service, Kind.EXIT, f"is started again and again (exit code {sight.exit_code})")
    if not sight.running and sight.exit_code not in (0, before.exit_code) and not sight.restarts:
        return Complaint(sight.service, Kind.EXIT, f"ended with exit code {sight.exit_code}{_at_the_end(sight.log)}")
    if not sight.running and before.running and sight.exit_code == 0 and not sight.restarts:
        return Complaint(sight.service, Kind.EXIT, f"ended, which the original does not{_at_the_end(sight.log)}")
    if before.healthy and sight.health == "unhealthy":
        return Complaint(sight.service, Kind.HEALTH, "is not healthy")
    return None


def _at_the_end(log: Sequence[str]) -> str:
    last = next((line.strip() for line in reversed(log) if line.strip()), "")
    return f": {last[:200]}" if last else ""


def lacking(moment: Moment, before: Mapping[str, Expected]) -> tuple[Complaint, ...]:
    """What is not there yet, or not at all."""
    return tuple(complaint for service, wanted in before.items() for complaint in _lacking(service, moment, wanted))


def _lacking(service: str, moment: Moment, wanted: Expected) -> Iterable[Complaint]:
    sight = moment.sights.get(service)
    if sight is None:
        yield Complaint(service, Kind.MISSING, "has no container")
        return
    if wanted.running and not sight.running:
        yield Complaint(service, Kind.EXIT, f"does not run (exit code {sight.exit_code}){_at_the_end(sight.log)}")
        return
    if wanted.ended and sight.running:
        yield Complaint(service, Kind.MISSING, "has not ended, which the original does")
    if wanted.healthy and sight.health != "healthy":
        yield Complaint(service, Kind.HEALTH, f"is {sight.health or 'not healthy'}")
    gone = sorted(wanted.listens - sight.listens)
    if gone:
        yield Complaint(service, Kind.MISSING, f"does not listen on {', '.join(gone[:_SHOWN])}")
    for port, answer in wanted.answers.items():
        words = differs(moment.answers.get((service, port), Answer("closed")), answer)
        if words:
            yield Complaint(service, Kind.MISSING, f"port {port} {words}")
    for target, names in wanted.names.items():
        kept = moment.kept.get((service, target))
        absent = sorted(names - (_names(kept) if kept is not None else frozenset()))
        if absent:
            yield Complaint(service, Kind.MISSING, f"does not write {target}/{absent[0]}")


def worse(moment: Moment, before: Mapping[str, Expected]) -> tuple[Complaint, ...]:
    """What is worse than in the original although all seems to work."""
    found = []
    for service, wanted in before.items():
        sight = moment.sights.get(service)
        if sight is None or not sight.running:
            continue
        if sight.killed_at_memory_limit:
            found.append(Complaint(service, Kind.MEMORY, "killed at its memory limit"))
        if sight.restarts > wanted.restarts:
            found.append(Complaint(service, Kind.EXIT, f"was started {sight.restarts + 1} times"))
        names = {name for name, _, _ in wanted.unprivileged}
        now = {process.name for process in sight.processes if process.uid}
        root = {process.name for process in sight.processes if not process.uid}
        stay = sorted(name for name in names - now if name in root)
        if wanted.unprivileged and root and (stay or not now):
            who = stay[0] if stay else sorted(names)[0]
            found.append(Complaint(service, Kind.STAYS_ROOT, f"{who} keeps running as root, which the original gives up"))
        if service in moment.killed and wanted.stops:
            found.append(Complaint(service, Kind.STOP, "does not stop in its grace period, and is killed"))
    return tuple(found)


def unenforced(moment: Moment, standings: Mapping[str, Standing]) -> tuple[tuple[str, str], ...]:
    """What is written for a service, and is not so in its processes: (service, what). An engine may ignore what it is told."""
    found = []
    for service, standing in standings.items():
        sight = moment.sights.get(service)
        if sight is None or not sight.running:
            continue
        if standing.read_only and not sight.read_only:
            found.append((service, "its root is not read-only"))
        seen = [process for process in sight.processes if process.bounding is not None]
        if standing.capabilities is not None and any(
            (process.bounding or 0).bit_count() > len(standing.capabilities) for process in seen
        ):
            found.append((service, "its processes have capabilities that were dropped"))
        if standing.user and any(not process.uid for process in sight.processes):
            found.append((service, f"a process is root although it is started as {standing.user}"))
        if ESCALATION in standing.fixes and not all(process.no_new_privileges for process in seen):
            found.append((service, "its processes may gain privileges"))
    return tuple(found)
