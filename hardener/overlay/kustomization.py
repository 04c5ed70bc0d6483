"""What a kustomization says of images and patches, written: images into manifests, and the line that lists our patch.

Knows those fields of kustomize; what it builds is read in `hardener.facts.kubernetes.kustomization`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from hardener.errors import CannotWrite, Unreadable
from hardener.facts.kubernetes.kustomization import PATCH, Image
from hardener.facts.kubernetes.manifest import ManifestFile, Scope
from hardener.facts.kubernetes.workloads import pods
from hardener.facts.merged import text_of
from hardener.finding import Change
from hardener.source import Source
from hardener.syntax.yaml import Append, Mapping, Operation, Put, Remove, Scalar


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
