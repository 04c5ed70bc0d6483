"""The overlays of a run's Compose files, in the place of its edits. Knows which files make a project; no rule.

The fixes are planned and proved as if they were made in the files. What that changes in each project is said by an overlay,
which is read again over the untouched files and must say the same; where it cannot, none of it counts.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from hardener.errors import CannotWrite, Unreadable
from hardener.facts.compose.document import ComposeFile
from hardener.facts.compose.passing import BASE_NAMES, OVERRIDE_NAMES, includes
from hardener.facts.compose.project import ComposeProject
from hardener.facts.compose.service import Service
from hardener.facts.own_overlay import FIRST_LINE, overlay_name
from hardener.overlay.compose import Delta, difference, same
from hardener.overlay.text import in_place, rendered
from hardener.record import NamedTuple
from hardener.report import FileChange, Trouble
from hardener.source import Source

if TYPE_CHECKING:
    from hardener.facts.tree import Tree

#: The first version of Compose that knows `!reset` and `!override` as they are used here (docs.docker.com, merge).
_SINCE = "2.24.4"
_MAX_INCLUDES = 16


class Overlays(NamedTuple):
    """What became of a run's changes."""

    changes: tuple[FileChange, ...]
    troubles: tuple[Trouble, ...]
    #: The files of which a change could not be said, by the path that people know, with the reason.
    refused: Mapping[str, str]
    #: The files all of whose changes stand in overlays already.
    settled: frozenset[str]


def overlays(sources: Mapping[str, Source], changed: Mapping[str, Source], tree: Tree) -> Overlays:
    """The overlays for Compose files by location, and what they become; files that cannot be read are left out."""
    before = _project(sources, tree)
    after = _project({location: changed.get(location, source) for location, source in sources.items()}, tree)
    changes: list[FileChange] = []
    troubles: list[Trouble] = []
    refused: dict[str, str] = {}
    open_files: set[str] = set()
    covered: set[str] = set()
    for model in before.stacks():
        touched = _touched(before, model, changed)
        covered |= {name for name in changed if sources[name].path in touched}
        first = before.file(model[0])
        assert first is not None
        location, name = _place(model, first.source.path)
        try:
            change = _overlay(before, after, model, location, name)
        except CannotWrite as error:
            reason = f"an overlay cannot say it: {error.reason}"
            troubles.append(Trouble(name, 0, reason, "run harden without --overlay on this project"))
            refused |= dict.fromkeys(touched, reason)
            continue
        if change is not None:
            changes.append(change._replace(stands_for=tuple(sorted(touched))))
            open_files |= touched
    for location in changed.keys() - covered:
        reason = "no file that is passed to Compose for itself builds on it"
        refused[sources[location].path] = reason
        troubles.append(Trouble(sources[location].path, 0, reason, "name the Compose file that does, or run without --overlay"))
    settled = {sources[location].path for location in changed} - open_files - set(refused)
    return Overlays(tuple(changes), tuple(troubles), refused, frozenset(settled))


def _project(sources: Mapping[str, Source], tree: Tree) -> ComposeProject:
    files: dict[str, ComposeFile] = {}
    for location, source in sources.items():
        try:
            files[location] = ComposeFile(source)
        except Unreadable:
            continue  # the run has said so
    return ComposeProject(files, tree)


def _place(model: tuple[str, ...], first: str) -> tuple[str, str]:
    """Where the overlay of a file list lies, and what people know it as."""
    top = os.path.basename(model[-1])
    name = overlay_name(top, BASE_NAMES + OVERRIDE_NAMES)
    folder = first.rpartition("/")[0]
    return os.path.join(os.path.dirname(model[-1]), name), f"{folder}/{name}" if folder else name


def _overlay(
    before: ComposeProject, after: ComposeProject, model: tuple[str, ...], location: str, name: str
) -> FileChange | None:
    """The overlay of a file list as a change of its file; None where it says already what it should.

    Raises `CannotWrite` where it cannot be made, or where a file of somebody else stands in its place.
    """
    was, now = _services(before, model), _services(after, model)
    deltas: dict[str, Delta] = {}
    for service_name, service in was.items():
        if service_name not in now:
            raise CannotWrite(f"`{service_name}` is gone")
        delta = difference(service, now[service_name])
        if delta:
            deltas[service_name] = delta
    if not deltas and not _is_ours(location, name):
        return None
    old = in_place(location, name)
    new = Source(name, _text(model, location, deltas))
    _prove(before, now, model, location, new, deltas)
    if old is not None and old.text == new.text:
        return None
    return FileChange(old or Source(name, ""), new, location, is_new=old is None)


def _is_ours(location: str, name: str) -> bool:
    try:
        return in_place(location, name) is not None
    except CannotWrite:
        return False


def _text(model: tuple[str, ...], location: str, deltas: Mapping[str, Delta]) -> str:
    folder = os.path.dirname(location)
    names = [os.path.relpath(path, folder).replace(os.sep, "/") for path in (*model, location)]
    lines = list(rendered({"services": dict(deltas)})) if deltas else ["services: {}"]
    tagged = any(": !reset null" in line or ": !override" in line for line in lines)
    header = [
        f"{FIRST_LINE}: what the services of {' and '.join(names[:-1])} need, and no more.",
        "# Pass it last:",
        f"#   docker compose {' '.join(f'-f {shlex.quote(name)}' for name in names)} up",
    ]
    if tagged:
        header.append(f"# !reset and !override need Docker Compose {_SINCE} or newer.")
    header.append("# The next run of `harden --write --overlay` writes it anew: what is yours belongs into another file.")
    return "\n".join((*header, *lines, ""))


def _services(project: ComposeProject, model: tuple[str, ...]) -> dict[str, Service]:
    """The services of a file list, and those of what it includes, by name."""
    found = {service.name: service for service in project.stacked(model)}
    for paths in _included(project, model):
        for service in project.stacked(paths):
            # A name that both have is refused by Compose, or the outer file's to change: left to what the outer one says.
            found.setdefault(service.name, service)
    return found


def _included(project: ComposeProject, model: tuple[str, ...], depth: int = 0) -> Iterable[tuple[str, ...]]:
    for location in model if depth < _MAX_INCLUDES else ():
        file = project.file(location)
        for paths in includes(file, location) if file is not None else ():
            yield paths
            yield from _included(project, paths, depth + 1)


def _touched(project: ComposeProject, model: tuple[str, ...], changed: Mapping[str, Source]) -> set[str]:
    """The changed files that the services of a file list are made of, by the path that people know."""
    paths = {source.path for source in changed.values()}
    return {layer.file.source.path for service in _services(project, model).values() for layer in service.layers} & paths


def _prove(
    before: ComposeProject,
    wanted: Mapping[str, Service],
    model: tuple[str, ...],
    location: str,
    overlay: Source,
    deltas: Mapping[str, Delta],
) -> None:
    """Read the overlay over the untouched files: each service must be what it would be with the fixes made in the files.

    Raises `CannotWrite` where one is not.
    """
    outer = {service.name for service in before.stacked(model)}
    for name in deltas.keys() - outer:
        if any("$" in line for line in rendered(deltas[name])):
            raise CannotWrite(f"`{name}` is included, and its variables may mean something else out here")
    project = before.with_files({**before.files, location: ComposeFile(overlay)})
    found = {service.name: service for service in project.stacked((*model, location))}
    for paths in _included(before, model):
        for service in project.stacked((*paths, location)):
            if service.name not in outer:
                found[service.name] = service
    for name, service in wanted.items():
        if not same(found[name], service):
            raise CannotWrite(f"`{name}` would not become what it should")
