"""What the Pod Security Standards look at in a pod, decoded as the API server decodes it. Knows no level and no control.

A pod comes as plain data, as JSON would give it: anything may stand anywhere. What stands where the API server takes
another type is refused there, so that no pod comes of it; here it is noted as `Refused`, and counts as not written.
"""

from __future__ import annotations

from typing import Any

from hardener.record import NamedTuple

#: The lists of containers in a pod's spec, in the order in which they start.
CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HOOKS = ("postStart", "preStop")
_REQUESTS = ("httpGet", "tcpSocket")

#: The kinds of volumes; a key that is none of them says nothing unless it looks like one.
_SOURCES = frozenset(
    "awsElasticBlockStore azureDisk azureFile cephfs cinder configMap csi downwardAPI emptyDir ephemeral fc flexVolume flocker "
    "gcePersistentDisk gitRepo glusterfs hostPath image iscsi nfs persistentVolumeClaim photonPersistentDisk portworxVolume "
    "projected quobyte rbd scaleIO secret storageos vsphereVolume".split()
)

_MAPPING, _LIST, _TEXT, _FLAG, _NUMBER = "a mapping", "a list", "text", "true or false", "a whole number"


class Refused(NamedTuple):
    """A field whose value has a type that the API server does not take; `takes` says in words what it takes."""

    path: str
    takes: str


class SELinux(NamedTuple):
    """`seLinuxOptions`; what is not written is empty."""

    type: str
    user: str
    role: str


class Context(NamedTuple):
    """The `securityContext` of a pod or a container; what is not written is None, and so is what only the other one has."""

    #: Where it stands, or would: `spec.containers[web].securityContext`.
    path: str
    privileged: bool | None = None
    allow_privilege_escalation: bool | None = None
    run_as_non_root: bool | None = None
    run_as_user: int | None = None
    host_process: bool | None = None
    proc_mount: str | None = None
    #: The type of the profile; empty where there is a profile without one.
    seccomp: str | None = None
    apparmor: str | None = None
    selinux: SELinux | None = None
    added: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


class Container(NamedTuple):
    """A container of any of the three lists. `label` is its name, or its index where it has none."""

    path: str
    label: str
    context: Context
    #: The path of each `hostPort`, and its number.
    host_ports: tuple[tuple[str, int], ...] = ()
    #: The path of each `host` in a probe or hook, and its text.
    hosts: tuple[tuple[str, str], ...] = ()


class Volume(NamedTuple):
    """A volume, and the keys of the sources that are written for it: one, where it is right. Newer ones count too."""

    path: str
    sources: tuple[str, ...]


class Pod(NamedTuple):
    """A pod, with all that was refused of it."""

    context: Context
    containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    sysctls: tuple[str, ...] = ()
    #: Which of `hostNetwork`, `hostPID` and `hostIPC` are true.
    host_namespaces: tuple[str, ...] = ()
    host_users: bool | None = None
    #: `os.name`; empty where it is not written.
    os: str = ""
    annotations: tuple[tuple[str, str], ...] = ()
    refused: tuple[Refused, ...] = ()


def decode(spec: object, annotations: object, prefix: str = "") -> Pod:
    """The pod with that `spec` and those `metadata.annotations`, of which only those with a key that begins so are read.

    Never raises; anything but a mapping for the spec is one more thing that is refused.
    """
    refused: list[Refused] = []
    fields = _Fields(spec, "spec", refused)
    context = fields.inside("securityContext")
    containers = tuple(_container(item) for name in CONTAINER_LISTS for item in fields.items(name))
    return Pod(
        _context(context),
        containers,
        tuple(_volume(item) for item in fields.items("volumes")),
        tuple(item.text("name") or "" for item in context.items("sysctls")),
        tuple(key for key in ("hostNetwork", "hostPID", "hostIPC") if fields.flag(key)),
        fields.flag("hostUsers"),
        fields.inside("os").text("name") or "",
        _annotations(annotations, prefix, refused),
        tuple(refused),
    )


class _Fields:
    """A mapping that is read key by key; every reader gives None, or nothing, for what is not there or has another type."""

    __slots__ = ("data", "path", "refused")

    def __init__(self, data: object, path: str, refused: list[Refused]) -> None:
        if not isinstance(data, dict):
            refused.append(Refused(path, _MAPPING))
            data = {}
        self.data: dict[Any, Any] = data
        self.path = path
        self.refused = refused

    def flag(self, key: str) -> bool | None:
        value = self.data.get(key)
        if value is None or isinstance(value, bool):
            return value
        self.refuse(key, _FLAG)
        return None

    def text(self, key: str) -> str | None:
        value = self.data.get(key)
        if value is None or isinstance(value, str):
            return value
        self.refuse(key, _TEXT)
        return None

    def number(self, key: str) -> int | None:
        value = self.data.get(key)
        if type(value) is float and value.is_integer():  # 1000.0 becomes 1000 on its way to JSON
            return int(value)
        if value is None or type(value) is int:
            return value
        self.refuse(key, _NUMBER)
        return None

    def inside(self, key: str) -> _Fields:
        """The mapping at a key; an empty one where none is written."""
        value = self.data.get(key)
        return _Fields({} if value is None else value, f"{self.path}.{key}", self.refused)

    def items(self, key: str) -> list[_Fields]:
        """The mappings in the list at a key, each with its name in its path, or its index where it has none."""
        value = self.data.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.refuse(key, _LIST)
            return []
        found = []
        for index, item in enumerate(value):
            name = item.get("name") if isinstance(item, dict) else None
            label = name if isinstance(name, str) and name else str(index)
            found.append(_Fields(item, f"{self.path}.{key}[{label}]", self.refused))
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        """The texts in the list at a key."""
        value = self.data.get(key)
        if value is None:
            return ()
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        self.refuse(key, "a list of text")
        return ()

    def refuse(self, key: str, takes: str) -> None:
        """Note that the value at a key is of a wrong type."""
        self.refused.append(Refused(f"{self.path}.{key}", takes))


def _container(fields: _Fields) -> Container:
    name = fields.text("name")
    label = name or fields.path.rpartition("[")[2].rstrip("]")
    context = fields.inside("securityContext")
    ports = tuple(
        (f"{port.path}.hostPort", number) for port in fields.items("ports") if (number := port.number("hostPort")) is not None
    )
    return Container(fields.path, label, _context(context), ports, tuple(_hosts(fields)))


def _hosts(fields: _Fields) -> list[tuple[str, str]]:
    """Where probes and hooks name a host."""
    handlers = [fields.inside(key) for key in _PROBES if key in fields.data]
    if "lifecycle" in fields.data:
        lifecycle = fields.inside("lifecycle")
        handlers += [lifecycle.inside(key) for key in _HOOKS]
    requests = [handler.inside(key) for handler in handlers for key in _REQUESTS if key in handler.data]
    return [(f"{request.path}.host", host) for request in requests if (host := request.text("host"))]


def _context(fields: _Fields) -> Context:
    if not fields.data:
        return Context(fields.path)
    capabilities = fields.inside("capabilities")
    return Context(
        fields.path,
        fields.flag("privileged"),
        fields.flag("allowPrivilegeEscalation"),
        fields.flag("runAsNonRoot"),
        fields.number("runAsUser"),
        fields.inside("windowsOptions").flag("hostProcess"),
        fields.text("procMount"),
        _profile(fields, "seccompProfile"),
        _profile(fields, "appArmorProfile"),
        _selinux(fields),
        capabilities.texts("add"),
        capabilities.texts("drop"),
    )


def _profile(fields: _Fields, key: str) -> str | None:
    return None if fields.data.get(key) is None else fields.inside(key).text("type") or ""


def _selinux(fields: _Fields) -> SELinux | None:
    if fields.data.get("seLinuxOptions") is None:
        return None
    options = fields.inside("seLinuxOptions")
    return SELinux(options.text("type") or "", options.text("user") or "", options.text("role") or "")


def _volume(fields: _Fields) -> Volume:
    fields.text("name")
    sources = []
    for key, value in fields.data.items():
        if key == "name" or value is None:
            continue
        if isinstance(value, dict):
            sources.append(str(key))
        elif key in _SOURCES:
            fields.refuse(key, _MAPPING)
    return Volume(fields.path, tuple(sources))


def _annotations(annotations: object, prefix: str, refused: list[Refused]) -> tuple[tuple[str, str], ...]:
    if annotations is None:
        return ()
    if not isinstance(annotations, dict):
        refused.append(Refused("metadata.annotations", _MAPPING))
        return ()
    found = []
    for key, value in annotations.items():
        if not isinstance(key, str) or not key.startswith(prefix) or value is None:
            continue
        if isinstance(value, str):
            found.append((key, value))
        else:
            refused.append(Refused(f"metadata.annotations[{key}]", _TEXT))
    return tuple(found)
