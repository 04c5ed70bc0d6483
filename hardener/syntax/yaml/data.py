"""What a YAML text says, as plain nested tuples, and what it must say after operations. Knows no layout.

`expected` never looks at how edits are made: together with `plain` of the new text it proves them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from hardener.syntax.comments import Reword
from hardener.syntax.yaml.operations import Append, CannotEdit, New, Operation, Put, Remove
from hardener.syntax.yaml.scalars import reads_as_string
from hardener.syntax.yaml.tree import Alias, Mapping, Node, Scalar, Sequence, Stream, open_ended

#: ("scalar", text, is a string in every dialect, tag, anchor), ("alias", name),
#: ("mapping", ((key, value), ...), tag, anchor) or ("sequence", (item, ...), tag, anchor)
Data: TypeAlias = tuple[Any, ...]

_GONE: Data = ("gone",)
_NULL: Data = ("scalar", "", False, None, None)


def plain(stream: Stream) -> tuple[Data, ...]:
    """The data of all documents, to be compared with `==`: aliases by name, scalars unresolved, styles left out."""
    return tuple(_data(document.root) for document in stream.documents if document.root is not None)


def _data(node: Node) -> Data:
    if type(node) is Scalar:
        return ("scalar", node.value, bool(node.style) or reads_as_string(node.value), node.tag, node.anchor)
    if type(node) is Mapping:
        return ("mapping", tuple([(_data(pair.key), _data(pair.value)) for pair in node.pairs]), node.tag, node.anchor)
    if type(node) is Sequence:
        return ("sequence", tuple([_data(item) for item in node.items]), node.tag, node.anchor)
    assert isinstance(node, Alias)
    return ("alias", node.name)


def same_data(node: Node, new: New) -> bool:
    """Whether a node, its anchor aside, already says what a new value would."""
    return not isinstance(node, Alias) and _data(node) == _new(new, node.anchor)


def _new(new: New, anchor: str | None = None) -> Data:
    value = new.value
    if isinstance(value, dict):
        return ("mapping", tuple((_key(key), _new(item)) for key, item in value.items()), None, anchor)
    if isinstance(value, list):
        return ("sequence", tuple(map(_new, value)), None, anchor)
    if isinstance(value, str):
        return ("scalar", value, True, None, anchor)
    return ("scalar", str(value).lower(), False, None, anchor)


def _key(key: str) -> Data:
    return ("scalar", key, True, None, None)


def expected(stream: Stream, operations: Iterable[Operation | Reword]) -> tuple[Data, ...]:
    """What `plain` must say after the operations. All routes count items as they are in `stream`.

    A new key is the last one, except where the text ends in a block scalar without final newline: there it comes before
    the pair with that scalar. Raises `CannotEdit` for a route that leads nowhere.
    """
    found = [operation for operation in operations if not isinstance(operation, Reword)]
    if not all(operation.route for operation in found):
        raise CannotEdit("there is no such document")
    roots = [document.root for document in stream.documents if document.root is not None]
    return tuple(_items_after(stream, [*roots], 0, _by_step(found, 0)))


def _by_step(operations: Iterable[Operation], depth: int) -> dict[int | str, list[Operation]]:
    """Operations by the step of their route at a depth, in the order in which steps are first named."""
    found: dict[int | str, list[Operation]] = {}
    for operation in operations:
        found.setdefault(operation.route[depth], []).append(operation)
    return found


def _after(stream: Stream, part: Node | Data, depth: int, operations: list[Operation]) -> Data:
    """What a value, untouched or already written anew, says after the operations whose routes begin with its own."""
    if not operations:
        return part if isinstance(part, tuple) else _data(part)
    inside: list[Operation] = []
    appended: list[Data] = []
    for operation in operations:
        if len(operation.route) > depth:
            inside.append(operation)
        elif isinstance(operation, Append):
            appended += [_new(New(item)) for item in operation.items]
        else:
            part = _GONE if isinstance(operation, Remove) else _new(New(operation.value), _anchor(part))
            inside, appended = [], []
    if not inside and not appended:
        return part if isinstance(part, tuple) else _data(part)
    steps = _by_step(inside, depth)
    if _is_null(part):
        if appended:
            return ("sequence", tuple(appended), None, _anchor(part))
        return ("mapping", tuple(_pairs_after(stream, [], 0, depth, steps)), None, _anchor(part))
    if isinstance(part, Sequence):
        items = _items_after(stream, [*part.items], depth, steps)
        return ("sequence", tuple(items + appended), part.tag, part.anchor)
    if isinstance(part, tuple) and part[0] == "sequence":
        return ("sequence", tuple(_items_after(stream, [*part[1], *appended], depth, steps)), *part[2:])
    if appended:
        raise CannotEdit("the value is not a list")
    if isinstance(part, Mapping):
        pairs: list[tuple[Data, Node | Data]] = [(_data(pair.key), pair.value) for pair in part.pairs]
        after = _pairs_after(stream, pairs, int(open_ended(stream, part)), depth, steps)
        return ("mapping", tuple(after), part.tag, part.anchor)
    if isinstance(part, tuple) and part[0] == "mapping":
        return ("mapping", tuple(_pairs_after(stream, [*part[1]], 0, depth, steps)), *part[2:])
    raise CannotEdit(f"there is nothing inside where {next(iter(steps))} could be")


def _items_after(stream: Stream, items: list[Node | Data], depth: int, steps: dict[int | str, list[Operation]]) -> list[Data]:
    for step in steps:
        if not isinstance(step, int) or not 0 <= step < len(items):
            raise CannotEdit(f"there is no {step} to go to")
    after = [_after(stream, item, depth + 1, steps.get(index, [])) for index, item in enumerate(items)]
    return [item for item in after if item is not _GONE]


def _pairs_after(
    stream: Stream, pairs: list[tuple[Data, Node | Data]], behind: int, depth: int, steps: dict[int | str, list[Operation]]
) -> list[tuple[Data, Data]]:
    """Pairs after operations, by the last one of equal keys; new ones come before the last `behind` pairs."""
    after: list[tuple[Data, Data]] = []
    for key, part in reversed(pairs):
        found = steps.pop(key[1], None) if key[0] == "scalar" else None
        if found:
            after.append((key, _after(stream, part, depth + 1, found)))
        else:
            after.append((key, part if isinstance(part, tuple) else _data(part)))
    after.reverse()
    new: list[tuple[Data, Data]] = []
    for step, operations in steps.items():
        if not isinstance(step, str) or not isinstance(operations[0], Put):
            raise CannotEdit(f"there is no key {step}")
        new.append((_key(step), _after(stream, _NULL, depth + 1, operations)))
    at = len(after) - behind
    after[at:at] = new
    return [pair for pair in after if pair[1] is not _GONE]


def _anchor(part: Node | Data) -> str | None:
    if isinstance(part, tuple):
        anchor: str | None = part[-1]
        return anchor
    return part.anchor


def _is_null(part: Node | Data) -> bool:
    return part is _NULL or (isinstance(part, Scalar) and part.is_null)
