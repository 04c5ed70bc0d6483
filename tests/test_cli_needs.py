"""`harden needs` and `harden why`: what is printed of what is known, as text, as JSON, and for one line of a file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from compose_oracle import write

from hardener import cli
from hardener.cli.options import COMMANDS
from hardener.finding import Strength
from hardener.render import needs as rendered

COMPOSE = """services:
  web:
    build: .
    cap_add: [CHOWN]
    cap_drop:
      - ALL
    security_opt:
      - no-new-privileges:true
    read_only: true
    tmpfs:
      - /tmp
    user: "1500:1500"
    mem_limit: 64m
    cpus: 1
    pids_limit: 100
    restart: always
    volumes:
      - data:/srv/app/state
  db:
    image: redis:7
    cap_add:
      - SETUID
      - SYS_ADMIN
    deploy:
      resources:
        limits:
          memory: 64M
  other:
    image: example/app:1
    read_only: true
volumes:
  data:
"""
DOCKERFILE = 'FROM python:3.12-slim\nWORKDIR /srv/app\nCOPY app.py .\nCMD ["python", "app.py"]\n'
APP = """import tempfile
import time

open("/srv/app/state/x.db", "w").write("1")
tempfile.TemporaryFile()
time.sleep(1000)
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "HARDEN_DEBUG", "COLUMNS", "_HARDEN_COMPLETE"):
        monkeypatch.delenv(name, raising=False)
    files = {"compose.yaml": COMPOSE, "Dockerfile": DOCKERFILE, "app.py": APP, "lone/Dockerfile": DOCKERFILE, "lone/app.py": APP}
    write(tmp_path, {name: text.encode() for name, text in files.items()})


@pytest.fixture
def harden(capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(arguments)
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return run


def line_of(text: str, after: str = "") -> int:
    """The number of the first line with a text, below one with another."""
    lines = COMPOSE.splitlines()
    start = next(at for at, line in enumerate(lines) if after in line) if after else 0
    return next(at for at, line in enumerate(lines, 1) if at > start and text in line)


# harden needs


def test_each_container_has_a_block_with_how_it_is_known(harden: Run) -> None:
    code, out, err = harden("needs")
    assert (code, err) == (0, "")
    blocks = dict(re.findall(r"^(\S+:\d+  \S+)  .*\n((?:  .*\n?)*)", out, re.MULTILINE))
    assert set(blocks) == {"compose.yaml:2  web", "compose.yaml:19  db", "compose.yaml:28  other", "lone/Dockerfile:1  image"}
    web = blocks["compose.yaml:2  web"]
    assert "1500:1500" in web
    assert "/srv/app/state/x.db (data)" in web
    assert "/tmp (scratch)" in web
    assert re.search(r"\[read in app.py:\d+\]", web)
    assert "profile" in blocks["compose.yaml:28  other"]
    assert "everything" in blocks["compose.yaml:28  other"]
    answers = re.split(r"^  (?=\S)", web, flags=re.MULTILINE)[1:]
    known = [answer for answer in answers if not answer.startswith("not known")]
    assert len(known) > 4
    for answer in known:
        assert re.search(r"\[(?:read|observed|documented|assumed) in \S", answer), answer


def test_the_same_as_json(harden: Run) -> None:
    code, out, _ = harden("needs", "--format", "json")
    assert code == 0
    told = json.loads(out)
    assert told["version"] == rendered.VERSION
    assert set(told) == {"version", "containers", "troubles"}
    assert [(row["path"], row["line"], row["subject"]) for row in told["containers"]] == [
        ("compose.yaml", 2, "web"),
        ("compose.yaml", 19, "db"),
        ("compose.yaml", 28, "other"),
        ("lone/Dockerfile", 1, "image"),
    ]
    strengths = {strength.name.lower() for strength in Strength}
    for row in told["containers"]:
        assert set(row) == {"path", "line", "subject", "image", "known", "unknown"}
        for item in row["known"]:
            assert set(item) == {"question", "answer", "evidence"}
            assert set(item["evidence"]) == {"claim", "source", "strength"}
            assert item["evidence"]["strength"] in strengths
            assert item["answer"]
        for item in row["unknown"]:
            assert set(item) == {"question", "why"}
            assert item["why"]
    by_subject = {row["subject"]: row for row in told["containers"]}
    assert [item["question"] for item in by_subject["other"]["unknown"]] == ["everything"]
    assert not by_subject["other"]["known"]
    (user,) = [item for item in by_subject["web"]["known"] if item["question"] == "user"]
    assert user["evidence"] == {"claim": "it runs as 1500:1500", "source": f"compose.yaml:{line_of('user:')}", "strength": "read"}


def test_every_field_of_the_json_is_documented() -> None:
    words = set(re.findall(r"[a-z]+", rendered.__doc__ or ""))
    assert {"version", "containers", "troubles", "path", "line", "subject", "image", "known", "unknown"} <= words
    assert {"question", "answer", "evidence", "claim", "source", "strength", "why", "reason", "remedy"} <= words


def test_a_dockerfile_that_a_container_is_built_from_is_not_told_twice(harden: Run) -> None:
    assert "\nDockerfile:1" not in harden("needs")[1]
    assert harden("needs", "Dockerfile")[1].startswith("Dockerfile:1  image")


def test_what_cannot_be_read_is_said_and_ends_in_2(harden: Run) -> None:
    Path("lone/compose.yaml").write_text("services: [\n")
    code, out, _ = harden("needs")
    assert code == 2
    assert "compose.yaml:2  web" in out
    assert "lone/compose.yaml" in out
    code, out, _ = harden("needs", "--format", "json")
    assert code == 2
    (trouble,) = json.loads(out)["troubles"]
    assert set(trouble) == {"path", "line", "reason", "remedy"}


def test_nothing_to_tell(harden: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, out, _ = harden("needs", "empty")
    assert (code, out.strip()) == (0, "No containers found.")


def test_own_profiles_are_asked(harden: Run, tmp_path: Path) -> None:
    source = Path(cli.__file__).parent.parent / "needs/profiles/redis.toml"
    (tmp_path / "own").mkdir()
    own = (
        source.read_text()
        .replace('names = ["redis"]', 'names = ["example/app"]')
        .replace('versions = ">=6 <9"', 'versions = ">=1"')
    )
    (tmp_path / "own/example__app.toml").write_text(own)
    assert "no profile" in harden("needs", "compose.yaml")[1]
    assert "no profile" not in harden("needs", "--profiles", "own", "compose.yaml")[1]


# harden why


@pytest.mark.parametrize(
    ("text", "after", "says"),
    [
        ("cap_add", "web:", "nothing that is known needs CHOWN"),
        ("- ALL", "", "all can go"),
        ("no-new-privileges", "", "no-new-privileges works"),
        ("read_only", "web:", "a read-only root works"),
        ("- /tmp", "", "/tmp is written"),
        ("user:", "", "1500:1500"),
        ("mem_limit", "", "is enough"),
        ("cpus", "", "1 is enough"),
        ("pids_limit", "", "1024 is enough"),
        ("restart", "", "harden does not judge this setting"),
        ("- SETUID", "", "SETUID is needed"),
        ("- SYS_ADMIN", "", "nothing that is known needs SYS_ADMIN"),
        ("memory: 64M", "", "not known"),
        ("read_only", "other:", "not known: no profile of example/app"),
    ],
)
def test_why_a_setting_stands_there(harden: Run, text: str, after: str, says: str) -> None:
    line = line_of(text, after)
    code, out, err = harden("why", f"compose.yaml:{line}")
    assert (code, err) == (0, "")
    first, said, *grounds = out.splitlines()
    assert first.startswith(f"compose.yaml:{line}  ")
    assert says in said
    if not said.strip().startswith(("not known", "harden does not")):
        assert grounds, "an answer has its evidence"
        assert all(re.search(r"\[(read|observed|documented|assumed)", ground) for ground in grounds)


def test_why_a_line_of_a_dockerfile(harden: Run) -> None:
    code, out, _ = harden("why", "Dockerfile:4")
    assert code == 0
    assert out.startswith('Dockerfile:4  image: CMD ["python", "app.py"]')
    assert "/srv/app/state/x.db" in out
    assert "app.py:4" in out


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("compose.yaml", "name a file and a line"),
        ("compose.yaml:x", "name a file and a line"),
        ("compose.yaml:", "name a file and a line"),
        ("gone.yaml:1", "name a file and a line"),
        (".:1", "name a file and a line"),
        ("compose.yaml:1", "no setting of a service begins on this line"),
        ("compose.yaml:2", "no setting of a service begins on this line"),
        ("compose.yaml:0", "no setting of a service begins on this line"),
        ("compose.yaml:9999", "no setting of a service begins on this line"),
        ("Dockerfile:9999", "no instruction of a stage that runs is on this line"),
        ("app.py:1", "app.py"),
    ],
)
def test_a_place_that_has_no_setting_is_a_mistake_of_the_caller(harden: Run, place: str, says: str) -> None:
    code, out, err = harden("why", place)
    assert (code, out) == (2, "")
    assert says in err


def test_why_in_a_file_that_cannot_be_read(harden: Run) -> None:
    Path("compose.yaml").write_text("services: [\n")
    code, out, err = harden("why", "compose.yaml:1")
    assert (code, out) == (2, "")
    assert "compose.yaml" in err


def test_every_line_of_a_file_can_be_asked_about(harden: Run) -> None:
    """Whatever stands there: an answer, or a mistake that is named; never one of ours."""
    for name, count in (("compose.yaml", len(COMPOSE.splitlines())), ("Dockerfile", 4), ("lone/Dockerfile", 4)):
        for line in range(1, count + 1):
            code, out, err = harden("why", f"{name}:{line}")
            assert code in (0, 2), (name, line, err)
            assert bool(out) is (code == 0)


# The commands.


def test_they_are_commands_like_the_others(harden: Run) -> None:
    assert {"needs", "why"} <= set(COMMANDS)
    for command in ("needs", "why"):
        code, out, _ = harden(command, "--help")
        assert code == 0
        assert "--profiles" in out or command == "why"
    help_text = harden("--help")[1]
    assert "harden needs" in help_text
    assert "harden why" in help_text


def test_a_folder_of_that_name_can_still_be_hardened(harden: Run) -> None:
    Path("needs").mkdir()
    Path("needs/compose.yaml").write_text("services:\n  x:\n    image: redis:7\n")
    assert "needs/compose.yaml" in harden("--diff", "./needs")[1]


def test_a_format_that_does_not_exist(harden: Run) -> None:
    assert harden("needs", "--format", "xml")[0] == 2


def test_without_an_argument_why_is_a_mistake(harden: Run) -> None:
    assert harden("why")[0] == 2


@pytest.mark.parametrize(("typed", "offered"), [("ne", "needs"), ("wh", "why")])
def test_shells_complete_them(typed: str, offered: str) -> None:
    from hardener.cli.app import _first_words

    assert _first_words(typed) == [offered]
