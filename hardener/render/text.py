"""The report for people. Knows how it reads best, not how it came about.

First what has a fix or asks for a decision, file by file and subject by subject; then what is held back, with the
command that would apply it; what was refused; what is low and has no fix, hazard by hazard; what is silenced, by whom; what could
not be read; then why each hazard matters, once; and the counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from hardener.finding import Evidence, Rule, Severity
from hardener.render.formats import Run
from hardener.render.summary import clean, count, filled, problem, summary
from hardener.report import IN_BASELINE, Outcome, Report, Status

COLOURS = {Severity.LOW: "36", Severity.MEDIUM: "33", Severity.HIGH: "31", Severity.CRITICAL: "1;31"}
_ENDED = {
    Status.APPLIED: "fix",
    Status.HELD_BACK: "held back",
    Status.REFUSED: "refused",
    Status.FAILED: "taken back",
    Status.REPORTED: "no fix",
    Status.SILENCED: "silenced",
}
_SEVERITY_WIDTH = len("critical")
#: So many places of one hazard are named that one and the same silence lets be.
_MOST_SILENCED = 8


def render(report: Report, run: Run) -> str:
    """The report as text; `run.brief` makes it a line for each finding."""
    page = _Page(run)
    if run.brief:
        _brief(report, page)
    else:
        _findings(report, page)
        _held_back(report, page)
        _undone(report, Status.REFUSED, "Refused: these fixes are not made", page)
        _undone(report, Status.FAILED, "Taken back: the fix did not hold what it promised", page)
        rules = tuple(run.rules())
        _minor(report, rules, page)
        _silenced(report, page)
        _problems(report, page)
        _reasons(report, rules, page)
    page.gap()
    page.add(page.paint("1", clean(summary(report, written=run.written))))
    return "\n".join(page.lines) + "\n"


class _Page:
    """Lines so far, and how to add one."""

    __slots__ = ("lines", "run")

    def __init__(self, run: Run) -> None:
        self.run = run
        self.lines: list[str] = []

    def paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.run.colour and text else text

    def gap(self) -> None:
        if self.lines and self.lines[-1]:
            self.lines.append("")

    def heading(self, text: str) -> None:
        self.gap()
        self.lines.append(self.paint("1", text))

    def add(self, line: str) -> None:
        self.lines.append(line)

    def wrapped(self, text: str, indent: int, lead: str = "", code: str = "") -> None:
        """Words filled into lines; `lead` stands before the first, and its width before the others."""
        room = max(20, self.run.width - indent - len(lead))
        for number, line in enumerate(filled(clean(text), room)):
            start = lead if not number else " " * len(lead)
            self.lines.append(" " * indent + (self.paint(code, start) if code and not number else start) + line)

    def row(self, outcome: Outcome, place: str, indent: int, rule_width: int) -> None:
        """One finding: severity, rule, message."""
        finding = outcome.finding
        severity = outcome.severity.name.lower()
        lead = f"{severity:{_SEVERITY_WIDTH}}  {finding.rule:{rule_width}}  "
        painted = self.paint(COLOURS[outcome.severity], severity) + lead[len(severity) :]
        message = clean(finding.message + (f" (line {place})" if place else ""))
        room = self.run.width - indent - len(lead)
        if room >= 24:
            first, *others = filled(message, room)
            self.lines.append(" " * indent + painted + first)
            self.lines += [" " * (indent + len(lead)) + line for line in others]
        else:
            self.lines.append((" " * indent + painted).rstrip())
            self.wrapped(message, indent + 2)


def _subjects(outcomes: Iterable[Outcome]) -> Iterator[list[Outcome]]:
    """The outcomes of each file's subjects, in the order in which they first come up, the worst first."""
    files: dict[str, dict[str, list[Outcome]]] = {}
    for outcome in outcomes:
        files.setdefault(outcome.finding.place.path, {}).setdefault(outcome.finding.subject, []).append(outcome)
    for subjects in files.values():
        for group in subjects.values():
            yield sorted(group, key=lambda outcome: (-outcome.severity, outcome.finding.rule, outcome.finding.place))


def _place(outcomes: Sequence[Outcome]) -> tuple[str, int]:
    """Where a subject's findings begin, as a link that editors follow, and the line of it."""
    first = min(outcome.finding.place for outcome in outcomes)
    return clean(f"{first.path}:{first.line}:{first.column}"), first.line


def _title(outcomes: Sequence[Outcome], page: _Page, note: str) -> int:
    """The line above a subject's findings; returns the line number that it names."""
    place, line = _place(outcomes)
    subject = clean(outcomes[0].finding.subject)
    page.add(f"{place}  {page.paint('1', subject)}{': ' if note else ''}{note}")
    return line


def _row(outcome: Outcome, line: int, page: _Page, rule_width: int) -> None:
    place = outcome.finding.place
    page.row(outcome, "" if place.line == line else f"{place.line}", 2, rule_width)


def _findings(report: Report, page: _Page) -> None:
    """What has a fix that is applied, and what a person has to decide."""
    counted = (outcome for outcome in report.outcomes if outcome.status is not Status.SILENCED)
    everything = {(group[0].finding.place.path, group[0].finding.subject): group for group in _subjects(counted)}
    urgent = (o for o in report.outcomes if o.status in (Status.APPLIED, Status.REPORTED) and not _is_minor(o))
    for outcomes in _subjects(urgent):
        finding = outcomes[0].finding
        whole = everything[finding.place.path, finding.subject]
        page.gap()
        line = _title(outcomes, page, _counted(whole, page.run.written))
        rule_width = max(len(outcome.finding.rule) for outcome in outcomes)
        shown: set[Evidence] = set()
        ordered = sorted(outcomes, key=lambda outcome: outcome.status is Status.REPORTED)
        # Findings with one and the same way out share its line.
        for way_out, same in groupby(ordered, key=lambda o: "" if o.status is Status.APPLIED else o.finding.advice):
            for outcome in same:
                _row(outcome, line, page, rule_width)
                if outcome.status is Status.APPLIED:
                    _fix(outcome, page, shown)
            if way_out:
                page.wrapped(way_out, 4, "what to do: ", "36")


def _counted(outcomes: Sequence[Outcome], written: bool) -> str:
    """How many findings a subject has, and how they ended."""
    number = dict.fromkeys(Status, 0)
    for outcome in outcomes:
        number[outcome.status] += 1
    applied = count(number[Status.APPLIED], "fix", "fixes") + (" written" if written else "")
    parts = [applied] if number[Status.APPLIED] else []
    undone = (Status.HELD_BACK, Status.REFUSED, Status.FAILED)
    parts += [f"{number[status]} {_ENDED[status]}" for status in undone if number[status]]
    return count(len(outcomes), "finding") + (f", {', '.join(parts)}" if parts else "")


def _fix(outcome: Outcome, page: _Page, shown: set[Evidence]) -> None:
    """What is changed and why it is safe to; evidence that the subject's other fixes rest on too is given once."""
    fix = outcome.finding.fix
    if fix is None:
        return
    page.wrapped(fix.summary, 4, "fix: ", "32")
    claims: dict[str, list[str]] = {}
    for item in fix.evidence:
        if item not in shown:
            claims.setdefault(item.source, []).append(item.claim)
            shown.add(item)
    if claims:
        grounds = ("; ".join(told) + (f" [{source}]" if source else "") for source, told in claims.items())
        page.wrapped("; ".join(grounds), 4, "because ")
    if fix.missing:
        page.wrapped(fix.missing, 4, "not known: ", "33")
    if fix.migration:
        page.wrapped(fix.migration, 4, "you do: ", "33")


def _held_back(report: Report, page: _Page) -> None:
    """Fixes whose evidence is incomplete: what is missing, and the command that shows them."""
    held = [outcome for outcome in report.outcomes if outcome.status is Status.HELD_BACK]
    if not held:
        return
    page.heading("Held back: these fixes may be right, but evidence for them is missing")
    for path, subjects in groupby(_subjects(held), key=lambda group: group[0].finding.place.path):
        for outcomes in subjects:
            page.gap()
            line = _title(outcomes, page, "")
            rule_width = max(len(outcome.finding.rule) for outcome in outcomes)
            by_reason: dict[str, list[Outcome]] = {}
            for outcome in outcomes:
                by_reason.setdefault(outcome.why or "evidence about this workload that was read or seen", []).append(outcome)
            for missing, same in by_reason.items():
                for outcome in same:
                    fix = outcome.finding.fix
                    shown = outcome.finding._replace(message=fix.summary) if fix else outcome.finding
                    _row(outcome._replace(finding=shown), line, page, rule_width)
                page.wrapped(missing, 4, "missing: ", "33")
                for migration in dict.fromkeys(
                    o.finding.fix.migration for o in same if o.finding.fix and o.finding.fix.migration
                ):
                    page.wrapped(migration, 4, "you do: ", "33")
        page.add(f"  to see them: {page.paint('36', f'harden --diff --unsafe-fixes {_for_shell(path)}')}")


def _undone(report: Report, status: Status, heading: str, page: _Page) -> None:
    undone = [outcome for outcome in report.outcomes if outcome.status is status]
    if not undone:
        return
    page.heading(heading)
    for outcomes in _subjects(undone):
        page.gap()
        line = _title(outcomes, page, "")
        rule_width = max(len(outcome.finding.rule) for outcome in outcomes)
        by_reason: dict[tuple[str, str], list[Outcome]] = {}
        for outcome in outcomes:
            by_reason.setdefault((outcome.why, outcome.finding.advice), []).append(outcome)
        for (why, advice), same in by_reason.items():
            for outcome in same:
                _row(outcome, line, page, rule_width)
            if why:
                page.wrapped(why, 4, "because ")
            if advice:
                page.wrapped(advice, 4, "what to do: ", "36")


def _is_minor(outcome: Outcome) -> bool:
    return outcome.status is Status.REPORTED and outcome.severity is Severity.LOW


def _minor(report: Report, rules: Iterable[Rule], page: _Page) -> None:
    """What is low and has no fix: by hazard, because it is the same for most subjects and must not hide the rest."""
    minor = sorted((o for o in report.outcomes if _is_minor(o)), key=lambda o: o.finding.rule)
    if not minor:
        return
    page.heading("Also reported: low, and without a fix")
    titles = {rule.id: rule.title for rule in rules}
    for rule, outcomes in groupby(minor, key=lambda o: o.finding.rule):
        page.gap()
        page.wrapped(titles.get(rule, ""), 2, f"{rule}  ", COLOURS[Severity.LOW])
        by_advice: dict[str, list[Outcome]] = {}
        for outcome in outcomes:
            by_advice.setdefault(outcome.finding.advice, []).append(outcome)
        for advice, same in by_advice.items():
            for path, found in groupby(same, key=lambda o: o.finding.place.path):
                page.wrapped(
                    ", ".join(f"{o.finding.subject} (line {o.finding.place.line})" for o in found), 4, f"{clean(path)}: "
                )
            if advice:
                page.wrapped(advice, 6, "what to do: ", "36")


def _silenced(report: Report, page: _Page) -> None:
    """What is let be: by who says so and why, and below that by hazard."""
    by_whom: dict[str, dict[str, list[Outcome]]] = {}
    for outcome in report.outcomes:
        if outcome.status is Status.SILENCED:
            by_whom.setdefault(outcome.why, {}).setdefault(outcome.finding.rule, []).append(outcome)
    if by_whom:
        page.heading("Silenced: these findings are let be")
    for why, rules in by_whom.items():
        if why.startswith(IN_BASELINE):  # so many, and the same each day, that they would hide what is new
            number = sum(map(len, rules.values()))
            page.wrapped(f"{why}: {count(number, 'finding')} of {count(len(rules), 'hazard')}", 2)
            continue
        page.wrapped(why, 2)
        for rule, outcomes in rules.items():
            found: dict[str, list[str]] = {}
            for outcome in outcomes[:_MOST_SILENCED]:
                place = outcome.finding.place
                found.setdefault(outcome.finding.subject, []).append(f"{place.path}:{place.line}")
            told = ", ".join(f"{subject} ({', '.join(places)})" for subject, places in found.items())
            more = len(outcomes) - _MOST_SILENCED
            page.wrapped(told + (f" and {more} more" if more > 0 else ""), 4, f"{rule}  ")


def _problems(report: Report, page: _Page) -> None:
    for heading, troubles in (("Not read or not edited", report.troubles), ("Not judged", report.notes)):
        if troubles:
            page.heading(heading)
            for trouble in troubles:
                page.wrapped(f"{trouble.at}: {trouble.reason}", 2)
                if trouble.remedy:
                    page.wrapped(trouble.remedy, 4, "what to do: ", "36")


def _reasons(report: Report, rules: Iterable[Rule], page: _Page) -> None:
    """Why each hazard that was found matters, and who says so: once for each, the worst first."""
    found = {outcome.finding.rule for outcome in report.outcomes if outcome.status is not Status.SILENCED}
    named = sorted((rule for rule in rules if rule.id in found), key=lambda rule: (-rule.severity, rule.id))
    if not named:
        return
    page.heading("Why it matters (`harden explain RULE` says more)")
    width = max(len(rule.id) for rule in named)
    for rule in named:
        cites = f" ({', '.join(rule.cites)})" if rule.cites else ""
        page.wrapped(rule.why + cites, 2, f"{rule.id:{width}}  ")


def _brief(report: Report, page: _Page) -> None:
    """One line for each finding, for tools that read lines."""
    for outcome in report.outcomes:
        if outcome.status is Status.SILENCED:
            continue
        finding, place = outcome.finding, outcome.finding.place
        severity = outcome.severity.name.lower()
        where = clean(f"{place.path}:{place.line}:{place.column}")
        ended = "written" if page.run.written and outcome.status is Status.APPLIED else _ENDED[outcome.status]
        message = clean(f"{finding.subject}: {finding.message}")
        page.add(f"{where}  {page.paint(COLOURS[outcome.severity], severity)}  {finding.rule}  {message} [{ended}]")
    for trouble in report.troubles:
        page.add(problem(trouble))
    for note in report.notes:
        page.add(f"{problem(note)} [not judged]")


def _for_shell(path: str) -> str:
    """A path as it can be pasted into a shell."""
    path = clean(path)
    if path and all(c.isalnum() or c in "/._-+@%,:" for c in path) and not path.startswith("-"):
        return path
    return ("-- " if path.startswith("-") else "") + "'" + path.replace("'", "'\\''") + "'"
