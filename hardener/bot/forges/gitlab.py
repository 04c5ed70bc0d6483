"""GitLab as a forge, at gitlab.com or an own address: commits by actions, merge requests, discussions. Knows no manners.

GitLab's API makes commits on branches only, each with all its files (doc/api/commits.md). A series grows on a branch of its own,
which nobody has looked at, and its last commit is made on the branch that is meant, with `start_sha` and `force`: GitLab gives
`start_sha` as the parent and moves the branch there in one step (app/services/commits/create_service.rb; UserCommitFiles in
internal/gitaly/service/operations/commit_files.go of Gitaly). That takes no commit to be expected on the branch, so that it is
read right before; a new branch is made without `force`, which GitLab refuses where there is one by then.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from hardener.bot.forge import (
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
    Unavailable,
    blob_id,
    entries_by_path,
)
from hardener.bot.forges.gitlab_server import PAUSES, PER_PAGE, Listed, Server, quoted, understood, whole
from hardener.bot.forges.gitlab_texts import drafted, guarded, suggestion, unguarded
from hardener.bot.forges.gitlab_values import actions_of, entry_of, is_ours, is_vendored, issue_of, line_of, pull_of, remark_of

#: The pages that a listing of files may take, and those after which other people's code is left out, where there is some.
MOST_PAGES, MANY_PAGES = 600, 50
#: Pages of merge requests: of open ones, and of all.
_OPEN_PAGES, _ALL_PAGES = 100, 5
#: Pages of what is said in one merge request.
_TALK_PAGES = 30
#: Who may push (doc/api/access_requests.md): Developer.
_DEVELOPER = 30
#: Where a series grows. No branch of the bot is called so, since those have small letters alone.
_NEXT = "--NEXT"


class GitLab:
    """One project on one GitLab, for a personal, project or group access token with the scope `api`.

    Implements `Forge`, which says what each method does; here stands what is GitLab's own.
    """

    pull_word = "merge request"
    pull_sign = "!"
    #: doc/administration/instance_limits.md, "Size of comments and descriptions of issues, merge requests, and epics".
    longest_body = 1_048_576

    def __init__(
        self, name: str, token: str, *, address: str = "https://gitlab.com", is_own: bool = False, is_job_token: bool = False
    ) -> None:
        """A project by its path, `GROUP/NAME` with as many groups as there are.

        `is_own` says that we are a job of this very project; `is_job_token`, that the token is that of a job.
        """
        self._name = name.strip("/")
        self._is_job_here = is_own
        self._server = Server(address, token, is_job_token=is_job_token)
        self._project: Mapping[str, Any] | None = None
        self._me: Mapping[str, Any] | None = None

    @understood()
    def repository(self) -> Repository:
        project = self._asked()
        return Repository(
            name=project["path_with_namespace"],
            branch=project["default_branch"] or "",
            is_own=self._is_own(project),
            may_push=self._may_push(project),
            is_archived=bool(project.get("archived")),
        )

    @understood()
    def _asked(self) -> Mapping[str, Any]:
        """The project. All else names it by its number, which stays when it is moved."""
        if self._project is None:
            project = self._server.get(f"/projects/{quoted(self._name)}")
            self._project = {**project, "id": int(project["id"])}
        return self._project

    def _path(self, *parts: str | int) -> str:
        return "/".join((f"/projects/{self._asked()['id']}", *(quoted(part) for part in parts)))

    def _repository(self, *parts: str | int) -> str:
        return self._path("repository", *parts)

    def _user(self) -> Mapping[str, Any]:
        """Whoever has the token; for that of a job, nobody."""
        if self._me is None:
            self._me = {"id": 0, "username": ""} if self._server.is_job_token else self._server.get("/user")
        return self._me

    def _is_own(self, project: Mapping[str, Any]) -> bool:
        # Under its old path, a project that was moved is found, too; the job's own is known by the path of now.
        if self._is_job_here and project["path_with_namespace"].lower() == self._name.lower():
            return True
        space, user = project["namespace"], self._user()
        return bool(space["kind"] == "user" and space["full_path"].lower() == user["username"].lower())

    def _may_push(self, project: Mapping[str, Any]) -> bool:
        if self._server.is_job_token:
            return False
        grants = (project.get("permissions") or {}).values()
        if any(grant and grant["access_level"] >= _DEVELOPER for grant in grants):
            return True
        # Who is a member by an invited group is told here alone.
        with suppress(Missing, Forbidden):
            return bool(self._server.get(self._path("members", "all", self._user()["id"]))["access_level"] >= _DEVELOPER)
        return False

    def head(self, branch: str) -> str:
        return self._branch(branch)[0]

    @understood()
    def _branch(self, branch: str) -> tuple[str, str]:
        """The commit that a branch is at, and its message."""
        try:
            commit = self._server.get(self._repository("branches", branch))["commit"]
        except Missing as error:
            if "branch" in error.reason.lower():
                return "", ""
            raise
        return commit["id"], commit["message"]

    @understood()
    def listing(self, commit: str) -> Listing:
        """A request for each hundred files and folders. Where these become too many, folders of other people's code are left out,
        and beyond `MOST_PAGES` all else: then the listing is not complete.
        """
        found: dict[str, Entry] = {}
        left = MOST_PAGES
        complete = True
        folders = [""]
        while folders:
            folder = folders.pop()
            listed = self._tree(commit, folder, left, recursive=True)
            left -= listed.pages
            found |= entries_by_path(entry for entry in map(entry_of, listed.items) if entry)
            if listed.is_all:
                continue
            listed = self._tree(commit, folder, left, recursive=False)
            left -= listed.pages
            found |= entries_by_path(entry for entry in map(entry_of, listed.items) if entry)
            inner = [item["path"] for item in listed.items if item["type"] == "tree"]
            kept = [path for path in inner if not is_vendored(path)]
            complete = complete and listed.is_all and kept == inner
            folders.extend(reversed(kept))
        return Listing(tuple(found.values()), complete)

    def _tree(self, commit: str, folder: str, most: int, *, recursive: bool) -> Listed:
        """What is in a folder, with what is in its folders or without; with it, only until that has other people's code."""
        query = {"ref": commit, "recursive": "true" if recursive else "false", "pagination": "keyset"}
        if folder:
            query["path"] = folder
        if recursive:
            return self._server.listed(self._repository("tree"), most, whole, _has_others_code, **query)
        return self._server.listed(self._repository("tree"), most, **query)

    def read(self, commit: str, entry: Entry) -> bytes:
        data = self._server.raw(self._repository("blobs", entry.id, "raw"))
        if blob_id(data, entry.id) != entry.id:
            raise Unavailable("GitLab gave only a part of a file, or another one", "run again later")
        return data

    def archive(self, commit: str) -> Generator[bytes, None, None]:
        """One user gets five a minute of one project (lib/api/repositories.rb, gitlabhq@017a6c12)."""
        return self._server.streamed(self._repository("archive.tar.gz"), sha=commit, include_lfs_blobs="false")

    @understood()
    def history(self, commit: str, most: int) -> Sequence[PastCommit]:
        listed = self._server.listed(self._repository("commits"), -(-most // PER_PAGE), ref_name=commit, first_parent="true")
        return [PastCommit(past["id"], past["message"], tuple(past["parent_ids"])) for past in listed.items[:most]]

    @understood()
    def changed(self, base: str, commit: str) -> frozenset[str]:
        """Of a file that was moved, both paths."""
        if base == commit:
            return frozenset()
        compared = self._server.get(self._repository("compare"), **{"from": base, "to": commit, "straight": "true"})
        if not compared.get("compare_timeout"):
            return frozenset(path for diff in compared["diffs"] for path in (diff["old_path"], diff["new_path"]))
        # More than GitLab compares: the listings tell as much.
        before, after = self.listing(base), self.listing(commit)
        if not (before.complete and after.complete):
            raise ForgeError("the commits differ by more than GitLab compares", "compare them in a checkout, with --git")
        return frozenset(entry.path for entry in {*before.entries} ^ {*after.entries})

    @understood()
    def put_branch(self, branch: str, was: str, base: str, commits: Sequence[Commit], author: Author | None) -> str:
        """Where it is given up half way, commits may be left on the branch where they grow; the next run takes them away."""
        growing = branch + _NEXT
        left, message = self._branch(growing)
        if left and not is_ours(message, branch):
            raise ForgeError(
                f"the branch {self._server.line(growing)} is needed and somebody has put work there", "give it another name"
            )
        at, end = left, base
        try:
            for commit in commits[:-1]:
                at = end = self._commit(growing, end, commit, author, force=bool(at))
            self._stands(branch, was)
            end = self._commit(branch, end, commits[-1], author, force=bool(was))
        except (Limited, Unavailable):
            # Nothing more is asked of it.
            raise
        except ForgeError:
            self._tidy(growing, at)
            raise
        self._tidy(growing, at)
        return end

    def _tidy(self, growing: str, at: str) -> None:
        """Take the branch away where a series grew, as far as that can be done: the next run tries again."""
        if at:
            with suppress(ForgeError):
                self._drop(growing, at)

    def _stands(self, branch: str, was: str) -> None:
        if self.head(branch) != was:
            raise Moved(f"the branch {self._server.line(branch)} has moved meanwhile", "run again")

    def _commit(self, branch: str, parent: str, commit: Commit, author: Author | None, *, force: bool) -> str:
        """Make a commit on a parent, and have the branch at it. Without `force`, there must be no such branch."""
        data: dict[str, Any] = {
            "branch": branch,
            "start_sha": parent,
            "commit_message": commit.message,
            "actions": [action for file in commit.files for action in actions_of(file)],
            "force": force,
            "stats": False,
        }
        if author is not None:
            data |= {"author_name": author.name, "author_email": author.email}
        try:
            return str(self._server.post(self._repository("commits"), **data)["id"])
        except ForgeError as error:
            if not force and "already exists. Switch to that branch" in error.reason:
                raise Moved(f"the branch {self._server.line(branch)} has come up meanwhile", "run again") from None
            raise

    def drop_branch(self, branch: str, was: str) -> None:
        """Also takes away what a run that was cut left on the branch beside it."""
        self._drop(branch, was)
        left, message = self._branch(branch + _NEXT)
        if left and is_ours(message, branch):
            self._tidy(branch + _NEXT, left)

    def _drop(self, branch: str, was: str) -> None:
        at = self.head(branch)
        if at and at != was:
            raise Moved(f"the branch {self._server.line(branch)} has moved meanwhile", "run again")
        if at:
            self._server.delete(self._repository("branches", branch))

    @understood()
    def pulls(self, prefix: str) -> Sequence[Pull]:
        """GitLab cannot search for beginnings: all open ones are read, and of the others the newest 500 of the project and the
        newest 500 of whoever has the token.
        """

        def ours(pull: Mapping[str, Any]) -> Pull | None:
            return pull_of(pull).kept if pull["source_branch"].startswith(prefix) else None

        found: dict[int, Pull] = {}
        for most, query in (
            (_ALL_PAGES, {"state": "all", "scope": "all"}),
            (_OPEN_PAGES, {"state": "opened", "scope": "all"}),
            (_ALL_PAGES, {"state": "all", "scope": "created_by_me"}),
        ):
            listed = self._server.listed(self._path("merge_requests"), most, ours, **query, order_by="created_at", sort="desc")
            found |= {pull.number: pull for pull in listed.items}
            if listed.is_all and query == {"state": "all", "scope": "all"}:
                break
        return sorted(found.values(), key=lambda pull: (pull.created, pull.number), reverse=True)

    @understood()
    def make_pull(self, branch: str, base: str, title: str, body: str, *, draft: bool, labels: Iterable[str]) -> Pull:
        """GitLab itself leaves out labels that cannot be given, for want of rights."""
        data = {
            "source_branch": branch,
            "target_branch": base,
            "title": drafted(title, draft=draft),
            "description": guarded(body),
            "labels": ",".join(label for label in labels if "," not in label),
        }
        return pull_of(self._server.post(self._path("merge_requests"), **data))

    @understood()
    def put_pull(self, number: int, *, title: str, body: str, base: str) -> None:
        """It stays a draft, or ready, as people left it."""
        path = self._path("merge_requests", number)
        is_draft = pull_of(self._server.get(path)).is_draft
        self._server.put(path, title=drafted(title, draft=is_draft), description=guarded(body), target_branch=base)

    def close_pull(self, number: int) -> None:
        self._server.put(self._path("merge_requests", number), state_event="close")

    @understood()
    def remarks(self, number: int) -> Sequence[Remark]:

        def mine(talk: Mapping[str, Any]) -> Remark | None:
            note = next(iter(talk["notes"]), None)
            return remark_of(note) if note is not None and self._is_mine(note) and line_of(note) else None

        return self._server.listed(self._path("merge_requests", number, "discussions"), _TALK_PAGES, mine).items

    def _is_mine(self, note: Mapping[str, Any]) -> bool:
        return not note["system"] and note["author"]["id"] == self._user()["id"]

    @understood()
    def make_remarks(self, number: int, head: str, words: str, remarks: Sequence[Remark]) -> None:
        """The words are a comment, and each remark begins a discussion. GitLab's own reviews are not used: publishing one also
        publishes whatever else its user has not published yet.
        """
        from hardener.bot.forges.gitlab_lines import position

        refs = self._refs(number, head)
        compared = self._server.get(
            self._repository("compare"), **{"from": refs["base_sha"], "to": refs["head_sha"], "straight": "true"}
        )
        changes = {diff["new_path"]: diff for diff in compared["diffs"] if not diff["deleted_file"]}
        if words:
            self.make_comment(number, words)
        for remark in remarks:
            if remark.path in changes:
                self._say(number, remark.body, position(refs, changes[remark.path], remark.start, remark.line))

    def _say(self, number: int, body: str, place: dict[str, Any]) -> None:
        """Begin a discussion, if GitLab takes one there; on its last line alone, where it does not take all of them."""
        try:
            self._server.post(self._path("merge_requests", number, "discussions"), body=guarded(body), position=place)
        except (Forbidden, Missing, Limited, Unavailable):
            raise
        except ForgeError:
            if place.pop("line_range", None):
                self._say(number, body, place)

    def _refs(self, number: int, head: str) -> Mapping[str, Any]:
        """Which commits a merge request compares. GitLab finds out some time after it is made, or its branch has moved."""
        from time import sleep

        for pause in (*PAUSES, None):
            refs: Mapping[str, Any] = self._server.get(self._path("merge_requests", number))["diff_refs"] or {}
            if refs.get("head_sha") == head:
                return refs
            if pause is not None:
                sleep(pause)
        raise Unavailable("GitLab is not done with preparing the merge request for remarks", "run again in a minute")

    @understood()
    def comments(self, number: int) -> Sequence[str]:

        def mine(note: Mapping[str, Any]) -> str | None:
            return unguarded(note["body"]) if self._is_mine(note) and not line_of(note) else None

        return self._server.listed(self._path("merge_requests", number, "notes"), _TALK_PAGES, mine, sort="asc").items

    def make_comment(self, number: int, body: str) -> None:
        self._server.post(self._path("merge_requests", number, "notes"), body=guarded(body))

    @understood()
    def issue(self, title: str) -> Issue | None:
        query = {"scope": "created_by_me", "state": "all", "search": title, "in": "title", "order_by": "created_at"}
        issues = map(issue_of, self._server.listed(self._path("issues"), _ALL_PAGES, **query).items)
        same = [issue for issue in issues if issue.title == title]
        return next((issue for issue in same if issue.is_open), same[0] if same else None)

    @understood()
    def put_issue(self, number: int, title: str, body: str) -> Issue:
        data = {"title": title, "description": guarded(body)}
        if number:
            return issue_of(self._server.put(self._path("issues", number), **data))
        return issue_of(self._server.post(self._path("issues"), **data))

    def suggestion(self, text: str, lines: int) -> str:
        return suggestion(text, lines)


def _has_others_code(listed: Listed) -> bool:
    """Whether what is known after `MANY_PAGES`, or has come on the last one since, has a folder of other people's code."""
    if listed.pages < MANY_PAGES:
        return False
    new = listed.items if listed.pages == MANY_PAGES else listed.items[-PER_PAGE:]
    return any(item["type"] == "tree" and is_vendored(item["path"]) for item in new)
