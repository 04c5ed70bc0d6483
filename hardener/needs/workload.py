"""What follows from what a program does for the container that runs it. Knows no language, no format and no rule.

The counterpart of `hardener.needs.situation` for programs of which the project has the source. What is not known keeps the
usual answer, which no fix may rest on by default, and `Needs.unknown` says why.
"""

from __future__ import annotations

from collections.abc import Iterable

from hardener.facts.container import ALL, DEFAULT_CAPABILITIES, Container, names
from hardener.finding import Evidence, Strength
from hardener.needs.ground import Ground, folder_of, is_everybodys, is_within, plain
from hardener.needs.needs import Limit, NeededCapability, Needs, Tmpfs, Written
from hardener.needs.profile import EVERYWHERE, Account, Port, Verdict
from hardener.needs.situation import NOT_ROOT, binds_low
from hardener.needs.source.uses import CAPABILITIES, ESCALATION, MEMORY, THREADS, WRITES, Uses, Write
from hardener.record import NamedTuple

_FLEETING = frozenset(("scratch", "cache", "run", "log"))
#: File systems of the engine's own, which are not the root's.
_ENGINES = ("/dev", "/proc", "/sys")
#: Room for the temporary files of a few requests at a time, in MiB.
_TMPFS_MIB = 256
#: Far more than a service of one program starts, few enough to stop a fork bomb.
_PIDS = 1024


class Runner(NamedTuple):
    """Who runs a program: `account` None for an account whose numbers are not known."""

    #: None where it is not known; it then needs what root would.
    root: bool | None
    account: Account | None
    evidence: Evidence


def needs_of_workload(uses: Uses, runner: Runner, ground: Ground, container: Container, usual: Needs) -> Needs:
    """What a container needs that runs this program. `usual` is what is taken for what is not known."""
    cores = uses.memory.cores if uses.memory is not None else 0
    unknown = _unknown(uses, runner)
    read_only, tmpfs, why_not = _read_only(uses, runner, ground, container)
    answers: dict[str, object] = {
        "capabilities": _capabilities(uses, runner, ground, container),
        "read_only": read_only,
        "no_new_privileges": _no_new_privileges(uses, ground),
        "memory": _memory(uses, tmpfs if container.platform.owned_tmpfs else ()),
        "cpu": Limit(1.0, "", _absent(uses, "one core is kept busy at a time")) if cores == 1 else None,
        "pids": Limit(_PIDS, "", _absent(uses, "processes are not started without end")),
    }
    if read_only is None:
        unknown.setdefault("read_only", why_not)
    if uses.memory is None:
        unknown.setdefault("memory", "how much it holds in memory")
    if cores != 1:
        # A limit above the cores of a host is refused by the engine.
        busy = f"it may keep {cores or 'all'} cores busy" if uses.memory is not None else "how many cores it keeps busy"
        unknown.setdefault("cpu", busy)
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
        runs=tuple((program.name, program.evidence) for program in uses.runs),
        read=uses.read,
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
    needed = dict(_file_capabilities(ground))
    if runner.root is not False:
        granted = names(container.cap_add.effective)
        if ALL in granted:  # which does not bring back what is dropped by name
            granted |= {item.name for item in uses.capabilities} - names(container.cap_drop.effective)
        for item in uses.capabilities:
            # What it does not have now, it works without.
            if item.name in DEFAULT_CAPABILITIES or item.name in granted:
                needed.setdefault(item.name, NeededCapability(*item))
        foreign = _foreign(uses, ground, container)
        if foreign is not None:
            needed.setdefault("DAC_OVERRIDE", foreign)
        free = container.first_free_port.effective
        low = next((listen for listen in uses.listens if listen.number < free), None)
        if low or any(port < free for port in container.served_ports):
            evidence = low.evidence if low else _absent(uses, "no port is bound")
            needed.setdefault(
                "NET_BIND_SERVICE",
                NeededCapability("NET_BIND_SERVICE", binds_low(free, on_host=container.host_network.effective), evidence),
            )
    return tuple(needed[name] for name in sorted(needed))


def _file_capabilities(ground: Ground) -> Iterable[tuple[str, NeededCapability]]:
    # Whichever name it is started by: a program with file capabilities does not start at all without them.
    for capable in ground.file_capabilities:
        for name in capable.names:
            yield name, NeededCapability(name, f"{capable.program} does not start without it", capable.evidence)


def _foreign(uses: Uses, ground: Ground, container: Container) -> NeededCapability | None:
    """DAC_OVERRIDE, where root may meet files of somebody else."""
    for mount in container.mounts:
        if mount.kind not in ("volume", "tmpfs") and not mount.open_to_all:
            what = mount.source or mount.target
            evidence = Evidence(f"{what} is mounted", f"{mount.place.path}:{mount.place.line}", Strength.READ)
            return NeededCapability("DAC_OVERRIDE", f"{_short(what)} may belong to another user", evidence)
    for tmpfs in container.tmpfs.effective:
        # Where it cannot have an owner it may be shared, with whoever runs beside it.
        is_shared = not container.platform.owned_tmpfs and not is_everybodys(tmpfs.path)
        if "uid=" in tmpfs.options or is_shared:
            claim = "may hold what others write" if is_shared else "has an owner"
            evidence = Evidence(
                f"{tmpfs.path} {claim}", f"{container.tmpfs.place.path}:{container.tmpfs.place.line}", Strength.READ
            )
            whose = "may hold another user's files" if is_shared else "belongs to another user"
            return NeededCapability("DAC_OVERRIDE", f"{_short(tmpfs.path)} {whose}", evidence)
    for write in uses.writes:
        for folder, evidence in ground.given.items():
            near = is_within(write.path, folder) or is_within(folder, write.path)
            if near and not (folder == "/" and is_everybodys(write.path)):
                # Of the root, the base says who else there is, and not which folders are theirs.
                theirs = folder != "/" and is_within(write.path, folder)
                whose = "which is another user's" if theirs else "where another user's files may be"
                return NeededCapability("DAC_OVERRIDE", f"writes {_short(write.path)}, {whose}", evidence)
    if ground.closed is not None:
        return NeededCapability("DAC_OVERRIDE", "files of another user may be closed to root", ground.closed)
    return None


def _short(path: str) -> str:
    return path if len(path) < 40 else f"...{path[-36:]}"


# The root file system.


def _read_only(uses: Uses, runner: Runner, ground: Ground, container: Container) -> tuple[Verdict | None, tuple[Tmpfs, ...], str]:
    """Whether the root may be read-only, with which tmpfs; or None, and why that is not known."""
    wanted: dict[str, Tmpfs] = {}
    why_open = ""
    for write in uses.writes:
        if _is_untouched(write.path, ground, container):
            continue
        volume = "" if container.platform.declared_volumes else _volume(write.path, ground)
        folder, why_not = _tmpfs_folder(write, volume, ground, uses)
        if why_not:
            return Verdict(EVERYWHERE, False, why_not, write.evidence), (), ""
        owned = container.platform.owned_tmpfs
        why_open = why_open or _about_folder(folder, uses, runner, ground, owned)
        if write.refused_by and not owned:
            why_open = (
                why_open or f"where else it writes, because {write.refused_by} refuses {folder} when everybody may write there"
            )
        account = runner.account if owned else None
        uid, gid = (account.uid, account.gid) if account is not None else (0, 0)
        old = wanted.get(folder)
        why = _why(write, folder)
        if write.kind not in _FLEETING:
            why = f"{why or 'its data'}, kept as long as the pod"
        wanted[folder] = Tmpfs(folder, uid, gid, write.exec or bool(old and old.exec), why, write.evidence)
    if why_open:
        return None, (), why_open
    outermost = [path for path in sorted(wanted) if not any(path != other and is_within(path, other) for other in wanted)]
    tmpfs = tuple(
        wanted[path]._replace(exec=any(inner.exec for inner in wanted.values() if is_within(inner.path, path)))
        for path in outermost
    )
    nothing = "nothing else is written" if uses.writes else "no file is written"
    return Verdict(EVERYWHERE, True, "", _absent(uses, nothing)), tmpfs, ""


def _is_untouched(path: str, ground: Ground, container: Container) -> bool:
    """Whether a path is as writable on a read-only root as before: it lies on a mount, or is the engine's."""
    targets = (
        *(mount.target for mount in container.mounts),
        *(mount.path for mount in container.tmpfs.effective),
        *(ground.volumes if container.platform.declared_volumes else ()),
        *_ENGINES,
    )
    return any(is_within(path, target) for target in targets)


def _volume(path: str, ground: Ground) -> str:
    """The image's own volume that a path lies in; empty for none."""
    return max((volume for volume in ground.volumes if is_within(path, volume)), key=len, default="")


def _tmpfs_folder(write: Write, volume: str, ground: Ground, uses: Uses) -> tuple[str, str]:
    """The folder that becomes a tmpfs for a path, or why none can; `volume` is one that it can stand in for."""
    if write.kind not in _FLEETING and not volume:
        return "", f"writes {write.path}, where nothing is mounted"
    place = next((place for place in ("/tmp", "/var/tmp") if is_within(write.path, place)), "")
    folder = volume or place or plain(folder_of(write.path, ground, (other.path for other in uses.writes)))
    if folder.count("/") < 2 and folder not in ("/run", "/tmp", volume):
        return "", f"writes {write.path}, beside what the image has there"
    inside = (path for path in ground.files.walk(folder) if not (place and path in ground.served))
    made = (path for path in sorted(ground.made | ground.brought) if path != folder and is_within(path, folder))
    beside = next(inside, "") or next(made, "")
    if not beside and folder in ground.brought:
        beside = "what is copied there"
    return (folder, "") if not beside else ("", f"writes {write.path}, beside {beside}")


def _about_folder(folder: str, uses: Uses, runner: Runner, ground: Ground, owned: bool) -> str:
    """Why it is not known whether a folder may become a tmpfs, and of whom."""
    if folder == "/tmp":
        return ""
    if runner.root and uses.users:
        return f"whether root or {uses.users[0].name} writes {folder}"
    if owned and runner.account is None and not runner.root:
        return "the numbers of the account that it runs as"
    brought = next((path for path in sorted(ground.brought) if is_within(folder, path)), "")
    if brought:
        return f"whether what is copied to {brought} has something in {folder}"
    return f"whether {ground.unread} puts something into {folder}" if ground.unread and folder not in ("/run", "/var/tmp") else ""


def _why(write: Write, folder: str) -> str:
    """The reason that is written beside a tmpfs; empty where it would only say the path again."""
    return "" if write.evidence.claim == f"writes {folder}" else write.evidence.claim


# The rest.


def _no_new_privileges(uses: Uses, ground: Ground) -> Verdict:
    for program in uses.escalates:
        return Verdict(EVERYWHERE, False, f"{program.name} gains privileges when it is run", program.evidence)
    for capable in ground.file_capabilities:
        return Verdict(EVERYWHERE, False, f"{capable.program} gains privileges when it is run", capable.evidence)
    return Verdict(EVERYWHERE, True, "", _absent(uses, "no set-uid program is called"))


def _absent(uses: Uses, what: str) -> Evidence:
    """The evidence that something is not done: what was read, in which it does not stand."""
    return uses.read._replace(claim=f"{what} in {uses.read.claim}")


def _memory(uses: Uses, tmpfs: tuple[Tmpfs, ...]) -> Limit | None:
    """What is enough, with room for what goes to a tmpfs: that counts as the container's memory."""
    if uses.memory is None:
        return None
    room, why = (_TMPFS_MIB, f"{uses.memory.why}, and temporary files") if tmpfs else (0, uses.memory.why)
    evidence = uses.memory.evidence
    if uses.memory.why and uses.memory.why not in evidence.claim:
        evidence = evidence._replace(claim=f"{uses.memory.why}, as read in {evidence.claim}")
    return Limit(uses.memory.mib + room, why, evidence)
