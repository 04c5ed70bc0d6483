"""The environment of a Compose service: its variables, where they are written, and how one is set. Knows no rule."""

from __future__ import annotations

import os

from hardener.errors import CannotWrite
from hardener.facts.compose.interpolation import commented_names, parse_env_file
from hardener.facts.compose.service import Service, entries
from hardener.facts.compose.writer import Readers, Writer
from hardener.facts.container import Setting, Variable
from hardener.facts.merged import text_of
from hardener.facts.tree import Context
from hardener.finding import Change, Place
from hardener.syntax.yaml import Append, Mapping, Put, Sequence

_KEY = "environment"


def read_environment(service: Service, folder: str, context: Context) -> dict[str, str | None]:
    """The variables that the container gets, by name; None for a value that is not known here."""
    variables: dict[str, str | None] = {}
    for _, node in service.items("env_file"):
        path = service.read(node.get("path")) if isinstance(node, Mapping) else service.read(node)
        source = context(os.path.normpath(os.path.join(folder, path))) if path and "$" not in path else None
        if source:
            variables |= parse_env_file(source.text)
    return variables | service.pairs(_KEY)


def offered_variables(service: Service, folder: str, context: Context) -> frozenset[str]:
    """The variables that files of `env_file` name only in comments: settings for whoever runs it to take up."""
    offered: set[str] = set()
    for _, node in service.items("env_file"):
        path = (service.read(node.get("path")) if isinstance(node, Mapping) else service.read(node)) or ""
        source = context(os.path.normpath(os.path.join(folder, path))) if path and "$" not in path else None
        offered |= commented_names(source.text) if source else set()
    return frozenset(offered)


def missing_env_files(service: Service, folder: str, context: Context) -> tuple[str, ...]:
    """The files of `env_file` that are not here, such as an `.env` that is kept out of version control."""
    missing = []
    for _, node in service.items("env_file"):
        path = (service.read(node.get("path")) if isinstance(node, Mapping) else service.read(node)) or ""
        if "$" in path or context(os.path.normpath(os.path.join(folder, path))) is None:
            missing.append(path)
    return tuple(missing)


def written_variables(service: Service) -> tuple[Variable, ...]:
    """The variables that Compose files themselves give a value, as it is written there; the last one of a name wins."""
    found: dict[str, Variable] = {}
    for held in service.joined(_KEY):
        node, file = held.found.node, held.layer.file
        if isinstance(node, Sequence):
            for item in node.items:
                name, equals, value = (text_of(item) or "").partition("=")
                if equals:
                    found[name] = Variable(name, value, file.place(item))
        elif isinstance(node, Mapping):
            for name, item in entries(node):
                text = text_of(item)
                if text is not None:
                    found[name] = Variable(name, text, file.place(item))
    return tuple(found.values())


class EnvironmentVariable(Setting[str | None]):
    """One variable of the environment."""

    __slots__ = ("_name", "_writer")

    def __init__(self, service: Service, readers: Readers, name: str, value: str | None, place: Place, *, written: bool) -> None:
        super().__init__(value, written=written, place=place)
        self._name = name
        self._writer = Writer(service, readers)

    def to(self, new: str | None) -> tuple[Change, ...]:
        """Write the variable into the service's own `environment`, which wins over an `env_file`."""
        if new == self.effective:
            return ()
        if new is None:
            raise CannotWrite("a variable is never taken away")
        writer = self._writer
        layer = writer.place_for(_KEY)
        writer.may_edit(layer)
        found = layer.find(_KEY)
        if found is None:
            return writer.put(layer, (_KEY,), {self._name: new})
        if found.route is None:
            raise CannotWrite(f"`{_KEY}` comes through the anchor `&{found.via}`; an own one would lose it")
        if not isinstance(found.node, Sequence):
            return writer.put(layer, (_KEY, self._name), new)
        for at, item in enumerate(found.node.items):
            if (text_of(item) or "").partition("=")[0] == self._name:
                return writer.change(layer, Put((*found.route, at), f"{self._name}={new}"), _KEY)
        return writer.change(layer, Append(found.route, (f"{self._name}={new}",)), _KEY)
