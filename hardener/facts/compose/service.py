"""One service as it is in effect: its layers (extends, files) and how each kind of key joins over them. Knows no rule.

How keys join was measured with Compose 2.40.3: YAML merges replace, `extends` and later files join lists and mappings and
replace scalars; `!override` drops what lies below, `!reset` drops the key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hardener.facts.compose.document import ComposeFile, ServiceNode
from hardener.facts.compose.interpolation import interpolate
from hardener.facts.merged import Found, is_null, lookup, sources, target, text_of, values
from hardener.record import NamedTuple
from hardener.syntax.yaml import Mapping, Node, Route, Scalar, Sequence

#: Keys of `deploy` that only a swarm reads (docker/cli, convert/service.go ignores `tmpfs` and `security_opt` there).
_SWARM_ONLY = ("placement", "update_config", "rollback_config", "endpoint_mode")


class Layer:
    """One definition of a service. `inherited`: it belongs to another service, reached through `extends`."""

    __slots__ = ("_values", "editable", "file", "inherited", "service")

    def __init__(self, file: ComposeFile, service: ServiceNode, *, inherited: bool = False, editable: bool = False) -> None:
        self.file = file
        self.service = service
        self.inherited = inherited
        self.editable = editable
        mapping = service.mapping
        self._values = {} if mapping is None else values(mapping, service.route, service.via)

    @property
    def keys(self) -> Iterable[str]:
        """The keys of this layer, own and merged."""
        return self._values

    def find(self, key: str) -> Found | None:
        """The value of a key in this layer, own or merged."""
        return self._values.get(key)

    def shared_on_the_way(self, route: Route) -> str:
        """The anchor of a node between the service and the end of a route that an alias uses elsewhere; empty for none."""
        if not self.file.aliased:
            return ""
        node: Node | None = self.service.mapping
        for key in route[len(self.service.route or ()) :]:
            if isinstance(node, Mapping):
                node = node.get(str(key))
            else:
                node = node.items[int(key)] if isinstance(node, Sequence) else None
            if node is not None and id(node) in self.file.aliased:
                return node.anchor or ""
        return ""


class Held(NamedTuple):
    """A value and the layer that holds it."""

    layer: Layer
    found: Found


class Service:
    """A service in effect. `layers` go from the lowest (what it extends) to the highest (the last file)."""

    __slots__ = ("_keys", "incomplete", "layers", "name", "swarm_said", "variables")

    def __init__(self, name: str, layers: tuple[Layer, ...], variables: dict[str, str], incomplete: str = "") -> None:
        self.name = name
        self.layers = layers
        self.variables = variables
        #: A service has few of the many keys that are asked for.
        self._keys = frozenset(key for layer in layers for key in layer.keys)
        #: Why parts of this service are not known, such as a file it extends that cannot be read.
        self.incomplete = incomplete
        #: What says that its project is deployed to a swarm, to which a stack goes as a whole; empty where nothing does.
        self.swarm_said = ""

    @property
    def home(self) -> Layer | None:
        """Where new keys go: the first definition that may be edited, or a later one that brings an image of its own."""
        home = None
        for layer in self.layers:
            own = layer.editable and not layer.inherited and layer.service.mapping is not None
            if own and (home is None or _brings_another_image(layer, home)):
                home = layer
        return home

    @property
    def in_swarm(self) -> bool:
        """Whether `deploy` has what only a swarm reads."""
        if not self.mentions("deploy"):
            return False
        mode = self.leaf("deploy", "mode")
        everywhere = mode is not None and self.read(mode.found.node) in ("global", "global-job", "replicated-job")
        return everywhere or any(self.leaf("deploy", key) is not None for key in _SWARM_ONLY)

    @property
    def maybe_in_swarm(self) -> str:
        """Why a swarm may run it, in words that go on after "it"; empty where nothing says so.

        How a swarm restarts what it runs, `deploy` says too, which Compose takes where there is no `restart`.
        """
        if self.in_swarm:
            return "is deployed to a swarm"
        if self.swarm_said:
            return f"is deployed to a swarm, as {self.swarm_said} says"
        if self.leaf("deploy", "restart_policy") is not None and self.scalar("restart") is None:
            return "says only in `deploy` how it is restarted, as for a swarm"
        return ""

    def scalar(self, key: str) -> Held | None:
        """The value that wins for a key that later layers replace."""
        if key not in self._keys:
            return None
        for layer in reversed(self.layers):
            found = layer.find(key)
            if found is not None:
                return None if found.node.tag == "!reset" else Held(layer, found)
        return None

    def mentions(self, *keys: str) -> bool:
        """Whether any layer writes a path of nested mappings, be it to take it away."""
        if keys[0] not in self._keys:
            return False
        for layer in self.layers:
            found = layer.find(keys[0])
            for key in keys[1:]:
                found = lookup(found.node, None, key) if found is not None and isinstance(found.node, Mapping) else None
            if found is not None:
                return True
        return False

    def is_reset(self, key: str) -> bool:
        """Whether the highest definition of a key takes it away with `!reset`."""
        if key not in self._keys:
            return False
        found = next((found for layer in reversed(self.layers) if (found := layer.find(key)) is not None), None)
        return found is not None and found.node.tag == "!reset"

    def read(self, node: Node | None) -> str | None:
        """The text of a scalar with its variables replaced; as it is written where one of them is unknown."""
        text = text_of(node)
        if text is None or "$" not in text:
            return text
        known = interpolate(text, self.variables)
        return text if known is None else known

    def text(self, key: str) -> str | None:
        """The text of the scalar that wins for a key."""
        held = self.scalar(key)
        return self.read(held.found.node) if held else None

    def joined(self, key: str) -> list[Held]:
        """All values that join for a key, lowest first."""
        if key not in self._keys:
            return []
        values: list[Held] = []
        for layer in self.layers:
            found = layer.find(key)
            if found is None:
                continue
            if found.node.tag in ("!reset", "!override"):
                values.clear()
            if found.node.tag != "!reset" and not is_null(found.node):
                values.append(Held(layer, found))
        return values

    def items(self, key: str) -> Iterator[tuple[Held, Node]]:
        """The items of a list that joins, each with where the list stands; a single scalar counts as a list of one."""
        for held in self.joined(key):
            node = held.found.node
            for item in node.items if isinstance(node, Sequence) else [node]:
                yield held, target(item)

    def leaf(self, *keys: str) -> Held | None:
        """The value that wins at a path of nested mappings."""
        if keys[0] not in self._keys:
            return None
        for layer in reversed(self.layers):
            found = layer.find(keys[0])
            if found is None:
                continue
            final = False  # whether what lies below this layer does not count any more
            for key in keys[1:]:
                if found is None or found.node.tag == "!reset" or not isinstance(found.node, Mapping):
                    break
                final = final or found.node.tag == "!override"
                found = lookup(found.node, found.route, key, found.via)
            else:
                if found is not None and found.node.tag != "!reset":
                    return Held(layer, found)
            if final or (found is not None and found.node.tag == "!reset"):
                return None
        return None

    def defined(self, key: str, name: str) -> Node | None:
        """What a top-level key (`volumes`, `configs`, `secrets`) says of a name, in the last file that does."""
        for layer in reversed(self.layers):
            for top in layer.file.top(key):
                found = lookup(top, None, name) if isinstance(top, Mapping) else None
                if found is not None:
                    return found.node
        return None

    def pairs(self, key: str) -> dict[str, str | None]:
        """A mapping that joins by key, written as a mapping or as a list of NAME=value; unwritten values are None."""
        pairs: dict[str, str | None] = {}
        for held in self.joined(key):
            node = held.found.node
            if isinstance(node, Sequence):
                for item in node.items:
                    name, equals, value = (self.read(item) or "").partition("=")
                    pairs[name] = value if equals else None
            elif isinstance(node, Mapping):
                for name, found in entries(node):
                    if found.tag == "!reset":
                        pairs.pop(name, None)
                    else:
                        pairs[name] = self.read(found)
        return pairs


def _brings_another_image(layer: Layer, below: Layer) -> bool:
    for key in ("image", "build"):
        found, other = layer.find(key), below.find(key)
        if found is not None and (other is None or text_of(found.node) != text_of(other.node)):
            return True
    return False


def entries(mapping: Mapping) -> Iterator[tuple[str, Node]]:
    """The keys of a mapping with their values, merges resolved, each key once."""
    seen: set[str] = set()
    for source, _ in sources(mapping):
        for pair in source.pairs:
            if isinstance(pair.key, Scalar) and pair.key.value != "<<" and pair.key.value not in seen:
                seen.add(pair.key.value)
                yield pair.key.value, target(pair.value)


def own_path(layer: Layer, keys: tuple[str, ...]) -> tuple[Route | None, str]:
    """Where a nested path may be written in a layer: its route, or None and why not."""
    mapping: Node | None = layer.service.mapping
    route = layer.service.route
    if route is None:
        return None, f"the service is an alias of `&{layer.service.via}`"
    for depth, key in enumerate(keys[:-1]):
        if not isinstance(mapping, Mapping):
            break
        found = lookup(mapping, route, key)
        if found is None:
            break
        if found.route is None:
            return None, f"`{'.'.join(keys[: depth + 1])}` comes through the anchor `&{found.via}`"
        mapping, route = found.node, found.route
    return (*layer.service.route, *keys), ""  # type: ignore[misc]
