"""How every container of the files stands, before and after the fixes: `Report.postures`. Prints nothing, writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

from hardener.audit.answers import Replies, Reply, of_container, of_stage, worst
from hardener.discover import DOCKERFILE
from hardener.facts.tree import Tree
from hardener.finding import Place
from hardener.pipeline import Request, examine, tree_roots
from hardener.posture import QUESTIONS, Answer, Posture, Question
from hardener.record import NamedTuple
from hardener.report import Outcome, Report, Status

if TYPE_CHECKING:
    from hardener.group import Group


class Standing(NamedTuple):
    """How a container stands, and the findings that are about it."""

    posture: Posture
    outcomes: tuple[Outcome, ...]


def postures(request: Request) -> Report:
    """The report of a run, with `postures`: one for each container, and for each Dockerfile's stage that runs and that no
    container of these files is built from; in the order of the files.
    """
    return standings(request)[0]


def standings(request: Request) -> tuple[Report, tuple[Standing, ...]]:
    """The same, with the findings about each container."""
    report, found, _ = examined(request)
    return report, found


def examined(request: Request) -> tuple[Report, tuple[Standing, ...], list[tuple[Group, Group]]]:
    """The same, with each group of files as it is and as it would be."""
    from hardener.rules import load

    report, groups = examine(request)
    untouched = groups
    if report.changes:
        # As they are: a run that no rule takes part in. What is built here must not see a Dockerfile as it would become.
        _, untouched = examine(request._replace(select=frozenset(), ignore=frozenset(rule.id for rule in load()), singly=False))
    roots = tree_roots(request)
    later = Tree(roots, request.fetch)
    for change in report.changes:
        if change.location:
            later.take(change.location, change.after)
    before = _subjects((group for group, _ in untouched), Tree(roots, request.fetch))
    after = {subject.key: subject for subject in _subjects((group for _, group in groups), later)}
    named = {file.location: file.name for file in request.files if file.kind == DOCKERFILE}
    built = {named[subject.dockerfile] for subject in before if subject.dockerfile in named}
    asked = [subject for subject in before if not subject.is_stage or subject.place.path not in built]
    order = {file.name: at for at, file in enumerate(request.files)}
    rows = sorted(_rows(asked), key=lambda row: (order.get(row[0].place.path, len(order)), row[0].place))
    about = _About(report.outcomes, frozenset(key for row in rows for one in row for key in one.keys))
    found = tuple(_standing(row, after, about.of(row)) for row in rows)
    return report._replace(postures=tuple(standing.posture for standing in found)), found, groups


class _Subject(NamedTuple):
    """A container or stage with what it answers."""

    key: str
    subject: str
    place: Place
    image: str
    replies: Replies
    is_stage: bool
    #: Where the Dockerfile is that makes its image, and the stage of it that does; empty where none is known.
    dockerfile: str
    #: The keys of all whose findings are about it: its own, its pod's, and that of the stage that it is built from.
    keys: frozenset[str]


def _subjects(groups: Iterable[Group], tree: Tree) -> list[_Subject]:
    found = []
    for group in groups:
        for one, needs in group.judged():
            if group.sees == "container":
                found.append(_container(one, needs, tree))
            elif one.runs:
                place = one.place(one.from_item)
                found.append(_Subject(one.key, one.subject, place, "", of_stage(one, needs), True, "", frozenset((one.key,))))
    return found


def _container(container: Any, needs: Any, tree: Tree) -> _Subject:
    keys = {container.key, container.whose(container.host_network)[1]}
    if container.build is not None:
        from hardener.facts.built import built_image

        image = built_image(container.build, tree, container.place.path)
        if not isinstance(image, str):
            keys.add(image.stage.key)
    return _Subject(
        container.key,
        container.subject,
        container.place,
        container.image_text,
        of_container(container, needs, tree),
        False,
        container.build.dockerfile if container.build is not None else "",
        frozenset(keys),
    )


def _rows(subjects: Iterable[_Subject]) -> list[list[_Subject]]:
    """Those that are one for people: a service that is judged with and without what is laid over it."""
    rows: dict[tuple[str, Place], list[_Subject]] = {}
    for subject in subjects:
        rows.setdefault((subject.subject, subject.place), []).append(subject)
    return list(rows.values())


def _standing(row: Sequence[_Subject], after: Mapping[str, _Subject], mine: Sequence[Outcome]) -> Standing:
    first = row[0]
    now = _weighed(worst(one.replies for one in row), mine, left=False)
    then = _weighed(worst(after[one.key].replies if one.key in after else one.replies for one in row), mine, left=True)
    posture = Posture(
        first.subject,
        first.key,
        first.place,
        first.image,
        {id: reply.answer for id, reply in now.items()},
        {id: reply.answer for id, reply in then.items()},
        {id: reply.why for id, reply in now.items() if reply.why},
        {id: reply.why for id, reply in then.items() if reply.why},
    )
    return Standing(posture, tuple(mine))


class _About:
    """Which findings are about a container: also one of several of a rule, and one that stands for another.

    Of a service that is judged with and without an overlay, a report shows a finding once, under one of the keys.
    """

    def __init__(self, outcomes: Sequence[Outcome], keys: Set[str]) -> None:
        self._outcomes = outcomes
        self._by_key: dict[str, list[int]] = {}
        self._by_place: dict[tuple[str, str], list[int]] = {}
        longest = max(map(len, keys), default=0)
        for number, outcome in enumerate(outcomes):
            finding = outcome.finding
            self._by_place.setdefault((finding.subject, finding.place.path), []).append(number)
            # What a rule adds to a key, to tell several findings apart, stands behind a blank.
            for end in _ends(finding.key, longest):
                if finding.key[:end] in keys:
                    self._by_key.setdefault(finding.key[:end], []).append(number)

    def of(self, row: Iterable[_Subject]) -> tuple[Outcome, ...]:
        """Those about one of these subjects, in the order of the report."""
        numbers: set[int] = set()
        for one in row:
            files = {one.place.path, *(file for key in one.keys for file in key.rpartition("#")[0].split("+"))}
            numbers.update(number for key in one.keys for number in self._by_key.get(key, ()))
            numbers.update(number for file in files for number in self._by_place.get((one.subject, file), ()))
        return tuple(self._outcomes[number] for number in sorted(numbers))


def _ends(key: str, longest: int) -> Iterator[int]:
    """Where what a key begins with may end: at its blanks, as far as keys are long, and at its end."""
    at = key.find(" ", 0, longest + 1)
    while at != -1:
        yield at
        at = key.find(" ", at + 1, longest + 1)
    yield len(key)


def against(outcomes: Iterable[Outcome], question: Question) -> Iterator[Outcome]:
    """Those outcomes that speak against a question."""
    return (outcome for outcome in outcomes if outcome.finding.rule in question.rules)


def _weighed(replies: Replies, outcomes: Sequence[Outcome], *, left: bool) -> Replies:
    """The answers with what was silenced: bad is justified where each finding that is left of it is let be, with a reason."""
    return {question.id: _silenced(replies[question.id], list(against(outcomes, question)), left) for question in QUESTIONS}


def _silenced(reply: Reply, outcomes: list[Outcome], left: bool) -> Reply:
    remaining = [outcome for outcome in outcomes if not (left and outcome.status is Status.APPLIED)]
    if reply.answer is not Answer.BAD or not remaining or any(one.status is not Status.SILENCED for one in remaining):
        return reply
    reasons = dict.fromkeys(outcome.why for outcome in remaining if outcome.why)
    return Reply(Answer.JUSTIFIED, f"{reply.why}; let be: {'; '.join(reasons) or 'silenced'}")
