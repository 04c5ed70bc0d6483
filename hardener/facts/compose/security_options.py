"""How `security_opt` of a Compose service is read and written. Knows no rule."""

from __future__ import annotations

from hardener.errors import CannotWrite
from hardener.facts.compose.service import Held, Service
from hardener.facts.compose.writer import Readers, Writer
from hardener.facts.container import Setting
from hardener.facts.merged import require_route
from hardener.finding import Change, Place
from hardener.syntax.yaml import Put, Route, Sequence

NO_NEW_PRIVILEGES = "no-new-privileges"
_KEY = "security_opt"
_UNMASKED = ("systempaths", "unconfined")


def option(text: str) -> tuple[str, str]:
    """The name and value of an option: the engine takes `:` and `=` alike (moby, daemon/daemon_unix.go)."""
    name, _, value = text.replace("=", ":", 1).partition(":")
    return name.strip(), value.strip()


class NoNewPrivileges(Setting[bool]):
    """`no-new-privileges` in `security_opt`; of opposite items the last one wins (measured)."""

    __slots__ = ("_count", "_held", "_index", "_kin", "_writer")

    def __init__(self, service: Service, readers: Readers, home: Place, kin: str) -> None:
        effective, written, place = False, False, home
        self._held: Held | None = None
        self._index = 0
        self._count = 0
        for held, node in service.items(_KEY):
            name, value = option(service.read(node) or "")
            if name == NO_NEW_PRIVILEGES:
                effective = value.lower() != "false" and not service.in_swarm
                written, place = True, held.layer.file.place(node)
                self._held = held
                self._count += 1
                listed = held.found.node
                self._index = listed.items.index(node) if isinstance(listed, Sequence) and node in listed.items else 0
        super().__init__(effective, written=written, place=place)
        self._kin = kin
        self._writer = Writer(service, readers)

    def to(self, new: bool) -> tuple[Change, ...]:
        """Switch it on. Raises `CannotWrite` where the same item may already come from another file."""
        if new == self.effective:
            return ()
        if not new:
            raise CannotWrite("no-new-privileges is never taken away")
        if self._writer.service.in_swarm:
            raise CannotWrite("it is deployed to a swarm, which ignores `security_opt`")
        if self._count > 1:
            raise CannotWrite("`security_opt` lists no-new-privileges more than once, with opposite values")
        if self._held is not None:
            route = require_route(self._held.found, _KEY)
            self._writer.may_edit(self._held.layer)
            where: Route = (*route, self._index) if isinstance(self._held.found.node, Sequence) else route
            return self._writer.change(self._held.layer, Put(where, f"{NO_NEW_PRIVILEGES}:true"), _KEY)
        if self._kin:
            raise CannotWrite(
                f"{self._kin} defines this service too, and Compose rejects a `security_opt` item that two files repeat;"
                " run harden on this file alone if they are never used together"
            )
        return self._writer.extend(_KEY, [f"{NO_NEW_PRIVILEGES}:true"], lambda text: True)


class Unconfined(Setting[bool]):
    """Whether `security_opt` switches one of the engine's profiles off: `seccomp` or `apparmor`.

    To keep the default nothing is written: `seccomp=default` is refused (measured, 20.10.24).
    """

    __slots__ = ("_name", "_writer")

    def __init__(self, service: Service, readers: Readers, name: str, home: Place) -> None:
        effective, place = False, home
        for held, node in service.items(_KEY):
            kind, value = option(service.read(node) or "")
            if kind == name:
                effective, place = value == "unconfined", held.layer.file.place(node)
        super().__init__(effective, written=effective, place=place)
        self._name = name
        self._writer = Writer(service, readers)

    def to(self, new: bool) -> tuple[Change, ...]:
        """Take the item away."""
        if new == self.effective:
            return ()
        if new:
            raise CannotWrite("a profile is never switched off")
        return self._writer.remove_items(_KEY, lambda text: option(text) == (self._name, "unconfined"))


class UnmaskedProc(Setting[bool]):
    """Whether `security_opt` takes the masks off /proc and /sys: `systempaths=unconfined` (docker/cli, opts parsing)."""

    __slots__ = ("_writer",)

    def __init__(self, service: Service, readers: Readers, home: Place) -> None:
        effective, place = False, home
        for held, node in service.items(_KEY):
            if option(service.read(node) or "") == _UNMASKED:
                effective, place = True, held.layer.file.place(node)
        super().__init__(effective, written=effective, place=place, wording="systempaths=unconfined")
        self._writer = Writer(service, readers)

    def to(self, new: bool) -> tuple[Change, ...]:
        """Take the item away."""
        if new == self.effective:
            return ()
        if new:
            raise CannotWrite("masks are never taken off")
        return self._writer.remove_items(_KEY, lambda text: option(text) == _UNMASKED)
