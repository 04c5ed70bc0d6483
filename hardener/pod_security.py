"""Which controls of the Pod Security Standards a pod does not meet. Knows the standards, no file and no way to edit one.

The controls are those of the admission controller that enforces the standards, read in kubernetes/pod-security-admission at
8f84a87c7f617f64a4ddc1aea24aeeb7a2e07cb8 (policy/check_*.go, and policy/registry.go for which replaces which), with the
names that the page of the standards gives them (kubernetes.io/docs/concepts/security/pod-security-standards). They are
judged as of version 1.37, or as of an older one from 1.19 on, when seccomp became a field.

Where a control of `restricted` takes the place of one of `baseline`, the admission controller asks only the stricter one.
Here both levels keep their own, so that each violation says at which level it begins. For pods that the API server accepts
it is the same: it refuses those of Windows that set seccomp or capabilities, and volumes of two kinds at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hardener.pod_fields import Container, Context, Pod, decode
from hardener.record import NamedTuple
from hardener.safe_sysctls import SAFE_SYSCTLS

BASELINE, RESTRICTED = "baseline", "restricted"
#: The levels that ask for something; `privileged` is the third.
LEVELS = (BASELINE, RESTRICTED)
#: The newest minor version of Kubernetes 1 that changed a control, and the oldest that is known here.
NEWEST, OLDEST = 37, 19

#: The controls by the names that their page has for them.
HOST_PROCESS = "HostProcess"
HOST_NAMESPACES = "Host Namespaces"
PRIVILEGED = "Privileged Containers"
CAPABILITIES = "Capabilities"
HOST_PATH = "HostPath Volumes"
HOST_PORTS = "Host Ports"
HOST_PROBES = "Host Probes / Lifecycle Hooks"
APPARMOR = "AppArmor"
SELINUX = "SELinux"
PROC_MOUNT = "/proc Mount Type"
SECCOMP = "Seccomp"
SYSCTLS = "Sysctls"
VOLUME_TYPES = "Volume Types"
PRIVILEGE_ESCALATION = "Privilege Escalation"
NON_ROOT = "Running as Non-root"
NON_ROOT_USER = "Running as Non-root user"
#: No control: what the API server refuses whatever the level is.
UNACCEPTED = "Not accepted"

_APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
_PROFILES = ("RuntimeDefault", "Localhost")
_WINDOWS = "windows"
_ADDABLE = (
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
)
_ADDABLE_RESTRICTED = ("NET_BIND_SERVICE",)
_VOLUMES = (
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
)
#: What may be written, and since which minor version.
_SELINUX_TYPES = {"container_t": 0, "container_init_t": 0, "container_kvm_t": 0, "container_engine_t": 31}


class Violation(NamedTuple):
    """A field that keeps a pod below a level."""

    #: The lowest level that asks for it: `BASELINE` or `RESTRICTED`.
    level: str
    #: The control, by the name that the page of the standards has for it; `UNACCEPTED` where it is none.
    control: str
    #: Where it stands, or where what is missing would: `spec.containers[web].securityContext.runAsUser`.
    path: str
    #: What would have to be written for the level that was asked for.
    write: str


def violations(spec: object, annotations: object, level: str, minor: int = NEWEST) -> tuple[Violation, ...]:
    """What keeps a pod from a level, `BASELINE` or `RESTRICTED`, as of Kubernetes 1.`minor`; nothing where it reaches it.

    `spec` is the pod's spec and `annotations` those of its metadata, as plain data: what JSON can say. Values of a wrong
    type never raise: the API server refuses them, so that the pod reaches no level. Raises `ValueError` for a level or
    version that is not known.
    """
    if level not in LEVELS:
        raise ValueError(f"no level: {level}")
    if minor < OLDEST:
        raise ValueError(f"1.{minor} is older than 1.{OLDEST}")
    pod = decode(spec, annotations, _APPARMOR_ANNOTATION)
    found = [
        Violation(BASELINE, UNACCEPTED, path, f"write {takes}: the API server refuses anything else")
        for path, takes in pod.refused
    ]
    found += _baseline(pod, level, minor)
    if level == RESTRICTED:
        found += _restricted(pod, minor)
    return tuple(found)


def reached(found: Iterable[Violation]) -> str:
    """The level of a pod with these violations of `RESTRICTED`: `privileged`, `BASELINE` or `RESTRICTED`."""
    levels = {violation.level for violation in found}
    return "privileged" if BASELINE in levels else BASELINE if levels else RESTRICTED


def _baseline(pod: Pod, level: str, minor: int) -> Iterator[Violation]:
    """What `BASELINE` asks for; `level` is the one that was asked for, since more than that may have to be written."""
    contexts = (pod.context, *(container.context for container in pod.containers))
    yield from _host_access(pod, contexts)
    addable = _ADDABLE_RESTRICTED if level == RESTRICTED else _ADDABLE
    for container in pod.containers:
        beyond = [name for name in container.context.added if name not in _ADDABLE]
        if beyond:
            yield Violation(BASELINE, CAPABILITIES, f"{container.context.path}.capabilities.add", _take_out(beyond, addable))
    kind = "a volume of another kind, such as emptyDir, configMap or persistentVolumeClaim"
    for volume in pod.volumes:
        if "hostPath" in volume.sources:
            yield Violation(BASELINE, HOST_PATH, f"{volume.path}.hostPath", f"take it out, or use {kind}")
    for container in pod.containers:
        for path, number in container.host_ports:
            if number:
                yield Violation(BASELINE, HOST_PORTS, path, "leave it out; a Service can make the port known instead")
        if minor >= 34:
            for path, _ in container.hosts:
                yield Violation(BASELINE, HOST_PROBES, path, "leave it out: the address of the pod is meant then")
    yield from _profiles(pod, contexts, level)
    yield from _selinux(contexts, minor)
    if not (pod.host_users is False and minor >= 35):
        or_users = "" if minor < 35 or level == RESTRICTED else ", or `hostUsers: false` for the pod"
        yield from _proc_mount(pod, BASELINE, or_users)
    for name in pod.sysctls:
        if SAFE_SYSCTLS.get(name, minor + 1) > minor:
            path = f"{pod.context.path}.sysctls[{name}]"
            yield Violation(BASELINE, SYSCTLS, path, "take it out: it is none of those that are safe for other pods")


def _host_access(pod: Pod, contexts: Iterable[Context]) -> Iterator[Violation]:
    """Switches that must not be on."""
    off = "leave it out, or write false"
    for context in contexts:
        if context.host_process:
            yield Violation(BASELINE, HOST_PROCESS, f"{context.path}.windowsOptions.hostProcess", off)
    for key in pod.host_namespaces:
        yield Violation(BASELINE, HOST_NAMESPACES, f"spec.{key}", off)
    for container in pod.containers:
        if container.context.privileged:
            yield Violation(BASELINE, PRIVILEGED, f"{container.context.path}.privileged", off)


def _profiles(pod: Pod, contexts: Iterable[Context], level: str) -> Iterator[Violation]:
    """Profiles of AppArmor and seccomp that are neither the runtime's nor a file of the node."""
    either = f"write {' or '.join(_PROFILES)}"
    or_out = f"{either}, or leave the profile out"
    for context in contexts:
        if context.apparmor is not None and context.apparmor not in _PROFILES:
            yield Violation(BASELINE, APPARMOR, f"{context.path}.appArmorProfile.type", or_out)
    for key, value in pod.annotations:
        if value not in ("", "runtime/default") and not value.startswith("localhost/"):
            write = "write runtime/default, or localhost/ and the name of a profile, or leave it out"
            yield Violation(BASELINE, APPARMOR, f"metadata.annotations[{key}]", write)
    for context in contexts:
        if context.seccomp is not None and context.seccomp not in _PROFILES:
            write = either if level == RESTRICTED and pod.os != _WINDOWS else or_out
            yield Violation(BASELINE, SECCOMP, f"{context.path}.seccompProfile.type", write)


def _selinux(contexts: Iterable[Context], minor: int) -> Iterator[Violation]:
    for context in contexts:
        options = context.selinux
        if options is None:
            continue
        path = f"{context.path}.seLinuxOptions"
        if options.type and _SELINUX_TYPES.get(options.type, minor + 1) > minor:
            types = [name for name, since in _SELINUX_TYPES.items() if since <= minor]
            yield Violation(BASELINE, SELINUX, f"{path}.type", f"leave it out, or write {_or(types)}")
        for key, value in (("user", options.user), ("role", options.role)):
            if value:
                yield Violation(BASELINE, SELINUX, f"{path}.{key}", "leave it out")


def _proc_mount(pod: Pod, level: str, or_else: str = "") -> Iterator[Violation]:
    for container in pod.containers:
        if container.context.proc_mount not in (None, "Default"):
            path = f"{container.context.path}.procMount"
            yield Violation(level, PROC_MOUNT, path, f"leave it out, or write Default{or_else}")


def _restricted(pod: Pod, minor: int) -> Iterator[Violation]:
    """What `RESTRICTED` asks for beyond `BASELINE`."""
    linux = pod.os != _WINDOWS or minor < 25
    own_users = pod.host_users is False and minor >= 35
    for volume in pod.volumes:
        for source in volume.sources:
            if source not in _VOLUMES and source != "hostPath":
                yield Violation(RESTRICTED, VOLUME_TYPES, f"{volume.path}.{source}", f"use {_or(_VOLUMES)} instead")
    if linux:
        for container in pod.containers:
            if container.context.allow_privilege_escalation is not False:
                path = f"{container.context.path}.allowPrivilegeEscalation"
                yield Violation(RESTRICTED, PRIVILEGE_ESCALATION, path, "write false")
    if not own_users:
        yield from _non_root(pod)
        if minor >= 23:
            for context in (pod.context, *(container.context for container in pod.containers)):
                if context.run_as_user == 0:
                    write = "write the number of another user, or leave it out where the image has one"
                    yield Violation(RESTRICTED, NON_ROOT_USER, f"{context.path}.runAsUser", write)
    if own_users:
        yield from _proc_mount(pod, RESTRICTED)
    if linux:
        yield from _no_seccomp(pod)
    if linux and minor >= 22:
        yield from _capabilities(pod)


def _non_root(pod: Pod) -> Iterator[Violation]:
    for context in (pod.context, *(container.context for container in pod.containers)):
        if context.run_as_non_root is False:
            yield Violation(RESTRICTED, NON_ROOT, f"{context.path}.runAsNonRoot", "write true")
    if pod.context.run_as_non_root is None:
        silent = [container for container in pod.containers if container.context.run_as_non_root is None]
        yield from _for_the_pod(pod, silent, NON_ROOT, "runAsNonRoot", "true")


def _no_seccomp(pod: Pod) -> Iterator[Violation]:
    if pod.context.seccomp is None:
        silent = [container for container in pod.containers if container.context.seccomp is None]
        yield from _for_the_pod(pod, silent, SECCOMP, "seccompProfile.type", " or ".join(_PROFILES))


def _for_the_pod(pod: Pod, silent: list[Container], control: str, key: str, value: str) -> Iterator[Violation]:
    """One violation for all containers that say nothing, since the pod can say it for them."""
    if silent:
        labels = _or([container.label for container in silent], "and")
        write = f"write {value} here, or in the container{'s' if len(silent) > 1 else ''} {labels}"
        yield Violation(RESTRICTED, control, f"{pod.context.path}.{key}", write)


def _capabilities(pod: Pod) -> Iterator[Violation]:
    for container in pod.containers:
        context = container.context
        if "ALL" not in context.dropped:
            write = "add ALL to it" if context.dropped else "write [ALL]"
            yield Violation(RESTRICTED, CAPABILITIES, f"{context.path}.capabilities.drop", write)
        beyond = [name for name in context.added if name in _ADDABLE and name not in _ADDABLE_RESTRICTED]
        if beyond:
            write = _take_out(beyond, _ADDABLE_RESTRICTED)
            yield Violation(RESTRICTED, CAPABILITIES, f"{context.path}.capabilities.add", write)


def _take_out(names: Iterable[str], allowed: Iterable[str]) -> str:
    names = list(dict.fromkeys(name or "the empty name" for name in names))
    return f"take {_or(names, 'and')} out; what may be added is {_or([*allowed])}"


def _or(names: Iterable[str], word: str = "or") -> str:
    *others, last = names
    return f"{', '.join(others)} {word} {last}" if others else last
