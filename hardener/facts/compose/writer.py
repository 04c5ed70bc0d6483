"""How a value gets into a Compose service: the layer and the place it is written at. Knows no setting and no rule."""

from __future__ import annotations

from collections.abc import Callable

from hardener.errors import CannotWrite
from hardener.facts.compose.service import Held, Layer, Service, own_path
from hardener.facts.merged import require_route, text_of
from hardener.finding import Change, Place, Reach
from hardener.syntax.yaml import Alias, Append, Node, Put, Remove, Sequence, Value

#: Who else reads a mapping, and would be served by a key written there.
Readers = Callable[[Layer, str], frozenset[Reach]]


def place_of(held: Held) -> Place:
    """Where a value stands."""
    return held.layer.file.place(held.found.node)


class Writer:
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

    def change(self, layer: Layer, operation: Put | Append | Remove, key: str) -> tuple[Change, ...]:
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
        own = [text for item in items_of(found.node) if (text := text_of(item)) is not None and inherited(text)]
        if found.route is None:
            mapping = layer.service.mapping
            if mapping is not None and isinstance(mapping.get(key), Alias):
                raise CannotWrite(f"`{key}` is an alias of `&{found.via}`, which other services may use")
            return self.put(layer, (key,), [*own, *new])  # a merged list would be lost beside an own one
        if isinstance(found.node, Sequence):
            return self.change(layer, Append(found.route, tuple(new)), key)
        return self.change(layer, Put(found.route, [*own, *new]), key)

    def remove_items(self, key: str, gone: Callable[[str], bool]) -> tuple[Change, ...]:
        """Take written items out of a list that joins, or the whole key where nothing else is in it."""
        changes: tuple[Change, ...] = ()
        for held in self.service.joined(key):
            listed = items_of(held.found.node)
            drop = [at for at, node in enumerate(listed) if (text := self.service.read(node)) is not None and gone(text)]
            if not drop:
                continue
            self.may_edit(held.layer)
            route = require_route(held.found, key)
            whole = len(drop) == len(listed) or not isinstance(held.found.node, Sequence)
            for where in [route] if whole else [(*route, at) for at in drop]:
                changes += self.change(held.layer, Remove(where), key)
        return changes


def items_of(node: Node) -> list[Node]:
    """The items of a list; a single value counts as a list of one."""
    return node.items if isinstance(node, Sequence) else [node]
