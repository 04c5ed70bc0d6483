"""`harden audit`: what is asked of files, of a change, or of running containers. Knows the order of steps, no question."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hardener import source
from hardener.cli.configured import request_of, scopes_of
from hardener.cli.exits import FINDINGS, OK, TROUBLE
from hardener.cli.options import Invocation
from hardener.cli.terminal import emit, has_colour, say, width
from hardener.discover import discover
from hardener.errors import Unreadable, UsageError
from hardener.pipeline import Request
from hardener.record import NamedTuple
from hardener.render.summary import clean
from hardener.report import Report, Trouble, joined
from hardener.scopes import Chosen, Scope

if TYPE_CHECKING:
    from hardener.audit.postures import Standing
    from hardener.audit.revision import Past


class Asked(NamedTuple):
    """The command line, as it was typed. `words` are paths, or with `running` names of containers."""

    words: Sequence[str] = ()
    unsafe_fixes: bool = False
    format: str = "text"
    fail_under: int | None = None
    since: str | None = None
    running: bool = False
    all: bool = False
    profiles: Sequence[str] = ()
    no_evidence: bool = False
    color: str = "auto"
    chosen: Chosen = Chosen()


def run(asked: Asked) -> int:
    """Audit, print, and return the exit code. Raises `UsageError` for what does not go together."""
    _check(asked)
    if asked.running:
        return _running(asked)
    if asked.since is not None:
        return _since(asked, asked.since)
    return _files(asked)


def _check(asked: Asked) -> None:
    if asked.since == "":  # a variable of a script that is empty, and not a wish for another audit
        raise UsageError("--since needs a revision, and got an empty one")
    if asked.running and asked.since:
        raise UsageError("--running asks an engine and --since a repository: choose one")
    if asked.all and not asked.running:
        raise UsageError("--all is about containers: it needs --running")
    if asked.all and asked.words:
        raise UsageError("--all and names of containers do not go together")
    if asked.fail_under is not None and (asked.running or asked.since):
        raise UsageError("--fail-under is about the score of files, which --running and --since do not have")
    if asked.unsafe_fixes and (asked.running or asked.since):
        raise UsageError("--unsafe-fixes goes with neither --running nor --since")
    if asked.format not in ("text", "json") and (asked.running or asked.since):
        raise UsageError(f"--format {asked.format} is a form for the audit of files")
    if "-" in asked.words:
        raise UsageError("the audit is about projects: it takes files and folders, not standard input")


def _files(asked: Asked) -> int:
    from hardener.audit.verdict import audit, fails
    from hardener.render.audit import json, text

    requests, _, troubles = _requests(asked, asked.words or (".",))
    found = audit(requests)
    found = found._replace(report=found.report._replace(troubles=(*troubles, *found.report.troubles)))
    if asked.format == "json":
        emit(json(found).encode("utf-8"))
    elif asked.format == "text":
        say(text(found, asked.words, width(), has_colour(asked.color)), error=False)
    else:
        from hardener.facts.tree import repository_root
        from hardener.render.formats import Run, render

        folder = os.getcwd()
        how = Run(folder, repository_root(folder), tuple(asked.words) or (".",), unsafe=asked.unsafe_fixes, width=width())
        emit(render(asked.format, found.report, how).encode("utf-8"))
    if found.report.troubles:
        return TROUBLE
    if asked.fail_under is not None:
        return FINDINGS if found.score.before < asked.fail_under else OK
    return FINDINGS if fails(found.report.postures) else OK


def _requests(asked: Asked, paths: Sequence[str]) -> tuple[list[Request], list[Scope], list[Trouble]]:
    """What to look at, with the settings that the plain command would have for these paths."""
    invocation = Invocation(
        tuple(paths),
        unsafe_fixes=asked.unsafe_fixes,
        profiles=tuple(asked.profiles),
        no_evidence=asked.no_evidence,
        config=asked.chosen.config,
        isolated=asked.chosen.isolated,
    )
    scopes, troubles = scopes_of(invocation)
    return [request_of(invocation, scope) for scope in scopes], scopes, troubles


def _since(asked: Asked, revision: str) -> int:
    from hardener.audit.revision import past
    from hardener.audit.since import change
    from hardener.render.since import json, text

    here = os.path.realpath(".")
    with past(revision, here) as old:
        # From the same folder below either root, so that names are the same.
        requests, scopes, troubles = _requests(asked, [_within(path, here, old.root) for path in asked.words or (".",)])
        after, texts = _judged(requests), _texts(requests)
        with _working_in(os.path.join(old.folder, os.path.relpath(here, old.root))):
            earlier = [_earlier(request, scope, old) for request, scope in zip(requests, scopes, strict=True)]
            found = change(_judged(earlier), after, _texts(earlier), texts)
        commit, name = old.commit, old.name
    troubles += after[0].troubles
    if asked.format == "json":
        emit(json(found, commit, name, troubles).encode("utf-8"))
    else:
        say(text(found, name, troubles, width(), has_colour(asked.color)), error=False)
    if troubles:
        return TROUBLE
    return FINDINGS if found.is_worse else OK


def _earlier(request: Request, scope: Scope, old: Past) -> Request:
    """The same request about the files of a revision, with what is decided and known now: only the files may differ."""
    folder = os.path.realpath(request.policy.folder) if request.policy.folder else ""
    if folder and os.path.commonpath((folder, old.root)) == old.root:
        folder = os.path.normpath(os.path.join(old.folder, os.path.relpath(folder, old.root)))
    paths = [path for path in scope.paths if os.path.exists(path)]
    found = discover(paths, scope.config.exclude, folder)[0] if paths else ()
    return request._replace(files=tuple(found), policy=request.policy._replace(folder=folder))


def _judged(requests: Sequence[Request]) -> tuple[Report, list[Standing]]:
    from hardener.audit.postures import standings

    judged = [standings(request) for request in requests]
    return joined([report for report, _ in judged]), [standing for _, found in judged for standing in found]


def _texts(requests: Sequence[Request]) -> dict[str, str]:
    """What the files say, by their names; one that cannot be read says nothing."""
    texts = {}
    for file in (file for request in requests for file in request.files):
        try:
            texts[file.name] = (file.text or source.read(file.location, file.name)).text
        except Unreadable:
            texts[file.name] = ""
    return texts


def _within(path: str, here: str, root: str) -> str:
    """A path from the working folder. Raises `UsageError` where it lies outside of the repository."""
    real = os.path.realpath(path)
    if os.path.commonpath((real, root)) != root:
        raise UsageError(f"{clean(path)} is not in the repository that --since asks")
    return os.path.relpath(real, here)


@contextmanager
def _working_in(folder: str) -> Iterator[None]:
    before = os.getcwd()
    try:
        os.makedirs(folder, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError("this folder was a file then: run it in the folder above") from None
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _running(asked: Asked) -> int:
    from hardener.audit.running import audit_engine
    from hardener.posture import AUDITED, Answer
    from hardener.render.running import json, text

    engine, found = audit_engine(asked.words, stopped=asked.all)
    if asked.format == "json":
        emit(json(engine, found).encode("utf-8"))
    else:
        say(text(engine, found, width(), has_colour(asked.color)), error=False)
    asks = [question.id for question in AUDITED if question.exploitable]
    return FINDINGS if any(one.replies[id].answer is Answer.BAD for one in found for id in asks) else OK
