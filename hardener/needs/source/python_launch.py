"""How a Python program is started: interpreter, script, module or console script, and what runs first. Knows no source."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from hardener.needs.source.uses import Doubt, Program
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from hardener.needs.source.python_effects import Effects

_INTERPRETERS = ("python", "pypy")
#: Programs that run the Python program behind them, and what is not known of them.
_RUNNERS = {"poetry": "run", "pipenv": "run", "uv": "run", "pdm": "run", "rye": "run", "hatch": "run"}
_VALUED_FLAGS = frozenset("WX")


class Launch(NamedTuple):
    """What runs first."""

    #: Folders in front of Python's search path.
    roots: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    #: Modules by name, of the project or of a library.
    modules: tuple[str, ...] = ()
    #: Whether the interpreter is given them, so that `if __name__ == "__main__"` holds.
    main: bool = False
    #: The text of `python -c`.
    code: str = ""
    #: Whether all of the project may run, since modules are found by their names.
    everything: bool = False
    #: Processes beside the first; None where their number is not known.
    workers: int | None = 0
    #: Completes the effects, once the modules are read.
    finish: Callable[[Effects], None] | None = None
    doubts: tuple[Doubt, ...] = ()
    #: Variables that the program reads from files as it starts.
    variables: tuple[tuple[str, str], ...] = ()
    workdir: str = ""


def launch_of(program: Program) -> Launch | None:
    """What a program runs first; None for a program that is not Python's."""
    name = program.name
    if name in _RUNNERS and program.words[1:2] == (_RUNNERS[name],):
        return _by_runner(program, name)
    stem = name.rstrip("0123456789.")
    if stem in _INTERPRETERS:
        return _interpreted(program)
    if "/" in program.words[0] or name.endswith(".py"):
        path = posixpath.normpath(posixpath.join(program.workdir, program.words[0]))
        text = program.files.text(path)
        if text is not None and "python" in text.partition("\n")[0] and text.startswith("#!"):
            return Launch(roots=(posixpath.dirname(path),), files=(path,), main=True)
    return _console_script(program, name)


def _by_runner(program: Program, name: str) -> Launch | None:
    rest = list(program.words[2:])
    while rest and rest[0].startswith("-"):
        rest.pop(0)
    if not rest:
        return None
    if rest[0].endswith(".py"):
        rest.insert(0, "python")
    launch = launch_of(program._replace(words=tuple(rest)))
    if launch is None:
        return None
    doubt = Doubt(frozenset(("writes", "memory")), f"what `{name} run` installs before it starts the program")
    return launch._replace(doubts=(*launch.doubts, doubt))


def _interpreted(program: Program) -> Launch | None:
    words = program.words
    at = 1
    while at < len(words):
        word = words[at]
        if not word.startswith("-") or word == "-":
            break
        if word.startswith("--"):
            at += 1
            continue
        for place, flag in enumerate(word[1:], 2):
            rest = word[place:]
            if flag == "c":
                code = rest or " ".join(words[at + 1 : at + 2])
                return Launch(roots=(program.workdir,), code=code or " ")
            if flag == "m":
                module = rest or " ".join(words[at + 1 : at + 2])
                behind = words[at + (1 if rest else 2) :]
                return _module(program, module, behind)
            if flag in _VALUED_FLAGS:
                at += 0 if rest else 1
                break
        at += 1
    if at >= len(words) or words[at] == "-":
        return None
    path = posixpath.normpath(posixpath.join(program.workdir, words[at]))
    if "$" in words[at]:
        return None
    if program.files.kind(path) == "folder":
        return Launch(roots=(path,), files=(posixpath.join(path, "__main__.py"),), main=True)
    launch = Launch(roots=(posixpath.dirname(path),), files=(path,), main=True)
    if posixpath.basename(path) == "manage.py":
        from hardener.needs.source.python_servers import django

        return django(program, launch, words[at + 1 :])
    return launch


def _module(program: Program, module: str, arguments: tuple[str, ...]) -> Launch | None:
    from hardener.needs.source.python_servers import SERVERS

    if "$" in module:
        return None
    launch = Launch(roots=(program.workdir,), modules=(f"{module}.__main__", module), main=True)
    server = SERVERS.get(module.partition(".")[0] if module != "http.server" else module)
    folder = posixpath.join(program.workdir, *module.split("."))
    if server is not None and not program.files.kind(folder) and program.files.kind(folder + ".py") != "file":
        return server(program, launch._replace(modules=(), main=False), arguments)
    return launch


def _console_script(program: Program, name: str) -> Launch | None:
    from hardener.needs.source.python_servers import SERVERS

    server = SERVERS.get(name)
    if server is not None and name != "http.server":
        return server(program, Launch(roots=(program.workdir,)), program.words[1:])
    for module in _own_script(program, name):
        return Launch(roots=(program.workdir,), modules=(module,))
    return None


def _own_script(program: Program, name: str) -> Iterator[str]:
    """The module of a console script that the project's own package declares."""
    text = program.files.text(posixpath.join(program.workdir, "pyproject.toml"))
    if text is None or name not in text:
        return
    import tomllib

    try:
        table: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return
    tools = table.get("tool") if isinstance(table.get("tool"), dict) else {}
    assert isinstance(tools, dict)
    for owner in (table.get("project"), tools.get("poetry")):
        scripts = owner.get("scripts") if isinstance(owner, dict) else None
        script = scripts.get(name) if isinstance(scripts, dict) else None
        if isinstance(script, str):
            yield script.partition(":")[0].strip()
