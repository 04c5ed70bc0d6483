"""A project's folder copied for a trial, with a second copy to go back to. Knows files, and nothing of what they say.

The original is only read. Links are never followed; what leads out of the folder, is no plain file, or may not be read is
left out and listed. Containers write into their mounts in place, so the two copies share no file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator

from hardener.errors import HardenError
from hardener.record import NamedTuple

#: The history is not part of what runs, and hooks in it would be.
_LEFT_OUT = ".git"
#: Bytes that are copied at a time.
_CHUNK = 16 * 1024 * 1024


class Limits(NamedTuple):
    """How large a project may be: bytes of its files, and number of files, folders and links."""

    bytes: int = 2 * 1024**3
    files: int = 200_000


#: What a person's project stays below, and a disk bears twice.
DEFAULT = Limits()


class TooLarge(HardenError):
    """A project that is larger than a trial copies. `folder` is the one to blame, relative to the project's."""

    exit_code = 2

    def __init__(self, text: str, folder: str) -> None:
        super().__init__(text)
        self.folder = folder


class LeftOut(NamedTuple):
    """A file or folder that a copy does not have as it is, or that could not be brought back; relative, and why."""

    path: str
    why: str


class _State(NamedTuple):
    """What changes about a file when its content, owner, mode or name does: the kernel sets the time of change itself."""

    inode: int
    size: int
    modified: int
    changed: int


class Copy:
    """A copy of a folder: `root` is worked in, `pristine` is what it was. `left_out` says what neither has."""

    __slots__ = ("_states", "left_out", "pristine", "root")

    def __init__(self, root: str, pristine: str, left_out: tuple[LeftOut, ...]) -> None:
        self.root = root
        self.pristine = pristine
        self.left_out = left_out
        self._states: dict[str, _State] = {}

    def restore(self, path: str = ".") -> tuple[LeftOut, ...]:
        """Bring a file or folder (relative, or absolute in `root`) back to what it was, also where it was not there.

        Nothing may run in it meanwhile. Returns what could not be brought back, for want of permission. Raises
        `HardenError` for a path outside.
        """
        inner = os.path.relpath(os.path.join(self.root, path), self.root)
        if inner == ".." or inner.startswith(os.path.join("..", "")):
            raise HardenError(f"{path} lies outside of the copy")
        # A folder on the way may have become a link that leads out, or may be gone: then it is what is brought back.
        at = ""
        for part in inner.split(os.sep):
            at = os.path.join(at, part)
            if _type(os.path.join(self.root, at)) != stat.S_IFDIR:
                break
        failed: list[LeftOut] = []
        self._bring_back("" if at == "." else at, failed)
        return tuple(failed)

    def remove(self) -> tuple[LeftOut, ...]:
        """Remove both copies. Returns what could not be removed: files of containers, where the user is not root."""
        failed: list[LeftOut] = []
        for folder in (self.root, self.pristine):
            _remove(folder, folder, failed)
        return tuple(failed)

    def _bring_back(self, inner: str, failed: list[LeftOut]) -> None:
        was, now = os.path.join(self.pristine, inner), os.path.join(self.root, inner)
        try:
            kind = _type(was)
            if kind != _type(now) and not _remove(now, self.root, failed):
                return
            if kind == 0:
                return
            if kind == stat.S_IFDIR:
                if not os.path.lexists(now):
                    os.mkdir(now, 0o700)
                elif not os.access(now, os.R_OK | os.W_OK | os.X_OK):
                    os.chmod(now, 0o700)
                for name in sorted({*os.listdir(was), *os.listdir(now)}):
                    self._bring_back(os.path.join(inner, name), failed)
                if _looks(was) != _looks(now):
                    _dress(was, now)
                return
            if _type(now) and self._states.get(inner) == _state(now):
                return
            if not _remove(now, self.root, failed):
                return
            _copy_one(was, now, kind)
            self._states[inner] = _state(now)
        except OSError as error:
            failed.append(LeftOut(inner or ".", _reason(error)))


def make_copy(root: str, target: str, limits: Limits = DEFAULT, *, without: Collection[str] = ()) -> Copy:
    """Copy the folder `root` into the new or empty folder `target`: `project` there is worked in, `pristine` is kept.

    `without` names folders (relative) that become empty ones. Raises `TooLarge` before anything is copied, and `HardenError`
    where the folder cannot be read or the copy cannot be written.
    """
    root, target = os.path.realpath(root), os.path.realpath(target)
    skipped = {os.path.normpath(path) for path in without}
    left_out: list[LeftOut] = []
    pristine, project = os.path.join(target, "pristine"), os.path.join(target, "project")
    try:
        _measure(root, target, limits, skipped)
        # Whoever may not look into the project's parents may not look into the copy's.
        os.makedirs(target, mode=0o700, exist_ok=True)
        copy = Copy(project, pristine, ())
        try:
            _copy_tree(root, pristine, target, left_out, skipped)
            failed = copy.restore()
        except BaseException:
            copy.remove()
            raise
    except OSError as error:
        raise HardenError(f"cannot copy the project: {error.filename or root}: {_reason(error)}") from None
    if failed:
        copy.remove()
        raise HardenError(f"cannot copy the project: {failed[0].path}: {failed[0].why}")
    copy.left_out = tuple(sorted(left_out))
    return copy


def _measure(root: str, target: str, limits: Limits, skipped: Collection[str]) -> None:
    """Raise `TooLarge` if it is; a walk ends at five times as many files as may be."""
    sizes: dict[str, list[int]] = {}
    total = [0, 0]
    for inner, _, status in _walk(root, target, skipped, lambda *_: None):
        amount = status.st_size if stat.S_ISREG(status.st_mode) else 0
        total[0] += amount
        total[1] += 1
        above = inner
        while above:
            above = os.path.dirname(above)
            size = sizes.setdefault(above, [0, 0])
            size[0] += amount
            size[1] += 1
        if total[1] > 5 * limits.files:
            break
    worst = 0 if total[0] > limits.bytes else 1
    if total[worst] <= limits[worst]:
        return
    folder = ""
    while True:
        inside = [one for one in sizes if one and os.path.dirname(one) == folder]
        largest = max(inside, key=lambda one: sizes[one][worst], default="")
        # Go down while one folder has at least half of what is here; the project itself is no answer.
        if not largest or (folder and sizes[largest][worst] * 2 < sizes[folder][worst]):
            break
        folder = largest
    words = (f"{limits.bytes / 1024**3:.3g} GiB", f"{limits.files:,} files and folders")
    size = sizes.get(folder, total)
    raise TooLarge(
        f"{root}: more than {words[worst]}, which is what a trial copies at most; the largest part is {folder or '.'} "
        f"({size[0] / 1024**3:.3g} GiB, {size[1]:,} files and folders): move it out of the project, or have it left out",
        folder or ".",
    )


def _walk(
    root: str, target: str, skipped: Collection[str], complain: Callable[[str, str], None]
) -> Iterator[tuple[str, str, os.stat_result]]:
    """What lies below a folder (relative path, path, status), each folder before what is in it. No link is followed."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(os.path.join(root, folder)) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if not folder:
                raise
            complain(folder, f"an empty folder: {_reason(error)}")
            continue
        below = []
        for entry in found:
            inner = os.path.join(folder, entry.name)
            if entry.name == _LEFT_OUT or entry.path == target:
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError as error:
                complain(inner, _reason(error))
                continue
            yield inner, entry.path, status
            if stat.S_ISDIR(status.st_mode):
                if inner in skipped:
                    complain(inner, "an empty folder: left out as asked for")
                else:
                    below.append(inner)
        waiting += reversed(below)


def _copy_tree(root: str, target: str, whole: str, left_out: list[LeftOut], skipped: Collection[str]) -> None:
    """Copy a folder to a path that is not there. Folders get their mode and times last, so that they can be filled."""
    os.mkdir(target, 0o700)
    folders, unread = [(root, target)], []
    for inner, path, status in _walk(root, whole, skipped, lambda inner, why: left_out.append(LeftOut(inner, why))):
        kind, made = stat.S_IFMT(status.st_mode), os.path.join(target, inner)
        if kind == stat.S_IFDIR:
            os.mkdir(made, 0o700)
            folders.append((path, made))
        elif kind == stat.S_IFREG:
            try:
                _copy_one(path, made, kind)
            except OSError as error:
                if not _is_ours_to_miss(path, error):
                    raise
                left_out.append(LeftOut(inner, f"an empty file: {_reason(error)}"))
                with open(made, "xb"):
                    pass
                unread.append((path, made))
        elif kind == stat.S_IFLNK:
            why = _leads_out(root, inner, path)
            if why:
                left_out.append(LeftOut(inner, why))
            else:
                _copy_one(path, made, kind)
        else:
            left_out.append(LeftOut(inner, "no file: a socket, a pipe or a device"))
    for path, made in (*reversed(folders), *unread):
        _dress(path, made)
        # What is only for others to read would stop the second copy.
        mode = stat.S_IMODE(os.lstat(made).st_mode)
        if not os.access(made, os.R_OK):
            os.chmod(made, mode | (0o700 if os.path.isdir(made) else 0o600))


def _is_ours_to_miss(path: str, error: OSError) -> bool:
    """Whether an error is about reading the original, not about writing the copy."""
    return bool(error.filename == path)


def _leads_out(root: str, inner: str, path: str) -> str:
    """Why a link is left out; empty where it stays."""
    to = os.readlink(path)
    if os.path.isabs(to):
        return f"an absolute link, to {to}"
    by_name = os.path.normpath(os.path.join(os.path.dirname(inner), to))
    real = os.path.join(os.path.realpath(path), "")
    if by_name.split(os.sep)[0] == os.pardir or not real.startswith(os.path.join(root, "")):
        return f"a link out of the project, to {to}"
    return ""


def _copy_one(path: str, made: str, kind: int) -> None:
    """Copy a file or a link, with owner, mode and times, to a path that is not there. Errors of reading name `path`."""
    if kind == stat.S_IFLNK:
        os.symlink(os.readlink(path), made)
    else:
        # Non-blocking, in case it has become a pipe.
        reading = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(reading, "rb", buffering=0) as source, open(made, "xb", buffering=0) as copy:
            while True:
                try:
                    chunk = source.read(_CHUNK)
                except OSError as error:
                    os.unlink(made)
                    raise OSError(error.errno, error.strerror, path) from None
                if not chunk:
                    break
                while chunk:
                    chunk = chunk[copy.write(chunk) :]
    _dress(path, made)


def _dress(path: str, made: str) -> None:
    """Give a copy its owner (only root can), mode, times and attributes; for a link, of itself."""
    import shutil

    status = os.lstat(path)
    if os.geteuid() == 0:
        os.lchown(made, status.st_uid, status.st_gid)
    shutil.copystat(path, made, follow_symlinks=False)


def _looks(path: str) -> tuple[int, int, int, int]:
    status = os.lstat(path)
    return status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns


def _type(path: str) -> int:
    """The kind of a file as in its mode; 0 for none."""
    try:
        return stat.S_IFMT(os.lstat(path).st_mode)
    except OSError:
        return 0


def _state(path: str) -> _State:
    status = os.lstat(path)
    return _State(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _remove(path: str, root: str, failed: list[LeftOut]) -> bool:
    """Remove what is at a path, whatever it is; no link is followed. Returns whether all of it is gone."""
    before = len(failed)
    waiting, folders = [path], []
    while waiting:
        at = waiting.pop()
        kind = _type(at)
        try:
            if kind == stat.S_IFDIR:
                if not os.access(at, os.R_OK | os.W_OK | os.X_OK):
                    os.chmod(at, 0o700)
                folders.append(at)
                waiting += [os.path.join(at, name) for name in os.listdir(at)]
            elif kind:
                os.unlink(at)
        except OSError as error:
            failed.append(LeftOut(os.path.relpath(at, root), _reason(error)))
    for folder in reversed(folders):
        try:
            os.rmdir(folder)
        except OSError as error:
            if len(failed) == before:
                failed.append(LeftOut(os.path.relpath(folder, root), _reason(error)))
    return len(failed) == before


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
