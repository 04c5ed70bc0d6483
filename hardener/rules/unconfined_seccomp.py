"""The container runs without a seccomp profile.

Attack: Whoever breaks into the container may make every system call, and most exploits against the kernel begin with one
that no server ever makes. With a kernel that has such a hole they then have the host, and every container on it.

Background: The engine's default profile forbids about 44 of more than 300 system calls, among them those that load kernel
modules, mount file systems, trace other processes or change the clock.

What may break: Browsers that build their own sandbox, debuggers, and programs that mount or set the clock do not work under
the default profile: write one for them that adds just the calls they need. On Docker before 20.10.10 it also refuses a call
that programs with a newer C library begin with (`clone3`).

What we do: Docker applies the profile by itself: there the repair takes `seccomp:unconfined` away (`seccomp:default` would
be an error, for the engine looks for a file of that name). Kubernetes applies none unless it is asked for: there it writes
`RuntimeDefault`, for the whole pod where that is right for each of its containers, else for the one. It is safe where the
image is known to work under the default profile, and held back elsewhere.

Example: normal
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
