"""A rule's page as Markdown, for pasting and for the site. Knows no rule, and nothing of how a site is built."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from hardener.pages.example import Example, Remark
from hardener.pages.explanation import ENDINGS, PLACES, SILENCE_PLACES, Explanation, silencer
from hardener.render.summary import count

#: Code spans, which stay as they are; and what would be markup outside of them.
_SPAN = re.compile(r"(`[^`]+`)")
_SPECIAL = re.compile(r"([\\*_<>\[\]#|])")


def render(explanation: Explanation) -> str:
    """The page as Markdown, without a last line end."""
    return "\n".join(_page(explanation))


def escaped(text: str) -> str:
    """Prose in which nothing but `code` is markup."""
    return "".join(part if part.startswith("`") else _SPECIAL.sub(r"\\\1", part) for part in _SPAN.split(text))


def code(text: str) -> str:
    """A code span, also of text with backticks in it."""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _page(explanation: Explanation) -> Iterator[str]:
    rule, page = explanation.rule, explanation.page
    yield from (f"# {rule.id}", "", escaped(page.hazard), "")
    yield f"- **Severity:** {rule.severity.name.lower()}"
    yield f"- **Looks at:** {' and '.join(PLACES[kind] for kind in rule.sees)}"
    yield f"- **Outcome:** {'; '.join(ENDINGS[ending] for ending in explanation.endings)}"
    yield from _section("Attack", page.attack)
    yield from _section("Background", page.background)
    yield from _section("What may break", page.breaks)
    yield from _section("What we do", page.repair)
    yield from _section("Left alone", page.silent)
    for example in explanation.examples:
        yield from _example(example, explanation.examples)
    if explanation.sources:
        yield from ("", "## Sources", "")
    yield from (f"- [{escaped(source.item)}]({source.url}): {escaped(source.title)}" for source in explanation.sources)
    yield from ("", "## In your files", "")
    if comment := silencer(rule):
        yield f"- {code(comment)} silences it: {SILENCE_PLACES}."
    yield f"- `harden --diff --select {rule.id}` shows the fixes of this rule only."
    yield f"- `harden --ignore {rule.id}` leaves this rule out."


def _section(title: str, paragraphs: Iterable[str]) -> Iterator[str]:
    for number, paragraph in enumerate(paragraphs):
        yield from ("", f"## {title}") if not number else ()
        yield from ("", escaped(paragraph))


def _example(example: Example, all: Iterable[Example]) -> Iterator[str]:
    case = example.case
    # Headings are anchors, and so must differ.
    which = f" in {case.path}" if len({other.case.path for other in all}) > 1 else ""
    yield from ("", f"## {'Before and after' if example.is_diff else 'Example'}{which}", "")
    if example.is_diff:
        yield from ("```diff", *(line.mark + line.text for line in example.lines), "```")
    else:
        yield from ("```text", *(f"{line.number:3} {line.mark} {line.text}".rstrip() for line in example.lines), "```")
    yield ""
    yield from (_remark(remark) for remark in example.remarks)
    if example.more:
        yield f"- and {count(example.more, 'finding')} in the rest of the file"
    yield from ("", f"From {code(f'fixtures/{case.rule}/{case.name}/before/{case.path}')}.")


def _remark(remark: Remark) -> str:
    why = f": {escaped(remark.why)}" if remark.why else ""
    advice = f" What to do: {escaped(remark.advice)}." if remark.advice else ""
    return f"- Line {remark.line}, {code(remark.subject)}: {escaped(remark.message)}. **{remark.ended}**{why}.{advice}"
