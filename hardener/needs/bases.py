"""What images are like that Dockerfiles begin from: family, users, how they start. Knows no Dockerfile and no rule.

The facts are data in `bases.toml`, each with its source. The file is read in pieces, because parsing all of it would cost
more than a whole run may.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from hardener.facts.image import ImageReference, tag_has, tag_version
from hardener.finding import Evidence, Strength
from hardener.record import NamedTuple

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bases.toml")

#: Official images are also published per architecture, under the same names.
ARCHITECTURES = frozenset(("amd64", "arm32v5", "arm32v6", "arm32v7", "arm64v8", "armhf", "i386", "ppc64le", "riscv64", "s390x"))
_MIRRORS = ("public.ecr.aws/docker/library/", "mirror.gcr.io/library/")
_NEWEST = (1_000_000,)


class Account(NamedTuple):
    """An unprivileged user of an image."""

    name: str
    uid: int
    gid: int


class Base(NamedTuple):
    """What is known about an image that others are built from; see the head of `bases.toml`."""

    family: str
    account: Account | None
    starts_as: Account | None
    serves: str
    steps_down: str
    needs_root: str
    writes: tuple[str, ...]
    #: "none" or "exec" where an own CMD is all that is started; empty where that is not known.
    entrypoint: str
    evidence: Evidence


@lru_cache(maxsize=256)
def find_base(image: ImageReference) -> Base | None:
    """What is known about an image; None when nothing is."""
    name = image.familiar
    for mirror in _MIRRORS:
        name = name.removeprefix(mirror)
    architecture, slash, rest = name.partition("/")
    if slash and architecture in ARCHITECTURES:
        name = rest
    head, tables = _pieces()
    for table in tables:
        if any(f'"{pattern}"' in table for pattern in _patterns(name)):
            facts = _read(table)["base"][0]
            words = facts.get("when", ())
            if not words or any(tag_has(image.tag, word) for word in words):
                return _base(facts, image, head, table)
    return None


def _patterns(name: str) -> list[str]:
    folder, slash, last = name.rpartition("/")
    patterns = [name]
    while slash:
        patterns.append(f"{folder}/*")
        if "-" in last:
            patterns.append(f"{folder}/{last.partition('-')[0]}-*")
        folder, slash, last = folder.rpartition("/")
    return patterns


def _base(facts: dict[str, Any], image: ImageReference, head: str, table: str) -> Base:
    family = next((kind for word, kind in _tags(head).items() if tag_has(image.tag, word)), facts["family"])
    version = tag_version(image.tag) or _NEWEST
    there = version >= tuple(map(int, facts.get("since", "0").split(".")))
    account = facts.get("on_alpine" if family == "alpine" and "on_alpine" in facts else "account")
    repository, commit, file, *kind = _source(head, facts["source"]).split()
    return Base(
        family=family,
        account=_account(account) if there else None,
        starts_as=_account(facts.get("starts_as")) if there else None,
        serves=facts.get("serves", ""),
        steps_down=facts.get("steps_down", ""),
        needs_root=facts.get("needs_root", ""),
        writes=tuple(facts.get("writes", ())),
        entrypoint=facts.get("entrypoint", ""),
        evidence=Evidence(
            _claim(facts, there), f"{repository} {file} at {commit[:7]}", Strength.DOCUMENTED if kind else Strength.READ
        ),
    )


def _claim(facts: dict[str, Any], there: bool) -> str:
    if there and "account" in facts:
        return f"the image brings the user {facts['account'].partition(':')[0]}"
    return "the image brings no user for programs"


def _account(text: str | None) -> Account | None:
    if text is None:
        return None
    name, uid, gid = text.split(":")
    return Account(name, int(uid), int(gid))


@lru_cache(maxsize=1)
def _pieces() -> tuple[str, tuple[str, ...]]:
    with open(DATA, encoding="utf-8") as file:
        head, *tables = file.read().split("[[base]]\n")
    return head, tuple("[[base]]\n" + table for table in tables)


@lru_cache(maxsize=1)
def _tags(head: str) -> dict[str, str]:
    found: dict[str, str] = _read("[tags]\n" + head.partition("\n[tags]\n")[2].partition("\n[")[0])["tags"]
    return found


def _source(head: str, name: str) -> str:
    sources = head.partition("\n[source]")[2]
    line = sources[sources.index(f"\n{name} = ") + 1 :].partition("\n")[0]
    text: str = _read(line)[name]
    return text


def _read(text: str) -> dict[str, Any]:
    import tomllib

    return tomllib.loads(text)
