"""Text that cannot become markup: code spans, prose, links and fences of GitHub-flavoured Markdown. Knows no report.

What stands in a repository may be anything: a service called `@everyone`, a tag with a pipe, a path with a tag of HTML. Pages of
GitHub and GitLab make links of mentions (@user), issues (#1, GH-1), commits and addresses wherever they stand, but not in code;
and they take numeric references (`&#64;`) for the character. So everything that is not a plain word becomes code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from hardener.record import NamedTuple
from hardener.render.summary import clean

#: Existing code, blanks, words, and backticks without a partner.
_TOKENS = re.compile(r"`[^`]+`|\s+|[^\s`]+|`")
#: A word that nothing makes markup or a link of, with the punctuation around it. A number with more digits may be a commit.
_PLAIN = re.compile(r"[(\"']*(?:[A-Za-z]+(?:[-'/][A-Za-z]+)*|[0-9]{1,6}(?=[,;:!?]|\Z)|%)[)\"']*[.,;:!?]*[)\"']*", re.ASCII)
#: What stands around a word that is code; two dots and more belong to it.
_AROUND = re.compile(r"(\(*)(.*?[^.,;:!?)]|.*?(?<!\.)\.\.++|.+)(\)*[.,;:!?]?)", re.ASCII | re.DOTALL)
#: What a code span in backticks cannot hold: a blank at its edge; and `##[`, with which the runner of GitHub's workflows takes
#: orders from its log wherever it stands.
_SPECIAL = re.compile(r"`|##\[|^\s|\s$|^\Z", re.ASCII)
#: A pipe ends a cell of a table, and parsers disagree on how to escape it.
_SPECIAL_IN_CELL = re.compile(r"[|\\]")
_POINTS = re.compile(r"\)*[.,;:!?]*\)*", re.ASCII)
_RUN = re.compile(r"`+")
#: Where a line of a log begins with this, the same runner takes it for an order.
_ORDER = re.compile(r"^([ +\-]?\s*)::")
_NO_SPACE = "\u200b"
_AT = "&#64;&#8203;"


def code(text: str, *, cell: bool = False) -> str:
    """Text as it is, as code, on one line; `cell` says that it stands in a table."""
    text = shown(text)
    if _SPECIAL.search(text) or (cell and _SPECIAL_IN_CELL.search(text)):
        return html_code(text)
    return f"`{text}`"


def html_code(text: str) -> str:
    """The same as an element of HTML, which also serves where Markdown is not read, such as in `<summary>`."""
    text = shown(text)
    plain = " /-" if "www" in text.lower() else " /-."
    # In HTML within a line, parsers still look for addresses of mail.
    return f"<code>{''.join(c if c.isalnum() or c in plain else _AT if c == '@' else f'&#{ord(c)};' for c in text)}</code>"


class _Word(NamedTuple):
    """A word of a sentence: what stays before and after it, and what is code."""

    spaced: bool
    before: str = ""
    code: str = ""
    after: str = ""
    #: Whether a neighbour of the same kind may share its code span.
    joins: bool = False


@lru_cache(maxsize=4096)  # services say the same of each other
def prose(text: str) -> str:
    """A sentence: plain words stay, existing code stays code, what else is not plain becomes code, together with its likes."""
    words: list[_Word] = []
    spaced = False
    for token in _TOKENS.findall(shown(text)):
        if token.isspace():
            spaced = True
            continue
        word = _word(token, spaced or not words)
        last = words[-1] if words else word
        if words and word.joins and last.joins and word.spaced and not (word.before or last.after):
            words[-1] = last._replace(code=f"{last.code} {word.code}", after=word.after)
        else:
            words.append(word)
        spaced = False
    said = ""
    for word in words:
        said += (" " if word.spaced and said else "") + word.before
        if word.code:
            span = code(word.code)
            said += html_code(word.code) if said.endswith("`") and span.startswith("`") else span  # two spans would become one
        said += word.after
    return said


def _word(token: str, spaced: bool) -> _Word:
    if len(token) > 1 and token[0] == token[-1] == "`":
        return _Word(spaced, code=token[1:-1])
    if token == "(" or (_PLAIN.fullmatch(token) if spaced else _POINTS.fullmatch(token)):
        return _Word(spaced, token)
    around = _AROUND.fullmatch(token)
    if not around or (token[0] != "(" and token.count("(") == token.count(")") > 0):
        return _Word(spaced, code=token, joins=True)
    return _Word(spaced, around[1], around[2], around[3], joins=True)


def link(text: str, address: str) -> str:
    """Code that leads somewhere; `address` is one that we made."""
    return f"[{code(text)}]({address})" if address else code(text)


def fence(text: str, language: str) -> str:
    """Lines as a block of code that nothing in them ends."""
    lines = [_line(line) for line in text.removesuffix("\n").split("\n")]
    marks = fence_marks("\n".join(lines))
    return "\n".join((marks + language, *lines, marks))


def fence_marks(text: str) -> str:
    """As many backticks as it takes for a fence that nothing in the text ends."""
    return "`" * max(3, 1 + max(map(len, _RUN.findall(text)), default=0))


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of cells that are markup already."""
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def shown(text: str) -> str:
    """Text without control characters, and with bytes that are no UTF-8 as escapes: what can be written to any file."""
    return clean(text).encode("utf-8", "backslashreplace").decode("utf-8")


def _line(line: str) -> str:
    """A line of a diff: tabs stay, other control characters become escapes."""
    line = "\t".join(shown(part) for part in line.removesuffix("\r").split("\t"))
    return _ORDER.sub(rf"\1{_NO_SPACE}::", line).replace("##[", f"#{_NO_SPACE}#[")
