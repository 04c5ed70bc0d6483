"""Text that several containers read: what a change to it gives to those that it reaches. Knows operations on YAML, no rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeGuard

from hardener.finding import Change, Reach
from hardener.syntax.yaml import Append, Commented, Put, Value


def gets_along(change: Change, reach: Reach, own_changes: Sequence[Change]) -> bool:
    """Whether what a container inherits from a change that reaches it gets along with the changes of its own fix."""
    if reach.joins and any(_replaces_an_item(mine, change) for mine in own_changes):
        return False
    if not (reach.joins and reach.exact) or not isinstance(change.operation, (Put, Append)):
        return True
    inherited = [_plain(item) for item in _items(change.operation)]
    own = [
        _plain(item)
        for mine in own_changes
        if isinstance(mine.operation, (Put, Append)) and _keys(mine.operation) == _keys(change.operation)
        for item in _items(mine.operation)
    ]
    return all(item in own for item in inherited)


def _replaces_an_item(mine: Change, inherited: Change) -> bool:
    """Whether a change replaces one item of the very list to which the inherited change adds: the two could be equal."""
    if not (isinstance(mine.operation, Put) and isinstance(inherited.operation, (Put, Append))):
        return False
    keys = _keys(mine.operation)
    return bool(keys) and isinstance(keys[-1], int) and keys[:-1] == _keys(inherited.operation)


def rest(change: Change, inherited: Iterable[tuple[Change, Reach]]) -> Change | None:
    """What is left of a change beside those that reach its container; None when nothing is."""
    operation = change.operation
    if not isinstance(operation, (Put, Append)):
        return change
    for other, reach in inherited:
        theirs = other.operation
        if not isinstance(theirs, (Put, Append)) or (other.path, theirs.route) == (change.path, operation.route):
            continue
        if _keys(theirs) != _keys(operation):
            continue
        if _plain(_written(theirs)) == _plain(_written(operation)):
            return None
        if reach.joins and _is_list(_written(operation)):
            there = [_plain(item) for item in _items(theirs)]
            left = tuple(item for item in _items(operation) if _plain(item) not in there)
            if not left:
                return None
            operation = Put(operation.route, list(left)) if isinstance(operation, Put) else Append(operation.route, left)
    return change._replace(operation=operation)


def _keys(operation: Put | Append) -> tuple[int | str, ...]:
    """The keys below the service: a route starts with document, `services` and the service's name."""
    return operation.route[3:]


def _written(operation: Put | Append) -> Value:
    return operation.value if isinstance(operation, Put) else operation.items


def _items(operation: Put | Append) -> Sequence[Value]:
    value = _written(operation)
    return value if _is_list(value) else [value]


def _is_list(value: Value) -> TypeGuard[Sequence[Value]]:
    return isinstance(value, (list, tuple)) and not isinstance(value, Commented)


def _plain(value: Value) -> object:
    """A value without its comments."""
    if isinstance(value, Commented):
        return _plain(value.value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
