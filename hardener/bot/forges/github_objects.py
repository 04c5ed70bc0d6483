"""The objects of git at GitHub: files, trees and commits, read and made. Knows no branch, so nothing here is seen by anybody.

Objects never change, so what was read once is not asked for again. `docs.github.com/rest/git` is the source of their shapes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from hardener.bot.forge import SUBMODULE, Author, Commit, Entry, ForgeError, Listing, Missing, PastCommit
from hardener.bot.forges.answers import at, text
from hardener.bot.forges.github_answers import entry, past, required
from hardener.bot.forges.github_requests import PER_PAGE, Requests
from hardener.record import NamedTuple

#: Requests for the trees of one commit, where GitHub does not list it at once (more than 100,000 files, or 7 MB).
MOST_TREES = 300
#: More files than these are not held: each of those trees may list 100,000, and a few of git's objects come to any number.
MOST_ENTRIES = 300_000
#: Commits whose files are remembered: a base and a head, before and after.
_REMEMBERED = 4
#: The tree without files, which git knows without having it.
_EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


class _Tree(NamedTuple):
    """A folder as GitHub lists it, alone or with all below."""

    items: tuple[Any, ...]
    whole: bool


class Objects:
    """The objects of one repository."""

    def __init__(self, requests: Requests, here: str) -> None:
        """`here` is the path of the repository, `/repos/OWNER/NAME`."""
        self._requests = requests
        self._here = here
        self._git = f"{here}/git"
        self._commits: dict[str, tuple[PastCommit, str]] = {}
        #: By tree: its files, or None where GitHub does not list them at once.
        self._listed: dict[str, tuple[Entry, ...] | None] = {}

    def history(self, commit: str, most: int) -> list[PastCommit]:
        """As `Forge.history`. GitHub lists all that a commit stands on, by date: what is not in a list is asked for by itself."""
        found: list[PastCommit] = []
        while commit and len(found) < most:
            if commit not in self._commits and most - len(found) > 2:
                self._list_commits(commit, most - len(found))
            found.append(self._commit(commit)[0])
            commit = next(iter(found[-1].parents), "")
        return found

    def _list_commits(self, commit: str, most: int) -> None:
        """Get to know a commit and those before it, up to a page of them, with one request."""
        try:
            listed = self._requests.get(f"{self._here}/commits", {"sha": _id(commit), "per_page": min(most, PER_PAGE)})
        except Missing:
            return  # one that it does not find here may be there all the same, and npm's `emulate` has no such list
        for item in listed if isinstance(listed, list) else []:
            known, tree = past(item)
            self._commits.setdefault(known.id, (known, tree))

    def listing(self, commit: str) -> Listing:
        """All files; of a commit that GitHub does not list at once, those outside of folders of other people's code."""
        tree = self._commit(commit)[1]
        entries = self._at_once(tree)
        return self._by_folder(tree) if entries is None else Listing(entries)

    def changed(self, base: str, commit: str) -> frozenset[str]:
        """As `Forge.changed`; where a commit is too large to be listed, only the folders that differ are looked into."""
        before, after = self._commit(base)[1], self._commit(commit)[1]
        if before == after:
            return frozenset()
        ones, others = self._at_once(before), self._at_once(after)
        if ones is None or others is None:
            return self._differing(before, after)
        old = {one.path: (one.id, one.mode) for one in ones}
        new = {one.path: (one.id, one.mode) for one in others}
        return frozenset(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))

    def read(self, entry: Entry) -> bytes:
        """What a file says. Raises `Missing` for a submodule, which has no content here."""
        import base64
        import binascii

        if entry.mode == SUBMODULE:
            raise Missing("a submodule is no file of this repository")
        data = self._requests.get(f"{self._git}/blobs/{_id(entry.id)}")
        content = text(data, "content")
        if text(data, "encoding") != "base64":
            raise ForgeError("GitHub gives a file in a way that is not known", "it may be larger than GitHub gives (100 MB)")
        try:
            # A line end after every 60 characters is not part of it.
            found = base64.b64decode("".join(content.split()), validate=True)
        except (binascii.Error, ValueError):
            found = None
        if found is None or entry.size not in (-1, len(found)):
            raise ForgeError("GitHub gives a file that is not whole", "run again later")
        return found

    def make(self, base: str, commits: Sequence[Commit], author: Author | None) -> str:
        """Make commits, one upon the other, the first on `base`. Gives the last; no branch has it yet.

        Contents go as base64, which keeps every byte. Without an author GitHub names whoever has the token, and signs what an
        app or a job makes (docs.github.com/authentication/managing-commit-signature-verification).
        """
        parent, tree = base, self._commit(base)[1]
        made: dict[bytes, str] = {}
        for commit in commits:
            items = []
            for file in commit.files:
                if file.data not in made:
                    made[file.data] = self._make_file(file.data)
                items.append({"path": file.path, "mode": file.mode, "type": "blob", "sha": made[file.data]})
            body: dict[str, object] = {"tree": items} if tree == _EMPTY else {"base_tree": tree, "tree": items}
            tree = required(self._requests.send("POST", f"{self._git}/trees", body), "sha")
            body = {"message": commit.message, "tree": tree, "parents": [parent]}
            if author is not None:
                body["author"] = {"name": author.name, "email": author.email}
            parent = required(self._requests.send("POST", f"{self._git}/commits", body), "sha")
        return parent

    def _make_file(self, data: bytes) -> str:
        import base64

        body = {"content": base64.b64encode(data).decode("ascii"), "encoding": "base64"}
        return required(self._requests.send("POST", f"{self._git}/blobs", body), "sha")

    def _commit(self, commit: str) -> tuple[PastCommit, str]:
        if commit not in self._commits:
            self._commits[commit] = past(self._requests.get(f"{self._git}/commits/{_id(commit)}"))
        return self._commits[commit]

    def _tree(self, tree: str, *, deep: bool = False) -> _Tree:
        if tree == _EMPTY:
            return _Tree((), True)
        data = self._requests.get(f"{self._git}/trees/{_id(tree)}", {"recursive": 1} if deep else None)
        items = at(data, "tree")
        return _Tree(tuple(items) if isinstance(items, list) else (), at(data, "truncated") is not True)

    def _at_once(self, tree: str) -> tuple[Entry, ...] | None:
        """All files of a tree; None where GitHub leaves some out."""
        if tree not in self._listed:
            found = self._tree(tree, deep=True)
            while len(self._listed) >= _REMEMBERED:
                del self._listed[next(iter(self._listed))]
            self._listed[tree] = tuple(_files(found.items)) if found.whole else None
        return self._listed[tree]

    def _by_folder(self, tree: str) -> Listing:
        """The files of a tree too large to be listed: folder by folder, each with all below where that goes."""
        from hardener.discover import VENDORED

        entries: list[Entry] = []
        complete = True
        asked = 0
        large = deque([(tree, "")])
        while large and asked < MOST_TREES and len(entries) <= MOST_ENTRIES:
            tree, folder = large.popleft()
            level = self._tree(tree)
            asked += 1
            complete &= level.whole
            entries += _files(level.items, folder)
            for name, below in _folders(level.items).items():
                if name in VENDORED:
                    continue
                if asked >= MOST_TREES or len(entries) > MOST_ENTRIES:
                    complete = False
                    break
                found = self._tree(below, deep=True)
                asked += 1
                if found.whole:
                    entries += _files(found.items, f"{folder}{name}/")
                else:
                    large.append((below, f"{folder}{name}/"))
        return Listing(tuple(entries), complete and not large)

    def _differing(self, before: str, after: str) -> frozenset[str]:
        """The files in which two trees differ. An empty name stands for no tree."""
        paths: set[str] = set()
        asked = 0
        waiting = deque([(before, after, "")])
        while waiting:
            one, other, folder = waiting.popleft()
            levels = []
            for tree in (one, other):
                level = self._tree(tree) if tree else _Tree((), True)
                asked += bool(tree)
                if asked > MOST_TREES or not level.whole:
                    raise ForgeError("two commits differ in more folders than can be compared", "compare them with git")
                levels.append(level)
            old, new = ({file.path: (file.id, file.mode) for file in _files(level.items)} for level in levels)
            paths.update(folder + name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
            olds, news = (_folders(level.items) for level in levels)
            for name in olds.keys() | news.keys():
                pair = olds.get(name, ""), news.get(name, "")
                if pair[0] != pair[1]:
                    waiting.append((*pair, f"{folder}{name}/"))
        return frozenset(paths)


def _files(items: Sequence[Any], folder: str = "") -> list[Entry]:
    return [found for item in items if (found := entry(item, folder)) is not None]


def _folders(items: Sequence[Any]) -> Mapping[str, str]:
    """The folders right in one, by name, with their trees."""
    return {text(item, "path"): text(item, "sha") for item in items if text(item, "type") == "tree"}


def _id(name: str) -> str:
    """The name of an object as a part of a path."""
    from urllib.parse import quote

    if not name or name.strip(".") == "":
        raise Missing("an object without a name")
    return quote(name, safe="")
