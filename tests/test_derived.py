"""What of a base image's profile holds for an image that is built from it, and why the rest does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from compose_oracle import write
from conftest import harden

from hardener.discover import discover
from hardener.needs.needs import Needs
from hardener.pipeline import Request, needs

NGINX = "CHOWN SETGID SETUID"


def ask(folder: Path, dockerfile: str, service: str = "", files: dict[str, str] | None = None, build: str = "build: .") -> Needs:
    """What the one service needs whose image is built from a Dockerfile."""
    body = "".join(f"    {line}\n" for line in (build + "\n" + service).splitlines())
    project = {"compose.yaml": f"services:\n  web:\n{body}volumes: {{data: }}\n", "Dockerfile": dockerfile, **(files or {})}
    write(folder, {name: text.encode() for name, text in project.items()})
    before = os.getcwd()
    os.chdir(folder)
    try:
        found, _ = discover(["."])
        judged, troubles = needs(Request(tuple(found)))
    finally:
        os.chdir(before)
    assert not [trouble for trouble in troubles if trouble.remedy]
    (answer,) = [one.needs for one in judged if one.sees == "container"]
    assert isinstance(answer, Needs)
    return answer


def kept(answer: Needs) -> str:
    assert answer.holds, answer.why_not
    assert answer.capabilities is not None
    return " ".join(item.name for item in answer.capabilities)


def tmpfs(answer: Needs) -> str:
    return " ".join(sorted(mount.path for mount in answer.tmpfs))


CONF = "server { listen 80; root /usr/share/nginx/html; }\n"


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM nginx:1.27\n",
        "FROM nginx:1.27-alpine\nCOPY site.conf /etc/nginx/conf.d/default.conf\n",
        "FROM nginx:1.27\nCOPY html /usr/share/nginx/html\n",
        "FROM nginx:1.27\nRUN rm /etc/nginx/conf.d/default.conf\nCOPY site.conf /etc/nginx/conf.d/\n",
        "FROM nginx:1.27\nRUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*\n",
        "FROM nginx:1.27\nENV TZ=UTC\nEXPOSE 80\nLABEL a=b\nSTOPSIGNAL SIGQUIT\n",
        'FROM nginx:1.27\nCMD ["nginx", "-g", "daemon off;"]\n',
        "ARG VERSION=1.27\nFROM nginx:${VERSION}\n",
        "FROM node:22 AS build\nRUN npm run build\nFROM nginx:1.27\nCOPY --from=build /app/dist /usr/share/nginx/html\n",
        "FROM public.ecr.aws/docker/library/nginx:1.27\n",
    ],
)
def test_an_image_that_keeps_nginx_start_needs_what_nginx_needs(dockerfile: str, tmp_path: Path) -> None:
    answer = ask(tmp_path, dockerfile, "", {"site.conf": CONF, "html/index.html": "hello"})
    assert kept(answer) == NGINX
    assert tmpfs(answer) == "/tmp /var/cache/nginx /var/run"
    assert answer.read_only is not None
    assert answer.read_only.works


@pytest.mark.parametrize(
    ("dockerfile", "why"),
    [
        ("FROM nginx:1.27\nRUN sed -i s/80/8080/ /etc/nginx/nginx.conf\n", "what line 2 does to /etc/nginx/nginx.conf"),
        ("FROM nginx:1.27\nRUN echo hi > /etc/nginx/conf.d/x.conf\n", "what line 2 writes to /etc/nginx/conf.d/x.conf"),
        ("FROM nginx:1.27\nRUN chown -R nginx /var/cache/nginx\n", "what line 2 does to /var/cache/nginx"),
        ("FROM nginx:1.27\nRUN usermod -u 1000 nginx\n", "what line 2 does to the accounts of the base image"),
        ("FROM nginx:1.27\nRUN ./configure-it\n", "what line 2 does to the image (`configure-it`)"),
        ("FROM nginx:1.27\nRUN cp x $WHERE\n", "what line 2 does to"),
        ("FROM nginx:1.27\nRUN ln -s /conf/nginx.conf /etc/nginx/nginx.conf\n", "what line 2 does to /etc/nginx/nginx.conf"),
        ("FROM nginx:1.27\nCOPY docker-entrypoint.sh /\n", "may take the place of what the base image starts"),
        (
            "FROM nginx:1.27\nCOPY --from=node:22 /usr/local/bin /usr/local/bin\n",
            "may take the place of what the base image starts",
        ),
        ("FROM nginx:1.27\nCOPY rootfs /\n", "may take the place of what the base image starts"),
        (
            "FROM nginx:1.27\nCOPY --from=build/image /out/nginx /usr/sbin/nginx\n",
            "may take the place of what the base image starts",
        ),
        ("FROM nginx:1.27\nARG TO\nCOPY start $TO\n", "where line 3 copies to"),
        ("FROM nginx:1.27\nCOPY start /usr/local/bin/nginx\n", "may take the place of what the base image starts"),
        ("FROM nginx:1.27\nCOPY site.conf /docker-entrypoint.d/99-own.sh\n", "may take the place"),
        ("FROM nginx:1.27\nUSER weird\n", "weird"),
        ("FROM nginx:1.27\nARG WHO\nUSER $WHO\n", ""),
        ("FROM nginx:9.99\n", "9.99"),
        ("FROM nginx@sha256:" + "0" * 64 + "\n", "a digest without a tag"),
        ("ARG VERSION\nFROM nginx:${VERSION}\n", "${VERSION}"),
        ('FROM nginx:1.27\nENTRYPOINT ["/start.sh"]\n', "start.sh"),
        ('FROM nginx:1.27\nCMD ["sleep", "1"]\n', "sleep"),
    ],
)
def test_what_is_changed_of_its_start_is_why_it_does_not_hold(dockerfile: str, why: str, tmp_path: Path) -> None:
    answer = ask(
        tmp_path, dockerfile, "", {"site.conf": CONF, "docker-entrypoint.sh": "exec nginx", "start": "x", "rootfs/x": "x"}
    )
    assert not answer.holds
    assert why in answer.why_not


@pytest.mark.parametrize(
    ("dockerfile", "build", "expected"),
    [
        ("FROM nginx:1.27 AS web\nFROM alpine AS tools\n", "build: {context: ., target: web}", NGINX),
        ("FROM nginx:1.27 AS web\nFROM alpine AS tools\n", "build: {context: ., target: WEB}", NGINX),
        ("FROM nginx:1.27 AS web\nFROM alpine AS tools\n", "build: {context: ., target: '0'}", NGINX),
        ("FROM alpine AS tools\nFROM nginx:1.27 AS web\n", "build: .", NGINX),
        ("ARG BASE=alpine\nFROM ${BASE}\n", "build: {context: ., args: {BASE: 'nginx:1.27'}}", NGINX),
        ("ARG BASE=alpine\nFROM ${BASE}\n", "build: {context: ., args: ['BASE=nginx:1.27']}", NGINX),
        ("FROM alpine\n", "build: {context: ., dockerfile_inline: 'FROM nginx:1.27'}", NGINX),
        ("FROM alpine\n", "build: {context: sub}", NGINX),
        ("FROM alpine\n", "build: {context: ., dockerfile: sub/Dockerfile}", NGINX),
        ("FROM nginx:1.27 AS base\nFROM base\n", "build: .", NGINX),
    ],
)
def test_which_stage_of_which_dockerfile(dockerfile: str, build: str, expected: str, tmp_path: Path) -> None:
    assert kept(ask(tmp_path, dockerfile, "", {"sub/Dockerfile": "FROM nginx:1.27\n"}, build)) == expected


@pytest.mark.parametrize(
    ("build", "why"),
    [
        ("build: {context: ., target: gone}", "the stage `gone`"),
        ("build: {context: ., dockerfile: gone}", "the Dockerfile gone"),
        ("build: {context: ., dockerfile_inline: 'FROM'}", "cannot be read"),
        ("build: https://github.com/example/project.git", ""),
        ("build: {context: ., args: {BASE: }}", ""),
    ],
)
def test_why_it_is_not_known_which(build: str, why: str, tmp_path: Path) -> None:
    answer = ask(tmp_path, "ARG BASE=nginx:1.27\nFROM ${BASE}\n", "", {}, build)
    assert not answer.holds
    assert why in answer.why_not
    assert answer.why_not


def test_what_a_copied_configuration_says_counts(tmp_path: Path) -> None:
    """As that of a mounted one does: the profile asks for words in it."""
    secure = "server { listen 443 ssl; ssl_certificate_key /certs/site.key; }\n"
    plain = ask(tmp_path / "a", "FROM nginx:1.27\nCOPY site.conf /etc/nginx/conf.d/\n", "", {"site.conf": CONF})
    mounted = ask(
        tmp_path / "b", "FROM nginx:1.27\n", "volumes: ['./site.conf:/etc/nginx/conf.d/site.conf:ro']", {"site.conf": secure}
    )
    copied = ask(tmp_path / "c", "FROM nginx:1.27\nCOPY site.conf /etc/nginx/conf.d/site.conf\n", "", {"site.conf": secure})
    assert kept(plain) == NGINX
    for question in ("capabilities", "read_only"):
        of = [getattr(answer, question) for answer in (mounted, copied)]
        assert [getattr(item, "works", None) for item in of[:1]] == [getattr(item, "works", None) for item in of[1:]]


def test_logs_and_caches_that_a_configuration_moves(tmp_path: Path) -> None:
    conf = "proxy_cache_path /srv/cache keys_zone=a:1m;\nserver { listen 80; access_log /srv/logs/a.log; }\n"
    answer = ask(tmp_path, "FROM nginx:1.27\nCOPY site.conf /etc/nginx/conf.d/\n", "", {"site.conf": conf})
    covered = answer.holds and answer.read_only is not None and answer.read_only.works and "read_only" not in answer.unknown
    assert not covered or {"/srv/cache", "/srv/logs"} <= set(tmpfs(answer).split()), "it could not write its cache"


def test_the_own_user_of_the_child(tmp_path: Path) -> None:
    """nginx as another user than root cannot do what its profile says of root."""
    answer = ask(tmp_path, "FROM nginx:1.27\nUSER nginx\n")
    assert not answer.holds or answer.root is False


@pytest.mark.parametrize("where", ["/etc/nginx/conf.d/x.conf", "/etc/nginx/conf.d/"])
@pytest.mark.parametrize(
    "how", ["ADD https://example.com/x.conf", "COPY --from=example/conf:1 /x.conf", "COPY gone.conf", "ADD x.tar"]
)
def test_a_configuration_that_is_not_here_may_say_anything(how: str, where: str, tmp_path: Path) -> None:
    """As one does that is mounted from outside the project."""
    answer = ask(tmp_path / "a", f"FROM nginx:1.27\n{how} {where}\n", "", {"x.tar": "\x00"})
    outside = ask(tmp_path / "b", "FROM nginx:1.27\n", "volumes: ['/srv/x.conf:/etc/nginx/conf.d/x.conf:ro']")
    assert outside.holds
    if answer.holds:
        assert set(outside.unknown) <= set(answer.unknown)
        assert answer.memory == outside.memory
        works = [
            each.read_only is not None and each.read_only.works and "read_only" not in each.unknown for each in (answer, outside)
        ]
        assert works[0] <= works[1]


POSTGRES = "volumes: ['data:/var/lib/postgresql/data']"


@pytest.mark.parametrize(
    ("image", "more", "service"),
    [
        ("nginx:1.27", "", ""),
        ("postgres:16", "", POSTGRES),
        ("postgres:16", "COPY init.sql /docker-entrypoint-initdb.d/\n", POSTGRES),
        ("postgres:16", "RUN localedef -i de_DE -f UTF-8 de_DE.UTF-8\nENV LANG=de_DE.utf8\n", POSTGRES),
        ("postgres:16-alpine", "LABEL a=b\n", POSTGRES),
        ("redis:7", "", "volumes: ['data:/data']"),
        ("redis:7", "", "command: redis-server --save ''"),
    ],
)
def test_what_changes_nothing_of_it_leaves_all_as_it_is(image: str, more: str, service: str, tmp_path: Path) -> None:
    """The same container of the image as it is pulled is the oracle."""
    derived = ask(tmp_path / "built", f"FROM {image}\n{more}", service, {"init.sql": "select 1;"})
    pulled = ask(tmp_path / "pulled", "FROM scratch\n", service, {}, f"image: {image}")
    assert derived.holds, derived.why_not
    for question in ("root", "account", "capabilities", "no_new_privileges", "read_only", "tmpfs", "memory"):
        assert getattr(derived, question) == getattr(pulled, question), question


def test_a_configuration_of_redis_in_the_image(tmp_path: Path) -> None:
    """The command of the image is that of a container: the profile is asked about it."""
    dockerfile = 'FROM redis:7\nCOPY redis.conf /etc/redis.conf\nCMD ["redis-server", "/etc/redis.conf"]\n'
    answer = ask(tmp_path / "a", dockerfile, "volumes: ['data:/data']", {"redis.conf": "save ''\n"})
    service = "command: redis-server /etc/redis.conf\nvolumes: ['data:/data', './redis.conf:/etc/redis.conf:ro']"
    mounted = ask(tmp_path / "b", "FROM scratch\n", service, {"redis.conf": "save ''\n"}, "image: redis:7")
    assert answer.holds is mounted.holds
    assert answer.root is mounted.root


def test_a_php_application_is_asked_what_its_base_does_not_tell(tmp_path: Path) -> None:
    """The profile of php knows who serves and with which capabilities; what the application writes, it does not."""
    answer = ask(
        tmp_path,
        "FROM php:8.3-apache\nRUN docker-php-ext-install pdo_mysql\nCOPY . /var/www/html\n",
        "",
        {"index.php": "<?php echo 1;"},
    )
    assert answer.holds, answer.why_not
    assert "read_only" in answer.unknown


def test_a_derived_image_is_left_as_it_is_where_nothing_holds(tmp_path: Path) -> None:
    files = {
        "compose.yaml": b"services:\n  web:\n    build: .\n",
        "Dockerfile": b"FROM nginx:1.27\nRUN ./configure-it\n",
    }
    result = harden(tmp_path, files, unsafe=False)
    assert result.files == files
