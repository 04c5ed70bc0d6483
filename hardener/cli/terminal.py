"""Standard output and error: bytes, width, colour, and readers that went away. Knows nothing of what is printed."""

from __future__ import annotations

import os
import sys
from typing import TextIO

DEFAULT_WIDTH = 80
MIN_WIDTH, MAX_WIDTH = 40, 120


def say(text: str, *, error: bool = True) -> None:
    """Print text and a line end; what the stream's encoding lacks is written as an escape."""
    stream = sys.stderr if error else sys.stdout
    if stream is None:  # as under pythonw, or with the descriptor closed
        return
    encoding = stream.encoding or "utf-8"
    emit(f"{text}\n".encode(encoding, "backslashreplace"), stream)


def emit(data: bytes, stream: TextIO | None = None) -> None:
    """Write bytes to standard output, or to another stream, as they are; a reader that went away is no error."""
    stream = stream or sys.stdout
    if stream is None:
        return
    try:
        buffer = getattr(stream, "buffer", None)
        if buffer is None:  # replaced by something that takes text only
            stream.write(data.decode(stream.encoding or "utf-8", "replace"))
        else:
            stream.flush()
            buffer.write(data)
        stream.flush()
    except BrokenPipeError:
        _let_go(stream)


def close_output() -> None:
    """Flush what is left, so that a reader that went away is noticed here and not while Python ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except BrokenPipeError:
            _let_go(stream)


def _let_go(stream: TextIO) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def has_colour(choice: str, stream: TextIO | None = None) -> bool:
    """Whether standard output, or another stream, is coloured, given `--color`'s value."""
    if choice != "auto":
        return choice == "always"
    stream = stream or sys.stdout
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream is not None and stream.isatty()


def is_watched() -> bool:
    """Whether somebody looks at standard error as it is written: a terminal that can move its cursor."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def is_terminal() -> bool:
    """Whether standard output is one, and so has a width that counts."""
    return sys.stdout is not None and sys.stdout.isatty()


def width() -> int:
    """The width to wrap text at: the terminal's within reason, or COLUMNS, or 80."""
    try:
        columns = int(os.environ.get("COLUMNS", "")) or DEFAULT_WIDTH
    except ValueError:
        try:
            columns = os.get_terminal_size(sys.__stdout__.fileno()).columns if sys.__stdout__ else DEFAULT_WIDTH
        except (OSError, ValueError):
            columns = DEFAULT_WIDTH
    return max(MIN_WIDTH, min(MAX_WIDTH, columns or DEFAULT_WIDTH))
