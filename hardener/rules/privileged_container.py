"""The container is privileged: it holds every capability and every device, and no confinement holds it.

Whoever breaks into it owns the host: it can mount the host's disk and load kernel modules. Everything else that is set
for such a container, dropped capabilities among it, is overridden.

No edit is offered, because what the workload really uses cannot be told from the files. Usual replacements: VPNs need
NET_ADMIN and the device /dev/net/tun; monitors such as cAdvisor and node-exporter need read-only mounts of what they
read; hardware needs its one device under `devices`; building images needs a rootless builder.
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.finding import Finding, Rule, Severity
from hardener.needs.situation import ImageNeeds

ID = "privileged-container"
#: What containers of these images are made privileged for, by a word of their name, and what serves instead.
_INSTEAD = (
    ("cadvisor", "cAdvisor reads everything it reports through read-only mounts and /dev/kmsg: no privilege is needed"),
    ("node-exporter", "node-exporter needs the host's / mounted read-only and pid: host, no privilege"),
    ("node_exporter", "node-exporter needs the host's / mounted read-only and pid: host, no privilege"),
    ("wireguard", "WireGuard needs cap_add NET_ADMIN, and SYS_MODULE only where the kernel lacks the module"),
    ("wg-easy", "WireGuard needs cap_add NET_ADMIN, and SYS_MODULE only where the kernel lacks the module"),
    ("openvpn", "a VPN needs cap_add NET_ADMIN and the device /dev/net/tun"),
    ("gluetun", "a VPN needs cap_add NET_ADMIN and the device /dev/net/tun"),
    ("tailscale", "a VPN needs cap_add NET_ADMIN and the device /dev/net/tun; userspace mode needs neither"),
    ("docker-socket-proxy", "the proxy needs privilege only on hosts where SELinux or AppArmor keeps it from the socket"),
    ("dind", "an engine inside a container: use docker:dind-rootless, or build with BuildKit rootless or Buildah"),
    ("docker", "an engine inside a container: use docker:dind-rootless, or build with BuildKit rootless or Buildah"),
    ("zigbee2mqtt", "name the one device it uses under `devices`"),
    ("home-assistant", "name the devices it uses under `devices`, and add NET_ADMIN and NET_RAW for Bluetooth and DHCP only"),
)
_GENERAL = (
    "find out what it uses: add single capabilities with cap_add, name single devices under `devices`, then remove privileged"
)


def check(container: Container, needs: ImageNeeds) -> Iterator[Finding]:
    """A container that is privileged."""
    if not container.privileged.effective:
        return
    name = container.image.familiar.rpartition("/")[2] if container.image else ""
    advice = next((text for word, text in _INSTEAD if word in name), _GENERAL)
    message = "is privileged: root inside it is root on the host"
    yield Finding(ID, container.subject, container.privileged.place, message, advice=advice, key=container.key)


RULE = Rule(
    id=ID,
    title="A privileged container",
    severity=Severity.CRITICAL,
    cites=("CIS Docker 5.5", "OWASP Docker 3"),
    container=check,
    why="root inside the container is root on the host",
)
