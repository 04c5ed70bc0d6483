"""What a user lets ask whether a stack does its job, on the host or inside a service. Knows no search."""

from __future__ import annotations

from collections.abc import Iterable

from hardener.errors import UsageError
from hardener.record import NamedTuple
from hardener.trial.compose import Compose, OutOfTime, environment, last_words, run
from hardener.trial.expect import Address

#: Seconds that a probe is given, with its own repetitions.
PATIENCE = 180.0
_INSIDE = "in "


class Probe(NamedTuple):
    """A shell command that ends with 0 when the stack does its job; in a service where one is named."""

    command: str
    service: str = ""

    @property
    def name(self) -> str:
        """How it is called in a report."""
        words = self.command if len(self.command) <= 60 else f"{self.command[:59]}…"
        return f"`{words}` in {self.service}" if self.service else f"`{words}`"


def read(text: str) -> Probe:
    """A probe as it is given: `CMD`, or `in SERVICE: CMD`. Raises `UsageError`."""
    if text.startswith(_INSIDE) and ":" in text:
        service, _, command = text.removeprefix(_INSIDE).partition(":")
        if service.strip() and " " not in service.strip():
            if not command.strip():
                raise UsageError(f"--probe {text!r}: the command is missing")
            return Probe(command.strip(), service.strip())
    if not text.strip():
        raise UsageError("--probe is empty: give a command that ends with 0 when the stack does its job")
    return Probe(text)


class Setting(NamedTuple):
    """Where a probe is run: the copy of the project, as it is up now."""

    folder: str
    project: str
    #: The file that says what is up, absolute.
    file: str
    addresses: tuple[Address, ...]

    def environment(self, phase: str) -> dict[str, str]:
        """What a probe gets: `HARDEN_ADDRESS_<SERVICE>_<PORT>` is `host:port`, `HARDEN_ADDRESS` the first of them."""
        told = {"COMPOSE_PROJECT_NAME": self.project, "COMPOSE_FILE": self.file, "HARDEN_PHASE": phase, "PWD": self.folder}
        # Where a port is published for both, TCP is what most ask for.
        for address in sorted(self.addresses, key=lambda address: (address.protocol != "tcp", address)):
            host = f"[{address.host}]" if ":" in address.host else address.host
            name = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in address.service.upper())
            told.setdefault(f"HARDEN_ADDRESS_{name}_{address.port}", f"{host}:{address.host_port}")
            told.setdefault("HARDEN_ADDRESS", f"{host}:{address.host_port}")
        return told


def failure(probe: Probe, setting: Setting, phase: str, compose: Compose, seconds: float) -> str:
    """Ask once; the end of what it said when it fails, empty when it is content."""
    told = environment(setting.folder, setting.environment(phase))
    command: Iterable[str] = ("/bin/sh", "-c", probe.command)
    if probe.service:
        # Not as root by chance: with what the service's own processes have.
        command = (*compose.command, "exec", "-T", probe.service, *command)
    try:
        done = run(tuple(command), folder=setting.folder, seconds=min(seconds, PATIENCE), environment=told)
    except OutOfTime as slow:
        return str(slow)
    return "" if done.code == 0 else f"{last_words(done.said)} (exit code {done.code})"
