"""Which files are looked at, of which kind, and under which name. Knows their names and first lines, nothing of their meaning."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from hardener import source
from hardener.errors import Unreadable, UsageError
from hardener.facts.tree import repository_root
from hardener.record import NamedTuple
from hardener.report import Trouble
from hardener.source import Source

if TYPE_CHECKING:
    from hardener.ignored import Ignored

COMPOSE = "compose"
DOCKERFILE = "dockerfile"
KUBERNETES = "kubernetes"
KINDS = (COMPOSE, DOCKERFILE, KUBERNETES)
#: The path that means standard input.
STDIN = "-"
#: Folders deeper than this are not entered: no project that a person keeps is as deep.
MAX_DEPTH = 64
#: Folders that hold other people's code, tools or build results.
VENDORED = frozenset(
    ".git .hg .svn .bzr .jj node_modules bower_components jspm_packages vendor third_party third-party site-packages .venv venv "
    "virtualenv .tox .nox __pycache__ .mypy_cache .ruff_cache .pytest_cache .cache .eggs .bundle .terraform .direnv .gradle "
    ".yarn .pnpm-store __pypackages__".split()
)
#: And those whose files nobody runs: tests compare with them, byte for byte, and the go command leaves the folder out
#: (https://pkg.go.dev/cmd/go#hdr-Package_lists_and_patterns).
_LEFT_OUT = VENDORED | {"testdata"}
#: What follows `Dockerfile.` in files that are no Dockerfile: notes, templates, backups, code.
_NOT_DOCKERFILE = frozenset(
    "md markdown rst adoc html dockerignore containerignore j2 jinja jinja2 erb ejs epp hbs mustache liquid tmpl tpl template tt "
    "gotmpl m4 in bak orig rej old swp swo diff patch patched sig asc lock log json yaml yml toml xml csv py pyi go rs rb js ts "
    "tsx jsx java kt cs php pl lua c h cc cpp sh bash zsh fish ps1 bat cmd vim png svg zip gz".split()
)
_NAMED_DOCKERFILE = ("Dockerfile", "Containerfile")
#: Of the JSON files in a folder these are never manifests, and often large.
_NOT_MANIFEST = frozenset(
    "package.json package-lock.json npm-shrinkwrap.json composer.json composer.lock.json tsconfig.json angular.json lerna.json "
    "project.json bower.json deno.json renovate.json appsettings.json launchsettings.json manifest.json".split()
)
#: A manifest says what it is within so many bytes of its beginning, behind a licence and the like.
_SOON = 64 * 1024

#: What is told of a file before it is read, where files are only brought when somebody wants them.
Fetch = Callable[[str], None]

_compose_name: re.Pattern[str] | None = None
_compose_text: re.Pattern[str] | None = None
_manifest_text: re.Pattern[str] | None = None
_dockerfile_text: re.Pattern[str] | None = None


class Found(NamedTuple):
    """A file to look at."""

    #: The path to open; empty for standard input.
    location: str
    #: The path as the user knows it, with `/` between its parts.
    name: str
    #: `COMPOSE`, `DOCKERFILE` or `KUBERNETES`.
    kind: str
    #: Given on the command line, not found in a folder.
    named: bool
    #: The text, where it is known already: that of standard input, and of a file whose kind only its text could tell.
    text: Source | None = None
    #: The folder of the command line that it was found in; empty for a file that was named itself.
    within: str = ""


def discover(
    paths: Sequence[str],
    exclude: Sequence[str] = (),
    base: str = "",
    *,
    force_exclude: bool = False,
    kinds: Sequence[str] = KINDS,
    fetch: Fetch | None = None,
) -> tuple[list[Found], list[Trouble]]:
    """The files meant by paths of files and folders, each once, in the order of the paths; and what was in the way.

    A file given by name is always taken; in a folder, what git ignores, other people's code, data of tests and links are left
    out, and what `exclude` names in patterns of .gitignore, which start from the folder `base`, or from this one. With
    `force_exclude`, as for a hook that names every file that was touched, all of this is left out by name too, and so is what is
    of no kind that is known. `kinds` are those that are looked for in folders. `fetch` is told of each file before it is read.
    """
    found: list[Found] = []
    troubles: list[Trouble] = []
    seen: set[str] = set()
    for path in paths:
        if not path:
            troubles.append(Trouble("''", 0, "an empty path", "name a file or a folder; `.` is this folder"))
            continue
        name = _shown(path)
        real = os.path.realpath(path)
        if os.path.isdir(real):
            candidates = _walk(real, "" if name == "." else name, troubles, kinds, _excluded(exclude, base, real), fetch)
        elif force_exclude and (os.path.islink(path) or _is_left_out(real, exclude, base, fetch)):
            continue
        else:
            candidates = _named(real, name, troubles, fetch, needs_kind=not force_exclude)
        for candidate in candidates:
            if candidate.location not in seen:
                seen.add(candidate.location)
                found.append(candidate)
    return found, troubles


def from_stdin(data: bytes, name: str) -> Found:
    """The text on standard input, to be called `name`. Raises `Unreadable` for no text, `UsageError` for an unknown kind."""
    shown = _shown(name) if name else "stdin"
    text = Source.from_bytes(shown, data)
    kind, sure = _kind_by_name(os.path.basename(shown))
    kind = kind if sure else _kind_by_text(text.text) or (kind if kind != KUBERNETES else "")
    if not kind:
        raise UsageError(
            f"cannot tell what standard input is ({_first_words(text.text)}): say it with --stdin-filename, such as "
            "--stdin-filename compose.yaml or --stdin-filename Dockerfile"
        )
    return Found("", shown, kind, True, text)


def _shown(path: str) -> str:
    """A path with `/` between its parts and without `.` parts; `..` stays, since a link before it may lead elsewhere."""
    if os.sep != "/":
        path = path.replace(os.sep, "/")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return ("/" if path.startswith("/") else "") + ("/".join(parts) or ("" if path.startswith("/") else "."))


def _named(location: str, name: str, troubles: list[Trouble], fetch: Fetch | None, *, needs_kind: bool) -> Iterator[Found]:
    """One file given on the command line: taken whatever it is called, as long as its text is of a kind that is known.

    Another is a trouble where it `needs_kind`; so is one that cannot be read, unless it lies there and its name says nothing.
    """
    kind, sure = _kind_by_name(os.path.basename(name))
    if kind and sure and os.path.isfile(location):
        yield Found(location, name, kind, True)
        return
    try:
        text = _text(location, name, fetch)
    except Unreadable as error:
        if needs_kind or kind in (COMPOSE, DOCKERFILE) or not os.path.isfile(location):
            troubles.append(Trouble(error.path, error.line, error.reason, error.remedy))
        return
    kind = _kind_by_text(text.text) or (kind if kind != KUBERNETES and needs_kind else "")
    if kind:
        yield Found(location, name, kind, True, text)
    elif needs_kind:
        troubles.append(
            Trouble(
                name,
                0,
                f"neither a Compose file nor a Dockerfile nor a manifest ({_first_words(text.text)})",
                "a Compose file has `services:` at its top level, a manifest `apiVersion:` and `kind:`, "
                "a Dockerfile begins with FROM or ARG; "
                f"if it is one, pass it as `--stdin-filename compose.yaml -` or `--stdin-filename Dockerfile - < {name}`",
            )
        )


def _excluded(exclude: Sequence[str], base: str, top: str) -> Ignored | None:
    """The rules of what is excluded, for what is below a folder."""
    base = os.path.join(os.path.realpath(base or "."), "")
    if not exclude or not os.path.join(top, "").startswith(base):
        return None
    from hardener.ignored import Ignored  # needs pathspec, which costs twice a Python start

    return Ignored(list(exclude), base)


def _walk(
    top: str, top_name: str, troubles: list[Trouble], kinds: Sequence[str], excluded: Ignored | None, fetch: Fetch | None
) -> Iterator[Found]:
    """The files of a folder and the folders in it, a folder's own files first, each in order of name."""
    prefix = f"{top_name}/" if top_name not in ("", "/") else top_name
    waiting: list[tuple[str, str, int, Ignored | None]] = [(top, prefix, 0, _above(top, fetch))]
    while waiting:
        folder, prefix, depth, ignored = waiting.pop()
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            troubles.append(Trouble(prefix.rstrip("/") or ".", 0, _reason(error), "check its permissions, or name other paths"))
            continue
        ignored = _with_rules_of(folder, entries, ignored, fetch)
        folders: list[tuple[str, str, int, Ignored | None]] = []
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name in _LEFT_OUT or any(rules.folder(entry.path) for rules in (ignored, excluded) if rules):
                        continue
                    if depth < MAX_DEPTH:
                        folders.append((entry.path, f"{prefix}{entry.name}/", depth + 1, ignored))
                    else:
                        too_deep = f"more than {MAX_DEPTH} folders deep"
                        troubles.append(Trouble(prefix + entry.name, 0, too_deep, "name a folder inside it"))
                    continue
                kind, sure = _kind_by_name(entry.name)
                if kind not in kinds or not entry.is_file(follow_symlinks=False):
                    continue
                if any(rules.file(entry.path) for rules in (ignored, excluded) if rules):
                    continue
            except OSError as error:
                troubles.append(Trouble(prefix + entry.name, 0, _reason(error), "check its permissions"))
                continue
            found = Found(entry.path, prefix + entry.name, kind, False, within=top)
            if sure:
                yield found
            elif (weak := _weak(found, fetch)) is not None:
                yield weak
        waiting += reversed(folders)


def _weak(found: Found, fetch: Fetch | None) -> Found | None:
    """A file whose name is only a hint, if its text agrees; what cannot be read was no more than a hint."""
    if fetch is not None:
        fetch(found.location)
    try:
        if found.kind == KUBERNETES:  # most YAML and JSON is something else
            with open(found.location, "rb") as file:
                if b"apiVersion" not in file.read(_SOON):
                    return None
    except OSError:
        return None
    try:
        text = source.read(found.location, found.name)
    except Unreadable:
        return None
    kind = _kind_by_text(text.text)  # a manifest may have `compose` in its name
    return found._replace(kind=kind, text=text) if kind in (found.kind, KUBERNETES) else None


def _text(location: str, name: str, fetch: Fetch | None) -> Source:
    if fetch is not None:
        fetch(location)
    return source.read(location, name)


def _is_left_out(location: str, exclude: Sequence[str], base: str, fetch: Fetch | None) -> bool:
    """Whether a walk from the root of its repository would leave out a file: for where it lies, or as git or a person says."""
    root = repository_root(os.path.dirname(location))
    folder, ignored = root, None
    for inner in os.path.relpath(location, root).split(os.sep):
        holds_git = os.path.lexists(os.path.join(folder, ".git"))
        ignored = _with_rules(folder, holds_git, os.path.isfile(os.path.join(folder, ".gitignore")), ignored, fetch)
        folder = os.path.join(folder, inner)
        excluded = _excluded(exclude, base, os.path.dirname(folder))
        rules = [one for one in (ignored, excluded) if one is not None]
        if folder == location:
            return any(one.file(folder) for one in rules)
        if inner in _LEFT_OUT or any(one.folder(folder) for one in rules):
            return True
    return False


def _above(top: str, fetch: Fetch | None) -> Ignored | None:
    """The rules that hold in a folder because of the folders around it, up to the root of its repository."""
    chain = [top]
    while not os.path.lexists(os.path.join(chain[-1], ".git")):
        parent = os.path.dirname(chain[-1])
        if parent == chain[-1] or len(chain) > 4 * MAX_DEPTH:
            return None
        chain.append(parent)
    ignored: Ignored | None = None
    for folder in reversed(chain[1:]):
        has_rules = os.path.isfile(os.path.join(folder, ".gitignore"))
        ignored = _with_rules(folder, folder == chain[-1], has_rules, ignored, fetch)
        # The user named a folder inside an ignored one: what ignores that has no say inside it.
        if ignored is not None and ignored.folder(chain[chain.index(folder) - 1]):
            ignored = None
    return ignored


def _with_rules_of(
    folder: str, entries: Sequence[os.DirEntry[str]], ignored: Ignored | None, fetch: Fetch | None
) -> Ignored | None:
    root = has_rules = False
    for entry in entries:
        if entry.name == ".git":
            root = True
        elif entry.name == ".gitignore":
            has_rules = entry.is_file()
    return _with_rules(folder, root, has_rules, ignored, fetch) if root or has_rules else ignored


def _with_rules(folder: str, root: bool, has_rules: bool, ignored: Ignored | None, fetch: Fetch | None) -> Ignored | None:
    """The rules of a folder joined to those around it; at the root of a repository those around it end."""
    excludes = _excludes(folder) if root else ""
    if root:
        ignored = None
    if not excludes and not has_rules:
        return ignored
    from hardener.ignored import Ignored  # needs pathspec, which costs twice a Python start

    for path in (excludes, os.path.join(folder, ".gitignore") if has_rules else ""):
        if path:
            if fetch is not None:
                fetch(path)
            ignored = Ignored.read(path, folder, ignored)
    return ignored


def _excludes(root: str) -> str:
    """The repository's own list of ignored files, where it has rules in it; also for worktrees and submodules."""
    git = os.path.join(root, ".git")
    try:
        if os.path.isfile(git):
            with open(git, encoding="utf-8", errors="replace") as file:
                git = os.path.join(root, file.read(4096).removeprefix("gitdir:").strip())
            if os.path.isfile(os.path.join(git, "commondir")):  # a submodule has none
                with open(os.path.join(git, "commondir"), encoding="utf-8", errors="replace") as file:
                    git = os.path.join(git, file.read(4096).strip())
    except OSError:
        pass
    path = os.path.join(git, "info", "exclude")
    try:
        if not os.path.isfile(path):  # to open a pipe would be to wait for ever
            return ""
        with open(path, "rb") as file:
            lines = file.read(1 << 20).splitlines()
    except OSError:
        return ""
    # Every fresh repository has this file, with nothing but comments in it.
    return path if any(line.strip() and not line.startswith(b"#") for line in lines) else ""


def _kind_by_name(name: str) -> tuple[str, bool]:
    """The kind that a file's name says, and whether the name alone is enough; otherwise its text has to agree."""
    lower = name.lower()
    if lower.endswith((".yml", ".yaml")):
        if "compose" not in lower:
            return KUBERNETES, False
        global _compose_name
        if _compose_name is None:
            _compose_name = re.compile(r"(?:docker-)?compose(?:[.-][^/]*)?\.ya?ml", re.ASCII)
        return COMPOSE, _compose_name.fullmatch(name) is not None
    if "dockerfile" not in lower and "containerfile" not in lower:
        return (KUBERNETES, False) if lower.endswith(".json") and lower not in _NOT_MANIFEST else ("", False)
    if name in _NAMED_DOCKERFILE:
        return DOCKERFILE, True
    _, dot, suffix = lower.rpartition(".")
    if dot and suffix in ("dockerfile", "containerfile"):
        return DOCKERFILE, True
    if dot and (suffix in _NOT_DOCKERFILE or suffix.endswith("~")):
        return "", False
    if name.startswith(("Dockerfile.", "Containerfile.")):
        return DOCKERFILE, True
    # `Dockerfile-alpine`, `Dockerfile_dev` and `dockerfile` are only hints.
    rest = lower.removeprefix("dockerfile").removeprefix("containerfile")
    return (DOCKERFILE, False) if rest != lower and rest[:1] in ("", "-", "_", ".") else ("", False)


def _kind_by_text(text: str) -> str:
    """The kind that a text looks like, from its top-level `services:` or `apiVersion:`, or its first instruction."""
    global _compose_text, _dockerfile_text
    if _is_manifest(text):
        return KUBERNETES
    if _dockerfile_text is None or _compose_text is None:
        _dockerfile_text = re.compile(r"(?:FROM|ARG)[ \t]+\S", re.IGNORECASE)
        # GitLab's pipelines have `services:` too, followed by a list.
        a_list = r"[ \t]*+(?:\[|(?:#[^\n]*+)?+(?:\s++#[^\n]*+)*+\s+- )"
        _compose_text = re.compile(rf"^(?:services|'services'|\"services\")[ \t]*:(?!{a_list})", re.MULTILINE)
    for line in _first_lines(text):
        if _dockerfile_text.match(line):
            return DOCKERFILE
        break
    return COMPOSE if _compose_text.search(text) else ""


def _is_manifest(text: str) -> bool:
    """Whether a text has an `apiVersion` and a `kind` where an object of Kubernetes has them."""
    global _manifest_text
    if "apiVersion" not in text or "kind" not in text:
        return False
    if _manifest_text is None:
        _manifest_text = re.compile(r"""^(?:- )?["']?apiVersion["']?[ \t]*:""", re.MULTILINE)
    start = text[:_SOON].lstrip("\ufeff \t\r\n")
    if start.startswith(("{", "[")) and not start.startswith("{{"):  # JSON, not a template
        return '"apiVersion"' in start and '"kind"' in start
    return _manifest_text.search(text) is not None


def _first_lines(text: str) -> Iterator[str]:
    """The lines that say something, from the first on."""
    at = 0
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end == -1 else end
        line = text[at:end].strip()
        if line and not line.startswith("#"):
            yield line
        at = end + 1


def _first_words(text: str) -> str:
    for line in _first_lines(text):
        return f"it begins with `{line[:40]}`"
    return "it is empty"


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
