"""The text of a first configuration: every key, explained, and what was found that it can answer. Knows no command.

But for the values that it is given, all of it is comments, for people to take up: it changes no result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from hardener.config.page import Filled, commented
from hardener.config.told import toml
from hardener.facts.container import Container
from hardener.needs.profile import BUILT_IN, find_profile
from hardener.report import Report, Status

if TYPE_CHECKING:
    from hardener.group import Group

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


def first_config(report: Report, groups: Sequence[Group], values: Mapping[str, str]) -> str:
    """A configuration that fits what was found, as the report has it and as the files are; `values`, as TOML, hold."""
    containers = [subject for group in groups if group.sees == "container" for subject, _ in group.judged()]
    return f"{_head(report)}\n{commented(Filled(values, dict(_notes(report, containers))))}"


def _head(report: Report) -> str:
    counts = ((report.files, "file"), (report.containers, "container"), (report.stages, "stage"))
    said = ", ".join(_count(number, word, f"{word}s") for number, word in counts)
    return (
        f"# The configuration of harden, for all that lies below this folder. Found here: {said}.\n"
        "# Take out the `# ` before what is to hold. `harden config` shows what does.\n"
    )


def _notes(report: Report, containers: Sequence[Container]) -> Iterator[tuple[str, Sequence[str]]]:
    """What was found, for the keys that can answer it."""
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
            users = found.setdefault(plain(container.image.familiar), [])
            users += [] if plain(container.subject) in users else [plain(container.subject)]
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
    shown = [f"  {plain(line)}" for line in lines[:_MOST]]
    return [*shown, f"  and {len(lines) - _MOST} more"] if len(lines) > _MOST else shown


def plain(text: str) -> str:
    """A text of the repository as one line of a comment, in which nothing is invisible."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
