"""What servers do that an image installs: by their package, and by the configuration that the project brings."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import uses

from hardener.finding import Strength
from hardener.needs.source.nginx import directives
from hardener.needs.source.uses import CAPABILITIES, EVERYTHING, PORTS, WRITES, Uses


def paths(found: Uses) -> set[str]:
    return {write.path for write in found.writes}


def capabilities(found: Uses) -> set[str]:
    return {capability.name for capability in found.capabilities}


def ports(found: Uses) -> set[tuple[int, str]]:
    return {(listen.number, listen.protocol) for listen in found.listens}


def doubted(found: Uses) -> set[str]:
    return {question for doubt in found.doubts for question in doubt.about}


def debian(packages: str, lines: str, start: str) -> str:
    return f"FROM debian:12\nRUN apt-get update && apt-get install -y {packages}\n{lines}CMD {start}\n"


NGINX = '["nginx", "-g", "daemon off;"]'


def test_nginx_as_debian_sets_it_up(tmp_path: Path) -> None:
    found = uses(tmp_path, debian("nginx", "", NGINX), {})
    assert paths(found) == {"/run/nginx.pid", "/var/lib/nginx", "/var/log/nginx/access.log", "/var/log/nginx/error.log"}
    assert capabilities(found) == {"CHOWN", "SETUID", "SETGID", "DAC_OVERRIDE"}
    assert [named.name for named in found.users] == ["www-data"]
    assert ports(found) == {(80, "tcp")}
    assert not found.doubts
    assert {write.kind for write in found.writes if write.path == "/var/lib/nginx"} == {"cache"}


def test_logs_that_are_links_to_the_output_are_not_written(tmp_path: Path) -> None:
    links = "RUN ln -sf /dev/stdout /var/log/nginx/access.log && ln -sf /dev/stderr /var/log/nginx/error.log\n"
    found = uses(tmp_path, debian("nginx", links, NGINX), {})
    assert paths(found) == {"/run/nginx.pid", "/var/lib/nginx"}


OWN = """
user app app;  # who
pid /tmp/nginx.pid;
error_log stderr;
events {}
http {
    include mime.types;
    access_log /dev/stdout;
    proxy_cache_path "/cache/with blank" levels=1:2 keys_zone=a:10m;
    client_body_temp_path /tmp/body;
    server { listen 8080; listen [::]:8443 ssl; listen 443 quic; server_name a; location / { return 200 "};{"; } }
    server { listen unix:/run/x.sock; }
    include conf.d/*.conf;
}
stream { server { listen 53 udp; } }
"""


def test_nginx_with_the_projects_own_configuration(tmp_path: Path) -> None:
    dockerfile = debian("nginx-light", "COPY nginx.conf /etc/nginx/\nCOPY a.conf /etc/nginx/conf.d/\n", NGINX)
    found = uses(tmp_path, dockerfile, {"nginx.conf": OWN, "a.conf": "server { listen 127.0.0.1:9000; }\nserver { root /x; }\n"})
    assert ports(found) == {(8080, "tcp"), (8443, "tcp"), (443, "udp"), (53, "udp"), (9000, "tcp"), (80, "tcp")}
    assert paths(found) == {"/tmp/nginx.pid", "/cache/with blank", "/tmp/body", "/run/x.sock", "/var/lib/nginx"}
    assert [named.name for named in found.users] == ["app"]
    assert capabilities(found) == {"CHOWN", "SETUID", "SETGID"}
    assert not found.doubts


@pytest.mark.parametrize(
    ("line", "about"),
    [
        ("server { listen $port; }", {PORTS}),
        ("server { listen 80; location / { dav_methods PUT; } }", {WRITES}),
        ("server { listen 80; location / { content_by_lua_block { x } } }", {WRITES, "escalation"}),
        ("include /elsewhere/x.conf;", {WRITES, PORTS}),
    ],
)
def test_what_nginx_may_do_besides(line: str, about: set[str], tmp_path: Path) -> None:
    found = uses(tmp_path, debian("nginx", "COPY a.conf /etc/nginx/conf.d/a.conf\n", NGINX), {"a.conf": line})
    assert doubted(found) == about


def test_a_configuration_that_is_made_at_start_is_in_doubt(tmp_path: Path) -> None:
    script = "#!/bin/sh\nenvsubst < /app.template > /etc/nginx/conf.d/default.conf\nexec nginx -g 'daemon off;'\n"
    found = uses(tmp_path, debian("nginx", "COPY run.sh /\n", "/run.sh"), {"run.sh": script})
    assert doubted(found) == {WRITES, PORTS, "users"}
    assert "/etc/nginx/conf.d/default.conf" in paths(found)


@pytest.mark.parametrize(
    "dockerfile",
    [
        f"FROM debian:12\nCOPY --from=x /nginx /usr/sbin/nginx\nCMD {NGINX}\n",
        'FROM fedora:40\nRUN dnf install -y nginx\nCMD ["nginx"]\n',
        debian("varnish", "", '["varnishd", "-F"]'),
    ],
)
def test_servers_from_elsewhere_are_not_known(dockerfile: str, tmp_path: Path) -> None:
    assert uses(tmp_path, dockerfile, {}).open(*EVERYTHING)


def test_what_was_not_read_for_a_package_is_weaker_evidence(tmp_path: Path) -> None:
    found = uses(tmp_path, f"FROM alpine:3.20\nRUN apk add nginx\nCMD {NGINX}\n", {})
    assert found.read.strength == Strength.DOCUMENTED
    assert "DAC_OVERRIDE" in capabilities(found)


APACHE = """# User nobody
Listen 8080
User app
CustomLog ${APACHE_LOG_DIR}/a.log combined
ErrorLog /dev/stderr
Mutex file:/var/lock/apache2 default
"""


def test_apache_as_debian_and_as_the_project_set_it_up(tmp_path: Path) -> None:
    start = '["apache2ctl", "-D", "FOREGROUND"]'
    found = uses(tmp_path / "a", debian("apache2", "", start), {"x": ""})
    assert capabilities(found) == {"SETUID", "SETGID", "KILL", "CHOWN"}
    assert (ports(found), [named.name for named in found.users], found.doubts) == ({(80, "tcp")}, ["www-data"], ())
    assert {"/var/run/apache2", "/var/log/apache2"} <= paths(found)
    found = uses(tmp_path / "b", debian("apache2", "COPY p.conf /etc/apache2/ports.conf\n", start), {"p.conf": APACHE})
    assert (ports(found), [named.name for named in found.users]) == ({(8080, "tcp")}, ["app"])
    assert "/var/log/apache2/a.log" in paths(found)
    found = uses(tmp_path / "c", debian("apache2 libapache2-mod-php", "", start), {"x": ""})
    assert doubted(found) == {WRITES, "escalation", "memory", "threads"}


HAPROXY = """
global
    user haproxy
    group haproxy
    chroot /var/lib/haproxy
    stats socket /run/haproxy/admin.sock user haproxy mode 660
    pidfile /run/haproxy.pid
frontend a
    bind *:80,*:443 ssl
    bind :::8000-8002
    bind ${PORT}
    bind /run/x.sock
"""


def test_haproxy(tmp_path: Path) -> None:
    dockerfile = debian("haproxy", "COPY h.cfg /etc/h.cfg\n", '["haproxy", "-W", "-db", "-f", "/etc/h.cfg"]')
    found = uses(tmp_path, dockerfile, {"h.cfg": HAPROXY}, {"PORT": ":9000"})
    assert ports(found) == {(80, "tcp"), (443, "tcp"), (8000, "tcp"), (8001, "tcp"), (8002, "tcp"), (9000, "tcp")}
    assert capabilities(found) == {"SYS_CHROOT", "SETUID", "SETGID", "CHOWN", "KILL"}
    assert paths(found) == {"/run/haproxy/admin.sock", "/run/haproxy", "/run/haproxy.pid", "/run/x.sock", "/run"}
    assert [named.name for named in found.users] == ["haproxy"]
    assert not found.doubts


def test_code_of_haproxy_is_in_doubt(tmp_path: Path) -> None:
    dockerfile = debian("haproxy", "COPY h.cfg /etc/haproxy/haproxy.cfg\n", '["haproxy", "-f", "/etc/haproxy/haproxy.cfg"]')
    assert uses(tmp_path, dockerfile, {"h.cfg": "global\n  lua-load /x.lua\n"}).open(CAPABILITIES)


@pytest.mark.parametrize(
    ("words", "written", "port", "needed"),
    [
        ('["redis-server"]', {"/data"}, 6379, set()),
        ('["redis-server", "--save", "", "--port", "7000"]', set(), 7000, set()),
        (
            '["redis-server", "/etc/r.conf", "--dir", "/var/lib/redis"]',
            {"/var/lib/redis", "/log/redis.log"},
            6380,
            {"DAC_OVERRIDE"},
        ),
        ('["redis-server", "/etc/r.conf"]', {"/db", "/log/redis.log"}, 6380, set()),
    ],
)
def test_redis(words: str, written: set[str], port: int, needed: set[str], tmp_path: Path) -> None:
    dockerfile = debian("redis-server", "WORKDIR /data\nCOPY r.conf /etc/r.conf\n", words)
    found = uses(tmp_path, dockerfile, {"r.conf": "# c\nport 6380\ndir /db\nlogfile /log/redis.log\nappendonly yes\n"})
    assert (paths(found), ports(found), capabilities(found)) == (written, {(port, "tcp")}, needed)
    assert not found.doubts
    assert found.memory is None


def test_php_fpm_leaves_its_code_in_doubt(tmp_path: Path) -> None:
    pool = "[www]\nuser = app\nlisten = 127.0.0.1:9001\nslowlog = /var/log/slow.log\n"
    dockerfile = debian("php8.2-fpm", "COPY p.conf /etc/php/8.2/fpm/pool.d/www.conf\n", '["php-fpm8.2", "-F"]')
    found = uses(tmp_path, dockerfile, {"p.conf": pool})
    assert doubted(found) == {WRITES, "escalation", "memory", "threads"}
    assert not found.open(CAPABILITIES)
    assert {"SETUID", "SETGID", "KILL"} <= capabilities(found)
    assert [named.name for named in found.users] == ["app"]
    assert (9001, "tcp") in ports(found)
    assert "/var/log/slow.log" in paths(found)


def test_directives() -> None:
    (one, two) = directives("a b 'c d' \"e;\" ; # x }\nf { g ${h}i; j { } }")
    assert (one.name, one.words, one.block) == ("a", ("b", "c d", "e;"), None)
    assert two.block is not None
    assert [(inner.name, inner.words) for inner in two.block] == [("g", ("${h}i",)), ("j", ())]


@settings(max_examples=100, deadline=None)
@given(
    st.one_of(
        st.text(max_size=100),
        st.lists(
            st.sampled_from(
                "{ } ; listen server include bind /x ' \n global user ${A} a = [www] Listen <X> port é * \"".split(" ")
            ),
            max_size=30,
        ).map(" ".join),
    )
)
def test_odd_configurations_end_in_an_answer(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    targets = {
        "nginx": "/etc/nginx/nginx.conf",
        "apache2": "/etc/apache2/apache2.conf",
        "haproxy": "/etc/haproxy/haproxy.cfg",
        "php8.2-fpm": "/etc/php/8.2/fpm/php-fpm.conf",
        "redis-server": "/etc/r.conf",
    }
    for package, target in targets.items():
        folder = tmp_path_factory.mktemp("odd")
        (folder / "c").write_text(text, encoding="utf-8", errors="surrogatepass")
        program = "php-fpm8.2" if "php" in package else package
        words = f'["{program}"]' if package != "redis-server" else '["redis-server", "/etc/r.conf"]'
        assert uses(folder, debian(package, f"COPY c {target}\n", words), {}).read


def test_braces_without_end() -> None:
    assert directives("a{" * 2000 + "}" * 2000) is not None
