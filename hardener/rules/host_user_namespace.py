"""The container is exempted from the engine's user namespace.

Attack: Whoever breaks out of this container, through a hole in the kernel or a mounted folder, arrives on the host as root.
From every other container of an engine that maps users they would have arrived as nobody.

Background: Where the engine maps users (`userns-remap`), root in a container is nobody on the host: the strongest single
protection against an escape. `userns_mode: host` takes it from this container, whose root is the host's root again.

What may break: An engine with mapped users refuses privileged containers and some that share the host's namespaces unless
they are exempted: they do not start without the line. Data that was written without the mapping belongs to numbers that the
mapped container may not touch.

What we do: No edit is offered, because the exemption has to go together with its reason. Without mapped users the line does
nothing, until somebody switches them on.

Example: normal
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.finding import Finding, Rule, Severity
from hardener.needs.needs import Needs

ID = "host-user-namespace"


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container whose root is the host's, whatever the engine maps."""
    setting = container.host_user_namespace
    if not setting.effective or not setting.written:  # what nobody wrote is how the engine was set up
        return
    message = "is exempted from the engine's user namespace"
    subject, key = container.whose(setting)
    yield Finding(ID, subject, setting.place, message, advice=_advice(container), key=key)


def _advice(container: Container) -> str:
    whose = container.whose(container.host_user_namespace)
    reasons = (container.privileged, container.host_network, container.host_pid)
    there = [f"`{reason.wording}`" for reason in reasons if reason.effective and container.whose(reason) == whose]
    if there:
        return f"an engine with mapped users asks for it beside {' and '.join(there)}: remove both together"
    return f"{container.platform.mapped_users}; what it writes on the host must then belong to the mapped user"


RULE = Rule(
    id=ID,
    title="A container exempted from the engine's user namespace",
    severity=Severity.MEDIUM,
    cites=("CIS Docker 5.31", "Docker docs: engine/security/userns-remap"),
    container=check,
    why="its root is the host's root even where the engine maps users",
)
