"""`harden verify` on a real engine: small stacks made to work, to break, to be killed, and what is said and left of each.

Most of a trial is waiting: the scenes that tests of this run ask for are begun beforehand, some at a time.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from compose_oracle import binary
from ruamel.yaml import YAML

from hardener.trial.engine import LABEL
from hardener.trial.probe import read
from hardener.trial.remedy import Kind
from hardener.trial.verdict import Tried, Verdict
from hardener.trial.verify import Settings, Watcher, verify

IMAGE = "harden-test-scenes:1"
#: On what the tests make for a user, which trials must leave alone.
USERS = f"harden-test-{os.getpid()}"
#: Scenes that are played at a time.
AT_A_TIME = 6
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
    output, errors = process.communicate(timeout=400)
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
    end = time.monotonic() + 120
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
    following.communicate(timeout=60)
    return ran, left, left_of(trial)


SCENES: dict[str, Callable[[Path], Any]] = {
    scene.__name__: scene
    for scene in (works, needy, unasked, alone, asks, ended, lost, late, flaky, hurried, broken, with_socket)
}

Play = Callable[[Callable[[Path], Any]], Any]


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    busybox = shutil.which("busybox")
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.skip("no Docker engine answers")
    if busybox is None or b"statically" not in subprocess.run(["file", "-L", busybox], capture_output=True).stdout:
        pytest.skip("needs a static busybox (Debian: busybox-static, file)")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:

        def add(name: str, mode: int, data: bytes | None = None, link: str = "", owner: int = 0) -> None:
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.LNKTYPE if link else tarfile.DIRTYPE if data is None else tarfile.REGTYPE
            entry.mode, entry.linkname, entry.size = mode, link, len(data or b"")
            entry.uid = entry.gid = owner
            tar.addfile(entry, io.BytesIO(data or b""))

        program = Path(busybox).read_bytes()
        for folder in ("bin", "etc", "usr", "usr/suid", "var", "var/cache", "srv"):
            add(folder, 0o755)
        add("root", 0o700)
        add("tmp", 0o1777)
        add("data", 0o755)
        add("var/cache/app", 0o755, owner=1000)
        add("bin/busybox", 0o755, program)
        add("usr/suid/su", 0o4755, program)
        for name in subprocess.run([busybox, "--list"], capture_output=True, text=True).stdout.split():
            if name != "busybox":
                add(f"bin/{name}", 0o755, link="bin/busybox")
        add("root/secret", 0o600, b"secret\n")
        add("etc/passwd", 0o644, b"root::0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n")
        add("etc/group", 0o644, b"root:x:0:\napp:x:1000:\n")
    subprocess.run(["docker", "import", "-", IMAGE], input=archive.getvalue(), capture_output=True, check=True)
    yield IMAGE
    subprocess.run(["docker", "image", "rm", "-f", IMAGE], capture_output=True)


@pytest.fixture(scope="module")
def play(image: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """Plays a scene once, and gives what came out of it; those that tests of this run ask for are begun before."""
    binary()
    pool = ThreadPoolExecutor(AT_A_TIME)
    played: dict[str, Future[Any]] = {}
    asked = {name for item in request.session.items if isinstance(item, pytest.Function) and item.module is request.module
             for name in item.function.__code__.co_names}  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_BUILDKIT", "0")
        patch.setattr("hardener.trial.verify.time", CLOCK)
        for name, scene in SCENES.items():
            if name in asked:
                played[name] = pool.submit(scene, tmp_path_factory.mktemp(name))
        try:
            yield lambda scene: played[scene.__name__].result()
        finally:
            pool.shutdown(cancel_futures=True)
            for kind, remove in (("container", ["rm", "-fv"]), ("volume", ["volume", "rm"]), ("network", ["network", "rm"])):
                ids = made(kind, f"label={USERS}")
                if ids:
                    docker(*remove, *ids)


def services_of(data: bytes) -> Any:
    return YAML(typ="safe").load(data)["services"]


pytestmark = pytest.mark.engine


def test_a_stack_that_works_is_hardened_once(play: Play) -> None:
    """With what was seen written beside it, neither a run nor a trial finds anything more."""
    scene: Works = play(works)
    written = scene.written
    assert written.code == 0, written.said
    assert "Held: the stack does its job with this" in written.said
    assert set(written.after) - set(written.before) == {"harden.evidence.yaml"}
    assert {name for name, data in written.before.items() if written.after[name] != data} == {"compose.yaml"}
    assert b"build: web  # a remark" in written.after["compose.yaml"]
    web = services_of(written.after["compose.yaml"])["web"]
    assert (web["cap_drop"], web["security_opt"], web["read_only"]) == (["ALL"], ["no-new-privileges:true"], True)
    assert "cap_add" not in web
    assert [(done.returncode, done.stdout) for done in scene.again] == [(0, ""), (0, "")]
    for ran in scene.both:
        assert ran.code == 0, ran.said
        assert ran.is_untouched
        assert "Nothing is left to change." in ran.said


def test_two_at_a_time_do_not_disturb_each_other(play: Play) -> None:
    scene: Works = play(works)
    assert all(" failed " not in ran.said for ran in scene.both)
    trials = re.findall("COMPOSE_PROJECT_NAME=(.*)", scene.told_both)
    assert len(set(trials)) == 2
    # Both want the port, and only one has it.
    with_it = re.findall(rf"COMPOSE_PROJECT_NAME=(.*)\n(?:HARDEN_.*\n)*HARDEN_ADDRESS=127.0.0.1:{scene.port}\n", scene.told_both)
    assert len(set(with_it)) == 1


def test_a_port_that_is_taken_is_replaced_and_told(play: Play) -> None:
    scene: Works = play(works)
    told = dict(line.split("=", 1) for line in scene.told.splitlines())
    assert told["HARDEN_ADDRESS"] == told["HARDEN_ADDRESS_WEB_8080"]
    assert f":{scene.port}\n" not in scene.told
    assert os.path.isabs(told["COMPOSE_FILE"])
    assert set(re.findall("HARDEN_PHASE=(.*)", scene.told)) == {"cold", "restart", "recreate"}


def test_what_the_user_has_is_left_alone(play: Play) -> None:
    """A container of the same name, an external network, and an external volume that the trial would have changed."""
    verdict, before, after = play(late)
    assert len(before.ids.splitlines()) == 3
    assert before == after
    assert [tried.failed for tried in verdict.tried[:2]] == ["", ""]
    listed = " ".join(one.text for one in verdict.not_exercised)
    assert f"the data in the volume {USERS}-data of other projects" in listed
    assert f"the network {USERS}-net of other projects" in listed


def test_without_write_nothing_is_written(play: Play) -> None:
    ran = play(alone)
    assert ran.code == 1
    assert ran.is_untouched
    assert "+USER 10001:10001" in ran.output.splitlines()
    assert "app: run as 10001:10001" in ran.said


def test_a_project_that_does_not_work_is_left_alone(play: Play) -> None:
    ran, logs = play(broken)
    assert ran.code == 2
    assert ran.is_untouched
    assert "the project as it is does not work: cook ended with exit code 1: the cupboard is bare" in ran.said
    assert [(name.endswith("-cook.log"), data) for name, data in logs.items()] == [(True, b"the cupboard is bare\n")]


def test_a_flaky_project_is_told_from_a_broken_one(play: Play) -> None:
    ran = play(flaky)
    assert ran.code == 2
    assert ran.is_untouched
    assert "the project is flaky as it is: it did well 2 of 3 times" in ran.said
    assert "tails (exit code 1) (phase cold)" in ran.said


def test_a_budget_that_is_too_short(play: Play) -> None:
    ran = play(hurried)
    assert ran.code == 2
    assert ran.is_untouched
    assert re.search(r"budget is too short .*\(one took \d+ s\): give more with --budget", ran.said)


def test_a_budget_that_ends_in_the_middle(play: Play) -> None:
    verdict, *_ = play(late)
    assert verdict.stopped.startswith("no set that works twice was found in the budget: give more with --budget")
    assert "owned: ended with exit code 1: chown: /data: Operation not permitted" in verdict.stopped
    assert not verdict.report.changes
    assert not verdict.records
    assert [tried.what for tried in verdict.tried][2:] == ["the strictest set"]


def test_the_engines_socket_is_asked_for_first(play: Play) -> None:
    ran = play(with_socket)
    assert ran.code == 2
    assert ran.is_untouched
    assert "watcher mounts the engine's socket (/var/run/docker.sock)" in ran.said
    assert "--allow-socket" in ran.said
    assert "builds and runs" not in ran.said


def steps_of(verdict: Verdict, service: str) -> set[tuple[str, str, str]]:
    """What was taken back for a service: kind, value, and the phase in which it was found out."""
    return {(step.remedy.kind, step.remedy.value, step.phase) for step in verdict.steps if step.remedy.service == service}


def hardened(verdict: Verdict) -> Any:
    assert not verdict.stopped
    (change,) = verdict.report.changes
    return services_of(change.after.to_bytes())


def test_a_server_that_silently_stays_root_is_found_out(play: Play) -> None:
    verdict = play(needy)
    stays, steps = (hardened(verdict)[name] for name in ("stays", "steps"))
    told = [step.complaint.text for step in verdict.steps if step.complaint.kind is Kind.STAYS_ROOT]
    assert told == ["serve.sh keeps running as root, which the original gives up"]
    assert sorted(stays["cap_add"]) == ["SETGID", "SETUID"]
    assert "user" not in stays
    assert stays["cap_drop"] == ["ALL"]
    assert steps["user"] == "1000:1000"
    assert "cap_add" not in steps


def test_what_only_a_second_start_needs_is_kept(play: Play) -> None:
    verdict = play(needy)
    assert steps_of(verdict, "owned") == {("capability", "CHOWN", "cold"), ("capability", "DAC_OVERRIDE", "restart")}
    assert sorted(hardened(verdict)["owned"]["cap_add"]) == ["CHOWN", "DAC_OVERRIDE"]


def test_what_is_written_outside_of_volumes_becomes_a_tmpfs_of_its_owner(play: Play) -> None:
    caches = hardened(play(needy))["caches"]
    assert caches["read_only"] is True
    assert "/var/cache/app:uid=1000,gid=1000" in caches["tmpfs"]


def test_a_memory_limit_that_is_too_low_is_raised(play: Play) -> None:
    verdict = play(needy)
    assert ("memory", "2", "cold") in steps_of(verdict, "swells")
    limit = hardened(verdict)["swells"]["deploy"]["resources"]["limits"]["memory"]
    assert limit == "256M"


def test_a_set_uid_program_keeps_working(play: Play) -> None:
    verdict = play(asks)
    one = hardened(verdict)["asks"]
    assert ("without", "privilege-escalation", "cold") in steps_of(verdict, "asks")
    assert "security_opt" not in one
    assert one["cap_drop"] == ["ALL"]
    assert sorted(one["cap_add"]) == ["SETGID", "SETUID"]
    assert one["read_only"] is True


def test_data_that_nothing_keeps_is_for_a_probe_to_judge(play: Play) -> None:
    verdict = play(unasked)
    one = hardened(verdict)["notes"]
    assert "read_only" not in one
    assert one["cap_drop"] == ["ALL"]
    assert "/srv/notes" in verdict.left["notes", "writable-root-filesystem"]
    assert "--probe" in verdict.left["notes", "writable-root-filesystem"]


def test_what_a_killed_run_leaves_goes_with_the_next(play: Play) -> None:
    killed, interrupted, terminated = play(ended)
    assert killed.ran.code == -signal.SIGKILL
    assert killed.ran.is_untouched
    assert killed.left
    assert not killed.left_after_next
    for end in (interrupted, terminated):
        assert end.ran.code == 130, end.ran.said
        assert end.ran.is_untouched
        assert "interrupted: what the trial had made is taken away again" in end.ran.said
        assert not end.left
        assert end.seconds < 20


def test_an_engine_that_is_lost(play: Play) -> None:
    ran, left, left_after_next = play(lost)
    assert ran.code == 2
    assert ran.is_untouched
    assert "the Docker engine does not answer: start it, or set DOCKER_HOST" in ran.said
    assert "goes with the next run of harden verify" in ran.said
    assert "Traceback" not in ran.said
    assert left
    assert not left_after_next
