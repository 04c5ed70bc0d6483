"""What may be asked of a YAML text: set, append, remove, and the values to write. Knows neither text nor layout."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence as AnySequence
from typing import NamedTuple, TypeAlias

from hardener.errors import CannotWrite
from hardener.syntax.yaml.tree import Route

#: A string is written so that every dialect reads a string; a list or tuple becomes a sequence, a dict a mapping.
Value: TypeAlias = "bool | int | str | Commented | AnySequence[Value] | AnyMapping[str, Value]"


class CannotEdit(CannotWrite):
    """An operation cannot be carried out here without a risk for what is already written."""


class Commented(NamedTuple):
    """A value with a comment (without its `#`), which stands at the end of the value's line; dropped in flow style."""

    value: Value
    comment: str


def commented(text: str, why: str) -> Value:
    """A text with its reason beside it; the text alone where there is none."""
    return Commented(text, why) if why else text


class Put(NamedTuple):
    """Set the value at a route. Missing mappings on the way are created, an existing value is replaced."""

    route: Route
    value: Value


class Append(NamedTuple):
    """Add items to the sequence at a route, or fill the null that stands there."""

    route: Route
    items: tuple[Value, ...]

    @property
    def adds(self) -> tuple[object, ...]:
        """What tells each new item from others in its list, so that a plan, which knows no format, sees what gets along."""
        return tuple(_identity(item) for item in self.items)


class Remove(NamedTuple):
    """Take away a pair of a mapping or an item of a sequence, with its own comment on the same line."""

    route: Route

    @property
    def removes(self) -> bool:
        """So that a plan, which knows no format, sees that something goes."""
        return True


Operation: TypeAlias = Put | Append | Remove


def _identity(item: Value) -> object:
    """What no two items of a list should have in common: a text, the first pair of a mapping. Comments do not count."""
    while isinstance(item, Commented):
        item = item.value
    if isinstance(item, AnyMapping):
        return next(((key, _identity(value)) for key, value in item.items()), ())
    return tuple(map(_identity, item)) if isinstance(item, (list, tuple)) else item


class New:
    """A value to write while operations still add to it: nested values are `New` too."""

    __slots__ = ("comment", "value")

    def __init__(self, value: Value) -> None:
        self.comment = ""
        while isinstance(value, Commented):
            self.comment, value = value.comment, value.value
        self.value: bool | int | str | dict[str, New] | list[New]
        if isinstance(value, (bool, int, str)):
            self.value = value
        elif isinstance(value, (list, tuple)) or not isinstance(value, AnyMapping):
            self.value = [New(item) for item in value]
        else:
            self.value = {key: New(item) for key, item in value.items()}

    def commented(self) -> bool:
        """Whether a comment stands on it or anywhere in it."""
        inside = self.value.values() if isinstance(self.value, dict) else self.value if isinstance(self.value, list) else ()
        return bool(self.comment) or any(item.commented() for item in inside)
