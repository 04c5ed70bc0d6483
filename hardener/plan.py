"""Which fixes are made in one pass, and what becomes of the others. Knows no format's text and no rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hardener.errors import CannotWrite
from hardener.finding import Applicability, Change, Finding, Fix, Reach, Rule
from hardener.record import NamedTuple
from hardener.report import Status

#: What a finding is called across passes; see `Finding.identity`.
Identity = tuple[str, str, str]


class Choice(NamedTuple):
    """A fix that is made in this pass, with its changes."""

    finding: Finding
    changes: tuple[Change, ...]


class Plan(NamedTuple):
    """The fixes of one pass in the order in which they are written, and how every other finding ended for now."""

    choices: tuple[Choice, ...]
    others: tuple[tuple[Finding, Status, str], ...]


def make_plan(
    findings: Iterable[Finding], rules: Mapping[str, Rule], threshold: Applicability, blocked: Mapping[Identity, str]
) -> Plan:
    """Choose fixes that are trusted enough, can be written, and are right for everyone whom the text serves.

    `blocked` names fixes that were tried and taken back, with the reason.
    """
    others: list[tuple[Finding, Status, str]] = []
    candidates: dict[tuple[str, str], Choice] = {}
    for finding in sorted(findings, key=lambda f: _rank(f, rules[f.rule])):
        fix = finding.fix
        if fix is None or fix.applicability is Applicability.DISPLAY:
            others.append((finding, Status.REFUSED if finding.refusal else Status.REPORTED, finding.refusal))
        elif finding.identity in blocked:
            others.append((finding, Status.FAILED, blocked[finding.identity]))
        elif fix.applicability < threshold:
            others.append((finding, Status.HELD_BACK, fix.missing or _what_is_weak(fix)))
        else:
            try:
                changes = fix.changes + tuple(change for want in fix.wants for change in want.setting.to(want.value))
            except CannotWrite as error:
                others.append((finding, Status.REFUSED, error.reason))
                continue
            candidates[finding.rule, finding.key or finding.subject] = Choice(finding, changes)
    # What changes the needs of a container goes first and alone: the other fixes are then made for what is needed after it.
    first = {key: choice for key, choice in candidates.items() if choice.finding.fix and choice.finding.fix.unsettles}
    choices: list[Choice] = []
    for some in (first, {key: choice for key, choice in candidates.items() if key not in first}):
        others += _drop_what_disagrees(some)
        others += _drop_what_would_reach_others(some)
        choices = _without_overlap(_once(some))
        if any(choice.changes for choice in choices):
            break
    return Plan(tuple(choices), tuple(others))


def _what_is_weak(fix: Fix) -> str:
    """Why a fix is held back although it names nothing that is missing."""
    if not fix.evidence:
        return "evidence about this workload that was read or seen"
    weakest = min(fix.evidence, key=lambda item: item.strength)
    return f"evidence that was read or seen: so far it is only said in {weakest.source}"


def _rank(finding: Finding, rule: Rule) -> tuple[object, ...]:
    # Not by applicability: the same fixes are to give the same text, whether they are made at once or in two runs.
    return -rule.severity, rule.id, finding.place.path, finding.place.line, finding.key


def _drop_what_disagrees(candidates: dict[tuple[str, str], Choice]) -> list[tuple[Finding, Status, str]]:
    """Take out the fixes of one hazard that would write different things at one place: the text serves both containers."""
    wanted: dict[tuple[str, str, object], list[tuple[tuple[str, str], object]]] = {}
    for key, choice in candidates.items():
        for change in choice.changes:
            wanted.setdefault((choice.finding.rule, change.path, _target(change)), []).append((key, change.operation))
    dropped: list[tuple[Finding, Status, str]] = []
    for operations in wanted.values():
        if len(operations) > 1 and len({repr(operation) for _, operation in operations}) > 1:
            for key in dict.fromkeys(key for key, _ in operations):
                if key in candidates:
                    finding = candidates.pop(key).finding
                    why = "with and without the file that is laid over this one, it needs different values"
                    dropped.append((finding, Status.REFUSED, why))
    return dropped


def _drop_what_would_reach_others(candidates: dict[tuple[str, str], Choice]) -> list[tuple[Finding, Status, str]]:
    """Take out, until nothing changes, each fix whose text would also serve a container that does not want it."""
    if not any(change.reaches for choice in candidates.values() for change in choice.changes):
        return []
    from hardener.sharing import gets_along  # knows YAML, which a Dockerfile has no need of

    dropped: list[tuple[Finding, Status, str]] = []
    while True:
        unwanted = {
            key: reach
            for key, choice in zip(candidates, _once(candidates), strict=True)  # what it inherits, it does not write
            for change in choice.changes
            for reach in change.reaches
            if (other := candidates.get((choice.finding.rule, reach.key))) is None or not gets_along(change, reach, other.changes)
        }
        if not unwanted:
            return dropped
        for key, reach in unwanted.items():
            finding = candidates.pop(key).finding
            who = reach.key.rpartition("#")[2]
            if who == finding.subject:
                why = f"a file that is laid over this one changes `{who}` so that it would not be right there"
                dropped.append((finding, Status.REFUSED, why))
                continue
            dropped.append(
                (finding, Status.REFUSED, f"the same text also serves `{who}`, for which this is not known to be right")
            )


def _once(candidates: dict[tuple[str, str], Choice]) -> list[Choice]:
    """Leave out of each fix what its container gets anyway from another fix of this pass."""
    inherited: dict[tuple[str, str], list[tuple[Change, Reach]]] = {}
    for (rule, _), choice in candidates.items():
        for change in choice.changes:
            for reach in change.reaches:
                inherited.setdefault((rule, reach.key), []).append((change, reach))
    if not inherited:
        return list(candidates.values())
    from hardener.sharing import rest

    return [
        Choice(
            choice.finding,
            tuple(kept for change in choice.changes if (kept := rest(change, inherited.get(key, ()))) is not None),
        )
        for key, choice in candidates.items()
    ]


def _without_overlap(choices: list[Choice]) -> list[Choice]:
    """Take each fix that gets along with those before it; the others wait for the next pass, which reads the text anew."""
    taken: dict[tuple[str, object], object] = {}
    gone: list[tuple[str, tuple[object, ...]]] = []
    result: list[Choice] = []
    for choice in choices:
        mine = {(change.path, _target(change)): change.operation for change in choice.changes}
        if any(taken.get(place, operation) != operation for place, operation in mine.items()):
            continue
        removed = [(change.path, _region(change)) for change in choice.changes if getattr(change.operation, "removes", False)]
        if any(_touch(mine, place, taken) for place in gone) or any(_touch(taken, place, mine) for place in removed):
            continue
        taken |= mine
        gone += removed
        result.append(choice)
    return result


def _region(change: Change) -> tuple[object, ...]:
    """What a removal may take along: the list of an item, which it may leave empty."""
    route: tuple[object, ...] = change.operation.route
    return route[:-1] if isinstance(route[-1], int) else route


def _touch(
    places: Mapping[tuple[str, object], object], gone: tuple[str, tuple[object, ...]], other: Mapping[tuple[str, object], object]
) -> bool:
    """Whether anything happens inside what goes, unless the other fix asks for the very same."""
    path, region = gone
    return any(
        place == path and isinstance(route, tuple) and route[: len(region)] == region and other.get((place, route)) != operation
        for (place, route), operation in places.items()
    )


def _target(change: Change) -> object:
    route = getattr(change.operation, "route", None)
    return change.operation if route is None else route
