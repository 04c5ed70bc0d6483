"""A baseline: the findings that were there when somebody decided that only new ones count. Knows its file's form and no hazard.

    {
      "version": 1,
      "fingerprints": 1,
      "findings": [
        {"fingerprint": "2f5c...", "rule": "host-network", "path": "shop/compose.yaml", "subject": "web"},
        ...
      ]
    }

One finding a line, sorted by file, rule and subject, so that a diff can be read. Only the fingerprint counts; the rest is for
people. Paths are from the folder of the baseline.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hardener.errors import Unreadable, UsageError
from hardener.fingerprint import VERSION as FINGERPRINTS
from hardener.fingerprint import fingerprints, relative
from hardener.record import NamedTuple
from hardener.report import IN_BASELINE, Status

if TYPE_CHECKING:
    from hardener.finding import Finding
    from hardener.report import Report

VERSION = 1
#: A baseline beyond this is not read: it would hold a million findings.
MAX_BYTES = 128 * 1024 * 1024
_REMEDY = "make it anew with `harden init --baseline {}`"


class Entry(NamedTuple):
    """A finding that does not count: its fingerprint, and for people what it is."""

    fingerprint: str
    rule: str
    path: str
    subject: str

    @property
    def order(self) -> tuple[str, ...]:
        """Where it stands in the file."""
        return self.path, self.rule, self.subject, self.fingerprint


class Baseline:
    """The findings that do not count, and which of them were met so far. `folder` is where paths of findings begin."""

    def __init__(self, path: str, entries: Iterable[Entry], folder: str) -> None:
        #: The file as people know it.
        self.path = path
        self.entries = tuple(entries)
        self.folder = folder
        self.root = os.path.dirname(os.path.abspath(os.path.join(folder, path)))
        self._known = frozenset(entry.fingerprint for entry in self.entries)
        self._met: set[str] = set()

    def known(self, findings: Iterable[Finding]) -> frozenset[int]:
        """The ids (as of `id`) of those that are in the baseline; `findings` are all of some files."""
        alike: dict[tuple[object, ...], list[Finding]] = {}
        for finding in findings:  # a service that is judged with and without an override file has one finding, for people
            alike.setdefault((finding.place, finding.rule, finding.subject), []).append(finding)
        ordered = [same for _, same in sorted(alike.items(), key=lambda item: item[0][:1])]
        found: set[int] = set()
        for mark, same in zip(fingerprints([same[0] for same in ordered], self.folder, self.root), ordered, strict=True):
            if mark in self._known:
                self._met.add(mark)
                found.update(map(id, same))
        return frozenset(found)

    def gone(self, judged: Iterable[str], rules: frozenset[str]) -> frozenset[str]:
        """The fingerprints that nothing met: of `rules`, in files that were `judged` or are not there any more."""
        paths = {relative(path, self.folder, self.root) for path in judged}
        return frozenset(
            entry.fingerprint
            for entry in self.entries
            if entry.fingerprint not in self._met
            and entry.rule in rules
            and (entry.path in paths or not os.path.lexists(os.path.join(self.root, entry.path)))
        )


def read(path: str, folder: str) -> Baseline:
    """Read the baseline at a path that was typed in `folder`.

    Raises `UsageError` where there is no such file, and `Unreadable` for one that is no baseline.
    """
    from json import loads

    remedy = _REMEDY.format(path)
    try:
        with open(os.path.join(folder, path), "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f"there is no baseline {path}: {remedy}") from None
    except OSError as error:
        raise Unreadable(path, (error.strerror or str(error)).lower(), "check the path and its permissions") from None
    if len(data) > MAX_BYTES:
        raise Unreadable(path, f"larger than {MAX_BYTES // 1024 // 1024} MiB", "this is no baseline")
    try:
        told: Any = loads(data)
    except (ValueError, RecursionError):
        raise Unreadable(path, "not JSON", remedy) from None
    if not isinstance(told, dict) or not isinstance(told.get("findings"), list):
        raise Unreadable(path, "not a baseline of harden: it has no list `findings`", remedy)
    if (told.get("version"), told.get("fingerprints")) != (VERSION, FINGERPRINTS):
        raise Unreadable(path, "a baseline of another version of harden", remedy)
    entries: list[Entry] = []
    for item in told["findings"]:
        texts = [item.get(field) if isinstance(item, dict) else None for field in ("fingerprint", "rule", "path", "subject")]
        if not all(isinstance(text, str) for text in texts):
            raise Unreadable(path, f"entry {len(entries) + 1} of `findings` lacks its texts", remedy)
        entries.append(Entry(*map(str, texts)))
    return Baseline(path, entries, folder)


def made(report: Report, path: str, folder: str, before: Baseline | None = None) -> bytes:
    """The bytes of a baseline at `path`, typed in `folder`, with what a report found and nothing else silences.

    Of the baseline that was there `before`, what this run did not look at stays.
    """
    from json import dumps

    root = os.path.dirname(os.path.abspath(os.path.join(folder, path)))
    told = [outcome.finding for outcome in report.outcomes]
    distinct = {(finding.place, finding.rule, finding.subject): finding for finding in reversed(told)}
    ordered = [distinct[key] for key in sorted(distinct, key=lambda key: key[0])]
    marks = {(f.place, f.rule, f.subject): mark for f, mark in zip(ordered, fingerprints(ordered, folder, root), strict=True)}
    entries = {
        Entry(marks[f.place, f.rule, f.subject], f.rule, relative(f.place.path, folder, root), f.subject)
        for outcome in report.outcomes
        if outcome.status is not Status.SILENCED or (before is not None and outcome.why == silenced_by(before))
        for f in (outcome.finding,)
    }
    if before is not None:
        looked_at = {entry.path for entry in entries} | {relative(f.place.path, folder, root) for f in told}
        entries |= {entry for entry in before.entries if entry.fingerprint not in report.gone and entry.path not in looked_at}
    rows = ",\n".join(f"    {dumps(_row(entry), ensure_ascii=True)}" for entry in sorted(entries, key=lambda entry: entry.order))
    head = f'{{\n  "version": {VERSION},\n  "fingerprints": {FINGERPRINTS},\n  "findings": ['
    return f"{head}{f'{chr(10)}{rows}{chr(10)}  ' if rows else ''}]\n}}\n".encode()


def _row(entry: Entry) -> Mapping[str, str]:
    return {"fingerprint": entry.fingerprint, "rule": entry.rule, "path": entry.path, "subject": entry.subject}


def write(report: Report, path: str, folder: str, before: Baseline | None = None) -> None:
    """Write what `made` makes, in one step. Raises `OSError`."""
    from hardener import source

    source.create(os.path.join(folder, path), made(report, path, folder, before))


def silenced_by(baseline: Baseline) -> str:
    """Who silences what is in a baseline."""
    return f"{IN_BASELINE}{baseline.path}"
