"""A server that answers as Gitea or Forgejo does, as far as pull requests take it: one repository, kept in memory.

Written from the sources that `gitea.py` and `gitea_branch.py` in `hardener/bot/forges` name, as strict as they are: hashes for
updates, names, scopes, pages. Contents, trees and commits have the ids that git gives them.
"""

from __future__ import annotations

import base64
import fnmatch
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from archives import packed

ALL_SCOPES = "write:repository,write:issue,read:user"


def git_id(kind: str, data: bytes) -> str:
    """What git calls an object."""
    return sha1(f"{kind} {len(data)}".encode() + b"\0" + data).hexdigest()


class Refused(Exception):
    """An answer other than success."""

    def __init__(self, status: int, message: str = "not found") -> None:
        self.status, self.message = status, message


class Cut(Exception):
    """The connection ends without an answer."""


@dataclass
class Fault:
    """What goes wrong: the next `times` requests that match get a status, or are cut, before or after they had their effect."""

    method: str
    path: str
    #: 0: the connection is cut.
    status: int = 0
    after: bool = False
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    #: So many matching requests go through before.
    skip: int = 0


@dataclass
class MadeCommit:
    """A commit: its files by path, as mode and id."""

    tree: str
    files: dict[str, tuple[str, str]]
    parents: list[str]
    message: str
    author: dict[str, str]


class GiteaServer:
    """The state of a server, and its answers. `owner/shop` is the repository, `token` the token of `robot`."""

    def __init__(self) -> None:
        self.url = ""
        self.tokens = {"token": ("robot", ALL_SCOPES)}
        self.name = "owner/shop"
        self.former_name = "owner/old-shop"
        self.can_move = True
        #: "force_push", "force_overwrite_new_branch", or empty for a server that has neither.
        self.force_field = "force_push"
        self.protected = "protected/*"
        self.archived = self.mirror = False
        self.push = True
        self.max_page, self.trees_page = 50, 1_000
        self.largest_blob = 10_485_760
        self.lfs: set[str] = set()
        self.signs = False
        #: Where archives are, if not here.
        self.archives_at = ""
        self.blobs: dict[str, bytes] = {}
        self.trees: dict[str, list[tuple[str, str, str]]] = {}
        self.commits: dict[str, MadeCommit] = {}
        self.branches: dict[str, str] = {}
        self.issues: dict[int, dict[str, Any]] = {}
        self.labels: dict[int, str] = {}
        self.faults: list[Fault] = []
        #: Called right before a request is answered: what others do meanwhile.
        self.meanwhile: Callable[[str, str], None] | None = None
        self.asked: list[tuple[str, str]] = []
        self.seen_authorizations: set[str] = set()
        self._lock = threading.RLock()
        self._walked: dict[str, list[tuple[str, str, str]]] = {}

    # What git does.

    def blob(self, data: bytes) -> str:
        id = git_id("blob", data)
        self.blobs[id] = data
        return id

    def tree(self, files: dict[str, tuple[str, str]]) -> str:
        folders: dict[str, dict[str, tuple[str, str]]] = {}
        entries: list[tuple[str, str, str]] = []
        for path, entry in files.items():
            name, slash, rest = path.partition("/")
            if slash:
                folders.setdefault(name, {})[rest] = entry
            else:
                entries.append((name, *entry))
        entries += ((name, "40000", self.tree(inner)) for name, inner in folders.items())
        entries.sort(key=lambda entry: (entry[0] + "/" * (entry[1] == "40000")).encode())
        data = b"".join(f"{mode} {name}".encode() + b"\0" + bytes.fromhex(id) for name, mode, id in entries)
        id = git_id("tree", data)
        self.trees[id] = [(name, mode.zfill(6), id) for name, mode, id in entries]
        return id

    def commit(self, files: dict[str, tuple[str, str]], parents: list[str], message: str, **author: str) -> str:
        tree = self.tree(files)
        who = {"name": "robot", "email": "robot@example.org", **author}
        by = f"{who['name']} <{who['email']}> 1700000000 +0000"
        head = "".join([f"tree {tree}\n", *(f"parent {one}\n" for one in parents), f"author {by}\ncommitter {by}\n"])
        id = git_id("commit", f"{head}\n{message}".encode())
        self.commits[id] = MadeCommit(tree, files, parents, message, who)
        return id

    def push_to(self, branch: str, files: dict[str, bytes | tuple[str, bytes]], message: str = "work\n") -> str:
        """What somebody pushes: the files of the branch with these instead."""
        at = self.branches.get(branch)
        kept = dict(self.commits[at].files) if at else {}
        for path, data in files.items():
            mode, content = data if isinstance(data, tuple) else ("100644", data)
            kept[path] = (mode, self.blob(content))
        self.branches[branch] = self.commit(kept, [at] if at else [], message)
        return self.branches[branch]

    def content(self, branch: str) -> dict[str, tuple[str, bytes]]:
        """What a branch holds."""
        files = self.commits[self.branches[branch]].files
        return {path: (mode, self.blobs[id]) for path, (mode, id) in files.items()}

    # What the API does.

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, login: str) -> tuple[int, Any, dict[str, str]]:
        if (method, path) == ("GET", "/user"):
            return 200, {"id": 7, "login": login}, {}
        start = f"/repos/{self.name}"
        if path == f"/repos/{self.former_name}" or path.startswith(f"/repos/{self.former_name}/"):
            asked = "&".join(f"{key}={value}" for key, value in query.items())
            there = "/api/v1" + path.replace(self.former_name, self.name, 1) + (f"?{asked}" if asked else "")
            return 301, None, {"Location": there}
        if path != start and not path.startswith(start + "/"):
            raise Refused(404)
        if method != "GET" and self.archived:
            raise Refused(423, f"Repo {self.name} is archived")
        for verb, pattern, act in _ROUTES:
            match = re.fullmatch(pattern, path[len(start) :])
            if match and verb == method:
                return _answered(act(self, *match.groups(), query=query, body=body, login=login))
        known = any(re.fullmatch(pattern, path[len(start) :]) for _, pattern, _ in _ROUTES)
        raise Refused(405 if known else 404, "")

    def writes(self) -> None:
        if not self.push:
            raise Refused(403, "user should have a permission to write to a repo")
        if self.mirror:
            raise Refused(403, "Git Repository is a mirror.")

    def repository(self, **_: Any) -> Any:
        owner, name = self.name.split("/")
        return {
            "id": 1, "name": name, "full_name": self.name, "owner": {"id": 1, "login": owner}, "empty": not self.branches,
            "default_branch": "main", "html_url": f"{self.url}/{self.name}", "archived": self.archived, "mirror": self.mirror,
            "permissions": {"admin": False, "push": self.push, "pull": True},
        }  # fmt: skip

    def find(self, id: str) -> MadeCommit:
        commit = self.commits.get(self.branches.get(id, id))
        if commit is None:
            raise Refused(404)
        return commit

    def get_tree(self, id: str, *, query: dict[str, str], **_: Any) -> Any:
        tree = self.commits[id].tree if id in self.commits else id
        if tree not in self.trees:
            raise Refused(400, f"sha not found [{id}]")
        if query.get("recursive") == "true":
            if tree not in self._walked:
                self._walked[tree] = list(self.walk(tree, ""))
            entries = self._walked[tree]
        else:
            entries = self.trees[tree]
        asked = int(query.get("per_page", 0))
        size = asked if 0 < asked <= self.trees_page else self.trees_page
        page = max(int(query.get("page", 1)), 1)
        first, last = size * (page - 1), min(size * page, len(entries))
        found = [
            {
                "path": name, "mode": mode, "type": "tree" if mode == "040000" else "commit" if mode == "160000" else "blob",
                "sha": one, "size": len(self.blobs.get(one, b"")), "url": "",
            }
            for name, mode, one in entries[first:last]
        ]  # fmt: skip
        return {
            "sha": tree,
            "url": "",
            "tree": found,
            "truncated": last < len(entries),
            "page": page,
            "total_count": len(entries),
        }

    def walk(self, tree: str, above: str) -> Iterator[tuple[str, str, str]]:
        for name, mode, id in self.trees[tree]:
            yield above + name, mode, id
            if mode == "040000":
                yield from self.walk(id, f"{above}{name}/")

    def get_blob(self, id: str, **_: Any) -> Any:
        if id not in self.blobs:
            raise Refused(404)
        data = self.blobs[id]
        found = {"sha": id, "url": "", "size": len(data), "encoding": None, "content": None}
        if len(data) <= self.largest_blob:
            found |= {"encoding": "base64", "content": base64.b64encode(data).decode()}
        return found

    def get_raw(self, path: str, *, query: dict[str, str], **_: Any) -> Any:
        files = self.find(query["ref"]).files
        if path not in files:
            raise Refused(404)
        return self.blobs[files[path][1]]

    def get_archive(self, id: str, **_: Any) -> Any:
        """As routers/api/v1/repo/file.go has it (GetArchive, download), which may send on to where archives are stored."""
        if self.archives_at:
            return 302, None, {"Location": self.archives_at}
        return packed((path, mode, self.blobs[one]) for path, (mode, one) in self.find(id).files.items() if one in self.blobs)

    def get_commit(self, id: str, **_: Any) -> Any:
        commit = self.find(id)
        return {
            "sha": id, "url": "", "html_url": "", "commit": {"message": commit.message, "author": commit.author, "url": ""},
            "parents": [{"sha": one, "url": ""} for one in commit.parents],
        }  # fmt: skip

    def list_commits(self, query: dict[str, str], **_: Any) -> Any:
        """All that a commit stands on, by date, the newest first: a page (routers/api/v1/repo/commits.go, GetAllCommits)."""
        self.find(query["sha"])
        found, waiting = [], [query["sha"]]
        for id in waiting:
            if id not in found:
                found.append(id)
                waiting += self.find(id).parents
        return [self.get_commit(id) for id in found[: int(query["limit"])]]

    def compare(self, base: str, head: str, **_: Any) -> Any:
        known = {one for one, _ in self.past(base)}
        self.find(head)
        return {"total_commits": sum(one not in known for one, _ in self.past(head)), "commits": []}

    def past(self, id: str) -> Iterator[tuple[str, MadeCommit]]:
        while id:
            commit = self.find(id)
            yield id, commit
            id = commit.parents[0] if commit.parents else ""

    def get_branch(self, name: str, **_: Any) -> Any:
        if name not in self.branches:
            raise Refused(404, "")
        return self.branch(name)

    def branch(self, name: str) -> Any:
        id = self.branches[name]
        return {"name": name, "commit": {"id": id, "message": self.commits[id].message}, "protected": self.is_protected(name)}

    def is_protected(self, name: str) -> bool:
        return fnmatch.fnmatch(name, self.protected)

    def make_branch(self, *, body: Any, **_: Any) -> Any:
        self.writes()
        name = named(body.get("new_branch_name"))
        old = body.get("old_ref_name") or body.get("old_branch_name") or "main"
        if self.branches.get(old, old) not in self.commits:
            raise Refused(500, "")
        if name in self.branches:
            raise Refused(409, "The branch already exists.")
        if any(name.startswith(one + "/") or one.startswith(name + "/") for one in self.branches):
            raise Refused(409, "The branch with the same name already exists.")
        if self.is_protected(name):
            raise Refused(500, "")
        self.branches[name] = self.branches.get(old, old)
        return 201, self.branch(name)

    def drop_branch(self, name: str, **_: Any) -> Any:
        self.writes()
        if name not in self.branches:
            raise Refused(404)
        if name == "main":
            raise Refused(403, "can not delete default branch")
        if self.is_protected(name):
            raise Refused(403, "branch protected")
        self.set_branch(name, "")
        return 204, None

    def move_branch(self, name: str, *, body: Any, **_: Any) -> Any:
        if not self.can_move:
            raise Refused(405, "")
        self.writes()
        if name not in self.branches:
            raise Refused(404)
        at, to = self.branches[name], body["new_commit_id"]
        if body.get("old_commit_id") not in (None, "", at):
            raise Refused(422, f"branch commit does not match [expected: {body['old_commit_id']}, given: {at}]")
        if to not in self.commits:
            raise Refused(500, "")
        if to != at and at not in {one for one, _ in self.past(to)} and not body.get("force"):
            raise Refused(422, f"Force push {name} need a confirm force parameter")
        if to != at and self.is_protected(name):
            raise Refused(403, f"branch {name} is protected from force push")
        self.set_branch(name, to)
        return 204, None

    def set_branch(self, name: str, to: str) -> None:
        """Pull requests follow their branch, and are closed when it goes."""
        if to:
            self.branches[name] = to
        else:
            del self.branches[name]
        for issue in self.issues.values():
            pull = issue.get("pull")
            if pull and pull["branch"] == name and issue["state"] == "open" and not pull["fork"]:
                if to:
                    pull["sha"] = to
                else:
                    issue["state"] = "closed"

    def change_files(self, *, body: Any, **_: Any) -> Any:
        self.writes()
        old = named(body.get("branch") or "main")
        new = named(body.get("new_branch") or old)
        if self.is_protected(new):
            raise Refused(403, "user should have a permission to write to the target branch")
        if old not in self.branches:
            raise Refused(404, f"branch does not exist [repo_id: 1 name: {old}]")
        if not body.get("files"):
            raise Refused(422, "[Files]: Required")
        if new != old and new in self.branches and not (self.force_field and body.get(self.force_field)):
            raise Refused(422, f"branch already exists [name: {new}]")
        parent = self.branches[old]
        files = dict(self.commits[parent].files)
        for change in body["files"]:
            self.change(files, change)
        names = [change["path"] for change in body["files"]]
        author = body.get("author") or body.get("committer") or {}
        message = body["message"].strip() + "\n"
        if self.signs and body.get("author") != body.get("committer"):
            message += "\nCo-authored-by: robot <robot@example.org>\n"
        id = self.commit(files, [parent], message, **author)
        self.set_branch(new, id)
        return 201, {
            "files": [{"path": name, "sha": files[name][1], "type": "file"} for name in names[:30]],
            "commit": {"sha": id, "url": "", "message": message, "parents": [{"sha": parent, "url": ""}]},
            "verification": None,
        }

    def change(self, files: dict[str, tuple[str, str]], change: Any) -> None:
        path, kind = change["path"], change["operation"]
        if any(part.lower() in (".git", "..", ".", "") for part in path.split("/")) or len(path) > 500:
            raise Refused(422, f"path contains a malformed path component [path: {path}]")
        parts = path.split("/")
        for count in range(1, len(parts)):
            if "/".join(parts[:count]) in files:
                raise Refused(422, f"a file exists where you try to create a subdirectory [path: {path}]")
        mode = "100644"
        if kind == "update":
            if path not in files:
                raise Refused(404, f"object does not exist [id: , rel_path: {path}]")
            mode, now = files[path]
            if not change.get("sha"):
                raise Refused(422, "a SHA or commit ID must be proved when updating a file")
            if change["sha"] != now:
                raise Refused(422, f"sha does not match [given: {change['sha']}, expected: {now}]")
            if mode == "120000":
                raise Refused(422, f"a symbolic link exists where you try to create a subdirectory [path: {path}]")
        elif kind == "create":
            if path in files:
                raise Refused(422, f"repository file already exists [path: {path}]")
        else:
            raise Refused(422, f"invalid file operation: {kind}")
        data = base64.b64decode(change["content"], validate=True)
        if path in self.lfs:
            data = b"version https://git-lfs.github.com/spec/v1\n"
        files[path] = (mode, self.blob(data))

    # Pull requests and issues.

    def issue(self, number: str) -> dict[str, Any]:
        if int(number) not in self.issues:
            raise Refused(404)
        return self.issues[int(number)]

    def pull_request(self, number: str) -> dict[str, Any]:
        issue = self.issue(number)
        if "pull" not in issue:
            raise Refused(404)
        return issue

    def as_pull(self, issue: dict[str, Any]) -> dict[str, Any]:
        pull = issue["pull"]
        is_there = pull["branch"] in self.branches
        shared = self.as_issue(issue)
        del shared["pull_request"]
        return {
            **shared,
            "draft": bool(re.match(r"WIP:|\[WIP\]", issue["title"], re.IGNORECASE)),
            "merged": pull["merged"], "mergeable": pull["mergeable"],
            "base": {"label": pull["base"], "ref": pull["base"], "sha": self.branches.get(pull["base"], ""), "repo_id": 1},
            "head": {
                "label": pull["branch"], "ref": pull["branch"] if is_there else f"refs/pull/{issue['number']}/head",
                "sha": pull["sha"], "repo_id": 2 if pull["fork"] else 1,
            },
        }  # fmt: skip

    def as_issue(self, issue: dict[str, Any]) -> dict[str, Any]:
        number = issue["number"]
        found = {key: issue[key] for key in ("number", "title", "body", "state", "created_at")}
        kind = "pulls" if "pull" in issue else "issues"
        return found | {
            "user": {"login": issue["by"]}, "html_url": f"{self.url}/{self.name}/{kind}/{number}",
            "labels": [{"id": id, "name": self.labels[id]} for id in sorted(issue["labels"])],
            "pull_request": {"merged": issue["pull"]["merged"]} if "pull" in issue else None,
        }  # fmt: skip

    def add(self, title: str, body: str, by: str = "robot", state: str = "open", **pull: Any) -> dict[str, Any]:
        number = len(self.issues) + 1
        issue = {
            "number": number, "title": title, "body": body, "by": by, "state": state, "labels": set(), "comments": [],
            "reviews": [], "created_at": f"2024-01-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}+02:00",
        }  # fmt: skip
        if pull:
            issue["pull"] = {"fork": False, "merged": False, "mergeable": True, "sha": "", "base": "main", **pull}
        self.issues[number] = issue
        return issue

    def page(self, items: list[Any], query: dict[str, str], shown: Callable[[Any], Any] = lambda item: item) -> Any:
        size = min(int(query.get("limit", 30)) or 30, self.max_page)
        first = size * (max(int(query.get("page", 1)), 1) - 1)
        return 200, [shown(item) for item in items[first : first + size]], {"X-Total-Count": str(len(items))}

    def newest(self, query: dict[str, str], *, pulls: bool) -> list[dict[str, Any]]:
        state = query.get("state", "open")
        return [
            issue
            for issue in reversed(self.issues.values())
            if ("pull" in issue) == pulls and state in ("all", issue["state"])
            if query.get("created_by", issue["by"]) == issue["by"]
        ]

    def get_pulls(self, *, query: dict[str, str], **_: Any) -> Any:
        return self.page(self.newest(query, pulls=True), query, self.as_pull)

    def get_issues(self, *, query: dict[str, str], **_: Any) -> Any:
        assert query["type"] == "issues"
        return self.page(self.newest(query, pulls=False), query, self.as_issue)

    def get_pull(self, number: str, **_: Any) -> Any:
        return self.as_pull(self.pull_request(number))

    def make_pull(self, *, body: Any, login: str, **_: Any) -> Any:
        head, base = body["head"], body["base"]
        if head not in self.branches or base not in self.branches:
            raise Refused(404)
        if not body.get("title"):
            raise Refused(422, "[Title]: Required")
        for issue in self.issues.values():
            pull = issue.get("pull")
            if pull and issue["state"] == "open" and (pull["branch"], pull["base"]) == (head, base):
                raise Refused(409, f"pull request already exists for these targets [id: {issue['number']}]")
        made = self.add(body["title"], body["body"], login, branch=head, base=base, sha=self.branches[head])
        return 201, self.as_pull(made)

    def edit_pull(self, number: str, *, body: Any, **_: Any) -> Any:
        issue = self.pull_request(number)
        if "base" in body and body["base"] != issue["pull"]["base"]:
            if body["base"] not in self.branches:
                raise Refused(404, f"new base '{body['base']}' not exist")
            if issue["state"] != "open":
                raise Refused(422, "issue is closed")
            issue["pull"]["base"] = body["base"]
        if "state" in body and issue["pull"]["merged"]:
            raise Refused(412, "cannot change state of this pull request, it was already merged")
        issue.update({key: body[key] for key in ("title", "body", "state") if body.get(key)})
        return 201, self.as_pull(issue)

    def get_labels(self, *, query: dict[str, str], **_: Any) -> Any:
        return self.page([{"id": id, "name": name} for id, name in self.labels.items()], query)

    def make_label(self, *, body: Any, **_: Any) -> Any:
        self.writes()
        if not re.fullmatch("#?[0-9a-fA-F]{6}", body["color"]):
            raise Refused(422, f"invalid color: {body['color']}")
        id = len(self.labels) + 11
        self.labels[id] = body["name"]
        return 201, {"id": id, "name": body["name"], "color": body["color"].strip("#")}

    def label_issue(self, number: str, *, body: Any, **_: Any) -> Any:
        issue = self.issue(number)
        if not self.push:
            raise Refused(403, "write permission is required")
        issue["labels"] |= {id for id in body["labels"] if id in self.labels}
        return self.as_issue(issue)["labels"]

    def get_comments(self, number: str, **_: Any) -> Any:
        return [{"id": at, "body": text, "user": {"login": by}} for at, (by, text) in enumerate(self.issue(number)["comments"])]

    def make_comment(self, number: str, *, body: Any, login: str, **_: Any) -> Any:
        if not body.get("body"):
            raise Refused(422, "[Body]: Required")
        self.issue(number)["comments"].append((login, body["body"]))
        return 201, {"id": 1, "body": body["body"]}

    def make_issue(self, *, body: Any, login: str, **_: Any) -> Any:
        return 201, self.as_issue(self.add(body["title"], body["body"], login))

    def edit_issue(self, number: str, *, body: Any, **_: Any) -> Any:
        issue = self.issue(number)
        issue.update({key: body[key] for key in ("title", "body") if key in body})
        return 201, self.as_issue(issue)

    def get_reviews(self, number: str, *, query: dict[str, str], login: str, **_: Any) -> Any:
        shown = [
            {"id": at, "state": one["state"], "user": {"login": one["by"]}, "comments_count": len(one["comments"]), "body": ""}
            for at, one in enumerate(self.pull_request(number)["reviews"], 1)
            if one["state"] != "PENDING" or one["by"] == login
        ]
        return self.page(shown, query)

    def review_comments(self, number: str, id: str, **_: Any) -> Any:
        return self.pull_request(number)["reviews"][int(id) - 1]["comments"]

    def make_review(self, number: str, *, body: Any, login: str, **_: Any) -> Any:
        issue = self.pull_request(number)
        if body["event"] != "COMMENT" or not (body.get("body") or body.get("comments")):
            raise Refused(422, "review event requires a body or a comment")
        comments = [
            {"path": one["path"], "body": one["body"], "position": one.get("new_position", 0), "original_position": 0}
            for one in body["comments"]
        ]
        issue["reviews"].append({"state": "COMMENT", "by": login, "body": body["body"], "comments": comments})
        return {"id": len(issue["reviews"]), "state": "COMMENT"}


def named(name: Any) -> str:
    """A name of a branch that the server's forms take: GitRefName and MaxSize(100)."""
    if not isinstance(name, str) or not name or len(name) > 100 or re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^/|/$", name):
        raise Refused(422, "[BranchName]: GitRefName")
    return name


def _answered(found: Any) -> tuple[int, Any, dict[str, str]]:
    if not isinstance(found, tuple):
        return 200, found, {}
    return (*found, {}) if len(found) == 2 else found


_ROUTES: list[tuple[str, str, Callable[..., Any]]] = [
    ("GET", "", GiteaServer.repository),
    ("GET", "/git/trees/([0-9a-f]+)", GiteaServer.get_tree),
    ("GET", "/git/blobs/([0-9a-f]+)", GiteaServer.get_blob),
    ("GET", "/git/commits/([0-9a-f]+)", GiteaServer.get_commit),
    ("GET", "/commits", GiteaServer.list_commits),
    ("GET", "/raw/(.+)", GiteaServer.get_raw),
    ("GET", "/archive/([0-9a-f]+)[.]tar[.]gz", GiteaServer.get_archive),
    ("GET", r"/compare/(.+?)\.\.\.(.+)", GiteaServer.compare),
    ("POST", "/branches", GiteaServer.make_branch),
    ("GET", "/branches/(.+)", GiteaServer.get_branch),
    ("PUT", "/branches/(.+)", GiteaServer.move_branch),
    ("DELETE", "/branches/(.+)", GiteaServer.drop_branch),
    ("POST", "/contents", GiteaServer.change_files),
    ("GET", "/pulls", GiteaServer.get_pulls),
    ("POST", "/pulls", GiteaServer.make_pull),
    ("GET", "/pulls/([0-9]+)", GiteaServer.get_pull),
    ("PATCH", "/pulls/([0-9]+)", GiteaServer.edit_pull),
    ("GET", "/pulls/([0-9]+)/reviews", GiteaServer.get_reviews),
    ("POST", "/pulls/([0-9]+)/reviews", GiteaServer.make_review),
    ("GET", "/pulls/([0-9]+)/reviews/([0-9]+)/comments", GiteaServer.review_comments),
    ("GET", "/labels", GiteaServer.get_labels),
    ("POST", "/labels", GiteaServer.make_label),
    ("POST", "/issues/([0-9]+)/labels", GiteaServer.label_issue),
    ("GET", "/issues/([0-9]+)/comments", GiteaServer.get_comments),
    ("POST", "/issues/([0-9]+)/comments", GiteaServer.make_comment),
    ("GET", "/issues", GiteaServer.get_issues),
    ("POST", "/issues", GiteaServer.make_issue),
    ("PATCH", "/issues/([0-9]+)", GiteaServer.edit_issue),
]


def _needed_scope(method: str, path: str) -> str:
    kind = "user" if path == "/user" else "issue" if re.search("^/repos/[^/]+/[^/]+/(issues|labels)", path) else "repository"
    return f"{'read' if method == 'GET' else 'write'}:{kind}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer is one packet: else each waits 40 ms for the last one to be confirmed.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""

    def _serve(self) -> None:
        state = self.server.state
        method, parts = self.command, urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        path = unquote(parts.path).removeprefix("/api/v1")
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        with state._lock:
            state.asked.append((method, path))
            state.seen_authorizations.add(self.headers.get("Authorization", ""))
            try:
                status, data, headers = self._answer(state, method, path, query, body)
            except Refused as refused:
                status, data, headers = refused.status, {"message": refused.message, "url": f"{state.url}/api/swagger"}, {}
            except Cut:
                self.close_connection = True
                self.connection.close()
                return
        content = data if isinstance(data, bytes) else b"" if data is None else json.dumps(data).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def _answer(self, state: GiteaServer, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        meant = (one for one in state.faults if re.fullmatch(one.method, method) and re.search(one.path, path))
        fault = next((one for one in meant if one.times), None)
        if fault and fault.skip:
            fault.skip, fault = fault.skip - 1, None
        if fault:
            fault.times -= 1
            if not fault.after:
                return self._fail(fault)
        if state.meanwhile:
            state.meanwhile(method, path)
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        if kind != "token" or token not in state.tokens:
            raise Refused(401, "user does not exist [uid: 0, name: ]")
        login, scopes = state.tokens[token]
        needed = _needed_scope(method, path)
        if needed not in scopes and needed.replace("read:", "write:") not in scopes:
            message = f"token does not have at least one of required scope(s), required=[{needed}], token scope={scopes}"
            raise Refused(403, message)
        found = state.answer(method, path, query, body, login)
        return self._fail(fault) if fault else found

    def _fail(self, fault: Fault) -> Any:
        if not fault.status:
            raise Cut
        return fault.status, b"<html>no JSON</html>", fault.headers

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    state: GiteaServer

    def handle_error(self, *_: Any) -> None:
        """A connection that we cut ourselves is no news."""


@contextmanager
def running() -> Iterator[GiteaServer]:
    """A server with an empty repository, at `url`, for as long as the block lasts."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.state = GiteaServer()
        server.state.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server.state
        finally:
            server.shutdown()
            thread.join()
