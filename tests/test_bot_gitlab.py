"""GitLab as a forge: what the adapter does to a project, and what it makes of refusals. The emulator is the judge."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from gitlab_emulator import Files, GitLabEmulator

from hardener.bot.forge import (
    Author,
    Commit,
    Entry,
    Forbidden,
    ForgeError,
    Limited,
    Missing,
    Moved,
    Remark,
    State,
    Unavailable,
    Written,
)
from hardener.bot.forges import gitlab_server
from hardener.bot.forges.gitlab import MOST_PAGES, GitLab
from hardener.bot.forges.gitlab_lines import line_in
from hardener.bot.forges.gitlab_texts import drafted, guarded, suggestion, undrafted, unguarded
from hardener.bot.marks import Trailers, files_digest, trailers_of, with_trailers

BRANCH, NEXT = "harden/shop", "harden/shop--NEXT"
COMPOSE = b"services:\r\n  db:\r\n    image: postgres:16\r\n"
FILES: Files = {
    "compose.yaml": ("100644", COMPOSE),
    "run.sh": ("100755", b"#!/bin/sh\nexec app\n"),
    "data/logo.png": ("100644", b"\x89PNG\r\n\x1a\n\x00\xff"),
    "link": ("120000", b"run.sh"),
    "inner": ("160000", b""),
    "a b/ü#?%2F.txt": ("100644", "ä\n".encode()),
}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardener.bot.forges.gitlab_server.PAUSES", (0.0, 0.0))
    monkeypatch.setattr("hardener.bot.forges.gitlab.PAUSES", (0.0, 0.0))


@pytest.fixture
def server() -> Iterator[GitLabEmulator]:
    with GitLabEmulator(FILES) as emulator:
        yield emulator


def forge_of(server: GitLabEmulator, token: str = "glpat-secret", **more: object) -> GitLab:
    return GitLab(server.path, token, address=server.address, **more)  # type: ignore[arg-type]


def series(*changes: dict[str, bytes], branch: str = BRANCH) -> list[Commit]:
    """Commits as the bot makes them: each says which it is."""
    commits = []
    for number, files in enumerate(changes, 1):
        trailers = Trailers(branch, number, len(changes), files_digest(files.items()))
        written = tuple(
            Written(path, data, FILES.get(path, ("100644",))[0], is_new=path not in FILES) for path, data in files.items()
        )
        commits.append(Commit(with_trailers(f"Step {number}", trailers), written))
    return commits


THREE = series({"compose.yaml": b"one\r\n"}, {"run.sh": b"two\n"}, {"compose.yaml": b"three\r\n"})


def writes(server: GitLabEmulator) -> list[tuple[str, str]]:
    return [one for one in server.asked if one[0] != "GET"]


# The project.


def test_it_says_what_a_project_is(server: GitLabEmulator) -> None:
    project = forge_of(server).repository()
    assert (project.name, project.branch) == ("group/app", "main")
    assert (project.is_own, project.may_push, project.is_archived) == (False, True, False)


@pytest.mark.parametrize("under", ["/gitlab", "/a/b"])
def test_it_finds_a_gitlab_under_a_path(under: str) -> None:
    with GitLabEmulator(FILES, path="a/b/c", under=under) as server:
        assert GitLab("/a/b/c/", "glpat-secret", address=f"{server.address}/").repository().name == "a/b/c"


@pytest.mark.parametrize(
    ("namespace", "is_job_here", "path", "is_own"),
    [
        ({"kind": "user", "full_path": "Robot"}, False, "group/app", True),
        ({"kind": "user", "full_path": "stranger"}, False, "group/app", False),
        # A group may be called as a user was.
        ({"kind": "group", "full_path": "robot"}, False, "group/app", False),
        ({"kind": "group", "full_path": "group"}, True, "group/app", True),
        ({"kind": "group", "full_path": "group"}, True, "old/name", False),
    ],
)
def test_it_knows_whose_a_project_is(
    server: GitLabEmulator, namespace: dict[str, str], is_job_here: bool, path: str, is_own: bool
) -> None:
    server.namespace, server.moved_from = namespace, "old/name"
    assert GitLab(path, "glpat-secret", address=server.address, is_own=is_job_here).repository().is_own is is_own


@pytest.mark.parametrize(
    ("permissions", "levels", "may"),
    [
        ({"project_access": None, "group_access": {"access_level": 40}}, {}, True),
        ({"project_access": {"access_level": 20}, "group_access": None}, {7: 20}, False),
        # By an invited group.
        ({"project_access": None, "group_access": None}, {7: 30}, True),
        (None, {}, False),
    ],
)
def test_it_knows_who_may_push(server: GitLabEmulator, permissions: object, levels: dict[int, int], may: bool) -> None:
    server.permissions, server.levels = permissions, levels  # type: ignore[assignment]
    assert forge_of(server).repository().may_push is may


def test_it_follows_a_project_that_was_moved(server: GitLabEmulator) -> None:
    server.moved_from = "old/name"
    forge = GitLab("old/name", "glpat-secret", address=server.address)
    assert forge.repository().name == "group/app"
    assert forge.put_branch(BRANCH, "", server.branches["main"], THREE[:1], None) == server.branches[BRANCH]


def test_an_empty_or_archived_project(server: GitLabEmulator) -> None:
    server.default, server.archived = None, True  # type: ignore[assignment]
    project = forge_of(server).repository()
    assert (project.branch, project.is_archived) == ("", True)


# Reading.


def test_it_reads_files_as_they_are(server: GitLabEmulator) -> None:
    forge, at = forge_of(server), server.branches["main"]
    listing = forge.listing(at)
    assert listing.complete
    assert {entry.path: entry.mode for entry in listing.entries} == {path: mode for path, (mode, _) in FILES.items()}
    assert {entry.size for entry in listing.entries} == {-1}
    for entry in listing.entries:
        assert forge.read(at, entry) == FILES[entry.path][1]


def test_a_file_is_what_its_id_says(server: GitLabEmulator) -> None:
    forge, at = forge_of(server), server.branches["main"]
    entry = forge.listing(at).entries[0]
    server.blobs[entry.id] = b"another"
    with pytest.raises(Unavailable, match="a part of a file"):
        forge.read(at, entry)


def test_a_file_may_be_too_long(server: GitLabEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gitlab_server, "LONGEST_FILE", 1 << 20)
    with pytest.raises(ForgeError, match="exclude it"):
        forge_of(server).read("", Entry("big", "100644", server.blob(b"x" * (1 << 21))))


def test_fifty_thousand_files() -> None:
    own = {f"src/p{n // 100:03}/f{n % 100}.c": ("100644", b"") for n in range(4_500)}
    foreign = {f"web/node_modules/m{n // 90:03}/f{n % 90}.js": ("100644", b"") for n in range(45_500)}
    with GitLabEmulator({**own, **foreign, "web/compose.yaml": ("100644", COMPOSE)}) as server:
        start = time.process_time()
        listing = forge_of(server).listing(server.branches["main"])
        took = time.process_time() - start
    found = {entry.path for entry in listing.entries}
    assert own.keys() <= found
    assert "web/compose.yaml" in found
    assert not listing.complete
    assert len(server.asked) < 200 < MOST_PAGES
    assert took < 8, "of the processor, with the emulator: a second or two"


def test_thousands_of_folders_take_no_request_each() -> None:
    with GitLabEmulator({f"apps/a{n // 10:03}/f{n % 10}.yaml": ("100644", b"") for n in range(6_000)}) as server:
        listing = forge_of(server).listing(server.branches["main"])
    assert (len(listing.entries), listing.complete) == (6_000, True)
    assert len(server.asked) < 70


def test_a_listing_stops_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardener.bot.forges.gitlab.MOST_PAGES", 12)
    monkeypatch.setattr("hardener.bot.forges.gitlab.MANY_PAGES", 3)
    with GitLabEmulator({f"d{n // 500}/e{n % 7}/f{n}": ("100644", b"") for n in range(3000)}) as server:
        listing = forge_of(server).listing(server.branches["main"])
        assert not listing.complete
        assert sum("tree" in path for _, path in server.asked) == 12


@pytest.mark.parametrize("files", [99, 100, 101, 400])
def test_the_last_page_may_be_full(files: int) -> None:
    with GitLabEmulator({f"f{n:03}": ("100644", b"") for n in range(files)}) as server:
        listing = forge_of(server).listing(server.branches["main"])
        assert (len(listing.entries), listing.complete) == (files, True)


def test_history_follows_first_parents(server: GitLabEmulator) -> None:
    first = server.branches["main"]
    side = server.push("side", {"s": ("100644", b"")})
    merge = server.commit(FILES, "merge", (first, side))
    for _ in range(150):
        merge = server.commit(FILES, "more", (merge,))
    past = forge_of(server).history(merge, 1000)
    assert len(past) == 152
    assert past[-2].parents == (first, side)
    assert past[-1].id == first
    assert [one.id for one in forge_of(server).history(merge, 2)] == [one.id for one in past[:2]]


@pytest.mark.parametrize("most_compared", [1000, 1])
def test_it_tells_what_changed(server: GitLabEmulator, most_compared: int) -> None:
    server.most_compared = most_compared
    base = server.branches["main"]
    changed = {**FILES, "run.sh": ("100644", FILES["run.sh"][1]), "new": ("100644", b"x")}
    del changed["link"]
    at = server.commit(changed, "all", (base,))
    # Compared straight: what the other side has beyond their common past counts.
    other = server.push("main", {"late": ("100644", b"")})
    forge = forge_of(server)
    assert forge.changed(base, at) == {"run.sh", "new", "link"}
    assert forge.changed(other, at) == {"run.sh", "new", "link", "late"}
    assert forge.changed(at, at) == frozenset()


# Writing.


def test_a_series_of_commits(server: GitLabEmulator) -> None:
    base = server.branches["main"]
    author = Author("Ada Lovelace", "ada@example.org")
    new = Commit("New\n", (Written("x/new.sh", b"\x00\r\n", "100755", is_new=True), Written("x/y", b"", is_new=True)))
    commits = [*THREE, new]
    at = forge_of(server).put_branch(BRANCH, "", base, commits, author)
    line = server.line(BRANCH)
    assert line[0] == at
    assert [server.commits[one]["message"] for one in line[:4]] == [commit.message for commit in reversed(commits)]
    assert line[4] == base
    assert {server.commits[one]["author_email"] for one in line[:4]} == {"ada@example.org"}
    changes = {"compose.yaml": ("100644", b"three\r\n"), "run.sh": ("100755", b"two\n"), "x/new.sh": ("100755", b"\x00\r\n")}
    assert server.files(at) == {**FILES, **changes, "x/y": ("100644", b"")}
    assert server.files(line[2])["compose.yaml"] == ("100644", b"one\r\n")
    assert server.branches.keys() == {"main", BRANCH}


def test_a_mode_may_change(server: GitLabEmulator) -> None:
    commit = Commit("m", (Written("run.sh", b"x", "100644"), Written("compose.yaml", COMPOSE, "100755")))
    at = forge_of(server).put_branch(BRANCH, "", server.branches["main"], [commit], None)
    assert server.files(at)["run.sh"] == ("100644", b"x")
    assert server.files(at)["compose.yaml"] == ("100755", COMPOSE)


def test_what_stands_on_a_branch_is_replaced_in_one_step(server: GitLabEmulator) -> None:
    forge = forge_of(server)
    was = forge.put_branch(BRANCH, "", server.branches["main"], THREE, None)
    base = server.push("main", {"late": ("100644", b"")})
    seen: list[str] = []
    server.before = lambda verb, path: seen.append(server.branches[BRANCH])
    at = forge.put_branch(BRANCH, was, base, THREE, None)
    assert server.line(BRANCH)[:4] == [at, *server.line(BRANCH)[1:3], base]
    # Never anything between.
    assert set(seen) <= {was, at}
    assert server.branches.keys() == {"main", BRANCH}


def test_its_merge_request_stays_open(server: GitLabEmulator) -> None:
    """GitLab closes one when its branch is deleted, however soon there is another."""
    forge, base = forge_of(server), server.branches["main"]
    was = forge.put_branch(BRANCH, "", base, THREE, None)
    forge.make_pull(BRANCH, "main", "t", "b", draft=False, labels=[])
    was = forge.put_branch(BRANCH, was, base, THREE[:1], None)
    forge.put_branch(BRANCH, was, base, THREE, None)
    assert server.pulls[0]["state"] == "opened"


@pytest.mark.parametrize("count", [1, 3])
def test_it_leaves_what_somebody_else_pushed(server: GitLabEmulator, count: int) -> None:
    forge, base = forge_of(server), server.branches["main"]
    was = forge.put_branch(BRANCH, "", base, THREE, None)
    theirs = server.push(BRANCH, {"theirs": ("100644", b"")})
    for expected in (was, ""):
        with pytest.raises(Moved):
            forge.put_branch(BRANCH, expected, base, THREE[:count], None)
    with pytest.raises(Moved):
        forge.put_branch("harden/gone", was, base, THREE[:count], None)
    assert server.branches == {"main": base, BRANCH: theirs}


def test_a_branch_that_comes_up_meanwhile_stays(server: GitLabEmulator) -> None:
    """Between the look at the branch and the commit: GitLab itself refuses what is not forced."""
    base = server.branches["main"]

    def meanwhile(verb: str, path: str) -> None:
        if verb == "POST" and BRANCH not in server.branches:
            server.push(BRANCH, {"theirs": ("100644", b"")})

    server.before = meanwhile
    with pytest.raises(Moved):
        forge_of(server).put_branch(BRANCH, "", base, THREE[:1], None)
    assert server.commits[server.branches[BRANCH]]["message"] == "by hand"


@pytest.mark.parametrize("fault", [502, 500, "cut", "cut after", 429])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_series_that_is_cut_is_finished_by_the_next_run(server: GitLabEmulator, nth: int, fault: object) -> None:
    forge, base = forge_of(server), server.branches["main"]
    was = forge.put_branch(BRANCH, "", base, THREE[:1], None)
    posts: list[str] = []

    def before(verb: str, path: str) -> None:
        if verb == "POST":
            posts.append(path)
            if len(posts) == nth:
                server.faults.append(("POST", "commits$", fault))

    server.before = before
    with pytest.raises(Limited if fault == 429 else Unavailable):
        forge.put_branch(BRANCH, was, base, THREE, None)
    assert len(posts) == nth, "what writes is never repeated"
    now = server.branches[BRANCH]
    if (nth, fault) == (3, "cut after"):
        assert server.commits[now]["message"] == THREE[2].message, "all or nothing"
    else:
        assert now == was
    again = forge_of(server)
    at = again.put_branch(BRANCH, again.head(BRANCH), base, THREE, None)
    assert [server.commits[one]["message"] for one in server.line(BRANCH)] == [*(c.message for c in THREE[::-1]), "first"]
    assert server.branches == {"main": base, BRANCH: at}


def test_what_was_left_is_taken_away_with_the_branch(server: GitLabEmulator) -> None:
    forge, base = forge_of(server), server.branches["main"]
    was = forge.put_branch(BRANCH, "", base, THREE, None)
    server.branches[NEXT] = was
    forge.drop_branch(BRANCH, was)
    assert server.branches == {"main": base}
    # Again: it is gone already.
    forge.drop_branch(BRANCH, was)


def test_a_branch_is_dropped_only_where_it_was(server: GitLabEmulator) -> None:
    forge = forge_of(server)
    was = forge.put_branch(BRANCH, "", server.branches["main"], THREE[:1], None)
    theirs = server.push(BRANCH, {"theirs": ("100644", b"")})
    with pytest.raises(Moved):
        forge.drop_branch(BRANCH, was)
    assert server.branches[BRANCH] == theirs


def test_work_on_the_branch_beside_is_somebodys(server: GitLabEmulator) -> None:
    theirs = server.push(NEXT, {"theirs": ("100644", b"")})
    with pytest.raises(ForgeError, match="another name"):
        forge_of(server).put_branch(BRANCH, "", server.branches["main"], THREE, None)
    assert server.branches[NEXT] == theirs
    assert writes(server) == []


def test_files_that_are_there_or_not(server: GitLabEmulator) -> None:
    """What GitLab refuses leaves nothing behind, on neither branch."""
    wrong = Commit("x", (Written("compose.yaml", b"", is_new=True),))
    for commits in ([wrong], [THREE[0], wrong], [THREE[0], wrong, THREE[1]]):
        with pytest.raises(ForgeError, match="already exists"):
            forge_of(server).put_branch(BRANCH, "", server.branches["main"], commits, None)
        assert server.branches.keys() == {"main"}
    with pytest.raises(ForgeError, match="--git"):
        forge_of(server).put_branch(BRANCH, "", server.branches["main"], [Commit("x", (Written("link", b"", "120000"),))], None)


@pytest.mark.parametrize(
    ("rules", "remedy"),
    [
        ({"dco": True}, "sign_off"),
        ({"branch": "^feature/"}, "branch_prefix"),
        ({"message": "^JIRA-"}, "title_prefix"),
        ({"email": "@corp.example$"}, "`author`"),
    ],
)
def test_push_rules_are_told_with_what_helps(server: GitLabEmulator, rules: dict[str, object], remedy: str) -> None:
    server.push_rules = rules
    with pytest.raises(Forbidden, match=remedy):
        forge_of(server).put_branch(BRANCH, "", server.branches["main"], THREE, Author("A", "a@example.org"))
    assert server.branches.keys() == {"main"}


@pytest.mark.parametrize("may_push", [False, True])
def test_branches_protected_by_a_wildcard(server: GitLabEmulator, may_push: bool) -> None:
    forge, base = forge_of(server), server.branches["main"]
    was = forge.put_branch(BRANCH, "", base, THREE, None)
    server.protected = {"harden/*": may_push}
    with pytest.raises(Forbidden, match=r"wildcard.*force push"):
        forge.put_branch(BRANCH, was, server.push("main", {}), THREE[:1], None)
    assert server.branches[BRANCH] == was


# Merge requests.


def test_a_merge_request_is_opened_and_kept_up(server: GitLabEmulator) -> None:
    forge = forge_of(server)
    forge.put_branch(BRANCH, "", server.branches["main"], THREE[:1], None)
    body = "Text\n\n<!-- harden: x -->\n"
    made = forge.make_pull(BRANCH, "main", "Harden shop", body, draft=True, labels=["security", "a,b"])
    assert server.pulls[0]["title"] == "Draft: Harden shop"
    assert (made.title, made.is_draft, made.state) == ("Harden shop", True, State.OPEN)
    assert made.body == body.rstrip()
    assert made.labels == {"security"}
    assert made.created.tzinfo == UTC
    assert not made.is_from_fork
    with pytest.raises(ForgeError, match=r"already exists.*!1.*close that"):
        forge.make_pull(BRANCH, "main", "Harden shop", body, draft=False, labels=[])
    # A draft stays one, and what people made ready stays ready.
    server.push("develop", {})
    forge.put_pull(1, title="Harden", body="B", base="develop")
    assert (server.pulls[0]["title"], server.pulls[0]["target_branch"]) == ("Draft: Harden", "develop")
    server.pulls[0]["title"] = "Harden"
    forge.put_pull(1, title="Harden it", body="C", base="main")
    assert server.pulls[0]["title"] == "Harden it"
    forge.close_pull(1)
    assert server.pulls[0]["state"] == "closed"


def test_merge_requests_of_all_states(server: GitLabEmulator) -> None:
    for number, state in enumerate(("merged", "closed", "locked", "opened", "opened", "opened")):
        server.push(f"harden/{number}", {})
        server.add_pull(f"harden/{number}", "main", "[Draft] x" if number == 5 else "x", "", state=state)
    server.pulls[3] |= {"source_project_id": 99, "has_conflicts": True}
    server.pulls[4] |= {"detailed_merge_status": "checking"}
    server.add_pull("other/harden/1", "main", "x", "")
    pulls = forge_of(server).pulls("harden/")
    assert [pull.number for pull in pulls] == [6, 5, 4, 3, 2, 1]
    states = [State.OPEN, State.OPEN, State.OPEN, State.OPEN, State.CLOSED, State.MERGED]
    assert [pull.state for pull in pulls] == states
    assert [pull.is_draft for pull in pulls] == [True, False, False, False, False, False]
    assert [pull.is_from_fork for pull in pulls] == [False, False, True, False, False, False]
    assert [pull.conflicts for pull in pulls][:3] == [False, None, True]


def test_old_merge_requests_of_ours_are_found_among_many(server: GitLabEmulator) -> None:
    mine = {"author": {"id": 7}}
    server.add_pull("harden/old", "main", "x", "", state="closed", **mine)
    server.add_pull("harden/older", "main", "x", "", author={"id": 8})
    for number in range(700):
        server.add_pull(f"feature/{number}", "main", "x", "", state="merged", author={"id": 8})
    assert [pull.branch for pull in forge_of(server).pulls("harden/")] == ["harden/older", "harden/old"]
    assert sum("merge_requests" in path for _, path in server.asked) <= 9


def test_remarks_stand_on_their_lines(server: GitLabEmulator) -> None:
    before = b"".join(b"line %d\n" % n for n in range(1, 61))
    base = server.push("main", {"f": ("100644", before), "same": ("100644", b"s\n")})
    lines = before.splitlines(keepends=True)
    after = b"".join([*lines[:9], b"new 10\n", b"new 11\n", *lines[10:29], *lines[31:49], b"new\n", *lines[49:]])
    commit = Commit("m", (Written("f", after), Written("added", b"a\nb\n", is_new=True)))
    forge = forge_of(server)
    head = forge.put_branch(BRANCH, "", base, [commit], None)
    # The target has moved on: the lines are those of the change alone.
    server.push("main", {"f": ("100644", b"moved\n" + before)})
    forge.make_pull(BRANCH, "main", "t", "b", draft=False, labels=[])
    count = len(after.splitlines())
    wanted = [Remark("f", line, f"on {line}", max(0, line - 3) if line % 2 else 0) for line in range(1, count + 1)]
    rejected = [Remark("f", count + 9, "x"), Remark("same", 1, "x"), Remark("none", 1, "x")]
    server.preparing = 2
    forge.make_remarks(1, head, "Held back:", [*wanted, *rejected, Remark("added", 2, "last")])
    assert forge.comments(1) == ["Held back:"]
    assert forge.remarks(1) == [*wanted, Remark("added", 2, "last")]


def test_a_remark_without_its_first_line_is_better_than_none(server: GitLabEmulator) -> None:
    forge = forge_of(server)
    commit = Commit("m", (Written("added", b"a\nb\nc\n", is_new=True),))
    head = forge.put_branch(BRANCH, "", server.branches["main"], [commit], None)
    forge.make_pull(BRANCH, "main", "t", "b", draft=False, labels=[])
    server.takes_ranges = False
    forge.make_remarks(1, head, "", [Remark("added", 3, "x", 1), Remark("added", 9, "y", 1)])
    assert forge.remarks(1) == [Remark("added", 3, "x")]
    assert forge.comments(1) == []


def test_no_remarks_on_a_merge_request_that_is_not_ready(server: GitLabEmulator) -> None:
    forge = forge_of(server)
    head = forge.put_branch(BRANCH, "", server.branches["main"], THREE[:1], None)
    forge.make_pull(BRANCH, "main", "t", "b", draft=False, labels=[])
    server.preparing = 9
    with pytest.raises(Unavailable, match="in a minute"):
        forge.make_remarks(1, head, "w", [Remark("compose.yaml", 1, "x")])
    assert server.notes[1] == []


def test_only_own_words_count(server: GitLabEmulator) -> None:
    forge = forge_of(server)
    forge.put_branch(BRANCH, "", server.branches["main"], THREE[:1], None)
    forge.make_pull(BRANCH, "main", "t", "b", draft=False, labels=[])
    server.add_note(1, "of a stranger", author={"id": 8})
    server.add_note(1, "changed the target", system=True)
    place = {"new_path": "f", "new_line": 3}
    server.add_note(1, "of a stranger", author={"id": 8}, position=place, type="DiffNote")
    for number in range(120):
        server.add_note(1, f"{number}")
    assert forge.comments(1) == [f"{number}" for number in range(120)]
    assert forge.remarks(1) == []


def test_the_issue_is_kept(server: GitLabEmulator) -> None:
    forge = forge_of(server)
    assert forge.issue("Hardening") is None
    made = forge.put_issue(0, "Hardening", "one")
    server.user = {"id": 8}
    server.make_issue({"title": "Hardening", "description": ""})
    server.issues[-1]["author"] = {"id": 8}
    forge.put_issue(0, "Hardening of all", "")
    assert forge.issue("Hardening") == made
    forge.put_issue(made.number, "Hardening", "two")
    server.issues[0]["state"] = "closed"
    assert forge.issue("Hardening") == made._replace(body="two", is_open=False)
    again = forge.put_issue(0, "Hardening", "three")
    assert forge.issue("Hardening") == again


# Texts.

COMMANDS = [
    "/close",
    "text\n/close\nmore",
    "/close me please\r\n",
    "\\/close",
    "````\n```\n/close\n```\n````",
    "```yaml\n/close\n````\n",
    "~~~\n/close\n~~~",
    " ```\n/close\n ```",
    "```\nnever closed\n/close",
    "```\n/close\n```\n/close",
]


@pytest.mark.parametrize("text", COMMANDS)
def test_no_text_is_a_command(text: str, server: GitLabEmulator) -> None:
    assert unguarded(guarded(text)) == text
    assert guarded(guarded(text)) != text
    assert GitLabEmulator.without_quick_actions(guarded(text))[1] == []
    forge = forge_of(server)
    forge.put_branch(BRANCH, "", server.branches["main"], THREE[:1], None)
    made = forge.make_pull(BRANCH, "main", "t", text, draft=False, labels=[])
    forge.put_pull(1, title="t", body=text, base="main")
    forge.make_comment(1, text)
    assert server.pulls[0]["state"] == "opened"
    assert made.body == text.replace("\r", "").rstrip()
    assert forge.comments(1) == [text.replace("\r", "").rstrip()]


def test_the_emulator_carries_out_commands() -> None:
    assert GitLabEmulator.without_quick_actions("a\n/close\nb") == ("a\nb", ["/close"])


@pytest.mark.parametrize("text", ["/srv/data is a volume", "```\n/close\n```", "a /close", "| /close |", "/etc/passwd"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert guarded(text) == text


def test_suggestions() -> None:
    assert suggestion("a\n", 1) == "```suggestion:-0+0\na\n```"
    assert suggestion("a\nb", 3) == "```suggestion:-2+0\na\nb\n```"
    assert suggestion("```\nx\n```\n", 1).startswith("````suggestion:-0+0\n")
    assert suggestion("", 2) == "```suggestion:-1+0\n```"
    assert [suggestion("a", 0), suggestion("a", 102), suggestion("a\r\n", 1)] == ["", "", ""]


@pytest.mark.parametrize("title", ["Draft: x", "draft:x", "[Draft] x", "(DRAFT)  x"])
def test_titles_of_drafts(title: str) -> None:
    assert undrafted(title) == "x"
    assert undrafted(drafted("Draft the x", draft=True)) == "Draft the x"
    assert undrafted("Drafting: x") == "Drafting: x"


def test_lines_of_odd_diffs() -> None:
    assert line_in("", 5).old == 5
    # A file that is new, and one that lost its first lines.
    assert line_in("@@ -0,0 +1,2 @@\n+a\n+b\n", 2) == (2, 1, True)
    assert line_in("@@ -1,2 +0,0 @@\n-a\n-b\n", 1) == (1, 3, False)
    assert line_in("@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file\n", 1) == (1, 2, True)


# Refusals.


@pytest.mark.parametrize(
    ("token", "kind", "words"),
    [("glpat-unknown", Forbidden, "expired or been revoked"), ("glpat-read", Forbidden, "scope `api`")],
)
def test_tokens_without_rights(server: GitLabEmulator, token: str, kind: type[ForgeError], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        forge_of(server, token).put_branch(BRANCH, "", server.branches["main"], THREE, None)
    assert token not in str(caught.value)
    assert server.branches.keys() == {"main"}


def test_a_role_that_is_too_low(server: GitLabEmulator) -> None:
    server.levels = {7: 20}
    with pytest.raises(Forbidden):
        forge_of(server).put_branch(BRANCH, "", server.branches["main"], THREE, None)


@pytest.mark.parametrize("is_private", [True, False])
def test_the_token_of_a_job_reads_and_never_writes(server: GitLabEmulator, is_private: bool) -> None:
    server.is_private = is_private
    forge = forge_of(server, "job-secret", is_own=True, is_job_token=True)
    remedy = "project access token.*GITLAB_TOKEN"
    if is_private:
        with pytest.raises(Missing, match=remedy):
            forge.repository()
    else:
        project = forge.repository()
        assert (project.is_own, project.may_push) == (True, False)
        assert forge.listing(server.branches["main"]).complete
        for write in (
            lambda: forge.put_branch(BRANCH, "", server.branches["main"], THREE, None),
            lambda: forge.make_pull(BRANCH, "main", "t", "b", draft=False, labels=[]),
            lambda: forge.put_issue(0, "t", "b"),
        ):
            with pytest.raises(Forbidden, match=remedy):
                write()
    assert writes(server) == []


def test_what_is_not_there(server: GitLabEmulator) -> None:
    forge = forge_of(server)
    assert forge.head("no/such") == ""
    assert forge.head("main") == server.branches["main"]
    with pytest.raises(Missing):
        forge.listing("0" * 40)
    with pytest.raises(Missing, match="may the token see it"):
        GitLab("no/such", "glpat-secret", address=server.address).head("main")


@pytest.mark.parametrize(
    ("headers", "minutes"),
    [({"Retry-After": "120"}, 2), ({"RateLimit-Reset": "{}"}, 5), ({}, None), ({"Retry-After": "soon"}, None)],
)
def test_limits_end_the_run_at_once(server: GitLabEmulator, headers: dict[str, str], minutes: int | None) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=minutes or 0)
    server.headers_of_fault = {name: value.format(int(soon.timestamp())) for name, value in headers.items()}
    server.faults = [("GET", "branches", 429)] * 3
    forge = forge_of(server)
    forge.repository()
    server.asked.clear()
    with pytest.raises(Limited) as caught:
        forge.head("main")
    assert len(server.asked) == 1
    until = caught.value.until
    assert until is None if minutes is None else until is not None and abs(until - soon) < timedelta(seconds=5)


@pytest.mark.parametrize("fault", [502, 503, "cut"])
def test_reading_is_tried_three_times(server: GitLabEmulator, fault: object) -> None:
    forge = forge_of(server)
    server.faults = [("GET", "branches", fault)] * 2
    assert forge.head("main") == server.branches["main"]
    server.faults = [("GET", "branches", fault)] * 9
    server.asked.clear()
    with pytest.raises(Unavailable, match="later") as caught:
        forge.head("main")
    assert len(server.asked) == 3
    assert "\x1b" not in str(caught.value)


def test_what_gitlab_says_is_one_clean_line(server: GitLabEmulator) -> None:
    server.push_rules = {"message": "\x1b\\[2J\nglpat-secret::error::" + "x" * 5000}
    with pytest.raises(Forbidden) as caught:
        forge_of(server).put_branch(BRANCH, "", server.branches["main"], THREE[:1], None)
    told = caught.value.reason
    assert len(told) < 400
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]|glpat-secret", told)


@pytest.mark.parametrize("path", ["", "/api/v4"])
def test_the_token_goes_nowhere_else(server: GitLabEmulator, path: str) -> None:
    with GitLabEmulator(FILES) as other:
        forge = forge_of(server)
        server.elsewhere = other.address + path
        for ask in (lambda: forge.head("main"), lambda: forge.make_comment(1, "x")):
            with pytest.raises(ForgeError, match="elsewhere"):
                ask()
        assert other.asked == []


def test_links_lead_nowhere_else(server: GitLabEmulator) -> None:
    """The emulator's links name another host: only their query counts."""
    for number in range(250):
        server.add_pull(f"harden/{number}", "main", "x", "")
    assert len(forge_of(server).pulls("harden/")) == 250


def test_what_is_no_gitlab() -> None:
    with GitLabEmulator(FILES, under="/gitlab") as server:
        address = server.address.removesuffix("/gitlab")
        with pytest.raises(Missing):
            GitLab("group/app", "glpat-secret", address=address).repository()
    with pytest.raises(Unavailable, match="failed or was cut"):
        GitLab("group/app", "glpat-secret", address=address).repository()
    with pytest.raises(ForgeError, match="https://HOST"):
        GitLab("group/app", "glpat-secret", address="gitlab.example.org").repository()


@pytest.mark.parametrize("body", [b"<html>sign in</html>", b"[]", b"{}", b'{"id": "x"}', b"null"])
def test_answers_that_are_none(body: bytes) -> None:
    """Whatever a server says, the run ends with a reason."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                    connection.sendall(head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

        threading.Thread(target=serve, daemon=True).start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ForgeError):
            GitLab("group/app", "glpat-secret", address=address).repository()


def test_a_server_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gitlab_server, "TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(Unavailable, match="no answer"):
        GitLab("group/app", "glpat-secret", address=f"http://127.0.0.1:{listener.getsockname()[1]}").repository()


def test_the_messages_of_a_series_come_back(server: GitLabEmulator) -> None:
    forge = forge_of(server)
    at = forge.put_branch(BRANCH, "", server.branches["main"], THREE, None)
    told = [trailers_of(past.message) for past in forge.history(at, 3)]
    assert [one and (one.branch, one.step, one.steps) for one in told] == [(BRANCH, 3, 3), (BRANCH, 2, 3), (BRANCH, 1, 3)]


def test_hostile_names(server: GitLabEmulator) -> None:
    paths = ["../../etc/passwd", "/etc/passwd", "a\x1b[31m\n.yaml", "x" * 3000, "%2e%2e/x", "?ref=main", "-rf"]
    at = server.commit(dict.fromkeys(paths, ("100644", b"x")), "hostile", ())
    forge = forge_of(server)
    listing = forge.listing(at)
    assert {entry.path for entry in listing.entries} == set(paths)
    assert {forge.read(at, entry) for entry in listing.entries} == {b"x"}
    for name in ("../../user", "main?x=1", "a/../main", "\x1b\n"):
        assert forge.head(name) == ""
    # An id is what a server says as well.
    for name in ("../../../../user", "..", "."):
        with pytest.raises(Missing):
            forge.read(at, Entry("x", "100644", name))
    assert all(path.startswith("/projects/") for _, path in server.asked)
    with pytest.raises(ForgeError, match="invalid path"):
        forge.put_branch(BRANCH, "", server.branches["main"], [Commit("m", (Written("../x", b"", is_new=True),))], None)
