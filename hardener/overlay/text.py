"""Overlays as YAML text: values that keep the form and the reason they have elsewhere. Knows no format that merges."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hardener.errors import CannotWrite, Unreadable
from hardener.facts.own_overlay import is_own_overlay
from hardener.record import NamedTuple
from hardener.source import Source, read
from hardener.syntax.yaml import Alias, Node, Scalar
from hardener.syntax.yaml.scalars import reads_as_string, written

_STRING_TAGS = ("!!str", "tag:yaml.org,2002:str")


class Leaf:
    """A single value as it is to stand in a text, with the reason that goes beside it; equal to all that say the same."""

    __slots__ = ("comment", "said", "text")

    def __init__(self, text: str, said: object, comment: str = "") -> None:
        self.text = text
        #: Its text after YAML's own processing, and whether it is a string in every dialect; None for null.
        self.said = said
        self.comment = comment

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Leaf) and self.said == other.said

    def __hash__(self) -> int:
        return hash(self.said)

    def __repr__(self) -> str:
        return f"Leaf({self.text})"


def in_place(location: str, name: str) -> Source | None:
    """The file that is where an overlay goes, if any. Raises `CannotWrite` for one that harden did not write, and for links."""
    if not os.path.lexists(location):
        return None
    if os.path.islink(location):
        raise CannotWrite(f"{name} is in its place: a link, which may lead anywhere")
    try:
        there = read(location, name)
    except Unreadable as error:
        raise CannotWrite(f"{name} is in its place: {error.reason}") from None
    if not is_own_overlay(there.text):
        raise CannotWrite(f"{name} is in its place, and was not written by harden: move it, or give it another name")
    return there


class Tagged(NamedTuple):
    """A value with a tag; without items, null."""

    tag: str
    items: tuple[Leaf, ...] = ()


class Reader:
    """Takes values out of texts; a comment above a value counts as its reason only where the text before had none of it."""

    def __init__(self, before: Iterable[Source]) -> None:
        self._old = {source.path: source.text for source in before}

    def leaf(self, source: Source, node: Node, key: str, tags: tuple[str, ...] = ()) -> Leaf:
        """A single value to repeat; `tags` may stand before it. Raises `CannotWrite` for a list, a mapping or another tag."""
        node = node.target if isinstance(node, Alias) else node
        if not isinstance(node, Scalar) or not (node.tag is None or node.tag in _STRING_TAGS + tags):
            raise CannotWrite(f"`{key}` has a value that an overlay cannot repeat")
        text = source.text[node.start : node.end]
        is_string = bool(node.style) or node.tag in _STRING_TAGS or reads_as_string(node.value)
        if node.is_null:
            return Leaf("null", None, self._comment(source, node))
        if node.tag in _STRING_TAGS or (node.style or "") not in ("", "'", '"') or len(text.splitlines()) > 1:
            text = written(node.value, quote='"', force=True)
        return Leaf(text, (node.value, is_string), self._comment(source, node))

    def _comment(self, source: Source, node: Node) -> str:
        text = source.text
        end = text.find("\n", node.end)
        beside = text[node.end : end if end != -1 else len(text)].lstrip(" \t,]}")
        if beside.startswith("#"):
            return beside[1:].strip()
        start = max(text.rfind("\n", 0, node.start), 0)
        above = text[text.rfind("\n", 0, start) + 1 : start].strip()
        is_new = above.startswith("#") and above not in self._old.get(source.path, "")
        return above[1:].strip() if is_new else ""


def rendered(value: Mapping[Any, Any], depth: int = 0) -> Iterator[str]:
    """The lines of a mapping in block style, two spaces a level; values are leaves, plain ones, lists, mappings or `Tagged`."""
    for key, inner in value.items():
        yield from _pair(f"{'  ' * depth}{_single(key)[0]}:", inner, depth)


def _pair(head: str, value: Any, depth: int) -> Iterator[str]:
    """What stands behind a key, whose line begins with `head` at a depth."""
    if isinstance(value, Tagged):
        yield f"{head} {value.tag}" if value.items else f"{head} {value.tag} null"
        yield from _items(value.items, depth + 1)
    elif isinstance(value, Mapping) and value:
        yield head
        yield from rendered(value, depth + 1)
    elif isinstance(value, (list, tuple)) and value:
        yield head
        yield from _items(value, depth + 1)
    else:
        yield f"{head} {_line(value)}"


def _items(items: Iterable[Any], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for item in items:
        if isinstance(item, Mapping) and item:
            first, *rest = rendered(item, depth + 1)
            yield f"{indent}- {first.lstrip(' ')}"
            yield from rest
        elif isinstance(item, (list, tuple)) and item:
            yield f"{indent}-"
            yield from _items(item, depth + 1)
        else:
            yield f"{indent}- {_line(item)}"


def _line(value: Any) -> str:
    text, comment = _single(value)
    return f"{text}  # {comment}" if comment else text


def _single(value: Any) -> tuple[str, str]:
    if isinstance(value, Leaf):
        return value.text, value.comment
    if value is None:
        return "null", ""
    if isinstance(value, (Mapping, list, tuple)):
        return ("{}" if isinstance(value, Mapping) else "[]"), ""
    return written(value, quote='"'), ""
