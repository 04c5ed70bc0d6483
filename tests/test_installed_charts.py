"""What has a chart of Helm installed is said not to be judged, once for all of it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from hardener.discover import discover
from hardener.facts.kubernetes.installed_charts import installs_chart
from hardener.pipeline import Request, run

RELEASE = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: web\nspec:\n  values:\n    replicas: 1\n"
APPLICATION = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec:\n  source:\n    "


@pytest.mark.parametrize(
    ("text", "installs"),
    [
        (RELEASE, True),
        ("# a comment\r\n---\r\n" + RELEASE.replace("\n", "\r\n"), True),
        ("kind: ConfigMap\n---\n" + RELEASE, True),
        (APPLICATION + "chart: redis\n", True),
        (APPLICATION + "path: apps/web\n", False),
        ("apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata: {name: a}\n", True),
        ("apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmChart\nmetadata: {name: a}\n", False),
        ("kind: Alert\nspec:\n  eventSources:\n    - kind: HelmRelease\n", False),
        ("apiVersion: helm.toolkit.fluxcd.io/v2\nkind: Other\n---\nkind: HelmRelease\n", False),
    ],
)
def test_which_install_one(text: str, installs: bool) -> None:
    assert installs_chart(text) is installs


@pytest.mark.parametrize(("files", "who"), [(1, "it has"), (2, "it has, as others have,"), (9, "it has, as others have,")])
def test_all_of_them_are_one_note(files: int, who: str, tmp_path: Path) -> None:
    for number in range(files):
        (tmp_path / f"release{number}.yaml").write_text(RELEASE + '    text: "containers: []"\n' * (number == 0))
    with contextlib.chdir(tmp_path):
        report = run(Request(tuple(discover(["."])[0])))
    (note,) = report.notes
    assert note.path == "release0.yaml"
    assert note.reason == f"{who} a chart of Helm installed, whose pods are written elsewhere and not judged"
    assert not report.troubles
