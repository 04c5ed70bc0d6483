"""What the hazards of Dockerfiles are recognised by, piece by piece; whole files are cases in `fixtures/`."""

from __future__ import annotations

from pathlib import Path

import dockerfile as buildkit  # type: ignore[import-not-found]
import pytest
from conftest import harden
from hypothesis import given
from hypothesis import strategies as st

from hardener.facts.dockerfile import DockerStage, Script
from hardener.needs.stage import StageNeeds
from hardener.rules import load
from hardener.rules._key_files import credentials
from hardener.rules.add_instead_of_copy import kind_of
from hardener.rules.package_signature_disabled import switched_off
from hardener.rules.remote_script_to_shell import fetched_and_run
from hardener.rules.secret_in_image import kinds_in
from hardener.rules.setuid_binaries import set_uid_files, sets_uid
from hardener.source import Source
from hardener.syntax import shell
from hardener.syntax.dockerfile import DockerfileError, parse

FIXTURES = Path(__file__).parent.parent / "fixtures" / "add-instead-of-copy"


def script(text: str) -> Script:
    item = parse("FROM a\nRUN x\n").instructions[1]
    return Script(item, text, shell.commands(text))


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (".", "copied"),
        ("./", "copied"),
        ("src/", "copied"),
        ("app.py", "copied"),
        ("dist/*.js", "copied"),
        (".env", "copied"),
        ("app-$VERSION.jar", "copied"),
        ("src", "unknown"),
        ("tool-1.2", "unknown"),
        ("disk.img", "unknown"),
        ("a.tar", "only-add"),
        ("a.tar.gz", "only-add"),
        ("A.TGZ", "only-add"),
        ("a.zst", "only-add"),
        ("https://example.com/a.py", "only-add"),
        ("git@example.com:a/b.git", "only-add"),
        ("github.com/a/b", "only-add"),
        ("$SOURCE", "either"),
        ("$SOURCE.py", "either"),
        ("dist/*", "either"),
        ("dist/app-$VERSION", "either"),
    ],
)
def test_what_add_would_do_is_told_by_the_name(source: str, kind: str) -> None:
    assert kind_of(source)[0] == kind


@pytest.mark.parametrize("source", ["./.src", "conf.d", "app.jar"])
def test_a_name_does_not_tell_a_file_from_a_folder(source: str) -> None:
    kind, why = kind_of(source)
    assert (kind, source in why, "file" in why, "folder" in why) == ("copied", True, False, False)


@pytest.mark.parametrize("case", sorted(folder.name for folder in FIXTURES.iterdir()))
def test_a_builder_reads_the_same_with_copy_for_add(case: str, tmp_path: Path) -> None:
    """BuildKit's own parser finds the same instructions with the same words, but for the one keyword."""
    before = (FIXTURES / case / "before" / "Dockerfile").read_text()
    after = harden(tmp_path, {"Dockerfile": before.encode()}, select=("add-instead-of-copy",)).files["Dockerfile"].decode()
    was, now = (buildkit.parse_string(text) for text in (before, after))
    assert [(c.flags, c.value, c.json, c.start_line) for c in was if c.cmd.lower() != "onbuild"] == [
        (c.flags, c.value, c.json, c.start_line) for c in now if c.cmd.lower() != "onbuild"
    ]
    changed = [(a.cmd.lower(), b.cmd.lower()) for a, b in zip(was, now, strict=True) if a.cmd.lower() != b.cmd.lower()]
    assert set(changed) <= {("add", "copy")}


@pytest.mark.parametrize("mode", ["4755", "04755", "6755", "7777", "u+s", "+s", "a+s", "ug+sx", "u=rwxs", "go-w,u+s"])
def test_modes_that_set_the_bit(mode: str) -> None:
    assert sets_uid(mode)


@pytest.mark.parametrize("mode", ["", "755", "0755", "2775", "1777", "g+s", "u-s", "a-s", "+x", "u+x,g+s", "$MODE", "9" * 5000])
def test_modes_that_do_not(mode: str) -> None:
    assert not sets_uid(mode)


@given(st.integers(0, 0o7777))
def test_a_number_sets_the_bit_as_the_kernel_reads_it(mode: int) -> None:
    assert sets_uid(f"{mode:o}") == bool(mode & 0o4000)


def test_files_that_get_the_bit() -> None:
    def files(text: str) -> list[str]:
        return [file for command in shell.commands(text) for file in set_uid_files(command.words)]

    assert files("chmod -R u+s /a /b && sudo chmod 4755 /c") == ["/a", "/b", "/c"]
    assert files("install -o root -m4755 x /d") == ["/d"]
    assert files("install --mode=755 x /d; chmod a-s /e; echo chmod") == []


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("curl https://a.example | sh", ["a.example"]),
        ("curl -sSL https://a.example/x | sudo -E bash -", ["a.example"]),
        ("(curl https://a.example | FOO=1 sh -s -- -y)", ["a.example"]),
        ("wget -qO- https://a.example | tee log | bash", ["a.example"]),
        ("bash <(curl https://a.example)", ["a.example"]),
        ('sh -c "$(curl https://a.example)" x', ["a.example"]),
        ('eval "$(wget -O- https://a.example)"', ["a.example"]),
        ("su - web -c 'curl https://a.example | bash'", ["a.example"]),
        ("curl https://a.example | python3 -", ["a.example"]),
        ("curl https://u:p4ssw0rd@a.example/?token=x | sh", ["a.example"]),
        ("curl https://a.example | python3 -c 'import sys'", []),
        ("curl https://a.example | python3 -m json.tool", []),
        ("curl https://a.example | sh read.sh", []),
        ("curl https://a.example | grep sh", []),
        ("curl https://a.example -o sh; sh sh", []),
        ("curl https://a.example || sh", []),
        ("curl https://a.example > x; cat x | sh", []),
        ("bash x.sh $(curl https://a.example)", []),
        ("curl http://localhost/x | sh", []),
        ("echo 'a  b' | sha256sum -c; curl https://a.example | sh", []),
    ],
)
def test_scripts_that_run_as_they_arrive(text: str, hosts: list[str]) -> None:
    assert list(fetched_and_run(script(text))) == hosts


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("apt-get -y install --force-yes a", ["apt-get --force-yes"]),
        ("sudo dnf install --nogpgcheck a", ["dnf --nogpgcheck"]),
        ("dnf --setopt=gpgcheck=0 install a", ["dnf --setopt=gpgcheck=0"]),
        ("dnf --setopt=repo_gpgcheck=0 install a", []),
        ("curl -fsSLk https://a.example", ["curl -k"]),
        ("curl -o k https://a.example", []),
        ("curl -o -k https://a.example", []),
        ("curl -Hk https://a.example", []),
        ("python3 -m pip install --trusted-host a b", ["pip --trusted-host"]),
        ("python3 trusted.py --trusted-host a", []),
        ("NODE_TLS_REJECT_UNAUTHORIZED=0 npm ci", ["NODE_TLS_REJECT_UNAUTHORIZED=0"]),
        ("npm config set strict-ssl=false", ["npm strict-ssl false"]),
        ("npm config set strict-ssl true", []),
        ("echo 'deb [trusted=yes] https://a.example x main'", ["[trusted=yes]"]),
        ("echo 'deb [trusted=yes] file:/x ./'", []),
        ("sed -i s/gpgcheck=0/gpgcheck=1/ x", []),
    ],
)
def test_what_switches_verification_off(text: str, what: list[str]) -> None:
    assert [switch for switch, _ in switched_off(script(text))] == what


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("id_rsa", True),
        ("keys/id_ed25519", True),
        ("id_rsa.pub", False),
        ("tls/server.key", True),
        ("privkey.pem", True),
        ("cert.pem", False),
        ("public-key.pem", False),
        ("nginx_signing.key", False),
        (".env", True),
        (".env.example", False),
        (".npmrc", False),
        (".netrc", True),
        ("home/.aws/credentials", True),
        ("monkey", False),
    ],
)
def test_files_that_hold_credentials_by_their_name(path: str, found: bool) -> None:
    assert bool(credentials(path, "/x/", lambda _: None)) == found


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        (".npmrc", "//r.example/:_authToken=0123456789abcdef", True),
        (".npmrc", "//r.example/:_authToken=${TOKEN}", False),
        (".env", "PORT=80\nNAME=web\n", False),
        (".env", "DB_PASSWORD=hunter2\n", True),
        ("server.key", "-----BEGIN CERTIFICATE-----", False),
    ],
)
def test_a_file_that_can_be_read_speaks_for_itself(path: str, text: str, found: bool) -> None:
    assert bool(credentials(path, "/x/", {path: text}.get)) == found


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("git clone https://me:Zx81spectrum@a.example/b.git", 1),
        ("git clone https://me:$TOKEN@a.example/b.git", 0),
        ("curl -u me:hunter2 https://a.example", 1),
        ("curl -u me:$PW https://a.example", 0),
        ("echo root:toor | chpasswd", 1),
        ("echo root:$PW | chpasswd", 0),
        ("echo 'root:$6$abc' | chpasswd -e", 0),
        ("tool --password hunter2", 1),
        ("tool --password $PW", 0),
        ("adduser --disabled-password web", 0),
        ("pip install --user me:package", 0),
    ],
)
def test_secrets_in_commands_are_found_and_never_shown(text: str, count: int) -> None:
    kinds = list(kinds_in(script(text)))
    assert len(kinds) == count
    assert not any(secret in kind for kind in kinds for secret in ("hunter2", "toor", "Zx81"))


def test_no_secret_is_shown_by_any_rule(tmp_path: Path) -> None:
    text = (
        "FROM debian\nENV DB_PASSWORD=hunter2hunter2\nARG API_TOKEN=q7Zk2mXw9Rt4bLs8Vn3c\n"
        "RUN curl -k https://me:hunter2hunter2@a.example/x?token=q7Zk2mXw9Rt4bLs8Vn3c | sh\n"
    )
    report = harden(tmp_path, {"Dockerfile": text.encode()}).report
    assert {"secret-in-image", "remote-script-to-shell"} <= {outcome.finding.rule for outcome in report.outcomes}
    for outcome in report.outcomes:
        assert "hunter2" not in repr(outcome.finding)
        assert "q7Zk2m" not in repr(outcome.finding)


def test_every_stage_is_judged_and_only_some_ship(tmp_path: Path) -> None:
    setuid = "RUN chmod 4755 /x\n"
    text = f"FROM a:1 AS b\n{setuid}FROM b AS c\n{setuid}FROM d:1 AS e\n{setuid}FROM b\n{setuid}CMD x\n"
    select = ("setuid-binaries",)
    assert [line.split()[0] for line in harden(tmp_path / "1", {"Dockerfile": text.encode()}, select=select).lines] == [
        "Dockerfile:2",
        "Dockerfile:8",
    ]
    compose = b'services:\n  s:\n    build: {context: ., target: e}\n    user: "1"\n'
    files = {"Dockerfile": text.encode(), "compose.yaml": compose}
    assert [line.split()[0] for line in harden(tmp_path / "2", files, select=select).lines] == [
        "Dockerfile:2",
        "Dockerfile:6",
        "Dockerfile:8",
    ]


@given(st.text(alphabet="curlwgetsh -|&;$()<>`'\"\\\n{}=:/@k+4 ", max_size=80))
def test_no_script_makes_a_rule_fail(text: str) -> None:
    dockerfile = f"FROM a\nRUN <<EOF\ncurl chmod sudo token {text}\nEOF\n"
    try:
        tree = parse(dockerfile)
    except DockerfileError:  # what no builder reads is for other tests
        return
    stage = DockerStage(Source("Dockerfile", dockerfile), tree)
    for rule in load("stage"):
        if rule.stage is not None and rule.id not in ("root-user", "missing-healthcheck"):
            list(rule.stage(stage, StageNeeds(stage)))
