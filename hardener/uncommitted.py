"""Which files git holds no copy of as they are: to write into them could lose work. Knows git's answers, and nothing of fixes.

Git is asked without anything that a repository could have it run: no hooks, no watcher of files, and no lock is taken.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

#: How many paths are given to one process: well below what a system takes as arguments.
_AT_ONCE = 500
#: Long enough for a repository on a slow disk, whose index has to be read anew.
_SECONDS = 120.0


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
    import subprocess

    names = {os.path.relpath(file, root).replace(os.sep, "/"): file for file in files}
    command = ["git", "-C", root, "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "--no-optional-locks"]
    command += ["--literal-pathspecs", "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--", *names]
    try:
        asked = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        return dict.fromkeys(files, "may have uncommitted changes: there is no git here to ask")
    except subprocess.TimeoutExpired:
        return dict.fromkeys(files, f"may have uncommitted changes: git did not answer within {_SECONDS:.0f} s")
    if asked.returncode:
        last = asked.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
        return dict.fromkeys(files, f"may have uncommitted changes: git says {last}")
    told: dict[str, str] = {}
    for entry in asked.stdout.split(b"\0"):
        name = os.fsdecode(entry[3:])
        if name in names:
            told[names[name]] = "is not committed yet" if entry.startswith(b"??") else "has uncommitted changes"
    return told
