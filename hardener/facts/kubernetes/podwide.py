"""What all containers of a pod have in common: namespaces of the host, sysctls, credentials, a group. Knows no rule."""

from __future__ import annotations

from hardener.errors import CannotWrite
from hardener.facts.container import Setting
from hardener.facts.kubernetes.pod import SECURITY, Member, Pod
from hardener.facts.merged import text_of, truth
from hardener.finding import Change, Reach
from hardener.safe_sysctls import SAFE_SYSCTLS
from hardener.syntax.yaml import Mapping

_FREE_PORTS = "net.ipv4.ip_unprivileged_port_start"
_PRIVILEGED_PORTS = 1024
#: What puts containers into pods that ask for secrets with the pod's token (hashicorp/vault-k8s, bank-vaults).
_TOKEN_READERS = ("vault.hashicorp.com/", "vault.security.banzaicloud.io/")


def shares_host(member: Member, key: str) -> Setting[bool]:
    """Whether one of the host's namespaces is used: `hostNetwork`, `hostPID` or `hostIPC`."""
    found = member.pod.find(key)
    true = found is not None and truth(text_of(found.node)) is True
    place = member.pod.place_of(found)
    return Setting(true, written=found is not None, place=place, wording=f"{key}: true", whose=_whole(member.pod))


def _whole(pod: Pod) -> tuple[str, str]:
    return pod.name, pod.key


def read_unsafe_sysctls(member: Member) -> Setting[tuple[str, ...]]:
    """The kernel parameters that are not safe."""
    found = member.pod.find(SECURITY, "sysctls")
    unsafe = tuple(name for name in _sysctls(member.pod) if name not in SAFE_SYSCTLS)
    place = member.pod.place_of(found)
    return Setting(unsafe, written=found is not None, place=place, wording="sysctls", whose=_whole(member.pod))


def _sysctls(pod: Pod) -> dict[str, str]:
    items = (node for node, _ in pod.items(SECURITY, "sysctls") if isinstance(node, Mapping))
    return {text_of(node.get("name")) or "": text_of(node.get("value")) or "" for node in items}


class FirstFreePort(Setting[int]):
    """The first port that is no privilege: 1024, unless a sysctl of the pod says otherwise."""

    __slots__ = ("_pod",)

    def __init__(self, member: Member) -> None:
        pod = member.pod
        self._pod = pod
        said = _sysctls(pod).get(_FREE_PORTS, "")
        first = int(said) if said.isdecimal() and len(said) < 6 else _PRIVILEGED_PORTS
        super().__init__(first, written=bool(said), place=pod.place, wording=f"sysctls: {_FREE_PORTS}")

    def to(self, new: int) -> tuple[Change, ...]:
        """Set the sysctl, which is safe since 1.22 and allowed at every level of the Pod Security Standards."""
        if new == self.effective:
            return ()
        if self._pod.flag("hostNetwork"):
            raise CannotWrite("on the host's network the host says which ports are a privilege")
        if self.written or not self._pod.takes_settings:
            raise CannotWrite(f"`{_FREE_PORTS}` cannot be set here")
        return self._pod.add((SECURITY, "sysctls"), [{"name": _FREE_PORTS, "value": str(new)}])


class ApiToken(Setting[bool]):
    """Whether a token for the API server is mounted: by default it is.

    A service account that somebody named counts as written: it may have been given rights. So does what reads the token for
    the pod.
    """

    __slots__ = ("_member",)

    def __init__(self, member: Member, *, account_has_none: bool) -> None:
        pod = member.pod
        found = pod.find("automountServiceAccountToken")
        said = truth(text_of(found.node)) if found else None
        account = pod.find("serviceAccountName") or pod.find("serviceAccount")
        named = (account is not None and text_of(account.node) != "default") or pod.is_annotated(_TOKEN_READERS)
        mounted = said is True or (said is None and not account_has_none)
        place = pod.place_of(found or (account if named else None))
        wording = "automountServiceAccountToken"
        super().__init__(mounted, written=found is not None or named, place=place, wording=wording)
        self._member = member

    def to(self, new: bool) -> tuple[Change, ...]:
        """Mount none, for the whole pod."""
        if new == self.effective:
            return ()
        if new:
            raise CannotWrite("credentials are never handed out")
        pod = self._member.pod
        others = frozenset(Reach(other.key, joins=False) for other in pod.others(self._member))
        return pod.put(("automountServiceAccountToken",), False, others)


class VolumeGroup(Setting[str]):
    """`fsGroup`: the group that volumes are handed to, and that every container of the pod is in besides."""

    __slots__ = ("_pod",)

    def __init__(self, member: Member) -> None:
        pod = member.pod
        found = pod.find(SECURITY, "fsGroup")
        text = (text_of(found.node) if found else None) or ""
        super().__init__(text, written=found is not None, place=pod.place_of(found), wording="fsGroup:", whose=_whole(pod))
        self._pod = pod

    def to(self, new: str) -> tuple[Change, ...]:
        """Write the group, and that volumes which are its own already are not gone through at each start."""
        if new == self.effective:
            return ()
        if self.written or not new.isdecimal():
            raise CannotWrite("the volumes have a group already")
        if self._pod.has_own_numbers or not self._pod.takes_settings:
            raise CannotWrite("the group of volumes cannot be said here")
        changes = self._pod.put((SECURITY, "fsGroup"), int(new))
        if self._pod.find(SECURITY, "fsGroupChangePolicy") is None:
            changes += self._pod.put((SECURITY, "fsGroupChangePolicy"), "OnRootMismatch")
        return changes
