"""Image references are read as Docker reads them. The cases are those of the reference implementation's own grammar."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.facts.image import ImageReference, parse_image, tag_has, tag_version

DIGEST = "sha256:" + "a1" * 32


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "digest", "familiar"),
    [
        ("redis", "docker.io", "library/redis", "", "", "redis"),
        ("redis:7-alpine", "docker.io", "library/redis", "7-alpine", "", "redis"),
        ("library/redis", "docker.io", "library/redis", "", "", "redis"),
        ("docker.io/redis", "docker.io", "library/redis", "", "", "redis"),
        ("index.docker.io/library/redis", "docker.io", "library/redis", "", "", "redis"),
        ("grafana/grafana:11.0.0", "docker.io", "grafana/grafana", "11.0.0", "", "grafana/grafana"),
        ("library/a/b", "docker.io", "library/a/b", "", "", "library/a/b"),
        ("ghcr.io/x/y:v1", "ghcr.io", "x/y", "v1", "", "ghcr.io/x/y"),
        ("localhost/x", "localhost", "x", "", "", "localhost/x"),
        ("localhost:5000/x:1", "localhost:5000", "x", "1", "", "localhost:5000/x"),
        ("registry:5000/x", "registry:5000", "x", "", "", "registry:5000/x"),
        ("[::1]:5000/x", "[::1]:5000", "x", "", "", "[::1]:5000/x"),
        ("Registry/x", "Registry", "x", "", "", "Registry/x"),
        ("a__b/c-_d", None, "", "", "", ""),
        ("a__b/c--d.e_f", "docker.io", "a__b/c--d.e_f", "", "", "a__b/c--d.e_f"),
        (f"redis@{DIGEST}", "docker.io", "library/redis", "", DIGEST, "redis"),
        (f"redis:7@{DIGEST}", "docker.io", "library/redis", "7", DIGEST, "redis"),
    ],
)
def test_normalises(text: str, registry: str | None, repository: str, tag: str, digest: str, familiar: str) -> None:
    image = parse_image(text)
    if registry is None:
        assert image is None
        return
    assert image == ImageReference(registry, repository, tag, digest)
    assert image.familiar == familiar


@pytest.mark.parametrize(
    "text",
    [
        "",
        " redis",
        "redis\n",
        "redis:",
        "redis:${TAG}",
        "${IMAGE}",
        "$IMAGE:1",
        "{{ image }}",
        "Redis",
        "redis:-x",
        "redis:" + "x" * 129,
        "a" * 256,
        "/redis",
        "redis/",
        "a//b",
        "a.-b/c/d_",
        "-x.example/y",
        "http://x/y",
        "redis@sha256:abc",
        "redis@md5:" + "a" * 32,
        "redis@sha256:" + "A1" * 32,
        "0123456789abcdef" * 4,
        "x" * 100_000,
    ],
)
def test_refuses(text: str) -> None:
    assert parse_image(text) is None


@given(st.text(alphabet="aZ09._-/:@[]${} \n", max_size=80))
def test_any_text_is_read_or_refused_and_stays_the_same(text: str) -> None:
    image = parse_image(text)
    assert image is None or parse_image(str(image)) == image


def test_the_tag_that_is_pulled() -> None:
    images = [parse_image(text) for text in ("redis", "redis:7", f"redis@{DIGEST}")]
    assert [image and image.effective_tag for image in images] == ["latest", "7", ""]


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("16", (16,)),
        ("16.4-alpine3.20", (16, 4)),
        ("v3.1", (3, 1)),
        ("8.0.36-debian", (8, 0, 36)),
        ("17beta1", (17,)),
        ("8.0-rc2", (8, 0)),
        ("3.13-rc-slim", (3, 13)),
        ("latest", None),
        ("alpine3.20", None),
        ("2b3f9ac", None),
        ("", None),
        ("vendor", None),
    ],
)
def test_version(tag: str, version: tuple[int, ...] | None) -> None:
    assert tag_version(tag) == version


@pytest.mark.parametrize(
    ("tag", "word", "has"),
    [
        ("16-alpine", "alpine", True),
        ("16-alpine3.20", "alpine", True),
        ("alpine", "alpine", True),
        ("3.11-slim-bookworm", "bookworm", True),
        ("16", "alpine", False),
        ("notalpine", "alpine", False),
        ("alpinelike", "alpine", False),
    ],
)
def test_variant(tag: str, word: str, has: bool) -> None:
    assert tag_has(tag, word) is has
