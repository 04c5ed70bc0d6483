"""How containers stand towards the questions of an audit, before and after the fixes. Knows not how they are answered.

The first six are those of the audit; 1 to 4 are exploitable and come first, 5 and 6 are operational. The others are shown
beside them, and count for no score.
"""

from __future__ import annotations

from collections.abc import Mapping
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
