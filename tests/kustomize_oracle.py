"""What `kubectl kustomize` makes of a folder. Knows nothing of the tool under test."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

#: Before it kubectl says nothing of the kustomize in it, which was 2.0.3 for years (Debian 12 has kubectl 1.20).
_OLDEST = 24


def _missing() -> str:
    """Why nobody can be asked how patches merge; empty where somebody can."""
    if shutil.which("kubectl") is None:
        return "kubectl is not installed"
    done = subprocess.run(
        ["kubectl", "version", "--client", "-o", "json"], capture_output=True, text=True, timeout=60, check=False
    )
    try:
        minor = json.loads(done.stdout)["clientVersion"]["minor"].rstrip("+")
    except (ValueError, KeyError):
        return "kubectl does not say its version"
    return "" if int(minor) >= _OLDEST else f"kubectl 1.{minor} is older than 1.{_OLDEST}, and so is its kustomize"


needs_kubectl = pytest.mark.skipif(bool(_missing()), reason=f"nobody to ask how patches merge: {_missing()}")


class Refused(Exception):
    """Kustomize does not take the folder; the message is its own."""


def built(folder: Path) -> list[Any]:
    """The objects that kustomize makes of a folder, in its order. Raises `Refused` where it takes it not."""
    command = ["kubectl", "kustomize", "--load-restrictor=LoadRestrictionsNone", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise Refused(done.stderr)
    return [found for found in yaml.safe_load_all(done.stdout) if found is not None]
