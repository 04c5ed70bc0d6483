"""The issue that lists what is proposed and what is not, and the boxes that people tick in it. Knows what was told."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from hardener.bot.done import Told
from hardener.bot.forge import Forge, Issue
from hardener.bot.manners import Do
from hardener.bot.marks import digest
from hardener.render.commonmark import code, prose
from hardener.render.summary import shortened
from hardener.report import Trouble

#: A later run finds the issue by it.
TITLE = "harden: what is proposed here, and what is not"
_KEY = re.compile(r"^\s*[-*+] \[[xX]\] .*<!-- harden: again=([0-9a-f]{16}) -->\s*$", re.MULTILINE)
#: As many lines a list has; the others are counted.
_MOST = 50
_HEAD = """\
This issue is kept by `harden pr`, which proposes to harden the containers of this repository. It is written anew when something
of it changes. The table `[pr]` of `hardener.toml` says how many are open at once, and whether any are made.
"""


def ticked(body: str) -> frozenset[str]:
    """The keys of the boxes that are ticked: digests of branches."""
    return frozenset(_KEY.findall(body.replace("\r\n", "\n")))


def keep(
    forge: Forge,
    issue: Issue | None,
    told: Sequence[Told],
    troubles: Sequence[Trouble],
    unjudged: Sequence[Trouble],
    again: Collection[str],
    *,
    dry_run: bool,
) -> str:
    """Bring the issue up to date, unless somebody closed it. Gives its address; empty where there is none."""
    if issue is not None and not issue.is_open:
        return ""
    text = body(told, troubles, unjudged, again, forge.pull_sign, forge.longest_body)
    is_same = issue is not None and _plain(issue.body) == _plain(text)
    if not is_same and not dry_run:
        issue = forge.put_issue(issue.number if issue is not None else 0, TITLE, text)
    return issue.url if issue is not None else ""


def _plain(text: str) -> str:
    """A text without what forges change in it."""
    return text.replace("\r\n", "\n").strip()


def body(
    told: Sequence[Told],
    troubles: Sequence[Trouble],
    unjudged: Sequence[Trouble],
    again: Collection[str],
    sign: str,
    longest: int,
) -> str:
    """The issue's text: the same as long as the same is to be said, whenever that is."""
    for most in (_MOST, 20, 5, 1):
        text = "\n\n".join((_HEAD.strip(), *_parts(told, troubles, unjudged, again, sign, most))) + "\n"
        if len(text) <= longest:
            break
    return text


def _parts(
    told: Sequence[Told], troubles: Sequence[Trouble], unjudged: Sequence[Trouble], again: Collection[str], sign: str, most: int
) -> Iterator[str]:
    def line(one: Told, *, why: bool = False) -> str:
        is_waited_for = digest(one.branch) in again and (one.do is Do.POSTPONE or one.error is not None)
        box = f"[{'x' if is_waited_for else ' '}] " if is_waited_for or (one.do is Do.DECLINE and one.error is None) else ""
        key = f" <!-- harden: again={digest(one.branch)} -->" if box else ""
        return f"- {box}{_name(one, sign)}{f': {prose(str(one.error or one.why))}' if why else ''}{key}"

    failed = [one for one in told if one.error is not None]
    rest = sorted((one for one in told if one.error is None), key=lambda one: one.scope)
    yield from _part("Open", (line(one) for one in rest if one.do.is_proposed), most)
    yield from _part("To come", (line(one) for one in rest if one.do is Do.POSTPONE), most)
    yield from _part("Left alone", (line(one, why=True) for one in rest if one.do in (Do.STOP, Do.LEAVE)), most)
    declined = (line(one) for one in rest if one.do is Do.DECLINE)
    yield from _part("Declined: tick what is to be proposed again", declined, most)
    yield from _part("What the forge refused", (line(one, why=True) for one in failed), most)
    yield from _part("What could not be read", (_trouble(trouble) for trouble in troubles), most)
    yield from _part("What was not judged", (_trouble(note) for note in unjudged), most)


def _part(title: str, lines: Iterable[str], most: int) -> Iterator[str]:
    found = list(lines)
    if found:
        more = [f"- and {len(found) - most} more"] if len(found) > most else []
        yield "\n".join((f"## {title}\n", *found[:most], *more))


def _name(told: Told, sign: str) -> str:
    scope = {"": "all of the repository", ".": "the root"}.get(told.scope) or code(shortened(told.scope))
    return f"{scope} ({sign}{told.number})" if told.number else scope


def _trouble(trouble: Trouble) -> str:
    return f"- {code(shortened(trouble.at))}: {prose(trouble.reason)}"
