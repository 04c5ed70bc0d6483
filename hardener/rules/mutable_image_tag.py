"""The image is whatever its tag means on the day it is pulled.

Attack: Whoever may push to the image's repository, with a stolen password or as its new owner, moves the tag to an image of
their own. The next pull then runs their code with all that this container is allowed, and nobody can say afterwards what
ran.

Background: Without a version (`latest`, no tag at all, `nightly`, `alpine`) the next pull may bring another major version,
other permissions, or an image that somebody put there. With one, updates are a change in the repository that can be
reviewed, tested and taken back.

What may break: With a version, updates no longer come by themselves, those that close holes neither: something has to raise
it. An older version than the one that ran last may not read the data that it left; databases refuse to start then.

What we do: No edit is offered: which version runs well here is not in the file. A digest after the tag
(`name:1.2@sha256:...`) names exactly one image; tools such as Renovate and Dependabot raise both.

Left alone: Images that are built here or on this machine: with `build`, from `localhost`, or of a name without a namespace
that is not one of Docker's official images.

Example: normal
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.facts.image import DOCKER_HUB, ImageReference
from hardener.finding import Finding, Rule, Severity
from hardener.needs.needs import Needs

ID = "mutable-image-tag"
#: Words of tags that name no version. `stable` and `lts` are channels that somebody chose.
_NO_VERSION = frozenset("latest edge nightly main master develop dev canary unstable rolling snapshot alpine slim".split())
#: Docker's official images; any other name without a namespace is of this machine (docker-library/official-images, library/).
_OFFICIAL = frozenset(
    "adminer aerospike almalinux alpine alt amazoncorretto amazonlinux api-firewall arangodb archlinux backdrop bash bonita "
    "buildpack-deps busybox caddy cassandra chronograf cirros clearlinux clefos clickhouse clojure composer consul convertigo "
    "couchbase couchdb crate dart debian docker drupal eclipse-mosquitto eclipse-temurin eggdrop elasticsearch elixir emqx "
    "erlang express-gateway fedora flink fluentd friendica gazebo gcc geonetwork ghost golang gradle groovy haproxy haskell haxe "
    "hello-world hitch httpd hylang ibm-semeru-runtimes ibmjava influxdb irssi jetty jobber joomla jruby julia kapacitor kibana "
    "kong krakend lightstreamer liquibase logstash mageia mariadb matomo maven mediawiki memcached mongo mongo-express monica "
    "mono mysql nats nats-streaming neo4j neurodebian nextcloud nginx node notary odoo open-liberty openjdk opensuse oraclelinux "
    "orientdb percona perl photon php php-zendserver phpmyadmin plone postfixadmin postgres pypy python r-base rabbitmq "
    "rakudo-star redis redmine registry rethinkdb rocket.chat rockylinux ros ruby rust sapmachine satosa scratch silverpeas "
    "sl solr sonarqube sourcemage spark spiped storm swift swipl teamspeak telegraf thrift tomcat tomee traefik ubuntu unit "
    "valkey varnish vault websphere-liberty wordpress xwiki yourls znc zookeeper".split()
)


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container of an image that is pulled without a version."""
    image = container.image
    if image is None or image.digest or container.build is not None or not _is_mutable(image.effective_tag) or _is_local(image):
        return
    what = f"{image.familiar}:{image.tag}" if image.tag else f"{image.familiar} without a tag"
    advice = (
        f"write the version that runs now, better with its digest: name:1.2.3@sha256:... ({container.platform.digest} tells it)"
    )
    message = f"runs {what}, which may be another image tomorrow"
    yield Finding(ID, container.subject, container.place, message, advice=advice, key=container.key)


def _is_mutable(tag: str) -> bool:
    if tag == "latest":
        return True
    return not any(sign.isdigit() for sign in tag) and not _NO_VERSION.isdisjoint(tag.split("-"))


def _is_local(image: ImageReference) -> bool:
    """Whether nobody pulls it: it is of this machine."""
    if image.registry == DOCKER_HUB:
        namespace, _, name = image.repository.rpartition("/")
        return namespace == "library" and name not in _OFFICIAL
    return image.registry.partition(":")[0] in ("localhost", "127.0.0.1")


RULE = Rule(
    id=ID,
    title="An image without a version",
    severity=Severity.LOW,
    cites=("CIS Docker 5.28", "OWASP Docker 13"),
    container=check,
    why="nobody reviewed what the next pull brings, and nobody can say what ran",
)
