"""Operations on a Dockerfile by instruction, as edits of its text and as what a builder must see afterwards. Knows no rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hardener.errors import CannotWrite
from hardener.source import Edit, newline_at
from hardener.syntax.comments import Reword, reworded, speaks
from hardener.syntax.dockerfile.model import Dockerfile, DockerfileError, Instruction, Plain, plain_instruction
from hardener.syntax.dockerfile.scan import parse_fragment


class Insert(NamedTuple):
    """New lines before the instruction with this index; the number of instructions means the end. Comments are lines too."""

    before: int
    lines: tuple[str, ...]


class Replace(NamedTuple):
    """A new text for the whole instruction with this index, which must be one instruction again."""

    at: int
    text: str


class Drop(NamedTuple):
    """Without the instruction with this index; the comment above it stays."""

    at: int


Operation = Insert | Replace | Drop


def edits(dockerfile: Dockerfile, operations: Iterable[Operation | Reword]) -> list[Edit]:
    """The operations as edits of the text. Raises `CannotWrite` where there is no place for one.

    Several inserts before one instruction keep their order.
    """
    inserts: dict[int, list[str]] = {}
    changes: dict[int, str | None] = {}
    words: list[Reword] = []
    for operation in operations:
        if isinstance(operation, Reword):
            words.append(operation)
            continue
        if isinstance(operation, Insert):
            inserts.setdefault(operation.before, []).extend(operation.lines)
            continue
        if operation.at in changes:
            raise CannotWrite("two changes of one instruction")
        if dockerfile.instructions[operation.at].dangling:
            raise CannotWrite("the instruction is continued beyond the end of the file")
        changes[operation.at] = operation.text if isinstance(operation, Replace) else None
    found = [_insertion(dockerfile, before, lines) for before, lines in inserts.items()]
    found += [_change(dockerfile, index, text) for index, text in changes.items()]
    if words:
        found += reworded(dockerfile.text, speaking_comments(dockerfile), words)
    return _joined(found)


def speaking_comments(dockerfile: Dockerfile) -> list[tuple[int, int]]:
    """The spans of all comments that speak to harden, from `#` to their last character that is no blank, in order."""
    text = dockerfile.text
    spans = ((comment.start, comment.end) for comment in dockerfile.comments)
    return [(start, start + len(text[start:end].rstrip())) for start, end in spans if speaks(text[start:end])]


def expected(dockerfile: Dockerfile, operations: Iterable[Operation | Reword]) -> Plain:
    """What `plain` of the new text must be. Raises `CannotWrite` for text that is not what its operation says."""
    inserted: dict[int, list[Plain]] = {}
    items: list[list[Plain]] = [[plain_instruction(item)] for item in dockerfile.instructions]
    for operation in operations:
        if isinstance(operation, Reword):
            continue
        if isinstance(operation, Insert):
            new = _fragment(dockerfile, "\n".join(operation.lines))
            inserted.setdefault(operation.before, []).extend(map(plain_instruction, new))
        elif isinstance(operation, Replace):
            new = _fragment(dockerfile, _with_newlines(dockerfile, operation))
            if len(new) != 1:
                raise CannotWrite("the new text is not one instruction")
            items[operation.at] = [plain_instruction(new[0])]
        else:
            items[operation.at] = []
    result: list[Plain] = []
    for index in range(len(items) + 1):
        result += inserted.get(index, ())
        result += items[index] if index < len(items) else ()
    return (tuple(dockerfile.directives.items()), tuple(result))


def _fragment(dockerfile: Dockerfile, text: str) -> list[Instruction]:
    try:
        found = parse_fragment(text, dockerfile.escape)
    except DockerfileError as error:
        raise CannotWrite(f"the new text is not understood: {error.reason}") from None
    if any(item.dangling for item in found):
        raise CannotWrite("the new text ends in a continuation")
    return found


def _with_newlines(dockerfile: Dockerfile, operation: Replace) -> str:
    return operation.text.replace("\n", newline_at(dockerfile.text, dockerfile.instructions[operation.at].start))


def _insertion(dockerfile: Dockerfile, before: int, lines: list[str]) -> Edit:
    text, instructions = dockerfile.text, dockerfile.instructions
    previous = instructions[before - 1] if before else None
    if previous is not None and (before == len(instructions) or instructions[before].keyword == "FROM"):
        # The end of a stage: the lines belong to what is above them.
        if previous.dangling:
            raise CannotWrite("the last instruction is continued beyond the end of the file")
        newline = newline_at(text, previous.end)
        gap = newline * (1 + _separated(dockerfile, before - 1))
        return Edit(previous.end, previous.end, gap + newline.join(lines))
    at = _block_start(dockerfile, before)
    newline = newline_at(text, at)
    gap = newline * (1 + (previous is not None and _blank_above(text, at)))
    return Edit(at, at, newline.join(lines) + gap)


def _block_start(dockerfile: Dockerfile, index: int) -> int:
    """Where the line of an instruction begins, or of the first of the comment lines directly above it.

    A comment that speaks to harden is about the instruction even where blank lines follow it.
    """
    text = dockerfile.text
    start = dockerfile.instructions[index].start
    line = dockerfile.instructions[index].line
    floor = max(dockerfile.directives_end, dockerfile.instructions[index - 1].end if index else 0)
    for comment in reversed(dockerfile.comments):
        if comment.start < floor:
            break
        if comment.start > start:
            continue
        if comment.line == line - 1 or speaks(text[comment.start : comment.end]):
            start, line = comment.start, comment.line
    return text.rfind("\n", 0, start) + 1


def _blank_above(text: str, at: int) -> bool:
    return at > 0 and not text[text.rfind("\n", 0, at - 1) + 1 : at].strip()


def _separated(dockerfile: Dockerfile, index: int) -> bool:
    """Whether a blank line stands between an instruction and the one before it."""
    return index > 0 and _blank_above(dockerfile.text, _block_start(dockerfile, index))


def _change(dockerfile: Dockerfile, index: int, text: str | None) -> Edit:
    item = dockerfile.instructions[index]
    if text is not None:
        return Edit(item.start, item.end, _with_newlines(dockerfile, Replace(index, text)))
    whole = dockerfile.text
    start = whole.rfind("\n", 0, item.start) + 1
    end = whole.find("\n", item.end) + 1
    if not end:
        # The last line had no newline, so the new last line has none.
        return Edit(len(whole[:start].rstrip("\r\n")), len(whole), "")
    if start and _blank_above(whole, start) and (end == len(whole) or not _line(whole, end).strip()):
        if end == len(whole):
            start = whole.rfind("\n", 0, start - 1) + 1
        else:
            end += len(_line(whole, end))
    return Edit(start, end, "")


def _line(text: str, at: int) -> str:
    end = text.find("\n", at) + 1
    return text[at : end or len(text)]


def _joined(found: list[Edit]) -> list[Edit]:
    """Edits in order; an insert where a change begins becomes part of that change."""
    result: list[Edit] = []
    for edit in sorted(found, key=lambda item: (item.start, item.end)):
        last = result[-1] if result else None
        if last is not None and last.start == last.end == edit.start:
            result[-1] = Edit(edit.start, edit.end, last.text + edit.text)
        else:
            result.append(edit)
    return result
