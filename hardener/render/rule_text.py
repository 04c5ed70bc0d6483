"""A rule's page for a terminal. Knows how it reads best in so many columns, and nothing of rules."""

from __future__ import annotations

from collections.abc import Iterable

from hardener.pages.example import Example, Line, Remark
from hardener.pages.explanation import ENDINGS, PLACES, SILENCE_PLACES, Explanation, silencer
from hardener.render.formats import Run
from hardener.render.summary import count, filled
from hardener.render.text import COLOURS

_MARKS = {"+": "32", "-": "31", ">": "33"}
_ENDED = {"repaired": "32", "held back": "33", "refused": "33", "reported": "36"}


def render(explanation: Explanation, run: Run) -> str:
    """The page as text, without a last line end."""
    rule, page = explanation.rule, explanation.page
    out = _Out(run)
    out.add(out.paint("1", rule.id), "=" * len(rule.id))
    out.paragraph(page.hazard, 0)
    out.add("", f"Severity:  {out.paint(COLOURS[rule.severity], rule.severity.name.lower())}")
    out.listed("Looks at:  ", " and ".join(PLACES[kind] for kind in rule.sees))
    out.listed("Outcome:   ", "; ".join(ENDINGS[ending] for ending in explanation.endings))
    out.section("Attack", page.attack)
    out.section("Background", page.background)
    out.section("What may break", page.breaks)
    out.section("What we do", page.repair)
    out.section("Left alone", page.silent)
    for example in explanation.examples:
        _example(example, out)
    if explanation.sources:
        out.heading("Sources")
    for source in explanation.sources:
        out.paragraph(f"{source.item}: {source.title}", 2)
        out.add(f"    {source.url}")
    out.heading("In your files")
    if comment := silencer(rule):
        out.add(f"  {out.paint('36', comment)}")
        out.paragraph(f"silences it: {SILENCE_PLACES}.", 4)
    out.add(f"  {out.paint('36', f'harden --diff --select {rule.id}')}", "    shows the fixes of this rule only.")
    out.add(f"  {out.paint('36', f'harden --ignore {rule.id}')}", "    leaves this rule out.")
    return "\n".join(out.lines)


class _Out:
    def __init__(self, run: Run) -> None:
        self.lines: list[str] = []
        self._run = run

    def add(self, *lines: str) -> None:
        self.lines += lines

    def paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._run.colour and code and text else text

    def heading(self, text: str) -> None:
        self.add("", self.paint("1", text))

    def section(self, title: str, paragraphs: Iterable[str]) -> None:
        for number, paragraph in enumerate(paragraphs):
            if number:
                self.add("")
            else:
                self.heading(title)
            self.paragraph(paragraph, 2)

    def paragraph(self, text: str, indent: int, colour: str = "") -> None:
        room = self._run.width - indent
        self.add(*(" " * indent + self.paint(colour, line) if colour else " " * indent + line for line in filled(text, room)))

    def listed(self, lead: str, text: str, colour: str = "") -> None:
        first, *rest = filled(text, self._run.width - len(lead))
        self.add(self.paint(colour, lead) + first, *(" " * len(lead) + line for line in rest))


def _example(example: Example, out: _Out) -> None:
    case = example.case
    out.heading(f"{'Before and after' if example.is_diff else 'Example'}: {case.path}")
    size = len(str(max(line.number for line in example.lines)))
    out.add(*(_line(line, size, out) for line in example.lines), "")
    for remark in example.remarks:
        _remark(remark, out)
    if example.more:
        out.add(f"  and {count(example.more, 'finding')} in the rest of the file")
    out.paragraph(f"(fixtures/{case.rule}/{case.name})", 2)


def _line(line: Line, size: int, out: _Out) -> str:
    number = str(line.number) if line.number else ""
    # Long lines stay whole: a line that is cut is no example.
    text = f"  {number:>{size}} {line.mark} {line.text}".rstrip()
    return out.paint(_MARKS[line.mark], text) if line.mark in _MARKS else text


def _remark(remark: Remark, out: _Out) -> None:
    ended = f"{remark.ended}: {remark.why}" if remark.why else remark.ended
    out.listed(f"  line {remark.line}: ", f"{remark.subject}: {remark.message} [{ended}]", _ENDED[remark.ended])
    if remark.advice:
        out.listed("    what to do: ", remark.advice, "36")
