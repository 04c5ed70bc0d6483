"""What a trial asks of each service: the values that are tried, and the fixes that are left out. Knows no engine."""

from __future__ import annotations

from collections.abc import Mapping

from hardener.needs.proven import Proven
from hardener.record import NamedTuple
from hardener.trial.remedy import Remedy, Standing

#: A fix of a rule for a service: the smallest thing that is made or left out.
Control = tuple[str, str]

CAPABILITIES = "excess-capabilities"
ROOT_USER = "root-user"
WRITABLE_ROOT = "writable-root-filesystem"
ESCALATION = "privilege-escalation"
MEMORY, CPU, PIDS = "unlimited-memory", "unlimited-cpu", "unlimited-pids"
#: What a container should have, and a trial can tell; the other hazards are for `harden` to report.
LOCKDOWN = frozenset((CAPABILITIES, ROOT_USER, WRITABLE_ROOT, ESCALATION, MEMORY, CPU, PIDS))
#: MiB for a service whose limit nobody knows.
_SOME_MEMORY = 256


class Candidate(NamedTuple):
    """A set of hardening: by service the values that are tried, and the controls that are left out, with the reason."""

    proven: Mapping[str, Proven] = {}
    without: Mapping[Control, str] = {}

    def of(self, service: str) -> Proven:
        """The values for a service."""
        return self.proven.get(service, Proven())

    def giving(self, service: str, proven: Proven) -> Candidate:
        """The same with other values for a service."""
        return self._replace(proven={**self.proven, service: proven})

    def leaving_out(self, controls: Mapping[Control, str]) -> Candidate:
        """The same without some controls."""
        return self._replace(without={**self.without, **controls})


def relaxed(candidate: Candidate, remedy: Remedy, standing: Standing) -> Candidate:
    """The candidate with one step back for one service, which stands as it does in a trial of that candidate."""
    service, proven = remedy.service, candidate.of(remedy.service)
    if remedy.kind == "capability":
        kept = dict(proven.capabilities or dict.fromkeys(sorted(standing.capabilities or ()), ""))
        for name in remedy.value.split():
            kept.setdefault(name, remedy.why)
        return candidate.giving(service, proven._replace(capabilities=kept))
    if remedy.kind in ("tmpfs", "exec"):
        owner = standing.user or standing.written.get(remedy.value) or "0:0"
        tmpfs = {**standing.tmpfs, **proven.tmpfs}
        owner = tmpfs.get(remedy.value, owner).partition(",")[0] if remedy.kind == "exec" else owner
        tmpfs[remedy.value] = f"{owner},exec" if remedy.kind == "exec" else owner
        return candidate.giving(service, proven._replace(read_only=True, tmpfs=tmpfs))
    if remedy.kind == "memory":
        now = proven.memory or standing.memory or _SOME_MEMORY
        return candidate.giving(service, proven._replace(memory=int(now * float(remedy.value))))
    without = candidate.leaving_out({(service, remedy.value): remedy.why})
    return without if remedy.value != ROOT_USER else without.giving(service, _as_root(proven, standing))


def standing_after(standing: Standing, remedy: Remedy) -> Standing:
    """How a service stands once a step back is made for it, as far as that can be told without a trial."""
    if remedy.kind == "capability":
        return standing._replace(capabilities=(standing.capabilities or frozenset()) | set(remedy.value.split()))
    if remedy.kind in ("tmpfs", "exec"):
        made = relaxed(Candidate(), remedy, standing).of(remedy.service)
        return standing._replace(read_only=True, tmpfs=made.tmpfs)
    if remedy.kind == "memory":
        return standing._replace(memory=relaxed(Candidate(), remedy, standing).of(remedy.service).memory)
    standing = standing._replace(fixes=standing.fixes - {remedy.value})
    if remedy.value == ROOT_USER:
        return standing._replace(user="")
    if remedy.value == CAPABILITIES:
        return standing._replace(capabilities=None)
    if remedy.value == WRITABLE_ROOT:
        return standing._replace(read_only=False)
    return standing._replace(memory=None) if remedy.value == MEMORY else standing


def _as_root(proven: Proven, standing: Standing) -> Proven:
    """The values without a user of its own: what was tried for that user says nothing of root."""

    def owned(path: str, owner: str) -> str:
        return standing.written.get(path, "0:0") + owner[len(owner.partition(",")[0]) :]

    return proven._replace(user="", tmpfs={path: owned(path, owner) for path, owner in proven.tmpfs.items()})
