"""`harden profiles [IMAGE]`: what is known about images. Knows where profiles lie, not what follows from them."""

from __future__ import annotations

import os
from collections.abc import Sequence

from hardener.cli.configured import Chosen, config_for, policy_of
from hardener.cli.terminal import say
from hardener.errors import Unreadable, UsageError
from hardener.facts.image import parse_image
from hardener.needs.profile import BUILT_IN, Namesake, Profile, find_profile
from hardener.needs.profile_file import read_profile
from hardener.render.profile import listing, page


def run(image: str, folders: Sequence[str], chosen: Chosen) -> int:
    """Print one profile in full, or the list of all. Raises `UsageError` for an image without one."""
    places = (*policy_of(config_for(".", chosen), folders).profiles, BUILT_IN)
    if image:
        reference = parse_image(image)
        found = find_profile(reference, places) if reference is not None else None
        if found is None:
            raise UsageError(f"there is no profile of {image!r}: `harden profiles` lists them; --profiles FOLDER adds your own")
        say(page(found), error=False)
        return 0
    profiles: dict[str, Profile] = {}
    others: dict[str, list[str]] = {}
    for folder in places:
        for profile in _read_all(folder):
            if isinstance(profile, Namesake):
                others.setdefault(profile.same_as, []).extend(profile.names)
            else:
                profiles.setdefault(profile.names[0], profile)
    say(listing(list(profiles.values()), others), error=False)
    say(f"\n{len(profiles)} images. `harden profiles IMAGE` shows what is known of one, with its sources.", error=False)
    return 0


def searched(folders: Sequence[str], said: str = "--profiles") -> tuple[str, ...]:
    """The user's folders of profiles, which come before ours, once they were read. Raises `UsageError` for one that is none."""
    for folder in folders:
        if not os.path.isdir(folder):
            raise UsageError(f"{said} {folder}: there is no such folder")
        for profile in _read_all(folder):
            for name in profile.names:
                file = name.replace("/", "__") + ".toml"
                if file != profile.file:
                    raise UsageError(f"{os.path.join(folder, profile.file)}: the profile of {name} must be called {file}")
    return tuple(folders)


def _read_all(folder: str) -> list[Profile | Namesake]:
    read = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".toml"):
            path = os.path.join(folder, name)
            try:
                with open(path, "rb") as file:
                    read.append(read_profile(name, file.read()))
            except Unreadable as error:
                raise UsageError(f"{path}: {error.reason}") from None
            except OSError as error:
                raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    return read
