"""The words of a comment that lets findings be: `# harden: ignore[rule-a, rule-b] until=2027-01-31 the reason`.

Knows how it is written, and the ids of rules; not where it stands, nor what it covers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hardener.facts.silence import Silence
from hardener.finding import Place
from hardener.rules import ids
from hardener.suggestion import meant
from hardener.syntax.comments import MARK

#: What is kept of a reason: it is shown with each finding.
MOST_REASON = 300
#: A longer comment is none that a person wrote; a part of it is shown with each finding.
_LONGEST = 4000
#: So much of what is not understood is repeated.
_MOST_REPEATED = 60
_FORM = re.compile(r"#[ \t]*harden:[ \t]*ignore[ \t]*\[([^\]]*)\](.*)", re.DOTALL)
_UNTIL = re.compile(r"(?:^|(?<=\s))until[ \t]*=[ \t]*(\S*)")
_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
EXAMPLE = f"# {MARK} ignore[privileged-container] the reason"


def read(text: str, number: int, place: Place, today: tuple[int, int, int]) -> Silence:
    """What a comment says, from its `#` on; `mistake` tells why where it cannot be followed."""
    said = Silence(place, text, number)
    if len(text) > _LONGEST:
        return said._replace(mistake=f"it is longer than {_LONGEST} characters", advice="say less, or in several comments")
    match = _FORM.fullmatch(text)
    if match is None:
        return said._replace(mistake=f"`{_some(text)}` is not understood", advice=f"write `{EXAMPLE}`, or begin otherwise")
    rules = tuple(dict.fromkeys(name for part in match[1].split(",") if (name := part.strip())))
    said = said._replace(rules=rules, listed=match.span(1))
    dates = _UNTIL.findall(match[2])
    words = " ".join(_UNTIL.sub(" ", match[2]).split()).lstrip(":-\u2013\u2014 ")
    said = said._replace(reason=words if len(words) <= MOST_REASON else words[:MOST_REASON] + "\u2026")
    if dates:
        day = _day(dates[0])
        if len(dates) > 1 or day is None:
            why = "it has two dates" if len(dates) > 1 else f"`{_some(dates[0])}` is no date"
            return said._replace(mistake=why, advice="write the last day on which it holds as until=2027-01-31")
        said = said._replace(until=day, expired=day < today)
    mistake, advice = next(_mistakes(said), ("", ""))
    return said._replace(mistake=mistake, advice=advice)


def _mistakes(said: Silence) -> Iterator[tuple[str, str]]:
    if not said.rules:
        yield "it names no rule", f"name what is let be, as in `{EXAMPLE}`"
    known = ids()
    for rule in said.rules:
        if rule not in known:
            near = meant(rule, ids())
            hint = f"did you mean `{near}`?" if near else "`harden rules` lists them"
            yield f"there is no rule `{_some(rule)}`", hint
        elif rule in ids("silence"):
            yield f"`{rule}` cannot be silenced in a comment", "take it out of the list"
    if not any(character.isalnum() for character in said.reason):
        yield "it gives no reason", "say behind the list why this is let be, for those who read it next year"


def _day(text: str) -> tuple[int, int, int] | None:
    """A day as the calendar has it; None for anything else."""
    match = _DAY.fullmatch(text)
    if match is None:
        return None
    from datetime import date

    day = int(match[1]), int(match[2]), int(match[3])
    try:
        date(*day)
    except ValueError:
        return None
    return day


def _some(text: str) -> str:
    return text if len(text) <= _MOST_REPEATED else text[:_MOST_REPEATED] + "\u2026"
