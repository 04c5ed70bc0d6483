"""The rule about root in Dockerfiles, and the facts it stands on."""

from __future__ import annotations

import tomllib
from pathlib import Path

import dockerfile as buildkit  # type: ignore[import-not-found]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardener.facts.accounts import NewUser, created, installed
from hardener.facts.dockerfile import DockerStage
from hardener.facts.image import parse_image
from hardener.finding import Applicability, Finding
from hardener.needs.bases import DATA, Base, find_base
from hardener.needs.stage import StageNeeds
from hardener.rules import _root_stage
from hardener.rules._root_stage import left_alone
from hardener.source import Source, splice
from hardener.syntax import shell
from hardener.syntax.dockerfile import edits, expected, parse, plain, second_opinion

FIXTURES = Path(__file__).parent.parent / "fixtures" / "root-user"


def known(image: str) -> Base | None:
    reference = parse_image(image)
    assert reference is not None
    return find_base(reference)


def stage_of(text: str, context: dict[str, str] | None = None) -> DockerStage:
    return DockerStage(Source("Dockerfile", text), parse(text), read_context=(context or {}).get)


def check(text: str, context: dict[str, str] | None = None) -> list[Finding]:
    stage = stage_of(text, context)
    return list(_root_stage.check(stage, StageNeeds(stage)))


def hardened(text: str, context: dict[str, str] | None = None) -> str:
    """The text with the fix, once it is proved and quiet."""
    (finding,) = check(text, context)
    assert finding.fix, finding.refusal
    before = parse(text)
    operations = [change.operation for change in finding.fix.changes]
    new = splice(text, edits(before, operations))
    assert plain(parse(new)) == expected(before, operations)
    assert not check(new, context)
    return new


CASES = sorted(folder.name for folder in FIXTURES.iterdir() if any(folder.glob("before/**/*ockerfile*")))


@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("case", CASES)
def test_what_is_written_is_what_a_builder_reads(case: str, ending: str) -> None:
    """What becomes of each case is for `test_fixtures.py`; here BuildKit's parser and a second one read it."""
    before = FIXTURES / case / "before"
    context = {str(path.relative_to(before)): path.read_text() for path in before.rglob("*") if path.is_file()}
    text = context["Dockerfile"].replace("\n", ending)
    if any(finding.fix for finding in check(text, context)):
        new = hardened(text, context)
        assert second_opinion(parse(text)) is second_opinion(parse(new)) is None
        kept = [item.original for item in buildkit.parse_string(new)]
        lost = [item.original for item in buildkit.parse_string(text) if item.original not in kept]
        assert all(line.upper().startswith("USER") for line in lost)
    else:
        assert not (FIXTURES / case / "after").exists()


def test_there_are_cases() -> None:
    assert len(CASES) > 30


def test_no_fix_is_safe() -> None:
    """From a Dockerfile alone nobody knows what a program writes."""
    for case in CASES:
        for finding in check((FIXTURES / case / "before" / "Dockerfile").read_text()):
            if finding.fix:
                assert finding.fix.applicability is Applicability.UNSAFE
                assert finding.fix.missing
                assert all(item.claim and item.source for item in finding.fix.evidence)


@pytest.mark.parametrize(
    "text",
    [
        "FROM node:20\nUSER node\n",
        "FROM node:20\nUSER 1000:1000\nRUN id\nCMD x\n",
        "FROM jenkins/jenkins\nCOPY x /\n",
        "FROM memcached\n",
        "FROM alpine AS a\nUSER 5\nFROM a\nCMD /x\n",
        "FROM alpine\nENV U=web\nUSER ${U:-root}\nCMD /x\n",
        "FROM alpine\nARG GROUP\nUSER 1000:$GROUP\nCMD /x\n",
        "FROM alpine\nARG U=1000\nUSER $U:${GROUP}\nCMD /x\n",
        "FROM alpine\nENV U=web\nARG GROUP\nUSER ${U:-root}:$GROUP\nCMD /x\n",
        'FROM alpine\nARG GROUP\nUSER "web":"$GROUP"\nCMD /x\n',
    ],
)
def test_unprivileged_stages_are_quiet(text: str) -> None:
    assert not check(text)


@pytest.mark.parametrize(
    ("text", "by_the_base"),
    [
        ("FROM jupyter/base-notebook\nUSER root\nUSER ${NB_UID}\n", True),
        ('FROM example.com/base AS a\nENV X=1\nFROM a\nARG GROUP\nUSER "$X$APP_USER:$GROUP"\n', True),
        ("ARG APP_USER=web\nFROM example.com/base\nUSER $APP_USER\n", True),  # what stands above FROM does not count below it
        ("FROM example.com/base\nARG APP_USER\nUSER $APP_USER\n", False),
        ("FROM example.com/base\nARG APP_USER\nENV OTHER=$APP_USER\nUSER $OTHER\n", False),
        ("FROM scratch\nUSER $APP_USER\n", False),
        ("FROM example.com/base\nARG GROUP\nUSER $APP_USER:$GROUP\n", True),
        ("FROM example.com/base\nUSER ${APP_UID:-1000}\n", True),
        ("FROM example.com/base\nUSER ${APP_UID:-1000}:${APP_GID:-0}\n", True),
        ("FROM example.com/base\nUSER ${APP_USER#team-}\n", True),
        ("FROM example.com/base\nARG APP_USER=a\nUSER ${APP_USER#team-}\n", False),
        ("FROM example.com/base\nUSER ${APP_USER/a/b}\n", False),
        ("FROM example.com/base\nUSER ${APP_USER:-root}\n", False),
    ],
)
def test_what_only_the_base_image_can_set_is_not_taken_for_empty(text: str, by_the_base: bool) -> None:
    """A build argument reaches what an ARG names, and nothing else (Docker's reference of Dockerfiles, ARG)."""
    stage = stage_of(text)
    assert StageNeeds(stage).user_of_the_base is by_the_base
    assert [finding.message for finding in check(text)] == (
        []
        if by_the_base
        else [f"the container runs as `{stage.users[-1].item.arguments}`, which is root unless it is set from outside"]
    )


def test_only_the_stage_that_runs_is_judged() -> None:
    text = "FROM golang AS build\nRUN x\nFROM scratch\nUSER 1\nCMD /x\n"
    found = parse(text)
    first = DockerStage(Source("Dockerfile", text), found, found.stages[0])
    assert not list(_root_stage.check(first, StageNeeds(first)))
    asked = DockerStage(Source("Dockerfile", text), found, found.stages[0], runs=True, started_by="service build")
    assert [finding.subject for finding in _root_stage.check(asked, StageNeeds(asked))] == ["build"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("FROM debian\nCMD gosu web serve\n", "gosu"),
        ('FROM debian\nENTRYPOINT ["tini", "--", "su-exec", "web", "serve"]\n', "su-exec"),
        ("FROM debian\nCMD exec setpriv --reuid=5 serve\n", "setpriv"),
        ('FROM debian\nCMD ["sh", "-c", "mkdir /x && exec su -c serve web"]\n', "su"),
        ("FROM php:8-apache\nCOPY . /var/www/html\n", "www-data"),
        (
            'FROM php:8-apache\nENTRYPOINT ["/docker-entrypoint.sh"]\nCMD ["apache2-foreground"]\n',
            "www-data",
        ),
        ('FROM debian\nRUN apt-get install nginx\nCMD ["nginx", "-g", "daemon off;"]\n', "nginx"),
        ("FROM mysql:8\n", "gosu"),
        ("FROM debian\nCOPY nginx.conf /etc/nginx/\nCOPY run.sh /\nCMD /run.sh\n", "run.sh` is there to start nginx"),
        ("FROM debian\nRUN apt-get install -y apache2\nCOPY run.sh /\nCMD sh /run.sh\n", "start Apache"),
    ],
)
def test_what_steps_down_is_left_alone(text: str, reason: str) -> None:
    assert not check(text)
    stage = stage_of(text)
    assert reason in left_alone(stage, StageNeeds(stage))


@pytest.mark.parametrize(
    "line",
    [
        "RUN chown -R app:app /srv/x && chown shop /y",
        "RUN chgrp -R app /y",
        "COPY --chown=root:app x /y",
        "RUN su app -c x",
        "RUN su - app -c x",
        "RUN sudo -u app x",
        "RUN sudo -EHu app x",
        "RUN sudo --user=app x",
        "RUN /sbin/setuser app bundle install",
        "RUN gosu app x",
        "RUN install -m 0755 -g app x /y",
        "RUN usermod -aG app,video www-data",
    ],
)
def test_a_name_that_is_in_use_is_not_created_again(line: str) -> None:
    new = hardened(f"FROM debian\n{line}\nCMD /x\n")
    assert "groupadd --gid 10001 appuser" in new


@pytest.mark.parametrize(
    ("line", "user"),
    [
        ("COPY --chown=shop:shop x /y", "shop"),
        ("RUN install -d -o shop /y", "shop"),
        ("RUN chown -R shop.shop /y", "shop"),
        ("RUN chown postgres /y", "10001:10001"),
        ("RUN chown shop /y && chown web /z", "10001:10001"),
    ],
)
def test_whom_files_are_handed_to_is_who_runs(line: str, user: str) -> None:
    assert f"USER {user}\n" in hardened(f"FROM debian\n{line}\nCMD /x\n")


@pytest.mark.parametrize("comment", ["runs in the root directory", "do not run as root", "install as root", "the document root"])
def test_a_comment_about_another_root_decides_nothing(comment: str) -> None:
    assert hardened(f"FROM debian\n# {comment}\nCMD /x\n")


def test_a_stage_that_others_build_on_stays_roots() -> None:
    text = "FROM debian AS run\nCMD /x\nFROM run\nRUN x\nCMD /y\n"
    found = parse(text)
    first = DockerStage(Source("Dockerfile", text), found, found.stages[0], runs=True, started_by="service a")
    (finding,) = _root_stage.check(first, StageNeeds(first))
    assert "line 3 builds on it" in finding.refusal


def test_a_doubt_about_this_program_replaces_the_general_one() -> None:
    missing = [check(f"FROM debian\n{line}\n")[0].fix for line in ("CMD /x", "COPY run /\nCMD bash /run")]
    assert ["cannot be told" in fix.missing for fix in missing if fix] == [True, False]


NATIVE = "FROM golang AS build\nRUN go build -o /x\n"
CROSS = "FROM --platform=$BUILDPLATFORM golang AS build\nARG TARGETARCH\nRUN GOARCH=$TARGETARCH go build -o /x\n"
TAKES = "COPY --from=build /x /x\nCMD /x\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{CROSS}FROM alpine\n{TAKES}", "line 1 works on `$BUILDPLATFORM`"),
        (f"{CROSS}FROM alpine AS base\nFROM base\n{TAKES}", "line 1 works on `$BUILDPLATFORM`"),
        (f"{NATIVE}FROM arm64v8/alpine\n{TAKES}", "line 3 takes an image for arm64v8"),
        (f"{NATIVE}FROM --platform=linux/arm64 alpine\n{TAKES}", "line 3 takes an image for arm64"),
        ("FROM alpine\nARG TARGETPLATFORM\nCOPY $TARGETPLATFORM/x /x\nCMD /x\n", "line 3 copies"),
        (f"{NATIVE}FROM alpine\n{TAKES}", ""),
        (f"{NATIVE}FROM --platform=linux/amd64 alpine\n{TAKES}", ""),
        (f"{CROSS}FROM alpine\nRUN apk add tzdata\n{TAKES}", ""),
        (f"{CROSS}FROM alpine AS zones\nRUN apk add tzdata\nFROM alpine\n{TAKES}", ""),
        (f"{CROSS}FROM scratch\n{TAKES}", ""),
        (f"{CROSS}FROM gcr.io/distroless/static\n{TAKES}", ""),
    ],
)
def test_the_first_command_of_a_stage_may_not_run_where_it_is_built(text: str, why: str) -> None:
    """BuildKit, docs/multi-platform.md: without an emulator a command of another platform ends in `exec format error`."""
    (finding,) = check(text)
    assert finding.fix
    assert ("whether the builder can run a command" in finding.fix.missing) is bool(why)
    assert why in finding.fix.missing


def test_another_command_is_not_what_the_base_steps_down_for() -> None:
    assert "USER postgres" in hardened('FROM postgres:16\nENTRYPOINT ["/backup"]\nCOPY backup /\n')
    assert "USER www-data" in hardened('FROM php:8-apache\nCOPY . /app\nCMD ["php", "/app/worker.php"]\n')


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("FROM mcr.microsoft.com/dotnet/framework/aspnet:4.8\nCMD x\n", "Windows"),
        ("FROM golang:1.22-nanoserver\nCMD x\n", "Windows"),
        ("FROM corp/base\nRUN apt-get install x\nCMD x\n", "not known"),
        ("FROM $BASE\nCMD x\n", "not known"),
        ('FROM debian\nCMD ["/usr/sbin/sshd", "-D"]\n', "sshd"),
        ('FROM debian\nCMD ["/usr/bin/supervisord"]\n', "supervisord"),
        ("FROM debian\nCMD service apache2 start && tail -f /x\n", "system services"),
        ("FROM debian\nCMD sudo serve\n", "sudo"),
        ("FROM phusion/baseimage\nRUN x\n", "my_init"),
        ("FROM docker:27-dind\n", "daemon"),
        ("FROM debian\nRUN apt-get install -y supervisor\nCOPY run.sh /\nCMD /run.sh\n", "could not be read"),
        ("FROM debian\nENV PATH=/root/.cargo/bin:$PATH\nCMD x\n", "/root"),
        ("FROM scratch\nADD rootfs.tar.gz /\nCMD /x\n", "file system"),
        ("FROM debian\nUSER 0\nCMD /x\n", "line 2 says root by name"),
        ("FROM debian\nUSER web\nRUN x\nUSER root\nWORKDIR /y\nCMD /x\n", "line 4 says root by name"),
        ("FROM debian\n# needs root for raw sockets\nUSER root\nCOPY x /\nCMD /x\n", "line 3 says root by name, and line 2 why"),
        ("# root is required\nFROM debian\nCMD /x\n", "line 1 says that it needs root"),
        ("FROM debian\nENV DAPPER_RUN_ARGS --privileged\nCMD x y\n", "dapper"),
        ("FROM debian\nEXPOSE 80 22/tcp\nCOPY run.sh /\nCMD /run.sh\n", "line 2 exposes port 22"),
        ("FROM debian\nRUN apt-get install -y openssh-server\nEXPOSE 22\nCMD /opt/x\n", "installs sshd"),
        ("FROM debian\nRUN apk add nginx openssh\nCOPY run.sh /\nCMD /run.sh\n", "installs openssh"),
        ("FROM debian\nRUN apt-get install -y strongswan\nCOPY run.sh /\nCMD /run.sh\n", "network"),
        ("FROM debian\nVOLUME /lib/modules\nCMD /x\n", "kernel modules"),
        ("FROM debian\nCMD bash -l\n", "its command is a shell"),
    ],
)
def test_refusals_say_why_and_what_to_do(text: str, reason: str) -> None:
    (finding,) = check(text)
    assert reason in finding.refusal
    assert finding.advice
    assert finding.fix is None


def test_the_place_is_behind_everything_that_needs_root() -> None:
    new = hardened("FROM scratch\nCMD /x\nCOPY a b\n# end\nEXPOSE 80")
    assert new == "FROM scratch\nCMD /x\nCOPY a b\n# Run as an unprivileged user\nUSER 10001:10001\n# end\nEXPOSE 80"


@pytest.mark.parametrize("step", ["  ", "\t", "        "])
def test_lines_are_continued_as_the_file_does(step: str) -> None:
    new = hardened(f"FROM debian\nRUN a \\\n{step}&& b\nVOLUME /data\nCMD /x\n")
    assert f"RUN groupadd --gid 10001 app \\\n{step}&& useradd" in new


def test_what_cannot_be_read_is_a_doubt() -> None:
    text = 'FROM alpine\nCOPY bin/start.sh /usr/bin/\nENTRYPOINT ["start.sh"]\n'
    fixes = [check(text, context)[0].fix for context in ({}, {"bin/start.sh": "#!/bin/sh\nexec serve"})]
    assert ["`bin/start.sh`" in fix.missing for fix in fixes if fix] == [True, False]


def test_writable_places_are_handed_over_and_nothing_else() -> None:
    new = hardened(
        "FROM debian\nWORKDIR /app\nCOPY . .\n"
        "RUN mkdir -p logs /build /var/lib/shop /tmp/x cache && rm -rf cache && cd /y && mkdir data\nCMD /x\n"
    )
    assert "chown -R app:app /app/logs /var/lib/shop\n" in new
    assert "mkdir -p /app/logs" not in new


@pytest.mark.parametrize(
    ("command", "user"),
    [
        ("useradd -ms /bin/bash web", NewUser("web", None, "")),
        ("useradd -rmu 999 -g www web", NewUser("web", 999, "www")),
        ("/usr/sbin/useradd --uid=5 --gid 6 web --shell /bin/sh", NewUser("web", 5, "6")),
        ("adduser --disabled-password --gecos '' web", NewUser("web", None, "")),
        ("adduser -D -u 1000 -G www -h /w web", NewUser("web", 1000, "www")),
        ("adduser web -S", NewUser("web", None, "")),
        ("adduser --system --ingroup www --uid 7 web", NewUser("web", 7, "www")),
        ("adduser web docker", None),
        ("addgroup -g 12 -S www", NewUser("www", 12, "", is_group=True)),
        ("groupadd --system --gid 13 www", NewUser("www", 13, "", is_group=True)),
        ("userdel web", None),
        ("useradd", None),
    ],
)
def test_new_users(command: str, user: NewUser | None) -> None:
    (found,) = shell.commands(command)
    assert created(found.name, found.arguments) == user


@pytest.mark.parametrize(
    ("command", "packages"),
    [
        ("apt-get install -y --no-install-recommends curl=7.* gosu", {"curl", "gosu"}),
        ("apk add --no-cache --virtual .deps gcc tini~0.19", {"gcc", "tini"}),
        ("dnf -y install httpd", {"httpd"}),
        ("apt-get update", set()),
        ("echo install x", set()),
    ],
)
def test_packages(command: str, packages: set[str]) -> None:
    (found,) = shell.commands(command)
    assert set(installed(found.name, found.arguments)) == packages


@pytest.mark.parametrize(
    ("image", "family", "account", "starts_as"),
    [
        ("node:20-alpine", "alpine", "node", None),
        ("node:0.12", "debian", None, None),
        ("docker.io/library/python:3.12", "debian", None, None),
        ("arm64v8/ruby:3", "debian", None, None),
        ("public.ecr.aws/docker/library/golang:1.22-alpine3.20", "alpine", None, None),
        ("nvidia/cuda:12.4.1-runtime-rockylinux9", "rhel", None, None),
        ("gcr.io/distroless/java17-debian12", "none", "nonroot", None),
        ("gcr.io/distroless/java17-debian12:nonroot", "none", None, "nonroot"),
        ("php:8-alpine", "alpine", "www-data", None),
        ("mcr.microsoft.com/dotnet/aspnet:8.0", "debian", "app", None),
        ("mcr.microsoft.com/dotnet/aspnet:7.0", "debian", None, None),
        ("mcr.microsoft.com/dotnet/aspnet:8.0-noble-chiseled", "none", None, "app"),
        ("haproxy:3.0", "debian", None, "haproxy"),
        ("haproxy:2.0", "debian", None, None),
    ],
)
def test_bases(image: str, family: str, account: str | None, starts_as: str | None) -> None:
    base = known(image)
    assert base is not None
    assert base.family == family
    assert (base.account and base.account.name) == account
    assert (base.starts_as and base.starts_as.name) == starts_as


@pytest.mark.parametrize("image", ["corp/node", "node.example.com/node", "nodes", "library", "gcr.io/distroless"])
def test_names_that_only_resemble_a_base_are_unknown(image: str) -> None:
    assert known(image) is None


def test_every_base_can_be_read_and_names_its_source() -> None:
    """The file is read in pieces at run time; here it is read as what it is."""
    with open(DATA, "rb") as file:
        whole = tomllib.load(file)
    fields = {
        "names",
        "when",
        "family",
        "account",
        "on_alpine",
        "since",
        "starts_as",
        "serves",
        "steps_down",
        "needs_root",
        "writes",
        "entrypoint",
        "source",
    }
    families = {"debian", "rhel", "rhel-minimal", "alpine", "busybox", "none", "windows"}
    for facts in whole["base"]:
        assert set(facts) <= fields
        assert facts["family"] in families
        assert facts.get("entrypoint", "none") in ("none", "exec")
        repository, commit, *_ = whole["source"][facts["source"]].split()
        assert (repository.count("/"), len(commit)) == (1, 40)
        for name in facts["names"]:
            words = facts.get("when", [""])
            base = known(name.replace("*", "x") + (f":{words[0]}" if words[0] else ""))
            assert base is not None
            assert base.evidence.source.startswith(repository)
            assert base.serves == facts.get("serves", "")
    assert set(whole["tags"].values()) <= families
    assert set(whole["source"]) == {facts["source"] for facts in whole["base"]}


LINES = st.sampled_from(
    """RUN useradd -u 10001 app|RUN adduser web www|USER root|USER 0|WORKDIR /app/data|VOLUME /data logs|COPY a /root/|EXPOSE 22|
RUN mkdir -p data $X/log "a b"|ENTRYPOINT ["/e.sh"]|CMD ["x"]|CMD rails s|COPY e.sh /|SHELL ["/bin/bash"]|HEALTHCHECK CMD x|
ENTRYPOINT []|RUN ["sh", "-c", "useradd x"]|RUN <<E\nUSER root\nE|# comment||ENV A=/root/x PATH=$PATH:/y|
FROM node|FROM scratch|FROM a|
ONBUILD RUN x|ARG V|USER $V|RUN gosu x|
RUN chown web x|COPY --chown=web:web x y""".replace("|\n", "|").split("|")
)
BASES = st.sampled_from(["alpine", "debian", "node:20", "scratch", "jenkins/jenkins", "nginx", "gcr.io/distroless/base"])


@settings(max_examples=300, deadline=None)
@given(BASES, st.lists(LINES, max_size=8))
def test_any_stage_ends_without_root_or_with_a_reason(base: str, lines: list[str]) -> None:
    text = f"FROM {base} AS a\n" + "\n".join(lines) + "\n"
    for finding in check(text):
        assert finding.fix or finding.refusal or finding.advice
        if finding.fix:
            new = hardened(text)
            users = [item for item in buildkit.parse_string(new) if item.cmd.upper() == "USER"]
            assert users[-1].value[0].partition(":")[0] not in ("root", "0")
