"""Diffs: `git apply` and `unidiff` are the judges."""

from __future__ import annotations

import os
import re
import subprocess
import time
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unidiff import PatchSet

from hardener.render import diff
from hardener.render.diff import coloured, unified
from hardener.report import FileChange
from hardener.source import Source

ENVIRONMENT = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


def change(path: str, before: bytes, after: bytes) -> FileChange:
    return FileChange(Source.from_bytes(path, before), Source.from_bytes(path, after), os.path.abspath(path))


def apply(folder: Path, patch: bytes, *options: str) -> None:
    done = subprocess.run(
        ["git", "apply", *options, "-"], cwd=folder, input=patch, capture_output=True, env=ENVIRONMENT, check=False
    )
    assert done.returncode == 0, (done.stderr, patch)


def read_by_unidiff(patch: bytes) -> PatchSet:
    return PatchSet(StringIO(patch.decode("utf-8"), newline="\n"))


def round_trip(folder: Path, files: dict[str, tuple[bytes, bytes]]) -> bytes:
    """Write the old bytes, apply the diff with git, and compare with the new bytes."""
    os.chdir(folder)
    for name, (before, _) in files.items():
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        Path(name).write_bytes(before)
    patch = unified([change(name, before, after) for name, (before, after) in files.items()], str(folder))
    apply(folder, patch)
    for name, (_, after) in files.items():
        assert Path(name).read_bytes() == after, name
    patches = read_by_unidiff(patch)
    assert len(patches) == sum(before != after for before, after in files.values())
    return patch


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a\nb\n", b"a\nx\nb\n"),
        (b"a\nb", b"a\nb\nc"),
        (b"a\nb", b"a\nb\nc\n"),
        (b"a\nb\n", b"a\nb"),
        (b"a", b"b"),
        (b"", b"a\n"),
        (b"a\n", b""),
        (b"a\r\nb\r\n", b"a\r\nx\r\nb\r\n"),
        (b"a\r\nb\n", b"a\r\nx\r\nb\n"),
        (b"a\r\nb", b"a\r\nb\r\nc"),
        (b"\xef\xbb\xbfa\nb\n", b"\xef\xbb\xbfx\na\nb\n"),
        (b"\xef\xbb\xbfa", b"\xef\xbb\xbfb"),
        ("a\x0cb\u2028c\x0b\x1c\x85d\n\x0c\n".encode(), "a\x0cb\u2028c\x0b\x1c\x85d\nnew\u2029\x0c\n\x0c\n".encode()),
        (b"a\rb\nc\n", b"a\rb\nd\re\nc\n"),
        (b"--- a\n+++ b\n@@ -1 +1 @@\n", b"--- a\n-- x\n+++ b\n@@ -1 +1 @@\n"),
        (b"1\n2\n3\n4\n5\n6\n7\n8\n9\n", b"1\nx\n2\n3\n4\n5\n6\n7\n8\ny\n9\n"),
        (b"1\n2\n3\n4\n5\n6\n7\n8\n9\n0\n", b"x\n1\n2\n3\n4\n5\n6\n7\n8\n9\n0\ny\n"),
    ],
)
def test_git_applies_it_to_the_byte(tmp_path: Path, before: bytes, after: bytes) -> None:
    round_trip(tmp_path, {"Dockerfile": (before, after)})


@pytest.mark.parametrize(
    "name",
    [
        "with blank/Docker file",
        "größe/compose.yaml",
        'quo"te.Dockerfile',
        "back\\slash.Dockerfile",
        "tab\there.Dockerfile",
        "new\nline.Dockerfile",
        "b/a/Dockerfile",
        "-dash/Dockerfile",
        " leading.Dockerfile",
        "trailing ",
        "a b/with b/x",
    ],
)
def test_git_finds_every_name(tmp_path: Path, name: str) -> None:
    round_trip(tmp_path, {name: (b"a\n", b"a\nb\n"), "Dockerfile": (b"x\n", b"y\n")})


def test_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff.Dockerfile")
    try:
        Path(name).write_bytes(b"a\n")
    except OSError:
        pytest.skip("the file system wants UTF-8")
    apply(tmp_path, unified([change(name, b"a\n", b"b\n")], str(tmp_path)))
    assert Path(name).read_bytes() == b"b\n"


@pytest.mark.parametrize("repository", [True, False])
def test_it_applies_where_harden_ran_also_below_the_root(tmp_path: Path, repository: bool) -> None:
    if repository:
        subprocess.run(["git", "init", "-q"], check=True, env=ENVIRONMENT)
    folder = tmp_path / "sub"
    (folder / "deep").mkdir(parents=True)
    files = dict.fromkeys(("deep/Dockerfile", "sub/Dockerfile", "a/sub/Dockerfile", "compose.yaml"), (b"a\n", b"b\n"))
    round_trip(folder, files)


def test_an_absolute_path_and_a_linked_one_become_the_true_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    os.symlink("real", "link")
    Path("real/Dockerfile").write_bytes(b"a\n")
    for name in (str(tmp_path / "real/Dockerfile"), "link/Dockerfile", "./real/../link/Dockerfile"):
        patch = unified([change(name, b"a\n", b"b\n")], str(tmp_path))
        assert b"--- a/real/Dockerfile\n+++ b/real/Dockerfile\n" in patch
        apply(tmp_path, patch, "--check")


def test_a_file_outside_is_named_by_its_way_there(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    Path("Dockerfile").write_bytes(b"a\n")
    os.chdir("here")
    patch = unified([change("../Dockerfile", b"a\n", b"b\n")], os.getcwd())
    assert b"+++ b/../Dockerfile\n" in patch
    apply(tmp_path / "here", patch, "--unsafe-paths")
    assert Path("../Dockerfile").read_bytes() == b"b\n"


def test_a_file_elsewhere_in_the_repository_applies_at_its_root(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], check=True, env=ENVIRONMENT)
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_bytes(b"a\n")
    os.chdir("here")
    changes = [change("../there/Dockerfile", b"a\n", b"b\n"), change("Dockerfile", b"a\n", b"b\n")]
    assert [diff.is_outside(each, ".") for each in changes] == [True, False]
    apply(tmp_path, unified(changes, "."))
    assert (Path("../there/Dockerfile").read_bytes(), Path("Dockerfile").read_bytes()) == (b"b\n", b"b\n")


def test_standard_input_keeps_its_name() -> None:
    patch = unified([FileChange(Source("x/compose.yaml", "x\n"), Source("x/compose.yaml", "y\n"))], ".")
    assert patch.startswith(b"diff --git a/x/compose.yaml b/x/compose.yaml\n")


def test_it_is_small() -> None:
    before = "".join(f"line {number}\n" for number in range(400))
    after = before.replace("line 50\n", "line 50\nnew\n").replace("line 300\n", "")
    (file,) = read_by_unidiff(unified([change("Dockerfile", before.encode(), after.encode())], "."))
    assert [(hunk.added, hunk.removed, len(hunk)) for hunk in file] == [(1, 0, 7), (0, 1, 7)]


def test_nothing_changed_is_no_diff() -> None:
    assert unified([change("Dockerfile", b"a\n", b"a\n")], ".") == b""


LINES = st.lists(
    st.sampled_from(["a", "b", "  c: d", "", "\r", "\x0c", "é\u2028", "- x", "+ y", "@@", "\\ No newline"]), max_size=14
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=LINES, after=LINES, ended=st.tuples(st.booleans(), st.booleans()), bom=st.booleans())
def test_any_two_texts(tmp_path: Path, before: list[str], after: list[str], ended: tuple[bool, bool], bom: bool) -> None:
    texts = ["\n".join(lines) + "\n" * (end and bool(lines)) for lines, end in zip((before, after), ended, strict=True)]
    old, new = ((b"\xef\xbb\xbf" if bom else b"") + text.encode() for text in texts)
    if old != new:
        round_trip(tmp_path, {"a/Dockerfile": (old, new)})


def test_matching_never_takes_minutes(tmp_path: Path) -> None:
    half = "".join(f"{number % 150}\n" for number in range(diff.MAX_MATCHED))
    started = time.process_time()
    round_trip(tmp_path, {"Dockerfile": (f"x\n{half}y\n".encode(), f"{half}{half}z\n".encode())})
    repeated = "\n".join(["- x"] * 4_000)
    round_trip(tmp_path, {"compose.yaml": (f"a\n{repeated}\nb\n".encode(), f"c\n{repeated}\n- x\nd\n".encode())})
    assert time.process_time() - started < 5


def test_colour_changes_nothing_but_colour() -> None:
    plain = unified([change("a b/Dockerfile", b"a\r\nb\n\xc3\xa9\n--- \n", b"a\r\nc\n\xc3\xa9\n")], ".")
    shown = coloured(plain)
    assert b"\x1b[32m+c\x1b[0m" in shown
    assert b"\x1b[31m---- \x1b[0m" in shown, "a removed line that looks like a header"
    assert re.sub(rb"\x1b\[\d*m", b"", shown) == plain


def test_on_a_terminal_a_file_cannot_steer_it() -> None:
    shown = coloured(unified([change("Dockerfile", b"a\n", b"a\n\x1b]0;owned\x07\xc2\x9b2J\n")], "."))
    assert b"\\x1b]0;owned\\x07\\x9b2J" in shown
    assert b"\x07" not in shown
