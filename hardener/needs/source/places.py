"""What kind of place a path is, and which path a word of a command means. Knows no command and no language."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

from hardener.finding import Evidence, Strength
from hardener.needs.source.uses import WRITES, Doubt, Memory, Program, Uses, Write

#: Kinds of the folders that are the same in every image (Filesystem Hierarchy Standard 3.0); the longest that fits counts.
_KINDS = {
    "/tmp": "scratch",
    "/var/tmp": "scratch",
    "/dev/shm": "scratch",
    "/run": "run",
    "/var/run": "run",
    "/var/lock": "run",
    "/var/log": "log",
    "/var/cache": "cache",
    "/etc": "config",
    "/bin": "config",
    "/sbin": "config",
    "/lib": "config",
    "/lib64": "config",
    "/usr": "config",
    "/boot": "config",
}
#: Where no file comes to be: devices, and what the kernel shows of processes and of itself.
_NO_FILES = ("/dev", "/proc", "/sys")
#: From here on a path is only known when it runs.
_COMPUTED = re.compile(r"[$*?`]|\[[^/]*\]|\{[^/]*,")

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def kind_of(path: str) -> str:
    """The kind of a place that is written, in the words of `Write.kind`; "data" where its name says nothing."""
    folder = path
    while folder != "/":
        if folder in _KINDS:
            return _KINDS[folder]
        folder = posixpath.dirname(folder)
    name = posixpath.basename(path)
    if name.endswith(".pid"):
        return "run"
    if name.endswith(".log"):
        return "log"
    return "cache" if "/.cache" in path else "data"


def is_inside(path: str, folder: str) -> bool:
    """Whether a path is a folder, or lies below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def location(word: str, program: Program) -> str | None:
    """The absolute path that a word means, as far as it is known: of `/data/$day/x` it is `/data`. None for a computed one."""
    if word == "~" or word.startswith("~/"):
        home = program.environment.get("HOME")
        if not home:
            return None
        word = home + word[1:]
    if word.startswith(("$", "`")):
        # It may begin anywhere.
        return None
    path = posixpath.join(program.workdir, word)
    computed = _COMPUTED.search(path)
    if computed:
        path = posixpath.dirname(path[: computed.start()])
        if path.strip("/") == "":
            return None
    return "/" + posixpath.normpath(path).lstrip("/")


def written(program: Program, words: Iterable[str], claim: str) -> Uses:
    """The uses of a command that writes these paths; `claim` says what it does to them: "creates"."""
    writes: list[Write] = []
    doubts: list[Doubt] = []
    for word in words:
        if not word:
            continue
        path = location(word, program)
        evidence = Evidence(f"{claim} {word}", program.at, Strength.READ)
        if path is None:
            doubts.append(Doubt(frozenset((WRITES,)), f"which path `{word}` is, that {place(program)} writes"))
        elif is_inside(path, "/dev/shm") or not any(is_inside(path, folder) for folder in _NO_FILES):
            writes.append(Write(path, kind_of(path), False, evidence))
    evidence = Evidence(f"{claim} files", program.at, Strength.READ)
    # Who writes takes the memory, not what is written.
    return Uses(evidence, tuple(writes), memory=Memory(0, claim, evidence), doubts=tuple(doubts))


def found(word: str, program: Program) -> str | None:
    """The path of the file that a word names as a program, along PATH; None when it is not known."""
    if "/" in word:
        return location(word, program) if "$" not in word and "*" not in word else None
    folders = (program.environment.get("PATH") or _PATH).split(":")
    paths = [posixpath.join(folder, word) for folder in (*folders, program.workdir) if folder.startswith("/")]
    return next((path for path in paths if program.files.kind(path) == "file"), None)


def place(program: Program) -> str:
    """Where a program is started, as a text names it."""
    return f"`{program.at}`" if program.at else f"`{program.name}`"
