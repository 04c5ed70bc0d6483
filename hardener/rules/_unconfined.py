"""What the rules about switched-off confinement have in common: one finding, and the item to take away. Knows no profile."""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container, Setting
from hardener.finding import Finding, Fix, Want
from hardener.needs.needs import Needs
from hardener.needs.profile import Verdict


def unconfined(
    rule: str, what: str, container: Container, setting: Setting[bool], needs: Needs, verdict: Verdict | None
) -> Iterator[Finding]:
    """The finding for a profile of the engine, called `what`, that is switched off, or that nobody asked for."""
    if not setting.effective or container.privileged.effective:  # a privileged container has none in any case
        return
    asked = "" if setting.written else f": {container.platform.name} applies none unless it is asked for"
    message = f"runs without the {container.platform.engine}'s {what} profile{asked}"
    if verdict is not None and not verdict.works:
        refusal = f"it is known to need more than the default allows: {verdict.why}"
        advice = f"give it a {what} profile of its own that allows just that"
        yield Finding(rule, container.subject, setting.place, message, refusal=refusal, advice=advice, key=container.key)
        return
    evidence = (verdict.evidence,) if verdict is not None else ()
    missing = (
        verdict.doubt if verdict is not None and needs.holds else needs.why_not or "whether it works under the default profile"
    )
    words = f"{'go back to' if setting.written else 'ask for'} the {container.platform.engine}'s default {what} profile"
    fix = Fix(words, (Want(setting, False),), evidence=evidence, missing=missing)
    yield Finding(rule, container.subject, setting.place, message, fix, key=container.key)
