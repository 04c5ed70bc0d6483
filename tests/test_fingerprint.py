"""Fingerprints: what may move without changing one, and that no two findings share one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from compose_oracle import write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardener.discover import discover
from hardener.finding import Finding, Place
from hardener.fingerprint import fingerprints, relative
from hardener.pipeline import Request, run

FIXTURES = Path(__file__).parent.parent / "fixtures"
#: Services, an override of them, pods with namesakes, stages with and without names.
FILES = {
    "app/compose.yaml": b"""services:
  web:
    image: nginx:1.27
    volumes:
      - /:/host
      - /etc:/host-etc
  db:
    image: postgres:16
    privileged: true
""",
    "app/compose.override.yaml": b"services:\n  web:\n    ports: ['80:80']\n  more:\n    image: redis:7\n",
    "app/Dockerfile": b"""FROM debian AS base
ADD a /a
ADD b /b
ADD a /a
FROM base
CMD ["sh"]
FROM base AS last
ADD c /c
RUN sudo x
""",
    "pods.yaml": b"""apiVersion: v1
kind: Pod
metadata: {name: one}
spec:
  hostPID: true
  containers:
    - {name: a, image: "nginx:1.27"}
    - {name: b, image: "redis:7"}
---
apiVersion: v1
kind: Pod
metadata: {name: one}
spec:
  hostPID: true
  containers:
    - {name: a, image: "nginx:1.27"}
""",
}


def told(folder: Path, root: Path, *paths: str, select: frozenset[str] = frozenset()) -> dict[str, tuple[str, str, str]]:
    """The fingerprints of a run in `folder`, with what they are of."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        found, _ = discover(paths or (".",))
        outcomes = run(Request(tuple(found), select=select)).outcomes
    finally:
        os.chdir(before)
    findings = [outcome.finding for outcome in outcomes]
    names = fingerprints(findings, str(folder), str(root))
    assert len(set(names)) == len(names) == len(findings) > 0, "no two findings share one"
    return {
        name: (finding.rule, relative(finding.place.path, str(folder), str(root)), finding.subject)
        for name, finding in zip(names, findings, strict=True)
    }


def moved(data: bytes, before: dict[int, list[str]]) -> bytes:
    """A file with lines inserted before some of its lines."""
    lines = data.decode().split("\n")
    more = [[*before.get(at, ()), line] for at, line in enumerate(lines)]
    return "\n".join(line for group in more for line in group).encode()


COMMENTS = st.lists(st.sampled_from(["", "# why", "# services:", "  # - x"]), min_size=1, max_size=3)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.fixed_dictionaries({name: st.dictionaries(st.integers(0, 20), COMMENTS, max_size=4) for name in FILES}))
def test_blank_lines_and_comments_change_none(
    tmp_path_factory: pytest.TempPathFactory, lines: dict[str, dict[int, list[str]]]
) -> None:
    folder, other = tmp_path_factory.mktemp("as-it-is"), tmp_path_factory.mktemp("moved")
    write(folder, FILES)
    write(other, {name: moved(data, lines[name]) for name, data in FILES.items()})
    assert told(folder, folder) == told(other, other)


def test_the_working_folder_and_the_way_there_change_none(tmp_path: Path) -> None:
    write(tmp_path / "repo", FILES)
    root = tmp_path / "repo"
    expected = told(root, root)
    os.symlink(root, tmp_path / "link")
    assert told(root / "app", root, "..") == expected
    assert told(tmp_path, root, "repo") == expected
    assert told(tmp_path, root, str(root)) == expected
    assert told(tmp_path / "link", root) == expected
    assert told(tmp_path, root, "link/") == expected
    shutil.move(root, tmp_path / "elsewhere")
    assert told(tmp_path / "elsewhere", tmp_path / "elsewhere") == expected


def test_pods_stages_and_overrides_beside_it_change_none(tmp_path: Path) -> None:
    write(tmp_path / "a", FILES)
    before = told(tmp_path / "a", tmp_path / "a")
    changed = dict(FILES)
    changed["pods.yaml"] = (
        FILES["pods.yaml"].replace(b"name: one", b"name: zero", 1).replace(b"name: a,", b"name: x,", 1) + b"---\n"
    )
    changed["pods.yaml"] += FILES["pods.yaml"]
    changed["app/Dockerfile"] = b"FROM debian AS first\n" + FILES["app/Dockerfile"]
    del changed["app/compose.override.yaml"]
    write(tmp_path / "b", changed)
    after = told(tmp_path / "b", tmp_path / "b")
    # Unnamed stages are told by their number: all else that was there is there still.
    gone = {what for name, what in before.items() if name not in after}
    assert {(file, who) for _, file, who in gone} <= {("app/Dockerfile", "stage 1"), ("app/compose.override.yaml", "more")}
    assert {who for _, _, who in gone} >= {"more"}


def test_a_second_stage_does_not_rename_the_first(tmp_path: Path) -> None:
    write(tmp_path / "a", {"Dockerfile": b"FROM debian\nADD a /a\n"})
    write(tmp_path / "b", {"Dockerfile": b"FROM debian\nADD a /a\nFROM debian AS image\nADD a /a\n"})
    only = frozenset({"add-instead-of-copy"})
    (one,) = told(tmp_path / "a", tmp_path / "a", select=only)
    two = told(tmp_path / "b", tmp_path / "b", select=only)
    assert len(two) == 2
    assert one in two


def test_every_fixture_has_fingerprints_of_its_own(tmp_path: Path) -> None:
    assert len(told(FIXTURES, FIXTURES)) > 1000


NAMES = st.text(st.characters(codec="utf-8"), max_size=4) | st.sampled_from(["a#b", "#0", "a b", "x:0", "'", "\\"])


@given(st.sets(st.tuples(NAMES, NAMES, NAMES), min_size=2, max_size=6))
def test_parts_do_not_run_together(parts: set[tuple[str, str, str]]) -> None:
    findings = [Finding(rule, who, Place("f", 1, 1), "", key=f"f#{who} {what}") for rule, who, what in parts]
    assert len(set(fingerprints(findings, "/", "/"))) == len(parts)


def test_fingerprints_stay_what_they_are() -> None:
    """Baselines and dashboards keep them: a change of one is a change of `VERSION`."""
    finding = Finding("host-pid", "web", Place("compose.yaml", 7, 3), "", key="compose.yaml+compose.override.yaml#web")
    assert fingerprints([finding, finding], "/", "/") == ["cac436d799210808debc9c8bfe8c44de", "886bdd56c805b1c2ee396e52b0f2ecc9"]
