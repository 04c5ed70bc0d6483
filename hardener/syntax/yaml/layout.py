"""Where things end in a YAML text: lines and columns, block scalars, comments. Writes nothing."""

from __future__ import annotations

from hardener.syntax.comments import speaks
from hardener.syntax.yaml.operations import CannotEdit
from hardener.syntax.yaml.tree import Node, Scalar


def line_start(text: str, at: int) -> int:
    """The offset at which the line of an offset starts."""
    return text.rfind("\n", 0, at) + 1


def line_end(text: str, at: int) -> int:
    """The offset of the line ending (or the end of the text) behind an offset."""
    end = text.find("\n", at)
    if end == -1:
        return len(text)
    return end - 1 if end > at and text[end - 1] == "\r" else end


def next_line(text: str, end: int) -> int:
    """The offset at which the line behind a `line_end` starts; the end of the text when there is none."""
    if end == len(text):
        return end
    return end + (2 if text[end] == "\r" else 1)


def column_of(text: str, at: int) -> int:
    """The column of an offset, counted from 0."""
    return at - line_start(text, at)


def content_end(text: str, leaf: Node) -> int:
    """The end of a scalar, alias or flow collection; of a block scalar, the end of its last line.

    Blank lines at the end of a block scalar belong to it only when it keeps them. Raises `CannotEdit` for a block scalar
    that ends with the text but not with a line ending, where whatever follows would change it.
    """
    if not isinstance(leaf, Scalar) or leaf.style not in ("|", ">"):
        return leaf.end
    header_end = line_end(text, leaf.start)
    header = text[leaf.start : header_end].split("#")[0]
    end = leaf.end
    if text[end - 1] != "\n":
        if "-" not in header:
            raise CannotEdit("a block scalar stands at the end of the file, which has no final newline")
        return end
    end = _before_newline(text, end)
    if "+" in header:
        return end
    indent = _content_indent(text, next_line(text, header_end), end)
    while end > header_end:
        start = line_start(text, end)
        if text[start:end].strip(" ") or end - start > indent:
            break
        end = _before_newline(text, start)
    return end


def _before_newline(text: str, at: int) -> int:
    return at - 2 if text[at - 2 : at] == "\r\n" else at - 1


def _content_indent(text: str, at: int, end: int) -> int:
    """The indentation of the first line with content; 0 when there is none, so that no spaces are taken for blanks."""
    while at < end:
        line = text[at : line_end(text, at)]
        content = line.lstrip(" ")
        if content:
            return len(line) - len(content)
        at = next_line(text, at + len(line))
    return 0


def comment_behind(text: str, at: int) -> str:
    """The comment on the rest of the line, empty when the rest is blank. Raises `CannotEdit` for anything else."""
    rest = text[at : line_end(text, at)]
    bare = rest.strip(" \t")
    if bare and not (bare[0] == "#" and rest[0] in " \t"):
        raise CannotEdit(f"something else stands on the same line: {bare[:20]}")
    return bare


def past_comments(text: str, at: int, column: int) -> int:
    """The end of the line of `at`, or of the last of the comment lines right below it that reach at least to `column`.

    A comment that speaks to harden is about what stands below it, however deep, and so is what follows it. What is commented out
    goes on behind a blank line whose next comment is deeper than the first.
    """
    line = end = line_end(text, at)
    deep, blank = 0, False
    while (start := next_line(text, line)) > line:
        behind = _past_spaces(text, start)
        line = line_end(text, behind)
        if behind == line and deep:
            blank = True
            continue
        if text[behind : behind + 1] != "#" or behind - start < column or speaks(text[behind:line]):
            break
        said = _past_spaces(text, behind + 1) - behind
        if blank and said <= deep:
            break
        end, deep, blank = line, deep or said, False
    return end


def _past_spaces(text: str, at: int) -> int:
    while text[at : at + 1] == " ":
        at += 1
    return at
