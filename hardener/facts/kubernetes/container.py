"""A container of a pod in the vocabulary of containers. Knows no rule."""

from __future__ import annotations

from hardener.facts.container import Amount, Container, PublishedPort, Restart, Setting, Variable
from hardener.facts.image import parse_image
from hardener.facts.kubernetes.cluster import Cluster
from hardener.facts.kubernetes.environment import EnvironmentVariable, expand, read_environment, written_variables
from hardener.facts.kubernetes.manifest import Scope
from hardener.facts.kubernetes.openshift import image_stream
from hardener.facts.kubernetes.pod import Member
from hardener.facts.kubernetes.podwide import ApiToken, FirstFreePort, VolumeGroup, read_unsafe_sysctls, shares_host
from hardener.facts.kubernetes.quantities import Limit, requested
from hardener.facts.kubernetes.settings import (
    AppArmorUnconfined,
    Capabilities,
    EscalationForbidden,
    RefusesRoot,
    SeccompUnconfined,
    SecurityFlag,
    UnmaskedProc,
    User,
)
from hardener.facts.kubernetes.volumes import EmptyDirs, read_mounts
from hardener.facts.platform import KUBERNETES
from hardener.finding import Place
from hardener.syntax.yaml import Mapping

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HOOKS = ("postStart", "preStop")
#: A hook that only waits needs nothing, and nginx asks its own master to end (ingress-nginx, cmd/waitshutdown/main.go).
_WAITS = frozenset(
    "sleep /bin/sleep sh /bin/sh bash /bin/bash -c true exit echo && ; nginx /usr/sbin/nginx -s quit stop /wait-shutdown".split()
)


def read_container(member: Member, folder: str, cluster: Cluster) -> Container:
    """The container that a member of a pod asks for."""
    home = member.place
    container = Container()
    container.key = member.key
    container.subject = member.subject
    container.place = home
    container.homes = (home,)
    container.platform = KUBERNETES
    container.folder = folder
    container.image_text = image_stream(member) or member.text("image") or ""
    container.image = parse_image(container.image_text) if container.image_text else None
    container.image_variables, container.image_given = (), lambda name, value: None
    container.build = None
    container.init = Setting(False, written=False, place=home)
    container.user = User(member)
    container.refuses_root = RefusesRoot(member)
    container.volume_group = VolumeGroup(member)
    container.environment, container.missing_env_files = read_environment(member, cluster)
    container.offered_variables = frozenset()
    container.entrypoint = _words(member, "command", container.environment)
    container.command = _words(member, "args", container.environment)
    if container.entrypoint is not None and container.command is None:
        container.command = ()  # the image's own arguments go with its own command
    container.workdir = member.text("workingDir") or ""
    container.hooks = tuple(_hooks(member))
    container.variables = written_variables(member)
    container.variable = lambda name: _variable(member, container, name)
    container.mounts = read_mounts(member, cluster)
    container.said_elsewhere = cluster.said_elsewhere(member.pod)
    container.volumes_from = False
    container.watched = False
    container.served_ports, container.published_ports = _ports(member)
    container.reserved_memory = requested(member, "memory")
    container.reserved_cpus = requested(member, "cpu")
    container.restart = Setting(Restart("no"), written=False, place=home)
    container.healthcheck = _healthcheck(member)
    container.host_network = shares_host(member, "hostNetwork")
    container.host_pid = shares_host(member, "hostPID")
    container.host_ipc = shares_host(member, "hostIPC")
    container.host_uts = Setting(False, written=False, place=home)
    container.host_user_namespace = Setting(False, written=False, place=home)
    container.first_free_port = FirstFreePort(member)
    container.privileged = SecurityFlag(member, "privileged")
    container.devices = Setting((), written=False, place=home)
    container.cap_drop = Capabilities(member, "drop")
    container.cap_add = Capabilities(member, "add")
    container.no_new_privileges = EscalationForbidden(member)
    container.seccomp_unconfined = SeccompUnconfined(member)
    container.apparmor_unconfined = AppArmorUnconfined(member)
    container.unmasked_proc = UnmaskedProc(member)
    container.unsafe_sysctls = read_unsafe_sysctls(member)
    account = member.pod.text("serviceAccountName") or member.pod.text("serviceAccount") or "default"
    container.api_token = ApiToken(member, account_has_none=cluster.account_has_no_token(account, member.pod))
    container.read_only_root = SecurityFlag(member, "readOnlyRootFilesystem")
    container.tmpfs = EmptyDirs(member)
    autoscaler = cluster.autoscaler(member.pod)
    container.memory = Limit(member, "memory", autoscaler, cluster.limit_range(member.pod, "memory"))
    container.cpus = Limit(member, "cpu", autoscaler, cluster.limit_range(member.pod, "cpu"))
    # How many processes a pod may have is for the node to say (kubelet, `podPidsLimit`).
    container.pids = Setting(Amount(-1.0, "the node's"), written=False, place=home)
    return container


def _words(member: Member, key: str, variables: dict[str, str | None]) -> tuple[str, ...] | None:
    words = member.words(key)
    if not words:  # the runtime takes an empty list for none
        return None
    return tuple(word if (known := expand(word, variables)) is None else known for word in words)


def _variable(member: Member, container: Container, name: str) -> EnvironmentVariable:
    written: Variable | None = next((variable for variable in container.variables if variable.name == name), None)
    place: Place = written.place if written else member.place
    known = name in container.environment
    return EnvironmentVariable(member, name, container.environment.get(name), place, written=known)


def _hooks(member: Member) -> list[str]:
    """What is run in the container beside its program, but for what only waits."""
    found = []
    for hook in _HOOKS:
        words = member.words("lifecycle", hook, "exec", "command")
        said = [word for text in words or () for word in text.replace(";", " ; ").split()]
        if not all(word in _WAITS or word.isdecimal() for word in said):
            found.append(hook)
    return found


def _ports(member: Member) -> tuple[tuple[int, ...], tuple[PublishedPort, ...]]:
    served: list[int] = []
    published: list[PublishedPort] = []
    for node, _ in member.items("ports"):
        if not isinstance(node, Mapping):
            continue
        scope = Scope(member.file, node, None)
        port, host = scope.text("containerPort") or "", scope.text("hostPort") or ""
        if port.isdecimal() and len(port) < 6:
            served.append(int(port))
        if host and host != "0":
            protocol = (scope.text("protocol") or "TCP").lower()
            published.append(PublishedPort(scope.text("hostIP") or "", host, port, protocol, member.file.place(node)))
    return tuple(dict.fromkeys(served)), tuple(published)


def _healthcheck(member: Member) -> Setting[tuple[str, ...]]:
    """The probes; those that run something in the container with what they run. What is there to end needs none."""
    there = [found for probe in _PROBES if (found := member.find(probe)) is not None]
    words = tuple(word for probe in _PROBES for word in member.words(probe, "exec", "command") or ())
    place = member.file.place(there[0].node) if there else member.place
    return Setting(("CMD", *words) if words else (), written=bool(there) or member.ends, place=place, wording="livenessProbe:")
