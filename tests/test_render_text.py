"""The report for people, and its JSON form: what is in them, and that nothing in them can steer a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.finding import Evidence, Finding, Fix, Place, Rule, Severity, Strength
from hardener.fingerprint import fingerprints
from hardener.render.formats import Run
from hardener.render.json import render as render_json
from hardener.render.summary import clean, summary
from hardener.render.text import render as render_text
from hardener.report import FileChange, Outcome, Report, Status, Trouble
from hardener.source import Source

RULES = tuple(
    Rule(id, f"title of {id}", severity, cites, f"why {id} matters", lambda *_: ())
    for id, severity, cites in (
        ("excess-capabilities", Severity.MEDIUM, ("CIS Docker 5.4",)),
        ("docker-socket-mount", Severity.CRITICAL, ("CIS Docker 5.32", "OWASP Docker 1")),
        ("unlimited-memory", Severity.LOW, ()),
    )
)
SEVERITY = {rule.id: rule.severity for rule in RULES}
READ = Evidence("starts its workers as uid 101", "nginx/nginx process.c@3f6f782", Strength.READ)


def outcome(
    rule: str,
    status: Status,
    *,
    subject: str = "web",
    line: int = 3,
    path: str = "compose.yaml",
    why: str = "",
    advice: str = "",
    message: str = "",
    evidence: Iterable[Evidence] = (READ,),
) -> Outcome:
    fix = None if status is Status.REPORTED else Fix(f"repair {rule}", evidence=tuple(evidence), missing=why)
    place = Place(path, line, 3)
    return Outcome(
        Finding(rule, subject, place, message or f"message of {rule}", fix, advice=advice), status, SEVERITY[rule], why
    )


def report(*outcomes: Outcome, troubles: Iterable[Trouble] = (), files: int = 1) -> Report:
    changed = {o.finding.place.path for o in outcomes if o.status is Status.APPLIED}
    changes = tuple(FileChange(Source(path, "a\n"), Source(path, "b\n"), path) for path in sorted(changed))
    return Report(outcomes, changes, tuple(troubles), (), files, 1, 0)


def render(what: Report, **how: Any) -> str:
    text = render_text(what, Run(rules=lambda: RULES, **how))
    assert text.endswith("\n")
    return text.removesuffix("\n")


def flat(text: str) -> str:
    return " ".join(text.split())


def test_a_fix_says_where_what_and_why() -> None:
    text = render(report(outcome("excess-capabilities", Status.APPLIED, line=7)))
    assert text.startswith("compose.yaml:7:3  web: 1 finding, 1 fix\n")
    assert re.search(r"^ +medium +excess-capabilities +message of excess-capabilities$", text, re.MULTILINE)
    assert "fix: repair excess-capabilities" in text
    assert "because starts its workers as uid 101 [nginx/nginx process.c@3f6f782]" in flat(text)
    assert "excess-capabilities why excess-capabilities matters (CIS Docker 5.4)" in flat(text)
    assert text.endswith("1 fix would be applied in 1 of 1 file.")


def test_after_writing_it_says_written() -> None:
    text = render(report(outcome("unlimited-memory", Status.APPLIED)), written=True)
    assert "web: 1 finding, 1 fix written" in text
    assert text.endswith("1 fix written in 1 of 1 file.")


def test_held_back_says_what_is_missing_and_the_command_once() -> None:
    held = [outcome(rule, Status.HELD_BACK, why="no profile of acme/app", path="my shop/compose.yaml") for rule in SEVERITY]
    text = render(report(*held))
    assert text.count("missing: no profile of acme/app") == 1
    assert text.count("harden --diff --unsafe-fixes 'my shop/compose.yaml'") == 1
    assert text.endswith("Nothing to fix in 1 file (3 held back).")


def test_held_back_comes_after_what_is_fixed_and_before_problems() -> None:
    text = render(
        report(
            outcome("unlimited-memory", Status.HELD_BACK, why="unknown"),
            outcome("docker-socket-mount", Status.REPORTED, line=9, advice="put a proxy between"),
            outcome("excess-capabilities", Status.APPLIED, path="b/compose.yaml"),
            outcome("excess-capabilities", Status.REFUSED, why="an alias"),
            outcome("unlimited-memory", Status.FAILED, why="it is still there"),
            troubles=[Trouble("x.yaml", 4, "a tab", "use blanks")],
            files=3,
        ),
    )
    parts = ["put a proxy between", "because starts", "Held back", "Refused", "an alias", "Taken back", "it is still there"]
    parts += ["Not read or not edited", "x.yaml:4: a tab", "what to do: use blanks", "Why it matters", "1 fix would be applied ("]
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)
    assert text.endswith(
        "1 fix would be applied (1 held back, 1 refused, 1 taken back, 1 without a fix) in 1 of 3 files; 1 problem in the way."
    )


def test_why_is_said_once_for_each_rule_the_worst_first() -> None:
    many = [outcome(rule, Status.APPLIED, subject=f"s{number}", line=number) for number in range(1, 11) for rule in SEVERITY]
    text = render(report(*many))
    for rule in SEVERITY:
        assert text.count(f"why {rule} matters") == 1
    assert text.index("why docker-socket") < text.index("why excess") < text.index("why unlimited")


def test_ten_services_with_six_findings_stay_readable() -> None:
    rules = ["excess-capabilities", "docker-socket-mount", "unlimited-memory"] * 2
    many = [outcome(rule, Status.APPLIED, subject=f"s{number}", line=number * 9) for number in range(10) for rule in rules]
    text = render(report(*many))
    assert text.count("because starts its workers") == 10, "evidence once for each service, not for each finding"
    assert re.findall(r"(\S+): 6 findings, 6 fixes", text) == [f"s{number}" for number in range(10)]
    assert len(text.splitlines()) < 10 * 20


def test_one_way_out_is_said_once_for_findings_that_share_it() -> None:
    worse = [rule for rule, severity in SEVERITY.items() if severity > Severity.LOW]
    assert len(worse) == 2
    text = render(report(*(outcome(rule, Status.REPORTED, advice="measure it under load") for rule in worse)))
    assert text.count("measure it under load") == 1


def test_what_is_low_and_has_no_fix_is_said_by_hazard_after_the_rest() -> None:
    low = [
        outcome("unlimited-memory", Status.REPORTED, subject=name, line=line, advice="measure it")
        for line, name in enumerate(("web", "db", "cache"), 3)
    ]
    text = render(report(*low, outcome("docker-socket-mount", Status.REPORTED, line=9, advice="a proxy")))
    assert "compose.yaml: web (line 3), db (line 4), cache (line 5)" in text
    assert text.count("title of unlimited-memory") == text.count("measure it") == 1
    assert text.index("a proxy") < text.index("measure it") < text.index("why unlimited-memory matters")
    assert "web (line 3)" not in render(report(low[0]._replace(status=Status.APPLIED))), "what is fixed stands with the rest"


@pytest.mark.parametrize(
    ("what", "line"),
    [
        (Report(), "No Compose files, Dockerfiles or manifests found."),
        (Report(files=2), "No hazards found in 2 files."),
        (Report(troubles=(Trouble("a", 0, "gone"),)), "No Compose files, Dockerfiles or manifests found; 1 problem in the way."),
    ],
)
def test_nothing_is_said_in_one_line(what: Report, line: str) -> None:
    assert summary(what) == line
    assert render(what).endswith(line)
    if not what.troubles:
        assert render(what) == line


def test_brief_is_a_line_for_each_finding() -> None:
    text = render(
        report(outcome("excess-capabilities", Status.APPLIED), outcome("unlimited-memory", Status.HELD_BACK, line=5)),
        brief=True,
    )
    assert text.splitlines()[:2] == [
        "compose.yaml:3:3  medium  excess-capabilities  web: message of excess-capabilities [fix]",
        "compose.yaml:5:3  low  unlimited-memory  web: message of unlimited-memory [held back]",
    ]


WORDS = st.text(st.characters(codec="utf-8"), max_size=200)


@given(WORDS, WORDS, WORDS, st.sampled_from(list(Status)), st.integers(40, 120), st.booleans(), st.booleans())
def test_no_text_steers_the_terminal(
    one: str, two: str, three: str, status: Status, width: int, colour: bool, brief: bool
) -> None:
    evil = outcome(
        "unlimited-memory", status, subject=one, path=two, message=three, why=one, advice=two, evidence=[Evidence(two, three)]
    )
    text = render(report(evil, troubles=[Trouble(one, 1, two, three)]), width=width, colour=colour, brief=brief)
    left = re.sub(r"\x1b\[[\d;]*m", "", text) if colour else text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e]", left)


@given(st.integers(60, 120))
def test_lines_fit_the_width(width: int) -> None:
    text = render(report(*(outcome(rule, Status.APPLIED, message="many short words " * 9) for rule in SEVERITY)), width=width)
    assert max(map(len, text.splitlines())) <= width


def test_colour_is_all_that_colour_adds() -> None:
    one = report(outcome("docker-socket-mount", Status.APPLIED), outcome("unlimited-memory", Status.HELD_BACK, why="x"))
    plain, painted = (render(one, colour=colour) for colour in (False, True))
    assert "\x1b" not in plain
    assert painted != plain
    assert re.sub(r"\x1b\[[\d;]*m", "", painted) == plain


def test_clean_leaves_plain_text_alone() -> None:
    assert clean("größe — ok") == "größe — ok"
    assert clean("a\x1b[31m\nb") == "a\\x1b[31m b"
    assert clean("a\ufdefb\U0001ffff") == "a\\ufdefb\\U0001ffff", "of which there is no HTML"


def test_json_has_every_finding_and_says_its_version() -> None:
    one = report(
        outcome("excess-capabilities", Status.APPLIED),
        outcome("docker-socket-mount", Status.REPORTED, advice="a proxy"),
        outcome("unlimited-memory", Status.HELD_BACK, why="unknown"),
        troubles=[Trouble("x", 4, "a tab", "use blanks")],
    )
    data = json.loads(render_json(one, Run(".")))
    assert (data["version"], data["tool"]["name"], data["written"]) == (1, "harden", False)
    ended = {"applied": 1, "held-back": 1, "refused": 0, "reported": 1, "failed": 0, "silenced": 0}
    assert data["summary"] == {"files": 1, "containers": 1, "stages": 0, "problems": 1} | ended
    first, second, third = data["findings"]
    assert first == {
        "rule": "excess-capabilities",
        "severity": "medium",
        "status": "applied",
        "path": "compose.yaml",
        "line": 3,
        "column": 3,
        "subject": "web",
        "key": "web",
        "fingerprint": fingerprints([one.outcomes[0].finding], ".", "/")[0],
        "message": "message of excess-capabilities",
        "why": "",
        "advice": "",
        "fix": {
            "summary": "repair excess-capabilities",
            "missing": "",
            "migration": "",
            "evidence": [{"claim": READ.claim, "source": READ.source, "strength": "read"}],
        },
    }
    assert (second["fix"], second["advice"], third["why"]) == (None, "a proxy", "unknown")
    assert [change["path"] for change in data["changes"]] == ["compose.yaml"]
    assert "\n-a\n+b\n" in data["changes"][0]["diff"]
    assert data["troubles"] == [{"path": "x", "line": 4, "reason": "a tab", "remedy": "use blanks"}]
    assert data["notes"] == []


def test_json_documents_every_field() -> None:
    import hardener.render.json as module

    def fields(value: object) -> set[str]:
        if isinstance(value, dict):
            return set(value) | {name for item in value.values() for name in fields(item)}
        return {name for item in value for name in fields(item)} if isinstance(value, list) else set()

    everything = report(outcome("excess-capabilities", Status.APPLIED), troubles=[Trouble("x", 4, "a tab")])
    documented = set(re.findall(r"[\w-]+", module.__doc__ or ""))
    assert fields(json.loads(render_json(everything, Run(".")))) <= documented
