"""What a project tells of itself, in `hardener.toml` or `[tool.hardener]` of pyproject.toml. Knows their form, and no command.

`find` says which file holds, `keys` has the table of all that may stand there, `read` makes a `Config` of it.
"""

from __future__ import annotations

from hardener.config.find import find_config, given_config
from hardener.config.model import Config

__all__ = ["Config", "find_config", "given_config"]
