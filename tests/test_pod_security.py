"""The Pod Security Standards: every control in both directions, in every list of containers; garbage; and the manifests of
the admission controller that enforces them, where a checkout of those is at hand.

    HARDEN_POD_SECURITY_TESTDATA=CHECKOUT python3 -m pytest tests/test_pod_security.py

takes a checkout of kubernetes/pod-security-admission, or its folder `test/testdata`.
"""

from __future__ import annotations

import copy
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from hardener.pod_fields import CONTAINER_LISTS
from hardener.pod_security import (
    APPARMOR,
    BASELINE,
    CAPABILITIES,
    HOST_NAMESPACES,
    HOST_PATH,
    HOST_PORTS,
    HOST_PROBES,
    HOST_PROCESS,
    LEVELS,
    NEWEST,
    NON_ROOT,
    NON_ROOT_USER,
    OLDEST,
    PRIVILEGE_ESCALATION,
    PRIVILEGED,
    PROC_MOUNT,
    RESTRICTED,
    SECCOMP,
    SELINUX,
    SYSCTLS,
    UNACCEPTED,
    VOLUME_TYPES,
    reached,
    violations,
)

#: What a container has to say at least, and what a pod can say for all of its containers.
STRICT = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
POD_STRICT = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def pod(**more: Any) -> dict[str, Any]:
    """A pod that reaches `restricted`, with a container of each kind, and more."""
    strict = {name: [{"name": name[:4], "securityContext": copy.deepcopy(STRICT)}] for name in CONTAINER_LISTS}
    return copy.deepcopy({**strict, "securityContext": POD_STRICT, **more})


def with_context(context: dict[str, Any], kind: str = "containers") -> dict[str, Any]:
    """That pod, with more in the security context of one container."""
    spec = pod()
    spec[kind][0]["securityContext"].update(context)
    return spec


def with_pod_context(context: dict[str, Any]) -> dict[str, Any]:
    """That pod, with more in its own security context."""
    return pod(securityContext={**POD_STRICT, **context})


def seen(spec: object, annotations: object = None, level: str = RESTRICTED, minor: int = NEWEST) -> list[tuple[str, str, str]]:
    return [(found.level, found.control, found.path) for found in violations(spec, annotations, level, minor)]


def test_a_pod_that_says_all_that_is_asked_for_reaches_the_level() -> None:
    assert violations(pod(), None, RESTRICTED) == ()
    assert reached(()) == RESTRICTED


def test_a_pod_that_says_nothing_is_at_baseline() -> None:
    spec = {"containers": [{"name": "web"}, {"name": "log"}], "initContainers": [{}]}
    assert violations(spec, {}, BASELINE) == ()
    found = violations(spec, {}, RESTRICTED)
    assert reached(found) == BASELINE
    context = "spec.containers[web].securityContext"
    assert (RESTRICTED, PRIVILEGE_ESCALATION, f"{context}.allowPrivilegeEscalation") in seen(spec)
    assert (RESTRICTED, CAPABILITIES, f"{context}.capabilities.drop") in seen(spec)
    said = {violation.path: violation.write for violation in found}
    assert said["spec.securityContext.runAsNonRoot"] == "write true here, or in the containers 0, web and log"
    assert said["spec.securityContext.seccompProfile.type"] == (
        "write RuntimeDefault or Localhost here, or in the containers 0, web and log"
    )
    assert len(found) == 2 + 2 * 3


ADDABLE = "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD SETFCAP SETGID SETPCAP SETUID SYS_CHROOT".split()
NOT_ADDABLE = [*"NET_RAW SYS_ADMIN NET_ADMIN SYS_PTRACE BPF ALL chown CAP_CHOWN net_bind_service".split(), ""]

#: What may stand in the security context of a container at `restricted`.
ALLOWED_IN_A_CONTAINER: list[dict[str, Any]] = [
    {"privileged": False},
    {"privileged": None},
    {"allowPrivilegeEscalation": False},
    {"capabilities": {"drop": ["CHOWN", "ALL"]}},
    {"capabilities": {"drop": ["ALL"], "add": []}},
    {"capabilities": {"drop": ["ALL"], "add": None}},
    {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}},
    {"runAsNonRoot": True},
    {"runAsNonRoot": None},
    {"runAsUser": 1},
    {"runAsUser": 1000.0},
    {"runAsUser": None},
    {"windowsOptions": {"hostProcess": False}},
    {"windowsOptions": {}},
    {"procMount": "Default"},
    {"procMount": None},
    {"seccompProfile": {"type": "RuntimeDefault"}},
    {"seccompProfile": {"type": "Localhost", "localhostProfile": "own.json"}},
    {"seccompProfile": None},
    {"appArmorProfile": {"type": "RuntimeDefault"}},
    {"appArmorProfile": {"type": "Localhost", "localhostProfile": "own"}},
    {"appArmorProfile": None},
    *({"seLinuxOptions": {"type": t}} for t in ("container_t", "container_init_t", "container_kvm_t", "container_engine_t", "")),
    {"seLinuxOptions": {"user": "", "role": "", "level": "s0:c123"}},
    {"seLinuxOptions": None},
]
#: What may not: the level and control that it offends, and the field below the context.
FORBIDDEN_IN_A_CONTAINER: list[tuple[dict[str, Any], str, str, str]] = [
    ({"privileged": True}, BASELINE, PRIVILEGED, "privileged"),
    ({"windowsOptions": {"hostProcess": True}}, BASELINE, HOST_PROCESS, "windowsOptions.hostProcess"),
    *(({"capabilities": {"drop": ["ALL"], "add": [name]}}, BASELINE, CAPABILITIES, "capabilities.add") for name in NOT_ADDABLE),
    *(({"capabilities": {"drop": ["ALL"], "add": [name]}}, RESTRICTED, CAPABILITIES, "capabilities.add") for name in ADDABLE),
    ({"capabilities": {"drop": ["all"]}}, RESTRICTED, CAPABILITIES, "capabilities.drop"),
    ({"capabilities": {"drop": []}}, RESTRICTED, CAPABILITIES, "capabilities.drop"),
    ({"capabilities": {}}, RESTRICTED, CAPABILITIES, "capabilities.drop"),
    ({"capabilities": None}, RESTRICTED, CAPABILITIES, "capabilities.drop"),
    ({"capabilities": {"drop": ADDABLE}}, RESTRICTED, CAPABILITIES, "capabilities.drop"),
    ({"allowPrivilegeEscalation": True}, RESTRICTED, PRIVILEGE_ESCALATION, "allowPrivilegeEscalation"),
    ({"allowPrivilegeEscalation": None}, RESTRICTED, PRIVILEGE_ESCALATION, "allowPrivilegeEscalation"),
    ({"runAsNonRoot": False}, RESTRICTED, NON_ROOT, "runAsNonRoot"),
    ({"runAsUser": 0}, RESTRICTED, NON_ROOT_USER, "runAsUser"),
    ({"procMount": "Unmasked"}, BASELINE, PROC_MOUNT, "procMount"),
    ({"procMount": ""}, BASELINE, PROC_MOUNT, "procMount"),
    *(
        ({"seccompProfile": {"type": value}}, BASELINE, SECCOMP, "seccompProfile.type")
        for value in ("Unconfined", "runtime/default", "", None)
    ),
    ({"seccompProfile": {}}, BASELINE, SECCOMP, "seccompProfile.type"),
    *(
        ({"appArmorProfile": {"type": value}}, BASELINE, APPARMOR, "appArmorProfile.type")
        for value in ("Unconfined", "runtime/default", "", None)
    ),
    ({"appArmorProfile": {}}, BASELINE, APPARMOR, "appArmorProfile.type"),
    *(({"seLinuxOptions": {"type": value}}, BASELINE, SELINUX, "seLinuxOptions.type") for value in ("spc_t", "Container_t")),
    ({"seLinuxOptions": {"user": "system_u"}}, BASELINE, SELINUX, "seLinuxOptions.user"),
    ({"seLinuxOptions": {"role": "sysadm_r"}}, BASELINE, SELINUX, "seLinuxOptions.role"),
]
#: Of these, a pod has its own too.
IN_A_POD = {"runAsNonRoot", "runAsUser", "windowsOptions", "seccompProfile", "appArmorProfile", "seLinuxOptions"}

every_list = pytest.mark.parametrize("kind", CONTAINER_LISTS)


@every_list
@pytest.mark.parametrize("context", ALLOWED_IN_A_CONTAINER, ids=str)
def test_what_may_stand_in_a_container(context: dict[str, Any], kind: str) -> None:
    assert seen(with_context(context, kind)) == []


@every_list
@pytest.mark.parametrize(("context", "level", "control", "path"), FORBIDDEN_IN_A_CONTAINER, ids=str)
def test_what_may_not_stand_in_a_container(context: dict[str, Any], level: str, control: str, path: str, kind: str) -> None:
    found = (level, control, f"spec.{kind}[{kind[:4]}].securityContext.{path}")
    spec = with_context(context, kind)
    assert seen(spec) == [found]
    assert seen(spec, level=BASELINE) == ([found] if level == BASELINE else [])


@pytest.mark.parametrize("context", [one for one in ALLOWED_IN_A_CONTAINER if IN_A_POD.issuperset(one)], ids=str)
def test_what_may_stand_in_a_pod(context: dict[str, Any]) -> None:
    says = {"runAsNonRoot": True} if context == {"runAsNonRoot": None} else {}
    says |= {"seccompProfile": POD_STRICT["seccompProfile"]} if context == {"seccompProfile": None} else {}
    spec = with_pod_context(context)
    for kind in CONTAINER_LISTS:  # what the pod leaves open, each of its containers has to say
        spec[kind][0]["securityContext"].update(says)
    assert seen(spec) == []


@pytest.mark.parametrize(
    ("context", "level", "control", "path"),
    [row for row in FORBIDDEN_IN_A_CONTAINER if IN_A_POD.issuperset(row[0])],
    ids=str,
)
def test_what_may_not_stand_in_a_pod(context: dict[str, Any], level: str, control: str, path: str) -> None:
    found = (level, control, f"spec.securityContext.{path}")
    assert seen(with_pod_context(context)) == [found]
    assert seen(with_pod_context(context), level=BASELINE) == ([found] if level == BASELINE else [])


@pytest.mark.parametrize("key", ["hostNetwork", "hostPID", "hostIPC"])
def test_the_namespaces_of_the_host(key: str) -> None:
    assert seen(pod(**{key: True})) == [(BASELINE, HOST_NAMESPACES, f"spec.{key}")]
    assert seen(pod(**{key: False})) == seen(pod(**{key: None})) == []


SAFE_VOLUMES = "configMap csi downwardAPI emptyDir ephemeral image persistentVolumeClaim projected secret".split()
OTHER_VOLUMES = (
    "awsElasticBlockStore azureDisk azureFile cephfs cinder fc flexVolume flocker gcePersistentDisk gitRepo glusterfs iscsi nfs "
    "photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume notKnownYet".split()
)


@pytest.mark.parametrize("source", SAFE_VOLUMES)
def test_volumes_that_any_pod_may_have(source: str) -> None:
    assert seen(pod(volumes=[{"name": "data", source: {}}])) == []


@pytest.mark.parametrize("source", OTHER_VOLUMES)
def test_volumes_that_only_baseline_lets_pass(source: str) -> None:
    spec = pod(volumes=[{"name": "tmp", "emptyDir": {}}, {"name": "data", source: {}}])
    assert seen(spec) == [(RESTRICTED, VOLUME_TYPES, f"spec.volumes[data].{source}")]
    assert seen(spec, level=BASELINE) == []


def test_folders_of_the_host() -> None:
    for source in ({}, {"path": "/"}):
        spec = pod(volumes=[{"name": "data", "hostPath": source}])
        assert seen(spec) == seen(spec, level=BASELINE) == [(BASELINE, HOST_PATH, "spec.volumes[data].hostPath")]
    # Without a source it becomes an emptyDir.
    assert seen(pod(volumes=[{"name": "data", "hostPath": None}, {"name": "more"}])) == []
    # What is no field of a volume is dropped.
    assert seen(pod(volumes=[{"name": "data", "emptyDir": {}, "fsType": "ext4"}])) == []


@every_list
def test_ports_of_the_host(kind: str) -> None:
    spec = pod()
    spec[kind][0]["ports"] = [{"containerPort": 80, "hostPort": 0}, {"containerPort": 81}, {"name": "own", "hostPort": None}]
    assert seen(spec) == []
    spec[kind][0]["ports"] += [{"containerPort": 82, "hostPort": 82}, {"name": "web", "containerPort": 83, "hostPort": 83}]
    path = f"spec.{kind}[{kind[:4]}].ports"
    assert seen(spec) == [(BASELINE, HOST_PORTS, f"{path}[3].hostPort"), (BASELINE, HOST_PORTS, f"{path}[web].hostPort")]


@every_list
@pytest.mark.parametrize("request_", ["httpGet", "tcpSocket"])
@pytest.mark.parametrize(
    "handler", ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart", "lifecycle.preStop"]
)
def test_hosts_that_probes_and_hooks_ask(handler: str, request_: str, kind: str) -> None:
    for host, is_forbidden in (("127.0.0.1", True), ("::1", True), ("", False), (None, False)):
        value: dict[str, Any] = {request_: {"port": 80, "host": host}}
        for key in reversed(handler.split(".")):
            value = {key: value}
        spec = pod()
        spec[kind][0].update(value)
        found = (BASELINE, HOST_PROBES, f"spec.{kind}[{kind[:4]}].{handler}.{request_}.host")
        assert seen(spec) == ([found] if is_forbidden else [])
        assert seen(spec, minor=33) == []


SYSCTLS_SINCE = {
    0: "kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.tcp_syncookies net.ipv4.ping_group_range "
    "net.ipv4.ip_unprivileged_port_start",
    27: "net.ipv4.ip_local_reserved_ports",
    29: "net.ipv4.tcp_keepalive_time net.ipv4.tcp_fin_timeout net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes",
    32: "net.ipv4.tcp_rmem net.ipv4.tcp_wmem",
    37: "net.ipv4.tcp_slow_start_after_idle net.ipv4.tcp_notsent_lowat",
}


@pytest.mark.parametrize(("since", "name"), [(since, name) for since, names in SYSCTLS_SINCE.items() for name in names.split()])
def test_sysctls_of_the_pod_alone(since: int, name: str) -> None:
    spec = with_pod_context({"sysctls": [{"name": name, "value": "1"}]})
    found = (BASELINE, SYSCTLS, f"spec.securityContext.sysctls[{name}]")
    assert seen(spec) == seen(spec, minor=max(since, OLDEST)) == []
    if since:
        assert seen(spec, minor=since - 1) == [found]


@pytest.mark.parametrize("name", ["kernel.msgmax", "net.core.somaxconn", "net/ipv4/tcp_syncookies", "kernel.*", ""])
def test_sysctls_of_more_than_the_pod(name: str) -> None:
    found = seen(with_pod_context({"sysctls": [{"name": name, "value": "1"}]}), level=BASELINE)
    assert [(level, control) for level, control, _ in found] == [(BASELINE, SYSCTLS)]


ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"


@pytest.mark.parametrize("value", ["runtime/default", "localhost/own", "localhost/", "", None])
def test_annotations_that_name_a_profile(value: object) -> None:
    assert seen(pod(), {ANNOTATION + "web": value}) == []


@pytest.mark.parametrize("value", ["unconfined", "runtime/default2", "RuntimeDefault", "localhost", "docker-default"])
def test_annotations_that_name_none(value: str) -> None:
    # No container has to have the name, and nothing is said about others' annotations.
    annotations = {ANNOTATION + "gone": value, "prometheus.io/port": 9100, 1: 2, "apparmor": value}
    assert seen(pod(), annotations) == [(BASELINE, APPARMOR, f"metadata.annotations[{ANNOTATION}gone]")]
    # Of seccomp only the fields count, since 1.19.
    assert seen(pod(), {"seccomp.security.alpha.kubernetes.io/pod": value}) == []


# What one setting means for another


def test_the_pod_speaks_for_containers_that_say_nothing_and_for_no_others() -> None:
    spec = pod(securityContext={})
    found = [(RESTRICTED, control) for control in (NON_ROOT, SECCOMP)]
    assert [item[:2] for item in seen(spec)] == found
    says = {"runAsNonRoot": True, "seccompProfile": {"type": "Localhost"}}
    for kind in CONTAINER_LISTS:
        assert [item[:2] for item in seen(spec)] == found
        spec[kind][0]["securityContext"].update(says)
    assert seen(spec) == []
    spec = with_context({"runAsNonRoot": False, "seccompProfile": {"type": "Unconfined"}})
    assert {item[1] for item in seen(spec)} == {NON_ROOT, SECCOMP}


def test_a_user_namespace_makes_root_and_an_open_proc_harmless() -> None:
    context = {"runAsUser": 0, "runAsNonRoot": False, "procMount": "Unmasked"}
    spec = with_context(context) | {"hostUsers": False, "securityContext": POD_STRICT | {"runAsUser": 0}}
    proc = "spec.containers[cont].securityContext.procMount"
    assert seen(spec) == [(RESTRICTED, PROC_MOUNT, proc)]
    assert seen(spec, level=BASELINE) == []
    assert (BASELINE, PROC_MOUNT, proc) in seen(spec, level=BASELINE, minor=34)
    assert {item[1] for item in seen(spec, minor=34)} == {NON_ROOT, NON_ROOT_USER, PROC_MOUNT}
    for users in (True, None):
        assert {item[1] for item in seen(spec | {"hostUsers": users})} == {NON_ROOT, NON_ROOT_USER, PROC_MOUNT}
        assert seen(spec | {"hostUsers": users}, level=BASELINE) == [(BASELINE, PROC_MOUNT, proc)]


def test_windows_has_no_capabilities_seccomp_or_privilege_escalation() -> None:
    spec = {"containers": [{"name": "web"}], "securityContext": {"runAsNonRoot": True}, "os": {"name": "windows"}}
    assert seen(spec) == []
    for other in ({"os": {"name": "linux"}}, {"os": {"name": "Windows"}}, {"os": {}}, {"os": None}):
        assert {item[1] for item in seen(spec | other)} == {CAPABILITIES, SECCOMP, PRIVILEGE_ESCALATION}
    assert {item[1] for item in seen(spec, minor=24)} == {CAPABILITIES, SECCOMP, PRIVILEGE_ESCALATION}
    assert {item[1] for item in seen(spec | {"securityContext": {}})} == {NON_ROOT}


def test_older_versions_ask_for_less() -> None:
    spec = with_context({"capabilities": {"add": ["CHOWN"]}, "runAsUser": 0})
    assert [item[1] for item in seen(spec, minor=21)] == []
    assert [item[1] for item in seen(spec, minor=22)] == [CAPABILITIES, CAPABILITIES]
    assert [item[1] for item in seen(spec, minor=23)] == [NON_ROOT_USER, CAPABILITIES, CAPABILITIES]
    engine = with_context({"seLinuxOptions": {"type": "container_engine_t"}})
    assert (seen(engine, minor=31), [item[1] for item in seen(engine, minor=30)]) == ([], [SELINUX])


def test_what_is_to_be_written_suits_the_level_that_was_asked_for() -> None:
    spec = with_context({"capabilities": {"drop": ["KILL"], "add": ["SYS_ADMIN", "SYS_ADMIN", "CHOWN", "NET_RAW"]}})
    (found,) = violations(spec, None, BASELINE)
    assert found.write.startswith("take SYS_ADMIN and NET_RAW out; what may be added is AUDIT_WRITE, CHOWN, ")
    assert [found.write for found in violations(spec, None, RESTRICTED)] == [
        "take SYS_ADMIN and NET_RAW out; what may be added is NET_BIND_SERVICE",
        "add ALL to it",
        "take CHOWN out; what may be added is NET_BIND_SERVICE",
    ]
    spec = with_context({"seccompProfile": {"type": "Unconfined"}})
    assert violations(spec, None, BASELINE)[0].write == "write RuntimeDefault or Localhost, or leave the profile out"
    assert violations(spec, None, RESTRICTED)[0].write == "write RuntimeDefault or Localhost"


def test_the_level_that_is_reached() -> None:
    for spec, level in ((pod(), RESTRICTED), ({"containers": [{}]}, BASELINE), (pod(hostPID=True), "privileged")):
        assert reached(violations(spec, None, RESTRICTED)) == level


@pytest.mark.parametrize(("level", "minor"), [("privileged", NEWEST), ("", NEWEST), (BASELINE, OLDEST - 1)])
def test_levels_and_versions_that_are_not_known(level: str, minor: int) -> None:
    with pytest.raises(ValueError, match=r"no level|is older than"):
        violations(pod(), None, level, minor)


# Garbage


@pytest.mark.parametrize(
    ("spec", "path", "takes"),
    [
        (None, "spec", "a mapping"),
        ([], "spec", "a mapping"),
        ("text", "spec", "a mapping"),
        (pod(containers={"web": {}}), "spec.containers", "a list"),
        (pod(containers=[None]), "spec.containers[0]", "a mapping"),
        (pod(initContainers=["web"]), "spec.initContainers[0]", "a mapping"),
        (pod(hostNetwork="false"), "spec.hostNetwork", "true or false"),
        (pod(hostUsers=0), "spec.hostUsers", "true or false"),
        (pod(os="windows"), "spec.os", "a mapping"),
        (pod(volumes={}), "spec.volumes", "a list"),
        (pod(volumes=[{"name": "a", "hostPath": "/"}]), "spec.volumes[a].hostPath", "a mapping"),
        (pod(volumes=[{"name": "a", "emptyDir": True}]), "spec.volumes[a].emptyDir", "a mapping"),
        (with_pod_context({"sysctls": [{"name": 1}]}), "spec.securityContext.sysctls[0].name", "text"),
        (with_pod_context({"runAsNonRoot": "true"}), "spec.securityContext.runAsNonRoot", "true or false"),
        (with_context({"privileged": "false"}), "spec.containers[cont].securityContext.privileged", "true or false"),
        (with_context({"runAsUser": "1000"}), "spec.containers[cont].securityContext.runAsUser", "a whole number"),
        (with_context({"runAsUser": True}), "spec.containers[cont].securityContext.runAsUser", "a whole number"),
        (with_context({"runAsUser": 0.5}), "spec.containers[cont].securityContext.runAsUser", "a whole number"),
        (
            with_context({"capabilities": {"drop": ["ALL"], "add": "CHOWN"}}),
            "spec.containers[cont].securityContext.capabilities.add",
            "a list of text",
        ),
        (
            with_context({"capabilities": {"drop": ["ALL"], "add": [1]}}),
            "spec.containers[cont].securityContext.capabilities.add",
            "a list of text",
        ),
        (with_context({"seLinuxOptions": []}), "spec.containers[cont].securityContext.seLinuxOptions", "a mapping"),
    ],
    ids=str,
)
def test_what_the_api_server_refuses_reaches_no_level(spec: object, path: str, takes: str) -> None:
    for level in LEVELS:
        found = violations(spec, None, level)
        assert (BASELINE, UNACCEPTED, path) in [item[:3] for item in found]
        assert any(item.path == path and item.write.startswith(f"write {takes}") for item in found)
        assert reached(found) == "privileged"


def test_annotations_that_the_api_server_refuses() -> None:
    assert seen(pod(), [], BASELINE) == [(BASELINE, UNACCEPTED, "metadata.annotations")]
    path = f"metadata.annotations[{ANNOTATION}web]"
    assert seen(pod(), {ANNOTATION + "web": True}, BASELINE) == [(BASELINE, UNACCEPTED, path)]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3) | st.none() | st.integers(), inner, max_size=2)
    ),
    max_leaves=4,
)


def places(value: object, route: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The routes to all values in plain data."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [route, *(place for key, item in inner for place in places(item, (*route, key)))]


#: A pod in which everything stands that is read.
FULL = pod(
    hostNetwork=False,
    hostUsers=True,
    os={"name": "linux"},
    volumes=[{"name": "a", "emptyDir": {}}, {"name": "b", "nfs": {}}],
    securityContext=POD_STRICT
    | {"sysctls": [{"name": "kernel.msgmax"}], "windowsOptions": {"hostProcess": False}, "seLinuxOptions": {"type": "spc_t"}},
    containers=[
        {
            "name": "web",
            "ports": [{"hostPort": 80}],
            "livenessProbe": {"httpGet": {"host": "a"}},
            "lifecycle": {"preStop": {"tcpSocket": {"host": "a"}}},
            "securityContext": STRICT | {"appArmorProfile": {"type": "Unconfined"}, "procMount": "Unmasked", "runAsUser": 0},
        }
    ],
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(places(FULL)[1:]), ANYTHING, st.sampled_from(LEVELS))
def test_anything_may_stand_anywhere(route: tuple[Any, ...], value: object, level: str) -> None:
    spec = copy.deepcopy(FULL)
    inner: Any = spec
    for key in route[:-1]:
        inner = inner[key]
    inner[route[-1]] = value
    before = copy.deepcopy(spec)
    found = violations(spec, {"a": value, ANNOTATION: value}, level)
    assert repr(spec) == repr(before), "the data is only read"
    assert all(item.level in LEVELS and item.control and item.path and item.write for item in found)


@given(ANYTHING, ANYTHING)
def test_anything_may_be_a_pod(spec: object, annotations: object) -> None:
    violations(spec, annotations, RESTRICTED)


# The manifests of the admission controller

_GIVEN = os.environ.get("HARDEN_POD_SECURITY_TESTDATA", "")
#: The check that a manifest is named after: the level at which it begins, and the names of the control.
CHECKS = {
    "allowprivilegeescalation": (RESTRICTED, PRIVILEGE_ESCALATION),
    "apparmorprofile": (BASELINE, APPARMOR),
    "capabilities_baseline": (BASELINE, CAPABILITIES),
    "capabilities_restricted": (RESTRICTED, CAPABILITIES),
    "hostnamespaces": (BASELINE, HOST_NAMESPACES),
    "hostpathvolumes": (BASELINE, HOST_PATH),
    "hostports": (BASELINE, HOST_PORTS),
    "hostprobesandhostlifecycle": (BASELINE, HOST_PROBES),
    "privileged": (BASELINE, PRIVILEGED),
    "procmount": (BASELINE, PROC_MOUNT),
    "procmount_restricted": (RESTRICTED, PROC_MOUNT),
    "restrictedvolumes": (RESTRICTED, VOLUME_TYPES),
    "runasnonroot": (RESTRICTED, NON_ROOT),
    "runasuser": (RESTRICTED, NON_ROOT_USER),
    "seccompprofile_baseline": (BASELINE, SECCOMP),
    "seccompprofile_restricted": (RESTRICTED, SECCOMP),
    "selinuxoptions": (BASELINE, SELINUX),
    "sysctls": (BASELINE, SYSCTLS),
    "windowshostprocess": (BASELINE, HOST_PROCESS),
}
#: Controls that a manifest offends beside the one of its name, since that cannot be offended alone.
BESIDE = {
    "allowprivilegeescalation": {CAPABILITIES},  # one container has no security context at all
    "privileged": {PRIVILEGE_ESCALATION},
    "windowshostprocess": {HOST_NAMESPACES},  # its containers have to be in the namespace of the host's network
}


def manifests(folder: Path) -> list[Path]:
    inner = folder / "test" / "testdata"
    return sorted((inner if inner.is_dir() else folder).glob("*/v1.*/*/*.yaml"))


def disagreement(path: Path) -> str:
    """What is judged otherwise than the place and the name of a manifest say; empty where nothing is."""
    level, version, side = path.parts[-4:-1]
    data = YAML(typ="safe").load(path.read_text())
    annotations = data["metadata"].get("annotations")
    found = seen(data["spec"], annotations, level, int(version.removeprefix("v1.")))
    if side == "pass":
        return f"{path}: {found}" if found else ""
    check = re.sub(r"\d+$", "", path.stem)
    begins, control = CHECKS[check]
    # A check of `restricted` takes in what `baseline` asks for already: an unconfined profile, a folder of the host.
    levels = (BASELINE,) if begins == BASELINE else LEVELS
    named = {(level, control) for level in levels}
    if check == "restrictedvolumes":
        named.add((BASELINE, HOST_PATH))
    offended = {(found_level, found_control) for found_level, found_control, _ in found}
    others = {found_control for _, found_control in offended - named} - BESIDE.get(check, set())
    return f"{path}: {found}" if others or not named & offended else ""


@pytest.mark.skipif(
    not _GIVEN,
    reason="set HARDEN_POD_SECURITY_TESTDATA to a checkout of kubernetes/pod-security-admission to try its manifests",
)
def test_the_admission_controller_judges_its_manifests_in_the_same_way() -> None:
    known = [path for path in manifests(Path(_GIVEN)) if int(path.parts[-3].removeprefix("v1.")) >= OLDEST]
    newest = [path for path in known if path.parts[-3] == f"v1.{NEWEST}"]
    assert len(newest) >= 148, "not the folder of the manifests, or an older state of it"
    assert [said for path in known if (said := disagreement(path))] == []
    assert {re.sub(r"\d+$", "", path.stem) for path in newest if path.parts[-2] == "fail"} == set(CHECKS)
