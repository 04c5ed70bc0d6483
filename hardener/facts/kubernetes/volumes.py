"""What is mounted into a container of a pod, and how an emptyDir is added. Knows no rule."""

from __future__ import annotations

import re

from hardener.errors import CannotWrite
from hardener.facts.container import Mount, Setting, Tmpfs
from hardener.facts.kubernetes.cluster import Cluster
from hardener.facts.kubernetes.manifest import Scope
from hardener.facts.kubernetes.pod import Member, Pod
from hardener.facts.merged import text_of, truth
from hardener.finding import Change
from hardener.syntax.yaml import Mapping, Node, Value, children, commented

#: The types of volumes that only hold what the API server knows, and are read-only.
_CONFIGURATION = {"configMap": "config", "downwardAPI": "config", "projected": "config", "secret": "secret", "image": "image"}
_CLAIMS = ("persistentVolumeClaim", "ephemeral")
_PROPAGATIONS = {"Bidirectional": "rshared", "HostToContainer": "rslave"}
#: What a folder for sockets and process ids takes at most; it is kept in memory, as it is by other engines.
_RUN = {"medium": "Memory", "sizeLimit": "64Mi"}
_LONGEST_NAME = 63  # a DNS label


def read_mounts(member: Member, cluster: Cluster) -> tuple[Mount, ...]:
    """Everything that is mounted into the container, but emptyDirs."""
    found: list[Mount] = []
    volumes = _volumes(member.pod)
    for node, _ in member.items("volumeMounts"):
        if not isinstance(node, Mapping):
            continue
        name, path = text_of(node.get("name")) or "", text_of(node.get("mountPath")) or ""
        kind, source, about = volumes.get(name, ("external", name, None))
        if kind == "tmpfs":
            continue
        inside = text_of(node.get("subPath")) or ""
        read_only = truth(text_of(node.get("readOnly"))) is True or kind in _CONFIGURATION.values()
        propagation = _PROPAGATIONS.get(text_of(node.get("mountPropagation")) or "", "")
        files = cluster.files(about, member.pod, inside) if about is not None else None
        place, open_to_all = member.file.place(node), about is not None and _is_open(about)
        found.append(Mount(kind, source, path, read_only, place, "", propagation, files, open_to_all))
    return tuple(found)


def _volumes(pod: Pod) -> dict[str, tuple[str, str, Node | None]]:
    """The volumes of a pod by name: the kind of mount, its source, and the part that says what it holds."""
    if pod.volumes is None:  # each of its containers asks
        pod.volumes = _read_volumes(pod)
    return pod.volumes


def _read_volumes(pod: Pod) -> dict[str, tuple[str, str, Node | None]]:
    found: dict[str, tuple[str, str, Node | None]] = {}
    for name in _claim_templates(pod):
        found[name] = ("external", name, None)
    for node, _ in pod.items("volumes"):
        if not isinstance(node, Mapping):
            continue
        name = text_of(node.get("name")) or ""
        scope = Scope(pod.file, node, None)
        kind, source, about = "external", name, None
        if scope.mapping.get("emptyDir") is not None:
            kind = "tmpfs"
        elif scope.find("hostPath") is not None:
            kind, source = "bind", scope.text("hostPath", "path") or ""
        elif any(scope.find(key) is not None for key in _CLAIMS):
            source = scope.text("persistentVolumeClaim", "claimName") or name
        else:
            for key, configuration in _CONFIGURATION.items():
                if scope.find(key) is not None:
                    kind, about = configuration, node
        found[name] = (kind, source, about)
    return found


def _is_open(volume: Node) -> bool:
    """Whether everybody may read what a volume of configuration holds: so it is, unless a mode is written (0644)."""
    waiting = [volume]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping):
            for pair in node.pairs:
                mode = text_of(pair.value) if text_of(pair.key) in ("defaultMode", "mode") else None
                if mode is not None and not _others_may_read(mode):
                    return False
        waiting += children(node)
    return True


def _others_may_read(mode: str) -> bool:
    """Whether a mode gives that to others: octal as YAML 1.1 and 1.2 write it, or decimal as in JSON."""
    octal = mode.startswith("0")
    digits = mode.removeprefix("0o") if octal else mode
    if not digits.isdecimal() or len(digits) > 5 or (octal and not set(digits) <= set("01234567")):
        return False
    return bool(int(digits, 8 if octal else 10) & 0o4)


def _claim_templates(pod: Pod) -> list[str]:
    """The volumes that a StatefulSet makes for each of its pods."""
    if pod.node.owner.kind != "StatefulSet":
        return []
    owner = Scope(pod.file, pod.node.owner.mapping, None)
    items = (node for node, _ in owner.items("spec", "volumeClaimTemplates") if isinstance(node, Mapping))
    return [Scope(pod.file, node, None).text("metadata", "name") or "" for node in items]


class EmptyDirs(Setting[tuple[Tmpfs, ...]]):
    """The mounts of `emptyDir` volumes: room that lives as long as the pod."""

    __slots__ = ("_member",)

    def __init__(self, member: Member) -> None:
        empty = {name for name, (kind, _, _) in _volumes(member.pod).items() if kind == "tmpfs"}
        mounts: list[Tmpfs] = []
        first: Node | None = None
        for node, _ in member.items("volumeMounts"):
            if isinstance(node, Mapping) and text_of(node.get("name")) in empty:
                mounts.append(Tmpfs((text_of(node.get("mountPath")) or "").rstrip("/")))
                first = first or node
        place = member.file.place(first) if first is not None else member.place
        super().__init__(tuple(mounts), written=bool(mounts), place=place, wording="emptyDir")
        self._member = member

    def to(self, new: tuple[Tmpfs, ...]) -> tuple[Change, ...]:
        """Add a volume and its mount for each path that has none yet; written ones stay as they are."""
        member, pod = self._member, self._member.pod
        present = {mount.path for mount in self.effective}
        missing = [mount for mount in new if mount.path.rstrip("/") not in present]
        if not missing:
            return ()
        if member.list == "ephemeralContainers":
            raise CannotWrite("an ephemeral container gets no volumes of its own")
        taken = {text_of(node.get("name")) or "" for node, _ in pod.items("volumes") if isinstance(node, Mapping)}
        taken |= set(_claim_templates(pod))
        volumes: list[Value] = []
        mounts: list[Value] = []
        for mount in missing:
            name = self._name(mount.path, taken)
            taken.add(name)
            volumes.append({"name": name, "emptyDir": dict(_RUN) if _is_for_sockets(mount.path) else {}})
            mounts.append({"name": name, "mountPath": commented(mount.path, mount.why)})
        return pod.add(("volumes",), volumes) + member.add(("volumeMounts",), mounts)

    def _name(self, path: str, taken: set[str]) -> str:
        """A name for the volume at a path, after the path, and after the container too where there are several."""
        name = re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-") or "root"
        if len(self._member.pod.members) > 1:
            name = f"{re.sub(r'[^a-z0-9]+', '-', self._member.name.lower()).strip('-')}-{name}"
        name = name[-_LONGEST_NAME + 4 :].strip("-")
        if name not in taken:
            return name
        return next(other for number in range(2, 999) if (other := f"{name}-{number}") not in taken)


def _is_for_sockets(path: str) -> bool:
    return path.startswith(("/run", "/var/run"))
