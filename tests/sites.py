"""One shape over the emulated forges, for tests of the whole bot: what people do there, and what they see. Knows no bot.

What is done and seen is done and seen past the API, or with requests of its own; only `forge` opens what is under test.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from failing_proxy import FailingProxy
from gitea_emulator import Fault, GiteaServer, running
from github_emulator import EmulatedRepository, Emulator
from gitlab_emulator import GitLabEmulator

from hardener.bot.forge import EXECUTABLE, FILE, Forge
from hardener.bot.forges.gitea import Gitea
from hardener.bot.forges.github import GitHub
from hardener.bot.forges.gitlab import GitLab

__all__ = ["EXECUTABLE", "FILE", "File", "Files", "GitHubSite", "Logged", "Seen", "Site", "site"]


class File(NamedTuple):
    """A file of a tree."""

    data: bytes
    mode: str = FILE


Files = Mapping[str, File]


class Seen(NamedTuple):
    """A pull request as people see it."""

    number: int
    branch: str
    base: str
    title: str
    body: str
    #: "open", "closed" or "merged".
    state: str


class Logged(NamedTuple):
    """A commit as people see it."""

    id: str
    message: str
    parents: tuple[str, ...]


class Site(Protocol):
    """A forge with one repository, whose branch is `main`."""

    kind: str

    def push(self, files: Files, branch: str = "main", message: str = "work") -> str:
        """Somebody's commit on top of a branch, or on a new one from `main`."""

    def tree(self, branch: str = "main") -> dict[str, File]:
        """All files of a branch or a commit."""

    def heads(self) -> dict[str, str]:
        """All branches."""

    def point(self, branch: str, commit: str) -> None:
        """Somebody has a branch elsewhere, by force; with no commit, it goes."""

    def log(self, branch: str = "main") -> list[Logged]:
        """The commits of a branch along first parents, the newest first."""

    def pulls(self) -> list[Seen]:
        """All pull requests, the oldest first."""

    def close(self, number: int) -> None:
        """Somebody closes one."""

    def merge(self, number: int) -> None:
        """Somebody merges one."""

    def label(self, number: int, name: str) -> None:
        """Somebody gives one a label."""

    def conflict(self, number: int) -> None:
        """One no longer fits its base, as the forge says."""

    def comments(self, number: int) -> list[str]:
        """What is said below one, but not on its lines."""

    def remarks(self, number: int) -> list[tuple[str, str]]:
        """What is said on its lines: file and words."""

    def issues(self) -> list[tuple[str, str]]:
        """Titles and bodies of the issues that are no pull requests."""

    def writes(self) -> int:
        """How many requests have asked to write so far."""

    def requests(self) -> int:
        """How many there were at all."""

    def now(self) -> datetime:
        """A time within an hour after all that was opened."""

    def fail(self, verb: str, path: str, status: int, *, skip: int = 0, after: bool = False, retry_after: int = 0) -> None:
        """The next request to a path that matches, after so many others, ends in a status, or with 0 in no answer at all."""

    def heal(self) -> None:
        """Fail no longer."""

    def protected(self) -> AbstractContextManager[None]:
        """Meanwhile, nobody may push to branches that begin with `harden/`."""

    def powerless(self) -> AbstractContextManager[None]:
        """Meanwhile, the token may only read."""

    def tick(self, body: str) -> None:
        """Somebody writes the newest issue that is no pull request anew."""

    def forge(self, *, own: bool = True) -> Forge:
        """What is under test, for the owner's job or somebody else's."""


@contextmanager
def site(kind: str, files: Files, emulator: Emulator | None = None) -> Iterator[Site]:
    """A forge of a kind, with a repository of these files; for GitHub in the emulator that is there."""
    if kind == "github":
        assert emulator is not None
        with FailingProxy(emulator.url) as proxy:
            repository = emulator.repository({path: (file.data, file.mode) for path, file in files.items()})
            yield GitHubSite(repository, proxy)
    elif kind == "gitlab":
        with GitLabEmulator({path: (file.mode, file.data) for path, file in files.items()}) as gitlab:
            yield _GitLabSite(gitlab)
    else:
        with running() as gitea:
            gitea.push_to("main", {path: (file.mode, file.data) for path, file in files.items()}, "first\n")
            yield _GiteaSite(gitea)


class GitHubSite:
    """The emulated GitHub, behind a proxy that counts and fails."""

    kind = "github"

    def __init__(self, repository: EmulatedRepository, proxy: FailingProxy) -> None:
        self.repository, self.proxy = repository, proxy
        self.blobs: dict[str, bytes] = {}

    def push(self, files: Files, branch: str = "main", message: str = "work") -> str:
        return self.repository.push({path: (file.data, file.mode) for path, file in files.items()}, branch, message)

    def tree(self, branch: str = "main") -> dict[str, File]:
        commit = self.repository.ask("GET", f"/git/commits/{self.heads().get(branch, branch)}")
        found = {}
        for item in self.repository.ask("GET", f"/git/trees/{commit['commit']['tree']['sha']}?recursive=1")["tree"]:
            if item["sha"] not in self.blobs:
                self.blobs[item["sha"]] = base64.b64decode(self.repository.ask("GET", f"/git/blobs/{item['sha']}")["content"])
            found[item["path"]] = File(self.blobs[item["sha"]], item["mode"])
        return found

    def heads(self) -> dict[str, str]:
        return self.repository.heads()

    def point(self, branch: str, commit: str) -> None:
        if not commit:
            self.repository.ask("DELETE", f"/git/refs/heads/{branch}")
        else:
            self.repository.ask("PATCH", f"/git/refs/heads/{branch}", {"sha": commit, "force": True})

    def log(self, branch: str = "main") -> list[Logged]:
        return [Logged(one["sha"], one["message"], tuple(one["parents"])) for one in self.repository.log(branch)]

    def pulls(self) -> list[Seen]:
        return [
            Seen(
                pull["number"],
                pull["head"]["ref"],
                pull["base"]["ref"],
                pull["title"],
                pull["body"] or "",
                "merged" if pull["merged_at"] else pull["state"],
            )
            for pull in sorted(self.repository.pulls(), key=lambda pull: pull["number"])
        ]

    def close(self, number: int) -> None:
        self.repository.change_pull(number, state="closed")

    def merge(self, number: int) -> None:
        self.repository.merge(number)

    def label(self, number: int, name: str) -> None:
        self.repository.label(number, name)

    def conflict(self, number: int) -> None:
        # The emulator says of none that it conflicts.
        pull = self.repository.ask("GET", f"/pulls/{number}")
        self.proxy.on("GET", rf"/repos/{self.repository.name}/pulls/{number}", body={**pull, "mergeable": False})

    def comments(self, number: int) -> list[str]:
        return self.repository.comments(number)

    def remarks(self, number: int) -> list[tuple[str, str]]:
        return [(one["path"], one["body"]) for one in self.repository.ask("GET", f"/pulls/{number}/comments?per_page=100")]

    def issues(self) -> list[tuple[str, str]]:
        found = self.repository.ask("GET", "/issues?state=all&per_page=100")
        return [(one["title"], one["body"]) for one in found if not one.get("pull_request")]

    def writes(self) -> int:
        return sum(one.verb != "GET" and not one.path.endswith("/graphql") for one in self.proxy.asked)

    def requests(self) -> int:
        return len(self.proxy.asked)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def fail(self, verb: str, path: str, status: int, *, skip: int = 0, after: bool = False, retry_after: int = 0) -> None:
        headers = {"Retry-After": str(retry_after)} if retry_after else {}
        cut = "" if status else "after" if after else "before"
        body = {"message": "You have exceeded a secondary rate limit" if retry_after else "It failed"}
        self.proxy.on(verb, f".*{path}.*", first=skip + 1, times=1, status=status, headers=headers, body=body, cut=cut)

    @contextmanager
    def protected(self) -> Iterator[None]:
        # docs.github.com/repositories, "Available rules for rulesets"; the words are those that an API answers with.
        said = {"message": "Repository rule violations found\n\nCannot create ref due to creations being restricted.\n\n"}
        self.proxy.on("POST", ".*/git/refs", status=422, body=said)
        yield
        self.heal()

    @contextmanager
    def powerless(self) -> Iterator[None]:
        said = {"message": "Resource not accessible by integration"}
        self.proxy.on("POST|PATCH|PUT|DELETE", "/repos/.*", status=403, body=said)
        yield
        self.heal()

    def tick(self, body: str) -> None:
        found = self.repository.ask("GET", "/issues?state=all&per_page=100")
        number = max(one["number"] for one in found if not one.get("pull_request"))
        self.repository.ask("PATCH", f"/issues/{number}", {"body": body})

    def heal(self) -> None:
        self.proxy.heal()

    def forge(self, *, own: bool = True) -> Forge:
        token = self.repository.token if own else "token_of_the_stranger"
        return GitHub(self.repository.name, token, self.proxy.url, is_own=own)


class _GitLabSite:
    kind = "gitlab"

    def __init__(self, gitlab: GitLabEmulator) -> None:
        self.gitlab = gitlab

    def push(self, files: Files, branch: str = "main", message: str = "work") -> str:
        return self.gitlab.push(branch, {path: (file.mode, file.data) for path, file in files.items()}, message)

    def tree(self, branch: str = "main") -> dict[str, File]:
        found = self.gitlab.files(self.gitlab.branches.get(branch, branch))
        return {path: File(data, mode) for path, (mode, data) in found.items()}

    def heads(self) -> dict[str, str]:
        return dict(self.gitlab.branches)

    def point(self, branch: str, commit: str) -> None:
        if commit:
            self.gitlab.branches[branch] = commit
        else:
            self.gitlab.delete_branch(branch)

    def log(self, branch: str = "main") -> list[Logged]:
        commits = (self.gitlab.commits[id] for id in self.gitlab.line(branch))
        return [Logged(one["id"], one["message"], tuple(one["parent_ids"])) for one in commits]

    def pulls(self) -> list[Seen]:
        return [
            Seen(
                pull["iid"],
                pull["source_branch"],
                pull["target_branch"],
                pull["title"],
                pull["description"],
                {"opened": "open"}.get(pull["state"], pull["state"]),
            )
            for pull in self.gitlab.pulls
        ]

    def close(self, number: int) -> None:
        self.gitlab.pulls[number - 1]["state"] = "closed"

    def merge(self, number: int) -> None:
        pull = self.gitlab.pulls[number - 1]
        branch = pull["source_branch"]
        ours, base = self.gitlab.branches[branch], self.gitlab.branches["main"]
        self.gitlab.branches["main"] = self.gitlab._commit(self.gitlab.trees[ours], "Merge", (base, ours))
        pull |= {"state": "merged", "sha": ours}
        del self.gitlab.branches[branch]

    def label(self, number: int, name: str) -> None:
        self.gitlab.pulls[number - 1]["labels"].append(name)

    def conflict(self, number: int) -> None:
        self.gitlab.pulls[number - 1] |= {"has_conflicts": True, "detailed_merge_status": "conflict"}

    def comments(self, number: int) -> list[str]:
        return [note["body"] for note in self.gitlab.notes[number] if note["type"] is None]

    def remarks(self, number: int) -> list[tuple[str, str]]:
        found = (note for note in self.gitlab.notes[number] if note["type"] == "DiffNote")
        return [(note["position"]["new_path"], note["body"]) for note in found]

    def issues(self) -> list[tuple[str, str]]:
        return [(issue["title"], issue["description"]) for issue in self.gitlab.issues]

    def writes(self) -> int:
        return sum(verb != "GET" for verb, _ in self.gitlab.asked)

    def requests(self) -> int:
        return len(self.gitlab.asked)

    def now(self) -> datetime:
        made = [datetime.fromisoformat(pull["created_at"]) for pull in self.gitlab.pulls]
        return max(made, default=datetime(2026, 2, 1, tzinfo=UTC)).astimezone(UTC) + timedelta(seconds=1)

    def fail(self, verb: str, path: str, status: int, *, skip: int = 0, after: bool = False, retry_after: int = 0) -> None:
        # A fault is for the first request that matches, so as many that let it through come first.
        self.gitlab.faults += [(verb, path, "through")] * skip
        self.gitlab.faults.append((verb, path, status or ("cut after" if after else "cut")))
        self.gitlab.headers_of_fault = {"Retry-After": str(retry_after)} if retry_after else {}

    def heal(self) -> None:
        self.gitlab.faults.clear()

    @contextmanager
    def protected(self) -> Iterator[None]:
        self.gitlab.protected["harden/*"] = False
        yield
        self.gitlab.protected.clear()

    @contextmanager
    def powerless(self) -> Iterator[None]:
        kept = self.gitlab.tokens["glpat-secret"]
        self.gitlab.tokens["glpat-secret"] = (kept[0], ("read_api",))
        yield
        self.gitlab.tokens["glpat-secret"] = kept

    def tick(self, body: str) -> None:
        self.gitlab.issues[-1]["description"] = body

    def forge(self, *, own: bool = True) -> Forge:
        path = self.gitlab.path
        return GitLab(path, "glpat-secret", address=self.gitlab.address, is_own=own)


class _GiteaSite:
    kind = "gitea"

    def __init__(self, gitea: GiteaServer) -> None:
        self.gitea = gitea

    def push(self, files: Files, branch: str = "main", message: str = "work") -> str:
        self.gitea.branches.setdefault(branch, self.gitea.branches["main"])
        commit = self.gitea.push_to(branch, {path: (file.mode, file.data) for path, file in files.items()}, message)
        self.gitea.set_branch(branch, commit)
        return commit

    def tree(self, branch: str = "main") -> dict[str, File]:
        files = self.gitea.find(branch).files
        return {path: File(self.gitea.blobs[id], mode) for path, (mode, id) in files.items()}

    def heads(self) -> dict[str, str]:
        return dict(self.gitea.branches)

    def point(self, branch: str, commit: str) -> None:
        self.gitea.set_branch(branch, commit)

    def log(self, branch: str = "main") -> list[Logged]:
        return [Logged(id, one.message, tuple(one.parents)) for id, one in self.gitea.past(self.gitea.branches[branch])]

    def pulls(self) -> list[Seen]:
        return [
            Seen(
                issue["number"],
                issue["pull"]["branch"],
                issue["pull"]["base"],
                issue["title"],
                issue["body"],
                "merged" if issue["pull"]["merged"] else issue["state"],
            )
            for issue in self.gitea.issues.values()
            if "pull" in issue
        ]

    def close(self, number: int) -> None:
        self.gitea.issues[number]["state"] = "closed"

    def merge(self, number: int) -> None:
        issue = self.gitea.issues[number]
        branch = issue["pull"]["branch"]
        ours, base = self.gitea.branches[branch], self.gitea.branches["main"]
        files = self.gitea.commits[ours].files
        self.gitea.branches["main"] = self.gitea.commit(files, [base, ours], "Merge\n")
        issue["state"] = "closed"
        issue["pull"]["merged"] = True
        del self.gitea.branches[branch]

    def label(self, number: int, name: str) -> None:
        self.gitea.labels[1] = name
        self.gitea.issues[number]["labels"].add(1)

    def conflict(self, number: int) -> None:
        self.gitea.issues[number]["pull"]["mergeable"] = False

    def comments(self, number: int) -> list[str]:
        return [text for _, text in self.gitea.issues[number]["comments"]]

    def remarks(self, number: int) -> list[tuple[str, str]]:
        reviews = self.gitea.issues[number]["reviews"]
        return [(one["path"], one["body"]) for review in reviews for one in review["comments"]]

    def issues(self) -> list[tuple[str, str]]:
        return [(issue["title"], issue["body"]) for issue in self.gitea.issues.values() if "pull" not in issue]

    def writes(self) -> int:
        return sum(verb != "GET" for verb, _ in self.gitea.asked)

    def requests(self) -> int:
        return len(self.gitea.asked)

    def now(self) -> datetime:
        made = [datetime.fromisoformat(issue["created_at"]) for issue in self.gitea.issues.values()]
        return max(made, default=datetime(2023, 12, 31, 22, tzinfo=UTC)).astimezone(UTC) + timedelta(seconds=1)

    def fail(self, verb: str, path: str, status: int, *, skip: int = 0, after: bool = False, retry_after: int = 0) -> None:
        headers = {"Retry-After": str(retry_after)} if retry_after else {}
        self.gitea.faults.append(Fault(verb, path, status, after, 1, headers, skip))

    def heal(self) -> None:
        self.gitea.faults.clear()

    @contextmanager
    def protected(self) -> Iterator[None]:
        self.gitea.protected = "harden/*"
        yield
        self.gitea.protected = ""

    @contextmanager
    def powerless(self) -> Iterator[None]:
        self.gitea.push = False
        yield
        self.gitea.push = True

    def tick(self, body: str) -> None:
        next(issue for issue in reversed(self.gitea.issues.values()) if "pull" not in issue)["body"] = body

    def forge(self, *, own: bool = True) -> Forge:
        return Gitea(self.gitea.url, self.gitea.name, "token", is_own=own, pauses=(0, 0))
