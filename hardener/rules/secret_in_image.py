"""A password, token or key is written into the Dockerfile, or copied into the image.

Attack: Whoever can pull the image reads ENV with `docker inspect`, ARG and RUN with `docker history`, and a copied file
from its layer, even where a later line deletes it. They then hold the secret, and it opens what it opens until its owner
replaces it.

Background: Whoever can read the repository can read it too, and so can everybody to whom the provenance of a build is
attached, which holds the Dockerfile. A secret that was published has to be replaced, not hidden.

What may break: A secret that is mounted needs BuildKit, and everybody who builds has to pass it; a program that had its
password from ENV has to be given it at its start. Once the old one is replaced, all else that used it fails until it knows
the new one.

What we do: No edit is offered: only its owner can change a secret. What the build needs comes by `RUN --mount=type=secret`,
which leaves nothing behind; what the program needs comes when the container is started, from Compose's `secrets` or its
environment.

Literal secrets count in every stage, since the text itself is the leak. Files of keys and ARGs for secrets count where they
reach an image: a stage from which only files are copied does not keep them. A secret is recognised by its own form, by its
place in an address, or by a variable whose name says so with a value that could be one.

Left alone: Texts that ask to be replaced, certificates and public keys, and .npmrc and its kin unless the file can be read
and holds a token.

Example: variables-and-arguments
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hardener.facts.dockerfile import DockerStage, Script
from hardener.finding import Finding, Rule, Severity
from hardener.needs.stage import StageNeeds
from hardener.rules._key_files import credentials
from hardener.rules._scripts import piped_from
from hardener.rules._secrets import secret
from hardener.syntax import shell
from hardener.syntax.dockerfile import Instruction

ID = "secret-in-image"

#: A RUN without any of these names no secret.
_WORDS = (
    *("assword", "ASSWORD", "chpasswd", "--stdin", "passwd=", "PASS", "oken", "TOKEN", "ecret", "SECRET", "_KEY=", "piKey"),
    *("api-key", "api_key", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "AKIA", "xoxb-", "uthorization", "PRIVATE"),
)
_USER_IN_ADDRESS = r"://[^/\s]*@"
_USER_OF_CURL = r"\s(?:-[A-Za-z]*u|--user)[ =]?['\"]?[^\s:]+:[^\s:]"
#: Would be a secret under any name that says so.
_PROBE = "q7Zk2mXw9Rt4bLs8Vn3c"


def check(stage: DockerStage, needs: StageNeeds) -> Iterator[Finding]:
    """A stage with secrets in variables, files, commands or arguments."""
    ways = (
        ("variables", _variables(stage), "has a secret in a variable", _REPLACE),
        ("files", _files(stage) if stage.ships else (), "copies a secret into the image", _MOUNT),
        ("commands", _commands(stage), "has a secret in a command", _MOUNTED),
        ("arguments", _arguments(stage) if stage.ships else (), "takes a secret as ARG, which `docker history` shows", _MOUNT),
    )
    for way, found, message, advice in ways:
        items = list(found)
        if items:
            listed = ", ".join(dict.fromkeys(f"{what}{f' (line {item.line})' if len(items) > 1 else ''}" for item, what in items))
            place = stage.place(items[0][0])
            yield Finding(ID, stage.subject, place, f"{message}: {listed}", advice=advice, key=f"{stage.key} {way}")


_REPLACE = "replace the secret, take it out of the file, and give it when the container starts (`secrets` or the environment)"
_MOUNT = "give it to the one RUN that needs it with `RUN --mount=type=secret`, or when the container starts"
_MOUNTED = "replace the secret, and read its successor from `RUN --mount=type=secret`"


def _variables(stage: DockerStage) -> Iterator[tuple[Instruction, str]]:
    for item in _setting(stage):
        for name, value in _pairs(item):
            kind = secret(name, value) if value and not _stands_for_none(value) else ""
            if kind:
                yield item, f"`{name}` is {kind}"


def _stands_for_none(value: str) -> bool:
    """`**None**` and `**Random**` are what the scripts of some images ask for and take for nothing."""
    value = value.strip("'\"")
    return value.lower() in ("unknown", "default") or (value.startswith("**") and value.endswith("**"))


def _arguments(stage: DockerStage) -> Iterator[tuple[Instruction, str]]:
    """An ARG without a value whose name asks for a secret, and which a RUN after it gets."""
    runs = [item.index for item in stage.own("RUN")]
    for item in stage.own("ARG"):
        if runs and runs[-1] > item.index:
            for word in item.values:
                if "=" not in word.rstrip("=") and secret(word.rstrip("="), _PROBE):
                    yield item, f"`{word.rstrip('=')}`"


def _setting(stage: DockerStage) -> list[Instruction]:
    """The stage's ENV and ARG; the ARGs before all stages belong to the first one."""
    head = stage.dockerfile.instructions[: stage.stage.first] if stage.stage.index == 0 else []
    return [*head, *stage.own("ENV", "ARG")]


def _pairs(item: Instruction) -> Iterator[tuple[str, str]]:
    if item.keyword == "ENV":
        yield from zip(item.values[::2], item.values[1::2], strict=True)
    elif item.keyword == "ARG":
        for word in item.values:
            name, _, value = word.partition("=")
            yield name, value


def _files(stage: DockerStage) -> Iterator[tuple[Instruction, str]]:
    for item in stage.own("COPY", "ADD"):
        here = item.flag("from") is None
        for source in item.values[:-1]:
            what = credentials(source, item.values[-1], stage.read_context if here else _unread)
            if what:
                yield item, f"`{source}`, {what}"


def _unread(path: str) -> str | None:
    return None


def _commands(stage: DockerStage) -> Iterator[tuple[Instruction, str]]:
    text = stage.dockerfile.text
    words: tuple[str, ...] = _WORDS
    if "@" in text and re.search(_USER_IN_ADDRESS, text):
        words += ("@",)
    if "curl" in text and re.search(_USER_OF_CURL, text):
        words += ("curl",)
    for script in stage.scripts(*words):
        for kind in dict.fromkeys(kinds_in(script)):
            yield script.item, kind


def kinds_in(script: Script) -> Iterator[str]:
    """What secrets stand in the commands of a script; never the secrets themselves."""
    for at, command in enumerate(script.commands):
        for word in command.assignments:
            name, _, value = word.text.partition("=")
            yield from _some(secret(name, value))
        words = command.words
        for number, word in enumerate(words):
            after = words[number + 1] if number + 1 < len(words) else None
            yield from _some(_in_word(command.name, word, after))
        if command.name in ("echo", "printf") and len(words) > 1:
            yield from _some(_for_account(script, at, words))


def _some(kind: str) -> Iterator[str]:
    if kind:
        yield kind


def _in_word(command: str, word: shell.Word, after: shell.Word | None) -> str:
    text = word.text
    if len(text) < 3:
        return "a password" if text == "-u" and command == "curl" and after and _has_password(after.text) else ""
    option, equals, value = text.partition("=")
    name = option.rpartition(":")[2].lstrip("-")
    if equals and value and name and not name.strip(_NAME) and "$()" not in value:
        found = secret(name, value)
        if found:
            return found
    elif text.startswith("--") and after is not None and not after.text.startswith("-") and "$()" not in after.text:
        if text == "--user" and command == "curl":
            return "a password" if _has_password(after.text) else ""
        found = secret(name, after.text)
        if found:
            return found
    if "://" in text:
        user = text.partition("://")[2].partition("/")[0].rpartition("@")[0]
        return secret("", text) or (secret("", user) if user else "")
    header, colon, rest = text.partition(":")
    if colon and header.lower() in _HEADERS:
        return secret("AUTH_TOKEN", rest.split()[-1]) if rest.split() and not word.expands else ""
    return secret("", text)


_NAME = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
_HEADERS = ("authorization", "private-token", "x-api-key", "job-token")


def _has_password(text: str) -> bool:
    """Whether `user:password` has one."""
    return bool(secret("PASSWORD", text.partition(":")[2]))


def _for_account(script: Script, at: int, words: tuple[shell.Word, ...]) -> str:
    """A password that is handed to `chpasswd` or `passwd --stdin`."""
    for other in piped_from(script, at):
        text = words[-1].text.partition("\\n")[0]
        if "chpasswd" in (other.name, *other.arguments):
            encrypted = any(word in ("-e", "--encrypted") for word in other.arguments)
            return "an account's password" if not encrypted and _has_password(text) else ""
        if "passwd" in (other.name, *other.arguments) and "--stdin" in other.arguments:
            return "an account's password" if secret("PASSWORD", text) else ""
    return ""


RULE = Rule(
    id=ID,
    title="A secret in the image or its Dockerfile",
    severity=Severity.HIGH,
    cites=("CIS Docker 4.10", "OWASP Docker 12", "Docker docs: build/building/secrets"),
    stage=check,
    why="whoever can pull the image or read the repository has the secret",
)
