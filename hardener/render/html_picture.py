"""The pictures of the page: the score, the counts, and services by questions. Knows how they are drawn, not what they mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hardener.finding import Severity
from hardener.posture import QUESTIONS, Answer, Score
from hardener.render.grid import Cell, Grid, Row
from hardener.render.html_text import code, folded, text
from hardener.render.summary import count, shortened
from hardener.report import Outcome, Status

#: How findings ended, in the order in which they are shown, and in a word for people.
ENDED = {
    Status.APPLIED: "fixed",
    Status.HELD_BACK: "held back",
    Status.REFUSED: "refused",
    Status.FAILED: "taken back",
    Status.REPORTED: "open",
    Status.SILENCED: "silenced",
}
_ANSWERS = {
    Answer.GOOD: "ok",
    Answer.BAD: "open",
    Answer.JUSTIFIED: "justified",
    Answer.UNKNOWN: "not known",
    Answer.NONE: "none",
}
#: Rows of the grid that are shown at once, and at most.
_FIRST, _MOST = 40, 2_000
#: Columns below which the grid is not as wide as the page.
_FEW = 6
#: The marks, each of a shape of its own: 16 by 16, drawn once and used by name.
MARKS = """<svg width="0" height="0" class="marks" aria-hidden="true">
<symbol id="good" viewBox="0 0 16 16"><circle cx="8" cy="8" r="8"/><path d="M4.4 8.4l2.5 2.5 4.8-5.4"/></symbol>
<symbol id="bad" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7.1"/><path d="M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2"/></symbol>
<symbol id="justified" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7.1"/><path d="M4.8 8h6.4"/></symbol>
<symbol id="unknown" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7.1"/>
<path d="M6 6.2a2 2 0 1 1 2.9 1.9c-.6.3-.9.7-.9 1.4M8 11.4v.3"/></symbol>
</svg>
"""


def score(points: Score) -> str:
    """Points before and after as two bars."""
    bars = "".join(
        f'<div class="bar"><span class="when">{when}</span>{_bar("points", _rect("track", 0, 100) + _rect(kind, 0, value))}'
        f"<b>{value}</b></div>"
        for when, kind, value in (("before", "then", points.before), ("after", "now", points.after))
    )
    return (
        f'<section class="score"><h2>Score</h2><p class="figure"><span>{points.before}</span><span class="to"> to </span>'
        f"<span>{points.after}</span> <small>of 100</small></p>{bars}</section>\n"
    )


def _bar(kind: str, inner: str) -> str:
    return f'<svg class="{kind}" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">{inner}</svg>'


def _rect(kind: str, at: float, width: float) -> str:
    return f'<rect class="{kind}" x="{at:.4g}" width="{width:.4g}" height="4"/>'


def counts(outcomes: Iterable[Outcome]) -> str:
    """Findings by severity and how they ended: a bar, and a table that says the same in numbers."""
    number: dict[tuple[Severity, Status], int] = {}
    for outcome in outcomes:
        number[outcome.severity, outcome.status] = number.get((outcome.severity, outcome.status), 0) + 1
    if not number:
        return ""
    statuses = [status for status in ENDED if any(status is one for _, one in number)]
    severities = [severity for severity in sorted(Severity, reverse=True) if any(severity is one for one, _ in number)]
    totals = {status: sum(n for (_, one), n in number.items() if one is status) for status in statuses}
    everything = sum(totals.values())
    at = 0.0
    parts = []
    for status in statuses:
        width = 100 * totals[status] / everything
        parts.append(_rect(status.value, at, max(0.1, width - 0.35)))
        at += width
    bar = _bar("stack", "".join(parts))
    head = "".join(f'<th scope="col"><span class="key {status.value}"></span>{ENDED[status]}</th>' for status in statuses)
    rows = "".join(
        f'<tr><th scope="row">{severity.name.lower()}</th>'
        + "".join(f"<td>{number.get((severity, status), '') or '<span class=none>·</span>'}</td>" for status in statuses)
        + "</tr>"
        for severity in severities
    )
    total = "".join(f"<td>{totals[status]}</td>" for status in statuses)
    return (
        f'<section class="counts"><h2>{count(everything, "finding")}</h2>{bar}<table><thead><tr><td></td>{head}</tr></thead>'
        f'<tbody>{rows}</tbody><tfoot><tr><th scope="row">all</th>{total}</tr></tfoot></table></section>\n'
    )


def grid(drawn: Grid, place: Callable[[Row], str]) -> str:
    """Services by questions, the worst first; `place` is the anchor of a row, or nothing."""
    if not drawn.rows:
        return ""
    first, rest = drawn.rows[:_FIRST], drawn.rows[_FIRST:_MOST]
    several = len({row.path for row in drawn.rows}) > 1
    nothing = "does not apply" if drawn.asked else "nothing was found"
    legend = "".join(f"<li>{_mark(answer)} {_ANSWERS[answer]}</li>" for answer in _ANSWERS if answer is not Answer.NONE)
    legend += f"<li>{_mark(Answer.NONE)} {nothing}</li>"
    more = ""
    if rest:
        left = len(drawn.rows) - _FIRST - len(rest)
        note = f"<p>And {count(left, 'more')}, not worse than these.</p>" if left else ""
        more = folded(f"{count(len(drawn.rows) - _FIRST, 'more row')}, not worse", _table(drawn, rest, place, several) + note)
    return (
        '<section class="grid"><h2>Services by questions</h2>'
        f'<ul class="legend"><li>before <span class="arrow">→</span> after</li>{legend}</ul>'
        f"{_table(drawn, first, place, several)}{more}</section>\n"
    )


def _table(drawn: Grid, rows: Iterable[Row], place: Callable[[Row], str], several: bool) -> str:
    head = "".join(
        f'<th scope="col"><span title="{text(QUESTIONS[at].text)}">{text(QUESTIONS[at].short)}</span></th>'
        for at in drawn.columns
    )
    lines = []
    for row in rows:
        name = code(shortened(row.subject))
        anchor = place(row)
        if anchor:
            name = f'<a href="#{anchor}">{name}</a>'
        path = f'<span class="path">{text(shortened(row.path))}</span>' if several else ""
        lines.append(f'<tr><th scope="row">{name}{path}</th>{"".join(_cell(row.cells[at]) for at in drawn.columns)}</tr>')
    kind = "cells few" if len(drawn.columns) < _FEW else "cells"
    corner = '<th scope="col"><span class="spoken">service</span></th>'
    return f'<table class="{kind}"><thead><tr>{corner}{head}</tr></thead><tbody>{"".join(lines)}</tbody></table>'


def _cell(cell: Cell) -> str:
    if cell.before is cell.after:
        return f'<td class="same">{_mark(cell.before)}<span class="spoken">{_ANSWERS[cell.before]}</span></td>'
    marks = f'{_mark(cell.before)}<span class="arrow" aria-hidden="true">→</span>{_mark(cell.after)}'
    spoken = f"{_ANSWERS[cell.before]}, then {_ANSWERS[cell.after]}"
    return f'<td class="changed"><span class="pair">{marks}</span><span class="spoken">{spoken}</span></td>'


def _mark(answer: Answer) -> str:
    if answer is Answer.NONE:
        return '<span class="none" aria-hidden="true">·</span>'
    return f'<svg class="mark {answer.value}" aria-hidden="true"><use href="#{answer.value}"/></svg>'
