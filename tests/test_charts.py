# ruff: noqa: E501 - templates have long lines
"""Helm charts: which keys their templates take, and what people are told. Helm itself agrees, where it is installed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from hardener.discover import discover
from hardener.facts.kubernetes.chart import Chart, WorkloadTemplate, read_charts
from hardener.facts.kubernetes.chart_notes import chart_notes
from hardener.facts.tree import Tree
from hardener.manifests import manifest_groups
from hardener.policy import Policy
from hardener.report import Trouble
from hardener.source import read
from hardener.syntax.gotemplate import TemplateError, parse

Plant = Callable[[Mapping[str, str]], Path]

ABOUT = "apiVersion: v2\nname: web\nversion: 1.0.0\nappVersion: '2.5'\n"
#: As `helm create` makes them: what is asked for is taken whole from values.
HELPERS = """\
{{- define "web.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- .Release.Name }}
{{- end }}
{{- end }}
{{/* `end` in a comment }} is none: {{ end */}}
{{- define "web.labels" -}}
app: {{ include "web.fullname" . }}
securityContext: not-one
{{- end }}
"""
CREATED = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "web.fullname" . }}
  labels:
    {{- include "web.labels" . | nindent 4 }}
spec:
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        {{- include "web.labels" . | nindent 8 }}
    spec:
      {{- with .Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.podSecurityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      automountServiceAccountToken: {{ .Values.serviceAccount.automount }}
      containers:
        - name: {{ .Chart.Name }}
          {{- with .Values.securityContext }}
          securityContext:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
          {{- with .Values.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with .Values.volumeMounts }}
          volumeMounts:
            {{- toYaml . | nindent 12 }}
          {{- end }}
      {{- with .Values.volumes }}
      volumes:
        {{- toYaml . | nindent 8 }}
      {{- end }}
"""
VALUES = """\
image:
  repository: nginx
  tag: ""
serviceAccount:
  automount: true
podSecurityContext: {}
securityContext: {}
resources: {}
volumes: []
volumeMounts: []
"""
LIBRARY_STYLE = """\
apiVersion: {{ include "common.capabilities.deployment.apiVersion" . }}
kind: StatefulSet
metadata:
  name: {{ template "common.names.fullname" . }}
spec:
  template:
    spec:
      {{- if .Values.primary.podSecurityContext.enabled }}
      securityContext: {{- omit .Values.primary.podSecurityContext "enabled" | toYaml | nindent 8 }}
      {{- end }}
      hostNetwork: {{ .Values.primary.hostNetwork }}
      initContainers:
        {{- if .Values.volumePermissions.enabled }}
        - name: volume-permissions
          image: {{ include "db.volumePermissions.image" . }}
          securityContext: {{- include "common.tplvalues.render" (dict "value" .Values.volumePermissions.containerSecurityContext "context" $) | nindent 12 }}
        {{- end }}
        {{- if .Values.primary.initContainers }}
        {{- include "common.tplvalues.render" (dict "value" .Values.primary.initContainers "context" $) | nindent 8 }}
        {{- end }}
      containers:
        - name: db
          image: {{ include "common.images.image" (dict "imageRoot" .Values.image "global" .Values.global) }}
          {{- if .Values.primary.containerSecurityContext.enabled }}
          securityContext: {{- include "common.compatibility.renderSecurityContext" (dict "secContext" .Values.primary.containerSecurityContext "context" $) | nindent 12 }}
          {{- end }}
          {{- if .Values.primary.resources }}
          resources: {{- toYaml .Values.primary.resources | nindent 12 }}
          {{- else if ne .Values.primary.resourcesPreset "none" }}
          resources: {{- include "common.resources.preset" (dict "type" .Values.primary.resourcesPreset) | nindent 12 }}
          {{- end }}
          volumeMounts:
            - name: data
              mountPath: /data
            {{- if .Values.primary.extraVolumeMounts }}
            {{- include "common.tplvalues.render" (dict "value" .Values.primary.extraVolumeMounts "context" $) | nindent 12 }}
            {{- end }}
"""
LIBRARY_VALUES = """\
image: {registry: docker.io, repository: example/db, tag: 16.1}
volumePermissions:
  enabled: false
  containerSecurityContext:
    enabled: true
    runAsUser: 0
primary:
  hostNetwork: false
  podSecurityContext:
    enabled: false
    fsGroup: 1001
  containerSecurityContext:
    enabled: true
    runAsNonRoot: true
    allowPrivilegeEscalation: false
    capabilities:
      drop: ["ALL"]
    seccompProfile:
      type: RuntimeDefault
  resources: {}
  resourcesPreset: nano
"""
PLAIN = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: plain
spec:
  replicas: {{ .Values.replicas }}
  template:
    spec:
      hostNetwork: true
      containers:
      - name: app
        image: example/app:1
        securityContext:
          allowPrivilegeEscalation: false
          capabilities:
            drop:
            - ALL
      - name: side
        image: example/side:1
"""


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plant:
    """Make a chart in an empty folder, which is also the working folder."""
    monkeypatch.chdir(tmp_path)

    def make(files: Mapping[str, str]) -> Path:
        for name, text in {"Chart.yaml": ABOUT, **files}.items():
            path = tmp_path / "web" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path / "web"

    return make


def charts(folder: Path) -> tuple[Chart, ...]:
    return read_charts(str(folder), folder.name, Tree((str(folder.parent),)))


def only(folder: Path) -> WorkloadTemplate:
    (workload,) = charts(folder)[0].workloads
    return workload


def notes(folder: Path) -> list[Trouble]:
    return [note for chart in charts(folder) for note in chart_notes(chart)]


def test_a_chart_as_helm_creates_it(plant: Plant) -> None:
    folder = plant({"templates/deployment.yaml": CREATED, "templates/_helpers.tpl": HELPERS, "values.yaml": VALUES})
    (chart,) = charts(folder)
    (workload,) = chart.workloads
    assert (workload.kind, workload.name, workload.line) == ("Deployment", '{{ include "web.fullname" . }}', 2)
    assert workload.setting("securityContext").keys == ("podSecurityContext",)
    assert workload.setting("automountServiceAccountToken").keys == ("serviceAccount.automount",)
    assert workload.setting("volumes").keys == ("volumes",)
    assert not workload.setting("hostNetwork").written
    (container,) = workload.containers
    assert container.name == "web"
    assert container.image == "nginx:2.5"
    assert {setting.setting: setting.keys for setting in container.settings} == {
        "securityContext": ("securityContext",),
        "resources": ("resources",),
        "volumeMounts": ("volumeMounts",),
        "env": (),
    }
    found = chart.value("securityContext")
    assert found is not None
    assert (found.file, found.line) == ("web/values.yaml", 7)
    (note,) = notes(folder)
    assert (note.path, note.line) == ("web/templates/deployment.yaml", 2)
    assert note.reason == "a Helm template, which is not rewritten: Deployment"
    assert note.remedy == (
        "set in web/values.yaml: `securityContext` (line 7, now {}): allowPrivilegeEscalation: false, capabilities.drop: [ALL]; "
        "`podSecurityContext` (line 6, now {}): runAsNonRoot: true, seccompProfile.type: RuntimeDefault. "
        "Not tried with the image, by default nginx:2.5. Limits go to `resources` (line 8, now {})"
    )


def test_what_the_values_ask_for_already_is_not_asked_again(plant: Plant) -> None:
    values = VALUES.replace("securityContext: {}\nres", "securityContext:\n  allowPrivilegeEscalation: false\nres").replace(
        "podSecurityContext: {}", "podSecurityContext: {runAsNonRoot: true, seccompProfile: {type: Localhost}}"
    )
    (note,) = notes(plant({"templates/d.yaml": CREATED, "templates/_helpers.tpl": HELPERS, "values.yaml": values}))
    assert note.remedy.startswith("set in web/values.yaml: `securityContext` (line 7): capabilities.drop: [ALL]. Not tried")


def test_the_way_of_a_library_chart(plant: Plant) -> None:
    folder = plant({"templates/db.yaml": LIBRARY_STYLE, "values.yaml": LIBRARY_VALUES})
    workload = only(folder)
    assert workload.setting("securityContext").keys == ("primary.podSecurityContext",)
    assert workload.setting("hostNetwork").keys == ("primary.hostNetwork",)
    permissions, database = workload.containers
    assert permissions.init
    assert permissions.live is False
    assert not database.init
    assert permissions.setting("securityContext").keys == ("volumePermissions.containerSecurityContext",)
    assert database.image == "docker.io/example/db:16.1"
    assert database.setting("securityContext").keys == ("primary.containerSecurityContext",)
    assert database.setting("resources").keys == ("primary.resources",)
    assert database.setting("volumeMounts").keys == ("primary.extraVolumeMounts",)
    (note,) = notes(folder)
    # The init container is off by default, and the other has all: only limits are left.
    assert note.remedy == (
        "its values ask for all of the restricted level already. Limits go to `primary.resources` (line 20, now {})"
    )


def test_a_switch_that_is_off_is_named(plant: Plant) -> None:
    values = LIBRARY_VALUES.replace("    enabled: true\n    runAsNonRoot: true\n", "    enabled: false\n")
    (note,) = notes(plant({"templates/db.yaml": LIBRARY_STYLE, "values.yaml": values}))
    assert "`primary.containerSecurityContext` (line 12): enabled: true, allowPrivilegeEscalation: false" in note.remedy
    assert "`primary.podSecurityContext` (line 9): enabled: true, runAsNonRoot: true" in note.remedy


def test_a_template_without_keys_says_where_it_has_to_be_written(plant: Plant) -> None:
    folder = plant({"templates/plain.yaml": PLAIN, "values.yaml": "replicas: 1\n"})
    workload = only(folder)
    assert workload.setting("hostNetwork").parts[0].text == "true"
    assert [one.setting("securityContext").written for one in workload.containers] == [True, False]
    (note,) = notes(folder)
    assert note.remedy == (
        "no value reaches this, write it into the template: securityContext of the pod (line 8): runAsNonRoot: true, "
        "seccompProfile.type: RuntimeDefault; securityContext of `side` (line 18): allowPrivilegeEscalation: false, "
        "capabilities.drop: [ALL]"
    )


def test_a_chart_inside_is_set_from_the_one_around_it(plant: Plant) -> None:
    folder = plant(
        {
            "Chart.yaml": ABOUT + "dependencies:\n- name: db\n  alias: store\n  version: 1.0.0\n",
            "values.yaml": "a: 1\nstore:\n  securityContext: {readOnlyRootFilesystem: true}\n",
            "charts/db/Chart.yaml": ABOUT.replace("web", "db"),
            "charts/db/values.yaml": VALUES,
            "charts/db/templates/deployment.yaml": CREATED,
            "templates/_helpers.tpl": HELPERS,
        }
    )
    top, inner = charts(folder)
    assert not top.workloads
    assert inner.below == ("store",)
    found, own = inner.value("securityContext"), inner.value("podSecurityContext")
    assert found is not None
    assert (found.file, found.line) == ("web/values.yaml", 3)
    assert own is not None
    assert (own.file, own.line) == ("web/charts/db/values.yaml", 6)
    (note,) = notes(folder)
    assert note.path == "web/charts/db/templates/deployment.yaml"
    assert note.remedy.startswith("set in web/values.yaml: `store.securityContext` (line 3): allowPrivilegeEscalation: false")
    assert "`store.podSecurityContext` (web/charts/db/values.yaml:6, now {}): runAsNonRoot: true" in note.remedy


FRAME = """\
{{{{- $outer := .Values.outer }}}}
apiVersion: v1
kind: Pod
metadata: {{name: x}}
spec:
  containers:
    - name: first
      image: x
{0}
    - name: second
      image: y
"""
HELPER = """\
{{- define "ctx.whole" }}
securityContext:
  {{- toYaml .Values.inHelper | nindent 2 }}
{{- end }}
{{- define "ctx.of" -}}
{{ toYaml .context.securityContext }}
{{- end }}
{{- define "ctx.typed" -}}
{{- $tp := typeOf .Values.typed }}
{{- if eq $tp "string" }}
{{- tpl .Values.typed . | nindent 8 }}
{{- else }}
{{- toYaml .Values.typed | nindent 8 }}
{{- end }}
{{- end }}
{{- define "ctx.loop" }}{{ include "ctx.loop" . }}{{ end }}
"""
PATTERNS = {
    "nindent": ("      securityContext: {{- toYaml .Values.a.b | nindent 8 }}", ("a.b",)),
    "piped": ("      securityContext:\n        {{- .Values.a | toYaml | nindent 8 }}", ("a",)),
    "indent from the first column": ("      securityContext:\n{{ toYaml .Values.a | indent 8 }}", ("a",)),
    "not indented below its key": ("      securityContext:\n      {{- toYaml .Values.a | nindent 8 }}", ("a",)),
    "with": ("      {{- with .Values.a }}\n      securityContext: {{ toYaml . | nindent 8 }}\n      {{- end }}", ("a",)),
    "without a blank": ("      {{- with.Values.a }}\n      securityContext: {{ toYaml . | nindent 8 }}\n      {{- end }}", ("a",)),
    "named": ("      {{- with $x := .Values.a }}\n      securityContext: {{ toYaml $x | nindent 8 }}\n      {{- end }}", ("a",)),
    "variable": ("      securityContext: {{ toYaml $outer.ctx | nindent 8 }}", ("outer.ctx",)),
    "root": ("      {{- with .Values.z }}\n      securityContext: {{ toYaml $.Values.a | nindent 8 }}\n      {{- end }}", ("a",)),
    "default": ("      securityContext: {{ .Values.a | default .Values.global.a | toYaml | nindent 8 }}", ("a", "global.a")),
    "default first": ("      securityContext: {{ default .Values.b .Values.a | toYaml | nindent 8 }}", ("a", "b")),
    "tpl": ("      securityContext: {{ tpl (toYaml .Values.a) $ | nindent 8 }}", ("a",)),
    "omit": ('      securityContext: {{ omit .Values.a "enabled" | toYaml | nindent 8 }}', ("a",)),
    "merge": ("      securityContext: {{ mergeOverwrite .Values.a .Values.b | toYaml | nindent 8 }}", ("b", "a")),
    "index": ('      securityContext: {{ index .Values "my-app" "ctx" | toYaml | nindent 8 }}', ("my-app.ctx",)),
    "parentheses": ("      securityContext: {{ toYaml (.Values.a).b | nindent 8 }}", ("a.b",)),
    "flow": ("      securityContext: {{ .Values.a | toJson }}", ("a",)),
    "range": ("      {{- range $k, $v := .Values.all }}\n      securityContext: {{ toYaml $v.c | nindent 8 }}\n      {{- end }}", ("all.*.c",)),
    "include": ('      {{- include "ctx.whole" . | nindent 6 }}', ("inHelper",)),
    "template": ('      securityContext:\n        {{- template "ctx.typed" . }}', ("typed",)),
    "dict": ('      securityContext: {{- include "ctx.of" (dict "context" .Values.web) | nindent 8 }}', ("web.securityContext",)),
    "else": (
        "      {{- if .Values.x }}\n      securityContext: {runAsUser: 1}\n      {{- else }}\n      securityContext: {{ toYaml .Values.a | nindent 8 }}\n      {{- end }}",
        ("a",),
    ),
    "reassigned": (
        "      {{- $c := .Values.a }}{{ if .Values.x }}{{ $c = .Values.b }}{{ end }}\n      securityContext: {{ toYaml $c | nindent 8 }}",
        ("b", "a"),
    ),
    "none": ("      env: []", ()),
    "in a script": ("      args:\n      - |\n        securityContext: {{ toYaml .Values.a | nindent 8 }}", ()),
    "in a comment": ("      {{- /* securityContext: {{ toYaml .Values.a }} */}}\n      # securityContext: {{ .Values.a }}", ()),
    "of something else": ("      livenessProbe:\n        securityContext: {{ toYaml .Values.a | nindent 10 }}", ()),
    "unknown": ("      securityContext: {{ include \"nowhere\" . | nindent 8 }}", ()),
}  # fmt: skip


@pytest.mark.parametrize("name", PATTERNS)
def test_patterns(plant: Plant, name: str) -> None:
    lines, keys = PATTERNS[name]
    workload = only(plant({"templates/pod.yaml": FRAME.format(lines), "templates/_h.tpl": HELPER}))
    first, second = workload.containers
    assert first.setting("securityContext").keys == keys
    assert second.setting("securityContext").keys == ()


def test_values_below_a_setting(plant: Plant) -> None:
    lines = "      securityContext:\n        runAsUser: {{ .Values.uid | default 1000 }}\n        allowPrivilegeEscalation: {{ .Values.ape }}"
    folder = plant({"templates/pod.yaml": FRAME.format(lines), "values.yaml": "ape: true\n"})
    setting = only(folder).containers[0].setting("securityContext")
    assert [(part.path, part.text) for part in setting.parts] == [
        ("runAsUser", "{uid}"),
        ("allowPrivilegeEscalation", "{ape}"),
    ]
    assert "set in web/values.yaml: `ape` (line 1, now true): false" in notes(folder)[0].remedy


def test_no_file_outside_is_read(plant: Plant, tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text(PLAIN)
    folder = plant({"templates/deployment.yaml": CREATED})
    (folder / "templates/link.yaml").symlink_to(tmp_path / "secret.yaml")
    (folder / "charts").mkdir()
    (folder / "charts" / "away").symlink_to(tmp_path)
    (folder / "values.yaml").symlink_to(tmp_path / "secret.yaml")
    (chart,) = read_charts(str(folder), "web", Tree((str(folder),)))
    assert [workload.file for workload in chart.workloads] == ["web/templates/deployment.yaml"]
    assert chart.value("kind") is None


@pytest.mark.parametrize(
    "text",
    ["{{ if .Values.x }}", "{{ end }}", "{{ .Values.x", '{{ "x }}', "{{ (.Values.x }}", "{{ range }}", "{{/* x", "{{ if }}" * 100],
)  # fmt: skip
def test_what_does_not_hold_together(plant: Plant, text: str) -> None:
    with pytest.raises(TemplateError):
        parse(text)
    folder = plant({"templates/broken.yaml": f"kind: Pod\n{text}", "templates/deployment.yaml": CREATED})
    assert [note.path for note in notes(folder)] == ["web/templates/deployment.yaml", "web/templates/broken.yaml"]
    assert notes(folder)[1].remedy == "run harden on what it makes: `helm template web | harden --diff -`"


@pytest.mark.parametrize(
    "text",
    [
        "{{" * 100_000,
        "{{ (" + "(" * 200_000,
        "{{ \"" + "\\" * 200_001,
        "{{/*" + "*/ " * 100_000,
        "{{- " + " " * 200_000,
        "a: {{ x }}\n" * 20_000,
        "{{ define \"a\" }}{{ include \"a\" . }}{{ include \"a\" . }}{{ end }}{{ include \"a\" . }}",
        "".join(f'{{{{ define "a{n}" }}}}{{{{ include "a{n + 1}" . }}}}{{{{ include "a{n + 1}" . }}}}{{{{ end }}}}' for n in range(30))
        + '{{ define "a30" }}xxxxxxxxxx{{ end }}{{ include "a0" . }}',
        "- " * 100_000,
        " : " * 100_000,
    ],
)  # fmt: skip
def test_hostile_templates_end_soon(plant: Plant, text: str) -> None:
    folder = plant({"templates/hostile.yaml": "kind: Pod\nspec:\n  containers:\n  - name: a\n" + text})
    begun = time.monotonic()
    charts(folder)
    assert time.monotonic() - begun < 10


def groups(root: Path, *paths: str) -> list[Any]:
    found, _ = discover(paths or (".",))
    sources = {file.location: file.text or read(file.location, file.name) for file in found}
    return list(manifest_groups(sources, Tree((str(root),)), Policy(), []))


def test_templates_of_a_chart_are_reported_and_not_judged(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = plant(
        {
            "templates/a/plain.yaml": PLAIN.replace("{{ .Values.replicas }}", "1"),
            "templates/deployment.yaml": CREATED,
            "templates/tests/probe.yaml": PLAIN,
            "templates/_helpers.tpl": HELPERS,
            "values.yaml": VALUES,
        }
    )
    (group,) = groups(folder)
    assert not group.containers
    assert not group.files
    assert sorted(note.path for note in group.notes) == ["web/templates/a/plain.yaml", "web/templates/deployment.yaml"]
    (alone,) = groups(folder, "web/templates/deployment.yaml")
    assert [note.path for note in alone.notes] == ["web/templates/deployment.yaml"]
    monkeypatch.chdir(folder / "templates")
    (inside,) = groups(folder, "deployment.yaml")
    assert inside.notes[0].path == "deployment.yaml"
    assert inside.notes[0].remedy.startswith("set in ../values.yaml")


def test_a_template_may_begin_with_an_action(plant: Plant) -> None:
    folder = plant({"templates/d.yaml": "{{- if .Values.on }}\n" + PLAIN + "{{- end }}\n"})
    (group,) = groups(folder)
    assert [note.line for note in group.notes] == [3]
    (folder / "Chart.yaml").unlink()
    (group,) = groups(folder)
    assert [note.reason for note in group.notes] == ["a template, not a manifest as it stands"]


def test_a_folder_that_is_only_called_templates_holds_manifests(plant: Plant) -> None:
    folder = plant({"templates/plain.yaml": PLAIN.replace("{{ .Values.replicas }}", "1")})
    (folder / "Chart.yaml").unlink()
    (group,) = groups(folder)
    assert len(group.containers) == 2


@pytest.mark.parametrize("name", [name for name, (_, keys) in PATTERNS.items() if keys and "*" not in keys[0]])
def test_helm_agrees(plant: Plant, name: str) -> None:
    """A value that is put under the named key is the one that arrives."""
    helm = pytest.importorskip("helm_python", reason="the package helm-python-sdk renders charts as Helm does")
    yaml = pytest.importorskip("yaml")
    lines, keys = PATTERNS[name]
    folder = plant({"templates/pod.yaml": FRAME.format(lines), "templates/_h.tpl": HELPER.rpartition("{{- define")[0]})
    values: dict[str, Any] = {"z": 1, "outer": {}, "global": {}, "a": {}, "typed": {}, "web": {}, "x": "merged" in name}
    at = values
    for part in keys[0].split(".")[:-1]:
        at = at.setdefault(part, {})
    at[keys[0].split(".")[-1]] = {"runAsUser": 4242}
    if name == "reassigned":
        values["x"] = True
    with helm.Chart.load(str(folder)) as chart:
        made = yaml.safe_load(chart.render(values, name="demo", namespace="demo")["web/templates/pod.yaml"])
    assert made["spec"]["containers"][0]["securityContext"] == {"runAsUser": 4242}
