"""What a kustomization builds, as far as files say it: its manifests, and what else is changed in them.

Knows the fields of kustomize that decide that; no workload's settings, and it never runs or downloads anything.
"""

from __future__ import annotations

import os

from hardener.errors import Unreadable
from hardener.facts.kubernetes.manifest import ManifestFile, Scope
from hardener.facts.kubernetes.workloads import Object, objects, pod_of
from hardener.facts.merged import text_of
from hardener.facts.tree import Tree
from hardener.record import NamedTuple
from hardener.report import Trouble
from hardener.source import Source
from hardener.syntax.yaml import Mapping, Node

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
#: The file that the patches of this tool go to.
PATCH = "harden-patch.yaml"
_DEEPEST = 32
_LONGEST_NAME = 253  # a DNS subdomain
#: Folders in which a project's own kustomizations do not lie.
_NOT_OWN = frozenset(".git node_modules .venv venv vendor".split())
#: What may change any object in ways that no file here says.
_ANYTHING = ("transformers", "replacements", "vars", "helmCharts", "helmChartInflationGenerator", "generators")


class Target(NamedTuple):
    """What some patch of a kustomization changes: kinds and names as regular expressions, empty for all."""

    kind: str
    name: str
    #: Which kustomization says so, for people.
    where: str
    #: Whether it is a patch that may change the pods of a workload, and not only the workload.
    pods: bool = False


class Image(NamedTuple):
    """An entry of `images`: what is written in the place of a name, a tag or a digest; empty for what stays."""

    name: str
    new_name: str
    new_tag: str
    digest: str

    def of(self, image: str) -> str:
        """What becomes of an image."""
        name = _without_tag(image)
        if name != self.name:
            return image
        rest = image[len(name) :]
        if self.digest:
            rest = f":{self.new_tag}@{self.digest}" if self.new_tag else f"@{self.digest}"
        elif self.new_tag:
            rest = f":{self.new_tag}"
        return (self.new_name or name) + rest


class Build(NamedTuple):
    """What a kustomization builds. Locations are paths on disk."""

    location: str
    manifests: tuple[str, ...]
    #: Files that are patches of it, or of what it builds on; they are no workloads of their own.
    patches: frozenset[str]
    targets: tuple[Target, ...]
    #: The images that it writes anew, in the order in which that is done.
    images: tuple[Image, ...]
    notes: tuple[Trouble, ...]
    #: The kustomizations that it is made of, its own among them.
    read: frozenset[str] = frozenset()


def kustomization_in(folder: str, tree: Tree) -> str:
    """The location of the kustomization of a folder; empty where it has none."""
    return next((path for name in NAMES if tree(path := os.path.join(folder, name)) is not None), "")


def build_of(location: str, tree: Tree, *, deep: bool = True) -> Build:
    """What a kustomization builds, with what it builds on, if `deep`; never outside the tree, and nothing from elsewhere."""
    reader = _Reader(tree, deep)
    reader.read(location, 0)
    return Build(
        location,
        tuple(dict.fromkeys(reader.manifests)),
        frozenset(reader.patches),
        tuple(reader.targets),
        tuple(reader.images),
        tuple(reader.notes),
        frozenset(reader.seen),
    )


def patching(folder: str, tree: Tree) -> tuple[Build, ...]:
    """What is built by those kustomizations of a folder's project that patch pods; looked for once a run."""
    root = tree.project_of(folder)
    key = (patching, root)
    if key not in tree.concluded:
        found = [
            build_of(path, tree)
            for path in tree.walk(root, _NOT_OWN)
            if os.path.basename(path) in NAMES and (source := tree(path)) is not None and "patches" in source.text
        ]
        tree.concluded[key] = tuple(build for build in found if any(target.pods for target in build.targets))
    builds: tuple[Build, ...] = tree.concluded[key]
    return builds


def said_elsewhere(location: str, thing: Object, tree: Tree) -> str:
    """Why a manifest does not say all of a workload's pods, in words that go on after "not known:"; empty where it does.

    Some kustomization of the project patches it, or lays it over another; neither is put together here.
    """
    for build in patching(os.path.dirname(location), tree):
        if location in build.manifests:
            who = changed_by(build, thing, pods=True)
            if who:
                return f"what {who} changes of it"
        elif location in build.patches:
            return f"what {os.path.relpath(build.location)} lays it over"
    return ""


class _Reader:
    """Follows a kustomization to what it builds on."""

    def __init__(self, tree: Tree, deep: bool) -> None:
        self.manifests: list[str] = []
        self.patches: set[str] = set()
        self.targets: list[Target] = []
        self.images: list[Image] = []
        self.notes: list[Trouble] = []
        self._tree = tree
        self._deep = deep
        self.seen: set[str] = set()

    def read(self, location: str, depth: int) -> None:
        source = self._tree(location)
        if source is None or location in self.seen or depth > _DEEPEST:
            return
        self.seen.add(location)
        try:
            file = ManifestFile(source)
        except Unreadable as error:
            self.notes.append(Trouble(error.path, error.line, error.reason, error.remedy))
            return
        root = file.tree.documents[0].root if file.tree.documents else None
        if not isinstance(root, Mapping):
            return
        scope = Scope(file, root, None)
        folder = os.path.dirname(location)
        for key in ("resources", "bases", "components"):
            for node, _ in scope.items(key):
                self._follow(text_of(node) or "", folder, file, node, depth)
        for node, _ in scope.items("patchesStrategicMerge"):
            self._patch(text_of(node) or "", folder, source)
        for key in ("patches", "patchesJson6902"):
            for node, _ in scope.items(key):
                if isinstance(node, Mapping):
                    self._listed(Scope(file, node, None), folder, source)
        for node, _ in scope.items("images"):
            if isinstance(node, Mapping):
                entry = Scope(file, node, None)
                self.images.append(Image(*(entry.text(key) or "" for key in ("name", "newName", "newTag", "digest"))))
        for key in _ANYTHING:
            if scope.find(key) is not None:
                self.targets.append(Target("", "", f"`{key}` of {source.path}"))

    def _follow(self, name: str, folder: str, file: ManifestFile, node: Node, depth: int) -> None:
        line = file.place(node).line
        path = os.path.normpath(os.path.join(folder, name))
        if not name or "://" in name or name.startswith("git@") or "?ref=" in name or (not os.path.exists(path) and "//" in name):
            reason = f"it builds on {name}, which is not here and was not read"
            self.notes.append(Trouble(file.source.path, line, reason, "harden that where it is written"))
        elif not self._tree.contains(path):
            reason = f"it builds on {name}, which lies outside this repository and was not read"
            self.notes.append(Trouble(file.source.path, line, reason, "harden that where it is written"))
        elif os.path.isdir(path):
            inner = kustomization_in(path, self._tree)
            if inner and self._deep:
                self.read(inner, depth + 1)
        elif self._tree(path) is not None:
            self.manifests.append(path)
        elif not os.path.exists(path):
            self.notes.append(Trouble(file.source.path, line, f"it builds on {name}, which is not there", "mend the path"))

    def _listed(self, patch: Scope, folder: str, source: Source) -> None:
        kind, name = patch.text("target", "kind"), patch.text("target", "name")
        if patch.find("target") is not None:
            if patch.text("path"):
                self.patches.add(os.path.normpath(os.path.join(folder, patch.text("path") or "")))
            file = self._tree(os.path.normpath(os.path.join(folder, patch.text("path") or ""))) if patch.text("path") else None
            said = file.text if file is not None else patch.text("patch") or ""
            # Labels and annotations would narrow it down: all of the kind counts then.
            self.targets.append(Target(kind or "", name or "", source.path, not said or _is_about_pods(said)))
        else:
            self._patch(patch.text("path") or patch.text("patch") or "", folder, source)

    def _patch(self, said: str, folder: str, source: Source) -> None:
        """A strategic-merge patch: the path of its file, or its text."""
        path = os.path.normpath(os.path.join(folder, said)) if "\n" not in said else ""
        if os.path.basename(path) == PATCH and folder == os.path.dirname(path):
            self.patches.add(path)
            return
        text = self._tree(path) if path else None
        if text is not None:
            self.patches.add(path)
        try:
            found = list(objects(ManifestFile(text or Source(source.path, said)).tree))
        except Unreadable:
            found = []
        where = text.path if text is not None else source.path
        self.targets += [Target(f"^{thing.kind}$", f"^{thing.name}$", where, pod_of(thing) is not None) for thing in found] or [
            Target("", "", where)
        ]


def changed_by(build: Build, thing: Object, *, pods: bool = False) -> str:
    """Who else changes a workload, or its `pods`, in a way that was not read, images aside; empty where nobody does."""
    targets = (target for target in build.targets if target.pods or not pods)
    return next((t.where for t in targets if _may_mean(t.kind, thing.kind) and _may_mean(t.name, thing.name)), "")


def _may_mean(pattern: str, text: str) -> bool:
    """Whether a pattern of Go's means a text, as far as that can be told; else it may.

    It is somebody's, and Python takes time without end for some: only what has no repetition but a few `.*` is tried.
    """
    import re

    plain = pattern.replace(".*", "", 2)
    if len(text) > _LONGEST_NAME or len(pattern) > 4 * _LONGEST_NAME or not re.fullmatch(r"[\w.|()^$-]*+", plain):
        return True
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return True


def _without_tag(image: str) -> str:
    name = image.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"


def _is_about_pods(patch: str) -> bool:
    """Whether a patch with a target says something of pods: of their template, or of what only they have."""
    return any(word in patch for word in ("template", "ontainers", "volumes", "/spec/securityContext", "erviceAccount"))
