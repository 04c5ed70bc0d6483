"""The commits of a pull request: one for each rule, with the hazard, what is changed where, and why that is believed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hardener.bot.forge import EXECUTABLE, Commit
from hardener.bot.marks import Trailers, files_digest, with_trailers
from hardener.bot.proposal import Bundle, Step
from hardener.bot.words.kinds import subject_line, subjects
from hardener.bot.words.look import Look
from hardener.bot.words.plain import plain, wrapped
from hardener.bot.words.rule import about, sources
from hardener.finding import Fix
from hardener.render.grounds import grounds
from hardener.render.summary import count
from hardener.report import Outcome

#: Different fixes, names in front of each, and steps for a person, that one message has before the rest is only counted.
_MOST, _NAMES = 20, 8


def commits(bundle: Bundle, branch: str, look: Look) -> tuple[Commit, ...]:
    """One commit for each step, each on top of the one before it."""
    before, after, executable = bundle.before, dict[str, bytes](), set[str]()
    found = []
    for number, step in enumerate(bundle.steps, 1):
        after |= {file.path: file.data for file in step.files}
        executable |= {file.path for file in step.files if file.mode == EXECUTABLE}
        differing = ((path, data) for path, data in after.items() if before.get(path) != data)
        trailers = Trailers(branch, number, len(bundle.steps), files_digest(differing, executable))
        found.append(Commit(with_trailers(message(step, look), trailers, look.sign_off), step.files))
    return tuple(found)


def subject(step: Step, look: Look) -> str:
    """The first line of a step's commit."""
    return subject_line(step.rule, step.report.applied, look.settings.title_prefix)


def message(step: Step, look: Look) -> str:
    """What a step's commit says, without its last paragraph."""
    paragraphs = [subject(step, look)]
    if step.rule:
        paragraphs.append(wrapped(about(step.rule)))
    else:
        paragraphs.append("This follows from the fixes of the commits before it together.")
    lines = list(_changes(step.report.applied))
    if lines:
        paragraphs.append("\n".join(lines))
    if step.also:
        paragraphs.append("\n".join(["What the commits before this one change becomes:", *_changes(step.also)]))
    by_hand = list(dict.fromkeys(one.finding.fix.migration for one in step.report.applied if one.finding.fix))
    if any(by_hand):
        paragraphs.append("\n".join(["By hand:", *(wrapped(plain(text, 600), "- ", "  ") for text in by_hand[:_MOST] if text)]))
    if step.rule:
        pods = bool(subjects(step.report.applied).containers)
        found = sources(step.rule, for_pods=pods)
        told = [f"{wrapped(f'{source.item}: {source.title}', '- ', '  ')}\n  {source.url}" for source in found]
        paragraphs.append("\n".join(["See also:", *told, f"- harden explain {step.rule}"]))
    return "\n\n".join(paragraphs)


def _changes(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """What is changed where, and why that is believed: the same is said once."""
    alike: dict[tuple[str, Fix], list[Outcome]] = {}
    for one in outcomes:
        if one.finding.fix:
            alike.setdefault((one.finding.place.path, _told(one.finding.fix)), []).append(one)
    path = ""
    for (where, fix), found in list(alike.items())[:_MOST]:
        if where != path:
            path = where
            yield wrapped(f"In {plain(path)}:", rest="  ")
        names = list(dict.fromkeys(plain(one.finding.subject, 60) for one in found))
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        because = "; ".join(f"{'; '.join(map(plain, ground.claims))} ({plain(ground.source)})" for ground in grounds(fix, set()))
        unknown = f". Not known: {plain(fix.missing)}" if fix.missing else ""
        who = f"{', '.join(names[:_NAMES])}{more}"
        yield wrapped(f"{who}: {plain(fix.summary)}. Evidence: {because or 'none'}{unknown}", "- ", "  ")
    if len(alike) > _MOST:
        yield f"- and {count(len(alike) - _MOST, 'more change')}"


def _told(fix: Fix) -> Fix:
    """What a message tells of a fix, by which fixes are alike."""
    return Fix(fix.summary, evidence=fix.evidence, missing=fix.missing)
