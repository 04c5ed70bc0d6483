"""The container may start processes and threads without end.

Attack: Whoever can run code in the container starts processes that start processes: a fork bomb. The host's process table
is then full, and nothing on the host can start any more.

What may break: A program that reaches the limit can start nothing more and fails (`Resource temporarily unavailable`).
Threads count, so that it is the JVM, browsers and servers with a thread for each connection that come near it.

What we do: The repair writes a limit with plenty of room above what the image's class of workload starts; threads count. It
is held back where that is not known.

Example: normal
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Amount, Container
from hardener.finding import Finding, Rule, Severity
from hardener.needs.needs import Needs
from hardener.rules._limits import unlimited

ID = "unlimited-pids"


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container without a limit of processes."""
    limit, _ = needs.limit("pids")
    amount = Amount(limit.amount, str(int(limit.amount)), limit.why) if limit is not None else None
    yield from unlimited(ID, "pids", container, container.pids, needs, limit, amount)


RULE = Rule(
    id=ID,
    title="The number of processes is not limited",
    severity=Severity.LOW,
    cites=("CIS Docker 5.29", "OWASP Docker 7"),
    container=check,
    why="a fork bomb in one container stops the whole host",
)
