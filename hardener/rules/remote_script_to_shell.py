"""A script from the network is run as it arrives, unseen and unverified.

Attack: Whoever has taken over the server, its name or the way to it answers with a script of their own, and may do so only
where a shell is listening. It then runs in the build, mostly as root, with every secret that the build has, and what it
leaves behind is in the image.

Background: `curl https://... | sh` runs whatever that server, or whoever has taken it or its name over, answers at that
moment. A server can tell a pipe from a browser and answer differently, a broken connection runs half of a script, and
nothing says afterwards what was run.

What may break: A checksum ends the build on the day that the script changes, until somebody has read the new one and
written its checksum down. An address without a version in it changes often.

What we do: No edit is offered, because what the script should be is not in the file. The way out is to download it to a
file, compare it with a checksum that stands in the Dockerfile, and run that file; or to install a package whose signature
is checked. It is looked for in pipes (`curl ... | bash -s --`), in substitutions (`sh -c "$(curl ...)"`, `bash <(wget
...)`, `eval`, `source`) and for scripts in Python, Perl, Ruby, Node and PHP.

Left alone: Where the same RUN verifies a checksum or a signature, where a program reads what arrives as data (`| python3
-c`, `| tar x`), and what ONBUILD keeps for others.

Example: pipes-and-substitutions
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.dockerfile import DockerStage, Script
from hardener.finding import Finding, Rule, Severity
from hardener.needs.stage import StageNeeds
from hardener.rules._scripts import (
    FETCHERS,
    SHELLS,
    and_lines,
    by_first,
    host_of,
    is_local,
    name_of,
    piped_from,
    unwrapped,
    url_in,
    verifies,
    within,
)
from hardener.syntax import shell
from hardener.syntax.dockerfile import Instruction

ID = "remote-script-to-shell"

_INTERPRETERS = ("python", "perl", "ruby", "node", "php", "pwsh")
#: Letters after which an interpreter takes its program from an argument or a module, and the standard input is data.
_PROGRAM_GIVEN = {"python": "cm", "perl": "enpEa", "ruby": "enpa", "node": "epr", "php": "rfBRF", "pwsh": "cCfF"}
#: Without a word of this kind nothing is run.
_RUNS = r"(?<![\w.-])(?:(?:ba|da|a|z|k|fi)?sh|python[\d.]*|perl|ruby|node|php|pwsh|eval|source|\.|su|runuser)(?![\w.-])"
_SHELL_VALUED = frozenset(("-o", "+o", "-O", "+O", "--rcfile", "--init-file"))
#: Scripts as arguments of scripts, as in `su -c "sh -c '...'"`, are followed this far.
_DEPTH = 3


def check(stage: DockerStage, needs: StageNeeds) -> Iterator[Finding]:
    """A stage with a RUN that runs what it downloads."""
    found: dict[str, list[Instruction]] = {}
    for script in stage.scripts(*FETCHERS, pattern=_RUNS):
        for host in dict.fromkeys(fetched_and_run(script)):
            found.setdefault(host, []).append(script.item)
    for item, hosts in by_first(found).items():
        named = and_lines({host or "the network": found[host] for host in hosts})
        yield Finding(
            ID,
            stage.subject,
            stage.place(item),
            f"runs a script straight from {named}",
            advice="download it to a file, compare that with a checksum written here (`sha256sum -c`), then run it; "
            "or install a package that is signed",
            key=f"{stage.key} {' '.join(hosts)}",
        )


def fetched_and_run(script: Script, depth: int = 0) -> Iterator[str]:
    """The hosts whose answers a script runs, empty for an address that is not known. None where it verifies anything."""
    if not any(command.name in FETCHERS or _holds_fetcher(command) for command in script.commands) or verifies(script):
        return
    for at, command in enumerate(script.commands):
        words = unwrapped(command.words)
        name = name_of(words)
        if name in FETCHERS:
            url = url_in(command)
            if not is_local(url) and any(_reads_program(unwrapped(other.words)) for other in piped_from(script, at)):
                yield host_of(url)
        elif name in SHELLS or name in ("eval", "source", ".", "su", "runuser"):
            yield from _from_words(script, words, depth)


def _holds_fetcher(command: shell.Command) -> bool:
    return any(fetcher in word.text for word in command.words for fetcher in FETCHERS)


def _from_words(script: Script, words: tuple[shell.Word, ...], depth: int) -> Iterator[str]:
    """What a shell, `eval` or `source` is given to run: a substitution, or a script as one word."""
    for word in _program_words(words):
        if word.text.startswith("$()"):
            fetches = (command for command in within(script, word) if name_of(unwrapped(command.words)) in FETCHERS)
            yield from (host_of(url) for url in map(url_in, fetches) if not is_local(url))
        elif depth < _DEPTH and any(fetcher in word.text for fetcher in FETCHERS):
            yield from fetched_and_run(Script(script.item, word.text, shell.commands(word.text)), depth + 1)


def _program_words(words: tuple[shell.Word, ...]) -> tuple[shell.Word, ...]:
    name = name_of(words)
    if name == "eval":
        return words[1:2]
    if name in ("source", "."):
        return words[1:2]
    rest = iter(words[1:])
    for word in rest:
        text = word.text
        if text in _SHELL_VALUED:
            next(rest, None)
        elif text == "--command" or (text.startswith("-") and not text.startswith("--") and text.endswith("c")):
            after = next(rest, None)
            return (after,) if after is not None else ()
        elif not text.startswith("-") and name in SHELLS:
            return (word,)
    return ()


def _reads_program(words: tuple[shell.Word, ...]) -> bool:
    """Whether a command takes its program from the standard input."""
    name = name_of(words)
    if name in SHELLS:
        return _shell_reads(words)
    kind = next((kind for kind in _INTERPRETERS if name.startswith(kind) and not name[len(kind) :].strip("0123456789.")), "")
    if not kind:
        return False
    for word in words[1:]:
        text = word.text
        if text in ("-", "/dev/stdin") or (text == "--" and kind == "php"):
            return True
        if not text.startswith("-") or (not text.startswith("--") and any(letter in text for letter in _PROGRAM_GIVEN[kind])):
            return False
        if text.startswith("--") and kind in ("node", "php", "ruby"):
            return False
    return True


def _shell_reads(words: tuple[shell.Word, ...]) -> bool:
    rest = iter(words[1:])
    for word in rest:
        text = word.text
        if text in ("-", "/dev/stdin"):
            return True
        if text in _SHELL_VALUED:
            next(rest, None)
        elif text.startswith("-") and not text.startswith("--"):
            if "s" in text:
                return True
            if "c" in text:
                return False
        elif not text.startswith("--"):
            return False
    return True


RULE = Rule(
    id=ID,
    title="A downloaded script is run unverified",
    severity=Severity.MEDIUM,
    cites=("CIS Docker 4.11", "OWASP Docker 13"),
    stage=check,
    why="whoever controls the server or the way to it runs commands in the build and in the image",
)
