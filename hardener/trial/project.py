"""Which files a project in a folder consists of, and from which folder on it has to be copied. Knows no engine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hardener.discover import COMPOSE, DOCKERFILE, Found, discover
from hardener.errors import UsageError
from hardener.facts.compose.document import ComposeFile
from hardener.facts.compose.passing import BASE_NAMES, OVERRIDE_NAMES, links
from hardener.facts.container import Container
from hardener.facts.merged import target, text_of
from hardener.facts.tree import repository_root
from hardener.needs.needs import Needs
from hardener.pipeline import Judged, Request, needs
from hardener.record import NamedTuple
from hardener.report import Trouble
from hardener.source import read
from hardener.syntax.yaml import Mapping as MappingNode
from hardener.syntax.yaml import Sequence as SequenceNode
from hardener.trial.compose import Compose

#: The service that a Dockerfile without a Compose file is run as.
ALONE = "app"


class Project(NamedTuple):
    """A Compose project, or a Dockerfile alone, as it lies in the user's folder. Paths are absolute unless said otherwise."""

    folder: str
    #: What Compose is told to read; empty where it finds its files itself.
    compose_files: tuple[str, ...]
    #: What may be changed, by the names that the user knows.
    found: tuple[Found, ...]
    #: What has to be copied: the folder, and what it builds from or mounts beside it in its repository.
    root: str
    services: Mapping[str, tuple[Container, Needs]]
    #: The services that are built from a Dockerfile, by its name.
    builders: Mapping[str, tuple[str, ...]]
    troubles: tuple[Trouble, ...]
    #: The Dockerfile, where there is no Compose file.
    alone: str = ""


def find_project(path: str, files: Sequence[str], compose: Compose, request: Request) -> Project:
    """The project of a folder, of a Compose file, or of a Dockerfile. Raises `UsageError` where there is none, `TrialError`
    where Compose does not read it."""
    folder = os.path.realpath(path if os.path.isdir(path) else os.path.dirname(path) or ".")
    named = tuple(os.path.realpath(os.path.join(folder, file)) for file in files)
    if not named and not os.path.isdir(path):
        if not os.path.isfile(path):
            raise UsageError(f"{path}: no such file or folder")
        given = discover([path])[0]
        if given and given[0].kind == DOCKERFILE:
            return _alone(folder, given[0], request)
        named = (os.path.realpath(path),)
    locations = named or tuple(_default_files(folder))
    if not locations:
        dockerfile = next((name for name in ("Dockerfile", "Containerfile") if os.path.isfile(os.path.join(folder, name))), "")
        if not dockerfile:
            raise UsageError(f"{path}: neither a Compose file nor a Dockerfile: name a folder that has one")
        return _alone(
            folder, Found(os.path.join(folder, dockerfile), _shown(os.path.join(folder, dockerfile)), DOCKERFILE, True), request
        )
    compose_files = [Found(location, _shown(location), COMPOSE, True, within=folder) for location in _linked(locations)]
    judged, troubles = needs(request._replace(files=tuple(compose_files)))
    services = {one.subject.subject: (one.subject, one.needs) for one in judged if one.sees == "container"}
    dockerfiles, builders = _dockerfiles(judged)
    found = tuple(compose_files) + tuple(dockerfiles)
    model = compose.model(folder, named)
    env_files = [path for one in compose_files for path in _env_files(one.location)]
    root = _root(folder, [*_paths(model), *env_files, *(one.location for one in found)])
    return Project(folder, named, found, root, services, builders, tuple(troubles))


def _alone(folder: str, found: Found, request: Request) -> Project:
    _, troubles = needs(request._replace(files=(found,)))
    return Project(folder, (), (found,), folder, {}, {found.name: (ALONE,)}, tuple(troubles), alone=found.location)


def alone_model(dockerfile: str) -> str:
    """A Compose file that runs a Dockerfile and publishes what it exposes."""
    import json

    from hardener.syntax.dockerfile import parse

    ports = [
        port
        for item in parse(read(dockerfile, dockerfile).text).instructions
        if item.keyword == "EXPOSE"
        for port in item.arguments.split()
        if port.partition("/")[0].isdecimal()
    ]
    build = {"context": ".", "dockerfile": os.path.basename(dockerfile)}
    return json.dumps({"services": {ALONE: {"build": build, "ports": sorted(set(ports))}}}, indent=1)


def _default_files(folder: str) -> Iterator[str]:
    """What Compose reads in a folder when it is told nothing (compose-go, cli/options.go)."""
    for names in (BASE_NAMES, OVERRIDE_NAMES):
        found = next((name for name in names if os.path.isfile(os.path.join(folder, name))), "")
        if not found:
            return
        yield os.path.join(folder, found)


def _linked(locations: Sequence[str]) -> list[str]:
    """The files, and those that they include or extend from."""
    found: list[str] = []
    waiting = list(locations)
    while waiting:
        location = waiting.pop(0)
        if location in found or not os.path.isfile(location):
            continue
        found.append(location)
        waiting += sorted(links(ComposeFile(read(location, _shown(location))), location))
    return found


def _dockerfiles(judged: Sequence[Judged]) -> tuple[list[Found], dict[str, tuple[str, ...]]]:
    found: dict[str, Found] = {}
    builders: dict[str, tuple[str, ...]] = {}
    for one in judged:
        build = one.subject.build if one.sees == "container" else None
        if build is not None and build.dockerfile and os.path.isfile(build.dockerfile):
            name = _shown(build.dockerfile)
            found.setdefault(build.dockerfile, Found(build.dockerfile, name, DOCKERFILE, True))
            builders[name] = (*builders.get(name, ()), one.subject.subject)
    return list(found.values()), {name: tuple(dict.fromkeys(services)) for name, services in builders.items()}


def _shown(location: str) -> str:
    """A path as the user would name it from here."""
    name = os.path.relpath(location)
    return (location if name.startswith(os.path.join("..", "..")) else name).replace(os.sep, "/")


def _paths(model: Mapping[str, Any]) -> Iterator[str]:
    """The folders and files that a resolved model builds from and mounts."""
    for one in (model.get("services") or {}).values():
        build = one.get("build") or {}
        yield from (str(path) for path in (build.get("context"), *(build.get("additional_contexts") or {}).values()) if path)
        yield from (str(mount.get("source")) for mount in one.get("volumes") or () if mount.get("type") == "bind")
    for kind in ("configs", "secrets"):
        yield from (str(item["file"]) for item in (model.get(kind) or {}).values() if (item or {}).get("file"))


def _env_files(location: str) -> Iterator[str]:
    """The files of `env_file`, which a resolved model no longer names."""
    for service in ComposeFile(read(location, _shown(location))).services:
        node = service.mapping.get("env_file") if service.mapping is not None else None
        node = target(node) if node is not None else None
        for item in node.items if isinstance(node, SequenceNode) else () if node is None else (node,):
            item = target(item)
            path = text_of(item.get("path") if isinstance(item, MappingNode) else item)
            if path and "$" not in path:
                yield os.path.normpath(os.path.join(os.path.dirname(location), path))


def _root(folder: str, paths: Sequence[str]) -> str:
    """The folder that holds all of a project: as far up as it needs, and never above its repository."""
    repository = os.path.realpath(repository_root(folder))
    inside = [
        os.path.realpath(path)
        for path in paths
        if os.path.isabs(path) and os.path.join(os.path.realpath(path), "").startswith(os.path.join(repository, ""))
    ]
    return os.path.commonpath([folder, *(path if os.path.isdir(path) else os.path.dirname(path) for path in inside)])
