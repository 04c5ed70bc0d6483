"""One number for all answers, before and after the fixes. Knows answers, not how they came about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hardener.posture import AUDITED, Answer, Posture, Score

#: What an answer is worth, in quarters of its question's points. What is not known is not held to be good.
_WORTH = {Answer.GOOD: 4, Answer.JUSTIFIED: 3, Answer.UNKNOWN: 2, Answer.BAD: 0}
_POINTS_EXPLOITABLE, _POINTS_OPERATIONAL = 3, 1


def score(postures: Iterable[Posture]) -> Score:
    """The points out of 100, before and after the fixes.

    Of each container, each of the six questions that makes sense for it brings points, three where it is exploitable and one
    where it is operational: all of them for a good answer, three quarters for one that is justified, half where it is not known,
    none for a bad one. The score is what was brought of all that could be, in hundredths, rounded down, so that 100 is nothing
    but good; where there is nothing to ask it is 100.
    """
    together = list(postures)
    return Score(_points(posture.before for posture in together), _points(posture.after for posture in together))


def points_lost(answers: Mapping[str, Answer]) -> int:
    """How much one container takes away, in quarters of points: what puts the worst first."""
    return sum(weight * (4 - _WORTH[answer]) for weight, answer in _weighed(answers))


def _points(all_answers: Iterable[Mapping[str, Answer]]) -> int:
    reached = possible = 0
    for answers in all_answers:
        for weight, answer in _weighed(answers):
            reached += weight * _WORTH[answer]
            possible += weight * _WORTH[Answer.GOOD]
    return 100 * reached // possible if possible else 100


def _weighed(answers: Mapping[str, Answer]) -> Iterable[tuple[int, Answer]]:
    for question in AUDITED:
        answer = answers.get(question.id, Answer.NONE)
        if answer is not Answer.NONE:
            yield _POINTS_EXPLOITABLE if question.exploitable else _POINTS_OPERATIONAL, answer
