"""Git at work for a clone that nobody vouches for. Knows how nothing of the clone is run or changed, and no forge.

All is done in a bare repository of our own, which borrows the clone's objects and is gone at the end: only the user's and the
system's configuration holds there. Of the clone's own it is read where its remote is and who commits, and nothing else.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import weakref
from typing import TYPE_CHECKING

from hardener.bot.forge import Author, Forbidden, ForgeError, Missing, Moved, Unavailable
from hardener.errors import UsageError
from hardener.git import PATIENCE, asked, command, environment

if TYPE_CHECKING:
    import subprocess

#: Seconds for what goes over the network.
NETWORK_PATIENCE = 600.0
#: Addresses of the transports that forges have. No others: a remote helper, such as that of `ext::`, runs a program.
_SCHEME = re.compile(r"(https|ssh|file|http)://[^\s-]\S*", re.IGNORECASE)
_LIKE_SCP = re.compile(r"(?:[\w.-]+@)?\w[\w.-]*:(?!:|//)[^\s-]\S*")
_LOCAL = re.compile(r"http://(?:localhost|127\.0\.0\.1|\[::1\])(?:[:/]|$)", re.IGNORECASE)
_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_MOST_REFS = 1_000
#: Bytes of an answer that is taken line by line.
_MOST_BYTES = 256 * 1024 * 1024
#: To ask the clone for its refs, git would run there, under its configuration: `:`, which says nothing, is run in place of that.
_SETTINGS = ("-c", "core.alternateRefsCommand=:", "-c", "i18n.commitEncoding=UTF-8")
_REFUSED = ("authentication failed", "could not read username", "could not read password", "returned error: 401", "error: 403")
_NO_HOST = ("could not resolve", "connection", "timed out", "network is unreachable", "returned error: 5", "early eof", "hung up")
_NOTHING = ("returned error: 404", "repository not found", "not found", "does not appear to be a git repository")


def is_id(text: str) -> bool:
    """Whether a text is the full name of an object."""
    return _ID.fullmatch(text) is not None


def remote_url(folder: str) -> str:
    """The address of a clone's remote: of `origin`, or of the only one. Raises `UsageError` where that cannot be told.

    It is as the clone's own configuration has it, which may be anybody's, and may hold a password: it is not to be shown.
    """
    listed = _of_clone(folder, "config", "--local", "--no-includes", "-z", "--get-regexp", r"^remote\..*\.url$")
    found: dict[str, str] = {}
    for item in os.fsdecode(listed).split("\0"):
        key, newline, url = item.partition("\n")
        if newline:
            found.setdefault(key[len("remote.") : -len(".url")], url)
    if "origin" not in found and len(found) != 1:
        raise UsageError(f"this checkout has {'several remotes and no' if found else 'no'} `origin`: say --repo OWNER/NAME")
    return found.get("origin") or next(iter(found.values()))


def _of_clone(folder: str, *words: str) -> bytes:
    """What git answers about a clone, of which nothing is run; empty where it has no answer."""
    done = asked(folder, *words)
    # `git config --local` has words of its own for that (builtin/config.c of git).
    if b"not a git repository" in done.stderr or b"only be used inside a git repository" in done.stderr:
        raise UsageError("this folder is in no git repository: run it in a clone, or say --repo OWNER/NAME")
    return done.stdout if not done.returncode else b""


class Git:
    """A bare repository of our own, with the objects of a clone, and the remote that is fetched from and pushed to.

    `header` is what authorizes us at the remote, as a line of HTTP; it is given where the user's own credentials do not do.
    """

    def __init__(self, folder: str, url: str, header: str = "") -> None:
        scheme = _SCHEME.fullmatch(url)
        if not (scheme or _LIKE_SCP.fullmatch(url)) or (scheme and scheme[1].lower() == "http" and not _LOCAL.match(url)):
            raise UsageError("git is not used with the address of this remote: it has to be https:// or ssh://")
        self._url = url
        self._header = header if url.lower().startswith("http") else ""
        self._with_header = False
        protocol = scheme[1].lower() if scheme else "ssh"
        self._protocols = ":".join(dict.fromkeys(("https", "ssh", protocol)))
        self._top = os.path.realpath(tempfile.mkdtemp(prefix="harden-git-"))
        self._readers: list[subprocess.Popen[bytes]] = []
        #: Ends the readers and takes the folder away; at the latest when this object goes.
        self.close = weakref.finalize(self, _end, self._top, self._readers)
        self.folder = os.path.join(self._top, "git")
        try:
            self._borrow(folder)
        except BaseException:
            self.close()
            raise

    def _borrow(self, folder: str) -> None:
        form = _of_clone(folder, "rev-parse", "--show-object-format").decode("ascii", "replace").strip() or "sha1"
        where = _of_clone(folder, "rev-parse", "--path-format=absolute", "--git-path", "objects", "--git-path", "shallow")
        objects, shallow = [*os.fsdecode(where).split("\n"), "", ""][:2]
        if not os.path.isdir(objects):
            raise UsageError("--git cannot tell where this clone has its objects: its path may have a line break in it")
        refs = _of_clone(folder, "for-each-ref", f"--count={_MOST_REFS}", "--format=%(objectname)", "refs/heads", "refs/remotes")
        self._author = _of_clone(folder, "var", "GIT_AUTHOR_IDENT").decode("utf-8", "replace")
        done = self._run("init", "-q", "--bare", "--template=", f"--object-format={form}", self.folder, at=self._top)
        if done.returncode:
            raise UsageError(f"git makes no repository: {self._said(done)}")
        with open(
            os.path.join(self.folder, "objects", "info", "alternates"), "w", encoding="utf-8", errors="surrogateescape"
        ) as file:
            file.write(objects + "\n")
        if os.path.isfile(shallow):
            with open(shallow, encoding="ascii", errors="replace") as file:
                ends = [line.strip() for line in file if is_id(line.strip())]
            with open(os.path.join(self.folder, "shallow"), "w", encoding="ascii") as file:
                file.writelines(f"{end}\n" for end in ends)
        # What the remote need not send, since we have it.
        names = sorted({name for name in refs.decode("ascii", "replace").split() if is_id(name)})
        there = (
            self.ask("cat-file", "--batch-check", data="".join(f"{name}\n" for name in names).encode())
            .decode("ascii")
            .splitlines()
        )
        commits = [line.split()[0] for line in there if line.split()[1:2] == ["commit"]]
        self.ask("update-ref", "--stdin", data="".join(f"create refs/clone/{name} {name}\n" for name in commits).encode())

    def committer(self) -> Author | None:
        """Who git says that commits in the clone; None where it knows nobody."""
        match = re.fullmatch(r"(.+) <([^<>\n]*)> \d+ [+-]\d+\n?", self._author)
        return Author(match[1], match[2]) if match else None

    def setting(self, name: str, kind: str) -> str:
        """What the user's own configuration says, as a value of a kind of git's; empty where it says nothing."""
        return self._run("config", f"--type={kind}", "--get", name).stdout.decode("utf-8", "replace").strip()

    def ask(self, *words: str, data: bytes = b"", variables: dict[str, str] | None = None) -> bytes:
        """What git answers, without the network. Raises `ForgeError` where it does not."""
        done = self._run(*words, data=data, variables=variables)
        if done.returncode:
            raise ForgeError(f"git {words[0]} failed: {self._said(done)}", "run `git fsck` in the clone")
        return done.stdout

    def lines(self, *words: str, most: int) -> tuple[list[bytes], bool]:
        """What git answers, each line of which ends with NUL; and whether that is all: it is stopped after so many.

        A few objects can come to more files than any memory holds.
        """
        import subprocess

        started = command(self.folder, f"--git-dir={self.folder}", *_SETTINGS, *words)
        found: list[bytes] = []
        rest, length = b"", 0
        with (
            tempfile.TemporaryFile() as said,
            subprocess.Popen(
                started, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, env=self.environment()
            ) as process,
        ):
            assert process.stdout is not None
            while piece := process.stdout.read(1 << 16):
                *whole, rest = (rest + piece).split(b"\0")
                found += whole
                length += len(piece)
                if len(found) > most or length > _MOST_BYTES:
                    process.kill()
                    return found[:most], False
            if process.wait():
                said.seek(0)
                done = subprocess.CompletedProcess(started, process.returncode, b"", said.read(1 << 16))
                raise ForgeError(f"git {words[0]} failed: {self._said(done)}", "run `git fsck` in the clone")
        return found, True

    def has(self, id: str) -> bool:
        """Whether an object is here."""
        return is_id(id) and not self._run("cat-file", "-e", id).returncode

    def content(self, id: str) -> bytes:
        """What an object says. Raises `Missing` for one that is not here."""
        if not self._readers:
            import subprocess

            words = command(self.folder, f"--git-dir={self.folder}", "cat-file", "--batch")
            pipe = subprocess.PIPE
            reader = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=self.environment())
            self._readers.append(reader)
        stdin, stdout = self._readers[0].stdin, self._readers[0].stdout
        assert stdin is not None
        assert stdout is not None
        if is_id(id):
            stdin.write(f"{id}\n".encode())
            stdin.flush()
            words = stdout.readline().decode("ascii", "replace").split()
            if len(words) == 3:
                data = stdout.read(int(words[2]))
                stdout.read(1)
                return data
        raise Missing(f"{id[:64]!a} is not in this clone", "a partial one: git fetch --refetch --no-filter")

    def branch(self, name: str) -> str:
        """The commit that a branch of the remote is at, which is here from now on; empty where there is no such branch."""
        ref = f"refs/heads/{name}"
        lines = self._network("ls-remote", "--", self._url, ref).decode("utf-8", "replace").splitlines()
        ids = [id for id, _, found in (line.partition("\t") for line in lines) if found == ref and is_id(id)]
        if ids and not self.has(ids[0]):
            self.fetch(f"+{ref}:refs/remote/{name}")
        return ids[0] if ids and self.has(ids[0]) else ""

    def fetch(self, what: str) -> None:
        """Get a ref or a commit from the remote. Raises a `ForgeError`."""
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance")
        self._network("fetch", *options, "--", self._url, what)

    def push(self, branch: str, was: str, id: str) -> None:
        """Have a branch of the remote at a commit, or at none, in one step, if it is still where it was. Raises `Moved`."""
        ref = f"refs/heads/{branch}"
        options = ("--porcelain", "--no-verify", "--recurse-submodules=no", "--no-follow-tags", f"--force-with-lease={ref}:{was}")
        self._network("push", *options, "--", self._url, f"{id}:{ref}")

    def _network(self, *words: str) -> bytes:
        done = self._run(*words, network=True)
        if done.returncode and self._header and not self._with_header and _is_among((*_REFUSED, *_NOTHING), self._said(done)):
            self._with_header = True
            done = self._run(*words, network=True)
        if not done.returncode:
            return done.stdout
        said, lines = self._said(done), done.stdout.decode("utf-8", "replace")
        rejected = next((line for line in lines.splitlines() if line.startswith("!")), "")
        if _is_among(("stale info", "fetch first", "non-fast-forward", "reference already exists", "cannot lock ref"), rejected):
            raise Moved("the branch is elsewhere by now", "run again")
        if rejected:
            why = _one_line(rejected.rpartition("\t")[2])
            raise Forbidden(f"the remote refused the branch: {why}", "look at the rules of the repository for branches")
        if _is_among((*_REFUSED, "permission denied", "permission to", "access denied", "host key verification"), said):
            raise Forbidden(f"git may not do this: {said}", "see that `git push` works in this clone")
        if _is_among(_NOTHING, said):
            raise Missing(f"git finds nothing there: {said}", "see that `git fetch` works in this clone")
        if _is_among(_NO_HOST, said):
            raise Unavailable(f"git could not reach the remote: {said}", "run again later")
        raise ForgeError(f"git {words[0]} failed: {said}", "see that it works in this clone")

    def _run(
        self, *words: str, data: bytes = b"", variables: dict[str, str] | None = None, network: bool = False, at: str = ""
    ) -> subprocess.CompletedProcess[bytes]:
        import subprocess

        patience = NETWORK_PATIENCE if network else PATIENCE
        where = () if at else (f"--git-dir={self.folder}", *_SETTINGS)
        try:
            return subprocess.run(
                command(at or self.folder, *where, *words),
                input=data,
                capture_output=True,
                env=self.environment(network=network) | (variables or {}),
                timeout=patience,
                check=False,
            )
        except FileNotFoundError:
            raise UsageError("git is not installed") from None
        except subprocess.TimeoutExpired:
            raise Unavailable(f"git {words[0]} was not done within {patience:.0f} s", "run again later") from None

    def environment(self, *, network: bool = False) -> dict[str, str]:
        """The environment in which git runs: with a network, the user's own means of getting in, and none that asks."""
        variables = environment()
        if not network:
            return variables
        variables["GIT_ALLOW_PROTOCOL"] = self._protocols
        if self._with_header:
            count = int(variables.get("GIT_CONFIG_COUNT", "0") or 0)
            server = "/".join(re.sub(r"//[^/@]*@", "//", self._url).split("/")[:3])
            # Git follows the first answer elsewhere, and would take the line along, to whatever host that is.
            settings = {f"http.{server}/.extraHeader": self._header, f"http.{server}/.followRedirects": "false"}
            for number, (key, value) in enumerate(settings.items(), count):
                variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
            variables["GIT_CONFIG_COUNT"] = str(count + len(settings))
        return variables

    def _said(self, done: subprocess.CompletedProcess[bytes]) -> str:
        """What git said, in one line without passwords."""
        lines = done.stderr.decode("utf-8", "replace").splitlines()
        told = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", "ssh:"))] or lines
        return _one_line(" ".join(told).replace(self._url, "the remote")) or "it did not say why"


def _end(top: str, readers: list[subprocess.Popen[bytes]]) -> None:
    for reader in readers:
        reader.kill()
        reader.communicate()
    shutil.rmtree(top, ignore_errors=True)


def _one_line(text: str) -> str:
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(re.sub(r"//[^/\s@]*@", "//", plain).split())[:300]


def _is_among(signs: tuple[str, ...], said: str) -> bool:
    lower = said.lower()
    return any(sign in lower for sign in signs)
