"""A Compose project on a real engine, from a copy of its own: brought up, asked, looked at, taken down. Knows no project."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from compose_oracle import binary
from emulation import PATIENCE, Broken, Container, Process, docker

#: Whose a developer's checkout is. Root without DAC_OVERRIDE cannot write to it.
DEVELOPER = 1000
#: Seconds for a service that was told to stop.
GRACE = 3


class Shown(NamedTuple):
    """What a running container shows of how far it is locked down."""

    processes: tuple[Process, ...]
    read_only: bool
    #: Paths with their options.
    tmpfs: Mapping[str, str]
    #: The limits that are set: "memory", "cpus", "pids".
    limits: frozenset[str]

    @property
    def accounts(self) -> dict[str, list[int]]:
        """The numbers of the accounts that programs run as, by the program's name."""
        found: dict[str, list[int]] = {}
        for process in self.processes:
            found.setdefault(process.name, []).append(process.uid)
        return {name: sorted(set(uids)) for name, uids in found.items()}


class Project:
    """A copy of a project, under a name and on a port of its own."""

    def __init__(self, source: Path, folder: Path, name: str, port_variable: str) -> None:
        self.folder = folder
        self._name = name
        self.port = _free_port()
        self._environment = os.environ | {"DOCKER_BUILDKIT": "0", "COMPOSE_MENU": "0", port_variable: str(self.port)}
        shutil.copytree(source, folder)
        if os.geteuid() == 0:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, DEVELOPER, DEVELOPER)

    def compose(self, *arguments: str, given: str = "") -> str:
        """The output of a command of Compose's. Raises `Broken` where it fails."""
        command = [binary(), "--project-name", self._name, "--progress", "plain", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self._environment, input=given, capture_output=True, text=True, timeout=600
        )
        if done.returncode:
            raise Broken(f"compose {' '.join(arguments)}: {done.stdout[-1500:]}{done.stderr[-1500:]}")
        return done.stdout

    def up(self, *options: str) -> None:
        """Build it and bring it up; services that wait for others wait here."""
        self.compose("up", "--build", "--detach", f"--timeout={GRACE}", *options)

    def restart(self) -> None:
        """Stop and start every container, as the engine does after a reboot."""
        self.compose("restart", f"--timeout={GRACE}")

    def down(self) -> None:
        """Take its containers, networks and volumes away. What was built stays: see `remove_built`."""
        self.compose("down", "--volumes", "--remove-orphans", f"--timeout={GRACE}")

    def fetch(self, path: str, *, put: bytes | None = None, post: bytes | None = None) -> bytes:
        """What a service answers. Raises `OSError` where it does not, or with a status that tells of an error."""
        data = post if put is None else put
        method = "PUT" if put is not None else "POST" if post is not None else "GET"
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                body: bytes = answer.read()
                return body
        except urllib.error.HTTPError as error:
            with error:
                raise OSError(f"{method} {path}: {error.code} {error.read()[:300]!r}") from None

    def wait(self, what: str, done: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Ask until that is so. Raises `Broken` after so many seconds, with the end of what the services have printed."""
        end, error = time.monotonic() + patience, ""
        while True:
            try:
                if done():
                    return
                error = "it is not so"
            except (OSError, ValueError) as failed:
                error = str(failed)
            if time.monotonic() > end:
                raise Broken(f"{what}: {error}\n{self.compose('logs', '--no-color', '--tail=8')}")
            time.sleep(0.2)

    def look(self) -> dict[str, Shown]:
        """What its services show. Raises `Broken` where one of them does not run, or did not keep running."""
        found = {}
        for id in self.compose("ps", "--all", "--quiet").split():
            told = json.loads(docker("inspect", id))[0]
            service = told["Config"]["Labels"]["com.docker.compose.service"]
            state, host = told["State"], told["HostConfig"]
            if state["Status"] != "running" or told["RestartCount"]:
                raise Broken(f"{service} is {state['Status']} after {told['RestartCount']} restarts: {Container(id).log()}")
            if state.get("Health", {}).get("Status", "healthy") not in ("healthy", "starting"):
                raise Broken(f"{service} is not healthy: {state['Health']}")
            limits = {"memory": host["Memory"], "cpus": host.get("NanoCpus") or host.get("CpuQuota"), "pids": host["PidsLimit"]}
            found[service] = Shown(
                tuple(Container(id).processes()),
                host["ReadonlyRootfs"],
                host.get("Tmpfs") or {},
                frozenset(name for name, amount in limits.items() if (amount or 0) > 0),
            )
        return found

    def are_healthy(self) -> bool:
        """Whether each service that has a health check passes it."""
        ids = self.compose("ps", "--quiet").split()
        states = docker("inspect", "--format={{with .State.Health}}{{.Status}}{{end}}", *ids).splitlines()
        return all(state in ("", "healthy") for state in states)


def remove_built(projects: str) -> None:
    """Take away what was built for projects; `projects` is a pattern of their names.

    To be done when none of them is at work: what is the same in two of them is one image, and the engine cannot name one that is
    being built while the other's is taken away.
    """
    # Those of the classic builder have no label by which Compose would know them.
    images = docker("images", f"--filter=reference={projects}-*", "--format={{.Repository}}").split()
    if images:
        docker("image", "rm", *images)


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port
