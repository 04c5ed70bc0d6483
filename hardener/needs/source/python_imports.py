"""The libraries that a Python program imports, and what is open about them. Knows no call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from hardener.needs.source.python_files import Project
from hardener.needs.source.python_libraries import is_standard, library_of, standard
from hardener.needs.source.uses import EVERYTHING, Doubt, Program


class Imports:
    """What all modules of a project import from elsewhere. `more`: modules that are named in text, with the place."""

    def __init__(self, project: Project, more: Mapping[str, str]) -> None:
        self.project = project
        found: dict[str, tuple[str, int]] = {}
        for module in project.modules.values():
            for name, level, names, line in module.imports:
                if level or project.find(name, 0, module.package, further=True) is not None:
                    continue
                for one in self._names(name, names):
                    found.setdefault(one, (module.path, line))
        for name, place in more.items():
            found.setdefault(name, (place, 0))
        self._found = found
        #: Dotted names of modules.
        self.names = frozenset(found)
        pairs = {name: library_of(name) for name in found if not is_standard(name)}
        #: Each library once.
        self.libraries = tuple({one.package: one for one in pairs.values() if one is not None}.values())
        self._unknown = [name for name, library in pairs.items() if library is None]

    def _names(self, name: str, names: tuple[str, ...]) -> Iterator[str]:
        """The module, or those that a namespace package such as `google.cloud` gives."""
        if not names or is_standard(name) or library_of(name) is not None:
            yield name
        else:
            for one in names:
                full = f"{name}.{one}"
                yield full if library_of(full) is not None else name

    def uses(self, name: str) -> bool:
        """Whether a module is imported."""
        return any(one == name or one.startswith(name + ".") for one in self.names)

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings of all libraries that name a place, with its kind."""
        found: dict[str, str] = {}
        for library in self.libraries:
            found |= library.settings
        return found

    @property
    def databases(self) -> bool:
        """Whether a library opens what an address such as `sqlite:///x.db` names."""
        return "database" in self.settings.values()

    def variables(self, program: Program) -> dict[str, str]:
        """The variables of the file `.env` that a program may load as it starts."""
        from hardener.needs.source.python_servers import env_file

        found: dict[str, str] = {}
        for folder in (program.workdir, *self.project.roots):
            found |= dict(env_file(program._replace(workdir=folder), ".env"))
        return found

    def doubts(self, origin: Callable[[str], str]) -> Iterator[Doubt]:
        """What is open because a library is not known."""
        for name in {name.partition(".")[0]: name for name in reversed(self._unknown)}.values():
            path, line = self._found[name]
            place = f"`{origin(path) or path}:{line}`" if line else f"`{path}`"
            yield Doubt(EVERYTHING, f"the library `{name.partition('.')[0]}`, which {place} imports")
        for name in self.names:
            top = name.partition(".")[0]
            if is_standard(name) and not {name, top} & standard().quiet:
                path, line = self._found[name]
                why = standard().loud.get(top, "is not known")
                yield Doubt(EVERYTHING, f"`{origin(path) or path}:{line}` imports `{name}`, which {why}")
