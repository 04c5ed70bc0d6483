"""Our own Dockerfile: it passes our own audit, and takes into the image what the package is made of."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from hardener.discover import discover
from hardener.pipeline import Request, run

ROOT = Path(__file__).parent.parent


def test_nothing_is_found_in_it() -> None:
    found, troubles = discover([str(ROOT / "Dockerfile")])
    report = run(Request(tuple(found)))
    assert report.stages == 1
    assert (troubles, report.outcomes, report.troubles, report.notes) == ([], (), (), ())


def test_hadolint_finds_nothing_either() -> None:
    if shutil.which("hadolint") is None:
        pytest.skip("hadolint is not here")
    done = subprocess.run(["hadolint", str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_is_copied_is_not_kept_out_of_the_build() -> None:
    copied = [
        word
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    ]
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) == let_in
    assert all((ROOT / name).exists() for name in copied)
