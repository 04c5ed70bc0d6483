"""`harden rules`: the hazards in one table, the worst first, for people and for programs."""

from __future__ import annotations

from typing import Any

from hardener.cli.terminal import has_colour, is_terminal, say, width
from hardener.finding import Rule
from hardener.pages.cases import endings
from hardener.pages.explanation import SUBJECTS, worst_first
from hardener.render.text import COLOURS
from hardener.standards import citation

#: The version of the JSON form.
VERSION = 1
LEGEND = """\
repaired: by default, where the evidence is enough
held back: a fix that only --unsafe-fixes makes
reported: with the way out"""


def run(form: str = "text") -> int:
    """Print every rule: id, severity, where it looks, the most that is done about it, title; or all of that as JSON."""
    rules = worst_first()
    if form == "json":
        import json

        say(json.dumps({"version": VERSION, "rules": [_data(rule) for rule in rules]}, indent=2), error=False)
        return 0
    rows: list[tuple[str, ...]] = [(*row(rule), rule.title) for rule in rules]
    sizes = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if is_terminal() and sum(sizes) + 2 * (len(sizes) - 1) > width():
        rows = [row[:-1] for row in rows]  # the titles say the ids again, and lines that wrap are no table
    colour = has_colour("auto")
    for rule, cells in zip(rules, rows, strict=True):
        padded = [cell.ljust(size) for cell, size in zip(cells, sizes, strict=False)]
        if colour:
            padded[1] = f"\x1b[{COLOURS[rule.severity]}m{padded[1]}\x1b[0m"
        say("  ".join(padded).rstrip(), error=False)
    say(f"\n{LEGEND}\n`harden explain RULE` explains one.", error=False)
    return 0


def row(rule: Rule) -> tuple[str, str, str, str]:
    """Its id, severity, where it looks, and the most that is done about it."""
    return rule.id, rule.severity.name.lower(), ", ".join(_where(rule)), endings(rule.id)[0].value


def _where(rule: Rule) -> list[str]:
    return [SUBJECTS[kind] for kind in rule.sees]


def _data(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "title": rule.title,
        "severity": rule.severity.name.lower(),
        "looks_at": _where(rule),
        "outcomes": [ending.value for ending in endings(rule.id)],
        "why": rule.why,
        "sources": [citation(item)._asdict() for item in rule.cites],
    }
