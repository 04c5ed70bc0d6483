"""The user's own Compose: which command it is, and how it is run. Knows no project and no engine."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hardener.errors import HardenError, UsageError
from hardener.record import NamedTuple

if TYPE_CHECKING:
    import subprocess

#: Seconds for a question that needs no engine.
_QUESTION = 30.0
#: Variables of the shell that would lead Compose to another project, or have it ask and decorate.
_MISLEADING = (
    "COMPOSE_FILE COMPOSE_PROJECT_NAME COMPOSE_PATH_SEPARATOR COMPOSE_ENV_FILES COMPOSE_REMOVE_ORPHANS COMPOSE_IGNORE_ORPHANS "
    "COMPOSE_PARALLEL_LIMIT COMPOSE_DISABLE_ENV_FILE".split()
)
#: More than this of an output is not kept: its end says why something failed.
_KEPT = 200_000


class TrialError(HardenError):
    """A trial cannot be made, or its engine is gone: nothing of the user's was changed."""

    exit_code = 2


class NotBuilt(TrialError):
    """An image cannot be built from what a Dockerfile says."""


class OutOfTime(TrialError):
    """A command took longer than it was given."""


class Done(NamedTuple):
    """How a command ended: its exit code, what it answered, and what it said besides."""

    code: int
    output: str
    errors: str = ""

    @property
    def said(self) -> str:
        """Both, as a person would have seen them."""
        return f"{self.output}{self.errors}"


class Compose(NamedTuple):
    """A command that is Compose v2 and says so when something fails."""

    command: tuple[str, ...]
    version: str

    def __call__(self, *arguments: str, folder: str, seconds: float, more: Mapping[str, str] | None = None) -> Done:
        """Run it in a folder. Raises `OutOfTime`."""
        return run((*self.command, *arguments), folder=folder, seconds=seconds, environment=environment(folder, more))

    def model(self, folder: str, files: Sequence[str] = ()) -> Mapping[str, Any]:
        """What it reads in a folder: the project with merges, overrides and variables resolved. Raises `TrialError`."""
        import json

        given = [word for file in files for word in ("--file", file)]
        done = self(*given, "config", "--format", "json", folder=folder, seconds=_QUESTION)
        if done.code:
            raise TrialError(f"Compose does not read the project: {last_words(done.said)}")
        try:
            told = json.loads(done.output)
        except ValueError:
            raise TrialError(f"{shlex.join(self.command)} config does not answer in JSON: is it Compose v2?") from None
        return told if isinstance(told, dict) else {}


def find_compose(asked: str = "") -> Compose:
    """The command that the user asks for, or else the first of the usual ones that works.

    Raises `UsageError` where there is none, with what is wrong with each that was looked at.
    """
    candidates = [shlex.split(asked)] if asked else [["docker", "compose"], ["docker-compose"]]
    wrong = []
    for command in candidates:
        if not command or shutil.which(command[0]) is None:
            wrong.append(f"`{shlex.join(command)}` is not there")
            continue
        reason, version = _examine(command)
        if not reason:
            return Compose(tuple(command), version)
        wrong.append(f"`{shlex.join(command)}` {reason}")
    raise UsageError(f"no Docker Compose v2: {'; '.join(wrong)}. Install the plugin, or name the command with --compose")


def _examine(command: Sequence[str]) -> tuple[str, str]:
    """What is wrong with a command, or its version."""
    folder = os.getcwd()
    try:
        told = run((*command, "version", "--short"), folder=folder, seconds=_QUESTION, environment=environment(folder))
        # What cannot work must be said to have failed: some wrappers end with 0 whatever happens.
        absent = os.path.join(folder, ".harden-no-such-file.yaml")
        broken = (*command, "--file", absent, "config", "--quiet")
        lies = run(broken, folder=folder, seconds=_QUESTION, environment=environment(folder)).code == 0
    except OutOfTime:
        return "does not answer", ""
    version = told.output.strip().rpartition("\n")[2].lstrip("v")
    if told.code or not version[:1].isdecimal():
        return f"does not tell its version: {last_words(told.said)}", ""
    if version.startswith("1."):
        return f"is version {version}, which reads files differently", ""
    if lies:
        return "ends with 0 even when it fails: it hides exit codes, so name the program behind it with --compose", ""
    return "", version


def environment(folder: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a command in a folder gets: the user's own, without what would lead it elsewhere."""
    kept = {name: value for name, value in os.environ.items() if name not in _MISLEADING}
    kept |= {"PWD": folder, "COMPOSE_PROGRESS": "plain", "COMPOSE_MENU": "0", "COMPOSE_ANSI": "never"}
    # An attestation makes the image another one at each build.
    kept["BUILDX_NO_DEFAULT_ATTESTATIONS"] = "1"
    return kept | dict(more or {})


def run(command: Sequence[str], *, folder: str, seconds: float, environment: Mapping[str, str]) -> Done:
    """Run a command to its end, without input; what it started ends with it, and with us. Raises `OutOfTime`."""
    import subprocess

    with subprocess.Popen(
        (*_ending_with_us(), *command),
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(timeout=max(seconds, 0.1))
        except subprocess.TimeoutExpired:
            _kill(process.pid)
            said = last_words(_rest(process))
            raise OutOfTime(f"`{shlex.join(command)[:100]}` took longer than {seconds:.0f} s: {said}") from None
        except BaseException:
            _kill(process.pid)
            raise
    return Done(process.returncode, _text(output), _text(errors))


def _rest(process: subprocess.Popen[bytes]) -> str:
    """What a killed command has said; what it started in a session of its own may hold its output open for good."""
    import subprocess

    try:
        output, errors = process.communicate(timeout=1)
    except subprocess.TimeoutExpired as still:
        output, errors = still.stdout or b"", still.stderr or b""
    return _text(output) + _text(errors)


@lru_cache(maxsize=1)
def _ending_with_us() -> tuple[str, ...]:
    """On Linux, what starts a command so that the kernel kills it with its parent: it would go on making containers.

    Not `preexec_fn`, which may deadlock where there are threads.
    """
    import subprocess

    program = shutil.which("setpriv") if sys.platform == "linux" else None
    if program is None:
        return ()
    starter = (program, "--pdeathsig", "KILL")  # util-linux 2.33, PR_SET_PDEATHSIG in prctl(2)
    # Busybox has a program of that name which knows less.
    return starter if subprocess.run((*starter, "true"), capture_output=True).returncode == 0 else ()


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _text(data: bytes) -> str:
    return data[-_KEPT:].decode("utf-8", "replace")


def last_words(text: str, most: int = 300) -> str:
    """The end of an output as one line: why something failed stands there."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith("time=") or "level=warning" not in line]
    return (" | ".join((telling or lines)[-3:]) or "no reason given")[-most:]
