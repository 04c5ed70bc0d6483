"""Which configuration holds for what a command is asked, and what its command line says in place of it. Knows no command."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hardener.config import Config, find_config, given_config
from hardener.discover import STDIN, Found, discover, from_stdin
from hardener.errors import UsageError
from hardener.finding import Severity
from hardener.pipeline import Request
from hardener.record import NamedTuple
from hardener.source import MAX_BYTES

if TYPE_CHECKING:
    from hardener.cli.options import Invocation
    from hardener.policy import Policy
    from hardener.report import Trouble

#: What decides where nobody says anything: see `fail-on`.
_FAIL_ON = "high"


class Chosen(NamedTuple):
    """How a configuration is chosen on a command line: by itself, by name (`--config`), or none (`--isolated`)."""

    config: str = ""
    isolated: bool = False


class Scope(NamedTuple):
    """The paths of a command line that have one configuration, and what was found there."""

    config: Config
    paths: tuple[str, ...]
    found: tuple[Found, ...] = ()


def config_for(path: str, chosen: Chosen) -> Config:
    """The configuration for one path: the nearest one upwards, or what was chosen. Raises `UsageError` and `Unreadable`."""
    if chosen.isolated:
        if chosen.config:
            raise UsageError("--config and --isolated do not go together")
        return Config()
    if chosen.config:
        return given_config(chosen.config)
    return find_config(path if os.path.isdir(path) else os.path.dirname(path) or ".")


def scopes(paths: Sequence[str], chosen: Chosen, *, force_exclude: bool = False) -> tuple[list[Scope], list[Trouble]]:
    """What is found below the paths, each file once, by configuration; and what was in the way.

    A path has the configuration that is nearest to it. A file that is found from two paths has that which is nearer to it.
    """
    by_folder: dict[str, Config] = {}
    members: dict[Config, list[str]] = {}
    for path in paths:
        folder = path if os.path.isdir(path) else os.path.dirname(path)
        if folder not in by_folder:
            by_folder[folder] = config_for(path, chosen)
        members.setdefault(by_folder[folder], []).append(path)
    found: dict[Config, list[Found]] = {}
    troubles: list[Trouble] = []
    taken: set[str] = set()
    for config in sorted(members, key=lambda config: len(config.folder), reverse=True):
        files, more = discover(members[config], config.exclude, config.policy.folder, force_exclude=force_exclude)
        found[config] = [file for file in files if file.location not in taken]
        taken.update(file.location for file in files)
        troubles += more
    return [Scope(config, tuple(members[config]), tuple(found[config])) for config in members], troubles


def settled(invocation: Invocation, configs: Sequence[Config]) -> Invocation:
    """The command line with what configurations say where it says nothing; of several, the strictest `fail-on`."""
    said = [config.fail_on or _FAIL_ON for config in configs]
    strictest = min(said, key=lambda name: Severity[name.upper()] if name != "never" else len(Severity) + 1, default=_FAIL_ON)
    unsafe = invocation.unsafe_fixes or (not invocation.safe_only and any(config.unsafe_fixes for config in configs))
    return invocation._replace(fail_on=invocation.fail_on or strictest, unsafe_fixes=unsafe)


def request_of(invocation: Invocation, scope: Scope) -> Request:
    """What to look at in one scope, and how. `--select` takes the place of all that the configuration says about rules."""
    config = scope.config
    select, ignore, policy = config.select, config.ignore, policy_of(config, invocation.profiles)
    if invocation.select or invocation.ignore:
        from hardener.cli.known import rule_ids

        if invocation.select:
            select, ignore, policy = rule_ids(invocation.select), frozenset(), policy._replace(least_severity=Severity.LOW)
        if invocation.ignore:
            ignore = rule_ids(invocation.ignore)
    if select and not select - ignore:
        raise UsageError(
            "--select and --ignore leave no rule" if invocation.select else f"{config.path or '--ignore'} leaves no rule"
        )
    unsafe = invocation.unsafe_fixes or (config.unsafe_fixes and not invocation.safe_only)
    return Request(scope.found, unsafe, select, ignore, evidence=not invocation.no_evidence, policy=policy)


def policy_of(config: Config, folders: Sequence[str] = ()) -> Policy:
    """The policy, with the profiles of the command line before those of the configuration. Raises `UsageError` for bad ones."""
    policy = config.policy
    if not folders and not policy.profiles:
        return policy
    from hardener.cli.profiles import searched

    own = searched(policy.profiles, f"{config.path}: profiles")
    return policy._replace(profiles=(*searched(folders), *own))


def scopes_of(invocation: Invocation) -> tuple[list[Scope], list[Trouble]]:
    """What a command line is about, as `scopes`; standard input has the configuration of where its name says that it lies."""
    chosen = Chosen(invocation.config, invocation.isolated)
    if STDIN not in invocation.paths:
        return scopes(invocation.paths or (".",), chosen, force_exclude=invocation.force_exclude)
    if sys.stdin is None:
        raise UsageError("standard input is closed")
    config = config_for(invocation.stdin_filename or ".", chosen)
    found = from_stdin(sys.stdin.buffer.read(MAX_BYTES + 1), invocation.stdin_filename)
    return [Scope(config, invocation.paths, (found,))], []
