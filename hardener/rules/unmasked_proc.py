"""The container sees all of /proc and /sys, without the masks that the engine lays over them.

Attack: Whoever breaks into the container as root reads the kernel's memory, restarts the host by a single letter, or names
a program that the kernel then runs outside (`core_pattern`). They then have the host's secrets, or the host.

Background: An engine hides `/proc/kcore`, the kernel's keys and timers, and makes `/proc/sys` and `/proc/sysrq-trigger`
read-only, because these files are the host's: the kernel has one of each.

What may break: An engine or a builder that starts containers in this one needs all of /proc (Docker or Podman inside,
Buildah, BuildKit), and hardly anything else does. Those are better off with a user namespace of their own, in which /proc
is theirs.

What we do: The repair lets the masks be (in Compose the item `systempaths=unconfined` goes, in a pod `procMount` is
`Default`). It is held back, because what asks for all of /proc is seldom known.

Left alone: Privileged containers, which have no masks in any case.

Example: unmasked
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.finding import Finding, Fix, Rule, Severity, Want
from hardener.needs.needs import Needs

ID = "unmasked-proc"


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container without the masks over /proc."""
    setting = container.unmasked_proc
    if not setting.effective or container.privileged.effective:
        return
    missing = needs.why_not or "whether it starts containers itself, and needs all of /proc for that"
    fix = Fix(f"let the {container.platform.engine} mask what is the host's in /proc", (Want(setting, False),), missing=missing)
    message = "sees what is the host's in /proc and /sys, and may write some of it"
    yield Finding(ID, container.subject, setting.place, message, fix, key=container.key)


RULE = Rule(
    id=ID,
    title="A container with an unmasked /proc",
    severity=Severity.HIGH,
    cites=("Pod Security Standards: baseline, /proc Mount Type", "Docker docs: engine/security"),
    container=check,
    why="root in it reads the kernel's memory and changes the host's settings",
)
