"""What the pages and scripts of a project say of how it is run, and what it costs to look."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from compose_oracle import write

from hardener.facts.instructions import podman_in, stack_in
from hardener.facts.tree import Tree


@pytest.mark.parametrize(
    "line",
    [
        "docker stack deploy -c compose.yaml shop",
        "docker stack deploy --compose-file=./compose.yaml shop",
        'docker stack deploy --prune -c "$DIR/compose.yaml" shop',
        "docker stack deploy --compose-file 'compose.yaml' shop",
        'docker stack deploy \\\n  -c base.yaml \\\n  --compose-file="compose.yaml" shop',
    ],
)
def test_where_a_file_is_deployed_as_a_stack(line: str, tmp_path: Path) -> None:
    write(tmp_path, {"deploy.sh": f"#!/bin/sh\n{line}\n".encode(), "compose.yaml": b""})
    tree = Tree((str(tmp_path),))
    assert stack_in(str(tmp_path / "compose.yaml"), tree).endswith("deploy.sh:2")
    assert not stack_in(str(tmp_path / "compose.other.yaml"), tree)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("swarm/compose.yaml", {"swarm/compose.yaml"}),
        ("./swarm/../dev/compose.yaml", {"dev/compose.yaml"}),
        ("./compose.yaml", {"compose.yaml", "dev/compose.yaml", "swarm/compose.yaml"}),  # after a `cd` that stands elsewhere
        ("shop/compose.yaml", {"compose.yaml", "dev/compose.yaml", "swarm/compose.yaml"}),  # as the checkout is called
        ("$DIR/compose.yaml", {"compose.yaml", "dev/compose.yaml", "swarm/compose.yaml"}),
    ],
)
def test_a_file_that_is_named_with_its_folder_is_no_other_one(written: str, meant: set[str], tmp_path: Path) -> None:
    paths = ["compose.yaml", "dev/compose.yaml", "swarm/compose.yaml"]
    page = f"    docker stack deploy -c {written} shop\n"
    write(tmp_path, dict.fromkeys(paths, b"services: {}\n") | {"README.md": page.encode()})
    tree = Tree((str(tmp_path),))
    assert {path for path in paths if stack_in(str(tmp_path / path), tree)} == meant


def test_the_pages_of_the_top_are_not_read_again_for_each_folder(tmp_path: Path) -> None:
    """A repository may have thousands of projects below pages of some megabytes; these take seconds to be searched."""
    page = b"a stack of podman and docker " * 8_000
    write(
        tmp_path, {f"page{number}.md": page for number in range(10)} | {f"a{number}/compose.yaml": b"" for number in range(100)}
    )
    tree = Tree((str(tmp_path),))
    begin = time.process_time()
    for number in range(100):
        folder = tmp_path / f"a{number}"
        assert not podman_in(str(folder), tree)
        assert not stack_in(str(folder / "compose.yaml"), tree)
    assert time.process_time() - begin < 3
