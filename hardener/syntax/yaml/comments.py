"""Which comments of a YAML text speak to harden. Knows what is a comment and what only looks like one, not what they say."""

from __future__ import annotations

import re
from bisect import bisect_right

from hardener.syntax.yaml.layout import line_end
from hardener.syntax.yaml.tree import Scalar, Stream, children

_SPEAKS = re.compile(r"#[ \t]*harden:[^\r\n\x85\u2028\u2029]*")


def speaking_comments(stream: Stream) -> list[tuple[int, int]]:
    """The spans of all comments that speak to harden, from `#` to their last character that is no blank, in order."""
    text = stream.text
    literal = _literal(stream)
    starts = [start for start, _ in literal]

    def is_hash(at: int) -> bool:
        """Whether a `#` opens a comment, as far as what stands before it on the line does not."""
        if at and text[at - 1] not in " \t\r\n":
            return False
        inside = bisect_right(starts, at) - 1
        return inside < 0 or at >= literal[inside][1]

    found: list[tuple[int, int]] = []
    for match in _SPEAKS.finditer(text):
        at = match.start()
        line = text.rfind("\n", 0, at) + 1
        if is_hash(at) and not any(is_hash(other) for other in _hashes(text, line, at)):
            found.append((at, at + len(match[0].rstrip())))
    return found


def _hashes(text: str, start: int, end: int) -> list[int]:
    found = []
    at = text.find("#", start, end)
    while at != -1:
        found.append(at)
        at = text.find("#", at + 1, end)
    return found


def _literal(stream: Stream) -> list[tuple[int, int]]:
    """The spans of quoted and block scalars, in which a `#` is a character like others; of block scalars without their head."""
    found: list[tuple[int, int]] = []
    todo = [document.root for document in stream.documents if document.root is not None]
    while todo:
        node = todo.pop()
        if not isinstance(node, Scalar):
            todo += children(node)
        elif node.style in ("|", ">"):
            found.append((line_end(stream.text, node.start), node.end))
        elif node.style:
            found.append((node.start, node.end))
    return sorted(found)
