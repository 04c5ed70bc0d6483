"""Which fixes are made in one pass: trusted enough, writable, right for everyone, and not in each other's way."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest

from hardener.errors import CannotWrite
from hardener.finding import Applicability, Change, Evidence, Finding, Fix, Place, Reach, Rule, Severity, Strength, Want
from hardener.plan import Plan, make_plan
from hardener.report import Status
from hardener.syntax.yaml import Append, Commented, Put

READ = (Evidence("it works", "its source", Strength.READ),)
ASSUMED = (Evidence("it is usual", "nowhere"),)


def rule(name: str, severity: Severity = Severity.MEDIUM) -> Rule:
    return Rule(name, name.title(), severity, (), "", lambda *_: ())


RULES = {one.id: one for one in (rule("low", Severity.LOW), rule("medium"), rule("other"), rule("high", Severity.HIGH))}


class Slot:
    """A setting that writes its value to a route, or cannot."""

    def __init__(
        self, service: str, key: str = "k", *, reaches: Iterable[Reach] = (), why_not: str = "", append: bool = False
    ) -> None:
        self.service, self.key, self.reaches, self.why_not, self.append = service, key, frozenset(reaches), why_not, append

    def to(self, new: Any) -> tuple[Change, ...]:
        if self.why_not:
            raise CannotWrite(self.why_not)
        route = (0, "services", self.service, self.key)
        return (Change("compose.yaml", Append(route, tuple(new)) if self.append else Put(route, new), self.reaches),)


def finding(service: str, name: str = "medium", fix: Fix | None = None, **more: Any) -> Finding:
    return Finding(name, service, Place("compose.yaml", 1, 1), "bad", fix, key=f"compose.yaml#{service}", **more)


def fix(*wants: tuple[Slot, Any], evidence: tuple[Evidence, ...] = READ, missing: str = "") -> Fix:
    return Fix("better", tuple(Want(slot, value) for slot, value in wants), evidence=evidence, missing=missing)


def plan(*findings: Finding, threshold: Applicability = Applicability.SAFE, blocked: Any = None) -> Plan:
    return make_plan(findings, RULES, threshold, blocked or {})


def written(planned: Plan) -> dict[tuple[str, str], Any]:
    """What each service gets written, by service and key."""
    result: dict[tuple[str, str], Any] = {}
    for choice in planned.choices:
        for change in choice.changes:
            _, _, service, key = change.operation.route
            result[service, key] = change.operation.value if isinstance(change.operation, Put) else list(change.operation.items)
    return result


def ends(planned: Plan) -> dict[str, tuple[Status, str]]:
    return {one.subject: (status, why) for one, status, why in planned.others}


def test_a_fix_with_evidence_is_made() -> None:
    planned = plan(finding("web", fix=fix((Slot("web"), True))))
    assert written(planned) == {("web", "k"): True}
    assert planned.others == ()


def test_a_guess_is_held_back_unless_asked_for() -> None:
    guess = finding("web", fix=fix((Slot("web"), True), evidence=ASSUMED, missing="nobody knows it"))
    assert ends(plan(guess)) == {"web": (Status.HELD_BACK, "nobody knows it")}
    assert written(plan(guess, threshold=Applicability.UNSAFE)) == {("web", "k"): True}


def test_what_has_no_fix_is_reported_or_refused() -> None:
    planned = plan(
        finding("advised", advice="do it by hand"),
        finding("refused", refusal="not here"),
        finding("words", fix=Fix("words only")),
    )
    assert ends(planned) == {
        "advised": (Status.REPORTED, ""),
        "refused": (Status.REFUSED, "not here"),
        "words": (Status.REPORTED, ""),
    }
    assert planned.choices == ()


def test_what_cannot_be_written_is_refused_with_the_reason_and_as_a_whole() -> None:
    planned = plan(finding("web", fix=fix((Slot("web", "a"), 1), (Slot("web", "b", why_not="an alias"), 2))))
    assert ends(planned) == {"web": (Status.REFUSED, "an alias")}
    assert planned.choices == ()


def test_what_was_taken_back_is_not_tried_again() -> None:
    one = finding("web", fix=fix((Slot("web"), True)))
    planned = plan(one, blocked={one.identity: "it came out wrong"})
    assert ends(planned) == {"web": (Status.FAILED, "it came out wrong")}
    assert planned.choices == ()


def test_every_finding_ends_once() -> None:
    findings = [
        finding("a", fix=fix((Slot("a"), 1))),
        finding("b", fix=fix((Slot("b"), 1), evidence=ASSUMED)),
        finding("c", advice="by hand"),
        finding("d", fix=fix((Slot("d", why_not="no"), 1))),
        finding("e", fix=fix((Slot("e", reaches=[Reach("compose.yaml#b", False)]), 1))),
    ]
    planned = plan(*findings)
    ended = [choice.finding.subject for choice in planned.choices] + [one.subject for one, _, _ in planned.others]
    assert sorted(ended) == list("abcde")


# Text that serves several containers.


def reach(service: str, joins: bool = False) -> Reach:
    return Reach(f"compose.yaml#{service}", joins)


def test_text_is_not_written_where_another_container_would_get_it_that_does_not_want_it() -> None:
    planned = plan(finding("base", fix=fix((Slot("base", reaches=[reach("child")]), True))))
    status, why = ends(planned)["base"]
    assert status is Status.REFUSED
    assert "child" in why
    assert planned.choices == ()


def test_not_even_when_that_container_only_might_want_it() -> None:
    planned = plan(
        finding("base", fix=fix((Slot("base", reaches=[reach("child")]), True))),
        finding("child", fix=fix((Slot("child"), True), evidence=ASSUMED)),
    )
    assert ends(planned)["base"][0] is Status.REFUSED
    assert ends(planned)["child"][0] is Status.HELD_BACK
    assert planned.choices == ()


def test_refusals_spread_to_whoever_counted_on_it() -> None:
    planned = plan(
        finding("one", fix=fix((Slot("one", reaches=[reach("two"), reach("three")]), True))),
        finding("two", fix=fix((Slot("two", reaches=[reach("three")]), True))),
        finding("three", fix=fix((Slot("three", why_not="no"), True))),
    )
    assert {name: status for name, (status, _) in ends(planned).items()} == dict.fromkeys(("one", "two", "three"), Status.REFUSED)


def test_another_hazard_of_that_container_does_not_count() -> None:
    planned = plan(
        finding("base", fix=fix((Slot("base", reaches=[reach("child")]), True))),
        finding("child", "other", fix=fix((Slot("child", "other"), True))),
    )
    assert ends(planned)["base"][0] is Status.REFUSED
    assert written(planned) == {("child", "other"): True}


def test_what_is_inherited_is_not_written_twice() -> None:
    planned = plan(
        finding("base", fix=fix((Slot("base", reaches=[reach("child")]), True))),
        finding("child", fix=fix((Slot("child"), True))),
    )
    assert written(planned) == {("base", "k"): True}
    assert planned.others == ()
    assert {choice.finding.subject for choice in planned.choices} == {"base", "child"}


@pytest.mark.parametrize("comment", [True, False])
def test_a_list_that_replaces_is_written_in_full_and_one_that_joins_without_what_is_there(comment: bool) -> None:
    there = [Commented("A", "why"), "B"] if comment else ["A", "B"]
    for joins, expected in ((False, ["A", "C"]), (True, ["C"])):
        planned = plan(
            finding("base", fix=fix((Slot("base", reaches=[reach("child", joins)]), there))),
            finding("child", fix=fix((Slot("child"), ["A", "C"]))),
        )
        assert written(planned)["child", "k"] == expected


def test_an_own_list_that_replaces_the_inherited_one_keeps_its_items() -> None:
    planned = plan(
        finding("base", fix=fix((Slot("base", reaches=[reach("child")]), ["A"]))),
        finding("child", fix=fix((Slot("child", append=True), ["A", "C"]))),
    )
    assert written(planned)["child", "k"] == ["A", "C"]


# What gets in each other's way.


def test_two_hazards_may_write_the_same_but_not_different_things_at_one_place() -> None:
    same = plan(finding("web", "high", fix=fix((Slot("web"), 1))), finding("web", "medium", fix=fix((Slot("web"), 1))))
    assert len(same.choices) == 2
    different = plan(finding("web", "medium", fix=fix((Slot("web"), 1))), finding("web", "high", fix=fix((Slot("web"), 2))))
    assert [choice.finding.rule for choice in different.choices] == ["high"], "the worse hazard first; the other waits"


def test_a_fix_that_waits_waits_as_a_whole() -> None:
    planned = plan(
        finding("web", "high", fix=fix((Slot("web", "shared"), 1))),
        finding("web", "medium", fix=fix((Slot("web", "shared"), 2), (Slot("web", "own"), 3))),
    )
    assert written(planned) == {("web", "shared"): 1}


def test_the_order_of_the_findings_does_not_matter() -> None:
    findings = [
        finding(service, name, fix=fix((Slot(service, name), 1), (Slot(service, "shared"), 1 if name == "low" else 2)))
        for service in ("a", "b", "c")
        for name in RULES
    ]
    expected = plan(*findings)
    shuffled = random.Random(0)
    for _ in range(20):
        shuffled.shuffle(findings)
        again = plan(*findings)
        assert [choice.finding for choice in again.choices] == [choice.finding for choice in expected.choices]
        assert [choice.changes for choice in again.choices] == [choice.changes for choice in expected.choices]
