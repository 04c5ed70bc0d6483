"""The command line: what is asked for, what is printed where, what is written, and the exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unidiff import PatchSet

import hardener.cli.run as command
from hardener import __version__, cli, pipeline, source
from hardener.cli.app import understand
from hardener.cli.exits import exit_code
from hardener.cli.options import CHOICE, FLAG, LIST, OPTIONS, Invocation, parse
from hardener.finding import Finding, Fix, Place, Severity
from hardener.pipeline import Request
from hardener.report import FileChange, Outcome, Report, Status, Trouble
from hardener.source import read

ROOT = Path(__file__).parent.parent
COMPOSE = "services:\n  web:\n    image: nginx\n"
FIXED = COMPOSE + "    read_only: true\n"

Run = Callable[..., tuple[int, str, str]]


def judged(request: Request) -> Report:
    """A stand-in for the real judgement: every Compose file without `read_only` gets one, every other file nothing."""
    outcomes, changes = [], []
    for file in request.files:
        source = file.text or read(file.location, file.name)
        if "read_only" in source.text or file.kind != "compose":
            continue
        finding = Finding(
            "writable-root-filesystem", "web", Place(file.name, 2, 3), "it can be written", Fix("make it read-only")
        )
        outcomes.append(Outcome(finding, Status.APPLIED, Severity.MEDIUM))
        changes.append(FileChange(source, source.with_text(source.text + "    read_only: true\n"), file.location))
    return Report(tuple(outcomes), tuple(changes), files=len(request.files), containers=len(request.files))


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "judge", judged)
    for name in ("NO_COLOR", "HARDEN_DEBUG", "COLUMNS", "_HARDEN_COMPLETE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def harden(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in this process: exit code, standard output, standard error."""

    def run(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        Path(".stdin").write_bytes(stdin)
        with open(".stdin", encoding="utf-8") as given_in:
            monkeypatch.setattr(sys, "stdin", given_in)
            code = cli.main(arguments)
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return run


@pytest.fixture
def shop() -> Path:
    """A small project in the working folder."""
    Path("docker").mkdir()
    Path("docker/compose.yaml").write_bytes(COMPOSE.encode())
    Path("Dockerfile").write_bytes(b"FROM scratch\n")
    return Path("docker/compose.yaml")


# Two parsers, one table

WORDS = st.sampled_from(["a", "./rules", "-", "--", "", "x y", "high", "json", "a,b", "=", "rules.yaml", "é", "---", "-x", "-h1"])
FLAGS = st.sampled_from([option.flag for option in OPTIONS])
TAKE_A_VALUE = {option.flag for option in OPTIONS if option.kind != FLAG}
ARGUMENTS = st.lists(
    st.one_of(
        WORDS.map(lambda word: [word]),
        FLAGS.map(lambda flag: [flag]),
        st.tuples(FLAGS, WORDS).map(list),
        st.tuples(FLAGS, WORDS).map(lambda pair: [f"{pair[0]}={pair[1]}"]),
        st.sampled_from([[o.flag, choice] for o in OPTIONS for choice in o.choices]),
        st.sampled_from([[f"{o.flag}={choice}"] for o in OPTIONS for choice in o.choices]),
        st.sampled_from([["--bogus"], ["--no-diff"], ["--dif"], ["-d"], ["--Diff"]]),
    ),
    max_size=5,
).map(lambda parts: [word for part in parts for word in part])


def slowly(arguments: list[str]) -> Invocation | int:
    """What typer makes of the arguments."""
    seen: list[Invocation] = []
    action = understand(arguments, lambda invocation: seen.append(invocation) or 0)
    if isinstance(action, int):
        return action
    action()
    return seen[0]


@settings(max_examples=100, deadline=None)
@given(ARGUMENTS)
def test_both_parsers_agree(arguments: list[str]) -> None:
    fast = parse(arguments)
    saved = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = StringIO()
    try:
        slow = slowly(arguments)
    finally:
        sys.stdout, sys.stderr = saved
    if fast is not None:
        assert slow == fast
    elif not isinstance(slow, int):
        values = [word for flag, word in pairwise(arguments) if flag in TAKE_A_VALUE]
        assert any(word.startswith("-") for word in values), "only a value that looks like an option may be slow"


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.field)
def test_every_option_is_understood_fast_and_slowly(option: object) -> None:
    assert option in OPTIONS
    given_values = {FLAG: [[]], CHOICE: [[choice] for choice in option.choices]}.get(option.kind, [["word"]])  # type: ignore[attr-defined]
    for value in given_values:
        arguments = [option.flag, *value, "a", "--", "-b"]  # type: ignore[attr-defined]
        expected = True if option.kind == FLAG else (value[0],) if option.kind == LIST else value[0]  # type: ignore[attr-defined]
        invocation = parse(arguments)
        assert invocation == slowly(arguments)
        assert invocation == Invocation(("a", "-b"))._replace(**{option.field: expected})  # type: ignore[attr-defined]


def test_the_table_and_the_invocation_have_the_same_fields_and_defaults() -> None:
    assert {option.field: option.default for option in OPTIONS} | {"paths": ()} == Invocation()._asdict()


# Exit codes


def with_outcomes(*ended: tuple[Status, Severity], troubles: int = 0) -> Report:
    finding = Finding("x", "web", Place("compose.yaml", 1, 1), "m")
    outcomes = tuple(Outcome(finding, status, severity) for status, severity in ended)
    return Report(outcomes, (), (Trouble("x", 0, "gone"),) * troubles, files=1)


LOW, HIGH = Severity.LOW, Severity.HIGH


@pytest.mark.parametrize(
    ("report", "fail_on", "report_code", "diff_code", "write_code"),
    [
        (Report(), "high", 0, 0, 0),
        (with_outcomes((Status.APPLIED, LOW)), "never", 1, 1, 0),
        (with_outcomes((Status.HELD_BACK, Severity.CRITICAL)), "low", 0, 0, 0),
        (with_outcomes((Status.REPORTED, HIGH)), "high", 1, 0, 0),
        (with_outcomes((Status.REPORTED, HIGH)), "critical", 0, 0, 0),
        (with_outcomes((Status.REPORTED, Severity.CRITICAL)), "never", 0, 0, 0),
        (with_outcomes((Status.REPORTED, LOW)), "high", 0, 0, 0),
        (with_outcomes((Status.REPORTED, LOW)), "low", 1, 0, 0),
        (with_outcomes((Status.REFUSED, HIGH)), "high", 1, 0, 0),
        (with_outcomes((Status.REFUSED, LOW), (Status.HELD_BACK, HIGH)), "medium", 0, 0, 0),
        (with_outcomes((Status.FAILED, LOW)), "never", 2, 2, 2),
        (with_outcomes(troubles=1), "never", 2, 2, 2),
        (with_outcomes((Status.APPLIED, LOW), troubles=1), "high", 2, 2, 2),
    ],
)
def test_exit_codes(report: Report, fail_on: str, report_code: int, diff_code: int, write_code: int) -> None:
    assert exit_code(report, "report", fail_on) == exit_code(report, "check", fail_on) == report_code
    assert exit_code(report, "diff", fail_on) == diff_code
    assert exit_code(report, "write", fail_on) == write_code


# What is printed, and where


def test_the_report_goes_to_standard_output(harden: Run, shop: Path) -> None:
    code, out, err = harden()
    assert (code, err) == (1, "")
    assert out.startswith("docker/compose.yaml:2:3  web: 1 finding, 1 fix\n")
    assert out.endswith("\n1 fix would be applied in 1 of 2 files.\n")
    assert shop.read_text() == COMPOSE


def test_a_diff_is_alone_on_standard_output(harden: Run, shop: Path) -> None:
    code, out, err = harden("--diff", ".")
    assert code == 1
    (file,) = PatchSet(StringIO(out, newline="\n"))
    assert (file.path, file.added, file.removed) == ("docker/compose.yaml", 1, 0)
    assert err == "harden: 1 fix would be applied in 1 of 2 files.\n"
    assert harden("--diff", "Dockerfile", "gone")[:2] == (2, "")


def test_write_writes_and_then_has_nothing_to_do(harden: Run, shop: Path) -> None:
    os.chmod(shop, 0o640)
    code, out, err = harden("--write", "docker")
    assert (code, err) == (0, "")
    assert "1 fix written in 1 of 1 file." in out
    assert (shop.read_text(), shop.stat().st_mode & 0o777) == (FIXED, 0o640)
    assert harden("--write", "docker")[:2] == (0, "No hazards found in 1 file.\n")
    assert os.listdir("docker") == ["compose.yaml"]


def test_what_git_applies_is_what_is_written(harden: Run, shop: Path) -> None:
    shop.write_bytes(b"\xef\xbb\xbf" + COMPOSE.replace("\n", "\r\n").encode())
    _, patch, _ = harden("--diff")
    subprocess.run(["git", "apply", "-"], input=patch.encode(), check=True)
    applied = shop.read_bytes()
    shop.write_bytes(b"\xef\xbb\xbf" + COMPOSE.replace("\n", "\r\n").encode())
    harden("--write")
    assert shop.read_bytes() == applied


def test_check_is_a_line_for_each_finding(harden: Run, shop: Path) -> None:
    code, out, _ = harden("--check")
    assert code == 1
    assert out.splitlines()[0] == "docker/compose.yaml:2:3  medium  writable-root-filesystem  web: it can be written [fix]"


def test_standard_input(harden: Run) -> None:
    code, out, err = harden("--diff", "--stdin-filename", "a/compose.yaml", "-", stdin=COMPOSE.encode())
    assert (code, "+++ b/a/compose.yaml\n" in out, "1 fix would be" in err) == (1, True, True)
    code, out, err = harden("--write", "-", stdin=COMPOSE.encode())
    assert (code, out, err) == (0, FIXED, "harden: 1 fix written in 1 of 1 file.\n")
    assert harden("--write", "-", stdin=FIXED.encode())[1] == FIXED, "what needs no fix passes through"
    code, out, err = harden("-", stdin=b"hello")
    assert (code, out) == (2, "")
    assert "--stdin-filename" in err


def test_json(harden: Run, shop: Path) -> None:
    code, out, err = harden("--format", "json")
    assert (code, err) == (1, "")
    data = json.loads(out)
    assert (data["version"], data["findings"][0]["rule"], data["written"]) == (1, "writable-root-filesystem", False)
    assert json.loads(harden("--write", "--format=json")[1])["written"] is True


def test_nothing_found(harden: Run) -> None:
    assert harden() == (0, "No Compose files, Dockerfiles or manifests found.\n", "")


def test_a_path_that_is_not_there(harden: Run) -> None:
    code, out, err = harden("nowhere")
    assert (code, "nowhere: no such file or directory" in out, err) == (2, True, "")
    code, out, err = harden("--diff", "nowhere")
    assert (code, out, "nowhere: no such file or directory" in err) == (2, "", True)


def test_colour(harden: Run, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for mode in ((), ("--diff",), ("--check",)):
        assert "\x1b[" not in harden(*mode)[1], "not on a terminal"
        assert "\x1b[" in harden(*mode, "--color", "always")[1]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert "\x1b[" in harden("--diff")[1]
    assert "\x1b[" not in harden("--diff", "--color=never")[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in harden("--diff")[1]


# Writing


def test_a_file_that_changed_meanwhile_is_left_alone(harden: Run, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.compose.yaml").write_text(COMPOSE)

    def disturbed(request: Request) -> Report:
        report = judged(request)
        shop.write_text(COMPOSE + "# mine\n")
        return report

    monkeypatch.setattr(command, "judge", disturbed)
    code, out, _ = harden("--write")
    assert code == 2
    assert shop.read_text() == COMPOSE + "# mine\n"
    assert Path("a.compose.yaml").read_text() == FIXED, "the other file is written"
    assert "docker/compose.yaml: it was changed by something else meanwhile" in " ".join(out.split())
    assert "1 fix written (1 taken back) in 1 of 3 files; 1 problem in the way." in out


def test_a_file_that_cannot_be_written_is_named(harden: Run, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.compose.yaml").write_text(COMPOSE)
    write = source.write

    def refuse(path: str, data: bytes) -> None:
        if path.endswith("docker/compose.yaml"):
            raise PermissionError(13, "Permission denied")
        write(path, data)

    monkeypatch.setattr(source, "write", refuse)
    code, out, _ = harden("--write")
    assert (code, Path("a.compose.yaml").read_text(), shop.read_text()) == (2, FIXED, COMPOSE)
    assert "docker/compose.yaml: it cannot be written: permission denied" in " ".join(out.split())


def test_a_link_stays_a_link(harden: Run, shop: Path) -> None:
    os.symlink("docker/compose.yaml", "compose.yaml")
    assert harden("--write", "compose.yaml")[0] == 0
    assert os.path.islink("compose.yaml")
    assert shop.read_text() == FIXED


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--diff", "--write"], "--diff and --write do not go together"),
        (["--check", "--write", "."], "--write and --check do not go together"),
        (["--select", "unlimited-memry"], "there is no rule `unlimited-memry`: did you mean unlimited-memory"),
        (["--ignore", "unlimited-memory,zzz"], "there is no rule `zzz`: `harden rules` lists them"),
        (["--select", "unlimited-memory", "--ignore", "unlimited-memory"], "leave no rule"),
        (["-", "."], "does not go together with other paths"),
        (["--stdin-filename", "x", "."], "--stdin-filename needs the path `-`"),
        (["--diff", "--format", "json"], "--diff prints a diff"),
        (["--write", "--format", "json", "-"], "has no place to go"),
        (["--bogus"], "No such option: --bogus"),
        (["--fail-on", "sometimes"], "is not one of"),
        (["--select"], "requires an argument"),
        (["explain"], "Missing argument"),
        (["explain", "docker-sock"], "did you mean docker-socket-mount"),
    ],
)
def test_a_mistake_is_explained_and_nothing_is_written(harden: Run, shop: Path, arguments: list[str], said: str) -> None:
    code, out, err = harden(*arguments)
    assert (code, out) == (2, "")
    assert said in " ".join(re.sub(r"[│╭╮╰╯─]", " ", err).split())
    assert shop.read_text() == COMPOSE


def test_a_mistake_of_ours_is_one_line_with_a_way_on(harden: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(request: Request) -> Report:
        raise RecursionError("too\ndeep")

    monkeypatch.setattr(command, "judge", broken)
    code, out, err = harden()
    assert (code, out) == (3, "")
    assert err.splitlines()[0] == "harden: a mistake of ours: RecursionError: too deep"
    assert "please report it" in err
    assert "Traceback" not in err
    monkeypatch.setenv("HARDEN_DEBUG", "1")
    assert "Traceback" in harden()[2]


def test_an_interrupt_is_130(harden: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(request: Request) -> Report:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "judge", interrupted)
    assert harden() == (130, "", "")


# Other commands


def test_select_and_ignore_reach_the_judge(harden: Run, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Request] = []
    monkeypatch.setattr(command, "judge", lambda request: asked.append(request) or judged(request))
    harden("--select", "unlimited-memory,unlimited-cpu", "--select=host-network", "--ignore", "unlimited-cpu", "--unsafe-fixes")
    (request,) = asked
    assert request.select == {"unlimited-memory", "unlimited-cpu", "host-network"}
    assert (request.ignore, request.unsafe) == ({"unlimited-cpu"}, True)


def test_version(harden: Run) -> None:
    assert harden("--version") == (0, f"harden {__version__}\n", "")


def test_help_shows_every_option_and_examples(harden: Run) -> None:
    code, out, _ = harden("--help")
    assert code == 0
    for option in OPTIONS:
        assert option.flag in out
    assert "harden --diff docker/" in out
    assert "--install-completion" in out
    assert harden("-h")[0] == harden("rules", "--help")[0] == 0


def test_rules_and_explain(harden: Run) -> None:
    code, out, _ = harden("rules")
    assert code == 0
    rows = {line.split()[0]: line.split()[1:4] for line in out.splitlines() if line}
    assert rows["excess-capabilities"][:2] == ["medium", "containers"]
    assert rows["root-user"] == ["high", "containers,", "Dockerfiles"]
    code, out, _ = harden("explain", "docker-socket-mount")
    assert (code, out.startswith("docker-socket-mount\n===")) == (0, True)
    assert "Severity:  critical" in out
    assert "CIS Docker 5.32: The Docker socket is not mounted inside any containers\n    https://" in out


def test_profiles_are_shown_with_their_sources(harden: Run) -> None:
    code, out, _ = harden("profiles")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines() if line.startswith(("postgres ", "redis "))] == ["postgres", "redis"]
    code, out, _ = harden("profiles", "postgres:16")
    assert (code, out.startswith("postgres\n========")) == (0, True)
    assert "DAC_OVERRIDE, when start: root walks the 0700 data directory at every start" in out
    assert re.search(r"https://github.com/docker-library/postgres/blob/[0-9a-f]{40}/docker-entrypoint.sh", out)
    code, _, err = harden("profiles", "example/nobody-knows")
    assert (code, "there is no profile of" in err) == (2, True)


OWN_PROFILE = """
names = ["registry.example.com/team/app"]
programs = []
[source.us]
kind = "code"
repository = "team/app"
file = "Dockerfile"
commit = "0123456789abcdef0123456789abcdef01234567"
[[start]]
root = false
account = "app:1000:1000"
source = "us"
why = "starts as app"
[[no-new-privileges]]
works = true
source = "us"
why = "has no set-uid program"
"""


def test_a_command_that_is_mistyped_is_no_mere_path(harden: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "judge", pipeline.run)
    code, out, _ = harden("adit")
    assert (code, "did you mean `harden audit`?" in out) == (2, True)
    assert "did you mean" not in harden("docker/adit")[1]


def test_profiles_of_ones_own(harden: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "judge", pipeline.run)
    Path("compose.yaml").write_text("services:\n  app:\n    image: registry.example.com/team/app:1.2\n")
    assert "cap_drop" not in harden("--diff")[1]
    Path("known").mkdir()
    file = Path("known/registry.example.com__team__app.toml")
    file.write_text(OWN_PROFILE)
    out = harden("--diff", "--profiles", "known")[1]
    assert "+    cap_drop:" in out
    assert "+      - no-new-privileges:true" in out
    assert "registry.example.com/team/app" in harden("profiles", "--profiles", "known")[1]
    file.write_text(OWN_PROFILE.replace("works = true", "works = 1"))
    code, _, err = harden("--diff", "--profiles", "known")
    assert code == 2
    assert "known/registry.example.com__team__app.toml: no-new-privileges[1].works: must be true or false" in err
    endless = OWN_PROFILE.replace("works = true", """works = true\nif = ['text /etc/app.conf ^(a+)+$']""")
    file.write_text(endless)
    code, _, err = harden("--profiles", "known")
    assert (code, "repeats a group, and so might never end" in err) == (2, True)
    file.rename("known/other.toml")
    Path("known/other.toml").write_text(OWN_PROFILE)
    assert "must be called registry.example.com__team__app.toml" in harden("--diff", "--profiles", "known")[2]
    assert "there is no such folder" in harden("--diff", "--profiles", "nowhere")[2]


def test_a_folder_with_a_commands_name_is_reached_by_a_path(harden: Run) -> None:
    Path("rules").mkdir()
    Path("rules/compose.yaml").write_text(COMPOSE)
    assert "rules/compose.yaml:2:3" in harden("./rules")[1]
    assert "rules/compose.yaml:2:3" in harden("--check", "rules")[1]


def test_completion(harden: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def complete(*words: str) -> list[str]:
        monkeypatch.setenv("_HARDEN_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", " ".join(("harden", *words)))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        return harden()[1].split()

    assert complete("--un") == ["--unsafe-fixes"]
    assert complete("ru") == ["rules"]
    assert complete("--fail-on", "me") == ["medium"]
    assert complete("explain", "docker") == ["docker-socket-mount"]


# As a process of its own

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "PYTHONDONTWRITEBYTECODE": "1"}


def process(*arguments: str, **how: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "hardener", *arguments]
    return subprocess.run(command, capture_output=True, env=ENVIRONMENT, check=False, **how)  # type: ignore[call-overload, no-any-return]


#: What no run with a single file needs. Some of it costs as much as a Python start, or several.
HEAVY = set(
    "typer click rich pathspec json libcst unidiff pathlib dataclasses inspect importlib.metadata argparse subprocess "
    "logging textwrap traceback ast "
    "hardener.cli.app hardener.cli.known hardener.render.text hardener.render.json hardener.ignored".split()
)
#: What a run with a single file of one kind does not need of the other kind.
ONLY_COMPOSE = set(
    "ruamel ruamel.yaml hardener.syntax.yaml hardener.facts.compose hardener.facts.container hardener.group".split()
)
ONLY_COMPOSE |= set("hardener.needs.container hardener.needs.profile hardener.rules.unlimited_memory hardener.sharing".split())
ONLY_DOCKERFILE = set("dockerfile_parse hardener.syntax.dockerfile hardener.syntax.shell hardener.facts.dockerfile".split())
ONLY_DOCKERFILE |= set("hardener.needs.stage hardener.rules._root_stage hardener.stages".split())


def modules_of_a_run(*arguments: str) -> set[str]:
    code = f"import sys; from hardener.cli import main; main({list(arguments)!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=True)
    assert done.stderr.startswith("harden: ")
    return set(done.stdout.splitlines()[-1].split())


def test_a_compose_file_imports_only_what_it_needs(shop: Path) -> None:
    modules = modules_of_a_run("--diff", "docker/compose.yaml")
    assert modules >= ONLY_COMPOSE - {"hardener.sharing"}
    assert not modules & (HEAVY | ONLY_DOCKERFILE)


def test_a_dockerfile_imports_only_what_it_needs() -> None:
    Path("Dockerfile").write_text('FROM node:22\nCMD ["node", "server.js"]\n')
    modules = modules_of_a_run("--diff", "Dockerfile")
    assert modules >= ONLY_DOCKERFILE - {"dockerfile_parse"}
    assert not modules & (HEAVY | ONLY_COMPOSE)
    # The second opinion is asked for what is changed, and only then.
    assert "dockerfile_parse" not in modules
    assert "dockerfile_parse" in modules_of_a_run("--diff", "--unsafe-fixes", "Dockerfile")


def test_what_does_not_change_needs_no_difflib() -> None:
    Path("compose.yaml").write_text("services: {web: {image: example/web}}\n")
    assert "difflib" not in modules_of_a_run("--diff", "compose.yaml")


def test_a_reader_that_goes_away_is_no_error(shop: Path) -> None:
    shell = f"{sys.executable} -m hardener --write --check docker 2>&1 | true; {sys.executable} -m hardener docker | true"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, env=ENVIRONMENT, check=True)
    assert done.stderr == b""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "hardener", "--help"], stdout=gone, stderr=subprocess.PIPE, env=ENVIRONMENT, check=False
        )
        assert b"Traceback" not in done.stderr
        done = subprocess.run(
            [sys.executable, "-m", "hardener", "docker"], stdout=gone, stderr=subprocess.PIPE, env=ENVIRONMENT, check=False
        )
    assert (done.stderr, done.returncode in (0, 1)) == (b"", True)


def test_the_same_is_said_in_every_process() -> None:
    """Python orders sets of text anew in each; a pull request whose words change is sent again."""
    others = "".join(
        f"  {name}:\n    <<: *web\n    image: example/{name}:1\n" for name in ("one", "two", "three", "four", "five")
    )
    Path("compose.yaml").write_text(f"services:\n  web: &web\n    image: memcached:1.6-alpine\n{others}")
    said = set()
    for seed in "1234":
        command = [sys.executable, "-m", "hardener", "compose.yaml"]
        done = subprocess.run(command, capture_output=True, env={**ENVIRONMENT, "PYTHONHASHSEED": seed}, check=False)
        assert b"the same text also serves `" in done.stdout
        said.add(done.stdout)
    assert len(said) == 1


def test_an_encoding_that_lacks_a_character_is_no_error() -> None:
    Path("größe").mkdir()
    Path("größe/compose.yaml").write_text(COMPOSE)
    done = subprocess.run(
        [sys.executable, "-m", "hardener", "--check"],
        capture_output=True,
        env={**ENVIRONMENT, "PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    assert done.stderr == b""


def test_as_a_module() -> None:
    assert process("--version").stdout == f"harden {__version__}\n".encode()
    assert process("--bogus").returncode == 2
