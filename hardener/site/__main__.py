"""`python -m hardener.site OUT`: builds the site into a folder. Knows no page."""

from __future__ import annotations

import sys

from hardener.cli.terminal import say
from hardener.errors import HardenError
from hardener.site.build import build


def main(arguments: list[str]) -> int:
    """Build the site into the folder that is named; 0 when it was built without a warning."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        say("usage: python -m hardener.site OUT\n\nBuilds the documentation into the folder OUT; what is in there goes.")
        return 2
    try:
        build(arguments[0])
    except HardenError as error:
        say(f"hardener.site: {error}")
        return error.exit_code
    say(f"{arguments[0]}/index.html", error=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
