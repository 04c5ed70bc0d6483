"""What people can do about a Helm template: which values to set, and what only the template can say. Knows no rule.

What is asked for is the level `restricted` of Kubernetes' Pod Security Standards. That the image then still works is not said.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from hardener.facts.kubernetes.chart import Chart, ContainerTemplate, Taken, WorkloadTemplate, read_charts
from hardener.facts.merged import text_of
from hardener.report import Trouble
from hardener.syntax import yaml
from hardener.syntax.yaml import Node

if TYPE_CHECKING:
    from hardener.facts.tree import Tree
    from hardener.source import Source

#: A note is one sentence to read, not a listing.
_LONGEST = 320
#: What the level asks for in either place, and what only a container can say (Pod Security Standards, "Restricted").
_OF_EITHER = (("runAsNonRoot", "true"), ("seccompProfile.type", "RuntimeDefault"))
_OF_CONTAINER = (("allowPrivilegeEscalation", "false"), ("capabilities.drop", "[ALL]"))
_NOT_REWRITTEN = "a Helm template, which is not rewritten"


def chart_notes(chart: Chart) -> Iterator[Trouble]:
    """A note for each template of a chart that has a pod, and for each that could not be read; none for tests and libraries."""
    if chart.library:
        return
    for workload in chart.workloads:
        if "/tests/" not in workload.file:
            yield Trouble(workload.file, workload.line, f"{_NOT_REWRITTEN}: {workload.kind}", _remedy(chart, workload))
    for file, line, _ in chart.unread:
        yield Trouble(file, line, _NOT_REWRITTEN, run_what_it_makes(chart.folder))


def run_what_it_makes(folder: str) -> str:
    """What helps with any chart."""
    return f"run harden on what it makes: `helm template {folder or '.'} | harden --diff -`"


def template_notes(top: str, templates: Mapping[str, Source], tree: Tree) -> Iterator[Trouble]:
    """The notes for templates of the chart in a folder, by location; for one alone, none for the rest of its chart."""
    location, source = next(iter(templates.items()))
    inside = _inside(top, location)
    # From inside a chart its files have shorter names than the chart itself has.
    within = source.path == inside or source.path.endswith(f"/{inside}")
    folder = (source.path.removesuffix(inside).rstrip("/") if within else os.path.relpath(top).replace(os.sep, "/")) or "."
    charts = read_charts(top, folder, tree)
    prefix = "" if folder == "." else f"{folder}/"
    names = {prefix + _inside(top, at): text.path for at, text in templates.items()}
    for note in (note for chart in charts for note in chart_notes(chart)):
        if len(names) > 1 or note.path in names:
            yield note._replace(path=names.get(note.path, note.path))
    if not charts:
        yield from (Trouble(path, 0, _NOT_REWRITTEN, run_what_it_makes(folder)) for path in sorted(names.values()))


def _inside(top: str, location: str) -> str:
    return os.path.relpath(location, top).replace(os.sep, "/")


def _remedy(chart: Chart, workload: WorkloadTemplate) -> str:
    asks = _Asks(chart, workload)
    first: list[str] = []
    if asks.values:
        file = chart.values[0]
        absent = ", which is not there yet" if file.source is None else ""
        first.append(f"set in {file.path}{absent}: {_listed(asks.values)}")
    if asks.template:
        first.append(f"no value reaches this, write it into the template: {_listed(asks.template)}")
    if asks.hidden:
        first.append(f"behind a condition that does not hold with the chart's own values: {_listed(asks.hidden)}")
    if not first:
        first.append("its values ask for all of the restricted level already")
    images = dict.fromkeys(one.image for one in _shown(workload) if one.image and not one.init)
    if images and asks.values:
        first.append(f"not tried with the image, by default {' and '.join(images)}")
    return _cut([*first, *asks.besides])


def _listed(asks: Mapping[str, Mapping[str, str]]) -> str:
    """Each place with what to write there."""
    each = [
        f"{at}: {', '.join(f'{path}: {value}' if path else value for path, value in asked.items())}" for at, asked in asks.items()
    ]
    return "; ".join(each)


def _cut(sentences: list[str]) -> str:
    """As many sentences as a note has room for, the first whatever its length."""
    found = sentences[0] if len(sentences[0]) <= _LONGEST else sentences[0][: _LONGEST - 1].rpartition("; ")[0] + "; ..."
    for sentence in sentences[1:]:
        if len(found) + len(sentence) + 2 <= _LONGEST:
            found += f". {sentence[0].upper()}{sentence[1:]}"
    return found


def _shown(workload: WorkloadTemplate) -> list[ContainerTemplate]:
    """The containers that are there with the chart's own values; all where none is."""
    return [one for one in workload.containers if one.live is not False] or list(workload.containers)


class _Asks:
    """What is missing: `values` to set, what the `template` has no place for, and what would be good `besides`."""

    def __init__(self, chart: Chart, workload: WorkloadTemplate) -> None:
        self._chart = chart
        self._file = workload.file
        self.values: dict[str, dict[str, str]] = {}
        self.template: dict[str, dict[str, str]] = {}
        self.hidden: dict[str, dict[str, str]] = {}
        pod = workload.setting("securityContext")
        says = self._says(pod)
        containers = _shown(workload)
        for one in containers:
            context = one.setting("securityContext")
            own = self._says(context)
            for path, value in _OF_CONTAINER:
                if not _asked(own, path, value):
                    self._ask(context, f"`{one.name}`", path, value)
            for path, value in _OF_EITHER:
                if not _asked(own, path, value) and not (_asked(says, path, value) and not _denied(own, path)):
                    either = pod if pod.written or not context.keys else context
                    self._ask(either, "the pod" if either is pod else f"`{one.name}`", path, value)
        self.besides = list(self._besides(workload, containers))

    def _ask(self, setting: Taken, whose: str, path: str, value: str) -> None:
        for part in setting.parts:
            if part.path == path and part.text.startswith("{") and part.live is not False:
                self.values.setdefault(self._key(part.text[1:-1]), {})[""] = value
                return
        hidden = next((part for part in setting.parts if part.path == path and part.text[:1] in ("{", value[:1])), None)
        key = self._first(setting)
        if key:
            asked = self.values.setdefault(self._key(key), {})
            enabled = self._chart.value(f"{key}.enabled")
            if enabled is not None and text_of(enabled.node) == "false":
                asked["enabled"] = "true"
        elif hidden is not None and hidden.live is False:
            asked = self.hidden.setdefault(f"line {hidden.line}", {})
        else:
            line = f"line {setting.line}" if setting.file == self._file else f"{setting.file}:{setting.line}"
            asked = self.template.setdefault(f"securityContext of {whose} ({line})", {})
        asked[path] = value

    def _first(self, setting: Taken) -> str:
        """The key to set: the first that the values know, or the first at all."""
        return next((key for key in setting.keys if self._chart.value(key) is not None), setting.keys[0] if setting.keys else "")

    def _key(self, key: str) -> str:
        shown = f"`{'.'.join((*self._chart.below, key)).replace('*', '<each>')}`"
        found = self._chart.value(key)
        if found is None:
            return shown
        now = ""
        if isinstance(found.node, (yaml.Mapping, yaml.Sequence)):
            now = "" if _flat(found.node) else ", now {}" if isinstance(found.node, yaml.Mapping) else ", now []"
        elif text_of(found.node) is not None and len(text_of(found.node) or "") < 20:
            now = f", now {text_of(found.node)}"
        place = f"line {found.line}" if found.file == self._chart.values[0].path else f"{found.file}:{found.line}"
        return f"{shown} ({place}{now})"

    def _says(self, setting: Taken) -> dict[str, str]:
        """What is asked for with the chart's own values, by dotted path."""
        found: dict[str, str] = {}
        for key in setting.keys:
            value = self._chart.value(key)
            if value is not None and (flat := _flat(value.node)):
                if flat.get("enabled") != "false":
                    found.update(flat)
                break
        for part in setting.parts:
            if part.live is not True:
                continue
            if part.text.startswith("{") and part.text.endswith("}") and len(part.text) > 2:
                value = self._chart.value(part.text[1:-1])
                inside = _flat(value.node) if value is not None else {}
                found.update({f"{part.path}.{path}".strip("."): text for path, text in inside.items()})
            else:
                found[part.path] = part.text
        return found

    def _besides(self, workload: WorkloadTemplate, containers: list[ContainerTemplate]) -> Iterator[str]:
        limits = dict.fromkeys(
            self._first(one.setting("resources"))
            for one in containers
            if one.setting("resources").keys
            and not any(path.startswith("limits.") for path in self._says(one.setting("resources")))
        )
        if limits:
            yield "limits go to " + " and ".join(self._key(key) for key in limits)
        token = workload.setting("automountServiceAccountToken")
        if token.parts and token.keys == () and "false" in {part.text for part in token.parts}:
            return
        if token.keys and self._says(token).get("") != "false":
            yield f"a pod that never asks the API server needs no token: {self._key(token.keys[0])}: false"


def _asked(says: dict[str, str], path: str, value: str) -> bool:
    if path == "capabilities.drop":
        return any(one.startswith(path) and "ALL" in text for one, text in says.items())
    if path == "seccompProfile.type":
        return says.get(path, "") in ("RuntimeDefault", "Localhost")
    return says.get(path) == value


def _denied(says: dict[str, str], path: str) -> bool:
    """Whether a container takes back what its pod asks for."""
    return path in says


def _flat(node: Node, path: str = "") -> dict[str, str]:
    """The scalars of a value by dotted path, what is null left out; an own text under the empty one."""
    found: dict[str, str] = {}
    waiting: list[tuple[Node, str]] = [(node, path)]
    while waiting and len(found) < 200:
        at, name = waiting.pop()
        if isinstance(at, yaml.Mapping):
            waiting += [(pair.value, f"{name}.{text_of(pair.key) or ''}".strip(".")) for pair in at.pairs]
        elif isinstance(at, yaml.Sequence):
            waiting += [(item, f"{name}.{number}".strip(".")) for number, item in enumerate(at.items)]
        elif (text := text_of(at)) is not None:
            found[name] = text
    return found
