"""The objects beside the pods: configuration and service accounts, found by name in the manifests of a run. Knows no setting."""

from __future__ import annotations

import os
from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping

from hardener.errors import Unreadable
from hardener.facts.kubernetes.generated import generated
from hardener.facts.kubernetes.kustomization import said_elsewhere
from hardener.facts.kubernetes.manifest import ManifestFile, Scope
from hardener.facts.kubernetes.pod import Pod
from hardener.facts.kubernetes.workloads import Object, objects
from hardener.facts.merged import text_of, truth, values
from hardener.facts.tree import Tree
from hardener.source import Source
from hardener.syntax.yaml import Mapping, Node

_AUTOSCALERS = {"HorizontalPodAutoscaler": "scaleTargetRef", "VerticalPodAutoscaler": "targetRef"}
_RANGE = "LimitRange"
#: What it may say of containers and pods, each by the name of a resource (kubernetes docs: policy/limit-range).
_BOUNDS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
#: In place of a namespace, where a pod may be put into any.
_ANY = "*"
_KINDS = ("ConfigMap", "ServiceAccount", _RANGE, *_AUTOSCALERS)
#: More than this is not looked into for the name of one file.
_LARGEST = 4 * 1024 * 1024


def may_be_named(text: str) -> bool:
    """Whether a text may define what pods of other files name."""
    return len(text) <= _LARGEST and any(kind in text for kind in _KINDS)


class Cluster:
    """What the manifests of a run define beside pods. `sources` are their texts by location; each is read when it is needed.

    `read` are those that were read already; `patched`, whether what kustomizations patch counts.
    """

    def __init__(
        self, sources: AnyMapping[str, Source], tree: Tree, read: AnyMapping[str, ManifestFile] = {}, *, patched: bool = True
    ) -> None:
        self._patched = patched
        self._sources = sources
        self._tree = tree
        self._locations = {source.path: location for location, source in sources.items()}
        self._read = read
        self._found: dict[tuple[str, str], list[Object]] | None = None
        self._meant: dict[tuple[str, str, str, str], Object | None] = {}
        self._scaled: dict[tuple[str, str], Object] | None = None
        self._ranges: dict[tuple[str, str, str], str] | None = None
        self._paths: dict[int, str] = {}

    def files(self, volume: Node, pod: Pod, inside: str) -> tuple[tuple[str, str], ...] | None:
        """The files that a volume of configuration holds, with their texts; with a `subPath` that one alone, under no name.

        None where they are not all known.
        """
        if not isinstance(volume, Mapping):
            return None
        scope = Scope(pod.file, volume, None)
        found: dict[str, str] = {}
        sources = [scope] if scope.find("configMap") is not None else []
        if scope.find("projected") is not None:
            parts = [node for node, _ in scope.items("projected", "sources") if isinstance(node, Mapping)]
            sources = [Scope(pod.file, part, None) for part in parts]
        for part in sources:
            data = self.config_map(part.text("configMap", "name") or "", pod) if part.find("configMap") else None
            if data is None:
                return None
            items = [node for node, _ in part.items("configMap", "items") if isinstance(node, Mapping)]
            chosen = {text_of(node.get("key")) or "": text_of(node.get("path")) or "" for node in items}
            found |= {chosen.get(key, key): text for key, text in data.items() if not chosen or key in chosen}
        if not sources:
            return None
        if inside:
            return (("", found[inside]),) if inside in found else None
        return tuple(sorted(found.items()))

    def config_map(self, name: str, pod: Pod) -> dict[str, str] | None:
        """The data of a ConfigMap; None where it is not known, or more than one may be meant."""
        found = self._object("ConfigMap", name, pod)
        if found is None:
            location = self._locations.get(pod.file.source.path, "")
            return generated(name, os.path.dirname(location), self._tree) if location else None
        scope = Scope(pod.file, found.mapping, None)
        if scope.find("binaryData") is not None:
            return None
        data = scope.find("data")
        if data is None or not isinstance(data.node, Mapping):
            return {}
        return {key: text_of(value.node) or "" for key, value in values(data.node, None).items()}

    def said_elsewhere(self, pod: Pod) -> str:
        """Why its file does not say all of a pod; empty where it does."""
        location = self._locations.get(pod.file.source.path, "")
        return said_elsewhere(location, pod.node.owner, self._tree) if location and self._patched else ""

    def account_has_no_token(self, name: str, pod: Pod) -> bool:
        """Whether a service account says that its token is not mounted."""
        found = self._object("ServiceAccount", name, pod)
        return found is not None and truth(Scope(pod.file, found.mapping, None).text("automountServiceAccountToken")) is False

    def autoscaler(self, pod: Pod) -> str:
        """The kind of what changes the number or the size of these pods by what they request; empty for none."""
        owner = pod.node.owner
        if self._scaled is None:
            self._scaled = {}
            for one in [one for found in self._by_name().values() for one in found if one.kind in _AUTOSCALERS]:
                scope = Scope(pod.file, one.mapping, None)
                target = [scope.text("spec", _AUTOSCALERS[one.kind], key) or "" for key in ("kind", "name")]
                self._scaled[target[0], target[1]] = one
        scaler = self._scaled.get((owner.kind, owner.name))
        return scaler.kind if scaler and scaler.namespace in ("", owner.namespace or scaler.namespace) else ""

    def limit_range(self, pod: Pod, resource: str) -> str:
        """The file whose LimitRange says how much of a resource the containers of a pod may ask for; empty for none."""
        if self._ranges is None:
            self._ranges = {}
            for one in [one for (kind, _), found in self._by_name().items() if kind == _RANGE for one in found]:
                path = self._paths[id(one)]
                for name in _bounded(one, pod):
                    folder = os.path.dirname(path)
                    for place in ((one.namespace, "") if one.namespace else ("", folder), (_ANY, folder)):
                        self._ranges.setdefault((*place, name), path)
        mine, folder = pod.node.owner.namespace, os.path.dirname(pod.file.source.path)
        places = ((mine, ""), ("", folder)) if mine else ((_ANY, folder),)
        return next(filter(None, (self._ranges.get((*place, resource)) for place in places)), "")

    def _object(self, kind: str, name: str, pod: Pod) -> Object | None:
        """The object of a kind and name that a pod means: of its own file, else of its folder, else the only one there is."""
        key = kind, name, pod.node.owner.namespace, pod.file.source.path
        if key not in self._meant:
            self._meant[key] = self._meant_by(*key)
        return self._meant[key]

    def _meant_by(self, kind: str, name: str, namespace: str, path: str) -> Object | None:
        same = [one for one in self._by_name().get((kind, name), ()) if not namespace or one.namespace in ("", namespace)]
        for near in (
            [one for one in same if self._paths[id(one)] == path],
            [one for one in same if os.path.dirname(self._paths[id(one)]) == os.path.dirname(path)],
            same,
        ):
            if near:
                return near[0] if len(near) == 1 else None
        return None

    def _by_name(self) -> dict[tuple[str, str], list[Object]]:
        if self._found is None:
            self._found = {}
            for path, found in self._objects():
                self._found.setdefault((found.kind, found.name), []).append(found)
                self._paths[id(found)] = path
        return self._found

    def _objects(self) -> Iterator[tuple[str, Object]]:
        for location, source in self._sources.items():
            if not may_be_named(source.text):
                continue
            try:
                file = self._read.get(location) or ManifestFile(source)
            except Unreadable:
                continue
            for found in objects(file.tree):
                if found.kind in _KINDS:
                    yield source.path, found


def _bounded(limit_range: Object, pod: Pod) -> set[str]:
    """The resources that a LimitRange bounds in containers and pods, and not in claims."""
    found = set()
    for node, _ in Scope(pod.file, limit_range.mapping, None).items("spec", "limits"):
        if isinstance(node, Mapping) and (item := Scope(pod.file, node, None)).text("type") in ("Container", "Pod"):
            found |= {name for name in ("memory", "cpu") for bound in _BOUNDS if item.find(bound, name)}
    return found
