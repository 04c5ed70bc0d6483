"""The container shares the host's IPC namespace.

It reads and writes the shared memory, semaphores and message queues of all processes of the host that let it, and
`/dev/shm` is the host's own: databases and browsers keep live data there.

No edit is offered, because it is nearly always there for more shared memory, and how much that is, is not in the file:
`shm_size` gives a service its own, an `emptyDir` in memory a pod. Two containers that must share memory share one namespace of
theirs.
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.finding import Finding, Rule, Severity
from hardener.needs.needs import Needs

ID = "host-ipc"


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container in the host's IPC namespace."""
    setting = container.host_ipc
    if not setting.effective:
        return
    platform = container.platform
    advice = (
        f"remove `{setting.wording}`; for more shared memory {platform.shared_memory}; "
        f"to share memory with one other container, {platform.share_memory}"
    )
    subject, key = container.whose(setting)
    yield Finding(ID, subject, setting.place, "shares the host's IPC namespace", advice=advice, key=key)


RULE = Rule(
    id=ID,
    title="A container in the host's IPC namespace",
    severity=Severity.MEDIUM,
    cites=(
        "CIS Docker 5.17",
        "CIS Kubernetes 5.2.4",
        "Pod Security Standards: baseline, Host Namespaces",
        "Docker docs: engine/security",
    ),
    container=check,
    why="it reads and writes the shared memory of the host's processes",
)
