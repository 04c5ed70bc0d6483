"""One life of a stack on an engine: brought up, asked, restarted, made anew, taken down. Knows no hardening and no search."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from hardener.record import NamedTuple
from hardener.trial.answers import Answer, ask
from hardener.trial.compose import Compose, Done, OutOfTime, last_words
from hardener.trial.engine import Engine, Facts, nameless
from hardener.trial.expect import Address, Expected, Moment, fatal, lacking, worse
from hardener.trial.logs import new_errors
from hardener.trial.observe import Sight, glance, kept, look, service_of
from hardener.trial.probe import Probe, Setting, failure
from hardener.trial.remedy import Complaint, Kind
from hardener.trial.wordings import normal
from hardener.trial.writes import Writes, writes

COLD, RESTART, RECREATE = "cold", "restart", "recreate"
PHASES = (COLD, RESTART, RECREATE)
_PAUSE = 0.3
#: Seconds in which nothing may change before an original counts as up, and at most until then.
_STILL, _LONGEST = 3.0, 120.0
#: Seconds for it to show what it does when nobody asks it, and to die of what it met at its start.
_DWELL, _LINGER = 5.0, 1.0
#: Seconds more than the original took, and how many times as long.
_MORE, _TIMES = 8.0, 2.5
_KILLED = 128 + 9
#: Beside these, a wrong answer of the whole stack says nothing new.
_SPEAKS_FOR_ITSELF = (Kind.EXIT, Kind.START, Kind.MEMORY)


class Life(NamedTuple):
    """How a stack did: each phase that was reached, and what was wrong in the last of them."""

    moments: tuple[Moment, ...]
    complaints: tuple[Complaint, ...]
    #: The phase in which something was wrong; empty where all went well.
    failed: str
    starts: int
    seconds: float
    #: Lines of errors that the original does not print, although all else is well.
    noises: tuple[Complaint, ...] = ()
    #: By service, where it wrote outside of mounts.
    writes: Mapping[str, Writes] = {}
    #: Seconds until each phase was up.
    waits: Mapping[str, float] = {}
    #: By service, all that it printed.
    logs: Mapping[str, tuple[str, ...]] = {}

    @property
    def killed(self) -> frozenset[str]:
        """Services that did not stop in their grace period."""
        return frozenset().union(*(moment.killed for moment in self.moments)) if self.moments else frozenset()


class Original(NamedTuple):
    """What the runs of the original showed: by phase what may be expected, and how long it took."""

    expected: Mapping[str, Mapping[str, Expected]]
    waits: Mapping[str, float]
    logs: Mapping[str, Sequence[Sequence[str]]]

    def over_data(self) -> Original:
        """The same without what depends on what was done before."""
        plain = {
            phase: {
                service: wanted._replace(
                    names={}, answers={port: answer._replace(lines=frozenset()) for port, answer in wanted.answers.items()}
                )
                for service, wanted in services.items()
            }
            for phase, services in self.expected.items()
        }
        return self._replace(expected=plain)


class Order(NamedTuple):
    """Data that has to change hands: of a service, to whom (`uid:gid`), and where it is mounted."""

    service: str
    owner: str
    targets: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """What Compose is told, whatever the service may do by itself."""
        may = ("--user", "0:0", "--cap-add", "CHOWN", "--cap-add", "DAC_OVERRIDE")
        return ("run", "--rm", "--no-deps", *may, "--entrypoint", "chown", self.service, "-R", self.owner, *self.targets)


class Stack:
    """A project that is to be brought up from a folder, by a file that touches nothing but its own."""

    def __init__(
        self,
        engine: Engine,
        facts: Facts,
        compose: Compose,
        setting: Setting,
        probes: Sequence[Probe],
        remaining: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._facts = facts
        self._compose = compose
        self._setting = setting
        self._probes = probes
        self._remaining = remaining
        self._say = say
        self._starts = 0

    def lead(self, original: Original | None, phases: Sequence[str] = PHASES, *, observe: bool = False) -> Life:
        """Lead a life through phases, until something is wrong. Raises `TrialError` where the engine is lost."""
        begin = time.monotonic()
        moments: list[Moment] = []
        found: tuple[Complaint, ...] = ()
        noises: dict[tuple[str, str], Complaint] = {}
        wrote: dict[str, Writes] = {}
        waits: dict[str, float] = {}
        logs: dict[str, tuple[str, ...]] = {}
        self._starts = 0
        killed: frozenset[str] = frozenset()

        def ended(complaints: tuple[Complaint, ...], failed: str, noises: tuple[Complaint, ...] = ()) -> Life:
            seconds = time.monotonic() - begin
            return Life(tuple(moments), complaints, failed, self._starts, seconds, noises, wrote, waits, logs)

        for phase in phases:
            self._say(phase)
            at = time.monotonic()
            before = original.expected.get(phase, {}) if original else None
            wait = original.waits.get(phase, _MORE) if original else 0.0
            if phase == RECREATE and killed and original is None:
                self._run("stop", "--timeout", "1", seconds=_LONGEST)  # that it does not stop by itself is known by now
            if phase == RESTART:
                killed = self._stop()
                done = self._order("start")
            else:
                done = self._order("up", "--detach", "--no-build", *(["--force-recreate"] if phase == RECREATE else []))
            found = self._refusal(done, before) if done.code else self._settle(before, wait)
            waits[phase] = time.monotonic() - at
            # An original that is not up is not asked; nor is a trial that says by itself what is wrong with it.
            if not (found and (before is None or any(complaint.kind in _SPEAKS_FOR_ITSELF for complaint in found))):
                found = tuple(self._ask(phase)) if self._probes else found
            moment = self._moment(phase, killed if phase == RESTART else frozenset())
            moments.append(moment)
            for service, sight in moment.sights.items():
                logs[service] = (*logs.get(service, ()), *sight.log)
            if before is not None and original is not None:
                found = found or self._compare(moment, before)
                for complaint in self._errors(moment, original):
                    noises.setdefault((complaint.service, normal(complaint.text)), complaint)
            if found:
                return ended((*found, *noises.values()), phase)
            if observe:
                self._note_writes(wrote)
        return ended((), "", tuple(noises.values()))

    def down(self) -> None:
        """Take it down; what Compose leaves is for the engine to remove. Raises `TrialError`."""
        left = nameless(self._containers())
        with suppress(OutOfTime):
            self._run("down", "--timeout", "1", "--remove-orphans", "--volumes", seconds=60)
        self._engine.remove_nameless(left)

    def hand_over(self, order: Order) -> None:
        """Make the data of a service another account's."""
        self._run(*order.words, seconds=max(30.0, self._remaining()))

    def _run(self, *arguments: str, seconds: float) -> Done:
        return self._compose(
            "--project-name", self._setting.project, "--file", self._setting.file, *arguments,
            folder=self._setting.folder, seconds=seconds,
        )  # fmt: skip

    def _order(self, *arguments: str) -> Done:
        """Have Compose start containers; a refusal or a wait without end is an answer too."""
        try:
            done = self._run(*arguments, seconds=max(20.0, min(self._remaining(), _LONGEST)))
        except OutOfTime as slow:
            done = Done(1, "", str(slow))
        self._starts += len(self._engine.containers(self._setting.project))
        return done

    def _stop(self) -> frozenset[str]:
        """Stop all; returns the services that had to be killed."""
        was_up = {service_of(container) for container in self._containers() if container["State"].get("Running")}
        try:
            self._run("stop", seconds=max(30.0, min(self._remaining(), _LONGEST)))
        except OutOfTime:
            return frozenset(was_up)
        return frozenset(
            service_of(container)
            for container in self._containers()
            if container["State"].get("ExitCode") == _KILLED and not container["State"].get("OOMKilled")
        ) & frozenset(was_up)

    def _containers(self) -> list[Mapping[str, Any]]:
        return self._engine.containers(self._setting.project)

    def _refusal(self, done: Done, before: Mapping[str, Expected] | None) -> tuple[Complaint, ...]:
        """What is wrong where Compose says that it could not start all."""
        time.sleep(_LINGER)
        found = []
        for container in self._containers():
            sight = look(self._engine, self._facts, container)
            complaint = fatal(sight, (before or {}).get(sight.service, _ANYTHING))
            if complaint is not None:
                found.append(complaint)
        text = last_words(done.said, 500)
        if found:
            return tuple(found)
        names = {service_of(container): str(container.get("Name", "")).strip("/") for container in self._containers()}
        named = next((service for service, name in names.items() if name and name in text), "")
        return (Complaint(named, Kind.START, text),)

    def _settle(self, before: Mapping[str, Expected] | None, wait: float) -> tuple[Complaint, ...]:
        """Wait until it is up; returns what keeps it from that."""
        return self._settle_original() if before is None else self._settle_trial(before, wait)

    def _settle_original(self) -> tuple[Complaint, ...]:
        begin = since = time.monotonic()
        shown: object = None
        while True:
            sights = self._glance()
            for sight in sights.values():
                complaint = fatal(sight, _ANYTHING)
                if complaint is not None and complaint.kind is not Kind.EXIT:
                    return (complaint,)
            now = time.monotonic()
            state = [(sight.service, sight.running, sight.listens, sight.health, sight.restarts) for sight in sights.values()]
            if state != shown:
                shown, since = state, now
            starting = [sight.service for sight in sights.values() if sight.health == "starting"]
            restarting = [sight.service for sight in sights.values() if not sight.running and sight.restarts]
            still = now - since > (_STILL if self._probes else _DWELL)
            if still and not starting and not restarting and sights:
                break
            if now - begin > min(_LONGEST, self._remaining()):
                if not sights:
                    return (Complaint("", Kind.START, "no container was made"),)
                # One that is up just now, between two of its ends, is none the better for it.
                again = [sight.service for sight in sights.values() if sight.restarts and not still]
                return self._not_up({*restarting, *again}, f"is not up after {now - begin:.0f} s")
            time.sleep(_PAUSE)
        return self._not_up((), "is not up")

    def _not_up(self, restarting: Collection[str], slow: str) -> tuple[Complaint, ...]:
        """What is wrong with an original that changes no more, or not enough; `slow` is said where nobody knows yet."""
        found = []
        for sight in self._look().values():
            if sight.service in restarting:
                # While it is up, its exit code is that of nothing.
                ended = "" if sight.running else f" (exit code {sight.exit_code})"
                found.append(_at_last(sight, f"is started again and again{ended}"))
            elif sight.health in ("starting", "unhealthy"):
                found.append(_at_last(sight, slow if sight.health == "starting" else "is not healthy"))
            elif not sight.running and sight.exit_code:
                found.append(fatal(sight, _ANYTHING) or _at_last(sight, f"does not run (exit code {sight.exit_code})"))
        return tuple(found)

    def _settle_trial(self, before: Mapping[str, Expected], wait: float) -> tuple[Complaint, ...]:
        end = time.monotonic() + min(_MORE + _TIMES * wait, max(self._remaining(), 1.0))
        while True:
            sights = self._glance()
            if self._dead(sights, before):
                time.sleep(_LINGER / 2)  # others may follow, and say more
                return self._dead(self._look(), before)
            # What only comes with use is asked for after the probes.
            answers, names = ({}, {}) if self._probes else (self._answers(), self._kept())
            missing = lacking(Moment("", sights, answers, names), before if not self._probes else _without_use(before))
            if not missing:
                time.sleep(_LINGER if self._probes else 2 * _LINGER)
                return self._dead(self._look(), before)
            if time.monotonic() > end:
                return missing
            time.sleep(_PAUSE)

    def _dead(self, sights: Mapping[str, Sight], before: Mapping[str, Expected]) -> tuple[Complaint, ...]:
        return tuple(found for sight in sights.values() if (found := fatal(sight, before.get(sight.service, _ANYTHING))))

    def _ask(self, phase: str) -> Iterator[Complaint]:
        setting = self._setting._replace(addresses=self.addresses())
        for probe in self._probes:
            said = failure(probe, setting, phase, self._compose, max(self._remaining(), 1.0))
            if said:
                yield Complaint(probe.service, Kind.PROBE, f"{probe.name}: {said}")
                return

    def _compare(self, moment: Moment, before: Mapping[str, Expected]) -> tuple[Complaint, ...]:
        found = worse(moment, before)
        if found:
            return found
        # A probe knows better what the stack is there for than we do from outside.
        wanted = {service: one._replace(names={}) if self._probes else one for service, one in before.items()}
        missing = lacking(moment, wanted)
        if missing and self._probes:
            time.sleep(_LINGER)
            missing = lacking(self._moment(moment.phase, moment.killed), wanted)
        return missing

    def _errors(self, moment: Moment, original: Original) -> Iterator[Complaint]:
        for service, sight in moment.sights.items():
            for line in new_errors(sight.log, original.logs.get(service, ())):
                yield Complaint(service, Kind.LOG, line)

    def _glance(self) -> dict[str, Sight]:
        return {sight.service: sight for sight in (glance(self._facts, one) for one in self._containers())}

    def _look(self) -> dict[str, Sight]:
        return {sight.service: sight for sight in (look(self._engine, self._facts, one) for one in self._containers())}

    def _moment(self, phase: str, killed: frozenset[str]) -> Moment:
        return Moment(phase, self._look(), self._answers(), self._kept(), killed)

    def _answers(self) -> dict[tuple[str, int], Answer]:
        return {
            (address.service, address.port): ask(address.host, address.host_port)
            for address in self.addresses()
            if address.protocol == "tcp"
        }

    def _kept(self) -> dict[tuple[str, str], Any]:
        return {
            (service_of(container), target): what
            for container in self._containers()
            for target, what in kept(self._engine, container).items()
        }

    def _note_writes(self, wrote: dict[str, Writes]) -> None:
        for container in self._containers():
            service, found = service_of(container), writes(self._engine, container)
            earlier = wrote.get(service)
            if earlier is not None:
                found = Writes({**earlier.folders, **found.folders}, earlier.beside or found.beside, earlier.data or found.data)
            wrote[service] = found

    def addresses(self) -> tuple[Address, ...]:
        """What the host publishes of it now."""
        found = []
        for container in self._containers():
            for name, places in ((container.get("NetworkSettings") or {}).get("Ports") or {}).items():
                port, _, protocol = name.partition("/")
                for place in (places or ())[:1]:
                    host = place.get("HostIp") or "127.0.0.1"
                    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
                    found.append(Address(service_of(container), int(port), protocol, host, int(place["HostPort"])))
        return tuple(sorted(found))


def _at_last(sight: Sight, text: str) -> Complaint:
    """What is wrong with an original, with what its health check or its log said last."""
    said = sight.checked or (last_words("\n".join(sight.log), 200) if any(line.strip() for line in sight.log) else "")
    return Complaint(sight.service, Kind.HEALTH if sight.health else Kind.EXIT, f"{text}{f': {said}' if said else ''}")


#: What is expected of a service of which nothing is known.
_ANYTHING = Expected(False, 0, 0, False, frozenset(), frozenset(), {}, {}, True)


def _without_use(before: Mapping[str, Expected]) -> dict[str, Expected]:
    return {service: wanted._replace(answers={}, names={}) for service, wanted in before.items()}
