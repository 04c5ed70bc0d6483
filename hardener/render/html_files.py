"""The files of the page: services, their findings with fix and evidence, and diffs. Knows no picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hardener.finding import Evidence
from hardener.record import NamedTuple
from hardener.render.diff import unified
from hardener.render.grounds import grounds
from hardener.render.html_picture import ENDED
from hardener.render.html_text import code, folded, ground, items, lines, prose, text
from hardener.render.summary import count
from hardener.report import FileChange, Outcome, Report, Status

#: Lines of one diff, and characters of all, that the page shows.
MAX_LINES, MAX_DIFFS = 1_500, 4_000_000
#: With more findings than this, files are folded.
_OPEN = 80


class File(NamedTuple):
    """What is told of one file."""

    path: str
    #: By subject, in the order of the file.
    subjects: dict[str, list[Outcome]]
    changes: list[FileChange]


class Anchors(NamedTuple):
    """Where files and subjects stand on the page."""

    subjects: dict[tuple[str, str], str]

    def of(self, path: str, subject: str) -> str:
        """The anchor of a subject; empty where nothing is told of it."""
        return self.subjects.get((path, subject), "")


def sorted_files(report: Report) -> list[File]:
    """All files with findings or changes: those with the worst that stays first, and the order of the report within."""
    files: dict[str, File] = {}
    for outcome in report.outcomes:
        finding = outcome.finding
        file = files.setdefault(finding.place.path, File(finding.place.path, {}, []))
        file.subjects.setdefault(finding.subject, []).append(outcome)
    for change in report.changes:
        files.setdefault(change.before.path, File(change.before.path, {}, [])).changes.append(change)
    return sorted(files.values(), key=lambda file: -_worst(file))


def _worst(file: File) -> int:
    done = (Status.APPLIED, Status.SILENCED)
    return max((one.severity for found in file.subjects.values() for one in found if one.status not in done), default=0)


def anchors(files: Iterable[File]) -> Anchors:
    """Numbers, so that no name stands in an address."""
    subjects = ((file.path, subject) for file in files for subject in file.subjects)
    return Anchors({subject: f"s{number}" for number, subject in enumerate(subjects)})


def render(files: list[File], places: Anchors, folder: str) -> Iterator[str]:
    """Each file, folded where there are many."""
    is_open = sum(len(found) for file in files for found in file.subjects.values()) <= _OPEN
    room = MAX_DIFFS
    for file in files:
        parts = []
        for change in file.changes:
            shown, size = _diff(change, folder, room)
            room -= size
            parts.append(shown)
        findings = "".join(_subject(file.path, name, found, places) for name, found in file.subjects.items())
        yield folded(f"{code(file.path)} {_chips(file)}", findings + "".join(parts), kind="file", is_open=is_open)


def _chips(file: File) -> str:
    number = dict.fromkeys(ENDED, 0)
    for found in file.subjects.values():
        for outcome in found:
            number[outcome.status] += 1
    chips = "".join(
        f'<span class="chip"><span class="key {status.value}"></span>{n} {ENDED[status]}</span>'
        for status, n in number.items()
        if n
    )
    return f'<span class="chips">{chips}</span>'


def _subject(path: str, name: str, outcomes: list[Outcome], places: Anchors) -> str:
    told: set[Evidence] = set()
    line = min(outcome.finding.place.line for outcome in outcomes)
    found = sorted(outcomes, key=lambda outcome: (-outcome.severity, list(ENDED).index(outcome.status), outcome.finding.rule))
    rows = "".join(_finding(outcome, line, told) for outcome in found)
    return (
        f'<section class="subject" id="{places.of(path, name)}"><h3>{code(name)} <span class="line">line {line}</span></h3>'
        f'<ul class="findings">{rows}</ul></section>\n'
    )


def _finding(outcome: Outcome, line: int, told: set[Evidence]) -> str:
    finding, fix = outcome.finding, outcome.finding.fix
    details: list[tuple[str, str]] = []
    if fix and outcome.status is not Status.SILENCED:
        details.append(("fix", prose(fix.summary)))
        reasons = grounds(fix, told)
        if len(reasons) == 1:
            details.append(("because", ground(reasons[0])))
        elif reasons:
            details.append(("because", items("ul", map(ground, reasons))))
        missing = fix.missing or (outcome.why if outcome.status is Status.HELD_BACK else "")
        if missing:
            details.append(("not known", prose(missing)))
        if fix.migration:
            details.append(("by hand", prose(fix.migration)))
    if outcome.why and outcome.status is not Status.HELD_BACK:
        details.append(("because" if outcome.status is Status.REPORTED else ENDED[outcome.status], prose(outcome.why)))
    if finding.advice:
        details.append(("to do", prose(finding.advice)))
    severity = outcome.severity.name.lower()
    where = f' <span class="line">line {finding.place.line}</span>' if finding.place.line != line else ""
    terms = "".join(f"<dt>{term}</dt><dd>{said}</dd>" for term, said in details)
    return (
        f'<li class="finding {outcome.status.value}"><div class="head"><span class="severity {severity}">{severity}</span>'
        f'<p>{prose(finding.message)}{where} <span class="rule">{text(finding.rule)}</span></p>'
        f'<span class="status"><span class="key {outcome.status.value}"></span>{ENDED[outcome.status]}</span></div>'
        + (f"<dl>{terms}</dl>" if terms else "")
        + "</li>"
    )


def _diff(change: FileChange, folder: str, room: int) -> tuple[str, int]:
    """A change with its lines in colour, and the size of it."""
    if room <= 0:
        return '<p class="cut">The diff is left out: there are too many for one page. <code>harden --diff</code> shows it.</p>', 0
    # What git says of the file's names stands above already.
    all_lines = unified((change,), folder).decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")
    start = next((at for at, line in enumerate(all_lines) if line.startswith("@@")), 0)
    hunks = all_lines[start:]
    kept = hunks[:MAX_LINES]
    size = sum(map(len, kept))
    if size > room:
        return '<p class="cut">The diff is left out: it is too large for one page. <code>harden --diff</code> shows it.</p>', 0
    parts: list[str] = []
    kind = ""
    run: list[str] = []
    for line in [*kept, ""]:
        now = {"+": "ins", "-": "del", "@": "i"}.get(line[:1], "")
        if run and (now != kind or not line):
            parts.append(_run(kind, run))
            run = []
        kind = now
        run.append(line)
    cut = f'<p class="cut">{count(len(hunks) - MAX_LINES, "line")} more.</p>' if len(hunks) > MAX_LINES else ""
    title = "new file" if change.is_new else "diff"
    summary = f'{title} <span class="line">{text(change.before.path)}</span>' if change.stands_for else title
    added = sum(line.startswith("+") for line in hunks)
    removed = sum(line.startswith("-") for line in hunks)
    summary += f' <span class="chips"><span class="chip">+{added} -{removed} lines</span></span>'
    return folded(summary, f'<pre tabindex="0">{"".join(parts)}</pre>{cut}', kind="diff", is_open=len(hunks) <= 120), size


def _run(kind: str, run: list[str]) -> str:
    body = lines("\n".join(run) + "\n")
    return f"<{kind}>{body}</{kind}>" if kind else body
