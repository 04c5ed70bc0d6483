"""The pods of one manifest as plain data, typed as they reach the API server. Knows no setting and no level."""

from __future__ import annotations

import re

from hardener.errors import Unreadable
from hardener.facts.kubernetes.workloads import pods
from hardener.facts.merged import sources, target
from hardener.record import NamedTuple
from hardener.source import Source
from hardener.syntax.yaml import Mapping, Node, Scalar, Sequence, YamlError, parse

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
    name: str
    namespace: str
    #: Where the object says what it is; from 1.
    line: int
    #: The pod's spec, and the annotations that the pod itself gets: what JSON can say.
    spec: object
    annotations: object

    @property
    def is_whole(self) -> bool:
        """Whether any container has an image: without one it is a patch for an object that stands elsewhere."""
        lists = [self.spec.get(key) for key in ("containers", "initContainers")] if isinstance(self.spec, dict) else []
        items = [item for one in lists if isinstance(one, list) for item in one]
        return any(isinstance(item, dict) and item.get("image") for item in items)


def read_pods(source: Source) -> list[PodData]:
    """The pods of a manifest, in order. Raises `Unreadable` for what is no YAML, and for a template."""
    try:
        tree = parse(source.text)
    except YamlError as error:
        if "{{" in source.text or "{%" in source.text:
            raise _template(source, error.line) from None
        raise Unreadable(source.path, error.reason, "mend the YAML, then run again", error.line) from None
    if tree.templates:
        raise _template(source, source.position(tree.templates[0].start).line)
    return [
        PodData(
            pod.owner.kind,
            pod.owner.name,
            pod.owner.namespace,
            source.position(pod.owner.key.start).line,
            plain(pod.spec),
            plain(pod.metadata.get("annotations")) if pod.metadata is not None else None,
        )
        for pod in pods(tree)
    ]


def plain(node: Node | None) -> object:
    """What a node says in JSON, merges and aliases followed; None where there is none.

    What an alias stands for is one object wherever it stands: it may stand for very much.
    """
    return None if node is None else _plain(target(node), {})


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


def _template(source: Source, line: int) -> Unreadable:
    return Unreadable(source.path, "a template, not YAML as it stands", "run harden on what the template makes", line)
