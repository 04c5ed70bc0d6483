"""The pods of one manifest as plain data, typed as they reach the API server. Knows no setting and no level."""

from __future__ import annotations

import re

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
    return _plain(target(node), {})


def _plain(node: Node, known: dict[int, object]) -> object:
    if isinstance(node, Scalar):
        return _scalar(node)
    if id(node) in known:
        return known[id(node)]
    if isinstance(node, Sequence):
        items = [_plain(target(item), known) for item in node.items]
        known[id(node)] = items
        return items
    pairs: dict[str, object] = {}
    if isinstance(node, Mapping):
        for mapping, _ in reversed(sources(node)):  # the nearest last: it wins
            for pair in mapping.pairs:
                if isinstance(pair.key, Scalar) and pair.key.value != "<<":
                    pairs[pair.key.value] = _plain(target(pair.value), known)
    known[id(node)] = pairs
    return pairs


def _scalar(node: Scalar) -> object:
    text = node.value
    if node.style or node.tag in _TEXT_TAGS:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    digits = text.replace("_", "")
    if _NUMBERS.fullmatch(digits):
        sign = -1 if digits[0] == "-" else 1
        digits = digits.lstrip("+-").lower()
        base = {"0x": 16, "0b": 2, "0o": 8}.get(digits[:2])
        if base:
            return sign * int(digits[2:], base)
        return sign * int(digits, 8 if digits[0] == "0" else 10)
    return float(digits) if _FLOATS.fullmatch(digits) else text
