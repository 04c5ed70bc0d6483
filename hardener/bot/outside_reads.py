"""Whether Compose, told to read a repository's files, would read anything else of this machine. Knows its keys, and no engine.

Compose opens what `include`, `extends`, `env_file` and `label_file` name wherever that is, before anybody sees its model (the
Compose specification, 14-include.md and 05-services.md); what is mounted or built from, a trial looks after itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from hardener.facts.merged import target, text_of
from hardener.source import read
from hardener.syntax.yaml import Mapping, Node, Sequence, YamlError, parse

#: Keys whose texts are paths, or whose mappings have such below these; None for what is one itself.
_READ = {
    "env_file": (None, "path"),
    "label_file": (None, "path"),
    "extends": ("file",),
    "include": (None, "path", "env_file", "project_directory"),
}
#: By these, the `.env` beside a Compose file has Compose read others (docs.docker.com, "Pre-defined environment variables").
_LEADS = re.compile(r"\b(COMPOSE_(?:FILE|ENV_FILES|PATH_SEPARATOR)\b)")
#: Merges within merges.
_DEEPEST = 8


def reads_outside(locations: Iterable[str], top: str) -> str:
    """The first path that Compose files, or files that they build on, name and that may lie outside of `top`; empty for none.

    What only Compose can resolve, a variable or an address, counts as outside; so does another folder for relative paths, by
    which `..` would lead elsewhere. Raises `YamlError` and `Unreadable` for files that cannot be read.
    """
    locations = list(locations)
    for folder in {os.path.dirname(location) for location in locations}:
        settings = os.path.join(folder, ".env")
        if os.path.isfile(settings) and (found := _LEADS.search(read(settings, settings).text)):
            return found[1]
    waiting, seen = [os.path.realpath(location) for location in locations], set[str]()
    while waiting:
        location = waiting.pop()
        if location in seen or not os.path.isfile(location):
            continue
        seen.add(location)
        try:
            named = list(_named(location))
        except YamlError:
            return os.path.basename(location)
        for key, text in named:
            there = os.path.normpath(os.path.join(os.path.dirname(location), text))
            is_plain = text.isprintable() and not set("$:\\~") & set(text) and not os.path.isabs(text)
            if not is_plain or key == "project_directory" or not there.startswith(os.path.join(top, "")):
                return text
            if key in ("include", "extends"):
                waiting.append(there)
    return ""


def _named(location: str) -> Iterator[tuple[str, str]]:
    """The texts in a file that Compose takes for paths of what it reads, wherever they stand: aliases bring them anywhere."""
    waiting: list[Node] = [document.root for document in parse(read(location, location).text).documents if document.root]
    seen: set[int] = set()
    while waiting:
        node = target(waiting.pop())
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Sequence):
            waiting += node.items
        elif isinstance(node, Mapping):
            for pair in node.pairs:
                key = text_of(pair.key) or ""
                if pair.value is not None:
                    waiting.append(pair.value)
                    for inner in _READ.get(key, ()):
                        yield from ((inner if inner == "project_directory" else key, text) for text in _texts(pair.value, inner))


def _texts(node: Node | None, inner: str | None, deep: int = 0) -> Iterator[str]:
    """The texts of a value, or of the items of a list, or what they have below a key."""
    if deep > _DEEPEST:
        yield "$"  # what merges itself is not gone after
        return
    node = target(node) if node is not None else None
    for item in node.items if isinstance(node, Sequence) else (node,):
        item = target(item) if item is not None else None
        if inner is not None:
            # Each, should it stand there twice, and of a merge as well.
            if isinstance(item, Mapping):
                for pair in item.pairs:
                    if text_of(pair.key) in (inner, "<<"):
                        yield from _texts(pair.value, None if text_of(pair.key) == inner else inner, deep + 1)
        elif (text := text_of(item)) is not None:
            yield text
