"""What is said about heaps against real ones: the share of a limit that JVM and Node take, and what the kernel kills.

The container borrows the Java and Node of this machine, so that no image has to be built.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from conftest import harden

from hardener.rules._heap_options import fits, jvm_default, least_limit, node_default, node_follows_limits, share

IMAGE = f"harden-test-borrowed:{os.getpid()}"
LIMITS = [128, 512, 2048]
#: What a process that was killed by the kernel leaves.
KILLED = 137
RULES = ["jvm-heap-ignores-limit", "node-heap-ignores-limit"]
#: Fills the heap with what is in use.
HOARD = "const kept = []; for (;;) kept.push(new Array(1000).fill(0).map((_, x) => ({ x })))"


def ask(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


class Runtime:
    """A program of this machine, run in a container with a memory limit, in MiB, and no swap."""

    def __init__(self, name: str) -> None:
        self.name = name
        folders = ["/usr", "/etc/alternatives", *map(str, Path("/etc").glob("java*"))]
        self._mounts = [f"--volume={folder}:{folder}:ro" for folder in folders if os.path.isdir(folder)]

    def run(self, limit: int, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        variables = [f"--env={name}={value}" for name, value in environment.items()]
        flags = ["--rm", "--network=none", f"--memory={limit}m", f"--memory-swap={limit}m", *self._mounts, *variables]
        return subprocess.run(["docker", "run", *flags, IMAGE, self.name, *arguments], capture_output=True, text=True)

    def heap(self, limit: int, **environment: str) -> float:
        """How far the heap may grow, in MiB."""
        if self.name == "node":
            return int(self.run(limit, "-p", "v8.getHeapStatistics().heap_size_limit", **environment).stdout) / 1048576
        result = self.run(limit, "-XX:+PrintFlagsFinal", "-version", **environment)
        line = next(line for line in result.stdout.splitlines() if " MaxHeapSize " in line)
        return int(line.split()[3]) / 1048576


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.skip("no Docker engine answers")
    if ask("docker", "info", "--format", "{{.MemoryLimit}}") != "true":
        pytest.skip("this engine cannot limit memory")
    if not os.path.islink("/lib"):
        pytest.skip("needs a system whose programs and libraries are all in /usr")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in ("bin", "lib", "lib64", "sbin"):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, f"usr/{name}"
            tar.addfile(link)
    subprocess.run(["docker", "import", "-", IMAGE], input=archive.getvalue(), capture_output=True, check=True)
    yield IMAGE
    subprocess.run(["docker", "image", "rm", "-f", IMAGE], capture_output=True)


@pytest.fixture(scope="module")
def java(image: str) -> Runtime:
    runtime = Runtime("java")
    if runtime.run(512, "-version").returncode:
        pytest.skip("no Java here that runs in a container (Debian: openjdk-17-jre-headless)")
    return runtime


@pytest.fixture(scope="module")
def node(image: str) -> Runtime:
    runtime = Runtime("node")
    if runtime.run(512, "--version").returncode:
        pytest.skip("no Node here that runs in a container (Debian: nodejs)")
    return runtime


def written(folder: Path, runtime: Runtime, limit: int) -> dict[str, str]:
    """The environment that the tool writes for a service with this limit; empty where it leaves it alone."""
    command = {"java": "java -jar app.jar", "node": "node app.js"}[runtime.name]
    service = {"image": "registry.example.com/app:1", "command": command, "mem_limit": f"{limit}m"}
    result = harden(folder, {"compose.yaml": yaml.dump({"services": {"app": service}}).encode()}, select=RULES)
    after: dict[str, str] = yaml.safe_load(result.files["compose.yaml"])["services"]["app"].get("environment", {})
    return after


@pytest.mark.engine
@pytest.mark.parametrize("limit", LIMITS)
def test_the_repair_gives_the_heap_of_a_jvm_its_share(java: Runtime, limit: int, tmp_path: Path) -> None:
    assert java.heap(limit) == pytest.approx(jvm_default(limit), rel=0.02), "what is said of one that is told nothing"
    assert java.heap(limit, **written(tmp_path, java, limit)) / limit == pytest.approx(share(limit) / 100, abs=0.02)


@pytest.mark.engine
@pytest.mark.parametrize("limit", LIMITS)
def test_the_repair_gives_the_heap_of_node_its_share_where_it_has_too_much(node: Runtime, limit: int, tmp_path: Path) -> None:
    version = tuple(map(int, node.run(limit, "-p", "process.versions.node").stdout.split(".")))
    default, expected = node.heap(limit), node_default((1000,), limit)
    if node_follows_limits(version) or not os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        assert expected <= default <= expected * 1.03, "what is for young objects comes on top of the old space"
    else:
        assert default > expected, "an old one does not see the limit on cgroup v2"
    environment = written(tmp_path, node, limit)
    assert bool(environment) is (expected > limit), "an image without a version is taken for a new one"
    if environment:
        assert node.heap(limit, **environment) / limit == pytest.approx(share(limit) / 100, abs=0.03)


@pytest.mark.engine
@pytest.mark.parametrize("limit", [128, 1024])
def test_a_heap_of_that_share_fits_when_all_of_it_is_used(java: Runtime, limit: int, tmp_path: Path) -> None:
    environment = written(tmp_path, java, limit)
    heap = int(java.heap(limit, **environment))
    touched = java.run(limit, f"-Xms{heap}m", "-XX:+AlwaysPreTouch", "-version", **environment)
    assert touched.returncode == 0, touched.stderr


@pytest.mark.engine
@pytest.mark.parametrize("heap", [128, 512])
def test_a_heap_as_large_as_the_limit_is_killed_and_one_that_follows_the_advice_is_not(java: Runtime, heap: int) -> None:
    touch = (f"-Xms{heap}m", f"-Xmx{heap}m", "-XX:+AlwaysPreTouch", "-version")
    assert not fits(heap, heap)
    assert java.run(heap, *touch).returncode == KILLED
    assert java.run(least_limit(heap), *touch).returncode == 0


@pytest.mark.engine
def test_a_node_under_a_small_limit_is_killed_and_after_the_repair_ends_by_itself(node: Runtime, tmp_path: Path) -> None:
    assert node.run(128, "-e", HOARD).returncode == KILLED
    ended = node.run(128, "-e", HOARD, **written(tmp_path, node, 128))
    assert ended.returncode not in (0, KILLED)
    assert "JavaScript heap out of memory" in ended.stderr


@pytest.mark.engine
def test_a_small_jvm_heeds_one_percentage_and_a_larger_one_the_other(java: Runtime) -> None:
    only = {"JAVA_TOOL_OPTIONS": "-XX:MaxRAMPercentage=60"}
    assert java.heap(200, **only) == pytest.approx(100, rel=0.02)
    assert java.heap(300, **only) == pytest.approx(180, rel=0.02)


@pytest.mark.engine
def test_what_wins_is_what_is_said_to_win(java: Runtime) -> None:
    assert java.heap(512, JAVA_OPTS="-Xmx100m") == pytest.approx(128, rel=0.02), "read by no JVM"
    both = {"JAVA_TOOL_OPTIONS": "-Xmx100m", "JDK_JAVA_OPTIONS": "-Xmx200m"}
    assert java.heap(512, **both) == 200
    assert java.heap(512, **both, _JAVA_OPTIONS="-Xmx300m") == 300
    assert java.heap(512, JAVA_TOOL_OPTIONS="-Xmx100m -XX:MaxRAMPercentage=60") == 100
