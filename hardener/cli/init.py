"""`harden init [DIR]`: a commented hardener.toml that fits the repository, and perhaps a baseline. Knows what is found, no rule.

What is written changes no result, but for the baseline: all else is comments, for people to take up.
"""

from __future__ import annotations

import os

from hardener import source
from hardener.cli.exits import OK, TROUBLE
from hardener.cli.terminal import emit, say
from hardener.config import find_config
from hardener.config.find import FILE, is_below
from hardener.config.told import toml
from hardener.discover import discover
from hardener.errors import Unreadable, UsageError
from hardener.facts.tree import repository_root
from hardener.first_config import first_config, plain
from hardener.pipeline import Request, examine
from hardener.render.summary import clean, count
from hardener.silence.baseline import Outdated, made, read


def run(folder: str, baseline: str, *, force: bool, stdout: bool) -> int:
    """Write the file, or print it. Raises `UsageError` where one is there already, or where it would lie elsewhere."""
    if not os.path.isdir(folder):
        raise UsageError(f"{folder}: there is no such folder")
    target = os.path.join(folder, FILE)
    if not stdout:
        _check(folder, target, force=force)
        _check_baseline(baseline, target)
    found, troubles = discover((folder,))
    report, groups = examine(Request(tuple(found)))
    values = {}
    if baseline:
        values["baseline"] = toml(_beside(folder, baseline))
    text = first_config(report, [before for before, _ in groups], values)
    if stdout:
        emit(text.encode())
    else:
        if baseline:
            _write(baseline, made(report, baseline, os.getcwd()))
            number = count(len(report.outcomes), "finding")
            say(f"harden: wrote {clean(os.path.normpath(baseline))}: {number} will not count, and what is new will")
        _write(target, text.encode())
        say(f"harden: wrote {clean(os.path.normpath(target))}; `harden config` shows what holds")
    for trouble in (*troubles, *report.troubles):
        say(f"harden: {plain(f'{trouble.path}: {trouble.reason}')}")
    return TROUBLE if troubles or report.troubles else OK


def _check(folder: str, target: str, *, force: bool) -> None:
    if os.path.islink(target):
        raise UsageError(f"{target} is a link: write the file that it leads to")
    if os.path.lexists(target) and not force:
        raise UsageError(f"{target} is there already: --force writes it anew, --stdout shows what would be written")
    if os.path.lexists(target):
        return
    holds = find_config(folder)
    if holds.path and os.path.realpath(holds.folder) == os.path.realpath(folder):
        raise UsageError(f"{holds.path} has a table [tool.hardener] already: add to that, or take it out first")
    if holds.path and not force:
        raise UsageError(f"{holds.path} holds here, and would no longer: --force writes a file all the same, --stdout shows it")


def _beside(folder: str, baseline: str) -> str:
    """A baseline's path as the file in the folder says it."""
    if not is_below(baseline, repository_root(folder)):
        raise UsageError(f"--baseline {baseline}: it has to be in the repository of {folder}")
    return os.path.relpath(os.path.realpath(baseline), os.path.realpath(folder)).replace(os.sep, "/")


def _check_baseline(baseline: str, target: str) -> None:
    """Raise `UsageError` where a baseline cannot be written; in place of another file than a baseline it never is."""
    if not baseline:
        return
    try:
        baseline.encode()
    except UnicodeEncodeError:
        raise UsageError(f"--baseline {baseline}: its name is no UTF-8 text, which a configuration has to be") from None
    real = os.path.realpath(baseline)
    if real == os.path.realpath(target):
        raise UsageError(f"--baseline {baseline}: that is the configuration itself")
    if os.path.isdir(real) or not os.path.isdir(os.path.dirname(real)):
        raise UsageError(f"--baseline {baseline}: {'that is a folder' if os.path.isdir(real) else 'there is no folder for it'}")
    if os.path.lexists(real):
        try:
            read(baseline, os.getcwd())
        except Unreadable as error:
            if not isinstance(error, Outdated):
                raise UsageError(f"--baseline {baseline} is there already, and no baseline: {error.reason}") from None


def _write(path: str, data: bytes) -> None:
    try:
        source.create(path, data)
    except OSError as error:
        raise UsageError(f"{path}: it cannot be written: {(error.strerror or str(error)).lower()}") from None
