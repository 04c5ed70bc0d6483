"""Whether a program that ran as root may run as another user: what stands in the way, what is handed over, what is left to do."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from compose_oracle import write
from conftest import harden

from hardener.facts.dockerfile import DockerStage
from hardener.finding import Applicability, Strength
from hardener.needs.ground import closing
from hardener.report import Outcome, Status
from hardener.source import Source
from hardener.syntax.dockerfile import parse

APP = "import time\n\n{}\ntime.sleep(1000)\n"
DOCKERFILE = 'FROM python:3.12-slim\nWORKDIR /srv/app\n{}COPY app.py .\n{}CMD ["python", "app.py"]\n'


def outcome(folder: Path, files: dict[str, str], modes: dict[str, int] | None = None) -> Outcome:
    """How the one finding about root in the Dockerfile ended, by default."""
    data = {name: text.encode() for name, text in files.items()}
    write(folder, data)
    for name, mode in (modes or {}).items():
        os.chmod(folder / name, mode)
    report = harden(folder, data, unsafe=False).report
    assert not report.troubles
    (found,) = [one for one in report.outcomes if one.finding.rule == "root-user" and one.finding.place.path == "Dockerfile"]
    return found


def project(
    does: str = "", service: str | None = "", before: str = "", after: str = "", more: dict[str, str] | None = None
) -> dict[str, str]:
    """An app in Python that does something, its Dockerfile, and its service, unless that is None."""
    files = {"app.py": APP.format(does), "Dockerfile": DOCKERFILE.format(before, after)}
    if service is not None:
        body = "".join(f"    {line}\n" for line in service.splitlines())
        files["compose.yaml"] = f"services:\n  web:\n    build: .\n{body}volumes: {{data: , kept: {{external: true}}}}\n"
    return files | (more or {})


WRITES_DATA = "open('/srv/app/state/x.db', 'w').write('1')"


def test_a_program_that_asks_for_nothing_loses_root(tmp_path: Path) -> None:
    found = outcome(tmp_path, project())
    assert found.status is Status.APPLIED
    assert found.finding.fix is not None
    assert found.finding.fix.applicability is Applicability.SAFE
    assert min(item.strength for item in found.finding.fix.evidence) >= Strength.READ
    assert any("app.py" in item.claim + item.source for item in found.finding.fix.evidence), "what was read is named"
    assert not found.finding.fix.migration


@pytest.mark.parametrize(
    ("does", "service", "why"),
    [
        (WRITES_DATA, "volumes: [data:/srv/app/state]", "whether what data holds already belongs to it"),
        (WRITES_DATA, "volumes: [/srv/app/state]", "whether what /srv/app/state holds already belongs to it"),
        (WRITES_DATA, "volumes: [./state:/srv/app/state]", "whether it may write ./state, which is the host's"),
        ("", "volumes: [kept:/kept:ro]", "whether it may read kept"),
        ("", "volumes: [/etc/ssl/private:/keys:ro]", "whether it may read /etc/ssl/private"),
        ("", "volumes: [~/.aws:/root/.aws:ro]", "whether it may read ~/.aws"),
        ("", "volumes: [/var/run/docker.sock:/var/run/docker.sock]", "whether it may read /var/run/docker.sock"),
        ("", "tmpfs: [/srv/app/cache]", "whether it may write the tmpfs /srv/app/cache, which is root's"),
        ("", "devices: [/dev/ttyUSB0]", "whether it may use /dev/ttyUSB0"),
        ("", "cap_add: [NET_ADMIN]", "it was given NET_ADMIN, which only root can use"),
        ("", "privileged: true", "it is privileged, which only root can use"),
        ("", "develop: {watch: [{action: sync, path: ., target: /srv/app}]}", "`docker compose watch`"),
        ("", "pid: host", "whether it may use the host's processes"),
        ("", "ipc: host", "whether it may use the host's shared memory"),
        ("import os\nos.chown('/srv/app/x', 5, 5)", "", "as root it uses CHOWN"),
        ("import subprocess\nsubprocess.run(['sudo', 'ls'])", "", "sudo"),
        ("import os\nos.setuid(33)", "", "33"),
        (
            "import http.server as h\nh.HTTPServer(('', 80), h.SimpleHTTPRequestHandler).serve_forever()",
            "network_mode: host",
            "it binds port 80",
        ),
        ("open('/srv/app/x.db', 'w').write('1')", "", "it writes /srv/app/x.db, beside the program's own /srv/app/app.py"),
        ("open('/state.db', 'w').write('1')", "", "it writes /state.db, beside the program's own /"),
    ],
)
def test_what_stands_in_the_way(does: str, service: str, why: str, tmp_path: Path) -> None:
    found = outcome(tmp_path, project(does, service))
    assert found.status is not Status.APPLIED
    assert why in found.why


@pytest.mark.parametrize(
    ("does", "service"),
    [
        ("", "volumes: [data:/srv/app/state]"),  # nothing is written there, and nobody else has put anything in it
        ("import tempfile\ntempfile.TemporaryFile()", ""),
        ("import tempfile\ntempfile.TemporaryFile()", "tmpfs: [/tmp]"),
        ("", "tmpfs: ['/srv/app/cache:uid=10001,gid=10001']"),
        ("", "cap_add: [CHOWN]"),
        ("", "read_only: true"),
        ("import http.server as h\nh.HTTPServer(('', 80), h.SimpleHTTPRequestHandler).serve_forever()", ""),
    ],
)
def test_what_does_not(does: str, service: str, tmp_path: Path) -> None:
    assert outcome(tmp_path, project(does, service)).status is Status.APPLIED


@pytest.mark.parametrize(
    "run",
    [
        "--mount=type=secret,id=key,mode=0444 cp /run/secrets/key /etc/key",
        "--mount=type=secret,id=key cat /run/secrets/key > /etc/key",
        "--mount=type=secret,id=key,target=/k cp /etc/hosts /etc/key",
        "--mount=type=secret,id=key,env=KEY cp /run/secrets/key /etc/key",
    ],
)
def test_a_secret_of_the_build_that_everybody_may_read_is_not_in_the_way(run: str, tmp_path: Path) -> None:
    assert outcome(tmp_path, project("", "", "", f"RUN {run}\n")).status is Status.APPLIED


def test_a_low_port_is_in_the_way_where_nobody_knows_the_network(tmp_path: Path) -> None:
    serves = "import http.server as h\nh.HTTPServer(('', 80), h.SimpleHTTPRequestHandler).serve_forever()"
    found = outcome(tmp_path, project(serves, None))
    assert found.status is Status.HELD_BACK
    assert "it binds port 80" in found.why


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("", "RUN chmod 600 app.py\n", "line 4 closes app.py to others"),
        ("", "RUN chmod -R go-rwx /srv\n", "line 4 closes /srv to others"),
        ("", "RUN chmod u+x app.py\n", "line 4 closes app.py to others"),  # what root starts, nobody else does
        ("", "COPY --chmod=0600 app.py key\n", "line 4 gives what it copies the mode 0600"),
        ("", "ADD https://example.com/model.bin /models/\n", "what line 4 downloads can be read by its owner only"),
        ("", "RUN umask 077 && mkdir /models\n", "line 4 closes what it makes to others"),
        ("", "RUN --mount=type=secret,id=key cp /run/secrets/key /etc/key\n", "line 4 copies a secret with its mode"),
        ("", "RUN --mount=type=secret,id=k,dst=/k/a,mode=0440 cp -r /k /etc\n", "line 4 copies a secret with its mode"),
        ("RUN pip install --user flask\n", "", "line 3 (`pip`) may put into root's home what it starts or reads"),
        ("RUN python -m nltk.downloader punkt\n", "", "line 3 (`python`) may put into root's home"),
        ("RUN python -c 'import whisper; whisper.load_model(1)'\n", "", "line 3 (`python`) may put into root's home"),
        ("RUN playwright install chromium\n", "", "line 3 (`playwright`) may put into root's home"),
        ("RUN poetry install --no-root\n", "", "line 3 (`poetry`) may put into root's home"),
        (
            "FROM python:3.12-slim AS b\nRUN touch x && chmod 400 x\nFROM python:3.12-slim\nWORKDIR /srv/app\n",
            "COPY --from=b x .\n",
            "closes x",
        ),
    ],
)
def test_what_a_build_closes_or_hides_is_in_the_way(before: str, after: str, why: str, tmp_path: Path) -> None:
    found = outcome(tmp_path, project("", "", before, after))
    assert found.status is Status.HELD_BACK
    assert why in found.why


def test_a_build_with_very_many_secrets_takes_no_time() -> None:
    """Each of its copies was compared with each of them: these took 38 seconds."""
    mounts = " \\\n".join(f"--mount=type=secret,id=k{number}" for number in range(1_000))
    text = f"FROM alpine\nRUN {mounts} \\\n" + " && \\\n".join(["cp a b c"] * 2_000) + "\n"
    stage = DockerStage(Source("Dockerfile", text), parse(text))
    begin = time.process_time()
    assert any("copies a secret" in why for why, _ in closing(stage))
    assert time.process_time() - begin < 3


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("RUN pip install --no-cache-dir flask\n", ""),
        ("RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*\n", ""),
        ("", "RUN chmod +x app.py && chmod -R a+rX /srv && chmod 755 app.py\n"),
        ("", "RUN python -m compileall .\n"),
        ("ENV PLAYWRIGHT_BROWSERS_PATH=/browsers\nRUN playwright install chromium\n", ""),
        ("RUN poetry config virtualenvs.create false && poetry install\n", ""),
        ("", "COPY --chmod=0755 app.py start\n"),
    ],
)
def test_what_a_build_usually_does_is_not(before: str, after: str, tmp_path: Path) -> None:
    assert outcome(tmp_path, project("", "", before, after)).status is Status.APPLIED


def test_the_mode_of_the_context_itself_counts_only_where_it_makes_the_folder(tmp_path: Path) -> None:
    """BuildKit gives a new folder the mode of the one that is copied; `WORKDIR` has made this one before."""
    there = project("", "", "", "COPY . .\n")
    assert outcome(tmp_path / "there", there, {".": 0o700}).status is Status.APPLIED
    new = project("", "", "", "COPY . /srv/new\n")
    assert outcome(tmp_path / "open", new, {".": 0o755}).status is Status.APPLIED
    found = outcome(tmp_path / "closed", new, {".": 0o700})
    assert found.why == "the build context can be read or started by its owner only"


@pytest.mark.parametrize(
    ("name", "mode"),
    [("key.pem", 0o600), ("key.pem", 0o640), ("conf", 0o700), ("start", 0o744)],
)
def test_a_file_that_only_its_owner_may_read_or_start_is_in_the_way(name: str, mode: int, tmp_path: Path) -> None:
    """COPY keeps the modes of the context, and makes everything root's."""
    more = {"conf/settings.py": "", "key.pem": "", "start": "#!/bin/sh\n"}
    found = outcome(tmp_path, project("", "", "", "COPY . .\n", more), {name: mode})
    assert found.status is Status.HELD_BACK
    assert f"{name} can be read or started by its owner only" in found.why


def test_a_closed_file_that_is_not_copied_does_not_count(tmp_path: Path) -> None:
    assert outcome(tmp_path, project("", "", "", "", {"key.pem": ""}), {"key.pem": 0o600}).status is Status.APPLIED


def test_a_closed_file_that_is_mounted_counts(tmp_path: Path) -> None:
    files = project("", "volumes: ['./conf:/conf:ro']", "", "", {"conf/key.pem": ""})
    assert outcome(tmp_path, files).status is Status.APPLIED
    assert outcome(tmp_path, files, {"conf/key.pem": 0o600}).status is Status.HELD_BACK


# What is handed over.


def written(folder: Path, files: dict[str, str], unsafe: bool = False) -> str:
    result = harden(folder, {name: text.encode() for name, text in files.items()}, unsafe=unsafe)
    return result.files["Dockerfile"].decode()


def test_only_what_it_writes_is_handed_over(tmp_path: Path) -> None:
    text = written(tmp_path, project(WRITES_DATA))
    assert "mkdir -p /srv/app/state" in text
    assert "chown -R app:app /srv/app/state" in text
    assert text.index("chown -R app:app /srv/app/state") < text.index("USER ")


def test_a_file_without_an_extension_is_not_made_a_folder(tmp_path: Path) -> None:
    text = written(tmp_path, project("open('/srv/state/counter', 'w').write('1')"))
    assert "/srv/state/counter" not in text
    assert "chown -R app:app /srv/state" in text


def test_a_folder_that_is_made_already_is_not_made_again(tmp_path: Path) -> None:
    text = written(tmp_path, project(WRITES_DATA, "", "RUN mkdir -p state\n"))
    assert "mkdir -p /srv/app/state" not in text
    assert "chown -R app:app /srv/app/state" in text


def test_a_folder_of_a_folder_is_handed_over_once(tmp_path: Path) -> None:
    text = written(tmp_path, project(WRITES_DATA + "\nopen('/srv/app/state/deep/y.db', 'w').write('1')"))
    assert "chown -R app:app /srv/app/state &&" in text or text.count("/srv/app/state/deep") == 0


def test_what_everybody_may_write_is_not_handed_over(tmp_path: Path) -> None:
    assert "chown" not in written(tmp_path, project("open('/tmp/x', 'w').write('1')"))


def test_existing_data_is_left_to_its_owner_with_the_command_for_it(tmp_path: Path) -> None:
    found = outcome(tmp_path, project(WRITES_DATA, "volumes: [data:/srv/app/state]"))
    assert found.finding.fix is not None
    assert found.finding.fix.migration == (
        "before the next start: docker compose run --rm --no-deps --user 0:0 --cap-add CHOWN --cap-add DAC_OVERRIDE "
        "--entrypoint chown web -R app:app /srv/app/state (the way back is the same with 0:0)"
    )


# Who runs it.

BOTH = """services:
  web:
    build: .
  worker:
    build: .
    command: ["python", "worker.py"]
volumes: {data: }
"""


def test_every_service_of_a_dockerfile_counts(tmp_path: Path) -> None:
    files = project() | {"compose.yaml": BOTH, "worker.py": APP.format("")}
    files["Dockerfile"] = DOCKERFILE.format("", "COPY worker.py .\n")
    assert outcome(tmp_path / "harmless", files).status is Status.APPLIED
    files["worker.py"] = APP.format("import os\nos.chown('/srv/app/x', 5, 5)")
    found = outcome(tmp_path / "chowns", files)
    assert found.status is Status.HELD_BACK
    assert "as root it uses CHOWN" in found.why


def test_a_service_that_starts_what_nobody_knows_holds_it_back_for_all(tmp_path: Path) -> None:
    files = project() | {"compose.yaml": BOTH.replace("worker.py", "-m someones.worker")}
    assert outcome(tmp_path, files).status is Status.HELD_BACK


def test_what_one_of_them_writes_is_handed_over_for_both(tmp_path: Path) -> None:
    files = project() | {"compose.yaml": BOTH, "worker.py": APP.format(WRITES_DATA)}
    files["Dockerfile"] = DOCKERFILE.format("", "COPY worker.py .\n")
    assert "chown -R app:app /srv/app/state" in written(tmp_path, files)


def test_a_service_with_a_user_of_its_own_has_no_say(tmp_path: Path) -> None:
    files = project() | {"compose.yaml": BOTH + "\n", "worker.py": APP.format("import os\nos.chown('/srv/app/x', 5, 5)")}
    files["compose.yaml"] = BOTH.replace(
        '    command: ["python", "worker.py"]', '    command: ["python", "worker.py"]\n    user: "5:5"'
    )
    files["Dockerfile"] = DOCKERFILE.format("", "COPY worker.py .\n")
    assert outcome(tmp_path, files).status is Status.APPLIED


def test_a_dockerfile_alone_is_judged_by_its_own_command(tmp_path: Path) -> None:
    assert outcome(tmp_path / "a", project("", None)).status is Status.APPLIED
    found = outcome(tmp_path / "b", project(WRITES_DATA, None, "VOLUME /srv/app/state\n"))
    assert found.status is Status.HELD_BACK
    assert "whether what /srv/app/state holds already belongs to it" in found.why


def test_variables_that_whoever_starts_it_may_set_are_not_known(tmp_path: Path) -> None:
    """Alone it may be started with any DATA; as a service it has the one that is written."""
    does = "import os\nopen(os.environ['DATA'] + '/x.db', 'w').write('1')"
    assert outcome(tmp_path / "a", project(does, None)).status is Status.HELD_BACK
    assert outcome(tmp_path / "b", project(does, "environment: {DATA: /srv/state}")).status is Status.APPLIED
    assert outcome(tmp_path / "c", project(does, "environment: {DATA: /srv/state}\nenv_file: [not-here.env]")).status is not None


def test_the_user_that_is_written_decides_whose_a_tmpfs_is(tmp_path: Path) -> None:
    """The Dockerfile is planned first: the Compose file is judged with it as it will be, and so again the next time."""
    files = project("open('/run/app/app.pid', 'w').write('1')")
    result = harden(tmp_path / "first", {name: text.encode() for name, text in files.items()}, unsafe=False)
    assert "USER 10001:10001" in result.files["Dockerfile"].decode()
    assert "/run/app:uid=10001,gid=10001" in result.files["compose.yaml"].decode()
    again = harden(tmp_path / "again", result.files, unsafe=False)
    assert again.files == result.files
    assert again.quiet


def test_without_a_fix_of_the_dockerfile_a_tmpfs_is_roots(tmp_path: Path) -> None:
    files = project("open('/run/app/app.pid', 'w').write('1')", "volumes: [/var/run/docker.sock:/var/run/docker.sock]")
    result = harden(tmp_path, {name: text.encode() for name, text in files.items()}, unsafe=False)
    assert "USER" not in result.files["Dockerfile"].decode()
    text = result.files["compose.yaml"].decode()
    assert "- /run/app  #" in text
    assert "DAC_OVERRIDE" in text


def test_what_compose_copies_into_a_container_is_not_made_impossible(tmp_path: Path) -> None:
    """`docker compose watch` fails on a read-only root: "container rootfs is marked read-only"."""
    files = project("", "develop: {watch: [{action: sync, path: ., target: /srv/app}]}")
    result = harden(tmp_path, {name: text.encode() for name, text in files.items()}, unsafe=False)
    assert "read_only" not in result.files["compose.yaml"].decode()
    assert "cap_drop" in result.files["compose.yaml"].decode()


def test_what_is_mounted_from_other_containers_is_not_known(tmp_path: Path) -> None:
    files = project()
    files["compose.yaml"] = files["compose.yaml"].replace(
        "    build: .\n", "    build: .\n    volumes_from: [db]\n  db:\n    image: redis:7\n", 1
    )
    found = outcome(tmp_path, files)
    assert found.status is Status.HELD_BACK
    assert "other containers" in found.why


@pytest.mark.parametrize(
    ("image", "port", "held"), [("example/vote", 80, True), ("nginx:1.27", 80, False), ("example/vote", 8080, False)]
)
def test_a_low_port_is_roots_where_pods_may_run_the_image_under_another_name(
    tmp_path: Path, image: str, port: int, held: bool
) -> None:
    app = f'from http.server import HTTPServer, SimpleHTTPRequestHandler as H\n\nHTTPServer(("", {port}), H).serve_forever()\n'
    files = {
        "compose.yaml": "services: {vote: {build: ./app}}\n",
        "app/Dockerfile": 'FROM python:3.12-slim\nWORKDIR /app\nCOPY app.py .\nCMD ["python", "app.py"]\n',
        "app/app.py": app,
        "pod.yaml": f"apiVersion: v1\nkind: Pod\nmetadata: {{name: v}}\nspec: {{containers: [{{name: v, image: '{image}'}}]}}\n",
    }
    project = {name: text.encode() for name, text in files.items()}
    report = harden(tmp_path, project, unsafe=False, select=("root-user",)).report
    (outcome,) = (one for one in report.outcomes if one.finding.place.path == "app/Dockerfile")
    assert outcome.status.value == ("held-back" if held else "applied"), outcome
    assert ("binds port 80" in outcome.why) == held
