"""Which places the instructions of a Dockerfile and its base say that a program writes. Knows neither the program nor a rule."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from hardener.facts.dockerfile import DockerStage, Run
from hardener.finding import Evidence, Strength
from hardener.needs.bases import Base
from hardener.record import NamedTuple

# Patterns as text: most files need none of them, and `re` keeps those that were compiled.
_DATA = (
    r"(?:data|database|db|uploads?|logs?|cache|tmp|temp|storage|media|state|backups?|sessions?|spool|output|results|downloads?)"
)
_DATA_PLACES = ("/var/lib/", "/var/log/", "/var/run/", "/run/", "/var/spool/", "/var/cache/", "/data/")
_NO_DATA = (
    r"/(?:tmp|etc|proc|sys|dev|boot|bin|sbin|lib|lib64|root|build)(?:/|$)|/usr/(?:share|lib|include|bin|sbin|local)(?:/|$)"
    r"|/var/lib/(?:apt|dpkg|rpm)(?:/|$)|/var/cache/(?:apt|apk|yum|dnf|debconf)(?:/|$)|/var/run/sshd$"
)
#: Places of the host or of the system, which no program owns.
_SYSTEMS = r"/(?:proc|sys|dev|boot|bin|sbin|lib|lib64|usr/lib|usr/bin)(?:/|$)|.*\.sock$"
_RAILS = frozenset(("rails", "puma", "unicorn", "unicorn_rails", "passenger"))


class Written(NamedTuple):
    """A place that the program writes, and why that is believed."""

    path: str
    evidence: Evidence
    #: Whether the Dockerfile creates it already.
    exists: bool = False


def written_in(stage: DockerStage, base: Base | None) -> tuple[Written, ...]:
    """The places that the program of a stage writes, as its instructions and its base tell; the program itself is not read."""
    found: dict[str, Evidence] = {}
    existing: set[str] = set()
    for path, item in stage.volumes:
        if not re.match(_SYSTEMS, path):
            _add(found, path, Evidence(f"{path} is a VOLUME", stage.at(item), Strength.READ))
    removed = {path for run in stage.commands if run.name == "rm" for path in _paths(stage, run)}
    for run in stage.commands:
        if run.name == "mkdir" or (run.name == "install" and "-d" in run.arguments):
            for path in _paths(stage, run):
                data = re.fullmatch(_DATA, posixpath.basename(path)) or path.startswith(_DATA_PLACES)
                gone = any((path + "/").startswith(other.rstrip("*")) for other in removed)
                existing.update({path} - removed)
                if data and not gone and not re.match(_NO_DATA, path):
                    _add(found, path, Evidence(f"{path} is created for data", stage.at(run.item), Strength.DOCUMENTED))
    rails = any(start.name in _RAILS or _RAILS.intersection(start.words[:4]) for start in stage.starts)
    if rails and stage.workdir not in (None, "/"):
        item = stage.last("CMD") or stage.last("ENTRYPOINT") or stage.from_item
        for folder in ("log", "tmp"):
            _add(found, f"{stage.workdir}/{folder}", Evidence(f"Rails writes {folder}", stage.at(item), Strength.DOCUMENTED))
    if base is not None:
        for path in base.writes:
            found.setdefault(path, Evidence(f"{base.serves} writes {path}", base.evidence.source, Strength.READ))
    for code in code_of(stage):
        found.pop(code, None)
    inner = {path for path in found for other in found if path.startswith(other + "/")}
    return tuple(Written(path, evidence, path in existing) for path, evidence in found.items() if path not in inner)


def code_of(stage: DockerStage) -> set[str]:
    """The folders that hold the program's own files: these stay root's, even where they are a VOLUME."""
    folders = {stage.workdir or "/"}
    for _, item in stage.items:
        if item.keyword in ("COPY", "ADD") and item.values[0].rstrip("/") in (".", "./", ""):
            folders.add(posixpath.normpath(posixpath.join(stage.workdir_before(item) or "/", item.values[-1])))
    written = {posixpath.normpath(path) for path, _ in stage.volumes}
    # A VOLUME that is the working directory of a program from elsewhere is where it puts its results.
    copied = any(item.keyword in ("COPY", "ADD") for _, item in stage.items)
    return folders if copied else folders - written


def _add(found: dict[str, Evidence], path: str, evidence: Evidence) -> None:
    path = posixpath.normpath(path)
    if path.startswith("/") and path.count("/") and path != "/" and not re.search(r"[\s'\"$?*;&|<>()\\{},]", path):
        found.setdefault(path, evidence)


def _paths(stage: DockerStage, run: Run) -> Iterator[str]:
    """The paths among a command's arguments, absolute; those that depend on a `cd` or a variable are left out."""
    moved = False
    for other in stage.commands:
        if other is run:
            break
        moved = other.item is run.item and (moved or other.name in ("cd", "pushd"))
    skip = False
    for word in run.arguments:
        if word is None or skip:
            skip = False
        elif word.startswith("-"):
            skip = word in ("-m", "-o", "-g", "--mode", "--owner", "--group")
        elif word.startswith("/"):
            yield posixpath.normpath(word)
        elif not moved:
            folder = stage.workdir_before(run.item)
            if folder is not None:
                yield posixpath.normpath(posixpath.join(folder, word))
