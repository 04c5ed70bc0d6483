"""The command line: arguments in, exit code out. The only place that prints, and that turns errors into exit codes."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

from hardener.cli.exits import BUG, INTERRUPTED
from hardener.cli.options import PROGRAM, Invocation, parse
from hardener.cli.terminal import close_output, say
from hardener.errors import HardenError

ISSUES = "please report it, with the command and, if you can, the file"
#: How many objects may be made before Python looks for cycles among them: more than a few files need.
_OBJECTS_BEFORE_COLLECTION = 100_000


def main(arguments: Sequence[str] | None = None, program: str = PROGRAM) -> int:
    """Run `harden` with these arguments and return its exit code; without them, with those of this process, which then ends.

    `program` is what people call it by, for help and messages.
    """
    if arguments is not None:
        return _guarded(arguments, program)
    # What a run builds is in use until its end. To look for cycles in it, then and meanwhile, is a sixth of a short run.
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTION)
    try:
        return _guarded(sys.argv[1:], program)
    finally:
        gc.freeze()


def _guarded(arguments: Sequence[str], program: str) -> int:
    """Run, and answer every error with a message and an exit code."""
    try:
        try:
            return _dispatch(arguments, program)
        finally:
            close_output()
    except KeyboardInterrupt:
        return INTERRUPTED
    except HardenError as error:
        from hardener.render.summary import clean

        say(clean(f"{program}: {error}"))  # names in it may be a stranger's
        return error.exit_code
    except Exception as error:
        if os.environ.get("HARDEN_DEBUG") or "--debug" in arguments:
            import traceback

            say(traceback.format_exc().rstrip())
        from hardener.render.summary import clean

        text = clean(" ".join(str(error).split())[:200])
        say(f"{program}: a mistake of ours: {type(error).__name__}{f': {text}' if text else ''}")
        say(f"{program}: {ISSUES}; --debug shows where it happened")
        return BUG


def _dispatch(arguments: Sequence[str], program: str) -> int:
    invocation = None if "_HARDEN_COMPLETE" in os.environ else parse(arguments)
    if invocation is not None:
        return _run(invocation)
    from hardener.cli.app import understand

    action = understand(arguments, _run, program)
    return action if isinstance(action, int) else action()


def _run(invocation: Invocation) -> int:
    if invocation.version:
        from hardener import __version__

        say(f"harden {__version__}", error=False)
        return 0
    from hardener.cli.run import run

    return run(invocation)
