"""A forge whose commits are read and made with git, in a clone on this disk. Knows git's objects, and not what is in them."""

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
    PastCommit,
    Pull,
    Remark,
    Repository,
)
from hardener.bot.forges.git_remote import Git, is_id, remote_url
from hardener.errors import UsageError

#: More files than these are not listed.
_MOST_ENTRIES = 300_000


class WithGit:
    """A forge whose commits are read and made with git. Implements `Forge`, which says what each method does.

    `folder` lies in a clone. Nothing of it is run, and neither its files nor its index, branches or configuration change: only
    its objects, its remote and the name of whoever commits are read. The remote is reached with the user's own credentials; where
    these do not do, with `header`. Commits are signed where the user's own configuration says so.
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
        return self._git.branch(branch)

    def listing(self, commit: str) -> Listing:
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
        return self._git.content(entry.id)

    def history(self, commit: str, most: int) -> Sequence[PastCommit]:
        """As far as it is in the clone, which may be a shallow one."""
        self._bring(commit)
        found: list[PastCommit] = []
        while commit and len(found) < most and self._git.has(commit):
            head, _, message = self._git.content(commit).partition(b"\n\n")
            parents = tuple(line[7:].decode("ascii") for line in head.split(b"\n") if line.startswith(b"parent "))
            found.append(PastCommit(commit, message.decode("utf-8", "replace"), parents))
            commit = parents[0] if parents else ""
        return found

    def changed(self, base: str, commit: str) -> frozenset[str]:
        self._bring(base)
        self._bring(commit)
        names = self._git.ask("diff-tree", "-r", "-z", "--name-only", "--no-renames", base, commit)
        return frozenset(os.fsdecode(name) for name in names.split(b"\0") if name)

    def put_branch(self, branch: str, was: str, base: str, commits: Sequence[Commit], author: Author | None) -> str:
        """The committer is whom git knows here, or else the author."""
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

    # All else is left to the forge.

    def repository(self) -> Repository:
        return self._forge.repository()

    def archive(self, commit: str) -> Generator[bytes, None, None]:
        return self._forge.archive(commit)

    def pulls(self, prefix: str) -> Sequence[Pull]:
        return self._forge.pulls(prefix)

    def make_pull(self, branch: str, base: str, title: str, body: str, *, draft: bool, labels: Iterable[str]) -> Pull:
        return self._forge.make_pull(branch, base, title, body, draft=draft, labels=labels)

    def put_pull(self, number: int, *, title: str, body: str, base: str) -> None:
        self._forge.put_pull(number, title=title, body=body, base=base)

    def close_pull(self, number: int) -> None:
        self._forge.close_pull(number)

    def remarks(self, number: int) -> Sequence[Remark]:
        return self._forge.remarks(number)

    def make_remarks(self, number: int, head: str, words: str, remarks: Sequence[Remark]) -> None:
        self._forge.make_remarks(number, head, words, remarks)

    def comments(self, number: int) -> Sequence[str]:
        return self._forge.comments(number)

    def make_comment(self, number: int, body: str) -> None:
        self._forge.make_comment(number, body)

    def issue(self, title: str) -> Issue | None:
        return self._forge.issue(title)

    def put_issue(self, number: int, title: str, body: str) -> Issue:
        return self._forge.put_issue(number, title, body)

    def suggestion(self, text: str, lines: int) -> str:
        return self._forge.suggestion(text, lines)
