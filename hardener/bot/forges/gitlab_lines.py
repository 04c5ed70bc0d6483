"""Where a line of a changed file is in GitLab's eyes: its number before and after the change. Reads unified diffs only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hardener.record import NamedTuple

_HUNK = re.compile(r"@@ -([0-9]+)(?:,([0-9]+))? \+([0-9]+)(?:,([0-9]+))? @@")


class Line(NamedTuple):
    """A line of a file as a change leaves it."""

    new: int
    #: Its number before; for an added one, that of the line which follows it there.
    old: int
    is_added: bool


def line_in(diff: str, number: int) -> Line:
    """A line by its number after a change, which may lie between what the diff shows."""
    shift = 0
    old = new = 0
    for text in diff.split("\n"):
        if hunk := _HUNK.match(text):
            old, new = int(hunk[1]), int(hunk[3])
            # Of a side without lines, the number is that of the line before it.
            old, new = old + (hunk[2] == "0"), new + (hunk[4] == "0")
            if number < new:
                break
        elif not new:
            continue
        elif text.startswith("+"):
            if new == number:
                return Line(new, old, True)
            new += 1
        elif text.startswith("-"):
            old += 1
        elif text.startswith(" "):
            if new == number:
                return Line(new, old, False)
            old, new = old + 1, new + 1
        shift = old - new if new <= number else shift
    return Line(number, number + shift, False)


def position(refs: Mapping[str, Any], change: Mapping[str, Any], start: int, end: int) -> dict[str, Any]:
    """The position of a remark (doc/api/discussions.md, "Create a new thread in the merge request diff").

    `refs` are the `diff_refs` of the merge request, `change` is the file in its diff. Lines that are not changed are named by
    both of their numbers, added ones by the new one alone.
    """
    path, diff = change["new_path"], change["diff"]
    last = line_in(diff, end)
    place: dict[str, Any] = {
        "position_type": "text",
        "base_sha": refs["base_sha"],
        "start_sha": refs["start_sha"],
        "head_sha": refs["head_sha"],
        "old_path": change["old_path"],
        "new_path": path,
        "new_line": end,
    }
    if not last.is_added:
        place["old_line"] = last.old
    if 0 < start < end:
        place["line_range"] = {"start": _range_end(path, line_in(diff, start)), "end": _range_end(path, last)}
    return place


def _range_end(path: str, line: Line) -> dict[str, Any]:
    from hashlib import sha1

    name = sha1(path.encode(errors="surrogateescape"), usedforsecurity=False).hexdigest()
    ends: dict[str, Any] = {
        "line_code": f"{name}_{line.old}_{line.new}",
        "type": "new" if line.is_added else "old",
        "new_line": line.new,
    }
    return ends if line.is_added else {**ends, "old_line": line.old}
