"""YAML edits: what a person would have written, every other byte as it was, and a refusal where that is not certain."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hardener.source import splice
from hardener.syntax.yaml import (
    Append,
    CannotEdit,
    Commented,
    Mapping,
    Node,
    Operation,
    Put,
    Remove,
    Route,
    Scalar,
    Sequence,
    Stream,
    edits,
    expected,
    parse,
    plain,
)
from hardener.syntax.yaml.scalars import may_be_plain, reads_as_string, written


def edited(text: str, *operations: Operation) -> str:
    """The new text, proved."""
    stream = parse(text)
    new = splice(text, edits(stream, operations))
    assert plain(parse(new)) == expected(stream, operations)
    return new


def put(path: str, value: Any) -> Put:
    return Put(route(path), value)


def add(path: str, *items: Any) -> Append:
    return Append(route(path), items)


def remove(path: str) -> Remove:
    return Remove(route(path))


def route(path: str) -> Route:
    return (0, *(int(step) if step.isdigit() else step for step in path.split(".") if step))


Table: TypeAlias = "dict[str, tuple[str, list[Operation], str]]"

NEW_KEYS: Table = {
    "behind the last pair": ("a:\n  b: 1\n", [put("a.c", 2)], "a:\n  b: 1\n  c: 2\n"),
    "before blank lines and the next comment": (
        "a:\n  b: 1\n\n# about z\nz: 1\n",
        [put("a.c", True)],
        "a:\n  b: 1\n  c: true\n\n# about z\nz: 1\n",
    ),
    "past the comment on the line": ("a:\n  b: 1  # one\nz: 1\n", [put("a.c", 2)], "a:\n  b: 1  # one\n  c: 2\nz: 1\n"),
    "past comment lines as deep as the keys": (
        "a:\n  b: 1\n  # b: 2\n    # deeper\n# z is next\nz: 1\n",
        [put("a.c", 2)],
        "a:\n  b: 1\n  # b: 2\n    # deeper\n  c: 2\n# z is next\nz: 1\n",
    ),
    "past blank lines in what is commented out": (
        "s:\n  a:\n    b: 1\n    # c: |\n    #   one\n\n\n    #   two\n  d: 1\n",
        [put("s.a.e", 2)],
        "s:\n  a:\n    b: 1\n    # c: |\n    #   one\n\n\n    #   two\n    e: 2\n  d: 1\n",
    ),
    "not past what is commented out behind a blank line": (
        "s:\n  a:\n    b: 1\n    # c: 1\n\n    # d:\n    #   e: 1\n",
        [put("s.a.e", 2)],
        "s:\n  a:\n    b: 1\n    # c: 1\n    e: 2\n\n    # d:\n    #   e: 1\n",
    ),
    "not past a comment behind a blank line": ("a:\n  b: 1\n\n  # late\n", [put("a.c", 2)], "a:\n  b: 1\n  c: 2\n\n  # late\n"),
    "behind the deepest leaf": (
        "a:\n  b:\n    - c: 1\n      d: 2\n",
        [put("a.e", 3)],
        "a:\n  b:\n    - c: 1\n      d: 2\n  e: 3\n",
    ),
    "behind trailing spaces": ("a:\n  b: 1   \n", [put("a.c", 2)], "a:\n  b: 1   \n  c: 2\n"),
    "in the column behind a dash": ("- b: 1\n- d: 1\n", [put("0.c", 2)], "- b: 1\n  c: 2\n- d: 1\n"),
    "in the column behind a wide dash": ("-   b: 1\n-   d: 1\n", [put("0.c", 2)], "-   b: 1\n    c: 2\n-   d: 1\n"),
    "behind two dashes": ("- - b: 1\n", [put("0.0.c", 2)], "- - b: 1\n    c: 2\n"),
    "behind a list that is not indented": ("a:\n  b:\n  - c\nz: 1\n", [put("a.d", 2)], "a:\n  b:\n  - c\n  d: 2\nz: 1\n"),
    "behind an anchor": ("a: &x\n  b: 1\nc: *x\n", [put("a.d", 2)], "a: &x\n  b: 1\n  d: 2\nc: *x\n"),
    "where the first key has an anchor": ("a:\n  &x b: 1\n", [put("a.c", 2)], "a:\n  &x b: 1\n  c: 2\n"),
    "behind an alias": ("a: &x 1\nb:\n  c: *x\n", [put("b.d", 2)], "a: &x 1\nb:\n  c: *x\n  d: 2\n"),
    "behind a null": ("a:\n  b:\n", [put("a.c", 2)], "a:\n  b:\n  c: 2\n"),
    "beside a merge key": ("x: &x {k: 1}\na:\n  <<: *x\n", [put("a.c", 2)], "x: &x {k: 1}\na:\n  <<: *x\n  c: 2\n"),
    "behind brackets over lines": ("a:\n  b: [\n    1,\n  ]\n", [put("a.c", 2)], "a:\n  b: [\n    1,\n  ]\n  c: 2\n"),
    "behind a scalar over lines": ("a:\n  b: x\n    y\n  \n", [put("a.c", 2)], "a:\n  b: x\n    y\n  c: 2\n  \n"),
    "behind a block scalar": ("a:\n  b: |\n    x\n\n\nz: 1\n", [put("a.c", 2)], "a:\n  b: |\n    x\n  c: 2\n\n\nz: 1\n"),
    "behind a stripped block scalar": ("a:\n  b: >-\n    x\n\nz: 1\n", [put("a.c", 2)], "a:\n  b: >-\n    x\n  c: 2\n\nz: 1\n"),
    "behind a keeping block scalar": (
        "a:\n  b: |+\n    x\n\n\nz: 1\n",
        [put("a.c", 2)],
        "a:\n  b: |+\n    x\n\n\n  c: 2\nz: 1\n",
    ),
    "behind spaces that are content": (
        "a:\n  b: |\n    x\n      \n\nz: 1\n",
        [put("a.c", 2)],
        "a:\n  b: |\n    x\n      \n  c: 2\n\nz: 1\n",
    ),
    "behind a block scalar without content": ("a:\n  b: |\n\nz: 1\n", [put("a.c", 2)], "a:\n  b: |\n  c: 2\n\nz: 1\n"),
    "behind a stripped block scalar at the very end": ("a:\n  b: |-\n    x", [put("a.c", 2)], "a:\n  b: |-\n    x\n  c: 2"),
    "at the end without final newline": ("a:\n  b: 1", [put("a.c", 2)], "a:\n  b: 1\n  c: 2"),
    "at the end behind a comment without final newline": ("a: 1\n# end", [put("b", 2)], "a: 1\n# end\nb: 2"),
    "in the line endings of the place": ("a:\r\n  b: 1\r\nz: 1\r\n", [put("a.c", 2)], "a:\r\n  b: 1\r\n  c: 2\r\nz: 1\r\n"),
    "in the line endings before the last line": ("a: 1\r\nb: 2", [put("c", 3)], "a: 1\r\nb: 2\r\nc: 3"),
    "before the end of the document": ("a: 1\n...\n---\nb: 1\n", [put("c", 3)], "a: 1\nc: 3\n...\n---\nb: 1\n"),
    "into the second document": ("a: 1\n---\nb: 1\n", [Put((1, "c"), 3)], "a: 1\n---\nb: 1\nc: 3\n"),
    "in the column of the first key": ("  a: 1\n  b: 2\n", [put("c", 3)], "  a: 1\n  b: 2\n  c: 3\n"),
    "quoted where all keys are": ('"a": 1\n"b": 2\n', [put("c", 3)], '"a": 1\n"b": 2\n"c": 3\n'),
    "quoted where it would be a number or a boolean": (
        "a: 1\n",
        [Put((0, "8080"), 1), put("on", 1)],
        'a: 1\n"8080": 1\n"on": 1\n',
    ),
}

NESTED: Table = {
    "missing mappings on the way": (
        "a:\n  b: 1\n",
        [put("a.c.d.e", 2)],
        "a:\n  b: 1\n  c:\n    d:\n      e: 2\n",
    ),
    "a shared way is written once": (
        "a:\n  b: 1\n",
        [put("a.c.d.e", 2), put("a.x", 1), put("a.c.d.f", 3), put("a.c.g", 4)],
        "a:\n  b: 1\n  c:\n    d:\n      e: 2\n      f: 3\n    g: 4\n  x: 1\n",
    ),
    "in the step of the file": (
        "a:\n    b:\n        c: 1\n",
        [put("a.d.e", 2)],
        "a:\n    b:\n        c: 1\n    d:\n        e: 2\n",
    ),
    "in an odd step": ("a:\n   b: 1\n", [put("a.d.e", 2)], "a:\n   b: 1\n   d:\n      e: 2\n"),
    "in the step of the neighbours": (
        "a:\n  b: 1\nc:\n  d: 1\ne:\n      f:\n         g: 1\n",
        [put("e.h.i", 2)],
        "a:\n  b: 1\nc:\n  d: 1\ne:\n      f:\n         g: 1\n      h:\n         i: 2\n",
    ),
    "lists indented by default": ("a:\n  b: 1\n", [put("a.c", ["x", "u"])], "a:\n  b: 1\n  c:\n    - x\n    - u\n"),
    "lists indented by default in wide files": ("a:\n    b: 1\n", [put("a.c", ["x"])], "a:\n    b: 1\n    c:\n        - x\n"),
    "lists not indented as in the file": ("a:\n  b:\n  - z\n", [put("a.c", ["x"])], "a:\n  b:\n  - z\n  c:\n  - x\n"),
    "lists indented as the neighbours": (
        "a:\n- 1\nb:\n- 1\nc:\n  d:\n    - z\n",
        [put("c.e", ["x"])],
        "a:\n- 1\nb:\n- 1\nc:\n  d:\n    - z\n  e:\n    - x\n",
    ),
    "lists with wide dashes as in the file": (
        "a:\n  -   z\n",
        [put("b", ["x", {"c": 1, "d": 2}])],
        "a:\n  -   z\nb:\n  -   x\n  -   c: 1\n      d: 2\n",
    ),
    "short lists in brackets where most are": (
        "a: [x, y]\nb: [z]\nc:\n  - q\n",
        [put("d", ["v", "w"])],
        "a: [x, y]\nb: [z]\nc:\n  - q\nd: [v, w]\n",
    ),
    "items in quotes where most between brackets are": ('a: ["x", "y"]\n', [put("d", ["v"])], 'a: ["x", "y"]\nd: ["v"]\n'),
    "commented lists never in brackets": (
        "a: [x, y]\n",
        [put("d", ["v", Commented("w", "why")])],
        "a: [x, y]\nd:\n  - v\n  - w  # why\n",
    ),
    "comments stand on the line of their value": (
        "a: 1\n",
        [put("b", Commented({"c": Commented(1, "one"), "d": Commented(["x"], "list")}, "map")), put("e", Commented([], "empty"))],
        "a: 1\nb:  # map\n  c: 1  # one\n  d:  # list\n    - x\ne: []  # empty\n",
    ),
    "mappings and lists in lists": (
        "a: 1\n",
        [put("b", [{"c": 1, "d": {"e": ["f"]}}, ["g", "h"], {}, []])],
        "a: 1\nb:\n  - c: 1\n    d:\n      e:\n        - f\n  - - g\n    - h\n  - {}\n  - []\n",
    ),
    "below a null, in the step of the file": ("a:\nb:\n    c: 1\n", [put("a.d", 2)], "a:\n    d: 2\nb:\n    c: 1\n"),
    "below a null with comments": (
        "a:  # why\n  # b: 1\n# c\nc: 1\n",
        [put("a.d", 2)],
        "a:  # why\n  # b: 1\n  d: 2\n# c\nc: 1\n",
    ),
    "below a null with an anchor": ("a: &x\nb: *x\n", [put("a.d", 2)], "a: &x\n  d: 2\nb: *x\n"),
    "in the place of a written null": (
        "a: ~  # why\nb: null\n",
        [put("a.d", 2), put("b.e", 3)],
        "a:  # why\n  d: 2\nb:\n  e: 3\n",
    ),
    "below a null item": ("-\n- b\n", [put("0.a", 1), put("0.c", 2)], "- a: 1\n  c: 2\n- b\n"),
    "two levels that end in one place": (
        "a:\n  b:\n    c: 1\nz: 1\n",
        [put("a.d", 2), put("a.b.e", 3)],
        "a:\n  b:\n    c: 1\n    e: 3\n  d: 2\nz: 1\n",
    ),
    "a null filled and a key behind it": ("a:\n  b:", [put("a.d", 2), put("a.b.e", 3)], "a:\n  b:\n    e: 3\n  d: 2"),
    "a list made and then added to": ("a: 1\n", [put("b", ["x"]), add("b", "u")], "a: 1\nb:\n  - x\n  - u\n"),
    "put twice: the last wins": ("a: 1\n", [put("b", 1), put("c", 1), put("b", 2)], "a: 1\nb: 2\nc: 1\n"),
}

APPENDED: Table = {
    "to a block list": ("a:\n  - x\n  - y  # why\n\nb: 1\n", [add("a", "z")], "a:\n  - x\n  - y  # why\n  - z\n\nb: 1\n"),
    "with a comment": ("a:\n  - x\n", [add("a", Commented("u", "why"), "z")], "a:\n  - x\n  - u  # why\n  - z\n"),
    "in quotes where all items are": ("a:\n  - 'x'\n  - 'y'\n", [add("a", "z", 1)], "a:\n  - 'x'\n  - 'y'\n  - 'z'\n  - 1\n"),
    "to a list that is not indented, before the next key's comment": (
        "a:\n- x\n# about b\nb: 1\n",
        [add("a", "u")],
        "a:\n- x\n- u\n# about b\nb: 1\n",
    ),
    "past comments between indented items": ("a:\n  - x\n  # - y\nb: 1\n", [add("a", "z")], "a:\n  - x\n  # - y\n  - z\nb: 1\n"),
    "mappings, with the dash of the list": (
        "a:\n  -   b: 1\n",
        [add("a", {"c": 1, "d": [2]})],
        "a:\n  -   b: 1\n  -   c: 1\n      d:\n        -   2\n",
    ),
    "with the dash of the list, not of the file": (
        "a:\n  -   x\nb:\n  - x\nc:\n  - x\n",
        [add("a", "z")],
        "a:\n  -   x\n  -   z\nb:\n  - x\nc:\n  - x\n",
    ),
    "to a list in a list": ("- - x\n  - y\n- z\n", [add("0", "w")], "- - x\n  - y\n  - w\n- z\n"),
    "to the root": ("- x\n", [add("", "u")], "- x\n- u\n"),
    "to a null": ("a:\n  b:\n  c: 1\n", [add("a.b", "x")], "a:\n  b:\n    - x\n  c: 1\n"),
    "behind a null item": ("a:\n  -\n", [add("a", "x")], "a:\n  -\n  - x\n"),
    "behind a block scalar": ("- |\n  x\n\n- y\n- >-\n  z\n", [add("", "w")], "- |\n  x\n\n- y\n- >-\n  z\n- w\n"),
    "several times, in order": ("a:\n  - x\n", [add("a", "u"), add("a", "z")], "a:\n  - x\n  - u\n  - z\n"),
    "to a tagged list": ("a: !override\n  - x\n", [add("a", "u")], "a: !override\n  - x\n  - u\n"),
    "without final newline": ("a:\n  - x", [add("a", "u")], "a:\n  - x\n  - u"),
}

FLOW: Table = {
    "a pair": ("a: {b: 1}\n", [put("a.c", 2)], "a: {b: 1, c: 2}\n"),
    "a pair behind padding": ("a: { b: 1 }\n", [put("a.c", {"d": 2})], "a: { b: 1, c: { d: 2 } }\n"),
    "a pair behind a comma": (
        "a: {b: 1,}\nc: { d: 1, }\n",
        [put("a.c", 2), put("c.e", 2)],
        "a: {b: 1, c: 2,}\nc: { d: 1, e: 2, }\n",
    ),
    "without spaces": ('{"a":1,"b":2}', [put("c", {"d": ["x", True]})], '{"a":1,"b":2,"c":{"d":["x",true]}}'),
    "an item": ("a: [x, y]\n", [add("a", "z", "w")], "a: [x, y, z, w]\n"),
    "an item in quotes": ("a: ['x']\n", [add("a", "z", 1)], "a: ['x', 'z', 1]\n"),
    "an empty mapping": ("a: {}\nb: { }\n", [put("a.c", 1), put("b.d", 2)], "a: {c: 1}\nb: { d: 2 }\n"),
    "an empty list": ("a: []  # none\n", [add("a", "x")], "a: [x]  # none\n"),
    "an empty list gives way to comments": ("a: []\nb: 1\n", [add("a", Commented("x", "why"))], "a:\n  - x  # why\nb: 1\n"),
    "an empty mapping gives way to long content": (
        "a: {}\n",
        [put("a.b", "x" * 40), put("a.c", "y" * 40)],
        f"a:\n  b: {'x' * 40}\n  c: {'y' * 40}\n",
    ),
    "comments are dropped": (
        "a: [x]\nb: {c: 1}\n",
        [add("a", Commented("u", "z")), put("b.d", Commented(1, "z"))],
        "a: [x, u]\nb: {c: 1, d: 1}\n",
    ),
    "one per line": ("a: [\n  x,\n  y  # why\n]\n", [add("a", "z")], "a: [\n  x,\n  y,  # why\n  z\n]\n"),
    "one per line behind a comma": (
        "a: {\n  b: 1,\n  c: 2,  # why\n}\n",
        [put("a.d", 3)],
        "a: {\n  b: 1,\n  c: 2,  # why\n  d: 3,\n}\n",
    ),
    "one per line, CRLF": ("a: [\r\n  x\r\n]\r\n", [add("a", "z")], "a: [\r\n  x,\r\n  z\r\n]\r\n"),
    "one per line inside the brackets": ("a: [x,\n    y]\n", [add("a", "z")], "a: [x,\n    y,\n    z]\n"),
    "JSON": (
        '{\n  "a": {\n    "b": "c"\n  }\n}\n',
        [put("a.d", "e"), put("f", ["g", 1])],
        '{\n  "a": {\n    "b": "c",\n    "d": "e"\n  },\n  "f": ["g", 1]\n}\n',
    ),
    "nested mappings": ("a: {b: 1}\n", [put("a.c.d.e", 2)], "a: {b: 1, c: {d: {e: 2}}}\n"),
    "what needs quotes only here": ("a: [x]\n", [add("a", "b,c", "d:e", "{f}")], 'a: [x, "b,c", "d:e", "{f}"]\n'),
    "two levels that end in one place": ("a: {b: {c: 1}}\n", [put("a.d", 2), put("a.b.e", 3)], "a: {b: {c: 1, e: 3}, d: 2}\n"),
    "a null": ("a: {b: , c: 1}\nd: {e: }\n", [put("a.b", 1), put("d.e.f", 2)], "a: {b: 1 , c: 1}\nd: {e: {f: 2} }\n"),
    "a value": ("a: {b: 1, c: [x]}\n", [put("a.b", "x"), put("a.c", {"d": 1})], "a: {b: x, c: {d: 1}}\n"),
    "a key without a value": ("{a}\n", [put("b", 1)], "{a, b: 1}\n"),
}

REPLACED: Table = {
    "a scalar, its comment stays": ("a: yes  # why\nb: 1\n", [put("a", False)], "a: false  # why\nb: 1\n"),
    "in the quotes that were there": (
        "a: 'x'\nb: \"y\"\nc: z\n",
        [put("a", "n1"), put("b", "n2"), put("c", "n3")],
        "a: 'n1'\nb: \"n2\"\nc: n3\n",
    ),
    "in quotes that are needed": ("a: x\nb: 'y'\nc: 'z'\n", [put("a", "012")], "a: '012'\nb: 'y'\nc: 'z'\n"),
    "quotes go where they would lie": ("a: 'true'\nb: '5'\n", [put("a", True), put("b", 6)], "a: true\nb: 6\n"),
    "a comment only where there is none": (
        "a: x\nb: y  # old\n",
        [put("a", Commented("v", "new")), put("b", Commented("w", "new"))],
        "a: v  # new\nb: w  # old\n",
    ),
    "an item": ("- x\n- y\n", [put("1", "z")], "- x\n- z\n"),
    "a null": (
        "a:\nb:   \nc:  # why\nd: ~\n",
        [put("a", 1), put("b", 2), put("c", 3), put("d", 4)],
        "a: 1\nb: 2\nc: 3  # why\nd: 4\n",
    ),
    "a null at the very end": ("a:", [put("a", 1)], "a: 1"),
    "a null with an anchor": ("a: &x\nb: *x\n", [put("a", 1)], "a: &x 1\nb: *x\n"),
    "an anchored scalar keeps its anchor": ("a: &x y\nb: *x\n", [put("a", "z")], "a: &x z\nb: *x\n"),
    "a scalar over lines": ("a: x\n  y\nb: 1\n", [put("a", "z")], "a: z\nb: 1\n"),
    "a scalar on its own line": ("a:\n  x\nb: 1\n", [put("a", "z")], "a:\n  z\nb: 1\n"),
    "a block scalar": ("a: |\n  x\n  y\n\nb: 1\n", [put("a", "z")], "a: z\n\nb: 1\n"),
    "a scalar by a mapping": ("a: x  # why\nb: 1\n", [put("a", {"c": 1, "d": 2})], "a:  # why\n  c: 1\n  d: 2\nb: 1\n"),
    "a scalar by a list": ("a: x\nb:\n- 1\n", [put("a", ["u"])], "a:\n- u\nb:\n- 1\n"),
    "an item by a mapping": ("- x\n- y\n", [put("0", {"c": 1, "d": 2})], "- c: 1\n  d: 2\n- y\n"),
    "a mapping by a scalar": ("a:\n  b: 1\n  c: 2\n\nd: 1\n", [put("a", "x")], "a: x\n\nd: 1\n"),
    "a mapping by another": ("a: &x\n  b: 1\n\nd: 1\n", [put("a", {"e": 2})], "a: &x\n  e: 2\n\nd: 1\n"),
    "a list by a list": ("a:\n  - b\n  - c\nd: 1\n", [put("a", ["e"])], "a:\n  - e\nd: 1\n"),
    "brackets by a block": ("a: [b]  # why\nd: 1\n", [put("a", {"e": 2})], "a:  # why\n  e: 2\nd: 1\n"),
    "an item that is a mapping by a scalar": ("- a: 1\n  b: 2\n- c\n", [put("0", "x")], "- x\n- c\n"),
    "by what it is already: nothing happens": (
        "a:\n  - 'b'  # why\nc: [1,   2]\nd: \"x\"\n",
        [put("a", ["b"]), put("c", [1, 2]), put("d", "x")],
        "a:\n  - 'b'  # why\nc: [1,   2]\nd: \"x\"\n",
    ),
    "and then added to": ("a: 1\nb: 2\n", [put("a", {"c": 1}), put("a.d", 2)], "a:\n  c: 1\n  d: 2\nb: 2\n"),
}

REMOVED: Table = {
    "a pair with its comment": ("a: 1\nb: 2  # why\nc: 3\n", [remove("b")], "a: 1\nc: 3\n"),
    "a pair with all in it": ("a:\n  b:\n    - c  # d\n    # e\n    - f\n\n  g: 1\n", [remove("a.b")], "a:\n\n  g: 1\n"),
    "other comments stay": ("# one\na: 1\n# two\nb: 2\n# three\nc: 3\n", [remove("b")], "# one\na: 1\n# two\n# three\nc: 3\n"),
    "an item": ("a:\n  - b\n  - c\n  - d\n", [remove("a.1")], "a:\n  - b\n  - d\n"),
    "a null item": ("-\n- b\n", [remove("0")], "- b\n"),
    "the first pair behind a dash": ("- a: 1  # x\n  b: 2\n- c\n", [remove("0.a")], "- b: 2\n- c\n"),
    "the first item behind a dash": ("- - a\n  - b\n", [remove("0.0")], "- - b\n"),
    "the last pair without final newline": ("a: 1\nb: 2", [remove("b")], "a: 1"),
    "the last pair and its blank lines": ("a: 1\n\n\nb: 2\n", [remove("b")], "a: 1\n"),
    "several pairs": ("a: 1\nb: 2\nc: 3\nd: 4", [remove("c"), remove("d"), remove("a")], "b: 2"),
    "several pairs with CRLF": ("a: 1\r\nb: 2\r\nc: 3", [remove("c"), remove("a")], "b: 2"),
    "a block scalar": ("a: 1\nb: |\n  x\n  y\n\nc: 3\n", [remove("b")], "a: 1\n\nc: 3\n"),
    "a value with an alias": ("a: &x 1\nb: *x\n", [remove("b")], "a: &x 1\n"),
    "items counted as they were": ("- a\n- b\n- c\n", [remove("0"), remove("1"), put("2", "d")], "- d\n"),
    "and added behind what stays": ("a:\n  b: 1\n  c: 2\nz: 1\n", [remove("a.c"), put("a.d", 3)], "a:\n  b: 1\n  d: 3\nz: 1\n"),
    "and added around it": (
        "a:\n  b: 1\n  c:\n    d: 1\n    e: 2\nz: 1\n",
        [remove("a.c.e"), put("a.f", 3)],
        "a:\n  b: 1\n  c:\n    d: 1\n  f: 3\nz: 1\n",
    ),
    "between brackets": (
        "a: [b, c, d]\ne: {f: 1, g: 2}\nh: [i, j, k]\n",
        [remove("a.0"), remove("e.g"), remove("h.1")],
        "a: [c, d]\ne: {f: 1}\nh: [i, k]\n",
    ),
    "several between brackets": (
        "a: [b, c, d, e]\nf: [g, h, i,]\n",
        [remove("a.0"), remove("a.1"), remove("f.1"), remove("f.2")],
        "a: [d, e]\nf: [g,]\n",
    ),
    "between brackets, and added": ("a: [b, c]\n", [remove("a.1"), add("a", "d")], "a: [b, d]\n"),
    "lines between brackets": (
        "a: [\n  b,  # x\n  c  # y\n]\n",
        [remove("a.0")],
        "a: [\n  c  # y\n]\n",
    ),
    "the last line between brackets": ("a: [\n  b,  # x\n  c  # y\n]\n", [remove("a.1")], "a: [\n  b  # x\n]\n"),
}

QUOTED_FILE = 'a: "x y"\nb: "z"\nc:\n  - "u"\n  - "v"\nn: 5\n'

QUOTES: Table = {
    "strings and items in a file that quotes": (
        QUOTED_FILE,
        [put("d", ["ALL", 7]), put("e.f", "512M"), put("g", True)],
        QUOTED_FILE + 'd:\n  - "ALL"\n  - 7\ne:\n  f: "512M"\ng: true\n',
    ),
    "in the quotes of the file": (
        QUOTED_FILE.replace('"', "'"),
        [put("d", ["ALL", Commented("w", "why")])],
        QUOTED_FILE.replace('"', "'") + "d:\n  - 'ALL'\n  - 'w'  # why\n",
    ),
    "in brackets too": (
        'a: ["x", "y"]\nb: ["z"]\nc: "u"\nd: {e: "v"}\n',
        [put("f", ["w"]), put("d.g", "h")],
        'a: ["x", "y"]\nb: ["z"]\nc: "u"\nd: {e: "v", g: "h"}\nf: ["w"]\n',
    ),
    "few are no habit": ('a: "x"\nb: "y"\n', [put("c", "z")], 'a: "x"\nb: "y"\nc: z\n'),
    "quotes that are needed are no habit": (
        'a: "80:80"\nb: "1"\nc: "yes"\nd: "*x"\ne: "0.5"\n',
        [put("f", "x")],
        'a: "80:80"\nb: "1"\nc: "yes"\nd: "*x"\ne: "0.5"\nf: x\n',
    ),
    "two of three are no habit yet": (
        'a: "u"\nb: "v"\nc: "w"\nd: "x"\ne: p\nf: q\n',
        [put("g", "t")],
        'a: "u"\nb: "v"\nc: "w"\nd: "x"\ne: p\nf: q\ng: t\n',
    ),
    "command lines between brackets are no habit": (
        'a: nginx\ncommand: ["a", "b", "c", "d"]\ntest: ["CMD", "e", "f"]\n',
        [put("g", ["ALL"])],
        'a: nginx\ncommand: ["a", "b", "c", "d"]\ntest: ["CMD", "e", "f"]\ng:\n  - ALL\n',
    ),
    "a bare list stays bare": (QUOTED_FILE + "d:\n  - w\n", [add("d", "t")], QUOTED_FILE + "d:\n  - w\n  - t\n"),
    "a list without strings follows the file": (
        QUOTED_FILE + "d:\n  - 1\n",
        [add("d", "t")],
        QUOTED_FILE + 'd:\n  - 1\n  - "t"\n',
    ),
    "bare items between brackets stay bare": (
        QUOTED_FILE + "d: [w]\n",
        [add("d", "t")],
        QUOTED_FILE + "d: [w, t]\n",
    ),
    "keys in single quotes": ("'a': 1\n'b':\n  'c': 1\n", [put("b.d.e", 2)], "'a': 1\n'b':\n  'c': 1\n  'd':\n    'e': 2\n"),
    "keys in quotes beside a merge key": (
        'x: &x {k: 1}\ny:\n  <<: *x\n  "a": 1\n',
        [put("y.b", 2)],
        'x: &x {k: 1}\ny:\n  <<: *x\n  "a": 1\n  "b": 2\n',
    ),
    "keys in two kinds of quotes": ("'a': 1\n\"b\": 2\n", [put("c", 3)], "'a': 1\n\"b\": 2\nc: 3\n"),
    "keys in quotes below a null": ('"a": 1\n"b":\n', [put("b.c", 2)], '"a": 1\n"b":\n  "c": 2\n'),
    "keys between braces": ("{'a': 'b'}\n", [put("c", "d")], "{'a': 'b', 'c': 'd'}\n"),
}

LOOK_ALIKE: Table = {
    "one list needs lines, all get them": (
        "a: [x]\n",
        [put("b", ["u"]), put("c", ["v", Commented("w", "why")]), put("d.e", ["z"])],
        "a: [x]\nb:\n  - u\nc:\n  - v\n  - w  # why\nd:\n  e:\n    - z\n",
    ),
    "one list is too long, all get lines": (
        "a: [x]\n",
        [put("b", ["u"]), put("c", ["v" * 30, "w" * 30])],
        f"a: [x]\nb:\n  - u\nc:\n  - {'v' * 30}\n  - {'w' * 30}\n",
    ),
    "a list in the place of a value too": (
        "a: [x]\nb:\n",
        [put("b", ["u"]), put("c", [Commented("w", "why")])],
        "a: [x]\nb:\n  - u\nc:\n  - w  # why\n",
    ),
    "elsewhere brackets remain": (
        "a: {k: [x]}\nb:\n  c: 1\nd:\n  e: [y]\n",
        [put("b.f", [Commented("w", "why")]), put("d.g", ["u"])],
        "a: {k: [x]}\nb:\n  c: 1\n  f:\n    - w  # why\nd:\n  e: [y]\n  g: [u]\n",
    ),
    "command lines say nothing of lists": (
        'command: ["a", "b"]\nentrypoint: ["c"]\nh:\n  test: ["CMD", "x"]\n',
        [put("d", ["e"])],
        'command: ["a", "b"]\nentrypoint: ["c"]\nh:\n  test: ["CMD", "x"]\nd:\n  - e\n',
    ),
    "a list of mappings is another matter": (
        "a: [x]\n",
        [put("b", [{"c": 1}]), put("d", ["u"])],
        "a: [x]\nb:\n  - c: 1\nd: [u]\n",
    ),
}

_WIDE = "".join(f"w{at}:\n    x:\n        y: 1\n" for at in range(4))

INDENTATION: Table = {
    "of the neighbours, not of the file": (
        _WIDE + "a:\n  b:\n    c:\n      - u\n    d:\n      e: 1\n",
        [put("a.b.f.g", 2)],
        _WIDE + "a:\n  b:\n    c:\n      - u\n    d:\n      e: 1\n    f:\n      g: 2\n",
    ),
    "of the mapping itself where it has no neighbours": (
        _WIDE + "a:\n  b: 1\n",
        [put("a.f.g.h", ["u"])],
        _WIDE + "a:\n  b: 1\n  f:\n    g:\n      h:\n        - u\n",
    ),
    "of the lists and the mapping against one odd neighbour": (
        _WIDE + "a:\n  b:\n    - u\n  c:\n      d: 1\n",
        [put("a.f.g", 2)],
        _WIDE + "a:\n  b:\n    - u\n  c:\n      d: 1\n  f:\n    g: 2\n",
    ),
    "of the last of two unlike lists": (
        "a:\n  b:\n    - u\n  c:\n  - v\n",
        [put("a.d", ["w"])],
        "a:\n  b:\n    - u\n  c:\n  - v\n  d:\n  - w\n",
    ),
    "lists less than mappings, as in the file": (
        "a:\n    b:\n        c: 1\n    d:\n      - u\n    e:\n      - v\nf:\n    g: 1\n",
        [put("f.h", ["w"]), put("f.i.j", 2)],
        "a:\n    b:\n        c: 1\n    d:\n      - u\n    e:\n      - v\nf:\n    g: 1\n    h:\n      - w\n    i:\n        j: 2\n",
    ),
    "below a null": (_WIDE + "a:\n  b: 1\n  c:\n", [put("a.c.d", 2)], _WIDE + "a:\n  b: 1\n  c:\n    d: 2\n"),
}

GROWN: Table = {
    "the comment stays with its item": (
        'tmpfs: "/c:size=64M"  # scratch\nb: 1\n',
        [put("tmpfs", ["/c:size=64M", Commented("/run", "pid")])],
        'tmpfs:\n  - "/c:size=64M"  # scratch\n  - "/run"  # pid\nb: 1\n',
    ),
    "a bare one": ("a:\n  b: x\n  c: 1\n", [put("a.b", ["x", "u"])], "a:\n  b:\n    - x\n    - u\n  c: 1\n"),
    "with a new comment": (
        "a: x\nb: z  # old\n",
        [put("a", Commented([Commented("x", "new"), "u"], "list")), put("b", [Commented("z", "new")])],
        "a:  # list\n  - x  # new\n  - u\nb:\n  - z  # old\n",
    ),
    "without final newline": ("b: 1\na: x # c", [put("a", ["x", "u"])], "b: 1\na:\n  - x # c\n  - u"),
    "another first item: the comment stays with the key": (
        "a: x  # c\n",
        [put("a", ["u", "x"])],
        "a:  # c\n  - u\n  - x\n",
    ),
    "an anchor stays with the value": ("a: &k x\n", [put("a", ["x", "u"])], "a: &k\n  - x\n  - u\n"),
}

OPEN_END: Table = {
    "behind the pair before": ("a: 1  # c\n# d\nb: |\n  x", [put("c", 2), put("d", 3)], "a: 1  # c\nc: 2\nd: 3\n# d\nb: |\n  x"),
    "above the only pair and its comment": (
        "a:\n  # about b\n  b: >\n    x",
        [put("a.c", 2)],
        "a:\n  c: 2\n  # about b\n  b: >\n    x",
    ),
    "at the very start": ("a: |+\n  x", [put("b", 2)], "b: 2\na: |+\n  x"),
    "deep in the last pair": (
        "a: 1\nb:\n  c:\n    - d: |\n        x",
        [put("b.e", 2), put("f", 3)],
        "a: 1\nf: 3\nb:\n  e: 2\n  c:\n    - d: |\n        x",
    ),
    "elsewhere nothing is different": (
        "a:\n  b: 1\nc:\n  d: |\n    x",
        [put("a.e", 2), put("a.b", 3)],
        "a:\n  b: 3\n  e: 2\nc:\n  d: |\n    x",
    ),
    "where the pair before is removed": ("a: 1\nb: 2\nc: |\n  x", [remove("b"), put("d", 3)], "a: 1\nd: 3\nc: |\n  x"),
    "stripped, nothing is different": ("a: |-\n  x", [put("b", 2)], "a: |-\n  x\nb: 2"),
}

_WHY = "a reason that takes a good part of the line for itself, as some do"

LONG_COMMENTS: Table = {
    "above a pair": ("a: 1\n", [put("key", Commented("valuevalue", _WHY))], f"a: 1\n# {_WHY}\nkey: valuevalue\n"),
    "above an item": (
        "a: 1\n",
        [put("b", ["u", Commented("valuevalue", _WHY), "w"])],
        f"a: 1\nb:\n  - u\n  # {_WHY}\n  - valuevalue\n  - w\n",
    ),
    "above an appended item": (
        "a:\n  - u\n",
        [add("a", Commented("valuevalue", _WHY))],
        f"a:\n  - u\n  # {_WHY}\n  - valuevalue\n",
    ),
    "above a key with a block": (
        "a: 1\n",
        [put("a_long_key", Commented({"c": 1}, _WHY))],
        f"a: 1\n# {_WHY}\na_long_key:\n  c: 1\n",
    ),
    "above the dash of a mapping": (
        "a: 1\n",
        [put("b", [{"c": Commented("valuevalue", _WHY), "d": 1}])],
        f"a: 1\nb:\n  # {_WHY}\n  - c: valuevalue\n    d: 1\n",
    ),
    "above a replaced value": (
        "a:\n  b: x\n",
        [put("a.b", Commented("valuevalue", _WHY))],
        f"a:\n  # {_WHY}\n  b: valuevalue\n",
    ),
    "above a replaced item": ("- x\n- y\n", [put("1", Commented("valuevalue", _WHY))], f"- x\n# {_WHY}\n- valuevalue\n"),
    "above an item replaced by a mapping": (
        "- x\n- y\n",
        [put("1", {"c": Commented("valuevalue", _WHY), "d": 1})],
        f"- x\n# {_WHY}\n- c: valuevalue\n  d: 1\n",
    ),
    "on the line where nothing can go above": (
        "- a: x\n  b: 1\n",
        [put("0.a", Commented("valuevalue", _WHY))],
        f"- a: valuevalue  # {_WHY}\n  b: 1\n",
    ),
    "up to the last column": ("a: 1\n", [put("b", Commented("v" * 7, _WHY))], f"a: 1\nb: {'v' * 7}  # {_WHY}\n"),
}

TABLE: Table = {
    f"{name}: {case}": row
    for name, table in [
        ("new keys", NEW_KEYS),
        ("nested", NESTED),
        ("append", APPENDED),
        ("flow", FLOW),
        ("replace", REPLACED),
        ("remove", REMOVED),
        ("quotes", QUOTES),
        ("look alike", LOOK_ALIKE),
        ("indentation", INDENTATION),
        ("grown to a list", GROWN),
        ("open end", OPEN_END),
        ("long comments", LONG_COMMENTS),
    ]
    for case, row in table.items()
}


@pytest.mark.parametrize("case", TABLE)
def test_edits_are_what_a_person_would_write(case: str) -> None:
    before, operations, after = TABLE[case]
    assert edited(before, *operations) == after


@pytest.mark.parametrize("case", TABLE)
def test_edits_do_the_same_with_other_line_endings(case: str) -> None:
    before, operations, after = TABLE[case]
    if "\r" not in before:
        assert edited(before.replace("\n", "\r\n"), *operations) == after.replace("\n", "\r\n")


@pytest.mark.parametrize("case", TABLE)
def test_what_is_done_is_not_done_again(case: str) -> None:
    _, operations, after = TABLE[case]
    again = [operation for operation in operations if isinstance(operation, Put)]
    if len(again) == len(operations) == len({operation.route for operation in operations}):
        assert edited(after, *again) == after


def test_a_line_of_the_last_column_is_eighty_wide() -> None:
    before, operations, _ = LONG_COMMENTS["up to the last column"]
    assert max(map(len, edited(before, *operations).splitlines())) == 80


def test_many_operations_in_one_wide_mapping_take_no_more_than_their_number() -> None:
    count = 4000
    text = "s:\n" + "".join(f"  k{at}:\n    a: &x{at} 1\n    b: *x{at}\n" for at in range(count))
    stream = parse(text)
    operations: list[Operation] = []
    for at in range(count):
        place = (0, "s", f"k{at}")
        operations += [Put((*place, "c"), "v"), Put((0, "s", f"n{at}"), ["u"]), Remove((*place, "b"))]
    start = time.process_time()
    assert plain(parse(splice(text, edits(stream, operations)))) == expected(stream, operations)
    assert time.process_time() - start < 4


REFUSED: dict[str, tuple[str, Operation, str]] = {
    "an alias on the way": ("a: &x {b: 1}\nc: *x\n", put("c.d", 1), "alias of &x"),
    "an alias to replace": ("a: &x {b: 1}\nc: *x\n", put("c", 1), "alias of &x"),
    "an alias to append to": ("a: &x [1]\nc: *x\n", add("c", 1), "alias of &x"),
    "an explicit key at the end": ("a: 1\n? b\n: 2\n", put("c", 1), "not written as a key and a colon"),
    "an explicit key on the way": ("? b\n: c: 2\n", put("b.d", 1), "not written as a key and a colon"),
    "a complex key": ("a: 1\n? [b, c]\n: 2\n", put("d", 1), "not written as a key and a colon"),
    "a duplicate key": ("a: {b: 1}\na: {c: 1}\n", put("a.d", 1), "2 times"),
    "a duplicate key to replace": ("a: 1\na: 2\n", put("a", 3), "2 times"),
    "a template": ("a: {{ b }}\nc: 1\n", put("d", 1), "template"),
    "a scalar on the way": ("a: b\n", put("a.c", 1), "nothing inside"),
    "a missing item": ("a: [1]\n", put("a.1", 1), "no item 1"),
    "a name for an item": ("a: [1]\n", put("a.b", 1), "no item b"),
    "no such document": ("a: 1\n", Put((1, "a"), 1), "no such document"),
    "an empty file": ("# nothing\n", put("a", 1), "no such document"),
    "an empty document": ("---\n", put("a", 1), "whole document"),
    "a list that is a mapping": ("a: {b: 1}\n", add("a", 1), "not a list"),
    "a list that is not there": ("a: 1\n", add("b", 1), "no key b"),
    "a new merge key": ("a: 1\n", put("<<", "x"), "merge key"),
    "a tagged value": ("a: !t b\n", put("a", 1), "tag !t"),
    "a key without a colon": ("{a}\n", put("a", 1), "not written as a key and a colon"),
    "a pair without braces": ("[a: b]\n", put("0.c", 1), "without braces"),
    "an item behind a block scalar at the very end": ("a:\n  - |\n    x", add("a", 1), "no final newline"),
    "the only pair behind a dash, a block scalar at the very end": ("- a: |\n    x", put("0.b", 1), "no final newline"),
    "a lone carriage return": ("a: 'x\ry'\nb: 1\n", put("c", 1), "line breaks"),
    "a line separator": ("a: 'x\u2028y'\n", put("c", 1), "line breaks"),
    "a next line character": ("a: 1 # \x85b: 2\n", put("c", 1), "line breaks"),
    "comments that would be lost": ("a:\n  b: 1  # why\nc: 1\n", put("a", 1), "comment"),
    "comments between that would be lost": ("a:\n  b: 1\n  # why\n  c: 1\n", put("a", 1), "comment"),
    "comments in brackets that would be lost": ("a: [\n  b, # why\n  c\n]\n", put("a", 1), "comment"),
    "a comment on a block scalar's header": ("a: | # why\n  b\nc: 1\n", put("a", 1), "comment"),
    "a comment before the value": ("a: # why\n  b: 1\nc: 1\n", put("a", 1), "comment"),
    "an anchor in use": ("a:\n  b: &x 1\nc: *x\n", put("a", 1), "&x"),
    "an anchor in use, removed": ("a: &x 1\nc: *x\n", remove("a"), "&x"),
    "a null anchor in use, removed": ("a: &x\nc: *x\n", remove("a"), "&x"),
    "a key's anchor in use, removed": ("&x a: 1\nc: *x\n", remove("a"), "&x"),
    "the last pair": ("a:\n  b: 1\n", remove("a.b"), "nothing would be left"),
    "the last item": ("a: [b]\n", remove("a.0"), "nothing would be left"),
    "the document": ("a: 1\n", remove(""), "whole document"),
    "a missing key to remove": ("a: 1\n", remove("b"), "no key b"),
    "a comment below the first pair behind a dash": ("- a: 1\n  # about b\n  b: 2\n", remove("0.a"), "comment"),
    "blank lines that would feed a block scalar": ("a: |+\n  x\nb: 1\n\nc: 1\n", remove("b"), "block scalar"),
    "a comment that would feed a block scalar": ("a: |\n  x\nb: 1\n  # y\nc: 1\n", remove("b"), "block scalar"),
    "a block scalar that would end the file": ("a: |\n  x\nb: 1", remove("b"), "block scalar"),
    "comments beside an item between brackets": ("a: [b, # x\n  c, d]\n", remove("a.1"), "comment"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_certain_is_refused(case: str) -> None:
    text, operation, reason = REFUSED[case]
    with pytest.raises(CannotEdit) as caught:
        edits(parse(text), [operation])
    assert reason in caught.value.reason


def test_blank_lines_do_not_feed_a_block_scalar_that_a_second_removal_uncovers() -> None:
    with pytest.raises(CannotEdit):
        edits(parse("a:\n  x: |+\n    t\n  y: 1\nb: 1\n\nc: 1\n"), [remove("a.y"), remove("b")])


def test_a_comment_stays_one_line() -> None:
    assert edited("a: 1\n", put("b", Commented(2, "two\nlines: x"))) == "a: 1\nb: 2  # two lines: x\n"


@pytest.mark.parametrize(
    "operations",
    [
        [put("b", 1), remove("b")],
        [remove("a"), put("a", 1)],
        [remove("a"), put("a.x", 1)],
        [put("b", 1), add("b", 1)],
        [remove("l.0"), add("l", 1)],
        [put("b", 1), put("b.c", 1)],
    ],
)
def test_operations_that_contradict_each_other_are_refused(operations: list[Operation]) -> None:
    with pytest.raises(CannotEdit):
        edits(parse("a: {x: 1}\nz: 1\nl: [\n  1,\n  2,\n]\n"), operations)


STRINGS = [
    "", "~", "null", "Null", "true", "False", "YES", "no", "on", "Off", "y", "N", "<<", "=", "0", "012", "1_000", "-_1",
    "0x1F", "0b1", "0o7", "1e3", ".5", "5.", "-.inf", ".NaN", "1:30", "1000:1000", "190:20:30.15", "2024-01-01",
    "2024-1-1 10:00:00", "+1", "+", "-", "- a", "--a", "---", "a: b", "a:", "a #b", "#a", "a:b", "*a", "&a", "!a", "|",
    ">", "'", '"', "%a", "@a", "`a", "{a}", "[a]", "a,b", "?", "? a", "?a", ":", ":a", " a", "a ", "a\nb", "a\tb", "\\",
    "it's", '"q"', "é", "😀", "\x7f", "\x85", "\xa0", "\u2028", "\ufeff", "...", "512M", "0.5", "10.0.0.1", "ALL",
    "/tmp:size=1m,uid=0",
]  # fmt: skip


@pytest.mark.parametrize("text", STRINGS)
@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize("before", ["k: {}\n", "- {}\n", "k: [x, {}]\n", '{{"x": 1, "k": {}}}\n'])
def test_a_written_string_is_a_string_for_every_loader(text: str, quote: str, before: str) -> None:
    yaml = pytest.importorskip("yaml")
    ruamel = pytest.importorskip("ruamel.yaml")
    document = before.format(written(text, quote=quote, flow="[" in before or "{{" in before))
    loaders: list[Callable[[str], Any]] = [
        lambda one: yaml.safe_load(one),
        lambda one: ruamel.YAML(typ="safe", pure=True).load(one),
    ]
    for load in loaders:
        data = load(document)
        value = data["k"] if isinstance(data, dict) else data[0]
        assert (value[-1] if isinstance(value, list) else value) == text


def test_quotes_are_not_used_without_need() -> None:
    for text in [
        "ALL",
        "512M",
        "/tmp:size=1m,uid=0",
        "no-new-privileges:true",
        "10.0.0.1",
        "--port=80",
        "a b",
        "http://x/#y",
        "1.2.3",
        "é",
    ]:
        assert written(text, quote='"') == text


@given(st.text(max_size=6))
def test_plain_strings_are_plain_only_where_both_versions_of_yaml_agree(text: str) -> None:
    yaml = pytest.importorskip("yaml")
    if may_be_plain(text, flow=False) and reads_as_string(text):
        assert yaml.safe_load(f"k: {text}\n") == {"k": text}


def test_more_keys_in_any_order_of_routes_read_back() -> None:
    text = "services:\n  a:\n    image: x\n  b:\n    image: y\n"
    new = edited(text, put("services.b.read_only", True), put("services.a.read_only", True), put("services.b.init", True))
    assert new == (
        "services:\n  a:\n    image: x\n    read_only: true\n  b:\n    image: y\n    read_only: true\n    init: true\n"
    )


# Properties: generated texts of many styles, random operations.

_names = st.sampled_from(["a", "b", "image", "no", "8080", "my key", "x-y"])
_words = st.sampled_from(["x", "y z", "no", "012", "a: b", "#c", "it's", '"', "", "-", "multi\nline", "é", "{", "1", "true"])
_scalars = st.one_of(st.booleans(), st.integers(-5, 5000), _words)
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(_names, inner, max_size=3),
        st.builds(Commented, inner, st.just("why")),
    ),
    max_leaves=6,
)


class Writer:
    """Writes a random text: what a person's file may look like."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.step = draw(st.sampled_from([2, 2, 4, 3, 1]))
        self.offset = draw(st.sampled_from([0, self.step]))
        self.gap = draw(st.sampled_from([2, 2, 4]))
        self.anchors = 0

    def of(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def scalar(self) -> str:
        return str(self.of("x", "y z", "'q'", '"d"', "1", "true", "~", "''", "http://a/b", "x # c", "'a # b'  # c"))

    def flow(self, depth: int) -> str:
        kind = self.of("word", "word", "list", "map") if depth < 3 else "word"
        if kind == "word":
            return str(self.of("x", '"q"', "'s'", "1", "a b"))
        inner = [self.flow(depth + 1) for _ in range(self.of(0, 1, 2, 3))]
        if kind == "map":
            inner = [f"{key}: {value}" for key, value in zip(["a", '"b"', "c"], inner, strict=False)]
        comma = "," if inner and self.of(0, 0, 1) else ""
        pad = self.of("", "", " ")
        return ("[{}]" if kind == "list" else "{{{}}}").format(pad + ", ".join(inner) + comma + pad)

    def value(self, column: int, depth: int) -> list[str]:
        """The text behind a colon or dash, and the lines below it."""
        kind = self.of(
            "scalar", "scalar", "scalar", "null", "flow", "block", "anchor", "alias", "map", "map", "list", "list", "wide"
        )
        if kind == "anchor":
            self.anchors += 1
            return [f" &n{self.anchors} x"]
        if kind == "alias" and self.anchors:
            return [f" *n{self.anchors}"]
        if kind == "flow":
            return [" " + self.flow(0)]
        if kind == "wide":
            inner = [" " * (column + 3) + word for word in ("x,", "y" + self.of("", ",") + self.of("", "  # c"))]
            return [" [", *inner, " " * (column + 1) + "]"]
        if kind == "block":
            lines = [" " * (column + self.step + 1) + line for line in ("x", "  y", "# z")[: self.of(1, 2, 3)]]
            return [" " + self.of("|", ">", "|-", ">+", "|+"), *lines, *[""] * self.of(0, 1, 2)]
        if kind == "null":
            return [self.of("", "  # c", "  ")]
        if depth < 4 and kind == "map":
            return [self.of("", "", "  # c"), *self.mapping(column + self.step, depth + 1)]
        if depth < 4 and kind == "list":
            return ["", *self.sequence(column + self.offset, depth + 1)]
        return [" " + self.scalar()]

    def mapping(self, column: int, depth: int) -> list[str]:
        lines: list[str] = []
        for name in ["a", '"b"', "image", "c d"][: self.of(1, 2, 3, 4)]:
            lines += self.between(column)
            first, *rest = self.value(column, depth)
            lines += [" " * column + name + ":" + first, *rest]
        return lines

    def sequence(self, column: int, depth: int) -> list[str]:
        lines: list[str] = []
        for _ in range(self.of(1, 2, 3)):
            lines += self.between(column)
            dash = " " * column + "-".ljust(self.gap)
            kind = self.of("word", "word", "map", "null", "list") if depth < 4 else "word"
            if kind == "null":
                lines.append(dash.rstrip())
            elif kind == "word":
                lines.append(dash + self.of("x", "'q'", '"r"', "1", "[a, b]", "{a: 1}", "x  # c"))
            else:
                inner = (self.mapping if kind == "map" else self.sequence)(column + self.gap, depth + 1)
                while not inner[0].strip() or inner[0].lstrip().startswith("#"):
                    inner.pop(0)
                lines += [dash + inner[0].lstrip(" "), *inner[1:]]
        return lines

    def between(self, column: int) -> list[str]:
        return [*self.of([], [], [], [""], [" " * column + "# note"], ["# shallow"])]


@st.composite
def texts(draw: st.DrawFn) -> str:
    writer = Writer(draw)
    lines = writer.mapping(0, 0)
    if draw(st.booleans()):
        lines = ["---", *lines, draw(st.sampled_from(["---", "..."])), "z: 1"]
        if lines[-2] == "...":
            lines[-1:] = []
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    return newline.join(lines) + draw(st.sampled_from([newline, newline, "", newline * 2]))


def routes(stream: Stream) -> list[tuple[Route, Node]]:
    found: list[tuple[Route, Node]] = [((index,), one.root) for index, one in enumerate(stream.documents) if one.root is not None]
    for place, node in found:
        if isinstance(node, Mapping):
            found += [((*place, pair.key.value), pair.value) for pair in node.pairs if isinstance(pair.key, Scalar)]
        elif isinstance(node, Sequence):
            found += [((*place, index), item) for index, item in enumerate(node.items)]
    return found


@st.composite
def operations_on(draw: st.DrawFn, stream: Stream) -> list[Operation]:
    places = routes(stream)
    found: list[Operation] = []
    for _ in range(draw(st.integers(1, 4))):
        place, node = draw(st.sampled_from(places))
        kind = draw(st.sampled_from(["new", "put", "append", "remove"]))
        if kind == "append" and not isinstance(node, Sequence):
            kind = "new"
        if kind == "new":
            found.append(Put((*place, *draw(st.lists(_names, min_size=1, max_size=3))), draw(_values)))
        elif kind == "put":
            found.append(Put(place, draw(_values)))
        elif kind == "append":
            found.append(Append(place, tuple(draw(st.lists(_values, min_size=1, max_size=3)))))
        else:
            found.append(Remove(place))
    return found


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_whatever_is_written_the_data_change_exactly_as_asked(data: st.DataObject) -> None:
    text = data.draw(texts())
    stream = parse(text)
    operations = data.draw(operations_on(stream))
    try:
        found = edits(stream, operations)
    except CannotEdit:
        return
    new = splice(text, found)
    assert plain(parse(new)) == expected(stream, operations)
    assert new.endswith("\n") == text.endswith("\n")
    if "\r\n" in text:
        assert new.count("\n") == new.count("\r\n")
    else:
        assert "\r" not in new


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_only_adds_takes_nothing_away(data: st.DataObject) -> None:
    text = data.draw(texts())
    stream = parse(text)
    places = [(place, node) for place, node in routes(stream) if isinstance(node, (Mapping, Sequence))]
    place, node = data.draw(st.sampled_from(places))
    value = data.draw(_values)
    operation = Put((*place, "new", "key"), value) if isinstance(node, Mapping) else Append(place, (value,))
    try:
        found = edits(stream, [operation])
    except CannotEdit:
        return
    for edit in found:
        assert text[edit.start : edit.end].replace(" ", "") in ("", "{}", "[]")


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_is_put_a_second_time_changes_nothing(data: st.DataObject) -> None:
    text = data.draw(texts())
    stream = parse(text)
    place, _ = data.draw(st.sampled_from(routes(stream)))
    operation = Put((*place, data.draw(_names)), data.draw(_values))
    try:
        new = splice(text, edits(stream, [operation]))
    except CannotEdit:
        return
    assert edits(parse(new), [operation]) == []


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_many_additions_to_one_list_are_as_one(data: st.DataObject) -> None:
    """Containers of a pod that each add their volumes; text and proof are those of a single addition of them all."""
    text = data.draw(texts())
    stream = parse(text)
    lists = [place for place, node in routes(stream) if isinstance(node, Sequence) or (isinstance(node, Scalar) and node.is_null)]
    assume(lists)
    place = data.draw(st.sampled_from(lists))
    groups = data.draw(st.lists(st.lists(_values, min_size=1, max_size=3), min_size=2, max_size=4))
    many = [Append(place, tuple(items)) for items in groups]
    one = Append(place, tuple(item for items in groups for item in items))
    try:
        found = edits(stream, many)
    except CannotEdit as error:
        with pytest.raises(CannotEdit, match=re.escape(str(error))):
            edits(stream, [one])
        return
    new = splice(text, found)
    assert new == splice(text, edits(stream, [one]))
    assert plain(parse(new)) == expected(stream, many) == expected(stream, [one])
