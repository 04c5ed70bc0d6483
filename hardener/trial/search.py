"""The way from the strictest set of hardening to one that works, by few trials. Knows symptoms and sets, no engine.

A trial that fails names symptoms; each asks for the smallest step back that could mend it, in all services at once. A step
that did not help is taken back before the next one is tried. Where no symptom says anything, delta debugging finds a smallest
set of controls without which it works; leaving one out at a time would not, since some stand in for each other.

What is said to work was seen to work, whole, the last two times that it was run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from hardener.record import NamedTuple
from hardener.trial.candidate import CAPABILITIES, Candidate, Control
from hardener.trial.halves import smallest
from hardener.trial.remedy import Complaint, Kind, Remedy, Standing
from hardener.trial.steps import (
    MAY_BREAK,
    SMALL,
    USUAL,
    Attempt,
    Chosen,
    Step,
    as_if,
    blamed,
    described,
    leaving_out,
    likelihood,
    line_of,
    named,
    place,
    same,
    short,
    split,
    taking_back,
    told,
    with_steps,
    without_name,
)
from hardener.trial.symptoms import remedies


class _Hopeless(Exception):
    """It does not work without any control either."""


#: Times that a set that works is run again at most, when it once did not.
_REPEATS = 2


class Result(NamedTuple):
    """Where the search ended. `works` is False where nothing was found in time that works twice."""

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
#: A candidate, and how it did. Where that works, it is this very candidate that was run.
_State = tuple[Candidate, Attempt]


class Search:
    """One search. `has_time` says whether so many more trials fit into the budget, beside the last one of what was found."""

    def __init__(self, attempt: Try, has_time: Callable[[int], bool], *, asked: bool) -> None:
        self._attempt = attempt
        self._has_time = has_time
        #: Whether somebody's probe says if the stack does its job; else its logs count for more.
        self._asked = asked
        self._tried: set[tuple[str, str, str]] = set()
        self._made: set[tuple[str, str, str]] = set()
        self._steps: list[Step] = []
        self._flaky: list[str] = []
        self._ignored: set[tuple[str, str]] = set()
        self._needed: set[tuple[str, str]] = set()
        self._undecided: frozenset[Control] = frozenset()

    def run(self, strictest: Candidate) -> Result:
        """Search from the strictest candidate on. Raises `TrialError` where the engine is lost."""
        self._tried.clear()
        candidate, attempt = self._to_work(strictest, self._attempt(strictest, "the strictest set"))
        again = attempt
        for _ in range(1 + _REPEATS):
            if not attempt.works:
                break
            candidate, attempt = self._shrunk(candidate, attempt)
            if not self._has_time(0):
                return self._result(candidate, attempt, works=False, undecided=attempt.controls)
            again = self._attempt(candidate, "the same once more")
            if again.works:
                return self._result(candidate, again)
            self._flaky.append(told(again))
            candidate, attempt = self._repeated(candidate, again)
        return self._in_no_time(candidate, again if attempt.works else attempt)

    def _result(
        self, candidate: Candidate, attempt: Attempt, *, works: bool = True, undecided: frozenset[Control] = frozenset()
    ) -> Result:
        left = self._undecided | undecided
        return Result(candidate, works, tuple(self._steps), tuple(self._flaky), left, attempt.noises, attempt)

    def _repeated(self, candidate: Candidate, again: Attempt) -> _State:
        """What worked and then did not: mended where it says why, else tried once more before anything is given up."""
        if not self._has_time(1):
            return candidate, again
        if not self._choose(again.complaints, again):
            again = self._attempt(candidate, "the same a third time")
        return self._to_work(candidate, again)

    # By symptoms.

    def _to_work(self, candidate: Candidate, attempt: Attempt) -> _State:
        """Steps back until it works, or time is over."""
        while self._has_time(2):
            wrong = attempt.complaints or self._noises(attempt)
            if not wrong:
                break
            chosen = self._choose(wrong, attempt)
            if chosen:
                candidate, attempt = self._stepped_back(candidate, attempt, chosen)
            elif attempt.works:  # nothing mends what its logs say
                self._ignored |= {line_of(complaint) for complaint in wrong}
                break
            else:
                return self._by_halves(candidate, attempt)
        return candidate, attempt

    def _noises(self, attempt: Attempt) -> tuple[Complaint, ...]:
        return tuple(noise for noise in attempt.noises if line_of(noise) not in self._ignored)

    def _choose(self, wrong: Sequence[Complaint], attempt: Attempt) -> list[tuple[Complaint, Remedy]]:
        """For each complaint the smallest remedy that was not tried yet; the same remedy once.

        What goes further than one value is for when nothing smaller is left for its service, one at a time.
        """
        offers: dict[str, dict[tuple[str, str, str], tuple[int, Complaint, Remedy]]] = {}
        for complaint in wrong:
            for service in (complaint.service,) if complaint.service else sorted(attempt.standings):
                offer = next(self._untried(complaint, service, attempt), None)
                # Somebody's probe is content: then no line in a log is worth a whole control.
                if offer is not None and not (offer[0] > SMALL and attempt.works and self._asked):
                    offers.setdefault(service, {}).setdefault(offer[1][:3], (offer[0], complaint, offer[1]))
        speaking = {complaint.service for complaint in wrong if complaint.kind is not Kind.LOG} & set(offers)
        chosen = []
        for service, ones in offers.items():
            least = min(how_far for how_far, _, _ in ones.values())
            best = [(complaint, remedy) for how_far, complaint, remedy in ones.values() if how_far == least]
            if least == SMALL:
                chosen += best
            elif service in speaking or not speaking:
                chosen += best[:1]
        return chosen

    def _untried(self, complaint: Complaint, service: str, attempt: Attempt) -> Iterator[tuple[int, Remedy]]:
        """What may mend a complaint if it is about this service, and how far each goes; nothing that was tried."""
        standing = attempt.standings.get(service)
        if standing is None or (not complaint.service and complaint.kind is Kind.PROBE):
            return
        for remedy in remedies(complaint._replace(service=service), standing):
            for offer in split(complaint, remedy, standing):
                if offer[1][:3] not in self._tried:
                    yield offer

    def _stepped_back(self, candidate: Candidate, was: Attempt, chosen: Chosen) -> _State:
        """Try some steps back at once, and keep those that helped."""
        self._tried |= {remedy[:3] for _, remedy in chosen}
        after = with_steps(candidate, was, chosen)
        attempt = self._attempt(after, "; ".join(described(remedy) for _, remedy in chosen))
        helped = self._helped(was, attempt, chosen)
        if len(helped) == len(chosen):
            return self._kept(after, attempt, was, chosen)
        kept = with_steps(candidate, was, helped)
        if attempt.works and not was.works:
            # It works, and still prints what some of the steps were for: perhaps without them too.
            seen = self._attempt(kept, taking_back(chosen, helped)) if self._has_time(1) else None
            if seen is None or not seen.works:
                return self._kept(after, attempt, was, chosen)
            if not helped:
                self._flaky.append(told(was))
            return self._kept(kept, seen, was, helped)
        if not helped:
            return candidate, was
        if was.works or self._misled(was, attempt, chosen, helped):
            if not self._has_time(1):
                return candidate, was
            seen = self._attempt(kept, taking_back(chosen, helped))
            if was.works and not seen.works:
                return candidate, was
            return self._kept(kept, seen, was, helped)
        return self._kept(kept, as_if(was, attempt, chosen, helped), was, helped)

    def _kept(self, candidate: Candidate, attempt: Attempt, was: Attempt, helped: Chosen) -> _State:
        self._steps += [Step(complaint, remedy, was.phase) for complaint, remedy in helped]
        # What was of no use to a service under another control may be what it lacks without that one.
        self._made |= {remedy[:3] for _, remedy in helped}
        changed = {remedy.service for _, remedy in helped if remedy.kind == "without"}
        self._tried = {one for one in self._tried if one[0] not in changed or one in self._made}
        return candidate, attempt

    def _helped(self, was: Attempt, attempt: Attempt, chosen: Chosen) -> list[tuple[Complaint, Remedy]]:
        """The steps after which their complaint is gone, where it did not come at a higher price."""
        if was.works and not attempt.works:
            return []
        left = {same(complaint) for complaint in (*attempt.complaints, *attempt.noises)}
        if not attempt.works and place(attempt) < place(was):
            worse = {complaint.service for complaint in attempt.complaints if same(complaint) not in map(same, was.complaints)}
            if worse & {remedy.service for _, remedy in chosen}:
                # Nothing is known of the others, which may be tried again.
                self._tried -= {remedy[:3] for _, remedy in chosen if remedy.service not in worse}
            return []
        got_on = any(same(one) not in left for one in was.complaints if one.kind is not Kind.LOG)
        return [
            (complaint, remedy)
            for complaint, remedy in chosen
            if same(complaint) not in left
            # A line in a log may go with a whole control that has nothing to do with what is broken.
            and not (was.complaints and complaint.kind is Kind.LOG and remedy.kind == "without" and self._asked and not got_on)
        ]

    @staticmethod
    def _misled(was: Attempt, attempt: Attempt, chosen: Chosen, helped: Chosen) -> bool:
        """Whether what is new may come from a step that is taken back: a tmpfs hides files, root without powers is nobody."""
        back = {remedy.service for pair in chosen for remedy in [pair[1]] if pair not in helped and remedy.kind in MAY_BREAK}
        known = set(map(same, was.complaints))
        return any(complaint.service in back and same(complaint) not in known for complaint in attempt.complaints)

    # Without symptoms.

    def _by_halves(self, candidate: Candidate, attempt: Attempt) -> _State:
        """Find a smallest set of controls without which it works, and step back in those alone."""
        first = attempt.complaints[0]
        why = short(first.text)
        usual = self._with_what_is_usual(candidate, attempt, first)
        if usual is not None:
            return usual
        found = self._guilty(candidate, attempt, why)
        if found is None:
            return candidate, attempt
        guilty, seen, is_smallest = found
        if not is_smallest:
            self._undecided |= frozenset(guilty)
            return leaving_out(candidate, attempt, guilty, f"not decided in time: {why}"), seen
        candidate = leaving_out(candidate, attempt, guilty, why)
        self._steps += [Step(first, Remedy(service, "without", rule, why), attempt.phase) for service, rule in guilty]
        for service in [service for service, rule in guilty if rule == CAPABILITIES]:
            standing = attempt.standings.get(service, Standing())
            candidate, seen = self._with_some_capabilities(candidate, seen, service, standing, why)
        return candidate, seen

    def _with_what_is_usual(self, candidate: Candidate, attempt: Attempt, first: Complaint) -> _State | None:
        """With what root usually needs, where nothing is known of that: no other control breaks as many stacks."""
        guessed = [
            service
            for service, standing in sorted(attempt.standings.items())
            if (service, CAPABILITIES) in attempt.controls
            and not standing.user
            and candidate.of(service).capabilities == {}
            and first.service in ("", service)
        ]
        for names in USUAL[:2] if guessed else ():
            if not self._has_time(2):
                break
            why = short(first.text)
            given = candidate
            for service in guessed:
                given = given.giving(service, given.of(service)._replace(capabilities=dict.fromkeys(names.split(), why)))
            remedies_ = [Remedy(service, "capability", names, why) for service in guessed]
            seen = self._attempt(given, "; ".join(map(described, remedies_)))
            if seen.works:
                self._steps += [Step(first, remedy, attempt.phase) for remedy in remedies_]
                return given, seen
        return None

    def _guilty(self, candidate: Candidate, attempt: Attempt, why: str) -> tuple[list[Control], Attempt, bool] | None:
        """A set of controls without which it works, how it did, and whether it is a smallest one; None where there is none."""
        seen: dict[frozenset[Control], Attempt] = {}

        def works_without(some: Iterable[Control]) -> bool:
            out = frozenset(some)
            if out not in seen:
                seen[out] = self._attempt(leaving_out(candidate, attempt, out, why), named(out))
            return seen[out].works

        def narrowed(some: Sequence[Control]) -> tuple[list[Control], Attempt, bool]:
            left, is_smallest = smallest(some, works_without, self._has_time)
            return left, seen[frozenset(left)], is_smallest

        controls = sorted(attempt.controls, key=likelihood)
        for service in dict.fromkeys(complaint.service for complaint in attempt.complaints):
            own = [control for control in controls if control[0] == service]
            if own and self._has_time(1) and works_without(own):
                return narrowed(own)
        if not controls or not self._has_time(1):
            return None
        services = list(dict.fromkeys(service for service, _ in controls))

        def works_without_all_of(names: Sequence[str]) -> bool:
            return still_worth(control for control in controls if control[0] in names)

        def still_worth(some: Iterable[Control]) -> bool:
            """Without all controls it is the original, which did well twice: that is asked only when halves do not help."""
            works = works_without(some)
            in_vain = len(seen) > 1 and not any(attempt.works for attempt in seen.values())
            if in_vain and frozenset(controls) not in seen and self._has_time(1) and not works_without(controls):
                self._flaky.append(f"without any fix as well: {told(seen.pop(frozenset(controls)))}")
                if not self._has_time(1) or not works_without(controls):
                    raise _Hopeless
            return works

        try:
            groups, _ = smallest(services, works_without_all_of, self._has_time)
            some = [control for control in controls if control[0] in groups]
            left, is_smallest = smallest(some, still_worth, self._has_time)
            if frozenset(left) not in seen and self._has_time(1):
                still_worth(left)
        except _Hopeless:
            return None
        found = seen.get(frozenset(left))
        return (left, found, is_smallest) if found is not None and found.works else None

    def _with_some_capabilities(self, candidate: Candidate, seen: Attempt, service: str, standing: Standing, why: str) -> _State:
        """Instead of all capabilities those that are usual, where they are enough."""
        proven = candidate.of(service)
        had = dict(proven.capabilities or dict.fromkeys(sorted(standing.capabilities or ()), ""))
        without = {control: reason for control, reason in candidate.without.items() if control != (service, CAPABILITIES)}
        for names in USUAL:
            more = [name for name in names.split() if name not in had]
            if not self._has_time(1) or not more:
                continue
            given = proven._replace(capabilities={**had, **dict.fromkeys(more, why)})
            fewer = candidate._replace(without=without).giving(service, given)
            attempt = self._attempt(fewer, f"{service} with {' '.join(more)}")
            if attempt.works:
                remedy = Remedy(service, "capability", " ".join(more), why)
                self._steps = [
                    step._replace(remedy=remedy) if step.remedy[:3] == (service, "without", CAPABILITIES) else step
                    for step in self._steps
                ]
                return fewer, attempt
        return candidate, seen

    # What is more than it takes.

    def _shrunk(self, candidate: Candidate, attempt: Attempt) -> _State:
        """Take back, one after the other, capabilities that were given several at a time."""
        several = {
            (step.remedy.service, name)
            for step in self._steps
            if step.remedy.kind == "capability" and " " in step.remedy.value
            for name in step.remedy.value.split()
        }
        for service, name in sorted(several - self._needed):
            kept = dict(candidate.of(service).capabilities or {})
            if name not in kept or (service, CAPABILITIES) in candidate.without or not self._has_time(3):
                continue
            del kept[name]
            fewer = candidate.giving(service, candidate.of(service)._replace(capabilities=kept))
            again = self._attempt(fewer, f"{service} without {name}")
            if again.works and not self._noises(again):
                candidate, attempt = fewer, again
                self._steps = list(without_name(self._steps, service, name))
            else:
                self._needed.add((service, name))
        return candidate, attempt

    # What is left when time is over.

    def _in_no_time(self, candidate: Candidate, attempt: Attempt) -> Result:
        """Leave out whatever may be to blame, and see whether the rest works twice."""
        why = f"not decided: {short(told(attempt))}"
        for out in blamed(attempt):
            if not self._has_time(1):
                break
            less = leaving_out(candidate, attempt, out, why)
            again = self._attempt(less, named(out))
            if again.works and self._has_time(0):
                again = self._attempt(less, "the same once more")
                if again.works:
                    return self._result(less, again, undecided=out)
                self._flaky.append(told(again))
        return self._result(candidate, attempt, works=False, undecided=attempt.controls)
