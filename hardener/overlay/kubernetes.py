"""The patches of a run's manifests, in the place of its edits: one file for each kustomization, which lists it. Knows no rule."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hardener.errors import CannotWrite, HardenError, Unreadable
from hardener.facts.kubernetes.kustomization import PATCH, Build, changed_by, patching
from hardener.facts.kubernetes.manifest import ManifestFile
from hardener.facts.kubernetes.workloads import Object, objects
from hardener.facts.merged import target, values
from hardener.facts.own_overlay import FIRST_LINE
from hardener.overlay.kustomization import with_patch
from hardener.overlay.strategic_merge import patch, replaces_lists
from hardener.overlay.text import Reader, in_place, rendered
from hardener.record import NamedTuple
from hardener.report import FileChange, Trouble
from hardener.source import Source
from hardener.syntax.yaml import Mapping as MappingNode
from hardener.syntax.yaml import Node
from hardener.syntax.yaml import Sequence as SequenceNode
from hardener.syntax.yaml.reader import MAX_DEPTH

if TYPE_CHECKING:
    from hardener.facts.tree import Tree

#: More than any object has that the API server takes: 1.5 MiB are the most that etcd keeps of one.
_MOST_VALUES = 500_000


class Refusal(NamedTuple):
    """A workload whose change is not in a patch: its file, its lines (first and last), and why."""

    path: str
    lines: tuple[int, int]
    reason: str


class Patches(NamedTuple):
    """What became of the changes to what a kustomization builds."""

    changes: tuple[FileChange, ...]
    troubles: tuple[Trouble, ...]
    refusals: tuple[Refusal, ...]


class _Changed(NamedTuple):
    """A workload that the fixes change."""

    file: ManifestFile
    thing: Object
    patch: Mapping[Any, Any]


def patches(build: Build, sources: Mapping[str, Source], changed: Mapping[str, Source], tree: Tree) -> Patches:
    """The patch file of a kustomization and the kustomization that lists it, where they differ from what is there.

    `sources` are the manifests that it builds, by location; `changed`, what the fixes make of them.
    """
    files = {location: ManifestFile(source) for location, source in sources.items() if _can_be_read(source)}
    count = Counter((thing.group, thing.kind, thing.name, thing.namespace) for f in files.values() for thing in objects(f.tree))
    found: list[_Changed] = []
    refusals: list[Refusal] = []
    for location, file in files.items():
        if location in changed:
            for thing, made in _changes(file, ManifestFile(changed[location])):
                reason = made if isinstance(made, str) else ""
                who = changed_by(build, thing) or _changed_above(build, thing, tree)
                if count[thing.group, thing.kind, thing.name, thing.namespace] > 1:
                    reason = "two objects that the kustomization builds have its name, so that a patch fits both"
                elif who:
                    reason = f"it is changed by {who} too, and what that makes of it is not known here"
                if reason:
                    refusals.append(Refusal(file.source.path, _lines(file, thing), reason))
                elif not isinstance(made, str):
                    found.append(_Changed(file, thing, made))
    kustomization = tree(build.location)
    assert kustomization is not None
    kustomization = Source(_beside(build, os.path.basename(build.location)), kustomization.text, bom=kustomization.bom)
    location = os.path.join(os.path.dirname(build.location), PATCH)
    name = _beside(build, PATCH)
    try:
        written = _written(build, kustomization, location, name, found)
    except CannotWrite as error:
        trouble = Trouble(name, 0, f"a patch cannot say it: {error.reason}", "run harden without --overlay on the manifests")
        whole = [Refusal(one.file.source.path, _lines(one.file, one.thing), trouble.reason) for one in found]
        return Patches((), (trouble,), (*refusals, *whole))
    stands_for = tuple(sorted({one.file.source.path for one in found}))
    return Patches(tuple(change._replace(stands_for=stands_for) for change in written), (), tuple(refusals))


def _changed_above(build: Build, thing: Object, tree: Tree) -> str:
    """Which kustomization that builds on this one changes a workload's pods too; empty for none."""
    above = (other for other in patching(os.path.dirname(build.location), tree) if build.location in other.read)
    return next((who for other in above if (who := changed_by(other, thing, pods=True))), "")


def _beside(build: Build, name: str) -> str:
    """A file in the kustomization's folder as people know it, by the way from here."""
    path = os.path.relpath(os.path.join(os.path.dirname(build.location), name))
    return path.replace(os.sep, "/")


def _can_be_read(source: Source) -> bool:
    try:
        ManifestFile(source)
    except Unreadable:
        return False  # the run has said so
    return True


def _written(build: Build, kustomization: Source, location: str, name: str, found: Sequence[_Changed]) -> list[FileChange]:
    old = in_place(location, name)
    if not found and old is None:
        return []
    new = Source(name, _text(found))
    try:
        listed = with_patch(kustomization, wanted=bool(found))
    except HardenError as error:
        reason = getattr(error, "reason", str(error))
        raise CannotWrite(f"{kustomization.path} cannot list it: {reason}") from None
    changes = []
    if old is None or old.text != new.text:
        changes.append(FileChange(old or Source(name, ""), new, location, is_new=old is None))
    if listed.text != kustomization.text:
        changes.append(FileChange(kustomization, listed, build.location))
    return changes


def _text(found: Sequence[_Changed]) -> str:
    head = (
        f"{FIRST_LINE}: what these workloads need, and no more. The kustomization beside it lists it as a patch.\n"
        "# The next run of `harden --write --overlay` writes it anew: what is yours belongs into another file.\n"
    )
    return head + "---\n".join("".join(f"{line}\n" for line in (*_warning(one), *rendered(one.patch))) for one in found)


def _warning(one: _Changed) -> Iterator[str]:
    if replaces_lists(one.patch):
        yield f"# Lists of a {one.thing.kind} do not merge: they are repeated here. Run harden again when theirs change."


def _changes(before: ManifestFile, after: ManifestFile) -> Iterator[tuple[Object, Mapping[Any, Any] | str]]:
    """The objects of a manifest that change, each with its patch, or with the reason why there can be none."""
    old, new = list(objects(before.tree)), list(objects(after.tree))
    reader = Reader((before.source,))
    for one, other in zip(old, new, strict=True):
        try:
            made = patch(_Data(reader, before.source).of(one.mapping), _Data(reader, after.source).of(other.mapping))
        except CannotWrite as error:
            yield one, error.reason
        else:
            if made:
                yield one, made


class _Data:
    """What nodes of a text say, aliases and merges followed: mappings by their keys' text, lists, and single values as leaves.

    Aliases of aliases may stand for more than fits any memory, and nest deeper than any text: `CannotWrite` is raised then.
    """

    def __init__(self, reader: Reader, source: Source) -> None:
        self._reader = reader
        self._source = source
        self._left = _MOST_VALUES

    def of(self, node: Node, depth: int = 0) -> Any:
        """What one of them says."""
        node = target(node)
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise CannotWrite("its aliases stand for more than a patch could repeat")
        if isinstance(node, MappingNode):
            return {key: self.of(found.node, depth + 1) for key, found in values(node, None).items() if key != "<<"}
        if isinstance(node, SequenceNode):
            return [self.of(item, depth + 1) for item in node.items]
        return self._reader.leaf(self._source, node, "it")


def _lines(file: ManifestFile, thing: Object) -> tuple[int, int]:
    mapping = thing.mapping
    return file.source.position(mapping.start).line, file.source.position(mapping.end).line
