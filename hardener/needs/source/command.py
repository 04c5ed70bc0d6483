"""Programs of one kind (command). Not read yet."""

from __future__ import annotations

from hardener.needs.source.uses import Program, Read, Uses


def reader(program: Program, read: Read) -> Uses | None:
    """Knows no program yet."""
    return None
