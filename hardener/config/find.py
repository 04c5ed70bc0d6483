"""Which file configures a folder: the nearest one upwards, within its repository. Knows names, and nothing of what is told."""

from __future__ import annotations

import os
import re

from hardener.config.model import Config
from hardener.errors import Unreadable, UsageError
from hardener.facts.tree import repository_root
from hardener.source import Source, read

FILE, SHARED_FILE = "hardener.toml", "pyproject.toml"


def find_config(folder: str) -> Config:
    """The configuration that holds in a folder. Raises `Unreadable` for one that says what is not known, or leads elsewhere."""
    at, top = os.path.realpath(folder), os.path.realpath(repository_root(folder))
    while True:
        for name in (FILE, SHARED_FILE):
            path = os.path.join(at, name)
            if os.path.isfile(path):
                found = _read(path, top)
                if found is not None:
                    return found
        if at == top or os.path.dirname(at) == at:
            return Config()
        at = os.path.dirname(at)


def given_config(path: str) -> Config:
    """The configuration in a file that the user names, who may name files anywhere. Raises `UsageError` where it has none.

    It is about what harden runs on, wherever it lies itself: patterns of paths start from the folder that harden runs in.
    """
    if not os.path.isfile(path):
        raise UsageError(f"--config {path}: there is no such file")
    found = _read(os.path.join(os.path.realpath(os.path.dirname(path) or "."), os.path.basename(path)), "")
    if found is None:
        raise UsageError(f"--config {path}: it has no table [tool.hardener]")
    return found._replace(policy=found.policy._replace(folder=os.path.realpath(".")))


def _read(path: str, top: str) -> Config | None:
    """What a file says; None for a pyproject.toml that says nothing to us. It may lead to what is below `top`, if that is set."""
    shown = os.path.relpath(path).replace(os.sep, "/")
    if top and not is_below(path, top):
        raise Unreadable(shown, "it is a link out of the repository", "put a file there, or name it with --config")
    source = read(path, shown)
    shared = os.path.basename(path) == SHARED_FILE
    if shared and not _may_tell(source):
        return None
    from hardener.config.read import config_of

    return config_of(source, os.path.dirname(path), top, shared=shared)


def _may_tell(source: Source) -> bool:
    """Whether a pyproject.toml may have a table of ours: most do not, and need not be read in full."""
    return "hardener" in source.text and re.search(r"""hardener["']?\s*[].=]""", source.text) is not None


def is_below(path: str, folder: str) -> bool:
    """Whether a path lies in a folder, or is that, once links are followed."""
    return os.path.join(os.path.realpath(path), "").startswith(os.path.join(os.path.realpath(folder), ""))
