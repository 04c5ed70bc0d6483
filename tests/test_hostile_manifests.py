"""Manifests, charts and kustomizations of somebody who means harm: each ends soon, in a finding or in a clear word."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from pods import containers, group

from hardener.cli.target_level import judge
from hardener.discover import discover
from hardener.facts.kubernetes.chart import read_charts
from hardener.facts.kubernetes.environment import expand
from hardener.facts.kubernetes.kustomization import Build, Target, changed_by
from hardener.facts.kubernetes.pod import MOST_CONTAINERS
from hardener.facts.kubernetes.quantities import parse_quantity
from hardener.facts.tree import Tree
from hardener.needs.built_here import built_here
from hardener.overlay.run import run as lay_over
from hardener.pipeline import Request, run
from hardener.pod_security import RESTRICTED
from hardener.report import Report, Status
from hardener.writing import write

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - {name: web, image: 'redis:7'}\n"
HEAD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n"
STEERING = """\
  - name: web
    image: nginx
    command: [/bin/sh, -c, "while true; do echo $(date) >> /data/out; sleep 1; done"]
    volumeMounts: [{name: "\\e[31mred", mountPath: /data}]
"""
KUSTOMIZATION = "resources: [web.yaml]\n"
#: Far more than any of these takes, and far less than they took.
SECONDS = 20
Plant = Callable[[Mapping[str, str]], Path]


@pytest.fixture(autouse=True)
def soon() -> Iterator[None]:
    start = time.process_time()
    yield
    assert time.process_time() - start < SECONDS


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plant:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()

    def planted(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return planted


def overlay() -> Report:
    found, troubles = discover(["."])
    assert not troubles
    return lay_over(Request(tuple(found), unsafe=True), ["."])


def nested(inside: str) -> str:
    return "[" * 150 + inside + "]" * 150


def laughs() -> str:
    lines = ["x0: &a0 [a, a, a, a, a, a, a, a, a, a]"]
    lines += [f"x{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    return "\n".join(lines) + "\n" + POD + "  x: *a11\n"


def deep() -> str:
    lines = [f"x0: &a0 {nested('1')}", *(f"x{n}: &a{n} {nested(f'*a{n - 1}')}" for n in range(1, 30))]
    return "\n".join(lines) + "\n" + POD + "  x: *a29\n"


@pytest.mark.parametrize("text", [laughs(), deep()], ids=["wide", "deep"])
def test_aliases_that_stand_for_more_than_there_is_room(text: str, plant: Plant) -> None:
    plant({"web.yaml": text, "kustomization.yaml": KUSTOMIZATION})
    found, _ = discover(["."])
    assert run(Request(tuple(found))).changes  # a fix in the file repeats none of it
    rows, troubles, _ = judge(found[-1:], RESTRICTED)
    assert rows[0].violations
    assert not troubles
    laid = overlay()
    assert not laid.changes
    assert "its aliases stand for more" in "".join(outcome.why for outcome in laid.outcomes)


@pytest.mark.parametrize("number", ["9" * 5000, "0x" + "f" * 9000, "1" + "_" * 5000])
def test_numbers_without_end_are_of_no_type(number: str, plant: Plant) -> None:
    plant({"web.yaml": POD + f"  hostUsers: {number}\n"})
    rows, _, _ = judge(discover(["."])[0], RESTRICTED)
    assert ("spec.hostUsers", "Not accepted") in {(one.path, one.control) for one in rows[0].violations}


def test_users_without_end(plant: Plant) -> None:
    plant({"web.yaml": POD + f"  securityContext: {{runAsUser: {'9' * 5000}}}\n"})
    assert run(Request(tuple(discover(["."])[0]), unsafe=True)).outcomes


def test_names_that_steer_terminals_do_not_get_in_the_way_of_fixes(plant: Plant) -> None:
    """The name of a volume stands in the reason of a capability."""
    plant({"web.yaml": HEAD + STEERING})
    report = run(Request(tuple(discover(["."])[0]), unsafe=True))
    assert Status.FAILED not in {outcome.status for outcome in report.outcomes}


def test_what_one_fix_reveals_is_not_blamed_on_the_next(plant: Plant) -> None:
    """A container that cannot be edited has each fix made for itself; taking ALL away reveals what else is left to do."""
    other = "  - name: all\n    image: memcached:1.6\n    securityContext: {capabilities: {add: [ALL]}}\n"
    plant({"web.yaml": POD.replace("'redis:7'", "'memcached:1.6', securityContext: /") + other})
    report = run(Request(tuple(discover(["."])[0])))
    assert Status.FAILED not in {outcome.status for outcome in report.outcomes}


def test_amounts_beyond_all_numbers_are_none() -> None:
    assert parse_quantity("1e999") is None
    assert parse_quantity("1e99") == pytest.approx(1e99)


def test_variables_that_double_are_not_known() -> None:
    values: dict[str, str | None] = {"A0": "a"}
    for number in range(1, 60):
        values[f"A{number}"] = expand(f"$(A{number - 1})$(A{number - 1})", values)
    assert values["A10"] == "a" * 1024
    assert values["A59"] is None


def test_a_pod_with_more_containers_than_any_node_starts() -> None:
    text = POD + "".join(f"  - {{name: web{n}, image: 'redis:7'}}\n" for n in range(MOST_CONTAINERS - 1))
    assert len(containers(text)) == MOST_CONTAINERS
    more = group(text + "  - {name: last, image: 'redis:7'}\n" * 5000)
    assert more.containers == ()
    assert "more than 64 containers" in more.notes[0].reason


def test_many_changes_of_one_file_take_time_in_proportion(plant: Plant) -> None:
    plant({"web.yaml": "---\n".join(POD.replace("name: web", f"name: web{n}") for n in range(1000))})
    assert run(Request(tuple(discover(["."])[0]))).changes


@pytest.mark.parametrize("pattern", ["^(a+)+$", "(a|a)*x", "(.*)*", ".*.*.*.*.*x", "[", "a{2,}{2,}", "a" * 5000])
def test_patterns_of_somebody_are_not_let_loose(pattern: str) -> None:
    (thing,) = (pod.node.owner for pod in group(POD.replace("name: web}", f"name: {'a' * 200}}}"))._pods)
    build = Build("k", (), frozenset(), (Target("Pod", pattern, "there"),), (), ())
    assert changed_by(build, thing) == "there"


def test_plain_patterns_still_tell_workloads_apart() -> None:
    (thing,) = (pod.node.owner for pod in group(POD)._pods)
    for pattern, means in (("web", True), ("^web$", True), ("w.*", True), ("", True), ("db|api", False), ("^we$", False)):
        build = Build("k", (), frozenset(), (Target("^Pod$", pattern, "there"),), (), ())
        assert bool(changed_by(build, thing)) is means is bool(re.search(pattern, "web"))


def test_an_object_without_a_version_gets_no_patch(plant: Plant) -> None:
    plant({"web.yaml": POD.replace("apiVersion: v1\n", ""), "kustomization.yaml": KUSTOMIZATION})
    assert "no `apiVersion`" in "".join(outcome.why for outcome in overlay().outcomes)


@pytest.mark.parametrize("inside", [True, False])
def test_a_link_is_never_taken_for_an_overlay(inside: bool, plant: Plant) -> None:
    """A repository may hold one that leads to a file elsewhere, which begins as ours do."""
    top = plant({"web.yaml": POD, "kustomization.yaml": KUSTOMIZATION})
    victim = (top if inside else top.parent) / "victim.txt"
    victim.write_text("# Written by `harden --overlay`: of another project\n")
    (top / "harden-patch.yaml").symlink_to(victim)
    report = overlay()
    assert any("a link" in trouble.reason for trouble in report.troubles)
    write(report)
    assert victim.read_text().endswith("another project\n")
    assert os.path.islink(top / "harden-patch.yaml")


@pytest.mark.parametrize(
    "line",
    [
        "${{" * 60_000,
        "$(" * 60_000,
        "docker " + " " * 200_000,
        "cd " + "a" * 200_000,
        "-t acme/x:1 " * 18_000,
        ";cd a" * 40_000,
    ],
    ids=["expressions", "commands", "blanks", "folder", "tags", "folders"],
)
def test_lines_that_seem_to_build(line: str, plant: Plant) -> None:
    top = plant({"build.sh": f"docker build {line} -t acme/web .\n", "Dockerfile": "FROM a\n"})
    built_here("acme/web", Tree((str(top),)), str(top))


@pytest.mark.parametrize(
    "template",
    [
        "{{ $x := .Values }}" + "{{ $x = merge $x.a $x.b }}" * 40 + HEAD + "  - name: a\n    image: {{ $x }}\n",
        "{{ $x := .Values }}" + "{{ $x = $x.a }}{{ $x }}" * 10_000 + HEAD,
        HEAD + f"  - name: a\n    image: {{{{ merge {' '.join(f'.a{n}' for n in range(50_000))} }}}}\n",
        HEAD + "  - name: a\n    image: b\n" * 20_000,
        HEAD + f'  - name: a\n    image: {{{{ nindent {"9" * 5000} "x" }}}}\n    x: {{{{ "y" | nindent ² }}}}\n',
        "{{ a " * 100_000,
        "{{ " + "(" * 50_000 + " }}",
        "{{ if a }}" * 50_000,
        '{{ define "a" }}{{ include "a" . }}{{ include "a" . }}x{{ end }}{{ include "a" . }}' + HEAD,
    ],
    ids=["doubled", "deepened", "merged", "containers", "indents", "open", "brackets", "blocks", "includes"],
)
def test_templates_that_write_without_end(template: str, plant: Plant) -> None:
    top = plant({"Chart.yaml": "name: c\nversion: 1.0.0\n", "values.yaml": "a: b\n", "templates/a.yaml": template})
    (chart,) = read_charts(str(top), "c", Tree((str(top),)))
    assert all(len(one.containers) <= MOST_CONTAINERS for one in chart.workloads)
