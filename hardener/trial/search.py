"""The way from the strictest set of hardening to one that works, by few trials. Knows symptoms and sets, no engine.

A trial that fails names symptoms; each asks for the smallest step back that could mend it, in all services at once. A step
that did not help is taken back before the next one is tried. Where no symptom says anything, delta debugging (Zeller and
Hildebrandt, 2002) finds a smallest set of controls without which it works; leaving one out at a time would not, since some
stand in for each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from hardener.record import NamedTuple
from hardener.trial.candidate import CAPABILITIES, Candidate, Control, relaxed
from hardener.trial.remedy import Complaint, Kind, Remedy, Standing
from hardener.trial.symptoms import remedies

T = TypeVar("T")

#: What an entrypoint uses that starts as root, hands its data to another user and steps down to it.
_USUAL = (
    "SETGID SETUID",
    "CHOWN DAC_OVERRIDE FOWNER SETGID SETUID",
    "CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETGID SETUID",
)
#: Times that a set that works is run again at most, when it once did not.
_REPEATS = 2


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
    phase: str


class Result(NamedTuple):
    """Where the search ended. `works` is False where nothing was found in time."""

    candidate: Candidate
    works: bool
    steps: tuple[Step, ...] = ()
    #: What differed between two runs of the same.
    flaky: tuple[str, ...] = ()
    #: Controls that were left out because time was over, not because they broke something.
    undecided: frozenset[Control] = frozenset()
    #: Lines in logs that nothing mends and that harm nothing that was asked.
    noises: tuple[Complaint, ...] = ()
    last: Attempt | None = None


#: Runs a candidate; the words say what it is for.
Try = Callable[[Candidate, str], Attempt]


class Search:
    """One search. `has_time` says whether so many more trials fit into the budget."""

    def __init__(self, attempt: Try, has_time: Callable[[int], bool], *, asked: bool) -> None:
        self._attempt = attempt
        self._has_time = has_time
        #: Whether somebody's probe says if the stack does its job; else its logs count for more.
        self._asked = asked
        self._tried: set[tuple[str, str, str]] = set()
        self._steps: list[Step] = []
        self._flaky: list[str] = []
        self._ignored: set[tuple[str, str]] = set()

    def run(self, strictest: Candidate) -> Result:
        """Search from the strictest candidate on. Raises `TrialError` where the engine is lost."""
        candidate, attempt = self._to_work(strictest, self._attempt(strictest, "the strictest set"))
        if not attempt.works:
            return self._in_no_time(candidate, attempt)
        candidate, attempt = self._shrunk(candidate, attempt)
        for _ in range(_REPEATS):
            if not self._has_time(1):
                return self._result(candidate, attempt, works=False)
            again = self._attempt(candidate, "the same once more")
            if again.works:
                return self._result(candidate, again)
            self._flaky.append(_told(again))
            candidate, attempt = self._to_work(candidate, again)
            if not attempt.works:
                return self._in_no_time(candidate, attempt)
        return self._result(candidate, attempt)

    def _result(self, candidate: Candidate, attempt: Attempt, *, works: bool = True) -> Result:
        return Result(candidate, works, tuple(self._steps), tuple(self._flaky), noises=attempt.noises, last=attempt)

    # By symptoms.

    def _to_work(self, candidate: Candidate, attempt: Attempt) -> tuple[Candidate, Attempt]:
        """Steps back until it works, or time is over."""
        while self._has_time(2):
            wrong = attempt.complaints or self._noises(attempt)
            if not wrong:
                return candidate, attempt
            chosen = self._choose(wrong, attempt)
            if not chosen:
                if attempt.works:  # nothing mends what its logs say
                    self._ignored |= {(complaint.service, complaint.text) for complaint in wrong}
                    return candidate, attempt
                return self._by_halves(candidate, attempt)
            before, was = candidate, attempt
            for _, remedy in chosen:
                candidate = relaxed(candidate, remedy, was.standings.get(remedy.service, Standing()))
                self._tried.add(remedy[:3])
            attempt = self._attempt(candidate, _words(chosen))
            candidate, attempt = self._keep_what_helped(before, was, candidate, attempt, chosen)
        return candidate, attempt

    def _choose(self, wrong: Sequence[Complaint], attempt: Attempt) -> list[tuple[Complaint, Remedy]]:
        """For each complaint the smallest remedy that was not tried yet; the same remedy once."""
        chosen: dict[tuple[str, str, str], tuple[Complaint, Remedy]] = {}
        drastic: dict[tuple[str, str, str], tuple[Complaint, Remedy]] = {}
        for complaint in wrong:
            for remedy in self._remedies(complaint, attempt):
                if remedy[:3] not in self._tried:
                    (drastic if remedy.kind == "without" else chosen).setdefault(remedy[:3], (complaint, remedy))
                    break
        # A whole control goes only when nothing smaller is left to try for its service.
        small = {remedy.service for _, remedy in chosen.values()}
        large: dict[str, tuple[Complaint, Remedy]] = {}
        for complaint, remedy in drastic.values():
            if remedy.service not in small:
                large.setdefault(remedy.service, (complaint, remedy))
        return [*chosen.values(), *large.values()]

    def _remedies(self, complaint: Complaint, attempt: Attempt) -> Iterator[Remedy]:
        names = [complaint.service] if complaint.service else sorted(attempt.standings)
        for name in names:
            standing = attempt.standings.get(name)
            if standing is not None and (complaint.service or complaint.kind is not Kind.PROBE):
                yield from remedies(complaint._replace(service=name), standing)

    def _keep_what_helped(
        self,
        before: Candidate,
        was: Attempt,
        candidate: Candidate,
        attempt: Attempt,
        chosen: Sequence[tuple[Complaint, Remedy]],
    ) -> tuple[Candidate, Attempt]:
        """The candidate with those of its steps after which their complaint is gone, and what is known of that one."""
        left = {_same(complaint) for complaint in (*attempt.complaints, *attempt.noises)}
        helped = [(complaint, remedy) for complaint, remedy in chosen if attempt.works or _same(complaint) not in left]
        if attempt.works and not was.works:
            helped = list(chosen)
        self._steps += [Step(complaint, remedy, was.phase) for complaint, remedy in helped]
        if len(helped) == len(chosen):
            return candidate, attempt
        kept = before
        for _, remedy in helped:
            kept = relaxed(kept, remedy, was.standings.get(remedy.service, Standing()))
        # What is left is judged by this trial; the steps that did not help make no difference to it.
        return kept, attempt._replace(standings=was.standings) if not helped else attempt

    def _noises(self, attempt: Attempt) -> tuple[Complaint, ...]:
        return tuple(noise for noise in attempt.noises if (noise.service, noise.text) not in self._ignored)

    # Without symptoms.

    def _by_halves(self, candidate: Candidate, attempt: Attempt) -> tuple[Candidate, Attempt]:
        """Find a smallest set of controls without which it works, and step back in those alone."""
        controls = sorted(attempt.controls)
        why = _short(attempt.complaints[0].text)
        guilty = self._guilty(candidate, attempt, controls, why)
        if guilty is None:
            return candidate, attempt
        relaxed_ = candidate.leaving_out(dict.fromkeys(guilty, why))
        for service, rule in guilty:
            self._steps.append(Step(attempt.complaints[0], Remedy(service, "without", rule, why), attempt.phase))
        for service in [service for service, rule in guilty if rule == CAPABILITIES]:
            relaxed_ = self._with_some_capabilities(relaxed_, service, why)
        if not self._has_time(1):
            return relaxed_, attempt
        return relaxed_, self._attempt(relaxed_, f"without {_named(guilty)}")

    def _guilty(self, candidate: Candidate, attempt: Attempt, controls: Sequence[Control], why: str) -> list[Control] | None:
        """A smallest set of controls without which it works; None where time is over, or nothing helps."""

        def works_without(some: Iterable[Control]) -> bool:
            out = dict.fromkeys(some, why)
            return self._attempt(candidate.leaving_out(out), f"without {_named(out)}").works

        suspects = [complaint.service for complaint in attempt.complaints if complaint.service]
        for service in dict.fromkeys(suspects):
            own = [control for control in controls if control[0] == service]
            if own and self._has_time(2) and works_without(own):
                return self._smallest(own, works_without)
        if not self._has_time(3):
            return None
        services = list(dict.fromkeys(service for service, _ in controls))
        if len(services) > 1:

            def works_without_all_of(some: Iterable[str]) -> bool:
                names = tuple(some)
                return works_without(control for control in controls if control[0] in names)

            groups = self._smallest(services, works_without_all_of)
            controls = [control for control in controls if control[0] in groups]
        return self._smallest(controls, works_without)

    def _smallest(self, items: Sequence[T], works_without: Callable[[Iterable[T]], bool]) -> list[T]:
        """A part of the items without which it works, of which none can be spared; as far as time allows (ddmin)."""
        left, parts = list(items), 2
        while len(left) > 1 and self._has_time(3):
            size = -(-len(left) // parts)
            pieces = [left[at : at + size] for at in range(0, len(left), size)]
            rests = [[item for item in left if item not in piece] for piece in pieces] if parts > 2 else []
            smaller = next((some for some in (*pieces, *rests) if self._has_time(2) and works_without(some)), None)
            if smaller is not None:
                left, parts = smaller, max(2, parts - 1) if smaller in rests else 2
            elif parts >= len(left):
                break
            else:
                parts = min(len(left), 2 * parts)
        return left

    def _with_some_capabilities(self, candidate: Candidate, service: str, why: str) -> Candidate:
        """Instead of all capabilities those that are usual, where they are enough."""
        for names in _USUAL:
            if not self._has_time(2):
                break
            without = {control: reason for control, reason in candidate.without.items() if control != (service, CAPABILITIES)}
            proven = candidate.of(service)._replace(capabilities=dict.fromkeys(names.split(), ""))
            fewer = candidate._replace(without=without).giving(service, proven)
            if self._attempt(fewer, f"{service} with {names}").works:
                self._steps[-1] = self._steps[-1]._replace(remedy=Remedy(service, "capability", names, why))
                return fewer
        return candidate

    # What is more than it takes.

    def _shrunk(self, candidate: Candidate, attempt: Attempt) -> tuple[Candidate, Attempt]:
        """Take back, one after the other, capabilities that were given several at a time."""
        several = {
            (step.remedy.service, name)
            for step in self._steps
            if step.remedy.kind == "capability" and " " in step.remedy.value
            for name in step.remedy.value.split()
        }
        for service, name in sorted(several):
            kept = dict(candidate.of(service).capabilities or {})
            if name not in kept or not self._has_time(4):
                continue
            del kept[name]
            fewer = candidate.giving(service, candidate.of(service)._replace(capabilities=kept))
            again = self._attempt(fewer, f"{service} without {name}")
            if again.works and not self._noises(again):
                candidate, attempt = fewer, again
        return candidate, attempt

    def _in_no_time(self, candidate: Candidate, attempt: Attempt) -> Result:
        """Leave out whatever may be to blame, and see whether the rest works."""
        blamed = {complaint.service for complaint in attempt.complaints if complaint.service}
        for services in [blamed, set(attempt.standings)] if blamed else [set(attempt.standings)]:
            left = frozenset(control for control in attempt.controls if control[0] in services)
            if not self._has_time(1) or left == attempt.controls:
                break
            less = candidate.leaving_out(dict.fromkeys(left, f"not decided in time: {_short(_told(attempt))}"))
            again = self._attempt(less, f"without all of {', '.join(sorted(services))}")
            if again.works:
                return self._result(less, again)._replace(undecided=left)
        return self._result(candidate, attempt, works=False)._replace(undecided=attempt.controls)


def _same(complaint: Complaint) -> tuple[str, str, str]:
    from hardener.trial.expect import without_numbers

    return complaint.service, complaint.kind, without_numbers(complaint.text)


def _told(attempt: Attempt) -> str:
    first = attempt.complaints[0] if attempt.complaints else None
    return f"{first.service or 'the stack'}: {first.text}" if first else ""


def _words(chosen: Sequence[tuple[Complaint, Remedy]]) -> str:
    return "; ".join(described(remedy) for _, remedy in chosen)


def described(remedy: Remedy) -> str:
    """A step back, as a person says it."""
    words = {
        "capability": f"with {remedy.value.replace(' ', ', ')}",
        "tmpfs": f"with a tmpfs at {remedy.value}",
        "exec": f"with programs in {remedy.value}",
        "memory": f"with {remedy.value} times the memory",
    }
    return f"{remedy.service} {words.get(remedy.kind, f'without the fix of {remedy.value}')}"


def _named(controls: Iterable[Control]) -> str:
    return ", ".join(f"{rule} of {service}" for service, rule in sorted(controls))


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
