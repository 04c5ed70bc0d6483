"""What GitLab's answers say, as the values of the bot, and a file as the actions that write it. Asks for nothing.

The fields are those of lib/api/entities of gitlab-org/gitlab.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hardener.bot.forge import EXECUTABLE, LINK, SUBMODULE, Entry, ForgeError, Issue, Pull, Remark, State, Written
from hardener.bot.forges.gitlab_texts import undrafted, unguarded

if TYPE_CHECKING:
    from datetime import datetime

#: Of a merge request that is being merged, GitLab says "locked": it is not merged yet, and may be open again.
_STATES = {"opened": State.OPEN, "locked": State.OPEN, "closed": State.CLOSED, "merged": State.MERGED}
#: What it says of one as long as it has not found out.
_UNSURE = frozenset(("checking", "unchecked", "preparing", "cannot_be_merged_recheck"))


def entry_of(item: Mapping[str, Any]) -> Entry | None:
    """A file of a tree; None for a folder."""
    return None if item["type"] == "tree" else Entry(item["path"], item["mode"], item["id"])


def is_vendored(folder: str) -> bool:
    """Whether a folder holds other people's code, by its name."""
    from hardener.discover import VENDORED

    return folder.rpartition("/")[2] in VENDORED


def is_ours(message: str, branch: str) -> bool:
    """Whether a commit is one of the bot for that branch."""
    from hardener.bot.marks import trailers_of

    trailers = trailers_of(message)
    return trailers is not None and trailers.branch == branch


def actions_of(file: Written) -> list[dict[str, Any]]:
    """What writes a file. Only an action of its own gives it a mode; an update alone keeps the one it has."""
    from base64 import b64encode

    if file.mode in (LINK, SUBMODULE):
        raise ForgeError("GitLab's API cannot write links and submodules", "run with --git in a checkout")
    content = {"content": b64encode(file.data).decode(), "encoding": "base64"}
    written = {"action": "create" if file.is_new else "update", "file_path": file.path, **content}
    mode = {"action": "chmod", "file_path": file.path, "execute_filemode": file.mode == EXECUTABLE}
    return [written] if file.is_new and file.mode != EXECUTABLE else [written, mode]


def _time(text: str) -> datetime:
    from datetime import UTC, datetime

    return datetime.fromisoformat(text).astimezone(UTC)


def pull_of(pull: Mapping[str, Any]) -> Pull:
    """A merge request."""
    is_draft = bool(pull.get("draft", pull.get("work_in_progress", False)))
    status = pull.get("detailed_merge_status") or pull.get("merge_status") or ""
    conflicts = bool(pull.get("has_conflicts")) or status == "conflict"
    return Pull(
        number=pull["iid"],
        branch=pull["source_branch"],
        base=pull["target_branch"],
        title=undrafted(pull["title"]) if is_draft else pull["title"],
        body=unguarded(pull["description"] or ""),
        state=_STATES[pull["state"]],
        url=pull["web_url"],
        created=_time(pull["created_at"]),
        is_draft=is_draft,
        labels=frozenset(pull["labels"]),
        is_from_fork=pull["source_project_id"] != pull["target_project_id"],
        conflicts=None if status in _UNSURE and not conflicts else conflicts,
    )


def line_of(note: Mapping[str, Any]) -> int:
    """The line of a file that a note stands on; 0 for one that stands on none."""
    place = note.get("position") or {}
    return (place.get("new_line") or 0) if place.get("new_path") else 0


def remark_of(note: Mapping[str, Any]) -> Remark:
    """A note on lines."""
    place = note["position"]
    start = ((place.get("line_range") or {}).get("start") or {}).get("new_line") or 0
    return Remark(place["new_path"], place["new_line"], unguarded(note["body"]), int(start))


def issue_of(issue: Mapping[str, Any]) -> Issue:
    """An issue."""
    return Issue(
        issue["iid"], issue["title"], unguarded(issue["description"] or ""), issue["state"] == "opened", issue["web_url"]
    )
