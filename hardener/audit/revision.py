"""A repository as it was at a revision, laid out in a folder of its own. Knows git, nothing of what the files say.

Only objects are read (`ls-tree`, `cat-file`): no hook, filter, monitor or remote of the repository is run or asked, and no link
is made. All files get one mode. What is too large to be read is left out, and so are submodules.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from hardener.checkout import NoSuchName, checkout, put
from hardener.errors import UsageError
from hardener.git import asked, command, environment
from hardener.record import NamedTuple

#: Files larger than this are left out; more files, or bytes of them together, are too much.
MAX_FILE = 1024 * 1024
MAX_FILES = 100_000
MAX_BYTES = 512 * 1024 * 1024
#: So much of the list of files is read: names of the usual length for more files than are taken.
_MAX_LISTED = 32 * 1024 * 1024
#: What nobody keeps in version control, and Compose files read all the same.
_LARGEST_ENV = 64 * 1024


class Past(NamedTuple):
    """A revision that was laid out."""

    #: The folder that stands for the repository's root, and the root itself; absolute, without links.
    folder: str
    root: str
    commit: str
    #: What was compared with, for people: the commit, and how it follows from what was asked for.
    name: str


@contextmanager
def past(revision: str, folder: str) -> Iterator[Past]:
    """The repository of a folder as it was where the branch left `revision`: at their merge base, or at the revision itself
    where they have none. It is gone at the end. Raises `UsageError` where git cannot tell, with what to do.
    """
    root = _root(folder)
    commit, name = _commit(root, revision)
    with checkout("harden-since-") as top:
        _lay_out(root, commit, top)
        _lend_environment(root, top)
        yield Past(top, root, commit, name)


def _root(folder: str) -> str:
    done = asked(folder, "rev-parse", "--show-toplevel")
    if done.returncode:
        raise UsageError("--since needs a git repository, and this folder is in none: run it in a clone")
    return os.path.realpath(os.fsdecode(done.stdout).rstrip("\n"))


def _commit(root: str, revision: str) -> tuple[str, str]:
    done = asked(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    is_shallow = asked(root, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"
    fetch = "git fetch --unshallow (in a workflow: fetch-depth: 0)"
    if done.returncode:
        way = f"the clone is shallow: {fetch}" if is_shallow else "fetch it, or name a branch, tag or commit that is here"
        raise UsageError(f"there is no revision `{revision}` in this repository: {way}")
    named = done.stdout.decode("ascii").strip()
    base = asked(root, "merge-base", named, "HEAD")
    commit = base.stdout.decode("ascii").strip().partition("\n")[0] if not base.returncode else ""
    if not commit and is_shallow:
        raise UsageError(f"where this branch left `{revision}` is not in this clone, which is shallow: {fetch}")
    if commit and commit != named:
        return commit, f"{commit[:12]}, where this branch left {revision}"
    return named, f"{named[:12]} ({revision})"


def _lay_out(root: str, commit: str, top: str) -> None:
    wanted: list[tuple[bytes, str]] = []
    total = 0
    for line in _listed(root, commit):
        head, tab, path = line.partition(b"\t")
        words = head.split()
        if not tab or words[0] not in (b"100644", b"100755", b"100664") or int(words[3]) > MAX_FILE:
            continue
        total += int(words[3])
        wanted.append((words[2], os.fsdecode(path)))
        if len(wanted) > MAX_FILES or total > MAX_BYTES:
            raise _too_many(commit)
    _write(root, wanted, top)


def _listed(root: str, commit: str) -> list[bytes]:
    """The lines of all files of a commit. A few trees that hold one another many times may list more than there is memory for."""
    import subprocess

    words = command(root, "ls-tree", "-r", "-z", "-l", "--full-tree", commit)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()) as process:
        assert process.stdout is not None
        listed = process.stdout.read(_MAX_LISTED + 1)
        if len(listed) > _MAX_LISTED:
            process.kill()
            raise _too_many(commit)
    if process.returncode:
        raise UsageError(f"git cannot list {commit[:12]}, of which this clone lacks a part: git fetch --refetch --no-filter")
    return listed.split(b"\0")


def _too_many(commit: str) -> UsageError:
    return UsageError(f"{commit[:12]} has too many files to compare with: run it in a smaller repository")


def _write(root: str, wanted: list[tuple[bytes, str]], top: str) -> None:
    import subprocess
    from threading import Thread

    with subprocess.Popen(
        command(root, "cat-file", "--batch"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asking = Thread(target=_ask, args=(process.stdin, [name for name, _ in wanted]), daemon=True)
        asking.start()
        for _, name in wanted:
            words = process.stdout.readline().split()
            if not words:
                raise UsageError("git ended while it was read from: run `git fsck`")
            if words[1] != b"blob":  # a partial clone lacks it
                raise UsageError(f"{name} is not in this clone, which is a partial one: git fetch --refetch --no-filter")
            data = process.stdout.read(int(words[2]))
            process.stdout.read(1)
            try:
                with suppress(NoSuchName):  # no checkout has it either
                    put(top, name, data)
            except OSError as error:
                raise UsageError(f"{name} cannot be laid out: {(error.strerror or str(error)).lower()}") from None
        asking.join()


def _ask(pipe: object, names: list[bytes]) -> None:
    with suppress(BrokenPipeError):
        pipe.write(b"".join(name + b"\n" for name in names))  # type: ignore[attr-defined]
        pipe.close()  # type: ignore[attr-defined]


def _lend_environment(root: str, top: str) -> None:
    """Files of variables that git ignores are the same before and after: without them, a change would seem to set them."""
    done = asked(
        root, "ls-files", "--others", "--ignored", "--exclude-standard", "-z", "--", ":(glob)**/.env*", ":(glob)**/*.env"
    )
    for name in os.fsdecode(done.stdout).split("\0") if not done.returncode else ():
        path, target = os.path.join(root, name), os.path.join(top, name)
        usual = name and os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path) <= _LARGEST_ENV
        if usual and os.path.isdir(os.path.dirname(target)) and not os.path.lexists(target):
            shutil.copyfile(path, target, follow_symlinks=False)
