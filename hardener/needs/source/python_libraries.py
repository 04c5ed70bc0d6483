"""What is known of Python's own library and of other people's, from the tables in `libraries`. Knows no program."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from hardener.record import NamedTuple

_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libraries")

#: The tables are written a line an item, so that a program costs only the lines that it needs.
_CALL = re.compile(r'^"([^"]+)" = (\{.*\})$', re.MULTILINE)
_IMPORTS = re.compile(r"^imports = \[.*\]$", re.MULTILINE)
_QUOTED = re.compile(r'"([^"]+)"')


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


class Calls(Mapping[str, Mapping[str, Any]]):
    """A table of calls, a line each, whose lines are read when they are asked for: most programs ask for few."""

    def __init__(self, lines: str) -> None:
        self._lines = dict(_CALL.findall(lines))
        self._read: dict[str, Mapping[str, Any]] = {}

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        if name not in self._read:
            self._read[name] = _parsed(f"it = {self._lines[name]}")["it"]
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def __contains__(self, name: object) -> bool:
        return name in self._lines


@lru_cache
def standard() -> Standard:
    """What is known of Python's own library."""
    head, _, calls = _text("python_standard.toml").partition("\n[calls]\n")
    table = _parsed(head)
    return Standard(frozenset(table["quiet"].split()), frozenset(table["watched"].split()), table["loud"], Calls(calls))


@lru_cache
def libraries() -> Mapping[str, str]:
    """The text of each library's table, by each name that it is imported by."""
    found: dict[str, str] = {}
    for item in _text("python.toml").split("\n[[library]]\n")[1:]:
        names = _IMPORTS.search(item)
        assert names is not None
        for name in _QUOTED.findall(names.group()):
            found[name] = item
    return found


@lru_cache
def _library(text: str) -> Library:
    item = _parsed(text.partition("\n# ")[0].replace("\n[library.calls]\n", "\n[calls]\n"))
    known = {name: value for name, value in item.items() if name in Library.__annotations__}
    return Library(**known | {"imports": tuple(item["imports"]), "writes": tuple(item.get("writes", ()))})


def library_of(name: str) -> Library | None:
    """The library that a module belongs to, by its dotted name."""
    table = libraries()
    while name:
        if name in table:
            return _library(table[name])
        name = name.rpartition(".")[0]
    return None


def is_standard(name: str) -> bool:
    """Whether a module is Python's own, by its dotted name."""
    import sys

    top = name.partition(".")[0]
    return top in standard().quiet or top in standard().loud or top in sys.stdlib_module_names


def _text(name: str) -> str:
    with open(os.path.join(_FOLDER, name), encoding="utf-8") as file:
        return file.read()


def _parsed(text: str) -> dict[str, Any]:
    import tomllib

    return tomllib.loads(text)
