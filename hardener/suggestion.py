"""What somebody probably meant who wrote a word that is not known. Knows no word itself."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

#: Of a longer word only the beginning is compared: the comparison takes time by its square.
_LONGEST = 100


@lru_cache(maxsize=1024)
def _near(form: str, known: tuple[str, ...], most: int) -> tuple[str, ...]:
    from difflib import get_close_matches

    return tuple(get_close_matches(form, known, n=most, cutoff=0.5))


def meant(word: str, known: Iterable[str], most: int = 1) -> str:
    """`a`, or `a or b`: the known words that are nearest; empty where none is near. Case, and `_` for `-`, make no difference."""
    by_form = {_form(name): name for name in known}
    return " or ".join(by_form[near] for near in _near(_form(word), tuple(by_form), most))


def _form(word: str) -> str:
    return word[:_LONGEST].lower().replace("_", "-")
