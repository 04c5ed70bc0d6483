"""The stage of a Dockerfile that a container's image is built from, with its build context. Knows no rule."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from hardener.facts.dockerfile import DockerStage
from hardener.facts.image_files import ContextFiles, ImageFiles
from hardener.facts.tree import Tree
from hardener.record import NamedTuple
from hardener.source import Source
from hardener.syntax.dockerfile import Dockerfile, DockerfileError, Stage, parse

if TYPE_CHECKING:  # a Dockerfile alone has no container
    from hardener.facts.container import Build


class BuiltImage(NamedTuple):
    """A stage, and the files that its image has from the project."""

    stage: DockerStage
    files: ImageFiles


def built_image(build: Build, tree: Tree, where: str = "") -> BuiltImage | str:
    """The image of a build, or why it is not known. `where` is the file that an inline Dockerfile stands in."""
    source = Source(where, build.inline) if build.inline else tree(build.dockerfile) if build.dockerfile else None
    if source is None:
        return f"the Dockerfile {os.path.relpath(build.dockerfile)}" if build.dockerfile else "where its Dockerfile is"
    try:
        dockerfile = parse(source.text)
    except DockerfileError as error:
        return f"the Dockerfile {source.path}, which cannot be read (line {error.line})"
    dockerfile.arguments = dict(build.arguments)
    stage = asked_for(dockerfile, build.target)
    if stage is None:
        return f"the stage `{build.target}`, which {source.path} does not have"
    found = in_context(source, dockerfile, stage, build.context, tree, runs=True)
    return BuiltImage(found, ImageFiles(found, ContextFiles(build.context, tree) if build.context else None))


def asked_for(dockerfile: Dockerfile, target: str) -> Stage | None:
    """The stage of a name or number, the last one for an empty text; names do not depend on case."""
    target = target.lower()
    if not target:
        return dockerfile.stages[-1]
    return next((s for s in dockerfile.stages if target in ((s.name or "").lower(), str(s.index))), None)


def in_context(source: Source, dockerfile: Dockerfile, stage: Stage, folder: str, tree: Tree, **how: Any) -> DockerStage:
    """A stage that may look into its build context; `how` goes to `DockerStage`."""

    def read_context(path: str) -> str | None:
        found = tree(os.path.normpath(os.path.join(folder, path)))
        return found.text if found else None

    def is_folder(path: str) -> bool:
        location = os.path.join(folder, path)
        return os.path.isdir(location) and tree.contains(location)

    return DockerStage(
        source, dockerfile, stage, read_context=read_context if folder else None, is_folder=is_folder if folder else None, **how
    )
