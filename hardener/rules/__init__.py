"""The hazards: one module each, and this folder is their registry. Knows no format and no order between rules."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module

from hardener.finding import Rule

_FOLDER = os.path.dirname(__file__)


@cache
def load(sees: str = "") -> tuple[Rule, ...]:
    """Every rule, by id, or those with a check for "container", "stage" or "silence".

    A module's file name is its rule's id, with `_` for `-`.
    """
    rules = (import_module(f"{__name__}.{name}").RULE for name in _names() if not sees or _may_see(name, sees))
    return tuple(rule for rule in rules if not sees or rule.check(sees) is not None)


@cache
def ids(sees: str = "") -> tuple[str, ...]:
    """The id of every rule, or of those with such a check, without a look at what it does."""
    return tuple(name.replace("_", "-") for name in _names() if not sees or _may_see(name, sees))


def page(rule: Rule) -> str:
    """The page of a rule: the docstring of its module."""
    return import_module(f"{__name__}.{rule.id.replace('-', '_')}").__doc__ or rule.title


@cache
def _names() -> tuple[str, ...]:
    return tuple(sorted(name[:-3] for name in os.listdir(_FOLDER) if name.endswith(".py") and not name.startswith("_")))


def _may_see(name: str, sees: str) -> bool:
    # Reading a rule costs a tenth of importing it with the facts that it is about.
    with open(os.path.join(_FOLDER, f"{name}.py"), "rb") as file:
        return f"\n    {sees}=".encode() in file.read().rpartition(b"\nRULE = ")[2]
