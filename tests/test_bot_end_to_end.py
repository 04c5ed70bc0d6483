"""The bot with everything real but the server: what people find at a forge after each run, and after each failure.

Every assertion is about the state of an emulated server. What `harden --write` makes of a checkout is what all pull requests
together have to come to.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import cmarkgfm
import pytest
from failing_proxy import FailingProxy
from sites import EXECUTABLE, File, Files, GitHubSite, Site, site

from hardener.bot.done import Done
from hardener.bot.forge import Forbidden, Limited, Unavailable
from hardener.bot.forges.github import GitHub
from hardener.bot.making import work_at
from hardener.bot.manners import Do
from hardener.bot.marks import trailers_of
from hardener.bot.proposal import Asked
from hardener.cli.pr_text import lines

WIDE = "[pr]\nper-hour = 100\nat-once = 100\n"
#: Three rules, two of which are about a Compose project.
FEW = 'select = ["add-instead-of-copy", "excess-capabilities", "unlimited-pids"]\n' + WIDE
CACHE = b"services:\r\n  cache:\r\n    image: redis:7\r\n"
DOCKERFILE = b'FROM node:20\nADD . /app\nCMD ["node", "/app/x.js"]\n'
MANIFEST = b"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: nginx:1.27
"""
SHOP = Path(__file__).parents[1] / "fixtures" / "stacks" / "shop"
KINDS = [pytest.param("github", marks=pytest.mark.network), "gitlab", "gitea"]
#: The verbs of requests that write.
WRITES = "POST|PUT|PATCH|DELETE"
Make = Callable[..., Site]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardener.bot.forges.gitlab_server.PAUSES", (0.0, 0.0))
    monkeypatch.setattr("hardener.bot.forges.gitlab.PAUSES", (0.0, 0.0))


@pytest.fixture
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """`make(kind, files, settings)`: a forge with a repository of these files and a configuration."""
    opened: list[AbstractContextManager[Site]] = []

    def made(kind: str, files: Files, settings: str | None = WIDE) -> Site:
        emulator = request.getfixturevalue("github") if kind == "github" else None
        config = {} if settings is None else {"hardener.toml": File(settings.encode())}
        opened.append(site(kind, {**files, **config}, emulator))
        return opened[-1].__enter__()

    yield made
    for one in opened:
        one.__exit__(None, None, None)


def cache(*, image: str = "redis:7", more: bytes = b"") -> dict[str, File]:
    """A small project, whose Compose file has CRLF."""
    return {
        "app/compose.yaml": File(CACHE.replace(b"redis:7", image.encode()) + more),
        "run.sh": File(b"#!/bin/sh\r\n", EXECUTABLE),
    }


def work(at: Site, later: timedelta = timedelta(), *, own: bool = True, **asked: object) -> Done:
    """One run."""
    return work_at(at.forge(own=own), Asked(**asked), at.now() + later)  # type: ignore[arg-type]


def well(at: Site, later: timedelta = timedelta(), *, own: bool = True, **asked: object) -> dict[str, Do]:
    """One run in which nothing fails: what was done, by scope."""
    done = work(at, later, own=own, **asked)
    assert (done.ended, done.off) == (None, "")
    assert not any(told.error for told in done.told), done.told
    return {told.scope: told.do for told in done.told}


def quiet(at: Site, **asked: Any) -> dict[str, Do]:
    """One run that writes nothing at all."""
    before = at.writes(), at.heads(), at.pulls()
    done = well(at, **asked)
    assert (at.writes(), at.heads(), at.pulls()) == before
    return done


def written(folder: Path, files: Files) -> dict[str, File]:
    """What `harden --write` makes of a checkout."""
    for path, file in files.items():
        at = folder / path
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(file.data)
        at.chmod(0o755 if file.mode == EXECUTABLE else 0o644)
    for words in (
        ["git", "init", "-q"],
        ["git", "add", "-A"],
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "1"],
    ):
        subprocess.run(words, cwd=folder, check=True, env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull})
    done = subprocess.run(
        [sys.executable, "-m", "hardener", "--write", "."], cwd=folder, capture_output=True, text=True, check=False
    )
    assert " fixes written " in done.stdout, done.stdout + done.stderr
    return {
        path: File((folder / path).read_bytes(), EXECUTABLE if os.access(folder / path, os.X_OK) else "100644") for path in files
    }


def changed(before: Files, after: Files) -> set[str]:
    """The paths of files that are not the same."""
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


@pytest.fixture(scope="module")
def three() -> dict[str, File]:
    """A Compose project, a Dockerfile and a manifest."""
    shop = {f"shop/{path.relative_to(SHOP)}": File(path.read_bytes()) for path in SHOP.rglob("*") if path.is_file()}
    shop["shop/compose.yaml"] = File(shop["shop/compose.yaml"].data.replace(b"\n", b"\r\n"))
    return {
        **shop,
        "base/Dockerfile": File(DOCKERFILE, EXECUTABLE),
        "base/run.sh": File(b"#!/bin/sh\r\n", EXECUTABLE),
        "k8s/web.yaml": File(MANIFEST),
        "logo.png": File(bytes(range(256))),
        "hardener.toml": File(WIDE.encode()),
    }


@pytest.fixture(scope="module")
def hardened(three: dict[str, File], tmp_path_factory: pytest.TempPathFactory) -> dict[str, File]:
    return written(tmp_path_factory.mktemp("checkout"), three)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_run_opens_what_write_would_write_and_the_second_nothing(
    kind: str, make: Make, three: dict[str, File], hardened: dict[str, File]
) -> None:
    at = make(kind, three)
    assert well(at) == dict.fromkeys(("shop", "base", "k8s"), Do.OPEN)
    main = at.tree()
    assert main == three
    assert set(at.heads()) == {"main", "harden/shop", "harden/base", "harden/k8s"}
    assert {(pull.branch, pull.base, pull.state) for pull in at.pulls()} == {
        (f"harden/{scope}", "main", "open") for scope in ("shop", "base", "k8s")
    }
    union = dict(three)
    for pull in at.pulls():
        tree = at.tree(pull.branch)
        own = changed(three, tree)
        assert own == {path for path in changed(three, hardened) if path.startswith(pull.branch.removeprefix("harden/") + "/")}
        union |= {path: tree[path] for path in own}
        assert pull.title
        assert not any(line.startswith("::") for line in pull.body.splitlines())
        log = at.log(pull.branch)
        trailers = [trailers_of(commit.message) for commit in log[:-1]]
        steps = len(trailers)
        assert [(one.branch, one.step, one.steps) for one in trailers if one] == [
            (pull.branch, number, steps) for number in range(steps, 0, -1)
        ]
        subjects = [commit.message.split("\n")[0] for commit in log[:-1]]
        assert len(set(subjects)) == steps
        assert log[-1].id == at.heads()["main"]
        # Each commit is one rule's, and does something; where a tree is many requests, once is enough.
        for commit in log[: -1 if kind != "github" else 1]:
            assert at.tree(commit.id) != at.tree(commit.parents[0])
    assert union == hardened
    assert len(at.log("harden/shop")) > 5
    assert quiet(at) == dict.fromkeys(("shop", "base", "k8s"), Do.KEEP)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pull_request_follows_its_base(kind: str, make: Make) -> None:
    at = make(
        kind,
        {**cache(), "base/Dockerfile": File(DOCKERFILE, EXECUTABLE)},
        FEW,
    )
    well(at)
    [app, base] = [(pull.number, pull.branch) for pull in at.pulls()]
    assert (app[1], base[1]) == ("harden/app", "harden/base")
    first = {pull.branch: at.tree(pull.branch) for pull in at.pulls()}
    more = b"  other:\r\n    image: redis:7\r\n    pids_limit: 50\r\n"
    at.push(cache(more=more))
    # The other's files are the same, and its base has moved all the same.
    assert well(at) == {"app": Do.UPDATE, "base": Do.REBASE}
    assert [(pull.number, pull.branch) for pull in at.pulls()] == [app, base]
    main = at.tree()
    for branch, path, count in (("harden/app", "app/compose.yaml", 2), ("harden/base", "base/Dockerfile", 1)):
        log = at.log(branch)
        assert [commit.id for commit in log[count:]] == [commit.id for commit in at.log()]
        assert all(trailers_of(commit.message) for commit in log[:count])
        assert changed(main, at.tree(branch)) == {path}
    text = at.tree("harden/app")["app/compose.yaml"].data
    assert text.count(b"cap_drop") == 2
    assert text.count(b"pids_limit: 50\r\n") == 1
    assert b"\n" not in text.replace(b"\r\n", b"")
    assert at.tree("harden/base")["base/Dockerfile"] == first["harden/base"]["base/Dockerfile"]
    assert quiet(at) == {"app": Do.KEEP, "base": Do.KEEP}
    at.push({"readme.md": File(b"nothing of ours")})
    assert well(at) == {"app": Do.REBASE, "base": Do.REBASE}
    assert len(at.pulls()) == 2
    assert at.tree("harden/app") == {**at.tree(), "app/compose.yaml": File(text)}


@pytest.mark.parametrize("kind", ["gitlab", "gitea"])
def test_it_may_be_told_to_leave_them_where_they_are(kind: str, make: Make) -> None:
    never = FEW + 'rebase = "never"\n'
    at = make(kind, cache(), never)
    well(at)
    at.push({"readme.md": File(b"1")})
    assert quiet(at) == {"app": Do.KEEP}
    at.push({"hardener.toml": File(never.replace("never", "conflicts").encode())})
    assert quiet(at) == {"app": Do.KEEP}
    at.conflict(1)
    if kind == "gitea":
        # It calls one that it has not looked at yet by the same word, so no conflict is certain there.
        assert quiet(at) == {"app": Do.KEEP}
        return
    assert well(at) == {"app": Do.REBASE}
    assert [commit.id for commit in at.log("harden/app")][-3:] == [commit.id for commit in at.log()]


@pytest.mark.parametrize("kind", KINDS)
def test_somebodys_work_is_left_alone_and_that_is_said_once(kind: str, make: Make) -> None:
    at = make(kind, cache(), FEW)
    well(at)
    ours = at.heads()["harden/app"]
    theirs = at.push({"app/compose.yaml": File(b"mine")}, "harden/app", "fix it")
    at.push(cache(more=b"  other:\r\n    image: redis:7\r\n"))
    body = at.pulls()[0].body
    assert well(at) == {"app": Do.STOP}
    assert len(at.comments(1)) == 1
    assert "`harden/app`" in at.comments(1)[0]
    assert quiet(at) == {"app": Do.STOP}
    assert (len(at.comments(1)), at.heads()["harden/app"], at.pulls()[0].body) == (1, theirs, body)
    # It is handed back.
    at.point("harden/app", ours)
    assert well(at) == {"app": Do.UPDATE}
    assert len(at.comments(1)) == 1
    assert at.tree("harden/app")["app/compose.yaml"].data.count(b"cap_drop") == 2
    # Work that was merged into the branch, or put below ours, is somebody's, too.
    at.push({"readme.md": File(b"mine")}, "harden/app", at.log("harden/app")[0].message)
    assert well(at) == {"app": Do.STOP}


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_one_stays_closed_until_there_are_other_fixes(kind: str, make: Make) -> None:
    at = make(kind, cache(), FEW)
    well(at)
    at.close(1)
    assert quiet(at) == {"app": Do.DECLINE}
    at.point("harden/app", "")
    at.push({"readme.md": File(b"1"), "app/compose.yaml": File(b"# a word\r\n" + CACHE)})
    assert quiet(at) == {"app": Do.DECLINE}
    at.push(cache(more=b"  other:\r\n    image: redis:7\r\n"))
    assert well(at) == {"app": Do.OPEN}
    assert [(pull.number, pull.state) for pull in at.pulls()] == [(1, "closed"), (2, "open")]
    assert quiet(at) == {"app": Do.KEEP}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_to_do_once_it_is_merged_or_done_by_hand(kind: str, make: Make) -> None:
    at = make(kind, {**cache(), "base/Dockerfile": File(DOCKERFILE, EXECUTABLE)}, FEW)
    well(at)
    tree = at.tree("harden/app")
    at.merge(1)
    assert at.tree() == tree
    # Only the other one goes on, on top of what was merged.
    assert well(at) == {"base": Do.REBASE}
    if "harden/app" in at.heads():
        at.point("harden/app", "")
        assert quiet(at) == {"base": Do.KEEP}
    at.push({"base/Dockerfile": File(DOCKERFILE.replace(b"ADD", b"COPY"), EXECUTABLE)})
    assert well(at) == {"base": Do.CLOSE}
    assert [(pull.number, pull.state) for pull in at.pulls()] == [(1, "merged"), (2, "closed")]
    assert len(at.comments(2)) == 1
    assert "nothing left to propose" in at.comments(2)[0]
    assert set(at.heads()) == {"main"}
    assert quiet(at) == {}
    # What we took back ourselves, nobody has declined.
    at.push({"base/Dockerfile": File(DOCKERFILE, EXECUTABLE)})
    assert well(at) == {"base": Do.OPEN}


@pytest.mark.parametrize("kind", KINDS[:2])
def test_limits_labels_and_switches_are_kept(kind: str, make: Make) -> None:
    at = make(kind, {f"{name}/Dockerfile": File(DOCKERFILE) for name in "abc"}, "[pr]\nper-hour = 1\nat-once = 2\n")
    assert quiet(at, dry_run=True) == {"a": Do.OPEN, "b": Do.POSTPONE, "c": Do.POSTPONE}
    assert well(at) == {"a": Do.OPEN, "b": Do.POSTPONE, "c": Do.POSTPONE}
    assert quiet(at)["b"] is Do.POSTPONE
    later = timedelta(hours=1, minutes=1)
    done = work(at, later)
    assert [told.do for told in done.told] == [Do.KEEP, Do.OPEN, Do.POSTPONE]
    assert done.told[-1].until is None, "it is for somebody to merge one"
    assert [pull.branch for pull in at.pulls()] == ["harden/a", "harden/b"]
    at.label(2, "harden:stop")
    at.push({"readme.md": File(b"1")})
    before = at.heads()["harden/b"]
    assert well(at) == {"a": Do.REBASE, "b": Do.LEAVE, "c": Do.POSTPONE}
    assert at.heads()["harden/b"] == before
    at.push({"hardener.toml": File(b"[pr]\nenabled = false\n")})
    writes = at.writes()
    assert "no pull requests are wanted" in work(at).off
    assert at.writes() == writes


@pytest.mark.parametrize("kind", KINDS[:1])
def test_an_issue_lists_all_where_that_is_asked_for(kind: str, make: Make) -> None:
    at = make(kind, {**cache(), "base/Dockerfile": File(DOCKERFILE)}, "[pr]\nper-hour = 1\n")
    assert well(at, dashboard=True) == {"app": Do.OPEN, "base": Do.POSTPONE}
    [(title, body)] = at.issues()
    assert "harden" in title
    assert body.index("## Open") < body.index("`app`") < body.index("## To come") < body.index("`base`")
    assert quiet(at, dashboard=True) == {"app": Do.KEEP, "base": Do.POSTPONE}
    at.close(next(pull.number for pull in at.pulls()))
    assert well(at, dashboard=True)["app"] is Do.DECLINE
    [(_, body)] = at.issues()
    assert "## Open" not in body
    # Somebody wants it after all.
    assert "- [ ] `app`" in body
    at.tick(body.replace("- [ ] `app`", "- [x] `app`"))
    # Its branch is there still.
    assert well(at, timedelta(hours=2), dashboard=True)["app"] is Do.FINISH
    assert "- [x]" not in at.issues()[0][1]
    assert [pull.state for pull in at.pulls() if pull.branch == "harden/app"] == ["closed", "open"]


def test_a_configuration_is_proposed_before_all_else_where_that_is_asked_for(make: Make, tmp_path: Path) -> None:
    at = make("gitlab", cache(), "")
    assert well(at, onboard=True) == {"app": Do.OPEN}, "there is one, if an empty one"
    at = make("gitlab", cache(), None)
    assert well(at, onboard=True) == {"hardener.toml": Do.OPEN, "app": Do.POSTPONE}
    [pull] = at.pulls()
    assert changed(at.tree(), at.tree(pull.branch)) == {"hardener.toml"}
    assert quiet(at, onboard=True) == {"hardener.toml": Do.KEEP, "app": Do.POSTPONE}
    at.merge(pull.number)
    assert well(at, onboard=True) == {"app": Do.OPEN}
    assert quiet(at, onboard=True) == {"app": Do.KEEP}


@pytest.mark.parametrize("kind", ["gitlab", "gitea"])
def test_what_is_held_back_is_said_on_its_lines_once(kind: str, make: Make) -> None:
    at = make(kind, {"app/compose.yaml": File(CACHE + b"    environment:\r\n      - REDIS_PASSWORD=hunter2\r\n")})
    well(at, remarks=True)
    [pull] = at.pulls()
    said = at.remarks(pull.number)
    assert {path for path, _ in said} == {"app/compose.yaml"}
    assert any("secret-in-environment" in words for _, words in said)
    assert quiet(at, remarks=True) == {"app": Do.KEEP}
    at.push({"readme.md": File(b"1")})
    assert well(at, remarks=True) == {"app": Do.REBASE}
    assert at.remarks(pull.number) == said


# Failures


class State(NamedTuple):
    """What anybody sees of pull requests and their branches, without what differs from run to run."""

    heads: dict[str, tuple[dict[str, File], tuple[str, ...]]]
    pulls: tuple[tuple[str, str, str, str], ...]


def state(at: Site) -> State:
    heads = {
        name: (at.tree(name), tuple(commit.message.strip() for commit in at.log(name)))
        for name in at.heads().keys() & {"main", "harden/app", "harden/base"}
    }
    return State(heads, tuple((pull.branch, pull.title, pull.body, pull.state) for pull in at.pulls()))


def is_whole(now: State, before: State, after: State) -> bool:
    """Whether each branch of a pull request, and each pull request, is as it was before or as it is to be in the end."""
    heads = {name: head for name, head in now.heads.items() if name == "harden/app"}
    return all(head in (before.heads.get(name), after.heads.get(name)) for name, head in heads.items()) and {*now.pulls} <= {
        *before.pulls,
        *after.pulls,
    }


def to_open(at: Site) -> None:
    """A repository in which there is all to do."""


def to_update(at: Site) -> None:
    """One with a pull request whose base has other files now."""
    well(at)
    at.push(cache(more=b"  other:\r\n    image: redis:7\r\n"))


@pytest.mark.parametrize("prepare", [to_open, to_update])
@pytest.mark.parametrize("kind", KINDS)
def test_wherever_a_run_is_cut_nothing_is_half_done_and_the_next_one_finishes(
    kind: str, prepare: Callable[[Site], None], make: Make
) -> None:
    """Requests that write are lost, or their answers are, in turn; on GitHub, where they are many, the first and the last."""
    whole = make(kind, cache(), FEW)
    prepare(whole)
    before, writes = state(whole), whole.writes()
    well(whole)
    after, writes = state(whole), whole.writes() - writes
    assert before != after
    assert writes >= 4
    # What is done to a branch, an update does, too; so of opening, the end is what counts.
    cuts = [(number, bool(number % 2)) for number in range(1 if prepare is to_update else writes - 2, writes)]
    for number, is_done in cuts if kind != "github" else ((1, True), (writes - 2, True))[prepare is to_update :]:
        at = make(kind, cache(), FEW)
        prepare(at)
        at.fail(WRITES, ".", 0, skip=number, after=is_done)
        done = work(at)
        at.heal()
        # Only to tidy up behind itself, it need not say that it could not.
        assert done.ended is not None or state(at) == after, (number, is_done)
        assert is_whole(state(at), before, after), (number, is_done)
        well(at)
        assert state(at) == after, (number, is_done)
        # What it tidies up, it does at the latest with the next change.
        if at.heads().keys() != {"main", "harden/app"}:
            at.push({"readme.md": File(b"1")})
            well(at)
            assert at.heads().keys() == {"main", "harden/app"}, (number, is_done)


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_server_refuses_is_said_and_done_once_it_no_longer_does(kind: str, make: Make) -> None:
    at = make(kind, {**cache(), "base/Dockerfile": File(DOCKERFILE)}, FEW)
    main = at.heads()

    at.fail(WRITES, ".", 502, skip=1)
    assert isinstance(work(at).ended, Unavailable)
    at.heal()
    assert not {"harden/app", "harden/base"} & at.heads().keys()

    at.fail(WRITES, ".", 403 if kind == "github" else 429, skip=1, retry_after=120)
    before = at.requests()
    done = work(at)
    assert isinstance(done.ended, Limited)
    assert done.ended.until is not None
    at.heal()
    # Nothing more is asked after that: neither for the other project, nor for anything else.
    assert at.requests() - before < 20
    assert not {"harden/app", "harden/base"} & at.heads().keys()

    with at.protected():
        done = work(at)
        # Gitea calls it a fault of its own (500) where a rule forbids to make a branch.
        wanted = [Unavailable] if kind == "gitea" else [Forbidden, Forbidden]
        assert [type(told.error) for told in done.told] == wanted
        assert at.pulls() == []
        assert {name: head for name, head in at.heads().items() if name.startswith("harden/")} == {}

    with at.powerless():
        done = work(at)
        assert done.off or isinstance(done.ended, Forbidden)
        assert at.pulls() == []
    assert at.heads()["main"] == main["main"]

    assert well(at) == {"app": Do.OPEN, "base": Do.OPEN}
    assert set(at.heads()) == {"main", "harden/app", "harden/base"}
    assert quiet(at) == {"app": Do.KEEP, "base": Do.KEEP}


def test_fifty_thousand_files_take_few_requests_and_little_time(monkeypatch: pytest.MonkeyPatch) -> None:
    if os.access("/dev/shm", os.W_OK):
        # How fast a disk makes files is not what is measured here.
        monkeypatch.setattr("tempfile.tempdir", "/dev/shm")
    repository = "/repos/acme/many"
    blob = {"mode": "100644", "type": "blob", "size": 20}
    tree: list[dict[str, Any]] = [
        {**blob, "path": f"src/{number // 500}/{number}.ts", "sha": f"{number:040x}"} for number in range(50_000)
    ]
    tree.append({**blob, "path": "app/compose.yaml", "sha": "c" * 40, "size": len(CACHE)})
    folders = sorted({item["path"].rpartition("/")[0] for item in tree} | {"src"})
    tree += [{"mode": "040000", "type": "tree", "path": folder, "sha": f"{at:040x}"} for at, folder in enumerate(folders)]
    commit = {"sha": "a" * 40, "message": "1", "tree": {"sha": "b" * 40}, "parents": []}
    with FailingProxy() as proxy:
        proxy.on("GET", repository, body={
            "full_name": "acme/many", "owner": {"login": "acme"}, "default_branch": "main", "html_url": "https://github.com/acme/many",
            "permissions": {"push": True}, "archived": False,
        })  # fmt: skip
        proxy.on("GET", "/user", body={"login": "somebody"})
        proxy.on("GET", f"{repository}/git/ref/heads/main", body={"ref": "refs/heads/main", "object": {"sha": "a" * 40}})
        proxy.on("GET", f"{repository}/git/commits/{'a' * 40}", body=commit)
        proxy.on("GET", f"{repository}/git/trees/[ab]+[?].*", body={"sha": "b" * 40, "tree": tree, "truncated": False})
        proxy.on("GET", f"{repository}/git/blobs/c+", body={"content": b64encode(CACHE).decode(), "encoding": "base64"})
        proxy.on("GET", rf"{repository}/pulls[?].*", body=[])
        began = time.process_time()
        done = work_at(GitHub("acme/many", "token", proxy.url), Asked(dry_run=True), datetime.now(UTC))
        assert time.process_time() - began < 20
        assert (done.ended, [(told.scope, told.do) for told in done.told]) == (None, [("app", Do.OPEN)])
        assert len(proxy.asked) < 10, proxy.paths()


# What strangers say


EVIDENCE = (
    b"version: 1\nservices:\n  app:\n    seen: {image: 'example.com/app:1'}\n    engine: Docker 28\n"
    b"    capabilities: []\n    read-only: true\n    no-new-privileges: true\n    pids: 77\n"
)


def test_what_a_strangers_repository_claims_is_not_believed_unless_that_is_asked_for(make: Make) -> None:
    files = {
        "app/compose.yaml": File(b"services:\n  app:\n    image: example.com/app:1\n"),
        "app/harden.evidence.yaml": File(EVIDENCE),
        "profiles/readme.md": File(b""),
    }
    at = make("gitea", files, "profiles = ['profiles']\n[limits]\npids = 33\n" + WIDE)
    done = work(at, own=False)
    assert done.unbelieved == ("app/harden.evidence.yaml", "profiles")
    said = [line for line in lines(done) if line.startswith("not believed: ")]
    assert len(said) == 2
    assert "app/harden.evidence.yaml" in said[0]
    [pull] = at.pulls()
    assert "### Evidence that was not used" in pull.body
    assert "`app/harden.evidence.yaml`" in pull.body
    text = at.tree(pull.branch)["app/compose.yaml"].data
    assert b"cap_drop" not in text
    assert b"read_only" not in text
    assert b"pids: 77" not in text
    assert well(at, own=False, trust_evidence=True) == {"app": Do.UPDATE}
    text = at.tree(pull.branch)["app/compose.yaml"].data
    assert b"cap_drop" in text
    assert b"read_only" in text
    assert "Evidence that was not used" not in at.pulls()[0].body
    assert work(at, own=True).unbelieved == ()


EVIL = "@evil <img src=x> [x](http://evil.example) #77 `` ::error::x"
HOSTILE = {
    "@evil [x](evil.example) <b>x/compose.yaml": File(
        f"# {EVIL}\n::error::x: 1\nservices:\n  cache:\n    # {EVIL}\n    image: redis:7  # {EVIL}\n"
        f'    environment:\n      "PASSWORD@evil": "{EVIL}"\n'
        f"  other:\n    image: 'redis:7-@evil`<b>'\n    privileged: true\n    volumes: ['/var/run/docker.sock:{EVIL}']\n".encode()
    ),
    "::error::x/Dockerfile": File(f"# {EVIL}\nFROM node:20 AS evil\nADD . /@evil`<b>\nRUN echo '{EVIL}'\n".encode()),
    "www.evil.example/k8s.yaml": File(MANIFEST.replace(b"name: web\nspec", f"name: '{EVIL}'\nspec".encode())),
}


class Shown(HTMLParser):
    """What of a body is shown: links, elements, and the text that is no code."""

    def __init__(self, body: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.links: set[str] = set()
        self.text = ""
        self._code = 0
        self.feed(cmarkgfm.github_flavored_markdown_to_html(body, cmarkgfm.cmark.Options.CMARK_OPT_UNSAFE))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.links |= {value or "" for name, value in attrs if name in ("href", "src")}
        self._code += tag == "code"

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag == "code"

    def handle_data(self, data: str) -> None:
        self.text += "" if self._code else data


def test_names_and_comments_of_strangers_are_neither_markup_nor_orders(make: Make) -> None:
    at = make("gitlab", HOSTILE)
    # What a stranger's configuration says of limits does not raise them: the third comes an hour later.
    for later, number in ((timedelta(), 2), (timedelta(hours=2), 3)):
        done = work(at, later, own=False, unsafe=True, dashboard=True, remarks=True)
        assert done.ended is None
        assert len(at.pulls()) == number, done
    for body in (
        *(pull.body for pull in at.pulls()),
        *(body for _, body in at.issues()),
        *(words for pull in at.pulls() for _, words in at.remarks(pull.number)),
    ):
        shown = Shown(body)
        assert not {"img", "b", "script", "a b"} & shown.elements
        assert not any("evil" in link for link in shown.links), shown.links
        assert not re.search(r"(?<![\w\u200b])@evil", shown.text), shown.text
        assert not re.search(r"(?<![\w\u200b])#77\b", shown.text)
    for pull in at.pulls():
        assert "evil" not in pull.title.replace("`", "") or not re.search(r"@evil", pull.title), pull.title
        for commit in at.log(pull.branch)[:-1]:
            assert not re.search(r"(^|[^\w`])@evil|#77\b", commit.message), commit.message
    told = [line for one in (lines(done), lines(work(at, own=False, dry_run=True, unsafe=True), show=True)) for line in one]
    assert not [line for line in told if re.match(r"\s*(::|##\[)", line)]
    assert not any("\x1b" in line for line in told)


# The command line


@pytest.mark.network
def test_the_command_does_it_and_never_says_the_token(make: Make, tmp_path: Path) -> None:
    at = make("github", {**cache(), **HOSTILE})
    assert isinstance(at, GitHubSite)
    token = at.repository.token

    def harden(*words: str) -> tuple[int, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "GH_", "HARDEN_", "CI_"))}
        job = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": at.repository.name}
        job |= dict.fromkeys(("GITHUB_API_URL", "GITHUB_SERVER_URL"), at.proxy.url)
        done = subprocess.run(
            [sys.executable, "-m", "hardener", "pr", *words], cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**kept, **job, "HARDEN_TOKEN": token, "HOME": str(tmp_path)},
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert token not in said
        assert not re.search(r"^\s*(::|##\[)", said, re.MULTILINE)
        assert "\x1b" not in said
        return done.returncode, said

    code, said = harden("--dry-run", "--show")
    assert (code, at.writes()) == (0, 0), said
    assert "nothing was sent" in said
    code, said = harden()
    assert code == 0, said
    assert len(at.pulls()) == len(said.splitlines()) - 1 == 4
    assert not any(token in pull.body for pull in at.pulls())
    # Of many, each is named, also one that is not there.
    names = [at.repository.name, "octocat/none"]
    (tmp_path / "many").write_text("\n".join(names))
    at.fail("GET", "/git/trees/", 403)
    code, said = harden("--all", "many", "--format", "json")
    assert code != 0
    found = json.loads(said)["repositories"]
    assert [one["name"] for one in found] == names
    assert "It failed" in found[0]["ended"]["reason"]
