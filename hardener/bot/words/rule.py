"""A rule for somebody who has never heard of the tool: the hazard, and who asks for the repair. Knows no report."""

from __future__ import annotations

from functools import cache

from hardener.finding import Rule
from hardener.rules import load, page
from hardener.standards import Citation, citation

#: Beginnings of items that are about pods, and of those whose text is not where the address leads.
_PODS, _MEMBERS_ONLY = ("Pod Security", "NSA/CISA Kubernetes", "CIS Kubernetes"), "CIS"
#: So many are named for a rule.
_MOST = 2


def rule_of(id: str) -> Rule | None:
    """The rule of this id; None where it is not one of ours."""
    return next((rule for rule in load() if rule.id == id), None)


@cache
def about(id: str) -> str:
    """What is wrong, and what that leads to: two sentences."""
    from hardener.pages.page import read

    rule = rule_of(id)
    if rule is None:
        return ""
    return f"{read(page(rule)).hazard.rstrip('.')}. {rule.why[:1].upper()}{rule.why[1:]}."


@cache
def sources(id: str, *, for_pods: bool = False) -> tuple[Citation, ...]:
    """Who else asks for the repair, of pods or of other containers: those first that everybody can read, each page once."""
    rule = rule_of(id)
    found = [citation(item) for item in rule.cites] if rule else []
    found = [source for source in found if source.item.startswith(_PODS) == for_pods] or found
    found.sort(key=lambda source: source.item.startswith(_MEMBERS_ONLY))
    first: dict[str, Citation] = {}
    for source in found:
        first.setdefault(source.url, source)
    return tuple(first.values())[:_MOST]
