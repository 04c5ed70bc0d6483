"""Words of a repository in titles and commits, which are no Markdown and yet are acted upon. Knows no report.

Forges look for more in them than people do: mentions, references, words that close issues, orders such as `[skip ci]`, addresses,
trailers such as `Co-authored-by:`. None of these may come from a name or a comment in a file. What is not needed for reading
is changed so that it is none: it is a message about code, not a copy of it.
"""

from __future__ import annotations

import re

from hardener.render.commonmark import shown
from hardener.render.summary import filled, shortened

#: How long a title and the first line of a commit may be, and where its other lines end.
ROOM = 72
#: What a name may be made of to stand in a title as it is.
_NAME = re.compile(r"[A-Za-z0-9_]+(?:[._/-][A-Za-z0-9_]+)*", re.ASCII)
#: Names that forges make a link of all the same: keys of issues, commits, hosts.
_LINKED = re.compile(r"(?:[A-Z][A-Z0-9_]*|gh)-[0-9]+|[0-9a-f]{7,64}|[0-9]{5,}|www\..*", re.IGNORECASE | re.ASCII)
#: What is left out wherever it stands in a name: not all forges ask what is before it.
_INSIDE = re.compile(r"(?i:www\.)|GH-", re.ASCII)
_KEY = re.compile(r"(\b[A-Z][A-Z0-9_]*|\b[Gg][Hh]|GH)-(?=[0-9])", re.ASCII)
#: What a trailer begins with.
_TRAILER = re.compile(r"\b([A-Za-z]+(?:-[A-Za-z]+)+)\s*:[\s:]*", re.ASCII)
#: By this, colon or not, a line announces a new major version to release tools (conventional-commits-parser, `noteKeywords`).
_BREAKING = re.compile(r"(breaking)[ -]+(change)", re.IGNORECASE)
#: What stands before the number or the name of something that a forge keeps.
_SIGN = re.compile(r"[!%&~$]+(?=[\w\"])")
_BRACKETS = str.maketrans("[]{}<>*`#", "()()()   ")


def plain(text: str, most: int = 300) -> str:
    """A text of at most so many characters, on one line, in which no forge, and no git, finds anything to act upon."""
    text = "".join(c if c.isprintable() else "?" for c in shortened(shown(text), most)).translate(_BRACKETS)
    text = text.replace("://", ": ").replace("@", " at ").replace("\\", "/")
    text = re.sub(r"(www)\.", r"\1 ", text, flags=re.IGNORECASE)
    text = _TRAILER.sub(r"\1 ", _KEY.sub(r"\1 ", _SIGN.sub("", text)))
    return _BREAKING.sub(r"\1_\2", " ".join(text.split()))


def name(text: str) -> str:
    """A name as it may stand in a title; empty for one that would not be only a name there."""
    is_name = len(text) <= ROOM // 2 and _NAME.fullmatch(text) and not (_LINKED.fullmatch(text) or _INSIDE.search(text))
    return text if is_name and not any(_LINKED.fullmatch(part) for part in text.split("/")) else ""


def prefixed(prefix: str, text: str) -> str:
    """A first line with what the repository wants before it; after a type such as `fix: ` it goes on in lower case.

    Mentions and references are taken out of it: with them, whoever runs the bot would be seen to post elsewhere. Nor can it begin
    with an order.
    """
    plain = _SIGN.sub("", re.sub(r"[@#]|[^ -~]", "", prefix).replace("://", ": "))
    kept = plain[: ROOM // 2].lstrip(" /")
    return kept + (text[:1].lower() + text[1:] if kept.rstrip().endswith(":") else text)


def wrapped(text: str, first: str = "", rest: str = "") -> str:
    """A paragraph in lines of a commit. Words of a repository have `rest` before them: at the beginning of a line they may be
    orders to a forge (`/tag v1`) or to git."""
    lines = filled(text, ROOM - max(len(first), len(rest)))
    return "\n".join((rest if number else first) + line for number, line in enumerate(lines))
