"""What is fixed in a Compose file, with the files that are passed after it from other folders: does Compose take them still?"""

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
OVER = b"""\
services:
  db:
    mem_limit: 500m
    security_opt: ["no-new-privileges:true"]
    tmpfs: [/tmp]
  proxy:
    image: example/proxy:1
"""


def hardened(folder: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The files once the fixes that are safe are written."""
    write(folder, files)
    monkeypatch.chdir(folder)
    invocation = parse(("--write",))
    assert invocation is not None
    assert run(invocation) == 0
    return {name: (folder / name).read_bytes() for name in files}


@pytest.mark.parametrize("over", ["compose.limits.yaml", "deploy/compose.limits.yaml", "deploy/more/compose.limits.yaml"])
def test_a_file_of_a_folder_below_is_still_taken_after_its_base(
    over: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = hardened(tmp_path, {"compose.yaml": BASE, over: OVER}, monkeypatch)
    assert after["compose.yaml"] != BASE
    answer = ask(after, "compose.yaml", over)
    assert answer.model is not None, answer.error
    assert int(limits(answer.model["services"]["db"])["memory"]) == 500 * 1024**2
    assert answer.model["services"]["cache"]["read_only"]


def test_paths_of_a_file_below_start_where_its_base_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose reads them so: a secret that lies beside the base is not looked for beside the file that names it."""
    write(tmp_path, {"init.sql": b"SELECT 1;\n", "deploy/init.sql": b""})
    (tmp_path / "init.sql").chmod(0o600)
    over = b"services:\n  db:\n    volumes: ['./init.sql:/docker-entrypoint-initdb.d/init.sql']\n"
    after = hardened(tmp_path, {"compose.yaml": BASE, "deploy/compose.sql.yaml": over}, monkeypatch)
    assert b"user:" not in after["compose.yaml"], "whether postgres may read the file is not known"


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


def test_a_file_beside_those_of_a_swarm_is_deployed_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A swarm ignores `tmpfs`, and a server with a read-only root and no folder for its socket does not start."""
    app = b"services:\n  app:\n    image: example/app:1\n    deploy: {update_config: {order: start-first}}\n"
    files = {"stack/compose.kit.yml": BASE, "stack/compose.app.yml": app, "other/compose.kit.yml": BASE}
    after = hardened(tmp_path, files, monkeypatch)
    assert b"tmpfs" not in after["stack/compose.kit.yml"]
    assert ask(after, "stack/compose.kit.yml").model["services"]["cache"]["read_only"]  # type: ignore[index]
    assert "read_only" not in ask(after, "stack/compose.kit.yml").model["services"]["db"]  # type: ignore[index]
    assert b"tmpfs" in after["other/compose.kit.yml"]


def test_an_override_is_not_deployed_with_the_files_of_a_swarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose takes it by itself; `docker stack deploy` does not, and nobody names it to that."""
    swarm = b"services:\n  app:\n    image: example/app:1\n    deploy: {update_config: {order: start-first}}\n"
    override = b"services:\n  db:\n    ports: ['127.0.0.1:5432:5432']\n"
    files = {"compose.yaml": BASE, "compose.override.yaml": override, "compose.swarm.yaml": swarm}
    after = hardened(tmp_path, files, monkeypatch)
    model = ask(after, "compose.yaml", "compose.override.yaml").model
    assert model is not None
    assert model["services"]["db"]["read_only"]
