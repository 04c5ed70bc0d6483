"""GitLab's own forms of texts: no line becomes a quick action, titles tell drafts, suggestions count lines. Asks for nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

from hardener.render.commonmark import fence_marks

#: How GitLab knows a draft by its title (app/models/merge_request.rb, DRAFT_REGEX).
_DRAFT = re.compile(r"\s*(?:\[draft\]|\(draft\)|draft:)\s*", re.IGNORECASE)
#: How many lines above its own a suggestion may replace (doc/user/project/merge_requests/reviews/suggestions.md).
_LINES_ABOVE = 100
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
#: A line that may be a command, or may have been one before it was guarded.
_COMMAND = re.compile(r"\\*/[A-Za-z0-9_]+(?:\s|$)")
_COMMAND_IN_CODE = re.compile(r" */[A-Za-z0-9_]+(?:\s|$)")


def guarded(text: str) -> str:
    """A text of which no line is a quick action.

    A line such as `/close` in what is written for GitLab is carried out with the rights of whoever writes it
    (lib/gitlab/quick_actions/extractor.rb). A backslash before the slash, which Markdown does not show, makes it a text. In
    fenced code it would show; there GitLab leaves lines alone, but only between fences of exactly three backticks: in other code
    a space stands before the slash. `unguarded` gives back what was written.
    """
    return _turned(text, lambda line, mark: mark + line)


def unguarded(text: str) -> str:
    """What `guarded` was given."""
    return _turned(text, lambda line, mark: line.removeprefix(mark))


def _turned(text: str, turn: Callable[[str, str], str]) -> str:
    lines = text.split("\n")
    fence, is_safe = "", False
    for number, line in enumerate(lines):
        if fence:
            if _closes(line, fence):
                fence = ""
            elif not is_safe and _COMMAND_IN_CODE.match(line):
                lines[number] = turn(line, " ")
        elif opened := _FENCE.match(line):
            fence = opened[1]
            end = next((other for other in lines[number + 1 :] if _closes(other, fence)), "")
            is_safe = fence == "```" == end and line.startswith(fence)
        elif _COMMAND.match(line):
            lines[number] = turn(line, "\\")
    return "\n".join(lines)


def _closes(line: str, fence: str) -> bool:
    closing = _FENCE.match(line)
    return closing is not None and closing[1].startswith(fence) and not line[closing.end() :].strip()


def drafted(title: str, *, draft: bool) -> str:
    """A title that says whether its merge request is a draft."""
    return f"Draft: {title}" if draft else title


def undrafted(title: str) -> str:
    """A title without what makes it one of a draft."""
    found = _DRAFT.match(title)
    return title[found.end() :] if found else title


def suggestion(text: str, lines: int) -> str:
    """Text that takes the place of so many lines, up to the one that the remark stands on; empty where GitLab cannot apply it.

    That is so for more than 101 lines, and for what ends its lines by CRLF, which GitLab does not keep.
    """
    if not 1 <= lines <= _LINES_ABOVE + 1 or "\r" in text:
        return ""
    fence = fence_marks(text)
    body = text if text.endswith("\n") or not text else text + "\n"
    return f"{fence}suggestion:-{lines - 1}+0\n{body}{fence}"
