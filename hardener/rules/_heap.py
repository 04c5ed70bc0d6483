"""What the rules about heaps have in common: a container's limit, its own words, misfits, and how an option is added."""

from __future__ import annotations

from hardener.errors import CannotWrite
from hardener.facts.container import Container, Setting
from hardener.finding import Change, Evidence, Finding, Fix, Want
from hardener.needs.needs import Needs
from hardener.rules._heap_options import Told, fits, jvm_told, least_limit, node_told, share

_BEFORE_PROGRAMS = frozenset("sh bash ash dash /bin/sh /bin/bash -c -ec -lc exec tini dumb-init --".split())


def limit_of(container: Container) -> float:
    """The memory limit in MiB; 0 where there is none, or it is not known."""
    amount = container.memory.effective
    return amount.number / 1048576 if amount is not None and amount.number > 0 else 0.0


def words_of(container: Container) -> list[str]:
    """The words of entrypoint and command; those of `sh -c` are taken apart."""
    return " ".join((*(container.entrypoint or ()), *(container.command or ()))).split()


def program(words: list[str]) -> str:
    """The first word that is no shell and no init, without its folder."""
    return next((word.rpartition("/")[2] for word in words if word not in _BEFORE_PROGRAMS), "")


def least_memory(container: Container) -> int:
    """The least limit in MiB for the heap that somebody wrote for a JVM or Node in this container; 0 where nobody did."""
    texts = [" ".join(words_of(container)), *(value for value in container.environment.values() if value)]
    found = [jvm_told(text.split(), 0) for text in texts if "-Xmx" in text or "-XX:MaxHeapSize" in text]
    found += [node_told(text.split(), 0) for text in texts if "old-space-size" in text or "old_space_size" in text]
    return max((least_limit(told.mib) for told in found if told is not None and told.mib), default=0)


def misfit(rule: str, container: Container, told: Told, where: str, limit: float) -> Finding | None:
    """The finding for a heap that somebody sized and that does not fit the limit."""
    heap = told.mib
    if heap is None or fits(heap, limit):
        return None
    said = f"{told.option} in {where}"
    if heap >= limit:
        message = f"lets its heap grow to {heap:.0f} MiB ({said}), but may use {limit:.0f} MiB in all"
    else:
        message = f"leaves {limit - heap:.0f} MiB beside a heap of {heap:.0f} MiB ({said}) under its limit of {limit:.0f} MiB"
    place = container.variable(where).place if where in container.environment else container.memory.place
    return Finding(rule, container.subject, place, message, advice=way_out(heap, limit), key=container.key)


def way_out(heap: float, limit: float) -> str:
    """What to do about a heap that does not fit."""
    return f"raise the limit to {least_limit(heap)} MiB, or lower the heap to {limit * share(limit) / 100:.0f} MiB"


def add_option(container: Container, needs: Needs, variable: str, options: str, limit: float, missing: str = "") -> Fix:
    """The fix that adds options to a variable.

    It is SAFE only where a profile was read that names the variable and a sufficient amount of memory: the heap grows into
    what the program takes beside it, so a variable that is really read is not enough to know.
    """
    heap, memory = needs.heap, needs.memory if needs.holds else None
    evidence = [heap.evidence if heap is not None else Evidence(f"{variable} is read by the runtime itself", "its documentation")]
    if memory is not None:
        evidence.append(memory.evidence)
    return Fix(
        f"size the heap by the limit: {variable} {options}",
        (Want(Extended(container, variable), options),),
        evidence=tuple(evidence),
        missing=missing or _missing(needs, limit),
    )


def _missing(needs: Needs, limit: float) -> str:
    if not needs.holds:
        return needs.why_not or "nobody has looked at this image"
    if needs.heap is None:
        return "its profile does not say what sizes its heap"
    if needs.memory is None:
        return "what the program takes beside its heap is not known"
    return f"its profile asks for {needs.memory.amount:.0f} MiB of memory" if needs.memory.amount > limit else ""


class Extended(Setting[str]):
    """A variable with options, to which some are added."""

    __slots__ = ("_container", "_name")

    def __init__(self, container: Container, name: str) -> None:
        super().__init__("", written=name in container.environment, place=container.variable(name).place)
        self._container = container
        self._name = name

    def to(self, new: str) -> tuple[Change, ...]:
        """Write the variable with these options after what it has. Raises `CannotWrite` where that is not in these files."""
        text = next((variable.text for variable in self._container.variables if variable.name == self._name), None)
        if text is None and self.written:
            raise CannotWrite(f"{self._name} gets its value outside this file: add `{new}` there")
        if text and "$" in text:
            raise CannotWrite(f"{self._name} is decided outside this file, through {text}")
        return self._container.variable(self._name).to(f"{text} {new}" if text else new)
