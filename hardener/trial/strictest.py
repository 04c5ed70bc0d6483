"""The strictest set of hardening to begin with: from what is read of each service, and what its original showed. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from hardener.facts.container import Container
from hardener.needs.needs import Needs
from hardener.needs.proven import Proven
from hardener.record import NamedTuple
from hardener.trial.candidate import MEMORY, ROOT_USER, WRITABLE_ROOT, Candidate, Control
from hardener.trial.writes import Writes

_ROOT = ("", "0", "root")
#: Limits: so many times what was seen, in whole steps, and never less than the first step. A trial is no load test.
_HEADROOM, _MIB_STEP, _PIDS_STEP = 4, 64, 64
_LEAST_MIB = 128
_TEMPORARY = "/tmp"


class Seen(NamedTuple):
    """What the runs of the original showed of one service."""

    #: Whom it is started as, `uid:gid`; empty for root.
    user: str = ""
    #: Programs that were never root, with the numbers that they always ran as.
    unprivileged: frozenset[tuple[str, int, int]] = frozenset()
    writes: Writes = Writes({})
    #: At most: MiB, and processes with threads.
    memory: int = 0
    pids: int = 0


def strictest(
    services: Mapping[str, tuple[Container, Needs]],
    fixed: Mapping[str, frozenset[str]],
    seen: Mapping[str, Seen],
    *,
    unsafe: bool,
    asked: bool,
) -> Candidate:
    """The first candidate, without what is in doubt.

    `fixed` names the rules whose fixes are made without a trial's values. What was read of a service stands: a need that is
    in its source is not refuted by runs that did not meet it, as on new volumes. Values are for what is not known.
    """
    candidate, doubts = Candidate(), dict[Control, str]()
    for service, (container, needs) in services.items():
        if container.privileged.effective:
            continue
        shown = seen.get(service, Seen())
        proven = _values(container, needs, fixed.get(service, frozenset()), shown, asked=asked)
        proven, doubts[service, WRITABLE_ROOT] = _read_only(proven, container, needs, shown, asked=asked)
        proven, doubts[service, MEMORY] = _memory(proven, needs, shown, unsafe=unsafe)
        if proven != Proven():
            candidate = candidate.giving(service, proven)
    return candidate.leaving_out({control: why for control, why in doubts.items() if why})


def _values(container: Container, needs: Needs, fixed: frozenset[str], shown: Seen, *, asked: bool) -> Proven:
    user = "" if ROOT_USER in fixed else _stepped_down_to(container, shown)
    known = not needs.missing("capabilities") and needs.capabilities is not None
    return Proven(
        user=user,
        # Where nobody asks it, that it idles without any says little: it keeps those that are usual.
        capabilities=None if known or not asked else {},
        no_new_privileges=None if not needs.missing("no_new_privileges") and needs.no_new_privileges else True,
        cpus=None if _is_limited(needs, "cpu") else 1.0,
        pids=None if _is_limited(needs, "pids") else _stepped(shown.pids, _PIDS_STEP, 2 * _PIDS_STEP),
    )


def _is_limited(needs: Needs, question: str) -> bool:
    """Whether a limit is known by reading, or was decided."""
    limit, missing = needs.limit(question)
    return limit is not None and not missing


def _stepped_down_to(container: Container, shown: Seen) -> str:
    """The one account that a service that starts as root works as; empty where there is none, or more."""
    if shown.user or container.user.effective.partition(":")[0] not in _ROOT:
        return ""
    numbers = {(uid, gid) for _, uid, gid in shown.unprivileged}
    return "{}:{}".format(*numbers.pop()) if len(numbers) == 1 else ""


def _read_only(proven: Proven, container: Container, needs: Needs, shown: Seen, *, asked: bool) -> tuple[Proven, str]:
    """With a read-only root, where it is not known by reading whether that works; or why that is not tried."""
    if container.read_only_root.effective or (needs.read_only is not None and not needs.missing("read_only")):
        return proven, ""
    writes = shown.writes
    if writes.beside:
        return proven, f"it writes {writes.beside}, beside what the image has there"
    if writes.data and not asked:
        return (
            proven,
            f"it writes {writes.data}, which nothing keeps: whether that must outlive a restart is for a --probe to tell",
        )
    owner = proven.user or shown.user
    mounted = {mount.target.rstrip("/") for mount in container.mounts} | {mount.path for mount in container.tmpfs.effective}
    folders = {path: owner or found for path, found in writes.folders.items() if path not in mounted}
    if _TEMPORARY not in mounted:
        folders.setdefault(_TEMPORARY, owner or "0:0")
    return proven._replace(read_only=True, tmpfs=folders), ""


def _memory(proven: Proven, needs: Needs, shown: Seen, *, unsafe: bool) -> tuple[Proven, str]:
    """With a limit of memory, where none is known by reading; or why that is not tried."""
    if _is_limited(needs, "memory"):
        return proven, ""
    grows = needs.unknown.get("memory", "") if needs.holds else ""
    if grows and not unsafe:
        return proven, f"{grows}: a trial is too short to tell how far; --unsafe-fixes tries it all the same"
    if not shown.memory:
        return proven, ""
    return proven._replace(memory=_stepped(shown.memory, _MIB_STEP, _LEAST_MIB)), ""


def _stepped(seen: int, step: int, least: int) -> int:
    """With headroom, in whole steps."""
    return max(least, -(-_HEADROOM * seen // step) * step)
