"""The engine that trials are made on: what it is and can do, and what of ours is on it. Knows no project."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hardener.record import NamedTuple
from hardener.trial.compose import TrialError

#: On all that a trial makes: whose it is. The values tell the trial, and who made it.
LABEL = "io.github.hardener.trial"
OWNER = "io.github.hardener.owner"
_MIB = 1024 * 1024
_PATIENCE = 60


class Facts(NamedTuple):
    """What an engine is, as far as trials depend on it."""

    version: str
    rootless: bool
    remaps_users: bool
    #: Packaged as a snap: its AppArmor profile forbids every program a start with no-new-privileges (Launchpad #1908448).
    is_snap: bool
    has_apparmor: bool
    has_seccomp: bool
    cgroup: str
    limits_memory: bool
    limits_pids: bool
    limits_cpu: bool
    cores: int
    #: MiB of memory.
    memory: int
    #: Whether its processes can be seen in this machine's /proc.
    is_here: bool

    @property
    def text(self) -> str:
        """The engine in a few words, the same for the same engine."""
        words = [f"Docker {self.version}"]
        words += ["rootless"] if self.rootless else []
        words += ["userns-remap"] if self.remaps_users else []
        words += ["snap"] if self.is_snap else []
        words += ["AppArmor"] if self.has_apparmor else []
        return ", ".join([*words, f"cgroup v{self.cgroup}"])

    def impossible(self) -> dict[str, str]:
        """The rules whose fix cannot be tried here, with the reason."""
        found = {}
        if self.is_snap:
            found["privilege-escalation"] = "the engine is a snap, which starts nothing with no-new-privileges"
        for rule, can, what in (
            ("unlimited-memory", self.limits_memory, "memory"),
            ("unlimited-pids", self.limits_pids, "the number of processes"),
            ("unlimited-cpu", self.limits_cpu, "CPU time"),
        ):
            if not can:
                found[rule] = f"this engine cannot limit {what}"
        return found


class Engine:
    """A connection. Every method raises `TrialError` when the engine does not answer."""

    def __init__(self) -> None:
        import docker
        import docker.errors

        with lost():
            self.client: Any = docker.DockerClient(
                base_url=_address(), version="auto", timeout=_PATIENCE, tls=_tls(), use_ssh_client=True
            )
            self.client.ping()

    @property
    def is_local(self) -> bool:
        """Whether it is reached through a socket of this machine."""
        return str(self.client.api.base_url).startswith(("http+docker://", "npipe://"))

    def facts(self) -> Facts:
        """What the engine says of itself."""
        with lost():
            told = self.client.info()
        options = [option for line in told.get("SecurityOptions") or () for option in line.split(",")]
        version = str(told.get("ServerVersion", "")).partition("+")[0]
        return Facts(
            version=version,
            rootless="name=rootless" in options,
            remaps_users="name=userns" in options,
            is_snap=str(told.get("DockerRootDir", "")).startswith("/var/snap/"),
            has_apparmor="name=apparmor" in options,
            has_seccomp="name=seccomp" in options,
            cgroup=str(told.get("CgroupVersion") or "1"),
            limits_memory=bool(told.get("MemoryLimit")),
            limits_pids=bool(told.get("PidsLimit")),
            limits_cpu=bool(told.get("CpuCfsQuota")),
            cores=int(told.get("NCPU") or 1),
            memory=int(told.get("MemTotal") or 0) // _MIB,
            is_here=self.is_local and str(told.get("KernelVersion")) == os.uname().release and os.path.isdir("/proc/self"),
        )

    def trials(self) -> Mapping[str, str]:
        """The trials that have something on this engine, each with who made it."""
        with lost():
            api = self.client.api
            things = [
                *(thing.get("Labels") or {} for thing in api.containers(all=True, filters={"label": LABEL})),
                *(thing.get("Labels") or {} for thing in api.networks(filters={"label": LABEL})),
                *(thing.get("Labels") or {} for thing in (api.volumes(filters={"label": LABEL}).get("Volumes") or ())),
                *(thing.get("Labels") or {} for thing in api.images(all=True, filters={"label": LABEL})),
            ]
        return {labels[LABEL]: labels.get(OWNER, "") for labels in things if labels.get(LABEL)}

    def remove(self, trial: str, *, images: bool) -> None:
        """Take away all that a trial made: containers with their anonymous volumes, volumes, networks, and its images."""
        import docker.errors

        mine = {"label": f"{LABEL}={trial}"}
        with lost():
            api = self.client.api
            found = api.containers(all=True, filters=mine)
            for container in found:
                with _already_gone():
                    api.remove_container(container["Id"], force=True, v=True)
            self.remove_nameless(nameless(found))
            for volume in api.volumes(filters=mine).get("Volumes") or ():
                with _already_gone():
                    api.remove_volume(volume["Name"], force=True)
            for network in api.networks(filters=mine):
                with _already_gone():
                    api.remove_network(network["Id"])
            # A second look: an image goes only after those that are made from it.
            for _ in range(2 if images else 0):
                for image in api.images(all=True, filters=mine):
                    for name in [tag for tag in image.get("RepoTags") or () if tag != "<none>:<none>"] or [image["Id"]]:
                        try:
                            api.remove_image(name, force=True)
                        except docker.errors.APIError as error:
                            if error.status_code not in (404, 409):
                                raise

    def remove_nameless(self, volumes: Iterable[str]) -> None:
        """Remove volumes that an image asked for: Compose hands them on to the next container, and then lets them lie."""
        with lost():
            for name in volumes:
                with _already_gone():
                    self.client.api.remove_volume(name, force=True)

    def containers(self, project: str) -> list[Mapping[str, Any]]:
        """All containers of a Compose project, as `docker inspect` shows them."""
        found = []
        with lost():
            for container in self.client.api.containers(all=True, filters={"label": f"com.docker.compose.project={project}"}):
                with _already_gone():
                    found.append(self.client.api.inspect_container(container["Id"]))
        return found


def nameless(containers: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The volumes of containers that have no name but a number, which nobody gave them; a user's are never among them."""
    return frozenset(
        str(mount["Name"])
        for container in containers
        for mount in container.get("Mounts") or ()
        if mount.get("Type") == "volume" and re.fullmatch(r"[0-9a-f]{64}", str(mount.get("Name") or ""))
    )


def _address() -> str | None:
    """Where the engine is: DOCKER_HOST, or what the chosen context says; None is the usual socket."""
    if os.environ.get("DOCKER_HOST"):
        return os.environ["DOCKER_HOST"]
    from docker.context import ContextAPI

    try:
        context = ContextAPI.get_current_context()
    except Exception:  # a context that cannot be read is as none
        return None
    host = getattr(context, "Host", None)
    return str(host) if host and getattr(context, "name", "default") != "default" else None


def _tls() -> Any:
    """The certificates that the environment names, as the docker command reads them."""
    folder = os.environ.get("DOCKER_CERT_PATH", "")
    verify = os.environ.get("DOCKER_TLS_VERIFY", "")
    if not folder and not verify:
        return False
    import docker.tls

    folder = folder or os.path.join(os.path.expanduser("~"), ".docker")
    pair = (os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem"))
    return docker.tls.TLSConfig(client_cert=pair, ca_cert=os.path.join(folder, "ca.pem"), verify=bool(verify))


@contextmanager
def lost() -> Iterator[None]:
    """Turns what the SDK raises when the engine does not answer into a `TrialError`."""
    import docker.errors
    import requests.exceptions
    import urllib3.exceptions

    try:
        yield
    except (docker.errors.DockerException, requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        reason = " ".join(str(error).split())
        # What an engine answers with is an OSError too, by way of requests.
        if not isinstance(error, docker.errors.DockerException) or "while fetching server" in reason.lower():
            if "permission denied" in reason.lower():
                way = "ask for the group of its socket, or run this as who may"
                raise TrialError(f"the Docker engine is not for this user: {way} ({_short(reason)})") from None
            raise TrialError(f"the Docker engine does not answer: start it, or set DOCKER_HOST ({_short(reason)})") from None
        raise TrialError(f"the Docker engine refuses: {_short(reason)}") from None


def _short(reason: str) -> str:
    """What lies at the bottom of it, where the words are those of nested errors."""
    bottom = re.findall(r"Error\((?:-?\d+, )?'([^']+)'", reason)
    reason = bottom[-1].lower() if bottom else reason
    return reason if len(reason) <= 200 else f"{reason[:200]}…"


@contextmanager
def _already_gone() -> Iterator[None]:
    import docker.errors

    try:
        yield
    except docker.errors.APIError as error:
        if error.status_code not in (404, 409):
            raise
