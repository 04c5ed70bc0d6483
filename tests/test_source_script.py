"""What shell scripts do: their own commands, their variables, and the programs that they start."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import program_of, uses

from hardener.needs.source.reading import uses_of
from hardener.needs.source.script_text import Text
from hardener.needs.source.shell_words import expand
from hardener.needs.source.uses import CAPABILITIES, EVERYTHING, WRITES, Uses, read_in

DOCKERFILE = 'FROM debian:12\nWORKDIR /app\nCOPY . /app\nENTRYPOINT ["/app/start.sh"]\nCMD ["serve", "--now"]\n'


def of(folder: Path, script: str, more: Mapping[str, str] | None = None, environment: Mapping[str, str] | None = None) -> Uses:
    return uses(folder, DOCKERFILE, {"start.sh": "#!/bin/sh\n" + script, **(more or {})}, environment)


def capabilities(found: Uses) -> set[str]:
    return {capability.name for capability in found.capabilities}


def paths(found: Uses) -> set[str]:
    return {write.path for write in found.writes}


def doubted(found: Uses) -> str:
    return "; ".join(doubt.text for doubt in found.doubts)


@pytest.mark.parametrize(
    ("read", "phrase"),
    [
        ("the script", "the script"),
        ("the command `a`|the script", "the command `a` and the script"),
        ("the command `a`|the command `b`|the script", "the commands `a` and `b`, and the script"),
        ("the command `a`|the command `b`|the command `c`|the script", "the commands `a`, `b` and `c`, and the script"),
        ("the command `a`|app.py|the command `b`|the script", "the commands `a` and `b`, app.py, and the script"),
        ("app.py|the script", "app.py and the script"),
        (
            "|".join(f"the command `{one}`" for one in "abcdef") + "|the script",
            "the commands `a`, `b`, `c` and 3 more, and the script",
        ),
    ],
)
def test_what_was_read_is_told_in_one_phrase(read: str, phrase: str) -> None:
    assert read_in(read.split("|")) == phrase


def test_the_memory_of_a_command_is_told_with_the_shell(tmp_path: Path) -> None:
    found = uses(tmp_path, "FROM debian:12\nCMD psql -c 'select 1'; sleep 1\n", {})
    assert found.memory is not None
    assert found.memory.why == "a shell and `psql`"


def test_what_some_programs_compress_with_depends_on_the_level_and_on_the_cores(tmp_path: Path) -> None:
    known = {
        name: uses(tmp_path / name, f"FROM debian:12\nCMD {name} -9 -c /etc/passwd | wc -c\n", {}) for name in ("gzip", "xz")
    }
    assert known["gzip"].memory is not None
    assert known["xz"].memory is None
    assert doubted(known["xz"]) == doubted(known["gzip"]) == ""


@pytest.mark.parametrize(
    ("command", "programs"),
    [
        ("python a.py | python b.py", 2),
        ("python a.py 2>&1 | tee log | python b.py", 2),
        ("python a.py & python b.py", 2),
        ("(python a.py) | python b.py", 2),
        ("{ python a.py; } 2>&1 | python b.py", 2),
        ("for x in 1 2; do python a.py; done < /etc/passwd | python b.py", 2),
        ("python a.py | while read -r line; do python b.py; done", 2),
        ("echo $(python a.py | python b.py)", 2),
        ("python a.py < <(python b.py)", 2),
        ("python a.py; python b.py", 1),
        ("python a.py || python b.py", 1),
        ("python a.py | grep -q x && python b.py", 1),
        ("case x in a|x) python a.py;; esac; echo $(python b.py)", 1),
    ],
)
def test_programs_that_run_at_once_need_the_memory_of_both(command: str, programs: int, tmp_path: Path) -> None:
    files = {"a.py": "print(1)\n", "b.py": "print(2)\n"}
    image = "FROM python:3.12-slim\nWORKDIR /srv\nCOPY a.py b.py ./\nCMD "
    one, found = uses(tmp_path / "one", f"{image}python a.py; true\n", files), uses(tmp_path, image + command + "\n", files)
    assert one.memory is not None
    assert found.memory is not None
    shell = 64
    assert found.memory.mib - shell == programs * (one.memory.mib - shell)
    assert found.memory.cores == (1 if programs == 1 else 0)


@pytest.mark.parametrize(
    ("script", "written"),
    [
        ("echo a > /data/x", {"/data/x"}),
        ("echo a >> log.txt 2>/dev/null", {"/app/log.txt"}),
        ("cat > /etc/app.conf <<EOF\na > /not/this\nEOF", {"/etc/app.conf"}),
        ("cd /srv\ntouch a", {"/srv/a"}),
        ("(cd /srv; touch a)\ntouch b", {"/srv/a", "/app/a", "/srv/b", "/app/b"}),
        ('cd "$(dirname "$0")/sub"\ntouch a', {"/app/sub/a"}),
        ('DIR="$(cd "$(dirname "$0")" && pwd)"\ntouch "$DIR/a"', {"/app/a"}),
        ("D=/data\nmkdir -p $D/x $D/y", {"/data/x", "/data/y"}),
        ("mkdir -p ${D:-/data}/x", {"/data/x"}),
        (': "${D:=/data}"\nmkdir -p "$D"', {"/data"}),
        ("if test -d /x; then D=/x; else D=/y; fi\ntouch $D/a", {"/x/a", "/y/a", "/a"}),
        ("D=/data\nunset D\ntouch ${D:-/other}/x", {"/data/x", "/other/x"}),
        ("for d in a b; do mkdir /data/$d; done", {"/data/a", "/data/b"}),
        ('touch "/data/$(date +%s).log"', {"/data"}),
        ('f() { touch "$1"; }\nf /data/a\nf /data/b', {"/data/a", "/data/b"}),
        ("f() {\n  local to=$1\n  touch $to\n}\nnever() {\n  touch /no\n}\nf /data/a", {"/data/a"}),
        ("trap 'rm /run/x.pid' EXIT", {"/run/x.pid"}),
        ('set -- /data/a "$@"\ntouch "$1"', {"/data/a", "/app/serve"}),
        (". ./lib.sh\nmake_it", {"/lib/made"}),
        ("sed -i s/a/b/ /etc/x.conf; envsubst < a > /etc/y.conf", {"/etc/x.conf", "/etc/y.conf"}),
        ("echo a | tee -a /data/x >/dev/stderr", {"/data/x"}),
        ("D=/data sh -c 'touch $D/x'", {"/data/x"}),
        ("export D=/data\nsh ./child.sh", {"/data/child"}),
        ("D=/data\nsh ./child.sh", {"/child"}),
    ],
)
def test_what_is_written(script: str, written: set[str], tmp_path: Path) -> None:
    found = of(tmp_path, script, {"lib.sh": "make_it() { touch /lib/made; }\n", "child.sh": "touch $D/child\n"})
    assert paths(found) == written
    assert not found.doubts


@pytest.mark.parametrize(
    "script",
    [
        'set -eu\nif [ -z "${A:-}" ]; then echo no >&2; exit 1; fi\nwhile ! nc -z db 5432; do sleep 1; done',
        'case "$1" in\n  a|b) echo x ;;\n  *) echo y ;;\nesac\nwait\ntrap - TERM',
        "until pg_isready -h db; do sleep 1; done\ncommand -v foo >/dev/null && echo yes",
        "read -r line < file; printf '%s' \"$line\" | grep -q x || true",
        'true "$@"\nexec true "$@"',
        "export A=1 B=$C; unset C; umask 027; ulimit -n 1024",
        "PID=$$; kill -0 $PID; jobs; bg; [[ $A =~ ^x ]] && return 0",
        "[ -f /etc/os-release ] && . /etc/os-release; . /opt/venv/bin/activate",
        "curl -f http://localhost/ | jq .x > /dev/null",
    ],
)
def test_what_does_nothing_that_counts(script: str, tmp_path: Path) -> None:
    found = of(tmp_path, script)
    assert (found.writes, found.capabilities, found.escalates, found.users, doubted(found)) == ((), (), (), (), "")
    assert found.memory is not None
    assert found.memory.mib <= 256


@pytest.mark.parametrize(
    ("script", "about", "text"),
    [
        ("touch $UNSET_BY_READ; read UNSET_BY_READ", {WRITES}, "`$UNSET_BY_READ`"),
        ("touch $HOME/x", {WRITES}, "$HOME/x"),
        ("touch ~/x", {WRITES}, "~/x"),
        ("find / -name x | xargs rm", {WRITES}, "$()"),
        ('read CMD; exec "$CMD"', EVERYTHING, "start.sh:2` runs"),
        ("eval $(foo)", EVERYTHING, "eval"),
        (". /elsewhere/lib.sh", EVERYTHING, "/elsewhere/lib.sh"),
        ("sh /elsewhere/run.sh", EVERYTHING, "/elsewhere/run.sh"),
        ("curl x | sh", EVERYTHING, "script that `sh` gets"),
        ("/elsewhere/program", EVERYTHING, "program"),
        ("apt-get install -y x", EVERYTHING, "installed at start"),
        ('for f in /docker-entrypoint.d/*; do . "$f"; done', EVERYTHING, "reads in"),
        ("echo '* * * * * root x' > /etc/cron.d/a; cron", EVERYTHING, "start.sh:2"),
        ("sh", EVERYTHING, "script that `sh` gets"),
    ],
)
def test_what_is_in_doubt(script: str, about: set[str], text: str, tmp_path: Path) -> None:
    found = of(tmp_path, script)
    assert any(set(doubt.about) == set(about) and text in doubt.text for doubt in found.doubts), doubted(found)


@pytest.mark.parametrize(
    ("script", "needed", "users"),
    [
        ('exec gosu app "$@"', {"SETUID", "SETGID"}, {"app"}),
        ('exec su-exec 1000:1000 "$@"', {"SETUID", "SETGID"}, {"1000:1000"}),
        ('exec setpriv --reuid=app --regid=app --init-groups "$@"', {"SETUID", "SETGID"}, {"app"}),
        ('su app -s /bin/sh -c "serve"', {"SETUID", "SETGID", "AUDIT_WRITE", "KILL"}, {"app"}),
        ("chown app /data", {"CHOWN"}, {"app"}),
        ("chown -R app:app /data", {"CHOWN", "DAC_OVERRIDE"}, {"app"}),
        ("chown root /data", {"CHOWN"}, set()),
        ("find /data ! -user app -exec chown app {} +", {"CHOWN", "DAC_OVERRIDE"}, {"app"}),
        ("chmod 644 /data/x", {"FOWNER"}, set()),
        ("chmod -R g+s /data", {"FOWNER", "DAC_OVERRIDE", "FSETID"}, set()),
        ("mkdir -p /data; chown app /data", {"CHOWN"}, {"app"}),
        ("chown app /data; touch /data/x", {"CHOWN", "DAC_OVERRIDE"}, {"app"}),
        ("cat /data/secret; chown app /data", {"CHOWN", "DAC_OVERRIDE"}, {"app"}),
        ("chown app /data; chown root /data; touch /data/x", {"CHOWN"}, {"app"}),
        ("gosu app true & pid=$!; kill $pid", {"SETUID", "SETGID", "KILL"}, {"app"}),
        ("setcap cap_net_raw+ep /x", {"SETFCAP"}, set()),
        ("ip -4 addr show eth0; ip route", set(), set()),
        ("ip link set eth0 up", {"NET_ADMIN"}, set()),
        ("iptables -A INPUT -j DROP", {"NET_ADMIN", "NET_RAW"}, set()),
        ("groupmod -g 5 app", {"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "AUDIT_WRITE", "SETUID", "SETGID"}, set()),
        ("cp -a /src /data/x", {"CHOWN", "FOWNER"}, set()),
        ("cp -r /src /data/x", set(), set()),
    ],
)
def test_which_capabilities_root_needs(script: str, needed: set[str], users: set[str], tmp_path: Path) -> None:
    found = of(tmp_path, script, {"bin/serve": "#!/bin/sh\ntrue\n"}, {"PATH": "/app/bin:/usr/bin"})
    assert capabilities(found) == needed
    assert {named.name for named in found.users} == users
    assert not found.open(CAPABILITIES)


@pytest.mark.parametrize(
    ("script", "written"),
    [
        ('case "$1" in\nserve) touch /a ;;\nwork) touch /b ;;\n*) touch /c ;;\nesac\ntouch /d', {"/a", "/d"}),
        ('case "$1" in\nw*) touch /a ;;\n*) touch /b\nesac', {"/b"}),
        ('case "${1:-none}" in (work|s[a-f]rve) touch /a;; (*) touch /b;; esac', {"/a"}),
        ("case $1 in serve) case $2 in --now) touch /a;; *) touch /b;; esac;; *) touch /c;; esac", {"/a"}),
        ('f() {\n  case "$1" in\n  x) touch /a ;;\n  *) touch /b ;;\n  esac\n}\nf x', {"/a"}),
        ('case "$ROLE" in web) touch /a ;; *) touch /b ;; esac', {"/b"}),
        # What is not known, or may have changed by then, takes them all.
        ('case "$(date)" in serve) touch /a ;; *) touch /b ;; esac', {"/a", "/b"}),
        ('read x\ncase "$x" in serve) touch /a ;; *) touch /b ;; esac', {"/a", "/b"}),
        ('case "$1" in "$2") touch /a ;; *) touch /b ;; esac', {"/a", "/b"}),
        ('case "$1" in serve) touch /a ;& work) touch /b ;; esac', {"/a", "/b"}),
        ('case "$1" in @(serve|x)) touch /a ;; *) touch /b ;; esac', {"/a", "/b"}),
        ('shift\ncase "$1" in serve) touch /a ;; --now) touch /b ;; *) touch /c ;; esac', {"/a", "/b", "/c"}),
        (
            'while [ $# -gt 0 ]; do\n  case "$1" in\n  serve) touch /a ;;\n  --now) touch /b ;;\n  x) touch /c ;;\n  esac\n'
            "  shift\ndone",
            {"/a", "/b"},
        ),
        ('f() {\n  shift\n  case "$1" in\n  x) touch /a ;;\n  *) touch /b ;;\n  esac\n}\nf x y', {"/a", "/b"}),
    ],
)
def test_of_a_case_only_what_may_be_taken_counts(script: str, written: set[str], tmp_path: Path) -> None:
    assert paths(of(tmp_path, script, environment={"ROLE": "worker"})) == written


PATTERNS = st.sampled_from(
    ["serve", "s*", "*", "work", "?????", "[a-s]*", '"serve"', "'s*'", "work|serve", "(x|--now", "$1", "--*"]
)
SUBJECTS = st.sampled_from(['"$1"', "$2", '"${2#--}"', "${3:-serve}", '"$*"', '"$NAME"', "serve"])


@settings(max_examples=60, deadline=None)
@given(SUBJECTS, st.lists(PATTERNS, min_size=1, max_size=4), st.booleans(), st.sampled_from([";;", ";;", ";;&"]))
def test_a_real_shell_takes_no_other_branch(
    tmp_path_factory: pytest.TempPathFactory, subject: str, patterns: list[str], shifted: bool, ends: str
) -> None:
    branches = "".join(f"  {pattern}) touch b{number} {ends}\n" for number, pattern in enumerate(patterns))
    script = f"{'shift' if shifted else ':'}\ncase {subject} in\n{branches}esac\ntouch end\n"
    folder, ran = tmp_path_factory.mktemp("read"), tmp_path_factory.mktemp("ran")
    found = {path.rpartition("/")[2] for path in paths(of(folder, script, environment={"NAME": "work"}))}
    subprocess.run(
        ["bash", "-c", script, "x", "serve", "--now"], cwd=ran, env={"NAME": "work", "PATH": "/bin:/usr/bin"}, check=True
    )
    assert {path.name for path in ran.iterdir()} <= found


def test_a_script_that_steps_down_by_starting_itself_ends(tmp_path: Path) -> None:
    found = of(tmp_path, 'if [ "$(id -u)" = 0 ]; then\n  chown app /data\n  exec gosu app "$0" "$@"\nfi\nexec true')
    assert capabilities(found) == {"CHOWN", "SETUID", "SETGID"}
    assert not found.doubts


def test_two_scripts_that_start_one_another_end(tmp_path: Path) -> None:
    found = of(tmp_path, "./other.sh; touch /a", {"other.sh": "#!/bin/sh\ntouch /b; ./start.sh serve --now\n"})
    assert paths(found) == {"/a", "/b"}
    assert not found.doubts


def test_the_program_behind_a_step_down_has_no_capability(tmp_path: Path) -> None:
    found = of(tmp_path, "exec gosu app sh -c 'chown x /y; ping host'")
    assert capabilities(found) == {"SETUID", "SETGID"}
    assert {named.name for named in found.escalates} == {"ping"}


def test_what_the_dockerfile_gives_away_takes_the_right_to_write(tmp_path: Path) -> None:
    dockerfile = (
        "FROM debian:12\nRUN useradd -u 1001 app && mkdir /data && chown app /data\n"
        "COPY start.sh /start.sh\nENTRYPOINT /start.sh\n"
    )
    found = uses(tmp_path, dockerfile, {"start.sh": "#!/bin/sh\ntouch /data/x\nsu-exec app true\n"})
    assert capabilities(found) == {"DAC_OVERRIDE", "SETUID", "SETGID"}
    assert {named.name for named in found.users} == {"1001:1001"}


def test_evidence_names_the_line_of_the_script(tmp_path: Path) -> None:
    found = of(tmp_path, "true\n\ntouch /a\n")
    (write,) = found.writes
    assert write.evidence.source.endswith("start.sh:4")


def test_an_entrypoint_starts_what_the_command_says(tmp_path: Path) -> None:
    program = program_of(
        tmp_path, DOCKERFILE, {"start.sh": '#!/bin/bash\nif [ "${1#-}" != "$1" ]; then\n  set -- touch "$@"\nfi\nexec "$@"\n'}
    )
    found = uses_of(program._replace(words=("/app/start.sh", "mkdir", "/made")))
    assert paths(found) >= {"/made"}
    found = uses_of(program._replace(words=("/app/start.sh", "-c", "/made")))
    assert paths(found) == {"/made"}
    assert not found.doubts


def test_a_script_of_another_language_is_for_its_reader(tmp_path: Path) -> None:
    found = of(tmp_path, "./tool", {"tool": "#!/usr/bin/env perl\nprint 1\n"})
    assert doubted(found) == "what `perl` does"


def test_what_is_too_long_is_not_read(tmp_path: Path) -> None:
    found = of(tmp_path, "true\n" * 60_000)
    assert found.open(*EVERYTHING).endswith("too long to be read")


class _Known:
    """A scope with the variables that a real shell is given."""

    def __init__(self, variables: Mapping[str, str], arguments: tuple[str, ...]) -> None:
        self._variables = variables
        self._arguments = arguments

    def values(self, name: str) -> Sequence[str | None]:
        if name.isdecimal() and name != "0":
            return [self._arguments[int(name) - 1] if int(name) <= len(self._arguments) else ""]
        return [self._variables.get(name, "")]

    def positional(self) -> Sequence[tuple[str, ...] | None]:
        return [self._arguments]

    def substitution(self, start: int, end: int) -> Sequence[str | None]:
        return [None]


@pytest.mark.parametrize(
    "word",
    [
        "$A", '"$A"', "'$A'", "a$A", "$A$B", '"$A$B"', "x${A}y", '"${A:-z}"', "${E:-z}", "${E-z}", "${A:+z}", "${E:+z}",
        '"$@"', 'a"$@"b', '"$*"', "$1", '"$2"', '"$3"', '""', "${A%.*}", "${A%%.*}", "${A#*.}", "${A##*.}", "\\$A", '"\\$A"',
        '"a\\b"', "a\\ b", "${E:-$A}", '"${E:-"q r"}"', "$B", "x$B", "$B'y'", '"$B"$B', "${E}", '"${E}"', "$E$E", "a${E}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("arguments", [(), ("one",), ("one", "t w o"), ("", "b")])
def test_words_become_what_a_shell_makes_of_them(word: str, arguments: tuple[str, ...]) -> None:
    variables = {"A": "x.y.z", "B": "p q", "E": ""}
    script = f"set -f; printf '%s\\n' START {word} END"
    done = subprocess.run(["sh", "-c", script, "sh", *arguments], env=variables, capture_output=True, text=True, check=True)
    found = expand(word, 0, _Known(variables, arguments))
    assert tuple(done.stdout.split("\n")[1:-2]) in found
    # A variable that is empty may not be set at all.
    assert len(found) == (2 if word == "${E-z}" else 1)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(
    ["touch", "$A", '"$@"', "A=1", "$(", ")", "`", "'", '"', "{", "}", "f()", "if", "fi", "case", "in", "esac", ";;", "for x in",
     "do", "done", "|", "&&", "\n", "> /x", "<<E", "E", "cd", ".", "./start.sh", "set --", "shift", "exec", "gosu", "sed -i",
     "${A:-", "find -exec", "tar", "su", "trap", "eval", "chown -R", "xargs", "local", "export", "\\", "é", "$((", "f"]
), max_size=25))  # fmt: skip
def test_odd_scripts_end_in_an_answer(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    assert of(tmp_path_factory.mktemp("odd"), " ".join(parts)).read


def test_an_init_signals_the_program_of_another_account(tmp_path: Path) -> None:
    dockerfile = 'FROM debian:12\nCOPY start.sh /\nENTRYPOINT ["tini", "--", "/start.sh"]\n'
    found = uses(tmp_path, dockerfile, {"start.sh": "#!/bin/sh\nexec gosu app true\n"})
    assert capabilities(found) == {"SETUID", "SETGID", "KILL"}
    assert capabilities(uses(tmp_path, dockerfile, {"start.sh": "#!/bin/sh\nexec true\n"})) == set()


BACKUP = """FROM debian:12
RUN apt-get install -y cron && rm -rf /etc/cron.*/*
COPY jobs /etc/cron.d/backup
COPY backup.sh /usr/local/bin/
CMD /usr/local/bin/backup.sh && exec cron -f
"""


def test_a_backup_by_cron(tmp_path: Path) -> None:
    backup = "#!/bin/sh\nset -e\nnumber=$(ls /backups | wc -l)\ntar -czf /backups/$number.tgz -C /data .\n"
    found = uses(tmp_path, BACKUP, {"jobs": "* * * * * root /usr/local/bin/backup.sh\n", "backup.sh": backup})
    # A run of this stack on an engine wrote these, and needed SETGID.
    assert {"/backups", "/run/crond.pid", "/run/crond.reboot"} <= paths(found)
    assert {"SETGID"} <= capabilities(found) <= {"SETGID", "SETUID", "AUDIT_WRITE"}
    assert not found.doubts


SFTP = """FROM debian:12
RUN apt-get install -y openssh-server && useradd -m -u 1001 foo && chown root:root /home/foo
COPY sshd_config /etc/ssh/
COPY entrypoint /
ENTRYPOINT ["/entrypoint"]
"""


def test_an_sftp_server(tmp_path: Path) -> None:
    entrypoint = (
        "#!/bin/sh\nset -e\n[ -f /etc/ssh/key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/key\n"
        "mkdir -p /home/foo/upload\nchown foo:foo /home/foo/upload\nexec /usr/sbin/sshd -D -e\n"
    )
    config = "HostKey /etc/ssh/key\nPermitRootLogin no\nUsePAM yes\nForceCommand internal-sftp\nChrootDirectory %h\n"
    found = uses(tmp_path, SFTP, {"entrypoint": entrypoint, "sshd_config": config})
    # A run of this stack on an engine wrote these, and needed these.
    assert {"/etc/ssh/key", "/etc/ssh/key.pub", "/run/motd.dynamic", "/run/sshd.pid"} <= paths(found)
    assert {"CHOWN", "SETGID", "SETUID", "SYS_CHROOT"} <= capabilities(found)
    assert "DAC_OVERRIDE" not in capabilities(found)
    assert {"1001:1001", "sshd"} == {named.name for named in found.users}
    assert not found.doubts


def test_an_sftp_client(tmp_path: Path) -> None:
    push = (
        "export SSH_ASKPASS=/askpass.sh\nwhile :; do\n  date +%s > /tmp/stamp\n"
        '  echo "put /tmp/stamp x" | sftp -q -o UserKnownHostsFile=/dev/null foo@sftp 2>/tmp/err || cat /tmp/err\n  sleep 2\ndone'
    )
    found = of(tmp_path, push)
    assert paths(found) == {"/tmp/stamp", "/tmp/err"}
    assert not found.doubts
    assert of(tmp_path, push.replace("put", "get")).open(WRITES)


@pytest.mark.parametrize(
    "script",
    [
        'if [ -n "$X" ]; then\nDATA=/srv/a\nfi\n',
        "for i in 1 2; do\nDATA=/srv/a\ndone\n",
        'case "$X" in\na)\nDATA=/srv/a\n;;\nesac\n',
        'while read -r line\ndo\nif [ "$line" ]\nthen\nDATA=/srv/a\nfi\ndone\n',
    ],
)
def test_what_stands_in_a_condition_is_not_certain_however_it_is_indented(script: str) -> None:
    text = Text(script, "start.sh")
    (found,) = [item for item in text.assigned if item.name == "DATA"]
    assert not found.certain
    (after,) = [item for item in Text(script + "AFTER=1\n", "start.sh").assigned if item.name == "AFTER"]
    assert after.certain


@pytest.mark.parametrize(
    ("first", "script", "environment", "kept"),
    [
        ("#!/bin/bash -e", "read -r a <<< $NAME", {}, {"/tmp"}),
        ("#!/usr/bin/env bash", "cat <<-'EOF'\n\ta\n\tEOF", {}, {"/tmp"}),
        ("#!/usr/bin/env -S LANG=C bash -eu -o pipefail", "cat <<EOF\na\nEOF", {}, {"/tmp"}),
        ("#!/bin/bash", "while read -r a; do :; done <<EOF\na\nEOF", {"TMPDIR": "/srv/tmp"}, {"/srv/tmp"}),
        ("#!/bin/bash", "cat<<EOF\na\nEOF", {}, {"/tmp"}),
        ("#!/bin/bash", "echo $((1 << 3)) $((2<<4)) < /etc/passwd", {}, set()),
        # dash, and the shell of busybox, hand them on by a pipe.
        ("#!/bin/sh", "cat <<EOF\na\nEOF", {}, set()),
    ],
)
def test_bash_keeps_a_here_document_in_a_file(
    tmp_path: Path, first: str, script: str, environment: Mapping[str, str], kept: set[str]
) -> None:
    found = uses(tmp_path, DOCKERFILE, {"start.sh": f"{first}\n{script}\n"}, environment)
    assert paths(found) == kept


def test_a_here_document_of_a_file_that_bash_reads_in_counts(tmp_path: Path) -> None:
    more = {"start.sh": "#!/bin/bash\n. /app/lib.sh\n", "lib.sh": "cat <<EOF\na\nEOF\n"}
    assert paths(uses(tmp_path, DOCKERFILE, more)) == {"/tmp"}


@pytest.mark.parametrize("both", ["python a.py | python b.py", "python a.py & python b.py"])
def test_what_runs_at_once_in_a_file_that_is_read_in_counts(both: str, tmp_path: Path) -> None:
    files = {"a.py": "print(1)\n", "b.py": "print(2)\n", "start.sh": "#!/bin/sh\n. /srv/lib.sh\n"}
    image = 'FROM python:3.12-slim\nWORKDIR /srv\nCOPY . ./\nCMD ["/srv/start.sh"]\n'
    after = uses(tmp_path / "after", image, files | {"lib.sh": "python a.py; python b.py\n"})
    at_once = uses(tmp_path / "at-once", image, files | {"lib.sh": f"{both}\n"})
    assert after.memory is not None
    assert at_once.memory is not None
    assert at_once.memory.mib > after.memory.mib


@pytest.mark.parametrize("text", ["a | ", "a <}", "a ; ", "(a) ", "$(a ", "a )", "{ a; } < b ", "a > "])
def test_looking_for_pipes_takes_no_time(text: str) -> None:
    script = Text(text * (50_000 // len(text)), "start.sh")
    begin = time.process_time()
    assert script.has_pipe in (True, False)
    assert time.process_time() - begin < 1
