"""What programs in Go do that a stage of the same Dockerfile builds from the project's sources. Knows no library."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from hardener.facts.image_files import ImageFiles
from hardener.finding import Evidence, Strength
from hardener.needs.source.dotenv import with_dotenv
from hardener.needs.source.gathering import Gathering
from hardener.needs.source.libraries import libraries_of, shown, strength_of, use_libraries
from hardener.needs.source.listing import MAX_CHARACTERS, Listing
from hardener.needs.source.signs import signs_of
from hardener.needs.source.tokens import TEXT
from hardener.needs.source.uses import EVERYTHING, MEMORY, Memory, Program, Read, Uses, unknown
from hardener.needs.source.values import Reckoner

_MOST_FILES = 400
_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/go/bin")
_BUILD = re.compile(r"\bgo\s+(?:-C\s+\S+\s+)?(?:build|install)\b|\bmake\b|\bmage\b")
_OUTPUT = re.compile(r"\bgo\s+build\b[^&;|]*?\s-o[= ]\s*[\"']?([^\s\"'&;|]+)")
#: Packages of the standard library whose words are signs; another name for one of them would hide these.
_WATCHED = frozenset(
    ("os", "os/exec", "io/ioutil", "net", "net/http", "syscall", "plugin", "golang.org/x/sys/unix", "path/filepath")
)
_ASIDE = re.compile(r"_test\.go$|/(?:testdata|vendor|examples?|_examples)/")
#: Build constraints of systems that no container of Linux is.
_ELSEWHERE = re.compile(r"_(?:windows|darwin|freebsd|openbsd|netbsd|plan9|js|wasm|aix|solaris|android|ios)(?:_\w+)?\.go$")
_PLAIN_SERVICE = 512
#: A mebibyte in a sum, and a name that the sum goes by.
_MEBIBYTE = re.compile(r"\b1024\s*\*\s*1024\b|\b1_?048_?576\b|\b1_?000_?000\b|\b1e6\b|<<\s*20\b")
_NAME = re.compile(r"\b(?!u?int(?:8|16|32|64)?\b)[A-Za-z_]")


def reader(program: Program, read: Read) -> Uses | None:
    """Reads a program that a stage builds with `go build`; None for another."""
    if program.name == "go":
        return unknown(f"`{' '.join(program.words[:2])}` builds a program when it starts") if program.files.stage else None
    found = _built(program)
    if found is None:
        return None
    return _Reading(program, read, found).uses()


def _built(program: Program) -> ImageFiles | None:
    """The files of the stage that builds a program of Go; None for any other."""
    if "$" in program.words[0] or program.files.stage is None:
        return None
    name = program.words[0]
    for folder in ("",) if "/" in name else _PATH:
        path = posixpath.normpath(posixpath.join(program.workdir, folder, name))
        if program.files.kind(path) == "file":
            return None
        files, there = program.files.maker(path)
        stage = files.stage
        if stage is None:
            continue
        texts = [item.arguments for _, item in stage.items if item.keyword == "RUN" and _BUILD.search(item.arguments)]
        if not texts or not any(found.endswith(("go.mod", ".go")) for found in files.walk("/")):
            continue
        if _makes(texts, posixpath.basename(there), posixpath.basename(posixpath.dirname(there)), files is program.files, files):
            return files
    return None


def _makes(texts: list[str], name: str, folder: str, own: bool, files: ImageFiles) -> bool:
    """Whether these commands build a program of that name, or into that folder. In one stage it has to be named, because
    others may come with the base image."""
    outputs = [posixpath.basename(output.rstrip("/")) for text in texts for output in _OUTPUT.findall(text)]
    installs = any(re.search(r"\bgo\s+install\b", text) for text in texts)
    if own:
        return name in outputs or (installs and name in _module_name(files))
    if not outputs or installs or any(output in (name, folder, ".", "") or "$" in output for output in outputs):
        return True
    return any(re.search(r"\b(?:make|cp|mv)\b", text) for text in texts)


def _module_name(files: ImageFiles) -> set[str]:
    return {
        posixpath.basename(found[1])
        for path in files.walk("/")
        if path.endswith("/go.mod") and (found := re.search(r"^module\s+(\S+)", files.text(path) or "", re.M))
    }


class _Reading:
    def __init__(self, program: Program, read: Read, files: ImageFiles) -> None:
        self.program = program
        self.files = files
        self.listings: list[Listing] = []
        signs = signs_of("go")
        self.reckoner = Reckoner(signs.vocabulary, program, lambda listing, name: None, self.listings)
        self.gathering = Gathering(program, read, signs, self.reckoner)

    def uses(self) -> Uses:
        """What all sources of the stage do: which of them are part of the program is not asked."""
        gathering, files = self.gathering, self.files
        modules: set[str] = set()
        vendored = False
        for path in files.walk("/"):
            if path.endswith("/go.mod"):
                text = files.text(path) or ""
                modules |= set(re.findall(r"^module\s+(\S+)", text, re.M))
                modules |= {
                    name for name, to in re.findall(r"^\s*(?:replace\s+)?(\S+)(?:\s+v\S+)?\s*=>\s*(\.\S*)", text, re.M) if to
                }
            vendored = vendored or "/vendor/" in path
            if not path.endswith(".go") or _ASIDE.search(path) or _ELSEWHERE.search(path):
                if path.endswith((".c", ".cc", ".s", ".S")) and "/vendor/" not in path:
                    gathering.doubt(EVERYTHING, f"`{files.origin(path) or path}` is native code")
                continue
            origin, source = files.origin(path) or path, files.text(path)
            if source is None or len(source) > MAX_CHARACTERS:
                if (
                    source is not None
                    and re.match(r"//.*\bCode generated\b.*\bDO NOT EDIT\b", source)
                    and not re.search(r'"(?:os|syscall|os/exec)"', source)
                ):
                    continue
                gathering.doubt(EVERYTHING, f"`{origin}` could not be read")
                continue
            if len(self.listings) >= _MOST_FILES:
                gathering.doubt(EVERYTHING, f"it has more than {_MOST_FILES} source files")
                break
            self.listings.append(Listing(path, source, origin))
        packages = {name: listing for listing in self.listings for name in self._imports(listing)}
        used = {_library(name) for name in packages if "." in name.partition("/")[0] and not _is_own(name, modules)}
        libraries = use_libraries(gathering, "go", used, (), self.program.at)
        if any(name.endswith(("/godotenv", "/viper", "/env")) for name in used):
            # `.env` lies where the program runs, in the image that runs it.
            self.reckoner.program = gathering.program = with_dotenv(self.program, self.program.workdir)
        for listing in self.listings:
            gathering.look(listing)
            for index in _asked_for(listing):
                gathering.doubt((MEMORY,), f"how many mebibytes `{listing.place(index)}` asks for")
        if not self.listings:
            gathering.doubt(EVERYTHING, "no source of it is among the files of the project")
        source_at = next((f"{one.origin}:1" for one in self.listings if "func main(" in one.text), self.program.at)
        count = f"{len(self.listings)} source file" + ("s" if len(self.listings) != 1 else "")
        claim = f"{count} in Go{shown(libraries)}"
        memory = Memory(_PLAIN_SERVICE, "a service in Go, with room", Evidence(claim, source_at, Strength.READ), 0)
        uses = gathering.uses(Evidence(claim, source_at, strength_of(libraries.values())), memory)
        return uses._replace(memory=None) if uses.open(MEMORY) else uses

    def _imports(self, listing: Listing) -> list[str]:
        """The packages that a file imports."""
        found: list[str] = []
        tokens, index = listing.tokens, 0
        while index < len(tokens):
            if listing.name(index) == "import" and (index + 1 < len(tokens)):
                opening = index + 1
                end = listing.closes.get(opening, opening) if listing.is_sign(opening, "(") else opening + 2
                for at in range(opening, min(end, len(tokens))):
                    if tokens[at].kind != TEXT:
                        continue
                    name = tokens[at].text
                    found.append(name)
                    if name == "C":
                        self.gathering.doubt(EVERYTHING, f"`{listing.place(at)}` uses native code")
                    other = listing.name(at - 1)
                    last = posixpath.basename(name)
                    if name in _WATCHED and (listing.is_sign(at - 1, ".") or other not in ("", "import", last, "_")):
                        self.gathering.doubt(EVERYTHING, f"`{listing.place(at)}` gives `{name}` another name")
                index = max(end, index + 1)
            elif listing.name(index) in ("func", "type"):
                break
            else:
                index += 1
        return found


def _asked_for(listing: Listing) -> Iterator[int]:
    """Where memory is asked for by the mebibyte, by a number that stands elsewhere: what tries out limits does that."""
    if "make(" not in listing.text or not _MEBIBYTE.search(listing.text):
        return
    for index in range(len(listing.tokens) - 1):
        if listing.name(index) == "make" and listing.is_sign(index + 1, "("):
            sizes = [listing.text[listing.tokens[a].at : listing.tokens[b].at] for a, b in listing.arguments(index + 1)[1:]]
            if any(_MEBIBYTE.search(size) and _NAME.search(size) for size in sizes):
                yield index


def _is_own(name: str, modules: set[str]) -> bool:
    return any(name == module or name.startswith(module + "/") for module in modules)


def _library(name: str) -> str:
    """The library that a package belongs to: the longest part of its path that is known, else its repository."""
    known = libraries_of("go")
    parts = name.split("/")
    for width in range(len(parts), 0, -1):
        head = "/".join(parts[:width])
        for candidate in (head, re.sub(r"/v\d+$", "", head), re.sub(r"\.v\d+$", "", head)):
            if candidate in known.known:
                return candidate
    return "/".join(
        parts[:3] if parts[0] in ("github.com", "gitlab.com", "bitbucket.org", "golang.org", "google.golang.org") else parts[:2]
    )
