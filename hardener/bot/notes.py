"""What the bot says below pull requests: why it stops at one, and why it takes one back. Knows words, and no forge's calls."""

from __future__ import annotations

from collections.abc import Iterable

from hardener.render.commonmark import code, prose

#: By this line, which nobody sees, a later run knows that it was said.
_STOPPED = "<!-- harden: stopped -->"


def stopped(branch: str, why: str, pull_word: str, *, dashboard: bool) -> str:
    """What is said where somebody else's work is on our branch."""
    again = ", or somebody ticks it in the issue that lists what is proposed" if dashboard else ""
    return (
        f"{code(branch)} is not as harden left it: {prose(why)}. So it is yours now: harden neither writes to it nor rebases it "
        f"any more, and says so only this once.\n\n"
        f"To hand it back, have the branch as it was. Whoever deletes the branch or closes this {pull_word} instead "
        f"says no: then harden leaves these files alone until there is another fix to propose{again}.\n\n{_STOPPED}\n"
    )


def has_stopped(comments: Iterable[str]) -> bool:
    """Whether that has been said."""
    return any(_STOPPED in comment for comment in comments)


def closed(why: str, pull_word: str) -> str:
    """What is said where a pull request of ours is taken back."""
    return (
        f"harden takes this {pull_word} back: {prose(why)}. Nobody but harden has worked on its branch, which goes, too. "
        "Should there be something to propose again, a new one is made.\n"
    )
