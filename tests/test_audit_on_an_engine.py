"""`harden audit --running` against containers that run: the kernel is the judge of what it answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small_image import ACCOUNTS, GROUPS, Entry, busybox, small_image

from hardener import cli
from hardener.audit.inspection import EngineState, container_of
from hardener.facts.container import bounding_set, names

ENGINE = EngineState("20.10.24", seccomp="default", cgroup="1")
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
            docker(*compose, "up", "-d", "--pull=never", folder=folder)  # of nothing is that image needed
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
