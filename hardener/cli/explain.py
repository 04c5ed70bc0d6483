"""`harden explain RULE`: the page of a rule, which is the docstring of its module with the rule's own facts."""

from __future__ import annotations

import sys
from inspect import cleandoc

from hardener.cli.known import rule
from hardener.cli.terminal import say


def run(id: str) -> int:
    """Print the page of one rule. Raises `UsageError` for an unknown id."""
    found = rule(id)
    where = {"container": "services in Compose files", "stage": "stages in Dockerfiles"}.get(found.sees, found.sees)
    title, _, body = cleandoc(sys.modules[found.check.__module__].__doc__ or found.title).partition("\n")
    lines = [found.id, "=" * len(found.id), title]
    if body.strip():
        lines += ["", body.strip("\n")]
    lines += ["", f"Severity:  {found.severity.name.lower()}", f"Looks at:  {where}", f"Why:       {found.why}"]
    if found.cites:
        lines.append(f"Asked for: {', '.join(found.cites)}")
    lines += ["", f"Only this rule:    harden --diff --select {found.id}"]
    lines += [f"Without this rule: harden --diff --ignore {found.id}"]
    say("\n".join(lines), error=False)
    return 0
