"""`harden config [PATH]`: which configuration holds, what it says, and where; or the schema for editors. Knows no rule."""

from __future__ import annotations

import os
from collections.abc import Iterator

from hardener.cli.terminal import emit, say
from hardener.config.told import Row, rows
from hardener.errors import UsageError
from hardener.render.summary import clean
from hardener.scopes import Chosen, config_for


def run(path: str, chosen: Chosen, *, schema: bool, keys: bool) -> int:
    """Print what holds for a path, key by key; or the schema, or the page about all keys.

    Raises `UsageError` and `Unreadable` as any run would.
    """
    if keys:
        from hardener.config.page import page

        emit(page().encode())
        return 0
    if schema:
        from hardener.config.schema import FILE

        with open(FILE, "rb") as file:
            emit(file.read())
        return 0
    if not os.path.lexists(path):
        raise UsageError(f"{path}: there is no such file or folder")
    config = config_for(path, chosen)
    holds = f"{config.path} holds for {path}" if config.path else f"no configuration holds for {path}: this is what harden does"
    for line in (holds, *_lines(rows(config))):
        say(clean(line), error=False)
    return 0


def _lines(told: list[Row]) -> Iterator[str]:
    section = ""
    for row in told:
        if row.section != section:
            section = row.section
            yield ""
            yield section
        elif row is told[0]:
            yield ""
        yield f"{row.name} = {row.value}  # {row.source or 'default'}"
