"""A forge for a place: which client that takes, and git where that is asked for. Knows no client from inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardener.bot.forges.remote import GITHUB, GITLAB, Place, place_of
from hardener.bot.forges.token import JOB_TOKEN
from hardener.errors import UsageError

if TYPE_CHECKING:
    from hardener.bot.forge import Forge
    from hardener.bot.forges.token import Token


def open_forge(place: Place, token: Token, *, git_folder: str = "") -> Forge:
    """The forge of a place; with a folder of a clone of that repository, one that reads and makes commits with git.

    Raises `UsageError` where the client is not installed, the token is for another host, or the clone is one of something else.
    """
    if token.host != place.server.host:
        raise UsageError(f"the token is for {token.host}, and not for {place.server.host}")
    forge = _client(place, token)
    if not git_folder:
        return forge
    from hardener.bot.forges.git_remote import remote_url
    from hardener.bot.forges.local_git import WithGit

    url = remote_url(git_folder)
    # Not even by --forge would a push go elsewhere than the pull request.
    try:
        there = place_of(remote=url, forge=f"{place.server.kind}={place.server.url}")
    except UsageError:
        raise UsageError(f"--git pushes to the remote of this clone, and that is not at {place.server.host}") from None
    if there.repository.casefold() != place.repository.casefold():
        raise UsageError(f"--git: this is a clone of {there.repository}, and not of {place.repository}")
    return WithGit(forge, git_folder, url=url, header=token.header(place.server.kind))


def _client(place: Place, token: Token) -> Forge:
    server = place.server
    try:
        if server.kind == GITHUB:
            from hardener.bot.forges.github import GitHub

            return GitHub(place.repository, token.value(), server.api, is_own=place.is_own)
        if server.kind == GITLAB:
            from hardener.bot.forges.gitlab import GitLab

            is_job_token = token.source == JOB_TOKEN
            return GitLab(place.repository, token.value(), address=server.url, is_own=place.is_own, is_job_token=is_job_token)
        from hardener.bot.forges.gitea import Gitea

        return Gitea(server.url, place.repository, token.value(), is_own=place.is_own)
    except ImportError as error:
        if (error.name or "").startswith("hardener"):
            raise
        extra = server.kind if server.kind in (GITHUB, GITLAB) else "bot"
        raise UsageError(f"{error.name} is not installed: pip install 'hardener[{extra}]'") from None
