"""The report as GitHub-flavoured Markdown, for a comment or a description that strangers read. Knows no analysis.

Counts, then services by questions, then each file with its diff and a line of evidence for each fix; what is held back and for
want of what; what a person has to do; what remains; what is let be; what could not be read. What has nothing to say is not there.
The parts are functions, for whoever writes a page of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from hardener.finding import Evidence, Fix, Severity
from hardener.posture import QUESTIONS, Answer, score
from hardener.render.commonmark import code, fence, html_code, link, prose, table
from hardener.render.diff import unified
from hardener.render.fit import DIFF, EVIDENCE, FILE, ITEM, PICTURE, Piece, fit
from hardener.render.grid import Cell, Grid, grid
from hardener.render.grounds import ASSUMED, Ground, address, grounds
from hardener.render.summary import clean, count, shortened, summary
from hardener.report import FileChange, Outcome, Report, Status, Trouble

if TYPE_CHECKING:
    from hardener.render.formats import Run

#: What a comment of GitHub may have; on GitLab it is a million.
LIMIT = 65_536
#: Rows of the table, and names in one line, before the rest is only counted.
_ROWS, _NAMES = 25, 6
_ANSWERS = {Answer.GOOD: "ok", Answer.BAD: "open", Answer.JUSTIFIED: "justified", Answer.UNKNOWN: "?", Answer.NONE: "-"}
#: Commands in steps for a person: what rules and trials write there begins so, and ends so.
_ORDERS = re.compile(r"(?:chown|docker compose) .+?(?= on the host| in existing volumes|;| \(|$)")
#: What a brief table need not show.
_QUIET = (Cell(Answer.GOOD, Answer.GOOD), Cell(Answer.NONE, Answer.NONE))
#: What a shell acts upon in a command, which is never in those that we write: it can only come from a path.
_ACTED_UPON = re.compile(r"[|&<>\\\"'*?!#]|\$\(|`[^`]*;[^`]*`")
_LEGEND = {
    "fixed": "**fixed**: open before, not after",
    "ok": "ok: before and after",
    "open": "open: stays so",
    "justified": "justified: open, and there is a reason why",
    "?": "?: cannot be told",
}


#: What was said of the fixes of a service, with its file and its name.
Said = dict[tuple[tuple[str, tuple[Evidence, ...], str], ...], tuple[str, str]]


def render(report: Report, run: Run, *, limit: int = LIMIT) -> str:
    """The report in at most `limit` characters (0: no limit): diffs go first, then evidence; what is missing is said."""
    pieces = [
        Piece(f"## harden: {prose(summary(report, written=run.written)).removesuffix('.')}\n\n"),
        *picture(report),
        *files(report, run),
        *_how_to_write(report, run),
        *held_back(report, run),
        *by_hand(report),
        *remaining(report),
        *silenced(report),
        *problems(report),
    ]
    fitted = fit(pieces, limit)
    text = fitted.text.rstrip("\n") + "\n"
    if fitted.left_out:
        text += f"\nLeft out, to stay below {limit:,} characters: {fitted.left_out}. {code(command(run, '--diff'))} shows all.\n"
    return text


def picture(report: Report, *, brief: bool = False) -> Iterator[Piece]:
    """Services by questions: how they stand before and after, the worst first; with the score where it was asked for.

    `brief` leaves out the score, the questions to which all have good answers that stay so, and those for whom nothing changes.
    """
    if report.postures and not brief:
        points = score(report.postures)
        yield Piece(f"Score: {points.before} → {points.after} of 100.\n\n")
    drawn = grid(report)
    rows = tuple(row for row in drawn.rows if any(cell.before is not cell.after for cell in row.cells)) if brief else drawn.rows
    same = len(drawn.rows) - len(rows)
    if rows:
        columns = [at for at in drawn.columns if not brief or any(row.cells[at] not in _QUIET for row in rows)]
        yield Piece(_table(drawn._replace(rows=rows), columns, same), ((PICTURE, ""),))


def _table(drawn: Grid, columns: Sequence[int], same: int) -> str:
    several = len({row.path for row in drawn.rows}) > 1
    rows = drawn.rows[:_ROWS]
    head = ["service", *(QUESTIONS[at].short for at in columns)]
    names = [code(shortened(row.subject), cell=True) for row in rows]
    if several:
        names = [f"{name} in {code(shortened(row.path), cell=True)}" for name, row in zip(names, rows, strict=True)]
    text = table(head, ([name, *(_stands(row.cells[at]) for at in columns)] for name, row in zip(names, rows, strict=True)))
    if len(drawn.rows) > _ROWS:
        text += f"\n\n{count(len(drawn.rows) - _ROWS, 'row')} more, not worse than these."
    if same:
        text += f"\n\nFor {count(same, 'other')}, nothing in it changes."
    seen = {_stands(row.cells[at]).strip("*") for row in rows for at in columns}
    legend = [words for word, words in _LEGEND.items() if any(word in cell.split(" → ") for cell in seen)]
    if "-" in seen:
        legend.append("-: does not apply" if drawn.asked else "-: nothing found")
    return f"{text}\n\n{'; '.join(legend)}.\n\n"


def _stands(cell: Cell) -> str:
    if cell == Cell(Answer.BAD, Answer.GOOD):
        return "**fixed**"
    before, after = _ANSWERS[cell.before], _ANSWERS[cell.after]
    return before if before == after else f"{before} → {after}"


def files(report: Report, run: Run, *, diffs: bool = True) -> Iterator[Piece]:
    """Each changed file: its diff, unless that is shown elsewhere, and a line for each fix with what it rests on, said once."""
    applied: dict[str, list[Outcome]] = {}
    said: Said = {}
    for outcome in report.outcomes:
        if outcome.status is Status.APPLIED:
            applied.setdefault(outcome.finding.place.path, []).append(outcome)
    for change in report.changes:
        found = [one for path in change.stands_for or (change.before.path,) for one in applied.pop(path, ())]
        yield _file(change.before.path, found, change if diffs else None, run, said)
    for path, found in applied.items():  # fixes that are made in another file
        yield _file(path, found, None, run, said)


def _file(path: str, found: Sequence[Outcome], change: FileChange | None, run: Run, said: Said) -> Piece:
    new = "new file, " if change and change.is_new else ""
    names = [*dict.fromkeys(one.finding.subject for one in found)]
    fixes = f"{new}{count(len(found), 'fix', 'fixes')}" if found else f"{new}changed"
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    who = f" ({', '.join(html_code(shortened(name)) for name in names[:_NAMES])}{more})" if names else ""
    head = f"<details><summary>{html_code(shortened(path))}: {fixes}{who}</summary>\n\n"
    evidence = "".join(_fixes(found, said))
    diff = ""
    if change:
        diff = fence(unified((change,), run.folder).decode("utf-8", "surrogateescape"), "diff") + "\n\n"
    end = "</details>\n\n"
    line = f"- {code(shortened(path))}: {fixes}\n\n"
    shorter = [(DIFF, head + evidence + end)] if diff and evidence else []
    return Piece(head + diff + evidence + end, (*shorter, (EVIDENCE, line), (FILE, "")))


def _fixes(found: Iterable[Outcome], said: Said) -> Iterator[str]:
    """For each service, a line for each fix; or for which one all of the same was `said`."""
    subjects: dict[str, list[Outcome]] = {}
    for outcome in found:
        subjects.setdefault(outcome.finding.key or outcome.finding.subject, []).append(outcome)
    for outcomes in subjects.values():
        first = outcomes[0].finding
        fixes = tuple(one.finding.fix for one in outcomes if one.finding.fix)
        evidence = tuple((fix.summary, fix.evidence, fix.missing) for fix in fixes)
        told: dict[Evidence, str] = {}
        path, subject = said.setdefault(evidence, (first.place.path, first.subject))
        if (path, subject) == (first.place.path, first.subject) or len(fixes) == 1:
            lines = "\n\n" + "".join(f"- **{prose(fix.summary)}**: {_because(fix, told)}\n" for fix in fixes)
        else:
            lines = f" all as for {_name(subject)}{'' if path == first.place.path else f' in {_name(path)}'}.\n"
        yield f"{_name(first.subject)}, line {min(one.finding.place.line for one in outcomes)}:{lines}\n"


def _because(fix: Fix, told: dict[Evidence, str]) -> str:
    """What a fix rests on; where all of it was `told`, for which fix."""
    reasons = [_ground(ground) for ground in grounds(fix, set(told))]
    if not reasons and fix.evidence:
        reasons = [f"as for {' and '.join(dict.fromkeys(f'**{prose(told[item])}**' for item in fix.evidence))}"]
    for item in fix.evidence:
        told.setdefault(item, fix.summary)
    if fix.missing:
        reasons.append(f"not known: {prose(fix.missing)}")
    return "; ".join(reasons)


def _ground(ground: Ground) -> str:
    claims = "; ".join(prose(claim) for claim in ground.claims)
    if ground.source == ASSUMED:
        return f"{claims} (assumed)"
    where = address(ground.source)
    if not where:
        return f"{claims} ({prose(ground.source)})"
    repository, _, file = ground.source.replace(" at ", "@").partition(" ")
    name = file.rpartition("/")[2]
    return f"{claims} ({link(f'{repository} {name}', where)})"


def _how_to_write(report: Report, run: Run) -> Iterator[Piece]:
    if report.changes and not run.written:
        options = "--write --unsafe-fixes" if run.unsafe else "--write"
        yield Piece(f"{code(command(run, options))} makes these changes.\n\n")


def held_back(report: Report, run: Run, lead: str = "") -> Iterator[Piece]:
    """Fixes without enough evidence: what is missing, and the command that shows them, or another `lead`, as Markdown."""
    held = [one for one in report.outcomes if one.status is Status.HELD_BACK]
    # What is missing for all fixes of a service, such as a profile of its image, is said once.
    told: dict[tuple[str, tuple[tuple[str, str], ...]], tuple[str, list[str]]] = {}
    for (what, why), found in _alike(held, lambda one: one.finding.fix.summary if one.finding.fix else one.finding.message):
        whose = tuple((one.finding.place.path, one.finding.key or one.finding.subject) for one in found)
        told.setdefault((why, whose), (_who(found), []))[1].append(prose(what))
    show = code(command(run, "--diff --unsafe-fixes"))
    lines = []
    for (why, _), (who, summaries) in told.items():
        lines.append(f"- {who}: {'; '.join(summaries)}. Missing: {prose(why or 'evidence about this workload')}\n")
    yield from section(f"### Held back\n\n{lead or f'Evidence is missing for these; {show} shows them.'}\n\n", lines)


def by_hand(report: Report, heading: str = "### To do by hand\n\n") -> Iterator[Piece]:
    """What belongs to a fix that is made, and that only a person can do; `heading` is Markdown with its line ends."""
    steps: dict[str, list[Outcome]] = {}
    for outcome in report.outcomes:
        if outcome.status is Status.APPLIED and outcome.finding.fix and outcome.finding.fix.migration:
            steps.setdefault(outcome.finding.fix.migration, []).append(outcome)
    yield from section(heading, (f"- {_who(found)}: {step_by_hand(step)}\n" for step, found in steps.items()))


def step_by_hand(step: str) -> str:
    """A step with its commands as they can be copied."""
    parts: list[str] = []
    at = 0
    for match in _ORDERS.finditer(step):
        parts += (prose(step[at : match.start()]), code(match[0]))
        at = match.end()
    if _ACTED_UPON.search(step):
        parts, at = [*parts, prose(step[at:]), "(its paths hold what a shell acts upon: quote them)"], len(step)
    return " ".join(part for part in (*parts, prose(step[at:])) if part)


def remaining(report: Report, heading: str = "### Remains\n\n") -> Iterator[Piece]:
    """What stays as it is: without a fix, refused or taken back. What is low is folded away, by hazard."""
    left = [one for one in report.outcomes if one.status in _UNDONE]
    worse = sorted((one for one in left if one.severity > Severity.LOW), key=lambda one: -one.severity)
    yield from section(heading, map(_left, _alike(worse, lambda one: one.finding.message)))
    low = [one for one in left if one.severity is Severity.LOW]
    if low:
        lines = "".join(map(_left, sorted(_alike(low, lambda _: ""), key=lambda group: group[1][0].finding.rule)))
        yield Piece(f"<details><summary>Remains, low: {len(low)}</summary>\n\n{lines}\n</details>\n\n", ((ITEM, ""),))


def _left(group: Group) -> str:
    (what, why), found = group
    finding, severity = found[0].finding, found[0].severity.name.lower()
    if found[0].severity >= Severity.HIGH:
        severity = f"**{severity}**"
    # What is low is told by hazard; where the same is found in all of them, that is said too.
    what = what or (finding.message if len({one.finding.message for one in found}) == 1 else "")
    parts = [f"- {severity} {code(finding.rule)} {_who(found)}" + (f": {prose(what)}" if what else "")]
    if why:
        parts.append(f"{_UNDONE[found[0].status]}: {prose(why)}")
    if finding.advice:
        parts.append(f"To do: {prose(finding.advice)}")
    return ". ".join(parts) + "\n"


_UNDONE = {Status.REPORTED: "Because", Status.REFUSED: "Refused", Status.FAILED: "Taken back"}


def silenced(report: Report) -> Iterator[Piece]:
    """What somebody said is to be let be, and why."""
    groups = _alike((one for one in report.outcomes if one.status is Status.SILENCED), lambda one: one.finding.rule)
    yield from section("### Silenced\n\n", (f"- {code(rule)} {_who(found)}: {prose(why)}\n" for (rule, why), found in groups))


def problems(report: Report) -> Iterator[Piece]:
    """What could not be read or edited, and what was not judged."""
    yield from section("### Problems\n\n", map(_trouble, report.troubles))
    if report.notes:
        lines = "".join(map(_trouble, report.notes))
        yield Piece(f"<details><summary>Not judged: {len(report.notes)}</summary>\n\n{lines}\n</details>\n\n", ((ITEM, ""),))


def _trouble(trouble: Trouble) -> str:
    place = f"{trouble.path}:{trouble.line}" if trouble.line else trouble.path
    remedy = f" ({prose(trouble.remedy)})" if trouble.remedy else ""
    return f"- {_name(place)}: {prose(trouble.reason)}{remedy}\n"


def section(heading: str, lines: Iterable[str]) -> Iterator[Piece]:
    """Lines below a heading, which is not there without them."""
    found = list(lines)
    for number, line in enumerate(found, 1):
        text = (heading if number == 1 else "") + line + ("\n" if number == len(found) else "")
        yield Piece(text, ((ITEM, ""),))


Group = tuple[tuple[str, str], list[Outcome]]


def _alike(outcomes: Iterable[Outcome], what: Callable[[Outcome], str]) -> list[Group]:
    """Outcomes together where the same is said of them: what, and why they ended so."""
    groups: dict[tuple[object, ...], list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault((what(one), one.why, one.status, one.finding.rule, one.finding.advice), []).append(one)
    return [((what(found[0]), found[0].why), found) for found in groups.values()]


def _who(found: Sequence[Outcome]) -> str:
    """Of which services, in which files."""
    by_path: dict[str, list[str]] = {}
    for one in found[:_NAMES]:
        by_path.setdefault(one.finding.place.path, []).append(_name(one.finding.subject))
    names = "; ".join(f"{', '.join(dict.fromkeys(subjects))} in {_name(path)}" for path, subjects in by_path.items())
    return names + (f" and {len(found) - _NAMES} more" if len(found) > _NAMES else "")


def _name(text: str) -> str:
    return code(shortened(text))


def command(run: Run, options: str) -> str:
    """A command for the same paths, as it can be pasted into a shell."""
    from shlex import quote

    paths = [quote(clean(path)) for path in run.paths if path != "."]
    if len(paths) > _NAMES:
        paths = [*paths[:_NAMES], "..."]
    ended = ["--"] if any(path.startswith("-") for path in run.paths) else []
    return " ".join(["harden", options, *ended, *paths])
