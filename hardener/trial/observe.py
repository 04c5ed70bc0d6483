"""What a container shows of itself from outside while it runs. Knows an engine, no original and no judgement."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from hardener.record import NamedTuple
from hardener.trial.compose import last_words
from hardener.trial.engine import Engine, Facts, lost

_MIB = 1024 * 1024
#: Lines of a log that are looked at, from its end.
_LINES = 3000
#: Ports from here on are given out by the kernel to whoever asks (ip_local_port_range, Linux), and mean nothing.
_FIRST_RANDOM = 32768
_LISTENS, _IS_BOUND = "0A", "07"  # TCP_LISTEN and TCP_CLOSE, which is what an open UDP socket has (linux/net/tcp_states.h)


class Process(NamedTuple):
    """A process of a container. Capabilities are a bit each; None where this machine cannot see them."""

    name: str
    uid: int
    gid: int
    effective: int | None = None
    bounding: int | None = None
    no_new_privileges: bool | None = None


class Sight(NamedTuple):
    """One container at one moment."""

    service: str
    id: str
    running: bool
    exit_code: int
    restarts: int
    killed_at_memory_limit: bool
    #: "healthy", "unhealthy", "starting"; empty where nothing asks for its health.
    health: str
    #: What the engine said where it could not be started.
    error: str
    #: `tcp/80`: where it listens.
    listens: frozenset[str]
    read_only: bool
    processes: tuple[Process, ...] = ()
    #: MiB at most so far, and processes with threads; 0 where that is not known.
    memory: int = 0
    pids: int = 0
    log: tuple[str, ...] = ()
    #: The last words of its health check, where that failed.
    checked: str = ""

    @property
    def unprivileged(self) -> frozenset[tuple[str, int, int]]:
        """The programs that are not root, with the numbers they run as."""
        return frozenset((process.name, process.uid, process.gid) for process in self.processes if process.uid)


def glance(facts: Facts, container: Mapping[str, Any]) -> Sight:
    """Whether a container is up, and where it listens; `container` is what `docker inspect` says of it."""
    state, host = container["State"], container["HostConfig"]
    running = bool(state.get("Running")) and not state.get("Restarting")
    # On the host's network its ports cannot be told from those of others.
    sees_ports = running and facts.is_here and host.get("NetworkMode") != "host"
    return Sight(
        service=service_of(container),
        id=str(container["Id"]),
        running=running,
        exit_code=int(state.get("ExitCode") or 0),
        restarts=int(container.get("RestartCount") or 0),
        killed_at_memory_limit=bool(state.get("OOMKilled")),
        health=str((state.get("Health") or {}).get("Status", "")).replace("none", ""),
        checked=_last_check(state.get("Health") or {}),
        error=str(state.get("Error") or ""),
        listens=frozenset(_listening(int(state.get("Pid") or 0))) if sees_ports else frozenset(),
        read_only=bool(host.get("ReadonlyRootfs")),
    )


def _last_check(health: Mapping[str, Any]) -> str:
    last = next(iter((health.get("Log") or ())[-1:]), None) or {}
    return last_words(str(last.get("Output") or ""), 200) if last.get("ExitCode") else ""


def look(engine: Engine, facts: Facts, container: Mapping[str, Any]) -> Sight:
    """All that a container shows now. Raises `TrialError`."""
    sight = glance(facts, container)._replace(log=log(engine, container["Id"]))
    if not sight.running:
        return sight
    first = int(container["State"].get("Pid") or 0)
    memory, pids = (_of_group(first) if facts.is_here else None) or _by_engine(engine, container["Id"])
    return sight._replace(processes=tuple(_processes(engine, facts, container["Id"], first)), memory=memory, pids=pids)


def service_of(container: Mapping[str, Any]) -> str:
    """The service that a container is of."""
    return str(container["Config"]["Labels"].get("com.docker.compose.service", ""))


def log(engine: Engine, id: str) -> tuple[str, ...]:
    """The end of what it has printed, by line."""
    import docker.errors

    with lost():
        try:
            data = engine.client.api.logs(id, tail=_LINES)
        except docker.errors.APIError:  # a log that the engine does not keep
            return ()
    return tuple(data.decode("utf-8", "replace").splitlines())


def _processes(engine: Engine, facts: Facts, id: str, first: int) -> Iterator[Process]:
    """Its first process and all that come from that: health checks and what is run in it from outside come and go."""
    import docker.errors

    with lost():
        try:
            rows = engine.client.api.top(id, ps_args="-eo pid,ppid,uid,gid,comm").get("Processes") or ()
        except docker.errors.APIError:  # it has just ended
            return
    table = {int(pid): (int(parent), int(uid), int(gid), name) for pid, parent, uid, gid, name in rows}
    family, more = {first}, True
    while more:
        more = False
        for pid, (parent, *_) in table.items():
            if parent in family and pid not in family:
                family.add(pid)
                more = True
    for pid, (_, uid, gid, name) in sorted(table.items()):
        if pid in family or first not in table:
            yield (_status(pid) if facts.is_here else None) or Process(name, uid, gid)


def _status(pid: int) -> Process | None:
    """A process as this machine's kernel shows it; None where it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            told = dict(line.rstrip("\n").split(":", 1) for line in file if ":" in line)
        return Process(
            name=told["Name"].strip(),
            uid=int(told["Uid"].split()[1]),
            gid=int(told["Gid"].split()[1]),
            effective=int(told["CapEff"], 16),
            bounding=int(told["CapBnd"], 16),
            no_new_privileges=told.get("NoNewPrivs", "0").strip() == "1",
        )
    except (OSError, ValueError, KeyError):
        return None


def _listening(pid: int) -> Iterator[str]:
    for kind, wanted in (("tcp", _LISTENS), ("tcp6", _LISTENS), ("udp", _IS_BOUND), ("udp6", _IS_BOUND)):
        try:
            with open(f"/proc/{pid}/net/{kind}", encoding="ascii", errors="replace") as file:
                lines = file.read().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            address, _, port = words[1].rpartition(":")
            # The engine's own name server listens on an address of the loopback at ports of chance.
            if words[3] == wanted and 0 < int(port, 16) < _FIRST_RANDOM and address != "0B00007F":
                yield f"{kind[:3]}/{int(port, 16)}"


#: Where the kernel shows the most memory so far in bytes, and the processes and threads now (cgroup v2, or v1 below it;
#: linux, Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst, cgroup-v1/pids.rst; `memory.peak` since 5.19).
_AMOUNTS = (
    ("memory.peak", "pids.current"),
    ("memory/memory.max_usage_in_bytes", "pids/pids.current"),
)


def _of_group(pid: int) -> tuple[int, int] | None:
    """MiB and processes, as this machine's kernel counts them; None where it does not."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="ascii") as file:
            groups = dict(line.rstrip("\n").split(":", 2)[1:] for line in file)
        found = []
        for name in _AMOUNTS[0] if set(groups) == {""} else _AMOUNTS[1]:
            controller, _, leaf = name.rpartition("/")
            with open(f"/sys/fs/cgroup/{controller}{groups[controller]}/{leaf}", encoding="ascii") as file:
                found.append(int(file.read()))
    except (OSError, ValueError, KeyError):
        return None
    return -(-found[0] // _MIB), found[1]


def _by_engine(engine: Engine, id: str) -> tuple[int, int]:
    """The same as the engine tells it, for which it may take a second."""
    import docker.errors

    with lost():
        try:
            told = engine.client.api.stats(id, stream=False, one_shot=True)
        except docker.errors.APIError:
            return 0, 0
    memory = told.get("memory_stats") or {}
    most = max(int(memory.get("max_usage") or 0), int(memory.get("usage") or 0))
    return -(-most // _MIB), int((told.get("pids_stats") or {}).get("current") or 0)


class Kept(NamedTuple):
    """What lies on something that is mounted: names of files, and whose they are."""

    names: frozenset[str]
    owners: frozenset[int]
    #: "volume" or "bind".
    kind: str = "volume"


#: Names on a mount that are looked at, and bytes of it that are read where the host cannot look by itself.
_MOST_NAMES, _MOST_BYTES = 2000, 16 * _MIB


def kept(engine: Engine, container: Mapping[str, Any]) -> dict[str, Kept]:
    """What lies on each volume and folder that it may write, by where that is mounted."""
    found = {}
    for mount in container.get("Mounts") or ():
        if mount.get("RW") and mount.get("Type") in ("volume", "bind"):
            target = str(mount["Destination"])
            there = _on_disk(str(mount.get("Source") or "")) or _in_archive(engine, container["Id"], target)
            found[target] = there._replace(kind=str(mount["Type"]))
    return found


def _on_disk(source: str) -> Kept | None:
    """What lies in a folder of this machine; None where it is not to be seen from here."""
    try:
        owners = {os.lstat(source).st_uid}
        if not os.path.isdir(source):
            return Kept(frozenset(("",)), frozenset(owners))
        os.listdir(source)
    except OSError:
        return None
    names = set()
    for folder, folders, files in os.walk(source):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(folder, name)
            try:
                owners.add(os.lstat(path).st_uid)
            except OSError:
                continue
            names.add(os.path.relpath(path, source))
            if len(names) >= _MOST_NAMES:
                return Kept(frozenset(names), frozenset(owners))
    return Kept(frozenset(names), frozenset(owners))


def _in_archive(engine: Engine, id: str, path: str) -> Kept:
    names, owners = set(), set()
    for member in archive(engine, id, path):
        owners.add(member.uid)
        if member.isfile():
            names.add(member.name.partition("/")[2])
    return Kept(frozenset(names), frozenset(owners))


def archive(engine: Engine, id: str, path: str) -> Iterator[Any]:
    """The members of a path of a container, as `tarfile` has them, up to a bound; none where there is no such path."""
    import tarfile

    import docker.errors

    try:
        with lost():
            try:
                chunks, _ = engine.client.api.get_archive(id, path)
            except docker.errors.APIError:
                return
            try:
                with tarfile.open(fileobj=_Stream(chunks), mode="r|") as opened:  # type: ignore[call-overload]
                    for seen, member in enumerate(opened):
                        yield member
                        if seen > _MOST_NAMES or member.offset_data > _MOST_BYTES:
                            break
            finally:  # whoever wants no more lets go of the connection
                if hasattr(chunks, "close"):
                    chunks.close()
    except tarfile.TarError:
        return


class _Stream:
    """Chunks as a file that is read from its beginning to its end."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = iter(chunks)
        self._left = b""

    def read(self, size: int) -> bytes:
        while len(self._left) < size:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            self._left += chunk
        data, self._left = self._left[:size], self._left[size:]
        return data
