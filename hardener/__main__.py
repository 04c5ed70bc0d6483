"""`python -m hardener`: the same as `harden`."""

from __future__ import annotations

import sys

from hardener.cli import main

if __name__ == "__main__":
    sys.exit(main())
