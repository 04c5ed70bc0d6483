"""What the peers find beside us: compose-lint, hadolint and checkov, over the same files, area by area.

    python tests/side_by_side.py FOLDER [--list 8] [--area WORD] [--after]

FOLDER may hold any Compose files and Dockerfiles; nothing in it is changed. The first table has a row for each pair of their
rules and ours that mean the same hazard: in how many places both find it, they alone, and we alone. A place is a service, a
stage of a Dockerfile, or a whole Dockerfile where the peer names no line. With --list that many places of each one-sided
class are printed, taken evenly, to be read; --area chooses the pairs by a word of their area.

With --after the folder is copied, the copy gets our `--write --unsafe-fixes`, and a second table shows what the peers find
before and after, by rule, and in how many places something appears that was not there; --list names those.

Rules about style and about what we leave to others (digests, versions of packages, size of images) have no pair; the second
table has them all the same. Peers are taken from beside the interpreter or from PATH, and one that is not there is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from hardener.discover import COMPOSE, DOCKERFILE, discover

#: Longer command lines are refused by some systems.
_MAX_ARGUMENTS = 100_000
_CHECKOV_FILES = 50
_SERVICES = re.compile(r"^services:", re.MULTILINE)
_FROM = re.compile(r"^[ \t]*FROM[ \t]", re.IGNORECASE | re.MULTILINE)
#: What a place is, for each pair.
SERVICE, STAGE, FILE = "services", "stages", "files"
OURS = "harden"


class Found(NamedTuple):
    """One finding of one tool; `service` is empty for a Dockerfile."""

    rule: str
    path: str
    line: int
    service: str = ""
    message: str = ""


class Pair(NamedTuple):
    """Rules of a peer and of ours that mean the same hazard."""

    area: str
    peer: str
    theirs: frozenset[str]
    ours: frozenset[str]
    place: str


_T = TypeVar("_T")
#: (path, service or stage); the second part is empty where the place is a file.
Place = tuple[str, str]


def _pairs(peer: str, place: str, rows: str) -> Iterator[Pair]:
    """Read a table: area, their rules, our rules, with `|` between."""
    for row in rows.strip().splitlines():
        area, theirs, ours = (cell.strip() for cell in row.split("|"))
        yield Pair(area, peer, frozenset(theirs.split()), frozenset(ours.split()), place)


PAIRS = [
    *_pairs(
        "compose-lint",
        SERVICE,
        """
        socket               | CL-0001                                         | docker-socket-mount
        privileged           | CL-0002                                         | privileged-container
        no-new-privileges    | CL-0003                                         | privilege-escalation
        image tag            | CL-0004                                         | mutable-image-tag
        ports                | CL-0005                                         | port-on-all-interfaces
        capabilities kept    | CL-0006                                         | excess-capabilities
        read-only root       | CL-0007                                         | writable-root-filesystem
        host network         | CL-0008                                         | host-network
        seccomp and AppArmor | CL-0009                                         | unconfined-seccomp unconfined-apparmor
        host namespaces      | CL-0010                                         | host-pid host-ipc
        capabilities added   | CL-0011 CL-0024 CL-0027 CL-0028 CL-0029 CL-0030 | added-capability
        sensitive mounts     | CL-0013 CL-0025                                 | sensitive-host-mount
        devices              | CL-0016                                         | host-device
        mount propagation    | CL-0017                                         | shared-mount-propagation
        user                 | CL-0018                                         | root-user
        secrets              | CL-0020 CL-0021                                 | secret-in-environment
        limits               | CL-0026                                         | unlimited-memory unlimited-cpu
        """,
    ),
    *_pairs(
        "hadolint",
        STAGE,
        """
        user                 | DL3002        | root-user
        sudo                 | DL3004        | sudo-in-image
        base image tag       | DL3006 DL3007 | mutable-base-image
        ADD                  | DL3020        | add-instead-of-copy
        secrets              | DL3064        | secret-in-image
        """,
    ),
    *_pairs(
        "checkov",
        STAGE,
        """
        ADD                  | CKV_DOCKER_4   | add-instead-of-copy
        update alone         | CKV_DOCKER_5   | update-without-install
        base image tag       | CKV_DOCKER_7   | mutable-base-image
        sudo                 | CKV2_DOCKER_1  | sudo-in-image
        secrets              | CKV2_DOCKER_17 | secret-in-image
        """
        f"signatures | {' '.join(f'CKV2_DOCKER_{number}' for number in range(2, 17))} | package-signature-disabled",
    ),
    *_pairs(
        "checkov",
        FILE,
        """
        user                 | CKV_DOCKER_3 CKV_DOCKER_8 | root-user
        healthcheck          | CKV_DOCKER_2              | missing-healthcheck
        """,
    ),
]


def compose_lint(program: str, folder: str, files: list[str]) -> Iterator[Found]:
    """What compose-lint finds; each file named, and with the override that Compose would take."""
    for some in _in_parts(files):
        for finding in _json([program, "check", "--format", "json", *some], folder)["findings"]:
            yield Found(finding["rule_id"], finding["file"], finding["line"] or 0, finding["service"] or "", finding["message"])


def hadolint(program: str, folder: str, files: list[str]) -> Iterator[Found]:
    """What hadolint finds, without anybody's configuration."""
    for some in _in_parts(files):
        for finding in _json([program, "--no-fail", "--config", os.devnull, "--format", "json", *some], folder):
            yield Found(finding["code"], finding["file"], finding["line"], message=finding["message"])


def checkov(program: str, folder: str, files: list[str]) -> Iterator[Found]:
    """What checkov finds. It knows Dockerfiles by their names, so that it gets copies with the right one.

    Where one file makes a check of it stumble, that check says nothing of any file of the run (3.3.30): hence many short runs.
    """
    options = ["--framework", "dockerfile", "--output", "json", "--quiet", "--compact", "--skip-download", "--soft-fail"]
    for start in range(0, len(files), _CHECKOV_FILES):
        some = files[start : start + _CHECKOV_FILES]
        with tempfile.TemporaryDirectory() as copy:
            for number, file in enumerate(some):
                os.mkdir(os.path.join(copy, str(number)))
                shutil.copyfile(os.path.join(folder, file), os.path.join(copy, str(number), "Dockerfile"))
            report = _json([program, "--directory", copy, *options], copy)
        found: set[Found] = set()
        for finding in report["results"]["failed_checks"] if "results" in report else ():
            path = some[int(finding["file_path"].strip("/").partition("/")[0])]
            # It counts lines from 0, and lists all instructions only in the details.
            details = finding["check_result"].get("results_configuration")
            lines = [item["startline"] + 1 for item in details] if isinstance(details, list) else []
            for line in lines or [finding["file_line_range"][0]]:
                found.add(Found(finding["check_id"], path, line, message=finding["check_name"]))
        yield from sorted(found)


def harden(folder: str, files: list[str], options: Sequence[str] = ()) -> Any:
    """Our own report. All files are named: one run must see the whole folder, since files in it belong together."""
    return _json([sys.executable, "-m", "hardener", "--format", "json", *options, ".", *files], folder)


def _json(command: Sequence[str], folder: str) -> Any:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise SystemExit(f"{command[0]} ended with {done.returncode}: {(done.stderr or done.stdout)[-500:]}") from None


def _in_parts(files: list[str]) -> Iterator[list[str]]:
    """The files in parts that fit on a command line."""
    part: list[str] = []
    for file in files:
        if part and sum(len(other) + 1 for other in part) + len(file) > _MAX_ARGUMENTS:
            yield part
            part = []
        part.append(file)
    if part:
        yield part


class Folder:
    """A folder of files, and what is found there. Places of services are those of the file that comes first in a project."""

    def __init__(self, path: str) -> None:
        self.path = path
        #: The place that counts for one in a file that is laid over another.
        self.first: dict[Place, Place] = {}
        found, _ = discover([path])
        known = {file.location for file in found}
        # A folder's Compose files of other names, as tests and examples have them, are judged too: named one by one.
        yaml = [str(file) for end in ("yml", "yaml") for file in Path(os.path.realpath(path)).rglob(f"*.{end}") if file.is_file()]
        named = sorted(file for file in yaml if file not in known and _SERVICES.search(_text(file)))
        self.named = [os.path.relpath(file, os.path.realpath(path)) for file in named]
        found += [file for file in discover(named)[0] if file.kind == COMPOSE]
        self.files = {
            kind: [os.path.relpath(file.location, os.path.realpath(path)) for file in found if file.kind == kind]
            for kind in (COMPOSE, DOCKERFILE)
        }

    def ours(self) -> list[Found]:
        """What we find; afterwards places of peers are those of ours."""
        result = []
        dockerfiles = set(self.files[DOCKERFILE])
        for finding in harden(self.path, self.named)["findings"]:
            service = "" if finding["path"] in dockerfiles else finding["subject"]
            if service:
                # The key names all files of a project, `base+override#service`.
                files = finding["key"].partition("#")[0].split("+")
                self.first.update({(os.path.normpath(file), service): (os.path.normpath(files[0]), service) for file in files})
            result.append(Found(finding["rule"], os.path.normpath(finding["path"]), finding["line"], service, finding["message"]))
        return result

    def place(self, finding: Found, kind: str) -> Place:
        """Where a finding is, in a form that is the same for all tools."""
        if kind == SERVICE:
            place = (finding.path, finding.service)
            return self.first.get(place, place)
        if kind == FILE:
            return finding.path, ""
        starts = _stages(os.path.join(self.path, finding.path))
        return finding.path, str(sum(start <= finding.line for start in starts))


def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8", errors="replace")


@lru_cache(maxsize=10_000)
def _stages(path: str) -> list[int]:
    text = _text(path)
    return [text.count("\n", 0, match.start()) + 1 for match in _FROM.finditer(text)]


PEERS: dict[str, tuple[str, Callable[[str, str, list[str]], Iterator[Found]]]] = {
    "compose-lint": (COMPOSE, compose_lint),
    "hadolint": (DOCKERFILE, hadolint),
    "checkov": (DOCKERFILE, checkov),
}


def programs() -> tuple[dict[str, str], list[str]]:
    """The peers that are there, with their programs, and the names of those that are not."""
    found = {}
    for name in PEERS:
        beside = os.path.join(os.path.dirname(sys.executable), name)
        program = beside if os.access(beside, os.X_OK) else shutil.which(name)
        if program:
            found[name] = program
    return found, [name for name in PEERS if name not in found]


def compare(folder: Folder, ours: list[Found], theirs: dict[str, list[Found]], word: str, most: int) -> None:
    """Print the first table, and examples of what only one side finds."""
    rows, examples = [], []
    for pair in PAIRS:
        if pair.peer not in theirs or word not in pair.area:
            continue
        kind = PEERS[pair.peer][0]
        mine = _by_place(
            folder, pair.place, (item for item in ours if item.rule in pair.ours and bool(item.service) == (kind == COMPOSE))
        )
        others = _by_place(folder, pair.place, (item for item in theirs[pair.peer] if item.rule in pair.theirs))
        counts = [len(mine.keys() & others.keys()), len(others.keys() - mine.keys()), len(mine.keys() - others.keys())]
        rows.append([pair.area, pair.peer, " ".join(sorted(pair.ours)), pair.place, *map(str, counts)])
        for who, one, other in ((pair.peer, others, mine), (OURS, mine, others)):
            alone = [one[place] for place in sorted(one.keys() - other.keys())]
            examples += [[f"{pair.area}: only {who}", *_shown(item)] for item in _evenly(alone, most)]
    _print(["area", "peer", "our rules", "places", "both", "only they", "only we"], rows, 4)
    if examples:
        print()
        _print(["class", "place", "service", "rule", "message"], examples, 5)


def before_and_after(folder: Folder, theirs: dict[str, list[Found]], word: str, most: int) -> None:
    """Fix a copy, print the second table, and what appears only there."""
    with tempfile.TemporaryDirectory() as temporary:
        copy = os.path.join(temporary, "copy")
        shutil.copytree(folder.path, copy)
        harden(copy, folder.named, ("--write", "--unsafe-fixes"))
        fixed = Folder(copy)
        fixed.first = folder.first
        areas = {rule: pair.area for pair in PAIRS for rule in pair.theirs}
        rows, examples = [], []
        for name, before in theirs.items():
            kind, run = PEERS[name]
            after = list(run(programs()[0][name], copy, folder.files[kind]))
            for rule in sorted({item.rule for item in (*before, *after)}):
                if word not in areas.get(rule, ""):
                    continue
                place = SERVICE if kind == COMPOSE else STAGE
                old = Counter(folder.place(item, place) for item in before if item.rule == rule)
                new = Counter(fixed.place(item, place) for item in after if item.rule == rule)
                more = [place for place in sorted(new) if new[place] > old[place]]
                rows.append([name, rule, areas.get(rule, ""), *map(str, (old.total(), new.total(), len(more)))])
                last = {fixed.place(item, place): item for item in after if item.rule == rule}
                examples += [[f"{rule}: new", *_shown(last[where])] for where in _evenly(more, most)]
        _print(["peer", "rule", "area", "before", "after", "new places"], rows, 3)
        if examples:
            print()
            _print(["class", "place", "service", "rule", "message"], examples, 5)


def _by_place(folder: Folder, kind: str, findings: Iterable[Found]) -> dict[Place, Found]:
    result: dict[Place, Found] = {}
    for finding in findings:
        result.setdefault(folder.place(finding, kind), finding)
    return result


def _shown(item: Found) -> list[str]:
    return [f"{item.path}:{item.line}", item.service, item.rule, " ".join(item.message.split())[:120]]


def _evenly(items: list[_T], most: int) -> list[_T]:
    return [items[number * len(items) // most] for number in range(most)] if len(items) > most else items


def _print(head: list[str], rows: list[list[str]], left: int) -> None:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        sized = enumerate(zip(row, widths, strict=True))
        print("  ".join(cell.ljust(width) if column < left else cell.rjust(width) for column, (cell, width) in sized).rstrip())


def main(arguments: Sequence[str]) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", help="any folder with Compose files and Dockerfiles; it is not changed")
    parser.add_argument("--list", type=int, default=0, help="how many places of each one-sided class to print")
    parser.add_argument("--area", default="", help="only areas with this word")
    parser.add_argument("--after", action="store_true", help="also fix a copy, and ask the peers again")
    options = parser.parse_args(arguments)
    folder = Folder(options.folder)
    ours = folder.ours()
    there, missing = programs()
    theirs = {name: list(PEERS[name][1](program, folder.path, folder.files[PEERS[name][0]])) for name, program in there.items()}
    compare(folder, ours, theirs, options.area, options.list)
    if options.after:
        print()
        before_and_after(folder, theirs, options.area, options.list)
    for name in missing:
        print(f"left out: {name} is not installed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
