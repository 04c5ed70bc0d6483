"""Comments that speak to harden, such as `# harden: ignore[rule] reason`: how they begin, and how one is reworded.

Knows no format: where the comments of a text are is for each format to say; nor what they ask for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hardener.errors import CannotWrite
from hardener.source import Edit

#: What stands in every text that has such a comment; a text without it is never searched.
MARK = "harden:"


class Reword(NamedTuple):
    """Other words for a comment that speaks to harden: of those with exactly this text the one with this number, from 0.

    Empty new words take it away, with its line where it stands alone there.
    """

    text: str
    number: int
    new: str


def speaks(comment: str) -> bool:
    """Whether a comment, from its `#` on, speaks to harden."""
    return comment[:1] == "#" and comment[1:].lstrip(" \t").startswith(MARK)


def reworded(text: str, comments: Iterable[tuple[int, int]], operations: Sequence[Reword]) -> list[Edit]:
    """The operations as edits; `comments` are the spans of all comments that speak to harden, in order.

    Raises `CannotWrite` for a comment that is not there.
    """
    wanted = {(operation.text, operation.number): operation.new for operation in operations}
    seen: dict[str, int] = {}
    edits: list[Edit] = []
    for start, end in comments:
        said = text[start:end]
        number = seen[said] = seen.get(said, -1) + 1
        new = wanted.pop((said, number), None)
        if new is not None:
            edits.append(Edit(start, end, new) if new else _without(text, start, end))
    if wanted:
        raise CannotWrite("the comment is not there any more")
    return edits


def _without(text: str, start: int, end: int) -> Edit:
    line = text.rfind("\n", 0, start) + 1
    before = text[line:start]
    if before.strip():
        return Edit(line + len(before.rstrip()), end, "")
    behind = text.find("\n", end) + 1
    if behind:
        return Edit(line, behind, "")
    # A file without final newline stays without one.
    return Edit(len(text[:line].rstrip("\r\n")) if line else 0, len(text), "")
