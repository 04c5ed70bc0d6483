"""From a complaint to what may mend it: the relaxations that its words name, smallest first. Knows no engine and no search.

How programs word it is data (`symptoms.toml`, read by `wordings`); here is what makes sense for how a service stands. Nothing
is offered that the original did not have, and nothing that is undone already.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from hardener.trial.remedy import Complaint, Kind, Remedy, Standing
from hardener.trial.seen import folders_of, path_in, why_of
from hardener.trial.wordings import Wording, errors_in, within, wordings_of

#: What an engine gives to every container; more is never added.
DEFAULT_CAPABILITIES = frozenset(
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID "
    "SYS_CHROOT".split()
)
_CAPABILITIES, _ROOT_USER, _READ_ONLY, _MEMORY = (
    "excess-capabilities",
    "root-user",
    "writable-root-filesystem",
    "unlimited-memory",
)
#: What a kind of complaint tells by itself, whatever its text says.
_OF_KIND = {
    Kind.MEMORY: Wording("memory", memory=True, without=(_MEMORY,)),
    Kind.STAYS_ROOT: Wording(
        "stays root's",
        capabilities=("SETGID SETUID", "CHOWN DAC_OVERRIDE SETGID SETUID"),
        without=(_CAPABILITIES, "privilege-escalation"),
    ),
    Kind.STOP: Wording("does not stop", capabilities=("KILL",), without=(_CAPABILITIES,)),
}
#: A health check that the original does not have is none that may fail.
_HEALTH_CHECK = "missing-healthcheck"
_NAMED = re.compile(r"\bCAP_([A-Z_]+)\b", re.IGNORECASE)


def remedies(complaint: Complaint, standing: Standing) -> tuple[Remedy, ...]:
    """What may mend a service that stands so, smallest first; the last ones take fixes back. Empty where nothing is told."""
    wording = _OF_KIND.get(complaint.kind)
    found = () if wording is None else _offered(complaint, standing, wording)
    if not found:
        for wording in wordings_of(complaint.text):
            found = _offered(complaint, standing, wording)
            if found:
                break
    if complaint.kind is Kind.HEALTH and _HEALTH_CHECK in standing.fixes:
        found += (Remedy(complaint.service, "without", _HEALTH_CHECK, why_of(complaint.text)),)
    return found


def _offered(complaint: Complaint, standing: Standing, wording: Wording) -> tuple[Remedy, ...]:
    line = within(complaint.text)
    errors = errors_in(line)
    path = path_in(line, errors.values()) if wording.files else ""
    # Whom a read-only root refuses something is told so; root that is denied something lacks a capability.
    denied = "EACCES" in errors and not standing.user
    steps = list(_files(wording.files, path, standing, denied)) if wording.files else []
    if wording.files == "absent" and not steps:
        return ()
    if wording.memory and standing.memory is not None and _MEMORY in standing.fixes:
        steps.append(("memory", "2"))
    steps += [("capability", names) for names in _capabilities(wording, line, standing)]
    in_tmpfs = bool(steps and steps[0][0] in ("tmpfs", "exec")) or _tmpfs_of(path, standing) != ""
    steps += [("without", rule) for rule in _without(wording, standing, in_tmpfs or "EACCES" not in errors)]
    why = why_of(complaint.text, wording.name, errors.values())
    return tuple(Remedy(complaint.service, kind, value, why) for kind, value in dict.fromkeys(steps))


# Files.


def _files(kind: str, path: str, standing: Standing, denied: bool) -> Iterator[tuple[str, str]]:
    """The steps of a tmpfs: only a read-only root needs one."""
    over = _tmpfs_of(path, standing)
    if kind == "exec":
        if over and "exec" not in standing.tmpfs[over].split(","):
            yield "exec", over
        return
    if not standing.read_only:
        return
    for folder in folders_of("/tmp/" if kind == "/tmp" and not path.startswith("/tmp/") else path, standing.written):
        if any(_plain(folder) == _plain(one) for one in (*standing.tmpfs, *standing.mounts)):
            continue
        # What lies on a volume is not the root's, so that no tmpfs helps there; one within a tmpfs has its own owner.
        if _holder(folder, standing.mounts):
            continue
        if _seen(folder, standing, kind) if _tmpfs_of(folder, standing) else not denied or kind == "/tmp":
            yield "tmpfs", folder


def _seen(folder: str, standing: Standing, kind: str) -> bool:
    return kind == "absent" or any(_plain(folder) == _plain(one) for one in standing.written)


def _tmpfs_of(path: str, standing: Standing) -> str:
    """The tmpfs that a path lies in, unless a volume lies between; empty for none."""
    holder = _holder(path, (*standing.tmpfs, *standing.mounts)) if path else ""
    return holder if holder in standing.tmpfs else ""


def _holder(path: str, folders: Iterable[str]) -> str:
    """The innermost of some folders that a path lies in; empty for none."""
    within_it = [folder for folder in folders if _plain(path).startswith(_plain(folder))]
    return max(within_it, key=len, default="")


def _plain(path: str) -> str:
    """A path as it is compared: `/var/run` is a link to `/run` wherever programs look for it."""
    path = path.rstrip("/") + "/"
    return path[4:] if path.startswith("/var/run/") else path


# Capabilities, and what is taken back.


def _reached(wording: Wording, standing: Standing) -> bool:
    """Whether capabilities matter: for root, and for others only through files that have their own."""
    if standing.capabilities is None:
        return False
    if not standing.user or wording.bounding:
        return True
    # Whom a fix made unprivileged used them as root: it is that fix which is in the way.
    return wording.files_of_programs and _ROOT_USER not in standing.fixes


def _capabilities(wording: Wording, line: str, standing: Standing) -> Iterator[str]:
    """The sets of names to add, one after the other."""
    if not _reached(wording, standing):
        return
    kept = standing.capabilities or frozenset()
    named = " ".join(match[1].upper() for match in _NAMED.finditer(line))
    for ladder in wording.capabilities:
        names = (set((named if ladder == "*" else ladder).split()) & DEFAULT_CAPABILITIES) - kept
        if names:
            yield " ".join(sorted(names))


def _without(wording: Wording, standing: Standing, root_matters: bool) -> Iterator[str]:
    for rule in wording.without:
        if rule not in standing.fixes:
            continue
        if rule == _ROOT_USER and not standing.user:
            continue
        if rule == _CAPABILITIES and not _reached(wording, standing):
            continue
        if rule == _READ_ONLY and not (standing.read_only and root_matters):
            continue
        yield rule
