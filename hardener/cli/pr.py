"""`harden pr`: where to work, with which token, and what came of it. Knows the order of steps, no forge and no manners."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hardener.bot.done import Done
from hardener.bot.proposal import Asked
from hardener.cli.exits import OK, TROUBLE
from hardener.cli.terminal import emit, has_colour, say
from hardener.errors import HardenError, UsageError
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from hardener.bot.forge import Forge
    from hardener.bot.forges.remote import Place

#: What says that a job runs, and of which repository: GitHub's, Gitea's and Forgejo's, and GitLab's (docs.github.com, "Variables
#: reference"; docs.gitlab.com, "Predefined CI/CD variables").
_JOBS = (
    ("GITHUB_ACTIONS", "GITHUB_REPOSITORY"),
    ("GITEA_ACTIONS", "GITHUB_REPOSITORY"),
    ("FORGEJO_ACTIONS", "GITHUB_REPOSITORY"),
    ("GITLAB_CI", "CI_PROJECT_PATH"),
)


class Where(NamedTuple):
    """What the command line says of the place: a clone, a repository, a forge; or a file that names many repositories."""

    folder: str = ""
    repo: str = ""
    forge: str = ""
    #: The file, and how many of its repositories are worked in; 0 for all.
    all: str = ""
    most: int = 0
    git: bool = False


class Shown(NamedTuple):
    """What it says of the answer."""

    #: Every word that would be sent; it needs a dry run.
    show: bool = False
    format: str = "text"


def run(where: Where, asked: Asked, shown: Shown) -> int:
    """Do it, or say what would be done, and tell what came of it.

    The rules that are asked for may be named with commas between. Raises `UsageError` for rules that do not exist, and for what
    does not go together.
    """
    _check(where, asked, shown)
    if asked.only:
        from hardener.cli.known import rule_ids

        asked = asked._replace(only=rule_ids(sorted(asked.only)))
    secrets: list[str] = []
    with _redacted(secrets):
        return tell(_worked(where, asked, secrets), shown, secrets, dry_run=asked.dry_run, are_many=bool(where.all))


def tell(
    worked: Iterable[Done], shown: Shown, secrets: Sequence[str] = (), *, dry_run: bool = False, are_many: bool = False
) -> int:
    """Print what comes of it, each repository once it is done, and say how the run ends.

    Whatever is in `secrets` is left out of it, wherever it comes from; they become more while repositories are opened.
    """
    from hardener.cli import pr_json, pr_text
    from hardener.cli.pr_words import is_well

    colour = shown.show and has_colour("auto")
    told: list[Done] = []
    for done in worked:
        if shown.format == "text":
            for line in pr_text.lines(done, show=shown.show, colour=colour, is_named=are_many):
                say(_redact(line, secrets), error=False)
        told.append(done)
    if shown.format == "json":
        emit(_redact(pr_json.text(told, dry_run=dry_run, show=shown.show), secrets).encode())
    else:
        say(_redact(pr_text.summary(told, dry_run=dry_run), secrets), error=False)
    return OK if all(map(is_well, told)) else TROUBLE


def _check(where: Where, asked: Asked, shown: Shown) -> None:
    if shown.show and not asked.dry_run:
        raise UsageError("--show is about what would be sent: it needs --dry-run")
    if where.folder and not os.path.isdir(where.folder):
        raise UsageError(f"{where.folder}: there is no such folder; a repository is named with --repo")
    if where.folder and where.repo and not where.git:
        raise UsageError("DIR says where, and so does --repo: give one of them, or --git to use the clone")
    if asked.author:
        import re

        from hardener.config.keys import AUTHOR

        if not re.fullmatch(AUTHOR.pattern, asked.author):
            raise UsageError(f"--author is {AUTHOR.words}")
    if where.most and not where.all:
        raise UsageError("--most is about many repositories: it needs --all")
    if where.all:
        for flag, is_given in (("DIR", where.folder), ("--repo", where.repo), ("--git", where.git), ("--base", asked.base)):
            if is_given:
                raise UsageError(f"--all is about many repositories: {flag} does not go with it")


def _redact(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***") if secret else text
    return text


def _worked(where: Where, asked: Asked, secrets: list[str]) -> Iterator[Done]:
    """What comes of each repository; every token that is used is in `secrets` from then on."""
    from hardener.bot.making import work_at

    def work(forge: Forge) -> Done:
        return work_at(forge, asked, datetime.now(UTC))

    if where.all:
        yield from _worked_through(where, asked, secrets, work)
        return
    at = _place(where)
    done = work(_opened(at, secrets, where.folder or "." if where.git else ""))
    yield done._replace(repository=done.repository or at.repository)


def _worked_through(where: Where, asked: Asked, secrets: list[str], work: Callable[[Forge], Done]) -> Iterator[Done]:
    """The same for those of the repositories in a file whose turn it is."""
    from hardener.bot import several
    from hardener.bot.forges.remote import place_of

    def opened(name: str) -> several.Opened:
        place = place_of(name, where.forge)
        return several.Opened(_opened(place, secrets), place.server.host)

    found = several.work_through(
        several.read_names(where.all),
        f"{where.all}.state",
        opened,
        work,
        lambda: datetime.now(UTC),
        most=where.most or several.MOST,
        dry_run=asked.dry_run,
        patience=several.PATIENCE_WITH_TRIALS if asked.verify else several.PATIENCE,
    )
    for one in found:
        done = one.done or Done(dry_run=asked.dry_run, ended=HardenError(one.why))
        # What the forge calls it is not known of one that it does not have.
        yield done._replace(repository=done.repository or one.name)


def _place(where: Where) -> Place:
    """The repository that is meant: by name, by the remote of a clone, or else the one that the CI job is for."""
    from hardener.bot.forges.git_remote import remote_url
    from hardener.bot.forges.remote import place_of

    repo = where.repo
    if not repo and not where.folder and not where.git:
        repo = next((os.environ[name] for sign, name in _JOBS if os.environ.get(sign) and os.environ.get(name)), "")
    return place_of(repo, where.forge, "" if repo else remote_url(where.folder or "."))


def _opened(place: Place, secrets: list[str], git_folder: str = "") -> Forge:
    from hardener.bot.forges.opening import open_forge
    from hardener.bot.forges.token import token_for

    token = token_for(place)
    secrets += [token.value(), token.header(place.server.kind).rpartition(" ")[2]]
    return open_forge(place, token, git_folder=git_folder)


@contextmanager
def _redacted(secrets: Sequence[str]) -> Iterator[None]:
    """Have no error say a token, whichever library it comes from."""
    try:
        yield
    except Exception as error:
        told = _redact(str(error), secrets)
        if told == str(error):
            raise
        if isinstance(error, HardenError):
            raise UsageError(told) from None
        raise RuntimeError(f"{type(error).__name__}, whose words have a token in them") from None
