"""Calls whose arguments tell whether they do anything: modes, sockets, signals, code. Each says whether the table's effect holds.

A check is named in `libraries/python_standard.toml` or `libraries/python.toml`, and gets the collector of effects, the full
name, the call (None where the function is passed on), its scope, the paths whose method it is, and where it stands.
"""

from __future__ import annotations

import ast
from typing import Any

from hardener.finding import Evidence, Strength
from hardener.needs.source.python_effects import Effects
from hardener.needs.source.python_scopes import Scope
from hardener.needs.source.python_values import HOLE, UNKNOWN, Items, Name, Own, Table, Values, text_of
from hardener.needs.source.uses import CAPABILITIES, EVERYTHING, WRITES, Capability

_OWN_PROCESSES = ("os.getpid()", "os.getppid()", "os.getpgid()", "os.getpgrp()", "os.fork()")


def _first(effects: Effects, node: ast.Call | None, scope: Scope, at: int = 0) -> Values:
    if node is None or at >= len(node.args) or any(isinstance(one, ast.Starred) for one in node.args[: at + 1]):
        return (UNKNOWN,)
    return effects.reader.values(node.args[at], scope)


def mode(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """A change of a file's mode or times: root may do that to its own files; those that the program writes are."""
    for value in own if own != (UNKNOWN,) else _first(effects, node, scope):
        text = text_of(value)
        known = "" if text.startswith(HOLE) else effects.places.absolute(text)[0].partition(HOLE)[0].rstrip("/")
        if known:
            effects.later.append((known, scope, where))
        else:
            effects.doubt(frozenset((CAPABILITIES,)), scope, where, "changes the mode of a file that may be another's")
    return False


def inplace(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """`fileinput` writes with `inplace` only."""
    if node is None or any(keyword.arg in ("inplace", None) for keyword in node.keywords) or len(node.args) > 1:
        effects.doubt(frozenset((WRITES,)), scope, where, "may rewrite files in place")
    return False


def log_table(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """A logging configuration that is a dict display is read where that stands; any other is not known."""
    for value in _first(effects, node, scope):
        if not isinstance(value, Table):
            effects.doubt(frozenset((WRITES,)), scope, where, "logs to where a configuration says that is not known")
    return False


def log_file(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """A logging configuration in a file: quiet when that is known and names no handler that writes files."""
    for value in _first(effects, node, scope):
        # What Alembic was given, which is this file unless an option names another.
        named = isinstance(value, Name) and value.name.startswith("alembic.context.config.")
        text = "alembic.ini" if named else text_of(value)
        found = None if HOLE in text else effects.program.files.text(effects.places.absolute(text)[0])
        if named and found is None:
            found = effects.program.files.text(effects.places.absolute("migrations/alembic.ini")[0])
        if found is None or "FileHandler" in found:
            effects.doubt(frozenset((WRITES,)), scope, where, "logs to where a configuration says that is not known")
    return False


def is_path_open(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """`x.open("w")` is that of a path: the mode comes first."""
    if node is None:
        return False
    given = next((keyword.value for keyword in node.keywords if keyword.arg == "mode"), node.args[0] if node.args else None)
    values = effects.reader.values(given, scope) if given is not None else ()
    if any(isinstance(value, str) and len(value) <= 4 and set("wax+") & set(value) for value in values):
        return True
    second = effects.reader.values(node.args[1], scope) if len(node.args) > 1 else ()
    return any(isinstance(value, str) and 0 < len(value) <= 4 and set("wax+") & set(value) for value in second)


def is_path_rename(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """`x.replace(y)` with one argument is that of a path; texts take two, dates none."""
    return node is not None and len(node.args) == 1 and not node.keywords


def is_file_save(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """`x.save(path)` writes a file; `model.save()` does not, nor what is given an object in memory."""
    if node is None or not node.args:
        return False
    return not all(isinstance(value, (bool, Own)) for value in _first(effects, node, scope))


def is_path_method(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """`x.mkdir()` is that of a path, which takes modes and no names: `x.mkdir("y")` and `cache.touch(key)` are not."""
    if node is None:
        return False
    return all(isinstance(one, ast.Constant) and isinstance(one.value, int) for one in node.args)


def is_server_run(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """`x.run(port=80)` of something unknown is that of a server."""
    return node is not None and any(keyword.arg == "port" for keyword in node.keywords)


def is_port(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """`x.listen(8080)` is that of a server; that of a socket takes how many may wait, which is less."""
    return any(not isinstance(value, int) or value > 1024 or value in (80, 443) for value in _first(effects, node, scope))


def is_forking_start(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """`server.start(0)` of Tornado forks for each processor; without a number nothing does."""
    return node is not None and bool(node.args) and _first(effects, node, scope) != (1,)


def is_tree_write(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """`tree.write("x.xml")` of lxml writes a file; files are written to with texts that are not known."""
    options = {keyword.arg for keyword in node.keywords} if node is not None else set()
    return bool(options & {"encoding", "pretty_print", "xml_declaration", "method", "file"})


def is_download(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """`client.download_file(bucket, key, path)`, or with two arguments that of a bucket."""
    if node is not None and len(node.args) == 2 and not node.keywords:
        effects.written(_first(effects, node, scope, 1), {}, scope, where)
        return False
    return True


def engine(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """The address of a database: a file for SQLite. What is not known may be one, unless no text names SQLite."""
    from hardener.needs.source.python_settings import database_path

    for value in _first(effects, node, scope):
        text = text_of(value)
        if text.startswith("sqlite"):
            effects.spilled(scope, where)
            path = database_path(text)
            if path:
                effects.written((path,), {"kind": "data", "folder": True}, scope, where)
        elif text.startswith(HOLE) and effects.program.more_environment:
            effects.doubt(frozenset((WRITES,)), scope, where, "opens a database whose address is computed")
    return False


def django_command(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """A command of Django's; of its own, only `collectstatic` writes files."""
    effects.commands = True
    if any(text_of(value) == "collectstatic" for value in _first(effects, node, scope)):
        effects.setting_written("STATIC_ROOT", "data", effects.place(scope, where))
    return False


def media_root(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """Django's own storage of files writes below MEDIA_ROOT, which is judged where it is set; else where the program runs."""
    given = [keyword for keyword in node.keywords if keyword.arg == "location"] if node is not None else []
    if name.endswith("FileSystemStorage") and node is not None and (node.args or given):
        effects.written(effects.reader.values(node.args[0] if node.args else given[0].value, scope), {}, scope, where)
    elif effects.reader.configured("MEDIA_ROOT") == (UNKNOWN,):
        effects.doubt(frozenset((WRITES,)), scope, where, "stores files where settings say that are not known")
    return False


def waitress_listen(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """`listen` may stand for host and port."""
    for keyword in node.keywords if node is not None else ():
        if keyword.arg == "listen":
            for text in effects.reader.texts(keyword.value, scope):
                for one in text.split():
                    effects.bound(one, effects.place(scope, where))
            return False
    return True


def grpc_port(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """`server.add_insecure_port("[::]:50051")`."""
    for value in _first(effects, node, scope):
        effects.bound(text_of(value), effects.place(scope, where))
    return False


def is_address(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """`x.bind((host, port))` is that of a socket."""
    return any(isinstance(value, Items) and len(value.items) in (2, 4) for value in _first(effects, node, scope))


def is_text_call(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """`x.system("...")` of something unknown may be that of `os`."""
    return node is not None and len(node.args) == 1


def device(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """`os.mknod` makes devices, which takes a capability."""
    evidence = Evidence("makes a device", effects.place(scope, where), Strength.READ)
    effects.capabilities.setdefault("MKNOD", Capability("MKNOD", "makes a device", evidence))
    return True


def nice(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """Only a negative step of `os.nice` takes a capability."""
    if not all(isinstance(value, int) and value >= 0 for value in _first(effects, node, scope)):
        evidence = Evidence("raises its priority", effects.place(scope, where), Strength.READ)
        effects.capabilities.setdefault("SYS_NICE", Capability("SYS_NICE", "raises its priority", evidence))
    return False


def signal(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """Signals to itself and to what it started; of other processes it may need KILL."""
    first = node.args[0] if node is not None and node.args else None
    if isinstance(first, ast.Attribute) and first.attr in ("pid", "ppid"):
        return False
    if not all(isinstance(value, Name) and value.name in _OWN_PROCESSES for value in _first(effects, node, scope)):
        effects.doubt(frozenset((CAPABILITIES,)), scope, where, "signals a process that may be another's")
    return False


def socket(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """Families and types by number; those by name count where they are mentioned."""
    if node is not None:
        for at, harmless in ((0, (0, 1, 2, 10, -1)), (1, (0, 1, 2, -1))):
            for value in _first(effects, node, scope, at) if at < len(node.args) else ():
                if isinstance(value, int) and value not in harmless:
                    evidence = Evidence("opens raw sockets", effects.place(scope, where), Strength.READ)
                    effects.capabilities.setdefault("NET_RAW", Capability("NET_RAW", "opens raw sockets", evidence))
    return False


def code(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """Code that is made while it runs; a constant is no more than the numbers in it."""
    values = _first(effects, node, scope)
    if not all(isinstance(value, str) and HOLE not in value and _is_plain(value) for value in values):
        effects.doubt(EVERYTHING, scope, where, "runs code that is computed")
    return False


def _is_plain(text: str) -> bool:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return not any(isinstance(node, (ast.Call, ast.Import, ast.ImportFrom, ast.Attribute)) for node in ast.walk(tree))


def discovery(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """Modules that are found by a walk: those of the project are read, so it is all of them."""
    effects.discovers = True
    return False


def getattr(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """An attribute by its name: of the modules that matter, it must be known."""
    from hardener.needs.source.python_libraries import standard

    if node is None or len(node.args) < 2:
        return False
    names = effects.reader.values(node.args[1], scope)
    for value in _first(effects, node, scope):
        if isinstance(value, Name) and value.name in standard().watched:
            for attribute in names:
                full = f"{value.name}.{text_of(attribute)}"
                if HOLE in full:
                    effects.doubt(EVERYTHING, scope, where, f"takes something of `{value.name}` that is computed")
                elif full in effects.calls:
                    effects.apply(effects.calls[full], full, None, scope, (UNKNOWN,), where)
    return False


def chdir(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """Where relative paths go from then on; both places count."""
    return False


def search_path(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """Folders that modules are looked for in; one that is not known hides what is imported from there, which is then doubted."""
    for value in _first(effects, node, scope, 1 if name.endswith("insert") else 0):
        text = text_of(value)
        if HOLE not in text:
            effects.search += effects.places.absolute(text)
    return False


def imports(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """A module whose name is computed."""
    for value in _first(effects, node, scope):
        if not isinstance(value, str):
            effects.doubt(EVERYTHING, scope, where, "imports a module whose name is computed")
        elif HOLE not in value:
            effects.imported.append((value, effects.place(scope, where)))
        elif not effects.reader.project.find(value.partition(HOLE)[0].rpartition(".")[0], 0, "", further=True):
            effects.doubt(EVERYTHING, scope, where, "imports a module whose name is computed")
        else:
            effects.discovers = True
    return False


def application(effects: Effects, name: str, node: ast.Call | None, scope: Scope, own: Values, where: Any) -> bool:
    """A server is given its application, or the name of its module: `"main:app"`."""
    for value in _first(effects, node, scope):
        if isinstance(value, str):
            if HOLE in value:
                effects.doubt(EVERYTHING, scope, where, "serves an application whose name is computed")
            else:
                effects.imported.append((value.partition(":")[0], effects.place(scope, where)))
    return True
