"""What a forge has to do for us, and the words for what it holds. Knows no forge: each is a module that does it.

A forge is where repositories are kept and pull requests are made: GitHub, GitLab, Gitea, Forgejo. All texts that it gives are
those of strangers. Everything here is small enough that a forge can be emulated in a test.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Protocol

from hardener.errors import HardenError
from hardener.record import NamedTuple

#: The modes of git that a file may have; links and submodules have others.
FILE, EXECUTABLE, LINK, SUBMODULE = "100644", "100755", "120000", "160000"


class ForgeError(HardenError):
    """The forge did not do what it was asked. `reason` says what happened, `remedy` what a person can do about it.

    Neither ever holds a token, and what the forge said in them is one line of bounded length without control characters.
    """

    exit_code = 2

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(f"{reason}: {remedy}" if remedy else reason)
        self.reason = reason
        self.remedy = remedy


class Forbidden(ForgeError):
    """The token is not known, or may not do this; or a rule of the repository, such as a protected branch, forbids it."""


class Missing(ForgeError):
    """There is no such repository, branch, commit or file, or the token may not see it, which forges do not tell apart."""


class Unavailable(ForgeError):
    """The forge could not be reached, or failed by its own fault: the same may work later."""


class Limited(ForgeError):
    """The forge asks to be left alone until a time, by a limit of its own. Nothing more is asked of it in this run."""

    def __init__(self, reason: str, until: datetime | None = None) -> None:
        when = f"run again after {until:%H:%M} UTC" if until else "run again in an hour"
        super().__init__(reason, when)
        #: In UTC; None where the forge does not say.
        self.until = until


class Moved(ForgeError):
    """A branch is not where it was read to be: somebody else pushed meanwhile."""


class Repository(NamedTuple):
    """A repository, as whoever has the token sees it."""

    #: `OWNER/NAME`; on GitLab with groups between.
    name: str
    #: The branch that pull requests are made to unless told otherwise.
    branch: str
    #: Whether it belongs to whoever runs the bot: it is theirs, or the job runs in it.
    is_own: bool = False
    may_push: bool = True
    is_archived: bool = False


class Entry(NamedTuple):
    """A file of a commit, as the forge lists it."""

    #: From the root, with `/`. It may be hostile: absolute, with `..`, of any length.
    path: str
    mode: str
    #: What git calls its content: see `blob_id`.
    id: str
    #: Bytes; -1 where the forge does not say.
    size: int = -1


class Listing(NamedTuple):
    """The files of a commit. Not `complete` where the forge has more than it lists."""

    entries: tuple[Entry, ...]
    complete: bool = True


class PastCommit(NamedTuple):
    """A commit that exists already."""

    id: str
    message: str
    parents: tuple[str, ...]


class Written(NamedTuple):
    """A file as a commit leaves it."""

    path: str
    data: bytes
    mode: str = FILE
    #: Whether the file was there before: forges that work by actions ask.
    is_new: bool = False


class Author(NamedTuple):
    """Whose name is on a commit."""

    name: str
    email: str


class Commit(NamedTuple):
    """A commit to be made on top of the one before it. At least one file."""

    message: str
    files: tuple[Written, ...]


class State(Enum):
    """How a pull request stands."""

    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"


class Pull(NamedTuple):
    """A pull request, or a merge request."""

    number: int
    #: The branch that it comes from, without `refs/heads/`, and the one that it goes to.
    branch: str
    base: str
    title: str
    body: str
    state: State
    url: str
    #: When it was opened, in UTC.
    created: datetime
    is_draft: bool = False
    labels: frozenset[str] = frozenset()
    #: Whether it comes from another repository: then its branch is not ours, whatever its name.
    is_from_fork: bool = False
    #: Whether it can no longer be merged as it is; None where the forge does not say.
    conflicts: bool | None = None

    @property
    def kept(self) -> Pull:
        """What of it is kept where there may be many: one from a fork is without its body."""
        return self._replace(body="") if self.is_from_fork else self


class Remark(NamedTuple):
    """Words on lines of a file in a pull request. `line` is the last line, from 1, in the file as the pull request leaves it."""

    path: str
    line: int
    body: str
    #: The first line, where several are meant; 0 for only the one.
    start: int = 0


class Issue(NamedTuple):
    """An issue."""

    number: int
    title: str
    body: str
    is_open: bool
    url: str


class Forge(Protocol):
    """One repository at one forge. Any method may raise a `ForgeError`. Those named `put`, `make`, `close` or `drop` write.

    Where `put_branch` fails half way, the branch is where it was: commits are made first, and it moves last. No method asks
    faster than the forge allows; where that asks to wait, it raises `Limited`.
    """

    #: What the forge calls what we call a pull request, and how it writes the number of one: "pull request" and "#".
    pull_word: str
    pull_sign: str
    #: How long a body may be, in characters.
    longest_body: int

    def repository(self) -> Repository:
        """What it is. Raises `Missing` where there is none."""

    def head(self, branch: str) -> str:
        """The commit that a branch is at; empty where there is no such branch."""

    def listing(self, commit: str) -> Listing:
        """All files of a commit, at any depth."""

    def read(self, commit: str, entry: Entry) -> bytes:
        """What a file says, byte for byte."""

    def archive(self, commit: str) -> Generator[bytes, None, None]:
        """All files of a commit in one answer, a tar.gz as `git archive` makes it, in pieces, of bounded length and duration.

        A repository's attributes (`export-ignore`, `export-subst`) leave files out of it and change others: a content counts only
        where it has the id of the file. The request is made with the first piece, and ends with the iterator.
        """

    def history(self, commit: str, most: int) -> Sequence[PastCommit]:
        """A commit and what it was made on, along first parents, the newest first: as many as are asked for, or as there are."""

    def changed(self, base: str, commit: str) -> frozenset[str]:
        """The paths of all files that differ between two commits."""

    def put_branch(self, branch: str, was: str, base: str, commits: Sequence[Commit], author: Author | None) -> str:
        """Make commits one upon the other on top of `base`, and then, in one step, have the branch at the last of them.

        `was` is the commit that the branch is at, empty for a new branch; what stands on it is replaced. Gives the last commit.
        Raises `Moved` where the branch is elsewhere by then. Without an author, the forge's own, who may then sign.
        """

    def drop_branch(self, branch: str, was: str) -> None:
        """Take a branch away, if it is still at `was`. Raises `Moved`."""

    def pulls(self, prefix: str) -> Sequence[Pull]:
        """The pull requests of all states whose branches begin so, the newest first; of those not open, the newest 500.

        Of those from forks the bodies are left out: anybody may make any number of them, with branches of any name.
        """

    def make_pull(self, branch: str, base: str, title: str, body: str, *, draft: bool, labels: Iterable[str]) -> Pull:
        """Open a pull request. Labels that cannot be given, for want of rights, are left out."""

    def put_pull(self, number: int, *, title: str, body: str, base: str) -> None:
        """Give a pull request a title, a body and a base."""

    def close_pull(self, number: int) -> None:
        """Close a pull request."""

    def remarks(self, number: int) -> Sequence[Remark]:
        """The remarks of whoever has the token on lines of a pull request."""

    def make_remarks(self, number: int, head: str, words: str, remarks: Sequence[Remark]) -> None:
        """Make one review of one remark or more, with words above. Lines that the forge takes no remark on are left out."""

    def comments(self, number: int) -> Sequence[str]:
        """What whoever has the token has said below a pull request."""

    def make_comment(self, number: int, body: str) -> None:
        """Say something below a pull request."""

    def issue(self, title: str) -> Issue | None:
        """The issue of exactly that title that whoever has the token opened; an open one rather than a closed one."""

    def put_issue(self, number: int, title: str, body: str) -> Issue:
        """Give an issue, or for the number 0 a new one, a title and a body."""

    def suggestion(self, text: str, lines: int) -> str:
        """Text that takes the place of so many lines, the last of which the remark stands on, as the forge can apply it; empty
        where the forge cannot."""


def blob_id(data: bytes, like: str) -> str:
    """What git calls a content, by the algorithm of another id: SHA-256 for one of 64 digits, else SHA-1."""
    from hashlib import sha1, sha256

    blob = b"blob %d\0%b" % (len(data), data)
    return sha256(blob).hexdigest() if len(like) == 64 else sha1(blob, usedforsecurity=False).hexdigest()


def entries_by_path(entries: Iterable[Entry]) -> Mapping[str, Entry]:
    """The entries of a listing by their paths."""
    return {entry.path: entry for entry in entries}
