"""What the user asks a trial for, and what is told while it goes on. Knows no order of things."""

from __future__ import annotations

from hardener.policy import UNDECIDED, Policy
from hardener.record import NamedTuple
from hardener.trial.compose import Compose
from hardener.trial.engine import Facts
from hardener.trial.probe import Probe
from hardener.trial.verdict import NotExercised, Tried


class Settings(NamedTuple):
    """What the user asks for."""

    path: str = "."
    files: tuple[str, ...] = ()
    probes: tuple[Probe, ...] = ()
    unsafe: bool = False
    #: Seconds for everything.
    budget: float = 600.0
    allow_socket: bool = False
    compose: str = ""
    #: A folder for the logs of what failed; empty for none.
    keep_logs: str = ""
    policy: Policy = UNDECIDED
    #: Rules to apply, empty for all; and those that are not.
    select: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()


class Announced(NamedTuple):
    """What is about to happen, before anything of the project is run."""

    engine: Facts
    compose: Compose
    services: tuple[str, ...]
    built: tuple[str, ...]
    hints: tuple[str, ...]
    shared: tuple[NotExercised, ...]


class Watcher:
    """Who is told how it goes; this one does not care."""

    def announce(self, announced: Announced) -> None:
        """Before anything is run."""

    def begin(self, what: str, left: float) -> None:
        """Another life of the stack begins; `left` are seconds of the budget."""

    def phase(self, name: str) -> None:
        """It comes into another phase."""

    def end(self, tried: Tried) -> None:
        """It is over."""
