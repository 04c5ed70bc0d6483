"""The forms for machines, each judged from outside; and that nothing a repository says can get out of its place in them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from format_oracles import check_gitlab, check_junit, check_sarif, command, lines_of_a_log, path_of, replaced
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hardener.discover import discover
from hardener.finding import Evidence, Finding, Fix, Place, Severity, Strength
from hardener.fingerprint import fingerprints
from hardener.pipeline import Request
from hardener.pipeline import run as judge
from hardener.render import github as github_form
from hardener.render import sarif as sarif_form
from hardener.render.formats import FORMS, NAMES, Run, form_of, render
from hardener.report import Outcome, Report, Status, Trouble
from hardener.rules import load

FIXTURES = Path(__file__).parent.parent / "fixtures"
MACHINE = ("sarif", "github", "gitlab", "junit", "json")
COMPOSE = """services:
  "wéb😀":
    image: nginx:1.27.1
    privileged: true  # 😀
    ports: ["80:80"]
  "😀": {image: "postgres:16", privileged: true}
"""


@pytest.fixture(scope="module")
def fixtures() -> Iterator[Report]:
    """What is found in all that the fixtures are made from, with what each fix alone changes."""
    before = os.getcwd()
    os.chdir(FIXTURES)
    try:
        folders = [str(path.relative_to(FIXTURES)) for path in sorted(FIXTURES.glob("*/*/before"))[::5]]
        found, troubles = discover(folders)
        report = judge(Request(tuple(found), singly=True))
        yield report._replace(troubles=(*troubles, *report.troubles))
    finally:
        os.chdir(before)


def about(**how: Any) -> Run:
    how = {"folder": str(FIXTURES), "root": str(FIXTURES), "fails": fails} | how
    return Run(**how)


def fails(outcome: Outcome) -> bool:
    return outcome.status in (Status.APPLIED, Status.REFUSED, Status.REPORTED) and outcome.severity >= Severity.HIGH


# SARIF


def test_sarif_is_what_the_standard_says(fixtures: Report) -> None:
    log = check_sarif(render("sarif", fixtures, about()))
    (run,) = log["runs"]
    assert len(run["results"]) == len(fixtures.outcomes) > 100
    rules = run["tool"]["driver"]["rules"]
    for result, outcome in zip(run["results"], fixtures.outcomes, strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == outcome.finding.rule
        (location,) = result["locations"]
        assert path_of(location["physicalLocation"]["artifactLocation"]) == outcome.finding.place.path
        assert (FIXTURES / outcome.finding.place.path).is_file()
        assert ("fixes" in result) == bool(outcome.alone)
        held = outcome.status is Status.HELD_BACK
        assert all(("evidence is missing" in fix["description"]["text"]) == held for fix in result.get("fixes", ()))
    assert {outcome.status for outcome in fixtures.outcomes if outcome.alone} == {Status.APPLIED, Status.HELD_BACK}
    names = [result["partialFingerprints"]["hardenFinding/v1"] for result in run["results"]]
    assert names == fingerprints((outcome.finding for outcome in fixtures.outcomes), str(FIXTURES), str(FIXTURES))
    for rule in rules:
        score = float(rule["properties"]["security-severity"])
        severity = next(known.severity for known in load() if known.id == rule["id"])
        # As GitHub reads it: docs.github.com, "SARIF support for code scanning".
        assert severity is (Severity.CRITICAL if score > 9 else Severity(1 + (score >= 4) + (score >= 7)))
        assert "security" in rule["properties"]["tags"]
        assert len(rule["properties"]["tags"]) <= 10
        assert rule["help"]["markdown"].startswith(f"# {rule['id']}")


def test_sarif_replacements_make_what_each_fix_alone_makes(fixtures: Report) -> None:
    results = check_sarif(render("sarif", fixtures, about()))["runs"][0]["results"]
    assert replacements_are_right(results, fixtures, FIXTURES) > 50


def replacements_are_right(results: list[dict[str, Any]], report: Report, folder: Path) -> int:
    """How many files were changed by the replacements of fixes, all to what `Outcome.alone` says."""
    number = 0
    for result, outcome in zip(results, report.outcomes, strict=True):
        for fix in result.get("fixes", ()):
            for change, expected in zip(fix["artifactChanges"], outcome.alone, strict=True):
                before = (folder / path_of(change["artifactLocation"])).read_bytes()
                assert before == expected.before.to_bytes()
                assert replaced(before, change["replacements"]) == expected.after.to_bytes() != before
                number += 1
    return number


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["\n", ""])
def test_sarif_replacements_bear_any_text(mark: bytes, newline: str, last: str, tmp_path: Path) -> None:
    text = (COMPOSE.rstrip("\n") + last).replace("\n", newline)
    folder = tmp_path / "a b%41#é"
    folder.mkdir()
    (folder / "compose.yaml").write_bytes(mark + text.encode())
    found, _ = discover([str(folder)])
    report = judge(Request(tuple(found), singly=True))
    run = Run(str(tmp_path), str(tmp_path))
    results = check_sarif(render("sarif", report, run))["runs"][0]["results"]
    assert replacements_are_right(results, report, tmp_path) >= 8
    regions = [
        result["locations"][0]["physicalLocation"]["region"] for result in results if result["ruleId"] == "privileged-container"
    ]
    lines = text.split("\n")
    shown = [lines[region["startLine"] - 1][region["startColumn"] - 1 :].strip() for region in regions]
    assert shown == ["true  # 😀", "true}"], "columns count code points"


def test_sarif_of_what_ended_otherwise() -> None:
    outcomes = (
        some(Status.SILENCED, why='compose.yaml:3: "we know"'),
        some(Status.SILENCED, why='hardener.toml:2: "we know"'),
        some(Status.FAILED, why="it appeared again"),
        some(Status.REFUSED, why="{0} is an alias [x](http://e)"),
    )
    trouble = Trouble("a b/x.yaml", 7, "a tab", "use blanks")
    (run,) = check_sarif(render("sarif", Report(outcomes, (), (trouble,), (trouble._replace(line=0),)), about()))["runs"]
    assert [result.get("suppressions", [{}])[0].get("kind") for result in run["results"]] == ["inSource", "external", None, None]
    assert "{{0}} is an alias [x] (http://e)" in run["results"][3]["message"]["text"]
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    error, note = invocation["toolExecutionNotifications"]
    assert (error["level"], note["level"]) == ("error", "note")
    assert error["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b/x.yaml"
    written = check_sarif(render("sarif", Report((some(Status.APPLIED),)), about(written=True)))["runs"][0]["results"][0]
    assert (written["kind"], written["level"]) == ("pass", "none")


def test_sarif_is_cut_at_what_github_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif_form, "MOST_RESULTS", 3)
    severities = (Severity.LOW, Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.CRITICAL)
    outcomes = tuple(some(Status.REPORTED, severity=severity, line=at) for at, severity in enumerate(severities, 1))
    (run,) = check_sarif(render("sarif", Report(outcomes), about()))["runs"]
    assert [result["locations"][0]["physicalLocation"]["region"]["startLine"] for result in run["results"]] == [2, 3, 5]
    (said,) = run["invocations"][0]["toolExecutionNotifications"]
    assert "2 results" in said["message"]["text"]


# GitHub


def unsilenced(report: Report) -> list[Outcome]:
    """What nobody let be: some fixtures are about what somebody did."""
    left = [outcome for outcome in report.outcomes if outcome.status is not Status.SILENCED]
    assert 0 < len(left) < len(report.outcomes)
    return left


def test_github_annotates_each_finding(fixtures: Report) -> None:
    *lines, last = render("github", fixtures, about()).splitlines()
    commands = [command(line) for line in lines]
    assert None not in commands
    assert command(last) is None
    found = [one for one in commands if one is not None and one.properties.get("line")]
    counted = {(one.properties["file"], one.properties["line"], one.properties["title"].split()[1]) for one in found}
    places = {(o.finding.place.path, str(o.finding.place.line), o.finding.rule) for o in unsilenced(fixtures)}
    assert places <= counted | {(t.path, str(t.line), "not") for t in fixtures.troubles}
    assert {one.name for one in found} == {"error", "warning", "notice"}


def test_github_shows_the_worst_first_and_says_how_many_more() -> None:
    outcomes = tuple(
        some(Status.REPORTED, severity=severity, line=line)
        for line in range(1, 16)
        for severity in (Severity.HIGH, Severity.CRITICAL, Severity.LOW)
    )
    lines = render("github", Report(outcomes), about()).splitlines()
    errors = [one for one in map(command, lines) if one is not None and one.name == "error"]
    assert ["critical" in one.properties["title"] for one in errors[:9]] == [True] * 9
    assert (errors[9].properties, errors[9].data[:8]) == ({"title": "harden"}, "21 more ")
    assert len(errors) == 31
    assert len([line for line in lines if line.startswith("::notice ")]) == 16
    assert github_form.SHOWN == 10


def test_github_levels() -> None:
    def level(status: Status, severity: Severity, **how: Any) -> str | None:
        one = command(render("github", Report((some(status, severity=severity),)), about(**how)).splitlines()[0])
        return one.name if one else None

    assert level(Status.APPLIED, Severity.HIGH) == level(Status.REPORTED, Severity.CRITICAL) == "error"
    assert level(Status.REFUSED, Severity.MEDIUM) == level(Status.HELD_BACK, Severity.CRITICAL) == "warning"
    assert level(Status.REPORTED, Severity.LOW) == level(Status.HELD_BACK, Severity.LOW) == "notice"
    assert level(Status.SILENCED, Severity.CRITICAL) is None
    assert level(Status.APPLIED, Severity.HIGH, written=True) is None
    assert "`harden --write` fixes it" in render("github", Report((some(Status.APPLIED),)), about())


# GitLab and JUnit


def test_gitlab_takes_it(fixtures: Report) -> None:
    issues = check_gitlab(render("gitlab", fixtures, about()))
    outcomes = unsilenced(fixtures)
    assert len(issues) == len(outcomes) + len(fixtures.troubles) + len(fixtures.notes)
    assert {issue["severity"] for issue in issues} >= {"minor", "major", "critical", "blocker"}
    told = [(issue["location"]["path"], issue["location"]["lines"]["begin"], issue["check_name"]) for issue in issues]
    assert told[: len(outcomes)] == [(*o.finding.place[:2], o.finding.rule) for o in outcomes]
    silenced = Report((some(Status.SILENCED, why="x: y"), some(Status.APPLIED)))
    assert check_gitlab(render("gitlab", silenced, about(written=True))) == []


def test_junit_is_valid_and_counts(fixtures: Report) -> None:
    names = tuple(sorted({outcome.finding.place.path for outcome in fixtures.outcomes} | {"quiet/compose.yaml"}))
    root = check_junit(render("junit", fixtures, about(files=names)))
    assert len(list(root.iter("failure"))) == sum(map(fails, fixtures.outcomes)) > 10
    assert root.find("testsuite[@name='quiet/compose.yaml']/testcase").get("name") == "no findings"
    held = next(case for case in root.iter("skipped") if "held back" in case.get("message"))
    assert "evidence is missing" in held.get("message")
    for suite in root.iter("testsuite"):
        cases = [case.get("name") for case in suite.iter("testcase")]
        assert len(set(cases)) == len(cases)
    failed = Report((some(Status.FAILED, why="x"),), troubles=(Trouble("y", 3, "a tab"),), notes=(Trouble("z", 0, "a part"),))
    root = check_junit(render("junit", failed, about()))
    assert (len(list(root.iter("error"))), len(list(root.iter("skipped")))) == (2, 1)


def test_json_is_what_its_schema_says(fixtures: Report) -> None:
    schema = json.loads((FIXTURES.parent / "hardener/render/report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    closed = json.loads(json.dumps(schema), object_hook=lambda o: o | {"additionalProperties": False} if "required" in o else o)
    odd = (some(Status.SILENCED, why="x: y"), some(Status.FAILED, why="z"))
    for report in (fixtures, Report(odd, troubles=(Trouble("x", 0, "gone"),), notes=(Trouble("y", 2, "a part", "more"),))):
        jsonschema.Draft202012Validator(closed).validate(json.loads(render("json", report, about())))


# What a repository says stays where it belongs

NASTY = st.text(st.characters(), max_size=30) | st.sampled_from(
    [
        "\n::set-output name=x::y",
        "a%0A::error::b",
        "::stop-commands::x",
        "\r##[set-env name=A;]b",
        "##[add-mask]e",
        "]]><failure/>&lt;",
        "\x00\x1b[31m\u2028\ufffe\udc80",
        "x\" y='z' <b>",
        "{0} [a](b) ]( ",
        "title=x,file=y",
        "\x85\x0b::warning::c",
    ]
)


def some(status: Status, *, why: str = "", severity: Severity = Severity.HIGH, line: int = 3, said: str = "m") -> Outcome:
    fix = Fix(f"repair {said}", evidence=(Evidence(said, said, Strength.READ),), migration=said)
    return Outcome(Finding("host-pid", said, Place("compose.yaml", line, 3), said, fix, advice=said), status, severity, why)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example("", "", "\ud800", Status.APPLIED, False)
@given(NASTY, NASTY, NASTY, st.sampled_from(list(Status)), st.booleans())
def test_nothing_gets_out_of_its_place(one: str, two: str, three: str, status: Status, written: bool) -> None:
    path = "".join(c for c in three if c not in "\0/") or "x"
    finding = Finding("host-pid", one, Place(path, 3, 3), two, Fix(one, migration=two), advice=one)
    outcomes = (Outcome(finding, status, Severity.HIGH, two), Outcome(finding, status, Severity.LOW, one))
    report = Report(outcomes, troubles=(Trouble(path, 1, one, two),), notes=(Trouble("x", 0, two, one),), files=1)
    run = about(written=written, files=(path, "other"))
    shown = {name: render(name, report, run).encode("utf-8", "backslashreplace").decode() for name in MACHINE}
    for line in lines_of_a_log(shown["github"]):
        got = command(line)
        if got is None:
            assert not line or line[0].isdigit() or line.startswith("No"), "the last line, which counts"
        else:
            assert got.name in ("error", "warning", "notice")
            assert set(got.properties) <= {"file", "line", "col", "title"}
            assert got.properties["title"].startswith("harden")
    annotated = 0 if status is Status.SILENCED or (written and status is Status.APPLIED) else 2
    assert sum(command(line) is not None for line in lines_of_a_log(shown["github"])) == annotated + 2
    check_sarif(shown["sarif"])
    assert len(check_gitlab(shown["gitlab"])) == annotated + 2
    assert len(list(check_junit(shown["junit"]).iter("testcase"))) == 5
    assert len(json.loads(shown["json"])["findings"]) == 2
    assert not any(ord(c) < 32 and c != "\n" for name in MACHINE for c in shown[name])


# The table


@pytest.mark.parametrize(
    ("file", "wanted", "form"),
    [
        ("a.sarif", "text", "sarif"),
        ("a.sarif.json", "json", "sarif"),
        ("a.json", "text", "json"),
        ("a.json", "gitlab", "gitlab"),
        ("a.json", "sarif", "sarif"),
        ("A.XML", "text", "junit"),
        ("a.md", "json", "markdown"),
        ("a.htm", "text", "html"),
        ("a.txt", "sarif", "text"),
        ("a", "github", "github"),
        ("a.out", "text", "text"),
        ("json", "text", "text"),
    ],
)
def test_the_ending_says_the_form_or_the_form_that_is_wanted_suits_it(file: str, wanted: str, form: str) -> None:
    assert form_of(file, wanted) == form


def test_the_issue_names_these_forms() -> None:
    assert set(NAMES) == {"text", "json", "sarif", "github", "gitlab", "markdown", "junit", "html"}
    assert len(FORMS) == len(NAMES)
