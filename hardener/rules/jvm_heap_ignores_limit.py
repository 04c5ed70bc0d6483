"""The JVM's heap is not sized for the container's memory limit.

Attack: A client whose requests make the program keep memory, such as large uploads or many sessions, fills a heap that is
larger than the limit can hold, until the kernel kills the process. The service is then down, for all, as often as they
repeat it.

Background: Told nothing, a JVM takes a quarter of the limit as its heap (half of it up to 250 MiB): on 512 MiB the program
fails with an OutOfMemoryError at 128 MiB, while the rest is paid for and lies idle. Told too much (`-Xmx` as large as the
limit), the kernel kills it without a word instead. Whoever can make it use memory decides when.

What may break: A heap that may grow is collected later, so that the container comes nearer to its limit; one that takes
much beside its heap is then killed where it was only slow. So the repair is held back, unless a profile names both the
variable and an amount of memory that is enough. In a Dockerfile it is always held back: the limit is not in there.

What we do: For a container with a limit the repair sets the heap to 75 per cent of it, 60 below 1 GiB, because what is
beside the heap (classes, threads, buffers) does not shrink along. It goes to the variable that the image is known to read,
else to JAVA_TOOL_OPTIONS, which every JVM reads and mentions on stderr, after what stands there already. In a Dockerfile it
is `ENV JAVA_TOOL_OPTIONS="-XX:MaxRAMPercentage=75.0"` before the command.

A size that somebody wrote is respected, and reported only where it does not fit: at the limit or above it, or more than 85
per cent of it with less than a GiB beside it. A size in a variable that nothing reads (JAVA_OPTS beside `["java", ...]`) is
reported as such.

Left alone: Containers without a limit, images that size their heap themselves and OpenJ9, which does, and heaps whose size
may be decided in a place that was not read.

Example: normal, dockerfile-final-stage
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hardener.finding import Finding, Rule, Severity

if TYPE_CHECKING:  # at run time only those of one kind are there, and few containers have a limit
    from hardener.facts.container import Container
    from hardener.facts.dockerfile import DockerStage
    from hardener.needs.needs import Needs
    from hardener.needs.stage import StageNeeds


def check_container(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container with a memory limit, and a JVM whose heap does not go with it."""
    if container.memory.effective is not None and _may_be_jvm(container, needs):
        from hardener.rules import _jvm_container

        yield from _jvm_container.check(container, needs)


def _may_be_jvm(container: Container, needs: Needs) -> bool:
    if needs.heap is not None and needs.heap.runtime == "jvm":
        return True
    if any("java" in word for word in (*(container.entrypoint or ()), *(container.command or ()))):
        return True
    names = (name.upper() for name in container.environment)
    return any(
        "JAVA" in name or "JVM" in name or "HEAP" in name or name.endswith(("_OPTS", "XMX", "MEMORY", "_MEM")) for name in names
    )


def check_stage(stage: DockerStage, needs: StageNeeds) -> Iterator[Finding]:
    """A stage that starts `java` without a size of the heap, or with one that nothing reads."""
    if stage.runs and any(start.name == "java" for start in stage.starts):
        from hardener.rules import _jvm_stage

        yield from _jvm_stage.check(stage, needs)


RULE = Rule(
    id="jvm-heap-ignores-limit",
    title="A JVM whose heap does not go with the memory limit",
    severity=Severity.LOW,
    cites=("CIS Docker 5.11", "OWASP Docker 7", "Docker docs: engine/containers/resource_constraints"),
    container=check_container,
    stage=check_stage,
    why="it fails at a quarter of its memory, or is killed when its heap grows past the limit",
)
