"""How security settings are written: at the pod where that is right for all, else at the container. Knows no rule."""

from __future__ import annotations

from hardener.errors import CannotWrite
from hardener.facts.container import Item, Items, Setting, capability, names
from hardener.facts.kubernetes.pod import SECURITY, Member
from hardener.facts.merged import text_of, truth
from hardener.finding import Change
from hardener.syntax.yaml import Remove, Sequence, Value, commented

_SYS_ADMIN = "SYS_ADMIN"
_ROOTS = ("", "0")
#: What may be added in OpenShift: its default rules, even those that allow root (anyuid), refuse other pods (restricted-v2).
_ALLOWED_BY_OPENSHIFT = frozenset(("NET_BIND_SERVICE",))
#: The annotations that AppArmor was asked for by before 1.30; they still count.
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"


class SecurityFlag(Setting[bool]):
    """A boolean of the container's security context that is false when it is not written."""

    __slots__ = ("_key", "_member")

    def __init__(self, member: Member, key: str) -> None:
        found = member.find(SECURITY, key)
        true = found is not None and truth(text_of(found.node)) is True
        place = member.place_of(found)
        super().__init__(true, written=found is not None, place=place, wording=f"{key}: true")
        self._member = member
        self._key = key

    def to(self, new: bool) -> tuple[Change, ...]:
        """Write the flag."""
        return () if new == self.effective else self._member.put((SECURITY, self._key), new)


class EscalationForbidden(Setting[bool]):
    """`allowPrivilegeEscalation: false`, which is `no-new-privileges` (kubernetes docs: security-context)."""

    __slots__ = ("_member",)

    def __init__(self, member: Member) -> None:
        found = member.find(SECURITY, "allowPrivilegeEscalation")
        forbidden = found is not None and truth(text_of(found.node)) is False
        place = member.place_of(found)
        super().__init__(forbidden, written=found is not None, place=place, wording="allowPrivilegeEscalation: false")
        self._member = member

    def to(self, new: bool) -> tuple[Change, ...]:
        """Forbid it. Raises `CannotWrite` where the API server would refuse that (validation.go: ValidateSecurityContext)."""
        if new == self.effective:
            return ()
        if not new:
            raise CannotWrite("what forbids privilege escalation is never taken away")
        if self._member.flag(SECURITY, "privileged"):
            raise CannotWrite("the API server refuses `allowPrivilegeEscalation: false` beside `privileged: true`")
        added = {capability(word) for word in self._member.words(SECURITY, "capabilities", "add") or ()}
        if _SYS_ADMIN in added:
            raise CannotWrite("the API server refuses `allowPrivilegeEscalation: false` beside an added SYS_ADMIN")
        return self._member.put((SECURITY, "allowPrivilegeEscalation"), False)


class Capabilities(Setting[Items]):
    """`capabilities.drop` or `capabilities.add`."""

    __slots__ = ("_keys", "_member")

    def __init__(self, member: Member, which: str) -> None:
        self._keys = (SECURITY, "capabilities", which)
        self._member = member
        texts = tuple(Item(text) for node, _ in member.items(*self._keys) if (text := text_of(node)))
        found = member.find(*self._keys)
        super().__init__(texts, written=bool(texts), place=member.place_of(found), wording=f"capabilities.{which}")

    def to(self, new: Items) -> tuple[Change, ...]:
        """Add what is missing and take away what is not among `new`; written ones that stay are not touched."""
        wanted, present = names(new), names(self.effective)
        missing: list[Value] = [commented(item.text, item.why) for item in new if capability(item.text) not in present]
        gone = [at for at, item in enumerate(self.effective) if capability(item.text) not in wanted]
        if self._keys[-1] == "add" and self._member.pod.has_own_numbers and wanted - present - _ALLOWED_BY_OPENSHIFT:
            raise CannotWrite("OpenShift refuses pods that add capabilities, unless an administrator allows them")
        if not gone:
            return self._member.add(self._keys, missing)
        found = self._member.find(*self._keys)
        if missing or len(gone) == len(self.effective):
            kept: list[Value] = [item.text for item in self.effective if capability(item.text) in wanted]
            value = [*kept, *missing]
            return self._member.put(self._keys, value) if value else self._member.remove(self._keys)
        if found is None or found.route is None or not isinstance(found.node, Sequence):
            raise CannotWrite(f"`{self.wording}` comes through an anchor")
        route = found.route
        return tuple(change for at in gone for change in self._member.file.change(Remove((*route, at))))


class _Profile(Setting[bool]):
    """Whether a profile of the node is not applied; written at the pod where that is right for all its containers."""

    __slots__ = ("_key", "_member")

    def __init__(self, member: Member, key: str, effective: bool) -> None:
        found = member.find(SECURITY, key, "type") or member.pod.find(SECURITY, key, "type")
        super().__init__(effective, written=found is not None, place=member.place_of(found), wording=key)
        self._key = key
        self._member = member

    def to(self, new: bool) -> tuple[Change, ...]:
        """Ask for the profile of the container runtime."""
        if new == self.effective:
            return ()
        if new:
            raise CannotWrite("a profile is never switched off")
        member = self._member
        own = member.find(SECURITY, self._key) is not None
        if own or not member.pod.takes_settings:
            return self._at_the_container()
        return member.pod.put((SECURITY, self._key, "type"), "RuntimeDefault", member.pod.heirs(member, self._key))

    def alone(self, new: bool) -> tuple[Change, ...] | None:
        """Ask for it in the container's own security context."""
        return self._at_the_container() if not new and new != self.effective else None

    def _at_the_container(self) -> tuple[Change, ...]:
        return self._member.put((SECURITY, self._key, "type"), "RuntimeDefault")


class SeccompUnconfined(_Profile):
    """Whether there is no seccomp profile, which is so where none is asked for (kubelet: `seccompDefault: false`)."""

    def __init__(self, member: Member) -> None:
        kind = member.security("seccompProfile", "type")
        super().__init__(member, "seccompProfile", kind in (None, "Unconfined"))


class AppArmorUnconfined(_Profile):
    """Whether AppArmor is switched off; where it is not, nodes that have it apply the runtime's profile."""

    __slots__ = ("_annotated",)

    def __init__(self, member: Member) -> None:
        kind = member.security("appArmorProfile", "type")
        self._annotated = kind is None and member.pod.annotation(_APPARMOR + member.name) == "unconfined"
        super().__init__(member, "appArmorProfile", kind == "Unconfined" or self._annotated)

    def to(self, new: bool) -> tuple[Change, ...]:
        """Ask for the runtime's profile, or take away what switches it off."""
        if new or not self.effective or not self._annotated:
            return super().to(new)
        return self._member.pod.metadata_scope.put(("annotations", _APPARMOR + self._member.name), "runtime/default")

    def alone(self, new: bool) -> tuple[Change, ...] | None:
        """Ask for it in the container's own security context."""
        return None if self._annotated else super().alone(new)


class UnmaskedProc(Setting[bool]):
    """`procMount: Unmasked`."""

    __slots__ = ("_member",)

    def __init__(self, member: Member) -> None:
        found = member.find(SECURITY, "procMount")
        unmasked = found is not None and text_of(found.node) == "Unmasked"
        super().__init__(unmasked, written=found is not None, place=member.place_of(found), wording="procMount: Unmasked")
        self._member = member

    def to(self, new: bool) -> tuple[Change, ...]:
        """Go back to the masks, which are the default."""
        if new == self.effective:
            return ()
        if new:
            raise CannotWrite("masks are never taken off")
        return self._member.remove((SECURITY, "procMount"))


class User(Setting[str]):
    """`runAsUser` and `runAsGroup` as one text, such as `101:101`; setting it also asks that it is not root."""

    __slots__ = ("_member",)

    def __init__(self, member: Member) -> None:
        user, group = member.security("runAsUser"), member.security("runAsGroup")
        found = member.find(SECURITY, "runAsUser") or member.pod.find(SECURITY, "runAsUser")
        text = (user or "") + (f":{group}" if user and group else "")
        super().__init__(text, written=found is not None, place=member.place_of(found), wording="runAsUser:")
        self._member = member

    def to(self, new: str) -> tuple[Change, ...]:
        """Write the numbers, at the pod for what no container says itself."""
        return self._write(new, alone=False)

    def alone(self, new: str) -> tuple[Change, ...] | None:
        """Write the numbers into the container's own security context."""
        return self._write(new, alone=True)

    def _write(self, new: str, *, alone: bool) -> tuple[Change, ...]:
        if new == self.effective:
            return ()
        user, _, group = new.partition(":")
        if user in _ROOTS or not user.isdecimal() or (group and not group.isdecimal()):
            raise CannotWrite("only numbers of an account that is not root can be written")
        member, pod = self._member, self._member.pod
        if pod.has_own_numbers:
            raise CannotWrite("OpenShift gives each namespace numbers of its own: leave the user to it")
        values: list[tuple[str, Value]] = [("runAsNonRoot", True), ("runAsUser", int(user))]
        values += [("runAsGroup", int(group))] if group else []
        changes: tuple[Change, ...] = ()
        for key, value in values:
            if alone or not pod.takes_settings or member.find(SECURITY, key) is not None:
                changes += member.put((SECURITY, key), value)
            else:
                changes += pod.put((SECURITY, key), value, pod.heirs(member, key))
        return changes


class RefusesRoot(Setting[bool]):
    """`runAsNonRoot`: the kubelet does not start a container whose image would make it root."""

    __slots__ = ("_member",)

    def __init__(self, member: Member) -> None:
        found = member.find(SECURITY, "runAsNonRoot") or member.pod.find(SECURITY, "runAsNonRoot")
        true = found is not None and truth(text_of(found.node)) is True
        super().__init__(true, written=found is not None, place=member.place_of(found), wording="runAsNonRoot: true")
        self._member = member

    def to(self, new: bool) -> tuple[Change, ...]:
        """Write it, at the pod where no container says something else."""
        if new == self.effective:
            return ()
        member, pod = self._member, self._member.pod
        if not pod.takes_settings or member.find(SECURITY, "runAsNonRoot") is not None:
            return self.alone(new)
        return pod.put((SECURITY, "runAsNonRoot"), new, pod.heirs(member, "runAsNonRoot"))

    def alone(self, new: bool) -> tuple[Change, ...]:
        """Write it into the container's own security context."""
        return self._member.put((SECURITY, "runAsNonRoot"), new)
