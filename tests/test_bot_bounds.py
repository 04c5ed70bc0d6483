"""What a hostile forge, or a hostile tree at a good one, may have the bot hold: not more than there is reason for."""

from __future__ import annotations

import contextlib
import gzip
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from failing_proxy import FailingProxy
from fake_forge import FakeForge

from hardener.bot.forge import Entry, Forge, ForgeError
from hardener.bot.forges import bounded
from hardener.bot.forges.gitea import Gitea
from hardener.bot.forges.github import GitHub
from hardener.bot.forges.gitlab import GitLab
from hardener.bot.snapshot import Most, snapshot

FORGES: dict[str, Callable[[str], Forge]] = {
    "github": lambda url: GitHub("o/r", "secret", url),
    "gitlab": lambda url: GitLab("o/r", "secret", address=url),
    "gitea": lambda url: Gitea(url, "o/r", "secret", pauses=()),
}


@pytest.fixture
def proxy() -> Iterator[FailingProxy]:
    with FailingProxy() as proxy:
        yield proxy


@pytest.mark.parametrize("forge", FORGES)
def test_an_answer_that_unpacks_without_end_is_not_unpacked(
    forge: str, proxy: FailingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "MOST", 3 << 20)
    packed = gzip.compress(b'"' + b"a" * (64 << 20) + b'"', 1)
    proxy.on("GET", ".*", body=packed, headers={"Content-Encoding": "gzip"})
    with pytest.raises(ForgeError, match="more than 3 MiB"):
        FORGES[forge](proxy.url).repository()


@pytest.mark.parametrize("copies", [6, 7])
def test_one_file_under_any_number_of_names_does_not_fill_the_disk(copies: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git has it once, and a few bytes of trees name it; it is read once, too, which alone is no bound."""
    said = "services: {a: {image: redis}}\n"
    monkeypatch.setattr("hardener.bot.snapshot.AFAR", Most(100, 4 * len(said)))
    monkeypatch.setattr("hardener.bot.snapshot._KEPT", 2 * len(said))
    forge = FakeForge({f"{number}/compose.yaml": said for number in range(copies)})
    if copies == 6:
        with snapshot(forge, forge.branches["main"]) as there:
            assert Path(there.folder, "5/compose.yaml").read_text() == said
    else:
        with pytest.raises(ForgeError, match="exclude folders"), snapshot(forge, forge.branches["main"]):
            pass
    assert forge.calls.count("read") == 1


def nested(deep: int) -> str:
    return "[" * deep + "]" * deep


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (400, f'{{"message": {nested(600)}}}', {}),
        (404, f'{{"error": {nested(2_000)}}}', {}),
        (400, '{"message": ' + '{"a":' * 400 + "1" + "}" * 401, {}),
        (200, "[]", {}),
        (200, '{"id": "one"}', {}),
        (201, "{}", {"Location": "http://["}),
        (302, "{}", {"Location": "\xff\xfe"}),
    ],
)
@pytest.mark.parametrize("forge", FORGES)
def test_an_answer_that_makes_no_sense_is_an_error_of_the_forge(
    forge: str, status: int, body: str, headers: dict[str, str], proxy: FailingProxy
) -> None:
    proxy.on(".*", ".*", status=status, body=body.encode(), headers=headers)
    there = FORGES[forge](proxy.url)
    asked: list[Callable[[], object]] = [
        there.repository,
        lambda: there.read("c" * 40, Entry("a", "100644", "1" * 40, 5)),
        lambda: list(there.archive("c" * 40)),
        lambda: there.drop_branch("harden/a", "1" * 40),
        lambda: there.make_comment(1, "words"),
    ]
    for ask in asked:
        with contextlib.suppress(ForgeError):
            ask()
    assert proxy.asked


def test_a_redirection_says_nothing_in_the_log(proxy: FailingProxy, caplog: pytest.LogCaptureFixture) -> None:
    """PyGithub tells each that it follows, with where to, on standard error, where the log of a job is."""
    proxy.on("GET", "/repos/o/r", status=301, headers={"Location": f"{proxy.url}/\x1b[2J"})
    with pytest.raises(ForgeError):
        GitHub("o/r", "secret", proxy.url).repository()
    assert len(proxy.asked) == 2
    assert caplog.text == ""


WORDS = "x" * 50_000
PAGES = 24


def pages_of(proxy: FailingProxy, path: str, item: dict[str, object]) -> None:
    """A list of 24 pages with 6 MB in all, as each forge says that there is more."""
    for page in range(1, PAGES + 1):
        items = [{**item, "number": page * 100 + number, "iid": page * 100 + number} for number in range(5)]
        further = {"Link": f'<x?page={page + 1}>; rel="next"', "X-Next-Page": str(page + 1)} if page < PAGES else {}
        headers = {**further, "X-Total-Count": str(PAGES * 5)}
        # GitLab's first page is asked for without its number.
        proxy.on("GET", rf".*{path}\?(?!.*[?&]page=\d).*" if page == 1 else "none", headers=headers, body=items)
        proxy.on("GET", rf".*{path}\?(.*&)?page={page}(&.*)?", headers=headers, body=items)


def held(ask: Callable[[], Sequence[object]]) -> int:
    """The most bytes that are held at once while something is asked that comes to nothing large."""
    ask()  # what is imported and asked once is not counted
    tracemalloc.start()
    try:
        assert len(repr(ask())) < len(WORDS) * 5
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture
def forgeries(proxy: FailingProxy, monkeypatch: pytest.MonkeyPatch) -> FailingProxy:
    for name in ("github._OPEN_PAGES", "github._CLOSED_PAGES", "gitlab._OPEN_PAGES", "gitlab._ALL_PAGES", "gitlab._TALK_PAGES"):
        monkeypatch.setattr(f"hardener.bot.forges.{name}", PAGES)
    proxy.on("GET", "/repos/o/r", body={"full_name": "o/r", "default_branch": "main"})
    proxy.on("GET", "/api/v4/projects/o%2Fr", body={"id": 1})
    proxy.on("GET", "/api/v4/user", body={"id": 1, "username": "harden"})
    return proxy


@pytest.mark.parametrize("branch", ["work", "harden/a"])
@pytest.mark.parametrize("forge", FORGES)
def test_what_strangers_say_in_pull_requests_of_theirs_is_not_held(forge: str, branch: str, forgeries: FailingProxy) -> None:
    """Anybody may open any number of them, from a fork with whatever branches, and write a million characters in each."""
    sides = {"head": {"ref": branch, "repo": {"id": 2}, "repo_id": 2}, "base": {"ref": "main", "repo": {"id": 1}, "repo_id": 1}}
    item = {
        **sides,
        "title": "", "body": WORDS, "description": WORDS, "state": "closed", "created_at": "2026-01-01T00:00:00Z", "web_url": "",
        "source_branch": branch, "target_branch": "main", "source_project_id": 2, "target_project_id": 1, "labels": [],
    }  # fmt: skip
    pages_of(forgeries, "(pulls|merge_requests)", item)
    there = FORGES[forge](forgeries.url)
    assert held(lambda: there.pulls("harden/")) < 4_000_000
    assert len(forgeries.asked) > PAGES


@pytest.mark.parametrize("what", ["comments", "remarks"])
def test_what_strangers_say_below_a_merge_request_is_not_held(what: str, forgeries: FailingProxy) -> None:
    note = {"system": False, "author": {"id": 2}, "body": WORDS, "position": None}
    pages_of(forgeries, "(notes|discussions)", {**note, "notes": [note] if what == "remarks" else []})
    forge = GitLab("o/r", "secret", address=forgeries.url)
    assert held(lambda: getattr(forge, what)(1)) < 4_000_000
    assert len(forgeries.asked) > PAGES
