"""What is known of a container's needs, item by item, as people ask for it. Knows no rule and no output format."""

from __future__ import annotations

from collections.abc import Iterator

from hardener.finding import Evidence
from hardener.needs.handover import Workload
from hardener.needs.needs import Needs
from hardener.needs.source.uses import Uses
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


def told(needs: Needs) -> Told:
    """What is known of a container's needs."""
    if not needs.holds:
        return Told((), (("everything", needs.why_not),))
    items = [item for item in _items(needs) if item.question.replace(" ", "_") not in needs.unknown]
    return Told(tuple(items), tuple((question.replace("_", " "), why) for question, why in needs.unknown.items()))


def told_of_program(work: Workload) -> Told:
    """What is known of an image's program, wherever it is started."""
    uses = work.uses
    doubts = tuple((", ".join(sorted(doubt.about)), doubt.text) for doubt in uses.doubts)
    return Told(tuple(_uses(uses)), doubts)


def _items(needs: Needs) -> Iterator[Known]:
    if needs.runs_as is not None:
        who = "root" if needs.root else "not known" if needs.root is None else "an account that is not root"
        if needs.account is not None:
            name = f"{needs.account.name} ({needs.account.uid}:{needs.account.gid})".strip()
            who = f"root, then {name}" if needs.root else name
        yield Known("user", who, needs.runs_as)
    for capability in needs.capabilities or ():
        yield Known("capabilities", f"{capability.name}: {capability.why}", capability.evidence)
    if needs.capabilities == () and needs.no_more_capabilities is not None:
        yield Known("capabilities", "none", needs.no_more_capabilities)
    yield from (Known("writes", _place(w.path, w.kind, w.exec), w.evidence) for w in needs.writes)
    if needs.read_only is not None and not needs.read_only.works:
        yield Known("read only", f"not possible: {needs.read_only.why}", needs.read_only.evidence)
    elif needs.read_only is not None and not needs.writes:
        yield Known("writes", "nothing", needs.read_only.evidence)
    verdict = needs.no_new_privileges
    if verdict is not None:
        yield Known("no new privileges", "can be set" if verdict.works else f"not possible: {verdict.why}", verdict.evidence)
    yield from (Known("listens", f"{port.number}/{port.protocol}", port.evidence) for port in needs.ports)
    yield from (Known("runs", evidence.claim, evidence) for evidence in needs.runs)
    for question, limit, unit in (("memory", needs.memory, " MiB"), ("cpu", needs.cpu, " cores"), ("pids", needs.pids, "")):
        if limit is not None:
            yield Known(question, f"{limit.amount:g}{unit} is enough{f': {limit.why}' if limit.why else ''}", limit.evidence)


def _uses(uses: Uses) -> Iterator[Known]:
    yield from (Known("capabilities", f"{item.name}: {item.why}", item.evidence) for item in uses.capabilities)
    yield from (Known("writes", _place(w.path, w.kind, w.exec), w.evidence) for w in uses.writes)
    yield from (Known("becomes", user.name, user.evidence) for user in uses.users)
    yield from (Known("gains privileges by", program.name, program.evidence) for program in uses.escalates)
    yield from (Known("listens", f"{listen.number}/{listen.protocol}", listen.evidence) for listen in uses.listens)
    yield from (Known("runs", program.name, program.evidence) for program in uses.runs)
    if uses.memory is not None:
        yield Known("memory", f"{uses.memory.mib} MiB is enough: {uses.memory.why}", uses.memory.evidence)
    yield Known("otherwise", "nothing", uses.read)


def _place(path: str, kind: str, exec: bool) -> str:
    return f"{path or 'a place that is not known'} ({kind}{', runs code from there' if exec else ''})"
