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

from collections.abc import Iterable, Sequence
from itertools import groupby

from hardener.finding import Evidence, Place
from hardener.needs.known import Told
from hardener.record import NamedTuple
from hardener.render.summary import clean, problem
from hardener.report import Trouble

VERSION = 1
_WIDTH = 19


class Row(NamedTuple):
    """What is known of one container or stage."""

    place: Place
    subject: str
    image: str
    told: Told


def text(rows: Sequence[Row], troubles: Iterable[Trouble]) -> str:
    """One block for each container: question, answer, and how that is known."""
    lines: list[str] = []
    for row in rows:
        lines.append(clean(f"{row.place.path}:{row.place.line}  {row.subject}  ({row.image})"))
        for question, items in groupby(row.told.known, key=lambda item: item.question):
            for number, item in enumerate(items):
                lead = question if not number else ""
                lines.append(f"  {lead:{_WIDTH}} {clean(item.answer)}")
                lines.append(f"  {'':{_WIDTH}}   {clean(evidence(item.evidence, item.answer))}")
        for question, why in row.told.unknown:
            lines.append(f"  {'not known':{_WIDTH}} {clean(f'{question}: {why}')}")
        lines.append("")
    lines += [clean(problem(trouble)) for trouble in troubles]
    return "\n".join(lines).rstrip("\n") or "No containers found."


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
