"""The tree that may be read for context: which files lie inside it. Knows no format."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from hardener.errors import Unreadable
from hardener.source import Source, read

#: Gives the text of a file that may be read for context, or None.
Context = Callable[[str], "Source | None"]

#: A mounted folder with more files than this is not read.
_MOST_FILES = 32
#: A walk ends when it has seen this many names.
_MOST_SEEN = 20_000


class Tree:
    """Reads files for context, never outside the roots, through links or otherwise; each file once.

    `fetch` is told of each location before it is read, where files are only brought when somebody wants them.
    """

    def __init__(self, roots: tuple[str, ...], fetch: Callable[[str], None] | None = None) -> None:
        self._fetch = fetch
        self._roots = _outermost(os.path.join(os.path.realpath(root), "") for root in roots)
        self._read: dict[str, Source | None] = {}
        #: What was concluded from these files in this run, by whoever concluded it.
        self.concluded: dict[object, Any] = {}

    def contains(self, location: str) -> bool:
        """Whether a path lies inside, once links are followed."""
        return os.path.join(os.path.realpath(location), "").startswith(self._roots)

    def project_of(self, folder: str) -> str:
        """The repository that a folder belongs to; where it is none, all that may be read around it, as of an archive."""
        root = repository_root(folder)
        if os.path.lexists(os.path.join(root, ".git")):
            return root
        inside = os.path.join(os.path.realpath(folder), "")
        return next((at for at in self._roots if inside.startswith(at)), root).rstrip(os.sep) or os.sep

    def __call__(self, location: str) -> Source | None:
        """The file at a location; None when it is not there, lies outside, or cannot be read."""
        if location not in self._read:
            self._read[location] = self._load(location)
        return self._read[location]

    def content(self, location: str) -> str | None:
        """What a file, or the files of a folder, say; None where that cannot be known in full."""
        if os.path.isdir(location) and self.contains(location):
            names = sorted(os.listdir(location))
            if len(names) > _MOST_FILES:
                return None
            texts = [self(os.path.join(location, name)) for name in names]
        else:
            texts = [self(location)]
        return None if None in texts else "\n".join(source.text for source in texts if source)

    def names(self, folder: str) -> tuple[str, ...]:
        """The paths of the files below a folder, in it; none for a file, and for a folder with more than are read."""
        found = tuple(islice(self.walk(folder), _MOST_FILES + 1)) if os.path.isdir(folder) else ()
        return tuple(os.path.relpath(path, folder) for path in found) if len(found) <= _MOST_FILES else ()

    def walk(self, folder: str, without: frozenset[str] = frozenset()) -> Iterator[str]:
        """The files below a folder, sorted within each; links and folders of the names in `without` are left out."""
        if not self.contains(folder):
            return
        waiting = [folder]
        seen = 0
        while waiting and seen < _MOST_SEEN:
            try:
                entries = sorted(os.scandir(waiting.pop()), key=lambda entry: entry.name)
            except OSError:
                continue
            seen += len(entries)
            yield from (entry.path for entry in entries if entry.is_file(follow_symlinks=False))
            folders = (entry for entry in entries if entry.is_dir(follow_symlinks=False) and entry.name not in without)
            waiting += reversed([entry.path for entry in folders])

    def closed(self, location: str, without: frozenset[str] = frozenset()) -> Iterator[str]:
        """Of a file, or the files of a folder, those that others than their owner may not read, or not start as the owner may."""
        folders = {location} if os.path.isdir(location) else set()
        for path in self.walk(location, without) if folders else (location,):
            parent = os.path.dirname(path)
            while parent.startswith(os.path.join(location, "")) and parent not in folders:
                folders.add(parent)
                parent = os.path.dirname(parent)
            mode = _mode(path)
            if not mode & 0o4 or (mode & 0o100 and not mode & 0o1):
                yield path
        yield from (folder for folder in sorted(folders) if _mode(folder) & 0o5 != 0o5)

    def take(self, location: str, source: Source) -> None:
        """From now on, what lies at a location is this: what it will say once it is written."""
        self._read[location] = source

    def _load(self, location: str) -> Source | None:
        if not os.path.isfile(location) or not self.contains(location):
            return None
        if self._fetch is not None:
            self._fetch(location)
        try:
            return read(location, os.path.relpath(location))
        except Unreadable:
            return None


def _outermost(folders: Iterable[str]) -> tuple[str, ...]:
    """The folders that lie in no other; each ends with a separator."""
    found: list[str] = []
    for folder in sorted(set(folders)):  # one comes before what lies in it
        if not found or not folder.startswith(found[-1]):
            found.append(folder)
    return tuple(found)


def _mode(location: str) -> int:
    try:
        return os.stat(location).st_mode
    except OSError:
        return 0


def repository_root(folder: str) -> str:
    """The repository that a folder belongs to: the nearest one upwards with `.git`, or the folder itself."""
    folder = os.path.abspath(folder)
    at = folder
    while True:
        if os.path.lexists(os.path.join(at, ".git")):
            return at
        above = os.path.dirname(at)
        if above == at:
            return folder
        at = above
