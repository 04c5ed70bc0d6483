"""A comment that lets findings be, `# harden: ignore[rule] reason`, as it is written. Knows no format and no rule.

Where such comments are, what each covers and whether it still does is found out in `hardener.silence`.
"""

from __future__ import annotations

from hardener.finding import Change, Place
from hardener.record import NamedTuple
from hardener.syntax.comments import Reword


class Silence(NamedTuple):
    """One comment that speaks to harden."""

    place: Place
    #: The comment from its `#` on; and how many of the same text stand before it in the file.
    text: str
    number: int
    #: The rules that it names, in its order; `listed` is where the list stands in the text, between its brackets.
    rules: tuple[str, ...] = ()
    listed: tuple[int, int] = (0, 0)
    reason: str = ""
    #: The last day on which it holds, as a tuple of year, month and day; None for ever.
    until: tuple[int, int, int] | None = None
    #: Why it says nothing that can be followed, and what to write instead; empty where it does.
    mistake: str = ""
    advice: str = ""
    #: Whether its last day has passed.
    expired: bool = False
    #: Of its rules, those for which it silences nothing, where that is known.
    unused: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What tells it from others of its run."""
        return f"{self.place.path}#{self.number} {self.text}"

    @property
    def source(self) -> str:
        """Where it stands, as the source of evidence."""
        return f"{self.place.path}:{self.place.line}"

    def without(self, rules: tuple[str, ...]) -> tuple[Change, ...]:
        """The change after which it does not name these rules, or is gone where it names no other."""
        left = [rule for rule in self.rules if rule not in rules]
        start, end = self.listed
        new = f"{self.text[:start]}{', '.join(left)}{self.text[end:]}" if left else ""
        return (Change(self.place.path, Reword(self.text, self.number, new)),)
