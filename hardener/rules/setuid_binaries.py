"""A set-uid bit is put on a file of the image.

Attack: Whoever breaks into an unprivileged process of the container, and finds a hole in such a program or one that was
made to run commands, runs it. They are then root in the container, where most escapes to the host begin.

Background: A program with that bit runs as its owner, mostly root, whoever starts it: the bit undoes USER.

What may break: Without the bit the program does as its caller what it did as root, and fails where that is not allowed. A
capability on the file is void under `no-new-privileges`, as the bit is.

What we do: No edit is offered, because somebody wrote the line for a reason: a program that needs one thing of root's. A
capability on the file (`setcap cap_net_raw+ep`) often gives just that.

Left alone: The bits that base images bring along (su, mount, passwd, ping) have no finding of their own. Every image has
them, so that it would say nothing about this one; `no-new-privileges`, which the repair of privilege-escalation writes
where the container is started, makes all of them void without a new layer, and stays right when the base image changes. Who
wants them out of the image as well writes `RUN find / -xdev -perm /6000 -type f -exec chmod a-s {} +` as root after the
last package.

Nothing is said about set-gid alone, which is usual for folders, and about stages from which only files are copied.

Example: bits-that-are-added
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.dockerfile import DockerStage
from hardener.finding import Finding, Rule, Severity
from hardener.needs.stage import StageNeeds
from hardener.rules._scripts import lines_of
from hardener.syntax import shell

ID = "setuid-binaries"

#: Without a mode of this kind none sets the bit.
_BIT = r"[+=][rwxXt]*s|(?<![\w.])0*[4-7][0-7]{3}(?![\w.])|-m0*[4-7][0-7]{3}"
_VALUED = frozenset(("-o", "-g", "-S", "-t", "--owner", "--group", "--suffix", "--target-directory"))


def check(stage: DockerStage, needs: StageNeeds) -> Iterator[Finding]:
    """A stage of an image that adds a set-uid bit."""
    if not stage.ships:
        return
    found = [(item, item.values[-1]) for item in stage.own("COPY", "ADD") if sets_uid(item.flag("chmod") or "")]
    for script in stage.scripts("chmod", "install -", pattern=_BIT):
        for command in script.commands:
            found += ((script.item, file) for file in set_uid_files(command.words))
    if not found:
        return
    names = ", ".join("what `find` names" if name == "{}" else f"`{name}`" for name in dict.fromkeys(name for _, name in found))
    yield Finding(
        ID,
        stage.subject,
        stage.place(found[0][0]),
        f"sets the set-uid bit on {names} ({lines_of([item.line for item, _ in found])}): who starts it becomes its owner",
        advice="leave the bit out; where the program needs one thing of root's, give the file that capability with setcap",
        key=stage.key,
    )


def set_uid_files(words: tuple[shell.Word, ...]) -> Iterator[str]:
    """The files on which a command sets the set-uid bit, behind sudo, find and xargs too."""
    texts = [word.text for word in words]
    for at, text in enumerate(texts):
        name = text.rpartition("/")[2]
        if name == "chmod":
            rest = [
                word for word in texts[at + 1 :] if not word.startswith("--") and word not in ("-R", "-v", "-f", "-c", ";", "+")
            ]
            if rest and sets_uid(rest[0]):
                yield from rest[1:] or ("?",)
            return
        if name == "install" and at == 0:
            yield from _installed(texts[1:])
            return


def _installed(texts: list[str]) -> Iterator[str]:
    mode = ""
    plain = []
    rest = iter(texts)
    for text in rest:
        if text in ("-m", "--mode"):
            mode = next(rest, "")
        elif text.startswith(("--mode=", "-m")):
            mode = text.partition("=")[2] if text.startswith("--") else text[2:]
        elif text in _VALUED:
            next(rest, None)
        elif not text.startswith("-"):
            plain.append(text)
    if plain and sets_uid(mode):
        yield plain[-1]


def sets_uid(mode: str) -> bool:
    """Whether a mode of chmod, in numbers or letters, sets the set-uid bit."""
    if mode and not mode.strip("01234567"):
        return len(mode) < 9 and bool(int(mode, 8) & 0o4000)
    for clause in mode.split(","):
        who = clause.rstrip("rwxXstugo0123456789").rstrip("+=-")
        action = clause[len(who) :]
        if action[:1] in ("+", "=") and "s" in action and not who.strip("ugoa") and (not who or "u" in who or "a" in who):
            return True
    return False


RULE = Rule(
    id=ID,
    title="A set-uid bit is added to the image",
    severity=Severity.MEDIUM,
    cites=("CIS Docker 4.8",),
    stage=check,
    why="a hole in such a program makes an unprivileged user root in the container",
)
