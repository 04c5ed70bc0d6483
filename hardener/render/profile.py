"""What is known about an image, as text: every item with its conditions and its source. Knows no container."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hardener.needs.profile import Filter, Origin, Profile

#: The items of a profile by their names in its file, and the heading they get.
_KINDS = (
    ("starts", "start"),
    ("user", "user"),
    ("capabilities", "capability"),
    ("paths", "path"),
    ("read_only", "read-only"),
    ("no_new_privileges", "no-new-privileges"),
    ("seccomp", "seccomp"),
    ("apparmor", "apparmor"),
    ("api", "api"),
    ("unprivileged", "unprivileged"),
    ("memory", "memory"),
    ("cpu", "cpu"),
    ("pids", "pids"),
    ("heaps", "heap"),
    ("healthchecks", "healthcheck"),
    ("ports", "port"),
    ("inherits", "inherits"),
)
_COMMON = ("filter", "why", "evidence")


def listing(profiles: Sequence[Profile], others: Mapping[str, Sequence[str]]) -> str:
    """One line an image: its name, the versions that were read, what is known of it; `others` gives further names."""
    rows = []
    for profile in sorted(profiles, key=lambda profile: profile.names):
        versions = " ".join(sign + ".".join(map(str, bound)) for sign, bound in profile.versions.versions) or "any"
        known = [title for field, title in _KINDS if title not in ("start", "inherits") and getattr(profile, field)]
        also = others.get(profile.names[0], ())
        rows.append((profile.names[0], versions, ", ".join(known) + (f" (also {', '.join(also)})" if also else "")))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)] if rows else []
    return "\n".join(f"{name:{widths[0]}}  {versions:{widths[1]}}  {known}" for name, versions, known in rows)


def page(profile: Profile) -> str:
    """All items of one profile, each with when it applies and where it comes from."""
    lines = [profile.names[0], "=" * len(profile.names[0])]
    versions = " ".join(sign + ".".join(map(str, bound)) for sign, bound in profile.versions.versions)
    lines.append(f"Tags:     {versions or 'any version'}{_list('; without a version: ', sorted(profile.rolling))}")
    lines.append(f"Commands: the image's own{_list(', or one that begins with ', profile.programs)}")
    for field, title in _KINDS:
        items = getattr(profile, field)
        if items:
            lines += ["", title]
            lines += [line for item in items for line in _item(item)]
    if profile.unknown:
        lines += ["", "not known"]
        lines += [f"  {name.replace('_', '-')}: {why}" for name, why in profile.unknown.items()]
    lines += ["", "sources"]
    lines += [line for origin in profile.origins.values() for line in _origin(origin)]
    return "\n".join(lines)


def _item(item: Any) -> Iterator[str]:
    facts = [_fact(name, value) for name, value in item._asdict().items() if name not in _COMMON]
    yield f"  {', '.join(fact for fact in facts if fact) or 'yes'}: {item.why}"
    conditions = _conditions(item.filter)
    if conditions:
        yield f"      when {conditions}"
    yield f"      [{item.evidence.source}, {item.evidence.strength.name.lower()}]"


def _fact(name: str, value: object) -> str:
    if value in (None, "", (), False) and name != "works":
        return ""
    if isinstance(value, bool):
        return (name if value else f"does not {name.removesuffix('s')}").replace("_", "-")
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return f"{name.replace('_', '-')} {' '.join(map(str, value))}"
    if isinstance(value, tuple):
        return f"{name} {' '.join(map(str, value))}"
    if isinstance(value, float):
        return f"{value:g}" if name == "amount" else f"{name} {value:g}"
    return str(value) if name in ("name", "path", "test", "number") else f"{name.replace('_', '-')} {value}"


def _conditions(filter: Filter) -> str:
    parts = [sign + ".".join(map(str, bound)) for sign, bound in filter.versions]
    if filter.variant:
        parts.append(f"the tag {'has no' if filter.variant.startswith('!') else 'has'} `{filter.variant.lstrip('!')}`")
    if filter.any_of:
        parts.append(" or ".join(f"{condition.kind} {condition.argument}" for condition in filter.any_of))
    parts += [f"not {condition.kind} {condition.argument}" for condition in filter.unless]
    return "; ".join(parts)


def _origin(origin: Origin) -> Iterator[str]:
    yield f"  {origin.kind}: {origin.repository} {origin.file}@{origin.commit[:7]}"
    yield f"      {origin.url}"


def _list(lead: str, words: Iterable[str]) -> str:
    text = ", ".join(words)
    return lead + text if text else ""
