"""What a Python program's calls do that its container must allow. Knows the tables of libraries, but no command line.

Every call and every mention of a function that has an effect counts, wherever it stands: whether it is ever reached is not asked.
"""

from __future__ import annotations

import ast
from collections import ChainMap
from collections.abc import Iterator, Mapping
from typing import Any

from hardener.finding import Evidence, Strength
from hardener.needs.source.python_libraries import Library, is_standard, library_of, standard
from hardener.needs.source.python_places import Places
from hardener.needs.source.python_scopes import Module, Scope, Site
from hardener.needs.source.python_values import HOLE, UNKNOWN, Items, Name, Own, Path, Reader, Value, Values, text_of
from hardener.needs.source.uses import (
    CAPABILITIES,
    EVERYTHING,
    PORTS,
    USERS,
    WRITES,
    Capability,
    Doubt,
    Listen,
    Named,
    Read,
    Uses,
)

#: Objects in memory, and what a call of its own has been judged for already.
_NO_FILES = ("io.", "tempfile.", "sys.std", "open()", "os.fdopen", "gzip.", "socket.", "os.pipe", "codecs.", "_io.")
_WRITING = "waxX+"
#: Methods by which texts and numbers do something else than paths.
_STAR = "*."


class Effects:
    """Collects what the modules of one program do."""

    def __init__(self, reader: Reader, read: Read, imported: frozenset[str]) -> None:
        self.reader = reader
        self.program = reader.program
        self.read = read
        self.places = Places(reader)
        self.listens: dict[Listen, None] = {}
        self.capabilities: dict[str, Capability] = {}
        self.users: dict[str, Named] = {}
        self.runs: dict[str, Named] = {}
        self.children: list[Uses] = []
        self.doubts: dict[Doubt, None] = {}
        self.calls = _calls(imported)
        self._last = frozenset(name.rpartition(".")[2] for name in self.calls)
        #: Paths whose mode is changed: questions that are open unless the program writes there.
        self.later: list[tuple[str, Scope, Any]] = []
        #: Modules that are imported by a name in text, with the place.
        self.imported: list[tuple[str, str]] = []
        #: Whether modules are found by a walk, so that all of the project may run.
        self.discovers = False
        #: Folders that are added to Python's search path.
        self.search: list[str] = []
        #: Whether commands of Django's are called, by names that are not looked at.
        self.commands = False
        #: Processes beside the first.
        self.workers = 0
        self.libraries: tuple[Library, ...] = ()

    def go(self) -> None:
        """Find out where the program may change its folder to, before any relative path is judged."""
        for module in self.reader.project.modules.values():
            for node, scope in module.calls:
                assert isinstance(node, ast.Call)
                if not (isinstance(node.func, ast.Attribute) and node.func.attr in ("chdir", "fchdir")):
                    continue
                texts = self.reader.texts(node.args[0], scope) if node.args else (HOLE,)
                for text in texts:
                    self.places.folders[self.places.absolute(text)[0]] = None

    def judge(self, module: Module) -> None:
        """Judge one module."""
        for node, scope in module.calls:
            assert isinstance(node, ast.Call)
            self._call(node, scope)
        for site in module.mentions:
            self._mention(site)

    # What is called.

    def _call(self, node: ast.Call, scope: Scope) -> None:
        done: set[str] = set()
        for name, own in self._names(node, scope):
            spec = self.calls.get(name)
            if spec is None or name in done:
                continue
            done.add(name)
            self.apply(spec, name, node, scope, own)

    def _names(self, node: ast.Call, scope: Scope) -> Iterator[tuple[str, Values]]:
        """The full names by which a call may be known, with the paths that it is a method of."""
        function = node.func
        attribute = function.attr if isinstance(function, ast.Attribute) else ""
        if attribute not in self._last and isinstance(function, ast.Attribute) and not self._is_class(attribute):
            return
        if isinstance(function, ast.Attribute):
            receivers = self.reader.values(function.value, scope)
            paths = tuple(value for value in receivers if isinstance(value, Path) or _is_path(value, attribute))
            if paths:
                yield f"pathlib.Path().{attribute}", paths
            if any(value is UNKNOWN for value in receivers):
                yield _STAR + attribute, (UNKNOWN,)
        for value in self.reader.values(function, scope):
            if isinstance(value, Name):
                yield value.name, (UNKNOWN,)
                if attribute and value.name not in self.calls and not _is_quiet(value.name):
                    yield _STAR + attribute, (UNKNOWN,)
            elif isinstance(value, Own) and value.kind == "class":
                for ancestor in self.reader.ancestors(value):
                    yield ancestor, (UNKNOWN,)

    def _is_class(self, name: str) -> bool:
        return name[:1].isupper() or name.startswith("_")

    def _mention(self, site: Site) -> None:
        """A function that is passed on, or a constant that tells what is done."""
        node, scope = site
        if isinstance(node, ast.Attribute) and node.attr not in self._last:
            return
        if isinstance(node, ast.Name) and node.id not in self._last and not self._is_imported(node.id, scope):
            return
        for value in self.reader.values(node, scope):
            names = [value.name] if isinstance(value, Name) else []
            if isinstance(value, Own) and value.kind == "class":
                names = list(self.reader.ancestors(value))
            for name in names:
                if name in standard().watched:
                    self.doubt(EVERYTHING, scope, node, f"passes the module `{name}` on")
                if name in self.calls:
                    self.apply(self.calls[name], name, None, scope, (UNKNOWN,), node)

    def _is_imported(self, name: str, scope: Scope) -> bool:
        at: Scope | None = scope
        while at is not None:
            if name in at.names:
                return any(binding.kind in ("import", "from", "class") for binding in at.names[name])
            at = at.parent
        return False

    # What it does.

    def apply(
        self, spec: Mapping[str, Any], name: str, node: ast.Call | None, scope: Scope, own: Values, at: ast.expr | None = None
    ) -> None:
        """Note an effect of the tables. Without a call, the function is passed on `at` a place."""
        where = node or at
        check = spec.get("check")
        if check:
            from hardener.needs.source import python_checks

            if not getattr(python_checks, check)(self, name, node, scope, own, where):
                return
        if "capability" in spec:
            evidence = self.evidence(spec["why"], scope, where)
            self.capabilities.setdefault(spec["capability"], Capability(spec["capability"], spec["why"], evidence))
        if "user" in spec:
            self._user(self._argument(spec["user"], node), scope, where, spec["why"])
        if "write" in spec or "scratch" in spec:
            self._write(spec, node, scope, own, where)
        if spec.get("spills"):
            self.spilled(scope, where)
        if "port" in spec or "address" in spec:
            self._port(spec, node, scope, where)
        if "run" in spec:
            self._run(spec, node, scope, where)
        if "doubt" in spec:
            self.doubt(frozenset(spec["doubt"]), scope, where, spec.get("why", ""))

    def settle(self) -> None:
        """Answer what had to wait until all modules were judged."""
        written = {path for path, _ in self.places.writes}
        for path, scope, where in self.later:
            if not any(path == one or path.startswith(one + "/") for one in written):
                self.doubt(frozenset((CAPABILITIES,)), scope, where, f"changes the mode of `{path}`, which may be another's")

    def evidence(self, claim: str, scope: Scope, node: Any) -> Evidence:
        """What was read at a place."""
        return Evidence(claim, self.place(scope, node), Strength.READ)

    def place(self, scope: Scope, node: Any) -> str:
        """Where something stands: `path:line`, by the project's path."""
        path = self.program.files.origin(scope.module.path) or scope.module.path
        return f"{path}:{node.lineno}" if hasattr(node, "lineno") else path

    def doubt(self, about: frozenset[str], scope: Scope, node: Any, what: str) -> None:
        """Leave questions open, with the place."""
        self.doubts[Doubt(about, f"`{self.place(scope, node)}` {what}")] = None

    def _argument(self, which: str, node: ast.Call | None) -> ast.expr | None:
        """The argument `0:name` of a call; `UNKNOWN` cannot be told apart from a missing one by the caller."""
        if node is None:
            return None
        at, _, name = which.removeprefix("?").partition(":")
        if name:
            for keyword in node.keywords:
                if keyword.arg == name:
                    return keyword.value
        if at.isdecimal() and int(at) < len(node.args):
            chosen = node.args[int(at)]
            return None if any(isinstance(one, ast.Starred) for one in node.args[: int(at) + 1]) else chosen
        return None

    def _spread(self, node: ast.Call | None) -> bool:
        """Whether arguments are passed that are not seen: `*args` or `**options`, or the function itself is passed on."""
        if node is None:
            return True
        return any(isinstance(one, ast.Starred) for one in node.args) or any(one.arg is None for one in node.keywords)

    def _write(self, spec: Mapping[str, Any], node: ast.Call | None, scope: Scope, own: Values, where: Any) -> None:
        if "mode" in spec and not self._writes_by_mode(spec["mode"], spec.get("signs", _WRITING), node, scope):
            return
        if "flags" in spec:
            flags = self._argument(spec["flags"], node)
            if flags is not None and self.reader.values(flags, scope) == (Name("os.O_RDONLY"),):
                return
        if "scratch" in spec:
            folder = self._argument(spec["scratch"], node)
            values: Values = self.reader.values(folder, scope) if folder is not None else (self.reader.known.temporary(),)
            self.written(values if values != (None,) else (self.reader.known.temporary(),), spec, scope, where, "scratch")
            return
        for which in spec["write"]:
            if which == "self":
                self.written(own, spec, scope, where)
                continue
            argument = self._argument(which, node)
            if argument is not None:
                self.written(self.reader.values(argument, scope), spec, scope, where)
            elif "default" in spec and not self._spread(node):
                self.written((spec["default"],), spec, scope, where)
            elif not which.startswith("?") or self._spread(node):
                if node is not None and not self._spread(node) and not which.startswith("?"):
                    # A call without what it must be given is of something else by the same name.
                    continue
                self.written((UNKNOWN,), spec, scope, where)

    def _writes_by_mode(self, which: str, signs: str, node: ast.Call | None, scope: Scope) -> bool:
        argument = self._argument(which, node)
        if argument is None:
            # Files are opened for reading when nothing is said.
            return self._spread(node) and node is not None
        return any(
            not isinstance(value, str) or HOLE in value or set(signs).intersection(value.partition("|")[0].partition(":")[0])
            for value in self.reader.values(argument, scope)
        )

    def written(self, values: Values, spec: Mapping[str, Any], scope: Scope, where: Any, kind: str = "") -> None:
        """Note places that are written."""
        for value in values:
            if value is None or isinstance(value, int):
                continue
            if isinstance(value, Name) and value.name.startswith(_NO_FILES):
                continue
            text = text_of(value)
            if text in spec.get("unless", ()):
                continue
            problem = self.places.written(
                text, kind or spec.get("kind", ""), self.evidence, scope, where, beside=spec.get("folder", False)
            )
            if problem:
                self.doubt(frozenset((problem[0],)), scope, where, problem[1])

    def _port(self, spec: Mapping[str, Any], node: ast.Call | None, scope: Scope, where: Any) -> None:
        protocol = spec.get("protocol", "tcp")
        which = spec.get("port") or spec["address"]
        argument = self._argument(which, node)
        if argument is None:
            if "default" in spec and not self._spread(node):
                self.listen(spec["default"], protocol, scope, where)
            elif not which.startswith("?") and self._spread(node):
                self.doubt(frozenset((PORTS,)), scope, where, "listens on a port that is computed")
            return
        for value in self.reader.values(argument, scope):
            if "port" in spec:
                self.listen(value, protocol, scope, where)
            elif isinstance(value, Items) and len(value.items) >= 2:
                for port in value.items[1]:
                    self.listen(port, protocol, scope, where)
            elif isinstance(value, str):
                if "/" in value or value.startswith(HOLE):
                    self.written((value,), {"kind": "run"}, scope, where)
            else:
                self.doubt(frozenset((PORTS,)), scope, where, "listens on a port that is computed")

    def listen(self, value: Value, protocol: str, scope: Scope, where: Any) -> None:
        """Note a port."""
        text = text_of(value)
        if text.isdecimal():
            if 0 < int(text) < 65536:
                self.listens[Listen(int(text), protocol, self.evidence(f"listens on port {int(text)}", scope, where))] = None
        elif value is not None:
            self.doubt(frozenset((PORTS,)), scope, where, "listens on a port that is computed")

    def port(self, value: str | None, at: str) -> None:
        """Note a port that a command line or variable names."""
        if value is None or not value.isdecimal():
            self.open_question(PORTS, "the port that it listens on is computed")
        elif int(value):
            self.listens[Listen(int(value), "tcp", Evidence(f"listens on port {int(value)}", at, Strength.READ))] = None

    def bound(self, bind: str, at: str) -> None:
        """Note `host:port`, `:port`, or the path of a socket."""
        if bind.startswith("fd:"):
            return
        if bind.startswith(("unix:", "/")):
            self.place_written("/" + bind.removeprefix("unix:").lstrip("/"), "run", "binds its socket")
        else:
            self.port(bind.rpartition(":")[2] if ":" in bind else "8000", at)

    def place_written(self, path: str, kind: str, claim: str, *, beside: bool = False) -> None:
        """Note a place that a command line, variable or library names."""
        if not path or "$" in path or HOLE in path:
            self.open_question(WRITES, f"{claim}, but where is not known")
            return
        found = self.places.absolute(path)[0]
        evidence = Evidence(claim, self.program.at, Strength.READ)
        self.places.note(found.rpartition("/")[0] if beside else found, kind, evidence)

    def spilled(self, scope: Scope, node: Any) -> None:
        """Note that SQLite sorts what is large in temporary files: a query fails that finds no folder for them."""
        folder = self.reader.known.temporary()
        if folder.startswith("/"):
            self.places.note(folder, "scratch", self.evidence("SQLite may sort in temporary files", scope, node))
        else:
            self.doubt(frozenset((WRITES,)), scope, node, "uses SQLite, whose temporary files go nobody knows where")

    def setting_written(self, name: str, kind: str, at: str) -> None:
        """Note the place that a setting of the project names."""
        for value in self.reader.configured(name):
            text = text_of(value)
            if HOLE in text:
                self.open_question(WRITES, f"the folder that {name} names is computed")
            elif text:
                self.place_written(text, kind, f"writes {name}")

    def takes(self, capability: str, why: str) -> None:
        """Note a capability that a command line asks for."""
        self.capabilities.setdefault(capability, Capability(capability, why, Evidence(why, self.program.at, Strength.READ)))

    def becomes(self, user: str, why: str) -> None:
        """Note an account that a command line names."""
        self.users.setdefault(user, Named(user, Evidence(why, self.program.at, Strength.READ)))

    def open_question(self, about: str, text: str) -> None:
        """Leave a question open that belongs to no line."""
        self.doubts[Doubt(frozenset((about,)), text)] = None

    def _user(self, argument: ast.expr | None, scope: Scope, where: Any, why: str) -> None:
        values = self.reader.values(argument, scope) if argument is not None else (UNKNOWN,)
        for value in values:
            text = text_of(value)
            if isinstance(value, Name) and value.name.startswith("pwd.getpwnam("):
                text = value.name.partition("(")[2].partition(")")[0]
            if text in ("-1", "0", "root"):
                continue
            if HOLE in text or not text:
                self.doubt(frozenset((USERS,)), scope, where, f"{why} that is computed")
            else:
                self.users.setdefault(text, Named(text, self.evidence(why, scope, where)))

    def _run(self, spec: Mapping[str, Any], node: ast.Call | None, scope: Scope, where: Any) -> None:
        from hardener.needs.source.python_commands import commands

        if node is None:
            self.doubt(EVERYTHING, scope, where, "starts a program that is computed")
            return
        for found in commands(self.reader, spec, node, scope, self._argument):
            if isinstance(found, str):
                self.doubt(EVERYTHING, scope, where, found)
                continue
            words, folder, switches = found
            place = self.place(scope, where)
            if switches:
                for name in ("SETUID", "SETGID"):
                    self.capabilities.setdefault(
                        name,
                        Capability(
                            name,
                            "starts programs as another account",
                            self.evidence("starts programs as another account", scope, where),
                        ),
                    )
                self.doubt(frozenset((USERS,)), scope, where, "starts programs as another account")
            if folder is None:
                self.doubt(frozenset((WRITES,)), scope, where, "starts a program in a folder that is computed")
            child = self.read(self.program._replace(words=words, workdir=folder or self.program.workdir, arguments=(), at=place))
            self.children.append(child)
            name = words[0].rpartition("/")[2]
            self.runs.setdefault(name, Named(name, Evidence(f"starts `{name}`", place, Strength.READ)))


def _is_path(value: Value, method: str) -> bool:
    """Whether what looks like a text must be a path, because texts have no such method."""
    return isinstance(value, str) and not hasattr(value, method)


def _is_quiet(name: str) -> bool:
    """Whether something is of Python's own library, whose methods are known by their full names."""
    top = name.partition(".")[0].removesuffix("()").removesuffix("[]")
    return is_standard(top) or top in ("open", "str", "dict", "list", "tuple", "set", "super", "print", "zip", "map")


def _calls(imported: frozenset[str]) -> Mapping[str, Mapping[str, Any]]:
    """The calls that count, with those of the libraries that are imported."""
    found: dict[str, Mapping[str, Any]] = {}
    for name in imported:
        library = None if is_standard(name) else library_of(name)
        if library is not None:
            found |= library.calls
    return ChainMap(found, standard().calls)  # type: ignore[arg-type]
