"""Compose's short forms: volumes, ports, commands. Knows no service."""

from __future__ import annotations

import re

# Text, because not every file has all of these, and `re` keeps what it has compiled.
_DRIVE = r"[A-Za-z]:[\\/]"
_HOST_PATH = r"[./~\\]|\$\{?(?:PWD|HOME)\b|[A-Za-z]:[\\/]"
_PORT = r"(\d+)(?:-(\d+))?$"


_PROPAGATIONS = frozenset("shared rshared slave rslave private rprivate".split())


def parse_volume(text: str) -> tuple[str, str, str, bool, str]:
    """(kind, source, target, read only, propagation) of `[SOURCE:]TARGET[:MODE]` (compose-go, format/volume.go).

    The kind is "bind" or "volume".
    """
    parts: list[str] = []
    rest = text
    while rest:
        drive = re.match(_DRIVE, rest)
        end = rest.find(":", 2 if drive else _end_of_variable(rest))
        parts.append(rest if end == -1 else rest[:end])
        rest = "" if end == -1 else rest[end + 1 :]
    if len(parts) == 1:
        return "volume", "", parts[0], False, ""
    source, target = parts[0], parts[1]
    modes = parts[2].split(",") if len(parts) > 2 else []
    # A source that is only a variable may be either; a bind is the careful answer, for it can hold anything.
    kind = "bind" if re.match(_HOST_PATH, source) or source.startswith("$") or "/" in source else "volume"
    return kind, source, target, "ro" in modes, next((mode for mode in modes if mode in _PROPAGATIONS), "")


def _end_of_variable(text: str) -> int:
    """Where a leading ${...} ends, so that the colon of a default is not taken for a separator."""
    return text.find("}") if text.startswith("${") and "}" in text else 0


def parse_port(text: str) -> tuple[str, str, str, str]:
    """(address, host port, container port, protocol) of `[[ADDRESS:]HOST:]CONTAINER[/PROTOCOL]`; empty where not written."""
    rest, _, protocol = text.partition("/")
    parts: list[str] = []
    depth = 0
    for piece in rest.split(":"):
        # A colon in [::1] or in ${PORT:-80} separates nothing.
        if depth:
            parts[-1] += ":" + piece
        else:
            parts.append(piece)
        depth += piece.count("[") + piece.count("{") - piece.count("]") - piece.count("}")
    if len(parts) > 3:
        parts = [":".join(parts[:-2]), *parts[-2:]]
    address, published, container = [*[""] * (3 - len(parts)), *parts]
    return address.strip("[]"), published, container, protocol


def container_ports(text: str) -> tuple[int, ...]:
    """The container's ports in `[[IP:]HOST:]CONTAINER[/PROTOCOL]`; nothing where they are not known."""
    match = re.match(_PORT, text.rpartition("/")[0] if "/" in text else text)
    if not match:
        tail = text.partition("/")[0].rpartition(":")[2]
        match = re.match(_PORT, tail)
    if not match:
        return ()
    first, last = int(match[1]), int(match[2] or match[1])
    return tuple(range(first, min(last, first + 64) + 1))


def split_command(text: str) -> tuple[str, ...] | None:
    """The words of a command written as one string, as Compose splits it; None where the quotes do not close."""
    import shlex

    try:
        return tuple(shlex.split(text))
    except ValueError:
        return None
