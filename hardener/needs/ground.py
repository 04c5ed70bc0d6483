"""What a program stands on: what the instructions of its image make there, give away and close. Knows no language and no rule.

The files of the project are in `hardener.facts.image_files`. What a RUN makes can only be told of commands that are known
here; of the others `Ground.unread` says that they may have made anything.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache

from hardener.facts.built import BuiltImage
from hardener.facts.dockerfile import DockerStage, Run
from hardener.facts.image_files import ImageFiles
from hardener.finding import Evidence, Strength
from hardener.needs.bases import Base
from hardener.record import NamedTuple
from hardener.syntax.dockerfile import Instruction

_ROOT = ("", "0", "root")
_MOST_SECRETS = 32
_GIVERS = frozenset(("chown", "install"))
#: These make what they are told.
_MAKE_FOLDERS = frozenset(("mkdir", "install"))
_MAKE_FILES = frozenset(("touch", "cp", "mv", "ln", "tee"))
#: These leave what is at other places than their own as it is: packages, accounts, modes, and what only asks.
_LEAVE = frozenset(
    "apt-get apt apt-mark apk yum dnf microdnf dpkg rpm pip pip3 rm rmdir chown chgrp chmod useradd adduser groupadd addgroup "
    "usermod groupmod setcap echo printf true false : set cd pwd ls test [ [[ export unset id cat grep which command sed umask "
    "docker-php-ext-install docker-php-ext-configure docker-php-ext-enable update-ca-certificates localedef locale-gen".split()
)
#: Of these only the installation of packages is known to.
_INSTALL = {"npm": ("ci", "install", "i", "cache", "config"), "yarn": ("install", "cache", "config"), "pnpm": ("install", "i")}
#: What is a folder wherever it is.
_FOLDERS = frozenset(".cache cache caches tmp temp logs sessions uploads media thumbnails static run".split())
#: A change of a mode in words: who, how, what.
_MODE = re.compile(r"([ugoa]*)([-+=])([rwxXst]*)")


class Capable(NamedTuple):
    """A program with file capabilities: what it is called by, which they are, and where that is said."""

    program: str
    names: tuple[str, ...]
    evidence: Evidence


class Ground(NamedTuple):
    """What a program stands on: its image, as far as the project says."""

    files: ImageFiles
    #: What the image's instructions give to others than root, each with its evidence.
    given: Mapping[str, Evidence] = {}
    #: What they make, and which of it is a folder.
    made: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    #: Where they put what comes from another image, or out of an archive.
    brought: frozenset[str] = frozenset()
    #: Files that a RUN names: they are there for that.
    served: frozenset[str] = frozenset()
    #: Folders that are volumes by the image's own word.
    volumes: frozenset[str] = frozenset()
    file_capabilities: tuple[Capable, ...] = ()
    #: How it is known that something that is given away is closed to others, root among them.
    closed: Evidence | None = None
    #: What may have made anything, in words; empty where all is known.
    unread: str = ""


def ground_of(image: BuiltImage, base: Base | None) -> Ground:
    """What is told by the instructions of a stage, and by what is known of its base."""
    stage = image.stage
    made, folders, unread = _made(stage)
    given = dict(_given(stage, base))
    return Ground(
        files=image.files,
        given=given,
        made=frozenset(made),
        folders=frozenset(folders),
        brought=frozenset(_brought(stage)),
        served=frozenset(word for run in stage.commands for word in run.known if word.startswith("/")),
        volumes=frozenset(posixpath.normpath(path) for path, _ in stage.volumes),
        file_capabilities=tuple(_capable(stage)),
        closed=_closed(image, given),
        unread=unread,
    )


def folder_of(path: str, ground: Ground, others: Iterable[str] = ()) -> str:
    """The folder of a place that is written: itself where that is known to be one, else what holds it.

    A reader names the file that is written, or the folder of files whose names it does not know. The wrong one of the two
    would make a folder where a file is to be; what holds it is right for both. `others` are further places.
    """
    path = plain(path)
    name = posixpath.basename(path)
    if ground.files.kind(path) != "file" and (
        ground.files.kind(path) == "folder"
        or path in ground.folders | ground.volumes
        or name.lower() in _FOLDERS
        or any(plain(other) != path and is_within(other, path) for other in others)
    ):
        return path
    return posixpath.dirname(path)


def is_everybodys(path: str) -> bool:
    """Whether everybody may write there, in every image: the mode of /tmp outlives a tmpfs (measured on engine 20.10)."""
    return any(is_within(path, place) for place in ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue"))


def is_within(path: str, folder: str) -> bool:
    """Whether a path is a folder or lies in it."""
    return (plain(path).rstrip("/") + "/").startswith(plain(folder).rstrip("/") + "/")


def plain(path: str) -> str:
    """A path without the link that every image of note has."""
    path = posixpath.normpath(path)
    return path[4:] if path == "/var/run" or path.startswith("/var/run/") else path


def closing(stage: DockerStage) -> Iterator[tuple[str, Instruction]]:
    """What the instructions make that only its owner may read or enter, in words; in any stage, for it may be copied."""
    for other in (stage, *(stage.sibling(each) for each in stage.dockerfile.stages if each not in stage.chain)):
        for _, item in other.items:
            if item.keyword in ("COPY", "ADD"):
                mode = item.flag("chmod")
                if mode is not None and is_closed(mode):
                    yield f"line {item.line} gives what it copies the mode {mode}", item
                elif item.keyword == "ADD" and mode is None and any("://" in value for value in item.values[:-1]):
                    yield f"what line {item.line} downloads can be read by its owner only", item
        for run in other.commands:
            mode = next((word for word in run.known if not re.match("-[A-Za-z-]", word)), "")
            if run.name == "install":
                mode = _option(run, "-m", "--mode")
            if run.name in ("chmod", "install", "mkdir") and is_closed(_option(run, "-m", "--mode") or mode):
                yield f"line {run.item.line} closes {run.known[-1]} to others", run.item
            elif run.name == "umask" and run.known and not run.known[-1].endswith(("0", "2")):
                yield f"line {run.item.line} closes what it makes to others", run.item
            elif run.name == "cp" and _copies_one(run, _secrets(run.item)):
                yield f"line {run.item.line} copies a secret with its mode, by which only its owner may read it", run.item


@lru_cache(maxsize=8)
def _secrets(item: Instruction) -> tuple[str, ...]:
    return tuple(_closed_secrets(item))


def _closed_secrets(item: Instruction) -> Iterator[str]:
    """Where a RUN has its secrets whose mode keeps others out: 0400 unless it is told another (BuildKit, `RUN --mount`)."""
    for flag in item.flags:
        options = dict(part.partition("=")[::2] for part in (flag.value or "").split(",") if flag.name == "mount")
        if options.get("type") == "secret" and is_closed(options.get("mode", "0400")):
            names = ("target", "dst", "destination")
            target = next((options[name] for name in names if name in options), "")
            if target or "env" not in options:
                yield target or f"/run/secrets/{options.get('id', '')}"


def _copies_one(run: Run, secrets: Collection[str]) -> bool:
    """Whether what a command copies may be one of these files or a folder that holds it; of more than anybody mounts, it may."""
    copied = [word for word in run.known[:-1] if not word.startswith("-")] if secrets else []
    if len(secrets) > _MOST_SECRETS or any("?" in word or "*" in word for word in copied):
        return bool(copied)
    return any(is_within(secret, word) for word in copied for secret in secrets)


def is_closed(mode: str) -> bool:
    """Whether a mode, as chmod takes it, keeps others from reading, or from starting what its owner may start."""
    if re.fullmatch("[0-7]{3,5}", mode):
        number = int(mode, 8)
        return not number & 0o4 or (number & 0o100 and not number & 0o1) != 0
    parts = [found.groups() for part in mode.split(",") if (found := _MODE.fullmatch(part))]
    theirs = [(how, what) for who, how, what in parts if not who or "o" in who or "a" in who]
    taken = any((how == "-" and set(what) & set("rx")) or (how == "=" and "r" not in what) for how, what in theirs)
    started = any(how != "-" and "x" in what for who, how, what in parts if "u" in who)
    return taken or (started and not any(how != "-" and set(what) & set("xX") for how, what in theirs))


def _option(run: Run, *names: str) -> str:
    for word, value in zip(run.known, (*run.known[1:], ""), strict=True):
        if word in names:
            return value
        if word.startswith(tuple(f"{name}=" for name in names if name.startswith("--"))):
            return word.partition("=")[2]
    return ""


def _made(stage: DockerStage) -> tuple[set[str], set[str], str]:
    """What the instructions make, which of it is a folder, and what may have made anything."""
    made: set[str] = set()
    folders: set[str] = set()
    unread = ""
    moved: Instruction | None = None
    for _, item in stage.items:
        if item.keyword == "WORKDIR":
            here = stage.workdir_before(_following(stage, item))
            if here:
                folders.add(here)
    for run in stage.commands:
        words = [word for word in run.known if not word.startswith("-")]
        if run.name in ("cd", "pushd"):
            moved = run.item
        if run.name == "rm":
            gone = {_path(stage, run, word.rstrip("*")) for word in words}
            made, folders = (
                {path for path in paths if not any(path == other or path.startswith(f"{other}/") for other in gone if other)}
                for paths in (made, folders)
            )
        elif run.name in _MAKE_FOLDERS | _MAKE_FILES:
            paths = {_path(stage, run, word) for word in words if word.startswith("/") or moved is not run.item}
            if not all(paths) or (moved is run.item and any(not word.startswith("/") for word in words)):
                unread = unread or f"line {run.item.line} (`{run.name}`)"
            made |= {path for path in paths if path}
            if run.name in _MAKE_FOLDERS:
                folders |= {path for path in paths if path}
        elif run.name not in _LEAVE and not any(word in _INSTALL.get(run.name, ()) for word in words[:1]):
            unread = unread or f"line {run.item.line} (`{run.name}`)"
    for _, item in stage.items:
        if item.keyword == "RUN":
            for script in stage.scripts_of(item):
                targets = (redirect.target.text for command in script.commands for redirect in command.redirects)
                made |= {posixpath.normpath(target) for target in targets if target.startswith("/") and "$" not in target}
    return made | folders, folders, unread


def _following(stage: DockerStage, item: Instruction) -> Instruction | None:
    items = [each for _, each in stage.items]
    at = items.index(item) + 1
    return items[at] if at < len(items) else None


def _path(stage: DockerStage, run: Run, word: str) -> str:
    """An argument as a path, by the working directory; empty where that is not known."""
    folder = stage.workdir_before(run.item)
    if "?" in word or "{" in word or (folder is None and not word.startswith("/")):
        return ""
    return posixpath.normpath(posixpath.join(folder or "/", word))


def _brought(stage: DockerStage) -> Iterator[str]:
    for member, item in stage.items:
        if item.keyword in ("COPY", "ADD") and item.values:
            packed = item.keyword == "ADD" and any("://" in value or ".t" in value for value in item.values[:-1])
            if packed or item.flag("from") is not None:
                yield _target(stage, member, item)


def _target(stage: DockerStage, member: object, item: Instruction) -> str:
    to = stage.resolve(item.values[-1], member, item.index) or "/"  # type: ignore[arg-type]
    return posixpath.normpath(posixpath.join(stage.workdir_before(item) or "/", to))


def _given(stage: DockerStage, base: Base | None) -> Iterator[tuple[str, Evidence]]:
    """What is handed over to others than root: by name, as their home, or because they make it themselves."""
    if base is not None:
        for account in (base.account, base.starts_as):
            if account is not None:
                yield (
                    f"/home/{account.name}",
                    Evidence(f"{account.name} is an account of the image", base.evidence.source, Strength.READ),
                )
    for member, item in stage.items:
        owner = item.flag("chown") if item.keyword in ("COPY", "ADD") else None
        if owner and owner.partition(":")[0] not in _ROOT:
            path = _target(stage, member, item)
            yield path, Evidence(f"{path} is given to {owner}", stage.at(item), Strength.READ)
    for new, run in stage.new_users:
        if not new.is_group:
            home = _option(run, "-d", "--home-dir", "--home", "-h") or f"/home/{new.name}"
            yield home, Evidence(f"{home} is the home of {new.name}", stage.at(run.item), Strength.READ)
    for run in stage.commands:
        if run.name in _GIVERS:
            for word in run.known:
                if not word.startswith("-"):
                    path = _path(stage, run, word) or "/"
                    yield path, Evidence(f"{path} is given away", stage.at(run.item), Strength.READ)
    at = [item for _, item in stage.items]
    for user in stage.users:
        later = at[at.index(user.item) + 1 :]
        until = next((number for number, item in enumerate(later) if item.keyword == "USER"), len(later))
        if user.is_root is not True and any(item.keyword in ("RUN", "WORKDIR") for item in later[:until]):
            yield "/", Evidence(f"the image is made by {user.text or 'another user'} too", stage.at(user.item), Strength.READ)


def _capable(stage: DockerStage) -> Iterator[Capable]:
    for run in stage.commands:
        if run.name == "setcap":
            words = [word for word in run.known if not word.startswith("-")]
            parts = (part for word in words[:-1] for part in re.split("[,+=]", word))
            names = tuple(name for part in parts if re.fullmatch("[A-Z_]{4,}", name := part.upper().removeprefix("CAP_")))
            program = posixpath.basename(words[-1]) if words and "?" not in words[-1] else "a program"
            yield Capable(program, names, Evidence(f"{program} gets file capabilities", stage.at(run.item), Strength.READ))


def _closed(image: BuiltImage, given: Mapping[str, Evidence]) -> Evidence | None:
    """How it is known that root meets something of another user that is closed to others."""
    if not given:
        return None
    for path, evidence in given.items():
        workdir = image.stage.workdir or "/"
        # Such a home is closed in some images.
        if path != "/" and (f"{workdir}/".startswith(f"{path}/") or any(image.files.closed(path))):
            return evidence
    _, item = next(closing(image.stage), ("", None))
    return Evidence(f"line {item.line} closes what may belong to another", image.stage.at(item), Strength.READ) if item else None
