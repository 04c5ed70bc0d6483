"""What follows from a profile for one way of running the image. Knows no project format and no rule.

Conditions in a profile only ever add a need or withdraw a claim. What no item answers stays None and is listed as
unknown: nothing here is a guess.
"""

from __future__ import annotations

from hardener.facts.image import ImageReference
from hardener.finding import Evidence, Strength
from hardener.needs.conditions import Asked, Situation, every, first, is_within, matches, option_values, plain, touches
from hardener.needs.needs import Limit, NeededCapability, Needs, Tmpfs, Written
from hardener.needs.profile import (
    Account,
    Amount,
    Port,
    Profile,
    Start,
    Verdict,
    WrittenPath,
)

_ROOT = ("", "0", "root")
_TMPFS_KINDS = ("run", "scratch", "cache", "log")
_UNITS = {"": 0.0, "b": 1 / 1048576, "k": 1 / 1024, "kb": 1 / 1024, "m": 1.0, "mb": 1.0, "g": 1024.0, "gb": 1024.0}

#: Measured: what `cap_add` gives a process that does not start as root is not effective.
NOT_ROOT = Evidence(
    "a process that does not start as root has no capabilities to lose", "an engine of version 20.10", Strength.OBSERVED
)


def binds_low(first_free_port: int, *, on_host: bool) -> str:
    """The reason for NET_BIND_SERVICE, where a port below the first free one is bound."""
    return f"binds a port below {first_free_port}" + (" on the host" if on_host else "")


def evaluate(profile: Profile, image: ImageReference, situation: Situation) -> Needs:
    """What the image needs in this situation. Pure: the same arguments give the same answer."""
    version = profile.version(image)
    if version is None:
        return Needs(False, _about_version(profile, image))
    asked = Asked(image.effective_tag, version, situation)
    if situation.copied is not None:
        inherited = first(profile.inherits, asked)
        if inherited is None or not inherited.start:
            return Needs(False, f"what of {profile.names[0]} holds for an image that is built from it")
    start = first(profile.starts, asked)
    if start is None:
        return Needs(False, "how this version starts is not known")
    situation = _by_its_name(profile, start, situation)
    asked = asked._replace(situation=situation)
    why_not = _why_not(profile, start, situation)
    if why_not:
        return Needs(False, why_not)
    root = _is_root(situation.user) and start.root
    account = start.account if _is_root(situation.user) else _account(situation.user, start.account)
    places = [(path, place) for path in every(profile.paths, asked) for place in _places(path, situation)]
    ports = tuple(every(profile.ports, asked))
    read_only = first(profile.read_only, asked)
    if read_only is not None and read_only.works:
        read_only = _uncovered(places, situation, root) or _hidden(places, situation) or read_only
    works = read_only is not None and read_only.works
    tmpfs = _tmpfs(places, situation, account, root) if works else ()
    capabilities, no_more = _capabilities(profile, asked, root, start, places, ports, tmpfs)
    answers = {
        "capabilities": capabilities,
        "read_only": read_only,
        "no_new_privileges": first(profile.no_new_privileges, asked),
        "memory": _limit(profile.memory, asked),
        "cpu": _limit(profile.cpu, asked),
        "pids": _limit(profile.pids, asked),
    }
    return Needs(
        holds=True,
        root=root,
        account=account,
        start=start,
        no_more_capabilities=no_more,
        tmpfs=tmpfs,
        writes=tuple(Written(place, path.kind, path.exec, path.why, path.evidence) for path, place in places),
        runs_as=start.evidence,
        ports=ports,
        user=_user(profile, asked, ports),
        seccomp=first(profile.seccomp, asked),
        apparmor=first(profile.apparmor, asked),
        api=first(profile.api, asked),
        unprivileged=first(profile.unprivileged, asked),
        heap=first(profile.heaps, asked),
        healthcheck=first(profile.healthchecks, asked),
        unknown={name: profile.unknown.get(name, "not looked at") for name in answers if answers[name] is None},
        **answers,  # type: ignore[arg-type]
    )


# Whether the profile holds.


def _about_version(profile: Profile, image: ImageReference) -> str:
    if not image.effective_tag:
        return "a digest without a tag does not say which version it is"
    return f"the tag {image.effective_tag!r} is not among the versions that the profile of {profile.names[0]} knows"


def _by_its_name(profile: Profile, start: Start, situation: Situation) -> Situation:
    """The situation with the image's own entrypoint, where what is written starts the program that the image is called after.

    So it is mostly written in pods (`command: [/bin/prometheus, ...]`). Not where an entrypoint steps down on the way: without
    it, the program stays root.
    """
    words = (*(situation.entrypoint or ()), *(situation.command or ()))
    called = {name.rpartition("/")[2] for name in profile.names}
    if not situation.entrypoint or start.how or (start.root and start.account) or words[0].rpartition("/")[2] not in called:
        return situation
    knows_options = len(words) > 1 and any(matches(words[1], pattern) for pattern in profile.programs)
    return situation._replace(entrypoint=None, command=words[1:] if knows_options else words)


def _why_not(profile: Profile, start: Start, situation: Situation) -> str:
    if situation.entrypoint is not None:
        return "the entrypoint is not the image's own"
    command = situation.command
    if command is not None and not (command and any(matches(command[0], pattern) for pattern in profile.programs)):
        return f"the command starts {command[0] if command else 'nothing'!r}, of which the profile knows nothing"
    user = situation.user
    if "$" in user:
        return f"the user {user!r} is not known before the project runs"
    name = user.partition(":")[0]
    if user and _is_root(user) and not start.root:
        return "it is started as root, which the image is not"
    if not _is_root(user) and not is_number(name) and (start.account is None or name != start.account.name):
        return f"the numbers of the user {user!r} are not known"
    return ""


def _is_root(user: str) -> bool:
    return user.partition(":")[0] in _ROOT


def is_number(text: str) -> bool:
    """Whether a text is the number of an account or a group."""
    return text.isascii() and text.isdecimal() and len(text) <= 10


def _account(user: str, own: Account | None) -> Account:
    name, _, group = user.partition(":")
    if own is not None and name in (own.name, str(own.uid)):
        return own if not is_number(group) else own._replace(gid=int(group))
    # Without an entry in the image's passwd file the group is root's.
    return Account("", int(name), int(group) if is_number(group) else 0)


def _places(path: WrittenPath, situation: Situation) -> list[str]:
    """Where a path is in this situation; an empty text stands for a place that is not known."""
    if path.moved_by is None:
        return [path.path]
    kind, argument = path.moved_by
    if kind == "environment":
        value = situation.environment.get(argument, None if situation.more_environment else path.path)
        values = ["" if value is None else value or path.path]
    else:
        values = option_values(situation.command or (), argument) or [path.path]
    return [value if not value or value.startswith("/") else "" if "$" in value else f"/{value}" for value in values]


def _uncovered(places: list[tuple[WrittenPath, str]], situation: Situation, root: bool) -> Verdict | None:
    """Why a read-only root does not work although the image's own paths allow it: data that is on no volume."""
    volumes = [
        path.path
        for path, _ in places
        if path.volume and (situation.platform.declared_volumes or _is_fresh(path, situation, root))
    ]
    for path, place in places:
        if path.kind not in ("data", "config"):
            continue
        if not place:
            return Verdict(path.filter, False, "where it keeps its data is not known", path.evidence)
        if not any(is_within(place, target) for target in (*volumes, *(mount.target for mount in situation.mounts))):
            return Verdict(path.filter, False, f"writes {place}, where nothing is mounted", path.evidence)
    return None


def _is_fresh(path: WrittenPath, situation: Situation, root: bool) -> bool:
    """Whether an empty tmpfs serves in place of a volume: nothing is missed of what the image has there."""
    return situation.copied is None and (path.fresh == "anybody" or (path.fresh == "root" and root and path.by_root))


def _hidden(places: list[tuple[WrittenPath, str]], situation: Situation) -> Verdict | None:
    """Why a read-only root does not work: a tmpfs would hide what an image that is built from this one has there."""
    for path, place in places:
        for copy in situation.copied or ():
            is_volume = path.volume and situation.platform.declared_volumes
            if path.kind in _TMPFS_KINDS and not is_volume and place and is_within(copy.target, place):
                return Verdict(path.filter, False, f"a tmpfs at {place} would hide what is copied there", path.evidence)
    return None


def _tmpfs(places: list[tuple[WrittenPath, str]], situation: Situation, account: Account | None, root: bool) -> tuple[Tmpfs, ...]:
    """The tmpfs beside a read-only root. What stands in for a volume is as lasting as the container's own layer was."""
    platform = situation.platform
    uid, gid = (account.uid, account.gid) if account and platform.owned_tmpfs else (0, 0)

    def owner(own: int | None, served: int) -> int:
        return served if own is None or not root or not platform.owned_tmpfs else own

    def is_mounted(place: str) -> bool:
        return any(is_within(place, mount.target) for mount in situation.mounts)

    wanted: dict[str, Tmpfs] = {}
    for path, place in places:
        if path.volume and platform.declared_volumes:
            continue
        if path.kind in _TMPFS_KINDS and not path.volume:
            target = place
        elif path.volume and not is_mounted(place):
            target = path.path
        else:
            continue
        if is_mounted(target) or target in wanted:
            continue
        # The reason beside a path of root's does not fit where nobody is root.
        why = path.why if root or path.uid is None else ""
        if why and path.kind not in _TMPFS_KINDS:
            why += ", kept as long as the pod"
        wanted[target] = Tmpfs(target, owner(path.uid, uid), owner(path.gid, gid), path.exec, why, path.evidence)
    return tuple(wanted.values())


# Capabilities and limits.


def _capabilities(
    profile: Profile,
    asked: Asked,
    root: bool,
    start: Start,
    places: list[tuple[WrittenPath, str]],
    ports: tuple[Port, ...],
    tmpfs: tuple[Tmpfs, ...],
) -> tuple[tuple[NeededCapability, ...] | None, Evidence | None]:
    if root and "capabilities" in profile.unknown:
        return None, None
    whens = {"exec"}
    if root:
        whens.add("start")
        if asked.situation.first_free_port > 1:
            whens.add("low-port")
        by_root = [(path, place) for path, place in places if path.by_root]
        given = () if asked.situation.platform.owned_tmpfs or start.account is None else tuple(mount.path for mount in tmpfs)
        if any(
            _is_foreign(path, place, asked.situation, start) or any(touches(place, target) for target in given)
            for path, place in by_root
        ):
            whens.add("foreign-data")
    needed: dict[str, NeededCapability] = {}
    for item in every(profile.capabilities, asked):
        if item.when in whens:
            needed.setdefault(item.name, NeededCapability(item.name, item.why, item.evidence))
    low = _low(ports, asked.situation)
    if root and low is not None:
        needed.setdefault("NET_BIND_SERVICE", NeededCapability("NET_BIND_SERVICE", f"listens on port {low.number}", low.evidence))
    return tuple(needed[name] for name in sorted(needed)), start.evidence if root or _is_root(asked.situation.user) else NOT_ROOT


def _low(ports: tuple[Port, ...], situation: Situation) -> Port | None:
    """The first port that only a privilege can bind."""
    return next((port for port in ports if port.number < situation.first_free_port), None)


def _taken_over(profile: Profile, asked: Asked) -> str:
    """A mounted folder that only root can make its account's, where the platform gives volumes to a group and to nobody else."""
    situation = asked.situation
    if situation.platform.owned_tmpfs:
        return ""
    targets = {plain(mount.target) for mount in situation.mounts if mount.kind != "volume"}
    places = (place for path in every(profile.paths, asked) if path.owned for place in _places(path, situation))
    return next((place for place in places if place and plain(place) in targets), "")


def _user(profile: Profile, asked: Asked, ports: tuple[Port, ...]) -> Verdict | None:
    """Whether it may start as the account that it steps down to: not where only root can bind what it listens on."""
    verdict = first(profile.user, asked)
    if verdict is None or not verdict.works or verdict.doubt:
        return verdict
    taken = _taken_over(profile, asked)
    if taken:
        why = f"it has to own {taken}, which a pod's volume lets its group write at most"
        return verdict._replace(works=False, why=why)
    low = _low(ports, asked.situation)
    if low is None:
        return verdict
    if any(item.name == "NET_BIND_SERVICE" and item.when == "exec" for item in every(profile.capabilities, asked)):
        return verdict
    return verdict._replace(doubt=f"how it binds port {low.number}, which is root's here")


def _is_foreign(path: WrittenPath, place: str, situation: Situation, start: Start) -> bool:
    """Whether what is at a path may belong to another than whom the image expects there.

    A volume on the image's own data directory takes its owner from there; elsewhere, and where a directory is yet to be
    made, it is root's, which is foreign to an image that steps down.
    """
    touching = [mount for mount in situation.laid_over if touches(mount.target, place)]
    if any(mount.kind != "volume" for mount in touching):
        return True
    if start.account is None:
        return False
    if plain(place) != plain(path.path):
        return True
    return any(path.kind != "data" or not is_within(place, mount.target) for mount in touching)


def _limit(items: tuple[Amount, ...], asked: Asked) -> Limit | None:
    for item in every(items, asked):
        amount = item.amount
        if item.option:
            values = option_values(asked.situation.command or (), item.option)
            size = _mebibytes(values[-1], item.unit) if values else None
            if not size:
                continue
            amount += size * item.times
        return Limit(amount, item.why, item.evidence)
    return None


def _mebibytes(text: str, unit: float) -> float | None:
    number = text.rstrip("kmgbKMGB")
    factor = _UNITS.get(text[len(number) :].lower())
    if factor is None or not number.isdecimal() or len(number) > 15:
        return None
    return int(number) * (factor or unit)
