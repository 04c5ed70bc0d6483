"""What a kustomization builds, as far as files say it: its manifests, what else is changed in them, and where a patch is listed.

Knows the fields of kustomize that decide that; no workload's settings, and it never runs or downloads anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from hardener.errors import CannotWrite, Unreadable
from hardener.facts.kubernetes.generated import NAMES
from hardener.facts.kubernetes.manifest import ManifestFile, Scope
from hardener.facts.kubernetes.workloads import Object, objects, pods
from hardener.facts.merged import text_of
from hardener.facts.tree import Tree
from hardener.finding import Change
from hardener.record import NamedTuple
from hardener.report import Trouble
from hardener.source import Source
from hardener.syntax.yaml import Append, Mapping, Node, Operation, Put, Remove, Scalar

#: The file that the patches of this tool go to.
PATCH = "harden-patch.yaml"
_DEEPEST = 32
_LONGEST_NAME = 253  # a DNS subdomain
#: What may change any object in ways that no file here says.
_ANYTHING = ("transformers", "replacements", "vars", "helmCharts", "helmChartInflationGenerator", "generators")


class Target(NamedTuple):
    """What some patch of a kustomization changes: kinds and names as regular expressions, empty for all."""

    kind: str
    name: str
    #: Which kustomization says so, for people.
    where: str


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
    )


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
        self._seen: set[str] = set()

    def read(self, location: str, depth: int) -> None:
        source = self._tree(location)
        if source is None or location in self._seen or depth > _DEEPEST:
            return
        self._seen.add(location)
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
            # Labels and annotations would narrow it down: all of the kind counts then.
            self.targets.append(Target(kind or "", name or "", source.path))
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
        self.targets += [Target(f"^{thing.kind}$", f"^{thing.name}$", where) for thing in found] or [Target("", "", where)]


def changed_by(build: Build, thing: Object) -> str:
    """Who else changes a workload in a way that was not read, images aside; empty where nobody does."""
    return next((t.where for t in build.targets if _may_mean(t.kind, thing.kind) and _may_mean(t.name, thing.name)), "")


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


def with_images(source: Source, images: Sequence[Image]) -> Source:
    """A manifest with the images that a kustomization writes into it. Raises `HardenError` where it cannot be edited so."""
    from hardener.proof import apply, syntax_of

    file = ManifestFile(source)
    changes: list[Change] = []
    for pod in pods(file.tree):
        scope = Scope(file, pod.spec, pod.route, pod.via)
        for node, route in (*scope.items("containers"), *scope.items("initContainers")):
            if isinstance(node, Mapping):
                container = Scope(file, node, route)
                old = new = container.text("image") or ""
                for image in images:
                    new = image.of(new)
                changes += container.put(("image",), new) if new != old else ()
    if not changes:
        return source
    return apply({source.path: (source, file.tree)}, syntax_of("container"), changes)[source.path][0]


def _without_tag(image: str) -> str:
    name = image.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"


def with_patch(source: Source, *, wanted: bool) -> Source:
    """A kustomization that lists our patch, or does not. Raises `CannotWrite` where it cannot be edited without a risk."""
    from hardener.proof import apply, syntax_of

    try:
        file = ManifestFile(source)
    except Unreadable as error:
        raise CannotWrite(error.reason) from None
    operations = list(_operations(file, wanted))
    changes = [change for operation in operations for change in file.change(operation)]
    if not changes:
        return source
    return apply({source.path: (source, file.tree)}, syntax_of("container"), changes)[source.path][0]


def _operations(file: ManifestFile, wanted: bool) -> Iterator[Operation]:
    root = file.tree.documents[0].root if file.tree.documents else None
    if not isinstance(root, Mapping):
        raise CannotWrite("the kustomization is empty")
    scope = Scope(file, root, (0,))
    for key in ("patches", "patchesStrategicMerge"):
        found = list(scope.items(key))
        for node, route in found:
            path = Scope(file, node, None).text("path") if isinstance(node, Mapping) else text_of(node)
            if path is not None and os.path.normpath(path) == PATCH and route is not None:
                if not wanted:
                    yield Remove(route if len(found) > 1 else route[:-1])
                return
    if not wanted:
        return
    old_form = scope.find("patchesStrategicMerge") is not None and scope.find("patches") is None
    key, item = ("patchesStrategicMerge", PATCH) if old_form else ("patches", {"path": PATCH})
    held = root.get(key)
    if held is None or (isinstance(held, Scalar) and held.is_null) or not list(scope.items(key)):
        yield Put((0, key), [item])
    else:
        yield Append((0, key), (item,))
