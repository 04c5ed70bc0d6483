"""GitHub as a forge: branches, pull requests, reviews and issues of one repository, on github.com or an Enterprise server.

Knows GitHub's API, and nothing of what is proposed. Every write is made once; what is seen by others comes last, in one request.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any

from hardener.bot.forge import (
    Author,
    Commit,
    Entry,
    Forbidden,
    ForgeError,
    Issue,
    Listing,
    Missing,
    PastCommit,
    Pull,
    Remark,
    Repository,
    State,
)
from hardener.bot.forges import github_answers as answers
from hardener.bot.forges.answers import at, text
from hardener.bot.forges.github_archive import archive
from hardener.bot.forges.github_branch import Branches
from hardener.bot.forges.github_errors import Refused
from hardener.bot.forges.github_objects import Objects
from hardener.bot.forges.github_requests import PER_PAGE, Requests, quoted
from hardener.record import NamedTuple
from hardener.render.commonmark import fence_marks
from hardener.render.summary import clean

#: Pages of what is open, of what is not, and of all other lists: bounds for what a repository may have us read.
_OPEN_PAGES, _CLOSED_PAGES, _PAGES = 100, 500 // PER_PAGE, 30
#: Of so many of our open pull requests it is asked whether they conflict, which a list does not say.
_LOOKED_AT = 20


class _Found(NamedTuple):
    """The repository once it was asked for: what it is, where it is, and what is in it."""

    repository: Repository
    #: Its path in the API.
    here: str
    objects: Objects
    branches: Branches


class GitHub:
    """One repository at GitHub. Implements `Forge`, whose words say what each method does."""

    pull_word = "pull request"
    pull_sign = "#"
    #: 65,536 is the most that GitHub takes (renovatebot/renovate#2032).
    longest_body = 65_000

    def __init__(
        self,
        repository: str,
        token: str,
        api: str = "https://api.github.com",
        *,
        is_own: bool = False,
        pause: float | None = None,
    ) -> None:
        """`repository` is `OWNER/NAME`, `api` is `https://HOST/api/v3` for an Enterprise server.

        `is_own` says that we are a job of this very repository; `pause` is the time between writes in seconds, None for what the
        host asks for. Raises `ForgeError` for what cannot be a repository, an address or a token.
        """
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}", repository) or {"..", "."} & {*repository.split("/")}:
            raise ForgeError(f"not a repository: {clean(repository[:200])}", "GitHub's are called OWNER/NAME")
        self._requests = Requests(api, token, pause)
        self._token = token
        self._is_own = is_own
        self._name = repository
        self._known: _Found | None = None
        self._viewer: str | None = None

    def close(self) -> None:
        """Close the connection."""
        self._requests.close()

    # What is there

    def repository(self) -> Repository:
        return self._found.repository

    def head(self, branch: str) -> str:
        return self._found.branches.head(branch, keep=True)

    def listing(self, commit: str) -> Listing:
        return self._found.objects.listing(commit)

    def read(self, commit: str, entry: Entry) -> bytes:
        return self._found.objects.read(entry)

    def archive(self, commit: str) -> Generator[bytes, None, None]:
        return archive(self._requests, self._here, commit)

    def history(self, commit: str, most: int) -> Sequence[PastCommit]:
        return self._found.objects.history(commit, most)

    def changed(self, base: str, commit: str) -> frozenset[str]:
        return self._found.objects.changed(base, commit)

    # Branches

    def put_branch(self, branch: str, was: str, base: str, commits: Sequence[Commit], author: Author | None) -> str:
        commit = self._found.objects.make(base, commits, author)
        self._found.branches.put(branch, was, commit, forward=base == was)
        return commit

    def drop_branch(self, branch: str, was: str) -> None:
        self._found.branches.drop(branch, was)

    # Pull requests

    def pulls(self, prefix: str) -> Sequence[Pull]:
        by_number: dict[int, Pull] = {}  # one that is closed between the two lists is in both
        for state, most in (("open", _OPEN_PAGES), ("closed", _CLOSED_PAGES)):
            asked = {"state": state, "sort": "created", "direction": "desc"}
            for data in self._requests.pages(f"{self._here}/pulls", asked, most, keep=True):
                if text(data, "head", "ref").startswith(prefix):
                    pull = answers.pull(data).kept
                    by_number[pull.number] = pull
        ours = [pull for pull in by_number.values() if pull.state is State.OPEN and not pull.is_from_fork]
        for pull in ours[:_LOOKED_AT]:
            by_number[pull.number] = answers.pull(self._requests.get(f"{self._here}/pulls/{pull.number}"))
        return sorted(by_number.values(), key=lambda pull: (pull.created, pull.number), reverse=True)

    def make_pull(self, branch: str, base: str, title: str, body: str, *, draft: bool, labels: Iterable[str]) -> Pull:
        made = {"head": branch, "base": base, "title": title, "body": body, "draft": draft}
        pull = answers.pull(self._requests.send("POST", f"{self._here}/pulls", made))
        wanted = sorted(set(labels))
        if not wanted:
            return pull
        try:
            given = self._requests.send("POST", f"{self._here}/issues/{pull.number}/labels", {"labels": wanted})
        except (Forbidden, Missing, Refused):
            return pull
        names = [text(label, "name") for label in given] if isinstance(given, list) else []
        return pull._replace(labels=frozenset(names))

    def put_pull(self, number: int, *, title: str, body: str, base: str) -> None:
        # Only what is different: watchers are told of every change.
        now = answers.pull(self._requests.get(f"{self._here}/pulls/{number}"))
        wanted = {"title": title, "body": body, "base": base}
        is_now = {"title": now.title, "body": now.body, "base": now.base}
        if change := {key: value for key, value in wanted.items() if value != is_now[key]}:
            self._requests.send("PATCH", f"{self._here}/pulls/{number}", change)

    def close_pull(self, number: int) -> None:
        self._requests.send("PATCH", f"{self._here}/pulls/{number}", {"state": "closed"})

    # Words

    def remarks(self, number: int) -> Sequence[Remark]:
        return [answers.remark(data) for data in self._ours(f"{self._here}/pulls/{number}/comments")]

    def make_remarks(self, number: int, head: str, words: str, remarks: Sequence[Remark]) -> None:
        """GitHub refuses a whole review for one line outside of the diff, so remarks on such lines are left out before."""
        shown = answers.shown_lines(self._requests.pages(f"{self._here}/pulls/{number}/files", {}, _PAGES))
        # Where no file is listed, nothing is known of the lines.
        places = [_place(remark) for remark in (answers.on_the_diff(remarks, shown) if shown else remarks)]
        if not places:
            return
        review: dict[str, object] = {"commit_id": head, "body": words, "event": "COMMENT"}
        try:
            self._requests.send("POST", f"{self._here}/pulls/{number}/reviews", {**review, "comments": places})
            return
        except Refused:
            made = [
                place for place in places if self._takes(f"{self._here}/pulls/{number}/comments", {**place, "commit_id": head})
            ]
        if made and words:
            self._requests.send("POST", f"{self._here}/pulls/{number}/reviews", review)

    def _takes(self, path: str, body: dict[str, object]) -> bool:
        """Whether GitHub does what it is asked, and does not refuse it for what it is."""
        try:
            self._requests.send("POST", path, body)
        except Refused:
            return False
        return True

    def comments(self, number: int) -> Sequence[str]:
        return [text(data, "body") for data in self._ours(f"{self._here}/issues/{number}/comments")]

    def make_comment(self, number: int, body: str) -> None:
        self._requests.send("POST", f"{self._here}/issues/{number}/comments", {"body": body})

    def issue(self, title: str) -> Issue | None:
        asked: dict[str, object] = {"state": "all", **({"creator": self._who} if self._who else {})}
        found = [
            answers.issue(data)
            for data in self._ours(f"{self._here}/issues", asked)
            if text(data, "title") == title and at(data, "pull_request") is None
        ]
        return min(found, key=lambda issue: (not issue.is_open, -issue.number), default=None)

    def put_issue(self, number: int, title: str, body: str) -> Issue:
        verb, path = ("PATCH", f"/{number}") if number else ("POST", "")
        return answers.issue(self._requests.send(verb, f"{self._here}/issues{path}", {"title": title, "body": body}))

    def suggestion(self, text: str, lines: int) -> str:
        """docs.github.com/pull-requests, "Commenting on a pull request". An empty text takes the lines away."""
        if lines < 1:
            return ""
        plain = text.replace("\r\n", "\n")
        body = plain if not plain or plain.endswith("\n") else plain + "\n"
        fence = fence_marks(plain)
        return f"{fence}suggestion\n{body}{fence}"

    # How it is found out

    @property
    def _found(self) -> _Found:
        """The repository. One that was renamed is asked for by its new name from here on."""
        if self._known is None:
            data = self._requests.get(f"/repos/{self._name}")
            name = answers.required(data, "full_name")
            rights = at(data, "permissions")
            # To the token of an app, GitHub lists none, though it may read at least.
            known = isinstance(rights, dict) and any(value is True for value in rights.values())
            repository = Repository(
                name=name,
                branch=text(data, "default_branch"),
                is_own=self._is_own or self._is_owner(data),
                may_push=not known or rights.get("push") is True,
                is_archived=at(data, "archived") is True or at(data, "disabled") is True,
            )
            here = f"/repos/{quoted(name)}"
            branches = Branches(self._requests, here, text(data, "node_id"))
            self._known = _Found(repository, here, Objects(self._requests, here), branches)
        return self._known

    @property
    def _here(self) -> str:
        return self._found.here

    def _is_owner(self, repository: Any) -> bool:
        owner = text(repository, "owner", "login")
        if not owner or text(repository, "owner", "type") == "Organization":  # which has no token
            return False
        return self._who.lower() == owner.lower()

    @property
    def _who(self) -> str:
        """Whoever has the token; empty where that cannot be told."""
        if self._viewer is None:
            self._viewer = self._requests.viewer() if self._token else ""
        return self._viewer

    def _ours(self, path: str, asked: dict[str, object] | None = None) -> Iterator[dict[str, Any]]:
        """The items of a list that whoever has the token made; where that cannot be told, those of any app: only they cannot."""
        for data in self._requests.pages(path, asked or {}, _PAGES):
            if self._who:
                is_ours = text(data, "user", "login").lower() == self._who.lower()
            else:
                is_ours = bool(self._token) and text(data, "user", "type") == "Bot"
            if is_ours:
                yield data


def _place(remark: Remark) -> dict[str, object]:
    """Where a remark stands, and what it says, as GitHub takes it."""
    place: dict[str, object] = {"path": remark.path, "line": remark.line, "side": "RIGHT", "body": remark.body}
    if remark.start and remark.start < remark.line:
        place |= {"start_line": remark.start, "start_side": "RIGHT"}
    return place
