"""Which configuration holds for which of the paths that are asked about, and the request that follows. Knows no command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from hardener.config import Config, find_config, given_config
from hardener.discover import Found, discover
from hardener.errors import UsageError
from hardener.finding import Severity
from hardener.pipeline import Request
from hardener.policy import Policy
from hardener.record import NamedTuple
from hardener.report import Trouble


class Chosen(NamedTuple):
    """How a configuration is chosen: the nearest to each path, a file by its name, or none, which is `isolated`."""

    config: str = ""
    isolated: bool = False


class Scope(NamedTuple):
    """The paths that have one configuration, and what was found there."""

    config: Config
    paths: tuple[str, ...]
    found: tuple[Found, ...] = ()


class Wish(NamedTuple):
    """What is asked for in place of what a configuration says, or beside it."""

    select: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()
    unsafe: bool = False
    #: No fix without full evidence, whatever a configuration says.
    safe_only: bool = False
    evidence: bool = True
    #: Folders of profiles, which come before those of the configuration.
    profiles: tuple[str, ...] = ()
    #: The file that lists findings which do not count; empty for that of the configuration.
    baseline: str = ""


def config_for(path: str, chosen: Chosen) -> Config:
    """The configuration for one path: the nearest one upwards, or what was chosen. Raises `UsageError` and `Unreadable`."""
    if chosen.isolated:
        if chosen.config:
            raise UsageError("--config and --isolated do not go together")
        return Config()
    if chosen.config:
        return given_config(chosen.config)
    return find_config(path if os.path.isdir(path) else os.path.dirname(path) or ".")


def scopes(
    paths: Sequence[str], chosen: Chosen, *, force_exclude: bool = False, fetch: Callable[[str], None] | None = None
) -> tuple[list[Scope], list[Trouble]]:
    """What is found below the paths, each file once, by configuration; and what was in the way. The others as in `discover`.

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
        where = config.policy.folder
        files, more = discover(members[config], config.exclude, where, force_exclude=force_exclude, fetch=fetch)
        found[config] = [file for file in files if file.location not in taken]
        taken.update(file.location for file in files)
        troubles += more
    return [Scope(config, tuple(members[config]), tuple(found[config])) for config in members], troubles


def request_for(scope: Scope, wish: Wish) -> Request:
    """What to look at in one scope, and how. What is selected takes the place of all that the configuration says about rules.

    Raises `UsageError` where no rule is left, or for a baseline that cannot be read.
    """
    config = scope.config
    select, ignore, policy = config.select, wish.ignore or config.ignore, policy_of(config, wish.profiles)
    if wish.select:
        select, ignore, policy = wish.select, wish.ignore, policy._replace(least_severity=Severity.LOW)
    if select and not select - ignore:
        raise UsageError("--select and --ignore leave no rule" if wish.select else f"{config.path or '--ignore'} leaves no rule")
    unsafe = wish.unsafe or (config.unsafe_fixes and not wish.safe_only)
    request = Request(scope.found, unsafe, select, ignore, evidence=wish.evidence, policy=policy)
    baseline = wish.baseline or (os.path.relpath(config.baseline) if config.baseline else "")
    if not baseline:
        return request
    from hardener.silence.baseline import read

    return request._replace(baseline=read(baseline, os.getcwd()))


def policy_of(config: Config, folders: Sequence[str] = ()) -> Policy:
    """The policy, with these folders of profiles before those of the configuration. Raises `UsageError` for bad ones."""
    policy = config.policy
    if not folders and not policy.profiles:
        return policy
    from hardener.needs.own_profiles import checked

    own = checked(policy.profiles, f"{config.path}: profiles")
    return policy._replace(profiles=(*checked(folders), *own))
