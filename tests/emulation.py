"""Emulations of published images, made from Debian's packages, and how they are run. Knows no profile and no test.

No registry is asked: mmdebstrap makes one root file system with every server in it, from the sources that this machine
installs its packages from, and a thin image for each folder of `emulated` adds accounts, directories and an entrypoint
which does, step by step, what the published one does. Versions and paths inside the packages are Debian's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "emulated"
#: Whose data is laid in front of a server that expects its own.
STRANGER = 4711
PACKAGES = (
    "apache2 caddy curl docker-registry gettext-base gosu haproxy libapache2-mod-php libcap2-bin mariadb-client-core "
    "mariadb-server-core memcached mosquitto mosquitto-clients nginx-light nodejs passwd postgresql prometheus-alertmanager "
    "python3 rabbitmq-server redis-server"
).split()
#: Text in languages, and the compiler of queries, a third of all that would be unpacked.
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "*/libLLVM*", "*/llvmjit*")
#: PostgreSQL's package would make a cluster that nobody uses.
_NO_CLUSTER = (
    'mkdir -p "$1/etc/postgresql-common" && echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.conf"'
)


#: Has something done beside the tests, once there is what emulations stand on.
Submit = Callable[[Callable[[], None]], "Future[None]"]


#: Seconds until a container that should do its job is taken for broken, and for one of its answers. What ends is not waited
#: for, and what works answers as soon as it can, so that patience costs nothing; on a busy machine
#: `rabbitmqctl` alone takes more than ten.
PATIENCE, AN_ANSWER = 300, 60


class Broken(Exception):
    """A container does not do its job, or not as whom it should; the text says what was seen."""


class Process(NamedTuple):
    """A process of a container, with its numbers there."""

    pid: int
    name: str
    uid: int
    gid: int
    #: Effective, and those that it and its children can never go beyond; a bit each, as the kernel numbers them.
    capabilities: int
    bounding: int
    no_new_privileges: bool


class Options(NamedTuple):
    """What a container is run with, beside its image; the names are those of `docker run`."""

    user: str = ""
    cap_add: frozenset[str] = frozenset()
    no_new_privileges: bool = False
    read_only: bool = False
    #: Paths, each with its uid, its gid and whether programs may be started from it.
    tmpfs: Mapping[str, tuple[int, int, bool]] = {}
    #: MiB, cores, threads; None for no limit.
    memory: float | None = None
    cpus: float | None = None
    pids: float | None = None

    def flags(self) -> list[str]:
        """The arguments of `docker run`. All capabilities are dropped that are not named."""
        flags = ["--cap-drop=ALL", *(f"--cap-add={name}" for name in sorted(self.cap_add))]
        flags += [f"--user={self.user}"] if self.user else []
        flags += ["--security-opt=no-new-privileges:true"] if self.no_new_privileges else []
        flags += ["--read-only"] if self.read_only else []
        for path, (uid, gid, exec) in self.tmpfs.items():
            flags.append(f"--tmpfs={path}:uid={uid},gid={gid}{',exec' if exec else ''}")
        flags += [f"--memory={self.memory:.0f}m", f"--memory-swap={self.memory:.0f}m"] if self.memory else []
        flags += [f"--cpus={min(self.cpus, os.cpu_count() or 1)}"] if self.cpus else []
        flags += [f"--pids-limit={self.pids:.0f}"] if self.pids else []
        return flags


#: With the builder that every engine has. Lives are led in threads, while pytest changes what it says of itself there.
_ENVIRONMENT = {**os.environ, "DOCKER_BUILDKIT": "0"}


def docker(*arguments: str, check: bool = True, timeout: float = 300) -> str:
    """The output of a command of the engine's. With `check` raises `CalledProcessError` where it fails."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=check, timeout=timeout, env=_ENVIRONMENT)
    return done.stdout.strip()


def missing() -> str:
    """What this machine lacks for emulations; empty if nothing."""
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True).returncode:
        return "no Docker engine answers"
    return "" if shutil.which("mmdebstrap") else "mmdebstrap is missing (Debian: mmdebstrap)"


class Engine:
    """What one run of the tests makes on the engine; `close` takes it all away."""

    def __init__(self) -> None:
        self.label = f"harden.emulated={os.getpid()}"
        self._tag = str(os.getpid())
        self._images: list[str] = []
        self._lent: list[str] = []
        self._building = threading.Lock()

    def make_base(self) -> str:
        """Make the root file system that all emulations have in common. Returns why that failed; empty if it did not."""
        release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
        suite = release.get("VERSION_CODENAME", "stable") if release.get("ID") == "debian" else "stable"
        options = ["force-unsafe-io", "force-confold", *(f"path-exclude={path}" for path in _LEFT_OUT)]
        make = [
            *("mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"),
            *(f"--dpkgopt={option}" for option in options),
            *(f"--essential-hook={_NO_CLUSTER}", suite, "-"),
        ]
        image = self._name("debian")
        with subprocess.Popen(make, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as system:
            imported = subprocess.run(["docker", "import", "-", image], stdin=system.stdout, capture_output=True)
            errors = system.stderr.read().decode(errors="replace") if system.stderr else ""
        self._images.append(image)
        if system.returncode or imported.returncode:
            return (errors or imported.stderr.decode(errors="replace")).strip().rpartition("\n")[2] or "no reason given"
        self._build("account", image)
        return ""

    def build(self, folder: str) -> str:
        """The image of a folder of `emulated`."""
        image = self._name(folder)
        with self._building:
            return image if image in self._images else self._build(folder, self._name("account"))

    def build_without_volumes(self, folder: str) -> str:
        """The image of a folder of `emulated`, with its VOLUMEs as plain folders, as some runtimes take them."""
        text = (FOLDER / folder / "Dockerfile").read_text()
        if "VOLUME" not in text:
            return self.build(folder)
        image = self._name(f"{folder}-without-volumes")
        with self._building, tempfile.TemporaryDirectory() as copy:
            if image not in self._images:
                shutil.copytree(FOLDER / folder, copy, dirs_exist_ok=True)
                Path(copy, "Dockerfile").write_text("".join(line for line in text.splitlines(True) if "VOLUME" not in line))
                self._build_from(Path(copy), image, self._name("account"))
        return image

    def lend(self, name: str, folder: str) -> None:
        """Have a name of a published image mean the emulation of a folder, where this engine has no image of that name."""
        if subprocess.run(["docker", "image", "inspect", name], capture_output=True).returncode:
            docker("tag", self.build(folder), name)
            self._lent.append(name)

    def take_back(self) -> None:
        """Remove the names that were lent, and nothing that they meant."""
        if self._lent:
            docker("image", "rm", *self._lent, check=False)
        self._lent.clear()

    def _build(self, folder: str, base: str) -> str:
        return self._build_from(FOLDER / folder, self._name(folder), base)

    def _build_from(self, folder: Path, image: str, base: str) -> str:
        docker("build", "--network=none", f"--build-arg=BASE={base}", f"--tag={image}", str(folder))
        self._images.append(image)
        return image

    def _name(self, folder: str) -> str:
        return f"harden-emulated/{folder}:{self._tag}"

    def volume(self, owner: int | None = None, mode: str = "0755", group: int | None = None) -> str:
        """A fresh volume, empty, which the first container that uses it shapes; with an owner it is that one's already."""
        name = docker("volume", "create", "--label", self.label)
        if owner is not None:
            self._at(name, f"chown {owner}:{owner if group is None else group} /volume && chmod {mode} /volume")
        return name

    def give(self, volume: str, owner: int) -> None:
        """Make all that is in a volume another user's."""
        self._at(volume, f"chown -R {owner}:{owner} /volume")

    def _at(self, volume: str, command: str) -> None:
        run = ("run", "--rm", "--network=none", f"--label={self.label}", f"--volume={volume}:/volume:nocopy")
        docker(*run, self._name("account"), "sh", "-c", command)

    def start(self, image: str, options: Options, flags: list[str], command: list[str]) -> Container:
        """Start a container, whose program may end at once."""
        run = ["docker", "run", "--detach", f"--label={self.label}", *options.flags(), *flags, image, *command]
        result = subprocess.run(run, capture_output=True, text=True)
        if result.returncode and not result.stdout.strip():
            raise Broken(f"does not start: {result.stderr.strip()}")
        return Container(result.stdout.strip())

    def close(self) -> None:
        """Remove the containers and volumes of this run, and its images."""
        containers = docker("ps", "--all", "--quiet", f"--filter=label={self.label}").split()
        if containers:
            docker("rm", "--force", "--volumes", *containers, check=False)
        volumes = docker("volume", "ls", "--quiet", f"--filter=label={self.label}").split()
        if volumes:
            docker("volume", "rm", "--force", *volumes, check=False)
        self.take_back()
        if self._images:
            docker("image", "rm", "--force", *reversed(self._images), check=False)


class Container:
    """A container that was started."""

    def __init__(self, id: str) -> None:
        self.id = id

    def ask(self, command: str, patience: float) -> str:
        """Run a shell's command in it until that succeeds, and return its output. Raises `Broken` after so many seconds."""
        end = time.monotonic() + patience
        # It is asked again from within: to get into a container costs far more than most commands there. One that hangs is
        # asked again too, but not before a slow client can have answered beside all else that runs.
        again = f'until said=$(timeout {min(patience, AN_ANSWER)} sh -c "$0"); do sleep 0.2; done; printf %s "$said"'
        while True:
            result = self._exec("timeout", f"{max(end - time.monotonic(), 1):.1f}", "sh", "-c", again, command)
            if result.returncode == 0:
                return result.stdout.strip()
            if docker("inspect", "--format={{.State.Running}}", self.id) != "true":
                raise Broken(f"it ended: {self.log()}")
            if time.monotonic() > end:
                raise Broken(f"no answer to {command!r}, but {result.stdout}{result.stderr[-500:]}: {self.log()}")
            time.sleep(0.2)

    def _exec(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["docker", "exec", self.id, *command], capture_output=True, text=True)

    def processes(self) -> list[Process]:
        """What runs in it, but for what looks."""
        look = "exec grep -sE '^(Name|Pid|PPid|Uid|Gid|CapEff|CapBnd|NoNewPrivs):' /proc/[0-9]*/status"
        text = self._exec("timeout", "10", "sh", "-c", look).stdout
        found = []
        values: dict[str, str] = {}
        for line in text.splitlines():
            _, name, value = line.split(":", 2)
            values[name] = value.split()[0]
            if name == "NoNewPrivs":  # the last of each
                pid, uid, gid = (int(values[number]) for number in ("Pid", "Uid", "Gid"))
                effective, bounding = (int(values[mask], 16) for mask in ("CapEff", "CapBnd"))
                process = Process(pid, values["Name"], uid, gid, effective, bounding, value.split()[0] == "1")
                found.append((int(values["PPid"]), process))
        # `timeout` and what it starts belong to no process of the container's own: their ancestor has no parent here.
        own = {1}
        for parent, process in sorted(found, key=lambda pair: pair[1].pid):
            own |= {process.pid} if parent in own else set()
        return [process for _, process in found if process.pid in own]

    def restart(self) -> None:
        """Stop and start it, as the engine does after a reboot."""
        docker("restart", "--time=30", self.id)

    def stop(self) -> None:
        """Stop it."""
        docker("stop", "--time=30", self.id)

    def remove(self) -> None:
        """Remove it, with what it has written outside of named volumes."""
        docker("rm", "--force", "--volumes", self.id, check=False)

    def log(self) -> str:
        """The end of what it has printed."""
        result = subprocess.run(["docker", "logs", "--tail=12", self.id], capture_output=True, text=True)
        return f"{result.stdout}{result.stderr}".strip()
