"""Which files git holds no copy of as they are: to write into them could lose work. Knows git's answers, and nothing of fixes.

How git is asked without anything that a repository could have it run is `hardener.git`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from hardener.errors import UsageError
from hardener.git import asked, without_filters

#: How many paths are given to one process: well below what a system takes as arguments.
_AT_ONCE = 500


def uncommitted(locations: Iterable[str]) -> dict[str, str]:
    """The files whose text git has no copy of, and why that is so, in words that go on after "it".

    Files outside of a repository, and those that git is told to ignore, are nobody's concern here.
    """
    roots: dict[str, list[str]] = {}
    for location in dict.fromkeys(locations):
        real = os.path.realpath(location)
        root = _checkout(os.path.dirname(real))
        if root:
            roots.setdefault(root, []).append(real)
    told: dict[str, str] = {}
    for root, files in roots.items():
        for at in range(0, len(files), _AT_ONCE):
            told |= _told(root, files[at : at + _AT_ONCE])
    return told


def _checkout(folder: str) -> str:
    """The root of the checkout that a folder is in; empty for none."""
    while not (os.path.isfile(os.path.join(folder, ".git")) or os.path.isfile(os.path.join(folder, ".git", "HEAD"))):
        parent = os.path.dirname(folder)
        if parent == folder:
            return ""
        folder = parent
    return folder


def _told(root: str, files: Sequence[str]) -> dict[str, str]:
    names = {os.path.relpath(file, root).replace(os.sep, "/"): file for file in files}
    words = ["--literal-pathspecs", "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames"]
    try:
        unfiltered = without_filters(_asked(root, "config", "--list", "--name-only", "-z"))
        if unfiltered is None:
            return dict.fromkeys(files, "may have uncommitted changes: git has a filter here whose name has `=` in it")
        answer = _asked(root, *unfiltered, *words, "--ignore-submodules=all", "--", *names)
    except UsageError as error:
        return dict.fromkeys(files, f"may have uncommitted changes: {error}")
    told: dict[str, str] = {}
    for entry in answer.split(b"\0"):
        name = os.fsdecode(entry[3:])
        if name in names:
            told[names[name]] = "is not committed yet" if entry.startswith(b"??") else "has uncommitted changes"
    return told


def _asked(root: str, *words: str) -> bytes:
    """What git answers. Raises `UsageError` where it does not, with the reason."""
    answer = asked(root, *words)
    if answer.returncode:
        raise UsageError(f"git says {answer.stderr.decode('utf-8', 'replace').strip().partition(chr(10))[0]}")
    return answer.stdout
