"""What `harden --debug` tells: where the time of a run went, and each finding's way through the house. Knows no hazard.

A run has a trace only where somebody asked for one, so that nobody else pays for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import Any, TypeVar

from hardener.finding import Check, Finding
from hardener.plan import Plan

T = TypeVar("T")


class Trace:
    """Seconds by what they were spent on, and steps by finding, in the order in which they happened."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        #: How often each of them was asked.
        self.times: dict[str, int] = {}
        self.steps: dict[tuple[str, str, str], list[str]] = {}
        #: The subject of each finding, for people.
        self.subjects: dict[tuple[str, str, str], str] = {}

    def step(self, finding: Finding, text: str) -> None:
        """Note what befell a finding."""
        self.subjects.setdefault(finding.identity, finding.subject)
        self.steps.setdefault(finding.identity, []).append(text)

    def spent(self, what: str, work: Callable[[], T]) -> T:
        """Do some work, and count its time."""
        begun = perf_counter()
        try:
            return work()
        finally:
            self._count(what, perf_counter() - begun)

    def each(self, what: str, items: Iterable[T]) -> Iterator[T]:
        """The same items, with the time that it takes to make them counted."""
        waiting = iter(items)
        while True:
            begun = perf_counter()
            try:
                item = next(waiting)
            except StopIteration:
                return
            finally:
                self._count(what, perf_counter() - begun)
            yield item

    def asked(self, rule: str, check: Check, subject: Any, needs: Any) -> list[Finding]:
        """What a rule finds in one subject, with its time."""
        return self.spent(f"rule {rule}", lambda: list(check(subject, needs)))

    def planned(self, number: int, findings: Iterable[Finding], plan: Plan) -> None:
        """Note what a pass found, and what became of each: the next pass, if there is one, has judged the result anew."""
        chosen = {choice.finding.identity: choice for choice in plan.choices}
        others = {finding.identity: (status, why) for finding, status, why in plan.others}
        for finding in findings:
            place, identity = finding.place, finding.identity
            text = f"pass {number}: {place.path}:{place.line}: {finding.message}"
            if identity in chosen:
                edits = [f"{change.path}: {change.operation}" for change in chosen[identity].changes]
                text += f": {finding.fix.summary if finding.fix else ''}: {'; '.join(edits) or 'another writes it, too'}"
            elif identity in others:
                status, why = others[identity]
                text += f": {status.value}{f': {why}' if why else ''}"
            else:
                text += ": waits for the next pass"
            self.step(finding, text)
            for item in finding.fix.evidence if finding.fix and number == 1 else ():
                self.step(finding, f"        {item.strength.name.lower()}: {item.claim} [{item.source}]")

    def _count(self, what: str, seconds: float) -> None:
        self.seconds[what] = self.seconds.get(what, 0.0) + seconds
        self.times[what] = self.times.get(what, 0) + 1
