"""What the words of a pull request depend on, beside what it is about. Knows no bundle."""

from __future__ import annotations

from hardener.config.model import PullRequests
from hardener.record import NamedTuple


class Look(NamedTuple):
    """Where a pull request is to be read, and how its repository wants it."""

    settings: PullRequests = PullRequests()
    #: `OWNER/NAME`, and the branch that it goes to.
    repository: str = ""
    base: str = ""
    #: Whether whoever runs the bot owns the repository: to strangers it says more of who it is, and how to be rid of it.
    is_own: bool = False
    #: As the forge has them (`hardener.bot.forge.Forge`).
    pull_word: str = "pull request"
    pull_sign: str = "#"
    longest_body: int = 65_536
    #: Who signs off where the configuration names no author, as `NAME <EMAIL>`; without both, nothing is signed off.
    signer: str = ""

    @property
    def sign_off(self) -> str:
        """Who signs off the commits; empty for nobody."""
        return (self.settings.author or self.signer) if self.settings.sign_off else ""
