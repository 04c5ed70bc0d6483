"""A Kubernetes manifest as a group of its own: the containers of its pods, and what they need. Knows no rule."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from hardener.errors import Unreadable
from hardener.facts.container import Container, gained
from hardener.facts.kubernetes.chart_files import chart_of
from hardener.facts.kubernetes.cluster import Cluster
from hardener.facts.kubernetes.container import read_container
from hardener.facts.kubernetes.installed_charts import installs_chart
from hardener.facts.kubernetes.manifest import ManifestFile, Template
from hardener.facts.kubernetes.pod import MOST_CONTAINERS, Pod
from hardener.facts.kubernetes.workloads import may_have_pods, pods
from hardener.facts.own_overlay import is_own_overlay
from hardener.needs.container import needs_of
from hardener.needs.profile import BUILT_IN, find_profile
from hardener.policy import UNDECIDED, Policy
from hardener.report import Trouble

if TYPE_CHECKING:
    from hardener.facts.tree import Tree
    from hardener.source import Source


class ManifestGroup:
    """One manifest with all its objects."""

    sees = "container"
    counts = "containers"

    def __init__(self, location: str, file: ManifestFile, tree: Tree, cluster: Cluster, policy: Policy = UNDECIDED) -> None:
        self.files: Mapping[str, Any] = {location: file}
        self._location = location
        self._file = file
        self._tree = tree
        self._cluster = cluster
        self._policy = policy
        self._profiles = (*policy.profiles, BUILT_IN)

    @property
    def name(self) -> str:
        return self._file.source.path

    @property
    def size(self) -> int:
        return len(self.containers)

    @property
    def notes(self) -> Sequence[Trouble]:
        return [
            Trouble(self.name, pod.place.line, f"`{pod.name}` is not judged: {why}", remedy)
            for pod in self._pods
            for why, remedy in _why_not_judged(pod)
        ]

    @cached_property
    def _pods(self) -> tuple[Pod, ...]:
        return tuple(Pod(self._file, node, number) for number, node in enumerate(pods(self._file.tree)))

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        """The containers of all pods that are judged, in the order of the file."""
        folder = os.path.dirname(self._location)
        found = [
            read_container(member, folder, self._cluster)
            for pod in self._pods
            if not any(_why_not_judged(pod))
            for member in pod.members
        ]
        for container in found:
            if self._location and (container.image is None or find_profile(container.image, self._profiles) is None):
                self._build_here(container, folder)
        return tuple(found)

    def _build_here(self, container: Container, folder: str) -> None:
        """Have a container built from the Dockerfile that makes its image, where the repository says which one does."""
        from hardener.needs.built_here import built_here

        made = built_here(container.image_text, self._tree, folder)
        if made is not None:
            container.build, container.image = made[0]._replace(said_at=made[1].source), None

    @property
    def read(self) -> Sequence[Any]:
        return (self._file,)

    @property
    def in_part(self) -> frozenset[str]:
        return frozenset(note.path for note in self.notes)

    def judged(self) -> Iterator[tuple[Container, Any]]:
        for container in self.containers:
            yield container, needs_of(container, self._tree, self._policy)

    def changed(self, texts: Mapping[str, tuple[Source, Any]]) -> Self:
        path = self._file.source.path
        file = ManifestFile(*texts[path]) if path in texts else self._file
        return type(self)(self._location, file, self._tree, self._cluster, self._policy)

    def weaker(self, after: Self) -> str:
        return gained(self.containers, after.containers)


class TemplateGroup:
    """Texts that make manifests, or change those of others: they are not judged, and that is said."""

    sees = "container"
    counts = "containers"
    size = 0

    def __init__(self, notes: Sequence[Trouble]) -> None:
        self.files: Mapping[str, Any] = {}
        self.containers: tuple[Container, ...] = ()
        self.name = notes[0].path
        self.notes = notes
        self.read: Sequence[Any] = ()
        self.in_part: frozenset[str] = frozenset()

    def judged(self) -> Iterator[tuple[Container, Any]]:
        return iter(())

    def changed(self, texts: Mapping[str, tuple[Source, Any]]) -> Self:
        return self

    def weaker(self, after: Self) -> str:
        return ""


def _why_not_judged(pod: Pod) -> Iterator[tuple[str, str]]:
    if pod.is_windows:
        yield "it runs on Windows, which has other settings", ""
    elif len(pod.members) > MOST_CONTAINERS:
        yield f"it has more than {MOST_CONTAINERS} containers", "make it several pods"
    elif pod.is_patch:
        yield "it has a container without an image, so it changes a pod that is written elsewhere", "give harden that one"


def _installing(paths: Sequence[str]) -> Trouble:
    """One note for all of them: a repository may consist of little else. It says no number, which would change with each."""
    others = ", as others have," if len(paths) > 1 else ""
    reason = f"it has{others} a chart of Helm installed, whose pods are written elsewhere and not judged"
    return Trouble(paths[0], 1, reason, "run harden on what `helm template` makes")


def manifest_groups(
    sources: Mapping[str, Source],
    tree: Tree,
    policy: Policy,
    troubles: list[Trouble],
    *,
    patched: bool = True,
) -> Iterator[ManifestGroup | TemplateGroup]:
    """Each manifest that asks for pods as a group; one that cannot be read is reported and left out.

    `patched`: whether what kustomizations patch in them counts, as it does for changes that come before those patches.
    """
    read: dict[str, ManifestFile] = {}
    cluster = Cluster(sources, tree, read, patched=patched)
    charts: dict[str, dict[str, Source]] = {}
    installing: list[Source] = []
    for location, source in sources.items():
        if installs_chart(source.text):
            installing.append(source)
        if is_own_overlay(source.text):
            reason = "it was written by `harden --overlay`; what it changes is judged without it"
            yield TemplateGroup((Trouble(source.path, 1, reason, "run harden with --overlay to count it"),))
        # A chart's templates are templates even where they could be read as manifests.
        elif chart := chart_of(location, tree):
            charts.setdefault(chart, {})[location] = source
        elif may_have_pods(source.text):
            try:
                read[location] = ManifestFile(source)
            except Template as error:
                yield TemplateGroup((Trouble(error.path, error.line, error.reason, error.remedy),))
            except Unreadable as error:
                troubles.append(Trouble(error.path, error.line, error.reason, error.remedy))
    if installing:
        yield TemplateGroup((_installing([source.path for source in installing]),))
    for chart, templates in charts.items():
        if any(may_have_pods(source.text) for source in templates.values()):
            from hardener.facts.kubernetes.chart_notes import template_notes

            if notes := tuple(template_notes(chart, templates, tree)):
                yield TemplateGroup(notes)
    for location, file in read.items():
        yield ManifestGroup(location, file, tree, cluster, policy)
