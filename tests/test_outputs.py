"""`--format` and `--output`: which form goes where, what is refused before anything is judged, and the summary of a step."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from format_oracles import check_gitlab, check_junit, check_sarif, command

from hardener import cli
from hardener.cli import outputs
from hardener.cli.options import OPTIONS
from hardener.render.formats import NAMES

COMPOSE = (
    'services:\n  web:\n    image: nginx:1.27.1\n    privileged: true\n    ports: ["80:80"]\n  db:\n    image: postgres:16\n'
)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def harden(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in a project of one file: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "HARDEN_DEBUG", "COLUMNS", "_HARDEN_COMPLETE", outputs.STEP_SUMMARY):
        monkeypatch.delenv(name, raising=False)
    Path("compose.yaml").write_text(COMPOSE)

    def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        Path(".stdin").write_text(stdin)
        with open(".stdin", encoding="utf-8") as given_in:
            monkeypatch.setattr(sys, "stdin", given_in)
            code = cli.main(arguments)
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return run


def kind(text: str) -> str:
    """The form of a text, told by what its judge says."""
    if text.startswith("<?xml"):
        check_junit(text)
        return "junit"
    if text.startswith("<!"):
        return "html"
    if not text.startswith(("{", "[")):
        return "github" if command(text.split("\n")[0]) else "markdown" if text.startswith("#") else "text"
    data = json.loads(text)
    if isinstance(data, list):
        check_gitlab(text)
        return "gitlab"
    if "$schema" in data:
        check_sarif(text)
        return "sarif"
    return "json" if data["tool"]["name"] == "harden" else ""


@pytest.mark.parametrize("name", NAMES)
def test_each_form_on_standard_output_ends_with_the_same_code(harden: Run, name: str) -> None:
    code, out, err = harden("--format", name)
    assert (code, err, kind(out)) == (1, "", name)
    assert harden("--format", name, "--fail-on", "never", "--select", "mutable-image-tag")[0] == 0
    assert harden("--format", name, "nowhere")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "printed", "files"),
    [
        (["--output", "a.sarif"], "text", {"a.sarif": "sarif"}),
        (["--format", "sarif", "--output", "a.sarif"], "text", {"a.sarif": "sarif"}),
        (["--format", "sarif", "--output", "a.json"], "text", {"a.json": "sarif"}),
        (["--format", "sarif", "--output", "sarif:a.json"], "sarif", {"a.json": "sarif"}),
        (
            ["--check", "--format", "github", "--output", "a.sarif", "--output", "b.xml"],
            "github",
            {"a.sarif": "sarif", "b.xml": "junit"},
        ),
        (["--output=gitlab:a.json", "--output=b.json"], "text", {"a.json": "gitlab", "b.json": "json"}),
        (["--format", "gitlab", "--output", "a", "--output", "b.out"], "text", {"a": "gitlab", "b.out": "gitlab"}),
        (["--format", "json", "--output", "a.xml"], "json", {"a.xml": "junit"}),
        (["--output", "a.txt", "--color", "always"], "text", {"a.txt": "text"}),
        (["--output", "./x:y.json"], "text", {"x:y.json": "json"}),
    ],
)
def test_files_beside_standard_output(harden: Run, arguments: list[str], printed: str, files: dict[str, str]) -> None:
    code, out, err = harden(*arguments)
    assert (code, err, kind(out.replace("\x1b", ""))) == (1, "", printed)
    assert {name: kind(Path(name).read_text()) for name in files} == files
    assert "\x1b" not in "".join(Path(name).read_text() for name in files)
    assert set(os.listdir()) == {"compose.yaml", ".stdin", *files}
    again = {name: Path(name).read_bytes() for name in files}
    assert harden(*arguments)[:2] == (code, out), "what was written is not looked at"
    assert {name: Path(name).read_bytes() for name in files} == again, "the same run says the same"


def test_a_diff_a_written_file_and_standard_input_have_reports_too(harden: Run) -> None:
    code, out, _ = harden("--diff", "--output", "a.json")
    assert (code, out[:10], json.loads(Path("a.json").read_text())["written"]) == (1, "diff --git", False)
    assert harden("--diff", "--format", "sarif", "--output", "b.sarif")[1] == out
    code, out, _ = harden("--write", "--stdin-filename", "compose.yaml", "--output", "a.json", "-", stdin=COMPOSE)
    assert (code, "cap_drop" in out, json.loads(Path("a.json").read_text())["written"]) == (0, True, True)
    assert harden("--write", "--output", "a.sarif", "--output", "gitlab:g.json")[0] == 0
    assert "cap_drop" in Path("compose.yaml").read_text()
    results = check_sarif(Path("a.sarif").read_text())["runs"][0]["results"]
    assert {result["kind"] for result in results} == {"pass", "fail"}
    assert not any("fixes" in result for result in results), "they are about a text that is no more"
    assert len(check_gitlab(Path("g.json").read_text())) == sum(result["kind"] == "fail" for result in results)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--output", "gone/a.json"], "there is no folder gone"),
        (["--output", "-"], "--output takes a file"),
        (["--output", "json:-"], "--output takes a file"),
        (["--output="], "--output takes a file"),
        (["--output", "."], "that is a folder"),
        (["--output", "gitlb:a.json"], "there is no form `gitlb`: did you mean gitlab:a.json?"),
        (["--output", "zzz:a.json"], "the forms are text, json"),
        (["--output", "a.json", "--output", "gitlab:./a.json"], "two reports cannot be written to one file: a.json"),
        (["--format", "sarif", "--output", "compose.yaml"], "one of the files to look at"),
        (["--diff", "--format", "sarif"], "--diff prints a diff"),
        (["--diff", "--format", "sarif", "--output", "sarif:a"], "--diff prints a diff"),
        (["--write", "--format", "junit", "-"], "has no place to go"),
        (["--target-level", "baseline", "--format", "sarif"], "--target-level has a report of its own"),
        (["--target-level", "baseline", "--output", "a.json"], "--target-level has a report of its own"),
        (["--format", "sarf"], "sarif"),
    ],
)
def test_what_does_not_go_is_said_before_anything_is_judged(
    harden: Run, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hardener.cli.run as command_line

    def judged(_: object) -> None:
        raise AssertionError("it was judged")

    monkeypatch.setattr(command_line, "judge", judged)
    code, out, err = harden(*arguments)
    assert (code, out, said in " ".join(err.split())) == (2, "", True), err
    assert set(os.listdir()) == {"compose.yaml", ".stdin"}
    assert Path("compose.yaml").read_text() == COMPOSE


def test_a_file_that_cannot_be_written_after_all_is_named(harden: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: str, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(outputs.source, "create", full)
    code, out, err = harden("--output", "a.json", "--fail-on", "never", "--select", "mutable-image-tag")
    assert (code, err) == (2, "harden: a.json: it cannot be written: no space left on device\n")
    assert out


def test_links_devices_and_modes_stay_what_they_are(harden: Run) -> None:
    Path("real.json").write_text("old")
    os.chmod("real.json", 0o600)
    os.symlink("real.json", "link.json")
    os.mkfifo("pipe.json")
    reader = os.open("pipe.json", os.O_RDONLY | os.O_NONBLOCK)
    try:
        select = ("--select", "mutable-image-tag")
        assert harden("--output", "link.json", "--output", "pipe.json", "--output", "/dev/null", *select)[0] == 0
        assert json.loads(os.read(reader, 1 << 20)) == json.loads(Path("real.json").read_text())
    finally:
        os.close(reader)
    assert (os.path.islink("link.json"), os.stat("real.json").st_mode & 0o777) == (True, 0o600)
    assert not os.path.isfile("/dev/null")


def test_the_summary_of_a_step_is_written_for_annotations_only(harden: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("summary").write_text("before\n")
    monkeypatch.setenv(outputs.STEP_SUMMARY, str(Path("summary").resolve()))
    for arguments in (["--check"], ["--format", "json"], ["--output", "github:log"], ["--diff"], ["--format", "markdown"]):
        harden(*arguments)
        assert Path("summary").read_text() == "before\n"
    harden("--format", "github")
    appended = Path("summary").read_text()
    assert appended.startswith("before\n#")
    assert "privileged-container" in appended
    monkeypatch.setattr(outputs, "_SUMMARY_BYTES", len(appended) + 100)
    harden("--format", "github")
    added = Path("summary").read_text()[len(appended) :]
    assert len(added) < 200
    assert "too long" in added
    monkeypatch.setenv(outputs.STEP_SUMMARY, "/nowhere/at/all")
    code, out, err = harden("--format", "github")
    assert (code, out[:7], "cannot be written" in err) == (1, "::error", True)


def test_paths_are_those_of_the_repository(harden: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".git").mkdir()
    Path("shop").mkdir()
    os.rename("compose.yaml", "shop/compose.yaml")
    monkeypatch.chdir("shop")
    inside = [harden("--format", name, ".")[1] for name in ("github", "gitlab", "sarif", "junit")]
    monkeypatch.chdir("..")
    assert inside == [harden("--format", name)[1] for name in ("github", "gitlab", "sarif", "junit")]
    folder = os.getcwd()
    monkeypatch.chdir("/")
    assert inside == [harden("--format", name, folder)[1] for name in ("github", "gitlab", "sarif", "junit")]
    assert "file=shop/compose.yaml," in inside[0]


def test_the_table_of_options_has_all_forms() -> None:
    (option,) = (option for option in OPTIONS if option.field == "format")
    assert option.choices == NAMES


@pytest.mark.parametrize("there", [True, False])
def test_no_link_of_the_repository_leads_a_report_out_of_it(
    harden: Run, tmp_path_factory: pytest.TempPathFactory, there: bool
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    if there:
        (elsewhere / "x.html").write_text("mine")
    Path("report.html").symlink_to(elsewhere / "x.html")
    Path("out").symlink_to(elsewhere)
    Path("inside.html").symlink_to("report.md")
    for name in ("report.html", "out/x.html"):
        assert harden("--check", "--output", name)[0] == 2
    assert [path.read_text() for path in elsewhere.iterdir()] == (["mine"] if there else [])
    assert harden("--check", "--output", "inside.html")[0] != 2
    assert harden("--check", "--output", str(elsewhere / "x.html"))[0] != 2
