"""What a profile may ask about a way of running an image, and which of its items apply. Knows no answer and no project format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeVar

from hardener.facts.image import tag_has
from hardener.facts.platform import DOCKER, Platform
from hardener.needs.profile import (
    EVERYWHERE,
    Amount,
    Capability,
    Condition,
    Healthcheck,
    Heap,
    Inherited,
    Port,
    Start,
    Unprivileged,
    Verdict,
    WrittenPath,
)
from hardener.record import NamedTuple

#: Longer texts are not searched, and count as not known.
_LONGEST_TEXT = 256 * 1024


class Mount(NamedTuple):
    """Something mounted into the container; `kind` is "volume", "bind" or "tmpfs"."""

    target: str
    kind: str
    read_only: bool = False
    #: What the file, or the files of the folder, say; None where that is not known.
    text: str | None = None
    #: For a folder of the project: the paths of its files in it.
    files: tuple[str, ...] = ()


class Situation(NamedTuple):
    """How a container runs its image. None means: as the image says."""

    user: str = ""
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    #: A variable whose value is not known has the value None.
    environment: Mapping[str, str | None] = {}
    #: Whether there may be more variables than these.
    more_environment: bool = False
    #: Variables that have no value here, and that whoever runs it is offered to set.
    offered: frozenset[str] = frozenset()
    mounts: tuple[Mount, ...] = ()
    #: Binding a port below this one is a privilege.
    first_free_port: int = 0
    platform: Platform = DOCKER
    #: What an image that is built from the profile's has copied in; None for the profile's image itself.
    copied: tuple[Mount, ...] | None = None

    @property
    def laid_over(self) -> tuple[Mount, ...]:
        """All that lies where the image's own files would be."""
        return (*(self.copied or ()), *self.mounts)


_Any = Start | Capability | WrittenPath | Verdict | Amount | Port | Unprivileged | Heap | Healthcheck | Inherited
_Item = TypeVar("_Item", bound=_Any)


class Asked(NamedTuple):
    """What is asked about: a tag, the version that it stands for, and the way of running it."""

    tag: str
    version: tuple[int, ...]
    situation: Situation


# Which items apply.


def every(items: tuple[_Item, ...], asked: Asked) -> Iterable[_Item]:
    """The items that apply."""
    return (item for item in items if _applies(item, asked))


def first(items: tuple[_Item, ...], asked: Asked) -> _Item | None:
    """The first item that applies, which is the answer; None for none."""
    return next((item for item in items if _applies(item, asked)), None)


def _applies(item: _Any, asked: Asked) -> bool:
    filter = item.filter
    if filter is EVERYWHERE:
        return True
    if filter.versions and not filter.admits(asked.version):
        return False
    if any(tag_has(asked.tag, word.lstrip("!")) == word.startswith("!") for word in filter.variant.split()):
        return False
    if filter.any_of and not any(_holds(condition, asked.situation) for condition in filter.any_of):
        return False
    # What may be so is no reason to leave out a need; it is one to leave out a promise.
    holds = _holds_surely if isinstance(item, (Capability, WrittenPath)) or _forbids(item) else _holds
    return not any(holds(condition, asked.situation) for condition in filter.unless)


def _forbids(item: _Any) -> bool:
    return isinstance(item, Verdict) and not item.works


def _holds_surely(condition: Condition, situation: Situation) -> bool:
    kind, argument = condition
    if kind == "environment":
        return any(value and matches(name, argument) for name, value in situation.environment.items())
    return _holds(condition, situation)


def _holds(condition: Condition, situation: Situation) -> bool:
    kind, argument = condition
    if kind == "environment":
        if situation.more_environment and argument not in situation.environment:
            return True
        if any(matches(name, argument) for name in situation.offered):
            return True
        return any(value != "" and matches(name, argument) for name, value in situation.environment.items())
    if kind == "command":
        return any(_contains(word, argument) for word in situation.command or ())
    if kind == "option":
        return bool(option_values(situation.command or (), argument))
    if kind == "platform":
        return situation.platform.name == argument
    path, _, expression = argument.partition(" ")
    for mount in situation.laid_over:
        if kind == "mount-at":
            if plain(mount.target) == plain(path):
                return True
        elif kind == "file":
            files = mount.files or ("",)
            if any(plain(f"{mount.target.rstrip('/')}/{file}") == plain(path) for file in files):
                return True
        elif not (path.strip("*") in mount.target.rstrip("/") if "*" in path else touches(mount.target, path)):
            continue
        elif kind == "mount" or (kind == "bind" and mount.kind != "volume") or (kind == "text" and _says(mount, expression)):
            return True
    return False


def _contains(word: str, text: str) -> bool:
    """Whether a word of a command contains a text; a path only where a path begins, so that /mnt/data is not /data."""
    if not text.startswith("/"):
        return text in word
    return re.search(rf"(?<![\w.~}}/-]){re.escape(text)}", word) is not None


def _says(mount: Mount, expression: str) -> bool:
    if mount.text is None or len(mount.text) > _LONGEST_TEXT:
        return True
    return re.search(expression, mount.text, re.MULTILINE) is not None


def matches(word: str, pattern: str) -> bool:
    """Whether a word is a pattern's, in which one star stands for anything."""
    head, star, tail = pattern.partition("*")
    if not star:
        return word == pattern
    return len(word) >= len(head) + len(tail) and word.startswith(head) and word.endswith(tail)


# Paths.


def plain(path: str) -> str:
    """A path without links and with one slash at its end, so that being within is beginning with."""
    if path.startswith("/var/run"):  # a link to /run in every image of note
        path = path[4:] if path[8:9] in ("", "/") else path
    return path.rstrip("/") + "/"


def is_within(path: str, folder: str) -> bool:
    """Whether a path is a folder or lies in it."""
    return plain(path).startswith(plain(folder))


def touches(one: str, other: str) -> bool:
    """Whether one of two paths is the other or lies in it."""
    one, other = plain(one), plain(other)
    return one.startswith(other) or other.startswith(one)


def option_values(command: tuple[str, ...], option: str) -> list[str]:
    """The values of an option, as in `--dir x`, `--dir=x`, `-m 64`, `-m64`.

    A name that begins with a dot is the end of a longer one: `.acme.storage` finds `--certificatesresolvers.le.acme.storage=x`.
    """
    values = []
    for at, word in enumerate(command):
        name, equals, value = word.partition("=")
        if name.lower().endswith(option) if option.startswith(".") else name == option:
            values.append(value if equals else command[at + 1] if at + 1 < len(command) else "")
        elif len(option) == 2 and word.startswith(option):
            values.append(word[2:])
    return values
