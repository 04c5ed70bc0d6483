"""The bot with its real parts, above a forge in memory: what is proposed is what `harden --write` writes, byte for byte."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from fake_forge import NOW, FakeForge, refuse_writes

from hardener.bot.done import Done
from hardener.bot.forge import State, Unavailable
from hardener.bot.making import work_at
from hardener.bot.manners import Do
from hardener.bot.proposal import Asked
from hardener.errors import Unreadable

COMPOSE = "services:\r\n  web:\r\n    image: nginx:1.27\r\n    environment: [A=b]\r\n  cache:\r\n    image: redis:7\r\n"
DOCKERFILE = "FROM nginx:1.27\nADD a.txt /a.txt\n"
WIDE = "[pr]\nper-hour = 100\nat-once = 100\n"


def repository(**more: str) -> FakeForge:
    files = {"shop/compose.yaml": COMPOSE, "tools/Dockerfile": DOCKERFILE, "notes/README.md": "@me", "hardener.toml": WIDE}
    return FakeForge({**files, **more})


def run(forge: FakeForge, **asked: object) -> Done:
    forge.calls.clear()
    return work_at(forge, Asked(**asked), NOW)  # type: ignore[arg-type]


def test_what_is_proposed_is_what_would_be_written(tmp_path: Path) -> None:
    forge = repository()
    forge.fail = refuse_writes
    would = run(forge, dry_run=True)
    forge.fail = lambda method, is_over: None
    done = run(forge)
    assert done.ended is None
    assert [one.error for one in done.told] == [None] * len(done.told)
    assert [(one.scope, one.do) for one in would.told] == [(one.scope, one.do) for one in done.told]
    assert "shop" in {one.scope for one in done.told}
    for path, (data, _) in forge.tree("main").items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    subprocess.run([sys.executable, "-m", "hardener", "--write", "--force", "."], cwd=tmp_path, capture_output=True, check=False)
    main = forge.tree("main")
    changed: dict[str, bytes] = {}
    for pull in forge.open():
        tree = forge.tree(pull.branch)
        changed |= {path: data for path, (data, _) in tree.items() if (data, _) != main[path]}
    written = {path: (tmp_path / path).read_bytes() for path in main}
    assert {path: data for path, data in written.items() if data != main[path][0]} == changed
    assert b"\r\n" in changed["shop/compose.yaml"]
    assert {one.do for one in run(forge, remarks=True, dashboard=True).told} == {Do.KEEP}
    assert {one.do for one in run(forge, remarks=True, dashboard=True).told} == {Do.KEEP}
    assert forge.writes() == []


def test_a_merged_one_is_not_proposed_again() -> None:
    forge = repository()
    run(forge)
    main = forge.tree("main")
    for pull in forge.open():
        theirs = {path: data for path, (data, mode) in forge.tree(pull.branch).items() if main.get(path) != (data, mode)}
        forge.push("main", theirs)
        forge.change(pull.number, state=State.MERGED)
    done = run(forge)
    assert (done.ended, done.told, forge.writes()) == (None, (), [])


def test_a_broken_configuration_is_named_with_its_line() -> None:
    done = run(repository(**{"hardener.toml": "\n\nno-such-key = 1\n"}))
    assert isinstance(done.ended, Unreadable)
    assert str(done.ended).startswith("hardener.toml:3:")


def test_a_forge_that_fails_while_files_are_read_leaves_nothing() -> None:
    forge = repository()

    def fail(method: str, is_over: bool) -> None:
        if method == "read":
            raise Unavailable("502")

    forge.fail = fail
    done = run(forge)
    assert isinstance(done.ended, Unavailable)
    assert forge.writes() == []


def test_a_configuration_comes_first() -> None:
    forge = FakeForge({"shop/compose.yaml": COMPOSE})
    assert {one.do for one in run(forge, onboard=True).told} == {Do.OPEN, Do.POSTPONE}
    (text, _) = forge.tree("harden/configure")["hardener.toml"]
    assert b"Found here: 1 file, 2 containers" in text
