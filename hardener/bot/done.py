"""What a run came to, or would come to: values for whoever shows it. Knows neither forges nor words for people."""

from __future__ import annotations

from datetime import datetime

from hardener.bot.manners import Do
from hardener.bot.proposal import Proposal
from hardener.errors import HardenError
from hardener.record import NamedTuple
from hardener.report import Trouble


class Told(NamedTuple):
    """What became of one pull request. All texts may hold what strangers wrote."""

    #: As in `Bundle.scope`; of a pull request whose scope is gone, its branch.
    scope: str
    branch: str
    do: Do
    why: str
    #: Of the pull request, where there is one.
    number: int = 0
    url: str = ""
    title: str = ""
    #: When it may be done, where it is postponed until a time.
    until: datetime | None = None
    #: How many remarks were made on its lines, or would be.
    remarks: int = 0
    #: Why what was to be done was not, or not to its end.
    error: HardenError | None = None
    #: What is proposed, as a dry run shows it; None where nothing is.
    proposal: Proposal | None = None
    #: What the forge writes before a number.
    sign: str = "#"


class Seen(NamedTuple):
    """What a run has looked at, and what of it no pull request repairs."""

    #: Compose files, Dockerfiles and manifests.
    files: int = 0
    #: Fixes that are held back, and hazards without a fix.
    held_back: int = 0
    unfixed: int = 0
    #: What could be read and was not judged, with why, and what would be.
    unjudged: tuple[Trouble, ...] = ()


class Done(NamedTuple):
    """What became of one repository."""

    #: `OWNER/NAME`, the branch that pull requests go to, and the commit that was looked at; empty where it did not come to that.
    repository: str = ""
    base: str = ""
    commit: str = ""
    #: Whether it is told what would be done, and nothing was.
    dry_run: bool = False
    told: tuple[Told, ...] = ()
    #: What could not be read, or was left out.
    troubles: tuple[Trouble, ...] = ()
    #: None where it did not come to a look.
    seen: Seen | None = None
    #: Files of evidence that were found and not believed.
    unbelieved: tuple[str, ...] = ()
    #: Why nothing at all was done, where that is how it is meant.
    off: str = ""
    #: What is to be known beside that.
    notes: tuple[str, ...] = ()
    #: Of the issue that lists all, where one is kept.
    dashboard: str = ""
    #: What ended the run before its end; what was told until then was done.
    ended: HardenError | None = None
