"""The strategic-merge patch that makes one object of Kubernetes into another. Knows which lists merge; no rule, no file.

Data is plain: mappings, lists, and single values of any kind that compares. Which lists merge, and by which key, is what the
API says of its fields (x-kubernetes-patch-merge-key in kubernetes/kubernetes api/openapi-spec/swagger.json, v1.32); how
kustomize carries that out was measured with 5.5.0, which the tests ask. Kinds that are not Kubernetes' own have no such
lists: there a list is replaced as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from hardener.errors import CannotWrite
from hardener.record import NamedTuple

Data: TypeAlias = Any


class _Field(NamedTuple):
    """What is known of a field: the fields in it (or in the items of its list), and the key by which its list merges."""

    fields: Mapping[str, _Field] = {}
    merge_key: str = ""
    #: Whether the order of the list decides what happens.
    ordered: bool = False


_CONTAINER = {
    "env": _Field(merge_key="name", ordered=True),
    "ports": _Field(merge_key="containerPort"),
    "volumeMounts": _Field(merge_key="mountPath"),
    "volumeDevices": _Field(merge_key="devicePath"),
}
_POD = {
    "containers": _Field(_CONTAINER, "name", ordered=True),  # tools take the first for the one that is meant
    "initContainers": _Field(_CONTAINER, "name", ordered=True),
    "ephemeralContainers": _Field(_CONTAINER, "name"),
    "volumes": _Field(merge_key="name"),
    "imagePullSecrets": _Field(merge_key="name"),
    "hostAliases": _Field(merge_key="ip"),
    "topologySpreadConstraints": _Field(merge_key="topologyKey"),
}
_TEMPLATE = {"template": _Field({"spec": _Field(_POD)})}
_WITH_TEMPLATE = {"spec": _Field(_TEMPLATE)}
_FIELDS: dict[tuple[str, str], Mapping[str, _Field]] = {
    ("", "Pod"): {"spec": _Field(_POD)},
    ("", "PodTemplate"): _TEMPLATE,
    ("", "ReplicationController"): _WITH_TEMPLATE,
    ("apps", "Deployment"): _WITH_TEMPLATE,
    ("apps", "StatefulSet"): _WITH_TEMPLATE,
    ("apps", "DaemonSet"): _WITH_TEMPLATE,
    ("apps", "ReplicaSet"): _WITH_TEMPLATE,
    ("batch", "Job"): _WITH_TEMPLATE,
    ("batch", "CronJob"): {"spec": _Field({"jobTemplate": _Field({"spec": _Field(_TEMPLATE)})})},
}
#: The versions that kustomize knows the fields of; objects of older ones merge as strange kinds do.
_VERSIONS = frozenset(("v1", "apps/v1", "batch/v1"))
_GONE = object()
_DELETE = "$patch"


def patch(before: Mapping[Any, Data], after: Mapping[Any, Data]) -> dict[Any, Data]:
    """The patch that makes an object what it is in `after`, with what names the object; empty where both are equal.

    Raises `CannotWrite` where a patch cannot say it: for an object without a name, or lists whose items it cannot tell apart.
    """
    fields = _fields(before)
    delta = _mapping(before, after, fields, ())
    if not delta:
        return {}
    for key in ("apiVersion", "kind"):
        if key in delta:
            raise CannotWrite(f"`{key}` changes")
    metadata = before.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if "apiVersion" not in before:
        raise CannotWrite("it has no `apiVersion`, which a patch names")
    if name is None or not isinstance(metadata, Mapping):
        raise CannotWrite("it has no name that a patch could find it by")
    identity = {key: metadata[key] for key in ("name", "namespace") if metadata.get(key) is not None}
    if any(key in delta.get("metadata", {}) for key in ("name", "namespace")):
        raise CannotWrite("its name changes")
    made = {"apiVersion": before["apiVersion"], "kind": before["kind"], "metadata": identity | delta.pop("metadata", {}), **delta}
    if not same(patched(before, made), after, fields):
        raise CannotWrite("a patch of it would not say the same")
    return made


def replaces_lists(thing: Mapping[Any, Data]) -> bool:
    """Whether a patch of an object repeats whole lists, since its kind has none that merge."""
    return not _fields(thing)


def patched(before: Mapping[Any, Data], made: Mapping[Any, Data]) -> dict[Any, Data]:
    """What an object becomes by a patch, as kustomize makes it."""
    return _merged(before, made, _fields(before))


def same(one: Data, other: Data, fields: Mapping[str, _Field] | None = None) -> bool:
    """Whether two objects say the same, whatever the order of lists in which it means nothing."""
    fields = _fields(one) if fields is None else fields
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        mine, theirs = _without_nulls(one), _without_nulls(other)
        return mine.keys() == theirs.keys() and all(
            _same_field(value, theirs[key], fields.get(_text(key), _Field())) for key, value in mine.items()
        )
    if _is_list(one) and _is_list(other):
        return len(one) == len(other) and all(same(a, b, fields) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def _same_field(one: Data, other: Data, field: _Field) -> bool:
    if field.merge_key and not field.ordered and _is_list(one) and _is_list(other):
        mine, theirs = _by_key(one, field.merge_key), _by_key(other, field.merge_key)
        if mine is not None and theirs is not None:
            return mine.keys() == theirs.keys() and all(same(item, theirs[key], field.fields) for key, item in mine.items())
    return same(one, other, field.fields)


def _fields(thing: Mapping[Any, Data]) -> Mapping[str, _Field]:
    version = _text(thing.get("apiVersion"))
    known = _FIELDS.get((version.rpartition("/")[0], _text(thing.get("kind"))))
    return known if known is not None and version in _VERSIONS else {}


def _mapping(
    before: Mapping[Any, Data], after: Mapping[Any, Data], fields: Mapping[str, _Field], path: tuple[str, ...]
) -> dict[Any, Data]:
    delta: dict[Any, Data] = {}
    old, new = _without_nulls(before), _without_nulls(after)
    for key, value in new.items():
        if key not in old:
            delta[key] = _set(value)
            continue
        said = _value(old[key], value, fields.get(_text(key), _Field()), (*path, _text(key)))
        if said is not _GONE:
            delta[key] = said
    return delta | {key: None for key in old if key not in new}


def _value(before: Data, after: Data, field: _Field, path: tuple[str, ...]) -> Data:
    """What a patch says of a value; `_GONE` for nothing."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return _mapping(before, after, field.fields, path) or _GONE
    if field.merge_key and _is_list(before) and _is_list(after):
        return _named(before, after, field, path) or _GONE
    return _GONE if same(before, after, field.fields) else _set(after)


def _named(before: Sequence[Data], after: Sequence[Data], field: _Field, path: tuple[str, ...]) -> list[Data]:
    """What a patch says of a list that merges by a key. Raises `CannotWrite` where the key does not tell its items apart."""
    if same(before, after, field.fields):
        return []
    old, new = _by_key(before, field.merge_key), _by_key(after, field.merge_key)
    where = ".".join(path)
    if old is None or new is None:
        raise CannotWrite(f"items of `{where}` have no `{field.merge_key}` of their own, by which they are merged")
    said: dict[Any, dict[Any, Data]] = {}
    for key, item in new.items():
        inner = _set(item) if key not in old else _mapping(old[key], item, field.fields, (*path, _text(key)))
        if inner:
            said[key] = {field.merge_key: item[field.merge_key]} | inner
    if field.ordered:
        said = _in_order(old, new, said, field)
    gone = [{field.merge_key: item[field.merge_key], _DELETE: "delete"} for key, item in old.items() if key not in new]
    return [*said.values(), *gone]


def _in_order(
    old: Mapping[Any, Mapping[Any, Data]], new: Mapping[Any, Data], said: Mapping[Any, dict[Any, Data]], field: _Field
) -> dict[Any, dict[Any, Data]]:
    """A list's patch that also keeps its order: what a patch names comes first, so that all before the last change is named."""
    keys = list(new)
    first = max((keys.index(key) + 1 for key in said), default=0)
    while [key for key in old if key in new and key not in keys[:first]] != keys[first:]:
        first += 1
    return {key: said.get(key, {field.merge_key: new[key][field.merge_key]}) for key in keys[:first]}


def _merged(before: Mapping[Any, Data], made: Mapping[Any, Data], fields: Mapping[str, _Field]) -> dict[Any, Data]:
    after = dict(before)
    for key, said in made.items():
        field = fields.get(_text(key), _Field())
        value: Data = before.get(key)
        if said is None:
            after.pop(key, None)
        elif isinstance(said, Mapping) and isinstance(value, Mapping):
            after[key] = _merged(value, said, field.fields)
        elif field.merge_key and _is_list(said) and _is_list(value):
            after[key] = _merged_list(value, said, field)
        else:
            after[key] = said
    return after


def _merged_list(before: Sequence[Data], said: Sequence[Data], field: _Field) -> list[Data]:
    """What the patch names comes first, in its order, whether it is new or not; kustomize has it so."""
    rest = _by_key(before, field.merge_key) or {}
    first = []
    for item in said:
        old = rest.pop(item[field.merge_key], None)
        if _DELETE not in item:
            first.append(item if old is None else _merged(old, item, field.fields))
    return [*first, *rest.values()]


def _by_key(items: Sequence[Data], key: str) -> dict[Any, Mapping[Any, Data]] | None:
    """Items of a list by their merge key, in order; None where one has none, or two have the same."""
    found: dict[Any, Mapping[Any, Data]] = {}
    for item in items:
        if not isinstance(item, Mapping) or item.get(key) is None or isinstance(item[key], (Mapping, list)) or item[key] in found:
            return None
        found[item[key]] = item
    return found


def _without_nulls(mapping: Mapping[Any, Data]) -> dict[Any, Data]:
    """A null in an object is a field that is not set."""
    return {key: value for key, value in mapping.items() if not _is_null(value)}


def _set(value: Data) -> Data:
    """A value without the fields in it that are not set: in a patch, a null takes away."""
    if isinstance(value, Mapping):
        return {key: _set(item) for key, item in _without_nulls(value).items()}
    return [_set(item) for item in value] if _is_list(value) else value


def _is_null(value: Data) -> bool:
    return value is None or getattr(value, "said", _GONE) is None


def _is_list(value: Data) -> bool:
    return isinstance(value, (list, tuple))


def _text(value: Data) -> str:
    """The text of a single value, however it is held."""
    said = getattr(value, "said", value)
    return str(said[0]) if isinstance(said, tuple) else "" if said is None else str(said)
