"""How git is asked about a repository that nobody vouches for. Knows what a repository could have git run, and no question.

What lies in `.git` may have been packed by a stranger: its configuration names programs that git starts by itself. None of
them is run here: no hook, no watcher of files, no filter of contents, no helper of a remote; what is missing is not fetched, and
submodules, which have such a configuration each, are not entered.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from hardener.errors import UsageError

if TYPE_CHECKING:
    import subprocess

#: Seconds for one question: long enough for a repository on a slow disk, whose index has to be read anew.
PATIENCE = 120.0
_SETTINGS = ("core.fsmonitor=false", f"core.hooksPath={os.devnull}", "core.untrackedCache=false", "core.quotePath=false")
_ENVIRONMENT = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
#: What git tells its hooks of the repository that they are about, which need not be the one that is asked about: what
#: `git rev-parse --local-env-vars` lists (2.39), without the settings that people give that way; and how it reads paths.
_OF_ANOTHER = frozenset(
    "GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_COMMON_DIR GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_CONFIG "
    "GIT_GRAFT_FILE GIT_SHALLOW_FILE GIT_IMPLICIT_WORK_TREE GIT_PREFIX GIT_NAMESPACE GIT_REPLACE_REF_BASE "
    "GIT_INTERNAL_SUPER_PREFIX GIT_LITERAL_PATHSPECS GIT_GLOB_PATHSPECS GIT_NOGLOB_PATHSPECS GIT_ICASE_PATHSPECS".split()
)
_FILTER = re.compile(r"filter\.(.*)\.(?:clean|smudge|process|required)", re.DOTALL | re.IGNORECASE)


def command(folder: str, *words: str) -> list[str]:
    """The command line that asks about the repository of a folder."""
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    return ["git", "-C", folder, "--no-pager", *settings, *words]


def environment() -> dict[str, str]:
    """The environment that goes with a command line."""
    return {**{name: value for name, value in os.environ.items() if name not in _OF_ANOTHER}, **_ENVIRONMENT}


def asked(folder: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    """What git answers about the repository of a folder, well or not. Raises `UsageError` where it cannot answer at all."""
    import subprocess

    try:
        done = subprocess.run(
            command(folder, *words),
            capture_output=True,
            env=environment(),
            timeout=PATIENCE,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise UsageError("git is not installed") from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"git did not answer within {PATIENCE:.0f} s") from None
    if b"dubious ownership" in done.stderr:
        raise UsageError("the repository belongs to somebody else: trust it with `git config --global --add safe.directory`")
    return done


def without_filters(configuration: bytes) -> list[str] | None:
    """Options, to stand before git's command, under which no filter of contents is run; None where git cannot be told so.

    `configuration` is what `git config --list --name-only -z` answers.
    """
    names = {match[1] for key in os.fsdecode(configuration).split("\0") if (match := _FILTER.fullmatch(key))}
    if any("=" in name for name in names):  # git would take what is before it for the name
        return None
    values = ("clean=", "smudge=", "process=", "required=false")
    return [word for name in sorted(names) for value in values for word in ("-c", f"filter.{name}.{value}")]
