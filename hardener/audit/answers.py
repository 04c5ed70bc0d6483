"""What one container, or one stage of a Dockerfile, answers to the audit's questions. Knows facts and needs, no finding.

An answer follows from what is asked for and from what is known of the image; what nobody knows is unknown. An image that starts
as root only to step down to another account is neither good nor bad: its beginning is root, and so is whoever is let in from
outside (`docker exec`), but what serves is not. That is `JUSTIFIED`, by what is known of the image.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from hardener.facts.container import ALL, Container, bounding_set, names
from hardener.facts.engine_socket import holds_engine_socket
from hardener.needs.needs import Needs
from hardener.posture import QUESTIONS, Answer
from hardener.record import NamedTuple

if TYPE_CHECKING:  # most projects have only one kind
    from hardener.facts.dockerfile import DockerStage
    from hardener.facts.tree import Tree
    from hardener.needs.stage import StageNeeds

_ROOT = ("", "0", "root")


class Reply(NamedTuple):
    """An answer, and why it is so: half a sentence whose subject is the container. It may hold names from files."""

    answer: Answer
    why: str = ""


#: By the `id` of each question.
Replies = Mapping[str, Reply]

_NONE = Reply(Answer.NONE)


def of_container(container: Container, needs: Needs, tree: Tree, user: Reply | None = None) -> Replies:
    """What a container answers; `tree` gives the files that its image is built from, `user` who was seen to run in it."""
    user = user or _user(container, needs, tree)
    replies = {
        "socket": _socket(container, user, needs.decided.socket_proxy),
        "non-root": user,
        "privileged": _flag(container.privileged.effective, "is privileged", "is not privileged"),
        "capabilities": _capabilities(container, needs),
        "limits": _limits(container),
        "host-network": _flag(container.host_network.effective, "shares the host's network", "has a network of its own"),
        "escalation": _escalation(container),
        "read-only": _flag(
            not container.read_only_root.effective, "may write its root file system", "has a read-only root file system"
        ),
    }
    if not container.said_elsewhere:
        return replies
    # What is said in another file may take away what is good here; what is bad stays a finding of this one.
    unknown = Reply(Answer.UNKNOWN, f"not known: {container.said_elsewhere}")
    return {id: unknown if reply.answer in (Answer.GOOD, Answer.JUSTIFIED) else reply for id, reply in replies.items()}


def of_stage(stage: DockerStage, needs: StageNeeds) -> Replies:
    """What a Dockerfile's stage answers that no container of the project is built from: only who runs in it is said there."""
    return {question.id: _stage_user(stage, needs) if question.id == "non-root" else _NONE for question in QUESTIONS}


def _flag(bad: bool, if_bad: str, if_good: str) -> Reply:
    return Reply(Answer.BAD, if_bad) if bad else Reply(Answer.GOOD, if_good)


def _socket(container: Container, user: Reply, own_proxy: str) -> Reply:
    from hardener.rules.docker_socket_mount import is_proxy

    found = [
        mount
        for mount in container.mounts
        if holds_engine_socket(mount.source if mount.kind == "bind" or mount.source[-5:] == ".sock" else "", mount.target)
    ]
    if not found:
        if container.volumes_from:
            return Reply(Answer.UNKNOWN, "mounts what other containers mount, which was not looked at")
        return Reply(Answer.GOOD, "has no way to the engine")
    if is_proxy(container, own_proxy):
        return Reply(Answer.JUSTIFIED, "is a proxy before the engine that passes nothing but reads, and to containers only")
    sockets = [mount for mount in found if mount.source != "/"]
    if sockets:
        return Reply(
            Answer.BAD, f"holds the engine's socket ({sockets[0].source or sockets[0].target}), which is root on the host"
        )
    # Sockets are open to root and to their group.
    if user.answer is Answer.GOOD:
        return Reply(Answer.UNKNOWN, "sees all of the host, with the engine's socket in it, but does not run as root")
    return Reply(Answer.BAD, "sees all of the host, with the engine's socket in it")


def _capabilities(container: Container, needs: Needs) -> Reply:
    from hardener.rules.added_capability import reaching

    dropped, added = names(container.cap_drop.effective), names(container.cap_add.effective)
    if container.privileged.effective:
        return Reply(Answer.BAD, "has every capability, because it is privileged")
    if ALL in added:
        return Reply(Answer.BAD, "is given every capability")
    reach = reaching(container, needs)
    if reach:
        return Reply(Answer.BAD, f"is given {', '.join(reach)}, which {'reach' if len(reach) > 1 else 'reaches'} the host")
    if ALL in dropped:
        return Reply(Answer.GOOD, f"drops ALL{f' and adds {_listed(added)}' if added else ''}")
    held = bounding_set(dropped, added)
    if not held:
        return Reply(Answer.GOOD, "drops every capability by name")
    return Reply(Answer.BAD, f"keeps {len(held)} capabilities")


def _listed(capabilities: frozenset[str]) -> str:
    return ", ".join(sorted(capabilities))


def _limits(container: Container) -> Reply:
    unlimited = [what for what, limit in (("memory", container.memory), ("CPU time", container.cpus)) if limit.effective is None]
    if unlimited:
        return Reply(Answer.BAD, f"has no limit of {' and of '.join(unlimited)}")
    return Reply(Answer.GOOD, "has limits of memory and CPU time")


def _escalation(container: Container) -> Reply:
    if container.privileged.effective:
        return Reply(Answer.BAD, "is privileged")
    return _flag(
        not container.no_new_privileges.effective,
        "may gain privileges through set-uid programs",
        "cannot gain privileges that it was not started with",
    )


def _user(container: Container, needs: Needs, tree: Tree) -> Reply:
    """Who runs in it: by what is asked for, by what is known of its image, or by the Dockerfile that makes it."""
    said = container.user.effective
    name = said.partition(":")[0]
    if container.refuses_root is not None and container.refuses_root.effective:
        return Reply(Answer.GOOD, "would not be started as root")
    if "$" in name:
        return Reply(Answer.UNKNOWN, f"runs as `{said}`, which is set from outside")
    if not name:
        return _of_image(container, needs, tree)
    if name in _ROOT or (name.isdecimal() and not name.strip("0")):
        return Reply(Answer.BAD, f"is told to run as {said}")
    return Reply(Answer.GOOD, f"runs as {said}")


def _of_image(container: Container, needs: Needs, tree: Tree) -> Reply:
    """Who runs in it where only its image says so."""
    if needs.holds and needs.root is False:
        account = needs.account
        name = (account.name or f"number {account.uid}") if account is not None else "another user than root"
        return Reply(Answer.GOOD, f"its image runs as {name}")
    if needs.holds and needs.root and needs.start is not None:
        if needs.start.account is None:
            return Reply(Answer.BAD, "its image runs as root")
        return Reply(Answer.JUSTIFIED, f"starts as root, and steps down to {needs.start.account.name} by itself")
    from hardener.needs.built import image_of
    from hardener.needs.stage import StageNeeds

    image = image_of(container, tree)
    if isinstance(image, str):
        return Reply(Answer.UNKNOWN, f"who runs in it is not known: {image}")
    known = StageNeeds(image.stage)
    if container.build is None and known.base is None:
        return Reply(Answer.UNKNOWN, f"who runs in {container.image_text} is not known")
    reply = _stage_user(image.stage, known)
    if reply.answer is Answer.JUSTIFIED and (container.entrypoint is not None or container.command is not None):
        return Reply(Answer.BAD, "starts as root, with a command of its own")
    return reply


def _stage_user(stage: DockerStage, needs: StageNeeds) -> Reply:
    """Who runs in an image that is made by a stage."""
    last = stage.users[-1] if stage.users else None
    if needs.user_of_the_base and last is not None:
        return Reply(Answer.UNKNOWN, f"who runs in it is not known: its base image sets `{last.item.arguments}`, or nobody")
    if last is not None and last.is_root is None:
        return Reply(Answer.BAD, f"runs as `{last.item.arguments}`, which is root unless it is set from outside")
    if last is not None and not last.is_root:
        return Reply(Answer.GOOD, f"runs as {last.text or last.item.arguments} (USER, line {last.item.line})")
    if last is None:
        from hardener.needs.stage import SCRATCH, WINDOWS

        if needs.base is not None and needs.base.starts_as is not None:
            return Reply(Answer.GOOD, f"its base image runs as {needs.base.starts_as.name}")
        if needs.base is None and needs.family not in (SCRATCH, WINDOWS):
            return Reply(Answer.UNKNOWN, f"who runs in its base image {stage.base_text or stage.chain[0].base} is not known")
    if needs.steps_down:
        return Reply(Answer.JUSTIFIED, f"starts as root, and gives that away by itself: {needs.steps_down}")
    return Reply(Answer.BAD, "runs as root" if last is None else f"runs as root (USER, line {last.item.line})")


def worst(replies: Iterable[Replies]) -> Replies:
    """For each question the worst of several answers: of a service that is judged with and without what is laid over it."""

    def badness(reply: Reply) -> int:
        return reply.answer.rank or len(Answer)

    together = list(replies)
    return {question.id: min((one[question.id] for one in together), key=badness) for question in QUESTIONS}
