"""Nothing asks whether the service still works.

Attack: Whoever has found a request that hangs the process or uses up its connections sends it. The service is then down
although it counts as running: nothing takes it out of service, and nobody is told.

Background: A process that hangs, has lost its database or answers every request with an error still counts as running:
nothing takes it out of service, nothing that depends on it waits until it is ready, and nobody is told.

What may break: A check that fails for its own reasons marks a working service as unhealthy: its command is not in the image
(curl in slim images), it asks `localhost` over IPv6 where the server listens on IPv4, or it gives too little time to start.
What waits for the service then does not start, and an orchestrator restarts it again and again.

What we do: No edit is offered: how its health is asked, and how long it may take to start, is known to whoever wrote it.
Where the image contains a command that answers, the advice names it. A check that somebody switched off is reported as
that.

Left alone: A container, unless it is known that the image has no check of its own: it is in a profile, or it is one of
Docker's official images, which never have one. (Where the platform does not ask the image's own, it is as if there were
none.) Nor is anything said where another program is started than the image's own. For what is built here the Dockerfile is
asked, and only if it says `EXPOSE`, so that others talk to it, and builds upon images of which the same is known.

Example: normal, dockerfile
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hardener.facts.image import DOCKER_HUB, ImageReference
from hardener.finding import Finding, Rule, Severity

if TYPE_CHECKING:  # a run over one kind of file does not import the other's
    from hardener.facts.container import Container
    from hardener.facts.dockerfile import DockerStage
    from hardener.needs.needs import Needs
    from hardener.needs.stage import StageNeeds

ID = "missing-healthcheck"
#: Docker's official images that serve, and that no profile describes (docker-library/official-images, library/).
_SERVICES = frozenset(
    "adminer arangodb backdrop bonita caddy cassandra chronograf clickhouse consul couchbase couchdb crate drupal "
    "eclipse-mosquitto elasticsearch emqx flink friendica geonetwork ghost haproxy httpd influxdb jetty joomla kibana kong "
    "krakend logstash mariadb matomo mediawiki memcached mongo mongo-express monica mysql nats neo4j nextcloud nginx odoo "
    "orientdb percona phpmyadmin plone postfixadmin postgres rabbitmq redis redmine registry rethinkdb rocket.chat solr "
    "sonarqube storm tomcat tomee traefik unit valkey varnish vault websphere-liberty wordpress xwiki yourls zookeeper".split()
)
#: A program of the base that can ask a web page, by words of the base's name.
_ASKS = (
    ("alpine", "wget -qO /dev/null http://127.0.0.1:{port}/ || exit 1"),
    ("node", "node -e \"fetch('http://127.0.0.1:{port}/').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))\""),
    ("python", "python -c \"import urllib.request as r; r.urlopen('http://127.0.0.1:{port}/', timeout=3)\""),
)


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container of a service whose health nobody asks."""
    healthcheck = container.healthcheck
    if healthcheck.effective[:1] == ("NONE",):
        advice = "write a `test` that works, or take `healthcheck` away so that the image's own is used"
        yield Finding(
            ID, container.subject, healthcheck.place, "has its health check switched off", advice=advice, key=container.key
        )
        return
    if healthcheck.written or container.build is not None or container.image is None:
        return
    known = needs.healthcheck
    if not needs.holds and (container.command is not None or container.entrypoint is not None):
        return  # another program than the image's own, perhaps one that ends
    platform = container.platform
    if known is None and not (_is_official(container.image) and container.image.repository[8:] in _SERVICES):
        return
    if known is not None and known.own and platform.image_healthchecks:
        return
    if known is not None and known.test:
        # As YAML and the platform read it: quotes doubled within quotes, and dollars against interpolation.
        quoted = known.test.replace("'", "''").replace("$", platform.dollar)
        advice = platform.healthcheck.format(yaml=f"'{quoted}'")
    else:
        advice = platform.any_healthcheck
    yield Finding(ID, container.subject, container.place, "has no health check", advice=advice, key=container.key)


def check_stage(stage: DockerStage, needs: StageNeeds) -> Iterator[Finding]:
    """A stage of a service that is built without a way to ask for its health."""
    last = stage.last("HEALTHCHECK")
    if last is not None:
        if last.arguments.strip().upper() == "NONE" and last in stage.own("HEALTHCHECK"):
            advice = "write `HEALTHCHECK CMD` with a command that fails when the service does not work"
            message = "has the health check of its base switched off"
            yield Finding(ID, stage.subject, stage.place(last), message, advice=advice, key=stage.key)
        return
    exposes = stage.last("EXPOSE")
    if exposes is None:
        return
    known = stage.image is not None and needs.base is not None and _is_official(stage.image)
    if not known and stage.base_text != "scratch":
        return
    advice = _advice(stage, exposes.arguments.partition(" ")[0].partition("/")[0])
    yield Finding(ID, stage.subject, stage.place(exposes), "has no health check", advice=advice, key=stage.key)


def _is_official(image: ImageReference) -> bool:
    return image.registry == DOCKER_HUB and image.repository.startswith("library/")


def _advice(stage: DockerStage, port: str) -> str:
    if stage.image is None:
        return 'without a shell the program has to ask itself: `HEALTHCHECK CMD ["/app", "healthcheck"]`, or a check in Compose'
    name = str(stage.image)
    port = port if port.isdecimal() else "PORT"
    asks = next((text for word, text in _ASKS if word in name), "")
    if asks:
        return f"if it speaks HTTP: `HEALTHCHECK CMD {asks.format(port=port)}`"
    if "curl" in stage.packages:
        return f"if it speaks HTTP: `HEALTHCHECK CMD curl -fsS -o /dev/null http://127.0.0.1:{port}/ || exit 1`"
    return f"write `HEALTHCHECK CMD` with a program of the image that asks port {port} and fails when it does not answer"


RULE = Rule(
    id=ID,
    title="Nothing asks whether the service still works",
    severity=Severity.LOW,
    cites=("CIS Docker 4.6", "CIS Docker 5.27", "Docker docs: reference/dockerfile"),
    container=check,
    stage=check_stage,
    why="a service that hangs counts as running",
)
