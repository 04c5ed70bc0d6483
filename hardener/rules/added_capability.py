"""The container is given a capability that reaches the host.

Attack: Whoever breaks into a process that holds the capability uses it on the host, such as SYS_MODULE to load code into
its kernel or DAC_READ_SEARCH to open any of its files. They then have the host, or what it keeps secret, without any hole
in the kernel.

Background: An engine grants some fourteen capabilities; the others were left out because they act on the host and not on
the container. SYS_ADMIN mounts file systems, SYS_MODULE loads code into the kernel, SYS_PTRACE reads the memory of other
processes, DAC_READ_SEARCH opens any file of the host by its handle, NET_ADMIN rewrites routes and packet filters. ALL is
every one of them.

What may break: The feature that it was added for: without NET_ADMIN a VPN makes no interface, without SYS_PTRACE a monitor
has no figures of other users' processes. A program whose file carries the capability does not start at all (`operation not
permitted`).

What we do: ALL is taken away where a profile says what the image needs instead, and what a program uses of it is given back
by name. What somebody named is only taken away on request (`--unsafe-fixes`), because a feature that was switched on may
use what the image alone does not.

Left alone: Capabilities that the image is known to need: a VPN has its NET_ADMIN. IPC_LOCK, SYS_NICE and the like, which
reach nobody else, are not reported.

Example: named
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import ALL, DEFAULT_CAPABILITIES, Container, Item, capability, names
from hardener.finding import Evidence, Finding, Fix, Rule, Severity, Want
from hardener.needs.needs import Needs

ID = "added-capability"
#: What each lets a process do to others (capabilities(7)), and who usually needs it.
_REACH = {
    "ALL": ("everything that root of the host may do", ""),
    "BPF": ("load programs into the kernel", "only tracers and network data planes need it"),
    "DAC_READ_SEARCH": ("read any file of the host by its handle", "backup agents; mount what they save read-only instead"),
    "MAC_ADMIN": ("change the rules of the security modules", "nothing in a container should need it"),
    "MAC_OVERRIDE": ("ignore the rules of the security modules", "nothing in a container should need it"),
    "NET_ADMIN": ("change routes, addresses and packet filters", "VPNs, firewalls and DHCP servers; nothing that only serves"),
    "PERFMON": ("watch other processes through the kernel's counters", "only profilers need it"),
    "SYS_ADMIN": (
        "mount file systems, and much of what root may do",
        "for FUSE add the device /dev/fuse; browsers want a seccomp profile instead",
    ),
    "SYS_BOOT": ("restart the host", "nothing in a container should need it"),
    "SYS_MODULE": ("load modules into the host's kernel", "load the module on the host, then take this away"),
    "SYS_PTRACE": (
        "read and change the memory of other processes",
        "debuggers, and monitors that look into other processes (netdata, metricbeat)",
    ),
    "SYS_RAWIO": ("reach the host's ports and disks directly", "disk health tools; give it the one device"),
    "SYS_TIME": ("set the host's clock", "run the time server on the host"),
    "SYSLOG": ("read the kernel's log and its addresses", "mount /dev/kmsg where that is enough"),
}


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container with added capabilities that reach the host, and that its image is not known to need."""
    if container.privileged.effective:
        return
    known: tuple[str, ...] = tuple(needed.name for needed in needs.capabilities or ()) if needs.holds else ()
    if needs.unprivileged is not None and needs.unprivileged.works:
        known += needs.unprivileged.capabilities
    added = [name for item in container.cap_add.effective if (name := capability(item.text)) in _REACH and name not in known]
    added = list(dict.fromkeys(added))
    if not added:
        return
    may = "; ".join(f"{name} may {_REACH[name][0]}" for name in added if name != ALL)
    message = f"is given {', '.join(added)}: {may}" if may else "is given every capability there is"
    fix = _without(container, needs, added) if needs.holds and needs.capabilities is not None else None
    advice = "" if fix else _way_out(added)
    yield Finding(ID, container.subject, container.cap_add.place, message, fix, advice=advice, key=container.key)


def _way_out(added: list[str]) -> str:
    if ALL in added:
        return "find out which it uses: add them by name, drop ALL"
    hints = [f"{name}: {_REACH[name][1]}" for name in added if _REACH[name][1]]
    return f"remove what it does not use ({'; '.join(hints)})"


def _without(container: Container, needs: Needs, added: list[str]) -> Fix:
    kept = tuple(item for item in container.cap_add.effective if capability(item.text) not in added)
    present = names(kept)
    wanted = needs.unprivileged.capabilities if needs.unprivileged is not None and needs.unprivileged.works else ()
    back: tuple[Item, ...] = ()
    if ALL in added:
        back = tuple(Item(name) for name in wanted if name not in present)
        dropped = ALL in names(container.cap_drop.effective)
        back += tuple(
            Item(needed.name, needed.why)
            for needed in needs.capabilities or ()
            if needed.name not in {*present, *wanted} and (dropped or needed.name not in DEFAULT_CAPABILITIES)
        )
    missing = "" if added == [ALL] else "whether a feature that somebody switched on uses it; the image alone does not"
    evidence: tuple[Evidence, ...] = tuple(dict.fromkeys(needed.evidence for needed in needs.capabilities or ()))
    if needs.no_more_capabilities is not None:
        evidence += (needs.no_more_capabilities,)
    words = f"take {', '.join(added)} away" + (f", add {', '.join(item.text for item in back)}" if back else "")
    return Fix(words, (Want(container.cap_add, (*kept, *back)),), evidence=tuple(dict.fromkeys(evidence)), missing=missing)


RULE = Rule(
    id=ID,
    title="A capability that reaches the host",
    severity=Severity.HIGH,
    cites=(
        "CIS Docker 5.4",
        "CIS Kubernetes 5.2.9",
        "Pod Security Standards: baseline, Capabilities",
        "OWASP Docker 3",
        "Docker docs: engine/containers/run",
    ),
    container=check,
    why="what the engine does not grant by default acts on the host, not on the container",
)
