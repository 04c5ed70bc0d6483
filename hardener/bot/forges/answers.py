"""What stands in an answer of JSON, which is what a stranger says: what has another shape than expected counts as not there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def at(data: Any, *keys: str) -> Any:
    """What stands in objects within objects; None where something on the way is not there."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def objects(data: Any, *keys: str) -> list[dict[str, Any]]:
    """The objects of a list there, and nothing else of it."""
    found = at(data, *keys)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def text(data: Any, *keys: str) -> str:
    """The text there; empty where there is none."""
    found = at(data, *keys)
    return found if isinstance(found, str) else ""


def number(data: Any, *keys: str, none: int = 0) -> int:
    """The whole number there."""
    found = at(data, *keys)
    return found if isinstance(found, int) and not isinstance(found, bool) else none


def time(data: Any, *keys: str) -> datetime:
    """The time there, in UTC; long ago where there is none."""
    try:
        found = datetime.fromisoformat(text(data, *keys))
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the latter for the first and the last day that there are, elsewhere
        return datetime.fromtimestamp(0, UTC)
