"""Which objects the cluster refuses a change of, once they are there: pods of their own, and Jobs. Knows no fix."""

from __future__ import annotations

from collections.abc import Iterator

from hardener.errors import Unreadable
from hardener.facts.kubernetes.manifest import ManifestFile
from hardener.facts.kubernetes.workloads import Object, objects, pod_of
from hardener.facts.merged import lookup, text_of
from hardener.record import NamedTuple
from hardener.source import Source
from hardener.syntax.yaml import Mapping

#: Of a pod only its images, its deadline and its tolerations can be changed, of a Job nothing of its template (Kubernetes,
#: documentation of Pods, "Pod update and replacement", and of the API: `JobSpec`). Other kinds make new pods.
_KINDS = {("", "Pod"), ("batch", "Job")}
#: Objects with these are deleted before they are made again (Helm, "Chart Hooks"; argoproj/argo-cd,
#: docs/user-guide/resource_hooks.md at 03070f7).
_HOOKS = ("helm.sh/hook", "argocd.argoproj.io/hook")
#: And with these values: argoproj/argo-cd, docs/user-guide/sync-options.md at 03070f7; pull request 787 of
#: fluxcd/kustomize-controller.
ARGO_CD = ("argocd.argoproj.io/sync-options", "Force=true,Replace=true")
FLUX = ("kustomize.toolkit.fluxcd.io/force", "enabled")


class Lasting(NamedTuple):
    """An object whose pod is changed."""

    kind: str
    name: str


def lasting(before: Source, after: Source) -> Iterator[Lasting]:
    """Those of a file whose pods say something else afterwards; none in a file that is no manifest."""
    if not any(kind in before.text for _, kind in _KINDS):  # most manifests need not be read once more
        return
    try:
        files = ManifestFile(before), ManifestFile(after)
    except Unreadable:
        return
    for old, new in zip(*(objects(file.tree) for file in files), strict=False):
        if (old.group, old.kind) in _KINDS and old.name and not _is_made_anew(old):
            specs = [
                file.source.text[pod.spec.start : pod.spec.end]
                for file, pod in zip(files, (pod_of(old), pod_of(new)), strict=True)
                if pod is not None
            ]
            if len(set(specs)) == 2:
                yield Lasting(old.kind, old.name)


def _is_made_anew(owner: Object) -> bool:
    """Whether it has another name each time, or its own annotations have it deleted first."""
    metadata = lookup(owner.mapping, None, "metadata")
    if metadata is None or not isinstance(metadata.node, Mapping) or lookup(metadata.node, None, "name") is None:
        return True
    annotations = lookup(metadata.node, None, "annotations")
    if annotations is None or not isinstance(annotations.node, Mapping):
        return False
    values = {key: lookup(annotations.node, None, key) for key in (*_HOOKS, ARGO_CD[0], FLUX[0])}
    said = {key: (text_of(found.node) or "") for key, found in values.items() if found is not None}
    options = {option.strip() for option in said.get(ARGO_CD[0], "").split(",")}
    return (
        any(key in said for key in _HOOKS)
        or options >= {"Force=true", "Replace=true"}
        or said.get(FLUX[0], "").lower() == FLUX[1]
    )
