"""`harden [PATHS]`: find, judge, then report, show a diff or write. Knows the order of steps, nothing of hazards."""

from __future__ import annotations

import os
import sys

from hardener import source
from hardener.cli.exits import exit_code, fails
from hardener.cli.options import Invocation
from hardener.cli.terminal import emit, has_colour, say, width
from hardener.discover import STDIN, Found, discover, from_stdin
from hardener.errors import UsageError
from hardener.facts.tree import repository_root
from hardener.pipeline import Request
from hardener.pipeline import run as judge
from hardener.render.formats import Run
from hardener.report import FileChange, Report, Status, Trouble

REPORT, CHECK, DIFF, WRITE = "report", "check", "diff", "write"


def run(invocation: Invocation) -> int:
    """Do what the command line asks for and return the exit code. Raises `UsageError` for what does not go together."""
    mode = _mode(invocation)
    if invocation.target_level:
        from hardener.cli import target_level

        target_level.check(invocation)
        return target_level.run(invocation, *_found(invocation))
    request, troubles = _request(invocation)
    if invocation.overlay:
        from hardener.overlay.run import run as judge_for_overlays

        report = judge_for_overlays(request, [path for path in invocation.paths or (".",) if os.path.isdir(path)])
    else:
        report = judge(request)
    report = report._replace(troubles=(*troubles, *report.troubles))
    from_standard_input = STDIN in invocation.paths
    if mode == WRITE and not from_standard_input:
        report = write(report)
    if mode == WRITE and from_standard_input:
        changed = report.changes[0].after if report.changes else request.files[0].text
        if changed is not None:
            emit(changed.to_bytes())
        _say_summary(report, written=True)
    elif mode == DIFF:
        from hardener.render.diff import coloured, is_outside, unified

        data = unified(report.changes, os.getcwd())
        emit(coloured(data) if has_colour(invocation.color) else data)
        _say_summary(report, outside=[change for change in report.changes if is_outside(change, os.getcwd())])
    else:
        from hardener.render.formats import render

        shown = render(invocation.format, report, _shown(invocation, mode))
        say(shown.removesuffix("\n"), error=False) if invocation.format == "text" else emit(shown.encode("utf-8"))
    return exit_code(report, mode, invocation.fail_on)


def _shown(invocation: Invocation, mode: str) -> Run:
    """What a form of the report is told beside it."""
    folder = os.getcwd()
    return Run(
        folder,
        repository_root(folder),
        invocation.paths or (".",),
        written=mode == WRITE,
        unsafe=invocation.unsafe_fixes,
        width=width(),
        colour=has_colour(invocation.color),
        brief=mode == CHECK,
        fails=lambda outcome: fails(outcome, mode, invocation.fail_on),
    )


def write(report: Report) -> Report:
    """Write every changed file, and return the report of what was really written.

    A file that is no longer what it was when it was read stays as it is; so does one that cannot be written.
    """
    written: list[FileChange] = []
    failed: dict[str, Trouble] = {}
    for change in report.changes:
        name = change.before.path
        try:
            if _now(change) != change.before.to_bytes():
                failed[name] = Trouble(name, 0, "it was changed by something else meanwhile; left as it is", "run harden again")
                continue
            (source.create if change.is_new else source.write)(change.location, change.after.to_bytes())
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            failed[name] = Trouble(name, 0, f"it cannot be written: {reason}", "check the permissions of the file and its folder")
        else:
            written.append(change)
    reasons = {
        path: failed[change.before.path].reason
        for change in report.changes
        if change.before.path in failed
        for path in change.stands_for or (change.before.path,)
    }
    outcomes = tuple(
        outcome._replace(status=Status.FAILED, why=reasons[outcome.finding.place.path])
        if outcome.status is Status.APPLIED and outcome.finding.place.path in reasons
        else outcome
        for outcome in report.outcomes
    )
    return report._replace(outcomes=outcomes, changes=tuple(written), troubles=(*report.troubles, *failed.values()))


def _now(change: FileChange) -> bytes:
    """What a file says now; nothing for one that is to be made and is not there yet."""
    if change.is_new and not os.path.lexists(change.location):
        return b""
    with open(change.location, "rb") as file:
        return file.read(source.MAX_BYTES + 1)


def _mode(invocation: Invocation) -> str:
    modes = [mode for mode in (DIFF, WRITE, CHECK) if getattr(invocation, mode)]
    if len(modes) > 1:
        raise UsageError(f"--{modes[0]} and --{modes[1]} do not go together")
    mode = modes[0] if modes else REPORT
    has_stdin = STDIN in invocation.paths
    if has_stdin and len(invocation.paths) > 1:
        raise UsageError("`-` (standard input) does not go together with other paths")
    if invocation.stdin_filename and not has_stdin:
        raise UsageError("--stdin-filename needs the path `-`")
    if invocation.overlay and has_stdin:
        raise UsageError("--overlay needs files on disk: what it writes lies beside them")
    if invocation.format == "json" and mode == DIFF:
        raise UsageError("--diff prints a diff; `harden --format json` has it in its report, as `changes`")
    if invocation.format == "json" and mode == WRITE and has_stdin:
        raise UsageError("`--write -` prints the hardened text, so that --format json has no place to go")
    return mode


def _found(invocation: Invocation) -> tuple[list[Found], list[Trouble]]:
    """The files that are meant, or standard input, and what was in the way."""
    if STDIN not in invocation.paths:
        return discover(invocation.paths or (".",))
    if sys.stdin is None:
        raise UsageError("standard input is closed")
    return [from_stdin(sys.stdin.buffer.read(source.MAX_BYTES + 1), invocation.stdin_filename)], []


def _request(invocation: Invocation) -> tuple[Request, list[Trouble]]:
    select = ignore = frozenset[str]()
    if invocation.select or invocation.ignore:
        from hardener.cli.known import rule_ids

        select, ignore = rule_ids(invocation.select), rule_ids(invocation.ignore)
        if invocation.select and not select - ignore:
            raise UsageError("--select and --ignore leave no rule")
    found, troubles = _found(invocation)
    request = Request(tuple(found), invocation.unsafe_fixes, select, ignore, evidence=not invocation.no_evidence)
    if invocation.profiles:
        from hardener.cli.profiles import searched

        request = request._replace(profiles=searched(invocation.profiles))
    return request, troubles


def _say_summary(report: Report, *, written: bool = False, outside: list[FileChange] | None = None) -> None:
    """What belongs on standard error beside a diff or a text: what was in the way, and the counts."""
    from hardener.render.summary import clean, problems, summary

    for line in problems(report):
        say(f"harden: {line}")
    for change in outside or ():
        say(f"harden: {clean(change.before.path)} is not below this folder: `git apply` takes its part only in a folder above it")
    say(f"harden: {summary(report, written=written)}")
