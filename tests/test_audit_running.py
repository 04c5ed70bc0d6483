"""`harden audit --running`: what inspections answer, and how containers are mapped to files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hardener.audit.inspection import EngineState, Running, engine_state
from hardener.audit.running import Audited, audited
from hardener.posture import Answer
from hardener.render.running import text

GOOD, BAD, JUSTIFIED, UNKNOWN = Answer.GOOD, Answer.BAD, Answer.JUSTIFIED, Answer.UNKNOWN
ENGINE = EngineState("20.10.24", seccomp="default", cgroup="1")
RECORDED = Path(__file__).parent / "inspections" / "privileged.json"
DOCKER = {"com.docker.compose.project": "p", "com.docker.compose.service": "a"}


def told(*, user: str = "", image: str = "example.com/unknown:1", pid: int = 7, **host: Any) -> dict[str, Any]:
    """An inspection, as far as it is looked at."""
    config = {"User": user, "Image": image, "Labels": host.pop("labels", {}), "Env": host.pop("env", [])}
    mounts = host.pop("mounts", [])
    return {
        "Id": "c" * 64,
        "Name": "/one",
        "State": {"Running": bool(pid), "Pid": pid},
        "Config": config,
        "HostConfig": host,
        "Mounts": mounts,
    }


def asked(inspection: dict[str, Any], *uids: int, engine: EngineState = ENGINE, image: dict[str, Any] = {}) -> Audited:  # noqa: B006
    """A container whose processes have these numbers, the first one's first."""
    processes = [Running(7 + at, 1 if not at else 7, uid, f"program{at}") for at, uid in enumerate(uids)]
    return audited(inspection, image, engine, processes)


def bind(source: str, target: str, rw: bool = True) -> dict[str, Any]:
    return {"Type": "bind", "Source": source, "Destination": target, "RW": rw}


@pytest.mark.parametrize(
    ("inspection", "uids", "question", "answer"),
    [
        (told(mounts=[bind("/run/docker.sock", "/x")]), (0,), "socket", BAD),
        (told(mounts=[bind("/var/run", "/host/run", False)]), (0,), "socket", BAD),
        (told(mounts=[bind("/srv/run/docker_engine_1", "/var/run/docker.sock")]), (0,), "socket", BAD),
        (told(mounts=[bind("/", "/host", False)]), (0,), "socket", BAD),
        (told(user="65534", mounts=[bind("/", "/host", False)]), (65534,), "socket", UNKNOWN),
        (told(mounts=[bind("/srv/data", "/data")]), (0,), "socket", GOOD),
        (told(image="tecnativa/docker-socket-proxy:0.3", mounts=[bind("/run/docker.sock", "/s")]), (0,), "socket", JUSTIFIED),
        (told(), (0,), "non-root", BAD),
        (told(user="1000:1000"), (1000,), "non-root", GOOD),
        (told(user="app"), (1000, 1000), "non-root", GOOD),
        (told(user="app"), (1000, 0), "non-root", BAD),
        (told(), (999,), "non-root", JUSTIFIED),
        (told(), (0, 101, 101), "non-root", JUSTIFIED),
        (told(), (0, 101, 0), "non-root", BAD),
        (told(user="named-root"), (0,), "non-root", BAD),
        (told(pid=0), (), "non-root", BAD),
        (told(user="1000", pid=0), (), "non-root", GOOD),
        (told(Privileged=True), (0,), "privileged", BAD),
        (told(Privileged=False), (0,), "privileged", GOOD),
        (told(CapDrop=["ALL"], Privileged=True), (0,), "capabilities", BAD),
        (told(CapDrop=["ALL"], CapAdd=["CAP_NET_BIND_SERVICE"]), (0,), "capabilities", GOOD),
        (told(CapDrop=["CAP_ALL"]), (0,), "capabilities", GOOD),
        (told(CapDrop=["ALL"], CapAdd=["CAP_SYS_ADMIN"]), (0,), "capabilities", BAD),
        (told(CapAdd=["SYS_ADMIN"]), (0,), "capabilities", BAD),
        (told(), (0,), "capabilities", BAD),
        (told(Memory=1 << 20, NanoCpus=500_000_000), (0,), "limits", GOOD),
        (told(Memory=1 << 20, CpuQuota=50_000), (0,), "limits", GOOD),
        (told(Memory=1 << 20, CpuQuota=-1), (0,), "limits", BAD),
        (told(NanoCpus=1), (0,), "limits", BAD),
        (told(NetworkMode="host"), (0,), "host-network", BAD),
        (told(NetworkMode="bridge"), (0,), "host-network", GOOD),
        (told(SecurityOpt=["no-new-privileges"]), (0,), "escalation", GOOD),
        (told(SecurityOpt=["no-new-privileges=true"]), (0,), "escalation", GOOD),
        (told(SecurityOpt=["no-new-privileges:true", "no-new-privileges:false"]), (0,), "escalation", BAD),
        (told(SecurityOpt=None), (0,), "escalation", BAD),
        (told(ReadonlyRootfs=True), (0,), "read-only", GOOD),
    ],
)
def test_what_an_inspection_answers(inspection: dict[str, Any], uids: tuple[int, ...], question: str, answer: Answer) -> None:
    reply = asked(inspection, *uids).replies[question]
    assert reply.answer is answer, reply.why
    assert reply.why


def test_a_process_that_is_run_from_outside_does_not_count() -> None:
    processes = [Running(7, 1, 1000, "program"), Running(8, 3, 0, "sh")]
    assert audited(told(user="1000"), {}, ENGINE, processes).replies["non-root"].answer is GOOD


def test_engines_that_make_root_somebody_else() -> None:
    rootless = engine_state({"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"]}, "27.0.1")
    assert (rootless.rootless, rootless.remaps_users, rootless.seccomp, rootless.version) == (True, False, "builtin", "27.0.1")
    one = asked(told(mounts=[bind("/run/user/1000/docker.sock", "/var/run/docker.sock")]), 0, engine=rootless)
    assert not one.root_is_hosts
    assert "not root on the host" in one.replies["non-root"].why
    assert "root on the host" not in one.replies["socket"].why

    options = ["name=apparmor", "name=seccomp,profile=default", "name=userns", "name=no-new-privileges"]
    mapped = engine_state({"SecurityOptions": options, "DockerRootDir": "/var/lib/docker/165536.165536", "CgroupVersion": "2"})
    assert (mapped.remaps_users, mapped.first_uid, mapped.modules, mapped.cgroup) == (True, 165536, ("apparmor",), "2")
    one = asked(told(), 165536, engine=mapped)
    assert (one.replies["non-root"].answer, one.root_is_hosts) == (BAD, False), "165536 is root in it"
    assert one.replies["escalation"].answer is GOOD, "the engine starts all with no-new-privileges"
    assert asked(told(), 165536 + 999, engine=mapped).replies["non-root"].why.endswith("number 999")
    own = asked(told(UsernsMode="host"), 0, engine=mapped)
    assert (own.replies["non-root"].answer, own.root_is_hosts) == (BAD, True)


def test_the_profiles_that_hold_a_container() -> None:
    both = ENGINE._replace(modules=("apparmor", "selinux"))

    def held(**host: Any) -> tuple[str, ...]:
        return asked(told(**host) | {"AppArmorProfile": "docker-default"}, 0, engine=both).confinement

    assert held() == ("seccomp: the engine's (default)", "apparmor: docker-default", "selinux: on")
    assert held(SecurityOpt=["seccomp=unconfined", "label=disable"])[::2] == ("seccomp: none", "selinux: none")
    assert held(SecurityOpt=["seccomp={}"])[0] == "seccomp: its own"
    assert held(Privileged=True)[0] == "seccomp: none, it is privileged"
    assert asked(told(), 0, engine=ENGINE._replace(seccomp="unconfined")).confinement == ("seccomp: none",)
    assert asked(told(), 0, engine=ENGINE._replace(seccomp="")).confinement == ("seccomp: none",)


def test_options_for_docker_run_come_only_from_what_is_known_of_the_image() -> None:
    unknown = asked(told(), 0).flags
    assert unknown is not None
    assert unknown.options == ()
    assert ("excess-capabilities", "not known: no profile of example.com/unknown") in unknown.open
    known = asked(told(image="redis:7", CapDrop=["NET_RAW"]), 0).flags
    assert known is not None
    assert known.options[:3] == ("--user 999:999", "--cap-drop ALL", "--security-opt no-new-privileges")
    assert "--read-only" in known.options
    own = asked(told(image="redis:7") | {"Config": {"Image": "redis:7", "Cmd": ["/other"], "Entrypoint": ["/x"]}}, 0).flags
    assert own is not None
    assert "--cap-drop ALL" not in own.options, "it starts something else than its image does"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the process works in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def labelled(folder: Path, service: str, *files: str) -> dict[str, str]:
    return {
        "com.docker.compose.project": "p",
        "com.docker.compose.service": service,
        "com.docker.compose.project.working_dir": str(folder),
        "com.docker.compose.project.config_files": ",".join(files),
    }


def test_a_recorded_privileged_container_is_mapped_to_its_file(project: Path) -> None:
    """The engine of the tests may start no privileged container; this is what one says of one that was created there."""
    inspection = json.loads(RECORDED.read_text().replace("/project", str(project)))
    file = project / "compose.yaml"
    file.write_text("services:\n  agent:\n    image: audit-box:1\n    privileged: true\n    network_mode: none\n")
    one = audited(inspection, {}, ENGINE)
    assert one.replies["privileged"].answer is one.replies["capabilities"].answer is BAD
    assert (one.running, one.name) == (False, "audit-recorded-agent-1")
    assert one.mapped is not None
    assert (one.mapped.project, one.mapped.service, one.mapped.why_not) == ("audit-recorded", "agent", "")
    assert [rule for rule, _ in one.mapped.open if rule == "privileged-container"]
    assert one.mapped.drifted == ()
    shown = text(ENGINE, [one])
    assert "service agent of compose.yaml" in shown
    assert "privileged-container: find out what it uses" in shown
    file.write_text(file.read_text().replace("    privileged: true\n", ""))
    again = audited(inspection, {}, ENGINE).mapped
    assert again is not None
    assert again.drifted == ("privileged",), "the file was mended, the container was not started anew"
    assert "docker compose up -d agent" in " ".join(text(ENGINE, [audited(inspection, {}, ENGINE)]).split())


def test_only_what_is_the_services_own_is_changed(project: Path) -> None:
    (project / "compose.yaml").write_text("services:\n  a:\n    image: redis:7\n  b:\n    image: postgres:16\n")
    one = asked(told(image="redis:7", labels=labelled(project, "a", "compose.yaml")), 0)
    assert one.mapped is not None
    [change] = one.mapped.changes
    before, _, after = change.after.text.partition("  b:")
    assert after == "\n    image: postgres:16\n"
    assert "cap_drop" in before
    shown = text(ENGINE, [one])
    assert "+    cap_drop:" in shown
    assert one.flags is None


def test_a_service_that_is_built_brings_its_dockerfile(project: Path) -> None:
    (project / "compose.yaml").write_text("services: {a: {build: .}}\n")
    (project / "Dockerfile").write_text('FROM python:3.12-slim\nCOPY app.py /srv/\nCMD ["python", "/srv/app.py"]\n')
    (project / "app.py").write_text("print('hello')\n")
    one = asked(told(labels=labelled(project, "a", str(project / "compose.yaml"))), 0)
    assert one.mapped is not None
    assert sorted(change.before.path for change in one.mapped.changes) == ["Dockerfile", "compose.yaml"]


@pytest.mark.parametrize(
    ("files", "service", "why"),
    [
        (("gone.yaml",), "a", "is not there"),
        (("notes.txt",), "a", "is not there"),
        (("compose.yaml",), "other", "no service `other`"),
        (("broken.yaml",), "a", ""),
    ],
)
def test_files_that_do_not_say_it_any_more(project: Path, files: tuple[str, ...], service: str, why: str) -> None:
    (project / "compose.yaml").write_text("services: {a: {image: 'redis:7'}}\n")
    (project / "notes.txt").write_text("services: {a: {image: 'redis:7'}}\n")
    (project / "broken.yaml").write_text("services: [\n")
    mapped = asked(told(labels=labelled(project, service, *files)), 0).mapped
    assert mapped is not None
    assert mapped.why_not
    assert why in mapped.why_not
    assert "cannot be looked at" in text(ENGINE, [asked(told(labels=labelled(project, service, *files)), 0)])


def test_of_what_a_label_names_and_is_no_compose_file_nothing_is_repeated(project: Path, tmp_path: Path) -> None:
    (tmp_path / "shadow").write_text("root:$6$secret:19000::::::\n")
    (project / "link.yaml").symlink_to(tmp_path / "shadow")
    (project / "pod.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: secret}\n")
    for name in ("link.yaml", "pod.yaml"):
        mapped = asked(told() | {"Config": {"Image": "a", "Labels": labelled(project, "web", name)}}).mapped
        assert mapped is not None
        assert "no Compose file" in mapped.why_not
        assert "secret" not in repr(mapped)
    many = asked(told() | {"Config": {"Image": "a", "Labels": labelled(project, "web", *["compose.yaml"] * 1000)}}).mapped
    assert many is not None
    assert "1000 files" in many.why_not


def test_files_of_an_engine_elsewhere_are_not_taken_for_those_here(project: Path) -> None:
    (project / "compose.yaml").write_text("services: {a: {image: 'redis:7'}}\n")
    one = audited(told(labels=labelled(project, "a", "compose.yaml")), {}, ENGINE, is_here=False)
    assert one.mapped is not None
    assert "another machine" in one.mapped.why_not


def test_names_and_labels_steer_no_terminal(project: Path) -> None:
    evil = "\x1b[2J\x1b]0;x\x07\u202e\n"
    inspection = told(image=f"x{evil}", labels=labelled(project, f"a{evil}", f"c{evil}.yaml")) | {"Name": f"/n{evil}"}
    processes = [Running(7, 1, 1000, "a"), Running(8, 7, 0, evil)]
    (project / f"c{evil}.yaml").write_text(f"services:\n  {json.dumps('a' + evil)}: {{image: x, user: '0'}}\n")
    shown = text(EngineState(f"1{evil}", seccomp=evil), [audited(inspection, {}, ENGINE, processes)])
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)
