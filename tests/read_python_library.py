"""Reads installed Python libraries as the tool reads programs, so that `needs/source/libraries/python.toml` can be derived again.

    python tests/read_python_library.py SITE_PACKAGES PACKAGE... [--all]

Prints for each package its version, the names that it is imported by, what the reader finds in its source, the libraries that it
imports, and which functions of the C library its compiled parts can call that matter here. Nothing of it is imported or run.
Install what is to be read into an environment of its own: `python3 -m venv v && v/bin/pip install flask`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, PathDistribution, distributions

from hardener.facts.image_files import ContextFiles, ImageFiles
from hardener.facts.tree import Tree
from hardener.needs.source.python_effects import Effects
from hardener.needs.source.python_files import Project
from hardener.needs.source.python_imports import Imports
from hardener.needs.source.python_libraries import is_standard, library_of
from hardener.needs.source.python_scopes import parse
from hardener.needs.source.python_values import Reader
from hardener.needs.source.uses import Program, unknown

#: Functions of the C library that need a privilege, start programs or write files.
_WATCHED = frozenset(
    (
        "chown fchown lchown fchownat chmod fchmod fchmodat setuid setgid seteuid setegid setreuid setregid "
        "setresuid setresgid setgroups initgroups chroot mknod mknodat mount umount kill execve execv execvp "
        "execl execlp posix_spawn posix_spawnp system popen fork vfork mkdir mkdirat open open64 openat "
        "fopen fopen64 creat mkstemp mkstemp64 rename unlink symlink mlock mlockall ioctl prctl capset "
        "setrlimit nice setpriority sched_setscheduler ptrace clock_settime settimeofday sethostname unshare "
        "setns"
    ).split()
)


def files_of(distribution: Distribution, site: str) -> Iterator[str]:
    """The paths of a package's files below site-packages, without tests."""
    for path in distribution.files or ():
        name = str(path)
        parts = name.split("/")
        if ".." in parts or parts[0].endswith((".dist-info", ".egg-info")) or {"tests", "test", "testing"} & set(parts[:-1]):
            continue
        if os.path.isfile(os.path.join(site, name)):
            yield name


def tops(files: Sequence[str]) -> list[str]:
    """The names that a package is imported by."""
    found = {name.split("/")[0].partition(".")[0] for name in files if name.endswith((".py", ".so"))}
    return sorted(name for name in found if name.isidentifier())


def read(distribution: Distribution, site: str, files: Sequence[str]) -> tuple[Effects, Imports, list[str]]:
    """What the reader finds in a package's Python files."""
    image = ImageFiles(None)
    image.mount("/site", ContextFiles(site, Tree((site,))))
    program = Program(("python",), "/work", {"HOME": "/home"}, False, image)
    project = Project(program, ("/site",))
    unread = []
    for name in files:
        if name.endswith(".py"):
            try:
                with open(os.path.join(site, name), encoding="utf-8") as file:
                    project.modules["/site/" + name] = parse("/site/" + name, file.read())
            except (SyntaxError, ValueError, RecursionError) as error:
                unread.append(f"{name}: {error}")
    own = set(tops(files))
    for module in project.modules.values():
        module.imports = [one for one in module.imports if one[1] or one[0].partition(".")[0] not in own]
    imports = Imports(project, {})
    reader = Reader(project)
    effects = Effects(reader, lambda other: unknown(f"`{' '.join(other.words)}`"), imports.names)
    for module in project.modules.values():
        effects.judge(module)
    effects.settle()
    return effects, imports, unread


def compiled(files: Sequence[str], site: str) -> Iterator[str]:
    """What the compiled parts of a package can call of the C library."""
    if shutil.which("nm") is None:
        return
    for name in files:
        if re.search(r"\.so(\.|$)", name):
            done = subprocess.run(
                ["nm", "-D", "--undefined-only", os.path.join(site, name)], capture_output=True, text=True, check=False
            )
            called = {line.split()[-1].partition("@")[0] for line in done.stdout.splitlines() if line.split()}
            if called & _WATCHED:
                yield f"{name}: {' '.join(sorted(called & _WATCHED))}"


def report(distribution: Distribution, site: str, everything: bool) -> None:
    """Print what was found in one package."""
    files = list(files_of(distribution, site))
    effects, imports, unread = read(distribution, site, files)
    count = len(effects.reader.project.modules)
    print(f"\n{distribution.metadata['Name']} {distribution.version}: {', '.join(tops(files))}; {count} files")
    found = [f"capability {one.name} {one.evidence.source}" for one in effects.capabilities.values()]
    found += [f"writes {one.path} ({one.kind}) {one.evidence.source}" for one in effects.places.writes.values()]
    found += [f"runs {one.name} {one.evidence.source}" for one in effects.runs.values()]
    found += [f"user {one.name} {one.evidence.source}" for one in effects.users.values()]
    found += [doubt.text for doubt in effects.doubts]
    found += [doubt.text for doubt in imports.doubts(lambda path: path) if doubt.text.startswith("`")]
    found += unread
    for line in found if everything else found[:40]:
        print("   ", line.replace(os.path.relpath(site) + "/", "").replace("/site/", "").replace("\0", "*"))
    if len(found) > 40 and not everything:
        print(f"    and {len(found) - 40} more")
    own = set(tops(files))
    more = {name.partition(".")[0] for name in imports.names if not is_standard(name) and library_of(name) is None} - own
    if more:
        print("    imports also:", " ".join(sorted(more)))
    for line in compiled(files, site):
        print("    compiled", line)


def main(arguments: Sequence[str]) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("site", help="a folder site-packages")
    parser.add_argument("packages", nargs="+")
    parser.add_argument("--all", action="store_true", help="print all that is found")
    options = parser.parse_args(arguments)
    here = {re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower(): one for one in distributions(path=[options.site])}
    for package in options.packages:
        distribution = here.get(re.sub(r"[-_.]+", "-", package).lower())
        if isinstance(distribution, PathDistribution):
            report(distribution, os.path.abspath(options.site), options.all)
        else:
            print(f"\n{package} is not installed there")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
