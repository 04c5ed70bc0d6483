"""The container may take all of the host's processors.

Attack: Whoever can make the program compute without end, or starts a miner in it, takes all processors. Everything else on
the host is then slow, for as long as they like.

Background: A busy loop has the same effect, and needs no attacker.

What may break: A program that used more than one processor takes longer: for its start, for what it does at its peak, and
perhaps for the time that a health check allows.

What we do: The repair writes a limit of one processor, never more: Docker refuses to start a container that asks for more
processors than the host has. A service that needs more is given its amount by hand, or under `[limits]` in hardener.toml. The
fix is held back where it is not known that one is enough, and where a page or a script of the project runs it by Podman, which
may often set no such limit without root.

Example: normal
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Amount, Container
from hardener.finding import Finding, Rule, Severity
from hardener.needs.needs import Needs
from hardener.rules._limits import unlimited

ID = "unlimited-cpu"


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container without a CPU limit."""
    limit, _ = needs.limit("cpu")
    conflict = ""
    if limit is not None and container.reserved_cpus > limit.amount:
        if limit is needs.decided.cpu:
            conflict = f"{limit.evidence.source} gives it {limit.amount:g}, and {container.reserved_cpus:g} are reserved for it"
        limit = None  # more is kept for it than may be written without knowing the host
    amount = Amount(limit.amount, _text(limit.amount), limit.why) if limit is not None else None
    yield from unlimited(ID, "cpu", container, container.cpus, needs, limit, amount, conflict=conflict)


def _text(cores: float) -> str:
    """As people write it, with a decimal, and with more where it has more."""
    short = f"{cores:.1f}"
    return short if float(short) == cores else f"{cores:.3f}".rstrip("0")


RULE = Rule(
    id=ID,
    title="CPU time is not limited",
    severity=Severity.LOW,
    cites=("CIS Docker 5.12", "OWASP Docker 7"),
    container=check,
    why="one container can slow down everything on the host",
)
