"""The report as one page of HTML that needs nothing else: no script, no picture, no font. Knows the page, not its parts.

The score before and after, findings by severity, services by questions, then each file with its findings, fixes, evidence and
diff; what could not be read; why each hazard matters. What may be loaded is nothing, and its policy says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hardener import __version__
from hardener.posture import score
from hardener.render.grid import grid
from hardener.render.html_files import anchors, sorted_files
from hardener.render.html_files import render as render_files
from hardener.render.html_picture import ENDED, MARKS
from hardener.render.html_picture import counts as draw_counts
from hardener.render.html_picture import grid as draw_grid
from hardener.render.html_picture import score as draw_score
from hardener.render.html_text import code, folded, items, link, prose, text
from hardener.render.summary import summary
from hardener.report import Report, Trouble

if TYPE_CHECKING:
    from hardener.render.formats import Run


def render(report: Report, run: Run) -> str:
    """The report as a page."""
    return "".join(_page(report, run))


def _page(report: Report, run: Run) -> Iterator[str]:
    name = text(_project(run))
    files = sorted_files(report)
    places = anchors(files)
    yield _head(name)
    yield f'<body>\n{MARKS}<header><p class="kicker">harden</p><h1>{name}</h1><p class="lede">'
    yield f"{prose(summary(report, written=run.written))}</p></header>\n<main>\n"
    yield from _troubles(report)
    yield '<div class="overview">\n'
    if report.postures:
        yield draw_score(score(report.postures))
    yield draw_counts(report.outcomes)
    yield "</div>\n"
    yield draw_grid(grid(report), lambda row: places.of(row.path, row.subject))
    if files:
        yield f'<section class="files"><h2>Files</h2>\n{_filter(report)}'
        yield from render_files(files, places, run.folder)
        yield "</section>\n"
    if report.notes:
        notes = items("ul", map(_trouble, report.notes))
        shown = folded(f"{len(report.notes)} files", notes, is_open=len(report.notes) <= 10)
        yield f'<section class="notes"><h2>Not judged</h2>{shown}</section>\n'
    yield from _reasons(report, run)
    yield f"</main>\n<footer><p>harden {text(__version__)}</p></footer>\n</body>\n</html>\n"


def _project(run: Run) -> str:
    """What the page is about: the folder that was asked about, or where harden ran."""
    path = run.paths[0] if len(run.paths) == 1 and run.paths[0] != "-" else "."
    return os.path.basename(os.path.normpath(os.path.join(run.folder, path))) or "/"


def _head(name: str) -> str:
    from base64 import b64encode
    from hashlib import sha256

    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "html.css"), encoding="utf-8") as file:
        style = file.read()
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">\n'
        f'<meta name="referrer" content="no-referrer">\n<title>{name}: harden</title>\n<style>{style}</style>\n</head>\n'
    )


def _filter(report: Report) -> str:
    """Which findings are shown; the style sheet does it."""
    there = {outcome.status for outcome in report.outcomes}
    if len(there) < 2:
        return ""
    boxes = "".join(
        f'<label><input type="checkbox" id="show-{status.value}" checked> <span class="key {status.value}"></span>{word}</label>'
        for status, word in ENDED.items()
        if status in there
    )
    return f'<fieldset class="filter"><legend>Show</legend>{boxes}</fieldset>\n'


def _troubles(report: Report) -> Iterator[str]:
    if report.troubles:
        lines = items("ul", map(_trouble, report.troubles))
        yield f'<section class="troubles"><h2>Not read or not edited</h2>{lines}</section>\n'


def _trouble(trouble: Trouble) -> str:
    place = f"{trouble.path}:{trouble.line}" if trouble.line else trouble.path
    remedy = f' <span class="line">{prose(trouble.remedy)}</span>' if trouble.remedy else ""
    return f"{code(place)} {prose(trouble.reason)}{remedy}"


def _reasons(report: Report, run: Run) -> Iterator[str]:
    """Why each hazard that was found matters, and who asks for the repair: the worst first."""
    found = {outcome.finding.rule for outcome in report.outcomes}
    named = (
        sorted((rule for rule in run.rules() if rule.id in found), key=lambda rule: (-rule.severity, rule.id)) if found else []
    )
    if not named:
        return
    from hardener.standards import citations

    known = citations()
    terms = []
    for rule in named:
        cites = ", ".join(link(text(item), known[item].url) if item in known else text(item) for item in rule.cites)
        source = f' <span class="source">{cites}</span>' if cites else ""
        terms.append(f"<dt>{text(rule.id)}</dt><dd>{prose(rule.why)}{source}</dd>")
    yield f'<section class="reasons"><h2>Why it matters</h2><dl>{"".join(terms)}</dl></section>\n'
