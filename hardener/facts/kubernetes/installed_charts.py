"""Which manifests only have a Helm chart installed, so that their pods are written elsewhere. Reads no chart."""

from __future__ import annotations

import re

#: The kinds that install charts, with the start of their API and what else has to stand there: fluxcd/helm-controller,
#: docs/spec/v2/helmreleases.md; argoproj/argo-cd, docs/user-guide/helm.md; docs.k3s.io, "Helm".
_KINDS = (
    ("kind: HelmRelease", "apiVersion: helm.toolkit.fluxcd.io/", ""),
    ("kind: Application", "apiVersion: argoproj.io/", "chart:"),
    ("kind: HelmChart", "apiVersion: helm.cattle.io/", ""),
)
_DOCUMENT = re.compile(r"^---[ \t]*(?:#.*)?$", re.MULTILINE)


def installs_chart(text: str) -> bool:
    """Whether one of its objects has a chart installed. Only looks at keys that begin a line, as people write them."""
    if not any(kind in text for kind, _, _ in _KINDS):
        return False
    for document in _DOCUMENT.split(text):
        lines = {line.rstrip() for line in document.splitlines() if line.startswith(("kind:", "apiVersion:"))}
        for kind, start, more in _KINDS:
            if kind in lines and any(line.startswith(start) for line in lines) and more in document:
                return True
    return False
