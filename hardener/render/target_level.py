"""Which pods do not reach a level of the Pod Security Standards, as text and as JSON. Knows no control.

The JSON has `version` 1; fields may be added to it, and one that goes away or changes its meaning makes a new version:

    version      1
    level        the level that was asked for: "baseline" or "restricted"
    pods         one object for each pod that was judged:
      path, line   where the object is that asks for it
      kind, name, namespace   of that object; the namespace is empty where it names none
      level        the level that it reaches: "privileged" (none), "baseline" or, where that was asked for, "restricted"
      way          the command that would bring it to the level; empty where it is there, or none does
      violations   {"level", "control", "path", "write"} each: the level that asks for it first, the control's name in the
                   standards, the field in the pod, and what would have to be written
    troubles     what could not be read: {"path", "line", "reason", "remedy"}
    notes        what was not judged although it could be read; the same fields
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from hardener.finding import Place
from hardener.pod_security import Violation, reached
from hardener.record import NamedTuple
from hardener.render.summary import clean, count, filled, problem
from hardener.report import Trouble

VERSION = 1
_INDENT = 2
_TESTED = ", if what is not known about it turns out well: test it"


class Row(NamedTuple):
    """A pod, and what keeps it from the level that was asked for."""

    place: Place
    kind: str
    name: str
    namespace: str
    violations: tuple[Violation, ...]
    #: The command that would bring it there; empty where none does.
    way: str = ""


def text(
    level: str, rows: Sequence[Row], troubles: Sequence[Trouble], notes: Sequence[Trouble], width: int = 80, colour: bool = False
) -> str:
    """A block for each pod that does not reach the level, what was not judged, and how many reach it."""

    def bold(line: str) -> str:
        return f"\x1b[1m{line}\x1b[0m" if colour else line

    lines: list[str] = []
    for row in rows:
        if row.violations:
            lines.append(bold(clean(f"{row.kind} {row.name or '(no name)'}  {row.place.path}:{row.place.line}")))
            lines += _violations(row.violations, width)
            if row.way:
                lines.append(" " * _INDENT + f"`{row.way}` brings it there{_TESTED if 'unsafe' in row.way else ''}")
            lines.append("")
    seen = [problem(item) for item in (*troubles, *notes)]
    lines += [*seen, ""] if seen else []
    return "\n".join([*lines, bold(_summary(level, rows, troubles))])


def _violations(violations: Sequence[Violation], width: int) -> Iterator[str]:
    """Two lines each: what is offended and where, and what to write."""
    several = len({violation.level for violation in violations}) > 1
    for violation in violations:
        lead = f"{violation.level:10}  " if several else ""
        for number, line in enumerate(filled(clean(f"{violation.control}: {violation.path}"), width - _INDENT - len(lead))):
            yield " " * _INDENT + (" " * len(lead) if number else lead) + line
        indent = 3 * _INDENT + len(lead)
        yield from (" " * indent + line for line in filled(clean(violation.write), max(20, width - indent)))


def _summary(level: str, rows: Sequence[Row], troubles: Sequence[Trouble]) -> str:
    problems = f"; {count(len(troubles), 'problem')} in the way" if troubles else ""
    if not rows:
        return f"No pods found{problems}."
    reaching = sum(not row.violations for row in rows)
    verb = "reaches" if reaching == 1 else "reach"
    ways = Counter(row.way for row in rows if row.way)
    more = "".join(f"; {number} more with `{way}`" for way, number in sorted(ways.items()))
    return f"{reaching} of {count(len(rows), 'pod')} {verb} {level}{more}{problems}."


def json(level: str, rows: Sequence[Row], troubles: Sequence[Trouble], notes: Sequence[Trouble]) -> str:
    """The same for programs, with a line end."""
    from json import dumps

    data = {
        "version": VERSION,
        "level": level,
        "pods": [
            {
                "path": row.place.path,
                "line": row.place.line,
                "kind": row.kind,
                "name": row.name,
                "namespace": row.namespace,
                "level": reached(row.violations) if row.violations else level,
                "way": row.way,
                "violations": [violation._asdict() for violation in row.violations],
            }
            for row in rows
        ],
        "troubles": [trouble._asdict() for trouble in troubles],
        "notes": [note._asdict() for note in notes],
    }
    return dumps(data, indent=2) + "\n"
