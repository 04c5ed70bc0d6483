"""The emulations, with the images whose profiles they are held against and what shows that each does its job.

Knows profiles, and not how anything is run. Tags are those of the versions that Debian 12 has; another one has others.
"""

from __future__ import annotations

from typing import NamedTuple

from hardener.facts.image import parse_image
from hardener.needs.conditions import Mount, Situation
from hardener.needs.needs import Needs
from hardener.needs.profile import find_profile

#: What is stored, and found again.
KEPT = "kept-4eb1"
AS_IT_IS, AS_ITS_ACCOUNT, ON_FOREIGN_DATA = "as it is", "as its account", "on foreign data"
WRITABLE_ROOT = "a writable root"


class Emulated(NamedTuple):
    """An emulation, the image whose profile it is held against, and what shows that it does its job."""

    folder: str
    image: str
    #: Shell commands inside: one has it do its work, the other shows the result, in which `answer` is found.
    work: str
    ask: str
    answer: str = KEPT
    #: Whether the result outlives the container.
    keeps: bool = True
    #: Where named volumes are mounted.
    volumes: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    #: Configuration files that are mounted from the project, or the folder of one.
    files: dict[str, str] = {}
    whole_folder: bool = False
    #: Each asks itself; one does not start without an address of its own.
    network: str = "none"
    #: Whether the first process remains root, and only those that it starts serve.
    root_parent: bool = False
    #: Needs of which each, when it is missing, must be felt: a capability, the path of a tmpfs, or that root can be written.
    felt: tuple[str, ...] = ()
    #: The same when what is mounted belongs to a stranger; empty where that is not tried.
    felt_on_foreign_data: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What tests call it, which says that it is no published image."""
        return " ".join(("emulated", self.image, *self.command[1:], *self.files, *self.volumes))

    def needs(self, way: str) -> Needs:
        """What follows from the profile for one way of running it."""
        image = parse_image(self.image)
        assert image is not None
        profile = find_profile(image)
        assert profile is not None
        kind = "bind" if way == ON_FOREIGN_DATA else "volume"
        mounts = [Mount(path, kind) for path in self.volumes]
        mounts += [Mount(self.mounted(path), "bind", True, text) for path, text in self.files.items()]
        situation = Situation(command=self.command or None, environment=self.environment, mounts=tuple(mounts))
        needs = profile.evaluate(image, situation)
        if way == AS_ITS_ACCOUNT and needs.root and needs.user is not None and needs.user.works and needs.account is not None:
            situation = situation._replace(user=f"{needs.account.uid}:{needs.account.gid}")
            needs = profile.evaluate(image, situation)
        return needs

    def mounted(self, path: str) -> str:
        """What is mounted so that a file is there."""
        return path.rpartition("/")[0] if self.whole_folder else path

    @property
    def ways(self) -> list[str]:
        """The ways of running it that make a difference, and of which the profile says that they work."""
        needs = self.needs(AS_IT_IS)
        ways = [AS_IT_IS]
        ways += [AS_ITS_ACCOUNT] if needs.root and needs.user is not None and needs.user.works else []
        return ways + ([ON_FOREIGN_DATA] if self.felt_on_foreign_data else [])


HAPROXY = """\
global
  stats socket /var/lib/haproxy/stats
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend http
  bind :8080
  http-request return status 200 content-type text/plain string "kept-4eb1"
"""
MOSQUITTO = """\
listener 1883
allow_anonymous true
persistence true
persistence_location /mosquitto/data/
"""
SPEAK = "printf '{}\\r\\nquit\\r\\n' | "
STORE, FETCH = SPEAK.format(f"set key 0 0 {len(KEPT)}\\r\\n{KEPT}"), SPEAK.format("get key")
TCP = "curl -fsS telnet://127.0.0.1:11211"
SOCKET = "perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new(\"/tmp/socket\") or die; print $s <STDIN>; print <$s>'"
UPLOAD = "curl -fsS --data-binary @/etc/passwd -H 'Expect:' http://127.0.0.1:{port}/upload >/tmp/answer"
RABBIT = "curl -fsS -u guest:guest -H 'content-type: application/json' http://127.0.0.1:15672/api"
MESSAGE = f'{{"properties":{{"delivery_mode":2}},"routing_key":"q","payload":"{KEPT}","payload_encoding":"string"}}'
REGISTRY = (
    "location=$(curl -fsS -D - -o /dev/null -X POST http://127.0.0.1:5000/v2/a/blobs/uploads/ | "
    "sed -n 's/^Location: //p' | tr -d '\\r') && "
    f"curl -fsS -X PUT -H 'Content-Type: application/octet-stream' --data {KEPT} "
    f'"$location&digest=sha256:$(printf %s {KEPT} | sha256sum | cut -c-64)"'
)
SILENCES = "curl -fsS -H 'Content-Type: application/json' http://127.0.0.1:9093/api/v2/silences"
SILENCE = (
    f"{SILENCES} -d "
    '\'{"matchers":[{"name":"a","value":"b","isRegex":false}],"startsAt":"2020-01-01T00:00:00Z",'
    '"endsAt":"\'"$(date -u -d tomorrow +%FT%TZ)"\'","createdBy":"me","comment":"' + KEPT + "\"}'"
)

EMULATIONS = [
    Emulated(
        "rabbitmq",
        "rabbitmq:3.10-management",
        f"{RABBIT}/queues/%2F/q -X PUT -d '{{\"durable\":true}}' && {RABBIT}/exchanges/%2F/amq.default/publish -d '{MESSAGE}'",
        f'{RABBIT}/queues/%2F/q/get -d \'{{"count":1,"ackmode":"ack_requeue_true","encoding":"auto"}}\''
        # As a health check does, as whom the container was started as.
        " && rabbitmqctl -q list_queues name >&2",
        volumes=("/var/lib/rabbitmq",),
        felt=("SETUID",),
    ),
    Emulated(
        "redis",
        "redis:7",
        f"redis-cli -e set key {KEPT}",
        "redis-cli -e get key",
        command=("redis-server", "--appendonly", "yes"),
        volumes=("/data",),
        felt=("SETGID", "SETUID", "DAC_OVERRIDE"),
        felt_on_foreign_data=("CHOWN",),
    ),
    Emulated(
        "valkey",
        "valkey/valkey:8.0",
        f"valkey-cli -e set key {KEPT}",
        "valkey-cli -e get key",
        command=("valkey-server", "--appendonly", "yes"),
        volumes=("/data",),
        felt=("SETUID",),
        felt_on_foreign_data=("CHOWN",),
    ),
    Emulated(
        "postgres",
        "postgres:15",
        f"""psql -h 127.0.0.1 -U postgres -c "DROP TABLE IF EXISTS t" -c "CREATE TABLE t AS SELECT '{KEPT}' AS row" """,
        "psql -h 127.0.0.1 -U postgres -Atc 'SELECT row FROM t'",
        environment={"POSTGRES_PASSWORD": "secret", "PGPASSWORD": "secret"},
        volumes=("/var/lib/postgresql/data",),
        felt=("SETGID", "SETUID", "DAC_OVERRIDE", "/var/run/postgresql"),
        felt_on_foreign_data=("CHOWN",),
    ),
    Emulated(
        "postgres",
        "postgres:15",
        f"""psql -h 127.0.0.1 -U postgres -c "CREATE TABLE t AS SELECT '{KEPT}' AS row" """,
        "psql -h 127.0.0.1 -U postgres -Atc 'SELECT row FROM t'",
        environment={"POSTGRES_PASSWORD": "secret", "PGPASSWORD": "secret", "POSTGRES_INITDB_WALDIR": "/var/lib/postgresql/wal"},
        volumes=("/var/lib/postgresql/data", "/var/lib/postgresql/wal"),
        felt=("CHOWN", "FOWNER"),
    ),
    Emulated(
        "mariadb",
        "mariadb:10.11",
        f"mariadb -h127.0.0.1 -uroot -psecret -e \"CREATE OR REPLACE DATABASE d; CREATE TABLE d.t AS SELECT '{KEPT}' AS c\"",
        "mariadb -h127.0.0.1 -uroot -psecret -e 'SELECT c FROM d.t'",
        environment={"MARIADB_ROOT_PASSWORD": "secret"},
        volumes=("/var/lib/mysql",),
        felt=("SETUID", "DAC_OVERRIDE"),
        felt_on_foreign_data=("CHOWN",),
    ),
    Emulated(
        "nginx",
        "nginx:1.22",
        UPLOAD.format(port=80),
        "curl -fsS http://127.0.0.1/",
        "Welcome",
        root_parent=True,
        felt=("CHOWN", "SETGID", "SETUID", "/var/cache/nginx", "/var/run"),
    ),
    Emulated(
        "nginx",
        "nginx:1.22",
        "true",
        "curl -fsS http://127.0.0.1/",
        KEPT,
        environment={"GREETING": KEPT},
        files={"/etc/nginx/templates/default.conf.template": 'server { listen 80; return 200 "${GREETING}"; }\n'},
        root_parent=True,
        felt=("/etc/nginx/conf.d",),
    ),
    Emulated(
        "nginx-unprivileged",
        "nginxinc/nginx-unprivileged:1.22",
        UPLOAD.format(port=8080),
        "curl -fsS http://127.0.0.1:8080/",
        "Welcome",
        felt=("/tmp",),
    ),
    Emulated(
        "httpd",
        "httpd:2.4",
        "true",
        "curl -fsS http://127.0.0.1/",
        "It works!",
        root_parent=True,
        felt=("SETGID", "SETUID", "/usr/local/apache2/logs"),
    ),
    Emulated(
        "httpd",
        "httpd:2.4",
        "true",
        "curl -fsS http://127.0.0.1/",
        "It works!",
        volumes=("/usr/local/apache2/logs",),
        root_parent=True,
        felt_on_foreign_data=("DAC_OVERRIDE",),
    ),
    Emulated("memcached", "memcached:1.6", STORE + TCP, FETCH + TCP, keeps=False),
    Emulated(
        "memcached",
        "memcached:1.6",
        STORE + SOCKET,
        FETCH + SOCKET,
        command=("memcached", "-s", "/tmp/socket"),
        keeps=False,
        felt=(WRITABLE_ROOT,),
    ),
    Emulated(
        "mosquitto",
        "eclipse-mosquitto:2.0",
        f"mosquitto_pub -h 127.0.0.1 -r -t topic -m {KEPT}",
        "mosquitto_sub -h 127.0.0.1 -t topic -C 1 -W 3",
        files={"/mosquitto/config/mosquitto.conf": MOSQUITTO},
        whole_folder=True,
        volumes=("/mosquitto/data",),
        felt=("SETGID", "SETUID"),
        felt_on_foreign_data=("CHOWN",),
    ),
    Emulated(
        "mosquitto",
        "eclipse-mosquitto:2.0",
        f"mosquitto_pub -h 127.0.0.1 -r -t topic -m {KEPT}",
        "mosquitto_sub -h 127.0.0.1 -t topic -C 1 -W 3",
        command=("/usr/sbin/mosquitto", "-c", "/mosquitto-no-auth.conf"),
        keeps=False,
        felt=("SETUID",),
    ),
    Emulated(
        "haproxy",
        "haproxy:2.6",
        "true",
        "curl -fsS http://127.0.0.1:8080/",
        files={"/usr/local/etc/haproxy/haproxy.cfg": HAPROXY},
        felt=("/var/lib/haproxy",),
    ),
    Emulated(
        "php-apache",
        "php:8.2-apache",
        f"curl -fsS --data {KEPT} http://127.0.0.1/",
        "curl -fsS http://127.0.0.1/",
        volumes=("/var/www/html/uploads",),
        root_parent=True,
        felt=("SETGID", "SETUID"),
    ),
    Emulated(
        "registry",
        "registry:2.8",
        REGISTRY,
        f"curl -fsS http://127.0.0.1:5000/v2/a/blobs/sha256:$(printf %s {KEPT} | sha256sum | cut -c-64)",
        volumes=("/var/lib/registry",),
        felt_on_foreign_data=("DAC_OVERRIDE",),
    ),
    Emulated(
        "alertmanager",
        "prom/alertmanager:v0.25.0",
        SILENCE,
        SILENCES,
        network="bridge",
        volumes=("/alertmanager",),
    ),
    Emulated(
        "alertmanager",
        "prom/alertmanager:v0.25.0",
        SILENCE,
        SILENCES,
        network="bridge",
        command=("--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/tmp/data"),
        keeps=False,
        felt=(WRITABLE_ROOT,),
    ),
    Emulated(
        "caddy",
        "caddy:2",
        "true",
        "curl -fsS http://127.0.0.1/",
        "Caddy works",
        volumes=("/data",),
        felt=("NET_BIND_SERVICE",),
    ),
]
