"""What third-party libraries do beyond what is asked of them by name. Knows no language; the facts are data.

`libraries/*.toml`, one file an ecosystem. A library is quiet where its code, with what it depends upon, was read and does nothing
that a container must allow but open sockets: `tests/read_libraries.py` derives the entries again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

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
            )
    return Libraries(known, tuple(data.get("absent", "").split()))


def use_libraries(gathering: Gathering, ecosystem: str, names: Iterable[str], available: Iterable[str], at: str) -> list[str]:
    """Add what the libraries do that are loaded, by themselves or by each other; the names of all of them."""
    from hardener.finding import Evidence, Strength

    table = libraries_of(ecosystem)
    there = set(available)
    waiting, used = sorted(set(names)), dict[str, Library | None]()
    while waiting:
        name = waiting.pop(0)
        if name in used or table.is_absent(name):
            continue
        library = used[name] = table.find(name)
        if library is None:
            gathering.doubt(EVERYTHING, f"the library `{name}` is not known")
            continue
        waiting += [other for other in there if any(_fits(other, pattern) for pattern in library.loads)]
        if library.about:
            gathering.doubt(library.about, f"the library `{name}` {library.text}")
        gathering.learn(library.signs)
        for write in library.writes:
            path = write["path"]
            path = path if path.startswith("/") else f"{gathering.program.workdir}/{path}"
            claim = f"{name} {write.get('why', 'writes there')}"
            gathering.write(path, write.get("kind", ""), write.get("exec", False), Evidence(claim, at, Strength.READ))
    return sorted(used)


def _fits(name: str, pattern: str) -> bool:
    return name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1]))
