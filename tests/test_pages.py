"""The page of every rule: its shape in the source, its example, and what `harden explain` and `harden rules` show of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from difflib import unified_diff
from pathlib import Path

import pytest
from test_fixtures import FIXTURES, Case

from hardener import cli
from hardener.finding import Rule
from hardener.pages import cases
from hardener.pages.cases import Ending
from hardener.pages.example import judged
from hardener.pages.explanation import explain, worst_first
from hardener.pages.page import LABELS, NEEDED, read
from hardener.render.rule_markdown import code, escaped
from hardener.rules import load, page

RULES = load()
every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
#: Words in a paragraph: fewer say nothing, more are not read.
LEAST, MOST = 8, 150


def sentences(text: str) -> list[str]:
    """The sentences of a text; what is between backticks or parentheses ends none."""
    prose = re.sub(r"`[^`]*`|\([^)]*\)", "x", text)
    return [part for part in re.split(r"(?<=[.!?])\s+", prose) if part]


@every_rule
def test_the_docstring_has_the_shape(rule: Rule) -> None:
    found = read(page(rule))
    assert len(sentences(found.hazard)) == 1
    for label in NEEDED:
        assert getattr(found, LABELS[label]), f"no {label}"
    assert len(found.attack) == 1
    assert len(sentences(found.attack[0])) == 2, found.attack
    for label, field in LABELS.items():
        for paragraph in getattr(found, field) if label != "Example" else ():
            assert LEAST <= len(paragraph.split()) <= MOST or label in ("Background", "Left alone"), paragraph
            assert len(paragraph.split()) <= MOST, paragraph
            assert paragraph[0].isupper() or paragraph[0] == "`", paragraph
            assert paragraph.endswith("."), paragraph
            assert paragraph.count("`") % 2 == 0, paragraph


@every_rule
def test_the_attack_is_its_own(rule: Rule) -> None:
    """Nobody reads the same attack twice, and who attacks is somebody."""
    attacks = [read(page(other)).attack for other in RULES]
    assert attacks.count(read(page(rule)).attack) == 1
    assert re.match(r"(Whoever|A client) ", read(page(rule)).attack[0])


@pytest.mark.parametrize(
    ("docstring", "said"),
    [
        ("It is bad.\n\nAnd so on.", "without a label"),
        ("It is bad.\n\nWhat we do: this.\n\nAttack: that.", "out of order"),
        ("It is bad.\n\nAttack: this.\n\nAttack: that.", "out of order"),
    ],
)
def test_another_shape_is_refused(docstring: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read(docstring)


def test_a_paragraph_without_a_label_belongs_to_the_one_before() -> None:
    found = read("It is bad.\n\nAttack: Note: this\nruns on.\n\nWhat we do: One.\n\nTwo.\n\nExample: a, b")
    assert found.attack == ("Note: this runs on.",)
    assert (found.repair, found.examples, found.breaks) == (("One.", "Two."), ("a", "b"), ())


# Examples


@every_rule
def test_its_examples_are_parts_of_its_cases(rule: Rule) -> None:
    for example in explain(rule).examples:
        case = Case(rule.id, FIXTURES / rule.id / example.case.name)
        before, after = (tree[example.case.path].decode() for tree in (case.before, case.after))
        assert (example.case.before, example.case.after) == (before, after)
        assert example.is_diff == (before != after)
        old, new = before.splitlines(), after.splitlines()
        assert all(old[line.number - 1] == line.text for line in example.lines if line.number)
        assert {line.text for line in example.lines if line.mark == "+"} <= set(new)
        assert len(example.lines) <= 40
        assert any(line.mark in "+->" for line in example.lines)


@every_rule
def test_what_is_said_of_an_example_is_what_its_fixture_says(rule: Rule) -> None:
    """Fixtures are run with the fixes that lack evidence: what is repaired or held back here is `applied` there."""
    for example in explain(rule).examples:
        folder = FIXTURES / rule.id / example.case.name
        expected = [line.split() for line in (folder / "findings.txt").read_text().splitlines()]
        applied = {"repaired", "held back"}
        for remark in example.remarks:
            place, subject = f"{example.case.path}:{remark.line}", remark.subject
            status = next(words[-1] for words in expected if words[0] == place and " ".join(words[2:-1]) == subject)
            assert (remark.ended in applied) == (status in ("applied", "held-back"))
            assert bool(remark.why or remark.advice) == (remark.ended != "repaired")
        here = [words for words in expected if words[0].startswith(f"{example.case.path}:")]
        assert len(example.remarks) + example.more == len(here)
        assert example.remarks


@every_rule
def test_a_fix_is_shown_where_there_is_one(rule: Rule) -> None:
    explanation = explain(rule)
    fixes = {Ending.REPAIRED, Ending.HELD_BACK} & set(explanation.endings)
    assert any(example.is_diff for example in explanation.examples) == bool(fixes)


@every_rule
def test_a_change_is_cut_between_hunks_and_not_elsewhere(rule: Rule) -> None:
    """What difflib says of the same texts begins with what is shown, and goes on with another hunk or not at all."""
    for example in explain(rule).examples:
        if example.is_diff:
            texts = example.case.before.splitlines(), example.case.after.splitlines()
            whole = [line if line[0] != "@" else "…" for line in unified_diff(*texts, lineterm="")][3:]
            lines = [line.mark + line.text for line in example.lines]
            assert whole[: len(lines)] == lines
            assert whole[len(lines) : len(lines) + 1] in ([], ["…"])


def test_a_case_that_is_not_there_is_an_error() -> None:
    with pytest.raises(LookupError, match="no case"):
        cases.case("root-user", "nowhere")
    with pytest.raises(LookupError, match="no case"):
        cases.case("host-uts", "own-name")


@every_rule
def test_how_it_ends_is_what_all_its_fixtures_show(rule: Rule) -> None:
    found = explain(rule).endings
    assert found
    lines = [line for path in FIXTURES.glob("*/*/findings.txt") for line in path.read_text().splitlines()]
    statuses = {line.split()[-1] for line in lines if f" {rule.id} " in line}
    assert (Ending.REPORTED in found) == ("reported" in statuses)
    assert (Ending.REFUSED in found) == ("refused" in statuses)
    assert bool({Ending.REPAIRED, Ending.HELD_BACK} & set(found)) == bool({"applied", "held-back"} & statuses)


def test_only_what_is_made_unasked_counts_as_repaired() -> None:
    assert Ending.REPAIRED in cases.endings("excess-capabilities")
    assert Ending.REPAIRED not in cases.endings("unmasked-proc")
    assert cases.endings("docker-socket-mount") == (Ending.REPORTED,)


def test_what_lies_around_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader's own project lends an example neither its programs nor its evidence."""
    case = cases.case("root-user", "node-has-its-own-user")
    here = judged(case)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / "server.js").write_text("console.log(1)\n")
    (tmp_path / "package.json").write_text('{"name": "x", "version": "1.0.0"}')
    assert judged(case) == here
    assert "not" in here.remarks[0].why


# What is shown


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(arguments) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


@pytest.mark.parametrize("columns", ["80", "60"])
@every_rule
def test_prose_fits_the_terminal(
    rule: Rule, columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    out = shown(capsys, "explain", rule.id)
    whole = [line.text for example in explain(rule).examples for line in example.lines]
    for line in out.splitlines():
        assert (
            len(line) <= int(columns)
            or len(line.split()) == 1
            or any(text and text in line for text in whole)
            or (line.strip().startswith("harden ") or line.strip().startswith("# harden: "))
        ), line
    assert "\x1b" not in out
    for source in explain(rule).sources:
        assert source.url in out


def test_all_of_a_page_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("text", "markdown"):
        out = " ".join(shown(capsys, "explain", "unlimited-memory", "--format", form).split())
        rule = next(rule for rule in RULES if rule.id == "unlimited-memory")
        found = read(page(rule))
        for paragraph in (found.hazard, *found.attack, *found.breaks, *found.repair):
            assert (escaped(paragraph) if form == "markdown" else paragraph) in out
        assert "# harden: ignore[unlimited-memory] REASON" in out
        assert "harden --ignore unlimited-memory" in out
        assert "memory: 4G # 128 MiB of buffers, 100 connections by default" in out
        assert "CIS Docker 5.11" in out


def test_several_rules_are_explained_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, "explain", "host-uts", "host-ipc", "host-uts", "--format", "markdown")
    assert re.findall(r"^# (.*)", out, re.MULTILINE) == ["host-uts", "host-ipc"]
    assert cli.main(["explain", "host-uts", "host-ips"]) == 2
    captured = capsys.readouterr()
    assert (captured.out, "did you mean host-ipc" in captured.err) == ("", True)


def test_rules_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(shown(capsys, "rules", "--format", "json"))
    assert data["version"] == 1
    assert [rule["id"] for rule in data["rules"]] == [rule.id for rule in worst_first()]
    socket = data["rules"][0]
    assert (socket["id"], socket["severity"], socket["outcomes"]) == ("docker-socket-mount", "critical", ["reported"])
    assert {"item": "CIS Docker 5.32", "url": "https://github.com/docker/docker-bench-security"}.items() <= socket["sources"][
        0
    ].items()


def test_the_table_is_worst_first(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [line.split() for line in shown(capsys, "rules").split("\n\n")[0].splitlines()]
    ranks = [["critical", "high", "medium", "low"].index(row[1]) for row in rows]
    assert ranks == sorted(ranks)
    assert {row[0] for row in rows} == {rule.id for rule in RULES}


def test_a_terminal_gets_colour_and_whole_lines() -> None:
    """`script` gives it a terminal of 80 columns."""
    if not shutil.which("script"):
        pytest.skip("there is no `script` to make a terminal")
    command = f"stty cols 80; {sys.executable} -m hardener rules; {sys.executable} -m hardener explain host-uts"
    root = Path(__file__).parent.parent
    environment = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS")}
    environment |= {"PYTHONPATH": str(root), "TERM": "xterm"}
    done = subprocess.run(
        ["script", "-qec", command, "/dev/null"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert "\x1b[31mhigh" in done.stdout
    assert "\x1b[1mhost-uts\x1b[0m" in done.stdout
    assert "\x1b[m" not in done.stdout
    table = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout.split("`harden explain RULE`")[0])
    assert max(len(line.rstrip()) for line in table.splitlines()) <= 80


def test_markup_in_prose_is_text() -> None:
    assert escaped("`a_b` <x> *y* [z]") == r"`a_b` \<x\> \*y\* \[z\]"
    assert (code("a"), code("a`b")) == ("`a`", "`` a`b ``")


@every_rule
def test_a_comment_is_offered_where_one_silences(rule: Rule, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", rule.id]) == 0
    shown = capsys.readouterr().out
    assert ("silences it" in shown) == (rule.silence is None)
    assert ("\nSources\n" in shown) == bool(rule.cites)
    assert cli.main(["explain", rule.id, "--format", "markdown"]) == 0
    shown = capsys.readouterr().out
    assert ("silences it" in shown) == (rule.silence is None)
    assert ("## Sources" in shown) == bool(rule.cites)
