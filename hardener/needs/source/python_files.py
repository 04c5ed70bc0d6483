"""Which files make up a Python program: its first modules, and the project's modules that those import. Knows no library.

Modules are looked for where Python looks: beside the script or in the working folder, in PYTHONPATH, and, for what is nowhere
else, in the folders that a project adds to its path.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from hardener.needs.source.python_libraries import is_standard, library_of
from hardener.needs.source.python_scopes import Module, parse
from hardener.needs.source.uses import Program

#: More than this is not read: it is no small service, and takes too long.
MOST_FILES = 400
MOST_TEXT = 256 * 1024
#: Folders and files that are tools of a project and not part of what runs, unless that imports them.
_ASIDE = re.compile(r"tests?|tests?_.*|testing|docs|benchmarks|node_modules|site-packages")
_ASIDE_FILE = re.compile(r"test_.*|.*_test|tests?|conftest|setup|noxfile|fabfile|tasks_dev")


class Project:
    """The Python files of a program: found by name, read once each, with what could not be read."""

    def __init__(self, program: Program, roots: Iterable[str]) -> None:
        self.program = program
        self.files = program.files
        path = program.variable("PYTHONPATH") or ""
        #: Where Python looks before its own library.
        self.roots = tuple(
            dict.fromkeys(
                posixpath.normpath(posixpath.join(program.workdir, root)) for root in (*roots, *path.split(":")) if root
            )
        )
        #: Where else modules may lie: what is above and beside the roots, as far as the working folder.
        self.more_roots: tuple[str, ...] = ()
        self.modules: dict[str, Module] = {}
        #: The files that Python may be started with.
        self.mains: frozenset[str] = frozenset()
        #: What could not be read, in words.
        self.unread: list[str] = []
        self._found: dict[tuple[str, int, str], str | None] = {}
        self._look_further()

    def _look_further(self) -> None:
        work = posixpath.normpath(self.program.workdir)
        around = [work]
        for root in self.roots:
            while root != work and root.startswith(work.rstrip("/") + "/"):
                root = posixpath.dirname(root)
                around.append(root)
        self.more_roots = tuple(
            dict.fromkeys(posixpath.join(root, *more) for root in around if root != "/" for more in ((), ("src",), ("lib",)))
        )

    def add_path(self, folders: Iterable[str]) -> None:
        """Look in more folders, as a program does that changes its `sys.path`."""
        self.more_roots = tuple(dict.fromkeys((*self.more_roots, *folders)))
        self._found.clear()

    def find(self, name: str, level: int, package: str, *, further: bool = False) -> str | None:
        """The file or folder of a module of the project, asked for by a module in `package`; None where it is none.

        `further`: look where the project may have extended the path too.
        """
        key = (name, level, package if level else ("+" if further else ""))
        if key not in self._found:
            self._found[key] = self._find(name, level, package, further)
        return self._found[key]

    def _find(self, name: str, level: int, package: str, further: bool) -> str | None:
        parts = [part for part in name.split(".") if part]
        if level:
            for _ in range(level - 1):
                package = posixpath.dirname(package)
            return self._at(package, parts)
        if not parts:
            return None
        known = is_standard(name) or library_of(name) is not None
        # Of a name that a library has, only a module that Python finds first is the project's; a mere folder comes after it.
        for root in (*self.roots, *self.more_roots) if further and not known else self.roots:
            first = self._at(root, parts[:1])
            if first is not None and (first.endswith(".py") or not known):
                return self._at(root, parts)
        return None

    def _at(self, folder: str, parts: list[str]) -> str | None:
        stem = posixpath.join(folder, *parts)
        package = posixpath.join(stem, "__init__.py")
        if self.files.kind(package) == "file":
            return package
        if parts and self.files.kind(stem + ".py") == "file":
            return stem + ".py"
        # A folder is a package too, but only one with modules in it counts.
        if parts and self.files.kind(stem) == "folder" and any(path.endswith(".py") for path in self.files.walk(stem)):
            return stem
        return None

    def module(self, path: str) -> Module | None:
        """A file as a module; None for a folder, and for what cannot be read, which is then noted."""
        if path in self.modules:
            return self.modules[path]
        if self.files.kind(path) != "file" or any(path == text.partition("`")[2].partition("`")[0] for text in self.unread):
            return None
        text = self.files.text(path)
        if text is None or len(text) > MOST_TEXT:
            self.unread.append(f"`{path}` could not be read" if text is None else f"`{path}` is too large to be read")
            return None
        try:
            module = self.modules[path] = parse(path, text, path in self.mains)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
            self.unread.append(f"`{path}`{line} is not Python that can be read here")
            return None
        if module.too_deep:
            self.unread.append(f"`{path}` is nested too deeply to be read")
        return module

    def follow(self, paths: Iterable[str]) -> None:
        """Read files and all of the project that they import."""
        waiting = list(paths)
        seen: set[str] = set()
        while waiting:
            path = waiting.pop()
            if path in seen:
                continue
            seen.add(path)
            if len(self.modules) > MOST_FILES:
                self.unread.append(f"more than {MOST_FILES} Python files are not read")
                return
            module = self.module(path)
            if module is not None:
                waiting += self.imported(module)

    def imported(self, module: Module) -> Iterator[str]:
        """The project's files that a module imports, with the packages around them."""
        for name, level, names, _ in module.imports:
            for one in (name, *(f"{name}.{part}" if name else part for part in names if part != "*")):
                yield from self.files_of(one, level, module.package)

    def files_of(self, name: str, level: int, package: str) -> Iterator[str]:
        """The files that run when a module of the project is imported."""
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            found = self.find(".".join(parts[:count]), level, package, further=True)
            if found is not None and found.endswith(".py"):
                yield found

    def below(self, folder: str, commands: frozenset[str] | None = None) -> list[str]:
        """All Python files below a folder, without tests and the like; of Django's commands only those of these names."""
        found = []
        for path in self.files.walk(folder):
            *folders, name = posixpath.relpath(path, folder).split("/")
            if not name.endswith(".py") or any(map(_ASIDE.fullmatch, folders)) or _ASIDE_FILE.fullmatch(name[:-3]):
                continue
            if folders[-2:] != ["management", "commands"] or commands is None or name[:-3] in commands:
                found.append(path)
        return found
