"""What is made for a wheel when it is built: the examples of the rules' pages, and the man page. Knows hatchling's hooks."""

from __future__ import annotations

import ast
import os
import sys
import tempfile
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

EXAMPLES = "hardener/pages/examples.json"
MANUAL = "share/man/man1/harden.1"


class Made(BuildHookInterface):  # type: ignore[misc]
    """Adds both to a wheel; an editable one finds the examples in the repository, and needs no manual."""

    PLUGIN_NAME = "custom"
    _folder = ""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make them, from the sources that are built and from nothing that is installed."""
        if version == "editable":
            return
        import json

        sys.path.insert(0, self.root)
        try:
            from hardener.pages.cases import gather
            from hardener.site.manual import manual
        finally:
            sys.path.remove(self.root)
        self._folder = tempfile.mkdtemp()
        made = {
            "examples.json": json.dumps(gather(os.path.join(self.root, "fixtures"), _wanted(self.root)), indent=1) + "\n",
            "harden.1": manual(),
        }
        for name, text in made.items():
            with open(os.path.join(self._folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        build_data["force_include"][os.path.join(self._folder, "examples.json")] = EXAMPLES
        build_data["shared_data"][os.path.join(self._folder, "harden.1")] = MANUAL

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Take away what was only made to be packed."""
        from shutil import rmtree

        if self._folder:
            rmtree(self._folder)


def _wanted(root: str) -> list[tuple[str, str]]:
    """The cases that docstrings name, by rule. Nothing is imported of rules: what they need may not be there during a build."""
    from hardener.pages.page import read

    folder = os.path.join(root, "hardener", "rules")
    wanted = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".py") and not name.startswith("_"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                page = read(ast.get_docstring(ast.parse(file.read())) or "")
            wanted += [(name[:-3].replace("_", "-"), example) for example in page.examples]
    return wanted
