"""What is fixed in a Compose file, with the files that are passed after it: does Compose take them still?"""

from __future__ import annotations

from pathlib import Path

import pytest
from compose_oracle import ask, limits, write

from hardener.cli.options import parse
from hardener.cli.run import run

BASE = b"""\
services:
  db:
    image: postgres:16-alpine
    volumes: ["data:/var/lib/postgresql/data"]
  cache:
    image: memcached:1.6-alpine
    command: -m 64
volumes:
  data:
"""


def hardened(folder: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The files once the fixes that are safe are written."""
    write(folder, files)
    monkeypatch.chdir(folder)
    invocation = parse(("--write",))
    assert invocation is not None
    assert run(invocation) == 0
    return {name: (folder / name).read_bytes() for name in files}


@pytest.mark.parametrize("name", ["rancher-compose.yml", "compose.old.yaml"])
def test_the_version_of_another_file_does_not_decide_where_limits_go(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Limits of a file that is passed under some other name stand under `deploy` as those of the base do by default."""
    old = b"version: '2'\nservices:\n  db: {scale: 1}\n  cache: {scale: 1}\n"
    limited = b"services:\n  db: {deploy: {resources: {limits: {memory: 500M}}}}\n"
    files = {"compose.yaml": BASE, name: old, "scenarios/limits.yml": limited}
    after = hardened(tmp_path, files, monkeypatch)
    answer = ask(after, "compose.yaml", "scenarios/limits.yml")
    assert answer.model is not None, answer.error
    assert int(limits(answer.model["services"]["db"])["memory"]) == 500 * 1024**2
    assert limits(answer.model["services"]["db"])["pids"]
