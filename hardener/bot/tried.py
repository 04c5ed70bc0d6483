"""A bundle tried on the engine here, so that only what held is proposed. Knows what a trial needs of a snapshot, and no engine.

What a repository contains is run: nobody's is, unless whoever runs the bot asks for it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator

from hardener.audit.postures import examined
from hardener.bot.bundles import fixes_of
from hardener.bot.forge import ForgeError
from hardener.bot.outside_reads import reads_outside
from hardener.bot.proposal import Asked, Bundle, Per, Snapshot
from hardener.bot.steps import World, series, steps_of
from hardener.config import Config
from hardener.discover import COMPOSE, DOCKERFILE, discover
from hardener.errors import HardenError, UsageError
from hardener.facts.compose.passing import BASE_NAMES, OVERRIDE_NAMES
from hardener.pipeline import Request
from hardener.report import Outcome, Report, Status, Trouble
from hardener.scopes import policy_of
from hardener.trial.verdict import Verdict
from hardener.trial.watch import Settings, Watcher

#: What is brought of a project for a trial, at most: files, and bytes of them.
_MOST_FILES = 2_000
_MOST_BYTES = 64 * 1024 * 1024
#: For where programs, settings and engine are (docs.docker.com, "Use the Docker command line"), and how the network is reached.
_GIVEN = frozenset(
    "PATH HOME USER LOGNAME LANG LC_ALL LC_CTYPE TZ TMPDIR TMP TEMP XDG_RUNTIME_DIR XDG_CONFIG_HOME XDG_CACHE_HOME "
    "DOCKER_HOST DOCKER_CONTEXT DOCKER_CONFIG DOCKER_CERT_PATH DOCKER_TLS DOCKER_TLS_VERIFY DOCKER_API_VERSION "
    "DOCKER_BUILDKIT BUILDX_BUILDER BUILDX_CONFIG HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY REQUESTS_CA_BUNDLE "
    "CURL_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR SYSTEMROOT COMSPEC PATHEXT USERPROFILE APPDATA LOCALAPPDATA PROGRAMDATA "
    "PROGRAMFILES".split()
)
_UNTRIED = "it was not part of the trial"


def tried(
    bundle: Bundle, snapshot: Snapshot, config: Config, asked: Asked, *, believes: bool = False, watcher: Watcher | None = None
) -> Bundle:
    """The bundle with what held in a trial of its project, in place of what was read; as it is where nobody asked for one.

    Where nothing was proved, nothing is proposed, and a trouble says why. Manifests, which no engine here can run, stay as they
    are. Probes are the repository's, and run on this machine: `believes` says whether they may. Raises a `ForgeError` where files
    cannot be brought.
    """
    if not asked.verify or not any(one.status in (Status.APPLIED, Status.HELD_BACK) for one in bundle.report.outcomes):
        return bundle
    with contextlib.chdir(snapshot.folder):
        path, why = _target(bundle)
        if not path:
            return _without(bundle, why, "try it by hand") if why else bundle
        if config.probes and not believes:
            told = os.path.relpath(os.path.join(config.folder, os.path.basename(config.path)))
            bundle = bundle._replace(unbelieved=(*bundle.unbelieved, told))
        try:
            settings = _settings(path, bundle, config, asked, believes=believes)
            _bring(_folder_of(path), snapshot)
            if outside := reads_outside(_compose_files(path), snapshot.folder):
                return _without(
                    bundle, f"nothing is tried that has Compose read {outside}, which may be elsewhere", "try it by hand"
                )
            with _bare_environment():
                _bring_project(settings, snapshot)
                from hardener.trial.verify import verify

                verdict = verify(settings, watcher or Watcher())
        except ForgeError:
            raise
        except HardenError as error:
            return _without(bundle, f"nothing was proved: {error}", "run `harden verify` in a clone, or the bot with --git")
        if verdict.stopped or verdict.request is None:
            return _without(bundle, f"nothing was proved: {verdict.stopped}", "")._replace(verdict=verdict)
        return _with(bundle, verdict, verdict.request, snapshot)


@contextlib.contextmanager
def _bare_environment() -> Iterator[None]:
    """Only those variables without which engine and Compose do not work.

    A Compose file can hand any other to what it runs, the token among them, and what a container says may stand in a body.
    """
    before = dict(os.environ)
    for name, value in before.items():
        if name.upper() not in _GIVEN or "@" in value:  # a password, in the address of a proxy
            del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(before)


def _target(bundle: Bundle) -> tuple[str, str]:
    """The folder or file to try. Where there is none, the other text says why; it is empty where nothing could be tried."""
    found = discover(_paths(bundle.report))[0]
    compose = [file.name for file in found if file.kind == COMPOSE]
    dockerfiles = [file.name for file in found if file.kind == DOCKERFILE]
    if compose:
        folders = {os.path.dirname(name) or "." for name in compose}
        folder = bundle.scope if bundle.scope in folders else folders.pop()
        if folder != bundle.scope and folders:
            return "", "it has Compose files in several folders, and a trial is of one project"
        inside = [name for name in compose if (os.path.dirname(name) or ".") == folder]
        if any(os.path.basename(name) in BASE_NAMES for name in inside):
            return folder, ""
        return (inside[0], "") if len(inside) == 1 else ("", "it has several Compose files, none of which comes first")
    if len(dockerfiles) > 1:
        return "", "it has several Dockerfiles, and no Compose file that says how they are run"
    return (dockerfiles[0], "") if dockerfiles else ("", "")


def _paths(report: Report) -> list[str]:
    places = [*(one.finding.place for one in report.outcomes), *(posture.place for posture in report.postures)]
    return sorted({*(place.path for place in places), *(change.before.path for change in report.changes)})


def _settings(path: str, bundle: Bundle, config: Config, asked: Asked, *, believes: bool) -> Settings:
    from hardener.trial.probe import read

    if not believes:
        config = config._replace(policy=config.policy._replace(profiles=()), probes=())
    select, ignore = (asked.only, frozenset[str]()) if asked.only else (config.select, config.ignore)
    return Settings(
        path=path,
        probes=tuple(map(read, config.probes)),
        unsafe=asked.unsafe or config.unsafe_fixes,
        policy=policy_of(config),
        select=frozenset((bundle.scope,)) if bundle.per is Per.RULE else select,
        ignore=ignore,
    )


def _folder_of(path: str) -> str:
    """The folder of what is tried."""
    return path if os.path.isdir(path) else os.path.dirname(path) or "."


def _compose_files(path: str) -> list[str]:
    """The files that Compose begins with."""
    if not os.path.isdir(path):
        return [file.location for file in discover([path])[0] if file.kind == COMPOSE]
    return [os.path.join(path, name) for name in (*BASE_NAMES, *OVERRIDE_NAMES)]


def _bring_project(settings: Settings, snapshot: Snapshot) -> None:
    """Have all files brought that a trial copies: its folder's, and then those that it builds from or mounts beside it."""
    from hardener.trial.compose import find_compose
    from hardener.trial.project import find_project

    request = Request((), True, settings.select, settings.ignore, policy=settings.policy, fetch=snapshot.fetch)
    project = find_project(settings.path, settings.files, find_compose(settings.compose), request)
    _bring(os.path.relpath(project.root), snapshot)


def _bring(folder: str, snapshot: Snapshot) -> None:
    below = "" if folder == "." else f"{folder.replace(os.sep, '/')}/"
    entries = [entry for path, entry in snapshot.entries.items() if path.startswith(below)]
    if len(entries) > _MOST_FILES or sum(max(entry.size, 0) for entry in entries) > _MOST_BYTES:
        size = f"more than {_MOST_FILES:,} files or {_MOST_BYTES // 1024**2} MiB below {folder}"
        raise UsageError(f"a trial needs all of {size}, which is too much to be brought: use a clone, with --git")
    snapshot.bring(*(entry.path for entry in entries))


def _without(bundle: Bundle, why: str, remedy: str) -> Bundle:
    """The bundle with nothing to propose."""
    report = bundle.report
    path = next(iter(change.before.path for change in report.changes), bundle.scope)
    held = report._replace(
        outcomes=tuple(_held_back(report.outcomes, why)),
        changes=(),
        postures=tuple(posture._replace(after=posture.before, why_after=posture.why) for posture in report.postures),
        troubles=(*report.troubles, Trouble(path, 0, why, remedy)),
    )
    return bundle._replace(report=held, steps=(), fixes=fixes_of(held, "."))


def _held_back(outcomes: Iterable[Outcome], why: str) -> Iterable[Outcome]:
    for one in outcomes:
        yield one._replace(status=Status.HELD_BACK, why=why) if one.status is Status.APPLIED else one


def _with(bundle: Bundle, verdict: Verdict, request: Request, snapshot: Snapshot) -> Bundle:
    """The bundle with what a trial found to hold, and nothing of what it did not try."""
    names = {file.name for file in request.files}
    if beside := sorted({change.before.path for change in verdict.report.changes} - set(_paths(bundle.report))):
        why = f"its project has more than this, which is only proved together: {', '.join(beside)}"
        return _without(bundle, why, "make a pull request of each project")._replace(verdict=verdict)
    # The report of a trial has no postures, and that of the bundle has.
    report = examined(request)[0]
    old = bundle.report
    rest = [one for one in old.outcomes if one.finding.place.path not in names]
    merged = old._replace(
        outcomes=(*report.outcomes, *_held_back(rest, _UNTRIED)),
        changes=report.changes,
        troubles=tuple(dict.fromkeys((*old.troubles, *report.troubles))),
        notes=tuple(dict.fromkeys((*old.notes, *report.notes))),
        postures=(
            *report.postures,
            *(one._replace(after=one.before, why_after=one.why) for one in old.postures if one.place.path not in names),
        ),
    )
    steps = steps_of(series([World(request, report)]), (file.name for file in request.files), merged, snapshot.entries)
    return bundle._replace(report=merged, steps=steps, fixes=fixes_of(merged, "."), verdict=verdict, requests=(request,))
