"""The container runs without a seccomp profile.

The engine's default profile forbids about 44 of more than 300 system calls, among them those that load kernel modules, mount
file systems, trace other processes or change the clock. Without it every one is open to whoever breaks in, and most exploits
against the kernel begin with one that no server ever makes.

Docker applies it by itself: there the repair takes `seccomp:unconfined` away (`seccomp:default` would be an error, for the
engine looks for a file of that name). Kubernetes applies none unless it is asked for: there it writes `RuntimeDefault`, for
the whole pod where that is right for each of its containers, else for the one. It is safe where the image is known to work
under the default profile, and held back elsewhere: browsers that build their own sandbox, debuggers, and programs that mount
or set the clock do not work under it. For these write a profile that adds just the calls they need.
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.finding import Finding, Rule, Severity
from hardener.needs.needs import Needs
from hardener.rules._unconfined import unconfined

ID = "unconfined-seccomp"


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container whose seccomp profile is switched off."""
    yield from unconfined(ID, "seccomp", container, container.seccomp_unconfined, needs, needs.seccomp)


RULE = Rule(
    id=ID,
    title="A container without seccomp",
    severity=Severity.HIGH,
    cites=(
        "CIS Docker 5.22",
        "CIS Kubernetes 5.7.2",
        "Pod Security Standards: restricted, Seccomp",
        "NSA/CISA Kubernetes 1.10",
        "OWASP Docker 6",
        "Docker docs: engine/security/seccomp",
    ),
    container=check,
    why="every system call is open to an attacker, those of most kernel exploits among them",
)
