"""The container runs without an AppArmor profile.

Attack: Whoever breaks into the container as root may write below /proc and /sys, mount, and trace processes outside,
wherever another wall does not stop them. One capability too many is then enough for a way to the host.

Background: On hosts with AppArmor the engine's default profile keeps a container from writing below /proc and /sys, from
mounting, and from tracing processes outside. It stands behind dropped capabilities: when one of these walls has a hole, the
other still holds. A profile of the name `unconfined` takes it away.

What may break: Programs that mount file systems (FUSE, backup and disk tools), or that need to trace, do not work under the
default profile: give them a profile of their own. Hosts without AppArmor do not notice.

What we do: The repair removes that item, so that the default holds again. It is safe where the image is known to work under
the default profile and held back elsewhere.

Example: normal
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.finding import Finding, Rule, Severity
from hardener.needs.needs import Needs
from hardener.rules._unconfined import unconfined

ID = "unconfined-apparmor"


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container whose AppArmor profile is switched off."""
    yield from unconfined(ID, "AppArmor", container, container.apparmor_unconfined, needs, needs.apparmor)


RULE = Rule(
    id=ID,
    title="A container without AppArmor",
    severity=Severity.MEDIUM,
    cites=(
        "CIS Docker 5.2",
        "Pod Security Standards: baseline, AppArmor",
        "NSA/CISA Kubernetes 1.9",
        "OWASP Docker 6",
        "Docker docs: engine/security/apparmor",
    ),
    container=check,
    why="mounting and writing below /proc and /sys is forbidden by nothing else",
)
