"""What a change makes worse: findings that are new, and answers that were better. Knows no git and no terminal.

Findings are the same by their fingerprints, in which lines do not count. Files that were renamed keep their findings: those
that are gone are matched with those that are new by the lines that they share, as git does, but without asking it, since git
would run the filters of the repository for that. A finding that is let be now is not worse; one that was let be, and is no
longer, is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set

from hardener.audit.postures import Standing, against
from hardener.finding import Finding
from hardener.fingerprint import fingerprints
from hardener.passes import shown
from hardener.posture import QUESTIONS, Answer, Posture, Question
from hardener.record import NamedTuple
from hardener.report import Outcome, Report, Status

#: How much of the lines of two files must be the same for one to be the other, renamed.
_SIMILAR = 0.5
#: So many pairs of files are compared line by line; beyond that, only files that were not changed are followed.
_MOST_PAIRS = 40_000


class WorseAnswer(NamedTuple):
    """An answer that was better before; `before` is None for a container that is new."""

    posture: Posture
    question: Question
    before: Answer | None


class Change(NamedTuple):
    """What is worse."""

    findings: tuple[Outcome, ...]
    answers: tuple[WorseAnswer, ...]
    #: Files that were called otherwise: from the old name to the new one.
    renamed: Mapping[str, str]

    @property
    def is_worse(self) -> bool:
        """Whether there is anything."""
        return bool(self.findings or self.answers)


def change(
    before: tuple[Report, Sequence[Standing]],
    after: tuple[Report, Sequence[Standing]],
    old_texts: Mapping[str, str],
    new_texts: Mapping[str, str],
) -> Change:
    """What is worse after than before; the texts are those of all files that were judged, by the names in the reports."""
    names = renamed(old_texts, new_texts)
    old = dict(_fingerprints(before[0].outcomes, names))
    findings = [outcome for mark, outcome in _fingerprints(after[0].outcomes, {}) if mark not in old]
    was = {_who(standing.posture, names): standing.posture for standing in before[1]}
    told = {shown(outcome.finding) for outcome in findings}
    answers = [worse for standing in after[1] for worse in _worse(standing, was, told)]
    return Change(tuple(findings), tuple(answers), names)


def _worse(standing: Standing, was: Mapping[tuple[str, str], Posture], told: Set[tuple[object, ...]]) -> Iterator[WorseAnswer]:
    posture = standing.posture
    old = was.get(_who(posture, {}))
    new = [outcome for outcome in standing.outcomes if shown(outcome.finding) in told]
    for question in QUESTIONS:
        now = posture.before[question.id]
        before = old.before[question.id] if old is not None else None
        is_found = any(against(new, question))
        if before is None or before is Answer.NONE:
            # What is new has its findings; this is for what no rule has one for.
            is_worse, before = now is Answer.BAD and not is_found, None
        else:
            is_worse = now is not Answer.NONE and now.rank < before.rank
        if is_worse:
            yield WorseAnswer(posture, question, before)


def renamed(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Files that are only before, with those that are only after and say much the same: old name to new name, best first."""
    gone = {name: text for name, text in old.items() if name not in new}
    come = {name: text for name, text in new.items() if name not in old}
    found = _unchanged(gone, come)
    arrivals = set(found.values())
    before = {name: Counter(text.splitlines()) for name, text in gone.items() if name not in found}
    after = {name: Counter(text.splitlines()) for name, text in come.items() if name not in arrivals}
    if len(before) * len(after) > _MOST_PAIRS:
        return found
    pairs = [(_likeness(one, other), left, arrived) for left, one in before.items() for arrived, other in after.items()]
    for likeness, left, arrived in sorted(pairs, key=lambda pair: (-pair[0], pair[1:])):
        if likeness >= _SIMILAR and left not in found and arrived not in arrivals:
            found[left] = arrived
            arrivals.add(arrived)
    return found


def _unchanged(gone: Mapping[str, str], come: Mapping[str, str]) -> dict[str, str]:
    """Of files that went and came those whose text is the same, in the order of their names: folders are moved as a whole."""
    waiting: dict[str, list[str]] = {}
    for arrived in sorted(come, reverse=True):
        if come[arrived]:
            waiting.setdefault(come[arrived], []).append(arrived)
    return {left: waiting[gone[left]].pop() for left in sorted(gone) if waiting.get(gone[left])}


def _likeness(one: Counter[str], other: Counter[str]) -> float:
    most = max(one.total(), other.total())
    return (one & other).total() / most if most else 0.0


def _who(posture: Posture, names: Mapping[str, str]) -> tuple[str, str]:
    return names.get(posture.place.path, posture.place.path), posture.subject


def _fingerprints(outcomes: Sequence[Outcome], names: Mapping[str, str]) -> Iterator[tuple[str, Outcome]]:
    """Each finding that is not let be, by what it is called for ever, with its file by its new name."""
    loud = [outcome for outcome in outcomes if outcome.status is not Status.SILENCED]
    marks = fingerprints([_moved(outcome.finding, names) for outcome in loud], "/", "/")
    return zip(marks, loud, strict=True)


def _moved(finding: Finding, names: Mapping[str, str]) -> Finding:
    old = finding.place.path
    new = names.get(old, old)
    return finding._replace(place=finding.place._replace(path=new), key=finding.key.replace(old, new))
