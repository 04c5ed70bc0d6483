"""Small projects on which `harden verify` is tried on an engine, and what came of each. Judges nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from compose_oracle import binary

from hardener.trial.engine import LABEL
from hardener.trial.probe import read
from hardener.trial.verdict import Tried, Verdict
from hardener.trial.verify import Settings, Watcher, verify

IMAGE = f"harden-test-scenes:{os.getpid()}"
#: On what the tests make for a user, which trials must leave alone.
USERS = f"harden-test-{os.getpid()}"
#: What a program does that stays until it is told to stop.
STAY = "trap 'exit 0' TERM\nwhile :; do sleep 1 & wait $!; done\n"
WEB = {
    "web/Dockerfile": f'FROM {IMAGE}\nCOPY page.html /srv/index.html\nCOPY start.sh /\nCMD ["/start.sh"]\n',
    "web/page.html": "good day\n",
    # A server that is no process number one ends when it is told to.
    "web/start.sh": "#!/bin/sh\nhttpd -p 8080 -h /srv\n" + STAY,
}


class Ran(NamedTuple):
    """A command that has come to its end, and the files of its project before and after."""

    code: int
    output: str
    errors: str
    before: Mapping[str, bytes]
    after: Mapping[str, bytes]

    @property
    def said(self) -> str:
        """All that it said, with blanks for the ends of lines."""
        return " ".join(f"{self.errors}\n{self.output}".split())

    @property
    def is_untouched(self) -> bool:
        return self.before == self.after


def lay_out(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if name.endswith(".sh"):
            path.chmod(0o755)
    return folder


def scripts(services: Mapping[str, str], more: Mapping[str, Mapping[str, Any]] = {}) -> dict[str, str]:
    """A project in which each service runs a script that lies beside the Compose file."""
    model = {
        name: {"image": IMAGE, "command": ["/start.sh"], "volumes": [f"./{name}.sh:/start.sh:ro", *volumes], **rest}
        for name in services
        for rest in [dict(more.get(name, {}))]
        for volumes in [rest.pop("volumes", [])]
    }
    names = sorted({volume.partition(":")[0] for one in model.values() for volume in one["volumes"] if volume[0] != "."})
    text = json.dumps({"services": model, "volumes": dict.fromkeys(names)}, indent=2)
    return {"compose.yaml": text + "\n"} | {f"{name}.sh": f"#!/bin/sh\n{script}" for name, script in services.items()}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def command(folder: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "hardener", "verify", "--compose", binary(), *options, str(folder)]


def environment(more: Mapping[str, str] = {}) -> dict[str, str]:
    return os.environ | {"DOCKER_BUILDKIT": "0", "COLUMNS": "200"} | dict(more)


def begin(folder: Path, *options: str, more: Mapping[str, str] = {}) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(folder, *options), env=environment(more), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def finish(process: subprocess.Popen[str], folder: Path, before: Mapping[str, bytes]) -> Ran:
    output, errors = process.communicate(timeout=1200)
    return Ran(process.returncode, output, errors, before, contents(folder))


def run(folder: Path, *options: str, more: Mapping[str, str] = {}) -> Ran:
    before = contents(folder)
    return finish(begin(folder, *options, more=more), folder, before)


def plain(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`harden` without a trial."""
    return subprocess.run([sys.executable, "-m", "hardener", *options, str(folder)], capture_output=True, text=True)


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def made(kind: str, filter: str) -> list[str]:
    """The ids of what is on the engine of a kind."""
    if kind == "container":
        return docker("ps", "--all", "--quiet", "--filter", filter).split()
    return docker(kind, "ls", "--quiet", "--filter", filter).split()


def left_of(trial: str) -> list[str]:
    """What is left of a trial, on the engine and in the folder for temporary files."""
    of = f"label={LABEL}={trial}"
    found = [f"{kind} {id}" for kind in ("container", "network", "volume", "image") for id in made(kind, of)]
    folder = Path(tempfile.gettempdir()) / f"harden-trials-{os.getuid()}" / trial
    return [*found, *([str(folder)] if folder.exists() else [])]


def trial_with(service: str, process: subprocess.Popen[str], other: Collection[str] = ()) -> str:
    """The trial that runs a service of that name, as soon as one does beside those that are known."""
    end = time.monotonic() + 300
    of = (f"--filter=label=com.docker.compose.service={service}", f'--format={{{{.Label "{LABEL}"}}}}')
    while time.monotonic() < end and process.poll() is None:
        new = [trial for trial in docker("ps", *of).split() if trial not in other]
        if new:
            return new[0]
        time.sleep(0.3)
    process.kill()
    raise AssertionError(f"no container of {service} was started: {process.communicate()}")


# Scenes. Each gets a folder of its own, and gives what a test then judges.


class Works(NamedTuple):
    """A stack whose port is taken, written, and then tried twice at once."""

    written: Ran
    #: What `harden` says of the result, without an engine.
    again: list[subprocess.CompletedProcess[str]]
    both: list[Ran]
    port: int
    #: What the probes were told, while the port was taken and then.
    told: str
    told_both: str


def works(folder: Path) -> Works:
    project = lay_out(folder / "project", WEB)

    def probe(shown: str) -> str:
        tell = f'env | grep -E "^(HARDEN|COMPOSE)_" | sort >> {folder / shown}'
        return f'{tell}; wget -q -O - "http://$HARDEN_ADDRESS/" | grep -q "good day"'

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        # Process number one is the engine's, for which it makes a folder in the container.
        model = f'services:\n  web:\n    build: web  # a remark\n    init: true\n    ports: ["{port}:8080"]\n'
        lay_out(project, {"compose.yaml": model})
        written = run(project, "--probe", probe("told"), "--write")
        again = [plain(project, "--diff"), plain(project, "--diff", "--unsafe-fixes")]
    now = contents(project)
    both = [finish(process, project, now) for process in [begin(project, "--probe", probe("both")) for _ in range(2)]]
    told, told_both = ((folder / shown).read_text() for shown in ("told", "both"))
    return Works(written, again, both, port, told, told_both)


def broken(folder: Path) -> tuple[Ran, dict[str, bytes]]:
    says = "echo the cupboard is bare >&2\nexit 1\n"
    project = lay_out(folder / "project", scripts({"cook": says, "guest": STAY}))
    ran = run(project, "--write", "--keep-logs", str(folder / "logs"))
    return ran, contents(folder / "logs")


def never_up(folder: Path) -> subprocess.CompletedProcess[str]:
    """One that ends again and again, and one that is ill; and less patience than usual."""
    health = {"test": "echo no pulse; exit 1", "interval": "1s", "retries": 2}
    files = scripts(
        {"loops": "sleep 0.3\necho no database\nexit 3\n", "ill": STAY},
        {"loops": {"restart": "always"}, "ill": {"healthcheck": health}},
    )
    hurry = "import sys, hardener.cli as c, hardener.trial.stack as s; s._LONGEST = 10.0; sys.exit(c.main(sys.argv[1:]))"
    _, _, _, *arguments = command(lay_out(folder / "project", files))
    return subprocess.run([sys.executable, "-c", hurry, *arguments], env=environment(), capture_output=True, text=True)


def flaky(folder: Path) -> Ran:
    """It fails at every second cold start."""
    project = lay_out(folder / "project", scripts({"coin": STAY}))
    count = folder / "count"
    probe = (
        f"test $HARDEN_PHASE != cold || {{ echo >> {count}; test $(($(wc -l < {count}) % 2)) = 1 || {{ echo tails; exit 1; }}; }}"
    )
    return run(project, "--write", "--probe", probe)


#: Services that are hardened at the same time, each with a need of its own.
NEEDY = {
    # Goes on as root when it cannot be another, and needs root before.
    "stays": "set -e\ndate > /data/started\n"
    "su app -s /bin/sh -c true 2>/dev/null && exec su app -s /bin/sh -c /serve.sh\nexec /serve.sh\n",
    # The same, without a need for root.
    "steps": "if [ $(id -u) = 0 ]; then exec su app -s /bin/sh -c /serve.sh; fi\nexec /serve.sh\n",
    "owned": "set -e\nif [ -d /data/store ]; then ls -A /data/store >/dev/null\n"
    "else mkdir /data/store; chmod 700 /data/store; chown app:app /data/store; fi\n" + STAY,
    "caches": "set -e\necho page > /var/cache/app/page\n" + STAY,
    # Only when it is hardened.
    "swells": "set -e\n"
    "if grep -q 'NoNewPrivs:.*1' /proc/self/status; then dd if=/dev/zero of=/dev/null bs=150M count=1; fi\n" + STAY,
}
NEEDY_MORE: dict[str, dict[str, Any]] = {
    "stays": {"volumes": ["started:/data", "./serve.sh:/serve.sh:ro"]},
    "steps": {"volumes": ["./serve.sh:/serve.sh:ro"]},
    "owned": {"volumes": ["store:/data"]},
    "caches": {"user": "1000:1000"},
}


def needy(folder: Path) -> Verdict:
    files = scripts(NEEDY, NEEDY_MORE) | {"serve.sh": f"#!/bin/sh\n{STAY}"}
    project = lay_out(folder / "project", files)
    inside = "test -f /var/cache/app/page"
    return verify(Settings(str(project), compose=binary(), probes=(read(f"in caches: {inside}"),)), Watcher())


def asks(folder: Path) -> Verdict:
    """A program that becomes root by its set-uid bit."""
    start = "set -e\n/usr/suid/su root -c 'cat /root/secret' >/dev/null\n" + STAY
    project = lay_out(folder / "project", scripts({"asks": start}, {"asks": {"user": "1000:1000"}}))
    return verify(Settings(str(project), compose=binary(), probes=(read("in asks: true"),)), Watcher())


def unasked(folder: Path) -> Verdict:
    project = lay_out(folder / "project", scripts({"notes": "mkdir -p /srv/notes\ndate > /srv/notes/first\n" + STAY}))
    return verify(Settings(str(project), compose=binary()), Watcher())


def hurried(folder: Path) -> Ran:
    project = lay_out(folder / "project", scripts({"snail": "sleep 4\n" + STAY}))
    return run(project, "--write", "--budget", "20s")


class _Clock(threading.local):
    """The time as one thread's trials see it, so many seconds ahead."""

    ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


CLOCK = _Clock()


class _Late(Watcher):
    """Once the strictest set has been tried, time is nearly over."""

    def end(self, tried: Tried) -> None:
        if tried.what == "the strictest set":
            CLOCK.ahead = 3590.0


class Theirs(NamedTuple):
    """What a user has on the engine, and what lies on the volume."""

    ids: str
    files: str


def of_the_user() -> Theirs:
    ids = "".join(f"{kind} {id}\n" for kind in ("container", "network", "volume") for id in made(kind, f"label={USERS}"))
    return Theirs(ids, docker("exec", f"{USERS}-calm", "ls", "-ln", "/data"))


def late(folder: Path) -> tuple[Verdict, Theirs, Theirs]:
    """Time ends in the middle. The names that the project has for things are those of things that are there."""
    docker("network", "create", f"--label={USERS}", f"{USERS}-net")
    docker("volume", "create", f"--label={USERS}", f"{USERS}-data")
    docker("run", "-d", f"--name={USERS}-calm", f"--label={USERS}", f"--volume={USERS}-data:/data", IMAGE, "sh", "-c", STAY)
    docker("exec", f"{USERS}-calm", "touch", "/data/mine")
    services = {"owned": f"set -e\ntest ! -e /data/mine\nchown app:app /data\n{STAY}", "calm": STAY}
    more = {"owned": {"volumes": ["store:/data"]}, "calm": {"container_name": f"{USERS}-calm", "networks": ["theirs"]}}
    files = scripts(services, more)
    model = json.loads(files["compose.yaml"])
    model["volumes"]["store"] = {"external": True, "name": f"{USERS}-data"}
    model["networks"] = {"theirs": {"external": True, "name": f"{USERS}-net"}}
    project = lay_out(folder / "project", files | {"compose.yaml": json.dumps(model)})
    before = of_the_user()
    try:
        settings = Settings(str(project), compose=binary(), probes=(read("in calm: true"),), budget=3600.0)
        return verify(settings, _Late()), before, of_the_user()
    finally:
        CLOCK.ahead = 0.0


def with_socket(folder: Path) -> Ran:
    files = scripts({"watcher": STAY}, {"watcher": {"volumes": ["/var/run/docker.sock:/var/run/docker.sock"]}})
    files["compose.yaml"] = files["compose.yaml"].replace('"/var/run/docker.sock": null', "")
    return run(lay_out(folder / "project", files), "--write")


def alone(folder: Path) -> Ran:
    lines = """\
FROM scratch
COPY busybox /bin/busybox
COPY busybox /bin/sh
COPY page.html /srv/index.html
COPY start.sh /
CMD ["/start.sh"]
EXPOSE 8080
HEALTHCHECK --interval=1s CMD ["/bin/busybox", "wget", "-q", "-O", "-", "http://127.0.0.1:8080/"]
"""
    stay = STAY.replace("sleep", "busybox sleep")
    files = {"Dockerfile": lines, "page.html": "good day\n", "start.sh": "#!/bin/sh\nbusybox httpd -p 8080 -h /srv\n" + stay}
    project = lay_out(folder / "project", files)
    shutil.copy(str(shutil.which("busybox")), project / "busybox")
    return run(project, "--diff")


class Nameless(Watcher):
    """Looks for the volumes that a project's containers have and that nobody named, whenever a phase begins."""

    def __init__(self, service: str) -> None:
        self._service = service
        self.seen: set[str] = set()

    def phase(self, name: str) -> None:
        for id in docker("ps", "-aq", f"--filter=label=com.docker.compose.service={self._service}").split():
            mounts = '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}'
            done = subprocess.run(["docker", "inspect", "--format", mounts, id], capture_output=True, text=True)
            self.seen |= set(done.stdout.split())


def nameless(folder: Path) -> tuple[set[str], set[str]]:
    """The volumes that an image asked for, and those of them that are left."""
    service = f"keeper{os.getpid()}"
    dockerfile = f'FROM {IMAGE}\nVOLUME /data\nCOPY start.sh /\nCMD ["/start.sh"]\n'
    model = f"services:\n  {service}:\n    build: .\n"
    project = lay_out(folder / "project", {"compose.yaml": model, "Dockerfile": dockerfile, "start.sh": "#!/bin/sh\n" + STAY})
    watcher = Nameless(service)
    verify(Settings(str(project), compose=binary()), watcher)
    return watcher.seen, watcher.seen & set(docker("volume", "ls", "--quiet").split())


class End(NamedTuple):
    """A run that was ended by a signal."""

    ran: Ran
    trial: str
    seconds: float
    left: list[str]
    #: What was still left when the next one had come as far.
    left_after_next: list[str]


def ended(folder: Path) -> list[End]:
    service = f"victim{os.getpid()}"
    files = WEB | {"compose.yaml": f"services:\n  {service}:\n    build: web\n    volumes: [kept:/data]\nvolumes:\n  kept:\n"}
    project = lay_out(folder / "project", files)
    found: list[End] = []
    for number in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
        before = contents(project)
        process = begin(project, "--write")
        trial = trial_with(service, process, other=[end.trial for end in found])
        if found:
            found[-1] = found[-1]._replace(left_after_next=left_of(found[-1].trial))
        at = time.monotonic()
        process.send_signal(number)
        ran = finish(process, project, before)
        found.append(End(ran, trial, time.monotonic() - at, left_of(trial), []))
    return found


@contextmanager
def relay(path: Path) -> Iterator[Callable[[], None]]:
    """The engine's socket at another path, until what is given is called."""
    own = [host for host in [os.environ.get("DOCKER_HOST", "")] if host.startswith("unix://")]
    engine = own[0].removeprefix("unix://") if own else "/var/run/docker.sock"
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(50)
    pairs: list[socket.socket] = []

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def serve() -> None:
        while True:
            try:
                here, _ = server.accept()
            except OSError:
                return
            there = socket.socket(socket.AF_UNIX)
            there.connect(engine)
            pairs.extend((here, there))
            for pair in ((here, there), (there, here)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    def cut() -> None:
        path.unlink(missing_ok=True)
        for one in (server, *pairs):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield cut
    finally:
        cut()


def lost(folder: Path) -> tuple[Ran, list[str], list[str]]:
    """The engine goes away in the middle; then another run."""
    service = f"widow{os.getpid()}"
    project = lay_out(folder / "project", scripts({service: STAY}))
    before = contents(project)
    with tempfile.TemporaryDirectory() as short, relay(Path(short) / "e") as cut:
        process = begin(project, "--write", more={"DOCKER_HOST": f"unix://{short}/e"})
        trial = trial_with(service, process)
        cut()
        ran = finish(process, project, before)
    left = left_of(trial)
    following = begin(project)
    trial_with(service, following, other=[trial])
    following.send_signal(signal.SIGINT)
    following.communicate(timeout=300)
    return ran, left, left_of(trial)
