"""What of its file each comment covers: spans of the text, and which comment answers for a place. Knows no rule.

A comment behind something is about what begins on its line; one on a line of its own about what begins on the next line with
content: a key with its value, an item, an instruction, above FROM the stage. At the top of a file it is about all of the
file, at the top of a further YAML document about that document.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hardener.facts.silence import Silence
from hardener.finding import Place
from hardener.record import NamedTuple
from hardener.silence.directive import read
from hardener.source import Source
from hardener.syntax.comments import MARK

#: From one position to another, both included; a position is a line and a column, from 1.
Position = tuple[int, int]
Span = tuple[Position, Position]
_ALL: Span = ((0, 0), (1 << 60, 0))


class Covering(NamedTuple):
    """A comment and what it covers, which may be nothing."""

    silence: Silence
    spans: tuple[Span, ...]
    #: The line that it is about; 0 for none.
    line: int = 0


def coverings(source: Source, tree: Any, today: tuple[int, int, int]) -> tuple[Covering, ...]:
    """Every comment of a file that speaks to harden, with what it covers. `tree` is what the file's syntax made of it."""
    if MARK not in source.text:
        return ()
    reader = _in_dockerfile if hasattr(tree, "instructions") else _in_yaml
    seen: dict[str, int] = {}
    found = []
    for start, end, spans, line in reader(source, tree):
        text = source.text[start:end]
        number = seen[text] = seen.get(text, -1) + 1
        found.append(Covering(read(text, number, Place(source.path, *source.position(start)), today), spans, line))
    return tuple(found)


_Comment = tuple[int, int, tuple[Span, ...], int]


def _in_dockerfile(source: Source, tree: Any) -> Iterator[_Comment]:
    from hardener.syntax.dockerfile import speaking_comments

    instructions = tree.instructions
    ends = [item.end for item in instructions]
    last_of = {stage.first: instructions[stage.last - 1] for stage in tree.stages}
    for start, end in speaking_comments(tree):
        index = bisect_right(ends, start)
        if index == len(instructions):
            yield start, end, (), 0
        elif index == 0 and start < instructions[0].start:
            yield start, end, (_ALL,), instructions[0].line
        else:
            first = instructions[index]
            last = last_of.get(index, first) if start < first.start else first
            yield start, end, ((source.position(first.start), source.position(last.end)),), first.line


def _in_yaml(source: Source, tree: Any) -> Iterator[_Comment]:
    from hardener.syntax.yaml.comments import speaking_comments

    text = source.text
    comments = speaking_comments(tree)
    if not comments:
        return
    roots = [d.root for d in tree.documents if d.root is not None and d.root.start < d.root.end]
    starts = [root.outer_start for root in roots]
    content = _next_content(text)
    about: list[tuple[int, int, int]] = []  # a comment, and the line that it is about; -1 for a whole document
    for start, end in comments:
        line = source.position(start).line
        alone = not text[text.rfind("\n", 0, start) + 1 : start].strip()
        index = bisect_right(starts, start)
        if not alone:
            about.append((start, end, line))
        elif index < len(roots) and (index == 0 or start > roots[index - 1].end):
            about.append((start, end, -1))
        else:
            about.append((start, end, content[line]))
    mark = 0 if text.startswith("---") else text.find("\n---")
    begins = _beginnings(source, roots, {line for _, _, line in about})
    for start, end, line in about:
        if line != -1:
            yield start, end, tuple(begins.get(line, ())), line
            continue
        index = bisect_right(starts, start)
        root = roots[index]
        whole = index == 0 and not (0 <= mark < start and len(roots) > 1)
        span = _ALL if whole else (source.position(root.outer_start), source.position(root.end))
        yield start, end, (span,), source.position(root.outer_start).line


def _next_content(text: str) -> list[int]:
    """For each line, by number, the next one below it that is neither blank nor a comment; 0 where there is none."""
    lines = text.split("\n")
    following = [0] * (len(lines) + 1)
    for number in range(len(lines) - 1, 0, -1):
        line = lines[number].strip()
        following[number] = following[number + 1] if not line or line[0] == "#" else number + 1
    return following


def _beginnings(source: Source, roots: Iterable[Any], lines: set[int]) -> dict[int, list[Span]]:
    """The spans of the outermost pairs and items that begin on lines."""
    found: dict[int, list[Span]] = {}
    for start, end in parts(source.text, roots):
        position = source.position(start)
        if position.line in lines:
            spans = found.setdefault(position.line, [])
            if not spans or tuple(position) > spans[-1][1]:
                spans.append((tuple(position), tuple(source.position(end))))  # type: ignore[arg-type]
    return found


def parts(text: str, roots: Iterable[Any]) -> Iterator[tuple[int, int]]:
    """Where each pair and item begins and ends, outer ones before those in them, in the order of the text."""
    from hardener.syntax.yaml import Mapping, Sequence

    stack = list(reversed(list(roots)))
    while stack:
        node = stack.pop()
        if isinstance(node, tuple):
            start, end, node = node
            yield start, end
        if isinstance(node, Mapping):
            parts = [(pair.key.outer_start, max(pair.key.end, pair.value.end), pair.value) for pair in node.pairs]
            stack += reversed(parts)
        elif isinstance(node, Sequence):
            before = node.start
            items: list[tuple[int, int, Any]] = []
            for item in node.items:
                start = item.outer_start
                if not node.flow:
                    start = max(text.rfind("-", before, start), before) if items else node.start
                items.append((start, max(start, item.end), item))
                before = item.end
            stack += reversed(items)


class Index:
    """Which comment answers for a place of a file: of those about a rule the innermost."""

    def __init__(self, covering: Iterable[Covering], holds: Callable[[Silence], bool]) -> None:
        by_rule: dict[str, dict[Span, Silence]] = {}
        for one in covering:
            if holds(one.silence):
                for rule in one.silence.rules:
                    for span in one.spans:
                        by_rule.setdefault(rule, {}).setdefault(span, one.silence)
        self._nests = {rule: _Nest(spans) for rule, spans in by_rule.items()}

    def find(self, rule: str, position: Position) -> Silence | None:
        """The comment that answers for a finding of a rule at a position; None where there is none."""
        nest = self._nests.get(rule)
        return nest.find(position) if nest is not None else None


class _Nest:
    """Spans that lie within or beside each other: nodes of one tree."""

    def __init__(self, spans: dict[Span, Silence]) -> None:
        self._spans = sorted(spans.items(), key=lambda item: (item[0][0], _negative(item[0][1])))
        self._starts = [span[0] for span, _ in self._spans]
        self._around: list[int] = []
        open_ones: list[int] = []
        for at, (span, _) in enumerate(self._spans):
            while open_ones and self._spans[open_ones[-1]][0][1] < span[0]:
                open_ones.pop()
            self._around.append(open_ones[-1] if open_ones else -1)
            open_ones.append(at)

    def find(self, position: Position) -> Silence | None:
        at = bisect_right(self._starts, position) - 1
        while at >= 0 and self._spans[at][0][1] < position:
            at = self._around[at]
        return self._spans[at][1] if at >= 0 else None


def _negative(position: Position) -> Position:
    return -position[0], -position[1]
