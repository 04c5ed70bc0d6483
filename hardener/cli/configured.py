"""A command line, and the configurations of the paths in it: what each says where the other is silent. Knows no command."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from hardener.cli.options import COMMANDS, Invocation
from hardener.config import Config
from hardener.discover import STDIN, from_stdin
from hardener.errors import UsageError
from hardener.finding import Severity
from hardener.pipeline import Request
from hardener.report import Trouble
from hardener.scopes import Chosen, Scope, Wish, config_for, request_for, scopes
from hardener.source import MAX_BYTES

#: What decides where nobody says anything: see `fail-on`.
_FAIL_ON = "high"


def settled(invocation: Invocation, configs: Sequence[Config]) -> Invocation:
    """The command line with what configurations say where it says nothing; of several, the strictest `fail-on`."""
    said = [config.fail_on or _FAIL_ON for config in configs]
    strictest = min(said, key=lambda name: Severity[name.upper()] if name != "never" else len(Severity) + 1, default=_FAIL_ON)
    unsafe = invocation.unsafe_fixes or (not invocation.safe_only and any(config.unsafe_fixes for config in configs))
    return invocation._replace(fail_on=invocation.fail_on or strictest, unsafe_fixes=unsafe)


def request_of(invocation: Invocation, scope: Scope) -> Request:
    """What to look at in one scope, and how. Raises `UsageError` for rules that do not exist, or where none is left."""
    select = ignore = frozenset[str]()
    if invocation.select or invocation.ignore:
        from hardener.cli.known import rule_ids

        select, ignore = rule_ids(invocation.select), rule_ids(invocation.ignore)
    evidence, unsafe = not invocation.no_evidence, invocation.unsafe_fixes
    wish = Wish(select, ignore, unsafe, invocation.safe_only, evidence, invocation.profiles, invocation.baseline)
    return request_for(scope, wish)


def scopes_of(invocation: Invocation) -> tuple[list[Scope], list[Trouble]]:
    """What a command line is about, as `scopes`; standard input has the configuration of where its name says that it lies."""
    chosen = Chosen(invocation.config, invocation.isolated)
    if STDIN not in invocation.paths:
        at, troubles = scopes(invocation.paths or (".",), chosen, force_exclude=invocation.force_exclude)
        return at, _with_commands(troubles) if troubles else troubles
    if sys.stdin is None:
        raise UsageError("standard input is closed")
    config = config_for(invocation.stdin_filename or ".", chosen)
    found = from_stdin(sys.stdin.buffer.read(MAX_BYTES + 1), invocation.stdin_filename)
    return [Scope(config, invocation.paths, (found,))], []


def _with_commands(troubles: list[Trouble]) -> list[Trouble]:
    """The same, with the command that was probably meant where a word is no path."""
    from hardener.suggestion import meant

    return [
        trouble._replace(remedy=f"did you mean `harden {near}`?")
        if not os.path.lexists(trouble.path) and trouble.path.isalpha() and (near := meant(trouble.path, COMMANDS))
        else trouble
        for trouble in troubles
    ]
