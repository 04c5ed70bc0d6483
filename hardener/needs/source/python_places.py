"""Where a Python program writes: texts as absolute paths, and what kind of place each is. Knows no call."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from typing import Any

from hardener.finding import Evidence
from hardener.needs.source.python_values import HOLE, Reader
from hardener.needs.source.uses import CAPABILITIES, WRITES, Write

#: Files that are no files, or that exist in every container and can be written without more.
_NOTHING = re.compile(r"/dev/(?:null|zero|u?random|tty|ptmx|stdin|stdout|stderr|fd/.*|log)|/proc/(?:self|1|thread-self)/fd/.*")
_KINDS = (
    (re.compile(r"/tmp(?:/|$)|/var/tmp(?:/|$)|/dev/shm(?:/|$)"), "scratch"),
    (re.compile(r"/(?:var/)?run(?:/|$)|.*\.(?:pid|sock|socket|lock)$"), "run"),
    (re.compile(r"/var/log(?:/|$)|.*/logs?$|.*\.log$"), "log"),
    (re.compile(r"/var/cache(?:/|$)|.*/\.?cache(?:/|$)"), "cache"),
)
#: Where only more than the default privileges let a program write.
_KERNEL = re.compile(r"/(?:proc|sys|dev)(?:/|$)")

_Prove = Callable[[str, Any, Any], Evidence]


class Places:
    """The places that one program writes."""

    def __init__(self, reader: Reader) -> None:
        self.program = reader.program
        self.writes: dict[tuple[str, str], Write] = {}
        #: Where the program may go with `os.chdir`; a hole for a folder that is not known.
        self.folders: dict[str, None] = {self.program.workdir: None}

    def written(
        self, text: str, kind: str, prove: _Prove, scope: Any, node: Any, *, beside: bool = False
    ) -> tuple[str, str] | None:
        """Note a place. The question that it leaves open and the words for that, where it cannot be told."""
        problem = None
        for path in self.absolute(text):
            whole = HOLE not in path
            known = path.partition(HOLE)[0]
            folder = known if whole and not beside else posixpath.dirname(known)
            if not folder.strip("/") or (not whole and _is_outside(path)):
                problem = (WRITES, "writes a path that is computed")
                continue
            if _NOTHING.fullmatch(folder):
                continue
            if _KERNEL.match(folder) and not folder.startswith("/dev/shm"):
                problem = (CAPABILITIES, f"writes `{folder}`, which belongs to the kernel")
                continue
            self.note(folder, kind or kind_of(folder), prove(f"writes {folder}", scope, node))
        return problem

    def note(self, path: str, kind: str, evidence: Evidence) -> None:
        """Note a place whose path is known."""
        self.writes.setdefault((path, kind), Write(path, kind, False, evidence))

    def absolute(self, text: str) -> list[str]:
        """The paths that a text may mean, by where the program may be."""
        if text.startswith("file:"):
            text = text[5:].partition("?")[0]
        if text.startswith(HOLE):
            return [text]
        if text.startswith("/"):
            return [posixpath.normpath(text).replace("//", "/")]
        return [posixpath.normpath(posixpath.join(folder, text)) for folder in self.folders]


def kind_of(path: str) -> str:
    """What is written at a path, by its name: what could be lost is data."""
    return next((kind for pattern, kind in _KINDS if pattern.match(path)), "data")


def _is_outside(path: str) -> bool:
    """Whether what is not known may lead anywhere: `/` and something, or something and `..`."""
    return path.startswith(HOLE) or f"{HOLE}/.." in path
