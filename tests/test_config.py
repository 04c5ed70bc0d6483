"""`hardener.toml`: which file holds, what is read from it, and that a mistake in it is named with its line."""

from __future__ import annotations

import os
import subprocess
import time
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hardener.config import Config, find_config, given_config
from hardener.config.keys import KEYS, mebibytes
from hardener.config.model import PullRequests
from hardener.config.positions import DEEPEST, positions
from hardener.config.told import toml
from hardener.errors import Unreadable, UsageError
from hardener.finding import Severity
from hardener.policy import Amounts
from hardener.source import Source

FULL = """\
select = ["root-user", "unlimited-memory"]
ignore = [
  "missing-healthcheck",
]
exclude = ["legacy/**"]
min-severity = "medium"
fail-on = "low"
unsafe-fixes = true
profiles = ["./profiles"]
baseline = "old/baseline.json"

[[silence]]
rules = ["root-user"]
paths = ["tools/**"]
reason = "only on our machines"
until = 2027-01-31

[[silence]]
images = ["registry.example.com/*"]
services = ["*-debug"]
severity = "low"
reason = "to be looked at"

[limits]
memory = "512M"
cpus = 1.5
pids = 200
[limits.class.database]
images = ["postgres", "mariadb:*"]
services = ["*-db"]
memory = "2G"
[limits.image]
"postgres:*".cpus = 2
"postgres:16*".memory = "4G"

[users]
naming = "name"
[socket-proxy]
image = "registry.example.com/proxy:1"
[verify]
probes = ["true", "in db: pg_isready"]
[pr]
enabled = false
per = "file"
draft = true
labels = ["security", "good first issue"]
author = "Ann Example <ann@example.com>"
sign-off = true
branch-prefix = "bot/harden-"
title-prefix = "fix(docker): "
rule-pages = "https://docs.example.com/harden/"
rebase = "conflicts"
per-hour = 1
at-once = 3.0
stop-label = "hands-off"
remarks = true
dashboard = true
"""
#: The same as a value: every field another one than where nothing is said.
PULL_REQUESTS = PullRequests(
    enabled=False,
    per="file",
    draft=True,
    labels=("security", "good first issue"),
    author="Ann Example <ann@example.com>",
    sign_off=True,
    branch_prefix="bot/harden-",
    title_prefix="fix(docker): ",
    rule_pages="https://docs.example.com/harden/",
    rebase="conflicts",
    per_hour=1,
    at_once=3,
    stop_label="hands-off",
    remarks=True,
    dashboard=True,
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / ".git").mkdir(parents=True)
    return folder


def configured(folder: Path, text: str, name: str = "hardener.toml") -> Config:
    (folder / name).write_text(text)
    return find_config(str(folder))


def test_without_a_file_nothing_is_told(tmp_path: Path) -> None:
    assert find_config(str(tmp_path)) == Config()


@pytest.mark.parametrize("shared", [False, True])
def test_all_that_may_be_said_is_read(repository: Path, shared: bool) -> None:
    (repository / "profiles").mkdir()
    text, name, above = FULL, "hardener.toml", 0
    if shared:
        tables = FULL.replace("[[", "[[tool.hardener.").replace("\n[limits", "\n[tool.hardener.limits")
        for table in ("users", "socket-proxy", "verify", "pr"):
            tables = tables.replace(f"\n[{table}]", f"\n[tool.hardener.{table}]")
        text, name, above = f"[project]\nname = 'x'\n[tool.hardener]\n{tables}", "pyproject.toml", 3
    config = configured(repository, text, name)
    policy = config.policy
    assert config.select == {"root-user", "unlimited-memory"}
    assert config.ignore == {"missing-healthcheck"}
    assert config.exclude == ("legacy/**",)
    assert (config.fail_on, config.unsafe_fixes) == ("low", True)
    assert config.probes == ("true", "in db: pg_isready")
    assert config.pull_requests == PULL_REQUESTS
    assert isinstance(config.pull_requests.at_once, int)
    assert config.baseline == str(repository / "old/baseline.json")
    assert policy.profiles == (str(repository / "profiles"),)
    assert policy.folder == str(repository)
    assert (policy.least_severity, policy.named_users) == (Severity.MEDIUM, True)
    assert policy.socket_proxy == "registry.example.com/proxy:1"
    first, second = policy.waivers
    assert (first.rules, first.paths, first.until) == (("root-user",), ("tools/**",), date(2027, 1, 31))
    assert (first.reason, first.severity) == ("only on our machines", None)
    assert (second.images, second.services) == (("registry.example.com/*",), ("*-debug",))
    assert (second.severity, second.until) == (Severity.LOW, None)
    lines = text.splitlines()
    for waiver in policy.waivers:
        path, _, line = waiver.source.rpartition(":")
        assert path.endswith(name)
        assert lines[int(line) - 1].startswith("[[")
    assert policy.waivers[0].source.endswith(f":{12 + above}")
    database = {"images": ("postgres", "mariadb:*"), "services": ("*-db",), "name": "database"}
    assert [amounts._replace(source="") for amounts in policy.limits] == [
        Amounts("", memory=4096, images=("postgres:16*",)),
        Amounts("", cpus=2.0, images=("postgres:*",)),
        Amounts("", memory=2048, **database),
        Amounts("", memory=512),
        Amounts("", cpus=1.5),
        Amounts("", pids=200),
    ]
    said = [lines[int(amounts.source.rpartition(":")[2]) - 1] for amounts in policy.limits]
    first = ['"postgres:16*".memory = "4G"', '"postgres:*".cpus = 2', 'memory = "2G"']
    assert said == [*first, 'memory = "512M"', "cpus = 1.5", "pids = 200"]


def test_the_table_of_pull_requests_says_what_holds_without_it() -> None:
    keys = next(key for key in KEYS if key.name == "pr").keys
    fields = PullRequests()._asdict()
    assert {key.name.replace("-", "_"): key.default for key in keys} == {**fields, "labels": list(fields["labels"])}
    assert [name for name, value in PULL_REQUESTS._asdict().items() if value == fields[name]] == []


@pytest.mark.parametrize("prefix", ["harden/", "h-", "bot/harden-", "a/b/c/d-", "Team_1/x/"])
def test_git_takes_what_may_begin_a_branch(repository: Path, prefix: str) -> None:
    assert configured(repository, f"[pr]\nbranch-prefix = '{prefix}'\n").pull_requests.branch_prefix == prefix
    subprocess.run(["git", "check-ref-format", "--branch", f"{prefix}deploy--shop"], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("branch-prefix", ["", "harden", "/", "-", "-x/", "/x/", "a//b/", "../x/", "x..y/", "x.lock/", "a b/", "a~1/", "x:y/",
                           "@{/", "é/", "a/b/c/d/e/", "x\n/", "x/\n", "x" * 41 + "/"]),
        ("author", ["", "Ann", "ann@example.com", "Ann <ann>", "<ann@example.com>", "Ann <a@b> <c@d>", "A\nB <a@b>", "A <a@b>\n",
                    "A\u202eB <a@b>", "A <a b@c>", "A <a@b> x", " A <a@b>", "A\n\nX: y <a@b>"]),
        ("title-prefix", ["x" * 41, "a\nb", "@everyone ", "a\x1b[1m", "a\u2028b", "fix: \n"]),
        ("rule-pages", ["", "docs.example.com", "http://docs.example.com", "javascript:a", "https://a b", "https://a/)[x](https://b",
                        "https://a/?b", "https://a/../..", "https://u:p@a", "https://a\n"]),
        ("stop-label", ["", " x", "a,b", "x" * 51, "a\nb"]),
        ("labels", [[""], ["a,b"], ["a\nb"], ["\u2066"]]),
        ("per-hour", [0, -1, 101, 1.5, True]),
        ("at-once", [0, 101]),
        ("rebase", ["sometimes"]),
        ("per", ["service", ""]),
    ],
)  # fmt: skip
def test_what_the_bot_could_not_write_is_refused(repository: Path, key: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(Unreadable, match=rf"`pr.{key}(\[1\])?` must be ") as told:
            configured(repository, f"[pr]\n{key} = {toml(value)}\n")
        assert told.value.line == 2


def test_the_nearest_counts_and_none_beyond_the_repository(tmp_path: Path) -> None:
    (tmp_path / "hardener.toml").write_text('[verify]\nprobes = ["outside"]\n')
    repository = tmp_path / "repository"
    (repository / ".git").mkdir(parents=True)
    assert find_config(str(repository)).probes == ()
    (repository / "hardener.toml").write_text('[verify]\nprobes = ["root"]\n')
    below = repository / "app"
    below.mkdir()
    assert find_config(str(below)).probes == ("root",)
    (below / "pyproject.toml").write_text("[project]\nname = 'says nothing'\ndependencies = ['hardener']\n[tool.hardener-x]\n")
    assert find_config(str(below)).probes == ("root",)
    (below / "pyproject.toml").write_text("this is no TOML, and not about us\n")
    assert find_config(str(below)).probes == ("root",)
    (below / "pyproject.toml").write_text("[tool]\nhardener = {verify = {probes = ['inline']}}\n")
    assert find_config(str(below)).probes == ("inline",)
    (below / "hardener.toml").write_text('[verify]\nprobes = ["near"]\n')
    assert find_config(str(below)).probes == ("near",)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[verfy]\n", 1, "`verfy` is not known: did you mean `verify`?"),
        ("[verify]\nprobe = []\n", 2, "`verify.probe` is not known: did you mean `probes`?"),
        ("[verify]\nprobes = 'true'\n", 2, "must be a list, each item a command, not 'true'"),
        ("[verify]\nprobes = ['']\n", 2, "must be a command"),
        ("[verify]\nprobes = [\n  'a',\n  1,\n]\n", 4, "`verify.probes[2]` must be a command, not 1"),
        ("verify = 1\n", 1, "must be a table"),
        ("\n[verify\n", 2, "no TOML"),
        ("a = " + "[" * 100_000, 0, "no TOML: nested too deep"),
        ("pids = " + "1" * 5000, 0, "no TOML"),
        ("# x\nmin_severity = 'low'\n", 2, "did you mean `min-severity`?"),
        ("select = ['root_user']\n", 1, "must be the id of a rule, not 'root_user': did you mean `root-user`?"),
        ("\nignore = [\n  'missing-healthcheck',\n  'nonsense',\n]\n", 4, "there is none that is called like that"),
        ("fail-on = 'hihg'\n", 1, "must be a severity or never, not 'hihg': did you mean `high`?"),
        ("unsafe-fixes = 'yes'\n", 1, "must be true or false"),
        ("[[silence]]\nrules = ['root-user']\n", 1, "`silence[1]` has no `reason`"),
        ("[[silence]]\nreason = 'x'\n", 1, "it would be about everything"),
        ("[[silence]]\nreason = 'x'\nrules = []\n", 1, "it would be about everything"),
        ("[[silence]]\nreason = 'x'\nseverity = 'low'\n[[silence]]\nreason = ' '\nseverity = 'low'\n", 5, "silence[2].reason"),
        ("[[silence]]\nseverity = 'low'\nreason = 'x'\nuntil = 'soon'\n", 4, "a date such as 2027-01-31, not 'soon'"),
        ("[[silence]]\nseverity = 'low'\nreason = 'x'\nuntil = '2027-02-30'\n", 4, "no day of the calendar"),
        ("[[silence]]\nseverity = 'low'\nreason = 'x'\nuntil = 2027-01-31T10:00:00\n", 4, "a date such as"),
        ("[silence]\nreason = 'x'\n", 1, "must be a list of tables: [[silence]]"),
        ("[limits]\nmemory = '512'\n", 2, "an amount of memory such as 512M or 2G, of 6M or more, not '512'"),
        ("[limits]\nmemory = '5M'\n", 2, "of 6M or more"),
        ("[limits]\ncpus = true\n", 2, "must be a number of processors"),
        ("[limits]\ncpus = nan\n", 2, "must be a number of processors"),
        ("[limits]\npids = 0\n", 2, "must be a whole number"),
        ("[limits]\npids = 1.5\n", 2, "must be a whole number"),
        ("[limits.class.db]\nmemory = '1G'\n", 1, "says nothing of images or services"),
        ("[limits.class.'a\\nb']\nservices = ['x']\n", 1, "40 at most"),
        ('[limits]\n[limits.class."a\\nb"]\nservices = ["x"]\n', 2, "40 at most"),
        ("[limits.image.'redis:*']\nmemory = '1G'\nimages = []\n", 3, "is not known"),
        ("[users]\nnaming = 'names'\n", 2, "did you mean `name`?"),
        ("[socket-proxy]\nimage = 'a b'\n", 2, "must be an image"),
        ("profiles = ['none']\n", 1, "names no folder: 'none'"),
    ],
)
def test_a_slip_is_named_with_its_line(text: str, line: int, said: str, repository: Path) -> None:
    with pytest.raises(Unreadable) as caught:
        configured(repository, text)
    assert said in caught.value.reason
    assert caught.value.line == line


def test_a_slip_in_a_shared_file_is_named_with_its_line(repository: Path) -> None:
    text = "[project]\nname = 'x'\n\n[tool.hardener]\nfail-on = 'low'\n\n[tool.hardener.limits]\nmemroy = '1G'\n[tool.other]\n"
    with pytest.raises(Unreadable, match=r"`tool\.hardener\.limits\.memroy` is not known: did you mean `memory`") as caught:
        configured(repository, text, "pyproject.toml")
    assert caught.value.line == 8


def test_what_it_names_lies_in_the_repository(repository: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "own.toml").write_text("names = ['own']\n")
    (repository / "linked").symlink_to(outside)
    (repository / "inside").mkdir()
    for text in ("profiles = ['../outside']", "profiles = ['linked']", f"profiles = ['{outside}']", "baseline = '../b.json'"):
        with pytest.raises(Unreadable, match="leads out of the repository"):
            configured(repository, text)
    assert configured(repository, "profiles = ['inside']").policy.profiles
    (repository / "inside" / "own.toml").symlink_to(outside / "own.toml")
    with pytest.raises(Unreadable, match="no file of the repository"):
        configured(repository, "profiles = ['inside']")
    (repository / "inside" / "own.toml").unlink()
    os.mkfifo(repository / "inside" / "pipe.toml")
    with pytest.raises(Unreadable, match="no file of the repository"):
        configured(repository, "profiles = ['inside']")


def test_a_file_that_the_user_names_may_lie_anywhere_and_name_anything(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    shared = tmp_path / "team.toml"
    shared.write_text("profiles = ['shared']\nbaseline = 'b.json'\nexclude = ['x']\n")
    config = given_config(str(shared))
    assert config.policy.profiles == (str(tmp_path / "shared"),)
    assert config.baseline == str(tmp_path / "b.json")
    with pytest.raises(UsageError, match="no such file"):
        given_config(str(tmp_path / "none.toml"))
    (repository / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    with pytest.raises(UsageError, match="no table"):
        given_config(str(repository / "pyproject.toml"))


def test_a_link_out_of_the_repository_is_no_configuration(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.toml").write_text("password = 'x'\n")
    (repository / "hardener.toml").symlink_to(tmp_path / "secret.toml")
    with pytest.raises(Unreadable, match="link out of the repository") as caught:
        find_config(str(repository))
    assert "password" not in str(caught.value)
    (repository / "hardener.toml").unlink()
    (repository / "real.toml").write_text("fail-on = 'low'\n")
    (repository / "hardener.toml").symlink_to("real.toml")
    assert find_config(str(repository)).fail_on == "low"


@pytest.mark.parametrize(
    ("text", "mib"), [("512M", 512), ("512m", 512), ("512MiB", 512), ("2G", 2048), ("0.5G", 512), ("1.5g", 1536), ("6MB", 6)]
)
def test_amounts_of_memory_are_those_of_compose(text: str, mib: int) -> None:
    assert mebibytes(text) == mib


# The lines of what a text says. `tomllib` says what the paths are; that each line has the value that stands there, only once
# in the text, says that the line is right.

NAMES = st.sampled_from(["a", "b-c", "d", '"e.f"', "'g h'", '"i\\u0041"'])
NOISE = st.sampled_from(["", "# [x] = 1", "  ", "# '''", '# """'])


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A text of TOML with numbers that are there once each."""
    count = 100

    def value(depth: int) -> str:
        nonlocal count
        count += 1
        kind = draw(st.sampled_from(["number", "list", "table", "text"] if depth else ["number"]))
        if kind == "number":
            return str(count)
        if kind == "text":
            return draw(
                st.sampled_from(['"""\n[a]\nb = """', "'''x''''", '"\\""', "'a = 1 # no'", '"""\\""""', "'''\n]\n\"\"\"\n'''"])
            )
        if kind == "list":
            gap = draw(st.sampled_from([" ", "\n  ", "\n # ]\n"]))
            items = [value(depth - 1) for _ in range(draw(st.integers(0, 3)))]
            return f"[{gap}{f',{gap}'.join(items)}{gap}]"
        names = draw(st.lists(NAMES, max_size=2, unique=True))
        return "{" + ", ".join(f"{name} = {value(depth - 1)}" for name in names) + "}"

    lines: list[str] = []
    for _ in range(draw(st.integers(0, 5))):
        path = ".".join(draw(st.lists(NAMES, min_size=1, max_size=3)))
        head = draw(st.sampled_from(["", f"[{path}]", f"[[{path}]]", f"[ {path.replace('.', ' . ')} ]"]))
        lines += [head, draw(NOISE)]
        for name in draw(st.lists(NAMES, max_size=3, unique=True)):
            dotted = draw(st.sampled_from([name, f"{name}.z", f"{name} . 'y'"]))
            lines += [f"{dotted} = {value(2)} {draw(NOISE).strip()}", draw(NOISE)]
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines)


def numbers(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], int]]:
    if isinstance(value, dict):
        return [item for name, inner in value.items() for item in numbers(inner, (*path, name))]
    if isinstance(value, list):
        return [item for at, inner in enumerate(value) for item in numbers(inner, (*path, at))]
    return [(path, value)] if isinstance(value, int) else []


@settings(deadline=None)
@given(documents())
@example("[[b]]\n[[b.a.a]]\na.z = [\n[ 110 ] ]\n")
def test_the_line_of_each_value_is_known(text: str) -> None:
    try:
        told = tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError:
        return
    lines = positions(Source("x.toml", text))
    rows = text.split("\n")
    for path, number in numbers(told):
        if len(path) <= DEEPEST:
            assert str(number) in rows[lines[path] - 1]
        else:  # which is of no use to anybody: the part that it is in
            assert path[:DEEPEST] in lines


@pytest.mark.parametrize(
    "text",
    [
        "[limits]\npids = 0x" + "f" * 8000,
        "select = 0x" + "f" * 8000,
        "select = [[0x" + "f" * 8000 + "]]",
        "select = " + "[" * 480 + "]" * 480,
        "select = " + "[" * 5000 + "]" * 5000,
        "x = " + "{a = " * 5000 + "1" + "}" * 5000,
        ".".join("a" * 300_000) + " = 1",
        "[" + ".".join(["'a'"] * 100_000) + "]",
        '"a" . b.' + " . ".join("a" * 100_000) + " = 1",
        "a" * 1_000_000,
        "x = '" + "a." * 500_000 + "'",
    ],
    ids=lambda text: f"{text[:12]}...{len(text)}",
)
def test_what_no_person_writes_is_refused_soon(text: str, repository: Path) -> None:
    (repository / "hardener.toml").write_text(text)
    begun = time.process_time()
    with pytest.raises(Unreadable):
        find_config(str(repository))
    assert time.process_time() - begun < 5


def test_many_nested_lists_take_little_memory() -> None:
    text = "x = [" + ("[" * 400 + "]" * 400 + ",") * 200 + "]\n"
    assert len(positions(Source("a.toml", text))) < 20_000
