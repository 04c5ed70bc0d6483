"""Which lines a pull request shows: those that git shows in its diff, with three lines around what changes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from hardener.bot.forge import Remark
from hardener.bot.proposal import Snapshot
from hardener.bot.shown_lines import on_shown_lines

OLD = [f"line {number}" for number in range(1, 61)]
#: Lines put in, taken away and changed, in one file, from its first line to its last.
NEW = ["first", *OLD[:20], "in", "between", *OLD[20:35], *OLD[38:50], "changed", *OLD[51:58], "line 59 here", "last"]


def shown_by_git(old: str, new: str, folder: Path) -> set[int]:
    """The numbers that lines of the new text have in the hunks of a diff."""
    (folder / "old").write_text(old)
    (folder / "new").write_text(new)
    told = subprocess.run(
        ("git", "diff", "--no-index", "-U3", "old", "new"), cwd=folder, capture_output=True, text=True, check=False
    ).stdout
    hunks = re.findall(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", told, re.MULTILINE)
    return {line for first, many in hunks for line in range(int(first), int(first) + int(many or 1))}


@pytest.mark.parametrize("end", ["\n", ""])
@pytest.mark.parametrize(("old", "new"), [(OLD, NEW), (NEW, OLD), (OLD, OLD[5:]), ([], OLD[:4])])
def test_remarks_are_kept_on_the_lines_that_git_shows(old: list[str], new: list[str], end: str, tmp_path: Path) -> None:
    before, after = ("\n".join(lines) + end if lines else "" for lines in (old, new))
    if before:
        (tmp_path / "x.yaml").write_text(before)
    remarks = [Remark(path, line, "", start) for path in ("x.yaml", "y.yaml") for line in range(1, 80) for start in (0, line - 4)]
    kept = on_shown_lines(remarks, {"x.yaml": after.encode()}, Snapshot(str(tmp_path), "", {}, lambda _: None))
    shown = shown_by_git(before, after, tmp_path)
    assert 3 <= len(shown) < 50
    assert kept == [one for one in remarks if one.path == "x.yaml" and {one.line, one.start or one.line} <= shown]
