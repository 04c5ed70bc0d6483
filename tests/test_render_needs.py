"""How `harden needs` reads: nothing said twice, nothing wider than the terminal, and JSON that has all of it."""

from __future__ import annotations

import json as standard_json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.finding import Evidence, Place, Strength
from hardener.needs.known import Known, Told
from hardener.render.needs import Row, json, text

READ = Evidence("reads no file", "app.py:3", Strength.READ)


def row(*known: Known, unknown: tuple[tuple[str, str], ...] = (), at: str = "compose.yaml", service: str = "web") -> Row:
    return Row(Place(at, 2, 3), service, "built from Dockerfile", Told(known, unknown))


def test_containers_with_the_same_needs_share_a_block() -> None:
    known = Known("writes", "/tmp (scratch)", READ)
    shown = text([row(known), row(known, at="compose.prod.yaml"), row(known), row(known, service="worker")], ())
    assert shown.splitlines()[:2] == [
        "compose.yaml:2  web  (built from Dockerfile)",
        "compose.prod.yaml:2  web  (built from Dockerfile)",
    ]
    assert shown.count("/tmp") == 2
    assert shown.count("compose.yaml:2  web") == 1


def test_an_answer_is_given_once_with_all_its_places() -> None:
    known = [Known("writes", "/tmp (scratch)", READ._replace(source=f"app.py:{line}")) for line in range(1, 8)]
    shown = text([row(*known)], (), 200)
    assert shown.count("/tmp") == 1
    assert "app.py:1, app.py:2, app.py:3 and 4 more" in shown


def test_answers_of_one_reason_share_a_line() -> None:
    evidence = Evidence("steps down", "entrypoint.sh", Strength.READ)
    known = [Known("capabilities", f"{name}: becomes www-data", evidence) for name in ("SETGID", "SETUID")]
    assert "SETGID, SETUID: becomes www-data" in text([row(*known)], ())


def test_what_has_no_reason_of_its_own_stays_apart() -> None:
    known = [Known("writes", f"{path} (data)", READ) for path in ("/a", "/b")]
    assert [line.strip() for line in text([row(*known)], ()).splitlines() if "(data)" in line] == [
        "writes              /a (data)",
        "/b (data)",
    ]


def test_questions_with_one_reason_are_named_together() -> None:
    shown = text([row(unknown=(("memory", "it restarts"), ("cpu", "it restarts"), ("pids", "nobody knows")))], ())
    assert "memory, cpu: it restarts" in shown
    assert "pids: nobody knows" in shown


def test_of_many_reasons_json_has_all() -> None:
    unknown = tuple(("everything", f"the library `x{number}`") for number in range(40))
    shown = text([row(unknown=unknown)], ())
    assert len(shown.splitlines()) < 12
    assert "and 32 more" in shown
    assert len(standard_json.loads(json([row(unknown=unknown)], ()))["containers"][0]["unknown"]) == 40


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_short_source_stands_behind_its_answer_and_a_long_one_below(width: int) -> None:
    source = "some/folder/" * 4 + "app.py:7"
    shown = text([row(Known("listens", "80/tcp", Evidence("", source, Strength.READ)))], (), width)
    assert (f"80/tcp  [read in {source}]" in shown) == (width == 120)


WORDS = st.lists(st.text("ab`/.$é", min_size=1, max_size=9), max_size=12).map(" ".join)


@given(
    st.lists(st.tuples(st.sampled_from(["writes", "no new privileges"]), WORDS, WORDS, WORDS), max_size=4),
    st.lists(st.tuples(st.sampled_from(["memory", "no new privileges"]), WORDS), max_size=4),
    st.integers(50, 130),
)
def test_lines_fit_and_all_words_are_there(
    known: list[tuple[str, str, str, str]], unknown: list[tuple[str, str]], width: int
) -> None:
    items = [Known(question, answer, Evidence(claim, source, Strength.READ)) for question, answer, claim, source in known]
    shown = text([row(*items, unknown=tuple(unknown))], (), width)
    assert all(len(line) <= width for line in shown.splitlines())
    words = shown.replace("[", " ").replace("]", " ").replace(",", " ").split()
    for item in items:
        assert set(item.answer.split()) <= set(words)
    for _, why in unknown:
        assert set(why.split()) <= set(words)
