"""What a report would change, put on disk, and what keeps a file from being written. Knows neither hazards nor output."""

from __future__ import annotations

import os

from hardener import source
from hardener.facts.own_overlay import is_own_overlay
from hardener.report import FileChange, Report, Status, Trouble


def write(report: Report, *, force: bool = False) -> Report:
    """Write every changed file, and return the report of what was really written.

    A file that is no longer what it was when it was read stays as it is; so does one that cannot be written, and, unless `force`,
    one whose text git has no copy of. What is made anew, or was made by harden, is nobody's work and is written all the same.
    """
    written: list[FileChange] = []
    #: By path: how the findings of a file ended that was not written, and what to say of it.
    kept: dict[str, tuple[Status, Trouble]] = {}
    unsaved = {} if force else _unsaved(report)
    for change in report.changes:
        ended = _put(change, unsaved.get(os.path.realpath(change.location), ""))
        if ended is None:
            written.append(change)
        else:
            kept |= dict.fromkeys(change.stands_for or (change.before.path,), ended)
    outcomes = tuple(
        outcome._replace(status=kept[path][0], why=kept[path][1].reason)
        if outcome.status is Status.APPLIED and (path := outcome.finding.place.path) in kept
        else outcome
        for outcome in report.outcomes
    )
    troubles = dict.fromkeys(trouble for _, trouble in kept.values())
    return report._replace(outcomes=outcomes, changes=tuple(written), troubles=(*report.troubles, *troubles))


def _put(change: FileChange, unsaved: str) -> tuple[Status, Trouble] | None:
    """Write one file; how it ended where that was not to be."""
    name = change.before.path
    if unsaved:
        remedy = "commit or stash it first, or write all the same with --force"
        return Status.REFUSED, Trouble(name, 0, f"it {unsaved}; left as it is", remedy)
    try:
        if _now(change) != change.before.to_bytes():
            reason = "it was changed by something else meanwhile; left as it is"
            return Status.FAILED, Trouble(name, 0, reason, "run harden again")
        (source.create if change.is_new else source.write)(change.location, change.after.to_bytes())
    except OSError as error:
        reason = f"it cannot be written: {(error.strerror or str(error)).lower()}"
        return Status.FAILED, Trouble(name, 0, reason, "check the permissions of the file and its folder")
    return None


def _unsaved(report: Report) -> dict[str, str]:
    files = [change.location for change in report.changes if not change.is_new and not is_own_overlay(change.before.text)]
    if not files:
        return {}
    from hardener.uncommitted import uncommitted

    return uncommitted(files)


def _now(change: FileChange) -> bytes:
    """What a file says now; nothing for one that is to be made and is not there yet."""
    if change.is_new and not os.path.lexists(change.location):
        return b""
    with open(change.location, "rb") as file:
        return file.read(source.MAX_BYTES + 1)
