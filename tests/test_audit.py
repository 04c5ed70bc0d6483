"""The audit of files: what each question is answered, that rules agree, what is silenced, the score, and the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardener import cli
from hardener.audit.postures import standings
from hardener.audit.verdict import audit
from hardener.discover import discover
from hardener.finding import Place
from hardener.pipeline import Request
from hardener.posture import AUDITED, QUESTIONS, Answer, Posture, score
from hardener.report import Status

GOOD, BAD, JUSTIFIED, UNKNOWN, NONE = Answer.GOOD, Answer.BAD, Answer.JUSTIFIED, Answer.UNKNOWN, Answer.NONE

Posed = Callable[..., dict[str, Posture]]
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def posed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Posed:
    """`posed(files, unsafe=False)`: the postures of a project, by subject."""

    def ask(files: dict[str, str], unsafe: bool = False) -> dict[str, Posture]:
        monkeypatch.chdir(tmp_path)
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        report, _ = standings(Request(tuple(discover(["."])[0]), unsafe=unsafe))
        return {posture.subject: posture for posture in report.postures}

    return ask


def service(text: str, image: str = "example.com/unknown:1") -> dict[str, str]:
    """A project of one service `a`."""
    return {"compose.yaml": f"services:\n  a:\n    image: {image}\n{text}"}


@pytest.mark.parametrize(
    ("question", "text", "image", "answer"),
    [
        ("socket", "", "redis:7", GOOD),
        ("socket", "    volumes: ['/var/run/docker.sock:/x.sock:ro']\n", "redis:7", BAD),
        ("socket", "    volumes: ['/run:/host/run']\n", "redis:7", BAD),
        ("socket", "    volumes: ['/run/podman/podman.sock:/s']\n", "redis:7", BAD),
        ("socket", "    volumes: ['/:/host:ro']\n", "redis:7", BAD),
        ("socket", "    user: '1000'\n    volumes: ['/:/host:ro']\n", "redis:7", UNKNOWN),
        ("socket", "    volumes_from: [container:b]\n", "redis:7", UNKNOWN),
        (
            "socket",
            "    volumes: ['/var/run/docker.sock:/var/run/docker.sock']\n",
            "tecnativa/docker-socket-proxy:0.3.0",
            JUSTIFIED,
        ),
        (
            "socket",
            "    environment: {POST: 1}\n    volumes: ['/var/run/docker.sock:/var/run/docker.sock']\n",
            "tecnativa/docker-socket-proxy:0.3.0",
            BAD,
        ),
        ("non-root", "", "example.com/unknown:1", UNKNOWN),
        ("non-root", "    user: '1000'\n", "example.com/unknown:1", GOOD),
        ("non-root", "    user: app\n", "example.com/unknown:1", GOOD),
        ("non-root", "    user: root\n", "example.com/unknown:1", BAD),
        ("non-root", "    user: '00:1'\n", "example.com/unknown:1", BAD),
        ("non-root", "    user: '${WHO}'\n", "example.com/unknown:1", UNKNOWN),
        ("non-root", "", "postgres:16", JUSTIFIED),
        ("non-root", "", "debian:12", BAD),
        ("non-root", "", "grafana/grafana:11.0.0", GOOD),
        ("privileged", "", "redis:7", GOOD),
        ("privileged", "    privileged: true\n", "redis:7", BAD),
        ("capabilities", "", "redis:7", BAD),
        ("capabilities", "    cap_drop: [all]\n", "redis:7", GOOD),
        ("capabilities", "    cap_drop: [ALL]\n    cap_add: [CAP_CHOWN]\n", "redis:7", GOOD),
        ("capabilities", "    cap_drop: [ALL]\n    cap_add: [SYS_ADMIN]\n", "redis:7", BAD),
        ("capabilities", "    cap_drop: [ALL]\n    cap_add: [ALL]\n", "redis:7", BAD),
        ("capabilities", "    cap_drop: [ALL]\n    privileged: true\n", "redis:7", BAD),
        ("capabilities", "    cap_drop: [NET_RAW]\n", "redis:7", BAD),
        ("limits", "    mem_limit: 64m\n    cpus: 1\n", "redis:7", GOOD),
        ("limits", "    mem_limit: 64m\n", "redis:7", BAD),
        ("limits", "    cpus: 1\n", "redis:7", BAD),
        ("limits", "    mem_limit: 0\n    cpus: 1\n", "redis:7", BAD),
        ("limits", "    deploy: {resources: {limits: {cpus: '1', memory: 64M}}}\n", "redis:7", GOOD),
        ("host-network", "    network_mode: host\n", "redis:7", BAD),
        ("host-network", "    network_mode: none\n", "redis:7", GOOD),
        ("escalation", "    security_opt: ['no-new-privileges:true']\n", "redis:7", GOOD),
        ("escalation", "", "redis:7", BAD),
        ("read-only", "    read_only: true\n", "redis:7", GOOD),
        ("read-only", "", "redis:7", BAD),
    ],
)
def test_what_a_service_answers(posed: Posed, question: str, text: str, image: str, answer: Answer) -> None:
    posture = posed(service(text, image))["a"]
    assert posture.before[question] is answer, posture.why[question]
    assert posture.why[question]


@pytest.mark.parametrize(
    ("dockerfile", "answer"),
    [
        ('FROM debian:12\nCMD ["/app"]\n', BAD),
        ('FROM debian:12\nUSER app\nCMD ["/app"]\n', GOOD),
        ('FROM debian:12\nUSER 0\nCMD ["/app"]\n', BAD),
        ('FROM debian:12\nARG WHO\nUSER $WHO\nCMD ["/app"]\n', BAD),
        ('FROM debian:12\nUSER $WHO\nCMD ["/app"]\n', UNKNOWN),
        ('FROM debian:12\nARG GROUP\nUSER 1000:$GROUP\nCMD ["/app"]\n', GOOD),
        ('FROM example.com/unknown\nCMD ["/app"]\n', UNKNOWN),
        ('FROM scratch\nCOPY app /\nCMD ["/app"]\n', BAD),
        ("FROM nginx:1.27\n", JUSTIFIED),
    ],
)
def test_what_a_dockerfile_answers_alone_and_for_the_service_that_it_makes(posed: Posed, dockerfile: str, answer: Answer) -> None:
    alone = posed({"Dockerfile": dockerfile})["image"]
    assert alone.before["non-root"] is answer, alone.why
    assert {alone.before[q.id] for q in QUESTIONS if q.id != "non-root"} == {NONE}
    built = posed({"compose.yaml": "services: {a: {build: .}}\n"})
    assert set(built) == {"a"}, "its Dockerfile has no row of its own"
    assert built["a"].before["non-root"] is answer, built["a"].why
    assert built["a"].image == ""


def test_a_pod_that_refuses_root_runs_as_another(posed: Posed) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {%s containers: [{name: a, image: example.com/unknown:1}]}\n"
    plain = posed({"pod.yaml": pod % ""})["p/a"]
    assert plain.before["non-root"] is UNKNOWN
    refusing = posed({"pod.yaml": pod % "securityContext: {runAsNonRoot: true}, hostNetwork: true,"})["p/a"]
    assert refusing.before["non-root"] is GOOD
    assert refusing.before["host-network"] is BAD


def test_the_fixes_of_a_dockerfile_count_for_the_service_after_and_not_before(posed: Posed) -> None:
    files = {
        "compose.yaml": "services: {a: {build: .}}\n",
        "Dockerfile": 'FROM python:3.12-slim\nCOPY app.py /srv/\nCMD ["python", "/srv/app.py"]\n',
        "app.py": "print('hello')\n",
    }
    posture = posed(files)["a"]
    assert (posture.before["non-root"], posture.after["non-root"]) == (BAD, GOOD)
    assert (posture.before["capabilities"], posture.after["capabilities"]) == (BAD, GOOD)


def test_a_service_judged_with_and_without_an_overlay_has_one_row_with_the_worst(posed: Posed) -> None:
    files = {
        "compose.yaml": "services: {a: {image: 'redis:7', cap_drop: [ALL]}}\n",
        "compose.override.yaml": "services: {a: {privileged: true}}\n",
    }
    report_rows = posed(files)
    assert set(report_rows) == {"a"}
    assert report_rows["a"].before["privileged"] is BAD


def test_what_is_silenced_is_justified_only_while_nothing_else_speaks_against_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hardener.audit import postures

    def ask(silenced: set[str]) -> Posture:
        real = postures.examine

        def examined(request: Request):  # type: ignore[no-untyped-def]
            report, groups = real(request)
            outcomes = tuple(
                o._replace(status=Status.SILENCED, why="we know") if o.finding.rule in silenced else o for o in report.outcomes
            )
            return report._replace(outcomes=outcomes), groups

        with monkeypatch.context() as patched:
            patched.setattr(postures, "examine", examined)
            return postures.postures(Request(tuple(discover(["."])[0]))).postures[0]

    monkeypatch.chdir(tmp_path)
    text = "services: {a: {image: 'postgres:16', network_mode: host, volumes: ['/run/docker.sock:/run/docker.sock']}}\n"
    (tmp_path / "compose.yaml").write_text(text)
    posture = ask({"docker-socket-mount", "unlimited-cpu"})
    assert posture.before["socket"] is posture.after["socket"] is JUSTIFIED
    assert "we know" in posture.why["socket"]
    assert posture.before["limits"] is BAD, "nobody let be that memory has no limit"
    assert ask({"unlimited-cpu", "unlimited-memory"}).before["limits"] is JUSTIFIED
    assert posture.before["host-network"] is BAD


# The score.

ANSWERS = st.fixed_dictionaries({question.id: st.sampled_from(Answer) for question in QUESTIONS})
POSTURES = st.lists(st.builds(lambda b, a: Posture("a", "a", Place("f", 1, 1), "", b, a), ANSWERS, ANSWERS), max_size=3)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(POSTURES, st.data())
def test_a_better_answer_never_lowers_the_score(postures: list[Posture], data: st.DataObject) -> None:
    before = score(postures)
    assert 0 <= before.before <= 100
    assert 0 <= before.after <= 100
    if not postures:
        assert before == (100, 100)
        return
    at = data.draw(st.integers(0, len(postures) - 1))
    question = data.draw(st.sampled_from(QUESTIONS))
    old = postures[at].before[question.id]
    if old is NONE:
        return
    better = data.draw(st.sampled_from([answer for answer in Answer if answer.rank >= old.rank]))
    postures[at] = postures[at]._replace(before={**postures[at].before, question.id: better})
    assert score(postures).before >= before.before
    assert score(postures).after == before.after


def test_what_can_be_exploited_counts_more_and_what_is_not_known_less_than_what_is_good() -> None:
    def of(**answers: Answer) -> int:
        every = {question.id: GOOD for question in QUESTIONS} | {key.replace("_", "-"): value for key, value in answers.items()}
        return score([Posture("a", "a", Place("f", 1, 1), "", every, every)]).before

    assert of() == 100
    assert of(socket=BAD) < of(host_network=BAD) < 100
    assert of(socket=BAD) < of(socket=UNKNOWN) < of(socket=JUSTIFIED) < 100
    assert of(escalation=BAD) == 100, "what is only shown beside the audit counts for nothing"
    assert of(**{question.id.replace("-", "_"): BAD for question in AUDITED}) == 0


# The command.


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run the command in this process, in an empty folder: exit code and standard output, or error where that is empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def command(*arguments: str) -> tuple[int, str]:
        code = cli.main(arguments)
        out, err = capfdbinary.readouterr()
        return code, (out or err).decode()

    return command


def test_the_table_fits_and_names_ways_out(run: Run, tmp_path: Path) -> None:
    services = "".join(f"  service-{n}: {{image: 'redis:7'}}\n" for n in range(30))
    socket = "  ui: {image: 'portainer/portainer-ce:2.20.0', volumes: ['/var/run/docker.sock:/var/run/docker.sock']}\n"
    (tmp_path / "compose.yaml").write_text(f"services:\n{services}{socket}")
    code, out = run("audit")
    assert code == 1
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    table = lines[2:]
    assert table[1].split()[0] == "ui", "the worst comes first"
    assert table[1].split()[1:3] == ["BAD", "BAD"]
    assert table[2].split() == ["service-0", "ok", "(ok)>ok", "ok", "BAD>ok", "BAD", "ok"]
    assert "what to do: `harden --write` mends these" in out
    assert "Good everywhere: 3 (privileged), 6 (host network)." in out


def test_the_exit_code_and_the_json(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    command = "[redis-server, --save, '', --maxmemory, 64mb, --maxmemory-policy, allkeys-lru]"
    hardened = "cap_drop: [ALL], user: '999:999', network_mode: host"
    path.write_text(f"services: {{a: {{image: 'redis:7', {hardened}, command: {command}}}}}\n")
    code, out = run("audit", "--format", "json")
    assert code == 0, "limits and the host's network are operational"
    data = json.loads(out)
    [a] = data["containers"]
    assert (a["subject"], a["line"], a["image"]) == ("a", 1, "redis:7")
    assert a["answers"]["host-network"]["before"] == "bad"
    assert a["answers"]["host-network"]["way_out"] == "by-hand"
    assert a["answers"]["host-network"]["advice"]
    assert a["answers"]["limits"]["way_out"] == "fix"
    assert data["score"]["before"] < data["score"]["after"] <= data["score"]["with_unsafe_fixes"]
    assert run("audit", "--fail-under", str(data["score"]["before"]))[0] == 0
    assert run("audit", "--fail-under", str(data["score"]["before"] + 1))[0] == 1
    path.write_text("services: {a: {image: 'redis:7'}}\n")
    assert run("audit")[0] == 1
    assert run("audit", "--fail-under", "0")[0] == 0
    path.write_text("services: [\n")
    assert run("audit")[0] == 2


def test_what_does_not_go_together(run: Run) -> None:
    for arguments in (
        ("--all",),
        ("--running", "--since", "HEAD"),
        ("--running", "--all", "web"),
        ("--running", "--fail-under", "5"),
        ("--since", "HEAD", "--unsafe-fixes"),
        ("-",),
    ):
        code, said = run("audit", *arguments)
        assert (code, said[:8]) == (2, "harden: "), arguments
    assert run("audit") == (0, "Nothing to ask: no containers found.\n")


def test_names_from_files_steer_no_terminal(run: Run, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text('services:\n  "a\\e[2Jb":\n    image: "x\\e]0;y:1"\n    user: "0\\e[1m"\n')
    for form in ("text", "json"):
        assert "\x1b" not in run("audit", "--format", form, "--color", "never")[1]


def test_on_real_files_rules_and_answers_agree() -> None:
    """Where a rule of a question has a finding, the answer is not good; a fix that is made makes no answer worse."""
    root = Path(__file__).parent.parent / "fixtures"
    names = {question.id: question for question in QUESTIONS}
    seen = 0
    for case in sorted(root.glob("_together/*/before")) + sorted(root.glob("stacks/*")):
        for unsafe in (False, True):
            for posture, outcomes in standings(Request(tuple(discover([str(case)])[0]), unsafe=unsafe))[1]:
                for id, before in posture.before.items():
                    against = [o.finding.message for o in outcomes if o.finding.rule in names[id].rules]
                    assert not against or before is not GOOD, (case, posture.subject, id, posture.why, against)
                    assert posture.after[id].rank >= before.rank, (case, posture.subject, id, posture.why_after)
                    seen += bool(against)
    assert seen > 200


def test_ways_out_are_those_of_the_fixes(posed: Posed) -> None:
    posed(service("", "postgres:16"))
    [verdict] = audit([Request(tuple(discover(["."])[0]))]).verdicts
    ways = {id: way.way for id, way in verdict.ways_out.items()}
    assert ways["capabilities"] == ways["non-root"] == "fix"
    assert ways["limits"] == "held-back"
    assert ways["socket"] == ""
