"""What well-known commands do, and the daemons that start others: cron, supervisord, sshd."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import program_of, uses

from hardener.needs.source.command import _SPECIAL, _commands
from hardener.needs.source.reading import uses_of
from hardener.needs.source.uses import CAPABILITIES, ESCALATION, EVERYTHING, USERS, WRITES, Uses


def run(folder: Path, *words: str, environment: Mapping[str, str | None] | None = None) -> Uses:
    program = program_of(folder, 'FROM debian:12\nWORKDIR /app\nCMD ["true"]\n', {})
    return uses_of(program._replace(words=words, environment=environment or {}))


def paths(found: Uses) -> set[str]:
    return {write.path for write in found.writes}


def capabilities(found: Uses) -> set[str]:
    return {capability.name for capability in found.capabilities}


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("cat /etc/passwd", set()),
        ("curl -fsSo /tmp/x http://a", {"/tmp/x"}),
        ("curl --output=x http://a", {"/app/x"}),
        ("curl -O http://a/x", {"/app"}),
        ("curl -o /dev/null -w %{http_code} http://a", set()),
        ("wget http://a/x", {"/app"}),
        ("wget -qO- http://a", set()),
        ("wget -q -O /tmp/x http://a", {"/tmp/x"}),
        ("wget --spider http://a", set()),
        ("wget -P /data http://a", {"/data"}),
        ("sed -n 1p x", set()),
        ("sed -i.bak s/a/b/ x y", {"/app/x", "/app/y"}),
        ("sed -i -e s/a/b/ -e s/c/d/ x", {"/app/x"}),
        ("sed -ri s/a/b/ x", {"/app/x"}),
        ("tar czf /b/x.tgz -C /data .", {"/b/x.tgz"}),
        ("tar -tzf x.tgz", set()),
        ("tar -xzf x.tgz -C /srv", {"/srv"}),
        ("tar x", {"/app"}),
        ("gzip -c x", set()),
        ("gzip x", {"/app/x"}),
        ("sort -o y x", {"/app/y"}),
        ("sort -k 2 x", set()),
        ("cp a b /dest", {"/dest"}),
        ("cp -t /dest a b", {"/dest"}),
        ("mv a /dest", {"/app/a", "/dest"}),
        ("ln -sf a /dest", {"/dest"}),
        ("dd if=/dev/zero of=/data/x bs=1", {"/data/x"}),
        ("find /data -name x -delete", {"/data"}),
        ("find /data -exec rm {} ;", {"/data"}),
        ("find . -type f", set()),
        ("mktemp -d", {"/tmp"}),
        ("flock -n 9", set()),
        ("flock -n /run/lock touch /a", {"/run/lock", "/a"}),
        ("xargs -n 1 echo", set()),
        ("timeout 5 touch /a", {"/a"}),
        ("busybox touch /a", {"/a"}),
        ("wait-for-it.sh db:5432 -t 30 -- touch /a", {"/a"}),
        ("dockerize -wait tcp://db:1 -template /a.tmpl:/etc/a touch /b", {"/etc/a", "/b"}),
        ("pg_dump -h db -f /b/x.sql app", {"/b/x.sql"}),
        ("openssl req -x509 -keyout /k -out /c -subj /CN=x", {"/k", "/c"}),
        ("openssl s_client -connect a:1", set()),
        ("ssh-keygen -q -N  -f /etc/ssh/key", {"/etc/ssh/key", "/etc/ssh/key.pub"}),
        ("ssh-keygen -A", {"/etc/ssh"}),
        ("ssh -o UserKnownHostsFile=/dev/null h ls", set()),
        ("rsync -a /a/ /b/", {"/b"}),
        ("git clone http://x /srv/x", {"/srv/x"}),
        ("git rev-parse HEAD", set()),
        ("awk {print$1} x", set()),
        ("chmod +x /app/x", {"/app/x"}),
        ("chown -R app: /data", {"/data"}),
    ],
)
def test_what_commands_write(line: str, written: set[str], tmp_path: Path) -> None:
    found = run(tmp_path, *line.split(" "))
    assert paths(found) == written
    assert not found.open(WRITES, CAPABILITIES)


@pytest.mark.parametrize(
    ("line", "about"),
    [
        ("pip install x", EVERYTHING),
        ("npm-of-another-kind", EVERYTHING),
        ("ssh h ls", {WRITES}),
        ("sftp h", {WRITES}),
        ("awk {system(x)}", EVERYTHING),
        ("sed -f script x", {WRITES}),
        ("tar --use-compress-program x -cf y z", EVERYTHING),
        ("cron -f", EVERYTHING),
        ("supervisord -n", EVERYTHING),
        ("service mysql start", EVERYTHING),
        ("run-parts /etc/cron.daily", EVERYTHING),
        ("chown $U /data", {USERS}),
        ("crontab -", EVERYTHING),
    ],
)
def test_what_stays_in_doubt(line: str, about: set[str], tmp_path: Path) -> None:
    found = run(tmp_path, *line.split(" "))
    assert any(set(doubt.about) == set(about) for doubt in found.doubts), found.doubts


def test_home_is_where_ssh_notes_hosts(tmp_path: Path) -> None:
    assert paths(run(tmp_path, "ssh", "h", environment={"HOME": "/home/a"})) == {"/home/a/.ssh"}


def test_sudo_has_to_gain_privileges(tmp_path: Path) -> None:
    found = run(tmp_path, "sudo", "-u", "app", "A=1", "touch", "/x")
    assert [named.name for named in found.escalates] == ["sudo"]
    assert paths(found) == {"/x"}
    assert [named.name for named in found.users] == ["app"]


def test_a_file_of_the_project_is_not_the_command_of_that_name(tmp_path: Path) -> None:
    program = program_of(tmp_path, 'FROM debian:12\nCOPY curl /usr/bin/curl\nCMD ["/usr/bin/curl"]\n', {"curl": "\0binary"})
    assert uses_of(program).open(*EVERYTHING) == "what `curl` does"


@pytest.mark.parametrize(
    "line", ["touch a", "cp x b", "mkdir c", "tee d", "sort -o e x", "sed -i s/a/b/ x", "tar cf f x", "ln -s x g"]
)
def test_what_a_command_really_writes_is_named(line: str, tmp_path: Path) -> None:
    words = line.split()
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not here")
    (tmp_path / "x").write_text("a\n")
    before = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    subprocess.run(words, cwd=tmp_path, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    after = {path.name: path.lstat().st_ino for path in tmp_path.iterdir()}
    changed = {f"/app/{name}" for name, number in after.items() if before.get(name) != number}
    assert changed
    assert changed <= paths(run(tmp_path, *words))


def test_each_command_stands_in_the_table_once() -> None:
    import tomllib

    from hardener.needs.source import command

    with open(command.DATA, "rb") as file:
        tables = tomllib.load(file)
    names = [name for table in tables["command"] for name in table["names"].split()]
    assert sorted(names) == sorted(set(names))
    assert {table["source"] for table in tables["command"]} <= set(tables["source"])
    known = set(
        "names valued writes creates outputs folders here not_here quiet runs own computed home no_home capabilities why "
        "with escalates memory unknown source config remote".split()
    )
    assert {key for table in tables["command"] for key in table} <= known
    assert all(("capabilities" in table) == ("why" in table) for table in tables["command"])


CRON = """FROM debian:12
RUN apt-get install -y cron && rm -rf /etc/cron.*/*
COPY crontab /etc/cron.d/app
COPY job.sh /job.sh
CMD ["cron", "-f"]
"""


def test_cron_runs_the_jobs_that_are_copied(tmp_path: Path) -> None:
    crontab = "SHELL=/bin/sh\n# m h\n*/5 * * * * root /job.sh >> /var/log/job.log 2>&1\n@daily www-data touch /data/x\n"
    found = uses(tmp_path, CRON, {"crontab": crontab, "job.sh": "#!/bin/sh\nmkdir -p /backups\n"})
    assert paths(found) == {"/backups", "/var/log/job.log", "/data/x", "/run/crond.pid", "/run/crond.reboot", "/tmp"}
    assert capabilities(found) == {"SETUID", "SETGID", "AUDIT_WRITE"}
    assert [named.name for named in found.users] == ["www-data"]
    assert not found.doubts
    assert any(write.evidence.source.endswith("crontab:3") for write in found.writes)


def test_jobs_of_packages_are_in_doubt(tmp_path: Path) -> None:
    dockerfile = CRON.replace(" && rm -rf /etc/cron.*/*", "")
    found = uses(tmp_path, dockerfile, {"crontab": "* * * * * root true\n", "job.sh": ""})
    assert "/etc/cron.daily" in found.open(CAPABILITIES)


@pytest.mark.parametrize(
    ("lines", "known"),
    [
        ('RUN echo "* * * * * root touch /a" > /etc/cron.d/x\n', True),
        ('RUN (crontab -l; echo "* * * * * touch /a") | crontab -\n', True),
        ("RUN curl http://x > /etc/cron.d/x\n", False),
        ("RUN crontab /elsewhere\n", False),
        ("COPY job.cron /job\nRUN crontab /job\n", True),
    ],
)
def test_jobs_that_the_dockerfile_writes(lines: str, known: bool, tmp_path: Path) -> None:
    dockerfile = f'FROM alpine:3.20\n{lines}CMD ["crond", "-f"]\n'
    found = uses(tmp_path, dockerfile, {"job.cron": "* * * * * touch /a\n"})
    assert bool(found.doubts) != known
    assert ("/a" in paths(found)) == known


SUPERVISOR = """
[supervisord]
nodaemon=true
logfile=/dev/null
pidfile=/run/supervisord.pid

[program:web]
command=sh -c "touch /web/%(ENV_NAME)s"
user=app
stdout_logfile=/dev/stdout
redirect_stderr=true

[program:job]
command=/usr/bin/touch %(here)s/x   ; a comment
directory=/srv
numprocs=2
"""


def test_supervisord_starts_what_its_configuration_says(tmp_path: Path) -> None:
    dockerfile = (
        "FROM debian:12\nRUN apt-get install -y supervisor && useradd -u 1500 app\n"
        "COPY app.conf /etc/supervisor/conf.d/app.conf\nENV NAME=n\n"
        'CMD ["supervisord", "-c", "/etc/supervisor/supervisord.conf"]\n'
    )
    found = uses(tmp_path, dockerfile, {"app.conf": SUPERVISOR})
    assert not found.doubts
    assert {"/web/n", "/etc/supervisor/x", "/run/supervisord.pid", "/var/log/supervisor"} - paths(found) <= {
        "/run/supervisord.pid"
    }
    assert capabilities(found) == {"SETUID", "SETGID", "KILL"}
    assert {named.name for named in found.users} == {"1500:1500"}


def test_a_supervisord_configuration_of_the_projects_own(tmp_path: Path) -> None:
    dockerfile = 'FROM debian:12\nCOPY app.conf /app/s.conf\nCMD ["supervisord", "-n", "-c", "/app/s.conf"]\n'
    found = uses(tmp_path, dockerfile, {"app.conf": SUPERVISOR}, {"NAME": "m"})
    assert paths(found) == {"/web/m", "/app/x", "/run/supervisord.pid", "/tmp"}
    assert found.memory is not None


SFTP = "UsePAM yes\nPermitRootLogin no\nForceCommand internal-sftp\nChrootDirectory %h\nPort 2222\n"


def test_sshd_refuses_a_folder_that_others_may_write(tmp_path: Path) -> None:
    found = uses(tmp_path, 'FROM debian:12\nCMD ["/usr/sbin/sshd", "-D"]\n', {})
    assert {write.path for write in found.writes if write.refused_by == "sshd"} == {"/run/sshd"}


@pytest.mark.parametrize(
    ("config", "port", "about"),
    [
        (SFTP, 2222, set()),
        ("PermitRootLogin no\n", 22, {ESCALATION, WRITES, "memory", "threads", USERS}),
        ("PermitRootLogin yes\n", 22, {ESCALATION, WRITES, "memory", "threads", USERS, CAPABILITIES}),
        ("PermitRootLogin no\nMatch User a\nForceCommand internal-sftp\n", 22, {ESCALATION, WRITES, "memory", "threads", USERS}),
    ],
)
def test_who_may_log_in_at_sshd(config: str, port: int, about: set[str], tmp_path: Path) -> None:
    dockerfile = 'FROM debian:12\nCOPY c /etc/ssh/sshd_config\nCMD ["/usr/sbin/sshd", "-D", "-e"]\n'
    found = uses(tmp_path, dockerfile, {"c": config})
    assert [listen.number for listen in found.listens] == [port]
    assert capabilities(found) >= {"SYS_CHROOT", "SETUID", "SETGID"}
    assert {question for doubt in found.doubts for question in doubt.about} == about


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        sorted({*_commands(), *_SPECIAL, "cron", "supervisord", "sshd", "su", "setpriv", "sudo", "start-stop-daemon"})
    ),
    st.lists(
        st.sampled_from(["-", "--", "-c", "-o", "-x", "-f", "x", "/y", "$Z", "{}", ";", "-exec", "=", "-u", "é", ":", "", "-Xf"]),
        max_size=6,
    ),
)
def test_odd_command_lines_end_in_an_answer(tmp_path_factory: pytest.TempPathFactory, name: str, words: list[str]) -> None:
    assert run(tmp_path_factory.mktemp("odd"), name, *words).read


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200), st.integers(0, len(SUPERVISOR)))
def test_odd_configurations_end_in_an_answer(tmp_path_factory: pytest.TempPathFactory, odd: str, cut: int) -> None:
    for text in (odd, SUPERVISOR[:cut] + odd, SUPERVISOR[cut:]):
        for target, program in (
            ("/etc/supervisord.conf", "supervisord"),
            ("/etc/cron.d/x", "cron"),
            ("/etc/ssh/sshd_config", "sshd"),
        ):
            folder = tmp_path_factory.mktemp("odd")
            (folder / "c").write_text(text, encoding="utf-8", errors="surrogatepass")
            assert uses(folder, f'FROM debian:12\nCOPY c {target}\nCMD ["{program}"]\n', {}).read
