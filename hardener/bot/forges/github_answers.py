"""What GitHub answers, as our values. Knows the shapes of its answers, and asks nothing.

What has another shape than its documentation says counts as empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from hardener.bot.forge import SUBMODULE, Entry, ForgeError, Issue, PastCommit, Pull, Remark, State
from hardener.bot.forges.answers import at, number, objects, text, time

#: The lines of the new file that a part of a diff shows.
_HUNK = re.compile(r"^@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)


def required(data: Any, *keys: str) -> str:
    """A text without which nothing goes on. Raises `ForgeError` where there is none."""
    if found := text(data, *keys):
        return found
    raise ForgeError(f"GitHub's answer has no `{'.'.join(keys)}`", "look at the address of the API")


def past(data: Any) -> tuple[PastCommit, str]:
    """A commit of git, and its tree. npm's `emulate` has the message and the tree a level deeper, as for a commit of a branch."""
    inner = data if at(data, "tree") is not None else at(data, "commit")
    found = tuple(text(parent, "sha") for parent in objects(data, "parents"))
    return PastCommit(required(data, "sha"), text(inner, "message"), found), required(inner, "tree", "sha")


def entry(item: Any, folder: str = "") -> Entry | None:
    """A file of a tree below `folder`, which ends with `/` or is empty; None for a folder."""
    kind, path, mode = text(item, "type"), text(item, "path"), text(item, "mode")
    if not path or kind == "tree":
        return None
    return Entry(folder + path, mode or (SUBMODULE if kind == "commit" else ""), text(item, "sha"), number(item, "size", none=-1))


def pull(data: Any) -> Pull:
    """A pull request, from a list or by itself; only the latter says whether it conflicts."""
    state = State.MERGED if at(data, "merged_at") or at(data, "merged") is True else State.OPEN
    if state is State.OPEN and text(data, "state") != "open":
        state = State.CLOSED
    ours, theirs = at(data, "base", "repo"), at(data, "head", "repo")  # that of a fork is null once it is deleted
    mergeable = at(data, "mergeable")
    return Pull(
        number=number(data, "number"),
        branch=text(data, "head", "ref"),
        base=text(data, "base", "ref"),
        title=text(data, "title"),
        body=text(data, "body"),
        state=state,
        url=text(data, "html_url"),
        created=time(data, "created_at"),
        is_draft=at(data, "draft") is True,
        labels=frozenset(text(label, "name") for label in objects(data, "labels")),
        is_from_fork=at(theirs, "id") is None or at(theirs, "id") != at(ours, "id"),
        conflicts=not mergeable if isinstance(mergeable, bool) else None,
    )


def remark(data: Any) -> Remark:
    """A remark on lines. One on lines that were changed since then has only the place where it was made."""
    line = number(data, "line") or number(data, "original_line") or number(data, "position")
    start = number(data, "start_line") or number(data, "original_start_line")
    return Remark(text(data, "path"), line, text(data, "body"), start if start < line else 0)


def issue(data: Any) -> Issue:
    """An issue."""
    is_open = text(data, "state") == "open"
    return Issue(number(data, "number"), text(data, "title"), text(data, "body"), is_open, text(data, "html_url"))


def shown_lines(files: Iterable[Any]) -> dict[str, list[range]]:
    """By path, the runs of lines that the diff of a pull request shows, from `GET .../pulls/N/files`."""
    shown = {}
    for file in files:
        found = _HUNK.findall(text(file, "patch"))
        shown[text(file, "filename")] = [range(int(first), int(first) + int(many or 1)) for first, many in found]
    return shown


def on_the_diff(remarks: Sequence[Remark], shown: dict[str, list[range]]) -> list[Remark]:
    """The remarks that GitHub takes: all their lines are in one hunk (as parkerbxyz/suggest-changes#28 tells)."""
    return [
        remark
        for remark in remarks
        if any(remark.line in lines and (remark.start or remark.line) in lines for lines in shown.get(remark.path, ()))
    ]
