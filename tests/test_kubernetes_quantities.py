"""Amounts as Kubernetes writes them.

The tables are by hand, from the grammar and the examples in the API reference of Quantity and the page
concepts/configuration/manage-resources-containers.
"""

from __future__ import annotations

import pytest
from pods import container

from hardener.facts.kubernetes.quantities import parse_quantity, write_cpu, write_memory

MEBI = 1024 * 1024


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("1", 1),
        ("0.5", 0.5),
        (".5", 0.5),
        ("5.", 5),
        ("+1", 1),
        ("-1", -1),
        ("500m", 0.5),
        ("0.1", 0.1),
        ("100m", 0.1),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1e+3", 1000),
        ("12e-1", 1.2),
        ("1k", 1000),
        ("1M", 10**6),
        ("1E", 10**18),
        ("1Ki", 1024),
        ("1.5Gi", 1.5 * 1024**3),
        ("2Ei", 2 * 1024**6),
        ("7u", 7e-6),
        ("7n", 7e-9),
        # The same amount of memory, or nearly, as the documentation has it.
        ("128974848", 128974848),
        ("129e6", 129 * 10**6),
        ("129M", 129 * 10**6),
        ("128974848000m", 128974848),
        ("123Mi", 128974848),
    ],
)
def test_amounts(text: str, number: float) -> None:
    assert parse_quantity(text) == pytest.approx(number)


@pytest.mark.parametrize(
    "text",
    [
        *"1K 1mi 1MB 512mb 1Kib 1g 0x10 1_000 1,5 ${MEMORY} $(MEMORY) 1e 1ee3 e3 Gi . -- 1.2.3 1e3M infinity NaN".split(),
        "",
        "1 Gi",
        "1Gi # much",
        "9" * 50,
    ],
)
def test_what_is_no_amount(text: str) -> None:
    assert parse_quantity(text) is None


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (64 * MEBI, "64Mi"),
        (1024 * MEBI, "1Gi"),
        (1536 * MEBI, "1536Mi"),
        (3 * 1024, "3Ki"),
        (1000, "1000"),
        (129 * 10**6, "129000000"),
    ],
)
def test_memory_is_written_in_the_largest_unit_that_divides_it(count: float, text: str) -> None:
    assert write_memory(count) == text
    assert parse_quantity(text) == count


@pytest.mark.parametrize(("cores", "text"), [(1.0, "1"), (2.0, "2"), (0.5, "500m"), (1.5, "1500m"), (0.1, "100m"), (0.001, "1m")])
def test_cores_are_written_in_thousandths(cores: float, text: str) -> None:
    assert write_cpu(cores) == text
    assert parse_quantity(text) == pytest.approx(cores)


@pytest.mark.parametrize(
    ("resources", "memory", "limit"),
    [
        ("{}", 0, None),
        ("{requests: {memory: 64Mi}}", 64 * MEBI, None),
        ("{limits: {memory: 128Mi}}", 128 * MEBI, 128 * MEBI),  # asked for too, where nothing else is
        ("{requests: {memory: 64Mi}, limits: {memory: 128Mi}}", 64 * MEBI, 128 * MEBI),
        ("{limits: {memory: 134217728}}", 128 * MEBI, 128 * MEBI),
        ("{limits: {cpu: 1}}", 0, None),
        ("{limits: {memory: lots}}", 0, -1),  # somebody's limit, of unknown amount
        ("{limits: {memory: null}}", 0, None),
    ],
)
def test_what_is_kept_and_what_is_allowed(resources: str, memory: float, limit: float | None) -> None:
    text = f"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - {{name: a, image: b:1, resources: {resources}}}\n"
    one = container(text)
    assert one.reserved_memory == memory
    assert (one.memory.effective and one.memory.effective.number) == limit
