"""What an expression of a Python program may be, followed through names, modules, calls and variables. Judges nothing.

An expression has up to `_MOST` possible values. Text may have holes (`HOLE`) for what is not known before the program runs:
`f"/data/{name}.json"` is "/data/", a hole, ".json". What is called stays a name: `socket.socket()` is `Name("socket.socket()")`.
"""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator
from itertools import product
from typing import Any

from hardener.needs.source.python_files import Project
from hardener.needs.source.python_scopes import Binding, Module, Scope
from hardener.record import NamedTuple

HOLE = "\0"
_CONVERSIONS = frozenset("Path PurePath str abspath realpath normpath expanduser resolve absolute rstrip strip".split())
_MOST = 16
_DEEPEST = 40
_LONGEST_NAME = 120
#: A program in which more expressions than this must be followed is not followed further.
_MOST_STEPS = 300_000


class Path(str):
    """Text that is a `pathlib.Path`."""

    __slots__ = ()


class Name(NamedTuple):
    """Something of a library or of Python itself: `os.chown`, `flask.Flask().config`, `open`."""

    name: str


class Own(NamedTuple):
    """A function ("def"), class ("class"), module ("module", with its path), or object of a class ("object") of the project."""

    kind: str
    node: Any
    scope: Any = None


class Items(NamedTuple):
    """A list or tuple; each item with its possible values. `more`: there may be other items as well."""

    items: tuple[tuple[Any, ...], ...]
    more: bool = False


class Table(NamedTuple):
    """A dict display."""

    node: ast.Dict
    scope: Scope


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = _Unknown()
Value = Any
Values = tuple[Value, ...]
OPEN: Values = (UNKNOWN,)


def text_of(value: Value) -> str:
    """A value as part of a text."""
    return str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else HOLE


class Reader:
    """Evaluates expressions of one project."""

    def __init__(self, project: Project) -> None:
        from hardener.needs.source.python_known import Known
        from hardener.needs.source.python_members import Members

        self.project = project
        self.program = project.program
        self.known = Known(self)
        self.members = Members(self)
        self._busy: set[tuple[Any, ...]] = set()
        self._done: dict[tuple[Any, ...], Values] = {}
        self._depth = self._cuts = self._steps = 0
        self._parameters: Any = None

    def values(self, node: ast.expr | None, scope: Scope) -> Values:
        """What an expression may be, at least one value; `UNKNOWN` among them where that is not all."""
        key = (node, scope)
        if key in self._done:
            return self._done[key]
        if node is None or self._depth > _DEEPEST or key in self._busy or self._steps > _MOST_STEPS:
            self._cuts += 1
            return OPEN
        cuts = self._cuts
        self._steps += 1
        self._busy.add(key)
        self._depth += 1
        try:
            method = getattr(self, "_" + type(node).__name__, None)
            found = _few(method(node, scope)) if method is not None else OPEN
        finally:
            self._depth -= 1
            self._busy.discard(key)
        # What was cut short may be more elsewhere.
        if self._depth == 0 or self._cuts == cuts:
            self._done[key] = found
        return found

    def texts(self, node: ast.expr | None, scope: Scope) -> tuple[str, ...]:
        """The texts that an expression may be, a hole alone for what is none."""
        return tuple(dict.fromkeys(text_of(value) for value in self.values(node, scope)))

    # Plain values.

    def _Constant(self, node: ast.Constant, scope: Scope) -> Values:
        value = node.value
        return (value,) if isinstance(value, (str, int, float)) or value is None else OPEN

    def _JoinedStr(self, node: ast.JoinedStr, scope: Scope) -> Values:
        parts = [self.texts(part, scope) for part in node.values]
        return tuple("".join(chosen) for chosen in _choices(parts))

    def _FormattedValue(self, node: ast.FormattedValue, scope: Scope) -> Values:
        return self.texts(node.value, scope) if node.format_spec is None else (HOLE,)

    def _BinOp(self, node: ast.BinOp, scope: Scope) -> Iterator[Value]:
        lefts, rights = self.values(node.left, scope), self.values(node.right, scope)
        for left, right in _choices((lefts, rights)):
            if isinstance(node.op, ast.Div) and isinstance(right, str):
                yield Path(posixpath.join(text_of(left), right))
            elif isinstance(node.op, ast.Div) and isinstance(left, Path):
                yield Path(posixpath.join(left, HOLE))
            elif isinstance(node.op, ast.Add) and (isinstance(left, str) or isinstance(right, str)):
                yield text_of(left) + text_of(right)
            elif isinstance(node.op, ast.Add) and isinstance(left, int) and isinstance(right, int):
                yield left + right
            elif isinstance(node.op, ast.Add) and isinstance(left, Items):
                more = right.items if isinstance(right, Items) else ()
                yield Items(left.items + more, left.more or not isinstance(right, Items) or right.more)
            elif isinstance(node.op, ast.Mod) and isinstance(left, str):
                yield self.known.percent(left, right)
            else:
                yield UNKNOWN

    def _BoolOp(self, node: ast.BoolOp, scope: Scope) -> Iterator[Value]:
        last = len(node.values) - 1
        for at, one in enumerate(node.values):
            for value in self.values(one, scope):
                if at == last or not isinstance(node.op, ast.Or) or (value not in ("", None, 0)):
                    yield value
            values = self.values(one, scope)
            if isinstance(node.op, ast.Or) and all(isinstance(v, (str, int)) and v and v != HOLE for v in values):
                return

    def _IfExp(self, node: ast.IfExp, scope: Scope) -> Values:
        return self.values(node.body, scope) + self.values(node.orelse, scope)

    def _Await(self, node: ast.Await, scope: Scope) -> Values:
        return self.values(node.value, scope)

    def _NamedExpr(self, node: ast.NamedExpr, scope: Scope) -> Values:
        return self.values(node.value, scope)

    def _List(self, node: Any, scope: Scope) -> Values:
        items: list[Values] = []
        more = False
        for one in node.elts:
            if isinstance(one, ast.Starred):
                inner = self.values(one.value, scope)
                if len(inner) == 1 and isinstance(inner[0], Items) and not inner[0].more:
                    items += inner[0].items
                else:
                    more = True
            else:
                items.append(self.values(one, scope))
        return (Items(tuple(items), more),)

    _Tuple = _Set = _List

    def _Dict(self, node: ast.Dict, scope: Scope) -> Values:
        return (Table(node, scope),)

    # Names and what belongs to them.

    def _Name(self, node: ast.Name, scope: Scope) -> Values:
        return self.named(node.id, scope)

    def named(self, name: str, scope: Scope) -> Values:
        """What a name may be in a scope."""
        if name == HOLE:
            return OPEN
        at: Scope | None = scope
        while at is not None:
            if name in at.names and (at is scope or at.kind != "class"):
                found = self.of_bindings(at.names[name])
                grown = scope.module.grown.get(name)
                return tuple(_grown(value, grown) for value in found) if grown else found
            at = at.parent
        for base, level in scope.module.scope.stars:
            found = self._from(base, level, name, scope.module, star=True)
            if found:
                return found
        if name == "__file__":
            return (scope.module.path,)
        return (Name(name),)

    def of_bindings(self, bindings: list[Binding]) -> Values:
        """What a name may be that is bound in these ways."""
        key = ("bound", id(bindings))
        if len(bindings) > _MOST or self._depth > _DEEPEST:
            self._cuts += 1
            return OPEN
        again = key in self._busy
        found: list[Value] = []
        self._busy.add(key)
        self._depth += 1
        for binding in bindings:
            if again and (binding.node, binding.scope) in self._busy:
                # `p = Path(p)` adds nothing to what `p` is, any other circle may.
                self._cuts += 1
                found += () if _is_conversion(binding.node) else OPEN
            elif again and binding.kind not in ("value", "item", "entered"):
                self._cuts += 1
                found += OPEN
            else:
                found += self._bound(binding)
        self._depth -= 1
        if not again:
            self._busy.discard(key)
        return tuple(found)

    def _bound(self, binding: Binding) -> Values:
        kind, node, scope, detail = binding
        if kind == "value":
            return self.values(node, scope)
        if kind == "entered":
            return tuple(self.known.entered(value) for value in self.values(node, scope))
        if kind == "item":
            return tuple(self._items(self.values(node, scope)))
        if kind in ("def", "class"):
            return (Own(kind, node, scope),)
        if kind == "import":
            found = self._own_module(detail, 0, scope.module)
            return (found,) if found else (Name(detail),)
        if kind == "from":
            base, level, name = detail
            return self._from(base, level, name, scope.module) or OPEN
        if kind == "parameter":
            return self._parameter(node, detail, binding)
        return OPEN

    def _items(self, values: Values) -> Iterator[Value]:
        for value in values:
            if isinstance(value, Items):
                for item in value.items:
                    yield from item
                if value.more or not value.items:
                    yield UNKNOWN
            elif isinstance(value, Name):
                yield Name(f"{value.name}[]")
            else:
                yield UNKNOWN

    def _own_module(self, name: str, level: int, module: Module) -> Own | None:
        path = self.project.find(name, level, module.package, further=True)
        return Own("module", path) if path is not None else None

    def _from(self, base: str, level: int, name: str, module: Module, star: bool = False) -> Values:
        path = self.project.find(base, level, module.package, further=True) if base or level else None
        if path is None:
            if level:
                return () if star else OPEN
            return (Name(f"{base}.{name}"),) if not star or self.known.has(f"{base}.{name}") else ()
        return self.of_module(path, name, star)

    def of_module(self, path: str, name: str, star: bool = False) -> Values:
        """What a name is in a module of the project."""
        module = self.project.modules.get(path)
        if module is not None and name in module.scope.names:
            return self.of_bindings(module.scope.names[name]) + self.members.stored(name)
        if module is not None and not star and module.scope.stars:
            found = self.named(name, module.scope)
            if found != (Name(name),):
                return found
        if module is not None and name == "__file__":
            return (path,)
        folder = posixpath.dirname(path) if path.endswith("/__init__.py") else "" if path.endswith(".py") else path
        inner = self.project.find(name, 1, folder) if folder else None
        if inner is not None and not star:
            return (Own("module", inner),)
        return () if star else OPEN

    def _Attribute(self, node: ast.Attribute, scope: Scope) -> Iterator[Value]:
        for value in self.values(node.value, scope):
            yield from self.attribute(value, node.attr)

    def attribute(self, value: Value, name: str) -> Values:
        """What an attribute of a value may be."""
        if isinstance(value, Name):
            return self.known.attribute(value.name, name)
        if isinstance(value, Path):
            return self.known.path_attribute(value, name)
        if isinstance(value, Own):
            if value.kind == "module":
                return self.of_module(value.node, name)
            if value.kind in ("class", "object"):
                return self.members.values(value, name)
        if value is UNKNOWN and name.isupper():
            return self.configured(name)
        return OPEN

    def bases(self, own: Own) -> Values:
        """What a class of the project is derived from."""
        return tuple(value for base in own.node.bases for value in self.values(base, own.scope))

    def ancestors(self, own: Own, depth: int = 0) -> Iterator[str]:
        """The names of the classes of libraries that a class of the project is derived from."""
        for base in self.bases(own):
            if isinstance(base, Name):
                yield base.name
            elif isinstance(base, Own) and base.kind == "class" and depth < 8:
                yield from self.ancestors(base, depth + 1)

    def configured(self, key: str) -> Values:
        """What a setting of this name may be, wherever the project sets one: by key, or as a name of a class or module."""
        found: list[Value] = []
        for module in self.project.modules.values():
            found += self.of_bindings(module.keys.get(key, []))
            found += self.of_bindings(module.attributes.get(key, []))
            for scope in (module.scope, *(one for one in module.scopes.values() if one.kind == "class")):
                if scope.names.get(key):
                    found += self.of_bindings(scope.names[key])
        return tuple(found) or OPEN

    def _Subscript(self, node: ast.Subscript, scope: Scope) -> Iterator[Value]:
        index = self.values(node.slice, scope)
        key = index[0] if len(index) == 1 else UNKNOWN
        for value in self.values(node.value, scope):
            yield from self.item(value, key)

    def item(self, value: Value, key: Value) -> Values:
        """What stands under a key or number of a value."""
        if isinstance(value, Table):
            for name, item in zip(value.node.keys, value.node.values, strict=True):
                if isinstance(name, ast.Constant) and name.value == key:
                    return self.values(item, value.scope)
            return OPEN
        if isinstance(value, Items):
            if isinstance(key, int) and not value.more and -len(value.items) <= key < len(value.items):
                chosen: Values = value.items[key]
                return chosen
            return OPEN
        found = self.known.item(value, key)
        if found:
            return found
        return self.configured(key) if isinstance(key, str) and key.isupper() else OPEN

    # Calls.

    def _Call(self, node: ast.Call, scope: Scope) -> Iterator[Value]:
        for called in self.values(node.func, scope):
            yield from self.result(called, node, scope)

    def called(self, node: ast.Call, scope: Scope) -> Values:
        """What a call calls."""
        return self.values(node.func, scope)

    def result(self, called: Value, node: ast.Call, scope: Scope) -> Values:
        """What a call of something gives."""
        if isinstance(called, Own):
            if called.kind == "class":
                return (called._replace(kind="object"),)
            if called.kind == "def":
                sites = called.scope.module.returns.get(called.node, ())
                return tuple(value for site in sites for value in self.values(site.node, site.scope)) or (None,)
        if isinstance(called, Name):
            if len(called.name) > _LONGEST_NAME:
                return OPEN
            return self.known.call(called.name, node, scope)
        if isinstance(node.func, ast.Attribute):
            return self.known.method(node, scope)
        return OPEN

    def _parameter(self, function: Any, at: int, binding: Binding) -> Values:
        from hardener.needs.source.python_parameters import Parameters

        if self._parameters is None:
            self._parameters = Parameters(self)
        found: Values = self._parameters.values(function, at, binding)
        return found


def _grown(value: Value, how: str) -> Value:
    return Items(value.items if how == "end" else (), True) if isinstance(value, Items) else value


def _is_conversion(node: Any) -> bool:
    """Whether an expression gives what it is given, in another form: `Path(x)`, `os.path.abspath(x)`, `x.resolve()`."""
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""
    return name in _CONVERSIONS


def _few(values: Any) -> Values:
    # A path and its text are equal, and not the same.
    found = tuple({(type(value), value): value for value in values}.values())
    return found if 0 < len(found) <= _MOST else OPEN


def _choices(parts: Any) -> Iterator[tuple[Any, ...]]:
    """All ways to choose one of each, `_MOST` at most."""
    count = 1
    for part in parts:
        count *= len(part)
    if count <= _MOST:
        yield from product(*parts)
    else:
        yield tuple(
            part[0] if len(part) == 1 else (HOLE if any(isinstance(one, str) for one in part) else UNKNOWN) for part in parts
        )
