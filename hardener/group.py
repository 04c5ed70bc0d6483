"""Files that are planned and proved together, and what the rules see in them. Knows no rule."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self

from hardener.errors import Unreadable
from hardener.facts.compose.document import ComposeFile
from hardener.facts.compose.passing import laid_over, links
from hardener.facts.compose.project import ComposeProject
from hardener.facts.container import Container, gained
from hardener.facts.tree import Tree
from hardener.needs.container import needs_of
from hardener.policy import UNDECIDED, Policy
from hardener.report import Trouble
from hardener.source import Source

if TYPE_CHECKING:  # most projects have no record
    from hardener.needs.recorded import Recorded


#: The name of `hardener.needs.recorded.FILE`, known without that module.
_RECORDED = "harden.evidence.yaml"


class Group(Protocol):
    """What `hardener.pipeline` needs of files that belong together. A group never changes; its changed twin is a new one."""

    #: What the rules see: "container" or "stage"; and the count in the report that its subjects add to.
    sees: str
    counts: str

    @property
    def name(self) -> str:
        """What to call the group in a message."""

    @property
    def size(self) -> int:
        """How many subjects there are."""

    @property
    def notes(self) -> Sequence[Trouble]:
        """What was not judged, and why."""

    @property
    def files(self) -> Mapping[str, Any]:
        """The files that may be edited, by location; each has its `source` and its `tree`."""

    @property
    def read(self) -> Sequence[Any]:
        """All files that say something about the subjects, those too that may not be edited; each with `source` and `tree`."""

    @property
    def in_part(self) -> frozenset[str]:
        """The files, by the paths that people know, of which something was not judged."""

    def judged(self) -> Iterator[tuple[Any, Any]]:
        """Each subject with what it needs."""

    def changed(self, texts: Mapping[str, tuple[Source, Any]]) -> Self:
        """The group with other texts and their trees, by the path that people know."""

    def weaker(self, after: Self) -> str:
        """What a subject may do in `after` that it may not here; empty when nothing."""


class ComposeGroup:
    """Compose files that build on one another: a folder's, and what they extend or include."""

    sees = "container"
    counts = "containers"

    def __init__(
        self,
        files: Mapping[str, ComposeFile],
        tree: Tree,
        policy: Policy = UNDECIDED,
        *,
        evidence: bool = True,
        trial: Mapping[str, Recorded] = {},
    ) -> None:
        self.files = files
        self._tree = tree
        self._policy = policy
        self._evidence = evidence
        self._trial = trial
        self.project = ComposeProject(files, tree)

    @property
    def name(self) -> str:
        return next(iter(self.files.values())).source.path

    @property
    def size(self) -> int:
        return len(self.project.containers)

    @property
    def notes(self) -> Sequence[Trouble]:
        return [*self.project.notes, *self._stale()]

    @property
    def read(self) -> Sequence[Any]:
        return self.project.read

    @property
    def in_part(self) -> frozenset[str]:
        return frozenset((*(note.path for note in self.project.notes), *self.project.incomplete))

    def judged(self) -> Iterator[tuple[Container, Any]]:
        for container in self.project.containers:
            yield container, needs_of(container, self._tree, self._policy, self.record_of(container))

    def record_of(self, container: Container) -> Recorded | None:
        """What runs showed of a container as it is now: in a trial that is going on, or else in those that were recorded."""
        if container.subject in self._trial:
            return self._trial[container.subject]
        record = self._records(container.folder).get(container.subject)
        if record is None:
            return None
        from hardener.needs.recorded import stale

        return None if stale(record, container, self._tree) else record

    def _records(self, folder: str) -> Mapping[str, Recorded]:
        """What runs showed of the services of a folder."""
        key = (_RECORDED, folder)
        if key not in self._tree.concluded:
            self._tree.concluded[key] = os.path.isfile(os.path.join(folder, _RECORDED))
        if not self._evidence or not self._tree.concluded[key]:
            return {}
        from hardener.needs.recorded import recorded

        return recorded(folder, self._tree)

    def _stale(self) -> Iterator[Trouble]:
        """What was once seen of services that have changed since."""
        for container in self.project.containers:
            record = self._records(container.folder).get(container.subject)
            if record is not None and container.subject not in self._trial:
                from hardener.needs.recorded import stale

                why = stale(record, container, self._tree)
                if why:
                    path, _, line = record.evidence.source.rpartition(":")
                    reason = f"what it says of `{container.subject}` is stale and not used: {why}"
                    yield Trouble(path, int(line), reason, "prove it again with a run")

    def changed(self, texts: Mapping[str, tuple[Source, Any]]) -> Self:
        files = {
            location: ComposeFile(*texts[file.source.path]) if file.source.path in texts else file
            for location, file in self.files.items()
        }
        return type(self)(files, self._tree, self._policy, evidence=self._evidence, trial=self._trial)

    def weaker(self, after: Self) -> str:
        return gained(self.project.containers, after.project.containers)


def compose_groups(
    sources: Mapping[str, Source],
    tree: Tree,
    policy: Policy,
    troubles: list[Trouble],
    *,
    evidence: bool = True,
    trial: Mapping[str, Recorded] = {},
) -> Iterator[ComposeGroup]:
    """Compose files, grouped with those that they build on; a file that cannot be read is reported and left out.

    `trial` is what a trial that is going on has proved, by service; `evidence`, whether what was recorded of others counts.
    """
    files: dict[str, ComposeFile] = {}
    for location, source in sources.items():
        try:
            files[location] = ComposeFile(source)
        except Unreadable as error:
            troubles.append(Trouble(error.path, error.line, error.reason, error.remedy))
    leader = {location: location for location in files}

    def find(location: str) -> str:
        while leader[location] != location:
            leader[location] = location = leader[leader[location]]
        return location

    by_folder: dict[str, str] = {}
    for location, file in files.items():
        for other in {
            by_folder.setdefault(os.path.dirname(location), location),
            *links(file, location),
            *laid_over(location, files),
        }:
            if other in leader:
                leader[find(location)] = find(other)
    members: dict[str, dict[str, ComposeFile]] = {}
    for location, file in files.items():
        members.setdefault(find(location), {})[location] = file
    for group in members.values():
        yield ComposeGroup(group, tree, policy, evidence=evidence and _can_be_read(group, tree, troubles), trial=trial)


def _can_be_read(files: Mapping[str, ComposeFile], tree: Tree, troubles: list[Trouble]) -> bool:
    """Whether what was recorded of runs is well formed; where it is not, that is said, and nothing of it counts."""
    for folder in sorted({os.path.dirname(location) for location in files}):
        if os.path.isfile(os.path.join(folder, _RECORDED)):
            from hardener.needs.recorded import recorded

            try:
                recorded(folder, tree)
            except Unreadable as error:
                troubles.append(Trouble(error.path, error.line, error.reason, error.remedy))
                return False
    return True
