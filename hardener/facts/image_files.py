"""Which files of an image come from the project: what COPY and ADD bring, and what is mounted over it. Knows no rule.

Files that a RUN makes, or that another image brings, are not there: who asks for them gets None, and `maker` tells the stage.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import islice
from typing import Protocol

from hardener.facts.dockerfile import DockerStage
from hardener.facts.tree import Tree
from hardener.record import NamedTuple
from hardener.source import Source

#: Folders of tools and of other people's code, which no walk enters.
_NOT_OWN = frozenset(".git .hg .svn node_modules bower_components __pycache__ .venv venv .tox .mypy_cache .idea .vscode".split())
#: Files beside a program that are no part of it.
_ASIDE = re.compile(r"(?i).*(?:docker|container)file.*|(?:docker-)?compose.*\.ya?ml|\..*|readme.*|license.*")
#: A walk ends after this many files, and says so.
MOST_FILES = 2000
#: Where so many files come first that are none of a program's, none is expected behind them.
_MOST_ASIDE = 64
#: A copied folder with more files than this is not read for what it says.
_MOST_TEXTS = 64


class _Files(Protocol):
    def kind(self, path: str) -> str:
        """ "file", "folder", or empty for what is not there."""

    def text(self, path: str) -> str | None: ...

    def origin(self, path: str) -> str: ...

    def walk(self, folder: str) -> Iterator[str]: ...

    def closed(self, path: str) -> Iterator[str]: ...


class ContextFiles:
    """The files of a build context, by their paths in it."""

    def __init__(self, folder: str, tree: Tree) -> None:
        self.folder = folder
        self._tree = tree

    def kind(self, path: str) -> str:
        location = self._location(path)
        if location is None or not self._tree.contains(location):
            return ""
        return "folder" if os.path.isdir(location) else "file" if os.path.isfile(location) else ""

    def text(self, path: str) -> str | None:
        source = self._source(path)
        return source.text if source else None

    def origin(self, path: str) -> str:
        source = self._source(path)
        return source.path if source else ""

    def walk(self, folder: str) -> Iterator[str]:
        location = self._location(folder)
        if location is not None:
            inside = os.path.relpath(location, self.folder)
            start = len(os.path.join(location, ""))
            for path in self._tree.walk(location, _NOT_OWN):
                yield path[start:] if inside == "." else os.path.join(inside, path[start:])

    @property
    def has_only_dockerfiles(self) -> bool:
        """Whether there is nothing that a program could be made of."""
        key = (ContextFiles, self.folder)
        if key not in self._tree.concluded:
            first = islice(self.walk("."), _MOST_ASIDE)
            self._tree.concluded[key] = all(_ASIDE.fullmatch(posixpath.basename(path)) for path in first)
        return bool(self._tree.concluded[key])

    def closed(self, path: str) -> Iterator[str]:
        """The files and folders at or below a path that only their owner may read or, if the owner may, start."""
        location = self._location(path)
        if location is not None and self._tree.contains(location):
            for closed in self._tree.closed(location, _NOT_OWN):
                yield os.path.relpath(closed, self.folder)

    def _source(self, path: str) -> Source | None:
        location = self._location(path)
        return self._tree(location) if location is not None else None

    def _location(self, path: str) -> str | None:
        path = posixpath.normpath(path.lstrip("/") or ".")
        return None if path.startswith("..") else os.path.normpath(os.path.join(self.folder, path))


class WrittenFiles:
    """Files whose text stands in objects of the project, by their paths below a folder; "" for one that is no folder's."""

    def __init__(self, files: tuple[tuple[str, str], ...], said_in: str) -> None:
        self._texts = {posixpath.normpath(path): text for path, text in files}
        self._said_in = said_in

    def kind(self, path: str) -> str:
        path = posixpath.normpath(path)
        if path in self._texts:
            return "file"
        return "folder" if self._paths(path) else ""

    def text(self, path: str) -> str | None:
        return self._texts.get(posixpath.normpath(path))

    def origin(self, path: str) -> str:
        """The file that mounts them, and the name of the one in it: whose lines are counted."""
        path = posixpath.normpath(path)
        if path not in self._texts:
            return ""
        return self._said_in if path == "." else f"{self._said_in} ({path})"

    def walk(self, folder: str) -> Iterator[str]:
        yield from self._paths(posixpath.normpath(folder))

    def closed(self, path: str) -> Iterator[str]:
        return iter(())

    def _paths(self, folder: str) -> list[str]:
        return [path for path in sorted(self._texts) if folder == "." or _inside(path, folder)]


class _Elsewhere:
    """What comes from another image or from the network: files of which nothing is known."""

    def kind(self, path: str) -> str:
        return ""

    def text(self, path: str) -> str | None:
        return None

    def origin(self, path: str) -> str:
        return ""

    def walk(self, folder: str) -> Iterator[str]:
        return iter(())

    def closed(self, path: str) -> Iterator[str]:
        return iter(())


class _Copy(NamedTuple):
    """What lies at `target` in the image is what lies at `source` in `files`; of nothing known, an empty `kind`."""

    target: str
    kind: str
    files: _Files
    source: str


class ImageFiles:
    """The files that an image has from the project, by their paths in the image; without a stage, those mounted into it."""

    def __init__(self, stage: DockerStage | None, context: ContextFiles | None = None) -> None:
        self.stage = stage
        #: The folder of the build context; empty where there is none.
        self.context = context.folder if context is not None else ""
        self._copies = list(_read(stage, context)) if stage is not None and context is not None else []
        self._built = len(self._copies)
        self._context = context

    def mount(self, target: str, files: ContextFiles | WrittenFiles | None) -> None:
        """Lay a folder or file from elsewhere over the image; None for one of which nothing is known."""
        here: _Files = files or _Elsewhere()
        self._copies.append(_Copy(posixpath.normpath(target), here.kind("."), here, "."))

    def kind(self, path: str) -> str:
        """ "file", "folder", or empty for what is not known to be there."""
        path = posixpath.normpath(path)
        for copy in reversed(self._copies):
            inside = _inside(path, copy.target)
            if inside is None:
                if copy.kind and _inside(copy.target, path) is not None:
                    return "folder"
            elif not copy.kind:
                return ""  # whatever was there may be covered
            elif copy.kind == "folder" or not inside:
                kind = copy.files.kind(posixpath.join(copy.source, inside) if inside else copy.source)
                if kind:
                    return kind
        return ""

    def text(self, path: str) -> str | None:
        """The text of a file of the image; None where it is not known."""
        return next((text for files, inside in self._from(path) if (text := files.text(inside)) is not None), None)

    def origin(self, path: str) -> str:
        """The path of a file of the image as the user knows it in the project; empty where it does not come from there."""
        return next((origin for files, inside in self._from(path) if (origin := files.origin(inside))), "")

    def _from(self, path: str) -> Iterator[tuple[_Files, str]]:
        """Where a file may come from, with its path there; the last copy first."""
        path = posixpath.normpath(path)
        for copy in reversed(self._copies):
            inside = _inside(path, copy.target)
            if inside is not None and not copy.kind:
                return
            if inside is not None and (copy.kind == "folder") == bool(inside):
                yield copy.files, posixpath.join(copy.source, inside) if inside else copy.source

    def walk(self, folder: str = "/") -> Iterator[str]:
        """The paths of all files below a folder, `MOST_FILES` at most."""
        folder = posixpath.normpath(folder)
        seen: set[str] = set()
        for copy in self._copies:
            below, above = _inside(copy.target, folder), _inside(folder, copy.target)
            if copy.kind == "file" and below is not None:
                seen.add(copy.target)
            elif copy.kind == "folder" and (below is not None or above is not None):
                start = posixpath.join(copy.source, above) if above else copy.source
                for path in copy.files.walk(start):
                    rest = posixpath.relpath(path, copy.source)
                    seen.add(posixpath.normpath(posixpath.join(copy.target, rest)))
                    if len(seen) >= MOST_FILES:
                        break
        yield from sorted(seen)[:MOST_FILES]

    def copied(self) -> Iterator[tuple[str, str | None]]:
        """What the image's instructions copy in: the path, and what the file, or the files of the folder, say."""
        for copy in self._copies[: self._built]:
            if copy.kind == "file":
                yield copy.target, copy.files.text(copy.source)
            elif copy.kind == "folder":
                paths = list(islice(copy.files.walk(copy.source), _MOST_TEXTS + 1))
                texts = [copy.files.text(path) for path in paths] if len(paths) <= _MOST_TEXTS else [None]
                yield copy.target, None if None in texts else "\n".join(text for text in texts if text is not None)
            else:
                yield copy.target, None

    def closed(self, path: str = "/") -> Iterator[str]:
        """The files and folders at or below a path that come from the project and that only their owner may read or start.

        A folder that is copied keeps its mode where there was none before (BuildKit; the classic builder opens it).
        """
        for number, copy in enumerate(self._copies):
            if copy.kind and (_inside(copy.target, path) is not None or _inside(path, copy.target) is not None):
                was_there = number < self._built and copy.kind == "folder" and self._is_made(copy.target)
                for found in copy.files.closed(copy.source):
                    if not (was_there and posixpath.normpath(found) == posixpath.normpath(copy.source)):
                        yield found

    def _is_made(self, path: str) -> bool:
        """Whether a WORKDIR makes a folder, whenever."""
        workdirs = (item for _, item in self.stage.items if item.keyword == "WORKDIR") if self.stage else ()
        return any(_inside(item.arguments, path) is not None for item in workdirs)

    @property
    def is_absent(self) -> bool:
        """Whether the image has files from the project, and none of these is here: its build context has only Dockerfiles."""
        if not self._copies or self._context is None:
            return False
        return self._context.has_only_dockerfiles

    def maker(self, path: str) -> tuple[ImageFiles, str]:
        """The stage whose RUN makes what lies at a path, with its path there: this one, or one that it is copied from."""
        path = posixpath.normpath(path)
        for copy in reversed(self._copies):
            inside = _inside(path, copy.target)
            if inside is not None and isinstance(copy.files, ImageFiles):
                return copy.files.maker(posixpath.join(copy.source, inside) if inside else copy.source)
        return self, path


def _read(stage: DockerStage, context: ContextFiles) -> Iterator[_Copy]:
    for at, item in stage.items:
        if item.keyword not in ("COPY", "ADD") or not item.values:
            continue
        *sources, to = (stage.resolve(value, at, item.index) for value in item.values)
        if to is None:
            continue
        name = item.flag("from")
        files: _Files | None = context if name is None else _stage_named(stage, context, name, at.index)
        into = posixpath.normpath(posixpath.join(stage.workdir_before(item) or "/", to))
        many = len(sources) > 1 or to.endswith(("/", "/.")) or to in (".", "..", "./")
        for source in sources:
            packed = item.keyword == "ADD" and source is not None and ".t" in posixpath.basename(source) and ".txt" not in source
            if packed:
                yield _Copy(into, "", _Elsewhere(), source or "")
            elif source is not None and files is not None and "://" not in source:
                yield from _copies(files, source, into, many)
            else:
                yield _Copy(_covered(source or "", into) if many else into, "", _Elsewhere(), source or "")


def _covered(source: str, into: str) -> str:
    """What something that is not here covers of a folder: the file of its name, or, where it may be a folder too, all of it."""
    parent, name = posixpath.split(source.rstrip("/"))
    is_file = "://" in source or posixpath.splitext(name)[1] or parent.endswith(("/bin", "/sbin"))
    return posixpath.join(into, name) if is_file and name else into


def _stage_named(stage: DockerStage, context: ContextFiles, name: str, before: int) -> ImageFiles | None:
    stages = stage.dockerfile.stages
    found = next((s for s in stages[:before] if name.lower() in ((s.name or "").lower(), str(s.index))), None)
    return ImageFiles(stage.sibling(found), context) if found else None


def _copies(files: _Files, source: str, into: str, many: bool) -> Iterator[_Copy]:
    root = "/" if isinstance(files, ImageFiles) else ""
    source = posixpath.normpath(posixpath.join(root, source))
    if any(sign in source for sign in "*?["):
        folder = posixpath.dirname(source.partition("*")[0].partition("?")[0].partition("[")[0])
        depth = source.count("/")
        found = False
        for path in files.walk(folder or root or "."):
            head = "/".join(path.split("/")[: depth + 1])
            if path.count("/") >= depth and fnmatchcase(head, source):
                found = True
                yield _Copy(posixpath.join(into, posixpath.relpath(path, posixpath.dirname(head) or ".")), "file", files, path)
        if not found:
            # What a RUN of that stage makes: its names are not known, but the stage is.
            yield _Copy(into, "", files, posixpath.dirname(source) if many else source)
        return
    kind = files.kind(source)
    if kind == "folder":
        yield _Copy(into, "folder", files, source)
    else:
        yield _Copy(posixpath.join(into, posixpath.basename(source)) if many else into, kind, files, source)


def _inside(path: str, folder: str) -> str | None:
    """The rest of a path below a folder, empty for the folder itself, None for what is elsewhere."""
    if path == folder:
        return ""
    prefix = folder.rstrip("/") + "/"
    return path[len(prefix) :] if path.startswith(prefix) else None
