"""What counts as a new error in a log: whatever differs from run to run does not, and no log takes long."""

from __future__ import annotations

import time
import timeit

import pytest
from test_trial_symptoms import CASES

from hardener.trial.logs import MOST, new_errors

TELLING = [text for first, text in CASES if first != "nothing"]
QUIET = [
    "2024-05-01 10:00:00+00:00 [Warning] mbind: Operation not permitted",
    "renice: setpriority: Permission denied",
    "10-listen-on-ipv6-by-default.sh: info: can not modify /etc/nginx/conf.d/default.conf (read-only file system?)",
    '[warn] 1#1: the "user" directive makes sense only if the master process runs with super-user privileges, ignored in /x:2',
    "1:C 01 May 2024 10:00:00.000 # WARNING Memory overcommit must be enabled! ... vm.overcommit_memory = 1",
    "database system is ready to accept connections",
    '172.18.0.1 - - [01/May/2024:10:00:00 +0000] "GET /cannot HTTP/1.1" 200 12 "-" "curl"',
    "Started server process [1]",
    "Listening on port 8080",
    "recv() failed (11: Resource temporarily unavailable)",
    "",
]


@pytest.mark.parametrize("line", TELLING)
def test_every_wording_is_an_error_unless_the_original_says_it_too(line: str) -> None:
    assert len(new_errors([line], [])) == 1
    assert new_errors([line], [["something else"], [line]]) == ()


@pytest.mark.parametrize("line", QUIET)
def test_noise_is_none(line: str) -> None:
    assert new_errors([line], []) == ()


@pytest.mark.parametrize(
    ("now", "before"),
    [
        (
            '2024/05/01 10:00:00 [error] 22#22: *7 open() "/x/y" failed (13: Permission denied), client: 172.18.0.3',
            '2024/05/02 11:12:13 [error] 31#31: *12 open() "/x/y" failed (13: Permission denied), client: 172.19.0.5',
        ),
        ("kill: can't kill pid 7: Operation not permitted", "kill: can't kill pid 4711: Operation not permitted"),
        ("1:M 01 Jan 2024 10:00:00.123 # open: Permission denied", "12:M 02 Feb 2024 11:00:00.9 # open: Permission denied"),
        (
            "[Wed May 01 10:00:00.1 2024] [core:error] [pid 7:tid 123] x denied: EACCES",
            "[Thu May 02 10:00:00.2 2024] [core:error] [pid 9:tid 5] x denied: EACCES",
        ),
        ("\x1b[31mERROR\x1b[0m cannot open /x: permission denied", "ERROR cannot open /x: permission denied"),
        (
            "2024-05-01T10:00:00.123456Z open /x: permission denied (0xc000123456)",
            "2025-06-02T10:00:00Z open /x: permission denied (0xc0009)",
        ),
        (
            "request 3fa85f64c2b1 failed after 1.5ms: permission denied",
            "request 77aa5f64c2b1 failed after 12.75ms: permission denied",
        ),
        ("open /tmp/tmpa1b2c3d4: permission denied", "open /tmp/tmpzzb2c3x_: permission denied"),
        ("connect 172.18.0.3:5432: permission denied", "connect 172.18.0.9:39000: permission denied"),
        ("web-1  | open /x: permission denied", "open /x: permission denied"),
        (
            "Jan  1 10:00:00 host cron[12]: setgid: Operation not permitted",
            "Feb 11 10:00:00 host cron[99]: setgid: Operation not permitted",
        ),
    ],
)
def test_what_differs_from_run_to_run_is_the_same(now: str, before: str) -> None:
    assert new_errors([now], [[before]]) == ()
    assert len(new_errors([now], [])) == 1


@pytest.mark.parametrize(
    ("now", "before"),
    [
        ("open /x: permission denied", "open /y: permission denied"),
        ("open /x: permission denied", "open /x: no such file or directory"),
        ("chown: /x: Operation not permitted", "chmod: /x: Operation not permitted"),
    ],
)
def test_another_error_is_new(now: str, before: str) -> None:
    assert new_errors([now], [[before]]) == (now,)


def test_a_flood_of_other_lines_hides_nothing() -> None:
    words = ["".join(chr(97 + int(digit)) for digit in str(at)) for at in range(20_000)]
    flood = [f"the user {word} cannot find the root page" for word in words]
    assert new_errors([*flood, "chown: /x: Operation not permitted"], [flood]) == ("chown: /x: Operation not permitted",)


def test_each_is_told_once_in_their_order_and_not_too_many() -> None:
    lines = ["b: Permission denied", "a: Permission denied", "ok", "b: Permission denied"]
    assert new_errors(lines, []) == ("b: Permission denied", "a: Permission denied")
    letters = "abcdefghijklmnopqrstuvwxyz"
    assert len(new_errors([f"/{a}: Permission denied" for a in letters], [])) == MOST
    assert new_errors(["x\x1b[1m: Permission denied\r"], []) == ("x: Permission denied",)


@pytest.mark.parametrize("kind", ["all the same", "numbered", "all new", "quiet", "hinting"])
def test_ten_megabytes_take_less_than_a_second(kind: str) -> None:
    line = {
        "all the same": "2024-05-01 10:00:00 open /var/lib/app/data/file: Permission denied, as it ever was and will be for long",
        "numbered": "2024-05-01 10:00:00 [{0}] open /var/lib/app/data/file: Permission denied, as it ever was and will be",
        "all new": "2024-05-01 10:00:00 [{0}] open /var/lib/{1}: Permission denied, as it ever was and will be for very long",
        "quiet": "2024-05-01 10:00:00 [{0}] GET /{1} HTTP/1.1 200 some more words to make it as long as lines are in a log",
        "hinting": "2024-05-01 10:00:00 [{0}] the user {1} reads the root page without any limit of time, and likes it very much",
    }[kind]
    lines = [line.format(at, "".join(chr(97 + int(digit)) for digit in str(at))) for at in range(10_000_000 // len(line))]
    half = len(lines) // 2
    now, before = (lines, []) if kind == "all new" else (lines[:half], [lines[half:]])
    # Of the processor, and the best of three, because the machine has other things to do.
    assert min(timeit.repeat(lambda: new_errors(now, before), timer=time.process_time, number=1, repeat=3)) < 1


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "/",
        "/a",
        " ",
        "'",
        "0",
        "0.",
        "1:",
        "a.",
        "\x1b[",
        "\x1b]",
        "[",
        '{"',
        "tmp",
        "/tmp",
        "A9a",
        "- ",
        "denied ",
        "2024-",
        "é",
        "\u2019",
    ],
)
def test_hostile_lines_take_no_time(piece: str) -> None:
    line = piece * (100_000 // len(piece))
    now, before = [f"{line} Permission denied", f"Permission denied {line}", line], [[f"Permission denied {line}"]]
    assert min(timeit.repeat(lambda: new_errors(now, before), timer=time.process_time, number=1, repeat=3)) < 0.3
