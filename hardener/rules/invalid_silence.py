"""A comment that is to silence findings is not understood, and so silences nothing.

Attack: Whoever wants a hazard to get past a review writes the comment without a reason, or for all rules at once. Were it
followed, nobody would be told of what stands below it, nor could tell later whether the comment may go.

Background: `# harden: ignore[rule] reason` lets findings be, and who reads the file takes them for looked at. With a slip of the
pen (a rule that does not exist, a date that is none) or without a reason, it counts as not written. Its form is
`# harden: ignore[rule-a, rule-b] until=2027-01-31 the reason`, with at least one of the ids that `harden rules` lists; the date
may be left out.

What may break: Nothing that runs, since it is a comment. Once it is understood, what it names no longer fails a check.

What we do: No edit is offered: what was meant, and why, only its author knows. The finding says which part is not understood,
and what was probably meant.

Left alone: Comments that do not begin with `# harden:`, which is kept for this. This rule and `stale-silence` cannot be
silenced in this way.

Example: compose
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.silence import Silence
from hardener.finding import Finding, Rule, Severity

ID = "invalid-silence"


def check(silence: Silence, needs: None) -> Iterator[Finding]:
    """A comment that cannot be followed."""
    if silence.mistake:
        message = f"silences nothing: {silence.mistake}"
        yield Finding(ID, "comment", silence.place, message, advice=silence.advice, key=silence.key)


RULE = Rule(
    id=ID,
    title="A comment that is to silence findings is not understood",
    severity=Severity.LOW,
    cites=(),
    silence=check,
    why="what its author let be is reported all the same, and nobody can tell why it should not be",
)
