"""What the three rules about missing limits have in common: one finding for a limit that nobody wrote. Knows no amount."""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Amount, Container, Setting
from hardener.finding import Finding, Fix, Want
from hardener.needs.needs import Limit, Needs

_WORDS = {"cpu": "CPU time", "memory": "memory", "pids": "the number of processes"}


def unlimited(
    rule: str,
    what: str,
    container: Container,
    setting: Setting[Amount | None],
    needs: Needs,
    limit: Limit | None,
    amount: Amount | None,
    *,
    conflict: str = "",
) -> Iterator[Finding]:
    """The finding for a setting without a limit; `amount` is what `limit` amounts to in this container.

    `conflict` says what is in the way of an amount that people decided.
    """
    if setting.effective is not None or (setting.written and amount is None):
        return
    unknown = needs.unknown.get(what, "")
    fix, advice = None, ""
    if limit is not None and amount is not None:
        missing = needs.limit(what)[1] or ("somebody wrote that it has none" if setting.written else "")
        fix = Fix(f"limit {what} to {amount.text}", (Want(setting, amount),), evidence=(limit.evidence,), missing=missing)
    elif conflict:
        advice = conflict
    else:
        advice = f"measure it under load and set a limit{f' ({unknown})' if unknown not in ('', 'not measured') else ''}"
    yield Finding(rule, container.subject, setting.place, f"{_WORDS[what]} is not limited", fix, advice=advice, key=container.key)
