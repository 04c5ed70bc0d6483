"""Which modules the files, the bundles and the words of a run come from, put together. Knows none of them from inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hardener.bot.bundles import Bundles
    from hardener.bot.done import Done
    from hardener.bot.forge import Forge, Remark, Repository
    from hardener.bot.proposal import Asked, Bundle, Proposal, Snapshot
    from hardener.config import Config


def work_at(forge: Forge, asked: Asked, now: datetime) -> Done:
    """Do for one repository what there is to do, as `hardener.bot.run.work` does; `now` is in UTC."""
    from hardener.bot.run import Making, work

    return work(forge, asked, now, Making(_snapshot, _bundles, _propose, _remarks))


def _snapshot(forge: Forge, commit: str, whole: bool) -> AbstractContextManager[Snapshot]:
    from hardener.bot.snapshot import snapshot

    return snapshot(forge, commit, whole=whole)


def _bundles(snapshot: Snapshot, config: Config, asked: Asked, believes: bool) -> Bundles:
    from hardener.bot.bundles import bundles

    return bundles(snapshot, config, asked, believes=believes)


def _propose(bundle: Bundle, forge: Forge, repository: Repository, config: Config, asked: Asked) -> Proposal:
    from hardener.bot.words.look import Look
    from hardener.bot.words.propose import propose

    look = Look(
        config.pull_requests,
        repository.name,
        asked.base or repository.branch,
        repository.is_own,
        forge.pull_word,
        forge.pull_sign,
        forge.longest_body,
    )
    before = {change.before.path: change.before.to_bytes() for change in bundle.report.changes if not change.is_new}
    return propose(bundle, look)._replace(before=before)


def _remarks(bundle: Bundle, suggest: Callable[[str, int], str]) -> Sequence[Remark]:
    from hardener.bot.words.remarks import remarks

    return remarks(bundle, suggest)
