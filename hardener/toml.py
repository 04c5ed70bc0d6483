"""TOML that strangers may have written, read within bounds. Knows nothing of what it says."""

from __future__ import annotations

import re
from typing import Any

#: A name of more parts than this is nobody's: Python's reader takes the square of their number, in time and memory.
_MOST_PARTS = 64
_LONG_NAME = re.compile(
    r"""(?<![A-Za-z0-9_.-])(?>(?>[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){%d}""" % _MOST_PARTS  # noqa: UP031
)


def parse(text: str) -> dict[str, Any]:
    """The tables of a text. Raises `ValueError` for what is no TOML, or nested deeper than anybody nests."""
    import tomllib

    found = _LONG_NAME.search(text)
    if found is not None:
        line = text.count("\n", 0, found.start()) + 1
        raise ValueError(f"A name of more than {_MOST_PARTS} parts (at line {line}, column 1)")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
