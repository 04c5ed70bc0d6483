"""What a finding is called for ever: the same when lines move and wherever harden runs. Knows neither files nor forms.

A fingerprint follows from the rule, the file, the name of the container or stage, what the rule adds to tell its findings apart
(a mount's target, an instruction's text), and a number where all of that is the same more than once. Lines, messages, severities
and fixes are not part of it, nor is the order of pods in a file, nor which override files lie beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from hardener.finding import Finding

#: Goes up when fingerprints of the same findings become others.
VERSION = 1


def fingerprints(findings: Iterable[Finding], folder: str, root: str) -> list[str]:
    """The fingerprint of each finding, 32 hexadecimal digits: no two are the same.

    The findings are all those of a run, in the order of the report. `folder` is where their paths begin, `root` the folder that
    fingerprints are to count from: that of the repository, or of the file that they are kept in.
    """
    from hashlib import sha256

    paths: dict[str, str] = {}
    seen: dict[tuple[str, ...], int] = {}
    found: list[str] = []
    for finding in findings:
        path = finding.place.path
        if path not in paths:
            paths[path] = relative(path, folder, root)
        told = (finding.rule, paths[path], *_who_and_what(finding))
        number = seen[told] = seen.get(told, -1) + 1
        # `ascii` keeps the parts apart, whatever is in them, and is the same in every Python.
        found.append(sha256(ascii((VERSION, *told, number)).encode()).hexdigest()[:32])
    return found


def relative(path: str, folder: str, root: str) -> str:
    """A path that was typed in `folder`, as it is from `root`: with `/`, and without `./`. It has `..` where it lies outside."""
    above, name = os.path.split(os.path.join(folder, path))
    return os.path.relpath(os.path.join(os.path.realpath(above), name), os.path.realpath(root)).replace(os.sep, "/")


def _who_and_what(finding: Finding) -> tuple[str, str]:
    """Whose finding it is, and what the rule adds.

    Keys of subjects are `FILES#SERVICE`, `FILE:NUMBER`, `FILE:NUMBER/containers/NUMBER#NAME` or `FILE#STAGE`, and what a rule
    adds stands behind a blank. The files are as they were typed, and the numbers move.
    """
    who, path = finding.subject, finding.place.path
    at = finding.key.find(path)
    rest = finding.key[at + len(path) :] if at >= 0 else finding.key
    _, named, what = rest.partition(f"#{who}")
    if named and what[:1] in ("", " "):
        return who, what
    number, blank, what = rest.partition(" ")
    if number[:1] == "#" and number[1:].isdecimal():
        # The only stage of a file has another name as soon as there is a second one.
        return "stage 0" if (number, who) == ("#0", "image") else who, blank + what
    return who, ""
