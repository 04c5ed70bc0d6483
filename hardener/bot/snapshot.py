"""The files of a commit as a folder, each brought when somebody reads it. Knows what discovery opens, not what it finds there.

What is not there yet is NUL from end to end, and as long as the file is: whoever reads it without having it fetched is told that
it is no text, or too large, and never takes it for an empty file. Files are brought one by one at first, each by a request; where
that goes on, an archive of the commit brings all text that is missing, as far as ids prove its contents to be those of the files.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager

from hardener.bot import archive
from hardener.bot.forge import EXECUTABLE, FILE, Entry, Forge, ForgeError, Limited, blob_id
from hardener.bot.proposal import Snapshot
from hardener.checkout import NoSuchName, checkout, put
from hardener.config.find import FILE as CONFIGURATION
from hardener.config.find import SHARED_FILE, find_config
from hardener.config.model import Config
from hardener.discover import MAX_DEPTH, VENDORED, discover
from hardener.errors import HardenError
from hardener.record import NamedTuple
from hardener.report import Trouble
from hardener.source import MAX_BYTES

#: More files and folders than these are not laid out.
MAX_ENTRIES = 200_000
#: Regular files; 100664 is how git wrote them in its first months.
_FILES = (FILE, EXECUTABLE, "100664")
_EXCLUDE = "exclude folders in hardener.toml"
_CLONE = f"run it with --git in a clone, or {_EXCLUDE}"


class Most(NamedTuple):
    """How much is asked of a forge for one snapshot."""

    requests: int
    bytes: int


#: Forges count requests: GitHub grants a job's own token a thousand an hour, and people five thousand
#: (docs.github.com, "Rate limits for the REST API").
AFAR = Most(3_000, 256 * 1024 * 1024)
#: So many files are read one by one before an archive is asked for, and one more for each 4 MiB that all files have, which takes
#: as long: so never much more is spent than on the better of both. Where sizes are not told, a file counts as 16 KiB.
_ONE_BY_ONE, _WORTH_ONE, _USUAL = 20, 4 * 1024 * 1024, 16 * 1024
#: Bytes of one file that is kept of an archive, where all is wanted; and of all that is laid out of it. What is read one by one
#: and this may lie there together, and no more: one file of a few bytes, packed, can be listed under any number of names.
_LARGEST, _KEPT = 16 * 1024 * 1024, 256 * 1024 * 1024
#: What lies on this disk costs nobody anything.
HERE = Most(MAX_ENTRIES, 4 * 1024 * 1024 * 1024)


@contextmanager
def snapshot(forge: Forge, commit: str, *, in_full: bool = False) -> Iterator[Snapshot]:
    """The files of a commit in a folder that is gone at the end. With `in_full`, what is brought is all there, however large.

    There is at once what is discovered from the root under the configuration there, that configuration with the files
    that it names, and each hardener.toml. Whoever discovers in another way passes `fetch` on. Names that no checkout could have
    are left out, and named once in `troubles`. Raises a `ForgeError`, also where there is more than is asked of a forge.
    """
    listing = forge.listing(commit)
    if not listing.complete:
        raise ForgeError("the repository has more files than the forge lists", _CLONE)
    with checkout("harden-pr-") as top:
        files = _Files(forge, commit, top, in_full=in_full)
        left_out = files.lay_out(listing.entries)
        _fetch_what_is_discovered(files, top)
        yield Snapshot(top, commit, files.entries, files.fetch, tuple(_told(left_out)))


class _Files:
    """The files of a folder, of which some are still to be brought."""

    def __init__(self, forge: Forge, commit: str, top: str, *, in_full: bool) -> None:
        self.entries: dict[str, Entry] = {}
        self._forge = forge
        self._commit = commit
        self._top = top
        self._in_full = in_full
        self._most = HERE if getattr(forge, "is_local", False) else AFAR
        self._requests = self._bytes = self._laid_out = 0
        #: How many files are read one by one before an archive is asked for.
        self._alone = HERE.requests
        #: By location, what is not there yet.
        self._missing: dict[str, Entry] = {}
        #: What several files say, by its id: None until it is there.
        self._shared: dict[str, bytes | None] = {}

    def lay_out(self, entries: Iterable[Entry]) -> list[str]:
        """Make every file, with its mode and what stands for its text; the paths that could not be made."""
        folders: set[str] = set()
        left_out: list[str] = []
        total = 0
        for entry in entries:
            total += entry.size if entry.size >= 0 else _USUAL
            if entry.mode not in _FILES:
                continue
            if entry.path.count("/") > MAX_DEPTH:
                left_out.append(entry.path)
                continue
            folder = os.path.dirname(entry.path)
            while folder and folder not in folders:
                folders.add(folder)
                folder = os.path.dirname(folder.rstrip("/"))
            if len(folders) + len(self.entries) + len(left_out) > MAX_ENTRIES:
                raise ForgeError(f"the repository has more than {MAX_ENTRIES} files and folders", "run harden in a clone of it")
            stands_for = min(entry.size, MAX_BYTES + 1) if entry.size >= 0 else 1
            try:
                made = put(self._top, entry.path, executable=entry.mode == EXECUTABLE, size=stands_for)
            except NoSuchName:
                left_out.append(entry.path)
            except OSError as error:
                raise _not_here(entry.path, error) from None
            else:
                self.entries[entry.path] = entry
                if entry.size:
                    self._missing[made] = entry
        counted = Counter(entry.id for entry in self._missing.values() if entry.id)
        self._shared = {id: None for id, count in counted.items() if count > 1}
        if self._most is not HERE and total <= archive.MOST:
            self._alone = _ONE_BY_ONE + total // _WORTH_ONE
        return left_out

    def fetch(self, location: str) -> None:
        """Fill the file at a location, where that is still to be done. A large one stays as it is, unless all is wanted."""
        at = location if location in self._missing else os.path.realpath(location)
        entry = self._missing.get(at)
        if entry is None or (entry.size > MAX_BYTES and not self._in_full):
            return
        if self._requests >= self._alone and self._shared.get(entry.id) is None:
            self._alone = HERE.requests
            self._bring_many()
            if at not in self._missing:
                return
        self._fill(at, self._data(entry))

    def _fill(self, at: str, data: bytes) -> None:
        kept = data if self._in_full else data[: MAX_BYTES + 1]
        self._laid_out += len(kept)
        if self._laid_out > self._most.bytes + _KEPT:
            mib = (self._most.bytes + _KEPT) >> 20
            raise ForgeError(f"the files to be read have more than {mib} MiB, with those that say the same", _EXCLUDE)
        try:
            with open(at, "wb") as file:
                file.write(kept)
        except OSError as error:
            raise _not_here(self._missing[at].path, error) from None
        del self._missing[at]

    def _bring_many(self) -> None:
        """Fill what is missing with what an archive of the commit has of it: of each id, one content, which is proved by that."""
        longest = _LARGEST if self._in_full else MAX_BYTES
        missing: dict[str, list[str]] = {}
        sizes = set()
        for location, entry in self._missing.items():
            if entry.size <= longest and VENDORED.isdisjoint(entry.path.split("/")):
                missing.setdefault(entry.id, []).append(location)
                sizes.add(entry.size)
        kept = 0
        with closing(self._archived(lambda size: size in sizes or (-1 in sizes and size <= longest))) as found:
            for data in found:
                # What is no text is of no use but in a copy of all.
                if self._in_full or b"\0" not in data:
                    for location in missing.pop(blob_id(data, self._commit), ()):
                        kept += len(data)
                        if kept > _KEPT:
                            return
                        self._fill(location, data)
                if not missing:
                    return

    def _archived(self, wanted: Callable[[int], bool]) -> Generator[bytes, None, None]:
        """The contents in the commit's archive that have the sizes wanted, as far as the forge gives it."""
        try:
            with closing(self._forge.archive(self._commit)) as pieces:
                yield from archive.contents(pieces, wanted)
        except Limited:
            raise
        except ForgeError:
            return  # one by one, it may go on

    def fetch_named(self, wanted: Callable[[str], bool]) -> None:
        """Fill the files whose paths are wanted, but for those in folders of other people's code."""
        for location, entry in tuple(self._missing.items()):
            if wanted(entry.path) and VENDORED.isdisjoint(entry.path.split("/")):
                self.fetch(location)

    def _data(self, entry: Entry) -> bytes:
        data = self._shared.get(entry.id)
        if data is not None:
            return data
        self._requests += 1
        if self._requests > self._most.requests:
            reason = f"the repository has more than {self._most.requests} files that have to be read one by one"
            raise ForgeError(reason, _CLONE)
        data = self._forge.read(self._commit, entry)
        self._bytes += len(data)
        if self._bytes > self._most.bytes:
            raise ForgeError(f"the files to be read have more than {self._most.bytes // 1024 // 1024} MiB", _CLONE)
        if entry.id in self._shared:
            self._shared[entry.id] = data
        return data


def _fetch_what_is_discovered(files: _Files, top: str) -> None:
    files.fetch_named(lambda path: os.path.basename(path) == CONFIGURATION or path == SHARED_FILE)
    try:
        config = find_config(top)
    except HardenError:  # whoever runs will say so
        config = Config()
    named = [config.baseline] if config.baseline else []
    for folder in config.policy.profiles:
        named += (os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".toml"))
    found, _ = discover([top], config.exclude, config.policy.folder, fetch=files.fetch)
    for location in (*named, *(one.location for one in found)):
        files.fetch(location)


def _told(left_out: list[str]) -> Iterator[Trouble]:
    if left_out:
        others = f", as are {len(left_out) - 1} more" if len(left_out) > 1 else ""
        reason = f"its name is one that no checkout could have: left out{others}"
        yield Trouble(left_out[0][:200], 0, reason, "rename it")


def _not_here(path: str, error: OSError) -> ForgeError:
    reason = (error.strerror or str(error)).lower()
    return ForgeError(f"{path[:200]!a} cannot be laid out here: {reason}", "make room for temporary files")
