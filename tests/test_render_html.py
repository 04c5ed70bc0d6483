"""The report as a page: what is in it, that it needs nothing, that nothing in it can act, and how it stands in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import hostile
import html5lib
import pytest
from hypothesis import Phase, given, settings
from test_render_markdown import shop

from hardener.finding import Severity
from hardener.posture import QUESTIONS, Answer, Posture, score
from hardener.render.formats import Run
from hardener.render.html import render
from hardener.report import Report, Status, Trouble

SHOP = str(Path(__file__).parent.parent / "fixtures" / "stacks" / "shop")
RUN = Run(folder=SHOP, paths=(".",))
CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), "")
#: A report of 24 words takes minutes to shrink.
QUICK = settings(deadline=None, max_examples=20, phases=(Phase.explicit, Phase.reuse, Phase.generate))
TAGS = set(
    "html head meta title style body svg symbol circle path use rect header main section footer h1 h2 h3 p div span b small ul "
    "li dl dt dd table thead tbody tfoot tr th td details summary pre ins del i code a fieldset legend label input".split()
)


class Page(HTMLParser):
    """The elements of a page with their attributes, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def shape(self) -> list[str]:
        """All elements but those of words: code in a sentence, links of sources, and lines of a diff."""
        return [tag for tag, _ in self.elements if tag not in ("code", "a", "ins", "del", "i")]


def with_postures(report: Report) -> Report:
    """One posture for each subject, with answers of each kind."""
    answers = list(Answer)
    subjects = {outcome.finding.subject: outcome.finding.place for outcome in report.outcomes}
    postures = []
    for at, (subject, place) in enumerate(subjects.items()):
        before = {question.id: answers[(at + number) % len(answers)] for number, question in enumerate(QUESTIONS)}
        postures.append(Posture(subject, subject, place, "", before, dict.fromkeys(before, Answer.GOOD)))
    return report._replace(postures=tuple(postures))


def judged_strictly(text: str) -> None:
    """By html5lib, which raises at the first thing that the standard calls an error."""
    html5lib.HTMLParser(strict=True).parse(text)


def everything() -> Report:
    """The shop with all that a page may show."""
    report = shop()
    first = report.outcomes[0]._replace(status=Status.SILENCED, why="the load balancer asks", severity=Severity.CRITICAL)
    failed = report.outcomes[1]._replace(status=Status.FAILED, why="it would not start")
    return with_postures(
        report._replace(
            outcomes=(first, failed, *report.outcomes[2:]),
            troubles=(Trouble("a/compose.yaml", 3, "not a mapping", "write one"),),
            notes=(Trouble("chart/templates/a.yaml", 0, "a template"),),
        )
    )


@pytest.mark.parametrize(
    "report", [Report(), Report(files=2), Report(troubles=(Trouble("a", 0, "b"),)), everything()], ids=range(4)
)
def test_it_is_valid_html(report: Report) -> None:
    text = render(report, RUN)
    judged_strictly(text)
    identifiers = [attrs["id"] for _, attrs in Page(text).elements if "id" in attrs]
    assert len(identifiers) == len(set(identifiers))
    inner = {attrs["href"] for tag, attrs in Page(text).elements if tag in ("a", "use") and (attrs["href"] or "").startswith("#")}
    assert {address[1:] for address in inner if address} <= set(identifiers)


def test_it_needs_nothing_and_may_load_nothing() -> None:
    text = render(everything(), RUN)
    page = Page(text)
    assert "default-src 'none'" in text.partition("<title>")[0]
    for tag, attrs in page.elements:
        assert tag in TAGS
        assert not {name for name in attrs if name in ("src", "srcset", "style") or name.startswith("on")}
        if tag not in ("a", "use"):
            assert "href" not in attrs
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_the_style_is_the_one_that_the_policy_allows() -> None:
    from base64 import b64encode
    from hashlib import sha256

    text = render(Report(), RUN)
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert f"style-src 'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in text


def test_it_says_what_was_found_and_why() -> None:
    text = render(everything(), RUN)
    said = " ".join("".join(Page(text).words).split())
    for words in (
        "shop",
        "Score",
        "starts as root, then steps down to uid 999",
        "docker-library/postgres Dockerfile-debian.template@6edb0a8",
        "not known",
        "the load balancer asks",
        "it would not start",
        "a/compose.yaml:3 not a mapping write one",
        "chart/templates/a.yaml a template",
        "+ cap_drop: + - ALL",
        "root in the container can change the image",
    ):
        assert words in said, words
    assert 'href="https://github.com/docker-library/postgres/blob/6edb0a8/Dockerfile-debian.template"' in text


def test_each_colour_can_be_read() -> None:
    """By the contrast that WCAG 2 asks of text: at least 4.5 to 1, in light and in dark."""
    style = (Path(__file__).parent.parent / "hardener" / "render" / "html.css").read_text()
    roots = [
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", root)) for root in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    ]
    assert len(roots) == 3

    def light(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
        parts = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    def contrast(one: str, other: str) -> float:
        low, high = sorted((light(one), light(other)))
        return (high + 0.05) / (low + 0.05)

    for root in roots:
        for ink in ("ink", "soft", "good", "bad", "warn", "info", "quiet"):
            for paper in ("paper", "card", "wash"):
                if ink in root:
                    assert contrast(root[ink], root[paper]) >= 4.5, (ink, paper, root)
        for kind in ("added", "removed"):
            assert contrast(root[f"{kind}-ink"], root[kind]) >= 4.5


@given(hostile.PAIRS)
@QUICK
def test_nothing_in_a_repository_becomes_markup(pair: hostile.Pair) -> None:
    text, plain = (render(report, Run(folder="/p/shop", paths=("a",))) for report in pair)
    text.encode()
    judged_strictly(text)
    page = Page(text)
    assert page.shape == Page(plain).shape
    for tag, attrs in page.elements:
        if tag == "a":
            assert re.match(r"#s\d+$|https://", attrs["href"] or "", re.ASCII)
    assert hostile.without_orders(text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", text)


def test_a_source_leads_nowhere_but_to_its_public_repository() -> None:
    addresses = {attrs["href"] for tag, attrs in Page(render(hostile.report(hostile.PLAIN), RUN)).elements if tag == "a"}
    assert all((address or "").startswith(("#", "https://")) for address in addresses)
    for source in (
        "javascript:alert(1)",
        "https://evil.example x@abcdef0",
        "a/b c d@abcdef0",
        "a/b ../c@abcdef0",
        "a/.. b@abcdef0",
    ):
        words = [*hostile.PLAIN[:13], source, *hostile.PLAIN[14:]]
        changed = {attrs["href"] for tag, attrs in Page(render(hostile.report(words), RUN)).elements if tag == "a"}
        assert changed == addresses


def test_two_thousand_files_are_folded_and_cut() -> None:
    one = shop()
    outcomes = tuple(
        outcome._replace(finding=outcome.finding._replace(place=outcome.finding.place._replace(path=f"{number}/compose.yaml")))
        for number in range(2_000)
        for outcome in one.outcomes[:12]
    )
    long = "".join(f"line {number} of many\n" for number in range(3_000))
    change = one.changes[0]._replace(after=one.changes[0].after.with_text(long))
    changes = tuple(change._replace(location=f"/p/{number}") for number in range(200))
    text = render(Report(outcomes, changes, files=2_000), RUN)
    assert len(text) < 40_000_000
    assert "The diff is left out: " in text
    assert " lines more." in text
    assert '<details class="file" open' not in text


MEASURE = "<script>document.title = [document.documentElement.scrollWidth, innerWidth].join('/')</script></body>"


@pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium")
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("subject", ["shop", "hostile"])
def test_it_fits_into_a_real_browser(width: int, subject: str, tmp_path: Path) -> None:
    """Nothing is wider than the window, and nothing is refused or fails: the console stays empty."""
    words = [f"{word}{'w' * 300}/{'<&>' * 40}" for word in hostile.PLAIN]
    report = everything() if subject == "shop" else hostile.report(words, with_postures=True)
    page = tmp_path / "page.html"
    page.write_text(render(report, RUN), encoding="utf-8")
    framed = tmp_path / "framed.html"  # a window of Chromium is at least 500 wide; a frame may be narrower
    without_policy = re.sub(r"<meta http-equiv[^>]*>", "", page.read_text(encoding="utf-8")).replace("</body>", MEASURE)
    (tmp_path / "measured.html").write_text(without_policy, encoding="utf-8")
    framed.write_text(
        f"<!DOCTYPE html><title>?</title><iframe src=measured.html width={width} height=900 "
        "onload='document.title = contentDocument.title'></iframe>"
    )
    done = browse(framed, tmp_path, "--allow-file-access-from-files", "--dump-dom")
    widths = re.search(r"<title>(\d+)/(\d+)</title>", done.stdout)
    assert widths, done.stdout[:300] + done.stderr[-2_000:]
    assert int(widths[2]) == width
    assert int(widths[1]) <= width
    alone = browse(page, tmp_path, f"--window-size={width},2000", "--dump-dom")
    assert "<h1>shop</h1>" in alone.stdout
    assert "CONSOLE" not in alone.stderr


def browse(page: Path, home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Open a page in Chromium without a window, and without what a user has there."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr", "--v=0"]
    command += [f"--user-data-dir={home / 'profile'}", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def test_the_score_is_that_of_the_six_questions() -> None:
    first = shop().outcomes[0].finding
    good = dict.fromkeys((question.id for question in QUESTIONS), Answer.GOOD)

    def points(**answers: Answer) -> int:
        before = good | {name.replace("_", "-"): answer for name, answer in answers.items()}
        return score([Posture(first.subject, first.key, first.place, "", before, good)]).before

    assert points() == 100
    assert points(socket=Answer.BAD) == 78  # 11 of 14 points
    assert points(limits=Answer.BAD) == 92
    assert points(socket=Answer.UNKNOWN) == 89
    assert points(read_only=Answer.BAD) == 100
    assert points(socket=Answer.NONE) == 100
    assert score([]) == (100, 100)
