"""A run whose fixes are written beside the files: what goes into it, and its report with overlays in place of edits.

Knows the kinds of files; leaves to each kind's module what its overlays look like.
"""

from __future__ import annotations

from hardener import source as text_source
from hardener.discover import COMPOSE, Found
from hardener.errors import Unreadable
from hardener.facts.compose.own_overlay import is_own_overlay
from hardener.pipeline import Request, tree_of
from hardener.pipeline import run as judge
from hardener.report import Report, Status, Trouble
from hardener.source import Source


def run(request: Request) -> Report:
    """Judge all files but Dockerfiles, which nothing can be laid over, and compute the overlays that would be written.

    Findings that an overlay answers already are left out, as those that are mended in a file are.
    """
    files: list[Found] = []
    notes: list[Trouble] = []
    for found in request.files:
        if found.kind != COMPOSE:
            why = "nothing can be laid over a Dockerfile: left out, and what would follow from its fixes too"
            notes.append(Trouble(found.name, 0, why, "run harden without --overlay on it"))
        elif not _is_ours(found):
            files.append(found)
    request = request._replace(files=tuple(files))
    report = judge(request)
    sources = {found.location: text for found in files if (text := _text(found)) is not None}
    changed = {change.location: change.after for change in report.changes}

    from hardener.overlay.compose_files import overlays

    made = overlays(sources, changed, tree_of(request))
    outcomes = tuple(
        outcome._replace(status=Status.REFUSED, why=made.refused[outcome.finding.place.path])
        if outcome.status is Status.APPLIED and outcome.finding.place.path in made.refused
        else outcome
        for outcome in report.outcomes
        if not (outcome.status is Status.APPLIED and outcome.finding.place.path in made.settled)
    )
    return report._replace(
        outcomes=outcomes,
        changes=made.changes,
        troubles=(*report.troubles, *made.troubles),
        notes=(*notes, *report.notes),
    )


def _text(found: Found) -> Source | None:
    try:
        return found.text or text_source.read(found.location, found.name)
    except Unreadable:
        return None


def _is_ours(found: Found) -> bool:
    text = _text(found)
    return text is not None and is_own_overlay(text.text)
