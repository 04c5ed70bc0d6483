"""A run, wired to what makes its files, bundles and words; tests wire others to it. Makes nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from hardener.bot.bundles import bundles, left_by
from hardener.bot.done import Done
from hardener.bot.forge import Forge, Remark, Repository
from hardener.bot.proposal import Asked, Bundle, Bundles, Proposal, Snapshot
from hardener.bot.run import Making, work
from hardener.bot.snapshot import snapshot
from hardener.bot.words.look import Look
from hardener.bot.words.propose import propose
from hardener.bot.words.remarks import Suggest, remarks
from hardener.config import Config


def work_at(forge: Forge, asked: Asked, now: datetime) -> Done:
    """Do for one repository what there is to do, as `work` does; `now` is in UTC."""
    return work(forge, asked, now, Making(_laid_out, _bundled, _proposed, _remarked, _tried))


def _laid_out(forge: Forge, commit: str, in_full: bool) -> AbstractContextManager[Snapshot]:
    return snapshot(forge, commit, in_full=in_full)


def _bundled(files: Snapshot, config: Config, asked: Asked, believes: bool) -> Bundles:
    return bundles(files, config, asked, believes=believes)


def _proposed(bundle: Bundle, forge: Forge, repository: Repository, config: Config) -> Proposal:
    return propose(bundle, Look(config.pull_requests, repository.name, repository.is_own, forge.pull_word, forge.longest_body))


def _remarked(bundle: Bundle, files: Snapshot, suggest: Suggest) -> Sequence[Remark]:
    return remarks(left_by(bundle, files.folder), suggest)


def _tried(bundle: Bundle, files: Snapshot, config: Config, asked: Asked, believes: bool) -> Bundle:
    from hardener.bot.tried import tried

    return tried(bundle, files, config, asked, believes=believes)
