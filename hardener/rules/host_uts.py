"""The container shares the host's name.

With the UTS namespace of the host it has the host's host name and domain name, and with SYS_ADMIN it can change them: the
host then appears in logs and in authentication under a name of the attacker's choice.

No edit is offered: what the program does with the name is not in the file. Programs that only want to report the host's
name get it by `hostname`.
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
