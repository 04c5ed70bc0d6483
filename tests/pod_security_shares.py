"""Counts at which level of the Pod Security Standards the pods of a folder are, and what keeps them from `restricted`.

    python tests/pod_security_shares.py FOLDER [--without PART] [--most 10]

FOLDER may hold any Kubernetes manifests; nothing in it is changed. It is looked at the way `harden FOLDER` would, so that
other people's code in it, and what git ignores, is left out. A pod counts at the highest level
that it reaches, and once for each control that it does not meet, however many of its containers do not. Parts of pods
(patches without an image) are not judged. `--without` leaves out paths with that text in them, such as the test cases of
other tools. Prints the shares, then the most frequent controls with the level that asks for
each. Ends with 0; what could not be read is counted, by reason.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence

import corpus_judges as judges

from hardener.cli.target_level import judge
from hardener.discover import KUBERNETES, discover
from hardener.pod_security import BASELINE, RESTRICTED, reached

LEVELS = ("privileged", BASELINE, RESTRICTED)


class Shares:
    """What was counted."""

    def __init__(self) -> None:
        self.files = self.parts = 0
        self.levels: Counter[str] = Counter()
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.unread: Counter[str] = Counter()


def count(folder: str, without: Sequence[str] = ()) -> Shares:
    """Judge every pod in a folder, but for files with one of those texts in their paths."""
    shares = Shares()
    found, _ = discover([folder])
    manifests = [file for file in found if file.kind == KUBERNETES and not any(part in file.name for part in without)]
    rows, troubles, parts = judge(manifests, RESTRICTED)
    shares.files, shares.parts = len(manifests), len(parts)
    shares.unread.update(trouble.reason for trouble in troubles)
    for row in rows:
        shares.levels[reached(row.violations)] += 1
        shares.reasons.update({(violation.control, violation.level) for violation in row.violations})
    return shares


def main(arguments: Sequence[str]) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", help="any folder with Kubernetes manifests; it is not changed")
    parser.add_argument("--without", metavar="PART", action="append", default=[], help="leave out paths with this text (repeat)")
    parser.add_argument("--most", type=int, default=10, help="how many of the controls are printed")
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    shares = count(options.folder, options.without)
    pods = sum(shares.levels.values())

    def share(number: int) -> str:
        return f"{number / max(pods, 1):.1%}"

    rows = [[level, str(shares.levels[level]), share(shares.levels[level])] for level in LEVELS]
    print("\n".join(judges.table(["level", "pods", "share"], rows)))
    most = shares.reasons.most_common(options.most)
    print("\n".join(judges.table(["control", "level", "pods", "share"], [[*key, str(n), share(n)] for key, n in most])))
    unread = sum(shares.unread.values())
    left_out = f"{shares.parts} parts of pods and templates, {unread} files that could not be read"
    print(f"{pods} pods in {shares.files - unread} files, {left_out}:")
    print("\n".join(f"{number:6}  {reason}" for reason, number in shares.unread.most_common(options.most)))
    print(f"{time.perf_counter() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
