"""A pod as it is written: its spec, its containers, and who would inherit what is said for all. Knows no setting."""

from __future__ import annotations

from collections.abc import Iterator

from hardener.errors import CannotWrite
from hardener.facts.kubernetes.manifest import ManifestFile, Scope
from hardener.facts.kubernetes.workloads import Object, PodNode, objects
from hardener.facts.merged import Found, text_of
from hardener.finding import Place, Reach
from hardener.syntax.yaml import Mapping, Node

#: The lists of a pod's spec that hold containers. Init containers run one by one, before the others.
LISTS = ("initContainers", "containers", "ephemeralContainers")
#: A pod with more containers than this is not judged: no node starts one, and each of them inherits from each other's fixes.
MOST_CONTAINERS = 64
SECURITY = "securityContext"
#: Knative refuses a `securityContext` of the pod and most else that is not a container's (knative.dev/serving, fieldmask.go).
_CONTAINERS_ONLY = frozenset(("serving.knative.dev",))
#: OpenShift gives each namespace numbers of its own, and its default rules refuse others (restricted-v2).
_OWN_NUMBERS = frozenset(("DeploymentConfig",))
#: Kueue takes the label from the pod or from what asks for it (kueue, pkg/controller/constants/constants.go@ff69552).
_QUEUE = ("metadata", "labels", "kueue.x-k8s.io/queue-name")
_LABELLED = ((), ("spec", "template"), ("spec", "jobTemplate"), ("spec", "jobTemplate", "spec", "template"))


class Member(Scope):
    """One container of a pod."""

    __slots__ = ("key", "list", "name", "place", "pod")

    def __init__(self, pod: Pod, which: str, at: int, mapping: Mapping, scope: Scope) -> None:
        super().__init__(scope.file, mapping, scope.route, scope.via)
        self.pod = pod
        self.list = which
        # Knative's only container needs no name.
        self.name = text_of(mapping.get("name")) or (pod.name if which == "containers" and not at else f"{which}[{at}]")
        #: Unique in a run.
        self.key = f"{pod.key}/{which}/{at}#{self.subject}"
        named = next((pair.key for pair in mapping.pairs if text_of(pair.key) == "name"), mapping)
        self.place: Place = self.file.place(named)

    @property
    def subject(self) -> str:
        """What people call it: the workload's name, and its own where that is another."""
        return self.name if self.name == self.pod.name else f"{self.pod.name}/{self.name}"

    @property
    def ends(self) -> bool:
        """Whether it is there to end: it, or its whole pod, does a job."""
        return self.list != "containers" or self.pod.node.owner.kind in ("Job", "CronJob")

    def place_of(self, found: Found | None) -> Place:
        """Where a value stands, or else the container."""
        return self.file.place(found.node) if found is not None else self.place

    def security(self, *keys: str) -> str | None:
        """What its own security context says, or else its pod's."""
        own = self.text(SECURITY, *keys)
        return own if own is not None else self.pod.text(SECURITY, *keys)


class Pod(Scope):
    """The spec of a pod with its containers."""

    __slots__ = ("key", "members", "name", "node", "place", "volumes")

    def __init__(self, file: ManifestFile, node: PodNode, number: int) -> None:
        super().__init__(file, node.spec, node.route, node.via)
        self.node = node
        self.name = node.owner.name or node.owner.kind.lower()
        self.key = f"{file.source.path}:{number}"
        self.place = file.place(node.owner.key)
        self.members = tuple(self._members())
        #: Its volumes by name, once `hardener.facts.kubernetes.volumes` has read them.
        self.volumes: dict[str, tuple[str, str, Node | None]] | None = None

    def _members(self) -> Iterator[Member]:
        for which in LISTS:
            for at, (item, route) in enumerate(self.items(which)):
                if isinstance(item, Mapping):
                    yield Member(self, which, at, item, Scope(self.file, item, route, self.via or item.anchor or ""))

    @property
    def is_patch(self) -> bool:
        """Whether it only changes a pod that is written elsewhere: there is a container without an image, or none at all."""
        return not self.members or any(member.find("image") is None for member in self.members)

    @property
    def is_windows(self) -> bool:
        """Whether it runs on Windows, which has other settings."""
        return self.text("os", "name") == "windows" or self.text("nodeSelector", "kubernetes.io/os") == "windows"

    @property
    def takes_settings(self) -> bool:
        """Whether anything may be said for all containers at once."""
        return self.node.owner.group not in _CONTAINERS_ONLY

    @property
    def has_own_numbers(self) -> bool:
        """Whether what runs it chooses users itself, and refuses others: so does OpenShift, which its file is written for."""
        owner = self.node.owner
        return owner.of_template or owner.kind in _OWN_NUMBERS or _is_for_openshift(self.file)

    @property
    def is_queued(self) -> bool:
        """Whether Kueue lets it start only where its queue has room for all that it requests."""
        owner = Scope(self.file, self.node.owner.mapping, None)
        return any(owner.text(*above, *_QUEUE) for above in _LABELLED)

    def place_of(self, found: Found | None) -> Place:
        """Where a value stands, or else the object that asks for the pod."""
        return self.file.place(found.node) if found is not None else self.place

    @property
    def metadata_scope(self) -> Scope:
        """The metadata of the pod itself."""
        metadata, route = self.node.metadata, self.node.metadata_route
        if metadata is None:
            raise CannotWrite("the pod has no metadata of its own")
        return Scope(self.file, metadata, route, self.via)

    def others(self, member: Member) -> Iterator[Member]:
        """The other containers of the pod."""
        return (other for other in self.members if other is not member)

    def heirs(self, member: Member, *keys: str) -> frozenset[Reach]:
        """Who else would get what the pod's security context says at a path, because they say nothing themselves."""
        return frozenset(Reach(o.key, joins=False) for o in self.others(member) if o.find(SECURITY, *keys) is None)

    def annotation(self, name: str) -> str | None:
        """An annotation of the pod."""
        metadata = self.node.metadata
        return Scope(self.file, metadata, None).text("annotations", name) if metadata is not None else None

    def is_annotated(self, beginnings: tuple[str, ...]) -> bool:
        """Whether any annotation of the pod begins so."""
        metadata = self.node.metadata
        found = Scope(self.file, metadata, None).find("annotations") if metadata is not None else None
        if found is None or not isinstance(found.node, Mapping):
            return False
        return any((text_of(pair.key) or "").startswith(beginnings) for pair in found.node.pairs)


def _is_for_openshift(file: ManifestFile) -> bool:
    if _is_for_openshift not in file.concluded:
        file.concluded[_is_for_openshift] = any(map(_is_openshifts, objects(file.tree)))
    return file.concluded[_is_for_openshift]


def _is_openshifts(one: Object) -> bool:
    """Whether only OpenShift has such an object; before its groups had names, a Route was in the core's."""
    return one.group.endswith(".openshift.io") or (one.group, one.kind) == ("", "Route")
