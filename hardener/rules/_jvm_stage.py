"""A stage of a Dockerfile that starts `java` without a size of its heap, or with one that nothing reads. Knows no service."""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.dockerfile import DockerStage, Start
from hardener.finding import Change, Evidence, Finding, Fix, Strength
from hardener.needs.stage import WINDOWS, StageNeeds
from hardener.rules._heap_options import (
    ASKS_ONLY,
    BUILD_TOOLS,
    JAVA_ID,
    JAVA_VARIABLE,
    JVM_VARIABLES,
    MODERN,
    NO_CONTAINERS,
    OLD_REFUSE,
    OPENJ9,
    Told,
    jvm_of,
    jvm_told,
    jvm_words,
    mentions,
    sizes_by_name,
    sizes_heap,
)
from hardener.syntax.dockerfile import Insert, Instruction, Replace

_PERCENTAGE = "-XX:MaxRAMPercentage=75.0"


def check(stage: DockerStage, needs: StageNeeds) -> Iterator[Finding]:
    """A stage that starts `java` without a size of the heap, or with one that nothing reads."""
    if not stage.runs:
        return
    starts = [start for start in stage.starts if start.name == "java" and ASKS_ONLY.isdisjoint(start.words)]
    if not starts or needs.family == WINDOWS:
        return
    jvm = jvm_of(stage.image)
    if jvm == OPENJ9 or any(jvm_told(jvm_words(start.words[1:]), 1024) for start in starts):
        return
    variables = _variables(stage)
    sized = {name: told for name, (value, _) in variables.items() if (told := jvm_told(value.split(), 1024)) is not None}
    if sized:
        if not stage.started_by and stage.starts[0].name == "java" and not stage.unread_scripts:
            yield from _unread(stage, variables, sized)
        return
    if any(sizes_by_name(name) or sizes_heap(value) for name, (value, _) in variables.items()) or any(
        _has_variables_of_its_own(start, variables) for start in starts
    ):
        return
    command = _command(stage)
    if jvm == NO_CONTAINERS:
        message = f"starts the JVM of {stage.base_text}, which knows no memory limits: its heap is a quarter of the host's memory"
        advice = "update to Java 8u191 or later, or size the heap by -Xmx in the command"
        yield Finding(JAVA_ID, stage.subject, stage.place(command), message, advice=advice, key=stage.key)
        return
    fix = Fix(
        "size the heap by the limit, 75 %",
        changes=(Change(stage.source.path, _insertion(stage)),),
        evidence=(Evidence("it starts `java` without a size of the heap", stage.at(command), Strength.READ),),
        missing="the limit that the image runs under, and what the program takes beside its heap, are not in the Dockerfile"
        + ("" if jvm == MODERN else OLD_REFUSE),
    )
    message = "starts `java` with its default heap, a quarter of the memory limit"
    yield Finding(JAVA_ID, stage.subject, stage.place(command), message, fix, key=stage.key)


def _variables(stage: DockerStage) -> dict[str, tuple[str, Instruction]]:
    """The variables of the image that its program gets, as they are written last."""
    found: dict[str, tuple[str, Instruction]] = {}
    for _, item in stage.items:
        if item.keyword == "ENV":
            for name, value in zip(item.values[::2], item.values[1::2], strict=False):
                if name not in BUILD_TOOLS:
                    found[name] = value.strip("'\""), item
    return found


def _has_variables_of_its_own(start: Start, variables: dict[str, tuple[str, Instruction]]) -> bool:
    """Whether a script's command has a variable that only the script knows, which may hold the size."""
    words = (word for word in start.words if "$" in word and word not in ("$@", "$*")) if start.script else ()
    return any(not any(mentions(word, name) for name in variables) for word in words)


def _command(stage: DockerStage) -> Instruction:
    own = stage.own("ENTRYPOINT") or stage.own("CMD")
    return own[-1] if own else stage.from_item


def _insertion(stage: DockerStage) -> Insert:
    after = max((item.index for item in stage.own("ENV") if JAVA_VARIABLE in item.values[::2]), default=-1)
    before = next((item.index for item in stage.own("CMD", "ENTRYPOINT") if item.index > after), stage.stage.last)
    had = f"${JAVA_VARIABLE} " if JAVA_VARIABLE in _variables(stage) else ""
    text = stage.dockerfile.text
    lower = all(text[item.start : item.start + 3].islower() for item in stage.stage.instructions)
    lines = (
        "# The heap: 75 % of the memory limit instead of a quarter",
        f'{"env" if lower else "ENV"} {JAVA_VARIABLE}="{had}{_PERCENTAGE}"',
    )
    return Insert(before, lines)


def _unread(stage: DockerStage, variables: dict[str, tuple[str, Instruction]], sized: dict[str, Told]) -> Iterator[Finding]:
    """The findings for sizes that no JVM gets; none where one does."""
    texts = [word for start in stage.starts for word in start.words]
    texts += [value for value, _ in variables.values()]
    if any(name in JVM_VARIABLES or any(mentions(text, name) for text in texts) for name in sized):
        return
    for name, told in sized.items():
        item = variables[name][1]
        message = f"sets {told.option} in {name}, which nothing reads: its heap stays at the JVM's default"
        renamed = _renamed(stage, item, name) if JAVA_VARIABLE not in variables and len(sized) == 1 else None
        fix, advice = None, f"call it {JAVA_VARIABLE}, which every JVM reads, or put it into the command"
        if renamed is not None:
            fix = Fix(
                f"call it {JAVA_VARIABLE}, which every JVM reads",
                changes=(Change(stage.source.path, renamed),),
                evidence=(Evidence(f"`java` starts without {name}", stage.at(_command(stage)), Strength.READ),),
                missing="it had no effect so far: whether the program gets by with it is not known",
            )
            advice = ""
        yield Finding(JAVA_ID, stage.subject, stage.place(item), message, fix, advice=advice, key=f"{stage.key} {name}")


def _renamed(stage: DockerStage, item: Instruction, name: str) -> Replace | None:
    """The ENV with another name; None where the old one stands elsewhere too."""
    text = stage.dockerfile.text
    written = text[item.start : item.end].replace("\r\n", "\n")  # the operation puts the file's own back
    if text.count(name) != 1 or name not in written or item not in stage.own("ENV"):
        return None
    return Replace(item.index, written.replace(name, JAVA_VARIABLE))
