"""The image has sudo, or rules that let a user become root without a password.

Attack: Whoever breaks into an unprivileged process that may use sudo without a password runs one more command. They are
then root in the container, and USER was for nothing.

Background: USER takes root away from the program; sudo gives it back. Without such rules sudo is still a large set-uid
program with a history of holes.

What may break: What calls sudo, in the Dockerfile or later, does not find it any more: installation scripts, commands of an
entrypoint, people who work in the container.

What we do: No edit is offered, for that reason. The build does not need it: `USER root` before the RUN and the former user
after it do the same. A program that starts as root and goes on as another user needs gosu, su-exec or setpriv, which have
no rules and are not set-uid. Where sudo is only used in RUN and installed by no line, it comes with the base image, and so
does its danger.

Left alone: Stages from which only files are copied, and those that remove sudo again.

Example: password-not-asked
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.accounts import installed
from hardener.facts.dockerfile import DockerStage
from hardener.finding import Finding, Rule, Severity
from hardener.needs.stage import StageNeeds
from hardener.syntax.dockerfile import Instruction

ID = "sudo-in-image"

_REMOVERS = frozenset(("apt-get", "apt", "aptitude", "apk", "yum", "dnf", "microdnf", "zypper", "dpkg", "rpm"))
_REMOVES = frozenset(("remove", "purge", "autoremove", "del", "erase", "-P", "-r", "-e"))


def check(stage: DockerStage, needs: StageNeeds) -> Iterator[Finding]:
    """A stage of an image that installs sudo, uses it, or writes its rules."""
    if not stage.ships:
        return
    found: dict[str, Instruction] = {}
    for script in stage.scripts("sudo", "NOPASSWD"):
        item = script.item
        if "NOPASSWD" in script.text:
            found.setdefault("rules", item)
        for command in script.commands:
            if command.name == "sudo" and not any(word in ("-V", "--version") for word in command.arguments[:1]):
                found.setdefault("used", item)
            words = command.words[1:] if command.name == "sudo" else command.words
            name, *arguments = [word.text for word in words] or [""]
            name = name.rpartition("/")[2]
            if "sudo" in installed(name, arguments):
                found.setdefault("installed", item)
            elif name in _REMOVERS and "sudo" in arguments and not _REMOVES.isdisjoint(arguments):
                found.pop("installed", None)
                found.pop("rules", None)
                if "used" in found:
                    found.pop("used")
    if not found:
        return
    kind = next(kind for kind in ("rules", "installed", "used") if kind in found)
    yield Finding(
        ID,
        stage.subject,
        stage.place(found[kind]),
        _message(stage, kind),
        advice=_ADVICE[kind],
        key=stage.key,
    )


_ADVICE = {
    "rules": "take out sudo and its rules; write `USER root` before a RUN that needs it and the former user after it",
    "installed": "do not install it: `USER root` before a RUN does the same, and gosu or setpriv when the container starts",
    "used": "write `USER root` before this RUN and the former user after it, and begin from an image without sudo",
}


def _message(stage: DockerStage, kind: str) -> str:
    last = stage.users[-1] if stage.users else None
    user = last.text.partition(":")[0] if last is not None and last.text and last.is_root is False else ""
    if kind == "rules":
        return f"lets `{user}` become root without a password" if user else "has sudo rules without a password (NOPASSWD)"
    if kind == "installed":
        return f"installs sudo, though it runs as `{user}`" if user else "installs sudo"
    return "uses sudo in a RUN, which is there for whoever runs in the container too"


RULE = Rule(
    id=ID,
    title="The image has sudo",
    severity=Severity.MEDIUM,
    cites=("CIS Docker 4.3", "CIS Docker 4.8", "Docker docs: build/building/best-practices"),
    stage=check,
    why="a process that was made unprivileged can become root again",
)
