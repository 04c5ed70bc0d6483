"""`harden why FILE:LINE`: the evidence for a setting that stands there. Knows where settings are, not what they mean."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from hardener.cli.exits import OK
from hardener.cli.terminal import say
from hardener.discover import COMPOSE, KUBERNETES, discover
from hardener.errors import UsageError
from hardener.facts.compose.document import ComposeFile
from hardener.facts.lines import Written, written_at
from hardener.needs.known import told_of_program
from hardener.needs.why import why
from hardener.pipeline import Judged, Request, needs
from hardener.pipeline import run as judge
from hardener.render.needs import evidence
from hardener.render.summary import clean
from hardener.report import Status
from hardener.scopes import Chosen, config_for, policy_of
from hardener.source import read


def run(where: str, folders: Sequence[str], chosen: Chosen) -> int:
    """Print why a setting stands there. Raises `UsageError` for a place that has none."""
    path, colon, number = where.rpartition(":")
    if not colon or not number.isdecimal() or not os.path.isfile(path):
        raise UsageError(f"{where}: name a file and a line in it, as in compose.yaml:12")
    found, troubles = discover((path,))
    if troubles or not found:
        raise UsageError(
            f"{path}: {troubles[0].reason if troubles else 'neither a Compose file nor a Dockerfile nor a manifest'}"
        )
    request = Request(tuple(found), policy=policy_of(config_for(path, chosen), folders))
    judged, problems = needs(request)
    if problems and not judged:
        raise UsageError(f"{path}: {problems[0].reason}")
    answer = {COMPOSE: _in_compose, KUBERNETES: _in_manifest}.get(found[0].kind, _in_dockerfile)
    silenced = list(_silenced(request, found[0].name, int(number)))
    try:
        lines = [*answer(judged, path, int(number)), *silenced]
    except UsageError:
        if not silenced:
            raise
        lines = [where, *silenced]
    for line in lines:
        say(clean(line), error=False)
    return OK


def _silenced(request: Request, path: str, line: int) -> Iterator[str]:
    """What is found on a line and let be, by whom and why; of a comment, what it lets be."""
    for outcome in judge(request).outcomes:
        finding = outcome.finding
        here = (finding.place.path, finding.place.line) == (path, line) or outcome.why.startswith(f'{path}:{line}: "')
        if outcome.status is Status.SILENCED and here:
            yield f"  silenced: {finding.rule} of {finding.subject} (line {finding.place.line}), by {outcome.why}"


def _in_compose(judged: Sequence[Judged], path: str, line: int) -> Iterator[str]:
    file = ComposeFile(read(path, path))
    own = ((service.name, service.mapping) for service in file.services if service.mapping is not None and not service.via)
    yield from _evidence(judged, path, line, written_at(file.place, own, line), "service")


def _in_manifest(judged: Sequence[Judged], path: str, line: int) -> Iterator[str]:
    from hardener.facts.kubernetes.manifest import ManifestFile
    from hardener.facts.kubernetes.pod import Pod
    from hardener.facts.kubernetes.workloads import pods

    file = ManifestFile(read(path, path))
    found = [Pod(file, node, number) for number, node in enumerate(pods(file.tree))]
    # What a pod says, it says for its first container too.
    whole = written_at(file.place, ((pod.members[0].subject, pod.mapping) for pod in found if pod.members), line)
    own = written_at(file.place, ((member.subject, member.mapping) for pod in found for member in pod.members), line)
    yield from _evidence(judged, path, line, own or whole, "container")


def _evidence(judged: Sequence[Judged], path: str, line: int, written: Written | None, what: str) -> Iterator[str]:
    if written is None:
        raise UsageError(f"{path}:{line}: no setting of a {what} begins on this line")
    for item in judged:
        if item.subject.subject == written.whose:
            said, grounds = why(item.needs, written.keys, written.text)
            text = f": {written.text}" if written.text else ""
            yield f"{path}:{line}  {written.whose}: {'.'.join(written.keys)}{text}"
            yield f"  {said}"
            yield from (f"  {evidence(ground, said)}" for ground in grounds)
            return
    raise UsageError(f"{path}:{line}: `{written.whose}` could not be judged")


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
