"""harden as a library: judge files, write their fixes, show a report. Prints nothing, ends no process, knows no command line.

    import hardener

    report = hardener.check(["deploy"])
    for outcome in report.outcomes:
        print(outcome.status.value, outcome.finding.rule, outcome.finding.place, outcome.why)

What `import hardener` offers by name is kept: names may be added, and values may get more fields at their end; that one goes away
or changes its meaning makes a new major version. What is imported from a module below it may change at any time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from hardener.config import Config, given_config
from hardener.discover import discover
from hardener.errors import UsageError
from hardener.facts.tree import repository_root
from hardener.pipeline import run
from hardener.report import Report, Trouble, joined
from hardener.scopes import Chosen, Scope, Wish, request_for, scopes
from hardener.suggestion import meant
from hardener.writing import write

#: One path, or several.
Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def check(
    paths: Paths = (".",),
    config: Config | str | os.PathLike[str] | None = None,
    *,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    unsafe: bool = False,
) -> Report:
    """Judge files, and those below folders, and compute what would be written: `Report.changes`. Nothing is written.

    `config`: what holds for all of them, as a value (`Config()` is none) or as a file; None for the configuration nearest to each
    path, as on the command line. `select` and `ignore` are ids of rules. `unsafe` makes fixes without full evidence, too.

    What cannot be read is in `Report.troubles`, and the other files are judged. Raises `UsageError` for rules or profiles that do
    not exist, and `Unreadable` for a configuration that says what is not known; both are `HardenError`s.
    """
    wish = Wish(_known(select), _known(ignore), unsafe)
    found, troubles = _scopes(_several(paths), config)
    report = joined([run(request_for(scope, wish)) for scope in found])
    return report._replace(troubles=(*troubles, *report.troubles))


def fix(
    paths: Paths = (".",),
    config: Config | str | os.PathLike[str] | None = None,
    *,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    unsafe: bool = False,
    force: bool = False,
) -> Report:
    """As `check`, and write the changes: each file in one step, its mode kept. The report tells what was really written.

    A file with changes that git has no copy of is left as it is, and named in `Report.troubles`, unless `force`.
    """
    return write(check(paths, config, select=select, ignore=ignore, unsafe=unsafe), force=force)


def format_report(report: Report, form: str = "text", *, folder: str | os.PathLike[str] = ".", written: bool = False) -> str:
    """A report in one of the forms of `harden --format`, with paths and diffs for `folder`. Raises `UsageError` for another."""
    from hardener.render.formats import NAMES, Run
    from hardener.render.formats import render as rendered

    if form not in NAMES:
        raise UsageError(f"there is no form {form!r}: the forms are {', '.join(NAMES)}")
    at = os.path.abspath(os.fspath(folder))
    return rendered(form, report, Run(at, repository_root(at), written=written))


def _scopes(paths: Sequence[str], config: Config | str | os.PathLike[str] | None) -> tuple[list[Scope], list[Trouble]]:
    if config is None:
        return scopes(paths, Chosen())
    settled = config if isinstance(config, Config) else given_config(os.fspath(config))
    found, troubles = discover(paths, settled.exclude, settled.policy.folder)
    return [Scope(settled, tuple(paths), tuple(found))], troubles


def _several(paths: Paths) -> list[str]:
    given = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    return [os.fspath(path) for path in given]


def _known(rules: Iterable[str]) -> frozenset[str]:
    from hardener.rules import ids

    wanted = frozenset([rules] if isinstance(rules, str) else rules)
    unknown = sorted(wanted - set(ids()))
    if unknown:
        near = meant(unknown[0], ids())
        raise UsageError(f"there is no rule {unknown[0]!r}{f': did you mean {near!r}?' if near else ''}")
    return wanted
