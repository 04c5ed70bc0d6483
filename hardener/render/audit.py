"""The audit of files as text and as JSON. Knows answers and ways out, not how they are found.

The JSON has `version` 1; fields may be added to it, and one that goes away or changes its meaning makes a new version:

    version      1
    score        {"before", "after", "with_unsafe_fixes"}: points out of 100 now, with the fixes that `harden --write` makes, and
                 with those that are held back too; the last is null where --unsafe-fixes was given, and `after` says it
    questions    {"id", "number", "text", "exploitable"} each; those of number 0 are asked beside the audit, for no score
    containers   one object for each container, and each stage of a Dockerfile that no container is built from; worst first:
      path, line, column   where it is asked for
      subject, key, image   its name, the same within its project, and its image; empty where that is built here
      answers      by the id of each question:
        before, after   "good", "bad", "justified" (bad, for a reason), "unknown", or "none" where the question makes no sense
        why, why_after  why that is so; may be empty
        way_out      "fix": `harden --write` mends it; "held-back": `--unsafe-fixes` does; "by-hand"; empty where it is good
        advice       what a person can do, or what is not known about the fix; may be empty
    troubles     what could not be read: {"path", "line", "reason", "remedy"}
    notes        what was not judged although it could be read; the same fields
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hardener.audit.verdict import FIX, HELD_BACK, Audit, Verdict
from hardener.posture import AUDITED, QUESTIONS, Answer, Question
from hardener.render.summary import clean, count, filled, problem

VERSION = 1
WORDS = {Answer.GOOD: "ok", Answer.BAD: "BAD", Answer.JUSTIFIED: "(ok)", Answer.UNKNOWN: "?", Answer.NONE: "-"}
COLOURS = {Answer.GOOD: "32", Answer.BAD: "31", Answer.JUSTIFIED: "33", Answer.UNKNOWN: "33", Answer.NONE: "2"}
LEGEND = "ok good, BAD bad, (ok) bad for a reason, ? not known, - not asked, > with the fixes"
#: The heads of the columns: `Question.short` where that has room.
HEADS = {"non-root": "root", "privileged": "priv", "capabilities": "caps", "host-network": "hostnet"}
COLUMN = 8
_LONGEST_NAME = 40
_BY_HAND = "nothing is known that would mend it: see `harden explain` of {rules}"


def text(audit: Audit, paths: Sequence[str] = (), width: int = 80, colour: bool = False) -> str:
    """A table of all answers, then question by question who fails and what there is to do, then the score.

    `paths` are what was asked for as it was typed, for commands that can be copied.
    """
    paint = _painter(colour)
    lines: list[str] = []
    if audit.verdicts:
        lines += [*_table(audit, width, paint), ""]
        for question in AUDITED:
            lines += _question(question, audit.verdicts, paths, width, paint)
        lines += _good_everywhere(audit.verdicts, width)
    seen = [problem(item) for item in (*audit.report.troubles, *audit.report.notes)]
    lines += [*seen, ""] if seen else []
    lines += [paint("1", line) for line in filled(_summary(audit), width)]
    return "\n".join(lines)


def _painter(colour: bool) -> Any:
    return lambda code, words: f"\x1b[{code}m{words}\x1b[0m" if colour and words else words


def _table(audit: Audit, width: int, paint: Any) -> Iterator[str]:
    """A block for each file, the one with the worst container first."""
    files: dict[str, list[Verdict]] = {}
    for verdict in audit.verdicts:
        files.setdefault(verdict.posture.place.path, []).append(verdict)
    names = [clean(verdict.posture.subject) for verdict in audit.verdicts]
    room = max(8, min(_LONGEST_NAME, width - COLUMN * len(AUDITED) - 2, max(map(len, names)) + 2))
    exploitable = sum(question.exploitable for question in AUDITED)
    indent = " " * (2 + room)
    yield paint("2", f"{indent}{'exploitable':{exploitable * COLUMN}}operational")
    yield paint("2", indent + "".join(f"{HEADS.get(q.id, q.short):{COLUMN}}" for q in AUDITED).rstrip())
    for path, verdicts in files.items():
        yield paint("1", clean(path))
        for verdict in verdicts:
            name = clean(verdict.posture.subject)
            if len(name) > room - 1:
                yield f"  {name}"
                name = ""
            cells = "".join(_cell(verdict, question, paint) for question in AUDITED)
            yield f"  {name:{room}}{cells}".rstrip()
    yield from (paint("2", line) for line in filled(LEGEND, width))


def _cell(verdict: Verdict, question: Question, paint: Any) -> str:
    before, after = verdict.posture.before[question.id], verdict.posture.after[question.id]
    words = [(before, WORDS[before])] + ([(after, ">" + WORDS[after])] if after is not before else [])
    padding = " " * (COLUMN - sum(len(word) for _, word in words))
    return "".join(paint(COLOURS[answer], word) for answer, word in words) + padding


def _question(question: Question, verdicts: Sequence[Verdict], paths: Sequence[str], width: int, paint: Any) -> Iterator[str]:
    """Who fails a question, and the way out; nobody is named who has a good answer."""
    by_answer: dict[Answer, list[Verdict]] = {}
    for verdict in verdicts:
        by_answer.setdefault(verdict.posture.before[question.id], []).append(verdict)
    asked = len(verdicts) - len(by_answer.get(Answer.NONE, ()))
    bad = by_answer.get(Answer.BAD, [])
    if not bad and not by_answer.get(Answer.UNKNOWN) and not by_answer.get(Answer.JUSTIFIED):
        return
    numbers = [
        f"{len(by_answer[answer])} {word}"
        for answer, word in ((Answer.BAD, "bad"), (Answer.UNKNOWN, "not known"), (Answer.JUSTIFIED, "for a reason"))
        if answer in by_answer
    ]
    yield paint("1", f"{question.number}  {question.text}") + f"  {', '.join(numbers)}, of {asked}"
    for answer, lead in ((Answer.BAD, ""), (Answer.UNKNOWN, "? "), (Answer.JUSTIFIED, "(ok) ")):
        for way, of_way in _grouped(by_answer.get(answer, ()), lambda v: v.ways_out[question.id].way):
            for why, of_why in _grouped(of_way, lambda v: v.posture.why.get(question.id, "")):
                said = f"{lead}{', '.join(map(_named, of_why))}: {why}"
                yield from _wrapped(said, 3, width)
            if answer is Answer.BAD or way in (FIX, HELD_BACK):
                yield from _way_out(way, question, of_way, paths, width, paint)
    yield ""


def _good_everywhere(verdicts: Sequence[Verdict], width: int) -> list[str]:
    good = (Answer.GOOD, Answer.NONE)
    asked = [q for q in AUDITED if any(v.posture.before[q.id] is Answer.GOOD for v in verdicts)]
    best = [f"{q.number} ({q.short})" for q in asked if all(v.posture.before[q.id] in good for v in verdicts)]
    return [*filled(f"Good everywhere: {', '.join(best)}.", width), ""] if best else []


def _grouped(verdicts: Iterable[Verdict], key: Any) -> Iterable[tuple[str, list[Verdict]]]:
    groups: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault(key(verdict), []).append(verdict)
    return groups.items()


def _named(verdict: Verdict) -> str:
    place = verdict.posture.place
    return f"{verdict.posture.subject} ({place.path}:{place.line})"


def _way_out(
    way: str, question: Question, verdicts: Sequence[Verdict], paths: Sequence[str], width: int, paint: Any
) -> Iterator[str]:
    """The command, or the advice that fits each."""
    where = command_paths(paths)
    if way == FIX:
        orders = [f"`harden --write{where}` mends {'it' if len(verdicts) == 1 else 'these'}"]
    elif way == HELD_BACK:
        orders = [f"`harden --diff --unsafe-fixes{where}` shows a fix whose evidence is incomplete: test after it"]
    else:
        advice = dict.fromkeys(verdict.ways_out[question.id].advice for verdict in verdicts)
        general = _BY_HAND.format(rules=" and ".join(question.rules))
        orders = [words or general for words in advice]
    for order in orders:
        lines = list(_wrapped(f"what to do: {order}", 5, width))
        yield lines[0].replace("what to do:", paint("36", "what to do:"), 1)
        yield from lines[1:]


def _wrapped(words: str, indent: int, width: int) -> Iterator[str]:
    for number, line in enumerate(filled(clean(words), max(20, width - indent - 2))):
        yield " " * (indent if not number else indent + 2) + line


def command_paths(paths: Sequence[str]) -> str:
    """Paths behind a command, with a blank before each, as a shell takes them."""
    from shlex import quote

    return "".join(f" {quote(clean(path))}" for path in paths)


def _summary(audit: Audit) -> str:
    problems = f"; {count(len(audit.report.troubles), 'problem')} in the way" if audit.report.troubles else ""
    if not audit.verdicts:
        return f"Nothing to ask: no containers found{problems}."
    exploitable = [question for question in AUDITED if question.exploitable]
    failing = sum(any(v.posture.before[q.id] is Answer.BAD for q in exploitable) for v in audit.verdicts)
    whole = count(len(audit.verdicts), "container or image", "containers and images")
    score, ways = audit.score, []
    command = "harden --write" + (" --unsafe-fixes" if audit.with_unsafe is None else "")
    if score.after != score.before:
        ways.append(f"{score.after} after `{command}`")
    if audit.with_unsafe is not None and audit.with_unsafe > score.after:
        ways.append(f"{audit.with_unsafe} with --unsafe-fixes")
    after = f"; {', '.join(ways)}" if ways else ""
    return f"{failing} of {whole} have a bad answer to 1, 2, 3 or 4. Score: {score.before} of 100{after}{problems}."


def json(audit: Audit) -> str:
    """The same for programs, with a line end."""
    from json import dumps

    data = {
        "version": VERSION,
        "score": {"before": audit.score.before, "after": audit.score.after, "with_unsafe_fixes": audit.with_unsafe},
        "questions": [questions_as_data(question) for question in QUESTIONS],
        "containers": [_container(verdict) for verdict in audit.verdicts],
        "troubles": [trouble._asdict() for trouble in audit.report.troubles],
        "notes": [note._asdict() for note in audit.report.notes],
    }
    return dumps(data, indent=2) + "\n"


def questions_as_data(question: Question) -> dict[str, Any]:
    """A question as the JSON forms of the audit have it."""
    return {"id": question.id, "number": question.number, "text": question.text, "exploitable": question.exploitable}


def _container(verdict: Verdict) -> dict[str, Any]:
    posture = verdict.posture
    return {
        "path": posture.place.path,
        "line": posture.place.line,
        "column": posture.place.column,
        "subject": posture.subject,
        "key": posture.key,
        "image": posture.image,
        "answers": {
            question.id: {
                "before": posture.before[question.id].value,
                "after": posture.after[question.id].value,
                "why": posture.why.get(question.id, ""),
                "why_after": posture.why_after.get(question.id, ""),
                "way_out": verdict.ways_out[question.id].way,
                "advice": verdict.ways_out[question.id].advice,
            }
            for question in QUESTIONS
        },
    }
