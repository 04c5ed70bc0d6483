"""What a pull request says: true, short, the same each time; and nothing in a repository can make more of its words."""

from __future__ import annotations

import contextlib
import re
import subprocess
from pathlib import Path
from typing import Any

import hostile
import pytest
from compose_oracle import write
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from test_render_markdown import INLINE, LINKED, Page, blocks, inline

from hardener.audit.postures import postures
from hardener.bot.forge import Written
from hardener.bot.marks import Mark, digest, files_digest, mark_of, trailers_of
from hardener.bot.proposal import Bundle, Per, Proposal, Step
from hardener.bot.words.kinds import KINDS, subject_line
from hardener.bot.words.look import Look
from hardener.bot.words.plain import name, plain, prefixed, wrapped
from hardener.bot.words.propose import propose
from hardener.bot.words.remarks import MOST, remarks
from hardener.config.model import PullRequests
from hardener.discover import discover
from hardener.finding import Evidence, Finding, Fix, Place, Severity, Strength
from hardener.needs.proven import Proven
from hardener.needs.recorded import Recorded
from hardener.pages.cases import Ending, endings
from hardener.pipeline import Request
from hardener.pipeline import run as judge
from hardener.render.fit import size
from hardener.report import Outcome, Report, Status
from hardener.rules import ids
from hardener.site.content import content
from hardener.standards import citations
from hardener.trial.remedy import Complaint, Kind, Remedy
from hardener.trial.steps import Step as Back
from hardener.trial.verdict import NotExercised, Verdict

FIXTURES = Path(__file__).parent.parent / "fixtures"
#: Whose name is on commits.
BOT = "A Bot <bot@example.com>"
LOOK = Look(PullRequests(), "acme/webshop")
QUICK = settings(deadline=None, max_examples=12, phases=(Phase.explicit, Phase.reuse, Phase.generate))
#: What forges and continuous integration act upon in a commit (docs.github.com, "Skipping workflow runs" and "Using keywords in
#: issues and pull requests"; docs.gitlab.com, "Managing issues" and "CI/CD pipelines").
ORDERS = re.compile(
    r"\[(skip|no|ci)[ -](ci|actions|skip)\]|\[actions skip\]|\*\*\*NO_CI\*\*\*|skip-checks:|"
    r"\b(close|fix|resolve|implement)\w*:?\s+(\S*[#!]|GH-|[A-Z]+-)\d|^\s*BREAKING[ -]CHANGE|(?<![\w`])@\w",
    re.IGNORECASE | re.MULTILINE | re.ASCII,
)


def bundle(root: Path, scope: str = ".", *, per: Per = Per.PROJECT, unsafe: bool = False) -> Bundle:
    """The bundle of a folder: each rule a step on top of those before it."""
    with contextlib.chdir(root):
        found = tuple(discover([scope if per is Per.PROJECT else "."])[0])
        report = postures(Request(found, unsafe, singly=True))
        applied = [one for one in report.outcomes if one.status is Status.APPLIED]
        steps = []
        rules = list(dict.fromkeys(one.finding.rule for one in applied))
        for number, rule in enumerate(rules, 1):
            so_far = judge(Request(found, unsafe, select=frozenset(rules[:number])))
            files = tuple(Written(change.before.path, change.after.to_bytes()) for change in so_far.changes)
            outcomes = tuple(one for one in applied if one.finding.rule == rule)
            steps.append(Step(rule, files, report._replace(outcomes=outcomes)))
    return Bundle(scope, per, report, tuple(steps), digest(*rules))


@pytest.fixture(scope="module")
def shop() -> Bundle:
    return bundle(FIXTURES / "stacks", "shop")


def said(body: str) -> str:
    """What is seen of a body, without what is folded away and without addresses and the marks of tables."""
    seen = re.sub(r"<details>.*?</details>|<!--.*?-->|\]\([^)]*\)|[|]|---", "", body, flags=re.DOTALL)
    return re.sub(r"</?details>", "", seen)


# What it says


def test_a_compose_project(shop: Bundle) -> None:
    made = propose(shop, LOOK)
    assert made.title == "Harden shop: non-root, capabilities, read-only root and more"
    assert (made.scope, made.branch, made.fixes) == ("shop", "harden/shop", shop.fixes)
    opening = made.body.partition("\n")[0]
    assert "4 services and 1 image of `shop`" in opening
    assert "24 fixes in 2 files" in opening
    assert "`nginx/nginx`" in opening
    assert "2 files of this repository" in opening
    assert "| `proxy` | justified | **fixed** | open | **fixed** | **fixed** |" in made.body
    assert "host network" not in made.body, "what is good and stays so"
    assert "Score" not in made.body
    assert "**Run db, cache and the image of shop/api/Dockerfile as non-root.** Root in the container can" in made.body
    assert "**It was not run.**" in made.body
    assert "`harden verify shop` runs the stack" in made.body
    assert "`harden --diff --unsafe-fixes shop` shows them; `harden verify --unsafe-fixes shop` tries them" in made.body
    assert "limit cpu to `1.0`. Missing: a worker for each core" in made.body
    assert "unasked" in made.body
    assert "unasked" not in propose(shop, LOOK._replace(is_own=True)).body
    assert "nginx/nginx/blob/3f6f782/src/core/ngx_file.c" in made.body
    assert "### Before merging" not in made.body, "there is nothing to do"
    assert len(said(made.body).split()) < 560, "two minutes"
    assert "`harden:stop`" in made.body
    assert "merge request" in propose(shop, LOOK._replace(pull_word="merge request")).body


@pytest.mark.parametrize("pages", ["https://docs.example.com/harden", "https://docs.example.com/harden/"])
def test_rules_are_linked_where_their_pages_are_served(pages: str, tmp_path: Path) -> None:
    """By the names that the site has for them."""
    shop = bundle(FIXTURES / "stacks", "shop")
    links = {url for url in re.findall(r"\]\(([^)]*)\)", propose(shop, LOOK).body) if "/rules/" in url}
    assert links == set()
    body = propose(shop, LOOK._replace(settings=PullRequests(rule_pages=pages))).body
    links = set(re.findall(r"\[`[a-z-]+`\]\(https://docs\.example\.com/harden/(rules/[a-z-]+)\.html\)", body))
    assert {f"rules/{step.rule}" for step in shop.steps if step.rule} == links
    assert {f"{link}.md" for link in links} <= content().pages.keys()
    assert "harden explain" not in body


def test_the_same_bundle_has_the_same_words(shop: Bundle) -> None:
    assert propose(shop, LOOK) == propose(bundle(FIXTURES / "stacks", "shop"), LOOK)


def test_the_mark_is_the_last_line_and_ours(shop: Bundle) -> None:
    made = propose(shop, LOOK)
    text = made.body.rpartition("\n\n")[0]
    assert mark_of(made.body) == Mark("harden/shop", shop.fixes, digest(made.title, text))
    assert made.body.count("<!--") == 1


def test_a_dockerfile_shows_its_evidence_and_can_be_tried() -> None:
    made = propose(bundle(FIXTURES / "root-user" / "program-that-was-read" / "before"), LOOK)
    assert made.title == "Run the image of Dockerfile as non-root"
    assert "<details open><summary><code>Dockerfile</code>: 1 fix" in made.body
    assert "`harden verify Dockerfile` runs" in made.body
    assert made.body.startswith(
        "This takes away privileges that 1 image does not need: 1 fix in 1 file. It rests on what was read"
    )


def test_what_takes_no_privilege_away_is_not_said_to(shop: Bundle, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text('FROM acme/base\nADD app /app\nENTRYPOINT ["/app"]\n')
    (tmp_path / "app").write_text("#!/bin/sh\n")
    assert propose(bundle(tmp_path), LOOK).body.startswith("This corrects 1 image: 1 fix in 1 file. It rests on")
    limits = tuple(one for one in shop.report.outcomes if one.finding.rule == "unlimited-memory")
    limited = propose(shop._replace(report=shop.report._replace(outcomes=limits)), LOOK).body
    assert limited.startswith("This bounds what 3 services of `shop` can use up: 3 fixes in 2 files.")


def test_manifests_cannot_be_tried_and_have_sources_of_their_own() -> None:
    made = propose(bundle(FIXTURES / "writable-root-filesystem" / "kubernetes-empty-dirs" / "before"), LOOK)
    assert made.title == "Harden deployment.yml: capabilities, seccomp, no new privileges and more"
    assert "harden verify" not in made.body
    assert "Nothing here can run it" in made.body
    assert "[Pod Security Standards: restricted, Capabilities](https://kubernetes.io/docs/" in made.body
    assert "1 container does not need" in made.body


DATA = b"""\
services:
  db:
    image: postgres:16
    volumes:
      - ./db:/var/lib/postgresql/data
"""


def test_what_is_to_be_done_before_merging_can_be_copied(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"compose.yaml": b"services:\n  db:\n    image: postgres:16\n    volumes:\n      - ./db:/var/lib/postgresql/data\n"},
    )
    made = propose(bundle(tmp_path, unsafe=True), LOOK)
    before, _, after = made.body.partition("### Before merging\n")
    assert "### Commits" not in before
    assert "`chown -R 999:999 ./db`" in after.partition("###")[0]
    assert "evidence is incomplete" in before
    message = next(one.message for one in made.commits if "non-root" in one.message)
    assert "\nBy hand:\n- before the next start: note stat" in message
    assert "What could not be shown was left out" not in made.body
    write(tmp_path, {"compose.yaml": DATA.replace(b"./db", b"./$(id)|x")})
    after = propose(bundle(tmp_path, unsafe=True), LOOK).body.partition("### Before merging\n")[2]
    assert "what a shell acts upon: quote them" in after.partition("###")[0]


def test_what_was_not_believed_is_named(shop: Bundle) -> None:
    assert "`shop/harden.evidence.yaml`" in propose(shop._replace(unbelieved=("shop/harden.evidence.yaml",)), LOOK).body
    assert "not believed" not in propose(shop, LOOK).body


SEEN = Evidence("seen in a run", "harden.evidence.yaml", Strength.OBSERVED)
VERDICT = Verdict(
    steps=(
        Back(Complaint("db", Kind.LOG, "chown: /data: @everyone"), Remedy("db", "capability", "CHOWN", "chown"), "cold"),
        Back(Complaint("", Kind.PROBE, "no answer"), Remedy("web", "without", "root-user", "silent"), ""),
    ),
    left={("web", "unlimited-memory"): "it keeps all data in memory"},
    not_exercised=(NotExercised("web", "/srv/media starts empty"),),
    migrations=("before the next start: chown -R 999:999 ./db",),
    records={
        "db": Recorded({"image": "postgres:16", "digest": "sha256:" + "a" * 64}, Proven(), SEEN, "Docker 28.0.1, cgroup v2"),
        "web": Recorded({"files": {}}, Proven(), SEEN, "Docker 28.0.1, cgroup v2"),
    },
)


def test_a_trial_is_told(shop: Bundle) -> None:
    body = propose(shop._replace(verdict=VERDICT), LOOK).body
    assert "not run" not in body
    assert "**It was run** on Docker `28.0.1`, cgroup `v2`, as it is and with these changes" in body
    assert f"| `db` | `postgres:16` | `sha256:{'a' * 64}` |" in body
    assert "| `web` | built here | not known |" in body
    assert "- `db`: chown: `/data`: `@everyone` (cold). Now: db with CHOWN\n" in body
    assert "- no answer (in its log). Now: web as root\n" in body
    assert "it keeps all data in memory" in body
    assert "`web`: `/srv/media` starts empty" in body
    assert "### Before merging\n" in body
    assert "- before the next start: `chown -R 999:999 ./db`\n" in body
    stopped = propose(shop._replace(verdict=Verdict("the original does not start")), LOOK).body
    assert "**A run on an engine proved nothing:** the original does not start." in stopped
    assert "It was run" not in stopped


@pytest.mark.parametrize("room", [65_536, 9_000, 6_000])
def test_it_fits(shop: Bundle, room: int) -> None:
    made = propose(shop, LOOK._replace(longest_body=room))
    assert size(made.body) <= room
    assert ("Left out" in made.body) == (room < 10_000)
    assert mark_of(made.body)
    assert not Parsed(made.body).open


# Titles and commits


def test_each_rule_with_a_fix_has_words_of_its_own() -> None:
    assert {rule for rule in ids() if {Ending.REPAIRED, Ending.HELD_BACK} & set(endings(rule))} <= set(KINDS)
    assert set(KINDS) <= set(ids())


def fixed(*subjects: str, rule: str = "root-user", path: str = "compose.yaml") -> list[Outcome]:
    fix = Fix("start as x", evidence=(Evidence("it does", "x", Strength.READ),))
    return [Outcome(Finding(rule, one, Place(path, 1, 1), "m", fix), Status.APPLIED, Severity.HIGH) for one in subjects]


@pytest.mark.parametrize(
    ("subjects", "prefix", "line"),
    [
        (("db",), "", "Run db as non-root"),
        (("a", "b"), "", "Run a and b as non-root"),
        (("a", "b", "c"), "fix(docker): ", "fix(docker): run a, b and c as non-root"),
        (
            tuple(f"service-number-{number}" for number in "12345"),
            "",
            "Run service-number-1, service-number-2 and 3 more as non-root",
        ),
        (("x" * 30, "y" * 30, "z" * 30), "", "Run 3 services as non-root"),
        (("db", "@everyone"), "", "Run 2 services as non-root"),
        (("0123456789abcdef",), "", "Run 1 service as non-root"),
        (("db",), "@all #1 [docker] ", "all 1 [docker] Run db as non-root"),
    ],
)
def test_first_lines(subjects: tuple[str, ...], prefix: str, line: str) -> None:
    assert subject_line("root-user", fixed(*subjects), prefix) == line


def test_a_long_list_of_what_is_held_back_is_folded(tmp_path: Path) -> None:
    """Also where its end is left out, what is opened is closed; who gains nothing is counted, not drawn."""
    images = {"cache": "redis:7", **{f"own{number}": f"example/own{number}:1" for number in range(9)}}
    text = "services:\n" + "".join(f"  {name}:\n    image: {image}\n" for name, image in images.items())
    (tmp_path / "compose.yaml").write_text(text)
    made = bundle(tmp_path)
    page = propose(made, LOOK).body
    assert "<summary>Held back: 54 fixes</summary>" in page
    assert page.count("Missing: no profile of `example/own1`\n") == 1, "what is missing is said once for all that it holds back"
    assert "Missing: " not in said(page)
    assert "| `cache` |" in page
    assert "| `own" not in page
    assert "For 9 others, nothing in it changes." in page
    short = propose(made, LOOK._replace(longest_body=6_000)).body
    assert "Left out" in short
    for one in (page, short):
        assert one.count("<details") == one.count("</details>")
        assert "Not in here, because evidence is missing." in said(one)


def test_where_nothing_changes_in_the_picture_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text('FROM debian:12\nADD a.txt /a.txt\nUSER 1000:1000\nCMD ["sleep", "1"]\n')
    (tmp_path / "a.txt").write_text("a\n")
    page = propose(bundle(tmp_path), LOOK).body
    assert "Use COPY instead of ADD" in page
    assert "| --- |" not in page


def test_a_pull_request_about_a_rule() -> None:
    report = Report(tuple(fixed("a", "b")))
    about = Bundle("root-user", Per.RULE, report, (Step("root-user", (), report),), "f" * 16)
    made = propose(about, LOOK)
    assert made.title == "Run a and b as non-root"
    assert "root-user` tries" not in made.body
    made = propose(about._replace(scope="deploy/shop", per=Per.PROJECT), LOOK)
    assert made.title == "Run a and b as non-root in deploy/shop"


def test_commits_are_a_series(shop: Bundle) -> None:
    look = LOOK._replace(settings=PullRequests(sign_off=True, author=BOT, title_prefix="fix(docker): "))
    commits = propose(shop, look).commits
    assert len(commits) == len(shop.steps) == 7
    for number, commit in enumerate(commits, 1):
        trailers = trailers_of(commit.message)
        assert trailers is not None
        assert (trailers.branch, trailers.step, trailers.steps) == ("harden/shop", number, 7)
        assert commit.message.endswith("\nSigned-off-by: A Bot <bot@example.com>\n")
        first, blank, *rest = commit.message.split("\n")
        assert first.startswith("fix(docker): ")
        assert first[13].islower()
        assert blank == ""
        assert all(len(line) <= 72 or line.strip().startswith("https://") for line in (first, *rest))
    after = {change.before.path: change.after.to_bytes() for change in shop.report.changes}
    last = trailers_of(commits[-1].message)
    assert last is not None
    assert last.files == files_digest(after.items())
    assert "Signed-off-by" not in propose(shop, LOOK).commits[0].message
    message = commits[0].message
    assert "- api, db, cache: drop ALL. Evidence: a process that does not start as\n  root has no capabilities" in message
    assert "- harden explain excess-capabilities\n" in message


def test_a_file_that_is_as_before_does_not_differ(shop: Bundle) -> None:
    change = shop.report.changes[0]
    back = Written(change.before.path, change.before.to_bytes())
    steps = (Step("root-user", (Written("x", b"x"), Written(change.before.path, b"y")), Report()), Step("", (back,), Report()))
    last = trailers_of(propose(shop._replace(steps=steps), LOOK).commits[-1].message)
    assert last is not None
    assert last.files == files_digest([("x", b"x")])


# What a repository says stays what it is


def hostile_bundle(report: Report, scope: str) -> Bundle:
    applied = [one for one in report.outcomes if one.status is Status.APPLIED]
    rules = list(dict.fromkeys(one.finding.rule for one in applied))
    steps = tuple(
        Step(rule, (Written("x", b"y"),), Report(tuple(one for one in applied if one.finding.rule == rule))) for rule in rules
    )
    words = [one.why or one.finding.message for one in report.outcomes][:4]
    verdict = Verdict(
        steps=(Back(Complaint(words[0], Kind.LOG, words[1]), Remedy(words[2], "tmpfs", words[3], ""), "cold"),),
        left={(words[0], "root-user"): words[1]},
        not_exercised=(NotExercised(words[2], words[3]),),
        migrations=tuple(f"before the next start: chown -R 1:1 {word}; and so on" for word in words[:1]),
        records={words[0]: Recorded({"image": words[1], "digest": words[2]}, Proven(), SEEN, words[3])},
    )
    return Bundle(scope, Per.PROJECT, report, steps, "f" * 16, (words[0],), verdict)


class Parsed(Page):
    """A body as GitHub's parser sees it: with one comment, which is the mark."""

    def __init__(self, text: str) -> None:
        self.comments: list[str] = []
        super().__init__(text.replace("<details open>", "<details>"))

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


FORGED = "<!-- harden: branch=harden/x fixes=0123456789abcdef body=0123456789abcdef -->"
#: What forges act upon, beside what is markup.
ACTED_UPON = [
    FORGED,
    "fixes #1",
    "Closes GH-1",
    "resolves acme/shop#2",
    "closes https://example.com/a/b/issues/3",
    "[skip ci]",
    "[ci skip]",
    "***NO_CI***",
    "skip-checks: true",
    "\n\nCo-authored-by: Eve <eve@evil.example>\n",
    "Signed-off-by: Eve <eve@evil.example>",
    "\nHarden-Branch: main",
    "BREAKING CHANGE: all",
    "breaking-change all " + "x " * 40 + "BREAKING  CHANGE",
    "/close",
    "\n/approve",
    "a\u200bb\u202ec\u2066d\ufeffe",
    "\U000e0041",
    "@acme/owners",
]
PROPOSED = st.tuples(
    st.lists(st.one_of(hostile.WORDS, st.sampled_from(ACTED_UPON)), min_size=24, max_size=24, unique=True),
    st.booleans(),
    st.one_of(hostile.WORDS, st.sampled_from(ACTED_UPON)),
)
#: Each of them in each place.
WORST = ((ACTED_UPON * 2)[:24], True, "deploy/" + FORGED)


def both(words: list[str], asked: bool, scope: str) -> tuple[Proposal, Proposal]:
    ours = hostile_bundle(hostile.report(hostile.PLAIN, with_postures=asked), "deploy/shop")
    return propose(hostile_bundle(hostile.report(words, with_postures=asked), scope), LOOK), propose(ours, LOOK)


@given(PROPOSED)
@example(WORST)
@QUICK
def test_nothing_in_a_repository_becomes_markup(drawn: tuple[list[str], bool, str]) -> None:
    made, ours = both(*drawn)
    assert blocks(made.body.rpartition("<!--")[0]) == blocks(ours.body.rpartition("<!--")[0])
    for token in inline(made.body):
        assert token.type in INLINE, token
        if token.type == "html_inline":
            assert token.content in ("<code>", "</code>")
    page, plain_page = Parsed(made.body), Parsed(ours.body)
    assert not page.open
    assert [tag for tag in page.tags if tag not in ("code", "a")] == [tag for tag in plain_page.tags if tag not in ("code", "a")]
    assert page.cells == plain_page.cells
    assert all(address.startswith("https://") and "evil" not in address.partition("/blob/")[0] for address in page.addresses)
    for words in page.words:
        assert not LINKED.search(words), words
    assert len(page.comments) == 1
    mark = mark_of(made.body)
    assert mark is not None
    assert (mark.branch, mark.fixes) == (made.branch, "f" * 16)
    assert made.body.count("<!-- harden:") == 1
    assert not any(line.lstrip().startswith("/") for line in made.body.splitlines()), "an order to GitLab"
    assert hostile.without_orders(made.body)
    assert not re.search("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f]", made.body)


@given(PROPOSED)
@example(WORST)
@QUICK
def test_nothing_in_a_repository_is_acted_upon(drawn: tuple[list[str], bool, str]) -> None:
    made, _ = both(*drawn)
    assert len(made.title) <= 72
    assert made.title.isascii()
    assert made.title.isprintable()
    assert not ORDERS.search(made.title)
    assert not re.search(r"[#@`<\[*]|\b[0-9a-f]{7,}\b|GH-", made.title), made.title
    for number, commit in enumerate(made.commits, 1):
        text = commit.message
        assert not ORDERS.search(text), text
        assert not re.search(r"(?<!')#|!\d|www\.(?!\s)", text), text
        assert all(line == "" or line.isprintable() for line in text.split("\n")), text
        assert set(re.findall(r"[a-z]+://\S*", text)) <= {one.url for one in citations().values()}
        assert not any(line.startswith(("/", "#")) for line in text.split("\n"))
        trailers = trailers_of(text)
        assert trailers is not None
        assert (trailers.branch, trailers.step) == (made.branch, number)
    # What git itself finds, in the last commit, and in all of its lines taken for trailers.
    ours = ["Harden-Branch", "Harden-Step", "Harden-Files"]
    assert [line.partition(":")[0] for line in git_trailers(made.commits[-1].message)] == ours
    for line in made.commits[-1].message.split("\n")[2:-4]:
        assert not re.match(r"\s*[\w-]+-by\b\s*:", line, re.IGNORECASE), line


def git_trailers(message: str) -> list[str]:
    told = subprocess.run(["git", "interpret-trailers", "--parse"], input=message, capture_output=True, text=True, check=True)
    return told.stdout.splitlines()


@pytest.mark.parametrize("text", [*ACTED_UPON, "webGH-1v", "old-www.evil.example"])
def test_what_forges_act_upon_is_no_name(text: str) -> None:
    assert name(text) == ""
    assert "GH-" not in plain(text)
    assert "www." not in plain(text)
    assert not ORDERS.search(f"a {plain(text)} b")


@given(hostile.WORDS)
def test_plain_words_say_nothing_more_when_they_are_made_plain_again(text: str) -> None:
    once = plain(text)
    assert plain(once) == once
    assert once.isprintable()


@pytest.mark.parametrize("word", ["web", "my-app_2", "deploy/shop", "api.v2", "a1b2c3"])
def test_names_that_are_names(word: str) -> None:
    assert name(word) == word
    assert plain(word) == word


@pytest.mark.parametrize(
    "word", ["deadbeef", "GH-1", "ABC-12", "www.x.y", "a b", "-x", "1234567", "a/deadbeef", "é", "x" * 40, ""]
)
def test_names_that_could_be_more(word: str) -> None:
    assert name(word) == ""


def test_lines_go_on_with_what_stands_before_them() -> None:
    assert wrapped("a " * 50, "- ", "  ").split("\n")[1].startswith("  a")
    assert prefixed("chore: ", "Use COPY") == "chore: use COPY"
    assert prefixed("[docker] ", "Use COPY") == "[docker] Use COPY"
    assert prefixed("feat(SEC-12)!: ", "Use COPY") == "feat(SEC-12)!: use COPY"
    assert prefixed("fix https://github.com/a/b/issues/1 ", "Use COPY") == "fix https: github.com/a/b/issues/1 Use COPY"
    assert prefixed("/tag v1 a/b!3: ", "Use COPY") == "tag v1 a/b3: use COPY"


# Remarks


def suggested(text: str, lines: int) -> str:
    return f"<<{lines}\n{text}\n>>"


def outcome(status: Status, line: int, *, severity: Severity = Severity.LOW, rule: str = "unlimited-cpu", **how: Any) -> Outcome:
    fix = Fix("limit it", evidence=(Evidence("x", "y"),))
    place = Place("compose.yaml", line, 1)
    return Outcome(Finding(rule, "web", place, "m", fix if status is Status.HELD_BACK else None), status, severity, **how)


@pytest.fixture
def left(shop: Bundle, tmp_path: Path) -> Report:
    """What is found in the stack once the pull request is merged."""
    files = {change.before.path: change.after.to_bytes() for change in shop.report.changes}
    write(tmp_path, {**files, "shop/api/server.py": (FIXTURES / "stacks/shop/api/server.py").read_bytes()})
    with contextlib.chdir(tmp_path):
        return judge(Request(tuple(discover(["."])[0]), singly=True))


def test_what_is_left_is_said_where_it_stands(left: Report) -> None:
    made = remarks(left, suggested)
    assert 5 <= len(made) <= MOST
    assert len({(one.path, one.line) for one in made}) == len(made)
    places = {(one.finding.place.path, one.finding.place.line) for one in left.outcomes}
    assert {(one.path, one.line) for one in made if "<<" not in one.body} <= places
    assert "medium" in made[0].body
    assert "`harden explain secret-in-environment` says more." in made[0].body


def test_a_suggestion_taken_is_the_fix(left: Report, shop: Bundle) -> None:
    """What is suggested is what `--unsafe-fixes` writes once the pull request is merged."""
    files = {change.before.path: change.after.text for change in shop.report.changes}
    made = [one for one in remarks(left, suggested) if "<<" in one.body]
    assert made
    for one in made:
        number, _, text = one.body.partition("<<")[2].rpartition("\n>>")[0].partition("\n")
        lines = files[one.path].split("\n")
        assert int(number) == (one.line - one.start + 1 if one.start else 1)
        lines[one.line - int(number) : one.line] = text.split("\n")
        wholes = {held.alone[0].after.text for held in left.outcomes if held.status is Status.HELD_BACK and held.alone}
        assert "\n".join(lines) in wholes


def test_the_worst_come_first_and_few() -> None:
    outcomes = tuple(outcome(Status.REPORTED, line, severity=Severity(1 + line % 4), why="x") for line in range(1, 60))
    made = remarks(Report(outcomes), suggested)
    assert len(made) == MOST
    assert all("**critical**" in one.body for one in made[:14])
    many = tuple(outcome(Status.REPORTED, 1, rule=rule) for rule in ids())
    (one,) = remarks(Report(many), suggested)
    assert "more findings on this line" in one.body


@given(hostile.PAIRS)
@QUICK
def test_nothing_in_a_repository_gets_out_of_a_remark(pair: hostile.Pair) -> None:
    texts, plain_ones = ([one.body for one in remarks(report, suggested)] for report in pair)
    assert len(texts) == len(plain_ones)
    for text, ours in zip(texts, plain_ones, strict=True):
        page = Parsed(text)
        assert [tag for tag in page.tags if tag != "code"] == [tag for tag in Parsed(ours).tags if tag != "code"]
        assert not page.comments
        assert not page.addresses
        for words in page.words:
            assert not LINKED.search(words), words
        assert not any(line.startswith("/") for line in text.splitlines())
