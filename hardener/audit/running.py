"""The containers of a real engine: how they stand, which files ask for them, and what would mend that. Prints nothing.

Nothing is changed on the engine, and nothing is run in a container.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hardener.audit.answers import Replies
from hardener.audit.flags import Flags, flags_of
from hardener.audit.inspection import EngineState, Running, answers, confinement, container_of, engine_state, root_is_hosts
from hardener.discover import COMPOSE, discover
from hardener.errors import UsageError
from hardener.facts.container import Container
from hardener.facts.tree import Tree
from hardener.needs.needs import Needs
from hardener.pipeline import Request, run
from hardener.posture import QUESTIONS, Answer
from hardener.record import NamedTuple
from hardener.report import FileChange, Outcome, Status
from hardener.suggestion import meant
from hardener.trial.engine import Engine, lost

#: The states of a container whose processes are there (moby, container/state.go).
_UP = ("running", "paused", "restarting")
_COMPOSE = "com.docker.compose"
#: What a Compose file may be called to be read by a label's word: labels are anybody's.
_ENDINGS = (".yml", ".yaml", ".json")
#: A project of more files than this is none that a person starts.
_MOST_FILES = 50


class Mapped(NamedTuple):
    """The Compose files that a container was started from, by its labels."""

    project: str
    service: str
    files: tuple[str, ...]
    #: Why they do not count; empty where they do.
    why_not: str = ""
    #: What the safe fixes change for this service alone.
    changes: tuple[FileChange, ...] = ()
    #: Of the findings that are left, the rule and what a person can do, or what is not known.
    open: tuple[tuple[str, str], ...] = ()
    #: Questions that the files answer well and the container does not: it is older than they are.
    drifted: tuple[str, ...] = ()


class Audited(NamedTuple):
    """One container of an engine."""

    name: str
    id: str
    image: str
    running: bool
    replies: Replies
    #: Which profiles hold it, and whether root in it is root on the host.
    confinement: tuple[str, ...]
    root_is_hosts: bool
    mapped: Mapped | None
    #: Where no file asks for it.
    flags: Flags | None


def audit_engine(names: Sequence[str], *, stopped: bool = False) -> tuple[EngineState, list[Audited]]:
    """Ask the containers of the engine: those named, or all that run, or with `stopped` all there are; the worst first.

    Raises `TrialError` where no engine answers, and `UsageError` for a container that is not there.
    """
    engine = Engine()
    try:
        with lost():
            state = engine_state(engine.client.info(), str(engine.client.version().get("Version") or ""))
            everything = engine.client.api.containers(all=True)
        files: dict[tuple[tuple[str, ...], str], Mapped] = {}
        found = [_audited(engine, state, id, files) for id in _chosen(everything, names, stopped)]
    finally:
        engine.client.close()
    return state, sorted((one for one in found if one is not None), key=_goodness)


def _goodness(one: Audited) -> tuple[int, str]:
    from hardener.posture import points_lost

    return -points_lost({id: reply.answer for id, reply in one.replies.items()}), one.name


def _chosen(everything: Iterable[Mapping[str, Any]], names: Sequence[str], stopped: bool) -> list[str]:
    by_name = {name.removeprefix("/"): str(one["Id"]) for one in everything for name in one.get("Names") or ()}
    ids = {str(one["Id"]): one for one in everything}
    if not names:
        return [id for id, one in ids.items() if stopped or one.get("State") in _UP]
    found = []
    for name in names:
        same = [id for id in ids if len(name) >= 4 and id.startswith(name)]
        if name in by_name:
            found.append(by_name[name])
        elif len(same) == 1:
            found += same
        else:
            near = meant(name, by_name, 2)
            hint = f"did you mean {near}?" if near else "`docker ps -a` lists them"
            raise UsageError(f"there is no container `{name}` on this engine: {hint}")
    return list(dict.fromkeys(found))


def _audited(engine: Engine, state: EngineState, id: str, files: dict[tuple[tuple[str, ...], str], Mapped]) -> Audited | None:
    import docker.errors

    with lost():
        try:
            told = engine.client.api.inspect_container(id)
        except docker.errors.NotFound:  # it has just gone
            return None
        try:
            image = engine.client.api.inspect_image(told["Image"])
        except docker.errors.APIError:
            image = {}
    return audited(told, image, state, _processes(engine, told), is_here=engine.is_local, files=files)


def _processes(engine: Engine, told: Mapping[str, Any]) -> list[Running]:
    import docker.errors

    if not (told.get("State") or {}).get("Running"):
        return []
    with lost():
        try:
            rows = engine.client.api.top(told["Id"], ps_args="-eo pid,ppid,uid,comm").get("Processes") or ()
        except docker.errors.APIError:  # it has just ended, or its host has another `ps`
            return []
    try:
        return [Running(int(pid), int(parent), int(uid), str(name)) for pid, parent, uid, name, *_ in rows]
    except ValueError:
        return []


def audited(
    told: Mapping[str, Any],
    image: Mapping[str, Any],
    state: EngineState,
    processes: Sequence[Running] = (),
    *,
    is_here: bool = True,
    files: dict[tuple[tuple[str, ...], str], Mapped] | None = None,
) -> Audited:
    """One container by its inspection and that of its image. `files` keeps what is found of each file from one to the next."""
    from hardener.needs.container import needs_of

    def known(container: Container) -> Needs:
        return needs_of(container, Tree(()))

    container = container_of(told, image, state)
    replies = answers(told, container, known(container), state, processes)
    mapped = _mapped((told.get("Config") or {}).get("Labels") or {}, replies, is_here, {} if files is None else files)
    return Audited(
        name=container.subject,
        id=container.key,
        image=container.image_text,
        running=bool((told.get("State") or {}).get("Running")),
        replies=replies,
        confinement=confinement(told, state),
        root_is_hosts=root_is_hosts(told, state),
        mapped=mapped,
        flags=None if mapped is not None else flags_of(container, known),
    )


def _mapped(
    labels: Mapping[str, str], replies: Replies, is_here: bool, files: dict[tuple[tuple[str, ...], str], Mapped]
) -> Mapped | None:
    """The files that a container's labels name; None where they name none."""
    service, project = str(labels.get(f"{_COMPOSE}.service") or ""), str(labels.get(f"{_COMPOSE}.project") or "")
    folder = str(labels.get(f"{_COMPOSE}.project.working_dir") or "")
    named = [name for name in str(labels.get(f"{_COMPOSE}.project.config_files") or "").split(",") if name]
    if not service or not named:
        return None
    paths = tuple(os.path.normpath(os.path.join(folder, name)) for name in named)
    if (paths, service) not in files:
        files[paths, service] = _of_files(project, service, paths, is_here)
    mapped = files[paths, service]
    bad = {id for id, reply in replies.items() if reply.answer is Answer.BAD}
    return mapped._replace(drifted=tuple(id for id in mapped.drifted if id in bad))


def _of_files(project: str, service: str, paths: tuple[str, ...], is_here: bool) -> Mapped:
    """What the files say of a service, and the safe fixes that are its own; `drifted` holds all that they answer well."""
    nothing = Mapped(project, service, paths)
    if not is_here:
        return nothing._replace(why_not="the engine is on another machine, and so are its files")
    if len(paths) > _MOST_FILES:
        return nothing._replace(files=paths[:1], why_not=f"its labels name {len(paths)} files, more than a project has")
    missing = [path for path in paths if not os.path.isfile(path) or not path.endswith(_ENDINGS)]
    if missing:
        return nothing._replace(why_not=f"{missing[0]} is not there (any more)")
    from hardener.audit.postures import standings

    shown = [path if os.path.relpath(path).startswith(os.pardir) else os.path.relpath(path) for path in paths]
    found, troubles = discover(shown)
    # Of a file that a label names, and that is something else, nothing is repeated: anybody may give labels.
    if troubles or any(file.kind != COMPOSE for file in found):
        return nothing._replace(why_not=f"{troubles[0].path if troubles else paths[0]} is no Compose file that can be read")
    report, all_standings = standings(_with_dockerfiles(Request(tuple(found))))
    if report.troubles:
        return nothing._replace(why_not=report.troubles[0].reason)
    mine = [standing for standing in all_standings if standing.posture.subject == service]
    if not mine:
        return nothing._replace(why_not=f"they have no service `{service}` (any more)")
    wanted = {outcome.finding.identity for outcome in mine[-1].outcomes}
    others = {
        outcome.finding.identity: "it is another service's"
        for outcome in report.outcomes
        if outcome.status is Status.APPLIED and outcome.finding.identity not in wanted
    }
    alone = run(_with_dockerfiles(Request(tuple(found), withheld=others)))
    posture = mine[-1].posture
    well = tuple(question.id for question in QUESTIONS if posture.before[question.id] is Answer.GOOD)
    left = dict.fromkeys(_left(outcome) for outcome in mine[-1].outcomes if outcome.status is not Status.APPLIED)
    return nothing._replace(changes=alone.changes, open=tuple(left), drifted=well)


def _left(outcome: Outcome) -> tuple[str, str]:
    fix = outcome.finding.fix
    if outcome.status is Status.HELD_BACK and fix is not None and fix.missing:
        return outcome.finding.rule, f"not known: {fix.missing}"
    return outcome.finding.rule, outcome.finding.advice or outcome.why or outcome.finding.refusal


def _with_dockerfiles(request: Request) -> Request:
    """With the Dockerfiles that the services are built from, which are hardened together with them."""
    from hardener import pipeline

    judged, _ = pipeline.needs(request)
    builds = (judged_one.subject.build for judged_one in judged if judged_one.sees == "container")
    made = dict.fromkeys(build.dockerfile for build in builds if build is not None and os.path.isfile(build.dockerfile or ""))
    names = [path if os.path.relpath(path).startswith(os.pardir) else os.path.relpath(path) for path in made]
    known = {file.location for file in request.files}
    more = tuple(file for file in discover(names)[0] if file.location not in known) if names else ()
    return request._replace(files=(*request.files, *more))
