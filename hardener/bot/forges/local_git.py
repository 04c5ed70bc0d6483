"""Commits read and made with git, in a clone on this disk; all else is left to the forge. Knows objects, not what is in them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterable, Sequence

from hardener.bot.forge import (
    Author,
    Commit,
    Entry,
    Forge,
    Issue,
    Listing,
    Missing,
    Past,
    Pull,
    Remark,
    Repository,
)
from hardener.bot.forges.git_remote import Git, is_id, remote_url
from hardener.errors import UsageError

#: More files than these are not listed.
_MOST_ENTRIES = 300_000


class WithGit:
    """A forge whose commits are read and made with git.

    `folder` lies in a clone, of which neither a file nor the index, a branch or the configuration changes, and of which nothing
    is run: what it brings is its objects, its remote and the name of whoever commits. The remote is reached with the user's own
    means; where these do not do, with `header`. Commits are signed where the user's own configuration says so.
    """

    #: To read costs no request.
    is_local = True

    def __init__(self, forge: Forge, folder: str, *, url: str = "", header: str = "") -> None:
        self._forge = forge
        self._git = Git(folder, url or remote_url(folder), header)
        self.pull_word = forge.pull_word
        self.pull_sign = forge.pull_sign
        self.longest_body = forge.longest_body

    def close(self) -> None:
        """Take away what is kept for the work with git; it goes with the process at the latest."""
        self._git.close()

    def head(self, branch: str) -> str:
        """The commit that a branch of the remote is at; empty where there is no such branch."""
        return self._git.branch(branch)

    def listing(self, commit: str) -> Listing:
        """All files of a commit, at any depth."""
        self._bring(commit)
        entries = []
        lines, complete = self._git.lines("ls-tree", "-r", "-z", "-l", "--full-tree", commit, most=_MOST_ENTRIES)
        for line in lines:
            head, tab, path = line.partition(b"\t")
            if tab:
                mode, _, id, size = head.decode("ascii").split()
                entries.append(Entry(os.fsdecode(path), mode, id, -1 if size == "-" else int(size)))
        return Listing(tuple(entries), complete)

    def read(self, commit: str, entry: Entry) -> bytes:
        """What a file says, byte for byte."""
        return self._git.content(entry.id)

    def archive(self, commit: str) -> Generator[bytes, None, None]:
        """As the forge gives it; here, nothing is won by that."""
        return self._forge.archive(commit)

    def history(self, commit: str, most: int) -> Sequence[Past]:
        """A commit and what it was made on, along first parents, the newest first, as far as it is in the clone."""
        self._bring(commit)
        found: list[Past] = []
        while commit and len(found) < most and self._git.has(commit):
            head, _, message = self._git.content(commit).partition(b"\n\n")
            parents = tuple(line[7:].decode("ascii") for line in head.split(b"\n") if line.startswith(b"parent "))
            found.append(Past(commit, message.decode("utf-8", "replace"), parents))
            commit = parents[0] if parents else ""
        return found

    def changed(self, base: str, commit: str) -> frozenset[str]:
        """The paths of all files that differ between two commits."""
        self._bring(base)
        self._bring(commit)
        names = self._git.ask("diff-tree", "-r", "-z", "--name-only", "--no-renames", base, commit)
        return frozenset(os.fsdecode(name) for name in names.split(b"\0") if name)

    def put_branch(self, branch: str, was: str, base: str, commits: Sequence[Commit], author: Author | None) -> str:
        """Make commits on top of `base`, and have the branch at the last of them; raises `Moved`, as `Forge` says.

        Who commits is whom git knows here, or else the author.
        """
        self._bring(base)
        committer = self._git.committer() or author
        if committer is None:
            raise UsageError("git does not know who you are: git config --global user.email YOU@EXAMPLE.COM, and user.name")
        who = self._as(author or committer, "AUTHOR") | self._as(committer, "COMMITTER")
        signed = ("-S",) if self._git.setting("commit.gpgSign", "bool") == "true" else ()
        with tempfile.TemporaryDirectory(prefix="harden-index-") as folder:
            index = {"GIT_INDEX_FILE": os.path.join(folder, "index")}
            self._git.ask("read-tree", base, variables=index)
            last = base
            for commit in commits:
                lines = b""
                for file in commit.files:
                    id = self._git.ask("hash-object", "-w", "--stdin", data=file.data).decode("ascii").strip()
                    lines += f"{file.mode} {id}\t".encode() + os.fsencode(file.path) + b"\0"
                self._git.ask("update-index", "--add", "-z", "--index-info", data=lines, variables=index)
                tree = self._git.ask("write-tree", variables=index).decode("ascii").strip()
                words = ("commit-tree", *signed, "-p", last, tree)
                last = self._git.ask(*words, data=commit.message.encode(), variables=who).decode("ascii").strip()
        self._git.push(branch, was, last)
        return last

    def drop_branch(self, branch: str, was: str) -> None:
        """Take a branch away, if it is still at `was`. Raises `Moved`."""
        self._git.push(branch, was, "")

    def _bring(self, commit: str) -> None:
        if self._git.has(commit):
            return
        if is_id(commit):
            self._git.fetch(commit)
        if not self._git.has(commit):
            raise Missing(f"there is no commit {commit[:64]!a} in this clone, nor at its remote", "git fetch")

    @staticmethod
    def _as(who: Author, role: str) -> dict[str, str]:
        return {f"GIT_{role}_NAME": who.name, f"GIT_{role}_EMAIL": who.email}

    def repository(self) -> Repository:
        """As the forge says."""
        return self._forge.repository()

    def pulls(self, prefix: str) -> Sequence[Pull]:
        """As the forge says."""
        return self._forge.pulls(prefix)

    def make_pull(self, branch: str, base: str, title: str, body: str, *, draft: bool, labels: Iterable[str]) -> Pull:
        """As the forge does."""
        return self._forge.make_pull(branch, base, title, body, draft=draft, labels=labels)

    def put_pull(self, number: int, *, title: str, body: str, base: str) -> None:
        """As the forge does."""
        self._forge.put_pull(number, title=title, body=body, base=base)

    def close_pull(self, number: int) -> None:
        """As the forge does."""
        self._forge.close_pull(number)

    def remarks(self, number: int) -> Sequence[Remark]:
        """As the forge says."""
        return self._forge.remarks(number)

    def make_remarks(self, number: int, head: str, words: str, remarks: Sequence[Remark]) -> None:
        """As the forge does."""
        self._forge.make_remarks(number, head, words, remarks)

    def comments(self, number: int) -> Sequence[str]:
        """As the forge says."""
        return self._forge.comments(number)

    def make_comment(self, number: int, body: str) -> None:
        """As the forge does."""
        self._forge.make_comment(number, body)

    def issue(self, title: str) -> Issue | None:
        """As the forge says."""
        return self._forge.issue(title)

    def put_issue(self, number: int, title: str, body: str) -> Issue:
        """As the forge does."""
        return self._forge.put_issue(number, title, body)

    def suggestion(self, text: str, lines: int) -> str:
        """As the forge takes it."""
        return self._forge.suggestion(text, lines)
