"""A stage of a Dockerfile as a container's beginning: base, user, start, files and commands. Knows no rule."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache

from hardener.facts.accounts import NewUser, created, installed
from hardener.facts.image import ImageReference, parse_image
from hardener.finding import Place
from hardener.record import NamedTuple
from hardener.source import Source
from hardener.syntax import shell
from hardener.syntax.dockerfile import Dockerfile, Instruction, Stage
from hardener.syntax.dockerfile.variables import account_in, base_of, parent, resolve

#: Gives the text of a file of the build context, or None.
ReadContext = Callable[[str], "str | None"]

_ROOT = frozenset(("", "0", "root"))
_SHELLS = frozenset(("sh", "bash", "ash", "dash", "zsh"))
#: Commands whose arguments have variables put in; those of others stay unknown, because that costs time.
_WATCHED = frozenset("useradd adduser groupadd addgroup usermod chown chgrp mkdir install rm ln touch".split())
_RUNNERS = frozenset(("exec", "tini", "dumb-init", "catchsegv", "nice", "env", "time", "stdbuf", "nohup", "command"))


class Script(NamedTuple):
    """What a RUN gives to a shell, and the commands in it with their offsets in `text`."""

    item: Instruction
    text: str
    commands: tuple[shell.Command, ...]


class Run(NamedTuple):
    """One command of a RUN. Its arguments have variables put in where that matters; None stands for what is not known."""

    item: Instruction
    stage: Stage
    name: str
    arguments: tuple[str | None, ...]

    @property
    def known(self) -> tuple[str, ...]:
        """The arguments; an unknown one is a `?`."""
        return tuple("?" if argument is None else argument for argument in self.arguments)


class Start(NamedTuple):
    """A command that the container begins with, as far as it is known: from CMD, ENTRYPOINT or a script that they run."""

    words: tuple[str, ...]
    #: "" for the Dockerfile itself, else the script's path in the build context.
    script: str

    @property
    def name(self) -> str:
        """The program without its folder."""
        return self.words[0].rpartition("/")[2]


class User(NamedTuple):
    """A USER instruction; `text` has variables put in, None where the file does not tell them."""

    item: Instruction
    stage: Stage
    text: str | None
    #: The same without the group, which may be all that is not told.
    account: str | None

    @property
    def is_root(self) -> bool | None:
        """Whether it is root; None when unknown."""
        return None if self.account is None else self.account in _ROOT


class DockerStage:
    """A stage with all that it builds upon.

    `runs` says whether containers are started from it as the user that it names; `started_by` names what gives it a command
    from outside, such as a Compose service. `ships` says whether what it adds is in an image that runs, its own or that of a
    stage built upon it; from other stages only files are copied. `chain` is the stages from the outermost base to this one.
    """

    def __init__(
        self,
        source: Source,
        dockerfile: Dockerfile,
        stage: Stage | None = None,
        *,
        runs: bool | None = None,
        ships: bool | None = None,
        started_by: str = "",
        read_context: ReadContext | None = None,
        is_folder: Callable[[str], bool] | None = None,
        scripts: dict[int, tuple[Script, ...]] | None = None,
    ) -> None:
        self.source = source
        self.dockerfile = dockerfile
        self.stage = dockerfile.stages[-1] if stage is None else stage
        self.runs = self.stage is dockerfile.stages[-1] if runs is None else runs
        self.ships = self.runs if ships is None else ships
        self.started_by = started_by
        self._read_context = read_context
        self._is_folder = is_folder
        #: The scripts that were read so far, by instruction; the stages of a file may share them.
        self._scripts = {} if scripts is None else scripts
        self.chain = chain_of(self.stage)

    def sibling(self, stage: Stage) -> DockerStage:
        """Another stage of the same file."""
        return DockerStage(
            self.source,
            self.dockerfile,
            stage,
            runs=False,
            read_context=self._read_context,
            is_folder=self._is_folder,
            scripts=self._scripts,
        )

    @property
    def key(self) -> str:
        """The stage within its file, stable while instructions come and go."""
        return f"{self.source.path}#{self.stage.index}"

    @property
    def subject(self) -> str:
        """What people call the stage."""
        if self.stage.name:
            return self.stage.name
        return "image" if len(self.dockerfile.stages) == 1 else f"stage {self.stage.index}"

    def place(self, item: Instruction) -> Place:
        """Where an instruction stands."""
        return Place(self.source.path, *self.source.position(item.start))

    def at(self, item: Instruction) -> str:
        """Where an instruction stands, as the source of evidence."""
        return f"{self.source.path}:{item.line}"

    @property
    def homes(self) -> tuple[Place, ...]:
        """Where the stage is defined: its FROM."""
        return (self.place(self.from_item),)

    @property
    def from_item(self) -> Instruction:
        """The stage's own FROM."""
        return self.dockerfile.instructions[self.stage.first]

    @cached_property
    def base_text(self) -> str | None:
        """The image that everything begins from, with variables put in; None when unknown."""
        return base_of(self.chain[0])

    @cached_property
    def image(self) -> ImageReference | None:
        """The same as a reference; None for `scratch` and for what is no reference."""
        return parse_image(self.base_text) if self.base_text and self.base_text != "scratch" else None

    @cached_property
    def items(self) -> tuple[tuple[Stage, Instruction], ...]:
        """All instructions that make the image, in order, without the FROMs."""
        return tuple((stage, item) for stage in self.chain for item in stage.instructions[1:])

    def own(self, *keywords: str) -> list[Instruction]:
        """The stage's own instructions with these keywords."""
        return [item for item in self.stage.instructions if item.keyword in keywords]

    def in_context(self, path: str) -> str:
        """What the build context has at a path: "folder", "text", or empty for anything else and where nobody knows."""
        folder = self._is_folder is not None and not path.startswith("..") and self._is_folder(path.lstrip("/"))
        return "folder" if folder else "text" if self.read_context(path) is not None else ""

    def read_context(self, path: str) -> str | None:
        """The text of a file of the build context; None for one that is not there, is no text, or lies outside."""
        if path.startswith("..") or self._read_context is None:
            return None
        return self._read_context(path.lstrip("/"))

    def scripts(self, *words: str, pattern: str = "") -> Iterator[Script]:
        """The scripts of the stage's own RUNs in whose text one of these words stands, and the pattern if there is one.

        To read all of them would cost time.
        """
        text = self.dockerfile.text
        words = tuple(word for word in words if word in text)
        if words:
            for item in self._own_runs:
                found = any(text.find(word, item.start, item.end) != -1 for word in words)
                if found and (not pattern or re.compile(pattern).search(text, item.start, item.end)):
                    yield from self.scripts_of(item)

    @cached_property
    def _own_runs(self) -> tuple[Instruction, ...]:
        return tuple(self.own("RUN"))

    def scripts_of(self, item: Instruction) -> tuple[Script, ...]:
        """The scripts of a RUN."""
        found = self._scripts.get(item.index)
        if found is None:
            found = self._scripts[item.index] = tuple(_scripts_of(item))
        return found

    def resolve(self, text: str, stage: Stage, before: int | None = None) -> str | None:
        """Text with variables put in, as the stage has them before an instruction."""
        return resolve(self.dockerfile, text, before, stage)

    @cached_property
    def variables(self) -> dict[str, str | None]:
        """The variables that its ENV instructions set, at the end; None for a value that is not known."""
        sets = ((stage, item) for stage, item in self.items if item.keyword == "ENV")
        return {
            name: self.resolve(value, stage, item.index)
            for stage, item in sets
            for name, value in zip(item.values[::2], item.values[1::2], strict=True)
        }

    @cached_property
    def users(self) -> tuple[User, ...]:
        """Every USER on the way, in order."""
        return tuple(self._user(stage, item) for stage, item in self.items if item.keyword == "USER")

    def _user(self, stage: Stage, item: Instruction) -> User:
        text = self.resolve(item.arguments, stage, item.index)
        named = self.resolve(account_in(item.arguments), stage, item.index) if text is None else text
        return User(item, stage, text, None if named is None else named.partition(":")[0])

    @cached_property
    def workdir(self) -> str | None:
        """The working directory at the end; None when unknown."""
        return self.workdir_before(None)

    def workdir_before(self, limit: Instruction | None) -> str | None:
        """The working directory before an instruction; None when unknown. A base image's own is taken for `/`."""
        current: str | None = "/"
        for stage, item in self.items:
            if item is limit:
                break
            if item.keyword == "WORKDIR":
                path = self.resolve(item.arguments, stage, item.index)
                known = path is not None and (current is not None or path.startswith("/"))
                current = posixpath.join(current or "/", path or "") if known else None
        return posixpath.normpath(current) if current else None

    def last(self, keyword: str) -> Instruction | None:
        """The last instruction of a keyword, wherever it stands in the chain."""
        found = [item for _, item in self.items if item.keyword == keyword]
        return found[-1] if found else None

    @cached_property
    def volumes(self) -> tuple[tuple[str, Instruction], ...]:
        """The paths of VOLUME as far as they are known."""
        found = []
        for stage, item in self.items:
            if item.keyword == "VOLUME":
                for value in item.values:
                    path = value if item.is_json and "$" not in value else self.resolve(value, stage, item.index)
                    if path:
                        found.append((path, item))
        return tuple(found)

    @cached_property
    def commands(self) -> tuple[Run, ...]:
        """The commands of every RUN, in order."""
        found = []
        for stage, item in self.items:
            if item.keyword == "RUN":
                for command in (_without_sudo(command.words) for script in self.scripts_of(item) for command in script.commands):
                    if command and command[0].text:
                        name = command[0].text.rpartition("/")[2]
                        found.append(Run(item, stage, name, tuple(self._word(word, stage, item, name) for word in command[1:])))
        return tuple(found)

    def _word(self, word: shell.Word, stage: Stage, item: Instruction, name: str) -> str | None:
        if not word.expands:
            return word.text
        if name not in _WATCHED or "$(" in word.text or "'" in word.text or '"' in word.text:
            return None
        return self.resolve(word.text, stage, item.index)

    @cached_property
    def packages(self) -> frozenset[str]:
        """Packages that are installed on the way."""
        return frozenset(package for run in self.commands for package in installed(run.name, run.known))

    @cached_property
    def laid_over(self) -> str:
        """The image of others whose whole file system is copied over this one, its accounts and programs with it."""
        names = {name.lower() for stage in self.dockerfile.stages for name in (stage.name or "", str(stage.index)) if name}
        for _, item in self.items:
            image = item.flag("from") if item.keyword == "COPY" else None
            if image and image.lower() not in names and item.values[:1] == ("/",) and item.values[-1] == "/":
                return image
        return ""

    @cached_property
    def new_users(self) -> tuple[tuple[NewUser, Run], ...]:
        """Users and groups that are created on the way."""
        found = ((created(run.name, run.known), run) for run in self.commands)
        return tuple((user, run) for user, run in found if user is not None)

    @cached_property
    def starts(self) -> tuple[Start, ...]:
        """What the container begins with: the commands of ENTRYPOINT and CMD, and of the scripts that they run."""
        found: list[Start] = []
        entrypoint, cmd = self.last("ENTRYPOINT"), self.last("CMD")
        if entrypoint is not None and not entrypoint.values:
            entrypoint = None
        words = list(entrypoint.values) if entrypoint is not None and entrypoint.is_json else []
        if entrypoint is not None and not entrypoint.is_json:
            found += _script_starts(entrypoint.arguments, "")
        elif cmd is not None and cmd.is_json:
            words += cmd.values
        elif cmd is not None and not entrypoint:
            found += _script_starts(cmd.arguments, "")
        elif cmd is not None:
            found += [Start(tuple(words), ""), *_script_starts(cmd.arguments, "")]
            words = []
        found += _unwrapped(words)
        if cmd is not None and cmd.is_json and cmd.values and entrypoint is not None and found and _is_wrapper(found[0].name):
            # Such an entrypoint ends in `exec "$@"`.
            found += _unwrapped(list(cmd.values))
        for start in tuple(found):
            path, text = self._script(start)
            if text is not None:
                found += _script_starts(text, path)
        return tuple(start for start in found if start.words and start.words[0])

    @cached_property
    def unread_scripts(self) -> tuple[str, ...]:
        """Scripts of the build context that the container begins with, and that could not be read."""
        found = (self._script(start) for start in self.starts if not start.script)
        return tuple(dict.fromkeys(path for path, text in found if path and text is None))

    def _script(self, start: Start) -> tuple[str, str | None]:
        """The path in the build context of the script that a command runs, and its text; an empty path for a program."""
        if start.script:
            return "", None
        words = [word for word in start.words if not word.startswith("-")]
        # `sh -c` has a script of its own; whatever else a shell is given is one to read.
        given = len(words) == len(start.words) and bool(words) and words[0].rpartition("/")[2] in _SHELLS
        while words and (words[0].rpartition("/")[2] in _SHELLS or words[0].rpartition("/")[2] in _RUNNERS):
            words = words[1:]
        if not words or not words[0]:
            return "", None
        target = words[0]
        targets = [target]
        if not target.startswith("/") and ("/" in target or target.endswith(".sh")):
            targets.append(posixpath.normpath(posixpath.join(self.workdir or "/", target)))
        for path in (path for target in reversed(targets) for path in self._copied_from(target)):
            if self._read_context is not None and not path.startswith(".."):
                text = self._read_context(path)
                if text is not None:
                    return path, text if text.startswith("#!") and "sh" in text[:40] else None
            if given or path.endswith(".sh") or "entrypoint" in posixpath.basename(path):
                return path, None
        return (target, None) if given else ("", None)

    def _copied_from(self, target: str) -> Iterator[str]:
        """Which paths of the build context may have become a path of the image; the last COPY first."""
        for _, item in reversed(self.items):
            if item.keyword not in ("COPY", "ADD") or item.flag("from") is not None:
                continue
            *sources, to = item.values
            into = posixpath.normpath(posixpath.join(self.workdir_before(item) or "/", to))
            for source in sources:
                name = posixpath.basename(source.rstrip("/"))
                inside = target.startswith(into.rstrip("/") + "/")
                same = posixpath.basename(target) == name and target in (posixpath.join(into, name), name)
                if same or into == target:
                    yield posixpath.normpath(source)
                elif inside and "*" not in source and "$" not in source and "." not in name[1:]:
                    yield posixpath.normpath(posixpath.join(source, posixpath.relpath(target, into)))


def chain_of(stage: Stage) -> tuple[Stage, ...]:
    """The stages that a stage builds upon, the outermost first, and itself."""
    chain = [stage]
    above = parent(stage)
    while above is not None:
        chain.insert(0, above)
        above = parent(above)
    return tuple(chain)


@lru_cache(maxsize=128)
def _read(script: str) -> tuple[shell.Command, ...]:
    # After a change to the file, most of its scripts are what they were.
    return shell.commands(script)


def _scripts_of(item: Instruction) -> Iterator[Script]:
    if item.is_json:
        words = item.values
        if len(words) > 2 and words[0].rpartition("/")[2] in _SHELLS and words[1] in ("-c", "-lc", "-ec", "-xc"):
            yield Script(item, words[2], _read(words[2]))
        elif words:
            # No shell reads these: the words are what the program gets.
            text = " ".join(words)
            plain = tuple(shell.Word(word, False, 0, len(text)) for word in words)
            yield Script(item, text, (shell.Command(plain, (), (), 0, len(text)),))
        return
    yield Script(item, item.arguments, _read(item.arguments))
    for document in item.heredocs:
        if item.arguments.startswith("<<") and item.arguments.split()[0].strip("<-'\"") == document.name:
            yield Script(item, document.content, _read(document.content))


def _without_sudo(words: tuple[shell.Word, ...]) -> tuple[shell.Word, ...]:
    while len(words) > 1 and (words[0].text == "sudo" or words[0].text.startswith("-")):
        # `-u web`, `-Hu web`: the next word is no command.
        option = words[0].text
        named = option in ("--user", "--group") or (not option.startswith("--") and option[0] == "-" and option[-1] in "ug")
        words = words[2:] if named and len(words) > 2 else words[1:]
    return words


def _is_wrapper(name: str) -> bool:
    return name.endswith(".sh") or "entrypoint" in name


def _unwrapped(words: list[str]) -> list[Start]:
    """An exec-form command; the script of `sh -c` is taken apart."""
    if len(words) > 2 and words[0].rpartition("/")[2] in _SHELLS and words[1].startswith("-") and words[1].endswith("c"):
        return _script_starts(words[2], "")
    return [Start(tuple(_without_runner(words)), "")] if words else []


def _script_starts(script: str, path: str) -> list[Start]:
    found = []
    for command in shell.commands(script):
        words = _without_runner([word.text for word in command.words])
        if words:
            found.append(Start(tuple(words), path))
    return found


def _without_runner(words: list[str]) -> list[str]:
    """The command behind `exec`, `tini --` and their kin."""
    while len(words) > 1 and words[0].rpartition("/")[2] in _RUNNERS:
        words = words[1:]
        while len(words) > 1 and (words[0].startswith("-") or "=" in words[0]):
            words = words[1:]
    return words
