"""`harden.evidence.yaml`: what runs showed is used as long as nothing changed, and a slip in it is named with its line."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from compose_oracle import write

from hardener.discover import discover
from hardener.finding import Strength
from hardener.needs.recorded import FILE
from hardener.pipeline import Request, needs, run
from hardener.report import Report, Status

COMPOSE = """services:
  web:
    image: example/app:1
    user: "5:6"
    entrypoint: [tini, --]
    command: [serve, now]
    environment:
      MODE: fast
    volumes:
      - data:/data
      - ./conf:/conf:ro
volumes:
  data:
"""
RECORD = """version: 1
services:
  web:
    seen:
      image: example/app:1
      user: "5:6"
      entrypoint: [tini, --]
      command: [serve, now]
      mounts: [/conf, /data]
    engine: Docker 28.1
    capabilities: [CHOWN, KILL]
    read-only: true
    tmpfs: {/tmp: "5:6", /run/app: "0:0"}
    no-new-privileges: true
    memory: 256
    pids: 64
"""


def project(folder: Path, compose: str = COMPOSE, record: str | None = RECORD, more: dict[str, str] | None = None) -> None:
    files = {"compose.yaml": compose, **(more or {})}
    if record is not None:
        files[FILE] = record
    write(folder, {name: text.encode() for name, text in files.items()})


def judge(folder: Path, **how: bool) -> Report:
    before = os.getcwd()
    os.chdir(folder)
    try:
        found, _ = discover(["."])
        return run(Request(tuple(found), **how))
    finally:
        os.chdir(before)


def applied(report: Report) -> set[str]:
    return {outcome.finding.rule for outcome in report.outcomes if outcome.status is Status.APPLIED}


ALL = {"excess-capabilities", "writable-root-filesystem", "privilege-escalation", "unlimited-memory", "unlimited-pids"}


def test_what_was_seen_is_used(tmp_path: Path) -> None:
    project(tmp_path)
    report = judge(tmp_path)
    assert not report.notes
    assert applied(report) == ALL
    (change,) = report.changes
    text = change.after.text
    for line in ("CHOWN", "KILL", "/tmp:uid=5,gid=6", "- /run/app", "read_only: true", "no-new-privileges:true", "256M", "64"):
        assert line in text
    for outcome in report.outcomes:
        if outcome.status is Status.APPLIED:
            assert outcome.finding.fix is not None
            assert {item.strength for item in outcome.finding.fix.evidence} == {Strength.OBSERVED}
            assert all(item.source == f"{FILE}:4" for item in outcome.finding.fix.evidence)
            assert "Docker 28.1" in outcome.finding.fix.evidence[0].claim


def test_without_a_record_nothing_is_known(tmp_path: Path) -> None:
    project(tmp_path, record=None)
    assert not applied(judge(tmp_path))


def test_it_can_be_left_out_of_account(tmp_path: Path) -> None:
    project(tmp_path)
    assert not applied(judge(tmp_path, evidence=False))
    project(tmp_path, record="no: [record")
    report = judge(tmp_path, evidence=False)
    assert not report.troubles


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    project(tmp_path)
    (change,) = judge(tmp_path).changes
    project(tmp_path, change.after.text)
    report = judge(tmp_path)
    assert not report.changes
    assert not report.notes, "what was written does not make the record stale"


@pytest.mark.parametrize("fact", ["capabilities", "read-only", "no-new-privileges", "memory", "pids"])
def test_each_fact_stands_alone(fact: str, tmp_path: Path) -> None:
    head, _, rest = RECORD.partition("    capabilities")
    lines = [line for line in ("    capabilities" + rest).splitlines() if line.strip().startswith((fact, "tmpfs"))]
    project(tmp_path, record=head + "\n".join(lines) + "\n")
    rule = {
        "capabilities": "excess-capabilities",
        "read-only": "writable-root-filesystem",
        "no-new-privileges": "privilege-escalation",
        "memory": "unlimited-memory",
        "pids": "unlimited-pids",
    }[fact]
    assert applied(judge(tmp_path)) == {rule}


def test_what_failed_in_a_run_is_not_done(tmp_path: Path) -> None:
    project(tmp_path, record=RECORD.replace("true", "false"))
    report = judge(tmp_path)
    assert applied(report) == ALL - {"writable-root-filesystem", "privilege-escalation"}


@pytest.mark.parametrize("written", ["[cap_chown, kill]", "[CAP_CHOWN, CAP_KILL]", "[Chown, KILL]"])
def test_a_capability_may_be_written_as_the_engine_reads_it(written: str, tmp_path: Path) -> None:
    project(tmp_path, record=RECORD.replace("[CHOWN, KILL]", written))
    (change,) = judge(tmp_path).changes
    assert "CHOWN" in change.after.text
    assert "KILL" in change.after.text


@pytest.mark.parametrize("strange", ["[CHOWN, FLY]", "[ALL]"])
def test_a_capability_that_does_not_exist_is_a_slip(strange: str, tmp_path: Path) -> None:
    project(tmp_path, record=RECORD.replace("[CHOWN, KILL]", strange))
    (trouble,) = judge(tmp_path).troubles
    assert trouble.line == 11


# What makes it stale.


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("image: example/app:1", "image: example/app:2", "image"),
        ('user: "5:6"', 'user: "5:7"', "user"),
        ('    user: "5:6"\n', "", "user"),
        ("[tini, --]", "[tini]", "entrypoint"),
        ("[serve, now]", "[serve]", "command"),
        ("    command: [serve, now]\n", "", "command"),
        ("- data:/data", "- data:/other", "mounts"),
        ("      - ./conf:/conf:ro\n", "", "mounts"),
        ("      - data:/data", "      - data:/data\n      - /more", "mounts"),
    ],
)
def test_a_change_of_what_it_was_seen_with_makes_it_stale(old: str, new: str, what: str, tmp_path: Path) -> None:
    assert old in COMPOSE
    project(tmp_path, COMPOSE.replace(old, new))
    report = judge(tmp_path)
    assert not applied(report)
    (note,) = [note for note in report.notes if "stale" in note.reason]
    assert (note.path, note.line) == (FILE, 4)
    assert f"`{what}` has changed" in note.reason
    assert "`web`" in note.reason


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("web:\n", "web:\n    restart: always\n"),
        ("      - data:/data\n      - ./conf:/conf:ro\n", "      - ./conf:/conf:ro\n      - data:/data\n"),
    ],
)
def test_other_changes_do_not(old: str, new: str, tmp_path: Path) -> None:
    project(tmp_path, COMPOSE.replace(old, new))
    assert applied(judge(tmp_path)) == ALL


def digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


DOCKERFILE = "FROM example/base:1\nCOPY app .\n"
BUILT = "services:\n  web:\n    build: .\n"


def built(files: str) -> str:
    return f"version: 1\nservices:\n  web:\n    seen:\n{files}    capabilities: []\n"


def test_what_an_image_was_built_from_is_named_by_its_content(tmp_path: Path) -> None:
    record = built(f"      files: {{Dockerfile: '{digest(DOCKERFILE)}', app: '{digest('one')}'}}\n")
    project(tmp_path, BUILT, record, {"Dockerfile": DOCKERFILE, "app": "one"})
    assert applied(judge(tmp_path)) == {"excess-capabilities"}
    (tmp_path / "app").write_text("two")
    report = judge(tmp_path)
    assert not applied(report)
    assert any("app has changed" in note.reason for note in report.notes)


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ("      image: ''\n", "it does not say which files the image was built from"),
        ("      files: {}\n", "it does not say which files the image was built from"),
        ("      files: {gone: 'sha256:0'}\n", "gone has changed"),
        ("      files: {../outside: 'sha256:0'}\n", "../outside has changed"),
    ],
)
def test_files_that_are_not_named_or_not_here(files: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("x")
    project(tmp_path / "p", BUILT, built(files), {"Dockerfile": DOCKERFILE, ".git/HEAD": ""})
    report = judge(tmp_path / "p")
    assert not applied(report)
    assert any(why in note.reason for note in report.notes)


def test_a_link_that_leads_out_of_the_tree_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.yaml").write_text(RECORD)
    project(tmp_path / "p", record=None, more={".git/HEAD": ""})
    (tmp_path / "p" / FILE).symlink_to(tmp_path / "elsewhere.yaml")
    report = judge(tmp_path / "p")
    assert not applied(report)
    assert [trouble.path for trouble in report.troubles] == [FILE]
    (tmp_path / "app").write_text("one")
    record = built(f"      files: {{app: '{digest('one')}'}}\n")
    project(tmp_path / "q", BUILT, record, {"Dockerfile": DOCKERFILE, ".git/HEAD": ""})
    (tmp_path / "q" / "app").symlink_to(tmp_path / "app")
    assert not applied(judge(tmp_path / "q"))


# Slips of the pen.


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("version: 1", "version: 2", 1, "version '2' is not known"),
        ("version: 1\n", "", 1, "version"),
        ("version: 1", "version: [", 3, ""),
        ("services:\n", "things:\n", 1, "services must be a mapping"),
        ("  web:\n    seen:", "  web: []\n  more:\n    seen:", 3, "web must be a mapping"),
        ("    seen:\n", "    scene:\n", 5, "'scene' is not among"),
        ("      image:", "      images:", 5, "'images' is not among"),
        ("memory: 256", "memory: 256M", 15, "memory is a whole number"),
        ("memory: 256", "memory: [1]", 15, "memory is a whole number"),
        ("pids: 64", "pids: many", 16, "pids is a whole number"),
        ("pids: 64", "pids: 0", 16, "pids is a whole number"),
        ("read-only: true", "read-only: perhaps", 12, "read-only is true or false"),
        ("no-new-privileges: true", "no-new-privileges: {}", 14, "no-new-privileges is true or false"),
        ("[CHOWN, KILL]", "CHOWN", 11, "capabilities is a list"),
        ("[CHOWN, KILL]", "[CHOWN, [KILL]]", 11, "capabilities"),
        ('{/tmp: "5:6", /run/app: "0:0"}', "[/tmp]", 13, "tmpfs is a mapping"),
        ('"0:0"', "app", 13, 'the owner of a tmpfs is written as "uid:gid"'),
        ('"0:0"', "[0, 0]", 13, "tmpfs is a mapping of texts"),
        ("/run/app:", "run/app:", 13, "absolute"),
        ("mounts: [/conf, /data]", "mounts: /conf", 9, "mounts is a list"),
        ("command: [serve, now]", "command: serve now", 8, "command is a list"),
        ("image: example/app:1", "image: [example/app:1]", 5, "image is a text"),
        ("image: example/app:1", "files: Dockerfile", 5, "files is a mapping"),
        ("image: example/app:1", "files: {Dockerfile: []}", 5, "files is a mapping"),
        ("    seen:\n      image: example/app:1\n      user", "    seen:\n    user", 6, ""),
    ],
)
def test_a_slip_is_named_with_its_line_and_nothing_of_the_file_counts(
    old: str, new: str, line: int, says: str, tmp_path: Path
) -> None:
    assert old in RECORD
    project(
        tmp_path / "p",
        record=RECORD.replace(old, new, 1),
        more={"sub/compose.yaml": COMPOSE, f"sub/{FILE}": RECORD, ".git/HEAD": ""},
    )
    report = judge(tmp_path / "p")
    (trouble,) = report.troubles
    assert (trouble.path, trouble.line) == (FILE, line)
    assert says in trouble.reason
    assert "--no-evidence" in trouble.remedy
    assert {change.before.path for change in report.changes} == {"sub/compose.yaml"}, "the other files are still done"


@pytest.mark.parametrize("text", ["", "# nothing\n", "- 1\n", "text\n", "version: 1\n", "version: 1\nservices:\n", "\x00"])
def test_a_file_that_says_nothing_is_a_slip_too(text: str, tmp_path: Path) -> None:
    project(tmp_path, record=text)
    report = judge(tmp_path)
    assert not applied(report)
    assert [trouble.path for trouble in report.troubles] == [FILE]


def test_a_service_that_is_not_there_does_not_matter(tmp_path: Path) -> None:
    project(tmp_path, record=RECORD.replace("  web:", "  gone:"))
    report = judge(tmp_path)
    assert not report.troubles
    assert not applied(report)


def test_a_privileged_service_is_not_judged_by_a_record(tmp_path: Path) -> None:
    project(tmp_path, COMPOSE.replace("    image", "    privileged: true\n    image"))
    assert "excess-capabilities" not in applied(judge(tmp_path))


def test_what_was_seen_comes_before_what_is_read(tmp_path: Path) -> None:
    """A profile says what nginx needs; a run on this engine says more."""
    compose = "services:\n  web:\n    image: nginx:1.27\n"
    record = "version: 1\nservices:\n  web:\n    seen: {image: 'nginx:1.27'}\n    capabilities: [CHOWN, KILL]\n"
    project(tmp_path, compose, record)
    before = os.getcwd()
    os.chdir(tmp_path)
    try:
        (one,), _ = needs(Request(tuple(discover(["."])[0])))
    finally:
        os.chdir(before)
    assert [item.name for item in one.needs.capabilities] == ["CHOWN", "KILL"]
    assert one.needs.read_only.evidence.strength is Strength.READ, "of the rest the profile still speaks"
