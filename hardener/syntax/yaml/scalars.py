"""How a single value is written so that every dialect reads it back as the same thing. Knows no tree.

The dialects are YAML 1.1 (PyYAML, Kubernetes), YAML 1.2 core and what Go's yaml.v3 makes of both (Compose): where they
differ, a string is quoted.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re

#: Plain words that some dialect takes for a boolean, a null, the merge key or the default value of a mapping.
_WORDS = frozenset(["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "<<", "="])
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}


def reads_as_string(text: str) -> bool:
    """Whether a plain scalar with this text is a string in every dialect."""
    if text[:1] in "0123456789+-.":
        # Go drops underscores before it looks for a number.
        return bool(text) and _number().fullmatch(text.replace("_", "")) is None
    return text.lower() not in _WORDS


@cache
def _number() -> re.Pattern[str]:
    import re

    return re.compile(
        r"""[-+]?(?: 0b[01]+ | 0o[0-7]+ | 0x[0-9a-f]+ | \.inf
        | (?: [0-9]+ \.? [0-9]* | \.[0-9]+ ) (?: e[-+]?[0-9]+ )?
        | [0-9]+ (?: :[0-9]+ )+ (?: \.[0-9]* )? )
        | \.nan
        | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2} (?: [t\x20\t] .* )?""",
        re.VERBOSE | re.IGNORECASE,
    )


def may_be_plain(text: str, *, flow: bool) -> bool:
    """Whether syntax lets a string stand without quotes, in block style or between the brackets of flow style."""
    if not text or text[0] in ",[]{}#&*!|>'\"%@`?:" or text[0] == " " or text[-1] in " :" or not text.isprintable():
        return False
    if ": " in text or " #" in text or text.startswith(("- ", "---", "...")) or text == "-":
        return False
    return not (flow and any(character in text for character in ",[]{}:"))


def quoted(text: str, quote: str) -> str:
    """The text in quotes: in `quote` where that needs no escapes, else in the other ones if those need none."""
    if not all(character.isprintable() for character in text):
        quote = '"'
    elif quote == '"' and ("\\" in text or '"' in text) and "'" not in text:
        quote = "'"
    elif quote == "'" and "'" in text and "\\" not in text and '"' not in text:
        quote = '"'
    if quote == "'":
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(_ESCAPES.get(character) or _escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def written(value: str | int, *, quote: str, flow: bool = False, force: bool = False) -> str:
    """A boolean, integer or string as YAML. `force` quotes a string even where it need not be."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return quoted(value, quote) if force or not bare(value, flow) else value


@lru_cache(maxsize=1024)
def bare(text: str, flow: bool) -> bool:
    """Whether a string may stand without quotes and is a string in every dialect."""
    return may_be_plain(text, flow=flow) and reads_as_string(text)
