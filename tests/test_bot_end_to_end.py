"""The bot with everything real but the server: what people find at a forge after each run, and after each failure.

Every assertion is about the state of an emulated server. What `harden --write` makes of a checkout is what all pull requests
together have to come to.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest
from sites import EXECUTABLE, File, Files, Site, site

from hardener.bot.done import Done
from hardener.bot.making import work_at
from hardener.bot.manners import Do
from hardener.bot.marks import trailers_of
from hardener.bot.proposal import Asked

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
Make = Callable[..., Site]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardener.bot.gitlab_server.PAUSES", (0.0, 0.0))
    monkeypatch.setattr("hardener.bot.gitlab.PAUSES", (0.0, 0.0))
    monkeypatch.setattr("hardener.bot.gitlab_server.REST", 0.0, raising=False)


@pytest.fixture
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """`make(kind, files, settings)`: a forge with a repository of these files and a configuration."""
    opened: list[AbstractContextManager[Site]] = []

    def made(kind: str, files: Files, settings: str = WIDE) -> Site:
        emulator = request.getfixturevalue("github") if kind == "github" else None
        opened.append(site(kind, {**files, "hardener.toml": File(settings.encode())}, emulator))
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


def quiet(at: Site, **asked: object) -> dict[str, Do]:
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
        # Each commit is one rule's, and does something.
        for commit in log[:-1]:
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


@pytest.mark.parametrize("kind", KINDS)
def test_it_may_be_told_to_leave_them_where_they_are(kind: str, make: Make) -> None:
    never = WIDE + 'rebase = "never"\n'
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
    at = make(kind, cache())
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
    at = make(kind, cache())
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
    at = make(kind, {**cache(), "base/Dockerfile": File(DOCKERFILE, EXECUTABLE)})
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


@pytest.mark.parametrize("kind", KINDS)
def test_limits_labels_and_switches_are_kept(kind: str, make: Make) -> None:
    files = {f"{name}/Dockerfile": File(DOCKERFILE) for name in "abcd"}
    at = make(kind, files, "[pr]\nper-hour = 2\nat-once = 3\n")
    assert quiet(at, dry_run=True) == {"a": Do.OPEN, "b": Do.OPEN, "c": Do.POSTPONE, "d": Do.POSTPONE}
    assert well(at) == {"a": Do.OPEN, "b": Do.OPEN, "c": Do.POSTPONE, "d": Do.POSTPONE}
    assert quiet(at)["c"] is Do.POSTPONE
    [told] = [told for told in work(at).told if told.scope == "c"]
    assert told.until is not None
    later = timedelta(hours=1, minutes=1)
    assert list(well(at, later).values()) == [Do.KEEP, Do.KEEP, Do.OPEN, Do.POSTPONE]
    assert [pull.branch for pull in at.pulls()] == ["harden/a", "harden/b", "harden/c"]
    at.label(2, "harden:stop")
    at.push({"readme.md": File(b"1")})
    before = at.heads()["harden/b"]
    assert well(at) == {"a": Do.REBASE, "b": Do.LEAVE, "c": Do.REBASE, "d": Do.POSTPONE}
    assert at.heads()["harden/b"] == before
    at.push({"hardener.toml": File(b"[pr]\nenabled = false\n")})
    writes = at.writes()
    assert "no pull requests are wanted" in work(at).off
    assert at.writes() == writes
