"""`harden explain RULE`: the page of a rule, which is the docstring of its module with the rule's own facts."""

from __future__ import annotations

from inspect import cleandoc

from hardener.cli.known import rule
from hardener.cli.terminal import say
from hardener.rules import page
from hardener.standards import citation

_PLACES = {"container": "services in Compose files and containers of Kubernetes pods", "stage": "stages in Dockerfiles"}


def run(id: str) -> int:
    """Print the page of one rule. Raises `UsageError` for an unknown id."""
    found = rule(id)
    title, _, body = cleandoc(page(found)).partition("\n")
    lines = [found.id, "=" * len(found.id), title]
    if body.strip():
        lines += ["", body.strip("\n")]
    lines += ["", f"Severity:  {found.severity.name.lower()}", f"Looks at:  {' and '.join(_PLACES[kind] for kind in found.sees)}"]
    lines += [f"Why:       {found.why}", "Asked for by:"]
    for item in map(citation, found.cites):
        lines += [f"  {item.item}: {item.title}", f"    {item.url}"]
    lines += ["", f"Only this rule:    harden --diff --select {found.id}"]
    lines += [f"Without this rule: harden --diff --ignore {found.id}"]
    say("\n".join(lines), error=False)
    return 0
