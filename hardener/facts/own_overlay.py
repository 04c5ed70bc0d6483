"""The overlays that `harden --overlay` writes: their names and their first line. Knows nothing of what is in them."""

from __future__ import annotations

import os

#: How each of them begins; nothing else is ever overwritten.
FIRST_LINE = "# Written by `harden --overlay`"
#: The overlay of a folder's own project, whichever of its names the base has.
OVERLAY = "compose.harden.yaml"


def is_own_overlay(text: str) -> bool:
    """Whether a text is an overlay that this tool has written."""
    return text.startswith(FIRST_LINE)


def overlay_name(name: str, bases: tuple[str, ...]) -> str:
    """What the overlay of a file is called: that of a folder's base has one name, others are named after their file."""
    return OVERLAY if name in bases else f"{os.path.splitext(name)[0]}.harden.yaml"
