"""Many files come in one answer: what is taken from an archive, when one is asked for, and what a bad one can do. git is real."""

from __future__ import annotations

import gzip
import io
import os
import socket
import subprocess
import tarfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from archives import packed
from failing_proxy import FailingProxy
from fake_forge import FakeForge
from gitea_emulator import running
from gitlab_emulator import GitLabEmulator

from hardener.bot import archive, snapshot
from hardener.bot.archive import contents
from hardener.bot.forge import Entry, Forge, ForgeError, Limited, Listing, Missing, Unavailable
from hardener.bot.forges import bounded
from hardener.bot.forges.gitea import Gitea
from hardener.bot.forges.github import GitHub
from hardener.bot.forges.github_archive import is_of
from hardener.bot.forges.gitlab import GitLab
from hardener.bot.proposal import Snapshot
from hardener.source import MAX_BYTES

COMMIT = "c" * 40
MANIFEST = "apiVersion: v1\nkind: Pod\nmetadata: {name: a%d}\nspec: {containers: [{name: a, image: redis}]}\n"


def everything(size: int) -> bool:
    return True


def whole(there: Snapshot) -> dict[str, tuple[bytes, int]]:
    """All files, brought."""
    there.bring(*there.entries)
    paths = (path for path in Path(there.folder).rglob("*") if path.is_file())
    return {
        os.fsencode(path.relative_to(there.folder)).decode("latin-1"): (path.read_bytes(), path.stat().st_mode) for path in paths
    }


# What is in an archive.


class Git:
    """A forge whose answers are those of git, in a repository of its own."""

    def __init__(self, folder: Path, form: str) -> None:
        self.folder = folder
        self.asked: list[str] = []
        self.gives_archives = True
        self.run("init", "-q", f"--object-format={form}", ".")

    def run(self, *words: str, data: bytes = b"") -> bytes:
        who = [f"GIT_{one}_{what}=a@b" for one in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
        words = ("env", *who, "GIT_CONFIG_GLOBAL=", "GIT_CONFIG_NOSYSTEM=1", "git", *words)
        return subprocess.run(words, cwd=self.folder, input=data, capture_output=True, check=True).stdout

    def listing(self, commit: str) -> Listing:
        entries = []
        for line in self.run("ls-tree", "-r", "-z", "-l", commit).split(b"\0")[:-1]:
            head, _, path = line.partition(b"\t")
            mode, _, id, size = head.decode().split()
            entries.append(Entry(os.fsdecode(path), mode, id, -1 if size == "-" else int(size)))
        return Listing(tuple(entries))

    def read(self, commit: str, entry: Entry) -> bytes:
        self.asked.append(entry.path)
        return self.run("cat-file", "blob", entry.id)

    def archive(self, commit: str) -> Generator[bytes, None, None]:
        self.asked.append("an archive")
        if not self.gives_archives:
            raise Missing("not here")
        yield self.run("archive", "--format=tar.gz", "--prefix=top/", commit)


@pytest.mark.parametrize("form", ["sha1", "sha256"])
@pytest.mark.parametrize("in_full", [False, True])
def test_what_git_archives_is_what_git_has_or_is_read_by_itself(
    form: str, in_full: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "_ONE_BY_ONE", 1)
    git = Git(tmp_path, form)
    attributes = "secret.yaml export-ignore\nversion.yaml export-subst\nwindows.yaml text eol=crlf\nident.yaml ident\n"
    same = {
        "compose.yaml": b"services: {a: {image: redis}}\n",
        "crlf.yaml": b"a: 1\r\nb: 2\r\n",
        "two.yaml": b"a: 1\r\nb: 2\r\n",
        "run.sh": b"#!/bin/sh\n",
        "end.txt": b"no line end",
        "block.txt": b"x" * 512,
        "d/" * 30 + "deep.yaml": b"deep: 1\n",
        "/".join(["n" * 90] * 9) + "/" + "name" * 20 + ".yaml": b"long: 1\n",
        "bl\u00e4.yaml": "\u00e4: \u20ac\n".encode(),
        os.fsdecode(b"latin-\xe4.yaml"): b"latin: 1\n",
        "tar.txt": b"top/evil\0"[:-1].ljust(512, b" "),
    }
    changed = {
        "secret.yaml": b"a: 1\n",
        "version.yaml": b"version: $Format:%H$\n",
        "windows.yaml": b"a: 1\nb: 3\n",
        "ident.yaml": b"id: $Id$\n",
    }
    binary = {"picture.png": b"\x89PNG\0\0", "vendor/a.go": b"package a\n"}
    large = {"large.txt": b"y" * (MAX_BYTES + 1)}
    files = {".gitattributes": attributes.encode(), "empty.txt": b"", **same, **changed, **binary, **large}
    lines = b""
    for path, data in files.items():
        id = git.run("hash-object", "-w", "--stdin", data=data).strip()
        mode = b"100755" if path.endswith(".sh") else b"100644"
        lines += mode + b" " + id + b"\t" + os.fsencode(path) + b"\0"
    link = git.run("hash-object", "-w", "--stdin", data=b"compose.yaml").strip()
    lines += b"120000 " + link + b"\tlink.yaml\0" + b"160000 " + link + b"\tmodule\0"
    git.run("update-index", "--add", "-z", "--index-info", data=lines)
    tree = git.run("write-tree").decode().strip()
    commit = git.run("commit-tree", tree, data=b"m").decode().strip()

    found: dict[bool, dict[str, tuple[bytes, int]]] = {}
    for gives in (False, True):
        git.gives_archives = gives
        git.asked.clear()
        with snapshot.snapshot(cast(Forge, git), commit, in_full=in_full) as there:
            found[gives] = whole(there)
    assert found[True] == found[False]
    if in_full:
        assert {path: data for path, (data, _) in found[True].items()} == {
            os.fsencode(path).decode("latin-1"): data for path, data in files.items()
        }
    first, archived, *later = git.asked
    assert first in same
    assert archived == "an archive"
    left = {"vendor/a.go"} if in_full else {*binary}
    assert set(later) == {*changed, *left}
    assert len(later) == len(set(later))
    assert form == ("sha256" if len(commit) == 64 else "sha1")


def test_all_of_an_archive_is_found_as_tarfile_finds_it() -> None:
    """Whatever the format, and wherever it is cut into pieces; with links, folders, devices and sparse files between."""
    said = [b"", b"a", b"b" * 511, b"c" * 512, b"d" * 513, b"e" * 70_000, os.urandom(300_000)]
    for form in (tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w", format=form) as tar:
            for number, data in enumerate(said):
                for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
                    odd = tarfile.TarInfo(f"{number}-{kind!r}")
                    odd.type, odd.linkname = kind, "elsewhere"
                    tar.addfile(odd)
                name = f"{'x' * 150}/{number}" if form != tarfile.USTAR_FORMAT else f"x/{number}"
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        whole = gzip.compress(plain.getvalue())
        for step in (1 << 20, 4099):
            pieces = [whole[at : at + step] for at in range(0, len(whole), step)]
            assert list(contents(pieces, everything)) == said
            assert list(contents(pieces, lambda size: size == 513)) == [b"d" * 513]


# What a bad one can do.


def tar_header(size: bytes, kind: bytes = b"0", magic: bytes = b"ustar\x0000") -> bytes:
    return b"x".ljust(124, b"\0") + size.ljust(12, b"\0") + b"0" * 12 + b"        " + kind + b"\0" * 100 + magic.ljust(255, b"\0")


BAD = {
    "nothing": b"",
    "a page": b"<html>",
    "a plain tar": tar_header(b"00000000005") + b"hello".ljust(512, b"\0"),
    "zeros": gzip.compress(bytes(1 << 20)),
    "cut in gzip": packed([("a", "100644", os.urandom(5000))])[:3000],
    "cut in tar": gzip.compress(tar_header(b"00000009999") + b"hello"),
    "negative": gzip.compress(tar_header(b"-0000000777") + bytes(4096)),
    "base 256": gzip.compress(tar_header(b"\x80" + b"\xff" * 11) + bytes(4096)),
    "no number": gzip.compress(tar_header(b"") + bytes(4096)),
    "no octal": gzip.compress(tar_header(b"00000000009") + bytes(4096)),
    "superscript": gzip.compress(tar_header("\u00b2".encode("latin-1")) + bytes(4096)),
    "no tar": gzip.compress(tar_header(b"00000000005", magic=b"") + b"hello".ljust(512, b"\0")),
    "damaged": packed([("a", "100644", b"a")])[:-20] + b"\0" * 20,
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_archive_just_ends(name: str) -> None:
    assert list(contents([BAD[name]], everything)) in ([], [b"a"])


@pytest.mark.parametrize("kind", [b"0", b"x", b"g", b"L", b"K", b"S", b"5"])
def test_what_unpacks_without_end_is_neither_held_nor_unpacked_without_end(kind: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that says it has 8 GiB, of any kind: what is not wanted goes by, and what goes by is bounded."""
    monkeypatch.setattr(archive, "MOST", 16 << 20)
    taken = 0
    bomb = gzip.compress(tar_header(b"77777777777", kind) + bytes(64 << 20), 1)

    def counted() -> Iterator[bytes]:
        nonlocal taken
        for at in range(0, len(bomb), 4096):
            taken += 4096
            yield bomb[at : at + 4096]

    tracemalloc.start()
    assert list(contents(counted(), lambda size: size <= MAX_BYTES)) == []
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()
    assert taken < len(bomb) / 3


def test_a_row_of_extended_headers_is_no_deeper_than_one() -> None:
    row = (tar_header(b"00000000012", b"x") + b"12 path=abc\n".ljust(512, b"\0")) * 5000
    whole = gzip.compress(row + tar_header(b"00000000005") + b"hello".ljust(512, b"\0"))
    assert list(contents([whole], everything)) == [b"hello"]


# When one is asked for.


def many(count: int) -> FakeForge:
    return FakeForge({f"apps/{number % 40}/{number}.yaml": MANIFEST % number for number in range(count)})


def test_two_thousand_manifests_take_few_requests() -> None:
    forge = many(2000)
    with snapshot.snapshot(forge, forge.branches["main"]):
        assert len(forge.calls) < 40
        assert forge.calls.count("archive") == 1


def test_files_are_what_they_are_one_by_one() -> None:
    forge, alone = many(200), many(200)
    alone.fail = refuse("archive", Missing("turned off"))
    commit = forge.branches["main"]
    with snapshot.snapshot(forge, commit) as there, snapshot.snapshot(alone, commit) as slowly:
        assert (forge.calls.count("read"), alone.calls.count("read")) == (20, 200)
        assert whole(there) == whole(slowly)


def refuse(method: str, error: ForgeError) -> Callable[[str, bool], None]:
    def fail(called: str, is_over: bool) -> None:
        if called == method:
            raise error

    return fail


def test_more_than_may_be_read_one_by_one_comes_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "AFAR", snapshot.Most(60, 1 << 20))
    forge = many(200)
    with snapshot.snapshot(forge, forge.branches["main"]):
        pass
    forge.fail = refuse("archive", Missing("turned off"))
    with (
        pytest.raises(ForgeError, match=r"more than 60 files .* one by one: .*--git"),
        snapshot.snapshot(forge, forge.branches["main"]),
    ):
        pass


def test_a_small_repository_and_a_local_one_pay_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    forge = many(20)
    with snapshot.snapshot(forge, forge.branches["main"]):
        assert "archive" not in forge.calls
    local = cast(Any, many(100))
    local.is_local = True
    with snapshot.snapshot(local, local.branches["main"]):
        assert local.calls.count("read") == 100
        assert "archive" not in local.calls


def test_an_archive_that_costs_more_is_asked_for_later_or_never() -> None:
    """A request stands for 4 MiB; sizes are those that the forge tells, which for one that tells none are guessed."""

    class Told(FakeForge):
        size = 0

        def listing(self, commit: str) -> Listing:
            listing = super().listing(commit)
            entries = [entry._replace(size=-1) if self.size < 0 else entry for entry in listing.entries]
            return Listing((*entries, Entry("film.mp4", "100644", "f" * 40, self.size)))

    for size, before in ((0, 20), (400 << 20, 120), (1025 << 20, 150), (-1, 20)):
        forge = Told({f"{number}.yaml": MANIFEST % number for number in range(150)})
        forge.size = size
        with snapshot.snapshot(forge, forge.branches["main"]):
            assert forge.calls.count("read") == before
            assert forge.calls.count("archive") == (before < 150)


def test_a_forge_that_asks_to_wait_is_not_asked_on() -> None:
    forge = many(100)
    forge.fail = refuse("archive", Limited("slower"))
    with pytest.raises(Limited), snapshot.snapshot(forge, forge.branches["main"]):
        pass
    assert forge.calls[-1] == "archive"


@pytest.mark.parametrize(
    "pieces",
    [
        [BAD["a page"]],
        [BAD["cut in tar"]],
        [packed([("apps/0/0.yaml", "100644", MANIFEST.encode()), ("../../etc/passwd", "100644", b"evil\n")])],
        [packed((f"{number}", "100644", (MANIFEST % number).encode()) for number in range(50)), b"trailing"],
        [packed((f"x{number}", "100644", (MANIFEST % number).encode()) for number in range(50))[:-300], None],
    ],
)
def test_whatever_an_archive_says_the_files_are_those_of_the_commit(pieces: list[bytes | None], tmp_path: Path) -> None:
    class Lying(FakeForge):
        def archive(self, commit: str) -> Generator[bytes, None, None]:
            for piece in pieces:
                if piece is None:
                    raise Unavailable("cut")
                yield piece

    files = {f"apps/{number % 40}/{number}.yaml": MANIFEST % number for number in range(100)}
    forge = Lying(files)
    with snapshot.snapshot(forge, forge.branches["main"]) as there:
        assert {path: data.decode() for path, (data, _) in whole(there).items()} == files
        assert sorted(os.listdir(there.folder)) == [".git", "apps"]
    assert forge.calls.count("read") <= 100


def test_what_is_laid_out_of_an_archive_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "_KEPT", 30 * len(MANIFEST))
    forge = many(100)
    with snapshot.snapshot(forge, forge.branches["main"]) as there:
        assert 65 < forge.calls.count("read") < 75
        assert all(data.startswith(b"apiVersion") for data, _ in whole(there).values())


# Where it comes from.


def test_gitlab_gives_one_without_large_files_and_its_limit_ends_nothing() -> None:
    files = {f"apps/{number}.yaml": ("100644", (MANIFEST % number).encode()) for number in range(150)}
    with GitLabEmulator(files) as server:
        forge = GitLab("group/app", "glpat-secret", address=server.address)
        commit = forge.head("main")
        with snapshot.snapshot(forge, commit) as there:
            assert sum("/blobs/" in path for _, path in server.asked) == 20
            assert whole(there)["apps/149.yaml"][0] == files["apps/149.yaml"][1]
        assert server._query == {"sha": commit, "include_lfs_blobs": "false"}
        server.archives_left = 0
        with pytest.raises(ForgeError, match="too many times") as refused:
            list(forge.archive(commit))
        assert not isinstance(refused.value, Limited)
        server.asked.clear()
        with snapshot.snapshot(forge, commit) as there:
            assert sum("/blobs/" in path for _, path in server.asked) == 150


def test_gitea_gives_one_and_is_not_followed_to_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    with running() as server, FailingProxy() as store:
        files = {f"apps/{number}.yaml": (MANIFEST % number).encode() for number in range(60)}
        commit = server.push_to("main", cast(Any, files))
        forge = Gitea(server.url, "owner/shop", "token", pauses=())
        with snapshot.snapshot(forge, commit) as there:
            assert sum("/blobs/" in path for _, path in server.asked) == 20
            assert whole(there)["apps/59.yaml"][0] == files["apps/59.yaml"]
        server.archives_at = f"{store.url}/archive.tar.gz"
        server.asked.clear()
        with snapshot.snapshot(forge, commit):
            assert sum("/blobs/" in path for _, path in server.asked) == 60
        assert store.asked == []


@pytest.fixture
def hub() -> Iterator[FailingProxy]:
    with FailingProxy() as hub:
        hub.on("GET", "/repos/o/r", body={"full_name": "o/r", "default_branch": "main"})
        yield hub


ARCHIVE = packed([("a.yaml", "100644", b"a: 1\n")])


@pytest.mark.parametrize("host", ["localhost", "codeload.localhost"])
def test_github_sends_elsewhere_and_the_token_stays(
    host: str, hub: FailingProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nor does what a .netrc has for that host, or anything else by which we could be known."""
    known = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda name, *rest, **more: known("127.0.0.1", *rest, **more))
    (tmp_path / "netrc").write_text(f"machine {host} login me password of-netrc\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    there = hub.url.replace("localhost", host) + "/_codeload/o/r/legacy.tar.gz/c?token=short"
    hub.on("GET", f"/repos/o/r/tarball/{COMMIT}", status=302, headers={"Location": there, "Set-Cookie": "a=secret"})
    hub.on("GET", r"/_codeload/o/r/legacy.tar.gz/c\?token=short", body=ARCHIVE)
    forge = GitHub("o/r", "ghp_secret", hub.url)
    assert list(contents(forge.archive(COMMIT), everything)) == [b"a: 1\n"]
    asking, taking = hub.asked[-2:]
    assert asking.headers["Authorization"] == "token ghp_secret"
    assert taking.headers["Host"].startswith(f"{host}:")
    assert not {name.lower() for name in taking.headers} & {"authorization", "cookie"}
    assert "secret" not in str(taking)
    assert "of-netrc" not in str(taking)


def test_github_is_followed_once_and_nowhere_else(hub: FailingProxy) -> None:
    path = f"/repos/o/r/tarball/{COMMIT}"
    with FailingProxy() as other:
        forge = GitHub("o/r", "ghp_secret", hub.url)
        for there in (
            f"{other.url}/x",
            "https://codeload.github.com/x",
            "file:///etc/passwd",
            "",
            "/x",
            f"{hub.url}@{other.url[7:]}/x",
        ):
            hub.on("GET", path, status=302, headers={"Location": there})
            with pytest.raises(ForgeError, match="elsewhere"):
                list(forge.archive(COMMIT))
        hub.on("GET", path, status=302, headers={"Location": f"{hub.url}/again"})
        hub.on("GET", "/again", status=302, headers={"Location": f"{other.url}/x"})
        with pytest.raises(Unavailable, match="302"):
            list(forge.archive(COMMIT))
        hub.on("GET", path, status=404, body={"message": "Not Found"})
        with pytest.raises(Missing):
            list(forge.archive(COMMIT))
        hub.on("GET", path, status=403, headers={"x-ratelimit-remaining": "0"})
        with pytest.raises(Limited):
            list(forge.archive(COMMIT))
        hub.on("GET", path, status=200, body=ARCHIVE)
        with pytest.raises(ForgeError):
            list(forge.archive(COMMIT))
        assert other.asked == []


@pytest.mark.parametrize(
    ("api", "address", "is_ours"),
    [
        ("https://api.github.com", "https://codeload.github.com/o/r/legacy.tar.gz/c?token=A", True),
        ("https://api.github.com", "https://CodeLoad.GitHub.com:443/o/r", True),
        ("https://api.github.com", "http://codeload.github.com/o/r", False),
        ("https://api.github.com", "https://codeload.github.com:8443/o/r", False),
        ("https://api.github.com", "https://codeload.github.com.evil.net/o/r", False),
        ("https://api.github.com", "https://evil.net/codeload.github.com", False),
        ("https://api.github.com", "https://codeload.github.com@evil.net/o/r", False),
        ("https://api.github.com", "https://evil.net\\@codeload.github.com/o/r", False),
        ("https://api.github.com", "https://codeload.github.com\\@evil.net/o/r", False),
        ("https://api.github.com", "https://codeload.github.com/o/\nr", False),
        ("https://api.acme.ghe.com", "https://codeload.acme.ghe.com/o/r", True),
        ("https://api.acme.ghe.com", "https://codeload.github.com/o/r", False),
        ("https://ghe.corp/api/v3", "https://ghe.corp/_codeload/o/r", True),
        ("https://ghe.corp/api/v3", "https://codeload.ghe.corp/o/r", True),
        ("https://ghe.corp:8443/api/v3", "https://codeload.ghe.corp:8443/o/r", True),
        ("https://ghe.corp/api/v3", "https://codeload.github.com/o/r", False),
    ],
)
def test_an_archive_is_asked_for_at_the_host_of_the_api_or_at_its_own(api: str, address: str, is_ours: bool) -> None:
    assert is_of(api, address) is is_ours


# How long it may be, and last.


class Endless:
    """A server that has only an answer without end, or with one after seconds: it sends a piece each time that it has rested."""

    def __init__(self, piece: bytes, rest: float) -> None:
        self.piece, self.rest = piece, rest
        self.is_done = threading.Event()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://localhost:{self.server.getsockname()[1]}"
        self.thread = threading.Thread(target=self.serve)

    def serve(self) -> None:
        while not self.is_done.is_set():
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            with connection:
                request = connection.recv(65536)
                head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
                if request.split()[1].endswith((b"/r", b"o%2Fr")):
                    body = b'{"id": 1, "full_name": "o/r"}'
                    connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
                elif b"/tarball/" in request:
                    there = f"Location: {self.url}/_codeload/c\r\n".encode()
                    connection.sendall(head.replace(b"200 OK", b"302 Found") + there + b"Content-Length: 0\r\n\r\n")
                else:
                    self.drip(connection, head)

    def drip(self, connection: socket.socket, head: bytes) -> None:
        end = time.monotonic() + 4
        try:
            connection.sendall(head + b"\r\n")
            while not self.is_done.wait(self.rest) and time.monotonic() < end:
                connection.sendall(self.piece)
        except OSError:
            return

    def __enter__(self) -> Endless:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_done.set()
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self.thread.join()


FORGES: dict[str, Callable[[str], Forge]] = {
    "github": lambda url: GitHub("o/r", "secret", url),
    "gitlab": lambda url: GitLab("o/r", "secret", address=url),
    "gitea": lambda url: Gitea(url, "o/r", "secret", pauses=()),
}


@pytest.mark.parametrize("forge", FORGES)
def test_an_answer_without_end_is_left(forge: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "MOST_IN_PIECES", 1 << 20)
    with Endless(b"\x1f" * 65536, 0) as server:
        pieces: list[bytes] = []
        with pytest.raises(ForgeError, match="more than 1 MiB"):
            pieces.extend(FORGES[forge](server.url).archive(COMMIT))
        assert sum(map(len, pieces)) <= 1 << 20


@pytest.mark.parametrize("forge", FORGES)
def test_an_answer_that_drips_is_left(forge: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "LONGEST", 0.2)
    with Endless(b"\x1f", 0.02) as server:
        begun = time.monotonic()
        with pytest.raises(ForgeError, match="takes more than"):
            list(FORGES[forge](server.url).archive(COMMIT))
        assert time.monotonic() - begun < 2


@pytest.mark.parametrize("forge", FORGES)
def test_a_refusal_without_end_is_not_read_to_the_end(forge: str, hub: FailingProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "MOST", 3 << 20)
    hub.on("GET", ".*/projects/o%2Fr", body={"id": 1})
    bomb = gzip.compress(b'"' + b"a" * (64 << 20) + b'"', 1)
    hub.on("GET", ".*(archive|tarball).*", status=404, body=bomb, headers={"Content-Encoding": "gzip"})
    with pytest.raises(ForgeError, match="more than 3 MiB"):
        list(FORGES[forge](hub.url).archive(COMMIT))
