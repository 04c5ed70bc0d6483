"""The container may take all of the host's memory.

Attack: Whoever can make the program hold more and more memory, with large requests or by a leak, takes all that the host
has. The kernel then kills processes of its neighbours.

What may break: A program that needs more than the limit, at a peak or with more data than today, is killed without a word
(exit code 137). What lies in a tmpfs counts.

What we do: The repair writes a limit that is generous for the image's class of workload, where something bounds what it
takes: a buffer of fixed size, a cache that follows the limit. Where memory grows with the data, no limit is guessed into
the default. The limit is never below the container's reservation, nor too low for a heap that somebody sized (-Xmx). In
Compose it goes to `deploy.resources.limits` or to `mem_limit`, whichever the service uses already.

Example: normal
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Amount, Container
from hardener.finding import Finding, Rule, Severity
from hardener.needs.needs import Needs
from hardener.rules._limits import unlimited

ID = "unlimited-memory"
_MIB = 1024 * 1024


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container without a memory limit."""
    limit, _ = needs.limit("memory")
    amount = None
    if limit is not None:
        reserved, heap = -(-int(container.reserved_memory) // _MIB), _least_for_a_heap(container)
        mebibytes = max(int(limit.amount), reserved, heap)
        if limit is needs.decided.memory and mebibytes > limit.amount:
            cause = "its reservation" if reserved >= heap else "the heap that it is told to have"
            limit = limit._replace(why=f"{limit.why}, raised for {cause}")
        small, large = container.platform.units
        text = f"{mebibytes // 1024}{large}" if mebibytes % 1024 == 0 else f"{mebibytes}{small}"
        amount = Amount(mebibytes * _MIB, text, limit.why)
    yield from unlimited(ID, "memory", container, container.memory, needs, limit, amount)


def _least_for_a_heap(container: Container) -> int:
    """What a heap that somebody sized takes: a limit below it would kill the program."""
    values = (*(container.command or ()), *(container.entrypoint or ()), *container.environment.values())
    if not any(value and ("-X" in value or "--max" in value) for value in values):
        return 0
    from hardener.rules._heap import least_memory

    return least_memory(container)


RULE = Rule(
    id=ID,
    title="Memory is not limited",
    severity=Severity.LOW,
    cites=("CIS Docker 5.11", "OWASP Docker 7"),
    container=check,
    why="one container can starve its neighbours and the host",
)
