"""A report as a page of HTML that needs nothing else: the text of the report. Knows no hazard."""

from __future__ import annotations

from html import escape

from hardener.render import text
from hardener.render.formats import Run
from hardener.report import Report


def render(report: Report, run: Run) -> str:
    """The report as a page."""
    body = escape(text.render(report, run._replace(colour=False)))
    head = '<meta charset="utf-8"><title>harden</title>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body><pre>{body}</pre></body></html>\n'
