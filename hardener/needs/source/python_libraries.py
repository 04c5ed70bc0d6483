"""What is known of Python's own library and of other people's, from the tables in `libraries`. Knows no program."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from hardener.record import NamedTuple

_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libraries")


class Library(NamedTuple):
    """A library that was read: what it does of itself, and what calls of it do."""

    package: str
    #: The names that it is imported by, with dots where only a part of a name is its own (`google.protobuf`).
    imports: tuple[str, ...]
    #: The version that was read.
    version: str
    #: Why the memory of a program that uses it is not known; empty where it is as that of others.
    heavy: str = ""
    #: Effects of calls by full name, or `*.method`; the form is told in `libraries/python_standard.toml`.
    calls: Mapping[str, Mapping[str, Any]] = {}
    #: Settings, or keys of a configuration, that name a place that is written, with its kind.
    settings: Mapping[str, str] = {}
    #: Whether it makes temporary files.
    scratch: bool = False
    #: What it writes by itself: path, kind, and the variable that moves it.
    writes: tuple[Mapping[str, str], ...] = ()
    #: Questions that are open with it, and why.
    doubt: tuple[str, ...] = ()
    why: str = ""
    #: Whether modules of the project are found by their names in text, so that all of them may run.
    discovers: bool = False


class Standard(NamedTuple):
    """Python's own library."""

    quiet: frozenset[str]
    watched: frozenset[str]
    loud: Mapping[str, str]
    calls: Mapping[str, Mapping[str, Any]]


@lru_cache
def standard() -> Standard:
    """What is known of Python's own library."""
    table = _load("python_standard.toml")
    return Standard(frozenset(table["quiet"].split()), frozenset(table["watched"].split()), table["loud"], table["calls"])


@lru_cache
def libraries() -> Mapping[str, Library]:
    """The libraries that are known, by each name that they are imported by."""
    found: dict[str, Library] = {}
    for item in _load("python.toml").get("library", []):
        known = {name: value for name, value in item.items() if name in Library.__annotations__}
        library = Library(**known | {"imports": tuple(item["imports"]), "writes": tuple(item.get("writes", ()))})
        for name in library.imports:
            found[name] = library
    return found


def library_of(name: str) -> Library | None:
    """The library that a module belongs to, by its dotted name."""
    table = libraries()
    while name:
        if name in table:
            return table[name]
        name = name.rpartition(".")[0]
    return None


def is_standard(name: str) -> bool:
    """Whether a module is Python's own, by its dotted name."""
    import sys

    top = name.partition(".")[0]
    return top in standard().quiet or top in standard().loud or top in sys.stdlib_module_names


def _load(name: str) -> dict[str, Any]:
    import tomllib

    with open(os.path.join(_FOLDER, name), "rb") as file:
        return tomllib.load(file)
