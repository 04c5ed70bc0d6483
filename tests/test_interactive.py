"""`--interactive`: what is asked, what becomes of the answers, and that the hunks shown are the change that is made.

The judges are git, which applies the hunks, and PyYAML.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from yaml_oracle import Loader

from hardener.cli import interactive, main
from hardener.discover import discover
from hardener.finding import Finding
from hardener.passes import Reply
from hardener.pipeline import Request, run
from hardener.render.diff import unified
from hardener.report import FileChange, Report, Status
from hardener.source import Source

FIXTURES = Path(__file__).parent.parent / "fixtures"
PROJECTS = [FIXTURES / "stacks" / name for name in ("shop", "tasks")] + sorted(FIXTURES.glob("_together/*/before"))[::3]
Changed = tuple[tuple[Source, Source], ...]


@pytest.fixture(params=[path for path in PROJECTS if path.is_dir()], ids=lambda path: path.parent.name + "/" + path.name)
def project(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "project"
    shutil.copytree(request.param, copy, symlinks=True)
    monkeypatch.chdir(copy)
    return copy


def judged(ask: Callable[[Finding, Changed], Reply] | None) -> Report:
    return run(Request(tuple(discover(["."])[0]), unsafe=True, ask=ask))


def texts(report: Report) -> dict[str, str]:
    return {change.before.path: change.after.text for change in report.changes}


def meaning(report: Report) -> dict[str, object]:
    """What each changed file says. How a mapping is laid out depends on how much comes into it at once."""
    return {
        path: text if "ockerfile" in path else list(yaml.load_all(text, Loader)) for path, text in sorted(texts(report).items())
    }


def test_yes_to_all_is_what_is_done_without_asking(project: Path) -> None:
    asked: list[Finding] = []

    def ask(finding: Finding, changed: Changed) -> Reply:
        asked.append(finding)
        return Reply(True)

    answered, plain = judged(ask), judged(None)
    applied = {(o.finding.rule, o.finding.subject) for o in plain.outcomes if o.status is Status.APPLIED}
    assert {(o.finding.rule, o.finding.subject) for o in answered.outcomes if o.status is Status.APPLIED} == applied
    assert {(finding.rule, finding.subject) for finding in asked} <= applied
    assert meaning(answered) == meaning(plain)


def test_no_to_all_changes_nothing(project: Path) -> None:
    report = judged(lambda finding, changed: Reply(False, "no"))
    assert report.changes == ()
    assert all(outcome.status is not Status.APPLIED for outcome in report.outcomes)


def test_the_hunks_that_were_accepted_are_the_change(project: Path) -> None:
    """Every second fix is accepted; git applies what was shown of these, one after the other."""
    subprocess.run(["git", "init", "-q"], check=True)
    count = 0

    def ask(finding: Finding, changed: Changed) -> Reply:
        nonlocal count
        count += 1
        if count % 2:
            return Reply(False, "no")
        patch = unified([FileChange(before, after, str(project / before.path)) for before, after in changed], str(project))
        subprocess.run(["git", "apply", "-"], input=patch, check=True)
        return Reply(True)

    before = judged(None)
    report = judged(ask)
    for path, text in texts(report).items():
        assert (project / path).read_bytes().decode().removeprefix("\ufeff") == text
    unchanged = {change.before.path: change.before.text for change in before.changes}.items() - texts(report).items()
    for path, text in unchanged:
        if path not in texts(report):
            assert (project / path).read_bytes().decode().removeprefix("\ufeff") == text
    declined = [outcome for outcome in report.outcomes if outcome.why == "no"]
    assert all(outcome.status is Status.REFUSED for outcome in declined)


class Answers:
    """Answers, one after the other; then the end of the input."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)

    def __call__(self) -> str:
        return f"{self.lines.pop(0)}\n" if self.lines else ""


@pytest.fixture
def answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.chdir(tmp_path)
    Path("compose.yaml").write_text("services:\n  a:\n    image: redis:7\n  b:\n    image: redis:7\n")

    def run(*lines: str, mode: str = "--write", form: str = "text") -> int:
        monkeypatch.setattr(interactive, "_line", Answers(*lines))
        return main([mode, "--interactive", "--format", form])

    return run


def test_each_fix_is_made_only_if_somebody_says_so(answer: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert answer("y", "n", "q") == 0
    assert Path("compose.yaml").read_text() == (
        'services:\n  a:\n    image: redis:7\n    user: "999:999"\n  b:\n    image: redis:7\n'
    )
    out, err = capsys.readouterr()
    assert out == "", "all was shown already"
    assert "harden: 1 fix written (" in err
    assert "root-user: b: starts as root, to step down to redis later (compose.yaml:4)" in err
    assert err.count("Make this fix") == 3
    assert "root-user: a: starts as root, to step down to redis later (compose.yaml:3)" not in err, "lines of the text as it was"


def test_what_was_declined_is_told_from_what_was_not_decided(
    answer: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer("y", "n", "q", form="json") == 0
    ended = [(one["status"], one["why"]) for one in json.loads(capsys.readouterr().out)["findings"] if one["fix"]]
    assert ended.count(("applied", "")) == 1
    assert ended.count(("refused", "you said no")) == 1
    assert ended.count(("refused", "you quit before it was decided")) == 10


def test_a_hazard_or_all_that_follows_can_be_accepted_at_once(answer: Callable[..., int]) -> None:
    assert answer("r", "q") == 0
    assert Path("compose.yaml").read_text().count('user: "999:999"') == 2
    assert answer("a") == 0
    assert Path("compose.yaml").read_text().count("read_only: true") == 2


def test_the_end_of_the_input_is_no(answer: Callable[..., int]) -> None:
    before = Path("compose.yaml").read_text()
    assert answer() == 0
    assert Path("compose.yaml").read_text() == before


def test_questions_go_to_standard_error_and_the_diff_to_standard_output(
    answer: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer("n", "y", "q", mode="--diff") == 1
    out, err = capsys.readouterr()
    assert out.startswith("diff --git a/compose.yaml b/compose.yaml\n")
    assert out.count("+    user:") == 1
    assert "1 fix would be applied (" in err


def test_it_explains_and_helps(answer: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert answer("e", "?", "what", "q") == 0
    err = capsys.readouterr().err
    assert "The container runs as root, because" in err
    assert "because starts as root, then steps down to uid 999" in err
    assert err.count("y - make this fix") == 2


@pytest.mark.parametrize("arguments", [["--interactive"], ["--check", "--interactive"], ["--diff", "--interactive", "-"]])
def test_it_is_about_what_is_changed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "--interactive asks what of --diff or --write is wanted" in capsys.readouterr().err


def test_names_cannot_steer_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("compose.yaml").write_bytes(b'services:\n  "a\\e[31mb":\n    image: redis:7\n')
    monkeypatch.setattr(interactive, "_line", Answers("q"))
    main(["--diff", "--interactive"])
    assert "\x1b" not in capsys.readouterr().err


def test_a_silence_is_written_above_what_it_is_about(answer: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert answer("s", "the owner knows", "y", "q") == 0
    assert Path("compose.yaml").read_text() == (
        "services:\n"
        "  # harden: ignore[root-user] the owner knows\n"
        "  a:\n    image: redis:7\n"
        '  b:\n    image: redis:7\n    user: "999:999"\n'
    )
    assert "1 silenced" in capsys.readouterr().err
    assert main(["--check", "--select", "root-user"]) == 0


def test_a_reason_that_cannot_be_written_is_asked_for_again(
    answer: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path("compose.yaml").read_text()
    assert answer("s", "until=2027-13-01 soon", "s", "", "q") == 0
    assert capsys.readouterr().err.count("Make this fix") == 3
    assert Path("compose.yaml").read_text() == before


def test_silences_of_one_place_and_of_many_hazards_do_not_move_each_other(answer: Callable[..., int]) -> None:
    assert answer("s", "one", "s", "two", "s", "three", "y", "n", "s", "one", "q") == 0
    assert Path("compose.yaml").read_text() == (
        "services:\n"
        "  # harden: ignore[root-user, unlimited-cpu] one\n"
        "  # harden: ignore[excess-capabilities] three\n"
        "  a:\n    image: redis:7\n    security_opt:\n      - no-new-privileges:true\n"
        "  # harden: ignore[root-user] two\n"
        "  b:\n    image: redis:7\n"
    ), "who is asked reads from the top to the end"
    assert main(["--check", "--select", "root-user"]) == 0


def test_what_is_no_text_is_no_answer(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    garbage = io.TextIOWrapper(io.BytesIO(b"\xff\xfe\x00y\ny\n"), encoding="utf-8", errors="strict")
    monkeypatch.setattr("sys.stdin", garbage)
    assert main(["--write", "--force", "--interactive"]) in (0, 2)
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before
