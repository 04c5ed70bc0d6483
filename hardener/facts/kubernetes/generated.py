"""ConfigMaps that a kustomization makes of files. Knows `configMapGenerator` and nothing else of kustomize."""

from __future__ import annotations

import os
from collections.abc import Iterator

from hardener.errors import Unreadable
from hardener.facts.kubernetes.kustomization import kustomization_in
from hardener.facts.kubernetes.manifest import ManifestFile, Scope
from hardener.facts.merged import text_of
from hardener.facts.tree import Tree
from hardener.source import Source
from hardener.syntax.yaml import Mapping

#: A base lies beside or below its kustomization, and an overlay hands on what the base has.
_LEVELS = 3


def generated(name: str, folder: str, tree: Tree) -> dict[str, str] | None:
    """The data of a ConfigMap that a kustomization near a folder makes; None where none does, or not all is known."""
    at = folder
    for _ in range(_LEVELS):
        source = tree(kustomization_in(at, tree))
        for scope in _generators(source) if source is not None and "configMapGenerator" in source.text else ():
            if scope.text("name") == name:
                return _data(scope, at, tree)
        at = os.path.dirname(at)
    return None


def _generators(source: Source) -> Iterator[Scope]:
    try:
        file = ManifestFile(source)
    except Unreadable:
        return
    for document in file.tree.documents:
        if isinstance(document.root, Mapping):
            for node, _ in Scope(file, document.root, None).items("configMapGenerator"):
                if isinstance(node, Mapping):
                    yield Scope(file, node, None)


def _data(scope: Scope, folder: str, tree: Tree) -> dict[str, str] | None:
    data: dict[str, str] = {}
    for node, _ in scope.items("files"):
        key, equals, path = (text_of(node) or "").partition("=")
        source = tree(os.path.normpath(os.path.join(folder, path if equals else key)))
        if source is None:
            return None
        data[key if equals else os.path.basename(key)] = source.text
    for node, _ in scope.items("literals"):
        key, _, value = (text_of(node) or "").partition("=")
        data[key] = value.strip("'\"")
    # Files of variables, and what an overlay merges into it.
    return None if scope.find("envs") or scope.find("env") or scope.text("behavior") not in (None, "create") else data
