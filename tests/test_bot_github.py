"""GitHub as a forge: against a stateful emulator, and against a server that fails, limits and cuts."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import cmarkgfm
import pytest
from failing_proxy import FailingProxy
from github_emulator import OWNER, STRANGER, EmulatedRepository, Emulator, File

from hardener.bot.forge import (
    Author,
    Commit,
    Entry,
    Forbidden,
    Forge,
    ForgeError,
    Limited,
    Listing,
    Missing,
    Moved,
    Remark,
    State,
    Unavailable,
    Written,
)
from hardener.bot.forges import github_objects
from hardener.bot.forges.github import GitHub
from hardener.bot.forges.github_errors import Attempt, Refused, failure, said

TOKEN = "ghs_a1b2c3d4e5f6"
BRANCH = "harden/shop"
#: What a client may spoil: line ends, a mark of the byte order, no text at all, nothing at all.
FILES = {
    "compose.yaml": b"services:\r\n  db:\r\n    image: postgres:16\r\n",
    "deploy/shop/Dockerfile": b"\xef\xbb\xbfFROM scratch\n",
    "deploy/shop/run.sh": (b"#!/bin/sh\nexec shop", "100755"),
    "logo.png": bytes(range(256)) * 3,
    "empty": b"",
    "link": (b"deploy/shop/run.sh", "120000"),
    "näme with #, ? and %25": b"1",
}
ONE = {"compose.yaml": b"services:\r\n  db:\r\n    image: postgres:16\r\n"}
STEPS = (
    Commit("Drop capabilities\n\nHarden-Step: 1/2", (Written("compose.yaml", b"services: {}\r\n"),)),
    Commit(
        "Run as a user\n\nHarden-Step: 2/2",
        (
            Written("compose.yaml", b"services: {a: {}}\r\n"),
            Written("deploy/shop/run.sh", b"#!/bin/sh\n\xff", "100755"),
            Written("deploy/shop/new", b"", is_new=True),
        ),
    ),
)

emulated = pytest.mark.network
Connect = Callable[..., GitHub]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """`connect(repository_or_name, api, token)`: the forge, which is closed in the end."""
    made: list[GitHub] = []

    def make(where: EmulatedRepository | str, api: str = "", token: str = TOKEN, **how: Any) -> GitHub:
        if isinstance(where, EmulatedRepository):
            made.append(GitHub(where.name, where.token, api or where.api, **how))
        else:
            made.append(GitHub(where, token, api, **how))
        return made[-1]

    yield make
    for forge in made:
        forge.close()


@pytest.fixture
def proxy(request: pytest.FixtureRequest) -> Iterator[FailingProxy]:
    """Before the emulator for a test that is marked `network`, else alone."""
    target = request.getfixturevalue("github").url if request.node.get_closest_marker("network") else ""
    with FailingProxy(target) as proxy:
        yield proxy


@pytest.fixture
def shop(proxy: FailingProxy, connect: Connect) -> GitHub:
    """`acme/shop`, which is there, at the server that is alone."""
    proxy.on("GET", "/repos/acme/shop", body=SHOP, headers={"ETag": '"1"'})
    return connect("acme/shop", proxy.url)


SHOP = {
    "full_name": "acme/shop",
    "owner": {"login": "acme", "type": "Organization"},
    "default_branch": "trunk",
    "html_url": "https://github.com/acme/shop",
    "permissions": {"admin": False, "push": False, "pull": True},
    "archived": False,
}


def a_forge(forge: GitHub) -> Forge:
    """That it is one is for the type checker."""
    return forge


def mode_of(file: bytes | tuple[bytes, str]) -> File:
    return File(file[1], file[0]) if isinstance(file, tuple) else File("100644", file)


# What is there


@emulated
def test_it_is_what_its_owner_and_a_stranger_see(github: Emulator, connect: Connect) -> None:
    project = github.repository(ONE)
    forge = connect(project)
    found = a_forge(forge).repository()
    assert (found.name, found.branch) == (project.name, "main")
    assert found.is_own
    assert found.may_push
    assert not found.is_archived
    assert not connect(project.name, github.url, "token_of_the_stranger").repository().is_own
    assert connect(project.name, github.url, "token_of_the_stranger", is_own=True).repository().is_own
    assert not connect(project.name, github.url, "").repository().is_own, "without a token, nobody"


@emulated
def test_files_are_read_byte_for_byte(github: Emulator, connect: Connect) -> None:
    project = github.repository(FILES)
    forge = connect(project)
    head = forge.head("main")
    assert head == project.heads()["main"]
    listing = forge.listing(head)
    assert listing.complete
    assert {entry.path: File(entry.mode, forge.read(head, entry)) for entry in listing.entries} == {
        path: mode_of(file) for path, file in FILES.items()
    }
    assert forge.head("harden") == forge.head("no/such %2F#branch") == ""


@emulated
def test_the_past_goes_along_first_parents(github: Emulator, connect: Connect) -> None:
    project = github.repository({"a": b"1"})
    base = project.heads()["main"]
    side = project.push({"b": b"2"}, branch="side")
    one = project.push({"a": b"3"}, message="One\n\nBody")
    merged = project.commit({"b": b"2"}, parents=(one, side), message="Merge")
    forge = connect(project)
    past = forge.history(merged, 10)
    assert [(commit.id, commit.message, commit.parents) for commit in past] == [
        (merged, "Merge", (one, side)),
        (one, "One\n\nBody", (base,)),
        (base, "Begin", ()),
    ]
    assert [commit.id for commit in forge.history(merged, 2)] == [merged, one]
    assert forge.changed(base, merged) == forge.changed(merged, base) == {"a", "b"}
    assert forge.changed(base, base) == frozenset()


# Branches


@emulated
def test_a_branch_gets_a_commit_for_each_step(github: Emulator, connect: Connect) -> None:
    project = github.repository(FILES)
    base = project.heads()["main"]
    forge = connect(project)
    head = forge.put_branch(BRANCH, "", base, STEPS, None)
    assert project.heads() == {"main": base, BRANCH: head}
    expected = {path: mode_of(file) for path, file in FILES.items()}
    second, first, begin = project.log(BRANCH)
    assert begin["sha"] == base
    assert [first["message"], second["message"]] == [step.message for step in STEPS]
    expected["compose.yaml"] = File("100644", b"services: {}\r\n")
    assert project.tree(first["sha"]) == expected
    expected |= {file.path: File(file.mode, file.data) for file in STEPS[1].files}
    assert project.tree(BRANCH) == expected
    assert forge.changed(base, head) == {"compose.yaml", "deploy/shop/run.sh", "deploy/shop/new"}
    assert forge.head(BRANCH) == head


@emulated
def test_an_author_is_only_named_where_one_is_given(github: Emulator, proxy: FailingProxy, connect: Connect) -> None:
    project = github.repository(ONE)
    base = project.heads()["main"]
    forge = connect(project, proxy.url)
    forge.put_branch("harden/a", "", base, STEPS[:1], None)
    commits = [one.json for one in proxy.asked if one.path.endswith("/git/commits") and one.verb == "POST"]
    assert [sorted(commit) for commit in commits] == [["message", "parents", "tree"]], "with a name, GitHub would not sign"
    forge.put_branch("harden/b", "", base, STEPS[:1], Author("Ann Ö.", "ann@example.com"))
    author = project.log("harden/b")[0]["author"]
    assert (author["name"], author["email"]) == ("Ann Ö.", "ann@example.com")


@emulated
@pytest.mark.parametrize("forward", [True, False], ids=["on top", "anew"])
def test_a_branch_is_moved_from_where_it_was_read(forward: bool, github: Emulator, proxy: FailingProxy, connect: Connect) -> None:
    project = github.repository(ONE)
    forge = connect(project, proxy.url)
    was = forge.put_branch(BRANCH, "", project.heads()["main"], STEPS, None)
    base = was if forward else project.push({"compose.yaml": b"services: {c: {}}\n"})
    head = forge.put_branch(BRANCH, was, base, STEPS[:1], None)
    assert project.heads()[BRANCH] == head
    assert [commit["sha"] for commit in project.log(BRANCH)][1] == base
    [move] = [one.json for one in proxy.asked if one.verb == "PATCH"]
    assert move == {"sha": head, "force": not forward}, "what goes on top can never take anything away"


@emulated
def test_somebody_elses_commit_is_never_written_over(github: Emulator, proxy: FailingProxy, connect: Connect) -> None:
    project = github.repository(ONE)
    base = project.heads()["main"]
    forge = connect(project, proxy.url)
    was = forge.put_branch(BRANCH, "", base, STEPS, None)
    theirs = project.push({"theirs": b"1"}, branch=BRANCH)
    for known in (was, ""):
        with pytest.raises(Moved, match="run again"):
            forge.put_branch(BRANCH, known, base, STEPS, None)
    with pytest.raises(Moved):
        forge.drop_branch(BRANCH, was)
    assert project.heads()[BRANCH] == theirs
    assert "PATCH" not in {one.verb for one in proxy.asked}
    # The same between the last look and the move, which then is only a step forward.
    proxy.on("GET", f".*/git/ref/heads/{BRANCH}", times=1, body={"ref": f"refs/heads/{BRANCH}", "object": {"sha": was}})
    with pytest.raises(Moved):
        forge.put_branch(BRANCH, was, was, STEPS, None)
    assert project.heads()[BRANCH] == theirs


@emulated
def test_a_branch_is_taken_away_from_where_it_was_read(github: Emulator, connect: Connect) -> None:
    project = github.repository(ONE)
    base = project.heads()["main"]
    forge = connect(project)
    was = forge.put_branch(BRANCH, "", base, STEPS, None)
    forge.drop_branch(BRANCH, was)
    forge.drop_branch(BRANCH, was)  # it is gone, which is what was wanted
    assert project.heads() == {"main": base}
    with pytest.raises(Moved):
        forge.put_branch(BRANCH, was, base, STEPS, None)


@pytest.mark.parametrize(
    ("verb", "path", "how", "error"),
    [
        ("POST", ".*/git/blobs", {"status": 403, "body": {"message": "Resource not accessible by integration"}}, Forbidden),
        ("POST", ".*/git/blobs", {"first": 2, "status": 502}, Unavailable),
        ("POST", ".*/git/blobs", {"first": 3, "cut": "before"}, Unavailable),
        ("POST", ".*/git/trees", {"first": 2, "cut": "after"}, Unavailable),
        ("POST", ".*/git/commits", {"first": 2, "status": 403, "headers": {"Retry-After": "60"}}, Limited),
        ("POST", ".*/git/refs", {"cut": "before"}, Unavailable),
        ("POST", ".*/git/refs", {"status": 502}, Unavailable),
        ("POST", ".*/git/refs", {"status": 422, "body": {"message": "Reference update failed"}}, Refused),
        ("POST", ".*/git/refs", {"status": 422, "body": {"message": "Repository rule violations found"}}, Forbidden),
    ],
)
@emulated
def test_what_is_given_up_half_way_is_on_no_branch(
    verb: str, path: str, how: dict[str, Any], error: type[ForgeError], github: Emulator, proxy: FailingProxy, connect: Connect
) -> None:
    project = github.repository(ONE)
    before = project.heads()
    forge = connect(project, proxy.url)
    proxy.on(verb, path, **how)
    with pytest.raises(error):
        forge.put_branch(BRANCH, "", before["main"], STEPS, None)
    assert project.heads() == before
    asked = [one for one in proxy.paths("POST") if one.endswith(path.removeprefix(".*"))]
    assert len(asked) == how.get("first", 1), "what writes is never asked twice"
    proxy.forget()
    head = forge.put_branch(BRANCH, "", before["main"], STEPS, None)
    assert project.heads() == {**before, BRANCH: head}
    assert project.tree(BRANCH)["compose.yaml"].data == STEPS[1].files[0].data


@emulated
@pytest.mark.parametrize("is_new", [True, False], ids=["new", "moved"])
def test_an_answer_that_got_lost_is_looked_up(is_new: bool, github: Emulator, proxy: FailingProxy, connect: Connect) -> None:
    project = github.repository(ONE)
    base = project.heads()["main"]
    forge = connect(project, proxy.url)
    was = "" if is_new else forge.put_branch(BRANCH, "", base, STEPS[:1], None)
    proxy.on("POST" if is_new else "PATCH", ".*/git/refs.*", cut="after")
    assert forge.put_branch(BRANCH, was, base, STEPS, None) == project.heads()[BRANCH]


@pytest.mark.parametrize(("there", "named"), [("harden", "harden"), ("harden/shop/old", "harden/shop/old")])
@emulated
def test_a_branch_in_the_way_is_named(there: str, named: str, github: Emulator, proxy: FailingProxy, connect: Connect) -> None:
    project = github.repository(ONE)
    project.push({"a": b"1"}, branch=there)
    # The emulator has branches below branches, GitHub's words do not say why it has none (actions/github-script#455).
    proxy.on("POST", ".*/git/refs", status=422, body={"message": "Reference update failed"})
    with pytest.raises(ForgeError, match=f"`{named}` is in the way of `{BRANCH}`.*rename or delete it"):
        connect(project, proxy.url).put_branch(BRANCH, "", project.heads()["main"], STEPS, None)


# Pull requests


@emulated
def test_pull_requests_are_those_of_the_prefix_the_newest_first(github: Emulator, connect: Connect) -> None:
    project = github.repository(ONE)
    for branch in ("harden/a", "harden/b", "harden/c", "other/d", "hardening"):
        project.push({"a": branch.encode()}, branch=branch)
    numbers = {branch: project.open_pull(branch) for branch in ("harden/a", "other/d", "hardening", "harden/b")}
    project.merge(numbers["harden/a"])
    project.change_pull(numbers["harden/b"], state="closed", body=None)
    forge = connect(project)
    project.label(numbers["other/d"], "x")
    made = forge.make_pull("harden/c", "main", "Title", "Body\n<!-- mark -->", draft=True, labels=["security", "docker"])
    assert (made.title, made.body, made.base, made.is_draft) == ("Title", "Body\n<!-- mark -->", "main", True)
    assert made.labels == {"security", "docker"}
    assert made.created.tzinfo is UTC
    assert abs(datetime.now(UTC) - made.created) < timedelta(minutes=5)
    pulls = forge.pulls("harden/")
    assert [(pull.branch, pull.state) for pull in pulls] == [
        ("harden/c", State.OPEN),
        ("harden/b", State.CLOSED),
        ("harden/a", State.MERGED),
    ]
    assert pulls[0] == made
    assert pulls[1].body == ""
    assert pulls[0].url == f"{github.url}/{project.name}/pull/{made.number}"
    assert not any(pull.is_from_fork for pull in pulls)


@emulated
def test_only_what_differs_is_written(github: Emulator, proxy: FailingProxy, connect: Connect) -> None:
    project = github.repository(ONE)
    project.push({"a": b"1"}, branch=BRANCH)
    project.push({"a": b"1"}, branch="next")
    number = project.open_pull(BRANCH, title="Old", body="Body", by=OWNER)
    forge = connect(project, proxy.url)
    forge.put_pull(number, title="Old", body="Body", base="main")
    assert "PATCH" not in {one.verb for one in proxy.asked}
    forge.put_pull(number, title="New", body="Body", base="next")
    [change] = [one.json for one in proxy.asked if one.verb == "PATCH"]
    assert change == {"title": "New", "base": "next"}
    forge.close_pull(number)
    [pull] = forge.pulls("harden/")
    assert (pull.title, pull.base, pull.state) == ("New", "next", State.CLOSED)


@emulated
@pytest.mark.parametrize("status", [403, 404])
def test_labels_that_may_not_be_given_are_left_out(status: int, github: Emulator, proxy: FailingProxy, connect: Connect) -> None:
    project = github.repository(ONE)
    project.push({"a": b"1"}, branch=BRANCH)
    proxy.on("POST", ".*/labels", status=status, body={"message": "Resource not accessible by integration"})
    pull = connect(project, proxy.url).make_pull(BRANCH, "main", "T", "B", draft=False, labels=["security"])
    assert pull.labels == frozenset()
    assert [one["number"] for one in project.pulls()] == [pull.number]


@emulated
def test_words_are_those_of_whoever_has_the_token(github: Emulator, connect: Connect) -> None:
    project = github.repository(ONE)
    project.push({"a": b"1"}, branch=BRANCH)
    number = project.open_pull(BRANCH)
    forge = connect(project)
    forge.make_comment(number, "mine")
    project.ask("POST", f"/issues/{number}/comments", {"body": "theirs"}, by=STRANGER)
    project.ask("POST", f"/pulls/{number}/comments", {"body": "theirs", "path": "a", "line": 1}, by=STRANGER)
    forge.make_remarks(number, project.heads()[BRANCH], "", [Remark("compose.yaml", 2, "mine")])
    assert forge.comments(number) == ["mine"]
    assert forge.remarks(number) == [Remark("compose.yaml", 2, "mine")]


@emulated
def test_the_issue_is_the_open_one_of_whoever_has_the_token(github: Emulator, connect: Connect) -> None:
    project = github.repository(ONE)
    project.push({"a": b"1"}, branch=BRANCH)
    project.ask("POST", "/issues", {"title": "Hardening", "body": "theirs"}, by=STRANGER)
    project.open_pull(BRANCH, title="Hardening", by=OWNER)
    forge = connect(project)
    assert forge.issue("Hardening") is None
    first = forge.put_issue(0, "Hardening", "one")
    second = forge.put_issue(0, "Hardening", "two")
    project.ask("PATCH", f"/issues/{second.number}", {"state": "closed"})
    found = forge.issue("Hardening")
    assert found == first
    assert forge.issue("hardening") is None
    assert forge.put_issue(first.number, "Hardening", "three").body == "three"
    project.ask("PATCH", f"/issues/{first.number}", {"state": "closed"})
    closed = forge.issue("Hardening")
    assert closed is not None
    assert (closed.number, closed.is_open) == (second.number, False)


# What only GitHub does: answers as its documentation has them


def test_a_repository_that_was_renamed_is_asked_for_by_its_new_name(proxy: FailingProxy, connect: Connect) -> None:
    proxy.on("GET", "/repos/acme/old", status=301, headers={"Location": f"{proxy.url}/repositories/7"}, body={"message": "Moved"})
    proxy.on("GET", "/repositories/7", body=SHOP)
    proxy.on("GET", "/repos/acme/shop/git/ref/heads/trunk", body={"ref": "refs/heads/trunk", "object": {"sha": "1" * 40}})
    forge = connect("acme/old", proxy.url)
    assert forge.repository().name == "acme/shop"
    assert forge.repository().may_push is False
    assert forge.head("trunk") == "1" * 40


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_the_token_goes_to_no_other_host(status: int, proxy: FailingProxy, connect: Connect) -> None:
    with FailingProxy() as other:
        elsewhere = other.url.replace("localhost", "127.0.0.1")
        proxy.on("GET", ".*", status=status, headers={"Location": f"{elsewhere}/repos/acme/shop"})
        with pytest.raises(ForgeError):
            connect("acme/shop", proxy.url).repository()
        assert other.asked == []


@pytest.mark.parametrize(
    "api",
    ["http://github.example", "ftp://localhost", "https://a:b@github.example", "github.example", "", "http://localhost.evil"],
)
def test_a_token_is_sent_to_no_address_that_is_not_safe(api: str, connect: Connect) -> None:
    with pytest.raises(ForgeError, match="https://"):
        connect("acme/shop", api)


@pytest.mark.parametrize(
    "name", ["acme", "acme/shop/more", "../shop", "acme/..", "acme/sh op", "acme/shop\n", "", "a/b?c", "a/%2e"]
)
def test_what_is_no_repository_is_refused(name: str, connect: Connect) -> None:
    with pytest.raises(ForgeError, match="OWNER/NAME"):
        connect(name, "http://localhost:1")


def test_a_token_that_cannot_be_one_is_not_told(connect: Connect) -> None:
    with pytest.raises(Forbidden) as raised:
        connect("acme/shop", "http://localhost:1", "ghs_secret\nX-Other: 1")
    assert "secret" not in str(raised.value)


def test_the_token_of_a_job_cannot_say_whose_it_is(proxy: FailingProxy, shop: GitHub) -> None:
    proxy.on("GET", "/user", status=403, body={"message": "Resource not accessible by integration"})
    proxy.on("POST", "/graphql", body={"data": {"viewer": {"login": "github-actions[bot]"}}})
    made = [
        {"user": {"login": login, "type": kind}, "body": f"of {login}"}
        for login, kind in (("github-actions[bot]", "Bot"), ("other[bot]", "Bot"), ("ann", "User"))
    ]
    proxy.on("GET", "/repos/acme/shop/issues/1/comments.*", body=made)
    assert not shop.repository().is_own
    assert shop.comments(1) == ["of github-actions[bot]"]
    assert len([path for path in proxy.paths() if "/user" in path or "/graphql" in path]) == 2, "asked once"


def test_where_nothing_says_whose_the_token_is_an_app_made_it(proxy: FailingProxy, shop: GitHub) -> None:
    proxy.on("GET", "/user", status=403, body={"message": "Resource not accessible by integration"})
    made = [{"user": {"login": login, "type": kind}, "body": login} for login, kind in (("x[bot]", "Bot"), ("ann", "User"))]
    proxy.on("GET", "/repos/acme/shop/issues/1/comments.*", body=made)
    assert shop.comments(1) == ["x[bot]"]


@pytest.mark.parametrize(
    ("permissions", "may"),
    [
        ({"admin": False, "push": True, "pull": True}, True),
        ({"admin": False, "push": False, "pull": True}, False),
        ({"admin": False, "push": False, "pull": False}, True),
        (None, True),
    ],
)
def test_who_may_push(permissions: object, may: bool, proxy: FailingProxy, connect: Connect) -> None:
    proxy.on("GET", "/repos/acme/shop", body={**SHOP, "permissions": permissions, "archived": True})
    found = connect("acme/shop", proxy.url, is_own=True).repository()
    assert found.may_push is may, "of the token of an app nothing is said"
    assert found.is_archived


def test_what_has_not_changed_is_not_sent_again(proxy: FailingProxy, shop: GitHub) -> None:
    where, answer = "/repos/acme/shop/git/ref/heads/trunk", {"ref": "refs/heads/trunk", "object": {"sha": "1" * 40}}
    proxy.on("GET", where, body=answer, headers={"ETag": '"abc"'})
    assert shop.head("trunk") == "1" * 40
    proxy.on("GET", where, status=304)
    assert shop.head("trunk") == "1" * 40
    sent = [one.headers.get("If-None-Match") for one in proxy.asked if one.path == where]
    assert sent == [None, '"abc"']


def commit_of(proxy: FailingProxy, commit: str, tree: str) -> None:
    body = {"sha": commit, "tree": {"sha": tree}, "message": "m", "parents": []}
    proxy.on("GET", f"/repos/acme/shop/git/commits/{commit}", body=body)


def test_nothing_is_waited_for_between_the_look_at_a_branch_and_its_write(
    proxy: FailingProxy, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitHub cannot be told where a branch has to be, and asks for a second between writes: that is not to lie there."""
    from time import monotonic

    from hardener.bot.forges.github_requests import Requests

    proxy.on("GET", "/repos/acme/shop", body=SHOP)
    proxy.on("GET", ".*/git/ref/heads/b", body={"ref": "refs/heads/b", "object": {"sha": "was"}})
    proxy.on("POST", ".*", body={})
    proxy.on("DELETE", ".*", body={})
    forge = connect("acme/shop", proxy.url, pause=1.0)
    forge.make_comment(1, "x")
    ended: list[tuple[str, float]] = []
    ask = Requests._ask

    def timed(requests: Requests, verb: str, *more: Any) -> Any:
        answer = ask(requests, verb, *more)
        ended.append((verb, monotonic()))
        return answer

    monkeypatch.setattr(Requests, "_ask", timed)
    forge.drop_branch("b", "was")
    (looked, seen), (wrote, done) = ended[-2:]
    assert (looked, wrote) == ("GET", "DELETE")
    assert done - seen < 0.7


def tree_of(proxy: FailingProxy, tree: str, files: dict[str, str], *, deep: bool = False, truncated: bool = False) -> None:
    """`files` are names with what they are: the id of a file, or with a `/` behind it that of a folder."""
    items = [
        {"path": path, "mode": "040000", "type": "tree", "sha": id[:-1]}
        if id.endswith("/")
        else {"path": path, "mode": "100644", "type": "blob", "sha": id, "size": 1}
        for path, id in files.items()
    ]
    query = r"\?recursive=1" if deep else ""
    body = {"sha": tree, "tree": items, "truncated": truncated}
    proxy.on("GET", f"/repos/acme/shop/git/trees/{tree}{query}", body=body)


def test_fifty_thousand_files_are_one_request(proxy: FailingProxy, shop: GitHub) -> None:
    files = {f"d{number % 100}/f{number}": f"{number:040x}" for number in range(50_000)}
    commit_of(proxy, "c1", "t1")
    commit_of(proxy, "c2", "t2")
    tree_of(proxy, "t1", files, deep=True)
    tree_of(proxy, "t2", {**files, "d7/f7": "9" * 40, "new": "8" * 40}, deep=True)
    listing = shop.listing("c1")
    assert listing.complete
    assert {entry.path: entry.id for entry in listing.entries} == files
    assert shop.changed("c1", "c2") == {"d7/f7", "new"}
    assert len(proxy.asked) == 5, "the repository, two commits and two trees"


def test_a_listing_that_is_cut_short_is_walked_folder_by_folder(proxy: FailingProxy, shop: GitHub) -> None:
    commit_of(proxy, "c1", "root")
    tree_of(proxy, "root", {"only": "f0"}, deep=True, truncated=True)
    tree_of(proxy, "root", {"Dockerfile": "f1", "app": "t-app/", "node_modules": "t-nm/", "big": "t-big/"})
    tree_of(proxy, "t-app", {"src": "t-src/", "src/a.py": "f2"}, deep=True)
    tree_of(proxy, "t-big", {"x": "f9"}, deep=True, truncated=True)
    tree_of(proxy, "t-big", {"compose.yaml": "f3", "below": "t-below/"})
    tree_of(proxy, "t-below", {"y": "f4"}, deep=True)
    paths = {entry.path: entry.id for entry in shop.listing("c1").entries}
    assert paths == {"Dockerfile": "f1", "app/src/a.py": "f2", "big/compose.yaml": "f3", "big/below/y": "f4"}
    assert shop.listing("c1").complete
    assert not [path for path in proxy.paths() if "t-nm" in path], "other people's code is not looked at"


def test_what_is_too_large_to_walk_is_not_complete(proxy: FailingProxy, shop: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert github_objects.MOST_TREES == 300
    monkeypatch.setattr(github_objects, "MOST_TREES", 20)
    commit_of(proxy, "c1", "root")
    tree_of(proxy, "root", {}, deep=True, truncated=True)
    tree_of(proxy, "root", {"a": "f1", **{f"d{number}": f"t{number}/" for number in range(30)}})
    proxy.on("GET", r"/repos/acme/shop/git/trees/t\d+\?recursive=1", body={"tree": [], "truncated": False})
    assert shop.listing("c1") == Listing((Entry("a", "100644", "f1", 1),), complete=False)
    assert len([path for path in proxy.paths() if "/git/trees/" in path]) == 21


def test_a_few_trees_that_come_to_millions_of_files_are_not_held(
    proxy: FailingProxy, shop: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(github_objects, "MOST_ENTRIES", 250)
    commit_of(proxy, "c1", "root")
    tree_of(proxy, "root", {}, deep=True, truncated=True)
    tree_of(proxy, "root", {f"d{number}": "same/" for number in range(100)})
    tree_of(proxy, "same", {f"f{number}": "f1" for number in range(100)}, deep=True)
    listing = shop.listing("c1")
    assert (len(listing.entries), listing.complete) == (300, False)


def test_two_commits_too_large_to_list_are_compared_where_they_differ(proxy: FailingProxy, shop: GitHub) -> None:
    for commit, tree in (("c1", "r1"), ("c2", "r2")):
        commit_of(proxy, commit, tree)
        tree_of(proxy, tree, {}, deep=True, truncated=True)
    tree_of(proxy, "r1", {"same": "ts/", "app": "a1/", "gone": "g/", "x": "f1", "turned": "f7"})
    tree_of(proxy, "r2", {"same": "ts/", "app": "a2/", "x": "f1", "new": "n/", "turned": "t7/"})
    tree_of(proxy, "a1", {"compose.yaml": "f2", "kept": "f3"})
    tree_of(proxy, "a2", {"compose.yaml": "f4", "kept": "f3"})
    tree_of(proxy, "g", {"g1": "f5"})
    tree_of(proxy, "n", {"n1": "f6"})
    tree_of(proxy, "t7", {"t": "f8"})
    assert shop.changed("c1", "c2") == {"app/compose.yaml", "gone/g1", "new/n1", "turned", "turned/t"}
    assert not [path for path in proxy.paths() if "/trees/ts" in path]


def test_submodules_and_modes_are_told(proxy: FailingProxy, shop: GitHub) -> None:
    commit_of(proxy, "c1", "t1")
    items = [
        {"path": "lib", "mode": "160000", "type": "commit", "sha": "s"},
        {"path": "run", "mode": "100755", "type": "blob", "sha": "b", "size": 3},
    ]
    proxy.on("GET", r"/repos/acme/shop/git/trees/t1\?recursive=1", body={"tree": items, "truncated": False})
    library, run = shop.listing("c1").entries
    assert (library.mode, run.mode, run.size) == ("160000", "100755", 3)
    with pytest.raises(Missing):
        shop.read("c1", library)


@pytest.mark.parametrize(
    ("answer", "data"),
    [
        ({"encoding": "base64", "content": "YQ0K\nYg==\n"}, b"a\r\nb"),
        ({"encoding": "base64", "content": "YQ0K"}, None),
        ({"encoding": "base64", "content": "Y!"}, None),
        ({"encoding": "none", "content": ""}, None),
        ({}, None),
        ([], None),
    ],
)
def test_a_file_is_whole_or_an_error(answer: object, data: bytes | None, proxy: FailingProxy, shop: GitHub) -> None:
    proxy.on("GET", "/repos/acme/shop/git/blobs/b1", body=answer)
    entry = Entry("a", "100644", "b1", 4)
    if data is not None:
        assert shop.read("c", entry) == data
        return
    with pytest.raises(ForgeError):
        shop.read("c", entry)


def test_every_byte_of_a_large_file_comes_through(proxy: FailingProxy, shop: GitHub) -> None:
    data = hashlib.sha512(b"").digest() * 20_000
    proxy.on("GET", ".*/git/blobs/b1", body={"encoding": "base64", "content": base64.encodebytes(data).decode()})
    assert shop.read("c", Entry("a", "100644", "b1", len(data))) == data


def pull_json(number: int, branch: str, **more: Any) -> dict[str, Any]:
    return {
        "number": number,
        "title": "T",
        "body": None,
        "state": "closed",
        "merged_at": None,
        "draft": False,
        "html_url": f"https://github.com/acme/shop/pull/{number}",
        "created_at": f"2026-01-01T00:00:{number % 60:02}Z",
        "labels": [{"name": "a"}],
        "head": {"ref": branch, "sha": "1" * 40, "repo": {"id": 1}},
        "base": {"ref": "trunk", "repo": {"id": 1}},
        **more,
    }


def test_pages_are_bounded_and_forks_are_told_apart(proxy: FailingProxy, shop: GitHub) -> None:
    elsewhere = "https://github.example/steal"
    closed = [pull_json(number, "other") for number in range(98)] + [pull_json(98, "harden/a"), pull_json(99, "harden/b")]
    closed[98]["head"]["repo"] = None
    closed[99]["head"]["repo"] = {"id": 2}
    again = {"Link": f'<{elsewhere}>; rel="next"'}
    proxy.on("GET", "/repos/acme/shop/pulls.*state=closed", body=closed, headers=again)
    ours = pull_json(7, "harden/c", state="open")
    proxy.on("GET", "/repos/acme/shop/pulls.*state=open", body=[ours])
    proxy.on("GET", "/repos/acme/shop/pulls/7", body={**ours, "mergeable": False})
    pulls = shop.pulls("harden/")
    assert [(pull.branch, pull.is_from_fork, pull.conflicts) for pull in pulls] == [
        ("harden/b", True, None),
        ("harden/a", True, None),
        ("harden/c", False, True),
    ]
    pages = [path for path in proxy.paths() if "state=closed" in path]
    assert len(pages) == 5, "of those not open, the newest 500"
    assert all("direction=desc" in path and "per_page=100" in path and "sort=created" in path for path in pages)
    assert all(path.startswith("GET /repos/acme/shop/pulls?") for path in proxy.paths()[1:3]), "no link of an answer is followed"


PATCH = "@@ -1,2 +1,3 @@ services:\n a\n+b\n c\n@@ -40 +41 @@\n-x\n+y"
REMARKS = [
    Remark("compose.yaml", 2, "in the diff"),
    Remark("compose.yaml", 3, "over lines", start=1),
    Remark("compose.yaml", 41, "one line"),
    Remark("compose.yaml", 41, "over two hunks", start=3),
    Remark("compose.yaml", 4, "below the hunk"),
    Remark("other.yaml", 1, "not changed"),
]


def test_a_review_has_only_lines_of_the_diff(proxy: FailingProxy, shop: GitHub) -> None:
    proxy.on(
        "GET", "/repos/acme/shop/pulls/5/files.*", body=[{"filename": "compose.yaml", "patch": PATCH}, {"filename": "logo.png"}]
    )
    proxy.on("POST", "/repos/acme/shop/pulls/5/reviews", body={})
    shop.make_remarks(5, "1" * 40, "Words", REMARKS)
    [review] = [one.json for one in proxy.asked if one.verb == "POST" and "/reviews" in one.path]
    assert (review["event"], review["body"], review["commit_id"]) == ("COMMENT", "Words", "1" * 40)
    assert [(one["body"], one["line"], one.get("start_line"), one["side"]) for one in review["comments"]] == [
        ("in the diff", 2, None, "RIGHT"),
        ("over lines", 3, 1, "RIGHT"),
        ("one line", 41, None, "RIGHT"),
    ]
    proxy.asked.clear()
    shop.make_remarks(5, "1" * 40, "Words", REMARKS[3:])
    assert not [one for one in proxy.asked if one.verb == "POST"], "words above nothing are not said"


def test_a_review_that_is_refused_is_made_remark_by_remark(proxy: FailingProxy, shop: GitHub) -> None:
    refused = {"message": "Unprocessable Entity", "errors": ["Pull request review thread line must be part of the diff"]}
    proxy.on("GET", "/repos/acme/shop/pulls/5/files.*", body=[{"filename": "compose.yaml", "patch": PATCH}])
    proxy.on("POST", "/repos/acme/shop/pulls/5/reviews", body={})
    proxy.on("POST", "/repos/acme/shop/pulls/5/reviews", times=1, status=422, body=refused)
    proxy.on("POST", "/repos/acme/shop/pulls/5/comments", body={})
    proxy.on("POST", "/repos/acme/shop/pulls/5/comments", first=2, times=1, status=422, body=refused)
    shop.make_remarks(5, "1" * 40, "Words", REMARKS[:3])
    posted = [one.json for one in proxy.asked if one.verb == "POST" and "/user" not in one.path and "graphql" not in one.path]
    assert [one["body"] for one in posted] == ["Words", "in the diff", "over lines", "one line", "Words"]
    assert "comments" not in posted[-1]


def test_remarks_on_lines_that_went_away_are_known_by_where_they_were(proxy: FailingProxy, shop: GitHub) -> None:
    proxy.on("GET", "/user", body={"login": "me"})
    mine = {"user": {"login": "Me"}, "path": "a", "body": "b", "line": None, "original_line": 9, "original_start_line": 7}
    proxy.on("GET", "/repos/acme/shop/pulls/5/comments.*", body=[mine])
    assert shop.remarks(5) == [Remark("a", 9, "b", 7)]


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("    cap_drop: [ALL]\n", "    cap_drop: [ALL]\n"),
        ("no line end", "no line end\n"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("\n", "\n"),
        ("", ""),
        ("```\n# ````suggestion\n`````\n", "```\n# ````suggestion\n`````\n"),
        ("</code></pre><img src=x>\n", "</code></pre><img src=x>\n"),
    ],
)
def test_a_suggestion_is_one_block_whatever_is_in_it(text: str, taken: str, connect: Connect) -> None:
    written = connect("acme/shop", "http://localhost:1").suggestion(text, 1)
    page = cmarkgfm.github_flavored_markdown_to_html(written)
    shown = taken.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert page == f'<pre lang="suggestion"><code>{shown}</code></pre>\n'


def test_nothing_is_suggested_for_no_line(connect: Connect) -> None:
    assert connect("acme/shop", "http://localhost:1").suggestion("a\n", 0) == ""


def test_an_enterprise_server_is_asked_below_its_own_address(proxy: FailingProxy, connect: Connect) -> None:
    proxy.on("GET", "/api/v3/repos/acme/shop", body={**SHOP, "owner": {"login": "Ann", "type": "User"}})
    proxy.on("GET", "/api/v3/user", status=403, body={"message": "Resource not accessible by integration"})
    proxy.on("POST", "/api/graphql", body={"data": {"viewer": {"login": "ann"}}})
    assert connect("acme/shop", proxy.url + "/api/v3/").repository().is_own


def test_it_takes_its_time_between_writes(proxy: FailingProxy, connect: Connect) -> None:
    proxy.on("GET", "/repos/acme/shop", body=SHOP)
    proxy.on("POST", ".*", body={})
    forge = connect("acme/shop", proxy.url, pause=0.1)
    forge.make_comment(1, "a")
    start = time.monotonic()
    forge.make_comment(1, "b")
    forge.make_comment(1, "c")
    assert time.monotonic() - start >= 0.2


# Failures


@pytest.mark.parametrize("status", [502, 503, 504])
def test_what_reads_is_asked_at_most_three_times(status: int, proxy: FailingProxy, shop: GitHub) -> None:
    commit_of(proxy, "c1", "t1")
    proxy.on("GET", ".*/git/commits/c1", times=2, status=status, body=b"<html>Bad gateway</html>")
    assert [past.id for past in shop.history("c1", 1)] == ["c1"]
    proxy.on("GET", ".*/git/commits/c2", status=status)
    with pytest.raises(Unavailable, match=f"GitHub fails \\({status}"):
        shop.history("c2", 1)
    assert len([path for path in proxy.paths() if path.endswith("c2")]) == 3


def test_a_long_past_takes_few_requests(proxy: FailingProxy, shop: GitHub) -> None:
    def commit(number: int) -> dict[str, object]:
        parents = [{"sha": f"c{number - 1}"}, {"sha": "side"}] if number else []
        return {"sha": f"c{number}", "parents": parents, "commit": {"message": f"m{number}", "tree": {"sha": f"t{number}"}}}

    side = {"sha": "side", "parents": [], "commit": {"message": "side", "tree": {"sha": "t"}}}
    for number in range(151):
        page = [side, *(commit(older) for older in range(number, max(number - 99, -1), -1))]
        proxy.on("GET", f"/repos/acme/shop/commits[?]per_page=[0-9]+&sha=c{number}", body=page)
    assert [past.message for past in shop.history("c150", 200)] == [f"m{number}" for number in range(150, -1, -1)]
    assert len([path for path in proxy.paths() if "/commits" in path]) == 2


def test_a_connection_that_is_cut_is_made_anew_only_to_read(proxy: FailingProxy, shop: GitHub) -> None:
    commit_of(proxy, "c1", "t1")
    proxy.on("GET", ".*/git/commits/c1", times=2, cut="before")
    assert shop.history("c1", 1)
    proxy.on("POST", ".*/issues/1/comments", cut="before")
    with pytest.raises(Unavailable, match="was cut"):
        shop.make_comment(1, "a")
    assert len([path for path in proxy.paths() if path.endswith("issues/1/comments")]) == 1


def test_nobody_there_is_said(connect: Connect) -> None:
    with FailingProxy() as gone:
        pass
    with pytest.raises(Unavailable, match="connection to localhost could not be made"):
        connect("acme/shop", gone.url).repository()


@pytest.mark.parametrize("body", [b"<html>", b"[" * 5000, b"\xff\xfe", b"[]", b"null", b"", b'{"full_name": 1}', b'"a"'])
def test_an_answer_of_another_kind_is_an_error_that_says_so(body: bytes, proxy: FailingProxy, connect: Connect) -> None:
    proxy.on("GET", "/repos/acme/shop", body=body)
    with pytest.raises(ForgeError, match="address of the API"):
        connect("acme/shop", proxy.url).repository()


@pytest.mark.parametrize("junk", [{}, [], "a", 1, None, [[1], None, {"user": 1, "head": [], "labels": 3}]])
def test_answers_of_another_shape_end_in_no_other_error(junk: object, proxy: FailingProxy, shop: GitHub) -> None:
    shop.repository()
    proxy.on("GET", ".*", body=junk)
    proxy.on("POST", ".*", body=junk)
    proxy.on("GET", "/repos/acme/shop", body=SHOP)
    attempts: list[Callable[[], object]] = [
        lambda: shop.head("trunk"),
        lambda: shop.listing("c"),
        lambda: shop.history("c", 3),
        lambda: shop.pulls("harden/"),
        lambda: shop.pulls(""),
        lambda: shop.comments(1),
        lambda: shop.remarks(1),
        lambda: shop.issue("T"),
        lambda: shop.make_remarks(1, "h", "w", REMARKS),
        lambda: shop.make_pull("b", "trunk", "t", "b", draft=False, labels=["l"]),
    ]
    for attempt in attempts:
        try:
            attempt()
        except ForgeError:
            continue


NOW = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "headers", "words", "until"),
    [
        (403, {"retry-after": "60"}, "", "12:02"),
        (429, {"retry-after": "0"}, "", "12:01"),
        (429, {"retry-after": "Thu, 01 Jan 2026 12:10:00 GMT"}, "", "12:10"),
        (429, {"retry-after": "soon"}, "", None),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW.timestamp()) + 570)}, "", "12:10"),
        (403, {"x-ratelimit-remaining": "0"}, "API rate limit exceeded for user ID 1.", None),
        (403, {}, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.", "12:02"),
        (429, {}, "", "12:02"),
        (429, {"retry-after": "999999999999"}, "", "12:01"),
    ],
)
def test_a_limit_says_until_when(status: int, headers: dict[str, str], words: str, until: str | None) -> None:
    error = failure(Attempt("POST", "/repos/a/b/pulls"), status, headers, words, NOW)
    assert isinstance(error, Limited)
    assert (error.until and f"{error.until:%H:%M}") == until
    assert str(error).endswith(f"run again after {until} UTC" if until else "run again in an hour")


def test_no_limit_is_seen_where_there_is_none() -> None:
    headers = {"x-ratelimit-remaining": "4999", "x-ratelimit-reset": "1"}
    error = failure(Attempt("POST", "/repos/a/b/pulls"), 403, headers, "Resource not accessible by integration", NOW)
    assert type(error) is Forbidden
    assert type(failure(Attempt("GET", "/repos/a/b"), 404, {"x-ratelimit-remaining": "0"}, "Not Found", NOW)) is Missing


ACTIONS = "GitHub Actions is not permitted to create or approve pull requests."


@pytest.mark.parametrize(
    ("asked", "status", "words", "kind", "remedy"),
    [
        ("GET /repos/a/b", 401, "Bad credentials", Forbidden, "make a new one"),
        ("GET /repos/a/b", 404, "Not Found", Missing, "whether the token may see it"),
        ("GET /repos/a/b/pulls", 403, "Resource not accessible by personal access token", Forbidden, "`pull-requests: read`"),
        ("POST /repos/a/b/pulls", 403, ACTIONS, Forbidden, "allow GitHub Actions to create and approve pull requests"),
        (
            "POST /repos/a/b/pulls",
            403,
            "Resource not accessible by integration",
            Forbidden,
            "give the job `pull-requests: write`",
        ),
        ("POST /repos/a/b/git/blobs", 404, "Not Found", Forbidden, "give it `contents: write`; a classic token needs"),
        ("POST /repos/a/b/git/refs", 422, "Repository rule violations found", Forbidden, "`branch_prefix`"),
        ("PATCH /repos/a/b/git/refs/heads/c", 422, "Cannot force-push to this protected branch", Forbidden, "bypass"),
        ("PATCH /repos/a/b/git/refs/heads/c", 403, "Protected branch update failed", Forbidden, "bypass"),
        ("POST /repos/a/b/issues", 410, "Issues are disabled for this repo", Refused, "turn on Issues"),
        ("POST /repos/a/b/issues", 403, "Resource not accessible by integration", Forbidden, "`issues: write`"),
        ("POST /repos/a/b/git/commits", 403, "Repository was archived so is read-only.", Forbidden, "unarchive"),
        ("POST /repos/a/b/pulls", 422, "Draft pull requests are not supported in this repository.", Refused, "ask for none"),
        ("POST /repos/a/b/pulls", 422, "A pull request already exists for a:c.", Refused, "run again"),
        ("GET /repos/a/b", 451, "Repository access blocked", Forbidden, ""),
        ("GET /repos/a/b", 500, "", Unavailable, "run again later"),
        ("POST /repos/a/b/git/trees", 502, "", Unavailable, "nothing of it is on a branch"),
    ],
)
def test_a_refusal_says_what_a_person_can_do(asked: str, status: int, words: str, kind: type, remedy: str) -> None:
    verb, path = asked.split()
    error = failure(Attempt(verb, path), status, {}, words, NOW)
    assert type(error) is kind
    assert remedy in error.remedy
    assert words in error.reason
    assert str(status) in error.reason


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("contents=write,workflows=write", "give it `contents: write, workflows: write`"),
        ("issues=write; pull_requests=write", "give it `pull-requests: write`"),
        ("administration=write", "give it `administration: write`"),
        ("`rm -rf`\x1b[0m", "give it `pull-requests: write`"),
        ("", "give it `pull-requests: write`"),
    ],
)
def test_the_permission_is_the_one_that_github_names(header: str, named: str) -> None:
    error = failure(Attempt("POST", "/repos/a/b/pulls"), 403, {"x-accepted-github-permissions": header}, "No", NOW)
    assert error.remedy.startswith(named + ";")


def test_single_sign_on_is_told_without_its_link() -> None:
    header = {"x-github-sso": "required; url=https://github.com/orgs/acme/sso?authorization_request=SECRET"}
    error = failure(Attempt("GET", "/repos/a/b"), 403, header, "Resource protected by organization SAML enforcement.", NOW)
    assert isinstance(error, Forbidden)
    assert "Configure SSO" in str(error)
    assert "SECRET" not in str(error)


def test_what_github_says_steers_nothing_and_holds_no_token() -> None:
    answer = {
        "message": f"a\x1b[31m\n::error::b\u202e {TOKEN}",
        "errors": [{"message": "c\rd"}, "e", {"field": "body", "code": "too long"}, 1],
    }
    words = said(answer, TOKEN)
    assert words == "a\\x1b[31m ::error::b\\u202e ***; c d; e; body too long; 1"
    assert len(said({"message": "x" * 10_000})) < 310
    assert said(["a"]) == said(None) == said({"message": None, "errors": 3}) == ""


def test_an_error_on_the_way_holds_no_token(proxy: FailingProxy, connect: Connect) -> None:
    proxy.on("GET", ".*", status=403, body={"message": f"no {TOKEN}"})
    with pytest.raises(Forbidden) as raised:
        connect("acme/shop", proxy.url).repository()
    assert TOKEN not in str(raised.value)
    assert TOKEN not in repr(raised.value.__dict__)
    assert proxy.asked[0].headers["Authorization"].endswith(TOKEN), "it was sent"
