"""Silences for all that is left: judge, write a comment above each place, judge again. Knows neither disk nor output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hardener import source as text_source
from hardener.discover import DOCKERFILE, Found
from hardener.errors import HardenError, Unreadable
from hardener.finding import Finding
from hardener.passes import DECLINED, Reply
from hardener.pipeline import Request, run
from hardener.plan import Identity
from hardener.proof import syntax_of
from hardener.report import FileChange, Outcome, Report, Status, Trouble
from hardener.rules import ids
from hardener.silence.add import add, checked
from hardener.source import Source

_ELSEWHERE = "let it be with a waiver in hardener.toml, or with a baseline"
#: Each round silences what the one before has left.
_MOST_ROUNDS = 6
_LEFT = (Status.HELD_BACK, Status.REFUSED, Status.REPORTED, Status.FAILED)


def add_ignores(request: Request, reason: str, *, fixes: bool) -> Report:
    """The report of a run after which nothing is left to report: what no fix removes is silenced, for a reason.

    With `fixes` the changes are fixes and comments, else comments alone, and what has a fix is left out of the report. Raises
    `UsageError` for a reason that cannot be written. What cannot be silenced by a comment is a trouble.
    """
    reason = checked(reason)
    first = run(request)
    sources = {found.name: source for found in request.files if (source := _text(found)) is not None}
    texts = dict(sources)
    report = first
    if fixes and first.changes:
        texts |= {change.before.path: change.after for change in first.changes}
        report = run(_with_texts(request, texts))
    troubles: tuple[Trouble, ...] = ()
    for _ in range(_MOST_ROUNDS):  # what is let be of one container may keep the fix of another from text that serves both
        before = dict(texts)
        troubles = tuple(_silence(report, reason, texts, {found.name: found.kind for found in request.files}))
        if texts == before:
            break
        report = run(_with_texts(request, texts))
    whys = {outcome.finding.identity: outcome.why for outcome in report.outcomes if outcome.status is Status.SILENCED}
    for outcome in report.outcomes:
        if outcome.status is not Status.SILENCED:
            whys.pop(outcome.finding.identity, None)
    outcomes = tuple(ended for outcome in first.outcomes if (ended := _ended(outcome, whys, fixes=fixes)) is not None)
    locations = {found.name: found.location for found in request.files}
    changes = tuple(
        FileChange(sources[path], texts[path], locations[path])
        for path in locations
        if path in texts and texts[path].text != sources[path].text
    )
    return first._replace(outcomes=outcomes, changes=changes, troubles=(*first.troubles, *troubles))


def with_silences(request: Request, report: Report, reasons: Mapping[Identity, str]) -> Report:
    """A report once more, in whose texts some findings are silenced, each for its reason; the fixes that it has are made again.

    What cannot be silenced by a comment is a trouble, and stays as it was.
    """
    made = {outcome.finding.identity for outcome in report.outcomes if outcome.status is Status.APPLIED}
    wanted: dict[str, dict[str, list[Finding]]] = {}
    for outcome in report.outcomes:
        if outcome.finding.identity in reasons:
            of_path = wanted.setdefault(outcome.finding.place.path, {})
            of_path.setdefault(checked(reasons[outcome.finding.identity]), []).append(outcome.finding)
    files = {found.name: found for found in request.files}
    sources = {path: source for path in wanted if (source := _text(files[path])) is not None}
    texts = dict(sources)
    troubles: list[Trouble] = []
    for path in sources:
        for reason, findings in wanted[path].items():
            moved = [_moved(finding, sources[path], texts[path]) for finding in findings]
            texts[path], refused = _added(texts[path], moved, reason, files[path].kind)
            troubles += [_trouble(finding, why) for finding, why in refused]
    again = _with_texts(request._replace(ask=lambda finding, _: Reply(finding.identity in made, DECLINED)), texts)
    after = run(again)
    changes = {change.before.path: change for change in after.changes}
    for path, text in texts.items():
        changed = changes[path].after if path in changes else text
        if changed.text != sources[path].text:
            changes[path] = FileChange(sources[path], changed, files[path].location)
    order = list(files)
    in_order = sorted(changes.values(), key=lambda change: order.index(change.before.path))
    return after._replace(changes=tuple(in_order), troubles=(*after.troubles, *troubles))


def _moved(finding: Finding, before: Source, now: Source) -> Finding:
    """A finding whose line has moved down, because only lines of comments were put above it."""
    line = before.text.split("\n")[finding.place.line - 1]
    ahead = before.text.split("\n")[: finding.place.line - 1].count(line)
    places = [number for number, text in enumerate(now.text.split("\n"), 1) if text == line]
    return finding._replace(place=finding.place._replace(line=places[ahead])) if ahead < len(places) else finding


def _silence(report: Report, reason: str, texts: dict[str, Source], kinds: Mapping[str, str]) -> Iterator[Trouble]:
    """Write comments into texts, by path, for what a report has left; what cannot be silenced so."""
    wanted: dict[str, list[Finding]] = {}
    about = ids("silence")
    for outcome in report.outcomes:
        finding = outcome.finding
        if outcome.status not in _LEFT or finding.rule in about:
            continue
        if finding.place.path in texts:
            wanted.setdefault(finding.place.path, []).append(finding)
        else:
            yield _trouble(finding, "its file was not asked for")
    for path, findings in wanted.items():
        texts[path], refused = _added(texts[path], findings, reason, kinds[path])
        yield from (_trouble(finding, why) for finding, why in refused)


def _added(source: Source, findings: list[Finding], reason: str, kind: str) -> tuple[Source, tuple[tuple[Finding, str], ...]]:
    syntax = syntax_of("stage" if kind == DOCKERFILE else "container")
    try:
        added = add(source, syntax.parse(source.text), findings, reason, syntax)
    except HardenError as error:
        return source, tuple((finding, str(error)) for finding in findings)
    return (source if added.text == source.text else source.with_text(added.text)), added.refused


def _trouble(finding: Finding, why: str) -> Trouble:
    return Trouble(
        finding.place.path, finding.place.line, f"{finding.rule} of {finding.subject} is not silenced: {why}", _ELSEWHERE
    )


def _ended(outcome: Outcome, whys: Mapping[Identity, str], *, fixes: bool) -> Outcome | None:
    """How a finding ended, now that comments silence some, by whom and why; None for one that is left to its fix."""
    if outcome.status is Status.APPLIED and fixes:
        return outcome
    why = whys.get(outcome.finding.identity, "")
    if why:
        return outcome._replace(status=Status.SILENCED, why=why)
    return None if outcome.status is Status.APPLIED else outcome


def _with_texts(request: Request, texts: Mapping[str, Source]) -> Request:
    """The same run over other texts."""
    files = tuple(found._replace(text=texts[found.name]) if found.name in texts else found for found in request.files)
    return request._replace(files=files)


def _text(found: Found) -> Source | None:
    try:
        return found.text or text_source.read(found.location, found.name)
    except Unreadable:
        return None
