"""The container shares the host's network.

Attack: Whoever breaks into the container connects to what listens on the host's loopback address, databases and control
sockets without a password among them. They then have those services, and may listen on any free port of the host as if they
were one of its own.

Background: Published ports and network separation do not apply to such a container.

What may break: On a network of its own the container is reached only by the ports that are published, broadcasts do not
come through, and `localhost` is no longer the host. Media discovery, DHCP and some VPNs stop; web services and databases do
not.

What we do: No edit is offered: which ports it serves, and whether it needs broadcasts or the host's own addresses, is not
in the file.

Example: normal
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.finding import Finding, Rule, Severity
from hardener.needs.needs import Needs

ID = "host-network"

#: What these need it for, or not, by the beginning of a part of their name.
_OWN = (
    ("node-exporter", "it reports the host's own interfaces: keep it, and bind it to one address with --web.listen-address"),
    ("cloudflared", "it serves no port: let it reach the services that it publishes by their names, and name them in its rules"),
)


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container on the host's network."""
    setting = container.host_network
    if not setting.effective:
        return
    name = f"/{container.image.familiar}" if container.image else ""
    advice = next((text for word, text in _OWN if f"/{word}" in name), "")
    ports = sorted({port.number for port in needs.ports})
    publish = container.platform.publish.format(ports=", ".join(map(str, ports)) or "the ports it serves")
    advice = advice or f"remove `{setting.wording}` and {publish}, unless it needs broadcasts or the host's own addresses"
    subject, key = container.whose(setting)
    yield Finding(ID, subject, setting.place, "shares the host's network", advice=advice, key=key)


RULE = Rule(
    id=ID,
    title="A container on the host's network",
    severity=Severity.HIGH,
    cites=(
        "CIS Docker 5.10",
        "CIS Kubernetes 5.2.5",
        "Pod Security Standards: baseline, Host Namespaces",
        "NSA/CISA Kubernetes 1.5",
        "OWASP Docker 5",
    ),
    container=check,
    why="it reaches everything that listens on the host's loopback address",
)
