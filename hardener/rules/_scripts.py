"""How the commands of a RUN hang together: pipes, substitutions, what runs another command, what verifies. Knows no hazard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from hardener.facts.dockerfile import Script
from hardener.syntax import shell
from hardener.syntax.dockerfile import Instruction

SHELLS = frozenset("sh bash ash dash zsh ksh fish".split())
#: What fetches from a network and prints or saves it.
FETCHERS = frozenset(("curl", "wget"))
#: What runs the command that follows it, with their options that take a value.
_RUNNERS = {
    "sudo": ("-u", "--user", "-g", "--group", "-h", "-p", "-C"),
    "env": ("-u", "--unset", "-C", "--chdir"),
    "exec": ("-a",),
    "nice": ("-n",),
    "timeout": ("-k", "-s"),
    "command": (),
    "nohup": (),
    "time": (),
    "gosu": (),
    "su-exec": (),
    "eatmydata": (),
}
#: The first word behind these is theirs, and the command comes after it.
_ONE_MORE = frozenset(("timeout", "gosu", "su-exec"))
_VERIFIERS = frozenset(
    "sha1sum sha224sum sha256sum sha384sum sha512sum shasum b2sum md5sum gpgv gpgv2 cosign minisign signify slsa-verifier".split()
)


def unwrapped(words: tuple[shell.Word, ...]) -> tuple[shell.Word, ...]:
    """The words of the command behind `sudo`, `env NAME=value` and their kin."""
    while words:
        name = words[0].text.rpartition("/")[2]
        valued = _RUNNERS.get(name)
        if valued is None:
            return words
        at = 1
        while at < len(words) and (words[at].text.startswith("-") or (name != "exec" and "=" in words[at].text)):
            at += 2 if words[at].text in valued else 1
        words = words[at + (name in _ONE_MORE) :]
    return words


def name_of(words: tuple[shell.Word, ...]) -> str:
    """The first word without its folder."""
    return words[0].text.rpartition("/")[2] if words else ""


def piped_from(script: Script, at: int) -> Iterator[shell.Command]:
    """The commands that the output of the one at an index goes through, pipe by pipe."""
    commands = script.commands
    command = commands[at]
    for following in commands[at + 1 :]:
        if following.start < command.end:
            continue  # within a substitution of the command
        between = script.text[command.end : following.start].translate(_NO_BRACKETS)
        if between not in ("|", "|&"):
            return
        yield following
        command = following


_NO_BRACKETS = str.maketrans("", "", " \t\r\n\\(){}")


def within(script: Script, word: shell.Word) -> Iterator[shell.Command]:
    """The commands in the substitutions of a word."""
    if word.expands:
        yield from (command for command in script.commands if word.start <= command.start and command.end <= word.end)


def verifies(script: Script) -> bool:
    """Whether a checksum or a signature is verified among its commands."""
    for command in script.commands:
        name = command.name
        if name in _VERIFIERS:
            return True
        arguments = command.arguments
        if name in ("gpg", "gpg2") and any(word.startswith("--verify") for word in arguments):
            return True
        if name == "openssl" and arguments[:1] and arguments[0] in ("dgst", "sha256", "sha512", "sha1", "md5"):
            return True
        if name in ("rpm", "rpmkeys") and ("--checksig" in arguments or "-K" in arguments):
            return True
    return False


def url_in(command: shell.Command) -> str:
    """The first address that a command names, empty when there is none."""
    return next((word for word in command.arguments if "://" in word), "")


def host_of(address: str) -> str:
    """The host that an address names, without anything that may be a credential."""
    rest = address.partition("://")[2] or address
    return rest.partition("/")[0].partition("?")[0].rpartition("@")[2]


def is_local(address: str) -> bool:
    """Whether an address does not leave the machine."""
    name = host_of(address).partition(":")[0]
    return address.startswith("file:") or name in ("localhost", "127.0.0.1")


_Hazard = TypeVar("_Hazard")


def by_first(found: Mapping[_Hazard, list[Instruction]]) -> dict[Instruction, list[_Hazard]]:
    """What was found, by the instruction where it stands first: there it is one finding."""
    places: dict[Instruction, list[_Hazard]] = {}
    for what, items in found.items():
        places.setdefault(items[0], []).append(what)
    return places


def and_lines(found: Mapping[str, list[Instruction]]) -> str:
    """What was found, each with its lines where there are several."""
    return ", ".join(
        f"{what} ({lines_of([item.line for item in items])})" if len({item.line for item in items}) > 1 else what
        for what, items in found.items()
    )


def lines_of(lines: list[int]) -> str:
    """Line numbers for a sentence: `line 3`, `lines 3, 7 and 9`."""
    numbers = [str(line) for line in dict.fromkeys(lines)]
    return f"line {numbers[0]}" if len(numbers) == 1 else f"lines {', '.join(numbers[:-1])} and {numbers[-1]}"
