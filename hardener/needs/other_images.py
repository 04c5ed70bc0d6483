"""Which other images a project's own files put in place of one that a variable names. Knows no rule, and no image."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.facts.image import ImageReference, parse_image
from hardener.facts.instructions import files_in, files_near, instructions
from hardener.facts.tree import Tree
from hardener.needs.conditions import Situation
from hardener.needs.needs import Limit, Needs
from hardener.needs.profile import Verdict, find_profile
from hardener.record import NamedTuple
from hardener.source import Source

#: Files with settings, those of an example too: `.env.example`, `prod.env`, `env.sample`.
_SETTINGS = re.compile(r"(?i)\.?env(?:[._-][\w.-]+)?|[\w.-]+\.env(?:[._-]\w+)?")
_WORKFLOWS = re.compile(r".*\.ya?ml")
_PIPELINES = re.compile(r"\.gitlab-ci\.ya?ml")
#: What a matrix of GitHub gives a variable: `${{ matrix.database }}`.
_MATRIX = re.compile(r"\$\{\{\s*matrix\.([\w-]{1,80})\s*\}\}")


class OtherImage(NamedTuple):
    """What else the image may be: None where that cannot be told; and where it is written."""

    image: ImageReference | None
    place: str


def other_images(container: Container, tree: Tree) -> Iterator[OtherImage]:
    """The images that examples of settings, scripts, pages and workflows give instead of the one that is meant by default.

    Looked through is what lies in the folder of the project and in those above it, up to the repository's.
    """
    seen = {container.image}
    for name in container.image_variables:
        if (other_images, container.folder, name) not in tree.concluded:
            tree.concluded[other_images, container.folder, name] = tuple(_given(name, container.folder, tree))
        for value, place in tree.concluded[other_images, container.folder, name]:
            other = container.image_given(name, value)
            image = parse_image(other) if other else None
            # What nobody could pull, such as `<version>`, stands for something else.
            if image not in seen and (image is not None or other is None or "$" in other):
                seen.add(image)
                yield OtherImage(image, place)


def what_else(needs: Needs, container: Container, situation: Situation, tree: Tree, profiles: tuple[str, ...]) -> str:
    """Why these needs are not all: another image is put in place of this one, and needs something else; empty where none."""
    for image, place in other_images(container, tree):
        if image is None:
            return f"which other image {place} gives it"
        profile = find_profile(image, profiles)
        its = profile.evaluate(image, situation) if profile is not None else None
        if its is None or not its.holds or _asked(its) != _asked(needs) or not _is_enough(needs, its):
            return f"whether `{image}`, which {place} puts in its place, needs the same"
    return ""


def _asked(needs: Needs) -> tuple[object, ...]:
    """What the fixes that rest on needs would do, but for limits."""
    verdicts: tuple[Verdict | None, ...] = (
        needs.read_only,
        needs.no_new_privileges,
        needs.user,
        needs.seccomp,
        needs.apparmor,
    )
    return (
        needs.root,
        (needs.account.uid, needs.account.gid) if needs.account else None,
        None if needs.capabilities is None else {needed.name for needed in needs.capabilities},
        {(mount.path, mount.uid, mount.gid, mount.exec) for mount in needs.tmpfs},
        tuple(verdict and (verdict.works, bool(verdict.doubt)) for verdict in verdicts),
        needs.unknown.keys(),
    )


def _is_enough(needs: Needs, others: Needs) -> bool:
    """Whether no limit is lower than what is known to be enough for others."""
    pairs: tuple[tuple[Limit | None, Limit | None], ...] = (
        (needs.memory, others.memory),
        (needs.cpu, others.cpu),
        (needs.pids, others.pids),
    )
    return all(ours is None or (its is not None and its.amount <= ours.amount) for ours, its in pairs)


def _given(name: str, folder: str, tree: Tree) -> Iterator[tuple[str, str]]:
    """The values that files give a variable, as they are written, and where; but not what only hands it on."""
    sets = r"(?:[ \t]*[?:]?=[ \t]*|[ \t]*:[ \t]+)"
    value = r"(\"[^\"\n]*\"|'[^'\n]*'|\$\{\{[^}\n]*\}\}|[^\s#`;&|,]*)"
    told = re.compile(rf"(?<![\w$.{{(-]){re.escape(name)}{sets}{value}")
    for source in _sources(folder, tree):
        for match in told.finditer(source.text) if name in source.text else ():
            place = f"{source.path}:{source.position(match.start()).line}"
            written = match[1].strip("\"'")
            matrix = _MATRIX.fullmatch(written)
            if written.strip("${()}") != name:
                yield from ((one, place) for one in (_of_matrix(matrix[1], source.text) if matrix else (written,)))


def _of_matrix(key: str, text: str) -> Iterator[str]:
    """The values of a key of a matrix, in one list or in several entries; `$` for what cannot be told."""
    begins = rf"(?m)(?:^[ \t-]*|[{{,][ \t]*)[\"']?{re.escape(key)}[\"']?:[ \t]*"
    lists = begins + r"(?:\[([^\]]{0,4000})\]|([^\n]*)((?:\n[ \t]*-[ \t][^\n]*)*))"
    found = False
    for match in re.finditer(lists, re.sub(r"(?m)(?<!\S)#.*$", "", text)):
        flow, first, block = match[1] or "", match[2] or "", match[3] or ""
        items = [*flow.split(","), first.split(",")[0], *re.split(r"\n[ \t]*-[ \t]", block)]
        for item in items:
            value = item.strip(" \t\r\n\"'}")
            if value:
                found = True
                yield "$" if "$" in value else value
    if not found:
        yield "$"


def _sources(folder: str, tree: Tree) -> Iterator[Source]:
    top = tree.project_of(folder)
    yield from instructions(folder, tree)
    yield from files_near(folder, _SETTINGS, tree)
    yield from files_in(os.path.join(top, ".github", "workflows"), _WORKFLOWS, tree)
    yield from files_in(top, _PIPELINES, tree)
