"""What outsiders say of manifests: PyYAML, the schemas of Kubernetes, and what a container may do. Knows nothing of the tool.

Paths are tuples of keys; items of lists have their number as text. A pod's spec is recognised by its list of containers.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import yaml
from yaml_oracle import Loader

Path = tuple[str, ...]
LISTS = ("initContainers", "containers", "ephemeralContainers")
#: The capabilities that containerd and CRI-O grant when nothing is said (containerd, pkg/oci/spec.go: defaultUnixCaps).
GRANTED = frozenset(
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID "
    "SYS_CHROOT".split()
)
_LIMITS = {("resources", kind, name) for kind in ("limits", "requests") for name in ("memory", "cpu")}
_SECURITY = "securityContext"
#: What the fixes of a rule may change in a container; a rule that is in neither table changes no manifest.
CONTAINER_CHANGES: dict[str, set[Path]] = {
    "excess-capabilities": {(_SECURITY, "capabilities", "drop"), (_SECURITY, "capabilities", "add")},
    "added-capability": {(_SECURITY, "capabilities", "add")},
    "privilege-escalation": {(_SECURITY, "allowPrivilegeEscalation")},
    "privileged-container": {(_SECURITY, "privileged"), (_SECURITY, "capabilities", "add")},
    "writable-root-filesystem": {(_SECURITY, "readOnlyRootFilesystem"), ("volumeMounts",)},
    "unlimited-memory": {path for path in _LIMITS if path[2] == "memory"},
    "unlimited-cpu": {path for path in _LIMITS if path[2] == "cpu"},
    "root-user": {(_SECURITY, "runAsNonRoot"), (_SECURITY, "runAsUser"), (_SECURITY, "runAsGroup")},
    # With the numbers of the account that it is anyway.
    "root-not-refused": {(_SECURITY, "runAsNonRoot"), (_SECURITY, "runAsUser"), (_SECURITY, "runAsGroup")},
    "unconfined-seccomp": {(_SECURITY, "seccompProfile")},
    "unconfined-apparmor": {(_SECURITY, "appArmorProfile")},
    "unmasked-proc": {(_SECURITY, "procMount")},
    "jvm-heap-ignores-limit": {("env",)},
    "node-heap-ignores-limit": {("env",)},
}
#: What they may change in the spec of the pod, for all its containers.
POD_CHANGES: dict[str, set[Path]] = {
    "writable-root-filesystem": {("volumes",)},
    "root-user": {
        (_SECURITY, key) for key in ("runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup", "fsGroupChangePolicy", "sysctls")
    },
    "root-not-refused": {(_SECURITY, "runAsNonRoot"), (_SECURITY, "runAsUser"), (_SECURITY, "runAsGroup")},
    "unconfined-seccomp": {(_SECURITY, "seccompProfile")},
    "unconfined-apparmor": {(_SECURITY, "appArmorProfile")},
    "mounted-service-account-token": {("automountServiceAccountToken",)},
}
#: And in the metadata of the pod.
METADATA_CHANGES: dict[str, set[Path]] = {"unconfined-apparmor": {("annotations",)}}
#: Lists that get more items, while those that are there stay as they are.
_GROWING = frozenset(("volumes", "volumeMounts", "sysctls"))


# Texts.


def is_manifest(name: str, data: bytes) -> bool:
    """Whether a file says that it holds objects of Kubernetes."""
    return (
        name.endswith((".yaml", ".yml", ".json"))
        and re.search(rb"""(?m)^\W*apiVersion\W""", data) is not None
        and re.search(rb"""\bkind["']?\s*:""", data) is not None
    )


def load(name: str, data: bytes) -> list[Any] | None:
    """The documents of a manifest; None when it is neither YAML nor JSON."""
    text = data.decode("utf-8-sig", "replace")
    try:
        return [json.loads(text)] if name.endswith(".json") else list(yaml.load_all(text, Loader))
    except (yaml.YAMLError, ValueError):
        return None


def objects(documents: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """Every object in documents, those in lists too."""
    for document in documents:
        if isinstance(document, list):
            yield from objects(document)
        elif isinstance(document, dict):
            if str(document.get("kind")) == "List" and isinstance(document.get("items"), list):
                yield from objects(document["items"])
            else:
                yield document


# Differences.


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The values in a document by path; a list without mappings is one value, and an empty mapping or a null is none."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, str(key)))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for at, item in enumerate(value):
            yield from leaves(item, (*path, str(at)))
    elif value is not None and value != []:
        yield path, value


def unplanned(before: Sequence[Any], after: Sequence[Any], rules: Iterable[str] | None = None) -> list[Path]:
    """Where documents differ although no fix of the rules may change anything there; None are all rules."""
    if len(before) != len(after):
        return [("documents", str(len(before)), str(len(after)))]
    chosen = None if rules is None else frozenset(rules)
    return [
        path
        for one, other in zip(before, after, strict=True)
        for path in sorted(_differences(one, other))
        if not _planned(path, dict(leaves(one)), chosen)
    ]


def _differences(before: Any, after: Any) -> set[Path]:
    one, other = dict(leaves(before)), dict(leaves(after))
    return {path for path in one.keys() | other.keys() if one.get(path) != other.get(path)}


def _planned(path: Path, before: Mapping[Path, Any], rules: frozenset[str] | None) -> bool:
    grown = next((at for at, key in enumerate(path) if key in _GROWING), None)
    if grown is not None and any(other[: grown + 2] == path[: grown + 2] for other in before):
        return False  # an item that was there
    below = [path[at + 2 :] for at, key in enumerate(path) if key in LISTS and path[at + 1 : at + 2]]
    if below:
        return any(rest[: len(keys)] == keys for rest in below for keys in _of(CONTAINER_CHANGES, rules))
    return any(
        path[at + 1 : at + 1 + len(keys)] == keys
        for above, table in (("spec", POD_CHANGES), ("metadata", METADATA_CHANGES))
        for at, key in enumerate(path)
        for keys in _of(table, rules)
        if key == above
    )


def _of(table: Mapping[str, set[Path]], rules: frozenset[str] | None) -> set[Path]:
    return {keys for rule, paths in table.items() if rules is None or rule in rules for keys in paths}


# Schemas.


def has_schemas() -> bool:
    """Whether kubernetes-validate is installed."""
    return importlib.util.find_spec("kubernetes_validate") is not None


def refused(before: Sequence[Any], after: Sequence[Any]) -> list[str]:
    """What the schemas of Kubernetes say against objects after, and did not say before of the same place.

    Unknown keys count. Kinds that are not Kubernetes' own, and versions that are gone, have no schema and are passed over.
    """
    said = []
    for one, other in zip(objects(before), objects(after), strict=True):
        if one != other:
            was = {at for at, _ in _errors(one)}
            said += [f"{one.get('kind')} {'.'.join(at[0])}: {message}"[:300] for at, message in _errors(other) if at not in was]
    return said


def _errors(one: Mapping[str, Any]) -> list[tuple[tuple[Path, str], str]]:
    """What the schema of an object says against it: where, by which word of JSON Schema, and the sentence."""
    validator = _validator(str(one.get("kind")).lower(), re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", str(one.get("apiVersion"))))
    if validator is None:
        return []
    errors = validator.iter_errors(json.loads(json.dumps(one, default=str)))  # a date is a text for the API server
    return [((tuple(map(str, error.absolute_path)), str(error.validator)), error.message) for error in errors]


@functools.cache
def _validator(kind: str, version: str) -> Any:
    """The schema of a kind, as `kubernetes_validate.validate` puts it together, which takes a quarter of a second each time."""
    from jsonschema.validators import Draft202012Validator
    from kubernetes_validate import utils
    from referencing import Resource

    latest = utils.latest_version()
    try:
        schema = utils.schema_contents(f"kubernetes-json-schema/v{latest}-local-strict/{kind}-{version}.json", latest)
    except (FileNotFoundError, utils.InvalidSchemaError):
        return None
    return Draft202012Validator(schema, registry=Resource.from_contents(schema) @ _definitions())


@functools.cache
def _definitions() -> Any:
    from kubernetes_validate import utils
    from referencing import Registry, Resource

    latest = utils.latest_version()
    definitions = utils.schema_contents(f"kubernetes-json-schema/v{latest}-local-strict/_definitions.json", latest)
    return (Resource.from_contents(definitions) @ Registry()).crawl()


# Power.


class Power(NamedTuple):
    """What a container may do at most; each part is `False`, or empty, where it may not."""

    capabilities: frozenset[str]
    may_gain_privileges: bool
    privileged: bool
    may_be_root: bool
    writable_root: bool
    any_system_call: bool
    unmasked_proc: bool
    host: frozenset[str]

    def more_than(self, other: Power) -> bool:
        """Whether this one may do anything that the other may not."""
        if other.privileged:  # which is everything but the host's namespaces, and root
            return self.host > other.host or (self.may_be_root and not other.may_be_root)
        sets = (self.capabilities - other.capabilities) | (self.host - other.host)
        return bool(sets) or any(mine and not theirs for mine, theirs in zip(self, other, strict=True) if isinstance(mine, bool))


def power(pod: Mapping[str, Any], container: Mapping[str, Any]) -> Power:
    """What a container of a pod may do, by the documentation of Kubernetes and the code of containerd.

    A container's own security context wins over its pod's. Of capabilities, ALL comes first, then what is added by name, then
    what is dropped by name (containerd, internal/cri/opts/spec_linux_opts.go: WithCapabilities).
    """
    own, shared = _mapping(container.get(_SECURITY)), _mapping(pod.get(_SECURITY))
    effective = {**shared, **{key: value for key, value in own.items() if value is not None}}
    said = _mapping(own.get("capabilities"))
    added, dropped = _names(said.get("add")), _names(said.get("drop"))
    held = frozenset(("ALL", *GRANTED)) if "ALL" in added else GRANTED
    held = frozenset() if "ALL" in dropped else held
    held = (held | (added - {"ALL"})) - dropped
    user = effective.get("runAsUser")
    privileged = own.get("privileged") is True
    return Power(
        held,
        own.get("allowPrivilegeEscalation") is not False,
        privileged,
        effective.get("runAsNonRoot") is not True and user in (None, 0, "0"),
        own.get("readOnlyRootFilesystem") is not True,
        str(_mapping(effective.get("seccompProfile")).get("type") or "Unconfined") == "Unconfined",
        own.get("procMount") == "Unmasked",
        frozenset(key for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key) is True),
    )


def containers(value: Any, path: Path = ()) -> Iterator[tuple[Path, Mapping[str, Any], Mapping[str, Any]]]:
    """Every container in a document with its path and its pod: whatever is an item of a list of containers."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in LISTS and isinstance(item, list):
                for at, one in enumerate(item):
                    if isinstance(one, dict):
                        yield (*path, key, str(at)), value, one
            else:
                yield from containers(item, (*path, str(key)))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from containers(item, (*path, str(at)))


def weaker(before: Sequence[Any], after: Sequence[Any]) -> list[str]:
    """Which containers may do more after than before, or lost a limit or a mount."""
    found = []
    for one, other in zip(before, after, strict=True):
        now = {path: (pod, container) for path, pod, container in containers(other)}
        for path, pod, container in containers(one):
            name = ".".join(path)
            if path not in now:
                found.append(f"{name} is gone")
                continue
            was, may = power(pod, container), power(*now[path])
            if may.more_than(was):
                found.append(f"{name} may do more: {may}, and was {was}")
            for kind in ("limits", "requests"):
                amounts = _mapping(_mapping(container.get("resources")).get(kind))
                kept = _mapping(_mapping(now[path][1].get("resources")).get(kind))
                found += [f"{name} has other {kind} of {key}" for key in amounts if amounts[key] != kept.get(key)]
            mounts = [str(item) for item in container.get("volumeMounts") or ()]
            found += [f"{name} lost {item}" for item in mounts if item not in map(str, now[path][1].get("volumeMounts") or ())]
    return found


def impossible(documents: Sequence[Any]) -> list[str]:
    """What the API server or the kubelet refuses although the schemas do not: volumes that do not fit, and contradictions.

    From kubernetes, pkg/apis/core/validation/validation.go (ValidateSecurityContext, ValidateVolumeMounts,
    ValidateResourceRequirements, validateSysctls) and pkg/kubelet/kuberuntime/security_context.go (verifyRunAsNonRoot).
    """
    found = []
    for document in documents:
        claims = {
            str(_mapping(_mapping(item).get("metadata")).get("name"))
            for one in objects([document])
            for item in _mapping(one.get("spec")).get("volumeClaimTemplates") or ()
        }
        for path, pod, container in containers(document):
            found += [
                f"{'.'.join(path)} {problem}" for problem in (*_volumes(pod, container, claims), *_together(pod, container))
            ]
    return found


def _volumes(pod: Mapping[str, Any], container: Mapping[str, Any], claims: set[str]) -> Iterator[str]:
    names = [str(_mapping(item).get("name")) for item in pod.get("volumes") or ()]
    for name in sorted(set(names)):
        if names.count(name) > 1:
            yield f"has two volumes that are called {name}"
        if not re.fullmatch(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?", name):
            yield f"has a volume whose name is no label: {name}"
    mounts = [item for item in container.get("volumeMounts") or () if isinstance(item, dict)]
    places = [str(item.get("mountPath")) for item in mounts]
    yield from (f"has two mounts at {place}" for place in sorted(set(places)) if places.count(place) > 1)
    for item in mounts:
        if str(item.get("name")) not in {*names, *claims}:
            yield f"mounts {item.get('name')}, which no volume is called"


def _together(pod: Mapping[str, Any], container: Mapping[str, Any]) -> Iterator[str]:
    own, shared = _mapping(container.get(_SECURITY)), _mapping(pod.get(_SECURITY))
    effective = {**shared, **{key: value for key, value in own.items() if value is not None}}
    if own.get("allowPrivilegeEscalation") is False:
        if own.get("privileged") is True:
            yield "is privileged and may not gain privileges"
        if "SYS_ADMIN" in _names(_mapping(own.get("capabilities")).get("add")):
            yield "has SYS_ADMIN and may not gain privileges"
    if effective.get("runAsNonRoot") is True and str(effective.get("runAsUser")) == "0":
        yield "is root and refuses to be"
    amounts = _mapping(container.get("resources"))
    limits, requests = _mapping(amounts.get("limits")), _mapping(amounts.get("requests"))
    for name in sorted(limits.keys() & requests.keys()):
        if (asked := _number(requests[name])) is not None and (most := _number(limits[name])) is not None and asked > most:
            yield f"asks for more {name} than it may have"
    sysctls = [_mapping(item) for item in shared.get("sysctls") or ()]
    if pod.get("hostNetwork") is True and any(str(item.get("name")).startswith("net.") for item in sysctls):
        yield "sets a parameter of the host's network"
    names = [str(item.get("name")) for item in sysctls]
    if len(names) != len(set(names)):
        yield "sets a parameter twice"
    variables = [str(_mapping(item).get("name")) for item in container.get("env") or ()]
    yield from (f"has two variables {name}" for name in sorted(set(variables)) if variables.count(name) > 1)


def _number(value: Any) -> float | None:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?", str(value))
    units = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
    return float(match[1]) * units.get(match[2] or "", 1.0) if match else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _names(value: Any) -> frozenset[str]:
    return frozenset(str(item).upper().removeprefix("CAP_") for item in value or ()) if isinstance(value, list) else frozenset()
