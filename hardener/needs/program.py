"""What the program of an image does, as a container starts it, with its health check. Knows no language and no rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardener.facts.built import BuiltImage
from hardener.facts.dockerfile import DockerStage
from hardener.facts.image_files import ContextFiles, ImageFiles, WrittenFiles
from hardener.facts.tree import Tree
from hardener.needs.bases import Base, find_base
from hardener.needs.handover import Workload
from hardener.needs.idle import ENTERED, only_waits
from hardener.needs.source.reading import uses_of
from hardener.needs.source.uses import Uses, merged, unknown
from hardener.needs.start import start_of

if TYPE_CHECKING:  # a Dockerfile alone has no container
    from hardener.facts.container import Container


def workload_of(stage: DockerStage, context: str, tree: Tree, container: Container | None) -> Workload:
    """The program of a stage as a container runs it, or as anybody may."""
    image = BuiltImage(stage, ImageFiles(stage, ContextFiles(context, tree)))
    if container is not None:
        lay_over(image.files, container, tree)
    base = find_base(stage.image) if stage.image else None
    return Workload(image, uses_in(image, base, container, tree), container)


def uses_in(image: BuiltImage, base: Base | None, container: Container | None, tree: Tree) -> Uses:
    """What the program of an image does, started as a container asks for it, with its health check.

    That is read once a run: it does not depend on what is changed of a container's restrictions.
    """
    asked: tuple[object, ...] = ()
    if container is not None:
        variables = tuple(sorted(container.environment.items(), key=lambda item: item[0]))
        files = tuple((mount.target, mount.location, mount.files) for mount in container.mounts)
        asked = (container.entrypoint, container.command, container.workdir, variables, container.missing_env_files, files)
        asked += (container.healthcheck.effective, container.place.path)
    dockerfile = image.stage.dockerfile
    arguments = tuple(dockerfile.arguments.items())
    key = (uses_in, image.stage.source.path, dockerfile.text, arguments, image.stage.key, image.files.context, asked)
    if key not in tree.concluded:
        tree.concluded[key] = _uses_in(image, base, container)
    uses: Uses = tree.concluded[key]
    return uses


def _uses_in(image: BuiltImage, base: Base | None, container: Container | None) -> Uses:
    start = start_of(image.stage, base, image.files, container)
    if start.program is None:
        return unknown(start.why_not)
    if only_waits(start.program.words):
        return unknown(ENTERED)
    if image.files.is_absent:
        return unknown("the files that are copied into it, which are not here")
    uses = uses_of(start.program)
    asks = _healthcheck(image.stage, container)
    if asks:
        checked = uses_of(start.program._replace(words=asks, arguments=()))
        uses = merged(uses.read, (uses, checked))._replace(memory=uses.memory)
    return uses


def _healthcheck(stage: DockerStage, container: Container | None) -> tuple[str, ...]:
    """The command that asks for its health; empty where none does."""
    if container is not None and container.healthcheck.written and container.healthcheck.effective:
        kind, *words = container.healthcheck.effective
        return () if kind == "NONE" or not words else ("/bin/sh", "-c", words[0]) if kind == "CMD-SHELL" else tuple(words)
    item = stage.last("HEALTHCHECK")
    if item is None or len(item.values) < 2:
        return ()
    return item.values[1:] if item.is_json else ("/bin/sh", "-c", item.values[1])


def lay_over(files: ImageFiles, container: Container, tree: Tree) -> None:
    """Lay what a container mounts over the files of its image; only what is of the project is known."""
    for mount in container.mounts:
        if not mount.target:
            continue
        if mount.files is not None:
            files.mount(mount.target, WrittenFiles(mount.files, mount.place.path))
        else:
            files.mount(mount.target, ContextFiles(mount.location, tree) if mount.location else None)
    for tmpfs in container.tmpfs.effective:
        files.mount(tmpfs.path, None)
