"""What is there for one branch: where it is, and whether all on it is our work. Knows trailers and forges, decides nothing.

A branch is ours where its commits, from its head down, are one whole series of ours, upon a commit of the branch that pull
requests go to, and where the files that they change say exactly what the last of them says that they do. Whatever else is there
is somebody's work: a commit on top, one below, a file that was changed while a commit was amended, a merge.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from hardener.bot.forge import EXECUTABLE, FILE, Entry, Forge, ForgeError, PastCommit, blob_id, entries_by_path
from hardener.bot.marks import Trailers, files_digest, trailers_of
from hardener.record import NamedTuple
from hardener.source import MAX_BYTES

#: So many commits of a branch are asked for at first: there are fewer rules than that, so that one answer is mostly all.
_FIRST = 50
#: A longer series is none of ours: whoever says so in a trailer does not have us read thousands of commits.
_MOST_STEPS = 200
#: So many commits of a base are looked through for the one that a series stands on.
_DEPTHS = (100, 1000)
#: Where it is not there, so many of the branches that were merged into the base are looked through.
_SIDES = 10
#: More files than these no series of ours changes, and nobody has to read them all to know.
_MOST_FILES = 1000
_SIGNED = re.compile(r"^Signed-off-by: (.*?)\s*$", re.MULTILINE)


class Series(NamedTuple):
    """Our commits on a branch."""

    #: The commit that they stand on.
    base: str
    #: What each says of itself that counts, from the first to the last: see `sign_of`.
    signs: tuple[str, ...]


class Branch(NamedTuple):
    """What is there under a name. Without a head there is no such branch; without a series it is somebody's work."""

    head: str = ""
    series: Series | None = None
    #: In words, why it is not ours.
    foreign: str = ""


class Trunk:
    """The commits of the branches that pull requests go to, each read once and no further back than somebody asks."""

    def __init__(self, forge: Forge) -> None:
        self._forge = forge
        self._known: dict[str, Sequence[PastCommit]] = {}
        self._asked: dict[str, int] = {}

    def has(self, commit: str, tips: Iterable[str]) -> bool:
        """Whether a commit is one of these, or one of those that they were made on.

        It is looked for along first parents, and then along those of what was merged there last: whoever pulls the branch into
        work of theirs and pushes the merge has all that was on it before on the other side.
        """
        tips = tuple(dict.fromkeys(tip for tip in tips if tip))
        return commit in tips or any(self._reaches(tip, commit) for tip in tips) or self._was_merged(commit, tips)

    def _was_merged(self, commit: str, tips: Iterable[str]) -> bool:
        sides = dict.fromkeys(side for tip in tips for past in self._known.get(tip, ()) for side in past.parents[1:])
        return commit in sides or any(
            past.id == commit for side in islice(sides, _SIDES) for past in self._forge.history(side, _DEPTHS[0])
        )

    def _reaches(self, tip: str, commit: str) -> bool:
        for depth in _DEPTHS:
            known = self._known.get(tip)
            if known is None or len(known) == self._asked[tip] < depth:
                known = self._known[tip] = self._forge.history(tip, depth)
                self._asked[tip] = depth
            if any(past.id == commit for past in known):
                return True
        return False


def sign_of(message: str) -> str:
    """What a later run compares of a commit: its files, and who signs it off. Words may change without a new commit."""
    trailers = trailers_of(message)
    return " ".join((trailers.files if trailers else "", *_SIGNED.findall(message)))


def branch_at(forge: Forge, name: str, head: str, trunk: Trunk, tips: Iterable[str], expected: Mapping[str, bytes]) -> Branch:
    """What is there under a name whose head is known. A series of ours stands on one of `tips`, or on a commit behind these.

    `expected` has, by path, what files say if nothing is to be done: one whose id is that of just this is not read.
    """
    if not head:
        return Branch()
    commits = _series(forge, name, head)
    if not commits:
        return Branch(head, None, "its commits are not those that harden made")
    base = commits[-1].parents[0]
    if not trunk.has(base, tips):
        return Branch(head, None, "the commit below those of harden is not one of the base's")
    last = trailers_of(commits[0].message)
    assert last is not None
    if _files(forge, base, head, expected) != last.files:
        return Branch(head, None, "its files are not as harden left them")
    return Branch(head, Series(base, tuple(sign_of(commit.message) for commit in reversed(commits))))


def _series(forge: Forge, name: str, head: str) -> Sequence[PastCommit]:
    """Our commits from the head down, the newest first; none where they are no whole series."""
    found = forge.history(head, _FIRST)
    last = trailers_of(found[0].message) if found else None
    if last is None or last.step != last.steps or last.steps > _MOST_STEPS:
        return ()
    if last.steps > len(found) == _FIRST:
        found = forge.history(head, last.steps)
    ours = found[: last.steps]
    for commit, step in zip(ours, range(last.steps, 0, -1), strict=False):
        said = trailers_of(commit.message)
        if said != Trailers(name, step, last.steps, said.files if said else "") or len(commit.parents) != 1:
            return ()
    return ours if len(ours) == last.steps else ()


def _files(forge: Forge, base: str, head: str, expected: Mapping[str, bytes]) -> str:
    """The digest of the files that differ between two commits; empty where it cannot be one of ours."""
    paths = forge.changed(base, head)
    if not 0 < len(paths) <= _MOST_FILES:
        return ""
    listing = forge.listing(head)
    entries = entries_by_path(listing.entries)
    if not listing.complete and not paths <= entries.keys():
        raise ForgeError("the forge does not list all files", "whether the branch is only harden's work cannot be told")
    found = [entries.get(path) for path in sorted(paths)]
    data: list[tuple[str, bytes]] = []
    for entry in found:
        if entry is None or entry.mode not in (FILE, EXECUTABLE) or entry.size > 2 * MAX_BYTES:
            return ""
        data.append((entry.path, _content(forge, head, entry, expected.get(entry.path))))
    return files_digest(data, {entry.path for entry in found if entry is not None and entry.mode == EXECUTABLE})


def _content(forge: Forge, commit: str, entry: Entry, expected: bytes | None) -> bytes:
    """What a file says: what is expected of it, where its id is that of just this, else what the forge says."""
    if expected is not None and blob_id(expected, entry.id) == entry.id:
        return expected
    return forge.read(commit, entry)
