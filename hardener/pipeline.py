"""The loop: read, judge, plan, change, prove, until nothing changes. Never writes to disk, knows no output."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hardener import source as text_source
from hardener.discover import COMPOSE, DOCKERFILE, KUBERNETES, Found
from hardener.errors import CannotWrite, HardenError, Unreadable
from hardener.facts.tree import Tree, repository_root
from hardener.finding import Applicability, Finding, Rule, Severity
from hardener.plan import Choice, Identity, Plan, make_plan
from hardener.proof import apply, syntax_of
from hardener.record import NamedTuple
from hardener.report import FileChange, Outcome, Report, Status, Trouble
from hardener.source import Source

if TYPE_CHECKING:
    from hardener.facts.container import Container
    from hardener.group import Group
    from hardener.needs.proven import Proven
    from hardener.needs.recorded import Recorded

#: Passes to a fixed point; what still changes after these is not written.
MAX_PASSES = 10


class Request(NamedTuple):
    """What to look at, and how far to go."""

    files: tuple[Found, ...]
    unsafe: bool = False
    #: Rules to apply; empty for all.
    select: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()
    #: The folders of image profiles, the first that has one wins; empty for those of this package.
    profiles: tuple[str, ...] = ()
    #: Whether the changes are laid over the files, and over what others lay there.
    overlaid: bool = False
    #: Whether what `harden.evidence.yaml` says of runs counts.
    evidence: bool = True
    #: Of a trial that is going on: what it proved, by service; findings whose fixes are not to be made, with the reason;
    #: and the engine that it runs on, for people. What it proved counts before what is recorded, and is never stale.
    proven: Mapping[str, Proven] = {}
    withheld: Mapping[Identity, str] = {}
    engine: str = ""


def run(request: Request) -> Report:
    """Judge all files and compute what would be written."""
    from hardener.rules import load

    def rules(sees: str) -> dict[str, Rule]:
        return {r.id: r for r in load(sees) if (not request.select or r.id in request.select) and r.id not in request.ignore}

    threshold = Applicability.UNSAFE if request.unsafe else Applicability.SAFE
    tree = Tree(tree_roots(request))
    outcomes: dict[tuple[object, ...], Outcome] = {}
    changes: list[FileChange] = []
    troubles: list[Trouble] = []
    notes: list[Trouble] = []
    counts = {"containers": 0, "stages": 0}
    files = {found.location or found.name: found for found in request.files}
    for group in _groups(files, tree, request, troubles):
        notes += group.notes
        result = _Run(group, rules(group.sees), threshold, request.withheld)
        result.to_fixed_point()
        for outcome in result.outcomes():  # a service laid over another file is judged with and without it
            outcomes.setdefault((*_shown(outcome.finding), outcome.status, outcome.why), outcome)
        for location, before, after in result.changed():
            tree.take(location, after)
            changes.append(FileChange(before, after, files[location].location))
        troubles += result.troubles
        counts[group.counts] += group.size
    order = {found.name: at for at, found in enumerate(request.files)}
    sorted_outcomes = sorted(
        outcomes.values(),
        key=lambda o: (order.get(o.finding.place.path, len(order)), o.finding.place[1:], -o.severity, o.finding.rule),
    )
    changes.sort(key=lambda change: order.get(change.before.path, len(order)))
    return Report(tuple(sorted_outcomes), tuple(changes), tuple(troubles), tuple(notes), len(files), **counts)


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
    for group in _groups(files, Tree(tree_roots(request)), request, troubles):
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


def _groups(files: dict[str, Found], tree: Tree, request: Request, troubles: list[Trouble]) -> Iterator[Group]:
    """The groups of files that are planned and proved together.

    Dockerfiles come first: what a container needs, such as the owner of a tmpfs, depends on the user that its image gets.
    """
    sources: dict[str, Source] = {}
    for location, found in files.items():
        try:
            sources[location] = found.text or text_source.read(found.location, found.name)
        except Unreadable as error:
            troubles.append(Trouble(error.path, error.line, error.reason, error.remedy))
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
        for group in compose_groups(compose, tree, request.profiles, troubles, evidence=request.evidence, trial=trial):
            for container in group.project.containers:
                if container.build and container.build.dockerfile:
                    builders.setdefault(container.build.dockerfile, []).append(container)
                    record = group.record_of(container)
                    if record is not None:
                        proven[container.key] = record.proven
            projects.append(group)
    manifests = {location: source for location, source in sources.items() if files[location].kind == KUBERNETES}
    if manifests:
        from hardener.manifests import manifest_groups

        for manifest in manifest_groups(manifests, tree, request.profiles, troubles, patched=not request.overlaid):
            for container in manifest.containers:
                if container.build and container.build.dockerfile:
                    builders.setdefault(container.build.dockerfile, []).append(container)
            projects.append(manifest)
    dockerfiles = {location: source for location, source in sources.items() if files[location].kind == DOCKERFILE}
    if dockerfiles:
        from hardener.stages import dockerfile_groups

        yield from dockerfile_groups(dockerfiles, builders, tree, troubles, proven)
    yield from projects


class _Run:
    """One group on its way to the fixed point."""

    def __init__(self, group: Group, rules: dict[str, Rule], threshold: Applicability, withheld: Mapping[Identity, str]) -> None:
        self.group = group
        self.troubles: list[Trouble] = []
        self._rules = rules
        self._checks = [check for rule in rules.values() if (check := rule.check(group.sees)) is not None]
        self._threshold = threshold
        self._withheld = withheld
        self._original = group
        self._blocked: dict[Identity, str] = {}
        self._refused: dict[Identity, str] = {}
        self._first: dict[Identity, Finding] = {}
        self._applied: dict[Identity, Finding] = {}
        #: Of the applied ones, those that change nothing themselves.
        self._inherits: set[Identity] = set()
        self._plan = Plan((), ())
        self._findings: list[Finding] = []

    def to_fixed_point(self) -> None:
        """Pass after pass, until there is nothing left to change."""
        self._findings = self._check(self.group)
        for _ in range(MAX_PASSES):
            findings = self._findings
            for finding in findings:
                self._first.setdefault(finding.identity, finding)
            self._plan = make_plan(findings, self._rules, self._threshold, self._blocked)
            if not any(choice.changes for choice in self._plan.choices):
                return
            self.group = self._next(findings)
        self.group = self._original
        self._applied.clear()
        path = self._original.name
        self.troubles.append(
            Trouble(path, 0, f"still changing after {MAX_PASSES} passes; left as it was", "please report this file")
        )

    def _check(self, group: Group) -> list[Finding]:
        return [
            self._allowed(finding, needs.failed)
            for subject, needs in group.judged()
            for check in self._checks
            for finding in check(subject, needs)
        ]

    def _allowed(self, finding: Finding, failed: Mapping[str, str]) -> Finding:
        """A finding without its fix, where that is withheld or failed in a run."""
        if finding.identity in self._withheld:
            reason = self._withheld[finding.identity]
        elif finding.rule in failed:
            seen = failed[finding.rule]
            reason = f"it failed in a run: {seen}" if seen else "it failed in a run"
        else:
            return finding
        return finding._replace(fix=None, refusal=reason) if finding.fix or not finding.refusal else finding

    def _next(self, findings: list[Finding]) -> Group:
        """The group after this pass: with all chosen fixes, or, where their proof fails, with each that passes alone."""
        known = {finding.identity for finding in findings}
        try:
            changed = self._attempt(self.group, self._plan.choices, known)
        except HardenError:
            changed = self._one_by_one(known)
            self._findings = self._check(changed)
        else:
            self._record(self._plan.choices)
        return changed

    def _record(self, choices: tuple[Choice, ...]) -> None:
        self._applied |= {choice.finding.identity: choice.finding for choice in choices}
        self._inherits |= {choice.finding.identity for choice in choices if not choice.changes}

    def _one_by_one(self, known: set[Identity]) -> Group:
        """Make the fixes of each hazard together, or else singly, and block those that fail even after all others."""
        group = self.group
        waiting: list[Choice] = []
        for rule in dict.fromkeys(choice.finding.rule for choice in self._plan.choices):
            together = tuple(choice for choice in self._plan.choices if choice.finding.rule == rule)
            try:
                group = self._attempt(group, together, known)
                self._record(together)
                known = known | {finding.identity for finding in self._findings}  # what it revealed, the next does not bring
            except HardenError:
                waiting += together
        failed: dict[Identity, HardenError] = {}
        progress = True
        while progress:
            progress = False
            for choice in tuple(waiting):  # one fix may only work after another, whose text it inherits
                try:
                    group = self._attempt(group, (choice,), known)
                except HardenError as error:
                    failed[choice.finding.identity] = error
                else:
                    progress = True
                    waiting.remove(choice)
                    self._record((choice,))
                    known = known | {finding.identity for finding in self._findings}
        for choice in waiting:
            cause = failed[choice.finding.identity]
            self._blocked[choice.finding.identity] = getattr(cause, "reason", str(cause))
            if isinstance(cause, CannotWrite):
                self._refused[choice.finding.identity] = cause.reason
        return group

    def _attempt(self, group: Group, choices: tuple[Choice, ...], known: set[Identity]) -> Group:
        """The group with these fixes. Raises when one cannot be written or does not do exactly what it should."""
        changes = [change for choice in choices for change in choice.changes]
        files = {file.source.path: (file.source, file.tree) for file in group.files.values()}
        after = group.changed(apply(files, syntax_of(group.sees), changes))
        problem = group.weaker(after)
        self._findings = self._check(after)
        left = {finding.identity: finding for finding in self._findings}
        for choice in choices:
            remaining = left.get(choice.finding.identity)
            if remaining is not None and choice.changes:
                problem = problem or f"{choice.finding.rule} is still there after its fix"
        new = next(
            (finding for identity, finding in left.items() if identity not in known and not self._revealed(finding, choices)),
            None,
        )
        if new is not None:
            problem = problem or f"{new.rule} appeared in {new.subject}"
        if problem:
            raise Unproven(problem)
        return after

    def _revealed(self, new: Finding, choices: tuple[Choice, ...]) -> bool:
        """Whether a hazard was there before and only hidden by a worse one: `privileged` overrides dropped capabilities."""
        severity = self._rules[new.rule].severity
        fixed = (choice.finding for choice in choices if choice.finding.subject == new.subject)
        return any(self._rules[old.rule].severity >= severity for old in fixed)

    def outcomes(self) -> Iterator[Outcome]:
        """How every finding ended, with the places of the original text."""
        severity = {rule.id: rule.severity for rule in self._rules.values()}
        others = {_shown(self._first.get(finding.identity, finding)) for finding, _, _ in self._plan.others}
        for identity, finding in self._applied.items():
            if identity in self._inherits and _shown(self._first.get(identity, finding)) in others:
                continue  # the same service, judged without the file below it, ended otherwise: that is what is to be said
            yield Outcome(self._told(finding), Status.APPLIED, severity[finding.rule])
        for finding, status, why in self._plan.others:
            if finding.identity in self._applied:
                continue
            if finding.identity in self._refused:
                status, why = Status.REFUSED, self._refused[finding.identity]
            yield Outcome(self._told(finding), status, severity.get(finding.rule, Severity.LOW), why)

    def _told(self, finding: Finding) -> Finding:
        """A finding as it ended, at its place in the original text: another fix may have changed what is needed meanwhile."""
        return finding._replace(place=self._first.get(finding.identity, finding).place)

    def changed(self) -> Iterator[tuple[str, Source, Source]]:
        """The files that differ: location, before and after."""
        for location, file in self._original.files.items():
            after = self.group.files[location].source
            if after.text != file.source.text:
                yield location, file.source, after


def _shown(finding: Finding) -> tuple[object, ...]:
    return finding.rule, finding.place, finding.subject


class Unproven(HardenError):
    """A fix did not do exactly what it should; it is taken back."""
