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
    #: It is bad, and somebody said why that is right: a silence with its reason.
    JUSTIFIED = "justified"
    #: It cannot be told from what is there, such as whom an unknown image runs as.
    UNKNOWN = "unknown"
    #: The question makes no sense for it, such as the engine's socket in a Dockerfile.
    NONE = "none"


class Question(NamedTuple):
    """One question of the audit."""

    #: Its number in the audit; 0 for one that is only shown beside it.
    number: int
    id: str
    #: As it is asked, and in a word or two, for the head of a column.
    text: str
    short: str
    #: The rules whose findings answer it.
    rules: tuple[str, ...]
    #: Whether whoever broke in can use it; otherwise it is about the neighbours' peace.
    exploitable: bool = True


QUESTIONS = (
    Question(1, "socket", "Is the engine's socket mounted?", "socket", ("docker-socket-mount",)),
    Question(2, "non-root", "Does it run as a user other than root?", "non-root", ("root-user", "root-not-refused")),
    Question(3, "privileged", "Is it privileged?", "privileged", ("privileged-container",)),
    Question(4, "capabilities", "Are capabilities dropped?", "capabilities", ("excess-capabilities", "added-capability")),
    Question(5, "limits", "Are memory and CPU limited?", "limits", ("unlimited-memory", "unlimited-cpu"), exploitable=False),
    Question(6, "host-network", "Does it use the host's network?", "host network", ("host-network",), exploitable=False),
    Question(0, "escalation", "Can a process gain privileges?", "escalation", ("privilege-escalation",)),
    Question(0, "read-only", "Is its root file system read-only?", "read-only", ("writable-root-filesystem",)),
)


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


class Score(NamedTuple):
    """Points out of 100, before and after the fixes; 100 where there is nothing to ask."""

    before: int
    after: int


def score(postures: Iterable[Posture]) -> Score:
    """The points for the six questions of the audit, rounded down: three where it is exploitable, one where it is operational.

    A good answer brings all of them, one that is justified three quarters, one that is not known half, and a bad one none.
    """
    possible = before = after = 0
    for posture in postures:
        for question in QUESTIONS:
            first, then = (answers.get(question.id, Answer.NONE) for answers in (posture.before, posture.after))
            if question.number and first is not Answer.NONE:
                points = 3 if question.exploitable else 1
                possible += 4 * points
                before += points * _QUARTERS[first]
                after += points * _QUARTERS[then]
    return Score(100 * before // possible, 100 * after // possible) if possible else Score(100, 100)


_QUARTERS = {Answer.GOOD: 4, Answer.JUSTIFIED: 3, Answer.UNKNOWN: 2, Answer.BAD: 0, Answer.NONE: 0}
