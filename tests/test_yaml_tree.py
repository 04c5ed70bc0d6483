"""The YAML tree: what it says, where its nodes stand, and what it refuses to read."""

from __future__ import annotations

import contextlib
import time

import pytest

from hardener.syntax.yaml import (
    Alias,
    Mapping,
    Node,
    Scalar,
    Sequence,
    Stream,
    YamlError,
    children,
    node_at,
    parse,
    plain,
)


def root(text: str) -> Node:
    node = parse(text).documents[0].root
    assert node is not None
    return node


def everything(stream: Stream) -> list[Node]:
    found = [document.root for document in stream.documents if document.root is not None]
    for node in found:
        found.extend(children(node))
    return found


def simple(node: Node) -> object:
    """Aliases followed, for comparison with loaders."""
    if isinstance(node, Alias):
        return simple(node.target)
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [simple(item) for item in node.items]
    assert isinstance(node, Mapping)
    return [(simple(pair.key), simple(pair.value)) for pair in node.pairs]


SPANS = [
    # text, route, the text of the node's span
    ("a: b\n", ("a",), "b"),
    ("a:   'it''s'   # c\n", ("a",), "'it''s'"),
    ("a: b c\n   d\n", ("a",), "b c\n   d"),
    ("a:\n  b: c\n\n# end\n", ("a",), "b: c"),
    ("a:\n  - b\n  -   c  # d\n\n\nz: 1\n", ("a",), "- b\n  -   c"),
    ("a:\n- b\n- c\nz: 1\n", ("a",), "- b\n- c"),
    ("a: [b, c]  # d\n", ("a",), "[b, c]"),
    ("a: {b: {c: d}}\n", ("a", "b"), "{c: d}"),
    ("a: &x !t b\n", ("a",), "b"),
    ("a: &x\n  # note\n  b: c\n", ("a",), "b: c"),
    ("a: &x !<tag:example.org,2020:t> [b]\n", ("a",), "[b]"),
    ("a:\n  &k b: c\n", ("a",), "&k b: c"),
    ("a: !override\n- b\n", ("a",), "- b"),
    ("a: |\n  x\n\n\nb: 1\n", ("a",), "|\n  x\n\n\n"),
    ("a: |-\n  x", ("a",), "|-\n  x"),
    ("a: >+\n  x\n\nb: 1\n", ("a",), ">+\n  x\n\n"),
    ("a: &x b\nc: *x\n", ("c",), "*x"),
    ("é: ü\nb: ö\n", ("b",), "ö"),
    ("😀: 1\nb: c\n", ("b",), "c"),
    ("a: b\r\nc: d\r\n", ("c",), "d"),
    ("- a\n- - b\n  - c\n", (1,), "- b\n  - c"),
    ("- a: 1\n  b: 2\n- c\n", (0,), "a: 1\n  b: 2"),
    ("a: [no-new-privileges:true, b]\n", ("a", 0), "no-new-privileges:true"),
]


@pytest.mark.parametrize(("text", "route", "span"), SPANS)
def test_a_node_spans_its_content(text: str, route: tuple[str | int, ...], span: str) -> None:
    node = node_at(parse(text), (0, *route))
    assert node is not None
    assert text[node.start : node.end] == span


NULLS = [
    # text, route, offset of the empty span
    ("a:\n", ("a",), 2),
    ("a:  # c\nb: 1\n", ("a",), 2),
    ("a: &x\nb: 1\n", ("a",), 5),
    ("a: !t\nb: 1\n", ("a",), 5),
    ("-\n- b\n", (0,), 1),
    ("{a: , b: 1}\n", ("a",), 3),
    ("{a: }\n", ("a",), 3),
    ("{a}\n", ("a",), 2),
    ("? a\nb: 1\n", ("a",), 3),
    ("? a\n:\nb: 1\n", ("a",), 5),
    ("a:", ("a",), 2),
]


@pytest.mark.parametrize(("text", "route", "offset"), NULLS)
def test_a_null_stands_behind_its_colon_or_dash(text: str, route: tuple[str | int, ...], offset: int) -> None:
    node = node_at(parse(text), (0, *route))
    assert isinstance(node, Scalar)
    assert (node.start, node.end, node.value, node.style) == (offset, offset, "", "")


def test_properties_are_outside_the_content_and_inside_the_outer_start() -> None:
    text = "a: &x !t\n  b: 1\n"
    node = node_at(parse(text), (0, "a"))
    assert node is not None
    assert (node.anchor, node.tag) == ("x", "!t")
    assert text[node.outer_start :].startswith("&x !t")


@pytest.mark.parametrize(
    ("text", "style", "value"),
    [
        ("a: b", "", "b"),
        ("a: 'b'", "'", "b"),
        ('a: "b\\n"', '"', "b\n"),
        ("a: |\n b\n c\n", "|", "b\nc\n"),
        ("a: >-\n b\n c\n", ">", "b c"),
        ("a: ''", "'", ""),
    ],
)
def test_a_scalar_knows_its_style_and_its_value(text: str, style: str, value: str) -> None:
    node = node_at(parse(text), (0, "a"))
    assert isinstance(node, Scalar)
    assert (node.style, node.value) == (style, value)


def test_an_alias_means_what_its_anchor_meant_there() -> None:
    stream = parse("a: &x 1\nb: *x\nc: &x 2\nd: *x\n")
    targets = [node_at(stream, (0, key)) for key in "bd"]
    assert [simple(target) for target in targets if target] == ["1", "2"]
    assert [alias.name for alias in stream.aliases] == ["x", "x"]


def test_anchors_end_with_their_document() -> None:
    with pytest.raises(YamlError, match="no anchor"):
        parse("a: &x 1\n---\nb: *x\n")


def test_the_last_of_equal_keys_wins_and_the_later_ones_are_listed() -> None:
    stream = parse('a: 1\nb: 2\n"a": 3\na: 4\n')
    node = stream.documents[0].root
    assert isinstance(node, Mapping)
    assert simple(node.get("a") or node) == "4"
    assert node.pair("c") is None
    assert [stream.text[: key.start].count("\n") for key in stream.duplicate_keys] == [2, 3]


def test_a_merge_key_is_an_ordinary_key() -> None:
    stream = parse("x: &x {a: 1}\ny:\n  <<: *x\n  b: 2\n")
    node = node_at(stream, (0, "y"))
    assert isinstance(node, Mapping)
    assert isinstance(node.get("<<"), Alias)
    assert node.get("a") is None
    assert node_at(stream, (0, "y", "<<", "a")) is None


@pytest.mark.parametrize(
    ("text", "count"), [("a: {{ x }}\n", 1), ("- {{ x }}\n- {{ y }}\n", 2), ("a: '{{ x }}'\nb: {c: d}\n", 0)]
)
def test_templates_show_through(text: str, count: int) -> None:
    assert len(parse(text).templates) == count


def test_documents_are_counted() -> None:
    assert len(parse("").documents) == 0
    assert len(parse("# only a comment\n").documents) == 0
    assert len(parse("%YAML 1.1\n---\na: 1\n...\n---\nb: 2\n--- c\n").documents) == 3


@pytest.mark.parametrize(
    "route", [(), (1,), (0, "b"), (0, "a", 2), (0, "a", "x"), (0, 0), ("a",), (0, "a", -1), (0, "a", 0, "x")]
)
def test_a_route_that_leads_nowhere(route: tuple[int | str, ...]) -> None:
    assert node_at(parse("a: [1, 2]\n"), route) is None


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ("a: 1\nb: @x\n", 2, 4, "cannot start any token"),
        ("a: 1\n\tb: 2\n", 2, 1, "tab character"),
        ("a: [1,\nb: 2\n", 3, 1, "flow sequence"),
        ("a: 1\nb: *x\n", 2, 4, "has no anchor"),
        ("a: &x\n  b: *x\n", 2, 6, "inside its own anchor"),
        ("a: b\nc: \x07\n", 2, 4, "control characters"),
        ("a: b\nc: \ud800\n", 2, 4, "surrogate"),
        ("a: {{ x }}-{{ y }}\n", 1, 11, ""),
        ("a: [b:]\n", 1, 6, "unexpected ':'"),
        ("[" * 5000, 1, 201, "nested deeper"),
        ("- " * 5000, 1, 401, "nested deeper"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(text: str, line: int, column: int, reason: str) -> None:
    with pytest.raises(YamlError) as caught:
        parse(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert reason in caught.value.reason


def test_a_colon_in_a_plain_word_between_brackets_belongs_to_the_word() -> None:
    stream = parse('a: [80:80, "x":1, {b:c: d}]  # e:f\nurl: http://x\n')
    assert simple(stream.documents[0].root) == [  # type: ignore[arg-type]
        ("a", ["80:80", [("x", "1")], [("b:c", "d")]]),
        ("url", "http://x"),
    ]
    assert stream.text.endswith("# e:f\nurl: http://x\n")


ODD_TEXTS = [
    "a: b\n",
    "- a\n-\n- - b\n  -\n",
    "a:\n- b: c\n  d: >-\n    e\n    f\n\n- g\n",
    "{a: [b, {c: d}], 'e': \"f\", g: }\n",
    "? a\n: b\n? [c, d]\n: e\n",
    "a: &x\n  b: 1\nc:\n  <<: *x\n  d: *x\n",
    "--- !t\na: !!str 1\n...\n---\n- 'x'\n",
    "a: |2\n    x\n  y\nb: >+\n z\n\n",
    "a: 'x\n\n  y'\nb: \"x\\\n  y\"\nc: x\n  y\n",
    "a : b\n'c' :  d\n",
    "a: b # c\n#d: e\nf: [ # g\n  h, # i\n]\n",
    "a: \u2028\n  b\n",
    "a:\tb\nc: \t d\n",
]


@pytest.mark.parametrize("text", ODD_TEXTS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("final", [True, False])
def test_the_tree_says_what_another_parser_says(text: str, newline: str, final: bool) -> None:
    yaml = pytest.importorskip("yaml")
    text = (text if final else text.rstrip("\n")).replace("\n", newline)

    def theirs(node: object) -> object:
        value = node.value  # type: ignore[attr-defined]
        if isinstance(node, yaml.ScalarNode):
            return value
        if isinstance(node, yaml.SequenceNode):
            return [theirs(item) for item in value]
        return [(theirs(key), theirs(item)) for key, item in value]

    try:
        wanted = [theirs(node) for node in yaml.compose_all(text, Loader=yaml.CSafeLoader)]
    except yaml.YAMLError:
        with pytest.raises(YamlError):
            parse(text)
        return
    assert [simple(document.root) for document in parse(text).documents if document.root] == wanted


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_spans_nest_and_scalars_read_again_give_their_value(text: str) -> None:
    try:
        stream = parse(text)
    except YamlError:
        return
    for node in everything(stream):
        assert 0 <= node.outer_start <= node.start <= node.end <= len(text)
        for child in children(node):
            assert node.start <= child.outer_start
            assert child.end <= node.end
        if isinstance(node, Scalar) and node.style not in ("|", ">") and node.start < node.end:
            again = root(text[node.start : node.end])
            assert isinstance(again, Scalar)
            assert (again.value, again.style) == (node.value, node.style)


def test_plain_data_keeps_what_matters_and_leaves_out_style() -> None:
    assert plain(parse("a: [1, x]\n")) == plain(parse("a:\n  - 1  # c\n  - 'x'\n"))
    assert plain(parse("a: 1\n")) != plain(parse("a: '1'\n"))
    assert plain(parse("a: yes\n")) != plain(parse("a: 'yes'\n"))
    assert plain(parse("a: &x 1\n")) != plain(parse("a: 1\n"))
    assert plain(parse("a: !t x\n")) != plain(parse("a: x\n"))
    assert plain(parse("a: 1\nb: 2\n")) != plain(parse("b: 2\na: 1\n"))
    assert plain(parse("a: &x 1\nb: *x\n")) != plain(parse("a: &x 1\nb: 1\n"))
    assert plain(parse("a: 1\n---\n")) != plain(parse("a: 1\n"))


@pytest.mark.parametrize(
    "text",
    ["a: [" + "x, " * 60000 + "]", "{" * 99999, "a: |\n" + "  \n" * 60000, "k: 1\n" * 30000, "a: [" + "x:y," * 30000 + "z:]"],
    ids=["long line", "deep", "blanks", "duplicates", "colons"],
)
def test_hostile_texts_take_no_more_than_their_length(text: str) -> None:
    start = time.process_time()
    with contextlib.suppress(YamlError):
        parse(text)
    assert time.process_time() - start < 2
