"""Where the bot's repositories are, how their files are got, and for whom a token is. git is real; the forge is a few lines."""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from hardener.audit.postures import postures
from hardener.bot.forge import (
    EXECUTABLE,
    FILE,
    LINK,
    Author,
    Commit,
    Entry,
    Forbidden,
    Forge,
    ForgeError,
    Listing,
    Moved,
    Unavailable,
    Written,
)
from hardener.bot.forges.git_remote import remote_url
from hardener.bot.forges.local_git import WithGit
from hardener.bot.forges.opening import open_forge
from hardener.bot.forges.remote import Place, place_of, server_at
from hardener.bot.forges.token import Token, token_for
from hardener.bot.snapshot import AFAR, MAX_ENTRIES, Most, snapshot
from hardener.errors import UsageError
from hardener.facts.tree import repository_root
from hardener.render.formats import Run, render
from hardener.report import Status, joined
from hardener.scopes import Chosen, Wish, request_for, scopes
from hardener.source import MAX_BYTES

STACKS = Path(__file__).parent.parent / "fixtures" / "stacks"
ME = Author("A Bot", "bot@example.com")


class Files:
    """A forge with one commit of files, that counts what it is asked for."""

    kind, pull_word, pull_sign, longest_body = "github", "pull request", "#", 1000

    def __init__(self, files: Mapping[str, bytes], more: tuple[Entry, ...] = (), *, complete: bool = True) -> None:
        self.files = files
        self.more = more
        self.complete = complete
        self.asked: list[str] = []
        self.fails_at = -1

    def listing(self, commit: str) -> Listing:
        entries = (Entry(path, FILE, str(hash(data)), len(data)) for path, data in self.files.items())
        return Listing((*entries, *self.more), self.complete)

    def read(self, commit: str, entry: Entry) -> bytes:
        self.asked.append(entry.path)
        if len(self.asked) == self.fails_at + 1:
            raise Unavailable("a bad gateway")
        return self.files.get(entry.path, b"hostile\n")


def forge(files: Any) -> Forge:
    return cast(Forge, files)


def report(folder: str, fetch: Any = None) -> list[str]:
    """The report of a run there, in two forms, and each file as it would be."""
    with contextlib.chdir(folder):
        found, troubles = scopes(["."], Chosen())
        whole = joined([postures(request_for(scope, Wish(unsafe=True))._replace(fetch=fetch)) for scope in found])
        whole = whole._replace(troubles=(*troubles, *whole.troubles))
        after = [change.after.text for change in whole.changes]
        return [*(render(form, whole, Run(folder, folder)).replace(folder, "X") for form in ("json", "text")), *after]


@pytest.mark.parametrize("stack", sorted(path.name for path in STACKS.iterdir() if path.is_dir()))
def test_a_snapshot_is_judged_as_a_checkout_is(stack: str, tmp_path: Path) -> None:
    top = STACKS / stack
    files = Files({path.relative_to(top).as_posix(): path.read_bytes() for path in sorted(top.rglob("*")) if path.is_file()})
    files.files = {**files.files, "docs/notes.txt": b"nobody reads this\n", "web/.env": b"A=1\n"}
    (tmp_path / ".git").mkdir()
    for path, data in files.files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
        (tmp_path / path).chmod(0o644)
    tmp_path.chmod(0o755)
    with snapshot(forge(files), "c") as there:
        assert report(there.folder, there.fetch) == report(str(tmp_path))
        assert "docs/notes.txt" not in files.asked
        assert len(files.asked) == len(set(files.asked))


@pytest.mark.parametrize("stack", ["gallery", "shop"])
def test_what_cannot_be_brought_ends_the_run(stack: str) -> None:
    """Wherever it happens, and no more is asked of the forge."""
    top = STACKS / stack
    files = Files({path.relative_to(top).as_posix(): path.read_bytes() for path in sorted(top.rglob("*")) if path.is_file()})
    with snapshot(forge(files), "c") as there:
        report(there.folder, there.fetch)
    for last in range(len(files.asked)):
        broken = Files(files.files)
        broken.fails_at = last
        with pytest.raises(Unavailable), snapshot(forge(broken), "c") as there:
            report(there.folder, there.fetch)
        assert len(broken.asked) == last + 1


def test_a_fix_does_not_take_the_blame_for_what_cannot_be_brought(tmp_path: Path) -> None:
    from hardener import discover, passes, pipeline

    (tmp_path / "compose.yaml").write_text("services: {a: {image: 'redis:7'}}\n")
    (tmp_path / "late").write_text("x")

    def fetch(location: str) -> None:
        if location.endswith("late"):
            raise Unavailable("gone")

    request = pipeline.Request(tuple(discover.discover([str(tmp_path)])[0]), fetch=fetch)
    assert any(outcome.status is Status.APPLIED for outcome in pipeline.run(request).outcomes)
    attempt = passes.Passes._attempt

    def late(self: Any, group: Any, *more: Any) -> Any:
        group._tree(str(tmp_path / "late"))
        return attempt(self, group, *more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passes.Passes, "_attempt", late)
        with pytest.raises(Unavailable):
            pipeline.run(request)


def test_the_root_is_as_open_as_that_of_a_checkout() -> None:
    """An image gets the mode of a folder that is copied: a closed one would keep another user out."""
    files = {"Dockerfile": b'FROM python:3.12-slim\nCOPY . /app\nCMD ["python", "/app/main.py"]\n', "main.py": b"print(1)\n"}
    with snapshot(forge(Files(files)), "c") as there:
        assert "by its owner only" not in "".join(report(there.folder, there.fetch))
        os.chmod(there.folder, 0o700)
        assert "by its owner only" in "".join(report(there.folder, there.fetch))


def test_what_discovery_reads_is_there_and_what_nobody_asked_for_is_no_text() -> None:
    files = Files(
        {
            "compose.yaml": b"services: {a: {image: redis}}\n",
            "odd.yml": b"services: {b: {image: redis}}\n",
            "pod.json": b'{"apiVersion": "v1", "kind": "Pod"}',
            "sub/.gitignore": b"Dockerfile\n",
            "sub/Dockerfile": b"FROM a\n",
            "old/Dockerfile": b"FROM a\n",
            "vendor/Dockerfile": b"FROM a\n",
            "hardener.toml": b'exclude = ["old/"]\nprofiles = ["own"]\nbaseline = "known.json"\n',
            "own/a.toml": b"[a]\n",
            "known.json": b"{}\n",
            "pyproject.toml": b"",
            "src/main.py": b"print()\n",
            "Containerfile": b"FROM a" + b"\n" * MAX_BYTES,
            "copy.py": b"print()\n",
        }
    )
    with snapshot(forge(files), "c") as there:
        unread = {
            "sub/Dockerfile",
            "old/Dockerfile",
            "vendor/Dockerfile",
            "src/main.py",
            "Containerfile",
            "copy.py",
            "pyproject.toml",
        }
        assert set(files.asked) == set(files.files) - unread
        assert repository_root(os.path.join(there.folder, "sub")) == there.folder
        for path in unread - {"pyproject.toml"}:
            assert not Path(there.folder, path).read_bytes().strip(b"\0")
            assert Path(there.folder, path).stat().st_size == min(len(files.files[path]), MAX_BYTES + 1), path
        for path in ("src/main.py", "copy.py", "src/main.py", "Containerfile"):
            there.fetch(os.path.join(there.folder, path))
        assert Path(there.folder, "copy.py").read_bytes() == b"print()\n"
        assert [path for path in files.asked if path.endswith(".py")] == ["src/main.py"], "what is the same is asked for once"
        there.fetch("/etc/passwd")
    assert not os.path.lexists(os.path.dirname(there.folder))
    with snapshot(forge(files), "c", in_full=True) as there:
        for path in files.files:
            there.fetch(os.path.join(there.folder, path))
        assert all(Path(there.folder, path).read_bytes() == data for path, data in files.files.items())


def test_hostile_names_are_left_out_and_named_once(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    names = ["../up", "/etc/x", f"{outside}", "a/../../up", "a//b", "", ".", "a/.git/config", ".GIT/hooks/x", ".git", ".git /x",
             "g\u200cit~1/x", ".g\u200cit/config", "git~1/x", ".git::$INDEX_ALLOCATION/x", "nul\0", "x" * 300, "a/b/c", "a/b",
             "/".join("d" * 70), "half\ud800"]  # fmt: skip
    odd = (Entry("link", LINK, "l", 6), Entry("module", "160000", "m"), Entry("run", EXECUTABLE, "e", 8))
    files = Files({"a/b/c": b"c"}, (*(Entry(name, FILE, "h", 8) for name in names), *odd))
    with snapshot(forge(files), "c", in_full=True) as there:
        made = {path.relative_to(there.folder).as_posix() for path in Path(there.folder).rglob("*") if not path.is_dir()}
        assert made == {"a/b/c", "run"} == set(there.entries)
        assert os.listdir(os.path.join(there.folder, ".git")) == []
        assert not outside.exists()
        assert Path(there.folder, "run").stat().st_mode & 0o777 == 0o755
        assert Path(there.folder, "a/b/c").stat().st_mode & 0o777 == 0o644
        assert Path(there.folder).parent.stat().st_mode & 0o077 == 0
        (trouble,) = there.troubles
        assert f"{len(names) - 1} more" in trouble.reason


def test_there_are_bounds_and_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    files = {f"{number}/compose.yaml": b"a: %d\n" % number for number in range(4)}
    assert AFAR.requests <= 3000
    for most in (Most(3, 1000), Most(100, 19)):
        monkeypatch.setattr("hardener.bot.snapshot.AFAR", most)
        with pytest.raises(ForgeError, match="--git"), snapshot(forge(Files(files)), "c"):
            pass
    many = tuple(Entry("/".join("abcdefgh"[: 1 + number % 7]) + f"{number}", FILE, "", 0) for number in range(20))
    monkeypatch.setattr("hardener.bot.snapshot.MAX_ENTRIES", 19)
    with pytest.raises(ForgeError, match="more than"), snapshot(forge(Files({}, many)), "c"):
        pass
    with pytest.raises(ForgeError, match="lists"), snapshot(forge(Files({}, complete=False)), "c"):
        pass
    with pytest.raises(KeyboardInterrupt), snapshot(forge(Files({})), "c"):
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []
    assert MAX_ENTRIES == 200_000


# Which forge, and which repository.

JOBS: dict[str, dict[str, str]] = {
    "none": {},
    "github": {"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_API_URL": "https://api.github.com",
               "GITHUB_REPOSITORY": "o/r"},
    "enterprise": {"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://ghe.corp", "GITHUB_API_URL": "https://ghe.corp/api/v3",
                   "GITHUB_REPOSITORY": "o/r"},
    "turned": {"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_API_URL": "https://github.com@evil.net",
               "GITHUB_REPOSITORY": "o/r"},
    "gitlab": {"GITLAB_CI": "true", "CI_SERVER_URL": "https://corp.net/gitlab", "CI_API_V4_URL": "https://corp.net/gitlab/api/v4",
               "CI_PROJECT_PATH": "g/s/r"},
    "gitea": {"GITHUB_ACTIONS": "true", "GITEA_ACTIONS": "true", "GITHUB_SERVER_URL": "https://git.corp:3000",
              "GITHUB_REPOSITORY": "o/r"},
}  # fmt: skip

GITHUB_COM = "github https://api.github.com o/r"


@pytest.mark.parametrize(
    ("given", "job", "meant"),
    [
        ({"remote": "https://github.com/o/r.git"}, "none", GITHUB_COM),
        ({"remote": "https://user:ghp_secret@github.com/o/r"}, "none", GITHUB_COM),
        ({"remote": "git@github.com:o/r.git"}, "none", GITHUB_COM),
        ({"remote": "github.com:/o/r.git"}, "none", GITHUB_COM),
        ({"remote": "ssh://git@ssh.github.com:443/o/r.git"}, "none", GITHUB_COM),
        ({"remote": "git://github.com/o/r.git"}, "none", GITHUB_COM),
        ({"remote": "HTTPS://GitHub.com:443/o/r/"}, "none", GITHUB_COM),
        ({"repo": "o/r"}, "none", GITHUB_COM),
        ({"repo": "o/r", "remote": "https://gitlab.com/a/b"}, "github", GITHUB_COM + " own"),
        ({"repo": "o/r"}, "turned", GITHUB_COM + " own"),
        ({"repo": "O/R"}, "github", "github https://api.github.com O/R own"),
        ({"repo": "https://github.com/o/r/pull/3"}, "none", GITHUB_COM),
        ({"repo": "o/r", "forge": "gitlab"}, "none", "gitlab https://gitlab.com/api/v4 o/r"),
        ({"repo": "o/r", "forge": "https://codeberg.org"}, "none", "gitea https://codeberg.org/api/v1 o/r"),
        ({"repo": "o/r", "forge": "forgejo=https://git.corp/x/"}, "none", "gitea https://git.corp/x/api/v1 o/r"),
        ({"repo": "o/r"}, "enterprise", "github https://ghe.corp/api/v3 o/r own"),
        ({"repo": "https://github.com/o/r"}, "enterprise", GITHUB_COM),
        ({"remote": "git@ghe.corp:o/r.git"}, "enterprise", "github https://ghe.corp/api/v3 o/r own"),
        ({"remote": "https://acme.ghe.com/o/r"}, "none", "github https://api.acme.ghe.com o/r"),
        ({"remote": "https://gitlab.com/g/s/t/r.git"}, "none", "gitlab https://gitlab.com/api/v4 g/s/t/r"),
        ({"repo": "https://gitlab.com/g/s/r/-/tree/main"}, "none", "gitlab https://gitlab.com/api/v4 g/s/r"),
        ({"remote": "https://ci:t@corp.net/gitlab/g/s/r.git"}, "gitlab", "gitlab https://corp.net/gitlab/api/v4 g/s/r own"),
        ({"remote": "git@corp.net:g/s/r.git"}, "gitlab", "gitlab https://corp.net/gitlab/api/v4 g/s/r own"),
        ({"repo": "g/s/other"}, "gitlab", "gitlab https://corp.net/gitlab/api/v4 g/s/other"),
        ({"remote": "ssh://git@git.corp:2222/o/r.git"}, "gitea", "gitea https://git.corp:3000/api/v1 o/r own"),
        ({"remote": "ssh://git@git.corp:2222/o/r.git", "forge": "gitea"}, "none", "gitea https://git.corp/api/v1 o/r unnamed"),
        ({"remote": "https://git.corp:3000/o/r", "forge": "gitea"}, "none", "gitea https://git.corp:3000/api/v1 o/r unnamed"),
        ({"repo": "https://git.corp/o/r", "forge": "gitea"}, "none", "gitea https://git.corp/api/v1 o/r"),
        ({"remote": "http://localhost:4000/o/r", "forge": "github=http://localhost:4000"}, "none",
         "github http://localhost:4000/api/v3 o/r"),
    ],
)  # fmt: skip
def test_a_place_is_known_by_what_is_said(given: dict[str, str], job: str, meant: str) -> None:
    place = place_of(**given, environ=JOBS[job])
    words = [place.server.kind, place.server.api, place.repository]
    assert " ".join([*words, *["own"] * place.is_own, *["unnamed"] * (not place.is_named)]) == meant
    assert "secret" not in repr(place)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "which repository"),
        ({"remote": "https://git.corp/o/r"}, "what forge is git.corp"),
        ({"remote": "https://u:ghp_secret@git.corp/o/r"}, "what forge is git.corp"),
        ({"repo": "o/r", "forge": "gitea"}, "which server"),
        ({"repo": "o/r", "forge": "bitbucket"}, "no forge 'bitbucket'"),
        ({"repo": "o/r", "forge": "gitlab=https://github.com"}, "no gitlab"),
        ({"repo": "o/r", "forge": "https://git.corp"}, "what forge is git.corp"),
        ({"repo": "https://gitlab.com/o/r", "forge": "https://github.com"}, "--forge says github.com"),
        ({"repo": "http://github.com/o/r"}, "anybody"),
        ({"repo": "o/r", "forge": "gitlab=http://git.corp"}, "anybody"),
        ({"repo": "o"}, "OWNER/NAME"),
        ({"repo": "o/../r"}, "OWNER/NAME"),
        ({"repo": "../r"}, "no address"),
        ({"remote": "/srv/git/r.git"}, "no address"),
        ({"remote": "file:///srv/git/r.git"}, "at no forge|no address"),
        ({"remote": "ext::sh -c x"}, "no address"),
        ({"remote": "https://evil.com/x?github.com/o/r"}, "no address"),
        ({"remote": "https://corp.net/o/r", "forge": "gitlab=https://corp.net/gitlab"}, "does not begin"),
    ],
)
def test_what_is_not_known_is_asked_for(given: dict[str, str], why: str) -> None:
    with pytest.raises(UsageError, match=why) as raised:
        place_of(**given, environ={})
    assert "secret" not in str(raised.value)


# For whom a token is.


def at(url: str, kind: str = "", *, named: bool = True) -> Place:
    return Place(server_at(url, kind), "o/r", is_named=named)


@pytest.mark.parametrize(
    ("place", "variables", "source"),
    [
        (at("https://github.com"), {"HARDEN_TOKEN": "a", "GH_TOKEN": "b", "GITHUB_TOKEN": "c"}, "HARDEN_TOKEN"),
        (at("https://github.com"), {"GH_TOKEN": "b", "GITHUB_TOKEN": "c"}, "GH_TOKEN"),
        (at("https://github.com"), {"GITHUB_TOKEN": "c", "GITLAB_TOKEN": "d"}, "GITHUB_TOKEN"),
        (at("https://acme.ghe.com"), {"GITHUB_TOKEN": "c"}, "GITHUB_TOKEN"),
        (at("https://github.com"), {**JOBS["enterprise"], "GITHUB_TOKEN": "c"}, ""),
        (at("https://github.com"), {**JOBS["gitea"], "GITHUB_TOKEN": "c"}, ""),
        (at("https://github.com"), {"GH_ENTERPRISE_TOKEN": "c"}, ""),
        (at("https://ghe.corp", "github"), {**JOBS["enterprise"], "GITHUB_TOKEN": "c"}, "GITHUB_TOKEN"),
        (at("https://ghe.corp", "github"), {"GITHUB_TOKEN": "c", "GH_TOKEN": "d"}, ""),
        (at("https://ghe.corp", "github"), {"GITHUB_ENTERPRISE_TOKEN": "c"}, "GITHUB_ENTERPRISE_TOKEN"),
        (at("https://ghe.corp", "github"), {"GH_ENTERPRISE_TOKEN": "c", "GH_HOST": "other.corp"}, ""),
        (at("https://evil.com", "github", named=False), {"GH_ENTERPRISE_TOKEN": "c", "HARDEN_TOKEN": "d"}, ""),
        (at("https://evil.com", "gitlab", named=False), {"GITLAB_TOKEN": "c", "CI_JOB_TOKEN": "d", **JOBS["gitlab"]}, ""),
        (at("https://evil.com", "gitea", named=False), {"GITEA_TOKEN": "c", "FORGEJO_TOKEN": "d"}, ""),
        (at("https://gitlab.com"), {"GITLAB_TOKEN": "c", "CI_JOB_TOKEN": "d"}, "GITLAB_TOKEN"),
        (at("https://gitlab.com"), {"GITLAB_TOKEN": "c", "GITLAB_HOST": "https://git.corp"}, ""),
        (at("https://git.corp", "gitlab", named=False), {"GITLAB_TOKEN": "c", "GITLAB_HOST": "git.corp"}, "GITLAB_TOKEN"),
        (at("https://corp.net/gitlab", "gitlab"), {**JOBS["gitlab"], "CI_JOB_TOKEN": "d"}, "CI_JOB_TOKEN"),
        (at("https://codeberg.org"), {"FORGEJO_TOKEN": "c"}, "FORGEJO_TOKEN"),
        (at("https://git.corp:3000", "gitea"), {**JOBS["gitea"], "GITHUB_TOKEN": "c"}, "GITHUB_TOKEN"),
        (at("https://gitlab.com"), {"HARDEN_TOKEN": "c", "HARDEN_HOST": "github.com"}, ""),
        (at("http://localhost:4000", "github"), {"HARDEN_TOKEN": "c"}, "HARDEN_TOKEN"),
    ],
)
def test_a_token_is_for_its_host(place: Place, variables: dict[str, str], source: str) -> None:
    if source:
        assert token_for(place, variables).source == source
    else:
        with pytest.raises(UsageError, match="there is no token for"):
            token_for(place, variables)


@pytest.mark.parametrize(
    ("place", "name", "said"),
    [
        (at("https://ghe.corp", "github"), "GITHUB_TOKEN", "set GH_ENTERPRISE_TOKEN, or run `gh auth login --hostname ghe.corp`"),
        (at("https://ghe.corp", "github", named=False), "GITHUB_TOKEN", "ghe.corp: set GH_ENTERPRISE_TOKEN"),
        (at("https://ghe.corp", "github", named=False), "HARDEN_TOKEN", "say it with --forge github=https://ghe.corp"),
        (at("https://github.com"), "GITLAB_TOKEN", "github.com: set GITHUB_TOKEN"),
    ],
)  # fmt: skip
def test_who_does_what_is_said_has_a_token(place: Place, name: str, said: str) -> None:
    """No variable is named that would not do for this host either way."""
    with pytest.raises(UsageError, match=re.escape(said)):
        token_for(place, {name: "secret"})


def test_a_token_is_not_shown() -> None:
    token = token_for(at("https://github.com"), {"GITHUB_TOKEN": "ghp_secret\n"})
    assert token.value() == "ghp_secret"
    assert "secret" not in f"{token} {token!r} {[token]!r} {token.__class__.__slots__}"
    with pytest.raises(TypeError):
        pickle.dumps(token)
    with pytest.raises(UsageError, match="GITHUB_TOKEN says is no token") as raised:
        token_for(at("https://github.com"), {"GITHUB_TOKEN": "ghp\nsecret"})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("place", "program", "script"),
    [
        (at("https://ghe.corp", "github"), "gh", 'test "$*" = "auth token --hostname ghe.corp" && echo t-$HOME$GH_TOKEN'),
        (at("https://gitlab.com"), "glab", 'test "$*" = "config get token --host gitlab.com" && echo t-$HOME$GITLAB_TOKEN'),
        (at("https://codeberg.org"), "tea",
         'read a; read b; test "$a $b $*" = "protocol=https host=codeberg.org login helper get" && echo password=t-$HOME'),
    ],
)  # fmt: skip
def test_the_forges_own_command_is_asked(place: Place, program: str, script: str, tmp_path: Path) -> None:
    path = tmp_path / program
    path.write_text(f"#!/bin/sh\ntest $(pwd) = / || exit 1\n{script}\n")
    path.chmod(0o755)
    variables = {"PATH": f"{tmp_path}:/bin:/usr/bin", "HOME": "/h", "GH_TOKEN": "", "GITLAB_TOKEN": ""}
    token = token_for(place, variables)
    assert (token.value(), token.source) == ("t-/h", program)
    path.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(UsageError, match="there is no token"):
        token_for(place, variables)


def test_a_token_that_forgejos_command_keeps(tmp_path: Path) -> None:
    keys = tmp_path / "forgejo-cli" / "keys.json"
    keys.parent.mkdir()
    keys.write_text('{"hosts": {"codeberg.org": {"type": "Application", "name": "n", "token": "t", "api_url": "https://x"}}}')
    variables = {"XDG_DATA_HOME": str(tmp_path), "HOME": "/h"}
    assert token_for(at("https://codeberg.org"), variables).value() == "t"
    with pytest.raises(UsageError, match="tea login add"):
        token_for(at("https://gitea.com"), variables)


# Commits through git.


class Rest(Files):
    def __init__(self) -> None:
        super().__init__({})


def git(folder: Path, *words: str, data: bytes = b"") -> bytes:
    return subprocess.run(("git", "-C", str(folder), *words), input=data, capture_output=True, check=True).stdout


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of a bare repository beside it, with one commit on `main`; its user is known by the user's own configuration."""
    configuration = tmp_path / "gitconfig"
    configuration.write_text(
        '[user]\nname = Ann\nemail = ann@example.com\n[init]\ndefaultBranch = main\n[protocol "file"]\nallow = always\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configuration))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    remote, folder = tmp_path / "remote.git", tmp_path / "clone"
    git(tmp_path, "init", "-q", "--bare", str(remote))
    git(tmp_path, "clone", "-q", f"file://{remote}", str(folder))
    (folder / "a.txt").write_bytes(b"one\r\ntwo\r\n")
    (folder / "run.sh").write_bytes(b"#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "d").mkdir()
    (folder / "d" / "\xe4 b").write_text("x")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    git(folder, "push", "-q", "origin", "HEAD:main")
    return folder


def state(folder: Path) -> dict[str, bytes]:
    """All that a clone consists of."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


COMMITS = (
    Commit("One\n\nWhy: \xe4\n", (Written("a.txt", b"one\r\nTWO\r\n"), Written("new/b", b"b", is_new=True))),
    Commit("Two\n", (Written("run.sh", b"#!/bin/sh\ntrue\n", EXECUTABLE), Written("a.txt", b"ONE\r\nTWO\r\n"))),
)


def test_commits_are_made_with_git_and_the_clone_stays_as_it_is(clone: Path, tmp_path: Path) -> None:
    (clone / "a.txt").write_text("changed here\n")
    git(clone, "config", "core.autocrlf", "input")
    before, remote = state(clone), tmp_path / "remote.git"
    there = WithGit(forge(Rest()), str(clone))
    base = there.head("main")
    assert base == git(clone, "rev-parse", "HEAD").decode().strip()
    assert there.head("harden/x") == ""
    listing = there.listing(base)
    assert {(entry.path, entry.mode, entry.size) for entry in listing.entries} == {
        ("a.txt", FILE, 10),
        ("run.sh", EXECUTABLE, 10),
        ("d/\xe4 b", FILE, 1),
    }
    assert there.read(base, next(entry for entry in listing.entries if entry.path == "a.txt")) == b"one\r\ntwo\r\n"
    last = there.put_branch("harden/x", "", base, COMMITS, ME)
    assert there.head("harden/x") == last
    assert git(remote, "show", f"{last}:a.txt") == b"ONE\r\nTWO\r\n"
    assert git(remote, "show", f"{last}~1:a.txt") == b"one\r\nTWO\r\n"
    assert b"100755" in git(remote, "ls-tree", last, "run.sh")
    assert git(remote, "log", "-1", "--format=%an %ae %cn", last).decode() == "A Bot bot@example.com Ann\n"
    history = there.history(last, 2)
    assert [(past.message, len(past.parents)) for past in history] == [("Two\n", 1), ("One\n\nWhy: \xe4\n", 1)]
    assert len(there.history(last, 9)) == 3
    assert there.changed(base, last) == {"a.txt", "new/b", "run.sh"}
    again = there.put_branch("harden/x", last, base, COMMITS[:1], None)
    assert git(remote, "rev-list", "--count", again) == b"2\n"
    with pytest.raises(Moved):
        there.put_branch("harden/x", "", base, COMMITS[1:], None)
    there.drop_branch("harden/x", again)
    assert there.head("harden/x") == ""
    assert state(clone) == before
    folder = there._git.folder
    there.close()
    assert not os.path.lexists(os.path.dirname(folder))


def test_somebody_else_pushed_meanwhile(clone: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    there = WithGit(forge(Rest()), str(clone))
    base = there.head("main")
    ours = there.put_branch("harden/x", "", base, COMMITS, ME)
    git(tmp_path, "clone", "-q", "-b", "harden/x", f"file://{tmp_path}/remote.git", str(other))
    git(other, "commit", "-q", "--allow-empty", "-m", "foreign")
    git(other, "push", "-q")
    git(other, "push", "-q", "origin", "HEAD:main")
    foreign = git(other, "rev-parse", "HEAD").decode().strip()
    with pytest.raises(Moved):
        there.put_branch("harden/x", ours, base, COMMITS[:1], ME)
    with pytest.raises(Moved):
        there.drop_branch("harden/x", ours)
    assert there.head("harden/x") == foreign == there.head("main"), "it is fetched although the clone lacks it"
    assert [past.id for past in there.history(foreign, 2)] == [foreign, ours]
    hook = tmp_path / "remote.git" / "hooks" / "update"
    hook.write_text("#!/bin/sh\necho no >&2; exit 1\n")
    hook.chmod(0o755)
    with pytest.raises(Forbidden, match="declined"):
        there.put_branch("harden/y", "", base, COMMITS, ME)
    there.close()


def test_a_hostile_clone_has_nothing_run(clone: Path, tmp_path: Path) -> None:
    """Each trap works on git as it is used by hand; none does here."""
    mark, trap = tmp_path / "mark", tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\necho $0 $* >> {mark}\nexit 1\n")
    trap.chmod(0o755)
    for name in ("pre-push", "reference-transaction", "post-checkout", "post-index-change", "pre-auto-gc"):
        hook = clone / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\necho {name} >> {mark}\n")
        hook.chmod(0o755)
    url = f"file://{tmp_path}/remote.git"
    for key, value in {
        "core.fsmonitor": str(trap), "core.sshCommand": str(trap), "credential.helper": f"!{trap}", "core.hooksPath": "",
        "core.askPass": str(trap), "core.gitProxy": str(trap), "core.alternateRefsCommand": str(trap), "gpg.program": str(trap),
        "commit.gpgSign": "true", "filter.x.clean": str(trap), "filter.x.smudge": str(trap), "filter.x.process": str(trap),
        "diff.external": str(trap), "core.pager": str(trap), "core.editor": str(trap), "alias.ls-remote": f"!{trap}",
        "remote.origin.uploadpack": str(trap), "remote.origin.receivepack": str(trap), "remote.origin.vcs": "evil",
        "url.ext::sh -c evil.insteadOf": url, "protocol.ext.allow": "always", "uploadpack.packObjectsHook": str(trap),
        "http.proxy": "http://127.0.0.1:9", "push.gpgSign": "true", "include.path": str(tmp_path / "more"),
    }.items():  # fmt: skip
        git(clone, "config", key, value)
    git(clone, "config", "--unset", "core.hooksPath")
    (tmp_path / "more").write_text('[remote "origin"]\nurl = https://evil.example/x\n')
    (clone / ".gitattributes").write_text("* filter=x\n")
    before = state(clone)
    mark.unlink(missing_ok=True)
    there = WithGit(forge(Rest()), str(clone))
    base = there.head("main")
    last = there.put_branch("harden/x", "", base, COMMITS, ME)
    assert there.head("harden/x") == last
    assert len(there.listing(last).entries) == 4
    there.close()
    assert not mark.exists(), mark.read_text()
    assert state(clone) == before
    subprocess.run(("git", "-C", str(clone), "status"), capture_output=True, check=False)
    subprocess.run(("git", "-C", str(clone), "push", f"{tmp_path}/remote.git", "HEAD:x"), capture_output=True, check=False)
    assert {"fsmonitor" if "trap" in line else line for line in mark.read_text().splitlines()} >= {"fsmonitor", "pre-push"}


@pytest.mark.parametrize(
    "url", ["ext::sh -c x", "http://git.corp/o/r", "-oProxyCommand=x:y", "ssh://-oProxyCommand=x/y", "/srv/r", "fd::3"]
)
def test_a_remote_that_is_a_program_is_refused(url: str, clone: Path) -> None:
    git(clone, "config", "remote.origin.url", url)
    assert remote_url(str(clone)) == url
    with pytest.raises(UsageError, match="https://"):
        WithGit(forge(Rest()), str(clone))


def test_what_git_says_has_no_password(clone: Path) -> None:
    there = WithGit(
        forge(Rest()), str(clone), url="https://ann:hunter2@localhost:9/o/r.git", header="Authorization: Basic c2VjcmV0"
    )
    with pytest.raises(ForgeError) as raised:
        there.head("main")
    assert "hunter2" not in str(raised.value)
    assert "c2VjcmV0" not in str(raised.value)
    there._git._with_header = True
    variables = there._git.environment(network=True)
    assert variables["GIT_CONFIG_KEY_0"] == "http.https://localhost:9/.extraHeader"
    assert variables["GIT_ALLOW_PROTOCOL"] == "https:ssh"
    there.close()


def test_the_token_goes_where_it_is_asked_for_and_is_not_kept(clone: Path, tmp_path: Path) -> None:
    """The user's own means come first; what they keep, they keep of their own."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    seen: list[str] = []
    refs = b"%s\trefs/heads/main\n" % git(clone, "rev-parse", "HEAD").strip()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization", ""))
            self.send_response(200 if seen[-1] == "Basic dG9rZW4=" else 401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.end_headers()
            self.wfile.write(refs)

        def log_message(self, *_: object) -> None:
            pass

    helper = tmp_path / "helper"
    helper.write_text(f"#!/bin/sh\necho $1 >> {tmp_path}/helped\ncat >> {tmp_path}/helped\n")
    helper.chmod(0o755)
    with open(tmp_path / "gitconfig", "a") as file:
        file.write(f'[credential]\nhelper = "!{helper}"\n')
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/o/r.git"
        there = WithGit(forge(Rest()), str(clone), url=url, header="Authorization: Basic dG9rZW4=")
        assert there.head("main") == refs[:40].decode()
        there.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert (seen[0], seen[-1]) == ("", "Basic dG9rZW4=")
    helped = (tmp_path / "helped").read_text()
    assert helped.startswith("get")
    assert "store" not in helped


def test_the_token_is_not_taken_along_to_another_host(clone: Path) -> None:
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    seen: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host, given = self.headers["Host"], self.headers.get("Authorization", "")
            seen.append((host, given))
            is_there = not host.startswith("127")
            self.send_response(200 if is_there else 302 if given else 401)
            self.send_header("Location", f"http://localhost:{server.server_port}{self.path}")
            self.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
            self.end_headers()
            if is_there:  # what has git come back with a question, for which it has the line of the first host
                self.wfile.write(b"001e# service=git-upload-pack\n0000000eversion 2\n000cls-refs\n0000")

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/o/r.git"
        there = WithGit(forge(Rest()), str(clone), url=url, header="Authorization: Basic dG9rZW4=")
        with pytest.raises(ForgeError):
            there.head("main")
        there.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert [given for host, given in seen if host.startswith("127")] == ["", "Basic dG9rZW4="]
    assert [given for host, given in seen if not host.startswith("127")] == []


def test_a_few_trees_that_come_to_a_million_files_are_not_listed(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    id = git(clone, "hash-object", "-w", "--stdin", data=b"x").strip()
    kind = b"100644 blob"
    for _ in range(6):
        id = git(clone, "mktree", data=b"".join(b"%s %s\t%d\n" % (kind, id, name) for name in range(10))).strip()
        kind = b"040000 tree"
    bomb = git(clone, "commit-tree", "-m", "x", id.decode()).decode().strip()
    monkeypatch.setattr("hardener.bot.forges.local_git._MOST_ENTRIES", 2_000)
    there = WithGit(forge(Rest()), str(clone))
    listing = there.listing(bomb)
    assert (len(listing.entries), listing.complete) == (2_000, False)
    there.close()


def test_signed_where_the_user_says_so(clone: Path, tmp_path: Path) -> None:
    trap = tmp_path / "gpg"
    trap.write_text('#!/bin/sh\ncat > /dev/null\necho "[GNUPG:] SIG_CREATED " >&2\necho "-----BEGIN PGP SIGNATURE-----"\n')
    trap.chmod(0o755)
    with open(tmp_path / "gitconfig", "a") as file:
        file.write(f"[commit]\ngpgSign = true\n[gpg]\nprogram = {trap}\n")
    there = WithGit(forge(Rest()), str(clone))
    last = there.put_branch("harden/x", "", there.head("main"), COMMITS, ME)
    assert b"gpgsig -----BEGIN PGP" in git(tmp_path / "remote.git", "cat-file", "commit", last)
    assert there.history(last, 1)[0].message == "Two\n"
    there.close()


def test_a_snapshot_through_git_and_from_a_shallow_clone(clone: Path, tmp_path: Path) -> None:
    (clone / "compose.yaml").write_text("services: {a: {image: redis}}\n")
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "second")
    git(clone, "push", "-q", "origin", "HEAD:main")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{tmp_path}/remote.git", str(shallow))
    there = WithGit(forge(Rest()), str(shallow))
    base = there.head("main")
    assert len(there.history(base, 5)) == 1
    with snapshot(there, base, in_full=True) as laid:
        laid.fetch(os.path.join(laid.folder, "a.txt"))
        assert Path(laid.folder, "a.txt").read_bytes() == b"one\r\ntwo\r\n"
        assert Path(laid.folder, "compose.yaml").read_text().startswith("services")
    assert there.put_branch("harden/x", "", base, COMMITS, ME) == there.head("harden/x")
    there.close()


def test_a_forge_is_opened_for_its_own_repository_only(clone: Path) -> None:
    place = at("https://github.com")
    with pytest.raises(UsageError, match="the token is for gitlab"):
        open_forge(place, Token("t", "gitlab.com", "X"))
    token = Token("t", "github.com", "X")
    assert not isinstance(open_forge(place, token), WithGit)
    elsewhere = "remote of this clone, and that is not at github.com"
    for url, why in (
        ("git@github.com:other/r.git", "a clone of other/r"),
        ("https://evil.com/o/r", elsewhere),
        ("/srv/r.git", elsewhere),
    ):
        git(clone, "config", "remote.origin.url", url)
        with pytest.raises(UsageError, match=why):
            open_forge(place, token, git_folder=str(clone))
    git(clone, "config", "remote.origin.url", "git@ssh.github.com:O/R.git")
    there = open_forge(place, token, git_folder=str(clone))
    assert isinstance(there, WithGit)
    there.close()


def test_a_client_that_is_not_installed_is_named() -> None:
    for url, module, extra in (("https://github.com", "github", "github"), ("https://gitlab.com", "gitlab", "gitlab")):
        script = f"""
import sys
sys.modules[{module!r}] = None
from hardener.bot.forges.opening import open_forge
from hardener.bot.forges.remote import place_of
from hardener.bot.forges.token import Token
place = place_of({url + "/o/r"!r})
try:
    open_forge(place, Token("t", place.server.host, "X")).repository()
except Exception as error:
    print(type(error).__name__, error)
"""
        done = subprocess.run((sys.executable, "-c", script), capture_output=True, text=True, check=False)
        assert f"pip install 'hardener[{extra}]'" in done.stdout, done.stdout + done.stderr
