"""Which YAML and JSON of a tree is taken for a manifest, and what standard input is."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import harden

from hardener.discover import COMPOSE, KUBERNETES, discover, from_stdin
from hardener.errors import UsageError

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: nginx:1.27}]}\n"
JSON = '{"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "a", "image": "nginx:1.27"}]}}'

MANIFESTS = {
    "pod.yaml": POD,
    "pod.yml": POD,
    "POD.YAML": POD,
    "deploy/base/app.yaml": POD,
    "comments.yaml": "# Copyright\n\n# kind\n---\n# x\n" + POD,
    "second.yaml": "a: b\n---\n" + POD,
    "kind-first.yaml": "kind: Pod\nmetadata: {name: a}\napiVersion: v1\n",
    "quoted.yaml": "\"apiVersion\": v1\n'kind': Pod\n",
    "list.yaml": "- apiVersion: v1\n  kind: Pod\n",
    "flow.yaml": JSON,
    "mark.yaml": "\ufeff" + POD,
    "crlf.yaml": POD.replace("\n", "\r\n"),
    "pod.json": JSON,
    "indented.json": JSON.replace("{", "{\n  ", 1),
    "my-compose-notes.yaml": POD,
    "list.json": f"[{JSON}]",
}
OTHERS = {
    "values.yaml": "image: nginx\nreplicas: 2\n",
    ".github/workflows/ci.yml": "on: push\njobs: {}\n",
    "package.json": '{"name": "a", "apiVersion": "v1", "kind": "x"}',
    "package-lock.json": '{"apiVersion": "v1", "kind": "x"}',
    "tsconfig.json": '{"apiVersion": "v1", "kind": "x"}',
    "data.json": '{"apiVersions": [1, 2]}',
    "nested.yaml": "spec:\n  apiVersion: v1\n  kind: Pod\n",
    "no-kind.yaml": "apiVersion: v1\nmetadata: {}\n",
    "text.yaml": "notes: |\n  apiVersion: v1\n  kind: Pod\n",
    "comment.yaml": "# apiVersion: v1\n# kind: Pod\na: b\n",
    "pod.txt": POD,
    "pod.yaml.bak": POD,
    "pod.yaml.j2": POD,
    "node_modules/x/pod.yaml": POD,
    "vendor/pod.yaml": POD,
    "empty.yaml": "",
    "list.json5": JSON,
}


def plant(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


def test_manifests_are_told_from_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, MANIFESTS | OTHERS)
    monkeypatch.chdir(tmp_path)
    found, troubles = discover(["."])
    assert troubles == []
    assert {file.name for file in found if file.kind == KUBERNETES} == MANIFESTS.keys()


def test_what_git_ignores_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, {".gitignore": "rendered/\n", "rendered/pod.yaml": POD, "pod.yaml": POD})
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    assert [file.name for file in discover(["."])[0]] == ["pod.yaml"]


def test_a_compose_file_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, {"compose.yaml": "# apiVersion: v1\n# kind: Pod\nservices: {}\n"})
    monkeypatch.chdir(tmp_path)
    assert [file.kind for file in discover(["."])[0]] == [COMPOSE]


def test_a_file_that_is_named_is_taken_whatever_it_is_called(tmp_path: Path) -> None:
    for name, text in (("pod.txt", POD), ("rendered", JSON), ("vendor/pod.yaml", POD)):
        plant(tmp_path, {name: text})
        ((file,), troubles) = discover([str(tmp_path / name)])
        assert (file.kind, troubles) == (KUBERNETES, [])


def test_a_file_that_is_named_and_is_no_manifest_is_reported(tmp_path: Path) -> None:
    plant(tmp_path, {"values.yaml": "image: nginx\n"})
    found, troubles = discover([str(tmp_path / "values.yaml")])
    assert found == []
    assert "nor a manifest" in troubles[0].reason


@pytest.mark.parametrize("name", ["", "pod.yaml", "pod.json", "anything"])
@pytest.mark.parametrize("text", [POD, JSON, "---\n" + POD])
def test_standard_input(text: str, name: str) -> None:
    assert from_stdin(text.encode(), name).kind == KUBERNETES


def test_standard_input_that_is_nothing_known() -> None:
    with pytest.raises(UsageError):
        from_stdin(b"image: nginx\n", "values.yaml")


def test_templates_are_noted_and_left_as_they_are(tmp_path: Path) -> None:
    files = {
        "chart/templates/broken.yaml": POD.replace("name: a}", "name: {{ .Release.Name }}}", 1).encode(),
        "chart/templates/reads.yaml": POD.replace("{name: a}", "{name: a}\n{{- with b }}", 1).encode(),
        "chart/templates/map.yaml": b"apiVersion: v1\nkind: ConfigMap\ndata: {{ a }}\n",
    }
    result = harden(tmp_path, files)
    assert result.files == files
    assert result.lines == ["chart/templates/broken.yaml:3 not-judged", "chart/templates/reads.yaml:4 not-judged"]


def test_manifests_beside_a_compose_project_are_judged_with_it(tmp_path: Path) -> None:
    compose = b"services:\n  a:\n    image: memcached:1.6\n"
    result = harden(tmp_path, {"compose.yaml": compose, "deploy/pod.yaml": POD.encode()}, select=["excess-capabilities"])
    assert result.lines == [
        "compose.yaml:2 excess-capabilities a applied",
        "deploy/pod.yaml:4 excess-capabilities a applied",
    ]
