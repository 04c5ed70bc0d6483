"""A database, cache, broker or admin page is published on every interface of the host.

Attack: Whoever scans addresses for such ports, as is done all the time, finds this one and tries no password, or the
default one. They then have the data or the admin page behind it, whatever the host's firewall says about the port.

Background: `"5432:5432"` opens the port to everybody who can reach the host, on a server to the whole Internet, and the
engine's own packet rules (a pod's `hostPort` has them too) pass it before the host's firewall (ufw, firewalld) is asked.
Many of these programs ask for no password, or for a default one.

What may break: Bound to 127.0.0.1 the port is closed to every other machine: the database client on a desk, a second
server, a phone in the same network. What runs on the host itself still reaches it.

What we do: No edit is offered: who connects from outside is not in the file, and a rebound port locks them out. Services of
the same project, and pods of the same cluster, need no published port at all; for the host itself its address 127.0.0.1 is
enough.

Left alone: Images whose business is to be reached, such as proxies, web servers and applications, and ports that are bound
to an address already.

Example: normal
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container, PublishedPort
from hardener.finding import Finding, Rule, Severity
from hardener.needs.needs import Needs

ID = "port-on-all-interfaces"
_EVERYWHERE = ("", "0.0.0.0", "::", "[::]")
_DATABASE, _CACHE, _BROKER, _SEARCH, _ADMIN = "a database", "a cache", "a broker", "a search engine", "an admin page"
_METRICS, _MAIL, _COORDINATION = "metrics without a login", "test mail without a login", "a coordination service"
#: Last parts of images' names, and what they are.
_IMAGES = {
    name: what
    for what, names in (
        (
            _DATABASE,
            "postgres postgresql postgis timescaledb timescaledb-ha pgvector mysql mysql-server mariadb mariadb-galera percona "
            "percona-server mongo mongodb mongodb-community-server cassandra scylla couchdb couchbase influxdb neo4j arangodb "
            "clickhouse clickhouse-server cockroach tidb questdb rethinkdb orientdb dgraph rqlite surrealdb "
            "oracle-xe oracle-free azure-sql-edge mssql-server dynamodb-local firebird db2 pgbouncer pgpool "
            "qdrant weaviate milvus chroma ferretdb documentdb-local immudb victoria-metrics",
        ),
        (
            _CACHE,
            "redis redis-stack redis-stack-server valkey keydb dragonfly memcached hazelcast aerospike-server redis-sentinel",
        ),
        (
            _BROKER,
            "rabbitmq activemq activemq-artemis artemis nats nats-streaming kafka cp-kafka cp-server redpanda pulsar nsq "
            "beanstalkd",
        ),
        (_SEARCH, "elasticsearch opensearch solr meilisearch typesense manticore"),
        (
            _ADMIN,
            "phpmyadmin adminer pgadmin4 pgadmin mongo-express redis-commander redisinsight phpredisadmin kafka-ui akhq kafdrop "
            "cmak rockmongo pgweb sqlpad cloudbeaver elasticvue elasticsearch-head cerebro flower phpldapadmin portainer "
            "portainer-ce portainer-ee dozzle docker-socket-proxy socket-proxy kafka-manager "
            "debezium-ui dockge yacht",
        ),
        (_MAIL, "mailhog maildev mailpit mailcatcher"),
        (_COORDINATION, "zookeeper cp-zookeeper etcd"),
        (_METRICS, "cadvisor prometheus alertmanager pushgateway node-exporter"),
    )
    for name in names.split()
}
#: Ports that say what listens, where the image does not.
_PORTS = {
    "5432": _DATABASE,
    "3306": _DATABASE,
    "1433": _DATABASE,
    "1521": _DATABASE,
    "27017": _DATABASE,
    "9042": _DATABASE,
    "5984": _DATABASE,
    "2379": _COORDINATION,
    "6379": _CACHE,
    "11211": _CACHE,
    "5672": _BROKER,
    "15672": _ADMIN,
    "61616": _BROKER,
    "2181": _COORDINATION,
    "9200": _SEARCH,
    "2375": "the engine's API",
}
#: Single ports of images that are otherwise there to be reached.
_SINGLE = {("traefik", "8080"): _ADMIN, ("minio", "9001"): _ADMIN, ("kong", "8001"): _ADMIN, ("caddy", "2019"): _ADMIN}


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container that publishes on every interface what is not for everybody."""
    ports = container.published_ports
    if not ports or container.host_network.effective:
        return
    name = container.image.repository.rpartition("/")[2] if container.image else ""
    found = [(port, what) for port in ports if port.address in _EVERYWHERE and (what := _what(name, port))]
    if not found:
        return
    kinds = " and ".join(dict.fromkeys(what for _, what in found))
    numbers = ", ".join(port.host or port.container for port, _ in found)
    yield Finding(
        ID,
        container.subject,
        found[0][0].place,
        f"publishes {kinds} on every interface of the host: {numbers}",
        advice=_advice(container, found[0][0]),
        key=container.key,
    )


def _what(name: str, port: PublishedPort) -> str:
    """What listens behind a port, where that is not for everybody."""
    single = _SINGLE.get((name, port.container))
    return single or _IMAGES.get(name, "") or _PORTS.get(port.container, "")


def _advice(container: Container, port: PublishedPort) -> str:
    protocol = "/udp" if port.protocol == "udp" else ""
    platform = container.platform
    written = platform.for_host.format(host=port.host, container=port.container, protocol=protocol)
    inside = f"{container.subject}:{port.container}" if port.container.isdecimal() else container.subject
    return f"{written} for the host alone, or no port: {platform.reached.format(address=inside)}"


RULE = Rule(
    id=ID,
    title="A database, broker or admin page is open on every interface",
    severity=Severity.MEDIUM,
    cites=(
        "CIS Docker 5.9",
        "CIS Docker 5.14",
        "CIS Kubernetes 5.2.13",
        "Pod Security Standards: baseline, Host Ports",
        "OWASP Docker 5a",
        "Docker docs: engine/network/port-publishing",
    ),
    container=check,
    why="everybody who reaches the host reaches it, past the host's firewall",
)
