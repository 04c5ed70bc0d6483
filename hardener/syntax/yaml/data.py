"""What a YAML text says, as plain nested tuples, and what it must say after operations. Knows no spans and no text.

`expected` never looks at how edits are made: together with `plain` of the new text it proves them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from hardener.syntax.yaml.operations import Append, CannotEdit, New, Operation, Put, Remove
from hardener.syntax.yaml.scalars import reads_as_string
from hardener.syntax.yaml.tree import Alias, Mapping, Node, Route, Scalar, Sequence, Stream

#: ("scalar", text, is a string in every dialect, tag, anchor), ("alias", name),
#: ("mapping", ((key, value), ...), tag, anchor) or ("sequence", (item, ...), tag, anchor)
Data: TypeAlias = tuple[Any, ...]

_GONE: Data = ("gone",)


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


def expected(stream: Stream, operations: Iterable[Operation]) -> tuple[Data, ...]:
    """What `plain` must say after the operations. All routes count items as they are in `stream`.

    Raises `CannotEdit` for a route that leads nowhere.
    """
    documents: dict[int | str, Data] = dict(enumerate(plain(stream)))
    for operation in operations:
        first, rest = operation.route[0], operation.route[1:]
        if first not in documents:
            raise CannotEdit("there is no such document")
        documents[first] = _after(documents[first], rest, operation)
    return tuple(_without_gone(document) for document in documents.values())


def _after(data: Data, route: Route, operation: Operation) -> Data:
    if not route:
        return _at_target(data, operation)
    step, rest = route[0], route[1:]
    if _is_null(data) and isinstance(operation, Put):
        data = ("mapping", (), None, data[4])
    if data[0] == "mapping":
        pairs = list(data[1])
        for index in range(len(pairs) - 1, -1, -1):
            key, value = pairs[index]
            if key[0] == "scalar" and key[1] == step and value is not _GONE:
                pairs[index] = (key, _after(value, rest, operation))
                break
        else:
            if not isinstance(operation, Put) or not isinstance(step, str):
                raise CannotEdit(f"there is no key {step}")
            pairs.append((_key(step), _after(("scalar", "", False, None, None), rest, operation)))
        return (data[0], tuple(pairs), *data[2:])
    if data[0] == "sequence" and isinstance(step, int) and 0 <= step < len(data[1]):
        items = list(data[1])
        items[step] = _after(items[step], rest, operation)
        return (data[0], tuple(items), *data[2:])
    raise CannotEdit(f"there is no {step} to go to")


def _at_target(data: Data, operation: Operation) -> Data:
    if isinstance(operation, Remove):
        return _GONE
    anchor = data[-1] if data[0] != "alias" else None
    if isinstance(operation, Put):
        return _new(New(operation.value), anchor)
    assert isinstance(operation, Append)
    items = tuple(_new(New(item)) for item in operation.items)
    if _is_null(data):
        return ("sequence", items, None, anchor)
    if data[0] != "sequence":
        raise CannotEdit("the value is not a list")
    return (data[0], data[1] + items, *data[2:])


def _is_null(data: Data) -> bool:
    return data[0] == "scalar" and not data[2] and data[3] is None and data[1] in ("", "~", "null", "Null", "NULL")


def _without_gone(data: Data) -> Data:
    if data[0] == "mapping":
        pairs = tuple((key, _without_gone(value)) for key, value in data[1] if value is not _GONE)
        return (data[0], pairs, *data[2:])
    if data[0] == "sequence":
        return (data[0], tuple(_without_gone(item) for item in data[1] if item is not _GONE), *data[2:])
    return data
