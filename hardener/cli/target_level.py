"""`harden --target-level LEVEL [PATHS]`: which pods do not reach a level of the Pod Security Standards. Knows no control."""

from __future__ import annotations

from collections.abc import Iterable

from hardener import source
from hardener.cli.configured import request_of, scopes_of
from hardener.cli.exits import FINDINGS, OK, TROUBLE
from hardener.cli.options import MODE_PANEL, OPTIONS, RULE_PANEL, Invocation
from hardener.cli.terminal import emit, has_colour, say, width
from hardener.discover import KUBERNETES, Found
from hardener.errors import Unreadable, UsageError
from hardener.facts.kubernetes.manifest import Template
from hardener.facts.kubernetes.pod_data import read_pods
from hardener.pipeline import Request
from hardener.pod_security import violations
from hardener.render.target_level import Row, json, text
from hardener.report import Trouble


def check(invocation: Invocation) -> None:
    """Raise `UsageError` for what says how fixes are made: here none are."""
    others = [option for option in OPTIONS if option.panel in (MODE_PANEL, RULE_PANEL) and option.field != "target_level"]
    for option in others:
        if getattr(invocation, option.field) != option.default:
            raise UsageError(f"{option.flag} and --target-level do not go together: that is a report on what stands there")


def run(invocation: Invocation) -> int:
    """Print which pods do not reach the level; 1 where one does not, 2 where something could not be read."""
    level = invocation.target_level
    scopes, problems = scopes_of(invocation)
    rows: list[Row] = []
    notes: list[Trouble] = []
    for scope in scopes:
        some, more, left = judge([file for file in scope.found if file.kind == KUBERNETES], level)
        if any(row.violations for row in some):
            some = _with_ways(request_of(invocation, scope), some, level)
        rows += some
        problems += more
        notes += left
    if invocation.format == "json":
        emit(json(level, rows, problems, notes).encode("utf-8"))
    else:
        say(text(level, rows, problems, notes, width(), has_colour(invocation.color)), error=False)
    if problems:
        return TROUBLE
    return FINDINGS if any(row.violations for row in rows) else OK


def _with_ways(request: Request, rows: list[Row], level: str) -> list[Row]:
    """The rows with what would bring a pod to the level: the fixes that are made by default, or with those that are held back."""
    from hardener.pipeline import run as run_pipeline

    for option in ("--unsafe-fixes", ""):  # the weaker demand has the last word
        report = run_pipeline(request._replace(unsafe=bool(option)))
        after = {change.before.path: change.after for change in report.changes}
        pods = {
            path: iter([pod for pod in read_pods(text) if not pod.is_patch]) for path, text in after.items() if _is_of(rows, path)
        }
        for at, row in enumerate(rows):
            pod = next(pods[row.place.path], None) if row.place.path in pods else None
            if row.violations and pod is not None and not violations(pod.spec, pod.annotations, level):
                rows[at] = row._replace(way=f"harden --write {option}".rstrip())
    return rows


def _is_of(rows: list[Row], path: str) -> bool:
    return any(row.place.path == path for row in rows)


def judge(files: Iterable[Found], level: str) -> tuple[list[Row], list[Trouble], list[Trouble]]:
    """Every pod of the manifests with its violations, what could not be read, and what was not judged."""
    rows: list[Row] = []
    troubles: list[Trouble] = []
    notes: list[Trouble] = []
    for file in files:
        try:
            pods = read_pods(file.text or source.read(file.location, file.name))
        except Template as error:
            notes.append(Trouble(error.path, error.line, error.reason, error.remedy))
            continue
        except Unreadable as error:
            troubles.append(Trouble(error.path, error.line, error.reason, error.remedy))
            continue
        for pod in pods:
            if pod.is_patch:
                why = "it has a container without an image, so it changes a pod that is written elsewhere"
                reason = f"`{pod.name or pod.kind}` is not judged: {why}"
                notes.append(Trouble(file.name, pod.place.line, reason, "give harden that one"))
            else:
                offended = violations(pod.spec, pod.annotations, level)
                rows.append(Row(pod.place, pod.kind, pod.name, pod.namespace, offended))
    return rows, troubles, notes
