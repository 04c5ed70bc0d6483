"""What a configuration says, key by key, each with its place, for people. Knows no command and no terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hardener.config.find import SHARED_FILE
from hardener.config.keys import KEYS, NAMED, TABLES, Key
from hardener.config.model import Config
from hardener.config.positions import Path
from hardener.config.read import Told, shown
from hardener.record import NamedTuple
from hardener.source import read


class Row(NamedTuple):
    """One key: the header of its table, empty at the top; its value as TOML; and where that is said, empty for a default."""

    section: str
    name: str
    value: str
    source: str


def rows(config: Config) -> list[Row]:
    """What holds: all keys that have a default, and those that are said."""
    if not config.path:
        return list(_rows(None, {}, KEYS, ()))
    location = os.path.join(config.folder, os.path.basename(config.path))
    told = Told(read(location, config.path), shared=os.path.basename(location) == SHARED_FILE)
    return list(_rows(told, told.table or {}, KEYS, ()))


def _rows(told: Told | None, table: Mapping[str, Any], keys: Sequence[Key], path: Path, header: str = "") -> Iterator[Row]:
    for key in keys:
        whole = (*path, key.name)
        if key.kind is not None:
            if key.name in table:
                yield Row(header, key.name, toml(table[key.name]), told.source(whole) if told else "")
            elif key.default is not None:
                yield Row(header, key.name, toml(key.default), "")
            continue
        inner = table.get(key.name, {})
        if key.form == TABLES:
            for number, item in enumerate(inner):
                yield from _said(told, item, key, (*whole, number), f"[[{shown(whole)}]]")
        elif key.form == NAMED:
            for name, item in inner.items():
                yield from _said(told, item, key, (*whole, name), f"[{shown((*whole, name))}]")
        else:
            yield from _rows(told, inner, key.keys, whole, f"[{shown(whole)}]")


def _said(told: Told | None, table: Mapping[str, Any], key: Key, path: Path, header: str) -> Iterator[Row]:
    """What one of several tables says: there, what is not said has no default."""
    for row in _rows(told, table, key.keys, path, header):
        if row.source:
            yield row


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, str):
        from json import dumps

        return dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
