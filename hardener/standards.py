"""What standards ask for, from one table of data: `standards.toml`. Knows no rule."""

from __future__ import annotations

import os
from functools import lru_cache

from hardener.record import NamedTuple


class Citation(NamedTuple):
    """An item of a standard or of a documentation that asks for a repair."""

    item: str
    title: str
    url: str


def citation(item: str) -> Citation:
    """The item of this name. Raises `KeyError` for one that is not in the table."""
    return citations()[item]


@lru_cache(maxsize=1)
def citations() -> dict[str, Citation]:
    """The whole table, by item."""
    import tomllib

    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "standards.toml"), "rb") as file:
        tables = tomllib.load(file)
    return {
        f"{table['name']} {item}".strip(): Citation(f"{table['name']} {item}".strip(), title, url_of(table["url"], item))
        for table in tables["standard"]
        for item, title in table["items"].items()
    }


def url_of(template: str, item: str) -> str:
    """The address of an item: the table's, with `{item}` filled in."""
    return template.replace("{item}", item)
