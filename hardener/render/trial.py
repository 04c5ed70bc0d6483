"""What a trial showed, as text for people. Pure: a verdict in, text out."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from hardener.record import NamedTuple
from hardener.render.summary import clean

if TYPE_CHECKING:
    from hardener.trial.verdict import Tried, Verdict
    from hardener.trial.watch import Announced

#: Lines of a list before the rest is only counted.
_MANY = 12


class Style(NamedTuple):
    """How it is shown."""

    width: int = 80
    written: bool = False
    #: The name of the file with what was seen; empty for none.
    record: str = ""


def announcement(announced: Announced, width: int) -> str:
    """What is about to happen: that things of the project are run, and what they could reach."""
    services = ", ".join(f"{name} (built)" if name in announced.built else name for name in announced.services)
    lines = [
        f"harden verify: builds and runs {services} on {announced.engine.text}, {announced.engine.cores} cores, "
        f"{announced.engine.memory / 1024:.0f} GiB; Compose {announced.compose.version}",
        "It works on a copy, under a name of its own, on empty volumes, and publishes on the loopback address only.",
    ]
    lines += [f"What is run can reach: {hint}" for hint in announced.hints]
    lines += [f"It shares with this machine: {_about(note.service, note.text)}" for note in announced.shared]
    return "\n".join(_wrapped(line, width) for line in lines)


def line(tried: Tried, width: int) -> str:
    """One life of the stack."""
    took = f"{tried.seconds:.0f} s"
    if not tried.failed:
        return _wrapped(f"ok      {tried.what}  ({took})", width, "  ", " " * 10)
    said = "; ".join(_about(complaint.service, complaint.text) for complaint in tried.complaints[:3])
    return _wrapped(f"failed  {tried.what}  ({took}, {tried.failed}): {said}", width, "  ", " " * 10)


def render(verdict: Verdict, style: Style) -> str:
    """The whole report."""
    return "\n".join(_lines(verdict, style))


def _lines(verdict: Verdict, style: Style) -> Iterator[str]:
    originals = sum(tried.what.startswith("the original") for tried in verdict.tried)
    trials = len(verdict.tried) - originals
    minutes = f"{verdict.seconds / 60:.1f} min" if verdict.seconds >= 60 else f"{verdict.seconds:.0f} s"
    runs = f"{len(verdict.tried)} run{'s' if len(verdict.tried) != 1 else ''} ({originals} of the original, {trials} hardened)"
    yield _wrapped(f"{runs}, {verdict.starts} container starts, {minutes}", style.width)
    if verdict.stopped:
        yield ""
        yield _wrapped(f"Nothing was proved, and nothing is written: {verdict.stopped}", style.width)
    if verdict.held:
        yield ""
        yield _wrapped("Held: the stack does its job with this, cold, restarted and made anew", style.width, rest="")
        by_service: dict[str, list[str]] = {}
        for (service, _), words in sorted(verdict.held.items()):
            by_service.setdefault(service, []).append(words)
        for service, all_words in by_service.items():
            yield _wrapped(f"{service}: {'; '.join(all_words)}", style.width, "  ", "    ")
    if verdict.steps:
        yield ""
        yield "Broke, and what mended it"
        from hardener.trial.steps import described

        for step in verdict.steps:
            where = step.phase or "in its log"
            yield _wrapped(f"{_about(step.complaint.service, step.complaint.text)} ({where})", style.width, "  ", "    ")
            yield _wrapped(f"mended: {described(step.remedy)}", style.width, "    ", "      ")
    yield from _list(
        "Not tried, or not decided", (f"{service}: {rule}: {why}" for (service, rule), why in sorted(verdict.left.items())), style
    )
    yield from _list("Flaky", verdict.flaky, style)
    yield from _list(
        "New in the logs, and harmless as far as was asked", (_about(one.service, one.text) for one in verdict.noises), style
    )
    yield from _list("Written, but not carried out by this engine", (_about(*one) for one in verdict.unenforced), style)
    yield from _list(
        "Not exercised: this proves nothing about", (_about(one.service, one.text) for one in verdict.not_exercised), style
    )
    orders = (order.removeprefix("before the next start: ") for order in verdict.migrations)
    yield from _list("Before the next start, for data that is there already", orders, style)
    if verdict.report.troubles:
        yield ""
        for trouble in verdict.report.troubles:
            yield _wrapped(f"{trouble.path}: {trouble.reason} ({trouble.remedy})", style.width)
    if not verdict.stopped:
        yield ""
        yield _wrapped(_ending(verdict, style), style.width)


def _ending(verdict: Verdict, style: Style) -> str:
    files = ", ".join(change.before.path for change in verdict.report.changes)
    if not files:
        return "Nothing is left to change." if not style.written else "Nothing was left to change."
    if style.written:
        return f"Written: {files}{f', and what was seen to {style.record}' if style.record else ''}."
    return f"This would change {files}: --write writes it, --diff shows it."


def _list(title: str, items: Iterable[str], style: Style) -> Iterator[str]:
    found = list(items)
    if found:
        yield ""
        yield _wrapped(title, style.width, rest="")
        yield from (_wrapped(item, style.width, "  ", "    ") for item in found[:_MANY])
        if len(found) > _MANY:
            yield f"  and {len(found) - _MANY} more"


def _about(service: str, text: str) -> str:
    return f"{service}: {text}" if service else text


def _wrapped(text: str, width: int, first: str = "", rest: str = "  ") -> str:
    return textwrap.fill(
        clean(text), width, initial_indent=first, subsequent_indent=rest, break_long_words=True, break_on_hyphens=False
    )
