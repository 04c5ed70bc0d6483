"""The loop: read, judge, plan, change, prove, until nothing changes. Never writes to disk, knows no output."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hardener import source as text_source
from hardener.discover import COMPOSE, DOCKERFILE, KUBERNETES, Found, discover
from hardener.errors import HardenError, Unreadable
from hardener.facts.tree import Tree, repository_root
from hardener.finding import Applicability, Rule
from hardener.passes import Ask, Passes, shown
from hardener.plan import Identity
from hardener.policy import Policy
from hardener.record import NamedTuple
from hardener.report import FileChange, Outcome, Report, Status, Trouble
from hardener.source import Source
from hardener.syntax.comments import MARK

if TYPE_CHECKING:
    from datetime import date

    from hardener.facts.container import Container
    from hardener.facts.image import ImageReference
    from hardener.group import Group
    from hardener.needs.proven import Proven
    from hardener.needs.recorded import Recorded
    from hardener.silence.baseline import Baseline
    from hardener.silence.silences import Silences
    from hardener.trace import Trace


class Request(NamedTuple):
    """What to look at, and how far to go."""

    files: tuple[Found, ...]
    unsafe: bool = False
    #: Rules to apply; empty for all.
    select: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()
    #: Whether the changes are laid over the files, and over what others lay there.
    overlaid: bool = False
    #: Whether what `harden.evidence.yaml` says of runs counts.
    evidence: bool = True
    #: Of a trial that is going on: what it proved, by service; findings whose fixes are not to be made, with the reason;
    #: and the engine that it runs on, for people. What it proved counts before what is recorded, and is never stale.
    proven: Mapping[str, Proven] = {}
    withheld: Mapping[Identity, str] = {}
    engine: str = ""
    #: What people decided for the repository, and the findings that they had when they decided to count only new ones.
    policy: Policy = Policy()
    baseline: Baseline | None = None
    #: The day for which last days of silences count; None for today.
    today: date | None = None
    #: Whether each outcome is to tell what its fix alone would change: it takes a plan and a proof for each.
    singly: bool = False
    #: What is to be told of the way there, and of its end: how many files are done, of how many.
    trace: Trace | None = None
    advance: Callable[[int, int], None] | None = None
    #: Whether somebody is asked about each fix before it is made.
    ask: Ask | None = None
    #: What is told of each file before it is read, where files are only brought when somebody wants them.
    fetch: Callable[[str], None] | None = None


def run(request: Request) -> Report:
    """Judge all files and compute what would be written."""
    return examine(request)[0]


def examine(request: Request) -> tuple[Report, list[tuple[Group, Group]]]:
    """The report, and each group of files as it is and as it would be: what is asked of containers beside the rules."""
    from hardener.rules import ids, load

    def rules(sees: str) -> dict[str, Rule]:
        return {rule.id: rule for rule in load(sees) if _is_asked(rule, request)}

    def passes(group: Group) -> Passes:
        chosen = rules(group.sees)
        silences = _silences(group, request, chosen, rules)
        if silences is not None:
            chosen = {**chosen, **silences.about}
        return Passes(group, chosen, threshold, request.withheld, silences, request.trace, request.ask)

    threshold = Applicability.UNSAFE if request.unsafe else Applicability.SAFE
    fetch = _Fetch(request.fetch) if request.fetch is not None else None
    request = request._replace(fetch=fetch)
    tree = Tree(tree_roots(request), fetch)
    outcomes: dict[tuple[object, ...], Outcome] = {}
    changes: list[FileChange] = []
    troubles: list[Trouble] = []
    notes: list[Trouble] = []
    counts = {"containers": 0, "stages": 0}
    done = 0
    groups: list[tuple[Group, Group]] = []
    files = {found.location or found.name: found for found in request.files}
    found_groups = _groups(files, tree, request, troubles, around=True)
    for group in found_groups if request.trace is None else request.trace.each("read", found_groups):
        notes += group.notes
        result = passes(group)
        result.to_fixed_point()
        groups.append((group, result.group))
        for outcome in result.outcomes():  # a service laid over another file is judged with and without it
            if request.singly:
                outcome = outcome._replace(alone=_alone(result, outcome, files))
            outcomes.setdefault((*shown(outcome.finding), outcome.status, outcome.why), outcome)
        for location, before, after in result.changed():
            tree.take(location, after)
            changes.append(FileChange(before, after, files[location].location))
        troubles += result.troubles
        counts[group.counts] += group.size
        if request.advance is not None:
            done += len(group.files)
            request.advance(done, len(files))
    if fetch is not None and fetch.failed is not None:
        raise fetch.failed
    order = {found.name: at for at, found in enumerate(request.files)}
    sorted_outcomes = sorted(
        outcomes.values(),
        key=lambda o: (order.get(o.finding.place.path, len(order)), o.finding.place[1:], -o.severity, o.finding.rule),
    )
    changes.sort(key=lambda change: order.get(change.before.path, len(order)))
    numbers = len(files), counts["containers"], counts["stages"]
    report = Report(tuple(sorted_outcomes), tuple(changes), tuple(troubles), tuple(notes), *numbers)
    if request.baseline is not None:
        in_part = {trouble.path for trouble in (*troubles, *notes)}
        known = frozenset(ids()) - request.ignore
        report = report._replace(
            gone=request.baseline.gone((path for path in order if path not in in_part), known & request.select or known)
        )
    return report, groups


class _Fetch:
    """Brings files until that fails once: then for good, and it is no failure of the fix that was being tried."""

    def __init__(self, fetch: Callable[[str], None]) -> None:
        self._fetch = fetch
        self.failed: HardenError | None = None

    def __call__(self, location: str) -> None:
        if self.failed is not None:
            raise self.failed
        try:
            self._fetch(location)
        except HardenError as error:
            self.failed = error
            raise


def _silences(
    group: Group, request: Request, chosen: dict[str, Rule], rules: Callable[[str], dict[str, Rule]]
) -> Silences | None:
    """What may silence the findings of a group; None where nothing does, which is so for most files."""
    if not (request.policy.waivers or request.baseline or any(MARK in file.source.text for file in group.read)):
        return None
    from hardener.rules import load
    from hardener.silence.silences import Silences

    about = rules("silence")
    # Whether a comment is needed, the rules that it names can tell, even where only that is asked for.
    asked = {rule.id: rule for rule in load(group.sees) if rule.id not in request.ignore} if about else chosen
    return Silences(request.policy, request.baseline, asked, about, request.today, writes=not request.overlaid)


def _is_asked(rule: Rule, request: Request) -> bool:
    chosen = (not request.select or rule.id in request.select) and rule.id not in request.ignore
    return chosen and rule.severity >= request.policy.least_severity


def _alone(result: Passes, outcome: Outcome, files: Mapping[str, Found]) -> tuple[FileChange, ...]:
    changed = result.alone(outcome.finding) if outcome.status in (Status.APPLIED, Status.HELD_BACK) else ()
    return tuple(FileChange(before, after, files[location].location) for location, before, after in changed)


class Judged(NamedTuple):
    """A container or stage with what it needs."""

    sees: str
    subject: Any
    needs: Any


def needs(request: Request) -> tuple[list[Judged], list[Trouble]]:
    """What each container needs, and each stage that no container of these files is built from; and what was not read."""
    troubles: list[Trouble] = []
    found: list[Judged] = []
    files = {file.location or file.name: file for file in request.files}
    built: set[str] = set()
    for group in _groups(files, Tree(tree_roots(request), request.fetch), request, troubles):
        troubles += group.notes
        found += [Judged(group.sees, subject, needs) for subject, needs in group.judged()]
    for judged in found:
        if judged.sees == "container" and judged.subject.build:
            built.add(judged.subject.build.dockerfile)
    names = {file.name for location, file in files.items() if location in built}
    stages = [j for j in found if j.sees == "stage" and j.subject.runs and j.subject.source.path not in names]
    order = {file.name: at for at, file in enumerate(request.files)}
    chosen = [judged for judged in found if judged.sees == "container"] + stages
    return sorted(chosen, key=lambda j: order.get(_path(j), len(order))), troubles


def _path(judged: Judged) -> str:
    path: str = judged.subject.source.path if judged.sees == "stage" else judged.subject.place.path
    return path


def tree_roots(request: Request) -> tuple[str, ...]:
    """The folders whose files may be read for context: the repositories of the files, and those asked for, as of an archive."""
    roots = {repository_root(os.path.dirname(f.location) if f.location else ".") for f in request.files}
    return (*roots, *{f.within for f in request.files if f.within})


def _groups(
    files: dict[str, Found], tree: Tree, request: Request, troubles: list[Trouble], *, around: bool = False
) -> Iterator[Group]:
    """The groups of files that are planned and proved together.

    Dockerfiles come first: what a container needs, such as the owner of a tmpfs, depends on the user that its image gets.
    `around`: whether Compose files that were not asked for have a say in how a Dockerfile that was named is run.
    """
    sources: dict[str, Source] = {}
    for location, found in files.items():
        if request.fetch is not None and found.text is None:
            request.fetch(found.location)
        try:
            sources[location] = found.text or text_source.read(found.location, found.name)
        except Unreadable as error:
            troubles.append(Trouble(error.path, error.line, error.reason, error.remedy))
        else:
            if found.text is not None and found.location:
                tree.take(location, found.text)  # it need not be what is on disk
    builders: dict[str, list[Container]] = {}
    proven: dict[str, Proven] = {}
    # What only one kind needs is imported only where there are files of it.
    compose = {location: source for location, source in sources.items() if files[location].kind == COMPOSE}
    projects: list[Group] = []
    if compose:
        from hardener.group import compose_groups

        trial: Mapping[str, Recorded] = {}
        if request.proven:
            from hardener.needs.recorded import of_trial

            trial = of_trial(request.proven, request.engine)
        for group in compose_groups(compose, tree, request.policy, troubles, evidence=request.evidence, trial=trial):
            for container in group.project.containers:
                if container.build and container.build.dockerfile:
                    builders.setdefault(container.build.dockerfile, []).append(container)
                    record = group.record_of(container)
                    if record is not None:
                        proven[container.key] = record.proven
            projects.append(group)
    dockerfiles = {location: source for location, source in sources.items() if files[location].kind == DOCKERFILE}
    may_run_elsewhere = False
    manifests = {location: source for location, source in sources.items() if files[location].kind == KUBERNETES}
    if manifests:
        from hardener.manifests import manifest_groups

        for manifest in manifest_groups(manifests, tree, request.policy, troubles, patched=not request.overlaid):
            for container in manifest.containers:
                if container.build and container.build.dockerfile:
                    builders.setdefault(container.build.dockerfile, []).append(container)
                elif dockerfiles and not may_run_elsewhere:
                    may_run_elsewhere = _is_unknown(container.image, request.policy)
            projects.append(manifest)
    if dockerfiles:
        from hardener.stages import dockerfile_groups

        for container, record in _built_around(files, tree, request) if around else ():
            if container.build and container.build.dockerfile in dockerfiles:
                builders.setdefault(container.build.dockerfile, []).append(container)
                if record is not None:
                    proven[container.key] = record.proven
        yield from dockerfile_groups(
            dockerfiles, builders, tree, troubles, proven, request.policy, may_run_elsewhere=may_run_elsewhere
        )
    yield from projects


def _is_unknown(image: ImageReference | None, policy: Policy) -> bool:
    """Whether an image may be one that is made here, under a name that nothing here says."""
    from hardener.needs.profile import BUILT_IN, find_profile

    return image is None or find_profile(image, (*policy.profiles, BUILT_IN)) is None


def _built_around(files: Mapping[str, Found], tree: Tree, request: Request) -> Iterator[tuple[Container, Recorded | None]]:
    """The containers of the Compose files around Dockerfiles that were named, with what runs showed of them.

    Who is given one file, as a hook is, is to be told no more than who is given its folder: how it is run counts.
    """
    named = [found for found in files.values() if found.kind == DOCKERFILE and found.location and not found.within]
    around: dict[str, Source] = {}
    for root in {repository_root(os.path.dirname(found.location)) for found in named}:
        for found in discover((root,), kinds=(COMPOSE,), fetch=request.fetch)[0]:
            if found.location not in files and (text := tree(found.location)) is not None:
                around[found.location] = text
    if not around:
        return
    from hardener.group import compose_groups

    for group in compose_groups(around, tree, request.policy, [], evidence=request.evidence):
        for container in group.project.containers:
            yield container, group.record_of(container)
