"""`harden --target-level`: which pods are judged, what is said of them, and the exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pod_security_shares as shares
import pytest
from ruamel.yaml import YAML

from hardener import cli
from hardener.facts.kubernetes.pod_data import read_pods
from hardener.pod_security import RESTRICTED, violations
from hardener.source import Source

STRICT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    metadata:
      annotations:
        container.apparmor.security.beta.kubernetes.io/web: runtime/default
    spec:
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: web
          image: nginx
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""
PLAIN = "apiVersion: v1\nkind: Pod\nmetadata: {name: log, namespace: ops}\nspec: {containers: [{name: log, image: busybox}]}\n"
OPEN = PLAIN.replace("{containers", "{hostPID: true, containers").replace("log", "host")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def harden(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run the command in this process, in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "HARDEN_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        (tmp_path / ".stdin").write_text(stdin)
        with open(tmp_path / ".stdin", encoding="utf-8") as given_in:
            monkeypatch.setattr(sys, "stdin", given_in)
            code = cli.main(arguments)
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return run


def test_pods_that_reach_the_level(harden: Run) -> None:
    Path("web.yaml").write_text(STRICT)
    assert harden("--target-level", "restricted") == (0, "1 of 1 pod reaches restricted.\n", "")
    Path("log.yaml").write_text(PLAIN)
    assert harden("--target-level=baseline", ".") == (0, "2 of 2 pods reach baseline.\n", "")


def test_pods_that_do_not(harden: Run) -> None:
    Path("k8s").mkdir()
    Path("k8s/all.yaml").write_text(f"{STRICT}---\n{PLAIN}---\n{OPEN}")
    Path("compose.yaml").write_text("services: {web: {image: nginx, privileged: true}}\n")
    assert harden("--target-level", "baseline") == (
        1,
        "Pod host  k8s/all.yaml:23\n"
        "  Host Namespaces: spec.hostPID\n"
        "      leave it out, or write false\n"
        "\n"
        "2 of 3 pods reach baseline.\n",
        "",
    )
    code, out, err = harden("--target-level", "restricted", "k8s/all.yaml")
    assert (code, err) == (1, "")
    assert out.startswith(
        "Pod log  k8s/all.yaml:18\n"
        "  Privilege Escalation: spec.containers[log].securityContext.allowPrivilegeEscalation\n"
        "      write false\n"
        "  Running as Non-root: spec.securityContext.runAsNonRoot\n"
        "      write true here, or in the container log\n"
    )
    assert "  baseline    Host Namespaces: spec.hostPID\n" in out
    assert "  restricted  Seccomp: spec.securityContext.seccompProfile.type\n" in out
    assert out.endswith("\n\n1 of 3 pods reaches restricted; 1 more with `harden --write --unsafe-fixes`.\n")
    assert out.count("  `harden --write --unsafe-fixes` brings it there, if what is not known about it turns out well") == 1


def test_what_would_bring_a_pod_there(harden: Run) -> None:
    known = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: cache}\nspec:\n  containers: [{name: cache, image: 'memcached:1.6.29'}]\n"
    )
    Path("pods.yaml").write_text(f"{OPEN}---\n{known}---\n{PLAIN}")
    ways = [pod["way"] for pod in json.loads(harden("--target-level", "restricted", "--format", "json")[1])["pods"]]
    assert ways == ["", "harden --write", "harden --write --unsafe-fixes"]
    for arguments, way in ((), ways[1]), (("--unsafe-fixes",), ways[2]):
        harden("--write", *arguments)
        out = harden("--target-level", "restricted", "--format", "json")[1]
        assert [not pod["violations"] for pod in json.loads(out)["pods"]] == [False, True, way == ways[2]]


def test_json(harden: Run) -> None:
    Path("all.yaml").write_text(f"{STRICT}---\n{PLAIN}---\n{OPEN}")
    code, out, err = harden("--target-level", "restricted", "--format", "json")
    data = json.loads(out)
    assert (code, err, data["version"], data["level"], data["troubles"], data["notes"]) == (1, "", 1, "restricted", [], [])
    assert [(pod["kind"], pod["name"], pod["namespace"], pod["line"], pod["level"]) for pod in data["pods"]] == [
        ("Deployment", "web", "", 2, "restricted"),
        ("Pod", "log", "ops", 18, "baseline"),
        ("Pod", "host", "ops", 23, "privileged"),
    ]
    assert data["pods"][2]["violations"][0] == {
        "level": "baseline",
        "control": "Host Namespaces",
        "path": "spec.hostPID",
        "write": "leave it out, or write false",
    }
    (baseline, *_) = json.loads(harden("--target-level", "baseline", "--format", "json")[1])["pods"]
    assert (baseline["level"], baseline["violations"]) == ("baseline", [])


def test_standard_input(harden: Run) -> None:
    code, out, _ = harden("--target-level", "baseline", "--stdin-filename", "pod.yaml", "-", stdin=OPEN)
    assert (code, out.splitlines()[0]) == (1, "Pod host  pod.yaml:2")


def test_what_cannot_be_read_is_named(harden: Run) -> None:
    Path("web.yaml").write_text(STRICT)
    Path("chart.yaml").write_text(PLAIN.replace("{name: log, namespace", "{name: {{ .Release.Name }}, namespace"))
    Path("broken.yaml").write_text(PLAIN + "  bad\n   : [")
    code, out, err = harden("--target-level", "restricted")
    assert (code, err) == (2, "")
    assert "chart.yaml:3: a template, not a manifest as it stands (run harden on what the template makes)\n" in out
    assert "\nbroken.yaml:" in "\n" + out
    assert out.endswith("\n\n1 of 1 pod reaches restricted; 1 problem in the way.\n")
    code, out, _ = harden("--target-level", "restricted", "nowhere.yaml")
    assert (code, out.splitlines()[-1]) == (2, "No pods found; 1 problem in the way.")


def test_nothing_found(harden: Run) -> None:
    assert harden("--target-level", "baseline") == (0, "No pods found.\n", "")


def test_a_part_of_a_pod_is_not_judged(harden: Run) -> None:
    Path("patch.yaml").write_text(STRICT.replace("          image: nginx\n", ""))
    code, out, _ = harden("--target-level", "restricted")
    assert (code, out.splitlines()[-1]) == (0, "No pods found.")
    assert out.startswith("patch.yaml:2: `web` is not judged: it has a container without an image")


def test_names_cannot_steer_the_terminal(harden: Run) -> None:
    Path("pod.yaml").write_text(OPEN.replace("{name: host", '{name: "a\\e[31m\\nb"'))
    _, out, _ = harden("--target-level", "restricted", "--color", "always")
    assert out.startswith("\x1b[1mPod a\\x1b[31m b  pod.yaml:2\x1b[0m\n")


@pytest.mark.parametrize(
    "others",
    [
        ["--diff"],
        ["--write"],
        ["--check"],
        ["--unsafe-fixes"],
        ["--select", "root-user"],
        ["--ignore", "root-user"],
        ["--profiles", "."],
        ["--no-evidence"],
        ["--fail-on", "low"],
    ],
)
def test_it_goes_together_with_no_fixes(harden: Run, others: list[str]) -> None:
    Path("web.yaml").write_text(STRICT)
    code, out, err = harden("--target-level", "restricted", *others)
    assert (code, out) == (2, "")
    assert f"{others[0]} and --target-level do not go together" in err


def test_levels_that_do_not_exist(harden: Run) -> None:
    for level in ("privileged", ""):
        code, out, err = harden(f"--target-level={level}")
        assert (code, out) == (2, "")
        assert "--target-level" in err


def test_the_shares_of_a_folder(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("all.yaml").write_text(f"{STRICT}---\n{PLAIN}---\n{OPEN}---\n{PLAIN}")
    Path("chart.yaml").write_text(PLAIN.replace("log, namespace", "{{ .Release.Name }}, namespace"))
    Path("other").mkdir()
    Path("other/open.yaml").write_text(OPEN)
    counted = shares.count(".", ["other/"])
    assert counted.levels == {"restricted": 1, "baseline": 2, "privileged": 1}
    assert counted.reasons["Host Namespaces", "baseline"] == 1
    assert counted.reasons["Seccomp", "restricted"] == 3
    assert shares.main([".", "--most", "1"]) == 0
    out = capsys.readouterr().out
    assert "privileged     2  40.0%\n" in out
    assert "5 pods in 3 files, 1 parts of pods and templates, 0 files that could not be read:\n" in out


# What a manifest says, as data


def test_merges_and_aliases_are_followed() -> None:
    text = """\
apiVersion: v1
kind: List
items:
  - apiVersion: batch/v1
    kind: CronJob
    metadata: {name: night}
    spec:
      jobTemplate:
        spec:
          template:
            spec:
              initContainers:
                - &base
                  name: first
                  image: busybox
                  securityContext: &strict
                    allowPrivilegeEscalation: false
                    capabilities: {drop: [ALL]}
                    runAsUser: 0
              containers:
                - <<: *base
                  name: second
                  securityContext: {<<: *strict, runAsUser: 1000}
                - *base
              securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
"""
    (pod,) = read_pods(Source("a.yaml", text))
    (expected,) = YAML(typ="safe").load(text)["items"]
    assert pod.spec == expected["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert (pod.kind, pod.name, pod.place.line) == ("CronJob", "night", 5)
    assert [item.path for item in violations(pod.spec, pod.annotations, RESTRICTED)] == [
        "spec.initContainers[first].securityContext.runAsUser",
        "spec.containers[first].securityContext.runAsUser",
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", True),
        ("Yes", True),
        ("on", True),
        ("n", False),
        ("OFF", False),
        ("tRue", "tRue"),
        ("'true'", "true"),
        ('"1"', "1"),
        ("!!str 1", "1"),
        ("! 1", "1"),
        ("", None),
        ("~", None),
        ("Null", None),
        ("0", 0),
        ("-1", -1),
        ("+1_000", 1000),
        ("0x1F", 31),
        ("0755", 493),
        ("0o17", 15),
        ("0b11", 3),
        ("09", 9.0),
        ("1.5", 1.5),
        (".5e1", 5.0),
        ("1e3", 1000.0),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("1.2.3", "1.2.3"),
        ("10m", "10m"),
        ("[1, a]", [1, "a"]),
        ("{}", {}),
    ],
)
def test_scalars_have_the_types_that_the_api_server_gets(written: str, meant: object) -> None:
    pod = read_pods(Source("a.yaml", f"apiVersion: v1\nkind: Pod\nspec:\n  a: {written}\n"))[0].spec
    assert isinstance(pod, dict)
    assert (pod["a"], type(pod["a"])) == (meant, type(meant))


def test_what_stands_for_much_is_one_object_everywhere() -> None:
    lines = ["apiVersion: v1", "kind: Pod", "spec:", "  containers: &a0 [{name: a, image: b}]"]
    lines += [f"  x{depth}: &a{depth} [{', '.join([f'*a{depth - 1}'] * 10)}]" for depth in range(1, 40)]
    (pod,) = read_pods(Source("a.yaml", "\n".join(lines) + "\n"))
    assert isinstance(pod.spec, dict)
    assert pod.spec["x39"][0] is pod.spec["x39"][9]
    assert len(violations(pod.spec, None, RESTRICTED)) == 4
