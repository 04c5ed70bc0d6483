"""`harden init [DIR]`: a commented hardener.toml that fits the repository, and perhaps a baseline. Knows what is found, no rule.

What is written changes no result, but for the baseline: all else is comments, for people to take up.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from hardener import source
from hardener.cli.exits import OK, TROUBLE
from hardener.cli.terminal import emit, say
from hardener.config import find_config
from hardener.config.find import FILE, is_below
from hardener.config.page import Filled, commented
from hardener.config.told import toml
from hardener.discover import discover
from hardener.errors import UsageError
from hardener.facts.container import Container
from hardener.facts.tree import repository_root
from hardener.needs.profile import BUILT_IN, find_profile
from hardener.pipeline import Judged, Request, examine
from hardener.report import Report, Status

#: As many of a kind are named; the others are counted.
_MOST = 8
#: Ports on which HTTP is usual.
_HTTP = frozenset(("80", "3000", "4000", "5000", "8000", "8008", "8080", "8081", "8888", "9000", "9090"))
_STUB = """A profile begins so; `harden profiles redis` shows what a whole one says:
  names = [{name}]
  programs = ["serve"]
  [source.start]
  kind = "code"
  repository = "you/yours"
  file = "Dockerfile"
  commit = "0000000000000000000000000000000000000000"
  [[start]]
  root = false
  account = "app:1000:1000"
  why = "the image has a user of its own"
  source = "start" """


def run(folder: str, baseline: str, *, force: bool, stdout: bool) -> int:
    """Write the file, or print it. Raises `UsageError` where one is there already, or where it would lie elsewhere."""
    if not os.path.isdir(folder):
        raise UsageError(f"{folder}: there is no such folder")
    target = os.path.join(folder, FILE)
    if not stdout:
        _check(folder, target, force=force)
    found, troubles = discover((folder,))
    report, groups = examine(Request(tuple(found)))
    judged = [Judged(group.sees, subject, needs) for group, _ in groups for subject, needs in group.judged()]
    values = {}
    if baseline:
        values["baseline"] = toml(_beside(folder, baseline))
    text = f"{_head(report)}\n{commented(Filled(values, dict(_notes(report, judged))))}"
    if stdout:
        emit(text.encode())
    else:
        if baseline:
            _write_baseline(report, baseline)
            number = _count(len(report.outcomes), "finding", "findings")
            say(f"harden: wrote {os.path.normpath(baseline)}: {number} will not count, and what is new will")
        source.create(target, text.encode())
        say(f"harden: wrote {os.path.normpath(target)}; `harden config` shows what holds")
    for trouble in (*troubles, *report.troubles):
        say(f"harden: {_plain(f'{trouble.path}: {trouble.reason}')}")
    return TROUBLE if troubles or report.troubles else OK


def _check(folder: str, target: str, *, force: bool) -> None:
    if os.path.islink(target):
        raise UsageError(f"{target} is a link: write the file that it leads to")
    if os.path.lexists(target) and not force:
        raise UsageError(f"{target} is there already: --force writes it anew, --stdout shows what would be written")
    if os.path.lexists(target):
        return
    holds = find_config(folder)
    if holds.path and os.path.realpath(holds.folder) == os.path.realpath(folder):
        raise UsageError(f"{holds.path} has a table [tool.hardener] already: add to that, or take it out first")
    if holds.path and not force:
        raise UsageError(f"{holds.path} holds here, and would no longer: --force writes a file all the same, --stdout shows it")


def _beside(folder: str, baseline: str) -> str:
    """A baseline's path as the file in the folder says it."""
    if not is_below(baseline, repository_root(folder)):
        raise UsageError(f"--baseline {baseline}: it has to be in the repository of {folder}")
    return os.path.relpath(os.path.realpath(baseline), os.path.realpath(folder)).replace(os.sep, "/")


def _write_baseline(report: Report, path: str) -> None:
    from hardener.silence.baseline import write

    write(report, path, os.getcwd())


def _head(report: Report) -> str:
    counts = ((report.files, "file"), (report.containers, "container"), (report.stages, "stage"))
    said = ", ".join(_count(number, word, f"{word}s") for number, word in counts)
    return (
        f"# The configuration of harden, for all that lies below this folder. Found here: {said}.\n"
        "# Take out the `# ` before what is to hold. `harden config` shows what does.\n"
    )


def _notes(report: Report, judged: Sequence[Judged]) -> Iterator[tuple[str, Sequence[str]]]:
    """What was found, for the keys that can answer it."""
    containers = [one.subject for one in judged if one.sees == "container"]
    rules = Counter(outcome.finding.rule for outcome in report.outcomes)
    if rules:
        yield (
            "ignore",
            ["Found here:", *_some([f"{rule}, {_count(number, 'time', 'times')}" for rule, number in rules.most_common()])],
        )
    held = [outcome for outcome in report.outcomes if outcome.status is Status.HELD_BACK]
    if held:
        fixes = Counter((one.finding.subject, one.finding.place.path, one.why) for one in held)
        lines = [f"{who} ({path}), {_count(number, 'fix', 'fixes')}: {why}" for (who, path, why), number in fixes.items()]
        yield "unsafe-fixes", ["Held back here:", *_some(lines)]
    unknown = _unknown(containers)
    if unknown:
        lines = [f"{name} ({', '.join(users)}): profiles/{name.replace('/', '__')}.toml" for name, users in unknown.items()]
        stub = _STUB.format(name=toml(next(iter(unknown)))).rstrip().split("\n")
        yield "profiles", ["Images here that harden does not know, and where a profile of each would be:", *_some(lines), *stub]
    unlimited = [one for one in report.outcomes if one.finding.rule == "unlimited-memory" and one.status is not Status.APPLIED]
    if unlimited:
        names = list(dict.fromkeys(one.finding.subject for one in unlimited))
        yield "limits", ["How much memory these take is not known:", *_some(names)]
    sockets = [one for one in report.outcomes if one.finding.rule == "docker-socket-mount"]
    if sockets:
        holders = [f"{one.finding.subject} ({one.finding.place.path}:{one.finding.place.line})" for one in sockets]
        yield "socket-proxy", ["These hold the engine's socket:", *_some(holders)]
    probes = [toml(probe) for container in containers for probe in _probes(container) if probe.isprintable()]
    if probes:
        yield "verify", ["What the files say of health and ports suggests:", *_some(list(dict.fromkeys(probes)))]


def _unknown(containers: Sequence[Container]) -> Mapping[str, Sequence[str]]:
    """The images that are pulled and have no profile, and the containers that have them."""
    found: dict[str, list[str]] = {}
    for container in containers:
        if container.image is not None and find_profile(container.image, (BUILT_IN,)) is None:
            users = found.setdefault(_plain(container.image.familiar), [])
            users += [] if _plain(container.subject) in users else [_plain(container.subject)]
    return found


def _probes(container: Container) -> Iterator[str]:
    """Commands that may say whether it does its job."""
    how, *words = container.healthcheck.effective or ("NONE",)
    if how in ("CMD", "CMD-SHELL") and words:
        import shlex

        command = words[0] if how == "CMD-SHELL" else shlex.join(words)
        yield f"in {container.subject}: {command.replace('$$', '$')}"
    name = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in container.subject.upper())
    for port in container.published_ports:
        if port.protocol in ("", "tcp") and port.container in _HTTP:
            yield f"curl -fsS http://$HARDEN_ADDRESS_{name}_{port.container}/"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _some(lines: Sequence[str]) -> Sequence[str]:
    shown = [f"  {_plain(line)}" for line in lines[:_MOST]]
    return [*shown, f"  and {len(lines) - _MOST} more"] if len(lines) > _MOST else shown


def _plain(text: str) -> str:
    """A text of the repository as one line of a comment, in which nothing is invisible."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
