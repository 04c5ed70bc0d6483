"""Rules by the names that users give. Knows the registry, not what rules do."""

from __future__ import annotations

from collections.abc import Iterable

from hardener.errors import UsageError
from hardener.finding import Rule
from hardener.rules import load
from hardener.suggestion import meant


def rule_ids(given: Iterable[str]) -> frozenset[str]:
    """The rule ids in a list of words, each possibly several with commas between. Raises `UsageError` for an unknown one."""
    words = [part.strip() for word in given for part in word.split(",")]
    return frozenset(rule(word).id for word in words if word)


def rule(id: str) -> Rule:
    """The rule of this id. Raises `UsageError`, with the nearest ids, where there is none."""
    rules = {known.id: known for known in load()}
    if id in rules:
        return rules[id]
    near = meant(id, rules, 2)
    hint = f"did you mean {near}?" if near else "`harden rules` lists them"
    raise UsageError(f"there is no rule `{id}`: {hint}")
