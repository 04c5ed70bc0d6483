"""`harden verify [DIR]`: try the fixes on the user's engine, say what held, and write that. Knows no engine."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hardener.cli.configured import Chosen, config_for, policy_of
from hardener.cli.exits import FINDINGS, INTERRUPTED, OK, TROUBLE
from hardener.cli.terminal import emit, has_colour, say, width
from hardener.errors import UsageError

if TYPE_CHECKING:
    from hardener.record import NamedTuple
    from hardener.report import Trouble
    from hardener.trial.verdict import Tried, Verdict
    from hardener.trial.watch import Announced
else:
    from hardener.record import NamedTuple

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
#: One run of the smallest project takes about this long.
_LEAST_BUDGET = 20.0


class Asked(NamedTuple):
    """The command line."""

    path: str = "."
    files: Sequence[str] = ()
    probes: Sequence[str] = ()
    write: bool = False
    force: bool = False
    diff: bool = False
    unsafe_fixes: bool = False
    budget: str = "10m"
    keep_logs: str = ""
    allow_socket: bool = False
    compose: str = ""
    profiles: Sequence[str] = ()
    chosen: Chosen = Chosen()


def run(asked: Asked) -> int:
    """Verify, tell, and write where that is asked for; the exit code is 2 where nothing was proved."""
    import signal

    if os.name != "posix":
        raise UsageError("verify needs Linux or macOS: on Windows, run it in WSL")
    from hardener.render.summary import clean
    from hardener.trial.probe import read
    from hardener.trial.verify import verify
    from hardener.trial.watch import Settings

    if asked.write and not asked.force:
        _refuse_uncommitted(asked)
    config = config_for(asked.path, asked.chosen)
    probes = tuple(asked.probes) or config.probes
    if config.probes and not asked.probes:
        say(f"harden: {clean(config.path)} says how to ask whether it works: {clean('; '.join(probes))}")
    settings = Settings(
        path=asked.path,
        files=tuple(asked.files),
        probes=tuple(map(read, probes)),
        unsafe=asked.unsafe_fixes,
        budget=seconds_of(asked.budget),
        allow_socket=asked.allow_socket,
        compose=asked.compose,
        keep_logs=os.path.abspath(asked.keep_logs) if asked.keep_logs else "",
        policy=policy_of(config, asked.profiles),
        select=config.select,
        ignore=config.ignore,
    )
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _as_interrupted)
    watcher = _watcher()
    try:
        verdict = verify(settings, watcher)
    except KeyboardInterrupt:
        watcher.stop()
        say("harden: interrupted: what the trial had made is taken away again, and your files are as they were")
        return INTERRUPTED
    finally:
        watcher.stop()
    return _finish(verdict, asked)


def _refuse_uncommitted(asked: Asked) -> None:
    """Say before the trial, and not after it, that its result could not be written. Raises `UsageError`."""
    from hardener.discover import discover
    from hardener.uncommitted import uncommitted

    found = {os.path.realpath(file.location): file.name for file in discover((asked.path, *asked.files))[0]}
    for location, why in uncommitted(found).items():
        raise UsageError(f"{found[location]} {why}: commit or stash it first, or write all the same with --force")


def _finish(verdict: Verdict, asked: Asked) -> int:
    from hardener.render.trial import Style, render

    report, written = verdict.report, asked.write and not verdict.stopped
    if written:
        from hardener.writing import write

        report = write(report, force=asked.force)
        if not report.troubles:
            report = report._replace(troubles=tuple(_write_record(verdict)))
    if verdict.stopped or (written and report.troubles):
        code = TROUBLE
    else:
        code = FINDINGS if report.changes and not written else OK
    if asked.diff:
        from hardener.render.diff import coloured, unified

        data = unified(report.changes, os.getcwd())
        emit(coloured(data) if has_colour("auto") else data)
    text = render(verdict._replace(report=report), Style(width(), written=written, record=_record_name(verdict)))
    say(text, error=asked.diff)
    return code


def _write_record(verdict: Verdict) -> Iterator[Trouble]:
    """Write what was seen; what keeps it from that."""
    from hardener import source
    from hardener.report import Trouble
    from hardener.trial.record import is_new

    location, text = verdict.record
    if not verdict.records or not is_new(location, text):
        return
    try:
        source.create(location, text.encode())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        yield Trouble(os.path.relpath(location), 0, f"it cannot be written: {reason}", "check the permissions of its folder")


def _record_name(verdict: Verdict) -> str:
    return os.path.relpath(verdict.record[0]) if verdict.records else ""


def seconds_of(text: str) -> float:
    """A length of time as people write it: `90s`, `10m`, `1h`; plain numbers are minutes. Raises `UsageError`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h)?", text.strip())
    if found is None:
        raise UsageError(f"--budget {text!r}: write it as in 90s, 10m or 1h")
    seconds = float(found[1]) * _UNITS[found[2] or "m"]
    if seconds < _LEAST_BUDGET:
        raise UsageError(f"--budget {text}: less than {_LEAST_BUDGET:.0f} s is not enough for any project")
    return seconds


def _as_interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def _watcher() -> Any:
    from hardener.render.trial import announcement, line
    from hardener.trial.watch import Watcher

    class Shown(Watcher):
        """Says each step on standard error; on a terminal, also what goes on right now and how much time is left."""

        def __init__(self) -> None:
            self._status: Any = None
            self._what, self._end = "", 0.0

        def announce(self, announced: Announced) -> None:
            say(announcement(announced, width()))

        def begin(self, what: str, left: float) -> None:
            self._what, self._end = what, time.monotonic() + left
            self._show("")

        def phase(self, name: str) -> None:
            self._show(name)

        def end(self, tried: Tried) -> None:
            self.stop()
            say(line(tried, width()))

        def stop(self) -> None:
            if self._status is not None:
                self._status.stop()
                self._status = None

        def _show(self, phase: str) -> None:
            import sys

            if sys.stderr is None or not sys.stderr.isatty():
                return
            from rich.console import Console
            from rich.markup import escape

            left = max(self._end - time.monotonic(), 0)
            text = escape(f"{self._what}{f': {phase}' if phase else ''} ({left / 60:.0f} min left)")
            if self._status is None:
                self._status = Console(stderr=True).status(text)
                self._status.start()
            else:
                self._status.update(text)

    return Shown()
