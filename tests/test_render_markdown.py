"""The report as Markdown: what is in it, and that nothing in a repository can become markup, a link or an order."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import cmarkgfm
import hostile
import pytest
from cmarkgfm.cmark import Options
from conftest import harden
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from hardener.discover import discover
from hardener.finding import Severity
from hardener.pipeline import Request
from hardener.pipeline import run as judge
from hardener.render.commonmark import code, fence, prose
from hardener.render.fit import size
from hardener.render.formats import Run
from hardener.render.markdown import LIMIT, render
from hardener.report import Report, Status

SHOP = Path(__file__).parent.parent / "fixtures" / "stacks" / "shop"
POD = """apiVersion: v1
kind: Pod
metadata:
  name: {0}
spec:
  containers:
  - name: {0}
    image: {1}
"""
#: What pages of GitHub and GitLab make a link of, where it stands outside of code.
#: `www.` makes a link of the host that follows (GFM, extended www autolink): at the end of a sentence none does.
LINKED = re.compile(r"@\w|#\w|\bGH-\d|\b[0-9a-f]{7,40}\b|://|www\.(?!\s)|[!$%&~]\d|:\w+:|\[\[", re.IGNORECASE | re.ASCII)
TAGS = set("h2 h3 p table thead tbody tr th td ul li pre code strong details summary a".split())
INLINE = set("text text_special softbreak code_inline strong_open strong_close html_inline link_open link_close".split())
#: A report of 24 words takes minutes to shrink.
QUICK = settings(deadline=None, max_examples=25, phases=(Phase.explicit, Phase.reuse, Phase.generate))


class Page(HTMLParser):
    """What cmark-gfm, GitHub's parser, makes of a text: tags, addresses, and the words outside of code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.cells: list[int] = []
        self.feed(cmarkgfm.github_flavored_markdown_to_html(text, options=Options.CMARK_OPT_UNSAFE))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open.append(tag)
        if tag == "tr":
            self.cells.append(0)
        if tag in ("td", "th"):
            self.cells[-1] += 1
        if tag == "a":
            self.addresses.append(dict(attrs)["href"] or "")
        else:
            assert not attrs or (tag in ("code", "pre") and attrs in ([("lang", "diff")], [("class", "language-diff")])), attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"code", "pre", "a"} & set(self.open):
            self.words.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def tokens(text: str) -> list[Token]:
    return MarkdownIt("gfm-like", {"html": True}).parse(text)


def blocks(text: str) -> list[tuple[str, str]]:
    """What the page is made of, without the words."""
    html = re.compile(r"<code>.*?</code>", re.DOTALL)
    return [(token.type, html.sub("CODE", token.content) if token.type == "html_block" else token.tag) for token in tokens(text)]


def inline(text: str) -> Iterator[Token]:
    for token in tokens(text):
        yield from token.children or ()


def shop() -> Report:
    return judge(Request(tuple(discover([str(SHOP)])[0])))


@given(hostile.PAIRS)
@QUICK
def test_nothing_in_a_repository_becomes_markup(pair: hostile.Pair) -> None:
    text, plain = (render(one, Run(paths=("a",)), limit=0) for one in pair)
    assert blocks(text) == blocks(plain)
    for token in inline(text):
        assert token.type in INLINE, token
        if token.type == "html_inline":
            assert token.content in ("<code>", "</code>")
    text.encode()
    assert hostile.without_orders(text)
    assert all(c.isprintable() or c in "\n\t" or c == "\u200b" or ord(c) > 127 for c in text)


@given(hostile.PAIRS)
@QUICK
def test_github_s_own_parser_sees_the_same(pair: hostile.Pair) -> None:
    text, plain = (Page(render(one, Run(paths=("a",)), limit=0)) for one in pair)
    assert not text.open
    assert set(text.tags) <= TAGS
    assert [tag for tag in text.tags if tag not in ("code", "a")] == [tag for tag in plain.tags if tag not in ("code", "a")]
    assert text.cells == plain.cells
    for address in text.addresses:
        assert re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+/blob/[0-9a-f]{7,40}/[\w./%+-]+", address, re.ASCII), address
        assert "/.." not in address
    for words in text.words:
        assert not LINKED.search(words), words


@given(hostile.WORDS)
def test_a_sentence_says_what_it_said(text: str) -> None:
    """As cmark-gfm reads it, nothing but the marks of code is gone."""
    printable = "".join(c for c in text if c.isprintable() and c not in "`@")

    class Words(HTMLParser):
        said = ""

        def handle_data(self, data: str) -> None:
            self.said += data

    words = Words()
    words.feed(cmarkgfm.github_flavored_markdown_to_html(f"x {prose(printable)}", options=Options.CMARK_OPT_UNSAFE))
    assert words.said.split() == ["x", *printable.split()]


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("drop ALL, add back CHOWN, SETGID", "drop ALL, add back CHOWN, SETGID"),
        ("tmpfs at /var/run, /tmp", "tmpfs at `/var/run`, `/tmp`"),
        ("start as postgres (999:999)", "start as postgres (`999:999`)"),
        ("write `${A:?}`, then", "write `${A:?}`, then"),
        ("inspect --format '{{.Id}}' IMAGE", "inspect `--format '{{.Id}}'` IMAGE"),
        ("@a and #1 and GH-1", "`@a` and `#1` and `GH-1`"),
        ("1. first", "`1`. first"),
        ("75 % of it, not 80%", "75 % of it, not `80%`"),
        ("changes users (`./run.sh`), then", "changes users (`./run.sh`), then"),
        ("may write ../.., which (or /run/...).", "may write `../..`, which (or `/run/...`)."),
    ],
)
def test_plain_words_stay_and_the_rest_is_code(text: str, markup: str) -> None:
    assert prose(text) == markup


def test_a_cell_of_a_table_has_no_pipe() -> None:
    assert code("a|b") == "`a|b`"
    assert code("a|b", cell=True) == "<code>a&#124;b</code>"


def test_a_diff_cannot_end_its_fence() -> None:
    lines = fence(" ````\n+x\r\n-::error::y\n  ::error::z\n", "diff").split("\n")
    assert lines[0] == "`````diff"
    assert lines[-1] == "`````"
    assert lines[2] == "+x"
    assert hostile.without_orders("\n".join(lines))


def test_it_says_what_changes_and_why() -> None:
    text = render(shop(), Run(folder=str(SHOP), paths=(str(SHOP),)))
    page = Page(text)
    assert text.startswith("## harden: 24 fixes would be applied (2 held back, 7 without a fix) in 2 of 2 files\n")
    assert page.tags.count("details") == 3
    assert page.tags.count("pre") == 2
    assert "https://github.com/nginx/nginx/blob/3f6f782/src/core/ngx_file.c" in page.addresses
    assert "+    cap_drop:\n+      - ALL\n" in text
    assert "**start as postgres (`999:999`)**: starts as root, then steps down to uid 999 ([`docker-library/postgres " in text
    assert "limit cpu to `1.0`. Missing: a worker for each core" in text
    assert f"`harden --diff --unsafe-fixes {SHOP}`" in text
    assert "open: stays so" in text


def test_evidence_that_was_said_is_not_said_again_but_where_it_stands(tmp_path: Path) -> None:
    pod = b"""\
apiVersion: v1
kind: Pod
metadata: {name: charts}
spec:
  containers:
  - name: grafana
    image: grafana/grafana:11.5.2
"""
    text = render(harden(tmp_path, {"pod.yaml": pod}, unsafe=False).report, Run())
    assert "\n- **drop ALL**: starts as uid 472 ([" in text
    assert "\n- **refuse root, and start as grafana by its numbers (`472:0`)**: as for **drop ALL**\n" in text


def test_a_step_for_a_person_can_be_copied() -> None:
    before = shop()
    step = "before the next start: note `stat -c %u:%g ./db` for the way back, then: chown -R 999:999 ./db"
    first = next(one for one in before.outcomes if one.status is Status.APPLIED and one.finding.fix)
    fix = first.finding.fix._replace(migration=step)  # type: ignore[union-attr]
    text = render(Report((first._replace(finding=first.finding._replace(fix=fix)),), files=1), Run())
    assert "### To do by hand\n\n" in text
    assert "note `stat -c %u:%g ./db` for the way back, then: `chown -R 999:999 ./db`\n" in text


def test_nothing_found_is_one_line() -> None:
    assert render(Report(), Run()) == "## harden: No Compose files, Dockerfiles or manifests found\n"
    assert render(Report(files=3), Run()) == "## harden: No hazards found in 3 files\n"


@pytest.mark.parametrize("limit", [LIMIT, 12_000, 9_000, 5_000, 2_500])
def test_it_fits_and_says_what_is_left_out(limit: int) -> None:
    before = shop()
    text = render(before, Run(folder=str(SHOP)), limit=limit)
    whole = render(before, Run(folder=str(SHOP)), limit=0)
    assert size(text) <= limit
    assert not Page(text).open
    if size(whole) <= limit:
        assert text == whole
    else:
        assert f"Left out, to stay below {limit:,} characters: " in text.splitlines()[-1]


def test_diffs_go_before_evidence_the_largest_first() -> None:
    before = shop()
    whole = render(before, Run(folder=str(SHOP)), limit=0)
    less = render(before, Run(folder=str(SHOP)), limit=size(whole) - 1)
    assert "Left out, to stay below" in less
    assert "1 diff." in less
    assert less.count("```diff") == 1
    assert "USER 10001:10001" in less  # the smaller one stays
    assert less.count("blob/") == whole.count("blob/")


@given(st.lists(hostile.WORDS, min_size=24, max_size=24, unique=True), st.integers(1_500, 20_000))
@QUICK
def test_what_is_left_out_leaves_whole_markup(words: list[str], limit: int) -> None:
    assert not Page(render(hostile.report(words), Run(), limit=limit)).open


def test_two_thousand_files_fit() -> None:
    one = shop()
    outcomes = tuple(
        outcome._replace(finding=outcome.finding._replace(place=outcome.finding.place._replace(path=f"{number}/compose.yaml")))
        for number in range(2_000)
        for outcome in one.outcomes
    )
    changes = tuple(
        one.changes[0]._replace(before=one.changes[0].before.with_text("a\n"), location=f"/p/{number}") for number in range(2_000)
    )
    text = render(Report(outcomes, changes, files=2_000), Run())
    assert size(text) <= LIMIT
    assert "rows more, not worse than these" in text


def test_what_is_let_be_is_named_with_its_reason() -> None:
    first = shop().outcomes[0]._replace(status=Status.SILENCED, why="the load balancer asks", severity=Severity.HIGH)
    text = render(Report((first,), files=1), Run())
    assert "### Silenced\n\n- `excess-capabilities` `proxy` in " in text
    assert ": the load balancer asks\n" in text


def test_evidence_that_is_the_same_is_told_once(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(POD.format("web", "nginx:1.27") + "---\n" + POD.format("cache", "redis:7"))
    with contextlib.chdir(tmp_path):
        text = render(judge(Request(tuple(discover(["."])[0]))), Run())
    assert text.count("gives its temporary directories to the workers ([") == 1
    first, second = text.partition("<code>b.yaml</code>")[::2]
    assert "all as for" not in first
    assert "`web`, line 2: all as for `web` in `a.yaml`.\n\n" in second
    assert "`cache`, line 11: all as for `cache` in `a.yaml`.\n\n" in second
