"""The schema for editors says what the reader says: both accept and refuse the same files."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardener.cli import main
from hardener.config.keys import KEYS, Key
from hardener.config.page import commented, page
from hardener.config.read import config_of
from hardener.config.schema import FILE, schema, text
from hardener.config.told import toml
from hardener.errors import Unreadable
from hardener.source import Source

WHOLE: dict[str, Any] = {
    "select": ["root-user"],
    "ignore": ["missing-healthcheck"],
    "exclude": ["legacy/**"],
    "min-severity": "low",
    "fail-on": "never",
    "unsafe-fixes": False,
    "profiles": ["."],
    "baseline": "hardener-baseline.json",
    "silence": [{"rules": ["root-user"], "severity": "low", "reason": "x", "until": date(2027, 1, 31)}],
    "limits": {
        "memory": "512M",
        "cpus": 1.0,
        "pids": 200,
        "class": {"database": {"images": ["postgres"], "services": ["*-db"], "memory": "2G"}},
        "image": {"postgres:16*": {"memory": "4G"}},
    },
    "users": {"naming": "name"},
    "socket-proxy": {"image": "registry.example.com/proxy:1"},
    "verify": {"probes": ["true"]},
    "pr": {
        "enabled": True,
        "per": "rule",
        "draft": True,
        "labels": ["security"],
        "author": "Ann Example <ann@example.com>",
        "sign-off": True,
        "branch-prefix": "bot/harden-",
        "title-prefix": "fix(docker): ",
        "rule-pages": "https://docs.example.com/harden",
        "rebase": "never",
        "per-hour": 1,
        "at-once": 100,
        "stop-label": "hands-off",
        "remarks": True,
        "dashboard": False,
    },
}
VALUES = st.sampled_from(
    [
        "", " ", "low", "never", "LOW", "root-user", "512M", "5M", "6M", "0.5G", "0.0G", "512", "name", "postgres:16", "a b",
        "harden/", "a/b-", "Ann <ann@example.com>", "fix: ", "a,b", "@a",
        "2027-01-31", "2027-13-01", "x\ny", 0, 1, 200, 200.0, 0.5, -1, 1e9, True, False, [], ["root-user"], ["x"], [""], [1],
        [[]], [True], {}, {"memory": "1G"}, {"reason": "x"}, [{}], [{"reason": "x", "paths": ["y"]}],
        [{"reason": "x", "paths": []}], [{"reason": "x", "severity": "low"}],
        date(2027, 1, 31), {"a": {"services": ["x"]}}, {"a\nb": {"services": ["x"]}},
    ]
)  # fmt: skip
NAMES = st.sampled_from(
    [
        "select",
        "memory",
        "reason",
        "images",
        "naming",
        "class",
        "x",
        "fail_on",
        "",
        "é",
        "until",
        "pids",
        "author",
        "labels",
        "per-hour",
    ]
)


@cache
def validator() -> jsonschema.Draft7Validator:
    jsonschema.Draft7Validator.check_schema(schema())
    return jsonschema.Draft7Validator(schema())


def is_valid(told: Any) -> bool:
    return validator().is_valid(as_json(told))


def as_json(value: Any, name: str = "") -> Any:
    """What an editor makes of TOML. A date in the place of another text is one to it; there it counts as no text here."""
    if isinstance(value, dict):
        return {key: as_json(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_json(inner) for inner in value]
    return (value.isoformat() if name == "until" else None) if isinstance(value, date) else value


def written(told: dict[str, Any]) -> str:
    """The text of TOML that says this, all of it in inline tables."""

    def value(item: Any) -> str:
        if isinstance(item, dict):
            return "{" + ", ".join(f"{toml(name)} = {value(inner)}" for name, inner in item.items()) + "}"
        return f"[{', '.join(map(value, item))}]" if isinstance(item, list) else toml(item)

    return "".join(f"{toml(name)} = {value(item)}\n" for name, item in told.items())


def is_read(text: str) -> bool:
    try:
        config_of(Source("hardener.toml", text), ".", "", shared=False)
    except Unreadable as error:
        # What lies on the disk, and which days there are, no schema can say.
        return "names no folder" in error.reason or "no day of the calendar" in error.reason
    return True


def test_the_schema_is_that_of_the_table() -> None:
    assert Path(FILE).read_text() == text(), "write it anew: python -m hardener config --schema only prints the file"


def test_the_page_has_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    def names(keys: Iterable[Key]) -> Iterator[str]:
        for key in keys:
            yield key.name
            yield from names(key.keys)

    text = page()
    assert {name for name in names(KEYS) if not re.search(rf"[`.\[]{name}[`.\]]", text)} == set()
    assert main(["config", "--keys"]) == 0
    assert capsys.readouterr().out == text


def test_a_whole_file_is_accepted_by_both() -> None:
    assert tomllib.loads(written(WHOLE)) == WHOLE
    validator().validate(as_json(WHOLE))
    assert is_read(written(WHOLE))


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, item in inner for place in places(item, (*path, name)))]


@settings(deadline=None)
@given(st.data())
def test_both_accept_and_refuse_the_same(data: st.DataObject) -> None:
    told = copy.deepcopy(WHOLE)
    for _ in range(data.draw(st.integers(0, 3))):
        *path, last = data.draw(st.sampled_from(places(told)[1:]))
        holder: Any = told
        for step in path:
            holder = holder[step]
        how = data.draw(st.sampled_from(["change", "remove", "add"]))
        if how == "remove":
            del holder[last]
        elif how == "add" and isinstance(holder, dict):
            holder[data.draw(NAMES)] = copy.deepcopy(data.draw(VALUES))
        else:
            holder[last] = copy.deepcopy(data.draw(VALUES))
        if len(places(told)) == 1:
            break
    assert is_read(written(told)) == is_valid(told), written(told)


def every_key(keys: tuple[Key, ...]) -> list[Key]:
    return [one for key in keys for one in (key, *every_key(key.keys))]


@pytest.mark.parametrize("key", every_key(KEYS), ids=lambda key: key.name)
def test_each_key_is_explained_in_a_sentence(key: Key) -> None:
    assert key.doc.endswith(".")
    assert "\n" not in key.doc


def test_what_init_writes_is_accepted_as_it_is_and_when_all_of_it_is_taken_up() -> None:
    assert tomllib.loads(commented()) == {}
    taken_up = "\n".join(
        line.removeprefix("# ")
        for line in commented().split("\n")
        if line.startswith(("# [", "# # ")) or (line.startswith("# ") and " = " in line)
    )
    told = tomllib.loads(taken_up)
    assert set(told) == {key.name for key in KEYS}
    assert is_valid(told)
    assert is_read(taken_up)
