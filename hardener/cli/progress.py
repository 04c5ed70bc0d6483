"""A bar on a terminal while many files are judged. Knows how many are done, and nothing of them."""

from __future__ import annotations

from time import monotonic
from typing import Any

#: A run that is over by then needs no bar, and does not pay for one.
_SECONDS_BEFORE = 1.0


class Progress:
    """Shows itself on standard error once a run takes long; to be closed before anything else is printed."""

    def __init__(self) -> None:
        self._begun = monotonic()
        self._bar: Any = None
        self._task: Any = None

    def advance(self, done: int, of: int) -> None:
        """So many files are done, of so many."""
        if self._bar is None:
            if monotonic() - self._begun < _SECONDS_BEFORE or done >= of:
                return
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = TextColumn("judging"), BarColumn(), MofNCompleteColumn(), TextColumn("files"), TimeRemainingColumn()
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("judging", total=of)
            self._bar.start()
        self._bar.update(self._task, completed=min(done, of), total=of)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
