"""What `harden pr` did, or would do, for people and the log of a job: a line for each pull request. Knows no forge.

No line begins with a text that is not ours, so that none of it can be an order to the program that runs the job.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hardener.bot.done import Done, Seen, Told
from hardener.bot.manners import Do
from hardener.bot.proposal import Proposal
from hardener.cli.pr_words import counted, diffs, paths, plain, subject, word
from hardener.render.summary import count, problem, shortened
from hardener.report import Trouble

#: Of these, why counts more than the title.
_WHY = (Do.UPDATE, Do.REBASE, Do.REWORD, Do.CLOSE, Do.DROP, Do.STOP, Do.LEAVE, Do.DECLINE, Do.POSTPONE, Do.NOTHING)
_LONGEST = 100
#: So many that wait have a line each; of more, so many names.
_FEW, _NAMED = 4, 8
#: So many files of a commit are named.
_PATHS = 3
#: So many reasons why something was not judged have a line each, with so many places.
_REASONS, _PLACES = 5, 2
_COLOURS = {"+": "\x1b[32m", "-": "\x1b[31m", "@": "\x1b[36m"}
_PLAIN = "\x1b[0m"


def lines(done: Done, *, show: bool = False, colour: bool = False, is_named: bool = False) -> Iterator[str]:
    """What became of one repository, or would.

    `show` has every word that would be sent, by this run or a later one; `is_named` has the repository before it.
    """
    if is_named:
        silent = not (done.off or done.told or done.dashboard or done.unbelieved or done.notes or done.troubles or done.ended)
        nothing = (": nothing would be done" if done.dry_run else ": nothing to do") if silent else ""
        yield f"in {plain(done.repository) or 'a repository'}{nothing}"
    if done.off:
        yield f"off: {plain(done.off)}"
    late = () if show else _late(done.told)
    scopes = {told.scope for told in late}
    for told in done.told:
        if (told.do is Do.NOTHING and told.error is None) or told.scope in scopes:
            continue
        yield _line(told, done.dry_run)
        if done.dry_run and told.proposal is not None and (told.do.writes or (show and told.do is Do.POSTPONE)):
            yield from _content(told, told.proposal, done.base, show, colour)
    if late:
        names = ", ".join(shortened(plain(told.scope), _LONGEST) or "all" for told in late[:_NAMED])
        more = f" and {len(late) - _NAMED} more" if len(late) > _NAMED else ""
        yield f"{word(late[0], dry_run=done.dry_run).ljust(13 if done.dry_run else 9)} {names}{more}: {plain(_why(late[0]))}"
        yield f"{' ' * (14 if done.dry_run else 10)}(`--per repository` makes one pull request of all)"
    if done.seen is not None:
        yield from _seen(done.seen, is_all=not (done.told or done.off or done.ended), is_whole=not done.troubles)
    if done.dashboard:
        yield f"dashboard: {plain(done.dashboard)}"
    for path in done.unbelieved:
        yield f"not believed: {plain(path)} (the repository is not yours; see --trust-evidence)"
    yield from (f"note: {plain(note)}" for note in done.notes)
    yield from (f"in the way: {plain(problem(trouble))}" for trouble in done.troubles)
    if done.ended is not None:
        yield f"{'ended early' if done.told else 'failed'}: {plain(str(done.ended))}"
    if is_named:
        yield ""


def summary(all: Sequence[Done], *, dry_run: bool = False) -> str:
    """How many of each, and where: the line that counts."""
    said = ", ".join(_counted(number, words) for words, number in counted(all).items())
    is_cut = any(done.ended is not None for done in all)
    said = said or ("nothing would be done" if dry_run else "nothing was done" if is_cut else "nothing to do")
    where = (plain(all[0].repository) or "the repository") if len(all) == 1 else count(len(all), "repository", "repositories")
    troubles = sum(len(done.troubles) + (done.ended is not None) for done in all)
    problems = f"; {count(troubles, 'problem')} in the way" if troubles else ""
    sent = "; nothing was sent" if dry_run else ""
    return f"{said[0].upper()}{said[1:]} in {where}{problems}{sent}."


def _counted(number: int, words: str) -> str:
    if words == "left":
        return f"{number} left alone"
    return f"{words} {number}" if words.startswith("would ") else f"{number} {words}"


def _line(told: Told, dry_run: bool) -> str:
    words = [word(told, dry_run=dry_run).ljust(13 if dry_run else 9)]
    if told.number:
        words.append(f"{told.sign}{told.number}")
    about = shortened(plain(told.scope), _LONGEST) or "all"
    said = _why(told) if told.error or told.do in _WHY else told.title
    words.append(f"{about}: {plain(said)}" if said else about)
    if told.proposal is not None and told.do.writes and not told.error:
        words.append(f"({count(len(told.proposal.commits), 'commit')}, {count(len(paths(told)), 'file')})")
    if told.remarks:
        words.append(f"[{count(told.remarks, 'remark')}]")
    if told.url:
        words.append(plain(told.url))
    return " ".join(words)


def _late(all: Sequence[Told]) -> tuple[Told, ...]:
    """Those that wait for the same and have nothing else to be told, where they are so many that one line is enough."""
    waiting = [told for told in all if told.do is Do.POSTPONE and told.error is None and not told.number and not told.remarks]
    same = tuple(told for told in waiting if (told.why, told.until) == (waiting[0].why, waiting[0].until))
    return same if len(same) > _FEW else ()


def _why(told: Told) -> str:
    if told.error is not None:
        return str(told.error)
    return f"{told.why} (until {told.until:%H:%M} UTC)" if told.until else told.why


def _seen(seen: Seen, *, is_all: bool, is_whole: bool) -> Iterator[str]:
    """What no pull request tells: why some was not judged, and, where there is none and that is `all`, what was looked at.

    It is `whole` where nothing was in the way.
    """
    if is_all and seen.files:
        left = [f"{count(seen.held_back, 'fix is', 'fixes are')} held back"] if seen.held_back else []
        left += [f"{count(seen.unfixed, 'hazard has', 'hazards have')} no fix"] if seen.unfixed else []
        none = "no hazards were found" if is_whole and not seen.unjudged else "no hazards were found in what was judged"
        what = f"{', '.join(left)} (`harden` in a checkout lists them)" if left else none
        yield f"looked at {count(seen.files, 'file')}: {what}"
    elif is_all:
        yield "no Compose files, Dockerfiles or manifests were found"
    alike: dict[tuple[str, str], list[Trouble]] = {}
    for one in seen.unjudged:
        alike.setdefault((one.reason, one.remedy), []).append(one)
    for (reason, remedy), some in list(alike.items())[:_REASONS]:
        where = ", ".join(plain(shortened(one.at, _LONGEST)) for one in some[:_PLACES])
        more = f" and {len(some) - _PLACES} more" if len(some) > _PLACES else ""
        yield f"not judged: {where}{more}: {plain(f'{reason} ({remedy})' if remedy else reason)}"
    if len(alike) > _REASONS:
        yield f"not judged: {count(sum(map(len, list(alike.values())[_REASONS:])), 'more place')}, for other reasons"


def _content(told: Told, proposal: Proposal, base: str, show: bool, colour: bool) -> Iterator[str]:
    """What would be on its branch, and with `show` all that would be said."""
    yield f"  branch  {plain(told.branch)}, to be merged into {plain(base)}"
    width = len(str(len(proposal.commits)))
    for at, commit in enumerate(proposal.commits, 1):
        files = ", ".join(shortened(plain(file.path), _LONGEST) for file in commit.files[:_PATHS])
        more = f" and {len(commit.files) - _PATHS} more" if len(commit.files) > _PATHS else ""
        yield f"  {at:>{width}}  {plain(subject(commit))}  [{files}{more}]"
    if not show:
        return
    for heading, said in (("title", proposal.title), ("body", proposal.body)):
        yield f"  {heading}"
        yield from _quoted(said)
    for at, (commit, diff) in enumerate(zip(proposal.commits, diffs(proposal), strict=True), 1):
        yield f"  commit {at} of {len(proposal.commits)}"
        yield from _quoted(commit.message)
        yield "  |"
        for line in _quoted(diff):
            mark = _COLOURS.get(line[4:5], "") if colour else ""
            yield f"{mark}{line}{_PLAIN}" if mark else line
    yield ""


def _quoted(text: str) -> Iterator[str]:
    """Lines that nothing can take for ours; tabs stay, and a carriage return at an end is not shown."""
    for line in text.removesuffix("\n").split("\n"):
        said = "\t".join(map(plain, line.removesuffix("\r").split("\t")))
        yield f"  | {said}".rstrip()
