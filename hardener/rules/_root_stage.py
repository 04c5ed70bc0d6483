"""A stage of a Dockerfile that runs as root, and the USER that mends it. Knows no service."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from hardener.facts.dockerfile import DockerStage, Start, User
from hardener.finding import Change, Evidence, Finding, Fix, Strength
from hardener.needs.handover import Handover, Held
from hardener.needs.stage import SCRATCH, UNKNOWN, WINDOWS, StageNeeds
from hardener.needs.stage_writes import Written
from hardener.rules._accounts import Runner, choose, run_instruction
from hardener.syntax.dockerfile import Insert, Instruction, Operation
from hardener.syntax.dockerfile.variables import parent

ID = "root-user"

#: After these USER may stand: what they do needs root, or did so far.
_NEEDS_ROOT = frozenset(("RUN", "COPY", "ADD", "WORKDIR", "VOLUME"))
#: A command that is no program of the image's own.
_WORKBENCH = frozenset(("sh", "bash", "ash", "zsh", "fish", "login", "byobu", "tmux"))
_INTERPRETERS = frozenset("python python2 python3 ipython irb pry node erl iex ghci scala R julia jshell".split())
#: A USER root above these was written for them; the others do the same as anyone.
_PURPOSES = frozenset(("RUN", "COPY", "ADD"))
# Patterns as text: most files have no comment that says `root`.
_FOR_ROOT = (
    r"\b(?:must|needs?|requires?|required|has to|have to|only|runs?|running|started|starts?)\b[^.]*\broot\b"
    r"(?!\s*(?:dir|folder|path|passw|cert|ca\b|of\b))|\broot (?:\w+ )?(?:is |are )?(?:required|needed|necessary)"
)
_NOT_FOR_ROOT = (
    r"\bnot\b|n't\b|\bnever\b|\bno longer\b|\bavoid|\bnon-?root|\bunprivileged|\binstead|\binstall|\bbuild"
    r"|\bdocument root|/root\b"
)
_MESSAGE = "the container runs as root"


def check(stage: DockerStage, needs: StageNeeds) -> Iterator[Finding]:
    """A stage whose containers run as root."""
    if not stage.runs:
        return
    last = stage.users[-1] if stage.users else None
    if last is not None and last.is_root is None:
        if needs.user_of_the_base:
            return
        yield _finding(
            stage,
            last.item,
            f"the container runs as `{last.item.arguments}`, which is root unless it is set from outside",
            advice="give the variable a default that is not root",
        )
        return
    if not _runs_as_root(last, needs) or left_alone(stage, needs):
        return
    item = last.item if last is not None and last.stage is stage.stage else stage.from_item
    reason, advice = _refusal(stage, needs)
    if reason:
        yield _finding(stage, item, _MESSAGE, refusal=reason, advice=advice)
    else:
        yield _finding(stage, item, _MESSAGE, fix=_fix(stage, needs, last))


def left_alone(stage: DockerStage, needs: StageNeeds) -> str:
    """Why a stage that starts as root has no finding: it gives root away by itself. Empty when that does not hold."""
    last = stage.users[-1] if stage.users else None
    return needs.steps_down if stage.runs and _runs_as_root(last, needs) else ""


def _finding(
    stage: DockerStage, item: Instruction, message: str, *, fix: Fix | None = None, refusal: str = "", advice: str = ""
) -> Finding:
    return Finding(ID, stage.subject, stage.place(item), message, fix, refusal, advice, stage.key)


def _runs_as_root(last: User | None, needs: StageNeeds) -> bool:
    if last is not None:
        return last.is_root is True
    return needs.base is None or needs.base.starts_as is None


def _refusal(stage: DockerStage, needs: StageNeeds) -> tuple[str, str]:
    """Why no USER can be written, and what to do instead."""
    if needs.family == WINDOWS:
        return "Windows images have other users", "use `USER ContainerUser` if the program allows it"
    if needs.family == UNKNOWN:
        name = stage.base_text or stage.chain[0].base
        return f"the base image `{name}` is not known", "add USER after the last instruction that needs root"
    if (needs.family == SCRATCH and _has_root_file_system(stage)) or stage.laid_over:
        return "its whole file system is copied in: what users it has is not known", "add USER before the command"
    if needs.needs_root:
        return needs.needs_root, "let the orchestrator or another program do this part, so that the rest can be unprivileged"
    child = next((other for other in stage.dockerfile.stages if parent(other) is stage.stage), None)
    if child is not None:
        line = stage.dockerfile.instructions[child.first].line
        return f"the stage of line {line} builds on it and would no longer be root", "set USER in a stage of its own"
    named = _says_root(stage)
    if named:
        return named, "take that out if it is no longer so, and set USER there"
    if stage.own("ONBUILD"):
        return "it is for others to build from (ONBUILD): they would no longer be root", "set USER in the images built from it"
    if not stage.starts and not stage.started_by and not (needs.base and needs.base.serves):
        return "it has no command: whoever builds from it would no longer be root", "set USER where it is started"
    if stage.starts and all(map(_is_workbench, stage.starts)) and not stage.started_by:
        return "its command is a shell: people work in it as they please, or build from it", "set USER where a program is started"
    return "", ""


def _says_root(stage: DockerStage) -> str:
    """Where somebody decided for root: in a USER that nothing else needs, or in a comment where one would look for USER."""
    last = stage.users[-1] if stage.users else None
    commands = [item for item in (stage.last("ENTRYPOINT"), stage.last("CMD")) if item is not None]
    places = [stage.from_item, *(item for item in commands if item.index > stage.stage.first)]
    if last is not None:
        places.append(last.item)
    reasons = [line for item in places for line in _comment_lines(stage, item) if _asks_for_root(line[1])]
    if last is None:
        return f"line {reasons[0][0]} says that it needs root" if reasons else ""
    why = f", and line {reasons[0][0]} why" if reasons else ""
    # Whatever installs something after it is what it was written for.
    purpose = any(item.keyword in _PURPOSES for _, item in stage.items if item.index > last.item.index)
    return f"line {last.item.line} says root by name{why}" if reasons or not purpose else ""


def _comment_lines(stage: DockerStage, item: Instruction) -> list[tuple[int, str]]:
    """The comment lines directly above an instruction, by number."""
    found: list[tuple[int, str]] = []
    for comment in reversed(stage.dockerfile.comments):
        if comment.line == item.line - 1 - len(found):
            found.insert(0, (comment.line, stage.dockerfile.text[comment.start : comment.end].lower()))
    return found


def _asks_for_root(comment: str) -> bool:
    return "root" in comment and bool(re.search(_FOR_ROOT, comment)) and not re.search(_NOT_FOR_ROOT, comment)


def _is_workbench(start: Start) -> bool:
    shell = start.name in _WORKBENCH and (len(start.words) == 1 or (len(start.words) == 2 and start.words[1].startswith("-")))
    return shell or (start.name in _INTERPRETERS and len(start.words) == 1)


def _has_root_file_system(stage: DockerStage) -> bool:
    return any(
        item.values[-1] == "/" and (item.values[0] in ("/", "/rootfs", "/rootfs/") or ".tar" in item.values[0])
        for _, item in stage.items
        if item.keyword in ("COPY", "ADD")
    )


def _fix(stage: DockerStage, needs: StageNeeds, last: User | None) -> Fix:
    runner = choose(stage, needs)
    shell = needs.family not in (SCRATCH, "none")
    writes = needs.writes if shell else ()
    changes = [Change(stage.source.path, operation) for operation in _operations(stage, runner, writes)]
    declared = {posixpath.normpath(path) for path, _ in stage.volumes}
    volumes = [written.path for written in needs.writes if written.path in declared]
    start = last.item if last is not None else stage.from_item
    evidence = (
        Evidence("USER is root" if last is not None else "no USER is set", stage.at(start), Strength.READ),
        runner.evidence,
        *(written.evidence for written in needs.writes),
        *(needs.handover.evidence if needs.handover is not None and needs.is_read else ()),
    )
    return Fix(
        summary=f"run as {runner.user}",
        changes=tuple(changes),
        evidence=evidence,
        missing=_missing(needs, shell, _first_command(stage) if runner.creation or writes else ""),
        migration=_migration(runner, volumes, needs.handover),
    )


def _first_command(stage: DockerStage) -> str:
    """Why the RUN that is written may fail where nothing was run before."""
    if any(item.keyword == "RUN" for _, item in stage.items):
        return ""
    from hardener.needs.machines import told_for_others

    why = told_for_others(stage)
    return f"whether the builder can run a command in it, which had none so far: {why}" if why else ""


def _missing(needs: StageNeeds, shell: bool, command: str) -> str:
    parts = [*needs.doubts, *([command] if command else ())]
    if needs.writes and not shell:
        parts.append(f"{needs.writes[0].path} stays root's, because the image has no shell to hand it over")
    handover = needs.handover
    if handover is not None and not handover.unknown:
        return "; ".join((*parts, *handover.obstacles))
    # The general doubt says nothing beside one that is about this program.
    doubt = f": {handover.unknown}" if handover is not None else " from a Dockerfile"
    return "; ".join(parts) or f"what {'else ' if needs.writes else ''}the program writes cannot be told{doubt}"


def _migration(runner: Runner, volumes: Sequence[str], handover: Handover | None) -> str:
    """How existing data changes hands, and back."""
    held = handover.data if handover is not None else ()
    orders = [_chown(runner.owner, item) for item in held if item.is_volume and item.service]
    orders += [f"chown -R {runner.owner} {item.name} on the host" for item in held if not item.is_volume]
    rest = [path for path in volumes if path not in {item.target for item in held if item.service}]
    if rest:
        orders.append(f"chown -R {runner.owner} {' '.join(rest)} in existing volumes")
    return f"before the next start: {'; '.join(orders)} (the way back is the same with 0:0)" if orders else ""


def _chown(owner: str, held: Held) -> str:
    """The command that hands over what a service's volume holds, whatever the service may do by then."""
    may = "--user 0:0 --cap-add CHOWN --cap-add DAC_OVERRIDE"
    return f"docker compose run --rm --no-deps {may} --entrypoint chown {held.service} -R {owner} {held.target}"


def _operations(stage: DockerStage, runner: Runner, writes: Sequence[Written]) -> list[Operation]:
    paths = [written.path for written in writes]
    before = _place(stage)
    early = _before_volume(stage, paths, before)
    commands = list(runner.creation)
    # Before a VOLUME, what is created between that and the command is not there yet.
    absent = [written.path for written in writes if not written.exists or early < before]
    if absent:
        commands.append(f"mkdir -p {' '.join(absent)}")
    if paths:
        commands.append(f"chown -R {runner.owner} {' '.join(paths)}")
    run = run_instruction(commands, stage.dockerfile) if commands else ()
    comment = f"# {runner.comment}"
    if paths:
        comment += ", the owner of what it writes"
    user = f"USER {runner.user}"
    if _in_lower_case(stage):
        user, run = f"user {runner.user}", tuple(f"run {line[4:]}" if line.startswith("RUN ") else line for line in run)
    if early < before:
        # The classic builder forgets what happens to a VOLUME after it was declared.
        operations: list[Operation] = [Insert(early, (f"# {_about_paths(runner)}", *run))]
        run, comment = (), f"# {runner.comment}"
    else:
        operations = []
    return [*operations, Insert(before, (comment, *run, user))]


def _in_lower_case(stage: DockerStage) -> bool:
    text = stage.dockerfile.text
    return all(text[item.start : item.start + 3].islower() for item in stage.stage.instructions)


def _about_paths(runner: Runner) -> str:
    if runner.creation:
        return "An unprivileged user, the owner of what the program writes"
    return "The program's user owns what it writes"


def _between(stage: DockerStage, first: int) -> list[Instruction]:
    return stage.dockerfile.instructions[first : stage.stage.last]


def _place(stage: DockerStage) -> int:
    """The index of the instruction that USER goes before."""
    first = stage.stage.first + 1
    for item in _between(stage, first):
        if item.keyword in _NEEDS_ROOT:
            first = item.index + 1
    for item in _between(stage, first):
        if item.keyword in ("CMD", "ENTRYPOINT"):
            return item.index
    if any(item.keyword in ("CMD", "ENTRYPOINT") for item in _between(stage, stage.stage.first)):
        return first
    return stage.stage.last


def _before_volume(stage: DockerStage, paths: Sequence[str], before: int) -> int:
    """Where the RUN goes: before the first own VOLUME whose path it hands over."""
    wanted = [item.index for path, item in stage.volumes if path in paths and stage.stage.first < item.index < stage.stage.last]
    return min([before, *wanted])
