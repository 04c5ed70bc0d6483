"""Where pods are in the objects of Kubernetes: kinds and groups, lists, templates of OpenShift, anchors."""

from __future__ import annotations

import pytest
from pods import containers, group, groups

POD = "{containers: [{name: web, image: nginx:1.27}]}"
TEMPLATE = f"{{template: {{spec: {POD}}}}}"


def manifest(version: str, kind: str, body: str) -> str:
    return f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: shop}}\n{body}\n"


@pytest.mark.parametrize(
    ("version", "kind", "body"),
    [
        ("v1", "Pod", f"spec: {POD}"),
        ("v1", "PodTemplate", f"template: {{spec: {POD}}}"),
        ("v1", "ReplicationController", f"spec: {TEMPLATE}"),
        ("apps/v1", "Deployment", f"spec: {TEMPLATE}"),
        ("apps/v1", "StatefulSet", f"spec: {TEMPLATE}"),
        ("apps/v1", "DaemonSet", f"spec: {TEMPLATE}"),
        ("apps/v1", "ReplicaSet", f"spec: {TEMPLATE}"),
        ("apps/v1beta2", "Deployment", f"spec: {TEMPLATE}"),
        ("extensions/v1beta1", "Deployment", f"spec: {TEMPLATE}"),
        ("extensions/v1beta1", "DaemonSet", f"spec: {TEMPLATE}"),
        ("batch/v1", "Job", f"spec: {TEMPLATE}"),
        ("batch/v1", "CronJob", f"spec: {{jobTemplate: {{spec: {TEMPLATE}}}}}"),
        ("batch/v1beta1", "CronJob", f"spec: {{jobTemplate: {{spec: {TEMPLATE}}}}}"),
        ("argoproj.io/v1alpha1", "Rollout", f"spec: {TEMPLATE}"),
        ("serving.knative.dev/v1", "Service", f"spec: {TEMPLATE}"),
        ("serving.knative.dev/v1", "Configuration", f"spec: {TEMPLATE}"),
        ("apps.openshift.io/v1", "DeploymentConfig", f"spec: {TEMPLATE}"),
    ],
)
def test_these_kinds_ask_for_pods(version: str, kind: str, body: str) -> None:
    """The fields are those of the API references of Kubernetes 1.34, Argo Rollouts, Knative Serving and OpenShift."""
    assert list(containers(manifest(version, kind, body))) == ["shop/web"]


@pytest.mark.parametrize(
    ("version", "kind", "body"),
    [
        ("v1", "Service", f"spec: {TEMPLATE}"),
        ("v1", "ConfigMap", 'data: {kind: Pod, "spec": "containers: []"}'),
        ("example.com/v1", "Deployment", f"spec: {TEMPLATE}"),
        ("example.com/v1", "Pod", f"spec: {POD}"),
        ("example.com/v1", "Website", f"spec: {TEMPLATE}"),
        ("argoproj.io/v1alpha1", "Workflow", f"spec: {TEMPLATE}"),
        ("apps/v1", "Deployment", f"spec: {POD}"),
        ("v1", "Pod", f"spec: {TEMPLATE}"),
        ("v1", "Pod", "spec: [one, two]"),
        ("v1", "Pod", "spec: null"),
        ("v1", "pod", f"spec: {POD}"),
        ("batch/v1", "CronJob", f"spec: {TEMPLATE}"),
    ],
)
def test_these_ask_for_none(version: str, kind: str, body: str) -> None:
    found, troubles = groups({"a.yaml": manifest(version, kind, body)})
    assert [container for one in found for container in one.containers] == []
    assert troubles == []


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: List\nitems:\n- {one}\n- {two}\n",
        "kind: PodList\napiVersion: v1\nitems: [{one}, {two}]\n",
        "- {one}\n- {two}\n",
        "{one}\n---\n{two}\n",
        "---\n# nothing\n---\n{one}\n---\n---\n{two}\n...\n",
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  items: [{one}]\n- {two}\n",
        "apiVersion: template.openshift.io/v1\nkind: Template\nobjects:\n- {one}\n- {two}\n",
        '{{"apiVersion": "v1", "kind": "List", "items": [{one}, {two}]}}',
    ],
)
def test_every_object_of_a_file_is_found(text: str) -> None:
    def pod(name: str) -> str:
        containers = '[{"name": "web", "image": "nginx:1.27"}]'
        return f'{{"apiVersion": "v1", "kind": "Pod", "metadata": {{"name": "{name}"}}, "spec": {{"containers": {containers}}}}}'

    assert list(containers(text.format(one=pod("one"), two=pod("two")))) == ["one/web", "two/web"]


def test_all_lists_of_containers_are_read_in_the_order_in_which_they_start() -> None:
    text = """
        apiVersion: v1
        kind: Pod
        metadata: {name: shop}
        spec:
          containers: [{name: web, image: nginx:1.27}, {name: shop, image: nginx:1.27}]
          initContainers: [{name: init, image: busybox:1.36}]
          ephemeralContainers: [{name: debug, image: busybox:1.36}]
        """
    assert list(containers(text)) == ["shop/init", "shop/web", "shop", "shop/debug"]


@pytest.mark.parametrize(
    ("metadata", "subject"),
    [
        ("{name: shop}", "shop/web"),
        ("{name: web}", "web"),
        ("{generateName: shop-}", "shop/web"),
        ("{}", "pod/web"),
        ("null", "pod/web"),
        ("{name: 2024}", "2024/web"),
    ],
)
def test_containers_are_called_after_their_workload(metadata: str, subject: str) -> None:
    assert list(containers(f"apiVersion: v1\nkind: Pod\nmetadata: {metadata}\nspec: {POD}\n")) == [subject]


def test_keys_of_containers_are_unique_in_a_run() -> None:
    text = manifest("v1", "Pod", "spec: {containers: [{name: a, image: b:1}, {name: a, image: b:1}]}")
    found, _ = groups({"a.yaml": f"{text}---\n{text}", "b.yaml": text})
    keys = [container.key for one in found for container in one.containers]
    assert len(keys) == len(set(keys)) == 6


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("{containers: [{name: web}]}", "without an image"),
        ("{containers: [{name: web, image: nginx:1.27}, {name: b, env: []}]}", "without an image"),
        ("{containers: [{name: web, image: nginx:1.27}], nodeSelector: {kubernetes.io/os: windows}}", "Windows"),
        ("{containers: [{name: web, image: nginx:1.27}], os: {name: windows}}", "Windows"),
    ],
)
def test_what_is_not_judged_is_said(spec: str, why: str) -> None:
    one = group(manifest("v1", "Pod", f"spec: {spec}"))
    assert one.containers == ()
    assert [note.line for note in one.notes] == [2]
    assert why in one.notes[0].reason


def test_a_pod_for_linux_is_judged() -> None:
    spec = "{containers: [{name: web, image: nginx:1.27}], nodeSelector: {kubernetes.io/os: linux}, os: {name: linux}}"
    assert list(containers(manifest("v1", "Pod", f"spec: {spec}"))) == ["shop/web"]


def test_a_spec_behind_an_alias_is_read_and_not_written() -> None:
    from hardener.errors import CannotWrite

    text = f"""
x: &spec {POD}
apiVersion: v1
kind: Pod
metadata: {{name: shop}}
spec: *spec
"""
    (container,) = containers(text).values()
    assert container.image_text == "nginx:1.27"
    with pytest.raises(CannotWrite, match="&spec"):
        container.read_only_root.to(True)


@pytest.mark.parametrize(
    "text", ["spec: {{ .Values.spec }}", "{{- if .Values.a }}\nspec: {}\n{{- end }}", "{% if a %}\nspec: {}"]
)
def test_a_template_is_named_as_one(text: str) -> None:
    found, troubles = groups({"t.yaml": f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{{{ .Release.Name }}}}\n{text}\n"})
    assert troubles == []
    assert [note.reason for one in found for note in one.notes] == ["a template, not a manifest as it stands"]


def test_what_the_api_server_would_refuse_is_not_read() -> None:
    found, troubles = groups({"a.yaml": "apiVersion: v1\nkind: Pod\nkind: Pod\n", "b.yaml": "kind: Pod\n a: [\n"})
    assert found == []
    assert {trouble.path: trouble.line for trouble in troubles} == {"a.yaml": 3, "b.yaml": 2}
