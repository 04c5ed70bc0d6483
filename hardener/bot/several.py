"""Many repositories, one after the other, so many in a run. Knows a file of names and one of what was done; decides nothing else.

Those that were done longest ago come first, and those that never were before them: so a run goes on where the last one stopped,
whether that was at its bound, at a limit of a forge or by a cut. What is noted only orders them: without it, a run begins at the
top of the list and does nothing twice, as each repository shows what was done there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from hardener import source
from hardener.bot.done import Done
from hardener.bot.forge import Forge, Limited, Unavailable
from hardener.errors import HardenError, Unreadable, UsageError
from hardener.record import NamedTuple

#: As many in a run, unless told otherwise.
MOST = 50
#: Seconds for one of them, and where each is tried on an engine: files can be made to take days, and a forge can let words drip.
PATIENCE, PATIENCE_WITH_TRIALS = 1_800.0, 4 * 3_600.0
#: Seconds after which the end comes again, to whoever took it for something else.
_AGAIN = 1.0
#: `OWNER/NAME`, with groups between on GitLab; an address of http or ssh; or the short form of the latter.
_NAME = re.compile(r"\w[\w.-]*(?:/[\w.][\w.-]*)+", re.ASCII)
_ADDRESS = re.compile(r"(?:https?|ssh)://[\w.:/@~+-]+|[\w.-]+@[\w.-]+:[\w./~+-]+", re.ASCII)
#: Who is named in an address of http: it may be a token.
_SECRET = re.compile(r"https?://[^/]*@|ssh://[^/@]*:[^/@]*@")


class Opened(NamedTuple):
    """A repository at a forge, ready to be asked."""

    forge: Forge
    #: The forge, as its limits are counted: the name of its host.
    host: str


class Worked(NamedTuple):
    """What became of one of them. Without `done`, it was passed over, or not even found, and `why` says that."""

    name: str
    done: Done | None = None
    why: str = ""


def read_names(path: str) -> list[str]:
    """The repositories that a file lists: one a line, `#` begins a comment. Raises `UsageError`, with the line, for others."""
    try:
        text = source.read(path, path).text
    except Unreadable as error:
        raise UsageError(f"--all {error}") from None
    found: dict[str, None] = {}
    for number, line in enumerate(text.split("\n"), 1):
        name = re.sub(r"(?:^|\s)#.*", "", line).strip()
        if not name:
            continue
        if _SECRET.match(name):
            raise UsageError(f"--all {path}:{number}: there are credentials in the address: take them out")
        if not (_NAME.fullmatch(name) or _ADDRESS.fullmatch(name)):
            raise UsageError(f"--all {path}:{number}: neither OWNER/NAME nor an address of a repository")
        found.setdefault(name)
    return list(found)


def work_through(
    repositories: Sequence[str],
    state: str,
    opened: Callable[[str], Opened],
    work: Callable[[Forge], Done],
    now: Callable[[], datetime],
    *,
    most: int = MOST,
    dry_run: bool = False,
    patience: float = PATIENCE,
) -> Iterator[Worked]:
    """Work at as many as `most` of them, each told once it is done. `state` is the file that notes which were, when, and at what.

    None has more than `patience` seconds. What goes wrong in one, even a mistake of ours, keeps no other from its turn. After a
    limit of a forge, the others there are passed over, and come first in the next run. A dry run notes nothing. Raises
    `UsageError` where the state cannot be read or written.
    """
    noted = _noted(state)
    order = sorted(repositories, key=lambda name: noted.get(name, {}).get("at", ""))
    limited: dict[str, str] = {}
    begun: set[str] = set()

    def write() -> None:
        if not dry_run:
            _note(state, [noted[one] for one in repositories if one in noted])

    for name in order[:most]:
        try:
            place = opened(name)
        except HardenError as error:
            yield Worked(name, why=str(error))
            is_done, commit = not isinstance(error, Unavailable), ""
        else:
            if place.host in limited:
                yield Worked(name, why=limited[place.host])
                continue
            # What kills us outright, as a lack of memory does, must not meet the same one first again: others would have no turn.
            with _begun(name, noted, write, now):
                done = _worked(place.forge, work, patience)
            if isinstance(done.ended, Limited):
                limited[place.host] = str(done.ended)
            yield Worked(name, done)
            is_done, commit = not isinstance(done.ended, (Limited, Unavailable)), done.commit
            # One that takes all that a forge gives must not be the first again, or no other ever has its turn.
            is_done |= isinstance(done.ended, Limited) and place.host not in begun
            begun.add(place.host)
        if is_done:
            noted[name] = _row(name, now(), commit)
            write()


@contextmanager
def _begun(
    name: str, noted: dict[str, Mapping[str, str]], write: Callable[[], None], now: Callable[[], datetime]
) -> Iterator[None]:
    """Have a repository noted as if it was done for as long as it is worked at, and then as it was."""
    before = noted.get(name)
    noted[name] = _row(name, now(), before["commit"] if before else "")
    write()
    try:
        yield
    finally:
        del noted[name]
        if before is not None:
            noted[name] = before
        write()


def _row(name: str, at: datetime, commit: str) -> Mapping[str, str]:
    return {"repository": name, "at": at.isoformat(timespec="seconds"), "commit": commit}


def _worked(forge: Forge, work: Callable[[Forge], Done], patience: float) -> Done:
    """What comes of one repository: also a mistake of ours, which somebody may have laid for us there, ends with it."""
    try:
        with _time_limit(patience):
            return work(forge)
    except HardenError as error:
        return Done(ended=error)
    except Exception as error:
        return Done(ended=HardenError(f"a mistake of ours: {type(error).__name__}; harden pr --debug with it alone says more"))


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Have a `HardenError` end what takes longer, as a cut would, where the system can do that.

    It is raised again each second until it gets here, but for what is `undisturbed`: code on the way may catch it as an error of
    its own.
    """
    import signal
    import threading

    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> None:
        raise HardenError(f"it was not done within {seconds / 60:.0f} minutes: what is half done is finished by a later run")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before or signal.SIG_DFL)


def _noted(path: str) -> dict[str, Mapping[str, str]]:
    """What the state says, by repository."""
    import json

    if not os.path.lexists(path):
        return {}
    found: dict[str, Mapping[str, str]] = {}
    try:
        for number, line in enumerate(source.read(path, path).text.splitlines(), 1):
            row = json.loads(line)
            if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in ("repository", "at", "commit")):
                raise UsageError(f"{path}:{number}: no line of a state of `harden pr --all`: take the file away, or name another")
            found[row["repository"]] = row
    except Unreadable as error:
        raise UsageError(str(error)) from None
    except ValueError:
        raise UsageError(f"{path}: no state of `harden pr --all`: take the file away, or name another") from None
    return found


def _note(path: str, rows: Sequence[Mapping[str, str]]) -> None:
    """Write the state, in one step."""
    import json

    try:
        source.create(path, "".join(f"{json.dumps(row)}\n" for row in rows).encode())
    except OSError as error:
        raise UsageError(f"{path}: it cannot be written: {(error.strerror or str(error)).lower()}") from None
