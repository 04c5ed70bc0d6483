"""The container is privileged: it holds every capability and every device, and no confinement holds it.

Attack: Whoever breaks into the container mounts the host's disk, or loads a module into its kernel. They then own the host,
and nothing else that is set for the container has stood in their way.

Background: Everything else that is set for such a container, dropped capabilities among it, is overridden.

What may break: The program lacks whatever it used and nobody listed, a device, a capability or a mount, and may say so only
when it comes to use it. An engine inside a container does not work without it.

What we do: Where a profile says what the image needs instead, the repair takes `privileged` away and adds just that:
cAdvisor reads everything through read-only mounts and /dev/kmsg, node-exporter through the host's / mounted read-only, a
VPN through NET_ADMIN and /dev/net/tun. Elsewhere no edit is offered, because what the workload really uses cannot be told
from the files: hardware needs its one device; building images needs a rootless builder; an engine inside a container cannot
be spared it, but docker:dind-rootless can be spared root.

Example: normal
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import ALL, Container, Device, Item, names
from hardener.finding import Finding, Fix, Rule, Severity, Want
from hardener.needs.needs import Needs
from hardener.needs.profile import Unprivileged

ID = "privileged-container"
#: What containers of these images are made privileged for, by a word of their name, and what serves instead.
_INSTEAD = (
    ("cadvisor", "cAdvisor reads everything it reports through read-only mounts and /dev/kmsg: no privilege is needed"),
    ("node-exporter", "node-exporter needs the host's / mounted read-only and its process namespace, no privilege"),
    ("node_exporter", "node-exporter needs the host's / mounted read-only and its process namespace, no privilege"),
    ("wireguard", "WireGuard needs the capability NET_ADMIN, and SYS_MODULE only where the kernel lacks the module"),
    ("wg-easy", "WireGuard needs the capability NET_ADMIN, and SYS_MODULE only where the kernel lacks the module"),
    ("openvpn", "a VPN needs the capability NET_ADMIN and the device /dev/net/tun"),
    ("gluetun", "a VPN needs the capability NET_ADMIN and the device /dev/net/tun"),
    ("tailscale", "a VPN needs the capability NET_ADMIN and the device /dev/net/tun; userspace mode needs neither"),
    ("docker-socket-proxy", "the proxy needs privilege only on hosts where SELinux or AppArmor keeps it from the socket"),
    ("dind", "an engine inside a container: use docker:dind-rootless, or build with BuildKit rootless or Buildah"),
    ("docker", "an engine inside a container: use docker:dind-rootless, or build with BuildKit rootless or Buildah"),
    ("zigbee2mqtt", "give it the one device that it uses"),
    ("home-assistant", "give it the devices that it uses one by one, and add NET_ADMIN and NET_RAW for Bluetooth and DHCP only"),
)
_GENERAL = "find out what it uses: add single capabilities, give it single devices, then remove privileged"


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container that is privileged."""
    if not container.privileged.effective:
        return
    message = "is privileged: root inside it is root on the host"
    place, instead = container.privileged.place, needs.unprivileged
    if instead is not None and instead.works:
        yield Finding(ID, container.subject, place, message, _fix(container, instead), key=container.key)
        return
    name = container.image.familiar.rpartition("/")[2] if container.image else ""
    usual = next((text for word, text in _INSTEAD if word in name), _GENERAL)
    advice = instead.why if instead is not None else usual
    yield Finding(ID, container.subject, place, message, advice=advice, key=container.key)


def _fix(container: Container, instead: Unprivileged) -> Fix:
    given = names(container.cap_add.effective)
    capabilities = [Item(name, instead.why) for name in instead.capabilities if name not in given and ALL not in given]
    here = {device.target for device in container.devices.effective}
    devices = [Device(path, path, "rwm", container.place) for path in instead.devices if path not in here]
    wants = [Want(container.privileged, False)]
    if capabilities:
        wants.append(Want(container.cap_add, (*container.cap_add.effective, *capabilities)))
    if devices:
        wants.append(Want(container.devices, (*container.devices.effective, *devices)))
    added = [item.text for item in capabilities] + [device.source for device in devices]
    words = "take privileged away" + (f", add {', '.join(added)}" if added else "")
    return Fix(words, tuple(wants), evidence=(instead.evidence,), unsettles=True)


RULE = Rule(
    id=ID,
    title="A privileged container",
    severity=Severity.CRITICAL,
    cites=(
        "CIS Docker 5.5",
        "CIS Kubernetes 5.2.2",
        "Pod Security Standards: baseline, Privileged Containers",
        "NSA/CISA Kubernetes 1.2",
        "OWASP Docker 3",
    ),
    container=check,
    why="root inside the container is root on the host",
)
