"""What runs proved: kept in `harden.evidence.yaml` and found again, counted in a trial, and stable once it is written."""

from __future__ import annotations

import os
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from compose_oracle import write
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from hardener.discover import discover
from hardener.facts.compose.document import ComposeFile
from hardener.facts.compose.project import ComposeProject
from hardener.facts.tree import Tree
from hardener.finding import Evidence, Strength
from hardener.needs.proven import Proven
from hardener.needs.record_file import dump
from hardener.needs.recorded import FILE, Recorded, circumstances, recorded, stale
from hardener.pipeline import Request, needs, run
from hardener.report import Outcome, Report, Status
from hardener.source import read

EVIDENCE = Evidence("held in a run", "this trial", Strength.OBSERVED)


def make(folder: Path, files: Mapping[str, str]) -> None:
    write(folder, {name: text.encode() for name, text in files.items()})


def judge(folder: Path, **how: Any) -> Report:
    before = os.getcwd()
    os.chdir(folder)
    try:
        found, _ = discover(["."])
        return run(Request(tuple(found), **how))
    finally:
        os.chdir(before)


def take(folder: Path, report: Report) -> None:
    """Write what a run changed."""
    assert not report.troubles
    for change in report.changes:
        (folder / change.before.path).write_bytes(change.after.to_bytes())


def record(folder: Path, proven: Mapping[str, Proven], engine: str = "Docker 28.1") -> str:
    """Write down what was proved, as of the files as they are now."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        location = str(folder / "compose.yaml")
        tree = Tree((str(folder),))
        project = ComposeProject({location: ComposeFile(read(location, "compose.yaml"))}, tree)
        seen = {container.subject: circumstances(container, tree) for container in project.containers}
        text = dump({name: Recorded(seen[name], values, EVIDENCE) for name, values in proven.items()}, engine)
    finally:
        os.chdir(before)
    (folder / FILE).write_text(text)
    return text


def applied(report: Report) -> set[str]:
    return {outcome.finding.rule for outcome in report.outcomes if outcome.status is Status.APPLIED}


def outcomes(report: Report, rule: str) -> list[Outcome]:
    return [outcome for outcome in report.outcomes if outcome.finding.rule == rule]


# The file.

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
_lists = st.lists(_texts, max_size=3)
_numbers = st.integers(0, 2**31)
_owners = st.builds("{}:{}".format, _numbers, _numbers)
_seen = st.fixed_dictionaries(
    {},
    optional={
        "image": _texts,
        "target": _texts,
        "files": st.dictionaries(_names, _texts, max_size=3),
        "user": _texts,
        "entrypoint": _lists,
        "command": _lists,
        "mounts": _lists.map(sorted),
        "environment": _lists.map(sorted),
        "host-network": st.booleans(),
        "digest": _texts,
    },
)
_proven = st.builds(
    Proven,
    user=st.just("") | _owners,
    capabilities=st.none() | st.dictionaries(st.sampled_from(["CHOWN", "KILL", "SETUID"]), st.just("") | _texts),
    read_only=st.none() | st.booleans(),
    tmpfs=st.dictionaries(_names.map("/{}".format), _owners | _owners.map("{},exec".format), max_size=2),
    no_new_privileges=st.none() | st.booleans(),
    memory=st.none() | st.integers(1, 10**9),
    cpus=st.none() | st.integers(1, 10**6).map(lambda thousandths: thousandths / 1000),
    pids=st.none() | st.integers(1, 10**9),
    failed=st.dictionaries(st.text(string.ascii_lowercase + "-", min_size=1, max_size=9), _texts, max_size=2),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(_names, st.tuples(_seen, _proven, _texts), max_size=3))
@example({"<<": ({"command": ["a\nb", "", "- x", "yes", "1_0:3", "\x85", "#"]}, Proven(failed={"on": "a: b # c"}), "~")})
def test_what_is_written_is_found_again(tmp_path: Path, said: dict[str, tuple[dict[str, Any], Proven, str]]) -> None:
    records = {name: Recorded(seen, proven, EVIDENCE, engine) for name, (seen, proven, engine) in said.items()}
    text = dump(records)
    (tmp_path / FILE).write_bytes(text.encode())
    found = recorded(str(tmp_path), Tree((str(tmp_path),)))
    assert {name: (one.seen, one.proven, one.engine) for name, one in found.items()} == said
    assert dump(dict(reversed(records.items()))) == text, "the order in which they come does not matter"
    other = YAML(typ="safe", pure=True).load(text)
    assert other["version"] == 1
    assert {name: one["seen"] for name, one in other["services"].items()} == {name: seen for name, (seen, _, _) in said.items()}
    for name, (_, proven, _) in said.items():
        assert other["services"][name].get("tmpfs", {}) == proven.tmpfs
        assert other["services"][name].get("failed", {}) == proven.failed


def test_how_it_is_written() -> None:
    seen = {"image": "redis:7", "user": "5:6", "command": ["a", "b c"], "environment": [], "host-network": True}
    proven = Proven("5:6", {"KILL": "", "CHOWN": "hands over /data"}, True, {"/tmp": "5:6,exec"}, True, 64, 0.25, 32, {"x": "y"})
    text = dump(
        {"b": Recorded({}, Proven(capabilities={"KILL": "", "CHOWN": ""}), EVIDENCE), "a": Recorded(seen, proven, EVIDENCE)},
        "E 1",
    )
    head, _, body = text.partition("\n")
    assert head.startswith("# ")
    assert body == (
        'version: 1\nservices:\n  a:\n    seen:\n      image: redis:7\n      user: "5:6"\n      command:\n        - a\n'
        '        - b c\n      environment: []\n      host-network: true\n    engine: E 1\n    user: "5:6"\n    capabilities:\n'
        '      CHOWN: hands over /data\n      KILL: ""\n    read-only: true\n    tmpfs:\n      /tmp: 5:6,exec\n'
        '    no-new-privileges: true\n    memory: 64\n    cpus: "0.25"\n    pids: 32\n    failed:\n      x: "y"\n'
        "  b:\n    seen: {}\n    engine: E 1\n    capabilities:\n      - CHOWN\n      - KILL\n"
    )


COMPOSE = """services:
  web:
    image: example/app:1
    environment:
      MODE: fast
"""
RECORD = """version: 1
services:
  web:
    seen:
      image: example/app:1
      environment: [MODE]
      digest: sha256:0
    user: "5:6"
    capabilities: {CHOWN: hands over /data, KILL: ""}
    read-only: true
    tmpfs: {/tmp: "5:6,exec"}
    cpus: "0.25"
    failed: {unlimited-memory: killed at 64 MiB, not-a-rule: yes}
"""


def test_the_facts_of_the_file_are_used(tmp_path: Path) -> None:
    make(tmp_path, {"compose.yaml": COMPOSE, FILE: RECORD})
    report = judge(tmp_path)
    assert not report.troubles
    assert not report.notes
    assert applied(report) == {"root-user", "excess-capabilities", "writable-root-filesystem", "unlimited-cpu"}
    (change,) = report.changes
    for line in (
        'user: "5:6"',
        "- CHOWN  # hands over /data\n",
        "- KILL  # seen to be needed in a run\n",
        "- /tmp:exec,uid=5,gid=6\n",
        'cpus: "0.25"',
    ):
        assert line in change.after.text
    (root,) = outcomes(report, "root-user")
    assert root.finding.fix is not None
    assert [item.strength for item in root.finding.fix.evidence] == [Strength.OBSERVED]
    assert "5:6" in root.finding.message


@pytest.mark.parametrize("unsafe", [False, True])
def test_what_failed_is_refused_with_what_was_seen(unsafe: bool, tmp_path: Path) -> None:
    make(tmp_path, {"compose.yaml": COMPOSE, FILE: RECORD})
    report = judge(tmp_path, unsafe=unsafe)
    (memory,) = outcomes(report, "unlimited-memory")
    assert (memory.status, memory.why) == (Status.REFUSED, "it failed in a run: killed at 64 MiB")
    assert "memory" not in report.changes[0].after.text
    assert ("unlimited-pids" in applied(report)) is unsafe


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("      MODE: fast\n", "      MODE: slow\n", ""),
        ("      MODE: fast\n", "      MODE: fast\n      MORE: x\n", "environment"),
        ("    environment:\n      MODE: fast\n", "", "environment"),
        ("    environment:\n      MODE: fast\n", "    env_file: gone.env\n", ""),
        ("    environment:\n", "    network_mode: host\n    environment:\n", "host-network"),
        ("    image: example/app:1\n", '    image: example/app:1\n    user: "5:6"\n', ""),
        ("    image: example/app:1\n", '    image: example/app:1\n    user: "6:6"\n', "user"),
    ],
)
def test_what_makes_it_stale(old: str, new: str, what: str, tmp_path: Path) -> None:
    assert old in COMPOSE
    make(tmp_path, {"compose.yaml": COMPOSE.replace(old, new), FILE: RECORD})
    report = judge(tmp_path)
    assert [note.reason.rpartition(": ")[2] for note in report.notes] == ([f"`{what}` has changed"] if what else [])
    assert ("excess-capabilities" in applied(report)) == (not what)


def test_a_record_without_the_newer_circumstances_is_read(tmp_path: Path) -> None:
    make(tmp_path, {"compose.yaml": COMPOSE, FILE: RECORD.replace("      environment: [MODE]\n      digest: sha256:0\n", "")})
    report = judge(tmp_path)
    assert not report.notes
    assert "excess-capabilities" in applied(report)


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('user: "5:6"', "user: app", 8, 'user is written as "uid:gid"'),
        ('user: "5:6"', 'user: "5"', 8, 'user is written as "uid:gid"'),
        ('user: "5:6"', "user: [5, 6]", 8, "user is a text"),
        ("CHOWN: hands over /data", "FLY: x", 9, "FLY is no capability"),
        ("CHOWN: hands over /data", "CHOWN: [x]", 9, "capabilities is a mapping of texts"),
        ('"5:6,exec"', '"5:6,suid"', 11, "the owner of a tmpfs"),
        ('cpus: "0.25"', "cpus: much", 12, "cpus is a number above 0"),
        ('cpus: "0.25"', "cpus: 0.0", 12, "cpus is a number above 0"),
        ('cpus: "0.25"', "cpus: 1.2.3", 12, "cpus is a number above 0"),
        ('cpus: "0.25"', "cpus: [1]", 12, "cpus is a number above 0"),
        ("{unlimited-memory: killed at 64 MiB, not-a-rule: yes}", "[unlimited-memory]", 13, "failed is a mapping of texts"),
        ("environment: [MODE]", "environment: {MODE: x}", 6, "environment is a list of texts"),
        ("environment: [MODE]", "host-network: perhaps", 6, "host-network is true or false"),
        ("digest: sha256:0", "digest: []", 7, "digest is a text"),
    ],
)
def test_a_slip_is_named_with_its_line(old: str, new: str, line: int, says: str, tmp_path: Path) -> None:
    assert old in RECORD
    make(tmp_path, {"compose.yaml": COMPOSE, FILE: RECORD.replace(old, new, 1)})
    (trouble,) = judge(tmp_path).troubles
    assert (trouble.path, trouble.line) == (FILE, line)
    assert says in trouble.reason


# A trial that is going on.


def test_a_trial_counts_before_the_file_and_is_never_stale(tmp_path: Path) -> None:
    make(tmp_path, {"compose.yaml": COMPOSE, FILE: RECORD.replace("example/app:1", "example/app:2")})
    report = judge(tmp_path, proven={"web": Proven(capabilities={"SETUID": ""}, pids=77)}, engine="Docker 28.1, rootless")
    assert not report.notes
    assert applied(report) == {"excess-capabilities", "unlimited-pids"}
    text = report.changes[0].after.text
    assert "SETUID" in text
    assert "77" in text
    assert "CHOWN" not in text
    for outcome in outcomes(report, "unlimited-pids"):
        assert outcome.finding.fix is not None
        assert outcome.finding.fix.evidence == (
            Evidence("held in a run on Docker 28.1, rootless", "this trial", Strength.OBSERVED),
        )


def test_a_trial_counts_without_the_files_of_others(tmp_path: Path) -> None:
    make(tmp_path, {"compose.yaml": COMPOSE, FILE: RECORD})
    assert applied(judge(tmp_path, proven={"web": Proven(pids=77)}, evidence=False)) == {"unlimited-pids"}


@pytest.mark.parametrize("unsafe", [False, True])
def test_what_is_withheld_is_refused_with_its_reason(unsafe: bool, tmp_path: Path) -> None:
    make(tmp_path, {"compose.yaml": COMPOSE, FILE: RECORD})
    (root,) = outcomes(judge(tmp_path), "root-user")
    report = judge(tmp_path, unsafe=unsafe, withheld={root.finding.identity: "not tried yet"})
    (root,) = outcomes(report, "root-user")
    assert (root.status, root.why, root.finding.fix) == (Status.REFUSED, "not tried yet", None)
    assert "user:" not in report.changes[0].after.text


def test_text_that_serves_two_services_is_not_written_where_one_failed(tmp_path: Path) -> None:
    compose = "x-base: &base\n  image: example/app:1\n  {}\nservices:\n  one:\n    <<: *base\n  two:\n    <<: *base\n"
    make(tmp_path, {"compose.yaml": compose.replace("{}", "init: false")})
    proven = {"one": Proven(read_only=True), "two": Proven(failed={"writable-root-filesystem": "no"})}
    text = judge(tmp_path, proven=proven).changes[0].after.text
    assert text.count("read_only") == 1
    assert "  two:\n    <<: *base\n" in text + "\n"


def test_a_privileged_service_keeps_its_limits_and_what_failed(tmp_path: Path) -> None:
    make(tmp_path, {"compose.yaml": COMPOSE + "    privileged: true\n"})
    proven = {"web": Proven(capabilities={}, no_new_privileges=True, memory=99, failed={"unlimited-pids": "no"})}
    report = judge(tmp_path, proven=proven, unsafe=True)
    text = report.changes[0].after.text
    assert "99M" in text
    assert "pids" not in text
    assert "cap_drop" not in text


def test_what_somebody_set_to_root_is_changed_where_that_was_proved(tmp_path: Path) -> None:
    make(tmp_path, {"compose.yaml": COMPOSE + "    user: root\n"})
    (change,) = judge(tmp_path, proven={"web": Proven("5:6")}).changes
    assert 'user: "5:6"' in change.after.text


@pytest.mark.parametrize("user", ["", "0:0"])
def test_nobody_else_is_root_still(user: str, tmp_path: Path) -> None:
    make(tmp_path, {"compose.yaml": COMPOSE})
    assert not judge(tmp_path, proven={"web": Proven(user)}).changes


@pytest.mark.parametrize(("last", "changes"), [("", True), ("USER root\n", True), ("USER app\n", False), ("USER 7\n", False)])
def test_a_service_that_is_built_gets_its_user_where_it_starts_as_root(last: str, changes: bool, tmp_path: Path) -> None:
    dockerfile = f'FROM debian:12\nRUN useradd -u 7 app\n{last}CMD ["/bin/sleep", "9"]\n'
    make(tmp_path, {"compose.yaml": "services:\n  web:\n    build: .\n", "Dockerfile": dockerfile})
    report = judge(tmp_path, proven={"web": Proven("5:6")}, select=frozenset(["root-user"]), unsafe=True)
    changed = {change.before.path: change.after.text for change in report.changes}
    assert changed.keys() == ({"compose.yaml"} if changes else set()), "the image's own user does not matter then"
    assert all('user: "5:6"' in text for text in changed.values())


def test_what_else_is_needed_is_judged_for_that_user(tmp_path: Path) -> None:
    make(tmp_path, {"compose.yaml": "services:\n  db:\n    image: redis:7\n"})
    (change,) = judge(tmp_path, proven={"db": Proven("999:1000")}, unsafe=True).changes
    assert "cap_drop" in change.after.text
    assert "cap_add" not in change.after.text, "as root it needs some, to step down"


def test_a_user_of_the_service_may_work_where_user_in_the_dockerfile_failed(tmp_path: Path) -> None:
    make(tmp_path, {**BUILT, ".git/HEAD": ""})
    proven = {"web": Proven("5:6", failed={"root-user": "it binds port 80"})}
    (change,) = judge(tmp_path, proven=proven, unsafe=True, select=frozenset(["root-user"])).changes
    assert change.before.path == "compose.yaml"
    assert 'user: "5:6"' in change.after.text


def test_data_on_the_host_changes_hands(tmp_path: Path) -> None:
    compose = "services:\n  db:\n    image: redis:7\n    volumes:\n      - ./data:/data\n"
    make(tmp_path, {"compose.yaml": compose})
    (root,) = outcomes(judge(tmp_path, proven={"db": Proven("999:1000")}), "root-user")
    assert root.status is Status.APPLIED
    assert root.finding.fix is not None
    assert "chown -R 999:1000 ./data" in root.finding.fix.migration


def test_it_is_told(tmp_path: Path) -> None:
    make(tmp_path, {"compose.yaml": COMPOSE, FILE: RECORD})
    before = os.getcwd()
    os.chdir(tmp_path)
    try:
        ((judged),), _ = needs(Request(tuple(discover(["."])[0])))
    finally:
        os.chdir(before)
    assert judged.needs.worked_as[:2] == (5, 6)
    assert judged.needs.failed["not-a-rule"] == "yes"


# What serves several containers.

TWO = "services:\n  a:\n    build: {context: ., target: %s}\n  b:\n    build: {context: ., target: %s}\n"
STAGES = """FROM node:22 AS made
ADD x /x
FROM debian:12 AS base
ADD y /y
FROM base AS first
COPY --from=made /x /x
CMD ["/bin/sleep", "1"]
FROM base AS second
CMD ["/bin/sleep", "2"]
FROM debian:12 AS third
RUN --mount=type=bind,from=0,target=/m true
CMD ["/bin/sleep", "3"]
"""


@pytest.mark.parametrize(
    ("targets", "left"),
    [
        (("first", "second"), {"x", "y"}),
        (("second", "first"), {"y"}),
        (("third", "second"), {"x"}),
        (('"4"', "second"), {"x"}),
    ],
)
def test_what_one_container_failed_with_is_not_done_to_any_stage_that_it_is_made_of(
    targets: tuple[str, str], left: set[str], tmp_path: Path
) -> None:
    make(tmp_path, {"compose.yaml": TWO % targets, "Dockerfile": STAGES, "x": "", "y": ""})
    proven = {"a": Proven(failed={"add-instead-of-copy": "it is not there"})}
    report = judge(tmp_path, proven=proven, unsafe=True, select=frozenset(["add-instead-of-copy"]))
    text = report.changes[0].after.text if report.changes else STAGES
    assert {name for name in ("x", "y") if f"ADD {name}" in text} == left
    for outcome in outcomes(report, "add-instead-of-copy"):
        assert (outcome.status is Status.REFUSED) is (outcome.why == "it failed in a run: it is not there")


# Written, and then the same for ever.

PULLED = """services:
  web:
    image: example/app:1
    command: [serve]
    environment:
      MODE: fast
    volumes:
      - data:/data
volumes:
  data:
"""
ALL_PROVEN = Proven(
    user="5:6",
    capabilities={"CHOWN": "hands over /data", "KILL": ""},
    read_only=True,
    tmpfs={"/tmp": "5:6", "/run": "0:0,exec"},
    no_new_privileges=True,
    memory=96,
    cpus=1.5,
    pids=50,
)
DOCKERFILE = 'FROM python:3.13\nWORKDIR /app\nCOPY . .\nCMD ["python", "main.py"]\n'
BUILT = {
    "compose.yaml": "services:\n  web:\n    build: .\n    environment: [MODE=fast]\n",
    "Dockerfile": DOCKERFILE,
    "main.py": "print(1)\n",
}
#: What the values answer; the rest may still be held back.
ANSWERED = {
    "root-user",
    "excess-capabilities",
    "writable-root-filesystem",
    "privilege-escalation",
    "unlimited-memory",
    "unlimited-cpu",
    "unlimited-pids",
}
CASES: dict[str, tuple[dict[str, str], dict[str, Proven]]] = {
    "pulled": ({"compose.yaml": PULLED}, {"web": ALL_PROVEN}),
    "pulled, by profile": (
        {"compose.yaml": PULLED.replace("example/app:1", "redis:7").replace("    command: [serve]\n", "")},
        {"web": ALL_PROVEN},
    ),
    "pulled, in part": ({"compose.yaml": PULLED}, {"web": Proven(read_only=True, cpus=0.25, failed={"unlimited-pids": "no"})}),
    "built": (BUILT, {"web": ALL_PROVEN._replace(user="")}),
    "built, as a user of the service": (BUILT, {"web": ALL_PROVEN}),
    "built, where USER failed": (BUILT, {"web": ALL_PROVEN._replace(user="", failed={"root-user": "it binds port 80"})}),
    "built, where USER failed and a user of the service did not": (
        BUILT,
        {"web": ALL_PROVEN._replace(failed={"root-user": "it binds port 80"})},
    ),
    "built by two": (
        {**BUILT, "compose.yaml": "services:\n  a:\n    build: .\n  b:\n    build: .\n    command: [python, other.py]\n"},
        {"a": Proven(failed={"root-user": "Permission denied"}), "b": Proven("7:8", {}, True)},
    ),
    "built in the file itself": (
        {"compose.yaml": "services:\n  web:\n    build:\n      dockerfile_inline: |\n        FROM python:3.13\n"},
        {"web": ALL_PROVEN},
    ),
    "nothing but failures": (
        {"compose.yaml": PULLED},
        {"web": Proven(failed=dict.fromkeys(sorted(ANSWERED - {"root-user"}), "no"))},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_once_it_is_written_nothing_more_changes(case: str, tmp_path: Path) -> None:
    files, proven = CASES[case]
    make(tmp_path, {**files, ".git/HEAD": ""})
    first = judge(tmp_path, proven=proven, unsafe=True, engine="Docker 28.1")
    take(tmp_path, first)
    text = record(tmp_path, proven)
    again = judge(tmp_path, proven=proven, unsafe=True)
    assert not again.changes, "the trial's own second look"
    refused = {(o.finding.rule, o.finding.subject, o.why) for o in first.outcomes if o.status is Status.REFUSED}
    for unsafe in (False, True):
        report = judge(tmp_path, unsafe=unsafe)
        assert not report.troubles
        assert not [note for note in report.notes if "stale" in note.reason]
        assert not report.changes
        assert {(o.finding.rule, o.finding.subject, o.why) for o in report.outcomes if o.status is Status.REFUSED} == refused
    assert record(tmp_path, proven) == text


def test_what_is_written_of_a_pulled_image(tmp_path: Path) -> None:
    make(tmp_path, {"compose.yaml": PULLED})
    report = judge(tmp_path, proven={"web": ALL_PROVEN})
    assert applied(report) == ANSWERED, "without --unsafe-fixes: all of it was seen"
    take(tmp_path, report)
    text = record(tmp_path, {"web": ALL_PROVEN})
    assert 'user: "5:6"\n      command' in text
    assert not judge(tmp_path).changes


def test_a_failure_keeps_a_dockerfile_without_user(tmp_path: Path) -> None:
    make(tmp_path, {**BUILT, ".git/HEAD": ""})
    assert "USER" in {c.before.path: c.after.text for c in judge(tmp_path, unsafe=True).changes}["Dockerfile"]
    record(tmp_path, {"web": Proven(failed={"root-user": "it binds port 80"})})
    report = judge(tmp_path, unsafe=True, select=frozenset(["root-user"]))
    assert not report.changes
    (root,) = [outcome for outcome in outcomes(report, "root-user") if outcome.finding.place.path == "Dockerfile"]
    assert (root.status, root.why) == (Status.REFUSED, "it failed in a run: it binds port 80")


def test_a_built_image_is_known_by_its_dockerfile_and_what_it_starts(tmp_path: Path) -> None:
    dockerfile = 'FROM debian:12\nWORKDIR /app\nCOPY run.sh more.sh ./\nENTRYPOINT ["./run.sh"]\nCMD ["serve"]\n'
    files = {"compose.yaml": "services:\n  web:\n    build: image\n", "image/Dockerfile": dockerfile, ".git/HEAD": ""}
    make(tmp_path, {**files, "image/run.sh": "exec serve\n", "image/more.sh": "x\n"})
    text = record(tmp_path, {"web": Proven(pids=9)})
    assert "image/Dockerfile: sha256:" in text
    assert "image/run.sh: sha256:" in text
    assert "more.sh" not in text
    assert "unlimited-pids" in applied(judge(tmp_path))
    (tmp_path / "image/run.sh").write_text("exec other\n")
    assert any("image/run.sh has changed" in note.reason for note in judge(tmp_path).notes)


@pytest.mark.parametrize(
    ("compose", "why"),
    [
        ("services:\n  web:\n    build: {context: ., dockerfile: Other}\n", "it is built from Other now"),
        ("services:\n  web:\n    build: {context: ., target: one}\n", "`target` has changed"),
        ("services:\n  web:\n    build: {dockerfile_inline: 'FROM debian:12'}\n", "it is built from dockerfile_inline now"),
    ],
)
def test_another_build_is_another_image(compose: str, why: str, tmp_path: Path) -> None:
    dockerfile = "FROM debian:12 AS one\nCMD sleep 1\n"
    make(tmp_path, {"compose.yaml": "services:\n  web:\n    build: .\n", "Dockerfile": dockerfile, "Other": dockerfile})
    record(tmp_path, {"web": Proven(pids=9)})
    (tmp_path / "compose.yaml").write_text(compose)
    assert any(why in note.reason for note in judge(tmp_path).notes)


def test_circumstances_are_what_stale_looks_at(tmp_path: Path) -> None:
    make(tmp_path, {"compose.yaml": PULLED + "networks: {}\n"})
    location = str(tmp_path / "compose.yaml")
    tree = Tree((str(tmp_path),))
    (container,) = ComposeProject({location: ComposeFile(read(location, "compose.yaml"))}, tree).containers
    seen = circumstances(container, tree)
    assert seen == {"image": "example/app:1", "command": ["serve"], "mounts": ["/data"], "environment": ["MODE"]}
    assert not stale(Recorded(seen, Proven(), EVIDENCE), container, tree)
    for what in seen:
        assert stale(Recorded({**seen, what: ["other"] if what != "image" else "other"}, Proven(), EVIDENCE), container, tree)
