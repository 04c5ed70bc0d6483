"""A smallest part of some things without which it works, by delta debugging (Zeller and Hildebrandt, 2002). Knows no trial."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def smallest(
    items: Sequence[T], works_without: Callable[[Sequence[T]], bool], has_time: Callable[[int], bool]
) -> tuple[list[T], bool]:
    """A part of the items without which it works, and whether it was seen that none of them can be spared.

    It must work without all of them. Of things that break it only together it finds one that keeps the others harmless;
    of things each of which breaks it, all. It ends early where there is no time for another trial.
    """
    left, parts = list(items), 2
    while len(left) > 1:
        size = -(-len(left) // parts)
        pieces = [left[at : at + size] for at in range(0, len(left), size)]
        rests = [[item for item in left if item not in piece] for piece in pieces] if len(pieces) > 2 else []
        smaller: list[T] | None = None
        for some in (*pieces, *rests):
            if not has_time(1):
                return left, False
            if works_without(some):
                smaller = some
                break
        if smaller is not None:
            left, parts = smaller, max(2, parts - 1) if smaller in rests else 2
        elif parts >= len(left):
            break
        else:
            parts = min(len(left), 2 * parts)
    return left, True
