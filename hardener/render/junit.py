"""A report as JUnit XML, in the dialect that Jenkins and GitLab read: a suite for each file. Knows no hazard.

A test case is a finding: it fails where it is a reason for the exit code 1, is an error where its fix was taken back, passes
where `--write` fixed it, and is skipped otherwise, with the reason: held back, silenced, or below what `--fail-on` asks for. A
file without findings is one case that passes, a file that could not be read one error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hardener.fingerprint import relative
from hardener.record import NamedTuple
from hardener.render.formats import Run
from hardener.render.sentences import headline, missing, rest, trouble
from hardener.render.summary import clean
from hardener.report import Outcome, Report, Status, Trouble

PASSED, FAILURE, ERROR, SKIPPED = "passed", "failure", "error", "skipped"
#: What XML 1.0 has no way to say at all.
_NO_XML = re.compile("[^\t\n -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&quot;"}


class _Case(NamedTuple):
    name: str
    result: str = PASSED
    kind: str = ""
    message: str = ""
    text: str = ""


def render(report: Report, run: Run) -> str:
    """The report as an XML document."""
    suites = _suites(report, run)
    cases = [case for found in suites.values() for case in found]
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<testsuites name="harden" {_counts(cases, skipped=False)}>']
    for path, found in suites.items():
        name = _escaped(path)
        lines.append(f'  <testsuite name="{name}" {_counts(found)} file="{name}">')
        lines += [line for case in found for line in _lines(case, name)]
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def _suites(report: Report, run: Run) -> dict[str, list[_Case]]:
    suites: dict[str, list[_Case]] = {path: [] for path in run.files}
    for outcome in report.outcomes:
        suites.setdefault(outcome.finding.place.path, []).append(_case(outcome, run))
    for result, what, troubles in ((ERROR, "readable", report.troubles), (SKIPPED, "judged", report.notes)):
        for item in troubles:
            suites.setdefault(item.path, []).append(_problem(item, result, what))
    named: dict[str, list[_Case]] = {}
    for path, cases in suites.items():
        named.setdefault(clean(relative(path, run.folder, run.root)), []).extend(cases or [_Case("no findings")])
    return {path: list(_distinct(cases)) for path, cases in named.items()}


def _distinct(cases: list[_Case]) -> Iterator[_Case]:
    """The cases of a file, with a number behind names that were there before: dashboards keep a history by name."""
    seen: dict[str, int] = {}
    for case in cases:
        number = seen[case.name] = seen.get(case.name, 0) + 1
        yield case if number == 1 else case._replace(name=f"{case.name} #{number}")


def _case(outcome: Outcome, run: Run) -> _Case:
    finding, severity = outcome.finding, outcome.severity.name.lower()
    name = clean(f"{finding.rule}: {finding.subject}")
    if run.written and outcome.status is Status.APPLIED:
        return _Case(name)
    if outcome.status is Status.FAILED:
        result, message = ERROR, headline(outcome)
    elif run.fails(outcome):
        result, message = FAILURE, headline(outcome)
    elif outcome.status is Status.SILENCED:
        result, message = SKIPPED, clean(f"silenced by {outcome.why}")
    elif outcome.status is Status.HELD_BACK:
        result, message = SKIPPED, f"held back: evidence is missing: {missing(outcome)}"
    else:
        result, message = SKIPPED, f"{severity}: not a reason to fail this run"
    place = clean(f"{relative(finding.place.path, run.folder, run.root)}:{finding.place.line}:{finding.place.column}")
    text = "\n".join([place, headline(outcome), *rest(outcome, written=run.written)])
    return _Case(name, result, severity, message, text)


def _problem(item: Trouble, result: str, what: str) -> _Case:
    line = f"line {item.line}: " if item.line else ""
    return _Case(what, result, "trouble" if result == ERROR else "note", line + trouble(item), "")


def _counts(cases: list[_Case], *, skipped: bool = True) -> str:
    number = {result: sum(case.result == result for case in cases) for result in (FAILURE, ERROR, SKIPPED)}
    last = f' skipped="{number[SKIPPED]}"' if skipped else ""
    return f'tests="{len(cases)}" failures="{number[FAILURE]}" errors="{number[ERROR]}"{last}'


def _lines(case: _Case, suite: str) -> Iterator[str]:
    start = f'    <testcase name="{_escaped(case.name)}" classname="{suite}"'
    if case.result == PASSED:
        yield f"{start}/>"
        return
    yield f"{start}>"
    yield f'      <{case.result} type="{case.kind}" message="{_escaped(case.message)}">{_escaped(case.text)}</{case.result}>'
    yield "    </testcase>"


def _escaped(text: str) -> str:
    return _NO_XML.sub("\ufffd", text).translate(_ESCAPES)
