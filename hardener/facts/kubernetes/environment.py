"""The environment of a container of a pod: its variables, where they are written, and how one is set. Knows no rule."""

from __future__ import annotations

import re

from hardener.errors import CannotWrite
from hardener.facts.container import Setting, Variable
from hardener.facts.kubernetes.cluster import Cluster
from hardener.facts.kubernetes.manifest import Scope
from hardener.facts.kubernetes.pod import Member
from hardener.facts.merged import text_of
from hardener.finding import Change, Place
from hardener.syntax.yaml import Mapping

_ENV = "env"
#: The kernel takes no longer text for a variable or an argument (execve(2), MAX_ARG_STRLEN).
_LONGEST = 128 * 1024


def read_environment(member: Member, cluster: Cluster) -> tuple[dict[str, str | None], tuple[str, ...]]:
    """The variables that the container gets, None for a value that is not known here; and what has more that are not here."""
    found: dict[str, str | None] = {}
    missing: list[str] = []
    for node, _ in member.items("envFrom"):
        if not isinstance(node, Mapping):
            continue
        scope = Scope(member.file, node, None)
        prefix, name = scope.text("prefix") or "", scope.text("configMapRef", "name")
        data = cluster.config_map(name, member.pod) if name else None
        if data is None:
            missing.append(name or scope.text("secretRef", "name") or "envFrom")
        else:
            found |= {prefix + key: value for key, value in data.items()}
    for node, _ in member.items(_ENV):
        if isinstance(node, Mapping) and (name := text_of(node.get("name"))):
            found[name] = _value(member, node, cluster, found)
    return found, tuple(missing)


def _value(member: Member, node: Mapping, cluster: Cluster, before: dict[str, str | None]) -> str | None:
    value = node.get("value")
    if node.get("valueFrom") is None:
        return expand(text_of(value) or "", before) if value is not None else ""
    scope = Scope(member.file, node, None)
    name, key = scope.text("valueFrom", "configMapKeyRef", "name"), scope.text("valueFrom", "configMapKeyRef", "key")
    data = cluster.config_map(name, member.pod) if name else None
    return data.get(key or "") if data is not None else None


def expand(text: str, variables: dict[str, str | None]) -> str | None:
    """A text with its `$(NAME)` replaced and `$$` halved; None where a variable is not known, or nothing can be so long.

    What is not defined stays as it is written (kubernetes, third_party/forked/golang/expansion/expand.go).
    """
    if "$(" not in text and "$$" not in text:
        return text
    unknown, length = False, len(text)

    def replace(match: re.Match[str]) -> str:
        nonlocal unknown, length
        if match[0] == "$$":
            return "$"
        value = variables.get(match[1], match[0])
        length += len(value or "")  # a few variables that name each other twice would fill any memory
        unknown = unknown or value is None or length > _LONGEST
        return "" if unknown or value is None else value

    replaced = re.sub(r"\$\$|\$\(([^)]*)\)", replace, text)
    return None if unknown else replaced


def written_variables(member: Member) -> tuple[Variable, ...]:
    """The variables that the manifest gives a value, as it is written there; the last one of a name wins."""
    found: dict[str, Variable] = {}
    for node, _ in member.items(_ENV):
        if isinstance(node, Mapping) and (name := text_of(node.get("name"))) and (text := text_of(node.get("value"))) is not None:
            found[name] = Variable(name, text, member.file.place(node))
    return tuple(found.values())


class EnvironmentVariable(Setting[str | None]):
    """One variable of the environment."""

    __slots__ = ("_member", "_name")

    def __init__(self, member: Member, name: str, value: str | None, place: Place, *, written: bool) -> None:
        super().__init__(value, written=written, place=place, wording=name)
        self._member = member
        self._name = name

    def to(self, new: str | None) -> tuple[Change, ...]:
        """Write the variable into the container's own `env`, which wins over `envFrom`."""
        if new == self.effective:
            return ()
        if new is None:
            raise CannotWrite("a variable is never taken away")
        for node, route in self._member.items(_ENV):
            if isinstance(node, Mapping) and text_of(node.get("name")) == self._name:
                if route is None or node.get("valueFrom") is not None:
                    raise CannotWrite(f"{self._name} gets its value from elsewhere: set it there")
                return Scope(self._member.file, node, route).put(("value",), new)
        return self._member.add((_ENV,), [{"name": self._name, "value": new}])
