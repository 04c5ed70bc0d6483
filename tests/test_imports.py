"""The way through the house: imports point one way, modules say what they know, start-up stays cheap."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "hardener"
#: From the ground up; a room may import its own and what is below it. Rooms on one line do not know each other.
FLOORS = (
    ("errors", "record", "suggestion", "undisturbed"),
    ("standards", "pod_fields", "safe_sysctls"),
    ("pod_security",),
    ("source", "git", "toml", "checkout"),
    ("finding",),
    ("policy", "posture", "fingerprint"),
    ("report",),
    ("syntax", "uncommitted"),
    ("facts",),
    ("writing",),
    ("needs",),
    ("rules",),
    ("ignored", "group", "manifests", "stages", "proof", "sharing"),
    ("plan",),
    ("trace", "silence"),
    ("passes",),
    ("discover", "config"),
    ("pipeline",),
    ("scopes", "ignores", "first_config"),
    ("pages",),
    ("overlay",),
    ("trial",),
    ("audit",),
    ("render",),
    ("api", "bot"),
    ("cli",),
    ("site",),
    ("__main__",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(PACKAGE.rglob("*.py"))
#: Only what never runs on the plain path may import these at its top.
HEAVY = {
    "typer",
    "rich",
    "difflib",
    "pathspec",
    "json",
    "dockerfile_parse",
    "unidiff",
    "libcst",
    "dataclasses",
    "pathlib",
    "tomllib",
    "subprocess",
}
LAZY_MODULES = {"cli/app.py", "cli/command_pr.py", "cli/commands.py", "ignored.py", "render/json.py", "syntax/dockerfile/twin.py"}
LONGEST = 450

every_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())


def room(module: str) -> str:
    """The room of a dotted name: `hardener.facts.compose` is in `facts`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(tree: ast.AST) -> Iterator[str]:
    """What a module imports, wherever it does so."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            base = node.module or ""
            # `from hardener import source` names a room, `from hardener import __version__` does not.
            yield from (f"{base}.{alias.name}" if base == "hardener" and alias.name in FLOOR else base for alias in node.names)


def at_the_top(tree: ast.Module) -> Iterator[str]:
    """What a module imports when it is imported."""
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from imports(node)


@every_module
def test_imports_point_one_way(path: Path) -> None:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    tree = parsed(path)
    if parts == ("__init__",):
        return
    here = parts[0]
    assert here in FLOOR, "a new room: say on which floor it is"
    for name in imports(tree):
        if name.split(".")[0] != "hardener" or room(name) in ("", here):
            continue
        assert FLOOR[room(name)] < FLOOR[here], f"{here} must not know {name}"


@every_module
def test_it_says_in_one_line_what_it_knows(path: Path) -> None:
    docstring = ast.get_docstring(parsed(path))
    assert docstring, "the first line says what the module knows, and what not"
    first = docstring.splitlines()[0]
    assert first.endswith((".", ":", "?")) or path.name == "__init__.py", first


@every_module
def test_public_names_are_explained(path: Path) -> None:
    kinds = (ast.FunctionDef, ast.ClassDef)
    for node in parsed(path).body:
        if isinstance(node, kinds) and not node.name.startswith("_"):
            assert ast.get_docstring(node) or is_protocol_method(node), node.name


def is_protocol_method(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and any(
        isinstance(one, ast.Name) and one.id == "overload" for one in node.decorator_list
    )


@every_module
def test_it_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST
    assert path.stem not in ("utils", "helpers", "common", "manager", "misc")


@every_module
def test_what_is_heavy_is_imported_where_it_is_used(path: Path) -> None:
    if path.relative_to(PACKAGE).as_posix() not in LAZY_MODULES:
        heavy = {name.split(".")[0] for name in at_the_top(parsed(path))} & HEAVY
        assert heavy == set()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("compose.yaml", "services: {db: {image: 'postgres:16'}}\n"),
        ("Dockerfile", "FROM scratch\nCOPY a /\n"),
        ("pod.yaml", "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: db, image: 'postgres:16'}]}\n"),
    ],
)
def test_the_plain_path_starts_without_what_it_does_not_need(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    script = f"""
import sys
from hardener.discover import discover
from hardener.pipeline import Request, run
report = run(Request(tuple(discover([{name!r}])[0]), unsafe=True))
assert report.files == 1 and not report.troubles, report
print(*sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    unneeded = {
        "typer",
        "rich",
        "difflib",
        "pathspec",
        "json",
        "unidiff",
        "libcst",
        "dataclasses",
        "pathlib",
        "subprocess",
        "importlib.metadata",
    }
    assert loaded & unneeded == set()
    assert "dockerfile_parse" not in loaded or name == "Dockerfile"
    assert not {module for module in loaded if module.startswith("hardener.silence")}, "nothing is silenced"
    others = {
        "compose.yaml": {"facts.kubernetes", "manifests", "facts.dockerfile", "overlay"},
        "Dockerfile": {"facts.kubernetes", "manifests", "facts.compose", "group", "overlay"},
        "pod.yaml": {"facts.compose", "group", "facts.dockerfile", "syntax.dockerfile", "facts.kubernetes.chart", "overlay"},
    }
    assert loaded & {f"hardener.{module}" for module in others[name]} == set()
