"""The container sets kernel parameters that are not its own alone.

Attack: Whoever may write the pod sets a parameter that its neighbours share, or one that takes memory of the host which no
limit counts. Every neighbour then gets what is left, and a value that was right for one program starves or stops the next.

Background: Some parameters exist once for each container: those of its network and of its shared memory. The others are the
host's, or take memory and other means of it that no limit counts: whoever sets them changes what every neighbour gets.
Kubernetes starts such a pod only on nodes whose kubelet was told to allow it.

What may break: Without the value a program may refuse to start, or bear less load, until it is set on the host.

What we do: No edit is offered: whether the program only runs better with the value or not without it is not in the file.
What it needs is set on the host, once, by whoever runs it, on machines that are there for this program.

Left alone: The parameters that are known to be safe (`net.ipv4.ip_unprivileged_port_start`, `net.ipv4.ping_group_range`,
`net.ipv4.tcp_keepalive_time` and the like), and Docker, which takes none that are the host's.

Example: kubernetes-sysctls
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.finding import Finding, Rule, Severity
from hardener.needs.needs import Needs

ID = "unsafe-sysctl"


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container that sets parameters which others feel."""
    setting = container.unsafe_sysctls
    if not setting.effective:
        return
    names = ", ".join(setting.effective)
    message = f"sets kernel parameters that are not its own alone: {names}"
    advice = "leave out what it only runs better with; have the host set the rest, on machines that are there for this program"
    subject, key = container.whose(setting)
    yield Finding(ID, subject, setting.place, message, advice=advice, key=key)


RULE = Rule(
    id=ID,
    title="A container sets kernel parameters that others feel",
    severity=Severity.MEDIUM,
    cites=("Pod Security Standards: baseline, Sysctls",),
    container=check,
    why="it changes what its neighbours get of the host, past every limit",
)
