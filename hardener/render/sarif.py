"""A report as SARIF 2.1.0 (OASIS), for code scanning and editors. Knows the standard and GitHub's reading of it, no hazard.

What is particular to harden:

- `fixes`: what the fix of one finding alone changes, also of those that are held back; then the description says what evidence is
  missing. After `--write` there are none, because the text that they are about has changed.
- `partialFingerprints` has `hardenFinding/v1` (`hardener.fingerprint`). GitHub's `primaryLocationLineHash` is left to its upload
  action, which computes it from the text of the line and warns about any other value
  (github/codeql-action src/fingerprints.ts).
- `suppressions` of silenced findings: `inSource` for a comment in the finding's file, otherwise `external`.
- `properties` of a result: `status` (as in the JSON form), `subject`, `evidence`.
- Columns count Unicode code points, and lines end at `\\n`.

GitHub refuses a run with more than 25,000 results (docs.github.com, "SARIF results exceed limits"). Where there are more, those
of the lowest severity are left out, and a notification says how many.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from hardener import __version__
from hardener.finding import Rule, Severity
from hardener.fingerprint import VERSION as FINGERPRINT_VERSION
from hardener.fingerprint import fingerprints, relative
from hardener.render.diff import edits
from hardener.render.formats import Run
from hardener.render.sentences import headline, missing, rest, trouble
from hardener.render.summary import clean, count
from hardener.report import FileChange, Outcome, Report, Status, Trouble

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "%SRCROOT%"
#: What GitHub takes of one run, and shows of one rule.
MOST_RESULTS, MOST_TAGS = 25_000, 10
LEVELS = {Severity.LOW: "note", Severity.MEDIUM: "warning", Severity.HIGH: "error", Severity.CRITICAL: "error"}
#: GitHub's bounds: above 9.0 is critical, from 7.0 high, from 4.0 medium.
_SCORES = {Severity.LOW: "2.0", Severity.MEDIUM: "5.0", Severity.HIGH: "8.0", Severity.CRITICAL: "9.5"}

_HELP_WIDTH = 100


def render(report: Report, run: Run) -> str:
    """The report as a SARIF log with one run."""
    from json import dumps

    return dumps(_log(report, run), indent=2) + "\n"


def _log(report: Report, run: Run) -> dict[str, Any]:
    known = fingerprints((outcome.finding for outcome in report.outcomes), run.folder, run.root)
    told = list(zip(report.outcomes, known, strict=True))
    left_out = len(told) - MOST_RESULTS
    if left_out > 0:
        worst = sorted(range(len(told)), key=lambda at: (told[at][0].status is Status.SILENCED, -told[at][0].severity, at))
        told = [told[at] for at in sorted(worst[:MOST_RESULTS])]
    found = {outcome.finding.rule for outcome, _ in told}
    rules = [rule for rule in run.rules() if rule.id in found]
    index = {rule.id: at for at, rule in enumerate(rules)}
    changed = {change.before.path for change in report.changes} if run.written else set()
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "harden", "semanticVersion": __version__, "rules": [_rule(rule) for rule in rules]}},
                "invocations": [_invocation(report, max(0, left_out), run)],
                "originalUriBaseIds": {
                    ROOT: {"description": {"text": "The root of the repository, or else the working folder."}}
                },
                "columnKind": "unicodeCodePoints",
                "newlineSequences": ["\n"],
                "results": [_result(outcome, known, index, changed, run) for outcome, known in told],
            }
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    from hardener.pages.cases import endings
    from hardener.pages.explanation import Explanation
    from hardener.pages.page import read
    from hardener.render import rule_markdown, rule_text
    from hardener.rules import page
    from hardener.standards import citation

    told = Explanation(rule, read(page(rule)), tuple(map(citation, rule.cites)), endings(rule.id), ())
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.id.split("-")),
        "shortDescription": {"text": _sentence(rule.title)},
        "fullDescription": {"text": _sentence(f"{rule.title}: {rule.why}")},
        "help": {"text": rule_text.render(told, Run(width=_HELP_WIDTH)), "markdown": rule_markdown.render(told)},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
        "properties": {
            "tags": ["security", "containers", *rule.cites][:MOST_TAGS],
            "security-severity": _SCORES[rule.severity],
        },
    }


def _sentence(text: str) -> str:
    text = _literal(text)
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _literal(text: str) -> str:
    """Text for a message, where braces would be placeholders, and a bracket before a parenthesis a link."""
    return clean(text).replace("{", "{{").replace("}", "}}").replace("](", "] (")


def _result(outcome: Outcome, known: str, index: dict[str, int], changed: set[str], run: Run) -> dict[str, Any]:
    finding = outcome.finding
    done = run.written and outcome.status is Status.APPLIED
    said = " ".join([f"{_literal(headline(outcome))}.", *map(_literal, rest(outcome, written=run.written))])
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        **({"ruleIndex": index[finding.rule]} if finding.rule in index else {}),
        "kind": "pass" if done else "fail",
        "level": "none" if done else LEVELS[outcome.severity],
        "message": {"text": said},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": _artifact(finding.place.path, run),
                    "region": {"startLine": finding.place.line, "startColumn": finding.place.column},
                },
                "logicalLocations": [{"name": clean(finding.subject), "kind": "resource"}],
            }
        ],
        "partialFingerprints": {f"hardenFinding/v{FINGERPRINT_VERSION}": known},
    }
    if outcome.status is Status.SILENCED:
        in_source = outcome.why.startswith(f"{finding.place.path}:")
        result["suppressions"] = [{"kind": "inSource" if in_source else "external", "justification": clean(outcome.why)}]
    fix = finding.fix
    if outcome.alone and fix is not None and not any(change.before.path in changed for change in outcome.alone):
        held = f"; held back, evidence is missing: {missing(outcome)}" if outcome.status is Status.HELD_BACK else ""
        changes = [_artifact_change(change, run) for change in outcome.alone]
        result["fixes"] = [{"description": {"text": _sentence(fix.summary + held)}, "artifactChanges": changes}]
    result["properties"] = {"status": outcome.status.value, "subject": clean(finding.subject)}
    if outcome.why:
        result["properties"]["why"] = clean(outcome.why)
    if fix is not None:
        result["properties"]["evidence"] = [
            {"claim": clean(item.claim), "source": clean(item.source), "strength": item.strength.name.lower()}
            for item in fix.evidence
        ]
    return result


def _artifact(path: str, run: Run) -> dict[str, str]:
    from urllib.parse import quote

    name = relative(path, run.folder, run.root)
    try:
        data = os.fsencode(name)
    except UnicodeEncodeError:  # no file has such a name, but standard input may be called so
        data = name.encode("utf-8", "backslashreplace")
    return {"uri": quote(data), "uriBaseId": ROOT}


def _artifact_change(change: FileChange, run: Run) -> dict[str, Any]:
    return {"artifactLocation": _artifact(change.before.path, run), "replacements": list(_replacements(change))}


def _replacements(change: FileChange) -> Iterator[dict[str, Any]]:
    for edit in edits(change.before.text, change.after.text):
        start, end = change.before.position(edit.start), change.before.position(edit.end)
        region = {"startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column}
        yield {"deletedRegion": region, "insertedContent": {"text": edit.text}}


def _invocation(report: Report, left_out: int, run: Run) -> dict[str, Any]:
    said = [*_notifications(report.troubles, "error", run), *_notifications(report.notes, "note", run)]
    if left_out:
        text = (
            f"{count(left_out, 'result')} of the lowest severities left out: GitHub takes no more than {MOST_RESULTS} in a run."
        )
        said.append({"level": "warning", "message": {"text": text}})
    return {"executionSuccessful": not report.troubles, "toolExecutionNotifications": said}


def _notifications(troubles: Iterable[Trouble], level: str, run: Run) -> Iterator[dict[str, Any]]:
    for item in troubles:
        region = {"region": {"startLine": item.line}} if item.line else {}
        where = {"physicalLocation": {"artifactLocation": _artifact(item.path, run), **region}}
        yield {"level": level, "message": {"text": _sentence(trouble(item))}, "locations": [where]}
