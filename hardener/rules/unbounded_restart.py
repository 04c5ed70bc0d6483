"""A job that should run once is started again without end.

Attack: Whoever can make the step fail, with one bad record or an address that does not answer, has it run again and again.
It then repeats what it does to the data and fills the logs, while everything that waits for it to have completed waits for
ever.

Background: A migration or a setup step that has ended is started again at once, and again, and a step that fails hides
among the attempts.

What may break: A step that fails because its database is not up yet stays down after its last attempt, unless it waits for
that database (`depends_on` with `service_healthy`). It is not started again when the engine is.

What we do: No edit is offered: how often it is worth trying again is not in the file.

Left alone: Services that should always run. The benchmark asks for at most five attempts of everything; but for these
`unless-stopped` is what operators want, and the engine waits longer before each attempt, a minute at most.

Example: normal
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.finding import Finding, Rule, Severity
from hardener.needs.needs import Needs

ID = "unbounded-restart"
#: First or last words of a service's name by which people call what runs once.
_ONCE = frozenset(
    "migrate migration migrations migrator init initializer initialize setup seed seeder bootstrap provision provisioner once "
    "createbuckets createbucket createdb installer configurator".split()
)

#: Words of the names of what stays: `worker-migrations` waits for migrations to do.
_SERVES = frozenset("worker server service api web ui app daemon queue".split())


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A job that is started again when it has ended."""
    restart = container.restart
    policy = restart.effective.policy
    if policy == "no" or not restart.written or container.published_ports:
        return
    words = container.subject.lower().replace("_", "-").replace(".", "-").split("-")
    if (words[0] not in _ONCE and words[-1] not in _ONCE) or not _SERVES.isdisjoint(words):
        return
    if policy in ("always", "unless-stopped") and restart.effective.attempts is None:
        message = f"is a job by its name and starts again whenever it ends: {policy}"
    elif policy == "on-failure" and restart.effective.attempts is None:
        message = "is a job by its name and is tried without end: on-failure"
    else:
        return
    yield Finding(ID, container.subject, restart.place, message, advice=container.platform.bounded_restart, key=container.key)


RULE = Rule(
    id=ID,
    title="A job is started again without end",
    severity=Severity.LOW,
    cites=("CIS Docker 5.15", "OWASP Docker 7"),
    container=check,
    why="it repeats what it does to the data, and its failure hides among the attempts",
)
