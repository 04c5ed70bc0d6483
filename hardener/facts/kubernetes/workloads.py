"""The objects of a manifest, and where the pods are that they ask for. Knows no setting of a pod."""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.merged import lookup, target, text_of
from hardener.record import NamedTuple
from hardener.syntax.yaml import Mapping, Node, Route, Sequence, Stream

#: Where the spec of a pod stands in an object, by the group of its API and its kind (Kubernetes API reference, v1.34; Argo
#: Rollouts, OpenShift and Knative have the same template in kinds of their own). Other kinds are left alone.
_TEMPLATE = ("spec", "template", "spec")
_SPECS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "Pod"): ("spec",),
    ("", "PodTemplate"): ("template", "spec"),
    ("", "ReplicationController"): _TEMPLATE,
    ("apps", "Deployment"): _TEMPLATE,
    ("apps", "StatefulSet"): _TEMPLATE,
    ("apps", "DaemonSet"): _TEMPLATE,
    ("apps", "ReplicaSet"): _TEMPLATE,
    ("batch", "Job"): _TEMPLATE,
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
    ("argoproj.io", "Rollout"): _TEMPLATE,
    ("serving.knative.dev", "Service"): _TEMPLATE,
    ("serving.knative.dev", "Configuration"): _TEMPLATE,
    ("apps.openshift.io", "DeploymentConfig"): _TEMPLATE,
    ("", "DeploymentConfig"): _TEMPLATE,
}
#: Groups that Kubernetes' own kinds are or were in; files still say `extensions`, and mix them up.
_OWN_GROUPS = ("", "apps", "batch", "extensions")
#: How most of these kinds are written; a Knative Service cannot be told from a Service by its kind.
_WORKLOADS = tuple(f"kind: {kind}" for _, kind in _SPECS if kind != "Service")
#: Lists in lists end here.
_DEEPEST_LIST = 8


class Object(NamedTuple):
    """One object of a manifest. `group` is that of its API, empty for the core; `route` is None inside an alias or a merge."""

    group: str
    kind: str
    name: str
    namespace: str
    mapping: Mapping
    route: Route | None
    #: Where its kind is written, for people.
    key: Node
    #: Whether it stands in a `Template`, which only OpenShift takes.
    of_template: bool = False


class PodNode(NamedTuple):
    """The pod that an object asks for: its `spec`, and the metadata that the pod itself gets."""

    owner: Object
    spec: Mapping
    #: Where the spec stands; None inside an alias or a merge.
    route: Route | None
    metadata: Mapping | None
    metadata_route: Route | None
    #: The anchor that the spec comes through, where it does.
    via: str = ""


def may_have_pods(text: str) -> bool:
    """Whether a text may ask for pods: it names containers, or a kind that has some."""
    return "ontainers" in text or any(kind in text for kind in _WORKLOADS)


def objects(tree: Stream) -> Iterator[Object]:
    """Every object of a manifest in order, those in `List`s and OpenShift's `Template`s too; what has no kind is none."""
    for index, document in enumerate(tree.documents):
        root = document.root
        if isinstance(root, Mapping):
            yield from _objects(root, (index,), 0)
        elif isinstance(root, Sequence):  # a bare list, which some tools write
            for at, item in enumerate(root.items):
                if isinstance(target(item), Mapping):
                    yield from _objects(_mapping(item), (index, at) if item is target(item) else None, 0)


def pods(tree: Stream) -> Iterator[PodNode]:
    """Every pod that the objects of a manifest ask for, in order."""
    for owner in objects(tree):
        pod = pod_of(owner)
        if pod is not None:
            yield pod


def pod_of(owner: Object) -> PodNode | None:
    """The pod that an object asks for; None for kinds that have none, and where there is no spec."""
    groups = _OWN_GROUPS if owner.group in _OWN_GROUPS else (owner.group,)
    keys = next((keys for group in groups if (keys := _SPECS.get((group, owner.kind))) is not None), None)
    if keys is None:
        return None
    at: Mapping = owner.mapping
    route, via = owner.route, ""
    above, above_route = at, route
    for key in keys:
        found = lookup(at, route, key, via)
        if found is None or not isinstance(found.node, Mapping):
            return None
        above, above_route, at, route, via = at, route, found.node, found.route, found.via
    metadata = lookup(above, above_route, "metadata")
    if metadata is None or not isinstance(metadata.node, Mapping):
        return PodNode(owner, at, route, None, None, via)
    return PodNode(owner, at, route, metadata.node, metadata.route, via)


def _objects(mapping: Mapping, route: Route | None, depth: int, of_template: bool = False) -> Iterator[Object]:
    kind = lookup(mapping, route, "kind")
    name = text_of(kind.node) if kind else None
    if kind is None or not name:
        return
    version = _text(mapping, "apiVersion")
    several = "objects" if name == "Template" else "items" if name.endswith("List") else ""
    if several and (name == "List" or name == "Template" or "/" not in version):
        items = lookup(mapping, route, several)
        if items is not None and isinstance(items.node, Sequence) and depth < _DEEPEST_LIST:
            for at, item in enumerate(items.node.items):
                if isinstance(target(item), Mapping):
                    own = items.route is not None and item is target(item)
                    at_item = (*items.route, at) if own and items.route else None
                    yield from _objects(_mapping(item), at_item, depth + 1, of_template or name == "Template")
        return
    metadata = lookup(mapping, None, "metadata")
    about = metadata.node if metadata and isinstance(metadata.node, Mapping) else None
    group = version.rpartition("/")[0]
    called = (_text(about, "name") or _text(about, "generateName").rstrip("-")) if about else ""
    yield Object(group, name, called, _text(about, "namespace") if about else "", mapping, route, kind.node, of_template)


def _text(mapping: Mapping, key: str) -> str:
    found = lookup(mapping, None, key)
    return (text_of(found.node) if found else None) or ""


def _mapping(node: Node) -> Mapping:
    inner = target(node)
    assert isinstance(inner, Mapping)
    return inner
