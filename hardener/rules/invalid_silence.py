"""A comment that is to silence findings is not understood, and so silences nothing.

`# harden: ignore[rule] reason` lets findings be. Somebody who reads the file takes them for looked at; but where the comment
has a slip of the pen (a rule that does not exist, a date that is none) it silences nothing, and where it gives no reason nobody
can tell later whether it may go. Such a comment counts as not written.

No edit is offered: what was meant, and why, only its author knows. The form is

    # harden: ignore[rule-a, rule-b] until=2027-01-31 the reason

with the ids that `harden rules` lists, at least one; the date may be left out. Comments that begin with `# harden:` are kept
for this, and the rules about silences cannot be silenced so.
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
