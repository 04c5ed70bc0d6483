"""What third-party libraries do beyond what is asked of them by name. Knows no language; the facts are data.

`libraries/*.toml`, one file an ecosystem. A library is quiet where its code, with what it depends upon, was read and does nothing
that a container must allow but open sockets: `tests/read_libraries.py` derives the entries again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from hardener.finding import Evidence, Strength
from hardener.needs.source.gathering import Gathering
from hardener.needs.source.signs import Sign, sign_of
from hardener.needs.source.uses import EVERYTHING
from hardener.record import NamedTuple

_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libraries")


class Library(NamedTuple):
    """A library of an ecosystem; see the head of `libraries/node.toml`."""

    name: str
    #: The version that was read.
    version: str
    about: frozenset[str] = frozenset()
    text: str = ""
    #: Libraries that it loads by itself where they are there.
    loads: tuple[str, ...] = ()
    signs: tuple[Sign, ...] = ()
    #: Where it writes by itself.
    writes: tuple[Mapping[str, Any], ...] = ()
    #: Whether its code was read, not only its documentation.
    read: bool = True
    #: Whether it loads files of the project by itself.
    project: bool = False
    #: What is in doubt where another library loads it.
    by_others: frozenset[str] = frozenset()


class Libraries(NamedTuple):
    """The libraries of an ecosystem by name, and patterns of those that are never part of what runs."""

    known: Mapping[str, Library]
    absent: tuple[str, ...]

    def find(self, name: str) -> Library | None:
        """A library, by its name or by that of its family: `@scope/*`, `group:*`."""
        if name in self.known:
            return self.known[name]
        head = name
        while head:
            head = head[: max(head.rfind(sign) for sign in "/:.-") + 1].rstrip() if any(s in head for s in "/:.-") else ""
            if not head:
                break
            if f"{head}*" in self.known:
                return self.known[f"{head}*"]
            head = head[:-1]
        return None

    def is_absent(self, name: str) -> bool:
        """Whether it is only there for types or builds."""
        return any(name == one or (one.endswith("*") and name.startswith(one[:-1])) for one in self.absent)


@lru_cache
def libraries_of(ecosystem: str) -> Libraries:
    """The libraries of an ecosystem."""
    import tomllib

    with open(os.path.join(_FOLDER, f"{ecosystem}.toml"), "rb") as stream:
        data = tomllib.load(stream)
    known = {name: Library(name, version) for name, version in data.get("quiet", {}).items()}
    for item in data.get("library", ()):
        about = frozenset(item.get("about", "").split())
        for name in item["name"].split():
            known[name] = Library(
                name,
                item["version"],
                EVERYTHING if "everything" in about else about,
                item.get("text", ""),
                tuple(item.get("loads", "").split()),
                tuple(map(sign_of, item.get("sign", ()))),
                tuple(item.get("writes", ())),
                item.get("read", True),
                item.get("project", False),
                frozenset(item.get("by_others", "").split()),
            )
    return Libraries(known, tuple(data.get("absent", "").split()))


def use_libraries(
    gathering: Gathering, ecosystem: str, names: Iterable[str], available: Iterable[str], at: str
) -> dict[str, Library | None]:
    """Add what the libraries do that are loaded, by themselves or by each other; all of them, None for one that is not known."""
    table = libraries_of(ecosystem)
    there = set(available)
    named = frozenset(names)
    waiting, used = sorted(named), dict[str, Library | None]()
    while waiting:
        name = waiting.pop(0)
        if name in used or table.is_absent(name):
            continue
        library = used[name] = table.find(name)
        if library is None:
            gathering.doubt(EVERYTHING, f"the library `{name}` is not known")
            continue
        if library.by_others and name not in named:
            gathering.doubt(library.by_others, f"where the library `{name}` keeps its files")
        waiting += [other for other in there if any(_fits(other, pattern) for pattern in library.loads)]
        if library.about:
            gathering.doubt(library.about, f"the library `{name}` {library.text}")
        gathering.learn(library.signs)
        for write in library.writes:
            path = write["path"]
            path = path if path.startswith("/") else f"{gathering.program.workdir}/{path}"
            claim = f"{name} {write.get('why', 'writes there')}"
            gathering.write(path, write.get("kind", ""), write.get("exec", False), Evidence(claim, at, Strength.READ))
    return used


def strength_of(libraries: Iterable[Library | None]) -> Strength:
    """How strong the evidence is that rests upon these libraries: those that were not read are only documented."""
    return Strength.READ if all(library is None or library.read for library in libraries) else Strength.DOCUMENTED


def shown(libraries: Mapping[str, Library | None], most: int = 5) -> str:
    """The names of those that are known, for people: " and the library a"; empty for none."""
    names = sorted(name for name, library in libraries.items() if library is not None)
    if not names:
        return ""
    if len(names) == 1:
        return f" and the library {names[0]}"
    more = [f"{len(names) - most} more"] if len(names) > most else []
    names = [*names[: most if more else len(names)], *more]
    return f" and the libraries {', '.join(names[:-1])} and {names[-1]}"


def _fits(name: str, pattern: str) -> bool:
    return name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1]))
