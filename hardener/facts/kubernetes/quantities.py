"""How Kubernetes writes amounts, and how limits are written. Knows no rule and no amount."""

from __future__ import annotations

import re

from hardener.errors import CannotWrite
from hardener.facts.container import Amount, Setting
from hardener.facts.kubernetes.pod import Member
from hardener.facts.merged import text_of
from hardener.finding import Change
from hardener.syntax.yaml import Commented, Value

# Text, because most pods have no amounts, and `re` keeps what it has compiled.
_QUANTITY = r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,2}))?$"
_UNITS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18} | {
    f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", 1)
}
_MIB = 1024 * 1024
#: What is asked for where a limit is written and nothing is asked for: otherwise the limit itself would count as that, and
#: pods would no longer fit on their nodes. The mission's figures.
_REQUESTS = {"memory": 128.0 * _MIB, "cpu": 0.1}


def parse_quantity(text: str) -> float | None:
    """The number in an amount such as `512Mi`, `500m` or `1e3` (apimachinery, resource/quantity.go); None for no amount."""
    match = re.match(_QUANTITY, text.strip()) if len(text) < 40 else None
    if match is None:
        return None
    number, unit, exponent = match.groups()
    return float(number) * (10.0 ** int(exponent) if exponent else _UNITS[unit or ""])


def write_memory(count: float) -> str:
    """Bytes as people write them here, in the largest unit that divides them."""
    whole = int(count)
    for unit, size in (("Gi", 1024**3), ("Mi", 1024**2), ("Ki", 1024)):
        if whole >= size and whole % size == 0:
            return f"{whole // size}{unit}"
    return str(whole)


def write_cpu(cores: float) -> str:
    """Cores, in thousandths where they are not whole."""
    return str(int(cores)) if cores == int(cores) else f"{round(cores * 1000)}m"


def requested(member: Member, name: str) -> float:
    """What is kept for a container: bytes or cores; 0 for none. A limit alone counts as a request."""
    return parse_quantity(member.text("resources", "requests", name) or member.text("resources", "limits", name) or "") or 0.0


class Limit(Setting[Amount | None]):
    """`resources.limits.memory` or `.cpu`."""

    __slots__ = ("_autoscaler", "_limit_range", "_member", "_name")

    def __init__(self, member: Member, name: str, autoscaler: str = "", limit_range: str = "") -> None:
        found = member.find("resources", "limits", name)
        text = text_of(found.node) if found else None
        number = parse_quantity(text) if text is not None else None
        # What cannot be read, such as a variable, is somebody's limit of unknown amount; zero means without.
        effective = None if text is None or number == 0 else Amount(number if number is not None else -1.0, text)
        super().__init__(effective, written=found is not None, place=member.place_of(found), wording=f"resources.limits.{name}")
        self._autoscaler = autoscaler
        self._limit_range = limit_range
        self._member = member
        self._name = name

    def to(self, new: Amount | None) -> tuple[Change, ...]:
        """Write the limit, and a request below it where none is written. Raises `CannotWrite` for taking one away."""
        if new is None:
            raise CannotWrite("a limit is never taken away")
        if self._member.list == "ephemeralContainers":
            raise CannotWrite("the API server refuses `resources` of an ephemeral container")
        if self._limit_range:
            raise CannotWrite(f"the LimitRange in {self._limit_range} bounds what it may ask for: decide on both together")
        write = write_memory if self._name == "memory" else write_cpu
        value: Value = _plain(write(new.number), new.why)
        member, name = self._member, self._name
        changes: tuple[Change, ...] = ()
        if self._autoscaler and (self._autoscaler.startswith("V") or member.find("resources", "requests", name) is None):
            raise CannotWrite(f"a {self._autoscaler} goes by what it requests: decide on request and limit together with that")
        if member.find("resources", "requests", name) is None:
            if member.pod.is_queued:  # "resource memory unavailable in ClusterQueue" (kueue, flavorassigner.go@ff69552)
                asks = "CPU time" if name == "cpu" else name
                said = f"Kueue starts nothing that requests {asks} where its queue has no quota of that"
                raise CannotWrite(f"{said}: decide on request, limit and quota together")
            request: Value = _plain(write(min(new.number, _REQUESTS[name])), "")
            changes = member.put(("resources", "requests", name), request)
        return changes + member.put(("resources", "limits", name), value)


def _plain(text: str, why: str) -> Value:
    """An amount as a value: a whole number of cores is written as one."""
    value: Value = int(text) if text.isdecimal() else text
    return Commented(value, why) if why else value
