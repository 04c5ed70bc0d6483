"""Which files belong together: what runs and what it is built from, and where that lives. Knows neither fix nor forge."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hardener.discover import COMPOSE, DOCKERFILE, KUBERNETES, Found
from hardener.group import ComposeGroup, Group
from hardener.record import NamedTuple

#: What makes a folder of manifests one thing with the folders below it. Helm's documentation, "Charts"; Kustomize's, "The
#: Kustomization File".
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_CHART = "Chart.yaml"


class Part(NamedTuple):
    """Files that belong together, in the order of the run, and the path of the folder that they are about, `.` for the root."""

    scope: str
    found: tuple[Found, ...]

    @property
    def names(self) -> frozenset[str]:
        """The paths of its files."""
        return frozenset(file.name for file in self.found)


def together(sets: Iterable[Iterable[str]]) -> list[frozenset[str]]:
    """Sets without anything in common, each joined from those that had something; in the order in which they begin."""
    leader: dict[str, str] = {}

    def find(one: str) -> str:
        while leader[one] != one:
            leader[one] = one = leader[leader[one]]
        return one

    for some in sets:
        members = [find(leader.setdefault(one, one)) for one in some]
        for member in members[1:]:
            leader[find(member)] = find(members[0])
    joined: dict[str, list[str]] = {}
    for one in leader:
        joined.setdefault(find(one), []).append(one)
    return [frozenset(members) for members in joined.values()]


def connected(found: Sequence[Found], groups: Iterable[Group]) -> list[tuple[Found, ...]]:
    """The files, with those that their fixes are proved together with, and with the Dockerfiles that their images come from.

    What runs an image is judged for the user that its Dockerfile would give it: neither is to be merged without the other.
    """
    files = {file.location: file for file in found}
    sets = [[file.location] for file in found]
    for group in groups:
        built = (one.build.dockerfile for one in _containers(group) if one.build is not None)
        sets.append([location for location in (*group.files, *built) if location in files])
    return _in_order(found, together(sets))


def worlds(found: Sequence[Found], components: Iterable[tuple[Found, ...]]) -> list[tuple[Found, ...]]:
    """The files that have to be judged at once for the same to come out as of all: manifests name one another's objects."""
    sets = [[file.location for file in component] for component in components]
    sets.append([file.location for file in found if file.kind == KUBERNETES])
    return _in_order(found, together(sets))


def projects(found: Sequence[Found], components: Iterable[tuple[Found, ...]], entries: Iterable[str]) -> list[Part]:
    """The files by project. Two that would live in one folder are one. `entries` are the paths of all files there are."""
    homes = _Homes(entries)
    by_scope: dict[str, list[Found]] = {}
    for component in components:
        by_scope.setdefault(homes.of(component), []).extend(component)
    order = {file.location: at for at, file in enumerate(found)}
    return [Part(scope, tuple(sorted(files, key=lambda file: order[file.location]))) for scope, files in by_scope.items()]


def _containers(group: Group) -> Sequence[Any]:
    if isinstance(group, ComposeGroup):
        return group.project.containers
    return getattr(group, "containers", ()) if group.sees == "container" else ()


def _in_order(found: Sequence[Found], sets: Iterable[frozenset[str]]) -> list[tuple[Found, ...]]:
    number = {location: at for at, members in enumerate(sets) for location in members}
    members: dict[int, list[Found]] = {}
    for file in found:
        members.setdefault(number[file.location], []).append(file)
    return [tuple(files) for files in members.values()]


class _Homes:
    """Which folder files are about."""

    def __init__(self, entries: Iterable[str]) -> None:
        paths = [os.path.split(path) for path in entries]
        self._kustomizations = {folder for folder, name in paths if name in _KUSTOMIZATIONS}
        self._charts = {folder for folder, name in paths if name == _CHART}

    def of(self, files: Sequence[Found]) -> str:
        """The folder of the Compose files, else of the manifests, else of the Dockerfiles: the one that holds all of them."""
        for kind in (COMPOSE, KUBERNETES, DOCKERFILE):
            folders = [self._home(file) for file in files if file.kind == kind]
            if folders:
                return os.path.commonpath(folders) or "."
        return "."

    def _home(self, file: Found) -> str:
        folder = os.path.dirname(file.name)
        if file.kind != KUBERNETES:
            return folder
        # A kustomization is nearer to what it lists than the chart around it.
        for marked in (self._kustomizations, self._charts):
            home = next((above for above in _upwards(folder) if above in marked), None)
            if home is not None:
                return home
        return folder


def _upwards(folder: str) -> Iterator[str]:
    """A folder and those around it, up to the root, which is empty."""
    yield folder
    while folder:
        folder = os.path.dirname(folder)
        yield folder
