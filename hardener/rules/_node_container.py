"""A container with a memory limit and a Node whose heap does not go with it. Knows no other runtime."""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.finding import Finding
from hardener.needs.needs import Needs
from hardener.rules._heap import add_option, limit_of, misfit, program, words_of
from hardener.rules._heap_options import NODE_ID, fits, node_default, node_follows_limits, node_told, node_version, share

VARIABLE = "NODE_OPTIONS"
_PROGRAMS = frozenset("node nodejs npm npx yarn pnpm nodemon ts-node pm2-runtime next".split())
#: NODE_OPTIONS came with this version.
_READS_VARIABLE = (8,)


def check(container: Container, needs: Needs) -> Iterator[Finding]:
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
        finding = misfit(NODE_ID, container, own, where, limit)
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
    yield Finding(NODE_ID, container.subject, container.memory.place, message, fix, advice=advice, key=container.key)


def _is_node(container: Container, words: list[str]) -> bool:
    if VARIABLE in container.environment or program(words) in _PROGRAMS:
        return True
    return container.image is not None and container.image.familiar == "node"
