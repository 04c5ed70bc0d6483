"""`harden pr` on the command line: what it asks of the bot, what it tells; and that no stranger and no token speaks there."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hardener.bot.done import Done, Seen, Told
from hardener.bot.forge import Commit, Forbidden, ForgeError, Limited, Written
from hardener.bot.manners import Do
from hardener.bot.proposal import Asked, Proposal
from hardener.cli import main, pr
from hardener.cli.pr import Where
from hardener.report import Trouble

BEFORE = b"services:\n  web:\n    image: nginx:1.27\n"
FIRST = BEFORE + b"    cap_drop:\n      - ALL\n"
SECOND = FIRST + b"    read_only: true\n"
DOCKERFILE = b"FROM scratch\r\nUSER 1000\r\n"
PROPOSAL = Proposal(
    "deploy/shop",
    "harden/deploy--shop",
    "Drop what nothing needs",
    "## Why\n\nNothing needs it.\n",
    (
        Commit("Drop all capabilities\n\nNothing uses them.\n", (Written("deploy/shop/compose.yaml", FIRST),)),
        Commit(
            "Make the root file system read-only\n",
            (Written("deploy/shop/compose.yaml", SECOND), Written("deploy/shop/Dockerfile", DOCKERFILE, is_new=True)),
        ),
    ),
    "0123456789abcdef",
    {"deploy/shop/compose.yaml": BEFORE},
)
OPENED = Told(
    "deploy/shop",
    "harden/deploy--shop",
    Do.OPEN,
    "it is new",
    12,
    "https://forge.example.com/a/b/pull/12",
    PROPOSAL.title,
    proposal=PROPOSAL,
)
#: What GitHub's runner, Azure's and a terminal would take for orders, wherever a stranger can put it.
HOSTILE = (
    "::error::owned\n::set-env name=PATH::/evil\r::stop-commands::x\x1b[2J ##[error]owned ##vso[task.setvariable]x \u202egnp"
)
Harden = Callable[..., tuple[int, str, str]]


class Bot:
    """What stands in for the bot: it remembers what it was asked, and answers as it was told."""

    def __init__(self) -> None:
        self.where, self.asked = Where(), Asked()
        self.secrets: tuple[str, ...] = ()
        self.answer: tuple[Done, ...] | Exception = ()

    def __call__(self, where: Where, asked: Asked, secrets: list[str]) -> list[Done]:
        self.where, self.asked = where, asked
        secrets += self.secrets
        if isinstance(self.answer, Exception):
            raise self.answer
        return [done._replace(dry_run=asked.dry_run) for done in self.answer]


@pytest.fixture
def bot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bot:
    made = Bot()
    monkeypatch.setattr(pr, "_worked", made)
    monkeypatch.chdir(tmp_path)
    return made


@pytest.fixture
def harden(capfd: pytest.CaptureFixture[str]) -> Harden:
    def call(*words: str) -> tuple[int, str, str]:
        code = main(["pr", *words])
        out, error = capfd.readouterr()
        return code, out, error

    return call


AUTHOR = "Ann Example <ann@example.com>"


def test_without_an_option_it_asks_for_what_the_repository_wants(bot: Bot, harden: Harden) -> None:
    assert harden()[0] == 0
    assert (bot.where, bot.asked) == (Where(), Asked())


def test_every_option_reaches_the_bot(bot: Bot, harden: Harden, tmp_path: Path) -> None:
    words = (
        "--repo a/b --forge gitea --base next --only root-user,unlimited-pids --only unlimited-cpu --per rule --dry-run --draft"
    )
    words += " --verify --unsafe-fixes --trust-evidence --suggest --dashboard --onboard --git --sign-off"
    assert harden(str(tmp_path), *words.split(), "--author", AUTHOR)[0] == 0
    assert bot.where == Where(str(tmp_path), "a/b", "gitea", git=True)
    only = frozenset(("root-user", "unlimited-pids", "unlimited-cpu"))
    flags = dict.fromkeys(
        ("dry_run", "draft", "verify", "unsafe", "trust_evidence", "remarks", "dashboard", "onboard", "sign_off"), True
    )
    assert bot.asked == Asked(base="next", only=only, per="rule", author=AUTHOR, **flags)  # type: ignore[arg-type]
    assert harden("--all", "repositories.txt", "--most", "3")[0] == 0
    assert bot.where == Where(all="repositories.txt", most=3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--show", "--show is about what would be sent: it needs --dry-run"),
        ("nowhere", "nowhere: there is no such folder; a repository is named with --repo"),
        (". --repo a/b", "DIR says where, and so does --repo"),
        ("--most 2", "it needs --all"),
        ("--most 0 --all x", "--most"),
        ("--all x --repo a/b", "--repo does not go with it"),
        ("--all x .", "DIR does not go with it"),
        ("--all x --git", "--git does not go with it"),
        ("--all x --base main", "--base does not go with it"),
        ("--only root-usr", "there is no rule `root-usr`: did you mean root-user"),
        ("--per service", "--per"),
        ("--author nobody", "--author is a name and an address such as"),
        ("--format sarif", "--format"),
        ("a b", "unexpected extra argument"),
    ],
)
def test_what_does_not_go_together_is_said_before_anything_is_asked(bot: Bot, harden: Harden, words: str, said: str) -> None:
    bot.answer = AssertionError("it was asked")
    code, out, error = harden(*words.split())
    assert (code, out) == (2, "")
    assert said in " ".join(re.sub("[│╭╮╰╯─]", " ", error).split())


def test_each_pull_request_has_a_line_and_the_last_one_counts(bot: Bot, harden: Harden) -> None:
    until = datetime(2026, 11, 26, 14, 5, tzinfo=UTC)
    url = "https://forge.example.com/a/b/pull/"
    why = "what there is to change is different now"
    bot.answer = (
        Done(
            "a/b",
            "main",
            "c0ffee",
            told=(
                OPENED._replace(remarks=2),
                OPENED._replace(do=Do.UPDATE, number=9, why=why, scope="api", url=f"{url}9"),
                Told("db", "harden/db", Do.KEEP, "it is as it should be", 7, f"{url}7", "Run the database with less"),
                Told("old", "harden/old", Do.DECLINE, "number 3 was closed, and the fixes are the same", 3, f"{url}3"),
                Told("web", "harden/web", Do.STOP, "its commits are not those that harden made", 4, f"{url}4"),
                Told("jobs", "harden/jobs", Do.POSTPONE, "no more than 2 are opened in an hour", until=until),
                Told("", "harden/all", Do.LEAVE, "it has the label harden:stop", 5, "https://l.example.com/a/b/5", sign="!"),
                Told("x", "harden/x", Do.NOTHING, "there is nothing left to propose here"),
            ),
            unbelieved=("deploy/shop/harden.evidence.yaml",),
            notes=("the token may give no labels",),
            dashboard=f"{url}1",
        ),
    )
    code, out, error = harden()
    assert (code, error) == (0, "")
    assert (
        out
        == f"""\
opened    #12 deploy/shop: Drop what nothing needs (2 commits, 2 files) [2 remarks] {url}12
updated   #9 api: what there is to change is different now (2 commits, 2 files) {url}9
kept      #7 db: Run the database with less {url}7
left      #3 old: number 3 was closed, and the fixes are the same {url}3
stopped   #4 web: its commits are not those that harden made {url}4
postponed jobs: no more than 2 are opened in an hour (until 14:05 UTC)
left      !5 all: it has the label harden:stop https://l.example.com/a/b/5
dashboard: {url}1
not believed: deploy/shop/harden.evidence.yaml (the repository is not yours; see --trust-evidence)
note: the token may give no labels
1 opened, 1 updated, 1 kept, 1 stopped, 2 left alone, 1 postponed in a/b.
"""
    )


def test_many_that_wait_for_the_same_have_one_line(bot: Bot, harden: Harden) -> None:
    until = datetime(2026, 11, 26, 14, 5, tzinfo=UTC)
    waiting = [Told(f"a{number}", "harden/a", Do.POSTPONE, "no more than 2", until=until) for number in range(30)]
    failed = waiting[0]._replace(scope="b", error=ForgeError("the forge broke off"))
    bot.answer = (Done("a/b", told=(OPENED, *waiting, failed)),)
    out = harden()[1].splitlines()
    assert [line.split()[0] for line in out] == ["opened", "failed", "postponed", "(`--per", "1"]
    assert out[2] == "postponed a0, a1, a2, a3, a4, a5, a6, a7 and 22 more: no more than 2 (until 14:05 UTC)"
    assert out[3] == "          (`--per repository` makes one pull request of all)"
    assert out[4] == "1 opened, 30 postponed, 1 failed in a/b."
    bot.answer = (Done("a/b", told=tuple(waiting[:4])),)
    assert len(harden()[1].splitlines()) == 5


def test_a_dry_run_shows_what_waits_where_all_is_to_be_shown(bot: Bot, harden: Harden) -> None:
    waiting = [OPENED._replace(scope=f"a{number}", do=Do.POSTPONE, why="no more than 2", number=0, url="") for number in range(9)]
    bot.answer = (Done("a/b", dry_run=True, told=tuple(waiting)),)
    brief, full = harden("--dry-run")[1], harden("--dry-run", "--show")[1]
    assert brief.splitlines()[0] == "postponed     a0, a1, a2, a3, a4, a5, a6, a7 and 1 more: no more than 2"
    assert "to be merged" not in brief
    assert full.count("to be merged") == 9
    assert full.count("  | Nothing needs it.") == 9


def test_of_many_files_of_a_commit_few_are_named(bot: Bot, harden: Harden) -> None:
    assert OPENED.proposal is not None
    commit = OPENED.proposal.commits[0]
    many = commit._replace(files=tuple(commit.files[0]._replace(path=f"a{number}.yaml") for number in range(20)))
    told = OPENED._replace(proposal=OPENED.proposal._replace(commits=(many,)))
    bot.answer = (Done("a/b", dry_run=True, told=(told,)),)
    assert "  [a0.yaml, a1.yaml, a2.yaml and 17 more]\n" in harden("--dry-run")[1]


@pytest.mark.parametrize(
    ("done", "line"),
    [
        (Done("a/b"), "Nothing to do in a/b."),
        (Done("a/b", off="the repository is archived"), "off: the repository is archived\nNothing to do in a/b."),
    ],
)
def test_nothing_to_do_is_no_trouble(bot: Bot, harden: Harden, done: Done, line: str) -> None:
    bot.answer = (done,)
    assert harden() == (0, f"{line}\n", "")


CHART = "it has a chart of Helm installed"
NOTES = tuple(Trouble(f"apps/{number}.yaml", number, CHART, "render it") for number in range(4))


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (Seen(), "no Compose files, Dockerfiles or manifests were found"),
        (Seen(1), "looked at 1 file: no hazards were found"),
        (Seen(3, 1, 2), "looked at 3 files: 1 fix is held back, 2 hazards have no fix (`harden` in a checkout lists them)"),
        (
            Seen(4, unjudged=NOTES),
            "looked at 4 files: no hazards were found in what was judged\n"
            f"not judged: apps/0.yaml, apps/1.yaml:1 and 2 more: {CHART} (render it)",
        ),
        (
            Seen(9, unjudged=tuple(Trouble(f"{reason}{nth}", 1, reason) for nth in (1, 2) for reason in "abcdefg")),
            "looked at 9 files: no hazards were found in what was judged\n"
            + "".join(f"not judged: {reason}1:1, {reason}2:1: {reason}\n" for reason in "abcde")
            + "not judged: 4 more places, for other reasons",
        ),
    ],
)
def test_where_nothing_is_proposed_what_was_looked_at_is_told(bot: Bot, harden: Harden, seen: Seen, said: str) -> None:
    bot.answer = (Done("a/b", seen=seen),)
    assert harden() == (0, f"{said}\nNothing to do in a/b.\n", "")


def test_of_what_could_not_be_read_it_is_not_said_to_have_no_hazards(bot: Bot, harden: Harden) -> None:
    bot.answer = (Done("a/b", seen=Seen(1), troubles=(Trouble("compose.yaml", 1, "it is broken"),)),)
    assert harden()[1].splitlines()[0] == "looked at 1 file: no hazards were found in what was judged"


def test_beside_what_is_proposed_only_what_was_not_judged_is_told(bot: Bot, harden: Harden) -> None:
    bot.answer = (Done("a/b", told=(OPENED,), seen=Seen(9, 1, 1, NOTES[:1])),)
    out = harden()[1].splitlines()
    assert out[1:] == [f"not judged: apps/0.yaml: {CHART} (render it)", "1 opened in a/b."]


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (
            Done("a/b", ended=Limited("the forge asks to wait", datetime(2026, 1, 2, 3, 4, tzinfo=UTC))),
            "failed: the forge asks to wait: run again after 03:04 UTC\nNothing was done in a/b; 1 problem in the way.",
        ),
        (
            Done(ended=ForgeError("the token is not known", "make another")),
            "failed: the token is not known: make another\nNothing was done in the repository; 1 problem in the way.",
        ),
        (
            Done("a/b", told=(OPENED._replace(error=ForgeError("the branch is protected")),)),
            f"failed    #12 deploy/shop: the branch is protected {OPENED.url}\n1 failed in a/b.",
        ),
        (
            Done("a/b", troubles=(Trouble("x.yaml", 3, "no YAML", "mend it"),)),
            "in the way: x.yaml:3: no YAML (mend it)\nNothing to do in a/b; 1 problem in the way.",
        ),
    ],
)
def test_what_is_in_the_way_is_said_and_ends_with_2(bot: Bot, harden: Harden, done: Done, said: str) -> None:
    bot.answer = (done,)
    assert harden() == (2, f"{said}\n", "")


def test_many_repositories_follow_one_another(bot: Bot, harden: Harden) -> None:
    bot.answer = (Done("a/b", told=(OPENED,)), Done("c/d"), Done(ended=ForgeError("there is no repository e/f")))
    code, out, _ = harden("--all", "x")
    assert code == 2
    assert [line for line in out.splitlines() if not line.startswith("opened")] == [
        "in a/b",
        "",
        "in c/d: nothing to do",
        "",
        "in a repository",
        "failed: there is no repository e/f",
        "",
        "1 opened in 3 repositories; 1 problem in the way.",
    ]
    bot.answer = (Done("a/b", told=(OPENED,)),)
    assert harden("--all", "x")[1].splitlines()[0] == "in a/b"


def test_a_dry_run_says_what_would_be_on_the_branch(bot: Bot, harden: Harden) -> None:
    new = OPENED._replace(number=0, url="")
    kept = OPENED._replace(do=Do.KEEP, scope="db")
    later = new._replace(do=Do.POSTPONE, scope="jobs", why="no more than 2 are opened in an hour")
    bot.answer = (Done("a/b", "main", told=(new, kept, later)),)
    assert harden("--dry-run") == (
        0,
        f"""\
would open    deploy/shop: Drop what nothing needs (2 commits, 2 files)
  branch  harden/deploy--shop, to be merged into main
  1  Drop all capabilities  [deploy/shop/compose.yaml]
  2  Make the root file system read-only  [deploy/shop/compose.yaml, deploy/shop/Dockerfile]
kept          #12 db: Drop what nothing needs {OPENED.url}
postponed     jobs: no more than 2 are opened in an hour
Would open 1, 1 kept, 1 postponed in a/b; nothing was sent.
""",
        "",
    )


def shown(out: str, heading: str) -> str:
    """The text that was quoted below a heading."""
    lines = iter(out.split(f"  {heading}\n", 1)[1].splitlines())
    quoted = []
    for line in lines:
        if not line.startswith("  |"):
            break
        quoted.append(line[4:])
    return "\n".join(quoted) + "\n"


def test_show_has_every_word_and_diffs_that_git_applies(bot: Bot, harden: Harden, tmp_path: Path) -> None:
    bot.answer = (Done("a/b", "main", told=(OPENED,)),)
    _, out, _ = harden("--dry-run", "--show")
    assert shown(out, "title") == PROPOSAL.title + "\n"
    assert shown(out, "body") == PROPOSAL.body
    (tmp_path / "deploy/shop").mkdir(parents=True)
    (tmp_path / "deploy/shop/compose.yaml").write_bytes(BEFORE)
    report = json.loads(harden("--dry-run", "--show", "--format", "json")[1])
    commits = report["repositories"][0]["pull_requests"][0]["commits"]
    for at, (commit, made) in enumerate(zip(commits, PROPOSAL.commits, strict=True), 1):
        assert shown(out, f"commit {at} of 2").startswith(made.message)
        for line in commit["diff"].replace("\r", "").splitlines():
            assert f"  | {line}".rstrip() in out.splitlines()
        assert commit["message"] == made.message
        subprocess.run(["git", "apply", "-"], input=commit["diff"].encode(), check=True, cwd=tmp_path)
    assert (tmp_path / "deploy/shop/compose.yaml").read_bytes() == SECOND
    assert (tmp_path / "deploy/shop/Dockerfile").read_bytes() == DOCKERFILE
    # Without it, nothing of that.
    assert "Nothing needs it." not in harden("--dry-run")[1]
    assert "Nothing uses them." not in harden("--dry-run", "--format", "json")[1]


def hostile() -> Done:
    """All that a stranger, or a forge, may say."""
    proposal = Proposal(HOSTILE, HOSTILE, HOSTILE, HOSTILE, (Commit(HOSTILE, (Written(HOSTILE, HOSTILE.encode()),)),), "0" * 16)
    told = Told(HOSTILE, HOSTILE, Do.OPEN, HOSTILE, 1, HOSTILE, HOSTILE, proposal=proposal)
    return Done(
        HOSTILE,
        HOSTILE,
        HOSTILE,
        told=(told, told._replace(do=Do.STOP), told._replace(do=Do.KEEP), told._replace(error=ForgeError(HOSTILE, HOSTILE))),
        troubles=(Trouble(HOSTILE, 1, HOSTILE, HOSTILE),),
        unbelieved=(HOSTILE,),
        off=HOSTILE,
        notes=(HOSTILE,),
        dashboard=HOSTILE,
        ended=ForgeError(HOSTILE, HOSTILE),
    )


@pytest.mark.parametrize(
    "words", ["", "--dry-run", "--dry-run --show", "--format json", "--dry-run --show --format json", "--all x"]
)
def test_nothing_that_a_stranger_says_is_an_order_to_who_reads_the_log(bot: Bot, harden: Harden, words: str) -> None:
    bot.answer = (hostile(), hostile()) if "--all" in words else (hostile(),)
    code, out, error = harden(*words.split())
    assert (code, error) == (2, "")
    assert "owned" in out
    for line in re.split("[\n\r\u2028\u2029]", out):
        # actions/runner trims a line before it looks for `::`, and looks for `##[` everywhere in it.
        assert not line.lstrip().startswith("::")
        assert not re.search(r"##\w*\[", line)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", out)
    if "json" in words:
        report = json.loads(out)["repositories"][0]
        assert report["name"] == report["pull_requests"][0]["title"] == report["ended"]["reason"] == HOSTILE


SECRET = "ghp_0123456789abcdefABCDEF"


@pytest.mark.parametrize("words", ["", "--format json", "--dry-run --show"])
def test_a_token_is_not_said_wherever_it_comes_from(bot: Bot, harden: Harden, words: str) -> None:
    bot.secrets = (SECRET,)
    url = f"https://x:{SECRET}@forge.example.com/a/b"
    told = OPENED._replace(url=url, title=f"t {SECRET}", proposal=PROPOSAL._replace(body=f"b {SECRET}"))
    bot.answer = (Done("a/b", "main", told=(told,), ended=ForgeError(f"cannot reach {url}")),)
    code, out, error = harden(*words.split())
    assert code == 2
    assert "***" in out
    assert SECRET not in out + error


@pytest.mark.parametrize("raised", [ForgeError(f"no: {SECRET}"), ValueError(f"https://{SECRET}@x"), OSError(SECRET)])
def test_no_error_says_a_token_either(bot: Bot, harden: Harden, monkeypatch: pytest.MonkeyPatch, raised: Exception) -> None:
    monkeypatch.setenv("HARDEN_DEBUG", "1")
    bot.secrets, bot.answer = (SECRET,), raised
    code, out, error = harden()
    assert code == (2 if isinstance(raised, ForgeError) else 3)
    assert error
    assert SECRET not in out + error


class Opened:
    """The places that were worked in, with the host of the token, and the folder for git."""

    def __init__(self) -> None:
        self.places: list[tuple[str, str, str]] = []

    def open_forge(self, place: Any, token: Any, *, git_folder: str = "") -> Any:
        self.places.append((f"{place.server.url}/{place.repository}", token.host, git_folder))
        return place

    def work_at(self, forge: Any, asked: Asked, now: datetime) -> Done:
        assert now.tzinfo is UTC
        return Done(forge.repository, dry_run=asked.dry_run, notes=(f"said {SECRET}",))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Opened:
    made = Opened()
    monkeypatch.setattr("hardener.bot.forges.opening.open_forge", made.open_forge)
    monkeypatch.setattr("hardener.bot.making.work_at", made.work_at)
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "GITEA_ACTIONS", "FORGEJO_ACTIONS", "GITHUB_REPOSITORY", "GITHUB_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GH_TOKEN", SECRET)
    return made


def clone_of(folder: Path, url: str) -> None:
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    subprocess.run(["git", "-C", str(folder), "remote", "add", "origin", url], check=True)


def test_where_is_said_by_name_by_a_clone_or_by_the_job(
    opened: Opened, harden: Harden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone_of(tmp_path / "here", "git@github.com:acme/shop.git")
    assert harden("--repo", "a/b") == (0, "note: said ***\nNothing to do in a/b.\n", "")
    assert harden("here")[0] == harden("here", "--git")[0] == 0
    monkeypatch.chdir(tmp_path / "here")
    assert harden()[0] == harden("--git")[0] == 0
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_REPOSITORY", "job/own")
    assert harden()[0] == harden("--repo", "a/b")[0] == harden(".")[0] == 0
    shop = "https://github.com/acme/shop"
    assert [(url, git) for url, _, git in opened.places] == [
        ("https://github.com/a/b", ""),
        (shop, ""),
        (shop, "here"),
        (shop, ""),
        (shop, "."),
        ("https://github.com/job/own", ""),
        ("https://github.com/a/b", ""),
        (shop, ""),
    ]
    assert {host for _, host, _ in opened.places} == {"github.com"}


def test_what_could_not_be_reached_is_named(opened: Opened, harden: Harden, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = Done(ended=Forbidden("the token is not known", "make another"))
    monkeypatch.setattr("hardener.bot.making.work_at", lambda forge, asked, now: ended)
    failed = "failed: the token is not known: make another\nNothing was done in a/b; 1 problem in the way.\n"
    assert harden("--repo", "a/b") == (2, failed, "")


def test_a_folder_that_says_nothing_is_no_place(opened: Opened, harden: Harden, tmp_path: Path) -> None:
    code, out, error = harden()
    assert (code, out, opened.places) == (2, "", [])
    assert error == "harden: this folder is in no git repository: run it in a clone, or say --repo OWNER/NAME\n"


def test_many_repositories_go_on_where_the_last_run_stopped(opened: Opened, harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "repos.txt").write_text("a/b\nc/d # a comment\ne/f\n")
    assert harden("--all", "repos.txt", "--most", "2", "--dry-run")[1].endswith("in 2 repositories; nothing was sent.\n")
    assert not (tmp_path / "repos.txt.state").exists()
    assert harden("--all", "repos.txt", "--most", "2")[0] == harden("--all", "repos.txt", "--most", "1")[0] == 0
    assert [url.rpartition("com/")[2] for url, _, _ in opened.places] == ["a/b", "c/d", "a/b", "c/d", "e/f"]


def keys(value: Any) -> Iterator[str]:
    for name, inner in value.items() if isinstance(value, dict) else ():
        yield name
        yield from keys(inner)
    for item in value if isinstance(value, list) else ():
        yield from keys(item)


def test_every_field_for_programs_is_explained(bot: Bot, harden: Harden) -> None:
    from hardener.cli import pr_json

    told = (OPENED._replace(error=ForgeError("no", "ask")),)
    bot.answer = (Done("a/b", told=told, seen=Seen(4, 3, 2, NOTES[:1]), troubles=(Trouble("x", 1, "y"),)),)
    code, out, _ = harden("--format", "json", "--dry-run", "--show")
    report = json.loads(out)
    assert (code, report["version"], report["dry_run"]) == (2, 1, True)
    assert report["repositories"][0]["pull_requests"][0]["error"] == {"reason": "no", "remedy": "ask"}
    note = {"path": "apps/0.yaml", "line": 0, "reason": CHART, "remedy": "render it"}
    assert report["repositories"][0]["seen"] == {"files": 4, "held_back": 3, "unfixed": 2, "unjudged": [note]}
    assert {name for name in keys(report) if not re.search(rf"\b{name}\b", pr_json.__doc__ or "")} == set()
    assert {do.value for do in Do if f'"{do.value}"' not in (pr_json.__doc__ or "")} == set()
