"""What containers need, as text and as JSON. Knows no rule, and no needs but what `hardener.needs.known` tells.

The JSON has `version` 1; fields may be added to it, and one that goes away or changes its meaning makes a new version:

    version      1
    containers   one object for each container, and for each stage that runs and that no container is built from:
      path, line   where it is asked for
      subject      the service or stage
      image        the image, or the Dockerfile that makes it
      known        {"question", "answer", "evidence": {"claim", "source", "strength"}} each
      unknown      {"question", "why"} each; the question "everything" where nothing is known
    troubles     what could not be read: {"path", "line", "reason", "remedy"}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from hardener.finding import Evidence, Place
from hardener.needs.known import Known, Told
from hardener.record import NamedTuple
from hardener.render.summary import clean, filled, problem
from hardener.report import Trouble

VERSION = 1
_WIDTH = 19
#: Of more places and reasons than these, text names only the first.
_MOST_SOURCES = 3
_MOST_REASONS = 8


class Row(NamedTuple):
    """What is known of one container or stage."""

    place: Place
    subject: str
    image: str
    told: Told


def text(rows: Sequence[Row], troubles: Iterable[Trouble], width: int = 80) -> str:
    """One block for all containers with the same needs: question, answer, and how that is known, in lines of `width`."""
    blocks: dict[tuple[str, str, Told], list[str]] = {}
    for row in rows:
        title = clean(f"{row.place.path}:{row.place.line}  {row.subject}  ({row.image})")
        titles = blocks.setdefault((row.subject, row.image, row.told), [])
        if title not in titles:  # a file that is laid over others is judged with and without them
            titles.append(title)
    lines: list[str] = []
    for (_, _, told), titles in blocks.items():
        lines += titles
        for question, same in groupby(told.known, key=lambda item: item.question):
            lead = question
            for answers, known in _merged(same):
                lines += _entry(lead, answers, known, width)
                lead = ""
        lines += _unknown(told.unknown, width)
        lines.append("")
    lines += [clean(problem(trouble)) for trouble in troubles]
    return "\n".join(lines).rstrip("\n") or "No containers found."


def _merged(items: Iterable[Known]) -> Iterator[tuple[str, list[Evidence]]]:
    """Answers with all the evidence for them; those that have one reason and one evidence become one answer."""
    evidence: dict[str, list[Evidence]] = {}
    for item in items:
        pieces = evidence.setdefault(item.answer, [])
        if item.evidence not in pieces:
            pieces.append(item.evidence)
    reasons: dict[tuple[str, tuple[Evidence, ...]], list[str]] = {}
    for answer, pieces in evidence.items():
        name, colon, why = answer.partition(": ")
        reasons.setdefault((colon + why, tuple(pieces)) if colon else (answer, ()), []).append(name)
    for (why, shared), names in reasons.items():
        answer = ", ".join(names) + why if why.startswith(": ") else why
        yield answer, list(shared) or evidence[answer]


def _entry(question: str, answer: str, pieces: list[Evidence], width: int) -> Iterator[str]:
    """An answer, and the evidence for it: on the same line where that is short, else below."""
    sources: dict[tuple[str, str], list[str]] = {}
    for piece in pieces:
        claim = "" if answer.endswith(piece.claim) else piece.claim
        sources.setdefault((claim, piece.strength.name.lower()), []).append(piece.source)
    notes = [(clean(claim), clean(f"[{_sources(strength, places)}]")) for (claim, strength), places in sources.items()]
    room = max(20, width - _WIDTH - 3)
    lead = f"  {question:{_WIDTH}} "
    answer = clean(answer)
    if len(notes) == 1 and not notes[0][0] and len(answer) + 2 + len(notes[0][1]) <= room:
        yield f"{lead}{answer}  {notes[0][1]}"
        return
    for line in filled(answer, room):
        yield lead + line
        lead = " " * len(lead)
    for claim, source in notes:
        whole = f"{claim} {source}".strip()
        # A source that does not fit behind its claim begins a line, so that it is found.
        for part in (whole,) if not claim or len(whole) <= room - 2 else (claim, source):
            for number, line in enumerate(filled(part, room - 4)):
                yield f"{lead}{'    ' if number else '  '}{line}"


def _sources(strength: str, places: Sequence[str]) -> str:
    """Where a claim is from, in a few words: of many places, the first."""
    places = [place for place in dict.fromkeys(places) if place]
    more = f" and {len(places) - _MOST_SOURCES} more" if len(places) > _MOST_SOURCES else ""
    return f"{strength} in {', '.join(places[:_MOST_SOURCES])}{more}" if places else strength


def _unknown(unknown: Iterable[tuple[str, str]], width: int) -> Iterator[str]:
    """What is not known, question by question; of many reasons the first, since JSON has all of them."""
    asked: dict[str, list[str]] = {}
    for question, why in unknown:
        asked.setdefault(why, []).append(question)
    questions: dict[str, list[str]] = {}
    for why, names in asked.items():
        questions.setdefault(", ".join(dict.fromkeys(names)), []).append(why)
    lead = f"  {'not known':{_WIDTH}} "
    room = max(20, width - len(lead))
    for question, reasons in questions.items():
        if len(reasons) > _MOST_REASONS:
            reasons[_MOST_REASONS:] = [f"and {len(reasons) - _MOST_REASONS} more, which --format json names"]
        for number, reason in enumerate(reasons):
            text = clean(reason if number else f"{question}: {reason}")
            for more, line in enumerate(filled(text, room - 2)):
                yield f"{lead}{'  ' if more or number else ''}{line}"
                lead = " " * len(lead)


def json(rows: Sequence[Row], troubles: Iterable[Trouble]) -> str:
    """The same as one JSON object, with a line end."""
    from json import dumps

    containers = [
        {
            "path": row.place.path,
            "line": row.place.line,
            "subject": row.subject,
            "image": row.image,
            "known": [
                {
                    "question": item.question,
                    "answer": item.answer,
                    "evidence": {
                        "claim": item.evidence.claim,
                        "source": item.evidence.source,
                        "strength": item.evidence.strength.name.lower(),
                    },
                }
                for item in row.told.known
            ],
            "unknown": [{"question": question, "why": why} for question, why in row.told.unknown],
        }
        for row in rows
    ]
    return dumps({"version": VERSION, "containers": containers, "troubles": [t._asdict() for t in troubles]}, indent=2) + "\n"


def evidence(item: Evidence, beside: str = "") -> str:
    """A piece of evidence in a line; a claim that is said `beside` it already is left out."""
    strength = item.strength.name.lower()
    source = f"{strength} in {item.source}" if item.source else strength
    claim = "" if beside.endswith(item.claim) else item.claim
    return f"{claim} [{source}]" if claim else f"[{source}]"
