"""A report as JSON, for programs.

`version` is 1. Fields may be added to it; that a field goes away or changes its meaning makes a new version. The same as a JSON
schema is `report.schema.json` beside this module.

    version      1
    tool         {"name": "harden", "version": "..."}
    summary      files, containers, stages: how many were read; applied, held-back, refused, reported, failed, silenced: how
                 many findings ended so; problems: how many entries `troubles` has
    findings     one object each, in the order of files and lines:
      rule         the id of the rule, such as "unlimited-memory"
      severity     "low", "medium", "high" or "critical"
      status       "applied": its fix is in `changes` (and in the file, when `written` is true)
                   "held-back": it has a fix whose evidence is incomplete; --unsafe-fixes applies it
                   "refused": a fix cannot be written here, and `why` says why not
                   "reported": there is no mechanical fix; `advice` says what to do
                   "failed": a fix was tried and taken back, and `why` says why
                   "silenced": it is let be, and `why` says who says so, and why: a comment, the configuration or a baseline
      path, line, column   where; the path as it was given, line and column from 1, the column in characters
      subject      the service or stage, for people
      key          the same within its project, stable from run to run
      fingerprint  32 hexadecimal digits that stay while lines move and wherever harden runs; no two findings have the same
      message      what was found
      why          why it was not applied; empty if it was
      advice       what a person can do; may be empty
      fix          null, or {"summary", "missing", "migration", "evidence": [{"claim", "source", "strength"}]}, where
                   `missing` is what is not known, `migration` a step for a person that belongs to the fix, and
                   `strength` is "assumed", "documented", "read" or "observed"
    written      whether the changes are in the files
    changes      one object for each changed file: {"path", "diff"}; the diffs, joined, suit `git apply`. A byte that is
                 no UTF-8 (only a file's name can have one) is a lone surrogate
    troubles     what could not be read or edited: {"path", "line", "reason", "remedy"}; a line of 0 means the whole file
    notes        what was not judged although it could be read; the same fields, and no error
"""

from __future__ import annotations

from typing import Any

from hardener import __version__
from hardener.finding import Fix
from hardener.fingerprint import fingerprints
from hardener.render.diff import unified
from hardener.render.formats import Run
from hardener.report import Outcome, Report, Status

VERSION = 1


def render(report: Report, run: Run) -> str:
    """The report as one JSON object. Diffs in it are for the working folder."""
    from json import dumps

    return dumps(_report(report, run), indent=2) + "\n"


def _report(report: Report, run: Run) -> dict[str, Any]:
    known = fingerprints((outcome.finding for outcome in report.outcomes), run.folder, run.root)
    ended = {status.value: sum(outcome.status is status for outcome in report.outcomes) for status in Status}
    return {
        "version": VERSION,
        "tool": {"name": "harden", "version": __version__},
        "summary": {
            "files": report.files,
            "containers": report.containers,
            "stages": report.stages,
            **ended,
            "problems": len(report.troubles),
        },
        "findings": [
            {**finding_as_data(outcome), "fingerprint": name} for outcome, name in zip(report.outcomes, known, strict=True)
        ],
        "written": run.written,
        "changes": [
            {"path": change.before.path, "diff": unified((change,), run.folder).decode("utf-8", "surrogateescape")}
            for change in report.changes
        ],
        "troubles": [trouble._asdict() for trouble in report.troubles],
        "notes": [note._asdict() for note in report.notes],
    }


def finding_as_data(outcome: Outcome) -> dict[str, Any]:
    """A finding as the JSON form has it, but for its fingerprint, which the others in the report have a part in."""
    finding = outcome.finding
    return {
        "rule": finding.rule,
        "severity": outcome.severity.name.lower(),
        "status": outcome.status.value,
        "path": finding.place.path,
        "line": finding.place.line,
        "column": finding.place.column,
        "subject": finding.subject,
        "key": finding.key or finding.subject,
        "message": finding.message,
        "why": outcome.why,
        "advice": finding.advice,
        "fix": _fix(finding.fix) if finding.fix else None,
    }


def _fix(fix: Fix) -> dict[str, Any]:
    return {
        "summary": fix.summary,
        "missing": fix.missing,
        "migration": fix.migration,
        "evidence": [
            {"claim": item.claim, "source": item.source, "strength": item.strength.name.lower()} for item in fix.evidence
        ],
    }
