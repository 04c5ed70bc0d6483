"""Branches at GitHub: what moves or deletes one does so from where it was read to be, also if somebody pushes in that moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from failing_proxy import FailingProxy, Request
from github_emulator import VAGUE, EmulatedRepository, Emulator

from hardener.bot.forge import Commit, Forbidden, ForgeError, Limited, Missing, Moved, Unavailable, Written
from hardener.bot.forges.github import GitHub
from hardener.bot.forges.github_errors import Attempt, Refused, Unsupported, failure_of_query, said
from hardener.record import NamedTuple

BRANCH = "harden/shop"
STEPS = (Commit("Drop capabilities", (Written("compose.yaml", b"services: {}\n"),)),)
UNKNOWN = {
    "errors": [
        {
            "path": ["mutation", "updateRefs"],
            "extensions": {"code": "undefinedField", "typeName": "Mutation", "fieldName": "updateRefs"},
            "message": "Field 'updateRefs' doesn't exist on type 'Mutation'",
        },
        {"extensions": {"code": "variableRequiresValidType"}, "message": "RefUpdate isn't a defined input type (on $updates)"},
    ]
}

emulated = pytest.mark.network


class There(NamedTuple):
    """A repository with a branch of ours, which is at `was`, and a base that has moved on: what is put next replaces it."""

    project: EmulatedRepository
    proxy: FailingProxy
    forge: GitHub
    was: str

    def put(self) -> str:
        """Have the branch anew."""
        return self.forge.put_branch(BRANCH, self.was, self.project.heads()["main"], STEPS, None)

    def drop(self) -> None:
        """Take it away."""
        self.forge.drop_branch(BRANCH, self.was)

    @property
    def head(self) -> str:
        """Where the branch is."""
        return self.project.heads().get(BRANCH, "")

    def play(self, meanwhile: Callable[[], object] | None = None, **how: Any) -> None:
        """Have GraphQL's `updateRefs`, and something done right before it compares."""

        def act(request: Request) -> object:
            if meanwhile is not None:
                meanwhile()
            return self.project.update_refs(request.json)

        self.proxy.on("POST", "/graphql", act=act, **how)

    def writes(self) -> list[str]:
        """What was asked that changes branches."""
        return [path for path in self.proxy.paths() if "/git/refs" in path or "/graphql" in path]


Do = Callable[[There], object]
both = pytest.mark.parametrize("do", [There.put, There.drop], ids=["put", "drop"])


@pytest.fixture
def there(github: Emulator) -> Iterator[There]:
    project = github.repository({"compose.yaml": b"services: {a: {}}\n"})
    with FailingProxy(github.url) as proxy:
        forge = GitHub(project.name, project.token, proxy.url)
        was = forge.put_branch(BRANCH, "", project.heads()["main"], STEPS, None)
        project.push({"compose.yaml": b"services: {b: {}}\n"})
        proxy.forget()
        yield There(project, proxy, forge, was)
        forge.close()


@emulated
def test_a_branch_is_moved_and_taken_away_in_one_step(there: There) -> None:
    there.play()
    head = there.put()
    assert there.head == head
    assert there.project.log(BRANCH)[1]["sha"] == there.project.heads()["main"]
    there.forge.drop_branch(BRANCH, head)
    assert there.head == ""
    there.forge.drop_branch(BRANCH, head)  # it is gone, which is what was wanted
    assert there.writes() == ["POST /graphql"] * 3
    updates = [one.json["variables"]["updates"] for one in there.proxy.asked if one.path == "/graphql"]
    name = f"refs/heads/{BRANCH}"
    assert updates[:2] == [
        [{"name": name, "beforeOid": there.was, "afterOid": head, "force": True}],
        [{"name": name, "beforeOid": head, "afterOid": "0" * 40, "force": True}],
    ]


@emulated
@both
@pytest.mark.parametrize("late", [True, False], ids=["in that moment", "before"])
def test_what_somebody_pushed_stays(late: bool, do: Do, there: There) -> None:
    pushed: list[str] = []

    def push() -> None:
        pushed.append(there.project.push({"theirs": b"1"}, branch=BRANCH))

    there.play(push if late else None)
    if not late:
        push()
    with pytest.raises(Moved, match="run again"):
        do(there)
    assert [there.head] == pushed
    assert there.writes() == ["POST /graphql"]


@emulated
@both
def test_a_branch_that_somebody_took_away_is_not_made_again(do: Do, there: There) -> None:
    there.play(lambda: there.project.ask("DELETE", f"/git/refs/heads/{BRANCH}"))
    if do is There.put:
        with pytest.raises(Moved):
            do(there)
    else:
        do(there)
    assert there.head == ""


@emulated
@both
@pytest.mark.parametrize("cut", ["before", "after"])
def test_an_answer_that_got_lost_is_looked_up(cut: str, do: Do, there: There) -> None:
    there.play(cut=cut)
    if cut == "before":
        with pytest.raises(Unavailable, match="was cut"):
            do(there)
        assert there.head == there.was
    else:
        assert (do(there) or "") == there.head != there.was
    assert there.writes() == ["POST /graphql"], "what writes is never asked twice"


@emulated
@both
@pytest.mark.parametrize(
    ("answer", "how"),
    [
        (UNKNOWN, {}),
        ({"errors": [{"message": UNKNOWN["errors"][0]["message"]}]}, {}),
        ({"message": "Not Found"}, {"status": 404}),
        ({"errors": [{"type": "FORBIDDEN", "message": "Resource not accessible by integration"}]}, {}),
    ],
    ids=["its code", "its words", "no GraphQL", "no right"],
)
def test_where_it_cannot_be_asked_rest_is_from_then_on(answer: object, how: dict[str, Any], do: Do, there: There) -> None:
    there.proxy.on("POST", "/graphql", body=answer, **how)
    first = do(there)
    verb = "PATCH" if first else "DELETE"
    assert there.head == (first or "")
    assert there.writes() == ["POST /graphql", f"{verb} /repos/{there.project.name}/git/refs/heads/{BRANCH}"]
    if not first:
        return
    theirs = there.project.push({"theirs": b"1"}, branch=BRANCH)
    with pytest.raises(Moved):
        there.forge.drop_branch(BRANCH, str(first))
    there.forge.drop_branch(BRANCH, theirs)
    assert len([one for one in there.writes() if "graphql" in one]) == 1


@emulated
def test_what_neither_lets_the_token_do_is_told_as_rest_does(there: There) -> None:
    there.proxy.on("POST", "/graphql", body=refused("FORBIDDEN", "Resource not accessible by integration"))
    address = f"/repos/{there.project.name}/git/refs/heads/{BRANCH}"
    there.proxy.on("DELETE", address, status=403, body={"message": "Resource not accessible by integration"})
    with pytest.raises(Forbidden, match="give the job `contents: write`"):
        there.drop()
    assert there.head == there.was


@emulated
def test_a_repository_without_a_name_in_graphql_is_asked_by_rest(there: There) -> None:
    data = {key: value for key, value in there.project.ask("GET", "").items() if key != "node_id"}
    there.proxy.on("GET", f"/repos/{there.project.name}", body=data)
    fresh = there._replace(forge=GitHub(there.project.name, there.project.token, there.proxy.url))
    assert fresh.put() == there.head
    assert [one.split()[0] for one in there.writes()] == ["PATCH"]
    fresh.forge.close()


def refused(kind: str, message: str, **more: object) -> dict[str, Any]:
    """An answer with one error, as GraphQL gives it."""
    return {"data": {"updateRefs": None}, "errors": [{"type": kind, "path": ["updateRefs"], "message": message, **more}]}


@emulated
@pytest.mark.parametrize(
    ("do", "answer", "how", "kind", "words"),
    [
        (
            There.put,
            refused("UNPROCESSABLE", "Repository rule violations found\n\nCannot force-push"),
            {},
            Forbidden,
            "`branch_prefix`",
        ),
        (There.put, refused("RATE_LIMITED", "API rate limit exceeded"), {"headers": {"X-RateLimit-Reset": "1"}}, Limited, "wait"),
        (There.drop, {"message": "You have exceeded a secondary rate limit"}, {"status": 403}, Limited, "secondary"),
        (There.put, {"errors": [{"message": VAGUE}]}, {}, Refused, "whether a rule for branches forbids it"),
        (There.drop, {"message": "Bad credentials"}, {"status": 401}, Forbidden, "make a new one"),
        (There.put, {"message": "Server Error"}, {"status": 502}, Unavailable, "run again later"),
        (There.drop, [], {}, Unavailable, "no GraphQL"),
        (There.put, {"data": None}, {}, Unavailable, "no GraphQL"),
    ],
)
def test_what_is_refused_is_said_and_the_branch_stays(
    do: Do, answer: object, how: dict[str, Any], kind: type[ForgeError], words: str, there: There
) -> None:
    there.proxy.on("POST", "/graphql", body=answer, **how)
    with pytest.raises(kind, match=words) as raised:
        do(there)
    assert type(raised.value) is kind
    assert there.head == there.was
    assert there.writes() == ["POST /graphql"]
    if kind is Limited:
        assert there.proxy.paths()[-1] == "POST /graphql", "nothing more is asked then"


NOW = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)
SCOPES = "Your token has not been granted the required scopes to execute this query."


@pytest.mark.parametrize(
    ("kind", "message", "headers", "error", "told"),
    [
        ("RATE_LIMITED", "", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1767269400"}, Limited, "after 12:10 UTC"),
        ("RATE_LIMIT", "API rate limit already exceeded", {"x-ratelimit-remaining": "4"}, Limited, "in an hour"),
        ("RATE_LIMIT", "", {"retry-after": "60"}, Limited, "after 12:02 UTC"),
        ("", "You have exceeded a secondary rate limit.", {}, Limited, "after 12:02 UTC"),
        ("BRANCH_PROTECTION_RULE_VIOLATION", "", {}, Forbidden, "`branch_prefix`"),
        ("", "Protected branch update failed for refs/heads/a.", {}, Forbidden, "`branch_prefix`"),
        ("INSUFFICIENT_SCOPES", "No", {}, Unsupported, "No"),
        ("", SCOPES, {}, Unsupported, "not been granted"),
        ("FORBIDDEN", "Resource not accessible by integration", {}, Unsupported, "not accessible"),
        ("NOT_FOUND", "Could not resolve to a node with the global id of 'x'", {}, Missing, "whether the token may see it"),
        ("", "We couldn't respond to your request in time.", {}, Unavailable, "run again later"),
        ("UNPROCESSABLE", "A ref of that name", {}, Refused, "A ref of that name"),
        ("STALE_DATA", "", {}, Refused, "STALE_DATA"),
    ],
)
def test_an_error_in_an_answer_is_the_one_that_rest_would_end_in(
    kind: str, message: str, headers: dict[str, str], error: type[ForgeError], told: str
) -> None:
    data = refused(kind, message)
    found = failure_of_query(Attempt("PATCH", "/repos/a/b/git/refs/heads/c"), data, headers, said(data), NOW)
    assert type(found) is error
    assert told in str(found)
    assert not any(status in str(found) for status in ("403", "404", "422", "429", "504")), "GitHub said none"


def test_errors_of_any_shape_are_errors() -> None:
    shapes: list[object] = ["a", ["a"], [None], [{}], {"a": 1}, [{"type": 1, "extensions": 2, "message": 3}]]
    for errors in shapes:
        data = {"errors": errors}
        assert type(failure_of_query(Attempt("PATCH", "/repos/a/b/git/refs/heads/c"), data, {}, said(data))) is Refused
    assert type(failure_of_query(Attempt("GET", "/user"), UNKNOWN, {}, said(UNKNOWN))) is Unsupported


@emulated
def test_what_is_said_steers_nothing_and_holds_no_token(there: There) -> None:
    there.proxy.on("POST", "/graphql", body=refused("X", f"a\x1b[31m\n::error::b {there.project.token}"))
    with pytest.raises(Refused) as raised:
        there.put()
    assert "(a\\x1b[31m ::error::b ***)" in str(raised.value)
