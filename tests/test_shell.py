"""The commands that a shell script holds."""

from __future__ import annotations

import shlex
import time
import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.syntax.shell import cases, commands


def texts(script: str) -> list[str]:
    return [" ".join(word.text for word in command.words) for command in commands(script) if command.words]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("a b && c || d; e | f & g", ["a b", "c", "d", "e", "f", "g"]),
        ("a \\\n b\nc", ["a b", "c"]),
        ("if test -f x; then a; elif b; then c; else d; fi; e", ["test -f x", "a", "b", "c", "d", "e"]),
        ('for x in a b c; do chown root "$x"; done', ["chown root $x"]),
        ("while read line; do a; done < file", ["read line", "a"]),
        ("(cd /x && make) ; { a; b; }", ["cd /x", "make", "a", "b"]),
        ('case "$1" in a|b) c;; (d) e ;; *) f ;; esac; g', ["c", "e", "f", "g"]),
        ("x=$(case y in a) b;; esac) ; c", ["b", "c"]),
        ("f() { a; }; function g { b; }", ["a", "b"]),
        ("a $(b `c` $(d)) \"$(e 'f;g')\"", ["a $() $()", "b $() $()", "c", "d", "e f;g"]),
        ("! a; time b", ["a", "b"]),
        ("[[ a && ( b || c < d ) ]] && e", ["[[ a && ( b || c < d ) ]]", "e"]),
        ("a $((1 + (2))) ${x:-'}'} ; b", ["a $() ${x:-'}'}", "b"]),
        ("a # b; c\nd#e", ["a", "d#e"]),
        ("cat <<EOF; b\nuseradd x\nEOF\nc <<-'E'\n\tx\n\tE\nd", ["cat", "b", "c", "d"]),
        ("cat <<< word && a", ["cat", "a"]),
        ("diff <(a b) >(c)", ["diff $() $()", "a b", "c"]),
        ("echo 'it''s' \"a\\\"b\" \\$x '$y'", ['echo its a"b $x $y']),
        ("a() b", ["b"]),
        ("echo in case of fire; for", ["echo in case of fire"]),
        ("", []),
    ],
)
def test_commands_are_found(script: str, expected: list[str]) -> None:
    assert texts(script) == expected


def test_assignments_stand_apart() -> None:
    (first, second) = commands("A=1 B='x y' /usr/bin/make -j C=2; D=$(pwd)")[:2]
    assert [word.text for word in first.assignments] == ["A=1", "B=x y"]
    assert (first.name, first.arguments) == ("make", ("-j", "C=2"))
    assert not second.words
    assert second.assignments[0].text == "D=$()"
    assert second.assignments[0].expands


def test_only_output_to_files_is_kept() -> None:
    (found,) = commands("a b > /x 2>> '/y z' 2>&1 < in &> /w c 12")
    assert [(item.operator, item.target.text) for item in found.redirects] == [(">", "/x"), (">>", "/y z"), ("&>", "/w")]
    assert [word.text for word in found.words] == ["a", "b", "c", "12"]
    assert [item.target.text for item in commands("> /new-file")[0].redirects] == ["/new-file"]


def test_quotes_decide_about_expansion() -> None:
    (found,) = commands("chown $A '$B' \"$C\" \\$D ${E} *.txt")
    assert [word.expands for word in found.words] == [False, True, False, True, False, True, False]


def test_spans_hold_the_words_as_written() -> None:
    script = "cd /x && chown -R 'a b':$g /data > log"
    found = commands(script)
    assert [script[item.start : item.end] for item in found] == ["cd /x", "chown -R 'a b':$g /data > log"]
    assert [script[word.start : word.end] for word in found[1].words] == ["chown", "-R", "'a b':$g", "/data"]


@given(
    st.lists(
        st.lists(st.text(st.sampled_from("ab'\" \\$;&|#()"), min_size=1, max_size=5), min_size=1, max_size=4),
        min_size=1,
        max_size=4,
    )
)
def test_quoted_words_come_back(lines: list[list[str]]) -> None:
    """The standard library's quoting is the oracle."""
    script = " && ".join("run " + shlex.join(words) for words in lines)
    assert [list(command.arguments) for command in commands(script)] == lines


@given(st.text(st.sampled_from("ab '\"\\$`(){}[]<>|&;#=\n\tcase in esac"), max_size=60))
def test_anything_is_read(script: str) -> None:
    for command in commands(script):
        assert 0 <= command.start <= command.end <= len(script)
        for word in command.words:
            assert script[word.start : word.end]


@pytest.mark.parametrize(
    "piece", ["$(", "`", "\"'", "(", "${", "$((", "a ", "case x in a) ", "<<a\n", "<", 'a="$(', "[[ ( && ", "((1) ", "a=( "]
)
def test_time_grows_with_length_only(piece: str) -> None:
    script = piece * (100_000 // len(piece))
    assert min(timeit.repeat(lambda: commands(script), timer=time.process_time, number=1, repeat=3)) < 2


def test_the_branches_of_a_case_are_found_with_what_they_span() -> None:
    script = 'case $a in (x|"y z") case $b in q) 1;; esac ;; *) echo $(case $c in 5) r;; esac);& z) last\nesac; after'
    found = [
        (case.subject.text, [([w.text for w in b.patterns], script[b.start : b.end], b.falls_through) for b in case.branches])
        for case in cases(script)
    ]
    assert found == [
        (
            "$a",
            [
                (["x", "y z"], " case $b in q) 1;; esac ", False),
                (["*"], " echo $(case $c in 5) r;; esac)", True),
                (["z"], " last\n", False),
            ],
        ),
        ("$b", [(["q"], " 1", False)]),
        ("$c", [(["5"], " r", False)]),
    ]


@pytest.mark.parametrize(
    "script", ["case", "case x in", "case x in a", "case x in a)", "esac;;", ")", "case x in ;; a) b;; esac", "$(case x in a"]
)
def test_a_case_that_does_not_end_has_no_branch_that_is_not_there(script: str) -> None:
    for case in cases(script):
        assert all(0 <= branch.start <= branch.end <= len(script) for branch in case.branches)
