"""How a JVM and Node size their heaps: by default, by options, and what fits a limit. Sizes are MiB. Knows no container."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hardener.facts.image import ImageReference, tag_version
from hardener.record import NamedTuple

#: Read by every JVM itself, the winner first; the `java` command's own words come after the first (measured, OpenJDK 17).
JVM_VARIABLES = ("_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS")
OPENJ9, NO_CONTAINERS, MODERN = "openj9", "no-containers", "modern"
CONTAINER_SUPPORT_OFF = "-XX:-UseContainerSupport"
JAVA_ID = "jvm-heap-ignores-limit"
NODE_ID = "node-heap-ignores-limit"
JAVA_VARIABLE = "JAVA_TOOL_OPTIONS"
#: Not of the program that the image starts.
BUILD_TOOLS = ("MAVEN_OPTS", "GRADLE_OPTS", "SBT_OPTS", "ANT_OPTS", "LEIN_JVM_OPTS")
ASKS_ONLY = frozenset(("-version", "--version", "-h", "-help", "--help", "-?"))
OLD_REFUSE = "; a JVM before 8u191 refuses the option"

_UNITS = {"": 1 / 1048576, "b": 1 / 1048576, "k": 1 / 1024, "m": 1.0, "g": 1024.0, "t": 1048576.0}
#: These size the heap too, by something that is not in the options.
_ELSEWHERE = (
    "@", "-XX:MaxRAM=", "-XX:MaxRAMFraction=", "-XX:+UseCGroupMemoryLimitForHeap", "-XX:Flags=", "-XX:VMOptionsFile=",
)  # fmt: skip
#: Options of the `java` command whose value is a word of its own.
_WITH_VALUE = ("-cp", "-classpath", "--class-path", "-p", "--module-path", "--add-modules", "--add-opens", "--add-exports")
#: Above this MaxRAMPercentage counts, below it MinRAMPercentage (measured, OpenJDK 17).
_SMALL_JVM = 252.0
#: Node asks libuv for its cgroup's limit; on cgroup v2 that answers since libuv 1.45, which came with 20.3.
_NODE_READS_LIMITS = (20, 3)
#: V8's bounds for the old space on 64 bits (heap-controller.h): half of the memory, between these.
_V8_LEAST, _V8_MOST = 256.0, 2048.0
_JDKS = ("openjdk", "eclipse-temurin", "adoptopenjdk", "amazoncorretto", "zulu-openjdk", "jdk", "jre", "serverjre")


class Told(NamedTuple):
    """What options say about the heap: its size, None where that is decided elsewhere, and the option that says so."""

    mib: float | None
    option: str


def share(limit: float) -> int:
    """How much of a limit the heap may take, in per cent: what is beside it does not shrink with the limit."""
    return 75 if limit >= 1024 else 60


def least_limit(heap: float) -> int:
    """The least limit of which a heap takes its `share`."""
    return -int(-max(heap / 0.75, min(heap / 0.6, 1024)) // 1)


def fits(heap: float, limit: float) -> bool:
    """Whether a limit leaves room beside the heap: 15 per cent, or a GiB."""
    return heap <= 0.85 * limit or limit - heap >= 1024


def jvm_default(limit: float) -> float:
    """The heap of a JVM that knows containers and is told nothing (measured, OpenJDK 17)."""
    return limit / 2 if limit < _SMALL_JVM else max(126, limit / 4)


def jvm_words(words: Iterable[str]) -> list[str]:
    """The words of a `java` command that are for the JVM: what follows the class or the jar is for the program."""
    found: list[str] = []
    value = False
    for word in words:
        if not value and not word.startswith(("-", "@", "$")):
            break
        found.append(word)
        value = not value and word in _WITH_VALUE
    return found


def sizes_heap(text: str) -> bool:
    """Whether a text, in whatever way it is put together, has an option in it that sizes a heap."""
    return "-Xmx" in text or "MaxHeapSize" in text or "MaxRAM" in text


def jvm_told(words: Iterable[str], limit: float) -> Told | None:
    """What options for a JVM say about its heap; None when nothing does."""
    size: Told | None = None
    percent: dict[bool, str] = {}
    for word in words:
        word = word.strip("'\"")
        name, _, value = word.partition("=")
        if word.startswith("-Xmx"):
            size = Told(_mebibytes(word[4:]), word)
        elif name == "-XX:MaxHeapSize":
            size = Told(_mebibytes(value), word)
        elif name in ("-XX:MaxRAMPercentage", "-XX:MinRAMPercentage"):
            percent[name == "-XX:MinRAMPercentage"] = word
        elif word.startswith(_ELSEWHERE) or word == CONTAINER_SUPPORT_OFF:
            size = size or Told(None, word)
    word = percent.get(limit < _SMALL_JVM, "")
    if size is not None or not word:
        return size
    number = _number(word.partition("=")[2])
    return Told(None if number is None else limit * number / 100, word)


def jvm_options(limit: float) -> str:
    """The options that size a JVM's heap by the limit."""
    options = f"-XX:MaxRAMPercentage={share(limit)}.0"
    return f"{options} -XX:MinRAMPercentage={share(limit)}.0" if limit < 300 else options


def jvm_of(image: ImageReference | None) -> str:
    """Which JVM an image has; empty when its name does not say.

    OPENJ9 takes most of the limit by itself; NO_CONTAINERS knows no limits and refuses percentages (before 8u191 and 10).
    """
    if image is None:
        return ""
    name, tag = image.familiar, image.effective_tag
    if "openj9" in name + tag or "semeru" in name or name == "ibmjava":
        return OPENJ9
    if name == "java":
        return NO_CONTAINERS
    found = re.search(r"(?:jre|jdk|java)-?(\d+)(?:u(\d+))?", tag)
    if found is None and name.rpartition("/")[2] in _JDKS:
        found = re.match(r"(\d+)(?:u(\d+))?", tag)
    if found is None:
        return ""
    major, update = int(found[1]), int(found[2] or 1000)
    return NO_CONTAINERS if major in (5, 6, 7, 9) or (major == 8 and update < 191) else MODERN


def node_version(image: ImageReference | None) -> tuple[int, ...]:
    """The version of the official image; a tag that does not say, and the name of any other image, stand for the newest."""
    version = tag_version(image.effective_tag) if image is not None and image.familiar == "node" else None
    return (*(version or ()), 1000)


def node_follows_limits(version: tuple[int, ...]) -> bool:
    """Whether it sizes its heap by the container's limit on every kernel."""
    return version >= _NODE_READS_LIMITS


def node_default(version: tuple[int, ...], limit: float) -> float:
    """The old space of a Node that is told nothing; one that does not see the limit takes a host of 4 to 15 GiB for granted."""
    return min(max(limit / 2, _V8_LEAST), _V8_MOST) if node_follows_limits(version) else _V8_MOST


def node_told(words: Iterable[str], limit: float) -> Told | None:
    """What options for Node say about its heap; None when nothing does."""
    told: Told | None = None
    expected = False
    for word in words:
        word = word.strip("'\"")
        name, equals, value = word.partition("=")
        name = name.replace("_", "-")
        if expected or name == "--max-old-space-size":
            number = _number(value if equals else word)
            expected = not expected and not equals
            told = told if expected else Told(number, f"--max-old-space-size={value if equals else word}")
        elif name == "--max-old-space-size-percentage":
            number = _number(value)
            told = Told(None if number is None else limit * number / 100, word)
        elif name == "--max-heap-size":
            told = Told(_number(value), word)
    return told


def sizes_by_name(name: str) -> bool:
    """Whether a variable is there to size a heap, in whatever words."""
    name = name.upper()
    return "HEAP" in name or "XMX" in name or name in ("JAVA_MEM", "JVM_MEMORY", "MAX_MEMORY", "MEMORY")


def mentions(text: str, name: str) -> bool:
    """Whether a shell's text has a variable in it."""
    return f"${name}" in text or f"${{{name}" in text


def _mebibytes(text: str) -> float | None:
    number = text.rstrip("bkmgtBKMGT")
    factor = _UNITS.get(text[len(number) :].lower())
    return None if factor is None or not number.isdecimal() or len(number) > 15 else int(number) * factor


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number < 1e9 else None
