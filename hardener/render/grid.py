"""Services by questions, before and after: the picture of a report. Knows the audit's questions, no form."""

from __future__ import annotations

from collections.abc import Iterable

from hardener.posture import QUESTIONS, Answer, Question
from hardener.record import NamedTuple
from hardener.report import Outcome, Report, Status

_BY_RULE = {rule: question for question in QUESTIONS for rule in question.rules}


class Cell(NamedTuple):
    """How one service stands towards one question."""

    before: Answer
    after: Answer


class Row(NamedTuple):
    """One service, container or stage, with a cell for each question of its grid."""

    subject: str
    path: str
    line: int
    cells: tuple[Cell, ...]

    @property
    def open(self) -> int:
        """How bad it stays: what can be exploited weighs more than all that is operational."""
        return sum(_weight(question) for question, cell in zip(QUESTIONS, self.cells, strict=True) if cell.after is Answer.BAD)

    @property
    def gained(self) -> int:
        """How much the fixes change, in the same weights."""
        better = (
            _weight(question)
            for question, cell in zip(QUESTIONS, self.cells, strict=True)
            if cell.before is Answer.BAD and cell.after is not Answer.BAD
        )
        return sum(better)


class Grid(NamedTuple):
    """All rows, the worst first, with a cell for each of `QUESTIONS`."""

    rows: tuple[Row, ...] = ()
    #: Whether each question was asked. Otherwise it is drawn from findings, `Answer.NONE` is "nothing was found", and services
    #: without findings are not there.
    asked: bool = False

    @property
    def columns(self) -> tuple[int, ...]:
        """The places of the questions that say something about at least one row."""
        nothing = Cell(Answer.NONE, Answer.NONE)
        return tuple(at for at in range(len(QUESTIONS)) if any(row.cells[at] != nothing for row in self.rows))


def grid(report: Report) -> Grid:
    """The grid of a report: from its postures where there are any, else from what was found."""
    if report.postures:
        rows = [
            Row(
                posture.subject,
                posture.place.path,
                posture.place.line,
                tuple(Cell(posture.before[question.id], posture.after[question.id]) for question in QUESTIONS),
            )
            for posture in report.postures
        ]
    else:
        rows = list(_found(report.outcomes))
    return Grid(tuple(sorted(rows, key=lambda row: (-row.open, -row.gained))), bool(report.postures))


def _found(outcomes: Iterable[Outcome]) -> Iterable[Row]:
    subjects: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        finding = outcome.finding
        if finding.rule in _BY_RULE:
            subjects.setdefault((finding.place.path, finding.subject), []).append(outcome)
    for (path, subject), found in subjects.items():
        cells = tuple(_cell([one for one in found if one.finding.rule in question.rules]) for question in QUESTIONS)
        yield Row(subject, path, min(one.finding.place.line for one in found), cells)


def _cell(found: list[Outcome]) -> Cell:
    if not found:
        return Cell(Answer.NONE, Answer.NONE)
    if all(one.status is Status.SILENCED for one in found):
        return Cell(Answer.JUSTIFIED, Answer.JUSTIFIED)
    mended = all(one.status in (Status.APPLIED, Status.SILENCED) for one in found)
    return Cell(Answer.BAD, Answer.GOOD if mended else Answer.BAD)


def _weight(question: Question) -> int:
    return len(QUESTIONS) + 1 if question.exploitable and question.number else 1
