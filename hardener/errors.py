"""Every error that the project raises on purpose, each with the exit code that it ends in. Knows nothing else."""

from __future__ import annotations


class HardenError(Exception):
    """The root of the family. `exit_code` is what the command line ends with when nothing catches it."""

    exit_code = 3


class UsageError(HardenError):
    """The user asked for something that does not exist or does not go together."""

    exit_code = 2


class Unreadable(HardenError):
    """A file that cannot be read, or cannot be understood. Carries what a person needs to mend it."""

    exit_code = 2

    def __init__(self, path: str, reason: str, remedy: str = "", line: int = 0) -> None:
        super().__init__(f"{path}{f':{line}' if line else ''}: {reason}")
        self.path = path
        self.reason = reason
        self.remedy = remedy
        self.line = line


class EditConflict(HardenError):
    """Two edits want the same text: a mistake of ours, caught before anything is written."""


class CannotWrite(HardenError):
    """A setting cannot be written at this place without a risk; `reason` says why, for the user."""

    exit_code = 2

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
