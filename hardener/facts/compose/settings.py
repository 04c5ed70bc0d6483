"""How each setting of a Compose service is written: the edits behind `Setting.to`. Knows no rule and no amount."""

from __future__ import annotations

from collections.abc import Callable

from hardener.errors import CannotWrite
from hardener.facts.compose.document import require_route, sources, text_of, truth
from hardener.facts.compose.service import Held, Layer, Service, own_path
from hardener.facts.container import ALL, Amount, Item, Items, Setting, Tmpfs, capability
from hardener.finding import Change, Place, Reach
from hardener.record import NamedTuple
from hardener.syntax.yaml import Alias, Append, Commented, Mapping, Node, Put, Route, Sequence, Value

#: Who else reads a mapping, and would be served by a key written there.
Readers = Callable[[Layer, str], frozenset[Reach]]

#: Keys of `deploy` that only a swarm reads (docker/cli, convert/service.go ignores `tmpfs` and `security_opt` there).
_SWARM_ONLY = ("placement", "mode", "update_config", "rollback_config", "endpoint_mode", "labels")
NO_NEW_PRIVILEGES = "no-new-privileges"


def place_of(held: Held) -> Place:
    """Where a value stands."""
    return held.layer.file.place(held.found.node)


class _Writer:
    """Turns values for one service into changes."""

    __slots__ = ("readers", "service")

    def __init__(self, service: Service, readers: Readers) -> None:
        self.service = service
        self.readers = readers

    def home(self) -> Layer:
        home = self.service.home
        if home is None:
            raise CannotWrite(f"the service `{self.service.name}` is not defined in a file that was given")
        if home.service.route is None:
            raise CannotWrite(f"the service is an alias of `&{home.service.via}`")
        return home

    def place_for(self, key: str) -> Layer:
        """Where a new key goes: home, or a higher layer that takes the place of what is written below it."""
        home = self.home()
        above = self.service.layers[self.service.layers.index(home) + 1 :]
        final = (layer for layer in reversed(above) if (found := layer.find(key)) is not None and found.node.tag == "!override")
        return next(final, home)

    def put(self, layer: Layer, keys: tuple[str, ...], value: Value) -> tuple[Change, ...]:
        """Write a key, nested or not, into a layer of the service."""
        self.may_edit(layer)
        if self.service.is_reset(keys[0]):
            raise CannotWrite(f"`{keys[0]}` is reset here on purpose")
        route, why_not = own_path(layer, keys)
        if route is None:
            raise CannotWrite(why_not)
        return self.change(layer, Put(route, value), keys[0])

    def change(self, layer: Layer, operation: Put | Append, key: str) -> tuple[Change, ...]:
        anchor = layer.shared_on_the_way(operation.route)
        if anchor:
            raise CannotWrite(f"`{key}` carries the anchor `&{anchor}`, which is used elsewhere too")
        return (Change(layer.file.source.path, operation, self.readers(layer, key)),)

    def may_edit(self, layer: Layer) -> None:
        if self.service.incomplete:
            raise CannotWrite(self.service.incomplete)
        if not layer.editable:
            raise CannotWrite(f"it is written in {layer.file.source.path}, which was not given")
        if layer.inherited:
            raise CannotWrite(f"it is written in the service `{layer.service.name}`, which this one extends")

    def replace(self, held: Held, keys: tuple[str, ...], value: Value) -> tuple[Change, ...]:
        """Replace a value where it stands; where it is inherited or shared, write an own one that wins."""
        written = text_of(held.found.node) or ""
        if "$" in written:
            raise CannotWrite(f"`{keys[-1]}` is decided outside this file, through {written}")
        if held.layer.editable and not held.layer.inherited and held.found.route is not None:
            return self.change(held.layer, Put(held.found.route, value), keys[0])
        home = self.home()
        if self.service.layers.index(home) < self.service.layers.index(held.layer):
            self.may_edit(held.layer)  # what stands in a higher layer would win over ours
            require_route(held.found, keys[0])
        return self.put(home, keys, value)

    def extend(self, key: str, new: list[Value], inherited: Callable[[str], bool]) -> tuple[Change, ...]:
        """Add items to a list that joins; `inherited` says which written ones to repeat where a merge would lose them."""
        if not new:
            return ()
        if self.service.is_reset(key):
            raise CannotWrite(f"`{key}` is reset here on purpose")
        home = self.home()
        held = self.service.joined(key)
        layer = next((h.layer for h in reversed(held) if h.found.node.tag == "!override"), home)
        if layer is not home:
            self.may_edit(layer)
        found = layer.find(key)
        if found is None:
            return self.put(layer, (key,), new)
        own = [text for item in _items(found.node) if (text := text_of(item)) is not None and inherited(text)]
        if found.route is None:
            mapping = layer.service.mapping
            if mapping is not None and isinstance(mapping.get(key), Alias):
                raise CannotWrite(f"`{key}` is an alias of `&{found.via}`, which other services may use")
            return self.put(layer, (key,), [*own, *new])  # a merged list would be lost beside an own one
        if isinstance(found.node, Sequence):
            return self.change(layer, Append(found.route, tuple(new)), key)
        return self.change(layer, Put(found.route, [*own, *new]), key)


def _items(node: Node) -> list[Node]:
    return node.items if isinstance(node, Sequence) else [node]


def _value(text: str, why: str) -> Value:
    return Commented(text, why) if why else text


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
        self._writer = _Writer(service, readers)

    def to(self, new: Items) -> tuple[Change, ...]:
        """Add what is missing. Taking written items away is not done here: raises `CannotWrite`."""
        wanted = {capability(item.text) for item in new}
        present = {capability(item.text) for item in self.effective}
        if present - wanted:
            raise CannotWrite(f"`{self._key}` also lists {', '.join(sorted(present - wanted))}")
        missing = [_value(item.text, item.why) for item in new if capability(item.text) not in present]
        if missing and self._tighter:
            raise CannotWrite(f"{self._tighter} drops ALL for this service; passed together, it would gain some back")
        # Beside ALL, no other dropped item is worth repeating where an own list replaces a merged one.
        return self._writer.extend(self._key, missing, lambda text: self._key == "cap_add" or ALL not in wanted)


class NoNewPrivileges(Setting[bool]):
    """`no-new-privileges` in `security_opt`; of opposite items the last one wins (measured)."""

    __slots__ = ("_count", "_held", "_index", "_kin", "_writer")

    def __init__(self, service: Service, readers: Readers, home: Place, kin: str) -> None:
        effective, written, place = False, False, home
        self._held: Held | None = None
        self._index = 0
        self._count = 0
        for held, node in service.items("security_opt"):
            text = service.read(node) or ""
            if text.replace("=", ":").partition(":")[0].strip() == NO_NEW_PRIVILEGES:
                effective = text.replace("=", ":").partition(":")[2].strip().lower() != "false"
                written, place = True, held.layer.file.place(node)
                self._held = held
                self._count += 1
                listed = held.found.node
                self._index = listed.items.index(node) if isinstance(listed, Sequence) and node in listed.items else 0
        super().__init__(effective, written=written, place=place)
        self._kin = kin
        self._writer = _Writer(service, readers)

    def to(self, new: bool) -> tuple[Change, ...]:
        """Switch it on. Raises `CannotWrite` where the same item may already come from another file."""
        if new == self.effective:
            return ()
        if not new:
            raise CannotWrite("no-new-privileges is never taken away")
        if self._count > 1:
            raise CannotWrite("`security_opt` lists no-new-privileges more than once, with opposite values")
        if self._held is not None:
            route = require_route(self._held.found, "security_opt")
            self._writer.may_edit(self._held.layer)
            where: Route = (*route, self._index) if isinstance(self._held.found.node, Sequence) else route
            return self._writer.change(self._held.layer, Put(where, f"{NO_NEW_PRIVILEGES}:true"), "security_opt")
        if self._kin:
            raise CannotWrite(
                f"{self._kin} defines this service too, and Compose rejects a `security_opt` item that two files repeat;"
                " run harden on this file alone if they are never used together"
            )
        return self._writer.extend("security_opt", [f"{NO_NEW_PRIVILEGES}:true"], lambda text: True)


class Flag(Setting[bool]):
    """A boolean key that is false when it is not written."""

    __slots__ = ("_held", "_key", "_refusal", "_writer")

    def __init__(self, service: Service, readers: Readers, key: str, home: Place, refusal: str = "") -> None:
        held = service.scalar(key)
        super().__init__(truth(service.text(key)) is True, written=held is not None, place=place_of(held) if held else home)
        self._held = held
        self._key = key
        self._refusal = refusal
        self._writer = _Writer(service, readers)

    def to(self, new: bool) -> tuple[Change, ...]:
        """Write the flag."""
        if new == self.effective:
            return ()
        if new and self._refusal:
            raise CannotWrite(self._refusal)
        if self._held is not None:
            return self._writer.replace(self._held, (self._key,), new)
        return self._writer.put(self._writer.home(), (self._key,), new)


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
        self._writer = _Writer(service, readers)

    def to(self, new: tuple[Tmpfs, ...]) -> tuple[Change, ...]:
        """Add the mounts whose path is not mounted yet; written ones stay as they are."""
        present = {mount.path for mount in self.effective}
        missing = [_value(f"{m.path}:{m.options}" if m.options else m.path, m.why) for m in new if m.path not in present]
        if missing and self._kin:
            raise CannotWrite(
                f"{self._kin} defines this service too, and a path mounted by both is refused when they are passed together"
            )
        if missing and any(self._writer.service.leaf("deploy", key) is not None for key in _SWARM_ONLY):
            raise CannotWrite("it is deployed to a swarm, which ignores `tmpfs` and would leave nothing writable")
        return self._writer.extend("tmpfs", missing, lambda text: True)


class Limit(Setting[Amount | None]):
    """A limit, in the dialect that the service uses: `deploy.resources.limits` or the keys at the top level.

    The two must agree wherever both are written, so a limit goes where the service's others are (compose-go: "can't set
    distinct values").
    """

    __slots__ = ("_held", "_keys", "_limited_by", "_mixed", "_top", "_writer")

    def __init__(
        self,
        service: Service,
        readers: Readers,
        home: Place,
        *,
        deploy_key: str,
        top_key: str,
        dialect: Dialect,
        parse: Callable[[str], float | None],
        limited_by: str = "",
    ) -> None:
        held = service.leaf("deploy", "resources", "limits", deploy_key) or service.scalar(top_key)
        text = service.read(held.found.node) if held else None
        number = parse(text) if text is not None else None
        # Zero and -1 mean without limit; what cannot be read (a variable) is somebody's limit, of unknown amount.
        unlimited = held is None or text is None or (number is not None and number <= 0)
        super().__init__(
            None if unlimited else Amount(number if number is not None else -1.0, text or ""),
            written=held is not None,
            place=place_of(held) if held else home,
        )
        self._held = held if text is not None else None
        self._limited_by = limited_by
        self._top = top_key
        self._keys = (top_key,) if dialect.top_level and not dialect.deploy else ("deploy", "resources", "limits", deploy_key)
        self._mixed = dialect.top_level and dialect.deploy
        self._writer = _Writer(service, readers)

    def to(self, new: Amount | None) -> tuple[Change, ...]:
        """Write the limit. Raises `CannotWrite` for taking one away."""
        if new is None:
            raise CannotWrite("a limit is never taken away")
        if self._mixed:
            raise CannotWrite("services that share this text write limits both under `deploy` and at the top level")
        if self._limited_by:
            raise CannotWrite(f"{self._limited_by} limits this service already, and may be passed together with this file")
        value: Value = int(new.text) if new.text.isdigit() else new.text
        if new.why:
            value = Commented(value, new.why)
        if self._held is not None:
            return self._writer.replace(self._held, self._keys, value)
        home = self._writer.place_for(self._keys[0])
        if len(self._keys) > 1 and own_path(home, self._keys)[0] is None and self._falls_back(home):
            return self._writer.put(home, (self._top,), value)  # an own `deploy` would lose the merged one
        found = home.find(self._keys[0])
        if found is not None and found.route is None and len(self._keys) > 1:
            raise CannotWrite(f"`deploy` comes through the anchor `&{found.via}`; an own one would lose it")
        return self._writer.put(home, self._keys, value)

    def _falls_back(self, home: Layer) -> bool:
        """Whether the top level may serve: `deploy` has no limits and will get none, and nobody shares this text."""
        if self._writer.readers(home, self._top):
            return False
        held = self._writer.service.leaf("deploy", "resources", "limits")
        own = home.service.mapping
        services = {id(service.mapping) for service in home.file.services if service.mapping is not own}
        from_service = own is not None and any(id(source) in services and source.get("deploy") for source, _ in sources(own))
        return not from_service and (held is None or not isinstance(held.found.node, Mapping))


class Dialect(NamedTuple):
    """Where the limits of services that share text are written: all of them in one place, or Compose sees a conflict."""

    deploy: bool = False
    top_level: bool = False

    def __or__(self, other: object) -> Dialect:
        return Dialect(self.deploy or other.deploy, self.top_level or other.top_level) if isinstance(other, Dialect) else self


def dialect_of(service: Service) -> Dialect:
    """The dialects that a service writes limits in, in whatever layer, taken away again or not."""
    if service.mentions("deploy", "resources", "limits"):
        return Dialect(deploy=True)
    if any(service.mentions(key) for key in ("mem_limit", "cpus", "pids_limit")):
        return Dialect(top_level=True)
    # A file of version 2 is for docker-compose 1, the only tool that reads the version: it refuses `deploy` there.
    old = any((text_of(node) or "").startswith("2") for layer in service.layers for node in layer.file.top("version"))
    return Dialect(top_level=old)
