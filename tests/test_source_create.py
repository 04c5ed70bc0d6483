"""A file that is new is there in one step or not at all, and belongs to whom its folder belongs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hardener import source


@pytest.mark.parametrize(("folder", "file"), [(0o755, 0o644), (0o700, 0o600), (0o777, 0o644)])
def test_a_new_file_is_as_open_as_its_folder(folder: int, file: int, tmp_path: Path) -> None:
    tmp_path.chmod(folder)
    if os.geteuid() == 0:
        os.chown(tmp_path, 4711, 4712)
    source.create(str(tmp_path / "new"), b"text")
    told = (tmp_path / "new").stat()
    assert (tmp_path / "new").read_bytes() == b"text"
    assert told.st_mode & 0o777 == file
    assert (told.st_uid, told.st_gid) == (tmp_path.stat().st_uid, tmp_path.stat().st_gid)
    assert os.listdir(tmp_path) == ["new"]


def test_one_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_bytes(b"old")
    path.chmod(0o640)
    source.create(str(path), b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o640)


def test_where_it_fails_nothing_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        source.create(str(tmp_path / "new"), b"text")
    assert os.listdir(tmp_path) == []
