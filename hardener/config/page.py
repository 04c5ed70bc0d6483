"""The table of keys for people: as a commented file, and as a table of a page. Knows no repository."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from hardener.config.keys import KEYS, NAMED, TABLES, Key, choices_of
from hardener.record import NamedTuple

_WIDTH = 100


class Filled(NamedTuple):
    """What a commented file says beside the table: values for keys of the top, and lines of comment before a key or table."""

    values: Mapping[str, str] = {}
    notes: Mapping[str, Sequence[str]] = {}


def commented(filled: Filled = Filled()) -> str:  # noqa: B008
    """A configuration with every key in it, explained, and commented out but for those that have a value here."""
    parts = [_values([key for key in KEYS if key.kind is not None], filled)]
    parts += [_table(key, (key.name,), filled) for key in KEYS if key.kind is None]
    return "\n".join(line for part in parts for line in (*part, "")).rstrip("\n") + "\n"


def _values(keys: Iterable[Key], filled: Filled) -> list[str]:
    lines: list[str] = []
    for key in keys:
        lines += ["", *_comments((_about(key), *filled.notes.get(key.name, ())))]
        given = filled.values.get(key.name)
        lines.append(f"{key.name} = {given}" if given is not None else f"# {key.name} = {key.example}")
    return lines[1:]


def _table(key: Key, path: tuple[str, ...], filled: Filled) -> list[str]:
    """A table, all of it in comments."""
    name = ".".join(path)
    lines = _comments((key.doc, *filled.notes.get(name, ())))
    header = ".".join((*path, key.example)) if key.form == NAMED else name
    lines.append(f"# [[{header}]]" if key.form == TABLES else f"# [{header}]")
    values = [inner for inner in key.keys if inner.kind is not None]
    width = max((len(f"{inner.name} = {inner.example}") for inner in values), default=0)
    for inner in values:
        said = f"{inner.name} = {inner.example}"
        together = f"# {said.ljust(width)}  # {inner.doc}"
        lines += [together] if len(together) <= _WIDTH else [f"# # {inner.doc}", f"# {said}"]
    for inner in key.keys:
        if inner.kind is None:
            lines += ["", *_table(inner, (*path, inner.name), filled)]
    return lines


def _comments(lines: Iterable[str]) -> list[str]:
    """Lines as comments; what is too long goes on in the next, a little further in."""
    from textwrap import wrap

    found: list[str] = []
    for line in lines:
        indent = line[: len(line) - len(line.lstrip(" "))]
        further = f"# {indent}  " if indent else "# "
        found += wrap(line.strip(), _WIDTH, initial_indent=f"# {indent}", subsequent_indent=further, break_on_hyphens=False)
    return found


def _about(key: Key) -> str:
    """The sentence about a key, with what else may stand there."""
    assert key.kind is not None
    choices = () if key.kind.rules else choices_of(key.kind)
    return f"{key.doc} One of {', '.join(choices)}." if choices else key.doc


def page() -> str:
    """How to configure, with all keys, in Markdown."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "page.md"), encoding="utf-8") as file:
        return file.read().replace("{keys}\n", _reference())


def _reference() -> str:
    """The table of all keys."""
    rows = ["| key | what it says | default |", "|---|---|---|"]
    rows += [f"| {name} | {doc} | {default} |" for name, doc, default in _rows(KEYS, ())]
    return "\n".join(rows) + "\n"


def _rows(keys: Iterable[Key], path: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    for key in keys:
        whole = (*path, key.name)
        if key.kind is not None:
            choices = () if key.kind.rules else choices_of(key.kind)
            doc = f"{key.doc} {'One of' if len(choices) > 2 else 'Either'} {_listed(choices)}." if choices else key.doc
            default = "" if key.default in (None, "", []) else f"`{str(key.default).lower()}`"
            yield f"`{'.'.join(path)}`: `{key.name}`" if path else f"`{key.name}`", _cell(doc), default
        else:
            shown = ".".join((*whole, "NAME")) if key.form == NAMED else ".".join(whole)
            yield f"`[[{shown}]]`" if key.form == TABLES else f"`[{shown}]`", _cell(key.doc), ""
            yield from _rows(key.keys, (*whole, "NAME") if key.form == NAMED else whole)


def _listed(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
