"""The judges of manifests see what they are there to see."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_oracle as kubernetes
import pytest
from corpus_check import compare_manifests
from corpus_judges import compare_lines
from pods import groups

from hardener.discover import KUBERNETES
from hardener.facts.container import privilege

FIXTURES = Path(__file__).parent.parent / "fixtures"

TEXT = b"""\
# of the shop
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata:
      labels: {app: shop}
    spec:
      volumes:
      - name: pages
        configMap: {name: pages}
      containers:
      - name: web
        image: nginx:1.27 # the web server
        securityContext:
          readOnlyRootFilesystem: true
          allowPrivilegeEscalation: false
          capabilities: {drop: [ALL], add: [CHOWN]}
          seccompProfile: {type: RuntimeDefault}
        volumeMounts:
        - {name: pages, mountPath: /pages}
        resources: {limits: {memory: 1Gi}}
      - name: other
        image: memcached:1.6
"""
Change = Callable[[dict[str, Any], dict[str, Any]], object]


def security(**keys: object) -> Change:
    return lambda pod, web: web["securityContext"].update(keys)


@pytest.mark.parametrize(
    ("change", "fine"),
    [
        (security(runAsNonRoot=True, runAsUser=101), True),
        (security(capabilities={"drop": ["ALL"]}), True),
        (lambda pod, web: pod.update(securityContext={"seccompProfile": {"type": "RuntimeDefault"}}), True),
        (lambda pod, web: pod["volumes"].append({"name": "tmp", "emptyDir": {}}), True),
        (lambda pod, web: web["resources"]["limits"].update(cpu=1), True),
        (lambda pod, web: web.setdefault("env", []).append({"name": "A", "value": "b"}), True),
        # Elsewhere than fixes write.
        (lambda pod, web: web.update(image="nginx:1.28"), False),
        (lambda pod, web: pod.update(hostNetwork=True), False),
        (lambda pod, web: pod.update(securityContext={"supplementalGroups": [0]}), False),
        (lambda pod, web: pod["containers"].reverse(), False),
        (lambda pod, web: pod["containers"].pop(), False),
        (lambda pod, web: pod["volumes"][0].update(configMap={"name": "other"}), False),
        (lambda pod, web: web["volumeMounts"][0].update(readOnly=True), False),
        # Weaker.
        (security(privileged=True), False),
        (security(readOnlyRootFilesystem=False), False),
        (security(allowPrivilegeEscalation=True), False),
        (security(runAsUser=0), True),  # it may be root before, too
        (security(capabilities={"drop": ["ALL"], "add": ["CHOWN", "SYS_ADMIN"]}), False),
        (security(capabilities={"add": ["CHOWN"]}), False),
        (security(seccompProfile={"type": "Unconfined"}), False),
        (security(procMount="Unmasked"), False),
        (lambda pod, web: web.pop("securityContext"), False),
        (lambda pod, web: web["resources"]["limits"].update(memory="2Gi"), False),
        (lambda pod, web: web["volumeMounts"].pop(), False),
        # Refused by the API server.
        (lambda pod, web: web["volumeMounts"].append({"name": "tmp", "mountPath": "/tmp"}), False),
        (lambda pod, web: web["volumeMounts"].append({"name": "pages", "mountPath": "/pages"}), False),
        (lambda pod, web: pod["volumes"].append({"name": "pages", "emptyDir": {}}), False),
        (lambda pod, web: pod["volumes"].append({"name": "Pages_2", "emptyDir": {}}), False),
        (lambda pod, web: pod.update(securityContext={"runAsUser": 0, "runAsNonRoot": True}), False),
        (lambda pod, web: web["resources"].update(requests={"memory": "1025Mi"}), False),
        (lambda pod, web: web["resources"].update(requests={"memory": "1024Mi"}), True),
        (lambda pod, web: web.setdefault("env", []).extend([{"name": "A", "value": "b"}, {"name": "A", "value": "c"}]), False),
    ],
)
def test_changes_that_are_not_right_are_seen(change: Change, fine: bool) -> None:
    before = kubernetes.load("a.yaml", TEXT)
    assert before is not None
    after = copy.deepcopy(before)
    pod = after[0]["spec"]["template"]["spec"]
    change(pod, pod["containers"][0])
    assert (compare_manifests(before, after) == []) is fine


def test_contradictions_are_seen() -> None:
    admin = {"securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"add": ["CAP_SYS_ADMIN"]}}}
    privileged = {"securityContext": {"allowPrivilegeEscalation": False, "privileged": True}}
    network = {
        "hostNetwork": True,
        "securityContext": {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]},
    }
    for pod in ({"containers": [admin]}, {"containers": [privileged]}, {"containers": [{}]} | network):
        assert len(kubernetes.impossible([{"spec": pod}])) == 1
    assert kubernetes.impossible([{"spec": {"containers": [{}]}}]) == []


@pytest.mark.parametrize(
    "change",
    [
        security(runAsUser="101"),
        security(runAsUserr=101),
        security(capabilities={"drop": "ALL"}),
        lambda pod, web: web.update(resources=["memory"]),
        lambda pod, web: pod.update(volumes={}),
    ],
)
def test_what_the_schemas_refuse_is_seen(change: Change) -> None:
    pytest.importorskip("kubernetes_validate")
    before = kubernetes.load("a.yaml", TEXT)
    assert before is not None
    after = copy.deepcopy(before)
    pod = after[0]["spec"]["template"]["spec"]
    change(pod, pod["containers"][0])
    assert kubernetes.refused(before, before) == []
    assert len(kubernetes.refused(before, after)) == 1
    assert kubernetes.refused(after, after) == []  # what was wrong before is nobody's fault


@pytest.mark.parametrize(
    ("added", "dropped", "held"),
    [
        ([], [], kubernetes.GRANTED),
        ([], ["ALL"], set()),
        (["CHOWN"], ["all"], {"CHOWN"}),
        (["cap_sys_admin"], [], kubernetes.GRANTED | {"SYS_ADMIN"}),
        (["CHOWN"], ["CHOWN"], kubernetes.GRANTED - {"CHOWN"}),
        (["CHOWN"], ["CHOWN", "ALL"], set()),
        (["ALL"], ["ALL"], set()),
        (["ALL"], [], kubernetes.GRANTED | {"ALL"}),
    ],
)
def test_capabilities_as_the_runtime_counts_them(added: list[str], dropped: list[str], held: set[str]) -> None:
    one = {"securityContext": {"capabilities": {"add": added, "drop": dropped}}}
    assert kubernetes.power({}, one).capabilities == held


@pytest.mark.parametrize(
    ("old", "new", "fine"),
    [
        (b"        image: memcached", b"        securityContext:\n          runAsNonRoot: true\n        image: memcached", True),
        (b"{limits: {memory: 1Gi}}", b"{limits: {memory: 1Gi, cpu: 1}}", True),
        (b"      volumes:\n", b"      volumes:\n      - name: tmp\n        emptyDir: {}\n", True),
        (b"allowPrivilegeEscalation: false", b"allowPrivilegeEscalation: true", True),  # for another judge to see
        (b"      containers:\n", b"      automountServiceAccountToken: false\n      containers:\n", True),
        (b" # the web server", b"", False),
        (b"# of the shop\n", b"", False),
        (b"name: other", b"name: another", False),
        (b"kind: Deployment\n", b"kind: Deployment\n---\n", False),
        (b"spec:\n  selector", b"spec:\n  replicas: 1\n  selector", False),
        (b"\n", b"\r\n", False),
    ],
)
def test_lines_that_were_not_planned_are_seen(old: bytes, new: bytes, fine: bool) -> None:
    assert (compare_lines(TEXT, TEXT.replace(old, new), KUBERNETES).problems == ()) is fine


def test_what_is_read_of_a_container_is_what_the_judges_count() -> None:
    """Over all manifests of the fixtures, before and after."""
    seen = 0
    for path in sorted(FIXTURES.glob("*/*/*/**/*")):
        data = path.read_bytes() if path.is_file() else b""
        if not kubernetes.is_manifest(path.name, data) or (documents := kubernetes.load(path.name, data)) is None:
            continue
        theirs = {
            (str(container.get("image")), kubernetes.power(pod, container))
            for one in kubernetes.objects(documents)
            for _, pod, container in kubernetes.containers(one)
        }
        found, _ = groups({path.name: data.decode()})
        for container in (container for one in found for container in one.containers):
            held = privilege(container)
            hosts = {"hostNetwork": container.host_network, "hostPID": container.host_pid, "hostIPC": container.host_ipc}
            refuses = container.refuses_root is not None and container.refuses_root.effective
            ours = kubernetes.Power(
                held.capabilities,
                held.may_escalate,
                held.privileged,
                not refuses and container.user.effective.partition(":")[0] in ("", "0"),
                held.writable_root,
                container.seccomp_unconfined.effective,
                container.unmasked_proc.effective,
                frozenset(name for name, setting in hosts.items() if setting.effective),
            )
            assert (container.image_text, ours) in theirs, path
            seen += 1
    assert seen > 200
