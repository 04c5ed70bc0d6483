"""Branches at GitHub: where one is, and how it is made, moved and taken away. Knows no commits and no pull requests.

Nobody's work is written over: a branch changes from where it was read to be, or not at all.

- A new one is made by REST, which refuses where it is there by then; one that only goes forward is moved by REST, which refuses
  where that would take something away (docs.github.com/rest/git/refs).
- Any other, REST would move or delete wherever it is. GraphQL's `updateRefs` compares and moves, or deletes, in one step
  (docs.github.com/graphql/reference/git; since April 2024, octokit/graphql-schema#934; Enterprise Server 3.16 has it). Where the
  branch is elsewhere it only says that something went wrong (orgs/community discussion 213655): after an error, we look.
- A server that has no such mutation, or not for our token, is asked by REST, and right before where the branch is: that leaves a
  gap of one request.
"""

from __future__ import annotations

from hardener.bot.forge import Forbidden, ForgeError, Missing, Moved, Unavailable
from hardener.bot.forges.answers import text
from hardener.bot.forges.github_errors import Attempt, Refused, Unsupported
from hardener.bot.forges.github_requests import Requests, quoted
from hardener.render.summary import clean

#: Names of fields as russellbanks/Komac, src/github/graphql/update_refs.rs, has them too.
_UPDATE = (
    "mutation ($repository: ID!, $updates: [RefUpdate!]!) "
    "{ updateRefs(input: {repositoryId: $repository, refUpdates: $updates}) { clientMutationId } }"
)
#: What stands for no commit.
_NOWHERE = "0" * 40


class Branches:
    """The branches of one repository."""

    def __init__(self, requests: Requests, here: str, node: str) -> None:
        """`here` is the path of the repository, `/repos/OWNER/NAME`; `node` is its name in GraphQL, empty where it has none."""
        self._requests = requests
        self._here = here
        self._node = node

    def head(self, branch: str, *, keep: bool = False) -> str:
        """The commit that a branch is at; empty where there is no such branch. `keep` as for `Requests.get`."""
        try:
            data = self._requests.get(f"{self._here}/git/ref/heads/{quoted(branch)}", keep=keep)
        except (Missing, Refused):  # 409 is what a repository without commits says
            return ""
        return text(data, "object", "sha") if text(data, "ref") == f"refs/heads/{branch}" else ""

    def put(self, branch: str, was: str, to: str, *, forward: bool) -> None:
        """Have a branch at another commit, which stands on the one before it where it goes `forward`.

        `was` is the commit that it is at, empty for a new branch. Raises `Moved` where it is elsewhere by then.
        """
        self._change(branch, was, to, forward=forward)

    def drop(self, branch: str, was: str) -> None:
        """Take a branch away, which is at `was` or already gone. Raises `Moved` where it is elsewhere."""
        self._change(branch, was, "", forward=False)

    def _change(self, branch: str, was: str, to: str, *, forward: bool) -> None:
        try:
            if not was:
                self._requests.send("POST", f"{self._here}/git/refs", {"ref": f"refs/heads/{branch}", "sha": to})
            elif forward or not self._exchange(branch, was, to):
                self._write(branch, was, to, force=not forward)
            return
        except (Forbidden, Missing, Refused, Unavailable) as error:
            failed = error
        # It may have been done, and only the answer got lost.
        if self._is_done(branch, was, to):
            return
        if not was and isinstance(failed, (Missing, Refused)):
            raise self._in_the_way(branch) or failed
        raise failed

    def _exchange(self, branch: str, was: str, to: str) -> bool:
        """Have a branch at another commit, or at none, if it is at `was`: in one step. Whether we can have that done."""
        if not self._node:
            return False
        update = {"name": f"refs/heads/{branch}", "beforeOid": was, "afterOid": to or _NOWHERE, "force": True}
        instead = Attempt("PATCH" if to else "DELETE", self._address(branch))
        try:
            self._requests.query(_UPDATE, {"repository": self._node, "updates": [update]}, instead)
        except Unsupported:
            self._node = ""
            return False
        return True

    def _write(self, branch: str, was: str, to: str, *, force: bool) -> None:
        """The same in two steps: look where a branch is, and write it. What has to be waited for is waited for first."""
        self._requests.settle()
        if self._is_done(branch, was, to):
            return
        if to:
            self._requests.send("PATCH", self._address(branch), {"sha": to, "force": force})
        else:
            self._requests.send("DELETE", self._address(branch))

    def _is_done(self, branch: str, was: str, to: str) -> bool:
        """Whether a branch is where it shall be, and not where it was. Raises `Moved` where it is at neither."""
        now = self.head(branch)
        if now not in (was, to):
            raise Moved(f"the branch `{clean(branch)}` is not where it was", "somebody pushed to it meanwhile: run again")
        return now == to

    def _in_the_way(self, branch: str) -> ForgeError | None:
        """What keeps a branch from being made: one that it would be below or above (renovatebot/renovate#5391)."""
        parts = branch.split("/")
        above = ("/".join(parts[:count]) for count in range(1, len(parts)))
        name = next((name for name in above if self.head(name)), "")
        if not name:
            below = self._requests.get(f"{self._here}/git/matching-refs/heads/{quoted(branch)}/")
            name = text(below[0], "ref").removeprefix("refs/heads/") if isinstance(below, list) and below else ""
        if not name:
            return None
        return ForgeError(
            f"the branch `{clean(name[:200])}` is in the way of `{clean(branch)}`: git has no branch below another",
            "rename or delete it, or choose another `branch_prefix`",
        )

    def _address(self, branch: str) -> str:
        return f"{self._here}/git/refs/heads/{quoted(branch)}"
