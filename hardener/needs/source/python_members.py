"""What an attribute of a class or object of a Python program may be, with what is derived from it. Judges nothing."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from hardener.needs.source.python_scopes import Binding
from hardener.needs.source.python_values import OPEN, Name, Own, Value, Values

if TYPE_CHECKING:
    from hardener.needs.source.python_values import Reader

_DEEPEST = 8
_PROPERTIES = frozenset(("property", "cached_property"))


class Members:
    """The attributes of one project's classes and modules."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._derived: dict[str, list[Own]] | None = None

    def values(self, own: Own, name: str, depth: int = 0) -> Values:
        """What an attribute may be: as the class, those above and below it and all who store to such an attribute say."""
        bindings = self._bindings(own, name)
        settings = self.reader.known.setting(own, name, bool(bindings))
        if settings:
            return settings
        found: list[Value] = []
        if bindings:
            found += self._of(bindings)
        elif depth < _DEEPEST:
            found += self._above(own, name, depth)
        if depth == 0:
            for one in self._below(own):
                found += self._of(self._bindings(one, name))
            found += self.stored(name)
        return tuple(found) or OPEN

    def stored(self, name: str) -> Values:
        """What is stored under an attribute of something that is not `self`: it may be of any class or module."""
        modules = self.reader.project.modules.values()
        return tuple(value for module in modules for value in self._of(module.attributes.get(name, [])))

    def _bindings(self, own: Own, name: str) -> list[Binding]:
        module = own.scope.module
        inner = module.scopes.get(own.node)
        found: list[Binding] = list(inner.names.get(name, ())) if inner is not None else []
        found += module.own.get((own.node, name), ())
        return found

    def _of(self, bindings: list[Binding]) -> Values:
        """As `Reader.of_bindings`, with what a property returns in place of its function."""
        found: list[Value] = []
        for value in self.reader.of_bindings(bindings) if bindings else ():
            if isinstance(value, Own) and value.kind == "def" and _is_property(value.node):
                sites = value.scope.module.returns.get(value.node, ())
                found += [one for site in sites for one in self.reader.values(site.node, site.scope)]
            else:
                found.append(value)
        return tuple(found)

    def _above(self, own: Own, name: str, depth: int) -> Values:
        for base in self.reader.bases(own):
            if isinstance(base, Own) and base.kind == "class":
                found = self.values(base._replace(kind=own.kind), name, depth + 1)
                if found != OPEN:
                    return found
            elif isinstance(base, Name):
                return self.reader.known.attribute(f"{base.name}()" if own.kind == "object" else base.name, name)
        return OPEN

    def _below(self, own: Own) -> list[Own]:
        """The classes that are derived from one, by name, since who asks may be an object of any of them."""
        if self._derived is None:
            self._derived = {}
            for module in self.reader.project.modules.values():
                for node, scope in module.scopes.items():
                    if scope.kind != "class":
                        continue
                    for base in node.bases:
                        title = base.attr if isinstance(base, ast.Attribute) else base.id if isinstance(base, ast.Name) else ""
                        self._derived.setdefault(title, []).append(Own("class", node, scope.parent))
        found: list[Own] = []
        waiting = list(self._derived.get(own.node.name, ()))
        while waiting and len(found) < 64:
            one = waiting.pop()
            if one not in found and one.node is not own.node:
                found.append(one)
                waiting += self._derived.get(one.node.name, ())
        return found


def _is_property(function: Any) -> bool:
    return any(
        (one.attr if isinstance(one, ast.Attribute) else one.id if isinstance(one, ast.Name) else "") in _PROPERTIES
        for one in function.decorator_list
    )
