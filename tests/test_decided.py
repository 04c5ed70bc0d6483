"""What people decided in their configuration, as it comes out in the files: limits, names of users, the socket proxy."""

from __future__ import annotations

from pathlib import Path

import pytest

from hardener.discover import discover
from hardener.finding import Applicability
from hardener.pipeline import Request, examine, needs, run
from hardener.report import Outcome, Status
from hardener.scopes import Chosen, Wish, request_for, scopes

OWN = "registry.example.com/own:1"
COMPOSE = """\
services:
  cache:
    image: redis:7
  mine:
    image: registry.example.com/own:1
  big-db:
    image: docker.io/library/postgres:16.2
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`asked(files, configuration, unsafe=False)`: the request for a repository."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()

    def ask(files: dict[str, str], configuration: str, *, unsafe: bool = False) -> Request:
        for name, text in {**files, "hardener.toml": configuration}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        (scope,), troubles = scopes((".",), Chosen())
        assert not troubles
        return request_for(scope, Wish(unsafe=unsafe))

    return ask


def limits_of(request: Request) -> dict[str, tuple[object, ...]]:
    """Memory in MiB, cores and processes of each container, in the files as they would be."""
    _, groups = examine(request)
    return {
        container.subject: tuple(
            setting.effective and setting.effective.number / unit
            for setting, unit in ((container.memory, 1 << 20), (container.cpus, 1), (container.pids, 1))
        )
        for _, group in groups
        for container, _ in group.judged()
    }


def outcome(request: Request, rule: str, subject: str) -> Outcome:
    (found,) = [one for one in run(request).outcomes if (one.finding.rule, one.finding.subject) == (rule, subject)]
    return found


def test_the_most_particular_amount_counts_also_for_images_that_nobody_knows(asked) -> None:
    request = asked(
        {"compose.yaml": COMPOSE},
        "[limits]\nmemory = '512M'\ncpus = 1.5\npids = 200\n"
        "[limits.class.database]\nservices = ['*-db']\nmemory = '2G'\npids = 300\n"
        "[limits.image.'postgres*']\nmemory = '3G'\n[limits.image.'postgres:16*']\nmemory = '4G'\n",
    )
    assert limits_of(request) == {"cache": (512, 1.5, 200), "mine": (512, 1.5, 200), "big-db": (4096, 1.5, 300)}
    text = run(request).changes[0].after.text
    assert text.count("memory: 512M  # hardener.toml") == 2
    assert "pids: 300  # database: hardener.toml" in text
    made = outcome(request, "unlimited-memory", "mine")
    assert made.status is Status.APPLIED
    (evidence,) = made.finding.fix.evidence
    assert (evidence.claim, evidence.source) == ("this repository gives it 512M", "hardener.toml:2")


def test_what_was_not_decided_stays_as_it_is_known(asked) -> None:
    alone = limits_of(asked({"compose.yaml": COMPOSE}, ""))
    some = limits_of(asked({"compose.yaml": COMPOSE}, "[limits.class.x]\nimages = ['registry.example.com/*']\npids = 7\n"))
    assert some == {**alone, "mine": (None, None, 7)}


@pytest.mark.parametrize("pattern", ["postgres", "postgres:*", "postgres:16.2", "docker.io/library/postgres:16.2", "*gres*"])
def test_an_image_is_matched_as_it_is_written_and_as_it_is_known(pattern: str, asked) -> None:
    request = asked({"compose.yaml": COMPOSE}, f"[limits.image.'{pattern}']\npids = 11\n")
    assert [name for name, (_, _, pids) in limits_of(request).items() if pids == 11] == ["big-db"]


def test_a_limit_that_stands_there_is_left_alone(asked) -> None:
    files = {"compose.yaml": f"services:\n  mine:\n    image: {OWN}\n    mem_limit: 64m\n"}
    assert limits_of(asked(files, "[limits]\nmemory = '1G'\n"))["mine"][0] == 64


def test_it_is_never_below_what_the_container_is_promised_or_told_to_take(asked) -> None:
    reserved = "resources: {reservations: {memory: 700M, cpus: '2'}}"
    files = {
        "compose.yaml": f"services:\n  java:\n    image: {OWN}\n    command: java -Xmx1g -jar a.jar\n"
        f"  kept:\n    image: {OWN}\n    deploy:\n      {reserved}\n"
    }
    request = asked(files, "[limits]\nmemory = '512M'\ncpus = 1\n")
    found = limits_of(request)
    assert found["java"][0] > 1024
    assert found["kept"] == (700, None, None)
    text = run(request).changes[0].after.text
    assert "hardener.toml, raised for the heap that it is told to have" in text
    assert "less than its reservation takes" in outcome(request, "unlimited-memory", "kept").finding.fix.evidence[0].claim
    assert outcome(request, "unlimited-cpu", "kept").finding.advice == "hardener.toml:3 gives it 1, and 2 are reserved for it"


def test_a_decided_limit_says_nothing_of_what_a_program_takes_beside_its_heap(asked) -> None:
    files = {"compose.yaml": f"services:\n  java:\n    image: {OWN}\n    command: java -jar a.jar\n"}
    request = asked(files, "[limits]\nmemory = '512M'\n")
    heaps = [one for one in run(request).outcomes if one.finding.rule == "jvm-heap-ignores-limit" and one.finding.fix]
    assert all(one.finding.fix.applicability is not Applicability.SAFE for one in heaps)
    ((judged,),) = (needs(request)[0],)
    assert judged.needs.memory.evidence.source == "assumed"


def test_pods_get_amounts_by_the_names_of_workload_and_container(asked) -> None:
    pod = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: shop}}\nspec:\n  containers:\n    - name: web\n      image: {OWN}\n"
    request = asked({"pod.yaml": pod}, "[limits.class.front]\nservices = ['web']\nmemory = '1G'\n")
    assert limits_of(request)["shop/web"][0] == 1024
    assert "memory: 1Gi  # front: hardener.toml" in run(request).changes[0].after.text


def test_users_are_named_where_a_name_serves(asked) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n    - name: a\n      image: redis:7\n"
    files = {
        "compose.yaml": "services:\n  cache:\n    image: redis:7\n  app:\n    build: app\n",
        "app/Dockerfile": "FROM debian:12\nCOPY a /\nCMD ['/a']\n".replace("'", '"'),
        "pod.yaml": pod,
    }

    def texts(configuration: str) -> dict[str, str]:
        request = asked(files, configuration, unsafe=True)
        return {change.before.path: change.after.text for change in run(request).changes}

    plain, named = texts(""), texts("[users]\nnaming = 'name'\n")
    assert named["compose.yaml"] == plain["compose.yaml"].replace('user: "999:999"', "user: redis")
    assert 'user: "999:999"' in plain["compose.yaml"]
    assert named["app/Dockerfile"] == plain["app/Dockerfile"].replace("USER 10001:10001", "USER app")
    assert "USER 10001:10001" in plain["app/Dockerfile"]
    assert named["pod.yaml"] == plain["pod.yaml"]
    assert "runAsUser: 999" in plain["pod.yaml"]


def test_numbers_stay_in_an_image_that_pods_run(asked) -> None:
    files = {
        "Dockerfile": 'FROM debian:12\nCOPY a /\nCMD ["/a"]\n',
        "build.sh": "docker build -t shop/app .\n",
        "pod.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: shop/app}]}\n",
    }
    report = run(asked(files, "[users]\nnaming = 'name'\n", unsafe=True))
    (changed,) = [change.after.text for change in report.changes if change.before.path == "Dockerfile"]
    assert "USER 10001:10001" in changed


def test_the_socket_proxy_that_people_chose_is_advised_and_known(asked) -> None:
    mount = "    volumes: ['/var/run/docker.sock:/var/run/docker.sock']\n"
    services = {"traefik": "traefik:v3.1", "x": "own/x:1", "ours": "registry.example.com/gate:2"}
    text = "services:\n" + "".join(f"  {name}:\n    image: {image}\n{mount}" for name, image in services.items())
    plain = {one.finding.subject: one.finding.advice for one in sockets(asked({"compose.yaml": text}, ""))}
    assert set(plain) == set(services)
    own = asked({"compose.yaml": text}, "[socket-proxy]\nimage = 'registry.example.com/gate:1'\n")
    advice = {one.finding.subject: one.finding.advice for one in sockets(own)}
    assert set(advice) == {"traefik", "x"}
    assert all("registry.example.com/gate:1" in said and "tecnativa" not in said for said in advice.values())
    assert "CONTAINERS=1" in advice["traefik"]


def sockets(request: Request) -> list[Outcome]:
    return [one for one in run(request).outcomes if one.finding.rule == "docker-socket-mount"]


def test_hazards_below_a_severity_are_not_looked_for(asked) -> None:
    severities = {one.severity.name for one in run(asked({"compose.yaml": COMPOSE}, "min-severity = 'medium'\n")).outcomes}
    assert severities
    assert "LOW" not in severities
    assert "LOW" in {one.severity.name for one in run(Request(tuple(discover(["."])[0]))).outcomes}
