"""Text and elements of HTML that nothing in a text can leave. Knows no report."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from html import escape

from hardener.render.commonmark import shown
from hardener.render.grounds import ASSUMED, Ground, address

_CODE = re.compile(r"`([^`]+)`")


def text(words: str) -> str:
    """Words as they are: no character of them makes markup, steers a terminal, or gives orders to a runner that shows it."""
    return _safe(shown(words))


def code(words: str) -> str:
    """A name, as code; apart from what stands around it, whichever way it is written."""
    return f"<code>{text(words)}</code>"


@lru_cache(maxsize=4096)  # services say the same of each other
def prose(words: str) -> str:
    """A sentence; what stands in backticks is code."""
    return _CODE.sub(r"<code>\1</code>", text(words))


def lines(source: str) -> str:
    """Lines of a file: tabs and line ends stay, other control characters become escapes."""
    kept = (("\t".join(shown(part) for part in line.removesuffix("\r").split("\t"))) for line in source.split("\n"))
    return _safe("\n".join(kept))


def _safe(words: str) -> str:
    # What GitHub's runner takes for an order where it reads it in a log: `::` first in a line, `##[` anywhere.
    return escape(words).replace("::", "&#58;:").replace("##[", "&#35;#[")


def link(words: str, url: str) -> str:
    """Words that lead to an address, which is one that we made."""
    return f'<a href="{escape(url)}" rel="noreferrer">{words}</a>'


def ground(one: Ground) -> str:
    """Claims with their source, which is a link where it is public."""
    claims = "; ".join(prose(claim) for claim in one.claims)
    if one.source == ASSUMED:
        return f'{claims} <span class="source">assumed</span>'
    where = address(one.source)
    source = link(text(one.source), where) if where else prose(one.source)
    return f'{claims} <span class="source">{source}</span>'


def items(tag: str, each: Iterable[str], inner: str = "li") -> str:
    """A list."""
    return f"<{tag}>" + "".join(f"<{inner}>{one}</{inner}>" for one in each) + f"</{tag}>"


def folded(summary: str, content: Callable[[], str] | str, *, kind: str = "", is_open: bool = False, anchor: str = "") -> str:
    """Something that opens at a click, without a script."""
    attributes = (f' class="{kind}"' if kind else "") + (f' id="{anchor}"' if anchor else "") + (" open" if is_open else "")
    return f"<details{attributes}><summary>{summary}</summary>{content if isinstance(content, str) else content()}</details>\n"
