"""What a project's own pages and scripts copy into its running services. Knows no rule, and nothing of what is copied."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.facts.instructions import instructions, once
from hardener.facts.platform import DOCKER
from hardener.facts.tree import Tree
from hardener.needs.conditions import is_within
from hardener.record import NamedTuple
from hardener.source import Source

#: A command with its options is no longer than that before `cp`; a page without an end must not take time without one.
_COPIES = re.compile(
    r"(?i)(?:\b(?:docker|podman)\b|\$\{?\w{0,40}?(?:dc|compose|docker)\w{0,40}\}?)[^\n|;&]{0,200}?\scp[ \t]+([^\n|;&`]{1,400})"
)
_INTO = re.compile(r"([\w.-]+):(/[^\s\"']*)")


class _Copy(NamedTuple):
    """A copy into a container or service of this name, and where it is written."""

    name: str
    path: str
    place: str


def copied_into(container: Container, tree: Tree) -> str:
    """Where it is written that files are copied into a service of Compose, beside its volumes; empty where nowhere.

    Docker copies into no container whose root is read-only, but to its volumes, of which a tmpfs is none (measured with 20.10).
    Looked through is what lies in the folder of the project and in those above it, up to the repository's.
    """
    if container.platform is not DOCKER:
        return ""
    volumes = [mount.target for mount in container.mounts if mount.kind != "tmpfs" and not mount.read_only]
    for copy in _copies(container.folder, tree):
        ours = re.fullmatch(rf"(?:.*[-_])?{re.escape(container.subject)}(?:[-_]\d+)?", copy.name)
        if ours and not any(is_within(copy.path, volume) for volume in volumes):
            return copy.place
    return ""


def _copies(folder: str, tree: Tree) -> Iterator[_Copy]:
    for source in instructions(folder, tree):
        yield from once(_told_in, source, tree)


def _told_in(source: Source) -> tuple[_Copy, ...]:
    return tuple(_read(source))


def _read(source: Source) -> Iterator[_Copy]:
    if " cp " not in source.text:
        return
    for match in _COPIES.finditer(source.text.replace("\\\n", "  ")):
        words = [word.strip("\"'") for word in match[1].split() if not word.startswith("-")]
        into = _INTO.fullmatch(words[1]) if len(words) > 1 else None
        if into:
            yield _Copy(into[1], into[2], f"{source.path}:{source.position(match.start()).line}")
