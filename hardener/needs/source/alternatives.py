"""What texts may be: alternatives, known as a whole or by their beginning, and putting them together. Knows no source text."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from itertools import product

from hardener.record import NamedTuple

#: More alternatives than this are none.
MOST = 8
_VERB = re.compile(r"(%[-+# 0]*[\d.*]*[a-zA-Z%])")


class Value(NamedTuple):
    """What an expression may say: its text, and whether that is all of it. `why` names what it hangs on otherwise."""

    text: str
    whole: bool = True
    why: str = ""
    #: A variable that is not set: what `||` and its kin look beyond.
    unset: bool = False


OPEN = Value("", False)
#: The only alternative where nothing is known.
NOTHING = (OPEN,)
#: Alternatives.
Values = tuple[Value, ...]


def fewer(values: Iterable[Value]) -> Values:
    """The alternatives, each once; nothing where they are too many."""
    found = tuple(dict.fromkeys(values))
    return found if 0 < len(found) <= MOST else NOTHING


def products(parts: Sequence[Values]) -> Iterable[tuple[Value, ...]]:
    """All ways to choose one alternative of each."""
    count = 1
    for part in parts:
        count *= len(part)
    return product(*parts) if count <= MOST * 4 else [NOTHING]


def formatted(values: Sequence[Values]) -> Values:
    """What `Sprintf("%s/x", a)` says; up to the first verb that is no text or number."""
    if not values or len(values[0]) != 1 or not values[0][0].whole:
        return NOTHING
    pieces: list[Values] = []
    rest = iter(values[1:])
    for number, piece in enumerate(_VERB.split(values[0][0].text)):
        if number % 2:
            pieces.append(next(rest, NOTHING) if piece in ("%s", "%d", "%v") else ((Value("%"),) if piece == "%%" else NOTHING))
        else:
            pieces.append((Value(piece),))
    return tuple(summed(chosen) for chosen in products(pieces))


def summed(values: Sequence[Value]) -> Value:
    """Texts put together, up to the first that is open."""
    text = ""
    for value in values:
        text += value.text
        if not value.whole:
            return Value(text, False, value.why)
    return Value(text)


def joined_path(values: Sequence[Value], kind: str) -> Value:
    """Paths put together: by "join", or by "resolve", for which an absolute one begins anew."""
    if kind == "sum":
        return summed(values)
    text = ""
    for value in values:
        if not value.whole and not value.text:
            return Value(text.rstrip("/") + "/" if text else "", False, "" if text else value.why)
        text = value.text if (kind != "join" and value.text.startswith("/")) or not text else f"{text.rstrip('/')}/{value.text}"
        if not value.whole:
            return Value(text, False, value.why)
    return Value(text)


def parent_of(value: Value) -> Value:
    """The folder of a path."""
    if value.whole:
        return Value(posixpath.dirname(posixpath.normpath(value.text)) or ".") if value.text else OPEN
    return Value(value.text[: value.text.rfind("/") + 1], False, value.why)
