"""`docker-harden`: `harden` as a plugin of Docker's command line. Knows how Docker calls plugins, and nothing of hazards.

Docker runs each plugin with `docker-cli-plugin-metadata` to learn what it is, and for `docker harden ...` with its own words as
they were typed: options of its own first, then `harden`, then what is ours (docker/cli, cli-plugins/manager/manager.go and
cli-plugins/metadata/metadata.go, v28).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from hardener.cli import main as harden

PROGRAM = "docker harden"
NAME = "harden"
METADATA = "docker-cli-plugin-metadata"
#: Options of Docker itself that take the next word as their value.
_WITH_VALUE = frozenset("-c --context --config -H --host -l --log-level --tlscacert --tlscert --tlskey".split())


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer Docker, or run `harden` with the user's words; the exit code is that of `harden`."""
    words = sys.argv[1:] if arguments is None else arguments
    if list(words) == [METADATA]:
        print(metadata())
        return 0
    return harden(own_words(words), program=PROGRAM)


def metadata() -> str:
    """What Docker wants to know of a plugin, as JSON."""
    from json import dumps

    from hardener import __version__

    return dumps(
        {
            "SchemaVersion": "0.1.0",
            "Vendor": "hardener",
            "Version": __version__,
            "ShortDescription": "Give containers the least privilege that still works",
        }
    )


def own_words(words: Sequence[str]) -> list[str]:
    """The words that are for `harden`, of those that Docker was called with; all of them where it was not Docker who called."""
    waiting = iter(words)
    helping = False
    for word in waiting:
        if word == NAME:
            return ["--help", *waiting] if helping else list(waiting)
        if word == "help":  # `docker help harden`
            helping = True
        elif word in _WITH_VALUE:
            next(waiting, "")
        elif not word.startswith("-"):
            break
    return list(words)
