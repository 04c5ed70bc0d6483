"""What is known of a container's needs, item by item, as people ask for it. Knows no rule and no output format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hardener.finding import Evidence, Strength
from hardener.needs.handover import Workload
from hardener.needs.needs import Needs
from hardener.needs.source.uses import EVERYTHING, Uses
from hardener.record import NamedTuple


class Known(NamedTuple):
    """One answer: to which question, what, and how that is known."""

    question: str
    answer: str
    evidence: Evidence


class Told(NamedTuple):
    """All that is known, and why the rest is not."""

    known: tuple[Known, ...]
    #: Question -> why it is open; "everything" where nothing is known.
    unknown: tuple[tuple[str, str], ...]


#: Programs that every script calls, which nobody needs to be told of.
_EVERYDAY = frozenset(
    "sh ash dash bash env sleep cat echo printf test [ true false mkdir rmdir rm cp mv ln ls touch chmod chown head tail cut "
    "sort uniq tr wc tee grep egrep fgrep sed awk find xargs date dirname basename id whoami hostname uname nproc stat readlink "
    "realpath seq expr mktemp which command kill".split()
)


def told(needs: Needs) -> Told:
    """What is known of a container's needs."""
    if not needs.holds:
        return Told(tuple(_limits(needs)), (("everything", needs.why_not),))
    decided = {question for question in ("memory", "cpu", "pids") if not needs.limit(question)[1]}
    unknown = {question: why for question, why in needs.unknown.items() if question not in decided}
    items = [item for item in _items(needs) if item.question.replace(" ", "_") not in unknown]
    return Told(_brief(items, needs.read), tuple((question.replace("_", " "), why) for question, why in unknown.items()))


def told_of_program(work: Workload) -> Told:
    """What is known of an image's program, wherever it is started."""
    uses = work.uses
    doubts = tuple(
        ("everything" if doubt.about >= EVERYTHING else ", ".join(sorted(doubt.about)), doubt.text) for doubt in uses.doubts
    )
    return Told(_brief(_uses(uses), uses.read), doubts)


def _brief(items: Iterable[Known], read: Evidence | None) -> tuple[Known, ...]:
    """Answers whose evidence does not say once more what was read, or what the answer says."""
    tail = f" in {read.claim}" if read is not None and read.claim else ""
    brief = []
    for item in items:
        claim = item.evidence.claim
        if read is not None and claim == read.claim and item.question != "read":
            claim = ""
        elif tail:
            claim = claim.removesuffix(tail)
        brief.append(item._replace(evidence=item.evidence._replace(claim=claim)))
    return tuple(brief)


def _items(needs: Needs) -> Iterator[Known]:
    if needs.read is not None:
        yield Known("read", needs.read.claim, needs.read)
    if needs.runs_as is not None:
        who = "root" if needs.root else "not known" if needs.root is None else "an account that is not root"
        if needs.account is not None:
            name = f"{needs.account.name} ({needs.account.uid}:{needs.account.gid})".strip()
            who = f"root, then {name}" if needs.root else name
        yield Known("user", who, needs.runs_as)
    if needs.worked_as is not None:
        yield Known("user", f"works as {needs.worked_as.uid}:{needs.worked_as.gid}", needs.worked_as.evidence)
    for capability in needs.capabilities or ():
        yield Known("capabilities", f"{capability.name}: {capability.why}", capability.evidence)
    if needs.capabilities == () and needs.no_more_capabilities is not None:
        yield Known("capabilities", "none", needs.no_more_capabilities)
    yield from (_written(write.path, write.kind, write.exec, write.evidence) for write in needs.writes)
    if needs.read_only is not None and not needs.read_only.works:
        yield Known("read only", f"not possible: {needs.read_only.why}", needs.read_only.evidence)
    elif needs.read_only is not None and not needs.writes:
        yield Known("writes", "nothing", needs.read_only.evidence)
    verdict = needs.no_new_privileges
    if verdict is not None:
        yield Known("no new privileges", "can be set" if verdict.works else f"not possible: {verdict.why}", verdict.evidence)
    yield from (_listens(port.number, port.protocol, port.evidence) for port in needs.ports)
    yield from _runs(needs.runs)
    yield from _limits(needs)


def _limits(needs: Needs) -> Iterator[Known]:
    """The limits that are enough, or that people decided; only the latter where nothing is known."""
    for question, unit in (("memory", " MiB"), ("cpu", " cores"), ("pids", "")):
        limit, _ = needs.limit(question)
        if limit is None or (not needs.holds and limit is not getattr(needs.decided, question)):
            continue
        unit = " core" if question == "cpu" and limit.amount == 1 else unit
        enough = "are enough" if question == "pids" or unit.endswith("s") else "is enough"
        if limit is getattr(needs.decided, question):
            enough = "decided"
        why = f": {limit.why}" if limit.why else ""
        yield Known(question, f"{limit.amount:g}{unit} {enough}{why}", limit.evidence)


def _uses(uses: Uses) -> Iterator[Known]:
    if uses.read.strength > Strength.ASSUMED:
        yield Known("read", uses.read.claim, uses.read)
    yield from (Known("capabilities", f"{item.name}: {item.why}", item.evidence) for item in uses.capabilities)
    yield from (_written(write.path, write.kind, write.exec, write.evidence) for write in uses.writes)
    yield from (Known("becomes", user.name, user.evidence) for user in uses.users)
    yield from (Known("gains privileges by", program.name, program.evidence) for program in uses.escalates)
    yield from (_listens(listen.number, listen.protocol, listen.evidence) for listen in uses.listens)
    yield from _runs(uses.runs)
    if uses.memory is not None:
        yield Known("memory", f"{uses.memory.mib} MiB is enough: {uses.memory.why}", uses.memory.evidence)
    if not any(doubt.about >= EVERYTHING for doubt in uses.doubts):
        yield Known("otherwise", "nothing", uses.read)


def _written(path: str, kind: str, exec: bool, evidence: Evidence) -> Known:
    place = f"{path or 'a place that is not known'} ({kind}{', runs code from there' if exec else ''})"
    return Known("writes", place, _without(evidence, f"writes {path}"))


def _listens(number: int, protocol: str, evidence: Evidence) -> Known:
    return Known("listens", f"{number}/{protocol}", _without(evidence, f"listens on port {number}"))


def _runs(programs: Iterable[tuple[str, Evidence]]) -> Iterator[Known]:
    for name, evidence in programs:
        if name not in _EVERYDAY:
            yield Known("runs", name, _without(evidence, f"the command `{name}`"))


def _without(evidence: Evidence, said: str) -> Evidence:
    return evidence._replace(claim="") if evidence.claim == said else evidence
