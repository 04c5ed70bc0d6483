"""What `kubectl kustomize` makes of a folder. Knows nothing of the tool under test."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

needs_kubectl = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not installed (kubernetes-client): nobody to ask how patches merge"
)


class Refused(Exception):
    """Kustomize does not take the folder; the message is its own."""


def built(folder: Path) -> list[Any]:
    """The objects that kustomize makes of a folder, in its order. Raises `Refused` where it takes it not."""
    command = ["kubectl", "kustomize", "--load-restrictor=LoadRestrictionsNone", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise Refused(done.stderr)
    return [found for found in yaml.safe_load_all(done.stdout) if found is not None]
