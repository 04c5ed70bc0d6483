"""Discovery: which files of a tree are looked at, and what git would say about it."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hardener import discover as discovery
from hardener.discover import COMPOSE, DOCKERFILE, Found, discover, from_stdin
from hardener.errors import Unreadable, UsageError

COMPOSE_TEXT = "services:\n  web:\n    image: nginx\n"
DOCKER_TEXT = "# a comment\nFROM scratch\n"

Tree = Callable[[dict[str, str] | list[str]], None]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Make files in an empty folder that is also the working folder."""
    monkeypatch.chdir(tmp_path)

    def plant(files: dict[str, str] | list[str]) -> None:
        for name in files:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[name] if isinstance(files, dict) else "", encoding="utf-8")

    return plant


def names(*paths: str) -> list[str]:
    found, troubles = discover(paths or (".",))
    assert troubles == []
    return [file.name for file in found]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Dockerfile", DOCKERFILE),
        ("Dockerfile.dev", DOCKERFILE),
        ("Dockerfile.3.12-slim", DOCKERFILE),
        ("api.Dockerfile", DOCKERFILE),
        ("api.dockerfile", DOCKERFILE),
        ("Containerfile", DOCKERFILE),
        ("Containerfile.prod", DOCKERFILE),
        ("compose.yaml", COMPOSE),
        ("compose.yml", COMPOSE),
        ("compose.override.yaml", COMPOSE),
        ("compose-ca.yaml", COMPOSE),
        ("compose.ci.yaml", COMPOSE),
        ("docker-compose.yml", COMPOSE),
        ("docker-compose.yaml", COMPOSE),
        ("docker-compose.prod.yml", COMPOSE),
        ("docker-compose-postgres.yaml", COMPOSE),
    ],
)
def test_a_name_alone_is_enough(tree: Tree, name: str, kind: str) -> None:
    tree([f"deep/er/{name}"])
    found, _ = discover(["."])
    assert found == [Found(os.path.realpath(f"deep/er/{name}"), f"deep/er/{name}", kind, False, within=os.path.realpath("."))]


@pytest.mark.parametrize(
    "name",
    [
        "Dockerfile.md",
        "Dockerfile.j2",
        "Dockerfile.erb",
        "Dockerfile.tmpl",
        "Dockerfile.dockerignore",
        "Dockerfile.bak",
        "dockerfile.py",
        "dockerfiles.txt",
        "docker-compose.yml.erb",
        "docker-compose.yml.j2",
        "docker-compose.yaml~",
        "values.yaml",
        "compose.json",
        "composer.yml",
        "decompose.yaml",
    ],
)
def test_look_alikes_are_left_out(tree: Tree, name: str) -> None:
    tree({name: DOCKER_TEXT, "Dockerfile": DOCKER_TEXT})
    assert names() == ["Dockerfile"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("metricbeat-compose.yml", COMPOSE_TEXT), ("shop.compose.yaml", COMPOSE_TEXT), ("Dockerfile-alpine", DOCKER_TEXT)],
)
def test_a_name_that_is_only_a_hint_needs_a_text_that_agrees(tree: Tree, name: str, text: str) -> None:
    tree({f"a/{name}": text, f"b/{name}": "something: else\n", "c/Dockerfile": text})
    assert names() == [f"a/{name}", "c/Dockerfile"]


def test_order_is_by_name_with_a_folders_own_files_first(tree: Tree) -> None:
    tree(["b/Dockerfile", "z.Dockerfile", "a/compose.yaml", "a/b/compose.yaml", "compose.yaml"])
    assert names() == ["compose.yaml", "z.Dockerfile", "a/compose.yaml", "a/b/compose.yaml", "b/Dockerfile"]


def test_names_are_as_given_without_dots(tree: Tree) -> None:
    tree(["a/Dockerfile", "a/x/compose.yaml"])
    assert names("./a//") == ["a/Dockerfile", "a/x/compose.yaml"]
    assert names("a/x/../Dockerfile") == ["a/x/../Dockerfile"]
    os.chdir("a/x")
    assert names("..") == ["../Dockerfile", "../x/compose.yaml"]
    assert names(os.path.realpath("..")) == [f"{os.path.realpath('..')}/Dockerfile", f"{os.path.realpath('..')}/x/compose.yaml"]


def test_vendored_folders_are_skipped_unless_named(tree: Tree) -> None:
    tree(
        [
            "node_modules/x/Dockerfile",
            "vendor/Dockerfile",
            "py/site-packages/a/Dockerfile",
            ".git/Dockerfile",
            ".devcontainer/Dockerfile",
        ]
    )
    assert names() == [".devcontainer/Dockerfile"]
    assert names("vendor") == ["vendor/Dockerfile"]


def test_what_tests_compare_with_is_no_deployment(tree: Tree) -> None:
    # As in istio: inject/cronjob.yaml is read by a test, which expects cronjob.yaml.injected of it.
    tree(["pkg/inject/testdata/compose.yaml", "pkg/inject/testdata/one/Dockerfile", "testdata.d/Dockerfile"])
    assert names() == ["testdata.d/Dockerfile"]
    assert names("pkg/inject/testdata") == ["pkg/inject/testdata/compose.yaml", "pkg/inject/testdata/one/Dockerfile"]
    assert names("pkg/inject/testdata/compose.yaml") == ["pkg/inject/testdata/compose.yaml"]


def test_each_file_once(tree: Tree) -> None:
    tree(["a/Dockerfile", "compose.yaml"])
    os.symlink("a/Dockerfile", "again.Dockerfile")
    assert names("a/Dockerfile", ".", "./a", os.path.realpath("compose.yaml"), "again.Dockerfile") == [
        "a/Dockerfile",
        "compose.yaml",
    ]


def test_links_in_a_tree_are_not_followed_but_a_named_one_is(tree: Tree) -> None:
    tree(["a/real/Dockerfile"])
    os.symlink("..", "a/loop")
    os.symlink("real/Dockerfile", "a/Dockerfile")
    assert names() == ["a/real/Dockerfile"]
    (found,), _ = discover(["a/Dockerfile"])
    assert (found.location, found.name) == (os.path.realpath("a/real/Dockerfile"), "a/Dockerfile")
    assert names("a/loop/a/real") == ["a/loop/a/real/Dockerfile"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_a_fifo_is_skipped_in_a_tree_and_named_when_asked_for(tree: Tree) -> None:
    tree(["a/Dockerfile"])
    os.mkfifo("a/compose.yaml")
    assert names() == ["a/Dockerfile"]
    found, (trouble,) = discover(["a/compose.yaml"])
    assert not found
    assert trouble.reason == "not a regular file"


def test_depth_is_bounded_and_said(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "MAX_DEPTH", 3)
    tree(["a/b/c/Dockerfile", "a/b/c/d/Dockerfile"])
    found, (trouble,) = discover(["."])
    assert [file.name for file in found] == ["a/b/c/Dockerfile"]
    assert (trouble.path, trouble.reason) == ("a/b/c/d", "more than 3 folders deep")


def test_what_does_not_exist_is_named_and_the_rest_goes_on(tree: Tree) -> None:
    tree(["Dockerfile"])
    found, troubles = discover(["nowhere", "Dockerfile", ""])
    assert [file.name for file in found] == ["Dockerfile"]
    assert [(trouble.path, trouble.reason) for trouble in troubles] == [
        ("nowhere", "no such file or directory"),
        ("''", "an empty path"),
    ]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_may_not_be_read_is_named(tree: Tree) -> None:
    tree(["a/Dockerfile", "b/Dockerfile"])
    os.chmod("a", 0)
    found, (trouble,) = discover(["."])
    os.chmod("a", 0o700)
    assert [file.name for file in found] == ["b/Dockerfile"]
    assert (trouble.path, trouble.reason) == ("a", "permission denied")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (COMPOSE_TEXT, COMPOSE),
        ("# why\n---\nname: x\n'services':\n  a: {}\n", COMPOSE),
        ("services: {}\n", COMPOSE),
        ("services:\n  # - not a list\n  web: {}\n", COMPOSE),
        ("FROM scratch", DOCKERFILE),
        ("\ufeff# syntax=x\n\n  arg A=1\nfrom $A\n", DOCKERFILE),
    ],
)
def test_a_named_file_is_known_by_its_text(tree: Tree, text: str, kind: str) -> None:
    tree({"strange.name": text})
    (found,), troubles = discover(["strange.name"])
    assert (found.kind, found.named, troubles) == (kind, True, [])
    assert found.text is not None
    assert found.text.text == text.removeprefix("\ufeff")


@pytest.mark.parametrize(
    "text", ["", "hello\n", "kind: Pod\nspec: {}\n", "x:\n  services:\n", "services:\n  - docker:dind\n", "services: [a]\n"]
)
def test_a_named_file_of_another_kind_is_not_guessed(tree: Tree, text: str) -> None:
    tree({"strange.yaml": text})
    found, (trouble,) = discover(["strange.yaml"])
    assert not found
    assert "neither a Compose file nor a Dockerfile" in trouble.reason
    assert trouble.remedy


def test_a_named_file_is_taken_although_ignored_or_vendored(tree: Tree) -> None:
    tree({".gitignore": "*\n", "vendor/Dockerfile": DOCKER_TEXT, "Dockerfile.md": DOCKER_TEXT})
    assert names("vendor/Dockerfile", "Dockerfile.md") == ["vendor/Dockerfile", "Dockerfile.md"]


def test_binary_data_is_named(tree: Tree) -> None:
    tree([])
    Path("blob").write_bytes(b"\xff\xfe\0")
    found, (trouble,) = discover(["blob"])
    assert (found, trouble.reason) == ([], "not UTF-8 text")


def test_standard_input() -> None:
    assert from_stdin(COMPOSE_TEXT.encode(), "").kind == COMPOSE
    found = from_stdin(b"anything", "./a/Dockerfile.x")
    assert (found.location, found.name, found.kind, found.text and found.text.text) == (
        "",
        "a/Dockerfile.x",
        DOCKERFILE,
        "anything",
    )
    with pytest.raises(UsageError, match="--stdin-filename"):
        from_stdin(b"anything", "")
    with pytest.raises(Unreadable):
        from_stdin(b"\xff", "Dockerfile")


def test_rules_above_the_folder_count_up_to_the_repository(tree: Tree) -> None:
    tree({".gitignore": "Dockerfile\n", "repo/.gitignore": "x/\n", "repo/a/x/Dockerfile": "", "repo/a/y/Dockerfile": ""})
    os.makedirs("repo/.git/info")
    os.chdir("repo/a")
    assert names() == ["y/Dockerfile"]
    assert names("x") == ["x/Dockerfile"], "a folder that is named is looked at"
    Path("../.git/info/exclude").write_text("y\n")
    assert names() == []


def test_a_hostile_pattern_costs_no_time(tree: Tree) -> None:
    tree({".gitignore": "*a" * 40 + "b\n", "a" * 200 + ".Dockerfile": "", "Dockerfile": ""})
    assert "Dockerfile" in names()


PATTERNS = (
    r"a|b/|/a|/build/|*|*/|a/*|a/**|**/foo|**/b/|foo/|/x/**|a/**/b|Dockerfile|Dockerfile*|*.yaml|/compose.yaml|build|x/Dockerfile|?"
    r"|[ab]|[!a]/|\!x| |#c|a/b/|**|/*|/*/|*/b|b/**/compose.yaml|**/Dockerfile|/**/x|a |a\ |//a|a//b|[|[[]a|a**b|/"
).split("|")


@pytest.mark.parametrize("seed", range(60))
def test_git_agrees_on_what_is_ignored(tree: Tree, seed: int) -> None:
    chance = random.Random(seed)
    folders = [""]
    for _ in range(8):
        folders.append(f"{chance.choice(folders)}{chance.choice(['a', 'b', 'build', 'x', 'foo'])}/")
    files: dict[str, str] = {}
    for folder in sorted(set(folders)):
        files |= {folder + name: "" for name in ("Dockerfile", "compose.yaml") if chance.random() < 0.7}
        if chance.random() < (0.3 if folder else 0.9):
            rules = [chance.choice(["", "", "!"]) + chance.choice(PATTERNS) for _ in range(chance.randint(1, 4))]
            files[f"{folder}.gitignore"] = "\n".join(rules) + "\n"
    tree(files)
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", "init", "-q", "--template="], check=True, env=environment)
    command = ["git", "ls-files", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.split("\0")
    assert sorted(names()) == sorted(path for path in listed if path.endswith(("Dockerfile", "compose.yaml")))


def test_for_hooks_named_files_are_passed_over_as_a_folder_would_pass_over_them(tree: Tree, tmp_path: Path) -> None:
    tree(
        {
            "compose.yaml": COMPOSE_TEXT,
            "settings.yaml": "a: 1\n",
            "notes-of-compose.yaml": "notes: of compose\n",
            "package.json": "{}\n",
            "app.build": DOCKER_TEXT,
            "vendor/compose.yaml": COMPOSE_TEXT,
            "made/deep/compose.yaml": COMPOSE_TEXT,
            "kept/compose.yaml": COMPOSE_TEXT,
            "kept/old.yaml": COMPOSE_TEXT,
            ".gitignore": "/made\n",
            ".git/HEAD": "ref: refs/heads/main\n",
        }
    )
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    (tmp_path / "compose.prod.yaml").symlink_to("compose.yaml")
    every = [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*")) if path.is_file()]
    found, troubles = discover(every, ["kept/old*"], force_exclude=True)
    assert troubles == []
    assert [file.name for file in found] == ["app.build", "compose.yaml", "kept/compose.yaml"]
    assert len(discover(every)[1]) >= 4  # without it, each that is of no kind is a trouble


def test_for_hooks_a_file_that_is_gone_or_that_must_be_readable_is_still_a_trouble(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "my-compose.yaml").write_bytes(b"services: caf\xe9\n")
    found, troubles = discover(["gone.yaml", "my-compose.yaml"], force_exclude=True)
    assert found == []
    assert [trouble.path for trouble in troubles] == ["gone.yaml", "my-compose.yaml"]


def test_a_folder_is_searched_for_the_kinds_that_are_asked_for(tree: Tree) -> None:
    tree({"compose.yaml": COMPOSE_TEXT, "Dockerfile": DOCKER_TEXT})
    assert [file.name for file in discover(["."], kinds=(COMPOSE,))[0]] == ["compose.yaml"]
