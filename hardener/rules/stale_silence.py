"""A comment silences what is not there any more, or its last day has passed.

Attack: Whoever can change the file brings back the hazard that the comment was once written for. It is silenced before
anybody has looked at it, and whoever breaks in finds it there.

Background: `# harden: ignore[rule] reason` lets findings be. When what it was written for is gone, it says something about the
file that is no longer true. One with a last day (`until=2027-01-31`) silences nothing after that day, so that what it let be
for a while is found again.

What may break: Nothing that runs, since a comment changes nothing that does. Whoever writes it again later has to find the reason
again.

What we do: The comment is taken away, or of a list of rules those for which it is not needed. The whole file was judged before,
with all of its fixes too, and nothing was found that the comment would silence. Afterwards it is judged again, and the comment
comes back if anything is found that was not found before.

Left alone: Rules that were left out of this run, rules that are about other kinds of files, and files that could not be judged
in full.

Example: compose
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.silence import Silence
from hardener.finding import Evidence, Finding, Fix, Rule, Severity, Strength

ID = "stale-silence"
_ADVICE = "take it away"


def check(silence: Silence, needs: None) -> Iterator[Finding]:
    """A comment that is not needed, or not any more."""
    if silence.mistake:
        return
    if silence.expired and silence.until:
        day = "{:04}-{:02}-{:02}".format(*silence.until)
        message, gone = f"silences nothing since {day} has passed", silence.rules
        claim = f"its last day, {day}, has passed, so that it silences nothing"
    elif silence.unused:
        gone = silence.unused
        listed = ", ".join(f"`{rule}`" for rule in gone)
        message = f"silences {listed}, which {'is' if len(gone) == 1 else 'are'} not found there"
        claim = "the whole file was judged, and nothing is found that this comment would silence"
    else:
        return
    summary = "take the comment away" if len(gone) == len(silence.rules) else f"take {', '.join(gone)} out of its list"
    fix = Fix(summary, changes=silence.without(gone), evidence=(Evidence(claim, silence.source, Strength.READ),))
    yield Finding(ID, "comment", silence.place, message, fix, advice=_ADVICE, key=silence.key)


RULE = Rule(
    id=ID,
    title="A comment silences nothing any more",
    severity=Severity.LOW,
    cites=(),
    silence=check,
    why="the next time that the hazard comes in, nobody is told",
)
