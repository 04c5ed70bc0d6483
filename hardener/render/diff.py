"""A report's changes as a unified diff that `git apply` takes. Knows bytes and lines, no format.

Lines end at `\\n` and nowhere else, so that carriage returns, form feeds and U+2028 stay where they are. Paths are as
`git diff` writes them, from the root of the repository, so that `git apply` takes the diff in any folder of it that
holds the files. (With paths from the working folder, git has to guess, and in `sub/` takes `a/sub/x` for `x`.) Outside
a repository they are from the folder given. Links are resolved, since git follows none. What lies outside either is
named by its way there with `..`: a person can read that diff, but git refuses it unless told `--unsafe-paths`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from hardener.report import FileChange
from hardener.source import Edit

CONTEXT = 3
#: Where more lines than this differ in both texts, they are shown as one change: matching them could take minutes.
MAX_MATCHED = 20_000
_NO_NEWLINE = b"\n\\ No newline at end of file\n"
_ESCAPES = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 34: '"', 92: "\\"}
_BOLD, _CYAN, _RED, _GREEN, _PLAIN = b"\x1b[1m", b"\x1b[36m", b"\x1b[31m", b"\x1b[32m", b"\x1b[0m"

#: Lines [start, end) of the old text, replaced by lines [start, end) of the new one.
Block = tuple[int, int, int, int]


def unified(changes: Iterable[FileChange], folder: str) -> bytes:
    """The diff of all changes, to be applied in `folder`."""
    base = _base(os.path.realpath(folder))
    return b"".join(part for change in changes for part in _file(change, os.path.relpath(_true_path(change, folder), base)))


def named(change: FileChange, path: str) -> bytes:
    """The diff of one change, under a path that is given: of a file that lies on no disk."""
    return b"".join(_file(change, path))


def edits(before: str, after: str) -> Iterator[Edit]:
    """The edits, of whole lines, that make the second text of the first."""
    old, new = _lines(before.encode("utf-8")), _lines(after.encode("utf-8"))
    starts = [0]
    for line in old:
        starts.append(starts[-1] + len(line.decode("utf-8")))
    for start, end, new_start, new_end in _blocks(old, new):
        yield Edit(starts[start], starts[end], b"".join(new[new_start:new_end]).decode("utf-8"))


def is_outside(change: FileChange, folder: str) -> bool:
    """Whether a changed file is not in the folder or below it, so that `git apply` there passes over it."""
    return os.path.relpath(_true_path(change, folder), os.path.realpath(folder)).startswith(os.pardir + os.sep)


def _true_path(change: FileChange, folder: str) -> str:
    return os.path.realpath(change.location or os.path.join(folder, change.before.path))


def _base(folder: str) -> str:
    """The folder that git takes paths from: the root of the repository, or where there is none the folder itself."""
    root = folder
    while True:
        git = os.path.join(root, ".git")
        if os.path.isfile(git) or os.path.isfile(os.path.join(git, "HEAD")):
            return root
        parent = os.path.dirname(root)
        if parent == root:
            return folder
        root = parent


def coloured(diff: bytes) -> bytes:
    """The diff for a terminal: in colour, and without bytes that would steer it."""
    lines = []
    header = True
    for line in diff.split(b"\n"):
        if line.startswith(b"diff --git "):
            header = True
        elif line.startswith(b"@@"):
            header = False
        colour = _BOLD if header else {b"@": _CYAN, b"-": _RED, b"+": _GREEN}.get(line[:1], b"")
        ended_by_cr = line.endswith(b"\r")
        shown = _visible(line[:-1] if ended_by_cr else line)
        lines.append((colour + shown + _PLAIN if colour and shown else shown) + (b"\r" if ended_by_cr else b""))
    return b"\n".join(lines)


def _visible(line: bytes) -> bytes:
    text = line.decode("utf-8", "surrogateescape")
    if text.isprintable():
        return line
    shown = "".join(c if c == "\t" or not ("\0" <= c < " " or "\x7f" <= c < "\xa0") else f"\\x{ord(c):02x}" for c in text)
    return shown.encode("utf-8", "surrogateescape")


def _file(change: FileChange, path: str) -> Iterator[bytes]:
    before, after = _lines(change.before.to_bytes()), _lines(change.after.to_bytes())
    blocks = list(_blocks(before, after))
    if not blocks:
        return
    if os.sep != "/":
        path = path.replace(os.sep, "/")
    old, new = _quoted("a/", path), _quoted("b/", path)
    # As git does: a tab ends a name that has a blank in it.
    tab = b"\t" if b" " in old else b""
    yield b"diff --git " + old + b" " + new + b"\n"
    if change.is_new:
        yield b"new file mode 100644\n--- /dev/null\n"
    else:
        yield b"--- " + old + tab + b"\n"
    yield b"+++ " + new + tab + b"\n"
    for hunk in _hunks(blocks):
        start, end = max(0, hunk[0][0] - CONTEXT), min(len(before), hunk[-1][1] + CONTEXT)
        new_start, new_end = hunk[0][2] - (hunk[0][0] - start), hunk[-1][3] + (end - hunk[-1][1])
        yield b"@@ -%s +%s @@\n" % (_range(start, end), _range(new_start, new_end))
        at = start
        for old_start, old_end, added_start, added_end in hunk:
            yield from _marked(b" ", before[at:old_start])
            yield from _marked(b"-", before[old_start:old_end])
            yield from _marked(b"+", after[added_start:added_end])
            at = old_end
        yield from _marked(b" ", before[at:end])


def _lines(data: bytes) -> list[bytes]:
    """The lines with their ends; only the last may lack one."""
    lines = [line + b"\n" for line in data.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _blocks(before: list[bytes], after: list[bytes]) -> Iterator[Block]:
    """The changed blocks, first to last."""
    start = 0
    shorter = min(len(before), len(after))
    while start < shorter and before[start] == after[start]:
        start += 1
    same = 0
    while same < shorter - start and before[-1 - same] == after[-1 - same]:
        same += 1
    old_end, new_end = len(before) - same, len(after) - same
    if start in (old_end, new_end) or old_end + new_end - 2 * start > MAX_MATCHED:
        if old_end + new_end > 2 * start:
            yield start, old_end, start, new_end
        return
    from difflib import SequenceMatcher

    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before[start:old_end], after[start:new_end]).get_opcodes():
        if tag != "equal":
            yield start + i1, start + i2, start + j1, start + j2


def _hunks(blocks: list[Block]) -> Iterator[list[Block]]:
    """Blocks whose context would touch, together."""
    hunk = blocks[:1]
    for block in blocks[1:]:
        if block[0] - hunk[-1][1] > 2 * CONTEXT:
            yield hunk
            hunk = []
        hunk.append(block)
    yield hunk


def _range(start: int, end: int) -> bytes:
    size = end - start
    first = start + 1 if size else start
    return b"%d" % first if size == 1 else b"%d,%d" % (first, size)


def _marked(mark: bytes, lines: list[bytes]) -> Iterator[bytes]:
    for line in lines:
        yield mark + line if line.endswith(b"\n") else mark + line + _NO_NEWLINE


def _quoted(prefix: str, path: str) -> bytes:
    """A path as git writes it: in quotes with C's escapes where it has anything but plain ASCII in it.

    Also where readers could take the name's middle for the start of the second name of the `diff --git` line; then its
    blanks are escaped too.
    """
    raw = os.fsencode(prefix + path)
    if b" b/" not in raw and all(32 <= byte < 127 and byte not in (34, 92) for byte in raw):
        return raw
    escaped = "".join(_escaped(byte) for byte in raw)
    if " b/" in escaped:
        escaped = escaped.replace(" ", "\\040")
    return f'"{escaped}"'.encode("ascii")


def _escaped(byte: int) -> str:
    if byte in _ESCAPES:
        return f"\\{_ESCAPES[byte]}"
    return chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"
