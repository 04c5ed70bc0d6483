"""What a Compose overlay has to say so that one service becomes another. Knows Compose's merge rules; no rule, no file names.

Mappings merge, lists join, single values replace, and `!override` or `!reset` where something has to go (measured with
Compose 2.40.3, whose own `config` is asked in the tests). A key whose way of merging is not in the tables below is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeAlias

from hardener.errors import CannotWrite
from hardener.facts.compose.service import Held, Layer, Service, entries
from hardener.facts.merged import Found, is_null, lookup, target, values
from hardener.overlay.text import Leaf, Reader, Tagged
from hardener.syntax.yaml import Mapping as MappingNode
from hardener.syntax.yaml import Node, Scalar, Sequence
from hardener.syntax.yaml.scalars import written

#: Keys with a single value, which a later file replaces.
_SCALARS = frozenset("read_only mem_limit memswap_limit cpus pids_limit user privileged init".split())
#: Lists whose items join those of earlier files.
_LISTS = frozenset("cap_drop cap_add security_opt tmpfs devices".split())
#: Mappings that merge by key at every depth.
_DEEP = frozenset(("deploy",))
#: Mappings that merge by name, and may be written as lists of NAME=value.
_NAMED = frozenset(("environment",))


#: What stands under a key of an overlay: keys at any depth, single values, lists.
Delta: TypeAlias = "dict[str, Any]"
_RESET = Tagged("!reset")


def difference(before: Service, after: Service) -> Delta:
    """What an overlay has to say of a service, passed last, so that it becomes what it is in `after`; empty for nothing.

    Raises `CannotWrite` for what cannot be said, or not for sure.
    """
    delta: Delta = {}
    reader = Reader(layer.file.source for layer in before.layers)
    for key in _changed_keys(before, after):
        if after.incomplete:
            raise CannotWrite(f"`{key}` of `{after.name}` changes, and {after.incomplete}")
        said: Delta | Leaf | tuple[Leaf, ...] | Tagged | None
        if key in _SCALARS:
            said = _single(before.scalar(key), after.scalar(key), key, reader)
        elif key in _LISTS:
            said = _list(before, after, key, reader)
        elif key in _NAMED:
            said = _named(before, after, key, reader)
        elif key in _DEEP:
            said = _deep(before, after, key, reader)
        else:
            raise CannotWrite(f"`{key}` of `{after.name}` changes, and how an overlay would merge it is not known here")
        if said is not None:
            delta[key] = said
    return delta


def same(one: Service, other: Service) -> bool:
    """Whether two services, in effect, say the same under every key that an overlay can change."""
    return all(
        _what_counts(one, key) == _what_counts(other, key)
        for key in _SCALARS | _LISTS | _NAMED | _DEEP
        if one.mentions(key) or other.mentions(key)
    )


def _what_counts(service: Service, key: str) -> Any:
    if key in _SCALARS:
        held = service.scalar(key)
        return None if held is None else _said(held.found.node)
    if key in _LISTS:
        return Counter(_said(item) for _, item in service.items(key))
    if key in _NAMED:
        return {name: value for name, (value, _) in _pairs(service, key, Reader(())).items()}
    return {path: _said(held.found.node) for path in _paths(service, key) if (held := service.leaf(*path)) is not None}


def _changed_keys(before: Service, after: Service) -> list[str]:
    """The keys that any layer writes otherwise than before, in the order in which they stand."""
    if len(before.layers) != len(after.layers):
        raise CannotWrite(f"`{after.name}` is made of other parts than before")
    keys: dict[str, None] = {}
    for old, new in zip(before.layers, after.layers, strict=True):
        for key in dict.fromkeys((*new.keys, *old.keys)):
            if key == "<<":
                continue  # what it brings is among the keys
            one, other = old.find(key), new.find(key)
            if (one is None) != (other is None) or (one and other and _said(one.node) != _said(other.node)):
                keys[key] = None
    return list(keys)


def _single(before: Held | None, after: Held | None, key: str, reader: Reader) -> Leaf | Tagged | None:
    if after is None:
        return None if before is None else _RESET
    if before is not None and _said(before.found.node) == _said(after.found.node):
        return None
    return _leaf(reader, after.layer, after.found.node, key)


def _list(before: Service, after: Service, key: str, reader: Reader) -> tuple[Leaf, ...] | Tagged | None:
    """The items that come to a list; or all of them, where some of the old ones go."""
    old = [_said(item) for _, item in before.items(key)]
    found = [(held.layer, item, _said(item)) for held, item in after.items(key)]
    gone = Counter(old) - Counter(said for _, _, said in found)
    if gone and not found:
        return _RESET
    if gone:
        return Tagged("!override", tuple(_leaf(reader, layer, item, key) for layer, item, _ in found))
    known = Counter(old)
    new: list[Leaf] = []
    for layer, item, said in found:
        if known[said]:
            known[said] -= 1
        else:
            new.append(_leaf(reader, layer, item, key))
    return tuple(new) or None


def _named(before: Service, after: Service, key: str, reader: Reader) -> Delta | None:
    old, new = _pairs(before, key, reader), _pairs(after, key, reader)
    delta: Delta = {name: there for name, (value, there) in new.items() if name not in old or old[name][0] != value}
    return delta | {name: _RESET for name in old if name not in new} or None


def _pairs(service: Service, key: str, reader: Reader) -> dict[str, tuple[str | None, Leaf]]:
    """A mapping that joins by name: for each the value that counts (None: taken from outside), and how it is written."""
    found: dict[str, tuple[str | None, Leaf]] = {}
    for held in service.joined(key):
        node = held.found.node
        if isinstance(node, MappingNode):
            for name, value in entries(node):
                text = None if is_null(value) or not isinstance(value, Scalar) else value.value
                found[name] = text, _leaf(reader, held.layer, value, key)
        elif isinstance(node, Sequence):
            for item in map(target, node.items):
                name, equals, text = (item.value if isinstance(item, Scalar) else "").partition("=")
                there = _leaf(reader, held.layer, item, key)
                there.text = written(text, quote='"', force=True) if equals else "null"
                found[name] = text if equals else None, there
    return found


def _deep(before: Service, after: Service, key: str, reader: Reader) -> Delta | None:
    delta: Delta = {}
    for path in dict.fromkeys((*_paths(after, key), *_paths(before, key))):
        said = _single(before.leaf(*path), after.leaf(*path), ".".join(path), reader)
        if said is not None:
            at = delta
            for step in path[1:-1]:
                at = at.setdefault(step, {})
            at[path[-1]] = said
    return delta or None


def _paths(service: Service, key: str) -> Iterator[tuple[str, ...]]:
    """The paths of all values that are no mappings, below a key, in any layer."""
    for layer in service.layers:
        found = layer.find(key)
        if found is not None:
            yield from _paths_in(found, (key,))


def _paths_in(found: Found, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if not isinstance(found.node, MappingNode):
        yield path
        return
    for key in values(found.node, found.route, found.via):
        inner = lookup(found.node, found.route, key, found.via)
        if inner is not None:
            yield from _paths_in(inner, (*path, key))


def _said(node: Node) -> Any:
    """What a node says, with what aliases and merges bring; comparable, and how it is written left out."""
    node = target(node)
    if isinstance(node, MappingNode):
        return ("mapping", node.tag, frozenset((key, _said(value)) for key, value in entries(node)))
    if isinstance(node, Sequence):
        return ("sequence", node.tag, tuple(map(_said, node.items)))
    assert isinstance(node, Scalar)
    return ("null", node.tag) if is_null(node) else ("scalar", node.value)


def _leaf(reader: Reader, layer: Layer, node: Node, key: str) -> Leaf:
    return reader.leaf(layer.file.source, node, key, ("!override",))
