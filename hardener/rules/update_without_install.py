"""Package lists are updated in a RUN of their own, and a later RUN installs with them.

Attack: Whoever knows a hole that a distribution closed months ago tries it on what the image runs. They find it open,
because the package was installed by the lists of a layer from before, and building again has not helped.

Background: A builder keeps the layer of `RUN apt-get update` for as long as its text stays the same, that is for ever.
Whoever changes the later line gets today's instruction with the lists of months ago: packages with holes that were closed
long since, or versions that the mirror no longer has, so that the build fails. Rebuilding does not help unless the cache is
thrown away.

What may break: With the lists of today come the packages of today: other versions than those that were tested, and none
where a line asks for one that the mirror no longer has.

What we do: No edit is offered: joining two instructions moves what stands between them. The way out is one RUN that does
both, `apt-get update && apt-get install ...`, and for Alpine `apk add --no-cache`, which needs no lists at all.

Left alone: Where no later RUN installs, or where each one updates for itself; yum, dnf and zypper, which renew old lists by
themselves; and scripts that a RUN starts, which are not read.

Example: installs-in-a-layer-of-its-own
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.dockerfile import DockerStage
from hardener.finding import Finding, Rule, Severity
from hardener.needs.stage import StageNeeds
from hardener.rules._scripts import name_of, unwrapped
from hardener.syntax.dockerfile import Instruction

ID = "update-without-install"

_FAMILIES = {"apt-get": "apt", "apt": "apt", "aptitude": "apt", "apk": "apk"}
_INSTALLS = {"apt": ("install", "build-dep"), "apk": ("add",)}
_FRESH = frozenset(("--no-cache", "-U", "--update-cache", "--update"))


def check(stage: DockerStage, needs: StageNeeds) -> Iterator[Finding]:
    """A stage that installs with lists which an earlier RUN has updated for nothing else."""
    alone: dict[str, Instruction] = {}
    for item, family, updates, installs, reads_lists in _by_run(stage):
        if updates:
            alone.pop(family, None)
            if not installs:
                alone[family] = item
        elif reads_lists and family in alone and item.index > stage.stage.first:
            update = alone.pop(family)
            yield Finding(
                ID,
                stage.subject,
                stage.place(update),
                f"updates package lists in a RUN of its own; line {item.line} installs with them, however old they are by then",
                advice=_ADVICE[family],
                key=stage.key,
            )
            return


_ADVICE = {
    "apt": "write both in one RUN: `apt-get update && apt-get install -y --no-install-recommends ...`",
    "apk": "drop it, and install with `apk add --no-cache ...`",
}


def _by_run(stage: DockerStage) -> Iterator[tuple[Instruction, str, bool, bool, bool]]:
    """For each RUN and family of package managers: whether it updates the lists, installs, and reads old lists for that.

    Without a RUN that only updates, and one of this stage after it that may install, there are none: to read them costs time.
    """
    text = stage.dockerfile.text
    if " update" not in text:
        return
    runs: list[Instruction] = []
    alone = False
    for _, item in stage.items:
        if item.keyword == "RUN":
            updates = text.find(" update", item.start, item.end) != -1
            installs = any(text.find(verb, item.start, item.end) != -1 for verb in ("install", "build-dep", " add"))
            if (updates and not installs) or (alone and (updates or installs)):
                runs.append(item)
                alone = True
    if not runs or runs[-1].index < stage.stage.first:
        return
    for item in runs:
        commands: dict[str, list[tuple[str, ...]]] = {}
        for script in stage.scripts_of(item):
            for command in script.commands:
                words = unwrapped(command.words)
                family = _FAMILIES.get(name_of(words))
                if family:
                    commands.setdefault(family, []).append(tuple(word.text for word in words[1:]))
        for family, found in commands.items():
            installing = [arguments for arguments in found if any(verb in arguments for verb in _INSTALLS[family])]
            reads_lists = any(_FRESH.isdisjoint(arguments) for arguments in installing)
            yield item, family, any("update" in arguments for arguments in found), bool(installing), reads_lists


RULE = Rule(
    id=ID,
    title="Package lists are updated apart from the install",
    severity=Severity.LOW,
    cites=("CIS Docker 4.7", "Docker docs: build/building/best-practices"),
    stage=check,
    why="a cached layer keeps old lists, so that packages with known holes are installed",
)
