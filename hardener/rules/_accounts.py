"""Which user a stage should run as, and the instructions that create it. Knows no place in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hardener.facts.dockerfile import DockerStage, Run
from hardener.finding import Evidence, Strength
from hardener.needs.stage import SCRATCH, StageNeeds
from hardener.syntax.dockerfile import Dockerfile

#: Above every number that the families' images use and that their tools would give next (0-999 for the system, from 1000
#: for people), below those of `nobody` and distroless (65532-65535), and above 10000, where some policies begin to be content.
FIRST_ID = 10001
_NAMES = ("app", "appuser", "runner", "service")
_WIDTH = 100
_GIVERS = frozenset(("chown", "chgrp"))
#: Commands that become another user, and are told which one among their first words.
_BECOMING = frozenset("su su-exec gosu setuser setuidgid s6-setuidgid chpst runuser".split())
_SUDO = r"\bsudo (?:-\w+ ){0,4}(?:-\w*u *|--user[= ])([A-Za-z_][\w.-]*)"
_ACCOUNT_TOOLS = frozenset("usermod groupmod gpasswd passwd adduser addgroup useradd groupadd".split())
#: Owners of a service beside the program, which a Dockerfile prepares: not whom the program should be.
_BESIDE = frozenset("postgres mysql redis mongodb rabbitmq syslog messagebus mail man _apt".split())
#: More than this lines something up, and is no step.
_DEEPEST = 8


class Runner(NamedTuple):
    """The user that a stage should run as."""

    #: What USER takes.
    user: str
    #: What chown takes.
    owner: str
    #: Words for the comment above.
    comment: str
    evidence: Evidence
    #: Commands that create it; empty when it is there already.
    creation: tuple[str, ...] = ()


def choose(stage: DockerStage, needs: StageNeeds) -> Runner:
    """The user that is there already for this purpose, or else a new one."""
    return _earlier(stage) or _created(stage) or _of_base(stage, needs) or _served(stage, needs) or _new(stage, needs)


def mentioned(stage: DockerStage) -> frozenset[str]:
    """The users and groups that the Dockerfile names: what it does not create itself is there already."""
    found = {name for user in stage.users for name in (user.text or "").split(":")}
    for _, item in stage.items:
        if item.keyword in ("COPY", "ADD"):
            found.update((item.flag("chown") or "").split(":"))
        elif item.keyword == "RUN" and "sudo" in item.arguments:
            found.update(re.findall(_SUDO, item.arguments))
    for run in stage.commands:
        found.update(_mentioned_by(run))
    return frozenset(found)


def _mentioned_by(run: Run) -> Iterator[str]:
    words = run.known
    if run.name in _GIVERS:
        given = next((word for word in words if not word.startswith("-")), "")
        yield from re.split("[:.]", given)
    elif run.name in _BECOMING:
        # Of `gosu app serve` the program is taken for a name too, which only means that it is not used for a new one.
        yield from (re.split("[:=]", word)[0] for word in words[:4])
    elif run.name in _ACCOUNT_TOOLS:
        yield from (name for word in words for name in word.split(","))
    elif run.name == "install":
        for option, value in zip(words, (*words[1:], ""), strict=True):
            if option in ("-o", "-g"):
                yield value
            elif option.startswith(("--owner=", "--group=")):
                yield option.partition("=")[2]


def _earlier(stage: DockerStage) -> Runner | None:
    """The user that the file itself had chosen before it went back to root."""
    for user in reversed(stage.users):
        if user.is_root is False and user.stage is stage.stage and user.text is not None:
            evidence = Evidence(f"the file itself works as {user.text} before", stage.at(user.item), Strength.READ)
            return Runner(user.item.arguments, user.text, "Back to the unprivileged user", evidence)
    return None


def _created(stage: DockerStage) -> Runner | None:
    new = [(user, run) for user, run in stage.new_users if not user.is_group and user.uid != 0 and _plain(user.name)]
    users = {user.name: (user, run) for user, run in new}
    groups = {user.name for user, _ in stage.new_users if user.is_group}
    if len(users) > 1:
        used = {name: found for name, found in users.items() if name in owners(stage)}
        users = used or {}
    if len(users) != 1:
        return None
    ((name, (user, run)),) = users.items()
    owner = f"{name}:{name}" if name in groups and user.group in ("", name) else name
    evidence = Evidence(f"the user {name} is created for it", stage.at(run.item), Strength.READ)
    return Runner(name, owner, "Run as the user created above", evidence)


def _plain(name: str) -> bool:
    return name != "root" and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", name) is not None


def owners(stage: DockerStage) -> frozenset[str]:
    """The users that files are handed to."""
    found = {(item.flag("chown") or "").partition(":")[0] for _, item in stage.items if item.keyword in ("COPY", "ADD")}
    for run in stage.commands:
        if run.name == "chown":
            given = next((word for word in run.known if not word.startswith("-")), "")
            found.add(given.partition(":")[0].partition(".")[0])
        elif run.name == "install":
            found.update(value for option, value in zip(run.known, run.known[1:], strict=False) if option == "-o")
    return frozenset(found - {"", "root", "0", "?"})


def _of_base(stage: DockerStage, needs: StageNeeds) -> Runner | None:
    if needs.base is None:
        return None
    account = needs.base.starts_as or needs.base.account
    if account is None:
        return None
    comment = "Back to the image's own unprivileged user" if needs.base.starts_as else "Run as the image's own unprivileged user"
    group = account.name if account.gid == account.uid else str(account.gid)
    return Runner(account.name, f"{account.name}:{group}", comment, needs.base.evidence)


def _served(stage: DockerStage, needs: StageNeeds) -> Runner | None:
    """The user that the file hands its files to and does not create: chown would fail if the image did not have it."""
    if needs.family in (SCRATCH, "none"):
        return None
    given = owners(stage)
    debian = needs.family == "debian" and "www-data" in given
    names = ["www-data"] if debian else [name for name in given - _BESIDE if _plain(name)]
    if len(names) != 1 or (len(given) > 1 and not debian) or any(user.name in names for user, _ in stage.new_users):
        return None
    (name,) = names
    evidence = Evidence(f"files are handed to {name}", stage.source.path, Strength.READ)
    # That a group has the same name is known of www-data only.
    owner = f"{name}:{name}" if debian or _has_group(stage, name) else name
    return Runner(name, owner, "Run as the user who owns its files", evidence)


def _has_group(stage: DockerStage, name: str) -> bool:
    pair = f"{name}:{name}"
    copied = any(item.flag("chown") == pair for _, item in stage.items if item.keyword in ("COPY", "ADD"))
    return copied or any(pair in run.known for run in stage.commands if run.name == "chown")


def _new(stage: DockerStage, needs: StageNeeds) -> Runner:
    taken = {user.name for user, _ in stage.new_users} | mentioned(stage)
    if needs.base and needs.base.account:
        taken.add(needs.base.account.name)
    numbers = {user.uid for user, _ in stage.new_users}
    name = next(name for name in (*_NAMES, *(f"app{n}" for n in range(2, len(taken) + 10))) if name not in taken)
    number = next(number for number in range(FIRST_ID, FIRST_ID + len(numbers) + 1) if number not in numbers)
    ids = f"{number}:{number}"
    if needs.family == SCRATCH:
        evidence = Evidence("scratch has no users, and needs none for a number", stage.at(stage.from_item), Strength.READ)
        return Runner(ids, ids, "Run as an unprivileged user", evidence)
    evidence = needs.base.evidence if needs.base else Evidence("", "")
    creation = _creation(needs.family, name, number)
    return Runner(name if needs.named_users else ids, f"{name}:{name}", "Run as an unprivileged user", evidence, creation)


def _creation(family: str, name: str, number: int) -> tuple[str, ...]:
    if family in ("alpine", "busybox"):
        return (f"addgroup -S -g {number} {name}", f"adduser -S -D -u {number} -G {name} {name}")
    if family == "rhel-minimal":
        # These images have no useradd.
        return (
            f"echo '{name}:x:{number}:' >> /etc/group",
            f"echo '{name}:x:{number}:{number}::/home/{name}:/sbin/nologin' >> /etc/passwd",
            f"mkdir -p /home/{name}",
            f"chown {number}:{number} /home/{name}",
        )
    return (f"groupadd --gid {number} {name}", f"useradd --uid {number} --gid {name} --no-log-init --create-home {name}")


def run_instruction(commands: Sequence[str], dockerfile: Dockerfile) -> tuple[str, ...]:
    """The lines of one RUN, continued as the file continues its own."""
    whole = "RUN " + " && ".join(commands)
    if len(whole) <= _WIDTH:
        return (whole,)
    lines = [f"{'RUN ' if not at else f'{_indentation(dockerfile)}&& '}{command}" for at, command in enumerate(commands)]
    return (*(f"{line} {dockerfile.escape}" for line in lines[:-1]), lines[-1])


def _indentation(dockerfile: Dockerfile) -> str:
    for item in dockerfile.instructions:
        if item.keyword == "RUN" and item.head_last_line > item.line:
            line = dockerfile.text[item.start : item.head_end].split("\n")[1]
            indentation = line[: len(line) - len(line.lstrip(" \t"))]
            if 0 < len(indentation) <= _DEEPEST:
                return indentation
    return "    "
