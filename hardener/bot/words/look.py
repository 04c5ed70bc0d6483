"""What the words of a pull request depend on, beside what it is about. Knows no bundle."""

from __future__ import annotations

from hardener.config.model import PullRequests
from hardener.record import NamedTuple


class Look(NamedTuple):
    """Where a pull request is to be read, and how its repository wants it."""

    settings: PullRequests = PullRequests()
    #: `OWNER/NAME`.
    repository: str = ""
    #: Whether whoever runs the bot owns the repository: to strangers it says more of who it is, and how to be rid of it.
    is_own: bool = False
    #: As the forge has them (`hardener.bot.forge.Forge`).
    pull_word: str = "pull request"
    longest_body: int = 65_536

    @property
    def sign_off(self) -> str:
        """Who signs off the commits; empty for nobody."""
        return self.settings.author if self.settings.sign_off else ""
