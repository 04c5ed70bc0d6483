"""The names of a Python module: where each is bound, what is called, and what is mentioned. Knows no meaning of any of them.

The standard library's `ast` reads it, not libcst: nothing is rewritten here, `ast` gives the lines that evidence names, takes a
tenth of the time (0.3 ms against 3.6 ms for 2 KB) and spares the import of libcst (140 ms). libcst's scope and qualified name
providers look at one module at a time, while names here are followed from module to module.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import Any

from hardener.record import NamedTuple

#: Expressions nested deeper than this are not followed.
_DEEPEST = 150
_GROWING = frozenset(("append", "extend", "insert"))


class Binding(NamedTuple):
    """One way in which a name gets a value.

    `kind`: "value" (node), "item" (one of the items of node), "entered" (`with node as`), "import" (detail is the module),
    "from" (detail is module, level, name), "def", "class", "parameter" (node is the function), "unknown".
    """

    kind: str
    node: Any
    scope: Scope
    detail: Any = None


class Site(NamedTuple):
    """A call, or a name that is mentioned without being called."""

    node: ast.expr
    scope: Scope


class Scope:
    """A module, class or function with the names that are bound in it."""

    __slots__ = ("globals", "kind", "module", "names", "node", "parent", "stars")

    def __init__(self, kind: str, node: Any, parent: Scope | None, module: Module) -> None:
        self.kind = kind
        self.node = node
        self.parent = parent
        self.module = module
        self.names: dict[str, list[Binding]] = {}
        self.globals: set[str] = set()
        #: `from x import *`: module and level.
        self.stars: list[tuple[str, int]] = []

    def bind(self, name: str, kind: str, node: Any = None, detail: Any = None) -> None:
        """Note that a name gets a value here, or in the module for a name that is declared global."""
        target = self.module.scope if name in self.globals else self
        target.names.setdefault(name, []).append(Binding(kind, node, self, detail))

    @property
    def owner(self) -> Scope | None:
        """The class whose method this is, or stands in; None outside of classes."""
        scope: Scope | None = self
        while scope is not None and scope.kind != "class":
            scope = scope.parent
        return scope


class Module:
    """One file: its scopes, calls and imports. `package` is the folder that its relative imports start from."""

    def __init__(self, path: str, tree: ast.Module, main: bool) -> None:
        self.path = path
        #: Whether it may be what Python was started with, so that `if __name__ == "__main__"` holds.
        self.main = main
        self.scope = Scope("module", tree, None, self)
        #: Calls, and mentions of names that are not called.
        self.calls: list[Site] = []
        self.mentions: list[Site] = []
        #: Dict displays, which may configure something.
        self.tables: list[Site] = []
        #: String constants that are no docstrings.
        self.texts: list[tuple[ast.Constant, Scope]] = []
        #: module, level, names; without those that only a type checker sees.
        self.imports: list[tuple[str, int, tuple[str, ...], int]] = []
        #: What is stored under an attribute of `self` of a class, under an attribute of anything, under a key of anything.
        self.own: dict[tuple[Any, str], list[Binding]] = {}
        self.attributes: dict[str, list[Binding]] = {}
        self.keys: dict[str, list[Binding]] = {}
        #: Variables of the environment that it sets.
        self.variables: set[str] = set()
        #: The scopes of functions and classes, by their nodes.
        self.scopes: dict[Any, Scope] = {}
        #: What a function may return, by its node.
        self.returns: dict[Any, list[Site]] = {}
        #: Names of lists that grow after they were made: "end", or "any" where not only at the end.
        self.grown: dict[str, str] = {}
        #: Whether something was nested too deeply to be followed.
        self.too_deep = False
        _Reader(self).read(tree)

    @property
    def package(self) -> str:
        return self.path.rpartition("/")[0]


@lru_cache(maxsize=1024)
def parse(path: str, text: str, main: bool = False) -> Module:
    """Read a module, once for all programs that have it, since nothing is noted in it later.

    Raises `SyntaxError` or `ValueError` for what this Python cannot parse, `RecursionError` for monsters.
    """
    return Module(path, ast.parse(text, path), main)


class _Reader:
    """Walks a tree once and notes names, calls and mentions with their scopes."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.depth = 0

    def read(self, tree: ast.Module) -> None:
        self._all(tree.body, self.module.scope)

    def _all(self, nodes: Any, scope: Scope) -> None:
        for node in nodes:
            self._visit(node, scope)

    def _visit(self, node: ast.AST | None, scope: Scope) -> None:
        if node is None:
            return
        if self.depth > _DEEPEST:
            self.module.too_deep = True
            return
        self.depth += 1
        visit = getattr(self, "_" + type(node).__name__, None)
        if visit is not None:
            visit(node, scope)
        else:
            self._children(node, scope)
        self.depth -= 1

    def _children(self, node: ast.AST, scope: Scope) -> None:
        for child in ast.iter_child_nodes(node):
            self._visit(child, scope)

    def _FunctionDef(self, node: Any, scope: Scope) -> None:
        scope.bind(node.name, "def", node)
        self._all(node.decorator_list, scope)
        inner = self._function(node, scope)
        self._all(node.body, inner)

    _AsyncFunctionDef = _FunctionDef

    def _Lambda(self, node: ast.Lambda, scope: Scope) -> None:
        self._visit(node.body, self._function(node, scope))

    def _function(self, node: Any, scope: Scope) -> Scope:
        arguments: ast.arguments = node.args
        self._all(arguments.defaults, scope)
        self._all(arguments.kw_defaults, scope)
        inner = Scope("function", node, scope, self.module)
        self.module.scopes[node] = inner
        for at, one in enumerate((*arguments.posonlyargs, *arguments.args)):
            inner.bind(one.arg, "parameter", node, at)
        for one in arguments.kwonlyargs:
            inner.bind(one.arg, "parameter", node, -1)
        for rest in (arguments.vararg, arguments.kwarg):
            if rest is not None:
                inner.bind(rest.arg, "unknown")
        return inner

    def _ClassDef(self, node: ast.ClassDef, scope: Scope) -> None:
        scope.bind(node.name, "class", node)
        self._all(node.decorator_list, scope)
        # To derive from a class is no use of it; to make an object of the derived one is.
        self._all((base for base in node.bases if not isinstance(base, (ast.Name, ast.Attribute))), scope)
        self._all((keyword.value for keyword in node.keywords), scope)
        inner = Scope("class", node, scope, self.module)
        self.module.scopes[node] = inner
        self._all(node.body, inner)

    def _Return(self, node: ast.Return, scope: Scope) -> None:
        if scope.kind == "function" and node.value is not None:
            self.module.returns.setdefault(scope.node, []).append(Site(node.value, scope))
        self._visit(node.value, scope)

    def _Yield(self, node: ast.Yield, scope: Scope) -> None:
        # What a generator returns is not what a caller gets.
        self.module.returns.setdefault(scope.node, []).append(Site(ast.Name(id="\0", ctx=ast.Load()), scope))
        self._visit(node.value, scope)

    def _Assign(self, node: ast.Assign, scope: Scope) -> None:
        for target in node.targets:
            self._store(target, "value", node.value, scope)
        self._visit(node.value, scope)

    def _AnnAssign(self, node: ast.AnnAssign, scope: Scope) -> None:
        if node.value is not None:
            self._store(node.target, "value", node.value, scope)
            self._visit(node.value, scope)

    def _AugAssign(self, node: ast.AugAssign, scope: Scope) -> None:
        if isinstance(node.target, ast.Name) and isinstance(node.value, (ast.List, ast.Tuple, ast.ListComp)):
            self.module.grown.setdefault(node.target.id, "end")
        else:
            self._store(node.target, "unknown", None, scope)
        self._visit(node.value, scope)

    def _NamedExpr(self, node: ast.NamedExpr, scope: Scope) -> None:
        self._store(node.target, "value", node.value, scope)
        self._visit(node.value, scope)

    def _For(self, node: Any, scope: Scope) -> None:
        self._store(node.target, "item", node.iter, scope)
        self._visit(node.iter, scope)
        self._all(node.body, scope)
        self._all(node.orelse, scope)

    _AsyncFor = _For

    def _comprehension(self, node: ast.comprehension, scope: Scope) -> None:
        self._store(node.target, "item", node.iter, scope)
        self._visit(node.iter, scope)
        self._all(node.ifs, scope)

    def _withitem(self, node: ast.withitem, scope: Scope) -> None:
        if node.optional_vars is not None:
            self._store(node.optional_vars, "entered", node.context_expr, scope)
        self._visit(node.context_expr, scope)

    def _ExceptHandler(self, node: ast.ExceptHandler, scope: Scope) -> None:
        self._visit(node.type, scope)
        if node.name:
            scope.bind(node.name, "unknown")
        self._all(node.body, scope)

    def _MatchAs(self, node: ast.MatchAs, scope: Scope) -> None:
        if node.name:
            scope.bind(node.name, "unknown")
        self._children(node, scope)

    def _MatchStar(self, node: ast.MatchStar, scope: Scope) -> None:
        if node.name:
            scope.bind(node.name, "unknown")

    def _MatchMapping(self, node: ast.MatchMapping, scope: Scope) -> None:
        if node.rest:
            scope.bind(node.rest, "unknown")
        self._children(node, scope)

    def _Global(self, node: Any, scope: Scope) -> None:
        scope.globals.update(node.names)

    def _Nonlocal(self, node: ast.Nonlocal, scope: Scope) -> None:
        for name in node.names:
            outer = scope.parent
            while outer is not None and name not in outer.names:
                outer = outer.parent
            (outer or scope).bind(name, "unknown")

    def _If(self, node: ast.If, scope: Scope) -> None:
        test = node.test
        if (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
            isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
        ):
            self._all(node.orelse, scope)
            return
        if not self.module.main and _asks_for_main(test):
            self._all(node.orelse, scope)
            return
        self._children(node, scope)

    def _Import(self, node: ast.Import, scope: Scope) -> None:
        for alias in node.names:
            if alias.asname:
                scope.bind(alias.asname, "import", node, alias.name)
            else:
                top = alias.name.partition(".")[0]
                scope.bind(top, "import", node, top)
            self.module.imports.append((alias.name, 0, (), node.lineno))

    def _ImportFrom(self, node: ast.ImportFrom, scope: Scope) -> None:
        base = node.module or ""
        for alias in node.names:
            if alias.name == "*":
                scope.stars.append((base, node.level))
            else:
                scope.bind(alias.asname or alias.name, "from", node, (base, node.level, alias.name))
        self.module.imports.append((base, node.level, tuple(alias.name for alias in node.names), node.lineno))

    def _Call(self, node: ast.Call, scope: Scope) -> None:
        self.module.calls.append(Site(node, scope))
        if isinstance(node.func, ast.Attribute):
            # The receiver is mentioned, what is called of it is not.
            self._visit_receiver(node.func.value, scope)
            first = node.args[0] if node.args else None
            if node.func.attr == "setdefault" and isinstance(first, ast.Constant) and isinstance(first.value, str):
                self.module.variables.add(first.value)
            if node.func.attr in _GROWING and isinstance(node.func.value, ast.Name):
                self.module.grown[node.func.value.id] = "any" if node.func.attr == "insert" else "end"
        elif not isinstance(node.func, ast.Name):
            self._visit(node.func, scope)
        # To ask what a module has is no use of it.
        asks = isinstance(node.func, ast.Name) and node.func.id in ("hasattr", "getattr", "isinstance", "type")
        self._all(node.args[1:] if asks and node.args and isinstance(node.args[0], ast.Name) else node.args, scope)
        self._all((keyword.value for keyword in node.keywords), scope)

    def _visit_receiver(self, node: ast.expr, scope: Scope) -> None:
        while isinstance(node, ast.Attribute):
            node = node.value
        if not isinstance(node, ast.Name):
            self._visit(node, scope)

    def _Attribute(self, node: ast.Attribute, scope: Scope) -> None:
        if isinstance(node.ctx, ast.Load):
            self.module.mentions.append(Site(node, scope))
        self._visit_receiver(node.value, scope)

    def _Name(self, node: ast.Name, scope: Scope) -> None:
        if isinstance(node.ctx, ast.Load):
            self.module.mentions.append(Site(node, scope))

    def _Dict(self, node: ast.Dict, scope: Scope) -> None:
        self.module.tables.append(Site(node, scope))
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                self.module.keys.setdefault(key.value, []).append(Binding("value", value, scope))
        self._children(node, scope)

    def _Expr(self, node: ast.Expr, scope: Scope) -> None:
        if not (isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)):
            self._visit(node.value, scope)

    def _Constant(self, node: ast.Constant, scope: Scope) -> None:
        if isinstance(node.value, str):
            self.module.texts.append((node, scope))

    def _store(self, target: Any, kind: str, node: Any, scope: Scope) -> None:
        """Bind what is assigned to a name, a tuple of names, an attribute or a key."""
        if isinstance(target, ast.Name):
            scope.bind(target.id, kind, node)
        elif isinstance(target, (ast.Tuple, ast.List)):
            pairs = isinstance(node, (ast.Tuple, ast.List)) and len(node.elts) == len(target.elts) and kind == "value"
            for at, one in enumerate(target.elts):
                if isinstance(one, ast.Starred):
                    self._store(one.value, "unknown", None, scope)
                elif pairs and isinstance(node, (ast.Tuple, ast.List)):
                    self._store(one, "value", node.elts[at], scope)
                else:
                    self._store(one, "unknown", None, scope)
        elif isinstance(target, ast.Attribute):
            binding = Binding(kind, node, scope)
            owner = scope.owner
            if isinstance(target.value, ast.Name) and target.value.id in ("self", "cls") and owner is not None:
                self.module.own.setdefault((owner.node, target.attr), []).append(binding)
            else:
                self.module.attributes.setdefault(target.attr, []).append(binding)
            self._visit_receiver(target.value, scope)
        elif isinstance(target, ast.Subscript):
            if isinstance(target.slice, ast.Constant) and isinstance(target.slice.value, str):
                if isinstance(target.value, ast.Attribute) and target.value.attr == "environ":
                    self.module.variables.add(target.slice.value)
                self.module.keys.setdefault(target.slice.value, []).append(Binding(kind, node, scope))
            self._visit(target.value, scope)
            self._visit(target.slice, scope)


def _asks_for_main(test: ast.expr) -> bool:
    """`__name__ == "__main__"`, either way round."""
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq)):
        return False
    sides = (test.left, test.comparators[0])
    return any(isinstance(one, ast.Name) and one.id == "__name__" for one in sides) and any(
        isinstance(one, ast.Constant) and one.value == "__main__" for one in sides
    )
