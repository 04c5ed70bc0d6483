"""What a trial showed, as text: each kind of verdict says what it has to, within the width, and no log steers a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.cli.app import understand
from hardener.cli.verify import seconds_of
from hardener.errors import UsageError
from hardener.record import NamedTuple
from hardener.render.trial import Style, announcement, line, render
from hardener.report import FileChange, Report, Trouble
from hardener.source import Source, read
from hardener.trial import verify as trials
from hardener.trial.compose import Compose
from hardener.trial.engine import Facts
from hardener.trial.remedy import Complaint, Kind, Remedy
from hardener.trial.steps import Step
from hardener.trial.verdict import NotExercised, Tried, Verdict
from hardener.trial.verify import Announced, Settings, Watcher

CHOWN = "chown: changing ownership of '/data': Operation not permitted"
LONG = "x" * 150
FACTS = Facts("28.0.1", False, False, False, True, True, "2", True, True, True, 2, 8192, True)


def tried(what: str = "the strictest set", failed: str = "", *complaints: Complaint, seconds: float = 12.4) -> Tried:
    return Tried(what, failed, complaints, 3, seconds)


ORIGINALS = (tried("the original, first time"), tried("the original, second time"))
FAILED = tried("the strictest set", "cold", Complaint("db", Kind.LOG, CHOWN), Complaint("", Kind.PROBE, "`ask`: no answer"))
STEPS = (
    Step(Complaint("db", Kind.LOG, CHOWN), Remedy("db", "capability", "CHOWN FOWNER", "chown"), "cold"),
    Step(Complaint("db", Kind.LOG, "read-only"), Remedy("db", "tmpfs", "/run/db", "mkdir"), ""),
    Step(Complaint("", Kind.PROBE, "`ask`: no answer"), Remedy("web", "without", "root-user", "silent"), "restart"),
    Step(Complaint("web", Kind.MEMORY, "killed at its memory limit"), Remedy("web", "memory", "2", "killed"), "recreate"),
    Step(Complaint("web", Kind.EXIT, "cannot execute"), Remedy("web", "exec", "/tmp", "exec"), "cold"),
)


def change(tmp_path: Path) -> FileChange:
    location = tmp_path / "compose.yaml"
    location.write_text("a: 1\n")
    source: Source = read(str(location), "compose.yaml")
    return FileChange(source, source.with_text("a: 2\n"), str(location))


@pytest.fixture
def full(tmp_path: Path) -> Verdict:
    return Verdict(
        tried=(*ORIGINALS, FAILED, tried("db with CHOWN", seconds=70)),
        steps=STEPS,
        held={("db", "excess-capabilities"): "drop all capabilities", ("db", "unlimited-pids"): "limit it to 128 processes"},
        left={("web", "unlimited-memory"): "it keeps all data in memory"},
        flaky=("web: port 80 answers nothing",),
        noises=(Complaint("db", Kind.LOG, "setpriority: Permission denied"),),
        not_exercised=(NotExercised("web", "/srv/media starts empty"), NotExercised("", "notes.txt: too large")),
        migrations=("chown -R 999:999 the volume `data`",),
        report=Report(changes=(change(tmp_path),), troubles=(Trouble("other.yaml", 3, "no YAML", "mend it"),)),
    )


ALL_OF_IT = (
    "4 runs (2 of the original, 2 hardened), 12 container starts, 1.8 min",
    "Held: the stack does its job with this, cold, restarted and made anew",
    "db: drop all capabilities; limit it to 128 processes",
    "Broke, and what mended it",
    f"db: {CHOWN} (cold)",
    "mended: db with CHOWN, FOWNER",
    "db: read-only (in its log)",
    "mended: db with a tmpfs at /run/db",
    "`ask`: no answer (restart)",
    "mended: web as root",
    "mended: web with 2 times the memory",
    "mended: web with programs in /tmp",
    "Not tried, or not decided",
    "web: unlimited-memory: it keeps all data in memory",
    "Flaky",
    "web: port 80 answers nothing",
    "New in the logs, and harmless as far as was asked",
    "db: setpriority: Permission denied",
    "Not exercised: this proves nothing about",
    "web: /srv/media starts empty",
    "notes.txt: too large",
    "Before the next start, for data that is there already",
    "chown -R 999:999 the volume `data`",
    "other.yaml: no YAML (mend it)",
)


def as_one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("width", [60, 100])
def test_all_that_a_verdict_has_is_said(full: Verdict, width: int) -> None:
    text = render(full, Style(width))
    for words in ALL_OF_IT:
        assert words in as_one_line(text)
    assert as_one_line(text).endswith("This would change compose.yaml: --write writes it, --diff shows it.")
    assert all(len(one) <= width for one in text.splitlines())


@pytest.mark.parametrize("width", [60, 100])
def test_of_what_there_is_not_nothing_is_said(width: int) -> None:
    text = render(Verdict(tried=ORIGINALS), Style(width))
    said = "2 runs (2 of the original, 0 hardened), 6 container starts, 25 s"
    assert [as_one_line(part) for part in text.split("\n\n")] == [said, "Nothing is left to change."]


def test_what_was_stopped_says_why_and_promises_nothing() -> None:
    why = "the project as it is does not work: web ended with exit code 1 (phase cold)"
    text = render(Verdict(stopped=why, tried=ORIGINALS[:1]), Style(100))
    assert f"Nothing was proved, and nothing is written: {why}" in as_one_line(text)
    assert text.startswith("1 run (")
    assert "--write" not in text
    assert "Held" not in text


@pytest.mark.parametrize("record", ["", "harden.evidence.yaml"])
def test_what_was_written_is_named(full: Verdict, record: str) -> None:
    text = as_one_line(render(full, Style(100, written=True, record=record)))
    assert text.endswith(f"Written: compose.yaml{', and what was seen to harden.evidence.yaml' if record else ''}.")


def test_a_long_list_is_cut_and_counted() -> None:
    many = tuple(Complaint("web", Kind.LOG, f"line {number}") for number in range(30))
    text = render(Verdict(tried=ORIGINALS, noises=many), Style(80))
    assert "line 11" in text
    assert "line 12" not in text
    assert "  and 18 more" in text


@pytest.mark.parametrize("width", [60, 100])
@pytest.mark.parametrize("bad", ["\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\r", "\x9b2J", "\u202eevil", "a\nb", LONG])
def test_no_log_steers_a_terminal_or_is_too_wide(bad: str, width: int, full: Verdict) -> None:
    said = Complaint("web", Kind.LOG, f"it said {bad} twice")
    verdict = full._replace(
        stopped=f"no: {bad}",
        steps=(Step(said, Remedy("web", "tmpfs", f"/{bad}", bad), "cold"),),
        held={("web", "x"): bad},
        left={("web", "y"): bad},
        flaky=(bad,),
        noises=(said,),
        not_exercised=(NotExercised("web", bad),),
        migrations=(bad,),
    )
    texts = [
        render(verdict, Style(width)),
        line(tried(bad, "cold", said, said), width),
        line(tried(bad), width),
        announcement(announced(hints=(bad,), shared=(NotExercised("web", bad),)), width),
    ]
    for text in texts:
        for one in text.splitlines():
            assert one.isprintable()
            assert len(one) <= width
        assert "\n\n\n" not in text


@pytest.mark.parametrize("width", [60, 100])
def test_a_line_for_each_life(width: int) -> None:
    assert line(ORIGINALS[0], width) == "  ok      the original, first time  (12 s)"
    text = line(FAILED, width)
    assert text.startswith("  failed  the strictest set  (12 s, cold): db: chown:")
    assert as_one_line(text).endswith(f"db: {CHOWN}; `ask`: no answer")
    assert all(one.startswith(" " * 10) for one in text.splitlines()[1:])


def announced(**more: Any) -> Announced:
    compose = Compose(("docker", "compose"), "2.29.7")
    return Announced(FACTS, compose, ("web", "db"), ("web",), **{"hints": (), "shared": (), **more})


@pytest.mark.parametrize("width", [60, 100])
def test_what_is_about_to_happen_is_said_before(width: int) -> None:
    text = announcement(
        announced(hints=("db.example.com with DB_PASSWORD (.env)",), shared=(NotExercised("web", "/sys"),)), width
    )
    assert all(len(one) <= width for one in text.splitlines())
    said = as_one_line(text)
    assert said.startswith("harden verify: builds and runs web (built), db on Docker 28.0.1, AppArmor, cgroup v2, 2 cores, 8 GiB")
    assert "Compose 2.29.7" in said
    assert "What is run can reach: db.example.com with DB_PASSWORD (.env)" in said
    assert "It shares with this machine: web: /sys" in said


# The command line.


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1h", 3600), ("1.5h", 5400), ("10", 600), ("20 min", 1200), (" 20s ", 20), ("0.5 m", 30)],
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "ten", "-5m", "5d", "1h30m", "19s", "0", "1,5h", "1e3s", "nan", "inf"])
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(UsageError, match="--budget"):
        seconds_of(text)


@given(st.integers(20, 10**6))
def test_seconds_are_seconds(number: int) -> None:
    assert seconds_of(f"{number}s") == number


class Ran(NamedTuple):
    """What the command line asked for, and how it ended."""

    settings: Settings
    code: int


@pytest.fixture
def verify(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """`verify(verdict, *arguments)`: the command on a project whose verdict is known."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("signal.signal", lambda *_: None)

    def on(verdict: Verdict | BaseException, *arguments: str) -> Ran:
        seen: list[Settings] = []

        def known(settings: Settings, watcher: Watcher) -> Verdict:
            seen.append(settings)
            if isinstance(verdict, BaseException):
                raise verdict
            watcher.begin("the original", 60)
            watcher.phase("cold")
            watcher.end(ORIGINALS[0])
            return verdict

        monkeypatch.setattr(trials, "verify", known)
        action = understand(["verify", *arguments], lambda _: 99)
        assert callable(action), action
        code = action()
        return Ran(seen[0], code)

    return on


def test_the_command_line_says_what_is_asked_for(verify: Any, tmp_path: Path) -> None:
    ran = verify(
        Verdict(tried=ORIGINALS),
        "stack", "-f", "a.yaml", "--file", "b.yaml", "--probe", "in db: pg_isready", "--probe", "curl x",
        "--budget", "90s", "--unsafe-fixes", "--allow-socket", "--compose", "my compose", "--keep-logs", "logs",
    )  # fmt: skip
    assert ran == (
        Settings(
            path="stack",
            files=("a.yaml", "b.yaml"),
            probes=(("pg_isready", "db"), ("curl x", "")),  # type: ignore[arg-type]
            unsafe=True,
            budget=90.0,
            allow_socket=True,
            compose="my compose",
            keep_logs=str(tmp_path / "logs"),
        ),
        0,
    )


def test_what_nobody_says_is_careful(verify: Any) -> None:
    assert verify(Verdict(tried=ORIGINALS)).settings == Settings(budget=600.0)


def test_help_names_every_option(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    assert understand(["verify", "--help"], lambda _: 99) == 0
    text = capsys.readouterr().out
    for option in "--file --probe --write --diff --unsafe-fixes --budget --keep-logs --allow-socket --compose --help".split():
        assert option in text
    for word in ("COMPOSE_FILE", "HARDEN_PHASE", "in SERVICE: CMD", "real Docker engine"):
        assert word in as_one_line(text.replace("│", " "))


@pytest.mark.parametrize("arguments", [["--no-such"], ["a", "b"], ["--budget"]])
def test_a_wrong_command_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert understand(["verify", *arguments], lambda _: 99) == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize("probe", ["", "in db:"])
def test_a_wrong_probe_is_said_before_anything_runs(probe: str, verify: Any) -> None:
    with pytest.raises(UsageError, match="--probe"):
        verify(Verdict(), "--probe", probe)


def test_files_are_written_only_where_that_is_asked_for(
    verify: Any, full: Verdict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "compose.yaml"
    record = (str(tmp_path / "seen.yaml"), "schema: 1\n")
    verdict = full._replace(report=full.report._replace(troubles=()), records={"web": ()}, record=record)  # type: ignore[dict-item]
    assert verify(verdict).code == 1
    assert file.read_text() == "a: 1\n"
    assert not (tmp_path / "seen.yaml").exists()
    assert verify(verdict, "--write").code == 0
    assert file.read_text() == "a: 2\n"
    assert (tmp_path / "seen.yaml").read_text() == "schema: 1\n"
    assert "Written: compose.yaml, and what was seen to seen.yaml." in as_one_line(capsys.readouterr().out)


def test_nothing_is_written_where_nothing_was_proved(verify: Any, full: Verdict, tmp_path: Path) -> None:
    stopped = full._replace(stopped="the project as it is does not work", report=Report())
    assert verify(stopped, "--write").code == 2
    assert (tmp_path / "compose.yaml").read_text() == "a: 1\n"


def test_a_diff_is_all_of_the_output(verify: Any, full: Verdict, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(full, "--diff").code == 1
    out, err = capsys.readouterr()
    assert out.startswith("diff --git a/compose.yaml b/compose.yaml\n--- a/compose.yaml")
    assert "+a: 2" in out
    assert "Held" not in out
    assert "Held" in err


def test_an_interruption_is_said(verify: Any, capsys: pytest.CaptureFixture[str]) -> None:
    ran = verify(KeyboardInterrupt())
    assert ran.code == 130
    assert "your files are as they were" in "".join(capsys.readouterr())
