"""Strategic-merge patches: what kustomize makes of an object with its patch is the object as it should become."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from kustomize_oracle import built, needs_kubectl

from hardener.errors import CannotWrite
from hardener.overlay.strategic_merge import patch, patched, same

Thing = dict[str, Any]
TEMPLATES = {
    ("apps/v1", "Deployment"): ("spec", "template", "spec"),
    ("batch/v1", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
    ("v1", "Pod"): ("spec",),
    ("argoproj.io/v1alpha1", "Rollout"): ("spec", "template", "spec"),
}


def thing(version: str, kind: str, name: str, pod: Thing) -> Thing:
    """An object of a kind with the spec of its pod where that kind has it."""
    *above, last = TEMPLATES[version, kind]
    whole: Thing = {"apiVersion": version, "kind": kind, "metadata": {"name": name}}
    at = whole
    for key in above:
        at = at.setdefault(key, {})
    at[last] = pod
    return whole


def kustomized(folder: Path, pairs: list[tuple[Thing, Thing]]) -> list[Any]:
    """What kustomize makes of the first of each pair and the patches to the second."""
    patches = [made for before, after in pairs if (made := patch(before, after))]
    (folder / "base.yaml").write_text(yaml.safe_dump_all([before for before, _ in pairs]))
    (folder / "harden-patch.yaml").write_text(yaml.safe_dump_all(patches))
    kustomization: Thing = {"resources": ["base.yaml"]}
    if patches:
        kustomization["patches"] = [{"path": "harden-patch.yaml"}]
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return built(folder)


def agrees(folder: Path, pairs: list[tuple[Thing, Thing]]) -> None:
    found = {(made["kind"], made["metadata"]["name"]): made for made in kustomized(folder, pairs)}
    for _, after in pairs:
        made = found[after["kind"], after["metadata"]["name"]]
        assert same(made, after), yaml.safe_dump([made, after])


POD: Thing = {
    "hostNetwork": True,
    "initContainers": [{"name": "first", "image": "busybox"}, {"name": "second", "image": "busybox"}],
    "containers": [
        {
            "name": "web",
            "image": "nginx",
            "args": ["a", "b"],
            "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            "ports": [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}],
            "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "data", "mountPath": "/more", "subPath": "more"}],
            "securityContext": {"privileged": True, "capabilities": {"add": ["NET_ADMIN", "CHOWN"], "drop": ["MKNOD"]}},
        },
        {"name": "side", "image": "busybox"},
    ],
    "volumes": [{"name": "data", "emptyDir": {}}],
    "tolerations": [{"key": "a"}],
}


def hardened() -> Thing:
    pod = copy.deepcopy(POD)
    web, side = pod["containers"]
    del pod["hostNetwork"], web["securityContext"]["privileged"], web["env"][0], web["volumeMounts"][1]
    web["securityContext"] |= {"readOnlyRootFilesystem": True, "capabilities": {"add": ["CHOWN"], "drop": ["ALL"]}}
    web["volumeMounts"].append({"name": "tmp", "mountPath": "/tmp"})
    web["args"] = ["a"]
    side["securityContext"] = {"allowPrivilegeEscalation": False}
    pod["initContainers"][1]["resources"] = {"limits": {"memory": "64Mi"}}
    pod["volumes"].append({"name": "tmp", "emptyDir": {"medium": "Memory"}})
    pod["automountServiceAccountToken"] = False
    return pod


@needs_kubectl
@pytest.mark.parametrize("kind", TEMPLATES, ids=lambda kind: kind[1])
def test_all_that_fixes_do_can_be_said(kind: tuple[str, str], tmp_path: Path) -> None:
    agrees(tmp_path, [(thing(*kind, "web", POD), thing(*kind, "web", hardened()))])


@needs_kubectl
@pytest.mark.parametrize(
    "change",
    [
        lambda pod: pod["initContainers"][1].update(image="other"),
        lambda pod: pod["initContainers"].append({"name": "third", "image": "busybox"}),
        lambda pod: pod["initContainers"].reverse(),
        lambda pod: pod["containers"][0]["env"].append({"name": "C", "value": "$(A)"}),
        lambda pod: pod["containers"][1].update(image="other"),
    ],
    ids=["the second changes", "one more", "another order", "a variable that builds on others", "the second container"],
)
def test_the_order_of_what_is_done_in_turn_stays(change: Any, tmp_path: Path) -> None:
    after = copy.deepcopy(POD)
    change(after)
    made = kustomized(tmp_path, [(thing("v1", "Pod", "web", POD), thing("v1", "Pod", "web", after))])
    assert made == [thing("v1", "Pod", "web", after)]


def test_a_patch_says_no_more_than_it_has_to() -> None:
    after = copy.deepcopy(POD)
    after["containers"][0]["securityContext"]["capabilities"]["drop"] = ["ALL"]
    made = patch(thing("apps/v1", "Deployment", "web", POD), thing("apps/v1", "Deployment", "web", after))
    said = {"name": "web", "securityContext": {"capabilities": {"drop": ["ALL"]}}}
    assert made == thing("apps/v1", "Deployment", "web", {"containers": [said]})


def test_a_list_of_a_strange_kind_is_said_as_a_whole() -> None:
    after = copy.deepcopy(POD)
    after["containers"][1]["securityContext"] = {"privileged": False}
    made = patch(thing("argoproj.io/v1alpha1", "Rollout", "web", POD), thing("argoproj.io/v1alpha1", "Rollout", "web", after))
    assert made["spec"]["template"]["spec"]["containers"] == after["containers"]


def test_nothing_is_said_where_nothing_changes() -> None:
    same_pod = copy.deepcopy(POD)
    assert patch(thing("v1", "Pod", "web", POD), thing("v1", "Pod", "web", same_pod)) == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda pod: pod["containers"][0]["ports"].append({"containerPort": 53, "protocol": "TCP"}),
        lambda pod: pod["containers"][0]["env"].append({"name": "A", "value": "2"}),
    ],
    ids=["ports that differ in protocol", "a variable twice"],
)
def test_what_a_patch_cannot_say_is_refused(change: Any) -> None:
    after = copy.deepcopy(POD)
    change(after)
    with pytest.raises(CannotWrite):
        patch(thing("v1", "Pod", "web", POD), thing("v1", "Pod", "web", after))


def test_an_object_without_a_name_is_refused() -> None:
    before, after = thing("v1", "Pod", "", POD), thing("v1", "Pod", "", hardened())
    before["metadata"] = after["metadata"] = {"generateName": "web-"}
    with pytest.raises(CannotWrite):
        patch(before, after)


names = st.sampled_from(["a", "b", "c"])
words = st.sampled_from(["x", "y", "1", "true", ""])


def named(key: str, item: dict[str, Any]) -> Any:
    return st.lists(st.fixed_dictionaries({key: names}, optional=item), max_size=3, unique_by=lambda found: found[key])


capabilities = st.fixed_dictionaries({}, optional={"add": st.lists(words, max_size=2), "drop": st.lists(words, max_size=2)})
contexts = st.fixed_dictionaries(
    {},
    optional={"privileged": st.booleans(), "runAsUser": st.integers(0, 3), "capabilities": capabilities},
)
containers = st.lists(
    st.fixed_dictionaries(
        {"name": names},
        optional={
            "image": words,
            "args": st.lists(words, max_size=2),
            "env": named("name", {"value": words}),
            "volumeMounts": named("mountPath", {"name": words, "readOnly": st.booleans()}),
            "securityContext": contexts,
            "resources": st.fixed_dictionaries({}, optional={"limits": st.dictionaries(names, st.integers(1, 3), max_size=2)}),
        },
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda found: found["name"],
)
pods = st.fixed_dictionaries(
    {"containers": containers},
    optional={
        "hostPID": st.booleans(),
        "volumes": named("name", {"emptyDir": st.fixed_dictionaries({}, optional={"medium": words})}),
        "tolerations": st.lists(st.fixed_dictionaries({"key": words}), max_size=2),
        "securityContext": contexts,
        "nodeSelector": st.dictionaries(names, words, max_size=2),
    },
)


@needs_kubectl
# Each example starts a program: to shrink one would take minutes.
@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
@given(data=st.lists(st.tuples(st.sampled_from(sorted(TEMPLATES)), pods, pods), min_size=3, max_size=8))
def test_kustomize_agrees(data: list[tuple[tuple[str, str], Thing, Thing]], tmp_path_factory: pytest.TempPathFactory) -> None:
    pairs = []
    for at, (kind, before, after) in enumerate(data):
        pairs.append((thing(*kind, f"n{at}", before), thing(*kind, f"n{at}", after)))
    agrees(tmp_path_factory.mktemp("kustomized"), pairs)


@given(before=pods, after=pods)
def test_nothing_of_that_is_refused(before: Thing, after: Thing) -> None:
    one, other = thing("apps/v1", "Deployment", "web", before), thing("apps/v1", "Deployment", "web", after)
    made = patch(one, other)
    assert same(patched(one, made), other)
    assert bool(made) != same(one, other)
