"""The container runs as root, because neither its Dockerfile nor its service says otherwise.

Attack: Whoever breaks into the program may change every file of the image and use all capabilities that the engine grants,
for root inside a container is root for the kernel too. They are root on the host as soon as one wall gives way, such as a
hole in the kernel or a folder of the host that is mounted.

What may break: A program under another user cannot write what belongs to root: volumes that are there already, folders of
the host, a folder of its own that nobody named. It cannot install packages while it runs, change to other users, or, with
the host's network and on some platforms, bind ports below 1024. `docker exec` lands as that user too.

What we do: In a Dockerfile the repair adds USER to the stage that runs: after everything that needs root, before the
command. It takes the user that the Dockerfile or its base image already has for this purpose, or creates one with the
commands of that system and fixed numbers. Application code stays root's, so that the program cannot change itself; only
what it is known to write is handed over. It is refused where nobody knows the base image, for Windows, for what cannot run
without root (cron, sshd, an init system), where somebody decided for root (a USER root that nothing after it was the reason
for, a comment), and for images and stages that others are built from, because their children would no longer be able to
install anything.

A service of a pulled image gets `user:` with the numbers of the account that the image's entrypoint would step down to,
where that entrypoint is known to work so; it then needs no capability at all. What it keeps on volumes belongs to that
account already. Files of the host that are mounted into it may not: then the fix is held back, with the `chown` that it
takes. A pod gets `runAsUser` and `runAsGroup` in the same way, with `fsGroup` for what it keeps on volumes, and the first
free port where it binds one that is root's; there nothing says whose the data are, and the fix is held back.

A service that is built in the project is decided by its Dockerfile, and an existing `user:` wins. A service that was run as
another user, and worked, gets that user, wherever its image is from.

Left alone: Images that give root away by themselves (gosu, su-exec, the workers of nginx or Apache).

Example: node-has-its-own-user, pulled-image
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hardener.finding import Evidence, Finding, Fix, Rule, Severity, Want

if TYPE_CHECKING:  # at run time only those of one kind are there
    from hardener.facts.container import Container, Mount
    from hardener.facts.dockerfile import DockerStage
    from hardener.needs.needs import Needs
    from hardener.needs.profile import Account
    from hardener.needs.stage import StageNeeds

ID = "root-user"
_ROOT = ("", "0", "root")


def check_container(container: Container, needs: Needs) -> Iterator[Finding]:
    """A service that is started as root."""
    user = container.user.effective
    if user.partition(":")[0] not in _ROOT:
        return
    if container.refuses_root is not None and container.refuses_root.effective:
        return  # root would not be started
    message = "is told to run as root" if user else "runs as root"
    if needs.worked_as is not None:
        numbers = f"{needs.worked_as.uid}:{needs.worked_as.gid}"
        fix = Fix(
            f"start as {numbers}",
            (Want(container.user, numbers), *_port_wants(container, needs)),
            evidence=(needs.worked_as.evidence,),
            migration=_migration(numbers, [mount.source for mount in _kept(container, needs)]),
            unsettles=True,
        )
        message += f", and works as {numbers} too"
        yield Finding(ID, container.subject, container.user.place, message, fix, key=container.key)
        return
    if container.build is not None or not needs.holds:
        if user:
            advice = f"remove `{container.user.wording}`, or name an account that is not root"
            yield Finding(ID, container.subject, container.user.place, message, advice=advice, key=container.key)
        return
    start = needs.start
    if not needs.root or start is None:
        return
    if start.account is None:
        idle = needs.capabilities == () and not needs.data and not needs.tmpfs and not container.mounts
        words = f"set `{container.user.wording}` to numbers"
        of_nobody = f"{words} that nobody owns, such as 65534:65534: it is known to need nothing of root"
        advice = of_nobody if idle else f"{words} that own what it writes, and test it"
        yield Finding(ID, container.subject, container.user.place, message, advice=advice, key=container.key)
    elif needs.user is not None and needs.user.works:
        # An image that steps down by itself, and cannot be spared its beginning as root, is left alone.
        message = f"starts as root, to step down to {start.account.name} later"
        fix = _fix(container, needs, start.account, (start.evidence, needs.user.evidence))
        yield Finding(ID, container.subject, container.user.place, message, fix, key=container.key)


def check_stage(stage: DockerStage, needs: StageNeeds) -> Iterator[Finding]:
    """A stage whose containers run as root."""
    from hardener.rules import _root_stage  # with all that it knows of Dockerfiles

    yield from _root_stage.check(stage, needs)


def _fix(container: Container, needs: Needs, account: Account, evidence: tuple[Evidence, ...]) -> Fix:
    numbers = f"{account.uid}:{account.gid}"
    foreign = _foreign(container)
    group = _given_to_group(container)
    kept = [mount for mount in _kept(container, needs) if mount not in group]
    if group:
        places = ", ".join(mount.target for mount in group)
        missing = f"whether {account.name} gets by where only its group owns {places}"
    elif kept:
        missing = f"whether {', '.join(mount.source for mount in kept)} belongs to {numbers} on the host"
    elif foreign:
        missing = f"whether {account.name} may read {', '.join(mount.source or mount.target for mount in foreign)}"
    else:
        missing = _about_own_places(container, needs, account) or (needs.user.doubt if needs.user else "")
    if container.user.effective:
        missing = "why somebody set root by name"
    return Fix(
        f"start as {account.name} ({numbers})",
        (Want(container.user, numbers), *_group_wants(container, account, group), *_port_wants(container, needs)),
        evidence=evidence,
        missing=missing,
        migration=_steps(_handed_over(account, group), _migration(numbers, [mount.source for mount in kept])),
        unsettles=True,
    )


def _foreign(container: Container) -> list[Mount]:
    """What is mounted that may belong to anybody, and be closed to others."""
    return [mount for mount in container.mounts if mount.kind not in ("volume", "tmpfs") and not mount.open_to_all]


def _kept(container: Container, needs: Needs) -> list[Mount]:
    """The folders of the host that it keeps its data in."""
    return [
        mount for mount in _foreign(container) if mount.source and not mount.read_only and _is_one_of(mount.target, needs.data)
    ]


def _given_to_group(container: Container) -> list[Mount]:
    """What is mounted that the platform gives to the container's group; nothing where it gives to none."""
    if container.volume_group is None:
        return []
    return [mount for mount in container.mounts if mount.kind in ("volume", "external") and not mount.read_only]


def _group_wants(container: Container, account: Account, group: list[Mount]) -> tuple[Want, ...]:
    """The group that goes with the account; one that somebody chose serves too, for every process is in it."""
    if container.volume_group is None or not group or container.volume_group.effective:
        return ()
    return (Want(container.volume_group, str(account.gid)),)


def _port_wants(container: Container, needs: Needs) -> tuple[Want, ...]:
    """That it may bind the ports that it serves, where the network is its own and that can be said."""
    if container.host_network.effective or not _privileged_ports(container, needs):
        return ()
    return (Want(container.first_free_port, 0),)


def _privileged_ports(container: Container, needs: Needs) -> list[int]:
    """The ports that it binds and that are root's alone."""
    ports = {*container.served_ports, *(port.number for port in needs.ports)}
    return sorted(port for port in ports if port < container.first_free_port.effective)


def _handed_over(account: Account, group: list[Mount]) -> str:
    """What becomes of data on volumes that are given to a group."""
    if not group:
        return ""
    places = ", ".join(mount.target for mount in group)
    return (
        f"at the next start all files in {places} are handed to the group {account.gid}, which may read and write them from then "
        "on: on large volumes that takes long, and keys that have to stay 0600 are then refused by their program"
    )


def _steps(*steps: str) -> str:
    """Steps for the user as one sentence; empty ones are left out."""
    return "; ".join(step for step in steps if step)


def _migration(numbers: str, sources: list[str]) -> str:
    """How data of the host changes hands, and back."""
    if not sources:
        return ""
    places = " ".join(sources)
    return f"before the next start: note `stat -c %u:%g {places}` for the way back, then: chown -R {numbers} {places}"


def _about_own_places(container: Container, needs: Needs, account: Account) -> str:
    """What may be in the way although nothing of the host is mounted."""
    for mount in container.mounts:
        if mount.kind == "volume" and not _is_one_of(mount.target, needs.data):
            return f"whether {account.name} may write {mount.target}, which the image does not own"
    for tmpfs in container.tmpfs.effective:
        if container.platform.owned_tmpfs and "uid=" not in tmpfs.options:
            return f"whether {account.name} may write the tmpfs {tmpfs.path}, which is root's"
    if container.host_network.effective and _privileged_ports(container, needs):
        return f"on the host's network {account.name} may not bind a port below {container.first_free_port.effective}"
    return ""


def _is_one_of(target: str, places: tuple[str, ...]) -> bool:
    """Whether something is mounted exactly where the image keeps its data: a folder inside of it would be root's at first."""
    return target.rstrip("/") in (place.rstrip("/") for place in places)


RULE = Rule(
    id=ID,
    title="The container runs as root",
    severity=Severity.HIGH,
    cites=(
        "CIS Docker 4.1",
        "CIS Kubernetes 5.2.7",
        "Pod Security Standards: restricted, Running as Non-root user",
        "NSA/CISA Kubernetes 1.0",
        "OWASP Docker 2",
    ),
    container=check_container,
    stage=check_stage,
    why="root in the container can change the image, use every granted capability, and is root on the host after an escape",
)
