"""Reads libraries of Node.js as programs are read, to derive `hardener/needs/source/libraries/node.toml`. A tool, no test.

    python tests/read_libraries.py express koa@2 ...

installs each into a folder of its own with npm (no scripts are run), follows what its modules load, its dependencies with it,
and prints what they do that a container must allow. A person decides what that means for a program that uses it.
"""

from __future__ import annotations

import json
import os
import posixpath
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from hardener.facts.image_files import ImageFiles
from hardener.needs.source import listing as listings
from hardener.needs.source import node_project
from hardener.needs.source.listing import Listing
from hardener.needs.source.uses import EVERYTHING, Program, unknown

_CONDITIONS = ("node", "require", "default", "import", "module")


class Disk(ImageFiles):
    """The files of a folder of this machine, under their own paths."""

    def __init__(self) -> None:
        super().__init__(None)

    def kind(self, path: str) -> str:
        return "folder" if os.path.isdir(path) else "file" if os.path.isfile(path) else ""

    def text(self, path: str) -> str | None:
        try:
            with open(path, encoding="utf-8", errors="replace") as stream:
                return stream.read()
        except OSError:
            return None

    def origin(self, path: str) -> str | None:
        return path.rpartition("node_modules/")[2]

    def walk(self, folder: str = "/") -> Iterator[str]:
        for top, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if name != "node_modules"]
            yield from (os.path.join(top, name) for name in names)


class Installed(node_project.Project):
    """A project whose libraries are read too."""

    missing: set[str]

    def resolve(self, listing: Listing | None, name: str) -> str:
        if name.startswith((".", "/")):
            return super().resolve(listing, name)
        if name.startswith("node:") or name in node_project.BUILTIN:
            return ""
        folder = posixpath.dirname(listing.path) if listing else self.root
        if name.startswith("#") and listing is not None:
            package = node_project.root_of(self.files, listing.path)
            found = chosen((node_project.manifest_of(self.files, package) or {}).get("imports", {}).get(name))
            return self.file_at(posixpath.normpath(posixpath.join(package, found))) if found.startswith(".") else ""
        parts = name.split("/")
        width = 2 if name.startswith("@") else 1
        package, below = "/".join(parts[:width]), "/".join(parts[width:])
        while True:
            root = posixpath.join(folder, "node_modules", package)
            if os.path.isdir(root):
                return self.entry(root, below)
            if folder in ("/", ""):
                return ""
            folder = posixpath.dirname(folder)

    def entry(self, root: str, below: str) -> str:
        exports = (node_project.manifest_of(self.files, root) or {}).get("exports")
        if exports is not None:
            if not (isinstance(exports, dict) and any(key.startswith(".") for key in exports)):
                exports = {".": exports}
            key = f"./{below}" if below else "."
            found = chosen(exports.get(key))
            for pattern, target in exports.items():
                head, star, tail = pattern.partition("*")
                if not found and star and key.startswith(head) and key.endswith(tail):
                    found = chosen(target).replace("*", key[len(head) : len(key) - len(tail)])
            if found:
                return self.file_at(posixpath.normpath(posixpath.join(root, found)))
        return self.file_at(posixpath.normpath(posixpath.join(root, below)) if below else root)


def chosen(target: Any) -> str:
    """The file that a condition of `exports` chooses."""
    if isinstance(target, str):
        return target
    if isinstance(target, list):
        return next((found for one in target if (found := chosen(one))), "")
    if isinstance(target, dict):
        return next((found for key in _CONDITIONS if key in target and (found := chosen(target[key]))), "")
    return ""


def report(name: str, show: int) -> None:
    """Install a library and print what it does."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", "--prefix", folder, name]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            print(f"{name}: cannot be installed")
            return
        package = name if name.rfind("@") < 1 else name[: name.rfind("@")]
        with open(os.path.join(folder, "node_modules", package, "package.json"), encoding="utf-8") as stream:
            version = json.load(stream)["version"]
        program = Program(("node", "main.js"), "/WORK", {}, False, Disk())
        project = Installed(program, lambda _: unknown("not read"), program.files, folder)
        path = project.resolve(None, package)
        if not path:
            print(f'"{package}" = "{version}"  # no entry')
            return
        project.load(path)
        for found in list(project.listings.values()):
            project.gathering.look(found)
        uses = project.gathering
        native = [top for top, _, names in os.walk(folder) if "binding.gyp" in names or any(n.endswith(".node") for n in names)]
        notes = [f"write {w.path} {w.kind} | {w.evidence.source}" for w in uses.writes.values()]
        notes += [f"capability {c.name} | {c.evidence.source}" for c in uses.capabilities.values()]
        notes += [f"runs {r.name} | {r.evidence.source}" for r in uses.runs]
        notes += [f"{'EVERYTHING' if d.about == EVERYTHING else ' '.join(sorted(d.about))} | {d.text}" for d in uses.doubts]
        notes += [f"native {posixpath.relpath(top, folder)}" for top in native]
        missing = sorted(set(project.packages))
        print(
            f'"{package}" = "{version}"  # {len(project.listings)} files'
            + (f", not there: {' '.join(missing)}" if missing else "")
        )
        for note in notes[:show]:
            print("    " + note.replace(folder, ""))
        if len(notes) > show:
            print(f"    ... and {len(notes) - show} more")
        sys.stdout.flush()


if __name__ == "__main__":
    node_project._MOST_FILES = 5000
    listings.MAX_CHARACTERS = node_project.MAX_CHARACTERS = 4_000_000
    for argument in sys.argv[1:]:
        report(argument, 30)
