"""A repository at Gitea (1.20 or newer) or Forgejo: what `hardener/bot/forge.py` asks for. Knows no manners.

Facts are of go-gitea/gitea and carry the file and the commit that was read. Forgejo began from it and has the same paths; what of
it could be read is creator-signal/fork-forgejo-forgejo@0333cbb9 and yonasBSD/forgejo@5e777a43.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any

from hardener.bot.forge import (
    LINK,
    Author,
    Commit,
    Entry,
    Forbidden,
    ForgeError,
    Issue,
    Limited,
    Listing,
    Missing,
    Moved,
    PastCommit,
    Pull,
    Remark,
    Repository,
    State,
    blob_id,
)
from hardener.bot.forges.answers import at, objects, text, time
from hardener.bot.forges.answers import number as number_of
from hardener.bot.forges.gitea_branch import Branches
from hardener.bot.forges.gitea_session import PAGE, SCOPES, Session
from hardener.render.summary import clean, shortened

#: The prefixes by which a title says that the work is not done: WORK_IN_PROGRESS_PREFIXES, as it is where nobody set it.
_UNFINISHED = re.compile(r"(?:WIP:|\[WIP\])\s*", re.IGNORECASE)
_ID = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
#: What a page of a tree may hold: DEFAULT_GIT_TREES_PER_PAGE (modules/setting/api.go@2f1cce27); a server may have less.
_TREE_PAGE = 1_000
_MOST_ENTRIES, _MOST_TREE_PAGES = 300_000, 3_000
#: How many folders that differ are compared before listings are said to be too far apart.
_MOST_FOLDERS = 5_000
#: Of pull requests that are not open, and of issues.
_NEWEST = 500


class Gitea:
    """One repository at a server of Gitea or Forgejo, seen with a token.

    Implements `Forge`, which says what each method does; here stands what is these servers' own.
    """

    pull_word, pull_sign = "pull request", "#"
    #: The server has no limit (LONGTEXT); a database that was made before 1.16 may hold 65,535 bytes.
    longest_body = 60_000

    def __init__(self, server: str, name: str, token: str, *, is_own: bool = False, pauses: Sequence[float] = (0.5, 1.5)) -> None:
        """The repository `OWNER/NAME` of a server such as `https://codeberg.org`.

        `is_own` says that we are a job of this very repository. `pauses` lie before new tries to read, in seconds.
        """
        from urllib.parse import quote

        owner, _, repository = name.partition("/")
        if {owner, repository} & {"", ".", ".."} or "/" in repository:
            raise Missing(f"{shortened(clean(name))} is not the name of a repository", "it is OWNER/NAME")
        self._session = Session(server, token, pauses)
        self._path = f"/repos/{quote(owner, safe='')}/{quote(repository, safe='')}"
        self._is_own = is_own
        self._branches = Branches(self._session, self._path, self.history)
        self._listings: dict[str, Listing] = {}
        self._login = ""

    def repository(self) -> Repository:
        """A site's administrator may push everywhere, so what is theirs goes by the owner and not by rights."""
        data = self._session.ask("GET", self._path).data
        try:
            is_own = self._is_own or text(data, "owner", "login").lower() == self._me()
        except (Forbidden, Missing):
            # A token without read:user: then nothing is taken for theirs.
            is_own = False
        shut = at(data, "archived") is True or at(data, "mirror") is True
        may_push = at(data, "permissions", "push") is True and not shut
        return Repository(text(data, "full_name"), text(data, "default_branch"), is_own, may_push, is_archived=shut)

    def head(self, branch: str) -> str:
        return self._branches.head(branch)

    def listing(self, commit: str) -> Listing:
        """Page after page, up to 300,000 entries with folders. They are kept, as commits do not change.

        A page says with `truncated` that there are more (services/repository/files/tree.go@006cd676).
        """
        if commit not in self._listings:
            entries, complete = self._tree(commit, recursive=True)
            files = tuple(Entry(path, mode, id, size) for path, mode, id, size in entries if mode != "040000")
            if len(self._listings) > 3:
                self._listings.clear()
            self._listings[commit] = Listing(files, complete)
        return self._listings[commit]

    def _tree(self, tree: str, *, recursive: bool) -> tuple[list[tuple[str, str, str, int]], bool]:
        """Path, mode, id and size of what is in a tree, and whether that is all of it."""
        path = f"{self._path}/git/trees/{_checked(tree)}"
        found: list[tuple[str, str, str, int]] = []
        page = 1
        while len(found) < _MOST_ENTRIES and page <= _MOST_TREE_PAGES:
            query: dict[str, str | int] = {"page": page, "per_page": _TREE_PAGE}
            if recursive:
                query["recursive"] = "true"
            answer = self._session.ask("GET", path, take=(400,), query=query)
            if answer.status == 400:
                # What GetTreeBySHA does not find is a bad request (routers/api/v1/repo/tree.go@0c5b90fe).
                raise Missing(f"there is no commit {tree[:12]}", "it may have been replaced meanwhile: run again")
            items = objects(answer.data, "tree")
            for item in items:
                size = at(item, "size")
                found.append((text(item, "path"), text(item, "mode"), text(item, "sha"), size if isinstance(size, int) else -1))
            if at(answer.data, "truncated") is not True:
                return found, True
            if not items:
                break
            page += 1
        return found, False

    def read(self, commit: str, entry: Entry) -> bytes:
        """Blobs of more than 10 MiB come without content (services/repository/files/content.go@0247c6e6)."""
        import base64
        import binascii

        data = self._session.ask("GET", f"{self._path}/git/blobs/{_checked(entry.id)}").data
        try:
            content = base64.b64decode(text(data, "content"), validate=True)
        except binascii.Error:
            content = b""
        if blob_id(content, entry.id) == entry.id:
            return content
        if not entry.path.isprintable() or {"", ".", ".."} & {*entry.path.split("/")} or entry.mode == LINK:
            raise Missing(f"{shortened(clean(entry.path))} cannot be asked for by its name")
        from urllib.parse import quote

        content = self._session.raw(f"{self._path}/raw/{quote(entry.path)}", {"ref": _checked(commit)})
        if blob_id(content, entry.id) != entry.id:
            raise ForgeError(f"what came for {shortened(clean(entry.path))} is not what its commit has", "run again later")
        return content

    def archive(self, commit: str) -> Generator[bytes, None, None]:
        """From `GetArchive` (routers/api/v1/repo/file.go@000762f8); where that sends to a store elsewhere, it is not followed."""
        return self._session.streamed(f"{self._path}/archive/{_checked(commit)}.tar.gz")

    def history(self, commit: str, most: int) -> Sequence[PastCommit]:
        """Lists of the server have all parents, by date: a first parent that is not in one is asked for alone."""
        found: list[PastCommit] = []
        known: dict[str, PastCommit] = {}
        short: dict[str, str | int] = {"stat": "false", "verification": "false", "files": "false"}
        while commit and len(found) < most:
            checked = _checked(commit)
            if commit not in known and most - len(found) > 2:
                query = {**short, "sha": checked, "limit": min(most - len(found), PAGE)}
                listed = self._session.ask("GET", f"{self._path}/commits", query=query, take=(404, 409)).data
                known |= {past.id: past for past in map(_past, objects(listed))}
            if commit not in known:
                data = self._session.ask("GET", f"{self._path}/git/commits/{checked}", query=short).data
                known[commit] = _past(data)._replace(id=commit)
            found.append(known[commit])
            commit = next(iter(found[-1].parents), "")
        return found

    def changed(self, base: str, commit: str) -> frozenset[str]:
        """Links and submodules are among them. Only folders that differ are asked for."""
        return frozenset(self._differences(base, commit))

    def _differences(self, base: str, commit: str) -> Iterator[str]:
        folders = [("", base, commit)]
        for _ in range(_MOST_FOLDERS):
            if not folders:
                return
            above, *trees = folders.pop()
            before, after = (self._level(tree) if tree else {} for tree in trees)
            for name in before.keys() | after.keys():
                ours, theirs = before.get(name, ("", "")), after.get(name, ("", ""))
                if ours == theirs:
                    continue
                path = above + name
                if "040000" in (ours[0], theirs[0]):
                    inner = tuple(id if mode == "040000" else "" for mode, id in (ours, theirs))
                    folders.append((path + "/", inner[0], inner[1]))
                # A folder that takes the place of a file, or goes: the file is gone, or new.
                if any(mode not in ("", "040000") for mode, _ in (ours, theirs)):
                    yield path
        raise ForgeError(f"{base[:12]} and {commit[:12]} differ in more than {_MOST_FOLDERS} folders")

    def _level(self, tree: str) -> dict[str, tuple[str, str]]:
        entries, complete = self._tree(tree, recursive=False)
        if not complete:
            raise ForgeError(f"a folder has more than {_MOST_ENTRIES} entries")
        return {path: (mode, id) for path, mode, id, _ in entries}

    def put_branch(self, branch: str, was: str, base: str, commits: Sequence[Commit], author: Author | None) -> str:
        """Raises a `ForgeError` for an existing branch where the server is too old to move one."""
        return self._branches.put(branch, was, base, commits, author, self.listing(base))

    def drop_branch(self, branch: str, was: str) -> None:
        """The server closes pull requests that come from it."""
        now = self.head(branch)
        if now and now != was:
            raise Moved(f"{shortened(clean(branch))} is not where it was", "look at what was pushed there")
        if now:
            self._branches.drop(branch)

    def pulls(self, prefix: str) -> Sequence[Pull]:
        """All open ones are read, and the 500 newest of the repository that are not."""
        path = f"{self._path}/pulls"
        by_number: dict[int, Pull] = {}  # one that is closed between the two is in both
        for state, most in (("open", 10_000), ("closed", _NEWEST)):
            for pull in map(_pull, self._session.pages(path, most, {"state": state})):
                if pull.branch.startswith(prefix):
                    by_number[pull.number] = pull.kept
        return sorted(by_number.values(), key=lambda pull: -pull.number)

    def make_pull(self, branch: str, base: str, title: str, body: str, *, draft: bool, labels: Iterable[str]) -> Pull:
        """Labels that are not there are made, where the token may."""
        asked = {"head": branch, "base": base, "title": f"WIP: {title}" if draft else title, "body": body}
        answer = self._session.ask("POST", f"{self._path}/pulls", asked, take=(404, 409))
        if answer.status == 404:
            raise Missing(
                f"no pull request can be made to {shortened(clean(base))}",
                f"see whether the branch is there, and pull requests are on in the repository's settings; {SCOPES}",
            )
        if answer.status == 409:
            raise ForgeError(f"there is a pull request from {shortened(clean(branch))} already", "run again")
        pull = _pull(answer.data)
        given = self._label(pull.number, tuple(labels))
        return pull._replace(labels=given) if given else pull

    def _label(self, number: int, names: Sequence[str]) -> frozenset[str]:
        """Give labels to a pull request, which the API does by number; those that could be given."""
        if not names:
            return frozenset()
        try:
            ids = {text(label, "name"): label.get("id") for label in self._session.pages(f"{self._path}/labels", 1_000)}
            if not ids.keys() >= {*names}:
                ids = {**self._labels_of_organization(), **ids}
            for name in names:
                if name not in ids:
                    made = self._session.ask("POST", f"{self._path}/labels", {"name": name, "color": "#ededed"})
                    ids[name] = at(made.data, "id")
            wanted = {"labels": [ids[name] for name in names]}
            given = self._session.ask("POST", f"{self._path}/issues/{number}/labels", wanted).data
        except Limited:
            raise
        except ForgeError:
            # Want of rights, and no reason to take the pull request for failed.
            return frozenset()
        return frozenset(text(label, "name") for label in objects(given))

    def _labels_of_organization(self) -> dict[str, Any]:
        """Those that all repositories of the owner have; none where it is a person, or the token may not see them."""
        owner = self._path.split("/")[2]
        answer = self._session.ask("GET", f"/orgs/{owner}/labels", take=(403, 404), query={"limit": 50})
        return {text(label, "name"): label.get("id") for label in objects(answer.data)}

    def put_pull(self, number: int, *, title: str, body: str, base: str) -> None:
        """A draft stays one: its prefix is kept."""
        path = f"{self._path}/pulls/{number}"
        prefix = _UNFINISHED.match(text(self._session.ask("GET", path).data, "title"))
        self._session.ask("PATCH", path, {"title": (prefix[0] if prefix else "") + title, "body": body, "base": base})

    def close_pull(self, number: int) -> None:
        self._session.ask("PATCH", f"{self._path}/pulls/{number}", {"state": "closed"})

    def remarks(self, number: int) -> Sequence[Remark]:
        """`position` is 0 for those on lines that were taken away since."""
        found = []
        for review in self._reviews(number):
            if text(review, "state") == "PENDING" or not at(review, "comments_count"):
                continue
            comments = self._session.ask("GET", f"{self._path}/pulls/{number}/reviews/{number_of(review, 'id')}/comments").data
            for comment in objects(comments):
                line = at(comment, "position")
                if isinstance(line, int) and line > 0:
                    found.append(Remark(text(comment, "path"), line, text(comment, "body")))
        return found

    def _reviews(self, number: int) -> list[dict[str, Any]]:
        me = self._me()
        found = self._session.pages(f"{self._path}/pulls/{number}/reviews", 2_000)
        return [review for review in found if text(review, "user", "login").lower() == me]

    def make_remarks(self, number: int, head: str, words: str, remarks: Sequence[Remark]) -> None:
        """A remark is on its last line alone: the API has no ranges. It takes any line of any file.

        A review that the account has begun and not submitted would go out with ours (services/pull/review.go@00251d1d): where
        there is one, a `ForgeError` says so.
        """
        if any(text(review, "state") == "PENDING" for review in self._reviews(number)):
            raise ForgeError(
                f"this account has a review of #{number} that it did not submit", "submit or discard it, and run again"
            )
        comments = [{"path": remark.path, "body": remark.body, "new_position": remark.line} for remark in remarks]
        asked = {"event": "COMMENT", "body": words, "commit_id": head, "comments": comments}
        self._session.ask("POST", f"{self._path}/pulls/{number}/reviews", asked)

    def comments(self, number: int) -> Sequence[str]:
        """The server gives all in one answer."""
        me = self._me()
        data = self._session.ask("GET", f"{self._path}/issues/{number}/comments").data
        return [text(comment, "body") for comment in objects(data) if text(comment, "user", "login").lower() == me]

    def make_comment(self, number: int, body: str) -> None:
        self._session.ask("POST", f"{self._path}/issues/{number}/comments", {"body": body})

    def issue(self, title: str) -> Issue | None:
        """Among the 500 newest that are open, then among those that are closed."""
        me = self._me()
        for state in ("open", "closed"):
            asked = {"type": "issues", "state": state, "created_by": me}
            for data in self._session.pages(f"{self._path}/issues", _NEWEST, asked):
                if text(data, "title") == title and text(data, "user", "login").lower() == me and not data.get("pull_request"):
                    return _issue(data)
        return None

    def put_issue(self, number: int, title: str, body: str) -> Issue:
        method, path = ("PATCH", f"{self._path}/issues/{number}") if number else ("POST", f"{self._path}/issues")
        return _issue(self._session.ask(method, path, {"title": title, "body": body}).data)

    def suggestion(self, text: str, lines: int) -> str:
        """Empty: no version can apply one (go-gitea/gitea issues 14765 and 29505 ask for it)."""
        return ""

    def _me(self) -> str:
        """The login of whoever has the token, in lower case, as logins do not differ by that alone."""
        if not self._login:
            self._login = text(self._session.ask("GET", "/user").data, "login").lower()
            if not self._login:
                raise Forbidden("the server does not say whose token this is", SCOPES)
        return self._login


def _pull(data: object) -> Pull:
    """A pull request, as services/convert/pull.go@0518d0d5 writes it.

    Its `ref` is `refs/pull/N/head` once the branch is gone, where `label` still has the name. `mergeable` is false also while
    the server has not looked yet.
    """
    ref = text(data, "head", "ref")
    title = text(data, "title")
    prefix = _UNFINISHED.match(title)
    merged, is_open = at(data, "merged") is True, text(data, "state") == "open"
    labels = (text(label, "name") for label in objects(data, "labels"))
    return Pull(
        number_of(data, "number"),
        text(data, "head", "label") if not ref or ref.startswith("refs/pull/") else ref,
        text(data, "base", "ref"),
        title[prefix.end() :] if prefix else title,
        text(data, "body"),
        State.MERGED if merged else State.OPEN if is_open else State.CLOSED,
        text(data, "html_url"),
        time(data, "created_at"),
        is_draft=prefix is not None or at(data, "draft") is True,
        labels=frozenset(labels),
        is_from_fork=at(data, "head", "repo_id") != at(data, "base", "repo_id"),
        conflicts=False if at(data, "mergeable") is True else None,
    )


def _past(data: object) -> PastCommit:
    parents = tuple(text(parent, "sha") for parent in objects(data, "parents"))
    return PastCommit(text(data, "sha"), text(data, "commit", "message"), parents)


def _issue(data: object) -> Issue:
    return Issue(
        number_of(data, "number"), text(data, "title"), text(data, "body"), text(data, "state") == "open", text(data, "html_url")
    )


def _checked(id: str) -> str:
    """An id of git, which goes into an address as it is."""
    if not _ID.fullmatch(id):
        raise Missing(f"{shortened(clean(id)) or 'nothing'} is not the id of anything in git")
    return id
