"""`harden.evidence.yaml` as it is written: what runs showed, as text. Knows the format, not where any of it comes from.

The same records give the same text: everything is sorted, and nothing says when. `hardener.needs.recorded` says what each
key means, and reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hardener.needs.proven import Proven
from hardener.needs.recorded import CIRCUMSTANCES, VERSION, Recorded
from hardener.syntax.yaml.scalars import written

_HEAD = "# What runs on a real engine showed. harden reads it for as long as what is `seen` stays the same.\n"
_STEP = "  "
_QUOTE = '"'


def dump(records: Mapping[str, Recorded], engine: str = "") -> str:
    """The file for these records, by service; `engine` is where those were seen that do not say so themselves.

    Cores are written with three decimals at most. Reading the text again gives the same `seen`, `proven` and `engine`.
    """
    services = {name: _service(record, engine) for name, record in sorted(records.items())}
    return _HEAD + "\n".join(_lines({"version": int(VERSION), "services": services}, "")) + "\n"


def _service(record: Recorded, engine: str) -> dict[str, Any]:
    seen = {key: record.seen[key] for key in CIRCUMSTANCES if key in record.seen}
    for key in ("mounts", "environment"):
        if key in seen:
            seen[key] = sorted(seen[key])
    if "files" in seen:
        seen["files"] = _sorted(seen["files"])
    found: dict[str, Any] = {"seen": seen}
    where = record.engine or engine
    if where:
        found["engine"] = where
    return found | dict(_facts(record.proven))


def _facts(proven: Proven) -> Iterator[tuple[str, Any]]:
    if proven.user:
        yield "user", proven.user
    if proven.capabilities is not None:
        yield "capabilities", _sorted(proven.capabilities) if any(proven.capabilities.values()) else sorted(proven.capabilities)
    if proven.read_only is not None:
        yield "read-only", proven.read_only
    if proven.tmpfs:
        yield "tmpfs", _sorted(proven.tmpfs)
    if proven.no_new_privileges is not None:
        yield "no-new-privileges", proven.no_new_privileges
    if proven.memory is not None:
        yield "memory", proven.memory
    if proven.cpus is not None:
        short = f"{proven.cpus:.3f}".rstrip("0")
        yield "cpus", f"{short}0" if short.endswith(".") else short
    if proven.pids is not None:
        yield "pids", proven.pids
    if proven.failed:
        yield "failed", _sorted(proven.failed)


def _sorted(mapping: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(mapping.items()))


def _lines(mapping: Mapping[str, Any], indent: str) -> Iterator[str]:
    """A mapping in block style, in the order that it has."""
    inside = indent + _STEP
    for key, value in mapping.items():
        name = f"{indent}{written(key, quote=_QUOTE)}:"
        if isinstance(value, (str, int)):
            yield f"{name} {written(value, quote=_QUOTE)}"
        elif not value:
            yield f"{name} {'{}' if isinstance(value, Mapping) else '[]'}"
        elif isinstance(value, Mapping):
            yield name
            yield from _lines(value, inside)
        else:
            yield name
            yield from (f"{inside}- {written(item, quote=_QUOTE)}" for item in value)
