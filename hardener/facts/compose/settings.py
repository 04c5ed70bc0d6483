"""How lists and flags of a Compose service are written: the edits behind `Setting.to`. Knows no rule."""

from __future__ import annotations

from hardener.errors import CannotWrite
from hardener.facts.compose.service import Service
from hardener.facts.compose.writer import Readers, Writer, place_of
from hardener.facts.container import ALL, Device, Item, Items, Setting, Tmpfs, capability
from hardener.facts.merged import truth
from hardener.finding import Change, Place
from hardener.syntax.yaml import Mapping, Put, Remove, Value, commented


class CapabilityList(Setting[Items]):
    """`cap_drop` or `cap_add`."""

    __slots__ = ("_key", "_tighter", "_writer")

    def __init__(self, service: Service, readers: Readers, key: str, home: Place, tighter: str = "") -> None:
        texts: list[Item] = []
        place = home
        for held, node in service.items(key):
            text = service.read(node)
            if text is not None:
                texts.append(Item(text))
                place = held.layer.file.place(node)
        super().__init__(tuple(texts), written=bool(texts), place=place)
        self._key = key
        self._tighter = tighter
        self._writer = Writer(service, readers)

    def to(self, new: Items) -> tuple[Change, ...]:
        """Add what is missing and take away what is not among `new`."""
        wanted = {capability(item.text) for item in new}
        present = {capability(item.text) for item in self.effective}
        missing = [commented(item.text, item.why) for item in new if capability(item.text) not in present]
        if missing and self._tighter:
            raise CannotWrite(f"{self._tighter} drops ALL for this service; passed together, it would gain some back")
        if present - wanted:
            return self._replace(new, present - wanted, missing)
        # Beside ALL, no other dropped item is worth repeating where an own list replaces a merged one.
        return self._writer.extend(self._key, missing, lambda text: self._key == "cap_add" or ALL not in wanted)

    def _replace(self, new: Items, gone: set[str], missing: list[Value]) -> tuple[Change, ...]:
        removals = self._writer.remove_items(self._key, lambda text: capability(text) in gone)
        if not missing:
            return removals
        held = self._writer.service.joined(self._key)
        if len(held) > 1 or held[0].found.route is None:
            raise CannotWrite(f"`{self._key}` is written in several places")
        if any(change.operation == Remove(held[0].found.route) for change in removals):
            # Nothing of the old list is left: the new one takes its place.
            value = [commented(item.text, item.why) for item in new]
            return self._writer.change(held[0].layer, Put(held[0].found.route, value), self._key)
        return (*removals, *self._writer.extend(self._key, missing, lambda text: True))


class Flag(Setting[bool]):
    """A boolean key that is false when it is not written."""

    __slots__ = ("_held", "_key", "_refusal", "_writer")

    def __init__(self, service: Service, readers: Readers, key: str, home: Place, refusal: str = "") -> None:
        held = service.scalar(key)
        true = held is not None and truth(service.read(held.found.node)) is True
        place = place_of(held) if held else home
        super().__init__(true, written=held is not None, place=place, wording=f"{key}: true")
        self._held = held
        self._key = key
        self._refusal = refusal
        self._writer = Writer(service, readers)

    def to(self, new: bool) -> tuple[Change, ...]:
        """Write the flag."""
        if new == self.effective:
            return ()
        if new and self._refusal:
            raise CannotWrite(self._refusal)
        if self._held is None:
            return self._writer.put(self._writer.home(), (self._key,), new)
        own = self._held.layer.editable and not self._held.layer.inherited and self._held.found.route is not None
        if not new and own and sum(layer.find(self._key) is not None for layer in self._writer.service.layers) == 1:
            assert self._held.found.route is not None
            return self._writer.change(self._held.layer, Remove(self._held.found.route), self._key)  # false is the default
        return self._writer.replace(self._held, (self._key,), new)


class TmpfsList(Setting[tuple[Tmpfs, ...]]):
    """`tmpfs`, a list or a single path, each with its options after a colon."""

    __slots__ = ("_kin", "_writer")

    def __init__(self, service: Service, readers: Readers, home: Place, kin: str) -> None:
        mounts: list[Tmpfs] = []
        place = home
        for held, node in service.items("tmpfs"):
            path, _, options = (service.read(node) or "").partition(":")
            if path:
                mounts.append(Tmpfs(path, options))
                place = held.layer.file.place(node)
        super().__init__(tuple(mounts), written=bool(mounts), place=place)
        self._kin = kin
        self._writer = Writer(service, readers)

    def to(self, new: tuple[Tmpfs, ...]) -> tuple[Change, ...]:
        """Add the mounts whose path is not mounted yet; written ones stay as they are."""
        present = {mount.path for mount in self.effective}
        missing = [commented(f"{m.path}:{m.options}" if m.options else m.path, m.why) for m in new if m.path not in present]
        if missing and self._kin:
            raise CannotWrite(
                f"{self._kin} defines this service too, and a path mounted by both is refused when they are passed together"
            )
        swarm = self._writer.service.maybe_in_swarm if missing else ""
        if swarm:
            raise CannotWrite(f"it {swarm}, which ignores `tmpfs` and would leave nothing writable")
        return self._writer.extend("tmpfs", missing, lambda text: True)


class Text(Setting[str]):
    """A key with a text, empty when it is not written."""

    __slots__ = ("_held", "_key", "_writer")

    def __init__(self, service: Service, readers: Readers, key: str, home: Place) -> None:
        held = service.scalar(key)
        text = service.read(held.found.node) if held else None
        place = place_of(held) if held else home
        super().__init__(text or "", written=held is not None, place=place, wording=f"{key}:")
        self._held = held
        self._key = key
        self._writer = Writer(service, readers)

    def to(self, new: str) -> tuple[Change, ...]:
        """Write the text."""
        if new == self.effective:
            return ()
        if self._held is not None:
            return self._writer.replace(self._held, (self._key,), new)
        return self._writer.put(self._writer.home(), (self._key,), new)


class DeviceList(Setting[tuple[Device, ...]]):
    """`devices`, in its short form or as mappings."""

    __slots__ = ("_writer",)

    def __init__(self, service: Service, readers: Readers, home: Place) -> None:
        devices = []
        for held, node in service.items("devices"):
            place = held.layer.file.place(node)
            if isinstance(node, Mapping):
                source, path, rights = (service.read(node.get(name)) or "" for name in ("source", "target", "permissions"))
            else:
                source, path, rights = [*(service.read(node) or "").split(":"), "", ""][:3]
                if path and path.strip("rwm") == "":
                    path, rights = "", path  # docker/cli takes `/dev/fuse:rwm` so
            devices.append(Device(source, path or source, rights or "rwm", place))
        super().__init__(tuple(devices), written=bool(devices), place=devices[0].place if devices else home)
        self._writer = Writer(service, readers)

    def to(self, new: tuple[Device, ...]) -> tuple[Change, ...]:
        """Add the devices that are not there yet; written ones stay."""
        present = {device.target for device in self.effective}
        missing: list[Value] = [f"{device.source}:{device.target}" for device in new if device.target not in present]
        return self._writer.extend("devices", missing, lambda text: True)
