"""From the files of a repository to what belongs into each pull request. Judges nothing itself, and knows no forge and no words.

One run of the pipeline over all files is split: each change is in exactly one bundle, and all of them together are what `harden
--write` would have written. What is merged alone must be as safe as all of it together, so what is built stays with what runs it,
and a file is only on its own where its fixes come out the same while the others stay as they are.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import TypeVar

from hardener.audit.postures import examined
from hardener.bot.connected import Part, connected, projects, together, worlds
from hardener.bot.marks import fixes_said
from hardener.bot.proposal import Asked, Bundle, Bundles, Per, Snapshot
from hardener.bot.steps import State, World, series, step_of, steps_of
from hardener.config import Config
from hardener.config.find import FILE, SHARED_FILE
from hardener.discover import COMPOSE, KUBERNETES, Found
from hardener.facts.kubernetes.cluster import may_be_named
from hardener.fingerprint import fingerprints
from hardener.group import Group
from hardener.pipeline import Request, run
from hardener.record import NamedTuple
from hardener.report import Report, Status, joined
from hardener.scopes import Chosen, Scope, Wish, request_for, scopes

#: The name of `hardener.needs.recorded.FILE`, known without that module.
_RECORDED = "harden.evidence.yaml"
_Item = TypeVar("_Item")


class Judged(NamedTuple):
    """All files of one configuration, and what came of them."""

    request: Request
    report: Report
    groups: tuple[Group, ...]
    #: Its files in groups, of which each is only right together.
    components: list[tuple[Found, ...]]


def bundles(snapshot: Snapshot, config: Config, asked: Asked, *, believes: bool) -> Bundles:
    """Judge all files of a snapshot, and split what came of it as the repository, or whoever asks, wants it.

    `believes`: whether recorded runs and profiles in the repository count, as they do in one's own. The rest of its configuration
    always does: what is let be, amounts, also `unsafe-fixes`, are wishes of whoever keeps it, and no claims about what containers
    need. Raises `UsageError` and `Unreadable` for a configuration that cannot be followed, and what
    `Snapshot.fetch` raises.
    """
    per = Per(config.pull_requests.per)
    with contextlib.chdir(snapshot.folder):
        snapshot.bring(FILE, SHARED_FILE)
        found, troubles = scopes((".",), Chosen(), fetch=snapshot.fetch)
        judged = [_judged(_request(scope, snapshot, asked, believes)) for scope in found]
        report = joined([one.report for one in judged])
        report = report._replace(troubles=(*troubles, *report.troubles))
        unbelieved = _Unbelieved(snapshot, [] if believes else [scope.config for scope in found])
        if per is Per.RULE:
            return _by_rule(judged, report, snapshot, unbelieved)
        return _by_files(_parts(per, judged, snapshot), per, judged, report, snapshot, unbelieved)


def left_by(bundle: Bundle, folder: str) -> Report:
    """What is found in the files of a bundle as it leaves them, with what each fix would do there by itself (`Outcome.alone`).

    `folder` is that of the snapshot, in which the files are as they were.
    """
    after = {change.before.path: change.after for change in bundle.report.changes}
    paths = {*after, *(one.finding.place.path for one in bundle.report.outcomes)}
    with contextlib.chdir(folder):
        found = []
        for request in bundle.requests:
            files = tuple(file._replace(text=after.get(file.name, file.text)) for file in request.files)
            found.append(run(request._replace(files=files, singly=True)))
    report = joined(found)
    return report._replace(outcomes=tuple(one for one in report.outcomes if one.finding.place.path in paths))


def fixes_of(report: Report, folder: str) -> str:
    """The fixes that a report makes, as marks have them: what each is about and to which values it comes.

    Neither lines nor wordings count: what was declined does not come back because a later version words it better.
    """
    names = fingerprints((outcome.finding for outcome in report.outcomes), folder, folder)
    made = (
        f"{name} {_said([want.value for want in outcome.finding.fix.wants])}"
        for name, outcome in zip(names, report.outcomes, strict=True)
        if outcome.status is Status.APPLIED and outcome.finding.fix is not None
    )
    return fixes_said(made)


def _said(value: object) -> str:
    """A value as text that is the same in every run."""
    if isinstance(value, (set, frozenset)):
        return f"{{{', '.join(sorted(map(_said, value)))}}}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(sorted(f'{_said(key)}: {_said(one)}' for key, one in value.items()))}}}"
    if isinstance(value, (list, tuple)):
        return f"({', '.join(map(_said, value))})"
    if isinstance(value, Enum):
        return value.name
    return ascii(value) if isinstance(value, (str, int, float, type(None))) else type(value).__name__


def _request(scope: Scope, snapshot: Snapshot, asked: Asked, believes: bool) -> Request:
    config = scope.config
    if not believes:
        config = config._replace(policy=config.policy._replace(profiles=()))
    below = tuple(os.path.join(_path(folder, snapshot), "") for folder in config.policy.profiles)
    snapshot.bring(*(path for path in snapshot.entries if below and path.startswith(below)))
    if config.baseline:
        snapshot.bring(_path(config.baseline, snapshot))
    wish = Wish(select=asked.only, unsafe=asked.unsafe, evidence=believes)
    return request_for(scope._replace(config=config), wish)._replace(fetch=snapshot.fetch)


def _path(location: str, snapshot: Snapshot) -> str:
    """A path from the root, with `/`."""
    return os.path.relpath(location, os.path.realpath(snapshot.folder)).replace(os.sep, "/")


def _judged(request: Request) -> Judged:
    report, _, groups = examined(request)
    found = tuple(group for group, _ in groups)
    return Judged(request, report, found, connected(request.files, found))


class _Unbelieved:
    """What is found in a repository and not believed."""

    def __init__(self, snapshot: Snapshot, configs: Iterable[Config]) -> None:
        configs = list(configs)
        self._profiles = [_path(folder, snapshot) for config in configs for folder in config.policy.profiles]
        recorded = [path for path in snapshot.entries if os.path.basename(path) == _RECORDED] if configs else []
        self._recorded = {os.path.dirname(path): path for path in recorded}

    def about(self, found: Iterable[Found]) -> tuple[str, ...]:
        """What would have counted for these files. Profiles may be about any image."""
        folders = dict.fromkeys(os.path.dirname(file.name) for file in found if file.kind == COMPOSE)
        return (*(self._recorded[folder] for folder in folders if folder in self._recorded), *self._profiles)


def _parts(per: Per, judged: Sequence[Judged], snapshot: Snapshot) -> list[Part]:
    found = [file for one in judged for file in one.request.files]
    if per is Per.REPOSITORY:
        return [Part("", tuple(found))] if found else []
    components = [component for one in judged for component in one.components]
    if per is Per.PROJECT:
        return projects(found, components, snapshot.entries)
    all_worlds = [world for one in judged for world in _worlds(one)]
    sets = [part for component in components for part in _apart(component, all_worlds)]
    return [Part(files[0].name, files) for files in sets]


def _worlds(judged: Judged) -> Iterator[World]:
    for found in worlds(judged.request.files, judged.components):
        names = {file.name for file in found}
        outcomes = tuple(one for one in judged.report.outcomes if one.finding.place.path in names)
        changes = tuple(change for change in judged.report.changes if change.before.path in names)
        yield World(judged.request._replace(files=found), Report(outcomes, changes))


def _thinned(world: World, components: Iterable[tuple[Found, ...]]) -> World:
    """The world without manifests that neither change nor say anything about others: each of its runs would judge them anew."""
    changed = {change.before.path for change in world.report.changes}
    near = {file.name for component in components if any(file.name in changed for file in component) for file in component}
    files = tuple(
        file
        for file in world.request.files
        if file.kind != KUBERNETES or file.name in near or file.text is None or may_be_named(file.text.text)
    )
    return world._replace(request=world.request._replace(files=files))


def _apart(component: tuple[Found, ...], all_worlds: Sequence[World]) -> list[tuple[Found, ...]]:
    """The files of a component one by one; but all changed ones together, where one would change otherwise without the others."""
    names = {file.name for file in component}
    world = next(one for one in all_worlds if component[0] in one.request.files)
    final = {change.before.path: change.after.text for change in world.report.changes if change.before.path in names}
    made = [one.finding for one in world.report.applied]
    # A finding in one file may be mended in another that it builds on.
    elsewhere = names & {finding.place.path for finding in made} - set(final)
    sets: list[Iterable[str]] = [*([name] for name in names), [*final, *elsewhere] if elsewhere else []]
    for name in final if len(final) > 1 else ():
        others = {finding.identity: "another pull request" for finding in made if finding.place.path != name}
        alone = run(world.request._replace(withheld=others))
        if {change.before.path: change.after.text for change in alone.changes} != {name: final[name]}:
            sets.append(final)
            break
    number = {name: at for at, members in enumerate(together(sets)) for name in members}
    found: dict[int, list[Found]] = {}
    for file in component:
        found.setdefault(number[file.name], []).append(file)
    return [tuple(files) for files in found.values()]


def _by_files(
    parts: Sequence[Part], per: Per, judged: Sequence[Judged], report: Report, snapshot: Snapshot, unbelieved: _Unbelieved
) -> Bundles:
    """Each part with what is its own of one report."""
    owner = _Owner(parts)
    all_worlds = [world for one in judged for world in _worlds(one)]
    changed = [world for world in all_worlds if world.report.changes]
    states = _states(parts, changed, [component for one in judged for component in one.components])
    reports = owner.split(report, [group for one in judged for group in one.groups])
    made = []
    for number, (part, own) in enumerate(zip(parts, reports, strict=True)):
        steps = steps_of(states.get(number, ()), (file.name for file in part.found), own, snapshot.entries)
        fixes = fixes_of(own, snapshot.folder)
        about = tuple(
            world.request for world in all_worlds if not part.names.isdisjoint(file.name for file in world.request.files)
        )
        made.append(Bundle(part.scope, per, own, steps, fixes, unbelieved.about(part.found), requests=about))
    return Bundles(tuple(made), tuple(trouble for trouble in report.troubles if owner.of(trouble.path) is None), report)


def _states(
    parts: Sequence[Part], changed: Sequence[World], components: Sequence[tuple[Found, ...]]
) -> dict[int, tuple[State, ...]]:
    """The states of the commits for each part that changes: the same for those that are judged at once."""
    sets = [[file.location for file in world.request.files] for world in changed]
    sets += [[file.location for file in part.found] for part in parts]
    states: dict[int, tuple[State, ...]] = {}
    for members in together(sets):
        some = [world for world in changed if world.request.files[0].location in members]
        if some:
            made = series([_thinned(world, components) for world in some])
            states |= {number: made for number, part in enumerate(parts) if part.found[0].location in members}
    return states


class _Owner:
    """Which part something is about, by its path."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._count = len(parts)
        self._by_name = {name: number for number, part in enumerate(parts) for name in part.names}
        folders: dict[str, set[int]] = {}
        for name, number in self._by_name.items():
            folders.setdefault(os.path.dirname(name), set()).add(number)
        self._by_folder = {folder: min(numbers) for folder, numbers in folders.items() if len(numbers) == 1}

    def of(self, path: str) -> int | None:
        """The part with a file, or the only one with files beside it; of one part, that."""
        return self._by_name.get(path, self._by_folder.get(os.path.dirname(path), 0 if self._count == 1 else None))

    def split(self, report: Report, groups: Iterable[Group]) -> list[Report]:
        """What of a report is about each part."""
        sizes: dict[tuple[int | None, str], int] = {}
        for group in groups:
            key = self.of(group.name), group.counts
            sizes[key] = sizes.get(key, 0) + group.size
        outcomes = self._by_part(report.outcomes, lambda one: one.finding.place.path)
        changes = self._by_part(report.changes, lambda one: one.before.path)
        troubles = self._by_part(report.troubles, lambda one: one.path)
        notes = self._by_part(report.notes, lambda one: one.path)
        postures = self._by_part(report.postures, lambda one: one.place.path)
        files = self._by_part(tuple(self._by_name), lambda name: name)
        return [
            Report(
                outcomes[at],
                changes[at],
                troubles[at],
                notes[at],
                len(files[at]),
                sizes.get((at, "containers"), 0),
                sizes.get((at, "stages"), 0),
                postures[at],
            )
            for at in range(self._count)
        ]

    def _by_part(self, items: Sequence[_Item], path: Callable[[_Item], str]) -> list[tuple[_Item, ...]]:
        found: list[list[_Item]] = [[] for _ in range(self._count)]
        for item in items:
            number = self.of(path(item))
            if number is not None:
                found[number].append(item)
        return [tuple(some) for some in found]


def _by_rule(judged: Sequence[Judged], report: Report, snapshot: Snapshot, unbelieved: _Unbelieved) -> Bundles:
    """For each rule that found something, what it alone would do."""
    severity = {outcome.finding.rule: outcome.severity for outcome in report.outcomes}
    all_worlds = [world for one in judged for world in _worlds(one)]
    made = []
    for rule in sorted(severity, key=lambda rule: (-severity[rule], rule)):
        some = [world for world in all_worlds if any(one.finding.rule == rule for one in world.report.outcomes)]
        requests = tuple(world.request._replace(select=frozenset((rule,))) for world in some)
        alone = joined([examined(request)[0] for request in requests])
        found = [file for world in some for file in world.request.files]
        steps = step_of(rule, alone, snapshot.entries)
        fixes = fixes_of(alone, snapshot.folder)
        made.append(Bundle(rule, Per.RULE, alone, steps, fixes, unbelieved.about(found), requests=requests))
    told = {trouble for bundle in made for trouble in bundle.report.troubles}
    return Bundles(tuple(made), tuple(trouble for trouble in report.troubles if trouble not in told), report)
