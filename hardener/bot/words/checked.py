"""How a pull request was checked: not run, or the record of its trial, as Markdown. Knows no engine, and not what is proposed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from hardener.render.commonmark import code, prose, table
from hardener.render.fit import ITEM, Piece
from hardener.render.summary import shortened
from hardener.trial.steps import described

if TYPE_CHECKING:
    from hardener.trial.verdict import Verdict

#: Lines of a list before the rest is only counted.
_MANY = 25
_HEADING = "### How it was checked\n\n"
_READ = (
    "After each change the file was read again: it says exactly what was planned, and all other bytes are as they were. "
    "That everything keeps working follows from the evidence above, not from a run"
)


def checked(verdict: Verdict | None, verify: str) -> Iterator[Piece]:
    """What was done to find out whether it works; `verify` is the command that runs it, empty where there is none."""
    try_it = f"{code(verify)} runs the stack on your Docker engine, as it is and with these changes, and says what breaks."
    if not verify:
        try_it = "Nothing here can run it: try it where you try other changes to these files."
    if verdict is None:
        yield Piece(f"{_HEADING}**It was not run.** {_READ}. {try_it}\n\n")
    elif verdict.stopped:
        why = prose(shortened(verdict.stopped, 400)).removesuffix(".")
        yield Piece(f"{_HEADING}**A run on an engine proved nothing:** {why}. {_READ}. {try_it}\n\n")
    else:
        yield from _run(verdict)


def _run(verdict: Verdict) -> Iterator[Piece]:
    engines = dict.fromkeys(record.engine for record in verdict.records.values() if record.engine)
    where = f"on {'; '.join(map(prose, engines))}" if engines else "on a Docker engine"
    yield Piece(
        f"{_HEADING}**It was run** {where}, as it is and with these changes: on empty volumes, restarted, and with its "
        "containers made anew over their data. With them it did what it does without, as far as the run could see.\n\n"
    )
    rows = [(name, record.seen) for name, record in sorted(verdict.records.items())]
    if rows:
        cells = (
            [
                code(shortened(name), cell=True),
                code(shortened(str(seen["image"])), cell=True) if seen.get("image") else "built here",
                code(shortened(str(seen["digest"]), 90), cell=True) if seen.get("digest") else "not known",
            ]
            for name, seen in rows[:_MANY]
        )
        more = f"\n\nand {len(rows) - _MANY} more" if len(rows) > _MANY else ""
        yield Piece(_folded("Images that were run", table(("service", "image", "digest"), cells) + more + "\n"), ((ITEM, ""),))
    broke = (
        f"{_about(step.complaint.service, step.complaint.text)} ({step.phase or 'in its log'}). "
        f"So it is left {prose(described(step.remedy))}"
        for step in verdict.steps
    )
    yield from _list("Broke, and was taken back", broke, is_open=True)
    left = (f"{prose(shortened(service))} {code(rule)}: {prose(why)}" for (service, rule), why in sorted(verdict.left.items()))
    yield from _list("Not tried, or not decided", left)
    yield from _list("Not exercised: the run proves nothing about", (_about(*one) for one in verdict.not_exercised))
    yield from _list("Written, but not carried out by this engine", (_about(*one) for one in verdict.unenforced))
    yield from _list("Not the same in each run", map(prose, verdict.flaky))
    noises = (_about(one.service, one.text) for one in verdict.noises)
    yield from _list("New in the logs, and harmless as far as was seen", noises)


def _list(title: str, items: Iterable[str], *, is_open: bool = False) -> Iterator[Piece]:
    found = list(items)
    if not found:
        return
    lines = "".join(f"- {item}\n" for item in found[:_MANY])
    if len(found) > _MANY:
        lines += f"- and {len(found) - _MANY} more\n"
    if is_open:
        yield Piece(f"{title}:\n\n{lines}\n", ((ITEM, ""),))
    else:
        yield Piece(_folded(f"{title}: {len(found)}" if not title.endswith("about") else title, lines), ((ITEM, ""),))


def _folded(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n</details>\n\n"


def _about(service: str, text: str) -> str:
    said = prose(shortened(text, 300))
    return f"{code(shortened(service))}: {said}" if service else said
