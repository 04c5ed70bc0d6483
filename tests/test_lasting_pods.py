"""Which pods the cluster lets nobody change once they are there, and what a pull request says of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_bot_words import LOOK, bundle

from hardener.bot.words.propose import propose
from hardener.facts.kubernetes.lasting import Lasting, lasting
from hardener.source import Source

JOB = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: fill%s
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: fill
          image: busybox:1.36
          command: [sh, -c, "sleep 5"]
"""
NOTED = '\n  annotations:\n    {}: "{}"'


def changed(text: str, old: str = "busybox:1.36", new: str = "busybox:1.37") -> list[Lasting]:
    assert old in text
    return [*lasting(Source("a.yaml", text), Source("a.yaml", text.replace(old, new)))]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (JOB % "", [Lasting("Job", "fill")]),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{image: busybox:1.36}]}\n", [Lasting("Pod", "a")]),
        ("kind: List\nitems:\n" + "".join(f"  {line}\n" for line in ("- " + (JOB % "").replace("\n", "\n  ")).splitlines()), [
            Lasting("Job", "fill")
        ]),
        (JOB.replace("name: fill%s", "generateName: fill-", 1), []),
        (JOB % NOTED.format("helm.sh/hook", "pre-install"), []),
        (JOB % NOTED.format("argocd.argoproj.io/hook", "PreSync"), []),
        (JOB % NOTED.format("argocd.argoproj.io/sync-options", "Prune=false, Replace=true,Force=true"), []),
        (JOB % NOTED.format("argocd.argoproj.io/sync-options", "Replace=true"), [Lasting("Job", "fill")]),
        (JOB % NOTED.format("kustomize.toolkit.fluxcd.io/force", "Enabled"), []),
        (JOB.replace("kind: Job", "kind: Deployment") % "", []),
        (JOB.replace("batch/v1", "batch.volcano.sh/v1alpha1") % "", []),
        ("a: {{ busybox:1.36 }}\n", []),
    ],
)  # fmt: skip
def test_which_are_refused(text: str, found: list[Lasting]) -> None:
    assert changed(text) == found


def test_what_is_not_the_pod_can_be_changed() -> None:
    other = JOB % "" + "---\n" + (JOB % "").replace("fill", "empty")
    assert changed(JOB % "", "metadata:", "metadata:\n  labels: {a: b}") == []
    assert changed(other, 'image: busybox:1.36\n          command: [sh, -c, "sleep 5"]\n---', "image: a\n---") == [
        Lasting("Job", "fill")
    ]


def test_a_pull_request_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(JOB % "")
    body = propose(bundle(tmp_path), LOOK).body
    before = body.partition("### Before merging\n")[2].partition("###")[0]
    assert "- Job `fill` in `job.yaml`\n" in before
    assert "A Job then runs again." in before
    (tmp_path / "job.yaml").write_text((JOB % "").replace("kind: Job", "kind: Deployment").replace("batch/v1", "apps/v1"))
    assert "### Before merging" not in propose(bundle(tmp_path), LOOK).body
