"""Which fixes are made in one pass, and what becomes of the others. Knows no format's text and no rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

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
    """Take out the fixes of one hazard that would write different things at one place: the text serves both containers.

    Those that can be written for their own container alone are, instead.
    """
    dropped: list[tuple[Finding, Status, str]] = []
    while unwanted := _disagreeing(candidates):
        for key, (changes, why) in unwanted.items():
            if not _left_alone(candidates, key, changes):
                dropped.append((candidates.pop(key).finding, Status.REFUSED, why))
    return dropped


def _disagreeing(candidates: Mapping[tuple[str, str], Choice]) -> dict[tuple[str, str], tuple[list[Change], str]]:
    """The fixes that disagree with others of their hazard, with what they would write there, and why that cannot be."""
    wanted: dict[tuple[str, str, object], list[tuple[tuple[str, str], Change]]] = {}
    for key, choice in candidates.items():
        for change in choice.changes:
            wanted.setdefault((choice.finding.rule, change.path, _target(change)), []).append((key, change))
    unwanted: dict[tuple[str, str], tuple[list[Change], str]] = {}
    for found in wanted.values():
        if len(found) == 1 or len({repr(change.operation) for _, change in found}) == 1:
            continue
        subjects = {key: candidates[key].finding.subject for key, _ in found}
        twins = len(set(subjects.values())) < len(subjects)
        if not twins and not any((key[0], reach.key) in subjects for key, change in found for reach in change.reaches):
            continue  # each writes for itself, such as volumes of one pod: the second waits for the next pass
        why = "with and without the file that is laid over this one, it" if twins else "the text serves several containers, which"
        for key, change in found:
            unwanted.setdefault(key, ([], f"{why} need{'s' if twins else ''} different values"))[0].append(change)
    return unwanted


def _left_alone(candidates: dict[tuple[str, str], Choice], key: tuple[str, str], unwanted: Iterable[Change]) -> bool:
    """Plan a fix anew, without changes that also serve others, if each want behind them has text for one container."""
    choice = candidates[key]
    fix = choice.finding.fix
    refused, planned = _places(unwanted), _places(choice.changes)
    if fix is None or refused & _places(fix.changes):
        return False
    changes = fix.changes
    for want in fix.wants:
        try:
            asked: tuple[Change, ...] | None = want.setting.to(want.value)
            if asked and (refused & _places(asked) or not planned >= _places(asked)):  # now, or in an earlier round
                asked = want.setting.alone(want.value)
        except CannotWrite:
            return False
        if asked is None:
            return False
        changes += asked
    if refused & _places(changes):
        return False
    candidates[key] = Choice(choice.finding, changes)
    return True


def _places(changes: Iterable[Change]) -> set[tuple[str, object]]:
    return {(change.path, _target(change)) for change in changes}


def _drop_what_would_reach_others(candidates: dict[tuple[str, str], Choice]) -> list[tuple[Finding, Status, str]]:
    """Take out, until nothing changes, each fix whose text would also serve a container that does not want it.

    One that can be written for its own container alone is, instead.
    """
    if not any(change.reaches for choice in candidates.values() for change in choice.changes):
        return []
    from hardener.sharing import gets_along  # knows YAML, which a Dockerfile has no need of

    dropped: list[tuple[Finding, Status, str]] = []
    while True:
        unwanted: dict[tuple[str, str], list[tuple[Change, Reach]]] = {}
        for key, choice in zip(candidates, _once(candidates), strict=True):  # what it inherits, it does not write
            for change in choice.changes:
                for reach in change.reaches:
                    other = candidates.get((choice.finding.rule, reach.key))
                    if other is None or not gets_along(change, reach, other.changes):
                        unwanted.setdefault(key, []).append((change, reach))
        if not unwanted:
            return dropped
        for key, found in unwanted.items():
            if _left_alone(candidates, key, [change for change, _ in found]):
                continue
            finding = candidates.pop(key).finding
            who = min(reach.key for _, reach in found).rpartition("#")[2]  # reaches are a set, and a report says the same again
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
    taken: dict[tuple[str, object], list[object]] = {}
    gone: list[tuple[str, tuple[object, ...]]] = []
    result: list[Choice] = []
    for choice in choices:
        mine: dict[tuple[str, object], list[object]] = {}
        for change in choice.changes:
            mine.setdefault((change.path, _target(change)), []).append(change.operation)
        if any(not _join(taken.get(place, ()), operation) for place, some in mine.items() for operation in some):
            continue
        removed = [(change.path, _region(change)) for change in choice.changes if getattr(change.operation, "removes", False)]
        if any(_touch(mine, place, taken) for place in gone) or any(_touch(taken, place, mine) for place in removed):
            continue
        for place, some in mine.items():
            taken.setdefault(place, []).extend(some)
        gone += removed
        result.append(choice)
    return result


def _join(taken: Iterable[object], operation: object) -> bool:
    """Whether an operation gets along with others at its place: they are the same, or add to a list what is not in each other."""
    adds = getattr(operation, "adds", None)
    return all(
        operation == other
        or (adds is not None and (others := getattr(other, "adds", None)) is not None and not any(one in others for one in adds))
        for other in taken
    )


def _region(change: Change) -> tuple[object, ...]:
    """What a removal may take along: the list of an item, which it may leave empty."""
    route: tuple[object, ...] = change.operation.route
    return route[:-1] if isinstance(route[-1], int) else route


def _touch(
    places: Mapping[tuple[str, object], Sequence[object]],
    gone: tuple[str, tuple[object, ...]],
    other: Mapping[tuple[str, object], Sequence[object]],
) -> bool:
    """Whether anything happens inside what goes, unless the other fix asks for the very same."""
    path, region = gone
    return any(
        place == path
        and isinstance(route, tuple)
        and route[: len(region)] == region
        and any(operation not in other.get((place, route), ()) for operation in operations)
        for (place, route), operations in places.items()
    )


def _target(change: Change) -> object:
    route = getattr(change.operation, "route", None)
    return change.operation if route is None else route
