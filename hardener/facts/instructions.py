"""The pages and scripts near a project, and whether they run it by Podman or in a swarm. Knows no format and no rule."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Iterator
from typing import TypeVar

from hardener.facts.tree import Tree
from hardener.source import Source

#: Pages and scripts that lie where people look first. Longer ones, and histories, are about more than how it is run.
_TOLD_IN = re.compile(r"(?i)(?!change|history|news|release).*\.(?:md|sh|bash|mk)|(?:gnu)?makefile|justfile")
_LARGEST = 256 * 1024
_PODMAN = re.compile(r"(?i)\bpodman[ \t_-]compose\b")
#: A command with its options is no longer than that; a page without an end must not take time without one.
_STACK = re.compile(r"\bdocker[ \t]+stack[ \t]+(?:deploy|up)\b([^\n|;&`]{1,400})")
_FILE = re.compile(r"(?<!\S)(?:-c|--compose-file)[ \t=]*[\"']?([^\s\"']+)")
_Told = TypeVar("_Told")


def instructions(folder: str, tree: Tree) -> Iterator[Source]:
    """The pages and scripts in a folder of a project and in those above it, up to the repository's."""
    return files_near(folder, _TOLD_IN, tree)


def files_near(folder: str, names: re.Pattern[str], tree: Tree) -> Iterator[Source]:
    """The files of such names, none of them large, in a folder of a project and in those above it, up to the repository's."""
    top = os.path.realpath(tree.project_of(folder))
    at = os.path.realpath(folder)
    while tree.contains(at):
        yield from files_in(at, names, tree)
        if at == top or at == os.path.dirname(at):
            return
        at = os.path.dirname(at)


def files_in(folder: str, names: re.Pattern[str], tree: Tree) -> tuple[Source, ...]:
    """The files of such names in one folder, none of them large, and no links."""
    if (names, folder) not in tree.concluded:
        tree.concluded[names, folder] = tuple(_in(folder, names, tree))
    found: tuple[Source, ...] = tree.concluded[names, folder]
    return found


def once(reading: Callable[[Source], _Told], source: Source, tree: Tree) -> _Told:
    """What a reading finds in a page or script. Each is read once: those of the top are the instructions of all folders below."""
    if (reading, source.path) not in tree.concluded:
        tree.concluded[reading, source.path] = reading(source)
    found: _Told = tree.concluded[reading, source.path]
    return found


def podman_in(folder: str, tree: Tree) -> str:
    """Where it is written that the Compose files of a folder are run by Podman, perhaps beside Docker; empty where nowhere."""
    if (podman_in, folder) not in tree.concluded:
        places = (once(_podman, source, tree) for source in instructions(folder, tree))
        tree.concluded[podman_in, folder] = next(filter(None, places), "")
    return str(tree.concluded[podman_in, folder])


def stack_in(location: str, tree: Tree) -> str:
    """Where it is written that a Compose file is deployed to a swarm as a stack; empty where nowhere."""
    folder, name = os.path.split(location)
    if (stack_in, folder) not in tree.concluded:
        found = (once(_stacks, source, tree) for source in instructions(folder, tree))
        tree.concluded[stack_in, folder] = {file: place for stacks in found for file, place in stacks.items()}
    found = tree.concluded[stack_in, folder]
    return str(found.get(name, "") or found.get(os.path.realpath(location), ""))


def _podman(source: Source) -> str:
    match = _PODMAN.search(source.text)
    return f"{source.path}:{source.position(match.start()).line}" if match else ""


def _stacks(source: Source) -> dict[str, str]:
    """Where a page deploys what as a stack: the location of a file in another folder that is there, else the name of one."""
    found: dict[str, str] = {}
    for match in _STACK.finditer(source.text.replace("\\\n", "  ")) if " stack " in source.text else ():
        place = f"{source.path}:{source.position(match.start()).line}"
        for file in map(posixpath.normpath, _FILE.findall(match[1])):
            name = posixpath.basename(file)
            there = os.path.realpath(os.path.join(os.path.dirname(source.path), file)) if name != file else ""
            found[there if there and os.path.isfile(there) else name] = place
    return found


def _in(folder: str, names: re.Pattern[str], tree: Tree) -> Iterator[Source]:
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) and tree.contains(folder) else ():
        location = os.path.join(folder, name)
        if not names.fullmatch(name) or os.path.islink(location) or not os.path.isfile(location):
            continue
        if not 0 < os.path.getsize(location) <= _LARGEST:
            continue
        source = tree(location)
        if source is not None:
            yield source
