"""Overlays of manifests: what kustomize makes of a kustomization with our patch is what it makes of the fixed manifests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import yaml
from compose_oracle import write
from kustomize_oracle import Refused, built, needs_kubectl

from hardener.cli.options import parse
from hardener.cli.run import run
from hardener.facts.kubernetes.kustomization import Image
from hardener.overlay.strategic_merge import same

#: One that is known, one whose image says nothing, an object that asks for no pod, and a kind of somebody else.
APP = """\
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: cache
spec:
  template:
    spec:
      containers:
        - name: cache
          image: redis:7
          command: [redis-server, --save, ""]
        - name: metrics
          image: example.org/metrics:1
          env: [{name: A, value: "1"}]
---
apiVersion: v1
kind: Service
metadata: {name: cache}
spec: {ports: [{port: 6379}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      hostPID: false
      containers:
        - {name: web, image: "nginx:1.27", securityContext: {capabilities: {add: [SYS_ADMIN]}}}
"""
ROLLOUT = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: canary}
spec:
  template:
    spec:
      containers: [{name: web, image: "nginx:1.27"}]
"""
BASE = "resources: [app.yaml, more/rollout.yaml]\n"
PROD = "# prod\nnamespace: prod\nnamePrefix: p-\nresources:\n- ../../base  # all of it\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    files = {
        "base/app.yaml": APP,
        "base/more/rollout.yaml": ROLLOUT,
        "base/kustomization.yaml": BASE,
        "overlays/prod/kustomization.yaml": PROD,
    }
    write(tmp_path, {name: text.encode() for name, text in files.items()})
    (tmp_path / ".git").mkdir()
    return tmp_path


def harden(folder: Path, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.chdir(folder)
    invocation = parse(("--unsafe-fixes", *arguments))
    assert invocation is not None
    return run(invocation)


def tree(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@needs_kubectl
def test_kustomize_sees_no_difference(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "inside"
    shutil.copytree(repository, inside, ignore=shutil.ignore_patterns("inside"))
    assert harden(inside, "--write", "base", monkeypatch=monkeypatch) == 0
    assert harden(repository, "--write", "--overlay", "overlays/prod", monkeypatch=monkeypatch) == 0
    assert (repository / "base/app.yaml").read_text() == APP
    wanted, found = built(inside / "overlays/prod"), built(repository / "overlays/prod")
    assert len(wanted) == len(found) == 4
    assert all(same(one, other) for one, other in zip(wanted, found, strict=True))
    assert sum("capabilities" in str(thing) for thing in found) == 3, "all three workloads were changed"


def test_it_is_listed_once_and_written_once(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    harden(repository, "--write", "--overlay", "overlays/prod", monkeypatch=monkeypatch)
    first = tree(repository)
    assert first["overlays/prod/kustomization.yaml"] == PROD + "patches:\n- path: harden-patch.yaml\n"
    assert "# usual" in first["overlays/prod/harden-patch.yaml"], "reasons stand beside it"
    assert harden(repository, "--diff", "--overlay", "overlays/prod", monkeypatch=monkeypatch) == 0
    harden(repository, "--write", "--overlay", "overlays/prod", monkeypatch=monkeypatch)
    assert tree(repository) == first


@needs_kubectl
@pytest.mark.parametrize(
    "listed",
    ["patchesStrategicMerge:\n  - other.yaml\n", "patches:\n  - path: other.yaml\n", "patches: []\n", "patches: # none yet\n"],
)
def test_it_joins_the_patches_that_are_there(listed: str, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prod = repository / "overlays/prod"
    (prod / "kustomization.yaml").write_text(PROD + listed)
    (prod / "other.yaml").write_text("apiVersion: v1\nkind: Service\nmetadata: {name: cache}\nspec: {type: NodePort}\n")
    assert harden(repository, "--write", "--overlay", "overlays/prod", monkeypatch=monkeypatch) == 0
    text = (prod / "kustomization.yaml").read_text()
    assert text.count("harden-patch.yaml") == 1
    assert text.startswith(PROD)
    assert "allowPrivilegeEscalation" in str(built(prod))


@needs_kubectl
def test_a_workload_that_another_patch_changes_is_left_out(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prod = repository / "overlays/prod"
    (prod / "kustomization.yaml").write_text(PROD + "patches:\n- path: other.yaml\n")
    (prod / "other.yaml").write_text("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 3}\n")
    harden(repository, "--write", "--overlay", "overlays/prod", monkeypatch=monkeypatch)
    assert "name: web" not in (prod / "harden-patch.yaml").read_text().replace("- name: web", "")
    assert "changed by overlays/prod/other.yaml too" in " ".join(capsys.readouterr().out.split())
    built(prod)


@needs_kubectl
def test_the_image_that_will_run_is_judged(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prod = repository / "overlays/prod"
    (prod / "kustomization.yaml").write_text(PROD + "images:\n- name: example.org/metrics\n  newName: redis\n  newTag: '7'\n")
    monkeypatch.chdir(repository)
    invocation = parse(("--write", "--overlay", "overlays/prod"))  # without --unsafe-fixes: of what is known only
    assert invocation is not None
    run(invocation)
    text = (prod / "harden-patch.yaml").read_text()
    assert "name: metrics" in text
    assert "redis:7" not in text, "the image itself is the kustomization's"
    assert text.count("do not merge") == 1, "of a Rollout, all that stands in its list is repeated, and that is said"
    made = {thing["kind"]: thing for thing in built(prod)}
    assert [c["image"] for c in made["StatefulSet"]["spec"]["template"]["spec"]["containers"]] == ["redis:7", "redis:7"]
    assert (repository / "base/app.yaml").read_text() == APP


@pytest.mark.parametrize(
    ("entry", "image", "wanted"),
    [
        (Image("a", "", "2", ""), "a:1", "a:2"),
        (Image("a", "b/c", "", ""), "a:1", "b/c:1"),
        (Image("a", "", "", "sha256:0"), "a:1", "a@sha256:0"),
        (Image("host:5000/a", "a", "2", ""), "host:5000/a", "a:2"),
        (Image("a", "b", "", ""), "x/a:1", "x/a:1"),
    ],
)
@needs_kubectl
def test_images_are_written_as_kustomize_does(entry: Image, image: str, wanted: str, tmp_path: Path) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "a", "image": image}]}}
    said = {"name": entry.name, "newName": entry.new_name, "newTag": entry.new_tag, "digest": entry.digest}
    write(tmp_path, {"pod.yaml": yaml.safe_dump(pod).encode()})
    images = [{key: value for key, value in said.items() if value}]
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump({"resources": ["pod.yaml"], "images": images}))
    assert built(tmp_path)[0]["spec"]["containers"][0]["image"] == wanted == entry.of(image)


def test_what_is_far_away_is_named_and_not_read(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    far = "https://example.org/far//base?ref=v1"
    outside = os.path.relpath("/etc", repository / "overlays/prod")
    (repository / "overlays/prod/kustomization.yaml").write_text(f"{PROD}- {far}\n- {outside}\n")
    assert harden(repository, "--write", "--overlay", "overlays/prod", monkeypatch=monkeypatch) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"{far}, which is not here" in told
    assert f"{outside}, which lies outside" in told


def test_a_manifest_that_nothing_builds_is_trouble(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(repository, {"lone/pod.yaml": ROLLOUT.encode()})
    assert harden(repository, "--write", "--overlay", "lone", monkeypatch=monkeypatch) == 2
    assert "no kustomization builds it" in " ".join(capsys.readouterr().out.split())
    assert os.listdir(repository / "lone") == ["pod.yaml"]


@needs_kubectl
def test_two_of_one_name_are_refused(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(repository, {"base/more/again.yaml": ROLLOUT.encode()})
    (repository / "base/kustomization.yaml").write_text("resources: [app.yaml, more/rollout.yaml, more/again.yaml]\n")
    with pytest.raises(Refused):
        built(repository / "base")
    harden(repository, "--write", "--overlay", "overlays/prod", monkeypatch=monkeypatch)
    assert "Rollout" not in (repository / "overlays/prod/harden-patch.yaml").read_text()


@needs_kubectl
def test_it_goes_where_nothing_is_needed_any_more(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    harden(repository, "--write", "--overlay", "overlays/prod", monkeypatch=monkeypatch)
    (repository / "base/kustomization.yaml").write_text("resources: []\n")
    harden(repository, "--write", "--overlay", "overlays/prod", monkeypatch=monkeypatch)
    assert "harden-patch.yaml" not in (repository / "overlays/prod/kustomization.yaml").read_text()
    assert "kind:" not in (repository / "overlays/prod/harden-patch.yaml").read_text()
    assert built(repository / "overlays/prod") == []


def test_a_file_of_somebody_else_is_not_overwritten(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "overlays/prod/harden-patch.yaml").write_text("# mine\n")
    before = tree(repository)
    assert harden(repository, "--write", "--overlay", "overlays/prod", monkeypatch=monkeypatch) == 2
    assert tree(repository) == before


def test_a_base_gets_no_patch_for_what_an_overlay_patches(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    patch = APP.partition("---")[0].replace("name: metrics", "name: more")
    write(repository, {"overlays/prod/kustomization.yaml": f"{PROD}patches: [{{path: more.yaml}}]\n".encode()})
    write(repository, {"overlays/prod/more.yaml": patch.encode()})
    harden(repository, "--write", "--overlay", "base", monkeypatch=monkeypatch)
    written = (repository / "base/harden-patch.yaml").read_text()
    assert "name: web" in written
    assert "name: cache" not in written
    assert "it is changed by overlays/prod/more.yaml too" in " ".join(capsys.readouterr().out.split())
