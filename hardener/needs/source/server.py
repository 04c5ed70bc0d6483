"""Well-known servers that an image installs, and which of them a program is. Knows no server's configuration.

The facts about packages are data in `servers.toml`; a module for each kind of configuration reads what the project brings.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib import import_module
from typing import Any

from hardener.finding import Evidence, Strength
from hardener.needs.source.places import is_inside, location, written
from hardener.needs.source.uses import Capability, Listen, Memory, Named, Program, Read, Uses, merged
from hardener.record import NamedTuple

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "servers.toml")
_FOLDERS = frozenset(("/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", ""))
_VERSIONED = re.compile(r"php-fpm[0-9.]+")
_FAMILIES = {"apt-get": "debian", "apt": "debian", "apk": "alpine"}
_ROOT = frozenset(("root", "0", ""))


class Server(NamedTuple):
    """A server as its package configures it; see the head of `servers.toml`."""

    name: str
    facts: Mapping[str, Any]
    #: The evidence for what the package does.
    evidence: Evidence

    def words(self, key: str) -> tuple[str, ...]:
        """The words of one of the facts."""
        return tuple(self.facts.get(key, "").split())


class Configured(NamedTuple):
    """What a configuration says, or the package's own where the project brings none."""

    #: The configuration's place, as the source of evidence.
    at: str
    paths: tuple[str, ...] = ()
    ports: tuple[tuple[int, str], ...] = ()
    #: Whom it becomes; empty for nobody.
    account: str = ""
    #: Further capabilities that it needs as root, with the reason.
    capabilities: tuple[tuple[str, str], ...] = ()
    doubts: tuple[Any, ...] = ()


def reader(program: Program, read: Read) -> Uses | None:
    """What a server that the image installs does; None for one that is not known, or that comes from elsewhere."""
    folder, _, name = program.words[0].rpartition("/")
    name = "php-fpm" if _VERSIONED.fullmatch(name) else name
    tables = _servers().get(name)
    if tables is None or folder not in _FOLDERS or program.files.kind(program.words[0]) == "file":
        return None
    facts = next((table for table in tables if _brought(table, program)), None)
    if facts is None:
        return None
    strength = Strength.READ if facts["read"] else Strength.DOCUMENTED
    server = Server(name, facts, Evidence(f"`{name}` as its package sets it up", facts["source"], strength))
    of: Callable[[Program, Server], Configured] = import_module(f"hardener.needs.source.{facts['kind']}").configured
    return _uses(program, server, of(program, server))


@lru_cache(maxsize=1)
def _servers() -> Mapping[str, list[Mapping[str, Any]]]:
    import tomllib

    found: dict[str, list[Mapping[str, Any]]] = {}
    with open(DATA, "rb") as file:
        for table in tomllib.load(file)["server"]:
            for name in table["names"].split():
                found.setdefault(name, []).append(table)
    return found


def _brought(table: Mapping[str, Any], program: Program) -> bool:
    """Whether the image has the server from that package, or is built from that image."""
    stage = program.files.stage
    if stage is None:
        return False
    if "images" in table:
        image = stage.image
        return image is not None and image.familiar in table["images"].split()
    families = {_FAMILIES[run.name] for run in stage.commands if run.name in _FAMILIES}
    return table["family"] in families and not stage.packages.isdisjoint(table["packages"].split())


def _uses(program: Program, server: Server, found: Configured) -> Uses:
    own = Evidence(f"`{server.name}` as {found.at} sets it up", found.at, Strength.READ)
    weakest = own._replace(strength=min(own.strength, server.evidence.strength))
    capabilities = list(found.capabilities)
    users: tuple[Named, ...] = ()
    if found.account not in _ROOT:
        capabilities += [("SETUID", f"becomes {found.account}"), ("SETGID", f"becomes {found.account}")]
        users = (Named(program.accounts.get(found.account, found.account), weakest),)
    foreign = next((p for p in found.paths if any(is_inside(p, f) or is_inside(f, p) for f in server.words("foreign"))), "")
    if foreign:
        capabilities.append(("DAC_OVERRIDE", f"writes {foreign}, which its package gives to another account"))
    memory = server.facts["memory"]
    one = Uses(
        weakest,
        listens=tuple(Listen(number, protocol, weakest) for number, protocol in dict.fromkeys(found.ports)),
        capabilities=tuple(Capability(name, why, weakest) for name, why in dict.fromkeys(capabilities)),
        runs=(Named(program.name, weakest),),
        users=users,
        memory=Memory(memory, server.name, weakest, 1 if server.name == "redis-server" else 0) if memory else None,
        doubts=found.doubts,
    )
    writes = written(program._replace(at=found.at), [path for path in found.paths if path not in _logs_of(program)], "writes")
    writes = writes._replace(
        writes=tuple(
            write._replace(kind="cache" if any(is_inside(write.path, path) for path in server.words("temporary")) else write.kind)
            for write in writes.writes
        )
    )
    return merged(weakest, (one, writes))


def _logs_of(program: Program) -> frozenset[str]:
    """Paths that the Dockerfile makes links to the container's output."""
    stage = program.files.stage
    links = [run.known for run in stage.commands if run.name == "ln"] if stage is not None else []
    return frozenset(words[-1] for words in links if len(words) > 2 and words[-2].startswith(("/dev/std", "/proc/self/fd/")))


def text_of(program: Program, path: str) -> tuple[str, str] | None:
    """The text of a file of the project and its place, or None."""
    text = program.files.text(path)
    return None if text is None else (text, program.files.origin(path) or path)


def matching(program: Program, patterns: Iterable[str]) -> list[str]:
    """The files of the project that patterns name; a `*` at the end goes for all below."""
    found: dict[str, None] = {}
    for pattern in patterns:
        folder = location(pattern, program) if "*" in pattern else pattern
        if folder is not None:
            found.update((path, None) for path in program.files.walk(folder) if fnmatchcase(path, pattern))
    return list(found)
