"""A Helm chart as files: its templates, the charts in it, and what its values say. Knows no template language and no setting.

A chart is a folder with `Chart.yaml`, `values.yaml`, `templates/` and more charts in `charts/` (Helm's documentation, "Charts").
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TypeAlias

from hardener.facts.merged import lookup, target, text_of
from hardener.facts.tree import Tree
from hardener.record import NamedTuple
from hardener.source import Source
from hardener.syntax.yaml import Mapping, Node, Sequence, YamlError, parse

#: Charts with more templates, more text, or charts inside charts than this are not read to the end.
_MOST_TEMPLATES = 300
_MOST_TEXT = 4_000_000
_DEEPEST = 4
_MOST_FOLDERS = 64
#: Files of a chart that are templates, or define some.
_TEMPLATES = (".yaml", ".yml", ".tpl", ".txt", ".json")
_FALSE = frozenset(("", "false", "False", "0", "0.0", "null", "~"))

Path: TypeAlias = "tuple[str, ...]"


class ValuesFile(NamedTuple):
    """A file of values that a chart is given, and where in it they stand: those of a chart inside stand below its name."""

    path: str
    below: Path
    root: Mapping | None
    source: Source | None


class Default(NamedTuple):
    """What a values file says under a key."""

    #: The file as people know it, and the line, from 1.
    file: str
    line: int
    node: Node


class ChartFiles(NamedTuple):
    """A chart as it lies there. `values` are the topmost chart's first; `below` is where that keeps this one's."""

    folder: str
    name: str
    about: Mapping
    templates: tuple[Source, ...]
    values: tuple[ValuesFile, ...]
    below: tuple[str, ...]
    charts: tuple[ChartFiles, ...]


def chart_files(
    location: str, name: str, tree: Tree, below: Path = (), above: tuple[ValuesFile, ...] = (), depth: int = 0
) -> ChartFiles | None:
    """The chart in a folder, which people know as `name`, with those inside it; None where there is none that can be read."""
    about = _mapping(tree(os.path.join(location, "Chart.yaml")))
    if about is None:
        return None
    prefix = f"{name}/" if name not in ("", ".") else ""
    found = tree(os.path.join(location, "values.yaml"))
    values = (*above, ValuesFile(f"{prefix}values.yaml", (), _mapping(found), found))
    called = text_of(about.get("name")) or os.path.basename(location)
    templates = tuple(_templates(location, prefix, tree))
    inner: list[ChartFiles] = []
    folder = os.path.join(location, "charts")
    if depth < _DEEPEST and os.path.isdir(folder) and tree.contains(folder):
        aliases = _aliases(about)
        for entry in sorted(os.listdir(folder)):
            path = os.path.join(folder, entry)
            if os.path.isdir(path) and not os.path.islink(path):
                key = aliases.get(entry, entry)
                further = tuple(file._replace(below=(*file.below, key)) for file in values)
                chart = chart_files(path, f"{prefix}charts/{entry}", tree, (*below, key), further, depth + 1)
                inner += [chart] if chart is not None else []
    return ChartFiles(name, called, about, templates, values, below, tuple(inner))


def chart_of(location: str, tree: Tree) -> str:
    """The folder of the topmost chart that a template belongs to; empty for a file that is none."""
    top = ""
    folder = os.path.dirname(location) if f"{os.sep}templates{os.sep}" in location else ""
    for _ in range(_MOST_FOLDERS):
        above, name = os.path.split(folder)
        if above == folder:
            break
        # Below `templates` of a chart, or inside a chart that lies in `charts` of another.
        of_chart = name == "templates" if not top else name == "charts" and os.path.dirname(top) == folder
        if of_chart and os.path.isfile(os.path.join(above, "Chart.yaml")) and tree.contains(above):
            top = above
        folder = above
    return top


def _templates(location: str, prefix: str, tree: Tree) -> Iterator[Source]:
    size = count = 0
    for path in tree.walk(os.path.join(location, "templates")):
        source = tree(path) if path.endswith(_TEMPLATES) and not path.endswith("NOTES.txt") else None
        # Definitions of kinds ask for no pod, and are the largest texts of all.
        if source is None or "kind: CustomResourceDefinition" in source.text or any(mark in source.text for mark in "\1\2\3"):
            continue
        size, count = size + len(source.text), count + 1
        if size > _MOST_TEXT or count > _MOST_TEMPLATES:
            return
        yield Source(prefix + os.path.relpath(path, location).replace(os.sep, "/"), source.text)


def _aliases(about: Mapping) -> dict[str, str]:
    """Under which name the values of each chart inside are kept, where that is not its own."""
    found: dict[str, str] = {}
    needed = about.get("dependencies")
    for item in needed.items if isinstance(needed, Sequence) else ():
        if isinstance(item, Mapping) and (name := text_of(item.get("name"))) and (alias := text_of(item.get("alias"))):
            found[name] = alias
    return found


def every(files: ChartFiles) -> Iterator[ChartFiles]:
    """The chart and all inside it, each before those in it."""
    yield files
    for chart in files.charts:
        yield from every(chart)


def _mapping(source: Source | None) -> Mapping | None:
    if source is None:
        return None
    try:
        stream = parse(source.text)
    except YamlError:
        return None
    root = stream.documents[0].root if stream.documents else None
    return root if isinstance(root, Mapping) else None


def default(files: tuple[ValuesFile, ...], path: Path) -> Default | None:
    """What is written under a path of a chart's values, by the first of its files that has it."""
    for file in files:
        # What is global stands at the top for all charts.
        for whole in ((*file.below, *path), path if path[:1] == ("global",) else ()):
            node: Node | None = file.root if whole else None
            for part in whole:
                found = lookup(node, None, part) if isinstance(node, Mapping) else None
                node = target(found.node) if found is not None else None
            if node is not None and file.source is not None:
                return Default(file.path, file.source.position(_key_start(file.root, whole, node)).line, node)
    return None


def _key_start(root: Mapping | None, path: Path, node: Node) -> int:
    """Where the key of a value stands; the value itself where it came through a merge."""
    at: Node | None = root
    start = node.start
    for part in path:
        pair = at.pair(part) if isinstance(at, Mapping) else None
        if pair is None:
            return node.start
        at, start = target(pair.value), pair.key.start
    return start


def is_true(node: Node) -> bool:
    """Whether a template takes a value for true: what is empty, zero or false is not."""
    if isinstance(node, Mapping):
        return bool(node.pairs)
    if isinstance(node, Sequence):
        return bool(node.items)
    text = text_of(node)
    return text is not None and (text not in _FALSE or (bool(getattr(node, "style", "")) and text != ""))
