"""How containers stand towards the questions of an audit, before and after the fixes. Knows not how they are answered.

The first six are those of the audit; 1 to 4 are exploitable and come first, 5 and 6 are operational. The others are shown
beside them, and count for no score.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

from hardener.finding import Place
from hardener.record import NamedTuple


class Answer(Enum):
    """How a container stands towards a question."""

    GOOD = "good"
    BAD = "bad"
    #: It is bad, and there is a reason why that is right: a silence gives it, or the image is known to make the best of it, as
    #: one that starts as root only to step down.
    JUSTIFIED = "justified"
    #: It cannot be told from what is there, such as whom an unknown image runs as.
    UNKNOWN = "unknown"
    #: The question makes no sense for it, such as the engine's socket in a Dockerfile.
    NONE = "none"

    @property
    def rank(self) -> int:
        """How good it is: 1 is bad and 4 is good; 0 where there is nothing to ask."""
        return _RANKS.index(self)


#: From none and the worst to the best.
_RANKS = (Answer.NONE, Answer.BAD, Answer.UNKNOWN, Answer.JUSTIFIED, Answer.GOOD)


class Question(NamedTuple):
    """One question of the audit."""

    #: Its number in the audit; 0 for one that is only shown beside it.
    number: int
    id: str
    #: As it is asked, and in a word or two, for the head of a column.
    text: str
    short: str
    #: The rules whose findings speak against it: where one has a finding, the answer is not good.
    rules: tuple[str, ...]
    #: Whether whoever broke in can use it; otherwise it is about the neighbours' peace.
    exploitable: bool = True


QUESTIONS = (
    Question(1, "socket", "Is the engine's socket mounted?", "socket", ("docker-socket-mount",)),
    Question(2, "non-root", "Does it run as a user other than root?", "non-root", ("root-user",)),
    Question(3, "privileged", "Is it privileged?", "privileged", ("privileged-container",)),
    Question(4, "capabilities", "Are capabilities dropped?", "capabilities", ("excess-capabilities", "added-capability")),
    Question(5, "limits", "Are memory and CPU limited?", "limits", ("unlimited-memory", "unlimited-cpu"), exploitable=False),
    Question(6, "host-network", "Does it use the host's network?", "host network", ("host-network",), exploitable=False),
    Question(0, "escalation", "Can a process gain privileges?", "escalation", ("privilege-escalation",)),
    Question(0, "read-only", "Is its root file system read-only?", "read-only", ("writable-root-filesystem",)),
)


#: Those that the score is made of.
AUDITED = tuple(question for question in QUESTIONS if question.number)


class Posture(NamedTuple):
    """How one container, or one Dockerfile that no container is built from, stands: by the `id` of each question."""

    subject: str
    key: str
    place: Place
    #: The image as it is written; empty where it is built in the project.
    image: str
    before: Mapping[str, Answer]
    #: With the fixes of the report made.
    after: Mapping[str, Answer]
    #: Why each answer is as it is, in words for people that hold names from files; empty where there is nothing to say.
    why: Mapping[str, str] = {}
    why_after: Mapping[str, str] = {}


class Score(NamedTuple):
    """Points out of 100, before and after the fixes; 100 where there is nothing to ask."""

    before: int
    after: int


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
