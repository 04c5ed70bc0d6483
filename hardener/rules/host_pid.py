"""The container shares the host's process namespace.

Attack: Whoever breaks into the container as root reads the arguments of every process of the host, in which passwords often
stand, and may kill any of them. With SYS_PTRACE, or as a privileged container, they read the memory of those processes and
enter their namespaces, which is root on the host.

Background: Every process of the host is seen, and those that run as the container's user can be signalled: for root that is
all of them.

What may break: What watches the host's processes (process monitors, profilers, runtime security) sees only its own. For
most others the line was copied along.

What we do: No edit is offered: whether it watches the host's processes is its business, not the file's. To see another
container's processes, its namespace is enough (`pid: service:NAME` in Compose, `shareProcessNamespace` in a pod).

Example: normal
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.finding import Finding, Rule, Severity
from hardener.needs.needs import Needs

ID = "host-pid"
#: Images that look at the host's processes, by part of their name.
_WATCHERS = (
    "node-exporter node_exporter process-exporter datadog/agent netdata falco tetragon tracee sysdig newrelic/infrastructure "
    "glances beyla pyroscope parca zabbix-agent telegraf metricbeat scope btop htop crowdsec wazuh osquery coroot bpf pixie "
    "docker-bench"
).split()


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container in the host's process namespace."""
    setting = container.host_pid
    if not setting.effective:
        return
    subject, key = container.whose(setting)
    yield Finding(ID, subject, setting.place, "shares the host's process namespace", advice=_advice(container), key=key)


def _advice(container: Container) -> str:
    written = container.host_pid.wording
    if container.privileged.effective:
        return f"with `privileged` it can enter any process of the host: take away `privileged` first, then `{written}`"
    name = container.image.familiar if container.image else ""
    if any(watcher in name for watcher in _WATCHERS):
        return (
            f"keep `{written}` only if it should watch the host's own processes; then mount nothing writable, publish no port, "
            "and add no SYS_PTRACE that it does not ask for"
        )
    return f"remove `{written}`; to see the processes of one other container, {container.platform.share_processes}"


RULE = Rule(
    id=ID,
    title="A container in the host's process namespace",
    severity=Severity.HIGH,
    cites=(
        "CIS Docker 5.16",
        "CIS Kubernetes 5.2.3",
        "Pod Security Standards: baseline, Host Namespaces",
        "NSA/CISA Kubernetes 1.4",
        "Docker docs: engine/security",
    ),
    container=check,
    why="it sees and signals the host's processes, and reads the passwords in their arguments",
)
