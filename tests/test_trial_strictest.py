"""The set that a search begins with: what was read stands, and values come from what the original showed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.discover import discover
from hardener.facts.container import Container
from hardener.finding import Evidence, Strength
from hardener.needs.needs import Limit, Needs
from hardener.needs.proven import Proven
from hardener.pipeline import Request, needs
from hardener.trial.candidate import MEMORY, WRITABLE_ROOT, Candidate
from hardener.trial.strictest import Seen, strictest
from hardener.trial.writes import Writes

READ = Evidence("so it is", "a source", Strength.READ)
UNKNOWN = Needs(holds=False, why_not="nothing is known of it")


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def read(text: str = "") -> Container:
        (tmp_path / "compose.yaml").write_text(f"services:\n  web:\n    image: example/x:1\n{text}")
        judged, _ = needs(Request(tuple(discover(["."])[0])))
        found = next(one.subject for one in judged if one.sees == "container")
        assert isinstance(found, Container)
        return found

    return read


def begin(
    container: Container,
    known: Needs = UNKNOWN,
    seen: Seen | None = None,
    *,
    fixed: str = "",
    unsafe: bool = True,
    asked: bool = True,
) -> Candidate:
    shown = {"web": seen} if seen is not None else {}
    rules = {"web": frozenset(fixed.split())}
    return strictest({"web": (container, known)}, rules, shown, unsafe=unsafe, asked=asked)


def test_of_what_nothing_is_known_everything_is_tried(container: Any) -> None:
    candidate = begin(container(), seen=Seen(memory=50, pids=10))
    assert candidate.of("web") == Proven(
        capabilities={}, read_only=True, tmpfs={"/tmp": "0:0"}, no_new_privileges=True, memory=256, cpus=1.0, pids=128
    )
    assert not candidate.without


def test_unasked_root_keeps_the_usual_capabilities(container: Any) -> None:
    assert begin(container(), seen=Seen(), asked=False).of("web").capabilities is None


def test_who_is_privileged_is_left_alone(container: Any) -> None:
    assert begin(container("    privileged: true\n")) == Candidate()


@pytest.mark.parametrize(
    ("service", "fixed", "seen", "user"),
    [
        ("", "", [("redis", 999, 1000)], "999:1000"),
        ("", "", [("a", 33, 33), ("b", 33, 33)], "33:33"),
        ("", "", [("a", 33, 33), ("b", 70, 70)], ""),  # two accounts: neither is the service's
        ("", "", [], ""),
        ("", "root-user", [("redis", 999, 1000)], ""),  # a profile has it already
        ("    user: '5'\n", "", [("redis", 5, 5)], ""),  # as the user says
        ("    user: root\n", "", [("redis", 999, 999)], "999:999"),
        ("    user: '0:0'\n", "", [("redis", 999, 999)], "999:999"),
    ],
)
def test_the_one_account_that_it_steps_down_to(
    service: str, fixed: str, seen: list[tuple[str, int, int]], user: str, container: Any
) -> None:
    candidate = begin(container(service), seen=Seen(unprivileged=frozenset(seen)), fixed=fixed)
    assert candidate.of("web").user == user


def test_an_image_that_starts_unprivileged_keeps_its_own_user(container: Any) -> None:
    seen = Seen(user="1000:1000", unprivileged=frozenset((("node", 1000, 1000),)), writes=Writes({"/app/tmp": "0:0"}))
    proven = begin(container(), seen=seen).of("web")
    assert proven.user == ""
    assert proven.tmpfs == {"/app/tmp": "1000:1000", "/tmp": "1000:1000"}, "and its folders"


def test_what_was_written_becomes_a_tmpfs_of_its_owner(container: Any) -> None:
    proven = begin(container(), seen=Seen(writes=Writes({"/run/app": "33:33", "/tmp": "0:0"}))).of("web")
    assert proven.tmpfs == {"/run/app": "33:33", "/tmp": "0:0"}


@pytest.mark.parametrize("how", ["tmpfs: ['/tmp', '/run/app']", "volumes: ['scratch:/tmp', 'state:/run/app/']"])
def test_what_is_mounted_already_is_not_mounted_again(how: str, container: Any) -> None:
    proven = begin(container(f"    {how}\n"), seen=Seen(writes=Writes({"/run/app": "33:33"}))).of("web")
    assert proven.read_only
    assert proven.tmpfs == {}


@pytest.mark.parametrize("asked", [True, False])
def test_data_that_nothing_keeps_is_for_a_probe_to_tell(asked: bool, container: Any) -> None:
    seen = Seen(writes=Writes({"/srv/store": "0:0"}, data="/srv/store/a.db"))
    candidate = begin(container(), seen=seen, asked=asked)
    assert candidate.of("web").read_only is (True if asked else None)
    assert list(candidate.without) == ([] if asked else [("web", WRITABLE_ROOT)])
    assert set(candidate.without) == (set() if asked else {("web", WRITABLE_ROOT)})
    assert asked or "/srv/store/a.db" in candidate.without["web", WRITABLE_ROOT]


def test_what_is_written_beside_the_images_files_keeps_the_root_writable(container: Any) -> None:
    candidate = begin(container(), seen=Seen(writes=Writes({}, beside="/etc/app.conf")))
    assert candidate.of("web").read_only is None
    assert list(candidate.without) == [("web", WRITABLE_ROOT)]
    assert "/etc/app.conf" in candidate.without["web", WRITABLE_ROOT]


def test_a_root_that_is_read_only_already_stays_as_it_is(container: Any) -> None:
    proven = begin(container("    read_only: true\n"), seen=Seen(writes=Writes({"/run/app": "0:0"}))).of("web")
    assert proven.read_only is None
    assert proven.tmpfs == {}


def test_what_was_read_stands(container: Any) -> None:
    """A run that did not meet a need refutes nothing."""
    known = Needs(
        holds=True,
        capabilities=(),
        memory=Limit(100, "", READ),
        cpu=Limit(2, "", READ),
        pids=Limit(50, "", READ),
        unknown={"read_only": "?", "no_new_privileges": "?"},
    )
    proven = begin(container(), known, Seen(memory=10, pids=1)).of("web")
    assert (proven.capabilities, proven.memory, proven.cpus, proven.pids) == (None, None, None, None)
    assert proven.no_new_privileges is True
    assert proven.read_only is True


def test_what_was_read_and_still_is_open_is_tried(container: Any) -> None:
    known = Needs(
        holds=True,
        capabilities=(),
        memory=Limit(100, "", READ),
        pids=Limit(50, "", READ),
        unknown=dict.fromkeys(("capabilities", "memory", "pids"), "a plugin is loaded"),
    )
    proven = begin(container(), known, Seen(memory=10, pids=1)).of("web")
    assert (proven.capabilities, proven.memory, proven.pids) == ({}, 128, 128)


@pytest.mark.parametrize("unsafe", [True, False])
def test_memory_that_grows_with_data_is_not_for_a_short_trial_to_limit(unsafe: bool, container: Any) -> None:
    known = Needs(holds=True, unknown={"memory": "it keeps all of its data in memory"})
    candidate = begin(container(), known, Seen(memory=10), unsafe=unsafe)
    assert candidate.of("web").memory == (128 if unsafe else None)
    assert list(candidate.without) == ([] if unsafe else [("web", MEMORY)])
    assert unsafe or "--unsafe-fixes" in candidate.without["web", MEMORY]


def test_memory_that_nobody_saw_is_not_limited(container: Any) -> None:
    assert begin(container(), seen=Seen()).of("web").memory is None


@given(st.integers(1, 100_000), st.integers(0, 10_000))
def test_limits_have_headroom_in_whole_steps(memory: int, pids: int) -> None:
    from hardener.trial.strictest import _HEADROOM, _stepped

    mib = _stepped(memory, 64, 128)
    assert mib >= 128
    assert mib % 64 == 0
    assert _HEADROOM * memory <= mib < max(129, _HEADROOM * memory + 64)
    assert _stepped(pids, 64, 128) >= max(128, 4 * pids)
