"""`harden why FILE:LINE`: the evidence for a setting that stands there. Knows where settings are, not what they mean."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from hardener.cli.exits import OK
from hardener.cli.profiles import searched
from hardener.cli.terminal import say
from hardener.discover import COMPOSE, discover
from hardener.errors import UsageError
from hardener.facts.compose.document import ComposeFile
from hardener.facts.compose.lines import written_at
from hardener.needs.known import told_of_program
from hardener.needs.why import why
from hardener.pipeline import Judged, Request, needs
from hardener.render.needs import evidence
from hardener.render.summary import clean
from hardener.source import read


def run(where: str, folders: Sequence[str]) -> int:
    """Print why a setting stands there. Raises `UsageError` for a place that has none."""
    path, colon, number = where.rpartition(":")
    if not colon or not number.isdecimal() or not os.path.isfile(path):
        raise UsageError(f"{where}: name a file and a line in it, as in compose.yaml:12")
    found, troubles = discover((path,))
    if troubles or not found:
        raise UsageError(f"{path}: {troubles[0].reason if troubles else 'neither a Compose file nor a Dockerfile'}")
    judged, problems = needs(Request(tuple(found), profiles=searched(folders) if folders else ()))
    if problems and not judged:
        raise UsageError(f"{path}: {problems[0].reason}")
    answer = _in_compose if found[0].kind == COMPOSE else _in_dockerfile
    for line in answer(judged, path, int(number)):
        say(clean(line), error=False)
    return OK


def _in_compose(judged: Sequence[Judged], path: str, line: int) -> Iterator[str]:
    written = written_at(ComposeFile(read(path, path)), line)
    if written is None:
        raise UsageError(f"{path}:{line}: no setting of a service begins on this line")
    for item in judged:
        if item.subject.subject == written.service:
            said, grounds = why(item.needs, written.keys, written.text)
            text = f": {written.text}" if written.text else ""
            yield f"{path}:{line}  {written.service}: {'.'.join(written.keys)}{text}"
            yield f"  {said}"
            yield from (f"  {evidence(ground, said)}" for ground in grounds)
            return
    raise UsageError(f"{path}:{line}: `{written.service}` could not be judged")


def _in_dockerfile(judged: Sequence[Judged], path: str, line: int) -> Iterator[str]:
    for item in judged:
        stage = item.subject
        instructions = (*stage.stage.instructions, *(item for _, item in stage.items))
        here = next((item for item in instructions if item.line <= line <= item.last_line), None)
        if here is None:
            continue
        yield f"{path}:{line}  {stage.subject}: {here.keyword} {here.arguments}"
        for work in item.needs.workloads:
            known = told_of_program(work)
            yield from (f"  {fact.question}: {fact.answer}  {evidence(fact.evidence, fact.answer)}" for fact in known.known)
            yield from (f"  not known: {question}: {reason}" for question, reason in known.unknown)
        return
    raise UsageError(f"{path}:{line}: no instruction of a stage that runs is on this line")
