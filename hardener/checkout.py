"""Files of a commit laid out in a fresh folder that looks like the root of a repository. Trusts no name, and knows no git."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from hardener.undisturbed import undisturbed

#: What the system says to a name that no checkout could have: too long, or of a file and a folder at once.
_NO_NAME = frozenset((errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.EILSEQ, errno.EINVAL))
#: How a file is opened that is not there yet: a link of that name is not followed, and no line end is changed.
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class NoSuchName(Exception):
    """A file cannot have the name that it is listed under."""


@contextmanager
def checkout(prefix: str) -> Iterator[str]:
    """A folder with an empty `.git` and nothing else, which only we may enter; absolute, without links, gone at the end.

    The folder itself is as open as those in it: how open a folder is counts where it is copied into an image.
    """
    outer = os.path.realpath(tempfile.mkdtemp(prefix=prefix))
    try:
        top = os.path.join(outer, "repository")
        _folder(top)
        _folder(os.path.join(top, ".git"))
        yield top
    finally:
        with undisturbed():
            shutil.rmtree(outer, ignore_errors=True)


def location(top: str, path: str) -> str:
    """Where the file of a path, from the root and with `/`, lies in a folder. Raises `NoSuchName` for one that leads elsewhere,
    or into `.git` on some system.
    """
    parts = path.split("/")
    if "\0" in path or any(part in ("", ".", "..") or _is_git(part) for part in parts):
        raise NoSuchName(path)
    if os.sep != "/" and any(os.sep in part or ":" in part for part in parts):
        raise NoSuchName(path)
    return os.path.join(top, *parts)


def put(top: str, path: str, data: bytes = b"", *, executable: bool = False, size: int = 0) -> str:
    """Make a new file, and the folders that it takes, with the modes that git gives them; its location.

    One that says less than `size` bytes is filled up with NUL, which take no room. Raises `NoSuchName` for a path that no
    checkout could have, or that is taken, and `OSError`.
    """
    there = location(top, path)
    try:
        try:
            descriptor = os.open(there, _NEW, 0o600)
        except FileNotFoundError:
            _folders(os.path.dirname(there), top)
            descriptor = os.open(there, _NEW, 0o600)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            if data:
                file.write(data)
            if size > len(data):
                file.truncate(size)
            os.chmod(descriptor if os.chmod in os.supports_fd else there, 0o755 if executable else 0o644)
    except ValueError:  # a name that the system's encoding has no bytes for
        raise NoSuchName(path) from None
    except OSError as error:
        if error.errno in _NO_NAME:
            raise NoSuchName(path) from None
        raise
    return there


def _folders(folder: str, top: str) -> None:
    missing: list[str] = []
    while folder != top and not os.path.isdir(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    for one in reversed(missing):
        _folder(one)


def _folder(path: str) -> None:
    os.mkdir(path)
    os.chmod(path, 0o755)


def _is_git(part: str) -> bool:
    """Whether a name is `.git` to some system: in any case, with what it leaves out at the end or anywhere, or its short form."""
    if part.isascii() and part[:1] not in ".gG":
        return False
    plain = "".join(letter for letter in part if letter.isprintable()).partition(":")[0]
    return plain.casefold().rstrip(". ") in (".git", "git~1")
