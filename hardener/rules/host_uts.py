"""The container shares the host's name.

Attack: Whoever breaks into the container, and has SYS_ADMIN there, gives the host another name. The host then appears in
logs and in authentication under a name of the attacker's choice.

Background: With the UTS namespace of the host the container has the host's host name and domain name.

What may break: A program that reports the host's name reports that of the container, which is a number unless one is given:
what collects the reports takes it for a new machine.

What we do: No edit is offered: what the program does with the name is not in the file. Programs that only want to report
the host's name get it by `hostname`.

Example: normal
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.finding import Finding, Rule, Severity
from hardener.needs.needs import Needs

ID = "host-uts"


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container in the host's UTS namespace."""
    setting = container.host_uts
    if not setting.effective:
        return
    advice = f"remove `{setting.wording}`; if it only reports under the host's name, give it with `hostname: ${{HOSTNAME}}`"
    subject, key = container.whose(setting)
    yield Finding(ID, subject, setting.place, "shares the host's UTS namespace", advice=advice, key=key)


RULE = Rule(
    id=ID,
    title="A container in the host's UTS namespace",
    severity=Severity.LOW,
    cites=("CIS Docker 5.21", "Docker docs: engine/security"),
    container=check,
    why="with SYS_ADMIN it renames the host",
)
