"""How a container starts: the program that its entrypoint and command make together. Knows no language and no rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hardener.facts.dockerfile import DockerStage
from hardener.facts.image_files import ImageFiles
from hardener.needs.bases import Base
from hardener.needs.source.uses import Program
from hardener.record import NamedTuple
from hardener.syntax.dockerfile import Instruction

if TYPE_CHECKING:  # a Dockerfile alone has no container
    from hardener.facts.container import Container


#: How the engine starts the shell form of a command.
_SHELL = ("/bin/sh", "-c")


class Start(NamedTuple):
    """The program that a container starts with, or why it is not known."""

    program: Program | None
    why_not: str = ""


def start_of(stage: DockerStage, base: Base | None, files: ImageFiles, container: Container | None = None) -> Start:
    """What is started by a stage's image, as a container asks for it.

    An own entrypoint of either makes the base's not matter; otherwise it must be known that the base has none, or one that
    only starts what it is given (`Base.entrypoint`).
    """
    entrypoint_item, command_item = stage.last("ENTRYPOINT"), stage.last("CMD")
    if entrypoint_item is not None and command_item is not None and _resets(stage, entrypoint_item, command_item):
        command_item = None
    entrypoint, command = _words(entrypoint_item), _words(command_item)
    at = stage.at(entrypoint_item or command_item or stage.from_item)
    if container is not None and container.entrypoint is not None:
        # With an entrypoint of its own, a service loses the image's command too.
        entrypoint, command, at = container.entrypoint, (), _at(container)
    elif entrypoint_item is None and stage.base_text != "scratch" and (base is None or not base.entrypoint):
        return Start(None, f"the entrypoint of the base image `{stage.base_text or stage.chain[0].base}`")
    if container is not None and container.command is not None:
        command, at = container.command, at if entrypoint else _at(container)
    words = (*entrypoint, *command)
    if stage.laid_over:
        return Start(None, f"what `{stage.laid_over}` has, whose whole file system is copied over it")
    if not words:
        return Start(None, "what the base image starts by itself")
    environment, more = _environment(stage, container)
    # A base image that nobody knows may set any.
    more = more or (base is None and stage.base_text != "scratch")
    return Start(
        Program(
            words=words,
            workdir=_workdir(stage, container),
            environment=environment,
            more_environment=more,
            files=files,
            at=at,
            arguments=command if entrypoint else (),
            accounts=accounts_of(stage),
        )
    )


def accounts_of(stage: DockerStage) -> Mapping[str, str]:
    """The numbers of the accounts that a stage creates, by name: "uid:gid", with the group left out where it is not told."""
    groups = {user.name: user.uid for user, _ in stage.new_users if user.is_group and user.uid is not None}
    found = {}
    for user, _ in stage.new_users:
        if user.is_group or user.uid is None:
            continue
        # An account without a named group gets one of its own, whose number is the same where that is free.
        group = (
            int(user.group) if user.group.isdecimal() else groups.get(user.group or user.name, None if user.group else user.uid)
        )
        found[user.name] = f"{user.uid}:{group}" if group is not None else str(user.uid)
    return found


def _words(item: Instruction | None) -> tuple[str, ...]:
    if item is None:
        return ()
    if item.is_json:
        return item.values
    return (*_SHELL, item.arguments) if item.arguments else ()


def _resets(stage: DockerStage, entrypoint: Instruction, command: Instruction) -> bool:
    """Whether an ENTRYPOINT comes in a later stage than the CMD, which is then gone."""
    own = next(member for member in reversed(stage.chain) if entrypoint in member.instructions)
    return command.index < own.first


def _workdir(stage: DockerStage, container: Container | None) -> str:
    asked = container.workdir if container is not None else ""
    return asked or stage.workdir or "/"


def _environment(stage: DockerStage, container: Container | None) -> tuple[dict[str, str | None], bool]:
    found = dict(stage.variables)
    if container is None:
        # Whoever starts the image may set more.
        return found, True
    return found | container.environment, bool(container.missing_env_files)


def _at(container: Container) -> str:
    return f"{container.place.path}:{container.place.line}"
