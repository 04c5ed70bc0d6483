"""A forge in memory, with the rules of a real one: commits are trees, branches move only from where they are said to be.

It counts what is asked and written, and fails where a test says so: before a call is carried out, or just after it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha1
from typing import Any

from archives import packed

from hardener.bot.forge import (
    FILE,
    Author,
    Commit,
    Entry,
    ForgeError,
    Issue,
    Listing,
    Missing,
    Moved,
    PastCommit,
    Pull,
    Remark,
    Repository,
    State,
    Written,
    blob_id,
)

#: Path to content and mode.
Tree = Mapping[str, tuple[bytes, str]]
READS = frozenset(
    ("repository", "head", "listing", "read", "archive", "history", "changed", "pulls", "remarks", "comments", "issue")
)
WRITES = frozenset(
    ("put_branch", "drop_branch", "make_pull", "put_pull", "close_pull", "make_remarks", "make_comment", "put_issue")
)
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class _Kept:
    """A commit that is there."""

    def __init__(self, tree: Tree, parents: tuple[str, ...], message: str, author: Author | None = None) -> None:
        self.tree, self.parents, self.message, self.author = dict(tree), parents, message, author
        self.id = sha1(repr((sorted(tree.items()), parents, message, author)).encode()).hexdigest()


class FakeForge:
    """One repository. `fail` is told each call as it begins and as it ends, and may raise."""

    pull_word = "pull request"
    pull_sign = "#"
    longest_body = 65536

    def __init__(self, tree: Mapping[str, bytes | str], *, name: str = "acme/shop", is_own: bool = True) -> None:
        self.about = Repository(name, "main", is_own=is_own)
        self.url = f"https://forge.example/{name}"
        self.now = NOW
        self.commits: dict[str, _Kept] = {}
        self.branches: dict[str, str] = {}
        self.made: dict[int, Pull] = {}
        self.said: dict[int, list[str]] = {}
        self.on_lines: dict[int, list[Remark]] = {}
        self.issues: dict[int, Issue] = {}
        #: What it lists of any commit, in place of all that there is.
        self.listed: Listing | None = None
        #: What is called, in order; reads and writes.
        self.calls: list[str] = []
        self.fail: Callable[[str, bool], None] = lambda method, is_over: None
        #: Whether a pull request whose branch goes is closed by that, as on GitHub.
        self.closes_without_branch = True
        self.branches["main"] = self.add({path: (_bytes(data), FILE) for path, data in tree.items()}, (), "begin")

    # What tests do, as people would.

    def add(self, tree: Tree, parents: tuple[str, ...], message: str, author: Author | None = None) -> str:
        commit = _Kept(tree, parents, message, author)
        self.commits[commit.id] = commit
        return commit.id

    def push(self, branch: str, changes: Mapping[str, bytes | str | None], message: str = "work") -> str:
        """A commit of somebody on top of a branch; None takes a file away."""
        was = self.branches[branch]
        tree = dict(self.commits[was].tree)
        for path, data in changes.items():
            if data is None:
                del tree[path]
            else:
                tree[path] = (_bytes(data), tree[path][1] if path in tree else FILE)
        self.branches[branch] = self.add(tree, (was,), message)
        return self.branches[branch]

    def amend(self, branch: str, changes: Mapping[str, bytes | str | None]) -> None:
        """The last commit made anew with other files, and its message kept; None takes a file away."""
        last = self.commits[self.branches[branch]]
        tree = {path: file for path, file in last.tree.items() if path not in changes}
        tree |= {path: (_bytes(data), FILE) for path, data in changes.items() if data is not None}
        self.branches[branch] = self.add(tree, last.parents, last.message)

    def tree(self, branch: str) -> Tree:
        return self.commits[self.branches[branch]].tree

    def change(self, number: int, **fields: Any) -> None:
        self.made[number] = self.made[number]._replace(**fields)

    def merge(self, number: int) -> None:
        pull = self.made[number]
        tree = self.tree(pull.branch)
        parents = (self.branches[pull.base], self.branches[pull.branch])
        self.branches[pull.base] = self.add(tree, parents, f"Merge {number}")
        self.change(number, state=State.MERGED)

    def writes(self) -> list[str]:
        return [call for call in self.calls if call in WRITES]

    def open(self) -> list[Pull]:
        return [pull for pull in self.made.values() if pull.state is State.OPEN]

    def state(self) -> object:
        """All that anybody sees."""
        return dict(self.branches), dict(self.made), dict(self.said), dict(self.on_lines), dict(self.issues)

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in READS and name not in WRITES:
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            self.fail(name, False)
            result = found(*args, **kwargs)
            self.fail(name, True)
            return result

        return call

    # What the protocol asks for.

    def repository(self) -> Repository:
        return self.about

    def head(self, branch: str) -> str:
        return self.branches.get(branch, "")

    def listing(self, commit: str) -> Listing:
        if self.listed is not None:
            return self.listed
        tree = self._commit(commit).tree
        entries = (Entry(path, mode, blob_id(data, commit), len(data)) for path, (data, mode) in sorted(tree.items()))
        return Listing(tuple(entries))

    def read(self, commit: str, entry: Entry) -> bytes:
        return self._commit(commit).tree[entry.path][0]

    def archive(self, commit: str) -> Generator[bytes, None, None]:
        yield packed((path, mode, data) for path, (data, mode) in sorted(self._commit(commit).tree.items()))

    def history(self, commit: str, most: int) -> Sequence[PastCommit]:
        found: list[PastCommit] = []
        at = [commit]
        while at and len(found) < most:
            kept = self._commit(at[0])
            # A forge ends a message as it likes.
            found.append(PastCommit(kept.id, kept.message.rstrip("\n"), kept.parents))
            at = list(kept.parents[:1])
        return found

    def changed(self, base: str, commit: str) -> frozenset[str]:
        one, other = self._commit(base).tree, self._commit(commit).tree
        return frozenset(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))

    def put_branch(self, branch: str, was: str, base: str, commits: Sequence[Commit], author: Author | None) -> str:
        at = self._commit(base).id
        assert commits
        for commit in commits:
            assert commit.files, "a commit without files"
            tree = {**self.commits[at].tree, **{file.path: (file.data, file.mode) for file in commit.files}}
            at = self.add(tree, (at,), commit.message, author)
        if self.branches.get(branch, "") != was:
            raise Moved(f"{branch} is elsewhere by now")
        self.branches[branch] = at
        return at

    def drop_branch(self, branch: str, was: str) -> None:
        if self.branches.get(branch, "") != was:
            raise Moved(f"{branch} is elsewhere by now")
        self.lose(branch)

    def lose(self, branch: str) -> None:
        """Take a branch away, as anybody may."""
        del self.branches[branch]
        for pull in self.open():
            if pull.branch == branch and self.closes_without_branch:
                self.change(pull.number, state=State.CLOSED)

    def pulls(self, prefix: str) -> Sequence[Pull]:
        found = [self.made[number] for number in sorted(self.made, reverse=True)]
        return [pull for pull in found if pull.branch.startswith(prefix)]

    def make_pull(self, branch: str, base: str, title: str, body: str, *, draft: bool, labels: Iterable[str]) -> Pull:
        if any((pull.branch, pull.base) == (branch, base) for pull in self.open()):
            raise ForgeError(f"a pull request from {branch} is open already")
        if branch not in self.branches:
            raise Missing(f"there is no branch {branch}")
        number = self._number()
        url = f"{self.url}/pull/{number}"
        self.made[number] = Pull(number, branch, base, title, body, State.OPEN, url, self.now, draft, frozenset(labels))
        return self.made[number]

    def put_pull(self, number: int, *, title: str, body: str, base: str) -> None:
        self.change(number, title=title, body=body, base=base)

    def close_pull(self, number: int) -> None:
        self.change(number, state=State.CLOSED)

    def remarks(self, number: int) -> Sequence[Remark]:
        return self.on_lines.get(number, [])

    def make_remarks(self, number: int, head: str, words: str, remarks: Sequence[Remark]) -> None:
        assert head == self.branches[self.made[number].branch]
        self.on_lines.setdefault(number, []).extend(remarks)

    def comments(self, number: int) -> Sequence[str]:
        return self.said.get(number, [])

    def make_comment(self, number: int, body: str) -> None:
        self.said.setdefault(number, []).append(body)

    def issue(self, title: str) -> Issue | None:
        found = [issue for issue in self.issues.values() if issue.title == title]
        return next((issue for issue in found if issue.is_open), found[-1] if found else None)

    def put_issue(self, number: int, title: str, body: str) -> Issue:
        number = number or self._number()
        is_open = self.issues[number].is_open if number in self.issues else True
        # A form in a browser ends lines so, and forges keep it.
        text = body.replace("\n", "\r\n")
        self.issues[number] = Issue(number, title, text, is_open, f"{self.url}/issues/{number}")
        return self.issues[number]

    def suggestion(self, text: str, lines: int) -> str:
        return f"```suggestion\n{text}```\n"

    def _number(self) -> int:
        return max((*self.made, *self.issues), default=0) + 1

    def _commit(self, commit: str) -> _Kept:
        if commit not in self.commits:
            raise Missing(f"there is no commit {commit}")
        return self.commits[commit]


class FailAt:
    """Fails at the nth call of a method, or of any that writes: before it is carried out, or after it."""

    def __init__(self, nth: int, error: ForgeError, *, method: str = "", after: bool = False) -> None:
        self.left, self.error, self.method, self.after = nth, error, method, after

    def __call__(self, method: str, is_over: bool) -> None:
        if is_over is not self.after or (method != self.method if self.method else method not in WRITES):
            return
        self.left -= 1
        if self.left == 0:
            raise self.error


def refuse_writes(method: str, is_over: bool) -> None:
    """For a dry run."""
    assert method not in WRITES, f"{method} in a dry run"


def _bytes(data: bytes | str) -> bytes:
    return data if isinstance(data, bytes) else data.encode()


__all__ = ["NOW", "READS", "WRITES", "FailAt", "FakeForge", "Written", "refuse_writes"]
