"""What a service asks for in the end, after merges, `extends` and files laid over each other: as Compose itself sees it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from compose_oracle import STRICT, ask, limits, write

from hardener.facts.compose.document import ComposeFile
from hardener.facts.compose.project import ComposeProject
from hardener.facts.container import Container, names
from hardener.facts.tree import Tree
from hardener.source import read

Facts = dict[str, Any]
#: Kinds of mounts that Compose does not tell apart in a service.
KINDS = {"external": "volume"}


def our_facts(container: Container) -> Facts:
    """A container in terms that can be compared; what depends on an unknown variable is left out."""
    amounts = {"memory": container.memory, "cpus": container.cpus, "pids": container.pids}
    mounts = [mount for mount in container.mounts if mount.kind not in ("config", "secret")]  # not under `volumes` to Compose
    facts: Facts = {
        "user": container.user.effective,
        "command": list(container.command or ()),
        "entrypoint": list(container.entrypoint or ()),
        "environment": dict(container.environment),
        "mounts": sorted((mount.target.rstrip("/"), KINDS.get(mount.kind, mount.kind), mount.read_only) for mount in mounts),
        "sources": sorted(mount.source for mount in container.mounts if mount.kind == "bind"),
        "tmpfs": sorted(f"{mount.path}:{mount.options}".rstrip(":") for mount in container.tmpfs.effective),
        "ports": sorted(set(container.served_ports)),
        "published": sorted(tuple(port[:4]) for port in container.published_ports),
        "host network": container.host_network.effective,
        "host pid": container.host_pid.effective,
        "host ipc": container.host_ipc.effective,
        "host uts": container.host_uts.effective,
        "host users": container.host_user_namespace.effective,
        "devices": sorted(tuple(device[:3]) for device in container.devices.effective),
        "unconfined": [container.seccomp_unconfined.effective, container.apparmor_unconfined.effective],
        "propagation": sorted(mount.propagation for mount in container.mounts if mount.propagation),
        "restart": tuple(container.restart.effective),
        "healthcheck": container.healthcheck.effective,
        "privileged": container.privileged.effective,
        "read-only": container.read_only_root.effective,
        "no new privileges": container.no_new_privileges.effective,
        "dropped": sorted(names(container.cap_drop.effective)),
        "added": sorted(names(container.cap_add.effective)),
        "reserved": int(container.reserved_memory),
    }
    if container.build is None:
        facts["image"] = container.image_text
    else:
        facts["target"] = container.build.target
        facts["arguments"] = dict(container.build.arguments)
    for name, setting in amounts.items():
        if not (setting.written and setting.effective is None):
            facts[name] = setting.effective.number if setting.effective else None
    if any("-" in port.host + port.container for port in container.published_ports):
        del facts["published"]  # Compose takes ranges apart
    return {name: value for name, value in facts.items() if "$" not in repr(value) and value != -1.0}


def their_facts(service: Mapping[str, Any]) -> Facts:
    """A service of Compose's model in the same terms."""
    escalation = [
        str(item).replace("=", ":") for item in service.get("security_opt") or () if str(item).startswith("no-new-privileges")
    ]
    deploy = ((service.get("deploy") or {}).get("resources") or {}).get("reservations") or {}
    build = service.get("build") or {}
    limited = limits(service)
    ports = {int(port["target"]) for port in service.get("ports") or ()}
    for exposed in service.get("expose") or ():
        first, _, last = str(exposed).partition("/")[0].partition("-")
        ports |= set(range(int(first), int(last or first) + 1)) if first else set()
    return {
        "image": service.get("image") or "",
        "target": build.get("target") or "",
        "arguments": build.get("args") or {},
        "user": service.get("user") or "",
        "command": service.get("command") or [],
        "entrypoint": service.get("entrypoint") or [],
        "environment": service.get("environment") or {},
        "mounts": sorted(
            (one["target"].rstrip("/"), one["type"], one.get("read_only", False)) for one in service.get("volumes") or ()
        ),
        "sources": sorted(one.get("source", "") for one in service.get("volumes") or () if one["type"] == "bind"),
        "tmpfs": sorted(service.get("tmpfs") or ()),
        "ports": sorted(ports),
        "published": sorted(
            (port.get("host_ip", ""), port.get("published", ""), str(port["target"]), port.get("protocol", "tcp"))
            for port in service.get("ports") or ()
        ),
        "host network": service.get("network_mode") == "host",
        "host pid": service.get("pid") == "host",
        "host ipc": service.get("ipc") == "host",
        "host uts": service.get("uts") == "host",
        "host users": service.get("userns_mode") == "host",
        "devices": sorted(
            (device["source"], device.get("target") or device["source"], device.get("permissions") or "rwm")
            for device in service.get("devices") or ()
        ),
        "unconfined": [
            any(str(item).replace("=", ":") == f"{name}:unconfined" for item in service.get("security_opt") or ())
            for name in ("seccomp", "apparmor")
        ],
        "propagation": sorted(
            one["bind"]["propagation"] for one in service.get("volumes") or () if (one.get("bind") or {}).get("propagation")
        ),
        "restart": their_restart(service),
        "healthcheck": their_healthcheck(service.get("healthcheck") or {}),
        "privileged": service.get("privileged", False),
        "read-only": service.get("read_only", False),
        "no new privileges": bool(escalation) and not escalation[-1].endswith(":false"),
        "dropped": sorted({name.upper().removeprefix("CAP_") for name in service.get("cap_drop") or ()}),
        "added": sorted({name.upper().removeprefix("CAP_") for name in service.get("cap_add") or ()}),
        "reserved": int(deploy.get("memory") or service.get("mem_reservation") or 0),
        **{name: float(limited[name]) if name in limited else None for name in ("memory", "cpus", "pids")},
    }


def their_restart(service: Mapping[str, Any]) -> tuple[str, int | None]:
    """What restarts a service of Compose's model, and how often at most."""
    policy = (service.get("deploy") or {}).get("restart_policy")
    if policy is not None:
        condition = policy.get("condition") or "any"
        return {"any": "always", "none": "no"}.get(condition, condition), policy.get("max_attempts")
    name, _, count = (service.get("restart") or "no").partition(":")
    return name, int(count) if count else None


def their_healthcheck(check: Mapping[str, Any]) -> tuple[str, ...]:
    """The command that asks for health, behind how it is started."""
    return ("NONE",) if check.get("disable") else tuple(check.get("test") or ())


def containers(folder: Path, files: Mapping[str, bytes]) -> dict[str, Container]:
    """The containers of a project, by `files#service`, with `+` between files that are given together."""
    write(folder, files)
    before = os.getcwd()
    os.chdir(folder)
    try:
        compose = {os.path.abspath(name): ComposeFile(read(name, name)) for name in files if name.endswith((".yml", ".yaml"))}
        return {container.key: container for container in ComposeProject(compose, Tree((".",))).containers}
    finally:
        os.chdir(before)


def disagreements(folder: Path, files: Mapping[str, bytes], *given: str, flags: tuple[str, ...] = STRICT) -> list[str]:
    """Where we and Compose see something else in the services of the last file given."""
    answer = ask(files, *given, flags=flags)
    assert answer.model is not None, answer.error
    ours = containers(folder, files)
    differ, compared = [], 0
    for name, service in answer.model["services"].items():
        container = ours.get(f"{'+'.join(given)}#{name}")
        if container is not None:
            compared += 1
            theirs = their_facts(service)
            differ += [
                f"{name}: {fact}: {value!r}, Compose: {theirs[fact]!r}"
                for fact, value in our_facts(container).items()
                if theirs[fact] != value
            ]
    assert compared, "nothing was compared"
    return differ


ALONE = {
    "everything": """
services:
  web:
    image: example/app:1.4
    user: "1000:1000"
    command: serve --port 80 "two words"
    entrypoint: ["/entry.sh", "-x"]
    environment: {A: b, NUMBER: 5, TRUTH: true, NOTHING: , EMPTY: "", QUOTED: "5"}
    ports: ["80:8080", "127.0.0.1:81:8081/udp", "9000", {target: 70, published: "71"}, "3000-3002:4000-4002"]
    expose: ["5000", 6000-6001]
    volumes:
      - data:/data
      - ./src:/src:ro
      - /anonymous
      - ~/home:/home/x
      - {type: bind, source: ./long, target: /long, read_only: true}
      - {type: tmpfs, target: /long-tmpfs}
      - {type: volume, source: data, target: /other}
    tmpfs: [/tmp, "/run:size=1m,uid=5"]
    cap_add: [cap_chown, SYS_PTRACE]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true", "label:disable"]
    read_only: true
    privileged: true
    network_mode: bridge
    mem_limit: 1.5g
    mem_reservation: 64m
    cpus: 0.5
    pids_limit: 100
volumes: {data: }
""",
    "lists of names and values": """
services:
  web:
    image: example/app:1.4
    environment: [A=b, "C=d=e", EMPTY=, "QUOTED='x'"]
    command: ["a", "b c", 'd']
    tmpfs: /tmp
  other:
    image: example/app:1.4
    command: []
    entrypoint: ""
  shell:
    image: example/app:1.4
    command: sh -c 'echo "$$HOME"'
    entrypoint: /bin/sh -c
""",
    "limits of deploy": """
services:
  a:
    image: example/app:1.4
    deploy: {resources: {limits: {memory: 64M, cpus: "0.25", pids: 5}, reservations: {memory: 20M}}}
  b:
    image: example/app:1.4
    deploy: {replicas: 2}
  none:
    image: example/app:1.4
    pids_limit: -1
    cpus: 0
  bytes:
    image: example/app:1.4
    mem_limit: 268435456
  spelled:
    image: example/app:1.4
    mem_limit: 512MB
""",
    "merges": """
x-one: &one
  image: example/one:1
  cap_add: [CHOWN]
  environment: {A: one, B: one}
x-two: &two
  image: example/two:2
  cap_add: [KILL]
  user: "2"
  environment: {C: two}
services:
  a: {<<: *one}
  b: {<<: [*one, *two]}
  c: {<<: [*two, *one], cap_add: [FOWNER]}
  d:
    <<: *two
    environment:
      D: d
  e:
    environment: {E: e}
    <<: *one
""",
    "merges of merges": """
x-a: &a
  image: example/a:1
  user: "1"
  read_only: true
x-b: &b
  <<: *a
  user: "2"
x-env: &env
  A: a
  B: b
services:
  one:
    <<: *b
  two: &two
    <<: *b
    read_only: false
  three:
    <<: *two
    environment:
      <<: *env
      B: own
""",
    "anchors defined anew": """
x-1: &x {image: "example/one:1"}
services:
  a: *x
  b: &x
    image: example/two:2
  c: *x
""",
    "aliases of values": """
x-drop: &drop [NET_RAW]
x-deploy: &deploy {resources: {limits: {memory: 1G}}}
services:
  a: {image: x, cap_drop: *drop, deploy: *deploy}
  b:
    image: x
    deploy:
      <<: *deploy
""",
    "extends": """
services:
  base:
    image: example/app:1.4
    user: "1"
    command: base
    environment: {A: base, B: base}
    cap_add: [CHOWN]
    cap_drop: [NET_RAW]
    security_opt: ["label:disable"]
    tmpfs: [/tmp, "/cache:size=1m"]
    volumes: ["one:/one", "./two:/two"]
    ports: ["80:80"]
    mem_limit: 64m
    privileged: true
  child:
    extends: base
    user: "2"
    environment: [B=child, C=child]
    cap_add: [KILL]
    cap_drop: [MKNOD]
    security_opt: ["no-new-privileges:true"]
    tmpfs: [/run]
    volumes: ["three:/one", "./four:/four:ro"]
    ports: ["81:81"]
    privileged: false
  grandchild:
    extends: {service: child}
    image: example/other:2
    command: ["own"]
    read_only: true
volumes: {one: , three: }
""",
    "no new privileges in all its forms": """
services:
  a: {image: x, security_opt: [no-new-privileges]}
  b: {image: x, security_opt: ["no-new-privileges=true"]}
  c: {image: x, security_opt: ["no-new-privileges:false"]}
  d: {image: x, security_opt: ["no-new-privileges:false", "no-new-privileges:true"]}
  e: {image: x, security_opt: ["no-new-privileges:true", "no-new-privileges=false"]}
  f: {image: x, security_opt: []}
""",
    "booleans": """
services:
  a: {image: x, read_only: true, privileged: false}
  b: {image: x, read_only: "true", privileged: "false"}
  c: {image: x, read_only: yes}
  d: {image: x, read_only: on, privileged: off}
  e: {image: x, read_only: True}
""",
    "several documents": """
services:
  a: {image: example/one:1, cap_add: [CHOWN], user: "1"}
---
services:
  a: {cap_add: [KILL], user: "2"}
  b: {image: example/two:2}
""",
    "builds": """
services:
  a: {build: ./dir}
  b:
    build:
      context: .
      dockerfile: Dockerfile.dev
      target: dev
      args: {A: b, N: 5}
  c:
    build: {context: ., args: ["A=b", "EMPTY="]}
    image: example/c:1
""",
    "numbers and odd scalars": """
services:
  "1": {image: x, user: "0", command: 5m}
  dots.and-dashes_: {image: "x:1.10", environment: {V: "1.10", T: "10:20", N: 5}}
""",
}


@pytest.mark.parametrize("name", ALONE)
def test_one_file(name: str, tmp_path: Path) -> None:
    assert disagreements(tmp_path, {"compose.yaml": ALONE[name].encode()}, "compose.yaml") == []


BASE = """
services:
  web:
    image: example/app:1.4
    user: "1"
    command: base
    environment: {A: base, B: base}
    cap_add: [CHOWN]
    cap_drop: [NET_RAW]
    security_opt: ["label:disable"]
    tmpfs: [/tmp]
    volumes: ["one:/one", "./two:/two"]
    read_only: true
    deploy: {resources: {limits: {memory: 64M}, reservations: {memory: 32M}}}
  other:
    image: example/other:2
volumes: {one: }
"""
LAID_OVER = {
    "everything is replaced or joined": """
services:
  web:
    image: example/app:2
    user: "2"
    command: ["own", "words"]
    environment: [B=over, C=over]
    cap_add: [KILL]
    cap_drop: [MKNOD]
    security_opt: ["no-new-privileges:true"]
    tmpfs: [/run]
    volumes: ["./elsewhere:/one", "./three:/three:ro"]
    read_only: false
    deploy: {resources: {limits: {cpus: "0.5"}}}
""",
    "what is shared with the host": """
services:
  a:
    image: example/one:1
    pid: host
    ipc: host
    uts: host
    userns_mode: host
    restart: on-failure:5
    security_opt: ["seccomp=unconfined", "apparmor:unconfined"]
    devices: ["/dev/null", "/dev/zero:/dev/other", "/dev/full:/dev/full:r"]
    ports:
      - "80"
      - 127.0.0.1:81:82/udp
      - "[::1]:83:84"
      - "${BIND:-10.0.0.1}:${PORT:-85}:86"
      - {target: 87, published: "88", host_ip: 10.1.1.1}
    volumes: ["/srv:/srv:rshared", {type: bind, source: /opt, target: /opt, bind: {propagation: rslave}}]
    healthcheck: {test: "curl -f http://localhost"}
  b:
    image: example/one:1
    pid: service:a
    restart: always
    deploy: {restart_policy: {condition: on-failure, max_attempts: 3}}
    security_opt: ["seccomp:./profile.json"]
    healthcheck: {disable: true}
  c:
    image: example/one:1
    restart: "no"
    devices: [{source: /dev/null, target: /dev/x, permissions: r}]
    healthcheck: {test: ["CMD", "true", "x"]}
  d:
    image: example/one:1
    restart: unless-stopped
    healthcheck: {test: ["NONE"]}
""",
    "nothing below the service": "services: {web: , other: {user: '5'}}",
    "a new service": "services:\n  new: {image: example/new:3}\n",
    "override": """
services:
  web:
    cap_add: !override [KILL]
    security_opt: !override ["no-new-privileges:true"]
    tmpfs: !override [/run]
    volumes: !override ["./three:/three"]
    environment: !override {C: over}
    deploy: !override {resources: {limits: {cpus: "0.5"}}}
""",
    "reset": """
services:
  web:
    user: !reset null
    command: !reset null
    cap_add: !reset []
    security_opt: !reset []
    tmpfs: !reset []
    read_only: !reset false
    volumes: !reset []
    environment: !reset {}
    deploy: !reset {}
""",
    "reset of what is deep": """
services:
  web:
    environment: {A: !reset null}
    deploy: {resources: {limits: {memory: !reset null, cpus: "0.5"}}}
""",
    "empty values": """
services:
  web:
    user: ""
    command: ""
    environment: {A: ""}
""",
    "merges on both sides": """
x-a: &a {cap_add: [FOWNER], user: "9"}
services:
  web:
    <<: *a
    read_only: false
""",
    "extends above": """
services:
  helper: {image: example/helper:1, cap_add: [SETUID], environment: {H: h}}
  web:
    extends: helper
    user: "3"
""",
}


@pytest.mark.parametrize("over", ["docker-compose.override.yml", "docker-compose.prod.yml", "deploy/docker-compose.prod.yml"])
@pytest.mark.parametrize("name", LAID_OVER)
def test_a_file_over_another(name: str, over: str, tmp_path: Path) -> None:
    text = LAID_OVER[name]
    if "prod" in over and "web: ," not in text:
        text = text.replace("services:\n", "services:\n  other:\n", 1)  # a service without an image: laid over the base
    files = {"docker-compose.yml": BASE.encode(), over: text.encode()}
    assert disagreements(tmp_path, files, "docker-compose.yml", over) == []


def test_extends_from_another_file(tmp_path: Path) -> None:
    files = {
        "compose.yaml": b"services:\n  web:\n    extends: {file: common/base.yml, service: app}\n"
        b"    cap_add: [KILL]\n    environment: {B: own}\n",
        "common/base.yml": b"services:\n  deep: {image: 'example/deep:1', user: '7'}\n"
        b"  app:\n    extends: deep\n    cap_add: [CHOWN]\n    environment: {A: a, B: b}\n"
        b"    security_opt: ['no-new-privileges:true']\n",
    }
    assert disagreements(tmp_path, files, "compose.yaml") == []


def test_variables_and_files_of_them(tmp_path: Path) -> None:
    files = {
        ".env": b"# a comment\nTAG=16-alpine\nexport NAME=web\nQUOTED=\"a b\" # why\nSINGLE='$TAG'\nEMPTY=\n"
        b"TWICE=${TAG}-x\nMEM=64m\nFLAG=true\n",
        "web.env": b"FROM_FILE=1\nBOTH=file\n\n# no\nSPACED = x\n",
        "compose.yaml": b"""
services:
  a:
    image: postgres:${TAG}
    env_file: web.env
    environment: {BOTH: own, Q: "${QUOTED}", S: "${SINGLE}", T: "${TWICE}"}
    mem_limit: ${MEM}
    read_only: ${FLAG}
  b:
    image: ${IMAGE:-example/app}:${VERSION-1.4}
    user: "${EMPTY:-5}"
    command: echo $$HOME ${EMPTY-unset} ${NAME:+set} ${NOPE:+set}
    env_file: [web.env, {path: web.env, required: true}]
  c:
    image: ${OUTER:-${INNER:-example/inner}}:1
    environment: ["A=${NAME}", "B=${TAG:?is needed}", "C=${NAME:-other}", "D=${EMPTY:-other}"]
""",
    }
    assert disagreements(tmp_path, files, "compose.yaml", flags=("--no-path-resolution",)) == []


def test_nothing_is_compared_in_vain(tmp_path: Path) -> None:
    """The comparison above sees a difference where there is one."""
    files = {"compose.yaml": ALONE["everything"].encode()}
    facts = our_facts(containers(tmp_path, files)["compose.yaml#web"])
    assert len(facts) == 28
    assert facts["memory"] == 1.5 * 1024**3
    assert facts["mounts"]
    assert facts["ports"]
    assert facts["environment"]["A"] == "b"
    answer = ask(files, "compose.yaml")
    assert answer.model is not None
    service = answer.model["services"]["web"]
    assert their_facts({**service, "privileged": False})["privileged"] != facts["privileged"]
