"""A report as workflow commands of GitHub Actions: annotations in the files of a pull request. Knows no hazard.

What fails the run is an error or a warning by its severity, a hazard whose fix is held back at most a warning, and what is low a
notice. Silenced findings, and those that were fixed by `--write`, are only counted.

GitHub shows ten annotations of each level and step, the first ones, and says nothing of the others (docs.github.com, "Workflow
commands", and the discussions that it links). So the worst come first, the tenth says how many there are beside it, and the rest
follow for whoever reads the log.

Escapes are those that the runner takes back (actions/runner src/Runner.Common/ActionCommand.cs
@258d6c857db3519913f7deb6004b60172f8043ae). A line is always one command: what comes from files can begin none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hardener.finding import Severity
from hardener.fingerprint import relative
from hardener.record import NamedTuple
from hardener.render.formats import Run
from hardener.render.sentences import headline, rest, trouble
from hardener.render.summary import clean, count, summary
from hardener.report import Outcome, Report, Status

ERROR, WARNING, NOTICE = "error", "warning", "notice"
#: Annotations of one level that GitHub shows of a step.
SHOWN = 10
_LEVELS = {Severity.LOW: NOTICE, Severity.MEDIUM: WARNING, Severity.HIGH: ERROR, Severity.CRITICAL: ERROR}


class _Annotation(NamedTuple):
    level: str
    #: The worst is the lowest.
    rank: int
    path: str
    line: int
    column: int
    title: str
    text: str


def render(report: Report, run: Run) -> str:
    """The report as lines for the log of a step; the last one counts."""
    found = [*_troubles(report, run), *_findings(report, run)]
    lines: list[str] = []
    for level in (ERROR, WARNING, NOTICE):
        ranked = sorted((one for one in found if one.level == level), key=lambda one: one.rank)
        commands = [_command(one) for one in ranked]
        if len(commands) > SHOWN:
            more = len(commands) - SHOWN + 1
            text = f"{count(more, f'more {level}')} of harden: the log of this step has them all"
            commands.insert(SHOWN - 1, f"::{level} title=harden::{_data(text)}")
        lines += commands
    return "\n".join([*lines, summary(report, written=run.written)]) + "\n"


def _troubles(report: Report, run: Run) -> Iterator[_Annotation]:
    for level, title, troubles in ((ERROR, "not read", report.troubles), (NOTICE, "not judged", report.notes)):
        for item in troubles:
            yield _Annotation(level, -9, _path(item.path, run), item.line, 0, f"harden: {title}", trouble(item))


def _findings(report: Report, run: Run) -> Iterable[_Annotation]:
    for outcome in report.outcomes:
        if outcome.status is Status.SILENCED or (run.written and outcome.status is Status.APPLIED):
            continue
        place = outcome.finding.place
        title = f"harden: {outcome.finding.rule} ({outcome.severity.name.lower()})"
        text = "\n".join([headline(outcome), *rest(outcome, written=run.written)])
        rank = -2 * outcome.severity - run.fails(outcome)
        yield _Annotation(_level(outcome), rank, _path(place.path, run), place.line, place.column, title, text)


def _level(outcome: Outcome) -> str:
    level = _LEVELS[outcome.severity]
    return WARNING if outcome.status is Status.HELD_BACK and level == ERROR else level


def _path(path: str, run: Run) -> str:
    return clean(relative(path, run.folder, run.root))


def _command(one: _Annotation) -> str:
    place = f",line={one.line}" if one.line else ""
    if one.line and one.column:
        place += f",col={one.column}"
    return f"::{one.level} file={_property(one.path)}{place},title={_property(one.title)}::{_data(one.text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
