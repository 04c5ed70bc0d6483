"""Compose's ${VARIABLE} substitution and its .env files. Knows no YAML and no service.

The rules are those of the Compose specification ("Interpolation"); the environment of the person who runs the tool is
not consulted, so that the same files always give the same result.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# Text, because most files have none of these, and `re` keeps what it has compiled.
_REFERENCE = r"\$(?:(?P<dollar>\$)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)(?P<rest>[^{}]*)\})"
_OFFER = r"^[ \t]*#+[ \t]*(?:export[ \t]+)?([A-Z][A-Z0-9_]*)="
_ASSIGNMENT = r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*[=:]\s*(.*?)\s*$"


def interpolate(text: str, variables: Mapping[str, str]) -> str | None:
    """The text with every reference replaced, or None when one of them has no known value.

    An unset variable without a default is empty to Compose, but the shell that runs Compose may set it: unknown here.
    """
    if "$" not in text:
        return text
    parts: list[str] = []
    at = 0
    for match in re.finditer(_REFERENCE, text):
        value = "$" if match["dollar"] else _value(match["name"] or match["braced"], match["rest"] or "", variables)
        if value is None:
            return None
        parts += (text[at : match.start()], value)
        at = match.end()
    rest = text[at:]
    return None if "${" in rest else "".join(parts) + rest


def _value(name: str, rest: str, variables: Mapping[str, str]) -> str | None:
    value = variables.get(name)
    if not rest:
        return value
    empty_counts_as_unset = rest.startswith(":")
    operator, word = rest.lstrip(":")[:1], rest.lstrip(":")[1:]
    is_set = value is not None and not (empty_counts_as_unset and not value)
    if operator == "-":
        return value if is_set else word if "$" not in word else interpolate(word, variables)
    if operator == "+":
        return word if is_set else ""
    return value if operator == "?" and is_set else None


def variable_names(text: str) -> tuple[str, ...]:
    """The variables that a text refers to, those in defaults too, each once."""
    return tuple(dict.fromkeys(re.findall(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)", text.replace("$$", "")))) if "$" in text else ()


def commented_names(text: str) -> set[str]:
    """The variables that an .env file gives a value in comments only, as in `#PUID=1000`."""
    return set(re.findall(_OFFER, text, re.MULTILINE)) - set(parse_env_file(text))


def parse_env_file(text: str) -> dict[str, str]:
    """The variables of an .env file. What cannot be understood is left out: its variables stay unknown."""
    variables: dict[str, str] = {}
    for line in text.splitlines():
        match = None if line.lstrip().startswith("#") else re.match(_ASSIGNMENT, line)
        if not match:
            continue
        name, value = match[1], match[2]
        if value[:1] in "'\"" and value[:1]:
            end = value.find(value[0], 1)
            if end == -1:
                continue
            value = value[1:end]
        else:
            value = re.split(r"\s+#", value, maxsplit=1)[0]
        if "$" in value and not match[2].startswith("'"):
            resolved = interpolate(value, variables)
            if resolved is None:
                continue
            value = resolved
        variables[name] = value
    return variables
