"""Operations sorted onto the tree: what changes at which node, several operations on one place joined. Writes no text."""

from __future__ import annotations

from collections.abc import Iterable

from hardener.syntax.yaml.operations import Append, CannotEdit, New, Operation, Put, Remove
from hardener.syntax.yaml.tree import Alias, Mapping, Node, Pair, Route, Scalar, Sequence, Stream


class Change:
    """What happens at one node: a new value in its place, or changes and additions inside it."""

    __slots__ = ("_places", "added", "appended", "children", "node", "removed", "value")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.value: New | None = None
        self.removed = False
        self.added: dict[str, New] = {}
        self.appended: list[New] = []
        #: By index of the pair or item.
        self.children: dict[int, Change] = {}
        self._places: dict[str, int] | None = None

    def place_of(self, key: object) -> int | None:
        """The index of the pair with that key in the node, a mapping; None when there is none.

        Raises `CannotEdit` when there are several.
        """
        if self._places is None:
            assert isinstance(self.node, Mapping)
            self._places = places = {}
            for index, pair in enumerate(self.node.pairs):
                if type(pair.key) is Scalar:
                    places[pair.key.value] = -1 if pair.key.value in places else index
        found = self._places.get(key) if isinstance(key, str) else None
        if found == -1:
            assert isinstance(self.node, Mapping)
            count = sum(type(pair.key) is Scalar and pair.key.value == key for pair in self.node.pairs)
            raise CannotEdit(f"the key {key} is there {count} times")
        return found


def changes(stream: Stream, operations: Iterable[Operation]) -> list[Change]:
    """The changes of each document that has some. Raises `CannotEdit` for what a route may not do or leads nowhere."""
    roots: dict[int, Change] = {}
    for operation in operations:
        if not operation.route or not isinstance(operation.route[0], int) or not 0 <= operation.route[0] < len(stream.documents):
            raise CannotEdit("there is no such document")
        root = stream.documents[operation.route[0]].root
        assert root is not None
        if operation.route[0] not in roots:
            roots[operation.route[0]] = Change(root)
        _sort_in(roots[operation.route[0]], operation.route[1:], operation)
    return list(roots.values())


def _sort_in(change: Change, route: Route, operation: Operation) -> None:
    """Follow the route as long as it leads through what is there, then leave the operation."""
    for depth, step in enumerate(route):
        node = change.node
        kind = type(node)
        index: int | None
        if change.value is not None:
            _into_new(change.value, route[depth:], operation)
            return
        if kind is Mapping:
            index = change.place_of(step)
            if index is None:
                _add(change, step, route[depth + 1 :], operation)
                return
            value = node.pairs[index].value  # type: ignore[attr-defined]
        elif isinstance(node, Sequence):
            if not isinstance(step, int) or not 0 <= step < len(node.items):
                raise CannotEdit(f"the list has no item {step}")
            index, value = step, node.items[step]
        elif isinstance(node, Alias):
            raise CannotEdit(f"the value is an alias of &{node.name}")
        elif isinstance(node, Scalar) and node.is_null and isinstance(operation, Put):
            change.value = New({})
            _into_new(change.value, route[depth:], operation)
            return
        else:
            raise CannotEdit(f"the value has nothing inside where {step} could be")
        if index not in change.children:
            change.children[index] = Change(value)
        change = change.children[index]
        if change.removed:
            raise CannotEdit(f"{step} is removed and changed at once")
    _leave(change, operation)


def _add(change: Change, key: int | str, rest: Route, operation: Operation) -> None:
    if not isinstance(key, str) or not (key in change.added or isinstance(operation, Put)):
        raise CannotEdit(f"there is no key {key}")
    if key == "<<":
        raise CannotEdit("a merge key would be added")
    assert isinstance(operation, Put) or key in change.added
    if key in change.added and rest:
        _into_new(change.added[key], rest, operation)
    elif isinstance(operation, Put):
        change.added[key] = _nested(rest, operation)
    else:
        _into_new(change.added[key], rest, operation)


def _nested(route: Route, operation: Put) -> New:
    """The value of an operation, within the mappings that the route asks for."""
    if not route:
        return New(operation.value)
    outer = New({})
    _into_new(outer, route, operation)
    return outer


def _into_new(new: New, route: Route, operation: Operation) -> None:
    """Carry out an operation inside a value that an earlier operation wrote."""
    if isinstance(operation, Remove):
        raise CannotEdit("something is written and removed at once")
    if not route:
        if isinstance(operation, Append):
            if not isinstance(new.value, list):
                raise CannotEdit("the value is not a list")
            new.value.extend(map(New, operation.items))
        return
    step, rest = route[0], route[1:]
    value = new.value
    if isinstance(value, dict) and isinstance(step, str):
        if isinstance(operation, Put) and (not rest or step not in value):
            if step == "<<":
                raise CannotEdit("a merge key would be added")
            value[step] = _nested(rest, operation)
            return
        if step in value:
            _into_new(value[step], rest, operation)
            return
    elif isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
        if isinstance(operation, Put) and not rest:
            value[step] = New(operation.value)
        else:
            _into_new(value[step], rest, operation)
        return
    raise CannotEdit(f"there is no {step} to go to")


def _leave(change: Change, operation: Operation) -> None:
    """The route ends at this node."""
    node = change.node
    if isinstance(operation, Remove):
        change.removed = True
        change.value = None
        change.children.clear()
        change.added.clear()
        change.appended.clear()
        return
    if isinstance(node, Alias):
        raise CannotEdit(f"the value is an alias of &{node.name}")
    if isinstance(operation, Put):
        change.value = New(operation.value)
        change.children.clear()
        change.added.clear()
        change.appended.clear()
    elif change.value is not None:
        _into_new(change.value, (), operation)
    elif isinstance(node, Sequence):
        change.appended.extend(map(New, operation.items))
    elif isinstance(node, Scalar) and node.is_null:
        change.value = New(list(operation.items))
    else:
        raise CannotEdit("the value is not a list")


def nodes_gone(found: Iterable[Change]) -> set[int]:
    """The ids of all values and items that changes remove."""
    gone: set[int] = set()
    todo = list(found)
    while todo:
        change = todo.pop()
        if change.removed:
            gone.add(id(change.node))
        todo.extend(change.children.values())
    return gone


def explicit(text: str, pair: Pair) -> bool:
    """Whether a pair is written otherwise than as a key with a colon behind it on the same line, such as `? key`."""
    key = pair.key
    if not isinstance(key, (Scalar, Alias)):
        return True
    at = key.end
    while text[at : at + 1] in (" ", "\t"):
        at += 1
    return text[at : at + 1] != ":"
