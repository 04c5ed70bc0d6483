"""The forge Gitea, and Forgejo: what is read and made there, and that the real branch moves at once or not at all."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from gitea_emulator import Fault, GiteaServer, running

from hardener.bot.forge import (
    EXECUTABLE,
    FILE,
    Author,
    Commit,
    Entry,
    Forbidden,
    Forge,
    ForgeError,
    Limited,
    Missing,
    Moved,
    Remark,
    State,
    Unavailable,
    Written,
    entries_by_path,
)
from hardener.bot.forges.gitea import Gitea
from hardener.bot.forges.gitea_branch import Branches
from hardener.bot.marks import Trailers, digest, trailers_of, with_trailers

BRANCH = "harden/deploy--shop"
SPARE = "harden-next/" + digest(BRANCH)
COMPOSE = b"services:\r\n  web:\r\n    image: nginx\r\n"
BINARY = bytes(range(256)) * 3
FILES = {
    "deploy/shop/compose.yaml": COMPOSE,
    "deploy/shop/start.sh": (EXECUTABLE, b"#!/bin/sh\nexec web\n"),
    "logo.bin": BINARY,
    "latest": ("120000", b"deploy/shop"),
    "Dockerfile": b"FROM nginx\n",
}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that the machine has is not asked for, which is half of the work of a request."""
    monkeypatch.setattr("requests.sessions.get_environ_proxies", lambda *_, **__: {})


@pytest.fixture
def server() -> Iterator[GiteaServer]:
    with running() as found:
        found.push_to("main", FILES, "first\n")
        yield found


def gitea(server: GiteaServer, token: str = "token", **more: bool) -> Gitea:
    return Gitea(server.url, server.name, token, pauses=(0, 0), **more)


def message(step: int, steps: int = 2, branch: str = BRANCH) -> str:
    return with_trailers(f"Do {step}", Trailers(branch, step, steps, "0" * 16))


def commits(*marks: bytes, branch: str = BRANCH) -> list[Commit]:
    """A commit for each mark, the first of which also writes a script and a new file."""
    made = []
    for step, mark in enumerate(marks, 1):
        files = [Written("deploy/shop/compose.yaml", COMPOSE + mark)]
        if step == 1:
            files += [
                Written("deploy/shop/start.sh", b"#!/bin/sh\r\nexec web " + mark, EXECUTABLE),
                Written("deploy/new/ñ $x & #1.bin", BINARY + mark, is_new=True),
            ]
        made.append(Commit(message(step, len(marks), branch), tuple(files)))
    return made


def expected(server: GiteaServer, *marks: bytes) -> dict[str, tuple[str, bytes]]:
    return server.content("main") | {
        "deploy/shop/compose.yaml": (FILE, COMPOSE + marks[-1]),
        "deploy/shop/start.sh": (EXECUTABLE, b"#!/bin/sh\r\nexec web " + marks[0]),
        "deploy/new/ñ $x & #1.bin": (FILE, BINARY + marks[0]),
    }


def opened(server: GiteaServer, *marks: bytes) -> tuple[Gitea, str]:
    """A branch that was made, with a pull request."""
    forge = gitea(server)
    at = forge.put_branch(BRANCH, "", server.branches["main"], commits(*(marks or (b"a", b"b"))), None)
    forge.make_pull(BRANCH, "main", "Title", "Body", draft=False, labels=())
    server.asked.clear()
    return forge, at


def writes(server: GiteaServer) -> list[tuple[str, str]]:
    return [(method, path.removeprefix(f"/repos/{server.name}")) for method, path in server.asked if method != "GET"]


def test_it_is_a_forge(server: GiteaServer) -> None:
    forge: Forge = gitea(server)
    assert (forge.pull_word, forge.pull_sign) == ("pull request", "#")
    assert forge.suggestion("x", 1) == ""


def test_trees_are_those_of_git(server: GiteaServer, tmp_path: Path) -> None:
    # The judge of the emulator: git, given the same files.
    def git(*arguments: str, data: bytes = b"") -> str:
        found = subprocess.run(("git", *arguments), cwd=tmp_path, input=data, capture_output=True, check=True)
        return found.stdout.decode().strip()

    git("init", "-q")
    files = {path: data if isinstance(data, tuple) else (FILE, data) for path, data in FILES.items()} | {"a/b.txt": (FILE, b"x")}
    server.push_to("other", files)  # type: ignore[arg-type]
    lines = [f"{mode} {git('hash-object', '-w', '--stdin', data=data)}\t{path}\0" for path, (mode, data) in files.items()]
    git("update-index", "-z", "--index-info", data="".join(lines).encode())
    assert git("write-tree") == server.commits[server.branches["other"]].tree


# Reading.


def test_repository(server: GiteaServer) -> None:
    found = gitea(server).repository()
    assert (found.name, found.branch) == ("owner/shop", "main")
    assert (found.is_own, found.may_push, found.is_archived) == (False, True, False)
    assert gitea(server, is_own=True).repository().is_own
    server.tokens["mine"] = ("Owner", "write:repository,read:user")
    assert gitea(server, "mine").repository().is_own
    # Without read:user nobody can be told from others.
    server.tokens["blind"] = ("owner", "write:repository")
    assert not gitea(server, "blind").repository().is_own
    server.mirror = True
    found = gitea(server).repository()
    assert (found.may_push, found.is_archived) == (False, True)


def test_an_empty_repository_has_no_head() -> None:
    with running() as server:
        forge = gitea(server)
        assert forge.repository().branch == "main"
        assert forge.head("main") == ""


@pytest.mark.parametrize("branch", ["", "../../user", "a//b", "a/./b", "x\ny", "nowhere", "a b", "ä/ö", "%2e%2e/x", "?x=1#y"])
def test_a_name_that_is_no_branch_has_no_head(server: GiteaServer, branch: str) -> None:
    assert gitea(server).head(branch) == ""
    assert all(path.startswith("/repos/owner/shop/branches/") for _, path in server.asked)


def test_listing_in_pages(server: GiteaServer) -> None:
    server.trees_page = 2
    forge = gitea(server)
    found = forge.listing(server.branches["main"])
    assert found.complete
    assert {entry.path: (entry.mode, entry.size) for entry in found.entries} == {
        path: (mode, len(data)) for path, (mode, data) in server.content("main").items()
    }
    asked = len(server.asked)
    assert forge.listing(server.branches["main"]) is found
    assert len(server.asked) == asked


def test_fifty_thousand_files(server: GiteaServer) -> None:
    id = server.blob(b"x")
    files = {f"folder{number % 50}/file{number}": (FILE, id) for number in range(50_000)}
    first = server.branches["main"] = server.commit(files, [], "many\n")
    second = server.commit({**files, "folder7/file7": (FILE, server.blob(b"y"))}, [first], "one\n")
    forge = gitea(server)
    began = time.process_time()
    assert len(forge.listing(first).entries) == 50_000
    assert len(server.asked) <= 52
    server.asked.clear()
    # Only folders that differ are looked into.
    assert forge.changed(first, second) == {"folder7/file7"}
    assert len(server.asked) == 4
    assert time.process_time() - began < 10


def test_a_server_that_never_ends_is_left(server: GiteaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardener.bot.forges.gitea._MOST_ENTRIES", 3)
    server.trees_page = 2
    forge = gitea(server)
    assert not forge.listing(server.branches["main"]).complete
    # What is not listed may be there: nothing is written over it.
    with pytest.raises(ForgeError, match="more files than can be listed"):
        forge.put_branch(BRANCH, "", server.branches["main"], [Commit("x", (Written("z", b""),))], None)
    assert writes(server) == []


@pytest.mark.parametrize("largest", [10_485_760, 10])
def test_what_is_read_is_byte_for_byte(server: GiteaServer, largest: int) -> None:
    server.largest_blob = largest
    server.push_to("main", {"ä b/%20?#.txt": b"\xff\r\n\x00" * 9, "empty": b""})
    commit = server.branches["main"]
    forge = gitea(server)
    for path, entry in entries_by_path(forge.listing(commit).entries).items():
        if entry.mode != "120000" or largest > 10:
            assert forge.read(commit, entry) == server.content("main")[path][1]


def test_what_is_not_what_the_commit_has_is_refused(server: GiteaServer) -> None:
    forge, commit = gitea(server), server.branches["main"]
    entry = entries_by_path(forge.listing(commit).entries)["Dockerfile"]
    server.blobs[entry.id] = b"FROM evil\n"
    with pytest.raises(ForgeError, match="not what its commit has"):
        forge.read(commit, entry)


@pytest.mark.parametrize("path", ["../../../user", "/etc/passwd", "a/../b", "a\nb", ""])
def test_a_hostile_path_leads_nowhere_else(server: GiteaServer, path: str) -> None:
    server.largest_blob = -1
    id = server.blob(b"x")
    with pytest.raises(Missing) as raised:
        gitea(server).read(server.branches["main"], Entry(path, FILE, id))
    assert "\n" not in str(raised.value)
    assert [path for _, path in server.asked] == [f"/repos/owner/shop/git/blobs/{id}"]


@pytest.mark.parametrize("id", ["", "HEAD", "../../../user", "a" * 41, "main?x"])
def test_only_ids_are_asked_for(server: GiteaServer, id: str) -> None:
    forge = gitea(server)
    for ask in (lambda: forge.listing(id), lambda: forge.history(id or "x", 1), lambda: forge.read(id, Entry("a", FILE, id))):
        with pytest.raises(Missing):
            ask()
    assert server.asked == []


def test_history_follows_first_parents(server: GiteaServer) -> None:
    first = server.branches["main"]
    side = server.commit({}, [first], "side\n")
    merge = server.commit({}, [first, side], "merge\n")
    forge = gitea(server)
    assert [(past.id, past.message, past.parents) for past in forge.history(merge, 9)] == [
        (merge, "merge\n", (first, side)),
        (first, "first\n", ()),
    ]
    assert [past.id for past in forge.history(merge, 1)] == [merge]
    for number in range(60):
        merge = server.commit({}, [merge, side], f"{number}\n")
    before = len(server.asked)
    assert [past.message for past in forge.history(merge, 60)] == [f"{number}\n" for number in reversed(range(60))]
    assert len(server.asked) - before < 6
    with pytest.raises(Missing):
        forge.history("a" * 40, 1)
    with pytest.raises(Missing):
        forge.listing("a" * 40)


def test_changed_sees_all_that_differs(server: GiteaServer) -> None:
    entry = (FILE, server.blob(b"x"))
    before = {
        "same/a": entry,
        "mode": entry,
        "gone/deep/a": entry,
        "file": entry,
        "folder/a": entry,
        "module": ("160000", "1" * 40),
    }
    after = {
        "same/a": entry, "mode": (EXECUTABLE, entry[1]), "file/now/a": entry, "folder": ("120000", entry[1]),
        "module": ("160000", "2" * 40), "new/a": entry,
    }  # fmt: skip
    base, commit = server.commit(before, [], "a"), server.commit(after, [], "b")
    everything = {"mode", "gone/deep/a", "file", "file/now/a", "folder", "folder/a", "module", "new/a"}
    assert gitea(server).changed(base, commit) == everything
    assert gitea(server).changed(base, base) == frozenset()


# Branches.


def test_a_new_branch(server: GiteaServer) -> None:
    forge, base = gitea(server), server.branches["main"]
    last = forge.put_branch(BRANCH, "", base, commits(b"a", b"b"), Author("Jo", "jo@example.org"))
    assert server.branches == {"main": base, BRANCH: last}
    assert server.content(BRANCH) == expected(server, b"a", b"b")
    past = forge.history(last, 3)
    assert [trailers_of(one.message).step for one in past[:2]] == [2, 1]  # type: ignore[union-attr]
    assert past[2].id == base
    assert server.commits[last].author == {"name": "Jo", "email": "jo@example.org"}
    # The branch is made once, at a commit that is complete.
    assert writes(server)[-2:] == [("POST", "/branches"), ("DELETE", f"/branches/{SPARE}")]


def test_the_base_need_not_be_a_head(server: GiteaServer) -> None:
    base = server.branches["main"]
    server.push_to("main", {"later": b"x"})
    gitea(server).put_branch(BRANCH, "", base, commits(b"a"), None)
    assert "later" not in server.content(BRANCH)


def test_our_trailers_stay_the_last_paragraph_where_the_server_signs(server: GiteaServer) -> None:
    server.signs = True
    forge = gitea(server)
    last = forge.put_branch(BRANCH, "", server.branches["main"], commits(b"a"), Author("Jo", "jo@example.org"))
    assert trailers_of(forge.history(last, 1)[0].message) == Trailers(BRANCH, 1, 1, "0" * 16)


servers = pytest.mark.parametrize(
    ("can_move", "force_field"),
    [(True, "force_push"), (False, "force_push"), (False, "force_overwrite_new_branch")],
    ids=["gitea-1.26", "without-moving", "forgejo-16"],
)


@servers
@pytest.mark.parametrize("marks", [(b"c",), (b"c", b"d", b"e")])
def test_an_existing_branch_is_replaced(server: GiteaServer, can_move: bool, force_field: str, marks: tuple[bytes, ...]) -> None:
    forge, was = opened(server)
    server.can_move, server.force_field = can_move, force_field
    server.push_to("main", {"later": b"x"})
    positions = [was]
    server.meanwhile = lambda *_: positions.append(server.branches[BRANCH])
    last = forge.put_branch(BRANCH, was, server.branches["main"], commits(*marks), None)
    assert set(positions) == {was, last}
    assert server.content(BRANCH) == expected(server, *marks)
    assert SPARE not in server.branches
    pull = forge.pulls("harden/")[0]
    assert (pull.state, server.branches[BRANCH]) == (State.OPEN, last)


def test_a_server_that_can_do_neither_is_told_of_and_nothing_is_touched(server: GiteaServer) -> None:
    forge, was = opened(server)
    server.can_move, server.force_field = False, ""
    with pytest.raises(ForgeError, match="cannot move a branch") as raised:
        forge.put_branch(BRANCH, was, server.branches["main"], commits(b"c", b"d"), None)
    assert "--git" in raised.value.remedy
    assert server.branches.keys() == {"main", BRANCH}
    assert server.branches[BRANCH] == was


@pytest.mark.parametrize("was", ["", "a" * 40])
def test_a_branch_that_is_elsewhere_is_left(server: GiteaServer, was: str) -> None:
    forge, at = opened(server)
    with pytest.raises(Moved):
        forge.put_branch(BRANCH, was, server.branches["main"], commits(b"c"), None)
    assert (server.branches[BRANCH], writes(server)) == (at, [])


def test_a_branch_that_has_gone_is_not_made_again(server: GiteaServer) -> None:
    with pytest.raises(Moved):
        gitea(server).put_branch(BRANCH, "a" * 40, server.branches["main"], commits(b"c"), None)
    assert writes(server) == []


@servers
def test_what_others_push_meanwhile_stays(server: GiteaServer, can_move: bool, force_field: str) -> None:
    forge, was = opened(server)
    server.can_move, server.force_field = can_move, force_field

    def push(method: str, path: str) -> None:
        if (method, path) == ("POST", "/repos/owner/shop/contents"):
            server.meanwhile = None
            server.set_branch(BRANCH, server.push_to(BRANCH, {"theirs": b"work"}))

    server.meanwhile = push
    with pytest.raises(Moved):
        forge.put_branch(BRANCH, was, server.branches["main"], commits(b"c", b"d"), None)
    assert server.content(BRANCH)["theirs"] == (FILE, b"work")
    assert SPARE not in server.branches


@pytest.mark.parametrize("gone", [False, True])
def test_what_others_do_in_the_very_moment_of_the_move_stays(server: GiteaServer, gone: bool) -> None:
    forge, was = opened(server)

    def act(method: str, path: str) -> None:
        if method == "PUT" and path.endswith(BRANCH):
            server.meanwhile = None
            server.set_branch(BRANCH, "" if gone else server.push_to(BRANCH, {"theirs": b"work"}))

    server.meanwhile = act
    with pytest.raises(Moved):
        forge.put_branch(BRANCH, was, server.branches["main"], commits(b"c"), None)
    assert BRANCH not in server.branches if gone else "theirs" in server.content(BRANCH)


def test_a_branch_that_others_make_in_the_very_moment_stays(server: GiteaServer) -> None:
    def act(method: str, path: str) -> None:
        if (method, path) == ("POST", "/repos/owner/shop/branches") and SPARE in server.branches:
            server.meanwhile = None
            server.branches[BRANCH] = server.branches["main"]

    server.meanwhile = act
    with pytest.raises(Moved):
        gitea(server).put_branch(BRANCH, "", server.branches["main"], commits(b"c"), None)
    assert server.branches == {"main": server.branches["main"], BRANCH: server.branches["main"]}


def test_two_runs_at_once_do_not_mix(server: GiteaServer) -> None:
    def other_run(method: str, path: str) -> None:
        if (method, path) == ("POST", "/repos/owner/shop/contents"):
            server.meanwhile = None
            server.push_to(SPARE, {"Dockerfile": b"FROM other\n"}, message(1))

    server.meanwhile = other_run
    with pytest.raises(Moved, match="at this moment"):
        gitea(server).put_branch(BRANCH, "", server.branches["main"], commits(b"c", b"d"), None)
    assert BRANCH not in server.branches


WRITES = [
    ("POST", "/branches$", 0),
    ("POST", "/contents$", 0),
    ("POST", "/contents$", 1),
    ("PUT", SPARE, 0),
    ("PUT", BRANCH, 0),
    ("DELETE", SPARE, 0),
]


@pytest.mark.parametrize(("status", "after"), [(0, False), (0, True), (502, False)], ids=["cut", "cut-after", "502"])
@pytest.mark.parametrize(("method", "path", "skip"), WRITES)
def test_a_break_leaves_all_or_nothing_and_the_next_run_finishes(
    server: GiteaServer, method: str, path: str, skip: int, status: int, after: bool
) -> None:
    forge, was = opened(server)
    fault = Fault(method, path, status, after=after, skip=skip)
    # Half of the breaks last: then our own branch stays, too.
    server.faults = [fault, Fault("DELETE", SPARE)] if after else [fault]
    wanted = commits(b"c", b"d")
    try:
        last = forge.put_branch(BRANCH, was, server.branches["main"], wanted, None)
    except Unavailable:
        last = ""
    assert fault.times == 0
    # Taking our own branch away may fail: that is for the next run.
    assert bool(last) == (method == "DELETE")
    now = server.branches[BRANCH]
    if now != was:
        assert server.content(BRANCH) == expected(server, b"c", b"d")
    server.faults = []
    again = gitea(server)
    final = again.put_branch(BRANCH, again.head(BRANCH), server.branches["main"], wanted, None)
    assert server.branches == {"main": server.branches["main"], BRANCH: final}
    assert server.content(BRANCH) == expected(server, b"c", b"d")
    assert again.pulls("harden/")[0].state is State.OPEN


def test_a_break_of_a_new_branch_shows_nothing(server: GiteaServer) -> None:
    # Nothing gets through any more.
    server.faults = [Fault("POST", "/contents$", skip=1), Fault("DELETE", "")]
    with pytest.raises(Unavailable):
        gitea(server).put_branch(BRANCH, "", server.branches["main"], commits(b"a", b"b"), None)
    assert BRANCH not in server.branches
    assert SPARE in server.branches
    # The base has moved since, which does not make the leftover anybody else's.
    server.push_to("main", {"later": b"x"})
    gitea(server).put_branch(BRANCH, "", server.branches["main"], commits(b"a", b"b"), None)
    assert server.branches.keys() == {"main", BRANCH}


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_leftover_is_only_taken_away_if_it_is_ours(server: GiteaServer, is_ours: bool) -> None:
    # Ours has no commit yet: it is where main was.
    server.branches[SPARE] = server.branches["main"]
    server.push_to("main", {"later": b"x"})
    if not is_ours:
        server.push_to(SPARE, {"theirs": b"work"})
    forge = gitea(server)
    if is_ours:
        forge.put_branch(BRANCH, "", server.branches["main"], commits(b"a"), None)
        assert SPARE not in server.branches
    else:
        with pytest.raises(ForgeError, match="not ours"):
            forge.put_branch(BRANCH, "", server.branches["main"], commits(b"a"), None)
        assert "theirs" in server.content(SPARE)
        assert writes(server) == []


@pytest.mark.parametrize(
    "file",
    [
        Written("new.sh", b"x", EXECUTABLE, is_new=True),
        Written("Dockerfile", b"x", EXECUTABLE),
        Written("deploy/shop/start.sh", b"x", FILE),
        Written("latest", b"x", "120000"),
        Written("latest", b"x", FILE),
        Written("\udcff.yaml", b"x", FILE),
    ],
    ids=["new", "on", "off", "link", "through-link", "no-unicode"],
)
def test_what_the_server_cannot_write_is_refused_beforehand(server: GiteaServer, file: Written) -> None:
    with pytest.raises(ForgeError, match=r"with the mode|not a name in Unicode"):
        gitea(server).put_branch(BRANCH, "", server.branches["main"], [*commits(b"a"), Commit("x", (file,))], None)
    assert writes(server) == []


@pytest.mark.parametrize("path", ["../x", ".git/config", "Dockerfile/x", "a" * 501])
def test_what_the_server_does_not_take_as_a_file_is_said(server: GiteaServer, path: str) -> None:
    with pytest.raises(ForgeError, match="could not be made") as raised:
        gitea(server).put_branch(BRANCH, "", server.branches["main"], [Commit("x", (Written(path, b"x"),))], None)
    assert not isinstance(raised.value, Moved)
    assert len(str(raised.value)) < 400
    assert server.branches.keys() == {"main"}


def test_a_file_that_is_kept_otherwise_is_no_success(server: GiteaServer) -> None:
    server.lfs = {"logo.bin"}
    with pytest.raises(ForgeError, match="another form"):
        gitea(server).put_branch(BRANCH, "", server.branches["main"], [Commit("x", (Written("logo.bin", b"y"),))], None)
    assert server.branches.keys() == {"main"}


@pytest.mark.parametrize("branch", ["", "a..b/../c", "x/" + "y" * 99, "a\x1bb", "/x"])
def test_names_that_the_server_does_not_take(server: GiteaServer, branch: str) -> None:
    with pytest.raises(ForgeError) as raised:
        gitea(server).put_branch(branch, "", server.branches["main"], commits(b"a", branch=BRANCH), None)
    assert str(raised.value).isprintable()
    assert server.branches.keys() == {"main"}


def test_a_name_in_the_way_is_said(server: GiteaServer) -> None:
    server.branches["harden"] = server.branches["main"]
    with pytest.raises(ForgeError, match=r"in its way|same name") as raised:
        gitea(server).put_branch(BRANCH, "", server.branches["main"], commits(b"a"), None)
    assert not isinstance(raised.value, Moved)
    assert server.branches.keys() == {"main", "harden"}


def test_protected_branches(server: GiteaServer) -> None:
    forge, was = opened(server)
    server.protected = "harden/*"
    with pytest.raises(Forbidden, match="protected") as raised:
        forge.put_branch(BRANCH, was, server.branches["main"], commits(b"c"), None)
    assert "rules for protected branches" in raised.value.remedy
    with pytest.raises(Forbidden):
        forge.drop_branch(BRANCH, was)
    server.can_move = False
    with pytest.raises(Forbidden, match="permission to write to the target branch"):
        forge.put_branch(BRANCH, was, server.branches["main"], commits(b"c"), None)
    with pytest.raises(Unavailable, match="rule or a hook"):
        forge.put_branch("harden/other", "", server.branches["main"], commits(b"c", branch="harden/other"), None)
    assert server.branches == {"main": server.branches["main"], BRANCH: was}


def test_dropping_a_branch(server: GiteaServer) -> None:
    forge, was = opened(server)
    with pytest.raises(Moved):
        forge.drop_branch(BRANCH, server.branches["main"])
    assert BRANCH in server.branches
    forge.drop_branch(BRANCH, was)
    assert BRANCH not in server.branches
    forge.drop_branch(BRANCH, was)
    # The name of the branch is still known.
    assert [(pull.branch, pull.state) for pull in forge.pulls("harden/")] == [(BRANCH, State.CLOSED)]


# Pull requests.


def test_making_a_pull_request(server: GiteaServer) -> None:
    server.labels = {5: "security", 6: "other"}
    forge = gitea(server)
    forge.put_branch(BRANCH, "", server.branches["main"], commits(b"a"), None)
    pull = forge.make_pull(BRANCH, "main", "A [title]", "Body\r\n", draft=True, labels=["security", "harden"])
    assert pull == forge.pulls("harden/")[0]
    assert pull[:5] == (1, BRANCH, "main", "A [title]", "Body\r\n")
    assert (pull.is_draft, pull.labels, pull.is_from_fork, pull.conflicts) == (
        True,
        {"security", "harden"},
        False,
        False,
    )
    assert pull.created == datetime(2023, 12, 31, 22, 0, 1, tzinfo=UTC)
    assert server.issues[1]["title"] == "WIP: A [title]"
    forge.put_pull(1, title="Another", body="Words", base="main")
    assert server.issues[1]["title"] == "WIP: Another"
    with pytest.raises(ForgeError, match="already"):
        forge.make_pull(BRANCH, "main", "Again", "", draft=False, labels=())
    with pytest.raises(Missing, match="no pull request can be made"):
        forge.make_pull(BRANCH, "nowhere", "Again", "", draft=False, labels=())


def test_labels_without_the_right_to_give_them(server: GiteaServer) -> None:
    server.tokens["few"] = ("robot", "write:repository,read:user")
    gitea(server).put_branch(BRANCH, "", server.branches["main"], commits(b"a"), None)
    pull = gitea(server, "few").make_pull(BRANCH, "main", "T", "B", draft=False, labels=["security"])
    assert (pull.labels, server.labels) == (frozenset(), {})


def test_pulls_of_all_states_in_pages(server: GiteaServer) -> None:
    # The server gives less on a page than it is asked for.
    server.max_page = 7
    for number in range(1, 20):
        server.add(f"T{number}", "", branch=f"harden/x{number}", state="closed" if number % 2 else "open", merged=number % 4 == 1)
    server.add("[WIP] fork", "", branch="harden/theirs", fork=True, mergeable=False)
    server.add("other", "", branch="feature")
    server.add("an issue", "")
    found = gitea(server).pulls("harden/")
    assert [pull.number for pull in found] == list(range(20, 0, -1))
    states = [pull.state for pull in sorted(found, key=lambda pull: pull.number)]
    assert states[:4] == [State.MERGED, State.OPEN, State.CLOSED, State.OPEN]
    assert (found[0].title, found[0].is_draft, found[0].is_from_fork, found[0].conflicts) == ("fork", True, True, None)


def test_pulls_are_bounded(server: GiteaServer) -> None:
    for number in range(600):
        server.add("T", "", branch=f"harden/{number}", state="closed")
    found = gitea(server).pulls("harden/")
    assert [pull.number for pull in found] == list(range(600, 100, -1))
    assert len(server.asked) == 11


def test_closing_and_own_comments(server: GiteaServer) -> None:
    forge, _ = opened(server)
    forge.make_comment(1, "All is done.")
    forge.close_pull(1)
    assert (server.issues[1]["state"], server.issues[1]["comments"]) == ("closed", [("robot", "All is done.")])
    server.issues[1]["comments"].append(("jo", "Thanks"))
    assert forge.comments(1) == ["All is done."]
    assert forge.pulls("")[0].state is State.CLOSED


def test_changing_the_base(server: GiteaServer) -> None:
    forge, _ = opened(server)
    server.branches["next"] = server.branches["main"]
    forge.put_pull(1, title="T", body="B", base="next")
    assert forge.pulls("")[0].base == "next"
    with pytest.raises(Missing):
        forge.put_pull(1, title="T", body="B", base="nowhere")


def test_remarks(server: GiteaServer) -> None:
    forge, at = opened(server)
    wanted = [Remark("deploy/shop/compose.yaml", 3, "Why?", start=2), Remark("Dockerfile", 1, "And here")]
    forge.make_remarks(1, at, "Two things", wanted)
    # A remark is on one line here.
    assert forge.remarks(1) == [Remark("deploy/shop/compose.yaml", 3, "Why?"), Remark("Dockerfile", 1, "And here")]
    comment = {"path": "a", "body": "b", "position": 4, "original_position": 0}
    reviews = server.issues[1]["reviews"]
    reviews.append({"state": "COMMENT", "by": "jo", "body": "", "comments": [comment]})
    reviews.append({"state": "COMMENT", "by": "robot", "body": "", "comments": [{**comment, "position": 0}]})
    assert len(forge.remarks(1)) == 2
    # A person's own draft would go out with ours.
    reviews.append({"state": "PENDING", "by": "robot", "body": "", "comments": [comment]})
    assert len(forge.remarks(1)) == 2
    with pytest.raises(ForgeError, match="did not submit"):
        forge.make_remarks(1, at, "More", wanted)
    assert len(reviews) == 4


def test_the_issue(server: GiteaServer) -> None:
    forge = gitea(server)
    assert forge.issue("Dashboard") is None
    server.add("Dashboard", "by another", "jo")
    server.add("Dashboard", "a pull request", branch="harden/x")
    first = forge.put_issue(0, "Dashboard", "one")
    server.issues[first.number]["state"] = "closed"
    assert forge.issue("Dashboard") == first._replace(is_open=False)
    second = forge.put_issue(0, "Dashboard", "two")
    server.add("Dashboards", "")
    assert forge.issue("Dashboard") == second
    assert forge.put_issue(second.number, "Dashboard", "three").body == "three"


# Failures.


@pytest.mark.parametrize(
    ("token", "act", "kind", "remedy"),
    [
        ("unknown", lambda forge: forge.repository(), Forbidden, "settings of the account"),
        ("reader", lambda forge: forge.drop_branch("other", forge.head("other")), Forbidden, "write:repository"),
        ("reader", lambda forge: forge.make_comment(1, "x"), Forbidden, "write:issue"),
    ],
)
def test_tokens_without_rights(server: GiteaServer, token: str, act, kind: type[ForgeError], remedy: str) -> None:  # type: ignore[no-untyped-def]
    server.branches["other"] = server.branches["main"]
    server.tokens["reader"] = ("robot", "read:repository,read:user")
    with pytest.raises(kind) as raised:
        act(gitea(server, token))
    assert remedy in raised.value.remedy
    assert token not in str(raised.value).replace("token", "") or token == "reader"


def test_who_has_the_token_must_be_known_before_words_are_told_apart(server: GiteaServer) -> None:
    server.tokens["blind"] = ("robot", "write:repository,write:issue")
    server.add("T", "", branch="x")
    for act in (lambda forge: forge.comments(1), lambda forge: forge.remarks(1), lambda forge: forge.issue("T")):
        with pytest.raises(Forbidden, match="read:user"):
            act(gitea(server, "blind"))


def test_rights_of_the_account(server: GiteaServer) -> None:
    server.push = False
    forge = gitea(server)
    assert not forge.repository().may_push
    with pytest.raises(Forbidden, match="right to write"):
        forge.put_branch(BRANCH, "", server.branches["main"], commits(b"a"), None)
    server.push, server.archived = True, True
    with pytest.raises(Forbidden, match="archived"):
        forge.put_branch(BRANCH, "", server.branches["main"], commits(b"a"), None)


def test_no_such_repository(server: GiteaServer) -> None:
    with pytest.raises(Missing):
        Gitea(server.url, "owner/nothing", "token", pauses=()).repository()
    for name in ("", "owner", "owner/", "../x", "owner/..", "a/b/c", "\x1b[31m/.."):
        with pytest.raises(Missing) as raised:
            Gitea(server.url, name, "token")
        assert str(raised.value).isprintable()


@pytest.mark.parametrize("status", [0, 502, 503, 504])
def test_reads_are_tried_three_times(server: GiteaServer, status: int) -> None:
    server.faults = [Fault("GET", "shop$", status, times=2)]
    assert gitea(server).repository().branch == "main"
    server.faults = [Fault("GET", "shop$", status, times=9)]
    server.asked.clear()
    with pytest.raises(Unavailable):
        gitea(server).repository()
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [0, 500, 502])
def test_writes_are_tried_once(server: GiteaServer, status: int) -> None:
    server.add("T", "", branch="x")
    server.faults = [Fault("POST", "comments$", status, after=True, times=9)]
    with pytest.raises(Unavailable):
        gitea(server).make_comment(1, "x")
    assert server.issues[1]["comments"] == [("robot", "x")]


@pytest.mark.parametrize("status", [429, 503, 403])
def test_limits(server: GiteaServer, status: int) -> None:
    now = datetime.now(UTC)
    for retry, after in (("120", 120), (format_datetime(now + timedelta(seconds=300), usegmt=True), 300), ("9" * 9, 86_400)):
        server.faults = [Fault("GET", "shop$", status, headers={"Retry-After": retry})]
        server.asked.clear()
        with pytest.raises(Limited) as raised:
            gitea(server).repository()
        assert raised.value.until is not None
        assert abs((raised.value.until - now).total_seconds() - after) < 10
        assert len(server.asked) == 1
    server.faults = [Fault("GET", "shop$", 429, headers={"Retry-After": "soon"})]
    with pytest.raises(Limited) as raised:
        gitea(server).repository()
    assert raised.value.until is None


def test_a_limit_in_the_middle_asks_for_nothing_more(server: GiteaServer) -> None:
    forge, was = opened(server)
    server.faults = [Fault("POST", "/contents$", 429, skip=1, headers={"Retry-After": "60"})]
    with pytest.raises(Limited):
        forge.put_branch(BRANCH, was, server.branches["main"], commits(b"c", b"d"), None)
    assert server.asked[-1] == ("POST", "/repos/owner/shop/contents")
    assert server.branches[BRANCH] == was
    gitea(server).put_branch(BRANCH, was, server.branches["main"], commits(b"c", b"d"), None)
    assert SPARE not in server.branches


def test_a_renamed_repository_is_read_and_not_written(server: GiteaServer) -> None:
    forge = Gitea(server.url, server.former_name, "token", pauses=())
    assert forge.repository().name == server.name
    assert len(forge.listing(server.branches["main"]).entries) == 5
    with pytest.raises(ForgeError, match=r"elsewhere by now.*owner/shop"):
        forge.make_comment(1, "x")
    assert writes(server) == [("POST", "/repos/owner/old-shop/issues/1/comments")]


@pytest.mark.parametrize("target", ["{other}/api/v1/user", "//evil.example/api/v1/x", "/login", "https://a\x1b]0;x.example/"])
def test_no_redirection_takes_the_token_elsewhere(server: GiteaServer, target: str) -> None:
    with running() as other:
        place = target.format(other=other.url)
        server.faults = [Fault("GET", "shop$", 302, headers={"Location": place})]
        with pytest.raises(ForgeError) as raised:
            gitea(server).repository()
        assert str(raised.value).isprintable()
        assert other.asked == []


def test_a_circle_of_redirections_ends(server: GiteaServer) -> None:
    server.faults = [Fault("GET", "shop$", 302, headers={"Location": "/api/v1/repos/owner/shop"}, times=99)]
    with pytest.raises(ForgeError, match="circle"):
        gitea(server).repository()
    assert len(server.asked) == 3


def test_neither_netrc_nor_user_of_the_address_replaces_the_token(
    server: GiteaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    Gitea(server.url.replace("//", "//jo:secret@") + "/", server.name, "token").repository()
    assert server.seen_authorizations == {"token token"}


@pytest.mark.parametrize("token", ["", "a b", "s3cret\nX: y", "s3crét"])
def test_a_token_that_cannot_be_one_is_not_shown(token: str) -> None:
    with pytest.raises(Forbidden) as raised:
        Gitea("https://gitea.example", "owner/shop", token)
    assert "s3cr" not in str(raised.value)


@pytest.mark.parametrize("server", ["", "ftp://x", "gitea.example", "https://", "file:///etc/passwd", "https://x\n/y"])
def test_an_address_that_is_none(server: str) -> None:
    with pytest.raises(ForgeError, match="not the address"):
        Gitea(server, "owner/shop", "token")


def test_what_the_server_says_is_one_clean_line_without_the_token(server: GiteaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "\x1b[31mno\r\n::error::\u202e token-s3cret " + "x" * 9_000
    server.tokens["token-s3cret"] = ("robot", "write:repository")
    monkeypatch.setattr(server, "protected", "*")
    monkeypatch.setattr(server, "writes", lambda: (_ for _ in ()).throw(_refused(words)))
    with pytest.raises(Forbidden) as raised:
        gitea(server, "token-s3cret").put_branch(BRANCH, "", server.branches["main"], commits(b"a"), None)
    said = str(raised.value)
    assert said.isprintable()
    assert "s3cret" not in said
    assert "no" in said
    assert len(said) < 500


def _refused(words: str) -> Exception:
    from gitea_emulator import Refused

    return Refused(403, words)


def test_a_page_that_is_no_api(server: GiteaServer) -> None:
    server.faults = [Fault("GET", "shop$", 200)]
    with pytest.raises(ForgeError, match="as Gitea's API does"):
        gitea(server).repository()


def test_answers_of_another_shape_are_borne(server: GiteaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for answer in ([], {}, [1], {"tree": 5}, {"commit": []}, "x", None):
        monkeypatch.setattr(server, "answer", lambda *_, answer=answer: (200, answer, {}))
        forge = gitea(server)
        assert forge.head("main") == ""
        assert forge.pulls("harden/") == []
        assert forge.listing("a" * 40).entries == ()
        with pytest.raises(ForgeError):
            forge.comments(1)


def test_nobody_there() -> None:
    with running() as server:
        url = server.url
    with pytest.raises(Unavailable, match="cannot be reached"):
        Gitea(url, "owner/shop", "token", pauses=()).repository()


def test_silence_ends(server: GiteaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardener.bot.forges.gitea_session._PATIENCE", 0.05)
    server.meanwhile = lambda *_: time.sleep(0.2)
    with pytest.raises(Unavailable, match="did not answer"):
        Gitea(server.url, "owner/shop", "token", pauses=()).repository()


def test_branches_need_commits(server: GiteaServer) -> None:
    with pytest.raises(ForgeError, match="nothing to commit"):
        gitea(server).put_branch(BRANCH, "", server.branches["main"], [], None)
    assert isinstance(gitea(server)._branches, Branches)
