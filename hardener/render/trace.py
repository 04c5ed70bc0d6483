"""A trace as text, for whoever asks why: the way of each finding, then the time of each room and rule. Knows no hazard."""

from __future__ import annotations

from collections.abc import Iterator

from hardener.render.summary import clean, count
from hardener.trace import Trace

#: What the times of rules begin with, among those of rooms.
RULE = "rule "


def render(trace: Trace) -> str:
    """The whole trace, without a last line end."""
    return "\n".join((*_ways(trace), *_times(trace)))


def _ways(trace: Trace) -> Iterator[str]:
    for identity, steps in sorted(trace.steps.items(), key=lambda item: (item[0][1], item[0][2], item[0][0])):
        rule, path, _ = identity
        yield clean(f"{rule} of {trace.subjects[identity]} in {path}")
        yield from (clean(f"  {step}") for step in steps)
    if trace.steps:
        yield ""


def _times(trace: Trace) -> Iterator[str]:
    rooms = {what: seconds for what, seconds in trace.seconds.items() if not what.startswith(RULE)}
    rules = {what.removeprefix(RULE): seconds for what, seconds in trace.seconds.items() if what.startswith(RULE)}
    for heading, times, prefix in (("Time of each room", rooms, ""), ("Time of each rule", rules, RULE)):
        if not times:
            continue
        yield f"{heading} (ms)"
        width = max(map(len, times))
        for what, seconds in sorted(times.items(), key=lambda item: -item[1]):
            yield f"  {what:{width}}  {seconds * 1000:9.2f}  {count(trace.times[prefix + what], 'time')}"
