"""What a trial is held to: what the original showed each time, and what is worse than that."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.trial.answers import Answer
from hardener.trial.expect import Expected, Moment, expected, fatal, lacking, unenforced, without_numbers, worse
from hardener.trial.observe import Kept, Process, Sight
from hardener.trial.remedy import Kind, Standing

UP = Sight("web", "1", True, 0, 0, False, "", "", frozenset(("tcp/80",)), False, (Process("web", 33, 33),))
PAGE = Answer("http", "200 text/html", frozenset("abcdefgh"))


def moment(*sights: Sight, **more: Any) -> Moment:
    return Moment("cold", {sight.service: sight for sight in sights or (UP,)}, **more)


def before(*moments: Moment) -> dict[str, Expected]:
    return expected(moments or (moment(), moment()))


def words(found: tuple[Any, ...]) -> list[tuple[str, Kind]]:
    return [(complaint.text, complaint.kind) for complaint in found]


def as_processes(*processes: tuple[str, int]) -> Sight:
    return UP._replace(processes=tuple(Process(name, uid, uid) for name, uid in processes))


# What the original shows each time.


def test_what_differs_between_runs_is_not_expected() -> None:
    other = UP._replace(listens=frozenset(("tcp/80", "tcp/9999")), processes=(Process("web", 33, 33), Process("cron", 1, 1)))
    one = moment(UP._replace(health="healthy"), answers={("web", 80): PAGE, ("web", 81): PAGE})
    two = moment(other, answers={("web", 80): PAGE._replace(lines=frozenset("ab"))})
    found = before(one, two)["web"]
    assert found.listens == {"tcp/80"}
    assert found.unprivileged == {("web", 33, 33)}
    assert not found.healthy, "it is only healthy some of the time"
    assert found.answers == {80: PAGE._replace(lines=frozenset("ab"))}


def test_files_are_expected_by_names_without_their_numbers() -> None:
    def kept(*names: str) -> Moment:
        return moment(kept={("web", "/data"): Kept(frozenset(names), frozenset())})

    wanted = before(kept("seg-0001", "db/abcdef0123456789.log", "lock"), kept("seg-77", "db/00000000deadbeef.log"))
    assert wanted["web"].names == {"/data": {"seg-#", "db/#.log"}}
    assert not lacking(kept("seg-5", "db/1234567890abcdef.log"), wanted)
    assert words(lacking(kept("seg-5"), wanted)) == [("does not write /data/db/#.log", Kind.MISSING)]
    assert words(lacking(moment(), wanted)) == [("does not write /data/db/#.log", Kind.MISSING)], "no mount at all"


@given(st.text("abcdefghijklmnop/._-", max_size=20), st.integers(0, 10**9), st.integers(0, 10**9))
def test_numbers_make_no_difference(text: str, one: int, other: int) -> None:
    assert without_numbers(f"{text}-{one}-x") == without_numbers(f"{text}-{other}-x")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=4), st.booleans(), st.integers(0, 3))
def test_the_original_lacks_nothing_of_itself(processes: list[tuple[str, int]], runs: bool, restarts: int) -> None:
    sight = as_processes(*processes)._replace(running=runs, restarts=restarts, exit_code=0 if runs else restarts)
    one = moment(sight, answers={("web", 80): PAGE}, kept={("web", "/d"): Kept(frozenset("x"), frozenset())})
    wanted = before(one, one)
    assert not lacking(one, wanted)
    assert not worse(one, wanted)
    assert fatal(sight, wanted["web"]) is None


# What makes waiting pointless.

ENDED = UP._replace(running=False, listens=frozenset(), processes=())
ONE_SHOT = before(moment(ENDED), moment(ENDED))["web"]
SERVER = before()["web"]
FAILING = before(moment(ENDED._replace(exit_code=3)), moment(ENDED._replace(exit_code=3)))["web"]


@pytest.mark.parametrize(
    ("sight", "wanted", "text", "kind"),
    [
        (UP, SERVER, "", None),
        (ENDED, ONE_SHOT, "", None),
        (ENDED._replace(exit_code=1, log=("a", "boom", " ")), ONE_SHOT, "ended with exit code 1: boom", Kind.EXIT),
        (ENDED._replace(exit_code=3), FAILING, "", None),
        (ENDED, FAILING, "", None),
        (ENDED._replace(exit_code=4), FAILING, "ended with exit code 4", Kind.EXIT),
        (ENDED._replace(log=("bye",)), SERVER, "ended, which the original does not: bye", Kind.EXIT),
        (ENDED._replace(exit_code=1, restarts=1), SERVER, "", None),
        (ENDED._replace(exit_code=7, restarts=3), SERVER, "is started again and again (exit code 7)", Kind.EXIT),
        (ENDED._replace(killed_at_memory_limit=True, exit_code=137), SERVER, "killed at its memory limit", Kind.MEMORY),
        (ENDED._replace(error="exec: no such file"), SERVER, "exec: no such file", Kind.START),
        (UP._replace(health="unhealthy"), SERVER, "", None),
        (UP._replace(health="unhealthy"), SERVER._replace(healthy=True), "is not healthy", Kind.HEALTH),
    ],
)
def test_what_makes_waiting_pointless(sight: Sight, wanted: Expected, text: str, kind: Kind | None) -> None:
    found = fatal(sight, wanted)
    assert (found and (found.text, found.kind)) == ((text, kind) if text else None)


def test_restarts_that_the_original_needs_are_not_held_against_it() -> None:
    wanted = before(moment(UP._replace(restarts=4)), moment())["web"]
    assert fatal(UP._replace(restarts=6), wanted) is None
    assert fatal(UP._replace(restarts=7), wanted) is not None
    assert not worse(moment(UP._replace(restarts=4)), {"web": wanted})
    assert words(worse(moment(UP._replace(restarts=5)), {"web": wanted})) == [("was started 6 times", Kind.EXIT)]


# What is not there.


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (moment(UP._replace(service="other")), "has no container"),
        (moment(ENDED._replace(exit_code=2, log=("why",))), "does not run (exit code 2): why"),
        (moment(UP._replace(listens=frozenset(("tcp/8080",)))), "does not listen on tcp/80"),
        (moment(), "is not healthy"),
        (moment(UP._replace(health="starting")), "is starting"),
    ],
)
def test_what_is_not_there(now: Moment, text: str) -> None:
    healthy = moment(UP._replace(health="healthy"))
    found = [text for text, _ in words(lacking(now, before(healthy, healthy)))]
    assert text in found


def test_more_than_the_original_is_not_less() -> None:
    more = UP._replace(listens=frozenset(("tcp/80", "udp/53")), health="healthy", processes=(*UP.processes, Process("x", 5, 5)))
    assert not lacking(moment(more, answers={("web", 81): PAGE}), before())
    assert not worse(moment(more), before())


def test_a_one_shot_service_has_to_end() -> None:
    wanted = before(moment(ENDED), moment(ENDED))
    assert words(lacking(moment(UP), wanted)) == [("has not ended, which the original does", Kind.MISSING)]
    assert not lacking(moment(ENDED), wanted)
    sometimes = before(moment(ENDED), moment())
    assert not lacking(moment(UP), sometimes), "what once still ran may still run"


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (PAGE, ""),
        (PAGE._replace(lines=frozenset("abcdef")), ""),
        (PAGE._replace(lines=frozenset("abcde")), "port 80 answers without 3 of 8 lines"),
        (PAGE._replace(text="500 text/html"), "port 80 answers HTTP 500 text/html instead of HTTP 200 text/html"),
        (Answer("silent"), "port 80 answers an open connection instead of HTTP 200 text/html"),
        (None, "port 80 answers nothing instead of HTTP 200 text/html"),
    ],
)
def test_answers(now: Answer | None, text: str) -> None:
    asked = moment(answers={("web", 80): PAGE})
    found = lacking(moment(answers={("web", 80): now} if now else {}), before(asked, asked))
    assert [complaint.text for complaint in found] == ([text] if text else [])


# What is worse.


@pytest.mark.parametrize(
    ("original", "now", "who"),
    [
        ([("nginx", 0), ("nginx", 101)], [("nginx", 0), ("nginx", 101)], ""),
        ([("nginx", 0), ("nginx", 101)], [("nginx", 0), ("nginx", 0)], "nginx"),
        ([("tini", 0), ("redis", 999)], [("tini", 0), ("redis", 0)], "redis"),
        ([("tini", 0), ("redis", 999)], [("redis", 0)], "redis"),
        # One that steps down does not speak for another that stays.
        ([("init", 0), ("postgres", 70), ("exporter", 65534)], [("init", 0), ("postgres", 0), ("exporter", 65534)], "postgres"),
        ([("init", 0), ("postgres", 70), ("exporter", 65534)], [("init", 0), ("postgres", 70), ("exporter", 0)], "exporter"),
        # Under another number it is unprivileged all the same.
        ([("redis", 999)], [("redis", 1000)], ""),
        # A child that is gone for the moment is no root.
        ([("sh", 33), ("job", 33)], [("sh", 33)], ""),
        ([("root", 0)], [("root", 0)], ""),
        # Another name, and root's alone.
        ([("server", 33)], [("sh", 0)], "server"),
        # Nothing could be seen, which says nothing.
        ([("server", 33)], [], ""),
    ],
)
def test_who_stays_root(original: list[tuple[str, int]], now: list[tuple[str, int]], who: str) -> None:
    was = moment(as_processes(*original))
    found = worse(moment(as_processes(*now)), before(was, was))
    text = f"{who} keeps running as root, which the original gives up"
    assert words(found) == ([(text, Kind.STAYS_ROOT)] if who else [])


def test_who_is_killed_at_its_end_which_the_original_is_not() -> None:
    slow = moment(killed=frozenset(("web",)))
    assert words(worse(slow, before())) == [("does not stop in its grace period, and is killed", Kind.STOP)]
    assert not worse(slow, before(moment(), slow)), "nor does the original, some of the time"


def test_who_was_killed_at_its_limit_and_came_back() -> None:
    killed = moment(UP._replace(killed_at_memory_limit=True))
    assert words(worse(killed, before())) == [("killed at its memory limit", Kind.MEMORY)]


# What an engine does not carry out.

LOCKED = Standing(fixes=frozenset(("privilege-escalation",)), user="33:33", capabilities=frozenset(("CHOWN",)), read_only=True)
HELD = UP._replace(read_only=True, processes=(Process("web", 33, 33, 0, 1, True),))


@pytest.mark.parametrize(
    ("sight", "said"),
    [
        (HELD, []),
        (HELD._replace(read_only=False), ["its root is not read-only"]),
        (
            HELD._replace(processes=(Process("web", 33, 33, 0, 0b1001, True),)),
            ["its processes have capabilities that were dropped"],
        ),
        (HELD._replace(processes=(Process("web", 33, 33, 0, 1, False),)), ["its processes may gain privileges"]),
        (HELD._replace(processes=(Process("web", 0, 0, 0, 1, True),)), ["a process is root although it is started as 33:33"]),
        # What cannot be seen from here is not said.
        (HELD._replace(processes=(Process("web", 33, 33),)), []),
        (HELD._replace(running=False, read_only=False), []),
    ],
)
def test_what_the_engine_ignores_is_said(sight: Sight, said: list[str]) -> None:
    assert unenforced(moment(sight), {"web": LOCKED, "other": LOCKED}) == tuple(("web", text) for text in said)


def test_nothing_is_asked_of_what_was_not_hardened() -> None:
    free = UP._replace(processes=(Process("web", 0, 0, 0xFF, 0xFF, False),))
    assert unenforced(moment(free), {"web": Standing()}) == ()
