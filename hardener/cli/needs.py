"""`harden needs [PATHS]`: what each container needs to keep working, how that is known, and what is not. Knows no rule."""

from __future__ import annotations

from collections.abc import Sequence

from hardener.cli.configured import Chosen, policy_of, scopes
from hardener.cli.exits import OK, TROUBLE
from hardener.cli.terminal import emit, say, width
from hardener.needs.known import Told, told, told_of_program
from hardener.pipeline import Judged, Request, needs
from hardener.render.needs import Row, json, text


def run(paths: Sequence[str], format: str, folders: Sequence[str], chosen: Chosen) -> int:
    """Print what is known of every container; the exit code is 2 where something could not be read."""
    found, troubles = scopes(tuple(paths) or (".",), chosen)
    judged: list[Judged] = []
    for scope in found:
        some, more = needs(Request(scope.found, policy=policy_of(scope.config, folders)))
        judged += some
        troubles += more
    rows = [_row(item) for item in judged]
    if format == "json":
        emit(json(rows, troubles).encode("utf-8"))
    else:
        say(text(rows, troubles, width()), error=False)
    return TROUBLE if any(trouble.remedy for trouble in troubles) else OK


def _row(item: Judged) -> Row:
    if item.sees == "container":
        container = item.subject
        return Row(container.place, container.subject, container.name, told(item.needs))
    stage = item.subject
    workloads = item.needs.workloads
    known = told_of_program(workloads[0]) if workloads else Told((), (("everything", "what it starts"),))
    return Row(stage.place(stage.from_item), stage.subject, f"from {stage.base_text or 'unknown'}", known)
