"""A project's copy for a trial: complete, apart from the original, never outside of it, and as it was when asked for."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardener.errors import HardenError
from hardener.trial import copy as module
from hardener.trial.copy import Copy, LeftOut, Limits, TooLarge, make_copy
from hardener.trial.reach import env_hints

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


def tree(folder: Path) -> dict[str, tuple[object, ...]]:
    """All that is to be known of a tree: kind, mode, owner, time and content by relative path. Read with `os.walk`, not ours."""
    found: dict[str, tuple[object, ...]] = {}
    for at, folders, files in os.walk(folder):
        for name in [*folders, *files, "."]:
            path = Path(at, name)
            status = path.lstat()
            content: object = None
            if path.is_symlink():
                content = os.readlink(path)
            elif path.is_file():
                content = path.read_bytes()
            found[os.path.relpath(path, folder)] = (status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, content)
    return found


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project with what projects have."""
    root = tmp_path / "parent" / "project"
    for name, text in {
        "compose.yaml": "services: {}\n",
        ".env": "A=1\n",
        ".gitignore": "x\n",
        ".git/config": "[core]\n",
        "app/.git": "gitdir: ../.git/modules/app\n",
        "app/main.py": "print()\n",
        "app/run.sh": "#!/bin/sh\n",
        "data/deep/er/file": "1\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "app/run.sh").chmod(0o4755)
    (root / "data/deep").chmod(0o1777)
    (root / "data/empty").mkdir(mode=0o700)
    os.utime(root / "app/main.py", ns=(5 * 10**18 // 4, 10**18 + 7))
    os.utime(root / "data", ns=(10**18, 10**18))
    yield root
    shutil.rmtree(tmp_path, ignore_errors=True)


def made(project: Path, **more: object) -> Copy:
    return make_copy(str(project), str(project.parent / "made"), **more)  # type: ignore[arg-type]


def test_all_is_copied_but_the_history(project: Path) -> None:
    before = tree(project)
    copy = made(project)
    expected = {name: how for name, how in before.items() if ".git" not in name.split("/")}
    assert set(before) - set(expected) == {".git", ".git/config", "app/.git"}
    assert tree(Path(copy.root)) == expected
    assert tree(Path(copy.pristine)) == expected
    assert copy.left_out == ()
    assert tree(project) == before
    inodes = {path.stat().st_ino for root in (project, Path(copy.root), Path(copy.pristine)) for path in root.rglob("*.py")}
    assert len(inodes) == 3, "what is written into one in place must not be in the other"


@pytest.mark.parametrize(
    ("link", "to", "stays"),
    [
        ("in", "app/main.py", True),
        ("app/up", "../data", True),
        ("here", ".", True),
        ("dangling", "app/nothing", True),
        ("loop", "loop", True),
        ("chain", "app/up2", True),
        ("out", "../outside", False),
        ("far", "../../../../../../../../etc/passwd", False),
        ("absolute", "/etc/passwd", False),
        ("through", "absolute", False),
        ("around", "../project/app", False),
    ],
)
def test_links_stay_where_they_stay_inside(project: Path, link: str, to: str, stays: bool) -> None:
    (project / "app/up2").symlink_to("../data/deep")
    (project / "absolute").symlink_to("/etc/passwd")
    (project.parent / "outside").mkdir()
    (project.parent / "outside/secret").write_text("s")
    if link != "absolute":
        (project / link).symlink_to(to)
    copy = made(project)
    at = Path(copy.root, link)
    assert os.path.lexists(at) == stays
    if stays:
        assert os.readlink(at) == to
    assert (link in {left.path for left in copy.left_out}) == (not stays)
    assert not list(Path(copy.root).rglob("secret"))


def test_a_link_to_itself_and_its_parent_ends(project: Path) -> None:
    (project / "data/again").symlink_to("..")
    copy = made(project)
    assert os.readlink(Path(copy.root, "data/again")) == ".."


def test_what_is_no_file_is_left_out(project: Path) -> None:
    import socket

    os.mkfifo(project / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(project)
        try:
            server.bind("sock")
        finally:
            os.chdir(here)
    copy = made(project)
    assert [left.path for left in copy.left_out] == ["pipe", "sock"]
    assert not os.path.lexists(Path(copy.root, "pipe"))


def test_what_may_not_be_read_is_empty(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed_file, closed_folder = str(project / "app/main.py"), str(project / "data/deep")
    (project / "app/main.py").chmod(0o000)
    (project / "data/deep").chmod(0o000)
    if os.geteuid() == 0:  # to whom nothing is closed
        real_open, real_scandir = os.open, os.scandir

        def opened(path: str, *rest: int, **more: int) -> int:
            if path == closed_file:
                raise PermissionError(13, "Permission denied", path)
            return real_open(path, *rest, **more)

        def scanned(path: str) -> object:
            if path == closed_folder:
                raise PermissionError(13, "Permission denied", path)
            return real_scandir(path)

        monkeypatch.setattr(module.os, "open", opened)
        monkeypatch.setattr(module.os, "scandir", scanned)
    copy = made(project)
    monkeypatch.undo()
    assert copy.left_out == (
        LeftOut("app/main.py", "an empty file: permission denied"),
        LeftOut("data/deep", "an empty folder: permission denied"),
    )
    assert Path(copy.root, "app/main.py").stat().st_size == 0
    assert os.listdir(Path(copy.root, "data/deep")) == []
    Path(copy.root, "data/deep/new").write_text("of a container")
    assert copy.restore() == ()
    assert os.listdir(Path(copy.root, "data/deep")) == []


def test_a_full_disk_is_an_error_and_leaves_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: str, made: str, kind: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_copy_one", full)
    with pytest.raises(HardenError, match="no space left"):
        made(project)
    assert os.listdir(project.parent / "made") == []


CHANGES = {
    "written": lambda root: (root / "app/main.py").write_text("else"),
    "longer": lambda root: os.truncate(root / "data/deep/er/file", 9),
    "deleted": lambda root: (root / "app/main.py").unlink(),
    "folder deleted": lambda root: shutil.rmtree(root / "data"),
    "added": lambda root: (root / "data/new").write_text("n"),
    "folder added": lambda root: (root / "data/a/b/c").mkdir(parents=True),
    "closed": lambda root: (root / "data/deep").chmod(0o000),
    "mode": lambda root: (root / "app/main.py").chmod(0o600),
    "file is a folder": lambda root: ((root / "compose.yaml").unlink(), (root / "compose.yaml/x").mkdir(parents=True)),
    "folder is a file": lambda root: (shutil.rmtree(root / "app"), (root / "app").write_text("")),
    "renamed": lambda root: (root / "app/main.py").rename(root / "app/other.py"),
    "time": lambda root: os.utime(root / "app/main.py"),
    "pipe": lambda root: os.mkfifo(root / "data/pipe"),
    "hard link": lambda root: ((root / "app/main.py").unlink(), os.link(root / "app/run.sh", root / "app/main.py")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_it_is_brought_back_whatever_was_done(project: Path, change: object) -> None:
    copy = made(project)
    root = Path(copy.root)
    before, pristine = tree(root), tree(Path(copy.pristine))
    change(root)  # type: ignore[operator]
    if os.geteuid() == 0 or change is not CHANGES["closed"]:
        assert tree(root) != before
    assert copy.restore() == ()
    assert tree(root) == before
    assert tree(Path(copy.pristine)) == pristine


def test_a_change_that_hides_its_time_is_found(project: Path) -> None:
    copy = made(project)
    path = Path(copy.root, "app/main.py")
    before = path.stat()
    time.sleep(0.05)  # longer than a tick of the clock of the kernel
    path.write_text("PRINT()\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    copy.restore()
    assert path.read_text() == "print()\n"


@as_root
def test_owners_are_copied_and_brought_back(project: Path) -> None:
    os.chown(project / "data/deep", 70, 71)
    os.chown(project / "app/run.sh", 1000, 1000)
    (project / "app/run.sh").chmod(0o4755)
    copy = made(project)
    assert tree(Path(copy.root))["app/run.sh"][:3] == (stat.S_IFREG | 0o4755, 1000, 1000)
    before = tree(Path(copy.root))
    os.chown(Path(copy.root, "data/deep"), 999, 999)
    os.chown(Path(copy.root, "data/deep/er/file"), 999, 999)
    os.chown(Path(copy.root), 999, 999)
    assert tree(Path(copy.root)) != before
    assert copy.restore() == ()
    assert tree(Path(copy.root)) == before


def test_only_what_was_named_is_brought_back(project: Path) -> None:
    copy = made(project)
    root = Path(copy.root)
    (root / "app/main.py").write_text("candidate")
    (root / "data/deep/er/file").write_text("written")
    assert copy.restore("data/deep") == ()
    assert (root / "app/main.py").read_text() == "candidate"
    assert (root / "data/deep/er/file").read_text() == "1\n"
    assert copy.restore(str(root / "app/main.py")) == ()
    assert (root / "app/main.py").read_text() == "print()\n"
    (root / "made-by-the-engine").mkdir()
    assert copy.restore("made-by-the-engine") == ()
    assert not (root / "made-by-the-engine").exists()


def test_nothing_outside_is_touched_through_a_link_that_a_container_made(project: Path) -> None:
    copy = made(project)
    outside = project.parent / "users"
    (outside / "er").mkdir(parents=True)
    (outside / "er/file").write_text("precious")
    (outside / "more").write_text("precious")
    shutil.rmtree(Path(copy.root, "data/deep"))
    Path(copy.root, "data/deep").symlink_to(outside)
    Path(copy.root, "app/to").symlink_to(outside)
    before = tree(outside)
    assert copy.restore("data/deep/er/file") == ()
    assert not Path(copy.root, "data/deep").is_symlink()
    assert Path(copy.root, "data/deep/er/file").read_text() == "1\n"
    assert copy.restore() == ()
    assert copy.remove() == ()
    assert tree(outside) == before
    assert os.listdir(project.parent / "made") == []


@pytest.mark.parametrize("path", ["..", "../pristine", "/etc/passwd", "app/../.."])
def test_a_path_outside_is_refused(project: Path, path: str) -> None:
    copy = made(project)
    with pytest.raises(HardenError, match="outside"):
        copy.restore(path)


@pytest.mark.parametrize(
    ("limits", "folder"), [(Limits(bytes=3000), "data/deep/er"), (Limits(files=8), "data"), (Limits(files=40), "many")]
)
def test_too_large_is_said_before_anything_is_copied(project: Path, limits: Limits, folder: str) -> None:
    (project / "data/deep/er/file").write_bytes(bytes(4000))
    (project / "data/one").write_text("")
    if limits.files == 40:
        for number in range(60):
            (project / "many" / str(number)).mkdir(parents=True)
    with pytest.raises(TooLarge) as error:
        made(project, limits=limits)
    assert error.value.folder == folder
    assert folder in str(error.value)
    assert error.value.exit_code == 2
    assert not (project.parent / "made").exists()
    assert made(project, limits=limits, without=[folder]).left_out == (LeftOut(folder, "an empty folder: left out as asked for"),)


def test_a_copy_inside_the_project_does_not_contain_itself(project: Path) -> None:
    copy = make_copy(str(project), str(project / "app/made"))
    assert not Path(copy.root, "app/made").exists()
    assert Path(copy.root, "app/main.py").exists()


def test_it_says_names_and_hosts_and_never_a_value(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "DB_PASSWORD=hunter2-pw\nAPI_KEY='k-123'\nEMPTY_SECRET=\nMONKEY=x1y2\nSENTRY_DSN=https://abc123@o1.ingest.example.io/4\n"
        "DATABASE_URL=postgres://joe:pa/ss@w#rd@db.example.com:5432/app\nREDIS_URL=redis://redis:6379\nSMTP_HOST=smtp.example.org\n"
        "DB_HOST=db\nBIND_ADDR=0.0.0.0\nBROKERS=k1:9092,k2.example.net:9092\nMONGO=mongodb://u:p@m1:1,m2:2/x\nCOLOUR=blue-ish\n"
        "TWO=https://a.example.com/x,https://b.example.com\nSIX=http://[2001:db8::1]:80/\n"
    )
    (tmp_path / "prod.env").write_bytes(b"\xff\xfe")
    (tmp_path / "notes.txt").write_text("PASSWORD=x")
    hints = env_hints(str(tmp_path), ["db", "redis"])
    assert hints == [
        ".env: credentials by their names: API_KEY, DB_PASSWORD, SENTRY_DSN",
        ".env: hosts: [2001:db8::1], a.example.com, b.example.com, db.example.com, k1, k2.example.net, m1, m2, "
        "o1.ingest.example.io, smtp.example.org",
        "prod.env: cannot be read (not UTF-8 text)",
    ]
    for value in ("hunter2", "k-123", "x1y2", "abc123", "joe", "pa/", "w#rd", "blue"):
        assert value not in "\n".join(hints)
