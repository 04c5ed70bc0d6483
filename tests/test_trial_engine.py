"""What an engine that cannot be asked, or that refuses, is said to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import docker.errors
import pytest
import requests.exceptions
import urllib3.exceptions
from compose_oracle import binary

from hardener.trial.compose import TrialError
from hardener.trial.engine import lost


def test_a_refusal_is_not_taken_for_a_lost_engine() -> None:
    with pytest.raises(TrialError, match=r"^the Docker engine refuses: .*volume is in use"), lost():
        raise docker.errors.APIError("volume is in use")


@pytest.mark.parametrize(
    "error",
    [
        requests.exceptions.ConnectionError(
            urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError(104, "Connection reset by peer"))
        ),
        ConnectionResetError(104, "Connection reset by peer"),
    ],
)
def test_a_lost_engine_is_said_to_be_one(error: Exception) -> None:
    with (
        pytest.raises(TrialError, match=r"^the Docker engine does not answer: start it, or set DOCKER_HOST \(.*reset by peer\)$"),
        lost(),
    ):
        raise error


def test_no_engine_at_all(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {a: {image: b}}\n")
    command = [sys.executable, "-m", "hardener", "verify", "--compose", binary(), str(tmp_path)]
    environment = os.environ | {"DOCKER_HOST": "unix:///nowhere/at/all"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        "harden: the Docker engine does not answer: start it, or set DOCKER_HOST (no such file or directory)\n"
    )
