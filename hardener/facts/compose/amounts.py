"""How Compose writes amounts: bytes, CPUs, counts. Knows no service."""

from __future__ import annotations

import re

# Text, because most files have no amounts, and `re` keeps what it has compiled.
_BYTES = r"(?i)^\s*(\d+(?:\.\d+)?)\s*([kmgtp]?)(i?b)?\s*$"
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4, "p": 1024**5}


def parse_bytes(text: str) -> float | None:
    """Bytes in an amount such as `512M`, `1gb` or `64m` (docker/go-units, RAMInBytes); None when it is none."""
    match = re.match(_BYTES, text)
    return float(match[1]) * _UNITS[match[2].lower()] if match else None


def parse_number(text: str) -> float | None:
    """A count or a number of CPUs; None when it is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value == value and abs(value) != float("inf") else None


def write_bytes(count: float) -> str:
    """Bytes as a person writes them, in the largest unit that divides them."""
    whole = int(count)
    for unit, size in (("G", 1024**3), ("M", 1024**2), ("K", 1024)):
        if whole >= size and whole % size == 0:
            return f"{whole // size}{unit}"
    return str(whole)
