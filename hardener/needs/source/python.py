"""Programs in Python: what their modules, the libraries those import and the server that runs them do. Knows no container.

From the first module on, all modules of the project that are imported are read; where modules are found by their names, as in
Django, all that the project has. Third-party libraries are looked up in `libraries/python.toml`.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from hardener.finding import Evidence, Strength
from hardener.needs.source.uses import EVERYTHING, MEMORY, WRITES, Doubt, Memory, Program, Read, Uses, unknown

if TYPE_CHECKING:
    from hardener.needs.source.python_effects import Effects
    from hardener.needs.source.python_files import Project
    from hardener.needs.source.python_launch import Launch
    from hardener.needs.source.python_libraries import Library

#: MiB for a service that holds no data in memory, and for each further process of it.
_MEMORY, _MORE_MEMORY = 512, 256
_MOST_PASSES = 4


def reader(program: Program, read: Read) -> Uses | None:
    """What a program does if it is one of Python's; None for another."""
    from hardener.needs.source.python_launch import launch_of

    if not program.words:
        return None
    launch = launch_of(program)
    return _uses(program, launch, read) if launch is not None else None


def _uses(program: Program, launch: Launch, read: Read) -> Uses:
    from hardener.needs.source.python_files import Project

    if launch.workdir:
        program = program._replace(workdir=launch.workdir)
    project = Project(program, launch.roots)
    files, libraries, missing = _first_files(project, launch)
    if launch.main:
        project.mains = frozenset(files)
    if missing:
        return unknown(missing, Evidence("its source was not read", program.at))
    project.follow(files)
    modules = dict.fromkeys(libraries, program.at)
    for _ in range(_MOST_PASSES):
        effects = _judge(project, launch, read, modules)
        more = [path for name, _ in effects.imported for path in project.files_of(name, 0, "")]
        if not set(effects.search) <= set(project.more_roots):
            project.add_path(effects.search)
            more += [path for module in tuple(project.modules.values()) for path in project.imported(module)]
        for name, place in effects.imported:
            if not any(project.files_of(name, 0, "")):
                modules[name] = place
        commands = None if effects.commands else frozenset(program.words)
        if effects.discovers or launch.everything:
            more += [path for root in project.roots[:1] for path in project.below(_top(program, root), commands)]
        if all(path in project.modules for path in more):
            break
        before = len(project.modules)
        project.follow(more)
        if len(project.modules) == before:
            break
    return _told(program, project, launch, effects)


def _top(program: Program, root: str) -> str:
    """The folder that holds all of an application: the working folder, if the program lies in it."""
    inside = root == program.workdir or root.startswith(program.workdir.rstrip("/") + "/")
    return program.workdir if inside and program.workdir != "/" else root


def _first_files(project: Project, launch: Launch) -> tuple[list[str], list[str], str]:
    """The files and libraries that run first, and why that is not known."""
    from hardener.needs.source.python_libraries import is_standard, library_of

    files, libraries = [], []
    for path in launch.files:
        if project.files.kind(path) != "file":
            return [], [], f"`{path}` is not among the files of the project"
        files.append(path)
    if launch.code:
        from hardener.needs.source.python_scopes import parse

        path = posixpath.join(project.program.workdir, "-c")
        try:
            project.modules[path] = parse(path, launch.code, main=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return [], [], "what the code behind `-c` does"
        files += project.imported(project.modules[path])
    for name in launch.modules:
        if project.find(name, 0, "", further=True) is not None:
            files += project.files_of(name, 0, "")
        elif name.endswith(".__main__"):
            continue
        elif is_standard(name) or library_of(name) is not None:
            libraries.append(name)
        else:
            return [], [], f"the module `{name}` is not among the files of the project"
    return files, libraries, ""


def _judge(project: Project, launch: Launch, read: Read, modules: dict[str, str]) -> Effects:
    from hardener.needs.source import python_settings
    from hardener.needs.source.python_effects import Effects
    from hardener.needs.source.python_imports import Imports
    from hardener.needs.source.python_values import Reader

    imports = Imports(project, modules)
    values = Reader(project)
    values.known.more_variables = dict(launch.variables) | (imports.variables(project.program) if imports.uses("dotenv") else {})
    effects = Effects(values, read, imports.names)
    effects.discovers = any(library.discovers for library in imports.libraries)
    effects.libraries = imports.libraries
    for doubt in imports.doubts(effects.program.files.origin):
        effects.doubts[doubt] = None
    effects.go()
    for module in tuple(project.modules.values()):
        effects.judge(module)
        python_settings.judge(effects, module, imports.settings, imports.databases)
    if imports.databases:
        python_settings.environment(effects)
    for library in imports.libraries:
        _of_library(effects, library, project.program)
    effects.workers = launch.workers or 0
    if launch.workers is None:
        effects.open_question(MEMORY, "how many processes its server starts is not known")
    if launch.finish is not None:
        launch.finish(effects)
    effects.settle()
    return effects


def _of_library(effects: Effects, library: Library, program: Program) -> None:
    """What a library does of itself."""
    if library.doubt:
        effects.doubts[Doubt(frozenset(library.doubt), f"`{library.package}` {library.why}")] = None
    if library.scratch:
        folder = effects.reader.known.temporary()
        effects.place_written(folder, "scratch", f"`{library.package}` may keep what is large in temporary files")
    for item in library.writes:
        variable = item.get("variable", "")
        if not item["path"] and variable not in program.environment:
            continue
        path = program.environment.get(variable) if variable in program.environment else item["path"]
        path = effects.reader.known.home(path) if path is not None else None
        if path is None or "\0" in path:
            effects.open_question(WRITES, f"where `{library.package}` keeps its files ({item['path']})")
        else:
            effects.place_written(path, item["kind"], f"`{library.package}` {item.get('why', 'keeps files there')}")


def _told(program: Program, project: Project, launch: Launch, effects: Effects) -> Uses:
    count = len(project.modules)
    packages = sorted({library.package for library in effects.libraries})
    files = f"{count} Python file{'s' if count != 1 else ''}" if count else "its command line"
    names = f" with {_list(packages)}" if packages else ""
    claim = f"{files}{names}"
    first = next((path for path in project.modules if path in launch.files), next(iter(project.modules), ""))
    evidence = Evidence(claim, program.files.origin(first) or program.at, Strength.READ)
    doubts = dict(effects.doubts)
    doubts |= dict.fromkeys(launch.doubts)
    for text in project.unread:
        doubts[Doubt(EVERYTHING, text)] = None
    memory = None
    heavy = next((f"`{library.package}` {library.heavy}" for library in effects.libraries if library.heavy), "")
    children = [child.memory for child in effects.children]
    if heavy:
        doubts[Doubt(frozenset((MEMORY,)), heavy)] = None
    if not any(MEMORY in doubt.about for doubt in doubts) and None not in children:
        mib = _MEMORY + _MORE_MEMORY * effects.workers + sum(child.mib for child in children if child is not None)
        why = "a Python service" if not effects.workers else f"a Python service with {effects.workers + 1} processes"
        memory = Memory(mib, why, evidence, 1 + effects.workers)
    own = Uses(
        evidence,
        writes=tuple(effects.places.writes.values()),
        listens=tuple(effects.listens),
        capabilities=tuple(effects.capabilities.values()),
        runs=tuple(effects.runs.values()),
        users=tuple(effects.users.values()),
        doubts=tuple(doubts),
    )
    from hardener.needs.source.uses import merged

    return merged(evidence, (own, *effects.children))._replace(memory=memory)


def _list(words: list[str]) -> str:
    """`a`, `b` and `c`."""
    quoted = [f"`{word}`" for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
