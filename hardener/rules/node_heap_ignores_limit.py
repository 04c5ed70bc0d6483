"""Node's heap is not sized for the container's memory limit.

Attack: A client that can make the program hold memory, with large bodies or many open requests, does so until the kernel
kills it. All requests of all others end with it, without a word in the log that says why.

Background: Node gives JavaScript half of the memory that it sees, at least 256 MiB and at most 2 GiB (4 GiB from 15 GiB on;
V8 and Node, read and measured). That is right under most limits, and then this says nothing. It is wrong in three cases.
Under a limit below about 300 MiB the 256 MiB do not fit. Before Node 20.3 the limit is not seen at all on today's hosts
(cgroup v2), so that 2 GiB or more are promised whatever the limit is. And somebody may have written a
`--max-old-space-size` that does not fit. In each the kernel kills the program, without a word and with all its requests,
where V8 would have tidied up.

What may break: JavaScript that lived above that size, close to the limit, now fails with `heap out of memory`; and
NODE_OPTIONS is read by every Node in the container, `npm` too. So the repair is held back, unless a profile names both the
variable and an amount of memory that is enough.

What we do: The repair sets `--max-old-space-size` in NODE_OPTIONS, which every Node from 8 on reads, to 75 per cent of the
limit, 60 below 1 GiB, after what stands there already. A size that somebody wrote is respected, and reported only where it
is at the limit or above it, or more than 85 per cent of it with less than a GiB beside it.

Left alone: Containers without a limit, and images and commands that do not say that they are Node. Dockerfiles are not
looked at: the limit is not in there, and without one nothing is wrong.

Example: normal
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.finding import Finding, Rule, Severity
from hardener.needs.needs import Needs


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container with a memory limit, and a Node whose heap does not go with it."""
    if container.memory.effective is not None and _may_be_node(container, needs):
        from hardener.rules import _node_container  # few containers are

        yield from _node_container.check(container, needs)


def _may_be_node(container: Container, needs: Needs) -> bool:
    words = " ".join((*(container.entrypoint or ()), *(container.command or ())))
    named = container.image is not None and container.image.familiar == "node"
    started = any(word in words for word in ("node", "npm", "npx", "yarn", "next", "pm2"))
    return (
        named or started or "NODE_OPTIONS" in container.environment or (needs.heap is not None and needs.heap.runtime == "node")
    )


RULE = Rule(
    id="node-heap-ignores-limit",
    title="A Node whose heap does not go with the memory limit",
    severity=Severity.LOW,
    cites=("CIS Docker 5.11", "OWASP Docker 7", "Docker docs: engine/containers/resource_constraints"),
    container=check,
    why="it is killed when its heap grows past the limit, instead of tidying up",
)
