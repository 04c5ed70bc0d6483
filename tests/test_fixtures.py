"""Each folder below `fixtures/` is a case: what is found in `before/`, what it becomes, and that outsiders agree.

A case is a small real project: `before/`, `after/` (none: it must stay as it is, byte for byte), `findings.txt` (one line
a finding, `path:line rule subject status`, and `path:line unreadable` or `not-judged`) and, where needed, `options`, a list
of words:

- `safe`: run without the fixes that lack evidence;
- `within-lines`: lines get longer, in flow style for example; otherwise every change must be whole new lines;
- `rewrites`: values are replaced, so that not even the characters of `before` must all be there.

Manifests of Kubernetes among the files are judged by `kubernetes_oracle`.

With HARDEN_REGENERATE=RULE (or RULE/CASE) what is expected there is written anew from what the tool does, and nowhere else.
Read each of those files, then.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import kubernetes_oracle as kubernetes
import pytest
import yaml
from compose_oracle import Files, ask_both, differences, limits, power, write
from conftest import Result
from yaml_oracle import Loader

FIXTURES = Path(__file__).parent.parent / "fixtures"
TOGETHER = "_together"
REGENERATE = os.environ.get("HARDEN_REGENERATE", "")
#: What the fixes of a rule may change in a service; a rule that is not here changes no Compose file.
CHANGES: dict[str, set[tuple[str, ...]]] = {
    "excess-capabilities": {("cap_drop",), ("cap_add",)},
    "privilege-escalation": {("security_opt",)},
    "writable-root-filesystem": {("read_only",), ("tmpfs",)},
    "unlimited-memory": {("mem_limit",), ("deploy", "resources", "limits", "memory")},
    "unlimited-cpu": {("cpus",), ("deploy", "resources", "limits", "cpus")},
    "unlimited-pids": {("pids_limit",), ("deploy", "resources", "limits", "pids")},
    "root-user": {("user",)},
    "unconfined-seccomp": {("security_opt",)},
    "unconfined-apparmor": {("security_opt",)},
    "unmasked-proc": {("security_opt",)},
    "added-capability": {("cap_add",)},
    "privileged-container": {("privileged",), ("cap_add",), ("devices",)},
    "jvm-heap-ignores-limit": {("environment",)},
    "node-heap-ignores-limit": {("environment",)},
}
BASE = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDE = re.compile(r"(docker-)?compose\.override\.ya?ml")
COMPOSE = re.compile(r"(docker-)?compose[^/]*\.ya?ml")


class Case(NamedTuple):
    """One case; `rule` is `_together` where all rules are on."""

    rule: str
    folder: Path

    @property
    def options(self) -> set[str]:
        path = self.folder / "options"
        return set(path.read_text().split()) if path.exists() else set()

    def tree(self, name: str) -> dict[str, bytes]:
        """The files in `before` or `after`, by path within it."""
        top = self.folder / name
        return {path.relative_to(top).as_posix(): path.read_bytes() for path in sorted(top.rglob("*")) if path.is_file()}

    @property
    def before(self) -> dict[str, bytes]:
        return self.tree("before")

    @property
    def after(self) -> dict[str, bytes]:
        return self.tree("after") if (self.folder / "after").is_dir() else self.before

    @property
    def how(self) -> dict[str, Any]:
        return {"unsafe": "safe" not in self.options, "select": () if self.rule == TOGETHER else (self.rule,)}


CASES = [Case(path.parent.parent.name, path.parent) for path in sorted(FIXTURES.glob("*/*/before"))]
every_case = pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.rule}/{case.folder.name}") for case in CASES])
every_case_with_pods = pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=f"{case.rule}/{case.folder.name}")
        for case in CASES
        if any(kubernetes.is_manifest(name, data) for name, data in case.before.items())
    ],
)
Project = Callable[..., Result]


@every_case
def test_it_becomes_what_is_expected(case: Case, project: Project) -> None:
    result = project(case.before, **case.how)
    if REGENERATE and REGENERATE in (case.rule, f"{case.rule}/{case.folder.name}"):
        regenerate(case, result)
    assert result.lines == (case.folder / "findings.txt").read_text().splitlines()
    assert text_of(result.files) == text_of(case.after)


@every_case
def test_a_second_run_changes_nothing(case: Case, project: Project) -> None:
    again = project(case.after, **case.how)
    assert again.files == case.after
    assert again.quiet


@every_case
def test_what_was_written_is_kept(case: Case) -> None:
    for name, before in text_of(case.before).items():
        after = text_of(case.after)[name]
        if "rewrites" not in case.options:
            assert is_subsequence(before, after)
            if "within-lines" not in case.options:
                assert is_subsequence(before.splitlines(), after.splitlines())


def test_no_case_claims_more_freedom_than_it_takes() -> None:
    for case in CASES:
        pairs = [(text, text_of(case.after)[name]) for name, text in text_of(case.before).items()]
        if "rewrites" in case.options:
            assert not all(is_subsequence(before, after) for before, after in pairs), case.folder
        elif "within-lines" in case.options:
            assert not all(is_subsequence(before.splitlines(), after.splitlines()) for before, after in pairs), case.folder


@every_case
def test_nothing_else_is_said(case: Case) -> None:
    """PyYAML, which the tool does not use, finds a difference only where the rule may make one."""
    after = case.after
    for name, data in case.before.items():
        if not is_compose(name):
            continue
        one = load(data)
        if one is None:
            assert after[name] == data, "what no YAML parser can read must stay as it is"
        else:
            other = load(after[name])
            assert other is not None
            assert len(one) == len(other)
            for before_document, after_document in zip(one, other, strict=True):
                assert {path for path in differences(before_document, after_document) if not planned(path, case.rule)} == set()


@every_case_with_pods
def test_nothing_else_is_said_of_pods(case: Case) -> None:
    """PyYAML and json find a difference in a manifest only where the rule may make one; no document comes or goes."""
    rules = None if case.rule == TOGETHER else (case.rule,)
    for name, was, now in manifests(case):
        assert kubernetes.unplanned(was, now, rules) == [], name


@every_case_with_pods
def test_no_container_of_a_pod_may_do_more(case: Case) -> None:
    for name, was, now in manifests(case):
        assert kubernetes.weaker(was, now) == [], name
        assert set(kubernetes.impossible(now)) <= set(kubernetes.impossible(was)), name


@every_case_with_pods
def test_kubernetes_agrees(case: Case) -> None:
    """Its schemas say nothing against an object after that they did not say before."""
    pytest.importorskip("kubernetes_validate", reason="it is not installed: nobody to ask for the schemas of Kubernetes")
    for name, was, now in manifests(case):
        assert kubernetes.refused(was, now) == [], name


@every_case
def test_compose_agrees(case: Case) -> None:
    before, after = case.before, case.after
    for names in command_lines(before):
        was, now = ask_both(before, after, *names)
        assert (now.model is None) == (was.model is None), now.error or was.error
        if was.model is None or now.model is None:
            continue
        unplanned = {
            path for path in differences(was.model, now.model) if not (path[0] == "services" and planned(path, case.rule, 2))
        }
        assert {path for path in unplanned if not path[0].startswith("x-")} == set()
        for name, service in was.model["services"].items():
            assert not power(now.model["services"][name]).more_than(power(service)), name
            assert limits(service).items() <= limits(now.model["services"][name]).items(), name


def crlf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def byte_order_mark(text: str) -> str:
    return "\ufeff" + text.removeprefix("\ufeff")


def no_final_newline(text: str) -> str:
    return text.rstrip("\r\n")


def four_spaces(text: str) -> str:
    return re.sub(r"^ +", lambda match: match[0] * 2, text, flags=re.MULTILINE)


def four_spaces_in_lists(text: str) -> str:
    """Mappings indented by four; an item keeps its two columns behind its dash, and the dash its place below the key or in it."""
    levels, lines = [(0, 0)], []
    for line in text.splitlines(keepends=True):
        indent = len(line) - len(line.lstrip(" "))
        if line.strip():
            while levels[-1][0] > indent:
                levels.pop()
            if levels[-1][0] < indent:
                levels.append((indent, levels[-1][1] + 4))
            line = " " * levels[-1][1] + line[indent:]
            if dash := re.match(r"(?:- +)+(?=\S)", line.lstrip(" ")):
                levels.append((indent + dash.end(), levels[-1][1] + dash.end()))
        lines.append(line)
    return "".join(lines)


@pytest.mark.parametrize("written", [crlf, byte_order_mark, no_final_newline, four_spaces])
@every_case
def test_it_is_the_same_however_it_is_laid_out(case: Case, written: Callable[[str], str], project: Project) -> None:
    before, expected = rewritten(case.before, written), rewritten(case.after, written)
    judged = [name for name, data in case.before.items() if is_compose(name) or kubernetes.is_manifest(name, data)]
    if before == case.before or not all(same_data(case.before[name], before[name]) for name in judged):
        pytest.skip("this way of writing it says something else, or is the case's own")
    result = project(before, **case.how)
    if written is four_spaces:  # in deeper lines a comment may have to stand above
        assert without_comments(result.files) == without_comments(expected)
    else:
        assert text_of(result.files) == text_of(expected)
    assert result.lines == (case.folder / "findings.txt").read_text().splitlines()


# What the tests above are made of.


def regenerate(case: Case, result: Result) -> None:
    (case.folder / "findings.txt").write_text("".join(f"{line}\n" for line in result.lines))
    shutil.rmtree(case.folder / "after", ignore_errors=True)
    if result.files != case.before:
        write(case.folder / "after", result.files)


def text_of(files: Files) -> dict[str, str]:
    """The files as text, so that a failing comparison can be read; line endings and marks as they are."""
    return {name: data.decode("utf-8", "surrogateescape") for name, data in files.items()}


def without_comments(files: Files) -> dict[str, str]:
    return {name: re.sub(r"(?m)^ *#.*\n| +#.*$", "", text) for name, text in text_of(files).items()}


def rewritten(files: Files, written: Callable[[str], str]) -> dict[str, bytes]:
    new = dict(files)
    for name, data in files.items():
        if is_compose(name) or ("Dockerfile" in name and written is not four_spaces):
            new[name] = written(data.decode()).encode()
        elif kubernetes.is_manifest(name, data):
            in_lists = written is four_spaces and not name.endswith(".json")
            new[name] = (four_spaces_in_lists if in_lists else written)(data.decode()).encode()
    return new


def manifests(case: Case) -> Iterator[tuple[str, list[Any], list[Any]]]:
    """The manifests of a case with their documents before and after; what cannot be read must stay as it is."""
    after = case.after
    for name, data in case.before.items():
        if not kubernetes.is_manifest(name, data):
            continue
        was = kubernetes.load(name, data)
        if was is None:
            assert after[name] == data, "what no parser can read must stay as it is"
            continue
        now = kubernetes.load(name, after[name])
        assert now is not None, name
        yield name, was, now


def is_compose(name: str) -> bool:
    return COMPOSE.fullmatch(os.path.basename(name)) is not None


def is_subsequence(part: Any, whole: Any) -> bool:
    rest = iter(whole)
    return all(item in rest for item in part)


def planned(path: tuple[str, ...], rule: str, *starts: int) -> bool:
    """Whether a rule may change what is at a path: in a service, or in what services are merged from."""
    allowed = set(CHANGES.get(rule, ())) if rule != TOGETHER else {keys for rules in CHANGES.values() for keys in rules}
    path = tuple(key for key in path if key != "!override")
    return any(path[at : at + len(keys)] == keys for keys in allowed for at in starts or range(1, len(path)))


def load(data: bytes) -> list[Any] | None:
    """The documents of a text; None when it is not YAML."""
    try:
        return list(yaml.load_all(data.decode("utf-8-sig"), Loader))
    except yaml.YAMLError:
        return None


def same_data(one: bytes, other: bytes) -> bool:
    """Whether two texts say the same; trivially so for what is no YAML."""
    return load(one) == load(other)


def command_lines(files: Files) -> Iterator[tuple[str, ...]]:
    """The ways in which a project's files may be given to Compose."""
    names = [name for name in files if "/" not in name and COMPOSE.fullmatch(name)]
    base = next((name for name in BASE if name in names), None)
    if base:
        yield ()
    for name in names:
        yield (name,)
        if base and name != base and not OVERRIDE.fullmatch(name):
            yield (base, name)
