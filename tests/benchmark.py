"""Measures what the tool costs beside its peers: CPU seconds, user and system, of each process and its children.

    python tests/benchmark.py FOLDER [--files 300] [--best-of 7]

FOLDER may hold any Compose files and Dockerfiles; nothing in it is changed. All tools get the same files in one run:
once all of them in one process (bulk), and once a single one of each kind, of median size, the best of some runs. The unit
of the column "x python" is `python -c pass` with the same interpreter, so that figures from different machines can be compared.
Peers are taken from beside the interpreter or from PATH, and one that is not there is named and left out.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from hardener.discover import COMPOSE, DOCKERFILE, discover

#: Longer command lines are refused by some systems.
_MAX_ARGUMENTS = 100_000


class Tool(NamedTuple):
    """A command that gets files as its last arguments; `kinds` are those that it reads."""

    name: str
    command: tuple[str, ...]
    version: tuple[str, ...]
    kinds: frozenset[str]


class Cost(NamedTuple):
    """What one run cost, and with which code it ended: mostly 0, 1 with findings, 2 with a file that cannot be read."""

    seconds: float
    ended: int


def tools() -> tuple[list[Tool], list[str]]:
    """The tools that are there, and the names of those that are not."""
    here = _program("harden")
    harden = (here,) if here else (sys.executable, "-m", "hardener")
    both = frozenset({COMPOSE, DOCKERFILE})
    found = [
        Tool("harden --diff", (*harden, "--diff"), (*harden, "--version"), both),
        Tool("harden --diff --unsafe-fixes", (*harden, "--diff", "--unsafe-fixes"), (*harden, "--version"), both),
    ]
    missing = []
    peers = {
        "hadolint": ((), frozenset({DOCKERFILE})),
        "compose-lint": ((), frozenset({COMPOSE})),
        "dockerfile-doctor": ((), frozenset({DOCKERFILE})),
    }
    for name, (arguments, kinds) in peers.items():
        program = _program(name)
        if program:
            found.append(Tool(name, (program, *arguments), (program, "--version"), kinds))
        else:
            missing.append(name)
    return found, missing


def _program(name: str) -> str | None:
    beside = os.path.join(os.path.dirname(sys.executable), name)
    return beside if os.access(beside, os.X_OK) else shutil.which(name)


def measure(command: Sequence[str], folder: str) -> Cost:
    """Run a command in a folder and say what it cost. Python's compiled modules are kept there, whatever the environment says."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = os.path.join(folder, "compiled")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.returncode)


def best(command: Sequence[str], folder: str, runs: int) -> Cost:
    """The cheapest of some runs, which is the one least disturbed; before them one that fills caches."""
    measure(command, folder)
    return min(measure(command, folder) for _ in range(runs))


def lay_out(folder: str, copy: str, most: int) -> dict[str, list[str]]:
    """Copy files into one flat folder of each kind, so that no tool has to search; at most `most` of each, evenly taken."""
    found, _ = discover([folder])
    chosen: dict[str, list[str]] = {}
    for kind, name in ((COMPOSE, "compose.{}.yaml"), (DOCKERFILE, "Dockerfile.{}")):
        files = [file for file in found if file.kind == kind]
        step = max(1, len(files) // most)
        chosen[kind] = []
        for number, file in enumerate(files[::step][:most]):
            # A folder for each, since Compose files in one folder would be one project.
            target = os.path.join(f"{kind}{number}", name.format(number))
            os.mkdir(os.path.join(copy, f"{kind}{number}"))
            shutil.copyfile(file.location, os.path.join(copy, target))
            chosen[kind].append(target)
    return chosen


def version(tool: Tool) -> str:
    """What a tool says of its version."""
    done = subprocess.run(tool.version, capture_output=True, text=True, check=False)
    words = (done.stdout or done.stderr).split()
    return next((word for word in words if word[:1].isdigit()), words[-1] if words else "?")


def typical(folder: str, files: list[str]) -> str:
    """A file of median size."""
    sizes = {file: os.path.getsize(os.path.join(folder, file)) for file in files}
    middle = median(sizes.values())
    return min(files, key=lambda file: abs(sizes[file] - middle))


def table(folder: str, files: dict[str, list[str]], runs: int) -> list[list[str]]:
    """All measurements, a row each."""
    unit = best((sys.executable, "-c", "pass"), folder, max(runs, 10)).seconds
    rows = [["python -c pass", sys.version.split()[0], "", f"{unit:.3f}", f"{unit * 1000:.1f}", "1.0", "0"]]
    present, _ = tools()
    for tool in present:
        mine = [file for kind in sorted(tool.kinds) for file in files[kind]]
        while sum(len(file) + 1 for file in mine) > _MAX_ARGUMENTS:
            mine = mine[::2]
        if mine:
            cost = best((*tool.command, *mine), folder, 3)
            rows.append(_row(tool, f"{len(mine)} files", cost, unit, len(mine)))
        for kind in sorted(tool.kinds):
            if files[kind]:
                cost = best((*tool.command, typical(folder, files[kind])), folder, runs)
                rows.append(_row(tool, f"one {kind} file", cost, unit, 1))
    return rows


def _row(tool: Tool, what: str, cost: Cost, unit: float, count: int) -> list[str]:
    each = f"{cost.seconds / count * 1000:.2f}" if count > 1 else f"{cost.seconds * 1000:.1f}"
    ratio = f"{cost.seconds / unit:.1f}"
    return [tool.name, version(tool), what, f"{cost.seconds:.3f}", each, ratio, str(cost.ended)]


def main(arguments: Sequence[str]) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", help="any folder with Compose files and Dockerfiles; it is not changed")
    parser.add_argument("--files", type=int, default=300, help="how many files of each kind at most")
    parser.add_argument("--best-of", type=int, default=7, help="how many runs with a single file")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as copy:
        files = lay_out(options.folder, copy, options.files)
        rows = table(copy, files, options.best_of)
    head = ["tool", "version", "given", "CPU s", "ms a file", "x python", "exit"]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        sized = list(zip(row, widths, strict=True))
        print("  ".join([cell.ljust(width) for cell, width in sized[:3]] + [cell.rjust(width) for cell, width in sized[3:]]))
    for name in tools()[1]:
        print(f"left out: {name} is not installed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
