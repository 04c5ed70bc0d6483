"""A wheel, installed where the repository is not: it explains rules with the same examples, and brings its man page."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hardener.rules import load
from hardener.site.manual import manual

ROOT = Path(__file__).parent.parent
#: Profiles are most of it.
MOST_BYTES = 1_500_000


def run(*command: object, folder: Path) -> str:
    """What a command prints. It finds no package but those of its own Python."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "COLUMNS", "PYTHONWARNINGS")}
    done = subprocess.run([str(word) for word in command], cwd=folder, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by pip from the repository; its time stamps do not count, so that the same sources give the same wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "No matching distribution" in done.stderr:
        pytest.skip("pip finds no hatchling: nothing can be built here")
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment with the wheel; what it depends on is borrowed from this one, the package is not."""
    folder = tmp_path_factory.mktemp("installed") / "environment"
    run(sys.executable, "-m", "venv", folder, folder=wheel.parent)
    python = folder / "bin/python"
    run(python, "-m", "pip", "install", "-q", "--no-deps", wheel, folder=wheel.parent)
    borrowed = run(
        sys.executable, "-c", "import typer, os; print(os.path.dirname(os.path.dirname(typer.__file__)))", folder=folder
    )
    # Its .pth files, such as that of an editable install of this repository, are not read there.
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(borrowed)
    return folder


def test_it_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < MOST_BYTES


def test_it_explains_every_rule_as_the_repository_does(installed: Path, tmp_path: Path) -> None:
    ids = [rule.id for rule in load()]
    there = run(installed / "bin/harden", "explain", *ids, folder=tmp_path)
    where = run(installed / "bin/python", "-c", "import hardener; print(hardener.__file__)", folder=tmp_path)
    assert where.startswith(str(installed))
    assert "128 MiB of buffers" in run(installed / "bin/harden", "explain", "unlimited-memory", folder=tmp_path)
    assert there == run(sys.executable, "-m", "hardener", "explain", *ids, folder=ROOT)
    here = run(sys.executable, "-m", "hardener", "rules", "--format", "json", folder=ROOT)
    assert run(installed / "bin/harden", "rules", "--format", "json", folder=tmp_path) == here


def test_it_brings_its_man_page(installed: Path) -> None:
    assert (installed / "share/man/man1/harden.1").read_text() == manual()


def test_nothing_that_is_made_is_left_in_the_repository(wheel: Path) -> None:
    assert wheel.exists()
    assert not (ROOT / "hardener/pages/examples.json").exists()
