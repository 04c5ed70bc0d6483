"""Folders of profiles that users bring: read before they are believed. Knows their form, not what follows from them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

from hardener.errors import Unreadable, UsageError
from hardener.needs.profile import BUILT_IN, Namesake, Profile
from hardener.needs.profile_file import read_profile
from hardener.source import MAX_BYTES, content
from hardener.toml import parse

#: The end of a group that is repeated.
_REPEATED_GROUP = re.compile(r"(?<!\\)\)[*+{]")


def checked(folders: Sequence[str], said: str = "--profiles") -> tuple[str, ...]:
    """Folders of profiles, once all in them was read. `said` names who gives them. Raises `UsageError` for what is wrong."""
    for folder in folders:
        if not os.path.isdir(folder):
            raise UsageError(f"{said} {folder}: there is no such folder")
        for profile in read_folder(folder):
            for name in profile.names:
                file = name.replace("/", "__") + ".toml"
                if file != profile.file:
                    raise UsageError(f"{os.path.join(folder, profile.file)}: the profile of {name} must be called {file}")
    return tuple(folders)


def read_folder(folder: str) -> list[Profile | Namesake]:
    """All profiles in a folder. Raises `UsageError` for one that cannot be read."""
    read = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".toml"):
            path = os.path.join(folder, name)
            try:
                data = content(path, path, MAX_BYTES + 1)
                if len(data) > MAX_BYTES:
                    raise Unreadable(path, f"larger than {MAX_BYTES // 1024 // 1024} MiB")
                read.append(read_profile(name, data))
                if folder != BUILT_IN:
                    _refuse_endless(data)
            except Unreadable as error:
                raise UsageError(f"{path}: {error.reason}") from None
    return read


def _refuse_endless(data: bytes) -> None:
    """Raise `Unreadable` for an expression that repeats a group: on a text made for it, the search for that may never end."""
    for text in _texts(parse(data.decode("utf-8"))):
        if text.startswith("text ") and _REPEATED_GROUP.search(text):
            raise Unreadable("", f"{text!r} repeats a group, and so might never end: write it without")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
