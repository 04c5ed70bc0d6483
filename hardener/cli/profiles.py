"""`harden profiles [IMAGE]`: what is known about images. Knows where profiles lie, not what follows from them."""

from __future__ import annotations

from collections.abc import Sequence

from hardener.cli.terminal import say
from hardener.errors import UsageError
from hardener.facts.image import parse_image
from hardener.needs.own_profiles import read_folder
from hardener.needs.profile import BUILT_IN, Namesake, Profile, find_profile
from hardener.render.profile import listing, page
from hardener.scopes import Chosen, config_for, policy_of


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
        for profile in read_folder(folder):
            if isinstance(profile, Namesake):
                others.setdefault(profile.same_as, []).extend(profile.names)
            else:
                profiles.setdefault(profile.names[0], profile)
    say(listing(list(profiles.values()), others), error=False)
    say(f"\n{len(profiles)} images. `harden profiles IMAGE` shows what is known of one, with its sources.", error=False)
    return 0
