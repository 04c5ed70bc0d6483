"""Reading and editing Dockerfiles. BuildKit's own parser (the `dockerfile` package) is the judge wherever it can be."""

from __future__ import annotations

import contextlib
import os
import time
import timeit
from pathlib import Path

import dockerfile as buildkit  # type: ignore[import-not-found]
import pytest
from dockerfile_parse import DockerfileParser
from hypothesis import given, settings
from hypothesis import strategies as st

from hardener.errors import CannotWrite
from hardener.source import splice
from hardener.syntax.dockerfile import (
    Dockerfile,
    DockerfileError,
    Drop,
    Insert,
    Operation,
    Replace,
    edits,
    expected,
    parse,
    plain,
    resolve,
    second_opinion,
)
from hardener.syntax.dockerfile.scan import scan

Seen = list[tuple[object, ...]]


def seen(text: str) -> Seen:
    """What the scanner reads, in the words of the oracle."""
    found: Seen = []
    for item in scan(text).instructions:
        inner = item.inner or item
        flags = tuple(f"--{flag.name}" + ("" if flag.value is None else f"={flag.value}") for flag in item.flags)
        # The wheel drops those of ONBUILD.
        documents = tuple((document.name, document.descriptor, document.content) for document in item.heredocs if not item.inner)
        places = (item.line, item.last_line)
        found.append(
            (item.keyword, item.inner.keyword if item.inner else "", inner.is_json, *places, flags, inner.values, documents)
        )
    return found


def judged(text: str) -> Seen:
    """What BuildKit reads."""
    return [
        (
            item.cmd.upper(),
            (item.sub_cmd or "").upper(),
            item.json,
            item.start_line,
            item.end_line,
            tuple(item.flags),
            tuple(item.value),
            tuple((document.name, document.file_descriptor, document.content) for document in item.heredocs),
        )
        for item in buildkit.parse_string(text)
    ]


CASES = {
    "lower case and no newline at the end": "from alpine as Base\nrun a",
    "white space everywhere": "\n \t FROM   a  \n\n\tRUN\ta   b  \n   \n",
    "continuation": "FROM a\nRUN b \\\n  c \\ \t\n  d\nCMD e",
    "comments and blanks in a continuation": "FROM a\nRUN b \\\n# c \\\n\n   # d\n \t\n  e\n",
    "two escapes at the end of a line": "FROM a\nCOPY x C:\\y\\\\\nRUN z",
    "three escapes at the end of a line": "FROM a\nRUN x \\\\\\\nRUN z",
    "continuation at the end of the file": "FROM a\nRUN b \\\n\n# c\n",
    "nothing but a continuation": "\\\nFROM a\n\\\n\nRUN b",
    "the keyword alone on its line": 'FROM a\nRUN \\\n  b\nCMD\\\n ["x"]\n',
    "escape directive": "# escape=`\nFROM a\nCOPY b C:\\\nRUN c `\n  d\n",
    "escape directive after another one": "#syntax = docker/dockerfile:1\n#  Escape  = `  \nFROM a\nRUN b `\n c\n",
    "a directive after a comment is none": "# x\n# escape=`\nFROM a\nRUN b \\\n c\n",
    "a directive after a blank is none": "\n# escape=`\nFROM a\nRUN b \\\n c\n",
    "JSON forms": 'FROM a\nRUN ["a", "b \\" \\u00e9 \\n"]\nCMD [ ]\nENTRYPOINT [  "x" ,"y"]\nVOLUME ["/a","/b"]\n'
    'COPY ["a b","c/"]\n',
    "almost JSON": 'FROM a\nRUN [\'a\']\nCMD ["a"\nENTRYPOINT [ -f x ] && y\nVOLUME [a, b]\nRUN ["a",]\n',
    "JSON in pieces": 'FROM a\nCMD [ \\\n "a", \\\n # c\n "b" ]\n',
    "flags": "FROM --platform=linux/amd64 a\nCOPY --from=0 --chown=a:b x y\nADD --link x y\n"
    'HEALTHCHECK --interval=5s CMD ["a"]\n',
    "flags with quotes and escapes": "FROM a\nRUN --mount=type=cache,target='/a b' --x\\ y --z=\"q\"  run --later\n",
    "flags in pieces": "FROM a\nRUN --mount=type=cache,target=/a \\\n --network=none \\\n b\n",
    "environment": 'FROM a\nENV a b c\nENV d=e f="g h" i=\'j k\' l=m\\ n\nLABEL x=y \\\n  z="1 \\\n2"\nENV q "r"\n',
    "arguments": 'ARG a=b\nFROM a\nARG c d=e f="g h"\n',
    "expose": "FROM a\nEXPOSE 80  443/tcp\t90\n",
    "health check": "FROM a\nHEALTHCHECK NONE\nHEALTHCHECK   CMD  a b\n",
    "onbuild": 'FROM a\nONBUILD RUN b\nONBUILD COPY ["a","b"]\nonbuild env a=b\n',
    "here-document": "FROM a\nRUN <<EOF\nUSER root\n# x\n\nFROM evil\nEOF\nCMD x\n",
    "here-documents": "FROM a\nCOPY <<A <<-'B' 3<<\"C\" /x/\n1\nA\n\t2 $x\n\tB\nC\nRUN x\n",
    "here-document behind a continuation": "FROM a\nRUN cat <<A \\\n  > /b\nx\nA\nCMD y",
    "here-document in onbuild": "FROM a\nONBUILD RUN <<E\nx\nE\nCMD y\n",
    "a quoted marker is none": "FROM a\nRUN echo \"<<EOF\" '<<EOF' x<<EOF\nCMD y\n",
    "a marker in JSON is none": 'FROM a\nRUN ["<<EOF"]\nCMD <<EOF\n',
    "a marker behind a broken quote is none": "FROM a\nRUN echo it's <<EOF\nCMD y\n",
    "a marker behind a substitution": "FROM a\nRUN echo ${a:-b} ${c} $d <<EOF\nx\nEOF\nCMD y\n",
    "a marker behind a substitution that BuildKit cannot read": "FROM a\nRUN echo ${a,,} <<EOF\nCMD y\n",
    "a here-string is none": "FROM a\nRUN cat <<<EOF\nCMD y\n",
    "a here-document ends with the file": "FROM a\nRUN <<EOF\nx\nEOF",
    "a comment after a here-document": "FROM a\nRUN <<EOF\nEOF\n# x\nCMD y\n",
    "non-ASCII": 'FROM a\nRUN echo é \u2603 \U0001f600 \\\n # ü\n ☃\nLABEL ñ="ö"\n',
    "carriage returns within a line": "FROM a\nRUN b\rc\nRUN d \\\r\n e\r\n",
}


@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("text", CASES.values(), ids=CASES)
def test_buildkit_reads_the_same(text: str, ending: str) -> None:
    text = text.replace("\r\n", "\n").replace("\n", ending)
    assert seen(text) == judged(text)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "no instructions"),
        ("# FROM a\n\n", 1, "no instructions"),
        ("FROM a\nENV b\n", 2, "two arguments"),
        ("FROM a\nENV b=c d\n", 2, "name=value"),
        ("FROM a\nRUN <<EOF\nx\n", 2, "EOF has no end"),
        ('FROM a\n\nCMD ["a", ["b"]]', 3, "more than strings"),
        ("FROM a\nCMD [null]", 2, "more than strings"),
        ("# escape=x\nFROM a", 1, "escape"),
        ("# escape=`\n# escape=`\nFROM a", 2, "only one"),
        ("FROM a\nRUN " + "x" * 65536, 2, "longer"),
    ],
)
def test_what_buildkits_parser_rejects_is_rejected(text: str, line: int, reason: str) -> None:
    with pytest.raises(DockerfileError) as error:
        parse(text)
    assert error.value.line == line
    assert reason in error.value.reason
    if "escape=`" not in text:  # the wheel does not know this rule yet
        with pytest.raises(buildkit.GoParseError):
            buildkit.parse_string(text)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("RUN a", 1, "before the first FROM"),
        ("ARG a", 1, "no FROM"),
        ("FROM a\nBOGUS x", 2, "unknown instruction BOGUS"),
        ("FROM a\n<<<<<<< HEAD\n", 2, "unknown instruction"),
        ("FROM a b", 1, "one or three"),
        ("FROM a as 1b", 1, "stage's name"),
        ("FROM", 1, "without arguments"),
        ("FROM a\nCOPY b", 2, "a source and a destination"),
        ("FROM a\nCOPY <<A <<B\nA\nB\n", 2, "destination"),
        ("FROM a\nONBUILD ONBUILD RUN x", 2, "not allowed in ONBUILD"),
        ("FROM a\nONBUILD FROM x", 2, "not allowed in ONBUILD"),
        ("FROM a\nSHELL bash -c", 2, "JSON"),
        ("FROM a\nHEALTHCHECK curl x", 2, "CMD or NONE"),
        ("FROM a\nUSER", 2, "without arguments"),
        ("FROM a\nRUN <<A " + "${a:-" * 500, 2, "nested"),
        ("FROM a\nCMD " + "[" * 30_000 + "]" * 30_000, 2, "more than strings"),
    ],
)
def test_what_no_builder_can_build_is_rejected(text: str, line: int, reason: str) -> None:
    with pytest.raises(DockerfileError) as error:
        parse(text)
    assert (error.value.line, error.value.exit_code) == (line, 2)
    assert reason in error.value.reason


def test_stages() -> None:
    found = parse(
        "ARG v=1\nFROM --platform=$BUILDPLATFORM a:$v AS Build\nRUN x\nFROM scratch\nCOPY --from=build a b\nUSER 1"
    ).stages
    assert [(stage.index, stage.name, stage.base, stage.platform) for stage in found] == [
        (0, "build", "a:$v", "$BUILDPLATFORM"),
        (1, "", "scratch", None),
    ]
    assert [[item.keyword for item in stage.instructions] for stage in found] == [["FROM", "RUN"], ["FROM", "COPY", "USER"]]


def test_comments_know_where_they_stand() -> None:
    found = parse("# syntax=x\n# one\nFROM a\n  # two \nRUN b \\\n # three\n c\n")
    assert [(found.text[item.start : item.end], item.line, item.inside) for item in found.comments] == [
        ("# one", 2, False),
        ("# two ", 4, False),
        ("# three", 6, True),
    ]
    assert found.directives == {"syntax": "x"}


def test_spans_lead_through_continuations() -> None:
    text = (
        'FROM a\r\nRUN --mount=x apt-get \\\r\n # note\r\n\r\n  install \\\r\n  useradd\\\r\n-x\r\nCOPY ["é\\"", \\\r\n "b"]\r\n'
    )
    _, run, copy = parse(text).instructions
    start = run.arguments.index("install")
    assert text[slice(*run.span(start, start + 7))] == "install"
    assert text[slice(*run.span(0, 7))] == "apt-get"
    start = run.arguments.index("useradd")
    assert text[slice(*run.span(start, start + 7))] == "useradd"
    assert text[slice(*run.span(start, start + 9))] == "useradd\\\r\n-x"
    assert [text[word.start : word.end] for word in copy.words()] == ['"é\\""', '"b"']
    assert [word.text for word in copy.words()] == ['é"', "b"]
    assert text[run.start : run.end] == text[text.index("RUN") : text.index("\r\nCOPY")]
    assert text[run.flags[0].start : run.flags[0].end] == "--mount=x"


# A generator of Dockerfiles: instructions x continuations x comments x here-documents.
WORD = st.sampled_from(
    ["a", "b=c", "'d e'", '"f g"', "$h", "${i:-j}", "k\\ l", "/m/n", "é", "--o", "[", "#p", "&&", "\\\\", ">>q"]
)
ARGUMENTS = st.lists(WORD, min_size=1, max_size=4)
GLUE = st.sampled_from([" ", "  ", "\t", " \\\n", " \\ \n  ", " \\\n# c\n ", " \\\n\n ", "\\\n "])


@st.composite
def instructions(draw: st.DrawFn) -> str:
    keyword = draw(
        st.sampled_from(
            ["RUN", "run", "CMD", "ENTRYPOINT", "EXPOSE", "USER", "WORKDIR", "ARG", "VOLUME", "ONBUILD RUN", "STOPSIGNAL"]
        )
    )
    words = draw(ARGUMENTS)
    if draw(st.integers(0, 5)) == 0:
        keyword, words = "ENV", [f"{name}={value}" for name, value in zip("xyzw", words, strict=False)]
    elif draw(st.integers(0, 5)) == 0:
        keyword = "COPY"
        words = ["--from=x", "s", *words]
    elif draw(st.integers(0, 5)) == 0:
        words = ["[" + ", ".join('"' + "".join(ch for ch in word if ch.isalnum()) + '"' for word in words) + "]"]
    text = keyword + draw(GLUE)
    for word in words:
        text += word + draw(GLUE)
    if words[0].endswith("]"):
        # Alone: the wheel still takes a list with text behind it for a list.
        return keyword + text[len(keyword) : text.index("[")] + words[0]
    text += "z"
    if keyword.upper() in ("RUN", "COPY", "ONBUILD RUN") and draw(st.integers(0, 3)) == 0:
        marker = draw(st.sampled_from(["<<E", "<<-E", "<<'E'"]))
        body = draw(st.sampled_from(["", "USER root\n", "\\\n# x\n\n", "\t\tFROM evil\n"]))
        text += f" {marker} f\n{body}E"
    return text


BETWEEN = st.sampled_from(["\n", "\n\n", "\n# c\n", "\n\n# c\n# d\n", "\n  "])


@st.composite
def dockerfiles(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(["", "# syntax=x\n", "# c\n\n", "# escape=\\\n"])) + "FROM a"
    for item in draw(st.lists(instructions(), max_size=5)):
        text += draw(BETWEEN) + item
    text += draw(st.sampled_from(["", "\n", "\n\n", "\n# end\n"]))
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


@settings(max_examples=300, deadline=None)
@given(dockerfiles())
def test_buildkit_reads_generated_files_the_same(text: str) -> None:
    try:
        theirs = judged(text)
    except buildkit.GoParseError:
        with pytest.raises(DockerfileError):
            parse(text)
        return
    ours: Seen | None
    try:
        ours = seen(text)
    except DockerfileError as error:
        reason = error.reason
        ours = None
    # Beyond BuildKit's parser: what its instructions reject.
    assert (
        ours == theirs
        if ours is not None
        else any(word in reason for word in ("VOLUME", "HEALTHCHECK", "destination", "without arguments"))
    )


def edited(text: str, *operations: Operation) -> str:
    """The text after the operations, once a builder has been asked whether it sees exactly them."""
    found = parse(text)
    new = splice(text, edits(found, operations))
    assert plain(parse(new)) == expected(found, operations)
    return new


@pytest.mark.parametrize(
    ("before", "index", "after"),
    [
        ("FROM a\nRUN b\nCMD c\n", 2, "FROM a\nRUN b\n+\nCMD c\n"),
        ("FROM a\n\nRUN b\n\nCMD c\n", 2, "FROM a\n\nRUN b\n\n+\n\nCMD c\n"),
        ("FROM a\n\n# about c\n# and more\nCMD c\n", 1, "FROM a\n\n+\n\n# about c\n# and more\nCMD c\n"),
        ("FROM a\n# about c\nCMD c", 1, "FROM a\n+\n# about c\nCMD c"),
        ("FROM a\n# old\n\nCMD c", 1, "FROM a\n# old\n\n+\n\nCMD c"),
        ("FROM a\nCMD c", 2, "FROM a\nCMD c\n+"),
        ("FROM a\nCMD c\n", 2, "FROM a\nCMD c\n+\n"),
        ("FROM a\n\nCMD c\n\n\n# end\n", 2, "FROM a\n\nCMD c\n\n+\n\n\n# end\n"),
        ("FROM a\nRUN x\n\n\n# two\nFROM b\nRUN y\n", 2, "FROM a\nRUN x\n+\n\n\n# two\nFROM b\nRUN y\n"),
        ("# syntax=x\nFROM a\n", 0, "# syntax=x\n+\nFROM a\n"),
        ("# syntax=x\n# two\nFROM a\n", 0, "# syntax=x\n+\n# two\nFROM a\n"),
        ("FROM a\nRUN <<E\nx\nE\nCMD c\n", 2, "FROM a\nRUN <<E\nx\nE\n+\nCMD c\n"),
        ("FROM a\nRUN <<E\n# x\nE\nCMD c\n", 2, "FROM a\nRUN <<E\n# x\nE\n+\nCMD c\n"),
        ("FROM a\nRUN x \\\n# y\n z\nCMD c\n", 2, "FROM a\nRUN x \\\n# y\n z\n+\nCMD c\n"),
        ("FROM a\n  # about c\n  CMD c\n", 1, "FROM a\n+\n  # about c\n  CMD c\n"),
        ("FROM a\nCMD c \\\n\n", 1, "FROM a\n+\nCMD c \\\n\n"),
    ],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_lines_land_where_a_person_puts_them(before: str, index: int, after: str, ending: str) -> None:
    if index:
        lines = ("# why", "USER 1")
        new = edited(before.replace("\n", ending), Insert(index, lines))
    else:
        lines = ("# why", "ARG v=1")
        new = edited(before.replace("\n", ending), Insert(index, lines))
    assert new == after.replace("+", "\n".join(lines)).replace("\n", ending)


def test_several_operations_meet() -> None:
    text = "FROM a\nUSER root\nRUN b\nCMD c"
    assert edited(
        text, Insert(1, ("RUN new",)), Replace(1, "USER 1"), Drop(3), Insert(4, ("CMD d",)), Insert(1, ("RUN more",))
    ) == ("FROM a\nRUN new\nRUN more\nUSER 1\nRUN b\nCMD d")
    assert edited("FROM a\n\nUSER root\n\nCMD c\n", Drop(1)) == "FROM a\n\nCMD c\n"
    assert edited("FROM a\n\nCMD c\n", Drop(1)) == "FROM a\n"
    assert edited("FROM a\r\nRUN b\r\n", Replace(1, "RUN c \\\n  d")) == "FROM a\r\nRUN c \\\r\n  d\r\n"


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        ("FROM a\nRUN b \\\n", Insert(2, ("USER 1",))),
        ("FROM a\nRUN b \\\n", Replace(1, "RUN c")),
        ("FROM a\nRUN b\n", Replace(1, "RUN c\nRUN d")),
        ("FROM a\nRUN b\n", Replace(1, "RUN <<E")),
        ("FROM a\nRUN b\n", Insert(1, ("RUN c \\",))),
    ],
)
def test_no_edit_where_it_would_not_hold(text: str, operation: Operation) -> None:
    found = parse(text)
    with pytest.raises(CannotWrite):
        assert (edits(found, [operation]), expected(found, [operation])) is None


@settings(max_examples=150, deadline=None)
@given(dockerfiles(), st.data())
def test_inserting_anywhere_changes_nothing_else(text: str, data: st.DataObject) -> None:
    try:
        found = parse(text)
    except DockerfileError:
        return
    index = data.draw(st.integers(1, len(found.instructions) - found.instructions[-1].dangling))
    new = edited(text, Insert(index, ("# why", "USER 1")))
    assert new.replace("\r", "").count("# why\nUSER 1") == 1
    assert text.count("\r\n") == text.count("\n") or new.count("\r") == 0
    assert text.endswith("\n") == new.endswith("\n")
    mine = [item for item in judged(new) if item[6] != ("1",)]
    assert [item[:3] + item[5:] for item in mine] == [item[:3] + item[5:] for item in judged(text)]


@settings(max_examples=100, deadline=None)
@given(dockerfiles())
def test_the_second_opinion_agrees_on_ordinary_files(text: str) -> None:
    try:
        found = parse(text)
    except DockerfileError:
        return
    if "\\\\" not in text:
        # A keyword glued to its continuation is where the other reader goes wrong.
        glued = any(item.logical[len(item.keyword)] not in " \t" or "\\\r\n" in text for item in found.instructions)
        assert second_opinion(found) is None or glued or "\\\n" in text


def test_the_second_opinion_objects() -> None:
    assert second_opinion(parse("FROM a\nRUN <<E\nUSER root\nE\nRUN b \\\n\n c \\\n")) is None
    assert second_opinion(parse("FROM a\nCOPY b C:\\c\\\\\nUSER root\n")) is not None


VARIABLES = (
    "ARG tag=3.9\nARG empty\nFROM python:$tag\nARG tag\nARG x=1\nENV x=2 y=$x z='$x' w=\"a $x\"\n"
    "ENV old a b\nENV path=$PATH:/x\nARG late=$y\nENV y=\n"
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$tag", "3.9"),
        ("${tag}-slim", "3.9-slim"),
        ("$x", "2"),
        ("$z", "$x"),
        ("$w", "a 1"),
        ("$late", "1"),
        ("$old", "a b"),
        ("$path", None),
        ("$unknown", None),
        ("${unknown:-x}", None),
        ("${empty:-x}", None),
        ("${y:-x}", "x"),
        ("${y-x}", ""),
        ("${x:+yes}", "yes"),
        ("${y:+yes}", ""),
        ("${y:-${x}}", "2"),
        ("\\$x", "$x"),
        ("'$x'", "$x"),
        ('"$x"', "2"),
        ("'a' b", "a b"),
        ("${x", None),
        ("plain", "plain"),
    ],
)
def test_variables(text: str, value: str | None) -> None:
    found = parse(VARIABLES)
    assert resolve(found, text, stage=found.stages[0]) == value


def test_variables_of_the_head_and_of_earlier_stages() -> None:
    found = parse("ARG v=1\nARG e\nFROM a:${v} AS one\nENV p=q\nFROM One\nARG e=5\nUSER $p\nENV p=r\n")
    assert resolve(found, found.stages[0].base) == "a:1"
    assert resolve(found, "x${e:-y}") == "xy"
    assert resolve(found, "$e") is None
    assert resolve(found, "$p", 6, found.stages[1]) == "q"
    assert resolve(found, "$p", stage=found.stages[1]) == "r"
    assert resolve(found, "$v", stage=found.stages[1]) is None


@pytest.mark.parametrize(
    "text",
    [
        "FROM a\nENV x=1 y=2\nLABEL r=$x${y}\n",
        'FROM a\nENV x=1\nENV x=2 y=$x\nLABEL r="$x $y"\n',
        "FROM a\nENV x='a b'\nLABEL r=$x\n",
    ],
)
def test_dockerfile_parse_puts_in_the_same(text: str) -> None:
    import io

    found = parse(text)
    theirs = DockerfileParser(fileobj=io.BytesIO(text.encode()), env_replace=True).labels["r"]
    assert resolve(found, found.instructions[-1].values[1], stage=found.stages[0]) == theirs


PIECES = [
    "ENV a=" + '"\\' * 30_000,
    "RUN x \\\n" * 30_000,
    "CMD " + '["a",' * 10_000,
    "RUN <<E " + "'\"" * 30_000,
    "RUN x \\\n" + "\n" * 300_000,
    "#\n" * 300_000,
]


@pytest.mark.parametrize("piece", PIECES, ids=["quotes", "continuations", "json", "marker", "blanks", "comments"])
def test_time_grows_with_length_only(piece: str) -> None:
    def read() -> None:
        with contextlib.suppress(DockerfileError):
            parse("FROM a\n" + piece)

    # The best of three: a pause of the machine is not the reader's.
    assert min(timeit.repeat(read, timer=time.process_time, number=1, repeat=3)) < 2


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("FROM RUN a\n\r\\`#\"'<-E[]{}$:=\t\x00é"), max_size=80))
def test_anything_is_read_or_refused(text: str) -> None:
    for candidate in (text, "FROM a\n" + text, "FROM a\nRUN " + text, "FROM a\nCOPY <<E " + text):
        try:
            found: Dockerfile = parse(candidate)
        except DockerfileError:
            continue
        for item in found.instructions:
            assert item.start < item.end <= len(candidate)
            for word in item.words():
                assert item.start <= word.start <= word.end <= item.end


@pytest.mark.skipif(
    "HARDEN_BUILDKIT_FILES" not in os.environ, reason="HARDEN_BUILDKIT_FILES names BuildKit's frontend/dockerfile/parser folder"
)
def test_buildkits_own_files() -> None:
    folder = Path(os.environ["HARDEN_BUILDKIT_FILES"])
    files = sorted((folder / "testfiles").glob("*/Dockerfile"))
    assert files
    for file in files:
        # The wheel's strings end at a NUL.
        text = file.read_bytes().decode().removeprefix("\ufeff").replace("\\u0000", "")
        if "\nHEALTHCHECK\n" not in text:  # its parser lets it pass, its instructions do not
            assert seen(text) == judged(text), file
    for file in sorted((folder / "testfiles-negative").glob("*/Dockerfile")):
        with pytest.raises(DockerfileError):
            parse(file.read_bytes().decode())
