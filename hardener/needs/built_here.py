"""The Dockerfile of the project that an image is built from by name, where another file than the one that runs it says so.

Compose files, Skaffold, workflows of GitHub, Makefiles and scripts are looked through for what they build under which name,
and kustomizations for names that replace others. Knows no container and no rule.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence

from hardener.facts.container import Build
from hardener.facts.merged import lookup, target, text_of, values
from hardener.facts.tree import Tree
from hardener.finding import Evidence, Strength
from hardener.record import NamedTuple
from hardener.source import Source
from hardener.syntax import yaml
from hardener.syntax.yaml import Node, YamlError

#: Folders of tools and of other people's code.
_NOT_OWN = frozenset(".git .hg .svn node_modules bower_components __pycache__ .venv venv .tox .mypy_cache .idea vendor".split())
#: Longer files say too much to be about one build.
_LARGEST = 256 * 1024
_SCRIPTS = re.compile(r"(?i)(?:gnu)?makefile|.*\.(?:mk|sh|bash)|justfile|jenkinsfile.*|build")
_COMPOSE = re.compile(r"(?i).*compose.*\.ya?ml")
_SKAFFOLD = re.compile(r"(?i)skaffold.*\.ya?ml")
_KUSTOMIZATION = re.compile(r"(?i)kustomization(?:\.ya?ml)?")
_BUILDS = re.compile(r"\b(?:docker|podman|nerdctl)\s+(?:buildx\s+|image\s+)?build\s(.*)")
_CHANGES_FOLDER = re.compile(r"(?:^|&&|;)\s*@?cd\s+(\S+)\s*&&")
#: Options of `docker build` that take no value; every other takes one.
_BARE = frozenset(
    "--load --push --no-cache --pull --rm --force-rm -q --quiet --compress --squash --check -D --debug --help".split()
)
#: What may contain spaces and is only known when it runs.
_COMPUTED = re.compile(r"\$\{\{.{0,300}?\}\}|\$\([^()]*\)|`[^`]*`")
_VARIABLE = re.compile(r"\$|\{\{|<|%")


class _Found(NamedTuple):
    """What is built, and under which name without a tag."""

    name: str
    build: Build
    evidence: Evidence


class _Order(NamedTuple):
    """How a build is written: paths as they stand there, the Dockerfile's from the context."""

    context: str
    dockerfile: str = ""
    target: str = ""
    arguments: tuple[tuple[str, str | None], ...] = ()


class _Index(NamedTuple):
    """All that the files of a repository say about builds, and which names stand for others."""

    #: By the last part of the name, which is always known.
    builds: Mapping[str, Sequence[_Found]]
    renamed: tuple[tuple[str, str], ...]


def built_here(image_text: str, tree: Tree, folder: str) -> tuple[Build, Evidence] | None:
    """The build of an image that a file in `folder` names, and what says so; None where none or more than one is known.

    Tags do not matter. Where a registry or owner is a variable, the rest of the name decides.
    """
    asked = _name(image_text)
    if not asked:
        return None
    index = _index_of(folder, tree)
    names = [asked, *(before for before, after in index.renamed if _same(asked, after))]
    names += [after for before, after in index.renamed if _same(asked, before)]
    found = [item for name in dict.fromkeys(names) for item in index.builds.get(_last(name), ()) if _same(name, item.name)]
    if len({item.build for item in found}) != 1:
        return None
    return found[0].build, found[0].evidence


def _index_of(folder: str, tree: Tree) -> _Index:
    """What the repository of a folder says, looked through once."""
    here = (built_here, folder)
    if here not in tree.concluded:
        whole = (built_here, "all", tree.project_of(folder))
        if whole not in tree.concluded:
            tree.concluded[whole] = _index(whole[2], tree)
        tree.concluded[here] = tree.concluded[whole]
    index: _Index = tree.concluded[here]
    return index


def _name(text: str) -> str:
    """A name without its tag and digest; empty for one whose last part is not known."""
    text = text.strip().strip("\"'").partition("@")[0]
    head, slash, last = text.rpartition("/")
    last = last.partition(":")[0]
    return "" if not last or _VARIABLE.search(last) else f"{head}{slash}{last}"


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _same(asked: str, built: str) -> bool:
    """Whether two names may be one image's: equal, or as far as variables leave it open.

    A name that is asked for in full may be somebody else's: then more than the last part has to agree.
    """
    parts, others = asked.split("/"), built.split("/")
    if parts == others:
        return True
    if _VARIABLE.search(asked):
        rest, other = _known(parts), _known(others)
        shorter = min(len(rest), len(other))
        return rest[-shorter:] == other[-shorter:]
    if not _VARIABLE.search(built):
        return False
    # What is built under a variable: the registry before it, and the rest behind it.
    head, rest = others[: next(at for at, part in enumerate(others) if _VARIABLE.search(part))], _known(others)
    agrees = parts[: len(head)] == head and parts[-len(rest) :] == rest and len(parts) >= len(head) + len(rest)
    return agrees and len(head) + len(rest) > 1


def _known(parts: list[str]) -> list[str]:
    """The parts behind the last one that is a variable."""
    last = max((at for at, part in enumerate(parts) if _VARIABLE.search(part)), default=-1)
    return parts[last + 1 :]


# What the files say.


def _index(root: str, tree: Tree) -> _Index:
    builds: list[_Found] = []
    renamed: list[tuple[str, str]] = []
    for path in tree.walk(root, _NOT_OWN):
        name = os.path.basename(path)
        is_workflow = f"{os.sep}.github{os.sep}workflows{os.sep}" in path or name == ".gitlab-ci.yml"
        if not (is_workflow or any(kind.fullmatch(name) for kind in (_SCRIPTS, _COMPOSE, _SKAFFOLD, _KUSTOMIZATION))):
            continue
        source = tree(path)
        if source is None or len(source.text) > _LARGEST:
            continue
        if _KUSTOMIZATION.fullmatch(name):
            renamed += _renamed(source)
        elif "build" in source.text:
            folder = os.path.dirname(path)
            if _COMPOSE.fullmatch(name):
                builds += _in_compose(source, folder)
            elif _SKAFFOLD.fullmatch(name):
                builds += _in_skaffold(source, folder)
            else:
                builds += _in_lines(source, root, () if is_workflow else (folder,))
                builds += _in_workflow(source, root) if is_workflow else ()
    named: dict[str, list[_Found]] = {}
    for item in builds:
        if tree(item.build.dockerfile) is not None:
            named.setdefault(_last(item.name), []).append(item)
    return _Index(named, tuple(renamed))


def _in_compose(source: Source, folder: str) -> Iterator[_Found]:
    for document in _documents(source):
        for _, service in _pairs(_at(document, "services")):
            image, build = _at(service, "image"), _at(service, "build")
            if image is None or build is None:
                continue
            order = _Order(
                _text(build) or _text(_at(build, "context")) or ".",
                _text(_at(build, "dockerfile")),
                _text(_at(build, "target")),
                _arguments(_at(build, "args")),
            )
            yield from _found(source, image, _text(image), folder, order)


def _in_skaffold(source: Source, folder: str) -> Iterator[_Found]:
    for document in _documents(source):
        for artifact in _items(_at(document, "build", "artifacts")):
            if any(_at(artifact, other) is not None for other in ("jib", "buildpacks", "ko", "bazel", "custom")):
                continue
            image = _at(artifact, "image")
            order = _Order(
                _text(_at(artifact, "context")) or ".",
                _text(_at(artifact, "docker", "dockerfile")),
                _text(_at(artifact, "docker", "target")),
                _arguments(_at(artifact, "docker", "buildArgs")),
            )
            if image is not None:
                yield from _found(source, image, _text(image), folder, order)


def _in_workflow(source: Source, root: str) -> Iterator[_Found]:
    for document in _documents(source):
        for _, job in _pairs(_at(document, "jobs")):
            for step in _items(_at(job, "steps")):
                if "/build-push-action" not in _text(_at(step, "uses")):
                    continue
                given = _at(step, "with")
                context, file = _text(_at(given, "context")) or ".", _text(_at(given, "file"))
                # The file is named from the checkout, and not from the context.
                file = file and os.path.relpath(os.path.join(root, file), os.path.join(root, context))
                said = _text(_at(given, "build-args")).splitlines()
                order = _Order(context, file, _text(_at(given, "target")), _split(said))
                for tag in re.split(r"[\s,]+", _COMPUTED.sub("$_", _text(_at(given, "tags")))):
                    yield from _found(source, step, tag, root, order)


def _in_lines(source: Source, root: str, folders: tuple[str, ...]) -> Iterator[_Found]:
    """What is built by a command: from the folder of its file or from the repository's, whichever has the Dockerfile."""
    text = source.text.replace("\\\r\n", " \v\v").replace("\\\n", " \v")
    offset = 0
    for line in text.split("\n"):
        said = _BUILDS.search(line.replace("\v", " "))
        if said is not None and not line.lstrip("@\t ").startswith(("#", "echo", "//")):
            number = source.position(offset).line
            moved = _CHANGES_FOLDER.search(line[: said.start(0)] if said.start(0) else "")
            yield from _by_command(source, number, said[1], {*folders, root}, moved[1] if moved else "")
        offset += len(line) + 1


def _by_command(source: Source, line: int, text: str, folders: Iterable[str], inside: str) -> Iterator[_Found]:
    try:
        here = re.sub(r"\$\(pwd\)|\$\{?PWD\}?", ".", text)
        words = shlex.split(re.split(r"&&|\|\||[;|]|\s>", _COMPUTED.sub("$_", here))[0])
    except ValueError:
        return
    tags: list[str] = []
    contexts: list[str] = []
    arguments: list[str] = []
    file = target = ""
    waiting = iter(words)
    for word in waiting:
        name, equals, value = word.partition("=")
        if not word.startswith("-") or word == "-":
            contexts.append(word)
        elif name not in _BARE:
            value = value if equals and word.startswith("--") else next(waiting, "")
            tags += [value] if name in ("-t", "--tag") else []
            file = value if name in ("-f", "--file") else file
            target = value if name == "--target" else target
            arguments += [value] if name == "--build-arg" else []
    if len(contexts) != 1 or _VARIABLE.search(inside):
        return
    for tag in tags:
        for folder in folders:
            here = os.path.normpath(os.path.join(folder, inside))
            dockerfile = file and os.path.relpath(os.path.join(here, file), os.path.join(here, contexts[0]))
            yield from _one(source, line, tag, here, _Order(contexts[0], dockerfile, target, _split(arguments)))


def _found(source: Source, at: Node, image: str, folder: str, order: _Order) -> Iterator[_Found]:
    return _one(source, source.position(at.start).line, image, folder, order)


def _one(source: Source, line: int, image: str, folder: str, order: _Order) -> Iterator[_Found]:
    """A build, where its name and all its paths are known."""
    name, context = _name(image), order.context
    known = (context, order.dockerfile, order.target)
    if not name or "://" in context or context == "-" or any(_VARIABLE.search(text) for text in known):
        return
    inside = os.path.normpath(os.path.join(folder, context))
    path = os.path.normpath(os.path.join(inside, order.dockerfile or "Dockerfile"))
    if not os.path.isfile(path):
        return
    shown = "/".join(_known(name.split("/")))
    evidence = Evidence(f"{shown} is built from {os.path.relpath(path)}", f"{source.path}:{line}", Strength.READ)
    yield _Found(name, Build(path, order.target, order.arguments, inside), evidence)


def _arguments(node: Node | None) -> tuple[tuple[str, str | None], ...]:
    """Build arguments, as a mapping or as a list of `NAME=value`."""
    if isinstance(node, yaml.Mapping):
        return _split(f"{key}={_text(value)}" for key, value in _pairs(node))
    return _split(map(_text, _items(node)))


def _split(said: Iterable[str]) -> tuple[tuple[str, str | None], ...]:
    """Arguments by name; None for a value that is not known before it is built."""
    pairs = (text.strip().partition("=") for text in said if text.strip())
    return tuple(sorted((name, None if not equals or _VARIABLE.search(value) else value) for name, equals, value in pairs))


def _renamed(source: Source) -> Iterator[tuple[str, str]]:
    for document in _documents(source):
        for item in _items(_at(document, "images")):
            before, after = _name(_text(_at(item, "name"))), _name(_text(_at(item, "newName")))
            if before and after:
                yield before, after


# YAML.


def _documents(source: Source) -> Iterator[yaml.Mapping]:
    try:
        stream = yaml.parse(source.text)
    except YamlError:
        return
    if not stream.templates:
        yield from (document.root for document in stream.documents if isinstance(document.root, yaml.Mapping))


def _at(node: Node | None, *keys: str) -> Node | None:
    """What stands under keys in keys, merges and aliases followed."""
    for key in keys:
        found = lookup(node, None, key) if isinstance(node, yaml.Mapping) else None
        node = target(found.node) if found is not None else None
    return node


def _items(node: Node | None) -> tuple[Node, ...]:
    return tuple(map(target, node.items)) if isinstance(node, yaml.Sequence) else ()


def _pairs(node: Node | None) -> Iterator[tuple[str, Node]]:
    if isinstance(node, yaml.Mapping):
        yield from ((key, target(found.node)) for key, found in values(node, None).items())


def _text(node: Node | None) -> str:
    return text_of(node) or ""
