"""What settings of a Python program say that it writes: logging, folders of Django and Flask, databases. Knows no call."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Mapping
from typing import TYPE_CHECKING

from hardener.needs.source.python_scopes import Module, Scope
from hardener.needs.source.python_values import HOLE, text_of
from hardener.needs.source.uses import WRITES

if TYPE_CHECKING:
    from hardener.needs.source.python_effects import Effects

_SQLITE = ("sqlite:", "sqlite+")
#: A dict with this key, whose value ends so, writes what stands under another key: the kind of it, and whether files lie beside.
_TABLES = (
    ("class", "FileHandler", "filename", "log", True),
    ("()", "FileHandler", "filename", "log", True),
    ("ENGINE", "sqlite3", "NAME", "data", True),
    ("ENGINE", "spatialite", "NAME", "data", True),
    ("BACKEND", "FileBasedCache", "LOCATION", "cache", False),
    ("BACKEND", "FileSystemStorage", "LOCATION", "data", False),
)


def judge(effects: Effects, module: Module, settings: Mapping[str, str], databases: bool) -> None:
    """Note what the settings in a module name. `databases`: a library is used that opens what an address names."""
    for site in module.tables:
        assert isinstance(site.node, ast.Dict)
        _table(effects, site.node, site.scope)
    for scope in (module.scope, *(one for one in module.scopes.values() if one.kind == "class")):
        for name, kind in settings.items():
            for binding in scope.names.get(name, ()):
                if binding.kind == "value":
                    _setting(effects, name, binding.node, binding.scope, kind)
    for name, kind in settings.items():
        for binding in (*module.keys.get(name, ()), *module.attributes.get(name, ())):
            if binding.kind == "value":
                _setting(effects, name, binding.node, binding.scope, kind)
    if databases:
        for node, scope in module.texts:
            if isinstance(node.value, str) and node.value.startswith(_SQLITE) and not _is_overridden(effects, module, node):
                database(effects, node.value, scope, node)


def environment(effects: Effects) -> None:
    """Note the databases that variables name."""
    for name, value in effects.program.environment.items():
        if value is not None and value.startswith(_SQLITE):
            path = database_path(value)
            if path:
                effects.place_written(path, "data", f"the database that {name} names", beside=True)
                effects.place_written(effects.reader.known.temporary(), "scratch", "SQLite may sort in temporary files")


def database(effects: Effects, address: str, scope: Scope, node: ast.AST) -> None:
    """Note the file of `sqlite:///path`."""
    whole = effects.reader.texts(node, scope) if isinstance(node, ast.expr) else (address,)
    for text in whole:
        path = database_path(text)
        for one in _by_flask(effects, path) if path else ():
            effects.written((one,), {"kind": "data", "folder": True}, scope, node)
            effects.spilled(scope, node)


def _by_flask(effects: Effects, path: str) -> tuple[str, ...]:
    """Where a database lies: for Flask-SQLAlchemy in the instance folder, before version 3 beside the module."""
    if path.startswith(("/", HOLE)) or not any(one.package == "flask-sqlalchemy" for one in effects.libraries):
        return (path,)
    root = effects.reader.project.roots[0] if effects.reader.project.roots else effects.program.workdir
    return tuple(posixpath.join(root, folder, path) for folder in ("", "instance"))


def database_path(address: str) -> str:
    """The file that an address such as `sqlite:///data/app.db` names; empty for a database in memory."""
    scheme, _, rest = address.partition("://")
    path = rest.partition("?")[0]
    if scheme.startswith("sqlite") and path not in ("", "/", "/:memory:", ":memory:"):
        return path.removeprefix("/") if path.startswith("/") else HOLE
    return ""


def _table(effects: Effects, node: ast.Dict, scope: Scope) -> None:
    keys = {key.value: value for key, value in zip(node.keys, node.values, strict=True) if isinstance(key, ast.Constant)}
    for mark, ending, where, kind, beside in _TABLES:
        if mark not in keys or where not in keys:
            continue
        if any(text.endswith(ending) for text in effects.reader.texts(keys[mark], scope)):
            effects.written(effects.reader.values(keys[where], scope), {"kind": kind, "folder": beside}, scope, keys[where])


def _setting(effects: Effects, name: str, node: ast.expr, scope: Scope, kind: str) -> None:
    if kind == "database":
        for value in effects.reader.values(node, scope):
            text = text_of(value)
            if text.startswith(HOLE) and not isinstance(value, str) and effects.program.more_environment:
                effects.doubt(frozenset((WRITES,)), scope, node, f"opens a database whose address is computed (`{name}`)")
        return
    values = tuple(value for value in effects.reader.values(node, scope) if value not in ("", None))
    effects.written(values, {"kind": kind}, scope, node)


def _is_overridden(effects: Effects, module: Module, node: ast.Constant) -> bool:
    """Whether a text is the default of a variable that the container sets."""
    known = {name for name, value in effects.program.environment.items() if value is not None}
    for site in module.calls:
        call = site.node
        if isinstance(call, ast.Call) and any(one is node for one in (*call.args, *(k.value for k in call.keywords))):
            return any(name in known for name in effects.reader.texts(call.args[0], site.scope)) if call.args else False
    for scope in module.scopes.values():
        if scope.kind == "class":
            for name, bindings in scope.names.items():
                if any(binding.node is node for binding in bindings):
                    return name.upper() in known
    return False
