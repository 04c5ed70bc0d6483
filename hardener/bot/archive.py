"""What the files in an archive of a commit say, as it comes. Knows gzip and tar, and no name: whose a content is, its id tells.

Python's `tarfile` is not for this: it reads an extended header into memory whatever length that claims, goes a call deeper for
each in a row of them, and remembers every member (`_proc_pax`, `_proc_gnulong`, `next` in Lib/tarfile.py of CPython 3.11). What
`git archive` writes is a header of 512 bytes before each content, which is filled up to a multiple of that; long names stand in
members of their own (archive-tar.c of git/git@015ff4f8), and those are passed over here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

#: Bytes that an archive may unpack to, and with that the members that it may have: each takes a block.
MOST = 1024 * 1024 * 1024
_BLOCK = 512
_PIECE = 1 << 18


def contents(pieces: Iterable[bytes], wanted: Callable[[int], bool]) -> Iterator[bytes]:
    """The contents of those regular files of a tar.gz whose sizes are wanted, in its order; one at a time is held.

    What comes may be anything: it ends, without an error, where it is no archive, is cut off, or has more than `MOST`.
    """
    tar = _Blocks(_unpacked(pieces))
    try:
        while True:
            header = tar.take(_BLOCK)
            size = _size(header)
            if header[156:157] in (b"0", b"\0") and wanted(size):
                yield tar.take(size)
            else:
                tar.skip(size)
            tar.skip(-size % _BLOCK)
    except (EOFError, ValueError):
        return


def _size(header: bytes) -> int:
    """The bytes that follow a header. Raises `ValueError` for what is none, as are the zeros at the end.

    It is octal; of files from 8 GiB on, for which there is another way, what follows is not a header either.
    """
    digits = header[124:136].strip(b" \0")
    if header[257:262] != b"ustar" or not digits.isdigit():
        raise ValueError
    return int(digits, 8)


def _unpacked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    import zlib

    # 16 asks for the head and the checksum of gzip.
    gzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
    left = MOST
    for piece in pieces:
        data, packed = b"", piece
        while packed or len(data) == _PIECE:
            try:
                data = gzip.decompress(packed, _PIECE)
            except zlib.error:
                return
            packed = gzip.unconsumed_tail
            left -= len(data)
            if left < 0:
                return
            yield data
            if gzip.eof:
                return


class _Blocks:
    """Bytes that come in pieces, taken by number. Raises `EOFError` where there are no more."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = bytearray()

    def take(self, size: int) -> bytes:
        while len(self._held) < size:
            self._more()
        data = bytes(self._held[:size])
        del self._held[:size]
        return data

    def skip(self, size: int) -> None:
        while len(self._held) < size:
            size -= len(self._held)
            self._held.clear()
            self._more()
        del self._held[:size]

    def _more(self) -> None:
        piece = next(self._pieces, None)
        if piece is None:
            raise EOFError
        self._held += piece
