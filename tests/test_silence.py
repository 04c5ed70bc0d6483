"""Comments and waivers: which findings they let be, told by tables and by comments above many places. Knows each format."""

from __future__ import annotations

import re
import time
from datetime import date
from pathlib import Path

import pytest
import yaml
from compose_oracle import Files
from conftest import harden
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_fixtures import CASES

from hardener.cli.exits import exit_code
from hardener.discover import COMPOSE, DOCKERFILE, KUBERNETES, Found
from hardener.finding import Severity
from hardener.pipeline import Request, run
from hardener.policy import Policy, Waiver
from hardener.render.formats import Run
from hardener.render.text import render
from hardener.report import Report, Status
from hardener.source import Source

TODAY = date(2026, 6, 15)


def judge(text: str, name: str = "compose.yaml", **how: object) -> Report:
    """The report on one text."""
    kind = DOCKERFILE if "Dockerfile" in name else KUBERNETES if name.startswith("pod") else COMPOSE
    file = Found("", name, kind, True, Source(name, text))
    return run(Request((file,), today=TODAY, **how))  # type: ignore[arg-type]


def silenced(report: Report) -> set[tuple[str, str]]:
    return {(o.finding.rule, o.finding.subject) for o in report.outcomes if o.status is Status.SILENCED}


def left(report: Report) -> set[tuple[str, str]]:
    return {(o.finding.rule, o.finding.subject) for o in report.outcomes if o.status is not Status.SILENCED}


TWO = """\
{top}services:
  {before_a}
  a:{behind_a}
    image: example/a:1.0.0
    {before_host}
    network_mode: host{behind_host}
  {before_b}
  b:
    image: example/b:1.0.0
    network_mode: host
"""
PLACES = ("top", "before_a", "behind_a", "before_host", "behind_host", "before_b")


def two(**comments: str) -> str:
    filled = dict.fromkeys(PLACES, "") | comments
    return re.sub(r"(?m)^ +\n", "", TWO.format(**filled))


@pytest.mark.parametrize(
    ("place", "comment", "let_be"),
    [
        ("before_a", "# harden: ignore[host-network] why", {"a"}),
        ("behind_a", "  # harden: ignore[host-network] why", {"a"}),
        ("before_host", "# harden: ignore[host-network] why", {"a"}),
        ("behind_host", " # harden: ignore[host-network] why", {"a"}),
        ("before_b", "# harden: ignore[host-network] why", {"b"}),
        ("top", "# harden: ignore[host-network] why\n", {"a", "b"}),
        ("top", "# Ours.\n\n# harden: ignore[host-network] why\n# More.\n\n", {"a", "b"}),
        ("before_a", "# harden: ignore[host-network] why\n  # More.\n\n", {"a"}),
        ("before_a", "#harden:ignore[host-pid,host-network]: why", {"a"}),
        ("before_a", "# harden: ignore[host-network] until=2026-06-15 the last day", {"a"}),
        ("before_a", "# harden: ignore[host-network] the last day until=2026-06-15", {"a"}),
        ("before_a", "# harden: ignore[host-network] until=2026-06-14 the day before", set()),
        ("before_a", "# harden: ignore[host-network] until=2026-6-14 no date", set()),
        ("before_a", "# harden: ignore[host-network] until=\u0662\u0660\u0662\u0667-01-31 digits of others", set()),
        ("before_a", "# harden: ignore[host-network] until=20270131 another form", set()),
        ("before_a", "# harden: ignore[host-network] until=2027-01-31 until=2028-01-31 two", set()),
        ("before_a", "# harden: ignore[host-network]", set()),
        ("before_a", "# harden: ignore[host-network] --- !", set()),
        ("before_a", "# harden: ignore[host-network, nothing-like-it] why", set()),
        ("before_a", "# harden: ignore[*] why", set()),
        ("before_a", "# harden: ignore[Host-Network] why", set()),
        ("before_a", "# harden: ignore host-network why", set()),
        ("before_a", "# See # harden: ignore[host-network] why", set()),
        ("before_a", "# harden:ignore[host-network why", set()),
        ("before_a", "# ignore[host-network] why", set()),
        ("behind_a", "  # ours # harden: ignore[host-network] why", set()),
    ],
)
def test_a_comment_lets_be_what_stands_there(place: str, comment: str, let_be: set[str]) -> None:
    report = judge(two(**{place: comment}))
    assert silenced(report) == {("host-network", name) for name in let_be}
    assert {name for rule, name in left(report) if rule == "host-network"} == {"a", "b"} - let_be


@pytest.mark.parametrize(
    "text",
    [
        "    labels: {note: '# harden: ignore[host-network] why'}\n",
        "    labels:\n      note: |\n        # harden: ignore[host-network] why\n        more\n",
        "    labels:\n      note: >-\n        some\n        # harden: ignore[host-network] why\n",
        '    labels:\n      note: "a\n        # harden: ignore[host-network] why"\n',
        "    labels: {note: a# harden:ignore[host-network] why}\n",
    ],
)
def test_what_only_looks_like_a_comment_is_none(text: str) -> None:
    report = judge(f"services:\n  a:\n    image: example/a:1.0.0\n{text}    network_mode: host\n")
    assert silenced(report) == set()
    assert not {rule for rule, _ in left(report)} & {"stale-silence", "invalid-silence"}


def test_the_head_of_a_block_scalar_may_have_one() -> None:
    text = "services:\n  a:\n    image: x:1.0.0\n    pid: host\n    command: | # harden: ignore[host-pid] why\n      run # it\n"
    assert {rule for rule, _ in left(judge(text))} >= {"stale-silence", "host-pid"}


EXTENDED = {
    "base/common.yaml": b"""\
services:
  # harden: ignore[host-network, writable-root-filesystem] the base says why
  agent:
    image: example/agent:1.0.0
    network_mode: host
""",
    "compose.yaml": b"""\
services:
  mine:
    extends: {file: base/common.yaml, service: agent}
""",
}


def test_what_is_inherited_is_let_be_where_it_stands_even_in_a_file_that_was_not_asked_for(tmp_path: Path) -> None:
    report = harden(tmp_path, EXTENDED).report
    assert ("host-network", "mine") in silenced(report)
    assert ("writable-root-filesystem", "mine") in left(report)


def test_a_silence_of_the_base_file_holds_with_a_file_laid_over_it(tmp_path: Path) -> None:
    files = {
        "compose.yaml": b"""\
services:
  # harden: ignore[writable-root-filesystem, host-network] it writes everywhere
  web:
    image: example/web:1.0.0
""",
        "compose.override.yaml": b"services:\n  web:\n    image: example/web:2.0.0\n    network_mode: host\n",
    }
    report = harden(tmp_path, files).report
    assert not {rule for rule, _ in left(report)} & {"writable-root-filesystem", "host-network", "stale-silence"}
    assert {("writable-root-filesystem", "web"), ("host-network", "web")} <= silenced(report)


def test_a_silence_of_the_file_above_says_nothing_of_the_base_alone(tmp_path: Path) -> None:
    files = {
        "compose.yaml": b"services:\n  web:\n    image: example/web:1.0.0\n    network_mode: host\n",
        "compose.prod.yaml": b"services:\n  # harden: ignore[host-network] in production\n  web:\n    restart: always\n",
    }
    report = harden(tmp_path, files, select=("host-network",)).report
    assert [o.status for o in report.outcomes if o.finding.rule == "host-network"].count(Status.REPORTED) == 1


def test_a_comment_above_an_anchor_is_about_what_is_written_there(tmp_path: Path) -> None:
    text = """\
# harden is asked about this.
x-host: &host
  # harden: ignore[host-network] all of them count packets
  network_mode: host
services:
  a:
    <<: *host
    image: example/a:1.0.0
  b:
    <<: *host
    image: example/b:1.0.0
  c:
    image: example/c:1.0.0
    network_mode: host
"""
    report = judge(text)
    assert silenced(report) == {("host-network", "a"), ("host-network", "b")}
    assert ("host-network", "c") in left(report)


PODS = """\
{top}apiVersion: v1
kind: Pod
metadata: {{name: one}}
spec:
  hostNetwork: true
  containers:
    {item}
    - name: web
      image: nginx:1.27.1
    - image: example/other:1.0.0
      name: other
---
{second}apiVersion: v1
kind: Pod
metadata: {{name: two}}
spec:
  hostNetwork: true
  containers: [{{name: two, image: "example/two:1.0.0"}}]
"""


@pytest.mark.parametrize(
    ("where", "rule", "subjects"),
    [
        ({"top": "# harden: ignore[host-network] why\n"}, "host-network", {"one", "two"}),
        ({"top": "---\n# harden: ignore[host-network] why\n"}, "host-network", {"one"}),
        ({"second": "# harden: ignore[host-network] why\n"}, "host-network", {"two"}),
        ({"item": "# harden: ignore[privilege-escalation] why"}, "privilege-escalation", {"one/web"}),
        ({"second": "# harden: ignore[privilege-escalation] why\n"}, "privilege-escalation", {"two"}),
    ],
)
def test_in_a_manifest(where: dict[str, str], rule: str, subjects: set[str]) -> None:
    text = PODS.format(**({"top": "", "item": "", "second": ""} | where))
    report = judge(re.sub(r"(?m)^ +\n", "", text), "pods.yaml")
    assert silenced(report) == {(rule, subject) for subject in subjects}


def test_a_manifest_in_json_has_no_comments() -> None:
    spec = '{"hostNetwork": true, "containers": [{"name": "a",\n "image": "# harden: ignore[host-network] why"}]}'
    text = f'{{"apiVersion": "v1", "kind": "Pod", "metadata": {{"name": "a"}}, "spec": {spec}}}'
    assert silenced(judge(text, "pod.json")) == set()


STAGES = """\
{directive}{top}FROM debian AS build
{run}
ADD one /one

{second}FROM debian
COPY --from=build /one /one
CMD ["/one"]
"""


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (
            {"top": "# harden: ignore[mutable-base-image] why\n"},
            {("mutable-base-image", "build"), ("mutable-base-image", "stage 1")},
        ),
        (
            {"directive": "# syntax=docker/dockerfile:1\n", "top": "\n# harden: ignore[mutable-base-image] why\n\n"},
            {("mutable-base-image", "build"), ("mutable-base-image", "stage 1")},
        ),
        ({"second": "# harden: ignore[mutable-base-image] why\n"}, {("mutable-base-image", "stage 1")}),
        ({"run": "# harden: ignore[add-instead-of-copy] why"}, {("add-instead-of-copy", "build")}),
        ({"run": "RUN true \\\n# harden: ignore[add-instead-of-copy] why\n  && true"}, set()),
        ({"run": "COPY <<EOT /a\n# harden: ignore[add-instead-of-copy] why\nEOT"}, set()),
        ({"run": "RUN true # harden: ignore[add-instead-of-copy] why"}, set()),
    ],
)
def test_in_a_dockerfile(where: dict[str, str], expected: set[tuple[str, str]]) -> None:
    report = judge(STAGES.format(**({"directive": "", "top": "", "run": "", "second": ""} | where)), "Dockerfile")
    assert silenced(report) == expected


def test_a_comment_above_from_holds_for_all_of_the_stage() -> None:
    text = "FROM debian:12 AS a\nADD x /x\nFROM debian:12\n# harden: ignore[add-instead-of-copy] no\nRUN true\nADD y /y\n"
    assert silenced(judge(text, "Dockerfile")) == set()
    text = text.replace("\nFROM", "\n# harden: ignore[add-instead-of-copy] why\nFROM")
    assert silenced(judge(text, "Dockerfile")) == {("add-instead-of-copy", "stage 1")}


# On the way through the passes.


def test_no_fix_is_made_for_what_is_let_be_and_all_others_are() -> None:
    plain = "services:\n  db:\n    image: postgres:16\n"
    named = "services:\n  # harden: ignore[root-user] as it is\n  db:\n    image: postgres:16\n"
    before, after = judge(plain), judge(named)
    assert "user:" in before.changes[0].after.text
    assert "user:" not in after.changes[0].after.text
    assert "cap_drop" in after.changes[0].after.text
    applied = {o.finding.rule for o in after.outcomes if o.status is Status.APPLIED}
    assert applied == {o.finding.rule for o in before.outcomes if o.status is Status.APPLIED} - {"root-user"}
    outcome = next(o for o in after.outcomes if o.status is Status.SILENCED)
    assert outcome.why == 'compose.yaml:2: "as it is"'
    assert outcome.finding.place.line == 3


@pytest.mark.parametrize("blank", ["", "\n"])
@pytest.mark.parametrize("deep", ["  ", "    "])
def test_what_a_fix_inserts_does_not_come_under_a_silence(blank: str, deep: str) -> None:
    """The comment at the end of the one service is about the next, which its fixes must leave so."""
    text = (
        "services:\n  db:\n    image: postgres:16\n"
        f"{blank}{deep}# harden: ignore[host-network, excess-capabilities] why\n{deep}# More.\n"
        "  web:\n    image: example/web:1.0.0\n    network_mode: host\n"
    )
    report = judge(text)
    after = report.changes[0].after.text
    assert "cap_drop" in after
    again = judge(after)
    assert silenced(again) == silenced(report) == {("host-network", "web"), ("excess-capabilities", "web")}
    assert not again.changes
    assert re.search(r"# harden: [^\n]*\n +# More.\n  web:", after)


def test_what_a_fix_takes_away_takes_its_silence_along() -> None:
    text = """\
services:
  db:
    image: postgres:16
    # harden: ignore[host-network, host-pid] about the list below, and of no use
    # Of old.
    security_opt:
      - seccomp:unconfined
    pid: host
"""
    report = judge(text, unsafe=True, select=frozenset(("unconfined-seccomp", "host-pid")))
    after = report.changes[0].after.text
    assert "seccomp" not in after
    assert "harden:" not in after
    assert "# Of old." in after
    assert ("host-pid", "db") in left(judge(after))


def test_what_a_fix_inserts_into_a_dockerfile_does_not_come_under_a_silence() -> None:
    text = "FROM debian:12\nRUN true\n\n# harden: ignore[missing-healthcheck] why\n\n# More.\nEXPOSE 8000\n"
    text += 'CMD ["/bin/sleep", "infinity"]\n'
    report = judge(text, "Dockerfile", unsafe=True)
    for change in report.changes:
        assert silenced(judge(change.after.text, "Dockerfile", unsafe=True)) == silenced(report)
    assert ("missing-healthcheck", "image") in silenced(report)


def test_a_silence_that_is_needed_once_others_are_fixed_is_not_stale() -> None:
    text = "services:\n  a:\n    image: gcr.io/cadvisor/cadvisor:v0.49.1\n    privileged: true\n"
    revealed = {rule for rule, _ in left(judge(judge(text, unsafe=True).changes[0].after.text))}
    revealed -= {rule for rule, _ in left(judge(text))}
    for rule in revealed:
        named = text.replace("  a:", f"  # harden: ignore[{rule}] wanted\n  a:")
        for unsafe in (False, True):
            report = judge(named, unsafe=unsafe)
            assert not any(o.finding.rule == "stale-silence" for o in report.outcomes)
            assert not any(o.status is Status.FAILED for o in report.outcomes)


@pytest.mark.parametrize("how", [{"select": frozenset(("host-network",))}, {"ignore": frozenset(("host-pid",))}])
def test_rules_that_are_not_run_make_nothing_stale(how: dict[str, frozenset[str]]) -> None:
    text = "services:\n  # harden: ignore[host-pid] why\n  a:\n    image: example/a:1.0.0\n"
    assert ("stale-silence", "comment") in left(judge(text))
    assert ("stale-silence", "comment") not in left(judge(text, **how))


def test_without_comments_to_write_nothing_is_laid_over_for_them() -> None:
    text = "services:\n  # harden: ignore[host-pid] why\n  a:\n    image: example/a:1.0.0\n"
    report = judge(text, overlaid=True, select=frozenset(("stale-silence",)))
    assert [o.status for o in report.outcomes] == [Status.REPORTED]
    assert not report.changes


def test_what_is_let_be_does_not_fail_a_check_and_is_shown() -> None:
    report = judge(two(top="# harden: ignore[host-network] counts packets\n"), select=frozenset(("host-network",)))
    assert exit_code(report, "check", "low") == 0
    shown = render(report, Run(width=100))
    assert 'compose.yaml:1: "counts packets"' in shown
    assert "host-network  a (compose.yaml:5), b (compose.yaml:8)" in shown
    assert "2 silenced" in shown
    assert render(report, Run(brief=True)).count("\n") == 1, "only the summary"


# The configuration.

WAIVER = Waiver("decided in March", "hardener.toml:3")


@pytest.mark.parametrize(
    ("waiver", "let_be"),
    [
        (WAIVER._replace(rules=("host-network",)), {"a", "b"}),
        (WAIVER._replace(rules=("host-pid",)), set()),
        (WAIVER._replace(rules=("host-network",), services=("a*",)), {"a"}),
        (WAIVER._replace(rules=("host-network",), images=("example/b:*",)), {"b"}),
        (WAIVER._replace(rules=("host-network",), paths=("compose.yaml",)), {"a", "b"}),
        (WAIVER._replace(rules=("host-network",), paths=("legacy/",)), set()),
        (WAIVER._replace(severity=Severity.CRITICAL, services=("a",)), {"a"}),
        (WAIVER._replace(severity=Severity.LOW, services=("a",)), set()),
        (WAIVER._replace(until=TODAY), {"a", "b"}),
        (WAIVER._replace(until=date(2026, 6, 14)), set()),
    ],
)
def test_a_waiver_lets_be_what_matches_all_of_it(waiver: Waiver, let_be: set[str]) -> None:
    report = judge(two(), policy=Policy(waivers=(waiver,)))
    assert {name for rule, name in silenced(report) if rule == "host-network"} == let_be
    whys = {o.why for o in report.outcomes if o.status is Status.SILENCED}
    assert whys <= {'hardener.toml:3: "decided in March"'}


def test_a_comment_is_asked_before_the_configuration() -> None:
    report = judge(two(before_a="# harden: ignore[host-network] here"), policy=Policy(waivers=(WAIVER,)))
    whys = {o.finding.subject: o.why for o in report.outcomes if o.finding.rule == "host-network"}
    assert whys == {"a": 'compose.yaml:2: "here"', "b": 'hardener.toml:3: "decided in March"'}
    assert not any(o.finding.rule == "stale-silence" for o in report.outcomes)


@pytest.mark.parametrize(("pattern", "path"), [("legacy/", "legacy/compose.yaml"), ("/a/**/compose.yaml", "a/b/c/compose.yaml")])
def test_paths_are_patterns_of_gitignore_from_the_folder_of_the_policy(
    pattern: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    waiver = WAIVER._replace(rules=("host-network",), paths=(pattern,))
    above = judge(two(), f"../{path}", policy=Policy(waivers=(waiver,), folder=str(tmp_path)))
    here = judge(two(), path, policy=Policy(waivers=(waiver,), folder=str(tmp_path)))
    assert len(silenced(above)) == 2
    assert not silenced(here) or pattern == "legacy/"


# Many places: what a comment above a line lets be is exactly what stands there.


def _cases() -> list[tuple[str, str]]:
    found = []
    for case in CASES:
        before: Files = case.before
        for name, data in before.items():
            if len(before) == 1 and (name.endswith((".yaml", ".yml")) or "Dockerfile" in name):
                text = data.decode("utf-8", "replace")
                if "harden:" not in text and "{{" not in text and len(text) < 6000:
                    found.append((name, text))
    return sorted(set(found))


TEXTS = _cases()


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_above_the_place_of_a_finding_it_lets_be_that_one(data: st.DataObject) -> None:
    name, text = data.draw(st.sampled_from(TEXTS))
    plain = judge(text, name)
    places = sorted({(o.finding.rule, o.finding.place.line, o.finding.subject) for o in plain.outcomes})
    if plain.troubles or not places:
        return
    rule, line, subject = data.draw(st.sampled_from(places))
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.split("\n")
    above = lines[line - 1]
    indent = above[: len(above) - len(above.lstrip())]
    lines.insert(line - 1, f"{indent}# harden: ignore[{rule}] tried{newline[:-1]}")
    named = "\n".join(lines)
    if name.endswith((".yaml", ".yml")):
        try:
            assert list(yaml.compose_all(named, yaml.BaseLoader)) is not None
        except yaml.YAMLError:
            return
    report = judge(named, name)
    if report.troubles:
        return
    assert (rule, subject) in silenced(report)
    assert {one for one, _ in silenced(report)} == {rule}
    others = {o.finding.identity for o in plain.outcomes if o.finding.rule != rule}
    assert {o.finding.identity for o in report.outcomes if o.finding.rule != rule} == others


def test_hostile_texts_cost_little() -> None:
    begun = time.process_time()
    services = "".join(f"  s{n}:\n    image: e/a:1.0.0\n    network_mode: host\n" for n in range(60))
    comment = "# harden: ignore[host-network] a\n"
    judge(comment * 30_000 + f"services:\n{services}", select=frozenset(("host-network",)))
    inside = f"  {comment}" * 30_000
    judge(f"services:\n{inside}{services}", select=frozenset(("host-network",)))
    judge("FROM debian:12\n" + comment * 30_000 + "RUN true\n", "Dockerfile", select=frozenset(("sudo-in-image",)))
    judge(f"services:\n  a:\n    image: e:1.0.0 {'# harden: ignore[' * 30_000}\n", select=frozenset(("host-network",)))
    judge(f"# harden: ignore[host-network] {'a ' * 300_000}\nservices:\n{services}", select=frozenset(("host-network",)))
    assert time.process_time() - begun < 30


def test_a_reason_cannot_steer_a_terminal() -> None:
    report = judge(two(before_a="# harden: ignore[host-network] \u202eevil \u200b\u0085"), select=frozenset(("host-network",)))
    shown = render(report, Run())
    assert "\u202e" not in shown
    long = judge(two(before_a=f"# harden: ignore[host-network] {'word ' * 700}"), select=frozenset(("host-network",)))
    assert all(len(o.why) < 400 for o in long.outcomes)


def test_a_comment_that_no_person_wrote_silences_nothing_and_costs_little() -> None:
    services = "".join(f"  s{n}:\n    image: e/a:1.0.0\n    network_mode: host\n" for n in range(500))
    begun = time.process_time()
    report = judge(
        f"# harden: ignore[host-network] {'a' * 900_000}\nservices:\n{services}",
        select=frozenset(("host-network", "invalid-silence")),
    )
    assert time.process_time() - begun < 15
    assert not silenced(report)
    assert any("longer than" in outcome.finding.message for outcome in report.outcomes)


@pytest.mark.parametrize("rule", ["host-network", "host-netwrk"])
def test_thousands_of_comments_that_are_not_needed_are_told_soon(rule: str) -> None:
    lines = "".join(f'      A{n}: "x"  # harden: ignore[{rule}] a\n' for n in range(6000))
    begun = time.process_time()
    report = judge(
        f"services:\n  a:\n    image: e/a:1.0.0\n    environment:\n{lines}",
        select=frozenset(("stale-silence", "invalid-silence")),
    )
    assert time.process_time() - begun < 20
    assert len(report.outcomes) == 6000
