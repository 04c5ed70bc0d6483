"""Reads manifests for tests: the containers of their pods, and what a text says after a setting was changed. Knows no rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import kubernetes_oracle as kubernetes

from hardener.facts.container import Container
from hardener.facts.tree import Tree
from hardener.finding import Change
from hardener.manifests import ManifestGroup, manifest_groups
from hardener.policy import Policy
from hardener.proof import apply, syntax_of
from hardener.report import Trouble
from hardener.source import Source


def groups(files: Mapping[str, str]) -> tuple[list[Any], list[Trouble]]:
    """Each manifest as a group, and what could not be read."""
    troubles: list[Trouble] = []
    sources = {name: Source.from_bytes(name, text.encode()) for name, text in files.items()}
    return list(manifest_groups(sources, Tree(()), Policy(), troubles)), troubles


def group(text: str, name: str = "pod.yaml", **others: str) -> ManifestGroup:
    """One manifest as a group, beside others in files of their own."""
    found, troubles = groups({name: text} | others)
    assert troubles == []
    return next(one for one in found if one.name == name)


def containers(text: str, **others: str) -> dict[str, Container]:
    """The containers of a manifest by their subjects."""
    return {container.subject: container for container in group(text, **others).containers}


def container(text: str, **others: str) -> Container:
    """The only container of a manifest."""
    (one,) = containers(text, **others).values()
    return one


def after(of: ManifestGroup, changes: Iterable[Change]) -> list[Any]:
    """The documents of a manifest after changes, as PyYAML reads them."""
    (file,) = of.files.values()
    ((source, _),) = apply({file.source.path: (file.source, file.tree)}, syntax_of("container"), changes).values()
    documents = kubernetes.load(source.path, source.to_bytes())
    assert documents is not None
    return documents
