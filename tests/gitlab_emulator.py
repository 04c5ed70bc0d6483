"""A GitLab with one project, in memory and behind a real socket: those endpoints that the bot asks, as GitLab answers them.

Written from the documentation (doc/api/*.md) and the source of gitlab-org/gitlab, as mirrored in gitlabhq/gitlabhq:
lib/api/commits.rb and lib/api/helpers.rb (pavankalisetti009/gitlab@d87a46ff, and gitlabhq@01d5a4dd), lib/api/repositories.rb
@017a6c12, lib/api/merge_requests.rb @006631f8, lib/api/discussions.rb @05f0ebba, lib/api/entities/compare.rb @0653e08e,
app/services/commits/create_service.rb @0526dc1e, lib/gitlab/pagination/gitaly_keyset_pager.rb @01ab84ca,
lib/gitlab/quick_actions/extractor.rb @18f78289, doc/ci/jobs/ci_job_token.md @017a6c12; what a commit does to files, modes and
branches is internal/gitaly/service/operations/commit_files.go of gitlab-org/gitaly (as in xuxiaowei-io/gitaly).

It knows nothing of the adapter. Nothing happens by itself but one thing: a merge request is closed when its branch is deleted
(renovatebot/renovate#1657).
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import json
import re
import threading
from bisect import bisect_left
from collections.abc import Callable
from difflib import SequenceMatcher, unified_diff
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from archives import packed

ROBOT, STRANGER = {"id": 7, "username": "robot"}, {"id": 8, "username": "stranger"}
Files = dict[str, tuple[str, bytes]]
_ROUTES: list[tuple[str, re.Pattern[str], str]] = []
_QUICK_ACTION = re.compile(r"^/(close|reopen|label|merge|title|assign)(?: [^\n]*)?(?:\s*\n|$)", re.MULTILINE)
_WITH_JOB_TOKEN = ("branch_list", "branch", "commit", "merge_requests", "merge_request", "notes")


class Refused(Exception):
    """What `error!` and `render_api_error!` do."""

    def __init__(self, status: int, message: object, *, key: str = "message", headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.body, self.headers = status, {key: message}, headers or {}


def not_found(what: str) -> Refused:
    return Refused(404, f"404 {what} Not Found")


def route(verb: str, pattern: str) -> Callable[[Any], Any]:
    def add(method: Any) -> Any:
        _ROUTES.append((verb, re.compile(pattern + "$"), method.__name__))
        return method

    return add


class GitLabEmulator:
    """`with GitLabEmulator({path: (mode, data)}) as gitlab:`; then its state is there to be read and changed."""

    def __init__(self, files: Files, *, path: str = "group/app", under: str = "", branch: str = "main") -> None:
        self.path, self.under, self.default = path, under, branch
        self.moved_from = ""
        self.blobs: dict[str, bytes] = {}
        self.trees: dict[str, dict[str, tuple[str, str]]] = {}
        self.commits: dict[str, dict[str, Any]] = {}
        self.branches: dict[str, str] = {}
        self.pulls: list[dict[str, Any]] = []
        self.notes: dict[int, list[dict[str, Any]]] = {}
        self.issues: list[dict[str, Any]] = []
        #: Tokens, with whose they are and their scopes.
        self.tokens = {
            "glpat-secret": (ROBOT, ("api",)),
            "glpat-other": (STRANGER, ("api",)),
            "glpat-read": (ROBOT, ("read_api",)),
        }
        self.job_tokens = {"job-secret"}
        self.levels = {7: 30, 8: 30}
        self.permissions: dict[str, Any] | None = {"project_access": {"access_level": 30}, "group_access": None}
        self.namespace = {"kind": "group", "full_path": path.rpartition("/")[0]}
        self.archived, self.is_private = False, True
        #: Wildcards of protected branches, with whether the robot may push there; nobody may force.
        self.protected: dict[str, bool] = {}
        self.push_rules: dict[str, Any] = {}
        self.most_compared = 1000
        #: Archives that are given in this minute (project_repositories_archive in lib/gitlab/application_rate_limiter.rb).
        self.archives_left = 5
        #: How often a merge request is still "preparing".
        self.preparing = 0
        self.labels_allowed = self.takes_ranges = True
        #: `(pattern of the verb, pattern of the path, what happens)`, each once: a status, "cut" or "cut after".
        self.faults: list[tuple[str, str, Any]] = []
        self.headers_of_fault: dict[str, str] = {}
        #: Runs before a request: `(verb, path)`.
        self.before: Callable[[str, str], None] = lambda verb, path: None
        self.asked: list[tuple[str, str]] = []
        self.elsewhere = ""
        self._lock = threading.RLock()
        self._sorted: dict[str, list[str]] = {}
        self._listings: dict[tuple[str, str, bool], list[dict[str, str]]] = {}
        self.branches[branch] = self.commit(files, "first", ())

    # What a person does with git.

    def blob(self, data: bytes) -> str:
        name = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        self.blobs[name] = data
        return name

    def commit(self, files: Files, message: str, parents: tuple[str, ...], author: dict[str, str] | None = None) -> str:
        return self._commit({p: (mode, self.blob(data)) for p, (mode, data) in files.items()}, message, parents, author)

    def _commit(self, tree: dict[str, tuple[str, str]], message: str, parents: tuple[str, ...], author: Any = None) -> str:
        name = hashlib.sha1(repr((sorted(tree.items()), message, parents, len(self.commits))).encode()).hexdigest()
        self.trees[name] = tree
        stamp = f"2026-01-01T00:{len(self.commits) // 60 % 60:02}:{len(self.commits) % 60:02}.000+00:00"
        who = {"name": "Robot", "email": "robot@noreply.example.org"}
        self.commits[name] = {
            "id": name, "short_id": name[:8], "title": message.split("\n")[0], "message": message, "parent_ids": list(parents),
            "created_at": stamp, "authored_date": stamp, "committed_date": stamp,
            "author_name": (author or who)["name"], "author_email": (author or who)["email"],
            "committer_name": who["name"], "committer_email": who["email"],
            "web_url": f"https://gitlab.example.org/{self.path}/-/commit/{name}",
        }  # fmt: skip
        return name

    def push(self, branch: str, changes: Files, message: str = "by hand") -> str:
        """What somebody pushes on top of a branch, or onto a new one from the default branch."""
        at = self.branches.get(branch, self.branches[self.default])
        tree = self.trees[at] | {path: (mode, self.blob(data)) for path, (mode, data) in changes.items()}
        self.branches[branch] = self._commit(tree, message, (at,))
        return self.branches[branch]

    def files(self, commit: str) -> Files:
        return {path: (mode, self.blobs[name]) for path, (mode, name) in self.trees[commit].items()}

    def line(self, branch: str) -> list[str]:
        """The commits of a branch, by first parents."""
        found, at = [], self.branches[branch]
        while at:
            found.append(at)
            at = (self.commits[at]["parent_ids"] or [""])[0]
        return found

    # The socket.

    def __enter__(self) -> GitLabEmulator:
        emulator = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def log_message(self, *_: Any) -> None:
                pass

            def _all(self) -> None:
                emulator.serve(self)

            do_GET = do_POST = do_PUT = do_DELETE = _all

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}{self.under}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        verb, url = handler.command, urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        with self._lock:
            self.asked.append((verb, unquote(url.path.removeprefix(f"{self.under}/api/v4"))))
            self.before(*self.asked[-1])
            fault = next((f for f in self.faults if re.fullmatch(f[0], verb) and re.search(f[1], self.asked[-1][1])), None)
            if fault:
                self.faults.remove(fault)
            if fault and fault[2] == "cut":
                handler.close_connection = True
                return
            if fault and isinstance(fault[2], int):
                status, headers, data = fault[2], self.headers_of_fault, b'{"message":"from\\u001b[31m <b>a fault</b>"}'
            else:
                status, headers, data = self.answer(verb, url, handler.headers, body)
            if fault and fault[2] == "cut after":
                handler.close_connection = True
                return
        handler.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers, "Content-Length": str(len(data))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    def answer(self, verb: str, url: Any, headers: Any, body: bytes) -> tuple[int, dict[str, str], bytes]:
        prefix = f"{self.under}/api/v4"
        if self.elsewhere:
            return 302, {"Location": self.elsewhere + url.path}, b""
        if not url.path.startswith(prefix):
            return 404, {"Content-Type": "text/html"}, b"<html>no such page</html>"
        path = url.path.removeprefix(prefix)
        query = {key: values[-1] for key, values in parse_qs(url.query, keep_blank_values=True).items()}
        self._query, self._url, self._more = query, url, {}
        try:
            self.user, scopes, is_job = self.who(headers)
            for method, pattern, name in _ROUTES:
                if method == verb and (found := pattern.match(path)):
                    if is_job and name not in _WITH_JOB_TOKEN:
                        # To other endpoints, that token is none.
                        if verb != "GET":
                            raise Refused(401, "401 Unauthorized")
                        if self.is_private:
                            raise not_found("Project")
                    if verb != "GET" and "api" not in scopes:
                        raise Refused(403, "insufficient_scope", key="error")
                    project = unquote(found.groupdict().get("project") or "")
                    if project and verb == "GET" and project == self.moved_from:
                        return (
                            302,
                            {"Location": f"http://{headers['Host']}{prefix}/projects/3{url.path.partition(project)[2]}"},
                            b"",
                        )
                    if project and project not in ("3", self.path):
                        raise not_found("Project")
                    parts = {key: unquote(value) for key, value in found.groupdict().items() if key != "project"}
                    result = getattr(self, name)(**parts, **({"data": json.loads(body)} if verb in ("POST", "PUT") else {}))
                    if isinstance(result, bytes):
                        return 200, {"Content-Type": "text/plain"}, result
                    status = {"POST": 201, "DELETE": 204}.get(verb, 200)
                    return status, self._more, b"" if status == 204 else json.dumps(result).encode()
            raise Refused(404, "404 Not Found", key="error")
        except Refused as refused:
            return refused.status, refused.headers, json.dumps(refused.body).encode()

    def who(self, headers: Any) -> tuple[dict[str, Any], tuple[str, ...], bool]:
        if headers.get("JOB-TOKEN") in self.job_tokens:
            return ROBOT, ("api",), True
        known = self.tokens.get(headers.get("PRIVATE-TOKEN", ""))
        if known is None:
            raise Refused(401, "401 Unauthorized")
        return (*known, False)

    def paged(self, items: list[Any]) -> list[Any]:
        """Offset-based pages."""
        page, per = int(self._query.get("page", 1)), min(int(self._query.get("per_page", 20)), 100)
        self._more = {"X-Page": str(page), "X-Per-Page": str(per), "X-Next-Page": ""}
        if len(items) > page * per:
            self._more["X-Next-Page"] = str(page + 1)
            self._link({**self._query, "page": page + 1})
        return items[(page - 1) * per : page * per]

    def _link(self, query: dict[str, Any]) -> None:
        # As a server behind a proxy says it, whose own address is another.
        self._more["Link"] = f'<http://internal.example.org{self._url.path}?{urlencode(query)}>; rel="next"'

    # The endpoints.

    @route("GET", "/user")
    def current_user(self) -> Any:
        return self.user

    @route("GET", "/projects/(?P<project>[^/]+)")
    def project(self) -> Any:
        return {
            "id": 3, "path_with_namespace": self.path, "default_branch": self.default, "archived": self.archived,
            "web_url": f"https://gitlab.example.org/{self.path}", "namespace": self.namespace, "permissions": self.permissions,
        }  # fmt: skip

    @route("GET", "/projects/(?P<project>[^/]+)/members/all/(?P<user>[0-9]+)")
    def member(self, user: str) -> Any:
        if int(user) not in self.levels:
            raise not_found("Member")
        return {"id": int(user), "access_level": self.levels[int(user)]}

    @route("GET", "/projects/(?P<project>[^/]+)/repository/branches/(?P<name>[^/]+)")
    def branch(self, name: str) -> Any:
        if name not in self.branches:
            raise not_found("Branch")
        return {"name": name, "commit": self.commits[self.branches[name]]}

    @route("DELETE", "/projects/(?P<project>[^/]+)/repository/branches/(?P<name>[^/]+)")
    def delete_branch(self, name: str) -> None:
        if self.branches.pop(name, None) is None:
            raise not_found("Branch")
        for pull in self.pulls:
            if (pull["source_branch"], pull["state"]) == (name, "opened"):
                pull["state"] = "closed"

    @route("GET", "/projects/(?P<project>[^/]+)/repository/tree")
    def tree(self) -> Any:
        commit, folder = self._query["ref"], self._query.get("path", "")
        if commit not in self.trees:
            raise not_found("Tree")
        key = (commit, folder, self._query.get("recursive") == "true")
        if key not in self._listings:
            self._listings[key] = self._items(*key)
        items, start, per = self._listings[key], 0, min(int(self._query.get("per_page", 20)), 100)
        if self._query.get("pagination") != "keyset":
            return self.paged(items)
        if token := self._query.get("page_token"):
            start = int(base64.b64decode(token))
        page = items[start : start + per]
        if len(page) == per:
            # A full last page has a next one, which is empty.
            self._link({**self._query, "page_token": base64.b64encode(str(start + per).encode()).decode()})
        return page

    def _items(self, commit: str, folder: str, recursive: bool) -> list[dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        start = f"{folder}/" if folder else ""
        if commit not in self._sorted:
            self._sorted[commit] = sorted(self.trees[commit])
        paths = self._sorted[commit]
        for path in paths[bisect_left(paths, start) :]:
            if not path.startswith(start):
                break
            mode, name = self.trees[commit][path]
            parts = path.removeprefix(start).split("/")
            for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
                inner = start + "/".join(parts[:depth])
                found[inner] = {"id": "0" * 40, "name": parts[depth - 1], "type": "tree", "path": inner, "mode": "040000"}
            if recursive or len(parts) == 1:
                kind = "commit" if mode == "160000" else "blob"
                found[path] = {"id": name, "name": parts[-1], "type": kind, "path": path, "mode": mode}
        return list(found.values())

    @route("GET", "/projects/(?P<project>[^/]+)/repository/blobs/(?P<name>[^/]+)/raw")
    def raw_blob(self, name: str) -> bytes:
        if name not in self.blobs:
            raise not_found("Blob")
        return self.blobs[name]

    @route("GET", "/projects/(?P<project>[^/]+)/repository/archive(?P<form>[.]tar[.]gz)")
    def archive(self, form: str) -> bytes:
        if self.archives_left == 0:
            message = "This archive has been requested too many times. Try again later."
            raise Refused(429, {"error": message}, headers={"Retry-After": "60"})
        self.archives_left -= 1
        if self._query["sha"] not in self.trees:
            raise not_found("File")
        return packed((path, mode, data) for path, (mode, data) in self.files(self._query["sha"]).items())

    @route("GET", "/projects/(?P<project>[^/]+)/repository/commits")
    def list_commits(self) -> Any:
        at, found = self._query["ref_name"], []
        while at:
            found.append(self.commits[at])
            at = (self.commits[at]["parent_ids"] or [""])[0]
        return self.paged(found)

    @route("POST", "/projects/(?P<project>[^/]+)/repository/commits")
    def make_commit(self, data: dict[str, Any]) -> Any:
        branch, message, start = data["branch"], data["commit_message"], data.get("start_sha")
        force = data.get("force") is True
        guards = [may for pattern, may in self.protected.items() if fnmatch.fnmatchcase(branch, pattern)]
        if self.levels.get(self.user["id"], 0) < 30 or (guards and not any(guards)):
            raise Refused(403, "403 Forbidden - You are not allowed to push into this branch")
        if start and "start_branch" in data:
            raise Refused(400, "400 Bad request - start_branch, start_sha are mutually exclusive")
        if start and start not in self.commits:
            raise Refused(400, f"Cannot find start_sha '{start}'")
        if start and branch in self.branches and not force:
            raise Refused(400, f"A branch called '{branch}' already exists. Switch to that branch in order to make changes")
        if not re.fullmatch(r"[\w./+-]+", branch) or branch.endswith(".lock") or ".." in branch:
            raise Refused(400, f"Something went wrong when we tried to create '{branch}' for you: Branch name is invalid")
        if not start and branch not in self.branches:
            raise Refused(400, "You can only create or edit files when you are on a branch")
        parent = start or self.branches[branch]
        tree = dict(self.trees[parent])
        for action in data["actions"]:
            self._act(tree, action)
        self._push_rules(branch, message, data)
        old = self.branches.get(branch)
        if guards and old and old not in self._ancestors(parent):
            raise Refused(400, "You are not allowed to force push code to a protected branch on this project.")
        author = {"name": data["author_name"], "email": data["author_email"]} if data.get("author_name") else None
        self.branches[branch] = self._commit(tree, message, (parent,), author)
        return self.commits[self.branches[branch]]

    def _act(self, tree: dict[str, tuple[str, str]], action: dict[str, Any]) -> None:
        kind, path = action["action"], action["file_path"]
        if any(part in ("", ".", "..", ".git") for part in path.split("/")):
            raise Refused(400, "invalid path")
        if kind == "create" and path in tree:
            raise Refused(400, "A file with this name already exists")
        if kind != "create" and path not in tree:
            raise Refused(400, "A file with this name doesn't exist")
        if kind == "chmod":
            tree[path] = ("100755" if action["execute_filemode"] else "100644", tree[path][1])
            return
        content = action["content"]
        data = base64.b64decode(content, validate=True) if action.get("encoding") == "base64" else content.encode()
        tree[path] = ("100644" if kind == "create" else tree[path][0], self.blob(data))

    def _push_rules(self, branch: str, message: str, data: dict[str, Any]) -> None:
        rules = self.push_rules
        if (pattern := rules.get("branch")) and not re.search(pattern, branch):
            raise Refused(400, f"Branch name '{branch}' does not follow the pattern '{pattern}'")
        if (pattern := rules.get("message")) and not re.search(pattern, message):
            raise Refused(400, f"Commit message does not follow the pattern '{pattern}'")
        if (pattern := rules.get("email")) and not re.search(pattern, data.get("author_email", "")):
            raise Refused(400, f"Author's email '{data.get('author_email')}' does not follow the pattern '{pattern}'")
        if rules.get("dco") and "\nSigned-off-by: " not in message:
            raise Refused(400, "Commit message must contain a DCO signoff")

    def _ancestors(self, commit: str) -> set[str]:
        found, left = set(), [commit]
        while left:
            if (one := left.pop()) not in found:
                found.add(one)
                left += self.commits[one]["parent_ids"]
        return found

    @route("GET", "/projects/(?P<project>[^/]+)/repository/compare")
    def compare(self) -> Any:
        start, end = self._query["from"], self._query["to"]
        if start not in self.trees or end not in self.trees:
            raise not_found("Ref")
        if self._query.get("straight") != "true":
            start = next(one for one in self._first_parents(start) if one in self._ancestors(end))
        before, after = self.trees[start], self.trees[end]
        paths = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
        diffs = []
        for path in paths[: self.most_compared]:
            old, new = (self.blobs[tree[path][1]] if path in tree else b"" for tree in (before, after))
            diffs.append({
                "old_path": path, "new_path": path, "diff": _diff(old, new), "new_file": path not in before,
                "deleted_file": path not in after, "renamed_file": False,
            })  # fmt: skip
        return {"diffs": diffs, "compare_timeout": len(paths) > self.most_compared, "compare_same_ref": start == end}

    def _first_parents(self, commit: str) -> list[str]:
        found = [commit]
        while parents := self.commits[found[-1]]["parent_ids"]:
            found.append(parents[0])
        return found

    @route("GET", "/projects/(?P<project>[^/]+)/merge_requests")
    def merge_requests(self) -> Any:
        state, mine = self._query.get("state", "all"), self._query.get("scope") == "created_by_me"
        found = [
            self._shown(pull)
            for pull in reversed(self.pulls)
            if state in ("all", pull["state"]) and (not mine or pull["author"]["id"] == self.user["id"])
        ]
        return self.paged(found)

    def add_pull(self, branch: str, base: str, title: str, description: str, **more: Any) -> dict[str, Any]:
        number = len(self.pulls) + 1
        pull = {
            "id": 1000 + number, "iid": number, "project_id": 3, "source_branch": branch, "target_branch": base, "title": title,
            "description": description, "state": "opened", "author": self.user if hasattr(self, "user") else ROBOT, "labels": [],
            "created_at": f"2026-02-{1 + number // 1440 % 28:02}T{number // 60 % 24:02}:{number % 60:02}:00.000+01:00",
            "source_project_id": 3, "target_project_id": 3, "has_conflicts": False, "detailed_merge_status": "mergeable",
            "web_url": f"https://gitlab.example.org/{self.path}/-/merge_requests/{number}", **more,
        }  # fmt: skip
        self.pulls.append(pull)
        self.notes[number] = []
        return pull

    def _shown(self, pull: dict[str, Any]) -> dict[str, Any]:
        draft = re.match(r"\s*(\[draft\]|\(draft\)|draft:)", pull["title"], re.IGNORECASE) is not None
        at = self.branches.get(pull["source_branch"], pull.get("sha", ""))
        return {**pull, "draft": draft, "work_in_progress": draft, "sha": at}

    def _pull(self, number: str) -> dict[str, Any]:
        if not 1 <= int(number) <= len(self.pulls):
            raise not_found("Merge Request")
        return self.pulls[int(number) - 1]

    def _refs(self, pull: dict[str, Any]) -> dict[str, str]:
        head, base = self.branches[pull["source_branch"]], self.branches[pull["target_branch"]]
        fork = next(one for one in self._first_parents(head) if one in self._ancestors(base))
        return {"base_sha": fork, "start_sha": base, "head_sha": head}

    @route("POST", "/projects/(?P<project>[^/]+)/merge_requests")
    def make_merge_request(self, data: dict[str, Any]) -> Any:
        branch, base = data["source_branch"], data["target_branch"]
        for same in self.pulls:
            if same["state"] == "opened" and (same["source_branch"], same["target_branch"]) == (branch, base):
                raise Refused(409, [f"Another open merge request already exists for this source branch: !{same['iid']}"])
        missing = [f"{kind} branch \"{name}\" does not exist" for kind, name in (("Source", branch), ("Target", base))
                   if name not in self.branches]  # fmt: skip
        if missing:
            raise Refused(400, {"base": missing})
        if len(data.get("description", "")) > 1_048_576:
            raise Refused(400, {"description": ["is too long (maximum is 1048576 characters)"]})
        text, commands = self.without_quick_actions(data.get("description", ""))
        pull = self.add_pull(branch, base, data["title"], text)
        if self.labels_allowed and data.get("labels"):
            pull["labels"] = data["labels"].split(",")
        self._carry_out(pull, commands)
        return self._shown(pull)

    @staticmethod
    def without_quick_actions(text: str) -> tuple[str, list[str]]:
        """A text without its commands, which stand alone on lines outside of code; and those."""
        text = text.replace("\r", "")
        pieces, commands = [], []
        for number, piece in enumerate(re.split(r"(^```.+?\n```$)", text, flags=re.MULTILINE | re.DOTALL)):
            commands += [] if number % 2 else [found[0].strip() for found in _QUICK_ACTION.finditer(piece)]
            pieces.append(piece if number % 2 else _QUICK_ACTION.sub("", piece))
        return "".join(pieces).rstrip(), commands

    def _carry_out(self, pull: dict[str, Any], commands: list[str]) -> None:
        if "/close" in commands:
            pull["state"] = "closed"

    @route("GET", "/projects/(?P<project>[^/]+)/merge_requests/(?P<number>[0-9]+)")
    def merge_request(self, number: str) -> Any:
        pull = self._pull(number)
        if self.preparing:
            self.preparing -= 1
            return {**self._shown(pull), "detailed_merge_status": "preparing", "diff_refs": None}
        return {**self._shown(pull), "diff_refs": self._refs(pull)}

    @route("PUT", "/projects/(?P<project>[^/]+)/merge_requests/(?P<number>[0-9]+)")
    def put_merge_request(self, number: str, data: dict[str, Any]) -> Any:
        pull = self._pull(number)
        if event := data.pop("state_event", None):
            pull["state"] = {"close": "closed", "reopen": "opened"}[event]
        if "description" in data:
            data["description"], commands = self.without_quick_actions(data["description"])
            self._carry_out(pull, commands)
        pull |= {key: data[key] for key in ("title", "description", "target_branch") if key in data}
        return self._shown(pull)

    def add_note(self, number: int, body: str, **more: Any) -> dict[str, Any]:
        note = {
            "id": 1 + sum(map(len, self.notes.values())), "type": None, "body": body, "system": False,
            "author": self.user if hasattr(self, "user") else ROBOT, "created_at": "2026-02-01T00:00:00.000Z", **more,
        }  # fmt: skip
        self.notes[number].append(note)
        return note

    def _say(self, number: str, body: str, **more: Any) -> dict[str, Any]:
        text, commands = self.without_quick_actions(body)
        self._carry_out(self._pull(number), commands)
        return self.add_note(int(number), text, **more)

    @route("GET", "/projects/(?P<project>[^/]+)/merge_requests/(?P<number>[0-9]+)/notes")
    def list_notes(self, number: str) -> Any:
        return self.paged(self.notes[self._pull(number)["iid"]])

    @route("POST", "/projects/(?P<project>[^/]+)/merge_requests/(?P<number>[0-9]+)/notes")
    def make_note(self, number: str, data: dict[str, Any]) -> Any:
        return self._say(number, data["body"])

    @route("GET", "/projects/(?P<project>[^/]+)/merge_requests/(?P<number>[0-9]+)/discussions")
    def discussions(self, number: str) -> Any:
        return self.paged([{"id": str(note["id"]), "notes": [note]} for note in self.notes[self._pull(number)["iid"]]])

    @route("POST", "/projects/(?P<project>[^/]+)/merge_requests/(?P<number>[0-9]+)/discussions")
    def make_discussion(self, number: str, data: dict[str, Any]) -> Any:
        place, refs = data["position"], self._refs(self._pull(number))
        path, line = place["new_path"], place["new_line"]
        before, after = self.trees[refs["base_sha"]], self.trees[refs["head_sha"]]
        if place["position_type"] != "text" or {key: place[key] for key in refs} != refs:
            raise Refused(400, '400 Bad request - Note {:position=>["is incomplete"]}')
        if path not in after or before.get(path) == after[path]:
            raise Refused(400, '400 Bad request - Note {:line_code=>["can\'t be blank", "must be a valid line code"]}')
        old = self.blobs[before[path][1]] if path in before else b""
        numbers = _old_numbers(old, self.blobs[after[path][1]])
        if not 1 <= line < len(numbers) or place.get("old_line") != numbers[line][0]:
            raise Refused(400, '400 Bad request - Note {:line_code=>["can\'t be blank", "must be a valid line code"]}')
        if "line_range" in place and not self.takes_ranges:
            raise Refused(400, '400 Bad request - Note {:line_code=>["can\'t be blank", "must be a valid line code"]}')
        for end in place.get("line_range", {}).values():
            is_old, following = numbers[end["new_line"]]
            code = f"{hashlib.sha1(path.encode()).hexdigest()}_{is_old or following}_{end['new_line']}"
            if end["line_code"] != code or end["type"] != ("old" if is_old else "new"):
                raise Refused(500, "500 Internal Server Error")
        return {"id": "1", "notes": [self._say(number, data["body"], type="DiffNote", position=place)]}

    @route("GET", "/projects/(?P<project>[^/]+)/issues")
    def list_issues(self) -> Any:
        words = self._query.get("search", "").lower()
        mine = self._query.get("scope") == "created_by_me"
        found = [
            issue
            for issue in reversed(self.issues)
            if words in issue["title"].lower() and (not mine or issue["author"]["id"] == self.user["id"])
        ]
        return self.paged(found)

    @route("POST", "/projects/(?P<project>[^/]+)/issues")
    def make_issue(self, data: dict[str, Any]) -> Any:
        number = len(self.issues) + 1
        url = f"https://gitlab.example.org/{self.path}/-/issues/{number}"
        self.issues.append({"iid": number, "state": "opened", "author": self.user, "web_url": url, **data})
        return self.issues[-1]

    @route("PUT", "/projects/(?P<project>[^/]+)/issues/(?P<number>[0-9]+)")
    def put_issue(self, number: str, data: dict[str, Any]) -> Any:
        self.issues[int(number) - 1] |= data
        return self.issues[int(number) - 1]


def _lines(data: bytes) -> list[str]:
    return data.decode(errors="replace").split("\n")[: -1 if data.endswith(b"\n") else None] if data else []


def _diff(old: bytes, new: bytes) -> str:
    lines = unified_diff(_lines(old), _lines(new), n=3, lineterm="")
    return "".join(f"{line}\n" for number, line in enumerate(lines) if number > 1)


def _old_numbers(old: bytes, new: bytes) -> list[tuple[int | None, int]]:
    """By the number of a line in the new text: its number in the old one, None for an added one; and what follows it there."""
    numbers: list[tuple[int | None, int]] = [(None, 0)] * (len(_lines(new)) + 1)
    for kind, start, end, first, last in SequenceMatcher(None, _lines(old), _lines(new)).get_opcodes():
        for line in range(first, last):
            same = start + line - first + 1
            numbers[line + 1] = (same, same) if kind == "equal" else (None, end + 1)
    return numbers
