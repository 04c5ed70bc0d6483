"""The site: built without a warning, a page for every rule, no link that leads nowhere, and nothing loaded from elsewhere."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import pytest

from hardener.cli.options import COMMANDS, OPTIONS
from hardener.rules import load
from hardener.site.content import content

pytest.importorskip("mkdocs", reason="MkDocs is not installed: nobody to build the site")
pytest.importorskip("pygments", reason="Pygments is not installed: the site's code has no colours")

ROOT = Path(__file__).parent.parent
RULES = load()
#: Attributes with which a page loads something; a link of an `a` is only followed by people.
LOADS = {("link", "href"), ("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("object", "data")}


class Walk(HTMLParser):
    """The links, the anchors and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.append(value or "")
            elif (tag, name) in LOADS:
                self.loads.append(value or "")
            elif tag == "a" and name == "href":
                self.links.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


class Site(NamedTuple):
    """A built site: where it lies, and its pages by path."""

    folder: Path
    pages: dict[str, Walk]

    def target(self, page: str, link: str) -> str:
        """The path within the site that a link of a page leads to."""
        path = unquote(urlsplit(link).path)
        found = (self.folder / page).parent / path if path else self.folder / page
        return found.resolve().relative_to(self.folder.resolve()).as_posix()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site") / "out"
    done = subprocess.run(
        [sys.executable, "-m", "hardener.site", str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    assert done.stdout == f"{folder}/index.html\n"
    pages = {path.relative_to(folder).as_posix(): Walk(path.read_text()) for path in sorted(folder.rglob("*.html"))}
    return Site(folder, pages)


def test_there_is_a_page_for_everything(site: Site) -> None:
    rules = {f"rules/{rule.id}.html" for rule in RULES}
    others = {
        "index.html",
        "rules/index.html",
        "commands.html",
        "configuration.html",
        "images.html",
        "changelog.html",
        "contributing.html",
    }
    assert set(site.pages) == rules | others | {"404.html", "search.html"}


def test_the_search_knows_every_rule(site: Site) -> None:
    index = json.loads((site.folder / "search/search_index.json").read_text())
    for rule in RULES:
        found = [entry for entry in index["docs"] if entry["location"] == f"rules/{rule.id}.html"]
        assert [entry["title"] for entry in found] == [rule.id]
    sections = {entry["location"] for entry in index["docs"]}
    assert {f"rules/{rule.id}.html#attack" for rule in RULES} <= sections


def test_no_link_leads_nowhere(site: Site) -> None:
    followed = 0
    for page, walk in site.pages.items():
        for link in walk.links:
            if page == "404.html" or urlsplit(link).scheme:
                continue
            target, fragment = site.target(page, link), urlsplit(link).fragment
            assert (site.folder / target).is_file(), f"{page}: {link}"
            assert not fragment or fragment in site.pages[target].anchors, f"{page}: {link}"
            followed += 1
    assert followed > 40 * len(RULES)


def test_a_dead_link_would_be_found(site: Site) -> None:
    walk = Walk('<a href="gone.html">x</a><h2 id="here">y</h2><a href="#there">z</a><script src="//cdn.example/x.js"></script>')
    assert walk.links == ["gone.html", "#there"]
    assert (walk.anchors, walk.loads, walk.text) == (["here"], ["//cdn.example/x.js"], "xyz")
    assert site.target("rules/host-uts.html", "../commands.html#x") == "commands.html"


def test_no_anchor_is_there_twice(site: Site) -> None:
    for page, walk in site.pages.items():
        assert len(set(walk.anchors)) == len(walk.anchors), page


def test_links_to_elsewhere_are_well_formed(site: Site) -> None:
    elsewhere = {link for walk in site.pages.values() for link in walk.links if urlsplit(link).scheme}
    for link in elsewhere:
        parts = urlsplit(link)
        assert parts.scheme == "https", link
        assert re.fullmatch(r"([a-z0-9-]+\.)+[a-z]{2,}", parts.netloc), link
        assert not re.search(r"[\s<>\"`{}]", link), link
    assert {source for rule in RULES for source in sources(rule.id)} <= elsewhere


def sources(rule: str) -> list[str]:
    """The addresses that the Markdown of a rule's page names."""
    return re.findall(r"\]\((https:[^)]*)\)", content().pages[f"rules/{rule}.md"])


def test_nothing_is_loaded_from_elsewhere(site: Site) -> None:
    for page, walk in site.pages.items():
        for link in walk.loads:
            assert not urlsplit(link).netloc, f"{page}: {link}"
            if page != "404.html":  # its links are from the top of a server
                assert (site.folder / site.target(page, link)).is_file(), f"{page}: {link}"
    for style in site.folder.rglob("*.css"):
        for link in re.findall(r"url\(\s*['\"]?([^)'\"]+)|@import\s+['\"]([^'\"]+)", style.read_text()):
            address = "".join(link)
            assert address.startswith("data:") or not urlsplit(address).netloc, f"{style.name}: {address[:80]}"
    for page in site.folder.rglob("*.html"):
        assert not re.search(r"gtag|google-?analytics|cdnjs", page.read_text()), page.name


def test_every_option_and_command_is_in_the_reference(site: Site) -> None:
    text = site.pages["commands.html"].text
    for option in OPTIONS:
        assert option.flag in text
        assert option.help.replace("`", "") in text
        assert "|".join(option.choices) in text
    for command in COMMANDS:
        assert f"harden {command}" in text
        assert f"harden-{command}" in site.pages["commands.html"].anchors


def test_rules_that_are_named_are_linked(site: Site) -> None:
    assert "../rules/docker-socket-mount.html" in site.pages["rules/sensitive-host-mount.html"].links or (
        "docker-socket-mount.html" in site.pages["rules/sensitive-host-mount.html"].links
    )
    assert {f"rules/{rule.id}.html" for rule in RULES} <= set(site.pages["index.html"].links)


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = subprocess.run(
        [sys.executable, "-m", "hardener.site", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "other files" in done.stderr) == (2, True)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    done = subprocess.run([sys.executable, "-m", "hardener.site"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, "usage" in done.stderr) == (2, True)
