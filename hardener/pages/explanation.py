"""All that is known of a rule, in one value, for every form that shows it. Knows the registry, and no form."""

from __future__ import annotations

from hardener.finding import Rule
from hardener.pages.cases import Ending, case, endings
from hardener.pages.example import Example, judged
from hardener.pages.page import Page, read
from hardener.record import NamedTuple
from hardener.rules import load, page
from hardener.standards import Citation, citation

#: What a rule looks at, for people.
PLACES = {
    "container": "services in Compose files and containers of Kubernetes pods",
    "stage": "stages in Dockerfiles",
    "silence": "comments that silence findings",
}
#: The same in a word.
SUBJECTS = {"container": "containers", "stage": "Dockerfiles", "silence": "comments"}
#: How findings end, for people.
ENDINGS = {
    Ending.REPAIRED: "repaired, where the evidence is enough",
    Ending.HELD_BACK: "held back, until --unsafe-fixes asks for it",
    Ending.REFUSED: "refused, where the fix cannot be written safely",
    Ending.REPORTED: "reported, with the way out",
}


class Explanation(NamedTuple):
    """A rule with its page, its sources, how its findings end, and its examples."""

    rule: Rule
    page: Page
    sources: tuple[Citation, ...]
    #: As its fixtures show, the most that is done first.
    endings: tuple[Ending, ...]
    examples: tuple[Example, ...]


def explain(rule: Rule) -> Explanation:
    """The explanation of a rule; its examples are judged by this."""
    text = read(page(rule))
    examples = tuple(judged(case(rule.id, name)) for name in text.examples)
    return Explanation(rule, text, tuple(map(citation, rule.cites)), endings(rule.id), examples)


def worst_first() -> list[Rule]:
    """All rules, the worst hazards first."""
    return sorted(load(), key=lambda rule: (-rule.severity, rule.id))


def silencer(rule: Rule) -> str:
    """The comment that silences a rule where it stands; empty for rules about such comments, which none silences."""
    return "" if rule.silence is not None else f"# harden: ignore[{rule.id}] REASON"


SILENCE_PLACES = "on the line, above the key or the service, or at the top of the file"
