"""`harden rules`: the hazards in one table."""

from __future__ import annotations

from hardener.cli.terminal import say
from hardener.finding import Rule
from hardener.rules import load

#: A container is a service of Compose, or one of a Kubernetes pod.
_SEES = {"container": "containers", "stage": "Dockerfiles"}


def run() -> int:
    """Print every rule: id, severity, where it looks, title."""
    worst_first = sorted(load(), key=lambda rule: (-rule.severity, rule.id))
    rows = [(rule.id, rule.severity.name.lower(), _where(rule), rule.title) for rule in worst_first]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        say("  ".join((*(cell.ljust(size) for cell, size in zip(row, widths, strict=False)), row[3])), error=False)
    say("\n`harden explain RULE` explains one.", error=False)
    return 0


def _where(rule: Rule) -> str:
    return ", ".join(_SEES[kind] for kind in rule.sees)
