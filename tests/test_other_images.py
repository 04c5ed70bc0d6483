"""Images that a variable names, for which other files of the project give other values: the fixes have to be right for all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from hardener.api import check
from hardener.report import Status

COMPOSE = """\
services:
  db:
    image: {}
    environment: {{POSTGRES_PASSWORD: x}}
"""
IMAGE = "${DB_IMAGE:-postgres:16}"
WORKFLOW = """\
jobs:
  test:
    strategy:
      matrix:
        {}
    steps:
      - run: docker compose up -d
        env:
          DB_IMAGE: ${{{{ matrix.database }}}}
"""


def outcome(root: Path, image: str, files: Mapping[str, str]) -> tuple[bool, str]:
    """Whether the root becomes read-only by default, and why not."""
    (root / ".git").mkdir()
    for name, text in ({"compose.yaml": COMPOSE.format(image)} | dict(files)).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (one,) = (one for one in check(root).outcomes if one.finding.rule == "writable-root-filesystem")
    return one.status is Status.APPLIED, one.why


@pytest.mark.parametrize(
    ("image", "name", "text", "word"),
    [
        # Alpine's postgres is uid 70, Debian's 999 (docker-library/postgres).
        (IMAGE, ".env.example", "DB_IMAGE=postgres:16-alpine\n", "postgres:16-alpine"),
        (IMAGE, "example.env", "# DB_IMAGE = 'postgres:16-alpine'\n", "postgres:16-alpine"),
        (IMAGE, ".env.example", "DB_IMAGE=somebody/database:1\n", "somebody/database:1"),
        ("postgres:${PG:-16}", "README.md", "Or run `PG=16-alpine docker compose up`.\n", "postgres:16-alpine"),
        ("postgres:${PG-16}", "Makefile", "PG ?= 16-alpine\nup:\n\tPG=$(PG) docker compose up\n", "postgres:16-alpine"),
        ("postgres:${PG:-16}", "up.sh", "PG=$1 docker compose up\n", "up.sh:1"),
        (IMAGE, ".github/workflows/ci.yml", WORKFLOW.format('database: ["postgres:16", "postgres:16-alpine"]'), "16-alpine"),
        (
            IMAGE,
            ".github/workflows/ci.yml",
            WORKFLOW.format("database:\n        - postgres:16\n        - mysql:8.4"),
            "mysql:8.4",
        ),
        (IMAGE, ".github/workflows/ci.yml", WORKFLOW.format("include: [{database: 'mysql:8.4', os: x}]"), "mysql:8.4"),
        (IMAGE, ".github/workflows/ci.yml", WORKFLOW.format("database: ${{ fromJSON(x) }}"), "ci.yml:9"),
    ],
)
def test_what_another_image_may_need_too_holds_back(tmp_path: Path, image: str, name: str, text: str, word: str) -> None:
    applied, why = outcome(tmp_path, image, {name: text})
    assert not applied
    assert word in why


@pytest.mark.parametrize(
    ("image", "name", "text"),
    [
        (IMAGE, "README.md", "Nothing of images.\n"),
        (IMAGE, ".env.example", "DB_IMAGE=postgres:17\n"),  # needs the same
        (IMAGE, ".env.example", "DB_IMAGE=\nOLD_DB_IMAGE=mysql:8\n"),
        (IMAGE, "up.sh", 'DB_IMAGE="${DB_IMAGE:-postgres:16}" docker compose up\necho $DB_IMAGE\n'),
        ("postgres:${PG:-16}", "README.md", "Set `PG=<version>` for another version.\n"),
        ("postgres:${PG:-16}", "up.sh", "PG=$PG docker compose up\nPG=${PG} docker compose up\n"),
        ("postgres:16", ".env.example", "DB_IMAGE=postgres:16-alpine\n"),
        (IMAGE, ".github/workflows/ci.yml", WORKFLOW.format("database: ['postgres:16', 'postgres:17']  # not mysql")),
    ],
)
def test_what_needs_the_same_does_not(tmp_path: Path, image: str, name: str, text: str) -> None:
    assert outcome(tmp_path, image, {name: text}) == (True, "")
