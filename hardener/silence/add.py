"""Comments that silence findings, written into a text: one above each place, with all of its rules. Knows no hazard.

Nothing else changes: the text says the same to a builder or a parser, or the comments are not written.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any

from hardener.errors import UsageError
from hardener.facts.silence import Silence
from hardener.finding import Finding, Place
from hardener.record import NamedTuple
from hardener.rules import ids
from hardener.silence.directive import MOST_REASON, read
from hardener.silence.scope import coverings, parts
from hardener.source import Edit, Source, newline_at, splice
from hardener.syntax.comments import MARK

#: Columns of a line, beyond which a list of rules goes on in a second comment.
WIDTH = 120
_LONG_AGO = (1, 1, 1)


class Added(NamedTuple):
    """The new text, and what could not be silenced in it, with the reason."""

    text: str
    refused: tuple[tuple[Finding, str], ...]


def checked(reason: str) -> str:
    """A reason as it will stand in comments, perhaps with `until=` before it. Raises `UsageError` for one that cannot."""
    words = " ".join(reason.split())
    if not words.isprintable():
        raise UsageError("--add-ignores: the reason has characters that cannot be seen")
    rule = next(iter(ids("container")))
    said = read(_comment([rule], words), 0, Place("", 1, 1), _LONG_AGO)
    if said.mistake:
        raise UsageError(f"--add-ignores {words!r}: {said.mistake}: {said.advice}")
    if len(words) > MOST_REASON:
        raise UsageError(f"--add-ignores: a reason has at most {MOST_REASON} characters")
    return words


def add(source: Source, tree: Any, findings: Iterable[Finding], reason: str, syntax: Any) -> Added:
    """A text with comments that silence findings whose places are in it. `reason` as `checked` returns it."""
    in_yaml = not hasattr(tree, "instructions")
    if in_yaml and (source.path.endswith(".json") or source.text.lstrip()[:1] == "{"):
        return Added(source.text, tuple((finding, "JSON has no comments") for finding in findings))
    findings = list(findings)
    refused: list[tuple[Finding, str]] = []
    by_line: dict[int, dict[str, None]] = {}
    lines = _lines_of(source, tree, findings)
    for finding, line in zip(findings, lines, strict=True):
        if line:
            by_line.setdefault(line, {})[finding.rule] = None
        else:
            refused.append((finding, "no comment has a place above it"))
    edits = _edits(source, tree, by_line, reason)
    if not edits:
        return Added(source.text, tuple(refused))
    text = splice(source.text, edits)
    if syntax.plain(syntax.parse(text)) != syntax.plain(tree):
        return Added(source.text, tuple((finding, "a comment would change what the file says") for finding in findings))
    return Added(text, tuple(refused))


def _edits(source: Source, tree: Any, by_line: dict[int, dict[str, None]], reason: str) -> list[Edit]:
    text = source.text
    starts = _starts(text)
    there: dict[int, list[Silence]] = {}
    wanted = read(_comment([], reason), 0, Place("", 1, 1), _LONG_AGO)
    for one in coverings(source, tree, _LONG_AGO):
        said = one.silence
        alone = not text[starts[said.place.line - 1] : starts[said.place.line - 1] + said.place.column - 1].strip()
        if alone and not said.mistake and (said.reason, said.until) == (wanted.reason, wanted.until):
            there.setdefault(one.line, []).append(said)
    edits = []
    for line, named in by_line.items():
        start = starts[line - 1]
        indent = _indent(text, start)
        rules = sorted(named)
        for said in there.get(line, ()):
            rules = [rule for rule in rules if rule not in said.rules]
            more = _fitting(rules, WIDTH - len(indent) - len(said.text) - len(", "))
            if more:
                at = starts[said.place.line - 1] + said.place.column - 1 + said.listed[1]
                edits.append(Edit(at, at, f", {', '.join(more)}"))
                rules = rules[len(more) :]
        comments = []
        while rules:
            some = _fitting(rules, WIDTH - len(indent) - len(_comment([], reason))) or rules[:1]
            comments.append(_comment(some, reason))
            rules = rules[len(some) :]
        if comments:
            newline = newline_at(text, start)
            edits.append(Edit(start, start, "".join(f"{indent}{comment}{newline}" for comment in comments)))
    return edits


def _comment(rules: Sequence[str], reason: str) -> str:
    return f"# {MARK} ignore[{', '.join(rules)}] {reason}"


def _fitting(rules: Sequence[str], room: int) -> list[str]:
    """The first of the rules whose list is not longer than `room`."""
    found: list[str] = []
    for rule in rules:
        room -= len(rule) + 2
        if room < -2:
            break
        found.append(rule)
    return found


def _starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer("\n", text))]


def _indent(text: str, start: int) -> str:
    end = start
    while text[end : end + 1] in (" ", "\t"):
        end += 1
    return text[start:end]


def _lines_of(source: Source, tree: Any, findings: Sequence[Finding]) -> list[int]:
    """For each finding the line that its comment goes above; 0 where there is none."""
    if hasattr(tree, "instructions"):
        by_line = {line: item.line for item in tree.instructions for line in range(item.line, item.last_line + 1)}
        return [by_line.get(finding.place.line, 0) for finding in findings]
    text, starts = source.text, _starts(source.text)
    wanted = sorted({(finding.place.line, finding.place.column) for finding in findings})
    offsets = [(starts[line - 1] + column - 1, (line, column)) for line, column in wanted]
    found: dict[tuple[int, int], int] = {}
    for start, end in parts(text, [document.root for document in tree.documents if document.root is not None]):
        first = bisect_left(offsets, (start, (0, 0)))
        if first == len(offsets) or offsets[first][0] > end:
            continue
        line = source.position(start).line
        if text[starts[line - 1] : start].strip(" "):
            continue  # something stands before it on its line
        while first < len(offsets) and offsets[first][0] <= end:
            found[offsets[first][1]] = line
            first += 1
    return [found.get((finding.place.line, finding.place.column), 0) for finding in findings]
