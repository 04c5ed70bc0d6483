"""The text of one file: spans, edits, splicing, reading and atomic writing. Knows no format."""

from __future__ import annotations

import os
import stat
from bisect import bisect_right
from collections.abc import Iterable

from hardener.errors import EditConflict, Unreadable
from hardener.record import NamedTuple

BOM = "\ufeff"
#: Files beyond this many bytes are not read: no Dockerfile or Compose file that a person wrote is that large.
MAX_BYTES = 2 * 1024 * 1024


class Position(NamedTuple):
    """A place for people: line and column, both counted from 1; the column counts characters."""

    line: int
    column: int


class Edit(NamedTuple):
    """The text between two offsets (half open, in characters) replaced by new text; equal offsets insert."""

    start: int
    end: int
    text: str


class Source:
    """The text of one file, without its byte order mark, with its line endings as they are.

    `path` is the path as the user knows it, with `/` between its parts. Offsets count characters of `text`.
    """

    __slots__ = ("_line_starts", "bom", "path", "text")

    def __init__(self, path: str, text: str, *, bom: bool = False) -> None:
        self.path = path
        self.text = text
        self.bom = bom
        self._line_starts: list[int] | None = None

    @classmethod
    def from_bytes(cls, path: str, data: bytes) -> Source:
        """Decode a file's bytes. Raises `Unreadable` for anything but UTF-8 text."""
        if len(data) > MAX_BYTES:
            raise Unreadable(path, f"larger than {MAX_BYTES // 1024 // 1024} MiB", "split the file or leave it out")
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise Unreadable(path, "not UTF-8 text", "save the file as UTF-8", line) from None
        if "\0" in text:
            raise Unreadable(path, "a NUL byte: not a text file", "leave the file out", text.count("\n", 0, text.index("\0")) + 1)
        bom = text.startswith(BOM)
        return cls(path, text[1:] if bom else text, bom=bom)

    def to_bytes(self) -> bytes:
        """The file's bytes, with the byte order mark that it had."""
        return (BOM + self.text if self.bom else self.text).encode("utf-8")

    def with_text(self, text: str) -> Source:
        """The same file with other text."""
        return Source(self.path, text, bom=self.bom)

    def position(self, offset: int) -> Position:
        """The line and column of an offset."""
        if self._line_starts is None:
            starts = [0]
            at = self.text.find("\n")
            while at != -1:
                starts.append(at + 1)
                at = self.text.find("\n", at + 1)
            self._line_starts = starts
        line = bisect_right(self._line_starts, offset)
        return Position(line, offset - self._line_starts[line - 1] + 1)


def splice(text: str, edits: Iterable[Edit]) -> str:
    """Apply edits to a text; every character outside them stays. Identical edits count once.

    Raises `EditConflict` when two edits overlap, or insert different text at one place.
    """
    parts: list[str] = []
    at = 0
    previous: Edit | None = None
    for edit in sorted(set(edits)):
        same_place = previous is not None and edit.start == previous.start
        if edit.start < at or same_place or not edit.start <= edit.end <= len(text):
            raise EditConflict(f"edits overlap at offset {edit.start}")
        parts += (text[at : edit.start], edit.text)
        at = edit.end
        previous = edit
    parts.append(text[at:])
    return "".join(parts)


def newline_at(text: str, offset: int) -> str:
    """The line ending used where the line around `offset` ends; for an unended last line, that of the line before."""
    end = text.find("\n", offset)
    if end == -1:
        end = text.rfind("\n", 0, offset)
    return "\r\n" if end > 0 and text[end - 1] == "\r" else "\n"


def read(path: str, name: str) -> Source:
    """Read the file at `path`, to be called `name` in messages.

    Raises `Unreadable` when it is no regular file, too large, no UTF-8 text, or may not be read.
    """
    return Source.from_bytes(name, content(path, name, MAX_BYTES + 1))


def content(path: str, name: str, most: int) -> bytes:
    """The first bytes of a file, as many as `most`. Raises `Unreadable` when it is no regular file, or may not be read."""
    try:
        # Non-blocking, so that a FIFO or device among the user's files cannot hang the run.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise Unreadable(name, (error.strerror or str(error)).lower(), "check the path and its permissions") from None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unreadable(name, "not a regular file", "name a file or a folder")
        return file.read(most)


def write(path: str, data: bytes) -> None:
    """Replace the file at `path` in one step, keeping its mode and, where permitted, its owner.

    Readers see the old bytes or the new ones, never a part. Raises `OSError`, and then the file is as it was.
    """
    real = os.path.realpath(path)  # replacing a link would turn it into a file
    _put(real, data, os.stat(real))


def create(path: str, data: bytes) -> None:
    """As `write`, for a file that may not be there yet: then it belongs to whom its folder belongs, as a project's files do."""
    real = os.path.realpath(path)
    _put(real, data, os.stat(real if os.path.exists(real) else os.path.dirname(real)))


def _put(path: str, data: bytes, like: os.stat_result) -> None:
    """Put a file at a path in one step, with the owner and mode of another, or as a new one in a folder."""
    temporary = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{os.getpid()}.harden")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if hasattr(os, "fchown") and (os.geteuid(), os.getegid()) != (like.st_uid, like.st_gid):
                try:
                    os.fchown(descriptor, like.st_uid, like.st_gid)
                except PermissionError:
                    os.fchown(descriptor, -1, like.st_gid) if like.st_gid in os.getgroups() else None
            mode = stat.S_IMODE(like.st_mode)
            # Who may read a folder may read what is new in it; only its owner may change that.
            os.chmod(temporary, mode & 0o644 if stat.S_ISDIR(like.st_mode) else mode)
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
