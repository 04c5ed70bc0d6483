"""Makes commits at Gitea and Forgejo and moves a branch to the last of them in one step. Knows no pull requests.

The API makes no trees: a commit is a list of files on top of a branch (`POST contents`). So commits are made on a branch of ours,
which begins at the base and goes away in the end, and the real branch is touched once:

- A new one is made at the last commit (`POST branches`), which the server refuses if it is there by then.
- An existing one is moved to it (`PUT branches/NAME`) from where it was read to be, or not at all: the server pushes with a
  lease. Gitea does so from 1.26 on (issue 35368; services/repository/branch.go, read in its fork forgente/forgente@4b2261bb).
- Forgejo has no such request, but from 16 on the last commit can be forced onto the branch as it is made, which it calls
  `force_overwrite_new_branch` and Gitea `force_push` (pull request 35592). Where the branch is, we look right before: what is
  pushed in the second between is replaced, and only the history of the pull request tells of it.
- Older servers can do neither, and taking a branch away closes its pull requests (issue 35368). We say so and do nothing.

What a broken run leaves is our own branch; the next one takes it away, if what is on it is ours. Workflows that run on each push
run for it, too, as for any branch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hardener.bot.forge import (
    EXECUTABLE,
    FILE,
    Author,
    Commit,
    Entry,
    Forbidden,
    ForgeError,
    Limited,
    Listing,
    Moved,
    PastCommit,
    Written,
    blob_id,
    entries_by_path,
)
from hardener.bot.forges.answers import number, objects, text
from hardener.bot.forges.gitea_session import Session
from hardener.bot.marks import digest, trailers_of
from hardener.render.summary import clean, shortened

#: Where commits are made: beside the branches of the bot, which begin with `harden/`.
_SPARE = "harden-next/"
#: Names of branches that the server's forms take: MaxSize(100) (modules/structs/repo.go@000762f8).
_LONGEST_NAME = 100


class Branches:
    """The branches of one repository."""

    def __init__(self, session: Session, path: str, history: Callable[[str, int], Sequence[PastCommit]]) -> None:
        """`path` is that of the repository's part of the API."""
        self._session, self._path, self._history = session, path, history

    def head(self, branch: str) -> str:
        """The commit that a branch is at; empty where there is no such branch."""
        address = self._address(branch)
        if not address:
            return ""
        answer = self._session.ask("GET", address, take=(404,))
        return text(answer.data, "commit", "id") if answer.status == 200 else ""

    def drop(self, branch: str) -> None:
        """Take a branch away, wherever it is."""
        self._session.ask("DELETE", self._address(branch), take=(404,))

    def put(self, branch: str, was: str, base: str, commits: Sequence[Commit], author: Author | None, listing: Listing) -> str:
        """Make commits on top of `base`, whose files are listed, and have the branch, which was at `was`, at the last of them."""
        name = shortened(clean(branch))
        if not commits:
            raise ForgeError(f"there is nothing to commit on {name}")
        if not self._address(branch) or len(branch) > _LONGEST_NAME:
            raise ForgeError(f"the server takes no branch named {name}", f"names have up to {_LONGEST_NAME} characters")
        tree = dict(entries_by_path(listing.entries))
        _check(commits, tree, complete=listing.complete)
        if self.head(branch) != was:
            raise _elsewhere(name)
        spare = _SPARE + digest(branch)
        self._clear(spare, base, branch)
        self._make(spare, base)
        try:
            last = self._made(branch, was, base, commits, author, tree, spare)
        except Limited:
            # It wants to be left alone: the next run takes the spare branch away.
            raise
        except ForgeError:
            self._forget(spare)
            raise
        self._forget(spare)
        return last

    def _made(
        self,
        branch: str,
        was: str,
        base: str,
        commits: Sequence[Commit],
        author: Author | None,
        tree: dict[str, Entry],
        spare: str,
    ) -> str:
        can_move = not was or self._can_move(spare, base)
        parent = base
        for commit in commits if can_move else commits[:-1]:
            parent = self._commit(spare, {}, commit, author, parent, tree)
        if not was:
            self._make(branch, parent)
            return parent
        if can_move:
            self._move(branch, was, parent)
            return parent
        if self.head(branch) != was:
            raise _elsewhere(shortened(clean(branch)))
        forced = {"new_branch": branch, "force_push": True, "force_overwrite_new_branch": True}
        return self._commit(spare, forced, commits[-1], author, parent, tree)

    def _commit(
        self, on: str, more: Mapping[str, Any], commit: Commit, author: Author | None, parent: str, tree: dict[str, Entry]
    ) -> str:
        """One commit; what it changes is noted in `tree`. Its id."""
        from datetime import UTC, datetime

        now = datetime.now(UTC).isoformat(timespec="seconds")
        body = {
            "branch": on,
            "message": commit.message,
            "files": [_operation(file, tree.get(file.path)) for file in commit.files],
            # Without them, Gitea 1.25.0 and 1.25.1 write a date of 2001 (go-gitea/gitea issue 35860).
            "dates": {"author": now, "committer": now},
            **more,
        }
        if author is not None:
            # Both: where they differ, a server that signs adds a paragraph (services/repository/files/temp_repo.go@0027ddf8).
            body["author"] = body["committer"] = {"name": author.name, "email": author.email}
        answer = self._session.ask("POST", f"{self._path}/contents", body, take=(404, 422))
        if answer.status == 422 and more and "already exists" in answer.said:
            raise ForgeError(
                "this server cannot move a branch that is there, and replacing it would close the pull request",
                "update it to Gitea 1.26 or Forgejo 16, or run in a clone with --git",
            )
        if answer.status >= 400:
            if self.head(on) != parent:
                raise _contested()
            raise ForgeError(f"a commit could not be made{': ' if answer.said else ''}{answer.said}")
        id = text(answer.data, "commit", "sha")
        parents = [text(one, "sha") for one in objects(answer.data, "commit", "parents")]
        if not id or parents != [parent]:
            raise _contested()
        _note(commit, answer.data, parent, tree)
        return id

    def _make(self, branch: str, commit: str) -> None:
        """Make a branch at a commit. Raises `Moved` where it is there by now."""
        asked = {"new_branch_name": branch, "old_ref_name": commit}
        answer = self._session.ask("POST", f"{self._path}/branches", asked, take=(409,))
        if answer.status == 409:
            name = shortened(clean(branch))
            if self.head(branch):
                raise _elsewhere(name)
            # A branch named `harden`, or a tag of the same name.
            raise ForgeError(f"{name} cannot be made: {answer.said or 'another name is in its way'}", "rename what is in its way")

    def _can_move(self, spare: str, at: str) -> bool:
        """Whether the server moves branches: it is asked to leave ours where it is."""
        asked = {"old_commit_id": at, "new_commit_id": at, "force": True}
        # A method that a path does not have is 405 or, by the version of the router, 404.
        return self._session.ask("PUT", self._address(spare), asked, take=(*range(400, 423), 500)).status not in (404, 405)

    def _move(self, branch: str, was: str, to: str) -> None:
        asked = {"old_commit_id": was, "new_commit_id": to, "force": True}
        # 422 is for another commit than the old one, 403 for a rule or a hook, 500 for a lease that was broken in that moment.
        answer = self._session.ask("PUT", self._address(branch), asked, take=(403, 404, 409, 422, 500))
        if answer.status < 400:
            return
        name = shortened(clean(branch))
        if (now := self.head(branch)) != was:
            if now == to:
                return
            raise _elsewhere(name)
        why = f": {answer.said}" if answer.said else ""
        raise Forbidden(f"{name} could not be moved{why}", "let the rules for protected branches allow the account to force it")

    def _clear(self, spare: str, base: str, branch: str) -> None:
        """Take away what a broken run left: our commits, or nothing at all on top of a base. Anything else stays."""
        head = self.head(spare)
        if not head:
            return
        marks = trailers_of(self._history(head, 1)[0].message)
        if (marks is None or marks.branch != branch) and head != base:
            compared = self._session.ask("GET", f"{self._path}/compare/{base}...{head}", take=(404,))
            if compared.status == 404 or number(compared.data, "total_commits"):
                raise ForgeError(f"the branch {spare} has commits that are not ours", "rename it, or take it away")
        self.drop(spare)

    def _forget(self, spare: str) -> None:
        try:
            self.drop(spare)
        except ForgeError:
            # The next run takes it away; this one is done.
            return

    def _address(self, branch: str) -> str:
        """The path of a branch in the API; empty for a name that git has no branch for."""
        from urllib.parse import quote

        if not branch.isprintable() or {"", ".", ".."} & {*branch.split("/")}:
            return ""
        return f"{self._path}/branches/{quote(branch)}"


def _operation(file: Written, entry: Entry | None) -> dict[str, str]:
    """A change to a file. An existing one is named with its hash, without which the server refuses, or takes what is there."""
    import base64

    operation = {"operation": "create" if entry is None else "update", "path": file.path}
    if entry is not None:
        operation["sha"] = entry.id
    return {**operation, "content": base64.b64encode(file.data).decode("ascii")}


def _note(commit: Commit, answer: object, like: str, tree: dict[str, Entry]) -> None:
    """Note in `tree` the files that a commit has written. Raises `ForgeError` where the server keeps one in another form."""
    stored = {text(file, "path"): text(file, "sha") for file in objects(answer, "files")}
    for file in commit.files:
        blob = blob_id(file.data, like)
        # The answer need not have all: it ends at a number, and at a size (services/repository/files/file.go@087d4e41).
        if stored.get(file.path, blob) != blob:
            raise ForgeError(
                f"the server keeps {shortened(clean(file.path))} in another form than it was given",
                ".gitattributes may hand it to Git LFS: leave it out",
            )
        tree[file.path] = Entry(file.path, file.mode, blob, len(file.data))


def _check(commits: Sequence[Commit], tree: Mapping[str, Entry], *, complete: bool) -> None:
    """Refuse beforehand what the server cannot do: modes stay as they are, and new files are not executable
    (services/repository/files/update.go@01765f91)."""
    for file in (file for commit in commits for file in commit.files):
        name = shortened(clean(file.path))
        entry = tree.get(file.path)
        if entry is None and not complete:
            raise ForgeError(f"there are more files than can be listed, {name} not among them", "run in a clone with --git")
        try:
            file.path.encode()
        except UnicodeEncodeError:
            # JSON would carry another name.
            raise ForgeError(f"{name} is not a name in Unicode", "run in a clone with --git") from None
        mode = FILE if entry is None else entry.mode
        if file.mode != mode or mode not in (FILE, EXECUTABLE):
            raise ForgeError(
                f"the server's API cannot write {name} with the mode {clean(file.mode)}", "run in a clone with --git"
            )


def _elsewhere(name: str) -> Moved:
    return Moved(f"{name} is not where it was read to be", "somebody else pushed meanwhile: run again")


def _contested() -> Moved:
    return Moved("somebody else makes the same commits at this moment", "run again when that is done")
