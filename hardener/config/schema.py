"""The JSON schema of a configuration, for editors, made from the table of keys. Knows nothing that the table does not say."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from hardener.config.keys import CLASS_NAME, DATE, FLAG, KEYS, NAMED, NUMBER, TABLE, TABLES, WHOLE, Key, Kind, choices_of

#: Where the schema lies in the package, as `harden config --schema` prints it.
FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hardener.schema.json")

_TYPES = {FLAG: "boolean", NUMBER: "number", WHOLE: "integer"}


def schema() -> dict[str, Any]:
    """The schema, as a value of JSON. What a date is in TOML counts as its text, as editors have it."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "hardener.toml",
        "description": "The configuration of harden: hardener.toml, or [tool.hardener] in pyproject.toml.",
        **_table(KEYS),
    }


def text() -> str:
    """The schema as the file has it."""
    from json import dumps

    return dumps(schema(), indent=2) + "\n"


def _table(keys: Iterable[Key]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {key.name: _key(key) for key in keys}}


def _key(key: Key) -> dict[str, Any]:
    about: dict[str, Any] = {"description": key.doc}
    if key.kind is not None:
        if key.default is not None and key.default != "":
            about["default"] = key.default
        return about | _value(key.kind)
    inner = _table(key.keys)
    if key.required:
        inner["required"] = list(key.required)
    if key.one_of:
        inner["anyOf"] = [_said(name) for name in key.one_of]
    if key.form == TABLE:
        return about | inner
    if key.form == TABLES:
        return about | {"type": "array", "items": inner}
    assert key.form == NAMED
    names = {"pattern": CLASS_NAME if key.one_of else r"\S"}
    return about | {"type": "object", "propertyNames": names, "additionalProperties": inner}


def _said(name: str) -> dict[str, Any]:
    """That a key is there, and says something: an empty list is about everything."""
    return {"required": [name], "properties": {name: {"anyOf": [{"not": {"type": "array"}}, {"minItems": 1}]}}}


def _value(kind: Kind) -> dict[str, Any]:
    choices = choices_of(kind)
    one: dict[str, Any] = {"type": _TYPES.get(kind.type, "string")}
    if choices:
        one["enum"] = list(choices)
    if kind.pattern:
        one["pattern"] = kind.pattern
    if kind.type == DATE:
        one["format"] = "date"
    if kind.type in (NUMBER, WHOLE):
        one |= {"minimum": kind.least, "maximum": kind.most}
    return {"type": "array", "items": one} if kind.many else one
