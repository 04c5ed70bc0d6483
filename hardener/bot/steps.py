"""One commit a rule: what each changes on top of those before it, in the order in which most can be reverted alone.

Each state between is a run of its own, with the rules so far and no others, so that every commit is proved. Knows no forge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hardener.bot.forge import FILE, Entry, Written
from hardener.bot.proposal import Step
from hardener.bot.touching import independent, touching
from hardener.pipeline import Request, run
from hardener.record import NamedTuple
from hardener.report import FileChange, Outcome, Report, Status
from hardener.trial.candidate import CAPABILITIES, ESCALATION, ROOT_USER, WRITABLE_ROOT

#: What most of that breaks which breaks at all (`hardener.trial.steps`), and so is reverted.
_RISKY = frozenset((CAPABILITIES, ESCALATION, ROOT_USER, WRITABLE_ROOT))
#: What changes whom a container runs as: on that depends which owners other fixes write for folders.
_USERS = frozenset((ROOT_USER,))
#: The files that differ from what is there, by path.
Texts = Mapping[str, FileChange]


class World(NamedTuple):
    """Files that are judged at once, and what came out of it with all rules."""

    request: Request
    report: Report

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that applied a fix, the worst first."""
        made = {one.finding.rule: one.severity for one in self.report.applied}
        return tuple(sorted(made, key=lambda rule: (-made[rule], rule)))


class State(NamedTuple):
    """What the files of several worlds say once a rule is applied beside those before it."""

    rule: str
    texts: Texts
    #: The fixes that are made by then, as they are at that point: a later rule may change them.
    made: tuple[Outcome, ...] = ()


def series(worlds: Sequence[World]) -> tuple[State, ...]:
    """The states of worlds that share their commits: one for each rule, and one more where rule by rule not all comes out.

    Git cannot revert a commit alone once a later one changed a line beside its own, and most of what hardens a service stands in
    a row. So the rules of which no two touch come last, as many of them as there can be, and of such sets the one with most of
    what may break something. All others come before these. At the very end is what makes other fixes come out differently, such
    as another user: its commit then holds these differences, too, and whoever reverts it has the fixes as they were before.
    """
    runs = _Runs(worlds)
    outcomes = [one for world in worlds for one in world.report.applied]
    severity = {one.finding.rule: one.severity for one in outcomes}
    unsettling = {one.finding.rule for one in outcomes if one.finding.fix is not None and one.finding.fix.unsettles}
    unsettling |= _USERS & set(severity)
    rules = sorted(severity, key=lambda rule: (rule in unsettling, -severity[rule], rule))
    if len(rules) > 1:
        edges = touching(_texts_of(runs.states(rules)))
        bound = {rule for edge in edges if edge & unsettling for rule in edge} | unsettling
        last = independent([rule for rule in rules if rule not in bound], edges, _RISKY) | unsettling
        rules.sort(key=lambda rule: rule in last)
    return runs.states(rules)


def steps_of(states: Sequence[State], names: Iterable[str], report: Report, entries: Mapping[str, Entry]) -> tuple[Step, ...]:
    """The steps of one bundle: what each state changes in the files of these names, and the outcomes of `report` behind that.

    A state that changes none of them is no step; what its rule did is told with the next one. A fix that a later step changes is
    told again there (`Step.also`).
    """
    paths = tuple(names)
    waiting: list[Outcome] = []
    also: list[Outcome] = []
    steps: list[Step] = []
    before: Texts = {}
    told: dict[tuple[str, str, str], Outcome] = {}
    for state in states:
        then = _by_identity(state.made)
        for one in report.outcomes:
            now = then.get(one.finding.identity, one)
            earlier = told.get(one.finding.identity)
            if one.status is Status.APPLIED and one.finding.rule == state.rule:
                waiting.append(now)
            elif earlier is not None and _summary(earlier) != _summary(now):
                also.append(now)
            else:
                continue
            told[one.finding.identity] = now
        changes = tuple(filter(None, (_between(before.get(path), state.texts.get(path)) for path in paths)))
        before = state.texts
        if changes:
            written = tuple(_written(change, entries) for change in changes)
            steps.append(Step(state.rule, written, _told(waiting, changes), tuple(also)))
            waiting, also = [], []
    if waiting and steps:
        last = steps[-1]
        steps[-1] = last._replace(report=_told((*last.report.outcomes, *waiting), last.report.changes))
    return tuple(steps)


def step_of(rule: str, report: Report, entries: Mapping[str, Entry]) -> tuple[Step, ...]:
    """All changes of a report as one step; none where there are none."""
    files = tuple(_written(change, entries) for change in report.changes)
    return (Step(rule, files, _told(report.applied, report.changes)),) if files else ()


class _Runs:
    """The runs that states are made of. Each is made once."""

    def __init__(self, worlds: Sequence[World]) -> None:
        self._worlds = worlds
        self._made: dict[tuple[int, frozenset[str]], tuple[Texts, tuple[Outcome, ...]]] = {}

    def states(self, rules: Sequence[str]) -> tuple[State, ...]:
        """The state after each rule, and what is left."""
        so_far: set[str] = set()
        states: list[State] = []
        for rule in rules:
            so_far.add(rule)
            texts: dict[str, FileChange] = {}
            made: list[Outcome] = []
            for number, world in enumerate(self._worlds):
                changes, outcomes = self._run(number, frozenset(so_far & set(world.rules)))
                texts |= changes
                made += outcomes
            states.append(State(rule, texts, tuple(made)))
        final = {change.before.path: change for world in self._worlds for change in world.report.changes}
        if _bytes(final) != _bytes(states[-1].texts if states else {}):
            states.append(State("", final, tuple(one for world in self._worlds for one in world.report.applied)))
        return tuple(states)

    def _run(self, number: int, rules: frozenset[str]) -> tuple[Texts, tuple[Outcome, ...]]:
        if not rules:
            return {}, ()
        if (number, rules) not in self._made:
            request = self._worlds[number].request
            report = run(request._replace(select=rules, singly=False, trace=None, advance=None))
            texts = {change.before.path: change for change in report.changes}
            self._made[number, rules] = texts, report.applied
        return self._made[number, rules]


def _by_identity(outcomes: Iterable[Outcome]) -> dict[tuple[str, str, str], Outcome]:
    """Outcomes by what makes their findings the same in another run; without those that share it."""
    found: dict[tuple[str, str, str], list[Outcome]] = {}
    for one in outcomes:
        found.setdefault(one.finding.identity, []).append(one)
    return {identity: some[0] for identity, some in found.items() if len(some) == 1}


def _summary(outcome: Outcome) -> str:
    return outcome.finding.fix.summary if outcome.finding.fix is not None else ""


def _texts_of(states: Sequence[State]) -> Mapping[str, list[tuple[str, str]]]:
    """By path, the text that there was, under no rule, and what each rule left."""
    first = {path: change.before.text for state in states for path, change in state.texts.items()}
    return {
        path: [("", text), *((state.rule, state.texts[path].after.text if path in state.texts else text) for state in states)]
        for path, text in first.items()
    }


def _between(old: FileChange | None, new: FileChange | None) -> FileChange | None:
    """What one file is changed by between two states; None where it is not."""
    if old is None or new is None:
        return new if old is None else old._replace(before=old.after, after=old.before)
    if old.after.to_bytes() == new.after.to_bytes():
        return None
    return new._replace(before=old.after, is_new=False)


def _written(change: FileChange, entries: Mapping[str, Entry]) -> Written:
    path = change.before.path
    return Written(path, change.after.to_bytes(), entries[path].mode if path in entries else FILE, change.is_new)


def _bytes(texts: Texts) -> dict[str, bytes]:
    return {path: change.after.to_bytes() for path, change in texts.items()}


def _told(outcomes: Iterable[Outcome], changes: Sequence[FileChange]) -> Report:
    return Report(tuple(outcomes), tuple(changes), files=len(changes))
