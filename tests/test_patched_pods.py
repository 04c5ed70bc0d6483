"""A base that an overlay patches does not say all of its pods: what is believed of it is not done by default."""

from __future__ import annotations

from pathlib import Path

import pytest
from compose_oracle import write

from hardener.facts.kubernetes.manifest import ManifestFile
from hardener.facts.tree import Tree
from hardener.manifests import manifest_groups
from hardener.policy import Policy
from hardener.source import Source

DATABASE = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: postgres}
spec:
  template:
    spec:
      containers:
      - {name: postgres, image: "postgres:17"}
"""
#: What was seen in the wild: the overlay brings the claim, which is root's, to a base without one.
CLAIM = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: postgres}
spec:
  template:
    spec:
      containers:
      - name: postgres
        image: postgres:17
        volumeMounts: [{name: data, mountPath: /var/lib/postgresql/data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
REPLICAS = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: postgres}\nspec: {replicas: 2}\n"
ABOVE = "resources: [../../base]\n"


def known(folder: Path, name: str, **files: str) -> tuple[bool, str]:
    """Whether enough is known of the one container of a file, and else why not."""
    texts = {"base/db.yaml": DATABASE, "base/kustomization.yaml": "resources: [db.yaml]\n"}
    texts |= {f"overlays/prod/{key.replace('_', '.')}": text for key, text in files.items()}
    write(folder, {path: text.encode() for path, text in texts.items()})
    (folder / ".git").mkdir()
    path = folder / name
    source = Source(name, path.read_text())
    (group,) = manifest_groups({str(path): source}, Tree((str(folder),)), Policy(), [])
    ((container, needs),) = group.judged()
    assert container.said_elsewhere in ("", needs.why_not)
    return needs.holds, container.said_elsewhere


@pytest.mark.parametrize(
    "patches",
    [
        "patchesStrategicMerge: [patch.yaml]\n",
        "patches: [{path: patch.yaml}]\n",
        "patches: [{path: patch.yaml, target: {kind: StatefulSet}}]\n",
        "patches:\n- target: {name: postgres}\n  patch: '[{op: add, path: /spec/template/spec/volumes, value: []}]'\n",
    ],
)
def test_a_base_whose_pods_an_overlay_patches(patches: str, tmp_path: Path) -> None:
    holds, why = known(tmp_path, "base/db.yaml", kustomization_yaml=ABOVE + patches, patch_yaml=CLAIM)
    assert not holds
    assert why.startswith("what ")
    assert why.endswith(" changes of it")


@pytest.mark.parametrize(
    "patches",
    [
        "",
        "namePrefix: prod-\n",
        "patches: [{path: patch.yaml}]\n",
        "patches: [{path: other.yaml}]\n",
        "patches: [{target: {kind: Service}, patch: '[{op: add, path: /spec/template, value: {}}]'}]\n",
        "patches: [{target: {kind: StatefulSet}, patch: '[{op: replace, path: /spec/replicas, value: 2}]'}]\n",
    ],
)
def test_a_base_whose_pods_stay_as_they_are(patches: str, tmp_path: Path) -> None:
    other = CLAIM.replace("name: postgres", "name: another")
    assert known(tmp_path, "base/db.yaml", kustomization_yaml=ABOVE + patches, patch_yaml=REPLICAS, other_yaml=other) == (
        True,
        "",
    )


def test_a_patch_is_not_the_whole_of_its_pod(tmp_path: Path) -> None:
    # It has all that a workload has, and only the kustomization says that it is none of its own.
    ManifestFile(Source("patch.yaml", CLAIM))
    holds, why = known(
        tmp_path, "overlays/prod/patch.yaml", kustomization_yaml=f"{ABOVE}patches: [{{path: patch.yaml}}]\n", patch_yaml=CLAIM
    )
    assert not holds
    assert why.endswith("kustomization.yaml lays it over")
