"""What was seen of each service, with the circumstances that it holds in: those of the files once the fixes are in them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from hardener.facts.tree import Tree, repository_root
from hardener.finding import Evidence, Strength
from hardener.needs.proven import Proven
from hardener.needs.record_file import dump
from hardener.needs.recorded import FILE, Recorded, circumstances, recorded, stale
from hardener.pipeline import Request, needs
from hardener.report import Report
from hardener.trial.project import Project

#: What is about to be written says by itself where it was seen.
_SEEN = Evidence("seen in a run", FILE, Strength.OBSERVED)


def records(
    project: Project, proven: Mapping[str, Proven], report: Report, engine: str, digests: Mapping[str, str] = {}
) -> dict[str, Recorded]:
    """The records of services, by name; `report` holds what is about to be written, `digests` those of their images."""
    tree = Tree((repository_root(project.folder), project.root))
    after = {change.location: change.after for change in report.changes}
    for location, text in after.items():
        tree.take(location, text)
    judged, _ = needs(Request(tuple(found._replace(text=after.get(found.location)) for found in project.found), evidence=False))
    now = Tree((repository_root(project.folder), project.root))
    before = {
        name: old.proven
        for name, old in recorded(project.folder, now).items()
        if name in project.services and not stale(old, project.services[name][0], now)
    }
    found: dict[str, Recorded] = {}
    for one in judged:
        name = one.subject.subject
        if one.sees == "container" and name in proven and name not in found:
            seen = dict(circumstances(one.subject, tree))
            if name in digests:
                seen["digest"] = digests[name]
            found[name] = Recorded(seen, _joined(before.get(name, Proven()), proven[name]), _SEEN, engine)
    return found


def _joined(old: Proven, new: Proven) -> Proven:
    """What is known after a trial that began with what was known before."""
    values: dict[str, Any] = {
        name: was if now == default else now for name, was, now, default in zip(Proven._fields, old, new, Proven(), strict=True)
    }
    return Proven(**values)._replace(failed={**old.failed, **new.failed})


def file_with(project: Project, new: Mapping[str, Recorded]) -> tuple[str, str]:
    """Where the records of a project are kept, and the text with new ones in it; what is known of other services stays."""
    location = os.path.join(project.folder, FILE)
    tree = Tree((project.folder,))
    return location, dump({**recorded(project.folder, tree), **new})


def is_new(location: str, text: str) -> bool:
    """Whether a file says something else than it should."""
    try:
        with open(location, "rb") as file:
            return file.read() != text.encode()
    except OSError:
        return True
