"""What the profiles of images say, and what follows from them for one way of running an image."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from hardener.errors import Unreadable
from hardener.facts.container import DEFAULT_CAPABILITIES
from hardener.facts.image import parse_image
from hardener.facts.platform import KUBERNETES
from hardener.finding import Strength
from hardener.needs.conditions import Mount, Situation
from hardener.needs.needs import Needs
from hardener.needs.profile import BUILT_IN, Namesake, Profile, find_profile
from hardener.needs.profile_file import LONGEST_WHY, STRENGTHS, read_profile

FILES = sorted(name for name in os.listdir(BUILT_IN) if name.endswith(".toml"))
READ = [read_profile(name, Path(BUILT_IN, name).read_bytes()) for name in FILES]
PROFILES = [profile for profile in READ if isinstance(profile, Profile)]
NAMESAKES = [namesake for namesake in READ if isinstance(namesake, Namesake)]
ITEMS = [
    pytest.param(profile, item, id=f"{profile.file}:{type(item).__name__}:{item.why}")
    for profile in PROFILES
    for items in (
        profile.starts,
        profile.capabilities,
        profile.paths,
        profile.read_only,
        profile.no_new_privileges,
        profile.memory,
        profile.cpu,
        profile.pids,
        profile.ports,
        profile.user,
        profile.seccomp,
        profile.apparmor,
        profile.api,
        profile.unprivileged,
        profile.heaps,
        profile.healthchecks,
        profile.inherits,
    )
    for item in items
]
TEMPLATE = "/etc/nginx/templates/default.conf.template"
TRAEFIK_YAML = Mount(
    "/etc/traefik/traefik.yaml", "bind", text="certificatesResolvers: {le: {acme: {storage: /data/letsencrypt.json}}}"
)


def ask(image: str, situation: Situation | None = None) -> Needs:
    reference = parse_image(image)
    assert reference is not None
    profile = find_profile(reference)
    assert profile is not None, image
    return profile.evaluate(reference, situation or Situation())


def names(needs: Needs) -> str:
    assert needs.capabilities is not None
    return " ".join(needed.name for needed in needs.capabilities)


# The data.


def test_every_limit_leaves_room_for_the_runtime_that_starts_it() -> None:
    """Which takes more than 20 MB of the container's own memory: opencontainers/runc#1980, kubermatic/kubermatic#6847."""
    assert all(item.amount >= 64 for profile in PROFILES for item in profile.memory)


#: Of these no `latest` is built (docker-library/official-images, library/elasticsearch at 0110541, library/kibana at 005904b).
WITHOUT_LATEST = {"elasticsearch", "kibana"}


def test_the_twelve_images_of_the_first_release_are_known() -> None:
    known = {name for profile in PROFILES for name in profile.names}
    assert known >= set("postgres redis mariadb mysql mongo nginx httpd memcached rabbitmq traefik node python".split())


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.file)
def test_a_profile_is_found_by_its_names(profile: Profile) -> None:
    for name in profile.names:
        image = parse_image(name)
        assert image is not None
        assert find_profile(image) == profile
        assert profile.file == name.replace("/", "__") + ".toml"
        latest = name not in WITHOUT_LATEST
        assert (profile.version(image) is not None) is latest, "latest must be among the rolling tags, where there is such a tag"


@pytest.mark.parametrize("namesake", NAMESAKES, ids=lambda namesake: namesake.file)
def test_another_name_leads_to_the_profile(namesake: Namesake) -> None:
    for name in namesake.names:
        image = parse_image(name)
        assert image is not None
        assert namesake.file == name.replace("/", "__") + ".toml"
        found = find_profile(image)
        assert found is not None
        assert namesake.same_as in found.names


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.file)
def test_sources_are_exact_and_used(profile: Profile) -> None:
    text = Path(BUILT_IN, profile.file).read_text()
    for origin in profile.origins.values():
        assert re.fullmatch("[0-9a-f]{40}", origin.commit), origin
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", origin.repository), origin
        assert origin.commit in origin.url or origin.kind == "issue"
        assert origin.kind in STRENGTHS
        assert f'source = "{origin.id}"' in text, f"{origin.id} is not cited"


@pytest.mark.parametrize(("profile", "item"), ITEMS)
def test_items_carry_evidence_strong_enough_for_a_safe_fix(profile: Profile, item: object) -> None:
    evidence = item.evidence  # type: ignore[attr-defined]
    by_name = {f"{origin.repository} {origin.file}@{origin.commit[:7]}": origin.kind for origin in profile.origins.values()}
    assert evidence.source in by_name
    if evidence.strength >= Strength.READ:
        assert by_name[evidence.source] in ("code", "measurement")
    assert 0 < len(evidence.claim) <= LONGEST_WHY


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.file)
def test_no_capability_is_added_that_docker_would_not_grant(profile: Profile) -> None:
    assert {item.name for item in profile.capabilities} <= DEFAULT_CAPABILITIES


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.file)
def test_no_cpu_limit_above_one_core(profile: Profile) -> None:
    assert all(item.amount <= 1 for item in profile.cpu)


# What follows from it.

BIND = (Mount("/var/lib/postgresql/data", "bind"),)
VOLUME = (Mount("/var/lib/postgresql/data", "volume"),)


@pytest.mark.parametrize(
    ("image", "situation", "capabilities"),
    [
        ("postgres:16", Situation(), "DAC_OVERRIDE SETGID SETUID"),
        ("postgres:16", Situation(mounts=VOLUME), "DAC_OVERRIDE SETGID SETUID"),
        ("postgres:16", Situation(mounts=BIND), "CHOWN DAC_OVERRIDE SETGID SETUID"),
        ("postgres:16-alpine", Situation(mounts=BIND), "CHOWN DAC_OVERRIDE SETGID SETUID"),
        ("postgres:16", Situation(mounts=(Mount("/run/postgresql/", "tmpfs"),)), "CHOWN DAC_OVERRIDE SETGID SETUID"),
        ("postgres:16", Situation(environment={"PGDATA": "/var/lib/postgresql/data/db"}), "CHOWN DAC_OVERRIDE SETGID SETUID"),
        ("postgres:18", Situation(), "CHOWN DAC_OVERRIDE SETGID SETUID"),
        ("postgres", Situation(), "CHOWN DAC_OVERRIDE SETGID SETUID"),
        ("postgres:16", Situation(environment={"POSTGRES_INITDB_WALDIR": "/w"}), "CHOWN DAC_OVERRIDE FOWNER SETGID SETUID"),
        ("postgres:16", Situation(user="999:999", mounts=BIND), ""),
        ("postgres:16", Situation(user="postgres"), ""),
        ("postgres:16", Situation(user="root"), "DAC_OVERRIDE SETGID SETUID"),
        ("postgres:16", Situation(command=("postgres", "-c", "fsync=off")), "DAC_OVERRIDE SETGID SETUID"),
        ("postgres:16", Situation(command=("-c", "fsync=off")), "DAC_OVERRIDE SETGID SETUID"),
        ("redis:7", Situation(), "DAC_OVERRIDE SETGID SETUID"),
        ("redis:7", Situation(mounts=(Mount("/data", "bind"),)), "CHOWN DAC_OVERRIDE SETGID SETUID"),
        ("redis:7", Situation(mounts=(Mount("/data/redis.conf", "bind"),)), "CHOWN DAC_OVERRIDE SETGID SETUID"),
        ("mysql:8.4", Situation(), "DAC_OVERRIDE SETGID SETUID"),
        ("mariadb:11", Situation(), "DAC_OVERRIDE SETGID SETUID"),
        ("mariadb:11-ubi9", Situation(mounts=(Mount("/var/lib/mysql", "bind"),)), ""),
        ("mongo:8.0", Situation(), "CHOWN DAC_OVERRIDE SETGID SETUID"),
        ("nginx:1.27", Situation(), "CHOWN SETGID SETUID"),
        ("nginx:1.27", Situation(first_free_port=1024), "CHOWN NET_BIND_SERVICE SETGID SETUID"),
        ("nginx:1.27", Situation(mounts=(Mount("/etc/nginx/conf.d", "bind"),)), "CHOWN SETGID SETUID"),
        ("nginx:1.27", Situation(mounts=(Mount("/etc/nginx/certs", "bind"),)), "CHOWN DAC_OVERRIDE SETGID SETUID"),
        ("nginx:1.27", Situation(mounts=(Mount("/etc/nginx", "bind"),)), "CHOWN DAC_OVERRIDE SETGID SETUID"),
        ("httpd:2.4", Situation(), "SETGID SETUID"),
        ("memcached:1.6", Situation(), ""),
        ("traefik:v3.1", Situation(command=("--providers.docker=true",)), ""),
        ("traefik:v3.1", Situation(mounts=(Mount("/acme.json", "bind"),)), "DAC_OVERRIDE"),
        ("traefik:v3.1", Situation(first_free_port=1024), "NET_BIND_SERVICE"),
        # The folder where the configuration file keeps certificates may be another user's.
        ("traefik:v3.1", Situation(mounts=(Mount("/data", "bind"), TRAEFIK_YAML)), "DAC_OVERRIDE"),
        ("traefik:v3.1", Situation(mounts=(Mount("/data", "bind"), TRAEFIK_YAML._replace(text="providers: {docker: {}}"))), ""),
        (
            "traefik:v3.1",
            Situation(mounts=(Mount("/d", "bind"),), environment={"TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_STORAGE": "/d/a"}),
            "DAC_OVERRIDE",
        ),
        ("valkey/valkey:8.0", Situation(), "DAC_OVERRIDE SETGID SETUID"),
        ("eclipse-mosquitto:2", Situation(), "SETGID SETUID"),
        ("traefik/whoami", Situation(), ""),
        ("traefik/whoami", Situation(first_free_port=1024), "NET_BIND_SERVICE"),
        ("caddy:2", Situation(user="1000:1000"), "NET_BIND_SERVICE"),
        ("haproxy:3.2", Situation(), ""),
        ("prom/prometheus", Situation(), ""),
        ("grafana/promtail:3.0.0", Situation(mounts=(Mount("/var/log", "bind"),)), "DAC_OVERRIDE"),
        (
            "nginxproxy/nginx-proxy:1.7",
            Situation(mounts=(Mount("/etc/nginx/certs", "bind"),)),
            "CHOWN DAC_OVERRIDE KILL SETGID SETUID",
        ),
        ("wordpress:6.8-apache", Situation(), "CHOWN DAC_OVERRIDE FOWNER KILL SETGID SETUID"),
        ("wordpress:6.8-fpm-alpine", Situation(), "CHOWN DAC_OVERRIDE FOWNER KILL SETGID SETUID"),
        (
            "wordpress:6.8-apache",
            Situation(first_free_port=1024),
            "CHOWN DAC_OVERRIDE FOWNER KILL NET_BIND_SERVICE SETGID SETUID",
        ),
        ("ghost:6", Situation(mounts=(Mount("/var/lib/ghost/content", "bind"),)), "CHOWN DAC_OVERRIDE SETGID SETUID"),
        ("jenkins/jenkins:lts-jdk21", Situation(), ""),
        ("vaultwarden/server", Situation(mounts=(Mount("/data", "bind"),)), "DAC_OVERRIDE"),
        ("louislam/uptime-kuma:2-rootless", Situation(), "NET_RAW"),
        ("eclipse-mosquitto:2", Situation(mounts=(Mount("/mosquitto/config", "bind"),)), "CHOWN DAC_OVERRIDE SETGID SETUID"),
        ("adguard/adguardhome:v0.107.78", Situation(), "DAC_OVERRIDE NET_BIND_SERVICE NET_RAW"),
        ("adguard/adguardhome:v0.107.78", Situation(user="1000"), "NET_BIND_SERVICE"),
        ("binwiederhier/ntfy:v2.14.0", Situation(command=("serve",)), ""),
        ("binwiederhier/ntfy:v2.14.0", Situation(command=("serve",), first_free_port=1024), "NET_BIND_SERVICE"),
        ("ghcr.io/home-assistant/home-assistant", Situation(mounts=(Mount("/config", "bind"),)), "DAC_OVERRIDE NET_RAW"),
        ("ghcr.io/home-assistant/home-assistant", Situation(mounts=(Mount("/config", "volume"),)), "NET_RAW"),
        ("ghcr.io/paperless-ngx/paperless-ngx:2.18", Situation(), "CHOWN DAC_OVERRIDE KILL SETGID SETUID"),
        ("ghcr.io/immich-app/postgres:14-vectorchord0.4.3", Situation(mounts=BIND), "CHOWN DAC_OVERRIDE SETGID SETUID"),
        ("hashicorp/vault:1.15", Situation(), "KILL SETFCAP SETGID SETUID"),
        ("hashicorp/vault:1.15", Situation(environment={"SKIP_SETCAP": "1"}), "KILL SETGID SETUID"),
        (
            "hashicorp/vault:1.15",
            Situation(mounts=(Mount("/vault/file", "bind"),)),
            "CHOWN DAC_OVERRIDE KILL SETFCAP SETGID SETUID",
        ),
        ("cassandra:5", Situation(mounts=(Mount("/etc/cassandra", "bind"),)), "CHOWN DAC_OVERRIDE SETGID SETUID"),
        ("lscr.io/linuxserver/sonarr", Situation(environment={"PUID": "1000"}), "CHOWN DAC_OVERRIDE KILL SETGID SETUID"),
        ("timescale/timescaledb:2.14.2-pg15", Situation(mounts=VOLUME), "DAC_OVERRIDE SETGID SETUID"),
        ("timescale/timescaledb:latest-pg18", Situation(), "CHOWN DAC_OVERRIDE SETGID SETUID"),
        ("nodered/node-red:4.0.0", Situation(), "NET_RAW"),
        ("codeberg.org/forgejo/forgejo:15", Situation(), "CHOWN DAC_OVERRIDE KILL SETGID SETUID SYS_CHROOT"),
        ("netdata/netdata:v2.10.3", Situation(), "DAC_OVERRIDE NET_RAW SETGID SETUID"),
        ("oliver006/redis_exporter:v1.10.0-alpine", Situation(mounts=(Mount("/tls", "bind"),)), "DAC_OVERRIDE"),
        ("oliver006/redis_exporter:v1.62.0-alpine", Situation(mounts=(Mount("/tls", "bind"),)), ""),
        # With 1.11 it left root, and got what it needs for port 53 with its program.
        ("coredns/coredns:1.10.1", Situation(first_free_port=1024), "NET_BIND_SERVICE"),
        ("coredns/coredns:1.10.1", Situation(), ""),
        ("registry.k8s.io/coredns/coredns:v1.12.0", Situation(command=("-conf", "/etc/coredns/Corefile")), "NET_BIND_SERVICE"),
        ("registry.k8s.io/ingress-nginx/controller:v1.12.0", Situation(), "NET_BIND_SERVICE"),
        ("registry.k8s.io/external-dns/external-dns:v0.18.0", Situation(command=("--source=service",)), ""),
    ],
)
def test_capabilities(image: str, situation: Situation, capabilities: str) -> None:
    needs = ask(image, situation)
    assert needs.holds, needs.why_not
    assert names(needs) == capabilities
    assert needs.no_more_capabilities is not None


@pytest.mark.parametrize(
    ("command", "why"),
    [(None, "listens on port 53"), (("-conf", "/etc/coredns/Corefile"), "its options or its Corefile may name port 53")],
)
def test_only_without_a_corefile_it_is_known_that_coredns_listens_on_port_53(command: tuple[str, ...] | None, why: str) -> None:
    needs = ask("coredns/coredns:1.10.0", Situation(command=command, first_free_port=1024))
    assert [needed.why for needed in needs.capabilities or ()] == [why]


@pytest.mark.parametrize(
    ("image", "situation", "tmpfs"),
    [
        ("postgres:16", Situation(), "/var/run/postgresql 999:999 /tmp 999:999"),
        ("postgres:16-alpine3.20", Situation(), "/var/run/postgresql 70:70 /tmp 70:70"),
        ("postgres:16", Situation(user="1000:1001"), "/var/run/postgresql 1000:1001 /tmp 1000:1001"),
        ("postgres:16", Situation(user="999"), "/var/run/postgresql 999:999 /tmp 999:999"),
        ("postgres:16", Situation(user="1000"), "/var/run/postgresql 1000:0 /tmp 1000:0"),
        ("postgres:16", Situation(mounts=(Mount("/run/postgresql", "volume"),)), "/tmp 999:999"),
        ("redis:7", Situation(), ""),
        ("memcached:1.6", Situation(), ""),
        ("mysql:8", Situation(), "/var/run/mysqld 999:999 /tmp 999:999"),
        ("nginx:1.27", Situation(), "/var/cache/nginx 0:0 /var/run 0:0 /tmp 0:0"),
        (
            "nginx:1.27",
            Situation(mounts=(Mount(TEMPLATE, "bind", text=""),)),
            "/var/cache/nginx 0:0 /var/run 0:0 /tmp 0:0 /etc/nginx/conf.d 0:0",
        ),
        ("httpd:2.4", Situation(), "/usr/local/apache2/logs 0:0"),
        ("ghcr.io/immich-app/postgres:14", Situation(), "/var/run/postgresql 999:999 /etc/postgresql 0:0 /tmp 999:999"),
        ("ghcr.io/paperless-ngx/paperless-ngx:2.18", Situation(), "/run 0:0 /tmp 0:0"),
        ("timescale/timescaledb:2.14.2-pg15", Situation(), "/var/run/postgresql 70:70 /tmp 70:70"),
        ("ghcr.io/gethomepage/homepage:v1.13.2", Situation(mounts=(Mount("/app/config", "bind"),)), "/app/.next/cache 0:0"),
        ("prom/pushgateway:v1.11.0", Situation(), ""),
        (
            "registry.k8s.io/metrics-server/metrics-server:v0.8.0",
            Situation(command=("--cert-dir=/tmp", "--secure-port=10250")),
            "/tmp 65534:65534",
        ),
        (
            "registry.k8s.io/metrics-server/metrics-server:v0.8.0",
            Situation(command=("--tls-cert-file=/tls/tls.crt", "--tls-private-key-file=/tls/tls.key")),
            "",
        ),
        (
            "quay.io/argoproj/argocd:v3.0.0",
            Situation(command=("/usr/local/bin/argocd-server",), platform=KUBERNETES),
            "/tmp 0:0 /home/argocd 0:0",
        ),
        ("registry.k8s.io/pause:3.9", Situation(), ""),
    ],
)
def test_read_only_with_tmpfs(image: str, situation: Situation, tmpfs: str) -> None:
    needs = ask(image, situation)
    assert needs.read_only is not None
    assert needs.read_only.works, needs.read_only.why
    assert " ".join(f"{mount.path} {mount.uid}:{mount.gid}" for mount in needs.tmpfs) == tmpfs


@pytest.mark.parametrize("name", ["PGDATA", "POSTGRES_INITDB_WALDIR"])
def test_a_place_that_is_not_known_is_not_the_root(name: str) -> None:
    """An env_file that is not there may set any variable."""
    for situation in (Situation(environment={name: None}), Situation(more_environment=True)):
        needs = ask("postgres:16", situation)
        assert "" in {written.path for written in needs.writes}
        assert "/" not in {written.path for written in needs.writes}
        assert needs.read_only is not None
        assert not needs.read_only.works
        assert "not known" in needs.read_only.why


NGINX_SITE = Mount("/etc/nginx/conf.d/default.conf", "bind", text="server {\n  listen 80;\n}")
CADDY_SITE = Mount("/etc/caddy/Caddyfile", "bind", text="example.com {\n\treverse_proxy app:8080\n}")


@pytest.mark.parametrize(
    ("image", "situation", "ports"),
    [
        ("nginx:1.27", Situation(), [80]),
        ("nginx:1.27", Situation(mounts=(NGINX_SITE,)), [80]),
        ("nginx:1.27", Situation(mounts=(NGINX_SITE._replace(text="server { listen [::]:80; }"),)), [80]),
        ("nginx:1.27", Situation(mounts=(NGINX_SITE._replace(text="server { listen 8080; }"),)), []),
        ("nginx:1.27", Situation(mounts=(NGINX_SITE._replace(text=None),)), []),
        ("nginx:1.27", Situation(copied=(NGINX_SITE._replace(text="server { listen 8080; }"),)), []),
        ("nginx:1.27", Situation(mounts=(Mount("/usr/share/nginx/html", "bind"),)), [80]),
        ("nginx:1.27", Situation(mounts=(Mount("/etc/nginx/nginx.conf", "bind", text="include /etc/nginx/conf.d/*;"),)), [80]),
        ("nginx:1.27", Situation(mounts=(Mount("/etc/nginx/nginx.conf", "bind", text="listen 443;"),)), []),
        ("caddy:2", Situation(), [80, 443]),
        ("caddy:2", Situation(mounts=(CADDY_SITE,)), [80, 443]),
        ("caddy:2", Situation(copied=(CADDY_SITE._replace(text="{\n\tadmin off\n}\n\n:8080 {\n}"),)), []),
        ("httpd:2.4", Situation(mounts=(Mount("/usr/local/apache2/conf/httpd.conf", "bind", text="Listen 8080"),)), []),
        ("traefik:v3", Situation(), [80]),
        ("traefik:v3", Situation(command=("--entrypoints.web.address=:8080",)), []),
        ("redis:7", Situation(command=("redis-server", "--port", "0", "--tls-port", "6380")), []),
        ("postgres:16", Situation(command=("postgres", "-c", "max_connections=9")), [5432]),
        ("postgres:16", Situation(command=("postgres", "-c", "port=5433")), []),
        ("mongo:7", Situation(command=("mongod", "--port", "1")), []),
    ],
)
def test_a_port_is_named_where_nothing_moves_it(image: str, situation: Situation, ports: list[int]) -> None:
    assert [port.number for port in ask(image, situation).ports] == ports


MY_CNF = Mount("/etc/mysql/conf.d/x.cnf", "bind")
CADDYFILE = Mount("/etc/caddy/Caddyfile", "bind", text="example.com {\n reverse_proxy app:80\n}")
HAPROXY = Mount("/usr/local/etc/haproxy/haproxy.cfg", "bind", text="frontend a\n bind :80")
NTFY = Mount("/etc/ntfy/server.yml", "bind", text="cache-file: /var/cache/ntfy/cache.db")
CONFIGURED = Mount("/etc/nginx/conf.d/default.conf", "bind", text="server { listen 80; access_log off; }")


@pytest.mark.parametrize(
    ("image", "situation", "works"),
    [
        ("postgres:16", Situation(environment={"PGDATA": "/elsewhere"}), False),
        ("postgres:16", Situation(environment={"PGDATA": "/elsewhere"}, mounts=(Mount("/elsewhere", "volume"),)), True),
        ("postgres:16", Situation(environment={"PGDATA": None}), False),
        ("postgres:16", Situation(environment={"POSTGRES_INITDB_WALDIR": "/w"}), False),
        # No VOLUME in newer images: without a mount the data would be on the root.
        ("redis:8.6", Situation(), False),
        ("redis:8.6", Situation(mounts=(Mount("/data", "volume"),)), True),
        ("redis:7", Situation(command=("redis-server", "--dir", "/else")), False),
        ("redis:7", Situation(command=("redis-server", "/x/y.conf")), False),
        ("nginx:1.27", Situation(mounts=(Mount("/etc/nginx/templates", "bind", text=""),)), False),
        ("nginx:1.27", Situation(environment={"NGINX_ENVSUBST_OUTPUT_DIR": "/etc/nginx"}), False),
        ("nginx:1.27", Situation(mounts=(CONFIGURED,)), True),
        ("nginx:1.27", Situation(mounts=(CONFIGURED._replace(text="access_log /var/log/nginx/site.log;"),)), False),
        ("nginx:1.27", Situation(mounts=(CONFIGURED._replace(text=None),)), False),
        ("nginx:1.27-alpine", Situation(), False),
        ("nginx:1.27-alpine", Situation(mounts=(CONFIGURED,)), True),
        ("traefik:v3", Situation(command=("--certificatesresolvers.le.acme.storage=/le/acme.json",)), False),
        (
            "traefik:v3",
            Situation(command=("--certificatesresolvers.le.acme.storage=/le/acme.json",), mounts=(Mount("/le", "bind"),)),
            True,
        ),
        ("mariadb:11", Situation(mounts=(MY_CNF._replace(text="[mysqld]\nmax_connections=9"),)), True),
        ("mariadb:11", Situation(mounts=(MY_CNF._replace(text="slow_query_log_file = /var/log/s"),)), False),
        ("caddy:2", Situation(), False),
        ("caddy:2", Situation(mounts=(Mount("/data", "volume"),)), True),
        ("caddy:2", Situation(mounts=(Mount("/data", "volume"), CADDYFILE._replace(text="a.b {\n tls internal\n}"))), False),
        ("caddy:2", Situation(mounts=(Mount("/data", "volume"), CADDYFILE)), True),
        ("haproxy:3.2", Situation(mounts=(HAPROXY,)), True),
        ("haproxy:3.2", Situation(mounts=(HAPROXY._replace(text="global\n  chroot /var/lib/haproxy"),)), False),
        ("prom/prometheus", Situation(command=("--storage.tsdb.path=/data",)), False),
        ("grafana/loki:3.0.0", Situation(mounts=(Mount("/loki", "volume"),)), True),
        ("phpmyadmin", Situation(), False),
        ("adminer", Situation(environment={"ADMINER_DESIGN": "nette"}), False),
        ("nextcloud:33", Situation(environment={"REDIS_HOST": "redis"}), False),
        ("vaultwarden/server", Situation(environment={"LOG_FILE": "/data/log"}), False),
        ("prom/pushgateway", Situation(command=("--persistence.file=/data/metrics",)), False),
        ("victoriametrics/victoria-metrics:v1.102.0", Situation(), False),
        (
            "victoriametrics/victoria-metrics:v1.102.0",
            Situation(command=("--storageDataPath=/s",), mounts=(Mount("/s", "volume"),)),
            True,
        ),
        ("victoriametrics/victoria-metrics:v1.102.0", Situation(command=("-storageDataPath=/s",)), False),
        ("binwiederhier/ntfy", Situation(command=("serve",), mounts=(NTFY,)), False),
        ("binwiederhier/ntfy", Situation(command=("serve",), mounts=(NTFY, Mount("/var/cache/ntfy", "volume"))), True),
        ("binwiederhier/ntfy", Situation(command=("serve",), mounts=(NTFY._replace(text="cache-file: /srv/c.db"),)), False),
        ("adguard/adguardhome", Situation(mounts=(Mount("/opt/adguardhome/work", "volume"),)), False),
        ("adguard/adguardhome", Situation(mounts=(Mount("/opt/adguardhome", "volume"),)), True),
        ("ghcr.io/paperless-ngx/paperless-ngx:2.18", Situation(environment={"USERMAP_UID": "1001"}), False),
        ("lscr.io/linuxserver/sonarr", Situation(environment={"PUID": "1000"}), False),
        ("hashicorp/vault:1.15", Situation(), False),
        ("cassandra:5", Situation(), False),
        ("minio/minio:RELEASE.2025-04-03T14-56-28Z", Situation(command=("server", "/data")), True),
        ("minio/minio:RELEASE.2025-04-03T14-56-28Z", Situation(command=("server", "--address=:9", "/mnt/data")), False),
        ("minio/minio:RELEASE.2025-04-03T14-56-28Z", Situation(command=("server", "./data")), False),
    ],
)
def test_read_only_depends_on_the_situation(image: str, situation: Situation, works: bool) -> None:
    needs = ask(image, situation)
    assert needs.read_only is not None
    assert needs.read_only.works is works, needs.read_only.why
    if not works:
        assert needs.tmpfs == ()


@pytest.mark.parametrize("image", ["nginx:1.27", "nginxinc/nginx-unprivileged:1.27"])
def test_a_cluster_may_have_nothing_but_ipv6(image: str) -> None:
    """The start script writes that listener into the shipped configuration, and goes on without where it cannot."""
    for situation, doubted in (
        (Situation(platform=KUBERNETES), True),
        (Situation(platform=KUBERNETES, mounts=(CONFIGURED,)), False),
        (Situation(), False),
    ):
        verdict = ask(image, situation).read_only
        assert verdict is not None
        assert verdict.works
        assert ("IPv6" in verdict.doubt) is doubted


@pytest.mark.parametrize(
    ("image", "situation", "works"),
    [
        ("postgres:16", Situation(), True),
        ("redis:7", Situation(), True),
        ("redis:8.0", Situation(command=("redis-server", "/x/redis.conf")), False),
        ("redis:7", Situation(command=("redis-server", "/x/sentinel.conf", "--sentinel")), False),
        ("nginx:1.27", Situation(), False),
        ("httpd:2.4", Situation(), False),
        ("eclipse-mosquitto:2", Situation(), True),
        ("eclipse-mosquitto:2", Situation(environment={"PUID": "1000"}), False),
        ("wordpress:6.8-fpm", Situation(), True),
        ("wordpress:6.8-apache", Situation(), None),
        ("nextcloud:33", Situation(), False),
        ("memcached:1.6", Situation(), None),
    ],
)
def test_who_may_start_as_the_account_it_steps_down_to(image: str, situation: Situation, works: bool | None) -> None:
    verdict = ask(image, situation).user
    assert (None if verdict is None else verdict.works) is works


@pytest.mark.parametrize(
    ("image", "situation", "capabilities", "devices"),
    [
        ("gcr.io/cadvisor/cadvisor:v0.52.1", Situation(), ("SYSLOG",), ("/dev/kmsg",)),
        ("gcr.io/cadvisor/cadvisor:v0.52.1", Situation(command=("--enable_metrics=process",)), None, ()),
        ("qmcgaw/gluetun:v3", Situation(), ("NET_ADMIN",), ("/dev/net/tun",)),
        ("docker:27-dind", Situation(), None, ()),
        ("prom/node-exporter:v1.9.1", Situation(command=("--path.rootfs=/host",)), (), ()),
    ],
)
def test_what_serves_instead_of_privileged(
    image: str, situation: Situation, capabilities: tuple[str, ...] | None, devices: tuple[str, ...]
) -> None:
    answer = ask(image, situation).unprivileged
    assert answer is not None
    assert (answer.capabilities if answer.works else None, answer.devices) == (capabilities, devices)


@pytest.mark.parametrize(
    ("image", "uid"),
    [("php:8.3-fpm", 33), ("php:8.3-fpm-alpine", 82), ("wordpress:6.8-fpm", 33), ("wordpress:6.8-fpm-alpine", 82)],
)
def test_two_words_of_a_tag_choose_the_account(image: str, uid: int) -> None:
    account = ask(image).account
    assert account is not None
    assert account.uid == uid


def test_data_is_never_a_tmpfs() -> None:
    for profile in PROFILES:
        data = [path.path for path in profile.paths if path.kind == "data"]
        needs = ask(profile.names[0], Situation(mounts=tuple(Mount(path, "volume") for path in data)))
        assert not {mount.path for mount in needs.tmpfs} & set(needs.data)


@pytest.mark.parametrize(
    ("image", "command", "mib"),
    [
        ("postgres:16", None, 4096),
        ("postgres:16", ("-c", "shared_buffers=2GB"), None),
        ("postgres:16", ("postgres", "-cmax_connections=500"), None),
        ("redis:7", None, None),
        ("redis:7", ("redis-server", "--maxmemory", "256mb", "--maxmemory-policy", "allkeys-lru"), 256 + 3 * 256),
        ("redis:7", ("--maxmemory=268435456",), 256 + 3 * 256),
        ("redis:7", ("redis-server", "--maxmemory", "0"), None),
        ("redis:7", ("redis-server", "--maxmemory", "${SIZE}"), None),
        ("memcached:1.6", None, 512),
        ("memcached:1.6", ("memcached", "-m", "1024"), 256 + 1.5 * 1024),
        ("memcached:1.6", ("-m64",), 256 + 1.5 * 64),
        ("memcached:1.6", ("memcached", "-m", "64", "-c", "100000"), None),
        ("rabbitmq:4", None, None),
        ("mongo:8", None, 4096),
        ("mongo:6", None, None),
    ],
)
def test_memory_is_limited_only_where_something_bounds_it(image: str, command: tuple[str, ...] | None, mib: float | None) -> None:
    needs = ask(image, Situation(command=command))
    assert needs.holds, needs.why_not
    assert (needs.memory and needs.memory.amount) == (mib and pytest.approx(mib, rel=0.001))
    assert ("memory" in needs.unknown) is (mib is None)


def test_a_mounted_configuration_may_change_the_limits() -> None:
    def memory(text: str | None) -> object:
        return ask("mysql:8.4", Situation(mounts=(Mount("/etc/mysql/conf.d", "bind", text=text),))).memory

    assert memory("[mysqld]\nsql_mode=ANSI") is not None
    assert memory("innodb_buffer_pool_size=8G") is None
    assert memory(None) is None
    assert memory("#" * 1_000_000) is None


NGINX_CONF = Mount(
    "/etc/nginx/nginx.conf",
    "bind",
    text="worker_processes  auto;\nevents {\n  worker_connections  1024;\n}\nhttp {\n"
    "  include /etc/nginx/mime.types;\n  default_type application/octet-stream;\n  #gzip on;\n}\n",
)
MOSQUITTO = Mount("/mosquitto/config/mosquitto.conf", "bind", text="listener 1883\nallow_anonymous true\n")


def _nginx(line: str) -> Situation:
    return Situation(mounts=(CONFIGURED._replace(text=f"server {{\n  listen 80;\n  {line}\n}}\n"),))


def _haproxy(setting: str, bind: str = "  bind :80") -> Situation:
    text = f"global\n{setting}\n\ndefaults\n  maxconn 3000\n\nfrontend http\n{bind}\n"
    return Situation(mounts=(HAPROXY._replace(text=text),))


def _file(path: str, text: str | None) -> Situation:
    return Situation(mounts=(Mount(path, "bind", text=text),))


@pytest.mark.parametrize(
    ("image", "situation", "question", "amount"),
    [
        ("nginx:1.27", Situation(), "memory", 2048),
        ("nginxinc/nginx-unprivileged:1.27", Situation(), "memory", 2048),
        ("nginx:1.27", Situation(mounts=(NGINX_CONF,)), "memory", 2048),
        ("nginx:1.27", Situation(copied=(Mount("/usr/share/nginx/html", "bind"),)), "memory", 2048),
        ("nginx:1.27", Situation(copied=(Mount("/etc/nginx/conf.d", "bind"),)), "memory", None),
        ("nginx:1.27", Situation(command=("nginx", "-g", "daemon off;")), "memory", 2048),
        ("nginx:1.27", Situation(command=("nginx", "-g", "worker_processes 64;")), "memory", None),
        ("nginx:1.27", Situation(command=("nginx", "-c", "/else.conf")), "memory", None),
        ("nginx:1.27", Situation(mounts=(Mount("/docker-entrypoint.d", "bind"),)), "memory", None),
        ("nginx:1.27", Situation(mounts=(Mount("/usr/share/nginx/html", "bind"),)), "memory", 2048),
        ("nginx:1.27", _file("/etc/nginx/nginx.conf", "events {\n worker_connections 4096;\n}"), "memory", None),
        ("nginx:1.27", _file("/etc/nginx/nginx.conf", "events {\n worker_connections 10240;\n}"), "memory", None),
        ("nginx:1.27", _file("/etc/nginx/nginx.conf", "events { worker_connections 512; }"), "memory", 2048),
        ("nginx:1.27", _file("/etc/nginx/nginx.conf", "worker_processes 32;"), "memory", None),
        ("nginx:1.27", _file("/etc/nginx/nginx.conf", "worker_processes 4;"), "memory", 2048),
        ("nginx:1.27", _file("/etc/nginx/nginx.conf", "stream {\n}"), "memory", None),
        ("nginx:1.27", _file("/etc/nginx/nginx.conf", None), "memory", None),
        ("nginx:1.27", _nginx('add_header Cache-Control "no-cache";'), "memory", 2048),
        ("nginx:1.27", _nginx("location ~ [.](png|mp4)$ { expires 1d; }"), "memory", 2048),
        ("nginx:1.27", _nginx("# proxy_pass http://app;"), "memory", 2048),
        ("nginx:1.27", _nginx("location / { proxy_pass http://app; }"), "memory", None),
        ("nginx:1.27", _nginx("fastcgi_pass app:9000;"), "memory", None),
        ("nginx:1.27", _nginx("gzip on;"), "memory", None),
        ("nginx:1.27", _nginx("listen 443 ssl;"), "memory", None),
        ("nginx:1.27", _nginx("http2 on;"), "memory", None),
        ("nginx:1.27", _nginx("large_client_header_buffers 8 1m;"), "memory", None),
        ("nginx:1.27", _nginx("client_body_buffer_size 64m;"), "memory", None),
        ("nginx:1.27", _nginx("limit_req_zone $binary_remote_addr zone=one:900m rate=1r/s;"), "memory", None),
        ("nginx:1.27", _nginx("open_file_cache max=1000000;"), "memory", None),
        ("nginx:1.27", _nginx("content_by_lua_file /x.lua;"), "memory", None),
        ("nginx:1.27", _nginx("mp4;"), "memory", None),
        ("nginx:1.27", _nginx("include /srv/more.conf;"), "memory", None),
        ("eclipse-mosquitto:2", Situation(), "cpu", 1),
        ("eclipse-mosquitto:2", Situation(mounts=(MOSQUITTO,)), "cpu", 1),
        ("eclipse-mosquitto:2", Situation(mounts=(MOSQUITTO,)), "pids", 128),
        ("eclipse-mosquitto:2", Situation(mounts=(Mount("/mosquitto/data", "volume"), MOSQUITTO)), "pids", 128),
        ("eclipse-mosquitto:2", Situation(mounts=(Mount("/mosquitto/config", "volume"),)), "pids", None),
        ("eclipse-mosquitto:2", _file(MOSQUITTO.target, "plugin  /usr/lib/mosquitto_dynamic_security.so"), "cpu", 1),
        ("eclipse-mosquitto:2", _file(MOSQUITTO.target, "auth_plugin /mosquitto/go-auth.so"), "cpu", None),
        ("eclipse-mosquitto:2", _file(MOSQUITTO.target, "plugin /mosquitto/go-auth.so"), "pids", None),
        ("eclipse-mosquitto:2", _file(MOSQUITTO.target, "include_dir /etc/more"), "pids", None),
        ("eclipse-mosquitto:2", _file("/srv/broker.conf", "plugin /x.so"), "pids", None),
        ("eclipse-mosquitto:2.1", _file(MOSQUITTO.target, "listener 9883\nprotocol http_api"), "cpu", None),
        ("eclipse-mosquitto:2", Situation(), "memory", None),
        ("traefik:v3", Situation(command=("--providers.docker=true",)), "pids", 2048),
        ("traefik:v3", Situation(command=("--experimental.plugins.x.modulename=y",)), "pids", None),
        ("traefik:v3", Situation(command=("--configFile=/x.yml",)), "pids", None),
        ("traefik:v3", Situation(environment={"TRAEFIK_EXPERIMENTAL_PLUGINS_X": "y"}), "pids", None),
        ("traefik:v3", _file("/etc/traefik/traefik.yml", "experimental:\n  plugins: {}"), "pids", None),
        ("traefik:v3", _file("/etc/traefik/traefik.yml", "api: {}"), "pids", 2048),
        ("traefik:v3", Situation(), "memory", None),
        ("php:8.3-apache", Situation(), "pids", 4096),
        ("php:8.3-apache", _file("/etc/apache2/mods-enabled/mpm_prefork.conf", "MaxRequestWorkers 150"), "pids", 4096),
        ("php:8.3-apache", _file("/etc/apache2/mods-enabled/mpm_prefork.conf", "ServerLimit 2000"), "pids", None),
        ("php:8.3-apache", _file("/etc/apache2", None), "pids", None),
        ("php:8.3-fpm", Situation(), "pids", 1024),
        ("php:8.3-fpm-alpine", _file("/usr/local/etc/php/conf.d/a.ini", "memory_limit = 1G"), "pids", 1024),
        ("php:8.3-fpm", _file("/usr/local/etc/php-fpm.d/www.conf", "[www]\npm.max_children = 50\n"), "pids", 1024),
        ("php:8.3-fpm", _file("/usr/local/etc/php-fpm.d/www.conf", "[www]\npm.max_children = 500\n"), "pids", None),
        ("php:8.3-fpm", _file("/usr/local/etc/php-fpm.d/x.conf", "pm.max_children = 5\n[b]\npm.max_children = 5"), "pids", None),
        ("php:8.3-fpm", _file("/usr/local/etc/php-fpm.d", None), "pids", None),
        ("php:8.3-apache", Situation(), "memory", None),
        ("httpd:2.4", Situation(), "pids", 1024),
        (
            "httpd:2.4",
            _file("/usr/local/apache2/conf/httpd.conf", "#LoadModule cgi_module x.so\nScriptAlias /cgi-bin/ /x/"),
            "pids",
            1024,
        ),
        ("httpd:2.4", _file("/usr/local/apache2/conf/httpd.conf", "MaxRequestWorkers 4000"), "pids", None),
        ("httpd:2.4", _file("/usr/local/apache2/conf/httpd.conf", "LoadModule http2_module x.so"), "pids", None),
        ("httpd:2.4", _file("/usr/local/apache2/conf/httpd.conf", "LoadModule cgid_module x.so"), "pids", None),
        ("httpd:2.4", _file("/usr/local/apache2/conf/httpd.conf", "IncludeOptional /srv/*.conf"), "pids", None),
        ("httpd:2.4", _file("/usr/local/apache2/conf/httpd.conf", None), "pids", None),
        ("httpd:2.4", _file("/usr/local/apache2/conf/httpd.conf", "Listen 80"), "memory", None),
        ("wordpress:6.8", Situation(), "pids", 4096),
        ("wordpress:6.8-fpm", Situation(), "pids", 1024),
        ("wordpress:6.8-fpm-alpine", _file("/usr/local/etc/php-fpm.d/zz.conf", "pm.max_children=200"), "pids", None),
        ("drupal:11", _file("/etc/apache2/apache2.conf", "ServerLimit 1000"), "pids", None),
        ("phpmyadmin", Situation(), "pids", 4096),
        ("nextcloud:33", Situation(), "pids", 4096),
        ("nextcloud:33", Situation(), "memory", None),
        ("tecnativa/docker-socket-proxy", Situation(environment={"CONTAINERS": "1"}), "memory", 512),
        ("tecnativa/docker-socket-proxy", _file("/usr/local/etc/haproxy/haproxy.cfg.template", "maxconn 9"), "memory", None),
        ("haproxy:3.2", _haproxy("  maxconn 4096"), "memory", 1024),
        ("haproxy:3.2", _haproxy("  log stdout local0\n\n  maxconn 2000 # enough"), "memory", 1024),
        ("haproxy:3.2", _haproxy("  maxconn 100000"), "memory", None),
        ("haproxy:3.2", _haproxy("  log stdout local0"), "memory", None),
        ("haproxy:3.2", _haproxy("  maxconn 4096\n  tune.bufsize 1048576"), "memory", None),
        ("haproxy:3.2", _haproxy("  maxconn 4096", "  bind :443 ssl crt /x.pem"), "memory", None),
        ("haproxy:3.2", _haproxy("  maxconn 4096", "  stick-table type ip size 100m"), "memory", None),
        ("haproxy:3.2", Situation(mounts=(HAPROXY._replace(text=None),)), "memory", None),
        ("haproxy:3.2", Situation(), "memory", None),
        ("swaggerapi/swagger-ui:v5.17.14", Situation(), "pids", 512),
        ("nats:2.11", Situation(), "pids", 2048),
        ("nats:2.11", Situation(command=("-js", "-sd", "/data")), "pids", None),
        ("nats:2.11", Situation(command=("--jetstream",)), "pids", None),
        ("nats:2.11", _file("/etc/nats/nats.conf", "jetstream {\n}"), "pids", None),
        ("nats:2.11", _file("/nats-server.conf", None), "pids", None),
        ("vaultwarden/server:1.34.3", Situation(environment={"ROCKET_PORT": "8080"}), "pids", 2048),
        ("vaultwarden/server:1.34.3", Situation(environment={"ROCKET_WORKERS": "4000"}), "pids", None),
        ("vaultwarden/server:1.34.3", Situation(environment={"ROCKET_MAX_BLOCKING": "4000"}), "pids", None),
        ("zookeeper:3.9", Situation(environment={"ZOO_MY_ID": "1"}), "pids", 2048),
        ("zookeeper:3.9", Situation(environment={"JVMFLAGS": "-Dzookeeper.nio.numWorkerThreads=5000"}), "pids", None),
        ("quay.io/coreos/etcd:v3.5.21", Situation(), "pids", 2048),
        ("rabbitmq:4", Situation(), "pids", 2048),
        ("rabbitmq:4-management", Situation(environment={"RABBITMQ_DEFAULT_USER": "x"}), "pids", 2048),
        ("rabbitmq:4", Situation(environment={"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+A 1024"}), "pids", None),
        ("rabbitmq:4", _file("/etc/rabbitmq/rabbitmq-env.conf", "SERVER_ADDITIONAL_ERL_ARGS='+S 500'"), "pids", None),
        ("prom/node-exporter:v1.9.1", Situation(command=("--path.rootfs=/host",)), "cpu", 1),
        ("prom/node-exporter", Situation(), "cpu", 1),
        ("prom/node-exporter:v1.3.1", Situation(), "cpu", None),
        ("prom/node-exporter:v1.9.1", Situation(command=("--runtime.gomaxprocs=0",)), "cpu", None),
        ("prom/node-exporter:v1.9.1", Situation(environment={"GOMAXPROCS": "8"}), "cpu", None),
        ("mongo-express:1.0", Situation(), "pids", 256),
        ("mongo-express:1.0", Situation(), "cpu", 1),
        ("ghcr.io/joeferner/redis-commander", Situation(), "cpu", 1),
        ("maildev/maildev:2.2.1", Situation(), "pids", 256),
        ("redis:7", Situation(), "memory", None),
        ("prom/prometheus", Situation(), "memory", None),
        ("rabbitmq:4", Situation(), "memory", None),
    ],
)
def test_a_limit_holds_as_long_as_nothing_raises_its_bound(
    image: str, situation: Situation, question: str, amount: float | None
) -> None:
    needs = ask(image, situation)
    assert needs.holds, needs.why_not
    limit = getattr(needs, question)
    assert (limit and limit.amount) == amount
    assert (question in needs.unknown) is (amount is None)


@pytest.mark.parametrize(
    ("image", "situation", "word"),
    [
        ("postgres:9.6", Situation(), "tag '9.6'"),
        ("postgres:custom", Situation(), "tag 'custom'"),
        ("postgres@sha256:" + "0" * 64, Situation(), "digest"),
        ("mongo:8-windowsservercore", Situation(), "tag"),
        ("postgres:16", Situation(entrypoint=("sh", "-c", "true")), "entrypoint"),
        ("postgres:16", Situation(command=("sh", "-c", "postgres")), "'sh'"),
        ("postgres:16", Situation(command=()), "nothing"),
        ("postgres:16", Situation(user="${UID}:${GID}"), "before the project runs"),
        ("postgres:16", Situation(user="app"), "'app'"),
        ("memcached:1.6", Situation(user="root"), "root"),
        ("node:20", Situation(command=("npm", "start")), "'npm'"),
    ],
)
def test_a_profile_does_not_hold_where_it_says_nothing(image: str, situation: Situation, word: str) -> None:
    needs = ask(image, situation)
    assert not needs.holds
    assert word in needs.why_not
    assert (needs.capabilities, needs.read_only, needs.memory, needs.tmpfs) == (None, None, None, ())


@pytest.mark.parametrize(
    ("image", "root", "uid"),
    [
        ("postgres:16", True, 999),
        ("postgres:16-alpine", True, 70),
        ("redis:7", True, 999),
        ("redis:7-alpine", True, 999),
        ("rabbitmq:3-management-alpine", True, 100),
        ("httpd:2.4-alpine", True, 82),
        # The first with www-data is docker-library/httpd af35e5c, of November 2021.
        ("httpd:2.4.46", True, 1),
        ("httpd:2.4.50-alpine", True, 2),
        ("memcached:1.6-alpine", False, 11211),
        ("mariadb:11.4-ubi", False, 999),
        ("traefik:v2.11", True, None),
        ("k8s.gcr.io/pause:3.4.1", True, None),
        ("registry.k8s.io/pause:3.5", False, 65535),
        ("quay.io/jetstack/cert-manager-webhook:v1.19.1", False, 1000),
        ("quay.io/jetstack/cert-manager-webhook:v1.20.0", False, 65532),
        ("registry.k8s.io/external-dns/external-dns:v0.13.5", False, 65534),
        ("registry.k8s.io/external-dns/external-dns:v0.14.0", True, None),
    ],
)
def test_who_starts_and_who_serves(image: str, root: bool, uid: int | None) -> None:
    needs = ask(image)
    assert needs.root is root
    assert (needs.account and needs.account.uid) == uid


@pytest.mark.parametrize(
    ("tag", "claim", "file"),
    [
        ("1.8.10", "neither gains nor gives up privileges", "influxdb/1.8/entrypoint.sh"),
        ("2.7", "stepping down only gives up privileges", "influxdb/2.7/entrypoint.sh"),
        ("3-core", "has no privileges to give up", "influxdb/3.0-core/Dockerfile"),
        ("latest", "stepping down only gives up privileges", "influxdb/2.7/entrypoint.sh"),
    ],
)
def test_no_version_steps_down_by_what_another_one_does(tag: str, claim: str, file: str) -> None:
    verdict = ask(f"influxdb:{tag}").no_new_privileges
    assert verdict is not None
    assert verdict.works
    assert verdict.evidence.claim == claim
    assert f" {file}@" in verdict.evidence.source


KUBECONFIG = ("--kubeconfig=/etc/kube/config",)


@pytest.mark.parametrize(
    ("image", "command", "works", "doubt"),
    [
        ("registry.k8s.io/pause:3.9", None, None, ""),
        ("quay.io/prometheus-operator/prometheus-config-reloader:v0.80.0", ("--listen-address=:8080",), None, ""),
        ("quay.io/prometheus-operator/prometheus-operator:v0.80.0", ("--kubelet-endpoints=true",), False, ""),
        ("quay.io/brancz/kube-rbac-proxy:v0.18.0", ("--upstream=http://127.0.0.1:8081/",), False, ""),
        ("quay.io/brancz/kube-rbac-proxy:v0.18.0", KUBECONFIG, True, "whether its kubeconfig uses the token"),
        ("quay.io/argoproj/argocd:v3.0.0", ("/usr/local/bin/argocd-repo-server",), True, ""),
        ("quay.io/argoproj/argocd:v3.0.0", ("/usr/local/bin/argocd-server",), False, ""),
        ("coredns/coredns:1.12.0", None, True, ""),
        ("coredns/coredns:1.12.0", ("-conf", "/x"), True, "whether its Corefile has the names of the cluster"),
    ],
)
def test_who_asks_the_api_of_the_cluster(image: str, command: tuple[str, ...] | None, works: bool | None, doubt: str) -> None:
    """None is for an image that never asks."""
    needs = ask(image, Situation(command=command, platform=KUBERNETES))
    assert needs.holds, needs.why_not
    assert (needs.api and needs.api.works) == works
    assert (needs.api.doubt if needs.api else "") == doubt


CORE = Mount("/etc/coredns", "bind", text=".:53 {\n    kubernetes cluster.local\n    forward . /etc/resolv.conf\n}")


@pytest.mark.parametrize(
    ("mounts", "works"),
    [
        ((CORE,), True),
        ((CORE._replace(text=".:53 {\n    sign db.example.org {\n        key file /etc/coredns/k\n    }\n}"),), False),
        ((CORE._replace(text=None),), False),
        ((), False),
    ],
)
def test_a_corefile_may_have_it_write(mounts: tuple[Mount, ...], works: bool) -> None:
    needs = ask("coredns/coredns:1.12.0", Situation(command=("-conf", "/etc/coredns/Corefile"), mounts=mounts))
    assert needs.read_only is not None
    assert needs.read_only.works is works


def test_what_a_child_of_a_base_image_inherits() -> None:
    image = parse_image("node:22-alpine")
    assert image is not None
    profile = find_profile(image)
    assert profile is not None
    assert {(item.start, item.account) for item in profile.inherits} == {(False, ("node", 1000, 1000))}


@pytest.mark.parametrize(
    ("image", "file"),
    [
        ("public.ecr.aws/docker/library/postgres:16", "postgres.toml"),
        ("mirror.gcr.io/library/redis", "redis.toml"),
        ("example.com/postgres:16", None),
        ("someone/postgres", None),
        ("someone/redis", None),
        ("bitnami/redis", "bitnami__redis.toml"),
    ],
)
def test_only_the_image_itself_and_true_mirrors_match(image: str, file: str | None) -> None:
    reference = parse_image(image)
    assert reference is not None
    profile = find_profile(reference)
    assert (profile and profile.file) == file


# Reading a profile of one's own.

CAPABILITY = '[[capability]]\nname = "{}"\nwhen = "{}"\nsource = "code"\nwhy = "x"\n'

MINIMAL = """
names = ["a/b"]
rolling = ["latest"]
[source.code]
kind = "code"
repository = "a/b"
file = "Dockerfile"
commit = "0123456789012345678901234567890123456789"
[[start]]
root = true
source = "code"
why = "starts as root"
"""


def test_one_file_name_for_two_repositories(tmp_path: Path) -> None:
    (tmp_path / "a__b.toml").write_text(MINIMAL)
    folders = (str(tmp_path), BUILT_IN)
    found = [find_profile(image, folders) for text in ("a/b", "a__b", "redis") if (image := parse_image(text))]
    assert [profile and profile.file for profile in found] == ["a__b.toml", None, "redis.toml"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("", "", "colour = 1\n"), "colour: is not a known key"),
        (('why = "starts as root"', 'why = "starts as root"\ntint = 1', ""), "start[1].tint: is not a known key"),
        (('source = "code"', 'source = "book"', ""), "start[1].source: 'book' is not among the sources"),
        (('kind = "code"', 'kind = "rumour"', ""), "source.code.kind: 'rumour' is none of code, measurement"),
        (("root = true", 'root = "yes"', ""), "start[1].root: must be true or false, not 'yes'"),
        (("root = true", "", ""), "start[1].root: is missing"),
        (("root = true", "root = false", ""), "start[1].account: is missing"),
        (("root = true", 'root = true\naccount = "x:1"', ""), "start[1].account: must be name:uid:gid"),
        (("root = true", 'root = true\nif = ["weather bad"]', ""), "start[1].if: 'weather bad' must begin with one of"),
        (("root = true", 'root = true\nif = ["text /x ("]', ""), "start[1].if: 'text /x (' has no valid expression"),
        (("root = true", 'root = true\nversions = "16"', ""), "start[1].versions: must be bounds"),
        (('why = "starts as root"', f'why = "{"x" * 61}"', ""), "start[1].why: must be one line of at most 60"),
        (("", "", CAPABILITY.format("CAP_CHOWN", "start")), "capability[1].name: must be in capitals"),
        (("", "", CAPABILITY.format("CHOWN", "often")), "capability[1].when: 'often' is none of"),
        (("", "", '[[path]]\npath = "tmp"\nkind = "run"\nsource = "code"\nwhy = "x"\n'), "path[1].path: must be absolute"),
        (("", "", '[unknown]\nweather = "x"\n'), "unknown.weather: must be text for one of"),
        (('names = ["a/b"]', "names = []", ""), "names: is missing"),
        (("names", "names names", ""), "not TOML"),
    ],
)
def test_a_slip_is_named_with_file_and_key(change: tuple[str, str, str], message: str) -> None:
    old, new, more = change
    top = more if "[" not in more else ""
    text = top + (MINIMAL.replace(old, new, 1) if old else MINIMAL) + ("" if top else more)
    with pytest.raises(Unreadable) as caught:
        read_profile("a__b.toml", text.encode())
    assert str(caught.value).startswith(f"a__b.toml: {message}")


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(Unreadable, match="not TOML"):
        read_profile("x.toml", b"\xff\xfe")


def test_asking_is_fast() -> None:
    image = parse_image("postgres:16")
    assert image is not None
    situation = Situation(mounts=BIND, environment={"POSTGRES_PASSWORD": "x"})

    def once() -> float:
        start = time.process_time()
        for _ in range(200):
            profile = find_profile(image)
            assert profile is not None
            profile.evaluate(image, situation)
        return (time.process_time() - start) / 200

    once()
    # Measured 0.04 ms; the bound leaves room for a busy machine and still finds a file read or a parse in every call.
    assert min(once() for _ in range(5)) < 0.0005


@pytest.mark.parametrize(
    ("image", "first_free_port", "works", "doubt"),
    [
        ("postgres:16", 1024, True, ""),
        ("postgres:16", 6000, True, "how it binds port 5432, which is root's here"),
        ("postgres:16", 0, True, ""),
    ],
)
def test_an_account_may_not_bind_what_is_roots(image: str, first_free_port: int, works: bool, doubt: str) -> None:
    needs = ask(image, Situation(first_free_port=first_free_port))
    assert needs.user is not None
    assert (needs.user.works, needs.user.doubt) == (works, doubt)
    assert ("NET_BIND_SERVICE" in names(needs)) == bool(doubt)


@pytest.mark.parametrize(
    ("image", "situation", "tmpfs", "capabilities"),
    [
        # Root hands an empty folder over, which takes CHOWN; the sockets' folder is root's too.
        (
            "postgres:16",
            Situation(),
            "/var/lib/postgresql/data 0:0 /var/run/postgresql 0:0 /tmp 0:0",
            "CHOWN DAC_OVERRIDE SETGID SETUID",
        ),
        (
            "postgres:16",
            Situation(mounts=(Mount("/var/lib/postgresql/data", "bind"),)),
            "/var/run/postgresql 0:0 /tmp 0:0",
            "CHOWN DAC_OVERRIDE SETGID SETUID",
        ),
        (
            "postgres:16",
            Situation(mounts=(Mount("/var/lib/postgresql/data", "bind"),), user="999:999"),
            "/var/run/postgresql 0:0 /tmp 0:0",
            "",
        ),
        ("postgres:16", Situation(user="999:999"), "no: writes /var/lib/postgresql/data, where nothing is mounted", ""),
        (
            "postgres:16",
            Situation(environment={"PGDATA": "/elsewhere"}),
            "no: writes /elsewhere, where nothing is mounted",
            "CHOWN DAC_OVERRIDE SETGID SETUID",
        ),
        (
            "postgres:16",
            Situation(environment={"PGDATA": "/var/lib/postgresql/data/pgdata"}),
            "/var/lib/postgresql/data 0:0 /var/run/postgresql 0:0 /tmp 0:0",
            "CHOWN DAC_OVERRIDE SETGID SETUID",
        ),
        ("redis:7", Situation(), "/data 0:0", "CHOWN DAC_OVERRIDE SETGID SETUID"),
        ("redis:7", Situation(user="999:999"), "/data 0:0", ""),
        ("redis:7", Situation(mounts=(Mount("/data", "tmpfs"),)), "", "CHOWN DAC_OVERRIDE SETGID SETUID"),
        ("prom/prometheus", Situation(), "/prometheus 0:0", ""),
        ("nginx:1.27", Situation(), "/var/cache/nginx 0:0 /var/run 0:0 /tmp 0:0", "CHOWN SETGID SETUID"),
        # Nobody has read what it makes of an empty folder.
        (
            "ghcr.io/paperless-ngx/paperless-ngx:2.18",
            Situation(),
            "no: writes /usr/src/paperless/data, where nothing is mounted",
            "CHOWN DAC_OVERRIDE KILL SETGID SETUID",
        ),
    ],
)
def test_where_no_volume_is_declared_and_no_tmpfs_has_an_owner(
    image: str, situation: Situation, tmpfs: str, capabilities: str
) -> None:
    needs = ask(image, situation._replace(platform=KUBERNETES))
    assert needs.read_only is not None
    if needs.read_only.works:
        assert " ".join(f"{mount.path} {mount.uid}:{mount.gid}" for mount in needs.tmpfs) == tmpfs
    else:
        assert f"no: {needs.read_only.why}" == tmpfs
    assert names(needs) == capabilities


def test_what_stands_in_for_a_volume_says_that_it_lasts_as_long() -> None:
    needs = ask("redis:7", Situation(platform=KUBERNETES))
    assert [mount.why for mount in needs.tmpfs] == ["snapshots and the append-only file, kept as long as the pod"]


def test_an_image_that_is_built_from_it_may_have_put_something_there() -> None:
    needs = ask("mysql:8.4", Situation(platform=KUBERNETES, copied=()))
    assert needs.read_only is not None
    assert not needs.read_only.works
