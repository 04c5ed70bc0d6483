"""The files of a Node.js project: `package.json`, what its modules load, sources of what is compiled. Knows no command."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from hardener.facts.image_files import ImageFiles
from hardener.needs.source.dotenv import with_dotenv
from hardener.needs.source.gathering import Gathering
from hardener.needs.source.libraries import Library, use_libraries
from hardener.needs.source.listing import MAX_CHARACTERS, Listing
from hardener.needs.source.signs import owner_of, signs_of
from hardener.needs.source.tokens import TEXT
from hardener.needs.source.uses import EVERYTHING, Program, Read
from hardener.needs.source.values import Reckoner

_SUFFIXES = (".js", ".cjs", ".mjs", ".ts", ".tsx", ".jsx", ".mts", ".cts", ".json")
_SOURCES = _SUFFIXES[:-1]
#: Files that no program loads unless it names them.
_ASIDE = re.compile(
    r"(?:^|/)(?:tests?|__tests__|__mocks__|e2e|cypress|spec|stories|coverage|\.\w[^/]*)/|\.(?:test|spec|stories|d)\.\w+$|(?:^|/)[\w.-]+\.config\.\w+$"
)
_MOST_FILES = 400
#: Modules of Node.js itself.
BUILTIN = frozenset(
    "assert async_hooks buffer child_process cluster console constants crypto dgram diagnostics_channel dns domain events fs http"
    " http2 https inspector module net os path perf_hooks process punycode querystring readline repl sea sqlite stream"
    " string_decoder sys test timers tls trace_events tty url util v8 vm wasi worker_threads zlib".split()
)
#: Assets, which a bundler puts into what the browser gets.
_ASSET = re.compile(
    r"\.(?:css|scss|sass|less|svg|png|jpe?g|gif|webp|ico|woff2?|ttf|html|txt|md|graphql|gql|json|wasm|mp3|mp4)(?:\?\w+)?$"
)
#: Packages that read `.env` files.
_READS_DOTENV = frozenset(
    ("dotenv", "dotenv-expand", "dotenv-flow", "dotenv-safe", "@nestjs/config", "next", "env-cmd", "dotenv-cli")
)
_BUNDLES = re.compile(r"\b(?:webpack|esbuild|rollup|vite|ncc|tsup|parcel|rspack|turbo|nx|unbuild|bun build|next build|tsdown)\b")
_LOADS = re.compile(r"require|import|from\b|export")


class Project:
    """A project as one program runs it: its root folder in the files that have its sources, perhaps those of another stage."""

    def __init__(self, program: Program, read: Read, files: ImageFiles, root: str) -> None:
        self.program = program
        self.files = files
        self.root = root
        self.listings: dict[str, Listing] = {}
        self.packages: dict[str, str] = {}
        self.texts: set[str] = set()
        #: Folders of sources, and where what is compiled from them lies when it runs; None where that is not known.
        self.compiled: list[tuple[str, str | None]] = []
        signs = signs_of("node")
        self.reckoner = Reckoner(signs.vocabulary, program, self._module)
        self.gathering = Gathering(program, read, signs, self.reckoner)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Its `package.json`; empty without one that can be read."""
        return manifest_of(self.files, self.root) or {}

    @cached_property
    def dependencies(self) -> set[str]:
        """The packages that `package.json` wants when it runs."""
        tables = (self.manifest.get(key) for key in ("dependencies", "optionalDependencies"))
        return {name for table in tables if isinstance(table, dict) for name in table}

    @property
    def builds(self) -> str:
        """The script that builds it."""
        scripts = self.manifest.get("scripts")
        return " ".join(str(text) for name, text in scripts.items() if "build" in name) if isinstance(scripts, dict) else ""

    @property
    def is_next(self) -> bool:
        """Whether it is built by Next.js."""
        return "next" in self.dependencies and "next build" in self.builds

    def move(self, there: str, here: str) -> None:
        """Note that what lies at a path in these files lies at another when it runs."""
        while there != here and posixpath.basename(there) == posixpath.basename(here) and posixpath.basename(there):
            there, here = posixpath.dirname(there), posixpath.dirname(here)
        if there == here:
            return
        moved = []
        for source, target in self.compiled:
            if target is not None:
                inside = target == there or target.startswith(there.rstrip("/") + "/")
                target = posixpath.normpath(here + target[len(there) :]) if inside else None
            moved.append((source, target))
        self.compiled = moved or [(there, here)]

    def load_named(self, name: str) -> None:
        """Read a module that an option names: a path from the folder where the program runs, or a package."""
        if name.startswith((".", "/")):
            path = self.file_at(posixpath.normpath(posixpath.join(self.program.workdir, name)))
            if path:
                self.load(path)
            else:
                self.gathering.doubt(EVERYTHING, f"`{name}` is not among the files of the project")
        else:
            self.packages.setdefault("/".join(name.split("/")[: 2 if name.startswith("@") else 1]), self.program.at)

    def load(self, path: str) -> None:
        """Read a file and all that it loads."""
        waiting = [path]
        while waiting:
            path = waiting.pop()
            if path in self.listings or path.endswith(".json"):
                continue
            if path.endswith(".node"):
                self.gathering.doubt(EVERYTHING, f"`{path}` is native code")
                continue
            listing = self.listing(path)
            if listing is None:
                continue
            if len(self.listings) > _MOST_FILES:
                self.gathering.doubt(EVERYTHING, f"it has more than {_MOST_FILES} source files")
                return
            waiting += self.loaded(listing)

    def listing(self, path: str) -> Listing | None:
        """A file, read; None, and a doubt about everything, where that cannot be done."""
        if path in self.listings:
            return self.listings[path]
        text = self.files.text(path)
        origin = self.files.origin(path) or path
        if text is None:
            self.gathering.doubt(EVERYTHING, f"`{origin}` could not be read")
            return None
        if len(text) > MAX_CHARACTERS:
            self.gathering.doubt(EVERYTHING, f"`{origin}` is too large to be read")
            return None
        found = self.listings[path] = Listing(path, text, origin, self._folder_when_run(path), "javascript")
        return found

    def load_all(self, folder: str) -> None:
        """Read all sources below a folder but tests and configuration."""
        for path in self.files.walk(folder):
            if path.endswith(_SOURCES) and not _ASIDE.search(posixpath.relpath(path, folder)):
                self.load(path)
                if len(self.listings) > _MOST_FILES:
                    return
            elif path.endswith((".vue", ".svelte", ".astro", ".coffee", ".node")):
                self.gathering.doubt(EVERYTHING, f"`{self.files.origin(path) or path}` is not read")
                return

    def gather(self, at: str) -> dict[str, Library | None]:
        """Gather what its files and libraries do; the libraries."""
        if _READS_DOTENV & {*self.packages, *self.dependencies}:
            self.program = with_dotenv(self.program, self.program.workdir)
            self.reckoner.program = self.gathering.program = self.program
        named = self.texts & self.dependencies
        used = use_libraries(self.gathering, "node", {*self.packages, *named}, self.dependencies, at)
        if any(library is not None and library.project for library in used.values()) and self.root != "/":
            self.load_all(self.root)
        done: set[str] = set()
        while len(done) < len(self.listings):
            for path, listing in list(self.listings.items()):
                if path not in done:
                    done.add(path)
                    self.gathering.look(listing)
            while self.gathering.loads:
                listing, path = self.gathering.loads.pop()
                found = self.resolve(listing, path)
                if found:
                    self.load(found)
                else:
                    self.gathering.doubt(EVERYTHING, f"`{listing.origin}` runs `{path}`, which is not there")
            more = set(self.packages) - set(used)
            if more:
                used |= use_libraries(self.gathering, "node", more, self.dependencies, at)
        return used

    def resolve(self, listing: Listing | None, name: str) -> str:
        """The file that a module loads by a path or an alias of `tsconfig.json`; empty where there is none."""
        if name.startswith(("./", "../", "/")) or name in (".", ".."):
            folder = posixpath.dirname(listing.path) if listing else self.root
            return self.file_at(posixpath.normpath(posixpath.join(folder, name)))
        for pattern, targets in self._aliases.items():
            head, star, tail = pattern.partition("*")
            if name.startswith(head) and name.endswith(tail) and (star or name == pattern):
                middle = name[len(head) : len(name) - len(tail)]
                for target in targets:
                    found = self.file_at(posixpath.normpath(posixpath.join(self.root, target.replace("*", middle))))
                    if found:
                        return found
        return ""

    def file_at(self, path: str) -> str:
        """The file that Node.js loads for a path without its suffix; empty where there is none."""
        if self.files.kind(path) == "file":
            return path
        for suffix in _SUFFIXES:
            if self.files.kind(path + suffix) == "file":
                return path + suffix
        stem, suffix = posixpath.splitext(path)
        if suffix in (".js", ".jsx", ".mjs", ".cjs"):
            for other in (".ts", ".tsx", ".mts", ".cts"):
                if self.files.kind(stem + other) == "file":
                    return stem + other
        if self.files.kind(path) == "folder":
            manifest = manifest_of(self.files, path) or {}
            main = manifest.get("main")
            if isinstance(main, str) and posixpath.normpath(main) not in (".", ""):
                found = self.file_at(posixpath.normpath(posixpath.join(path, main)))
                if found:
                    return found
            for suffix in _SUFFIXES:
                if self.files.kind(f"{path}/index{suffix}") == "file":
                    return f"{path}/index{suffix}"
        return ""

    def _folder_when_run(self, path: str) -> str | None:
        for source, target in self.compiled:
            if path.startswith(source.rstrip("/") + "/"):
                return posixpath.dirname(posixpath.normpath(target + path[len(source) :])) if target is not None else ""
        return None

    @cached_property
    def _aliases(self) -> dict[str, list[str]]:
        for name in ("tsconfig.json", "tsconfig.base.json", "jsconfig.json"):
            data = _json(self.files.text(posixpath.join(self.root, name)))
            options = data.get("compilerOptions") if isinstance(data, dict) else None
            if isinstance(options, dict):
                base = options.get("baseUrl")
                base = base if isinstance(base, str) else "."
                paths = options.get("paths")
                found = {
                    pattern: [posixpath.join(base, target) for target in targets if isinstance(target, str)]
                    for pattern, targets in (paths.items() if isinstance(paths, dict) else ())
                    if isinstance(targets, list)
                }
                if isinstance(options.get("baseUrl"), str):
                    found["*"] = [posixpath.join(base, "*")]
                return found
        moved = self.manifest.get("_moduleAliases")
        if isinstance(moved, dict):
            pairs = ((name, target) for name, target in moved.items() if isinstance(target, str))
            return {key: [to] for name, target in pairs for key, to in ((name, target), (f"{name}/*", f"{target}/*"))}
        return {"@/*": ["src/*", "*"]} if "next" in self.dependencies else {}

    def _module(self, listing: Listing, name: str) -> Listing | None:
        path = self.resolve(listing, name)
        return self.listings.get(path)

    def loaded(self, listing: Listing) -> list[str]:
        """The files that a file loads; the packages are noted."""
        found: list[str] = []
        if not _LOADS.search(listing.text):
            return found
        tokens = listing.tokens
        for index, token in enumerate(tokens):
            if token.kind == TEXT:
                self.texts.add(token.text)
                continue
            if token.text not in ("require", "import", "from", "resolve", "createRequire"):
                continue
            following = tokens[index + 1] if index + 1 < len(tokens) else None
            if following is None or listing.is_sign(index + 1, "."):
                continue
            if following.kind == TEXT and token.text in ("from", "import"):
                if not self._is_type(listing, index):
                    self._name(listing, index, following.text, found)
            elif listing.is_sign(index + 1, "(") and token.text in ("require", "import"):
                if listing.is_sign(index - 1, ".", "?.") or listing.name(index - 1) == "function":
                    continue
                arguments = listing.arguments(index + 1)
                if len(arguments) >= 1 and arguments[0][1] - arguments[0][0] == 1 and tokens[index + 2].kind == TEXT:
                    self._name(listing, index, tokens[index + 2].text, found)
                elif arguments:
                    self._computed(listing, index, arguments[0], found)
            elif token.text == "require" and owner_of(listing, index) == [] and listing.is_sign(index + 1, ")", ","):
                self.gathering.doubt(EVERYTHING, f"`{listing.place(index)}` hands on `require`")
        return found

    def _is_type(self, listing: Listing, index: int) -> bool:
        """Whether an import is one of types only, which is gone when it runs."""
        at = index
        while at > 0 and index - at < 200 and listing.name(at) not in ("import", "export"):
            at -= 1
        return listing.name(at + 1) == "type" and not listing.is_sign(at + 2, ",") and listing.name(at + 2) != "from"

    def _name(self, listing: Listing, index: int, name: str, found: list[str]) -> None:
        name = name.partition("?")[0]
        path = self.resolve(listing, name)
        if path:
            found.append(path)
            return
        if name.startswith((".", "/")):
            if not _ASSET.search(name):
                self.gathering.doubt(EVERYTHING, f"`{listing.place(index)}` loads `{name}`, which is not there")
            return
        parts = name.removeprefix("node:").split("/")
        package = "/".join(parts[:2]) if name.startswith("@") else parts[0]
        if not name.startswith("node:") and (package not in BUILTIN or package in self.dependencies):
            self.packages.setdefault(package, listing.place(index))

    def _computed(self, listing: Listing, index: int, argument: tuple[int, int], found: list[str]) -> None:
        """`require(path.join(__dirname, name))`: all files of a folder of the project may be loaded."""
        for value in self.reckoner.value(listing, *argument):
            text = value.text
            if text.startswith("."):
                text = posixpath.join(posixpath.dirname(listing.path), text)
            folder = text if value.whole else text[: text.rfind("/") + 1]
            if value.whole and text.startswith("/") and self.file_at(posixpath.normpath(text)):
                found.append(self.file_at(posixpath.normpath(text)))
            elif value.whole and text and not text.startswith("/"):
                self._name(listing, index, text, found)
            elif folder.startswith("/") and folder.strip("/") and self.files.kind(folder) == "folder":
                found += [path for path in self.files.walk(folder) if path.endswith(_SOURCES)]
            else:
                self.gathering.doubt(EVERYTHING, f"`{listing.place(index)}` loads a module whose name is computed")


def manifest_of(files: ImageFiles, folder: str) -> dict[str, Any] | None:
    """The `package.json` of a folder; None where there is none that can be read."""
    data = _json(files.text(posixpath.join(folder, "package.json")))
    return data if isinstance(data, dict) else None


def root_of(files: ImageFiles, path: str) -> str:
    """The nearest folder upwards with a `package.json`; empty where there is none."""
    while True:
        path = posixpath.dirname(path)
        if files.kind(posixpath.join(path, "package.json")) == "file":
            return path
        if path in ("/", ""):
            return ""


def sources_of(project: Project, path: str) -> str:
    """The source of a file that a build makes, with the folders noted; empty where it is not told which that is."""
    root = project.root
    rest = posixpath.relpath(path, root).split("/")
    stem = posixpath.splitext("/".join(rest[1:]))[0]
    if len(rest) > 1 and not _BUNDLES.search(project.builds):
        for folder in ("", "src", "server", "lib", "app", "source"):
            for suffix in (".ts", ".js", ".tsx", ".mts", ".cts", ".mjs", ".es6"):
                found = posixpath.normpath(posixpath.join(root, folder, stem + suffix))
                if found != path and project.files.kind(found) == "file":
                    project.compiled.append((posixpath.normpath(posixpath.join(root, folder)), posixpath.join(root, rest[0])))
                    return found
    project.compiled.append((root, None))
    return ""


def _json(text: str | None) -> Any:
    """The data of a JSON file, which may have comments and commas too many; None for anything else."""
    if text is None:
        return None
    import json

    for candidate in (
        text,
        re.sub(r",(\s*[}\]])", r"\1", re.sub(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/', r"\1", text, flags=re.S)),
    ):
        try:
            return json.loads(candidate)
        except (ValueError, RecursionError):
            continue
    return None


def scripts_of(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The scripts of a `package.json`."""
    scripts = manifest.get("scripts")
    return {name: text for name, text in scripts.items() if isinstance(text, str)} if isinstance(scripts, dict) else {}
