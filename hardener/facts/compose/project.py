"""Compose files that belong together, read into containers. Knows no rule and decides nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property

from hardener.errors import Unreadable
from hardener.facts.compose.container import read_container
from hardener.facts.compose.document import ComposeFile, ServiceNode
from hardener.facts.compose.interpolation import parse_env_file
from hardener.facts.compose.limits import Dialect, dialect_of, dialect_written_in
from hardener.facts.compose.passing import BASE_NAMES, OVERRIDE_NAMES, has_no_image, includes, laid_over, links
from hardener.facts.compose.service import Layer, Service
from hardener.facts.container import Container
from hardener.facts.instructions import stack_in
from hardener.facts.merged import lookup, sources, text_of, truth
from hardener.facts.own_overlay import OVERLAY, is_own_overlay, overlay_name
from hardener.facts.tree import Tree
from hardener.finding import Reach
from hardener.record import NamedTuple
from hardener.report import Trouble
from hardener.syntax.yaml import Mapping as MappingNode

_MAX_EXTENDS = 32

#: Keys that a later layer replaces, so that what is written below does not matter.
_REPLACED = frozenset(("read_only", "mem_limit", "cpus", "pids_limit", "user", "privileged"))


#: Lists of which the engine takes no item twice: a path that is mounted already cannot be mounted again.
_EXACT = frozenset(("tmpfs",))


class _Reader(NamedTuple):
    """A service that reads a mapping through one of its layers; `joins` as in `Reach`."""

    key: str
    service: Service
    layer: Layer
    joins: bool

    def overrides(self, key: str) -> bool:
        """Whether a higher layer of the service takes the place of what is written below it under a key."""
        above = self.service.layers[self.service.layers.index(self.layer) + 1 :]
        found = [held for layer in above if (held := layer.find(key)) is not None]
        return any(key in _REPLACED or held.node.tag in ("!override", "!reset") for held in found)


class ComposeProject:
    """Files that belong together, by location, with the containers that they ask for.

    `files` may be edited; `context` gives others that are only read. `notes` say what was not judged, and why.
    """

    def __init__(self, files: Mapping[str, ComposeFile], context: Tree) -> None:
        self.files = dict(files)
        self.notes: list[Trouble] = []
        #: The files, by the paths that people know, with a service that builds on what cannot be read.
        self.incomplete: set[str] = set()
        self._context = context
        self._read: dict[str, ComposeFile | None] = {}
        self._readers: dict[int, list[_Reader]] = {}
        self._variables: dict[str, dict[str, str]] = {}
        self._namesakes: dict[tuple[str, str], list[tuple[str, Service]]] = {}
        self._around: dict[str, tuple[str, ...]] = {}
        self.containers: tuple[Container, ...] = tuple(self._load())

    def _load(self) -> list[Container]:
        services: list[tuple[str, tuple[str, ...], Service]] = []
        for folder, names in self._folders().items():
            for model in self._models(folder, names):
                services += self._services(model)
        for key, model, service in services:
            for layer in service.layers:
                if layer.service.mapping is not None:
                    joins = layer.inherited or len(service.layers) > 1
                    for mapping, _ in sources(layer.service.mapping):
                        self._readers.setdefault(id(mapping), []).append(_Reader(key, service, layer, joins))
            self._namesakes.setdefault((os.path.dirname(model[-1]), service.name), []).append((model[-1], service))
        self._dialects = self._shared_dialects({key: service for key, _, service in services})
        containers = [self._container(key, model, service) for key, model, service in services]
        _mark_shared_volumes(containers)
        return containers

    def _shared_dialects(self, services: Mapping[str, Service]) -> dict[str, Dialect]:
        """For each service, the dialects of all that share text with it through `extends`, merges or files."""
        leader = {key: key for key in services}

        def find(key: str) -> str:
            while leader[key] != key:
                leader[key] = key = leader[leader[key]]
            return key

        for readers in self._readers.values():
            for reader in readers[1:]:
                leader[find(reader.key)] = find(readers[0].key)
        together: dict[str, Dialect] = {}
        for key, service in services.items():
            together[find(key)] = together.get(find(key), Dialect()) | dialect_of(service)
        return {key: together[find(key)] for key in services}

    def _folders(self) -> dict[str, list[str]]:
        folders: dict[str, list[str]] = {}
        for location in self.files:
            folders.setdefault(os.path.dirname(location), []).append(os.path.basename(location))
        return folders

    def _models(self, folder: str, names: list[str]) -> list[tuple[str, ...]]:
        """The file lists that `docker compose` would be called with, each by location, lowest first."""

        def at(name: str) -> str:
            return os.path.join(folder, name)

        own = {name for name in names if is_own_overlay(self.files[at(name)].source.text)}
        if own and len(own) < len(names):
            below = self._models(folder, [name for name in names if name not in own])
            return _with_own_overlays(below, own)
        base = next(
            (name for name in BASE_NAMES if name in names or (set(names) - set(BASE_NAMES) and self.file(at(name)))), None
        )
        override = next((name for name in OVERRIDE_NAMES if name in names or (base in names and self.file(at(name)))), None)
        models: list[tuple[str, ...]] = [(at(base),)] if base in names else []
        if base and override and (base in names or override in names):
            models.append((at(base), at(override)))  # what the base alone asks for counts too: production often runs it so
        for name in names:
            if name in (base, override):
                continue
            file = self.files[at(name)]
            above = "" if base else self._base_above(at(name))
            if above:
                models.append((above, at(name)))
            elif not base or not self._is_overlay(file, at(base)):
                models.append((at(name),))
            # A file that could stand alone may be passed after the base all the same, if they share a service.
            if base and self._shares_service(file, at(base)):
                models.append((at(base), at(name)))
        return models

    def stacks(self) -> list[tuple[str, ...]]:
        """The file lists that overlays are made for, lowest first: a folder's own project, and each other file that is passed.

        A file that others extend or include counts with these, and not for itself, unless its folder starts with it.
        """
        used = {link for location, file in self.files.items() for link in links(file, location) if link != location}
        found: dict[str, tuple[str, ...]] = {}
        for folder, names in self._folders().items():
            for model in self._models(folder, names):
                if os.path.dirname(model[0]) != folder:
                    continue  # an overlay lies in one folder with all that it is for
                top = model[-1]
                if os.path.basename(top) in OVERRIDE_NAMES and len(model) > 1:
                    top = model[0]
                if top not in used or os.path.basename(top) in BASE_NAMES:
                    # Of several ways to pass a file, that on its own is listed first; base and override go together.
                    found[top] = model if top == model[0] else found.get(top, model)
        included = {path for location, file in self.files.items() for paths in includes(file, location) for path in paths}
        return [model for top, model in found.items() if top not in included]

    def _is_overlay(self, file: ComposeFile, base: str) -> bool:
        """Whether a file only makes sense on top of another: a service of it says nothing of where its image comes from."""
        below = self.file(base)
        known = {service.name for service in below.services} if below else set()
        return any(has_no_image(service) and service.name in known for service in file.services)

    @cached_property
    def _folders_of_swarms(self) -> frozenset[str]:
        """The folders with a file that has a service of a swarm."""
        alone = (
            (path, Service(node.name, (Layer(file, node),), {})) for path, file in self.files.items() for node in file.services
        )
        return frozenset(os.path.dirname(path) for path, service in alone if service.in_swarm)

    def _base_above(self, location: str) -> str:
        """The base file of a folder further up that a file only makes sense on top of; empty for none."""
        nearest = next(iter(laid_over(location, self.files)), "")
        if not nearest or is_own_overlay(self.files[location].source.text):
            return ""
        return nearest if self._is_overlay(self.files[location], nearest) else ""

    def _shares_service(self, file: ComposeFile, base: str) -> bool:
        below = self.file(base)
        return below is not None and bool({node.name for node in file.services} & {node.name for node in below.services})

    def with_files(self, files: Mapping[str, ComposeFile]) -> ComposeProject:
        """The same project with these files to edit."""
        return ComposeProject(files, self._context)

    def stacked(self, model: tuple[str, ...], touched_by: str = "") -> list[Service]:
        """The services of files that are laid over each other, lowest first; where asked, only those that one file defines."""
        definitions: dict[str, list[tuple[str, ComposeFile, ServiceNode]]] = {}
        for location in model:
            file = self.file(location)
            if file is not None:
                for node in file.services:
                    definitions.setdefault(node.name, []).append((location, file, node))
        variables = self._env(os.path.dirname(model[0]))
        services, others = [], []
        for name, found in definitions.items():
            if touched_by and all(location != touched_by for location, _, _ in found):
                others.append(Service(name, tuple(Layer(file, node) for _, file, node in found), variables))
                continue
            layers: list[Layer] = []
            trouble = ""
            for location, file, node in found:
                below, problem = self._extended(location, file, node, 0)
                layers += below
                trouble = trouble or problem
                layers.append(Layer(file, node, editable=location in self.files))
            services.append(Service(name, tuple(layers), variables, trouble))
        # Files that Compose does not find by itself are passed by name, those of a folder to the same program.
        beside = any(service.in_swarm for service in (*services, *others))
        passed = [os.path.dirname(file) for file in model if os.path.basename(file) not in BASE_NAMES + OVERRIDE_NAMES]
        beside = beside or not self._folders_of_swarms.isdisjoint(passed)
        said = "what stands beside it" if beside else next(filter(None, (stack_in(file, self._context) for file in model)), "")
        for service in services:
            service.swarm_said = said
        return services

    def _services(self, model: tuple[str, ...]) -> list[tuple[str, tuple[str, ...], Service]]:
        top = model[-1]
        file = self.file(top)
        # A file that is laid over the base for a purpose is judged for what it touches; the rest is judged with the base.
        # With an overlay of ours, nothing is judged without it.
        touched_by = "" if file is not None and is_own_overlay(file.source.text) else top
        services = []
        for service in self.stacked(model, touched_by):
            if not any(layer.editable and not layer.inherited for layer in service.layers):
                continue
            highest = service.layers[-1].file
            if service.incomplete:
                self.incomplete.update(layer.file.source.path for layer in service.layers)
            if _is_windows(service):
                line = highest.place(service.layers[-1].service.key).line
                reason = f"the service `{service.name}` runs on Windows"
                self.notes.append(Trouble(highest.source.path, line, reason, "these hazards are Linux's"))
                continue
            if service.scalar("image") is None and service.scalar("build") is None and not service.incomplete:
                if service.scalar("provider") is None:
                    self._note_fragment(service, highest)
                continue
            services.append((f"{'+'.join(map(self._name, model))}#{service.name}", model, service))
        return services

    def _note_fragment(self, service: Service, file: ComposeFile) -> None:
        line = file.place(service.layers[-1].service.key).line
        reason = f"the service `{service.name}` has neither image nor build, and no base file beside it says more"
        self.notes.append(Trouble(file.source.path, line, reason, "name its base file's folder"))

    def _extended(self, location: str, file: ComposeFile, node: ServiceNode, depth: int) -> tuple[list[Layer], str]:
        """The layers that a definition extends, lowest first, and what could not be read."""
        found = lookup(node.mapping, None, "extends") if node.mapping is not None else None
        if found is None:
            return [], ""
        value = found.node
        other, name = "", text_of(value)
        if isinstance(value, MappingNode):
            name, other = text_of(value.get("service")), text_of(value.get("file")) or ""
        if depth > _MAX_EXTENDS:
            return [], "`extends` goes in a circle"
        base_location = os.path.normpath(os.path.join(os.path.dirname(location), other)) if other else location
        base_file = self.file(base_location) if other else file
        if base_file is None:
            return [], f"it extends a service of {other}, which cannot be read here"
        base = next((service for service in base_file.services if service.name == name), None)
        if base is None or (base.mapping is node.mapping):
            return [], f"it extends `{name}`, which is not there"
        below, problem = self._extended(base_location, base_file, base, depth + 1)
        if found.via:
            # It then gets the same text twice, joined from the one and merged from the other.
            problem = problem or f"its `extends` comes through the anchor `&{found.via}`"
        return [*below, Layer(base_file, base, inherited=True, editable=base_location in self.files)], problem

    @property
    def read(self) -> tuple[ComposeFile, ...]:
        """All files that say something: those that may be edited, and those that are only read."""
        return (*self.files.values(), *(file for file in self._read.values() if file is not None))

    def file(self, location: str) -> ComposeFile | None:
        """A file that may be edited, or one that is only read."""
        if location in self.files:
            return self.files[location]
        if location not in self._read:
            source = self._context(location)
            try:
                self._read[location] = ComposeFile(source) if source else None
            except Unreadable:
                self._read[location] = None
        return self._read[location]

    def _env(self, folder: str) -> dict[str, str]:
        if folder not in self._variables:
            source = self._context(os.path.join(folder, ".env"))
            self._variables[folder] = parse_env_file(source.text) if source else {}
        return self._variables[folder]

    def _name(self, location: str) -> str:
        file = self.file(location)
        return file.source.path if file else location

    def _container(self, key: str, model: tuple[str, ...], service: Service) -> Container:
        location = model[-1]

        def readers(layer: Layer, written: str) -> frozenset[Reach]:
            return self._who_reads(layer, written, key)

        own = {id(layer.service) for layer in service.layers}
        others = [
            (other, namesake)
            for folder in self._folders_around(location)
            for other, namesake in self._namesakes.get((folder, service.name), ())
            if other != location and not {id(layer.service) for layer in namesake.layers} & own
        ]
        kin = next((self._name(other) for other, namesake in others if _would_repeat(location, other, namesake)), "")
        folder = os.path.dirname(model[0])  # to Compose, paths in all the files start there
        dialect = self._dialects[key]
        if dialect == Dialect():
            for _, namesake in others:
                dialect |= dialect_written_in(namesake)
        return read_container(key, service, readers, kin, tuple(s for _, s in others), dialect, folder, self._context)

    def _folders_around(self, location: str) -> tuple[str, ...]:
        """The folders whose files may be passed together with a file: its own, and those of base files that it fits."""
        if location not in self._around:
            bases = laid_over(location, self.files)
            self._around[location] = tuple(os.path.dirname(file) for file in (location, *bases))
        return self._around[location]

    def _who_reads(self, layer: Layer, written: str, key: str) -> frozenset[Reach]:
        mapping = layer.service.mapping
        found: set[Reach] = set()
        for reader in self._readers.get(id(mapping), ()):
            if reader.key == key or reader.layer.service.mapping is None:
                continue
            nearer = [source for source, _ in sources(reader.layer.service.mapping)]
            shadowed = any(source.get(written) is not None for source in nearer[: _index(nearer, mapping)])
            moot = written in ("cap_drop", "cap_add") and truth(reader.service.text("privileged"))
            if not shadowed and not moot and not reader.overrides(written):
                found.add(Reach(reader.key, reader.joins, exact=written in _EXACT))
        return frozenset(found)


def _mark_shared_volumes(containers: list[Container]) -> None:
    """A volume that another service of the project writes too may hold anybody's files, as one from outside may."""
    writers: dict[tuple[str, str], set[str]] = {}
    for container in containers:
        for mount in container.mounts:
            if mount.kind == "volume" and mount.source and not mount.read_only:
                writers.setdefault((os.path.dirname(container.place.path), mount.source), set()).add(container.subject)
    for container in containers:
        folder = os.path.dirname(container.place.path)
        if any(writers.get((folder, mount.source), set()) - {container.subject} for mount in container.mounts):
            container.mounts = tuple(
                mount._replace(kind="external")
                if mount.kind == "volume" and writers.get((folder, mount.source), set()) - {container.subject}
                else mount
                for mount in container.mounts
            )


def _is_windows(service: Service) -> bool:
    image = service.text("image") or ""
    return (service.text("platform") or "").startswith("windows") or "mcr.microsoft.com/windows" in image


def _with_own_overlays(models: list[tuple[str, ...]], own: set[str]) -> list[tuple[str, ...]]:
    """Each list with the overlay that this tool has made for it last: its own one, or else that of the folder's project."""
    found: dict[str, tuple[str, ...]] = {}
    for model in models:
        folder, top = os.path.split(model[-1])
        wanted = overlay_name(top, BASE_NAMES + OVERRIDE_NAMES)
        name = wanted if wanted in own else OVERLAY if OVERLAY in own else ""
        key = name if wanted == OVERLAY else "+".join(model)  # the base is passed with its override or not: once is enough
        found[key] = (*model, os.path.join(folder, name)) if name else model
    return list(found.values())


def _would_repeat(location: str, other: str, namesake: Service) -> bool:
    """Whether an item added to a list here may meet its twin when both files are passed with -f.

    Files are laid over a folder's base file; two files that both lack its name are alternatives.
    """
    is_base = os.path.basename(location) in BASE_NAMES + OVERRIDE_NAMES
    if os.path.basename(other) in BASE_NAMES + OVERRIDE_NAMES and not is_base:
        return True
    return is_base and any("no-new-privileges" in (text_of(node) or "") for _, node in namesake.items("security_opt"))


def _index(mappings: list[MappingNode], wanted: object) -> int:
    return next(i for i, mapping in enumerate(mappings) if mapping is wanted)
