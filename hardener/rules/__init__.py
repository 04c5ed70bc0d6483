"""The hazards: one module each, and this folder is their registry. Knows no format and no order between rules."""

from __future__ import annotations

import os
from functools import lru_cache
from importlib import import_module

from hardener.finding import Rule


@lru_cache(maxsize=1)
def load() -> tuple[Rule, ...]:
    """Every rule, by id. A module's file name is its rule's id, with `_` for `-`."""
    names = sorted(
        name[:-3] for name in os.listdir(os.path.dirname(__file__)) if name.endswith(".py") and not name.startswith("_")
    )
    return tuple(import_module(f"{__name__}.{name}").RULE for name in names)
