"""What follows from what a program does for the container that runs it. Knows no language, no format and no rule.

The counterpart of `hardener.needs.situation` for programs of which the project has the source. What is not known keeps the
usual answer, which no fix may rest on by default, and `Needs.unknown` says why.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping

from hardener.facts.container import DEFAULT_CAPABILITIES, Container
from hardener.facts.image_files import ImageFiles
from hardener.finding import Evidence, Strength
from hardener.needs.needs import Limit, NeededCapability, Needs, Tmpfs, Written
from hardener.needs.profile import EVERYWHERE, Account, Port, Verdict
from hardener.needs.situation import NOT_ROOT
from hardener.needs.source.uses import CAPABILITIES, ESCALATION, MEMORY, THREADS, WRITES, Uses, Write
from hardener.record import NamedTuple

_FLEETING = frozenset(("scratch", "cache", "run", "log"))
#: What every image of a known family has: the mode of this directory outlives a tmpfs (measured on engine 20.10).
_EVERYBODYS = ("/tmp",)
#: Far more than a service of one program starts, few enough to stop a fork bomb.
_PIDS = 1024


class Runner(NamedTuple):
    """Who runs a program: `account` None for an account whose numbers are not known."""

    #: None where it is not known; it then needs what root would.
    root: bool | None
    account: Account | None
    evidence: Evidence


class Ground(NamedTuple):
    """What a program stands on: its image, as far as the project says."""

    files: ImageFiles
    #: Folders that the image's instructions give to others than root, or make at all; each with its evidence.
    given: Mapping[str, Evidence]
    made: frozenset[str]
    #: Folders that are volumes by the image's own word.
    volumes: frozenset[str]
    #: Programs with file capabilities: by name, the capabilities and where that is said.
    file_capabilities: Mapping[str, tuple[tuple[str, ...], Evidence]]


def needs_of_workload(uses: Uses, runner: Runner, ground: Ground, container: Container, usual: Needs) -> Needs:
    """What a container needs that runs this program. `usual` is what is taken for what is not known."""
    unknown = _unknown(uses, runner)
    read_only, tmpfs = _read_only(uses, runner, ground, container)
    answers: dict[str, object] = {
        "capabilities": _capabilities(uses, runner, ground, container),
        "read_only": read_only,
        "no_new_privileges": _no_new_privileges(uses, ground),
        "memory": _memory(uses),
        "cpu": Limit(float(uses.cores), "", _absent(uses, "a second core is not kept busy")) if uses.cores else None,
        "pids": Limit(_PIDS, "", _absent(uses, "processes are not started without end")),
    }
    if read_only is None:
        unknown.setdefault("read_only", "the numbers of the account that it runs as")
    if uses.memory is None:
        unknown.setdefault("memory", "how much it holds in memory")
    if not uses.cores or uses.cores > 1:
        # A limit above the cores of a host is refused by the engine.
        unknown.setdefault("cpu", "how many cores it keeps busy")
    for question in unknown:
        answers[question] = getattr(usual, question)
    return Needs(
        holds=True,
        root=runner.root,
        account=runner.account,
        no_more_capabilities=NOT_ROOT if runner.root is False else _absent(uses, "no other capability is used"),
        tmpfs=tmpfs if "read_only" not in unknown else usual.tmpfs,
        writes=tuple(Written(write.path, write.kind, write.exec, "", write.evidence) for write in uses.writes),
        runs_as=runner.evidence,
        runs=tuple(program.evidence for program in uses.runs),
        ports=tuple(Port(EVERYWHERE, listen.number, listen.protocol, "", listen.evidence) for listen in uses.listens),
        unknown=unknown,
        **answers,  # type: ignore[arg-type]
    )


def _unknown(uses: Uses, runner: Runner) -> dict[str, str]:
    questions = {
        # Who is not root has no capabilities, but through programs that give them.
        "capabilities": (ESCALATION,) if runner.root is False else (CAPABILITIES,),
        "read_only": (WRITES,),
        "no_new_privileges": (ESCALATION,),
        "memory": (MEMORY,),
        "cpu": (THREADS,),
        "pids": (THREADS,),
    }
    doubts = {question: uses.open(*about) for question, about in questions.items()}
    if uses.escalates and runner.root is False:
        doubts["capabilities"] = doubts["capabilities"] or f"what `{uses.escalates[0].name}` needs as root"
    return {question: doubt for question, doubt in doubts.items() if doubt}


# Capabilities.


def _capabilities(uses: Uses, runner: Runner, ground: Ground, container: Container) -> tuple[NeededCapability, ...]:
    needed = dict(_file_capabilities(uses, ground))
    if runner.root is not False:
        for item in uses.capabilities:
            if item.name in DEFAULT_CAPABILITIES:
                needed.setdefault(item.name, NeededCapability(*item))
        foreign = _foreign(uses, ground, container)
        if foreign is not None:
            needed.setdefault("DAC_OVERRIDE", foreign)
        low = next((listen for listen in uses.listens if listen.number < 1024), None)
        if container.host_network.effective and (low or any(port < 1024 for port in container.served_ports)):
            evidence = low.evidence if low else _absent(uses, "no port is bound")
            needed.setdefault(
                "NET_BIND_SERVICE", NeededCapability("NET_BIND_SERVICE", "binds a port below 1024 on the host", evidence)
            )
    return tuple(needed[name] for name in sorted(needed))


def _file_capabilities(uses: Uses, ground: Ground) -> Iterable[tuple[str, NeededCapability]]:
    for program in uses.runs:
        names, evidence = ground.file_capabilities.get(program.name, ((), program.evidence))
        for name in names:
            yield name, NeededCapability(name, f"{program.name} does not start without it", evidence)


def _foreign(uses: Uses, ground: Ground, container: Container) -> NeededCapability | None:
    """DAC_OVERRIDE, where root may meet files of somebody else."""
    for mount in container.mounts:
        if mount.kind not in ("volume", "tmpfs"):
            what = mount.source or mount.target
            evidence = Evidence(f"{what} is mounted", f"{mount.place.path}:{mount.place.line}", Strength.READ)
            return NeededCapability("DAC_OVERRIDE", f"{_short(what)} may belong to another user", evidence)
    for write in uses.writes:
        for folder, evidence in ground.given.items():
            if _within(write.path, folder) or _within(folder, write.path):
                return NeededCapability("DAC_OVERRIDE", f"writes {_short(write.path)}, which is another user's", evidence)
    return None


def _short(path: str) -> str:
    return path if len(path) < 40 else f"...{path[-36:]}"


# The root file system.


def _read_only(uses: Uses, runner: Runner, ground: Ground, container: Container) -> tuple[Verdict | None, tuple[Tmpfs, ...]]:
    """Whether the root may be read-only, with which tmpfs; None where an owner's numbers are missing."""
    wanted: dict[str, Tmpfs] = {}
    for write in uses.writes:
        if _is_writable(write.path, ground, container):
            continue
        folder, why_not = _tmpfs_folder(write, ground)
        if why_not:
            return Verdict(EVERYWHERE, False, why_not, write.evidence), ()
        everybodys = folder in _EVERYBODYS
        account = runner.account
        if account is None and not runner.root and not everybodys:
            return None, ()
        uid, gid = (account.uid, account.gid) if account is not None else (0, 0)
        old = wanted.get(folder)
        wanted[folder] = Tmpfs(folder, uid, gid, write.exec or bool(old and old.exec), write.evidence.claim, write.evidence)
    paths = sorted(wanted)
    outermost = [path for path in paths if not any(path != other and _within(path, other) for other in paths)]
    nothing = "nothing else is written" if uses.writes else "no file is written"
    return Verdict(EVERYWHERE, True, "", _absent(uses, nothing)), tuple(wanted[path] for path in outermost)


def _is_writable(path: str, ground: Ground, container: Container) -> bool:
    """Whether a path stays writable on a read-only root."""
    mounts = {mount.target: not mount.read_only for mount in container.mounts}
    mounts |= dict.fromkeys(ground.volumes - mounts.keys(), True)
    mounts |= {mount.path: True for mount in container.tmpfs.effective}
    over = [target for target in mounts if _within(path, target)]
    return bool(over) and mounts[max(over, key=len)]


def _tmpfs_folder(write: Write, ground: Ground) -> tuple[str, str]:
    """The folder that becomes a tmpfs for a path, or why none can."""
    if write.kind not in _FLEETING:
        return "", f"writes {write.path}, where nothing is mounted"
    for place in ("/tmp", "/var/tmp"):
        if _within(write.path, place):
            return place, ""
    folder = write.path if not posixpath.splitext(write.path)[1] and ground.files.kind(write.path) != "file" else ""
    folder = _plain(folder or posixpath.dirname(write.path))
    if folder.count("/") < 2 and folder != "/run":
        return "", f"writes {write.path}, beside what the image has there"
    inside = next(ground.files.walk(folder), "")
    made = next((path for path in sorted(ground.made) if path != folder and _within(path, folder)), "")
    if inside or made:
        return "", f"writes {write.path}, beside {inside or made}"
    return folder, ""


def _plain(path: str) -> str:
    """A path without the link that every image of note has."""
    path = posixpath.normpath(path)
    return path[4:] if path == "/var/run" or path.startswith("/var/run/") else path


def _within(path: str, folder: str) -> bool:
    return (_plain(path).rstrip("/") + "/").startswith(_plain(folder).rstrip("/") + "/")


# The rest.


def _no_new_privileges(uses: Uses, ground: Ground) -> Verdict:
    for program in (*uses.escalates, *(program for program in uses.runs if program.name in ground.file_capabilities)):
        why = f"{program.name} gains privileges when it is run"
        return Verdict(EVERYWHERE, False, why, program.evidence)
    return Verdict(EVERYWHERE, True, "", _absent(uses, "no set-uid program is called"))


def _absent(uses: Uses, what: str) -> Evidence:
    """The evidence that something is not done: what was read, in which it does not stand."""
    return uses.read._replace(claim=f"{what} in {uses.read.claim}")


def _memory(uses: Uses) -> Limit | None:
    if uses.memory is None:
        return None
    return Limit(uses.memory.mib, uses.memory.why, uses.memory.evidence)
