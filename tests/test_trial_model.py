"""The model of a trial: nothing of the user's in it, and all else as Compose itself reads it of the original."""

from __future__ import annotations

import copy
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from compose_oracle import binary

from hardener.facts.engine_socket import is_engine_socket
from hardener.trial.host import Names, StandIn, is_harmless_device, is_shown
from hardener.trial.model import Model, Note, Published, Socket, trial_model

LABELS = {"io.example.trial": "1"}
NAMES = Names("/copy/project", "/home/me/project", "/copy/empty", "trial-1", LABELS, "t1")
FILES = frozenset(("/etc/localtime", "/srv/app.conf", "/home/me/notes", "/var/run/docker.sock"))
FOLDERS = frozenset(("/sys", "/home/me/data", "/dev/net/tun"))


def look(path: str) -> str:
    return "file" if path in FILES else "folder" if path in FOLDERS else ""


def made(service: dict[str, Any] | None = None, **more: Any) -> Model:
    """The model of a project with one service, `a`."""
    options = {name: more.pop(name) for name in ("allow_socket", "grace") if name in more}
    is_free = more.pop("is_free", lambda address, port: True)
    others = more.pop("services", {})
    config = {"name": "mine", "services": {"a": {"image": "x", **(service or {})}, **others}, **more}
    before = copy.deepcopy(config)
    model = trial_model(config, NAMES, look, is_free, **options)
    assert config == before, "what comes in is not changed"
    return model


def a(model: Model) -> dict[str, Any]:
    service: dict[str, Any] = model.document["services"]["a"]
    return service


def texts(notes: tuple[Note, ...]) -> str:
    return "\n".join(f"{note.service}: {note.text}" for note in notes)


def bind(source: str, **more: Any) -> dict[str, Any]:
    return {"volumes": [{"type": "bind", "source": source, "target": "/t", "bind": {"create_host_path": True}, **more}]}


@pytest.mark.parametrize(
    ("source", "becomes", "is_file"),
    [
        ("/copy/project", "/copy/project", None),
        ("/copy/project/conf", "/copy/project/conf", None),
        ("/copy/project-2/conf", "/copy/empty/host/copy/project-2/conf", False),
        ("/home/me/project/conf", "/copy/project/conf", None),
        ("/copy/project/../project/conf", "/copy/project/conf", None),
        ("/srv/app.conf", "/copy/empty/host/srv/app.conf", True),
        ("/home/me/data", "/copy/empty/host/home/me/data", False),
        ("/copy/notes", "/copy/empty/host/copy/notes", True),  # `../notes` of the original
        ("/", "/copy/empty/host", False),
        ("/var/lib/docker", "/copy/empty/host/var/lib/docker", False),
        ("/home/me/.ssh", "/copy/empty/host/home/me/.ssh", False),
        ("/etc", "/copy/empty/host/etc", False),
        ("/etc/ssl/private", "/copy/empty/host/etc/ssl/private", False),
        ("/etc/localtime/../shadow", "/copy/empty/host/etc/shadow", False),
        ("/proc/1/root", "/copy/empty/host/proc/1/root", False),
        ("/dev/shm", "/copy/empty/host/dev/shm", False),
        ("/etc/timezone", "/copy/empty/host/etc/timezone", False),  # not on this machine: the engine would make it there
    ],
)
def test_binds_lead_to_the_copy_or_to_nothing(source: str, becomes: str, is_file: bool | None) -> None:
    model = made(bind(source))
    assert a(model)["volumes"][0]["source"] == becomes
    assert model.stand_ins == (() if is_file is None else (StandIn(becomes, is_file),))
    assert bool(model.not_exercised) == (is_file is not None)
    assert not model.shared


def test_what_everybody_has_is_mounted_to_be_read() -> None:
    model = made(bind("/etc/localtime", bind={"create_host_path": True, "selinux": "Z", "propagation": "rshared"}))
    assert a(model)["volumes"] == [
        {"type": "bind", "source": "/etc/localtime", "target": "/t", "bind": {"create_host_path": False}, "read_only": True}
    ]
    assert model.shared == (Note("a", "/etc/localtime, to read"),)
    assert "writing to /etc/localtime" in texts(model.not_exercised)
    assert not made(bind("/sys", read_only=True)).not_exercised


def test_services_that_share_a_folder_of_the_machine_share_one_in_the_trial() -> None:
    model = made(bind("/data"), services={"b": {"image": "x", **bind("/data/in")}})
    assert model.stand_ins == (StandIn("/copy/empty/host/data", False), StandIn("/copy/empty/host/data/in", False))


@pytest.mark.parametrize("source", ["/var/run/docker.sock", "/run/user/1000/podman/podman.sock", "/var/run", "/run/containerd"])
def test_an_engine_is_asked_for_and_only_given_when_allowed(source: str) -> None:
    model = made(bind(source))
    assert model.sockets == (Socket("a", source),)
    assert a(model)["volumes"][0]["source"].startswith("/copy/empty/host/")
    assert source in texts(model.not_exercised)
    given = made(bind(source), allow_socket=True)
    assert given.sockets == model.sockets
    assert a(given)["volumes"][0]["source"] == source
    assert not given.stand_ins


def test_compose_can_be_asked_for_the_engine_too() -> None:
    model = made({"use_api_socket": True})
    assert model.sockets
    assert "use_api_socket" not in a(model)
    assert a(made({"use_api_socket": True}, allow_socket=True))["use_api_socket"] is True
    assert not is_engine_socket("/run/mysqld/mysqld.sock")
    assert not is_engine_socket("/")


def test_paths_of_the_machine() -> None:
    assert is_shown("/sys/fs/cgroup")
    assert is_shown("/etc/ssl/certs/ca.pem")
    assert is_harmless_device("/dev/dri/card0")
    assert not is_shown("/system")
    assert not is_shown("/etc/ssl/certs2")
    assert not is_shown("/etc/shadow")
    assert not is_harmless_device("/dev")
    assert not is_harmless_device("net/tun")
    assert not is_harmless_device("/dev/sda")


def test_devices_that_keep_something_are_left_out() -> None:
    model = made({"devices": [{"source": path, "target": path} for path in ("/dev/net/tun", "/dev/ttyUSB0", "/dev/sda")]})
    assert [device["source"] for device in a(model)["devices"]] == ["/dev/net/tun"]
    assert "/dev/ttyUSB0" in texts(model.not_exercised)
    assert "/dev/sda" in texts(model.not_exercised)
    assert "/dev/net/tun" in texts(model.shared)


@pytest.mark.parametrize(
    ("volume", "options"),
    [
        ({"name": "mine_v"}, None),
        ({"name": "prod", "external": True}, None),
        ({"driver": "local", "driver_opts": {"type": "nfs", "device": ":/x", "o": "addr=1.2.3.4"}}, None),
        ({"driver_opts": {"type": "none", "o": "bind", "device": "/srv/data"}}, None),
        ({"driver_opts": {"type": "tmpfs", "o": "bind", "device": "/srv/data"}}, None),
        ({"driver": "rclone", "driver_opts": {"remote": "s3:x"}}, None),
        (
            {"driver_opts": {"type": "none", "o": "bind", "device": "/home/me/project/d"}},
            {"type": "none", "o": "bind", "device": "/copy/project/d"},
        ),
        (
            {"driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}},
            {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"},
        ),
    ],
)
def test_volumes_are_the_trials_own(volume: dict[str, Any], options: dict[str, str] | None) -> None:
    model = made(volumes={"v": volume})
    assert model.document["volumes"] == {"v": {**({"driver_opts": options} if options else {}), "labels": LABELS}}
    assert bool(model.not_exercised) == (options is None and volume != {"name": "mine_v"})


@pytest.mark.parametrize(
    ("network", "becomes", "note"),
    [
        ({"name": "mine_n", "ipam": {}}, {}, ""),
        ({"name": "proxy", "external": True}, {}, "the network proxy of other projects"),
        ({"driver": "macvlan", "driver_opts": {"parent": "eth0"}}, {}, "macvlan"),
        ({"driver": "bridge", "internal": True}, {"driver": "bridge", "internal": True}, ""),
        ({"ipam": {"config": [{"subnet": "10.0.0.0/8"}]}}, {}, "fixed addresses"),
        ({"enable_ipv6": True}, {}, "IPv6"),
        (
            {"driver_opts": {"com.docker.network.bridge.name": "br-me", "com.docker.network.driver.mtu": "1400"}},
            {"driver_opts": {"com.docker.network.driver.mtu": "1400"}},
            "",
        ),
    ],
)
def test_networks_are_the_trials_own(network: dict[str, Any], becomes: dict[str, Any], note: str) -> None:
    model = made({"networks": {"n": None}}, networks={"n": network})
    assert model.document["networks"] == {"n": {**becomes, "labels": LABELS}}
    assert note in texts(model.not_exercised)
    assert bool(note) == bool(model.not_exercised)


def test_a_container_is_found_by_the_name_that_it_had() -> None:
    model = made({"container_name": "c-a", "networks": {"default": None, "n": {"aliases": ["x"], "ipv4_address": "10.0.0.2"}}})
    assert "container_name" not in a(model)
    assert a(model)["networks"] == {"default": {"aliases": ["c-a"]}, "n": {"aliases": ["x", "c-a"]}}
    assert "10.0.0.2" in texts(model.not_exercised)


OTHERS = {
    "network_mode": "container:{}",
    "pid": "container:{}",
    "ipc": "container:{}",
    "volumes_from": ["container:{}:ro"],
    "external_links": ["{}:db"],
}


@pytest.mark.parametrize("key", OTHERS)
def test_containers_of_others_are_left_alone(key: str) -> None:
    value = OTHERS[key]
    stranger = [value[0].format("prod")] if isinstance(value, list) else value.format("prod")
    model = made({key: stranger})
    assert key not in a(model)
    assert "prod" in texts(model.not_exercised)
    ours = [value[0].format("c-b")] if isinstance(value, list) else value.format("c-b")
    model = made({key: ours}, services={"b": {"image": "x", "container_name": "c-b"}})
    assert "b" in json.dumps({name: a(model).get(name) for name in (key, "links")})
    assert not model.not_exercised
    assert "container:" not in json.dumps(model.document)


def test_namespaces_of_the_machine_are_said() -> None:
    model = made({"network_mode": "host", "pid": "host", "ipc": "host", "privileged": True, "ports": [{"target": 80}]})
    assert a(model)["network_mode"] == "host"
    assert model.published == ()
    for words in ("network", "pid", "ipc", "privileged"):
        assert words in texts(model.shared)
    assert "network_mode" not in a(made({"network_mode": "proxy_default"}))
    assert a(made({"network_mode": "none"}))["network_mode"] == "none"
    assert a(made({"network_mode": "service:b"}))["network_mode"] == "service:b"


def test_ports_are_published_to_this_machine_while_they_are_free() -> None:
    def port(target: int, published: str | None, host: str | None = None, protocol: str = "tcp") -> dict[str, Any]:
        found = {"mode": "ingress", "target": target, "protocol": protocol, "published": published, "host_ip": host}
        return {key: value for key, value in found.items() if value is not None}

    asked = [
        port(80, "8080"),
        port(81, "8081", "0.0.0.0"),
        port(82, "8080", "192.168.0.9"),  # the first has it
        port(83, "8080", protocol="udp"),
        port(84, "6000-6002"),
        port(85, "8080", "::"),
        port(86, None),
        port(87, "0"),
    ]
    model = made(
        {"ports": asked},
        is_free=lambda address, port: port not in (8081, 6000),
        services={"b": {"image": "x", "ports": asked[:1]}},
    )
    assert model.published == (
        Published("a", 80, "tcp", "127.0.0.1", 8080),
        Published("a", 81, "tcp", "127.0.0.1", 0),
        Published("a", 82, "tcp", "127.0.0.1", 0),
        Published("a", 83, "udp", "127.0.0.1", 8080),
        Published("a", 84, "tcp", "127.0.0.1", 6001),
        Published("a", 85, "tcp", "::1", 8080),
        Published("a", 86, "tcp", "127.0.0.1", 0),
        Published("a", 87, "tcp", "127.0.0.1", 0),
        Published("b", 80, "tcp", "127.0.0.1", 0),
    )
    written = [(item["target"], item["host_ip"], item.get("published")) for item in a(model)["ports"]]
    assert written == [(one.target, one.address, str(one.port) if one.port else None) for one in model.published[:-1]]


def test_images_that_are_built_get_names_of_the_trials() -> None:
    build = {"context": "/copy/project"}
    more = {
        "tags": ["me/app:prod"],
        "cache_to": ["type=registry", "ref=me/app"],
        "cache_from": ["me/app"],
        "ssh": ["default"],
        "privileged": True,
        "entitlements": ["network.host", "security.insecure"],
        "labels": {"l": "1"},
        "additional_contexts": {"one": "/home/me/project/lib", "two": "docker-image://me/app", "three": "service:b"},
        "target": "run",
    }
    services = {
        "Web_1": {"image": "me/app", "build": build},
        "web-1": {"build": {"context": "https://example.com/r.git#main"}},
        "worker": {"image": "me/app", "pull_policy": "always"},
        "redis": {"image": "redis:7", "pull_policy": "always"},
    }
    model = made({"image": "me/app", "pull_policy": "build", "build": {**build, **more}}, services=services)
    assert model.images == {"a": "trial-1-a:t1", "Web_1": "trial-1-web-1:t1", "web-1": "trial-1-web-1-2:t1"}
    assert a(model)["build"] == {
        "context": "/copy/project",
        "target": "run",
        "entitlements": ["network.host"],
        "labels": {"l": "1", **LABELS},
        "additional_contexts": {"one": "/copy/project/lib", "two": "docker-image://trial-1-a:t1", "three": "service:b"},
    }
    found = model.document["services"]
    assert (found["worker"]["image"], found["worker"]["pull_policy"]) == ("trial-1-a:t1", "never")
    assert (found["redis"]["image"], found["redis"]["pull_policy"]) == ("redis:7", "missing")
    assert "https://example.com/r.git" in texts(model.shared)
    assert "SSH" in texts(model.not_exercised)
    assert "privileges" in texts(model.not_exercised)
    assert "me/app" not in json.dumps(model.document)


def test_files_of_configs_and_secrets() -> None:
    secrets = {
        "in": {"name": "mine_in", "file": "/copy/project/s"},
        "out": {"file": "/home/me/.aws/credentials"},
        "held": {"name": "prod", "external": True},
        "env": {"environment": "TOKEN"},
    }
    model = made(secrets=secrets, configs={"text": {"name": "mine_text", "content": "a$$b"}})
    assert model.document["secrets"] == {
        "in": {"file": "/copy/project/s"},
        "out": {"file": "/copy/empty/secrets/out"},
        "held": {"file": "/copy/empty/secrets/held"},
        "env": {"environment": "TOKEN"},
    }
    assert model.document["configs"] == {"text": {"content": "a$$b"}}
    assert model.stand_ins == (StandIn("/copy/empty/secrets/held", True), StandIn("/copy/empty/secrets/out", True))


def test_one_container_whose_logs_can_be_read_under_our_labels_only() -> None:
    service = {
        "scale": 2,
        "deploy": {"replicas": 3},
        "logging": {"driver": "syslog", "options": {"syslog-address": "tcp://logs.example.com"}},
        "labels": {"traefik.enable": "true"},
        "stop_grace_period": "1m0s",
        "depends_on": {"gone": {"required": False}, "a2": {"required": True}},
    }
    model = made(service, grace={"a": 2.5}, services={"a2": {"image": "x", "deploy": {"replicas": 0}}})
    assert (a(model)["scale"], a(model)["deploy"]["replicas"], a(model)["logging"]) == (1, 1, {"driver": "json-file"})
    assert (a(model)["labels"], a(model)["stop_grace_period"], list(a(model)["depends_on"])) == (LABELS, "2.5s", ["a2"])
    assert model.document["services"]["a2"]["deploy"]["replicas"] == 0
    kept = made({**service, **bind("/var/run/docker.sock")}, allow_socket=True, services={"a2": {"image": "x"}})
    assert a(kept)["labels"] == {"traefik.enable": "true", **LABELS}


PROJECT = r"""
name: mine
x-env: &env {LEVEL: "3"}
services:
  app:
    build: {context: ., args: {A: "x$$y"}, dockerfile_inline: "FROM scratch\nENV A=$$B", tags: [me/app:1]}
    image: me/app
    container_name: the-app
    command: ["sh", "-c", "echo $$HOME $${X} $$$$"]
    entrypoint: []
    environment: {<<: *env, "KEY$B": k, PRICE: "5$$", PASSWORD: "${PASSWORD}", UNSET: null}
    healthcheck: {test: ["CMD-SHELL", "test $$A = b"], interval: 5s, start_period: 1m30s, retries: 4}
    depends_on: {db: {condition: service_healthy, restart: true}, gone: {condition: service_started, required: false}}
    cap_add: [NET_ADMIN]
    cap_drop: [ALL]
    user: "1000:1000"
    read_only: true
    tmpfs: ["/run:mode=1777,size=1m", /tmp]
    security_opt: ["no-new-privileges:true"]
    ports: ["8080:80", "9000-9002:9000-9002/udp", "[::1]:99:99"]
    volumes: [./src:/src:ro, "data:/data", /anonymous, "/srv/${PASSWORD}:/p", {type: tmpfs, target: /t, tmpfs: {size: 100}}]
    networks: {back: {aliases: [q], ipv4_address: 10.77.0.4}, default: {}}
    deploy: {replicas: 1, resources: {limits: {memory: 1g, cpus: "0.5", pids: 40}, reservations: {memory: 64m}}}
    blkio_config: {device_read_bps: [{path: /dev/zero, rate: 1mb}]}
    ulimits: {nofile: {soft: 10, hard: 20}}
    sysctls: {net.core.somaxconn: 1}
    secrets: [inside, outside]
    configs: [{source: text, target: /etc/text, mode: 0440}]
    post_start: [{command: ["sh", "-c", "echo $$A"], user: root}]
    develop: {watch: [{action: sync, path: ./src, target: /x}]}
    stop_signal: SIGINT
    stop_grace_period: 1m30s
    restart: unless-stopped
    init: true
    shm_size: 64m
    extra_hosts: ["host.docker.internal:host-gateway"]
    profiles: [full]
  db:
    image: postgres:16
    container_name: the-app-1
    entrypoint: null
    command: postgres -c 'x=$$1'
    healthcheck: {disable: true}
    networks: [back]
    volumes: ["shared:/var/lib/postgresql/data"]
    profiles: [full]
  gone: {image: x, profiles: [never]}
  side: {image: me/app, network_mode: "container:the-app", profiles: [full]}
networks:
  back: {internal: true, ipam: {config: [{subnet: 10.77.0.0/16}]}}
volumes:
  data: {name: precious}
  shared: {external: true}
secrets:
  inside: {file: ./secret}
  outside: {file: /etc/shadow}
configs:
  text: {content: "$$a is ${PASSWORD}"}
"""
#: What a trial changes on purpose in each service of the project above; Compose says the same of all else.
CHANGED = {
    "app": {
        "container_name",
        "networks",
        "ports",
        "volumes",
        "image",
        "build",
        "depends_on",
        "labels",
        "profiles",
        "pull_policy",
        "blkio_config",
    },
    "db": {"container_name", "networks", "labels", "profiles"},
    "side": {"network_mode", "image", "pull_policy", "labels", "profiles", "depends_on"},
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "it costs 5$ a"
    folder.mkdir()
    (folder / "compose.yaml").write_text(PROJECT)
    (folder / ".env").write_text("PASSWORD='pa$$w$ord${X}'\n")
    (folder / "secret").write_text("s")
    (folder / "src").mkdir()
    return folder


def config(folder: Path, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        [binary(), *words, "config", "--format", "json"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_compose_reads_the_model_as_it_reads_the_project(project: Path) -> None:
    before = config(project, "--profile", "full")
    names = NAMES._replace(root=str(project), stand_ins="/empty$HOME")
    model = trial_model(before, names, look, lambda address, port: True)
    (project / "trial.json").write_text(json.dumps(model.document))
    after = config(project, "-f", "trial.json")

    assert after["name"] == "trial-1"
    assert before["services"].keys() == after["services"].keys() == CHANGED.keys()
    for name, service in after["services"].items():
        was = before["services"][name]
        assert {key for key in was.keys() | service.keys() if was.get(key) != service.get(key)} <= CHANGED[name]
    app, was = after["services"]["app"], before["services"]["app"]
    # What the container gets, with the doubled signs of what Compose prints taken back.
    assert app["environment"]["PASSWORD"].replace("$$", "$") == "pa$$w$ord${X}"
    assert app["command"][2].replace("$$", "$") == "echo $HOME ${X} $$"
    assert app["build"]["args"] == was["build"]["args"]
    assert app["build"]["dockerfile_inline"] == was["build"]["dockerfile_inline"]
    assert app["volumes"][0]["source"].replace("$$", "$") == str(project / "src")
    assert app["volumes"][3]["source"].replace("$$", "$") == "/empty$HOME/host/srv/pa$$w$ord${X}"
    assert [one for at, one in enumerate(app["volumes"]) if at != 3] == [one for at, one in enumerate(was["volumes"]) if at != 3]
    assert after["configs"]["text"]["content"] == before["configs"]["text"]["content"]
    assert app["networks"] == {"back": {"aliases": ["q", "the-app"]}, "default": {"aliases": ["the-app"]}}
    assert after["services"]["side"]["network_mode"] == "service:app"
    assert after["networks"]["back"]["internal"] is True
    assert not after["networks"]["back"]["ipam"]
    assert {volume["name"] for volume in after["volumes"].values()} == {"trial-1_data", "trial-1_shared"}
    assert "external" not in json.dumps(after)
    assert "precious" not in json.dumps(after)
    assert "shadow" not in json.dumps(after)
    for kind in ("networks", "volumes"):
        assert all(item["labels"] == LABELS for item in after[kind].values())
    for port in model.published:
        written = next(one for one in app["ports"] if one["target"] == port.target)
        assert (written["host_ip"], written["published"]) == (port.address, str(port.port))
