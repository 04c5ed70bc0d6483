"""The container shares the host's IPC namespace.

Attack: Whoever breaks into the container attaches to the shared memory of the host's processes and opens the files in the
host's `/dev/shm`, as far as their modes allow. They then read and change what databases and browsers keep there while they
run.

Background: The container shares the shared memory, semaphores and message queues of all processes of the host that let it,
and `/dev/shm` is the host's own.

What may break: With a `/dev/shm` of its own the container gets 64 MB of it unless more is asked for, and a database, a
browser or a training job that takes more fails. Programs that met in the host's shared memory no longer find each other.

What we do: No edit is offered, because it is nearly always there for more shared memory, and how much that is, is not in
the file: `shm_size` gives a service its own, an `emptyDir` in memory a pod. Two containers that must share memory share one
namespace of theirs.

Example: normal
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
