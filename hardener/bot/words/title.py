"""The title of a pull request: what it does, and where. Knows no body."""

from __future__ import annotations

from hardener.bot.proposal import Bundle, Per
from hardener.bot.words.kinds import is_dockerfile, subject_line, topics
from hardener.bot.words.look import Look
from hardener.bot.words.plain import ROOM, name, prefixed


def title(bundle: Bundle, look: Look) -> str:
    """At most 72 characters where the prefix leaves room for that: the same for the same fixes in the same place."""
    prefix = look.settings.title_prefix
    rules = [step.rule for step in bundle.steps if step.rule]
    place = _place(bundle, look)
    if len(rules) == 1:
        fixes = bundle.report.applied
        is_named = any(one.finding.place.path == place for one in fixes if is_dockerfile(one.finding.place.path))
        return subject_line(rules[0], fixes, prefix, "" if bundle.per is Per.RULE or is_named else f" in {place}")
    told = topics(rules)
    for number in range(len(told), 0, -1):
        some = ", ".join(told[:number]) + (" and more" if number < len(told) else "")
        line = prefixed(prefix, f"Harden {place}: {some}")
        if len(line) <= ROOM:
            return line
    return prefixed(prefix, f"Harden {place}")


def _place(bundle: Bundle, look: Look) -> str:
    """A name for what it is about: its folder or file, else the only file that is changed, else the repository."""
    paths = {change.before.path for change in bundle.report.changes}
    candidates = [] if bundle.per is Per.RULE or bundle.scope in ("", ".") else _shorter(bundle.scope)
    if len(paths) == 1:
        candidates += _shorter(*paths)
    candidates.append(look.repository.rpartition("/")[2])
    return next((found for one in candidates if (found := name(one))), "its containers")


def _shorter(path: str) -> list[str]:
    """A path, its last two parts, its last."""
    parts = path.split("/")
    return [path, "/".join(parts[-2:]), parts[-1]]
