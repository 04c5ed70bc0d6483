"""What a trial keeps on this machine while it goes on, and what killed ones left behind. Knows no project."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

from hardener.record import NamedTuple
from hardener.trial.compose import TrialError
from hardener.trial.engine import LABEL, OWNER, Engine

_LOCK = "lock"
_SNAP_CAN_READ = ".harden-trials"


class Trial(NamedTuple):
    """A trial that goes on: its name, and a folder that goes with it."""

    id: str
    folder: str
    lock: IO[str]

    @property
    def project(self) -> str:
        """The Compose project that it is run as."""
        return f"harden-{self.id}"

    @property
    def labels(self) -> Mapping[str, str]:
        """What is on everything that it makes."""
        return {LABEL: self.id, OWNER: _me()}


@contextmanager
def trial(engine: Engine, *, is_snap: bool) -> Iterator[Trial]:
    """A new trial, of which nothing is left at the end, however that comes. First, what killed ones left is taken away."""
    import secrets

    home = _home(is_snap=is_snap)
    sweep(engine, home)
    id = secrets.token_hex(4)
    folder = os.path.join(home, id)
    os.mkdir(folder, 0o711)  # containers of other users enter, nobody lists
    with open(os.path.join(folder, _LOCK), "w", encoding="ascii") as lock:
        _hold(lock)
        started = Trial(id, folder, lock)
        try:
            yield started
        finally:
            with _undisturbed():
                _clear(folder)
                engine.remove(id, images=True)
                shutil.rmtree(folder, ignore_errors=True)


def sweep(engine: Engine, home: str) -> list[str]:
    """Take away what trials of this machine left that are no longer going on; returns their names."""
    gone = []
    with os.scandir(home) as found:
        here = {entry.name: entry.path for entry in found if entry.is_dir(follow_symlinks=False)}
    for id, owner in engine.trials().items():
        if id not in here and owner == _me():
            engine.remove(id, images=True)
            gone.append(id)
    for id, folder in sorted(here.items()):
        try:
            with open(os.path.join(folder, _LOCK), "a", encoding="ascii") as lock:
                if not _hold(lock):
                    continue
                engine.remove(id, images=True)
        except OSError:
            pass  # never began, or is another user's
        shutil.rmtree(folder, ignore_errors=True)
        gone.append(id)
    return gone


def _home(*, is_snap: bool) -> str:
    """The folder of all trials of this user; an engine that is a snap sees nothing outside of home folders."""
    if is_snap:
        home = os.path.join(os.path.expanduser("~"), _SNAP_CAN_READ)
    else:
        home = os.path.join(tempfile.gettempdir(), f"harden-trials-{os.getuid()}")
    os.makedirs(home, 0o711, exist_ok=True)
    told = os.lstat(home)
    if os.path.islink(home) or told.st_uid != os.getuid():
        raise TrialError(f"{home} is not ours: remove it, or set TMPDIR to another folder")
    os.chmod(home, 0o711)
    return home


def _me() -> str:
    """This user on this machine."""
    import platform

    return f"{platform.node()}/{os.getuid()}"


def _hold(lock: IO[str]) -> bool:
    """Whether a lock could be taken; it is given back when the file is closed, or its process ends."""
    import fcntl

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _clear(folder: str) -> None:
    """Remove what lies in a trial's folder, but for its lock: by that the next run knows it, if the engine is lost."""
    with os.scandir(folder) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            elif entry.name != _LOCK:
                os.unlink(entry.path)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Whoever is impatient would leave behind what is about to be taken away."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
