"""What an edit must not lose or disturb: comments, anchors in use, block scalars that would grow. Writes nothing."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from hardener.syntax.yaml.layout import line_end, next_line
from hardener.syntax.yaml.operations import CannotEdit
from hardener.syntax.yaml.tree import Mapping, Node, Scalar, Sequence, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable


class Anchors:
    """The anchors of a text that are in use."""

    __slots__ = ("_aliases",)

    def __init__(self, stream: Stream) -> None:
        self._aliases = sorted(stream.aliases, key=lambda alias: alias.target.outer_start)

    def refuse_needed(self, node: Node, start: int | None = None) -> None:
        """Refuse to take away an anchor between `start` and the end of a node that is used elsewhere."""
        if not self._aliases:
            return
        if start is None:
            start = node.outer_start
        first = bisect_left(self._aliases, start, key=lambda alias: alias.target.outer_start)
        for index in range(first, len(self._aliases)):
            alias = self._aliases[index]
            if alias.target.outer_start >= max(node.end, node.outer_start + 1):
                return
            if not start <= alias.start < node.end:
                raise CannotEdit(f"the anchor &{alias.name} in it is used elsewhere")


def refuse_comments_inside(text: str, node: Node, start: int, end: int, behind: str) -> None:
    """Refuse to lose a comment that stands inside a value."""
    if isinstance(node, Scalar):
        lost = node.style in ("|", ">") and "#" in text[start : line_end(text, node.start)]
    else:
        at, lost = start, bool(behind)
        for leaf in _leaves(node):
            lost = lost or "#" in text[at : leaf.outer_start]
            at = leaf.end
            if isinstance(leaf, Scalar) and leaf.style in ("|", ">"):
                lost = lost or "#" in text[leaf.start : line_end(text, leaf.start)]
        lost = lost or "#" in text[at:end]
    if lost:
        raise CannotEdit("a comment inside the old value would be lost")


def refuse_to_feed(text: str, leaf: Node, behind: int, column: int) -> None:
    """Refuse where lines behind a removed one would become part of the block scalar before it, `leaf`."""
    if not isinstance(leaf, Scalar) or leaf.style not in ("|", ">"):
        return
    header = text[leaf.start : line_end(text, leaf.start)].split("#")[0]
    at = behind
    while at < len(text):
        end = line_end(text, at)
        line = text[at:end]
        bare = line.lstrip(" ")
        if bare:
            if bare[0] == "#" and len(line) - len(bare) > column:
                raise CannotEdit("a comment would become part of the block scalar before it")
            return
        if "+" in header or len(line) > column:
            raise CannotEdit("blank lines would become part of the block scalar before them")
        at = next_line(text, end)
    if "+" in header or (text[-1] != "\n" and "-" not in header):
        raise CannotEdit("the block scalar before it would end the file, and change")


def _leaves(node: Node) -> Iterable[Node]:
    if isinstance(node, Mapping):
        for pair in node.pairs:
            yield from _leaves(pair.key)
            yield from _leaves(pair.value)
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _leaves(item)
    else:
        yield node
