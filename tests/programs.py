"""Programs for tests of what is read from source: a Dockerfile and its context in, the program it starts out. Knows no rule."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hardener.facts.dockerfile import DockerStage
from hardener.facts.image_files import ContextFiles, ImageFiles
from hardener.facts.tree import Tree
from hardener.needs.bases import find_base
from hardener.needs.source.reading import uses_of
from hardener.needs.source.uses import Program, Uses
from hardener.needs.start import start_of
from hardener.source import Source
from hardener.syntax.dockerfile import parse


def program_of(folder: Path, dockerfile: str, files: Mapping[str, str], environment: Mapping[str, str] | None = None) -> Program:
    """The program that an image starts, as if a service with these variables, and no others, had asked for it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    stage = DockerStage(Source("Dockerfile", dockerfile), parse(dockerfile), runs=True)
    base = find_base(stage.image) if stage.image else None
    start = start_of(stage, base, ImageFiles(stage, ContextFiles(str(folder), Tree((str(folder),)))))
    assert start.program is not None, start.why_not
    known = dict(start.program.environment) | dict(environment or {})
    return start.program._replace(environment=known, more_environment=False)


def uses(folder: Path, dockerfile: str, files: Mapping[str, str], environment: Mapping[str, str] | None = None) -> Uses:
    """What that program does."""
    return uses_of(program_of(folder, dockerfile, files, environment))
