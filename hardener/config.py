"""`hardener.toml`, or `[tool.hardener]` in pyproject.toml: what a project tells of itself. Knows their form, and no command.

    [verify]
    probes = ["curl -fsS http://$HARDEN_ADDRESS/health", "in db: pg_isready -U app"]

The nearest file upwards counts, within the repository. An unknown name is an error: a slip of the pen must not be silence.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from hardener.errors import Unreadable
from hardener.facts.tree import repository_root
from hardener.record import NamedTuple
from hardener.source import read

FILE, SHARED_FILE = "hardener.toml", "pyproject.toml"
_TABLE = ("tool", "hardener")
#: Each table with the names in it; all values are lists of texts so far.
_KNOWN = {"verify": ("probes",)}


class Config(NamedTuple):
    """What was told; empty for what was not."""

    #: The file that says so, as the user knows it; empty for none.
    path: str = ""
    #: Commands that say whether the project does its job, as `harden verify --probe` takes them.
    probes: tuple[str, ...] = ()


def find_config(folder: str) -> Config:
    """The configuration that holds in a folder. Raises `Unreadable` for one that says what is not known."""
    at, top = os.path.realpath(folder), os.path.realpath(repository_root(folder))
    while True:
        for name in (FILE, SHARED_FILE):
            path = os.path.join(at, name)
            if os.path.isfile(path):
                table = _table(path, name)
                if table is not None:
                    return _config(os.path.relpath(path), table)
        if at == top or os.path.dirname(at) == at:
            return Config()
        at = os.path.dirname(at)


def _table(path: str, name: str) -> Mapping[str, Any] | None:
    """What a file says of us; None for a pyproject.toml that says nothing."""
    import tomllib

    shown = os.path.relpath(path)
    try:
        told: Any = tomllib.loads(read(path, shown).text)
    except tomllib.TOMLDecodeError as error:
        raise Unreadable(shown, f"no TOML: {error}", "mend it") from None
    if name == FILE:
        return dict(told)
    for key in _TABLE:
        told = told.get(key) if isinstance(told, dict) else None
    return told if isinstance(told, dict) else None


def _config(shown: str, table: Mapping[str, Any]) -> Config:
    for key, value in table.items():
        if key not in _KNOWN:
            raise Unreadable(shown, _unknown(key, tuple(_KNOWN)), "take it out, or mend its name")
        if not isinstance(value, dict):
            raise Unreadable(shown, f"`{key}` is a table: [{key}]", "mend it")
        for name, items in value.items():
            if name not in _KNOWN[key]:
                raise Unreadable(
                    shown, _unknown(f"{key}.{name}", tuple(f"{key}.{known}" for known in _KNOWN[key])), "mend its name"
                )
            if not isinstance(items, list) or not all(isinstance(item, str) and item.strip() for item in items):
                raise Unreadable(shown, f"`{key}.{name}` is a list of texts", "mend it")
    return Config(shown, tuple(table.get("verify", {}).get("probes", ())))


def _unknown(name: str, known: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, known, 1)
    return f"`{name}` is not known" + (f": did you mean `{close[0]}`?" if close else f" (there is {', '.join(known)})")
