"""Node's heap is not sized for the container's memory limit.

Node gives JavaScript half of the memory that it sees, at least 256 MiB and at most 2 GiB (4 GiB from 15 GiB on; V8 and Node,
read and measured). That is right under most limits, and then this says nothing. It is wrong in three cases. Under a limit
below about 300 MiB the 256 MiB do not fit. Before Node 20.3 the limit is not seen at all on today's hosts (cgroup v2), so
that 2 GiB or more are promised whatever the limit is. And somebody may have written a `--max-old-space-size` that does not
fit. In each the kernel kills the program, without a word and with all its requests, where V8 would have tidied up: a client
that can make it hold memory can make that happen.

The repair sets `--max-old-space-size` in NODE_OPTIONS, which every Node from 8 on reads, to 75 per cent of the limit, 60
below 1 GiB, after what stands there already.

What may break: JavaScript that lived above that size, close to the limit, now fails with `heap out of memory`; and
NODE_OPTIONS is read by every Node in the container, `npm` too. So the repair is held back, unless a profile names both the
variable and an amount of memory that is enough. A size that somebody wrote is respected, and reported only where it is at
the limit or above it, or more than 85 per cent of it with less than a GiB beside it.

Silent: without a limit, and for images and commands that do not say that they are Node. Dockerfiles are not looked at: the
limit is not in there, and without one nothing is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.finding import Finding, Rule, Severity
from hardener.needs.situation import ImageNeeds
from hardener.rules._heap import add_option, limit_of, misfit, program, words_of
from hardener.rules._heap_options import fits, node_default, node_follows_limits, node_told, node_version, share

ID = "node-heap-ignores-limit"
VARIABLE = "NODE_OPTIONS"
_PROGRAMS = frozenset("node nodejs npm npx yarn pnpm nodemon ts-node pm2-runtime next".split())
#: NODE_OPTIONS came with this version.
_READS_VARIABLE = (8,)


def check(container: Container, needs: ImageNeeds) -> Iterator[Finding]:
    """A container with a memory limit, and a Node whose heap does not go with it."""
    limit = limit_of(container)
    if not limit:
        return
    words = words_of(container)
    heap = needs.heap if needs.heap is not None and needs.heap.runtime == "node" else None
    if heap is None and not _is_node(container, words):
        return
    options = container.environment.get(VARIABLE, "")
    own, where = node_told(words, limit), "its command"
    if own is None:
        own, where = node_told((options or "").split(), limit), VARIABLE
    if own is not None:
        finding = misfit(ID, container, own, where, limit)
        if finding is not None:
            yield finding
        return
    version = node_version(container.image)
    default = node_default(version, limit)
    if options is None or "$" in options or fits(default, limit) or (heap is not None and heap.sizing == "own"):
        return
    if node_follows_limits(version):
        message = f"lets its heap grow to {default:.0f} MiB, Node's least, but may use {limit:.0f} MiB in all"
    else:
        number = ".".join(map(str, version[:-1]))
        message = f"lets its heap grow to {default:.0f} MiB: Node {number} does not see the limit of {limit:.0f} MiB on cgroup v2"
    size = f"--max-old-space-size={limit * share(limit) // 100:.0f}"
    fix, advice = None, f"start it as `node {size}`: this version does not read {VARIABLE}"
    if version >= _READS_VARIABLE:
        fix, advice = add_option(container, needs, heap.variable if heap is not None else VARIABLE, size, limit), ""
    yield Finding(ID, container.subject, container.memory.place, message, fix, advice=advice, key=container.key)


def _is_node(container: Container, words: list[str]) -> bool:
    if VARIABLE in container.environment or program(words) in _PROGRAMS:
        return True
    return container.image is not None and container.image.familiar == "node"


RULE = Rule(
    id=ID,
    title="A Node whose heap does not go with the memory limit",
    severity=Severity.LOW,
    cites=("CIS Docker 5.11", "OWASP Docker 7", "Docker docs: engine/containers/resource_constraints"),
    container=check,
    why="it is killed when its heap grows past the limit, instead of tidying up",
)
