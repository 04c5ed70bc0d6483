"""What is said on the lines of a pull request: what was held back, and what nothing repairs. Knows no forge and its limits.

Lines are those of the files as the pull request leaves them. A fix that was held back is offered as a suggestion where it can be
taken by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hardener.bot.forge import Remark
from hardener.bot.words.kinds import is_dockerfile
from hardener.finding import Severity
from hardener.record import NamedTuple
from hardener.render.commonmark import code, prose
from hardener.render.diff import edits
from hardener.render.summary import shortened
from hardener.report import Outcome, Report, Status
from hardener.source import Source

#: So many are made; more would be noise.
MOST = 20
#: Findings that one remark tells of, and lines that a suggestion has.
_TOLD, _LINES = 6, 30
_SAID = (Status.HELD_BACK, Status.REPORTED, Status.REFUSED, Status.FAILED)

#: Text that takes the place of so many lines, as a forge can apply it; empty where it cannot (`Forge.suggestion`).
Suggest = Callable[[str, int], str]


def remarks(left: Report, suggest: Suggest) -> tuple[Remark, ...]:
    """At most 20 remarks, the worst first, and one on a line at most.

    `left` is a report of the files as the pull request leaves them, with `Outcome.alone` (`hardener.bot.bundles.left_by`).
    """
    by_line: dict[tuple[str, int], list[Outcome]] = {}
    for one in sorted((one for one in left.outcomes if one.status in _SAID), key=lambda one: -one.severity):
        by_line.setdefault((one.finding.place.path, one.finding.place.line), []).append(one)
    found: dict[tuple[str, int], Remark] = {}
    for (path, line), several in by_line.items():
        suggested = next(((one, offer) for one in several if (offer := _suggestion(one))), None)
        if suggested:
            one, (start, end, new) = suggested
            text = suggest(new, end - start + 1)
            # A suggestion stands on its last line, where no other remark is and none is to come.
            if text and (path, end) not in found and (end == line or (path, end) not in by_line):
                found[path, end] = Remark(path, end, _body(several, text, one), start if start < end else 0)
                continue
        if (path, line) not in found:
            found[path, line] = Remark(path, line, _body(several, "", None))
    return tuple(found.values())[:MOST]


def _body(several: list[Outcome], suggestion: str, suggested: Outcome | None) -> str:
    """What is found there, worst first, and what can be done."""
    parts = [text.replace("<!--", "<\u200b!--") for text in _sentences(several)]
    if suggested is not None and suggested.finding.fix:
        parts.append(f"This would be its fix ({prose(suggested.finding.fix.summary)}); test it:\n\n{suggestion}")
    return "\n\n".join(parts) + "\n"


def _sentences(several: list[Outcome]) -> Iterator[str]:
    for one in several[:_TOLD]:
        finding = one.finding
        severity = one.severity.name.lower()
        head = f"**{severity}**" if one.severity >= Severity.HIGH else severity
        said = [f"{code(shortened(finding.subject))}: {prose(shortened(finding.message, 300))} ({head}, {code(finding.rule)})."]
        if one.status is Status.HELD_BACK and finding.fix:
            why = prose(shortened(one.why or "evidence about this workload", 300))
            said.append(f"Not changed here, for want of evidence: {prose(finding.fix.summary)}. Missing: {why}.")
        elif one.why:
            said.append(f"Not changed here: {prose(shortened(one.why, 300))}.")
        if finding.advice:
            said.append(f"What to do: {prose(shortened(finding.advice, 500))}.")
        yield " ".join(said) + f" {code(f'harden explain {finding.rule}')} says more."
    if len(several) > _TOLD:
        yield f"And {len(several) - _TOLD} more findings on this line."


class _Block(NamedTuple):
    """Lines `[start, end)` of a file, from 0, that became other text."""

    start: int
    end: int
    text: str


def _blocks(before: str, after: str) -> list[_Block]:
    source = Source("", before)
    found = []
    for edit in edits(before, after):
        start = source.position(edit.start).line - 1
        end = start + len(before[edit.start : edit.end].splitlines()) if edit.end > edit.start else start
        if edit.start == len(before) and before and not before.endswith("\n"):
            start = end = start + 1
        found.append(_Block(start, end, edit.text))
    return found


class _Suggestion(NamedTuple):
    """Lines `start` to `end`, from 1, as the pull request leaves the file, and what would stand there."""

    start: int
    end: int
    text: str


def _suggestion(one: Outcome) -> _Suggestion | None:
    """The fix as a replacement of lines that a person can take with a click; None where that would not be the fix, or no file."""
    if one.status is not Status.HELD_BACK or len(one.alone) != 1:
        return None
    if one.alone[0].before.path != one.finding.place.path or one.alone[0].is_new:
        return None
    alone = one.alone[0]
    before, found = alone.before.text, _blocks(alone.before.text, alone.after.text)
    if len(found) != 1 or "\r" in before + alone.after.text:
        return None
    block, kept = found[0], ""
    old = before.split("\n")
    if block.start == block.end:  # what is only put in is suggested with the line before it
        if not block.start or (block.start >= len(old) and not before.endswith("\n")):
            return None
        kept = old[block.start - 1] + "\n"
        block = block._replace(start=block.start - 1)
    text = (kept + block.text).removesuffix("\n")
    if block.end - block.start > _LINES or not text:
        return None
    whole = "\n".join([*old[: block.start], *text.split("\n"), *old[block.end :]])
    return _Suggestion(block.start + 1, block.end, text) if _can_be_read(alone.before.path, whole) else None


def _can_be_read(path: str, text: str) -> bool:
    """Whether a file is still one with the suggestion taken: two fixes may both begin a mapping that neither had."""
    from hardener.errors import HardenError

    if is_dockerfile(path):
        return True
    from hardener.syntax.yaml import parse

    try:
        return not parse(text).duplicate_keys
    except HardenError:
        return False
