"""`harden.evidence.yaml`: what runs on a real engine showed of a project's services. Knows its format, no engine and no rule.

The file lies beside the Compose file; people may read it, and mend it:

    version: 1
    services:
      web:
        seen:                        # what it was seen with: the facts hold as long as all of this is the same
          image: redis:7             # or, for an image that is built here, `files`
          files:                     # what was built from, by its path from here
            web/Dockerfile: sha256:...
          user: "999:999"            # each may be left out where nothing is written: user, entrypoint, command, mounts
          entrypoint: [tini, --]
          command: [redis-server]
          mounts: [/data]
        engine: Docker 28.1, rootless    # where it was seen; said in the report
        capabilities: [CHOWN]        # what it did with beside a dropped ALL; [] for none
        read-only: true              # with `tmpfs`, by path with the owner of each
        tmpfs: {/tmp: "999:999"}
        no-new-privileges: true
        memory: 256                  # MiB that were enough
        pids: 64

A service whose circumstances changed since has stale facts: they are not used, and the report says what changed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hardener.errors import Unreadable
from hardener.facts.container import Container, capability
from hardener.facts.tree import Tree
from hardener.finding import Evidence, Strength
from hardener.needs.needs import Limit, NeededCapability, Needs, Tmpfs
from hardener.needs.profile import EVERYWHERE, Verdict
from hardener.record import NamedTuple
from hardener.source import Source
from hardener.syntax.yaml import Mapping as MappingNode
from hardener.syntax.yaml import Node, Scalar, Sequence, YamlError, parse

FILE = "harden.evidence.yaml"
VERSION = "1"
_REMEDY = "mend it, or run with --no-evidence"
_CIRCUMSTANCES = {"image": str, "files": dict, "user": str, "entrypoint": list, "command": list, "mounts": list}
_KINDS: dict[object, str] = {str: "text", list: "list of texts", dict: "mapping of texts"}
_FACTS = frozenset(("capabilities", "read-only", "tmpfs", "no-new-privileges", "memory", "pids"))


#: All that Linux has (uapi/linux/capability.h): what is none would be left out without a word.
_CAPABILITIES = frozenset(
    "AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID "
    "IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW "
    "PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE "
    "SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM".split()
)


class Recorded(NamedTuple):
    """What was seen of one service. The values are text, lists of text, or mappings of text, as the file has them."""

    seen: Mapping[str, Any]
    facts: Mapping[str, Any]
    evidence: Evidence


def recorded(folder: str, tree: Tree) -> Mapping[str, Recorded]:
    """What the file of a folder says, by service; nothing where there is none.

    Raises `Unreadable` for one that is not well formed.
    """
    location = os.path.join(folder, FILE)
    source = tree(location)
    if source is None:
        if os.path.isfile(location):
            raise Unreadable(os.path.relpath(location), "it is no text, or leads out of the project", _REMEDY)
        return {}
    key = (recorded, source.path, source.text)
    if key not in tree.concluded:
        tree.concluded[key] = dict(_Reader(source).read())
    found: Mapping[str, Recorded] = tree.concluded[key]
    return found


def stale(record: Recorded, container: Container, tree: Tree) -> str:
    """What is no longer as it was seen; empty when everything is."""
    now: dict[str, Any] = {
        "image": container.image_text,
        "user": container.user.effective,
        "entrypoint": list(container.entrypoint or ()),
        "command": list(container.command or ()),
        "mounts": sorted(mount.target for mount in container.mounts),
    }
    for what, value in now.items():
        said = record.seen.get(what, [] if isinstance(value, list) else "")
        if (sorted(said) if what == "mounts" else said) != value:
            return f"`{what}` has changed"
    if container.build is not None and not record.seen.get("files"):
        return "it does not say which files the image was built from"
    for path, digest in record.seen.get("files", {}).items():
        source = tree(os.path.normpath(os.path.join(container.folder, path)))
        if source is None or digest_of(source) != digest:
            return f"{path} has changed"
    return ""


def digest_of(source: Source) -> str:
    """How the file names the content of another file."""
    return "sha256:" + hashlib.sha256(source.to_bytes()).hexdigest()


def with_record(needs: Needs, record: Recorded) -> Needs:
    """The needs of a container, with what was seen of it in the place of what was read or is only usual."""
    facts, evidence = record.facts, record.evidence
    new: dict[str, Any] = {}
    if "capabilities" in facts:
        new["capabilities"] = tuple(
            NeededCapability(name, "seen to be needed in a run", evidence) for name in sorted(facts["capabilities"])
        )
        new["no_more_capabilities"] = evidence
    if "read-only" in facts:
        works = facts["read-only"] == "true"
        new["read_only"] = Verdict(EVERYWHERE, works, "" if works else "it failed in a run", evidence)
        new["tmpfs"] = tuple(_tmpfs(path, owner, evidence) for path, owner in sorted(facts.get("tmpfs", {}).items()))
    if "no-new-privileges" in facts:
        works = facts["no-new-privileges"] == "true"
        new["no_new_privileges"] = Verdict(EVERYWHERE, works, "" if works else "it failed in a run", evidence)
    for what in ("memory", "pids"):
        if what in facts:
            new[what] = Limit(float(facts[what]), "enough in a run", evidence)
    asked = ("capabilities", "read_only", "no_new_privileges", "memory", "cpu", "pids")
    unknown = dict(needs.unknown) if needs.holds else dict.fromkeys(asked, needs.why_not)
    unknown = {question: why for question, why in unknown.items() if question not in new}
    return needs._replace(holds=True, why_not="", unknown=unknown, **new)


def _tmpfs(path: str, owner: str, evidence: Evidence) -> Tmpfs:
    uid, _, gid = owner.partition(":")
    return Tmpfs(path, int(uid or 0), int(gid or 0), False, "", evidence)


class _Reader:
    """Reads one file strictly: a slip of the pen is named with its line."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def read(self) -> Iterator[tuple[str, Recorded]]:
        """Each service with what was seen of it."""
        try:
            documents = parse(self._source.text).documents
        except YamlError as error:
            raise Unreadable(self._source.path, error.reason, _REMEDY, error.line) from None
        root = documents[0].root if documents else None
        top = self._mapping(root, "version and services")
        version = self._value(top.get("version", root))
        if version != VERSION:
            self._fail(top.get("version", root), f"version {version!r} is not known: this harden reads version {VERSION}")
        for name, node in self._mapping(top.get("services"), "services").items():
            yield name, self._service(name, node)

    def _service(self, name: str, node: Node) -> Recorded:
        keys = self._mapping(node, name)
        self._known(keys, _FACTS | {"seen", "engine"})
        if "seen" not in keys:
            self._fail(node, f"{name} does not say what it was seen with")
        seen = self._mapping(keys["seen"], "seen")
        self._known(seen, _CIRCUMSTANCES)
        line = self._source.position(node.start).line
        engine = f" on {self._value(keys['engine'])}" if "engine" in keys else ""
        evidence = Evidence(f"seen in a run{engine}", f"{self._source.path}:{line}", Strength.OBSERVED)
        facts = {key: self._value(keys[key]) for key in keys if key in _FACTS}
        for key in ("memory", "pids"):
            if key in facts and not (_is_number(facts[key]) and int(facts[key])):
                self._fail(keys[key], f"{key} is a whole number above 0")
        for key in ("read-only", "no-new-privileges"):
            if key in facts and facts[key] not in ("true", "false"):
                self._fail(keys[key], f"{key} is true or false")
        if "capabilities" in facts:
            facts["capabilities"] = [capability(name) for name in self._kind(keys["capabilities"], "capabilities", list)]
            strange = next((name for name in facts["capabilities"] if name not in _CAPABILITIES), "")
            if strange:
                self._fail(keys["capabilities"], f"{strange} is no capability")
        if "tmpfs" in facts:
            for path, owner in self._kind(keys["tmpfs"], "tmpfs", dict).items():
                if not path.startswith("/"):
                    self._fail(keys["tmpfs"], f"the tmpfs {path!r} is not absolute")
                if not all(map(_is_number, owner.split(":"))) or owner.count(":") != 1:
                    self._fail(keys["tmpfs"], 'the owner of a tmpfs is written as "uid:gid"')
        told = {key: self._kind(item, key, _CIRCUMSTANCES[key]) for key, item in seen.items()}
        return Recorded(told, facts, evidence)

    def _kind(self, node: Node, key: str, kind: type) -> Any:
        """The value of a node, which must be of a kind, with nothing but texts in it."""
        value = self._value(node)
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        if type(value) is not kind or not all(isinstance(item, str) for item in inside):
            self._fail(node, f"{key} is a {_KINDS[kind]}")
        return value

    def _known(self, keys: Mapping[str, Node], known: Iterable[str]) -> None:
        for key, node in keys.items():
            if key not in known:
                self._fail(node, f"{key!r} is not among {', '.join(sorted(known))}")

    def _mapping(self, node: Node | None, what: str) -> dict[str, Node]:
        if not isinstance(node, MappingNode):
            self._fail(node, f"{what} must be a mapping")
        assert isinstance(node, MappingNode)
        return {pair.key.value: pair.value for pair in node.pairs if isinstance(pair.key, Scalar)}

    def _value(self, node: Node | None) -> Any:
        if isinstance(node, Scalar):
            return node.value
        if isinstance(node, Sequence):
            return [self._value(item) for item in node.items]
        if isinstance(node, MappingNode):
            return {key: self._value(item) for key, item in self._mapping(node, "").items()}
        return ""

    def _fail(self, node: Node | None, reason: str) -> None:
        line = self._source.position(node.start).line if node is not None else 1
        raise Unreadable(self._source.path, reason, _REMEDY, line)


def _is_number(text: Any) -> bool:
    return isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) <= 10
