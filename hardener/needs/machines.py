"""Whether commands can run in a stage where it is built, or whether it is for other machines. Knows no rule and no command.

A builder runs what is for another machine only with an emulator (moby/buildkit docs/multi-platform.md). A stage that
only takes files needs none, and its first RUN would.
"""

from __future__ import annotations

import re

from hardener.facts.dockerfile import DockerStage, chain_of
from hardener.needs.bases import ARCHITECTURES
from hardener.syntax.dockerfile import Stage
from hardener.syntax.dockerfile.variables import base_of

#: What builders are, and what those that are not emulate from the start.
_USUAL = frozenset(("amd64", "i386"))
_BUILDERS = "the builder's own"
_ASKED_FOR = r"\bTARGET(?:ARCH|PLATFORM)\b"


def told_for_others(stage: DockerStage) -> str:
    """What says that a stage is for other machines than commands of its file run on; empty where nothing does."""
    own = _machine(stage.stage)
    if own == _BUILDERS or own in {_machine(other) for other in stage.dockerfile.stages if _runs_commands(other)}:
        return ""
    if own:
        return f"line {_line(stage.chain[0])} takes an image for {own}"
    for other in stage.dockerfile.stages:
        if _machine(other) == _BUILDERS:
            return f"line {_line(other)} works on `$BUILDPLATFORM` for whatever machine is asked for"
    for _, item in stage.items:
        if item.keyword in ("COPY", "ADD") and re.search(_ASKED_FOR, item.arguments):
            return f"line {item.line} copies what was made for each machine before"
    return ""


def _runs_commands(stage: Stage) -> bool:
    return any(item.keyword == "RUN" for item in stage.instructions)


def _machine(stage: Stage) -> str:
    """What a stage is for: the builder's machine, one that is named, or (empty) whichever is asked for."""
    first = chain_of(stage)[0]
    platform = first.platform or ""
    if "BUILDPLATFORM" in platform:
        return _BUILDERS
    named = platform.split("/")[1:] if "$" not in platform else []
    found = [*named[:1], *(part for part in (base_of(first) or "").split("/")[:-1] if part in ARCHITECTURES)]
    return next((name for name in found if name not in _USUAL), "")


def _line(stage: Stage) -> int:
    return stage.dockerfile.instructions[stage.first].line
