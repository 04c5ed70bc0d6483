"""A container with a memory limit and a JVM whose heap does not go with it. Knows no Dockerfile."""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.finding import Finding
from hardener.needs.needs import Needs
from hardener.rules._heap import add_option, limit_of, misfit, program, way_out, words_of
from hardener.rules._heap_options import (
    ASKS_ONLY,
    BUILD_TOOLS,
    CONTAINER_SUPPORT_OFF,
    JAVA_ID,
    JAVA_VARIABLE,
    JVM_VARIABLES,
    NO_CONTAINERS,
    OLD_REFUSE,
    OPENJ9,
    Told,
    fits,
    jvm_default,
    jvm_of,
    jvm_options,
    jvm_told,
    jvm_words,
    mentions,
    share,
    sizes_by_name,
    sizes_heap,
)

#: Read by start scripts of all sorts, which bring no size of their own.
_SCRIPT_VARIABLES = ("JAVA_OPTS", "CATALINA_OPTS")
_STARTS_CLASSES = frozenset(("-jar", "-cp", "-classpath", "--class-path", "-m", "--module"))


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container with a memory limit, and a JVM whose heap does not go with it."""
    limit = limit_of(container)
    if not limit:
        return
    found = _told(container, limit)
    if found is not None:
        told, where = found
        finding = _switched_off(container, where) if told.option == CONTAINER_SUPPORT_OFF else None
        finding = finding or _not_read(container, told, where) or misfit(JAVA_ID, container, told, where, limit)
        if finding is not None:
            yield finding
        return
    heap = needs.heap if needs.heap is not None and needs.heap.runtime == "jvm" else None
    words = words_of(container)
    if not ASKS_ONLY.isdisjoint(words) or (heap is None and not _starts_java(container, words)):
        return
    jvm = jvm_of(container.image)
    if jvm == OPENJ9 or (heap is not None and (heap.sizing == "own" or _sized_in_plain(container, heap.conflicts))):
        return
    place = container.memory.place
    if heap is not None and heap.sizing == "fixed":
        if heap.variable not in container.environment and not fits(heap.mib, limit):
            yield _too_large(container, needs, heap.mib, heap.variable, limit)
        return
    if jvm == NO_CONTAINERS:
        options = f"-Xmx{limit * share(limit) / 100:.0f}m"
        message = f"has a JVM that does not know its limit of {limit:.0f} MiB and takes a quarter of the host's memory as heap"
    else:
        options = jvm_options(limit)
        message = f"keeps the JVM's default heap, {jvm_default(limit):.0f} of the {limit:.0f} MiB that it may use"
    fix = add_option(container, needs, heap.variable if heap is not None else JAVA_VARIABLE, options, limit)
    if heap is None and not jvm:
        fix = fix._replace(missing=fix.missing + OLD_REFUSE)
    yield Finding(JAVA_ID, container.subject, place, message, fix, key=container.key)


def _told(container: Container, limit: float) -> tuple[Told, str] | None:
    """What sizes the heap, and where; of several settings the one that wins."""
    words = words_of(container)
    environment = container.environment
    told = jvm_told((environment.get(JVM_VARIABLES[0]) or "").split(), limit)
    if told is not None:
        return told, JVM_VARIABLES[0]
    if _has_java(words):
        told = jvm_told(jvm_words(words[_at_java(words) + 1 :]), limit)
        if told is not None:
            return told, "its command"
    for name in (*(name for name in environment if name not in JVM_VARIABLES), *JVM_VARIABLES):
        value = environment.get(name, "")
        if value and "-X" in value and name not in BUILD_TOOLS:
            told = jvm_told(value.split(), limit)
            if told is not None or sizes_heap(value):
                return told or Told(None, name), name
        if value != "" and (sizes_by_name(name) or (_is_jvms(name) and (value is None or "$" in value))):
            return Told(None, name), name
    return None


def _sized_in_plain(container: Container, variables: tuple[str, ...]) -> bool:
    """Whether a variable that may size the heap holds something else than options: a size, or what is not known."""
    values = [container.environment[name] for name in variables if name in container.environment]
    return any(value != "" and (value is None or not value.startswith("-")) for value in values)


def _is_jvms(name: str) -> bool:
    return "JAVA" in name or "JVM" in name or name in _SCRIPT_VARIABLES


def _starts_java(container: Container, words: list[str]) -> bool:
    """Whether a JVM is started, by what the project says. What a Dockerfile says of its own command is said there."""
    environment = container.environment
    variables = JVM_VARIABLES if container.build is not None else (*JVM_VARIABLES, *_SCRIPT_VARIABLES)
    if any(name in environment for name in variables):
        return True
    return _has_java(words)


def _has_java(words: list[str]) -> bool:
    return _at_java(words) >= 0 and (program(words) == "java" or not _STARTS_CLASSES.isdisjoint(words))


def _at_java(words: list[str]) -> int:
    return next((at for at, word in enumerate(words) if word == "java" or word.endswith("/bin/java")), -1)


def _switched_off(container: Container, where: str) -> Finding:
    place = container.variable(where).place if where in container.environment else container.memory.place
    message = f"switches container support off in {where}, so that its heap is a quarter of the host's memory"
    advice = f"take {CONTAINER_SUPPORT_OFF} out, or size the heap by -Xmx"
    return Finding(JAVA_ID, container.subject, place, message, advice=advice, key=container.key)


def _not_read(container: Container, told: Told, where: str) -> Finding | None:
    """The finding for a size in a variable for scripts, where the command starts `java` without one between."""
    words = words_of(container)
    if where not in _SCRIPT_VARIABLES or told.mib is None or program(words) != "java" or any(mentions(w, where) for w in words):
        return None
    message = f"sets {told.option} in {where}, which its command does not read: its heap stays at the JVM's default"
    advice = f"call it {JAVA_VARIABLE}, which every JVM reads, or put it into the command"
    return Finding(JAVA_ID, container.subject, container.variable(where).place, message, advice=advice, key=container.key)


def _too_large(container: Container, needs: Needs, mib: float, variable: str, limit: float) -> Finding:
    message = f"has a heap of {mib:.0f} MiB, the image's own, under a limit of {limit:.0f} MiB"
    fix, advice = None, f"{way_out(mib, limit)} through {variable}"
    if variable.endswith(("OPTS", "OPTIONS", "FLAGS", "ARGS")):
        size = f"{limit * share(limit) / 100:.0f}m"
        missing = (
            f"whether it gets by with a heap of {size[:-1]} MiB, and without what else the image has in {variable}, is not known"
        )
        fix = add_option(container, needs, variable, f"-Xmx{size}", limit, missing)
        advice = ""
    return Finding(JAVA_ID, container.subject, container.memory.place, message, fix, advice=advice, key=container.key)
