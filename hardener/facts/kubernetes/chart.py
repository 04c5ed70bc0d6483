"""Which values the templates of a Helm chart take for the settings of their pods. Knows no rule, and runs nothing.

A chart is a folder with `Chart.yaml`, `values.yaml`, `templates/` and more charts in `charts/` (Helm's documentation, "Charts").
What a template takes is told only where it can be read; the rest stays unknown, and a key that is named is not said to be safe.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from hardener.facts.kubernetes.chart_files import ChartFiles, Default, Path, ValuesFile, chart_files, default, every, is_true
from hardener.facts.kubernetes.expansion import HOLE, MARK, Expansion, Keys, Meaning, Overrun, Scope
from hardener.facts.kubernetes.outline import Entry, documents
from hardener.facts.kubernetes.pod import MOST_CONTAINERS
from hardener.facts.merged import text_of, values
from hardener.facts.tree import Tree
from hardener.record import NamedTuple
from hardener.source import Source
from hardener.syntax.gotemplate import Part, TemplateError
from hardener.syntax.gotemplate import parse as parse_template

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The settings that are looked for, of a pod and of each of its containers.
POD_SETTINGS = ("securityContext", "automountServiceAccountToken", "hostNetwork", "hostPID", "hostIPC", "volumes")
CONTAINER_SETTINGS = ("securityContext", "resources", "volumeMounts", "env")
_SPECS: tuple[tuple[str, ...], ...] = (("spec", "template", "spec"), ("spec", "jobTemplate", "spec", "template", "spec"))
_POD: tuple[str, ...] = ("spec",)
_IMAGE = re.compile(r"[\w./:@-]++")


class Written(NamedTuple):
    """A part of a setting: its dotted path, and what is written there or, in braces, the key that it comes from."""

    path: str
    text: str
    #: Whether the chart's own values lead there; None where that is not known.
    live: bool | None
    line: int


class Taken(NamedTuple):
    """What a template writes for one setting. Neither keys nor parts: it writes nothing, and takes no value for it."""

    setting: str
    #: The keys that the whole value comes from, dotted, the first with a value before the others; `*` for each of a collection.
    keys: tuple[str, ...]
    #: What is written below it, each on its own.
    parts: tuple[Written, ...]
    #: Where that stands, or would go: right below this line.
    file: str
    line: int
    live: bool | None

    @property
    def written(self) -> bool:
        """Whether the template writes the setting at all."""
        return bool(self.keys or self.parts)


class ContainerTemplate(NamedTuple):
    """A container as a template writes it."""

    #: As written, with what `Chart.yaml` says filled in.
    name: str
    init: bool
    #: The image with the chart's own values; empty where that is not known.
    image: str
    settings: tuple[Taken, ...]
    line: int
    live: bool | None

    def setting(self, name: str) -> Taken:
        """One of `CONTAINER_SETTINGS`."""
        return next(setting for setting in self.settings if setting.setting == name)


class WorkloadTemplate(NamedTuple):
    """An object with a pod, as a template writes it; kind and name as written."""

    file: str
    line: int
    kind: str
    name: str
    pod: tuple[Taken, ...]
    containers: tuple[ContainerTemplate, ...]
    live: bool | None

    def setting(self, name: str) -> Taken:
        """One of `POD_SETTINGS`."""
        return next(setting for setting in self.pod if setting.setting == name)


class Chart(NamedTuple):
    """A chart that was read. `unread` are its templates that could not be, with the line and the reason."""

    #: The folder as people know it.
    folder: str
    name: str
    library: bool
    #: The keys below which the values of the topmost chart hold this one's: `("db",)`.
    below: tuple[str, ...]
    #: The topmost chart's first: that has the last word.
    values: tuple[ValuesFile, ...]
    workloads: tuple[WorkloadTemplate, ...]
    unread: tuple[tuple[str, int, str], ...]

    def value(self, key: str) -> Default | None:
        """What is under a dotted key of this chart's values; None when nothing says anything."""
        return default(self.values, tuple(key.split(".")))


def read_charts(location: str, name: str, tree: Tree) -> tuple[Chart, ...]:
    """The chart in a folder, which people know as `name`, and those inside it; none where there is no chart that can be read."""
    files = chart_files(location, name, tree)
    if files is None:
        return ()
    charts = list(every(files))
    parsed: list[list[tuple[Source, tuple[Part, ...]]]] = []
    defines: dict[str, tuple[int, tuple[Part, ...]]] = {}
    sources: list[Source] = []
    unread: list[list[tuple[str, int, str]]] = []
    for chart in reversed(charts):  # the topmost chart has the last word on a named template
        own: list[tuple[Source, tuple[Part, ...]]] = []
        failed: list[tuple[str, int, str]] = []
        for source in chart.templates:
            try:
                template = parse_template(source.text)
            except TemplateError as error:
                failed.append((source.path, error.line, error.reason))
                continue
            own.append((source, template.parts))
            defines.update({key: (len(sources), parts) for key, parts in template.defines.items()})
            sources.append(source)
        parsed.insert(0, own)
        unread.insert(0, failed)
    numbers = {id(source): number for number, source in enumerate(sources)}
    return tuple(
        _chart(chart, own, failed, defines, sources, numbers) for chart, own, failed in zip(charts, parsed, unread, strict=True)
    )


def _chart(
    files: ChartFiles,
    own: list[tuple[Source, tuple[Part, ...]]],
    failed: list[tuple[str, int, str]],
    defines: Mapping[str, tuple[int, tuple[Part, ...]]],
    sources: list[Source],
    numbers: Mapping[int, int],
) -> Chart:
    about = {key: text_of(found.node) or "" for key, found in values(files.about, None).items()}
    chart: dict[str, Meaning] = {key[:1].upper() + key[1:]: value for key, value in about.items() if value.isprintable()}
    root = Scope({"Values": Keys(((),)), "Chart": Scope(chart)})
    workloads: list[WorkloadTemplate] = []

    def truth(path: Path) -> bool | None:
        if "*" in path:
            return None
        found = default(files.values, path)
        return bool(found and is_true(found.node))

    for source, parts in own:
        expansion = Expansion(defines, root, truth)
        try:
            text = expansion.written(numbers[id(source)], parts)
        except Overrun as error:
            failed.append((source.path, 0, str(error)))
            continue
        for entries in documents(text):
            workload = _Reading(entries, expansion, sources, source, files.values).workload()
            if workload is not None:
                workloads.append(workload)
    library = about.get("type") == "library"
    return Chart(files.folder, files.name, library, files.below, files.values, tuple(workloads), tuple(failed))


class _Reading:
    """One document of a template that was written out."""

    def __init__(
        self,
        entries: list[Entry],
        expansion: Expansion,
        sources: list[Source],
        source: Source,
        defaults: tuple[ValuesFile, ...],
    ) -> None:
        self._entries = entries
        self._expansion = expansion
        self._sources = sources
        self._source = source
        self._defaults = defaults
        self._lines: dict[int, list[str]] = {}

    def workload(self) -> WorkloadTemplate | None:
        """The object with a pod that the document is; None when it is none."""
        kinds = [entry for entry in self._entries if entry.path == ("kind",)]
        if not kinds:
            return None
        kind = " or ".join(dict.fromkeys(self._as_written(entry) for entry in kinds))
        spec = next(
            (at for at in (*_SPECS, _POD) if any(entry.path[:-2] == (*at, "containers") for entry in self._entries)),
            None,
        )
        if spec is None or (spec == _POD and kind != "Pod"):
            return None
        name = next((self._as_written(entry) for entry in self._entries if entry.path == ("metadata", "name")), "")
        home = next((entry for entry in self._entries if entry.path == spec), kinds[0])
        pod = tuple(self._taken(self._entries, (*spec, setting), setting, home) for setting in POD_SETTINGS)
        containers: list[ContainerTemplate] = []
        for group in ("initContainers", "containers"):
            at = (*spec, group)
            items: dict[tuple[str | int, ...], list[Entry]] = {}
            for entry in self._entries:
                if len(entry.path) > len(at) and entry.path[: len(at)] == at:
                    items.setdefault(entry.path[: len(at) + 1], []).append(entry)
            init = group != "containers"
            containers += [
                found
                for item, own in islice(items.items(), MOST_CONTAINERS)
                if (found := self._container(item, own, init)) is not None
            ]
        return WorkloadTemplate(self._source.path, kinds[0].line, kind, name, pod, tuple(containers), _LIVE[kinds[0].live])

    def _container(self, path: tuple[str | int, ...], own: list[Entry], init: bool) -> ContainerTemplate | None:
        """The container at a path, from what is written there and below."""
        if not isinstance(path[-1], int):
            return None
        if not any(entry.path[len(path) :] and not entry.inside for entry in own):
            return None  # all of it comes from values
        name = next((self._as_written(entry) for entry in own if entry.path == (*path, "name")), "")
        image = next((self._resolved(entry.value) for entry in own if entry.path == (*path, "image")), "")
        settings = tuple(self._taken(own, (*path, setting), setting, own[0]) for setting in CONTAINER_SETTINGS)
        return ContainerTemplate(name, init, image, settings, own[0].line, _LIVE[own[0].live])

    def _taken(self, entries: list[Entry], path: tuple[str | int, ...], setting: str, home: Entry) -> Taken:
        keys: list[str] = []
        parts: list[Written] = []
        place: Entry | None = None
        live: list[bool | None] = []
        for entry in entries:
            if entry.path[: len(path)] != path:
                continue
            place = place or entry
            rest = entry.path[len(path) :]
            holes = [self._expansion.holes[int(number)] for number in HOLE.findall(entry.value)]
            found = [".".join(key) for hole in holes for key in hole.keys.paths if key]
            if not rest and found:
                keys += found
                live += [hole.live for hole in holes]
            elif not rest or entry.inside:
                if entry.value and not rest:
                    parts.append(Written("", self._as_written(entry), _LIVE[entry.live], entry.line))
                keys += found if len(rest) == 1 and isinstance(rest[0], int) else []
                live.append(_LIVE[entry.live])
            elif entry.value or isinstance(rest[-1], str):
                dotted = ".".join(str(part) for part in rest)
                value = f"{{{found[0]}}}" if found else self._as_written(entry) if entry.value else ""
                if value:
                    parts.append(Written(dotted, value, _LIVE[entry.live], entry.line))
                    live.append(_LIVE[entry.live])
        at = place or home
        # What is not written at all is not written whatever the values are.
        means = True if True in live else None if None in live else not live
        return Taken(
            setting, tuple(dict.fromkeys(keys)), tuple(dict.fromkeys(parts)), self._sources[at.file].path, at.line, means
        )

    def _as_written(self, entry: Entry) -> str:
        """What stands behind a key in the template itself."""
        text = MARK.sub("", entry.value)
        if HOLE.search(text):
            if entry.file not in self._lines:
                self._lines[entry.file] = self._sources[entry.file].text.split("\n")
            line = self._lines[entry.file][entry.line - 1].strip().removeprefix("- ")
            _, colon, behind = line.partition(": ")
            return behind.strip().strip("\"'") if colon else line
        return text.strip().strip("\"'")

    def _resolved(self, value: str) -> str:
        """A value with what the chart's own values put into it; empty where that is not known."""
        found: list[str] = []
        live = "+"
        at = 0
        while at < len(value):
            if (mark := MARK.match(value, at)) is not None:
                live, at = mark.group(3), mark.end()
                continue
            hole = HOLE.match(value, at)
            end = hole.end() if hole else at + 1
            if hole is not None:
                filled = self._expansion.holes[int(hole.group(1))]
                if filled.live is not False:
                    text = self._text(filled.keys) if filled.live else None
                    if text is None:
                        return ""
                    found.append(text)
            elif live == "?":
                return ""
            elif live == "+":
                found.append(value[at])
            at = end
        image = "".join(found).strip().strip("\"'").lstrip("/")
        return image if _IMAGE.fullmatch(image) and not image.endswith((":", "@", "/")) else ""

    def _text(self, keys: Keys) -> str | None:
        if not keys.paths or any("*" in path for path in keys.paths):
            return None
        for path in keys.paths:
            found = default(self._defaults, path)
            text = text_of(found.node) if found else None
            if text:
                return text
        return keys.otherwise or ""


_LIVE: dict[str, bool | None] = {"+": True, "-": False, "?": None}
