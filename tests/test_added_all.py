"""What a program was given ALL for is given back by name when ALL goes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hardener.cli.options import parse
from hardener.cli.run import run

ROUTE = """\
services:
  route:
    image: alpine:3.22
    command: ip route add 10.0.0.0/8 dev eth0
    cap_add: [%s]
"""


@pytest.mark.parametrize("added", ["ALL", "NET_ADMIN", "NET_ADMIN, SYS_ADMIN"])
def test_routes_need_what_they_were_given(added: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compose.yaml").write_text(ROUTE % added)
    invocation = parse(("--write", "--unsafe-fixes", "compose.yaml"))
    assert invocation is not None
    assert run(invocation) == 0
    route = yaml.safe_load((tmp_path / "compose.yaml").read_text())["services"]["route"]
    assert route["cap_add"] == ["NET_ADMIN"]
    assert route["cap_drop"] == ["ALL"]
