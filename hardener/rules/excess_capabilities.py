"""A container keeps Linux capabilities that its workload does not use.

Attack: Whoever breaks into a process that runs as root in the container holds what every container is granted: NET_RAW to
forge packets on the container's network, MKNOD to create device nodes, DAC_OVERRIDE to read every file whatever its mode.
They can then pose as the container's neighbours, and have more of the kernel to try for a way out.

Background: An engine grants every container some 14 capabilities, whether it uses them or not.

What may break: An entrypoint that begins as root, hands its data over and steps down uses some. Dropping ALL without adding
back stops postgres, mariadb, redis and nginx, and not always at once: postgres starts on an empty volume and dies at its
second start. What seldom runs needs its own, such as an upgrade that changes owners, or a supervisor that ends the children
of another user.

What we do: The repair drops ALL and adds back what is known to be used: the capabilities that the image's entrypoint needs
for its start, for a restart on existing data, and for data that belongs to another user. Capabilities that are added
already stay; none is added that the container did not have. Where a page or a script of the project runs it by Podman, a
program that binds a port below 1024 keeps NET_BIND_SERVICE, which Docker's own networks do not ask for. Where they are not
known, the fix is held back.

Example: normal
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import ALL, Container, Item, bounding_set, names
from hardener.finding import Evidence, Finding, Fix, Rule, Severity, Want
from hardener.needs.needs import Needs

ID = "excess-capabilities"


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container that keeps more of the default set than was asked for by name."""
    dropped, added = names(container.cap_drop.effective), names(container.cap_add.effective)
    if container.privileged.effective or ALL in added or ALL in dropped:
        return
    held = bounding_set(dropped, added)
    if needs.capabilities is None:
        unknown = needs.unknown.get("capabilities", "not looked at")
        yield _finding(container, needs, len(held), None, advice=f"find out which it uses ({unknown})")
        return
    kept = [needed for needed in needs.capabilities if needed.name in held and needed.name not in added]
    back = ", ".join(needed.name for needed in kept)
    evidence = tuple(dict.fromkeys(needed.evidence for needed in kept))
    if needs.no_more_capabilities:
        evidence += (needs.no_more_capabilities,)
    fix = Fix(
        f"drop ALL, add back {back}" if back else "drop ALL",
        wants=(
            Want(container.cap_drop, (*container.cap_drop.effective, Item(ALL))),
            Want(container.cap_add, (*container.cap_add.effective, *(Item(needed.name, needed.why) for needed in kept))),
        ),
        evidence=_distinct(evidence),
        missing=needs.missing("capabilities"),
    )
    yield _finding(container, needs, len(held), fix)


def _finding(container: Container, needs: Needs, count: int, fix: Fix | None, advice: str = "") -> Finding:
    if needs.holds and needs.root is False:
        message = f"leaves {count} capabilities within reach of a program that is not root and has none"
    else:
        message = f"keeps {count} capabilities, whether it uses them or not"
    return Finding(ID, container.subject, container.place, message, fix, advice=advice, key=container.key)


def _distinct(evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    return tuple(dict.fromkeys(evidence))


RULE = Rule(
    id=ID,
    title="A container keeps capabilities that it does not use",
    severity=Severity.MEDIUM,
    cites=(
        "CIS Docker 5.4",
        "CIS Kubernetes 5.2.8",
        "CIS Kubernetes 5.2.10",
        "Pod Security Standards: restricted, Capabilities",
        "OWASP Docker 3",
    ),
    container=check,
    why="code that breaks in holds every capability that the container kept",
)
