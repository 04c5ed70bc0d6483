"""What is in force for a container of a pod, from its own security context and its pod's, and where it is written.

The tables follow the documentation of Kubernetes: tasks/configure-pod-container/security-context, and the API reference of
PodSecurityContext and SecurityContext (v1.34).
"""

from __future__ import annotations

from typing import Any

import pytest
from pods import after, container, containers, group

from hardener.errors import CannotWrite
from hardener.facts.container import Amount, Item, Tmpfs, names

IMAGE = "example.com/app:1"


def pod(shared: str = "", own: str = "", more: str = "", beside: str = "") -> str:
    """A pod of one container, in flow style: its security context, its container's, more of its spec and of its container."""
    return (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: app}\nspec:\n"
        + (f"  securityContext: {shared}\n" if shared else "")
        + (f"  {more}\n" if more else "")
        + f"  containers:\n  - name: app\n    image: {IMAGE}\n"
        + (f"    securityContext: {own}\n" if own else "")
        + (f"    {beside}\n" if beside else "")
    )


@pytest.mark.parametrize(
    ("shared", "own", "user", "refuses_root"),
    [
        ("", "", "", False),
        ("{runAsUser: 1000}", "", "1000", False),
        ("{runAsUser: 1000, runAsGroup: 3000}", "", "1000:3000", False),
        ("{runAsUser: 1000, runAsGroup: 3000}", "{runAsUser: 2000}", "2000:3000", False),
        ("{runAsUser: 1000}", "{runAsUser: 2000, runAsGroup: 4000}", "2000:4000", False),
        ("{runAsUser: 1000}", "{runAsUser: 0}", "0", False),
        ("{runAsUser: 0}", "{runAsUser: 1000}", "1000", False),
        ("{runAsUser: 1000}", "{runAsUser: null}", "1000", False),
        ("{runAsGroup: 3000}", "", "", False),  # a group alone names no user
        ("{runAsNonRoot: true}", "", "", True),
        ("{runAsNonRoot: true}", "{runAsNonRoot: false}", "", False),
        ("{runAsNonRoot: false}", "{runAsNonRoot: true}", "", True),
        ("{runAsNonRoot: true}", "{}", "", True),
        ("null", "{runAsNonRoot: true, runAsUser: 5}", "5", True),
    ],
)
def test_of_users_the_containers_own_wins_key_by_key(shared: str, own: str, user: str, refuses_root: bool) -> None:
    one = container(pod(shared, own))
    assert one.user.effective == user
    assert one.refuses_root is not None
    assert one.refuses_root.effective is refuses_root


@pytest.mark.parametrize(
    ("shared", "own", "unconfined"),
    [
        ("", "", True),  # nothing is the same as Unconfined, unless the kubelet says otherwise
        ("{seccompProfile: {type: RuntimeDefault}}", "", False),
        ("{seccompProfile: {type: Unconfined}}", "", True),
        ("{seccompProfile: {type: RuntimeDefault}}", "{seccompProfile: {type: Unconfined}}", True),
        ("{seccompProfile: {type: Unconfined}}", "{seccompProfile: {type: RuntimeDefault}}", False),
        ("", "{seccompProfile: {type: Localhost, localhostProfile: a.json}}", False),
        ("{seccompProfile: {type: Localhost, localhostProfile: a.json}}", "{}", False),
        ("{seccompProfile: null}", "", True),
    ],
)
def test_seccomp(shared: str, own: str, unconfined: bool) -> None:
    assert container(pod(shared, own)).seccomp_unconfined.effective is unconfined


@pytest.mark.parametrize(
    ("shared", "own", "unconfined"),
    [
        ("", "", False),  # the runtime's own profile, where the node has AppArmor
        ("{appArmorProfile: {type: Unconfined}}", "", True),
        ("{appArmorProfile: {type: Unconfined}}", "{appArmorProfile: {type: RuntimeDefault}}", False),
        ("{appArmorProfile: {type: RuntimeDefault}}", "{appArmorProfile: {type: Unconfined}}", True),
        ("", "{appArmorProfile: {type: Localhost, localhostProfile: a}}", False),
    ],
)
def test_apparmor(shared: str, own: str, unconfined: bool) -> None:
    assert container(pod(shared, own)).apparmor_unconfined.effective is unconfined


@pytest.mark.parametrize(
    ("profile", "unconfined"), [("unconfined", True), ("runtime/default", False), ("localhost/mine", False), ("", False)]
)
def test_apparmor_by_annotation(profile: str, unconfined: bool) -> None:
    key = "container.apparmor.security.beta.kubernetes.io"
    text = pod().replace("{name: app}", f'{{name: app, annotations: {{{key}/app: "{profile}", {key}/other: unconfined}}}}')
    assert container(text).apparmor_unconfined.effective is unconfined


#: What only a container may say: the same at the pod is no field of PodSecurityContext, and counts for nothing.
ONLY_OWN: list[tuple[str, str, Any]] = [
    ("privileged", "{privileged: true}", True),
    ("read_only_root", "{readOnlyRootFilesystem: true}", True),
    ("no_new_privileges", "{allowPrivilegeEscalation: false}", True),
    ("unmasked_proc", "{procMount: Unmasked}", True),
    ("cap_drop", "{capabilities: {drop: [ALL]}}", (Item("ALL"),)),
    ("cap_add", "{capabilities: {add: [NET_ADMIN]}}", (Item("NET_ADMIN"),)),
]


@pytest.mark.parametrize(("name", "context", "value"), ONLY_OWN)
def test_what_only_a_container_may_say(name: str, context: str, value: object) -> None:
    said, unsaid = getattr(container(pod(own=context)), name), getattr(container(pod(shared=context)), name)
    assert said.effective == value
    assert said.written
    assert unsaid.effective in (False, ())
    assert not unsaid.written


@pytest.mark.parametrize(
    ("context", "forbidden"),
    [("{}", False), ("{allowPrivilegeEscalation: true}", False), ("{allowPrivilegeEscalation: null}", False)],
)
def test_privileges_may_be_gained_unless_that_is_forbidden(context: str, forbidden: bool) -> None:
    assert container(pod(own=context)).no_new_privileges.effective is forbidden


@pytest.mark.parametrize(
    ("word", "true"),
    [("true", True), ("True", True), ("yes", True), ("on", True), ("false", False), ("no", False), ("~", False)],
)
def test_booleans_are_those_of_yaml_1_1(word: str, true: bool) -> None:
    """kubectl reads manifests with sigs.k8s.io/yaml, which knows `yes` and `on`."""
    assert container(pod(own=f"{{privileged: {word}}}")).privileged.effective is true


@pytest.mark.parametrize(("key", "name"), [("hostNetwork", "host_network"), ("hostPID", "host_pid"), ("hostIPC", "host_ipc")])
def test_namespaces_of_the_host_are_the_whole_pods(key: str, name: str) -> None:
    setting = getattr(container(pod(more=f"{key}: true")), name)
    assert setting.effective
    assert setting.whose is not None
    assert setting.whose[0] == "app"
    assert not getattr(container(pod(more=f"{key}: false")), name).effective
    assert not getattr(container(pod(beside=f"{key}: true")), name).effective


def test_capabilities_are_compared_as_the_runtime_does() -> None:
    one = container(pod(own="{capabilities: {drop: [all, cap_net_raw], add: [Cap_Chown]}}"))
    assert names(one.cap_drop.effective) == {"ALL", "NET_RAW"}
    assert names(one.cap_add.effective) == {"CHOWN"}


@pytest.mark.parametrize(
    ("sysctls", "first", "unsafe"),
    [
        ("[]", 1024, ()),
        ("[{name: net.ipv4.ip_unprivileged_port_start, value: '0'}]", 0, ()),
        ("[{name: net.ipv4.ip_unprivileged_port_start, value: '80'}, {name: kernel.msgmax, value: '1'}]", 80, ("kernel.msgmax",)),
        ("[{name: net.core.somaxconn, value: '1024'}]", 1024, ("net.core.somaxconn",)),
    ],
)
def test_sysctls(sysctls: str, first: int, unsafe: tuple[str, ...]) -> None:
    """The safe ones are those of tasks/administer-cluster/sysctl-cluster."""
    one = container(pod(shared=f"{{sysctls: {sysctls}}}"))
    assert one.first_free_port.effective == first
    assert one.unsafe_sysctls.effective == unsafe


@pytest.mark.parametrize(
    ("more", "account", "mounted", "written"),
    [
        ("", "", True, False),
        ("automountServiceAccountToken: false", "", False, True),
        ("automountServiceAccountToken: true", "", True, True),
        ("serviceAccountName: mine", "", True, True),
        ("serviceAccountName: mine", "automountServiceAccountToken: false", False, True),
        ("serviceAccountName: mine\n  automountServiceAccountToken: true", "automountServiceAccountToken: false", True, True),
        ("serviceAccountName: default", "", True, False),
    ],
)
def test_the_pod_decides_about_its_token_before_its_account(more: str, account: str, mounted: bool, written: bool) -> None:
    """From tasks/configure-pod-container/configure-service-account: the pod's spec takes precedence."""
    text = pod(more=more) + f"---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: mine}}\n{account}\n"
    token = container(text).api_token
    assert (token.effective, token.written) == (mounted, written)


# Writing.


CHANGES: list[tuple[str, str, str, Any, dict[str, Any], dict[str, Any]]] = [
    # name of the setting, pod's and container's security context, new value, and both contexts after
    ("user", "", "", "7:8", {"runAsNonRoot": True, "runAsUser": 7, "runAsGroup": 8}, {}),
    ("user", "", "{runAsUser: 0}", "7", {"runAsNonRoot": True}, {"runAsUser": 7}),
    ("user", "{runAsUser: 0}", "", "7", {"runAsUser": 7, "runAsNonRoot": True}, {}),
    ("refuses_root", "", "", True, {"runAsNonRoot": True}, {}),
    ("refuses_root", "", "{runAsNonRoot: false}", True, {}, {"runAsNonRoot": True}),
    ("seccomp_unconfined", "", "", False, {"seccompProfile": {"type": "RuntimeDefault"}}, {}),
    (
        "seccomp_unconfined",
        "{seccompProfile: {type: RuntimeDefault}}",
        "{seccompProfile: {type: Unconfined}}",
        False,
        {"seccompProfile": {"type": "RuntimeDefault"}},
        {"seccompProfile": {"type": "RuntimeDefault"}},
    ),
    (
        "apparmor_unconfined",
        "{appArmorProfile: {type: Unconfined}}",
        "",
        False,
        {"appArmorProfile": {"type": "RuntimeDefault"}},
        {},
    ),
    ("no_new_privileges", "", "", True, {}, {"allowPrivilegeEscalation": False}),
    ("no_new_privileges", "", "{allowPrivilegeEscalation: true}", True, {}, {"allowPrivilegeEscalation": False}),
    ("read_only_root", "", "{readOnlyRootFilesystem: false}", True, {}, {"readOnlyRootFilesystem": True}),
    ("unmasked_proc", "", "{procMount: Unmasked, privileged: false}", False, {}, {"privileged": False}),
    ("privileged", "", "{privileged: true}", False, {}, {"privileged": False}),
    ("cap_drop", "", "", (Item("ALL"),), {}, {"capabilities": {"drop": ["ALL"]}}),
    (
        "cap_drop",
        "",
        "{capabilities: {drop: [NET_RAW], add: [CHOWN]}}",
        (Item("NET_RAW"), Item("ALL")),
        {},
        {"capabilities": {"drop": ["NET_RAW", "ALL"], "add": ["CHOWN"]}},
    ),
    (
        "cap_add",
        "",
        "{capabilities: {add: [SYS_ADMIN, CHOWN, CAP_BPF]}}",
        (Item("CHOWN"),),
        {},
        {"capabilities": {"add": ["CHOWN"]}},
    ),
    ("cap_add", "", "{capabilities: {add: [SYS_ADMIN], drop: [ALL]}}", (), {}, {"capabilities": {"drop": ["ALL"]}}),
    ("cap_add", "", "{privileged: false, capabilities: {add: [SYS_ADMIN]}}", (), {}, {"privileged": False}),
    ("cap_add", "", "{capabilities: {add: [ALL]}}", (), {}, {}),
    ("unmasked_proc", "", "{procMount: Unmasked}", False, {}, {}),
    ("volume_group", "", "", "26", {"fsGroup": 26, "fsGroupChangePolicy": "OnRootMismatch"}, {}),
    ("volume_group", "{fsGroupChangePolicy: Always}", "", "26", {"fsGroup": 26, "fsGroupChangePolicy": "Always"}, {}),
    (
        "first_free_port",
        "",
        "",
        80,
        {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]},
        {},
    ),
]


@pytest.mark.parametrize(("name", "shared", "own", "new", "pods_after", "own_after"), CHANGES)
def test_settings_are_written_where_they_belong(
    name: str, shared: str, own: str, new: object, pods_after: object, own_after: object
) -> None:
    of = group(pod(shared, own))
    (document,) = after(of, getattr(of.containers[0], name).to(new))
    assert (document["spec"].get("securityContext") or {}) == pods_after
    assert (document["spec"]["containers"][0].get("securityContext") or {}) == own_after
    (again,) = of.containers
    assert getattr(again, name).to(getattr(again, name).effective) == ()  # what is so already needs no change


@pytest.mark.parametrize(
    ("name", "shared", "own", "new", "why"),
    [
        ("user", "", "", "root", "numbers"),
        ("user", "", "", "0", "not root"),
        ("user", "", "", "app:app", "numbers"),
        ("no_new_privileges", "", "{allowPrivilegeEscalation: false}", False, "never"),
        ("no_new_privileges", "", "{privileged: true}", True, "privileged"),
        ("no_new_privileges", "", "{capabilities: {add: [CAP_SYS_ADMIN]}}", True, "SYS_ADMIN"),
        ("seccomp_unconfined", "{seccompProfile: {type: RuntimeDefault}}", "", True, "never"),
        ("volume_group", "{fsGroup: 5}", "", "6", "already"),
        ("first_free_port", "{sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: '90'}]}", "", 80, "cannot"),
    ],
)
def test_what_is_never_written(name: str, shared: str, own: str, new: object, why: str) -> None:
    """The API server refuses no escalation beside privilege (kubernetes, pkg/apis/core/validation: ValidateSecurityContext)."""
    with pytest.raises(CannotWrite, match=why):
        getattr(container(pod(shared, own)), name).to(new)


def test_what_is_said_for_the_pod_names_who_else_gets_it() -> None:
    text = pod() + f"  - {{name: own, image: {IMAGE}, securityContext: {{seccompProfile: {{type: Unconfined}}}}}}\n"
    text += f"  - {{name: other, image: {IMAGE}}}\n"
    found = containers(text)
    (change,) = found["app"].seccomp_unconfined.to(False)
    assert {reach.key for reach in change.reaches} == {found["app/other"].key}
    alone = found["app"].seccomp_unconfined.alone(False)
    assert alone is not None
    assert not any(change.reaches for change in alone)


@pytest.mark.parametrize("name", ["seccomp_unconfined", "refuses_root"])
def test_knative_has_no_security_context_of_the_pod(name: str) -> None:
    text = f"""
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {{name: app}}
spec:
  template:
    spec:
      containers:
      - image: {IMAGE}
"""
    of = group(text)
    (document,) = after(of, getattr(of.containers[0], name).to(name == "refuses_root"))
    spec = document["spec"]["template"]["spec"]
    assert "securityContext" not in spec
    assert "securityContext" in spec["containers"][0]


# Volumes.


@pytest.mark.parametrize(
    ("volumes", "mounts", "path", "name"),
    [
        ("[]", "[]", "/tmp", "tmp"),
        ("[]", "[]", "/var/cache/nginx", "var-cache-nginx"),
        ("[]", "[]", "/var/run/", "var-run"),
        ("[]", "[]", "/", "root"),
        ("[]", "[]", "/Data_Dir/x.y", "data-dir-x-y"),
        ("[{name: tmp, emptyDir: {}}]", "[]", "/tmp", "tmp-2"),
        ("[{name: tmp, emptyDir: {}}, {name: tmp-2, configMap: {name: a}}]", "[]", "/tmp", "tmp-3"),
        ("[{name: scratch, emptyDir: {}}]", "[{name: scratch, mountPath: /scratch}]", "/tmp", "tmp"),
    ],
)
def test_an_empty_dir_gets_a_name_of_its_own(volumes: str, mounts: str, path: str, name: str) -> None:
    of = group(pod(more=f"volumes: {volumes}", beside=f"volumeMounts: {mounts}"))
    (one,) = of.containers
    (document,) = after(of, one.tmpfs.to((*one.tmpfs.effective, Tmpfs(path))))
    volume, mount = document["spec"]["volumes"][-1], document["spec"]["containers"][0]["volumeMounts"][-1]
    assert volume["name"] == mount["name"] == name
    assert mount["mountPath"].rstrip("/") == path.rstrip("/")


@pytest.mark.parametrize(
    ("mounted", "wanted", "count"), [("/tmp", "/tmp", 1), ("/tmp/", "/tmp", 1), ("/tmp", "/tmp/", 1), ("/tmp", "/var/tmp", 2)]
)
def test_what_is_an_empty_dir_already_gets_no_second(mounted: str, wanted: str, count: int) -> None:
    of = group(pod(more="volumes: [{name: a, emptyDir: {}}]", beside=f"volumeMounts: [{{name: a, mountPath: {mounted}}}]"))
    (one,) = of.containers
    changes = one.tmpfs.to((*one.tmpfs.effective, Tmpfs(wanted)))
    assert len(changes) == (2 if count == 2 else 0)


def test_names_of_volumes_are_labels_of_dns_and_free_beside_claims() -> None:
    text = f"""
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: db}}
spec:
  template:
    spec:
      containers:
      - {{name: one, image: {IMAGE}}}
      - {{name: The_Other, image: {IMAGE}}}
  volumeClaimTemplates:
  - metadata: {{name: one-tmp}}
"""
    of = group(text)
    first, other = of.containers
    long = "/" + "a-very-long-path/" * 8
    changes = (*first.tmpfs.to((Tmpfs("/tmp"),)), *other.tmpfs.to((Tmpfs(long),)))
    for change in changes:
        (document,) = after(of, [change])
        spec = document["spec"]["template"]["spec"]
        names = [item["name"] for item in (*spec.get("volumes", ()), *spec["containers"][0].get("volumeMounts", ()))]
        names += [item["name"] for item in spec["containers"][1].get("volumeMounts", ())]
        assert names
        for name in names:
            assert len(name) <= 63
            assert name.strip("-") == name
            assert name == name.lower()
            assert "_" not in name
            assert name != "one-tmp"


@pytest.mark.parametrize(
    ("volume", "kind", "read_only"),
    [
        ("emptyDir: {}", "tmpfs", None),
        ("emptyDir: {medium: Memory}", "tmpfs", None),
        ("emptyDir:", "tmpfs", None),
        ("hostPath: {path: /srv}", "bind", False),
        ("persistentVolumeClaim: {claimName: data}", "external", False),
        ("ephemeral: {volumeClaimTemplate: {}}", "external", False),
        ("configMap: {name: a}", "config", True),
        ("secret: {secretName: a}", "secret", True),
        ("projected: {sources: []}", "config", True),
        ("downwardAPI: {items: []}", "config", True),
        ("nfs: {server: a, path: /}", "external", False),
    ],
)
def test_volumes_are_mounts_of_these_kinds(volume: str, kind: str, read_only: bool | None) -> None:
    text = pod(more=f"volumes:\n  - name: it\n    {volume}", beside="volumeMounts: [{name: it, mountPath: /it}]")
    one = container(text)
    if kind == "tmpfs":
        assert ([mount.path for mount in one.tmpfs.effective], one.mounts) == (["/it"], ())
    else:
        assert one.tmpfs.effective == ()
        assert [(mount.kind, mount.target, mount.read_only) for mount in one.mounts] == [(kind, "/it", read_only)]


def test_a_claim_of_a_stateful_set_is_a_volume_of_its_pods() -> None:
    text = f"""
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: db}}
spec:
  volumeClaimTemplates: [{{metadata: {{name: data}}}}]
  template:
    spec:
      containers: [{{name: db, image: {IMAGE}, volumeMounts: [{{name: data, mountPath: /data, readOnly: true}}]}}]
"""
    assert [(m.kind, m.source, m.target, m.read_only) for m in container(text).mounts] == [("external", "data", "/data", True)]


def test_limits_are_written_with_a_request_below_them() -> None:
    mebibyte = 1024 * 1024
    of = group(pod())
    (one,) = of.containers
    changes = (*one.memory.to(Amount(512 * mebibyte, "512M")), *one.cpus.to(Amount(0.05, "0.05")))
    (document,) = after(of, changes)
    assert document["spec"]["containers"][0]["resources"] == {
        "requests": {"memory": "128Mi", "cpu": "50m"},
        "limits": {"memory": "512Mi", "cpu": "50m"},
    }


QUEUED = "metadata: {labels: {kueue.x-k8s.io/queue-name: user-queue}}"
ASKING = f"containers: [{{name: app, image: {IMAGE}, resources: {{requests: {{cpu: 3}}}}}}]"


@pytest.mark.parametrize(
    "text",
    [
        f"apiVersion: v1\nkind: Pod\n{QUEUED}\nspec: {{{ASKING}}}\n",
        f"apiVersion: batch/v1\nkind: Job\n{QUEUED}\nspec: {{template: {{spec: {{{ASKING}}}}}}}\n",
        f"apiVersion: apps/v1\nkind: Deployment\nspec: {{template: {{{QUEUED}, spec: {{{ASKING}}}}}}}\n",
        f"apiVersion: batch/v1\nkind: CronJob\nspec: {{jobTemplate: {{{QUEUED}, spec: {{template: {{spec: {{{ASKING}}}}}}}}}}}\n",
    ],
)
def test_what_a_queue_admits_asks_for_nothing_that_it_did_not(text: str) -> None:
    """Kueue: "By default, administrators must specify all resources required by Pods in the ClusterQueues"."""
    app = container(text)
    with pytest.raises(CannotWrite, match="quota"):
        app.memory.to(Amount(1 << 30, "1G"))
    assert app.cpus.to(Amount(4.0, "4")), "what it asks for already may be limited"


@pytest.mark.parametrize(
    ("version", "kind", "chooses"),
    [
        ("route.openshift.io/v1", "Route", True),
        ("v1", "Route", True),
        ("security.openshift.io/v1", "SecurityContextConstraints", True),
        ("serving.knative.dev/v1", "Route", False),
        ("networking.k8s.io/v1", "Ingress", False),
    ],
)
def test_openshift_chooses_users_wherever_the_file_is_for_it(version: str, kind: str, chooses: bool) -> None:
    """OpenShift documentation, managing security context constraints: `restricted-v2` takes users of the namespace's range."""
    (app,) = group(pod() + f"---\napiVersion: {version}\nkind: {kind}\nmetadata: {{name: app}}\n").containers
    if chooses:
        with pytest.raises(CannotWrite, match="OpenShift"):
            app.user.to("1000:1000")
    else:
        assert app.user.to("1000:1000")


def limit_range(limits: str, namespace: str = "") -> str:
    return (
        f"apiVersion: v1\nkind: LimitRange\nmetadata: {{name: x, namespace: '{namespace}'}}\nspec: {{limits: [{{{limits}}}]}}\n"
    )


@pytest.mark.parametrize(
    ("name", "text", "bounded"),
    [
        ("shop/range.yaml", limit_range("type: Container, min: {memory: 99Mi}"), True),
        ("shop/range.yaml", limit_range("type: Pod, max: {memory: 1Gi}", "shop"), True),
        ("other/range.yaml", limit_range("type: Container, default: {memory: 1Gi}", "shop"), True),
        ("other/range.yaml", limit_range("type: Container, default: {memory: 1Gi}"), False),
        ("shop/range.yaml", limit_range("type: Container, default: {memory: 1Gi}", "other"), False),
        ("shop/range.yaml", limit_range("type: Container, max: {cpu: 1}"), False),
        ("shop/range.yaml", limit_range("type: PersistentVolumeClaim, max: {memory: 1Gi}"), False),
    ],
)
def test_a_limit_range_bounds_what_may_be_asked_for(name: str, text: str, bounded: bool) -> None:
    """Kubernetes documentation, policy/limit-range: a pod that is outside of the bounds is refused."""
    spec = f"{{containers: [{{name: app, image: {IMAGE}}}]}}"
    shop = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: app, namespace: shop}}\nspec: {spec}\n"
    (app,) = group(shop, "shop/pod.yaml", **{name: text}).containers
    if bounded:
        with pytest.raises(CannotWrite, match=name):
            app.memory.to(Amount(512.0, "512"))
    else:
        assert app.memory.to(Amount(512.0, "512"))


def test_ephemeral_containers_get_neither_amounts_nor_volumes() -> None:
    """The API server refuses `resources` there (kubernetes docs: concepts/workloads/pods/ephemeral-containers)."""
    text = pod() + f"  ephemeralContainers: [{{name: debug, image: {IMAGE}}}]\n"
    debug = containers(text)["app/debug"]
    with pytest.raises(CannotWrite):
        debug.memory.to(Amount(1 << 30, "1G"))
    with pytest.raises(CannotWrite):
        debug.cpus.to(Amount(1.0, "1"))
    with pytest.raises(CannotWrite):
        debug.tmpfs.to((Tmpfs("/tmp"),))
