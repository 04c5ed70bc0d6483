"""What the forms of `harden pr` have in common: deeds in words, diffs, and texts that give no orders. Knows no form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hardener.bot.done import Done, Told
from hardener.bot.forge import Commit
from hardener.bot.manners import Do
from hardener.bot.proposal import Proposal
from hardener.render.diff import named
from hardener.render.summary import clean
from hardener.report import FileChange
from hardener.source import Source

FAILED = "failed"
#: What each is called once it is done, and before.
_WORDS = {
    Do.OPEN: ("opened", "would open"),
    Do.FINISH: ("opened", "would open"),
    Do.UPDATE: ("updated", "would update"),
    Do.REBASE: ("rebased", "would rebase"),
    Do.REWORD: ("reworded", "would reword"),
    Do.CLOSE: ("closed", "would close"),
    Do.DROP: ("dropped", "would drop"),
    Do.KEEP: ("kept", "kept"),
    Do.STOP: ("stopped", "stopped"),
    Do.LEAVE: ("left", "left"),
    Do.DECLINE: ("left", "left"),
    Do.POSTPONE: ("postponed", "postponed"),
    Do.NOTHING: ("nothing", "nothing"),
}
#: With this, programs that run jobs take orders from a log, wherever it stands in a line: `##[` GitHub's runner (actions/runner
#: src/Runner.Common/ActionCommand.cs @258d6c857db3519913f7deb6004b60172f8043ae), and others with a word between.
_ORDER = re.compile(r"##(?=\w{0,20}\[)")


def word(told: Told, *, dry_run: bool) -> str:
    """What became of a pull request, or would, in a word or two."""
    return FAILED if told.error is not None else _WORDS[told.do][dry_run]


def counted(done: Sequence[Done]) -> dict[str, int]:
    """How many there are of each word, in the order of `Do`, `failed` last; what came to nothing is not counted."""
    found = [word(told, dry_run=one.dry_run) for one in done for told in one.told if told.do is not Do.NOTHING or told.error]
    order = [*dict.fromkeys(words for pair in _WORDS.values() for words in pair), FAILED]
    return {words: found.count(words) for words in order if words in found}


def is_well(done: Done) -> bool:
    """Whether nothing was in the way."""
    return not (done.ended or done.troubles or any(told.error for told in done.told))


def plain(text: str) -> str:
    """A stranger's text within a line of a log: it steers no terminal, and gives no order to what runs the job."""
    return _ORDER.sub(r"\\x23#", clean(text))


def subject(commit: Commit) -> str:
    """The first line of a message."""
    return commit.message.partition("\n")[0]


def paths(told: Told) -> list[str]:
    """The files that a pull request changes."""
    return sorted(told.proposal.after) if told.proposal else []


def diffs(proposal: Proposal) -> Iterator[str]:
    """For each commit its change as a unified diff, on top of the commits before it."""
    now = dict(proposal.before)
    for commit in proposal.commits:
        yield "".join(_diff(file.path, now.get(file.path), file.data) for file in commit.files)
        now |= {file.path: file.data for file in commit.files}


def _diff(path: str, before: bytes | None, after: bytes) -> str:
    old, new = (Source(path, (data or b"").decode("utf-8", "replace")) for data in (before, after))
    return named(FileChange(old, new, is_new=before is None), path).decode("utf-8")
