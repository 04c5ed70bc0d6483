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

    def alone(self, new: Any) -> tuple[Change, ...] | None:
        return None


class Shared(Slot):
    """A setting of a pod, which one of its containers can have for itself too, where `own` says so."""

    def __init__(self, pod: str, key: str, container: str, *others: str, own: bool = True, why_not: str = "") -> None:
        super().__init__(pod, key, reaches=[reach(other) for other in others])
        self.container, self.own, self.why_not_alone = container, own, why_not

    def alone(self, new: Any) -> tuple[Change, ...] | None:
        if self.why_not_alone:
            raise CannotWrite(self.why_not_alone)
        return (Change("compose.yaml", Put((0, "services", self.container, self.key), new)),) if self.own else None


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


# Text of a pod that a container can have for itself.


def test_what_is_right_for_all_is_written_once_for_all() -> None:
    planned = plan(
        finding("a", fix=fix((Shared("pod", "k", "a", "b"), True))),
        finding("b", fix=fix((Shared("pod", "k", "b", "a"), True))),
    )
    assert written(planned) == {("pod", "k"): True}
    assert planned.others == ()


def test_what_another_container_does_not_want_is_written_for_those_that_do() -> None:
    planned = plan(
        finding("a", fix=fix((Shared("pod", "k", "a", "b", "c"), True))),
        finding("b", fix=fix((Shared("pod", "k", "b", "a", "c"), True))),
        finding("c", fix=fix((Shared("pod", "k", "c", "a", "b"), True), evidence=ASSUMED)),
    )
    assert written(planned) == {("a", "k"): True, ("b", "k"): True}
    assert ends(planned) == {"c": (Status.HELD_BACK, "evidence that was read or seen: so far it is only said in nowhere")}


def test_only_what_would_reach_others_is_written_elsewhere_and_the_fix_stays_whole() -> None:
    wants = ((Slot("a", "own"), 1), (Shared("pod", "k", "a", "b"), 2), (Shared("pod", "free", "a"), 3))
    planned = plan(finding("a", fix=fix(*wants)))
    assert written(planned) == {("a", "own"): 1, ("a", "k"): 2, ("pod", "free"): 3}


@pytest.mark.parametrize("way", [{"own": False}, {"why_not": "no place for it"}])
def test_a_fix_is_refused_where_one_of_its_wants_has_no_text_of_its_own(way: dict[str, Any]) -> None:
    wants = ((Shared("pod", "k", "a", "b"), 1), (Shared("pod", "group", "a", "b", **way), 2))
    planned = plan(finding("a", fix=fix(*wants)))
    assert planned.choices == ()
    assert ends(planned)["a"] == (Status.REFUSED, "the same text also serves `b`, for which this is not known to be right")


def test_containers_of_one_pod_that_want_different_things_get_them_for_themselves() -> None:
    planned = plan(
        finding("a", fix=fix((Shared("pod", "k", "a", "b"), 1))),
        finding("b", fix=fix((Shared("pod", "k", "b", "a"), 2))),
    )
    assert written(planned) == {("a", "k"): 1, ("b", "k"): 2}
    planned = plan(
        finding("a", fix=fix((Shared("pod", "k", "a", "b", own=False), 1))),
        finding("b", fix=fix((Shared("pod", "k", "b", "a"), 2))),
    )
    assert written(planned) == {("b", "k"): 2}
    assert ends(planned) == {"a": (Status.REFUSED, "the text serves several containers, which need different values")}


def test_own_text_that_reaches_others_too_is_refused_and_not_tried_for_ever() -> None:
    class Circular(Shared):
        def alone(self, new: Any) -> tuple[Change, ...] | None:
            return tuple(change._replace(reaches=self.reaches) for change in super().alone(new) or ())

    planned = plan(finding("a", fix=fix((Circular("pod", "k", "a", "b"), 1), (Shared("pod", "l", "a", "c"), 1))))
    assert planned.choices == ()
    assert ends(planned)["a"][0] is Status.REFUSED


def test_a_second_round_leaves_what_the_first_moved_where_it_is() -> None:
    """`b` wants what reaches it only until its own fix is refused in the first round."""
    planned = plan(
        finding("a", fix=fix((Shared("pod", "k", "a", "c"), 1), (Shared("pod", "l", "a", "b"), 2))),
        finding("b", fix=fix((Slot("pod", "l", reaches=[reach("c")]), 2))),
    )
    assert written(planned) == {("a", "k"): 1, ("a", "l"): 2}
    assert ends(planned)["b"][0] is Status.REFUSED


# What gets in each other's way.


def volumes(container: str, *items: Any, name: str = "medium", append: bool = True) -> Finding:
    return finding(container, name, fix=fix((Slot("pod", "volumes", append=append), items)))


def test_what_only_adds_to_a_list_gets_along_with_what_adds_other_items() -> None:
    one, two = {"name": "a-tmp", "emptyDir": {}}, {"name": "b-tmp", "emptyDir": {}}
    planned = plan(volumes("a", one), volumes("b", two))
    assert [change.operation.items for choice in planned.choices for change in choice.changes] == [(one,), (two,)]
    assert planned.others == ()
    across = plan(volumes("a", one), volumes("a", two, name="high"))
    assert len(across.choices) == 2


@pytest.mark.parametrize("same", [{"name": "a-tmp", "hostPath": {"path": "/tmp"}}, Commented({"name": "a-tmp"}, "why")])
def test_an_item_that_is_there_already_waits(same: Any) -> None:
    one, two = {"name": "a-tmp", "emptyDir": {}}, {"name": "b-tmp", "emptyDir": {}}
    planned = plan(volumes("a", one), volumes("b", two, same))
    assert [choice.finding.subject for choice in planned.choices] == ["a"]
    assert planned.others == (), "it is not refused: the next pass reads the text anew"


def test_a_whole_new_list_waits_for_another() -> None:
    for first, second in ((True, False), (False, True), (False, False)):
        planned = plan(volumes("a", "x", append=first), volumes("b", "y", append=second))
        assert [choice.finding.subject for choice in planned.choices] == ["a"]
        assert planned.others == ()


def test_lists_of_one_service_with_and_without_a_file_that_is_laid_over_do_not_get_along() -> None:
    both = [
        Finding("medium", "web", Place("compose.yaml", 1, 1), "bad", fix((Slot("web", append=True), [item])), key=f"{file}#web")
        for file, item in (("compose.yaml", "A"), ("compose.override.yaml", "B"))
    ]
    planned = plan(*both)
    assert planned.choices == ()
    assert {status for _, status, _ in planned.others} == {Status.REFUSED}


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
