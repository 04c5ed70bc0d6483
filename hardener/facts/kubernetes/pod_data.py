"""The pods of one manifest as plain data, typed as they reach the API server. Knows no setting and no level."""

from __future__ import annotations

import re
from typing import Any

from hardener.facts.kubernetes.manifest import ManifestFile
from hardener.facts.kubernetes.pod import Pod
from hardener.facts.kubernetes.workloads import pods
from hardener.facts.merged import lookup, sources, target
from hardener.finding import Place
from hardener.record import NamedTuple
from hardener.source import Source
from hardener.syntax.yaml import Mapping, Node, Scalar, Sequence

#: Plain scalars as goyaml.v2 reads them, through which manifests become JSON (kubernetes-sigs/yaml, goyaml.v2/resolve.go,
#: 742f5e6f06b9847d2d7e4efa2fe6587f64897ad0): the words of YAML 1.1, Go's prefixes of numbers, nothing in base 60.
_WORDS: dict[str, bool | None] = {
    form: meaning
    for words, meaning in (("y yes true on", True), ("n no false off", False), ("null", None))
    for word in words.split()
    for form in (word, word.capitalize(), word.upper())
} | {"": None, "~": None}
_NUMBERS = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9][0-9]*)")
_FLOATS = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
#: What is longer fits no number that the API server takes.
_LONGEST_NUMBER = 400
_TEXT_TAGS = ("!", "!!str", "tag:yaml.org,2002:str")


class PodData(NamedTuple):
    """A pod that an object of a manifest asks for."""

    kind: str
    #: The name and the namespace of the object; empty where it has none.
    name: str
    namespace: str
    #: Where the object says what it is.
    place: Place
    #: The pod's spec, and the annotations that the pod itself gets: what JSON can say.
    spec: object
    annotations: object
    #: It only changes a pod that is written elsewhere.
    is_patch: bool


def read_pods(source: Source) -> list[PodData]:
    """The pods of a manifest, in order. Raises `Unreadable` for what is no manifest as it stands."""
    file = ManifestFile(source)
    return [_read(Pod(file, node, number)) for number, node in enumerate(pods(file.tree))]


def _read(pod: Pod) -> PodData:
    owner, metadata = pod.node.owner, pod.node.metadata
    annotations = lookup(metadata, None, "annotations") if metadata is not None else None
    return PodData(
        owner.kind,
        owner.name,
        owner.namespace,
        pod.place,
        plain(pod.mapping),
        plain(annotations.node) if annotations is not None else None,
        pod.is_patch,
    )


def plain(node: Node) -> object:
    """What a node says in JSON, merges and aliases followed.

    What an alias stands for is one object wherever it stands: it may stand for very much.
    """
    known: dict[int, object] = {}
    waiting: list[tuple[Mapping | Sequence, Any]] = []

    def data(node: Node) -> object:
        node = target(node)
        if isinstance(node, Scalar):
            return _scalar(node)
        assert isinstance(node, (Mapping, Sequence))
        if id(node) not in known:
            made: Any = {} if isinstance(node, Mapping) else []
            known[id(node)] = made
            waiting.append((node, made))
        return known[id(node)]

    whole = data(node)
    while waiting:  # not by calls of itself: aliases in what aliases stand for nest deeper than any text
        at, made = waiting.pop()
        if isinstance(at, Sequence):
            made += map(data, at.items)
            continue
        for mapping, _ in reversed(sources(at)):  # the nearest last: it wins
            made |= {p.key.value: data(p.value) for p in mapping.pairs if isinstance(p.key, Scalar) and p.key.value != "<<"}
    return whole


def _scalar(node: Scalar) -> object:
    text = node.value
    if node.style or node.tag in _TEXT_TAGS:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    digits = text.replace("_", "")
    if len(digits) > _LONGEST_NUMBER:
        return text
    if _NUMBERS.fullmatch(digits):
        sign = -1 if digits[0] == "-" else 1
        digits = digits.lstrip("+-").lower()
        base = {"0x": 16, "0b": 2, "0o": 8}.get(digits[:2])
        if base:
            return sign * int(digits[2:], base)
        return sign * int(digits, 8 if digits[0] == "0" else 10)
    return float(digits) if _FLOATS.fullmatch(digits) else text
