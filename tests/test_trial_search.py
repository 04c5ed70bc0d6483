"""The search for a set that works, against stacks that are only simulated: what they need is known, and so is what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardener.needs.proven import Proven
from hardener.trial.candidate import Candidate, Control, relaxed
from hardener.trial.halves import smallest
from hardener.trial.remedy import Complaint, Kind, Remedy, Standing
from hardener.trial.search import Result, Search
from hardener.trial.steps import Attempt

CAPS, USER, ROOT, NNP, MEMORY, CPU, PIDS = (
    "excess-capabilities",
    "root-user",
    "writable-root-filesystem",
    "privilege-escalation",
    "unlimited-memory",
    "unlimited-cpu",
    "unlimited-pids",
)
RULES = (CAPS, USER, ROOT, NNP, MEMORY, CPU, PIDS)
ALL = frozenset(
    "AUDIT_WRITE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP "
    "SETUID SYS_CHROOT".split()
)
FOLDERS = ("/var/cache/app", "/run/app", "/var/log/app")
PHASES = ("cold", "restart", "recreate")

CHOWN = "chown: changing ownership of '/data': Operation not permitted"
EROFS = "mkdir: cannot create directory '/var/cache/app': Read-only file system"
SETGID = "setgroups: Operation not permitted"
DENIED = 'open() "/srv/secret.key" failed (13: Permission denied)'


class Box(NamedTuple):
    """A service as a simulated engine runs it."""

    made: frozenset[str]
    user: str
    #: What it may use: nothing when it is not root.
    powers: frozenset[str]
    read_only: bool
    tmpfs: Mapping[str, str]
    #: MiB; None for no limit.
    memory: int | None

    def may_write(self, path: str) -> bool:
        return not self.read_only or any(f"{path}/".startswith(f"{folder}/") for folder in self.tmpfs)


Boxes = Mapping[str, Box]


class Need(NamedTuple):
    """What a stack needs, and what it says when it has not got it."""

    is_met: Callable[[Boxes], bool]
    complaints: tuple[Complaint, ...]
    phase: str = "cold"
    #: Whether it only says so.
    harmless: bool = False


class Simulated:
    """A stack whose needs are known. It fails in the first phase in which one is not met, and counts its trials."""

    def __init__(
        self,
        *needs: Need,
        services: Sequence[str] = ("web",),
        rules: Iterable[str] = (CAPS, ROOT, NNP, MEMORY, CPU, PIDS),
        written: Mapping[str, str] | None = None,
        flaky: Callable[[int], bool] = lambda number: False,
        trials: int | None = None,
    ) -> None:
        self.needs = needs
        self.services = services
        self.rules = frozenset(rules)
        self.written = written if written is not None else dict.fromkeys(FOLDERS, "0:0")
        self.flaky = flaky
        self.trials = trials
        self.runs: list[tuple[Candidate, bool, str]] = []

    def boxes(self, candidate: Candidate) -> dict[str, Box]:
        found = {}
        for service in self.services:
            values = candidate.of(service)
            made = frozenset(rule for rule in self.rules if (service, rule) not in candidate.without)
            user = values.user or "1000:1000" if USER in made else ""
            powers = frozenset(values.capabilities or ()) if CAPS in made else ALL
            read_only = ROOT in made
            memory = (values.memory or 128) if MEMORY in made else None
            tmpfs = values.tmpfs if read_only else {}
            found[service] = Box(made, user, powers if not user else frozenset(), read_only, tmpfs, memory)
        return found

    def attempt(self, candidate: Candidate, what: str) -> Attempt:
        boxes = self.boxes(candidate)
        unmet = [need for need in self.needs if not need.is_met(boxes)]
        fatal = [need for need in unmet if not need.harmless]
        phase = next((phase for phase in PHASES for need in fatal if need.phase == phase), "")
        said = [c for need in unmet if need.harmless or need.phase == phase for c in need.complaints]
        failing = [c for need in fatal if need.phase == phase for c in need.complaints]
        noises = [c for c in said if c not in failing]
        number = len(self.runs)
        if not failing and self.flaky(number):
            failing, phase = [Complaint("", Kind.PROBE, "`ask`: no answer (exit code 7)")], "cold"
        self.runs.append((candidate, not failing, what))
        standings = {
            service: Standing(
                fixes=box.made,
                user=box.user,
                capabilities=frozenset(candidate.of(service).capabilities or ()) if CAPS in box.made else None,
                read_only=box.read_only,
                tmpfs=box.tmpfs,
                written=self.written,
                memory=box.memory,
            )
            for service, box in boxes.items()
        }
        controls = frozenset((service, rule) for service, box in boxes.items() for rule in box.made)
        complaints = tuple(dict.fromkeys((*failing, *noises))) if failing else ()
        return Attempt(complaints, () if failing else tuple(dict.fromkeys(noises)), standings, controls, phase)

    def works(self, candidate: Candidate) -> bool:
        boxes = self.boxes(candidate)
        return all(need.harmless or need.is_met(boxes) for need in self.needs)

    def has_time(self, trials: int) -> bool:
        return self.trials is None or len(self.runs) + trials <= self.trials

    def search(self, strictest: Candidate | None = None, *, asked: bool = True) -> Result:
        start = strictest or Candidate({name: Proven(capabilities={}, read_only=True) for name in self.services})
        result = Search(self.attempt, self.has_time, asked=asked).run(start)
        self.check(result)
        return result

    def check(self, result: Result) -> None:
        """What holds of every result, however it ended."""
        if result.works:
            wanted = (result.candidate.proven, set(result.candidate.without))
            same = [well for candidate, well, _ in self.runs if (candidate.proven, set(candidate.without)) == wanted]
            assert same[-2:] == [True, True], "what works was seen to work, whole, the last two times"
            last = self.runs[-1][0]
            assert (last.proven, set(last.without)) == wanted, "and nothing else was tried after it"
        assert not result.works or result.undecided <= set(result.candidate.without), "what is undecided is not made"
        made = {(step.remedy.service, step.remedy.value) for step in result.steps if step.remedy.kind == "without"}
        if result.works:
            assert set(result.candidate.without) == made | result.undecided, "what is left out is accounted for"
        assert not made & result.undecided


# What a stack may need.


def powers(names: str, *texts: str, service: str = "web", kind: Kind = Kind.LOG, phase: str = "cold", **more: bool) -> Need:
    """Capabilities as root."""
    wanted = frozenset(names.split())
    return Need(
        lambda boxes: bool(boxes[service].user) or wanted <= boxes[service].powers,
        tuple(Complaint(service, kind, text) for text in texts) or silence(),
        phase,
        more.get("harmless", False),
    )


def silence(service: str = "") -> tuple[Complaint, ...]:
    return (Complaint(service, Kind.PROBE, "`ask`: curl: (22) The requested URL returned error: 500 (exit code 22)"),)


def writes(path: str, *texts: str, service: str = "web", phase: str = "cold", then: str = "") -> Need:
    return Need(
        lambda boxes: boxes[service].may_write(path),
        tuple(Complaint(service, Kind.LOG, text) for text in texts) or silence(),
        phase,
    )


def breaks(*controls: Control, service: str = "", phase: str = "cold") -> Need:
    """Controls that break it only together, and without a word."""
    return Need(
        lambda boxes: not all(rule in boxes[name].made for name, rule in controls),
        silence(service),
        phase,
    )


def steps(result: Result) -> list[str]:
    return [f"{step.remedy.service}: {step.remedy.kind} {step.remedy.value}" for step in result.steps]


def left_out(result: Result) -> set[Control]:
    return set(result.candidate.without)


def capabilities(result: Result, service: str = "web") -> set[str]:
    return set(result.candidate.of(service).capabilities or ())


# By symptoms.


def test_the_strictest_set_is_tried_first_and_run_twice() -> None:
    stack = Simulated()
    result = stack.search()
    assert result.works
    assert not result.steps
    assert len(stack.runs) == 2


@pytest.mark.parametrize(
    ("need", "expected"),
    [
        (powers("CHOWN", CHOWN), ["web: capability CHOWN"]),
        (powers("CHOWN", f"ended with exit code 1: {CHOWN}", kind=Kind.EXIT), ["web: capability CHOWN"]),
        (powers("SETGID SETUID", SETGID), ["web: capability SETGID SETUID"]),
        (powers("SETGID", SETGID), ["web: capability SETGID"]),
        (powers("SETGID SETUID", "www keeps running as root", kind=Kind.STAYS_ROOT), ["web: capability SETGID SETUID"]),
        (powers("KILL", "does not stop in its grace period", kind=Kind.STOP, phase="restart"), ["web: capability KILL"]),
        (writes("/var/cache/app", EROFS), ["web: tmpfs /var/cache/app"]),
        (writes("/run/app/x.pid", "open /run/app/x.pid: read-only file system"), ["web: tmpfs /run/app"]),
        (powers("CHOWN", f"probe said {CHOWN}", kind=Kind.PROBE), ["web: capability CHOWN"]),
    ],
)
def test_one_symptom_costs_one_step(need: Need, expected: list[str]) -> None:
    stack = Simulated(need)
    result = stack.search()
    assert result.works
    assert steps(result) == expected
    assert not left_out(result)
    assert len(stack.runs) <= 5


@pytest.mark.parametrize("mib", [200, 256, 500, 1000])
def test_memory_is_doubled_until_it_is_enough(mib: int) -> None:
    killed = (Complaint("web", Kind.MEMORY, "killed at its memory limit"),)
    stack = Simulated(Need(lambda boxes: (boxes["web"].memory or 10**6) >= mib, killed))
    result = stack.search()
    assert result.works
    assert not left_out(result)
    assert mib <= (result.candidate.of("web").memory or 0) < 2 * mib + 128


def test_memory_without_end_is_not_limited() -> None:
    killed = (Complaint("web", Kind.MEMORY, "killed at its memory limit"),)
    result = Simulated(Need(lambda boxes: boxes["web"].memory is None, killed)).search()
    assert result.works
    assert left_out(result) == {("web", MEMORY)}
    assert result.candidate.of("web").memory is None, "what did not help is taken back"


def test_several_services_step_back_in_the_same_trial() -> None:
    names = ("a", "b", "c", "d")
    stack = Simulated(*(powers("CHOWN", CHOWN, service=name) for name in names), services=names)
    result = stack.search()
    assert result.works
    assert steps(result) == [f"{name}: capability CHOWN" for name in names]
    assert len(stack.runs) == 3


def test_what_does_not_help_is_taken_back_before_the_next() -> None:
    # The words say CHOWN, but what it takes is what comes later on their ladder.
    stack = Simulated(powers("FOWNER", CHOWN))
    result = stack.search()
    assert result.works
    assert capabilities(result) == {"FOWNER"}
    assert "web: capability CHOWN" not in steps(result)
    given_ = [set(candidate.of("web").capabilities or ()) for candidate, _, _ in stack.runs]
    assert {"CHOWN"} in given_


def test_a_tmpfs_that_is_taken_back_does_not_come_in_again() -> None:
    hidden = "/var/cache/app"
    stack = Simulated(
        # Its words name a folder, but a tmpfs there does not help; another complaint is mended at the same time.
        Need(lambda boxes: not boxes["web"].read_only, (Complaint("web", Kind.LOG, EROFS),)),
        writes("/run/app", "mkdir /run/app/x: read-only file system"),
        writes("/var/log/app", "open /var/log/app/x.log: Read-only file system", phase="restart"),
    )
    result = stack.search()
    assert result.works
    assert hidden not in result.candidate.of("web").tmpfs
    for candidate, _, _ in stack.runs[2:]:
        assert hidden not in candidate.of("web").tmpfs


def test_a_capability_that_is_taken_back_does_not_come_in_again() -> None:
    stack = Simulated(
        Need(lambda boxes: boxes["web"].powers >= ALL, (Complaint("web", Kind.LOG, CHOWN),)),
        powers("SETGID SETUID", SETGID),
        powers("NET_BIND_SERVICE", "bind() to 0.0.0.0:80 failed (13: Permission denied)", phase="restart"),
    )
    result = stack.search()
    assert result.works
    assert left_out(result) == {("web", CAPS)}
    assert capabilities(result) < ALL, "what did not help is not kept beside"
    assert "CHOWN" not in capabilities(result)


def test_a_tmpfs_may_make_a_capability_necessary() -> None:
    def owned(boxes: Boxes) -> bool:
        box = boxes["web"]
        return "/var/cache/app" not in box.tmpfs or "CHOWN" in box.powers

    stack = Simulated(
        writes("/var/cache/app", EROFS),
        Need(owned, (Complaint("web", Kind.LOG, "chown: changing ownership of '/var/cache/app': Operation not permitted"),)),
    )
    result = stack.search()
    assert result.works
    assert steps(result) == ["web: tmpfs /var/cache/app", "web: capability CHOWN"]
    assert len(stack.runs) == 4


@pytest.mark.parametrize("either", ["DAC_OVERRIDE DAC_READ_SEARCH", "DAC_OVERRIDE FOWNER", "CHOWN FOWNER"])
def test_of_two_that_stand_in_for_each_other_one_is_kept(either: str) -> None:
    names = set(either.split())
    stack = Simulated(Need(lambda boxes: bool(names & boxes["web"].powers), (Complaint("web", Kind.LOG, DENIED),)))
    result = stack.search()
    assert result.works
    assert not left_out(result)
    assert len(capabilities(result)) == 1


def test_several_capabilities_shrink_to_those_that_it_takes() -> None:
    stack = Simulated(powers("CHOWN SETGID SETUID", "stays root", kind=Kind.STAYS_ROOT))
    result = stack.search()
    assert capabilities(result) == {"CHOWN", "SETGID", "SETUID"}
    assert steps(result) == ["web: capability CHOWN SETGID SETUID"], "the report names what was kept"


@pytest.mark.parametrize("names", ["FSETID", "KILL NET_BIND_SERVICE", "CHOWN SETUID"])
def test_the_usual_capabilities_come_before_all_of_them(names: str) -> None:
    # DAC_OVERRIDE and its like are all that the words name.
    stack = Simulated(powers(names, DENIED))
    result = stack.search()
    assert result.works
    assert not left_out(result)
    assert capabilities(result) == set(names.split())


def test_all_capabilities_stay_where_no_usual_set_is_enough() -> None:
    result = Simulated(powers("MKNOD SYS_CHROOT", DENIED)).search()
    assert result.works
    assert left_out(result) == {("web", CAPS)}
    assert not capabilities(result)


def test_a_step_that_makes_it_fail_sooner_is_taken_back() -> None:
    # The folder has files of the image: with a tmpfs over it, nothing starts at all.
    stack = Simulated(
        Need(
            lambda boxes: not boxes["web"].read_only,
            (Complaint("web", Kind.LOG, EROFS),),
            "restart",
        ),
        Need(
            lambda boxes: "/var/cache/app" not in boxes["web"].tmpfs,
            (Complaint("web", Kind.LOG, "cannot open /var/cache/app/mime.types: No such file or directory"),),
            "cold",
        ),
    )
    result = stack.search()
    assert result.works
    assert left_out(result) == {("web", ROOT)}
    assert steps(result) == [f"web: without {ROOT}"]


def test_a_user_that_is_taken_back_leaves_folders_to_whom_the_original_had_them() -> None:
    proven = Proven(user="999:999", tmpfs={"/run/a": "999:999", "/tmp": "999:999,exec"})
    standing = Standing(written={"/run/a": "33:33"}, user="999:999")
    after = relaxed(Candidate({"web": proven}), Remedy("web", "without", USER, "x"), standing).of("web")
    assert after.user == ""
    assert after.tmpfs == {"/run/a": "33:33", "/tmp": "0:0,exec"}


def test_what_did_not_help_a_user_is_tried_again_for_root() -> None:
    def prepared(boxes: Boxes) -> bool:
        box = boxes["web"]
        return not box.user and "DAC_OVERRIDE" in box.powers

    stack = Simulated(
        Need(prepared, (Complaint("web", Kind.LOG, DENIED),)),
        rules=(CAPS, USER, ROOT),
    )
    result = stack.search(Candidate({"web": Proven(user="1000:1000", capabilities={}, read_only=True)}))
    assert result.works
    assert left_out(result) == {("web", USER)}
    assert capabilities(result) == {"DAC_OVERRIDE"}


# Noise.


@pytest.mark.parametrize("asked", [True, False])
def test_noise_that_nothing_mends_is_reported_and_costs_nothing(asked: bool) -> None:
    always = Need(lambda boxes: False, (Complaint("web", Kind.LOG, CHOWN),), harmless=True)
    stack = Simulated(always)
    result = stack.search(asked=asked)
    assert result.works
    assert [noise.text for noise in result.noises] == [CHOWN]
    assert not result.steps
    assert not left_out(result)
    assert not capabilities(result)


@pytest.mark.parametrize("asked", [True, False])
def test_noise_that_a_value_mends_is_mended(asked: bool) -> None:
    stack = Simulated(powers("CHOWN", CHOWN, harmless=True))
    result = stack.search(asked=asked)
    assert result.works
    assert steps(result) == ["web: capability CHOWN"]
    assert not result.noises


@pytest.mark.parametrize("asked", [True, False])
def test_a_whole_control_goes_for_noise_only_where_no_probe_is_content(asked: bool) -> None:
    stack = Simulated(powers("MKNOD SYS_CHROOT", CHOWN, harmless=True))
    result = stack.search(asked=asked)
    assert result.works
    assert left_out(result) == (set() if asked else {("web", CAPS)})
    assert bool(result.noises) is asked


def test_of_two_noises_the_one_that_goes_on_is_not_mended() -> None:
    stack = Simulated(
        powers("CHOWN", CHOWN, harmless=True),
        Need(lambda boxes: False, (Complaint("web", Kind.LOG, EROFS),), harmless=True),
        services=("web", "db"),
    )
    result = stack.search()
    assert result.works
    assert steps(result) == ["web: capability CHOWN"]
    assert not result.candidate.of("web").tmpfs
    assert [noise.text for noise in result.noises] == [EROFS]


def test_a_remedy_of_noise_that_breaks_it_is_taken_back() -> None:
    stack = Simulated(
        Need(lambda boxes: boxes["web"].may_write("/var/cache/app"), (Complaint("web", Kind.LOG, EROFS),), harmless=True),
        Need(
            lambda boxes: not boxes["web"].read_only or not boxes["web"].may_write("/var/cache/app"),
            (Complaint("web", Kind.LOG, "cannot open /var/cache/app/mime.types: No such file or directory"),),
        ),
    )
    result = stack.search()
    assert result.works
    assert not result.steps
    assert not result.candidate.of("web").tmpfs


def test_noise_beside_a_failure_takes_no_control_with_it() -> None:
    # `b` prints what nothing mends, while `a` fails for a reason that it tells.
    stack = Simulated(
        powers("CHOWN", f"ended with exit code 1: {CHOWN}", service="a", kind=Kind.EXIT),
        Need(lambda boxes: False, (Complaint("b", Kind.LOG, "worker: Operation not permitted"),), harmless=True),
        services=("a", "b"),
    )
    result = stack.search()
    assert result.works
    assert steps(result) == ["a: capability CHOWN"]
    assert not left_out(result)
    assert not capabilities(result, "b")


def test_a_line_that_a_control_ends_waits_for_what_speaks_of_a_failure() -> None:
    fork = (Complaint("b", Kind.LOG, "sh: fork: retry: Resource temporarily unavailable"),)
    stack = Simulated(
        powers("CHOWN", f"ended with exit code 1: {CHOWN}", service="a", kind=Kind.EXIT),
        Need(lambda boxes: PIDS not in boxes["b"].made, fork, harmless=True),
        services=("a", "b"),
    )
    result = stack.search()
    assert result.works
    assert steps(result) == ["a: capability CHOWN"]
    assert not left_out(result)
    assert [noise.service for noise in result.noises] == ["b"]


def test_what_a_step_broke_that_is_taken_back_is_not_mended() -> None:
    def is_covered(boxes: Boxes) -> bool:
        return boxes["web"].read_only and boxes["web"].may_write("/var/cache/app")

    stack = Simulated(
        powers("CHOWN", CHOWN),
        Need(lambda boxes: not boxes["web"].read_only, (Complaint("web", Kind.LOG, EROFS),)),
        Need(
            lambda boxes: not is_covered(boxes) or "NET_RAW" in boxes["web"].powers,
            (Complaint("web", Kind.LOG, "ping: socket: Operation not permitted"),),
        ),
    )
    result = stack.search()
    assert result.works
    assert left_out(result) == {("web", ROOT)}
    assert capabilities(result) == {"CHOWN"}


def test_noise_that_only_a_control_ends_is_not_worth_it_beside_a_silent_failure() -> None:
    stack = Simulated(
        breaks(("web", PIDS)),
        powers("MKNOD SYS_CHROOT", CHOWN, harmless=True),
    )
    result = stack.search(asked=True)
    assert result.works
    assert left_out(result) == {("web", PIDS)}


# Without symptoms.


@pytest.mark.parametrize("rule", [ROOT, NNP, MEMORY, CPU, PIDS])
@pytest.mark.parametrize("named", [True, False])
def test_one_control_without_a_word_is_found(rule: str, named: bool) -> None:
    stack = Simulated(breaks(("b", rule), service="b" if named else ""), services=("a", "b", "c"))
    result = stack.search()
    assert result.works
    assert left_out(result) == {("b", rule)}
    assert len(stack.runs) <= (12 if named else 16)


@pytest.mark.parametrize(
    "pair",
    [
        (("a", CAPS), ("a", ROOT)),
        (("a", CPU), ("a", PIDS)),
        (("a", MEMORY), ("c", NNP)),
        (("a", ROOT), ("b", ROOT)),
    ],
)
def test_one_of_a_pair_that_breaks_it_together_is_enough(pair: tuple[Control, Control]) -> None:
    result = Simulated(breaks(*pair), services=("a", "b", "c")).search()
    assert result.works
    assert len(left_out(result)) + len(capabilities(result, "a")) <= 1 or left_out(result) <= set(pair)


@pytest.mark.parametrize(
    "pair",
    [(("a", CPU), ("a", PIDS)), (("a", MEMORY), ("c", NNP)), (("a", ROOT), ("b", ROOT)), (("b", NNP), ("c", CPU))],
)
def test_each_of_two_that_break_it_alone_is_found(pair: tuple[Control, Control]) -> None:
    """Leaving one out at a time would find none: it fails without either."""
    stack = Simulated(*(breaks(control) for control in pair), services=("a", "b", "c"))
    for control in sorted((name, rule) for name in stack.services for rule in stack.rules):
        assert not stack.works(Candidate().leaving_out({control: "alone"}))
    result = stack.search()
    assert result.works
    assert left_out(result) == set(pair)


@pytest.mark.parametrize("names", ["SETGID", "CHOWN SETGID SETUID", "FSETID KILL"])
def test_capabilities_without_a_word_are_found_among_the_usual(names: str) -> None:
    stack = Simulated(powers(names))
    result = stack.search()
    assert result.works
    assert not left_out(result)
    assert capabilities(result) == set(names.split())
    assert set(steps(result)) == {
        f"web: capability {' '.join(one for one in step.remedy.value.split())}" for step in result.steps
    }


def test_what_root_usually_needs_is_tried_before_halves() -> None:
    stack = Simulated(powers("SETGID", kind=Kind.PROBE), services=("web", "other"))
    result = stack.search()
    assert result.works
    assert capabilities(result) == {"SETGID"}
    assert capabilities(result, "other") == set()
    assert [works for _, works, _ in stack.runs[:2]] == [False, True]
    # The strictest, the guess, a run for each name that was given to a service, and the same once more.
    assert len(stack.runs) == 2 + 4 + 1


def test_what_symptoms_gave_is_kept_beside_the_usual_capabilities() -> None:
    stack = Simulated(powers("NET_RAW", "ping: socket: Operation not permitted"), powers("SETGID SETUID"))
    result = stack.search()
    assert result.works
    assert not left_out(result)
    assert capabilities(result) == {"NET_RAW", "SETGID", "SETUID"}


def test_capabilities_beside_another_guilty_control_have_a_step_of_their_own() -> None:
    stack = Simulated(powers("SETGID SETUID"), breaks(("web", PIDS)))
    result = stack.search()
    assert result.works
    assert left_out(result) == {("web", PIDS)}
    assert sorted(steps(result)) == ["web: capability SETGID SETUID", f"web: without {PIDS}"]


def test_a_control_that_is_made_again_is_a_suspect_again() -> None:
    """A line that nothing ends takes it out of the very trial in which something else is mended."""
    fork = Complaint("b", Kind.LOG, "sh: fork: retry: Resource temporarily unavailable")
    stack = Simulated(
        powers("CHOWN", CHOWN, service="a"),
        Need(lambda boxes: False, (fork,), harmless=True),
        breaks(("b", PIDS), phase="restart"),
        breaks(("a", NNP), phase="restart"),
        services=("a", "b"),
    )
    result = stack.search(asked=False)
    assert result.works
    assert left_out(result) == {("a", NNP), ("b", PIDS)}


def test_where_it_does_not_work_without_anything_no_control_is_blamed() -> None:
    stack = Simulated(Need(lambda boxes: False, silence()), services=("a", "b", "c"))
    result = stack.search()
    assert not result.works
    assert not result.steps
    assert result.flaky
    assert len(stack.runs) < 10, "it is found out at once"


def test_words_of_the_engine_about_no_service_are_for_all() -> None:
    text = "Error response from daemon: Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"
    stack = Simulated(
        Need(lambda boxes: not any(CPU in box.made for box in boxes.values()), (Complaint("", Kind.START, text),)),
        services=("a", "b", "c"),
    )
    result = stack.search()
    assert result.works
    assert left_out(result) == {("a", CPU), ("b", CPU), ("c", CPU)}
    assert len(stack.runs) <= 4


# Flaky, and out of time.


def test_once_flaky_is_said_and_nothing_is_given_up() -> None:
    stack = Simulated(flaky=lambda number: number == 1)
    result = stack.search()
    assert result.works
    assert len(result.flaky) == 1
    assert "no answer" in result.flaky[0]
    assert not left_out(result)


@pytest.mark.parametrize("every", [1, 2])
def test_always_flaky_is_never_said_to_work(every: int) -> None:
    stack = Simulated(flaky=lambda number: number % 2 == 1 if every == 2 else True, services=("a", "b"))
    result = stack.search()
    assert not result.works
    assert result.flaky
    assert len(stack.runs) < 30


def test_what_fails_the_second_time_for_a_reason_is_mended() -> None:
    """Data that the first run made is in the way of each later one."""
    runs: list[int] = []

    def met(boxes: Boxes) -> bool:
        runs.append(1)
        return len(runs) < 2 or "CHOWN" in boxes["web"].powers

    result = Simulated(Need(met, (Complaint("web", Kind.LOG, CHOWN),))).search()
    assert result.works
    assert steps(result) == ["web: capability CHOWN"]
    assert result.flaky


STACKS: tuple[tuple[str, Callable[[], list[Need]]], ...] = (
    ("nothing", list),
    ("symptom", lambda: [powers("CHOWN", CHOWN, service="a"), powers("SETGID", SETGID, service="b", phase="restart")]),
    ("silent", lambda: [breaks(("a", PIDS)), breaks(("b", NNP))]),
    ("silent capability", lambda: [powers("CHOWN SETUID", service="a")]),
    ("both", lambda: [powers("CHOWN", CHOWN, service="a"), breaks(("a", PIDS), service="a"), breaks(("b", CPU))]),
    ("noise", lambda: [powers("CHOWN", CHOWN, service="a", harmless=True), writes("/var/cache/app", EROFS, service="b")]),
)


@pytest.mark.parametrize("make", [make for _, make in STACKS], ids=[name for name, _ in STACKS])
@pytest.mark.parametrize("flaky", [None, 1, 3])
def test_time_may_be_over_at_any_point(make: Callable[[], list[Need]], flaky: int | None) -> None:
    """`check` sees to it that no more is claimed than was seen, however early it ends."""

    def stack(trials: int | None) -> Simulated:
        return Simulated(*make(), services=("a", "b"), flaky=lambda number: number == flaky, trials=trials)

    free = stack(None)
    assert free.search().works
    worked = []
    for trials in range(len(free.runs) + 6):
        one = stack(trials)
        result = one.search()
        assert len(one.runs) <= max(trials, 1) + 1, "one more at most: to see again what was found"
        if result.works:
            assert one.works(result.candidate)
        else:
            assert result.undecided, "what is not decided is named"
        worked.append(result.works)
    assert worked[-1]
    assert not worked[0]


@pytest.mark.parametrize("trials", range(3, 12))
def test_a_search_that_is_cut_off_does_not_call_the_rest_broken(trials: int) -> None:
    stack = Simulated(breaks(("a", PIDS)), services=("a", "b"), trials=trials)
    result = stack.search()
    if result.works and left_out(result) != {("a", PIDS)}:
        assert not result.steps
        assert result.undecided == left_out(result)


# Any stack.

SYMPTOMS = {
    "CHOWN": CHOWN,
    "SETGID SETUID": SETGID,
    "DAC_OVERRIDE": DENIED,
    "NET_RAW": "ping: socket: Operation not permitted",
    "MKNOD": "mknod: /dev/x: Operation not permitted",
    "KILL": "kill: (12): Operation not permitted",
}
NAMES = ("a", "b", "c")


@st.composite
def needs(draw: st.DrawFn) -> list[Need]:
    found = []
    phases = st.sampled_from(PHASES)
    services = st.sampled_from(NAMES)
    for _ in range(draw(st.integers(0, 4))):
        names = draw(st.sampled_from(sorted(SYMPTOMS)))
        found.append(powers(names, SYMPTOMS[names], service=draw(services), phase=draw(phases)))
    for _ in range(draw(st.integers(0, 2))):
        path = draw(st.sampled_from(FOLDERS))
        found.append(writes(path, f"mkdir {path}/x: Read-only file system", service=draw(services), phase=draw(phases)))
    for _ in range(draw(st.integers(0, 2))):
        names = " ".join(draw(st.sets(st.sampled_from(sorted(ALL)), min_size=1, max_size=3)))
        found.append(powers(names, service=draw(services), phase=draw(phases)))
    controls = st.tuples(services, st.sampled_from((ROOT, NNP, MEMORY, CPU, PIDS)))
    for _ in range(draw(st.integers(0, 3))):
        together = draw(st.lists(controls, min_size=1, max_size=2, unique=True))
        named = draw(st.booleans())
        found.append(breaks(*together, service=together[0][0] if named else "", phase=draw(phases)))
    if draw(st.booleans()):
        line = Complaint(draw(services), Kind.LOG, draw(st.sampled_from(sorted(SYMPTOMS.values()))))
        found.append(Need(lambda boxes: False, (line,), harmless=True))
    return found


def silently_left_out(result: Result) -> Iterator[Control]:
    for step in result.steps:
        if step.remedy.kind == "without" and step.complaint.kind is Kind.PROBE:
            yield step.remedy.service, step.remedy.value


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(needs=needs(), asked=st.booleans())
def test_any_stack_is_made_to_work_and_no_silent_step_is_idle(needs: list[Need], asked: bool) -> None:
    stack = Simulated(*needs, services=NAMES)
    result = stack.search(asked=asked)
    assert result.works
    assert stack.works(result.candidate)
    assert not result.undecided
    for control in silently_left_out(result):
        back = {one: why for one, why in result.candidate.without.items() if one != control}
        assert not stack.works(result.candidate._replace(without=back)), f"{control} was given up for nothing"
    controls = len(NAMES) * len(stack.rules)
    # Delta debugging needs n² + 3n trials at worst, once for services and once for controls; the rest are single steps.
    assert len(stack.runs) <= 9 + 9 + controls**2 + 3 * controls + 40 * (1 + len(needs))
    assert len(stack.runs) <= 60 + 20 * len(needs), "and is far from the worst"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(needs=needs(), asked=st.booleans(), trials=st.integers(0, 40), bad=st.sets(st.integers(0, 40), max_size=3))
def test_nothing_is_claimed_that_was_not_seen(needs: list[Need], asked: bool, trials: int, bad: set[int]) -> None:
    stack = Simulated(*needs, services=NAMES, trials=trials, flaky=lambda number: number in bad)
    result = stack.search(asked=asked)
    assert len(stack.runs) <= max(trials, 1) + 1
    if result.works:
        assert stack.works(result.candidate)


# Delta debugging by itself.


@given(st.data())
def test_the_smallest_part_is_smallest(data: st.DataObject) -> None:
    items = list(range(data.draw(st.integers(1, 16))))
    groups = data.draw(st.lists(st.sets(st.sampled_from(items), min_size=1, max_size=3), min_size=1, max_size=4))
    asked = 0

    def works_without(some: Sequence[int]) -> bool:
        nonlocal asked
        asked += 1
        return all(group & set(some) for group in groups)  # of each group that breaks it together, one is out

    left, is_smallest = smallest(items, works_without, lambda trials: True)
    assert is_smallest
    assert works_without(left)
    for item in left:
        assert len(left) == 1 or not works_without([one for one in left if one != item])
    assert asked <= len(items) ** 2 + 3 * len(items) + len(left) + 1


@given(st.integers(0, 30), st.integers(2, 16))
def test_what_was_not_asked_to_the_end_is_not_called_smallest(trials: int, size: int) -> None:
    asked = 0

    def works_without(some: Sequence[int]) -> bool:
        nonlocal asked
        asked += 1
        return 0 in some and size - 1 in some

    left, is_smallest = smallest(range(size), works_without, lambda more: asked + more <= trials)
    assert asked <= trials
    assert {0, size - 1} <= set(left)
    assert not is_smallest or left == [0, size - 1]
