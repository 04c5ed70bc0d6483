"""Which reader knows a program, and the programs that only start another. Knows no language, no container and no rule."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from hardener.finding import Evidence, Strength
from hardener.needs.source.uses import Capability, Memory, Program, Read, Reader, Uses, unknown

#: How many programs may start one another before it counts as a circle.
_DEEPEST = 12
_INITS = frozenset(("tini", "tini-static", "dumb-init", "catatonit"))
#: How many programs may be read for one.
_MOST = 400
#: The readers, in the order in which they are asked: modules of this package with a `reader`.
_READERS = ("script", "python", "node", "java", "php", "ruby", "go", "server", "command")
#: Programs that no other reader could know: by the beginning of their name.
_NAMED = {"python": "python", "gunicorn": "python", "uvicorn": "python", "node": "node", "npm": "node", "java": "java"}
#: Programs that start the one behind them and do nothing else that counts: the options of theirs that take a value.
_RUNNERS = {
    "exec": "-a",
    "command": "",
    "env": "-u --unset -C --chdir -S",
    "nice": "-n",
    "nohup": "",
    "stdbuf": "-i -o -e",
    "time": "",
    "timeout": "-k -s --signal --kill-after",
    "tini": "-p -e -v",
    "tini-static": "-p -e -v",
    "dumb-init": "-r --rewrite",
    "catatonit": "",
    "setsid": "",
}


def uses_of(program: Program) -> Uses:
    """What a program does, by the first reader that knows it; everything is in doubt where none does."""
    return _read(program, 0, {})


def unwrapped(program: Program) -> Program:
    """The program behind `exec`, `tini --`, `env A=b`, `timeout 5` and their kin, with what they set."""
    words, environment = program.words, dict(program.environment)
    while words:
        name = words[0].rpartition("/")[2]
        if name not in _RUNNERS or len(words) == 1:
            break
        valued = _RUNNERS[name].split()
        rest = iter(words[1:])
        left: list[str] = []
        for word in rest:
            if word == "--":
                left = list(rest)
            elif word in valued:
                next(rest, "")
            elif name == "env" and "=" in word and not word.startswith("-"):
                key, _, value = word.partition("=")
                environment[key] = None if "$" in value else value
            elif not word.startswith("-"):
                left = [word, *rest]
        if name == "timeout":
            left = left[1:]
        words = tuple(left)
    return program._replace(words=words, environment=environment)


def _read(program: Program, depth: int, known: dict[object, Uses]) -> Uses:
    init = program.name in _INITS
    program = unwrapped(program)
    if not program.words:
        return unknown("what it starts is not known")
    if depth > _DEEPEST:
        return unknown(f"`{program.name}` starts others without end")
    if len(known) > _MOST:
        return unknown(f"what the programs do beyond the {_MOST} that were read")
    key = (program.words, program.workdir, frozenset(program.environment.items()))
    if key not in known:
        # What starts itself again adds nothing to what it does.
        again = Evidence(f"{program.name} is read already", program.at, Strength.READ)
        known[key] = Uses(again, memory=Memory(0, program.name, again))
        known[key] = _first(program, lambda other: _read(other, depth + 1, known))
    return _signalled(known[key], program) if init else known[key]


def _signalled(uses: Uses, program: Program) -> Uses:
    """The uses of a program whose init, which stays root, hands signals on to it."""
    if all(capability.name != "SETUID" for capability in uses.capabilities):
        return uses
    evidence = Evidence("its init hands signals on to another account's program", program.at, Strength.READ)
    return uses._replace(capabilities=(*uses.capabilities, Capability("KILL", evidence.claim, evidence)))


def _first(program: Program, read: Read) -> Uses:
    """What the first reader that knows it says."""
    for reader in _readers(program.name):
        uses = reader(program, read)
        if uses is not None:
            return uses
    return unknown(f"what `{program.name}` does", Evidence(f"{program.name} was not read", program.at))


def _readers(program: str) -> Iterator[Reader]:
    """The readers, the one that a program's name tells before the others; each is imported only when it is asked."""
    named = next((module for head, module in _NAMED.items() if program.startswith(head)), "")
    for name in (named, *(name for name in _READERS if name != named)) if named else _READERS:
        yield import_module(f"hardener.needs.source.{name}").reader
