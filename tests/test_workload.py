"""What follows from what a program does for the container that runs it: tables, and a program that says what a test wants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import harden
from hypothesis import given, settings
from hypothesis import strategies as st

from hardener.facts.built import BuiltImage, built_image
from hardener.facts.compose.document import ComposeFile
from hardener.facts.compose.project import ComposeProject
from hardener.facts.container import DEFAULT_CAPABILITIES, Build, Container, Mount, Setting
from hardener.facts.image import parse_image
from hardener.facts.platform import KUBERNETES
from hardener.facts.tree import Tree
from hardener.finding import Applicability, Evidence, Strength
from hardener.needs.bases import find_base
from hardener.needs.built import runner_of
from hardener.needs.container import needs_of
from hardener.needs.ground import ground_of, is_closed, is_within
from hardener.needs.needs import Limit, Needs
from hardener.needs.source.uses import (
    CAPABILITIES,
    ESCALATION,
    EVERYTHING,
    MEMORY,
    PORTS,
    THREADS,
    USERS,
    WRITES,
    Capability,
    Doubt,
    Listen,
    Memory,
    Named,
    Uses,
    Write,
)
from hardener.needs.workload import needs_of_workload
from hardener.rules import load
from hardener.source import Source

SEEN = Evidence("app.py", "app.py", Strength.READ)
#: What is taken for what is not known; easily told from any answer.
USUAL = Needs(False, "usual")
PLAIN = "FROM python:3.12-slim\n"
AS_APP = "FROM python:3.12-slim\nRUN useradd -u 1234 app\nUSER app\n"


def uses(**fields: object) -> Uses:
    return Uses(SEEN, **fields)  # type: ignore[arg-type]


def writes(**paths: str) -> tuple[Write, ...]:
    """Places by kind: `writes(cache="/srv/a /srv/b")`."""
    return tuple(Write(path, kind, False, SEEN) for kind, text in paths.items() for path in text.split())


def container(service: str = "") -> Container:
    """The service `web`, with these lines of YAML or, on one line, this flow mapping of keys."""
    body = "".join(f"    {line}\n" for line in service.splitlines())
    text = f"services:\n  web:\n    build: .\n{body}volumes:\n  data:\n  kept: {{external: true}}\n"
    (found,) = ComposeProject({"/p/compose.yaml": ComposeFile(Source("compose.yaml", text))}, Tree(())).containers
    return found


def in_a_pod(asked: Container, first_free_port: int = 1024) -> Container:
    """A service as it would be as a container of a pod."""
    asked.platform = KUBERNETES
    asked.first_free_port = Setting(first_free_port, written=False, place=asked.place)
    return asked


def image(dockerfile: str, folder: Path | None = None) -> BuiltImage:
    context = str(folder or "/nowhere")
    found = built_image(Build("", "", inline=dockerfile, context=context), Tree((context,)), "compose.yaml")
    assert isinstance(found, BuiltImage), found
    return found


def ask(did: Uses, service: str | Container = "", dockerfile: str = PLAIN, folder: Path | None = None) -> Needs:
    built = image(dockerfile, folder)
    base = find_base(built.stage.image) if built.stage.image else None
    asked = container(service) if isinstance(service, str) else service
    return needs_of_workload(did, runner_of(built.stage, base, asked), ground_of(built, base), asked, USUAL)


def kept(needs: Needs) -> str:
    assert needs.capabilities is not None
    return " ".join(item.name for item in needs.capabilities)


def mounted(needs: Needs) -> str:
    """The tmpfs, as `/path:uid:gid`."""
    return " ".join(f"{mount.path}:{mount.uid}:{mount.gid}{':exec' if mount.exec else ''}" for mount in needs.tmpfs)


def read_only(needs: Needs) -> str:
    """The tmpfs of a read-only root; or why not, or why that is not known."""
    if "read_only" in needs.unknown:
        return f"? {needs.unknown['read_only']}"
    assert needs.read_only is not None
    return mounted(needs) if needs.read_only.works else f"no: {needs.read_only.why}"


# Who runs it.


@pytest.mark.parametrize(
    ("dockerfile", "service", "root", "account"),
    [
        (PLAIN, "", True, None),
        (PLAIN, "user: '0'", True, None),
        (PLAIN, "user: root:root", True, None),
        (PLAIN, "user: '1000'", False, (1000, 0)),
        (PLAIN, "user: '1000:1001'", False, (1000, 1001)),
        (PLAIN, "user: 1000:root", False, (1000, 0)),
        (PLAIN, "user: nobody", False, (65534, 65534)),
        (PLAIN, "user: daemon", False, None),  # 1 in Debian, 2 in Alpine
        (PLAIN, "user: www-data", False, None),
        (PLAIN, "user: 1000:staff", False, None),  # the number of the group is not known
        ("FROM node:22\n", "user: node", False, (1000, 1000)),
        ("FROM node:22\n", "user: '1000'", False, (1000, 1000)),
        ("FROM node:22\nUSER node\n", "", False, (1000, 1000)),
        ("FROM node:22\nUSER node\n", "user: root", True, None),
        (AS_APP, "", False, (1234, 1234)),
        ("FROM python:3.12-slim\nRUN useradd app\nUSER app\n", "", False, None),
        ("FROM python:3.12-slim\nRUN useradd -u 1234 -g users app\nUSER app\n", "", False, None),
        ("FROM python:3.12-slim\nRUN useradd -o -u 0 toor\nUSER toor\n", "", True, None),
        ("FROM python:3.12-slim\nARG WHO\nUSER $WHO\n", "", None, None),
        ("FROM python:3.12-slim\nARG WHO=1500\nUSER $WHO\n", "", False, (1500, 0)),
        ("FROM nobody/knows\n", "", None, None),
        ("FROM rockylinux:9\nUSER nobody\n", "", False, None),
        ("FROM python AS a\nUSER 1500:1500\nFROM a\n", "", False, (1500, 1500)),
    ],
)
def test_who_runs_it(dockerfile: str, service: str, root: bool | None, account: tuple[int, int] | None) -> None:
    needs = ask(uses(), service, dockerfile)
    assert needs.root is root
    assert (needs.account and (needs.account.uid, needs.account.gid)) == account
    if root is not None:
        assert needs.runs_as is not None
        assert needs.runs_as.strength >= Strength.READ
        assert needs.runs_as.source


# Capabilities.

CHOWNS = uses(capabilities=(Capability("CHOWN", "hands files over", SEEN), Capability("NET_ADMIN", "sets routes", SEEN)))


@pytest.mark.parametrize(
    ("dockerfile", "service", "expected"),
    [
        (PLAIN, "", "CHOWN"),  # the engine does not grant NET_ADMIN, and nothing that was not there is added
        (AS_APP, "", ""),
        (AS_APP, "user: root", "CHOWN"),
        ("FROM nobody/knows\n", "", "CHOWN"),  # perhaps root
        ("FROM python\nARG WHO\nUSER $WHO\n", "", "CHOWN"),
    ],
)
def test_capabilities_are_what_root_uses(dockerfile: str, service: str, expected: str) -> None:
    needs = ask(CHOWNS, service, dockerfile)
    assert kept(needs) == expected
    assert needs.no_more_capabilities is not None
    assert needs.no_more_capabilities.strength >= Strength.READ


@pytest.mark.parametrize(
    ("dockerfile", "service", "expected"),
    [
        (PLAIN, "volumes: [data:/data]", ""),
        (PLAIN, "volumes: [/data]", ""),
        (PLAIN, "volumes: [./data:/data]", "DAC_OVERRIDE"),
        (PLAIN, "volumes: [/srv/data:/data:ro]", "DAC_OVERRIDE"),  # closed to others, it cannot be read either
        (PLAIN, "volumes: [kept:/data]", "DAC_OVERRIDE"),
        (PLAIN, "tmpfs: [/cache]", ""),
        (PLAIN, "tmpfs: ['/cache:uid=5']", "DAC_OVERRIDE"),
        (AS_APP, "volumes: [./data:/data]", ""),  # who is not root has none
        ("FROM python\nRUN chown -R www-data /srv/out\n", "", "DAC_OVERRIDE"),
        ("FROM python\nWORKDIR /srv\nRUN chown -R www-data out\n", "", "DAC_OVERRIDE"),
        ("FROM python\nARG WHO\nRUN chown -R $WHO /srv/out\n", "", "DAC_OVERRIDE"),
        ("FROM python\nARG WHO\nRUN chown $WHO /srv/out\n", "", "DAC_OVERRIDE"),
        ("FROM python\nRUN install -d -o www-data /srv/out/x\n", "", "DAC_OVERRIDE"),
        ("FROM python\nRUN chown -R www-data /elsewhere\n", "", ""),
        ("FROM python\nCOPY --chown=33:33 x /srv/out/\n", "", "DAC_OVERRIDE"),
        ("FROM python\nCOPY --chown=root:root x /srv/out/\n", "", ""),
        ("FROM python\nUSER 33\nRUN mkdir /srv/out\nUSER root\n", "", "DAC_OVERRIDE"),
        ("FROM python\nUSER 33\nUSER root\nRUN mkdir /srv/out\n", "", ""),
    ],
)
def test_root_that_may_meet_files_of_others_keeps_dac_override(dockerfile: str, service: str, expected: str) -> None:
    assert kept(ask(uses(writes=writes(data="/srv/out")), service, dockerfile)) == expected


@pytest.mark.parametrize(
    ("folder", "why"),
    [
        ("/srv/out", "writes /srv/out, which is another user's"),
        ("/srv/out/deep", "writes /srv/out/deep, which is another user's"),
        ("/srv", "writes /srv, where another user's files may be"),
        ("/", "writes /, where another user's files may be"),
    ],
)
def test_only_what_lies_in_it_is_said_to_be_another_user_s(folder: str, why: str) -> None:
    needs = ask(uses(writes=writes(data=folder)), "", "FROM python\nRUN chown -R www-data /srv/out\n")
    assert [need.why for need in needs.capabilities or ()] == [why]


@pytest.mark.parametrize(
    ("dockerfile", "expected"),
    [
        ("FROM python\nRUN useradd -m app\nWORKDIR /home/app\nCOPY . .\n", "DAC_OVERRIDE"),  # a home of mode 0700 or 0750
        ("FROM node:22\nWORKDIR /home/node/app\n", "DAC_OVERRIDE"),
        ("FROM node:22\nWORKDIR /app\n", ""),
        ("FROM python\nCOPY --chown=33 key /app/\nRUN chmod 600 /app/key\n", "DAC_OVERRIDE"),
        ("FROM python\nCOPY --chown=33 --chmod=0400 key /app/\n", "DAC_OVERRIDE"),
        ("FROM python\nCOPY --chmod=0400 key /app/\n", ""),  # root's own
    ],
)
def test_root_that_reads_what_is_closed_and_of_others_keeps_it_too(dockerfile: str, expected: str) -> None:
    assert kept(ask(uses(), "", dockerfile)) == expected


@pytest.mark.parametrize(
    ("port", "service", "dockerfile", "expected"),
    [
        (80, "", PLAIN, ""),  # in a network of its own the engine lets everybody bind it
        (80, "network_mode: host", PLAIN, "NET_BIND_SERVICE"),
        (8080, "network_mode: host", PLAIN, ""),
        (8080, "network_mode: host\nexpose: [80]", PLAIN, "NET_BIND_SERVICE"),
        (80, "network_mode: host", AS_APP, ""),
    ],
)
def test_a_low_port_is_a_privilege_on_the_hosts_network(port: int, service: str, dockerfile: str, expected: str) -> None:
    assert kept(ask(uses(listens=(Listen(port, "tcp", SEEN),)), service, dockerfile)) == expected


@pytest.mark.parametrize(
    ("port", "service", "first_free_port", "expected"),
    [
        (80, "", 1024, "NET_BIND_SERVICE"),
        (80, "", 0, ""),
        (80, "", 80, ""),
        (8080, "expose: [80]", 1024, "NET_BIND_SERVICE"),
        (80, "user: '1234'", 1024, ""),
    ],
)
def test_a_low_port_is_a_privilege_where_the_platform_says_so(
    port: int, service: str, first_free_port: int, expected: str
) -> None:
    needs = ask(uses(listens=(Listen(port, "tcp", SEEN),)), in_a_pod(container(service), first_free_port))
    assert kept(needs) == expected
    assert needs.capabilities is not None
    assert all(item.why == "binds a port below 1024" for item in needs.capabilities)


SETCAP = "FROM node:22\nRUN apt-get update && apt-get install -y libcap2-bin && setcap {} {}\nUSER node\n"


@pytest.mark.parametrize(
    ("capabilities", "program", "expected"),
    [
        ("cap_net_bind_service=+ep", "/usr/local/bin/node", "NET_BIND_SERVICE"),
        ("'cap_net_bind_service=+ep'", "$(which node)", "NET_BIND_SERVICE"),
        ("CAP_NET_RAW,CAP_NET_ADMIN+eip", "/usr/local/bin/node", "NET_ADMIN NET_RAW"),
        ("cap_net_raw=ep", "`readlink -f /usr/local/bin/node`", "NET_RAW"),
        ("cap_net_raw,cap_net_bind_service=ep", "/usr/bin/other", "NET_BIND_SERVICE NET_RAW"),
    ],
)
def test_a_program_with_file_capabilities_does_not_start_without_them(capabilities: str, program: str, expected: str) -> None:
    """The kernel refuses to start it (EPERM) where the bounding set lacks one: even the container's own program."""
    needs = ask(uses(), "", SETCAP.format(capabilities, program))
    assert kept(needs) == expected
    assert needs.no_new_privileges is not None
    assert not needs.no_new_privileges.works


def test_who_calls_sudo_keeps_what_sudo_needs() -> None:
    did = uses(escalates=(Named("sudo", SEEN),))
    needs = ask(did, "", AS_APP)
    assert needs.no_new_privileges is not None
    assert not needs.no_new_privileges.works
    assert "sudo" in needs.unknown["capabilities"], "whatever it runs as root may need more"
    root = ask(did, "", PLAIN)
    assert root.no_new_privileges is not None
    assert not root.no_new_privileges.works


# The root file system.


@pytest.mark.parametrize(
    ("paths", "service", "expected"),
    [
        ({}, "", ""),
        ({"scratch": "/tmp/x"}, "", "/tmp:0:0"),
        ({"scratch": "/tmp/x /tmp/y/z"}, "", "/tmp:0:0"),
        ({"scratch": "/var/tmp/x"}, "", "/var/tmp:0:0"),
        ({"run": "/var/run/app.pid"}, "", "/run:0:0"),
        ({"run": "/run/app/app.sock"}, "", "/run/app:0:0"),
        ({"cache": "/var/cache/app/x.bin"}, "", "/var/cache/app:0:0"),
        ({"log": "/var/log/app/out.log"}, "", "/var/log/app:0:0"),
        ({"cache": "/root/.cache/x/y.bin"}, "", "/root/.cache/x:0:0"),
        ({"cache": "/root/.cache"}, "", "/root/.cache:0:0"),
        ({"cache": "/cache/x.bin"}, "", "no: writes /cache/x.bin, beside what the image has there"),
        ({"data": "/srv/data/x.db"}, "", "no: writes /srv/data/x.db, where nothing is mounted"),
        ({"config": "/etc/app/app.conf"}, "", "no: writes /etc/app/app.conf, where nothing is mounted"),
        ({"data": "/srv/data/x.db", "scratch": "/tmp/x"}, "", "no: writes /srv/data/x.db, where nothing is mounted"),
        ({"data": "/srv/data/x.db"}, "volumes: [data:/srv/data]", ""),
        ({"data": "/srv/data/x.db"}, "volumes: [./d:/srv/]", ""),
        ({"data": "/srv/database/x.db"}, "volumes: [data:/srv/data]", "no: writes /srv/database/x.db, where nothing is mounted"),
        # Where nothing could be written before, nothing has to be written now.
        ({"data": "/srv/data/x.db"}, "volumes: ['data:/srv/data:ro']", ""),
        ({"cache": "/srv/conf/x.bin"}, "volumes: ['/etc/conf:/srv/conf:ro']", ""),
        ({"scratch": "/tmp/x"}, "volumes: [data:/tmp]", ""),
        ({"scratch": "/tmp/x"}, "tmpfs: /tmp", ""),
        ({"run": "/run/x.pid"}, "tmpfs: /var/run", ""),
        # The engine's own file systems are not the root's.
        ({"scratch": "/dev/shm/x"}, "", ""),
        ({"log": "/dev/stdout"}, "", ""),
        ({"config": "/proc/self/oom_score_adj"}, "", ""),
    ],
)
def test_what_a_read_only_root_needs(paths: dict[str, str], service: str, expected: str) -> None:
    assert read_only(ask(uses(writes=writes(**paths)), service)) == expected


@pytest.mark.parametrize(
    ("paths", "dockerfile", "expected"),
    [
        ({"data": "/data/x.db"}, "FROM python\nVOLUME /data\n", ""),
        # A file without an extension is not made a folder of.
        ({"run": "/run/app/lock"}, "FROM python\n", "/run/app:0:0"),
        ({"run": "/run/app"}, "FROM python\n", "/run:0:0"),
        ({"run": "/run/app"}, "FROM python\nRUN mkdir -p /run/app\n", "/run/app:0:0"),
        ({"cache": "/srv/app/pages"}, "FROM python\nWORKDIR /srv/app\nRUN mkdir -p pages\n", "/srv/app/pages:0:0"),
        # What the image has there would be hidden.
        (
            {"cache": "/srv/app/cache/x.bin"},
            "FROM python\nRUN mkdir -p /srv/app/cache/images\n",
            "no: writes /srv/app/cache/x.bin, beside /srv/app/cache/images",
        ),
        (
            {"cache": "/srv/app/cache/x.bin"},
            "FROM python\nWORKDIR /srv/app\nRUN mkdir -p cache/images\n",
            "no: writes /srv/app/cache/x.bin, beside /srv/app/cache/images",
        ),
        (
            {"cache": "/srv/app/cache/x.bin"},
            "FROM python\nWORKDIR /srv/app/cache/images\nWORKDIR /srv\n",
            "no: writes /srv/app/cache/x.bin, beside /srv/app/cache/images",
        ),
        (
            {"cache": "/srv/app/cache/x.bin"},
            "FROM python\nRUN mkdir -p /srv/app/cache/i && rm -r /srv/app\n",
            "/srv/app/cache:0:0",
        ),
        (
            {"cache": "/srv/app/cache/x.bin"},
            "FROM python\nRUN echo 1 > /srv/app/cache/seed\n",
            "no: writes /srv/app/cache/x.bin, beside /srv/app/cache/seed",
        ),
        (
            {"cache": "/srv/app/cache/x.bin"},
            "FROM python\nCOPY --from=other/image /models /srv/app/cache/models\n",
            "no: writes /srv/app/cache/x.bin, beside /srv/app/cache/models",
        ),
        (
            {"cache": "/srv/app/cache/x.bin"},
            "FROM python AS b\nRUN make\nFROM python\nCOPY --from=b /srv/app /srv/app\n",
            "? whether what is copied to /srv/app has something in /srv/app/cache",
        ),
        (
            {"cache": "/srv/app/cache/x.bin"},
            "FROM python\nADD models.tar.gz /srv/app\n",
            "? whether what is copied to /srv/app has something in /srv/app/cache",
        ),
        (
            {"cache": "/root/.cache/huggingface/x.bin"},
            "FROM python\nRUN python download_model.py\n",
            "? whether line 2 (`python`) puts something into /root/.cache/huggingface",
        ),
        (
            {"cache": "/srv/app/cache/x.bin"},
            "FROM python\nRUN cd /srv/app && mkdir -p cache/images\n",
            "? whether line 2 (`mkdir`) puts something into /srv/app/cache",
        ),
        (
            {"cache": "/srv/app/cache/x.bin"},
            "FROM node:22\nRUN npm ci && npm cache clean --force\n",
            "/srv/app/cache:0:0",
        ),
        (
            {"cache": "/srv/app/cache/x.bin"},
            "FROM node:22\nRUN npm run build\n",
            "? whether line 2 (`npm`) puts something into /srv/app/cache",
        ),
        ({"scratch": "/tmp/x"}, "FROM python\nRUN python warm_up.py\n", "/tmp:0:0"),
        ({"scratch": "/tmp/x"}, "FROM python\nRUN mkdir -p /tmp/uploads\n", "no: writes /tmp/x, beside /tmp/uploads"),
        ({"scratch": "/tmp/x"}, "FROM python\nRUN mkdir -p /tmp/b && cd /tmp/b && rm -rf /tmp/b\n", "/tmp:0:0"),
        ({"scratch": "/tmp/x"}, "FROM python\nWORKDIR /tmp/app\n", "no: writes /tmp/x, beside /tmp/app"),
    ],
)
def test_a_tmpfs_hides_nothing_of_the_image(paths: dict[str, str], dockerfile: str, expected: str) -> None:
    assert read_only(ask(uses(writes=writes(**paths)), "", dockerfile)) == expected


@pytest.mark.parametrize(
    ("copied", "run", "expected"),
    [
        ("COPY cache /srv/app/cache\n", "", "no: writes /srv/app/cache/x.bin, beside /srv/app/cache/seed.bin"),
        ("COPY . /srv/app/\n", "", "no: writes /srv/app/cache/x.bin, beside /srv/app/cache/seed.bin"),
        ("COPY requirements.txt /tmp/\n", "RUN pip install -r /tmp/requirements.txt\n", "/srv/app/cache:0:0 /tmp:0:0"),
        ("COPY requirements.txt /tmp/\n", "", "no: writes /tmp/x, beside /tmp/requirements.txt"),
    ],
)
def test_a_tmpfs_hides_no_file_of_the_project(copied: str, run: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/seed.bin").write_text("seed")
    (tmp_path / "requirements.txt").write_text("")
    did = uses(writes=writes(cache="/srv/app/cache/x.bin", scratch="/tmp/x"))
    assert read_only(ask(did, "", f"FROM python\n{copied}{run}", tmp_path)) == expected


def test_a_file_that_is_mounted_is_not_hidden_either() -> None:
    """A mount below a tmpfs comes after it, so only what is mounted at the place itself, or around it, counts."""
    did = uses(writes=writes(cache="/srv/app/cache/x.bin"))
    assert read_only(ask(did, "volumes: ['/etc/a:/srv/app/cache/conf:ro']")) == "/srv/app/cache:0:0"


@pytest.mark.parametrize(
    ("paths", "dockerfile", "service", "expected"),
    [
        ({"cache": "/srv/app/cache/x.bin"}, AS_APP, "", "/srv/app/cache:1234:1234"),
        ({"cache": "/srv/app/cache/x.bin"}, PLAIN, "user: '7:8'", "/srv/app/cache:7:8"),
        ({"scratch": "/tmp/x"}, "FROM python\nRUN useradd app\nUSER app\n", "", "/tmp:0:0"),
        (
            {"cache": "/srv/app/cache/x.bin"},
            "FROM python\nRUN useradd app\nUSER app\n",
            "",
            "? the numbers of the account that it runs as",
        ),
        (
            {"cache": "/srv/app/cache/x.bin"},
            "FROM python\nARG WHO\nUSER $WHO\n",
            "",
            "? the numbers of the account that it runs as",
        ),
    ],
)
def test_a_tmpfs_is_whose_program_writes_there(paths: dict[str, str], dockerfile: str, service: str, expected: str) -> None:
    assert read_only(ask(uses(writes=writes(**paths)), service, dockerfile)) == expected


def test_who_of_two_writes_there_is_not_guessed() -> None:
    """A program that starts as root and goes on as another: a tmpfs of root's would be closed to the other."""
    did = uses(users=(Named("app", SEEN),), writes=writes(cache="/srv/app/cache/x.bin"))
    assert read_only(ask(did)) == "? whether root or app writes /srv/app/cache"
    did = did._replace(writes=writes(scratch="/tmp/x"))
    assert read_only(ask(did)) == "/tmp:0:0"


VOLUME = "FROM python:3.12-slim\nRUN useradd -u 1234 app && mkdir /data && chown app /data\nVOLUME /data\n{}"


@pytest.mark.parametrize(
    ("paths", "dockerfile", "expected"),
    [
        ({"data": "/data/x.db"}, VOLUME.format(""), "/data:0:0"),
        ({"data": "/data/x.db", "scratch": "/tmp"}, VOLUME.format("USER app\n"), "/data:0:0 /tmp:0:0"),
        ({"cache": "/data/cache/x"}, VOLUME.format(""), "/data:0:0"),
        ({"data": "/srv/x.db"}, VOLUME.format(""), "no: writes /srv/x.db, where nothing is mounted"),
        ({"data": "/data/x.db"}, VOLUME.format("RUN touch /data/seed\n"), "no: writes /data/x.db, beside /data/seed"),
        ({"data": "/data/x.db"}, VOLUME.format("RUN ./make\n"), "? whether line 4 (`make`) puts something into /data"),
        # Whoever it is may write there.
        ({"cache": "/srv/cache/x"}, "FROM python:3.12-slim\nUSER app\n", "/srv/cache:0:0"),
    ],
)
def test_where_a_volume_is_not_declared_a_tmpfs_stands_in(paths: dict[str, str], dockerfile: str, expected: str) -> None:
    needs = ask(uses(writes=writes(**paths)), in_a_pod(container()), dockerfile)
    assert read_only(needs) == expected
    if needs.read_only is not None and needs.read_only.works:
        lasting = [mount for mount in needs.tmpfs if mount.path == "/data" and "data" in paths]
        assert all(mount.why.endswith("kept as long as the pod") for mount in lasting)


def test_who_refuses_what_everybody_may_write_is_not_given_it() -> None:
    refused = (Write("/tmp", "scratch", False, SEEN, "Ruby"),)
    assert read_only(ask(uses(writes=refused), in_a_pod(container()))).startswith("? where else it writes, because Ruby refuses")
    assert read_only(ask(uses(writes=refused))) == "/tmp:0:0"


@pytest.mark.parametrize(
    ("kind", "open_to_all", "expected"),
    [
        ("bind", False, "DAC_OVERRIDE"),
        ("external", False, "DAC_OVERRIDE"),
        ("secret", False, "DAC_OVERRIDE"),
        ("config", False, "DAC_OVERRIDE"),
        ("config", True, ""),
        ("secret", True, ""),
    ],
)
def test_what_is_mounted_may_belong_to_another(kind: str, open_to_all: bool, expected: str) -> None:
    asked = in_a_pod(container())
    asked.mounts = (Mount(kind, "x", "/srv/x", False, asked.place, open_to_all=open_to_all),)
    assert kept(ask(uses(), asked)) == expected


@pytest.mark.parametrize(("path", "expected"), [("/srv/shared", "DAC_OVERRIDE"), ("/tmp", "")])
def test_room_of_a_pod_may_be_shared(path: str, expected: str) -> None:
    asked = in_a_pod(container(f"tmpfs: [{path}]"))
    assert kept(ask(uses(), asked)) == expected
    assert kept(ask(uses(), f"tmpfs: [{path}]")) == ""


def test_what_is_on_disk_takes_no_memory() -> None:
    did = uses(writes=writes(scratch="/tmp"), memory=Memory(100, "small", SEEN))
    told = SEEN._replace(claim="small, as read in app.py")
    assert (ask(did).memory or USUAL.memory, ask(did, in_a_pod(container())).memory) == (
        Limit(356, "small, and temporary files", told),
        Limit(100, "small", told),
    )


def test_code_runs_from_a_tmpfs_only_where_it_must() -> None:
    runs = (*writes(scratch="/tmp/x"), Write("/run/app/jna/x.so", "run", True, SEEN), *writes(run="/run/app/app.sock"))
    assert read_only(ask(uses(writes=runs))) == "/run/app:0:0:exec /tmp:0:0"


# What is not known.

QUESTIONS = {
    CAPABILITIES: {"capabilities"},
    WRITES: {"read_only"},
    ESCALATION: {"no_new_privileges"},
    MEMORY: {"memory"},
    THREADS: {"cpu", "pids"},
    USERS: set(),
    PORTS: set(),
}
KNOWN = uses(memory=Memory(64, "small", SEEN))


def test_every_question_has_its_answer() -> None:
    assert set(QUESTIONS) == EVERYTHING
    assert ask(KNOWN).unknown == {}


@pytest.mark.parametrize("question", sorted(QUESTIONS))
def test_a_doubt_leaves_exactly_its_question_open(question: str) -> None:
    needs = ask(KNOWN._replace(doubts=(Doubt(frozenset((question,)), "who knows"),)))
    assert set(needs.unknown) == QUESTIONS[question]
    assert all(why == "who knows" for why in needs.unknown.values())
    for answer in QUESTIONS[question]:
        assert getattr(needs, answer) == getattr(USUAL, answer), "what is usual, and marked so"
    if question == WRITES:
        assert needs.tmpfs == USUAL.tmpfs


def test_who_is_not_root_has_no_capabilities_but_through_what_gives_them() -> None:
    assert "capabilities" not in ask(KNOWN._replace(doubts=(Doubt(frozenset((CAPABILITIES,)), "?"),)), "", AS_APP).unknown
    assert "capabilities" in ask(KNOWN._replace(doubts=(Doubt(frozenset((ESCALATION,)), "?"),)), "", AS_APP).unknown


def test_more_cores_than_a_host_may_have_are_no_limit() -> None:
    assert "cpu" in ask(KNOWN._replace(memory=Memory(64, "small", SEEN, 4))).unknown
    assert "cpu" not in ask(KNOWN).unknown


QUESTION_OF_RULE = {
    "excess-capabilities": "capabilities",
    "writable-root-filesystem": "read_only",
    "privilege-escalation": "no_new_privileges",
    "unlimited-memory": "memory",
    "unlimited-cpu": "cpu",
    "unlimited-pids": "pids",
}


@pytest.mark.parametrize("question", sorted(QUESTIONS))
def test_no_fix_that_is_made_by_default_rests_on_a_doubt(question: str) -> None:
    from hardener.needs.container import _usual

    usual = _usual(container(), "")
    asked = container()
    built = image(PLAIN)
    base = find_base(built.stage.image) if built.stage.image else None
    did = KNOWN._replace(doubts=(Doubt(frozenset((question,)), "who knows"),))
    needs = needs_of_workload(did, runner_of(built.stage, base, asked), ground_of(built, base), asked, usual)
    rules = {rule.id: rule for rule in load("container") if rule.id in QUESTION_OF_RULE}
    assert set(rules) == set(QUESTION_OF_RULE)
    for name, rule in rules.items():
        check = rule.check("container")
        assert check is not None
        for finding in check(asked, needs):
            assert finding.fix is not None, name
            safe = QUESTION_OF_RULE[name] not in QUESTIONS[question]
            assert finding.fix.applicability is (Applicability.SAFE if safe else Applicability.UNSAFE), name
            assert safe or "who knows" in finding.fix.missing


# Modes.


@pytest.mark.parametrize("mode", "600 0600 640 750 700 744 4750 go-rwx o-r o= u=rwx,go= u+x a-r ug+x o-x u=rw,g=r,o=".split())
def test_these_modes_close_to_others(mode: str) -> None:
    assert is_closed(mode)


@pytest.mark.parametrize("mode", "644 755 0755 1777 777 +x a+x a+rX go-w o-w u+rw u=rwx,go=rx u+rwX,go+rX g+w g-w 4755".split())
def test_these_do_not(mode: str) -> None:
    assert not is_closed(mode)


# Whatever it does.

PATHS = st.sampled_from(
    "/tmp/x /tmp /var/tmp/y.txt /run/app.pid /var/run/app/s.sock /srv/app/cache/x.bin /srv/app/cache /srv/app/data/x.db "
    "/srv/app /data/y /root/.cache/z /dev/shm/q /var/log/app/out.log / /home/app/.cache/k "
    "/etc/app.conf /srv/app/cache/deep/er.bin".split()
)
KINDS = st.sampled_from(["scratch", "cache", "run", "log", "data", "config"])
CAPS = st.sampled_from(["CHOWN", "SETUID", "NET_ADMIN", "SYS_ADMIN", "DAC_OVERRIDE", "KILL"])
NAMES = st.sampled_from(["app", "1000:1000", "sudo", "node"])
ALL_USES = st.builds(
    Uses,
    read=st.just(SEEN),
    writes=st.lists(st.builds(Write, PATHS, KINDS, st.booleans(), st.just(SEEN)), max_size=5).map(tuple),
    listens=st.lists(st.builds(Listen, st.sampled_from([80, 443, 8080]), st.just("tcp"), st.just(SEEN)), max_size=2).map(tuple),
    capabilities=st.lists(st.builds(Capability, CAPS, st.just("why"), st.just(SEEN)), max_size=3).map(tuple),
    escalates=st.lists(st.builds(Named, NAMES, st.just(SEEN)), max_size=1).map(tuple),
    runs=st.lists(st.builds(Named, NAMES, st.just(SEEN)), max_size=2).map(tuple),
    users=st.lists(st.builds(Named, NAMES, st.just(SEEN)), max_size=2).map(tuple),
    memory=st.none() | st.builds(Memory, st.just(64), st.just("small"), st.just(SEEN), st.sampled_from([0, 1, 4])),
    doubts=st.lists(st.builds(Doubt, st.frozensets(st.sampled_from(sorted(EVERYTHING))), st.just("?")), max_size=2).map(tuple),
)
SERVICES = st.lists(
    st.sampled_from(
        [
            "user: '1000'",
            "user: root",
            "network_mode: host",
            "volumes: [data:/srv/app/data, './c:/data', 'kept:/srv:ro']",
            "tmpfs: [/tmp, '/run:uid=5']",
            "expose: [80]",
            "privileged: true",
        ]
    ),
    unique_by=lambda line: line.partition(":")[0],
    max_size=4,
).map("\n".join)
DOCKERFILES = st.lists(
    st.sampled_from(
        [
            "RUN mkdir -p /srv/app/cache/x",
            "WORKDIR /srv/app",
            "VOLUME /data",
            "RUN useradd -u 1234 app",
            "USER app",
            "USER $WHO",
            "RUN setcap cap_net_raw+ep $(which node)",
            "RUN chown -R app:app /srv cache",
            "COPY --chown=app --chmod=600 . /srv/app/",
            "RUN make",
            "COPY --from=other/image / /srv/app/cache",
            "ADD https://example.com/x.tar.gz /opt/",
            "RUN umask 077 && chmod u+x,go= /srv/app/start && cd / && rm -rf srv/*",
        ]
    ),
    max_size=6,
).map(lambda lines: "\n".join(["FROM node:22", *lines, ""]))


@settings(max_examples=150, deadline=None)
@given(ALL_USES, SERVICES, DOCKERFILES)
def test_whatever_it_does(did: Uses, service: str, dockerfile: str) -> None:
    needs = ask(did, service, dockerfile)
    asked = container(service)
    # Nothing is added that the engine would not grant or the image's files do not ask for.
    told = set(needs.capabilities or ()) and {item.name for item in needs.capabilities or ()}
    assert told <= DEFAULT_CAPABILITIES | ({"NET_RAW"} if "setcap" in dockerfile else set())
    # No tmpfs swallows data: what lies at or below it is mounted there.
    volumes = ["/data"] if "VOLUME" in dockerfile else []
    targets = [*(mount.target for mount in asked.mounts), *(mount.path for mount in asked.tmpfs.effective), *volumes]
    for mount in needs.tmpfs:
        for write in did.writes:
            if write.kind in ("data", "config") and is_within(write.path, mount.path):
                assert any(is_within(write.path, target) for target in targets), (mount, write)
        assert not any(is_within(mount.path, target) for target in targets), "nothing is mounted where something is"
        assert mount.path.count("/") > 1 or mount.path in ("/tmp", "/run")
    if needs.read_only is not None and needs.read_only.works and "read_only" not in needs.unknown:
        covered = [*targets, *(mount.path for mount in needs.tmpfs), "/dev"]
        for write in did.writes:
            assert any(is_within(write.path, place) for place in covered), f"{write.path} cannot be written any more"
    # An answer that is open is the usual one, and every answer that is not is well founded.
    for question in needs.unknown:
        assert getattr(needs, question) == getattr(USUAL, question)
    for question in ("read_only", "no_new_privileges", "memory", "cpu", "pids"):
        answer = getattr(needs, question)
        assert answer is None or answer.evidence.strength >= Strength.READ


def told_of(folder: Path, files: dict[str, bytes]) -> Iterator[str]:
    for outcome in harden(folder, files, unsafe=False).report.outcomes:
        yield f"{outcome.finding.rule} {outcome.status.value} {outcome.why}"


def test_a_shared_dockerfile_is_read_once_for_each_context(tmp_path: Path) -> None:
    """Two services of one Dockerfile, each with a folder of its own: what the one does is not what the other does."""
    files = {
        "compose.yaml": (
            b"services:\n"
            b"  quiet:\n    build: {context: quiet, dockerfile: ../Dockerfile}\n"
            b"  busy:\n    build: {context: busy, dockerfile: ../Dockerfile}\n"
        ),
        "Dockerfile": b'FROM python:3.12-slim\nWORKDIR /srv/app\nCOPY app.py .\nUSER 1500:1500\nCMD ["python", "app.py"]\n',
        "quiet/app.py": b"import time\n\ntime.sleep(1000)\n",
        "busy/app.py": b"import time\n\nopen('/srv/app/state/x.db', 'w').write('1')\ntime.sleep(1000)\n",
    }
    result = harden(tmp_path, files, unsafe=False)
    ended = {
        outcome.finding.subject: outcome.status.value
        for outcome in result.report.outcomes
        if outcome.finding.rule == "writable-root-filesystem"
    }
    assert ended == {"quiet": "applied", "busy": "reported"}


def test_the_bases_of_these_tests_are_known() -> None:
    for text in ("python:3.12-slim", "node:22", "python", "rockylinux:9"):
        reference = parse_image(text)
        assert reference is not None
        assert find_base(reference) is not None


def test_an_own_program_of_the_base_image_has_the_reason_of_its_profile(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text('FROM php:8.0.9-apache\nCMD ["apache2-foreground"]\n')
    text = f"services:\n  web:\n    build: {tmp_path}\n"
    tree = Tree((str(tmp_path),))
    (web,) = ComposeProject({"/p/compose.yaml": ComposeFile(Source("compose.yaml", text))}, tree).containers
    needs = needs_of(web, tree)
    assert not needs.holds
    assert "8.0.9" in needs.why_not
