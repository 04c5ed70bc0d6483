"""An example on a rule's page: a case, judged now, and the part of it that shows most. Knows no way to print it."""

from __future__ import annotations

from hardener.pages.cases import Case
from hardener.record import NamedTuple
from hardener.report import Outcome, Status

#: How many lines of a file, or of a diff, are an example.
ROOM = 26
#: How many findings of it are shown.
MOST = 4
#: Lines around a finding that say where it is, and around a change.
ABOVE, BELOW, AROUND = 4, 1, 3


class Remark(NamedTuple):
    """What is said of one finding of the example: where, what, and what became of it."""

    line: int
    subject: str
    message: str
    #: "repaired", "held back", "refused" or "reported".
    ended: str
    #: Why it was not repaired; empty where it was, or where there is nothing to repair.
    why: str = ""
    #: The way out, where no fix is made.
    advice: str = ""


class Line(NamedTuple):
    """A line of the example."""

    #: "+" or "-" for one that comes or goes, ">" for one with a finding, " " for one that is there for its neighbours' sake,
    #: "…" for what was left out.
    mark: str
    #: Its number in the file as it was, 0 for one that comes and for what was left out.
    number: int
    text: str


class Example(NamedTuple):
    """A part of a real file with the hazard, and what is said of it."""

    case: Case
    #: Whether it shows a fix; else the findings are marked.
    is_diff: bool
    lines: tuple[Line, ...]
    remarks: tuple[Remark, ...]
    #: Findings in what was left out.
    more: int


def judged(case: Case) -> Example:
    """The case as an example: its first changes, or its first findings, with what a run without options says of them."""
    from hardener.discover import from_stdin
    from hardener.pipeline import Request, run

    found = from_stdin(case.before.encode(), case.path)
    report = run(Request((found,), select=frozenset({case.rule}), evidence=False))
    remarks = [_remark(outcome) for outcome in report.outcomes]
    is_diff = case.after != case.before
    lines = _diff(case) if is_diff else _excerpt(case, [remark.line for remark in remarks[:MOST]])
    last = max(line.number for line in lines)
    shown = tuple(remark for remark in remarks[:MOST] if remark.line <= last)
    return Example(case, is_diff, lines, shown, len(remarks) - len(shown))


def _remark(outcome: Outcome) -> Remark:
    finding, applied = outcome.finding, outcome.status is Status.APPLIED
    ended = "repaired" if applied else outcome.status.value.replace("-", " ")
    why = "" if applied else outcome.why or finding.refusal
    return Remark(finding.place.line, finding.subject, finding.message, ended, why, "" if applied else finding.advice)


def _diff(case: Case) -> tuple[Line, ...]:
    """The first hunks of the change, as many as there is room for, but one at least."""
    from difflib import SequenceMatcher

    before, after = case.before.splitlines(), case.after.splitlines()
    lines: list[Line] = []
    for group in SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(AROUND):
        hunk: list[Line] = []
        for kind, start, end, new_start, new_end in group:
            if kind == "equal":
                hunk += [Line(" ", at + 1, before[at]) for at in range(start, end)]
            else:
                hunk += [Line("-", at + 1, before[at]) for at in range(start, end)]
                hunk += [Line("+", 0, text) for text in after[new_start:new_end]]
        if lines and len(lines) + len(hunk) > ROOM:
            break
        lines += [Line("…", 0, "")] * bool(lines) + hunk
    return tuple(lines)


def _excerpt(case: Case, found: list[int]) -> tuple[Line, ...]:
    """The lines of the first findings, as many as there is room for, with what says where they are."""
    texts = case.before.splitlines()
    first = max(1, found[0] - ABOVE)
    marked = [line for line in found if line + BELOW - first < ROOM // 2]
    return tuple(
        Line(">" if number in marked else " ", number, texts[number - 1])
        for number in range(first, min(len(texts), marked[-1] + BELOW) + 1)
    )
