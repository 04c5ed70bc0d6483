"""The audit of an engine's containers as text and as JSON. Knows no engine.

The JSON has `version` 1; fields may be added to it, and one that goes away or changes its meaning makes a new version:

    version      1
    engine       {"version", "rootless", "remaps_users", "seccomp", "modules", "no_new_privileges", "cgroup"}; `seccomp` is the
                 profile of containers that ask for none, empty where there is no filter
    questions    {"id", "number", "text", "exploitable"} each
    containers   one object each, the worst first:
      name, id, image, running
      answers      by the id of each question: {"answer", "why"}; see `harden audit --format json`
      confinement  the profiles that hold it, in words
      root_is_hosts   whether root in it is root on the host
      compose      null, or {"project", "service", "files", "why_not", "diff", "open", "drifted"}: the files that its labels name,
                   why they do not count, what the safe fixes change for this service, what is left there as {"rule", "why"},
                   and the questions that they answer well and the container does not
      run          null where files ask for it, or {"options", "open": {"rule", "why"}}: options of `docker run` that its image is
                   known to bear, and the hazards for which there are none
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from hardener.audit.inspection import EngineState
from hardener.audit.running import Audited, Mapped
from hardener.posture import AUDITED, QUESTIONS, Answer
from hardener.render.audit import COLOURS, COLUMN, HEADS, LEGEND, WORDS, command_paths, questions_as_data
from hardener.render.diff import coloured, unified
from hardener.render.summary import clean, count, filled

VERSION = 1
_LONGEST_NAME = 40


def text(engine: EngineState, found: Sequence[Audited], width: int = 80, colour: bool = False) -> str:
    """The engine in a line, a table of all answers, and for each container what is wrong and what there is to do."""

    def paint(code: str, words: str) -> str:
        return f"\x1b[{code}m{words}\x1b[0m" if colour and words else words

    lines = [*filled(clean(_engine(engine)), width), ""]
    lines += [*_table(found, width, paint), ""] if found else []
    for one in found:
        block = list(_block(one, width, colour))
        if block:
            lines += [paint("1", clean(one.name)) + clean(f"  {one.image}{'' if one.running else ' (not running)'}"), *block, ""]
    lines += [paint("1", line) for line in filled(_summary(found), width)]
    return "\n".join(lines)


def _engine(engine: EngineState) -> str:
    parts = [f"Docker {engine.version}"]
    parts.append("rootless" if engine.rootless else "not rootless")
    parts.append("users are remapped" if engine.remaps_users else "users are not remapped")
    parts.append(f"seccomp: {engine.seccomp}" if engine.seccomp else "no seccomp")
    parts += engine.modules or ("no AppArmor or SELinux",)
    parts += ["no-new-privileges for all"] if engine.no_new_privileges else []
    return f"{', '.join(parts)}, cgroup v{engine.cgroup}."


def _table(found: Sequence[Audited], width: int, paint: Any) -> Iterator[str]:
    room = max(8, min(_LONGEST_NAME, width - COLUMN * len(AUDITED), max(len(clean(one.name)) for one in found) + 2))
    yield paint("2", f"{'':{room}}{'exploitable':{COLUMN * sum(q.exploitable for q in AUDITED)}}operational")
    yield paint("2", " " * room + "".join(f"{HEADS.get(q.id, q.short):{COLUMN}}" for q in AUDITED).rstrip())
    for one in found:
        name = clean(one.name)
        if len(name) > room - 1:
            yield name
            name = ""
        cells = ""
        for question in AUDITED:
            answer = one.replies[question.id].answer
            cells += paint(COLOURS[answer], WORDS[answer]) + " " * (COLUMN - len(WORDS[answer]))
        yield f"{name:{room}}{cells}".rstrip()
    yield from (paint("2", line) for line in filled(LEGEND.partition(", >")[0], width))


def _block(one: Audited, width: int, colour: bool) -> Iterator[str]:
    """What is not good about a container, and the way out."""
    bad = [question for question in QUESTIONS if one.replies[question.id].answer not in (Answer.GOOD, Answer.NONE)]
    if not bad:
        return
    for question in bad:
        reply = one.replies[question.id]
        number = str(question.number or "-")
        lead = "" if reply.answer is Answer.BAD else f"{WORDS[reply.answer]} "
        yield from _wrapped(f"{number}  {lead}{reply.why}", 2, 5, width)
    if not one.root_is_hosts:
        yield from _wrapped("root in it is not root on the host", 2, 5, width)
    yield from _wrapped(f"held by {', '.join(one.confinement)}", 2, 5, width)
    unanswered = one.mapped.open if one.mapped is not None else one.flags.open if one.flags is not None else ()
    if one.flags is not None and one.flags.options:
        yield from _wrapped(f"start it with: docker run {' '.join(one.flags.options)} ...", 2, 5, width)
    rules = {rule for question in bad for rule in question.rules}
    reasons: dict[str, list[str]] = {}
    for rule, why in unanswered:
        if rule in rules and why:
            reasons.setdefault(why, []).append(rule)
    for why, about in reasons.items():
        yield from _wrapped(f"{', '.join(about)}: {why}", 2, 5, width)
    if one.mapped is not None:
        yield from _of_files(one.mapped, width, colour)


def _of_files(mapped: Mapped, width: int, colour: bool) -> Iterator[str]:
    files = ", ".join(_shown(path) for path in mapped.files)
    yield from _wrapped(f"service {mapped.service} of {files}", 2, 5, width)
    if mapped.why_not:
        yield from _wrapped(f"which cannot be looked at: {mapped.why_not}", 5, 5, width)
        return
    if mapped.drifted:
        names = ", ".join(question.short for question in QUESTIONS if question.id in mapped.drifted)
        again = f"there {names} would be good: start it anew with `docker compose up -d{command_paths([mapped.service])}`"
        yield from _wrapped(again, 5, 5, width)
    if not mapped.changes:
        yield from _wrapped("where no fix is made by default", 5, 5, width)
        return
    yield from _wrapped("what `harden --write` changes there for it:", 5, 5, width)
    diff = unified(mapped.changes, os.getcwd())
    # Without colour too, what it shows must not steer a terminal.
    told = coloured(diff).decode("utf-8", "replace")
    yield from (line if colour else _plain(line) for line in told.rstrip("\n").split("\n"))


def _plain(line: str) -> str:
    for code in ("\x1b[1m", "\x1b[36m", "\x1b[31m", "\x1b[32m", "\x1b[0m"):
        line = line.replace(code, "")
    return line


def _shown(path: str) -> str:
    near = os.path.relpath(path)
    return path if near.startswith(os.pardir) else near


def _wrapped(words: str, indent: int, hanging: int, width: int) -> Iterator[str]:
    for number, line in enumerate(filled(clean(words), max(20, width - hanging))):
        yield " " * (hanging if number else indent) + line


def _summary(found: Sequence[Audited]) -> str:
    if not found:
        return "No containers."
    failing = sum(any(one.replies[q.id].answer is Answer.BAD for q in AUDITED if q.exploitable) for one in found)
    return f"{failing} of {count(len(found), 'container')} have a bad answer to 1, 2, 3 or 4."


def json(engine: EngineState, found: Sequence[Audited]) -> str:
    """The same for programs, with a line end."""
    from json import dumps

    told = {**engine._asdict(), "modules": list(engine.modules)}
    told.pop("first_uid")
    data = {
        "version": VERSION,
        "engine": told,
        "questions": [questions_as_data(question) for question in QUESTIONS],
        "containers": [_container(one) for one in found],
    }
    return dumps(data, indent=2) + "\n"


def _container(one: Audited) -> dict[str, Any]:
    mapped, flags = one.mapped, one.flags
    return {
        "name": one.name,
        "id": one.id,
        "image": one.image,
        "running": one.running,
        "answers": {id: {"answer": reply.answer.value, "why": reply.why} for id, reply in one.replies.items()},
        "confinement": list(one.confinement),
        "root_is_hosts": one.root_is_hosts,
        "compose": None
        if mapped is None
        else {
            "project": mapped.project,
            "service": mapped.service,
            "files": list(mapped.files),
            "why_not": mapped.why_not,
            "diff": unified(mapped.changes, os.getcwd()).decode("utf-8", "surrogateescape"),
            "open": [{"rule": rule, "why": why} for rule, why in mapped.open],
            "drifted": list(mapped.drifted),
        },
        "run": None
        if flags is None
        else {"options": list(flags.options), "open": [{"rule": rule, "why": why} for rule, why in flags.open]},
    }
