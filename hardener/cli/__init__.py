"""The command line: arguments in, exit code out. The only place that prints, and that turns errors into exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from hardener.cli.exits import BUG, INTERRUPTED
from hardener.cli.options import Invocation, parse
from hardener.cli.terminal import close_output, say
from hardener.errors import HardenError

ISSUES = "please report it, with the command and, if you can, the file"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `harden` with these arguments (default: those of the process) and return its exit code."""
    try:
        try:
            return _dispatch(sys.argv[1:] if arguments is None else arguments)
        finally:
            close_output()
    except KeyboardInterrupt:
        return INTERRUPTED
    except HardenError as error:
        say(f"harden: {error}")
        return error.exit_code
    except Exception as error:
        if os.environ.get("HARDEN_DEBUG"):
            import traceback

            say(traceback.format_exc().rstrip())
        text = " ".join(str(error).split())[:200]
        say(f"harden: a mistake of ours: {type(error).__name__}{f': {text}' if text else ''}")
        say(f"harden: {ISSUES}; HARDEN_DEBUG=1 shows where it happened")
        return BUG


def _dispatch(arguments: Sequence[str]) -> int:
    invocation = None if "_HARDEN_COMPLETE" in os.environ else parse(arguments)
    if invocation is not None:
        return _run(invocation)
    from hardener.cli.app import understand

    action = understand(arguments, _run)
    return action if isinstance(action, int) else action()


def _run(invocation: Invocation) -> int:
    if invocation.version:
        from hardener import __version__

        say(f"harden {__version__}", error=False)
        return 0
    from hardener.cli.run import run

    return run(invocation)
