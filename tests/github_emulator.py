"""A GitHub to try the bot on: npm's `emulate`, and repositories made there. Knows no bot.

What it does otherwise than GitHub (0.6.1): names of objects are random, so equal content has two; a listing of a folder leaves
out what is below it; a commit has its message and tree below `commit`; the head of a pull request stays where it was opened; one
from no branch makes it; reviews with `line` are refused; there is no `compare`, no ETag and no GraphQL, of which `update_refs`
plays what moves a branch; whoever has a token may write. All of this is looked at with requests of our own, not with the client
under test.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import requests

PACKAGE = "emulate@0.6.1"
#: Whoever runs the bot and owns the repositories, and whoever else pushes there.
OWNER, STRANGER = "octocat", "stranger"
_STRANGERS_TOKEN = "token_of_the_stranger"
#: A token may ask 5000 times in an hour, so each repository has another one.
_TOKENS = [f"token_of_the_owner_{number}" for number in range(60)]
#: All that GraphQL says of some errors (octokit/graphql.js#332).
VAGUE = "Something went wrong while executing your query. Please include `653A:5915` when reporting this issue."
#: A file of a test: its content, or its content and its mode.
Files = Mapping[str, "bytes | tuple[bytes, str]"]


def missing() -> str:
    """Why there can be no emulator here; empty if there can."""
    return next((f"{program} is not installed" for program in ("node", "npm") if shutil.which(program) is None), "")


class Emulator:
    """A server, from when it is made until it is closed. Raises `OSError` where the package cannot be had."""

    def __init__(self, folder: Path) -> None:
        install = [
            "npm",
            "install",
            "--prefix",
            str(folder),
            "--prefer-offline",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            PACKAGE,
        ]
        done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode:
            raise OSError(f"npm could not install {PACKAGE}: {done.stderr.strip()[-300:]}")
        seed = {
            "tokens": {**{token: {"login": OWNER} for token in _TOKENS}, _STRANGERS_TOKEN: {"login": STRANGER}},
            "github": {
                "users": [
                    {"login": OWNER, "name": "The Octocat", "email": "octocat@example.com"},
                    {"login": STRANGER, "name": "A Stranger", "email": "stranger@example.com"},
                ],
                "repos": [],
            },
        }
        (folder / "seed.json").write_text(json.dumps(seed))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://localhost:{port}"
        program = folder / "node_modules" / "emulate" / "dist" / "index.js"
        start = ["node", str(program), "start", "--service", "github", "--port", str(port), "--seed", str(folder / "seed.json")]
        self._process = subprocess.Popen(start, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._numbers = itertools.count(1)
        self._session = requests.Session()
        for _ in range(100):
            try:
                self._session.get(self.url + "/user", timeout=5)
                return
            except requests.ConnectionError:
                time.sleep(0.1)
        self.close()
        raise OSError("the emulator does not answer")

    def close(self) -> None:
        """End it."""
        self._session.close()
        self._process.terminate()
        self._process.wait(10)

    def ask(self, verb: str, path: str, body: object = None, *, token: str = _TOKENS[0]) -> Any:
        """One request. Raises for a refusal."""
        headers = {"Authorization": f"token {token}"}
        answer = self._session.request(verb, self.url + path, json=body, headers=headers, timeout=30)
        if not answer.ok:
            raise OSError(f"{verb} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    def repository(self, files: Files, name: str = "") -> EmulatedRepository:
        """A new repository of the owner, whose branch `main` has exactly these files."""
        number = next(self._numbers)
        token = _TOKENS[number % len(_TOKENS)]
        name = name or f"project-{number}"
        # Without a first commit there is no tree to begin from.
        self.ask("POST", "/user/repos", {"name": name, "auto_init": True}, token=token)
        repository = EmulatedRepository(self, f"{OWNER}/{name}", token)
        commit = repository.commit(files, parents=(), message="Begin", by=OWNER)
        repository.ask("PATCH", "/git/refs/heads/main", {"sha": commit, "force": True})
        return repository


class File(NamedTuple):
    """A file of a tree."""

    mode: str
    data: bytes


class EmulatedRepository:
    """A repository there."""

    def __init__(self, emulator: Emulator, name: str, token: str) -> None:
        self.emulator = emulator
        self.name = name
        #: Of its owner.
        self.token = token
        self.api = emulator.url

    def ask(self, verb: str, path: str, body: object = None, *, by: str = OWNER) -> Any:
        """One request below the repository's address."""
        token = self.token if by == OWNER else _STRANGERS_TOKEN
        return self.emulator.ask(verb, f"/repos/{self.name}{path}", body, token=token)

    def commit(self, files: Files, *, parents: tuple[str, ...], message: str = "Change", by: str = STRANGER) -> str:
        """A commit that no branch has: these files on top of the first parent's, or alone."""
        items = []
        for path, file in files.items():
            data, mode = file if isinstance(file, tuple) else (file, "100644")
            blob = {"content": base64.b64encode(data).decode(), "encoding": "base64"}
            items.append({"path": path, "mode": mode, "type": "blob", "sha": self.ask("POST", "/git/blobs", blob)["sha"]})
        tree: dict[str, object] = {"tree": items}
        if parents:
            tree["base_tree"] = self.ask("GET", f"/git/commits/{parents[0]}")["commit"]["tree"]["sha"]
        made = {"message": message, "tree": self.ask("POST", "/git/trees", tree)["sha"], "parents": list(parents)}
        commit: str = self.ask("POST", "/git/commits", made, by=by)["sha"]
        return commit

    def push(self, files: Files, branch: str = "main", message: str = "Change", by: str = STRANGER) -> str:
        """Somebody's commit on top of a branch; of one that is not there, on top of `main`."""
        heads = self.heads()
        commit = self.commit(files, parents=(heads.get(branch) or heads["main"],), message=message, by=by)
        if branch in heads:
            self.ask("PATCH", f"/git/refs/heads/{branch}", {"sha": commit, "force": False}, by=by)
        else:
            self.ask("POST", "/git/refs", {"ref": f"refs/heads/{branch}", "sha": commit}, by=by)
        return commit

    def update_refs(self, asked: Any) -> dict[str, Any]:
        """What GitHub's GraphQL answers to the mutation `updateRefs` of one ref, which is played here: compare, move or delete.

        As docs.github.com/graphql/reference/git has it; what it says of a stale one is as in orgs/community discussion 213655.
        """
        assert "updateRefs" in asked["query"]
        assert asked["variables"]["repository"] == self.ask("GET", "")["node_id"] != ""
        [update] = asked["variables"]["updates"]
        assert update.keys() <= {"name", "beforeOid", "afterOid", "force"}
        branch, nowhere = update["name"].removeprefix("refs/heads/"), "0" * 40
        if self.heads().get(branch, nowhere) != update["beforeOid"]:
            return {"data": {"updateRefs": None}, "errors": [{"path": ["updateRefs"], "message": VAGUE}]}
        if update["afterOid"] == nowhere:
            self.ask("DELETE", f"/git/refs/heads/{branch}")
        else:
            self.ask("PATCH", f"/git/refs/heads/{branch}", {"sha": update["afterOid"], "force": update["force"]})
        return {"data": {"updateRefs": {"clientMutationId": None}}}

    def heads(self) -> dict[str, str]:
        """All branches, each with its commit."""
        return {
            ref["ref"].removeprefix("refs/heads/"): ref["object"]["sha"] for ref in self.ask("GET", "/git/matching-refs/heads/")
        }

    def tree(self, branch: str = "main") -> dict[str, File]:
        """All files of a branch, or of a commit."""
        commit = self.ask("GET", f"/git/commits/{self.heads().get(branch, branch)}")
        listed = self.ask("GET", f"/git/trees/{commit['commit']['tree']['sha']}?recursive=1")["tree"]
        found = {}
        for item in listed:
            blob = self.ask("GET", f"/git/blobs/{item['sha']}")
            found[item["path"]] = File(item["mode"], base64.b64decode(blob["content"]))
        return found

    def log(self, branch: str = "main") -> list[dict[str, Any]]:
        """The commits of a branch along first parents, the newest first: `message`, `author`, `sha`, `tree`, `parents`."""
        found: list[dict[str, Any]] = []
        commit = self.heads().get(branch, branch)
        while commit:
            data = self.ask("GET", f"/git/commits/{commit}")
            parents = [parent["sha"] for parent in data["parents"]]
            found.append({**data["commit"], "sha": commit, "parents": parents})
            commit = parents[0] if parents else ""
        return found

    def pulls(self) -> list[dict[str, Any]]:
        """All pull requests, the newest first."""
        return self.ask("GET", "/pulls?state=all&per_page=100")

    def open_pull(self, branch: str, title: str = "Change", body: str = "", by: str = STRANGER) -> int:
        """Somebody's pull request to `main`."""
        number: int = self.ask("POST", "/pulls", {"head": branch, "base": "main", "title": title, "body": body}, by=by)["number"]
        return number

    def change_pull(self, number: int, **change: object) -> None:
        """Somebody changes one: `state="closed"`, `body=...`."""
        self.ask("PATCH", f"/pulls/{number}", change, by=STRANGER)

    def merge(self, number: int) -> None:
        """Somebody merges one."""
        self.ask("PUT", f"/pulls/{number}/merge", {}, by=STRANGER)

    def label(self, number: int, *names: str) -> None:
        """Somebody gives a pull request labels."""
        self.ask("POST", f"/issues/{number}/labels", {"labels": list(names)}, by=STRANGER)

    def comments(self, number: int) -> list[str]:
        """What was said below a pull request."""
        return [comment["body"] for comment in self.ask("GET", f"/issues/{number}/comments?per_page=100")]


def environment(repository: EmulatedRepository) -> dict[str, str]:
    """This process's environment, with the token of the owner and no other of GitHub's variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "GH_"))}
    return {**kept, "GITHUB_TOKEN": repository.token}
