"""What of a mapping stands on a line of its file. Knows no meaning of keys and no rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hardener.finding import Place
from hardener.record import NamedTuple
from hardener.syntax.yaml import Mapping, Node, Scalar, Sequence


class Written(NamedTuple):
    """A setting of somebody: the keys that lead to it, and its text where it is a single value."""

    whose: str
    keys: tuple[str, ...]
    text: str


def written_at(place: Callable[[Node], Place], mappings: Iterable[tuple[str, Mapping]], line: int) -> Written | None:
    """The setting whose key or item begins on a line (from 1), in mappings by name; None where it is in none of them.

    Of several the innermost is meant.
    """
    found: Written | None = None
    for name, mapping in mappings:
        stack: list[tuple[tuple[str, ...], Node, Node]] = [((), mapping, mapping)]
        while stack:
            keys, head, value = stack.pop(0)
            if keys and place(head).line == line:
                found = Written(name, keys, value.value if isinstance(value, Scalar) else "")
            if isinstance(value, Mapping):
                pairs = [pair for pair in value.pairs if isinstance(pair.key, Scalar)]
                stack += [((*keys, pair.key.value), pair.key, pair.value) for pair in pairs if isinstance(pair.key, Scalar)]
            elif isinstance(value, Sequence):
                stack += [(keys, item, item) for item in value.items]
    return found
