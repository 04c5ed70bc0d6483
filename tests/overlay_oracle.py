"""Whether an overlay, passed last, makes of a project what fixes in its files make of it, by Compose itself. Knows no rule.

    python tests/overlay_oracle.py FOLDER

asks that of every project below FOLDER, each folder in it on its own, with and without --unsafe-fixes, and prints how many
overlays are equal, how many are not, what was refused, and what Compose did not accept in the first place. Nothing in FOLDER
is changed.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

from compose_oracle import AS_WRITTEN, STRICT, Answer, _run

from hardener.discover import COMPOSE, KUBERNETES, discover
from hardener.overlay.run import run as overlay_run
from hardener.pipeline import Request, run
from hardener.report import FileChange, Report

#: Lists whose order means nothing: where one is made longer in the base, a later file's items come after.
_UNORDERED = ("cap_add", "cap_drop", "security_opt", "tmpfs", "devices", "environment")


def names_of(overlay: bytes) -> list[str]:
    """The files that an overlay says it is to be passed with, itself last."""
    line = re.search(r"^#   docker compose (.*) up$", overlay.decode(), re.MULTILINE)
    assert line, "it says how to pass it"
    return [word for word in shlex.split(line[1]) if word != "-f"]


def compared(folder: Path, after: Path, overlay: str) -> tuple[str, Any]:
    """How an overlay in a folder compares with a copy of the folder that has the fixes in its files.

    "equal", "different" with both models, or "rejected" with the reason where Compose takes not even the project as it was, or
    takes nothing laid over it.
    """
    home = folder / os.path.dirname(overlay)
    names = names_of((folder / overlay).read_bytes())
    reason = ""
    for flags in (STRICT, (*STRICT, "--no-consistency"), AS_WRITTEN):
        wanted = ask(after / os.path.dirname(overlay), names[:-1], flags)
        if wanted.model is None:
            continue
        got = ask(home, names, flags)
        if got.model is not None:
            one, other = canonical(got.model), canonical(wanted.model)
            return ("equal", None) if one == other else ("different", (one, other))
        # With a variable that is not set, Compose may take a file alone and not with another, whatever that says.
        (home / "empty.yaml").write_text("services: {}\n")
        if ask(home, [*names[:-1], "empty.yaml"], flags).model is not None:
            return "different", got.error
        reason = f"with any second file: {got.error}"
    was = ask(home, names[:-1], AS_WRITTEN)
    if was.model is None or reason:
        return "rejected", reason or was.error
    return "different", "only the fixed files are refused"


def ask(folder: Path, names: list[str], flags: tuple[str, ...]) -> Answer:
    """Compose's model of files in a folder, which is `~` to it, too; where it lies is left out of the model."""
    answer = _run(str(folder), tuple(names), flags)
    model = None if answer.model is None else json.loads(json.dumps(answer.model).replace(str(folder), "~"))
    return answer._replace(model=model)


def canonical(model: Any, key: str = "") -> Any:
    """A model without extensions, which only say where text is shared, and with lists sorted whose order means nothing."""
    if isinstance(model, dict):
        return {name: canonical(value, name) for name, value in model.items() if not name.startswith("x-")}
    if isinstance(model, list):
        found = [canonical(item) for item in model]
        return sorted(found, key=repr) if key in _UNORDERED else found
    return model


def in_files(folder: Path, *, unsafe: bool) -> Report:
    """The report with fixes in the files of a project, as it is with no Dockerfile among them."""
    with chdir(folder):
        found = discover(["."])[0]
        return run(Request(tuple(file for file in found if file.kind == COMPOSE), unsafe=unsafe))


def beside_files(folder: Path, *, unsafe: bool) -> Report:
    """The report with overlays for a project."""
    with chdir(folder):
        found = discover(["."])[0]
        return overlay_run(Request(tuple(file for file in found if file.kind != KUBERNETES), unsafe=unsafe))


def put(folder: Path, changes: tuple[FileChange, ...]) -> None:
    """Write changes into a copy of their project."""
    for change in changes:
        (folder / change.after.path).write_bytes(change.after.to_bytes())


def checked(source: Path, *, unsafe: bool) -> Iterator[tuple[str, str, Any]]:
    """For each overlay of a project, its path, how it compares, and what differs; and a line for each refusal."""
    with tempfile.TemporaryDirectory() as top:
        beside, inside = Path(top, "beside"), Path(top, "inside")
        shutil.copytree(source, beside, symlinks=True, ignore=shutil.ignore_patterns(".git"))
        shutil.copytree(beside, inside, symlinks=True)
        plain, laid = in_files(beside, unsafe=unsafe), beside_files(beside, unsafe=unsafe)
        refused = {trouble for trouble in laid.troubles if trouble not in plain.troubles}
        yield from ((trouble.path, "refused", trouble.reason) for trouble in sorted(refused))
        put(inside, plain.changes)
        put(beside, laid.changes)
        touched = {path for change in laid.changes for path in change.stands_for}
        missing = {change.before.path for change in plain.changes} - touched
        if missing and not refused:
            yield from ((path, "different", "no overlay answers its change") for path in sorted(missing))
        for change in laid.changes:
            yield change.after.path, *compared(beside, inside, change.after.path)
        again = beside_files(beside, unsafe=unsafe)
        yield from ((change.after.path, "different", "a second run changes it") for change in again.changes)


def main(folder: Path) -> int:
    """Check every project below a folder and print what was found."""
    counts: Counter[tuple[str, str]] = Counter()
    for unsafe in (True, False):
        for source in sorted(path for path in folder.iterdir() if path.is_dir()):
            for path, how, what in checked(source, unsafe=unsafe):
                counts["unsafe" if unsafe else "safe", how] += 1
                if how != "equal":
                    print(f"{how}: {source.name}/{path} ({'unsafe' if unsafe else 'safe'}): {str(what)[:600]}", flush=True)
        print(*(f"{mode:8}{how:12}{number}\n" for (mode, how), number in sorted(counts.items())), sep="", flush=True)
    return 1 if any(how == "different" for _, how in counts) else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
