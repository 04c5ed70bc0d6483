"""`hardener.toml`: the nearest one counts, and what is not known in it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from hardener.config import find_config
from hardener.errors import Unreadable


def test_without_a_file_nothing_is_told(tmp_path: Path) -> None:
    assert find_config(str(tmp_path)).probes == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("hardener.toml", '[verify]\nprobes = ["true", "in db: pg_isready"]\n'),
        ("pyproject.toml", '[project]\nname = "x"\n[tool.hardener.verify]\nprobes = ["true", "in db: pg_isready"]\n'),
    ],
)
def test_probes_are_read(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / name).write_text(text)
    below = tmp_path / "deploy" / "compose"
    below.mkdir(parents=True)
    config = find_config(str(below))
    assert config.probes == ("true", "in db: pg_isready")
    assert config.path.endswith(name)


def test_the_nearest_counts_and_none_beyond_the_repository(tmp_path: Path) -> None:
    (tmp_path / "hardener.toml").write_text('[verify]\nprobes = ["outside"]\n')
    repository = tmp_path / "repository"
    (repository / ".git").mkdir(parents=True)
    assert find_config(str(repository)).probes == ()
    (repository / "hardener.toml").write_text('[verify]\nprobes = ["root"]\n')
    below = repository / "app"
    below.mkdir()
    assert find_config(str(below)).probes == ("root",)
    (below / "pyproject.toml").write_text("[project]\nname = 'says nothing'\n")
    assert find_config(str(below)).probes == ("root",)
    (below / "hardener.toml").write_text('[verify]\nprobes = ["near"]\n')
    assert find_config(str(below)).probes == ("near",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[verfy]\n", "did you mean `verify`"),
        ("[verify]\nprobe = []\n", "`verify.probe` is not known: did you mean `probes`"),
        ("[verify]\nprobes = 'true'\n", "must be a list, each item a command, not 'true'"),
        ("[verify]\nprobes = ['']\n", "must be a command"),
        ("verify = 1\n", "must be a table"),
        ("[verify\n", "no TOML"),
    ],
)
def test_a_slip_is_named(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "hardener.toml").write_text(text)
    with pytest.raises(Unreadable, match=said):
        find_config(str(tmp_path))
