"""`harden explain RULE`: the page of a rule, or of several. Knows what was asked for, not what a page says."""

from __future__ import annotations

from collections.abc import Iterable

from hardener.cli.known import rule
from hardener.cli.terminal import has_colour, say, width
from hardener.pages.explanation import explain


def run(ids: Iterable[str], form: str = "text") -> int:
    """Print the pages of rules, as "text" or "markdown". Raises `UsageError` for an unknown id, before anything is printed."""
    pages = [explain(found) for found in [rule(id) for id in dict.fromkeys(ids)]]
    if form == "markdown":
        from hardener.render.rule_markdown import render as markdown

        say("\n\n".join(map(markdown, pages)), error=False)
        return 0
    from hardener.render.formats import Run
    from hardener.render.rule_text import render

    look = Run(width=width(), colour=has_colour("auto"))
    say("\n\n\n".join(render(page, look) for page in pages), error=False)
    return 0
