"""Which waiver of the configuration lets a finding be. Knows names, paths and images, not what a hazard is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import date

    from hardener.finding import Finding, Severity
    from hardener.policy import Waiver

Matches = Callable[[str], bool]


class Waivers:
    """The waivers that still hold; the first that matches answers."""

    def __init__(self, waivers: Iterable[Waiver], folder: str, today: date) -> None:
        self._waivers = [waiver for waiver in waivers if waiver.until is None or waiver.until >= today]
        self._paths = {id(waiver): _paths(waiver, folder) for waiver in self._waivers if waiver.paths}

    def find(self, subject: Any, finding: Finding, severity: Severity) -> Waiver | None:
        """The waiver that lets a finding of a subject be; None where there is none."""
        return next((waiver for waiver in self._waivers if self._matches(waiver, subject, finding, severity)), None)

    def _matches(self, waiver: Waiver, subject: Any, finding: Finding, severity: Severity) -> bool:
        return (
            (not waiver.rules or finding.rule in waiver.rules)
            and (waiver.severity is None or severity <= waiver.severity)
            and (not waiver.services or _any(_names(finding.subject), waiver.services))
            and (not waiver.images or _any(_images(subject), waiver.images))
            and (not waiver.paths or self._paths[id(waiver)](finding.place.path))
        )


def _any(names: Iterable[str], patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def _names(subject: str) -> tuple[str, ...]:
    """What a subject may be called: `shop/web` is the container `web` of the workload `shop`, too."""
    return (subject, *subject.split("/")) if "/" in subject else (subject,)


def _images(subject: Any) -> tuple[str, ...]:
    """The image of a container as it is written, or of a stage the one that it begins from."""
    text = getattr(subject, "image_text", None)
    if text is None:
        text = getattr(subject, "base_text", None)
    return (text,) if text else ()


def _paths(waiver: Waiver, folder: str) -> Matches:
    from hardener.ignored import Ignored

    base = os.path.abspath(folder or ".")
    ignored = Ignored(list(waiver.paths), base)

    @cache
    def matches(path: str) -> bool:
        whole = os.path.abspath(path)
        if not whole.startswith(os.path.join(base, "")):
            return False
        # As git does: what lies in a folder that matches is meant, too.
        parts = os.path.relpath(whole, base).split(os.sep)
        folders = (os.path.join(base, *parts[:depth]) for depth in range(1, len(parts)))
        return any(ignored.folder(folder) for folder in folders) or ignored.file(whole)

    return matches
