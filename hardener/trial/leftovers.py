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
from hardener.undisturbed import undisturbed

_LOCK = "lock"
#: Files beside the folders of trials: one is held while a trial begins or is found to be over, others for ports.
_GATE, _PORT = "gate", "port-"
_SNAP_CAN_READ = ".harden-trials"


class Trial(NamedTuple):
    """A trial that goes on: its name, and a folder that goes with it."""

    id: str
    folder: str
    lock: IO[str]
    #: Ports that are this trial's, with what holds them.
    ports: dict[tuple[str, int], IO[str]]

    @property
    def project(self) -> str:
        """The Compose project that it is run as."""
        return f"harden-{self.id}"

    @property
    def labels(self) -> Mapping[str, str]:
        """What is on everything that it makes."""
        return {LABEL: self.id, OWNER: _me(os.path.dirname(self.folder))}

    def claims(self, address: str, port: int) -> bool:
        """Whether a port is this trial's from now on: between its runs others would find it free, and take it."""
        if (address, port) in self.ports:
            return True
        home = os.path.dirname(self.folder)
        with _gate(home):
            lock = _taken(os.path.join(home, f"{_PORT}{address.replace(':', '_')}-{port}"))
        if lock is None:
            return False
        self.ports[address, port] = lock
        return True


@contextmanager
def trial(engine: Engine, *, is_snap: bool) -> Iterator[Trial]:
    """A new trial, of which nothing is left at the end, however that comes. First, what killed ones left is taken away."""
    import secrets

    home = _home(is_snap=is_snap)
    sweep(engine, home)
    id = secrets.token_hex(4)
    folder = os.path.join(home, id)
    with _gate(home):  # nobody shall find the folder without its lock, and take it for one that is over
        os.mkdir(folder, 0o711)  # containers of other users enter, nobody lists
        lock = open(os.path.join(folder, _LOCK), "w", encoding="ascii")  # noqa: SIM115
        _hold(lock)
    started = Trial(id, folder, lock, {})
    try:
        yield started
    finally:
        with lock, undisturbed():
            _clear(folder)
            try:
                engine.remove(id, images=True)
            except TrialError as error:
                raise TrialError(f"{error}; what the trial has made there goes with the next run of harden verify") from None
            finally:
                for port in started.ports.values():
                    port.close()
                with _gate(home):
                    _let_go(home)
            shutil.rmtree(folder, ignore_errors=True)


def sweep(engine: Engine, home: str) -> list[str]:
    """Take away what trials of this user left that are no longer going on; returns their names.

    Those that were begun with another folder for temporary files are not known here, and left alone.
    """
    gone = []
    # Asked before the folders are looked at: a trial that begins meanwhile has one before it has anything on the engine.
    there = engine.trials()
    with _gate(home):
        with os.scandir(home) as found:
            here = {entry.name: entry.path for entry in found if entry.is_dir(follow_symlinks=False)}
        over = {id: lock for id, folder in here.items() if (lock := _taken(os.path.join(folder, _LOCK))) is not None}
        _let_go(home)
    for id, owner in there.items():
        if id not in here and owner == _me(home):
            engine.remove(id, images=True)
            gone.append(id)
    for id, lock in sorted(over.items()):
        with lock:
            engine.remove(id, images=True)
            shutil.rmtree(here[id], ignore_errors=True)
        gone.append(id)
    return gone


@contextmanager
def _gate(home: str) -> Iterator[None]:
    """One at a time."""
    import fcntl

    with open(os.path.join(home, _GATE), "a", encoding="ascii") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield


def _taken(path: str) -> IO[str] | None:
    """A lock that nobody holds, which is now ours; None where somebody does."""
    lock = open(path, "a", encoding="ascii")  # noqa: SIM115
    if _hold(lock):
        return lock
    lock.close()
    return None


def _let_go(home: str) -> None:
    """Remove the files of ports that no trial holds; the gate is ours."""
    for name in os.listdir(home):
        path = os.path.join(home, name)
        if name.startswith(_PORT) and (lock := _taken(path)) is not None:
            with lock:
                os.unlink(path)


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


def _me(home: str) -> str:
    """This user on this machine, as far as trials of one folder know of each other."""
    import platform

    return f"{platform.node()}/{os.getuid()}{home}"


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
