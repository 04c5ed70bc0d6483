"""How the limits of a Compose service are written, in which of its two dialects. Knows no rule and no amount."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hardener.errors import CannotWrite
from hardener.facts.compose.service import Layer, Service, own_path
from hardener.facts.compose.writer import Readers, Writer, place_of
from hardener.facts.container import Amount, Setting
from hardener.facts.merged import sources, text_of
from hardener.finding import Change, Place
from hardener.record import NamedTuple
from hardener.syntax.yaml import Commented, Mapping, Value

#: Without a minor number it is the newest there is.
_WITHOUT_PIDS = tuple(f"3.{minor}" for minor in range(9))


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
        self._writer = Writer(service, readers)

    def to(self, new: Amount | None) -> tuple[Change, ...]:
        """Write the limit. Raises `CannotWrite` for taking one away."""
        if new is None:
            raise CannotWrite("a limit is never taken away")
        if self._mixed:
            raise CannotWrite("services that share this text write limits both under `deploy` and at the top level")
        swarm = self._writer.service.maybe_in_swarm
        if swarm and self._keys[-1] == "pids" and (version := next(_without_pids(self._writer.service), "")):
            raise CannotWrite(f"it {swarm}, which refuses `pids` in a file of version {version}: 3.9 is the first that has it")
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


def _without_pids(service: Service) -> Iterator[str]:
    """The versions of the files of a service whose schema has no `pids` (docker/cli cli/compose/schema/data@28f7560)."""
    for layer in service.layers:
        yield from (text for node in layer.file.top("version") if (text := text_of(node) or "") in _WITHOUT_PIDS)


class Dialect(NamedTuple):
    """Where the limits of services that share text are written: all of them in one place, or Compose sees a conflict."""

    deploy: bool = False
    top_level: bool = False

    def __or__(self, other: object) -> Dialect:
        return Dialect(self.deploy or other.deploy, self.top_level or other.top_level) if isinstance(other, Dialect) else self


def dialect_of(service: Service) -> Dialect:
    """The dialects that a service writes limits in, in whatever layer, taken away again or not."""
    written = dialect_written_in(service)
    if written != Dialect():
        return written
    # Files of version 2 are for docker-compose 1, the only tool that reads the version: it refuses `deploy` there. Those of
    # different versions it refused together, until it took all versions for one (compose/config/config.py, 1.29.2).
    versions = ([text_of(node) or "" for node in layer.file.top("version")] for layer in service.layers)
    return Dialect(top_level=all(any(version.startswith("2") for version in found) for found in versions))


def dialect_written_in(service: Service) -> Dialect:
    """The dialects in which limits stand in a service, whatever the version of its files."""
    if service.mentions("deploy", "resources", "limits"):
        return Dialect(deploy=True)
    return Dialect(top_level=any(service.mentions(key) for key in ("mem_limit", "cpus", "pids_limit")))
