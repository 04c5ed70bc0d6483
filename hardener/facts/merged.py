"""Values in YAML mappings, own ones and those that `<<` and aliases bring. Knows no format and what no key means."""

from __future__ import annotations

from hardener.errors import CannotWrite
from hardener.record import NamedTuple
from hardener.syntax.yaml import Alias, Mapping, Node, Route, Scalar, Sequence

#: Anything nested deeper through merges is a mistake or an attack.
_MAX_MERGES = 64


class Found(NamedTuple):
    """A value found under a key.

    `route` is where it physically stands, None when it came through an alias or a merge; then `via` names the anchor.
    """

    node: Node
    route: Route | None
    via: str


def target(node: Node) -> Node:
    """The node itself, or what an alias stands for."""
    return node.target if isinstance(node, Alias) else node


def text_of(node: Node | None) -> str | None:
    """The text of a scalar; None for anything else, and for null."""
    node = target(node) if node is not None else None
    return None if not isinstance(node, Scalar) or is_null(node) else node.value


def is_null(node: Node) -> bool:
    """Whether a node is written as nothing, `~` or `null`."""
    return isinstance(node, Scalar) and not node.style and node.value in ("", "~", "null", "Null", "NULL")


def truth(text: str | None) -> bool | None:
    """A boolean as Compose reads it (YAML 1.1 words are accepted too); None when it is none, or unknown."""
    return (
        None
        if text is None
        else {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}.get(text.lower())
    )


def sources(mapping: Mapping) -> list[tuple[Mapping, str]]:
    """The mapping and all that `<<` brings into it, nearest first, each with the anchor it came through ("" for itself).

    Explicit keys win over merged ones, and an earlier item of a merge list over a later one (YAML 1.1 merge key; yaml.v3).
    """
    if mapping.get("<<") is None:
        return [(mapping, "")]
    found: list[tuple[Mapping, str]] = []
    seen: set[int] = set()
    _collect(mapping, "", found, seen)
    return found


def _collect(mapping: Mapping, via: str, found: list[tuple[Mapping, str]], seen: set[int]) -> None:
    if id(mapping) in seen or len(seen) > _MAX_MERGES:
        return
    seen.add(id(mapping))
    found.append((mapping, via))
    for pair in mapping.pairs:
        if not (isinstance(pair.key, Scalar) and pair.key.value == "<<"):
            continue
        merged = target(pair.value)
        for item in merged.items if isinstance(merged, Sequence) else [merged if merged is not pair.value else pair.value]:
            name = item.name if isinstance(item, Alias) else pair.value.name if isinstance(pair.value, Alias) else via
            value = target(item)
            if isinstance(value, Mapping):
                _collect(value, name or "<<", found, seen)


def lookup(mapping: Mapping, route: Route | None, key: str, via: str = "") -> Found | None:
    """The value of a key in a mapping, own or merged; nothing when neither has it."""
    value = mapping.get(key)
    if value is not None:
        return _found(value, route, key, via)
    for source, anchor in sources(mapping)[1:]:
        value = source.get(key)
        if value is not None:
            return _found(value, route, key, anchor or via)
    return None


def values(mapping: Mapping, route: Route | None, via: str = "") -> dict[str, Found]:
    """Every key of a mapping with its value, own or merged."""
    found: dict[str, Found] = {}
    for source, anchor in sources(mapping):
        for pair in source.pairs:
            if isinstance(pair.key, Scalar) and pair.key.value not in found:
                found[pair.key.value] = _found(pair.value, route, pair.key.value, anchor or via)
    return found


def _found(value: Node, route: Route | None, key: str, via: str) -> Found:
    if isinstance(value, Alias):
        return Found(value.target, None, value.name)
    return Found(value, (*route, key) if route is not None and not via else None, via)


def require_route(found: Found, key: str) -> Route:
    """Where a value may be edited. Raises `CannotWrite` when it is shared through an anchor."""
    if found.route is None:
        raise CannotWrite(f"`{key}` comes through the anchor `&{found.via}`, which other services may use")
    return found.route
