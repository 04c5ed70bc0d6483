"""Folders of profiles that users bring: read before they are believed. Knows their form, not what follows from them."""

from __future__ import annotations

import os
from collections.abc import Sequence

from hardener.errors import Unreadable, UsageError
from hardener.needs.profile import Namesake, Profile
from hardener.needs.profile_file import read_profile
from hardener.source import MAX_BYTES, content


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
            except Unreadable as error:
                raise UsageError(f"{path}: {error.reason}") from None
    return read
