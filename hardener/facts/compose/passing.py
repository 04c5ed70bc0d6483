"""Which files a Compose file names, and which base file it is probably passed after. Knows no container and decides nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping

from hardener.facts.compose.document import ComposeFile, ServiceNode
from hardener.facts.merged import sources, target, text_of
from hardener.syntax.yaml import Mapping as MappingNode
from hardener.syntax.yaml import Scalar, Sequence

#: What Compose looks for in a folder, in its order of preference (compose-go, cli/options.go).
BASE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDE_NAMES = ("compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml")


def laid_over(location: str, files: Mapping[str, ComposeFile]) -> list[str]:
    """Base files of folders further up that a file is probably passed after: they define all its services, or give one its image.

    Only files that may be edited are looked at: one that is only read, as the override of a file that was named, has none.
    """
    if os.path.basename(location) in BASE_NAMES or location not in files:
        return []
    names = {service.name for service in files[location].services}
    bare = {service.name for service in files[location].services if has_no_image(service)}
    found: list[str] = []
    folder = os.path.dirname(os.path.dirname(location))
    while names and os.path.dirname(folder) != folder:
        for base in BASE_NAMES:
            file = files.get(os.path.join(folder, base))
            known = {service.name for service in file.services} if file is not None else set()
            if known and (names <= known or bare & known):
                found.append(os.path.join(folder, base))
        folder = os.path.dirname(folder)
    return found


def has_no_image(service: ServiceNode) -> bool:
    """Whether a service does not say where its image comes from, so that only another file can."""
    if service.mapping is None:
        return True
    keys = {pair.key.value for source, _ in sources(service.mapping) for pair in source.pairs if isinstance(pair.key, Scalar)}
    return not keys & {"image", "build", "extends", "provider"}


def links(file: ComposeFile, location: str) -> set[str]:
    """The other files, by location, that a Compose file builds on: `extends` and `include`."""
    folder = os.path.dirname(location)
    found: set[str] = set()
    for service in file.services:
        if service.mapping is None:
            continue
        extends = service.mapping.get("extends")
        extends = target(extends) if extends is not None else None
        if isinstance(extends, MappingNode):
            other = text_of(extends.get("file"))
            if other:
                found.add(os.path.normpath(os.path.join(folder, other)))
    return found.union(*includes(file, location))


def includes(file: ComposeFile, location: str) -> list[tuple[str, ...]]:
    """What a Compose file includes: for each item the files that are laid over each other, by location, lowest first."""
    folder = os.path.dirname(location)
    found = []
    for node in file.top("include"):
        for item in node.items if isinstance(node, Sequence) else ():
            item = target(item)
            path = item.get("path") if isinstance(item, MappingNode) else item
            path = target(path) if path is not None else None
            texts = [text_of(one) for one in (path.items if isinstance(path, Sequence) else [path])]
            found.append(tuple(os.path.normpath(os.path.join(folder, text)) for text in texts if text))
    return found
