"""A page below a limit: what is left out first where all of it does not fit, and that this is said. Knows no markup."""

from __future__ import annotations

from collections.abc import Sequence

from hardener.record import NamedTuple
from hardener.render.summary import count

DIFF, EVIDENCE, FILE, ITEM, PICTURE = "diff", "evidence", "file", "item", "picture"
#: What is left out, first to last, and what it is called: one, and many. Of diffs and evidence the largest goes first, so that
#: as many as possible stay; of files and items the last, because the worst stands first.
_ORDER = {
    DIFF: ("1 diff", "diffs"),
    EVIDENCE: ("the evidence of 1 file", "the evidence of {} files"),
    FILE: ("1 file", "files"),
    ITEM: ("1 item", "items"),
    PICTURE: ("the table", "tables"),
}
_LARGEST_FIRST = (DIFF, EVIDENCE)
#: Room for the sentence that says what was left out.
_ROOM = 400


class Piece(NamedTuple):
    """A part of a page, with its line ends; and what is left of it without a diff, without evidence and so on."""

    text: str
    shorter: tuple[tuple[str, str], ...] = ()


class Fitted(NamedTuple):
    """A page that fits, and what it lacks, in words; empty where that is nothing."""

    text: str
    left_out: str = ""


def size(text: str) -> int:
    """The characters of a text as GitHub and GitLab may count them at most: UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def fit(pieces: Sequence[Piece], limit: int) -> Fitted:
    """All pieces in at most `limit` characters, with room for a sentence below them; 0 is no limit.

    A piece without anything shorter stays, so that a page with much of those may still be longer.
    """
    texts = [piece.text for piece in pieces]
    sizes = [size(text) for text in texts]
    total = sum(sizes)
    if not limit or total <= limit:
        return Fitted("".join(texts))
    left_out: dict[str, int] = {}
    for kind in _ORDER:
        shorter = {at: text for at, piece in enumerate(pieces) for name, text in piece.shorter if name == kind}
        places = sorted(shorter, key=lambda at: size(shorter[at]) - sizes[at]) if kind in _LARGEST_FIRST else [*shorter][::-1]
        for at in places:
            if total <= limit - _ROOM:
                break
            now = size(shorter[at])
            total += now - sizes[at]
            texts[at], sizes[at] = shorter[at], now
            left_out[kind] = left_out.get(kind, 0) + 1
    words = [_named(kind, number) for kind, number in left_out.items()]
    return Fitted("".join(texts), ", ".join(words))


def _named(kind: str, number: int) -> str:
    one, many = _ORDER[kind]
    return one if number == 1 else many.format(number) if "{}" in many else count(number, many, many)
