"""Has what is to be taken away taken away, whoever is impatient. Knows the signals that end us, and not what is cleared up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_ENDING = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore what would end us: people, and a bound on time. Another thread than the main one is never disturbed."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    meanwhile: dict[str, Any] = dict.fromkeys(_ENDING, signal.SIG_IGN)
    # Linux winds a timer up again when its signal is delivered (`dequeue_signal` in kernel/signal.c): ignored, it would not come
    # again.
    meanwhile["SIGALRM"] = _nothing
    before = {}
    try:
        for name, handler in meanwhile.items():
            if number := getattr(signal, name, None):
                before[number] = signal.signal(number, handler)
        yield
    finally:
        for number, handler in before.items():
            # None is one that was not set by Python, which cannot set it again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _nothing(*_: object) -> None:
    pass
