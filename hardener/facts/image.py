"""Image references: registry, repository, tag and digest, as Docker reads them. Knows no image and asks no registry."""

from __future__ import annotations

import re
from functools import lru_cache

from hardener.record import NamedTuple

DOCKER_HUB = "docker.io"
_OLD_DOCKER_HUB = "index.docker.io"
_OFFICIAL = "library/"

#: Longer text is no reference; the grammar itself bounds repository (255), tag (128) and digest, but not the registry.
_LONGEST = 1024
_LONGEST_REPOSITORY = 255
#: Hexadecimal characters of each digest that the reference implementation accepts.
_DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}


class ImageReference(NamedTuple):
    """A normalised reference: `redis` has registry `docker.io` and repository `library/redis`."""

    registry: str
    repository: str
    #: Empty when none is written.
    tag: str = ""
    #: With its algorithm, as in `sha256:...`; empty when none is written.
    digest: str = ""

    @property
    def familiar(self) -> str:
        """The name as people write it, without tag and digest: `redis`, `grafana/grafana`, `ghcr.io/x/y`."""
        if self.registry != DOCKER_HUB:
            return f"{self.registry}/{self.repository}"
        rest = self.repository.removeprefix(_OFFICIAL)
        return self.repository if "/" in rest else rest

    @property
    def effective_tag(self) -> str:
        """The tag that is pulled: `latest` where neither tag nor digest is written, empty for a digest alone."""
        return self.tag or ("" if self.digest else "latest")

    def __str__(self) -> str:
        return self.familiar + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


@lru_cache(maxsize=1)
def _grammar() -> re.Pattern[str]:
    # The grammar of github.com/distribution/reference (regexp.go), with the registry already split off.
    part = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
    return re.compile(rf"({part}(?:/{part})*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}))?(?:@([a-z0-9]+):([a-f0-9]+))?")


@lru_cache(maxsize=1)
def _registry_grammar() -> re.Pattern[str]:
    label = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    return re.compile(rf"(?:{label}(?:\.{label})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")


def parse_image(text: str) -> ImageReference | None:
    """Read an image reference; None for what Docker would refuse, such as an unresolved `${TAG}`.

    Normalises like `ParseNormalizedNamed` of github.com/distribution/reference: a first part without dot, colon
    or capital letter, other than `localhost`, belongs to the repository on Docker Hub.
    """
    if not 0 < len(text) <= _LONGEST:
        return None
    registry, slash, rest = text.partition("/")
    if not slash or ("." not in registry and ":" not in registry and registry != "localhost" and registry == registry.lower()):
        registry, rest = DOCKER_HUB, text
    elif _registry_grammar().fullmatch(registry) is None:
        return None
    match = _grammar().fullmatch(rest)
    if match is None:
        return None
    repository, tag, algorithm, hexadecimal = match.groups()
    if algorithm is not None and len(hexadecimal) != _DIGEST_LENGTHS.get(algorithm):
        return None
    if rest is text and len(text) == 64 and not text.strip("0123456789abcdef"):
        return None  # the id of a local image, which Docker refuses as a name
    if registry == _OLD_DOCKER_HUB:
        registry = DOCKER_HUB
    if registry == DOCKER_HUB and "/" not in repository:
        repository = _OFFICIAL + repository
    if len(repository) > _LONGEST_REPOSITORY:
        return None
    return ImageReference(registry, repository, tag or "", f"{algorithm}:{hexadecimal}" if algorithm else "")


def tag_version(tag: str) -> tuple[int, ...] | None:
    """The version that a tag begins with: (16, 4) for `16.4-alpine`, (3, 1) for `v3.1`; None where it has none.

    A letter after the number makes it no version (`2b3f9ac`), unless it marks a preview (`17beta1`, `8.0-rc2`). A release that
    is called by its date has that for a version: (2025, 9, 7) for `RELEASE.2025-09-07T16-13-09Z`.
    """
    if tag.startswith("RELEASE."):
        date = re.match(r"RELEASE\.([0-9]{4})-([0-9]{2})-([0-9]{2})", tag)
        return tuple(map(int, date.groups())) if date else None
    match = re.match(r"v?([0-9]+(?:\.[0-9]+)*)(?![0-9A-Za-z])|v?([0-9]+(?:\.[0-9]+)*)(?=(?:alpha|beta|rc|preview)[0-9]*)", tag)
    if match is None:
        return None
    return tuple(map(int, (match[1] or match[2]).split(".")))


def tag_has(tag: str, word: str) -> bool:
    """Whether a tag names a variant: `16-alpine3.20` has `alpine`, `3.11-slim-bookworm` has `slim` and `bookworm`."""
    return any(part == word or (part.startswith(word) and not part[len(word) :].strip("0123456789.")) for part in tag.split("-"))
