"""Small stand-ins for what the bot proposes: a project is a folder with a compose.yaml, and its hazards are words in that.

`privileged` is bad, and becomes `confined`; `root` is less bad, and becomes `nobody`; `maybe` is held back; `broken` cannot be
read, and `elsewhere` can and is not judged.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from fake_forge import NOW, FakeForge

from hardener.bot.done import Done, Told
from hardener.bot.forge import Commit, Forge, Remark, Repository, Written, entries_by_path
from hardener.bot.manners import Do
from hardener.bot.marks import Trailers, branch_of, digest, files_digest, marked, with_trailers
from hardener.bot.proposal import Asked, Bundle, Bundles, Per, Proposal, Snapshot, Step
from hardener.bot.run import Making, work
from hardener.config import Config
from hardener.finding import Finding, Place, Severity
from hardener.report import Outcome, Report, Status, Trouble, joined

RULES = (
    ("privileged-container", b"privileged", b"confined", Severity.CRITICAL),
    ("root-user", b"root", b"nobody", Severity.LOW),
)
#: No limits to speak of.
WIDE = "[pr]\nper-hour = 100\nat-once = 100\n"


@contextmanager
def snapshot(forge: Forge, commit: str, whole: bool) -> Iterator[Snapshot]:
    entries = entries_by_path(forge.listing(commit).entries)
    with TemporaryDirectory() as folder:
        Path(folder, ".git").mkdir()
        for path in entries:
            at = Path(folder, path)
            at.parent.mkdir(parents=True, exist_ok=True)
            at.touch()

        def fetch(location: str) -> None:
            path = os.path.relpath(location, folder)
            Path(location).write_bytes(forge.read(commit, entries[path]))

        yield Snapshot(folder, commit, entries, fetch)


def bundles(snapshot: Snapshot, config: Config, asked: Asked, believes: bool) -> Bundles:
    found = []
    for path, entry in snapshot.entries.items():
        scope, _, name = path.rpartition("/")
        if name != "compose.yaml":
            continue
        snapshot.fetch(os.path.join(snapshot.folder, path))
        data = Path(snapshot.folder, path).read_bytes()
        if b"broken" in data:
            found.append(Bundle(scope or ".", Per.PROJECT, Report(troubles=(Trouble(path, 1, "it is broken"),)), (), ""))
            continue
        if b"elsewhere" in data:
            found.append(Bundle(scope or ".", Per.PROJECT, Report(notes=(Trouble(path, 1, "it lies elsewhere"),)), (), ""))
            continue
        steps, outcomes = [], []
        for rule, bad, good, severity in RULES:
            if bad in data and rule not in config.ignore:
                data = data.replace(bad, good)
                finding = Finding(rule, "web", Place(path, 1, 1), "a hazard")
                outcomes.append(Outcome(finding, Status.APPLIED, severity))
                steps.append(Step(rule, (Written(path, data, entry.mode),), Report()))
        fixes = digest(*(step.rule for step in steps))
        found.append(Bundle(scope or ".", Per.PROJECT, Report(tuple(outcomes)), tuple(steps), fixes))
    return Bundles(tuple(found), report=joined([one.report for one in found])._replace(files=len(found)))


class Words:
    """What is written; a test may have it say something else."""

    tone = "plainly"


def propose(bundle: Bundle, forge: Forge, repository: Repository, config: Config) -> Proposal:
    branch = branch_of(config.pull_requests.branch_prefix, bundle.scope)
    title = f"Harden {bundle.scope}"
    commits, files = [], {}
    for number, step in enumerate(bundle.steps, 1):
        files.update({file.path: file.data for file in step.files})
        trailers = Trailers(branch, number, len(bundle.steps), files_digest(files.items()))
        sign_off = config.pull_requests.author if config.pull_requests.sign_off else ""
        commits.append(Commit(with_trailers(f"Repair {step.rule}", trailers, sign_off), step.files))
    body = marked(f"Said {Words.tone}: {', '.join(step.rule for step in bundle.steps)}", branch, bundle.fixes, title)
    return Proposal(bundle.scope, branch, title, body, tuple(commits), bundle.fixes)


def remarks(bundle: Bundle, _: Snapshot, suggestion: Callable[[str, int], str]) -> Sequence[Remark]:
    found = []
    for path, data in {file.path: file.data for step in bundle.steps for file in step.files}.items():
        for number, line in enumerate(data.decode().split("\n"), 1):
            if "maybe" in line:
                found.append(Remark(path, number, f"held back: {suggestion('surely', 1)}"))
    return found


MAKING = Making(snapshot, bundles, propose, remarks)


def run(forge: FakeForge, now: datetime | None = None, **asked: object) -> Done:
    """One run; what it called is in `forge.calls`."""
    forge.calls.clear()
    return work(forge, Asked(**asked), now or forge.now, MAKING)  # type: ignore[arg-type]


def well(forge: FakeForge, now: datetime | None = None, **asked: object) -> dict[str, Do]:
    """One run in which nothing fails: what was done, by scope."""
    done = run(forge, now, **asked)
    assert (done.ended, done.off) == (None, "")
    assert not any(told.error for told in done.told), done.told
    return {told.scope: told.do for told in done.told}


def told(done: Done, scope: str) -> Told:
    return next(told for told in done.told if told.scope == scope)


__all__ = ["MAKING", "NOW", "WIDE", "Do", "Words", "propose", "run", "told", "well"]
