"""Variables that programs read from `.env` files by themselves. Knows no language."""

from __future__ import annotations

import posixpath
import re

from hardener.needs.source.uses import Program

_LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*[=:]\s*(?:\"((?:[^\"\\]|\\.)*)\"|'([^']*)'|([^\n#]*))", re.M)
#: Examples, which nobody reads.
_EXAMPLE = re.compile(r"example|sample|template|dist|test")


def with_dotenv(program: Program, *folders: str) -> Program:
    """The program with what the `.env` files of these folders set and nothing else did; None for what they do not agree upon."""
    found: dict[str, str | None] = {}
    for folder in dict.fromkeys(folders):
        for path in program.files.walk(folder):
            name = posixpath.basename(path)
            if posixpath.dirname(path) != folder.rstrip("/") or not name.startswith(".env") or _EXAMPLE.search(name):
                continue
            for key, double, single, bare in _LINE.findall(program.files.text(path) or ""):
                value: str | None = double or single or bare.strip()
                if "$" in (value or "") or found.get(key, value) != value:
                    value = None
                found[key] = value
    if not found:
        return program
    return program._replace(environment={**found, **program.environment})
