"""What options say about a heap, which JVM or Node an image has, and when a heap fits. An engine's word is elsewhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.facts.container import Amount, Container, Setting
from hardener.facts.image import parse_image
from hardener.finding import Applicability, Evidence, Fix, Place, Strength
from hardener.needs.needs import Limit, Needs
from hardener.needs.profile import EVERYWHERE, Heap
from hardener.rules._heap_options import (
    MODERN,
    NO_CONTAINERS,
    OPENJ9,
    fits,
    jvm_default,
    jvm_of,
    jvm_options,
    jvm_told,
    jvm_words,
    least_limit,
    node_default,
    node_follows_limits,
    node_told,
    node_version,
    share,
)
from hardener.rules._jvm_container import check


@pytest.mark.parametrize(
    ("options", "mib"),
    [
        ("-Xmx512m", 512),
        ("-Xmx2G", 2048),
        ("-Xmx524288k", 512),
        ("-Xmx1073741824", 1024),
        ("-Xms64m -Xmx256m -Xmx128M", 128),
        ("'-Xmx512m'", 512),
        ("-XX:MaxHeapSize=1g", 1024),
        ("-XX:MaxRAMPercentage=50.0", 500),
        ("-XX:MaxRAMPercentage=75 -Xmx100m", 100),
        ("-Xmx100m -XX:MaxRAMPercentage=75", 100),
        ("-Xmx${HEAP}", None),
        ("-Xmx1q", None),
        ("-XX:MaxRAMPercentage=${PERCENT}", None),
        ("-XX:MaxRAMFraction=2", None),
        ("-XX:+UnlockExperimentalVMOptions -XX:+UseCGroupMemoryLimitForHeap", None),
        ("@/etc/jvm.options", None),
    ],
)
def test_options_that_size_the_heap_of_a_jvm(options: str, mib: float | None) -> None:
    told = jvm_told(options.split(), 1000)
    assert told is not None
    assert told.mib == mib


@pytest.mark.parametrize(
    "options",
    ["", "-Xms512m", "-Xss1m", "-XX:InitialRAMPercentage=50", "-XX:+UseG1GC", "-Dx=-y", "-XX:MinRAMPercentage=80", "-jar a.jar"],
)
def test_options_that_size_no_heap(options: str) -> None:
    assert jvm_told(options.split(), 1000) is None


def test_below_a_quarter_of_a_gib_the_other_percentage_counts() -> None:
    both = ["-XX:MaxRAMPercentage=75", "-XX:MinRAMPercentage=50"]
    assert [told.mib for limit in (200, 1000) if (told := jvm_told(both, limit))] == [100, 750]
    assert jvm_told(both[:1], 200) is None
    assert jvm_told(both[1:], 1000) is None


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("-Xmx1g -jar app.jar -Xmx2g", "-Xmx1g -jar"),
        ("-jar -Xmx1g app.jar", "-jar -Xmx1g"),
        ("-cp lib/* -Xmx1g com.example.Main -x", "-cp lib/* -Xmx1g"),
        ("$JAVA_OPTS @options -jar app.jar", "$JAVA_OPTS @options -jar"),
        ("", ""),
    ],
)
def test_what_follows_the_class_is_for_the_program(command: str, words: str) -> None:
    assert jvm_words(command.split()) == words.split()


@pytest.mark.parametrize(
    ("image", "jvm"),
    [
        ("java:8", NO_CONTAINERS),
        ("openjdk:7-jre", NO_CONTAINERS),
        ("openjdk:9", NO_CONTAINERS),
        ("openjdk:8u131-jdk-alpine", NO_CONTAINERS),
        ("tomcat:8.5-jre7", NO_CONTAINERS),
        ("openjdk:8-jdk-alpine", MODERN),
        ("openjdk:8u191-jre", MODERN),
        ("eclipse-temurin:21-jre", MODERN),
        ("tomcat:9.0-jdk17-temurin", MODERN),
        ("maven:3.9-eclipse-temurin-21", ""),
        ("tomcat:9", ""),
        ("debian:9", ""),
        ("adoptopenjdk:11-jre-openj9", OPENJ9),
        ("ibm-semeru-runtimes:open-17-jre", OPENJ9),
        ("ibmjava:8", OPENJ9),
    ],
)
def test_the_jvm_of_an_image(image: str, jvm: str) -> None:
    assert jvm_of(parse_image(image)) == jvm


@pytest.mark.parametrize(
    ("options", "mib"),
    [
        ("--max-old-space-size=4096", 4096),
        ("--max_old_space_size=4096", 4096),
        ("node --max-old-space-size 300 app.js", 300),
        ("--max-old-space-size=100 --max-old-space-size=200", 200),
        ("--max-old-space-size-percentage=50", 500),
        ("--max-old-space-size=${SIZE}", None),
    ],
)
def test_options_that_size_the_heap_of_node(options: str, mib: float | None) -> None:
    told = node_told(options.split(), 1000)
    assert told is not None
    assert told.mib == mib


@pytest.mark.parametrize("options", ["", "--max-semi-space-size=16", "--max-old-space-size", "--require ./x.js"])
def test_options_that_size_no_heap_of_node(options: str) -> None:
    assert node_told(options.split(), 1000) is None


@pytest.mark.parametrize(
    ("image", "follows"),
    [
        ("node:22", True),
        ("node:20", True),
        ("node:20.3", True),
        ("node:lts-alpine", True),
        ("node", True),
        ("example/app:1", True),
        ("node:20.2.0", False),
        ("node:18", False),
        ("node:18.20.4-alpine3.20", False),
        ("node:8", False),
    ],
)
def test_from_which_version_on_node_follows_the_limit(image: str, follows: bool) -> None:
    assert node_follows_limits(node_version(parse_image(image))) is follows


def asked(heap: Heap | None, memory: float | None, limit: int, holds: bool = True) -> Fix | None:
    """The fix for a container that starts `java` under a limit, when this is known of its image."""
    place = Place("compose.yaml", 1, 1)
    container = Container()
    container.key = container.subject = "app"
    container.image = container.build = container.entrypoint = None
    container.command = ("java", "-jar", "app.jar")
    container.environment, container.variables = {}, ()
    container.variable = lambda name: Setting(None, written=False, place=place)
    container.memory = Setting(Amount(limit * 1048576, f"{limit}M"), written=True, place=place)
    enough = None if memory is None else Limit(memory, "", READ)
    findings = list(check(container, Needs(holds, "" if holds else "no profile", heap=heap, memory=enough)))
    return findings[0].fix if findings else None


READ = Evidence("it does", "a file", Strength.READ)
SIZED_BY_VARIABLE = Heap(EVERYWHERE, "jvm", "default", "APP_OPTS", 0.0, (), "", READ)


def test_it_is_safe_only_where_the_variable_and_enough_memory_are_known() -> None:
    safe = asked(SIZED_BY_VARIABLE, 512, 1024)
    assert safe is not None
    assert safe.applicability is Applicability.SAFE
    assert "APP_OPTS" in safe.summary
    less = [(SIZED_BY_VARIABLE, None, 1024, True), (SIZED_BY_VARIABLE, 2048, 1024, True), (None, 512, 1024, True)]
    documented = SIZED_BY_VARIABLE._replace(evidence=READ._replace(strength=Strength.DOCUMENTED))
    for known in [*less, (documented, 512, 1024, True), (None, None, 1024, False)]:
        fix = asked(*known)
        assert fix is not None
        assert fix.applicability is Applicability.UNSAFE, known


def test_a_heap_of_the_images_own_is_left_alone_where_it_fits() -> None:
    fixed = SIZED_BY_VARIABLE._replace(sizing="fixed", mib=1024)
    assert asked(fixed, 2048, 2048) is None
    smaller = asked(fixed, 2048, 1024)
    assert smaller is not None
    assert smaller.applicability is Applicability.UNSAFE
    assert "-Xmx768m" in smaller.summary
    assert asked(SIZED_BY_VARIABLE._replace(sizing="own"), 512, 1024) is None


@given(st.integers(6, 1 << 20))
def test_the_share_of_a_limit_fits_and_the_least_limit_has_room_for_the_heap(mib: int) -> None:
    assert fits(mib * share(mib) / 100, mib)
    assert not fits(mib, mib)
    limit = least_limit(mib)
    assert fits(mib, limit)
    assert mib <= limit * share(limit) / 100 + 1
    assert limit == 6 or mib > (limit - 1) * share(limit - 1) / 100 - 1, "and no smaller one has"


@given(st.integers(6, 1 << 20))
def test_what_the_repair_writes_is_what_it_reads_again(mib: int) -> None:
    told = jvm_told(jvm_options(mib).split(), mib)
    assert told is not None
    assert told.mib == mib * share(mib) / 100


@given(st.integers(6, 1 << 20))
def test_a_jvm_takes_at_most_half_and_a_node_never_less_than_v8_wants(mib: int) -> None:
    assert 0 < jvm_default(mib) <= mib / 2
    assert 256 <= node_default((22,), mib) <= 2048


@given(st.lists(st.text(max_size=30), max_size=5))
def test_nothing_that_is_written_is_too_strange(words: list[str]) -> None:
    for size in (jvm_told(words, 1000), node_told(words, 1000)):
        assert size is None or size.mib is None or size.mib >= 0
    jvm_words(words)
