"""nginx's configuration: what it listens on, whom it becomes and what it writes. Knows no package and no container.

What the directives mean was read in nginx/nginx 3f6f7824d4e2eb1ac37dec76683d525ac0ff521c: src/core, src/http and src/os/unix.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from hardener.needs.source.options import parse
from hardener.needs.source.places import location, place
from hardener.needs.source.server import Configured, Server, text_of
from hardener.needs.source.uses import ESCALATION, PORTS, WRITES, Doubt, Program
from hardener.record import NamedTuple

# Within a word, a quote is a letter.
_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|(?P<quoted>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<sign>[{};])"""
    r"""|(?P<word>(?:\\.|\$\{[^}]*\}|[^\s{};"'])(?:\\.|\$\{[^}]*\}|[^\s{};])*)""",
    re.DOTALL,
)
_DEEPEST = 64
_MOST_FILES = 100
_PATHS = ("proxy_temp_path", "client_body_temp_path", "fastcgi_temp_path", "uwsgi_temp_path", "scgi_temp_path")
_CACHES = ("proxy_cache_path", "fastcgi_cache_path", "uwsgi_cache_path", "scgi_cache_path")
#: Files of types and parameters that packages bring, and that hold nothing else.
_PLAIN = ("mime.types", "fastcgi_params", "fastcgi.conf", "uwsgi_params", "scgi_params", "proxy_params")
#: Modules of nginx's own that run code of the configuration, or write what clients ask them to.
_CODE = re.compile(
    r"(?:\w*_by_lua\w*|lua_\w+|perl\w*|js_(?:import|include|content|access|header_filter|body_filter|set|periodic)|passenger\w*)"
)
_STORES = frozenset(("proxy_store", "fastcgi_store", "uwsgi_store", "scgi_store", "dav_methods", "upload_store"))


class Directive(NamedTuple):
    """A directive with its words, and the block behind it; None where there is none."""

    name: str
    words: tuple[str, ...]
    block: tuple[Directive, ...] | None


def directives(text: str) -> tuple[Directive, ...]:
    """The directives of a configuration; what cannot be followed is left out."""
    tokens = ((m.lastgroup, m.group()) for m in _TOKEN.finditer(text) if m.lastgroup)
    return tuple(_block(tokens, 0))


def _block(tokens: Iterator[tuple[str | None, str]], depth: int) -> Iterator[Directive]:
    words: list[str] = []
    for kind, token in tokens:
        if kind != "sign":
            words.append(re.sub(r"\\(.)", r"\1", token[1:-1]) if kind == "quoted" else token)
            continue
        if token == "}":
            return
        if token == "{" and depth >= _DEEPEST:
            return
        block = tuple(_block(tokens, depth + 1)) if token == "{" else None
        if words:
            yield Directive(words[0], tuple(words[1:]), block)
        words = []


def configured(program: Program, server: Server) -> Configured:
    """What nginx does, by its options and by its configuration."""
    options = parse(program.words[1:], frozenset(("-c", "-p", "-g", "-e", "-s")))
    path = next(iter(options.values("-c")), server.facts["config"])
    prefix = next(iter(options.values("-p")), server.facts["prefix"])
    path = posixpath.normpath(posixpath.join(prefix, path))
    reading = _Reading(program, server, prefix, posixpath.dirname(path))
    own = text_of(program, path)
    if own is not None:
        reading.read(path)
    elif path != server.facts["config"]:
        reading.doubts.append(Doubt(frozenset((WRITES, PORTS)), f"what {path} says, that nginx gets in {place(program)}"))
    else:
        reading.paths += [server.facts["pid"], *server.words("logs")]
        reading.account = server.facts["account"]
        reading.ports += [(port, "tcp") for port in server.facts["listens"]]
        reading.include(server.words("includes"), "http")
    for text in options.values("-g"):
        reading.walk(directives(text + ";"), "")
    return reading.result(own[1] if own else program.at)


class _Reading:
    """What has been read so far."""

    def __init__(self, program: Program, server: Server, prefix: str, folder: str) -> None:
        self.paths: list[str] = list(server.words("temporary"))
        self.ports: list[tuple[int, str]] = []
        self.doubts: list[Doubt] = []
        self.account = ""
        self._program = program
        self._server = server
        self._prefix = prefix
        self._folder = folder
        self._seen: set[str] = set()
        self._logs = False

    def result(self, at: str) -> Configured:
        """What all of it comes to."""
        owner = self.account or self._server.facts["account"]
        return Configured(
            at,
            tuple(dict.fromkeys(path for path in self.paths if path)),
            tuple(self.ports),
            owner,
            (("CHOWN", f"gives its folders for temporary files to {owner}"),),
            tuple(self.doubts),
        )

    def read(self, path: str) -> None:
        """Read a main configuration with all that it includes; what it leaves out is as the package has it."""
        found = self._directives(path)
        self.walk(found, "")
        named = {directive.name for directive in found}
        if "pid" not in named:
            self.paths.append(self._server.facts["pid"])
        if not self._logs:
            self.paths += self._server.words("logs")

    def include(self, patterns: tuple[str, ...], inside: str) -> None:
        """Read the files that an `include` names."""
        for pattern in patterns:
            path = posixpath.normpath(posixpath.join(self._folder, pattern))
            name = posixpath.basename(path)
            if not any(sign in path for sign in "*?["):
                if self._program.files.text(path) is not None:
                    self.walk(self._directives(path), inside)
                elif name not in _PLAIN and "snippets" not in path:
                    self.doubts.append(Doubt(frozenset((WRITES, PORTS)), f"what {path} says, which nginx includes"))
                continue
            folder = location(path, self._program)
            files = [file for file in self._program.files.walk(folder or "/") if fnmatchcase(file, path)]
            if folder is not None and folder.endswith("sites-enabled"):
                # What the Dockerfile links there is in the folder beside it.
                files += self._program.files.walk(posixpath.join(posixpath.dirname(folder), "sites-available"))
            for file in files[:_MOST_FILES]:
                self.walk(self._directives(file), inside)

    def walk(self, found: tuple[Directive, ...], inside: str) -> None:
        """Take in directives, and those of their blocks."""
        if inside == "server" and not any(directive.name in ("listen", "include") for directive in found):
            self.ports.append((80, "tcp"))
        for name, words, block in found:
            first = words[0] if words else ""
            if name == "include":
                self.include(words, inside)
            elif name == "user":
                self.account = first
            elif name == "listen" and inside == "server":
                self._listen(words)
            elif name in ("pid", "lock_file") or name in _PATHS or name in _CACHES:
                self._path(first)
            elif name in ("access_log", "error_log"):
                self._logs = self._logs or name == "access_log"
                if first not in ("off", "stderr") and not first.startswith(("syslog:", "memory:")):
                    self._path(first)
            elif name in _STORES and first != "off":
                self.doubts.append(Doubt(frozenset((WRITES,)), f"what nginx stores by `{name}`"))
            elif _CODE.fullmatch(name):
                self.doubts.append(Doubt(frozenset((WRITES, ESCALATION)), f"what the code of `{name}` does in nginx"))
            elif name == "load_module" and not posixpath.basename(first).startswith("ngx_"):
                self.doubts.append(Doubt(frozenset((WRITES, ESCALATION)), f"what the module {first} of nginx does"))
            if block is not None:
                self.walk(block, name)

    def _directives(self, path: str) -> tuple[Directive, ...]:
        if path in self._seen or len(self._seen) > _MOST_FILES:
            return ()
        self._seen.add(path)
        text = self._program.files.text(path)
        if text is None or len(text) > 256 * 1024:
            self.doubts.append(Doubt(frozenset((WRITES, PORTS)), f"what {path} says, which could not be read"))
            return ()
        return directives(text)

    def _path(self, word: str) -> None:
        self.paths.append(posixpath.join(self._prefix, word))

    def _listen(self, words: tuple[str, ...]) -> None:
        address = words[0] if words else ""
        protocol = "udp" if "udp" in words or "quic" in words else "tcp"
        if address.startswith("unix:"):
            self._path(address[5:])
            return
        port = address.rpartition(":")[2] if not address.endswith("]") else "80"
        if "$" in address:
            self.doubts.append(Doubt(frozenset((PORTS,)), f"which port `listen {address}` is, in nginx's configuration"))
        elif port.isdecimal() and len(port) < 6:
            self.ports.append((int(port), protocol))
        else:
            self.ports.append((80, protocol))
