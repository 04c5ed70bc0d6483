"""`harden [PATHS]`: find, judge, then report, show a diff or write. Knows the order of steps, nothing of hazards."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from hardener.cli.configured import request_of, scopes_of, settled
from hardener.cli.exits import TROUBLE, exit_code, fails
from hardener.cli.options import Invocation
from hardener.cli.terminal import emit, has_colour, is_watched, say, width
from hardener.discover import STDIN
from hardener.errors import UsageError
from hardener.facts.tree import repository_root
from hardener.pipeline import Request
from hardener.pipeline import run as judge
from hardener.render.formats import Run, render
from hardener.report import FileChange, Report, joined

if TYPE_CHECKING:
    from hardener.cli.outputs import Output

REPORT, CHECK, DIFF, WRITE = "report", "check", "diff", "write"
Judge = Callable[[Request], Report]


def run(invocation: Invocation) -> int:
    """Do what the command line asks for and return the exit code. Raises `UsageError` for what does not go together."""
    mode = _mode(invocation)
    if invocation.target_level:
        from hardener.cli import target_level

        target_level.check(invocation)
        return target_level.run(invocation)
    form, files = _forms(invocation, mode)
    scopes, troubles = scopes_of(invocation)
    requests = [request_of(invocation, scope) for scope in scopes]
    requests, postures = _with_forms(requests, form, files)
    invocation = settled(invocation, [scope.config for scope in scopes])
    trace = None
    if invocation.debug:
        from hardener.trace import Trace

        trace = Trace()
    traced = [request._replace(trace=trace) for request in requests]
    judges = [partial(_judge, paths=scope.paths, invocation=invocation, postures=postures) for scope in scopes]
    reports = [_judged(request, judge, invocation) for request, judge in zip(traced, judges, strict=True)]
    report = joined(reports)
    report = report._replace(troubles=(*troubles, *report.troubles))
    if trace is not None:
        from hardener.render.trace import render as render_trace

        say(render_trace(trace))
    if invocation.add_ignores and mode == REPORT:
        mode = WRITE
    if mode == WRITE and STDIN not in invocation.paths:
        from hardener.writing import write

        report = write(report, force=invocation.force)
    about = _about(invocation, mode, requests)
    all_written = True
    if files:
        from hardener.cli import outputs

        all_written = outputs.write(files, report, about)
    _show(report, form, mode, invocation, about, requests)
    return exit_code(report, mode, invocation.fail_on) if all_written else TROUBLE


def _show(report: Report, form: str, mode: str, invocation: Invocation, about: Run, requests: Sequence[Request]) -> None:
    """What goes to standard output: the text that was hardened, a diff, or the report; and what belongs beside the first two."""
    if mode == WRITE and STDIN in invocation.paths:
        changed = report.changes[0].after if report.changes else requests[0].files[0].text
        if changed is not None:
            emit(changed.to_bytes())
        _say_summary(report, written=True)
    elif mode == WRITE and invocation.interactive and form == "text":
        _say_summary(report, written=True)  # all else was shown as it was asked about
    elif mode == DIFF:
        from hardener.render.diff import coloured, is_outside, unified

        data = unified(report.changes, os.getcwd())
        emit(coloured(data) if has_colour(invocation.color) else data)
        _say_summary(report, outside=[change for change in report.changes if is_outside(change, os.getcwd())])
    else:
        shown = render(form, report, about)
        if form == "text":
            say(shown.removesuffix("\n"), error=False)
        else:
            emit(shown.encode("utf-8", "backslashreplace"))
        if form == "github":
            from hardener.cli.outputs import add_step_summary

            add_step_summary(report, about)


def _forms(invocation: Invocation, mode: str) -> tuple[str, tuple[Output, ...]]:
    """The form of standard output, and the files that reports are written to. Raises `UsageError`."""
    form = invocation.format
    files: tuple[Output, ...] = ()
    if invocation.output:
        from hardener.cli.outputs import outputs

        form, files = outputs(invocation.output, form)
    if form != "text" and mode == DIFF:
        raise UsageError("--diff prints a diff; --output FILE writes a report beside it")
    if form != "text" and mode == WRITE and STDIN in invocation.paths:
        raise UsageError(f"`--write -` prints the hardened text, so that --format {form} has no place to go")
    return form, files


def _with_forms(requests: list[Request], form: str, files: Sequence[Output]) -> tuple[list[Request], bool]:
    """The requests, with what the forms of the reports need, and whether they need to know how each container stands."""
    if form == "text" and not files:
        return requests, False
    from hardener.cli.outputs import check, postures, singly

    check(files, (found for request in requests for found in request.files))
    names = [form, *(output.form for output in files)]
    return [request._replace(singly=singly(names)) for request in requests], postures(names)


def _about(invocation: Invocation, mode: str, requests: Sequence[Request]) -> Run:
    """What a form of the report is told beside it."""
    folder, paths = os.getcwd(), invocation.paths or (".",)
    return Run(
        folder,
        _root(folder, paths),
        paths,
        tuple(found.name for request in requests for found in request.files),
        written=mode == WRITE,
        unsafe=invocation.unsafe_fixes,
        width=width(),
        colour=has_colour(invocation.color),
        brief=mode == CHECK,
        fails=lambda outcome: fails(outcome, mode, invocation.fail_on),
    )


def _root(folder: str, paths: Sequence[str]) -> str:
    """The repository that all paths lie in, or else the working folder."""
    tops = [os.path.abspath(path if os.path.isdir(path) else os.path.dirname(path)) for path in paths]
    try:
        root = repository_root(os.path.commonpath(tops))
    except ValueError:  # on several drives
        return folder
    return root if os.path.lexists(os.path.join(root, ".git")) else folder


def _judged(request: Request, judge: Judge, invocation: Invocation) -> Report:
    """The report, with a bar on a terminal while it takes long, or with questions."""
    if invocation.interactive:
        from hardener.cli.interactive import choose

        return choose(request, judge, invocation)
    progress = None
    if len(request.files) > 1 and is_watched():
        from hardener.cli.progress import Progress

        progress = Progress()
        request = request._replace(advance=progress.advance)
    try:
        return judge(request)
    finally:
        if progress is not None:
            progress.close()


def _judge(request: Request, *, paths: Sequence[str], invocation: Invocation, postures: bool) -> Report:
    """The report that was asked for."""
    if invocation.add_ignores:
        from hardener.ignores import add_ignores

        return add_ignores(request, invocation.add_ignores, fixes=invocation.write or invocation.diff)
    if invocation.overlay:
        from hardener.overlay.run import run as judge_for_overlays

        return judge_for_overlays(request, [path for path in paths if os.path.isdir(path)])
    if postures and not invocation.interactive:
        from hardener.audit.postures import postures as with_postures

        return with_postures(request)
    return judge(request)


def _mode(invocation: Invocation) -> str:
    modes = [mode for mode in (DIFF, WRITE, CHECK) if getattr(invocation, mode)]
    if len(modes) > 1:
        raise UsageError(f"--{modes[0]} and --{modes[1]} do not go together")
    mode = modes[0] if modes else REPORT
    if invocation.unsafe_fixes and invocation.safe_only:
        raise UsageError("--unsafe-fixes and --no-unsafe-fixes do not go together")
    has_stdin = STDIN in invocation.paths
    if has_stdin and len(invocation.paths) > 1:
        raise UsageError("`-` (standard input) does not go together with other paths")
    if invocation.stdin_filename and not has_stdin:
        raise UsageError("--stdin-filename needs the path `-`")
    if invocation.add_ignores and invocation.interactive:
        raise UsageError("--add-ignores asks nobody: it does not go together with --interactive")
    if invocation.add_ignores and (mode == CHECK or invocation.overlay):
        raise UsageError(f"--add-ignores writes into files, which --{mode if mode == CHECK else 'overlay'} does not")
    if invocation.force and mode != WRITE and not invocation.add_ignores:
        raise UsageError("--force says what --write may write into")
    if invocation.interactive and (mode not in (DIFF, WRITE) or has_stdin):
        raise UsageError("--interactive asks what of --diff or --write is wanted, and reads the answers from standard input")
    if invocation.overlay and has_stdin:
        raise UsageError("--overlay needs files on disk: what it writes lies beside them")
    return mode


def _say_summary(report: Report, *, written: bool = False, outside: list[FileChange] | None = None) -> None:
    """What belongs on standard error beside a diff or a text: what was in the way, and the counts."""
    from hardener.render.summary import clean, problems, summary

    for line in problems(report):
        say(f"harden: {line}")
    for change in outside or ():
        say(f"harden: {clean(change.before.path)} is not below this folder: `git apply` takes its part only in a folder above it")
    say(f"harden: {summary(report, written=written)}")
