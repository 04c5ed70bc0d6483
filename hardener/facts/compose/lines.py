"""What of a service stands on a line of a Compose file. Knows no meaning of keys and no rule."""

from __future__ import annotations

from hardener.facts.compose.document import ComposeFile
from hardener.record import NamedTuple
from hardener.syntax.yaml import Mapping, Node, Scalar, Sequence


class Written(NamedTuple):
    """A setting of a service: the keys that lead to it, and its text where it is a single value."""

    service: str
    keys: tuple[str, ...]
    text: str


def written_at(file: ComposeFile, line: int) -> Written | None:
    """The setting whose key or item begins on a line (from 1); None where none of a service's own does."""
    found: Written | None = None
    for service in file.services:
        if service.mapping is None or service.via:
            continue
        stack: list[tuple[tuple[str, ...], Node, Node]] = [
            ((pair.key.value,), pair.key, pair.value) for pair in service.mapping.pairs if isinstance(pair.key, Scalar)
        ]
        while stack:
            keys, head, value = stack.pop(0)
            if file.place(head).line == line:
                text = value.value if isinstance(value, Scalar) else ""
                found = Written(service.name, keys, text)
            if isinstance(value, Mapping):
                pairs = [pair for pair in value.pairs if isinstance(pair.key, Scalar)]
                stack += [((*keys, pair.key.value), pair.key, pair.value) for pair in pairs if isinstance(pair.key, Scalar)]
            elif isinstance(value, Sequence):
                stack += [(keys, item, item) for item in value.items]
    return found
