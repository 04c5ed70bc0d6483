"""Which lines a pull request shows: those that change, and some around them. Forges take remarks on no others. Knows no forge."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from hardener.bot.forge import Remark
from hardener.bot.proposal import Snapshot


def on_shown_lines(remarks: Iterable[Remark], files: Mapping[str, bytes], snapshot: Snapshot) -> list[Remark]:
    """The remarks whose first and last lines a pull request shows. `files` are those that it changes, as it leaves them."""
    shown: dict[str, set[int]] = {}
    kept = []
    for remark in remarks:
        if remark.path not in files:
            continue
        if remark.path not in shown:
            shown[remark.path] = _lines(_before(snapshot, remark.path), files[remark.path])
        if {remark.line, remark.start or remark.line} <= shown[remark.path]:
            kept.append(remark)
    return kept


def _before(snapshot: Snapshot, path: str) -> bytes:
    location = os.path.join(snapshot.folder, *path.split("/"))
    if not os.path.isfile(location):
        return b""
    with open(location, "rb") as file:
        return file.read()


def _lines(before: bytes, after: bytes) -> set[int]:
    """The lines of a file, from 1, that a diff shows of it."""
    from hardener.render.diff import CONTEXT, edits

    old, new = before.decode("utf-8", "replace"), after.decode("utf-8", "replace")
    shown: set[int] = set()
    further = 0
    for edit in edits(old, new):
        start = old.count("\n", 0, edit.start) + further
        made = _count(edit.text)
        shown |= set(range(start + 1 - CONTEXT, start + made + CONTEXT + 1))
        further += made - _count(old[edit.start : edit.end])
    return shown & set(range(1, _count(new) + 1))


def _count(text: str) -> int:
    """How many lines a text has; the last one need not end."""
    return text.count("\n") + (text != "" and not text.endswith("\n"))
