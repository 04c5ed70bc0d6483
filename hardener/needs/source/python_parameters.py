"""What a parameter of a function may be: what all calls of the function pass, as far as they are all seen. Judges nothing."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from hardener.needs.source.python_scopes import Binding, Scope
from hardener.needs.source.python_values import HOLE, OPEN, Name, Own, Path, Value, Values, text_of

if TYPE_CHECKING:
    from hardener.needs.source.python_values import Reader


class Parameters:
    """The calls of one project's functions."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._callers: dict[str, list[tuple[ast.Call, Scope]]] | None = None
        self._passed: set[str] | None = None

    def values(self, function: Any, at: int, binding: Binding) -> Values:
        """What the parameter at a place (-1: one that is only given by name) may be."""
        scope = binding.scope
        arguments = function.args
        names = [one.arg for one in (*arguments.posonlyargs, *arguments.args)]
        owner = scope.parent if scope.parent is not None and scope.parent.kind == "class" else None
        if owner is not None and at == 0 and not _is_static(function):
            return (Own("object" if not _is_class_method(function) else "class", owner.node, owner.parent),)
        parameter = names[at] if at >= 0 else next(name for name, them in scope.names.items() if binding in them)
        annotation = self._annotated(function, parameter, scope)
        title = getattr(function, "name", "")
        if title == "__init__" and owner is not None:
            title = owner.node.name
        if not title or getattr(function, "decorator_list", None) or self._is_passed(title) or self._is_theirs(owner):
            return (Path(HOLE),) if annotation else OPEN
        shift = 1 if owner is not None and not _is_static(function) else 0
        default = self._default(arguments, names, parameter, scope)
        found: list[Value] = []
        for call, where in self._calls_of(title):
            if any(isinstance(one, ast.Starred) for one in call.args) or any(one.arg is None for one in call.keywords):
                return (Path(HOLE),) if annotation else OPEN
            given = next((one.value for one in call.keywords if one.arg == parameter), None)
            if given is None and at >= 0 and at - shift < len(call.args):
                given = call.args[at - shift]
            found += self.reader.values(given, where) if given is not None else default
        found = found or list(default)
        return tuple(Path(text_of(value)) if annotation and not isinstance(value, Path) else value for value in found)

    def _is_theirs(self, owner: Scope | None) -> bool:
        """Whether a library may call the methods of a class, because it is derived from one of the library's."""
        if owner is None or owner.parent is None:
            return False
        return any(self.reader.ancestors(Own("class", owner.node, owner.parent)))

    def _default(self, arguments: ast.arguments, names: list[str], parameter: str, scope: Scope) -> Values:
        outer = scope.parent or scope
        if parameter in names:
            at = names.index(parameter) - len(names) + len(arguments.defaults)
            return self.reader.values(arguments.defaults[at], outer) if at >= 0 else OPEN
        for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            if one.arg == parameter and default is not None:
                return self.reader.values(default, outer)
        return OPEN

    def _annotated(self, function: Any, parameter: str, scope: Scope) -> bool:
        """Whether a parameter is said to be a `Path`."""
        every = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
        annotation = next((one.annotation for one in every if one.arg == parameter), None)
        return isinstance(annotation, (ast.Name, ast.Attribute)) and Name("pathlib.Path") in self.reader.values(annotation, scope)

    def _calls_of(self, name: str) -> list[tuple[ast.Call, Scope]]:
        if self._callers is None:
            self._callers = {}
            for module in self.reader.project.modules.values():
                for node, scope in module.calls:
                    if isinstance(node, ast.Call):
                        self._callers.setdefault(_last(node.func), []).append((node, scope))
        return self._callers.get(name, [])

    def _is_passed(self, name: str) -> bool:
        """Whether a function is mentioned somewhere without being called, so that it may be called by others."""
        if self._passed is None:
            modules = self.reader.project.modules.values()
            self._passed = {_last(site.node) for module in modules for site in module.mentions}
        return name in self._passed


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _is_static(function: Any) -> bool:
    return any(isinstance(one, ast.Name) and one.id == "staticmethod" for one in getattr(function, "decorator_list", ()))


def _is_class_method(function: Any) -> bool:
    return any(isinstance(one, ast.Name) and one.id == "classmethod" for one in getattr(function, "decorator_list", ()))
