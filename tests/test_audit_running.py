"""`harden audit --running`: what inspections answer, how containers are mapped to files, and that a real engine agrees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from small_image import ACCOUNTS, GROUPS, Entry, busybox, small_image

from hardener import cli
from hardener.audit.inspection import EngineState, Running, container_of, engine_state
from hardener.audit.running import Audited, audited
from hardener.facts.container import bounding_set, names
from hardener.posture import Answer
from hardener.render.running import text

GOOD, BAD, JUSTIFIED, UNKNOWN = Answer.GOOD, Answer.BAD, Answer.JUSTIFIED, Answer.UNKNOWN
ENGINE = EngineState("20.10.24", seccomp="default", cgroup="1")
RECORDED = Path(__file__).parent / "inspections" / "privileged.json"
DOCKER = {"com.docker.compose.project": "p", "com.docker.compose.service": "a"}


def told(*, user: str = "", image: str = "example.com/unknown:1", pid: int = 7, **host: Any) -> dict[str, Any]:
    """An inspection, as far as it is looked at."""
    config = {"User": user, "Image": image, "Labels": host.pop("labels", {}), "Env": host.pop("env", [])}
    mounts = host.pop("mounts", [])
    return {
        "Id": "c" * 64,
        "Name": "/one",
        "State": {"Running": bool(pid), "Pid": pid},
        "Config": config,
        "HostConfig": host,
        "Mounts": mounts,
    }


def asked(inspection: dict[str, Any], *uids: int, engine: EngineState = ENGINE, image: dict[str, Any] = {}) -> Audited:  # noqa: B006
    """A container whose processes have these numbers, the first one's first."""
    processes = [Running(7 + at, 1 if not at else 7, uid, f"program{at}") for at, uid in enumerate(uids)]
    return audited(inspection, image, engine, processes)


def bind(source: str, target: str, rw: bool = True) -> dict[str, Any]:
    return {"Type": "bind", "Source": source, "Destination": target, "RW": rw}


@pytest.mark.parametrize(
    ("inspection", "uids", "question", "answer"),
    [
        (told(mounts=[bind("/run/docker.sock", "/x")]), (0,), "socket", BAD),
        (told(mounts=[bind("/var/run", "/host/run", False)]), (0,), "socket", BAD),
        (told(mounts=[bind("/srv/run/docker_engine_1", "/var/run/docker.sock")]), (0,), "socket", BAD),
        (told(mounts=[bind("/", "/host", False)]), (0,), "socket", BAD),
        (told(user="65534", mounts=[bind("/", "/host", False)]), (65534,), "socket", UNKNOWN),
        (told(mounts=[bind("/srv/data", "/data")]), (0,), "socket", GOOD),
        (told(image="tecnativa/docker-socket-proxy:0.3", mounts=[bind("/run/docker.sock", "/s")]), (0,), "socket", JUSTIFIED),
        (told(), (0,), "non-root", BAD),
        (told(user="1000:1000"), (1000,), "non-root", GOOD),
        (told(user="app"), (1000, 1000), "non-root", GOOD),
        (told(user="app"), (1000, 0), "non-root", BAD),
        (told(), (999,), "non-root", JUSTIFIED),
        (told(), (0, 101, 101), "non-root", JUSTIFIED),
        (told(), (0, 101, 0), "non-root", BAD),
        (told(user="named-root"), (0,), "non-root", BAD),
        (told(pid=0), (), "non-root", BAD),
        (told(user="1000", pid=0), (), "non-root", GOOD),
        (told(Privileged=True), (0,), "privileged", BAD),
        (told(Privileged=False), (0,), "privileged", GOOD),
        (told(CapDrop=["ALL"], Privileged=True), (0,), "capabilities", BAD),
        (told(CapDrop=["ALL"], CapAdd=["CAP_NET_BIND_SERVICE"]), (0,), "capabilities", GOOD),
        (told(CapDrop=["CAP_ALL"]), (0,), "capabilities", GOOD),
        (told(CapDrop=["ALL"], CapAdd=["CAP_SYS_ADMIN"]), (0,), "capabilities", BAD),
        (told(CapAdd=["SYS_ADMIN"]), (0,), "capabilities", BAD),
        (told(), (0,), "capabilities", BAD),
        (told(Memory=1 << 20, NanoCpus=500_000_000), (0,), "limits", GOOD),
        (told(Memory=1 << 20, CpuQuota=50_000), (0,), "limits", GOOD),
        (told(Memory=1 << 20, CpuQuota=-1), (0,), "limits", BAD),
        (told(NanoCpus=1), (0,), "limits", BAD),
        (told(NetworkMode="host"), (0,), "host-network", BAD),
        (told(NetworkMode="bridge"), (0,), "host-network", GOOD),
        (told(SecurityOpt=["no-new-privileges"]), (0,), "escalation", GOOD),
        (told(SecurityOpt=["no-new-privileges=true"]), (0,), "escalation", GOOD),
        (told(SecurityOpt=["no-new-privileges:true", "no-new-privileges:false"]), (0,), "escalation", BAD),
        (told(SecurityOpt=None), (0,), "escalation", BAD),
        (told(ReadonlyRootfs=True), (0,), "read-only", GOOD),
    ],
)
def test_what_an_inspection_answers(inspection: dict[str, Any], uids: tuple[int, ...], question: str, answer: Answer) -> None:
    reply = asked(inspection, *uids).replies[question]
    assert reply.answer is answer, reply.why
    assert reply.why


def test_a_process_that_is_run_from_outside_does_not_count() -> None:
    processes = [Running(7, 1, 1000, "program"), Running(8, 3, 0, "sh")]
    assert audited(told(user="1000"), {}, ENGINE, processes).replies["non-root"].answer is GOOD


def test_engines_that_make_root_somebody_else() -> None:
    rootless = engine_state({"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"]}, "27.0.1")
    assert (rootless.rootless, rootless.remaps_users, rootless.seccomp, rootless.version) == (True, False, "builtin", "27.0.1")
    one = asked(told(mounts=[bind("/run/user/1000/docker.sock", "/var/run/docker.sock")]), 0, engine=rootless)
    assert not one.root_is_hosts
    assert "not root on the host" in one.replies["non-root"].why
    assert "root on the host" not in one.replies["socket"].why

    options = ["name=apparmor", "name=seccomp,profile=default", "name=userns", "name=no-new-privileges"]
    mapped = engine_state({"SecurityOptions": options, "DockerRootDir": "/var/lib/docker/165536.165536", "CgroupVersion": "2"})
    assert (mapped.remaps_users, mapped.first_uid, mapped.modules, mapped.cgroup) == (True, 165536, ("apparmor",), "2")
    one = asked(told(), 165536, engine=mapped)
    assert (one.replies["non-root"].answer, one.root_is_hosts) == (BAD, False), "165536 is root in it"
    assert one.replies["escalation"].answer is GOOD, "the engine starts all with no-new-privileges"
    assert asked(told(), 165536 + 999, engine=mapped).replies["non-root"].why.endswith("number 999")
    own = asked(told(UsernsMode="host"), 0, engine=mapped)
    assert (own.replies["non-root"].answer, own.root_is_hosts) == (BAD, True)


def test_the_profiles_that_hold_a_container() -> None:
    both = ENGINE._replace(modules=("apparmor", "selinux"))

    def held(**host: Any) -> tuple[str, ...]:
        return asked(told(**host) | {"AppArmorProfile": "docker-default"}, 0, engine=both).confinement

    assert held() == ("seccomp: the engine's (default)", "apparmor: docker-default", "selinux: on")
    assert held(SecurityOpt=["seccomp=unconfined", "label=disable"])[::2] == ("seccomp: none", "selinux: none")
    assert held(SecurityOpt=["seccomp={}"])[0] == "seccomp: its own"
    assert held(Privileged=True)[0] == "seccomp: none, it is privileged"
    assert asked(told(), 0, engine=ENGINE._replace(seccomp="unconfined")).confinement == ("seccomp: none",)
    assert asked(told(), 0, engine=ENGINE._replace(seccomp="")).confinement == ("seccomp: none",)


def test_options_for_docker_run_come_only_from_what_is_known_of_the_image() -> None:
    unknown = asked(told(), 0).flags
    assert unknown is not None
    assert unknown.options == ()
    assert ("excess-capabilities", "not known: no profile of example.com/unknown") in unknown.open
    known = asked(told(image="redis:7", CapDrop=["NET_RAW"]), 0).flags
    assert known is not None
    assert known.options[:3] == ("--user 999:999", "--cap-drop ALL", "--security-opt no-new-privileges")
    assert "--read-only" in known.options
    own = asked(told(image="redis:7") | {"Config": {"Image": "redis:7", "Cmd": ["/other"], "Entrypoint": ["/x"]}}, 0).flags
    assert own is not None
    assert "--cap-drop ALL" not in own.options, "it starts something else than its image does"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the process works in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def labelled(folder: Path, service: str, *files: str) -> dict[str, str]:
    return {
        "com.docker.compose.project": "p",
        "com.docker.compose.service": service,
        "com.docker.compose.project.working_dir": str(folder),
        "com.docker.compose.project.config_files": ",".join(files),
    }


def test_a_recorded_privileged_container_is_mapped_to_its_file(project: Path) -> None:
    """The engine of the tests may start no privileged container; this is what one says of one that was created there."""
    inspection = json.loads(RECORDED.read_text().replace("/project", str(project)))
    file = project / "compose.yaml"
    file.write_text("services:\n  agent:\n    image: audit-box:1\n    privileged: true\n    network_mode: none\n")
    one = audited(inspection, {}, ENGINE)
    assert one.replies["privileged"].answer is one.replies["capabilities"].answer is BAD
    assert (one.running, one.name) == (False, "audit-recorded-agent-1")
    assert one.mapped is not None
    assert (one.mapped.project, one.mapped.service, one.mapped.why_not) == ("audit-recorded", "agent", "")
    assert [rule for rule, _ in one.mapped.open if rule == "privileged-container"]
    assert one.mapped.drifted == ()
    shown = text(ENGINE, [one])
    assert "service agent of compose.yaml" in shown
    assert "privileged-container: find out what it uses" in shown
    file.write_text(file.read_text().replace("    privileged: true\n", ""))
    again = audited(inspection, {}, ENGINE).mapped
    assert again is not None
    assert again.drifted == ("privileged",), "the file was mended, the container was not started anew"
    assert "docker compose up -d agent" in " ".join(text(ENGINE, [audited(inspection, {}, ENGINE)]).split())


def test_only_what_is_the_services_own_is_changed(project: Path) -> None:
    (project / "compose.yaml").write_text("services:\n  a:\n    image: redis:7\n  b:\n    image: postgres:16\n")
    one = asked(told(image="redis:7", labels=labelled(project, "a", "compose.yaml")), 0)
    assert one.mapped is not None
    [change] = one.mapped.changes
    before, _, after = change.after.text.partition("  b:")
    assert after == "\n    image: postgres:16\n"
    assert "cap_drop" in before
    shown = text(ENGINE, [one])
    assert "+    cap_drop:" in shown
    assert one.flags is None


def test_a_service_that_is_built_brings_its_dockerfile(project: Path) -> None:
    (project / "compose.yaml").write_text("services: {a: {build: .}}\n")
    (project / "Dockerfile").write_text('FROM python:3.12-slim\nCOPY app.py /srv/\nCMD ["python", "/srv/app.py"]\n')
    (project / "app.py").write_text("print('hello')\n")
    one = asked(told(labels=labelled(project, "a", str(project / "compose.yaml"))), 0)
    assert one.mapped is not None
    assert sorted(change.before.path for change in one.mapped.changes) == ["Dockerfile", "compose.yaml"]


@pytest.mark.parametrize(
    ("files", "service", "why"),
    [
        (("gone.yaml",), "a", "is not there"),
        (("notes.txt",), "a", "is not there"),
        (("compose.yaml",), "other", "no service `other`"),
        (("broken.yaml",), "a", ""),
    ],
)
def test_files_that_do_not_say_it_any_more(project: Path, files: tuple[str, ...], service: str, why: str) -> None:
    (project / "compose.yaml").write_text("services: {a: {image: 'redis:7'}}\n")
    (project / "notes.txt").write_text("services: {a: {image: 'redis:7'}}\n")
    (project / "broken.yaml").write_text("services: [\n")
    mapped = asked(told(labels=labelled(project, service, *files)), 0).mapped
    assert mapped is not None
    assert mapped.why_not
    assert why in mapped.why_not
    assert "cannot be looked at" in text(ENGINE, [asked(told(labels=labelled(project, service, *files)), 0)])


def test_of_what_a_label_names_and_is_no_compose_file_nothing_is_repeated(project: Path, tmp_path: Path) -> None:
    (tmp_path / "shadow").write_text("root:$6$secret:19000::::::\n")
    (project / "link.yaml").symlink_to(tmp_path / "shadow")
    (project / "pod.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: secret}\n")
    for name in ("link.yaml", "pod.yaml"):
        mapped = asked(told() | {"Config": {"Image": "a", "Labels": labelled(project, "web", name)}}).mapped
        assert mapped is not None
        assert "no Compose file" in mapped.why_not
        assert "secret" not in repr(mapped)
    many = asked(told() | {"Config": {"Image": "a", "Labels": labelled(project, "web", *["compose.yaml"] * 1000)}}).mapped
    assert many is not None
    assert "1000 files" in many.why_not


def test_files_of_an_engine_elsewhere_are_not_taken_for_those_here(project: Path) -> None:
    (project / "compose.yaml").write_text("services: {a: {image: 'redis:7'}}\n")
    one = audited(told(labels=labelled(project, "a", "compose.yaml")), {}, ENGINE, is_here=False)
    assert one.mapped is not None
    assert "another machine" in one.mapped.why_not


def test_names_and_labels_steer_no_terminal(project: Path) -> None:
    evil = "\x1b[2J\x1b]0;x\x07\u202e\n"
    inspection = told(image=f"x{evil}", labels=labelled(project, f"a{evil}", f"c{evil}.yaml")) | {"Name": f"/n{evil}"}
    processes = [Running(7, 1, 1000, "a"), Running(8, 7, 0, evil)]
    (project / f"c{evil}.yaml").write_text(f"services:\n  {json.dumps('a' + evil)}: {{image: x, user: '0'}}\n")
    shown = text(EngineState(f"1{evil}", seccomp=evil), [audited(inspection, {}, ENGINE, processes)])
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)


# On an engine.

IMAGE = "audit-test-box:1"
KNOWN = "redis:7-audit-test"
NUMBERS = {
    "CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "FSETID": 4, "KILL": 5, "SETGID": 6, "SETUID": 7, "SETPCAP": 8,
    "NET_BIND_SERVICE": 10, "NET_RAW": 13, "SYS_CHROOT": 18, "SYS_ADMIN": 21, "MKNOD": 27, "AUDIT_WRITE": 29, "SETFCAP": 31,
}  # fmt: skip
HARDENED = (
    "--cap-drop=ALL --security-opt=no-new-privileges --read-only --user=1000:1000 --memory=32m --cpus=0.5 --pids-limit=20"
).split()
SLEEP = 'CMD ["/bin/busybox", "sleep", "600"]'
PROJECT = f"services:\n  cache:\n    image: {KNOWN}\n    network_mode: none\n  other:\n    image: redis:7\n    scale: 0\n"


def docker(*arguments: str, folder: Path | None = None) -> str:
    return subprocess.run(["docker", *arguments], cwd=folder, capture_output=True, check=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Containers that run, by what is special about them, and a Compose project; all goes again."""
    busybox()
    folder = tmp_path_factory.mktemp("project")
    (folder / "compose.yaml").write_text(PROJECT)
    kinds = {
        "plain": [],
        "socket": ["-v", "/var/run/docker.sock:/var/run/docker.sock:ro"],
        "hostnet": ["--network=host"],
        "sysadmin": ["--cap-add=SYS_ADMIN"],
        "hardened": HARDENED,
        "stepped": [],
    }
    command = {"stepped": ["/bin/busybox", "su", "app", "-c", "exec /bin/busybox sleep 600"]}
    accounts = [Entry("etc/passwd", ACCOUNTS.encode(), 0o644), Entry("etc/group", GROUPS.encode(), 0o644)]
    made = {kind: f"audit-test-{kind}" for kind in kinds}
    compose = ("compose", "-p", "audit-test-project", "-f", "compose.yaml")
    with small_image(IMAGE, accounts, applets=True, changes=[SLEEP]), small_image(KNOWN, changes=[SLEEP]):
        try:
            for kind, options in kinds.items():
                network = [] if kind == "hostnet" else ["--network=none"]
                docker("run", "-d", "--name", made[kind], *network, *options, IMAGE, *command.get(kind, ()))
            docker(*compose, "up", "-d", folder=folder)
            made["compose"] = "audit-test-project-cache-1"
            docker("exec", "-d", "--user=0", made["hardened"], "/bin/busybox", "sleep", "600")
            time.sleep(0.5)  # until what steps down has done so
            yield {**made, "folder": str(folder)}
        finally:
            subprocess.run(["docker", *compose, "down", "-t", "0"], cwd=folder, capture_output=True)
            subprocess.run(["docker", "rm", "-f", *(f"audit-test-{kind}" for kind in kinds)], capture_output=True)


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Run the command in this process: exit code and standard output, or error where that is empty."""
    monkeypatch.setenv("COLUMNS", "80")

    def command(*arguments: str) -> tuple[int, str]:
        code = cli.main(("audit", "--running", *arguments))
        out, err = capfdbinary.readouterr()
        return code, (out or err).decode()

    return command


@pytest.mark.engine
def test_the_kernel_agrees_with_what_is_answered(containers: dict[str, str], run: Callable[..., tuple[int, str]]) -> None:
    """/proc of each first process is the judge: its user, its bounding set, and whether it may gain privileges."""
    kinds = [kind for kind in containers if kind != "folder"]
    code, out = run(*(containers[kind] for kind in kinds), "--format", "json")
    assert code == 1
    data = json.loads(out)
    by_name = {one["name"]: one for one in data["containers"]}
    assert data["engine"]["rootless"] is False
    for kind in kinds:
        one = by_name[containers[kind]]
        inspection = json.loads(docker("inspect", containers[kind]))[0]
        assert inspection["State"]["Running"], kind
        lines = Path(f"/proc/{inspection['State']['Pid']}/status")
        if not lines.exists():
            pytest.skip("the engine's processes cannot be seen from here")
        status = dict(line.split(":\t", 1) for line in lines.read_text().splitlines() if ":\t" in line)
        answers = {id: answer["answer"] for id, answer in one["answers"].items()}
        is_root = int(status["Uid"].split()[0]) == 0
        assert (answers["non-root"] == "bad") == is_root, kind
        bits = int(status["CapBnd"], 16)
        held = {name for name, number in NUMBERS.items() if bits >> number & 1}
        container = container_of(inspection, {}, ENGINE)
        assert held == bounding_set(names(container.cap_drop.effective), names(container.cap_add.effective)), kind
        assert (answers["capabilities"] == "good") == (bits == 0), kind
        assert (answers["escalation"] == "good") == (status["NoNewPrivs"] == "1"), kind
        assert ("seccomp: none" in one["confinement"]) == (status["Seccomp"] == "0"), kind
        netns = os.readlink(f"/proc/{inspection['State']['Pid']}/ns/net")
        assert (answers["host-network"] == "bad") == (netns == os.readlink("/proc/self/ns/net")), kind
    answers = {kind: {id: a["answer"] for id, a in by_name[containers[kind]]["answers"].items()} for kind in kinds}
    assert set(answers["hardened"].values()) == {"good"}, "what is run in it from outside is not its own"
    assert answers["socket"]["socket"] == "bad"
    assert answers["hostnet"]["host-network"] == "bad"
    assert "SYS_ADMIN" in by_name[containers["sysadmin"]]["answers"]["capabilities"]["why"]
    assert answers["stepped"]["non-root"] == "justified"
    assert (
        sum(one["socket"] == "bad" for one in answers.values()) == sum(o["host-network"] == "bad" for o in answers.values()) == 1
    )


@pytest.mark.engine
def test_a_compose_project_gets_its_files_fix(
    containers: dict[str, str], run: Callable[..., tuple[int, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(containers["folder"])
    code, out = run(containers["compose"])
    assert code == 1
    assert "service cache of compose.yaml" in out
    diff = out[out.index("diff --git") :].rpartition("\n\n")[0] + "\n"
    copy = tmp_path / "compose.yaml"
    copy.write_text(PROJECT)
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=diff, text=True, check=True)
    assert copy.read_text().endswith("  other:\n    image: redis:7\n    scale: 0\n"), "the other service stays as it is"
    # What the file then asks for is what the engine would run: the audit of it is better.
    made = json.loads(docker("compose", "-f", str(copy), "config", "--format", "json"))["services"]["cache"]
    assert made["cap_drop"] == ["ALL"]
    assert made["user"] == "999:999"


@pytest.mark.engine
def test_all_and_one_and_none(containers: dict[str, str], run: Callable[..., tuple[int, str]]) -> None:
    assert run(containers["hardened"])[0] == 0
    with_stopped = "audit-test-stopped"
    docker("create", "--name", with_stopped, "--network=none", IMAGE)
    try:
        running = json.loads(run("--format", "json")[1])["containers"]
        everything = json.loads(run("--all", "--format", "json")[1])["containers"]
    finally:
        docker("rm", "-f", with_stopped)
    assert with_stopped not in {one["name"] for one in running}
    assert with_stopped in {one["name"] for one in everything}
    code, said = run("audit-test-hardend")
    assert (code, "did you mean audit-test-hardened" in said) == (2, True)


@pytest.mark.engine
def test_a_privileged_container_where_the_engine_starts_one(
    containers: dict[str, str], run: Callable[..., tuple[int, str]]
) -> None:
    name = "audit-test-privileged"
    started = subprocess.run(
        ["docker", "run", "-d", "--privileged", "--network=none", "--name", name, IMAGE], capture_output=True
    )
    try:
        out = json.loads(run(name, "--format", "json")[1])
    finally:
        subprocess.run(["docker", "rm", "-f", name], capture_output=True)
    [one] = out["containers"]
    assert one["answers"]["privileged"]["answer"] == "bad"
    assert one["running"] == (started.returncode == 0)


def test_no_engine(tmp_path: Path) -> None:
    """In a process of its own: the SDK leaves the socket of a connection open that was never made."""
    done = subprocess.run(
        [sys.executable, "-m", "hardener", "audit", "--running"],
        env={**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/no.sock"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "does not answer" in done.stderr) == (2, True), done.stderr
