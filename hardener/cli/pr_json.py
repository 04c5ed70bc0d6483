"""What `harden pr` did, or would do, as JSON for programs.

`version` is 1. Fields may be added to it; that a field goes away or changes its meaning makes a new version.

    version        1
    tool           {"name": "harden", "version": "..."}
    dry_run        whether nothing was sent: then all below says what would be done
    repositories   one object each, in the order in which they were worked in:
      name           as the forge calls it, such as "OWNER/NAME"; empty where it was not reached
      base, commit   the branch that pull requests go to, and the commit of it that was looked at
      pull_requests  one object each:
        do             "open", or "finish" where only the pull request was missing; "update", "rebase" or "reword": its files, its
                       base or its words were made anew; "keep": it is as it should be; "close": it is taken back; "drop": only
                       its branch is, which was left; "stop": somebody else has worked on its branch; "leave": its label says so;
                       "decline": it was closed, and its fixes are the same; "postpone": a later run opens it; "nothing"
        why            why, in a sentence
        until          when it may be opened, in ISO 8601, where it is postponed until a time; else null
        error          null, or {"reason", "remedy"}: why it was not done, or not to its end
        scope          what it is about: a folder, a file, a rule, or empty for all of the repository
        branch         where it comes from
        number, url    0 and empty where there is none yet
        title          its title
        remarks        how many remarks were made on its lines
        commits        what is proposed: {"subject", "files": [paths]}; with --dry-run --show also "message", and "diff", one
                       unified diff of all files, on top of the commits before it
        body           only with --dry-run --show: the text of the pull request, in Markdown
      off            why nothing at all is done here, where that is how it is meant
      dashboard      the address of the issue that lists all
      seen           null where it did not come to a look, or {"files", "held_back", "unfixed", "unjudged"}: how many files there
                     are that harden reads, how many fixes are held back, how many hazards have no fix; and what could be read
                     and was not judged, as in "troubles"
      unbelieved     files of evidence that were found and not believed
      notes          what else is to be known, in sentences
      troubles       what could not be read: {"path", "line", "reason", "remedy"}
      ended          null, or {"reason", "remedy"}: what ended the run before its end
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hardener import __version__
from hardener.bot.done import Done, Seen, Told
from hardener.bot.forge import Commit, ForgeError
from hardener.cli.pr_words import diffs, subject
from hardener.errors import HardenError

VERSION = 1


def text(all: Sequence[Done], *, dry_run: bool = False, show: bool = False) -> str:
    """All of it as one JSON object, in which nothing is an order to what runs the job: see `pr_words`."""
    from json import dumps

    told = {
        "version": VERSION,
        "tool": {"name": "harden", "version": __version__},
        "dry_run": dry_run,
        "repositories": [_repository(done, show) for done in all],
    }
    # A number sign stands in strings alone, where its escape means the same.
    return dumps(told, indent=2).replace("##", "#\\u0023") + "\n"


def _repository(done: Done, show: bool) -> dict[str, Any]:
    return {
        "name": done.repository,
        "base": done.base,
        "commit": done.commit,
        "pull_requests": [_pull_request(told, show) for told in done.told],
        "off": done.off,
        "dashboard": done.dashboard,
        "seen": _seen(done.seen) if done.seen is not None else None,
        "unbelieved": list(done.unbelieved),
        "notes": list(done.notes),
        "troubles": [trouble._asdict() for trouble in done.troubles],
        "ended": _error(done.ended),
    }


def _seen(seen: Seen) -> dict[str, Any]:
    return seen._asdict() | {"unjudged": [note._asdict() for note in seen.unjudged]}


def _pull_request(told: Told, show: bool) -> dict[str, Any]:
    said: dict[str, Any] = {
        "do": told.do.value,
        "why": told.why,
        "until": told.until.isoformat() if told.until else None,
        "error": _error(told.error),
        **{name: getattr(told, name) for name in ("scope", "branch", "number", "url", "title", "remarks")},
        "commits": [],
    }
    if told.proposal is not None:
        commits = [_commit(commit) for commit in told.proposal.commits]
        if show:
            commits = [
                made | {"message": commit.message, "diff": diff}
                for made, commit, diff in zip(commits, told.proposal.commits, diffs(told.proposal), strict=True)
            ]
            said["body"] = told.proposal.body
        said["commits"] = commits
    return said


def _commit(commit: Commit) -> dict[str, Any]:
    return {"subject": subject(commit), "files": [file.path for file in commit.files]}


def _error(error: HardenError | None) -> dict[str, str] | None:
    if error is None:
        return None
    if isinstance(error, ForgeError):
        return {"reason": error.reason, "remedy": error.remedy}
    return {"reason": str(error), "remedy": ""}
