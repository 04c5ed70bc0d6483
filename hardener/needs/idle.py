"""Whether a program only keeps its container alive, so that people can run something in it. Knows no language and no rule.

What is run there from outside (`kubectl exec`, `kubectl cp`, `docker exec`) is what the container is for, and stands in no file:
that the program itself needs nothing says nothing about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

#: Why nothing is known of a container whose program only waits.
ENTERED = "what is run in it from outside: by itself it only waits"
#: Who waits longer than this many seconds does not wait for anything to happen.
_LONGEST = 600.0
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
#: Commands that leave everything as it is.
_NOTHING = frozenset("trap wait true : echo printf set exit kill date exec cd test [ [[ ls id whoami pwd umask export".split())
#: Commands that make files ready for whoever comes, and end.
_PREPARES = frozenset("chown chgrp chmod mkdir ln cp mv rm touch install".split())
#: Package managers, which do so with one of these words.
_MANAGERS = frozenset("npm yarn pnpm pip pip3 poetry uv composer bundle apt-get apt apk".split())
_INSTALLS = frozenset("install ci add update sync upgrade".split())


def only_waits(words: Sequence[str]) -> bool:
    """Whether a program, as a container starts it, waits without end, or very long, and before that at most prepares files."""
    from hardener.needs.source.shell_run import SHELLS

    if words and words[0].rpartition("/")[2] in ("tini", "dumb-init", "busybox", "env"):
        words = words[1:] if words[1:2] != ("--",) else words[2:]
    if len(words) > 2 and words[0].rpartition("/")[2] in SHELLS and words[1].startswith("-") and words[1].endswith("c"):
        return _script_waits(words[2])
    return bool(words) and _waits(words)


def _script_waits(script: str) -> bool:
    from hardener.syntax import shell

    waits = loops = pauses = False
    for command in shell.commands(script):
        if any(not redirect.target.text.startswith("/dev/") for redirect in command.redirects):
            return False
        words = tuple(word.text for word in command.words)
        if words and words[0] == "exec":
            words = words[1:]
        if not words or words[0] in _NOTHING:
            # The condition of an endless loop; `|| true` is none.
            loops = loops or ("while" in script and words in (("true",), (":",)))
        elif words[0].rpartition("/")[2] == "sleep":
            pauses = True
            waits = waits or _waits(words)
        elif _waits(words):
            waits = True
        elif not _prepares(words):
            return False
    return waits or (loops and pauses)


def _prepares(words: Sequence[str]) -> bool:
    name = words[0].rpartition("/")[2]
    return name in _PREPARES or (name in _MANAGERS and any(word in _INSTALLS for word in words[1:]))


def _waits(words: Sequence[str]) -> bool:
    name = words[0].rpartition("/")[2]
    if name == "sleep":
        return _seconds(words[1:]) > _LONGEST
    return name == "pause" or (name == "tail" and "/dev/null" in words and any(w.startswith(("-f", "-F", "--f")) for w in words))


def _seconds(amounts: Iterable[str]) -> float:
    """How long `sleep` waits in all; 0 where that is not written."""
    total = 0.0
    for amount in amounts:
        number, unit = (amount[:-1], _UNITS[amount[-1]]) if amount[-1:] in _UNITS else (amount, 1.0)
        try:
            total += float(number) * unit
        except ValueError:
            return 0.0
    return total
